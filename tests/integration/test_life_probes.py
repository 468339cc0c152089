"""Probes on the real engine: they find servers that come up, fail and come back, and what their failure leads to."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, Literal

import docker
import pytest

from pypod import Container, ContainerPort, Phase, Pod, PodTimeoutError, Probe, Volume
from pypod.model.life.status import Running, Terminated
from tests.contract.harness import seconds
from tests.images import BUSYBOX, TOOLS
from tests.integration.conftest import STAY, eventually
from tests.integration.hearing import Heard, coming, events, shell
from tests.integration.processes import Look, stays

pytestmark = pytest.mark.docker

Reach = Literal["direct", "relay"]
LONG = 10.0
"""Seconds that a try may take which is not to fail by its time."""
both_ways = pytest.mark.parametrize("reach", ["direct", "relay"])

WHEN_TOLD = "until [ -e /go ]; do sleep 0.05; done; "
"""As a shell's first words: what follows waits for the file."""


@pytest.fixture
def look(raw: docker.APIClient) -> Look:
    return Look(raw)


@pytest.fixture
def heard(raw: docker.APIClient, namespace: str) -> Iterator[Heard]:
    with Heard(raw, namespace) as found:
        yield found


def _pod(namespace: str, *containers: Container, **more: Any) -> Pod:
    return Pod(
        "life",
        containers=containers,
        namespace=namespace,
        **{"termination_grace_period_seconds": 0, **more},
    )


def _ready(pod: Pod) -> set[str]:
    return {status.name for status in pod.refresh().container_statuses if status.ready}


def _runs(pod: Pod, *names: str) -> Callable[[], bool]:
    def run() -> bool:
        statuses = pod.refresh().container_statuses
        return {status.name for status in statuses if isinstance(status.state, Running)} == {*names}

    return run


def _touch(pod: Pod, container: str, path: str) -> None:
    """Where the container ends by it, the engine may forget how the command ended, which then counts as killed."""
    assert pod.exec(["touch", path], container).exit_code in (0, 137)


# --- readiness -------------------------------------------------------------------------------------------------------


@both_ways
def test_each_container_is_ready_when_its_own_probe_says_so(
    namespace: str, heard: Heard, reach: Reach
) -> None:
    """No tool of the image is needed for it; each way in is the one that was asked for."""
    web = shell(
        "web",
        WHEN_TOLD + "exec httpd -f -p 8080 -h /",
        ports=[ContainerPort(8080, name="http")],
        readiness_probe=Probe.http_get("/go", port="http"),
    )
    raw_tcp = shell("tcp", WHEN_TOLD + "exec httpd -f -p 9090 -h /", readiness_probe=Probe.tcp_socket(9090))
    command = Container("command", BUSYBOX, command=STAY, readiness_probe=Probe.exec(["test", "-e", "/go"]))
    with coming(_pod(namespace, web, raw_tcp, command, reach=reach)) as pod:
        eventually(_runs(pod, "web", "tcp", "command"), "all containers run")
        stays(lambda: _ready(pod) == set(), 0.4)
        unready = pod.status.conditions["Ready"]
        assert (unready.status, unready.reason) == (False, "ContainersNotReady")
        assert unready.message == "containers with unready status: [web tcp command]"
        opened: set[str] = set()
        for name in ("tcp", "command", "web"):
            _touch(pod, name, "/go")
            opened.add(name)
            eventually(lambda: _ready(pod) == opened, f"{opened} are ready")
        assert pod.status.conditions["Ready"].status
        assert pod.status.restart_count == 0
        relayed = heard.all("exec_create: /pause relay", "pause")
        assert bool(relayed) is (reach == "relay"), f"{len(relayed)} relays were run, reach is {reach}"


