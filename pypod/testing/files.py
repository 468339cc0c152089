"""The files of a fake engine: of its host, its volumes and its containers, and what a container sees of them."""

from __future__ import annotations

import dataclasses
import errno
import io
import os
import posixpath
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from pypod.engine.pause import ENTRYPOINT, VOLUME_SLOTS, slot_path

VOLUMES = "/var/lib/docker/volumes"
DIRECTORY_MODE, ANYBODY_MODE, TEMPORARY_MODE, FILE_MODE = 0o755, 0o777, 0o1777, 0o644
_LINKS_AT_MOST = 40
_ROOT = ("", "0", "root")


def mountpoint(volume: str) -> str:
    """A volume's directory on the engine's host."""
    return f"{VOLUMES}/{volume}/_data"


@dataclass(slots=True)
class Entry:
    """A file, a directory (no data) or a symbolic link (no data, but where it leads)."""

    mode: int
    data: bytes | None = None
    link: str = ""
    uid: int = 0
    gid: int = 0
    mtime: float = 0.0
    special: str = ""
    """What it is, where it is neither: ``socket``, ``character device`` ..."""

    @property
    def kind(self) -> str:
        """In the words of `pypod.engine.api.PathInfo`."""
        return self.special or ("directory" if self.is_directory else "link" if self.link else "file")

    @property
    def is_directory(self) -> bool:
        return self.data is None and not self.link


@dataclass(slots=True)
class Tree:
    """Entries by absolute path; parents are there."""

    entries: dict[str, Entry] = field(default_factory=lambda: {"/": Entry(DIRECTORY_MODE)})

    def get(self, path: str) -> Entry | None:
        return self.entries.get(path)

    def put(self, path: str, entry: Entry) -> None:
        """Replace what is there, but for the content of a directory by a directory."""
        self.make_directory(posixpath.dirname(path))
        if not entry.is_directory:
            self.remove(path)
        self.entries[path] = entry

    def make_directory(self, path: str, mode: int = DIRECTORY_MODE) -> None:
        """With its parents, where they are missing."""
        if path not in self.entries:
            self.make_directory(posixpath.dirname(path))
            self.entries[path] = Entry(mode)

    def children(self, path: str) -> list[str]:
        start = path.rstrip("/") + "/"
        return [
            key
            for key in self.entries
            if key.startswith(start) and "/" not in key[len(start) :] and key != "/"
        ]

    def remove(self, path: str) -> None:
        """With everything in it."""
        start = path.rstrip("/") + "/"
        for key in [key for key in self.entries if key == path or key.startswith(start)]:
            del self.entries[key]


def image_tree() -> Tree:
    """What every fake image has."""
    tree = Tree()
    for path in ("/bin", "/dev", "/etc", "/home", "/proc", "/root", "/sys", "/usr/bin", "/var"):
        tree.make_directory(path)
    tree.make_directory("/tmp", TEMPORARY_MODE)  # noqa: S108
    tree.put("/etc/passwd", Entry(FILE_MODE, b"root:x:0:0:root:/root:/bin/sh\n"))
    tree.put("/etc/group", Entry(FILE_MODE, b"root:x:0:\n"))
    tree.put("/etc/hosts", Entry(FILE_MODE, b"127.0.0.1\tlocalhost\n"))
    tree.put("/dev/null", Entry(0o666, b""))
    return tree


def pause_tree() -> Tree:
    """What the pause image has: its program, and mount points that everybody may write to."""
    tree = Tree()
    tree.put(ENTRYPOINT, Entry(0o755, b"\x7fELF"))
    for index in range(VOLUME_SLOTS):
        tree.make_directory(slot_path(index), ANYBODY_MODE)
    return tree


@dataclass(frozen=True, slots=True)
class Mount:
    """A path of the host in a container."""

    target: str
    source: str
    read_only: bool = False


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a container's path really is."""

    tree: Tree
    path: str
    read_only: bool
    mounted: bool


