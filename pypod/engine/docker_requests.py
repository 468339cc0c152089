"""The Engine API's JSON: made from requests, and read into what `pypod.model.wiring.state` holds. Pure."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from pypod.engine.api import PathInfo
from pypod.engine.docker_errors import without_passwords
from pypod.errors import EngineError
from pypod.model.spec.pod import ContainerPort
from pypod.model.wiring.requests import HOST, ContainerRequest, MountRequest, VolumeRequest
from pypod.model.wiring.state import (
    ContainerInfo,
    ContainerState,
    EngineInfo,
    ImageInfo,
    NetworkInfo,
    VolumeInfo,
)

JOINED = "container:"
"""The start of a mode that takes another container's namespace."""

_PODMAN_STATES = {
    "configured": ContainerState.CREATED,
    "initialized": ContainerState.CREATED,
    "stopping": ContainerState.RUNNING,
    "stopped": ContainerState.EXITED,
}
_START_FAILED = 128
_CPU_PERIOD = 100_000
"""Microseconds that a CPU quota is for: the kernel's default, as in a kubelet."""


def label_filters(labels: Mapping[str, str]) -> list[str]:
    return [f"{key}={value}" if value else key for key, value in labels.items()]


def container_config(request: ContainerRequest, *, podman: bool = False) -> dict[str, object]:
    """The body of a create.

    Args:
        podman: it is for Podman, which does not copy the hostname of the container whose network is joined, but can share it;
            Docker cannot.
    """
    config: dict[str, object] = {
        "Image": request.image,
        "Labels": dict(request.labels),
        "Env": [f"{key}={value}" for key, value in request.env.items()],
        "Healthcheck": {"Test": ["NONE"]},
        "OpenStdin": request.stdin_open,
        "StdinOnce": request.stdin_once,
        "Tty": request.tty,
        "HostConfig": host_config(request)
        | ({"UTSMode": request.network_mode} if podman and request.network_mode.startswith(JOINED) else {}),
        # An empty list would clear the image's own.
        **({"Entrypoint": list(request.entrypoint)} if request.entrypoint else {}),
        **({"Cmd": list(request.command)} if request.command else {}),
        **_filled(WorkingDir=request.working_dir, User=request.user, StopSignal=request.stop_signal),
    }
    if request.network_mode.startswith(JOINED):
        return config  # the engine refuses hostname, ports and DNS of one that joins another's network
    config |= _filled(
        Hostname=request.hostname,
        Domainname=request.domain,
        ExposedPorts={_port_key(port): {} for port in request.ports},
    )
    address = {"IPv4Address": request.ipv4_address} if request.ipv4_address else {}
    if (
        endpoint := _filled(
            Aliases=list(request.network_aliases),
            IPAMConfig=address,
            GwPriority=request.gateway_priority,  # API 1.48; older engines pass it over, and go by the networks' names
        )
    ):
        config["NetworkingConfig"] = {"EndpointsConfig": {request.network_mode: endpoint}}
    return config


def exec_config(
    command: Sequence[str], *, stdin: bool, user: str, working_dir: str, env: Mapping[str, str]
) -> dict[str, object]:
    """The body of a command that is to be run."""
    return _filled(
        AttachStdin=stdin,
        AttachStdout=True,
        AttachStderr=True,
        Cmd=list(command),
        User=user,
        WorkingDir=working_dir,
        Env=[f"{key}={value}" for key, value in env.items()],
    )


def host_config(request: ContainerRequest) -> dict[str, object]:
    rotation = {"max-size": request.log_max_size, "max-file": "2"} if request.log_max_size else {}
    made = [mount for mount in request.mounts if mount.bind and mount.create_source]
    confinement = request.confinement
    unprivileged = ["no-new-privileges"] if request.no_new_privileges else []
    config: dict[str, object] = {
        "RestartPolicy": {"Name": "no"},
        "LogConfig": {"Type": "json-file", "Config": rotation},
        **_filled(
            NetworkMode=request.network_mode,
            IpcMode=request.ipc_mode,
            PidMode=request.pid_mode,
            UTSMode=request.uts_mode,
            Runtime=request.runtime,
            Sysctls=dict(request.sysctls),
            Mounts=[_mount(mount) for mount in request.mounts if mount not in made],
            # Only the old form makes a directory that is missing on the host.
            Binds=[_bind(mount) for mount in made],
            ReadonlyRootfs=request.read_only,
            CapAdd=list(confinement.add),
            CapDrop=["ALL"] if request.drop_capabilities else list(confinement.drop),
            GroupAdd=list(confinement.groups),
            Privileged=confinement.privileged,
            SecurityOpt=[*unprivileged, *confinement.options],
            OomScoreAdj=request.oom_score_adj,
            CpuShares=request.cpu_shares,
            CpuPeriod=_CPU_PERIOD if request.cpu_quota else 0,
            CpuQuota=request.cpu_quota,
            Memory=request.memory,
            # Without it the engine gives as much swap again, and what is over its limit gets slow instead of OOMKilled.
            MemorySwap=request.memory,
            ShmSize=request.shm_size,
        ),
    }
    if confinement.unmasked_proc:
        config |= {"MaskedPaths": [], "ReadonlyPaths": []}  # null would be the engine's own lists
    if not request.network_mode.startswith(JOINED):
        config |= _filled(
            PortBindings=_port_bindings(request.ports),
            Dns=list(request.dns_servers),
            DnsSearch=list(request.dns_search),
            DnsOptions=list(request.dns_options),
            ExtraHosts=list(request.extra_hosts),
        )
    return config


