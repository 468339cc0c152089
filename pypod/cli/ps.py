"""`ps`: which pods there are."""

from __future__ import annotations

import argparse
import json
import time
from typing import TYPE_CHECKING

import pypod
from pypod.cli import common, tables
from pypod.describing import layout
from pypod.model.spec.pod import RestartPolicy

if TYPE_CHECKING:
    from pypod import Pod
    from pypod.model.life.status import PodStatus


def ps(args: argparse.Namespace) -> int:
    """List pods as a table, as JSON or by name."""
    namespace = None if args.all_namespaces else args.namespace
    # JSON has the times of containers, which an engine's list does not tell.
    brief = args.output != "json"
    pods = pypod.list(namespace, selector(args.selector), engine=common.engine(args), brief=brief)
    if args.output == "json":
        print(json.dumps(tables.pod_list(pods), indent=2))
    elif args.output == "name":
        print("".join(f"pod/{pod.name}\n" for pod in pods), end="")
    elif pods:
        head, rows = columns(pods, time.time(), namespaces=args.all_namespaces, wide=args.output == "wide")
        print(layout.table(head, rows))
    else:
        common.say(
            "No pods found." if args.all_namespaces else f"No pods found in namespace {args.namespace}."
        )
    return 0


def selector(text: str) -> dict[str, str] | None:
    """``app=web,tier=front`` as labels.

    Raises:
        UsageError: it is anything else.
    """
    if not text:
        return None
    labels = {}
    for part in text.split(","):
        key, equal, value = part.strip().replace("==", "=", 1).partition("=")
        if not (key and equal) or key.endswith("!"):
            raise common.UsageError(f"-l takes labels as app=web,tier=front; {part!r} is none")
        labels[key] = value
    return labels


def columns(
    pods: list[Pod], now: float, *, namespaces: bool, wide: bool
) -> tuple[list[str], list[list[str]]]:
    """Head and rows, as kubectl orders them; where there are pods with a time to live, how much of it is left."""
    head = ["NAME", "READY", "STATUS", "RESTARTS", "AGE", "IP"]
    rows = [_row(pod, now) for pod in pods]
    if any(pod.expires_at is not None for pod in pods):
        head.append("TTL")
        for row, pod in zip(rows, pods, strict=True):
            row.append("<none>" if pod.expires_at is None else layout.age(pod.expires_at - now))
    if wide:
        head += ["CONTAINERS", "IMAGES", "UID"]
        for row, pod in zip(rows, pods, strict=True):
            containers = pod.spec.all_containers
            row += [",".join(c.name for c in containers), ",".join(c.image for c in containers), pod.uid]
    if namespaces:
        head.insert(0, "NAMESPACE")
        for row, pod in zip(rows, pods, strict=True):
            row.insert(0, pod.namespace)
    return head, rows


def _row(pod: Pod, now: float) -> list[str]:
    status = pod.status
    return [
        pod.name,
        f"{status.ready_count}/{_lasting(pod)}",
        status.summary,
        _restarts(status, now),
        "<unknown>" if status.start_time is None else layout.age(now - status.start_time),
        status.pod_ip or "<none>",
    ]


def _lasting(pod: Pod) -> int:
    """How many are to be ready: containers and sidecars, also of a pod of which nothing is there yet."""
    sidecars = [each for each in pod.spec.init_containers if each.restart_policy is RestartPolicy.ALWAYS]
    return len(pod.spec.containers) + len(sidecars)


def _restarts(status: PodStatus, now: float) -> str:
    """With the time of the last one, as kubectl has it: ``3 (12s ago)``."""
    every = (*status.init_container_statuses, *status.container_statuses)
    ends = [
        each.last_state.finished_at for each in every if each.restart_count and each.last_state is not None
    ]
    last = max((at for at in ends if at is not None), default=None)
    if not status.restart_count or last is None:
        return str(status.restart_count)
    return f"{status.restart_count} ({layout.age(now - last)} ago)"
