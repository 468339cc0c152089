"""Why a container is not made, although its image is there: known before an engine is asked."""

from __future__ import annotations

from pypod.model.life.desired import Desired
from pypod.model.rules import confinement
from pypod.model.spec.pod import Container
from pypod.model.wiring.environment import CONFIG_ERROR
from pypod.model.wiring.requests import Sandbox


def refusal(desired: Desired, container: Container, sandbox: Sandbox, image_user: str) -> tuple[str, str]:
    """Why a container is not made, as reason and words; empty: it is. Asked before each instance, as by a kubelet."""
    spec = desired.spec
    violation = confinement.non_root_violation(spec, container, desired.identity.key, image_user)
    if violation:
        return CONFIG_ERROR, violation
    if too_many := confinement.strict_violation(spec, container, image_user):
        return CONFIG_ERROR, too_many
    profile = confinement.seccomp_file(spec, container)
    if profile and profile not in sandbox.profiles:
        return "CreateContainerError", f'cannot load seccomp profile "{profile}": it is not there, or no JSON'
    return "", ""
