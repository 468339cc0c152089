"""What is asked of the engine for a pod: the wiring of a pod, in one readable file.

The pause owns what is shared: the network endpoint, hostname, IPC space, PID space and every volume. A member names the
pause in ``network_mode``, ``ipc_mode`` and ``pid_mode``; the engine turns the name into the pause's ID when it creates the
member (moby daemon/create.go, adaptSharedNamespaceContainer), so a member can be asked for before its pause runs.
"""

from __future__ import annotations

import ipaddress
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from pypod.model import codec, expansion, naming, resources
from pypod.model.mounts import (
    MAX_VOLUMES,
    MountRequest,
    Places,
    VolumeRequest,
    keeps_messages,
    member_mounts,
    message_file,
    messages_directory,
    pause_mounts,
    volume_requests,
)
from pypod.model.naming import Owner, PodKey
from pypod.model.spec import Container, ContainerPort, PodSpec

__all__ = [
    "MAX_VOLUMES",
    "ContainerRequest",
    "MountRequest",
    "NetworkRequest",
    "PodIdentity",
    "Sandbox",
    "VolumeRequest",
    "keeps_messages",
    "member_request",
    "message_file",
    "messages_directory",
    "network_request",
    "pause_request",
    "volume_requests",
]

PAUSE_CPU_SHARES = 2
SHM_SIZE = 64 * 1024 * 1024
"""Of the pod's ``/dev/shm``, bytes: Docker's and Kubernetes' own default."""
JOURNAL_MAX_SIZE = "16m"

DEFAULT_SUBNETS = ipaddress.IPv4Network("10.214.0.0/16")
NETWORK_SUBNETS = ipaddress.IPv4Network("10.216.0.0/13")
SUBNET_PREFIX = 20


@dataclass(frozen=True, slots=True)
class NetworkRequest:
    """A user-defined bridge. Its explicit subnet is the lock: of parallel creators the engine lets one have it."""

    name: str
    subnet: str
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ContainerRequest:
    """One container. Empty means: the engine's or the image's default.

    Attributes:
        cpu_quota: microseconds per 100 ms.
        memory: bytes at most, swap included.
        ipv4_address: which it asks for on its network.

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


@dataclass(frozen=True, slots=True)
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
        mounts=pause_mounts(spec, key, identity.owner),
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


@dataclass(frozen=True, slots=True)
class Sandbox:
    """What a member needs to know of its surroundings.

    Attributes:
        pause: the pause's name or ID.
        attempt: of the pause.
        messages: the directory of the termination messages on the engine's host; empty: there is none.
        node_memory: of the engine's host, bytes.
        places: where the engine has the pod's volumes.
    """

    pause: str
    attempt: int = 0
    messages: str = ""
    node_memory: int = 0
    places: Places = field(default_factory=Places)


def member_request(
    spec: PodSpec, container: Container, identity: PodIdentity, *, attempt: int, image: str, sandbox: Sandbox
) -> ContainerRequest:
    """One member: its own file system, and the pause's everything else.

    Raises:
        ValueMissingError: it has to wait, with ``CreateContainerConfigError``.
    """
    pause = sandbox.pause
    shared = f"container:{pause}"
    shares_pid = spec.share_process_namespace and not container.own_pid
    variables = expansion.environment(container)
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
        mounts=(
            *member_mounts(spec, container, identity.key, variables, sandbox.places),
            *_message_mount(container, attempt, sandbox),
        ),
        oom_score_adj=_oom_score_adj(spec, container, sandbox.node_memory),
        cpu_shares=resources.cpu_shares(container.resources.effective_requests.cpu or 0),
        cpu_quota=resources.cpu_quota(container.resources.limits.cpu or 0),
        memory=container.resources.limits.memory or 0,
    )


def _oom_score_adj(spec: PodSpec, container: Container, node_memory: int) -> int:
    """A kubelet's figure, but for Guaranteed: an engine without CAP_SYS_RESOURCE (rootless, or in a container itself)
    cannot go below 0, and runc fails the start. Among pods, 0 is still taken last."""
    qos = resources.qos_class(each.resources for each in spec.all_containers)
    return max(0, resources.oom_score_adj(qos, _memory_claim(spec, container), node_memory))


def _memory_claim(spec: PodSpec, container: Container) -> int:
    """What counts for the OOM score: a sidecar is not killed before the containers that it serves.

    Source: pkg/kubelet/qos/policy.go, GetContainerOOMScoreAdjust.
    """
    own = container.resources.effective_requests.memory or 0
    if container not in spec.sidecars:
        return own
    return max(own, min(each.resources.effective_requests.memory or 0 for each in spec.containers))


def _message_mount(container: Container, attempt: int, sandbox: Sandbox) -> tuple[MountRequest, ...]:
    """The file itself, by its path on the engine's host: a volume's sub-path needs API 1.45."""
    if not (container.termination_message_path and sandbox.messages):
        return ()
    source = f"{sandbox.messages}/{message_file(container.name, attempt)}"
    return (MountRequest(source, container.termination_message_path, bind=True),)
