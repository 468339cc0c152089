"""What the commands have in common: the engine they are asked about, words on stderr, ends by signal."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pypod import Pod
    from pypod.engine.api import Engine

WIDTH = 110
EXIT_FAILURE = 1
EXIT_USAGE = 2
EXIT_TIMEOUT = 124
EXIT_INTERRUPTED = 130
EXIT_TERMINATED = 143


class UsageError(Exception):
    """The command line makes no sense; the text says why."""


class Terminated(KeyboardInterrupt):
    """SIGTERM, handled the way that Ctrl-C is."""


def engine(args: argparse.Namespace) -> Engine:
    """The engine of ``--host``, else the one that the docker CLI would ask."""
    import pypod  # noqa: PLC0415 - `pypod --help` does not pay for it

    return pypod.connect(args.host) if args.host else pypod.connect()


def names_of(pod: Pod) -> list[str]:
    """Its containers in the order in which they start, those that joined it at the end."""
    joined = [status.name for status in pod.status.ephemeral_container_statuses]
    return [container.name for container in pod.spec.all_containers] + joined


def known(pod: Pod, container: str) -> None:
    """Raise a usage error when the pod has no such container."""
    names = names_of(pod)
    if container not in names:
        raise UsageError(
            f"pod {pod.namespace}/{pod.name} has no container '{container}'; it has {', '.join(names)}"
        )


def say(text: str) -> None:
    """Progress, and what went wrong: on stderr, so that stdout is for results."""
    print(text, file=sys.stderr, flush=True)


def raise_if_any(errors: Sequence[Exception]) -> None:
    """Say all errors, the last one by raising it."""
    for error in errors[:-1]:
        say(f"pypod: {error}")
    if errors:
        raise errors[-1]


@contextmanager
def terminable() -> Iterator[None]:
    """SIGTERM in the block raises `Terminated`, so that what cleans up after Ctrl-C does so here too."""

    def raise_terminated(_number: int, _frame: FrameType | None) -> None:
        raise Terminated

    before = signal.signal(signal.SIGTERM, raise_terminated)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def next_interrupt_kills() -> None:
    """From here on Ctrl-C and SIGTERM end the process at once; a leased pod then goes by its lease."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