@both_ways
def test_a_server_on_the_loopback_address_alone_is_not_ready(namespace: str, reach: Reach) -> None:
    serve = "exec httpd -f -p 127.0.0.1:8080 -h /"
    probes = {"web": Probe.http_get("/etc/passwd", port=8080), "side": Probe.tcp_socket(8080)}
    web = shell("web", serve, readiness_probe=probes["web"])
    side = Container("side", BUSYBOX, command=STAY, readiness_probe=probes["side"])
    with coming(_pod(namespace, web, side, reach=reach)) as pod:
        eventually(_runs(pod, "web", "side"), "both run")
        asked = ["wget", "-qO-", "http://127.0.0.1:8080/etc/passwd"]
        eventually(lambda: pod.exec(asked, "side").exit_code == 0, "it serves on the loopback address")
        stays(lambda: _ready(pod) == set(), 0.5)


def test_a_start_that_times_out_tells_what_the_probe_saw(namespace: str) -> None:
    web = shell("web", "exec httpd -f -p 127.0.0.1:8080 -h /", readiness_probe=Probe.http_get(port=8080))
    good = Container("good", BUSYBOX, command=STAY)
    for limit in (2, 8, 30):  # on a busy machine the time may be up before a try
        with pytest.raises(
            PodTimeoutError, match=rf"^cannot start pod '[^']*' in {limit} s: .*web"
        ) as caught:
            _pod(namespace, web, good).start(timeout=limit)
        first = str(caught.value).partition("\n")[0]
        if "refused" in first:
            break
    assert "not ready" in first
    assert re.search(r"dial tcp [0-9.]+:8080: connect: connection refused", first), first


SERVER = """\
import http.server, os, time
time.sleep(0.7)
open("/opened", "w").close()
http.server.HTTPServer(("", 8080), http.server.SimpleHTTPRequestHandler).serve_forever()
"""


def test_with_returns_when_the_pod_is_ready_and_not_before(namespace: str) -> None:
    server = Container(
        "web",
        TOOLS,
        command=["python3", "-c", SERVER],
        ports=[8080],
        readiness_probe=Probe.http_get("/etc/hostname", port=8080, period_seconds=30),
    )
    with _pod(namespace, server) as pod:
        pod.exec(["test", "-e", "/opened"], "web", check=True)
        assert pod.status.conditions["Ready"].status
        assert pod.status.container("web").ready


def test_a_pod_that_was_started_without_waiting_can_be_waited_for(namespace: str) -> None:
    """Also when nothing of it is on the engine yet."""
    web = Container("web", BUSYBOX, command=STAY, readiness_probe=Probe.exec(["true"]))
    with coming(_pod(namespace, web)) as pod:
        assert pod.wait("Ready", timeout=60).container("web").ready


def test_readiness_comes_and_goes_and_restarts_nothing(namespace: str) -> None:
    probe = Probe.http_get("/ok", port=8080, period_seconds=0.2, failure_threshold=2, timeout_seconds=LONG)
    web = shell("web", "touch /ok; exec httpd -f -p 8080 -h /", readiness_probe=probe)
    with _pod(namespace, web, Container("other", BUSYBOX, command=STAY)) as pod:
        first = pod.refresh().container("web").container_id
        for _ in range(2):
            assert _ready(pod) == {"web", "other"}
            pod.exec(["rm", "/ok"], "web", check=True)
            eventually(lambda: _ready(pod) == {"other"}, "it is not ready")
            assert not pod.status.conditions["Ready"].status
            assert pod.status.conditions["Ready"].message == "containers with unready status: [web]"
            assert pod.status.phase is Phase.RUNNING
            _touch(pod, "web", "/ok")
            eventually(lambda: _ready(pod) == {"web", "other"}, "it is ready again")
        assert pod.status.conditions["Ready"].status
        assert pod.status.restart_count == 0
        assert pod.status.container("web").container_id == first
        unhealthy = events(pod, "Unhealthy", "web")
        words = "Readiness probe failed: HTTP probe failed with statuscode: 404"
        if "connection refused" in unhealthy[0].message:  # the first tries came before the server
            del unhealthy[0]
        assert [(event.type, event.message) for event in unhealthy] == [("Warning", words)]
        assert unhealthy[0].count >= 3


