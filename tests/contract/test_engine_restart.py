"""The contract for an engine whose daemon goes and comes back: on a dockerd of the test's own, and on the fake."""

from __future__ import annotations

import contextlib
import http.server
import signal
import socketserver
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest

from pypod.engine.docker_engine import DockerEngine
from pypod.errors import EngineError, EngineUnavailableError, NotFoundError
from pypod.model.wiring.state import ContainerState
from pypod.testing import FakeEngine
from tests.contract.dockerd import Dockerd, cannot_run
from tests.contract.harness import PATIENCE, Contract, read_until
from tests.contract.outside import DockerOutside

MANY = 12


@dataclass
class Restartable:
    contract: Contract
    stop: Callable[[], object]
    kill: Callable[[], object]
    start: Callable[[], object]


@pytest.fixture(params=["fake", pytest.param("docker", marks=pytest.mark.docker)])
def restartable(request: pytest.FixtureRequest) -> Iterator[Restartable]:
    """An engine that runs, that nobody else uses, and that has no images."""
    if request.param == "fake":
        fake = FakeEngine()
        contract = Contract(fake, fake.clock, fake)
        yield Restartable(contract, fake.stop_daemon, lambda: fake.stop_daemon(kill=True), fake.start_daemon)
        return
    if why := cannot_run():
        pytest.skip(why)
    daemon = Dockerd(Path(tempfile.mkdtemp(prefix="pp-")))
    try:
        daemon.start()
        engine = DockerEngine(daemon.url)
        with contextlib.closing(engine), contextlib.closing(DockerOutside(daemon.url)) as outside:
            contract = Contract(engine, None, outside)
            yield Restartable(contract, daemon.stop, lambda: daemon.stop(signal.SIGKILL), daemon.start)
            contract.clean()
    finally:
        daemon.remove()


def test_a_daemon_that_restarts(restartable: Restartable) -> None:
    contract = restartable.contract
    engine = contract.engine
    pause = contract.create_pause(lease=True)
    channel = contract.closing(engine.attach_stdin(pause))
    engine.start_container(pause)
    member = contract.member("member", pause, image=contract.pause_image)
    engine.start_container(member)
    logs, events = engine.logs(pause, follow=True), engine.events(contract.labels)
    command = engine.exec(pause, ["/pause", "--lease"], stdin=True)
    # It has begun, and will hear the signal.
    channel.send(b"up\n")
    assert read_until(logs, b"up\n") == b"up\n"
    # It runs: of one that is still being started, 26.1 has an error to tell.
    command.send(b"here\n")
    assert read_until(command, b"here\n") == b"here\n"
    with ThreadPoolExecutor(MANY) as pool:  # as many connections that will be stale
        list(pool.map(lambda _: engine.info(), range(MANY)))

    restartable.stop()
    assert logs.read(PATIENCE) is None
    assert {event.action for event in events} <= {"kill", "die"}
    assert command.read(PATIENCE) is None
    for call in (engine.info, lambda: engine.start_container(pause), command.exit_code):
        with pytest.raises(EngineUnavailableError):
            call()
    with pytest.raises(EngineUnavailableError):
        engine.put_archive(pause, "/v", [b""])

    restartable.start()
    with ThreadPoolExecutor(MANY) as pool:  # the first call of each
        states = list(pool.map(lambda _: engine.container(pause).state, range(MANY)))
    assert states == [ContainerState.EXITED] * MANY
    assert engine.container(pause).exit_code == 0  # of SIGTERM, not of a lost lease
    assert engine.container(member).state is ContainerState.EXITED
    with pytest.raises(NotFoundError):
        command.exit_code()
    with pytest.raises(EngineError):
        channel.send(b"x" * 8_000_000)
    engine.start_container(pause)
    assert contract.state(pause) is ContainerState.RUNNING


def test_a_daemon_that_is_killed(restartable: Restartable) -> None:
    contract = restartable.contract
    engine = contract.engine
    pause = contract.run_pause()
    stream = engine.events(contract.labels)
    restartable.kill()
    assert list(stream) == []
    with pytest.raises(EngineUnavailableError):
        engine.containers({})
    restartable.start()
    contract.until(lambda: contract.state(pause) is ContainerState.EXITED, "the pause is found to have ended")
    assert engine.container(pause).exit_code == 0
    engine.start_container(pause)
    assert contract.state(pause) is ContainerState.RUNNING


class Abrupt(http.server.BaseHTTPRequestHandler):
    """Hangs up on the first request for a path, and answers the next ones."""

    protocol_version = "HTTP/1.1"
    asked: ClassVar[list[str]] = []

    def answer(self) -> None:
        path = self.path.rpartition("/")[2]
        self.asked.append(path)
        if path != "version" and self.asked.count(path) == 1:
            self.close_connection = True
            return
        body = b'{"ApiVersion": "1.41", "ID": "abrupt"}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = answer

    def log_message(self, *words: object) -> None:
        """Say nothing."""

    def address_string(self) -> str:
        return "local"


@pytest.fixture
def abrupt(tmp_path: Path) -> Iterator[DockerEngine]:
    Abrupt.asked.clear()
    with socketserver.ThreadingUnixStreamServer(str(tmp_path / "s"), Abrupt) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        engine = DockerEngine(f"unix://{tmp_path}/s", sleep=lambda seconds: None)
        yield engine
        engine.close()
        server.shutdown()
        thread.join()


def test_a_question_is_asked_again_where_the_connection_broke(abrupt: DockerEngine) -> None:
    assert abrupt.info().id == "abrupt"
    assert Abrupt.asked == ["version", "info", "info"]


def test_an_order_is_given_once(abrupt: DockerEngine) -> None:
    with pytest.raises(EngineUnavailableError):
        abrupt.start_container("one")
    assert Abrupt.asked == ["version", "start"]
