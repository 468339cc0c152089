"""The controller's side of shared pods: it starts each once, whoever asks first, holds its lease, and removes it at the end.

The controller runs no tests, and outlives every worker: pods that it owns are there for a worker that replaces a killed one,
and go with it when it is killed itself. Nothing of an engine is imported before a worker asks for a pod.
"""

from __future__ import annotations

import contextlib
import hmac
import json
import secrets
import socket
import sys
import threading
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any, Protocol

import pytest

from pypod.pytest import current, wire
from pypod.pytest.wire import Answer, Door, Failed, Request

READING = 10.0
"""Seconds that a request may take to arrive."""
LEAVING = 15.0
"""Seconds at the end of a run for starts that are under way to come to their end."""
AGAIN = 0.2
"""Seconds after which a start that goes on is given up again: it had nothing yet that could be stopped."""
OWNER = "shared"
"""Stands for a worker's name in the namespace of shared pods."""
OVER = Failed("cannot start a shared pod: the run is over")


class Starter(Protocol):
    """Whoever makes the pods. `start` is called on a thread of each request."""

    def start(self, request: Request) -> Answer:
        """Start a pod, and wait until it is up, or cannot be; then what was made of it is gone."""

    def abort(self) -> None:
        """Starts that are under way end soon, with an error. None is begun any more. It is called again while one goes on."""

    def remove(self, failed: Collection[str]) -> dict[str, Any]:
        """Remove all pods, and say what is to be told of them at the end of the run.

        Args:
            failed: the uids of those that a failed test used.
        """


@dataclass(slots=True)
class _Shared:
    """A pod that was asked for: the answer, once there is one."""

    request: Request
    answer: Answer | None = None
    known: threading.Event = field(default_factory=threading.Event)

    def settle(self, answer: Answer) -> None:
        """The first answer stands."""
        if self.answer is None:
            self.answer = answer
        self.known.set()


class Hub:
    """Of one run.

    Args:
        starter: is called once, when the first pod is asked for.
        abstract: listen where no file is; None: where this system can.
    """

    def __init__(self, starter: Callable[[], Starter], *, abstract: bool | None = None) -> None:
        self._make_starter = starter
        self._starter: Starter | None = None
        self._lock = threading.Lock()
        self._shared: dict[str, _Shared] = {}
        self._starting = 0
        self._idle = threading.Condition(self._lock)
        self._over = False
        self._closed = False
        self._listener, address = _listen(sys.platform == "linux" if abstract is None else abstract)
        self.door = Door(address, secrets.token_hex(32))
        threading.Thread(target=self._accept, name="pypod-hub", daemon=True).start()

    # its end

    def refuse(self) -> None:
        """The run is over: starts that are under way are given up, and whoever waits hears so. Pods that are up stay."""
        with self._lock:
            self._over = True
            waited_for = list(self._shared.values())
            starter = self._starter
        for shared in waited_for:
            if shared.answer is None:
                shared.settle(OVER)
        if starter is not None:
            starter.abort()

    def close(self, failed: Collection[str] = ()) -> dict[str, Any] | None:
        """Remove every pod; a second time there is nothing to do.

        Args:
            failed: the uids of those that a failed test used.

        Returns:
            What is to be told of them at the end of the run; None: there was none.
        """
        self.refuse()
        self._stop_listening()
        self._wait_for_starts()
        with self._lock:
            starter, self._starter = self._starter, None
        return starter.remove(failed) if starter is not None else None

    def _wait_for_starts(self) -> None:
        deadline = time.monotonic() + LEAVING
        while time.monotonic() < deadline:
            with self._idle:
                if self._idle.wait_for(lambda: not self._starting, AGAIN):
                    return
            if self._starter is not None:
                self._starter.abort()

    def _stop_listening(self) -> None:
        self._closed = True
        with (
            contextlib.suppress(OSError),
            self.door.connect(),
        ):  # a blocked accept() does not see that its socket is closed
            pass
        self._listener.close()

    # its service

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            if self._closed:
                connection.close()
                return
            threading.Thread(
                target=self._serve, args=(connection,), name="pypod-hub-worker", daemon=True
            ).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):  # the worker went: it was killed, or interrupted
            connection.settimeout(READING)
            with connection.makefile("rb") as lines:
                line = lines.readline(wire.LONGEST)
            try:
                request, token = wire.load_request(line)
            except (ValueError, KeyError, TypeError, AttributeError):
                return
            if not hmac.compare_digest(token.encode(), self.door.token.encode()):
                return
            connection.sendall(wire.dump(self.answer(request)))

    def answer(self, request: Request) -> Answer:
        """Start this pod, or wait for whoever is at it; the same answer for all."""
        with self._lock:
            if self._over:
                return OVER
            shared = self._shared.get(request.fixture)
            is_first = shared is None
            if shared is None:
                shared = self._shared[request.fixture] = _Shared(request)
                self._starting += 1
        if is_first:
            try:
                shared.settle(self._start(request))
            finally:
                shared.settle(OVER)  # stands only where the line above was broken off
                with self._idle:
                    self._starting -= 1
                    self._idle.notify_all()
        elif where := _difference(_described(shared.request), _described(request)):
            return Failed(_differs(request.fixture, where))
        shared.known.wait()
        assert shared.answer is not None
        return shared.answer

    def _start(self, request: Request) -> Answer:
        try:
            with self._lock:
                if self._starter is None:
                    self._starter = self._make_starter()
                starter = self._starter
            return starter.start(request)
        except Exception as error:  # whatever it is, the worker's fixture fails of it
            return Failed(f"cannot start a shared pod: {error!r}")


