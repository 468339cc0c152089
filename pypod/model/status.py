"""How a pod is doing, in Kubernetes' words: a pure function of spec, snapshot and history.

Sources: pkg/kubelet/kubelet_pods.go getPhase; pkg/kubelet/status/generate.go.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from pypod.model import planner, restarts
from pypod.model.journal import History
from pypod.model.planner import Desired
from pypod.model.spec import Container, PullPolicy
from pypod.model.state import ContainerInfo, ContainerState, PodObservation


class Phase(enum.Enum):
    """Where a pod is in its life. Succeeded and Failed are final."""

    PENDING = "Pending"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    UNKNOWN = "Unknown"


@dataclass(frozen=True, slots=True)
class Waiting:
    """Not running: not yet, or not now."""

    reason: str
    message: str = ""


@dataclass(frozen=True, slots=True)
class Running:
    started_at: float


@dataclass(frozen=True, slots=True)
class Terminated:
    """Ended. ``started_at`` is None where it could not be started."""

    exit_code: int
    reason: str
    message: str = ""
    started_at: float | None = None
    finished_at: float | None = None


@dataclass(frozen=True, slots=True)
class ContainerStatus:
    """One container of a pod.

    Attributes:
        state: what it is doing.
        last_state: how its previous instance ended; None where there was none.
        ready: it runs.
        restart_count: how often it was started again; never decreases.
        image: as the spec has it.
        container_id: of the newest instance; empty where there is none.
    """

    name: str
    state: Waiting | Running | Terminated
    last_state: Terminated | None
    ready: bool
    restart_count: int
    image: str
    container_id: str


@dataclass(frozen=True, slots=True)
class Condition:
    status: bool
    reason: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class PodStatus:
    """A pod, as it was last seen.

    Attributes:
        phase: see `Phase`.
        pod_ip: empty while it has none.
        start_time: Unix seconds by the engine's clock; None before the sandbox was made.
        conditions: ``PodReadyToStartContainers``, ``Initialized``, ``Ready``, ``ContainersReady``, ``PodScheduled``.
        container_statuses: in the order of the spec.
        reason, message: why the pod as a whole is where it is; often empty.
        terminating: it is being deleted.
    """

    phase: Phase
    pod_ip: str = ""
    start_time: float | None = None
    conditions: Mapping[str, Condition] = field(default_factory=lambda: MappingProxyType({}))
    container_statuses: tuple[ContainerStatus, ...] = ()
    reason: str = ""
    message: str = ""
    terminating: bool = False

    @property
    def summary(self) -> str:
        """One word for a table, as kubectl's STATUS column has it."""
        if self.terminating:
            return "Terminating"
        if self.reason:
            return str(self.reason)
        for status in self.container_statuses:
            if isinstance(status.state, Waiting):
                return status.state.reason
        for status in self.container_statuses:
            if isinstance(status.state, Terminated) and status.state.exit_code != 0:
                return status.state.reason
        if self.phase is Phase.SUCCEEDED:
            return "Completed"
        return str(self.phase.value)

    @property
    def ready_count(self) -> int:
        return sum(status.ready for status in self.container_statuses)

    @property
    def restart_count(self) -> int:
        return sum(status.restart_count for status in self.container_statuses)

    def container(self, name: str) -> ContainerStatus:
        """The status of one container. Raises `KeyError` when the pod has none of that name."""
        for status in self.container_statuses:
            if status.name == name:
                return status
        raise KeyError(name)


def derive(desired: Desired, observed: PodObservation, history: History, now: float) -> PodStatus:
    """The status of a pod."""
    if observed.is_empty:
        return PodStatus(Phase.UNKNOWN, reason="NotFound", message="nothing of the pod is on the engine")
    over = _sandbox_over(desired, observed)
    statuses = tuple(
        _container_status(c, desired, observed, history, now, over) for c in desired.spec.containers
    )
    phase = _phase(desired, statuses, over)
    pause = observed.pause
    lost = planner.lease_lost(observed)
    return PodStatus(
        phase=phase,
        pod_ip=observed.ip,
        start_time=pause.created_at if pause is not None else None,
        conditions=_conditions(phase, statuses, observed),
        container_statuses=statuses,
        reason="LeaseLost" if lost else "",
        message="the pod's owner is gone" if lost else _sandbox_message(pause),
        terminating=observed.deletion_deadline is not None,
    )


def _sandbox_over(desired: Desired, observed: PodObservation) -> bool:
    """No container of this pod will ever be started again."""
    if observed.deletion_deadline is not None or planner.lease_lost(observed):
        return True
    pause = observed.pause
    dead = pause is not None and pause.has_ended and pause.started_at is not None
    return dead and desired.spec.restart_policy.value == "Never" and bool(observed.members)


