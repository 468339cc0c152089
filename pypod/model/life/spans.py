"""What took how long in a pod's life: spans of time in lanes, and how lanes are drawn so that nothing lies across another."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pypod.model.life.plan import (
    Action,
    AttachChannel,
    CheckHostPath,
    CreateContainer,
    CreateNetwork,
    CreateVolume,
    FillVolume,
    KillContainer,
    LoadPauseImage,
    MakeSubPath,
    OwnVolume,
    PutFiles,
    PutText,
    ReadMessage,
    RemoveContainer,
    RemoveNetwork,
    RemoveVolume,
    RenameContainer,
    StartContainer,
    Write,
)
from pypod.model.records import record

CALLER = "(pypod)"
"""What the calling thread does: it looks, has a plan carried out, waits. No container can have such a name."""
IMAGES = "(images)"
VOLUMES = "(volumes)"
SANDBOX = "(sandbox)"
JOURNAL = "(journal)"
REMOVAL = "(removal)"
_FIRST = (CALLER, IMAGES, VOLUMES, SANDBOX)
_LAST = (REMOVAL, JOURNAL)

UNFINISHED = "unfinished"


@record(frozen=True, slots=True)
class Span:
    """Something that took time.

    Attributes:
        lane: the container that it concerns; what concerns none has a lane in parentheses: ``(pypod)``, what the calling thread
            does; ``(images)``; ``(volumes)``; ``(sandbox)``; ``(removal)``; ``(journal)``.
        name: what was done: ``create``, ``start``, ``readiness probe`` ...
        began, ended: Unix seconds.
        cause: why, in words; may be empty.
        outcome: empty: it went well; ``unfinished``: it was under way when the trace was taken; else what went wrong.
        detail: a part of another one, such as one try of a probe.
    """

    lane: str
    name: str
    began: float
    ended: float
    cause: str = ""
    outcome: str = ""
    detail: bool = False

    @property
    def seconds(self) -> float:
        return self.ended - self.began


def place_of(action: Action) -> tuple[str, str]:
    """The lane and the name of an action's span."""
    match action:
        case CreateContainer():
            return (action.container, "create") if action.container else (SANDBOX, "create pause")
        case StartContainer():
            return (action.container, "start") if action.container else (SANDBOX, "start pause")
        case KillContainer() if action.container:
            return action.container, f"send {action.signal}"
        case ReadMessage():
            return action.container, "read termination message"
        case AttachChannel():
            return SANDBOX, "attach channel"
        case LoadPauseImage() | CreateNetwork() | PutFiles() | PutText():
            return SANDBOX, str(action)
        case CreateVolume() | FillVolume() | CheckHostPath() | OwnVolume() | MakeSubPath():
            return VOLUMES, str(action)
        case Write():
            return JOURNAL, str(action)
        case KillContainer() | RenameContainer() | RemoveContainer() | RemoveVolume() | RemoveNetwork():
            return REMOVAL, str(action)
    return CALLER, str(action)


def lanes(spans: Iterable[Span]) -> dict[str, list[Span]]:
    """By lane, the spans of each in their order: first what all containers need, then the containers as they began, at last
    what is removed and what is written down."""
    found: dict[str, list[Span]] = {}
    for span in sorted(spans, key=lambda each: (each.began, -each.ended)):
        found.setdefault(span.lane, []).append(span)
    containers = [lane for lane in found if lane not in (*_FIRST, *_LAST)]
    return {lane: found[lane] for lane in (*_FIRST, *containers, *_LAST) if lane in found}


def rows(spans: Sequence[Span]) -> list[list[Span]]:
    """One lane's spans, in as few rows as it takes for any two of a row to follow each other, or one to lie within the
    other: viewers draw a row as a stack of calls, and what only overlaps as nonsense.

    Args:
        spans: of one lane, sorted as by `lanes`.
    """
    found: list[list[Span]] = []
    stacks: list[list[Span]] = []
    for span in spans:
        number = next((number for number, stack in enumerate(stacks) if _fits(span, stack)), len(stacks))
        if number == len(stacks):
            found.append([])
            stacks.append([])
        found[number].append(span)
        stacks[number].append(span)
    return found


def _fits(span: Span, stack: list[Span]) -> bool:
    """On top of what is open in a row, once what has ended is off it."""
    while stack and stack[-1].ended <= span.began:
        stack.pop()
    return not stack or span.ended <= stack[-1].ended
