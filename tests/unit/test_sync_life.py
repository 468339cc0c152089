"""What a pod's loop does about probes, hooks, ends, messages, and a sandbox or an engine that goes."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import replace

import pytest

from pypod.engine import observe
from pypod.engine.sync import MESSAGE_TRIES
from pypod.errors import EngineError, EngineUnavailableError, NotFoundError
from pypod.model import naming
from pypod.model.life.finishing import PATIENCE
from pypod.model.life.status import (
    ContainerStatus,
    Phase,
    PodStatus,
    Running,
    Terminated,
    Waiting,
    derive,
)
from pypod.model.spec.handlers import Hook, HookHandler, Lifecycle, Probe
from pypod.model.spec.pod import Container, MessagePolicy, PodSpec, RestartPolicy
from pypod.model.wiring.requests import ContainerRequest
from pypod.testing import FakeEngine, Program
from tests.unit.rig import (
    KEY,
    SPEC,
    Loop,
    events,
    instances,
    live,
    live_for,
    look,
    pause_of,
    says,
    settle,
    starts,
    sync_of,
)

GREETS = Hook.exec(["greets"])
PARTS = Hook.exec(["parts"])


@pytest.fixture
def engine() -> FakeEngine:
    fake = FakeEngine()
    fake.add_image("app:1")
    fake.program("polite", Program())
    fake.program("stubborn", Program(ignores_sigterm=True))
    return fake


def of(
    *containers: Container,
    init: tuple[Container, ...] = (),
    policy: RestartPolicy = RestartPolicy.ALWAYS,
    shared: bool = True,
    grace: float = 30.0,
    deadline: float | None = None,
) -> PodSpec:
    return replace(
        SPEC,
        containers=containers,
        init_containers=init,
        restart_policy=policy,
        share_process_namespace=shared,
        termination_grace_period_seconds=grace,
        active_deadline_seconds=deadline,
    )


def every(command: str, seconds: float = 10, *, failures: int = 3, grace: float | None = None) -> Probe:
    return Probe.exec(
        [command], period_seconds=seconds, failure_threshold=failures, termination_grace_period_seconds=grace
    )


def web(
    command: str = "polite",
    *,
    startup: Probe | None = None,
    liveness: Probe | None = None,
    readiness: Probe | None = None,
    post_start: HookHandler | None = None,
    pre_stop: HookHandler | None = None,
) -> Container:
    return Container(
        "web",
        "app:1",
        command=[command],
        startup_probe=startup,
        liveness_probe=liveness,
        readiness_probe=readiness,
        lifecycle=Lifecycle(post_start, pre_stop),
    )


LOG = Container("log", "app:1")
SETUP = Container("setup", "app:1", command=["true"])


def up(engine: FakeEngine, spec: PodSpec, *, leased: bool = True, hook_takes: float = 0.0) -> Loop:
    pod = sync_of(engine, spec, leased=leased, hook_takes=hook_takes)
    live_for(engine, pod, 0.5)
    return pod


def status_of(pod: Loop, container: str = "web") -> ContainerStatus:
    return pod.refresh().container(container)


def waiting(pod: Loop, container: str = "web") -> str:
    state = status_of(pod, container).state
    assert isinstance(state, Waiting), state
    return state.reason


# probes


def test_a_container_is_ready_when_its_readiness_probe_says_so(engine: FakeEngine) -> None:
    says(engine, "ready", 1)
    pod = up(engine, of(web(readiness=every("ready", 5))))
    assert not status_of(pod).ready
    assert events(pod, "Unhealthy")[0].message.startswith("Readiness probe failed: ")
    says(engine, "ready", 0)
    engine.clock.advance(1)  # a fast try: the next period is 4 s off
    assert status_of(pod).ready
    says(engine, "ready", 1)
    live_for(engine, pod, 12)
    assert status_of(pod).ready, "two failures are no three"
    live_for(engine, pod, 5)
    assert not status_of(pod).ready
    assert starts(engine, "web") == 1


def test_a_probe_that_fails_restarts_the_container_gracefully(engine: FakeEngine) -> None:
    says(engine, "alive", 0)
    probe = every("alive", 1, failures=2)
    pod = up(engine, of(web(liveness=probe)))
    live_for(engine, pod, 5)
    assert starts(engine, "web") == 1
    says(engine, "alive", 1)
    live_for(engine, pod, 1.5)
    says(engine, "alive", 0)
    live_for(engine, pod, 2)
    assert starts(engine, "web") == 2
    [killing] = events(pod, "Killing")
    assert killing.message == "Container web failed liveness probe, will be restarted"
    record = pod.channel.history.record("web", 0)
    assert record.stopping is not None
    assert (record.stopping.reason, record.passed("liveness")) == ("Liveness", False)
    assert record.signalled is not None
    assert instances(engine, "web")[1].exit_code == 143
    live_for(engine, pod, 60)
    assert starts(engine, "web") == 2


def test_one_whose_liveness_fails_and_that_ignores_its_signal_is_killed_at_the_end_of_its_grace(
    engine: FakeEngine,
) -> None:
    says(engine, "alive", 1)
    probe = every("alive", 1, failures=1, grace=7)
    pod = sync_of(engine, of(web("stubborn", liveness=probe)))
    live_for(engine, pod, 8)
    end, record = instances(engine, "web")[-1], pod.channel.history.record("web", 0)
    assert record.stopping is not None
    assert record.signalled == record.stopping.at
    assert end.exit_code == 137
    assert end.finished_at == pytest.approx(record.stopping.at + 7, abs=0.01)
    assert starts(engine, "web") == 2


def test_a_startup_probe_holds_the_others_back(engine: FakeEngine) -> None:
    for program in ("started", "alive", "ready"):
        says(engine, program, 1)
    probes = web(
        startup=every("started", 1, failures=30), liveness=every("alive", 1), readiness=every("ready", 1)
    )
    pod = up(engine, of(probes))
    live_for(engine, pod, 10)
    assert (starts(engine, "web"), status_of(pod).started) == (1, False)
    for program in ("started", "alive", "ready"):
        says(engine, program, 0)
    live_for(engine, pod, 1)
    assert (status_of(pod).started, status_of(pod).ready) == (True, True)
    says(engine, "started", 1)
    live_for(engine, pod, 5)
    assert status_of(pod).started, "it is asked no more"


def test_a_startup_probe_that_fails_restarts_the_container(engine: FakeEngine) -> None:
    says(engine, "started", 1)
    probe = every("started", 1, failures=3)
    pod = up(engine, of(web(startup=probe)))
    live_for(engine, pod, 3)
    assert starts(engine, "web") == 2
    assert events(pod, "Killing")[0].message == "Container web failed startup probe, will be restarted"


def test_what_was_released_is_not_probed(engine: FakeEngine) -> None:
    says(engine, "ready", 0)
    pod = up(engine, of(web(readiness=every("ready", 1))))
    asked = [verb for verb, _ in engine.calls].count("exec")
    pod.release()
    engine.clock.advance(60)
    assert [verb for verb, _ in engine.calls].count("exec") == asked > 0


# hooks


def test_a_post_start_hook_runs_once_beside_its_container_and_before_the_next(engine: FakeEngine) -> None:
    says(engine, "greets", 0)
    pod = sync_of(engine, of(web(post_start=GREETS), LOG), hook_takes=3)
    live_for(engine, pod, 2.5)
    assert isinstance(status_of(pod).state, Running)
    assert (status_of(pod).started, starts(engine, "log")) == (False, 0)
    assert pod.channel.history.record("web", 0).hook("postStart") == "began"
    live_for(engine, pod, 1)
    assert pod.channel.history.record("web", 0).hook("postStart") == "done"
    assert (status_of(pod).ready, starts(engine, "log")) == (True, 1)
    live_for(engine, pod, 20)
    assert [verb for verb, _ in engine.calls].count("exec") == 1


def test_a_post_start_hook_that_fails_stops_its_container(engine: FakeEngine) -> None:
    says(engine, "greets", 1)
    pod = sync_of(engine, of(web(post_start=GREETS)))
    settle(pod)
    assert waiting(pod) == "PostStartHookError"
    [first, *_] = events(pod, "FailedPostStartHook")
    assert (first.type, first.container) == ("Warning", "web")
    assert first.message.startswith("PostStartHook failed: ")
    assert "Container web failed its postStart hook" in [event.message for event in events(pod, "Killing")]
    assert starts(engine, "web") == 2, "the first restart is at once"
    says(engine, "greets", 0)
    live_for(engine, pod, 2)
    assert status_of(pod).ready
    assert starts(engine, "web") == 3


def test_a_pre_stop_hook_runs_before_the_signal_and_within_the_grace(engine: FakeEngine) -> None:
    says(engine, "parts", 0)
    says(engine, "alive", 0)
    probe = every("alive", 1, failures=1)
    one = web("stubborn", pre_stop=PARTS, liveness=probe)
    pod = sync_of(engine, of(one, grace=10), hook_takes=4)
    live_for(engine, pod, 2)
    says(engine, "alive", 1)
    begun = engine.clock.now()
    live_for(engine, pod, 15)
    record = pod.channel.history.record("web", 0)
    assert record.hook("preStop") == "done"
    assert record.stopping is not None
    assert record.signalled == pytest.approx(record.stopping.at + 4, abs=0.1)
    end = instances(engine, "web")[-1]
    assert end.finished_at == pytest.approx(record.stopping.at + 10, abs=0.1)
    assert begun <= record.stopping.at <= begun + 1.1


def test_a_pre_stop_hook_that_takes_the_whole_grace_leaves_two_seconds(engine: FakeEngine) -> None:
    says(engine, "parts", 0)
    says(engine, "alive", 1)
    probe = every("alive", 1, failures=1)
    one = web("stubborn", pre_stop=PARTS, liveness=probe)
    pod = sync_of(engine, of(one, grace=5), hook_takes=3600)
    live_for(engine, pod, 9)
    record = pod.channel.history.record("web", 0)
    assert record.stopping is not None
    assert record.signalled == pytest.approx(record.stopping.at + 5, abs=0.1)
    end = instances(engine, "web")[-1]
    assert end.finished_at == pytest.approx(record.stopping.at + 7, abs=0.1)


def test_a_pre_stop_hook_that_fails_is_told_and_the_stop_goes_on(engine: FakeEngine) -> None:
    says(engine, "parts", 3)
    says(engine, "alive", 1)
    one = web(pre_stop=PARTS, liveness=every("alive", 1, failures=1))
    pod = up(engine, of(one))
    assert events(pod, "FailedPreStopHook")[0].message.startswith("PreStopHook failed: ")
    assert instances(engine, "web")[-1].exit_code == 143


def test_one_that_ends_by_itself_has_no_pre_stop(engine: FakeEngine) -> None:
    says(engine, "parts", 0)
    pod = up(engine, of(web(pre_stop=PARTS)))
    engine.exit(live(engine, "web").id, 1)
    live_for(engine, pod, 5)
    assert starts(engine, "web") == 2
    assert [verb for verb, _ in engine.calls].count("exec") == 0


# pulls

FAR = Container("far", "far:1")


def asked(engine: FakeEngine) -> int:
    """How often an image was asked for."""
    return [verb for verb, _ in engine.calls].count("pull_image")


def test_a_pull_holds_up_only_who_waits_for_it(engine: FakeEngine) -> None:
    """For the others it is as if it were not: restarted, stopped for their probes, whatever time the registry takes."""
    engine.add_registry_image("far:1")
    says(engine, "alive", 0)
    pod = sync_of(engine, of(FAR, web(liveness=every("alive", 1, failures=1)), LOG), pull_takes=60)
    live_for(engine, pod, 2)
    assert (starts(engine, "web"), starts(engine, "log"), starts(engine, "far")) == (1, 1, 0)
    assert waiting(pod, "far") == "ContainerCreating"
    assert pod.refresh().phase is Phase.PENDING
    engine.exit(live(engine, "log").id, 1)
    says(engine, "alive", 1)
    live_for(engine, pod, 1)
    says(engine, "alive", 0)
    live_for(engine, pod, 5)
    assert (starts(engine, "web"), starts(engine, "log"), starts(engine, "far")) == (2, 2, 0)
    live_for(engine, pod, 60)
    assert (starts(engine, "far"), asked(engine)) == (1, 1)
    assert pod.refresh().phase is Phase.RUNNING
    assert {"Pulling", "Pulled"} <= {event.reason for event in events(pod)}


def test_its_end_wakes_the_next_pass(engine: FakeEngine) -> None:
    engine.add_registry_image("far:1")
    pod = sync_of(engine, of(FAR), pull_takes=60)
    plan = settle(pod)
    assert (plan.due, plan.waiting) == (None, "container far: image far:1 is being pulled")
    pod.changed.clear()
    engine.clock.advance(60)
    assert pod.changed.is_set()
    settle(pod)
    assert starts(engine, "far") == 1


def test_one_pull_serves_all_also_who_comes_to_want_it_later(engine: FakeEngine) -> None:
    engine.add_registry_image("far:1")
    pod = sync_of(engine, of(LOG, FAR, replace(FAR, name="too"), init=(SETUP,)), pull_takes=60)
    live_for(engine, pod, 10)
    engine.kill_container(pause_of(engine).id)
    live_for(engine, pod, 60)
    assert pod.refresh().ready_count == 3
    assert (asked(engine), starts(engine, "setup")) == (1, 2)


def test_a_pull_that_fails_concerns_who_waits_for_it_alone(engine: FakeEngine) -> None:
    """Not who runs with the image already, and is to be restarted with it."""
    always = Container("always", "app:1", image_pull_policy="Always")
    engine.add_registry_image("app:1")
    pod = sync_of(engine, of(LOG, always, FAR), pull_takes=5)
    engine.inject("pull_image", EngineError("pull image", "app:1", "no route"), times=99, target="app:1")
    live_for(engine, pod, 6)
    assert {waiting(pod, name) for name in ("always", "far")} <= {"ErrImagePull", "ImagePullBackOff"}
    assert set(pod.channel.history.failures) == {"always", "far"}
    engine.exit(live(engine, "log").id, 1)
    settle(pod)
    assert starts(engine, "log") == 2


def test_an_image_that_comes_another_way_is_used(engine: FakeEngine) -> None:
    """`docker load`, while the next try is not due."""
    pod = sync_of(engine, of(FAR))
    settle(pod)
    assert waiting(pod, "far") == "ErrImagePull"
    engine.add_image("far:1")
    settle(pod)
    assert status_of(pod, "far").ready


def test_an_image_that_somebody_removes_again_and_again_is_not_pulled_in_a_hurry(engine: FakeEngine) -> None:
    engine.add_registry_image("far:1")
    pod = sync_of(engine, of(FAR))
    pod.between = None
    for _ in range(20):
        pod.run_once()
        if "far:1" in [name for image in engine.images() for name in image.references]:
            engine.remove_image("far:1")
    assert asked(engine) == 1
    live_for(engine, pod, 11)
    assert asked(engine) == 2
    assert starts(engine, "far") == 1


def test_a_deadline_gives_pulls_up(engine: FakeEngine) -> None:
    engine.add_registry_image("far:1")
    pod = sync_of(engine, of(FAR, deadline=20), pull_takes=60)
    live_for(engine, pod, 19)
    assert pod.pulls.running == {"far:1"}
    live_for(engine, pod, 2)
    assert pod.pulls.running == frozenset()
    assert pod.refresh().reason == "DeadlineExceeded"
    live_for(engine, pod, 60)
    assert (asked(engine), starts(engine, "far")) == (0, 0)


def remove_all(engine: FakeEngine, pod: Loop) -> None:
    for info in engine.containers({}):
        engine.remove_container(info.id)


GONE: dict[str, Callable[[FakeEngine, Loop], object]] = {
    "it is marked as to go": lambda engine, pod: engine.rename_container(
        pause_of(engine).id, naming.deleting_name(KEY, 0, engine.clock.now() + 30)
    ),
    "all of it was removed": remove_all,
    "it is looked after no more": lambda engine, pod: pod.release(),
}


@pytest.mark.parametrize("how", GONE)
def test_a_pod_that_goes_gives_its_pulls_up(engine: FakeEngine, how: str) -> None:
    engine.add_registry_image("far:1")
    pod = sync_of(engine, of(FAR, LOG), pull_takes=60)
    live_for(engine, pod, 1)
    GONE[how](engine, pod)
    pod.run_once()
    assert pod.pulls.running == frozenset()
    engine.clock.advance(100)
    pod.run_once()
    assert (asked(engine), starts(engine, "far")) == (0, 0)


def test_another_supervisor_pulls_again(engine: FakeEngine) -> None:
    """What a process that was killed was pulling, nobody knows."""
    engine.add_registry_image("far:1")
    spec = of(FAR, LOG)
    pod = sync_of(engine, spec, leased=False, pull_takes=3600)
    live_for(engine, pod, 1)
    other = sync_of(engine, spec, leased=False)
    other.channel.adopt(observe.read_history(engine, pause_of(engine).id), pause_of(engine).name)
    other.channel.attach(pause_of(engine).name, engine.attach_stdin)
    settle(other)
    assert (starts(engine, "far"), starts(engine, "log")) == (1, 1)
    assert other.refresh().ready_count == 2


# the sandbox


FAULTS: dict[str, Callable[[FakeEngine], object]] = {
    "killed": lambda engine: engine.kill_container(pause_of(engine).id),
    "stopped": lambda engine: engine.kill_container(pause_of(engine).id, "SIGTERM"),
    "off its network": lambda engine: engine.disconnect_network(pause_of(engine).id),
    "removed": lambda engine: engine.remove_container(pause_of(engine).id),
}


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_sandbox_that_died_is_made_again_with_all_in_it(
    engine: FakeEngine, fault: str, shared: bool
) -> None:
    pod = up(engine, of(web(), init=(SETUP,), shared=shared))
    address = pod.status.pod_ip
    FAULTS[fault](engine)
    live_for(engine, pod, 5)
    assert pod.refresh().phase is Phase.RUNNING
    assert pause_of(engine).attempt == 1
    assert live(engine, "web").sandbox == 1
    assert starts(engine, "setup") == 2, "init containers run again"
    assert starts(engine, "web") == 2
    assert len(look(engine).pauses) == 1
    assert pod.status.pod_ip == address
    [changed] = events(pod, "SandboxChanged")
    assert changed.message == "Pod sandbox changed, it will be killed and re-created."
    assert observe.read_history(engine, pause_of(engine).id) == pod.channel.history


@pytest.mark.parametrize("leased", [True, False])
@pytest.mark.parametrize("shared", [True, False])
def test_a_pause_that_somebody_restarted_is_a_sandbox_that_died(
    engine: FakeEngine, shared: bool, leased: bool
) -> None:
    """Its members run without a network, and nobody holds its lease."""
    pod = up(engine, of(web(), shared=shared), leased=leased)
    pause = pause_of(engine).id
    engine.clock.advance(1)
    engine.kill_container(pause)
    engine.start_container(pause)
    live_for(engine, pod, 5)
    assert pause_of(engine).attempt == 1
    assert live(engine, "web").attempt == 1
    assert len(events(pod, "SandboxChanged")) == 1


@pytest.mark.parametrize("shared", [True, False])
def test_policy_never_has_no_second_sandbox(engine: FakeEngine, shared: bool) -> None:
    pod = up(engine, of(web(), policy=RestartPolicy.NEVER, shared=shared))
    engine.kill_container(pause_of(engine).id)
    live_for(engine, pod, 5)
    assert pod.refresh().phase is Phase.FAILED
    assert not [info for info in engine.containers({}) if info.is_live]
    assert starts(engine, "web") == 1


def test_a_lease_that_was_lost_under_a_living_owner_is_made_again(engine: FakeEngine) -> None:
    """As at the engine's own end."""
    pod = up(engine, of(web()))
    engine.break_streams()
    pod.channel.close()
    assert pause_of(engine).exit_code == 97
    assert pod.refresh().reason == "LeaseLost"
    live_for(engine, pod, 1)
    assert (pod.refresh().phase, pod.status.reason) == (Phase.RUNNING, "")
    assert len(events(pod, "SandboxChanged")) == 1
    pod.channel.close()
    assert pause_of(engine).exit_code == 97, "the new one holds the lease too"