def _differs(fixture: str, where: str) -> str:
    return (
        f"cannot share the pod of {fixture}: another worker describes it differently ({where}); a shared pod must be the same "
        "in every worker, so nothing in it may come from the worker's name, its temporary folder, or chance"
    )


def _described(request: Request) -> dict[str, Any]:
    """What must be the same in every worker: all but the pod's name, which may be made up."""
    pod = json.loads(request.pod)
    pod.get("metadata", {}).pop("name", None)
    return {**pod, "objects": list(request.objects), "engine": request.engine}


def _difference(one: Any, other: Any, path: str = "") -> str:
    """The path of the first field in which two documents differ; empty where they are equal. No value is shown: it may be a
    secret."""
    if one == other:
        return ""
    if isinstance(one, dict) and isinstance(other, dict):
        keys = sorted({*one, *other})
        return next(
            (
                found
                for key in keys
                if (found := _difference(one.get(key), other.get(key), f"{path}.{key}".lstrip(".")))
            ),
            "",
        )
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        pairs = enumerate(zip(one, other, strict=True))
        return next((found for i, (a, b) in pairs if (found := _difference(a, b, f"{path}[{i}]"))), "")
    return path


def _listen(abstract: bool) -> tuple[socket.socket, str]:
    """A socket of which nothing is left when its process is killed: an abstract one where there are such, else one of this
    machine's loopback. (A path in a folder would stay.)"""
    if abstract:
        name = f"pypod-{secrets.token_hex(16)}"
        listener = socket.socket(socket.AF_UNIX)
        listener.bind("\0" + name)
        listener.listen()
        return listener, f"@{name}"
    listener = socket.create_server(("127.0.0.1", 0))
    host, port = listener.getsockname()[:2]
    return listener, f"{host}:{port}"


# --- in a run --------------------------------------------------------------------------------------------------------


def for_worker(node: Any) -> dict[str, str]:
    """What a worker, which is about to begin, is told of the hub; for the first one it is opened.

    Args:
        node: xdist's `WorkerController`.
    """
    where = node.gateway.spec
    if not where.popen or where.via:
        return wire.closed(
            f"worker {node.gateway.id} is started by way of {where}, and may be on another machine; pods are shared by workers that "
            "are started with -n"
        )
    config: pytest.Config = node.config
    hub = config.stash.get(current.HUB, None)
    if hub is None:
        hub = config.stash[current.HUB] = Hub(lambda: _owner(config))
        guard = _Guard(hub)
        config.pluginmanager.register(guard)
        config.add_cleanup(guard.end)  # where the session does not come to its own
    return hub.door.to_input()


def _owner(config: pytest.Config) -> Starter:
    from pypod.pytest.session import Run  # noqa: PLC0415 (imports all of pypod: only suites with shared pods pay for it)
    from pypod.pytest.sharing import Owner  # noqa: PLC0415 (as above)

    session = config.pluginmanager.getplugin("session")
    assert isinstance(session, pytest.Session)
    settings, run_id = config.stash[current.SETTINGS], config.stash[current.RUN_ID]
    return Owner(Run(settings, run_id, OWNER, root=config.rootpath), session)


class _Guard:
    """After Ctrl-C workers have some seconds to end, and must not spend them waiting for a pod."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def pytest_keyboard_interrupt(self) -> None:
        self._hub.refuse()

    def end(self) -> None:
        self._hub.close()
