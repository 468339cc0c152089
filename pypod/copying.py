"""Files into and out of a container, by the rules of ``docker cp``.

A name that is not there becomes the copy's name; into a directory it goes under its own; a source that ends with ``/.`` is what
is in it. Links are copied as links, only the destination itself is followed. Source: docker/cli docs, "docker container cp".
"""

from __future__ import annotations

import enum
import os
import posixpath
import stat
import tarfile
from collections.abc import Callable, Iterator
from contextlib import suppress

from pypod.archives import Archive, ArchiveError, pack
from pypod.engine.api import Engine
from pypod.errors import CopyError, EngineError, EngineUnavailableError, NotFoundError

MOST_LINKS = 40
"""That a path may go through: as in Linux."""


class Kind(enum.Enum):
    """What stands at a path."""

    DIRECTORY = "a directory"
    LINK = "a link"
    OTHER = "a file"


Look = Callable[[str], Kind | None]


def names_content(path: str) -> bool:
    """A directory is meant for what is in it."""
    return path == "." or path.endswith("/.")


def place(
    source: str, kind: Kind, destination: str, follow: Callable[[str], str], look: Look
) -> tuple[str, str]:
    """Where a copy goes.

    Args:
        source, kind: what is copied.
        destination: as the user wrote it.
        follow: makes a path one whose last part is no link.
        look: tells what stands at a path of the destination's side, links not followed.

    Returns:
        An existing directory, and the copy's name in it; empty: what is copied goes into the directory itself.

    Raises:
        CopyRefused: there is no such place.
    """
    is_directory, content = kind is Kind.DIRECTORY, names_content(source)
    target = follow(destination)
    there = look(target)
    if there is Kind.DIRECTORY:
        name = "" if content else _base(source)
        taken = look(posixpath.join(target, name)) if name else None
        if taken is not None and (taken is Kind.DIRECTORY) is not is_directory:
            raise CopyRefused(
                f"{posixpath.join(target, name)!r} is {taken.value}, the source is {kind.value}"
            )
        return target, name
    if there is not None:
        if is_directory or destination.endswith(("/", "/.")):
            raise CopyRefused(f"{destination!r} is no directory")
    elif destination.endswith(("/", "/.")) and not is_directory:
        raise CopyRefused(f"there is no directory {destination!r}; it must exist")
    folder, name = posixpath.split(target.rstrip("/"))
    if look(follow(folder or ".")) is not Kind.DIRECTORY:
        raise CopyRefused(f"there is no directory {folder!r}; it must exist")
    return follow(folder or "."), name


def _base(source: str) -> str:
    name = posixpath.basename(source.rstrip("/"))
    return name if name not in ("", "..") else posixpath.basename(os.path.realpath(source))


class CopyRefused(Exception):
    """It cannot be copied; the text says why. A user never sees it: a `CopyError` names pod and container."""


