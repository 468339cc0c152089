"""What is to be done: actions of one engine call each, with their cause in words, and what each must wait for.

A plan prints; planner tests compare that print, `pypod plan` shows it and errors attach it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import field

from pypod.model.hidden import shown
from pypod.model.life.journal import ContainerFailed, Entry, Event, PodFinished, Stopping, VolumeFailed
from pypod.model.records import record
from pypod.model.rules import files
from pypod.model.spec.handlers import HookHandler
from pypod.model.spec.volume_sources import HostPathType
from pypod.model.wiring.requests import ContainerRequest, NetworkRequest, VolumeRequest


@record(frozen=True, slots=True)
class LoadPauseImage:
    reference: str
    cause: str

    def __str__(self) -> str:
        return f"load image {self.reference}"


@record(frozen=True, slots=True)
class PullImage:
    reference: str
    cause: str

    def __str__(self) -> str:
        return f"pull image {self.reference}"


@record(frozen=True, slots=True)
class CreateNetwork:
    request: NetworkRequest
    cause: str

    def __str__(self) -> str:
        return f"create network {self.request.name} {self.request.subnet}"


@record(frozen=True, slots=True)
class CreateVolume:
    request: VolumeRequest
    cause: str

    def __str__(self) -> str:
        return f"create volume {self.request.name}"


@record(frozen=True, slots=True)
class CreateContainer:
    request: ContainerRequest
    container: str
    """Of the pod's spec; empty for the pause."""
    cause: str

    def __str__(self) -> str:
        return f"create container {self.request.name}"


@record(frozen=True, slots=True)
class AttachChannel:
    """Hold a pause's standard input: its lease and its journal."""

    name: str
    cause: str

    def __str__(self) -> str:
        return f"attach channel {self.name}"


@record(frozen=True, slots=True)
class ConnectNetwork:
    """Have a pause on one more network, which is not pypod's.

    Attributes:
        id, network: of the network; its name is not unique.
        name: of the container.
        aliases: the names that it has there, beside its hostname.
    """

    id: str
    network: str
    name: str
    aliases: tuple[str, ...]
    cause: str

    def __str__(self) -> str:
        return f"connect container {self.name} to network {self.network}"


@record(frozen=True, slots=True)
class StartContainer:
    name: str
    container: str
    cause: str
    attempt: int = 0
    backoff_step: int = 0
    """How far the back-off has come with this start; 0 for a first one."""
    sandbox: int = 0
    """The attempt of the pause that it joins."""

    def __str__(self) -> str:
        return f"start container {self.name}"


@record(frozen=True, slots=True)
class KillContainer:
    id: str
    name: str
    signal: str
    cause: str
    container: str = ""
    attempt: int = 0
    """Of the pod's spec, where this is its stop signal, which is written down; empty where nothing is."""

    def __str__(self) -> str:
        return f"send {self.signal} to container {self.name}"


@record(frozen=True, slots=True)
class Write:
    """Write to the journal what was decided, before it is done."""

    entries: tuple[Entry, ...]
    cause: str

    def __str__(self) -> str:
        return f"note {'; '.join(_words(entry) for entry in self.entries)}"


def _words(entry: Entry) -> str:
    match entry:
        case Stopping():
            return f"container {entry.container} is stopped ({entry.reason})"
        case PodFinished():
            return f"the pod is {entry.phase}{f' ({entry.reason})' if entry.reason else ''}"
        case ContainerFailed():
            return f"container {entry.container} waits ({entry.reason})"
        case Event():
            return f"event {entry.reason}"
        case VolumeFailed():
            return f"volume {entry.volume} cannot be set up: {entry.message}"
        case _:
            return type(entry).__name__


@record(frozen=True, slots=True)
class RunHook:
    """Begin a lifecycle hook; its end is written to the journal when it comes.

    Attributes:
        id: of the container's instance.
        hook: ``postStart`` or ``preStop``.
        timeout: seconds after which it has failed; None: as long as it takes.
    """

    id: str
    container: str
    attempt: int
    hook: str
    handler: HookHandler
    timeout: float | None
    cause: str

    def __str__(self) -> str:
        return f"begin {self.hook} hook of container {self.container}"


@record(frozen=True, slots=True)
class PutFiles:
    """Have empty files (0666) in a directory of a container: where members leave their termination messages."""

    name: str
    directory: str
    files: tuple[str, ...]
    cause: str

    def __str__(self) -> str:
        return f"put {', '.join(self.files)} into container {self.name}"


@record(frozen=True, slots=True)
class PutText:
    """Write a file in a directory of a container, which all may read.

    Attributes:
        name: of the container.
    """

    name: str
    directory: str
    file: str
    text: str = field(repr=False)
    cause: str

    def __str__(self) -> str:
        return f"put {self.file} into container {self.name}"


@record(frozen=True, slots=True)
class SetUp:
    """Which volume is being set up, for the journal.

    Attributes:
        volume: of the pod's spec.
        sandbox: the attempt of the pause that has it.
        since: when that was started, as the engine says.
        version: of its files; empty: it has none.
    """

    volume: str
    sandbox: int
    since: float
    version: str = ""


