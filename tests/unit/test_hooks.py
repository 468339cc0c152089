"""Running lifecycle hooks: what is written of them, once, whatever becomes of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from pypod.engine import checks, hooks
from pypod.engine.channel import Channel
from pypod.engine.checks import CheckResult, Target, Verdict
from pypod.engine.hooks import HookRunner, RunsHook
from pypod.model.life.journal import Event, Hooked, Probed
from pypod.model.life.plan import RunHook
from pypod.model.spec.handlers import Hook
from pypod.model.spec.pod import Container, ContainerPort
from pypod.model.wiring.state import PodObservation
from pypod.testing import FakeClock, FakeEngine
from tests.unit.rig import KEY, SPEC, live, live_for, look, sync_of

ACTION = RunHook("id", "web", 2, "postStart", Hook.exec(["greets"]), 5.0, "it was started")
SEEN = PodObservation(KEY, at=1.0)
DONE = CheckResult(Verdict.SUCCESS, "hello")
PATIENCE = 20.0


class Rig:
    """A runner whose tasks wait until they are told to go on."""

    def __init__(self, run: RunsHook) -> None:
        self.clock, self.channel = FakeClock(100.0), Channel()
        self.tasks: list[Callable[[], None]] = []
        self.woken = 0
        self.runner = HookRunner(
            FakeEngine(), SPEC, self.channel, self.clock, self.wake, spawn=self.tasks.append, run=run
        )

    def wake(self) -> None:
        self.woken += 1

    def go_on(self) -> None:
        self.clock.advance(3)
        self.tasks.pop()()

    def hooked(self, action: RunHook = ACTION) -> Hooked:
        return self.channel.history.record("web", 2).hooks[action.hook]


def gives(result: CheckResult) -> RunsHook:
    return lambda target, action: result


def test_it_is_written_as_begun_before_it_runs_and_as_done_after() -> None:
    rig = Rig(gives(DONE))
    rig.runner.begin(ACTION, SEEN)
    assert (rig.hooked(), rig.woken) == (Hooked(100.0, "web", 2, "postStart", "began"), 0)
    rig.go_on()
    assert (rig.hooked(), rig.woken) == (Hooked(103.0, "web", 2, "postStart", "done", "hello"), 1)
    assert rig.channel.history.events == ()


@pytest.mark.parametrize("verdict", [Verdict.FAILURE, Verdict.ERROR])
@pytest.mark.parametrize(
    ("hook", "reason", "words"),
    [
        ("postStart", "FailedPostStartHook", "PostStartHook failed: no route"),
        ("preStop", "FailedPreStopHook", "PreStopHook failed: no route"),
    ],
)
def test_one_that_fails_is_an_event_too(hook: str, reason: str, words: str, verdict: Verdict) -> None:
    rig, action = Rig(gives(CheckResult(verdict, "no route"))), replace(ACTION, hook=hook)
    rig.runner.begin(action, SEEN)
    rig.go_on()
    assert rig.hooked(action) == Hooked(103.0, "web", 2, hook, "failed", "no route")
    assert rig.channel.history.events == (Event(103.0, "Warning", reason, words, "web", 1, 103.0),)
    assert rig.woken == 1


def test_a_bug_of_ours_leaves_no_hook_begun_for_ever(caplog: pytest.LogCaptureFixture) -> None:
    def breaks(target: Target, action: RunHook) -> CheckResult:
        raise ZeroDivisionError("oops")

    rig = Rig(breaks)
    rig.runner.begin(ACTION, SEEN)
    rig.go_on()
    assert (rig.hooked().outcome, rig.hooked().message) == ("failed", "ZeroDivisionError: oops")
    assert "cannot run the postStart hook of container web" in caplog.text


@pytest.mark.parametrize("hook", ["postStart", "preStop"])
def test_it_is_run_with_its_handler_and_its_time(monkeypatch: pytest.MonkeyPatch, hook: str) -> None:
    asked: list[tuple[object, ...]] = []

    def run_hook(target: Target, handler: object, timeout: float | None, *, may_end: bool) -> CheckResult:
        asked.append((target.container, handler, timeout, may_end))
        return DONE

    monkeypatch.setattr(checks, "run_hook", run_hook)
    rig = Rig(hooks.call)
    rig.runner.begin(replace(ACTION, hook=hook), SEEN)
    rig.go_on()
    assert asked == [("id", ACTION.handler, 5.0, hook == "preStop")]


def test_a_target_is_the_container_and_what_its_pod_has() -> None:
    engine = FakeEngine()
    engine.add_image("app:1")
    web = Container("web", "app:1", ports=[ContainerPort(8080, name="http"), ContainerPort(9090)])
    spec = replace(SPEC, containers=(web, Container("log", "app:1", ports=[ContainerPort(1, name="other")])))
    live_for(engine, sync_of(engine, spec), 0.5)
    seen, info = look(engine), live(engine, "web")
    target = hooks.target_of(engine, spec, seen, "web", info)
    assert seen.pause is not None
    assert seen.network is not None
    assert target == Target(
        engine=engine,
        pause=seen.pause.id,
        ip=seen.ip,
        network=seen.network.id,
        container=info.id,
        ports={"http": 8080},
    )
    assert hooks.target_of(engine, None, seen, "web", info.id) == replace(target, ports={})


def test_a_target_of_a_pod_that_is_gone_has_no_address() -> None:
    target = hooks.target_of(FakeEngine(), SPEC, SEEN, "web", "id")
    assert (target.pause, target.ip, target.network, target.container) == ("", "", "", "id")


def test_hooks_that_were_lost_with_their_supervisor_count_as_done() -> None:
    """As with a kubelet that was started again: they are not run twice."""
    channel = Channel()
    channel.write(
        Hooked(1.0, "web", 0, "postStart", "began"),
        Hooked(2.0, "web", 0, "preStop", "failed", "no route"),
        Hooked(3.0, "log", 1, "preStop", "began"),
        Probed(4.0, "db", 0, "readiness", True),
    )
    hooks.give_up_lost(channel, 9.0)
    history = channel.history
    assert history.record("web", 0).hooks["postStart"] == Hooked(
        9.0, "web", 0, "postStart", "done", hooks.LOST
    )
    assert history.record("web", 0).hook("preStop") == "failed"
    assert history.record("log", 1).hook("preStop") == "done"
    assert dict(history.record("db", 0).hooks) == {}


def test_nothing_was_lost() -> None:
    channel = Channel()
    channel.write(Hooked(1.0, "web", 0, "postStart", "done"))
    before = channel.history
    hooks.give_up_lost(channel, 9.0)
    assert channel.history is before