@pytest.mark.parametrize("kill", [True, False])
@pytest.mark.parametrize("leased", [True, False])
def test_a_restart_of_the_daemon_heals(engine: FakeEngine, leased: bool, kill: bool) -> None:
    says(engine, "ready", 0)
    pod = up(engine, of(web(readiness=every("ready", 1)), LOG, init=(SETUP,)), leased=leased)
    engine.stop_daemon(kill=kill)
    engine.clock.advance(3)
    with pytest.raises(EngineError):
        pod.run_once()
    engine.start_daemon()
    begun = engine.clock.now()
    while not pod.status.conditions["Ready"].status or not pod.observed or pause_of(engine).attempt == 0:
        live_for(engine, pod, 0.5)
        assert engine.clock.now() < begun + 15, pod.status
    assert {live(engine, name).attempt for name in ("web", "log")} == {1}
    assert pod.refresh().restart_count == 3, "web, log and setup"
    assert observe.read_history(engine, pause_of(engine).id) == pod.channel.history


def test_a_member_that_somebody_removed_is_started_again(engine: FakeEngine) -> None:
    pod = up(engine, of(web(), LOG))
    engine.remove_container(live(engine, "web").id)
    live_for(engine, pod, 1)
    assert live(engine, "web").attempt == 1
    assert starts(engine, "log") == 1
    assert (pod.refresh().restart_count, pod.status.phase) == (1, Phase.RUNNING)


