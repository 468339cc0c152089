"""How a pod is doing, in Kubernetes' words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pypod.model.life import status
from pypod.model.life.history import History
from pypod.model.life.journal import (
    Began,
    ContainerFailed,
    Entry,
    Hooked,
    Message,
    PodFinished,
    Probed,
    Started,
)
from pypod.model.life.members import Kind
from pypod.model.life.status import Condition, ContainerStatus, Phase, PodStatus, Running, Terminated, Waiting
from pypod.model.naming import Role
from pypod.model.spec.handlers import Hook, Lifecycle, Probe
from pypod.model.spec.pod import Container, PullPolicy, RestartPolicy
from pypod.model.spec.resources import Resources
from pypod.model.wiring.state import ContainerInfo, ContainerState, PodObservation, VolumeInfo
from tests.unit.snapshots import (
    ENDED,
    IMAGE,
    NOW,
    STARTED,
    deleting,
    ended,
    made,
    member,
    pause,
    refused,
    seen,
    sidecar,
    told,
    wanted,
)

ALWAYS, ON_FAILURE, NEVER = RestartPolicy.ALWAYS, RestartPolicy.ON_FAILURE, RestartPolicy.NEVER
VANISHED = Terminated(
    137,
    "ContainerStatusUnknown",
    "The container could not be located when the pod was deleted.  The container used to be Running",
)


def derive(
    observed: PodObservation,
    *names: Container | str,
    init: Sequence[Container | str] = (),
    policy: RestartPolicy = ALWAYS,
    history: History | None = None,
) -> PodStatus:
    return status.derive(wanted(*names, init=init, policy=policy), observed, history or History(), NOW)


def looping(name: str = "a", attempt: int = 0) -> History:
    """The back-off of an instance has come so far that its restart is not due yet."""
    return told(Started(1.0, name, attempt, 3))


# --- the phase -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sentence", "observed", "policy", "phase"),
    [
        ("a sandbox and nothing else", seen(pause()), ALWAYS, Phase.PENDING),
        ("only a volume so far", replace(seen(), volumes=(VolumeInfo("v", {}, 0.0),)), ALWAYS, Phase.PENDING),
        ("one runs, one was not made", seen(pause(), member("a")), ALWAYS, Phase.PENDING),
        ("OnFailure: one has ended, one runs", seen(pause(), ended(member("a"), 0), member("b")), ON_FAILURE, Phase.RUNNING),
        ("Always: all ended with 0", seen(pause(), ended(member("a"), 0), ended(member("b"), 0)), ALWAYS, Phase.RUNNING),
        ("Never: all ended, which nobody has written down yet", seen(pause(), ended(member("a"), 0), ended(member("b"), 1)), NEVER, Phase.RUNNING),
        ("Never: 1 ended, one runs", seen(pause(), ended(member("a"), 1), member("b")), NEVER, Phase.RUNNING),
        ("Always: the pause died with all", seen(ended(pause(), 137), ended(member("a"), 137), ended(member("b"), 137)), ALWAYS, Phase.RUNNING),
        ("Always: all wait for a new sandbox", seen(pause(1), ended(member("a"), 137), ended(member("b"), 137)), ALWAYS, Phase.RUNNING),
        ("Never: the pause died with all", seen(ended(pause(), 137), ended(member("a"), 137), ended(member("b"), 137)), NEVER, Phase.FAILED),
        ("the lease was lost", seen(ended(pause(), 97), ended(member("a"), 137), ended(member("b"), 137)), ALWAYS, Phase.RUNNING),
        ("deleted, still running", seen(deleting(), ended(member("a"), 0), member("b")), ALWAYS, Phase.RUNNING),
        ("deleted, all ended on SIGTERM", seen(deleting(), ended(member("a"), 0), ended(member("b"), 0)), ALWAYS, Phase.SUCCEEDED),
        ("deleted, one had to be killed", seen(deleting(), ended(member("a"), 0), ended(member("b"), 137)), ALWAYS, Phase.FAILED),
        ("deleted, one had failed for good, one still runs", seen(deleting(), ended(member("a"), 1), member("b")), NEVER, Phase.RUNNING),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_phase(sentence: str, observed: PodObservation, policy: RestartPolicy, phase: Phase) -> None:
    assert derive(observed, "a", "b", policy=policy).phase is phase, sentence


BACKING_OFF = told(ContainerFailed(NOW - 5, "b", "ErrImagePull", "no such image"))


@pytest.mark.parametrize(
    ("sentence", "observed", "history", "phase", "reasons"),
    [
        ("one runs, one has no image", seen(pause(), member("a")), BACKING_OFF, Phase.PENDING, ["", "ImagePullBackOff"]),
        ("one runs, one crashes", seen(pause(), member("a"), ended(member("b"), 1)), looping("b"), Phase.RUNNING, ["", "CrashLoopBackOff"]),
        (
            "all crash",
            seen(pause(), ended(member("a"), 1), ended(member("b"), 1)),
            told(Started(1.0, "a", 0, 3), Started(1.0, "b", 0, 3)),
            Phase.RUNNING,
            ["CrashLoopBackOff", "CrashLoopBackOff"],
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_one_that_crashes_counts_as_stopped_and_one_that_never_began_as_pending(
    sentence: str, observed: PodObservation, history: History, phase: Phase, reasons: list[str]
) -> None:
    found = derive(observed, "a", "b", history=history)
    assert found.phase is phase, sentence
    states = [each.state for each in found.container_statuses]
    assert [state.reason if isinstance(state, Waiting) else "" for state in states] == reasons


def with_init(
    *infos: ContainerInfo, policy: RestartPolicy = ALWAYS, history: History | None = None
) -> PodStatus:
    """Of a pod with the init containers i, s (a sidecar) and j, and the container a."""
    return derive(seen(*infos), "a", init=["i", sidecar(), "j"], policy=policy, history=history)


HAS_FAILED = told(PodFinished(NOW, "Failed"))
HAS_SUCCEEDED = told(PodFinished(NOW, "Succeeded"))
I_DONE = ended(member("i"), 0)
J_DONE = ended(member("j"), 0)


@pytest.mark.parametrize(
    ("sentence", "found", "phase", "summary", "ready"),
    [
        ("nothing yet", with_init(pause()), Phase.PENDING, "Init:0/3", 0),
        ("the first runs", with_init(pause(), member("i")), Phase.PENDING, "Init:0/3", 0),
        ("the first failed, Never", with_init(pause(), ended(member("i"), 1), policy=NEVER, history=HAS_FAILED), Phase.FAILED, "Init:Error", 0),
        ("the first failed, Always", with_init(pause(), ended(member("i"), 1)), Phase.PENDING, "Init:Error", 0),
        ("the first keeps failing", with_init(pause(), ended(member("i"), 1), history=looping("i")), Phase.PENDING, "Init:CrashLoopBackOff", 0),
        ("the first lacked memory, Never", with_init(pause(), ended(member("i"), 0, oom=True), policy=NEVER, history=HAS_FAILED), Phase.FAILED, "Init:OOMKilled", 0),
        ("the sidecar is being made", with_init(pause(), I_DONE, made(member("s"))), Phase.PENDING, "Init:1/3", 0),
        ("the sidecar has no image", with_init(pause(), I_DONE, history=told(ContainerFailed(NOW - 5, "s", "ErrImagePull", "no"))), Phase.PENDING, "Init:ImagePullBackOff", 0),
        ("the third runs", with_init(pause(), I_DONE, member("s"), member("j")), Phase.PENDING, "Init:2/3", 1),
        ("the container is being made", with_init(pause(), I_DONE, member("s"), J_DONE), Phase.PENDING, "PodInitializing", 1),
        ("all run", with_init(pause(), I_DONE, member("s"), J_DONE, member()), Phase.RUNNING, "Running", 2),
        ("the sidecar crashes", with_init(pause(), I_DONE, ended(member("s"), 1), J_DONE, member(), history=looping("s")), Phase.RUNNING, "Init:CrashLoopBackOff", 1),
        ("the container is done, Never", with_init(pause(), I_DONE, member("s"), J_DONE, ended(member(), 0), policy=NEVER), Phase.RUNNING, "Completed", 1),
        ("all is done, Never", with_init(pause(), I_DONE, ended(member("s"), 1), J_DONE, ended(member(), 0), policy=NEVER, history=HAS_SUCCEEDED), Phase.SUCCEEDED, "Completed", 0),
        ("deleted: the sidecar's end counts for nothing", with_init(deleting(), I_DONE, ended(member("s"), 1), J_DONE, ended(member(), 0)), Phase.SUCCEEDED, "Completed", 0),
        ("a new sandbox, nothing has begun", with_init(pause(1), I_DONE, ended(member("s"), 137), J_DONE, ended(member(), 137)), Phase.RUNNING, "Init:0/3", 0),
        ("a new sandbox, the first runs again", with_init(pause(1), member("i", 1, sandbox=1), I_DONE, ended(member("s"), 137), J_DONE, ended(member(), 137)), Phase.PENDING, "Init:0/3", 0),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_a_pod_with_init_containers(
    sentence: str, found: PodStatus, phase: Phase, summary: str, ready: int
) -> None:
    assert (found.phase, found.summary) == (phase, summary), sentence
    assert (found.ready_count, found.container_count) == (ready, 2), sentence


def test_nothing_on_the_engine_is_unknown() -> None:
    found = derive(seen())
    assert (found.phase, found.reason, found.summary) == (Phase.UNKNOWN, "NotFound", "NotFound")
    assert found.container_statuses == ()


# --- the end ---------------------------------------------------------------------------------------------------------


FILE = Container("a", IMAGE, termination_message_path="/end")
LOG = Container("a", IMAGE, termination_message_policy="FallbackToLogsOnError")
FAILED = PodFinished(NOW - 1, "Failed")
LONG_AGO = PodFinished(NOW - 60, "Failed")
READ = Message(NOW, "a", 0, "")
DEBUGGER = member("dbg", role=Role.EPHEMERAL)
I_NEVER = Container("i", IMAGE, restart_policy="Never")


@pytest.mark.parametrize(
    ("sentence", "infos", "entries", "phase", "more"),
    [
        # what runs
        ("nothing runs any more", (pause(), ended(member(), 1)), [FAILED], "Failed", {}),
        ("Always, nothing runs any more: its deadline", (pause(), ended(member(), 1)), [FAILED], "Failed", {"policy": ALWAYS}),
        ("it is being stopped", (pause(), member()), [FAILED], "Running", {}),
        ("somebody has frozen it", (pause(), replace(member(), state=ContainerState.PAUSED)), [FAILED], "Running", {}),
        ("a sidecar runs", (pause(), member("s"), ended(member(), 1)), [FAILED], "Running", {"init": [sidecar()]}),
        ("a sidecar has ended", (pause(), ended(member("s"), 137), ended(member(), 1)), [FAILED], "Failed", {"init": [sidecar()]}),
        ("who came to debug it has not left", (pause(), ended(member(), 1), DEBUGGER), [FAILED], "Running", {}),
        ("an init container failed, a sidecar runs", (pause(), member("s"), ended(member("i"), 1)), [FAILED], "Pending", {"init": [sidecar(), "i"]}),
        ("its deadline came before its image", (pause(),), [FAILED], "Failed", {}),
        # what is read
        ("a message was not read yet", (pause(), ended(member(), 1)), [FAILED], "Running", {"container": FILE}),
        ("a message was read", (pause(), ended(member(), 1)), [FAILED, READ], "Failed", {"container": FILE}),
        ("a message was not read for long: it cannot be", (pause(), ended(member(), 1, at=NOW - 60)), [LONG_AGO], "Failed", {"container": FILE}),
        ("the last message was not read yet", (pause(), ended(member(), 1)), [LONG_AGO], "Running", {"container": FILE}),
        ("the end is new, the container's old", (pause(), ended(member(), 1, at=NOW - 60)), [FAILED], "Running", {"container": FILE}),
        ("the end of a log was not read yet", (pause(), ended(member(), 1)), [FAILED], "Running", {"container": LOG}),
        ("a log is read of one that failed alone", (pause(), ended(member(), 0)), [FAILED], "Failed", {"container": LOG}),
        ("its file went with its sandbox", (ended(member(), 1),), [FAILED], "Failed", {"container": FILE}),
        ("its file outlives its sandbox", (ended(pause(), 137), ended(member(), 1)), [FAILED], "Running", {"container": FILE}),
        ("who could not be started has left none", (pause(), refused(member())), [FAILED], "Failed", {"container": FILE}),
        ("the pod is deleted: nobody reads any more", (deleting(), ended(member(), 1)), [FAILED], "Failed", {"container": FILE}),
        ("the pod is deleted, and still runs", (deleting(), member()), [FAILED], "Running", {}),
        # what was not written down
        ("nobody has written it down yet", (pause(), ended(member(), 1)), [], "Running", {}),
        ("nobody will", (pause(), ended(member(), 1, at=NOW - 60)), [], "Failed", {}),
        ("nobody will, and there is a message", (pause(), ended(member(), 1, at=NOW - 60)), [], "Failed", {"container": FILE}),
        ("nobody can: the sandbox has ended", (ended(pause(), 137), ended(member(), 137)), [], "Failed", {}),
        ("nobody can: the sandbox was removed", (ended(member(), 137),), [], "Failed", {}),
        ("the sandbox has ended, the container outlived it", (ended(pause(), 137), member()), [], "Running", {}),
        ("Always: the sandbox has ended, and is made again", (ended(pause(), 137), ended(member(), 137)), [], "Running", {"policy": ALWAYS}),
        ("Always, as long as nobody looks after it", (pause(), ended(member(), 1, at=NOW - 60)), [], "Running", {"policy": ALWAYS}),
        ("an init container failed, which nobody has written down yet", (pause(), ended(member("i"), 1)), [], "Pending", {"init": ["i"]}),
        ("one that is not tried again died with its sandbox: in the new one it is", (ended(pause(), 137), ended(member("i"), 137)), [], "Pending", {"init": [I_NEVER], "policy": ALWAYS}),
        ("the same, the new sandbox is there", (pause(1), ended(member("i"), 137)), [], "Pending", {"init": [I_NEVER], "policy": ALWAYS}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_a_pod_is_at_its_end_when_nothing_of_it_runs_and_its_messages_are_read(
    sentence: str, infos: tuple[ContainerInfo, ...], entries: list[Entry], phase: str, more: dict[str, Any]
) -> None:
    """A kubelet reports it only then, too."""
    options = {"policy": NEVER, **more}
    found = derive(seen(*infos), options.pop("container", "a"), history=told(*entries), **options)
    assert found.phase.value == phase, sentence


def test_the_reason_of_an_end_is_told_with_it() -> None:
    history = told(PodFinished(NOW, "Failed", "DeadlineExceeded", "too long"))
    before = derive(seen(pause(), member()), history=history)
    assert (before.phase, before.reason, before.message) == (Phase.RUNNING, "", "")
    assert before.summary == "Running"
    assert isinstance(before.container("a").state, Running)
    found = derive(seen(pause(), ended(member(), 137)), history=history)
    assert (found.phase, found.reason, found.message) == (Phase.FAILED, "DeadlineExceeded", "too long")
    assert found.summary == "DeadlineExceeded"


@pytest.mark.parametrize(("end", "reason"), [("Failed", "PodFailed"), ("Succeeded", "PodCompleted")])
def test_a_pod_whose_end_is_decided_is_not_ready_whatever_still_runs(end: str, reason: str) -> None:
    found = derive(seen(pause(), member()), history=told(PodFinished(NOW, end)))
    assert found.phase is Phase.RUNNING
    assert found.conditions["Ready"] == found.conditions["ContainersReady"] == Condition(False, reason)


def test_in_a_pod_at_its_end_nothing_waits_for_a_restart() -> None:
    history = told(Started(1.0, "a", 0, 3), PodFinished(NOW, "Failed"))
    for infos in ((pause(), ended(member(), 1)), (pause(1), ended(member(), 1)), (pause(),)):
        assert isinstance(derive(seen(*infos), history=history).container("a").state, Terminated)


STATES = st.sampled_from(
    [
        member(),
        made(member()),
        refused(member()),
        ended(member(), 0),
        ended(member(), 1),
        member(attempt=1, sandbox=1),
        ended(member(attempt=2, sandbox=1), 137, oom=True),
    ]
)
PAUSES = st.sampled_from(
    [pause(), pause(1), ended(pause(), 137), ended(pause(), 97), refused(pause()), deleting()]
)
MORE = st.lists(
    st.sampled_from(
        [
            Started(2.0, "a", 1, 1, 0),
            Probed(2.0, "a", 0, "startup", True),
            ContainerFailed(2.0, "a", "ErrImagePull", "no"),
            PodFinished(3.0, "Succeeded"),
            PodFinished(3.0, "Failed", "Evicted"),
        ]
    )
)


@settings(deadline=None)
@given(PAUSES, st.none() | STATES, MORE, st.sampled_from(["Succeeded", "Failed"]), st.floats(0, 1e10))
def test_a_pod_at_its_end_never_changes_phase(
    sandbox: ContainerInfo, info: ContainerInfo | None, more: list[Entry], phase: str, now: float
) -> None:
    observed = seen(sandbox, *([info] if info is not None else []))
    history = told(PodFinished(1.0, phase), *more)
    runs = info is not None and info.is_live
    for policy in RestartPolicy:
        found = status.derive(wanted(policy=policy), observed, history, now).phase.value
        assert found in (("Pending", "Running") if runs else (phase,))


# --- a container -----------------------------------------------------------------------------------------------------


def only(
    *infos: ContainerInfo,
    container: Container | str = "a",
    policy: RestartPolicy = ALWAYS,
    history: History | None = None,
) -> ContainerStatus:
    return derive(seen(*infos), container, policy=policy, history=history).container("a")


def test_one_that_runs() -> None:
    assert only(pause(), member(attempt=2), ended(member(attempt=1), 3)) == ContainerStatus(
        name="a",
        state=Running(STARTED),
        last_state=Terminated(3, "Error", "", STARTED, ENDED),
        ready=True,
        restart_count=2,
        image=IMAGE,
        container_id="a-2",
        started=True,
        kind=Kind.REGULAR,
    )


PROBED = Container("a", IMAGE, startup_probe=Probe.exec(["true"]), readiness_probe=Probe.exec(["true"]))
STARTUP_PASSED = Probed(1.0, "a", 0, "startup", True)
READY = Probed(1.0, "a", 0, "readiness", True)


@pytest.mark.parametrize(
    ("sentence", "infos", "entries", "started", "ready"),
    [
        ("its startup probe says nothing yet", (pause(), member()), (), False, False),
        ("it is started", (pause(), member()), (STARTUP_PASSED,), True, False),
        ("it is ready", (pause(), member()), (STARTUP_PASSED, READY), True, True),
        ("it is paused", (pause(), replace(member(), state=ContainerState.PAUSED)), (STARTUP_PASSED, READY), True, False),
        ("its sandbox is dead", (ended(pause(), 137), member()), (STARTUP_PASSED, READY), True, False),
        ("its sandbox has no network", (replace(pause(), addresses={}), member()), (STARTUP_PASSED, READY), True, False),
        ("it has outlived its sandbox", (pause(1), member()), (STARTUP_PASSED, READY), False, False),
        ("the next instance begins again", (pause(), member(attempt=1)), (STARTUP_PASSED, READY), False, False),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_one_that_runs_is_started_and_ready_by_its_probes(
    sentence: str, infos: tuple[ContainerInfo, ...], entries: tuple[Entry, ...], started: bool, ready: bool
) -> None:
    found = only(*infos, container=PROBED, history=told(*entries))
    assert isinstance(found.state, Running)
    assert (found.started, found.ready) == (started, ready), sentence


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        (ended(member(), 0), "Completed"),
        (ended(member(), 1), "Error"),
        (ended(member(), 137), "Error"),
        (ended(member(), 143), "Error"),
        (ended(member(), 137, oom=True), "OOMKilled"),
        (ended(member(), 0, oom=True), "OOMKilled"),
        (refused(member()), "ContainerCannotRun"),
    ],
)
def test_how_one_ended_for_good(end: ContainerInfo, reason: str) -> None:
    found = only(pause(), end, policy=NEVER)
    assert isinstance(found.state, Terminated)
    assert (found.state.reason, found.state.exit_code) == (reason, end.exit_code)
    assert (found.ready, found.last_state) == (False, None)


@pytest.mark.parametrize(
    ("error", "left", "message"),
    [
        ("", None, ""),
        ("", "", ""),
        ("", "out of cheese", "out of cheese"),
        ("no space", "out of cheese", "no space: out of cheese"),
        ("no space", "", "no space"),
    ],
)
def test_the_message_of_an_end_is_the_engines_error_and_what_it_left(
    error: str, left: str | None, message: str
) -> None:
    history = told(*([] if left is None else [Message(1.0, "a", 0, left)]))
    state = only(pause(), ended(member(), 1, error=error), policy=NEVER, history=history).state
    assert isinstance(state, Terminated)
    assert state.message == message


def test_of_one_that_could_not_be_started_the_message_is_the_engines() -> None:
    state = only(pause(), refused(member()), policy=NEVER).state
    assert state == Terminated(127, "ContainerCannotRun", "no such file", None, NOW - 90)


def test_the_last_state_has_the_message_of_its_own_instance() -> None:
    history = told(Started(1.0, "a", 0, 0), Message(2.0, "a", 0, "first"), Started(3.0, "a", 1, 1))
    found = only(pause(), member(attempt=1), ended(member(), 1), history=history)
    assert found.last_state is not None
    assert found.last_state.message == "first"


def test_one_that_keeps_crashing_waits() -> None:
    found = only(pause(), ended(member(attempt=3), 1), history=looping(attempt=3))
    assert found.state == Waiting(
        "CrashLoopBackOff",
        "back-off 4s restarting failed container=a pod=shop_default(0123456789abcdef)",
        ENDED + 4,
    )
    assert found.last_state == Terminated(1, "Error", "", STARTED, ENDED)
    assert found.restart_count == 3


def test_one_whose_first_restart_is_due_is_terminated_for_a_moment() -> None:
    assert isinstance(only(pause(), ended(member(), 1)).state, Terminated)


def test_one_that_keeps_crashing_does_so_until_it_is_started() -> None:
    """Who looks late sees it too, as under a kubelet, which forgets the reason with the next start."""
    found = only(pause(), ended(member(attempt=3), 1, at=NOW - 9), history=looping(attempt=3))
    assert isinstance(found.state, Waiting)
    assert (found.state.reason, found.state.until) == ("CrashLoopBackOff", None)


def test_one_that_the_engine_cannot_start_waits_with_its_words() -> None:
    info = replace(refused(member(attempt=2)), created_at=NOW - 1)
    found = only(pause(), info, history=told(Started(1.0, "a", 2, 2)))
    assert found.state == Waiting("RunContainerError", "no such file", NOW + 1)
    assert found.last_state is not None
    assert found.last_state.exit_code == 127


def test_one_whose_post_start_hook_failed_says_so_until_it_is_restarted() -> None:
    container = Container("a", IMAGE, lifecycle=Lifecycle(post_start=Hook.exec(["false"])))
    history = told(Started(1.0, "a", 0, 1), Hooked(2.0, "a", 0, "postStart", "failed", "exit code 1"))
    found = only(pause(), ended(member(), 137), container=container, history=history)
    assert found.state == Waiting("PostStartHookError", "exit code 1", None)
    ending = only(pause(), member(), container=container, history=history)
    assert isinstance(ending.state, Running)
    assert not ending.ready
    never = only(pause(), ended(member(), 137), container=container, history=history, policy=NEVER)
    assert isinstance(never.state, Terminated)


def failed(ago: float, reason: str = "ErrImagePull", count: int = 1) -> History:
    return told(ContainerFailed(NOW - ago, "a", reason, "no such image", count))


BACK_OFF = f'Back-off pulling image "{IMAGE}": ErrImagePull: no such image'


@pytest.mark.parametrize(
    ("sentence", "history", "expected"),
    [
        ("just now", failed(0.5), Waiting("ErrImagePull", "no such image", NOW + 9.5)),
        ("a second ago", failed(1.0), Waiting("ImagePullBackOff", BACK_OFF, NOW + 9)),
        ("twice", failed(1.0, count=2), Waiting("ImagePullBackOff", BACK_OFF, NOW + 19)),
        ("often", failed(1.0, count=50), Waiting("ImagePullBackOff", BACK_OFF, NOW + 299)),
        ("it is tried again", failed(10.0), Waiting("ImagePullBackOff", BACK_OFF, None)),
        ("no name of an image", failed(2.0, "InvalidImageName"), Waiting("InvalidImageName", "no such image", NOW + 8)),
        ("bad configuration", failed(2.0, "CreateContainerConfigError"), Waiting("CreateContainerConfigError", "no such image")),
        ("refused", failed(2.0, "CreateContainerError"), Waiting("CreateContainerError", "no such image")),
        ("not started", failed(2.0, "RunContainerError"), Waiting("RunContainerError", "no such image")),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_what_stands_in_its_way(sentence: str, history: History, expected: Waiting) -> None:
    assert only(pause(), history=history).state == expected, sentence


def test_an_image_that_is_gone_when_it_is_restarted_stands_in_its_way_too() -> None:
    history = told(Started(1.0, "a", 0, 0), ContainerFailed(NOW - 5, "a", "ErrImagePull", "no such image"))
    found = only(pause(), ended(member(), 1), history=history)
    assert found.state == Waiting("ImagePullBackOff", BACK_OFF, NOW + 5)
    assert found.last_state == Terminated(1, "Error", "", STARTED, ENDED)


def test_an_image_that_may_not_be_pulled_and_is_not_there() -> None:
    container = Container("a", IMAGE, image_pull_policy=PullPolicy.NEVER)
    found = derive(seen(pause(), absent=[IMAGE]), container).container("a")
    assert found.state == Waiting(
        "ErrImageNeverPull", f'Container image "{IMAGE}" is not present with pull policy of Never'
    )
    pulled = derive(seen(pause(), absent=[IMAGE])).container("a")
    assert pulled.state == Waiting("ContainerCreating")


@pytest.mark.parametrize(("init", "reason"), [((), "ContainerCreating"), (("i",), "PodInitializing")])
def test_one_that_has_not_begun(init: tuple[str, ...], reason: str) -> None:
    for infos in ((pause(),), (pause(), made(member()))):
        found = derive(seen(*infos), init=init)
        every = (*found.init_container_statuses, *found.container_statuses)
        assert [each.state for each in every] == [Waiting(reason)] * (1 + len(init))


def test_an_instance_that_never_started_is_no_last_state() -> None:
    """One was made for a sandbox that did not come up, another one for the next: nothing has failed."""
    found = derive(seen(pause(), made(member(attempt=1)), made(member())), policy=NEVER)
    assert found.container("a").last_state is None
    assert found.phase is Phase.PENDING


# --- removed by somebody, and sandboxes that died ----------------------------------------------------------------------


def test_one_that_somebody_removed_is_started_again() -> None:
    found = only(pause(), history=told(Started(1.0, "a", 0, 0)))
    assert (found.state, found.last_state) == (Waiting("ContainerCreating"), VANISHED)
    assert found.restart_count == 0
    again = only(pause(), member(attempt=1), history=told(Started(1.0, "a", 0, 0), Started(2.0, "a", 1, 1)))
    assert (again.state, again.last_state, again.restart_count) == (Running(STARTED), VANISHED, 1)


def test_one_that_somebody_removed_has_failed_where_it_is_never_started_again() -> None:
    found = derive(seen(pause()), policy=NEVER, history=told(Started(1.0, "a", 0, 0)))
    assert found.container("a").state == VANISHED
    assert found.phase is Phase.FAILED


def test_an_init_container_that_was_pruned_stays_completed() -> None:
    history = told(Started(1.0, "i", 0, 0), Started(2.0, "a", 0, 0))
    found = derive(seen(pause(), member()), init=["i"], history=history)
    assert found.container("i").state == Terminated(0, "Completed")
    assert (found.phase, found.summary) == (Phase.RUNNING, "Running")


def test_in_a_new_sandbox_everything_begins_again() -> None:
    infos = (pause(1), ended(member("i"), 0), ended(member("s"), 137), ended(member(), 137))
    found = derive(seen(*infos), init=["i", sidecar()])
    for name, code in (("i", 0), ("s", 137), ("a", 137)):
        each = found.container(name)
        assert each.state == Waiting("PodInitializing")
        assert each.last_state is not None
        assert (each.last_state.exit_code, each.ready, each.restart_count) == (code, False, 0)
    assert found.conditions["Initialized"] == Condition(
        False, "ContainersNotInitialized", "containers with incomplete status: [i s]"
    )


def test_in_a_new_sandbox_what_has_succeeded_for_good_stays_so() -> None:
    found = only(pause(1), ended(member(), 0), policy=ON_FAILURE)
    assert isinstance(found.state, Terminated)
    again = only(pause(1), ended(member(), 1), policy=ON_FAILURE)
    assert again.state == Waiting("ContainerCreating")


@settings(deadline=None)
@given(PAUSES, STATES, MORE)
def test_restart_counts_follow_the_attempts(
    sandbox: ContainerInfo, info: ContainerInfo, more: list[Entry]
) -> None:
    history = told(*more)
    known = [record.attempt for record in history.records.get("a", ()) if record.was_started]
    assert derive(seen(sandbox, info), history=history).restart_count == max([info.attempt, *known])


# --- the others ------------------------------------------------------------------------------------------------------


def test_one_that_joined_to_debug_is_shown_apart_and_counts_for_nothing() -> None:
    runs = member("dbg", role=Role.EPHEMERAL)
    over = replace(ended(member("old", role=Role.EPHEMERAL), 1), created_at=NOW - 95)
    history = told(Message(1.0, "old", 0, "bye"))
    found = derive(seen(pause(), member(), runs, over), history=history)
    assert [each.name for each in found.ephemeral_container_statuses] == ["old", "dbg"]
    assert found.container("old").state == Terminated(1, "Error", "bye", STARTED, ENDED)
    assert found.container("dbg") == ContainerStatus(
        "dbg", Running(STARTED), None, True, 0, "sha256:1", "dbg-0", started=True, kind=Kind.EPHEMERAL
    )
    assert (found.phase, found.ready_count, found.container_count) == (Phase.RUNNING, 1, 1)
    assert found.conditions["Ready"] == Condition(True)


def test_a_container_that_the_pod_has_not_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        derive(seen(pause())).container("b")


# --- the pod ---------------------------------------------------------------------------------------------------------


def test_a_pod_that_runs() -> None:
    found = derive(seen(pause(), member("a", 2), member("b", 1)), "a", "b")
    assert (found.pod_ip, found.start_time, found.reason, found.message) == ("10.214.0.2", NOW - 100, "", "")
    assert (found.ready_count, found.container_count, found.restart_count) == (2, 2, 3)
    assert [c.name for c in found.container_statuses] == ["a", "b"]
    assert (found.init_container_statuses, found.terminating) == ((), False)
    assert list(found.conditions.items()) == [
        ("PodReadyToStartContainers", Condition(True)),
        ("Initialized", Condition(True)),
        ("Ready", Condition(True)),
        ("ContainersReady", Condition(True)),
        ("PodScheduled", Condition(True)),
    ]


def test_init_containers_are_in_the_order_of_the_spec_and_their_restarts_count() -> None:
    found = with_init(pause(), ended(member("i", 2), 0), member("s", 1), J_DONE, member("a", 4))
    kinds = [(each.name, each.kind) for each in found.init_container_statuses]
    assert kinds == [("i", Kind.INIT), ("s", Kind.SIDECAR), ("j", Kind.INIT)]
    assert found.restart_count == 7


def test_a_pod_begins_before_its_sandbox_is_there() -> None:
    assert derive(seen(pause()), history=told(Began(7.0))).start_time == 7.0
    assert derive(replace(seen(), volumes=(VolumeInfo("v", {}, 0.0),))).start_time is None


def test_the_qos_class_is_of_all_containers() -> None:
    full = Resources(limits={"cpu": 1, "memory": "64Mi"})
    a, i = Container("a", IMAGE, resources=full), Container("i", IMAGE, resources=full)
    assert derive(seen(pause()), a, init=[i]).qos_class == "Guaranteed"
    assert derive(seen(pause()), a, init=["i"]).qos_class == "Burstable"
    assert derive(seen(pause())).qos_class == "BestEffort"


NOT_READY = Condition(False, "ContainersNotReady", "containers with unready status: [s a]")


@pytest.mark.parametrize(
    ("sentence", "found", "initialized", "ready"),
    [
        ("nothing yet", with_init(pause()), ["i", "s", "j"], NOT_READY),
        ("the first is done", with_init(pause(), I_DONE), ["s", "j"], NOT_READY),
        (
            "the sidecar is started",
            with_init(pause(), I_DONE, member("s")),
            ["j"],
            Condition(False, "ContainersNotReady", "containers with unready status: [a]"),
        ),
        ("all run", with_init(pause(), I_DONE, member("s"), J_DONE, member()), [], Condition(True)),
        (
            "the sidecar crashes later",
            with_init(pause(), I_DONE, ended(member("s"), 1), J_DONE, member()),
            [],
            Condition(False, "ContainersNotReady", "containers with unready status: [s]"),
        ),
        ("the sandbox died", with_init(ended(pause(), 137), I_DONE, member("s"), J_DONE, member()), [], NOT_READY),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_initialized_and_ready(
    sentence: str, found: PodStatus, initialized: list[str], ready: Condition
) -> None:
    text = f"containers with incomplete status: [{' '.join(initialized)}]"
    expected = Condition(False, "ContainersNotInitialized", text) if initialized else Condition(True)
    assert found.conditions["Initialized"] == expected, sentence
    assert found.conditions["Ready"] == found.conditions["ContainersReady"] == ready, sentence


@pytest.mark.parametrize(("code", "reason"), [(0, "PodCompleted"), (1, "PodFailed")])
def test_a_pod_that_has_ended_is_not_ready(code: int, reason: str) -> None:
    history = HAS_FAILED if code else HAS_SUCCEEDED
    found = derive(seen(pause(), ended(member(), code)), policy=NEVER, history=history)
    assert found.conditions["ContainersReady"] == Condition(False, reason)
    assert found.conditions["Initialized"] == Condition(True, "PodCompleted" if code == 0 else "")


@pytest.mark.parametrize(
    ("sandbox", "address"),
    [
        (pause(), "10.214.0.2"),
        (ended(pause(), 137), ""),
        (made(pause()), ""),
        (replace(pause(), addresses={}), ""),
    ],
)
def test_containers_can_be_started_while_a_sandbox_with_an_address_runs(
    sandbox: ContainerInfo, address: str
) -> None:
    found = derive(seen(sandbox, ended(member(), 137)))
    assert found.pod_ip == address
    assert found.conditions["PodReadyToStartContainers"] == Condition(bool(address))


def test_a_sandbox_that_cannot_be_started_says_why() -> None:
    assert derive(seen(refused(pause(), 128, "port is taken"))).message == "port is taken"


def test_a_lost_lease_is_said_and_ends_nothing() -> None:
    found = derive(seen(ended(pause(), 97), ended(member(), 137)))
    assert (found.reason, found.summary, found.message) == (
        "LeaseLost",
        "LeaseLost",
        "the pod's owner is gone",
    )
    assert found.phase is Phase.RUNNING
    after = derive(seen(ended(pause(), 97), ended(member(), 0)), history=told(PodFinished(1.0, "Succeeded")))
    assert (after.phase, after.reason) == (Phase.SUCCEEDED, "")


# --- one word --------------------------------------------------------------------------------------------------------


def word(*infos: ContainerInfo, policy: RestartPolicy = ALWAYS, history: History | None = None) -> str:
    return derive(seen(*infos), "a", "b", policy=policy, history=history).summary


SLOW = Container("b", IMAGE, readiness_probe=Probe.exec(["false"]))


@pytest.mark.parametrize(
    ("sentence", "found", "expected"),
    [
        ("running", word(pause(), member("a"), member("b")), "Running"),
        ("being made", word(pause()), "ContainerCreating"),
        ("no image", word(pause(), member("a"), history=BACKING_OFF), "ImagePullBackOff"),
        ("done", word(pause(), ended(member("a"), 0), ended(member("b"), 0), policy=NEVER), "Completed"),
        ("failed", word(pause(), ended(member("a"), 1), ended(member("b"), 0), policy=NEVER), "Error"),
        ("out of memory", word(pause(), ended(member("a"), 137, oom=True), ended(member("b"), 0), policy=NEVER), "OOMKilled"),
        ("crashing", word(pause(), member("a"), ended(member("b"), 1), history=looping("b")), "CrashLoopBackOff"),
        ("the first that has a reason has the word", word(pause(), ended(member("a"), 3), policy=NEVER), "Error"),
        ("one is done, the other is not ready", derive(seen(pause(), ended(member("a"), 0), member("b")), "a", "b", policy=NEVER).summary, "NotReady"),
        ("being deleted", word(deleting(), member("a"), member("b")), "Terminating"),
        ("being deleted, nothing had begun", word(deleting()), "Terminating"),
        ("deleted, all ended", word(deleting(), ended(member("a"), 0), ended(member("b"), 0)), "Completed"),
        ("deleted at its end", word(deleting(), ended(member("a"), 0), history=told(PodFinished(1.0, "Failed", "DeadlineExceeded"))), "DeadlineExceeded"),
        ("its own reason comes first", word(ended(pause(), 97), ended(member("a"), 137)), "LeaseLost"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_one_word_for_a_table(sentence: str, found: str, expected: str) -> None:
    assert found == expected, sentence


def test_one_that_is_done_beside_one_that_runs_and_is_not_ready_has_the_word() -> None:
    infos = (pause(), ended(member("a"), 0), member("b"))
    found = derive(seen(*infos), "a", SLOW, policy=NEVER)
    assert (found.summary, found.ready_count) == ("Completed", 0)
    assert isinstance(found.container("b").state, Running)
