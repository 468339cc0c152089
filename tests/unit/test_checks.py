"""One try of a probe, one run of a hook: against servers of this process, directly and through a relay that is played here."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import socket
import ssl
import threading
import time
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent import futures
from pathlib import Path
from typing import Any

import pytest

from pypod.engine import checks, dial, execute, grpc_check
from pypod.engine.api import STDERR, STDOUT, Frame
from pypod.engine.checks import CheckResult, Target, Verdict
from pypod.errors import ConflictError, EngineUnavailableError
from pypod.model.results import ExecResult
from pypod.model.spec.handlers import (
    ExecAction,
    GRPCAction,
    HTTPGetAction,
    ProbeHandler,
    Scheme,
    SleepAction,
    TCPSocketAction,
)
from pypod.model.wiring.requests import ContainerRequest
from pypod.testing import FakeEngine, Program
from pypod.testing.streams import FakeExecStream
from tests.certificate import SELF_SIGNED

grpc: Any = importlib.import_module("grpc")

LOCAL = "127.0.0.1"
PATIENCE = 20.0
SOON = 0.15
"""Seconds after which a try of something that hangs is given up."""
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

Answer = Callable[[socket.socket, str], object]


# --- servers ---------------------------------------------------------------------------------------------------------


class Server:
    """Takes connections on a port of 127.0.0.1; each is handed, with the head of its request, to a function.

    Attributes:
        heads: of the requests so far.
    """

    def __init__(self, answer: Answer, context: ssl.SSLContext | None = None) -> None:
        self._answer = answer
        self._context = context
        self._listener = socket.create_server((LOCAL, 0))
        self.port: int = self._listener.getsockname()[1]
        self.heads: list[str] = []
        self.done = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, plain: socket.socket) -> None:
        plain.settimeout(PATIENCE)
        with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
            connection = stack.enter_context(plain)
            if self._context is not None:
                connection = stack.enter_context(self._context.wrap_socket(plain, server_side=True))
            head = connection.recv(65536)
            while head.startswith(b"GET ") and b"\r\n\r\n" not in head:
                head += connection.recv(65536)
            self.heads.append(head.decode("latin-1"))
            self._answer(connection, head.decode("latin-1"))

    def close(self) -> None:
        self.done.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


Serve = Callable[..., Server]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Starts servers: with bytes to answer with, a mapping of them by path, or a function."""
    with contextlib.ExitStack() as stack:

        def start(answer: bytes | Mapping[str, bytes] | Answer, *, tls: bool = False) -> Server:
            context = None
            if tls:
                pem = tmp_path / "server.pem"
                pem.write_text(SELF_SIGNED)
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.load_cert_chain(pem)
            server = Server(_answering(answer), context)
            stack.callback(server.close)
            return server

        yield start


def _answering(answer: bytes | Mapping[str, bytes] | Answer) -> Answer:
    if isinstance(answer, bytes):
        return lambda connection, head: connection.sendall(answer)
    if isinstance(answer, Mapping):
        return lambda connection, head: connection.sendall(answer[head.split(" ")[1]])
    return answer


