"""What a container may do, and as whom: pod's and container's security context, made into what an engine is asked for.

Sources: pkg/securitycontext/util.go DetermineEffectiveSecurityContext, pkg/kubelet/kuberuntime/security_context.go
verifyRunAsNonRoot, cri-dockerd core/security_context.go.
"""

from __future__ import annotations

from collections.abc import Mapping

from pypod.model.naming import PodKey
from pypod.model.records import record
from pypod.model.spec.containers import Container
from pypod.model.spec.pod import PodSpec
from pypod.model.spec.security import (
    AppArmorProfile,
    ProcMount,
    ProfileType,
    SeccompProfile,
    SecurityContext,
    SELinuxOptions,
    SupplementalGroupsPolicy,
)

ROOT = "0"


@record(frozen=True, slots=True)
class Confinement:
    """What a container may do beyond, or short of, what the engine lets every container do.

    Attributes:
        groups: of every process, beside those of its user.
        add, drop: capabilities.
        privileged: all of them, all devices, and no profile.
        options: the engine's security options, as ``docker run --security-opt`` takes them.
        unmasked_proc: nothing of ``/proc`` is hidden or read-only.
    """

    groups: tuple[str, ...] = ()
    add: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    privileged: bool = False
    options: tuple[str, ...] = ()
    unmasked_proc: bool = False


@record(frozen=True, slots=True)
class Effective:
    """What holds for a container of what may stand in both contexts: its own word, else its pod's."""

    run_as_user: int | None
    run_as_group: int | None
    run_as_non_root: bool
    seccomp: SeccompProfile | None
    app_armor: AppArmorProfile | None
    se_linux: SELinuxOptions | None


def effective(spec: PodSpec, container: Container) -> Effective:
    """The two contexts as one."""
    pod, own = spec.security_context, container.security_context
    non_root = pod.run_as_non_root if own.run_as_non_root is None else own.run_as_non_root
    return Effective(
        pod.run_as_user if own.run_as_user is None else own.run_as_user,
        pod.run_as_group if own.run_as_group is None else own.run_as_group,
        bool(non_root),
        own.seccomp_profile or pod.seccomp_profile,
        own.app_armor_profile or pod.app_armor_profile,
        own.se_linux_options or pod.se_linux_options,
    )


def user(spec: PodSpec, container: Container, image_user: str) -> str:
    """``uid[:gid]``, or names; empty: as the image says.

    A `Container.user` from Python stands for the container's own ``runAsUser``, and for its ``runAsGroup`` where it has a part
    for that. A group alone goes with the image's user, since an engine takes no group without one.

    Args:
        spec, container: of the pod.
        image_user: as the image says: ``user[:group]``, or empty.
    """
    found = effective(spec, container)
    who, _, group = container.user.partition(":")
    if not who and found.run_as_user is not None:
        who = str(found.run_as_user)
    if not group and found.run_as_group is not None:
        group = str(found.run_as_group)
    if group and not who:
        who = image_user.partition(":")[0] or ROOT
    return f"{who}:{group}" if group else who


def non_root_violation(spec: PodSpec, container: Container, key: PodKey, image_user: str) -> str:
    """Why a container that must not run as root is not made, in a kubelet's words; empty: it is."""
    found = effective(spec, container)
    if not found.run_as_non_root:
        return ""
    what = f'(pod: "{key.name}_{key.namespace}({key.uid})", container: {container.name})'
    given = container.user.partition(":")[0]
    if given or found.run_as_user is not None:
        who = given or str(found.run_as_user)
        if not who.isdigit():
            return f"container has runAsNonRoot and a non-numeric user ({who}), cannot verify user is non-root {what}"
        return f"container's runAsUser breaks non-root policy {what}" if int(who) == 0 else ""
    name = image_user.partition(":")[0]
    if name and not name.isdigit():
        words = f"container has runAsNonRoot and image has non-numeric user ({name})"
        return f"{words}, cannot verify user is non-root {what}"
    return "" if name and int(name) else f"container has runAsNonRoot and image will run as root {what}"


def strict_violation(spec: PodSpec, container: Container, image_user: str) -> str:
    """Why a container whose processes must be in no group of the image's is not made; empty: it is.

    An engine adds the groups that the image's ``/etc/group`` gives a user, unless a group is given beside him (moby/sys/user,
    GetExecUser).
    """
    if spec.security_context.supplemental_groups_policy is not SupplementalGroupsPolicy.STRICT:
        return ""
    who = user(spec, container, image_user) or image_user
    if ":" in who:
        return ""
    return (
        "supplementalGroupsPolicy is Strict, and an engine adds the groups of the image's /etc/group where a user has"
        f" no group given: runAsGroup is needed (container: {container.name}, user: {who or 'root'})"
    )


def confinement(spec: PodSpec, container: Container, profiles: Mapping[str, str]) -> Confinement:
    """What is asked of the engine.

    Args:
        spec, container: of the pod.
        profiles: the text of each seccomp profile of the host that the pod names.
    """
    own = container.security_context
    return Confinement(
        groups=groups(spec),
        add=own.capabilities.add,
        drop=own.capabilities.drop,
        privileged=bool(own.privileged),
        options=tuple(_options(effective(spec, container), profiles)),
        unmasked_proc=own.proc_mount is ProcMount.UNMASKED,
    )


def groups(spec: PodSpec) -> tuple[str, ...]:
    """Those that every process of the pod is in: the supplemental ones, and that of the volumes (pkg/kubelet/kuberuntime
    security_context.go, convertToRuntimeSecurityContext)."""
    context = spec.security_context
    found = [*context.supplemental_groups, *([context.fs_group] if context.fs_group is not None else [])]
    return tuple(dict.fromkeys(map(str, found)))


def may_not_gain(context: SecurityContext) -> bool:
    """No process of it gains more than its parent has."""
    return context.allow_privilege_escalation is False


def _options(found: Effective, profiles: Mapping[str, str]) -> list[str]:
    """Where nothing is said, the engine's own profiles stay."""
    options = []
    match found.seccomp:
        case SeccompProfile(type=ProfileType.UNCONFINED):
            options.append("seccomp=unconfined")
        case SeccompProfile(type=ProfileType.LOCALHOST, localhost_profile=path):
            options.append(f"seccomp={profiles.get(path, '')}")
    match found.app_armor:
        case AppArmorProfile(type=ProfileType.UNCONFINED):
            options.append("apparmor=unconfined")
        case AppArmorProfile(type=ProfileType.LOCALHOST, localhost_profile=name):
            options.append(f"apparmor={name}")
    if found.se_linux is not None:
        parts = ("user", "role", "type", "level")
        options += [f"label={part}:{value}" for part in parts if (value := getattr(found.se_linux, part))]
    return options


def seccomp_file(spec: PodSpec, container: Container) -> str:
    """The seccomp profile of the host that a container wants, by its path; empty: none."""
    profile = effective(spec, container).seccomp
    is_local = profile is not None and profile.type is ProfileType.LOCALHOST
    return profile.localhost_profile if profile is not None and is_local else ""
