"""HTTP as an engine speaks it: an answer as it is received, and short requests over connections to a local socket that are kept.

Python's own readers (http.client, and urllib3 on it) take a head apart as an email's, since anybody may have written it: that was
most of the processor time of a short request. An engine's heads are a few plain lines.
"""

from __future__ import annotations

import collections
import contextlib
import errno
import select
import socket
import weakref
from collections.abc import Callable, Mapping

_CHUNK = 64 * 1024
_LONGEST_HEAD = 1024 * 1024
_WITHOUT_BODY = (204, 304)


class Answer:
    """The answer to one request: its head is there, its body is being received.

    Args:
        head: what came before the empty line.
        rest: what came after it.
        bodiless: it answers a HEAD.

    Attributes:
        complete: the body ended where it said it would, or is one that ends with the connection.
        broken: what was received is no HTTP any more: the connection is of no use.

    Raises:
        ValueError, IndexError: the head is not HTTP's.
    """

    def __init__(self, head: bytes, rest: bytes, *, bodiless: bool = False) -> None:
        first, *lines = head.decode("latin-1").split("\r\n")
        self.version, code, *reason = first.split(" ", 2)
        self.status = int(code)
        self.reason = reason[0] if reason else ""
        self.headers = {
            key.strip().lower(): value.strip() for key, _, value in (line.partition(":") for line in lines)
        }
        self.broken = False
        self._raw = rest
        self._chunked = self.headers.get("transfer-encoding", "").lower() == "chunked"
        length = self.headers.get("content-length")
        self.complete = bodiless or self.status in _WITHOUT_BODY
        self._endless = not self.complete and (self.status == 101 or (length is None and not self._chunked))
        self._left = int(length or 0)  # of the body, or of the current chunk

    def add(self, data: bytes) -> None:
        """What was received next; nothing: the connection has ended."""
        if not data:
            self.complete = self._endless
        self._raw = self._raw + data if self._raw else data

    def take(self) -> bytes:
        """All of the body that has been received. A log comes as a chunk a line, so this is where its time goes: nothing is
        moved within the buffer, and each byte is copied once."""
        raw = self._raw
        if self._endless:
            self._raw = b""
            return raw
        found: list[bytes] = []
        at = 0
        while not self.complete:
            if self._left:
                piece = raw[at : at + self._left]
                found.append(piece)
                at += len(piece)
                self._left -= len(piece)
                if self._left:
                    break
            elif not self._chunked:
                self.complete = True
            elif (end := raw.find(b"\r\n", at)) < 0:
                break
            else:
                line, at = raw[at:end], end + 2
                if line and not self._begin_chunk(line):  # an empty one ends the chunk before
                    break
        self._raw = raw[at:]
        return found[0] if len(found) == 1 else b"".join(found)

    def _begin_chunk(self, line: bytes) -> bool:
        try:
            self._left = int(line.partition(b";")[0], 16)
        except ValueError:
            self.broken = True
            return False
        self.complete = self._left == 0
        return True

    @property
    def leaves_open(self) -> bool:
        """Whether the connection takes another request: the answer was read to its last byte, and nothing came after that."""
        return (
            self.complete
            and not self._endless
            and self._raw == (b"\r\n" if self._chunked else b"")  # a trailer's end; engines send none
            and self.version == "HTTP/1.1"
            and self.headers.get("connection", "").lower() != "close"
        )


def read_head(receive: Callable[[], bytes]) -> tuple[bytes, bytes]:
    """An answer's head, and what came with it. Raises `OSError` where none comes.

    Args:
        receive: waits for at least one byte; nothing at the end.
    """
    received = bytearray()
    while (end := received.find(b"\r\n\r\n")) < 0:
        data = receive()
        if not data:
            raise ConnectionResetError(errno.ECONNRESET, "the connection ended before an answer came")
        received += data
        if len(received) > _LONGEST_HEAD:
            raise no_http(received)
    return bytes(received[:end]), bytes(received[end + 4 :])


def no_http(received: bytes | bytearray) -> OSError:
    """The error of an answer that cannot be understood."""
    return ConnectionAbortedError(errno.ECONNABORTED, f"the answer is not HTTP: {received[:80]!r}")


def local_socket(path: str, timeout: float | None) -> socket.socket:
    """A connected one. Raises `OSError`, with nothing left open."""
    local = socket.socket(socket.AF_UNIX)
    try:
        local.settimeout(timeout)
        local.connect(path)
    except BaseException:
        local.close()
        raise
    return local


class LocalConnections:
    """Asks an engine behind a local socket, and keeps the connections. Any thread may ask, at any time.

    Args:
        path: the socket's.
        size: how many connections are kept at most; there are as many as there are requests at a time.
    """

    def __init__(self, path: str, size: int) -> None:
        self._path = path
        self._size = size
        self._idle: collections.deque[socket.socket] = collections.deque()
        self._closed = False
        weakref.finalize(self, _close_all, self._idle)

    def ask(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes, timeout: float | None
    ) -> tuple[Answer, bytes]:
        """Send one request, and receive all of its answer.

        Args:
            target: path and query.
            headers: beside those that each request has.
            timeout: seconds for the connection, and for each wait for the engine; None: as long as it takes.

        Raises:
            OSError: nobody listens, or the connection broke; a `TimeoutError` among them.
        """
        lines = [f"{method} {target} HTTP/1.1", "Host: localhost", f"Content-Length: {len(body)}"]
        lines += [f"{key}: {value}" for key, value in headers.items()]
        request = "\r\n".join([*lines, "", ""]).encode("latin-1") + body
        connection = self._take() or local_socket(self._path, timeout)
        try:
            connection.settimeout(timeout)
            connection.sendall(request)
            answer, found = _whole_answer(connection, bodiless=method == "HEAD")
        except BaseException:
            connection.close()
            raise
        self._give_back(connection, answer)
        return answer, found

    def _take(self) -> socket.socket | None:
        """One that the engine has not ended meanwhile, as one that is restarted does."""
        with contextlib.suppress(IndexError):
            while True:
                connection = self._idle.pop()
                poller = select.poll()
                poller.register(connection, select.POLLIN)
                if not poller.poll(0):
                    return connection
                connection.close()
        return None

    def _give_back(self, connection: socket.socket, answer: Answer) -> None:
        if answer.leaves_open and len(self._idle) < self._size and not self._closed:
            self._idle.append(connection)
        else:
            connection.close()
        if self._closed:  # since
            _close_all(self._idle)

    def close(self) -> None:
        """End those that nobody uses now; the others end with their answers."""
        self._closed = True
        _close_all(self._idle)


def _close_all(connections: collections.deque[socket.socket]) -> None:
    with contextlib.suppress(IndexError):
        while True:
            connections.pop().close()


def _whole_answer(connection: socket.socket, *, bodiless: bool) -> tuple[Answer, bytes]:
    def receive() -> bytes:
        return connection.recv(_CHUNK)

    head, rest = read_head(receive)
    try:
        answer = Answer(head, rest, bodiless=bodiless)
    except (ValueError, IndexError) as error:
        raise no_http(head) from error
    found = [answer.take()]
    while not answer.complete:
        data = receive()
        answer.add(data)
        found.append(answer.take())
        if answer.broken or not (data or answer.complete):
            raise ConnectionResetError(errno.ECONNRESET, "the connection ended in the middle of an answer")
    return answer, b"".join(found)
