"""Bringing a pod away, from any process, in the time that it has."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

import pytest

from pypod.engine import observe
from pypod.engine.api import EngineEvent
from pypod.engine.executor import ActionResult
from pypod.engine.gate import LINGERING
from pypod.engine.sync import PodSync
from pypod.engine.teardown import SLACK, Teardown
from pypod.errors import ConflictError, EngineError, EngineUnavailableError, NotFoundError, TeardownError
from pypod.model import naming
from pypod.model.life.desired import Desired
from pypod.model.life.plan import KillContainer, RunHook
from pypod.model.naming import PodIdentity, PodKey
from pypod.model.spec.handlers import Hook, Lifecycle
from pypod.model.spec.pod import Container, PodSpec, Volume
from pypod.model.wiring.requests import NetworkRequest
from pypod.testing import FakeClock, FakeEngine, Program
from tests.unit.rig import IDENTITY, KEY, live_for, says, settle, sync_of

SPEC = PodSpec(
    "shop", (Container("web", "app:1"), Container("log", "app:1")), volumes=(Volume.empty_dir("html"),)
)
STUBBORN = replace(SPEC, containers=(Container("web", "app:1", command=["stubborn"]),))


def engine_of(clock: FakeClock) -> FakeEngine:
    fake = FakeEngine(clock)
    fake.add_image("app:1")
    fake.program("stubborn", Program(ignores_sigterm=True))
    fake.program("polite", Program())
    return fake


@pytest.fixture
def engine() -> FakeEngine:
    return engine_of(FakeClock(1_700_000_000.75))  # no whole second


def up(engine: FakeEngine, spec: PodSpec = SPEC) -> PodSync:
    pod = sync_of(engine, spec)
    live_for(engine, pod, 1)
    return pod


def teardown_of(
    engine: FakeEngine,
    spec: PodSpec | None = None,
    *,
    grace: float = 0.0,
    pod: PodSync | None = None,
    hook_takes: float = 0.0,
    on_result: Callable[[ActionResult], None] | None = None,
) -> Teardown:
    """On the engine's clock, as are its hooks: one waits for so many seconds before it does anything."""

    def spawn(task: Callable[[], None]) -> None:
        engine.clock.call_at(engine.clock.now() + hook_takes, task)

    return Teardown(
        engine,
        KEY,
        grace=grace,
        spec=spec,
        channel=pod.channel if pod is not None else None,
        clock=engine.clock,
        on_result=on_result,
        spawn=spawn,
    )


def names(engine: FakeEngine) -> list[str]:
    """All that the engine has, but for images and Docker's own networks."""
    return sorted(
        [info.name for info in engine.containers({})]
        + [volume.name for volume in engine.volumes({})]
        + [network.name for network in engine.networks() if network.name not in ("bridge", "host", "none")]
    )


def took(engine: FakeEngine, end: Callable[[], object]) -> float:
    before = engine.clock.now()
    end()
    return engine.clock.now() - before


def signals(heard: list[ActionResult]) -> list[str]:
    return [str(result.action) for result in heard if str(result.action).startswith("send")]


def test_without_grace_it_goes_at_once_and_the_default_network_stays(engine: FakeEngine) -> None:
    up(engine)
    assert took(engine, teardown_of(engine).run) == 0
    assert names(engine) == ["pypod"]


def test_what_is_gone_is_fine(engine: FakeEngine) -> None:
    teardown_of(engine).run()
    assert names(engine) == []


def test_a_member_that_ends_half_a_second_after_its_signal_is_seen_at_once_and_asked_for_by_lists(
    engine: FakeEngine,
) -> None:
    stubborn = Program(ignores_sigterm=True)
    engine.program("slow", stubborn)
    up(engine, replace(SPEC, containers=(Container("web", "app:1", command=["slow"]),)))
    member = next(info for info in engine.containers({}) if info.container == "web")
    engine.clock.call_at(engine.clock.now() + 0.5, lambda: engine.exit(member.id))
    before = len(engine.calls)
    assert took(engine, teardown_of(engine, grace=30).run) < 0.5 + 0.04
    inspections = [call for call in engine.calls[before:] if call[0] == "container"]
    assert len(inspections) <= 8, "two containers, before and after each of signal and end"