def test_the_initial_delay_is_kept(namespace: str, look: Look) -> None:
    probe = Probe.exec(["true"], initial_delay_seconds=1.2, timeout_seconds=LONG)
    with _pod(namespace, Container("web", BUSYBOX, command=STAY, readiness_probe=probe)) as pod:
        passed = pod.history.record("web", 0).probes["readiness"]
        started = look.state(pod.refresh().container("web").container_id)["StartedAt"]
        assert 1.2 <= passed.at - seconds(started) < 9  # and not with a period of 10 s


@pytest.mark.parametrize("probed", [True, False], ids=["with a probe", "without"])
def test_a_paused_container_is_not_ready_until_it_goes_on(
    namespace: str, raw: docker.APIClient, probed: bool
) -> None:
    probe = Probe.http_get("/", port=8080, period_seconds=0.2, timeout_seconds=0.3, failure_threshold=1)
    script = "touch /index.html; exec httpd -f -p 8080 -h /"
    web = shell("web", script, readiness_probe=probe if probed else None)
    with _pod(namespace, web) as pod:
        container = pod.refresh().container("web").container_id
        raw.pause(container)
        eventually(lambda: _ready(pod) == set(), "it is not ready")
        stays(lambda: _ready(pod) == set(), 0.5)
        raw.unpause(container)
        eventually(lambda: _ready(pod) == {"web"}, "it is ready again")
        assert pod.status.restart_count == 0
        assert pod.status.container("web").container_id == container


# --- gRPC ------------------------------------------------------------------------------------------------------------

# As much HTTP/2 as one health check needs: whatever is asked, the answer is SERVING (1) once /go is there, else
# NOT_SERVING (2). No test image has grpcio.
GRPC_SERVER = r"""
import os, socket, struct, threading

def frame(kind, flags, stream, data=b""):
    return struct.pack(">I", len(data))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + data

def header(name, value):
    return b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value

def answer(stream):
    status = 1 if os.path.exists("/go") else 2
    begin = header(b":status", b"200") + header(b"content-type", b"application/grpc")
    message = b"\0\0\0\0\2\x08" + bytes([status])
    return frame(1, 4, stream, begin) + frame(0, 0, stream, message) + frame(1, 5, stream, header(b"grpc-status", b"0"))

def serve(connection):
    file = connection.makefile("rb")
    file.read(24)
    connection.sendall(frame(4, 0, 0))
    while head := file.read(9):
        data = file.read(int.from_bytes(head[:3], "big"))
        kind, flags, stream = head[3], head[4], int.from_bytes(head[5:], "big")
        if kind in (4, 6) and not flags & 1:
            connection.sendall(frame(kind, 1, 0, data if kind == 6 else b""))
        elif kind in (0, 1) and flags & 1:
            connection.sendall(answer(stream))

listener = socket.create_server(("", 50051))
while True:
    threading.Thread(target=serve, args=listener.accept()[:1], daemon=True).start()
"""


@both_ways
def test_a_grpc_server_is_ready_when_its_health_service_says_serving(
    namespace: str, heard: Heard, reach: Reach
) -> None:
    probe = Probe.grpc(50051, period_seconds=0.5)
    server = Container("rpc", TOOLS, command=["python3", "-c", GRPC_SERVER], readiness_probe=probe)
    with coming(_pod(namespace, server, reach=reach)) as pod:
        not_serving = 'Readiness probe failed: service unhealthy (responded with "NOT_SERVING")'
        eventually(
            lambda: not_serving in {event.message for event in events(pod, "Unhealthy")},
            "it said not serving",
        )
        assert _ready(pod) == set()
        _touch(pod, "rpc", "/go")
        eventually(lambda: _ready(pod) == {"rpc"}, "it is ready")
        assert bool(heard.all("exec_create: /pause relay", "pause")) is (reach == "relay")


# --- startup and liveness --------------------------------------------------------------------------------------------


def _counting(name: str, then: str = "true") -> list[str]:
    """A probe's command that leaves a line in the container at each try."""
    return ["sh", "-c", f"echo x >> /{name}; {then}"]