# the end


def test_a_pod_that_was_active_for_too_long_has_failed(engine: FakeEngine) -> None:
    pod = sync_of(engine, of(web(), deadline=20))
    live_for(engine, pod, 19)
    assert pod.status.phase is Phase.RUNNING
    live_for(engine, pod, 2)
    assert (pod.refresh().phase, pod.status.reason) == (Phase.FAILED, "DeadlineExceeded")
    assert not [info for info in look(engine).all_members if info.is_live]
    live_for(engine, pod, 60)
    assert starts(engine, "web") == 1
    [event] = events(pod, "DeadlineExceeded")
    assert event.count == 1


def test_sidecars_end_after_the_containers_in_the_reverse_of_their_order(engine: FakeEngine) -> None:
    sidecars = tuple(
        Container(name, "app:1", command=["polite"], restart_policy="Always") for name in ("one", "two")
    )
    job = Container("job", "app:1", command=["sleep", "5"])
    pod = sync_of(engine, of(job, init=sidecars, policy=RestartPolicy.NEVER))
    live_for(engine, pod, 10)
    assert pod.refresh().phase is Phase.SUCCEEDED
    killed = [target for verb, target in engine.calls if verb == "kill_container"]
    assert killed == [instances(engine, name)[0].id for name in ("two", "one")]


