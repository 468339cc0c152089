"""Copying over a connection that breaks, refuses or stalls: what a real engine does too seldom to be tested on it."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pypod.engine import docker_archives
from pypod.engine.docker_archives import pieces, upload
from pypod.engine.docker_streams import Wire, read_reply
from pypod.engine.docker_transport import Transport
from pypod.errors import EngineUnavailableError, NotFoundError

PATIENCE = 10.0


def nobody() -> socket.socket:
    raise AssertionError("the connection is there")


TRANSPORT = Transport(nobody, "/v1.41", "localhost", {})


class Peer:
    """An engine's end of a connection, and ours."""

    def __init__(self) -> None:
        ours, self.socket = socket.socketpair()
        self.wire = Wire(ours)
        self.socket.settimeout(PATIENCE)

    def read_until(self, end: bytes) -> bytes:
        found = b""
        while not found.endswith(end):
            data = self.socket.recv(65536)
            assert data, f"it ended after {found[-80:]!r}"
            found += data
        return found

    def is_closed(self) -> bool:
        with contextlib.suppress(ConnectionResetError):
            return self.socket.recv(1) == b""
        return True


@pytest.fixture
def peer() -> Iterator[Peer]:
    made = Peer()
    yield made
    made.wire.close()
    made.socket.close()


def meanwhile(function: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=function, daemon=True)
    thread.start()
    return thread


def answer(peer: Peer, text: str, body: bytes = b"") -> Iterator[bytes]:
    peer.socket.sendall(text.replace("\n", "\r\n").encode() + b"\r\n" + body)
    return pieces(read_reply(peer.wire, None), "copy from container", "one")


class TestDownload:
    def test_chunks_are_put_together(self, peer: Peer) -> None:
        stream = answer(
            peer, "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n", b"3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n"
        )
        assert b"".join(stream) == b"abcdefg"
        assert peer.is_closed()

    @pytest.mark.parametrize("taken", [0, 1])
    def test_given_up_early_the_connection_is_closed(self, peer: Peer, taken: int) -> None:
        stream = answer(peer, "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n", b"3\r\nabc\r\n")
        assert [next(stream) for _ in range(taken)] == [b"abc"][:taken]
        del stream
        assert peer.is_closed()

    def test_one_that_breaks_off_is_no_whole_archive(self, peer: Peer) -> None:
        stream = answer(peer, "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n", b"3\r\nabc\r\n")
        assert next(stream) == b"abc"
        peer.socket.close()
        with pytest.raises(EngineUnavailableError, match="in the middle of the archive"):
            next(stream)

    def test_one_that_stalls_is_given_up(self, peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(docker_archives, "PATIENCE", 0.05)
        stream = answer(peer, "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n")
        with pytest.raises(EngineUnavailableError, match="sent nothing"):
            next(stream)
        assert peer.is_closed()


def put(peer: Peer, archive: Iterator[bytes]) -> None:
    upload(TRANSPORT, peer.wire, "/put", archive, "copy to container", "one")


class TestUpload:
    def test_it_goes_out_in_chunks_as_it_comes(self, peer: Peer) -> None:
        seen: list[bytes] = []

        def source() -> Iterator[bytes]:
            yield b"abc"
            yield b""  # in the wire's format that would be the end
            seen.append(peer.read_until(b"3\r\nabc\r\n"))  # the first is there before the second is asked for
            yield b"x" * 16

        def serve() -> None:
            seen.append(peer.read_until(b"0\r\n\r\n"))
            peer.socket.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

        def feed() -> Iterator[bytes]:
            yield from source()
            meanwhile(serve)

        put(peer, feed())
        head, _, body = b"".join(seen).partition(b"\r\n\r\n")
        assert head.startswith(b"PUT /v1.41/put HTTP/1.1\r\nHost: localhost\r\n")
        assert b"Transfer-Encoding: chunked" in head
        assert b"Content-Length" not in head
        assert body == b"3\r\nabc\r\n10\r\n" + b"x" * 16 + b"\r\n0\r\n\r\n"
        assert peer.is_closed()

    def test_a_refusal_that_comes_before_all_is_read(self, peer: Peer) -> None:
        sent = list[int]()

        def serve() -> None:
            peer.read_until(b"\r\n\r\n") if not sent else None
            words = b'{"message":"Could not find the file /no"}'
            peer.socket.sendall(
                b"HTTP/1.1 404 Not Found\r\nContent-Length: %d\r\n\r\n%b" % (len(words), words)
            )
            peer.socket.close()

        def endless() -> Iterator[bytes]:
            thread = meanwhile(serve)
            thread.join(PATIENCE)
            while True:
                sent.append(1)
                assert len(sent) < 1000, "it goes on sending to nobody"
                yield b"x" * 65536

        with pytest.raises(NotFoundError, match="Could not find the file /no"):
            put(peer, endless())

    def test_an_engine_that_goes(self, peer: Peer) -> None:
        def source() -> Iterator[bytes]:
            yield b"abc"
            peer.socket.close()
            yield b"def"

        with pytest.raises(EngineUnavailableError, match="broke off"):
            put(peer, source())

    def test_an_engine_that_reads_nothing(self, peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(docker_archives, "PATIENCE", 0.05)
        with pytest.raises(EngineUnavailableError, match="took nothing"):
            put(peer, (bytes(65536) for _ in range(1000)))

    def test_what_the_source_raises_is_passed_on(self, peer: Peer, tmp_path: Path) -> None:
        def source() -> Iterator[bytes]:
            yield b"abc"
            yield (tmp_path / "none").read_bytes()

        with pytest.raises(FileNotFoundError):
            put(peer, source())
        assert not peer.read_until(b"3\r\nabc\r\n").endswith(b"0\r\n\r\n")
        assert peer.is_closed()
