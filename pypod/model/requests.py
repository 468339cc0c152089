"""What is asked of the engine for a pod: the wiring of a pod, in one readable file.

The pause owns what is shared: the network endpoint, hostname, IPC space, PID space and every volume. A member names the
pause in ``network_mode``, ``ipc_mode`` and ``pid_mode``; the engine turns the name into the pause's ID when it creates the
member (moby daemon/create.go, adaptSharedNamespaceContainer), so a member can be asked for before its pause runs.
"""

from __future__ import annotations

import ipaddress
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import field

from pypod.model import codec, expansion, naming
from pypod.model.allotment import allotment
from pypod.model.naming import Owner, PodKey
from pypod.model.records import record
from pypod.model.spec import Container, ContainerPort, EmptyDir, HostPath, HostPathType, Medium, PodSpec

PAUSE_CPU_SHARES = 2
SHM_SIZE = 64 * 1024 * 1024
"""Of the pod's ``/dev/shm``, bytes: Docker's and Kubernetes' own default."""
JOURNAL_MAX_SIZE = "16m"
MAX_VOLUMES = 64
"""The pause image has that many mount points (`pypod.engine.pause.VOLUME_SLOTS`)."""

DEFAULT_SUBNETS = ipaddress.IPv4Network("10.214.0.0/16")
NETWORK_SUBNETS = ipaddress.IPv4Network("10.216.0.0/13")
SUBNET_PREFIX = 20


@record(frozen=True, slots=True)
class NetworkRequest:
    """A user-defined bridge. Its explicit subnet is the lock: of parallel creators the engine lets one have it."""

    name: str
    subnet: str
    labels: Mapping[str, str]


@record(frozen=True, slots=True)
class VolumeRequest:
    """A volume of the ``local`` driver; in memory (tmpfs) with an optional size in bytes, or on disk."""

    name: str
    labels: Mapping[str, str]
    memory: bool = False
    size_limit: int | None = None


@record(frozen=True, slots=True)
class MountRequest:
    """A volume (by name) or a bind of the engine's host (by path) in a container.

    Attributes:
        copy_image: let a fresh volume take the content *and mode* of the image's directory under it.
        create_source: let the engine make a missing host directory.
        labels: what the engine gives a volume that it makes because none of that name is there.
    """

    source: str
    target: str
    bind: bool = False
    read_only: bool = False
    copy_image: bool = False
    create_source: bool = False
    labels: Mapping[str, str] = field(default_factory=dict, hash=False)


@record(frozen=True, slots=True)
class ContainerRequest:
    """One container. Empty means: the engine's or the image's default.

    Attributes:
        cpu_quota: microseconds per 100 ms.
        memory: bytes at most, swap included.
        ipv4_address: which it asks for on its network.
        stop_signal: which ``docker stop`` and pypod end it with.

    Restart policy ``no``, HEALTHCHECK off and json-file logs go without saying: `docker_sdk` always sets them.
    """

    name: str
    image: str
    labels: Mapping[str, str]
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    working_dir: str = ""
    user: str = ""
    hostname: str = ""
    network_mode: str = ""
    network_aliases: tuple[str, ...] = ()
    ipc_mode: str = ""
    pid_mode: str = ""
    mounts: tuple[MountRequest, ...] = ()
    ports: tuple[ContainerPort, ...] = ()
    dns_search: tuple[str, ...] = ()
    dns_options: tuple[str, ...] = ()
    stdin_open: bool = False
    stdin_once: bool = False
    read_only: bool = False
    drop_capabilities: bool = False
    no_new_privileges: bool = False
    oom_score_adj: int = 0
    cpu_shares: int = 0
    cpu_quota: int = 0
    memory: int = 0
    ipv4_address: str = ""
    shm_size: int = 0
    log_max_size: str = ""
    stop_signal: str = ""


@record(frozen=True, slots=True)
class PodIdentity:
    """Which pod of whom: all that labels and names need, beside the spec."""

    key: PodKey
    owner: Owner
    leased: bool

    @property
    def labels(self) -> dict[str, str]:
        return naming.pod_labels(self.key, self.owner, leased=self.leased)


