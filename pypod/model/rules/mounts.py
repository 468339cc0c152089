"""Which volumes of the engine a pod has, where its pause holds them, and what its members mount.

Every volume of the engine that a pod uses is mounted in its pause too: one in memory is emptied when its last user stops, files are
written through the pause, and a claim is seen to be in use from the pod's first moment to its last. What is no volume of the engine
(a host path, an image) is mounted by the members alone.
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import field
from types import MappingProxyType
from typing import TYPE_CHECKING

from pypod.model import naming
from pypod.model.hidden import like, shown
from pypod.model.records import record
from pypod.model.rules import hosts
from pypod.model.rules.object_values import ValueMissingError
from pypod.model.rules.remote_volumes import Remote, RemoteSource, remote_of
from pypod.model.schema.references import expand, names_in
from pypod.model.spec.object_references import Objects
from pypod.model.spec.objects import PersistentVolumeClaim
from pypod.model.spec.pod import (
    AzureFileSource,
    CephFSSource,
    ClaimSource,
    ConfigMapSource,
    Container,
    DownwardAPISource,
    EmptyDir,
    FilesSource,
    HostPath,
    ImageSource,
    Medium,
    MountPropagation,
    NFSSource,
    PodSpec,
    ProjectedSource,
    RecursiveReadOnly,
    SecretSource,
    Volume,
    VolumeMount,
    VolumeSource,
)

if TYPE_CHECKING:
    from pypod.model.naming import Owner, PodIdentity, PodKey

MAX_VOLUMES = 64
"""The pause image has that many mount points (`pypod.engine.pause.VOLUME_SLOTS`)."""

WritesFiles = ConfigMapSource | SecretSource | DownwardAPISource | ProjectedSource | FilesSource
"""Sources whose files pypod writes. They are in memory, and read-only to every member."""

NO_OBJECTS = Objects()

Version = tuple[int, int]
"""Of the Engine API."""
SUB_PATHS: Version = (1, 45)
"""From here on an engine mounts a part of a volume, and looks itself that nothing leads out of it (VolumeOptions.Subpath)."""
RECURSION: Version = (1, 44)
"""From here on read-only binds are so with all that is mounted below them, unless told otherwise (BindOptions)."""
IMAGE_MOUNTS: Version = (1, 48)


class SubPathError(ValueMissingError):
    """A container cannot have a part of a volume, in a kubelet's words."""


@record(frozen=True, slots=True)
class VolumeRequest:
    """A volume of the ``local`` driver; in memory (tmpfs) with an optional size in bytes, on disk, or of an NFS server.

    Attributes:
        group: whom its root belongs to, and all that is made in it; only of one in memory. None: root.
        nfs: ``SERVER:/PATH``.
        remote: what is mounted with credentials.
    """

    name: str
    labels: Mapping[str, str]
    memory: bool = False
    size_limit: int | None = None
    group: int | None = None
    nfs: str = ""
    remote: Remote | None = None


@record(frozen=True, slots=True)
class MountRequest:
    """A volume (by name), a bind of the engine's host (by path) or an image (by reference) in a container.

    Attributes:
        copy_image: let a fresh volume take the content *and mode* of the image's directory under it.
        create_source: let the engine make a missing host directory.
        labels: what the engine gives a volume that it makes because none of that name is there.
        image: the source is an image.
        sub_path: in the volume or image, what is mounted; empty: all of it.
        propagation: of a bind: ``rslave`` or ``rshared``; empty: none.
        recursion: of what is mounted below a read-only bind: ``writable``: it is left so; ``enforced``: it is read-only, or the
            container does not start; empty: as the engine does it.
    """

    source: str
    target: str
    bind: bool = False
    read_only: bool = False
    copy_image: bool = False
    create_source: bool = False
    labels: Mapping[str, str] = field(default_factory=dict, hash=False)
    image: bool = False
    sub_path: str = ""
    propagation: str = ""
    recursion: str = ""


@record(frozen=True, slots=True)
class Places:
    """Where the engine has a pod's volumes.

    Attributes:
        directories: on its host, by volume name; those that are not known (yet) are missing.
        api: what it speaks.
    """

    directories: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}), hash=False)
    api: Version = (1, 41)


def api_version(text: str) -> Version:
    """``1.41`` as numbers; what is no version is the oldest that pypod knows."""
    major, _, minor = text.partition(".")
    return (int(major), int(minor)) if major.isdigit() and minor.isdigit() else (1, 41)


# --- volumes of the engine -------------------------------------------------------------------------------------------


def writes_files(volume: Volume) -> bool:
    """Whether pypod writes its files."""
    return isinstance(volume.source, WritesFiles)


