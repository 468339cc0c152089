"""What is done with the volumes of a pod, for plans: files are put there, host paths checked, parts of volumes made.

A running pause takes files; what needs more (a host path, an owner) is done by a helper (`pypod.engine.helper`). Nothing here runs a
program but `own_volume`, whose program is the pause image's.
"""

from __future__ import annotations

import contextlib
import io
import posixpath
import tarfile
import time
from collections.abc import Iterable
from dataclasses import replace

from pypod.engine import execute
from pypod.engine.api import Engine, PathInfo
from pypod.engine.helper import helper
from pypod.engine.pause import ENTRYPOINT, slot_path
from pypod.errors import EngineError, EngineUnavailableError, NotFoundError
from pypod.model.hidden import Hidden, shown
from pypod.model.life.plan import CheckHostPath, FillVolume, MakeSubPath, OwnVolume
from pypod.model.rules.files import Entry
from pypod.model.spec.pod import HostPathType
from pypod.model.wiring.requests import MountRequest

HOST = "/h"
"""Where a helper has a path of the host: nothing of the pause image is there, so it may be a file."""
MOST_LINKS = 40
"""That a path may lead through, as in Linux."""
NOT_THERE = "bind source path does not exist"
"""An engine's words for a path of its host that is missing."""
VERSION, NEW_VERSION = "..data", "..data_tmp"
EXEC_TIMEOUT = 30.0
"""Seconds."""
EXIT_DEADLINE = 10.0
OWN_TIMEOUT = 600.0
"""Seconds that giving a volume to a group may take."""

_KINDS = {
    HostPathType.DIRECTORY: ("directory", "a directory"),
    HostPathType.DIRECTORY_OR_CREATE: ("directory", "a directory"),
    HostPathType.FILE: ("file", "a file"),
    HostPathType.FILE_OR_CREATE: ("file", "a file"),
    HostPathType.SOCKET: ("socket", "a socket file"),
    HostPathType.CHAR_DEVICE: ("character device", "a character device"),
    HostPathType.BLOCK_DEVICE: ("block device", "a block device"),
}
"""What the path must be, and a kubelet's word for that (pkg/volume/hostpath/host_path.go, checkTypeInternal)."""


def packed(entries: Iterable[Entry], group: int) -> bytes:
    """An archive of files, directories and links. They are root's and the group's."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for entry in entries:
            member = tarfile.TarInfo(entry.path)
            member.mode, member.gid, member.mtime = entry.mode, group, int(time.time())
            if entry.link:
                member.type, member.linkname = tarfile.SYMTYPE, entry.link
            elif entry.data is None:
                member.type = tarfile.DIRTYPE
            else:
                member.size = len(entry.data)
            archive.addfile(member, io.BytesIO(entry.data or b""))
    return buffer.getvalue()


def fill(engine: Engine, action: FillVolume) -> None:
    """Write the files of a volume; where there is an older version, they take its place at once.

    Raises:
        EngineError: they could not be written.
    """
    if not action.replaced:
        engine.put_archive(action.name, action.directory, [packed(action.files, action.group)])
        return
    entries = [
        replace(entry, path=NEW_VERSION) if entry.path == VERSION else entry
        for entry in action.files
        if entry.path.startswith("..")
    ]
    engine.put_archive(action.name, action.directory, [packed(entries, action.group)])
    # As the owner of the files, and without any capability: the pause has none.
    words = [ENTRYPOINT, "publish", action.directory]
    try:
        done = execute.run(engine, action.name, words, user="0:0", timeout=EXEC_TIMEOUT)
    except execute.OutputTimeoutError as error:
        raise EngineError("write files of volume", action.set_up.volume, str(error)) from error
    if done.exit_code != 0:
        detail = (done.stdout + done.stderr).strip()
        raise EngineError(
            "write files of volume", action.set_up.volume, detail or f"exit code {done.exit_code}"
        )


# --- host paths ------------------------------------------------------------------------------------------------------


def check_host_path(engine: Engine, action: CheckHostPath) -> None:
    """See that a path of the engine's host is of its type; make it where the type says so.

    Raises:
        EngineError: it is not, in a kubelet's words; or nobody could look.
    """
    kind, word = _KINDS[action.type]
    found = _on_host(engine, action.path, create=action.type is HostPathType.DIRECTORY_OR_CREATE)
    if found is None and action.type is HostPathType.FILE_OR_CREATE:
        _make_file(engine, action.path)
        found = _on_host(engine, action.path)
    if found is None or found.kind != kind:
        raise EngineError(
            "check host path", action.path, f"hostPath type check failed: {action.path} is not {word}"
        )


def _on_host(engine: Engine, path: str, *, create: bool = False) -> PathInfo | None:
    """What is at a path of the engine's host, links followed; None: nothing."""
    mount = MountRequest(path, HOST, bind=True, read_only=not create, create_source=create)
    try:
        with helper(engine, [mount]) as container:
            return engine.stat(container, HOST)
    except EngineError as error:
        if NOT_THERE in error.detail:
            return None
        raise


