"""Looking after the pods of a process: events and time wake a pass, and one pod's trouble is its own.

The events come on a thread, passes and actions run on whichever thread wakes them; the time is the engine's, which goes on
only when the test says so. Nothing here waits for a time; it waits for what the engine is asked to do.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping

import pytest

from pypod.engine.pool import InlinePool, WorkerPool
from pypod.engine.sync import Look, PodSync
from pypod.errors import EngineError, EngineUnavailableError
from pypod.model import naming
from pypod.model.life.desired import Desired
from pypod.model.life.plan import Plan
from pypod.model.life.status import Phase
from pypod.model.naming import Owner, PodIdentity, PodKey
from pypod.model.spec.handlers import Probe
from pypod.model.spec.pod import Container, PodSpec, Volume
from pypod.supervisor import CLOSER, RESYNC, RETRY, Supervisor, supervisor_of
from pypod.testing import FakeClock, FakeEngine, Program
from pypod.testing.streams import FakeEventStream
from tests.unit.rig import says

PATIENCE = 20.0


class ToldClock(FakeClock):
    """Who sleeps, sleeps until the test's time has come there."""

    def __init__(self) -> None:
        super().__init__()
        self.sleepers = threading.Semaphore(0)

    def sleep(self, seconds: float) -> None:
        over = threading.Event()
        self.call_at(self.now() + seconds, over.set)
        self.sleepers.release()
        over.wait()  # for ever where the test is over: it is a daemon thread


class WatchedEngine(FakeEngine):
    """Lets a test wait until something has been done."""

    def __init__(self) -> None:
        self.told = ToldClock()
        super().__init__(self.told)
        self.add_image("app:1")
        self.changed = threading.Condition()
        self.started: list[str] = []
        self.streams = 0

    def start_container(self, container: str) -> None:
        super().start_container(container)
        with self.changed:
            self.started.append(container)
            self.changed.notify_all()

    def events(self, labels: Mapping[str, str], since: float | None = None) -> FakeEventStream:
        stream = super().events(labels, since)
        with self.changed:
            self.streams += 1
            self.changed.notify_all()
        return stream

    def until(self, is_so: Callable[[], bool]) -> None:
        with self.changed:
            assert self.changed.wait_for(is_so, PATIENCE), self.started

    def until_started(self, name: str, attempt: int) -> None:
        self.until(lambda: web(name, attempt) in self.started)

    def until_listener_sleeps(self) -> None:
        assert self.told.sleepers.acquire(timeout=PATIENCE)


def uid(name: str) -> str:
    return f"uid-{name}-123456"


def desired(name: str = "shop", *volumes: Volume, **probes: Probe) -> Desired:
    key = PodKey("default", name, uid(name))
    container = Container("web", "app:1", command=["polite"], liveness_probe=probes.get("liveness"))
    spec = PodSpec(name, (container,), volumes=volumes)
    return Desired(spec, PodIdentity(key, Owner("b", 1, 2, 3), leased=False))


def pod(engine: FakeEngine, name: str = "shop", *volumes: Volume, **probes: Probe) -> PodSync:
    return PodSync(
        engine,
        desired(name, *volumes, **probes),
        clock=engine.clock,
        actions=None,
        probe_pool=InlinePool(),
        spawn=lambda task: task(),
    )


def web(name: str, attempt: int) -> str:
    return naming.member_name(PodKey("default", name, uid(name)), "web", attempt)


@pytest.fixture
def engine() -> WatchedEngine:
    fake = WatchedEngine()
    fake.program("polite", Program())
    return fake


@pytest.fixture
def care(engine: WatchedEngine) -> Supervisor:
    """One whose passes run on the thread that wakes them."""
    return Supervisor(engine, clock=engine.clock, passes=InlinePool())


@pytest.fixture
def deaf(engine: WatchedEngine) -> WatchedEngine:
    """No event comes: every pass is on the test's own thread."""
    engine.inject("events", EngineUnavailableError("events", "", "connection refused"), times=100_000)
    return engine


def in_threads(engine: WatchedEngine) -> Supervisor:
    return Supervisor(engine, clock=engine.clock)


