"""Starting a pod: until every container has been started, or one cannot be; and the words for it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from pypod import starting
from pypod.engine import observe
from pypod.engine.api import Closable
from pypod.engine.sync import PodSync
from pypod.errors import (
    CommandError,
    EngineError,
    EngineUnavailableError,
    ImageError,
    PodExistsError,
    PodStartError,
    PodTimeoutError,
)
from pypod.model import naming
from pypod.model.life.desired import Desired
from pypod.model.life.status import ContainerStatus, Phase, PodStatus, Running, Terminated, Waiting
from pypod.model.naming import PodIdentity, PodKey
from pypod.model.spec.handlers import Hook, Lifecycle, Probe
from pypod.model.spec.pod import Container, PodSpec, RestartPolicy, Volume
from pypod.model.wiring.credentials import Login
from pypod.model.wiring.state import PodObservation
from pypod.testing import FakeEngine, Program
from tests.unit.rig import IDENTITY, KEY, Loop, pause_of, says, starts, sync_of

WEB = Container("web", "app:1")
ALWAYS, ON_FAILURE, NEVER = RestartPolicy.ALWAYS, RestartPolicy.ON_FAILURE, RestartPolicy.NEVER


@pytest.fixture
def engine() -> FakeEngine:
    fake = FakeEngine()
    fake.add_image("app:1")
    return fake


def start(
    engine: FakeEngine,
    *containers: Container,
    init: tuple[Container, ...] = (),
    policy: RestartPolicy = ALWAYS,
    timeout: float = 60,
    min_ready_seconds: float = 0.1,
) -> PodSync:
    pod = sync_of(engine, PodSpec("shop", containers, restart_policy=policy, init_containers=init))
    starting.start(pod, timeout=timeout, min_ready_seconds=min_ready_seconds)
    return pod


def does(*command: str, name: str = "job") -> Container:
    return Container(name, "app:1", command=command)


def test_it_returns_when_all_have_been_up_for_long_enough(engine: FakeEngine) -> None:
    before = engine.clock.now()
    pod = start(engine, WEB, Container("log", "app:1"), min_ready_seconds=2)
    assert engine.clock.now() - before == pytest.approx(2, abs=0.1)
    assert pod.status.ready_count == 2


@pytest.mark.parametrize("policy", RestartPolicy)
def test_true_as_a_command_is_no_failure(engine: FakeEngine, policy: RestartPolicy) -> None:
    start(engine, does("true"), WEB, policy=policy)


def test_one_that_fails_once_and_then_stays_up_is_waited_for(engine: FakeEngine) -> None:
    engine.program("flaky", Program(runs_for=0.01, exit_code=1))
    engine.clock.call_at(engine.clock.now() + 0.005, lambda: engine.program("flaky", Program()))
    pod = start(engine, does("flaky"))
    assert pod.status.container("job").restart_count == 1


def test_one_that_ends_with_an_error_for_good(engine: FakeEngine) -> None:
    with pytest.raises(PodStartError) as caught:
        start(engine, does("sh", "-c", "echo one; echo two; exit 3"), WEB, policy=NEVER)
    error = caught.value
    assert type(error) is PodStartError
    assert (error.pod, error.container, error.exit_code, error.reason) == ("default/shop", "job", 3, "Error")
    assert error.log_tail == ("one", "two")
    assert str(error) == (
        "cannot start pod 'default/shop': container 'job': Error: exited with code 3 (Error, restartPolicy Never)\n"
        "its last log lines:\n"
        "  job| one\n"
        "  job| two"
    )
    assert error.plan is not None


@pytest.mark.parametrize("policy", [ALWAYS, ON_FAILURE])
def test_one_that_keeps_crashing(engine: FakeEngine, policy: RestartPolicy) -> None:
    with pytest.raises(
        PodStartError, match=r"CrashLoopBackOff: keeps crashing: exited with code 1, restarted"
    ) as c:
        start(engine, does("false"), policy=policy)
    assert (c.value.reason, c.value.exit_code) == ("CrashLoopBackOff", 1)


def test_who_looks_when_the_back_off_is_over_sees_the_crash_too(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine may be that busy."""
    look = observe.observe

    def late(*args: Any, **more: Any) -> PodObservation:
        engine.clock.sleep(3)
        return look(*args, **more)

    monkeypatch.setattr(observe, "observe", late)
    with pytest.raises(PodStartError, match=r"keeps crashing: exited with code 1, restarted 1 time"):
        start(engine, does("false"))


