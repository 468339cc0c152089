"""Time, as it is handed to everything that waits: tests hand over `pypod.testing.FakeClock`."""

from __future__ import annotations

import heapq
import itertools
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from typing import Protocol

log = logging.getLogger(__name__)

MAX_WAIT = 3600.0
"""Seconds of one wait of a thread: waits are limited (`threading.TIMEOUT_MAX`), times to be called at are not."""
SET_BACK = 1.0
"""Seconds that the time must jump back to be more than what a time server corrects as it goes."""


class Timer(Protocol):
    def cancel(self) -> None:
        """Let it not happen. After it happened this does nothing."""


class Clock(Protocol):
    """Unix seconds, and waiting by them."""

    def now(self) -> float: ...

    def sleep(self, seconds: float) -> None: ...

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Until the event is set, for so many seconds at most; whether it is."""

    def call_at(self, when: float, function: Callable[[], object]) -> Timer:
        """Call a function at a time, on a thread of the clock's: it must not block."""


def tries(clock: Clock, seconds: float, first: float, longest: float) -> Iterator[None]:
    """A turn of the loop at once, and others after pauses that double from `first` to `longest`; the loop ends when so many seconds
    are over."""
    deadline, pause = clock.now() + seconds, first
    while True:
        yield
        if clock.now() > deadline:
            return
        clock.sleep(pause)
        pause = min(2 * pause, longest)


class _Timer:
    def __init__(self, function: Callable[[], object]) -> None:
        self.function: Callable[[], object] | None = function

    def cancel(self) -> None:
        self.function = None


class SystemClock:
    """The machine's. One thread, made with the first timer, calls what is due."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Drop all timers, and the thread: for a forked child, which has not its parent's thread, nor its duties."""
        self._changed = threading.Condition()
        self._order = itertools.count()
        self._timers: list[tuple[float, int, _Timer]] = []
        self._running = False
        self._ahead = time.time() - time.monotonic()

    def now(self) -> float:
        return time.time()

    def sleep(self, seconds: float) -> None:
        time.sleep(max(0.0, seconds))

    def wait(self, event: threading.Event, seconds: float) -> bool:
        return event.wait(max(0.0, min(seconds, threading.TIMEOUT_MAX)))

    def call_at(self, when: float, function: Callable[[], object]) -> Timer:
        timer = _Timer(function)
        with self._changed:
            self._follow_time_set_back()  # before the new one is among them, which knows the time as it is now
            heapq.heappush(self._timers, (when, next(self._order), timer))
            start, self._running = not self._running, True
            self._changed.notify()
        if start:
            self._start()
        return timer

    def _start(self) -> None:
        try:
            threading.Thread(target=self._keep_time, name="pypod-timer", daemon=True).start()
        except RuntimeError:  # the interpreter is on its way out (3.12): nothing is due any more
            with self._changed:
                self._running = False

    def _keep_time(self) -> None:
        while True:
            function = self._next()
            if function is not None:
                try:
                    function()
                except Exception:  # one timer's trouble must not end the others
                    log.exception("a timer failed")

    def _next(self) -> Callable[[], object] | None:
        """Wait for the first timer that is due; what it calls, None where it was cancelled."""
        with self._changed:
            while True:
                self._follow_time_set_back()
                if self._timers and self._timers[0][0] <= time.time():
                    return heapq.heappop(self._timers)[2].function
                left = self._timers[0][0] - time.time() if self._timers else MAX_WAIT
                self._changed.wait(max(0.0, min(left, MAX_WAIT)))

    def _follow_time_set_back(self) -> None:
        """Where somebody set the machine's time back, timers keep their distance: else everything would wait that long."""
        before, self._ahead = self._ahead, time.time() - time.monotonic()
        back = before - self._ahead
        if back > SET_BACK:
            self._timers = [(when - back, order, timer) for when, order, timer in self._timers]


SYSTEM = SystemClock()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=SYSTEM.forget)