def crash(engine: WatchedEngine, name: str, attempt: int) -> None:
    engine.until_started(name, attempt)
    engine.exit(web(name, attempt), 1)


def test_the_end_of_a_pull_wakes_a_pass(deaf: WatchedEngine, care: Supervisor) -> None:
    """Nothing else does: the pull is on a thread of its own, and no time goes by."""
    deaf.remove_image("app:1")
    deaf.add_registry_image("app:1")
    care.add(pod(deaf))
    deaf.until_started("shop", 0)


def test_what_crashes_is_restarted_at_once(engine: WatchedEngine, care: Supervisor) -> None:
    care.add(pod(engine))
    crash(engine, "shop", 0)
    engine.until_started("shop", 1)


def test_what_keeps_crashing_is_restarted_with_back_off(deaf: WatchedEngine, care: Supervisor) -> None:
    care.add(pod(deaf))
    for attempt, delay in ((1, 0), (2, 1), (3, 2), (4, 4), (5, 8)):
        deaf.exit(web("shop", attempt - 1), 1)
        care.wake(uid("shop"))
        if delay:
            deaf.clock.advance(delay - 0.01)
            care.wake(uid("shop"))
            assert web("shop", attempt) not in deaf.started
            deaf.clock.advance(0.02)
        assert web("shop", attempt) in deaf.started
    assert len(deaf.started) == 7


def test_time_alone_wakes_a_pod_that_nothing_is_heard_of(deaf: WatchedEngine, care: Supervisor) -> None:
    """An event that was missed costs ten seconds at most."""
    care.add(pod(deaf))
    deaf.exit(web("shop", 0), 1)
    deaf.clock.advance(RESYNC - 1)
    assert web("shop", 1) not in deaf.started
    deaf.clock.advance(1.1)
    assert web("shop", 1) in deaf.started


def test_pods_at_rest_cost_one_list_whatever_their_number(deaf: WatchedEngine, care: Supervisor) -> None:
    for name in ("one", "two", "three"):
        care.add(pod(deaf, name))
    before = len(deaf.calls)
    for _ in range(5):
        deaf.clock.advance(RESYNC)
    asked = [
        call for call in deaf.calls[before:] if call[0] not in ("events", "info")
    ]  # the stream is broken here
    assert [verb for verb, _ in asked] == ["containers"] * 5


def test_a_pod_at_rest_is_looked_at_closely_now_and_then(deaf: WatchedEngine, care: Supervisor) -> None:
    care.add(pod(deaf))
    before = len(deaf.calls)
    deaf.clock.advance(CLOSER + 1)
    assert "container" in {verb for verb, _ in deaf.calls[before:]}


def test_a_list_that_cannot_be_had_has_everything_looked_at(deaf: WatchedEngine, care: Supervisor) -> None:
    care.add(pod(deaf))
    deaf.exit(web("shop", 0), 1)
    deaf.inject("containers", EngineError("list containers", "", "no luck"))
    deaf.clock.advance(RESYNC + 0.1)
    assert web("shop", 1) in deaf.started


def test_the_last_pod_ends_the_lists_and_the_next_one_begins_them_again(
    deaf: WatchedEngine, care: Supervisor
) -> None:
    care.add(pod(deaf))
    care.remove(uid("shop"))
    deaf.clock.advance(RESYNC + 1)
    before = [verb for verb, _ in deaf.calls].count("containers")
    deaf.clock.advance(10 * RESYNC)
    assert [verb for verb, _ in deaf.calls].count("containers") == before
    care.add(pod(deaf, "next"))
    deaf.exit(web("next", 0), 1)
    deaf.clock.advance(RESYNC + 1)
    assert web("next", 1) in deaf.started


def test_a_probe_that_fails_wakes_a_pass(deaf: WatchedEngine, care: Supervisor) -> None:
    says(deaf, "alive", 0)
    care.add(pod(deaf, liveness=Probe.exec(["alive"], period_seconds=1, failure_threshold=2)))
    deaf.clock.advance(3)
    says(deaf, "alive", 1)
    deaf.clock.advance(2)
    assert web("shop", 1) in deaf.started


