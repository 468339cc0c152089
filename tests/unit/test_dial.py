"""Reaching into a pod: what is known to route directly, and the relay for all else."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from pypod.engine import dial
from pypod.engine.dial import Relay
from pypod.errors import ConflictError
from pypod.model.wiring.requests import ContainerRequest, NetworkRequest
from pypod.testing import FakeEngine
from pypod.testing.streams import FakeExecStream

PATIENCE = 20.0
OWN = "ab" * 32
MOUNTS = f"""\
700 600 0:50 / / rw,relatime - overlay overlay rw,lowerdir=/var/lib/docker/containers
714 700 254:1 /var/lib/docker/containers/{OWN}/resolv.conf /etc/resolv.conf rw - ext4 /dev/vda1 rw
715 700 254:1 /var/lib/docker/containers/{OWN}/hostname /etc/hostname rw - ext4 /dev/vda1 rw
"""


class EchoEngine(FakeEngine):
    """Whatever is run in a container, it is `cat`, or what is said here; says what was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.commands: list[tuple[str, ...]] = []
        self.program_run: Sequence[str] = ("cat",)
        self.streams: list[FakeExecStream] = []
        self.asked = threading.Semaphore(0)

    def exec(
        self,
        container: str,
        command: Sequence[str],
        *,
        stdin: bool = False,
        user: str = "",
        working_dir: str = "",
        env: Mapping[str, str] | None = None,
    ) -> FakeExecStream:
        self.commands.append(tuple(command))
        self.streams.append(super().exec(container, self.program_run, stdin=stdin))
        self.asked.release()
        return self.streams[-1]


@pytest.fixture
def engine() -> EchoEngine:
    fake = EchoEngine()
    fake.add_image("app:1")
    fake.start_container(fake.create_container(ContainerRequest(name="pause", image="app:1", labels={})))
    return fake


@pytest.fixture
def relay(engine: EchoEngine) -> Iterator[Relay]:
    made = Relay(engine, "pause", "10.214.0.2", 80)
    yield made
    made.close()


def dialled(relay: Relay) -> socket.socket:
    return socket.create_connection(relay.address, timeout=PATIENCE)


def everything(connection: socket.socket) -> bytes:
    data = b""
    while piece := connection.recv(65536):
        data += piece
    return data


# --- the relay -------------------------------------------------------------------------------------------------------


def test_it_listens_on_loopback_only(relay: Relay) -> None:
    assert relay.address[0] == "127.0.0.1"


def test_bytes_go_in_and_come_out(engine: EchoEngine, relay: Relay) -> None:
    with dialled(relay) as connection:
        connection.sendall(b"\x00hello\n")
        connection.shutdown(socket.SHUT_WR)
        assert everything(connection) == b"\x00hello\n"
    assert engine.commands == [("/pause", "relay", "10.214.0.2", "80")]


def test_much_goes_through(relay: Relay) -> None:
    data = bytes(range(256)) * 4096
    with dialled(relay) as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        assert everything(connection) == data


def test_several_connections_at_once_are_kept_apart(engine: EchoEngine, relay: Relay) -> None:
    connections = [dialled(relay) for _ in range(3)]
    for number, connection in enumerate(connections):
        connection.sendall(b"%d" % number)
    for number, connection in enumerate(connections):
        assert connection.recv(10) == b"%d" % number
        connection.close()
    assert len(engine.commands) == 3


def test_a_port_where_nobody_answers_ends_the_connection(engine: EchoEngine, relay: Relay) -> None:
    engine.inject("exec", ConflictError("exec in container", "pause", "is not running"))
    with dialled(relay) as connection:
        assert everything(connection) == b""


def test_the_end_of_the_sandbox_ends_the_connection(engine: EchoEngine, relay: Relay) -> None:
    with dialled(relay) as connection:
        connection.sendall(b"x")
        assert connection.recv(1) == b"x"
        engine.kill_container("pause")
        assert everything(connection) == b""


def test_closing_ends_what_is_connected_and_listens_no_more(relay: Relay) -> None:
    with dialled(relay) as connection:
        connection.sendall(b"x")
        assert connection.recv(1) == b"x"
        relay.close()
        assert everything(connection) == b""
    with pytest.raises(ConnectionRefusedError):
        dialled(relay)
    relay.close()


