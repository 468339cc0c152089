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
    """Line by line as it comes, without line ends. The two outputs are put together each on its own, since the engine cuts
    them anywhere; a last line without an end is yielded at the end."""
    decoders = {
        1: codecs.getincrementaldecoder("utf-8")("replace"),
        2: codecs.getincrementaldecoder("utf-8")("replace"),
    }
    rest = {1: "", 2: ""}
    try:
        while (frame := stream.read()) is not None:
            pieces = (rest[frame.stream] + decoders[frame.stream].decode(frame.data)).split("\n")
            rest[frame.stream] = pieces.pop()
            yield from pieces
        for number in (1, 2):
            last = rest[number] + decoders[number].decode(b"", final=True)
            if last:
                yield last
    finally:
        stream.close()
