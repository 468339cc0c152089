"""What was seen on the engine: frozen snapshots. Times are Unix seconds by the engine's clock."""

from __future__ import annotations

import enum
import ipaddress
from collections.abc import Mapping
from dataclasses import field

from pypod.model import naming
from pypod.model.naming import PodKey
from pypod.model.records import record
from pypod.model.spec.object_references import Objects

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


@record(frozen=True, slots=True)
class EngineInfo:
    """Which engine this is.

    Attributes:
        id: the engine's own, stable over restarts.
        system_time: Unix seconds, when it answered.
        security_options: as ``docker info`` lists them: ``name=rootless`` ...
        product: ``Docker``, or ``Podman`` behind its Docker-compatible socket.
        runtimes: the names of those that a container can ask for.
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
    runtimes: tuple[str, ...] = ()


@record(frozen=True, slots=True)
class ImageInfo:
    """An image.

    Attributes:
        user: whom it runs as, ``user[:group]``; empty: root. An inspection alone tells.
    """

    id: str
    references: tuple[str, ...]
    labels: Mapping[str, str] = field(default_factory=dict)
    architecture: str = ""
    size: int = 0
    user: str = ""


@record(frozen=True, slots=True)
class NetworkInfo:
    id: str
    name: str
    driver: str
    subnets: tuple[str, ...]
    labels: Mapping[str, str] = field(default_factory=dict)
    created_at: float = 0.0

    @property
    def gateway(self) -> str:
        """The address that the engine's host has on it: the first one, where nobody chose another; empty: none that is known."""
        networks = (ipaddress.ip_network(subnet, strict=False) for subnet in self.subnets)
        return next((str(each[1]) for each in networks if each.version == 4), "")


@record(frozen=True, slots=True)
class VolumeInfo:
    """A volume.

    Attributes:
        mountpoint: its directory on the engine's host.
    """

    name: str
    labels: Mapping[str, str]
    created_at: float
    mountpoint: str = ""


@record(frozen=True, slots=True)
class ContainerInfo:
    """One container, as inspected.

    Attributes:
        started_at, finished_at: None where it never started, never ended.
        exit_code: of the last end, also of a start that failed (126, 127, 128); None while it runs or where nothing happened.
        error: why the engine could not start it.
        addresses: its IPv4 by network ID; empty for a member, whose address is its pause's.
        gateways: by network ID, the address at which it reaches the engine's host.
        stop_signal: what ends it gracefully: ``SIGTERM``, or as its image says.
        host_network: it is on the network of the engine's host, and has no address of its own.
        image: the name that it was asked for by; once that means another image, a list has the ID in its place.
        image_id: of the image that it was made of, whatever the name means by now.
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
    gateways: Mapping[str, str] = field(default_factory=dict)
    host_network: bool = False
    image_id: str = ""

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


@record(frozen=True, slots=True)
class PodObservation:
    """All that the engine has of one pod, at one moment.

    Attributes:
        at: when it was read, Unix seconds by this process' clock.
        pauses: newest attempt first.
        members: instances by container name, newest attempt first.
        volumes: its own, which go with it.
        claims: those with the files of its namespace's claims, where it has any; they are not its own.
        network: the network that the pod belongs on; None where the engine has none yet.
        taken_subnets: of every network of the engine.
        others_networks: those of the engine that are not pypod's; empty where the spec names none that the pod is to join.
        images: by reference; None where the engine has not got it.
        node_memory: of the engine's host, bytes; 0 where it was not asked for.
        node_cpus, node_name: of the engine's host.
        node_runtimes, node_security: the engine's runtimes and security options; empty where it was not asked for them.
        profiles: the texts of the seccomp profiles that the spec names, by path; those that cannot be read are missing.
        api_version: of the engine.
        objects: the ConfigMaps, Secrets and claims that the spec refers to.
        env_files: the files that variables of containers which do not run come from, by volume and path; one that is not there
            is missing.
        is_whole: everything of it runs, so what only a plan would need was not asked for: volumes, images, and objects, but for
            those that files are made of.
        pause_image: the embedded image's reference for this engine, and whether it is there.
    """

    key: PodKey
    at: float
    pauses: tuple[ContainerInfo, ...] = ()
    members: Mapping[str, tuple[ContainerInfo, ...]] = field(default_factory=dict)
    volumes: tuple[VolumeInfo, ...] = ()
    claims: tuple[VolumeInfo, ...] = ()
    network: NetworkInfo | None = None
    taken_subnets: tuple[str, ...] = ()
    others_networks: tuple[NetworkInfo, ...] = ()
    images: Mapping[str, ImageInfo | None] = field(default_factory=dict)
    node_memory: int = 0
    node_cpus: int = 0
    node_name: str = ""
    node_runtimes: tuple[str, ...] = ()
    node_security: tuple[str, ...] = ()
    profiles: Mapping[str, str] = field(default_factory=dict, repr=False)
    api_version: str = ""
    is_whole: bool = False
    objects: Objects = field(default_factory=Objects)
    env_files: Mapping[tuple[str, str], bytes] = field(default_factory=dict, repr=False)
    pause_image: str = ""
    pause_image_present: bool = False

    @property
    def pause(self) -> ContainerInfo | None:
        """The newest sandbox."""
        return self.pauses[0] if self.pauses else None

    @property
    def sandbox(self) -> ContainerInfo | None:
        """The pause that serves its members: one that runs, and is on its network. That of the engine's host cannot be lost."""
        pause = self.pause
        if pause is None or not pause.is_live:
            return None
        return pause if pause.host_network or self.ip else None

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
        """The pod's address on its network; empty while it has none. On the network of the engine's host it is the address
        that the host has on the pod network: every pod can dial that, and a server that listens on 127.0.0.1 alone is not
        reached by it."""
        if self.pause is None or not self.pause.is_live:
            return ""
        if self.pause.host_network:
            return self.network.gateway if self.network is not None else ""
        return self._on_its_network(self.pause.addresses)

    @property
    def host_ip(self) -> str:
        """The address of the engine's host on the pod's network; empty while that is not known. A pod on the network of the host
        has no other one itself."""
        if self.pause is None or not self.ip:
            return ""
        return self.ip if self.pause.host_network else self._on_its_network(self.pause.gateways)

    def _on_its_network(self, addresses: Mapping[str, str]) -> str:
        """Never that on a network which it joined beside its own: a pod that has lost its own one has lost its address."""
        if self.network is not None and addresses.get(self.network.id):
            return addresses[self.network.id]
        others = {network.id for network in self.others_networks}
        return next((address for key, address in addresses.items() if key not in others), "")

    @property
    def extra_ips(self) -> Mapping[str, str]:
        """The pod's addresses on the networks that it joined beside its own, by the networks' names."""
        addresses = self.pause.addresses if self.pause is not None else {}
        return {each.name: addresses[each.id] for each in self.others_networks if each.id in addresses}

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