def status(code: int, *headers: str, body: str = "") -> bytes:
    lines = [f"HTTP/1.1 {code} Whatever", f"Content-Length: {len(body)}", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


def redirect(location: str, code: int = 302) -> bytes:
    return status(code, f"Location: {location}", body="moved")


@pytest.fixture
def hangs(serve: Serve) -> Server:
    """Takes connections and requests, and answers nothing."""
    done = threading.Event()

    def wait(connection: socket.socket, head: str) -> None:
        done.wait(PATIENCE)

    server = serve(wait)
    server.done = done
    return server


@pytest.fixture
def closed_port() -> Iterator[int]:
    with socket.socket() as holder:
        holder.bind((LOCAL, 0))
        yield holder.getsockname()[1]


# --- the engine, and a relay played here ------------------------------------------------------------------------------


class PlayedRelay(FakeExecStream):
    """What `pause relay` does, by a thread of this process."""

    def __init__(self, engine: RelayEngine, command: Sequence[str]) -> None:
        super().__init__(engine.core)
        *options, host, port = command[2:]
        self._check = "--check" in options
        self._wait = float(options[options.index("--wait") + 1]) / 1000 if "--wait" in options else 0.0
        self._address = (host, int(port))
        self._socket = socket.socket()
        self._connected = threading.Event()
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        code = 0
        end = time.monotonic() + self._wait
        while (refused := self._socket.connect_ex(self._address)) and time.monotonic() < end:
            self._connected.wait(0.01)
            self._socket.close()
            self._socket = socket.socket()
        if refused:
            host, port = self._address
            self._emit(STDERR, f"cannot connect to {host}:{port}: connection refused\n".encode())
            code = 1
        elif not self._check:
            self._connected.set()
            with contextlib.suppress(OSError):
                while not self.is_closed and (data := self._socket.recv(65536)):
                    self._emit(STDOUT, data)
        self._connected.set()
        self._socket.close()
        with self._core.condition:
            self.failure = code
            self._core.condition.notify_all()

    @property
    def is_closed(self) -> bool:
        return self._closed

    def _emit(self, stream: int, data: bytes) -> None:
        with self._core.condition:
            self.put(Frame(stream, data))

    def send(self, data: bytes) -> None:
        self._connected.wait(PATIENCE)
        with contextlib.suppress(OSError):
            self._socket.sendall(data)

    def close_stdin(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)


class RelayEngine(FakeEngine):
    """Its pause has a relay. Counts the streams of it that are open."""

    def __init__(self) -> None:
        super().__init__()
        self.core = self._core
        self.commands: list[tuple[str, ...]] = []
        self.relays: list[PlayedRelay] = []

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
        if container != "pause" or list(command[:2]) != ["/pause", "relay"]:
            return super().exec(container, command, stdin=stdin)
        self.commands.append(tuple(command))
        self.relays.append(PlayedRelay(self, command))
        return self.relays[-1]


@pytest.fixture
def engine() -> RelayEngine:
    fake = RelayEngine()
    fake.add_image("app:1")
    for name in ("app", "pause"):
        fake.start_container(fake.create_container(ContainerRequest(name=name, image="app:1", labels={})))
    return fake


Aim = Callable[..., Target]


@pytest.fixture
def aim(engine: RelayEngine) -> Aim:
    def make(*, reach: str = "direct", ip: str = LOCAL, ports: Mapping[str, int] | None = None) -> Target:
        return Target(engine, "pause", ip, "network", "app", ports or {}, reach)

    return make


@pytest.fixture(params=["direct", "relay"])
def either(request: pytest.FixtureRequest, aim: Aim) -> Target:
    """The same result is expected either way."""
    return aim(reach=request.param)


def tried(
    target: Target, handler: ProbeHandler, timeout: float = PATIENCE, *, wait: float = 0.0
) -> CheckResult:
    return checks.check(target, handler, timeout, wait=wait)


def assert_fails(result: CheckResult, message: str) -> None:
    assert (result.verdict, result.message) == (Verdict.FAILURE, message)


# --- httpGet: what counts ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [200, 204, 299])
def test_http_success(serve: Serve, either: Target, code: int) -> None:
    server = serve(status(code))
    assert tried(either, HTTPGetAction(server.port)) == CheckResult(Verdict.SUCCESS)


@pytest.mark.parametrize("code", [199, 400, 404, 500, 503])
def test_http_failure(serve: Serve, either: Target, code: int) -> None:
    result = tried(either, HTTPGetAction(serve(status(code)).port))
    assert_fails(result, f"HTTP probe failed with statuscode: {code}")
    assert result.retry_soon == 0.25


def test_http_of_a_closed_port(aim: Aim, closed_port: int) -> None:
    result = tried(aim(), HTTPGetAction(closed_port, "/ready"))
    address = f"127.0.0.1:{closed_port}"
    assert_fails(result, f'Get "http://{address}/ready": dial tcp {address}: connect: connection refused')
    assert result.retry_soon == 0.02


def test_http_of_a_server_that_hangs(hangs: Server, either: Target) -> None:
    result = tried(either, HTTPGetAction(hangs.port), SOON)
    reason = "context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
    assert_fails(result, f'Get "http://127.0.0.1:{hangs.port}/": {reason}')


def test_the_time_is_for_all_of_an_answer_that_trickles(serve: Serve, either: Target) -> None:
    stop = threading.Event()

    def trickle(connection: socket.socket, head: str) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while not stop.wait(0.02):
            connection.sendall(b".")

    server = serve(trickle)
    before = time.monotonic()
    for seconds in (SOON, 2.0, 8.0):  # for the head, too: whoever serves may have to wait for his turn
        result = tried(either, HTTPGetAction(server.port), seconds)
        if "awaiting headers" not in result.message:
            break
    stop.set()
    assert time.monotonic() - before < 4 * PATIENCE
    assert result.verdict is Verdict.FAILURE
    assert result.message.endswith("context deadline exceeded (Client.Timeout exceeded while reading body)")


def test_an_endless_body_is_not_read(serve: Serve, either: Target) -> None:
    def flood(connection: socket.socket, head: str) -> None:
        connection.sendall(b"HTTP/1.0 200 OK\r\n\r\n")
        while True:
            connection.sendall(b"x" * 65536)

    result = tried(either, HTTPGetAction(serve(flood).port))
    assert result == CheckResult(Verdict.SUCCESS, "x" * 10240)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"", "EOF"),
        (
            b"SSH-2.0-OpenSSH_9.2\r\n",
            "net/http: HTTP/1.x transport connection broken: malformed HTTP response",
        ),
        (b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 200, "net/http: HTTP/1.x transport connection broken:"),
    ],
    ids=["nothing", "another protocol", "too many headers"],
)
def test_http_of_what_is_no_http(serve: Serve, either: Target, answer: bytes, reason: str) -> None:
    server = serve(answer)
    result = tried(either, HTTPGetAction(server.port))
    assert result.verdict is Verdict.FAILURE
    assert result.message.startswith(f'Get "http://127.0.0.1:{server.port}/": {reason}')


# --- httpGet: what is asked -------------------------------------------------------------------------------------------


