"""When tries are made, and what becomes of them: by a clock that moves when told, each story told as text."""

from __future__ import annotations

import gc
import threading
import weakref
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import pytest

from pypod.engine.checks import CheckResult, Verdict
from pypod.engine.clock import SystemClock
from pypod.engine.pool import InlinePool, Pool, Task, WorkerPool
from pypod.engine.prober import MAX_WAIT, Prober
from pypod.model.life.probes import Kind, ProbeKey, Wanted
from pypod.model.spec.handlers import Probe
from pypod.testing import FakeClock, Timer

PATIENCE = 20.0
START = 1000.0
LIVENESS = ProbeKey("web", 0, Kind.LIVENESS)
READINESS = ProbeKey("web", 0, Kind.READINESS)
STARTUP = ProbeKey("web", 0, Kind.STARTUP)
PASSED = CheckResult(Verdict.SUCCESS)


def failed(message: str = "no", retry_soon: float = 0.25) -> CheckResult:
    return CheckResult(Verdict.FAILURE, message=message, retry_soon=retry_soon)


def errored(message: str = "no such port") -> CheckResult:
    return CheckResult(Verdict.ERROR, message=message)


def probe(
    *, delay: float = 0.0, period: float = 10.0, success: int = 1, failure: int = 3, timeout: float = 1.0
) -> Probe:
    return Probe.tcp_socket(
        80,
        initial_delay_seconds=delay,
        timeout_seconds=timeout,
        period_seconds=period,
        success_threshold=success,
        failure_threshold=failure,
    )


def wanted(
    *keys: ProbeKey, asked: Probe | None = None, started_at: float = START, initial: bool | None = None
) -> dict[ProbeKey, Wanted]:
    return {key: Wanted(asked or probe(), started_at, initial) for key in keys}


class QueuePool:
    """Keeps the tasks until it is told to run one."""

    def __init__(self) -> None:
        self.tasks = deque[Task]()

    def submit(self, task: Task) -> None:
        self.tasks.append(task)

    def run_one(self) -> None:
        self.tasks.popleft()()


@dataclass
class World:
    """A prober, and what it did: ``seconds since the start, what``."""

    answer: Callable[[float], CheckResult] = lambda at: PASSED
    pool: Pool = field(default_factory=InlinePool)
    fast_pool: Pool | None = None
    takes: float = 0.0
    """Seconds that a try lasts."""
    clock: FakeClock = field(default_factory=lambda: FakeClock(START))
    tries: list[float] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.prober = Prober(
            self.clock, self.pool, self.run, self.report, self.note, fast_pool=self.fast_pool
        )

    @property
    def at(self) -> float:
        return round(self.clock.now() - START, 3)

    def run(self, key: ProbeKey, asked: Probe, wait: float) -> CheckResult:
        self.tries.append(self.at)
        self.waits.append(round(wait, 3))
        result = self.answer(self.at)
        self.clock.advance(self.takes)
        return result

    def report(self, key: ProbeKey, passed: bool, message: str) -> None:
        self.said.append(f"{self.at:g} {key.kind.value} {passed} {message}".rstrip())

    def note(self, key: ProbeKey, reason: str, message: str) -> None:
        self.said.append(f"{self.at:g} {reason}: {message}")

    def go(self, until: float) -> None:
        self.clock.advance(START + until - self.clock.now())

    def update(self, probes: Mapping[ProbeKey, Wanted]) -> None:
        self.prober.update(probes)


def up_from(moment: float, retry_soon: float = 0.25) -> Callable[[float], CheckResult]:
    return lambda at: PASSED if at >= moment else failed(retry_soon=retry_soon)


def always(result: CheckResult) -> Callable[[float], CheckResult]:
    return lambda at: result


# the period grid


