"""What a pod is called, by itself and by others, and what is written of hosts in it.

Sources: pkg/kubelet/kubelet_pods.go GeneratePodHostNameAndDomain, managedHostsFileContent; pkg/kubelet/util GetNodenameForKernel.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pypod.model import naming
from pypod.model.naming import PodKey
from pypod.model.spec.containers import Container
from pypod.model.spec.network import HostAlias
from pypod.model.spec.pod import PodSpec

LONGEST_HOSTNAME = 64
"""Characters that a kernel takes."""
PATH = "/etc/hosts"
_HEAD = """\
# Kubernetes-managed hosts file.
127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::0\tip6-localnet
fe00::0\tip6-mcastprefix
fe00::1\tip6-allnodes
fe00::2\tip6-allrouters
"""
_ALIASES = "\n# Entries added by HostAliases.\n"


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


def has_file(spec: PodSpec) -> bool:
    """The pod's containers get a hosts file as a kubelet writes it, byte for byte. Where it would say no more than the engine's
    own, that one is left: it costs no time. On the network of the engine's host nobody knows what that host's file says."""
    return bool(spec.host_aliases or domain(spec)) and not spec.host_network


def file_name(sandbox: int) -> str:
    """In the volume of the termination messages; no container is called so."""
    return f"_hosts_{sandbox}"


def wants_file(spec: PodSpec, container: Container) -> bool:
    """The container has it where it mounts nothing of its own there."""
    return has_file(spec) and all(mount.mount_path.rstrip("/") != PATH for mount in container.mounts)


def file(spec: PodSpec, ip: str) -> str:
    """What is in it."""
    return managed([ip], spec.effective_hostname, domain(spec), spec.host_aliases)


def managed(ips: Iterable[str], hostname: str, domain: str, host_aliases: Sequence[HostAlias]) -> str:
    """A kubelet's hosts file."""
    names = f"{hostname}.{domain}\t{hostname}" if domain else hostname
    text = _HEAD + "".join(f"{ip}\t{names}\n" for ip in ips)
    lines = ["\t".join((alias.ip, *alias.hostnames)) + "\n" for alias in host_aliases]
    return text + _ALIASES + "".join(lines) if lines else text


def extra_hosts(host_aliases: Iterable[HostAlias]) -> tuple[str, ...]:
    """Lines of the engine's hosts file, as it takes them, ``name:address``: for whoever has no other one."""
    return tuple(f"{name}:{alias.ip}" for alias in host_aliases for name in alias.hostnames)
