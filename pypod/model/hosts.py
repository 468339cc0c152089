"""What a pod is called, by itself and by others, and what is written of hosts in it.

Sources: pkg/kubelet/kubelet_pods.go GeneratePodHostNameAndDomain, managedHostsFileContent; pkg/kubelet/util GetNodenameForKernel.
"""

from __future__ import annotations

from collections.abc import Iterable

from pypod.model import naming
from pypod.model.naming import PodKey
from pypod.model.network import HostAlias
from pypod.model.spec import PodSpec

LONGEST_HOSTNAME = 64
"""Characters that a kernel takes."""


def domain(spec: PodSpec) -> str:
    """What follows the pod's hostname in its full name; empty: it has none."""
    if not spec.subdomain or spec.hostname_override:
        return ""
    return naming.subdomain(spec.subdomain, spec.namespace)


def full_name(spec: PodSpec) -> str:
    """The hostname with its domain, where it has one."""
    return ".".join(part for part in (spec.effective_hostname, domain(spec)) if part)


def kernel_hostname(spec: PodSpec) -> str:
    """What ``hostname`` says in the pod; empty: what it says on the engine's host."""
    if spec.host_network:
        return ""
    return full_name(spec) if spec.set_hostname_as_fqdn else spec.effective_hostname


def kernel_domain(spec: PodSpec) -> str:
    """What is put after that for the full name."""
    return "" if spec.host_network or spec.set_hostname_as_fqdn else domain(spec)


def aliases(spec: PodSpec, key: PodKey) -> tuple[str, ...]:
    """The names under which the pod is found on its network."""
    if spec.host_network:
        return ()
    names = list(naming.dns_aliases(key))
    if spec.subdomain:
        # As a headless Service makes them: of hostname and subdomain, whatever the kernel's name is.
        short = f"{(spec.hostname or spec.name)[:63].rstrip('-.')}.{spec.subdomain}.{spec.namespace}"
        names += [short, f"{short}.svc", f"{short}.svc.{naming.DNS_ROOT}"]
    return tuple(names)


def extra_hosts(host_aliases: Iterable[HostAlias]) -> tuple[str, ...]:
    """Lines of the pod's hosts file, as an engine takes them: ``name:address``."""
    return tuple(f"{name}:{alias.ip}" for alias in host_aliases for name in alias.hostnames)