@pytest.mark.parametrize(
    ("sentence", "asked", "started_at", "tries"),
    [
        ("at once, and every period", probe(), START, [0, 10, 20, 30]),
        ("after the delay", probe(delay=5), START, [5, 15, 25, 35]),
        ("the delay counts from the start of the instance", probe(delay=5), START - 3, [2, 12, 22, 32]),
        ("long since over", probe(delay=5), START - 60, [0, 10, 20, 30]),
        ("0 is the default period", probe(period=0), START, [0, 10, 20, 30]),
        ("less than a second", probe(period=0.4, delay=34), START, [34, 34.4, 34.8]),
    ],
)
def test_the_period_grid(sentence: str, asked: Probe, started_at: float, tries: list[float]) -> None:
    world = World()
    world.update(wanted(LIVENESS, asked=asked, started_at=started_at))
    world.go(35)
    assert world.tries == tries, sentence


def test_a_try_that_outlasts_its_period_delays_the_next() -> None:
    world = World(takes=2.5)
    world.update(wanted(LIVENESS, asked=probe(period=1)))
    world.go(9.9)
    assert world.tries == [0, 2.5, 5, 7.5]


def test_after_a_try_that_was_too_long_the_grid_is_as_it_was() -> None:
    world = World()
    world.update(wanted(LIVENESS, asked=probe(period=1)))
    world.takes = 1.5
    world.go(0)
    world.takes = 0
    world.go(4)
    assert world.tries == [0, 1.5, 2, 3, 4]


# what is told


def test_a_probe_that_fails_is_told_once_and_every_failure_is_an_event() -> None:
    world = World(always(failed("statuscode: 500")))
    world.update(wanted(LIVENESS))
    world.go(60)
    assert world.said == [
        "0 Unhealthy: Liveness probe failed: statuscode: 500",
        "10 Unhealthy: Liveness probe failed: statuscode: 500",
        "20 Unhealthy: Liveness probe failed: statuscode: 500",
        "20 liveness False statuscode: 500",
    ]
    assert world.tries == [0, 10, 20], "on hold until there is a new instance"


def test_readiness_comes_and_goes() -> None:
    world = World(lambda at: failed() if 15 <= at < 45 else PASSED)
    world.update(wanted(READINESS))
    world.go(60)
    assert [line for line in world.said if "Unhealthy" not in line] == [
        "0 readiness True",
        "40 readiness False no",
        "50 readiness True",
    ]


def test_once_it_has_started_it_is_never_asked_again() -> None:
    world = World()
    world.update(wanted(STARTUP))
    world.go(60)
    world.update(wanted(STARTUP))  # the journal was not read again yet
    world.go(120)
    assert (world.tries, world.said) == ([0], ["0 startup True"])


def test_a_container_that_does_not_start() -> None:
    world = World(always(failed()))
    world.update(wanted(STARTUP, asked=probe(period=1, failure=2)))
    world.go(10)
    assert world.said == [
        "0 Unhealthy: Startup probe failed: no",
        "1 Unhealthy: Startup probe failed: no",
        "1 startup False no",
    ]
    assert max(world.tries) == 1


def test_a_warning_is_an_event_of_a_success() -> None:
    world = World(always(CheckResult(Verdict.SUCCESS, warning="Probe terminated redirects")))
    world.update(wanted(LIVENESS))
    world.go(0)
    assert world.said == ["0 ProbeWarning: Liveness probe warning: Probe terminated redirects"]


def test_a_check_that_cannot_be_made_is_tried_three_times_and_says_nothing() -> None:
    world = World(always(errored()))
    world.update(wanted(LIVENESS, asked=probe(failure=1)))
    world.go(10)
    assert world.tries == [0, 0, 0, 10, 10, 10]
    assert world.said == [
        "0 Unhealthy: Liveness probe errored and resulted in unknown state: no such port",
        "10 Unhealthy: Liveness probe errored and resulted in unknown state: no such port",
    ]


def test_one_of_the_three_that_can_be_made_counts() -> None:
    results = [errored(), failed("gone"), PASSED]
    world = World(lambda at: results.pop(0))
    world.update(wanted(LIVENESS, asked=probe(failure=1)))
    world.go(0)
    assert world.said == ["0 Unhealthy: Liveness probe failed: gone", "0 liveness False gone"]
    assert results == [PASSED]


