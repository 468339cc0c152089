"""One IP, localhost, one port space, one hostname; many pods on one flat network; names. Each with a negative control."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator

import docker
import pytest

import pypod
from pypod import Container, ContainerPort, Pod, PortConflictError
from pypod.engine.api import Engine
from tests.images import TOOLS
from tests.integration.conftest import (
    PATIENCE,
    STAY,
    HandMade,
    PodLike,
    eventually,
    everything,
    sh,
    together,
)

PORT = 8080

SERVER = """
import socket, sys
listener = socket.create_server(("", int(sys.argv[2])), backlog=64)
while True:
    connection, peer = listener.accept()
    with connection:
        connection.sendall(f"{sys.argv[1]} sees {peer[0]}".encode())
"""
CLIENT = """
import socket, sys
with socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=float(sys.argv[3])) as connection:
    print(connection.makefile().read(), end="")
"""
BIND = """
import errno, socket, sys
try:
    socket.socket().bind(("", int(sys.argv[1])))
    print("bound")
except OSError as error:
    print(errno.errorcode[error.errno])
"""

Maker = Callable[[str], HandMade]


def server(name: str, port: int = PORT) -> list[str]:
    return ["python3", "-c", SERVER, name, str(port)]


def server_pod(name: str, namespace: str, engine: Engine, *, network: str = "") -> Pod:
    containers = [
        Container("server", TOOLS, command=server(name)),
        Container("client", TOOLS, command=STAY),
    ]
    return Pod(
        name,
        containers=containers,
        namespace=namespace,
        network=network,
        engine=engine,
        termination_grace_period_seconds=1,
    )


def ask(
    pod: PodLike, address: str, port: int = PORT, *, container: str = "client", patience: float = PATIENCE
) -> str:
    """What a server answers a member; or why it does not."""
    result = pod.exec(["python3", "-c", CLIENT, address, str(port), str(patience)], container)
    return result.stdout if result.exit_code == 0 else result.stderr


def await_server(pod: PodLike, port: int = PORT) -> None:
    eventually(lambda: " sees " in ask(pod, "127.0.0.1", port, container="server"), f"{pod.name} serves")


@pytest.fixture(scope="module")
def pods(engine: Engine, module_namespace: str) -> Iterator[tuple[Pod, Pod]]:
    """Two pods whose server listens on the same port."""
    one, two = (server_pod(name, module_namespace, engine) for name in ("one", "two"))
    with together(one, two):
        for pod in (one, two):
            await_server(pod)
        yield one, two


@pytest.fixture
def apart(by_hand: Maker) -> HandMade:
    """A "pod" whose members have a network each."""
    pod = by_hand("apart")
    pod.add("server", server("apart"))
    pod.add("client", hostname="other")
    await_server(pod)
    assert pod.is_up()
    return pod


class TestClaim02OneIp:
    @staticmethod
    def check_one_ip(pod: PodLike) -> None:
        views = [sh(pod, member, "ip -o addr") for member in ("server", "client")]
        assert views[0] == views[1]
        assert f" {pod.ip}/" in views[0]

    def test_every_member_sees_the_same_interface_and_address(self, pods: tuple[Pod, Pod]) -> None:
        self.check_one_ip(pods[0])

    def test_control_separate_networks(self, apart: HandMade) -> None:
        assert "eth0" in sh(apart, "client", "ip -o addr")
        with pytest.raises(AssertionError, match="inet"):
            self.check_one_ip(apart)


class TestClaim03Localhost:
    @staticmethod
    def check_localhost(pod: PodLike) -> None:
        assert ask(pod, "127.0.0.1", container="client") == f"{pod.name} sees 127.0.0.1"

    def test_a_server_in_one_member_answers_another(self, pods: tuple[Pod, Pod]) -> None:
        self.check_localhost(pods[0])

    def test_control_separate_networks(self, apart: HandMade) -> None:
        with pytest.raises(AssertionError, match="refused"):
            self.check_localhost(apart)


class TestClaim04OnePortSpace:
    @staticmethod
    def check_second_bind_fails(pod: PodLike) -> None:
        said = pod.exec(["python3", "-c", BIND, str(PORT)], "client").stdout
        assert said == "EADDRINUSE\n"

    @staticmethod
    def check_refused(
        raw: docker.APIClient, namespace: str, first: ContainerPort, second: ContainerPort
    ) -> None:
        before = everything(raw)
        ports = {"first": first, "second": second}
        members = [Container(name, TOOLS, command=STAY, ports=[port]) for name, port in ports.items()]
        refusal = ""
        try:
            with Pod("ports", containers=members, namespace=namespace, termination_grace_period_seconds=0):
                pass
        except PortConflictError as error:
            refusal = str(error)
        assert str(first.container_port) in refusal, "not refused"
        made = [name for key, name in everything(raw).items() if key not in before and namespace in name]
        assert not made

    def test_a_second_bind_of_a_port_fails(self, pods: tuple[Pod, Pod]) -> None:
        self.check_second_bind_fails(pods[0])

    def test_control_separate_networks(self, apart: HandMade) -> None:
        with pytest.raises(AssertionError, match="bound"):
            self.check_second_bind_fails(apart)

    def test_a_port_that_two_members_declare_is_refused_before_anything_starts(
        self, raw: docker.APIClient, namespace: str
    ) -> None:
        self.check_refused(raw, namespace, ContainerPort(80), ContainerPort(80))

    def test_control_one_port_in_two_protocols(self, raw: docker.APIClient, namespace: str) -> None:
        with pytest.raises(AssertionError, match="not refused"):
            self.check_refused(raw, namespace, ContainerPort(80), ContainerPort(80, protocol="UDP"))


class TestClaim05OneHostname:
    @staticmethod
    def check_one_hostname(pod: PodLike) -> None:
        names = [sh(pod, member, "hostname").strip() for member in ("server", "client")]
        assert names == [pod.name, pod.name]

    def test_every_member_has_the_pods_hostname(self, pods: tuple[Pod, Pod]) -> None:
        self.check_one_hostname(pods[0])

    def test_one_that_is_given(self, engine: Engine, namespace: str) -> None:
        members = [Container(name, TOOLS, command=STAY) for name in ("a", "b")]
        with Pod("plain", containers=members, namespace=namespace, hostname="given", engine=engine) as pod:
            assert {sh(pod, member, "hostname").strip() for member in ("a", "b")} == {"given"}

    def test_control_a_member_with_its_own(self, by_hand: Maker) -> None:
        pod = by_hand("mixed")
        pod.add("server", hostname=pod.name)
        pod.add("client", hostname="other")
        assert sh(pod, "server", "hostname").strip() == pod.name
        with pytest.raises(AssertionError, match="other"):
            self.check_one_hostname(pod)


class TestClaim11ManyPodsOnePort:
    @staticmethod
    def check_same_port(one: PodLike, two: PodLike) -> None:
        for pod in (one, two):
            assert ask(pod, "127.0.0.1", container="server").startswith(f"{pod.name} sees")
            assert ask(pod, pod.ip, container="server").startswith(f"{pod.name} sees")

    def test_two_pods_bind_the_same_port_at_the_same_time(self, pods: tuple[Pod, Pod]) -> None:
        self.check_same_port(*pods)

    def test_control_two_pods_in_one_network_space(self, by_hand: Maker) -> None:
        one, two = by_hand("one"), by_hand("two")
        first = one.add("server", server(one.name))
        await_server(one)
        script = " ".join(('python3 -c "$0"', two.name, str(PORT), "|| exec sleep 1000"))
        two.add("server", ["sh", "-c", script, SERVER], network_mode=f"container:{first}")
        assert one.is_up()
        assert two.is_up()
        await_server(two)
        with pytest.raises(AssertionError, match=f"{one.name} sees"):
            self.check_same_port(one, two)


class TestClaim12FlatNetwork:
    @staticmethod
    def check_flat(one: PodLike, two: PodLike, port: int = PORT, *, patience: float = PATIENCE) -> None:
        """Each reaches the other by its IP, and the server sees the client's own as the source."""
        assert one.ip != two.ip
        assert ask(one, two.ip, port, patience=patience) == f"{two.name} sees {one.ip}"
        assert ask(two, one.ip, port, patience=patience) == f"{one.name} sees {two.ip}"

    def test_pods_reach_each_other_without_nat(self, pods: tuple[Pod, Pod]) -> None:
        self.check_flat(*pods)

    def test_pods_of_two_namespaces(self, pods: tuple[Pod, Pod], engine: Engine, namespace: str) -> None:
        with server_pod("three", namespace, engine) as three:
            await_server(three)
            self.check_flat(pods[0], three)

    def test_control_a_network_of_its_own(
        self,
        pods: tuple[Pod, Pod],
        engine: Engine,
        raw: docker.APIClient,
        namespace: str,
        unique: Callable[[str], str],
    ) -> None:
        network = unique("net")
        with server_pod("alone", namespace, engine, network=network) as alone:
            await_server(alone)
            with pytest.raises(AssertionError, match=r"timed out|unreachable|refused"):
                self.check_flat(pods[0], alone, patience=1)

    def test_control_reached_through_a_published_port(self, by_hand: Maker, raw: docker.APIClient) -> None:
        one, two = by_hand("one"), by_hand("two")
        client = raw.inspect_container(one.add("client"))
        gateway = client["NetworkSettings"]["Gateway"]
        port = free_port(gateway)
        two.add("server", server(two.name, port), ports=[port], port_bindings={port: (gateway, port)})
        await_server(two, port)
        answer = ask(one, gateway, port)
        assert answer.startswith(f"{two.name} sees")
        published = Published(two, gateway)
        with pytest.raises(AssertionError, match=f"sees {gateway}"):
            self.check_flat(one, published, port)


