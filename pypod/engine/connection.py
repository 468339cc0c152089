"""One connection into a pod, for one try of a probe or hook: dialled from here, or through the relay in the pod's pause.

A try has one deadline for all that it does (on `time.monotonic`; None: none). The errors read as a kubelet's do, which are
Go's: ``dial tcp 10.0.0.1:80: connect: connection refused``.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import socket
import ssl
import time
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from pypod.engine import dial
from pypod.engine.api import STDERR, Engine, ExecStream
from pypod.engine.execute import EXIT_POLL

T = TypeVar("T")

VERSION = "1.36"
"""Of the Kubernetes that pypod is held to; servers tell probes apart by the user agent."""
BUFFER = 16384
RUNTIME_REFUSAL = b"OCI runtime exec failed"
"""How the output of an exec begins whose command the engine could not start (20.10 to 29). The exit code proves nothing:
126 and 127 are also a shell's own."""
LINGER = 1.0
"""Seconds that a relay may outlive the try it was started for."""


class NotTriedError(Exception):
    """Nothing was tried, so this says nothing of the pod."""


class NoConnectionError(Exception):
    """The port took no connection.

    Attributes:
        refused: somebody said so, at once: a next try is cheap.
    """

    def __init__(self, address: str, reason: str) -> None:
        super().__init__(f"dial tcp {address}: {reason}")
        self.refused = reason.endswith("connection refused")


class NotTLSError(Exception):
    """An HTTP server without TLS answered."""

    def __init__(self) -> None:
        super().__init__("http: server gave HTTP response to HTTPS client")


class Connection(Protocol):
    """Bytes both ways until the deadline. Both methods raise `OSError`, and `TimeoutError` when the time is up."""

    def send(self, data: bytes) -> None: ...

    def receive(self) -> bytes:
        """At least one byte; nothing at the end."""

    def close(self) -> None: ...


class Way(Protocol):
    """How a pod's ports are reached."""

    patience: float
    """Seconds that a try takes longer at most, since it waits for the port to open."""

    def open(self, host: str, port: int, deadline: float | None) -> Connection:
        """A connection. That the port takes none may show only with the first `receive`. Raises `NoConnectionError`,
        `NotTriedError`; an `EngineError` where the engine is needed for it."""

    def knock(self, host: str, port: int, deadline: float | None) -> None:
        """Find out whether the port takes a connection. Raises the same."""


def left(deadline: float | None) -> float | None:
    """Seconds until then. Raises `TimeoutError` where there are none."""
    if deadline is None:
        return None
    seconds = deadline - time.monotonic()
    if seconds <= 0:
        raise TimeoutError("the time is up")
    return seconds


def join(host: str, port: int) -> str:
    """``host:port``, with the brackets that an IPv6 address needs."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


# --- from here -------------------------------------------------------------------------------------------------------


class Direct:
    """Dials from where this process is."""

    patience = 0.0

    def open(self, host: str, port: int, deadline: float | None) -> SocketConnection:
        return SocketConnection(_connect(host, port, deadline), deadline)

    def knock(self, host: str, port: int, deadline: float | None) -> None:
        _connect(host, port, deadline).close()


def _connect(host: str, port: int, deadline: float | None) -> socket.socket:
    address = join(host, port)
    try:
        connected = socket.create_connection((host, port), timeout=left(deadline))
    except TimeoutError as error:
        raise NoConnectionError(address, "i/o timeout") from error
    except (socket.gaierror, UnicodeError) as error:
        raise NoConnectionError(address, f"lookup {host}: no such host") from error
    except OSError as error:
        raise NoConnectionError(address, f"connect: {words(error)}") from error
    if connected.getsockname() == connected.getpeername():
        # A port of this machine's ephemeral range that is tried again and again is sooner or later met by itself.
        connected.close()
        raise NoConnectionError(address, "connect: connection refused")
    return connected


def words(error: OSError) -> str:
    """The system's words for an error, as Go writes them."""
    text = error.strerror or str(error) or type(error).__name__
    return text[:1].lower() + text[1:]


class SocketConnection:
    """A socket, with a deadline for all that is done with it (a socket's own time-out is for each call)."""

    def __init__(self, connected: socket.socket, deadline: float | None) -> None:
        self._socket = connected
        self._deadline = deadline

    def send(self, data: bytes) -> None:
        self._socket.settimeout(left(self._deadline))
        self._socket.sendall(data)

    def receive(self) -> bytes:
        self._socket.settimeout(left(self._deadline))
        return self._socket.recv(BUFFER)

    def close(self) -> None:
        self._socket.close()


