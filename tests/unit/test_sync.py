"""A pod that one process, or two, bring to where its spec says: on a fake engine whose time is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from pypod.engine import observe
from pypod.engine.sync import MISSING, PodSync
from pypod.errors import ConflictError, EngineError, EngineUnavailableError, ImagePullError
from pypod.model import naming
from pypod.model.naming import Owner, PodKey
from pypod.model.plan import Plan
from pypod.model.planner import Desired
from pypod.model.requests import PodIdentity
from pypod.model.spec import Container, PodSpec, PullPolicy, RestartPolicy
from pypod.model.state import ContainerInfo
from pypod.model.status import Phase, Running, Waiting
from pypod.testing import FakeClock, FakeEngine

KEY = PodKey("default", "shop", "0123456789abcdef")
IDENTITY = PodIdentity(KEY, Owner("boot", 1, 2, 3), leased=True)
SPEC = PodSpec("shop", (Container("web", "app:1"), Container("log", "app:1")))
UNAVAILABLE = EngineUnavailableError("start container", "x", "connection refused")


def told_time(patch: pytest.MonkeyPatch, clock: FakeClock) -> None:
    """Let the engine's clock be the time of all that looks at a pod."""
    told = SimpleNamespace(time=clock.now, monotonic=clock.now, sleep=clock.sleep)
    for module in ("sync", "observe"):
        patch.setattr(f"pypod.engine.{module}.time", told)


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    fake = FakeEngine()
    fake.add_image("app:1")
    told_time(monkeypatch, fake.clock)
    return fake


def sync_of(engine: FakeEngine, spec: PodSpec = SPEC, *, leased: bool = True) -> PodSync:
    return PodSync(engine, Desired(spec, replace(IDENTITY, leased=leased)))


def settle(pod: PodSync, passes: int = 40) -> Plan:
    """Pass until there is nothing to do; the last plan."""
    for _ in range(passes):
        plan = pod.run_once()
        if not plan:
            return plan
    raise AssertionError(f"it does not settle; the last plan:\n{plan}")


def instances(engine: FakeEngine, container: str) -> list[ContainerInfo]:
    """Newest first."""
    return list(observe.observe(engine, KEY).members.get(container, ()))


def live(engine: FakeEngine, container: str) -> ContainerInfo:
    [info] = [info for info in instances(engine, container) if info.is_live]
    return info


def pause_of(engine: FakeEngine) -> ContainerInfo:
    found = observe.observe(engine, KEY).pause
    assert found is not None
    return found


def reasons(pod: PodSync) -> list[str]:
    return [f"{event.reason} {event.container}".strip() for event in pod.channel.history.events]


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
    assert pod.sandbox_error is None or "port is taken" in str(pod.sandbox_error)
    settle(pod)
    assert pod.sandbox_error is None
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
    assert pod.channel.history.backoff_steps["web"] == 3
    engine.exit(live(engine, "web").id, 1)
    engine.clock.advance(60)
    engine.inject("start_container", UNAVAILABLE, target=naming.member_name(KEY, "web", 4))
    with pytest.raises(EngineUnavailableError):
        settle(pod)
    settle(pod)
    assert live(engine, "web").attempt == 4
    assert pod.channel.history.backoff_steps["web"] == 4


# two at once


class Interrupted(PodSync):
    """Between its look and its actions something else happens."""

    between: Callable[[], object] | None = None

    def plan(self) -> Plan:
        plan = super().plan()
        between, self.between = self.between, None
        if between is not None:
            between()
        return plan


def test_two_that_start_the_same_pod_at_once_make_it_once(engine: FakeEngine) -> None:
    first, second = Interrupted(engine, Desired(SPEC, IDENTITY)), sync_of(engine)
    first.between = lambda: settle(second)
    settle(first)
    assert len(engine.containers({naming.UID: KEY.uid})) == 3
    assert pause_of(engine).is_live
    assert first.refresh().phase is Phase.RUNNING
    assert dict(first.channel.history.failures) == {}


