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

from pypod.model import naming
from pypod.model.document import codec
from pypod.model.naming import PodIdentity, PodKey
from pypod.model.records import record
from pypod.model.rules import confinement as confining
from pypod.model.rules import expansion, hosts
from pypod.model.rules.allotment import allotment
from pypod.model.rules.confinement import Confinement
from pypod.model.rules.mounts import (
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
from pypod.model.spec.pod import Container, ContainerPort, PodSpec
from pypod.model.wiring import admission, resolving

__all__ = [
    "MAX_VOLUMES",
    "ContainerRequest",
    "MountRequest",
    "NetworkRequest",
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

HOST = "host"
"""A mode that takes a namespace of the engine's host."""
PAUSE_CPU_SHARES = 2
SHM_SIZE = 64 * 1024 * 1024
"""Of the pod's ``/dev/shm``, bytes: Docker's and Kubernetes' own default."""
JOURNAL_MAX_SIZE = "16m"

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
class ContainerRequest:
    """One container. Empty means: the engine's or the image's default.

    Attributes:
        cpu_quota: microseconds per 100 ms.
        memory: bytes at most, swap included.
        ipv4_address: which it asks for on its network.
        gateway_priority: of its network, among all that it will be on, for having the default route.
        stop_signal: which ``docker stop`` and pypod end it with.
        domain: what follows the hostname in the full name.
        dns_servers: whom the engine's resolver asks for what it does not know.
        extra_hosts: lines of the hosts file: ``name:address``.
        sysctls: of its own namespaces.
        runtime: a name that the engine knows.

    Restart policy ``no``, HEALTHCHECK off and json-file logs go without saying: `docker_requests` always sets them.
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
    domain: str = ""
    network_mode: str = ""
    network_aliases: tuple[str, ...] = ()
    ipc_mode: str = ""
    pid_mode: str = ""
    uts_mode: str = ""
    mounts: tuple[MountRequest, ...] = ()
    ports: tuple[ContainerPort, ...] = ()
    dns_servers: tuple[str, ...] = ()
    dns_search: tuple[str, ...] = ()
    dns_options: tuple[str, ...] = ()
    extra_hosts: tuple[str, ...] = ()
    sysctls: Mapping[str, str] = field(default_factory=dict)
    runtime: str = ""
    stdin_open: bool = False
    stdin_once: bool = False
    tty: bool = False
    read_only: bool = False
    drop_capabilities: bool = False
    no_new_privileges: bool = False
    confinement: Confinement = field(default_factory=Confinement)
    oom_score_adj: int = 0
    cpu_shares: int = 0
    cpu_quota: int = 0
    memory: int = 0
    ipv4_address: str = ""
    gateway_priority: int = 0
    shm_size: int = 0
    log_max_size: str = ""
    stop_signal: str = ""


def network_request(
    network: str, taken: tuple[str, ...], owner: naming.Owner | None = None
) -> NetworkRequest | None:
    """The first of a network's own subnets that nothing on the engine overlaps; None when all are taken.

    Deterministic, so that parallel creators ask for the same one and the engine picks the winner.
    """
    others = [ipaddress.ip_network(subnet, strict=False) for subnet in taken]
    for subnet in _candidates(network):
        if not any(subnet.overlaps(other) for other in others if isinstance(other, ipaddress.IPv4Network)):
            labels = naming.network_labels(network, owner)
            return NetworkRequest(naming.network_name(network), str(subnet), labels)
    return None


def _candidates(network: str) -> Iterator[ipaddress.IPv4Network]:
    pool = NETWORK_SUBNETS if network else DEFAULT_SUBNETS
    subnets = list(pool.subnets(new_prefix=SUBNET_PREFIX))
    first = zlib.crc32(network.encode()) % len(subnets) if network else 0
    return iter(subnets[first:] + subnets[:first])


def pause_request(
    spec: PodSpec, identity: PodIdentity, *, attempt: int, image: str, network_id: str, ip: str = ""
) -> ContainerRequest:
    """The sandbox: everything that the pod shares. ``ip``: the address to ask for, which the one before it had.

    A pod on the network of the engine's host has no name, address or port of its own there.
    """
    key, on_host, resolver = identity.key, spec.host_network, resolving.resolver(spec)
    return ContainerRequest(
        name=naming.pause_name(key, attempt),
        image=image,
        labels=naming.pause_labels(
            identity.labels, attempt, codec.dump_spec(spec), spec.network, identity.ttl
        ),
        command=("--lease",) if identity.leased else (),
        hostname=hosts.kernel_hostname(spec),
        domain=hosts.kernel_domain(spec),
        network_mode=HOST if on_host else network_id,
        network_aliases=hosts.aliases(spec, key),
        ipc_mode=HOST if spec.host_ipc else "shareable",
        pid_mode=HOST if spec.host_pid else "",
        uts_mode=HOST if on_host else "",
        mounts=pause_mounts(spec, key, identity.owner),
        ports=() if on_host else _ports(spec),
        ipv4_address="" if on_host else ip,
        gateway_priority=int(bool(spec.extra_networks)),
        dns_servers=resolver.servers,
        dns_search=resolver.searches,
        dns_options=resolver.options,
        extra_hosts=hosts.extra_hosts(spec.host_aliases),
        sysctls={admission.sysctl_name(name): value for name, value in spec.security_context.sysctls},
        runtime=spec.runtime_class_name,
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
        shm_size=0 if spec.host_ipc else SHM_SIZE,
        log_max_size=JOURNAL_MAX_SIZE,
    )


def _ports(spec: PodSpec) -> tuple[ContainerPort, ...]:
    """Not those of the init containers that end: they may have the same ones (pkg/kubelet/kuberuntime/kuberuntime_sandbox.go,
    generatePodSandboxConfig)."""
    return tuple(port for container in (*spec.sidecars, *spec.containers) for port in container.ports)


@record(frozen=True, slots=True)
class Sandbox:
    """What a member needs to know of its surroundings.

    Attributes:
        pause: the pause's name or ID.
        attempt: of the pause.
        messages: the directory of the termination messages on the engine's host; empty: there is none.
        node_memory: of the engine's host, bytes.
        profiles: the texts of the seccomp profiles that the pod names.
        places: where the engine has the pod's volumes.
    """

    pause: str
    attempt: int = 0
    messages: str = ""
    node_memory: int = 0
    profiles: Mapping[str, str] = field(default_factory=dict, hash=False, repr=False)
    places: Places = field(default_factory=Places)


def member_request(
    spec: PodSpec,
    container: Container,
    identity: PodIdentity,
    *,
    attempt: int,
    image: str,
    sandbox: Sandbox,
    variables: Mapping[str, str] | None = None,
    image_user: str = "",
) -> ContainerRequest:
    """One member: its own file system, and the pause's everything else.

    Args:
        variables: all that it gets (`pypod.model.wiring.environment`); None: those whose values stand in its spec.
        image_user: as its image says.

    Raises:
        SubPathError: a part of a volume cannot be mounted.
    """
    shared = f"container:{sandbox.pause}"
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
        user=confining.user(spec, container, image_user),
        network_mode=shared,
        ipc_mode=HOST if spec.host_ipc else shared,
        pid_mode=_pid_mode(spec, container, shared),
        uts_mode=HOST if spec.host_network else "",
        runtime=spec.runtime_class_name,
        stdin_open=container.stdin,
        stdin_once=container.stdin_once,
        tty=container.tty,
        read_only=bool(container.security_context.read_only_root_filesystem),
        no_new_privileges=confining.may_not_gain(container.security_context),
        confinement=confining.confinement(spec, container, sandbox.profiles),
        mounts=_mounts(spec, container, identity.key, attempt, variables, sandbox),
        oom_score_adj=allotted.oom_score_adj,
        cpu_shares=allotted.cpu_shares,
        cpu_quota=allotted.cpu_quota,
        memory=allotted.memory,
        stop_signal=container.lifecycle.stop_signal,
    )


def _pid_mode(spec: PodSpec, container: Container, shared: str) -> str:
    if container.own_pid:
        return ""
    return HOST if spec.host_pid else shared if spec.share_process_namespace else ""


def _mounts(
    spec: PodSpec,
    container: Container,
    key: PodKey,
    attempt: int,
    variables: Mapping[str, str],
    sandbox: Sandbox,
) -> tuple[MountRequest, ...]:
    return (
        *member_mounts(spec, container, key, variables, sandbox.places),
        *_message_mount(container, attempt, sandbox),
        *_hosts_mount(spec, container, sandbox),
    )


def _message_mount(container: Container, attempt: int, sandbox: Sandbox) -> tuple[MountRequest, ...]:
    """The file itself, by its path on the engine's host: a volume's sub-path needs API 1.45."""
    if not (container.termination_message_path and sandbox.messages):
        return ()
    source = f"{sandbox.messages}/{message_file(container.name, attempt)}"
    return (MountRequest(source, container.termination_message_path, bind=True),)


def _hosts_mount(spec: PodSpec, container: Container, sandbox: Sandbox) -> tuple[MountRequest, ...]:
    if not (sandbox.messages and hosts.wants_file(spec, container)):
        return ()
    return (MountRequest(f"{sandbox.messages}/{hosts.file_name(sandbox.attempt)}", hosts.PATH, bind=True),)