def test_many_pods_have_the_threads_of_one(engine: WatchedEngine) -> None:
    care, names = in_threads(engine), [f"pod-{number}" for number in range(12)]
    earlier = set(
        threading.enumerate()
    )  # the pools of other tests' supervisors keep their threads for as long as the process
    for name in names:
        care.add(PodSync(engine, desired(name), clock=engine.clock, actions=WorkerPool("action")))
    engine.until(lambda: all(web(name, 0) in engine.started for name in names))
    new = [each for each in threading.enumerate() if each not in earlier]
    passes = [each for each in new if each.name == "pypod-pass"]
    listeners = len(new) - len(passes)
    assert 1 <= len(passes) <= 4
    assert listeners <= 1 + 12 * 4, "events, and the tests' own action pools"
    assert sorted(care.uids()) == sorted(map(uid, names))
    assert engine.streams == 1


def test_a_pod_that_was_taken_out_is_left_alone(engine: WatchedEngine, care: Supervisor) -> None:
    care.add(pod(engine, "gone"))
    care.add(pod(engine, "kept"))
    engine.until_started("gone", 0)
    care.remove(uid("gone"))
    care.remove(uid("gone"))
    engine.exit(web("gone", 0), 1)
    crash(engine, "kept", 0)
    engine.until_started("kept", 1)
    engine.clock.advance(3 * RESYNC)
    assert (uid("gone") in care, uid("kept") in care) == (False, True)
    assert web("gone", 1) not in engine.started


def test_a_stream_that_ends_is_opened_again_and_everything_looked_at(
    engine: WatchedEngine, care: Supervisor
) -> None:
    care.add(pod(engine))
    engine.until(lambda: engine.streams == 1)
    engine.break_streams()
    engine.until_listener_sleeps()
    engine.exit(web("shop", 0), 1)  # nobody hears of it
    assert web("shop", 1) not in engine.started
    engine.clock.advance(RETRY)
    engine.until_started("shop", 1)
    engine.until(lambda: engine.streams == 2)


@pytest.mark.parametrize("kill", [True, False])
def test_a_restart_of_the_daemon_heals_within_a_second(
    deaf: WatchedEngine, care: Supervisor, kill: bool
) -> None:
    shop = pod(deaf)
    care.add(shop)
    deaf.stop_daemon(kill=kill)
    care.wake(uid("shop"))  # as the end of the stream does
    deaf.clock.advance(60)
    assert web("shop", 1) not in deaf.started
    deaf.start_daemon()
    deaf.clock.advance(1)
    assert web("shop", 1) in deaf.started
    assert (shop.refresh().phase, shop.status.ready_count) == (Phase.RUNNING, 1)


def test_an_engine_that_does_not_answer_is_asked_again(deaf: WatchedEngine, care: Supervisor) -> None:
    deaf.inject("containers", EngineError("list containers", "", "server error"), times=3)
    care.add(pod(deaf))
    for _ in range(3):
        assert deaf.started == []
        deaf.clock.advance(RETRY)
    assert web("shop", 0) in deaf.started


def test_events_are_asked_for_until_they_come(engine: WatchedEngine, care: Supervisor) -> None:
    engine.inject("events", EngineUnavailableError("events", "", "connection refused"), times=2)
    care.add(pod(engine))
    for _ in range(2):
        engine.until_listener_sleeps()
        engine.clock.advance(RETRY)
    engine.until(lambda: engine.streams == 1)
    crash(engine, "shop", 0)
    engine.until_started("shop", 1)


def test_what_is_refused_time_and_again_is_asked_for_less_and_less(
    deaf: WatchedEngine, care: Supervisor
) -> None:
    """An engine's 500 must not make two busy processes."""
    full = EngineError("create volume", "x", "no space left", status=500)
    deaf.inject("create_volume", full, times=8)
    care.add(pod(deaf, "shop", Volume.empty_dir("data")))
    asked: list[int] = []
    for seconds in (0.0, 2.0, 8.0, 30.0):
        deaf.clock.advance(seconds)
        asked.append([verb for verb, _ in deaf.calls].count("create_volume"))
    assert asked == [2, 3, 7, 9], "at once, then after 1 s, 1.5 s, 2 s ..."
    assert web("shop", 0) in deaf.started


