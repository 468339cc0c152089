"""What a pod and its containers may do, and as whom, as their user describes it."""

from __future__ import annotations

import enum
from dataclasses import field

from pypod.model.records import record
from pypod.model.schema.compounds import ListOf, Pairs, Shape
from pypod.model.schema.declaring import also, k8s, nothing
from pypod.model.schema.kinds import INT64, STRING, Integer, Word
from pypod.model.schema.levels import Level

_ID = k8s(kind=Integer(64))
_SECCOMP = k8s(
    level=Level.PARTLY,
    reason="without one the engine's default profile holds, which is what RuntimeDefault asks for; Kubernetes has none then",
)
_WINDOWS = nothing(
    Shape(
        dict.fromkeys(
            ["gmsaCredentialSpec", "gmsaCredentialSpecName", "hostProcess", "runAsUserName"], STRING
        )
    ),
    Level.REFUSED,
    "the containers are Linux ones",
)


class ProfileType(enum.Enum):
    """Which profile a container is confined by."""

    RUNTIME_DEFAULT = "RuntimeDefault"
    """The engine's own."""
    UNCONFINED = "Unconfined"
    LOCALHOST = "Localhost"
    """One of the engine's host, by its name."""


class ProcMount(enum.Enum):
    """Whether parts of ``/proc`` are hidden or read-only."""

    DEFAULT = "Default"
    UNMASKED = "Unmasked"


class FSGroupChangePolicy(enum.Enum):
    """When the files of a volume are given to the ``fs_group``."""

    ALWAYS = "Always"
    ON_ROOT_MISMATCH = "OnRootMismatch"


class SupplementalGroupsPolicy(enum.Enum):
    """Whether a user's groups of the image's ``/etc/group`` count too."""

    MERGE = "Merge"
    STRICT = "Strict"


@record(frozen=True, slots=True)
class SeccompProfile:
    """Which system calls are allowed.

    Attributes:
        localhost_profile: with the type ``Localhost``: a file's path.
    """

    type: ProfileType
    localhost_profile: str = ""


@record(frozen=True, slots=True)
class AppArmorProfile:
    """Which AppArmor profile holds; attributes as of `SeccompProfile`, the profile being the name of a loaded one."""

    type: ProfileType
    localhost_profile: str = ""


@record(frozen=True, slots=True)
class SELinuxOptions:
    """The SELinux label of a container's processes."""

    user: str = ""
    role: str = ""
    type: str = ""
    level: str = ""


@record(frozen=True, slots=True)
class Capabilities:
    """Linux capabilities, beside the engine's default set: names without ``CAP_``, or ``ALL``."""

    add: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()


@also(windowsOptions=_WINDOWS)
@record(frozen=True, slots=True)
class SecurityContext:
    """What one container may do. None: as its pod says, else as the image does.

    Attributes:
        run_as_user, run_as_group: numbers.
        run_as_non_root: refuse to start as root.
        allow_privilege_escalation: False: no process gains more than its parent has (setuid).
    """

    run_as_user: int | None = field(default=None, metadata=_ID)
    run_as_group: int | None = field(default=None, metadata=_ID)
    run_as_non_root: bool | None = None
    privileged: bool | None = field(default=None, metadata=k8s(quiet=(False,)))
    allow_privilege_escalation: bool | None = field(default=None, metadata=k8s(quiet=(True,)))
    read_only_root_filesystem: bool | None = field(default=None, metadata=k8s(quiet=(False,)))
    capabilities: Capabilities = field(default=Capabilities())
    seccomp_profile: SeccompProfile | None = field(default=None, metadata=_SECCOMP)
    app_armor_profile: AppArmorProfile | None = None
    se_linux_options: SELinuxOptions | None = None
    proc_mount: ProcMount = field(
        default=ProcMount.DEFAULT,
        metadata=k8s(
            values={
                ProcMount.UNMASKED: (
                    Level.PARTLY,
                    "Kubernetes takes it with hostUsers: false alone, which an engine has not",
                )
            }
        ),
    )


@also(windowsOptions=_WINDOWS)
@record(frozen=True, slots=True)
class PodSecurityContext:
    """What holds for all containers of a pod that do not say otherwise themselves.

    Attributes:
        fs_group: the group that the files of the pod's volumes are given to.
        supplemental_groups: further groups of every process.
        sysctls: kernel parameters of the pod's namespaces, name and value.
    """

    run_as_user: int | None = field(default=None, metadata=_ID)
    run_as_group: int | None = field(default=None, metadata=_ID)
    run_as_non_root: bool | None = None
    fs_group: int | None = field(default=None, metadata=_ID)
    fs_group_change_policy: FSGroupChangePolicy = FSGroupChangePolicy.ALWAYS
    supplemental_groups: tuple[int, ...] = field(default=(), metadata=k8s(kind=ListOf(INT64)))
    supplemental_groups_policy: SupplementalGroupsPolicy = field(
        default=SupplementalGroupsPolicy.MERGE,
        metadata=k8s(
            values={
                SupplementalGroupsPolicy.MERGE: (
                    Level.PARTLY,
                    "beside runAsGroup an engine adds no groups of the image's /etc/group",
                ),
                SupplementalGroupsPolicy.STRICT: (
                    Level.PARTLY,
                    "each container needs a group, by runAsGroup or of its image's user: else CreateContainerConfigError",
                ),
            }
        ),
    )
    sysctls: tuple[tuple[str, str], ...] = field(default=(), metadata=k8s(kind=Pairs()))
    seccomp_profile: SeccompProfile | None = field(default=None, metadata=_SECCOMP)
    app_armor_profile: AppArmorProfile | None = None
    se_linux_options: SELinuxOptions | None = None
    se_linux_change_policy: str = field(
        default="",
        metadata=k8s(
            kind=Word("MountOption", "Recursive"),
            level=Level.NO_EFFECT,
            reason="an engine labels volumes in one way only",
        ),
    )