def _make_file(engine: Engine, path: str) -> None:
    """An empty one; its directory must be there."""
    parent, name = posixpath.split(posixpath.normpath(path))
    try:
        with helper(engine, [MountRequest(parent, HOST, bind=True)]) as container:
            engine.put_archive(container, HOST, [packed([Entry(name, 0o644, b"")], 0)])
    except EngineError as error:
        if NOT_THERE in error.detail:
            words = f"open {path}: no such file or directory"
            raise EngineError("check host path", path, words) from error
        raise


# --- parts of volumes ------------------------------------------------------------------------------------------------


def make_sub_path(engine: Engine, action: MakeSubPath) -> None:
    """See that a part of a volume is in it, and make its directories where they are missing.

    Raises:
        EngineError: it leads out of the volume, or through a file.
    """
    if not action.host_path:
        _SubPath(engine, action, action.pause, action.directory).make()
        return
    with helper(engine, [MountRequest(action.host_path, HOST, bind=True)]) as container:
        _SubPath(engine, action, container, HOST).make()


class _SubPath:
    """A walk from the root of a volume down, link by link: an engine would follow a link out of it, on its own host."""

    def __init__(self, engine: Engine, action: MakeSubPath, container: str, root: str) -> None:
        self._engine = engine
        self._action = action
        self._container = container
        self._root = root
        self._links = 0

    def make(self) -> None:
        root = self._engine.stat(self._container, self._root)
        left, come = self._action.part.split("/"), list[str]()
        while left:
            name = left.pop(0)
            if name in ("", "."):
                continue
            if name == "..":
                if not come:
                    raise self._refusal("it leads out of the volume")
                come.pop()
                continue
            path = "/".join([self._root, *come, name])
            try:
                found = self._engine.stat(self._container, path)
            except NotFoundError:
                self._make(come, name, root.mode)
                found = PathInfo("directory", root.mode)
            except EngineUnavailableError:
                raise
            except EngineError as error:  # links that go in a circle
                raise self._refusal(error.detail) from error
            if found.kind == "link":
                left = [*self._target(path).split("/"), *left]
                continue
            if left and found.kind != "directory":
                raise self._refusal(f"{'/'.join([*come, name])} is not a directory")
            come.append(name)

    def _make(self, parents: list[str], name: str, mode: int) -> None:
        directory = "/".join([self._root, *parents])
        entry = Entry(name, mode)
        self._engine.put_archive(self._container, directory, [packed([entry], self._action.group)])

    def _target(self, path: str) -> str:
        """Where a link leads to, relative to the directory that it is in."""
        self._links += 1
        target = link_target(self._engine, self._container, path)
        if self._links > MOST_LINKS:
            raise self._refusal("too many levels of symbolic links")
        if target.startswith("/"):
            raise self._refusal("it leads out of the volume")
        return target

    def _refusal(self, why: str) -> EngineError:
        action = self._action
        if isinstance(action.part, Hidden):
            why = "it cannot be had"  # the words would tell what it is
        words = (
            f'failed to prepare subPath for volumeMount "{action.volume}" of container "{action.container}": '
            f"{shown(action.part)}: {why}"
        )
        return EngineError("prepare subPath", action.volume, words)


def link_target(engine: Engine, container: str, path: str) -> str:
    """What a symbolic link says.

    Raises:
        EngineError: it cannot be read, or is no link any more.
    """
    pieces = engine.get_archive(container, path)
    with contextlib.closing(pieces):
        data = b"".join(pieces)
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        member = archive.next()
    if member is None or not member.issym():
        raise EngineError("read link in container", f"{container}:{path}", "it is no link any more")
    return member.linkname


# --- groups ----------------------------------------------------------------------------------------------------------


def own_volume(engine: Engine, action: OwnVolume) -> None:
    """Give all that is in a volume to a group, as a kubelet does (pkg/volume/volume_linux.go, SetVolumeOwnership).

    Raises:
        EngineError: it could not be done.
    """
    words = ["own", *(["--on-mismatch"] if action.only_on_mismatch else []), str(action.group), slot_path(0)]
    mount = MountRequest(action.name, slot_path(0))
    with helper(engine, [mount], command=words, network=f"container:{action.pause}") as container:
        engine.start_container(container)
        said = _output(engine, container)
        code = _exit_code(engine, container)
    if code != 0:
        detail = f"applyFSGroup failed for vol {action.set_up.volume}: {said or f'exit code {code}'}"
        raise EngineError("give volume to group", action.name, detail)


def _output(engine: Engine, container: str) -> str:
    """All that it says, until it has ended."""
    stream, data = engine.logs(container, follow=True), b""
    try:
        while (frame := stream.read(OWN_TIMEOUT)) is not None:
            data += frame.data
    except TimeoutError:
        return f"it is not done in {OWN_TIMEOUT:g} s"
    finally:
        stream.close()
    return data.decode(errors="replace").strip()


def _exit_code(engine: Engine, container: str) -> int | None:
    """The engine tells of an end some time after the log's; None: it does not."""
    end = time.monotonic() + EXIT_DEADLINE
    while (code := engine.container(container).exit_code) is None and time.monotonic() < end:
        time.sleep(execute.EXIT_POLL)
    return code
