"""The engine's streams as they come off the wire: however they are cut, the same frames and lines."""

from __future__ import annotations

import contextlib
import itertools
import socket
import struct
import threading
import tracemalloc
from collections.abc import Iterator

from hypothesis import given, settings
from hypothesis import strategies as some

from pypod.engine import output
from pypod.engine.api import STDERR, STDOUT, Frame
from pypod.engine.docker_streams import Frames, Reply, Wire

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked"
UPGRADED = b"HTTP/1.1 101 UPGRADED"
END = b"0\r\n\r\n"

NUMBERS = some.sampled_from([STDOUT, STDERR])
TEXTS = some.text(some.sampled_from("ab\n\u00e9\u20ac"), max_size=12)


def framed(number: int, data: bytes) -> bytes:
    return struct.pack(">BxxxL", number, len(data)) + data


def chunked(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


class Feed:
    """`Frames` of what a peer sends, in these pieces."""

    def __init__(
        self, head: bytes, pieces: Iterator[bytes] | list[bytes], *, multiplexed: bool = True
    ) -> None:
        near, self._far = socket.socketpair()
        self.frames = Frames(Reply(Wire(near), head, b""), multiplexed=multiplexed)
        self._thread = threading.Thread(target=self._send, args=(pieces,), daemon=True)
        self._thread.start()

    def _send(self, pieces: Iterator[bytes] | list[bytes]) -> None:
        with self._far, contextlib.suppress(BrokenPipeError):  # who has all of the body leaves
            for piece in pieces:
                self._far.sendall(piece)

    def all(self) -> list[Frame]:
        return list(iter(lambda: self.frames.read(timeout=5), None))


def cut(data: bytes, at: list[int]) -> list[bytes]:
    places = sorted({0, len(data), *(place % (len(data) + 1) for place in at)})
    return [data[a:b] for a, b in itertools.pairwise(places)]


def merged(frames: list[Frame]) -> list[tuple[int, bytes]]:
    found: list[tuple[int, bytes]] = []
    for frame in frames:
        if found and found[-1][0] == frame.stream:
            found[-1] = (frame.stream, found[-1][1] + frame.data)
        else:
            found.append((frame.stream, frame.data))
    return found


@settings(deadline=None)
@given(
    some.lists(some.tuples(NUMBERS, some.binary(max_size=40)), max_size=8),
    some.lists(some.integers(1, 30), max_size=8),
    some.lists(some.integers(0, 10_000), max_size=8),
    some.booleans(),
)
def test_however_it_is_cut_the_same_comes_out(
    sent: list[tuple[int, bytes]], sizes: list[int], places: list[int], upgraded: bool
) -> None:
    body = b"".join(framed(number, data) for number, data in sent)
    if upgraded:
        feed = Feed(UPGRADED, cut(body, places))
    else:  # chunks that know nothing of frames, in pieces that know nothing of chunks
        chunks, rest = [], body
        for size in [*sizes, len(body)]:
            chunks.append(rest[:size])
            rest = rest[size:]
        wire = b"".join(chunked(chunk) for chunk in chunks if chunk) + END
        feed = Feed(CHUNKED, cut(wire, places))
    expected = merged([Frame(number, data) for number, data in sent if data])
    assert merged(feed.all()) == expected


def test_the_two_outputs_stay_in_their_order() -> None:
    sent = [(STDOUT, b"a"), (STDOUT, b"b"), (STDERR, b"c"), (STDOUT, b"d")]
    feed = Feed(UPGRADED, [b"".join(framed(*each) for each in sent)])
    assert feed.all() == [Frame(STDOUT, b"ab"), Frame(STDERR, b"c"), Frame(STDOUT, b"d")]


def test_a_terminal_has_no_frames() -> None:
    assert merged(Feed(UPGRADED, [b"\x01\x00", b"any"], multiplexed=False).all()) == [
        (STDOUT, b"\x01\x00any")
    ]


class Played:
    """Frames that are there already."""

    def __init__(self, frames: Iterator[Frame]) -> None:
        self._frames = frames
        self.closed = False

    def read(self, timeout: float | None = None) -> Frame | None:
        del timeout
        return next(self._frames, None)

    def close(self) -> None:
        self.closed = True


@given(some.lists(some.tuples(NUMBERS, TEXTS), max_size=10), some.integers(1, 7))
def test_lines_are_whole_whatever_the_frames(sent: list[tuple[int, str]], size: int) -> None:
    frames = [
        Frame(number, data[at : at + size])
        for number, text in sent
        for data in [text.encode()]
        for at in range(0, len(data), size)
    ]
    stream = Played(iter(frames))
    found = [line for block in output.blocks(stream) for line in block]
    whole = {number: "".join(text for to, text in sent if to == number) for number in (STDOUT, STDERR)}
    expected = [line for text in whole.values() for line in text.removesuffix("\n").split("\n") if text]
    assert sorted(found) == sorted(expected)
    assert stream.closed
    assert list(output.lines(Played(iter(frames)))) == found


def test_a_long_log_is_not_held_in_memory() -> None:
    block = (b"x" * 99 + b"\n") * 600
    count = 250
    tracemalloc.start()
    try:
        lines = sum(len(found) for found in output.blocks(Played(Frame(STDOUT, block) for _ in range(count))))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert lines == 600 * count
    assert peak < 20 * len(block), "15 MB went through, a few blocks are held"


def test_a_line_without_an_end_takes_no_longer_for_each_piece() -> None:
    """What was there before is not copied again for each piece: a line of many MB must not cost its square."""
    piece, count = b"y" * 10_000, 2000
    [[line]] = output.blocks(Played(Frame(STDOUT, piece) for _ in range(count)))
    assert len(line) == len(piece) * count