@record(frozen=True, slots=True)
class FillVolume:
    """Write the files of a volume, through the pause that has it.

    Attributes:
        name: of the pause.
        directory: where it has the volume.
        files: and directories and links. They print without what is in them: it may be a Secret's.
        group: whom they belong to, beside root.
        replaced: the volume has files of an older version, which go at once when the new ones are there.
    """

    set_up: SetUp
    name: str
    directory: str
    files: tuple[files.Entry, ...]
    group: int
    cause: str
    replaced: bool = False

    def __str__(self) -> str:
        count = sum(entry.data is not None for entry in self.files)
        return f"write {count} file{'' if count == 1 else 's'} into volume {self.set_up.volume}"


@record(frozen=True, slots=True)
class CheckHostPath:
    """See that a path of the engine's host is of its type, and make it where the type says so."""

    set_up: SetUp
    path: str
    type: HostPathType
    cause: str

    def __str__(self) -> str:
        return f"check host path {self.path}"


@record(frozen=True, slots=True)
class OwnVolume:
    """Give all that is in a volume to a group.

    Attributes:
        name: of the volume on the engine.
        pause: of the pod, whose network the program that does it joins.
        only_on_mismatch: not where its root belongs to the group already.
    """

    set_up: SetUp
    name: str
    pause: str
    group: int
    only_on_mismatch: bool
    cause: str

    def __str__(self) -> str:
        return f"give volume {self.set_up.volume} to group {self.group}"


@record(frozen=True, slots=True)
class MakeSubPath:
    """See that a part of a volume is in it, and nowhere else, before a container mounts it; make the directories that are
    missing.

    Attributes:
        container: whose mount it is.
        volume: of the pod's spec.
        pause, directory: which container has the volume, and where; empty: it is a path of the host.
        host_path: that.
        group: whom new directories belong to, beside root.
    """

    container: str
    volume: str
    part: str
    pause: str
    directory: str
    host_path: str
    group: int
    cause: str

    def __str__(self) -> str:
        return f"have {shown(self.part)} in volume {self.volume}"


@record(frozen=True, slots=True)
class ReadMessage:
    """Look for the termination message of an instance that has ended.

    Attributes:
        pause, path: where its file is; empty: it has none.
        id: whose log is taken where the file is empty; empty: none is.
    """

    container: str
    attempt: int
    pause: str
    path: str
    id: str
    cause: str

    def __str__(self) -> str:
        return f"read termination message of container {self.container}"


@record(frozen=True, slots=True)
class RenameContainer:
    id: str
    name: str
    new_name: str
    cause: str

    def __str__(self) -> str:
        return f"rename container {self.name} to {self.new_name}"


@record(frozen=True, slots=True)
class RemoveContainer:
    id: str
    name: str
    cause: str

    def __str__(self) -> str:
        return f"remove container {self.name}"


@record(frozen=True, slots=True)
class RemoveVolume:
    name: str
    cause: str

    def __str__(self) -> str:
        return f"remove volume {self.name}"


@record(frozen=True, slots=True)
class RemoveNetwork:
    id: str
    name: str
    cause: str

    def __str__(self) -> str:
        return f"remove network {self.name}"


Action = (
    LoadPauseImage
    | PullImage
    | CreateNetwork
    | ConnectNetwork
    | CreateVolume
    | CreateContainer
    | AttachChannel
    | StartContainer
    | PutFiles
    | PutText
    | FillVolume
    | CheckHostPath
    | OwnVolume
    | MakeSubPath
    | Write
    | RunHook
    | ReadMessage
    | KillContainer
    | RenameContainer
    | RemoveContainer
    | RemoveVolume
    | RemoveNetwork
)


@record(frozen=True, slots=True)
class Step:
    """An action, and the steps (by index) that must have succeeded before it."""

    action: Action
    after: tuple[int, ...] = ()


@record(frozen=True, slots=True)
class Plan:
    """What can be done now, and when to look again where nothing happens.

    Attributes:
        steps: in an order that respects `Step.after`; steps that do not wait for each other run at the same time.
        due: Unix seconds at which something becomes due by time alone; None: only an event changes anything.
        waiting: why there is nothing (more) to do, for people.
    """

    steps: tuple[Step, ...] = ()
    due: float | None = None
    waiting: str = ""

    def __bool__(self) -> bool:
        return bool(self.steps)

    def __str__(self) -> str:
        if not self.steps:
            return f"nothing to do{': ' + self.waiting if self.waiting else ''}"
        return "\n".join(self._line(number, step) for number, step in enumerate(self.steps, start=1))

    def _line(self, number: int, step: Step) -> str:
        after = ", ".join(f"#{index + 1}" for index in step.after)
        return f"#{number} {step.action}{f' (after {after})' if after else ''}: {step.action.cause}"


class PlanBuilder:
    """Collects steps; `add` gives the index that later steps wait for."""

    def __init__(self) -> None:
        self.steps: list[Step] = []

    def add(self, action: Action, after: Iterable[int | None] = ()) -> int:
        """Append a step. None in ``after`` stands for what needs not be waited for."""
        self.steps.append(Step(action, tuple(index for index in after if index is not None)))
        return len(self.steps) - 1

    def build(self, *, due: float | None = None, waiting: str = "") -> Plan:
        return Plan(tuple(self.steps), due, waiting)
