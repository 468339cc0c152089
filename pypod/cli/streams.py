"""Several containers' lines on one output."""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING

from pypod.errors import PypodError
from pypod.model.life.status import Phase, PodStatus, Waiting

if TYPE_CHECKING:
    from pypod import Pod

LOOK_AGAIN = 0.3


def is_over(status: PodStatus) -> bool:
    """Whether nothing more is to be expected of a pod: it has ended, is gone, or is on its way."""
    return status.phase in (Phase.SUCCEEDED, Phase.FAILED, Phase.UNKNOWN) or status.terminating


class Printer:
    """Prints whole lines, each with its container's name when there are several."""

    def __init__(self, names: list[str], *, prefix: bool = True) -> None:
        self._width = max(len(name) for name in names)
        self._prefix = prefix
        self._lock = threading.Lock()

    def lines(self, name: str, lines: list[str]) -> None:
        """All at once: with a write for each line, a long log takes several times as long."""
        head = f"{name:<{self._width}} | " if self._prefix else ""
        text = f"\n{head}".join(lines)
        with self._lock:
            sys.stdout.write(f"{head}{text}\n")
            sys.stdout.flush()


def follow(
    pod: Pod,
    name: str,
    printer: Printer,
    over: threading.Event,
    before: str = "",
    *,
    tail: int | None = None,
    since: float | None = None,
    timestamps: bool = False,
) -> None:
    """Print what a container writes, and what those write that come after it, until the pod is over.

    For a thread: ends quietly when the pod goes. ``before`` is put before the container's name.
    """
    done = -1
    try:
        while True:
            last = over.is_set()
            status = pod.refresh().container(name)
            ran = not isinstance(status.state, Waiting) or status.last_state is not None
            if ran and status.restart_count > done:
                done = status.restart_count
                found = pod.log_blocks(name, follow=True, tail=tail, since=since, timestamps=timestamps)
                for block in found:
                    printer.lines(f"{before}{name}", block)
                tail = since = None
            elif last:
                return
            else:
                over.wait(LOOK_AGAIN)
    except (PypodError, KeyError):
        return
    except (BrokenPipeError, ValueError):  # nobody reads any more
        over.set()
