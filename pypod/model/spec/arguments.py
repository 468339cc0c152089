"""What `pypod.Pod` takes beside its first arguments: every field of a `PodSpec`, in the forms that are short to write."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, TypedDict

from pypod.model.spec.network import DNSConfig, DNSPolicy, HostAlias
from pypod.model.spec.pod import PodSpec
from pypod.model.spec.resources import Resources
from pypod.model.spec.security import PodSecurityContext
from pypod.model.wording import did_you_mean


class PodOptions(TypedDict, total=False):
    """Arguments of `pypod.Pod` by name. They are the attributes of `PodSpec`, which are Kubernetes' fields.

    A word stands for the value of an enumeration: ``dns_policy="None"``.
    """

    annotations: Mapping[str, str]
    generate_name: str
    finalizers: Iterable[str]
    owner_references: Iterable[Mapping[str, object]]
    # what its containers may do and use
    security_context: PodSecurityContext
    resources: Resources
    host_network: bool
    host_pid: bool
    host_ipc: bool
    host_users: bool
    runtime_class_name: str
    os: str
    image_pull_secrets: Iterable[str]
    # names
    host_aliases: Iterable[HostAlias]
    dns_policy: str | DNSPolicy
    dns_config: DNSConfig
    subdomain: str
    hostname_override: str
    set_hostname_as_fqdn: bool
    # what has no effect on one engine, and is kept
    enable_service_links: bool
    service_account_name: str
    service_account: str
    automount_service_account_token: bool | None
    node_name: str
    node_selector: Mapping[str, str]
    affinity: Mapping[str, object] | None
    tolerations: Iterable[Mapping[str, object]]
    topology_spread_constraints: Iterable[Mapping[str, object]]
    scheduler_name: str
    scheduling_gates: Iterable[Mapping[str, object]]
    scheduling_group: Mapping[str, object] | None
    priority: int | None
    priority_class_name: str
    preemption_policy: str
    overhead: Mapping[str, str]
    readiness_gates: Iterable[Mapping[str, object]]


def spec_of(given: Mapping[str, Any]) -> PodSpec:
    """The spec that these arguments describe.

    Args:
        given: by the names of `PodSpec`'s attributes; None stands for an attribute's default.

    Raises:
        TypeError: there is no such attribute, or a string stands where several values are expected.
        ValueError: a word is none of its enumeration.
    """
    fields = {each.name: each for each in dataclasses.fields(PodSpec)}
    for name in given:
        if name not in fields:
            raise TypeError(f"Pod() got an unexpected keyword argument {name!r}{did_you_mean(name, fields)}")
    return PodSpec(
        **{name: _settled(fields[name], value) for name, value in given.items() if value is not None}
    )


def _settled(field: dataclasses.Field[Any], value: Any) -> Any:
    """As the attribute is: what is iterable becomes a tuple, a mapping one that cannot change, a word its enumeration's."""
    default = field.default
    if field.default_factory is not dataclasses.MISSING:
        default = field.default_factory()
    if isinstance(default, enum.Enum):
        return type(default)(value)
    if isinstance(default, Mapping):
        return MappingProxyType(dict(value))
    if isinstance(default, tuple) or field.name == "containers":
        if isinstance(value, str):
            raise TypeError(f"cannot take {field.name}={value!r}: several values are expected, in a list")
        return tuple(value)
    return value