def _filled(**fields: object) -> dict[str, object]:
    return {key: value for key, value in fields.items() if value}


def _bind(mount: MountRequest) -> str:
    options = ["ro"] if mount.read_only else []
    options += [mount.propagation] if mount.propagation else []
    return ":".join([mount.source, mount.target, *([",".join(options)] if options else [])])


def _mount(mount: MountRequest) -> dict[str, object]:
    entry: dict[str, object] = {
        "Type": "bind" if mount.bind else "image" if mount.image else "volume",
        "Source": mount.source,
        "Target": mount.target,
        "ReadOnly": mount.read_only,
    }
    if mount.image:
        return entry | _filled(ImageOptions=_filled(Subpath=mount.sub_path))
    if mount.bind:
        options = _filled(
            Propagation=mount.propagation,
            ReadOnlyNonRecursive=mount.recursion == "writable",
            ReadOnlyForceRecursive=mount.recursion == "enforced",
        )
        return entry | _filled(BindOptions=options)
    entry["VolumeOptions"] = {
        "NoCopy": not mount.copy_image,
        **_filled(Labels=dict(mount.labels), Subpath=mount.sub_path),
    }
    return entry


def _port_key(port: ContainerPort) -> str:
    return f"{port.container_port}/{port.protocol.lower()}"


def _port_bindings(ports: Iterable[ContainerPort]) -> dict[str, list[dict[str, str]]]:
    bindings: dict[str, list[dict[str, str]]] = {}
    for port in ports:
        if port.host_port is not None:
            # To the engine 0 is no number; an empty one is: any that is free.
            number = str(port.host_port) if port.host_port else ""
            bindings.setdefault(_port_key(port), []).append({"HostIp": port.host_ip, "HostPort": number})
    return bindings


def volume_options(request: VolumeRequest) -> dict[str, str]:
    if (remote := request.remote) is not None:
        options = [*remote.options, f"{remote.password}={remote.secret}"]
        return {"type": remote.type, "device": remote.device, "o": ",".join(options)}
    if request.nfs:
        server, _, path = request.nfs.partition(":/")
        return {"type": "nfs", "device": f":/{path}", "o": f"addr={server},nfsvers=4,rw"}
    if not request.memory:
        return {}
    # Without a mode a tmpfs shows 1777 at first and 0777 once it was mounted again; Kubernetes gives 0777.
    mode = "mode=0777" if request.group is None else f"mode=2777,gid={request.group}"
    size = f",size={request.size_limit}" if request.size_limit is not None else ""
    return {"type": "tmpfs", "device": "tmpfs", "o": f"{mode}{size}"}


_GO_KINDS = {
    1 << 31: "directory",
    1 << 27: "link",
    1 << 24: "socket",
    1 << 25: "pipe",
    1 << 21: "character device",
    1 << 26: "block device",
}
"""Go's bits for what a file is (io/fs.FileMode). That of a character device comes with the one of a device."""
_GO_BITS = {1 << 23: 0o4000, 1 << 22: 0o2000, 1 << 20: 0o1000}


def path_info(header: str, container: str, path: str) -> PathInfo:
    """Of the header with which the engine says what is at a path."""
    try:
        mode = int(json.loads(base64.b64decode(header))["mode"])
    except (ValueError, KeyError, TypeError) as error:
        raise EngineError(
            "copy from container", f"{container}:{path}", "the engine does not say what it is"
        ) from error
    kind = next((word for bit, word in _GO_KINDS.items() if mode & bit), "file")
    return PathInfo(kind, (mode & 0o777) | sum(bits for bit, bits in _GO_BITS.items() if mode & bit))


def timestamp(text: str | None) -> float | None:
    """Unix seconds of a Go time, or None for its zero."""
    if not text or text.startswith("0001-01-01"):
        return None
    return datetime.fromisoformat(text).timestamp()


def _state(word: str) -> ContainerState:
    try:
        return ContainerState(word)
    except ValueError:
        return _PODMAN_STATES.get(word, ContainerState.DEAD)


