"""Spans as Chrome trace JSON, which chrome://tracing and https://ui.perfetto.dev show.

Source of the format: "Trace Event Format" (the Chromium project, docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU):
complete events (``X``) with a time and a duration in microseconds, and metadata events (``M``) that name processes and threads.
"""

from __future__ import annotations

from collections.abc import Sequence

from pypod.model.life.spans import UNFINISHED, Span, lanes, rows

MICROSECONDS = 1_000_000

Event = dict[str, object]


def document(pods: Sequence[tuple[str, Sequence[Span]]]) -> dict[str, object]:
    """One trace of several pods, to be written as JSON.

    Args:
        pods: each one's full name and spans. A pod becomes a process, a lane of it a thread; a lane in which things overlap becomes
            several. Time 0 is when the first span of all began.
    """
    zero = min((span.began for _, spans in pods for span in spans), default=0.0)
    events: list[Event] = []
    for pid, (name, spans) in enumerate(pods, start=1):
        events.append(_metadata("process_name", pid, 0, name=f"pod {name}"))
        events.append(_metadata("process_sort_index", pid, 0, sort_index=pid))
        events += _threads(pid, spans, zero)
    return {"traceEvents": events, "displayTimeUnit": "ms"}


def _threads(pid: int, spans: Sequence[Span], zero: float) -> list[Event]:
    events: list[Event] = []
    tid = 0
    for lane, inside in lanes(spans).items():
        for number, row in enumerate(rows(inside), start=1):
            tid += 1
            name = lane if number == 1 else f"{lane} {number}"
            events.append(_metadata("thread_name", pid, tid, name=name))
            events.append(_metadata("thread_sort_index", pid, tid, sort_index=tid))
            events += [_complete(span, pid, tid, zero) for span in row]
    return events


def _metadata(kind: str, pid: int, tid: int, **args: object) -> Event:
    return {"name": kind, "ph": "M", "pid": pid, "tid": tid, "ts": 0, "args": args}


def _complete(span: Span, pid: int, tid: int, zero: float) -> Event:
    """Both ends are rounded, and not the duration: what lies within another still does."""
    began = round((span.began - zero) * MICROSECONDS)
    ended = round((span.ended - zero) * MICROSECONDS)
    said = {"cause": span.cause, "outcome": span.outcome}
    return {
        "name": span.name,
        "cat": _category(span),
        "ph": "X",
        "ts": began,
        "dur": ended - began,
        "pid": pid,
        "tid": tid,
        "args": {key: text for key, text in said.items() if text},
    }


def _category(span: Span) -> str:
    """By which a viewer can filter."""
    if span.outcome == UNFINISHED:
        return "unfinished"
    return "failed" if span.outcome else "detail" if span.detail else "step"
