"""The volumes of a pod, and where containers mount them, as their user describes them."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import field

from pypod.model.compounds import ListOf
from pypod.model.env import FieldRef, ResourceFieldRef
from pypod.model.kinds import Mode, Quantity, Word
from pypod.model.levels import Level
from pypod.model.records import record
from pypod.model.schema import k8s
from pypod.model.structs import Alternative, OneOf, Struct

MODE = Mode()
DEFAULT_MODE = 0o644
_NO_HUGE_PAGES = (Level.REFUSED, "an engine cannot hand out huge pages; 'Memory' is plain memory")


class Medium(enum.Enum):
    """Where an `EmptyDir` keeps its files."""

    DISK = ""
    MEMORY = "Memory"
    HUGE_PAGES = "HugePages"
    HUGE_PAGES_2MI = "HugePages-2Mi"
    HUGE_PAGES_1GI = "HugePages-1Gi"


class HostPathType(enum.Enum):
    """What is checked about a host path before it is mounted."""

    UNSET = ""
    """It must exist on the engine's host, whatever it is."""
    DIRECTORY_OR_CREATE = "DirectoryOrCreate"
    """Where nothing exists, the engine makes an empty directory (root, 0755)."""
    DIRECTORY = "Directory"
    FILE_OR_CREATE = "FileOrCreate"
    """Where nothing exists, an empty file is made (0644); its directory must exist."""
    FILE = "File"
    SOCKET = "Socket"
    CHAR_DEVICE = "CharDevice"
    BLOCK_DEVICE = "BlockDevice"


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


# --- what a volume can be --------------------------------------------------------------------------------------------


@record(frozen=True, slots=True)
class EmptyDir:
    """A directory that begins empty, is shared by the members that mount it, and ends with the pod.

    Attributes:
        medium: on the engine's disk, or in memory.
        size_limit: bytes; enforced in memory (writes fail with "no space left"), not on disk.
    """

    medium: Medium = field(
        default=Medium.DISK,
        metadata=k8s(
            values=dict.fromkeys(
                [Medium.HUGE_PAGES, Medium.HUGE_PAGES_2MI, Medium.HUGE_PAGES_1GI], _NO_HUGE_PAGES
            )
        ),
    )
    size_limit: int | None = field(
        default=None,
        metadata=k8s(kind=Quantity(), level=Level.PARTLY, reason="enforced in memory, not on disk"),
    )


@record(frozen=True, slots=True)
class HostPath:
    """A file or directory of the **engine's** host, which is not always the machine or container that pypod runs in."""

    path: str
    type: HostPathType = HostPathType.UNSET


@record(frozen=True, slots=True)
class KeyToPath:
    """One key of a ConfigMap or Secret as a file.

    Attributes:
        path: of the file, relative to the volume.
        mode: its permissions; None: as the volume says.
    """

    key: str
    path: str
    mode: int | None = field(default=None, metadata=k8s(kind=MODE))


@record(frozen=True, slots=True)
class ConfigMapSource:
    """The keys of a ConfigMap as files.

    Attributes:
        items: those keys alone; empty: all of them.
        default_mode: permissions of the files.
        optional: where it is missing, the directory is empty.
    """

    name: str = ""
    items: tuple[KeyToPath, ...] = ()
    default_mode: int = field(default=DEFAULT_MODE, metadata=k8s(kind=MODE))
    optional: bool = False


@record(frozen=True, slots=True)
class SecretSource:
    """The keys of a Secret as files, in memory; attributes as of `ConfigMapSource`."""

    secret_name: str = ""
    items: tuple[KeyToPath, ...] = ()
    default_mode: int = field(default=DEFAULT_MODE, metadata=k8s(kind=MODE))
    optional: bool = False


FILE_SOURCES = OneOf(
    "source",
    {
        "fieldRef": Alternative(Struct(FieldRef)),
        "resourceFieldRef": Alternative(Struct(ResourceFieldRef)),
    },
)


@record(frozen=True, slots=True)
class DownwardAPIFile:
    """A field of the pod, or a resource of a container, as a file."""

    path: str
    source: FieldRef | ResourceFieldRef = field(metadata=k8s(kind=FILE_SOURCES, inline=True))
    mode: int | None = field(default=None, metadata=k8s(kind=MODE))


@record(frozen=True, slots=True)
class DownwardAPISource:
    """Fields of the pod as files."""

    items: tuple[DownwardAPIFile, ...] = ()
    default_mode: int = field(default=DEFAULT_MODE, metadata=k8s(kind=MODE))


@record(frozen=True, slots=True)
class ConfigMapProjection:
    """A ConfigMap's part of a `ProjectedSource`."""

    name: str = ""
    items: tuple[KeyToPath, ...] = ()
    optional: bool = False


@record(frozen=True, slots=True)
class SecretProjection:
    """A Secret's part of a `ProjectedSource`."""

    name: str = ""
    items: tuple[KeyToPath, ...] = ()
    optional: bool = False


@record(frozen=True, slots=True)
class DownwardAPIProjection:
    """The pod's own part of a `ProjectedSource`."""

    items: tuple[DownwardAPIFile, ...] = ()