class Copying:
    """Copies of one container.

    Args:
        engine, container: where, by ID.
        pod, name: for errors.
    """

    def __init__(self, engine: Engine, container: str, *, pod: str, name: str) -> None:
        self._engine = engine
        self._container = container
        self._pod = pod
        self._name = name

    # --- in -----------------------------------------------------------------------------------------------------------

    def copy_in(self, source: str, destination: str) -> None:
        """See `pypod.Pod.copy_to`."""
        what = f"copy {source!r} to {destination!r} of container '{self._name}' of pod '{self._pod}'"
        failed: list[Exception] = []
        try:
            kind = _local_source(source)
            folder, name = place(source, kind, f"/{destination.lstrip('/')}", self._follow, self._look)
            pieces = pack(f"{source}." if source.endswith("/") else source, name)
            self._engine.put_archive(self._container, folder, _remembering(pieces, failed))
        except EngineUnavailableError:
            raise
        except (EngineError, OSError, ArchiveError, CopyRefused) as error:
            # What the engine makes of a stream that fails hides why it did.
            raise self._failure(what, failed[0] if failed else error) from error

    # --- out ----------------------------------------------------------------------------------------------------------

    def copy_out(self, source: str, destination: str) -> None:
        """See `pypod.Pod.copy_from`."""
        what = f"copy {source!r} of container '{self._name}' of pod '{self._pod}' to {destination!r}"
        try:
            follows = names_content(source) or (source.endswith("/") and source.strip("/") != "")
            path = self._follow(f"/{source.lstrip('/')}") if follows else _clean(source)
            with Archive(self._stream(path)) as archive:
                kind = _kind_of(archive.root)
                if follows and kind is not Kind.DIRECTORY:
                    raise CopyRefused(f"{source!r} is no directory")
                base = source if names_content(source) else _clean(source)
                folder, name = place(base, kind, destination, os.path.realpath, _local_kind)
                archive.unpack(folder, name)
        except EngineUnavailableError:
            raise
        except (EngineError, OSError, ArchiveError, CopyRefused) as error:
            raise self._failure(what, error) from error

    def _stream(self, path: str) -> Iterator[bytes]:
        try:
            yield from self._engine.get_archive(self._container, path)
        except NotFoundError as error:
            self._engine.container(self._container)  # raises where it is the container that is not there
            raise CopyRefused(f"there is no {path!r} in the container") from error

    # --- the container's side of the rules ------------------------------------------------------------------------------

    def _entry(self, path: str) -> tarfile.TarInfo | None:
        try:
            with Archive(self._stream(path)) as archive:
                return archive.root
        except CopyRefused:
            return None

    def _follow(self, path: str) -> str:
        for _ in range(MOST_LINKS):
            path = _clean(path)
            entry = self._entry(path) if path != "/" else None
            if entry is None or not entry.issym():
                return path
            path = posixpath.join(posixpath.dirname(path), entry.linkname)
        raise CopyRefused(f"{path!r} goes through too many links")

    def _look(self, path: str) -> Kind | None:
        if _clean(path) == "/":
            return Kind.DIRECTORY
        entry = self._entry(_clean(path))
        return _kind_of(entry) if entry is not None else None

    def _failure(self, what: str, error: Exception) -> CopyError:
        if isinstance(error, NotFoundError):
            with suppress(EngineError):
                self._engine.container(self._container)
                return CopyError(f"cannot {what}: {error.detail}", pod=self._pod, container=self._name)
            why = "the container is gone"
        elif isinstance(error, EngineError):
            why = error.detail
        elif isinstance(error, OSError):
            why = f"{error.strerror or error}" + (f": {error.filename!r}" if error.filename else "")
        else:
            why = str(error)
        return CopyError(f"cannot {what}: {why}", pod=self._pod, container=self._name)


def _clean(path: str) -> str:
    """Absolute, without ``.`` and ``..``; a container's paths begin at its root."""
    return posixpath.normpath(f"/{path.lstrip('/')}")


def _kind_of(entry: tarfile.TarInfo) -> Kind:
    return Kind.DIRECTORY if entry.isdir() else Kind.LINK if entry.issym() else Kind.OTHER


def _local_kind(path: str) -> Kind | None:
    try:
        mode = os.lstat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None
    return Kind.DIRECTORY if stat.S_ISDIR(mode) else Kind.LINK if stat.S_ISLNK(mode) else Kind.OTHER


def _local_source(source: str) -> Kind:
    """What is to be copied. A trailing slash follows a link, and means a directory."""
    follows = names_content(source) or source.endswith("/")
    kind = _local_kind(source if follows else source.rstrip("/") or "/")
    if kind is None:
        raise CopyRefused(f"there is no {source!r}")
    if follows and kind is not Kind.DIRECTORY:
        raise CopyRefused(f"{source!r} is no directory")
    return kind


def _remembering(pieces: Iterator[bytes], failed: list[Exception]) -> Iterator[bytes]:
    try:
        yield from pieces
    except (OSError, ArchiveError) as error:
        failed.append(error)
        raise
