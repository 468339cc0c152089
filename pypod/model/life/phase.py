"""Where a pod is in its life: Kubernetes' getPhase, step by step.

Source: pkg/kubelet/kubelet_pods.go getPhase; its own test cases are in tests/vectors/phase.json.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pypod.model.life import members, restarts
from pypod.model.life.container_status import ContainerStatus, Running, Terminated, Waiting
from pypod.model.life.members import Kind
from pypod.model.spec.pod import Container, PodSpec


class Phase(enum.Enum):
    """Where a pod is in its life. Succeeded and Failed are final."""

    PENDING = "Pending"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    UNKNOWN = "Unknown"

    @property
    def is_final(self) -> bool:
        return self in (Phase.SUCCEEDED, Phase.FAILED)


@dataclass(slots=True)
class _Count:
    """How many containers are where. A sidecar counts as running, waiting or unknown; stopped ones are regular alone."""

    pending_init: int = 0
    failed_init: int = 0
    """And not tried again."""
    pending_sidecars: int = 0
    unknown: int = 0
    running: int = 0
    waiting: int = 0
    stopped: int = 0
    stopped_for_good: int = 0
    succeeded: int = 0


def phase_of(
    spec: PodSpec, statuses: Iterable[ContainerStatus], *, is_terminal: bool, has_initialized: bool
) -> Phase:
    """The phase of a pod.

    Args:
        statuses: of its init containers and containers, in any order; one of which nothing is known may be missing.
        is_terminal: nothing of the pod runs any more, nor is started again.
        has_initialized: a regular container was started in the sandbox that there is.
    """
    known = {status.name: status for status in statuses}
    count = _count(spec, known)
    if count.failed_init:
        return Phase.FAILED
    if count.pending_init or count.waiting or (count.pending_sidecars and not has_initialized):
        return Phase.PENDING
    if count.unknown or not (count.running or count.stopped):
        return Phase.PENDING
    if count.running or not (is_terminal or count.stopped == count.stopped_for_good):
        return Phase.RUNNING
    return Phase.SUCCEEDED if count.stopped == count.succeeded else Phase.FAILED


def _count(spec: PodSpec, known: Mapping[str, ContainerStatus]) -> _Count:
    count = _Count()
    for container in spec.all_containers:
        status = known.get(container.name)
        match members.kind_of(spec, container):
            case Kind.INIT:
                _count_init(count, spec, container, status)
            case Kind.SIDECAR:
                _count_sidecar(count, status)
            case _:
                _count_regular(count, spec, container, status)
    return count


def _count_init(count: _Count, spec: PodSpec, container: Container, status: ContainerStatus | None) -> None:
    if status is None or isinstance(status.state, Running):
        count.pending_init += 1
        return
    end = status.state if isinstance(status.state, Terminated) else status.last_state
    if end is None:
        count.pending_init += 1
    # Killed for want of memory it has failed, also with exit code 0 (kuberuntime_container.go isInitContainerFailed).
    elif end.exit_code != 0 or end.reason == "OOMKilled":
        code = end.exit_code or 1
        count.failed_init += not _comes_again(spec, container, code)


def _count_sidecar(count: _Count, status: ContainerStatus | None) -> None:
    """One that has ended counts for nothing, whatever its exit code."""
    if status is None:
        count.unknown += 1
    elif isinstance(status.state, Running):
        count.running += 1
        count.pending_sidecars += not status.started
    elif isinstance(status.state, Waiting) and status.last_state is None:
        count.waiting += 1
        count.pending_sidecars += 1


def _count_regular(
    count: _Count, spec: PodSpec, container: Container, status: ContainerStatus | None
) -> None:
    """One that waits for its restart has stopped; it is not waiting."""
    if status is None:
        count.unknown += 1
    elif isinstance(status.state, Running):
        count.running += 1
    elif isinstance(status.state, Terminated):
        code = status.state.exit_code
        count.stopped += 1
        count.succeeded += code == 0
        count.stopped_for_good += not _comes_again(spec, container, code)
    elif status.last_state is not None:
        count.stopped += 1
    else:
        count.waiting += 1


def _comes_again(spec: PodSpec, container: Container, code: int) -> bool:
    policy = members.policy_of(spec, container)
    return restarts.should_restart(policy, code, container.restart_policy_rules)
