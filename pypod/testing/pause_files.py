"""What the pause program does with files of volumes (`pause own`, `pause publish`), in a fake engine."""

from __future__ import annotations

import dataclasses
import posixpath
from collections.abc import Callable, Mapping, Sequence

from pypod.testing.files import Entry, Files


def own(words: Sequence[str], files: Files) -> str:
    """Give all that is in a directory to a group. What went wrong; empty: nothing."""
    *options, group, root = words
    found = files.stat(root)
    if found is None:
        return f"cannot look at {root}: no such file or directory"
    bits = 0o2770
    if options and found.gid == int(group) and found.mode & bits == bits:
        return ""
    for path in files.walk(root):
        entry = files.entry(path)
        assert entry is not None
        entry.gid = int(group)
        if not entry.link:
            entry.mode |= 0o2770 if entry.is_directory else 0o660
    return ""


def publish(words: Sequence[str], files: Files) -> str:
    """Put the version of a volume's files that was written last in the place of the one before."""
    [root] = words
    names = {posixpath.basename(path) for path in files.children(root)}
    new = files.entry(f"{root}/..data_tmp")
    if new is None:
        return "cannot rename ..data_tmp: no such file or directory"
    files.put(f"{root}/..data", dataclasses.replace(new))
    kept = {posixpath.basename(path) for path in files.children(f"{root}/{new.link}")}
    for name in kept - names:
        files.put(f"{root}/{name}", Entry(0o777, link=f"..data/{name}"))
    for name in names - kept - {"..data", new.link}:
        files.discard(f"{root}/{name}")
    return ""


ROLES: Mapping[str, Callable[[Sequence[str], Files], str]] = {"own": own, "publish": publish}
