"""What one container of a pod is doing, in Kubernetes' words: a pure function of its member, the journal and the time.

Sources: pkg/kubelet/kubelet_pods.go convertToAPIContainerStatuses, pkg/kubelet/images/image_manager.go, cri-dockerd
core/container_status.go.
"""

from __future__ import annotations

from pypod.model.life import restarts
from pypod.model.life.desired import Desired
from pypod.model.life.history import History
from pypod.model.life.journal import ContainerFailed
from pypod.model.life.members import VANISHED_EXIT_CODE, Kind, Member
from pypod.model.records import record
from pypod.model.spec.pod import Container, PullPolicy
from pypod.model.wiring.state import ContainerInfo, ContainerState, PodObservation

VANISHED_MESSAGE = (
    "The container could not be located when the pod was deleted.  The container used to be Running"
)
"""Kubernetes' own words, both blanks included."""
PULL_FAILURE_SHOWN = 1.0
"""Seconds for which a pull that failed is an ErrImagePull; from then on it is a back-off."""
IMAGE_REASONS = ("ErrImagePull", "InvalidImageName")


@record(frozen=True, slots=True)
class Waiting:
    """Not running: not yet, or not now.

    Attributes:
        until: when its back-off ends, Unix seconds; None: it waits for no time.
    """

    reason: str
    message: str = ""
    until: float | None = None


@record(frozen=True, slots=True)
class Running:
    started_at: float


@record(frozen=True, slots=True)
class Terminated:
    """Ended. ``started_at`` is None where it could not be started.

    Attributes:
        message: the engine's error, and what the container left as its termination message.
    """

    exit_code: int
    reason: str
    message: str = ""
    started_at: float | None = None
    finished_at: float | None = None


State = Waiting | Running | Terminated


@record(frozen=True, slots=True)
class ContainerStatus:
    """One container of a pod.

    Attributes:
        state: what it is doing.
        last_state: how its previous instance ended; None where there was none.
        ready: it runs, and its readiness probe says so; of an init container: it succeeded.
        restart_count: how often it was started again; never decreases.
        image: as the spec has it.
        container_id: of the newest instance; empty where there is none.
        started: it runs, its postStart hook is done, and its startup probe has succeeded.
    """

    name: str
    state: State
    last_state: Terminated | None
    ready: bool
    restart_count: int
    image: str
    container_id: str
    started: bool = False
    kind: Kind = Kind.REGULAR


@record(frozen=True, slots=True)
class View:
    """All that statuses are made of; ``now`` in Unix seconds."""

    desired: Desired
    observed: PodObservation
    history: History
    now: float

    @property
    def is_over(self) -> bool:
        """No container of the pod is started any more."""
        return self.history.finished is not None or self.observed.deletion_deadline is not None


def status_of(member: Member, view: View) -> ContainerStatus:
    """The status of a container that the spec has."""
    state, last_state = _states(member, view)
    # Without its sandbox a container has no network: it may run for a moment, but it serves nobody.
    serves = member.kind is Kind.INIT or view.observed.sandbox is not None
    return ContainerStatus(
        name=member.name,
        state=state,
        last_state=last_state,
        ready=member.is_ready and serves,
        restart_count=max(0, member.attempt),
        image=member.container.image,
        container_id=member.info.id if member.info is not None else "",
        started=member.is_started,
        kind=member.kind,
    )


def ephemeral_status(info: ContainerInfo, view: View) -> ContainerStatus:
    """The status of a container that joined the running pod: it has no probes, and is never started again."""
    state: State = Waiting("ContainerCreating")
    if info.is_live:
        state = Running(info.started_at or info.created_at)
    elif info.has_ended:
        state = _terminated(info, view)
    runs = info.state is ContainerState.RUNNING
    return ContainerStatus(
        info.container, state, None, runs, 0, info.image, info.id, started=runs, kind=Kind.EPHEMERAL
    )


def _states(member: Member, view: View) -> tuple[State, Terminated | None]:
    """What it is doing, and how the instance before ended; of one that waits for its restart, that is the newest."""
    previous = _previous(member, view)
    info = member.info
    if member.is_live and info is not None:
        return Running(info.started_at or info.created_at), previous
    if not member.has_ended:
        return _not_begun(member, view), previous
    end = _end(member, view)
    if view.is_over or _ended_for_good(member, view):
        return end, previous
    waiting = _held(member, view)
    return (end, previous) if waiting is None else (waiting, end)