def test_a_bug_in_a_check_is_no_unhealthy_container(caplog: pytest.LogCaptureFixture) -> None:
    def broken(at: float) -> CheckResult:
        raise KeyError("port") if at < 10 else ZeroDivisionError

    world = World(broken)
    world.update(wanted(LIVENESS, asked=probe(failure=1)))
    world.go(10)
    assert world.said == [
        "0 Unhealthy: Liveness probe errored and resulted in unknown state: 'port'",
        "10 Unhealthy: Liveness probe errored and resulted in unknown state: ZeroDivisionError",
    ]
    assert "cannot run the liveness probe of container web" in caplog.text


def test_a_result_that_could_not_be_told_is_told_by_the_next_try(caplog: pytest.LogCaptureFixture) -> None:
    world = World(always(failed()))
    tell, world_is_down = world.report, [True]

    def report(key: ProbeKey, passed: bool, message: str) -> None:
        if world_is_down.pop(0):
            world_is_down.append(False)
            raise ConnectionError("no engine")
        tell(key, passed, message)

    prober = Prober(world.clock, InlinePool(), world.run, report, lambda key, reason, message: None)
    prober.update(wanted(LIVENESS, asked=probe(failure=2)))
    world.go(40)
    assert world.said == ["20 liveness False no"]
    assert world.tries == [0, 10, 20]
    assert "cannot tell of the liveness probe of container web" in caplog.text


# fast tries


def test_between_periods_until_the_first_success() -> None:
    world = World(up_from(1.1))
    world.update(wanted(READINESS))
    world.go(35)
    assert world.tries == [0, 0.25, 0.5, 0.75, 1.0, 1.25, 10, 20, 30]
    assert world.said == ["0 Unhealthy: Readiness probe failed: no", "1.25 readiness True"]


def test_startup_is_fast_too_and_liveness_never() -> None:
    world = World(up_from(0.6))
    world.update(wanted(STARTUP))
    world.go(35)
    assert world.tries == [0, 0.25, 0.5, 0.75]
    world = World(up_from(0.6))
    world.update(wanted(LIVENESS))
    world.go(35)
    assert world.tries == [0, 10, 20, 30]


def test_failures_count_on_the_grid_alone() -> None:
    world = World(always(failed()))
    world.update(wanted(STARTUP, asked=probe(period=1, failure=3)))
    world.go(10)
    assert world.tries == [0, 0.25, 0.5, 0.75, 1, 1.25, 1.5, 1.75, 2]
    assert world.said[-1] == "2 startup False no"


def test_no_fast_try_before_the_delay_is_over() -> None:
    world = World(up_from(5.2, retry_soon=0.1))
    world.update(wanted(READINESS, asked=probe(delay=5)))
    world.go(14.9)
    assert world.tries == [5, 5.1, 5.2]


def test_the_next_comes_some_time_after_the_end_of_the_one_before() -> None:
    """An exec that takes 0.1 s says 0.5: five times its own duration."""
    world = World(up_from(1.5, retry_soon=0.5), takes=0.1)
    world.update(wanted(READINESS))
    world.go(9)
    assert world.tries == [0, 0.6, 1.2, 1.8]


def test_none_comes_later_than_the_one_that_counts() -> None:
    world = World(always(failed(retry_soon=15)))
    world.update(wanted(READINESS))
    world.go(40)
    assert world.tries == [0, 10, 20, 30, 40]


def test_a_server_that_refuses_is_asked_every_20_ms_and_less_often_as_time_goes_by() -> None:
    world = World(always(failed(retry_soon=0.02)))
    world.update(wanted(READINESS, asked=probe(period=3600)))
    world.go(120)
    tries = [[at for at in world.tries if since <= at < since + 1] for since in (0, 2, 10, 100)]
    assert [len(at) for at in tries] == [50, 50, 19, 2]


