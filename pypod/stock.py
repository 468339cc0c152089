"""What a pool has in stock, and what it is to do next: pure book-keeping, for one thread at a time."""

from __future__ import annotations

import collections
from collections.abc import Callable
from typing import Generic, NamedTuple, TypeVar

from pypod.errors import (
    CommandError,
    EngineError,
    ImageError,
    PodExistsError,
    PodStartError,
    PodTimeoutError,
)
from pypod.model.life.status import Phase, PodStatus

Item = TypeVar("Item")

PATIENCE = 2
"""Failures in a row after which nobody waits for the next try any more."""

_HOPELESS = ("InvalidImageName", "ErrImageNeverPull")


def may_heal(error: BaseException) -> bool:
    """Whether another start after this error may succeed: the engine, the network or the program may have had a bad moment. A
    description that is wrong, a command that is not in its image, and what is no error of pods at all stay as they are."""
    if isinstance(error, ImageError):
        return error.reason not in _HOPELESS
    healing = (EngineError, PodStartError, PodTimeoutError, PodExistsError)
    return isinstance(error, healing) and not isinstance(error, CommandError)


class Health(NamedTuple):
    """How a pod is doing: what must not change while it waits. One whose container was restarted is not what a test expects, even
    where it is Ready again."""

    phase: Phase
    terminating: bool
    ready: frozenset[str]
    restarts: int

    @classmethod
    def at(cls, status: PodStatus) -> Health:
        every = (*status.init_container_statuses, *status.container_statuses)
        return cls(
            status.phase,
            status.terminating,
            frozenset(each.name for each in every if each.ready),
            sum(each.restart_count for each in every),
        )


class Stock(Generic[Item]):
    """Items that are made ahead of time, each handed out once.

    A failure is no reason to try again by itself: whoever takes is. So there are never more tries than takes, nothing is
    tried for ever, and what healed is found out. An error is told to one who takes; from the second one in a row on, to all at
    once, while one more try runs for those who come later: otherwise each of 500 tests would wait for its own time-out.

    Args:
        size: how many to have ready.
        heals: whether another try after this error makes sense; if not, it is told from then on, and nothing is tried.

    Attributes:
        starting: how many are being made.
        error: why the last one could not be made; None where it could.
    """

    def __init__(self, size: int, heals: Callable[[BaseException], bool]) -> None:
        self._size = size
        self._heals = heals
        self._ready: collections.deque[Item] = collections.deque()
        self._failures = 0
        self._told = False
        self._retry = False
        self._lost = 0
        self.starting = 0
        self.error: BaseException | None = None

    def __len__(self) -> int:
        return len(self._ready)

    # making

    def wanted(self) -> int:
        """How many more are to be made now."""
        if self.error is not None:
            return int(self._retry and self.starting == 0)
        if self._lost > self._size:  # they do not keep; whoever takes has a fresh one made
            return 0
        return max(0, self._size - len(self._ready) - self.starting)

    def begin(self) -> None:
        """One is being made."""
        self.starting += 1
        self._retry = False

    def put(self, item: Item) -> None:
        """It is made: this puts an end to a row of failures."""
        self.starting -= 1
        self._ready.append(item)
        self.error, self._failures, self._told = None, 0, False

    def fail(self, error: BaseException) -> None:
        """It cannot be made."""
        self.starting -= 1
        self._failures += 1
        self.error, self._told = error, False
        self._retry = self._retry and self._heals(error)

    # what is there

    def sort_out(self, is_good: Callable[[Item], bool]) -> list[Item]:
        """Take out those that did not keep; they are made anew, but not for ever while nobody takes one."""
        bad = [item for item in self._ready if not is_good(item)]
        for item in bad:
            self._ready.remove(item)
        self._lost += len(bad)
        return bad

    def take(self) -> Item | None:
        """The oldest; None: there is none, and it is worth waiting for.

        Raises:
            BaseException: the error of the last one that was made.
        """
        self._lost = 0
        heals = self.error is None or self._heals(self.error)
        self._retry = self.error is not None and heals
        if self._ready:
            return self._ready.popleft()
        if self.error is None or (self._told and heals and self._failures < PATIENCE):
            return None
        self._told = True
        raise self.error

    def empty(self) -> list[Item]:
        """Take out all that is there."""
        items = list(self._ready)
        self._ready.clear()
        return items
