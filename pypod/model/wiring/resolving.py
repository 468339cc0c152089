"""Whom a pod asks for names, and how: its DNS policy and configuration, made into what an engine is asked for.

An engine writes ``nameserver 127.0.0.11`` into the ``resolv.conf`` of whoever is on a network of its own. That resolver knows
the pods of the network, and asks others for the rest: the servers given here, else those of the engine's host.

Source: pkg/kubelet/network/dns/dns.go, GetPodDNS, appendDNSConfig, formDNSSearchFitsLimits.
"""

from __future__ import annotations

from collections.abc import Iterable

from pypod.model import naming
from pypod.model.records import record
from pypod.model.spec.network import DNSConfig, DNSPolicy
from pypod.model.spec.pod import PodSpec
from pypod.model.validation.network import MOST_NAMESERVERS, MOST_SEARCH_CHARACTERS, MOST_SEARCHES

NO_SEARCH = (".",)
"""An engine's word for no search list; without any it takes the one of its host."""
NDOTS = "ndots:1"
"""The resolver's own default. An engine's is 0, which asks for the bare name first; every container's hostname is a DNS name on
its network, so ``web`` would answer with the pods ``web`` of all namespaces in turn."""
FALLBACK = (
    "the engine's resolver, which knows the pods, cannot be reached from the network of its host, and policy"
    ' "ClusterFirstWithHostNet" cannot be used. Falling back to "Default" policy.'
)


@record(frozen=True, slots=True)
class Complaint:
    """Why something of it is not as it was asked for: an event."""

    reason: str
    message: str


@record(frozen=True, slots=True)
class Resolver:
    """What an engine is told; empty: as its host has it.

    Attributes:
        servers: whom its resolver asks for what it does not know itself.
        searches, options: of ``resolv.conf``.
        complaints: what was left out.
    """

    servers: tuple[str, ...] = ()
    searches: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    complaints: tuple[Complaint, ...] = ()


def resolver(spec: PodSpec) -> Resolver:
    """Of a pod."""
    config = spec.dns_config
    policy = _policy(spec)
    complaints: list[Complaint] = []
    if spec.host_network and spec.dns_policy is DNSPolicy.CLUSTER_FIRST_WITH_HOST_NET:
        complaints.append(Complaint("MissingClusterDNS", f"pod: {spec.full_name}. {FALLBACK}"))
    own = naming.dns_search(spec.namespace) if policy is DNSPolicy.CLUSTER_FIRST else ()
    searches, left_out = _within_limits(dict.fromkeys([*own, *config.searches]))
    if left_out:
        words = "Search Line limits were exceeded, some search paths have been omitted, the applied search line is: "
        complaints.append(Complaint("DNSConfigForming", words + " ".join(searches)))
    servers = tuple(dict.fromkeys(config.nameservers))[:MOST_NAMESERVERS]
    if policy is not DNSPolicy.DEFAULT:
        searches = searches or NO_SEARCH
    return Resolver(servers, searches, _options(config, policy), tuple(complaints))


def _policy(spec: PodSpec) -> DNSPolicy:
    """The one that is carried out."""
    if spec.dns_policy not in (DNSPolicy.CLUSTER_FIRST, DNSPolicy.CLUSTER_FIRST_WITH_HOST_NET):
        return spec.dns_policy
    return DNSPolicy.DEFAULT if spec.host_network else DNSPolicy.CLUSTER_FIRST


def _within_limits(searches: Iterable[str]) -> tuple[tuple[str, ...], bool]:
    """As many as a ``resolv.conf`` may have, and whether that is not all."""
    given = list(searches)
    kept = given[:MOST_SEARCHES]
    while len(" ".join(kept)) > MOST_SEARCH_CHARACTERS:
        kept.pop()
    return tuple(kept), len(kept) < len(given)


def _options(config: DNSConfig, policy: DNSPolicy) -> tuple[str, ...]:
    """The last one of a name counts."""
    given = dict(config.options)
    own = [] if "ndots" in given or policy is DNSPolicy.DEFAULT else [NDOTS]
    return (*own, *(f"{name}:{value}" if value else name for name, value in given.items()))