@pytest.mark.parametrize("policy", RestartPolicy)
@pytest.mark.parametrize(("command", "code"), [("no-such-program", 127), ("/etc/passwd", 126)])
def test_a_command_that_cannot_be_run(
    engine: FakeEngine, policy: RestartPolicy, command: str, code: int
) -> None:
    with pytest.raises(CommandError) as caught:
        start(engine, does(command, "x"), policy=policy)
    assert (caught.value.exit_code, caught.value.reason) == (code, "RunContainerError")
    words = f"container 'job': RunContainerError: command ['{command}', 'x'] cannot be run (exit code {code})"
    assert words in str(caught.value)


def test_a_shell_that_cannot_run_its_program(engine: FakeEngine) -> None:
    with pytest.raises(CommandError) as caught:
        start(engine, does("sh", "-c", "no-such-program"), policy=NEVER)
    assert caught.value.exit_code == 127
    assert caught.value.log_tail == ("sh: no-such-program: not found",)


def test_an_image_that_cannot_be_had(engine: FakeEngine) -> None:
    before = engine.clock.now()
    with pytest.raises(
        ImageError, match=r"container 'web': ErrImagePull: cannot pull image 'far:1'"
    ) as caught:
        start(engine, Container("web", "far:1"))
    assert caught.value.container == "web"
    assert engine.clock.now() - before < 1


def test_an_image_that_must_not_be_pulled(engine: FakeEngine) -> None:
    with pytest.raises(ImageError, match=r"ErrImageNeverPull.*pull policy of Never"):
        start(engine, Container("web", "far:1", image_pull_policy="Never"))


def test_an_image_of_always_that_is_here_says_what_would_use_it(engine: FakeEngine) -> None:
    engine.add_image("app")
    with pytest.raises(ImageError, match=r"the engine has image 'app': image_pull_policy='IfNotPresent'"):
        start(engine, Container("web", "app"))


def test_a_container_that_the_engine_refuses(engine: FakeEngine) -> None:
    name = naming.member_name(KEY, "web", 0)
    engine.inject("create_container", EngineError("create container", name, "bad mount"), target=name)
    with pytest.raises(PodStartError, match=r"CreateContainerError: cannot create container .*: bad mount"):
        start(engine, WEB)


def test_a_sandbox_that_cannot_be_started(engine: FakeEngine) -> None:
    name = naming.pause_name(KEY, 0)
    engine.inject("start_container", EngineError("start container", name, "port is taken"), target=name)
    with pytest.raises(PodStartError, match=r"its sandbox cannot be made: port is taken") as caught:
        start(engine, WEB)
    assert caught.value.reason == "CreatePodSandboxError"


def test_a_name_that_is_taken(engine: FakeEngine) -> None:
    other = PodIdentity(PodKey("default", "shop", "another"), IDENTITY.owner, leased=True)
    pod = PodSync(engine, Desired(PodSpec("shop", (WEB,)), other), clock=engine.clock)
    starting.start(pod, timeout=60, min_ready_seconds=0)
    with pytest.raises(PodExistsError, match=r"cannot start pod 'default/shop': the name is taken"):
        start(engine, WEB)
    assert pod.refresh().ready_count == 1


