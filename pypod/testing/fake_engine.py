"""An engine in memory, for tests that need no Docker: the same promises, the same refusals, and a clock that is told."""

from __future__ import annotations

import tarfile
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence

from pypod.engine.api import STDERR, Closable, Frame, PathInfo, Progress
from pypod.errors import ConflictError, EngineError, ImagePullError, NotFoundError
from pypod.model.wiring.credentials import Login
from pypod.model.wiring.requests import ContainerRequest, NetworkRequest, VolumeRequest
from pypod.model.wiring.state import (
    ContainerInfo,
    ContainerState,
    EngineInfo,
    ImageInfo,
    NetworkInfo,
    VolumeInfo,
)
from pypod.testing.controls import Controls
from pypod.testing.fake_container import FakeContainer, Line
from pypod.testing.files import Files
from pypod.testing.process import Core, Process
from pypod.testing.programs import CannotRun, find
from pypod.testing.resources import full_reference
from pypod.testing.streams import (
    FakeEventStream,
    FakeExecStream,
    FakeLogStream,
    FakeStdinChannel,
    matches,
    stamp,
)

_COPY_FROM, _COPY_TO = "copy from container", "copy to container"
_PIECE = 64 * 1024


class _Pull:
    """A pull under way, for who wants to give it up."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self.closed = False

    def close(self) -> None:
        self.closed = True
        self._core.wake()


class FakeEngine(Controls):
    """Keeps containers, networks, volumes and images in memory, as Docker would, and lets time pass only on its clock.

    What a container runs is its entrypoint and command: ``true``, ``false``, ``sleep N``, ``echo``, ``cat``, ``touch``,
    ``rm``, ``test``, an ``sh -c`` of these (and ``exit N``) joined by ``;``, ``&&`` and ``||`` and redirected by ``>``,
    ``>>`` and ``>&``, the pause image, and what `program` registers. Any other word is a command that the image has not
    got. An image that says nothing else runs ``sleep infinity``.

    Containers and volumes have files: a container's own go with it, a volume's stay, and one in memory is empty when the
    last container that has it and runs has ended.

    Attributes:
        clock: ends what runs for a time when it gets there.
        calls: every call of a verb: its name, and the name, ID or reference it was called with.
    """

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
                api_version=self.api_version,
                os="linux",
                architecture="x86_64",
                kernel="6.1.0",
                cpus=4,
                memory=8 * 1024**3,
                cgroup_version="2",
                live_restore=False,
                system_time=self.clock.now(),
                security_options=("name=seccomp,profile=builtin",),
                runtimes=("runc",),
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
        *,
        login: Login | None = None,
    ) -> None:
        """Get it from what `add_registry_image` was told."""
        with self._core.condition:
            self._called("pull_image", reference)
            pull = _Pull(self._core)
            image, takes = self._runtime.images.pullable(reference, login)
        if register is not None:
            register(pull)
        tell = progress or (lambda line: None)
        tell("{1}: Pulling from {0}".format(*_name_and_tag(reference)))
        due = self.clock.now() + takes
        timer = self.clock.call_at(due, self._core.wake)
        with self._core.condition:
            self._core.condition.wait_for(
                lambda: pull.closed or self._core.is_down or self.clock.now() >= due
            )
            timer.cancel()
            if self._core.is_down:
                raise ImagePullError("pull image", reference, "the engine at fake:// broke off")
            if pull.closed:
                raise ImagePullError("pull image", reference, "the pull was given up")
            news = self._runtime.images.add(reference, image)
        word = "Downloaded newer image" if news else "Image is up to date"
        tell(f"Status: {word} for {reference}")

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
            return self._runtime.networks.create(request, self.clock.now())

    def connect_network(self, network: str, container: str, aliases: Sequence[str] = ()) -> None:
        """Raises `NotFoundError`. Names are not looked up here."""
        with self._core.condition:
            self._called("connect_network", container)
            self._runtime.networks.join(self._runtime.get(container, "connect network"), network)

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

    def create_volume(self, request: VolumeRequest) -> VolumeInfo:
        """One that is there is left as it is."""
        with self._core.condition:
            self._called("create_volume", request.name)
            return self._runtime.volumes.create(request, self.clock.now())

    def remove_volume(self, volume: str) -> None:
        """Raises `NotFoundError`; `ConflictError` while a container has it."""
        with self._core.condition:
            self._called("remove_volume", volume)
            self._runtime.volumes.remove(volume, self._runtime.volume_users(volume))

    # containers

    def containers(self, labels: Mapping[str, str], *, volume: str = "") -> list[ContainerInfo]:
        """Those that carry the labels and have the volume, without what only an inspection tells."""
        with self._core.condition:
            self._called("containers")
            return [
                found.summary()
                for found in self._runtime.every()
                if matches(found.labels, labels) and (not volume or volume in found.volumes)
            ]

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

    def stat(self, container: str, path: str) -> PathInfo:
        """What is there. Raises `NotFoundError`."""
        with self._core.condition:
            self._called("stat", container)
            files = self._runtime.files(self._runtime.get(container, _COPY_FROM))
            try:
                entry = files.entry(path)
            except OSError as error:
                raise _no_file(_COPY_FROM, container, path) from error
            if entry is None:
                raise _no_file(_COPY_FROM, container, path)
            return PathInfo(entry.kind, entry.mode)

    def get_archive(self, container: str, path: str) -> Generator[bytes, None, None]:
        """What is there, as a tar stream. Raises `NotFoundError`."""
        with self._core.condition:
            self._called("get_archive", container)
            files = self._runtime.files(self._runtime.get(container, _COPY_FROM))
            try:
                packed = files.pack(path)
            except OSError as error:
                raise _no_file(_COPY_FROM, container, path) from error
        return (packed[start : start + _PIECE] for start in range(0, len(packed), _PIECE))

    def put_archive(self, container: str, path: str, archive: Iterable[bytes]) -> None:
        """Unpack a tar stream. Raises `NotFoundError`."""
        with self._core.condition:
            self._called("put_archive", container)
            self._destination(container, path)
        data = b"".join(archive)  # without the lock: it may come from another verb
        with self._core.condition:
            try:
                self._destination(container, path).unpack(path, data)
            except (tarfile.TarError, OSError) as error:
                raise EngineError(
                    _COPY_TO, container, f"Error processing tar file: {error}", status=500
                ) from error

    def _destination(self, container: str, path: str) -> Files:
        files = self._runtime.files(self._runtime.get(container, _COPY_TO))
        try:
            entry, (read_only, mounted) = files.stat(path), files.is_read_only(path)
        except OSError as error:
            raise _no_file(_COPY_TO, container, path) from error
        if entry is None:
            raise _no_file(_COPY_TO, container, path)
        detail = ""
        if not entry.is_directory:
            detail = "extraction point is not a directory"
        elif read_only:
            detail = (
                "mounted volume is marked read-only" if mounted else "container rootfs is marked read-only"
            )
        if detail:
            raise EngineError(_COPY_TO, container, detail, status=500)
        return files

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
            if found.state is ContainerState.PAUSED:
                detail = f"Container {container} is paused, unpause the container before exec"
                raise ConflictError("exec in container", container, detail, status=409)
            return self._exec(found, command, user, stdin=stdin)

    def _exec(
        self, container: FakeContainer, command: Sequence[str], user: str, *, stdin: bool
    ) -> FakeExecStream:
        stream = FakeExecStream(self._core)
        try:
            files = self._runtime.files(container, user or container.request.user)
            launch = find(command, self._runtime.programs, files, pause=container.image.is_pause)
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


def _name_and_tag(reference: str) -> tuple[str, str]:
    """As the engine tells of a pull: without the registry."""
    name, _, tag = full_reference(reference).rpartition(":")
    first, _, rest = name.partition("/")
    return (rest if rest and ("." in first or ":" in first) else name), tag


def _no_file(verb: str, container: str, path: str) -> NotFoundError:
    detail = f"Could not find the file {path} in container {container}"
    return NotFoundError(verb, container, detail, status=404)


def _plain(line: Line) -> Frame:
    return line.frame


def _stamped(line: Line) -> Frame:
    return Frame(line.frame.stream, f"{stamp(line.time)} ".encode() + line.frame.data)
