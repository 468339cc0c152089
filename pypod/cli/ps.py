"""`ps`: which pods there are."""

from __future__ import annotations

import argparse
import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pypod
from pypod.cli import common, tables

if TYPE_CHECKING:
    from pypod import Pod

LOOKS_AT_ONCE = 8


def ps(args: argparse.Namespace) -> int:
    """List pods as a table, as JSON or by name."""
    namespace = None if args.all_namespaces else args.namespace
    pods = _looked_at(pypod.list(namespace, selector(args.selector), engine=common.engine(args)))
    pods.sort(key=lambda pod: (pod.namespace, pod.name))
    if args.output == "json":
        print(json.dumps(tables.pod_list(pods), indent=2))
    elif args.output == "name":
        print("".join(f"pod/{pod.name}\n" for pod in pods), end="")
    elif pods:
        head, rows = columns(pods, time.time(), namespaces=args.all_namespaces, wide=args.output == "wide")
        print(tables.table(head, rows))
    else:
        common.say(
            "No pods found." if args.all_namespaces else f"No pods found in namespace {args.namespace}."
        )
    return 0


def _looked_at(pods: list[Pod]) -> list[Pod]:
    """Those that are still there when asked how they are."""
    with ThreadPoolExecutor(LOOKS_AT_ONCE) as pool:
        statuses = list(pool.map(lambda pod: pod.refresh(), pods))
    return [pod for pod, status in zip(pods, statuses, strict=True) if status.reason != "NotFound"]


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
    """Head and rows, as kubectl orders them."""
    head = ["NAME", "READY", "STATUS", "RESTARTS", "AGE", "IP"]
    rows = [_row(pod, now) for pod in pods]
    if wide:
        head += ["CONTAINERS", "IMAGES", "UID"]
        for row, pod in zip(rows, pods, strict=True):
            containers = pod.spec.containers
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
        f"{status.ready_count}/{len(pod.spec.containers)}",
        status.summary,
        str(status.restart_count),
        "<unknown>" if status.start_time is None else tables.age(now - status.start_time),
        status.pod_ip or "<none>",
    ]
