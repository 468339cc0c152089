"""What happened to a pod: one JSON line a transition, in the log of its pause.

Labels cannot change, so what changes is told to the pause, which copies it to its log; any process reads it there. A
`pypod.model.life.history.History` is all lines applied in order; a line that is not ours, or of a kind not known here, is passed over, so that an
older pypod can read what a newer one wrote.
"""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any

from pypod.model.records import record


@record(frozen=True, slots=True)
class Event:
    """Something that a person would want to know, in Kubernetes' words.

    Attributes:
        at, first_at: Unix seconds, of the last and the first time.
        type: ``Normal`` or ``Warning``.
        reason: ``Pulled``, ``Created``, ``Started``, ``Killing``, ``BackOff``, ``SandboxChanged`` ...
        container: of the pod; empty: the pod itself.
        again: it was told before, and is told again (`pypod.model.life.history.History.entries`): nothing has happened, and
            ``count`` is all there is, not so many more.
    """

    at: float
    type: str
    reason: str
    message: str
    container: str = ""
    count: int = 1
    first_at: float = 0.0
    again: bool = False


@record(frozen=True, slots=True)
class Began:
    """The pod was accepted: its start time, by which ``activeDeadlineSeconds`` counts."""

    at: float


@record(frozen=True, slots=True)
class HandedOver:
    """A detached pod's starter is done with it: from now on the background program looks after it."""

    at: float


@record(frozen=True, slots=True)
class KeptUntil:
    """A detached pod with a time to live was started, or taken up again: it lives until then at least.

    Attributes:
        until: Unix seconds by the engine's clock; 0: until it is removed.
    """

    at: float
    until: float


@record(frozen=True, slots=True)
class Address:
    """The address that a sandbox got: the next one asks for it again."""

    at: float
    ip: str


@record(frozen=True, slots=True)
class Started:
    """An instance of a container was started.

    Attributes:
        attempt: which instance, from 0.
        step: how far the back-off has come with it; 0 for a first start.
        sandbox: the attempt of the pause that it joined.
        again: as of an `Event`.
    """

    at: float
    container: str
    attempt: int
    step: int
    sandbox: int = 0
    again: bool = False


@record(frozen=True, slots=True)
class ContainerFailed:
    """The engine refused to make, or to start, a container; its image could not be had; or what it is made of.

    Attributes:
        reason: ``ErrImagePull``, ``InvalidImageName``, ``CreateContainerConfigError``, ``CreateContainerError``,
            ``RunContainerError``.
        message: the engine's words.
        count: how often in a row.
        again: as of an `Event`.
        untried: the engine was not asked: it is known beforehand, and whether it still holds is seen by whoever looks.
    """

    at: float
    container: str
    reason: str
    message: str
    count: int = 1
    again: bool = False
    untried: bool = False


@record(frozen=True, slots=True)
class Pulled:
    """An image came from its registry for this sandbox."""

    at: float
    image: str


@record(frozen=True, slots=True)
class Probed:
    """A probe's result changed: the threshold was reached.

    Attributes:
        probe: ``startup``, ``liveness`` or ``readiness``.
        passed: what it says from now on.
        message: of the last try.
    """

    at: float
    container: str
    attempt: int
    probe: str
    passed: bool
    message: str = ""


@record(frozen=True, slots=True)
class Hooked:
    """A lifecycle hook began, or ended.

    Attributes:
        hook: ``postStart`` or ``preStop``.
        outcome: ``began``, ``done`` or ``failed``.
    """

    at: float
    container: str
    attempt: int
    hook: str
    outcome: str
    message: str = ""


@record(frozen=True, slots=True)
class Stopping:
    """An instance is being stopped: preStop, stop signal, and SIGKILL when the grace has ended.

    Attributes:
        deadline: when its grace ends, Unix seconds.
        reason: ``Liveness``, ``Startup``, ``PostStartHookError``, ``SandboxChanged``, ``PodFinished``, ``Deleted``.
        sidecars: it is one of the whole pod, so that a sidecar waits for the containers that it serves.
    """

    at: float
    container: str
    attempt: int
    deadline: float
    reason: str
    sidecars: bool = False


@record(frozen=True, slots=True)
class Signalled:
    """An instance got its stop signal."""

    at: float
    container: str
    attempt: int


@record(frozen=True, slots=True)
class Message:
    """The termination message of an instance that has ended was looked for; it may be empty."""

    at: float
    container: str
    attempt: int
    text: str


@record(frozen=True, slots=True)
class VolumeReady:
    """A volume of the pod was set up: its files are there, or its host path was checked.

    Attributes:
        sandbox: the attempt of the pause that had it; in another one it is set up again.
        since: when that pause was started, as the engine says: one that was started again has lost what is in memory.
        version: of what its files are made of; empty: nothing.
    """

    at: float
    volume: str
    sandbox: int
    since: float
    version: str = ""


@record(frozen=True, slots=True)
class VolumeFailed:
    """A volume of the pod could not be set up.

    Attributes:
        message: a kubelet's words.
        count: how often in a row.
        first_at: when it was tried first.
        missing: what it is made of is not there: whoever looks again sees when it is. Else the engine refused something.
        again: as of an `Event`.
    """

    at: float
    volume: str
    message: str
    count: int = 1
    first_at: float = 0.0
    missing: bool = False
    again: bool = False


@record(frozen=True, slots=True)
class PodFinished:
    """The pod is at its end, which is final.

    Attributes:
        phase: ``Succeeded`` or ``Failed``.
        reason, message: of the pod: ``DeadlineExceeded`` ...; often empty.
    """

    at: float
    phase: str
    reason: str = ""
    message: str = ""


Entry = (
    Event
    | Began
    | HandedOver
    | KeptUntil
    | Address
    | Started
    | ContainerFailed
    | Pulled
    | Probed
    | Hooked
    | Stopping
    | Signalled
    | Message
    | VolumeReady
    | VolumeFailed
    | PodFinished
)
_KINDS: dict[str, type[Entry]] = {
    "event": Event,
    "began": Began,
    "handed-over": HandedOver,
    "kept-until": KeptUntil,
    "address": Address,
    "started": Started,
    "failed": ContainerFailed,
    "pulled": Pulled,
    "probed": Probed,
    "hooked": Hooked,
    "stopping": Stopping,
    "signalled": Signalled,
    "message": Message,
    "volume-ready": VolumeReady,
    "volume-failed": VolumeFailed,
    "finished": PodFinished,
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
        types = {field.name: str(field.type) for field in dataclasses.fields(kind)}
        return kind(**{name: _fitting(values[name], types[name]) for name in types if name in values})
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        return None


def _fitting(value: Any, annotation: str) -> Any:
    """The value as a field's: raises `TypeError`, `ValueError` or `OverflowError` where it is none, since it would break
    whoever reads the history (a dictionary's key, ``step + 1``, ``at + 10``)."""
    if type(value) in (int, float) and annotation == "float":
        number = float(value)
        if math.isfinite(number):
            return number
    elif type(value).__name__ == annotation:
        return value
    raise TypeError(f"{annotation} is expected")
