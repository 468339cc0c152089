"""The names, addresses and shared namespaces of a pod.

Source: pkg/apis/core/validation/validation.go, validatePodDNSConfig, validateDNSPolicy, ValidateHostAliases, validateHostNetwork,
validatePodHostName.
"""

from __future__ import annotations

import ipaddress
import re

from pypod.model import naming
from pypod.model.document.annotations import EXTRA_NETWORKS
from pypod.model.rules import hosts
from pypod.model.schema.checking import Check
from pypod.model.schema.compounds import ListOf
from pypod.model.schema.kinds import STRING
from pypod.model.schema.structs import Struct, path_of
from pypod.model.spec.network import DNSConfig, DNSPolicy, HostAlias
from pypod.model.spec.pod import Container, PodSpec
from pypod.model.wording import show

_NETWORK_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*", re.ASCII)
"""moby daemon/names, RestrictedNamePattern."""
MOST_NAMESERVERS, MOST_SEARCHES, MOST_SEARCH_CHARACTERS = 3, 32, 2048
MOST_HOSTNAME = hosts.LONGEST_HOSTNAME


def check_network(check: Check, spec: PodSpec) -> None:
    """Checks how the pod is found and what it finds."""
    _dns(check, spec)
    _aliases(check, spec)
    _namespaces(check, spec)
    _extra_networks(check, spec)
    path = path_of("spec", PodSpec, "subdomain")
    if spec.subdomain != "":
        check.name(path, spec.subdomain)
    _override(check, spec)
    if spec.runtime_class_name != "":
        check.name(path_of("spec", PodSpec, "runtime_class_name"), spec.runtime_class_name, subdomain=True)
    _whole_name(check, spec)


def _dns(check: Check, spec: PodSpec) -> None:
    path = path_of("spec", PodSpec, "dns_config")
    config: object = spec.dns_config
    if not check.fits(path, Struct(DNSConfig), config) or not isinstance(config, DNSConfig):
        return
    if spec.dns_policy is DNSPolicy.NONE and not config.nameservers:
        check.add(f"{path}.nameservers", "must provide at least one DNS nameserver when `dnsPolicy` is None")
    if len(config.nameservers) > MOST_NAMESERVERS:
        message = f"must not have more than {MOST_NAMESERVERS} nameservers, not {len(config.nameservers)}"
        check.add(f"{path}.nameservers", message)
    for index, address in enumerate(config.nameservers):
        _address(check, f"{path}.nameservers[{index}]", address)
    if len(config.searches) > MOST_SEARCHES:
        message = f"must not have more than {MOST_SEARCHES} search paths, not {len(config.searches)}"
        check.add(f"{path}.searches", message)
    if len(" ".join(config.searches)) > MOST_SEARCH_CHARACTERS:
        check.add(f"{path}.searches", f"must not have more than {MOST_SEARCH_CHARACTERS} characters in all")
    for index, domain in enumerate(config.searches):
        # A domain may be absolute, and parts of it may begin with "_" (RelaxedDNSSearchValidation).
        relaxed = domain.removesuffix(".").replace("_", "a") if domain != "." else "a"
        if not check.fits_name(relaxed):
            check.name(f"{path}.searches[{index}]", domain, subdomain=True)
    for index, (name, _) in enumerate(config.options):
        if not name:
            check.add(f"{path}.options[{index}].name", "must not be empty")


def _address(check: Check, path: str, text: str) -> None:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        check.add(
            path, f"{show(text)} is not valid: must be a valid IP address (e.g. 10.9.8.7 or 2001:db8::ffff)"
        )


def _aliases(check: Check, spec: PodSpec) -> None:
    path = path_of("spec", PodSpec, "host_aliases")
    aliases: object = spec.host_aliases
    if not check.fits(path, ListOf(Struct(HostAlias)), aliases):
        return
    for index, alias in enumerate(spec.host_aliases):
        _address(check, f"{path}[{index}].ip", alias.ip)
        for place, name in enumerate(alias.hostnames):
            check.name(f"{path}[{index}].hostnames[{place}]", name, subdomain=True)


def _namespaces(check: Check, spec: PodSpec) -> None:
    if spec.host_pid is True and spec.share_process_namespace is True:
        path = path_of("spec", PodSpec, "share_process_namespace")
        words = "ShareProcessNamespace and HostPID cannot both be enabled"
        check.add(path, f"{words} (from Python the former is, unless share_process_namespace=False is given)")
    if spec.host_network is not True:
        return
    for kind in ("init_containers", "containers"):
        containers: object = getattr(spec, kind)
        if isinstance(containers, list | tuple):
            for index, container in enumerate(containers):
                if isinstance(container, Container):
                    _host_ports(check, f"{path_of('spec', PodSpec, kind)}[{index}]", container)


def _extra_networks(check: Check, spec: PodSpec) -> None:
    path = f"metadata.annotations[{EXTRA_NETWORKS}]"
    names: object = spec.extra_networks
    if not check.fits(path, ListOf(STRING), names) or not isinstance(names, tuple):
        return
    if names and spec.host_network is True:
        check.add(
            path, "may not be specified when `hostNetwork` is true: the pod is on the host's network alone"
        )
    for index, name in enumerate(names):
        if not _NETWORK_NAME.fullmatch(name):
            check.add(
                path, f"{show(name)} is no name of a Docker network: letters, digits, '_', '.' and '-' are"
            )
        elif name in naming.NOT_JOINED:
            check.add(path, f"{show(name)} cannot be joined beside the pod's own network")
        elif naming.is_own_network(name):
            words = "is one of pypod's own networks; `network` says on which of them the pod is"
            check.add(path, f"{show(name)} {words}")
        elif name in names[:index]:
            check.add(path, f"{show(name)} is there twice")


def _host_ports(check: Check, path: str, container: Container) -> None:
    for index, port in enumerate(container.ports):
        if port.host_port is not None and port.host_port != port.container_port:
            where = f"{path}.ports[{index}].hostPort"
            check.add(
                where, f"must match `containerPort` when `hostNetwork` is true, not {show(port.host_port)}"
            )


def _whole_name(check: Check, spec: PodSpec) -> None:
    """A kubelet never starts such a pod; its API takes it (pkg/kubelet/util, GetNodenameForKernel)."""
    texts: tuple[object, ...] = (
        spec.hostname,
        spec.hostname_override,
        spec.name,
        spec.subdomain,
        spec.namespace,
    )
    if spec.set_hostname_as_fqdn is not True or spec.host_network is True:
        return
    if all(isinstance(text, str) for text in texts) and len(name := hosts.full_name(spec)) > MOST_HOSTNAME:
        path = path_of("spec", PodSpec, "set_hostname_as_fqdn")
        words = f"{MOST_HOSTNAME} characters is the max, {len(name)} characters requested"
        check.add(path, f"the full name {show(name)} is too long ({words})")


def _override(check: Check, spec: PodSpec) -> None:
    if spec.hostname_override == "":
        return
    path = path_of("spec", PodSpec, "hostname_override")
    name = check.name(path, spec.hostname_override, subdomain=True)
    if name is not None and len(name) > MOST_HOSTNAME:
        check.add(path, f"{show(name)} is not valid: must be no more than {MOST_HOSTNAME} characters")
    for attribute in ("set_hostname_as_fqdn", "host_network"):
        if getattr(spec, attribute) is True:
            other = path_of("", PodSpec, attribute)
            check.add(path, f"may not be specified when `{other}` is true")
