"""Files that pypod and single containers share: termination messages, empty before a container starts and read when it has ended;
and a hosts file."""

from __future__ import annotations

import contextlib
import io
import tarfile
from collections.abc import Iterator

from pypod.engine.api import Engine
from pypod.errors import EngineError
from pypod.model.life.plan import ReadMessage

FILE_MODE = 0o666
"""A process of any user must be able to write it."""
MAX_BYTES = 4096
"""Of a file, its last (pkg/kubelet/container/runtime.go, MaxContainerTerminationMessageLength)."""
MAX_LOG_BYTES = 2048
MAX_LOG_LINES = 80
READ_DEADLINE = 5.0
"""Seconds for a piece of a log to come."""


def empty_files(names: tuple[str, ...]) -> bytes:
    """An archive of empty files that anybody may write."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name in names:
            info = tarfile.TarInfo(name)
            info.mode = FILE_MODE
            archive.addfile(info)
    return buffer.getvalue()


def text_file(name: str, text: str) -> bytes:
    """An archive of one file that anybody may read."""
    buffer, data = io.BytesIO(), text.encode()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        info = tarfile.TarInfo(name)
        info.mode, info.size = 0o644, len(data)
        archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def read_message(engine: Engine, action: ReadMessage) -> str:
    """The message that a container left; empty where there is none.

    Raises:
        EngineError: it cannot be read.
    """
    text = ""
    if action.pause:
        text = read_file(engine, action.pause, action.path, MAX_BYTES).decode(errors="replace")
    if not text and action.id:
        text = _from_log(engine, action.id)
    return text


def read_file(engine: Engine, container: str, path: str, most: int) -> bytes:
    """The last bytes of a file in a container; none where it is no file.

    Raises:
        NotFoundError: there is nothing of that name.
        EngineError: it cannot be read.
    """
    pieces = engine.get_archive(container, path)
    data = b""
    try:
        with tarfile.open(fileobj=_Reader(pieces), mode="r|") as archive:
            member = archive.next()
            content = archive.extractfile(member) if member is not None and member.isfile() else None
            while content is not None and (piece := content.read(65536)):
                data = (data + piece)[-most:]
    except tarfile.TarError as error:
        raise EngineError("read file of container", f"{container}:{path}", str(error)) from error
    finally:
        close = getattr(pieces, "close", None)
        if close is not None:
            close()
    return data


class _Reader(io.RawIOBase):
    """Pieces, as a file to be read in one go."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = bytearray()

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        while size < 0 or len(self._rest) < size:
            piece = next(self._pieces, None)
            if piece is None:
                break
            self._rest += piece
        end = len(self._rest) if size < 0 else size
        found = bytes(self._rest[:end])
        del self._rest[:end]  # cheap at the front of a bytearray, however large the piece was
        return found


def _from_log(engine: Engine, container: str) -> str:
    stream = engine.logs(container, tail=MAX_LOG_LINES)
    data = b""
    try:
        with contextlib.suppress(TimeoutError):
            while (frame := stream.read(READ_DEADLINE)) is not None:
                data = (data + frame.data)[-MAX_LOG_BYTES:]
    finally:
        stream.close()
    return data.decode(errors="replace")