def asked(serve: Serve, target: Target, handler: Callable[[int], HTTPGetAction]) -> tuple[str, list[str]]:
    """The request line, and the headers, sorted; the port is called PORT."""
    server = serve(OK)
    assert tried(target, handler(server.port)).verdict is Verdict.SUCCESS
    line, *headers = server.heads[0].replace(str(server.port), "PORT").strip().split("\r\n")
    return line, sorted(headers)


def test_the_request(serve: Serve, either: Target) -> None:
    assert asked(serve, either, HTTPGetAction) == (
        "GET / HTTP/1.1",
        ["Accept: */*", "Connection: close", "Host: 127.0.0.1:PORT", "User-Agent: kube-probe/1.36"],
    )


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ((("X-A", "1"), ("X-A", "2")), ["X-A: 1", "X-A: 2"]),
        ((("X-Empty", ""),), ["X-Empty: "]),
        ((("X-Name", "Grüße"),), ["X-Name: Gr\xc3\xbc\xc3\x9fe"]),
    ],
)
def test_its_headers(serve: Serve, aim: Aim, given: tuple[tuple[str, str], ...], sent: list[str]) -> None:
    _, headers = asked(serve, aim(), lambda port: HTTPGetAction(port, http_headers=given))
    assert [line for line in headers if line.startswith("X-")] == sent


@pytest.mark.parametrize(
    ("given", "name", "sent"),
    [
        (("user-agent", "me"), "user-agent", ["user-agent: me"]),
        (("User-Agent", ""), "user-agent", []),
        (("Accept", "text/html"), "accept", ["Accept: text/html"]),
        (("accept", ""), "accept", []),
        (("HOST", "shop.example"), "host", ["Host: shop.example"]),
    ],
)
def test_headers_that_replace(
    serve: Serve, aim: Aim, given: tuple[str, str], name: str, sent: list[str]
) -> None:
    _, headers = asked(serve, aim(), lambda port: HTTPGetAction(port, http_headers=(given,)))
    assert [line for line in headers if line.lower().startswith(f"{name}:")] == sent


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("ready", "/ready"),
        ("", "/"),
        ("/a?b=c&d=%20#part", "/a?b=c&d=%20"),
        ("?x=1", "/?x=1"),
        ("/with space/ü", "/with%20space/%C3%BC"),
    ],
)
def test_its_path(serve: Serve, aim: Aim, path: str, line: str) -> None:
    assert asked(serve, aim(), lambda port: HTTPGetAction(port, path))[0] == f"GET {line} HTTP/1.1"


def test_a_header_that_cannot_be_sent(serve: Serve, aim: Aim) -> None:
    server = serve(OK)
    result = tried(aim(), HTTPGetAction(server.port, http_headers=(("X-A", "1\r\nX-B: 2"),)))
    assert result.verdict is Verdict.FAILURE
    assert "Invalid header value" in result.message


def test_no_proxy_is_used(serve: Serve, aim: Aim, monkeypatch: pytest.MonkeyPatch, closed_port: int) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{closed_port}")
    assert tried(aim(), HTTPGetAction(serve(OK).port)).verdict is Verdict.SUCCESS


def test_another_host_is_dialled_from_here(serve: Serve, engine: RelayEngine, aim: Aim) -> None:
    server = serve(OK)
    target = aim(reach="relay", ip="10.214.0.2")
    assert tried(target, HTTPGetAction(server.port, host="localhost")).verdict is Verdict.SUCCESS
    assert server.heads[0].split("\r\n")[1] == f"Host: localhost:{server.port}"
    assert engine.commands == []


def test_a_host_that_does_not_exist(aim: Aim) -> None:
    result = tried(aim(), HTTPGetAction(80, host="no-such-host.invalid"))
    assert result.verdict is Verdict.FAILURE
    assert result.message.startswith(
        'Get "http://no-such-host.invalid:80/": dial tcp no-such-host.invalid:80: '
    )


# --- httpGet: redirects -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_a_redirect_is_followed(serve: Serve, either: Target, code: int) -> None:
    server = serve({"/": redirect("/there", code), "/there": OK})
    assert tried(either, HTTPGetAction(server.port)) == CheckResult(Verdict.SUCCESS, "ok")


def test_a_redirect_that_leads_to_a_failure(serve: Serve, either: Target) -> None:
    server = serve({"/": redirect("/there"), "/there": status(500)})
    assert_fails(tried(either, HTTPGetAction(server.port)), "HTTP probe failed with statuscode: 500")


def test_a_redirect_to_another_port_of_the_pod(serve: Serve, either: Target) -> None:
    other = serve(OK)
    server = serve(redirect(f"http://127.0.0.1:{other.port}/x"))
    assert tried(either, HTTPGetAction(server.port)).message == "ok"
    assert other.heads[0].startswith("GET /x HTTP/1.1")


def test_a_redirect_to_another_host_is_a_success_with_a_warning(serve: Serve, either: Target) -> None:
    server = serve(redirect("http://example.invalid/"))
    result = tried(either, HTTPGetAction(server.port))
    assert result.verdict is Verdict.SUCCESS
    assert result.warning == "Probe terminated redirects, Response body: moved"
    assert len(server.heads) == 1


