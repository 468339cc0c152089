"""`events`: what happened to pods."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pypod
from pypod.cli import common
from pypod.describing import layout
from pypod.errors import PodNotFoundError

if TYPE_CHECKING:
    from pypod import Pod
    from pypod.engine.api import Engine
    from pypod.model.life.journal import Event

LOOK_EVERY = 0.1
"""Seconds between two looks at the journals while they are watched."""
HEAD = ["LAST SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE"]
LEAST = (12, 10, 15, 24, 0)
"""Widths of the columns of rows that come one by one."""


@dataclass(frozen=True, slots=True)
class Seen:
    """An event, and of which pod."""

    namespace: str
    pod: str
    uid: str
    event: Event

    @property
    def key(self) -> tuple[str, ...]:
        """Of all events that are counted as one."""
        return (self.uid, self.event.type, self.event.reason, self.event.container, self.event.message)


def events(args: argparse.Namespace) -> int:
    """Print the events of one pod or of all; with -w go on until the pod, or Ctrl-C, ends it."""
    if args.pod and args.all_namespaces:
        raise common.UsageError("events takes either a pod or -A")
    engine = common.engine(args)
    found = seen_in(_pods(args, engine))
    if found or args.watch:
        least = LEAST if args.watch else ()
        print(listing(found, time.time(), namespaces=args.all_namespaces, least=least), flush=True)
    else:
        common.say(f"No events found{'' if args.all_namespaces else f' in namespace {args.namespace}'}.")
    if args.watch:
        for news in _changes(args, engine, found):
            rows = listing(news, time.time(), namespaces=args.all_namespaces, least=LEAST, head=False)
            print(rows, flush=True)
    return 0


def _pods(args: argparse.Namespace, engine: Engine) -> list[Pod]:
    if args.pod:
        return [pypod.get(args.pod, args.namespace, engine=engine)]
    return pypod.list(None if args.all_namespaces else args.namespace, engine=engine)


def _changes(args: argparse.Namespace, engine: Engine, known: list[Seen]) -> Iterator[list[Seen]]:
    """New and recounted events, as they come; to the end of the pod, where one is named."""
    counts = {each.key: each.event.count for each in known}
    while True:
        time.sleep(LOOK_EVERY)
        try:
            found = seen_in(_pods(args, engine))
        except PodNotFoundError:
            return
        news = [each for each in found if counts.get(each.key) != each.event.count]
        if news:
            counts |= {each.key: each.event.count for each in news}
            yield news


def seen_in(pods: list[Pod]) -> list[Seen]:
    """The events of refreshed pods, the oldest first."""
    found = [Seen(pod.namespace, pod.name, pod.uid, event) for pod in pods for event in pod.events]
    return sorted(found, key=lambda each: each.event.at)


def listing(
    found: list[Seen], now: float, *, namespaces: bool, least: tuple[int, ...] = (), head: bool = True
) -> str:
    """As kubectl lists events."""
    rows = [_row(each, now) for each in found]
    titles = list(HEAD) if head else []
    if namespaces:
        rows = [[each.namespace, *row] for each, row in zip(found, rows, strict=True)]
        titles = ["NAMESPACE", *titles] if head else []
        least = (12, *least) if least else ()
    return layout.table(titles, rows, least=least)


def _row(seen: Seen, now: float) -> list[str]:
    event = seen.event
    return [
        layout.ago(event.at, event.count, event.first_at, now),
        event.type,
        event.reason,
        f"pod/{seen.pod}/{event.container}" if event.container else f"pod/{seen.pod}",
        " ".join(event.message.split()),
    ]
