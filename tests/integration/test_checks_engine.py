"""Probes and hooks against servers in real containers: dialled from here, and through the relay in the pause.

The pods are put together by the engine's verbs, so that nothing else of pypod decides what is tried.
"""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable, Iterator, Mapping

import docker
import pytest

from pypod.engine import checks, dial, pause
from pypod.engine.api import Engine
from pypod.engine.checks import CheckResult, Target, Verdict
from pypod.model.spec.handlers import (
    ExecAction,
    GRPCAction,
    HookHandler,
    HTTPGetAction,
    ProbeHandler,
    Scheme,
    SleepAction,
    TCPSocketAction,
)
from pypod.model.wiring import requests
from pypod.model.wiring.requests import ContainerRequest
from tests import images
from tests.certificate import SELF_SIGNED
from tests.integration.conftest import eventually

pytestmark = pytest.mark.docker

TIMEOUT = 20.0
SOON = 0.5
WAIT = 30.0
"""Seconds that a port is waited for: until it is there, or its pod is gone."""
STAY = ("sleep", "1000")

SILENT = """
import socket, time
server = socket.create_server(("0.0.0.0", 8080))
print("listens", flush=True)
time.sleep(1000)
"""
HTTP = """
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.send_response(int(self.path.strip("/") or 200))
        self.send_header("Content-Length", "0")
        self.end_headers()
host, port = sys.argv[1], int(sys.argv[2])
with http.server.ThreadingHTTPServer((host, port), Handler) as server:
    print("listens", flush=True)
    server.serve_forever()
"""
HTTPS = """
import http.server, os, ssl, tempfile
pem = tempfile.mktemp()
with open(pem, "w") as file:
    file.write(os.environ["PEM"])
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(pem)
with http.server.ThreadingHTTPServer(("0.0.0.0", 8443), http.server.SimpleHTTPRequestHandler) as server:
    server.socket = context.wrap_socket(server.socket, server_side=True)
    print("listens", flush=True)
    server.serve_forever()
"""
# Enough of HTTP/2 to answer one gRPC call: whatever is asked, the status is the one of the command line.
GRPC = """
import socket, struct, sys
def frame(kind, flags, stream, data):
    return struct.pack(">I", len(data))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + data
def field(name, value):
    return bytes([0, len(name)]) + name + bytes([len(value)]) + value
def exactly(file, size):
    data = file.read(size)
    if len(data) < size:
        raise EOFError
    return data
def serve(connection, status):
    file = connection.makefile("rb")
    exactly(file, 24)
    connection.sendall(frame(4, 0, 0, b""))
    while True:
        head = exactly(file, 9)
        kind, flags, stream = head[3], head[4], struct.unpack(">I", head[5:])[0]
        data = exactly(file, struct.unpack(">I", bytes(1) + head[:3])[0])
        if kind in (4, 6) and not flags & 1:
            connection.sendall(frame(kind, 1, 0, data if kind == 6 else b""))
        if kind == 0 and flags & 1:
            message = bytes([8, status])
            connection.sendall(
                frame(1, 4, stream, b"\\x88" + field(b"content-type", b"application/grpc"))
                + frame(0, 0, stream, struct.pack(">BI", 0, len(message)) + message)
                + frame(1, 5, stream, field(b"grpc-status", b"0"))
            )
server = socket.create_server(("0.0.0.0", 50051))
print("listens", flush=True)
while True:
    connection, _ = server.accept()
    try:
        serve(connection, int(sys.argv[1]))
    except (EOFError, OSError):
        connection.close()
"""
LATE = """
import socket, time
server = socket.create_server(("0.0.0.0", 8080), backlog=8)
print(time.time(), flush=True)
time.sleep(1000)
"""