def test_a_redirect_without_a_place_is_a_success_with_a_warning(serve: Serve, aim: Aim) -> None:
    result = tried(aim(), HTTPGetAction(serve(status(302)).port))
    assert (result.verdict, bool(result.warning)) == (Verdict.SUCCESS, True)


def test_redirects_have_an_end(serve: Serve, either: Target) -> None:
    server = serve(redirect("/"))
    url = f"http://127.0.0.1:{server.port}/"
    assert_fails(tried(either, HTTPGetAction(server.port)), f'Get "{url}": stopped after 10 redirects')
    assert len(server.heads) == 10


@pytest.mark.parametrize(
    ("location", "host"), [("/there", "shop.example"), ("http://127.0.0.1:{port}/there", "127.0.0.1:{port}")]
)
def test_a_host_header_is_kept_by_a_relative_redirect(
    serve: Serve, aim: Aim, location: str, host: str
) -> None:
    places: dict[str, bytes] = {"/there": OK}
    server = serve(places)
    places["/"] = redirect(location.format(port=server.port))
    result = tried(aim(), HTTPGetAction(server.port, http_headers=(("Host", "shop.example"),)))
    assert result.verdict is Verdict.SUCCESS
    assert f"\r\nHost: {host.format(port=server.port)}\r\n" in server.heads[1]


@pytest.mark.parametrize(
    ("location", "reason"),
    [
        ("ftp://127.0.0.1/", 'unsupported protocol scheme "ftp"'),
        ("http://127.0.0.1:port/", "failed to parse Location header"),
    ],
)
def test_a_redirect_that_cannot_be_followed(serve: Serve, aim: Aim, location: str, reason: str) -> None:
    result = tried(aim(), HTTPGetAction(serve(redirect(location)).port))
    assert result.verdict is Verdict.FAILURE
    assert reason in result.message


# --- httpGet: HTTPS ---------------------------------------------------------------------------------------------------


def test_https_is_not_verified(serve: Serve, either: Target) -> None:
    server = serve(OK, tls=True)
    result = tried(either, HTTPGetAction(server.port, scheme=Scheme.HTTPS))
    assert result == CheckResult(Verdict.SUCCESS, "ok")


def test_a_long_answer_by_https(serve: Serve, either: Target) -> None:
    server = serve(status(200, body="y" * 100_000), tls=True)
    assert tried(either, HTTPGetAction(server.port, scheme=Scheme.HTTPS)).message == "y" * 10240


def test_an_http_probe_of_an_https_server_fails(serve: Serve, either: Target) -> None:
    assert tried(either, HTTPGetAction(serve(OK, tls=True).port)).verdict is Verdict.FAILURE


def test_an_https_probe_of_an_http_server_fails(serve: Serve, either: Target) -> None:
    result = tried(either, HTTPGetAction(serve(plain).port, scheme=Scheme.HTTPS))
    assert result.verdict is Verdict.FAILURE
    assert result.message.endswith("http: server gave HTTP response to HTTPS client")


def test_an_https_probe_of_a_server_that_hangs(hangs: Server, either: Target) -> None:
    result = tried(either, HTTPGetAction(hangs.port, scheme=Scheme.HTTPS), SOON)
    assert "context deadline exceeded" in result.message


def plain(connection: socket.socket, head: str) -> None:
    """Answers what is no HTTP, such as TLS' first message, as nginx does."""
    connection.sendall(OK if head.startswith("GET ") else status(400))


# --- tcpSocket --------------------------------------------------------------------------------------------------------


def test_tcp_success(hangs: Server, either: Target) -> None:
    assert tried(either, TCPSocketAction(hangs.port)) == CheckResult(Verdict.SUCCESS)


def test_tcp_refused(aim: Aim, closed_port: int) -> None:
    result = tried(aim(), TCPSocketAction(closed_port))
    assert_fails(result, f"dial tcp 127.0.0.1:{closed_port}: connect: connection refused")
    assert result.retry_soon == 0.02


def test_tcp_with_no_room_for_a_connection(aim: Aim) -> None:
    """A full accept queue answers nothing at all."""
    with socket.socket() as full, contextlib.ExitStack() as stack:
        full.bind((LOCAL, 0))
        full.listen(0)
        for _ in range(4):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
        port = full.getsockname()[1]
        assert_fails(tried(aim(), TCPSocketAction(port), SOON), f"dial tcp 127.0.0.1:{port}: i/o timeout")


def test_a_port_by_its_name(serve: Serve, aim: Aim) -> None:
    server = serve(OK)
    target = aim(ports={"web": server.port})
    assert tried(target, TCPSocketAction("web")).verdict is Verdict.SUCCESS
    assert tried(target, HTTPGetAction("web")).verdict is Verdict.SUCCESS
    assert tried(target, TCPSocketAction(str(server.port))).verdict is Verdict.SUCCESS


@pytest.mark.parametrize("port", ["api", "0", "65536", 0, 65536, -1])
def test_a_port_that_is_none_is_no_result(aim: Aim, port: int | str) -> None:
    for handler in (TCPSocketAction(port), HTTPGetAction(port)):
        result = tried(aim(ports={"web": 80, "admin": 81}), handler)
        assert result.verdict is Verdict.ERROR
        assert result.message == (
            f"cannot find port {port!r}: a number from 1 to 65535 or the name of a port of this container is expected"
            " (it has admin, web)"
        )