def is_held(source: VolumeSource) -> bool:
    """Whether it is a volume of the engine, which the pause has mounted."""
    return isinstance(source, EmptyDir | ClaimSource | NFSSource | RemoteSource | WritesFiles)


def held(spec: PodSpec) -> tuple[Volume, ...]:
    """The volumes that the pause has mounted, in the order of their slots."""
    return tuple(volume for volume in spec.volumes if is_held(volume.source))


def slot_of(spec: PodSpec, volume: str) -> str:
    """Where the pause has a volume."""
    return f"/v/{[each.name for each in held(spec)].index(volume)}"


def engine_name(key: PodKey, volume: Volume) -> str:
    """What the engine calls a volume that the pause holds."""
    if isinstance(volume.source, ClaimSource):
        return naming.claim_name(key.namespace, volume.source.claim_name)
    return naming.volume_name(key, volume.name)


def volume_requests(
    spec: PodSpec, identity: PodIdentity, node_memory: int = 0, objects: Objects = NO_OBJECTS
) -> tuple[VolumeRequest, ...]:
    """The volumes of the engine that are this pod's own: all that it holds but claims, which outlive it.

    Raises:
        FilesError: one is mounted with a Secret that is not among the objects, or lacks something.
    """
    found = [
        _volume_request(spec, volume, identity, node_memory, objects)
        for volume in held(spec)
        if not isinstance(volume.source, ClaimSource)
    ]
    if keeps_messages(spec):
        name = naming.volume_name(identity.key, naming.MESSAGES)
        found.append(VolumeRequest(name, naming.volume_labels(identity.labels, naming.MESSAGES)))
    return tuple(found)


def _volume_request(
    spec: PodSpec, volume: Volume, identity: PodIdentity, node_memory: int, objects: Objects
) -> VolumeRequest:
    name, labels = engine_name(identity.key, volume), naming.volume_labels(identity.labels, volume.name)
    match volume.source:
        case EmptyDir(medium=Medium.MEMORY, size_limit=limit):
            size = memory_size(spec, limit, node_memory)
            group = spec.security_context.fs_group
            return VolumeRequest(name, labels, memory=True, size_limit=size, group=group)
        case NFSSource(server=server, path=path):
            return VolumeRequest(name, labels, nfs=f"{server}:{path}")
        case AzureFileSource() | CephFSSource() as source:
            group = spec.security_context.fs_group
            return VolumeRequest(name, labels, remote=remote_of(source, objects, group))
        case _:
            is_filled = writes_files(volume)
            group = spec.security_context.fs_group if is_filled else None
            return VolumeRequest(name, labels, memory=is_filled, group=group)


def memory_size(spec: PodSpec, limit: int | None, node_memory: int) -> int | None:
    """The size of an `EmptyDir` in memory: the least of its own limit, the pod's and the node's memory; None: none is known.

    Source: pkg/volume/emptydir/empty_dir.go, calculateEmptyDirMemorySize.
    """
    known = [size for size in (limit, _memory_limit(spec), node_memory) if size]
    return min(known, default=None)


def _memory_limit(spec: PodSpec) -> int:
    """What all containers of a pod together may use; 0: one of them has no limit."""
    if spec.resources.limits.memory:
        return spec.resources.limits.memory
    limits = {container.name: container.resources.limits.memory or 0 for container in spec.all_containers}
    if not all(limits.values()):
        return 0
    lasting = [*spec.sidecars, *spec.containers]
    before, most = 0, sum(limits[container.name] for container in lasting)
    for container in spec.init_containers:
        most = max(most, before + limits[container.name])
        before += limits[container.name] if container in spec.sidecars else 0
    return most


# --- what the pause mounts -------------------------------------------------------------------------------------------


def pause_mounts(spec: PodSpec, key: PodKey, owner: Owner) -> tuple[MountRequest, ...]:
    """Every volume of the engine, and that of the termination messages."""
    mounts = []
    for index, volume in enumerate(held(spec)):
        source, target = engine_name(key, volume), f"/v/{index}"
        if isinstance(volume.source, ClaimSource):
            labels = claim_labels(key.namespace, volume.source.claim_name, owner)
            mounts.append(MountRequest(source, target, copy_image=True, labels=labels))
        else:
            is_disk = isinstance(volume.source, EmptyDir) and volume.source.medium is Medium.DISK
            mounts.append(MountRequest(source, target, copy_image=is_disk))
    if keeps_messages(spec):
        name = naming.volume_name(key, naming.MESSAGES)
        mounts.append(MountRequest(name, messages_directory(spec), copy_image=True))
    return tuple(mounts)


def claim_labels(namespace: str, claim: str, owner: Owner) -> dict[str, str]:
    """Of the volume with a claim's files, in case that a mount makes it: by them it is known as the claim's, and no pod's."""
    return naming.content_labels(PersistentVolumeClaim.kind, namespace, claim, owner)


