"""What holds of a pod: its conditions, in Kubernetes' order and words.

Source: pkg/kubelet/status/generate.go.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from pypod.model.life.container_status import ContainerStatus
from pypod.model.life.members import Kind
from pypod.model.life.phase import Phase


@dataclass(frozen=True, slots=True)
class Condition:
    status: bool
    reason: str = ""
    message: str = ""


def conditions_of(
    phase: Phase, statuses: Sequence[ContainerStatus], *, has_sandbox: bool, has_initialized: bool
) -> Mapping[str, Condition]:
    """The conditions by their type, in the order in which a kubelet writes them.

    Args:
        statuses: of init containers, in their order, and containers.
        has_sandbox: a sandbox runs and has an address.
        has_initialized: a regular container was started in the sandbox that there is.
    """
    ready = _containers_ready(phase, statuses)
    return MappingProxyType(
        {
            "PodReadyToStartContainers": Condition(has_sandbox),
            "Initialized": _initialized(phase, statuses, has_initialized),
            "Ready": ready,  # there are no readiness gates here
            "ContainersReady": ready,
            "PodScheduled": Condition(True),
        }
    )


def _initialized(phase: Phase, statuses: Sequence[ContainerStatus], has_initialized: bool) -> Condition:
    if phase is Phase.SUCCEEDED:
        return Condition(True, "PodCompleted")
    incomplete = [
        status.name
        for status in statuses
        if (status.kind is Kind.INIT and not status.ready)
        or (status.kind is Kind.SIDECAR and not status.started)
    ]
    if not incomplete or has_initialized:
        return Condition(True)
    return Condition(
        False, "ContainersNotInitialized", f"containers with incomplete status: [{' '.join(incomplete)}]"
    )


def _containers_ready(phase: Phase, statuses: Sequence[ContainerStatus]) -> Condition:
    """Sidecars count, init containers do not."""
    if phase is Phase.SUCCEEDED:
        return Condition(False, "PodCompleted")
    if phase is Phase.FAILED:
        return Condition(False, "PodFailed")
    unready = [status.name for status in statuses if status.kind is not Kind.INIT and not status.ready]
    if unready:
        return Condition(
            False, "ContainersNotReady", f"containers with unready status: [{' '.join(unready)}]"
        )
    return Condition(True)