# --- reach ------------------------------------------------------------------------------------------------------------


def test_auto_dials_where_it_routes(
    hangs: Server, engine: RelayEngine, aim: Aim, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def routes(_: object, network: str) -> bool:
        asked.append(network)
        return True

    monkeypatch.setattr(dial, "routes_directly", routes)
    for _ in range(3):
        assert tried(aim(reach="auto"), TCPSocketAction(hangs.port)).verdict is Verdict.SUCCESS
    assert asked == ["network"]
    assert engine.commands == []


def test_auto_takes_the_relay_elsewhere(
    hangs: Server, engine: RelayEngine, aim: Aim, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dial, "routes_directly", lambda engine, network: False)
    assert tried(aim(reach="auto"), TCPSocketAction(hangs.port), 2.0).verdict is Verdict.SUCCESS
    assert engine.commands == [("/pause", "relay", "--check", "--limit", "3000", LOCAL, str(hangs.port))]


def test_an_engine_that_cannot_be_asked_is_no_result(aim: Aim, monkeypatch: pytest.MonkeyPatch) -> None:
    def routes(engine: object, network: str) -> bool:
        raise EngineUnavailableError("inspect container", "me", "gone")

    monkeypatch.setattr(dial, "routes_directly", routes)
    assert tried(aim(reach="auto"), TCPSocketAction(80)).verdict is Verdict.ERROR


def test_a_pod_without_an_address_is_no_result(aim: Aim) -> None:
    result = tried(aim(ip=""), TCPSocketAction(80))
    assert result == CheckResult(Verdict.ERROR, "cannot dial the pod: it has no IP address")


@pytest.mark.parametrize("handler", [TCPSocketAction, HTTPGetAction])
def test_a_port_that_is_closed_in_the_pod(
    aim: Aim, closed_port: int, handler: Callable[[int], ProbeHandler]
) -> None:
    result = tried(aim(reach="relay"), handler(closed_port))
    assert result.verdict is Verdict.FAILURE
    assert result.message.endswith(f"dial tcp 127.0.0.1:{closed_port}: connect: connection refused")
    assert result.retry_soon == 0.25


@pytest.mark.parametrize("handler", [TCPSocketAction, HTTPGetAction])
def test_a_wait_in_the_pod(
    engine: RelayEngine, aim: Aim, closed_port: int, handler: Callable[[int], ProbeHandler]
) -> None:
    before = time.monotonic()
    result = tried(aim(reach="relay"), handler(closed_port), wait=SOON)
    assert result.verdict is Verdict.FAILURE
    assert result.retry_soon == 0
    assert time.monotonic() - before >= SOON
    *words, limit = engine.commands[0][-6:-2]
    assert words == ["--wait", "150", "--limit"]
    assert PATIENCE / 2 < int(limit) / 1000 <= PATIENCE + 1.15  # of the time that was left by then


def test_a_wait_is_none_where_it_dials_from_here(engine: RelayEngine, aim: Aim, closed_port: int) -> None:
    result = tried(aim(), TCPSocketAction(closed_port), wait=1000)
    assert (result.verdict, result.retry_soon, engine.commands) == (Verdict.FAILURE, 0.02, [])


def test_an_answered_failure_is_not_tried_again_at_once(serve: Serve, aim: Aim) -> None:
    result = tried(aim(reach="relay"), HTTPGetAction(serve(status(503)).port), wait=SOON)
    assert result.retry_soon == 0.25


def scripted(engine: RelayEngine, monkeypatch: pytest.MonkeyPatch, output: Frame, exit_code: int) -> None:
    """The relay writes this, and ends."""
    engine.program("relay", Program(runs_for=0, exit_code=exit_code, output=(output,)))
    monkeypatch.setattr(dial, "relay_command", lambda *words, **options: ["relay"])


@pytest.mark.parametrize("handler", [TCPSocketAction(80), HTTPGetAction(80)])
@pytest.mark.parametrize(
    ("output", "exit_code", "message"),
    [
        (
            Frame(STDOUT, b"OCI runtime exec failed: no /pause\r\n"),
            126,
            "cannot run the relay in the pause: OCI",
        ),
        (Frame(STDERR, b"usage: pause [--lease]\n"), 2, "cannot run the relay in the pause: usage"),
        (Frame(STDOUT, b""), 137, "cannot tell what the relay in the pause found: it ended with 137"),
    ],
    ids=["no relay", "another relay", "killed"],
)
def test_a_relay_that_did_not_run_is_no_result(
    engine: RelayEngine,
    aim: Aim,
    monkeypatch: pytest.MonkeyPatch,
    handler: ProbeHandler,
    output: Frame,
    exit_code: int,
    message: str,
) -> None:
    scripted(engine, monkeypatch, output, exit_code)
    result = tried(aim(reach="relay"), handler)
    assert result.verdict is Verdict.ERROR
    assert result.message.startswith(message)


@pytest.mark.parametrize("handler", [TCPSocketAction(80), HTTPGetAction(80), GRPCAction(80)])
@pytest.mark.parametrize(
    "error", [ConflictError("exec", "pause", "is not running"), EngineUnavailableError("x", "", "y")]
)
def test_a_pause_that_does_not_run_is_no_result(
    engine: RelayEngine, aim: Aim, monkeypatch: pytest.MonkeyPatch, handler: ProbeHandler, error: Exception
) -> None:
    monkeypatch.setattr(dial, "relay_command", lambda *words, **options: ["relay"])
    engine.inject("exec", error)
    assert tried(aim(reach="relay"), handler).verdict is Verdict.ERROR


def test_what_the_relay_lost(engine: RelayEngine, aim: Aim, monkeypatch: pytest.MonkeyPatch) -> None:
    lost = b"lost the connection to 127.0.0.1:80: connection reset by peer\n"
    scripted(engine, monkeypatch, Frame(STDERR, lost), 1)
    result = tried(aim(reach="relay"), HTTPGetAction(80))
    assert_fails(result, 'Get "http://127.0.0.1:80/": connection reset by peer')


def test_no_stream_stays_open(
    serve: Serve, hangs: Server, engine: RelayEngine, aim: Aim, closed_port: int
) -> None:
    target = aim(reach="relay")
    tried(target, HTTPGetAction(serve(OK).port))
    tried(target, HTTPGetAction(hangs.port), SOON)
    tried(target, HTTPGetAction(closed_port))
    tried(target, TCPSocketAction(hangs.port))
    assert len(engine.relays) == 4
    assert all(relay.is_closed for relay in engine.relays)


# --- exec -------------------------------------------------------------------------------------------------------------


def test_exec_success(aim: Aim) -> None:
    result = tried(aim(), ExecAction(("sh", "-c", "echo fine; echo really >&2")))
    assert (result.verdict, result.message) == (Verdict.SUCCESS, "fine\nreally")
    assert result.retry_soon >= 0.05


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("echo no; echo never >&2; exit 3", "no\nnever"),
        ("exit 3", "command \"sh -c 'exit 3'\" exited with 3"),
        ("nosuch", "sh: nosuch: not found"),
    ],
)
def test_exec_failure(aim: Aim, script: str, message: str) -> None:
    assert_fails(tried(aim(), ExecAction(("sh", "-c", script))), message)


