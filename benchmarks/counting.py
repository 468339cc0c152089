"""A socket in front of the engine's, which notes each request that goes through it."""

from __future__ import annotations

import contextlib
import re
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_REQUEST = re.compile(rb"(GET|HEAD|POST|PUT|DELETE) (/\S*) HTTP/1\.1\r\n")
_ID = re.compile(r"\b[0-9a-f]{64}\b")


@dataclass(frozen=True)
class Call:
    """One request: seconds by `time.perf_counter`, method, and path without version and query."""

    at: float
    method: str
    path: str

    def __str__(self) -> str:
        return f"{self.method} {_ID.sub('ID', self.path)}"


class CountingSocket:
    """Hands on what it gets, both ways, and keeps a list of the requests. Whoever talks to the engine need not know of it: it is
    told this address instead of the engine's.

    Args:
        target: the path of the engine's socket.
    """

    def __init__(self, target: str) -> None:
        self._target = target
        self._folder = Path(tempfile.mkdtemp(prefix="pypod-count-"))
        self._calls: list[Call] = []
        self._open: list[socket.socket] = []
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(str(self._folder / "sock"))
        self._server.listen(64)
        threading.Thread(target=self._accept, name="counting", daemon=True).start()

    @property
    def url(self) -> str:
        return f"unix://{self._folder / 'sock'}"

    def take(self) -> list[Call]:
        """The requests since the last time."""
        calls, self._calls = self._calls, []
        return calls

    def close(self) -> None:
        for each in (self._server, *self._open):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                client, _ = self._server.accept()
                engine = socket.socket(socket.AF_UNIX)
                engine.connect(self._target)
                self._open += [client, engine]
                threading.Thread(target=self._pump, args=(client, engine, True), daemon=True).start()
                threading.Thread(target=self._pump, args=(engine, client, False), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, count: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if count:
                    self._note(data)
                sink.sendall(data)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)

    def _note(self, data: bytes) -> None:
        """A client sends a request's head in one piece."""
        for match in _REQUEST.finditer(data):
            path = re.sub(r"^/v[0-9.]+(?=/)", "", match[2].decode()).partition("?")[0]
            self._calls.append(Call(time.perf_counter(), match[1].decode(), path))


@contextlib.contextmanager
def counting(target: str) -> Iterator[CountingSocket]:
    counter = CountingSocket(target)
    try:
        yield counter
    finally:
        counter.close()
