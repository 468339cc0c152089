"""Shared pods without an engine: a hub with a starter that is a stand-in, and workers that are threads."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import execnet
import pytest

from pypod.pytest import current, pod_fixture, wire
from pypod.pytest import hub as hubs
from pypod.pytest.hub import Hub
from pypod.pytest.wire import CannotShareError, Door, Failed, Request, Started

PATIENCE = 10.0
POD = json.dumps({"metadata": {"name": "db"}, "spec": {"containers": [{"name": "one", "image": "x"}]}})
REQUEST = Request("conftest.py::db", POD, timeout=5)


class FakeStarter:
    """Pods are names; each start waits until it may go on."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.removed: list[str] = []
        self.up: list[str] = []
        self.error: Exception | None = None
        self.failure: Failed | None = None
        self.failed: list[str] = []
        self.entered = threading.Semaphore(0)
        self.may_go_on = threading.Event()
        self.may_go_on.set()
        self.aborted = False

    def start(self, request: Request) -> wire.Answer:
        self.begun.append(request.fixture)
        self.entered.release()
        assert self.may_go_on.wait(PATIENCE)
        if self.error is not None:
            raise self.error
        if self.failure is not None:
            return self.failure
        if self.aborted:
            return Failed("aborted")
        self.up.append(request.fixture)
        return Started("ns", json.loads(request.pod)["metadata"]["name"], f"uid-{len(self.up)}")

    def abort(self) -> None:
        self.aborted = True
        self.may_go_on.set()

    def remove(self, failed: Collection[str]) -> dict[str, Any]:
        self.removed, self.up = self.up, []
        self.failed = [*failed]
        return {"uids": self.removed}


@pytest.fixture
def starter() -> FakeStarter:
    return FakeStarter()


@pytest.fixture(params=[True, False], ids=["abstract", "loopback"])
def hub(starter: FakeStarter, request: pytest.FixtureRequest) -> Iterator[Hub]:
    if request.param and sys.platform != "linux":
        pytest.skip("abstract sockets are Linux'")
    hub = Hub(lambda: starter, abstract=request.param)
    yield hub
    hub.close()


Ask = Callable[[Request], "Future[wire.Answer]"]


@pytest.fixture
def ask(hub: Hub) -> Iterator[Ask]:
    """Asks as a worker does, on a thread of its own."""
    with ThreadPoolExecutor(8) as workers:
        yield lambda request: workers.submit(wire.ask, hub.door.to_input(), request)


def answer(future: Future[wire.Answer]) -> wire.Answer:
    return future.result(PATIENCE)


# --- one start for all -----------------------------------------------------------------------------------------------


def test_one_start_for_all_that_ask_at_once(starter: FakeStarter, ask: Ask) -> None:
    starter.may_go_on.clear()
    asked = [ask(REQUEST) for _ in range(4)]
    assert starter.entered.acquire(timeout=PATIENCE)
    starter.may_go_on.set()
    assert {answer(each) for each in asked} == {Started("ns", "db", "uid-1")}
    assert starter.begun == ["conftest.py::db"]


def test_a_worker_that_comes_later_gets_the_same(starter: FakeStarter, ask: Ask) -> None:
    first = answer(ask(REQUEST))
    assert answer(ask(REQUEST)) == first
    assert len(starter.begun) == 1


def test_each_fixture_has_its_own(starter: FakeStarter, ask: Ask) -> None:
    answer(ask(REQUEST))
    assert answer(ask(replace(REQUEST, fixture="conftest.py::other"))) == Started("ns", "db", "uid-2")


def test_two_start_at_the_same_time(starter: FakeStarter, ask: Ask) -> None:
    starter.may_go_on.clear()
    asked = [ask(REQUEST), ask(replace(REQUEST, fixture="conftest.py::other"))]
    for _ in asked:
        assert starter.entered.acquire(timeout=PATIENCE)
    starter.may_go_on.set()
    assert {answer(each) for each in asked} == {Started("ns", "db", "uid-1"), Started("ns", "db", "uid-2")}


