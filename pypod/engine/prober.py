"""Runs the probes of one pod: when a try is made, and what becomes of its result.

No thread a probe: a timer a probe, and a few threads for the tries of all pods (`pypod.engine.pool.PROBES`).
"""

from __future__ import annotations

import functools
import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pypod.engine.checks import CheckResult, Verdict
from pypod.engine.clock import Clock, Timer
from pypod.engine.pool import Pool
from pypod.model.life import probes
from pypod.model.life.probes import Kind, ProbeKey, Wanted
from pypod.model.spec.handlers import Probe

log = logging.getLogger(__name__)

TRIES = 3
"""Of a check that cannot be made (pkg/kubelet/prober/prober.go, maxProbeRetries)."""
MAX_WAIT = 2.0
"""Seconds that a fast try may wait inside a pod: it holds a thread for as long."""
EASING = 200.0
"""A fast try comes no sooner than this part of the time that was waited already: a server that comes after 4 s is seen
20 ms later, and one that never comes costs less and less (after a minute, three tries a second)."""

Run = Callable[[ProbeKey, Probe, float], CheckResult]
Report = Callable[[ProbeKey, bool, str], None]
Note = Callable[[ProbeKey, str, str], None]


@dataclass(frozen=True, slots=True)
class _World:
    """What all workers of a pod share."""

    clock: Clock
    pool: Pool
    fast_pool: Pool
    run: Run
    report: Report
    note: Note


class Prober:
    """The probes of one pod. May be used from any thread; none of its locks is held while `run`, `report` or `note` runs.

    Args:
        clock: by which tries are made.
        pool: where they run.
        run: makes one try, given the seconds that it may wait inside the pod for a server to come up (0 but for fast tries).
        report: is told when a probe's result changes, with the message of the last try.
        note: is told what deserves an event, with its reason: ``Unhealthy`` or ``ProbeWarning``. Both are called one after
            the other for one probe. A result that they raise at is taken as not come: the next try says it again.
        fast_pool: where fast tries run, so that none that counts waits for them; None: in the same pool.
    """

    def __init__(
        self,
        clock: Clock,
        pool: Pool,
        run: Run,
        report: Report,
        note: Note,
        *,
        fast_pool: Pool | None = None,
    ) -> None:
        self._world = _World(clock, pool, fast_pool or pool, run, report, note)
        self._lock = threading.Lock()
        self._workers: dict[ProbeKey, _Worker] = {}
        self._stopped = False

    def update(self, wanted: Mapping[ProbeKey, Wanted]) -> None:
        """Probe what is wanted, and nothing else. A probe that goes on is left as it is; of one that is gone, the result of
        a try under way is dropped."""
        with self._lock:
            if self._stopped:
                return
            for key in self._workers.keys() - wanted.keys():
                self._workers.pop(key).stop()
            for key in wanted.keys() - self._workers.keys():
                worker = self._workers[key] = _Worker(self._world, key, wanted[key])
                worker.start()

    def stop(self) -> None:
        """End all probes, for good."""
        with self._lock:
            self._stopped = True
            for worker in self._workers.values():
                worker.stop()
            self._workers.clear()


class _Try:
    """One try, queued in a pool or under way."""

    def __init__(self, fast: bool) -> None:
        self.fast = fast
        self.has_begun = False


