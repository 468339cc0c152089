"""Pods in namespaces of the engine's host, and ports of that host."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

import pytest

from pypod import Container, Phase, Pod, PodStartError, PodTimeoutError, Probe
from pypod.model.spec.pod import ContainerPort, DNSPolicy, HostAlias, PodSpec
from tests.images import BUSYBOX, TOOLS
from tests.integration.conftest import STAY, eventually

pytestmark = pytest.mark.docker


def free_port(kind: int = socket.SOCK_STREAM) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        number: int = probe.getsockname()[1]
        return number


def serving(name: str, port: int, *, only: str = "", **more: Any) -> Container:
    """An HTTP server that says its name."""
    where = f"{only}:{port}" if only else str(port)
    script = f"mkdir /www && echo {name} > /www/index.html && exec httpd -f -p {where} -h /www"
    return Container(name, BUSYBOX, command=["sh", "-c", script], **more)


def pod_of(namespace: str, *containers: Container, name: str = "web", **more: Any) -> Pod:
    spec = PodSpec(name, containers, namespace=namespace, termination_grace_period_seconds=0, **more)
    return Pod.from_spec(spec)


def fetched(host: str, port: int) -> str:
    """What it serves; or why it does not."""
    data = b""
    try:
        with socket.create_connection((host, port), timeout=30) as connection:
            connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
            while piece := connection.recv(4096):
                data += piece
    except OSError as error:
        return str(error)
    return data.decode().rpartition("\r\n\r\n")[2].strip()


# --- the host's namespaces -------------------------------------------------------------------------------------------


def test_the_hosts_network(namespace: str) -> None:
    port = free_port()
    ready = Probe.http_get("/", port=port)
    server = serving("on-host", port, readiness_probe=ready, ports=[port])
    beside = Container("beside", BUSYBOX, command=STAY)
    with (
        pod_of(
            namespace,
            server,
            beside,
            host_network=True,
            host_aliases=(HostAlias("10.9.8.7", ("elsewhere",)),),
            dns_policy=DNSPolicy.CLUSTER_FIRST_WITH_HOST_NET,
        ) as pod,
        pod_of(namespace, Container("a", BUSYBOX, command=STAY), name="other") as other,
    ):
        assert pod.refresh().phase is Phase.RUNNING
        assert pod.status.ready_count == 2
        assert pod.ip == f"{other.ip.rpartition('.')[0]}.1"
        # from here, from the pod itself, and from a pod on the bridge
        assert fetched(*pod.address(port)) == "on-host"
        assert fetched("127.0.0.1", port) == "on-host"
        assert pod.exec(["wget", "-qO-", f"http://127.0.0.1:{port}/"], "beside").stdout.strip() == "on-host"
        assert other.exec(["wget", "-qO-", f"http://{pod.ip}:{port}/"]).stdout.strip() == "on-host"
        assert pod.exec(["hostname"]).stdout.strip() == socket.gethostname()
        assert "elsewhere" in pod.exec(["cat", "/etc/hosts"], "beside").stdout
        assert "127.0.0.11" not in pod.exec(["cat", "/etc/resolv.conf"]).stdout
        warnings = [event.reason for event in pod.events if event.type == "Warning"]
        # The server may not have been there for the first try of its probe.
        assert [each for each in warnings if each != "Unhealthy"] == ["MissingClusterDNS"]


def test_through_the_relay_too(namespace: str) -> None:
    port = free_port()
    spec = PodSpec("web", (serving("on-host", port),), namespace=namespace, host_network=True)
    pod = Pod.from_spec(spec)
    pod._reach = "relay"
    with pod:
        host, number = pod.address(port)
        assert (host, number) != (pod.ip, port)
        eventually(lambda: fetched(host, number) == "on-host", "the relay reaches the server")


def test_a_server_on_loopback_alone_is_not_ready(namespace: str) -> None:
    """As on a node: a probe dials the pod's address, which is the host's."""
    port = free_port()
    probe = Probe.tcp_socket(port, failure_threshold=1, period_seconds=0.3)
    hidden = serving("hidden", port, only="127.0.0.1", readiness_probe=probe)
    for seconds in (2, 8, 30):  # on a busy machine the time may be up before a try
        with pytest.raises(PodTimeoutError) as caught:
            pod_of(namespace, hidden, host_network=True).start(timeout=seconds)
        if "refused" in str(caught.value):
            break
    caught.match(rf"dial tcp 10\..*:{port}: connect: connection refused")


def test_a_new_sandbox_on_the_hosts_network(namespace: str, raw: Any) -> None:
    port = free_port()
    with pod_of(namespace, serving("on-host", port), host_network=True) as pod:
        (pause,) = raw.containers(filters={"name": f"pypod_{namespace}_web_pause_"})
        raw.kill(pause["Id"])
        eventually(lambda: pod.refresh().container("on-host").restart_count == 1, "it is made again")
        eventually(lambda: pod.refresh().ready_count == 1, "it is ready again")
        eventually(lambda: fetched(pod.ip, port) == "on-host", "it serves again")


def test_the_hosts_processes(namespace: str) -> None:
    with pod_of(
        namespace, Container("a", BUSYBOX, command=STAY), host_pid=True, share_process_namespace=False
    ) as pod:
        ours = Path(f"/proc/{os.getpid()}/cmdline").read_bytes()
        seen = pod.exec(["cat", f"/proc/{os.getpid()}/cmdline"]).stdout.encode()
        assert seen == ours
    with pod_of(namespace, Container("a", BUSYBOX, command=STAY), name="alone") as pod:
        assert pod.exec(["ls", "-d", "/proc/2"]).exit_code != 0 or os.getpid() != 2


def test_the_hosts_ipc(namespace: str) -> None:
    own = os.readlink("/proc/self/ns/ipc")
    with pod_of(namespace, Container("a", BUSYBOX, command=STAY), host_ipc=True) as pod:
        assert pod.exec(["readlink", "/proc/self/ns/ipc"]).stdout.strip() == own
    with pod_of(namespace, Container("a", BUSYBOX, command=STAY), name="own") as pod:
        assert pod.exec(["readlink", "/proc/self/ns/ipc"]).stdout.strip() != own


# --- ports of the host -----------------------------------------------------------------------------------------------


def test_one_port_on_two_addresses_and_protocols(namespace: str) -> None:
    number = free_port()
    first = serving("first", 80, ports=[ContainerPort(80, host_port=number, host_ip="127.0.0.1")])
    second = serving(
        "second",
        80,
        ports=[
            ContainerPort(80, host_port=number, host_ip="127.0.0.2"),
            ContainerPort(53, host_port=number, host_ip="127.0.0.1", protocol="UDP", name="dns"),
        ],
    )
    with pod_of(namespace, first, name="one"), pod_of(namespace, second, name="two"):
        eventually(lambda: fetched("127.0.0.1", number) == "first", "the first is served")
        eventually(lambda: fetched("127.0.0.2", number) == "second", "the second is served")


ECHO = """
import socket
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
    server.bind(("0.0.0.0", 5353))
    while True:
        server.sendto(*server.recvfrom(100))