def test_the_starter_is_made_for_the_first_pod_and_not_before() -> None:
    made: list[FakeStarter] = []

    def make() -> FakeStarter:
        made.append(FakeStarter())
        return made[-1]

    hub = Hub(make)
    assert not made
    wire.ask(hub.door.to_input(), REQUEST)
    wire.ask(hub.door.to_input(), replace(REQUEST, fixture="another"))
    assert len(made) == 1
    hub.close()
    assert made[0].removed == ["conftest.py::db", "another"]


def test_a_killed_worker_takes_no_start_with_it(hub: Hub, starter: FakeStarter, ask: Ask) -> None:
    """Its connection ends in the middle; the start goes on, and who takes its place gets the pod."""
    starter.may_go_on.clear()
    killed = hub.door.connect()
    killed.sendall(wire.dump(REQUEST, token=hub.door.token))
    assert starter.entered.acquire(timeout=PATIENCE)
    killed.close()
    instead = ask(REQUEST)
    starter.may_go_on.set()
    assert answer(instead) == Started("ns", "db", "uid-1")
    assert len(starter.begun) == 1


# --- what must be equal ----------------------------------------------------------------------------------------------


def changed(change: Callable[[Any], None]) -> Request:
    document = json.loads(POD)
    change(document)
    return replace(REQUEST, pod=json.dumps(document))


def test_a_made_up_name_is_no_difference(ask: Ask) -> None:
    first = answer(ask(REQUEST))
    assert answer(ask(changed(lambda pod: pod["metadata"].update(name="pod-1234")))) == first


def test_another_description_is_refused_by_its_field_and_without_its_value(
    starter: FakeStarter, ask: Ask
) -> None:
    answer(ask(REQUEST))
    other = changed(lambda pod: pod["spec"]["containers"][0].update(env=[{"name": "A", "value": "s3cret"}]))
    refused = answer(ask(other))
    assert isinstance(refused, Failed)
    assert "cannot share the pod of conftest.py::db" in refused.message
    assert "(spec.containers[0].env)" in refused.message
    assert "s3cret" not in refused.message
    assert len(starter.begun) == 1


@pytest.mark.parametrize(
    ("other", "where"),
    [
        (changed(lambda pod: pod["spec"]["containers"].append({"name": "two"})), "spec.containers"),
        (changed(lambda pod: pod["spec"]["containers"][0].update(image="y")), "spec.containers[0].image"),
        (replace(REQUEST, objects=[{"kind": "Secret", "data": {"a": "Yg=="}}]), "objects"),
        (replace(REQUEST, engine="tcp://elsewhere"), "engine"),
    ],
)
def test_where_two_descriptions_differ(ask: Ask, other: Request, where: str) -> None:
    answer(ask(REQUEST))
    refused = answer(ask(other))
    assert isinstance(refused, Failed)
    assert f"({where})" in refused.message


# --- failures --------------------------------------------------------------------------------------------------------


def test_a_failed_start_fails_every_worker_once_and_for_all(starter: FakeStarter, ask: Ask) -> None:
    starter.failure = Failed("no such image", pod="ns/db", reason="Error", report=[["pod db", "its logs"]])
    assert [answer(ask(REQUEST)), answer(ask(REQUEST))] == [starter.failure, starter.failure]
    assert len(starter.begun) == 1


def test_an_error_that_nobody_foresaw_is_an_answer(starter: FakeStarter, ask: Ask) -> None:
    starter.error = ValueError("foreseen by nobody")
    failed = answer(ask(REQUEST))
    assert isinstance(failed, Failed)
    assert "foreseen by nobody" in failed.message


def test_a_starter_that_cannot_be_made() -> None:
    def make() -> FakeStarter:
        raise OSError("no engine")

    hub = Hub(make)
    answered = wire.ask(hub.door.to_input(), REQUEST)
    assert isinstance(answered, Failed)
    assert "no engine" in answered.message
    assert hub.close() is None


def test_a_stranger_without_the_token_gets_nothing(hub: Hub, starter: FakeStarter) -> None:
    with pytest.raises(CannotShareError, match="is gone"):
        wire.ask(Door(hub.door.address, "guessed").to_input(), REQUEST)
    assert starter.begun == []


