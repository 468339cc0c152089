"""Ports of this machine that lead to ports of a pod."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Mapping, Sequence

import pytest

import pypod
from pypod import Container, ContainerPort, Pod, PodNotRunningError, PortForwardError
from pypod.cli import forward as command
from pypod.cli.common import UsageError
from pypod.testing import FakeEngine
from pypod.testing.streams import FakeExecStream

PATIENCE = 20.0


class RelayingEngine(FakeEngine):
    """Its relays are `cat`, or what is said here."""

    def __init__(self) -> None:
        super().__init__()
        self.add_image("app:1")
        self.relays: list[tuple[str, tuple[str, ...]]] = []
        self.relay: Sequence[str] = ("cat",)

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
        self.relays.append((container, tuple(command)))
        return super().exec(container, self.relay, stdin=stdin)


@pytest.fixture
def engine() -> RelayingEngine:
    return RelayingEngine()


@pytest.fixture
def pod(engine: RelayingEngine) -> Iterator[Pod]:
    web = Container("web", "app:1", ports=[ContainerPort(8080, name="http")])
    with Pod("web", containers=[web], engine=engine, termination_grace_period_seconds=0) as made:
        yield made


def answer(forward: pypod.PortForward) -> bytes:
    with socket.create_connection(forward.address, timeout=PATIENCE) as connection:
        connection.sendall(b"hello")
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(100), b""))


@pytest.mark.parametrize("port", [8080, "http"])
def test_a_connection_is_passed_on_into_the_pod(engine: RelayingEngine, pod: Pod, port: int | str) -> None:
    with pod.port_forward(port) as forward:
        assert answer(forward) == b"hello"
        assert repr(forward) == f"<PortForward 127.0.0.1:{forward.port} -> 8080>"
    assert [words for _, words in engine.relays] == [("/pause", "relay", "127.0.0.1", "8080")]
    with pytest.raises(ConnectionRefusedError):
        answer(forward)
    forward.close()


def test_it_ends_with_its_pod(pod: Pod) -> None:
    forward = pod.port_forward(8080)
    pod.stop()
    with pytest.raises(ConnectionRefusedError):
        answer(forward)


def test_a_sandbox_that_is_made_again_is_followed(engine: RelayingEngine, pod: Pod) -> None:
    with pod.port_forward(8080) as forward:
        assert answer(forward) == b"hello"
        (first, _) = engine.relays[0]
        engine.kill_container(first)
        pod.wait(
            lambda status: status.restart_count == 1 and status.conditions["Ready"].status, timeout=PATIENCE
        )
        assert answer(forward) == b"hello"
        assert engine.relays[-1][0] != first


def test_why_a_connection_did_not_get_through_is_told(engine: RelayingEngine, pod: Pod) -> None:
    engine.relay = ("sh", "-c", "echo 'cannot connect to 127.0.0.1:8080: connection refused' >&2; exit 1")
    said: list[str] = []
    heard = threading.Event()

    def hear(text: str) -> None:
        said.append(text)
        heard.set()

    with pod.port_forward(8080, on_error=hear) as forward:
        assert answer(forward) == b""
        assert heard.wait(PATIENCE)
    assert said == ["cannot connect to 127.0.0.1:8080: connection refused"]


@pytest.mark.parametrize("port", [0, 65536, -1, "https", ""])
def test_a_port_that_there_is_not(pod: Pod, port: int | str) -> None:
    with pytest.raises(PortForwardError) as raised:
        pod.port_forward(port)
    assert str(raised.value) == (
        f"cannot forward to port {port!r} of pod 'default/web': "
        "a number from 1 to 65535 or the name of a port of the pod (it has http) is expected"
    )
    assert raised.value.pod == "default/web"


def test_a_local_port_that_is_taken(pod: Pod) -> None:
    with pod.port_forward(8080) as first, pytest.raises(PortForwardError) as raised:
        pod.port_forward(8080, first.port)
    assert str(raised.value) == (
        f"cannot forward to port 8080 of pod 'default/web': cannot listen on 127.0.0.1:{first.port}: "
        "Address already in use"
    )


def test_a_local_port_that_is_none(pod: Pod) -> None:
    with pytest.raises(
        PortForwardError, match="cannot listen on port 65536: a number from 0 to 65535 is expected"
    ):
        pod.port_forward(8080, 65536)


def test_of_a_pod_that_is_not_there(engine: RelayingEngine, pod: Pod) -> None:
    pod.stop()
    with pytest.raises(PodNotRunningError):
        pod.port_forward(8080)
    with pytest.raises(PodNotRunningError, match="it was not started"):
        Pod("none", containers=[Container("web", "app:1")], engine=engine).port_forward(80)


@pytest.mark.parametrize(
    ("word", "pair"),
    [
        ("8080:80", (8080, 80)),
        ("80", (80, 80)),
        (":80", (0, 80)),
        ("8080:http", (8080, "http")),
        ("http", (0, "http")),
    ],
)
def test_what_the_command_line_takes(word: str, pair: tuple[int, int | str]) -> None:
    assert command.pair(word) == pair


@pytest.mark.parametrize("word", ["", ":", "8080:", "here:80"])
def test_what_it_does_not_take(word: str) -> None:
    with pytest.raises(UsageError, match="port-forward takes PORT, LOCAL:REMOTE or :REMOTE; "):
        command.pair(word)