class HearingClock(FakeClock):
    """Who waits for an event stops waiting within a millisecond of it."""

    def wait(self, event: threading.Event, seconds: float) -> bool:
        end = self.now() + seconds
        while not event.is_set() and (left := end - self.now()) > 0:
            self.advance(min(0.001, left))
        return event.is_set()


class Told:
    """A pod of one member that ends half a second after the teardown has begun, which then hears of it."""

    def __init__(self, *, listed_after: float = 0.0) -> None:
        self.engine = engine_of(HearingClock())
        up(self.engine, STUBBORN)
        self.teardown = teardown_of(self.engine, grace=30)
        (self.member,) = (info for info in self.engine.containers({}) if info.container == "web")
        begun = self.engine.clock.now()
        self._at(begun + 0.01, "kill")
        self._at(begun + 0.5, "die")
        self.engine.clock.call_at(begun + 0.5 + listed_after, lambda: self.engine.exit(self.member.id))
        self.before = len(self.engine.calls)
        self.took = took(self.engine, self.teardown.run)
        self.verbs = [verb for verb, _ in self.engine.calls[self.before :]]

    def _at(self, when: float, action: str) -> None:
        event = EngineEvent(action, self.member.id)
        self.engine.clock.call_at(when, lambda: self.teardown.hear(event))


def test_an_end_that_is_heard_of_is_seen_at_once_and_hardly_asked_for() -> None:
    told = Told()
    assert told.took <= 0.5 + 0.005
    assert told.verbs.count("containers") <= 13, "every tenth of a second, where the signal was heard of"
    assert names(told.engine) == ["pypod"]


def test_an_end_that_is_heard_of_before_the_engine_lists_it_is_seen_soon() -> None:
    assert Told(listed_after=0.02).took <= 0.5 + 0.02 + 0.02


def test_when_nothing_runs_any_more_nothing_is_inspected() -> None:
    told = Told()
    assert told.verbs.count("container") == 4, "two containers, before and after the signal"


def test_events_that_may_have_been_missed_are_looked_for() -> None:
    """As when their stream is opened again: nothing was heard of the member's end."""
    clock = HearingClock()
    engine = engine_of(clock)
    up(engine, STUBBORN)
    teardown = teardown_of(engine, grace=30)
    (member,) = (info for info in engine.containers({}) if info.container == "web")

    def ends() -> None:
        engine.exit(member.id)
        teardown.wake()

    clock.call_at(clock.now() + 0.5, ends)
    assert took(engine, teardown.run) <= 0.5 + 0.005


def test_members_that_end_are_not_waited_for_longer(engine: FakeEngine) -> None:
    up(engine, replace(SPEC, containers=(Container("web", "app:1", command=["polite"]),)))
    assert took(engine, teardown_of(engine, grace=30).run) < 1
    assert names(engine) == ["pypod"]


@pytest.mark.parametrize("grace", [30.0, 1.0, 0.5])
def test_members_have_their_grace_and_one_signal(engine: FakeEngine, grace: float) -> None:
    up(engine, STUBBORN)
    heard: list[ActionResult] = []
    teardown = teardown_of(engine, grace=grace, on_result=heard.append)
    assert took(engine, teardown.run) == pytest.approx(grace, abs=0.1)
    assert len([line for line in signals(heard) if line.startswith("send SIGTERM")]) == 1
    assert names(engine) == ["pypod"]


def test_a_signal_is_the_images_own(engine: FakeEngine) -> None:
    engine.add_image("quit:1", stop_signal="SIGQUIT")
    up(engine, replace(SPEC, containers=(Container("web", "quit:1", command=["polite"]),)))
    heard: list[ActionResult] = []
    teardown_of(engine, grace=30, on_result=heard.append).run()
    assert signals(heard)[0] == "send SIGQUIT to container pypod_default_shop_01234567_web_0"


def test_the_mark_comes_first_and_stops_the_care_for_the_pod(engine: FakeEngine) -> None:
    pod = up(engine, STUBBORN)
    heard: list[str] = []

    def note(result: ActionResult) -> None:
        heard.append(str(result.action))
        if len(heard) == 1:
            assert str(pod.run_once()) == "nothing to do: the pod is being deleted"
            assert pod.status.terminating

    teardown_of(engine, grace=2, on_result=note).run()
    assert heard[0].startswith("rename container pypod_default_shop_pause_0 to ")