def test_a_lease_that_is_lost_meanwhile_is_held_again(engine: FakeEngine) -> None:
    """Its owner is this very process: it was the engine that ended it."""
    pod = sync_of(engine, PodSpec("shop", (WEB,)))
    while pod.run_once():
        pass
    pod.channel.close()
    starting.start(pod, timeout=60, min_ready_seconds=0)
    assert pause_of(engine).attempt == 1
    assert pod.status.ready_count == 1


def test_an_engine_that_is_not_there(engine: FakeEngine) -> None:
    engine.inject("networks", EngineUnavailableError("list networks", "", "connection refused"))
    with pytest.raises(EngineUnavailableError):
        start(engine, WEB)


def test_the_time_is_up(engine: FakeEngine) -> None:
    with pytest.raises(PodTimeoutError) as caught:
        start(engine, WEB, timeout=5, min_ready_seconds=3600)
    assert str(caught.value).startswith(
        "cannot start pod 'default/shop' in 5 s: web is running\nthe last plan:\n#1 "
    )
    assert isinstance(caught.value, TimeoutError)


def test_a_deadline_that_passes_meanwhile_is_told_at_once(engine: FakeEngine) -> None:
    """Not only when what runs has ended."""
    engine.program("stubborn", Program(ignores_sigterm=True))
    says(engine, "ready", 1)
    web = Container("web", "app:1", command=["stubborn"], readiness_probe=Probe.exec(["ready"]))
    pod = sync_of(engine, PodSpec("shop", (web,), active_deadline_seconds=5))
    before = engine.clock.now()
    with pytest.raises(PodStartError, match=r"DeadlineExceeded: Pod was active on the node longer") as caught:
        starting.start(pod, timeout=60, min_ready_seconds=0)
    assert caught.value.reason == "DeadlineExceeded"
    assert engine.clock.now() - before < 6


FAULTS: dict[str, Callable[[FakeEngine], object]] = {
    "killed": lambda engine: engine.kill_container(pause_of(engine).id),
    "off its network": lambda engine: engine.disconnect_network(pause_of(engine).id),
}


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_sandbox_that_dies_meanwhile_is_the_end_where_there_is_no_other(
    engine: FakeEngine, fault: str, shared: bool
) -> None:
    says(engine, "ready", 1)
    web = Container("web", "app:1", readiness_probe=Probe.exec(["ready"], period_seconds=1))
    spec = PodSpec("shop", (web,), restart_policy=NEVER, share_process_namespace=shared)
    engine.clock.call_at(engine.clock.now() + 2, lambda: FAULTS[fault](engine))
    pod, before = sync_of(engine, spec), engine.clock.now()
    with pytest.raises(PodStartError) as caught:
        starting.start(pod, timeout=60, min_ready_seconds=0)
    assert caught.value.reason in ("SandboxChanged", "Failed", "Error")
    assert engine.clock.now() - before < 4


def test_a_job_that_is_done_before_its_sidecar_has_ended_was_started(engine: FakeEngine) -> None:
    """A sidecar that is stopped by a signal has not failed."""
    engine.program("polite", Program())
    mesh = Container("mesh", "app:1", command=["polite"], restart_policy="Always")
    pod = start(engine, does("true"), init=(mesh,), policy=NEVER, min_ready_seconds=3)
    assert pod.channel.history.finished is not None
    while pod.run_once():
        pass
    assert pod.refresh().phase is Phase.SUCCEEDED


# what a start waits for


PATIENCE = 20.0


def test_a_readiness_probe_says_when_it_is_up_and_not_how_long(engine: FakeEngine) -> None:
    says(engine, "ready", 1)
    engine.clock.call_at(engine.clock.now() + 3, lambda: says(engine, "ready", 0))
    web = Container("web", "app:1", readiness_probe=Probe.exec(["ready"], period_seconds=10))
    before = engine.clock.now()
    start(engine, web, min_ready_seconds=3600)
    assert engine.clock.now() - before == pytest.approx(3, abs=0.3)