Projection = ConfigMapProjection | SecretProjection | DownwardAPIProjection
_NO_TOKENS = "there is no API server that would issue it; put a file of your own there with a secret"

PROJECTIONS = OneOf(
    "projection",
    {
        "configMap": Alternative(Struct(ConfigMapProjection)),
        "secret": Alternative(Struct(SecretProjection)),
        "downwardAPI": Alternative(Struct(DownwardAPIProjection)),
        "serviceAccountToken": Alternative(None, Level.REFUSED, _NO_TOKENS),
        "clusterTrustBundle": Alternative(None, Level.REFUSED, _NO_TOKENS),
        "podCertificate": Alternative(None, Level.REFUSED, _NO_TOKENS),
    },
)


@record(frozen=True, slots=True)
class ProjectedSource:
    """Several sources in one directory; of two files at one path the later one holds."""

    sources: tuple[Projection, ...] = field(default=(), metadata=k8s(kind=ListOf(PROJECTIONS)))
    default_mode: int = field(default=DEFAULT_MODE, metadata=k8s(kind=MODE))


@record(frozen=True, slots=True)
class ClaimSource:
    """What a PersistentVolumeClaim of the pod's namespace stands for: it outlives pods."""

    claim_name: str
    read_only: bool = False


@record(frozen=True, slots=True)
class ImageSource:
    """The files of an image, read-only.

    Attributes:
        pull_policy: ``Always``, ``IfNotPresent``, ``Never``; empty: as for a container's image.
    """

    reference: str = ""
    pull_policy: str = field(default="", metadata=k8s(kind=Word("Always", "IfNotPresent", "Never")))


@record(frozen=True, slots=True)
class NFSSource:
    """A directory of an NFS server, which the engine's host mounts."""

    server: str
    path: str
    read_only: bool = False


@record(frozen=True, slots=True)
class NamedFile:
    """One file of a `FilesSource`.

    Attributes:
        path: relative to the volume.
        mode: its permissions; None: as the volume says.
    """

    path: str
    data: bytes
    mode: int | None = None


@record(frozen=True, slots=True)
class FilesSource:
    """Files that stand in the spec itself, in memory and read-only; `Volume.files` makes it.

    In a manifest it is a ``downwardAPI`` volume, and each file an annotation that it refers to: so it is the same in a cluster.
    """

    files: tuple[NamedFile, ...] = ()
    default_mode: int = DEFAULT_MODE


VolumeSource = (
    EmptyDir
    | HostPath
    | ConfigMapSource
    | SecretSource
    | DownwardAPISource
    | ProjectedSource
    | ClaimSource
    | ImageSource
    | NFSSource
    | FilesSource
)

_OWN_MOUNT = "an engine has no driver for it; mount it on the engine's host and use hostPath, or a persistentVolumeClaim"
_GONE = f"Kubernetes itself has removed it, and {_OWN_MOUNT}"
_FOREIGN = (
    "azureDisk azureFile awsElasticBlockStore cephfs cinder csi fc flexVolume gcePersistentDisk iscsi portworxVolume rbd"
    " vsphereVolume"
)
_REMOVED = "flocker glusterfs photonPersistentDisk quobyte scaleIO storageos"

VOLUME_SOURCES = OneOf(
    "volume type",
    {
        "emptyDir": Alternative(Struct(EmptyDir)),
        "hostPath": Alternative(Struct(HostPath)),
        "configMap": Alternative(Struct(ConfigMapSource)),
        "secret": Alternative(Struct(SecretSource)),
        "downwardAPI": Alternative(Struct(DownwardAPISource)),
        "projected": Alternative(Struct(ProjectedSource)),
        "persistentVolumeClaim": Alternative(Struct(ClaimSource)),
        "image": Alternative(Struct(ImageSource), Level.PARTLY, "from Engine API 1.48 on (Docker 28)"),
        "nfs": Alternative(Struct(NFSSource), Level.PARTLY, "as NFS version 4"),
        "ephemeral": Alternative(
            None,
            Level.REFUSED,
            "there are no storage classes to take it from; an emptyDir lives as long, a persistentVolumeClaim longer",
        ),
        "gitRepo": Alternative(
            None,
            Level.REFUSED,
            "Kubernetes itself has disabled it; clone in an init container into an emptyDir",
        ),
        **{name: Alternative(None, Level.REFUSED, _OWN_MOUNT) for name in _FOREIGN.split()},
        **{name: Alternative(None, Level.REFUSED, _GONE) for name in _REMOVED.split()},
    },
    # A volume without a source is an emptyDir (pkg/apis/core/v1/defaults.go, SetDefaults_Volume).
    default=EmptyDir(),
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
        items: Mapping[str, str | FieldRef | ResourceFieldRef] | Iterable[DownwardAPIFile],
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
        files: Mapping[str, str | bytes] | Iterable[NamedFile],
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


def downward_files(
    items: Mapping[str, str | FieldRef | ResourceFieldRef] | Iterable[DownwardAPIFile],
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
