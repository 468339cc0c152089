"""Reaching a port of a pod from this process: directly where that is known to route, through the pause elsewhere.

"Known" means: the bridge of that very network is an interface here, or the container that this process runs in is on
it. Nothing is guessed by dialling: from a container on another bridge a dial fails only after 3 s, and behind a remote
engine an address of the local network may answer for somebody else.
"""

from __future__ import annotations

import contextlib
import logging
import re
import socket
import threading
import weakref
from collections.abc import Callable
from pathlib import Path

from pypod.engine import pause
from pypod.engine.api import STDOUT, Engine, ExecStream
from pypod.errors import NotFoundError, PypodError

log = logging.getLogger(__name__)

BUFFER = 65536


def routes_directly(engine: Engine, network_id: str) -> bool:
    """Whether an address on this Docker network can be dialled from here."""
    if _has_interface(f"br-{network_id[:12]}"):
        return True
    own = own_container_id()
    if not own:
        return False
    try:
        return network_id in engine.container(own).addresses
    except NotFoundError:  # a container of another engine
        return False


_known: weakref.WeakKeyDictionary[Engine, dict[str, bool]] = weakref.WeakKeyDictionary()


def reaches(engine: Engine, network_id: str) -> bool:
    """As `routes_directly`, asked once for an engine and a network: a probe must not ask the engine at every try.

    Plain dictionaries and no lock, so that a fork finds nothing locked; two threads may both ask, and find the same.
    """
    answers = _known.setdefault(engine, {})
    if network_id not in answers:
        answers[network_id] = routes_directly(engine, network_id)
    return answers[network_id]


def _has_interface(name: str) -> bool:
    try:
        socket.if_nametoindex(name)
    except OSError:
        return False
    return True


def own_container_id() -> str:
    """The ID of the Docker container that this process runs in; empty where it runs in none.

    Read off the mounts: the engine binds ``<root>/containers/<id>/hostname`` over ``/etc/hostname``. (The host name is
    not proof, since it can be set; ``/proc/self/cgroup`` says ``/`` in a cgroup namespace.)
    """
    try:
        text = Path("/proc/self/mountinfo").read_text()
    except OSError:
        return ""
    match = re.search(r"/containers/([0-9a-f]{64})/(?:hostname|hosts|resolv\.conf) /etc/", text)
    return match.group(1) if match else ""


def relay_command(
    host: str, port: int, *, check: bool = False, wait: float = 0.0, limit: float | None = None
) -> list[str]:
    """What an exec in the pause runs to reach a port of the pod.

    Args:
        host, port: as seen inside the pod.
        check: connect only: it ends with 0 as soon as the port takes the connection.
        wait: seconds in which it tries again where the port takes none.
        limit: seconds after which it ends, whatever goes on.
    """
    command = [pause.ENTRYPOINT, "relay"]
    if check:
        command.append("--check")
    if wait > 0:
        command += ["--wait", str(round(wait * 1000))]
    if limit is not None:
        command += ["--limit", str(max(1, round(limit * 1000)))]
    return [*command, host, str(port)]


class Relay:
    """A port of this machine that leads to a port of a pod, through an exec in its pause.

    Args:
        engine: where the pod is.
        sandbox: the pause's ID; or what tells it, for each connection anew.
        host, port: as seen inside the pod.
        limit: seconds after which a connection ends, whatever goes on; None: it may stay.
        listen: the address and port here; port 0: a free one.
        on_error: is told, on a thread of the relay, why a connection did not get through. The dialler sees its connection end.

    Raises:
        OSError: nobody can listen there.
    """

    def __init__(
        self,
        engine: Engine,
        sandbox: str | Callable[[], str],
        host: str,
        port: int,
        *,
        limit: float | None = None,
        listen: tuple[str, int] = ("127.0.0.1", 0),
        on_error: Callable[[str], object] | None = None,
    ) -> None:
        self._engine = engine
        self._sandbox = sandbox
        self._command = relay_command(host, port, limit=limit)
        self._on_error = on_error or log.debug
        self._closed = False
        family = socket.AF_INET6 if ":" in listen[0] else socket.AF_INET
        self._listener = socket.create_server(listen, family=family)
        self._connections: set[socket.socket] = set()
        self._streams: set[ExecStream] = set()
        self.address: tuple[str, int] = self._listener.getsockname()[:2]
        threading.Thread(target=self._accept, name="pypod-relay", daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._connections.add(connection)
            if self._closed:  # meanwhile: nobody else would end it
                _shut(connection)
                return
            threading.Thread(target=self._serve, args=(connection,), name="pypod-relay", daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        stream: ExecStream | None = None
        complaint = b""
        try:
            sandbox = self._sandbox if isinstance(self._sandbox, str) else self._sandbox()
            stream = self._engine.exec(sandbox, self._command, stdin=True)
            self._streams.add(stream)
            if self._closed:
                return
            threading.Thread(
                target=_upload, args=(connection, stream), name="pypod-relay", daemon=True
            ).start()
            while (frame := stream.read()) is not None:
                if frame.stream == STDOUT:
                    connection.sendall(frame.data)
                else:
                    complaint += frame.data
        except OSError:
            pass  # the dialler has left
        except PypodError as error:
            complaint = str(error).encode()
        finally:
            if complaint and not self._closed:
                self._on_error(complaint.decode(errors="replace").strip())
            self._connections.discard(connection)
            _shut(connection)
            if stream is not None:
                self._streams.discard(stream)
                stream.close()

    def close(self) -> None:
        """Listen no more, and end what is connected."""
        if self._closed:
            return
        self._closed = True
        # close() alone does not wake a thread in accept() on Linux; shutdown() does.
        _shut(self._listener)
        for connection in list(self._connections):
            _shut(connection)
        for stream in list(self._streams):  # its reader would wait for a server that hangs
            stream.close()


def _upload(connection: socket.socket, stream: ExecStream) -> None:
    try:
        while data := connection.recv(BUFFER):
            stream.send(data)
        stream.close_stdin()
    except (OSError, PypodError):
        pass


def _shut(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)
    sock.close()
