"""Files with variables in a volume, which an init container wrote: ``NAME='value'``, a part of what a POSIX shell reads.

Source: kubernetes.io/docs, "Define Environment Variable Values Using An Init Container", Env file syntax.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from pypod.model.spec.env import FileKeyRef
from pypod.model.spec.pod import Container, EmptyDir, PodSpec

MOST_BYTES = 1024 * 1024
"""That are read of a file."""

_VARIABLE = re.compile(r"[ \t]*([^\s='#][^\s=']*)[ \t]*=[ \t]*'([^'\0]*)'[ \t]*(?:\r?\n|\Z)")
_NOTHING = re.compile(r"[ \t]*(?:#[^\n]*)?(?:\r?\n|\Z)")


def files_of(container: Container) -> Iterator[FileKeyRef]:
    """The variables of a container that come from files."""
    for variable in container.env:
        if isinstance(variable.value_from, FileKeyRef):
            yield variable.value_from


def is_readable(spec: PodSpec, volume: str) -> bool:
    """A file may be in it: it is the pod's own."""
    return any(each.name == volume and isinstance(each.source, EmptyDir) for each in spec.volumes)


def parse(data: bytes) -> dict[str, str]:
    """The variables of a file; of two of one name the first counts.

    Raises:
        ValueError: it is none, with the line; the text shows no value.
    """
    if len(data) >= MOST_BYTES:
        raise ValueError(f"it has more than {MOST_BYTES} bytes")
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8") from None
    found: dict[str, str] = {}
    at = 0
    while at < len(text):
        if match := _NOTHING.match(text, at):
            at = match.end()
        elif match := _VARIABLE.match(text, at):
            found.setdefault(match[1], match[2])
            at = match.end()
        else:
            line = text.count("\n", 0, at) + 1
            raise ValueError(f"line {line} is not NAME='value', with single quotes around the value")
    return found