def test_exec_output_is_cut(engine: RelayEngine, aim: Aim) -> None:
    engine.program(
        "talk", Program(runs_for=0, exit_code=1, output=(b"x" * 9000, Frame(STDERR, b"y" * 90_000)))
    )
    assert_fails(tried(aim(), ExecAction(("talk",))), "x" * 9000 + "y" * 1240)


def test_output_past_the_limit_is_not_kept(engine: RelayEngine) -> None:
    engine.program("talk", Program(runs_for=0, output=(b"abc", b"defgh", Frame(STDERR, b"x" * 90_000), b"i")))
    result = execute.run(engine, "app", ["talk"], output_limit=5)
    assert (result.stdout, result.stderr) == ("abcde", "xxxxx")


def test_exec_that_takes_too_long(aim: Aim) -> None:
    assert_fails(tried(aim(), ExecAction(("sleep", "60")), SOON), 'command "sleep 60" timed out')


def test_an_exec_may_be_tried_again_after_five_times_its_duration(
    aim: Aim, monkeypatch: pytest.MonkeyPatch
) -> None:
    moments = iter([100.0, 100.4])
    monkeypatch.setattr(checks, "_execute", lambda *_: ("", ""))
    monkeypatch.setattr(checks, "time", types.SimpleNamespace(monotonic=lambda: next(moments)))
    assert tried(aim(), ExecAction(("true",))).retry_soon == pytest.approx(2.0)


def test_exec_of_what_is_not_there_is_no_result(aim: Aim) -> None:
    result = tried(aim(), ExecAction(("nosuch",)))
    assert result.verdict is Verdict.ERROR
    assert result.message.startswith('cannot run command "nosuch": OCI runtime exec failed')


def test_exec_in_a_container_that_does_not_run_is_no_result(engine: RelayEngine, aim: Aim) -> None:
    engine.kill_container("app")
    assert tried(aim(), ExecAction(("true",))).verdict is Verdict.ERROR


# --- grpc -------------------------------------------------------------------------------------------------------------


class HealthServer:
    """Answers health checks with these bytes; of another service it knows nothing.

    Attributes:
        requests, agents: what came, and from which user agent.
    """

    def __init__(self, answer: bytes, *, service: str = "grpc.health.v1.Health", hold: bool = False) -> None:
        self.requests: list[bytes] = []
        self.agents: list[str] = []
        self.released = threading.Event()
        self._answer = answer
        self._hold = hold
        self._server = grpc.server(futures.ThreadPoolExecutor(2))
        handlers = {"Check": grpc.unary_unary_rpc_method_handler(self._check)}
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
        self.port: int = self._server.add_insecure_port(f"{LOCAL}:0")
        self._server.start()

    def _check(self, request: bytes, context: Any) -> bytes:
        self.requests.append(request)
        self.agents += [value for key, value in context.invocation_metadata() if key == "user-agent"]
        if self._hold:
            self.released.wait(PATIENCE)
        return self._answer

    def close(self) -> None:
        self.released.set()
        self._server.stop(None).wait(PATIENCE)