def test_a_startup_probe_holds_the_others_off_and_is_not_asked_again(namespace: str) -> None:
    web = Container(
        "web",
        BUSYBOX,
        command=STAY,
        startup_probe=Probe.exec(
            _counting("startups", "test -e /go"),
            period_seconds=0.1,
            failure_threshold=1000,
            timeout_seconds=LONG,
        ),
        liveness_probe=Probe.exec(_counting("lives"), period_seconds=0.1, timeout_seconds=LONG),
        readiness_probe=Probe.exec(_counting("reads"), period_seconds=60, timeout_seconds=LONG),
    )

    def tries(what: str) -> int:
        return len(pod.exec(["cat", f"/{what}"], "web").stdout.splitlines())

    with coming(_pod(namespace, web)) as pod:
        eventually(_runs(pod, "web"), "it runs")
        eventually(lambda: tries("startups") >= 3, "it was asked whether it has started")
        assert (tries("lives"), tries("reads")) == (0, 0)
        assert not pod.refresh().container("web").started
        assert not pod.status.container("web").ready
        _touch(pod, "web", "/go")
        eventually(lambda: _ready(pod) == {"web"}, "it is ready")  # not after a period of 60 s
        assert pod.status.container("web").started
        asked = tries("startups")
        eventually(lambda: tries("lives") >= 5, "it is asked whether it lives")
        assert tries("startups") == asked
        assert pod.status.restart_count == 0


LIFE = (
    "n=$(($(cat /v/n 2>/dev/null || echo 0) + 1)); echo $n > /v/n; "
    "trap 'echo the end of $n; touch /v/ended; exit 0' TERM; touch /up; while :; do sleep 0.05; done"
)
"""Counts its lives in a volume, and ends well when it is told to."""


def test_a_startup_probe_that_fails_gets_the_container_restarted(namespace: str, heard: Heard) -> None:
    first_fails = ["sh", "-c", "until [ -e /up ]; do sleep 0.05; done; test -e /v/ended"]
    probe = Probe.exec(first_fails, period_seconds=0.2, failure_threshold=3, timeout_seconds=LONG)
    web = shell("web", LIFE, startup_probe=probe, mounts={"v": "/v"})
    pod = _pod(namespace, web, volumes=[Volume.empty_dir("v")], termination_grace_period_seconds=10)
    with pod:
        status = pod.status.container("web")
        assert (status.restart_count, status.started, status.ready) == (1, True, True)
        assert status.last_state is not None
        assert status.last_state.exit_code == 0
        assert pod.logs("web", previous=True) == "the end of 1\n"
        killing = events(pod, "Killing", "web")
        assert [event.message for event in killing] == [
            "Container web failed startup probe, will be restarted"
        ]
        assert all(event.message.startswith("Startup probe failed: ") for event in events(pod, "Unhealthy"))
        assert sum(event.count for event in events(pod, "Unhealthy")) == 3
        begun = heard.all("start", "web")
        assert begun[1].at > heard.one("die", "web", "0").at


def test_a_liveness_probe_that_fails_gets_the_container_killed_within_its_own_grace(
    namespace: str, heard: Heard
) -> None:
    """The pod's grace, which would outlast the test, does not count."""
    probe = Probe.exec(
        ["test", "!", "-e", "/sick"],
        period_seconds=0.2,
        failure_threshold=2,
        termination_grace_period_seconds=1,
        timeout_seconds=LONG,
    )
    web = shell("web", "trap '' TERM; touch /deaf; while :; do sleep 0.05; done", liveness_probe=probe)
    other = Container("other", BUSYBOX, command=STAY)
    with _pod(namespace, web, other, termination_grace_period_seconds=300) as pod:
        before = pod.refresh()
        eventually(lambda: pod.exec(["test", "-e", "/deaf"], "web").exit_code == 0, "it ignores the signal")
        _touch(pod, "web", "/sick")
        eventually(lambda: pod.refresh().container("web").restart_count == 1, "it is restarted")
        eventually(lambda: _ready(pod) == {"web", "other"}, "it is ready again")
        after = pod.status
        assert after.container("other").container_id == before.container("other").container_id
        last = after.container("web").last_state
        assert last is not None
        assert (last.exit_code, last.reason) == (137, "Error")
        (killing,) = events(pod, "Killing", "web")
        assert killing.message == "Container web failed liveness probe, will be restarted"
        heard.one("kill", "web", "15")
        # Its grace begins when that is decided; a signal that is late on a busy machine takes nothing from it.
        assert 0.9 <= heard.one("die", "web").at - killing.at < 60
        assert {event.message for event in events(pod, "Unhealthy", "web")} == {
            "Liveness probe failed: command \"test '!' -e /sick\" exited with 1"
        }
        pod.stop(grace=0)


