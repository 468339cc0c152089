"""`Pod.start(on_failure=)`: who starts a pod sees what became of it before it is removed, and may let it stay."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pypod import background, existing, lifetime, starting, supervisor
from pypod.engine import observe
from pypod.errors import CommandError, EngineUnavailableError
from pypod.model import naming
from pypod.model.spec.pod import Container
from pypod.pod import Pod
from pypod.testing import FakeEngine

BAD = Container("web", "app:1", command=["no-such-program"])
PAUSE = "pypod_default_web_pause_0"


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    monkeypatch.setattr(background, "ensure_running", lambda engine: None)
    monkeypatch.setattr(background, "sweep_once", lambda engine: None)
    monkeypatch.setattr(lifetime, "_owned", {})
    monkeypatch.setattr(lifetime, "_left", {})
    monkeypatch.setattr(supervisor, "_supervisors", {})  # all fake engines have the same address
    fake = FakeEngine()
    fake.add_image("app:1")
    return fake


def fail(engine: FakeEngine, on_failure: Callable[[BaseException], bool], *, detach: bool) -> list[str]:
    """Names of the containers that are there afterwards."""
    pod = Pod("web", containers=[BAD], engine=engine, min_ready_seconds=0)
    with pytest.raises(CommandError):
        pod.start(detach=detach, on_failure=on_failure)
    return [each.name for each in engine.containers({naming.UID: ""})]


@pytest.mark.parametrize(("detach", "answer"), [(False, False), (False, True), (True, False)])
def test_it_is_there_to_be_looked_at_and_then_removed(engine: FakeEngine, detach: bool, answer: bool) -> None:
    seen: list[str] = []

    def look(error: BaseException) -> bool:
        seen.extend(each.name for each in engine.containers({naming.UID: ""}))
        return answer

    assert fail(engine, look, detach=detach) == []
    assert PAUSE in seen


def test_a_detached_one_may_stay_and_is_handed_over(engine: FakeEngine) -> None:
    assert PAUSE in fail(engine, lambda error: True, detach=True)
    assert observe.read_history(engine, PAUSE).handed_over


def test_it_is_told_of_whatever_ends_a_start(engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A time-out of the test that waits for it is no `Exception`."""

    def end(pod: object, **given: object) -> None:
        raise pytest.fail.Exception("Timeout")

    monkeypatch.setattr(starting, "start", end)
    told: list[BaseException] = []

    def note(error: BaseException) -> bool:
        told.append(error)
        return False

    pod = Pod("web", containers=[BAD], engine=engine, min_ready_seconds=0)
    with pytest.raises(pytest.fail.Exception) as failure:
        pod.start(on_failure=note)
    assert told == [failure.value]


def test_ctrl_c_while_it_is_looked_at_removes_it(engine: FakeEngine) -> None:
    def interrupt(error: BaseException) -> bool:
        raise KeyboardInterrupt

    pod = Pod("web", containers=[BAD], engine=engine, min_ready_seconds=0)
    with pytest.raises(KeyboardInterrupt):
        pod.start(detach=True, on_failure=interrupt)
    assert engine.containers({naming.UID: ""}) == []


GOOD = Container("web", "app:1")


def broken_off(engine: FakeEngine, patch: pytest.MonkeyPatch, *, detach: bool) -> Pod:
    """The engine goes away between the making of the sandbox and its start, and comes back when all has failed."""

    def vanish(name: str) -> None:
        engine.stop_daemon()
        FakeEngine.start_container(engine, name)

    pod = Pod("web", containers=[GOOD], engine=engine, min_ready_seconds=0)
    with patch.context() as now:
        now.setattr(engine, "start_container", vanish)
        with pytest.raises(EngineUnavailableError) as raised:
            pod.start(detach=detach)
    assert "while removing it again" in "".join(raised.value.__notes__)
    engine.start_daemon()
    assert PAUSE in [each.name for each in engine.containers({naming.UID: ""})]
    return pod


@pytest.mark.parametrize("detach", [False, True])
def test_remains_of_a_start_that_the_engine_broke_off_do_not_stand_in_the_way(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch, detach: bool
) -> None:
    """Its owner lives, and looks after it no more: so nobody sweeps it, and whoever took it for the pod would wait in vain."""
    first = broken_off(engine, monkeypatch, detach=detach)
    again = Pod("web", containers=[GOOD], engine=engine, min_ready_seconds=0).start(detach=detach)
    uids = {each.labels[naming.UID] for each in engine.containers({naming.UID: ""})}
    assert (again.uid in uids, first.uid in uids) == (True, False)
    again.stop(grace=0)


@pytest.mark.parametrize("detach", [False, True])
def test_remains_of_a_start_that_the_engine_broke_off_go_at_the_exit(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch, detach: bool
) -> None:
    broken_off(engine, monkeypatch, detach=detach)
    lifetime._end_all()
    assert engine.containers({}) == []


def test_what_was_stopped_at_the_second_try_is_left_alone_at_the_exit(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken_off(engine, monkeypatch, detach=False).stop()
    engine.calls.clear()
    lifetime._end_all()
    assert (engine.containers({}), len(engine.calls)) == ([], 1)


def test_a_pod_that_could_not_be_stopped_is_no_pod_to_be_taken_up(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    pod = Pod("web", containers=[GOOD], engine=engine, min_ready_seconds=0).start()
    engine.inject("containers", EngineUnavailableError("list containers", "", "refused"))
    with pytest.raises(EngineUnavailableError):
        pod.stop()
    assert existing.look_up(engine, pod.spec) is None
    again = Pod("web", containers=[GOOD], engine=engine, min_ready_seconds=0).start()
    assert again.uid != pod.uid
    again.stop(grace=0)
    assert engine.containers({}) == []
