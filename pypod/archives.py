"""File trees of this machine as tar streams, both ways, a piece at a time.

An archive that comes out of a container is not to be trusted: nothing is written outside of the folder that it is unpacked into,
whatever names and links are in it. `tarfile`'s own "data" filter holds that too, but refuses links that lead elsewhere (most of
what is in ``/etc``) and drops the modes of directories; a copy keeps both.
"""

from __future__ import annotations

import errno
import io
import os
import stat
import tarfile
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

PIECE = 256 * 1024
"""Bytes that are held at a time."""
_BLOCK = tarfile.BLOCKSIZE
_FOLDER_FLAGS = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0)
_KEPT_BITS = 0o1777
_FILE_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)


class ArchiveError(Exception):
    """A tree cannot be packed, or an archive not be unpacked; the text says why."""


# --- packing ---------------------------------------------------------------------------------------------------------


def pack(source: str, root: str) -> Iterator[bytes]:
    """A tar stream of a file, link or directory. Modes, times, symbolic and hard links are kept; everything is root's.

    Args:
        source: a path of this machine; a link is packed as a link.
        root: its name in the archive; empty: only what is in the directory.

    Raises:
        ArchiveError: there is a device, or a file became shorter meanwhile.
        OSError: something cannot be read.
    """
    seen: dict[tuple[int, int], str] = {}
    for path, name in _walk(source, root):
        found = os.lstat(path)
        if stat.S_ISSOCK(found.st_mode):  # nothing but a running server's; as `docker cp` passes it over
            continue
        info = _header(path, name, found, seen)
        yield info.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape")
        if info.isreg():
            yield from _content(path, info.size)
    yield bytes(2 * _BLOCK)


def _walk(source: str, root: str) -> Iterator[tuple[str, str]]:
    """Every path with its name in the archive; a directory before what is in it."""
    pending = [(source, root)]
    while pending:
        path, name = pending.pop()
        if name:
            yield path, name
        if os.path.isdir(path) and (not os.path.islink(path) or not name):
            inside = sorted(os.listdir(path), reverse=True)
            pending += [(os.path.join(path, each), f"{name}/{each}" if name else each) for each in inside]


def _header(path: str, name: str, found: os.stat_result, seen: dict[tuple[int, int], str]) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.mode, info.mtime = stat.S_IMODE(found.st_mode), int(found.st_mtime)
    if stat.S_ISDIR(found.st_mode):
        info.type = tarfile.DIRTYPE
    elif stat.S_ISLNK(found.st_mode):
        info.type, info.linkname = tarfile.SYMTYPE, os.readlink(path)
    elif stat.S_ISFIFO(found.st_mode):
        info.type = tarfile.FIFOTYPE
    elif not stat.S_ISREG(found.st_mode):
        raise ArchiveError(f"{path!r} is a device")
    elif found.st_nlink > 1 and (found.st_dev, found.st_ino) in seen:
        info.type, info.linkname = tarfile.LNKTYPE, seen[found.st_dev, found.st_ino]
    else:
        info.size = found.st_size
        if found.st_nlink > 1:
            seen[found.st_dev, found.st_ino] = name
    return info


def _content(path: str, size: int) -> Iterator[bytes]:
    """Exactly that many bytes, as the header promised, and what fills the last block."""
    left = size
    with open(path, "rb") as file:
        while left and (piece := file.read(min(left, PIECE))):
            left -= len(piece)
            yield piece
    if left:
        raise ArchiveError(f"{path!r} became shorter while it was read")
    yield bytes(-size % _BLOCK)


# --- unpacking -------------------------------------------------------------------------------------------------------