@dataclass(frozen=True, slots=True)
class Files:
    """A container's file system as one user sees it. Paths are the container's; refusals are an `OSError` in the kernel's words."""

    layer: Tree
    host: Tree
    mounts: Sequence[Mount] = ()
    read_only: bool = False
    user: str = ""
    now: float = 0.0

    def entry(self, path: str) -> Entry | None:
        """What is there; a link itself, not where it leads."""
        place = self._place(self._resolved_parent(path))
        return place.tree.get(place.path)

    def stat(self, path: str) -> Entry | None:
        """What is there, links followed. Raises `OSError` for links that go in a circle."""
        return self.entry(self._followed(path))

    def followed(self, path: str) -> str:
        """The path with every link in it followed. Raises `OSError` for links that go in a circle."""
        return self._followed(path)

    def read(self, path: str) -> bytes:
        entry = self.stat(path)
        if entry is None:
            raise _refusal(errno.ENOENT)
        if entry.data is None:
            raise _refusal(errno.EISDIR)
        return entry.data

    def write(self, path: str, data: bytes, *, append: bool = False) -> None:
        """As a program of this user does with ``>`` or ``>>``."""
        path = self._followed(path)
        if path == "/dev/null":
            return
        place = self._place(path)
        there = place.tree.get(place.path)
        if there is not None and there.data is None:
            raise _refusal(errno.EISDIR)
        if there is None and self.entry(posixpath.dirname(path)) is None:
            raise _refusal(errno.ENOENT)
        if place.read_only:
            raise _refusal(errno.EROFS)
        self._check(there or self.entry(posixpath.dirname(path)))
        if there is None:
            there = Entry(FILE_MODE, b"", uid=self._uid, gid=self._uid)
            place.tree.put(place.path, there)
        there.data = (there.data or b"") + data if append else data
        there.mtime = self.now

    def remove(self, path: str) -> None:
        """A file or a link. Raises `OSError` where there is none, or it may not."""
        path = self._resolved_parent(path)
        place, parent = self._place(path), self._place(posixpath.dirname(path))
        if (there := place.tree.get(place.path)) is None:
            raise _refusal(errno.ENOENT)
        if there.is_directory:
            raise _refusal(errno.EISDIR)
        if place.path != path and any(mount.target == path for mount in self.mounts):
            raise _refusal(errno.EBUSY)
        if place.read_only:
            raise _refusal(errno.EROFS)
        self._check(parent.tree.get(parent.path))
        place.tree.remove(place.path)

    # as root does, who may do anything

    def children(self, path: str) -> list[str]:
        """The paths of what is in a directory."""
        place = self._place(self._followed(path))
        return [posixpath.join(path, posixpath.basename(child)) for child in place.tree.children(place.path)]

    def walk(self, path: str) -> list[str]:
        """The paths of a directory and of all that is in it."""
        found = [path]
        for child in self.children(path):
            entry = self.entry(child)
            found += self.walk(child) if entry is not None and entry.is_directory else [child]
        return found

    def put(self, path: str, entry: Entry) -> None:
        """Have something there."""
        place = self._place(self._resolved_parent(path))
        place.tree.put(place.path, entry)

    def discard(self, path: str) -> None:
        """Have nothing there."""
        place = self._place(self._resolved_parent(path))
        place.tree.remove(place.path)

    def is_read_only(self, path: str) -> tuple[bool, bool]:
        """Whether a path cannot be written to, and whether that is for a mount's sake."""
        place = self._place(self._followed(path))
        return place.read_only, place.mounted

    # archives

    def pack(self, path: str) -> bytes:
        """A tar archive as the engine makes it: its first entry is called as the path ends. Raises `FileNotFoundError`."""
        into_link = path.endswith(("/", "/."))
        start = self._followed(path) if into_link else self._resolved_parent(path)
        if self.entry(start) is None:
            raise _refusal(errno.ENOENT)
        name = "." if path.endswith("/.") else posixpath.basename(path.rstrip("/")) or "/"
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as tar:
            for member_path, member_name in self._walk(start, name):
                entry = self.entry(member_path)
                assert entry is not None
                tar.addfile(_header(member_name, entry), io.BytesIO(entry.data or b""))
        return buffer.getvalue()

    def _walk(self, path: str, name: str) -> Iterator[tuple[str, str]]:
        yield path, name
        place = self._place(path)
        entry = place.tree.get(place.path)
        if entry is None or not entry.is_directory:
            return
        names = {posixpath.basename(child) for child in place.tree.children(place.path)}
        names |= {
            posixpath.basename(mount.target)
            for mount in self.mounts
            if posixpath.dirname(mount.target) == path
        }
        for child in sorted(names):
            yield from self._walk(posixpath.join(path, child), f"{name.rstrip('/')}/{child}")

    def unpack(self, path: str, archive: bytes) -> None:
        """Put what is in a tar archive into a directory. Raises `tarfile.TarError`; checks no permissions, as the engine."""
        directory = self._followed(path)
        if not archive:  # to the engine the end of an archive, to tarfile none
            return
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            for member in tar:
                target = posixpath.normpath(posixpath.join(directory, member.name))
                if not (target + "/").startswith(directory.rstrip("/") + "/"):
                    raise tarfile.TarError(f'invalid path "{member.name}"')
                place = self._place(self._resolved_parent(target))
                place.tree.put(place.path, _unpacked(tar, member))

    # how

    @property
    def _uid(self) -> int:
        name = self.user.split(":")[0]
        if name in _ROOT:
            return 0
        return int(name) if name.isdigit() else 65534

    def _check(self, entry: Entry | None) -> None:
        """Whether this user may write to it."""
        if self._uid == 0 or entry is None:
            return
        bit = 0o200 if entry.uid == self._uid else 0o002
        if not entry.mode & bit:
            raise _refusal(errno.EACCES)

    def _place(self, path: str) -> _Place:
        best: Mount | None = None
        for mount in self.mounts:
            is_in = path == mount.target or path.startswith(mount.target.rstrip("/") + "/")
            if is_in and (best is None or len(mount.target) >= len(best.target)):
                best = mount
        if best is None:
            is_device = path.startswith("/dev/")  # a tmpfs of its own, also under a read-only root
            return _Place(self.layer, path, self.read_only and not is_device, mounted=False)
        inside = path[len(best.target) :].lstrip("/")
        return _Place(self.host, posixpath.normpath(f"{best.source}/{inside}"), best.read_only, mounted=True)

    def _resolved_parent(self, path: str, left: int = _LINKS_AT_MOST) -> str:
        """The path with every link in it followed, but for its end."""
        clean = posixpath.normpath("/" + path.lstrip("/"))
        if clean == "/":
            return clean
        return posixpath.join(self._followed(posixpath.dirname(clean), left), posixpath.basename(clean))

    def _followed(self, path: str, left: int = _LINKS_AT_MOST) -> str:
        """The path with every link in it followed."""
        found = self._resolved_parent(path, left)
        place = self._place(found)
        entry = place.tree.get(place.path)
        if entry is None or not entry.link:
            return found
        if left == 0:
            raise _refusal(errno.ELOOP)
        return self._followed(posixpath.join(posixpath.dirname(found), entry.link), left - 1)


def _refusal(number: int) -> OSError:
    return OSError(number, os.strerror(number))


def _header(name: str, entry: Entry) -> tarfile.TarInfo:
    header = tarfile.TarInfo(name)
    header.type = (
        tarfile.DIRTYPE if entry.is_directory else tarfile.SYMTYPE if entry.link else tarfile.REGTYPE
    )
    header.size = len(entry.data or b"")
    header.mode, header.linkname, header.mtime = entry.mode, entry.link, int(entry.mtime)
    header.uid, header.gid = entry.uid, entry.gid
    return header


def _unpacked(tar: tarfile.TarFile, member: tarfile.TarInfo) -> Entry:
    entry = Entry(member.mode, uid=member.uid, gid=member.gid, mtime=float(member.mtime))
    if member.isdir():
        return entry
    if member.issym():
        return dataclasses.replace(entry, link=member.linkname)
    content = tar.extractfile(member)  # of a hard link: what it is a link to
    return dataclasses.replace(entry, data=content.read() if content is not None else b"")
