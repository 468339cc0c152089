"""Of sandboxes that come to an isolated network and leave it at the same moment, one at a time."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from pypod.engine import gate, locks
from pypod.engine.sync import PodSync
from pypod.engine.teardown import Teardown
from pypod.errors import ConflictError
from pypod.model.life.desired import Desired
from pypod.model.naming import PodIdentity, PodKey
from pypod.model.spec.pod import Container, PodSpec
from pypod.testing import FakeEngine
from tests.unit.rig import IDENTITY, settle

PATIENCE = 20.0
MEETING = 0.1
"""Seconds for which one that comes or goes waits for another one to do it at the same time."""


class Miscounting(FakeEngine):
    """As 20.10: sandboxes that come or go at the same moment make it count a network's endpoints wrong, and it removes none."""

    def __init__(self) -> None:
        super().__init__()
        self.add_image("app:1")
        self.meeting = threading.Barrier(2)
        self.is_wrong = False

    def start_container(self, container: str) -> None:
        super().start_container(container)
        if "_pause_" in container:
            self._comes_or_goes()

    def remove_container(self, container: str) -> None:
        leaves = "_pause_" in self.container(container).name
        super().remove_container(container)
        if leaves:
            self._comes_or_goes()

    def _comes_or_goes(self) -> None:
        try:
            self.meeting.wait(MEETING)
        except threading.BrokenBarrierError:
            self.meeting.reset()
        else:
            self.is_wrong = True

    def remove_network(self, network: str) -> None:
        if self.is_wrong:
            raise ConflictError("remove network", network, "has active endpoints", status=403)
        super().remove_network(network)


def pods_on(engine: FakeEngine, network: str) -> list[PodSync]:
    found = []
    for name in ("one", "two"):
        spec = PodSpec(name, (Container("web", "app:1"),), network=network)
        identity = PodIdentity(PodKey("default", name, f"{name}-0123456789"), IDENTITY.owner, leased=True)
        found.append(PodSync(engine, Desired(spec, identity), clock=engine.clock))
        engine.add_image("app:1")
    return found


def at_once(tasks: list[Callable[[], object]]) -> None:
    raised: list[BaseException] = []

    def run(task: Callable[[], object]) -> None:
        try:
            task()
        except BaseException as error:
            raised.append(error)

    threads = [threading.Thread(target=run, args=(task,), daemon=True) for task in tasks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
        assert not thread.is_alive()
    assert raised == []


@pytest.mark.parametrize("network", ["ci", ""], ids=["isolated", "flat"])
def test_sandboxes_come_to_an_isolated_network_and_leave_it_one_by_one(network: str) -> None:
    """The flat one is never removed, and need not be counted right."""
    engine = Miscounting()
    pods = pods_on(engine, network)
    pods[0].run_once()  # the pause image, and the network
    at_once([lambda pod=pod: settle(pod) for pod in pods])  # type: ignore[misc]
    assert all(pod.refresh().ready_count == 1 for pod in pods)
    at_once(
        [
            Teardown(engine, pod.desired.identity.key, clock=engine.clock, spec=pod.desired.spec).run
            for pod in pods
        ]
    )
    assert engine.containers({}) == []
    assert engine.is_wrong == (network == "")
    left = {found.name for found in engine.networks()} - {"bridge", "host", "none"}
    assert left == ({"pypod"} if network == "" else set())


def test_one_that_hangs_does_not_hold_up_everybody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "PATIENCE", 0.01)
    network = gate.Gate("ci")
    entered: list[str] = []
    with network.alone():
        at_once([lambda: enter(network, entered)])
        assert entered == ["it goes on"]
    with network.alone():
        pass


def enter(network: gate.Gate, entered: list[str]) -> None:
    with network.alone():
        entered.append("it goes on")


def test_two_engines_of_one_process_do_not_take_each_others_lock_away() -> None:
    """They may be the same one, of which somebody has two objects; and a process has a lock of a file's once."""
    one, two, entered = FakeEngine(), FakeEngine(), list[str]()
    first, second = gate.of(one, "ci"), gate.of(two, "ci")
    assert first is not None
    assert second is not None
    with first.alone():
        waiting = threading.Thread(target=enter, args=(second, entered), daemon=True)
        waiting.start()
        waiting.join(MEETING)
        assert entered == []
    waiting.join(PATIENCE)
    assert entered == ["it goes on"]


def test_each_network_of_each_engine_has_one() -> None:
    one, two = FakeEngine(), FakeEngine()
    assert gate.of(one, "") is None
    assert gate.of(one, "ci") is gate.of(one, "ci")
    assert len({id(gate.of(engine, name)) for engine in (one, two) for name in ("ci", "other")}) == 4


OTHER = """\
import sys
from pypod.engine import gate, locks
with gate.Gate(sys.argv[1]).alone():
    print("in", flush=True)
    sys.stdin.read()
"""


def other_process(network: str) -> subprocess.Popen[str]:
    """One that is in the gate of a network until its input ends."""
    child = subprocess.Popen(
        [sys.executable, "-c", OTHER, network], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "in\n"
    return child


def test_another_process_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    with other_process("ci") as child:
        assert child.stdin is not None
        entered: list[str] = []
        with gate.Gate("other").alone():
            entered.append("another network's is open")
        monkeypatch.setattr(gate, "PATIENCE", 0.01)
        enter(gate.Gate("ci"), entered)
        assert entered == ["another network's is open", "it goes on"]
        monkeypatch.setattr(gate, "PATIENCE", PATIENCE)
        waiting = threading.Thread(target=enter, args=(gate.Gate("ci"), entered), daemon=True)
        waiting.start()
        waiting.join(MEETING)
        assert waiting.is_alive()
        child.stdin.close()
        waiting.join(PATIENCE)
        assert not waiting.is_alive()
    assert_is_free("ci")


def assert_is_free(network: str) -> None:
    with locks.NamedLocks("networks.lock").held(network, 0, 0) as is_held:
        assert is_held


def test_a_gate_goes_with_its_process() -> None:
    with other_process("ci") as child:
        child.kill()
        child.wait(PATIENCE)
    assert_is_free("ci")


def test_without_a_place_for_locks_threads_are_kept_apart(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    assert_goes_on()
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setattr(Path, "home", nobodys)
    assert_goes_on()


def nobodys() -> Path:
    raise RuntimeError("Could not determine home directory.")


def assert_goes_on() -> None:
    found, entered = locks.NamedLocks("networks.lock"), list[bool]()
    with found.held("ci", 0, 0) as is_held:
        assert not is_held
        waiting = threading.Thread(target=note_held, args=(found, entered), daemon=True)
        waiting.start()
        waiting.join(MEETING)
        assert entered == []
    waiting.join(PATIENCE)
    assert entered == [False]


def note_held(found: locks.NamedLocks, entered: list[bool]) -> None:
    with found.held("ci", PATIENCE, PATIENCE) as is_held:
        entered.append(is_held)
