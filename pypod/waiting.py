"""Waiting for a pod to be where you want it."""

from __future__ import annotations

import time
from collections.abc import Callable

from pypod import starting
from pypod.errors import PodNotRunningError, PodTimeoutError
from pypod.model.status import ContainerStatus, Phase, PodStatus, Running, Terminated

POLL = 0.03
"""Seconds between looks: a look is a few calls of a millisecond."""
CONDITIONS = ("Started", "Ready", "Running", "Succeeded", "Failed", "Completed", "Deleted")
_FINAL = (Phase.SUCCEEDED, Phase.FAILED, Phase.UNKNOWN)


def wait_for(full_name: str, refresh: Callable[[], PodStatus], condition: str, timeout: float) -> PodStatus:
    """Look until the condition is met; see `pypod.Pod.wait`."""
    if condition not in CONDITIONS:
        raise ValueError(f"cannot wait for {condition!r}: one of {', '.join(CONDITIONS)} is expected")
    deadline = time.monotonic() + timeout
    while True:
        status = refresh()
        if is_met(condition, status):
            return status
        words = starting.describe_unready(status)
        if condition != "Deleted" and status.phase in _FINAL:
            raise PodNotRunningError(
                f"cannot wait for pod '{full_name}' to be {condition}: it is {status.summary}: {words}",
                pod=full_name,
            )
        if time.monotonic() > deadline:
            raise PodTimeoutError(
                f"cannot wait longer than {timeout:g} s for pod '{full_name}' to be {condition}: {words}",
                pod=full_name,
            )
        time.sleep(POLL)


def is_met(condition: str, status: PodStatus) -> bool:
    """Whether a status is what the condition asks for."""
    match condition:
        case "Started":
            return bool(status.container_statuses) and all(_was_started(c) for c in status.container_statuses)
        case "Ready":
            return "Ready" in status.conditions and status.conditions["Ready"].status
        case "Completed":
            return status.phase in (Phase.SUCCEEDED, Phase.FAILED)
        case "Deleted":
            return status.reason == "NotFound"
        case _:
            return status.phase.value == condition


def _was_started(container: ContainerStatus) -> bool:
    return isinstance(container.state, Running | Terminated) or container.last_state is not None