def keeps_messages(spec: PodSpec) -> bool:
    """Whether there is a volume for what passes between pypod and single containers: termination messages, a hosts file."""
    return hosts.has_file(spec) or any(
        container.termination_message_path for container in spec.all_containers
    )


def messages_directory(spec: PodSpec) -> str:
    """Where the pause has that volume."""
    return f"/v/{len(held(spec))}"


def message_file(container: str, attempt: int) -> str:
    """The name of an instance's termination message in that volume."""
    return f"{container}_{attempt}"


# --- what members mount ----------------------------------------------------------------------------------------------


def sub_path_of(mount: VolumeMount, variables: Mapping[str, str]) -> str:
    """The part of the volume that is mounted; empty: all of it.

    Source: pkg/kubelet/kubelet_pods.go, makeMounts; pkg/kubelet/container/helpers.go, ExpandContainerVolumeMounts.

    Raises:
        SubPathError: a variable that it refers to is missing, or the path leads out of the volume.
    """
    if not mount.sub_path_expr:
        return posixpath.normpath(mount.sub_path) if mount.sub_path else ""
    names = names_in(mount.sub_path_expr)
    missing = sorted({name for name in names if not variables.get(name)})
    if missing:
        raise SubPathError(f"missing value for {', '.join(missing)}")
    text = like(expand(mount.sub_path_expr, variables), *(variables[name] for name in names))
    if not text:
        raise SubPathError(f"subPathExpr {mount.sub_path_expr!r} of volumeMount {mount.name!r} is empty")
    if text.startswith("/"):
        raise SubPathError(f"error SubPath `{shown(text)}` must not be an absolute path")
    if ".." in text.split("/"):
        raise SubPathError(f"unable to provision SubPath `{shown(text)}`: must not contain '..'")
    return like(posixpath.normpath(text), text)


def member_mounts(
    spec: PodSpec, container: Container, key: PodKey, variables: Mapping[str, str], places: Places
) -> tuple[MountRequest, ...]:
    """What one member mounts, in its own order.

    Args:
        spec: of the pod.
        container: the member.
        key: which pod.
        variables: the member's, for `VolumeMount.sub_path_expr`.
        places: where the engine has the volumes.

    Raises:
        SubPathError: a part of a volume cannot be mounted.
    """
    volumes = {volume.name: volume for volume in spec.volumes}
    return tuple(
        _member_mount(volumes[mount.name], mount, sub_path_of(mount, variables), key, places)
        for mount in container.mounts
    )


def awaits_directory(spec: PodSpec, container: Container, key: PodKey, places: Places) -> bool:
    """Whether it mounts a part of a volume by a directory of the engine's host that is not known yet."""
    if places.api >= SUB_PATHS:
        return False
    parts = {mount.name for mount in container.mounts if mount.sub_path or mount.sub_path_expr}
    return any(
        volume.name in parts and engine_name(key, volume) not in places.directories for volume in held(spec)
    )


_PROPAGATION = {MountPropagation.HOST_TO_CONTAINER: "rslave", MountPropagation.BIDIRECTIONAL: "rshared"}


def _member_mount(volume: Volume, mount: VolumeMount, part: str, key: PodKey, places: Places) -> MountRequest:
    source, target = volume.source, mount.mount_path
    read_only = mount.read_only or writes_files(volume)
    if isinstance(source, HostPath):
        path = like(posixpath.join(source.path, part), part) if part and part != "." else source.path
        propagation = _PROPAGATION.get(mount.mount_propagation, "")
        return _bind(path, mount, read_only, places, propagation)
    part = "" if part == "." else part
    if isinstance(source, ImageSource):
        return MountRequest(source.reference, target, read_only=True, image=True, sub_path=part)
    if isinstance(source, ClaimSource | NFSSource | RemoteSource):
        read_only = read_only or source.read_only
    name = engine_name(key, volume)
    if not part or places.api >= SUB_PATHS:
        return MountRequest(name, target, read_only=read_only, sub_path=part)
    if name not in places.directories:
        raise SubPathError(
            f'failed to prepare subPath for volumeMount "{mount.name}": the volume is not there'
        )
    return _bind(like(f"{places.directories[name]}/{part}", part), mount, read_only, places)


def _bind(
    path: str, mount: VolumeMount, read_only: bool, places: Places, propagation: str = ""
) -> MountRequest:
    recursion = ""
    if read_only and places.api >= RECURSION:
        recursion = {RecursiveReadOnly.DISABLED: "writable", RecursiveReadOnly.ENABLED: "enforced"}.get(
            mount.recursive_read_only, ""
        )
    return MountRequest(
        path, mount.mount_path, bind=True, read_only=read_only, propagation=propagation, recursion=recursion
    )
