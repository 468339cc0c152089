"""The rules of the Trace Event Format, as far as viewers hold a file to them: for tests of what is written in it."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import Any

PHASES = {"X", "M"}
NAMES = {"process_name", "process_sort_index", "thread_name", "thread_sort_index"}


def broken_rules(text: str) -> list[str]:
    """What is wrong with a trace; empty: nothing is.

    A JSON object with a list ``traceEvents``. Each event has a name, a phase, a process and a thread. Complete events have a
    time and a duration in microseconds that are not negative, and those of one thread follow each other or lie within each
    other, as calls do. Each process and thread with events in it has one name.
    """
    document = json.loads(text, parse_constant=lambda word: f"no JSON: {word}")
    events = document["traceEvents"]
    if not isinstance(events, list) or document.get("displayTimeUnit") not in ("ms", "ns"):
        return ["it is no object with a list of events and a unit to display"]
    wrong = [f"{event}: {words}" for event in events for words in _of_one(event)]
    return wrong or [*_unnamed(events), *_crossing(events)]


def _of_one(event: dict[str, Any]) -> list[str]:
    wrong = []
    if not isinstance(event.get("name"), str) or not event["name"]:
        wrong.append("it has no name")
    if event.get("ph") not in PHASES:
        wrong.append(f"its phase is none of {PHASES}")
    wrong += [f"{key} is no whole number" for key in ("pid", "tid", "ts") if type(event.get(key)) is not int]
    if not isinstance(event.get("args"), dict):
        wrong.append("its arguments are no object")
    if event.get("ph") == "M" and event.get("name") not in NAMES:
        wrong.append(f"metadata is one of {NAMES}")
    if event.get("ph") == "X" and not (type(event.get("dur")) is int and event["dur"] >= 0 <= event["ts"]):
        wrong.append("its time, or its duration, is none")
    return wrong


def _unnamed(events: list[dict[str, Any]]) -> list[str]:
    named = [(each["name"], each["pid"], each["tid"]) for each in events if each["ph"] == "M"]
    used = {(each["pid"], each["tid"]) for each in events if each["ph"] == "X"}
    wrong = [f"named twice: {each}" for each in set(named) if named.count(each) > 1]
    wrong += [f"thread without a name: {each}" for each in used if ("thread_name", *each) not in named]
    return wrong + [
        f"process without a name: {pid}" for pid, _ in used if ("process_name", pid, 0) not in named
    ]


def _crossing(events: list[dict[str, Any]]) -> list[str]:
    threads = defaultdict(list)
    for event in events:
        if event["ph"] == "X":
            threads[event["pid"], event["tid"]].append(
                (event["ts"], -event["ts"] - event["dur"], event["name"])
            )
    wrong = []
    for inside in threads.values():
        stack: list[int] = []
        for began, minus_ended, name in sorted(inside):
            while stack and stack[-1] <= began:
                stack.pop()
            if stack and -minus_ended > stack[-1]:
                wrong.append(f"{name} at {began} lies across the end of another one")
            stack.append(-minus_ended)
    return wrong