class _Worker:
    """One probe of one instance.

    The period grid ticks by itself. A tick begins a try; one that comes while a try is under way is made up for at that
    try's end (a Go ticker, a kubelet's, also keeps one tick). A fast try that still waits for a thread gives way to a tick.
    """

    def __init__(self, world: _World, key: ProbeKey, wanted: Wanted) -> None:
        self._world = world
        self._key = key
        self._probe = wanted.probe
        self._period = probes.period(wanted.probe)
        self._begun = probes.first_try(wanted, world.clock.now())
        self._next_tick = self._begun
        self._lock = threading.Lock()
        self._state = probes.begin(key.kind, wanted.initial)
        self._is_fast = key.kind is not Kind.LIVENESS and wanted.initial is not True
        self._try: _Try | None = None
        self._missed_tick = False
        self._is_over = False
        self._ticking: Timer | None = None
        self._again: Timer | None = None

    def start(self) -> None:
        with self._lock:
            self._ticking = self._world.clock.call_at(self._begun, self._tick)

    def stop(self) -> None:
        with self._lock:
            self._end()

    def _end(self) -> None:
        """The caller holds the lock."""
        self._is_over = True
        for timer in (self._ticking, self._again):
            if timer is not None:
                timer.cancel()

    def _tick(self) -> None:
        clock = self._world.clock
        with self._lock:
            if self._is_over:
                return
            self._next_tick = probes.next_try(self._begun, self._period, clock.now())
            self._ticking = clock.call_at(self._next_tick, self._tick)
            if self._try is not None and (self._try.has_begun or not self._try.fast):
                # One that still waits for a thread is made for this tick too.
                self._missed_tick = self._try.has_begun
                return
            begun = self._try = _Try(fast=False)
        self._submit(begun)

    def _try_again(self, fast: bool) -> None:
        """Between two ticks: a fast try, or one that counts, for a tick that was missed."""
        with self._lock:
            if self._is_over or self._try is not None or (fast and not self._is_fast):
                return
            begun = self._try = _Try(fast)
        self._submit(begun)

    def _submit(self, begun: _Try) -> None:
        pool = self._world.fast_pool if begun.fast else self._world.pool
        pool.submit(functools.partial(self._attempt, begun))

    def _attempt(self, begun: _Try) -> None:
        with self._lock:
            if self._is_over or self._try is not begun:
                return
            begun.has_begun = True
            left = self._next_tick - self._world.clock.now()
        result = self._check(begun.fast, max(0.0, min(left, MAX_WAIT)) if begun.fast else 0.0)
        try:
            self._take(result, begun.fast)
        except Exception:  # probing goes on, and so does the pool's thread
            log.exception(
                "cannot tell of the %s probe of container %s", self._key.kind.value, self._key.container
            )
        with self._lock:
            self._try = None
            if not self._is_over:
                self._plan(result)

    def _check(self, fast: bool, wait: float) -> CheckResult:
        result = self._check_once(wait)
        for _ in range(0 if fast else TRIES - 1):
            if result.verdict is not Verdict.ERROR or self._is_over:
                break
            result = self._check_once(wait)
        return result

    def _check_once(self, wait: float) -> CheckResult:
        try:
            return self._world.run(self._key, self._probe, wait)
        except Exception as error:  # a bug of ours must not pass for an unhealthy container
            log.exception(
                "cannot run the %s probe of container %s", self._key.kind.value, self._key.container
            )
            return CheckResult(Verdict.ERROR, message=str(error) or type(error).__name__)

    def _take(self, result: CheckResult, fast: bool) -> None:
        """Tell what a result changes, then count it: where that cannot be told, the next try says it again."""
        success = result.verdict is Verdict.SUCCESS
        with self._lock:
            if self._is_over:
                return
            state, changed = self._state, None
            if result.verdict is not Verdict.ERROR:
                state, changed = probes.step(state, self._probe, success, fast)
        for reason, message in _notes(self._key.kind, result, fast):
            self._world.note(self._key, reason, message)
        if changed is not None:
            self._world.report(self._key, changed, result.message)
        with self._lock:
            self._state = state
            self._is_fast = self._is_fast and not success
            if changed is not None and probes.is_final(self._key.kind, changed):
                self._end()

    def _plan(self, result: CheckResult) -> None:
        """What comes before the next tick. The caller holds the lock."""
        now = self._world.clock.now()
        if self._missed_tick:
            self._missed_tick = False
            self._again = self._world.clock.call_at(now, functools.partial(self._try_again, False))
        elif self._is_fast:
            soon = now + max(result.retry_soon, (now - self._begun) / EASING)
            if soon < self._next_tick:
                self._again = self._world.clock.call_at(soon, functools.partial(self._try_again, True))


def _notes(kind: Kind, result: CheckResult, fast: bool) -> list[tuple[str, str]]:
    """Reason and message of the events that a try is worth, in a kubelet's words."""
    name = kind.value.capitalize()
    if result.verdict is Verdict.SUCCESS:
        return [("ProbeWarning", f"{name} probe warning: {result.warning}")] if result.warning else []
    if fast:
        return []
    if result.verdict is Verdict.ERROR:
        return [("Unhealthy", f"{name} probe errored and resulted in unknown state: {result.message}")]
    return [("Unhealthy", f"{name} probe failed: {result.message}")]
