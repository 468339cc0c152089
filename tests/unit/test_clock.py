"""The machine's clock, and what `FakeClock` has in common with it."""

from __future__ import annotations

import subprocess
import sys
import threading
import time

import pytest

from pypod.engine import clock as module
from pypod.engine.clock import Clock, SystemClock
from pypod.testing import FakeClock

PATIENCE = 20.0
FOREVER = 1e6


class SetTime:
    """The machine's time, which somebody sets: a stand-in for the module `time`."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def time(self) -> float:
        return time.time() + self.ahead

    def monotonic(self) -> float:
        return time.monotonic()


@pytest.mark.parametrize("clock", [SystemClock(), FakeClock()], ids=["system", "fake"])
class TestBoth:
    def test_waiting_for_what_has_happened_ends_at_once(self, clock: Clock) -> None:
        event = threading.Event()
        event.set()
        before = clock.now()
        assert clock.wait(event, FOREVER)
        assert clock.now() - before < PATIENCE

    def test_waiting_for_what_does_not_happen_ends_in_time(self, clock: Clock) -> None:
        before = clock.now()
        assert not clock.wait(threading.Event(), 0.01)
        assert clock.now() - before >= 0.009

    def test_less_than_no_time(self, clock: Clock) -> None:
        clock.sleep(-1)
        assert not clock.wait(threading.Event(), -1)

    def test_a_timer_that_was_cancelled_does_not_happen(self, clock: Clock) -> None:
        for seconds in (0.01, 0.5, 5):
            seen, done = list[str](), threading.Event()
            soon = clock.now() + seconds
            clock.call_at(soon, lambda seen=seen: seen.append("cancelled")).cancel()  # type: ignore[misc]
            if clock.now() < soon:  # else it was cancelled too late
                break
        clock.call_at(soon, done.set)
        assert clock.wait(done, PATIENCE)
        assert seen == []


def test_on_a_fake_clock_what_is_waited_for_may_happen_meanwhile() -> None:
    clock, event = FakeClock(0.0), threading.Event()
    clock.call_at(3, event.set)
    assert not clock.wait(event, 2)
    assert clock.wait(event, 2)
    assert clock.now() == 4
    assert clock.wait(event, 2)
    assert clock.now() == 4


def test_what_is_due_happens_in_order_on_one_other_thread() -> None:
    clock, done = SystemClock(), threading.Event()
    seen = list[tuple[str, int, bool]]()

    def note(name: str, when: float) -> None:
        seen.append((name, threading.get_ident(), clock.now() >= when))

    soon = clock.now() + 0.02
    clock.call_at(soon + 0.01, done.set)
    clock.call_at(soon, lambda: note("b", soon))
    clock.call_at(soon - 0.01, lambda: note("a", soon - 0.01))
    clock.call_at(soon, lambda: note("c", soon))
    assert done.wait(PATIENCE)
    assert [(name, in_time) for name, _, in_time in seen] == [("a", True), ("b", True), ("c", True)]
    assert len({thread for _, thread, _ in seen} | {threading.get_ident()}) == 2


def test_a_timer_may_set_another_and_one_far_away_is_no_obstacle() -> None:
    clock, done = SystemClock(), threading.Event()
    clock.call_at(float("inf"), done.set)
    clock.call_at(clock.now() + FOREVER, done.set)
    clock.call_at(clock.now(), lambda: clock.call_at(clock.now(), done.set))
    assert done.wait(PATIENCE)


def test_a_timer_that_fails_does_not_end_the_others(caplog: pytest.LogCaptureFixture) -> None:
    clock, done = SystemClock(), threading.Event()

    def fail() -> None:
        raise ZeroDivisionError

    now = clock.now()
    clock.call_at(now, fail)
    clock.call_at(now, done.set)
    assert done.wait(PATIENCE)
    assert "a timer failed" in caplog.text


def test_where_the_time_is_set_back_timers_do_not_wait_that_long(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = SetTime()
    monkeypatch.setattr(module, "time", machine)
    clock, before, after, early = SystemClock(), threading.Event(), threading.Event(), threading.Event()
    clock.call_at(clock.now() + 0.05, before.set)
    machine.ahead = -3600.0
    clock.call_at(clock.now() + 0.05, after.set)
    clock.call_at(clock.now() + 1800, early.set)
    assert before.wait(PATIENCE)
    assert after.wait(PATIENCE)
    assert not early.is_set(), "this one was asked for by the new time"


def test_where_the_time_is_set_forward_what_is_due_by_it_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = SetTime()
    monkeypatch.setattr(module, "time", machine)
    clock, done = SystemClock(), threading.Event()
    clock.call_at(clock.now() + 1800, done.set)
    machine.ahead = 3600.0
    clock.call_at(clock.now(), lambda: None)  # it looks at the time when it is woken
    assert done.wait(PATIENCE)


def test_where_no_thread_can_be_started_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    """As at interpreter exit since 3.12; later, where one can be, all is made up for."""

    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't create new thread at interpreter shutdown")

    clock, done = SystemClock(), threading.Event()
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        clock.call_at(clock.now(), done.set)
    assert not done.is_set()
    clock.call_at(clock.now(), lambda: None)
    assert done.wait(PATIENCE)


FORK = """
import os, threading
from pypod.engine.clock import SYSTEM

def works():
    done = threading.Event()
    SYSTEM.call_at(SYSTEM.now(), done.set)
    return done.wait(5)

assert works()
of_parent = []
SYSTEM.call_at(SYSTEM.now() + 0.05, lambda: of_parent.append(os.getpid()))
child = os.fork()
if child == 0:
    done = threading.Event()
    SYSTEM.call_at(SYSTEM.now() + 0.1, done.set)
    os._exit(0 if done.wait(5) and not of_parent else 1)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
assert works()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
def test_a_forked_child_has_timers_of_its_own_and_none_of_its_parent() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORK], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