def sidecars_and(*containers: Container, sidecar: str = "polite", grace: float = 30.0) -> PodSpec:
    mesh = Container("mesh", "app:1", command=[sidecar], restart_policy="Always")
    return of(*containers, init=(mesh,), policy=RestartPolicy.NEVER, grace=grace)


def test_a_pod_whose_sidecar_still_runs_is_not_over_yet(engine: FakeEngine) -> None:
    pod = sync_of(
        engine, sidecars_and(Container("job", "app:1", command=["sleep", "5"]), sidecar="stubborn", grace=10)
    )
    live_for(engine, pod, 7)
    assert pod.channel.history.finished is not None
    assert (pod.refresh().phase, pod.status.conditions["Ready"].reason) == (Phase.RUNNING, "PodCompleted")
    live_for(engine, pod, 15)
    assert pod.refresh().phase is Phase.SUCCEEDED
    assert instances(engine, "mesh")[0].exit_code == 137
    assert starts(engine, "mesh") == 1


def test_a_deadline_is_told_when_what_ran_has_ended(engine: FakeEngine) -> None:
    pod = sync_of(engine, of(web("stubborn"), deadline=20, grace=10))
    live_for(engine, pod, 21)
    assert pod.channel.history.finished is not None
    assert (pod.refresh().phase, pod.status.reason) == (Phase.RUNNING, "")
    live_for(engine, pod, 10)
    assert (pod.refresh().phase, pod.status.reason) == (Phase.FAILED, "DeadlineExceeded")


