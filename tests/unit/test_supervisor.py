"""Looking after the pods of a process: events and time wake a pass, and one pod's trouble is its own.

The threads are real, the engine and its time are not: its clock stands at the moment the test began, so that what crashes
there is due after a real back-off of a few milliseconds. Nothing here waits for a time; it waits for what the engine is
asked to do.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping

import pytest

from pypod import supervisor
from pypod.engine.sync import PodSync
from pypod.errors import EngineError, EngineUnavailableError
from pypod.model import naming
from pypod.model.naming import Owner, PodKey
from pypod.model.plan import Plan
from pypod.model.planner import Desired
from pypod.model.requests import PodIdentity
from pypod.model.restarts import Backoff
from pypod.model.spec import Container, PodSpec
from pypod.supervisor import Supervisor, supervisor_of
from pypod.testing import FakeClock, FakeEngine
from pypod.testing.streams import FakeEventStream

PATIENCE = 5.0
QUICK = Backoff(initial=0.02, cap=0.05)


class WatchedEngine(FakeEngine):
    """Lets a test wait until something has been done."""

    def __init__(self) -> None:
        super().__init__(FakeClock(time.time()))
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


def pod(engine: FakeEngine, name: str = "shop", backoff: Backoff = QUICK) -> PodSync:
    key = PodKey("default", name, f"uid-{name}-123456")
    spec = PodSpec(name, (Container("web", "app:1"),))
    return PodSync(engine, Desired(spec, PodIdentity(key, Owner("b", 1, 2, 3), leased=False), backoff))


def web(name: str, attempt: int) -> str:
    return naming.member_name(PodKey("default", name, f"uid-{name}-123456"), "web", attempt)


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> WatchedEngine:
    monkeypatch.setattr(supervisor, "RETRY", 0.01)
    return WatchedEngine()


def crash(engine: WatchedEngine, name: str, attempt: int) -> None:
    engine.until(lambda: web(name, attempt) in engine.started)
    engine.exit(web(name, attempt), 1)


def test_a_pod_is_brought_up_and_what_crashes_is_restarted_time_and_again(engine: WatchedEngine) -> None:
    Supervisor(engine).add(pod(engine))
    for attempt in range(4):  # the first restart is at once, the others wait for the timer
        crash(engine, "shop", attempt)
    engine.until(lambda: web("shop", 4) in engine.started)
    assert len(engine.started) == 6


def test_many_pods_have_the_threads_of_one(engine: WatchedEngine) -> None:
    care, names = Supervisor(engine), [f"pod-{number}" for number in range(12)]
    before = threading.active_count()
    for name in names:
        care.add(pod(engine, name))
    engine.until(lambda: all(web(name, 0) in engine.started for name in names))
    assert threading.active_count() <= before + 2 + 4 + 4, "events, timer, passes, actions"
    assert sorted(care.uids()) == sorted(f"uid-{name}-123456" for name in names)
    assert engine.streams == 1


def test_a_pod_that_was_taken_out_is_left_alone(engine: WatchedEngine) -> None:
    care = Supervisor(engine)
    care.add(pod(engine, "gone"))
    care.add(pod(engine, "kept"))
    engine.until(lambda: {web("gone", 0), web("kept", 0)} <= set(engine.started))
    care.remove("uid-gone-123456")
    care.remove("uid-gone-123456")
    engine.exit(web("gone", 0), 1)
    crash(engine, "kept", 0)
    engine.until(lambda: web("kept", 1) in engine.started)
    assert ("uid-gone-123456" in care, "uid-kept-123456" in care) == (False, True)
    assert web("gone", 1) not in engine.started


def test_a_stream_that_ends_is_opened_again_and_everything_looked_at(engine: WatchedEngine) -> None:
    Supervisor(engine).add(pod(engine))
    engine.until(lambda: web("shop", 0) in engine.started and engine.streams == 1)
    engine.break_streams()
    engine.until(lambda: engine.streams == 2)
    crash(engine, "shop", 0)
    engine.until(lambda: web("shop", 1) in engine.started)


def test_an_engine_that_does_not_answer_is_asked_again(engine: WatchedEngine) -> None:
    engine.inject("info", EngineUnavailableError("info", "", "connection refused"), times=3)
    engine.inject("containers", EngineError("list containers", "", "server error"), times=3)
    Supervisor(engine).add(pod(engine))
    crash(engine, "shop", 0)
    engine.until(lambda: web("shop", 1) in engine.started)


class Broken(PodSync):
    """A pod that cannot be looked after, for a bug."""

    passes = 0

    def plan(self) -> Plan:
        self.passes += 1
        raise ZeroDivisionError("a bug")


def test_one_pods_trouble_does_not_end_the_care_for_the_others(
    engine: WatchedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    logged = threading.Event()
    told: list[str] = []

    def note(message: str, *values: object) -> None:
        told.append(message % values)
        logged.set()

    monkeypatch.setattr(supervisor.log, "exception", note)
    care = Supervisor(engine)
    broken = Broken(engine, pod(engine, "broken").desired)
    for _ in range(6):  # more than there are workers
        care.add(broken)
    care.add(pod(engine))
    crash(engine, "shop", 0)
    engine.until(lambda: web("shop", 1) in engine.started)
    assert logged.wait(PATIENCE)
    assert told[0] == "cannot look after pod default/broken"


class Slow(PodSync):
    """A pod whose first pass ends when it is allowed to, and that notes whether two ever ran at once."""

    def __init__(self, engine: FakeEngine, desired: Desired) -> None:
        super().__init__(engine, desired)
        self.begun, self.go_on = threading.Event(), threading.Event()
        self.third = threading.Event()
        self.passes = self.running = self.most = 0

    def run_once(self, check: Callable[[PodSync], None] | None = None) -> Plan:
        self.running += 1
        self.most = max(self.most, self.running)
        self.passes += 1
        self.begun.set()
        assert self.go_on.wait(PATIENCE)
        self.running -= 1
        if self.passes >= 2:
            self.third.set()
        return super().run_once(check)


def test_a_pod_that_is_woken_in_a_pass_has_another_one_after_it(engine: WatchedEngine) -> None:
    care, slow = Supervisor(engine), Slow(engine, pod(engine).desired)
    care.add(slow)
    assert slow.begun.wait(PATIENCE)
    for _ in range(5):
        care.wake("uid-shop-123456")
    slow.go_on.set()
    assert slow.third.wait(PATIENCE)
    engine.until(lambda: web("shop", 0) in engine.started)
    assert slow.most == 1


def test_waking_a_pod_that_is_not_there_does_nothing(engine: WatchedEngine) -> None:
    care = Supervisor(engine)
    care.wake("nobody")
    assert care.uids() == []
    assert engine.calls == []


def test_there_is_one_an_engine_and_process(engine: WatchedEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    first = supervisor_of(engine)
    assert supervisor_of(engine) is first
    monkeypatch.setattr("os.getpid", lambda: 4711)
    assert supervisor_of(engine) is not first