def test_closing_ends_the_exec_of_a_server_that_hangs(engine: EchoEngine, relay: Relay) -> None:
    engine.program_run = ("sleep", "infinity")
    with dialled(relay):
        assert engine.asked.acquire(timeout=PATIENCE)
        relay.close()
        assert engine.streams[0].read(PATIENCE) is None


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, []),
        ({"check": True}, ["--check"]),
        ({"wait": 1.5}, ["--wait", "1500"]),
        ({"limit": 0.25}, ["--limit", "250"]),
        ({"limit": 0.0}, ["--limit", "1"]),
        ({"check": True, "wait": 2, "limit": 3}, ["--check", "--wait", "2000", "--limit", "3000"]),
    ],
)
def test_what_the_pause_is_told(options: dict[str, Any], words: list[str]) -> None:
    command = dial.relay_command("10.214.0.2", 80, **options)
    assert command == ["/pause", "relay", *words, "10.214.0.2", "80"]


def test_a_relay_may_have_a_limit(engine: EchoEngine) -> None:
    relay = Relay(engine, "pause", "10.214.0.2", 80, limit=2)
    with dialled(relay) as connection:
        connection.sendall(b"x")
        assert connection.recv(1) == b"x"
    relay.close()
    assert engine.commands == [("/pause", "relay", "--limit", "2000", "10.214.0.2", "80")]


# --- what routes -----------------------------------------------------------------------------------------------------


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither an interface nor a container of our own."""

    def missing(name: str) -> int:
        raise OSError(name)

    monkeypatch.setattr(socket, "if_nametoindex", missing)
    monkeypatch.setattr(dial, "own_container_id", lambda: "")


def test_the_bridge_of_that_very_network_routes(engine: EchoEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def index(name: str) -> int:
        asked.append(name)
        return 7

    monkeypatch.setattr(socket, "if_nametoindex", index)
    assert dial.routes_directly(engine, "0123456789abcdef0123")
    assert asked == ["br-0123456789ab"]


@pytest.mark.usefixtures("nowhere")
def test_nothing_else_is_guessed(engine: EchoEngine) -> None:
    assert not dial.routes_directly(engine, "0123456789abcdef")


def test_an_engine_is_asked_once_for_a_network(engine: EchoEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def routes(_: object, network: str) -> bool:
        asked.append(network)
        return network == "here"

    monkeypatch.setattr(dial, "routes_directly", routes)
    assert [dial.reaches(engine, name) for name in ("here", "there", "here", "there")] == [
        True,
        False,
        True,
        False,
    ]
    assert asked == ["here", "there"]
    assert dial.reaches(FakeEngine(), "here")
    assert asked == ["here", "there", "here"]


@pytest.mark.usefixtures("nowhere")
def test_an_own_container_on_the_network_routes(engine: EchoEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    network = engine.create_network(NetworkRequest("pypod", "10.214.0.0/20", {}))
    request = ContainerRequest(name="me", image="app:1", labels={}, network_mode=network)
    own = engine.create_container(request)
    engine.start_container(own)
    monkeypatch.setattr(dial, "own_container_id", lambda: own)
    assert dial.routes_directly(engine, network)
    assert not dial.routes_directly(engine, "another")


@pytest.mark.usefixtures("nowhere")
def test_a_container_of_another_engine_proves_nothing(
    engine: EchoEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dial, "own_container_id", lambda: OWN)
    assert not dial.routes_directly(engine, "0123456789abcdef")


@pytest.mark.parametrize(
    ("mounts", "own"),
    [
        (MOUNTS, OWN),
        ("715 700 254:1 /data/docker/containers/" + OWN + "/hosts /etc/hosts rw - ext4 /dev/sdb rw\n", OWN),
        ("25 1 254:1 / / rw - ext4 /dev/vda1 rw\n", ""),
        (f"9 1 254:1 /containers/{OWN}/hostname /mnt/hostname rw - ext4 /dev/vda1 rw\n", ""),
        ("9 1 254:1 /containers/short/hostname /etc/hostname rw - ext4 /dev/vda1 rw\n", ""),
    ],
    ids=["a container", "another root", "a host", "mounted elsewhere", "no ID"],
)
def test_the_container_that_this_process_runs_in(
    monkeypatch: pytest.MonkeyPatch, mounts: str, own: str
) -> None:
    monkeypatch.setattr(Path, "read_text", lambda path: mounts)
    assert dial.own_container_id() == own


def test_without_proc_there_is_no_own_container(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(path: Path) -> str:
        raise FileNotFoundError(path)

    monkeypatch.setattr(Path, "read_text", missing)
    assert dial.own_container_id() == ""