def _ended_for_good(member: Member, view: View) -> bool:
    """Init containers and sidecars run again in a new sandbox, whatever came of them in the one before."""
    stays = member.current or member.kind is Kind.REGULAR
    return stays and member.restart(view.desired.backoff) is None


# waiting


def _not_begun(member: Member, view: View) -> Waiting:
    """Why an instance was not made yet, or was made and not started."""
    failure = view.history.failures.get(member.name)
    if failure is not None:
        return _failed(member.container, failure, view.now)
    container, images = member.container, view.observed.images
    absent = container.image in images and images[container.image] is None
    if absent and member.info is None and container.pull_policy is PullPolicy.NEVER:
        text = f'Container image "{container.image}" is not present with pull policy of Never'
        return Waiting("ErrImageNeverPull", text)
    return _in_turn(view)


def _in_turn(view: View) -> Waiting:
    return Waiting("PodInitializing" if view.desired.spec.init_containers else "ContainerCreating")


def _failed(container: Container, failure: ContainerFailed, now: float) -> Waiting:
    if failure.reason not in IMAGE_REASONS or failure.untried:
        return Waiting(failure.reason, failure.message)
    due = failure.at + restarts.IMAGE_PULL.delay(failure.count)
    until = due if due > now else None
    if failure.reason != "ErrImagePull" or now < failure.at + PULL_FAILURE_SHOWN:
        return Waiting(failure.reason, failure.message, until)
    text = f'Back-off pulling image "{container.image}": ErrImagePull: {failure.message}'
    return Waiting("ImagePullBackOff", text, until)


def _held(member: Member, view: View) -> Waiting | None:
    """Why an instance that has ended is not started again at once; None: it is."""
    failure = view.history.failures.get(member.name)
    if failure is not None and failure.reason != "RunContainerError":
        return _failed(member.container, failure, view.now)
    restart = member.restart(view.desired.backoff)
    if member.is_vanished or not member.current or restart is None:
        return _in_turn(view)
    until = restart.due if restart.due > view.now else None
    if member.info is not None and member.info.failed_to_start:
        return Waiting("RunContainerError", member.info.error, until)
    if member.record.hook("postStart") == "failed":
        return Waiting("PostStartHookError", member.record.hooks["postStart"].message, until)
    # Not `until`: one whose back-off is over crashes in a loop until it is started, as under a kubelet.
    if not restart.delay:
        return None
    key = view.desired.identity.key
    text = (
        f"back-off {restart.delay:g}s restarting failed container={member.name} "
        f"pod={key.name}_{key.namespace}({key.uid})"
    )
    return Waiting("CrashLoopBackOff", text, until)


# ended


def _end(member: Member, view: View) -> Terminated:
    """Of the newest instance."""
    if member.info is None or member.is_vanished:
        return _vanished(member.exit_code)
    return _terminated(member.info, view)


def _vanished(exit_code: int) -> Terminated:
    """Of an init container that others were started after it is known that it succeeded."""
    if exit_code == 0:
        return Terminated(0, "Completed")
    return Terminated(exit_code, "ContainerStatusUnknown", VANISHED_MESSAGE)


def _terminated(info: ContainerInfo, view: View) -> Terminated:
    code = info.exit_code if info.exit_code is not None else 128
    left = view.history.record(info.container, info.attempt).message
    message = ": ".join(text for text in (info.error, left) if text)
    if info.failed_to_start:
        return Terminated(code, "ContainerCannotRun", message, None, info.created_at)
    reason = "OOMKilled" if info.oom_killed else "Completed" if code == 0 else "Error"
    return Terminated(code, reason, message, info.started_at, info.finished_at)


def _previous(member: Member, view: View) -> Terminated | None:
    """The end of the instance before the newest: on the engine, or removed by somebody and only told of."""
    instances = view.observed.members.get(member.name, ())
    found = next((info for info in instances if info.attempt < member.attempt and info.has_ended), None)
    told = next(
        (
            record
            for record in view.history.records.get(member.name, ())
            if record.was_started and record.attempt < member.attempt
        ),
        None,
    )
    on_engine = {info.attempt for info in instances}
    if told is not None and told.attempt not in on_engine and (found is None or found.attempt < told.attempt):
        return _vanished(VANISHED_EXIT_CODE)
    return None if found is None else _terminated(found, view)
