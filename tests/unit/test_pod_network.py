"""Names, hosts, DNS, ports and shared namespaces of a pod: what its pause and its members are asked for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pypod.engine.docker_requests import container_config
from pypod.model import naming
from pypod.model.rules import hosts
from pypod.model.spec.pod import (
    Container,
    ContainerPort,
    DNSConfig,
    DNSPolicy,
    HostAlias,
    PodSecurityContext,
    PodSpec,
    Volume,
)
from pypod.model.validation.validating import problems
from pypod.model.wiring import requests, resolving
from pypod.model.wiring.resolving import Complaint
from pypod.model.wiring.state import NetworkInfo
from tests.unit.pods import IDENTITY

VECTORS = Path(__file__).parents[1] / "vectors"
WEB = Container("web", "app:1", ports=[80])
OWN_SEARCH = ["default.pod.cluster.local", "pod.cluster.local", "default.svc.cluster.local"]


def spec(**more: Any) -> PodSpec:
    return PodSpec("shop", more.pop("containers", (WEB,)), **more)


def pause(**more: Any) -> dict[str, Any]:
    """The body of the pause's create."""
    request = requests.pause_request(
        spec(**more), IDENTITY, attempt=0, image="pause", network_id="net", ip="10.0.0.9"
    )
    config: dict[str, Any] = container_config(request)
    return config


def member(**more: Any) -> dict[str, Any]:
    whole = spec(**more)
    sandbox = requests.Sandbox("p1")
    request = requests.member_request(
        whole, whole.containers[0], IDENTITY, attempt=0, image="i", sandbox=sandbox
    )
    config: dict[str, Any] = container_config(request)
    return config


def aliases(body: dict[str, Any]) -> list[str]:
    found: list[str] = body["NetworkingConfig"]["EndpointsConfig"]["net"]["Aliases"]
    return found


# --- names -----------------------------------------------------------------------------------------------------------

NAMES = [
    # of the spec; hostname and domain of the kernel
    ({}, ("shop", None)),
    ({"hostname": "h"}, ("h", None)),
    ({"hostname": "h", "subdomain": "s"}, ("h", "s.default.svc.cluster.local")),
    ({"subdomain": "s", "namespace": "n"}, ("shop", "s.n.svc.cluster.local")),
    ({"subdomain": "s", "set_hostname_as_fqdn": True}, ("shop.s.default.svc.cluster.local", None)),
    ({"set_hostname_as_fqdn": True}, ("shop", None)),
    ({"hostname_override": "a.b.example"}, ("a.b.example", None)),
    ({"hostname_override": "a.b.example", "subdomain": "s", "hostname": "h"}, ("a.b.example", None)),
]


@pytest.mark.parametrize(("more", "names"), NAMES, ids=range(len(NAMES)))
def test_hostname_and_domain(more: dict[str, Any], names: tuple[str, str | None]) -> None:
    body = pause(**more)
    assert (body.get("Hostname"), body.get("Domainname")) == names


def test_a_long_name_is_cut_to_a_label() -> None:
    body = container_config(
        requests.pause_request(
            PodSpec("a" * 62 + ".b", (WEB,)), IDENTITY, attempt=0, image="p", network_id="n"
        )
    )
    assert body["Hostname"] == "a" * 62


@pytest.mark.parametrize(
    ("more", "host"),
    [({}, "shop"), ({"hostname": "h"}, "h"), ({"hostname": "h", "hostname_override": "x"}, "h")],
)
def test_a_subdomain_gives_the_names_that_a_headless_service_does(more: dict[str, Any], host: str) -> None:
    assert aliases(pause(subdomain="s", **more))[-3:] == [
        f"{host}.s.default",
        f"{host}.s.default.svc",
        f"{host}.s.default.svc.cluster.local",
    ]
    assert not any("svc" in alias for alias in aliases(pause(**more)))


def test_a_full_name_that_no_kernel_takes_is_refused() -> None:
    too_long = spec(hostname="h" * 40, subdomain="s", set_hostname_as_fqdn=True)
    (problem,) = problems(too_long)
    assert problem.path == "spec.setHostnameAsFQDN"
    assert problem.message.endswith("is too long (64 characters is the max, 68 characters requested)")
    assert not problems(spec(hostname="h" * 36, subdomain="s", set_hostname_as_fqdn=True))
    assert not problems(spec(hostname="h" * 40, subdomain="s"))


