"""A pod that one process, or two, bring to where its spec says: on a fake engine whose time is told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest

from pypod.engine import observe
from pypod.engine.sync import MISSING
from pypod.errors import (
    ConflictError,
    EngineError,
    EngineUnavailableError,
    ImagePullError,
    NotFoundError,
)
from pypod.model import naming
from pypod.model.life.plan import Plan
from pypod.model.life.status import Phase, Running, Waiting
from pypod.model.spec.pod import Container, PullPolicy, Volume
from pypod.model.wiring.state import ContainerInfo
from pypod.testing import FakeEngine
from tests.unit.rig import (
    KEY,
    SPEC,
    UNAVAILABLE,
    instances,
    live,
    look,
    pause_of,
    reasons,
    settle,
    step,
    sync_of,
)


@pytest.fixture
def engine() -> FakeEngine:
    fake = FakeEngine()
    fake.add_image("app:1")
    return fake


def test_a_pod_comes_up_from_nothing(engine: FakeEngine) -> None:
    pod = sync_of(engine)
    assert pod.status.phase is Phase.PENDING
    settle(pod)
    assert pod.refresh().phase is Phase.RUNNING
    assert pod.status.ready_count == 2
    assert pod.status.pod_ip == "10.214.0.2"
    assert str(pod.last_plan).startswith("#1 create container pypod_default_shop_pause_0")
    assert set(reasons(pod)) == {"Created web", "Created log", "Started", "Started web", "Started log"}


def test_the_journal_tells_another_process_the_same(engine: FakeEngine) -> None:
    pod = sync_of(engine)
    settle(pod)
    for _ in range(3):
        engine.exit(live(engine, "web").id, 1)
        engine.clock.advance(100)
        settle(pod)
    assert observe.read_history(engine, pause_of(engine).id) == pod.channel.history


def test_one_that_crashes_is_restarted_alone_at_once_then_later(engine: FakeEngine) -> None:
    pod = sync_of(engine)
    settle(pod)
    log = live(engine, "log")
    engine.exit(live(engine, "web").id, 1)
    settle(pod)
    assert live(engine, "web").attempt == 1
    engine.exit(live(engine, "web").id, 1)
    plan = settle(pod)
    assert (plan.due, plan.waiting) == (engine.clock.now() + 1, "container web: back-off 1s")
    state = pod.status.container("web").state
    assert isinstance(state, Waiting)
    assert state.reason == "CrashLoopBackOff"
    engine.clock.advance(1)
    settle(pod)
    assert [info.attempt for info in instances(engine, "web")] == [2, 1], "the last dead one is kept"
    assert live(engine, "log") == log
    assert pod.refresh().restart_count == 2


def test_looking_does_nothing(engine: FakeEngine) -> None:
    pod = sync_of(engine)
    assert pod.refresh().reason == "NotFound"
    assert pod.plan()
    assert engine.containers({}) == []


def test_a_pod_that_was_released_is_left_alone(engine: FakeEngine) -> None:
    pod = sync_of(engine)
    settle(pod)
    engine.exit(live(engine, "web").id, 1)
    pod.release()
    assert pod.run_once() == Plan(waiting="released")
    assert len(instances(engine, "web")) == 1


def test_a_pod_that_was_removed_is_not_made_again(engine: FakeEngine) -> None:
    pod = sync_of(engine)
    settle(pod)
    for info in engine.containers({naming.UID: KEY.uid}):
        engine.remove_container(info.id)
    engine.clock.advance(60)
    plan = pod.run_once()
    assert (str(plan), plan.due) == ("nothing to do: the pod was removed", engine.clock.now() + MISSING)


def test_a_sandbox_that_alone_was_removed_is_made_again_after_a_moment(engine: FakeEngine) -> None:
    pod = sync_of(engine)
    settle(pod)
    engine.remove_container(pause_of(engine).id)
    assert not pod.run_once(), "it may be a removal that is under way"
    engine.clock.advance(MISSING)
    settle(pod)
    assert pause_of(engine).attempt == 1
    assert pod.refresh().phase is Phase.RUNNING


def test_a_sandbox_that_was_removed_twice_has_its_journal_and_lease(engine: FakeEngine) -> None:
    """The third has the name of the second: nothing is left on the engine to count on from."""
    pod = sync_of(engine)
    settle(pod)
    for _ in range(2):
        engine.remove_container(pause_of(engine).id)
        pod.run_once()
        engine.clock.advance(MISSING)
        settle(pod)
    assert pod.refresh().phase is Phase.RUNNING
    assert observe.read_history(engine, pause_of(engine).id) == pod.channel.history
    pod.channel.close()
    assert pod.refresh().reason == "LeaseLost"


# what the engine refuses


def test_an_image_that_cannot_be_had_is_tried_again_after_ten_seconds(engine: FakeEngine) -> None:
    pod = sync_of(engine, replace(SPEC, containers=(Container("web", "far:1"),)))
    settle(pod)
    assert pod.status.container("web").state == Waiting(
        "ErrImagePull",
        "cannot pull image 'far:1': pull access denied for far:1, repository does not exist",
        until=engine.clock.now() + 10,
    )
    engine.add_registry_image("far:1")
    engine.clock.advance(9)
    assert not pod.run_once()
    engine.clock.advance(1)
    settle(pod)
    assert pod.refresh().phase is Phase.RUNNING
    assert "Pulled" in reasons(pod)


def test_what_stood_in_the_way_is_gone_once_it_starts(engine: FakeEngine) -> None:
    """`History.failures` promises it."""
    pod = sync_of(engine, replace(SPEC, containers=(Container("web", "far:1"),)))
    settle(pod)
    engine.add_registry_image("far:1")
    engine.clock.advance(10)
    settle(pod)
    assert live(engine, "web").attempt == 0
    assert dict(pod.channel.history.failures) == {}


def test_an_image_of_always_is_pulled_once_a_history(engine: FakeEngine) -> None:
    engine.add_registry_image("app:1")
    always = Container("web", "app:1", image_pull_policy=PullPolicy.ALWAYS)
    pod = sync_of(engine, replace(SPEC, containers=(always,)))
    settle(pod)
    engine.exit(live(engine, "web").id, 1)
    settle(pod)
    assert [call for call in engine.calls if call[0] == "pull_image"] == [("pull_image", "app:1")]


def test_a_pull_that_fails_is_told_with_its_users(engine: FakeEngine) -> None:
    engine.inject("pull_image", ImagePullError("pull image", "far:1", "no route to registry"))
    spec = replace(
        SPEC, containers=(Container("a", "far:1"), Container("b", "far:1"), Container("c", "app:1"))
    )
    pod = sync_of(engine, spec)
    settle(pod)
    assert set(pod.channel.history.failures) == {"a", "b"}
    assert isinstance(pod.refresh().container("c").state, Running)


def test_a_container_that_the_engine_refuses_to_make(engine: FakeEngine) -> None:
    name = naming.member_name(KEY, "web", 0)
    engine.inject("create_container", EngineError("create container", name, "bad mount"), target=name)
    pod = sync_of(engine)
    settle(pod)
    state = pod.refresh().container("web").state
    assert isinstance(state, Waiting)
    assert state.reason == "CreateContainerError"
    assert isinstance(pod.status.container("log").state, Running)


def test_a_name_that_somebody_else_took_says_nothing_of_the_container(engine: FakeEngine) -> None:
    name = naming.member_name(KEY, "web", 0)
    engine.inject("create_container", ConflictError("create container", name, "taken"), target=name)
    pod = sync_of(engine)
    settle(pod)
    assert dict(pod.channel.history.failures) == {}
    assert pod.refresh().phase is Phase.RUNNING


def test_a_command_that_cannot_be_run(engine: FakeEngine) -> None:
    pod = sync_of(engine, replace(SPEC, containers=(Container("web", "app:1", command=["no-such"]),)))
    plan = settle(pod)
    state = pod.status.container("web").state
    assert isinstance(state, Waiting)
    assert state.reason == "RunContainerError"
    assert plan.due == engine.clock.now() + 1


def test_a_sandbox_that_cannot_be_made_is_remembered_until_it_can(engine: FakeEngine) -> None:
    engine.inject("start_container", EngineError("start container", "p", "port is taken"))
    pod = sync_of(engine, leased=False)
    pod.run_once()
    pod.run_once()
    assert pod.recorder.sandbox_error is None or "port is taken" in str(pod.recorder.sandbox_error)
    settle(pod)
    assert pod.recorder.sandbox_error is None
    assert pod.refresh().phase is Phase.RUNNING


def test_an_engine_that_is_not_there_is_raised(engine: FakeEngine) -> None:
    pod = sync_of(engine)
    engine.inject("containers", UNAVAILABLE)
    with pytest.raises(EngineUnavailableError):
        pod.run_once()
    settle(pod)


def test_a_sandbox_whose_start_got_no_answer_keeps_its_lease(engine: FakeEngine) -> None:
    pod = sync_of(engine)
    settle(pod)
    engine.kill_container(pause_of(engine).id)
    engine.inject("start_container", UNAVAILABLE, target=naming.pause_name(KEY, 1))
    with pytest.raises(EngineUnavailableError):
        settle(pod)
    settle(pod)
    assert pod.refresh().reason == ""
    assert pod.status.phase is Phase.RUNNING


def test_a_restart_whose_start_got_no_answer_keeps_its_back_off(engine: FakeEngine) -> None:
    pod = sync_of(engine)
    settle(pod)
    for _ in range(3):
        engine.exit(live(engine, "web").id, 1)
        engine.clock.advance(60)
        settle(pod)
    assert step(pod, "web") == 3
    engine.exit(live(engine, "web").id, 1)
    engine.clock.advance(60)
    engine.inject("start_container", UNAVAILABLE, target=naming.member_name(KEY, "web", 4))
    with pytest.raises(EngineUnavailableError):
        settle(pod)
    settle(pod)
    assert live(engine, "web").attempt == 4
    assert step(pod, "web") == 4


# two at once


def test_two_that_start_the_same_pod_at_once_make_it_once(engine: FakeEngine) -> None:
    first, second = sync_of(engine), sync_of(engine)
    first.between = lambda: settle(second)
    settle(first)
    assert len(engine.containers({naming.UID: KEY.uid})) == 3
    assert pause_of(engine).is_live
    assert first.refresh().phase is Phase.RUNNING
    assert dict(first.channel.history.failures) == {}


def test_two_that_restart_the_same_container_do_it_once(engine: FakeEngine) -> None:
    first, second = sync_of(engine), sync_of(engine)
    settle(first)
    engine.exit(live(engine, "web").id, 1)
    first.between = second.run_once
    settle(first)
    assert [info.attempt for info in instances(engine, "web")] == [1, 0]


# what several threads do


def test_a_look_that_was_overtaken_starts_nothing_twice(engine: FakeEngine) -> None:
    """Another thread's look was made before the restart, and is noted after it."""
    pod = sync_of(engine)
    settle(pod)
    engine.exit(live(engine, "web").id, 1)
    before = look(engine)
    settle(pod)
    pod.noted = before
    settle(pod)
    assert [info.attempt for info in instances(engine, "web")] == [1, 0]