def test_a_readiness_probe_that_never_succeeds_is_waited_for_until_the_time_is_up(engine: FakeEngine) -> None:
    says(engine, "ready", 1)
    web = Container("web", "app:1", readiness_probe=Probe.exec(["ready"], period_seconds=1))
    before = engine.clock.now()
    with pytest.raises(
        PodTimeoutError,
        match=r"in 7 s: web is running, not ready \(Readiness probe failed: .*\)\nthe last plan:\n#1 ",
    ):
        start(engine, web, timeout=7)
    assert engine.clock.now() - before == pytest.approx(7, abs=0.1)
    assert starts(engine, "web") == 1


def test_init_containers_are_waited_for_and_told_of(engine: FakeEngine) -> None:
    with pytest.raises(PodTimeoutError) as caught:
        start(engine, WEB, init=(does("sleep", "3600", name="setup"),), timeout=5)
    assert "in 5 s: init container setup; setup is running, not ready; web is waiting: PodInit" in str(
        caught.value
    )
    assert starts(engine, "web") == 0


def test_an_init_container_that_failed_for_good(engine: FakeEngine) -> None:
    with pytest.raises(PodStartError, match=r"container 'setup': Error: exited with code 4") as caught:
        start(engine, WEB, init=(does("sh", "-c", "exit 4", name="setup"),), policy=NEVER)
    assert (caught.value.container, caught.value.exit_code) == ("setup", 4)


def test_one_that_dies_until_its_neighbour_is_ready_is_waited_for(engine: FakeEngine) -> None:
    """As an application does until its database answers."""
    says(engine, "ready", 1)
    engine.program("app", Program(runs_for=0, exit_code=1))

    def database_comes() -> None:
        says(engine, "ready", 0)
        engine.program("app", Program())

    engine.clock.call_at(engine.clock.now() + 6, database_comes)
    database = Container("db", "app:1", readiness_probe=Probe.exec(["ready"], period_seconds=1))
    pod = start(engine, database, does("app", name="job"))
    assert pod.status.container("job").restart_count >= 3


def test_a_post_start_hook_that_fails_time_and_again_is_waited_for(engine: FakeEngine) -> None:
    says(engine, "greets", 1)
    engine.program("polite", Program())
    engine.clock.call_at(engine.clock.now() + 2, lambda: says(engine, "greets", 0))
    web = Container("web", "app:1", command=["polite"], lifecycle=Lifecycle(post_start=Hook.exec(["greets"])))
    pod = start(engine, web)
    assert pod.status.container("web").restart_count >= 1
    assert "FailedPostStartHook" in [event.reason for event in pod.channel.history.events]


def test_a_refusal_that_goes_on_is_not_asked_for_in_a_hurry(engine: FakeEngine) -> None:
    full = EngineError("create volume", "x", "no space left", status=500)
    engine.inject("create_volume", full, times=100_000)
    spec = PodSpec("shop", (WEB,), volumes=(Volume.empty_dir("data"),))
    pod = sync_of(engine, spec)
    with pytest.raises(
        PodTimeoutError, match=r"the engine last refused: cannot create volume 'x': no space left"
    ):
        starting.start(pod, timeout=20, min_ready_seconds=0)
    assert [verb for verb, _ in engine.calls].count("create_volume") < 100


class PullingEngine(FakeEngine):
    """Says when a pull has begun that takes its time, and when it has ended."""

    def __init__(self) -> None:
        super().__init__()
        self.add_image("app:1")
        self.begun, self.ended = threading.Event(), threading.Event()

    def pull_image(
        self,
        reference: str,
        progress: Callable[[str], None] | None = None,
        register: Callable[[Closable], None] | None = None,
        *,
        login: Login | None = None,
    ) -> None:
        def note(pull: Closable) -> None:
            if register is not None:
                register(pull)
            self.begun.set()

        try:
            super().pull_image(reference, progress, note, login=login)
        finally:
            if self.begun.is_set():
                self.ended.set()


