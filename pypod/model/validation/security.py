"""The security contexts of a pod and its containers.

Source: pkg/apis/core/validation/validation.go, ValidateSecurityContext, ValidatePodSecurityContext, validateSysctls.
"""

from __future__ import annotations

import re

from pypod.model.schema.checking import LARGEST_NUMBER, Check
from pypod.model.schema.structs import Struct, path_of
from pypod.model.spec.security import (
    AppArmorProfile,
    PodSecurityContext,
    ProfileType,
    SeccompProfile,
    SecurityContext,
)
from pypod.model.wording import show

_SYSCTL = re.compile(r"[a-z0-9](?:[-_a-z0-9]*[a-z0-9])?(?:[./][a-z0-9](?:[-_a-z0-9]*[a-z0-9])?)*")
SYSCTL_RULE = (
    "must have at most 253 characters and be parts of lower case alphanumeric characters, '-' or '_', with '.' or '/'"
    " between them (e.g. 'net.ipv4.tcp_syncookies')"
)
_CAPABILITY = re.compile(r"[A-Z_0-9]+")
_IPC_SYSCTLS = ("kernel.sem", "kernel.shm", "kernel.msg", "fs.mqueue.")


def check_security(check: Check, path: str, context: object) -> None:
    """Checks what one container may do; ``path``: of its security context."""
    if not check.fits(path, Struct(SecurityContext), context) or not isinstance(context, SecurityContext):
        return
    _ids(check, path, context, "run_as_user", "run_as_group")
    _profiles(check, path, context)
    for what in ("add", "drop"):
        for index, name in enumerate(getattr(context.capabilities, what)):
            if not _CAPABILITY.fullmatch(name):
                where = f"{path}.capabilities.{what}[{index}]"
                check.add(
                    where, f"{show(name)} is not valid: a capability like 'NET_ADMIN', or 'ALL', is expected"
                )
    if context.allow_privilege_escalation is not False:
        return
    where = path_of(path, SecurityContext, "allow_privilege_escalation")
    if context.privileged:
        check.add(where, "cannot set `allowPrivilegeEscalation` to false and `privileged` to true")
    if {"SYS_ADMIN", "CAP_SYS_ADMIN"} & set(context.capabilities.add):
        check.add(
            where, "cannot set `allowPrivilegeEscalation` to false and `capabilities.add` CAP_SYS_ADMIN"
        )


def check_pod_security(
    check: Check, path: str, context: object, *, host_network: bool, host_ipc: bool
) -> None:
    """Checks what holds for all containers.

    Args:
        check: takes the problems.
        path: of the security context.
        context: it.
        host_network, host_ipc: the pod has none of its own, so that there is nothing to set.
    """
    if not check.fits(path, Struct(PodSecurityContext), context) or not isinstance(
        context, PodSecurityContext
    ):
        return
    _ids(check, path, context, "run_as_user", "run_as_group", "fs_group")
    _profiles(check, path, context)
    for index, group in enumerate(context.supplemental_groups):
        check.whole(f"{path}.supplementalGroups[{index}]", group, least=0, most=LARGEST_NUMBER)
    seen: dict[str, str] = {}
    for index, (given, _) in enumerate(context.sysctls):
        where = f"{path}.sysctls[{index}].name"
        name = given.replace("/", ".")
        if len(given) > 253 or not _SYSCTL.fullmatch(given):
            check.add(where, f"{show(given)} is not valid: {SYSCTL_RULE}" if given else "is required")
        elif host_network and name.startswith("net."):
            check.add(where, f"{show(given)} may not be set with hostNetwork: it would be the host's")
        elif host_ipc and name.startswith(_IPC_SYSCTLS):
            check.add(where, f"{show(given)} may not be set with hostIPC: it would be the host's")
        else:
            check.unique(where, name, seen)


def _ids(check: Check, path: str, context: SecurityContext | PodSecurityContext, *attributes: str) -> None:
    for attribute in attributes:
        value = getattr(context, attribute)
        if value is not None:
            check.whole(path_of(path, type(context), attribute), value, least=0, most=LARGEST_NUMBER)


def _profiles(check: Check, path: str, context: SecurityContext | PodSecurityContext) -> None:
    for attribute in ("seccomp_profile", "app_armor_profile"):
        profile: SeccompProfile | AppArmorProfile | None = getattr(context, attribute)
        if profile is None:
            continue
        where = f"{path_of(path, type(context), attribute)}.localhostProfile"
        if profile.type is not ProfileType.LOCALHOST:
            if profile.localhost_profile:
                check.add(where, "can only be set when the type is 'Localhost'")
        elif not profile.localhost_profile:
            check.add(where, "is required: with the type 'Localhost' a profile must be named")
        elif isinstance(profile, SeccompProfile):
            check.relative(where, profile.localhost_profile)
        elif profile.localhost_profile.strip() != profile.localhost_profile:
            check.add(where, f"{show(profile.localhost_profile)} must not be padded with whitespace")