@pytest.mark.parametrize(
    "line", [b"\n", b"GET / HTTP/1.1\r\n", b"[]\n", b'{"token": "x"}\n', b'{"token": 1, "x": 2}\n']
)
def test_what_is_no_request_ends_its_connection_alone(hub: Hub, ask: Ask, line: bytes) -> None:
    with hub.door.connect() as connection:
        connection.settimeout(PATIENCE)
        connection.sendall(line)
        with contextlib.suppress(ConnectionResetError):  # it did not read all of it
            assert connection.recv(1) == b""
    assert isinstance(answer(ask(REQUEST)), Started)


def test_the_token_is_in_no_repr(hub: Hub) -> None:
    assert hub.door.token not in repr(hub.door)


# --- the end ---------------------------------------------------------------------------------------------------------


def test_at_the_end_every_pod_is_removed_and_nobody_listens(hub: Hub, starter: FakeStarter, ask: Ask) -> None:
    answer(ask(REQUEST))
    assert hub.close(["uid-1"]) == {"uids": ["conftest.py::db"]}
    assert starter.failed == ["uid-1"]
    with pytest.raises(CannotShareError, match="cannot be reached"):
        wire.ask(hub.door.to_input(), REQUEST)
    assert hub.close() is None
    assert starter.removed == ["conftest.py::db"]


def test_an_interrupt_ends_a_start_and_whoever_waits_for_it(hub: Hub, starter: FakeStarter, ask: Ask) -> None:
    starter.may_go_on.clear()
    asked = [ask(REQUEST), ask(REQUEST)]
    assert starter.entered.acquire(timeout=PATIENCE)
    hub.refuse()
    for each in asked:
        answered = answer(each)
        assert isinstance(answered, Failed)
        assert "the run is over" in answered.message
    assert starter.aborted
    assert answer(ask(replace(REQUEST, fixture="another"))) == answered
    hub.close()
    assert starter.removed == []


def test_after_an_interrupt_pods_that_are_up_stay_until_the_end(
    hub: Hub, starter: FakeStarter, ask: Ask
) -> None:
    answer(ask(REQUEST))
    hub.refuse()
    assert starter.up == ["conftest.py::db"]
    hub.close()
    assert starter.up == []


def test_closing_gives_up_a_start_that_had_nothing_to_stop_yet(
    hub: Hub, starter: FakeStarter, ask: Ask
) -> None:
    starter.may_go_on.clear()
    ask(REQUEST)
    assert starter.entered.acquire(timeout=PATIENCE)
    aborted = threading.Semaphore(0)
    starter.abort = aborted.release  # type: ignore[method-assign]
    closing = threading.Thread(target=hub.close)
    closing.start()
    for _ in range(2):
        assert aborted.acquire(timeout=PATIENCE)
    starter.may_go_on.set()
    closing.join(PATIENCE)
    assert not closing.is_alive()


def test_closing_waits_for_a_start_that_is_under_way(hub: Hub, starter: FakeStarter, ask: Ask) -> None:
    """One that is not seen by `abort` any more must be removed all the same."""
    starter.may_go_on.clear()
    ask(REQUEST)
    assert starter.entered.acquire(timeout=PATIENCE)
    starter.abort = lambda: None  # type: ignore[method-assign]
    closing = threading.Thread(target=hub.close)
    closing.start()
    assert closing.is_alive()
    assert starter.removed == []
    starter.may_go_on.set()
    closing.join(PATIENCE)
    assert not closing.is_alive()
    assert starter.removed == ["conftest.py::db"]