def test_a_second_success_is_not_hurried() -> None:
    world = World(up_from(0.5))
    world.update(wanted(READINESS, asked=probe(success=2)))
    world.go(25)
    assert world.tries == [0, 0.25, 0.5, 10, 20]
    assert world.said[-1] == "10 readiness True"


def test_a_fast_try_that_cannot_be_made_says_nothing_and_is_no_event() -> None:
    world = World(lambda at: failed() if at == 0 else errored())
    world.update(wanted(READINESS))
    world.go(1)
    assert world.tries == [0, 0.25, 0.5, 0.75, 1.0]
    assert world.said == ["0 Unhealthy: Readiness probe failed: no"]


def test_how_long_a_try_may_wait_inside_the_pod() -> None:
    """Not at all where it counts; else until the next one that does, and never long."""
    world = World(always(failed()))
    world.update(wanted(READINESS, asked=probe(period=1)))
    world.go(1)
    assert list(zip(world.tries, world.waits, strict=True)) == [
        (0, 0),
        (0.25, 0.75),
        (0.5, 0.5),
        (0.75, 0.25),
        (1, 0),
    ]
    world = World(always(failed()))
    world.update(wanted(READINESS))
    world.go(0.25)
    assert world.waits == [0, MAX_WAIT]


# update and stop


def test_update_starts_and_stops() -> None:
    world = World()
    world.update(wanted(LIVENESS))
    world.go(10)
    world.update(wanted(LIVENESS))  # nothing new: the grid goes on
    world.go(25)
    world.update({})
    world.go(50)
    assert world.tries == [0, 10, 20]
    world.update(wanted(LIVENESS))
    world.go(60)
    assert world.tries == [0, 10, 20, 50, 60]


def test_a_new_instance_begins_anew() -> None:
    world = World(always(failed()))
    world.update(wanted(LIVENESS, asked=probe(failure=2)))
    world.go(1)
    world.update(wanted(ProbeKey("web", 1, Kind.LIVENESS), asked=probe(failure=2), started_at=START + 1))
    world.go(2)
    assert "liveness False no" not in " ".join(world.said)
    world.go(11)
    assert world.said[-1] == "11 liveness False no"


def test_stopped_for_good() -> None:
    world = World()
    world.update(wanted(LIVENESS, READINESS))
    world.go(0)
    world.prober.stop()
    world.update(wanted(LIVENESS))
    world.go(60)
    assert world.tries == [0, 0]


@pytest.mark.parametrize("end", ["update", "stop"])
def test_the_result_of_a_try_of_a_stopped_probe_is_dropped(end: str) -> None:
    def answer(at: float) -> CheckResult:
        if at == 10:
            world.update({}) if end == "update" else world.prober.stop()
        return PASSED if at < 10 else failed()

    world = World(answer)
    world.update(wanted(READINESS, asked=probe(failure=1)))
    world.go(60)
    assert (world.tries, world.said) == ([0, 10], ["0 readiness True"])


def test_a_stopped_probe_leaves_the_queue_without_a_try() -> None:
    pool = QueuePool()
    world = World(pool=pool)
    world.update(wanted(LIVENESS))
    world.go(0)
    world.update({})
    pool.run_one()
    assert world.tries == []


def test_a_stopped_probe_is_forgotten_before_its_time_comes() -> None:
    """A period may be an hour, and a pod's containers keep crashing."""
    clock = FakeClock(START)
    world = World(always(failed(retry_soon=1000)), clock=clock)
    world.update(wanted(READINESS, asked=probe(period=3600)))
    world.go(0)
    world.prober.stop()
    found = weakref.ref(world)
    del world
    gc.collect()
    assert found() is None


def test_a_report_may_update() -> None:
    """As a supervisor's pass does that runs on the same thread."""
    world = World()
    tell = world.report

    def report(key: ProbeKey, passed: bool, message: str) -> None:
        tell(key, passed, message)
        prober.update(wanted(LIVENESS, READINESS) if key == STARTUP else wanted(LIVENESS))

    prober = Prober(world.clock, InlinePool(), world.run, report, world.note)
    prober.update(wanted(STARTUP))
    world.go(10)
    assert world.said == ["0 startup True", "0 readiness True"]
    assert world.tries == [0, 0, 0, 10]