class _Reader(io.RawIOBase):
    """Pieces as a file that `tarfile` reads."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        super().__init__()
        self._pieces = pieces
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        if not self._rest:
            self._rest = memoryview(next((piece for piece in self._pieces if piece), b""))
        target = memoryview(buffer).cast("B")
        size = min(len(target), len(self._rest))
        target[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size


class Archive:
    """A tar stream that is being read; used with ``with``, which gives up what was not read.

    Attributes:
        root: its first entry: the file, link or directory that was asked for.

    Raises:
        ArchiveError: it is none.
        Exception: whatever the stream raises.
    """

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        try:
            source = io.BufferedReader(_Reader(pieces), PIECE)
            self._tar = tarfile.open(fileobj=source, mode="r|", bufsize=PIECE)  # noqa: SIM115
            first = self._tar.next()
        except tarfile.TarError as error:
            self.close()
            raise ArchiveError(f"what came is no tar stream: {error}") from error
        except BaseException:
            self.close()
            raise
        if first is None:
            self.close()
            raise ArchiveError("the tar stream is empty")
        self.root = first

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let the stream go."""
        close = getattr(self._pieces, "close", None)
        if close is not None:
            close()

    def unpack(self, folder: str, name: str) -> None:
        """Write it to this machine, once. Modes, times and links are kept, but for setuid and setgid, since the owner is another:
        the caller.

        Args:
            folder: an existing directory, which nothing is written outside of.
            name: what the root is called there; empty: what is in the root directory goes into the folder itself.

        Raises:
            ArchiveError: a name or link leads outside, a directory would replace a file or a file a directory, there is a device,
                or the stream ends too early.
            OSError: something cannot be written.
        """
        base = _parts(self.root.name)
        new = [name] if name else []
        with _Folder(folder) as target:
            try:
                info: tarfile.TarInfo | None = self.root
                while info is not None:
                    parts = _moved(info.name, base, new)
                    if parts:
                        self._write(
                            target, info, parts, _moved(info.linkname, base, new) if info.islnk() else []
                        )
                    elif not info.isdir():
                        raise ArchiveError(f"{info.name!r} is no directory")
                    vars(self._tar)["members"].clear()  # tarfile remembers every entry, to no use in a stream
                    info = self._tar.next()
            except tarfile.TarError as error:
                raise ArchiveError(f"the tar stream is broken: {error}") from error
            target.finish()

    def _write(self, target: _Folder, info: tarfile.TarInfo, parts: list[str], linked: list[str]) -> None:
        if info.isdir():
            target.directory(parts, info)
        elif info.issym():
            target.symbolic_link(parts, info)
        elif info.islnk():
            target.hard_link(parts, linked)
        elif info.isfifo():
            target.pipe(parts, info)
        elif info.isreg():
            target.file(parts, info, self._bytes_of(info))
        else:
            raise ArchiveError(f"{info.name!r} is a device")

    def _bytes_of(self, info: tarfile.TarInfo) -> Iterator[bytes]:
        file, left = self._tar.extractfile(info), info.size
        while file is not None and left and (piece := file.read(min(left, PIECE))):
            left -= len(piece)
            yield piece
        if left:
            raise ArchiveError(f"the tar stream ends within {info.name!r}")


def _parts(name: str) -> list[str]:
    """A name of an archive. An absolute one is meant below the folder, as every tar program takes it."""
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise ArchiveError(f"{name!r} leads out of the destination")
    return parts


def _moved(name: str, base: list[str], new: list[str]) -> list[str]:
    """Where an entry goes when the archive's root gets another name."""
    parts = _parts(name)
    if parts[: len(base)] != base:
        raise ArchiveError(f"{name!r} is outside of {'/'.join(base)!r}, which was asked for")
    return new + parts[len(base) :]


