"""The files of a pod's configMap, secret, downwardAPI and projected volumes, as a kubelet writes them: path, mode, bytes.

Pure: from objects (or their absence) to files, or to the words in which a kubelet says why there are none.

Source: pkg/volume/{configmap,secret,downwardapi,projected}, pkg/volume/util/atomic_writer.go, pkg/volume/volume_linux.go.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from pypod.model.schema.checking import Check
from pypod.model.spec.object_references import not_found
from pypod.model.spec.objects import ConfigMap, Secret
from pypod.model.wording import show

DEFAULT_MODE = 0o644
DIRECTORY_MODE = 0o755
LONGEST_PATH = 4096
LONGEST_NAME = 255


class FilesError(ValueError):
    """The files of a volume cannot be made. Its text is a kubelet's, as it stands behind ``MountVolume.SetUp failed for volume
    "NAME" : ``."""


@dataclass(frozen=True, slots=True)
class Item:
    """A key of an object as a file (Kubernetes' KeyToPath).

    Attributes:
        path: relative, in the volume.
        mode: None: the volume's default.
    """

    key: str
    path: str
    mode: int | None = None


@dataclass(frozen=True, slots=True, repr=False)
class File:
    """A file of a volume. It may be a Secret's: it does not print what is in it."""

    path: str
    mode: int
    data: bytes

    def __repr__(self) -> str:
        return f"File({self.path!r}, {self.mode:#o}, <{len(self.data)} bytes>)"


# --- sources ---------------------------------------------------------------------------------------------------------


def of_config_map(
    found: ConfigMap | None,
    name: str,
    *,
    items: Sequence[Item] = (),
    default_mode: int = DEFAULT_MODE,
    optional: bool = False,
) -> tuple[File, ...]:
    """The files of a ConfigMap: of each key, or of ``items`` alone.

    Args:
        found: the object; None: there is none.
        name: what it is, or would be, called.
        items: which keys, and where.
        default_mode: of files whose item has none.
        optional: no object, or no such key, is no error.

    Raises:
        FilesError: no object, no such key, or an impossible path.
    """
    data = _data(found, ConfigMap.kind, name, optional=optional)
    missing = "configmap references non-existent config key: {}"
    return _projected(data, items, default_mode, missing, optional=optional)


def of_secret(
    found: Secret | None,
    name: str,
    *,
    items: Sequence[Item] = (),
    default_mode: int = DEFAULT_MODE,
    optional: bool = False,
) -> tuple[File, ...]:
    """The files of a Secret; as `of_config_map`."""
    data = _data(found, Secret.kind, name, optional=optional)
    return _projected(data, items, default_mode, "references non-existent secret key: {}", optional=optional)


def of_texts(
    items: Iterable[tuple[str, str, int | None]], default_mode: int = DEFAULT_MODE
) -> tuple[File, ...]:
    """The files of a downwardAPI volume: each a path, a text (`pypod.model.rules.downward` has it) and its own mode.

    Raises:
        FilesError: an impossible path.
    """
    return checked(
        File(path, default_mode if mode is None else mode, text.encode()) for path, text, mode in items
    )


def _data(found: ConfigMap | Secret | None, kind: str, name: str, *, optional: bool) -> dict[str, bytes]:
    if found is not None:
        return found.files
    if not optional:
        raise FilesError(not_found(kind, name))
    return {}


def _projected(
    data: Mapping[str, bytes], items: Sequence[Item], default_mode: int, missing: str, *, optional: bool
) -> tuple[File, ...]:
    if not items:
        return checked(File(key, default_mode, data[key]) for key in sorted(data))
    files = []
    for item in items:
        if item.key in data:
            mode = default_mode if item.mode is None else item.mode
            files.append(File(item.path, mode, data[item.key]))
        elif not optional:
            raise FilesError(missing.format(item.key))
    return checked(files)


# --- all together ----------------------------------------------------------------------------------------------------


def merged(sources: Iterable[Iterable[File]]) -> tuple[File, ...]:
    """The files of a projected volume: of two of one path the later source's counts.

    Raises:
        FilesError: one is a file where another needs a directory.
    """
    return checked(file for source in sources for file in source)


def all_problems(errors: Sequence[FilesError]) -> FilesError:
    """The errors of several sources as one, as Go's NewAggregate words it: ``[a, b]``."""
    texts = list(dict.fromkeys(str(error) for error in errors))
    return FilesError(texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]")


def checked(files: Iterable[File]) -> tuple[File, ...]:
    """By path, each once, the last of one path; refuses what cannot be a file of a volume.

    Raises:
        FilesError: a path is none, or is a file and a directory.
    """
    by_path: dict[str, File] = {}
    for file in files:
        if problem := path_problem(file.path):
            raise FilesError(f"invalid path: {problem}: {file.path}")
        path = posixpath.normpath(file.path)
        by_path[path] = replace(file, path=path)
    for path in by_path:
        for parent in _parents(path):
            if parent in by_path:
                raise FilesError(f"mkdir {parent}: not a directory: it is a file, and {path} is in it")
    return tuple(by_path[path] for path in sorted(by_path))


def path_problem(path: str) -> str:
    """Why a path cannot be one of a file in a volume; empty: it can.

    Source: pkg/volume/util/atomic_writer.go, validatePath; core validation, validateLocalNonReservedPath.
    """
    parts = path.split("/")
    if not path:
        return "must not be empty"
    if path.startswith("/"):
        return "must be a relative path"
    if len(path.encode(errors="replace")) > LONGEST_PATH:
        return f"must be less than or equal to {LONGEST_PATH} characters"
    if ".." in parts:
        return "must not contain '..'"
    if any(len(part.encode(errors="replace")) > LONGEST_NAME for part in parts):
        return f"filenames must be less than or equal to {LONGEST_NAME} characters"
    if path.startswith(".."):
        return "must not start with '..'"
    if "\0" in path:
        return "must not contain a NUL character"
    return "must name a file" if posixpath.normpath(path) == "." or path.endswith("/") else ""


def check_items(check: Check, path: str, items: Sequence[Item], seen: set[str]) -> None:
    """Checks the items of one source of a volume: keys, paths, modes, and that no path is another one's already.

    Args:
        check: takes the problems.
        path: of the list of items.
        items: of the source.
        seen: the paths of the sources before; this one's are added.
    """
    for index, item in enumerate(items):
        where = f"{path}[{index}]"
        if not item.key:
            check.add(f"{where}.key", "is required")
        if problem := path_problem(item.path):
            check.add(f"{where}.path", "is required" if not item.path else f"{show(item.path)} {problem}")
        elif (clean := posixpath.normpath(item.path)) in seen:
            check.add(f"{where}.path", f"{show(item.path)} is not valid: conflicting duplicate paths")
        else:
            seen.add(clean)
        if item.mode is not None:
            check_mode(check, f"{where}.mode", item.mode)


def check_mode(check: Check, path: str, mode: object) -> None:
    """Checks the mode of a file."""
    rule = "must be a number between 0 and 0777 (octal), both inclusive"
    if isinstance(mode, bool) or not isinstance(mode, int):
        check.add(path, f"a mode like 0644 is expected, not {show(mode)}")
    elif not 0 <= mode <= 0o777:
        check.add(path, f"{mode} is not valid: {rule}")


def _parents(path: str) -> list[str]:
    parts = path.split("/")[:-1]
    return ["/".join(parts[: count + 1]) for count in range(len(parts))]


def directories(files: Iterable[File]) -> tuple[str, ...]:
    """The directories in the volume that the files need, parents first."""
    return tuple(sorted({parent for file in files for parent in _parents(file.path)}))


# --- fsGroup ---------------------------------------------------------------------------------------------------------


def group_mode(mode: int, *, directory: bool = False, read_only: bool = True) -> int:
    """The mode of what gets the pod's ``fsGroup`` as its group.

    Args:
        mode: without it.
        directory: it is one; else a file.
        read_only: it is of a kind of volume that is (configMap, secret, downwardAPI, projected); False: emptyDir and claims.
    """
    added = 0o440 if read_only else 0o660
    return mode | added | (0o2110 if directory else 0)


def with_group(files: Iterable[File], *, fs_group: int | None) -> tuple[File, ...]:
    """The files with the modes that they have where the pod has an ``fsGroup``; unchanged where it has none."""
    if fs_group is None:
        return tuple(files)
    return tuple(replace(file, mode=group_mode(file.mode)) for file in files)


# --- as they lie there -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, repr=False)
class Entry:
    """What is put into a volume: a file, a directory (``data`` None) or a symbolic link (``link``)."""

    path: str
    mode: int
    data: bytes | None = None
    link: str = ""

    def __repr__(self) -> str:
        what = (
            f"-> {self.link}"
            if self.link
            else "directory"
            if self.data is None
            else f"{len(self.data)} bytes"
        )
        return f"Entry({self.path!r}, {self.mode:#o}, {what})"


LINK_MODE = 0o777


def layout(files: Sequence[File], stamp: str, *, fs_group: int | None = None) -> tuple[Entry, ...]:
    """How a kubelet lays files out, so that all of them change at once: in ``..STAMP/``, ``..data`` a link to that, and each
    name at the top a link through ``..data``.

    Args:
        files: of the volume.
        stamp: of this state of them, such as ``2026_05_17_10_00_00.123456789``: another one each time.
        fs_group: the pod's, which gives files and directories other modes.
    """
    home, has_group = f"..{stamp}", fs_group is not None
    folder = group_mode(DIRECTORY_MODE, directory=True) if has_group else DIRECTORY_MODE
    made = [Entry(home, folder)]
    made += [Entry(f"{home}/{directory}", folder) for directory in directories(files)]
    made += [
        Entry(f"{home}/{file.path}", file.mode, file.data) for file in with_group(files, fs_group=fs_group)
    ]
    made.append(Entry("..data", LINK_MODE, link=home))
    tops = sorted({file.path.partition("/")[0] for file in files})
    return (*made, *(Entry(top, LINK_MODE, link=f"..data/{top}") for top in tops))