def listed_container(entry: Mapping[str, Any]) -> ContainerInfo:
    names = [name.lstrip("/") for name in entry.get("Names") or ()]
    return ContainerInfo(
        id=entry["Id"],
        # One that others link to has a name `/other/alias` for each as well.
        name=next((name for name in names if "/" not in name), entry["Id"][:12]),
        labels=dict(entry.get("Labels") or {}),
        state=_state(entry.get("State", "")),
        image=entry.get("Image", ""),
        created_at=float(entry.get("Created") or 0),
        addresses=_addresses(entry.get("NetworkSettings")),
        host_network=_on_host(entry),
        image_id=entry.get("ImageID", ""),
    )


def inspected_container(entry: Mapping[str, Any]) -> ContainerInfo:
    details, config = entry["State"], entry["Config"]
    state = _state(details["Status"])
    return ContainerInfo(
        id=entry["Id"],
        name=entry["Name"].lstrip("/"),
        labels=dict(config.get("Labels") or {}),
        state=state,
        image=config.get("Image", ""),
        created_at=timestamp(entry.get("Created")) or 0.0,
        started_at=timestamp(details.get("StartedAt")),
        finished_at=timestamp(details.get("FinishedAt")),
        exit_code=_exit_code(state, details),
        error=without_passwords(details.get("Error") or ""),
        oom_killed=bool(details.get("OOMKilled")),
        addresses=_addresses(entry.get("NetworkSettings")),
        gateways=_addresses(entry.get("NetworkSettings"), "Gateway"),
        stop_signal=config.get("StopSignal") or "SIGTERM",
        host_network=_on_host(entry),
        image_id=entry.get("Image", ""),
    )


def _on_host(entry: Mapping[str, Any]) -> bool:
    return (entry.get("HostConfig") or {}).get("NetworkMode") == HOST


def _exit_code(state: ContainerState, details: Mapping[str, Any]) -> int | None:
    code = int(details.get("ExitCode") or 0)
    if state.is_live:
        return None
    if state is ContainerState.CREATED:
        return (code or _START_FAILED) if code or details.get("Error") else None
    return code if timestamp(details.get("FinishedAt")) is not None else None


def _addresses(settings: Mapping[str, Any] | None, what: str = "IPAddress") -> dict[str, str]:
    endpoints = (settings or {}).get("Networks") or {}
    return {
        endpoint["NetworkID"]: endpoint[what]
        for endpoint in endpoints.values()
        if endpoint and endpoint.get("NetworkID") and endpoint.get(what)
    }


def image_info(entry: Mapping[str, Any]) -> ImageInfo:
    """Of an inspect, or of a list, which does not tell the architecture."""
    references = (*(entry.get("RepoTags") or ()), *(entry.get("RepoDigests") or ()))
    labels = entry.get("Labels") or (entry.get("Config") or {}).get("Labels") or {}
    return ImageInfo(
        id=entry["Id"],
        references=tuple(reference for reference in references if "<none>" not in reference),
        labels=dict(labels),
        architecture=entry.get("Architecture") or "",
        size=int(entry.get("Size") or 0),
        user=(entry.get("Config") or {}).get("User") or "",
    )


def network_info(entry: Mapping[str, Any]) -> NetworkInfo:
    pools = (entry.get("IPAM") or {}).get("Config") or ()
    return NetworkInfo(
        id=entry["Id"],
        name=entry["Name"],
        driver=entry.get("Driver") or "",
        subnets=tuple(pool["Subnet"] for pool in pools if pool.get("Subnet")),
        labels=dict(entry.get("Labels") or {}),
        created_at=timestamp(entry.get("Created")) or 0.0,
    )


def volume_info(entry: Mapping[str, Any]) -> VolumeInfo:
    created = timestamp(entry.get("CreatedAt"))
    return VolumeInfo(
        name=entry["Name"],
        labels=dict(entry.get("Labels") or {}),
        created_at=created or 0.0,
        mountpoint=entry.get("Mountpoint") or "",
    )


def is_podman(version: Mapping[str, Any]) -> bool:
    """By the answer to a question for the version."""
    return any("Podman" in str(component.get("Name")) for component in version.get("Components") or ())


def engine_info(entry: Mapping[str, Any], api_version: str) -> EngineInfo:
    podman = "BuildahVersion" in entry
    # Podman has none, and makes one up for each answer.
    made_up = f"podman-{entry.get('Name')}-{entry.get('DockerRootDir')}"
    return EngineInfo(
        id=made_up if podman else entry.get("ID") or "",
        name=entry.get("Name") or "",
        version=entry.get("ServerVersion") or "",
        api_version=api_version,
        os=entry.get("OSType") or "",
        architecture=entry.get("Architecture") or "",
        kernel=entry.get("KernelVersion") or "",
        cpus=int(entry.get("NCPU") or 0),
        memory=int(entry.get("MemTotal") or 0),
        cgroup_version=str(entry.get("CgroupVersion") or ""),
        live_restore=bool(entry.get("LiveRestoreEnabled")),
        system_time=timestamp(entry.get("SystemTime")) or 0.0,
        security_options=tuple(entry.get("SecurityOptions") or ()),
        product="Podman" if podman else "Docker",
        runtimes=tuple(sorted(entry.get("Runtimes") or ())),
    )
