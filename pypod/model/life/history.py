"""What the journal of a pod tells, as one value: every entry applied in its order."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TypeVar

from pypod.model.life import journal
from pypod.model.life.journal import (
    Address,
    Began,
    ContainerFailed,
    Entry,
    Event,
    HandedOver,
    Hooked,
    KeptUntil,
    Message,
    PodFinished,
    Probed,
    Pulled,
    Signalled,
    Started,
    Stopping,
    VolumeFailed,
    VolumeReady,
)

MAX_EVENTS = 200
"""That a history keeps; the oldest go first."""
KEPT_RECORDS = 2
"""Of each container: of the instance that is, and of the one before it."""
FAILURES_FORGOTTEN = 600.0
"""Seconds after which a failure that comes again is a first one: twice the longest image back-off (client-go
flowcontrol.Backoff)."""
FINAL_PHASES = ("Succeeded", "Failed")

ValueT = TypeVar("ValueT")


@dataclass(frozen=True, slots=True)
class Record:
    """What happened to one instance of a container. Before anything did, everything is as here.

    Attributes:
        attempt: which instance.
        sandbox: the attempt of the pause that it was started in; -1: it was not started.
        step: how far the back-off had come with its start.
        probes: the last change of each probe's result, by ``startup``, ``liveness``, ``readiness``.
        hooks: where each hook is, by ``postStart``, ``preStop``.
        stopping: it is being stopped.
        signalled: when it got its stop signal.
        message: its termination message; None: not looked for.
    """

    attempt: int = -1
    sandbox: int = -1
    step: int = 0
    probes: Mapping[str, Probed] = field(default_factory=lambda: MappingProxyType({}))
    hooks: Mapping[str, Hooked] = field(default_factory=lambda: MappingProxyType({}))
    stopping: Stopping | None = None
    signalled: float | None = None
    message: str | None = None

    @property
    def was_started(self) -> bool:
        return self.sandbox >= 0

    def passed(self, probe: str) -> bool | None:
        """What a probe says; None: nothing yet."""
        return self.probes[probe].passed if probe in self.probes else None

    def hook(self, name: str) -> str:
        """``began``, ``done``, ``failed``; empty: it has not begun."""
        return self.hooks[name].outcome if name in self.hooks else ""


@dataclass(frozen=True, slots=True)
class History:
    """All that the journal says.

    Attributes:
        began: the pod's start time.
        handed_over: the starter of a detached pod is done with it.
        kept_until: when the time of a detached pod is over, Unix seconds by the engine's clock; infinite: never; None: nothing
            was written of it.
        ip: the last address.
        events: oldest first, equal ones counted together.
        records: by container, newest instance first, at most `KEPT_RECORDS`.
        failures: what stands in a container's way, by container; gone once it is made or starts.
        pulled: when each image came.
        volumes: where each volume was last set up.
        volume_failures: why each volume that could not be set up, the last time, could not.
        finished: the pod is at its end.
    """

    began: float | None = None
    handed_over: bool = False
    kept_until: float | None = None
    ip: str = ""
    events: tuple[Event, ...] = ()
    records: Mapping[str, tuple[Record, ...]] = field(default_factory=lambda: MappingProxyType({}))
    failures: Mapping[str, ContainerFailed] = field(default_factory=lambda: MappingProxyType({}))
    pulled: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    volumes: Mapping[str, VolumeReady] = field(default_factory=lambda: MappingProxyType({}))
    volume_failures: Mapping[str, VolumeFailed] = field(default_factory=lambda: MappingProxyType({}))
    finished: PodFinished | None = None

    def record(self, container: str, attempt: int) -> Record:
        """Of one instance; an empty one where nothing was written about it."""
        for record in self.records.get(container, ()):
            if record.attempt == attempt:
                return record
        return Record(attempt)

    def last_started(self, container: str) -> Record | None:
        """Of the newest instance that was ever started."""
        return next((record for record in self.records.get(container, ()) if record.was_started), None)

    def apply(self, entry: Entry) -> History:
        """The history after one more entry."""
        match entry:
            case Event():
                return self._with_event(entry)
            case Began():
                return replace(self, began=entry.at if self.began is None else self.began)
            case HandedOver():
                return replace(self, handed_over=True)
            case KeptUntil():
                # Of several who want it the one that wants it longest has it, whoever wrote last.
                return replace(self, kept_until=max(self.kept_until or 0.0, entry.until or math.inf))
            case Address():
                return replace(self, ip=entry.ip)
            case ContainerFailed():
                return self._with_failure(entry)
            case Pulled():
                return replace(self, pulled={**self.pulled, entry.image: entry.at})
            case VolumeReady():
                failures = _without(self.volume_failures, entry.volume)
                return replace(self, volumes={**self.volumes, entry.volume: entry}, volume_failures=failures)
            case VolumeFailed():
                return self._with_volume_failure(entry)
            case PodFinished():
                return self._with_end(entry)
            case _:
                return self._with_record(entry)

    def _with_event(self, event: Event) -> History:
        failures = self.failures
        if event.reason in ("Created", "Started") and not event.again:
            failures = _without(failures, event.container)
        return replace(self, events=_add_event(self.events, event), failures=failures)

    def _with_failure(self, failure: ContainerFailed) -> History:
        before = None if failure.again else self.failures.get(failure.container)
        failure = replace(failure, again=False)
        recent = before is not None and failure.at - before.at <= FAILURES_FORGOTTEN
        if before is not None and recent and before.reason == failure.reason:
            failure = replace(failure, count=before.count + failure.count)
        return replace(self, failures={**self.failures, failure.container: failure})

    def _with_volume_failure(self, failure: VolumeFailed) -> History:
        before = self.volume_failures.get(failure.volume)
        if failure.again:
            failure = replace(failure, again=False)
        elif before is not None and failure.at - before.at <= FAILURES_FORGOTTEN:
            failure = replace(failure, count=before.count + failure.count, first_at=before.first_at)
        else:
            failure = replace(failure, first_at=failure.at)
        return replace(self, volume_failures={**self.volume_failures, failure.volume: failure})

    def _with_end(self, end: PodFinished) -> History:
        """The first end is final; a phase that is none is not ours."""
        if self.finished is not None or end.phase not in FINAL_PHASES:
            return self
        return replace(self, finished=end)

    def _with_record(self, entry: Started | Probed | Hooked | Stopping | Signalled | Message) -> History:
        record = _updated(self.record(entry.container, entry.attempt), entry)
        others = [old for old in self.records.get(entry.container, ()) if old.attempt != entry.attempt]
        kept = sorted([record, *others], key=lambda each: each.attempt, reverse=True)[:KEPT_RECORDS]
        is_start = isinstance(entry, Started) and not entry.again
        failures = _without(self.failures, entry.container) if is_start else self.failures
        return replace(self, records={**self.records, entry.container: tuple(kept)}, failures=failures)

    def entries(self) -> list[Entry]:
        """What tells all of this: a new sandbox's journal begins with it, and a long one has it again and again.

        Whoever knows some of it, or all, knows just that after these. Who knows all of it still does after a part of them,
        but that events that were told again come after the others.
        """
        found: list[Entry] = [] if self.began is None else [Began(self.began)]
        if self.handed_over:
            found.append(HandedOver(0.0))
        if self.kept_until is not None:
            found.append(KeptUntil(0.0, 0.0 if math.isinf(self.kept_until) else self.kept_until))
        if self.ip:
            found.append(Address(0.0, self.ip))
        found += [replace(event, again=True) for event in self.events]
        found += [Pulled(at, image) for image, at in self.pulled.items()]
        for container, records in self.records.items():
            for record in reversed(records):
                found += _record_entries(container, record)
        found += [replace(failure, again=True) for failure in self.failures.values()]
        found += [*self.volumes.values()]
        found += [replace(broken, again=True) for broken in self.volume_failures.values()]
        return found if self.finished is None else [*found, self.finished]


def _updated(record: Record, entry: Started | Probed | Hooked | Stopping | Signalled | Message) -> Record:
    match entry:
        case Started():
            return replace(record, sandbox=entry.sandbox, step=entry.step)
        case Probed():
            return replace(record, probes={**record.probes, entry.probe: entry})
        case Hooked():
            return replace(record, hooks={**record.hooks, entry.hook: entry})
        case Stopping():
            return replace(record, stopping=entry)
        case Signalled():
            return replace(record, signalled=entry.at)
        case Message():
            return replace(record, message=entry.text)


def _record_entries(container: str, record: Record) -> list[Entry]:
    found: list[Entry] = []
    if record.was_started:
        found.append(Started(0.0, container, record.attempt, record.step, record.sandbox, again=True))
    found += [*record.probes.values(), *record.hooks.values()]
    if record.stopping is not None:
        found.append(record.stopping)
    if record.signalled is not None:
        found.append(Signalled(record.signalled, container, record.attempt))
    if record.message is not None:
        found.append(Message(0.0, container, record.attempt, record.message))
    return found


def _without(values: Mapping[str, ValueT], name: str) -> Mapping[str, ValueT]:
    return {key: value for key, value in values.items() if key != name} if name in values else values


def read(lines: Iterable[str | bytes]) -> History:
    """The history that a journal tells."""
    history = History()
    for line in lines:
        entry = journal.decode(line)
        if entry is not None:
            history = history.apply(entry)
    return history


def _add_event(events: tuple[Event, ...], event: Event) -> tuple[Event, ...]:
    same = (event.type, event.reason, event.message, event.container)
    added = replace(event, first_at=event.first_at or event.at, again=False)
    for index, old in enumerate(events):
        if (old.type, old.reason, old.message, old.container) == same:
            if not event.again:
                added = replace(added, count=old.count + event.count, first_at=old.first_at or old.at)
            return (*events[:index], *events[index + 1 :], added)
    return (*events, added)[-MAX_EVENTS:]