def test_a_pod_that_failed_before_it_began_is_pending_until_its_sidecar_has_ended(engine: FakeEngine) -> None:
    mesh = Container("mesh", "app:1", command=["stubborn"], restart_policy="Always")
    setup = Container("setup", "app:1", command=["false"])
    pod = sync_of(engine, of(web(), init=(mesh, setup), policy=RestartPolicy.NEVER, grace=5))
    live_for(engine, pod, 3)
    assert pod.channel.history.finished is not None
    assert pod.refresh().phase is Phase.PENDING
    live_for(engine, pod, 10)
    assert pod.refresh().phase is Phase.FAILED
    assert starts(engine, "web") == 0


def first_shown(engine: FakeEngine, pod: Loop, seconds: float = 60.0) -> PodStatus:
    """The status with which it is seen at its end first, by who looks after each single thing that is done."""
    end = engine.clock.now() + seconds
    while engine.clock.now() < end:
        if pod.refresh().phase.is_final:
            return pod.status
        if not pod.run_once():
            engine.clock.advance(0.1)
    raise AssertionError(f"it does not end: {pod.status}")


def leaving(name: str, script: str, *, policy: MessagePolicy = MessagePolicy.FILE) -> Container:
    return Container(
        name,
        "app:1",
        command=["sh", "-c", script],
        termination_message_path="/end",
        termination_message_policy=policy,
    )