def in_background(pod: PodSync, timeout: float) -> tuple[threading.Thread, list[Exception]]:
    raised: list[Exception] = []

    def run() -> None:
        try:
            starting.start(pod, timeout=timeout, min_ready_seconds=0)
        except Exception as error:
            raised.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread, raised


def test_a_pull_is_given_up_when_the_time_is_up() -> None:
    engine = PullingEngine()
    engine.add_registry_image("far:1", takes=3600)
    desired = Desired(PodSpec("shop", (Container("web", "far:1"),)), IDENTITY)
    pod = PodSync(engine, desired, clock=engine.clock)
    thread, raised = in_background(pod, timeout=10)
    assert engine.begun.wait(PATIENCE)
    engine.clock.advance(10.1)
    thread.join(PATIENCE)
    assert [type(error) for error in raised] == [PodTimeoutError]
    assert engine.ended.wait(PATIENCE), "the pull goes on"
    assert pod.pulls.running == frozenset()
    assert dict(pod.channel.history.failures) == {}, "that says nothing of the image"


def test_an_image_that_cannot_be_had_gives_up_the_pulls_of_others() -> None:
    engine = PullingEngine()
    engine.add_registry_image("far:1", takes=3600)
    missing = Container("log", "missing:1")
    desired = Desired(PodSpec("shop", (Container("web", "far:1"), missing)), IDENTITY)
    pod = PodSync(engine, desired, clock=engine.clock)
    thread, raised = in_background(pod, timeout=7200)
    thread.join(PATIENCE)
    assert [type(error) for error in raised] == [ImageError]
    assert "container 'log': ErrImagePull" in str(raised[0])
    assert pod.pulls.running == frozenset()
    assert set(pod.channel.history.failures) == {"log"}


def test_a_start_that_only_begins_waits_for_no_pull(engine: FakeEngine) -> None:
    """Who looks after the pod from then on pulls: what this process has begun ends with it."""
    engine.add_registry_image("far:1")
    pod = sync_of(engine, PodSpec("shop", (Container("web", "far:1"),)), pull_takes=3600)
    before = engine.clock.now()
    starting.begin(pod, timeout=10)
    assert pause_of(engine).is_live
    assert engine.clock.now() - before < 1
    assert pod.pulls.running == {"far:1"}
    pod.release()
    assert pod.pulls.running == frozenset()


def test_the_time_of_a_pull_counts_and_is_told_of(engine: FakeEngine) -> None:
    pod = sync_of(engine, PodSpec("shop", (Container("web", "far:1"),)), pull_takes=3600)
    with pytest.raises(
        PodTimeoutError, match=r"in 5 s: container web: image far:1 is being pulled; web is waiting"
    ):
        starting.start(pod, timeout=5, min_ready_seconds=0)


def test_an_engine_that_goes_away_during_a_pull_is_asked_again(engine: FakeEngine) -> None:
    engine.add_registry_image("far:1")
    engine.inject("pull_image", EngineUnavailableError("pull image", "far:1", "reset"), times=3)
    pod = start(engine, Container("web", "far:1"))
    assert pod.status.ready_count == 1
    assert 3 <= [verb for verb, _ in engine.calls].count("pull_image") <= 4


def test_what_cannot_heal_cancels_the_rest_of_the_plan(engine: FakeEngine) -> None:
    name = naming.member_name(KEY, "web", 0)
    engine.inject("create_container", EngineError("create container", name, "bad mount"), target=name)
    with pytest.raises(PodStartError, match=r"container 'web': CreateContainerError"):
        start(engine, WEB, Container("log", "app:1"))
    assert starts(engine, "log") == 0


def test_a_pod_that_is_looked_after_goes_on_with_the_rest(engine: FakeEngine) -> None:
    name = naming.member_name(KEY, "web", 0)
    engine.inject("create_container", EngineError("create container", name, "bad mount"), target=name)
    pod: Loop = sync_of(engine, PodSpec("shop", (WEB, Container("log", "app:1"))))
    while pod.run_once():
        pass
    assert starts(engine, "log") == 1


