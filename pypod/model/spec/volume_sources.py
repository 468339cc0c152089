"""What a volume of a pod can be, as its user describes it."""

from __future__ import annotations

import enum
from dataclasses import field

from pypod.model.records import record
from pypod.model.schema.compounds import ListOf, Named
from pypod.model.schema.declaring import also, k8s, nothing
from pypod.model.schema.kinds import STRING, Mode, Quantity, Word
from pypod.model.schema.levels import Level
from pypod.model.schema.structs import Alternative, OneOf, Struct
from pypod.model.spec.env import FieldRef, ResourceFieldRef

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
class AzureFileSource:
    """A share of an Azure storage account, which the engine's host mounts (SMB).

    Attributes:
        secret_name: of the Secret with ``azurestorageaccountname`` and ``azurestorageaccountkey``.
    """

    secret_name: str
    share_name: str
    read_only: bool = False


@also(
    secretFile=nothing(
        STRING, Level.REFUSED, "an engine reads no file of its host for it: use secretRef, with its content"
    )
)
@record(frozen=True, slots=True)
class CephFSSource:
    """A directory of a CephFS, which the engine's host mounts.

    Attributes:
        monitors: their addresses, with or without a port.
        path: of the directory; empty: the root.
        user: as Ceph knows him; empty: ``admin``.
        secret_ref: name of the Secret with his key.
    """

    monitors: tuple[str, ...]
    path: str = ""
    user: str = ""
    secret_ref: str = field(default="", metadata=k8s(kind=Named(STRING)))
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
    | AzureFileSource
    | CephFSSource
    | FilesSource
)

_SEEN = "'docker volume inspect' shows the password while the pod is there"
_OWN_MOUNT = "an engine has no driver for it; mount it on the engine's host and use hostPath, or a persistentVolumeClaim"
_GONE = f"Kubernetes itself has removed it, and {_OWN_MOUNT}"
_FOREIGN = (
    "azureDisk awsElasticBlockStore cinder csi fc flexVolume gcePersistentDisk iscsi portworxVolume rbd"
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
        "azureFile": Alternative(Struct(AzureFileSource), Level.PARTLY, f"in Azure's public cloud; {_SEEN}"),
        "cephfs": Alternative(Struct(CephFSSource), Level.PARTLY, f"by the kernel's own client; {_SEEN}"),
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