def test_another_process_keeps_to_the_deadline_that_was_set(engine: FakeEngine) -> None:
    up(engine, STUBBORN)
    pause = observe.observe(engine, KEY, clock=engine.clock).pause
    assert pause is not None
    engine.rename_container(pause.id, naming.deleting_name(KEY, 0, engine.clock.now() + 5))
    assert took(engine, teardown_of(engine, grace=30).run) <= 5.5
    assert names(engine) == ["pypod"]


def test_another_process_finishes_what_was_begun_and_left(engine: FakeEngine) -> None:
    """An hour ago, say: the mark's deadline is long past."""
    up(engine, STUBBORN)
    pause = observe.observe(engine, KEY, clock=engine.clock).pause
    assert pause is not None
    engine.rename_container(pause.id, naming.deleting_name(KEY, 0, engine.clock.now()))
    engine.clock.advance(3600)
    teardown_of(engine).run()
    assert names(engine) == ["pypod"]


def test_two_at_once_help_each_other(engine: FakeEngine) -> None:
    up(engine)
    second = teardown_of(engine)
    heard: list[ActionResult] = []

    def note(result: ActionResult) -> None:
        heard.append(result)
        if len(heard) == 2:
            second.run()

    Teardown(engine, KEY, pool=None, clock=engine.clock, on_result=note).run()
    assert names(engine) == ["pypod"]


def test_an_isolated_network_goes_with_its_last_pod(engine: FakeEngine) -> None:
    up(engine, replace(SPEC, network="ci"))
    assert "pypod_ci" in names(engine)
    teardown_of(engine).run()
    assert names(engine) == []


def test_an_isolated_network_goes_with_a_pod_whose_sandbox_is_dead(engine: FakeEngine) -> None:
    """What a lost lease leaves, and a sweep removes: a dead container has no address any more."""
    pod = up(engine, replace(SPEC, network="ci"))
    pod.channel.close()
    teardown_of(engine).run()
    assert names(engine) == []


ISOLATED = replace(SPEC, network="ci")
OTHER = PodIdentity(PodKey("default", "other", "fedcba9876543210"), IDENTITY.owner, leased=True)
IN_USE = ConflictError("remove network", "ci", "network pypod_ci has active endpoints", status=403)


def another(engine: FakeEngine, spec: PodSpec = ISOLATED) -> PodSync:
    """Another pod, on the same network; not looked after yet."""
    desired = Desired(replace(spec, name="other"), OTHER)
    return PodSync(engine, desired, clock=engine.clock, actions=None)


def test_an_isolated_network_stays_while_another_pod_is_on_it(engine: FakeEngine) -> None:
    up(engine, ISOLATED)
    pod = another(engine)
    settle(pod)
    assert took(engine, teardown_of(engine).run) == 0
    assert "pypod_ci" in names(engine)
    assert pod.refresh().ready_count == 2
    Teardown(engine, OTHER.key, clock=engine.clock).run()
    assert names(engine) == []


class Helped(FakeEngine):
    """Somebody else removes the same pod, and is always a little faster: every second thing is gone already."""

    removals = 0

    def remove_container(self, container: str) -> None:
        super().remove_container(container)
        self.removals += 1
        if self.removals % 2:
            raise NotFoundError("remove container", container, "No such container", status=404)


def test_an_isolated_network_goes_also_where_each_of_two_removes_a_part_of_the_pod() -> None:
    """To each of them some removal fails: for the other one the removal of the network waited, for neither it came."""
    engine = Helped(FakeClock(1_700_000_000.75))
    engine.add_image("app:1")
    up(engine, ISOLATED)
    teardown_of(engine).run()
    assert names(engine) == []


def test_an_isolated_network_goes_with_the_last_of_two_that_leave_at_once(engine: FakeEngine) -> None:
    """Whoever is first finds the other one on it."""
    up(engine, ISOLATED)
    settle(another(engine))
    second = Teardown(engine, OTHER.key, pool=None, clock=engine.clock)
    heard: list[str] = []

    def note(result: ActionResult) -> None:
        heard.append(str(result.action))
        if heard[-1].startswith("remove container"):  # nothing of the first one has an address any more
            second.run()

    Teardown(engine, KEY, pool=None, clock=engine.clock, on_result=note).run()
    assert names(engine) == []


