"""Frames of output as text."""

from __future__ import annotations

import codecs
from collections.abc import Iterator

from pypod.engine.api import FrameStream


def text(stream: FrameStream) -> str:
    """All of it, both outputs in the order of the engine."""
    data = bytearray()
    try:
        while (frame := stream.read()) is not None:
            data += frame.data
    finally:
        stream.close()
    return bytes(data).decode(errors="replace")


def lines(stream: FrameStream) -> Iterator[str]:
    """Line by line as it comes, without line ends; see `blocks`."""
    for block in blocks(stream):
        yield from block


def blocks(stream: FrameStream) -> Iterator[list[str]]:
    """Whole lines as they come, as many at once as there are, without line ends: what is done for each block costs little even
    where a log has millions of lines, and no more than a block is held. The two outputs are put together each on its own,
    since the engine cuts them anywhere; last lines without an end come at the end."""
    decoders = {
        1: codecs.getincrementaldecoder("utf-8")("replace"),
        2: codecs.getincrementaldecoder("utf-8")("replace"),
    }
    begun: dict[int, list[str]] = {1: [], 2: []}  # of a line whose end has not come
    try:
        while (frame := stream.read()) is not None:
            pieces = decoders[frame.stream].decode(frame.data).split("\n")
            if len(pieces) == 1:
                begun[frame.stream] += pieces
                continue
            pieces[0] = "".join([*begun[frame.stream], pieces[0]])
            begun[frame.stream] = [pieces.pop()]
            yield pieces
        ends = ["".join([*begun[number], decoders[number].decode(b"", final=True)]) for number in (1, 2)]
        if found := [last for last in ends if last]:
            yield found
    finally:
        stream.close()
