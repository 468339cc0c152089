"""The life of a fake engine's containers: create, start, signal, end, remove. Used with the engine's lock held."""

from __future__ import annotations

import signal as signals
from collections.abc import Mapping
from typing import NoReturn

from pypod.engine.api import Frame
from pypod.errors import ConflictError, EngineError, NotFoundError
from pypod.model.wiring.requests import ContainerRequest, MountRequest, VolumeRequest
from pypod.model.wiring.state import ContainerState
from pypod.testing.fake_container import CONTAINER_MODE, FakeContainer
from pypod.testing.files import (
    FILE_MODE,
    Entry,
    Files,
    Mount,
    Tree,
    image_tree,
    mountpoint,
    pause_tree,
)
from pypod.testing.process import Core, Process
from pypod.testing.programs import KILLED, CannotRun, Program, find
from pypod.testing.resources import Images, Networks, Volumes, digest

NEVER_STARTED = 128
"""The exit code where a container failed to start for another reason than its program."""
MINIMUM_MEMORY = 6 * 1024 * 1024
MINIMUM_CPU_QUOTA = 1000
JOINS = {"network": "network", "ipc": "IPC", "pid": "PID"}


class Runtime:
    """All containers, and what they need of the rest."""

    def __init__(self, core: Core) -> None:
        self.images = Images()
        self.networks = Networks()
        self.volumes = Volumes()
        self.programs: dict[str, Program] = {}
        self._core = core
        self._by_id: dict[str, FakeContainer] = {}
        self._made = 0

    # finding

    def every(self) -> list[FakeContainer]:
        """Newest first, as the engine lists them."""
        return list(reversed(self._by_id.values()))

    def find(self, container: str) -> FakeContainer | None:
        """By ID, name or the start of an ID."""
        if container in self._by_id:
            return self._by_id[container]
        plain = container.removeprefix("/")
        named = [other for other in self._by_id.values() if other.name == plain]
        begun = [other for other in self._by_id.values() if plain and other.id.startswith(plain)]
        return next(iter(named or begun), None)

    def get(self, container: str, verb: str) -> FakeContainer:
        """The same; raises `NotFoundError`."""
        if (found := self.find(container)) is None:
            raise NotFoundError(verb, container, f"No such container: {container}", status=404)
        return found

    def running(self, container: str, verb: str) -> FakeContainer:
        """One that runs; raises `ConflictError` where it does not."""
        found = self.get(container, verb)
        if not found.is_running:
            raise ConflictError(verb, container, f"Container {found.id} is not running", status=409)
        return found

    # create, rename

    def create(self, request: ContainerRequest) -> str:
        """The ID."""
        image = self.images.get(request.image, "create container")
        self._refuse_taken(request.name, "create container", request.name)
        modes = {
            "network": request.network_mode or "bridge",
            "ipc": request.ipc_mode or "private",
            "pid": request.pid_mode,
        }
        modes = {kind: self._resolved(mode) for kind, mode in modes.items()}
        self._refuse_conflicts(request, modes["network"])
        _refuse_limits(request)
        layer = pause_tree() if image.is_pause else image_tree()
        self._mount(request, layer)
        self._made += 1
        made = FakeContainer(
            id=digest("container", request.name, self._made),
            name=request.name,
            request=request,
            image=image,
            labels={**image.labels, **request.labels},
            modes=modes,
            created_at=self._core.clock.now(),
            layer=layer,
        )
        self._by_id[made.id] = made
        self._emit("create", made)
        return made.id

    def _mount(self, request: ContainerRequest, layer: Tree) -> None:
        """Have its volumes, and the places in it that something is mounted on."""
        host = self.volumes.host
        for mount in request.mounts:
            path = self.volumes.resolved(mount.source)
            if mount.bind and not mount.create_source and self.volumes.is_absent(path):
                detail = (
                    f'invalid mount config for type "bind": bind source path does not exist: {mount.source}'
                )
                raise EngineError("create container", request.name, detail, status=400)
        for mount in request.mounts:
            if mount.image:
                continue
            if mount.bind:
                if host.get(path := self.volumes.resolved(mount.source)) is None:
                    host.make_directory(path)  # a test's host has every directory that is asked for
            else:
                self.volumes.create(VolumeRequest(mount.source, mount.labels), self._core.clock.now())
                if mount.copy_image:
                    self.volumes.copy_up(mount.source, layer, mount.target)
                self._check_part(request, mount)
            source = host.get(self.volumes.resolved(_source(mount)))
            if source is None or source.is_directory:
                layer.make_directory(mount.target)
            elif layer.get(mount.target) is None:
                layer.put(mount.target, Entry(FILE_MODE, b""))

    def _check_part(self, request: ContainerRequest, mount: MountRequest) -> None:
        """A part of a volume must be there."""
        if mount.sub_path and self.volumes.host.get(self.volumes.resolved(_source(mount))) is None:
            detail = f"cannot access path {_source(mount)}: no such file or directory"
            raise EngineError("create container", request.name, detail, status=404)

    def files(self, container: FakeContainer, user: str = "") -> Files:
        """What a program of a user sees of files in it."""
        request = container.request
        return Files(
            container.layer,
            self.volumes.host,
            [
                Mount(mount.target, self.volumes.resolved(_source(mount)), mount.read_only)
                for mount in request.mounts
                if not mount.image
            ],
            request.read_only,
            user,
            self._core.clock.now(),
        )

    def _resolved(self, mode: str) -> str:
        if mode.startswith(CONTAINER_MODE) and (target := self.find(mode.removeprefix(CONTAINER_MODE))):
            return CONTAINER_MODE + target.id
        return mode

    def _refuse_conflicts(self, request: ContainerRequest, network: str) -> None:
        if not network.startswith(CONTAINER_MODE):
            self.networks.get(network, "create container")
            return
        for what, given in (("hostname", request.hostname), ("port publishing", request.ports)):
            if given:
                detail = f"conflicting options: {what} and the container type network mode"
                raise EngineError("create container", request.name, detail, status=400)

    def _refuse_taken(self, name: str, verb: str, target: str) -> None:
        if any(other.name == name for other in self._by_id.values()):
            detail = f'Conflict. The container name "/{name}" is already in use'
            raise ConflictError(verb, target, detail, status=409)

    def rename(self, container: FakeContainer, name: str) -> None:
        """A name that another one has is refused; its own too, as in Docker."""
        self._refuse_taken(name, "rename container", container.name)
        before, container.name = container.name, name
        self._emit("rename", container, oldName=before)

    # start

    def start(self, container: FakeContainer) -> None:
        """Where it cannot, it stays as it was, with the reason in it."""
        if container.state is ContainerState.PAUSED:
            detail = "cannot start a paused container, try unpause instead"
            raise ConflictError("start container", container.name, detail, status=409)
        if container.is_running:
            return
        owner = self._check_joins(container)
        self._check_ports(container)
        try:
            launch = find(
                container.argv,
                self.programs,
                self.files(container, container.request.user),
                pause=container.image.is_pause,
            )
        except CannotRun as missing:
            detail = f"OCI runtime create failed: starting container process caused: {missing}: unknown"
            self._fail(
                container,
                EngineError("start container", container.name, detail, status=400),
                missing.exit_code,
            )
        if container.target("network") is None:
            self._connect(container)
        self._forget_memory(container)
        container.pid_space = owner
        container.process = Process(
            self._core,
            launch,
            output=lambda frame: self._write(container, frame),
            ended=lambda code: self._ended(container, code),
            has_stdin=container.request.stdin_open,
        )
        container.state, container.error, container.exit_code = ContainerState.RUNNING, "", None
        container.started_at, container.oom_killed = self._core.clock.now(), False
        container.runs += 1
        self._emit("start", container)
        self._begin(container, container.process)

    def _begin(self, container: FakeContainer, process: Process) -> None:
        data, ends = container.take_early_input()
        process.feed(data)
        if ends:
            process.end_input()
        process.run()

    def _write(self, container: FakeContainer, frame: Frame) -> None:
        container.write(self._core.clock.now(), frame)
        self._core.condition.notify_all()

    def _check_joins(self, container: FakeContainer) -> str:
        """The ID of whose PID space it will be in."""
        owner = "" if container.modes["pid"] == "host" else container.id
        for kind, word in JOINS.items():
            if (wanted := container.target(kind)) is None:
                continue
            target = self.find(wanted)
            if target is None or not target.is_running:
                there = "a non running container" if target else "a container that is not there"
                error: EngineError = ConflictError(
                    "start container", container.name, f"cannot join {word} of {there}: {wanted}", status=409
                )
                self._fail(container, error, NEVER_STARTED)
            if kind == "ipc" and target.modes["ipc"] not in ("shareable", "host"):
                detail = f"cannot join IPC of {wanted}: non-shareable IPC (hint: use IpcMode:shareable for the donor)"
                self._fail(
                    container,
                    EngineError("start container", container.name, detail, status=500),
                    NEVER_STARTED,
                )
            if kind == "pid":
                owner = target.pid_space
        return owner

    def _check_ports(self, container: FakeContainer) -> None:
        used = [port for other in self._by_id.values() if other.is_running for port in _host_ports(other)]
        for number, protocol, address in _host_ports(container):
            if not any(
                (number, protocol) == other[:2] and (address == other[2] or "" in (address, other[2]))
                for other in used
            ):
                continue
            detail = (
                "driver failed programming external connectivity: "
                f"Bind for {address or '0.0.0.0'}:{number} failed: port is already allocated"  # noqa: S104
            )
            error = EngineError("start container", container.name, detail, status=500)
            self._fail(container, error, NEVER_STARTED)

    def _connect(self, container: FakeContainer) -> None:
        try:
            network = self.networks.get(container.modes["network"], "start container")
            self.networks.get(
                network.info.name, "start container"
            )  # 20.10 looks it up by name, also where given its ID
            self.networks.attach(container, network, container.request.ipv4_address)
            for more in container.more_networks:
                self.networks.attach(container, self.networks.get(more, "start container"))
        except EngineError as error:
            self.networks.leave(container)
            self._fail(container, error, NEVER_STARTED)

    def _fail(self, container: FakeContainer, error: EngineError, exit_code: int) -> NoReturn:
        container.error, container.exit_code = error.detail, exit_code
        raise error

    def _forget_memory(self, container: FakeContainer) -> None:
        """A volume in memory is unmounted, and empty, when the last container that has it and runs ends."""
        others = [other for other in self._by_id.values() if other is not container and other.is_running]
        for volume in container.volumes:
            if not any(volume in other.volumes for other in others):
                self.volumes.forget(volume)

    def freeze(self, container: FakeContainer) -> None:
        """``docker pause``."""
        if container.state is ContainerState.PAUSED:
            detail = f"Container {container.id} is already paused"
            raise ConflictError("pause container", container.name, detail, status=409)
        container.state = ContainerState.PAUSED
        for process in _processes(container):
            process.freeze()
        self._emit("pause", container)

    def thaw(self, container: FakeContainer) -> None:
        """``docker unpause``."""
        if container.state is not ContainerState.PAUSED:
            detail = f"Container {container.id} is not paused"
            raise EngineError("unpause container", container.name, detail, status=500)
        container.state = ContainerState.RUNNING
        self._emit("unpause", container)
        for process in _processes(container):
            process.thaw()

    # the end

    def end_all(self) -> None:
        """As the daemon does when it is stopped: SIGTERM, and SIGKILL for what is left."""
        for container in list(self._by_id.values()):
            if container.is_running:
                self.signal(container, "SIGTERM")
        for container in list(self._by_id.values()):
            if container.is_running:
                self.signal(container, "SIGKILL")

    def signal(self, container: FakeContainer, signal: str) -> None:
        """Send it to the first process."""
        number = _number(container.name, signal)
        self._emit("kill", container, signal=str(number))
        if container.process is not None:
            container.process.signal(number, first=container.is_first)
        # moby daemon/kill.go: what is paused is woken, but where the image has a stop signal and this is another.
        if container.state is ContainerState.PAUSED and container.image.stop_signal in ("SIGTERM", signal):
            self.thaw(container)

    def end(self, container: FakeContainer, code: int, *, oom: bool = False) -> None:
        """Its first process ends by itself, or for want of memory."""
        if oom:
            self._emit("oom", container)
            container.oom_killed = True
        if container.process is not None:
            container.process.end(code)

    def _ended(self, container: FakeContainer, code: int) -> None:
        now = self._core.clock.now()
        container.state, container.exit_code, container.finished_at = ContainerState.EXITED, code, now
        container.flush(now)
        self.networks.leave(container)
        commands, container.commands = container.commands, []
        for command in commands:
            command.end(KILLED)
        self._forget_memory(container)
        self._emit("die", container, exitCode=str(code))
        if container.is_first:
            for other in list(self._by_id.values()):
                if other.is_running and other.pid_space == container.id and other.process is not None:
                    other.process.end(KILLED)

    def remove(self, container: FakeContainer) -> None:
        """Kill it first where it runs."""
        if container.is_running:
            self.signal(container, "SIGKILL")
        container.removed = True
        del self._by_id[container.id]
        self._emit("destroy", container)

    def volume_users(self, volume: str) -> list[str]:
        """The IDs of the containers that have it."""
        return [container.id for container in self._by_id.values() if volume in container.volumes]

    def _emit(self, action: str, container: FakeContainer, **more: str) -> None:
        attributes: Mapping[str, str] = {
            **container.labels,
            "name": container.name,
            "image": container.request.image,
            **more,
        }
        self._core.emit(action, container.id, attributes)


