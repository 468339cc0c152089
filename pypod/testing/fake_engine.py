"""An engine in memory, for tests that need no Docker: the same promises, the same refusals, and a clock that is told."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from pypod.engine.api import STDERR, Closable, Frame, Progress
from pypod.engine.pause import ENTRYPOINT, REPOSITORY
from pypod.errors import EngineError, ImagePullError
from pypod.model.requests import ContainerRequest, NetworkRequest, VolumeRequest
from pypod.model.state import ContainerInfo, EngineInfo, ImageInfo, NetworkInfo, VolumeInfo
from pypod.testing.clock import FakeClock
from pypod.testing.fake_container import FakeContainer, FakeImage, Line
from pypod.testing.process import Core, Process
from pypod.testing.programs import CannotRun, Program, find
from pypod.testing.resources import digest, full_reference
from pypod.testing.runtime import Runtime
from pypod.testing.streams import (
    FakeEventStream,
    FakeExecStream,
    FakeLogStream,
    FakeStdinChannel,
    matches,
    stamp,
)


@dataclass(slots=True)
class _Injected:
    verb: str
    error: Exception
    times: int
    target: str | None


class _Pull:
    """A pull under way, for who wants to give it up."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self.closed = False

    def close(self) -> None:
        self.closed = True
        self._core.wake()