def test_two_that_restart_the_same_container_do_it_once(engine: FakeEngine) -> None:
    first, second = Interrupted(engine, Desired(SPEC, IDENTITY)), sync_of(engine)
    settle(first)
    engine.exit(live(engine, "web").id, 1)
    first.between = second.run_once
    settle(first)
    assert [info.attempt for info in instances(engine, "web")] == [1, 0]


class PodMachine(RuleBasedStateMachine):
    """Whatever happens to a pod that one or two processes look after, and in whatever order they look."""

    @initialize(
        policy=st.sampled_from(RestartPolicy),
        shared=st.booleans(),
        leased=st.booleans(),
        racing=st.booleans(),
    )
    def start(self, policy: RestartPolicy, shared: bool, leased: bool, racing: bool) -> None:
        self.patch = pytest.MonkeyPatch()
        self.engine = FakeEngine()
        self.engine.add_image("app:1")
        told_time(self.patch, self.engine.clock)
        self.patch.setattr("pypod.engine.sync.ACTIONS", None)  # on this thread: the same every time
        spec = replace(SPEC, restart_policy=policy, share_process_namespace=shared)
        desired = Desired(spec, replace(IDENTITY, leased=leased))
        self.pods = [Interrupted(self.engine, desired), Interrupted(self.engine, desired)]
        self.counts = {"web": 0, "log": 0}
        self.final: Phase | None = None
        if not racing:
            self.settles(0)

    def teardown(self) -> None:
        if hasattr(self, "patch"):
            self.patch.undo()

    def _running(self, role: str) -> list[ContainerInfo]:
        labels = {naming.UID: KEY.uid, naming.ROLE: role}
        return [info for info in self.engine.containers(labels) if info.is_live]

    @rule(index=st.integers(0, 5), code=st.sampled_from([0, 0, 1, 137]))
    def ends(self, index: int, code: int) -> None:
        members = self._running("member")
        if members:
            self.engine.exit(members[index % len(members)].id, code)

    @rule()
    def loses_its_pause(self) -> None:
        for info in self._running("pause"):
            self.engine.exit(info.id, 137)

    @rule(seconds=st.sampled_from([0.5, 1.0, 10.0, 61.0, 700.0]))
    def grows_older(self, seconds: float) -> None:
        self.engine.clock.advance(seconds)

    @rule(verb=st.sampled_from(["create_container", "start_container", "kill_container", "remove_container"]))
    def is_refused_something(self, verb: str) -> None:
        self.engine.inject(verb, EngineError(verb, "x", "server error", status=500))

    @rule(who=st.integers(0, 1))
    def is_looked_after(self, who: int) -> None:
        self.pods[who].run_once()

    @rule(who=st.integers(0, 1))
    def is_looked_after_by_both(self, who: int) -> None:
        self.pods[who].between = self.pods[1 - who].run_once
        self.pods[who].run_once()

    @rule(who=st.integers(0, 1))
    def settles(self, who: int) -> None:
        settle(self.pods[who])
        lost = self.pods[who].status.reason == "LeaseLost"
        assert lost or not self._running("member") or self._running("pause"), "members without a sandbox"

    @invariant()
    def no_container_runs_twice(self) -> None:
        if not hasattr(self, "engine"):
            return
        names = [info.container for info in self._running("member")]
        assert len(names) == len(set(names)), names
        assert len(self._running("pause")) <= 1

    @invariant()
    def restart_counts_never_decrease(self) -> None:
        if not hasattr(self, "pods"):
            return
        for status in self.pods[0].refresh().container_statuses:
            assert status.restart_count >= self.counts[status.name]
            self.counts[status.name] = status.restart_count

    @invariant()
    def a_final_phase_stays(self) -> None:
        if not hasattr(self, "pods"):
            return
        for pod in self.pods:
            phase = pod.refresh().phase
            assert self.final in (None, phase), f"{self.final} became {phase}"
            if phase in (Phase.SUCCEEDED, Phase.FAILED):
                self.final = phase


TestPodMachine = PodMachine.TestCase
TestPodMachine.settings = settings(max_examples=60, stateful_step_count=20, deadline=None)