def test_at_the_end_of_a_pod_every_message_is_there(engine: FakeEngine) -> None:
    """Also of what ended after the end was decided."""
    spec = of(
        leaving("one", "echo one > /end"),
        leaving("two", "sleep 2; echo two; exit 2", policy=MessagePolicy.FALLBACK_TO_LOGS_ON_ERROR),
        init=(
            replace(leaving("mesh", "echo mesh > /end; sleep 86400"), restart_policy=RestartPolicy.ALWAYS),
        ),
        policy=RestartPolicy.NEVER,
        grace=1,
    )
    found = first_shown(engine, sync_of(engine, spec))
    assert found.phase is Phase.FAILED
    for name, expected in (("one", "one\n"), ("two", "two\n"), ("mesh", "mesh\n")):
        state = found.container(name).state
        assert isinstance(state, Terminated)
        assert state.message == expected


def until_ended(engine: FakeEngine, pod: Loop) -> None:
    """Its only container has ended, and nobody has seen it yet."""
    while not any(info.has_ended for info in instances(engine, "job")):
        assert pod.run_once()


UNREADABLE: dict[str, Exception] = {
    "a refusal": EngineError("copy from container", "x", "no space left", status=500),
    "no answer, though the pod is listed": EngineUnavailableError("copy from container", "x", "timed out"),
    "a bug of ours": ZeroDivisionError("oops"),
}


