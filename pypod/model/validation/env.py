"""Where the values of a container's variables come from.

Source: pkg/apis/core/validation/validation.go, validateEnvVarValueFrom, validateObjectFieldSelector, ValidateEnvFrom.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence

from pypod.model.schema.checking import Check, check_qualified
from pypod.model.schema.kinds import not_among
from pypod.model.schema.structs import Struct, path_of
from pypod.model.spec.env import (
    ENV_SOURCES,
    ConfigMapEnvSource,
    ConfigMapKeyRef,
    EnvFrom,
    EnvVar,
    FieldRef,
    FileKeyRef,
    ResourceFieldRef,
    SecretEnvSource,
    SecretKeyRef,
)
from pypod.model.wording import did_you_mean, show

_ENV_NAME = re.compile(r"[ -<>-~]+")
ENV_RULE = "an environment variable name must consist only of printable ASCII characters other than '='"

ENV_FIELDS = (
    *("metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName"),
    *("status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs"),
)
FILE_FIELDS = (
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "metadata.labels",
    "metadata.annotations",
)
_SUBSCRIPT = re.compile(r"metadata\.(labels|annotations)\['(.*)'\]", re.DOTALL)
_RESOURCE = re.compile(r"(?:limits|requests)\.(cpu|memory|ephemeral-storage|hugepages-[0-9]+[KMGT]i)")
RESOURCES = (
    "limits.cpu",
    "limits.memory",
    "limits.ephemeral-storage",
    "requests.cpu",
    "requests.memory",
    "requests.ephemeral-storage",
)
_CPU_DIVISORS = ("0", "1m", "1")
_DIVISORS = ("0", "1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei")


def check_env(
    check: Check, path: str, env: Sequence[object], names: Collection[str], volumes: Mapping[str, str]
) -> None:
    """Checks the variables of a container.

    Args:
        check: takes the problems.
        path: of the container.
        env: its variables.
        names: of the pod's containers.
        volumes: the pod's, by name.
    """
    for index, variable in enumerate(env):
        where = f"{path}.env[{index}]"
        if not isinstance(variable, EnvVar):
            check.add(where, f"an EnvVar is expected, not {show(variable)}")
            continue
        _name(check, f"{where}.name", variable.name)
        value = check.text(f"{where}.value", variable.value)
        source: object = variable.value_from
        inner = path_of(where, EnvVar, "value_from")
        if source is None or not check.fits(inner, ENV_SOURCES, source):
            continue
        if value:
            check.add(inner, "may not be specified when `value` is not empty")
        _source(check, f"{inner}.{ENV_SOURCES.name_of(source)}", source, names, volumes)


def _name(check: Check, path: str, value: object) -> None:
    text = check.text(path, value)
    if text == "":
        check.add(path, f"is required: {ENV_RULE}")
    elif text is not None and not _ENV_NAME.fullmatch(text):
        check.add(path, f"{show(text)} is not valid: {ENV_RULE}")


def _source(
    check: Check, path: str, source: object, names: Collection[str], volumes: Mapping[str, str]
) -> None:
    match source:
        case FieldRef():
            check_field_ref(check, path, source, ENV_FIELDS)
        case ResourceFieldRef():
            check_resource_ref(check, path, source, names)
        case ConfigMapKeyRef() | SecretKeyRef():
            check.name(f"{path}.name", source.name, subdomain=True)
            check.key(f"{path}.key", source.key)
        case FileKeyRef():
            if source.volume_name not in volumes:
                hint = did_you_mean(source.volume_name, volumes)
                check.add(f"{path}.volumeName", f"Not found: {show(source.volume_name)}{hint}")
            check.relative(f"{path}.path", source.path)
            _name(check, f"{path}.key", source.key)


def check_field_ref(check: Check, path: str, ref: FieldRef, supported: Sequence[str]) -> None:
    """Checks a field of the pod that something refers to; ``supported``: those that may be."""
    if ref.api_version != "v1":
        check.add(f"{path}.apiVersion", f"{show(ref.api_version)} is not supported; 'v1' is expected")
    where = path_of(path, FieldRef, "field_path")
    if match := _SUBSCRIPT.fullmatch(ref.field_path):
        # An annotation's key is one in lower case, too (pkg/apis/core/validation ValidateAnnotations).
        check_qualified(check, where, match[2].lower() if match[1] == "annotations" else match[2], "key")
    elif ref.field_path not in supported:
        check.add(
            where,
            not_among(
                ref.field_path, [*supported, "metadata.labels['NAME']", "metadata.annotations['NAME']"]
            ),
        )


def check_resource_ref(
    check: Check, path: str, ref: ResourceFieldRef, names: Collection[str], *, of_volume: bool = False
) -> None:
    """Checks a request or limit that something refers to; of a volume it must name a container."""
    match = _RESOURCE.fullmatch(ref.resource)
    if match is None:
        check.add(f"{path}.resource", not_among(ref.resource, RESOURCES))
    else:
        divisors = _CPU_DIVISORS if match[1] == "cpu" else _DIVISORS
        if ref.divisor not in divisors:
            check.add(f"{path}.divisor", not_among(ref.divisor, divisors))
    where = path_of(path, ResourceFieldRef, "container_name")
    if ref.container_name:
        if ref.container_name not in names:
            hint = did_you_mean(ref.container_name, names)
            check.add(where, f"Not found: {show(ref.container_name)}{hint}")
    elif of_volume:
        check.add(where, "is required: the name of one of the pod's containers")


def check_env_from(check: Check, path: str, sources: Sequence[object]) -> None:
    """Checks the whole ConfigMaps and Secrets that a container's variables come from; ``path``: of the container."""
    kind = Struct(EnvFrom)
    for index, each in enumerate(sources):
        where = f"{path}.envFrom[{index}]"
        if not check.fits(where, kind, each) or not isinstance(each, EnvFrom):
            continue
        if each.prefix and not _ENV_NAME.fullmatch(each.prefix):
            check.add(f"{where}.prefix", f"{show(each.prefix)} is not valid: {ENV_RULE}")
        match each.source:
            case ConfigMapEnvSource():
                check.name(f"{where}.configMapRef.name", each.source.name, subdomain=True)
            case SecretEnvSource():
                check.name(f"{where}.secretRef.name", each.source.name, subdomain=True)
