"""Everything about one pod, as kubectl lays it out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from pypod.describing import layout
from pypod.describing.containers import Known, describe_container
from pypod.model.rules.downward import PodFacts
from pypod.model.spec.pod import EmptyDir, HostPath, Medium

if TYPE_CHECKING:
    from pypod.handle import Handle
    from pypod.model.life.journal import Event
    from pypod.model.life.status import Condition
    from pypod.model.spec.pod import Volume

WIDTH = 18
"""Of the column of names."""


def lines_of(pod: Handle, where: str, now: float, image_id: Callable[[str], str]) -> list[str]:
    """The whole description.

    Args:
        pod: refreshed.
        where: which engine.
        now: Unix seconds.
        image_id: tells the image's ID of a container's ID.
    """
    known = Known(pod.history, now, image_id, _facts(pod, where))
    status = pod.status
    shown = [*_head(pod, where)]
    shown += _containers(pod, known)
    shown += _conditions(status.conditions)
    shown += _volumes(pod.spec.volumes)
    shown.append(_line("QoS Class", status.qos_class or "<unknown>"))
    shown.append(_line("Restart Policy", pod.spec.restart_policy.value))
    shown.append(_line("Grace Period", f"{pod.spec.termination_grace_period_seconds:g}s"))
    if pod.spec.active_deadline_seconds is not None:
        shown.append(_line("Active Deadline", f"{pod.spec.active_deadline_seconds:g}s"))
    if pod.expires_at is not None:
        shown.append(_line("Ends", f"{layout.clock(pod.expires_at)} (in {layout.age(pod.expires_at - now)})"))
    return [*shown, *event_lines(pod.events, now)]


def _facts(pod: Handle, where: str) -> PodFacts:
    """As far as they are known here."""
    spec, ip = pod.spec, pod.status.pod_ip
    return PodFacts(
        pod.name,
        pod.namespace,
        pod.uid,
        spec.labels,
        spec.annotations,
        where.partition(" (")[0],
        spec.service_account_name or "default",
        (ip,) if ip else (),
    )


def _line(key: str, value: str) -> str:
    return f"{key + ':':<{WIDTH}}{value}".rstrip()


def _head(pod: Handle, where: str) -> list[str]:
    return [_line(key, value) for key, value in _rows(pod, where)]


def _rows(pod: Handle, where: str = "") -> list[tuple[str, str]]:
    """What stands above the containers."""
    status, labels = pod.status, [f"{key}={value}" for key, value in sorted(pod.spec.labels.items())]
    start = "<unknown>" if status.start_time is None else layout.clock(status.start_time)
    rows = [
        ("Name", pod.name),
        ("Namespace", pod.namespace),
        ("UID", pod.uid),
        ("Node", where),
        ("Start Time", start),
        ("Labels", f"\n{' ' * WIDTH}".join(labels) or "<none>"),
        ("Status", "Terminating" if status.terminating else status.phase.value),
        ("Reason", status.reason),
        ("Message", status.message),
        ("IP", status.pod_ip or "<none>"),
        ("Hostname", pod.spec.effective_hostname),
        ("Network", pod.spec.network),
        ("Extra Networks", f"\n{' ' * WIDTH}".join(_joined(pod))),
    ]
    return [(key, value) for key, value in rows if value]


def state_lines(pod: Handle) -> list[str]:
    """Which pod, and how it is doing as a whole; refreshed."""
    told = ("Name", "Namespace", "Status", "Reason", "Message", "IP")
    return [_line(key, value) for key, value in _rows(pod) if key in told]


def _joined(pod: Handle) -> list[str]:
    addresses = pod.status.extra_ips
    return [f"{name} {addresses.get(name, '<none>')}" for name in pod.spec.extra_networks]


def _containers(pod: Handle, known: Known) -> list[str]:
    status = pod.status
    groups = [
        ("Init Containers:", pod.spec.init_containers, status.init_container_statuses),
        ("Containers:", pod.spec.containers, status.container_statuses),
    ]
    shown: list[str] = []
    for title, containers, statuses in groups:
        found = {each.name: each for each in statuses}
        shown += [title] if containers else []
        for container in containers:
            shown += describe_container(container.name, container, found.get(container.name), known)
    shown += ["Ephemeral Containers:"] if status.ephemeral_container_statuses else []
    for each in status.ephemeral_container_statuses:  # what else was asked of it stands nowhere
        shown += describe_container(each.name, None, each, known)
    return shown


def _indented(lines: str) -> list[str]:
    return [f"  {line}" for line in lines.splitlines()]


def _conditions(conditions: Mapping[str, Condition]) -> list[str]:
    if not conditions:
        return []
    rows = [
        [kind, "True" if condition.status else "False", condition.reason, condition.message]
        for kind, condition in conditions.items()
    ]
    head = ["Type", "Status", "Reason", "Message"]
    while len(head) > 2 and not any(row[len(head) - 1] for row in rows):
        head.pop()
    return ["Conditions:", *_indented(layout.table(head, [row[: len(head)] for row in rows]))]


def _volumes(volumes: Sequence[Volume]) -> list[str]:
    if not volumes:
        return ["Volumes:          <none>"]
    shown = ["Volumes:"]
    for volume in volumes:
        shown.append(f"  {volume.name}:")
        source = volume.source
        if isinstance(source, EmptyDir):
            size = "<unset>" if source.size_limit is None else layout.size(source.size_limit)
            rows = [
                ("Type", "EmptyDir (a temporary directory that shares a pod's lifetime)"),
                ("Medium", "Memory" if source.medium is Medium.MEMORY else ""),
                ("SizeLimit", size),
            ]
        elif isinstance(source, HostPath):
            rows = [
                ("Type", "HostPath (a path of the engine's host)"),
                ("Path", source.path),
                ("HostPathType", source.type.value),
            ]
        else:
            rows = [("Type", type(source).__name__)]
        shown += [f"    {key + ':':<15}{value}".rstrip() for key, value in rows]
    return shown


def event_lines(events: Sequence[Event], now: float) -> list[str]:
    """The table at the end."""
    if not events:
        return ["Events:           <none>"]
    head = ["Type", "Reason", "Age", "Object", "Message"]
    rows = [
        [
            event.type,
            event.reason,
            layout.ago(event.at, event.count, event.first_at, now),
            f"container/{event.container}" if event.container else "pod",
            " ".join(event.message.split()),
        ]
        for event in events
    ]
    dashes = ["-" * len(word) for word in head]
    return ["Events:", *_indented(layout.table(head, [dashes, *rows], gap=2))]