class _Folder:
    """The directory that is written to. Every path is walked from it, directory by directory, through no link: neither one that
    was there nor one that the archive brought can lead a file out."""

    def __init__(self, path: str) -> None:
        self._root = os.open(path, os.O_RDONLY)
        self._open: tuple[list[str], int] | None = None
        self._directories: list[tuple[list[str], tarfile.TarInfo]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._forget()
        os.close(self._root)

    def _forget(self) -> None:
        if self._open is not None:
            os.close(self._open[1])
            self._open = None

    def _enter(self, parts: list[str]) -> int:
        """The descriptor of a directory below; made where it is missing. Good until the next call."""
        if self._open is not None and self._open[0] == parts:
            return self._open[1]
        self._forget()
        here = os.dup(self._root)
        for part in parts:
            try:
                below = self._step(here, part)
            except OSError as error:
                if error.errno not in (errno.ENOTDIR, errno.ELOOP):
                    raise
                raise ArchiveError(
                    f"{'/'.join(parts)!r} leads through {part!r}, which is no directory"
                ) from None
            finally:
                os.close(here)
            here = below
        self._open = (parts, here)
        return here

    @staticmethod
    def _step(folder: int, part: str) -> int:
        try:
            return os.open(part, _FOLDER_FLAGS, dir_fd=folder)
        except FileNotFoundError:
            os.mkdir(part, 0o755, dir_fd=folder)
            return os.open(part, _FOLDER_FLAGS, dir_fd=folder)

    def _room(self, parts: list[str]) -> int:
        """The directory where something other than a directory is to be; what has its name goes."""
        folder = self._enter(parts[:-1])
        mode = _mode(parts[-1], folder)
        if mode is not None and stat.S_ISDIR(mode):
            raise ArchiveError(f"cannot overwrite directory {'/'.join(parts)!r} with what is none")
        if mode is not None:
            os.unlink(parts[-1], dir_fd=folder)
        return folder

    def directory(self, parts: list[str], info: tarfile.TarInfo) -> None:
        """Mode and time come last, in `finish`: it may be one that nothing can be written into."""
        folder = self._enter(parts[:-1])
        mode = _mode(parts[-1], folder)
        if mode is None:
            os.mkdir(parts[-1], 0o700, dir_fd=folder)
        elif not stat.S_ISDIR(mode):
            raise ArchiveError(
                f"cannot overwrite {'/'.join(parts)!r}, which is no directory, with a directory"
            )
        self._directories.append((parts, info))

    def file(self, parts: list[str], info: tarfile.TarInfo, content: Iterable[bytes]) -> None:
        folder = self._room(parts)
        descriptor = os.open(parts[-1], _FILE_FLAGS, 0o600, dir_fd=folder)
        with os.fdopen(descriptor, "wb", buffering=0) as file:
            for piece in content:
                file.write(piece)
            os.fchmod(descriptor, info.mode & _KEPT_BITS)
            os.utime(descriptor, (info.mtime, info.mtime))

    def symbolic_link(self, parts: list[str], info: tarfile.TarInfo) -> None:
        os.symlink(info.linkname, parts[-1], dir_fd=self._room(parts))

    def hard_link(self, parts: list[str], linked: list[str]) -> None:
        if not linked or linked == parts:
            raise ArchiveError(f"{'/'.join(parts)!r} is a link to what was not copied")
        folder = os.dup(self._room(parts))
        try:
            source = self._enter(linked[:-1])
            os.link(linked[-1], parts[-1], src_dir_fd=source, dst_dir_fd=folder, follow_symlinks=False)
        finally:
            os.close(folder)

    def pipe(self, parts: list[str], info: tarfile.TarInfo) -> None:
        os.mkfifo(parts[-1], info.mode & _KEPT_BITS, dir_fd=self._room(parts))

    def finish(self) -> None:
        """Modes and times of the directories, the inner ones first."""
        for parts, info in reversed(self._directories):
            descriptor = self._enter(parts)
            os.fchmod(descriptor, info.mode & _KEPT_BITS)
            os.utime(descriptor, (info.mtime, info.mtime))
            self._forget()


def _mode(name: str, folder: int) -> int | None:
    try:
        return os.lstat(name, dir_fd=folder).st_mode
    except FileNotFoundError:
        return None
