"""How a pod is doing, in Kubernetes' words."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from pypod.model import naming, status
from pypod.model.journal import ContainerFailed, History
from pypod.model.naming import Owner, PodKey
from pypod.model.planner import Desired
from pypod.model.requests import PodIdentity
from pypod.model.spec import Container, PodSpec, PullPolicy, RestartPolicy
from pypod.model.state import (
    ContainerInfo,
    ContainerState,
    ImageInfo,
    NetworkInfo,
    PodObservation,
    VolumeInfo,
)
from pypod.model.status import Condition, ContainerStatus, Phase, PodStatus, Running, Terminated, Waiting

NOW = 1000.0
KEY = PodKey("default", "shop", "0123456789abcdef")
IDENTITY = PodIdentity(KEY, Owner("boot", 1, 2, 3), leased=True)
IMAGE = ImageInfo("sha256:1", ("nginx:1",))
ALWAYS, ON_FAILURE, NEVER = RestartPolicy.ALWAYS, RestartPolicy.ON_FAILURE, RestartPolicy.NEVER


def pause(**more: object) -> ContainerInfo:
    info = ContainerInfo(
        id="pause",
        name=naming.pause_name(KEY, 0),
        labels=naming.pause_labels(IDENTITY.labels, 0, "{}", ""),
        state=ContainerState.RUNNING,
        image="pause",
        created_at=NOW - 100,
        started_at=NOW - 99,
        addresses={"net": "10.214.0.2"},
    )
    return replace(info, **more)  # type: ignore[arg-type]


def member(name: str, attempt: int = 0, **more: object) -> ContainerInfo:
    info = ContainerInfo(
        id=f"{name}-{attempt}",
        name=naming.member_name(KEY, name, attempt),
        labels=naming.member_labels(IDENTITY.labels, name, attempt),
        state=ContainerState.RUNNING,
        image="sha256:1",
        created_at=NOW - 90,
        started_at=NOW - 89,
    )
    return replace(info, **more)  # type: ignore[arg-type]


def dead(info: ContainerInfo, code: int, **more: object) -> ContainerInfo:
    info = replace(info, state=ContainerState.EXITED, exit_code=code, finished_at=NOW - 1, addresses={})
    return replace(info, **more)  # type: ignore[arg-type]


def made(info: ContainerInfo, **more: object) -> ContainerInfo:
    info = replace(info, state=ContainerState.CREATED, started_at=None, addresses={})
    return replace(info, **more)  # type: ignore[arg-type]


def seen(*infos: ContainerInfo, **more: object) -> PodObservation:
    members: dict[str, tuple[ContainerInfo, ...]] = {}
    for info in infos:
        if not naming.is_pause(info.labels):
            members[info.container] = (*members.get(info.container, ()), info)
    found = PodObservation(
        key=KEY,
        at=NOW,
        pauses=tuple(info for info in infos if naming.is_pause(info.labels)),
        members=members,
        network=NetworkInfo("net", "pypod", "bridge", ()),
        images={"nginx:1": IMAGE},
    )
    return replace(found, **more)  # type: ignore[arg-type]


def derive(
    observed: PodObservation,
    *names: str,
    policy: RestartPolicy = ALWAYS,
    pull: PullPolicy | None = None,
    history: History | None = None,
) -> PodStatus:
    containers = tuple(Container(name, "nginx:1", image_pull_policy=pull) for name in names or ("a",))
    desired = Desired(PodSpec("shop", containers, restart_policy=policy), IDENTITY)
    return status.derive(desired, observed, history or History(), NOW)


# --- the phase -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Vector:
    """One case of Kubernetes' own tests (pkg/kubelet/kubelet_pods_test.go, TestPodPhase*): containers A and B.

    `a` and `b`: "" no status, "waiting", "running", "terminated:N", "waiting,last:N" (waiting after an end with N).
    """

    name: str
    policy: RestartPolicy
    a: str
    b: str
    phase: str
    terminal: bool = False


# Without init containers and without a container's own restartPolicy: neither is here yet.
VECTORS = [
    Vector("all stopped, but the pod is terminal", ALWAYS, "terminated:0", "terminated:-1", "Failed", True),
    Vector("mixed state #2 with restart always", ALWAYS, "running", "", "Pending"),
    Vector("mixed state #3 with restart always", ALWAYS, "running", "waiting", "Pending"),
    Vector("backoff crashloop with restart always", ALWAYS, "running", "waiting,last:0", "Running"),
    Vector("waiting, restart never", NEVER, "", "", "Pending"),
    Vector("all succeeded with restart never", NEVER, "terminated:0", "terminated:0", "Succeeded"),
    Vector("all failed with restart never", NEVER, "terminated:-1", "terminated:-1", "Failed"),
    Vector("mixed state #2 with restart never", NEVER, "running", "", "Pending"),
    Vector("waiting, restart onfailure", ON_FAILURE, "", "", "Pending"),
    Vector("all running with restart onfailure", ON_FAILURE, "running", "running", "Running"),
    Vector("all succeeded with restart onfailure", ON_FAILURE, "terminated:0", "terminated:0", "Succeeded"),
    Vector("all failed with restart onfailure", ON_FAILURE, "terminated:-1", "terminated:-1", "Running"),
    Vector("mixed state #3 with restart onfailure", ON_FAILURE, "running", "waiting", "Pending"),
]


def instance(name: str, word: str) -> list[ContainerInfo]:
    kind, _, code = word.partition(":")
    match kind:
        case "running":
            return [member(name)]
        case "waiting":
            return [made(member(name))]
        case "terminated" | "waiting,last":
            return [dead(member(name), int(code))]
    return []


def test_the_table_is_whole() -> None:
    assert len(VECTORS) == 13


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector.name)
def test_phase_is_as_kubernetes_has_it(vector: Vector) -> None:
    name = naming.deleting_name(KEY, 0, NOW) if vector.terminal else naming.pause_name(KEY, 0)
    observed = seen(pause(name=name), *instance("a", vector.a), *instance("b", vector.b))
    looping = {name: 3 for name, word in (("a", vector.a), ("b", vector.b)) if "last" in word}
    found = derive(observed, "a", "b", policy=vector.policy, history=History(backoff_steps=looping))
    assert found.phase.value == vector.phase


@pytest.mark.parametrize(
    ("sentence", "observed", "policy", "phase"),
    [
        ("a sandbox and nothing else", seen(pause()), ALWAYS, Phase.PENDING),
        ("only a volume so far", seen(volumes=(VolumeInfo("v", {}, 0.0),)), ALWAYS, Phase.PENDING),
        ("OnFailure: one has ended, one runs", seen(pause(), dead(member("a"), 0), member("b")), ON_FAILURE, Phase.RUNNING),
        ("Never: one failed, one runs", seen(pause(), dead(member("a"), 1), member("b")), NEVER, Phase.RUNNING),
        ("Never: one failed", seen(pause(), dead(member("a"), 1), dead(member("b"), 0)), NEVER, Phase.FAILED),
        ("Always: all have just ended", seen(pause(), dead(member("a"), 0), dead(member("b"), 0)), ALWAYS, Phase.RUNNING),
        ("Always: the pause died with all", seen(dead(pause(), 137), dead(member("a"), 137), dead(member("b"), 137)), ALWAYS, Phase.RUNNING),
        ("Never: the pause died, one was not made", seen(dead(pause(), 137), dead(member("a"), 0)), NEVER, Phase.FAILED),
        ("the lease was lost", seen(dead(pause(), 97), dead(member("a"), 137), dead(member("b"), 137)), ALWAYS, Phase.FAILED),
        ("the lease was lost when all was done", seen(dead(pause(), 97), dead(member("a"), 0), dead(member("b"), 0)), NEVER, Phase.SUCCEEDED),
        ("the lease was lost, one outlived it", seen(dead(pause(), 97), member("a"), dead(member("b"), 137)), ALWAYS, Phase.RUNNING),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_phase(sentence: str, observed: PodObservation, policy: RestartPolicy, phase: Phase) -> None:
    assert derive(observed, "a", "b", policy=policy).phase is phase, sentence


def test_nothing_on_the_engine_is_unknown() -> None:
    found = derive(seen())
    assert (found.phase, found.reason, found.summary) == (Phase.UNKNOWN, "NotFound", "NotFound")
    assert found.container_statuses == ()


# --- a container -----------------------------------------------------------------------------------------------------


def only(observed: PodObservation, **more: object) -> ContainerStatus:
    return derive(observed, **more).container("a")  # type: ignore[arg-type]


def test_one_that_runs() -> None:
    assert only(seen(pause(), member("a", 2), dead(member("a", 1), 3))) == ContainerStatus(
        name="a",
        state=Running(NOW - 89),
        last_state=Terminated(3, "Error", "", NOW - 89, NOW - 1),
        ready=True,
        restart_count=2,
        image="nginx:1",
        container_id="a-2",
    )


def test_one_that_is_paused_runs_and_is_not_ready() -> None:
    found = only(seen(pause(), member("a", state=ContainerState.PAUSED)))
    assert isinstance(found.state, Running)
    assert not found.ready


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        (dead(member("a"), 0), "Completed"),
        (dead(member("a"), 1), "Error"),
        (dead(member("a"), 137), "Error"),
        (dead(member("a"), 137, oom_killed=True), "OOMKilled"),
        (made(member("a"), exit_code=127, error="no such file"), "ContainerCannotRun"),
    ],
)
def test_how_one_ended_for_good(end: ContainerInfo, reason: str) -> None:
    found = only(seen(pause(), end), policy=NEVER)
    assert isinstance(found.state, Terminated)
    assert (found.state.reason, found.state.exit_code) == (reason, end.exit_code)
    assert (found.ready, found.last_state) == (False, None)


def test_one_that_keeps_crashing_waits() -> None:
    found = only(seen(pause(), dead(member("a", 3), 1)), history=History(backoff_steps={"a": 3}))
    assert found.state == Waiting(
        "CrashLoopBackOff",
        "back-off 4s restarting failed container=a pod=shop_default(0123456789abcdef)",
    )
    assert found.last_state == Terminated(1, "Error", "", NOW - 89, NOW - 1)
    assert found.restart_count == 3


def test_one_that_crashed_once_is_terminated_for_a_moment() -> None:
    assert isinstance(only(seen(pause(), dead(member("a"), 1))).state, Terminated)


def test_one_that_the_engine_cannot_start_waits_with_its_words() -> None:
    found = only(seen(pause(), made(member("a"), exit_code=127, error="no such file")))
    assert found.state == Waiting("RunContainerError", "no such file")
    assert found.last_state is not None
    assert found.last_state.exit_code == 127


@pytest.mark.parametrize(
    ("observed", "pull", "history", "expected"),
    [
        (seen(pause()), None, History(), Waiting("ContainerCreating")),
        (seen(pause(), made(member("a"))), None, History(), Waiting("ContainerCreating")),
        (
            seen(pause()),
            None,
            History(failures={"a": ContainerFailed(1.0, "a", "ErrImagePull", "no such image")}),
            Waiting("ErrImagePull", "no such image"),
        ),
        (
            seen(pause(), images={"nginx:1": None}),
            PullPolicy.NEVER,
            History(),
            Waiting(
                "ErrImageNeverPull", "Container image 'nginx:1' is not present with pull policy of Never"
            ),
        ),
        (seen(pause(), images={"nginx:1": None}), None, History(), Waiting("ContainerCreating")),
    ],
)
def test_why_one_is_not_there_yet(
    observed: PodObservation, pull: PullPolicy | None, history: History, expected: Waiting
) -> None:
    assert only(observed, pull=pull, history=history).state == expected


def test_an_instance_that_never_started_is_no_last_state() -> None:
    """One was made for a sandbox that did not come up, another one for the next: nothing has failed."""
    found = derive(seen(pause(), made(member("a", 1)), made(member("a"))), policy=NEVER)
    assert found.container("a").last_state is None
    assert found.phase is Phase.PENDING


def test_a_container_that_the_pod_has_not_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        derive(seen(pause())).container("b")


# --- the pod ---------------------------------------------------------------------------------------------------------


def test_a_pod_that_runs() -> None:
    found = derive(seen(pause(), member("a", 2), member("b", 1)), "a", "b")
    assert (found.pod_ip, found.start_time, found.reason, found.message) == ("10.214.0.2", NOW - 100, "", "")
    assert (found.ready_count, found.restart_count, found.terminating) == (2, 3, False)
    assert [c.name for c in found.container_statuses] == ["a", "b"]
    assert dict(found.conditions) == {
        "PodReadyToStartContainers": Condition(True),
        "Initialized": Condition(True),
        "Ready": Condition(True),
        "ContainersReady": Condition(True),
        "PodScheduled": Condition(True),
    }


def test_a_pod_with_one_that_does_not_run_is_not_ready() -> None:
    found = derive(seen(pause(), member("a"), made(member("b"))), "a", "b")
    assert found.conditions["Ready"] == Condition(
        False, "ContainersNotReady", "containers with unready status: [b]"
    )
    assert found.ready_count == 1


@pytest.mark.parametrize(("code", "reason"), [(0, "PodCompleted"), (1, "PodFailed")])
def test_a_pod_that_has_ended_is_not_ready(code: int, reason: str) -> None:
    found = derive(seen(pause(), dead(member("a"), code)), policy=NEVER)
    assert found.conditions["ContainersReady"] == Condition(False, reason)


def test_a_pod_whose_sandbox_is_dead_has_no_address() -> None:
    found = derive(seen(dead(pause(), 137), dead(member("a"), 137)))
    assert found.pod_ip == ""
    assert not found.conditions["PodReadyToStartContainers"].status


def test_a_sandbox_that_cannot_be_started_says_why() -> None:
    assert derive(seen(made(pause(), exit_code=128, error="port is taken"))).message == "port is taken"


def test_a_lost_lease_is_said() -> None:
    found = derive(seen(dead(pause(), 97)))
    assert (found.reason, found.summary, found.message) == (
        "LeaseLost",
        "LeaseLost",
        "the pod's owner is gone",
    )


@pytest.mark.parametrize(
    ("sentence", "observed", "policy", "history", "word"),
    [
        ("running", seen(pause(), member("a")), ALWAYS, History(), "Running"),
        ("being deleted", seen(pause(name="x_1.deleting"), member("a")), ALWAYS, History(), "Terminating"),
        ("being made", seen(pause()), ALWAYS, History(), "ContainerCreating"),
        ("done", seen(pause(), dead(member("a"), 0)), NEVER, History(), "Completed"),
        ("failed", seen(pause(), dead(member("a"), 1)), NEVER, History(), "Error"),
        ("out of memory", seen(pause(), dead(member("a"), 137, oom_killed=True)), NEVER, History(), "OOMKilled"),
        ("crashing", seen(pause(), dead(member("a"), 1)), ALWAYS, History(backoff_steps={"a": 1}), "CrashLoopBackOff"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_one_word_for_a_table(
    sentence: str, observed: PodObservation, policy: RestartPolicy, history: History, word: str
) -> None:
    assert derive(observed, policy=policy, history=history).summary == word, sentence
