"""The engine, as pypod sees it: every verb that is used, and what each promises.

`pypod.engine.docker_engine.DockerEngine` is the real one, `pypod.testing.FakeEngine` the one for unit tests; the contract
tests hold both to what is written here. Wherever a container is named, its name and its ID both do.

Every verb raises `EngineUnavailableError` when nobody answers and `EngineError` for what the engine refuses; only what is
beyond that is said with the verb. All verbs may be called from many threads at once.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from pypod.model.wiring.credentials import Login
from pypod.model.wiring.requests import ContainerRequest, NetworkRequest, VolumeRequest
from pypod.model.wiring.state import ContainerInfo, EngineInfo, ImageInfo, NetworkInfo, VolumeInfo

STDOUT = 1
STDERR = 2


@dataclass(frozen=True, slots=True)
class Frame:
    """A piece of output: of which stream (`STDOUT`, `STDERR`), and the bytes, cut anywhere."""

    stream: int
    data: bytes


@dataclass(frozen=True, slots=True)
class EngineEvent:
    """Something happened to a container. A reason to look, never a reason to act.

    Attributes:
        action: ``create``, ``start``, ``die``, ``oom``, ``destroy``, ``rename``, ``kill``, ``pause``, ``unpause``.
        container: the ID.
        attributes: labels among them.
        time: Unix seconds by the engine's clock.
    """

    action: str
    container: str
    attributes: Mapping[str, str] = field(default_factory=dict)
    time: float = 0.0


@dataclass(frozen=True, slots=True)
class PathInfo:
    """What is at a path.

    Attributes:
        kind: ``file``, ``directory``, ``link``, ``socket``, ``pipe``, ``character device`` or ``block device``.
        mode: permissions, with the bits for setuid, setgid and sticky.
    """

    kind: str
    mode: int


class Closable(Protocol):
    def close(self) -> None:
        """End it, from any thread; a reader that is blocked in it sees its end. A second close does nothing."""


class StdinChannel(Closable, Protocol):
    """An attached standard input. While it is open, the container's stdin is."""

    def send(self, data: bytes) -> None:
        """Write all of it. Raises `EngineError` when it is not taken within seconds. That it was taken proves nothing: the
        engine may still hold what a container that has ended will never read."""

    def fileno(self) -> int:
        """Of the socket, for closing it after a fork; -1 where there is none."""

    def close_in_child(self) -> None:
        """Drop this process' copy after a fork, without ending the parent's (close, never shutdown)."""


class FrameStream(Closable, Protocol):
    """Output that goes on until its end."""

    def read(self, timeout: float | None = None) -> Frame | None:
        """The next frame; None at the end. Raises `TimeoutError` when none comes in time (seconds; None: wait)."""


class ExecStream(FrameStream, Protocol):
    """A command that runs in a container."""

    def send(self, data: bytes) -> None:
        """Write to its stdin; after its end, or its stdin's, the bytes are dropped."""

    def close_stdin(self) -> None:
        """Its stdin ends here; its output goes on."""

    def exit_code(self) -> int | None:
        """The exit code; None while it runs. Asked of the engine, so right also after the stream broke."""


class EventStream(Closable, Protocol):
    def __iter__(self) -> Iterator[EngineEvent]:
        """Events as they come. The iteration ends when the stream does, for whatever reason: look again then."""


Progress = Callable[[str], None]


