"""What was seen on the engine: frozen snapshots. Times are Unix seconds by the engine's clock."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

from pypod.model import naming
from pypod.model.naming import PodKey

LEASE_LOST = 97
"""The exit code with which a pause says that its owner is gone (`pypod.engine.pause.LEASE_LOST_EXIT_CODE`)."""


class ContainerState(enum.Enum):
    """The engine's word for what a container is doing."""

    CREATED = "created"
    RUNNING = "running"
    PAUSED = "paused"
    RESTARTING = "restarting"
    REMOVING = "removing"
    EXITED = "exited"
    DEAD = "dead"

    @property
    def is_live(self) -> bool:
        """A process of it exists."""
        return self in (ContainerState.RUNNING, ContainerState.PAUSED, ContainerState.RESTARTING)


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """Which engine this is.

    Attributes:
        id: the engine's own, stable over restarts.
        system_time: Unix seconds, when it answered.
        security_options: as ``docker info`` lists them: ``name=rootless`` ...
        product: ``Docker``, or ``Podman`` behind its Docker-compatible socket.
    """

    id: str
    name: str
    version: str
    api_version: str
    os: str
    architecture: str
    kernel: str
    cpus: int
    memory: int
    cgroup_version: str
    live_restore: bool
    system_time: float
    security_options: tuple[str, ...] = ()
    product: str = "Docker"


@dataclass(frozen=True, slots=True)
class ImageInfo:
    id: str
    references: tuple[str, ...]
    labels: Mapping[str, str] = field(default_factory=dict)
    architecture: str = ""
    size: int = 0


@dataclass(frozen=True, slots=True)
class NetworkInfo:
    id: str
    name: str
    driver: str
    subnets: tuple[str, ...]
    labels: Mapping[str, str] = field(default_factory=dict)
    created_at: float = 0.0


@dataclass(frozen=True, slots=True)
class VolumeInfo:
    """A volume.

    Attributes:
        mountpoint: its directory on the engine's host.
    """

    name: str
    labels: Mapping[str, str]
    created_at: float
    mountpoint: str = ""


@dataclass(frozen=True, slots=True)
class ContainerInfo:
    """One container, as inspected.

    Attributes:
        started_at, finished_at: None where it never started, never ended.
        exit_code: of the last end, also of a start that failed (126, 127, 128); None while it runs or where nothing happened.
        error: why the engine could not start it.
        addresses: its IPv4 by network ID; empty for a member, whose address is its pause's.
        stop_signal: what ends it gracefully: ``SIGTERM``, or as its image says.
    """

    id: str
    name: str
    labels: Mapping[str, str]
    state: ContainerState
    image: str
    created_at: float
    started_at: float | None = None
    finished_at: float | None = None
    exit_code: int | None = None
    error: str = ""
    oom_killed: bool = False
    addresses: Mapping[str, str] = field(default_factory=dict)
    stop_signal: str = "SIGTERM"

    @property
    def attempt(self) -> int:
        return naming.attempt_of(self.labels)

    @property
    def container(self) -> str:
        """The name of the pod's container that this is an instance of."""
        return naming.container_of(self.labels)

    @property
    def sandbox(self) -> int:
        """The attempt of the pause that a member was made for."""
        return naming.sandbox_of(self.labels)

    @property
    def is_ephemeral(self) -> bool:
        return naming.is_ephemeral(self.labels)

    @property
    def is_live(self) -> bool:
        return self.state.is_live

    @property
    def failed_to_start(self) -> bool:
        """The engine tried and could not: no process of it ever was."""
        return self.state is ContainerState.CREATED and bool(self.error or self.exit_code)

    @property
    def has_ended(self) -> bool:
        """It ran and ended, or could not be started: what a restart decision is made about."""
        return self.state in (ContainerState.EXITED, ContainerState.DEAD) or self.failed_to_start


@dataclass(frozen=True, slots=True)
class PodObservation:
    """All that the engine has of one pod, at one moment.

    Attributes:
        at: when it was read, Unix seconds by this process' clock.
        pauses: newest attempt first.
        members: instances by container name, newest attempt first.
        network: the network that the pod belongs on; None where the engine has none yet.
        taken_subnets: of every network of the engine.
        images: by reference; None where the engine has not got it.
        node_memory: of the engine's host, bytes; 0 where it was not asked for.
        pause_image: the embedded image's reference for this engine, and whether it is there.
    """

    key: PodKey
    at: float
    pauses: tuple[ContainerInfo, ...] = ()
    members: Mapping[str, tuple[ContainerInfo, ...]] = field(default_factory=dict)
    volumes: tuple[VolumeInfo, ...] = ()
    network: NetworkInfo | None = None
    taken_subnets: tuple[str, ...] = ()
    images: Mapping[str, ImageInfo | None] = field(default_factory=dict)
    node_memory: int = 0
    pause_image: str = ""
    pause_image_present: bool = False

    @property
    def pause(self) -> ContainerInfo | None:
        """The newest sandbox."""
        return self.pauses[0] if self.pauses else None

    @property
    def sandbox(self) -> ContainerInfo | None:
        """The pause that serves its members: one that runs, and is on its network."""
        pause = self.pause
        return pause if pause is not None and pause.is_live and self.ip else None

    @property
    def is_empty(self) -> bool:
        """Nothing of the pod is on the engine."""
        return not (self.pauses or self.members or self.volumes)

    @property
    def deletion_deadline(self) -> float | None:
        """When grace ends, once the pod is marked as to go; None: it is to stay."""
        deadlines = [d for p in self.pauses if (d := naming.deletion_deadline(p.name)) is not None]
        return min(deadlines) if deadlines else None

    @property
    def all_members(self) -> tuple[ContainerInfo, ...]:
        return tuple(info for instances in self.members.values() for info in instances)

    @property
    def ip(self) -> str:
        """The pod's address on its network; empty while it has none."""
        if self.pause is None or not self.pause.is_live:
            return ""
        addresses = self.pause.addresses
        if self.network is not None and addresses.get(self.network.id):
            return addresses[self.network.id]
        return next(iter(addresses.values()), "")

    @property
    def lease_lost(self) -> bool:
        """The newest pause said that its owner is gone: so it is, or the engine died under both."""
        pause = self.pause
        return pause is not None and pause.has_ended and pause.exit_code == LEASE_LOST

    @property
    def ephemeral(self) -> tuple[ContainerInfo, ...]:
        """The containers that joined the running pod, oldest first."""
        found = [info for info in self.all_members if info.is_ephemeral]
        return tuple(sorted(found, key=lambda info: info.created_at))

    def newest(self, container: str) -> ContainerInfo | None:
        """The newest instance of one of the pod's containers."""
        instances = self.members.get(container, ())
        return instances[0] if instances else None
