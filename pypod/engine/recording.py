"""What the engine answered to a plan, as journal entries and events in Kubernetes' words."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass, replace

from pypod.engine.channel import Channel
from pypod.engine.clock import Clock
from pypod.engine.executor import ActionResult
from pypod.errors import ConflictError, EngineError, EngineUnavailableError, NotFoundError, PypodError
from pypod.model.life import journal
from pypod.model.life.journal import Entry, Event
from pypod.model.life.plan import (
    CheckHostPath,
    ConnectNetwork,
    CreateContainer,
    FillVolume,
    KillContainer,
    MakeSubPath,
    OwnVolume,
    StartContainer,
)
from pypod.model.life.volume_setup import failure_words
from pypod.model.spec.pod import PodSpec
from pypod.model.wiring import resolving
from pypod.model.wiring.environment import CONFIG_ERROR

REPEATED_AT_ONCE = 3
"""Times that one and the same event is written as it comes; after that it is counted, and written once in a while: a probe
that fails every second for a day must not fill the journal."""
REPEATED_EVERY = 30.0
"""Seconds."""
ALIKE_AT_ONCE = 25
"""The same for events that differ in their message alone (a probe's output may tell the time): a kubelet's burst of events
(client-go tools/record, EventSourceObjectSpamFilter)."""
NO_IMAGE_NAME = ("invalid reference format", "invalid repository name", "repository name must")
"""An engine's words for a name that no image can have (docker/distribution reference: ErrReferenceInvalidFormat and others)."""
PULL_EVERY = 1.0
"""Seconds between two lines of a pull's progress."""
FAILED_SANDBOX = "FailedCreatePodSandBox"
"""A kubelet's reason where a pod has no network yet."""
CANNOT_RUN = ("executable file not found", "no such file or directory", "permission denied")


@dataclass(frozen=True, slots=True)
class _Count:
    """How often an event was written, how often not since, and when it last was."""

    written: int = 0
    held: int = 0
    last: float = 0.0


class Recorder:
    """Of one pod.

    Attributes:
        last_error: what the engine last refused of a plan.
        sandbox_error: why the sandbox could not be made or started, the last time; None once it could.
    """

    def __init__(self, spec: PodSpec, channel: Channel, clock: Clock) -> None:
        self.last_error: PypodError | None = None
        self.sandbox_error: PypodError | None = None
        self._spec = spec
        self._channel = channel
        self._pull_told: dict[str, float] = {}
        self._clock = clock
        self._lock = threading.Lock()
        self._counts: dict[tuple[str, str, str], _Count] = {}

    def record(self, result: ActionResult) -> None:
        """Write what became of an action. That nobody answered says nothing of a container or an image."""
        self.last_error = result.error or self.last_error
        may_have_started = isinstance(result.action, StartContainer) and result.action.container
        if isinstance(result.error, EngineUnavailableError) and not may_have_started:
            return
        entries = self._entries(result, self._clock.now())
        if entries:
            self._channel.write(*entries)

    def pulling(self, reference: str, line: str) -> None:
        """Write how a pull comes on: its beginning, then a line in a while."""
        now = self._clock.now()
        if line and now < self._pull_told.get(reference, 0.0) + PULL_EVERY:
            return
        self._pull_told[reference] = now
        words = f"Pulling image {reference!r}" + (f": {line}" if line else "")
        self._channel.write(Event(now, "Normal", "Pulling", words))

    def pulled(self, reference: str, error: PypodError | None, users: Iterable[str]) -> None:
        """Write what became of a pull. That nobody answered says nothing of the image.

        Args:
            users: the containers that wait for it.
        """
        self.last_error = error or self.last_error
        if isinstance(error, EngineUnavailableError):
            return
        now = self._clock.now()
        if error is None:
            words = f"Successfully pulled image {reference!r}"
            self._channel.write(journal.Pulled(now, reference), Event(now, "Normal", "Pulled", words))
            return
        reason = "InvalidImageName" if _is_no_name(error) else "ErrImagePull"
        failures = [journal.ContainerFailed(now, name, reason, str(error)) for name in users]
        self._channel.write(*failures, Event(now, "Warning", "Failed", str(error)))

    def repeated(self, event: Event) -> None:
        """Write an event that may come again and again."""
        same, alike = (event.reason, event.message, event.container), (event.reason, "", event.container)
        with self._lock:
            held = self._counts.get(same, _Count()).held
            may = self._may_write(same, REPEATED_AT_ONCE, event.at)
            if may and not self._may_write(alike, ALIKE_AT_ONCE, event.at):
                may = False
                self._counts.pop(same)
        if may:
            self._channel.write(replace(event, count=held + 1))

    def _may_write(self, key: tuple[str, str, str], at_once: int, now: float) -> bool:
        """Count one more of a kind; whether it is written."""
        count = self._counts.setdefault(key, _Count())
        if count.written < at_once or now >= count.last + REPEATED_EVERY:
            self._counts[key] = _Count(count.written + 1, 0, now)
            return True
        self._counts[key] = replace(count, held=count.held + 1)
        return False

    def _entries(self, result: ActionResult, now: float) -> list[Entry]:
        error = result.error
        match result.action:
            case CreateContainer(container=""):
                self.sandbox_error = error
                return []
            case CreateContainer() as action:
                return _create_entries(action, error, now)
            case StartContainer(container="") as action:
                self.sandbox_error = error
                return self._sandbox_entries(action, error, now)
            case ConnectNetwork():
                self.sandbox_error = error
                return [] if error is None else [Event(now, "Warning", FAILED_SANDBOX, str(error))]
            case StartContainer() as action:
                return _start_entries(action, error, now)
            case FillVolume() | CheckHostPath() | OwnVolume() as action:
                return _volume_entries(action, error, now)
            case MakeSubPath() as action:
                return _sub_path_entries(action, error, now)
            case KillContainer() as action if action.container and action.signal != "SIGKILL":
                return [] if error else [journal.Signalled(now, action.container, action.attempt)]
        return []

    def _sandbox_entries(self, action: StartContainer, error: PypodError | None, now: float) -> list[Entry]:
        if error is not None:
            return []
        words = "Pod sandbox changed, it will be killed and re-created."
        changed: list[Entry] = [Event(now, "Normal", "SandboxChanged", words)] if action.attempt else []
        complaints = resolving.resolver(self._spec).complaints
        said = [Event(now, "Warning", each.reason, each.message) for each in complaints]
        return [*changed, *said, Event(now, "Normal", "Started", "Sandbox started")]


def _create_entries(action: CreateContainer, error: PypodError | None, now: float) -> list[Entry]:
    name = action.container
    if error is None:
        return [Event(now, "Normal", "Created", "Container created", name)]
    # Another supervisor has made this attempt, or the sandbox has gone: look again.
    if isinstance(error, ConflictError) or (isinstance(error, NotFoundError) and not _is_image(error)):
        return []
    reason = "CreateContainerError"
    if _is_no_name(error):
        reason = "InvalidImageName"
    elif isinstance(error, NotFoundError):
        reason = "ErrImagePull"
    return [
        journal.ContainerFailed(now, name, reason, str(error)),
        Event(now, "Warning", "Failed", str(error), name),
    ]


def _volume_entries(
    action: FillVolume | CheckHostPath | OwnVolume, error: PypodError | None, now: float
) -> list[Entry]:
    made = action.set_up
    if error is None:
        return [journal.VolumeReady(now, made.volume, made.sandbox, made.since, made.version)]
    if isinstance(error, NotFoundError | ConflictError):  # the sandbox went meanwhile: look again
        return []
    words = error.detail if isinstance(error, EngineError) else str(error)
    event = Event(now, "Warning", "FailedMount", failure_words(made.volume, words))
    return [journal.VolumeFailed(now, made.volume, words), event]


def _sub_path_entries(action: MakeSubPath, error: PypodError | None, now: float) -> list[Entry]:
    if error is None or isinstance(error, NotFoundError | ConflictError):
        return []
    words = error.detail if isinstance(error, EngineError) else str(error)
    return [
        journal.ContainerFailed(now, action.container, CONFIG_ERROR, words),
        Event(now, "Warning", "Failed", f"Error: {words}", action.container),
    ]


def _is_no_name(error: PypodError) -> bool:
    return any(words in str(error) for words in NO_IMAGE_NAME)


def _is_image(error: NotFoundError) -> bool:
    return "image" in error.detail.lower()


def _start_entries(action: StartContainer, error: PypodError | None, now: float) -> list[Entry]:
    if isinstance(error, ConflictError | NotFoundError):  # the sandbox went meanwhile: look again
        return []
    started = journal.Started(now, action.container, action.attempt, action.backoff_step, action.sandbox)
    if error is None:
        return [started, Event(now, "Normal", "Started", "Container started", action.container)]
    if isinstance(error, EngineUnavailableError):
        return [started]
    return [started, Event(now, "Warning", "Failed", str(error), action.container)]


def is_fatal(result: ActionResult) -> bool:
    """The engine refused what ends a start (`pypod.starting.check_failure`): the rest of its plan can be left."""
    error, action = result.error, result.action
    if error is None or isinstance(error, ConflictError | NotFoundError):
        return False
    if isinstance(action, StartContainer) and action.container:
        return any(words in str(error) for words in CANNOT_RUN)
    return isinstance(action, CreateContainer | StartContainer | ConnectNetwork)