@pytest.mark.parametrize("error", UNREADABLE)
def test_a_message_that_cannot_be_read_holds_nothing_up(
    engine: FakeEngine, error: str, caplog: pytest.LogCaptureFixture
) -> None:
    engine.inject("get_archive", UNREADABLE[error], times=10_000)
    spec = sidecars_and(leaving("job", "echo words > /end"))
    pod = sync_of(engine, spec)
    for _ in range(100):
        with contextlib.suppress(EngineUnavailableError):
            pod.run_once()
        engine.clock.advance(0.1)
    assert (pod.refresh().phase, message(pod)) == (Phase.SUCCEEDED, "")
    asked_for = [verb for verb, _ in engine.calls].count("get_archive")
    assert asked_for == (MESSAGE_TRIES if error.startswith("no answer") else 1)
    assert bool(caplog.records) == (error == "a bug of ours")


def test_who_only_looks_sees_the_end_when_it_was_written_down(engine: FakeEngine) -> None:
    """Its messages with it: they were written before."""
    spec = of(leaving("job", "echo words > /end"), policy=RestartPolicy.NEVER)
    pod, onlooker = sync_of(engine, spec, leased=False), sync_of(engine, spec, leased=False)

    def looked() -> PodStatus:
        onlooker.channel.adopt(observe.read_history(engine, pause_of(engine).id))
        return onlooker.refresh()

    until_ended(engine, pod)
    assert looked().phase is Phase.RUNNING
    while not looked().phase.is_final:
        assert pod.run_once()
    state = onlooker.status.container("job").state
    assert isinstance(state, Terminated)
    assert (onlooker.status.phase, state.message) == (Phase.SUCCEEDED, "words\n")


def test_the_end_of_a_pod_that_nobody_looks_after_is_seen_after_a_while(engine: FakeEngine) -> None:
    """`PYPOD_BACKGROUND=0`, or a background program that was killed: nobody writes anything down."""
    spec = of(leaving("job", "echo words > /end; exit 1"), policy=RestartPolicy.NEVER)
    pod = sync_of(engine, spec, leased=False)
    until_ended(engine, pod)
    pod.release()
    onlooker = sync_of(engine, spec, leased=False)
    onlooker.channel.adopt(observe.read_history(engine, pause_of(engine).id))
    engine.clock.advance(PATIENCE - 0.1)
    assert onlooker.refresh().phase is Phase.RUNNING
    engine.clock.advance(0.2)
    assert onlooker.refresh().phase is Phase.FAILED


@pytest.mark.parametrize("shared", [True, False])
def test_the_end_of_a_pod_whose_journal_has_ended_is_seen_by_all(engine: FakeEngine, shared: bool) -> None:
    """Never: there is no other sandbox to write it to."""
    spec = of(web(), policy=RestartPolicy.NEVER, shared=shared)
    pod = up(engine, spec, leased=False)
    engine.kill_container(pause_of(engine).id)
    onlooker = sync_of(engine, spec, leased=False)
    onlooker.channel.adopt(observe.read_history(engine, pause_of(engine).id))
    assert (onlooker.refresh().phase is Phase.FAILED) == shared
    live_for(engine, pod, 5)
    assert (pod.refresh().phase, onlooker.refresh().phase) == (Phase.FAILED, Phase.FAILED)


# termination messages


def message(pod: Loop, container: str = "job") -> str:
    state = status_of(pod, container).state
    assert isinstance(state, Terminated)
    return state.message


def job(
    script: str, policy: MessagePolicy = MessagePolicy.FILE, path: str = "/dev/termination-log"
) -> PodSpec:
    container = Container(
        "job",
        "app:1",
        command=["sh", "-c", script],
        termination_message_path=path,
        termination_message_policy=policy,
    )
    return of(container, policy=RestartPolicy.NEVER)