def network_request(network: str, taken: tuple[str, ...]) -> NetworkRequest | None:
    """The first of a network's own subnets that nothing on the engine overlaps; None when all are taken.

    Deterministic, so that parallel creators ask for the same one and the engine picks the winner.
    """
    others = [ipaddress.ip_network(subnet, strict=False) for subnet in taken]
    for subnet in _candidates(network):
        if not any(subnet.overlaps(other) for other in others if isinstance(other, ipaddress.IPv4Network)):
            return NetworkRequest(naming.network_name(network), str(subnet), naming.network_labels(network))
    return None


def _candidates(network: str) -> Iterator[ipaddress.IPv4Network]:
    pool = NETWORK_SUBNETS if network else DEFAULT_SUBNETS
    subnets = list(pool.subnets(new_prefix=SUBNET_PREFIX))
    first = zlib.crc32(network.encode()) % len(subnets) if network else 0
    return iter(subnets[first:] + subnets[:first])


def volume_requests(spec: PodSpec, identity: PodIdentity) -> tuple[VolumeRequest, ...]:
    """One engine volume for each `EmptyDir`."""
    disk_or_memory = tuple(
        VolumeRequest(
            name=naming.volume_name(identity.key, volume.name),
            labels=naming.volume_labels(identity.labels, volume.name),
            memory=volume.source.medium is Medium.MEMORY,
            size_limit=volume.source.size_limit,
        )
        for volume in spec.volumes
        if isinstance(volume.source, EmptyDir)
    )
    if not keeps_messages(spec):
        return disk_or_memory
    name = naming.volume_name(identity.key, naming.MESSAGES)
    return (*disk_or_memory, VolumeRequest(name, naming.volume_labels(identity.labels, naming.MESSAGES)))


def keeps_messages(spec: PodSpec) -> bool:
    """Whether any container leaves a termination message in a file."""
    return any(container.termination_message_path for container in spec.all_containers)


def messages_directory(spec: PodSpec) -> str:
    """Where the pause has the volume of the termination messages."""
    return f"/v/{sum(isinstance(volume.source, EmptyDir) for volume in spec.volumes)}"


def volume_directory(spec: PodSpec, name: str) -> str:
    """Where the pause has an `EmptyDir`."""
    held = [volume.name for volume in spec.volumes if isinstance(volume.source, EmptyDir)]
    return f"/v/{held.index(name)}"


def message_file(container: str, attempt: int) -> str:
    """The name of an instance's termination message in that volume."""
    return f"{container}_{attempt}"


def pause_request(
    spec: PodSpec, identity: PodIdentity, *, attempt: int, image: str, network_id: str, ip: str = ""
) -> ContainerRequest:
    """The sandbox: everything that the pod shares. ``ip``: the address to ask for, which the one before it had."""
    key = identity.key
    return ContainerRequest(
        name=naming.pause_name(key, attempt),
        image=image,
        labels=naming.pause_labels(identity.labels, attempt, codec.dump_spec(spec), spec.network),
        command=("--lease",) if identity.leased else (),
        hostname=spec.effective_hostname,
        network_mode=network_id,
        network_aliases=naming.dns_aliases(key),
        ipc_mode="shareable",
        mounts=_pause_mounts(spec, key),
        # Not those of the other init containers, which may have the same ones: they end before these start
        # (pkg/kubelet/kuberuntime/kuberuntime_sandbox.go, generatePodSandboxConfig).
        ports=tuple(port for container in (*spec.sidecars, *spec.containers) for port in container.ports),
        ipv4_address=ip,
        dns_search=naming.dns_search(key.namespace),
        # Docker's own default is ndots:0, which asks for the bare name first; every container's hostname is a DNS name
        # on its network, so `web` would answer with the pods `web` of all namespaces in turn.
        dns_options=("ndots:1",),
        stdin_open=True,
        # The end of the one attached client is the end of file that the lease waits for (moby daemon/attach.go closes
        # stdin after an attach only where StdinOnce is set). A detached pod's journal is written by many in turn.
        stdin_once=identity.leased,
        read_only=True,
        drop_capabilities=True,
        no_new_privileges=True,
        # No oom_score_adj, though a kubelet gives its sandboxes -998: an engine without CAP_SYS_RESOURCE (rootless, or in a
        # container itself) cannot lower it, and runc fails the start with "can't get final child's PID from pipe: EOF".
        # With less than 1 MB the pause is the kernel's last choice anyway.
        cpu_shares=PAUSE_CPU_SHARES,
        shm_size=SHM_SIZE,
        log_max_size=JOURNAL_MAX_SIZE,
    )


