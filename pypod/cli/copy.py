"""`cp`: files into and out of containers."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

import pypod
from pypod.cli import common
from pypod.errors import CopyError, NotFoundError, PodNotRunningError

if TYPE_CHECKING:
    from pypod import Pod

PIECE = 65536
STREAM = "-"


def copy(args: argparse.Namespace) -> int:
    """Copy between this machine and a container; ``-`` is a tar stream on standard input or output."""
    source, destination = split(args.source), split(args.destination)
    if (source[0] == "") is (destination[0] == ""):
        raise common.UsageError(
            "cp takes one POD:PATH and one path here, as in: pypod cp web:/etc/hosts ./hosts "
            "(./a:b is a path here with a colon in its name)"
        )
    pod = pypod.get(source[0] or destination[0], args.namespace, engine=common.engine(args))
    container = args.container or None
    if container is not None:
        common.known(pod, container)
    if source[0]:
        if destination[1] == STREAM:
            _send(pod, source[1], container)
        else:
            pod.copy_from(source[1], destination[1], container)
    elif source[1] == STREAM:
        _receive(pod, destination[1], container)
    else:
        pod.copy_to(source[1], destination[1], container)
    return 0


def split(word: str) -> tuple[str, str]:
    """The pod, empty for this machine, and the path. Raises `UsageError` where the path is missing."""
    pod, colon, path = word.partition(":")
    if not colon or "/" in pod or pod.startswith("."):
        return "", word
    if not pod or not path:
        raise common.UsageError(f"cp takes POD:PATH, as in web:/etc/hosts; {word!r} is none")
    return pod, path


def _id_of(pod: Pod, container: str | None) -> str:
    name = container or pod.spec.containers[0].name
    identity = pod.status.container(name).container_id
    if not identity:
        full = f"{pod.namespace}/{pod.name}"
        raise PodNotRunningError(
            f"cannot copy files of container '{name}' of pod '{full}': it is not there",
            pod=full,
            container=name,
        )
    return identity


def _send(pod: Pod, path: str, container: str | None) -> None:
    try:
        for piece in pod.engine.get_archive(_id_of(pod, container), f"/{path.lstrip('/')}"):
            sys.stdout.buffer.write(piece)
    except NotFoundError as error:
        raise _refused(pod, f"copy {path!r} to standard output", error) from error


def _receive(pod: Pod, path: str, container: str | None) -> None:
    pieces = iter(lambda: sys.stdin.buffer.read(PIECE), b"")
    try:
        pod.engine.put_archive(_id_of(pod, container), f"/{path.lstrip('/')}", pieces)
    except NotFoundError as error:
        raise _refused(pod, f"unpack standard input into {path!r}", error) from error


def _refused(pod: Pod, what: str, error: NotFoundError) -> CopyError:
    full = f"{pod.namespace}/{pod.name}"
    return CopyError(f"cannot {what} of pod '{full}': {error.detail}", pod=full)
