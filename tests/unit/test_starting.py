"""Starting a pod: until every container has been started, or one cannot be; and the words for it."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from pypod import starting
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
from pypod.model.naming import Owner, PodKey
from pypod.model.planner import Desired
from pypod.model.requests import PodIdentity
from pypod.model.spec import Container, PodSpec, RestartPolicy
from pypod.model.status import ContainerStatus, Phase, PodStatus, Running, Terminated, Waiting
from pypod.testing import FakeEngine, Program

KEY = PodKey("default", "shop", "0123456789abcdef")
IDENTITY = PodIdentity(KEY, Owner("boot", 1, 2, 3), leased=True)
WEB = Container("web", "app:1")
ALWAYS, ON_FAILURE, NEVER = RestartPolicy.ALWAYS, RestartPolicy.ON_FAILURE, RestartPolicy.NEVER


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    fake = FakeEngine()
    fake.add_image("app:1")
    told = SimpleNamespace(time=fake.clock.now, monotonic=fake.clock.now, sleep=fake.clock.sleep)
    for module in ("pypod.engine.sync", "pypod.engine.observe", "pypod.starting"):
        monkeypatch.setattr(f"{module}.time", told)
    return fake


def start(
    engine: FakeEngine,
    *containers: Container,
    policy: RestartPolicy = ALWAYS,
    timeout: float = 60,
    min_ready_seconds: float = 0.1,
) -> PodSync:
    pod = PodSync(engine, Desired(PodSpec("shop", containers, restart_policy=policy), IDENTITY))
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
    pod = PodSync(engine, Desired(PodSpec("shop", (WEB,)), other))
    starting.start(pod, timeout=60, min_ready_seconds=0)
    with pytest.raises(PodExistsError, match=r"cannot start pod 'default/shop': the name is taken"):
        start(engine, WEB)
    assert pod.refresh().ready_count == 1


def test_a_lease_that_is_lost_meanwhile(engine: FakeEngine) -> None:
    pod = PodSync(engine, Desired(PodSpec("shop", (WEB,)), IDENTITY))
    while pod.run_once():
        pass
    pod.channel.close()
    with pytest.raises(PodStartError, match=r"its lease was lost while it started"):
        starting.start(pod, timeout=60, min_ready_seconds=0)


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
        "a is running; b is waiting: ContainerCreating; c is waiting: ErrImagePull no such image; "
        "d ended with code 2 (Error)"
    )
    assert starting.describe_unready(PodStatus(Phase.UNKNOWN)) == "nothing of it is on the engine"