"""


def test_udp_comes_through(namespace: str) -> None:
    number = free_port(socket.SOCK_DGRAM)
    echo = Container(
        "echo",
        TOOLS,
        command=["python3", "-c", ECHO],
        ports=[ContainerPort(5353, host_port=number, host_ip="127.0.0.1", protocol="UDP")],
    )
    with pod_of(namespace, echo), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(1)

        def answers() -> bool:
            client.sendto(b"hello", ("127.0.0.1", number))
            try:
                return client.recv(100) == b"hello"
            except OSError:
                return False

        eventually(answers, "the datagram comes back")


def test_a_port_that_is_taken_is_named(namespace: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = taken.getsockname()[1]
        port = ContainerPort(80, host_port=number, host_ip="127.0.0.1")
        with pytest.raises(
            PodStartError, match=rf"cannot be made: .*127\.0\.0\.1:{number}.* in use"
        ) as caught:
            pod_of(namespace, serving("web", 80, ports=[port])).start()
        assert caught.value.reason == "CreatePodSandboxError"


def test_two_pods_want_one_port(namespace: str) -> None:
    port = ContainerPort(80, host_port=free_port(), host_ip="127.0.0.1")
    with pod_of(namespace, serving("web", 80, ports=[port]), name="one"):
        second = pod_of(namespace, serving("web", 80, ports=[port]), name="two")
        with pytest.raises(PodStartError, match=f"{port.host_port}.*already allocated"):
            second.start()