class Engine(Protocol):
    """A Docker Engine."""

    @property
    def url(self) -> str:
        """Where it answers, for people."""

    def info(self) -> EngineInfo: ...

    # images

    def image(self, reference: str) -> ImageInfo:
        """Raises `NotFoundError` when the engine has not got it."""

    def images(self) -> list[ImageInfo]:
        """Every image that has a reference."""

    def load_image(self, archive: bytes) -> None:
        """Put a ``docker save`` archive in; the same archive gives the same image."""

    def remove_image(self, reference: str) -> None:
        """Take the reference away, and the image with its last one. Raises `NotFoundError`; `ConflictError` while a container
        uses it."""

    def pull_image(
        self,
        reference: str,
        progress: Progress | None = None,
        register: Callable[[Closable], None] | None = None,
        *,
        login: Login | None = None,
    ) -> None:
        """Get it from its registry.

        Args:
            reference: no tag and no digest means ``latest``, never all tags.
            progress: is told what goes on, a line each.
            register: is handed what to close, from another thread, to give the pull up.
            login: who asks for it; None: whoever docker is logged in as at that registry, if anybody.

        Raises:
            ImagePullError: the registry has not got it, cannot be reached, or the pull was given up.
        """

    # networks

    def networks(self) -> list[NetworkInfo]:
        """All of the engine's, whoever made them."""

    def create_network(self, request: NetworkRequest) -> str:
        """The ID. Raises `SubnetInUseError` when another network overlaps it."""

    def connect_network(self, network: str, container: str, aliases: Sequence[str] = ()) -> None:
        """Put a container, running or not, on one more network, under these names too. One that is on it stays as it is.

        Raises:
            NotFoundError: there is no such network, or no such container.
        """

    def remove_network(self, network: str) -> None:
        """Raises `NotFoundError`; `ConflictError` while a container is on it."""

    # volumes

    def volumes(self, labels: Mapping[str, str]) -> list[VolumeInfo]:
        """Those that carry all the labels; an empty value means: whatever the value is."""

    def create_volume(self, request: VolumeRequest) -> VolumeInfo:
        """The volume of that name. One that is there already is left as it is: of parallel creators one has made it, and all
        are told the labels that it has."""

    def remove_volume(self, volume: str) -> None:
        """Raises `NotFoundError`; `ConflictError` while a container has it."""

    # containers

    def containers(self, labels: Mapping[str, str], *, volume: str = "") -> list[ContainerInfo]:
        """Those that carry all the labels, running or not; an empty value means: whatever the value is. With ``volume``
        only those that have the volume of that name.

        One call, whatever their number. Of each it knows name, labels, state, image, creation and addresses, and no times,
        exit code, error or stop signal: `container` knows those.
        """

    def container(self, container: str) -> ContainerInfo:
        """Raises `NotFoundError`."""

    def create_container(self, request: ContainerRequest) -> str:
        """The ID. Raises `ConflictError` when the name is taken, `NotFoundError` when image or network is missing."""

    def start_container(self, container: str) -> None:
        """One that runs already is left running.

        Raises:
            NotFoundError: there is no such container.
            ConflictError: the container whose namespaces it joins is not running.
            EngineError: it cannot be started; `container` tells the exit code (127 no such command, 126 not executable).
        """

    def kill_container(self, container: str, signal: str = "SIGKILL") -> None:
        """Send a signal to its first process. Raises `NotFoundError`; `ConflictError` when it does not run."""

    def rename_container(self, container: str, name: str) -> None:
        """Raises `NotFoundError`; `ConflictError` when the name is taken."""

    def remove_container(self, container: str) -> None:
        """Kill it where it runs, remove it and its anonymous volumes. Raises `NotFoundError`; `ConflictError` while another
        removal of it is under way."""

    def attach_stdin(self, container: str) -> StdinChannel:
        """Hold its standard input; it need not run yet. Raises `NotFoundError`."""

    def logs(
        self,
        container: str,
        *,
        follow: bool = False,
        tail: int | None = None,
        since: float | None = None,
        timestamps: bool = False,
    ) -> FrameStream:
        """What it wrote; with ``follow`` until it ends. Raises `NotFoundError`, also while it is being removed."""

    def stat(self, container: str, path: str) -> PathInfo:
        """What is at a path of it, running or not; a link at its end is not followed. Raises `NotFoundError` for no such
        container and no such path."""

    def get_archive(self, container: str, path: str) -> Generator[bytes, None, None]:
        """A file or directory of it, running or not, as a tar stream in pieces; close the generator to give it up early.
        Raises `NotFoundError` for no such container and no such path."""

    def put_archive(self, container: str, path: str, archive: Iterable[bytes]) -> None:
        """Unpack a tar stream into a directory of it, running or not; owners and modes are those of the archive. Raises
        `NotFoundError` for no such container and no such directory."""

    def exec(
        self,
        container: str,
        command: Sequence[str],
        *,
        stdin: bool = False,
        user: str = "",
        working_dir: str = "",
        env: Mapping[str, str] | None = None,
    ) -> ExecStream:
        """Run a command in it. Raises `NotFoundError`; `ConflictError` when it does not run."""

    # the rest

    def events(self, labels: Mapping[str, str], since: float | None = None) -> EventStream:
        """What happens to containers with these labels, from ``since`` (Unix seconds, engine's clock) on."""

    def close(self) -> None:
        """Let its connections go. Using the engine again opens new ones."""
