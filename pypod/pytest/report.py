"""What the report of a failed test tells of the pods that it used. Nothing here may turn a failure into another one."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

from pypod.describing import containers, pods
from pypod.errors import PypodError
from pypod.model.life.status import ContainerStatus, Waiting
from pypod.pod import Pod

PATIENCE = 10.0
"""Seconds that all pods of a test may take to tell how they are: an engine that hangs must not keep the suite."""
MOST_EVENTS = 30

Section = tuple[str, str]


def sections(
    asked: Sequence[Pod], lines: int, *, plan: str = "", patience: float = PATIENCE
) -> list[Section]:
    """A title and a text for each pod.

    Args:
        asked: the pods; all are looked at at the same time.
        lines: of each container's log.
        plan: what was under way; empty: what would be done now.
        patience: seconds for all of them.
    """
    told: dict[int, str] = {}

    def tell(index: int, pod: Pod) -> None:
        told[index] = _safely(lambda: text_of(pod, lines, plan=plan))

    threads = [
        threading.Thread(target=tell, args=(index, pod), name="pypod-report", daemon=True)
        for index, pod in enumerate(asked)
    ]
    deadline = time.monotonic() + patience
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    silent = f"cannot tell how it is: the engine did not answer in {patience:g} s"
    return [
        (f"pod {pod.name}", told.get(index, f"{_safely(lambda pod=pod: repr(pod))}: {silent}"))  # type: ignore[misc]
        for index, pod in enumerate(asked)
    ]


def _safely(tell: Callable[[], str]) -> str:
    """Its answer, or why there is none."""
    try:
        return tell()
    except Exception as error:  # whatever it is: the test's own failure is what the report is about
        return f"cannot tell how it is: {type(error).__name__}: {error}"


def text_of(pod: Pod, lines: int, *, plan: str = "") -> str:
    """All that may say why a test failed: phase, each container with its state, checks and last log lines, events, the plan.

    Args:
        pod: which; it is looked at now.
        lines: of each container's log.
        plan: what was under way; empty: what would be done now.

    Raises:
        PypodError: the engine could not be read.
    """
    status = pod.refresh()
    now = time.time()
    shown = pods.state_lines(pod)
    spec = {each.name: each for each in pod.spec.all_containers}
    groups = (
        ("Init Containers:", status.init_container_statuses),
        ("Containers:", status.container_statuses),
        ("Ephemeral Containers:", status.ephemeral_container_statuses),
    )
    for title, statuses in groups:
        shown += [title] if statuses else []
        for each in statuses:
            shown += [
                f"  {each.name}:",
                f"    {'Image:':<16}{each.image}",
                *containers.status_lines(each, now),
            ]
            if each.name in spec:
                shown += containers.check_lines(spec[each.name], each, pod.history, now)
            shown += _log_lines(pod, each, lines)
    shown += pods.event_lines(pod.events[-MOST_EVENTS:], now)
    plan = plan or _plan_of(pod)
    return "\n".join([*shown, *(["Plan:", *(f"  {line}" for line in plan.splitlines())] if plan else [])])


def _plan_of(pod: Pod) -> str:
    """What would be done for it now; empty where that is nothing."""
    if pod.status.reason == "NotFound":
        return ""
    plan = pod.plan()
    return str(plan) if plan else ""


def _log_lines(pod: Pod, status: ContainerStatus, lines: int) -> list[str]:
    """Of the instance that ran last, and of the one before it where it was restarted."""
    if lines == 0 or (isinstance(status.state, Waiting) and status.last_state is None):
        return []  # of one that never ran there is none, and its state says why
    shown = _log(pod, status.name, lines, previous=False)
    if status.restart_count and not isinstance(status.state, Waiting):
        shown += _log(pod, status.name, lines, previous=True)
    return shown


def _log(pod: Pod, name: str, lines: int, *, previous: bool) -> list[str]:
    title = "Log of the instance before" if previous else "Log"
    try:
        text = pod.logs(name, tail=lines, previous=previous)
    except PypodError as error:
        return [f"    {title}: <none> ({error})"]
    written = text.splitlines()[-lines:]
    if not written:
        return [f"    {title}: <empty>"]
    return [f"    {title}, its last {len(written)} line(s):", *(f"      {line}" for line in written)]
