"""A clock that only moves when it is told to."""

from __future__ import annotations

import heapq
import itertools
import threading
from collections.abc import Callable

START = 1_700_000_000.0


class Timer:
    """What is due at one moment; `cancel` takes it back."""

    def __init__(self, when: float, function: Callable[[], object]) -> None:
        self.when = when
        self._function: Callable[[], object] | None = function

    def cancel(self) -> None:
        """Let it not happen. After it happened this does nothing."""
        self._function = None

    def fire(self) -> None:
        """Let it happen now, unless it did or was cancelled."""
        function, self._function = self._function, None
        if function is not None:
            function()


class FakeClock:
    """Unix time for tests: starts at 1 700 000 000 and stands still between calls of `advance`.

    May be used from many threads. What is due runs in the thread that advances, in the order of its time (and of the
    calls of `call_at` where the time is the same), with the clock at that very time.
    """

    def __init__(self, start: float = START) -> None:
        self._now = start
        self._lock = threading.Lock()
        self._order = itertools.count()
        self._timers: list[tuple[float, int, Timer]] = []

    def now(self) -> float:
        """Unix seconds."""
        with self._lock:
            return self._now

    def call_at(self, when: float, function: Callable[[], object]) -> Timer:
        """Call a function when the clock gets there; for a time that is past, at the next `advance`."""
        timer = Timer(when, function)
        with self._lock:
            heapq.heappush(self._timers, (when, next(self._order), timer))
        return timer

    def advance(self, seconds: float = 0.0) -> None:
        """Go on by so many seconds, and let happen what is due on the way."""
        with self._lock:
            target = self._now + max(0.0, seconds)
        while (timer := self._next(target)) is not None:
            timer.fire()

    def sleep(self, seconds: float) -> None:
        """As `time.sleep`, without waiting: the clock goes on."""
        self.advance(seconds)

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """At once when the event is set; else the clock goes on by so many seconds. Whether it is set then."""
        if not event.is_set():
            self.advance(seconds)
        return event.is_set()

    def _next(self, target: float) -> Timer | None:
        with self._lock:
            if self._timers and self._timers[0][0] <= target:
                when, _, timer = heapq.heappop(self._timers)
                self._now = max(self._now, when)
                return timer
            self._now = max(self._now, target)
            return None