ServeHealth = Callable[..., HealthServer]


@pytest.fixture
def serve_health() -> Iterator[ServeHealth]:
    with contextlib.ExitStack() as stack:

        def start(answer: bytes = b"\x08\x01", **options: Any) -> HealthServer:
            server = HealthServer(answer, **options)
            stack.callback(server.close)
            return server

        yield start


def test_grpc_serving(serve_health: ServeHealth, either: Target) -> None:
    server = serve_health()
    assert tried(either, GRPCAction(server.port)) == CheckResult(Verdict.SUCCESS)
    assert server.requests == [b""]
    assert server.agents[0].startswith("kube-probe/1.36 ")


def test_grpc_of_one_service(serve_health: ServeHealth, aim: Aim) -> None:
    server = serve_health()
    assert tried(aim(), GRPCAction(server.port, "shop.Cart")).verdict is Verdict.SUCCESS
    assert server.requests == [b"\x0a\x09shop.Cart"]


@pytest.mark.parametrize(
    ("answer", "name"),
    [(b"", "UNKNOWN"), (b"\x08\x02", "NOT_SERVING"), (b"\x08\x03", "SERVICE_UNKNOWN"), (b"\x08\x2a", "42")],
)
def test_grpc_not_serving(serve_health: ServeHealth, aim: Aim, answer: bytes, name: str) -> None:
    result = tried(aim(), GRPCAction(serve_health(answer).port))
    assert_fails(result, f'service unhealthy (responded with "{name}")')


def test_grpc_of_a_server_without_a_health_service(serve_health: ServeHealth, either: Target) -> None:
    result = tried(either, GRPCAction(serve_health(service="other").port))
    assert result.verdict is Verdict.FAILURE
    assert "does not implement the grpc health protocol" in result.message


def test_grpc_of_a_server_that_hangs(serve_health: ServeHealth, either: Target) -> None:
    result = tried(either, GRPCAction(serve_health(hold=True).port), 0.5)
    assert result.verdict is Verdict.FAILURE
    assert result.message.startswith("timeout: health rpc did not complete within 0.")


def test_grpc_of_what_is_no_grpc(serve: Serve, aim: Aim) -> None:
    result = tried(aim(), GRPCAction(serve(status(200)).port), 1.0)
    assert result.verdict is Verdict.FAILURE


def test_grpc_of_an_answer_that_is_none(serve_health: ServeHealth, aim: Aim) -> None:
    result = tried(aim(), GRPCAction(serve_health(b"\xff").port))
    assert_fails(result, "error: health rpc probe failed: the answer is cut off: b'\\xff'")


def test_grpc_of_a_closed_port(either: Target, closed_port: int) -> None:
    result = tried(either, GRPCAction(closed_port))
    address = f"127.0.0.1:{closed_port}"
    assert_fails(
        result,
        f'error: failed to connect service at "{address}": dial tcp {address}: connect: connection refused',
    )
    assert result.retry_soon == (0.02 if either.reach == "direct" else 0.25)


def test_grpc_leaves_no_listener(
    serve_health: ServeHealth, aim: Aim, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[dial.Relay] = []

    class Noted(dial.Relay):
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            made.append(self)

    monkeypatch.setattr(dial, "Relay", Noted)
    assert tried(aim(reach="relay"), GRPCAction(serve_health().port)).verdict is Verdict.SUCCESS
    (relay,) = made
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(relay.address, timeout=PATIENCE)


def test_without_grpcio_a_grpc_probe_is_no_result(aim: Aim, monkeypatch: pytest.MonkeyPatch) -> None:
    assert checks.grpc_available()
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert not checks.grpc_available()
    result = tried(aim(), GRPCAction(80))
    assert result.verdict is Verdict.ERROR
    assert "pip install pypod[grpc]" in result.message


@pytest.mark.parametrize(
    ("service", "message"),
    [("", b""), ("a", b"\x0a\x01a"), ("x" * 300, b"\x0a\xac\x02" + b"x" * 300), ("ü", b"\x0a\x02\xc3\xbc")],
    ids=["none", "short", "long", "not ASCII"],
)
def test_a_health_request(service: str, message: bytes) -> None:
    assert grpc_check.encode_request(service) == message


@pytest.mark.parametrize(
    ("message", "answer"),
    [
        (b"", 0),
        (b"\x08\x01", 1),
        (b"\x08\x80\x01", 128),
        (b"\x12\x03abc\x08\x01", 1),  # unknown fields: bytes, 64 and 32 bits, a number
        (b"\x19" + bytes(8) + b"\x08\x01", 1),
        (b"\x1d" + bytes(4) + b"\x08\x01", 1),
        (b"\x20\x05\x08\x01", 1),
        (b"\x08\x01\x08\x02", 2),  # the last one counts
    ],
)
def test_a_health_response(message: bytes, answer: int) -> None:
    assert grpc_check.decode_response(message) == answer


@pytest.mark.parametrize("message", [b"\x08", b"\x08\x80", b"\x12\x09abc", b"\x1d\x00", b"\x0b", b"\x12"])
def test_what_is_no_health_response(message: bytes) -> None:
    with pytest.raises(ValueError, match="the answer is"):
        grpc_check.decode_response(message)


# --- hooks ------------------------------------------------------------------------------------------------------------


def test_an_exec_hook(aim: Aim) -> None:
    result = checks.run_hook(aim(), ExecAction(("sh", "-c", "echo done")), None)
    assert (result.verdict, result.message) == (Verdict.SUCCESS, "done")


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (("sh", "-c", "echo no; exit 3"), "command \"sh -c 'echo no; exit 3'\" exited with 3: no"),
        (("false",), 'command "false" exited with 1'),
        (("sleep", "60"), 'command "sleep 60" timed out'),
    ],
)
def test_an_exec_hook_that_fails(aim: Aim, command: tuple[str, ...], message: str) -> None:
    assert_fails(checks.run_hook(aim(), ExecAction(command), SOON), message)


