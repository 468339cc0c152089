"""Pods on networks of others, beside their own: names both ways, addresses, ports, and what is left of them."""

from __future__ import annotations

import contextlib
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import docker
import pytest

from pypod import Container, ContainerPort, Pod, PodStartError, Probe
from tests.images import BUSYBOX, TOOLS
from tests.integration.conftest import STAY, HandMade, eventually
from tests.integration.test_security_host import free_port

pytestmark = pytest.mark.docker

SERVE = ("sh", "-c", "mkdir /www; hostname > /www/name; exec httpd -f -p 8080 -h /www")
SERVE_TOO = ("sh", "-c", "mkdir /www; hostname > /www/name; exec python3 -m http.server -d /www 8080")
FETCH = "import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1], timeout=5).read().decode())"
CHOOSES_GATEWAY = (1, 48)
"""The API version from which on an engine is told which network has the default route."""


@pytest.fixture
def network(raw: docker.APIClient, unique: Callable[[str], str]) -> Iterator[Callable[[str], str]]:
    """Makes networks as somebody else would; answers their names."""
    with contextlib.ExitStack() as stack:

        def make(prefix: str) -> str:
            name = f"{prefix}{unique('net')}"
            identity = raw.create_network(name, driver="bridge")["Id"]

            def remove() -> None:
                with contextlib.suppress(docker.errors.NotFound):
                    raw.remove_network(identity)

            stack.callback(remove)
            return name

        yield make


def neighbour(by_hand: Callable[[str], HandMade], network: str) -> HandMade:
    """A container that knows nothing of pods, called ``db`` on the network."""
    made = by_hand("db")
    made.add("one", SERVE_TOO, hostname="db", network_mode=network)
    return made


def web(namespace: str, *networks: str, **more: Any) -> Pod:
    serving = Container(
        "web", BUSYBOX, command=SERVE, readiness_probe=Probe.http_get("/name", port=8080), **more
    )
    members = (serving, Container("side", TOOLS, command=STAY))
    return Pod(
        "web",
        containers=members,
        namespace=namespace,
        extra_networks=networks,
        termination_grace_period_seconds=0,
    )


def fetched(pod: Pod | HandMade, url: str, container: str) -> str:
    answer = pod.exec(["python3", "-c", FETCH, url], container)
    assert answer.exit_code == 0, answer.stderr
    return answer.stdout.strip()


def test_it_reaches_others_by_name_and_they_reach_it(
    raw: docker.APIClient, network: Callable[[str], str], by_hand: Callable[[str], HandMade], namespace: str
) -> None:
    name = network("")
    other = neighbour(by_hand, name)
    with web(namespace, name) as pod:
        eventually(
            lambda: other.exec(["python3", "-c", FETCH, "http://127.0.0.1:8080/name"]).exit_code == 0,
            "the neighbour serves",
        )
        assert fetched(pod, "http://db:8080/name", "side") == "db"
        for spelled in ("web", f"web.{namespace}", f"web.{namespace}.pod.cluster.local"):
            assert fetched(other, f"http://{spelled}:8080/name", "one") == "web"
        endpoints = raw.inspect_network(name)["Containers"].values()
        told = {each["IPv4Address"].partition("/")[0] for each in endpoints}
        assert set(pod.status.extra_ips) == {name}
        assert pod.status.extra_ips[name] in told
        assert pod.ip not in told
        hosts = pod.exec(["cat", "/etc/hosts"], "side").stdout.split()
        assert hosts.index(pod.ip) < hosts.index(pod.status.extra_ips[name]), (
            "its hostname is its own address"
        )
        assert pod.ip in pod.exec(["ip", "addr", "show", "eth0"], "side").stdout
    assert raw.networks(names=[name]), "its end leaves the network"


def test_a_network_that_is_not_there_fails_before_anything_is_made(
    raw: docker.APIClient, network: Callable[[str], str], namespace: str
) -> None:
    name = network("")
    with pytest.raises(PodStartError, match=f"no network 'x{name}'.*'{name}'") as caught:
        web(namespace, f"x{name}").start()
    assert caught.value.reason == "NetworkNotFound"
    assert not raw.containers(all=True, filters={"label": f"io.pypod.namespace={namespace}"})


def test_the_default_route_and_published_ports(
    raw: docker.APIClient, network: Callable[[str], str], namespace: str
) -> None:
    """Engines before API 1.48 give the default route to the network whose name comes first, and publish ports there."""
    name, number = network("aa-"), free_port()
    with web(namespace, name, ports=[ContainerPort(8080, host_port=number, host_ip="127.0.0.1")]) as pod:
        default = pod.exec(["ip", "route", "show", "default"]).stdout.split()
        version = tuple(int(part) for part in raw.version()["ApiVersion"].split("."))
        assert default[default.index("dev") + 1] == ("eth0" if version >= CHOOSES_GATEWAY else "eth1")
        with urllib.request.urlopen(f"http://127.0.0.1:{number}/name", timeout=5) as answer:
            assert answer.read() == b"web\n"
        host, port = pod.address(8080)
        with urllib.request.urlopen(f"http://{host}:{port}/name", timeout=5) as answer:
            assert answer.read() == b"web\n"


def test_it_lives_on_without_it_and_a_new_sandbox_joins_again(
    raw: docker.APIClient, network: Callable[[str], str], namespace: str
) -> None:
    name = network("")
    pause = f"pypod_{namespace}_web_pause_"
    with web(namespace, name) as pod:
        own, there = pod.ip, pod.status.extra_ips
        with pytest.raises(docker.errors.APIError, match="active endpoints"):
            raw.remove_network(name)
        raw.disconnect_container_from_network(f"{pause}0", name, force=True)
        status = pod.refresh()
        assert (status.pod_ip, dict(status.extra_ips), status.ready_count) == (own, {}, 2)
        raw.kill(f"{pause}0")
        eventually(lambda: pod.refresh().extra_ips == there, "it is on the network again", timeout=30)
        eventually(lambda: pod.refresh().ready_count == 2, "it is whole again", timeout=30)
        assert pod.ip == own
        assert raw.inspect_container(f"{pause}1")["State"]["Running"]
