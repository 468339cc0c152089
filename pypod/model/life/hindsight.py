"""What can be told of how long things took when nobody recorded it: from the engine's times and the journal alone.

The engine knows when a container was made and when it was started, not when somebody asked for it; the journal knows when a
hook or a pull ended and when a probe's result last changed. So what stands here is coarser than a recorded trace, and says
nothing of what is over and removed.
"""

from __future__ import annotations

from collections.abc import Iterator

from pypod.model.life.history import History, Record
from pypod.model.life.spans import IMAGES, SANDBOX, Span
from pypod.model.wiring.state import ContainerInfo, PodObservation

PULLING = "Pulling image {!r}"
"""The message of the event with which a pull begins."""
_MADE = "create, then start"


def spans_of(observed: PodObservation, history: History) -> tuple[Span, ...]:
    """The spans of a pod as it stands.

    Args:
        observed: with the times of its containers.
        history: what its journal tells.
    """
    found = [*_pulls(history)]
    for pause in observed.pauses:
        found += _made(pause, SANDBOX, f"{_MADE} pause")
    for info in observed.all_members:
        found += _made(info, info.container, _MADE)
        if info.started_at is not None:
            found += _after_start(info, info.started_at, history.record(info.container, info.attempt))
    return tuple(sorted(found, key=lambda span: (span.began, -span.ended)))


def _pulls(history: History) -> Iterator[Span]:
    for image, ended in history.pulled.items():
        words = PULLING.format(image)
        begun = [event.at for event in history.events if event.message == words and event.at <= ended]
        if begun:
            yield Span(IMAGES, f"pull {image}", max(begun), ended)


def _made(info: ContainerInfo, lane: str, name: str) -> Iterator[Span]:
    if info.started_at is not None:
        attempt = f"attempt {info.attempt}" if info.attempt else ""
        yield Span(lane, name, info.created_at, max(info.created_at, info.started_at), attempt)


def _after_start(info: ContainerInfo, started: float, record: Record) -> Iterator[Span]:
    hook = record.hooks.get("postStart")
    if hook is not None and hook.outcome != "began":
        outcome = hook.message or hook.outcome if hook.outcome == "failed" else ""
        yield Span(info.container, "postStart hook", started, max(started, hook.at), outcome=outcome)
    began = started
    for kind in ("startup", "readiness"):
        probed = record.probes.get(kind)
        if probed is not None and probed.passed:
            yield Span(info.container, f"{kind} probe", began, max(began, probed.at), "until it passed")
            began = max(began, probed.at)
