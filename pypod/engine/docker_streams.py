"""The engine's long-lived streams over a socket of their own: HTTP, and what is in it, with nothing read ahead.

docker-py reads a hijacked stream from the socket, past the buffer that already holds the first frames, and so loses output
(docker-py#3332). Here the socket is read by this module alone, from the first byte of the answer on, into one buffer; that
also makes time-outs that lose nothing, and a close that wakes the reader.
"""

from __future__ import annotations

import contextlib
import errno
import json
import select
import socket
import ssl
import struct
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from pypod.engine.api import STDERR, STDOUT, EngineEvent, Frame
from pypod.engine.docker_http import Answer, no_http, read_head
from pypod.errors import EngineError

_CHUNK = 64 * 1024
_FRAME_HEADER = struct.Struct(">BxxxL")
_STREAMS = {0: STDOUT, 1: STDOUT, 2: STDERR, 3: STDERR}  # 0 is stdin echoed, 3 the engine's own error text
_WOULD_BLOCK = (BlockingIOError, InterruptedError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


def deadline_in(timeout: float | None) -> float | None:
    return None if timeout is None else time.monotonic() + timeout


class Wire:
    """A connected socket of whatever kind. One thread reads, any thread writes or closes."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        self._socket.setblocking(False)
        # TLS: one OpenSSL connection must not be used by two threads at once, so every call into it holds the lock; the
        # waiting is done outside.
        self._lock = threading.Lock()
        self._sending = threading.Lock()
        self._waiting = 0
        self._closed = False
        if connected.family in (socket.AF_INET, socket.AF_INET6):
            # A follow or an event stream may be silent for days: without it a vanished remote engine is never noticed.
            connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)

    def fileno(self) -> int:
        return self._socket.fileno()

    def receive(self, deadline: float | None = None) -> bytes:
        """What is there, at least one byte; nothing at the end. Raises `TimeoutError`, and `OSError` when it broke."""
        while True:
            with self._lock:
                if self._closed:
                    return b""
                try:
                    return self._socket.recv(_CHUNK)
                except _WOULD_BLOCK as blocked:
                    # A TLS read may have to write first, and the other way round.
                    wants = select.POLLOUT if isinstance(blocked, ssl.SSLWantWriteError) else select.POLLIN
            self._wait(wants, deadline)

    def send(self, data: bytes, deadline: float | None = None) -> None:
        """All of it. Raises `OSError` when the other end is gone."""
        rest = memoryview(data)
        with self._sending:
            while rest:
                with self._lock:
                    if self._closed:
                        raise BrokenPipeError(errno.EPIPE, "the stream is closed")
                    try:
                        rest = rest[self._socket.send(rest) :]
                        continue
                    except _WOULD_BLOCK as blocked:
                        wants = select.POLLIN if isinstance(blocked, ssl.SSLWantReadError) else select.POLLOUT
                self._wait(wants, deadline)

    def end_input(self) -> None:
        """Nothing more will be sent; the other direction goes on."""
        with self._sending, self._lock, contextlib.suppress(OSError, ValueError):
            if self._closed:
                return
            if isinstance(self._socket, ssl.SSLSocket):
                # Sends close_notify, which Go reads as end of file; what it then asks for, the engine's own close_notify,
                # comes at the end of the output. SSLSocket.shutdown() would drop the TLS state and the output with it.
                self._socket.unwrap()
            else:
                self._socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        with self._lock:
            if self._closed:
                return
            self._closed = True
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)
            self._release()

    def close_in_child(self) -> None:
        """After a fork. It takes no lock: in the child, whoever held it does not exist."""
        self._closed = True
        self._socket.close()

    def _wait(self, event: int, deadline: float | None) -> None:
        with self._lock:
            if self._closed:
                return
            self._waiting += 1
            poller = select.poll()
            poller.register(self._socket.fileno(), event)
        try:
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            ready = poller.poll(None if left is None else left * 1000)
        finally:
            with self._lock:
                self._waiting -= 1
                self._release()
        if not ready:
            raise TimeoutError("nothing came in time")

    def _release(self) -> None:
        """The number is given back only when nobody polls it: another thread's next socket may get the same one."""
        if self._closed and not self._waiting:
            self._socket.close()


class Reply(Answer):
    """The answer to one request over a connection of its own: its head is read, its body comes with `receive`."""

    def __init__(self, wire: Wire, head: bytes, rest: bytes) -> None:
        super().__init__(head, rest)
        self.wire = wire

    def receive(self, deadline: float | None = None) -> bytes:
        """As `Wire.receive`; a broken connection is an end as well, with `complete` unset. The end closes the wire."""
        while True:
            if found := self.take():
                return found
            if self.complete or self.broken:
                self.wire.close()
                return b""
            try:
                data = self.wire.receive(deadline)
            except TimeoutError as error:
                if error.errno is None:
                    raise
                data = b""  # ETIMEDOUT: the connection's, not the caller's
            except OSError:
                data = b""
            self.add(data)
            if not data:
                self.wire.close()
                return b""

    def read_all(self, deadline: float | None = None) -> bytes:
        return b"".join(iter(lambda: self.receive(deadline), b""))

    def error_message(self) -> str:
        """The engine's words, of an answer that is a refusal."""
        return error_words(self.read_all(deadline_in(10)), self.status)


def error_words(body: bytes, status: int) -> str:
    """The engine's words, of the body of a refusal."""
    text = body.decode(errors="replace").strip()
    with contextlib.suppress(ValueError, KeyError, TypeError):
        return str(json.loads(text)["message"])
    return text or f"HTTP status {status}"


def read_reply(wire: Wire, deadline: float | None) -> Reply:
    """The answer's head. Raises `OSError` when none comes."""
    head, rest = read_head(lambda: wire.receive(deadline))
    try:
        return Reply(wire, head, rest)
    except (ValueError, IndexError) as error:
        raise no_http(head) from error


class Frames:
    """`FrameStream`: output, in the engine's frames or, from a terminal, as it is."""

    def __init__(self, reply: Reply, *, multiplexed: bool = True) -> None:
        self._reply = reply
        self._multiplexed = multiplexed
        self._buffer = b""
        self._stream = STDOUT
        self._left = 0  # of the current frame

    def read(self, timeout: float | None = None) -> Frame | None:
        deadline = deadline_in(timeout)
        while True:
            if frame := self._next():
                return frame
            data = self._reply.receive(deadline)
            if not data:
                return None
            self._buffer = self._buffer + data if self._buffer else data

    def close(self) -> None:
        self._reply.wire.close()

    def _next(self) -> Frame | None:
        """The frames that are there, as far as they are of one stream, and the part that is there of the last: a log has a
        frame a line, and a big one need not be held in memory."""
        buffer = self._buffer
        if not self._multiplexed:
            self._buffer = b""
            return Frame(self._stream, buffer) if buffer else None
        found: list[bytes] = []
        at, size, header = 0, len(buffer), _FRAME_HEADER
        stream, left = self._stream, self._left
        while True:
            if left:
                data = buffer[at : at + left]
                if not data:
                    break
                found.append(data)
                at += len(data)
                left -= len(data)
            if left or size - at < header.size:
                break
            number, length = header.unpack_from(buffer, at)
            following = _STREAMS.get(number, STDOUT)
            if found and following != stream:
                break
            stream, left = following, length
            at += header.size
        self._buffer, self._stream, self._left = buffer[at:], stream, left
        return Frame(stream, b"".join(found)) if found else None


class ExecState(Protocol):
    def __call__(self) -> int | None:
        """The exit code, as the engine has it now; None while the command runs."""


class Exec(Frames):
    """`ExecStream`."""

    def __init__(self, reply: Reply, state: ExecState) -> None:
        super().__init__(reply)
        self._state = state
        self._input_ended = False

    def send(self, data: bytes) -> None:
        if self._input_ended:
            return
        try:
            self._reply.wire.send(data)
        except OSError:
            self._input_ended = True

    def close_stdin(self) -> None:
        self._input_ended = True
        self._reply.wire.end_input()

    def exit_code(self) -> int | None:
        return self._state()


SEND_PATIENCE = 2.0
"""Seconds. The engine neither reads nor closes the stdin of a container that has ended (20.10): bytes are taken until the
socket is full, and then never again."""


class Stdin:
    """`StdinChannel`."""

    def __init__(self, reply: Reply, container: str) -> None:
        self._wire = reply.wire
        self._container = container

    def send(self, data: bytes) -> None:
        try:
            self._wire.send(data, time.monotonic() + SEND_PATIENCE)
        except OSError as error:  # a TimeoutError among them
            raise EngineError("write to stdin of", self._container, f"its end is gone: {error}") from error

    def fileno(self) -> int:
        return self._wire.fileno()

    def close(self) -> None:
        self._wire.close()

    def close_in_child(self) -> None:
        self._wire.close_in_child()


def json_lines(reply: Reply) -> Iterator[dict[str, Any]]:
    """The objects of a JSON stream, a line each; what is no JSON ends it."""
    buffer = bytearray()
    while data := reply.receive():
        buffer += data
        *lines, rest = buffer.split(b"\n")
        buffer = bytearray(rest)
        for line in lines:
            if not line.strip():
                continue
            try:
                value = json.loads(line)
            except ValueError:
                return
            if isinstance(value, dict):
                yield value


class Events:
    """`EventStream`."""

    def __init__(self, reply: Reply) -> None:
        self._reply = reply

    def __iter__(self) -> Iterator[EngineEvent]:
        for entry in json_lines(self._reply):
            actor = entry.get("Actor") or {}
            if not actor.get("ID"):
                continue
            # Some carry data: `exec_start: sh -c true`.
            action = str(entry.get("Action", "")).split(":", 1)[0]
            yield EngineEvent(
                action="destroy" if action == "remove" else action,  # Podman's word for it
                container=actor["ID"],
                attributes=dict(actor.get("Attributes") or {}),
                time=_event_time(entry),
            )

    def close(self) -> None:
        self._reply.wire.close()


def _event_time(entry: Mapping[str, Any]) -> float:
    nanoseconds = entry.get("timeNano")
    return int(nanoseconds) / 1e9 if nanoseconds else float(entry.get("time") or 0)