class Pod:
    """A pause on a network of its own, and members that join it."""

    def __init__(
        self, engine: Engine, raw: docker.APIClient, unique: Callable[[str], str], image: str
    ) -> None:
        self._engine = engine
        self._raw = raw
        self._unique = unique
        self._made: list[str] = []
        taken = tuple(subnet for network in engine.networks() for subnet in network.subnets)
        wanted = requests.network_request(unique("net"), taken)
        assert wanted is not None
        self.network = engine.create_network(wanted)
        command = () if image.startswith(pause.REPOSITORY) else STAY
        self.pause = self._start("pause", image, command, network_mode=self.network)
        self.ip = engine.container(self.pause).addresses[self.network]

    def _start(
        self,
        name: str,
        image: str,
        command: tuple[str, ...],
        *,
        network_mode: str,
        env: Mapping[str, str] | None = None,
    ) -> str:
        request = ContainerRequest(
            name=self._unique(name),
            image=image,
            labels={},
            command=command,
            network_mode=network_mode,
            env=env or {},
            stdin_open=name == "pause",
        )
        made = self._engine.create_container(request)
        self._made.append(made)
        self._engine.start_container(made)
        return made

    def member(
        self, name: str, *command: str, image: str = images.TOOLS, env: Mapping[str, str] | None = None
    ) -> str:
        return self._start(name, image, command, network_mode=f"container:{self.pause}", env=env)

    def serve(self, name: str, script: str, *words: str, env: Mapping[str, str] | None = None) -> str:
        """A Python program that says when it listens."""
        made = self.member(name, "python3", "-c", script, *words, env=env)
        eventually(lambda: b"listens" in self._raw.logs(made), f"{name} listens")
        return made

    def target(
        self, container: str = "", *, reach: str = "direct", ports: Mapping[str, int] | None = None
    ) -> Target:
        # Elsewhere a dial would leave this machine by its default route, for whoever has the address there.
        assert reach != "direct" or dial.routes_directly(self._engine, self.network), (
            "nothing is dialled that is not here"
        )
        return Target(self._engine, self.pause, self.ip, self.network, container, ports or {}, reach)

    def processes(self) -> int:
        """How many run in the pause."""
        return len(self._raw.top(self.pause)["Processes"])

    def kill_pause(self) -> None:
        self._engine.kill_container(self.pause)

    def remove(self) -> None:
        for container in reversed(self._made):
            self._engine.remove_container(container)
        self._engine.remove_network(self.network)


@pytest.fixture(scope="session")
def pause_image(engine: Engine) -> str:
    arch = pause.normalise_architecture(engine.info().architecture)
    engine.load_image(pause.archive(arch))
    return pause.reference(arch)


@pytest.fixture
def pod(
    engine: Engine, raw: docker.APIClient, unique: Callable[[str], str], pause_image: str
) -> Iterator[Pod]:
    made = Pod(engine, raw, unique, pause_image)
    yield made
    made.remove()


