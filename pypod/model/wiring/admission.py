"""What a kubelet refuses to run although its API took it: told before anything of the pod is made.

Sources: pkg/kubelet/sysctl/allowlist.go, pkg/security/apparmor/validate.go.
"""

from __future__ import annotations

from pypod.model.records import record
from pypod.model.rules.confinement import effective
from pypod.model.spec.pod import PodSpec
from pypod.model.spec.security import ProfileType
from pypod.model.wiring.state import PodObservation

SAFE_SYSCTLS = frozenset(
    {
        "kernel.shm_rmid_forced",
        *(
            f"net.ipv4.{name}"
            for name in (
                "ip_local_port_range",
                "tcp_syncookies",
                "ping_group_range",
                "ip_unprivileged_port_start",
                "ip_local_reserved_ports",
                "tcp_keepalive_time",
                "tcp_fin_timeout",
                "tcp_keepalive_intvl",
                "tcp_keepalive_probes",
                "tcp_rmem",
                "tcp_wmem",
            )
        ),
    }
)
"""Those that a kubelet sets without being told that it may."""
APP_ARMOR = "name=apparmor"
"""Among an engine's security options: its host has it."""


@record(frozen=True, slots=True)
class Refusal:
    """Why the pod is not made, in Kubernetes' words."""

    reason: str
    message: str


def refusal(spec: PodSpec, observed: PodObservation) -> Refusal | None:
    """Why the engine that was observed is not asked for this pod; None: it is. Of a pod that is there already nothing is said."""
    if observed.pause is not None:
        return None
    return _sysctls(spec) or _runtime(spec, observed) or _app_armor(spec, observed)


def _sysctls(spec: PodSpec) -> Refusal | None:
    for name, _ in spec.security_context.sysctls:
        if sysctl_name(name) not in SAFE_SYSCTLS:
            return Refusal("SysctlForbidden", f'forbidden sysctl: "{name}" not allowlisted')
    return None


def sysctl_name(name: str) -> str:
    """With dots between its parts: where the first of its separators is a slash, both change places.

    Source: component-helpers/node/util/sysctl, NormalizeName.
    """
    first = next((char for char in name if char in "./"), ".")
    return name.translate(str.maketrans("./", "/.")) if first == "/" else name


def _runtime(spec: PodSpec, observed: PodObservation) -> Refusal | None:
    """A RuntimeClass is a runtime of the engine. Where the engine does not tell what it has, it is asked for it."""
    wanted, there = spec.runtime_class_name, observed.node_runtimes
    if not wanted or not there or wanted in there:
        return None
    words = f'pod rejected: RuntimeClass "{wanted}" not found: the engine has the runtimes {", ".join(there)}'
    return Refusal("RuntimeClassNotFound", words)


def _app_armor(spec: PodSpec, observed: PodObservation) -> Refusal | None:
    """One that is asked for by name must not be left out silently, as an engine does where its host has none."""
    if not observed.node_security or any(each.startswith(APP_ARMOR) for each in observed.node_security):
        return None
    for container in spec.all_containers:
        profile = effective(spec, container).app_armor
        if profile is not None and profile.type is not ProfileType.UNCONFINED:
            return Refusal("AppArmor", "Cannot enforce AppArmor: AppArmor is not enabled on the host")
    return None