# --- from inside the pod ---------------------------------------------------------------------------------------------


class Relayed:
    """Dials from inside the pod, by an exec in its pause. No port of this machine is opened for it.

    Args:
        engine, sandbox: where the pod is, and its pause's ID.
        wait: seconds that a try may wait, in there, for the port to open.
    """

    def __init__(self, engine: Engine, sandbox: str, wait: float = 0.0) -> None:
        self._engine = engine
        self._sandbox = sandbox
        self.patience = wait

    def open(self, host: str, port: int, deadline: float | None) -> RelayConnection:
        return self._start(host, port, deadline, check=False)

    def knock(self, host: str, port: int, deadline: float | None) -> None:
        try:
            with contextlib.closing(self._start(host, port, deadline, check=True)) as connection:
                connection.receive()
        except TimeoutError as error:
            raise NoConnectionError(join(host, port), "i/o timeout") from error

    def _start(self, host: str, port: int, deadline: float | None, *, check: bool) -> RelayConnection:
        time_left = left(deadline)
        limit = None if time_left is None else time_left + LINGER
        command = dial.relay_command(host, port, check=check, wait=self.patience, limit=limit)
        stream = self._engine.exec(self._sandbox, command, stdin=not check)
        return RelayConnection(stream, join(host, port), deadline)


class RelayConnection:
    """The streams of a relay, read as what they say of the connection."""

    def __init__(self, stream: ExecStream, address: str, deadline: float | None) -> None:
        self._stream = stream
        self._address = address
        self._deadline = deadline
        self._complaint = bytearray()
        self._answered = False

    def send(self, data: bytes) -> None:
        self._stream.send(data)

    def receive(self) -> bytes:
        while (frame := self._stream.read(left(self._deadline))) is not None:
            if frame.data.startswith(RUNTIME_REFUSAL):  # a pause image of the user's own, without a relay
                raise NotTriedError(f"cannot run the relay in the pause: {_text(frame.data)}")
            if frame.stream != STDERR:
                self._answered = True
                return frame.data
            self._complaint += frame.data
        if self._complaint:
            self._explain(_text(self._complaint))
        if not self._answered and (code := self._exit_code()) != 0:
            # Killed, or the stream broke: what the relay had to say is not known.
            raise NotTriedError(f"cannot tell what the relay in the pause found: it ended with {code}")
        return b""

    def _exit_code(self) -> int:
        while (code := self._stream.exit_code()) is None:
            left(self._deadline)
            time.sleep(EXIT_POLL)
        return code

    def _explain(self, complaint: str) -> None:
        """A relay that fails says ``<what> HOST:PORT: <reason>`` (pause.c, `fail`)."""
        what, separator, reason = complaint.partition(f" {self._address}: ")
        if separator and what == "cannot connect to":
            reason = "i/o timeout" if reason == "timed out" else f"connect: {reason}"
            raise NoConnectionError(self._address, reason)
        if separator and what == "lost the connection to":
            raise OSError(errno.ECONNRESET, reason)
        raise NotTriedError(f"cannot run the relay in the pause: {complaint}")

    def close(self) -> None:
        self._stream.close()


def _text(data: bytes | bytearray) -> str:
    return data.decode(errors="replace").strip()


# --- TLS -------------------------------------------------------------------------------------------------------------


@functools.cache
def _unverified() -> ssl.SSLContext:
    """A pod's certificate is for its service's name, and signed by whoever: a kubelet does not verify it either."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class TLSConnection:
    """TLS over another connection. Both methods also raise `NotTLSError`."""

    def __init__(self, inner: Connection, server_name: str) -> None:
        self._inner = inner
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = _unverified().wrap_bio(self._incoming, self._outgoing, server_hostname=server_name)
        self._is_first = True

    def send(self, data: bytes) -> None:
        self._call(self._tls.write, data)

    def receive(self) -> bytes:
        try:
            return self._call(self._tls.read, BUFFER)
        except (ssl.SSLEOFError, ssl.SSLZeroReturnError):  # many servers end without TLS' own goodbye
            return b""

    def close(self) -> None:
        self._inner.close()

    def _call(self, function: Callable[..., T], *arguments: Any) -> T:
        while True:
            try:
                result = function(*arguments)
            except ssl.SSLWantReadError:
                self._flush()
                self._fill()
            else:
                self._flush()
                return result

    def _flush(self) -> None:
        if self._outgoing.pending:
            self._inner.send(self._outgoing.read())

    def _fill(self) -> None:
        data = self._inner.receive()
        if self._is_first and data.startswith(b"HTTP/"):
            raise NotTLSError
        self._is_first = False
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()
