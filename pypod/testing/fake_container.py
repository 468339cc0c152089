"""One container of a fake engine: its state, its log, its standard input."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pypod.engine.api import Frame
from pypod.model.wiring.requests import ContainerRequest
from pypod.model.wiring.state import ContainerInfo, ContainerState
from pypod.testing.files import Tree
from pypod.testing.process import Process

CONTAINER_MODE = "container:"


@dataclass(frozen=True, slots=True)
class FakeImage:
    """An image: what it runs where a container does not say, and what it says of itself."""

    id: str
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ("sleep", "infinity")
    labels: Mapping[str, str] = field(default_factory=dict)
    architecture: str = "amd64"
    stop_signal: str = "SIGTERM"
    size: int = 1_000_000
    is_pause: bool = False
    user: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a log, with its end, or the unfinished last one."""

    time: float
    frame: Frame


@dataclass(slots=True, eq=False)
class FakeContainer:
    """Everything about one container. Used with the engine's lock held."""

    id: str
    name: str
    request: ContainerRequest
    image: FakeImage
    labels: Mapping[str, str]
    modes: Mapping[str, str]
    """``network``, ``ipc`` and ``pid``, with the IDs of the containers that are joined."""
    created_at: float
    layer: Tree = field(default_factory=Tree)
    """Its own files."""
    state: ContainerState = ContainerState.CREATED
    started_at: float | None = None
    finished_at: float | None = None
    exit_code: int | None = None
    error: str = ""
    oom_killed: bool = False
    addresses: dict[str, str] = field(default_factory=dict)
    gateways: dict[str, str] = field(default_factory=dict)
    more_networks: list[str] = field(default_factory=list)
    """The IDs of those that it is on beside that of its mode, while it runs."""
    lines: list[Line] = field(default_factory=list)
    runs: int = 0
    removed: bool = False
    process: Process | None = None
    commands: list[Process] = field(default_factory=list)
    pid_space: str = ""
    """The ID of the container whose first process is PID 1 for this one; empty: the engine's host."""
    early_input: list[bytes] = field(default_factory=list)
    early_end: bool = False
    _unfinished: dict[int, bytes] = field(default_factory=dict)

    @property
    def argv(self) -> tuple[str, ...]:
        """What it runs. An entrypoint of its own drops the image's command, as in Docker."""
        if self.request.entrypoint:
            return self.request.entrypoint + self.request.command
        return self.image.entrypoint + (self.request.command or self.image.command)

    @property
    def is_running(self) -> bool:
        """A paused one runs, as for Docker."""
        return self.state.is_live

    @property
    def upcoming_run(self) -> int:
        """The run that input goes to: this one, or else the next one; a removed container has none."""
        return -1 if self.removed else self.runs if self.is_running else self.runs + 1

    @property
    def is_first(self) -> bool:
        """Whether its process is PID 1 of a PID space."""
        return self.pid_space == self.id

    @property
    def volumes(self) -> set[str]:
        return {mount.source for mount in self.request.mounts if not (mount.bind or mount.image)}

    def target(self, kind: str) -> str | None:
        """The container whose network, ipc or pid space it joins, if it does."""
        mode = self.modes[kind]
        return mode.removeprefix(CONTAINER_MODE) if mode.startswith(CONTAINER_MODE) else None

    def write(self, now: float, frame: Frame) -> None:
        """Log it, line by line as json-file does."""
        *whole, rest = (self._unfinished.get(frame.stream, b"") + frame.data).split(b"\n")
        self.lines.extend(Line(now, Frame(frame.stream, line + b"\n")) for line in whole)
        self._unfinished[frame.stream] = rest

    def flush(self, now: float) -> None:
        """Nothing more is written: log what was not finished."""
        self.lines.extend(Line(now, Frame(stream, rest)) for stream, rest in self._unfinished.items() if rest)
        self._unfinished.clear()

    def feed(self, data: bytes) -> None:
        """Standard input; before the start it is kept."""
        if self.process is not None and self.is_running:
            self.process.feed(data)
        else:
            self.early_input.append(data)

    def end_input(self) -> None:
        """The end of standard input."""
        if self.process is not None and self.is_running:
            self.process.end_input()
        else:
            self.early_end = True

    def take_early_input(self) -> tuple[bytes, bool]:
        """What was sent before the start, and whether that was all."""
        found = b"".join(self.early_input), self.early_end
        self.early_input, self.early_end = [], False
        return found

    def summary(self) -> ContainerInfo:
        """As a list of containers shows it."""
        return ContainerInfo(
            id=self.id,
            name=self.name,
            labels=dict(self.labels),
            state=self.state,
            image=self.request.image,
            created_at=float(int(self.created_at)),
            addresses=dict(self.addresses),
            host_network=self.modes["network"] == "host",
            image_id=self.image.id,
        )

    def info(self) -> ContainerInfo:
        """As an inspection shows it."""
        return ContainerInfo(
            id=self.id,
            name=self.name,
            labels=dict(self.labels),
            state=self.state,
            image=self.request.image,
            created_at=self.created_at,
            started_at=self.started_at,
            finished_at=self.finished_at,
            exit_code=self.exit_code,
            error=self.error,
            oom_killed=self.oom_killed,
            addresses=dict(self.addresses),
            gateways=dict(self.gateways),
            stop_signal=self.request.stop_signal or self.image.stop_signal,
            host_network=self.modes["network"] == "host",
            image_id=self.image.id,
        )
