"""The volumes of a pod, and where containers mount them, as their user describes them."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field

from pypod.model.records import record
from pypod.model.schema.declaring import k8s
from pypod.model.schema.levels import Level
from pypod.model.spec.env import FieldRef, ResourceFieldRef
from pypod.model.spec.volume_sources import (
    DEFAULT_MODE,
    VOLUME_SOURCES,
    AzureFileSource,
    CephFSSource,
    ClaimSource,
    ConfigMapSource,
    DownwardAPIFile,
    DownwardAPISource,
    EmptyDir,
    FilesSource,
    HostPath,
    HostPathType,
    ImageSource,
    KeyToPath,
    Medium,
    NamedFile,
    NFSSource,
    ProjectedSource,
    Projection,
    SecretSource,
    VolumeSource,
)


class MountPropagation(enum.Enum):
    """Whether mounts that are made below a mount on one side are seen on the other."""

    NONE = "None"
    HOST_TO_CONTAINER = "HostToContainer"
    BIDIRECTIONAL = "Bidirectional"


class RecursiveReadOnly(enum.Enum):
    """Whether what is mounted below a read-only mount is read-only too."""

    DISABLED = "Disabled"
    IF_POSSIBLE = "IfPossible"
    ENABLED = "Enabled"


@record(frozen=True, slots=True)
class VolumeMount:
    """Where a container sees a volume of its pod.

    Attributes:
        sub_path: a file or directory in the volume, instead of its root.
        sub_path_expr: the same, where ``$(NAME)`` in a plain string refers to a variable: ``logs/$(POD_NAME)``.
    """

    name: str
    mount_path: str
    read_only: bool = False
    sub_path: str = ""
    sub_path_expr: str = ""
    mount_propagation: MountPropagation = field(
        default=MountPropagation.NONE,
        metadata=k8s(level=Level.PARTLY, reason="of hostPath volumes: an engine propagates binds alone"),
    )
    recursive_read_only: RecursiveReadOnly = field(
        default=RecursiveReadOnly.DISABLED,
        metadata=k8s(
            values={
                RecursiveReadOnly.ENABLED: (
                    Level.PARTLY,
                    "of hostPath volumes, and from Engine API 1.44 on (Docker 25)",
                )
            }
        ),
    )


@record(frozen=True, slots=True)
class Volume:
    """What members can mount, by name. Use `Volume.empty_dir`, `Volume.host_path` and the others."""

    name: str
    source: VolumeSource = field(metadata=k8s(kind=VOLUME_SOURCES, inline=True))

    @classmethod
    def empty_dir(cls, name: str, *, medium: str = "", size_limit: int | None = None) -> Volume:
        """An empty directory, writable by any user, alive as long as the pod.

        Args:
            name: how mounts refer to it; a DNS label.
            medium: ``""`` for the engine's disk, ``"Memory"`` for memory.
            size_limit: bytes; enforced in memory only.

        Raises:
            ValueError: when there is no such medium.
        """
        return cls(name, EmptyDir(Medium(medium), size_limit))

    @classmethod
    def host_path(cls, name: str, path: str, *, type: str = "") -> Volume:
        """A path of the engine's host (not of the container that pypod may run in).

        Args:
            name: how mounts refer to it; a DNS label.
            path: absolute, as the engine's host sees it.
            type: ``""``: it must exist; ``"Directory"``, ``"File"``, ``"Socket"``, ``"CharDevice"``, ``"BlockDevice"``: it must
                exist and be that; ``"DirectoryOrCreate"``, ``"FileOrCreate"``: it is made where it is missing.

        Raises:
            ValueError: when there is no such type.
        """
        return cls(name, HostPath(path, HostPathType(type)))

    @classmethod
    def config_map(
        cls,
        name: str,
        config_map: str,
        *,
        items: Mapping[str, str] | Iterable[KeyToPath] = (),
        default_mode: int = DEFAULT_MODE,
        optional: bool = False,
    ) -> Volume:
        """The keys of a ConfigMap as files.

        Args:
            name: how mounts refer to it; a DNS label.
            config_map: its name.
            items: key to path, for some of the keys alone.
            default_mode, optional: see `ConfigMapSource`.
        """
        return cls(name, ConfigMapSource(config_map, _items(items), default_mode, optional))

    @classmethod
    def secret(
        cls,
        name: str,
        secret: str,
        *,
        items: Mapping[str, str] | Iterable[KeyToPath] = (),
        default_mode: int = DEFAULT_MODE,
        optional: bool = False,
    ) -> Volume:
        """The keys of a Secret as files, in memory; arguments as for `config_map`."""
        return cls(name, SecretSource(secret, _items(items), default_mode, optional))

    @classmethod
    def claim(cls, name: str, claim_name: str, *, read_only: bool = False) -> Volume:
        """What a PersistentVolumeClaim stands for, which outlives the pod."""
        return cls(name, ClaimSource(claim_name, read_only))

    @classmethod
    def downward_api(
        cls,
        name: str,
        items: Mapping[str, str | FieldRef | ResourceFieldRef] | Sequence[DownwardAPIFile],
        *,
        default_mode: int = DEFAULT_MODE,
    ) -> Volume:
        """Fields of the pod as files.

        Args:
            name: how mounts refer to it; a DNS label.
            items: path to field (``"metadata.labels"``) or `ResourceFieldRef`; or `DownwardAPIFile` each.
            default_mode: permissions of the files.
        """
        return cls(name, DownwardAPISource(downward_files(items), default_mode))

    @classmethod
    def projected(
        cls, name: str, sources: Iterable[Projection], *, default_mode: int = DEFAULT_MODE
    ) -> Volume:
        """Several sources in one directory: `ConfigMapProjection`, `SecretProjection`, `DownwardAPIProjection` each."""
        return cls(name, ProjectedSource(tuple(sources), default_mode))

    @classmethod
    def files(
        cls,
        name: str,
        files: Mapping[str, str | bytes] | Sequence[NamedFile],
        *,
        default_mode: int = DEFAULT_MODE,
    ) -> Volume:
        """Files, there before the first container starts: ``Volume.files("conf", {"nginx.conf": text})``.

        They are part of the pod's spec, so everybody who can use the engine can read them: what is secret belongs into a
        `Secret`. All files of a pod together are 256 KiB at most; a `ConfigMap` holds 1 MiB.

        Args:
            name: how mounts refer to it; a DNS label.
            files: path to text or bytes; or `NamedFile` each.
            default_mode: permissions of the files.
        """
        if isinstance(files, Mapping):
            files = [
                NamedFile(path, data.encode() if isinstance(data, str) else data)
                for path, data in files.items()
            ]
        return cls(name, FilesSource(tuple(files), default_mode))

    @classmethod
    def image(cls, name: str, reference: str, *, pull_policy: str = "") -> Volume:
        """The files of an image, read-only; needs Engine API 1.48 (Docker 28)."""
        return cls(name, ImageSource(reference, pull_policy))

    @classmethod
    def nfs(cls, name: str, server: str, path: str, *, read_only: bool = False) -> Volume:
        """A directory of an NFS server, which the engine's host mounts."""
        return cls(name, NFSSource(server, path, read_only))

    @classmethod
    def azure_file(cls, name: str, share_name: str, *, secret_name: str, read_only: bool = False) -> Volume:
        """A share of an Azure storage account, which the engine's host mounts; see `AzureFileSource`."""
        return cls(name, AzureFileSource(secret_name, share_name, read_only))

    @classmethod
    def ceph_fs(
        cls,
        name: str,
        monitors: Iterable[str],
        *,
        secret_ref: str,
        path: str = "",
        user: str = "",
        read_only: bool = False,
    ) -> Volume:
        """A directory of a CephFS, which the engine's host mounts; see `CephFSSource`."""
        return cls(name, CephFSSource(tuple(monitors), path, user, secret_ref, read_only))


def downward_files(
    items: Mapping[str, str | FieldRef | ResourceFieldRef] | Sequence[DownwardAPIFile],
) -> tuple[DownwardAPIFile, ...]:
    """Of a mapping, or as they are."""
    if not isinstance(items, Mapping):
        return tuple(items)
    return tuple(
        DownwardAPIFile(path, FieldRef(source) if isinstance(source, str) else source)
        for path, source in items.items()
    )


def _items(items: Mapping[str, str] | Iterable[KeyToPath]) -> tuple[KeyToPath, ...]:
    if isinstance(items, Mapping):
        return tuple(KeyToPath(key, path) for key, path in items.items())
    return tuple(items)