class FakeEngine:
    """Keeps containers, networks, volumes and images in memory, as Docker would, and lets time pass only on its clock.

    What a container runs is its entrypoint and command: ``true``, ``false``, ``sleep N``, ``echo``, ``cat``, an
    ``sh -c`` of these (and ``exit N``) joined by ``;``, ``&&`` and ``||``, the pause image, and what `program` registers.
    Any other word is a command that the image has not got. An image that says nothing else runs ``sleep infinity``.

    Attributes:
        clock: ends what runs for a time when it gets there.
        calls: every call of a verb: its name, and the name, ID or reference it was called with.
    """

    def __init__(self, clock: FakeClock | None = None) -> None:
        self.clock = clock or FakeClock()
        self.calls: list[tuple[str, str]] = []
        self._core = Core(self.clock)
        self._runtime = Runtime(self._core)
        self._injected: list[_Injected] = []

    # --- for tests ----------------------------------------------------------------------------------------------------

    def program(self, name: str, program: Program) -> None:
        """From now on, this is what a container or exec runs whose first word is `name`."""
        with self._core.condition:
            self._runtime.programs[name] = program

    def inject(self, verb: str, error: Exception, times: int = 1, *, target: str | None = None) -> None:
        """Let the next calls of a verb (of this target, where one is given) fail with an error, before they do anything."""
        with self._core.condition:
            self._injected.append(_Injected(verb, error, times, target))

    def add_image(
        self,
        reference: str,
        *,
        entrypoint: Sequence[str] = (),
        command: Sequence[str] = ("sleep", "infinity"),
        labels: Mapping[str, str] | None = None,
        stop_signal: str = "SIGTERM",
    ) -> ImageInfo:
        """Have an image, and say what it runs."""
        with self._core.condition:
            image = _image(reference, entrypoint, command, labels, stop_signal)
            self._runtime.images.add(reference, image)
            return self._runtime.images.info(image)

    def add_registry_image(
        self,
        reference: str,
        *,
        entrypoint: Sequence[str] = (),
        command: Sequence[str] = ("sleep", "infinity"),
        takes: float = 0.0,
    ) -> None:
        """Let `pull_image` find an image; the pull takes so many seconds, by the clock."""
        with self._core.condition:
            image = _image(reference, entrypoint, command, None, "SIGTERM")
            self._runtime.images.registry[full_reference(reference)] = (image, takes)

    def remove_image(self, reference: str) -> None:
        """Have it no more; containers of it live on."""
        with self._core.condition:
            self._runtime.images.remove(reference)

    def exit(self, container: str, code: int = 0) -> None:
        """Let a container's first process end by itself."""
        with self._core.condition:
            self._runtime.end(self._runtime.running(container, "exit"), code)

    def oom(self, container: str) -> None:
        """Let the kernel kill it for want of memory."""
        with self._core.condition:
            self._runtime.end(self._runtime.running(container, "oom"), 137, oom=True)

    def write(self, container: str, text: str, stream: int = 1) -> None:
        """Let a container's process write something."""
        with self._core.condition:
            self._runtime.running(container, "write").write(self.clock.now(), Frame(stream, text.encode()))
            self._core.condition.notify_all()

    def request(self, container: str) -> ContainerRequest:
        """What a container was created with."""
        with self._core.condition:
            return self._runtime.get(container, "request").request

    def break_streams(self) -> None:
        """End every open stream, as a restart of the engine does; containers live on."""
        with self._core.condition:
            self._core.generation += 1
            self._core.condition.notify_all()

    def _called(self, verb: str, target: str = "") -> None:
        self.calls.append((verb, target))
        for injected in self._injected:
            if injected.verb == verb and injected.times > 0 and injected.target in (None, target):
                injected.times -= 1
                raise injected.error

    # --- the engine ---------------------------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        """Where it answers, for people."""
        return "fake://"

    def info(self) -> EngineInfo:
        """Constants, and the clock's time."""
        with self._core.condition:
            self._called("info")
            return EngineInfo(
                id="fake",
                name="fake",
                version="26.1.5",
                api_version="1.45",
                os="linux",
                architecture="x86_64",
                kernel="6.1.0",
                cpus=4,
                memory=8 * 1024**3,
                cgroup_version="2",
                live_restore=False,
                system_time=self.clock.now(),
                security_options=("name=seccomp,profile=builtin",),
            )

    def close(self) -> None:
        """There are no connections."""
        with self._core.condition:
            self._called("close")

    # images

    def image(self, reference: str) -> ImageInfo:
        """Raises `NotFoundError` when it is not here."""
        with self._core.condition:
            self._called("image", reference)
            return self._runtime.images.info(self._runtime.images.get(reference))

    def images(self) -> list[ImageInfo]:
        """Every image."""
        with self._core.condition:
            self._called("images")
            return self._runtime.images.every()

    def load_image(self, archive: bytes) -> None:
        """Put a ``docker save`` archive in."""
        with self._core.condition:
            self._called("load_image")
            self._runtime.images.load(archive)

    def pull_image(
        self,
        reference: str,
        progress: Progress | None = None,
        register: Callable[[Closable], None] | None = None,
    ) -> None:
        """Get it from what `add_registry_image` was told."""
        with self._core.condition:
            self._called("pull_image", reference)
            pull = _Pull(self._core)
            image, takes = self._runtime.images.pullable(reference)
        if register is not None:
            register(pull)
        if progress is not None:
            progress(f"Pulling {reference}")
        due = self.clock.now() + takes
        timer = self.clock.call_at(due, self._core.wake)
        with self._core.condition:
            self._core.condition.wait_for(lambda: pull.closed or self.clock.now() >= due)
            timer.cancel()
            if pull.closed:
                raise ImagePullError("pull image", reference, "the pull was given up")
            self._runtime.images.add(reference, image)

    # networks and volumes

    def networks(self) -> list[NetworkInfo]:
        """All of them, Docker's own three too."""
        with self._core.condition:
            self._called("networks")
            return self._runtime.networks.every()

    def create_network(self, request: NetworkRequest) -> str:
        """The ID. Raises `SubnetInUseError`."""
        with self._core.condition:
            self._called("create_network", request.name)
            return self._runtime.networks.create(request)

    def remove_network(self, network: str) -> None:
        """Raises `NotFoundError`; `ConflictError` while a running container is on it."""
        with self._core.condition:
            self._called("remove_network", network)
            self._runtime.networks.remove(network)

    def volumes(self, labels: Mapping[str, str]) -> list[VolumeInfo]:
        """Those that carry the labels."""
        with self._core.condition:
            self._called("volumes")
            return [volume for volume in self._runtime.volumes.every() if matches(volume.labels, labels)]

    def create_volume(self, request: VolumeRequest) -> None:
        """One that is there is left as it is."""
        with self._core.condition:
            self._called("create_volume", request.name)
            self._runtime.volumes.create(request, self.clock.now())

    def remove_volume(self, volume: str) -> None:
        """Raises `NotFoundError`; `ConflictError` while a container has it."""
        with self._core.condition:
            self._called("remove_volume", volume)
            self._runtime.volumes.remove(volume, self._runtime.volume_users(volume))

    # containers

    def containers(self, labels: Mapping[str, str]) -> list[ContainerInfo]:
        """Those that carry the labels, without what only an inspection tells."""
        with self._core.condition:
            self._called("containers")
            return [found.summary() for found in self._runtime.every() if matches(found.labels, labels)]

    def container(self, container: str) -> ContainerInfo:
        """Raises `NotFoundError`."""
        with self._core.condition:
            self._called("container", container)
            return self._runtime.get(container, "inspect container").info()

    def create_container(self, request: ContainerRequest) -> str:
        """The ID. Raises `ConflictError`, `NotFoundError`."""
        with self._core.condition:
            self._called("create_container", request.name)
            return self._runtime.create(request)

    def start_container(self, container: str) -> None:
        """Raises `NotFoundError`, `ConflictError`, `EngineError`."""
        with self._core.condition:
            self._called("start_container", container)
            self._runtime.start(self._runtime.get(container, "start container"))

    def kill_container(self, container: str, signal: str = "SIGKILL") -> None:
        """Raises `NotFoundError`; `ConflictError` when it does not run."""
        with self._core.condition:
            self._called("kill_container", container)
            self._runtime.signal(self._runtime.running(container, "kill container"), signal)

    def rename_container(self, container: str, name: str) -> None:
        """Raises `NotFoundError`; `ConflictError` when the name is taken."""
        with self._core.condition:
            self._called("rename_container", container)
            self._runtime.rename(self._runtime.get(container, "rename container"), name)

    def remove_container(self, container: str) -> None:
        """Raises `NotFoundError`."""
        with self._core.condition:
            self._called("remove_container", container)
            self._runtime.remove(self._runtime.get(container, "remove container"))

    def attach_stdin(self, container: str) -> FakeStdinChannel:
        """Hold its standard input. Raises `NotFoundError`."""
        with self._core.condition:
            self._called("attach_stdin", container)
            return FakeStdinChannel(self._core, self._runtime.get(container, "attach to container"))

    def logs(
        self,
        container: str,
        *,
        follow: bool = False,
        tail: int | None = None,
        since: float | None = None,
        timestamps: bool = False,
    ) -> FakeLogStream:
        """What it wrote. Raises `NotFoundError`."""
        with self._core.condition:
            self._called("logs", container)
            found = self._runtime.get(container, "read logs of container")
            lines = found.lines
            place = 0 if tail is None else max(0, len(lines) - tail)
            while place < len(lines) and since is not None and lines[place].time < since:
                place += 1
            return FakeLogStream(self._core, found, place, _stamped if timestamps else _plain, follow=follow)

    def exec(
        self,
        container: str,
        command: Sequence[str],
        *,
        stdin: bool = False,
        user: str = "",
        working_dir: str = "",
        env: Mapping[str, str] | None = None,
    ) -> FakeExecStream:
        """Run a command in it. Raises `NotFoundError`; `ConflictError` when it does not run."""
        with self._core.condition:
            self._called("exec", container)
            found = self._runtime.running(container, "exec in container")
            if not command:
                raise EngineError("exec in container", container, "No exec command specified", status=400)
            return self._exec(found, command, stdin=stdin)

    def _exec(self, container: FakeContainer, command: Sequence[str], *, stdin: bool) -> FakeExecStream:
        stream = FakeExecStream(self._core)
        try:
            launch = find(command, self._runtime.programs, pause=container.image.is_pause)
        except CannotRun as missing:
            stream.put(Frame(STDERR, f"OCI runtime exec failed: {missing}: unknown\r\n".encode()))
            stream.failure = missing.exit_code
            return stream
        stream.process = Process(
            self._core, launch, output=stream.put, ended=lambda code: None, has_stdin=stdin
        )
        container.commands = [
            *(other for other in container.commands if other.exit_code is None),
            stream.process,
        ]
        stream.process.run()
        return stream

    # events

    def events(self, labels: Mapping[str, str], since: float | None = None) -> FakeEventStream:
        """What happens to containers with these labels."""
        with self._core.condition:
            self._called("events")
            return FakeEventStream(self._core, labels, since)


def _image(
    reference: str,
    entrypoint: Sequence[str],
    command: Sequence[str],
    labels: Mapping[str, str] | None,
    stop_signal: str,
) -> FakeImage:
    is_pause = reference.startswith(f"{REPOSITORY}:")
    return FakeImage(
        id=f"sha256:{digest('image', reference, entrypoint, command, labels)}",
        entrypoint=(ENTRYPOINT,) if is_pause else tuple(entrypoint),
        command=() if is_pause else tuple(command),
        labels=dict(labels or {}),
        stop_signal=stop_signal,
        is_pause=is_pause,
    )


def _plain(line: Line) -> Frame:
    return line.frame


def _stamped(line: Line) -> Frame:
    return Frame(line.frame.stream, f"{stamp(line.time)} ".encode() + line.frame.data)