def test_an_isolated_network_of_which_there_are_two_goes_as_a_whole(engine: FakeEngine) -> None:
    """They raced into being, with two subnets: pods are on one of them."""
    up(engine, ISOLATED)
    engine.create_network(NetworkRequest("pypod_ci", "10.99.0.0/20", naming.network_labels("ci")))
    assert names(engine).count("pypod_ci") == 2
    teardown_of(engine).run()
    assert names(engine) == []


def test_an_isolated_network_goes_with_a_pod_that_had_come_no_further(engine: FakeEngine) -> None:
    """Its start was given up between the network and the sandbox."""
    sync_of(engine, replace(ISOLATED, volumes=())).run_once()
    assert names(engine) == ["pypod_ci"]
    teardown_of(engine, ISOLATED).run()
    assert names(engine) == []


def test_a_pod_that_comes_while_the_networks_last_one_leaves_makes_it_again(engine: FakeEngine) -> None:
    pod = up(engine, ISOLATED)
    other = sync_of(engine, replace(ISOLATED, name="other"))
    other.desired = Desired(replace(ISOLATED, name="other"), OTHER)
    other.between = teardown_of(engine, pod=pod).run
    settle(other)
    assert other.refresh().ready_count == 2
    Teardown(engine, OTHER.key, clock=engine.clock).run()
    assert names(engine) == []


def test_an_isolated_network_that_the_engine_still_takes_for_used_is_removed_a_little_later(
    engine: FakeEngine,
) -> None:
    up(engine, ISOLATED)
    engine.inject("remove_network", IN_USE, times=3)
    assert 0 < took(engine, teardown_of(engine).run) < LINGERING
    assert names(engine) == []


def test_an_isolated_network_that_somebody_else_uses_stays(engine: FakeEngine) -> None:
    """A container that is no pod's: nothing that would be wrong with this one."""
    up(engine, ISOLATED)
    engine.inject("remove_network", IN_USE, times=10_000)
    assert LINGERING < took(engine, teardown_of(engine).run) < LINGERING + 2
    assert names(engine) == ["pypod_ci"]


def test_an_isolated_network_that_cannot_be_removed_is_told_with_the_reason(engine: FakeEngine) -> None:
    up(engine, ISOLATED)
    broken = EngineError("remove network", "ci", "plugin is gone", status=500)
    engine.inject("remove_network", broken, times=10_000)
    with pytest.raises(TeardownError) as caught:
        teardown_of(engine).run()
    assert dict(caught.value.leftovers) == {"network pypod_ci": str(broken)}


def test_volumes_that_a_dead_maker_left(engine: FakeEngine) -> None:
    up(engine)
    for info in engine.containers({}):
        engine.remove_container(info.id)
    teardown_of(engine).run()
    assert names(engine) == ["pypod"]


def test_what_cannot_be_removed_is_told_with_the_reason(engine: FakeEngine) -> None:
    up(engine)
    web = naming.member_name(KEY, "web", 0)
    identity = engine.container(web).id
    busy = EngineError("remove container", web, "device or resource busy", status=500)
    engine.inject("remove_container", busy, times=10_000, target=identity)
    with pytest.raises(TeardownError) as caught:
        teardown_of(engine).run()
    assert dict(caught.value.leftovers)[f"container {web}"] == str(busy)
    assert "default/shop" in str(caught.value)


def test_a_failure_is_tried_again_not_in_a_hurry(engine: FakeEngine) -> None:
    up(engine)
    busy = EngineError("remove volume", "html", "volume is in use")
    engine.inject("remove_volume", busy, times=5)
    assert 0.1 < took(engine, teardown_of(engine).run) < SLACK
    assert names(engine) == ["pypod"]


def test_an_engine_that_goes_away_is_raised(engine: FakeEngine) -> None:
    up(engine)
    engine.inject("remove_volume", EngineUnavailableError("remove volume", "html", "connection refused"))
    with pytest.raises(EngineUnavailableError):
        teardown_of(engine).run()
    teardown_of(engine).run()
    assert names(engine) == ["pypod"]


def test_kill_now_ends_the_grace(engine: FakeEngine) -> None:
    up(engine, STUBBORN)
    teardown = teardown_of(engine, grace=3600, on_result=lambda result: teardown.kill_now())
    assert took(engine, teardown.run) < 1
    assert names(engine) == ["pypod"]


