"""Waiting for a pod to be where you want it."""

from __future__ import annotations

import time
from collections.abc import Callable

from pypod import starting
from pypod.errors import PodNotRunningError, PodTimeoutError
from pypod.model.life.status import ContainerStatus, Phase, PodStatus, Running, Terminated

POLL = 0.03
"""Seconds between looks: a look is a few calls of a millisecond."""
CONDITIONS = ("Started", "Ready", "Running", "Succeeded", "Failed", "Completed", "Deleted")
_DECIDED = {"PodCompleted": Phase.SUCCEEDED, "PodFailed": Phase.FAILED}
"""What the reason for which a pod is not ready says of its end, also while something of it still runs."""


Wanted = str | Callable[[PodStatus], object]
"""A condition by its name, or a question to the status that has a true answer once it is as wanted."""


def wait_for(
    full_name: str, refresh: Callable[[], PodStatus], condition: Wanted, timeout: float
) -> PodStatus:
    """Look until the condition is met; see `pypod.Pod.wait`."""
    name = condition if isinstance(condition, str) else ""
    if isinstance(condition, str) and name not in CONDITIONS:
        raise ValueError(
            f"cannot wait for {name!r}: one of {', '.join(CONDITIONS)}, or a function of the status, is expected"
        )
    aim = name or "as wanted"
    deadline = time.monotonic() + timeout
    while True:
        status = refresh()
        if is_met(condition, status) if isinstance(condition, str) else condition(status):
            return status
        words = starting.describe_unready(status)
        if why := _why_never(name, status):
            raise PodNotRunningError(
                f"cannot wait for pod '{full_name}' to be {aim}: {why}: {words}", pod=full_name
            )
        if time.monotonic() > deadline:
            raise PodTimeoutError(
                f"cannot wait longer than {timeout:g} s for pod '{full_name}' to be {aim}: {words}",
                pod=full_name,
            )
        time.sleep(POLL)


def _why_never(condition: str, status: PodStatus) -> str:
    """Why what is not met never will be; empty: it may be. A question without a name may be till the end, and of a pod that is being
    deleted that is when it is gone."""
    if condition == "Deleted" or (status.terminating and not condition and status.reason != "NotFound"):
        return ""
    if status.phase.is_final or status.phase is Phase.UNKNOWN:
        return f"it is {status.summary}"
    ready = status.conditions.get("Ready")
    end = _DECIDED.get(ready.reason) if ready is not None else None
    if not condition or end is None or condition in ("Completed", end.value):
        return ""
    return f"it has {end.value.lower()}, and is being stopped"


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