@pytest.fixture(params=["direct", "relay"])
def reach(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def tried(
    target: Target, handler: ProbeHandler, timeout: float = TIMEOUT, *, wait: float = 0.0
) -> CheckResult:
    return checks.check(target, handler, timeout, wait=wait)


def test_this_machine_dials_the_network(pod: Pod, engine: Engine) -> None:
    """What the tests that dial directly stand on."""
    assert dial.routes_directly(engine, pod.network)


def test_a_web_server(pod: Pod, reach: str) -> None:
    web = pod.member("web", image=images.NGINX)
    target = pod.target(web, reach=reach, ports={"http": 80})
    eventually(lambda: tried(target, HTTPGetAction("http")).verdict is Verdict.SUCCESS, "nginx answers")
    assert "nginx" in tried(target, HTTPGetAction("http")).message.lower()
    assert tried(target, TCPSocketAction("http")) == CheckResult(Verdict.SUCCESS)
    missing = tried(target, HTTPGetAction(80, "/missing"))
    assert (missing.verdict, missing.message) == (Verdict.FAILURE, "HTTP probe failed with statuscode: 404")


def test_a_server_on_localhost_alone_fails(pod: Pod, reach: str) -> None:
    web = pod.serve("web", HTTP, "127.0.0.1", "8080")
    target = pod.target(web, reach=reach)
    inside = "import urllib.request; print(urllib.request.urlopen('http://127.0.0.1:8080/').status)"
    assert tried(target, ExecAction(("python3", "-c", inside))).message == "200", "it does not even listen"
    refused = f"dial tcp {pod.ip}:8080: connect: connection refused"
    assert tried(target, TCPSocketAction(8080)).message == refused
    failed = tried(target, HTTPGetAction(8080))
    assert (failed.verdict, failed.message) == (
        Verdict.FAILURE,
        f'Get "http://{pod.ip}:8080/": {refused}',
    )


def test_every_status(pod: Pod, reach: str) -> None:
    target = pod.target(pod.serve("web", HTTP, "0.0.0.0", "8080"), reach=reach)
    found = {
        code: tried(target, HTTPGetAction(8080, f"/{code}")).verdict for code in (200, 204, 304, 404, 503)
    }
    assert [code for code, verdict in found.items() if verdict is Verdict.SUCCESS] == [200, 204, 304]


def test_https(pod: Pod, reach: str) -> None:
    target = pod.target(pod.serve("web", HTTPS, env={"PEM": SELF_SIGNED}), reach=reach)
    result = tried(target, HTTPGetAction(8443, "/etc/passwd", scheme=Scheme.HTTPS))
    assert result.verdict is Verdict.SUCCESS
    assert result.message.startswith("root:")
    assert tried(target, HTTPGetAction(8443)).verdict is Verdict.FAILURE


def test_a_server_that_hangs(pod: Pod, reach: str) -> None:
    """It takes connections and says nothing: open for a TCP probe, and no relay stays behind."""
    target = pod.target(pod.serve("silent", SILENT), reach=reach)
    before = pod.processes()
    assert tried(target, TCPSocketAction(8080)) == CheckResult(Verdict.SUCCESS)
    for _ in range(3):
        result = tried(target, HTTPGetAction(8080), SOON)
        assert result.verdict is Verdict.FAILURE
        assert "context deadline exceeded" in result.message
    eventually(lambda: pod.processes() == before, "every relay is gone")


@pytest.mark.parametrize(
    ("status", "message"), [("1", ""), ("2", 'service unhealthy (responded with "NOT_SERVING")')]
)
def test_grpc(pod: Pod, reach: str, status: str, message: str) -> None:
    target = pod.target(pod.serve("health", GRPC, status), reach=reach)
    result = tried(target, GRPCAction(50051))
    assert result.message == message
    assert result.verdict is (Verdict.FAILURE if message else Verdict.SUCCESS)
    closed = tried(target, GRPCAction(50052))
    assert closed.message.endswith(f"dial tcp {pod.ip}:50052: connect: connection refused")


def test_the_relay_waits_for_the_port(pod: Pod, raw: docker.APIClient) -> None:
    """From the port's opening to its detection: what a fast first try is for. The containers' clock is this machine's."""
    delays = []
    for number, handler in enumerate([TCPSocketAction(8080)] * 3):
        results: list[tuple[CheckResult, float]] = []

        def wait(handler: ProbeHandler = handler, results: list[tuple[CheckResult, float]] = results) -> None:
            results.append((tried(pod.target(reach="relay"), handler, wait=WAIT), time.time()))

        thread = threading.Thread(target=wait, daemon=True)
        thread.start()
        eventually(lambda: pod.processes() == 2, "the relay waits in the pause")
        late = pod.member(f"late{number}", "python3", "-c", LATE)
        thread.join(2 * WAIT)
        result, found = results[0]
        assert result == CheckResult(Verdict.SUCCESS)
        eventually(lambda: raw.logs(late), "it has told when it listened")  # noqa: B023
        delays.append(found - float(raw.logs(late).decode()))
        raw.kill(late)
        eventually(
            lambda: tried(pod.target(reach="relay"), TCPSocketAction(8080)).verdict is Verdict.FAILURE,
            "it is closed",
        )
    print(f"port open to detected: {[round(delay * 1000) for delay in delays]} ms")
    assert statistics.median(delays) < WAIT / 4  # some milliseconds, where nothing else runs


def test_an_http_request_waits_for_the_port(pod: Pod) -> None:
    results: list[CheckResult] = []
    target = pod.target(reach="relay")
    thread = threading.Thread(
        target=lambda: results.append(tried(target, HTTPGetAction(8080), wait=WAIT)), daemon=True
    )
    thread.start()
    eventually(lambda: pod.processes() == 2, "the relay waits in the pause")
    pod.serve("web", HTTP, "0.0.0.0", "8080")
    thread.join(2 * WAIT)
    assert [result.verdict for result in results] == [Verdict.SUCCESS]


def test_a_wait_that_was_in_vain(pod: Pod) -> None:
    begun = time.monotonic()
    result = tried(pod.target(reach="relay"), TCPSocketAction(8080), wait=SOON)
    assert time.monotonic() - begun >= SOON
    assert (result.verdict, result.retry_soon) == (Verdict.FAILURE, 0.0)


@pytest.mark.parametrize("handler", [TCPSocketAction(8080), HTTPGetAction(8080)])
def test_the_pause_dies_during_a_wait(pod: Pod, handler: ProbeHandler) -> None:
    results: list[CheckResult] = []
    target = pod.target(reach="relay")
    thread = threading.Thread(
        target=lambda: results.append(tried(target, handler, 1.0, wait=WAIT)), daemon=True
    )
    thread.start()
    eventually(lambda: pod.processes() == 2, "the relay waits in the pause")
    pod.kill_pause()
    thread.join(2 * WAIT)
    assert [result.verdict for result in results] not in ([], [Verdict.SUCCESS])


def test_a_pause_image_without_a_relay_is_no_result(
    engine: Engine, raw: docker.APIClient, unique: Callable[[str], str]
) -> None:
    pod = Pod(engine, raw, unique, images.BUSYBOX)
    try:
        for handler in (TCPSocketAction(80), HTTPGetAction(80)):
            result = tried(pod.target(reach="relay"), handler)
            assert result.verdict is Verdict.ERROR
            assert result.message.startswith("cannot run the relay in the pause: OCI runtime exec failed")
    finally:
        pod.remove()


# --- exec -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "verdict", "message"),
    [
        (("sh", "-c", "echo fine"), Verdict.SUCCESS, "fine"),
        (("sh", "-c", "echo no >&2; exit 3"), Verdict.FAILURE, "no"),
        (("sh", "-c", "exit 127"), Verdict.FAILURE, "command \"sh -c 'exit 127'\" exited with 127"),
        (("sleep", "1000"), Verdict.FAILURE, 'command "sleep 1000" timed out'),
        (("sh", "-c", "yes | head -c 1000000; exit 1"), Verdict.FAILURE, ("y\n" * 5120).strip()),
    ],
)
def test_exec(pod: Pod, command: tuple[str, ...], verdict: Verdict, message: str) -> None:
    app = pod.member("app", *STAY, image=images.BUSYBOX)
    result = tried(pod.target(app), ExecAction(command), 1.0 if "timed out" in message else TIMEOUT)
    assert (result.verdict, result.message) == (verdict, message)