class Pressed(FakeClock):
    """Somebody presses Ctrl-C during the first wait that ends after a time."""

    def __init__(self) -> None:
        super().__init__(1_700_000_000.75)
        self.at: float | None = None

    def wait(self, event: threading.Event, seconds: float) -> bool:
        if self.at is not None and self.now() > self.at:
            self.at = None
            raise KeyboardInterrupt
        return super().wait(event, seconds)


def test_ctrl_c_ends_the_grace_finishes_and_is_raised_then() -> None:
    clock = Pressed()
    engine = engine_of(clock)
    up(engine, STUBBORN)
    begun = clock.now()
    clock.at = begun + 1
    with pytest.raises(KeyboardInterrupt):
        teardown_of(engine, grace=3600).run()
    assert names(engine) == ["pypod"]
    assert clock.now() < begun + 2


def test_other_pods_are_left_alone(engine: FakeEngine) -> None:
    up(engine)
    Teardown(engine, replace(KEY, uid="another"), clock=engine.clock).run()
    assert len(engine.containers({})) == 3


# the order of a stop


def with_hooks(command: str = "polite", grace: float = 30.0, name: str = "web") -> PodSpec:
    parts = Lifecycle(pre_stop=Hook.exec(["parts"]))
    web = Container(name, "app:1", command=[command], lifecycle=parts)
    return replace(SPEC, containers=(web,), termination_grace_period_seconds=grace)


def with_sidecars(command: str = "polite", sidecar: str = "polite") -> PodSpec:
    sidecars = tuple(
        Container(name, "app:1", command=[sidecar], restart_policy="Always") for name in ("first", "second")
    )
    web = Container("web", "app:1", command=[command])
    return replace(SPEC, containers=(web,), init_containers=sidecars)


def execs(engine: FakeEngine) -> int:
    return [verb for verb, _ in engine.calls].count("exec")


def short(heard: list[ActionResult]) -> list[str]:
    """Signals and hooks in their order: ``SIGTERM web``, ``preStop web``."""
    found = []
    for result in heard:
        match result.action:
            case KillContainer(container=name, signal=signal) if name:
                found.append(f"{signal} {name}")
            case RunHook(container=name, hook=hook):
                found.append(f"{hook} {name}")
    return found


def test_pre_stop_runs_before_the_signal_and_its_time_counts(engine: FakeEngine) -> None:
    spec = with_hooks("stubborn")
    says(engine, "parts", 0)
    pod = up(engine, spec)
    heard: list[ActionResult] = []
    times: dict[str, float] = {}
    begun = engine.clock.now()

    def note(result: ActionResult) -> None:
        heard.append(result)
        times.setdefault(str(result.action).split()[1], engine.clock.now() - begun)

    teardown = teardown_of(engine, spec, grace=10, pod=pod, hook_takes=4, on_result=note)
    assert took(engine, teardown.run) == pytest.approx(10, abs=0.2)
    assert short(heard) == ["preStop web", "SIGTERM web"]
    assert times["SIGTERM"] == pytest.approx(4, abs=0.2)
    assert execs(engine) == 1
    assert pod.channel.history.record("web", 0).hook("preStop") == "done"
    assert names(engine) == ["pypod"]


def test_a_pre_stop_that_takes_the_whole_grace_leaves_two_seconds(engine: FakeEngine) -> None:
    spec = with_hooks("stubborn")
    pod = up(engine, spec)
    heard: list[ActionResult] = []
    teardown = teardown_of(engine, spec, grace=5, pod=pod, hook_takes=3600, on_result=heard.append)
    assert took(engine, teardown.run) == pytest.approx(7, abs=0.2)
    assert short(heard)[:2] == ["preStop web", "SIGTERM web"]
    assert names(engine) == ["pypod"]


def test_a_pre_stop_that_fails_is_told_and_the_stop_goes_on(engine: FakeEngine) -> None:
    spec = with_hooks()
    says(engine, "parts", 1)
    pod = up(engine, spec)
    assert took(engine, teardown_of(engine, spec, grace=30, pod=pod).run) < 1
    assert "FailedPreStopHook" in [event.reason for event in pod.channel.history.events]


def test_without_grace_there_are_no_hooks(engine: FakeEngine) -> None:
    spec = with_hooks()
    says(engine, "parts", 0)
    up(engine, spec)
    assert took(engine, teardown_of(engine, spec, grace=0).run) == 0
    assert execs(engine) == 0


