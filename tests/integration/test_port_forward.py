"""Ports of this machine that lead into a pod: to a server on its loopback, past a sandbox that dies, by the command line."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator

import docker
import pytest

from pypod import Container, Pod, Probe
from tests.images import BUSYBOX
from tests.integration.conftest import eventually
from tests.integration.processes import PATIENCE, Look

pytestmark = pytest.mark.docker

CLI = [sys.executable, "-u", "-m", "pypod"]
SERVE = "mkdir -p /www; echo hello > /www/index.html; exec httpd -f -p 127.0.0.1:8080 -h /www"
CLOSED = "cannot connect to 127.0.0.1:81: connection refused"


@pytest.fixture
def pod(namespace: str) -> Iterator[Pod]:
    """Its server listens on the pod's loopback alone."""
    web = Container(
        "web",
        BUSYBOX,
        command=["sh", "-c", SERVE],
        readiness_probe=Probe.exec(["wget", "-qO-", "http://127.0.0.1:8080/"], period_seconds=1),
    )
    with Pod("web", containers=[web], namespace=namespace, termination_grace_period_seconds=0) as made:
        yield made


def page(address: tuple[str, int]) -> bytes:
    with socket.create_connection(address, timeout=PATIENCE) as connection:
        connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
        return b"".join(iter(lambda: connection.recv(4096), b"")).rpartition(b"\r\n")[2]


def test_a_server_on_the_pods_loopback_also_of_a_sandbox_that_was_made_again(
    pod: Pod, raw: docker.APIClient
) -> None:
    said: list[str] = []
    with pod.port_forward(8080) as forward, pod.port_forward(81, on_error=said.append) as closed:
        assert [page(forward.address) for _ in range(3)] == [b"hello\n"] * 3
        assert page(closed.address) == b""
        eventually(lambda: said == [CLOSED], "the reason is told")
        raw.kill(Look(raw).pause(f"_{pod.namespace}_web_"))
        pod.wait(lambda status: status.restart_count and status.conditions["Ready"].status)
        assert page(forward.address) == b"hello\n"


def test_on_the_command_line(pod: Pod) -> None:
    where = [*CLI, "port-forward", "web", "-n", pod.namespace]
    with subprocess.Popen(
        [*where, ":8080", ":81"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        try:
            assert running.stdout is not None
            assert running.stderr is not None
            ports = [_port(running.stdout.readline(), remote) for remote in (8080, 81)]
            assert page(("127.0.0.1", ports[0])) == b"hello\n"
            assert page(("127.0.0.1", ports[1])) == b""
            assert running.stderr.readline() == f"{CLOSED}\n"
            taken = subprocess.run(
                [*where, f"{ports[0]}:8080"], capture_output=True, text=True, timeout=60, check=False
            )
            assert (taken.returncode, taken.stdout) == (1, "")
            assert taken.stderr.endswith(f"cannot listen on 127.0.0.1:{ports[0]}: Address already in use\n")
            running.send_signal(signal.SIGINT)
            assert running.wait(PATIENCE) == 130
        finally:
            running.kill()


def test_on_the_command_line_it_ends_with_the_pod(pod: Pod) -> None:
    where = [*CLI, "port-forward", "web", "-n", pod.namespace, ":8080"]
    with subprocess.Popen(where, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        try:
            assert running.stdout is not None
            _port(running.stdout.readline(), 8080)
            pod.stop()
            assert running.wait(PATIENCE) == 1
            assert running.stderr is not None
            assert (
                running.stderr.read() == f"pypod: lost connection to pod {pod.namespace}/web: it has ended\n"
            )
        finally:
            running.kill()


def _port(line: str, remote: int) -> int:
    before, _, after = line.rstrip("\n").partition(" -> ")
    assert before.startswith("Forwarding from 127.0.0.1:"), line
    assert after == str(remote)
    return int(before.rpartition(":")[2])
