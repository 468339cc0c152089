"""The Engine API's JSON: made from requests, and read into what `pypod.model.state` holds. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from pypod.model.requests import ContainerRequest, MountRequest, VolumeRequest
from pypod.model.spec import ContainerPort
from pypod.model.state import ContainerInfo, ContainerState, EngineInfo, ImageInfo, NetworkInfo, VolumeInfo

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
        "HostConfig": host_config(request)
        | ({"UTSMode": request.network_mode} if podman and request.network_mode.startswith(JOINED) else {}),
        # An empty list would clear the image's own.
        **({"Entrypoint": list(request.entrypoint)} if request.entrypoint else {}),
        **({"Cmd": list(request.command)} if request.command else {}),
        **_filled(WorkingDir=request.working_dir, User=request.user),
    }
    if request.network_mode.startswith(JOINED):
        return config  # the engine refuses hostname, ports and DNS of one that joins another's network
    config |= _filled(
        Hostname=request.hostname,
        ExposedPorts={_port_key(port): {} for port in request.ports},
    )
    address = {"IPv4Address": request.ipv4_address} if request.ipv4_address else {}
    if endpoint := _filled(Aliases=list(request.network_aliases), IPAMConfig=address):
        config["NetworkingConfig"] = {"EndpointsConfig": {request.network_mode: endpoint}}
    return config


def host_config(request: ContainerRequest) -> dict[str, object]:
    rotation = {"max-size": request.log_max_size, "max-file": "2"} if request.log_max_size else {}
    made = [mount for mount in request.mounts if mount.bind and mount.create_source]
    config: dict[str, object] = {
        "RestartPolicy": {"Name": "no"},
        "LogConfig": {"Type": "json-file", "Config": rotation},
        **_filled(
            NetworkMode=request.network_mode,
            IpcMode=request.ipc_mode,
            PidMode=request.pid_mode,
            Mounts=[_mount(mount) for mount in request.mounts if mount not in made],
            # Only the old form makes a directory that is missing on the host.
            Binds=[f"{m.source}:{m.target}{':ro' if m.read_only else ''}" for m in made],
            ReadonlyRootfs=request.read_only,
            CapDrop=["ALL"] if request.drop_capabilities else [],
            SecurityOpt=["no-new-privileges"] if request.no_new_privileges else [],
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
    if not request.network_mode.startswith(JOINED):
        config |= _filled(
            PortBindings=_port_bindings(request.ports),
            DnsSearch=list(request.dns_search),
            DnsOptions=list(request.dns_options),
        )
    return config


def _filled(**fields: object) -> dict[str, object]:
    return {key: value for key, value in fields.items() if value}


def _mount(mount: MountRequest) -> dict[str, object]:
    entry: dict[str, object] = {
        "Type": "bind" if mount.bind else "volume",
        "Source": mount.source,
        "Target": mount.target,
        "ReadOnly": mount.read_only,
    }
    if not mount.bind:
        entry["VolumeOptions"] = {"NoCopy": not mount.copy_image}
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
    if not request.memory:
        return {}
    # Without a mode a tmpfs shows 1777 at first and 0777 once it was mounted again; Kubernetes gives 0777.
    size = f",size={request.size_limit}" if request.size_limit is not None else ""
    return {"type": "tmpfs", "device": "tmpfs", "o": f"mode=0777{size}"}


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
        error=details.get("Error") or "",
        oom_killed=bool(details.get("OOMKilled")),
        addresses=_addresses(entry.get("NetworkSettings")),
        stop_signal=config.get("StopSignal") or "SIGTERM",
    )


def _exit_code(state: ContainerState, details: Mapping[str, Any]) -> int | None:
    code = int(details.get("ExitCode") or 0)
    if state.is_live:
        return None
    if state is ContainerState.CREATED:
        return (code or _START_FAILED) if code or details.get("Error") else None
    return code if timestamp(details.get("FinishedAt")) is not None else None


def _addresses(settings: Mapping[str, Any] | None) -> dict[str, str]:
    endpoints = (settings or {}).get("Networks") or {}
    return {
        endpoint["NetworkID"]: endpoint["IPAddress"]
        for endpoint in endpoints.values()
        if endpoint and endpoint.get("NetworkID") and endpoint.get("IPAddress")
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
    )