# what an earlier supervisor knew


def test_what_was_ready_stays_ready_until_the_threshold() -> None:
    world = World(always(failed()))
    world.update(wanted(READINESS, initial=True))
    world.go(30)
    assert world.tries == [0, 10, 20, 30], "it had its first success"
    assert [line for line in world.said if "Unhealthy" not in line] == ["20 readiness False no"]


def test_what_is_known_is_not_told_again() -> None:
    world = World()
    world.update(wanted(READINESS, initial=True))
    world.go(30)
    assert world.said == []


def test_what_was_not_ready_is_found_fast() -> None:
    world = World(up_from(0.4))
    world.update(wanted(READINESS, initial=False))
    world.go(5)
    assert world.said[-1] == "0.5 readiness True"


# pools


def test_a_fast_try_that_waits_for_a_thread_gives_way_to_one_that_counts() -> None:
    fast = QueuePool()
    world = World(always(failed()), fast_pool=fast)
    world.update(wanted(READINESS))
    world.go(10)
    assert world.tries == [0, 10]
    assert len(fast.tasks) == 1
    fast.run_one()
    assert world.tries == [0, 10], "its turn is over"
    world.go(10.25)
    fast.run_one()
    assert world.tries == [0, 10, 10.25]


def test_ticks_that_find_a_full_pool_do_not_pile_up() -> None:
    pool = QueuePool()
    world = World(pool=pool)
    world.update(wanted(LIVENESS))
    world.go(55)
    assert len(pool.tasks) == 1
    pool.run_one()
    world.go(59)
    assert (world.tries, len(pool.tasks)) == ([55], 0)
    world.go(60)
    assert len(pool.tasks) == 1


def test_a_tick_during_a_fast_try_is_made_up_for() -> None:
    world = World(always(failed()))
    world.update(wanted(READINESS, asked=probe(period=2)))
    world.go(0)
    world.takes = 1.9
    world.go(0.3)
    world.takes = 0
    world.go(2.5)
    assert world.tries[:3] == [0, 0.25, 2.15]
    assert world.said == [
        "0 Unhealthy: Readiness probe failed: no",
        "2.15 Unhealthy: Readiness probe failed: no",
    ]


def test_a_pod_at_rest_costs_a_timer_and_a_try_a_period() -> None:
    class Counting(FakeClock):
        timers = 0

        def call_at(self, when: float, function: Callable[[], object]) -> Timer:
            self.timers += 1
            return super().call_at(when, function)

    clock = Counting(START)
    world = World(clock=clock)
    world.update(wanted(READINESS))
    world.go(1000)
    assert (len(world.tries), clock.timers) == (101, 102)


def test_with_threads() -> None:
    """The system's clock and real pools: reports come, and no more of them after a stop."""
    reports, told, begun, go_on = list[bool](), threading.Event(), threading.Event(), threading.Event()
    answers = deque([failed(retry_soon=0.001), failed(retry_soon=0.001), PASSED])

    def run(key: ProbeKey, asked: Probe, wait: float) -> CheckResult:
        if answers:
            return answers.popleft()
        begun.set()
        assert go_on.wait(PATIENCE)
        return failed()

    def report(key: ProbeKey, passed: bool, message: str) -> None:
        reports.append(passed)
        told.set()

    clock, pool = SystemClock(), WorkerPool("probe", 1)
    prober = Prober(clock, pool, run, report, lambda *note: None)
    prober.update(wanted(READINESS, asked=probe(period=0.05, failure=1), started_at=clock.now()))
    assert told.wait(PATIENCE)
    assert begun.wait(PATIENCE)
    prober.stop()
    go_on.set()
    drained = threading.Event()
    pool.submit(drained.set)  # of one thread: after the try under way
    assert drained.wait(PATIENCE)
    assert reports == [False, True]
