"""What happened to a pod: one JSON line a transition, in the log of its pause.

Labels cannot change, so what changes is told to the pause, which copies it to its log; any process reads it there. A
`History` is all lines applied in order; a line that is not ours, or of a kind not known here, is passed over, so that an
older pypod can read what a newer one wrote.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

MAX_EVENTS = 200
"""That a history keeps; the oldest go first."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that a person would want to know, in Kubernetes' words.

    Attributes:
        at, first_at: Unix seconds, of the last and the first time.
        type: ``Normal`` or ``Warning``.
        reason: ``Pulled``, ``Created``, ``Started``, ``Killing``, ``BackOff``, ``SandboxChanged`` ...
        container: of the pod; empty: the pod itself.
    """

    at: float
    type: str
    reason: str
    message: str
    container: str = ""
    count: int = 1
    first_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Restarted:
    """A container was started again, and its back-off advanced."""

    at: float
    container: str
    attempt: int
    step: int


@dataclass(frozen=True, slots=True)
class ContainerFailed:
    """The engine refused to make, or to start, a container; or its image could not be had.

    Attributes:
        reason: ``ErrImagePull``, ``CreateContainerError``, ``RunContainerError``.
        message: the engine's words.
    """

    at: float
    container: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Pulled:
    """An image came from its registry for this sandbox."""

    at: float
    image: str


Entry = Event | Restarted | ContainerFailed | Pulled
_KINDS: dict[str, type[Entry]] = {
    "event": Event,
    "restarted": Restarted,
    "failed": ContainerFailed,
    "pulled": Pulled,
}
_NAMES = {kind: name for name, kind in _KINDS.items()}


def encode(entry: Entry) -> bytes:
    """One line, newline included."""
    values = {name: getattr(entry, name) for name in entry.__dataclass_fields__}
    return json.dumps({"k": _NAMES[type(entry)], **values}, separators=(",", ":")).encode() + b"\n"


def decode(line: str | bytes) -> Entry | None:
    """The entry of a line; None where the line is none of ours."""
    try:
        values = json.loads(line)
        kind = _KINDS[values.pop("k")]
        known = {name: value for name, value in values.items() if name in kind.__dataclass_fields__}
        fits = all(_fits(value, str(kind.__dataclass_fields__[name].type)) for name, value in known.items())
        return kind(**known) if fits else None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _fits(value: object, annotation: str) -> bool:
    if isinstance(value, bool):
        return False
    accepted: dict[str, tuple[type, ...]] = {"str": (str,), "int": (int,), "float": (int, float)}
    return isinstance(value, accepted[annotation])


@dataclass(frozen=True, slots=True)
class History:
    """All that the journal says.

    Attributes:
        events: oldest first, equal ones counted together.
        backoff_steps: restarts since the last reset, by container.
        restarts: the last restart, by container.
        failures: what stands in a container's way, by container; gone once it starts.
        pulled: when each image came.
    """

    events: tuple[Event, ...] = ()
    backoff_steps: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    failures: Mapping[str, ContainerFailed] = field(default_factory=lambda: MappingProxyType({}))
    pulled: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))

    def apply(self, entry: Entry) -> History:
        """The history after one more entry."""
        match entry:
            case Event():
                failures = self.failures
                if entry.reason in ("Created", "Started") and entry.container in failures:
                    failures = {name: f for name, f in failures.items() if name != entry.container}
                return replace(self, events=_add_event(self.events, entry), failures=failures)
            case Restarted():
                steps = {**self.backoff_steps, entry.container: entry.step}
                failures = {name: f for name, f in self.failures.items() if name != entry.container}
                return replace(self, backoff_steps=steps, failures=failures)
            case ContainerFailed():
                return replace(self, failures={**self.failures, entry.container: entry})
            case Pulled():
                return replace(self, pulled={**self.pulled, entry.image: entry.at})


def read(lines: Iterable[str | bytes]) -> History:
    """The history that a journal tells."""
    history = History()
    for line in lines:
        entry = decode(line)
        if entry is not None:
            history = history.apply(entry)
    return history


def _add_event(events: tuple[Event, ...], event: Event) -> tuple[Event, ...]:
    same = (event.type, event.reason, event.message, event.container)
    for index, old in enumerate(events):
        if (old.type, old.reason, old.message, old.container) == same:
            counted = replace(event, count=old.count + 1, first_at=old.first_at or old.at)
            return (*events[:index], *events[index + 1 :], counted)
    return (*events, replace(event, first_at=event.first_at or event.at))[-MAX_EVENTS:]
