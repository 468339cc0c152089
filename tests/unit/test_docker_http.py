"""Short requests over connections that are kept: what comes back, however it is cut, and which connection is used again."""

from __future__ import annotations

import contextlib
import itertools
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from pypod.engine.docker_http import Answer, LocalConnections

PATIENCE = 10.0
LENGTH = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"
NO_CONTENT = b"HTTP/1.1 204 No Content\r\n\r\n"
ENDLESS = b"HTTP/1.1 200 OK\r\n\r\nhello"
CLOSING = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello"
OLD = b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello"
TOO_MUCH = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello and more"


class Server:
    """An engine that gives, to each request of a connection, the next answer; after the last it ends the connection."""

    def __init__(self, path: Path, *answers: bytes, hold: bool = False) -> None:
        self.requests: list[tuple[int, bytes]] = []
        """Which connection, and what came over it."""
        self.ended = threading.Semaphore(0)
        self._hold = hold
        self._answers = answers
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(8)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            for number in itertools.count():
                connection, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(number, connection), daemon=True).start()

    def _serve(self, number: int, connection: socket.socket) -> None:
        with (
            connection,
            contextlib.suppress(OSError),
        ):  # a client leaves in the middle of an answer that is none
            connection.settimeout(PATIENCE)
            for answer in self._answers:
                if not (data := connection.recv(65536)):
                    break
                self.requests.append((number, data))
                connection.sendall(answer)
            if self._hold:
                connection.recv(1)
        self.ended.release()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


Serving = Callable[..., tuple[Server, LocalConnections]]


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[Serving]:
    made: list[Server | LocalConnections] = []

    def serve(*answers: bytes, size: int = 4, hold: bool = False) -> tuple[Server, LocalConnections]:
        server = Server(tmp_path / "sock", *answers, hold=hold)
        connections = LocalConnections(str(tmp_path / "sock"), size)
        made.extend((connections, server))
        return server, connections

    yield serve
    for each in made:
        each.close()


def ask(connections: LocalConnections, method: str = "GET", body: bytes = b"") -> tuple[int, bytes]:
    answer, found = connections.ask(method, "/x?a=1", {"User-Agent": "me"}, body, PATIENCE)
    return answer.status, found


@given(
    some.lists(some.binary(min_size=1, max_size=9), max_size=4), some.lists(some.integers(0, 80), max_size=5)
)
def test_however_an_answer_is_cut_its_body_is_the_same(chunks: list[bytes], cuts: list[int]) -> None:
    body = b"".join(chunks)
    coded = b"".join(b"%x\r\n%b\r\n" % (len(each), each) for each in chunks) + b"0\r\n\r\n"
    for head, sent in ((b"Transfer-Encoding: chunked", coded), (b"Content-Length: %d" % len(body), body)):
        answer = Answer(b"HTTP/1.1 200 OK\r\n" + head, b"")
        places = sorted({0, len(sent), *(place % (len(sent) + 1) for place in cuts)})
        found = [answer.take()]
        for start, end in itertools.pairwise(places):
            answer.add(sent[start:end])
            found.append(answer.take())
        assert b"".join(found) == body
        assert answer.complete
        assert answer.leaves_open


@pytest.mark.parametrize(
    ("first", "status", "body", "kept"),
    [
        (LENGTH, 200, b"hello", True),
        (CHUNKED, 200, b"hello", True),
        (NO_CONTENT, 204, b"", True),
        (ENDLESS, 200, b"hello", False),
        (CLOSING, 200, b"hello", False),
        (OLD, 200, b"hello", False),
        (TOO_MUCH, 200, b"hello", False),
    ],
)
def test_a_connection_takes_the_next_request_where_its_answer_leaves_it_open(
    serving: Serving, first: bytes, status: int, body: bytes, kept: bool
) -> None:
    server, connections = serving(*([first] if first is ENDLESS else [first, LENGTH]))
    assert ask(connections) == (status, body)
    ask(connections)
    assert [number for number, _ in server.requests] == ([0, 0] if kept else [0, 1])


def test_a_question_for_the_head_alone_waits_for_no_body(serving: Serving) -> None:
    _, connections = serving(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", LENGTH)
    assert ask(connections, "HEAD") == (200, b"")
    assert ask(connections) == (200, b"hello")


def test_what_is_sent(serving: Serving) -> None:
    server, connections = serving(LENGTH)
    ask(connections, "POST", b"{}")
    [(_, data)] = server.requests
    head, _, body = data.partition(b"\r\n\r\n")
    assert head.split(b"\r\n") == [
        b"POST /x?a=1 HTTP/1.1",
        b"Host: localhost",
        b"Content-Length: 2",
        b"User-Agent: me",
    ]
    assert body == b"{}"


def test_one_that_the_engine_has_ended_meanwhile_is_not_used_again(serving: Serving) -> None:
    server, connections = serving(LENGTH)
    ask(connections)
    assert server.ended.acquire(timeout=PATIENCE)
    assert ask(connections) == (200, b"hello")
    assert [number for number, _ in server.requests] == [0, 1]


def test_no_more_are_kept_than_asked_for(serving: Serving) -> None:
    server, connections = serving(LENGTH, LENGTH, size=0)
    ask(connections)
    ask(connections)
    assert [number for number, _ in server.requests] == [0, 1]


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"", ConnectionResetError),
        (b"HTTP/1.1 200 OK\r\n", ConnectionResetError),
        (LENGTH[:-2], ConnectionResetError),
        (CHUNKED[:-9], ConnectionResetError),
        (CHUNKED.replace(b"\r\n3\r\n", b"\r\nno\r\n"), ConnectionResetError),
        (b"nobody speaks like that\r\n\r\n", ConnectionAbortedError),
        (b"x" * 2_000_000, ConnectionAbortedError),
    ],
)
def test_an_answer_that_breaks_off_is_an_error(serving: Serving, answer: bytes, error: type[OSError]) -> None:
    server, connections = serving(answer)
    with pytest.raises(error):
        ask(connections)
    assert server.ended.acquire(timeout=PATIENCE)


def test_an_engine_that_says_nothing_is_waited_for_so_long(serving: Serving) -> None:
    server, connections = serving(b"", hold=True)
    with pytest.raises(TimeoutError):
        connections.ask("GET", "/x", {}, b"", 0.01)
    assert server.ended.acquire(timeout=PATIENCE), "our end is closed"


def test_where_nobody_listens_that_is_said(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        ask(LocalConnections(str(tmp_path / "sock"), 4))


def test_closed_it_keeps_none(serving: Serving) -> None:
    server, connections = serving(LENGTH, LENGTH)
    ask(connections)
    connections.close()
    assert server.ended.acquire(timeout=PATIENCE)
    ask(connections)
    assert server.ended.acquire(timeout=PATIENCE)