def _source(mount: MountRequest) -> str:
    """Of the engine's host."""
    if mount.bind:
        return mount.source
    return f"{mountpoint(mount.source)}/{mount.sub_path}".rstrip("/")


def _processes(container: FakeContainer) -> list[Process]:
    return [*([container.process] if container.process else []), *container.commands]


def _refuse_limits(request: ContainerRequest) -> None:
    if 0 < request.memory < MINIMUM_MEMORY:
        detail = "Minimum memory limit allowed is 6MB"
    elif 0 < request.cpu_quota < MINIMUM_CPU_QUOTA:
        detail = f"CPU cfs quota can not be less than 1ms (i.e. {MINIMUM_CPU_QUOTA})"
    else:
        return
    raise EngineError("create container", request.name, detail, status=400)


def _host_ports(container: FakeContainer) -> set[tuple[int, str, str]]:
    return {
        (port.host_port, port.protocol, "" if port.host_ip == "0.0.0.0" else port.host_ip)  # noqa: S104
        for port in container.request.ports
        if port.host_port is not None and port.host_port != 0
    }


def _number(container: str, signal: str) -> int:
    try:
        if signal.isdigit():
            return int(signals.Signals(int(signal)))
        name = signal.upper()
        return int(signals.Signals[name if name.startswith("SIG") else f"SIG{name}"])
    except (KeyError, ValueError) as error:
        raise EngineError("kill container", container, f"Invalid signal: {signal}", status=400) from error
