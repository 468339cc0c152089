"""Names and addresses of a pod, as its user describes them."""

from __future__ import annotations

import enum
from dataclasses import field

from pypod.model.records import record
from pypod.model.schema.compounds import Pairs
from pypod.model.schema.declaring import k8s


class DNSPolicy(enum.Enum):
    """Whom the pod asks for names."""

    CLUSTER_FIRST = "ClusterFirst"
    """The engine's own resolver, which knows the pods, and asks the host's servers for the rest."""
    CLUSTER_FIRST_WITH_HOST_NET = "ClusterFirstWithHostNet"
    DEFAULT = "Default"
    """The servers of the engine's host."""
    NONE = "None"
    """Those of ``dns_config`` alone."""


@record(frozen=True, slots=True)
class HostAlias:
    """A line in every container's ``/etc/hosts``."""

    ip: str
    hostnames: tuple[str, ...] = ()


@record(frozen=True, slots=True)
class DNSConfig:
    """What is put into every container's ``/etc/resolv.conf``, beside what the policy puts there.

    Attributes:
        options: name and value; an empty value: the name alone.
    """

    nameservers: tuple[str, ...] = ()
    searches: tuple[str, ...] = ()
    options: tuple[tuple[str, str], ...] = field(default=(), metadata=k8s(kind=Pairs(value_required=False)))