def test_a_controller_that_is_killed_is_noticed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its process is gone, and with it the socket: no time-out is waited for, and no file is left."""
    body = (
        "import time\n"
        "from pypod.pytest.hub import Hub\n"
        "class Slow:\n"
        "    def start(self, request): print('begun', flush=True); time.sleep(60)\n"
        "hub = Hub(Slow)\n"
        "print(hub.door.address, hub.door.token, flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", body], stdout=subprocess.PIPE, text=True) as controller:
        assert controller.stdout is not None
        door = Door(*controller.stdout.readline().split())
        with ThreadPoolExecutor(1) as workers:
            asked = workers.submit(wire.ask, door.to_input(), REQUEST)
            assert controller.stdout.readline() == "begun\n"
            controller.kill()
            with pytest.raises(CannotShareError, match=r"is gone|cannot be reached"):
                asked.result(PATIENCE)
    with pytest.raises(CannotShareError, match="cannot be reached"):
        wire.ask(door.to_input(), REQUEST)


def test_a_controller_that_does_not_answer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "PATIENCE", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        door = Door(f"127.0.0.1:{deaf.getsockname()[1]}", "token")
        with pytest.raises(CannotShareError, match=r"no answer in 0\.1 s"):
            wire.ask(door.to_input(), replace(REQUEST, timeout=0.05))


# --- what is refused -------------------------------------------------------------------------------------------------


def test_a_worker_is_told_why_it_can_share_nothing() -> None:
    with pytest.raises(CannotShareError, match="on another machine"):
        wire.ask(wire.closed("worker gw0 runs on another machine"), REQUEST)
    with pytest.raises(CannotShareError, match="does not load the pypod plugin"):
        wire.ask(None, REQUEST)


# --- in a controller -------------------------------------------------------------------------------------------------


class FakeConfig:
    """As much of `pytest.Config` as the hub asks for."""

    def __init__(self) -> None:
        self.stash = pytest.Stash()
        self.pluginmanager = self
        self.plugins: list[Any] = []
        self.cleanups: list[Callable[[], None]] = []

    def register(self, plugin: object) -> None:
        self.plugins.append(plugin)

    def add_cleanup(self, step: Callable[[], None]) -> None:
        self.cleanups.append(step)


def node(config: FakeConfig, spec: str) -> Any:
    return SimpleNamespace(config=config, gateway=SimpleNamespace(id="gw0", spec=execnet.XSpec(spec)))


@pytest.fixture
def config() -> Iterator[FakeConfig]:
    made = FakeConfig()
    yield made
    for step in made.cleanups:
        step()


def test_every_worker_is_told_of_one_hub(config: FakeConfig) -> None:
    told = [hubs.for_worker(node(config, spec)) for spec in ("popen", "popen//python=python3", "popen//id=x")]
    assert told[0] == told[1] == told[2]
    assert told[0] == config.stash[current.HUB].door.to_input()


@pytest.mark.parametrize("spec", ["ssh=elsewhere", "socket=10.0.0.1:8888", "popen//via=elsewhere"])
def test_a_worker_that_may_be_on_another_machine_is_told_why_it_can_share_nothing(
    config: FakeConfig, spec: str
) -> None:
    told = hubs.for_worker(node(config, spec))
    assert current.HUB not in config.stash
    with pytest.raises(
        CannotShareError, match=r"worker gw0 is started by way of .*, and may be on another machine"
    ):
        wire.ask(told, REQUEST)


def test_ctrl_c_is_heard_by_the_hub_and_so_is_the_end_of_a_run_that_had_none(config: FakeConfig) -> None:
    told = hubs.for_worker(node(config, "popen"))
    (guard,) = config.plugins
    guard.pytest_keyboard_interrupt()
    answered = wire.ask(told, REQUEST)
    assert isinstance(answered, Failed)
    assert "the run is over" in answered.message
    config.cleanups[0]()
    with pytest.raises(CannotShareError, match="cannot be reached"):
        wire.ask(told, REQUEST)


@pytest.mark.parametrize("scope", ["function", "class", "module", "package"])
def test_only_pods_of_a_session_are_shared(scope: Any) -> None:
    with pytest.raises(ValueError, match=f"cannot share a pod of scope '{scope}'"):
        pod_fixture("db.yaml", scope=scope, shared=True)


def test_a_pool_is_not_shared() -> None:
    with pytest.raises(ValueError, match="pool=2"):
        pod_fixture("db.yaml", scope="session", shared=True, pool=2)
