"""What a pod is called, what it calls others, and whom it asks: hosts files, ``resolv.conf``, lookups from other pods."""

from __future__ import annotations

from typing import Any

import pytest

from pypod import Container, Pod
from pypod.model.spec.pod import DNSConfig, DNSPolicy, HostAlias, PodSpec
from tests.images import BUSYBOX
from tests.integration.conftest import STAY

pytestmark = pytest.mark.docker


def pod_of(namespace: str, name: str = "web", **more: Any) -> Pod:
    containers = (Container("a", BUSYBOX, command=STAY), Container("b", BUSYBOX, command=STAY))
    spec = PodSpec(name, containers, namespace=namespace, termination_grace_period_seconds=0, **more)
    return Pod.from_spec(spec)


def said(pod: Pod, *command: str, container: str = "b") -> str:
    return pod.exec(list(command), container, check=True).stdout.strip()


def resolv_conf(pod: Pod) -> dict[str, list[str]]:
    lines = [line.split() for line in said(pod, "cat", "/etc/resolv.conf").splitlines() if line]
    return {words[0]: words[1:] for words in lines}


def address_of(pod: Pod, name: str) -> str:
    """As a program of the pod finds it: by the search list, and the hosts file."""
    words = said(pod, "ping", "-c1", "-W10", name)
    return words.partition("(")[2].partition(")")[0]


def test_a_subdomain(namespace: str) -> None:
    full = f"h1.sub.{namespace}.svc.cluster.local"
    with (
        pod_of(namespace, "one", hostname="h1", subdomain="sub") as one,
        pod_of(namespace, "two") as two,
        pod_of(f"{namespace}-x", "three") as three,
    ):
        assert said(one, "hostname") == "h1"
        assert said(one, "hostname", "-f") == full
        assert said(one, "hostname", "-d") == full.partition(".")[2]
        assert f"{one.ip}\t{full}\th1" in said(one, "cat", "/etc/hosts")
        for name in (full, f"h1.sub.{namespace}.svc", f"h1.sub.{namespace}", "h1.sub"):
            assert address_of(two, name) == one.ip, name
        assert one.ip in said(two, "nslookup", full)
        assert address_of(three, f"h1.sub.{namespace}") == one.ip
        assert three.exec(["ping", "-c1", "-W1", "h1.sub"], "a").exit_code != 0


def test_the_whole_name_as_hostname(namespace: str) -> None:
    with pod_of(namespace, hostname="h1", subdomain="s", set_hostname_as_fqdn=True) as pod:
        for container in ("a", "b"):
            assert said(pod, "hostname", container=container) == f"h1.s.{namespace}.svc.cluster.local"
        assert said(pod, "hostname", "-f") == f"h1.s.{namespace}.svc.cluster.local"


def test_another_name_altogether(namespace: str) -> None:
    with pod_of(namespace, hostname="h1", hostname_override="db.example.org") as pod:
        assert said(pod, "hostname") == "db.example.org"
        assert address_of(pod, f"web.{namespace}") == pod.ip


def test_host_aliases(namespace: str) -> None:
    aliases = (HostAlias("127.0.0.1", ("foo.local", "bar.local")), HostAlias("10.1.2.3", ("foo.remote",)))
    with pod_of(namespace, host_aliases=aliases) as pod:
        for container in ("a", "b"):
            assert said(pod, "cat", "/etc/hosts", container=container) == HOSTS.format(ip=pod.ip)
            assert said(pod, "stat", "-c", "%a %u %g", "/etc/hosts", container=container) == "644 0 0"
        assert pod.exec(["sh", "-c", "echo '# mine' >> /etc/hosts"], "a").exit_code == 0
        assert said(pod, "tail", "-1", "/etc/hosts") == "# mine"
        assert address_of(pod, "bar.local") == "127.0.0.1"
        name = pod.debug(BUSYBOX)
        found = {tuple(line.split()) for line in said(pod, "cat", "/etc/hosts", container=name).splitlines()}
        assert {("127.0.0.1", "foo.local"), ("127.0.0.1", "bar.local"), ("10.1.2.3", "foo.remote")} <= found


HOSTS = """\
# Kubernetes-managed hosts file.
127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::0\tip6-localnet
fe00::0\tip6-mcastprefix
fe00::1\tip6-allnodes
fe00::2\tip6-allrouters
{ip}\tweb

# Entries added by HostAliases.
127.0.0.1\tfoo.local\tbar.local
10.1.2.3\tfoo.remote"""


def test_dns_beside_the_pods_own(namespace: str) -> None:
    config = DNSConfig(searches=("my.example", "pod.cluster.local"), options=(("ndots", "2"), ("edns0", "")))
    with pod_of(namespace, dns_config=config) as pod, pod_of(namespace, "peer") as peer:
        assert resolv_conf(pod) == {
            "nameserver": ["127.0.0.11"],
            "search": [
                f"{namespace}.pod.cluster.local",
                "pod.cluster.local",
                f"{namespace}.svc.cluster.local",
                "my.example",
            ],
            "options": ["ndots:2", "edns0"],
        }
        assert address_of(pod, "peer") == peer.ip


def test_dns_of_ones_own_alone(namespace: str) -> None:
    config = DNSConfig(nameservers=("192.0.2.1",), searches=("my.example",))
    with pod_of(namespace, dns_policy=DNSPolicy.NONE, dns_config=config) as pod:
        assert resolv_conf(pod) == {
            "nameserver": ["127.0.0.11"],
            "search": ["my.example"],
            "options": ["ndots:1"],
        }


def test_none_has_no_search_list_of_the_host(namespace: str) -> None:
    config = DNSConfig(nameservers=("192.0.2.1",))
    with pod_of(namespace, dns_policy=DNSPolicy.NONE, dns_config=config) as pod:
        assert "search" not in resolv_conf(pod)


def test_dns_of_the_host(namespace: str) -> None:
    with pod_of(namespace, dns_policy=DNSPolicy.DEFAULT) as pod:
        assert not any("cluster.local" in word for word in resolv_conf(pod).get("search", ()))


def test_what_is_left_out_is_told(namespace: str) -> None:
    many = DNSConfig(searches=tuple(f"d{number}" for number in range(32)))
    with pod_of(namespace, dns_config=many) as pod:
        assert len(resolv_conf(pod)["search"]) == 32
        assert [event.reason for event in pod.events if event.type == "Warning"] == ["DNSConfigForming"]