def test_an_exec_that_cannot_be_made_is_no_result(pod: Pod, raw: docker.APIClient) -> None:
    app = pod.member("app", *STAY, image=images.BUSYBOX)
    missing = tried(pod.target(app), ExecAction(("nosuch",)))
    assert missing.verdict is Verdict.ERROR
    assert "OCI runtime exec failed" in missing.message
    raw.kill(app)
    assert tried(pod.target(app), ExecAction(("true",))).verdict is Verdict.ERROR
    assert tried(pod.target("nosuch"), ExecAction(("true",))).verdict is Verdict.ERROR


# --- hooks ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("handler", "verdict"),
    [
        (HTTPGetAction(8080, "/500"), Verdict.SUCCESS),
        (HTTPGetAction(8081), Verdict.FAILURE),
        (TCPSocketAction(8080), Verdict.FAILURE),
        (ExecAction(("true",)), Verdict.SUCCESS),
        (ExecAction(("false",)), Verdict.FAILURE),
        (SleepAction(0.01), Verdict.SUCCESS),
    ],
)
def test_hooks(pod: Pod, reach: str, handler: HookHandler, verdict: Verdict) -> None:
    web = pod.serve("web", HTTP, "0.0.0.0", "8080")
    assert checks.run_hook(pod.target(web, reach=reach), handler, TIMEOUT).verdict is verdict


def test_an_https_hook_of_a_server_without_tls(pod: Pod, reach: str) -> None:
    web = pod.member("web", image=images.NGINX)
    target = pod.target(web, reach=reach)
    eventually(lambda: tried(target, TCPSocketAction(80)).verdict is Verdict.SUCCESS, "nginx listens")
    assert checks.run_hook(target, HTTPGetAction(80, scheme=Scheme.HTTPS), TIMEOUT).verdict is Verdict.SUCCESS