def _pause_mounts(spec: PodSpec, key: PodKey) -> tuple[MountRequest, ...]:
    """Every pod volume is held by the pause: an in-memory one is unmounted, and empty, when its last user stops."""
    mounts: list[MountRequest] = []
    for volume in spec.volumes:
        if isinstance(volume.source, EmptyDir):
            on_disk = volume.source.medium is Medium.DISK
            mounts.append(
                MountRequest(naming.volume_name(key, volume.name), f"/v/{len(mounts)}", copy_image=on_disk)
            )
    if keeps_messages(spec):
        mounts.append(
            MountRequest(naming.volume_name(key, naming.MESSAGES), messages_directory(spec), copy_image=True)
        )
    return tuple(mounts)


@record(frozen=True, slots=True)
class Sandbox:
    """What a member needs to know of its surroundings.

    Attributes:
        pause: the pause's name or ID.
        attempt: of the pause.
        messages: the directory of the termination messages on the engine's host; empty: there is none.
        node_memory: of the engine's host, bytes.
    """

    pause: str
    attempt: int = 0
    messages: str = ""
    node_memory: int = 0


def member_request(
    spec: PodSpec,
    container: Container,
    identity: PodIdentity,
    *,
    attempt: int,
    image: str,
    sandbox: Sandbox,
    variables: Mapping[str, str] | None = None,
) -> ContainerRequest:
    """One member: its own file system, and the pause's everything else.

    Args:
        variables: all that it gets (`pypod.model.environment`); None: those whose values stand in its spec.
    """
    pause = sandbox.pause
    shared = f"container:{pause}"
    shares_pid = spec.share_process_namespace and not container.own_pid
    variables = expansion.environment(container) if variables is None else variables
    allotted = allotment(spec, container, sandbox.node_memory)
    return ContainerRequest(
        name=naming.member_name(identity.key, container.name, attempt),
        image=image,
        labels=naming.member_labels(identity.labels, container.name, attempt, sandbox.attempt),
        entrypoint=expansion.words(container.command, variables),
        command=expansion.words(container.args, variables),
        env=variables,
        working_dir=container.working_dir,
        user=container.user,
        network_mode=shared,
        ipc_mode=shared,
        pid_mode=shared if shares_pid else "",
        mounts=_member_mounts(spec, container, identity.key) + _message_mount(container, attempt, sandbox),
        oom_score_adj=allotted.oom_score_adj,
        cpu_shares=allotted.cpu_shares,
        cpu_quota=allotted.cpu_quota,
        memory=allotted.memory,
        stop_signal=container.lifecycle.stop_signal,
    )


def _message_mount(container: Container, attempt: int, sandbox: Sandbox) -> tuple[MountRequest, ...]:
    """The file itself, by its path on the engine's host: a volume's sub-path needs API 1.45."""
    if not (container.termination_message_path and sandbox.messages):
        return ()
    source = f"{sandbox.messages}/{message_file(container.name, attempt)}"
    return (MountRequest(source, container.termination_message_path, bind=True),)


def _member_mounts(spec: PodSpec, container: Container, key: PodKey) -> tuple[MountRequest, ...]:
    sources = {volume.name: volume.source for volume in spec.volumes}
    mounts = []
    for mount in container.mounts:
        source = sources[mount.name]
        if isinstance(source, HostPath):
            create = source.type is HostPathType.DIRECTORY_OR_CREATE
            request = MountRequest(
                source.path, mount.mount_path, bind=True, read_only=mount.read_only, create_source=create
            )
        else:
            request = MountRequest(
                naming.volume_name(key, mount.name), mount.mount_path, read_only=mount.read_only
            )
        mounts.append(request)
    return tuple(mounts)
