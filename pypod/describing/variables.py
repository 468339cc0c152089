"""What `describe` says of the variables of a container: where they come from, and of Secrets no more than that.

Source: k8s.io/kubectl pkg/describe/describe.go, describeContainerEnvVars and describeContainerEnvFrom.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pypod.model.rules.downward import field_value, resource_value
from pypod.model.schema.references import written
from pypod.model.spec.pod import (
    ConfigMapEnvSource,
    ConfigMapKeyRef,
    FieldRef,
    FileKeyRef,
    ResourceFieldRef,
    SecretKeyRef,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pypod.model.rules.downward import PodFacts
    from pypod.model.spec.pod import Container, EnvFrom, EnvVar


def describe_variables(container: Container, facts: PodFacts) -> list[str]:
    """Its lines; ``facts``: of the pod."""
    return [*_sources(container.env_from), *_environment(container, facts)]


def _optional(optional: bool) -> str:
    return f"Optional: {'true' if optional else 'false'}"


def _rows(head: str, rows: Sequence[tuple[str, str]]) -> list[str]:
    width = max(len(name) for name, _ in rows) + 2
    return [f"    {head}:", *(f"      {name:<{width}}{text}".rstrip() for name, text in rows)]


def _sources(sources: Sequence[EnvFrom]) -> list[str]:
    rows = []
    for each in sources:
        kind = "ConfigMap" if isinstance(each.source, ConfigMapEnvSource) else "Secret"
        prefix = f" with prefix '{each.prefix}'" if each.prefix else ""
        rows.append((each.source.name, f"{kind}{prefix}  {_optional(each.source.optional)}"))
    return _rows("Environment Variables from", rows) if rows else []


def _environment(container: Container, facts: PodFacts) -> list[str]:
    if not container.env:
        return [f"    {'Environment:':<16}<none>"]
    return _rows("Environment", [(f"{each.name}:", _value(each, container, facts)) for each in container.env])


def _value(variable: EnvVar, container: Container, facts: PodFacts) -> str:
    match variable.value_from:
        case None:
            return " ".join(written(variable.value).splitlines())
        case FieldRef() as ref:
            return f"{' '.join(field_value(ref.field_path, facts).splitlines())} ({ref.api_version}:{ref.field_path})".strip()
        case ResourceFieldRef() as ref:
            return f"{_amount(ref, container)} ({ref.resource})".strip()
        case SecretKeyRef() as ref:
            return f"<set to the key '{ref.key}' in secret '{ref.name}'>  {_optional(ref.optional)}"
        case ConfigMapKeyRef() as ref:
            return f"<set to the key '{ref.key}' of config map '{ref.name}'>  {_optional(ref.optional)}"
        case FileKeyRef() as ref:
            where = f"file '{ref.path}' of volume '{ref.volume_name}'"
            return f"<set to the variable '{ref.key}' of {where}>  {_optional(ref.optional)}"


def _amount(ref: ResourceFieldRef, container: Container) -> str:
    """Of another container it is not told, as with kubectl."""
    if ref.container_name not in ("", container.name):
        return ""
    resources = container.resources
    limits, requests = resources.limits, resources.effective_requests
    if ref.resource in ("limits.cpu", "limits.memory") and not getattr(
        limits, ref.resource.partition(".")[2]
    ):
        return "node allocatable"
    found = [{"cpu": each.cpu or 0, "memory": each.memory or 0, **each.others} for each in (limits, requests)]
    return resource_value(
        ref.resource, limits=found[0], requests=found[1], allocatable={}, divisor=ref.divisor
    )