def test_host_aliases_are_lines_of_the_hosts_file() -> None:
    aliases = (HostAlias("1.2.3.4", ("a", "b.example")), HostAlias("fd00::1", ("a",)), HostAlias("5.6.7.8"))
    assert pause(host_aliases=aliases)["HostConfig"]["ExtraHosts"] == [
        "a:1.2.3.4",
        "b.example:1.2.3.4",
        "a:fd00::1",
    ]
    assert "ExtraHosts" not in member(host_aliases=aliases)["HostConfig"]


def load(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((VECTORS / name).read_text())["cases"]
    return found


def test_a_hosts_file_is_a_kubelets() -> None:
    cases = load("etc_hosts.json")
    assert len(cases) == 5
    for case in cases:
        given = [HostAlias(each["ip"], tuple(each["hostnames"])) for each in case["hostAliases"]]
        assert hosts.managed(case["podIPs"], case["hostname"], case["domain"], given) == case["expected"]


def test_who_gets_a_hosts_file() -> None:
    def mounted(
        container: Container = WEB, directory: str = "/host/m", **more: Any
    ) -> list[tuple[str, str, bool]]:
        whole = spec(containers=(container,), **more)
        sandbox = requests.Sandbox("p1", 3, directory)
        request = requests.member_request(whole, container, IDENTITY, attempt=0, image="i", sandbox=sandbox)
        return [(mount.source, mount.target, mount.read_only) for mount in request.mounts]

    one = (HostAlias("1.2.3.4", ("a",)),)
    here = [("/host/m/_hosts_3", "/etc/hosts", False)]
    assert mounted(host_aliases=one) == here
    assert mounted(subdomain="s") == here
    assert mounted() == []
    assert mounted(host_aliases=one, host_network=True) == []
    assert mounted(subdomain="s", hostname_override="x") == []
    own = Container("web", "app:1", mounts={"v": "/etc/hosts"})
    volumes = (Volume.host_path("v", "/srv/hosts"),)
    assert mounted(own, host_aliases=one, volumes=volumes) == [("/srv/hosts", "/etc/hosts", False)]
    names = [volume.name for volume in requests.volume_requests(spec(host_aliases=one), IDENTITY)]
    assert names == [naming.volume_name(IDENTITY.key, naming.MESSAGES)]
    assert requests.volume_requests(spec(), IDENTITY) == ()


# --- DNS -------------------------------------------------------------------------------------------------------------

FIRST, DEFAULT, NONE = DNSPolicy.CLUSTER_FIRST, DNSPolicy.DEFAULT, DNSPolicy.NONE
WITH_HOST = DNSPolicy.CLUSTER_FIRST_WITH_HOST_NET
CONFIG = DNSConfig(
    ("1.1.1.1", "9.9.9.9", "1.1.1.1"), ("a.example", "pod.cluster.local"), (("edns0", ""), ("ndots", "2"))
)
DNS = [
    # policy, configuration, host's network: servers, search list, options
    (FIRST, DNSConfig(), False, ([], OWN_SEARCH, ["ndots:1"])),
    (WITH_HOST, DNSConfig(), False, ([], OWN_SEARCH, ["ndots:1"])),
    (FIRST, CONFIG, False, (["1.1.1.1", "9.9.9.9"], [*OWN_SEARCH, "a.example"], ["edns0", "ndots:2"])),
    (DEFAULT, DNSConfig(), False, ([], [], [])),
    (
        DEFAULT,
        CONFIG,
        False,
        (["1.1.1.1", "9.9.9.9"], ["a.example", "pod.cluster.local"], ["edns0", "ndots:2"]),
    ),
    (NONE, DNSConfig(("1.1.1.1",)), False, (["1.1.1.1"], ["."], ["ndots:1"])),
    (NONE, CONFIG, False, (["1.1.1.1", "9.9.9.9"], ["a.example", "pod.cluster.local"], ["edns0", "ndots:2"])),
    (FIRST, DNSConfig(), True, ([], [], [])),
    (WITH_HOST, DNSConfig(), True, ([], [], [])),
    (DEFAULT, DNSConfig(), True, ([], [], [])),
    (FIRST, DNSConfig(options=(("ndots", "7"), ("ndots", "3"))), False, ([], OWN_SEARCH, ["ndots:3"])),
]


@pytest.mark.parametrize(("policy", "config", "on_host", "asked"), DNS, ids=range(len(DNS)))
def test_dns(
    policy: DNSPolicy, config: DNSConfig, on_host: bool, asked: tuple[list[str], list[str], list[str]]
) -> None:
    found = pause(dns_policy=policy, dns_config=config, host_network=on_host)["HostConfig"]
    assert tuple(found.get(key, []) for key in ("Dns", "DnsSearch", "DnsOptions")) == asked
    joined = member(dns_policy=policy, dns_config=config, host_network=on_host)["HostConfig"]
    assert not joined.keys() & {"Dns", "DnsSearch", "DnsOptions"}  # the engine refuses them there


def complaints(**more: Any) -> tuple[Complaint, ...]:
    return resolving.resolver(spec(**more)).complaints


def test_what_is_left_out_is_an_event() -> None:
    many = DNSConfig(searches=tuple(f"d{number}" for number in range(32)))
    found = resolving.resolver(spec(dns_config=many))
    assert list(found.searches) == [*OWN_SEARCH, *(f"d{number}" for number in range(29))]
    (complaint,) = found.complaints
    assert complaint.reason == "DNSConfigForming"
    assert complaint.message == (
        "Search Line limits were exceeded, some search paths have been omitted, the applied search line is: "
        + " ".join(found.searches)
    )
    long = DNSConfig(searches=tuple(f"{'d' * 60}.{'e' * 60}.x{number}" for number in range(16)))
    found = resolving.resolver(spec(dns_config=long))
    assert 1900 < len(" ".join(found.searches)) <= 2048
    assert found.complaints
    assert not complaints(dns_config=CONFIG)
    assert not complaints(dns_policy=WITH_HOST)
    assert [each.reason for each in complaints(dns_policy=WITH_HOST, host_network=True)] == [
        "MissingClusterDNS"
    ]


# --- the host's namespaces -------------------------------------------------------------------------------------------


def test_a_pod_on_the_hosts_network_has_nothing_of_its_own_there() -> None:
    body = pause(
        host_network=True,
        hostname="h",
        subdomain="s",
        containers=(Container("web", "app:1", ports=[ContainerPort(80, host_port=80)]),),
    )
    config = body["HostConfig"]
    assert (config["NetworkMode"], config["UTSMode"], config["IpcMode"]) == ("host", "host", "shareable")
    assert not body.keys() & {"Hostname", "Domainname", "ExposedPorts", "NetworkingConfig"}
    assert "PortBindings" not in config
    joined = member(host_network=True)["HostConfig"]
    assert (joined["NetworkMode"], joined["UTSMode"]) == ("container:p1", "host")
    assert "UTSMode" not in member()["HostConfig"]


def test_host_processes_and_ipc() -> None:
    own = {"share_process_namespace": False}
    for body in (pause(host_pid=True, **own), member(host_pid=True, **own)):
        assert body["HostConfig"]["PidMode"] == "host"
    for body in (pause(host_ipc=True), member(host_ipc=True)):
        assert body["HostConfig"]["IpcMode"] == "host"
    assert "ShmSize" not in pause(host_ipc=True)["HostConfig"]
    alone = (Container("web", "app:1", own_pid=True),)
    assert "PidMode" not in member(host_pid=True, containers=alone, **own)["HostConfig"]


def test_the_hosts_address_is_the_first_of_a_network() -> None:
    def gateway(*subnets: str) -> str:
        return NetworkInfo("n", "n", "bridge", subnets).gateway

    assert gateway("10.214.0.0/20") == "10.214.0.1"
    assert gateway("fd00::/64", "10.216.16.0/20") == "10.216.16.1"
    assert gateway() == ""


def test_sysctls_and_runtime() -> None:
    context = PodSecurityContext(sysctls=(("kernel/shm_rmid_forced", "1"), ("net.ipv4.tcp_syncookies", "0")))
    config = pause(security_context=context, runtime_class_name="runc")["HostConfig"]
    assert config["Sysctls"] == {"kernel.shm_rmid_forced": "1", "net.ipv4.tcp_syncookies": "0"}
    joined = member(security_context=context, runtime_class_name="runc")["HostConfig"]
    assert "Sysctls" not in joined
    assert (config["Runtime"], joined["Runtime"]) == ("runc", "runc")


# --- ports -----------------------------------------------------------------------------------------------------------


def test_ports_are_published_with_address_and_protocol() -> None:
    web = Container(
        "web",
        "app:1",
        ports=[
            ContainerPort(80, host_port=8080, host_ip="127.0.0.1"),
            ContainerPort(53, host_port=5353, protocol="UDP", name="dns"),
            ContainerPort(36412, host_port=36412, protocol="SCTP"),
            ContainerPort(81),
        ],
    )
    body = pause(containers=(web,))
    assert list(body["ExposedPorts"]) == ["80/tcp", "53/udp", "36412/sctp", "81/tcp"]
    assert body["HostConfig"]["PortBindings"] == {
        "80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8080"}],
        "53/udp": [{"HostIp": "", "HostPort": "5353"}],
        "36412/sctp": [{"HostIp": "", "HostPort": "36412"}],
    }