def test_with_restart_policy_never_a_failed_liveness_probe_ends_the_pod(namespace: str, heard: Heard) -> None:
    probe = Probe.exec(
        ["test", "!", "-e", "/sick"], period_seconds=0.1, failure_threshold=1, timeout_seconds=LONG
    )
    web = Container("web", BUSYBOX, command=STAY, liveness_probe=probe)
    with _pod(namespace, web, restart_policy="Never", termination_grace_period_seconds=10) as pod:
        _touch(pod, "web", "/sick")
        status = pod.wait("Completed", timeout=60)
        assert status.phase is Phase.FAILED
        state = status.container("web").state
        assert isinstance(state, Terminated)
        assert state.exit_code == 143  # SIGTERM ended it: nobody is PID 1 here
        stays(lambda: len(heard.all("start", "web")) == 1, 0.5)
        assert pod.refresh().restart_count == 0


def test_a_command_that_takes_too_long_has_failed(namespace: str) -> None:
    slow = ["sh", "-c", "if [ -e /slow ]; then sleep 30; fi"]
    probe = Probe.exec(slow, period_seconds=0.2, timeout_seconds=2.5, failure_threshold=1)
    hang = Probe.exec(["sleep", "30"], period_seconds=0.2, timeout_seconds=0.2)
    alive = Container("alive", BUSYBOX, command=STAY, liveness_probe=probe)
    never = Container("never", BUSYBOX, command=STAY, readiness_probe=hang)
    with coming(_pod(namespace, alive, never)) as pod:
        eventually(_runs(pod, "alive", "never"), "both run")
        eventually(lambda: "never" in {event.container for event in events(pod, "Unhealthy")}, "a time-out")
        assert _ready(pod) == {"alive"}
        words = 'Readiness probe failed: command "sleep 30" timed out'
        assert [event.message for event in events(pod, "Unhealthy", "never")] == [words]
        _touch(pod, "alive", "/slow")
        eventually(lambda: pod.refresh().container("alive").restart_count == 1, "it is restarted")
        assert "timed out" in events(pod, "Unhealthy", "alive")[0].message


def test_a_server_that_hangs_is_restarted_by_its_liveness_probe(
    namespace: str, raw: docker.APIClient
) -> None:
    """It takes connections and never answers: what a deadlock looks like from outside."""
    # It must not be restarted because the machine is busy: three tries in a row, of a second each.
    probe = Probe.http_get("/", port=8080, period_seconds=0.2, timeout_seconds=1, failure_threshold=3)
    web = shell("web", "touch /index.html; exec httpd -f -p 8080 -h /", liveness_probe=probe)
    with _pod(namespace, web) as pod:
        eventually(lambda: pod.exec(["pidof", "httpd"], "web").exit_code == 0, "it has begun")
        assert pod.exec(["sh", "-c", "kill -STOP $(pidof httpd)"], "web").exit_code in (0, 137)
        eventually(lambda: pod.refresh().container("web").restart_count == 1, "it is restarted")
        eventually(lambda: _ready(pod) == {"web"}, "it is ready again")
        assert any("context deadline exceeded" in event.message for event in events(pod, "Unhealthy", "web"))