class Published:
    """A pod that is known by an address of its host."""

    def __init__(self, pod: HandMade, ip: str) -> None:
        self.ip = ip
        self.name = pod.name
        self.exec = pod.exec
        self.logs = pod.logs


def free_port(address: str) -> int:
    with socket.create_server((address, 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


class TestNames:
    @staticmethod
    def resolve(pod: Pod, name: str, times: int = 1) -> set[str]:
        """The addresses that a name had, over so many tries."""
        script = (
            f"for i in $(seq {times}); do getent ahostsv4 {name} || echo none; done | cut -d' ' -f1 | sort -u"
        )
        return set(sh(pod, "main", script).split())

    @staticmethod
    def pod(name: str, namespace: str, engine: Engine) -> Pod:
        return Pod(
            name,
            containers=[Container("main", TOOLS, command=STAY)],
            namespace=namespace,
            engine=engine,
            termination_grace_period_seconds=0,
        )

    def test_a_pod_is_found_by_name_and_at_home_first(self, engine: Engine, namespace: str) -> None:
        home, away = namespace, f"{namespace}-b"
        here, there = self.pod("web", home, engine), self.pod("web", away, engine)
        neighbour, stranger = self.pod("client", home, engine), self.pod("client", away, engine)
        with together(here, there, neighbour, stranger):
            for name in ("web", f"web.{home}", f"web.{home}.pod.cluster.local"):
                assert self.resolve(neighbour, name) == {here.ip}
            for name in (f"web.{home}", f"web.{home}.pod.cluster.local"):
                assert self.resolve(stranger, name) == {here.ip}
            assert self.resolve(neighbour, "web", 20) == {here.ip}
            assert self.resolve(stranger, "web", 20) == {there.ip}
            assert self.resolve(neighbour, "nobody") == {"none"}

    def test_own_hostname_is_the_pods_address(self, pods: tuple[Pod, Pod]) -> None:
        for pod in pods:
            assert sh(pod, "client", "getent ahostsv4 $(hostname) | cut -d' ' -f1 | sort -u").split() == [
                pod.ip
            ]

    def test_every_pod_has_an_address_of_its_own(self, pods: tuple[Pod, Pod], engine: Engine) -> None:
        found = {pod.ip for pod in pypod.list(pods[0].namespace, engine=engine)}
        assert found == {pod.ip for pod in pods}