FALLBACK = MessagePolicy.FALLBACK_TO_LOGS_ON_ERROR


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (job("echo bad luck > /dev/termination-log; exit 1"), "bad luck\n"),
        (job("echo good luck > /dev/termination-log"), "good luck\n"),
        (job("echo in the log; exit 1"), ""),
        (job("echo in the log; exit 1", FALLBACK), "in the log\n"),
        (job("echo in the log", FALLBACK), ""),
        (job("echo log; echo file > /dev/termination-log; exit 1", FALLBACK), "file\n"),
        (job("echo in the log; exit 1", FALLBACK, path=""), "in the log\n"),
        (job("echo in the log; exit 1", path=""), ""),
        (job("echo elsewhere > /tmp/last-words; exit 1", path="/tmp/last-words"), "elsewhere\n"),
    ],
)
def test_a_termination_message_is_read_once(engine: FakeEngine, spec: PodSpec, expected: str) -> None:
    pod = sync_of(engine, spec)
    live_for(engine, pod, 20)
    assert message(pod) == expected
    wanted = bool(spec.containers[0].termination_message_path)
    assert [verb for verb, _ in engine.calls].count("get_archive") == (1 if wanted else 0)


def test_a_message_that_cannot_be_read_is_an_empty_one(engine: FakeEngine) -> None:
    engine.inject("get_archive", EngineError("read file", "x", "no space left", status=500), times=9)
    pod = sync_of(engine, job("echo words > /dev/termination-log; exit 1"))
    live_for(engine, pod, 20)
    assert message(pod) == ""
    assert [verb for verb, _ in engine.calls].count("get_archive") == 1


def test_each_instance_has_a_message_of_its_own(engine: FakeEngine) -> None:
    spec = replace(job("echo words >> /dev/termination-log; exit 1"), restart_policy=RestartPolicy.ALWAYS)
    pod = sync_of(engine, spec)
    live_for(engine, pod, 2)
    assert starts(engine, "job") >= 3
    last = status_of(pod, "job").last_state
    assert last is not None
    assert last.message == "words\n"


def test_a_journal_goes_on_through_a_stdin_that_broke_under_its_pause(engine: FakeEngine) -> None:
    """As an engine with live-restore breaks it. A lease that ends so is lost, and is left."""
    pod = up(engine, of(web()), leased=False)
    engine.break_streams()
    engine.exit(live(engine, "web").id, 1)
    live_for(engine, pod, 1)
    settle(pod)
    assert pause_of(engine).attempt == 0
    assert starts(engine, "web") == 2
    assert observe.read_history(engine, pause_of(engine).id) == pod.channel.history


# --- the instance before -------------------------------------------------------------------------------------------------


class Watched(FakeEngine):
    """Looks at a pod before and after each container is made or removed."""

    def __init__(self) -> None:
        super().__init__()
        self.look: Callable[[], object] = lambda: None

    def create_container(self, request: ContainerRequest) -> str:
        self.look()
        made = super().create_container(request)
        self.look()
        return made

    def remove_container(self, container: str) -> None:
        self.look()
        super().remove_container(container)
        self.look()


def test_however_often_it_is_restarted_the_end_before_is_always_known() -> None:
    engine = Watched()
    engine.add_image("app:1")
    engine.program("crashes", Program(runs_for=1, exit_code=3))
    pod = sync_of(engine, of(web("crashes")))
    seen = []

    def note() -> None:
        found = observe.observe(engine, KEY, pod.desired.spec, clock=engine.clock)
        now = derive(pod.desired, found, pod.channel.history, engine.clock.now()).container("web")
        if now.restart_count:
            seen.append((now.restart_count, now.last_state.exit_code if now.last_state else None))

    live_for(engine, pod, 0.5)
    engine.look = note
    live_for(engine, pod, 30)
    assert {count for count, _ in seen} >= {1, 2, 3}
    assert {code for _, code in seen} == {3}
    newest = starts(engine, "web") - 1
    assert [info.attempt for info in instances(engine, "web")] == [newest, newest - 1]


def test_what_comes_and_goes_during_a_look_is_looked_at_again(engine: FakeEngine) -> None:
    """As the list is answered, the next instance is made and the oldest removed."""
    engine.program("crashes", Program(runs_for=1, exit_code=3))
    pod = sync_of(engine, of(web("crashes")))
    live_for(engine, pod, 2.5)
    assert [info.attempt for info in instances(engine, "web")] == [1, 0]
    engine.clock.advance(5)
    oldest = instances(engine, "web")[1]
    gone = NotFoundError("inspect container", oldest.id, "No such container", status=404)
    engine.inject("container", gone, target=oldest.id)
    calls = len(engine.calls)
    assert [info.attempt for info in look(engine).members["web"]] == [1, 0]
    assert [verb for verb, _ in engine.calls[calls:]].count("containers") == 2