def test_an_exec_hook_that_cannot_run_fails(engine: RelayEngine, aim: Aim) -> None:
    assert checks.run_hook(aim(), ExecAction(("nosuch",)), None).verdict is Verdict.FAILURE
    engine.kill_container("app")
    assert checks.run_hook(aim(), ExecAction(("true",)), None).verdict is Verdict.FAILURE


@pytest.mark.parametrize(("may_end", "verdict"), [(True, Verdict.SUCCESS), (False, Verdict.FAILURE)])
def test_an_exec_hook_whose_container_ends(
    aim: Aim, monkeypatch: pytest.MonkeyPatch, may_end: bool, verdict: Verdict
) -> None:
    """Before a stop that is what such a hook is for. A probe that saw no end has failed."""

    def ends(*_: object, **__: object) -> ExecResult:
        raise execute.ContainerEndedError(b"", b"")

    monkeypatch.setattr(execute, "run", ends)
    quits = ExecAction(("nginx", "-s", "quit"))
    assert checks.run_hook(aim(), quits, SOON, may_end=may_end).verdict is verdict
    assert checks.check(aim(), quits, SOON).verdict is Verdict.FAILURE


@pytest.mark.parametrize("code", [200, 302, 404, 500])
def test_any_answer_to_an_http_hook_is_a_success(serve: Serve, either: Target, code: int) -> None:
    server = serve(status(code))
    assert checks.run_hook(either, HTTPGetAction(server.port), None) == CheckResult(Verdict.SUCCESS)
    assert "\r\nUser-Agent: kube-lifecycle/1.36\r\n" in server.heads[0]


def test_an_http_hook_needs_an_answer(aim: Aim, closed_port: int, hangs: Server) -> None:
    result = checks.run_hook(aim(), HTTPGetAction(closed_port), None)
    address = f"127.0.0.1:{closed_port}"
    assert_fails(result, f'Get "http://{address}/": dial tcp {address}: connect: connection refused')
    assert checks.run_hook(aim(), HTTPGetAction(hangs.port), SOON).verdict is Verdict.FAILURE


def test_an_http_hook_of_an_unknown_port_fails(aim: Aim) -> None:
    assert checks.run_hook(aim(), HTTPGetAction("web"), None).verdict is Verdict.FAILURE


def test_an_https_hook(serve: Serve, either: Target) -> None:
    server = serve(OK, tls=True)
    hook = HTTPGetAction(server.port, scheme=Scheme.HTTPS)
    assert checks.run_hook(either, hook, PATIENCE) == CheckResult(Verdict.SUCCESS)


def test_an_https_hook_of_an_http_server_is_tried_without_tls(serve: Serve, either: Target) -> None:
    server = serve(plain)
    hook = HTTPGetAction(server.port, scheme=Scheme.HTTPS)
    assert checks.run_hook(either, hook, PATIENCE) == CheckResult(Verdict.SUCCESS)
    assert [head.startswith("GET ") for head in server.heads] == [False, True]


def test_a_tcp_hook_always_fails(aim: Aim, hangs: Server) -> None:
    assert_fails(checks.run_hook(aim(), TCPSocketAction(hangs.port), None), "invalid handler")


@pytest.mark.parametrize(("seconds", "timeout"), [(0.0, None), (0.01, None), (0.01, 0.01), (0.0, 0.0)])
def test_a_sleep_hook(aim: Aim, seconds: float, timeout: float | None) -> None:
    before = time.monotonic()
    assert checks.run_hook(aim(), SleepAction(seconds), timeout) == CheckResult(Verdict.SUCCESS)
    assert time.monotonic() - before >= seconds


def test_a_sleep_hook_is_cut_short(aim: Aim) -> None:
    cancelled = threading.Event()
    threading.Timer(0.01, cancelled.set).start()
    cut = "container terminated before sleep hook finished"
    assert_fails(checks.run_hook(aim(), SleepAction(1000), None, cancelled=cancelled), cut)
    assert_fails(checks.run_hook(aim(), SleepAction(1000), 0.01), cut)