class Looking(FakeEngine):
    """Right after it has listed a pod's containers, something happens."""

    def __init__(self) -> None:
        super().__init__()
        self.add_image("app:1")
        self.then: Callable[[], object] | None = None

    def containers(self, labels: Mapping[str, str], *, volume: str = "") -> list[ContainerInfo]:
        found = super().containers(labels)
        then, self.then = self.then, None
        if then is not None:
            then()
        return found


def test_what_is_started_during_a_look_is_not_told_of_as_removed() -> None:
    """The history that a status is made of is the one from before the look."""
    engine = Looking()
    pod = sync_of(engine)
    settle(pod)
    engine.exit(live(engine, "web").id, 1)
    engine.then = pod.run_once
    web = pod.refresh().container("web")
    assert live(engine, "web").attempt == 1
    assert web.last_state is None or web.last_state.reason == "Error"
    assert web.restart_count == 0


# what is refused time and again


def test_refusals_are_counted_until_a_plan_goes_through(engine: FakeEngine) -> None:
    pod = sync_of(engine, replace(SPEC, volumes=(Volume.empty_dir("data"),)))
    engine.inject("create_volume", EngineError("create volume", "x", "no space left"), times=3)
    for count in (1, 2, 3):
        assert pod.run_once()
        assert pod.refusals == count
    settle(pod)
    assert pod.refusals == 0
    assert pod.refresh().phase is Phase.RUNNING


def test_an_engine_that_goes_away_says_nothing_of_a_container(engine: FakeEngine) -> None:
    """Else it would be held back for ten seconds after the engine is there again."""
    name = naming.member_name(KEY, "web", 0)
    away = EngineUnavailableError("create container", "web", "connection refused")
    engine.inject("create_container", away, target=name)
    pod = sync_of(engine)
    with pytest.raises(EngineUnavailableError):
        settle(pod)
    assert dict(pod.channel.history.failures) == {}
    settle(pod)
    assert pod.refresh().phase is Phase.RUNNING


def test_a_sandbox_that_goes_while_a_member_is_made_says_nothing_of_its_image(engine: FakeEngine) -> None:
    name = naming.member_name(KEY, "web", 0)
    gone = NotFoundError("create container", name, "No such container: 4711", status=404)
    engine.inject("create_container", gone, target=name)
    pod = sync_of(engine)
    settle(pod)
    assert pod.refresh().phase is Phase.RUNNING
    assert dict(pod.channel.history.failures) == {}