def test_begin_makes_the_sandbox_and_leaves_the_rest(engine: FakeEngine) -> None:
    pod = sync_of(engine, PodSpec("shop", (WEB,), init_containers=(does("sleep", "3600", name="setup"),)))
    starting.begin(pod, timeout=10)
    assert pause_of(engine).is_live
    assert starts(engine, "web") == 0


def test_begin_raises_for_a_sandbox_that_cannot_be_made(engine: FakeEngine) -> None:
    name = naming.pause_name(KEY, 0)
    engine.inject("start_container", EngineError("start container", name, "port is taken"), target=name)
    pod = sync_of(engine, PodSpec("shop", (WEB,)))
    with pytest.raises(PodStartError, match=r"its sandbox cannot be made: port is taken"):
        starting.begin(pod, timeout=10)


def test_a_container_that_crashes_beside_one_that_is_ready_already(engine: FakeEngine) -> None:
    """It had its try with the other there."""
    says(engine, "ready", 0)
    database = Container("db", "app:1", readiness_probe=Probe.exec(["ready"], period_seconds=1))
    before = engine.clock.now()
    with pytest.raises(PodStartError, match=r"container 'job': CrashLoopBackOff"):
        start(engine, database, does("sh", "-c", "sleep 1; exit 1"), min_ready_seconds=2)
    assert engine.clock.now() - before < 7


def test_a_log_tail_is_of_the_newest_instance_that_wrote_and_short(engine: FakeEngine) -> None:
    script = "; ".join(f"echo line {number}" for number in range(30))
    with pytest.raises(PodStartError) as caught:
        start(engine, does("sh", "-c", f"{script}; exit 1"), policy=NEVER)
    assert caught.value.log_tail == tuple(f"line {number}" for number in range(10, 30))


def test_a_log_that_cannot_be_read_is_no_second_failure(engine: FakeEngine) -> None:
    engine.inject("logs", EngineError("read logs", "x", "no such driver"), times=99)
    with pytest.raises(PodStartError) as caught:
        start(engine, does("sh", "-c", "echo a; exit 1"), policy=NEVER)
    assert caught.value.log_tail == ()


def test_which_containers_are_where() -> None:
    def one(name: str, state: Waiting | Running | Terminated) -> ContainerStatus:
        return ContainerStatus(name, state, None, False, 0, "app:1", "")

    status = PodStatus(
        Phase.PENDING,
        container_statuses=(
            one("a", Running(1.0)),
            one("b", Waiting("ContainerCreating")),
            one("c", Waiting("ErrImagePull", "no such image")),
            one("d", Terminated(2, "Error")),
        ),
    )
    assert starting.describe_unready(status) == (
        "a is running, not ready; b is waiting: ContainerCreating; c is waiting: ErrImagePull no such image; "
        "d ended with code 2 (Error)"
    )
    assert starting.describe_unready(PodStatus(Phase.UNKNOWN)) == "nothing of it is on the engine"


# --- stopped meanwhile --------------------------------------------------------------------------------------------------


def whole(pod: PodSync) -> None:
    starting.start(pod, timeout=60, min_ready_seconds=0.1)


def beginning(pod: PodSync) -> None:
    starting.begin(pod, timeout=60)


@pytest.mark.parametrize("bring_up", [whole, beginning])
def test_a_start_ends_where_another_thread_stops_the_pod(
    engine: FakeEngine, bring_up: Callable[[PodSync], None]
) -> None:
    pod = sync_of(engine, PodSpec("shop", (Container("web", "app:1"),)))
    pod.between = lambda: pod.release(wait=False)
    before = engine.clock.now()
    with pytest.raises(PodStartError, match="Stopped: it was stopped meanwhile") as caught:
        bring_up(pod)
    assert caught.value.reason == "Stopped"
    assert engine.clock.now() - before < 1