def test_who_comes_second_runs_no_hooks(engine: FakeEngine) -> None:
    """And keeps to the grace that was given: whoever began waits for the hooks."""
    spec = with_hooks("stubborn")
    says(engine, "parts", 0)
    up(engine, spec)
    pause = observe.observe(engine, KEY, clock=engine.clock).pause
    assert pause is not None
    engine.rename_container(pause.id, naming.deleting_name(KEY, 0, engine.clock.now() + 5))
    assert took(engine, teardown_of(engine, spec, grace=30).run) <= 5.5
    assert execs(engine) == 0
    assert names(engine) == ["pypod"]


def test_kill_now_does_not_wait_for_a_hook(engine: FakeEngine) -> None:
    spec = with_hooks("stubborn")
    up(engine, spec)
    teardown = teardown_of(
        engine, spec, grace=3600, hook_takes=1800, on_result=lambda result: begun_hook(result, teardown)
    )
    assert took(engine, teardown.run) < 1
    assert names(engine) == ["pypod"]


def begun_hook(result: ActionResult, teardown: Teardown) -> None:
    if isinstance(result.action, RunHook):
        teardown.kill_now()


def test_a_second_ctrl_c_while_a_hook_runs() -> None:
    clock = Pressed()
    engine = engine_of(clock)
    spec = with_hooks("stubborn")
    up(engine, spec)
    begun = clock.now()
    clock.at = begun + 3
    with pytest.raises(KeyboardInterrupt):
        teardown_of(engine, spec, grace=3600, hook_takes=1800).run()
    assert clock.now() < begun + 4
    assert names(engine) == ["pypod"]


def test_sidecars_get_their_signal_after_the_containers_in_the_reverse_of_their_order(
    engine: FakeEngine,
) -> None:
    spec = with_sidecars()
    pod = up(engine, spec)
    heard: list[ActionResult] = []
    teardown = teardown_of(engine, spec, grace=30, pod=pod, on_result=heard.append)
    assert took(engine, teardown.run) < 1
    assert short(heard) == ["SIGTERM web", "SIGTERM second", "SIGTERM first"]


def test_sidecars_wait_no_longer_than_the_grace(engine: FakeEngine) -> None:
    spec = with_sidecars("stubborn", "stubborn")
    pod = up(engine, spec)
    heard: list[ActionResult] = []
    teardown = teardown_of(engine, spec, grace=10, pod=pod, on_result=heard.append)
    assert took(engine, teardown.run) == pytest.approx(12, abs=0.3), "two seconds of their own"
    assert next(line for line in short(heard) if "SIGTERM" in line) == "SIGTERM web"
    assert {line for line in short(heard) if "SIGTERM" in line} == {
        f"SIGTERM {name}" for name in ("web", "second", "first")
    }


def test_a_spec_that_cannot_be_read_has_no_order(engine: FakeEngine) -> None:
    up(engine, with_sidecars())
    heard: list[ActionResult] = []
    teardown_of(engine, None, grace=30, on_result=heard.append).run()
    assert sorted(short(heard)) == ["SIGTERM first", "SIGTERM second", "SIGTERM web"]


# what is refused


def test_a_signal_that_is_refused_is_sent_again_not_in_a_hurry(engine: FakeEngine) -> None:
    spec = replace(SPEC, containers=(Container("web", "app:1", command=["polite"]),))
    pod = up(engine, spec)
    engine.inject("kill_container", EngineError("kill container", "web", "server error"), times=3)
    heard: list[ActionResult] = []
    teardown = teardown_of(engine, spec, grace=30, pod=pod, on_result=heard.append)
    assert 0.1 < took(engine, teardown.run) < 2
    assert short(heard) == ["SIGTERM web"] * 4
    assert names(engine) == ["pypod"]


def test_a_signal_that_is_always_refused_does_not_keep_the_pod(engine: FakeEngine) -> None:
    spec = with_hooks("stubborn", name="job")
    up(engine, spec)
    stuck = naming.member_name(KEY, "job", 0)
    identity = engine.container(stuck).id
    denied = EngineError("kill container", stuck, "permission denied", status=500)
    engine.inject("kill_container", denied, times=10_000, target=identity)
    heard: list[ActionResult] = []
    teardown = teardown_of(engine, spec, grace=5, on_result=heard.append)
    assert took(engine, teardown.run) < 5 + SLACK
    assert len(heard) < 60, "it is not asked in a hurry"
    assert names(engine) == ["pypod"]