class Broken(PodSync):
    """A pod that cannot be looked after, for a bug."""

    def _plan(self, look: Look) -> Plan:
        raise ZeroDivisionError("a bug")


def test_one_pods_trouble_does_not_end_the_care_for_the_others(
    engine: WatchedEngine, caplog: pytest.LogCaptureFixture
) -> None:
    care = in_threads(engine)
    with caplog.at_level(logging.ERROR, "pypod.supervisor"):
        for number in range(6):  # more than there are workers
            care.add(Broken(engine, desired(f"broken-{number}"), clock=engine.clock, actions=None))
        care.add(pod(engine))
        crash(engine, "shop", 0)
        engine.until_started("shop", 1)
    assert "cannot look after pod default/broken-0" in caplog.text


class Slow(PodSync):
    """A pod whose first pass ends when it is allowed to, and that notes whether two ever ran at once."""

    def __init__(self, engine: FakeEngine) -> None:
        super().__init__(engine, desired(), clock=engine.clock, actions=None)
        self.begun, self.go_on = threading.Event(), threading.Event()
        self.second = threading.Event()
        self.passes = self.running = self.most = 0

    def run_once(
        self, check: Callable[[PodSync], None] | None = None, *, deadline: float | None = None
    ) -> Plan:
        self.running += 1
        self.most = max(self.most, self.running)
        self.passes += 1
        self.begun.set()
        assert self.go_on.wait(PATIENCE)
        self.running -= 1
        if self.passes >= 2:
            self.second.set()
        return super().run_once(check, deadline=deadline)


def test_a_pod_that_is_woken_in_a_pass_has_another_one_after_it(engine: WatchedEngine) -> None:
    care, slow = in_threads(engine), Slow(engine)
    care.add(slow)
    assert slow.begun.wait(PATIENCE)
    for _ in range(5):
        care.wake(uid("shop"))
    slow.go_on.set()
    assert slow.second.wait(PATIENCE)
    engine.until_started("shop", 0)
    assert slow.most == 1


def test_waking_a_pod_that_is_not_there_does_nothing(engine: WatchedEngine, care: Supervisor) -> None:
    care.wake("nobody")
    assert care.uids() == []
    assert engine.calls == []


def test_a_pod_that_somebody_else_brings_up_is_told_what_is_heard(
    engine: WatchedEngine, care: Supervisor
) -> None:
    shop = pod(engine)
    while shop.run_once():
        pass
    care.watch(shop)
    engine.until(lambda: engine.streams == 1)
    shop.changed.clear()
    engine.exit(web("shop", 0), 1)
    assert shop.changed.wait(PATIENCE)
    assert care.uids() == []
    assert web("shop", 1) not in engine.started, "to look is the other's business"
    care.remove(uid("shop"))
    shop.changed.clear()
    care.wake(uid("shop"))
    assert not shop.changed.is_set()


def test_there_is_one_an_engine_and_process(engine: WatchedEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    first = supervisor_of(engine)
    assert supervisor_of(engine) is first
    monkeypatch.setattr("os.getpid", lambda: 4711)
    assert supervisor_of(engine) is not first


class Raced(PodSync):
    """An event comes at the very moment at which it is said who is to be told of events."""

    care: Supervisor | None = None

    def __setattr__(self, name: str, value: object) -> None:
        super().__setattr__(name, value)
        if name == "on_wake" and self.care is not None:
            self.care.wake(self.desired.identity.key.uid)


def test_an_event_in_the_middle_of_a_handing_over_is_no_endless_loop(
    engine: WatchedEngine, care: Supervisor
) -> None:
    """It was one, on the thread that hears events, which was then no more: and with it the care for all pods."""
    sync = Raced(engine, desired(), clock=engine.clock, actions=None, probe_pool=InlinePool())
    care.watch(sync)
    sync.care = care
    care.add(sync)
    engine.until_started("shop", 0)