def _sandbox_message(pause: ContainerInfo | None) -> str:
    return pause.error if pause is not None and pause.failed_to_start else ""


def _container_status(
    container: Container, desired: Desired, observed: PodObservation, history: History, now: float, over: bool
) -> ContainerStatus:
    instances = observed.members.get(container.name, ())
    newest = instances[0] if instances else None
    previous = next((_terminated(info) for info in instances[1:] if info.has_ended), None)
    state: Waiting | Running | Terminated
    if newest is None:
        state = _never_made(container, observed, history)
    elif newest.is_live:
        state = Running(newest.started_at or newest.created_at)
    elif newest.has_ended:
        state = _ended(container, newest, desired, history, now, over)
        previous = _terminated(newest) if isinstance(state, Waiting) else previous
    else:
        state = Waiting("ContainerCreating")
    return ContainerStatus(
        name=container.name,
        state=state,
        last_state=previous,
        ready=isinstance(state, Running) and newest is not None and newest.state is ContainerState.RUNNING,
        restart_count=newest.attempt if newest is not None else 0,
        image=container.image,
        container_id=newest.id if newest is not None else "",
    )


def _never_made(container: Container, observed: PodObservation, history: History) -> Waiting:
    failure = history.failures.get(container.name)
    if failure is not None:
        return Waiting(failure.reason, failure.message)
    absent = container.image in observed.images and observed.images[container.image] is None
    if absent and container.pull_policy is PullPolicy.NEVER:
        text = f"Container image {container.image!r} is not present with pull policy of Never"
        return Waiting("ErrImageNeverPull", text)
    return Waiting("ContainerCreating")


def _ended(
    container: Container, newest: ContainerInfo, desired: Desired, history: History, now: float, over: bool
) -> Waiting | Terminated:
    decision = planner.decide_restart(desired, newest, history)
    if over or decision is None:
        return _terminated(newest)
    if newest.failed_to_start:
        return Waiting("RunContainerError", newest.error)
    if decision.delay > 0:
        key = desired.identity.key
        text = (
            f"back-off {decision.delay:g}s restarting failed container={container.name} "
            f"pod={key.name}_{key.namespace}({key.uid})"
        )
        return Waiting("CrashLoopBackOff", text)
    return _terminated(newest)


def _terminated(info: ContainerInfo) -> Terminated:
    code = info.exit_code if info.exit_code is not None else 128
    if info.failed_to_start:
        return Terminated(code, "ContainerCannotRun", info.error, None, info.created_at)
    reason = "OOMKilled" if info.oom_killed else "Completed" if code == 0 else "Error"
    return Terminated(code, reason, info.error, info.started_at, info.finished_at)


def _phase(desired: Desired, statuses: tuple[ContainerStatus, ...], over: bool) -> Phase:
    """Kubernetes' getPhase for regular containers; a crash-looping one counts as stopped, not as waiting."""
    running = sum(isinstance(s.state, Running) for s in statuses)
    fresh = sum(isinstance(s.state, Waiting) and s.last_state is None for s in statuses)
    stopped = [s.state if isinstance(s.state, Terminated) else s.last_state for s in statuses]
    ended = [
        end for s, end in zip(statuses, stopped, strict=True) if end and not isinstance(s.state, Running)
    ]
    if fresh and not over:
        return Phase.PENDING
    if running:
        return Phase.RUNNING
    policy = desired.spec.restart_policy
    if not over and any(restarts.should_restart(policy, end.exit_code) for end in ended):
        return Phase.RUNNING
    if not ended:
        return Phase.FAILED if over else Phase.PENDING
    return Phase.SUCCEEDED if all(end.exit_code == 0 for end in ended) and not fresh else Phase.FAILED


def _conditions(
    phase: Phase, statuses: tuple[ContainerStatus, ...], observed: PodObservation
) -> Mapping[str, Condition]:
    ready = _containers_ready(phase, statuses)
    return MappingProxyType(
        {
            "PodReadyToStartContainers": Condition(bool(observed.ip)),
            "Initialized": Condition(True, "PodCompleted" if phase is Phase.SUCCEEDED else ""),
            "Ready": ready,
            "ContainersReady": ready,
            "PodScheduled": Condition(True),
        }
    )


def _containers_ready(phase: Phase, statuses: tuple[ContainerStatus, ...]) -> Condition:
    if phase is Phase.SUCCEEDED:
        return Condition(False, "PodCompleted")
    if phase is Phase.FAILED:
        return Condition(False, "PodFailed")
    unready = [status.name for status in statuses if not status.ready]
    if unready:
        return Condition(
            False, "ContainersNotReady", f"containers with unready status: [{' '.join(unready)}]"
        )
    return Condition(True)
