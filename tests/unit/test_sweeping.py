"""What is removed of networks that nobody is on any more."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from pypod import sweeping
from pypod.engine.sync import PodSync
from pypod.errors import ConflictError, EngineError, EngineUnavailableError
from pypod.model import naming
from pypod.model.life import abandoned
from pypod.model.naming import Owner
from pypod.model.wiring.requests import NetworkRequest
from pypod.model.wiring.state import NetworkInfo
from pypod.testing import FakeClock, FakeEngine
from tests.unit.rig import SPEC, pause_of, settle, sync_of

NOW = 10_000.0
ALIVE, DEAD, ELSEWHERE = (Owner("boot", 1, pid, 100) for pid in (10, 11, 12))
LIVES = {ALIVE: True, DEAD: False}
OLD = NOW - abandoned.NEVER_STARTED_AGE - 1


def network(labels: str | None, created_at: float = OLD, owner: Owner | None = None) -> NetworkInfo:
    found = {} if labels is None else naming.network_labels(labels, owner)
    return NetworkInfo(f"id-{labels}", f"name-{labels}", "bridge", (), found, created_at)


@pytest.mark.parametrize(
    ("sentence", "found", "used", "goes"),
    [
        ("nobody is on it", network("ci"), set(), True),
        ("a pod is on it", network("ci"), {"ci"}, False),
        ("a pod is on another one", network("ci"), {"other"}, True),
        ("it is new: its first pod may be coming", network("ci", NOW - 599), set(), False),
        ("it is new, and who made it is gone", network("ci", NOW - 1, DEAD), set(), True),
        ("a pod is on it, of whoever made it", network("ci", NOW - 1, DEAD), {"ci"}, False),
        ("it is new, and who made it lives", network("ci", NOW - 1, ALIVE), set(), False),
        ("it is new, and who made it cannot be seen", network("ci", NOW - 1, ELSEWHERE), set(), False),
        ("who made it lives, and it is old", network("ci", OLD, ALIVE), set(), True),
        ("the flat one", network(""), set(), False),
        ("the flat one, whoever made it", network("", NOW - 1, DEAD), set(), False),
        ("somebody else's", network(None), set(), False),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_which_networks_are_of_nobody(sentence: str, found: NetworkInfo, used: set[str], goes: bool) -> None:
    left = abandoned.unused_networks([found], used, NOW, is_alive=LIVES.get)
    assert left == ([found] if goes else []), sentence


@pytest.fixture
def engine() -> FakeEngine:
    """Its time is the machine's, as a sweep's is."""
    fake = FakeEngine(FakeClock(time.time() - 3600))
    fake.add_image("app:1")
    for number, name in enumerate(("ci", "other", "")):
        fake.create_network(
            NetworkRequest(naming.network_name(name), f"10.9{number}.0.0/20", naming.network_labels(name))
        )
    return fake


def networks(engine: FakeEngine) -> list[str]:
    return [found.name for found in engine.networks() if found.name not in ("bridge", "host", "none")]


def pod_on(engine: FakeEngine, name: str) -> PodSync:
    pod = sync_of(engine, replace(SPEC, network=name))
    settle(pod)
    return pod


def test_those_of_nobody_are_removed_and_told(engine: FakeEngine) -> None:
    pod_on(engine, "other")
    assert sweeping.sweep(engine)[-1] == sweeping.Swept("network pypod_ci", "no pod is on it")
    assert networks(engine)[-1] == "pypod"
    assert "pypod_ci" not in networks(engine)


def test_a_pod_that_does_not_run_keeps_its_own(engine: FakeEngine) -> None:
    pod_on(engine, "other")
    engine.kill_container(pause_of(engine).id)
    assert sweeping.sweep_networks(engine) == ["pypod_ci"]
    assert networks(engine) == ["pypod_other", "pypod"]


def test_one_that_the_engine_keeps_stays_and_the_others_go(engine: FakeEngine) -> None:
    [first, _, _] = [found.id for found in engine.networks() if found.labels]
    active = ConflictError("remove network", "ci", "has active endpoints", status=403)
    engine.inject("remove_network", active, target=first)
    assert sweeping.sweep_networks(engine) == ["pypod_other"]
    engine.inject("remove_network", EngineError("remove network", "ci", "plugin is gone"), target=first)
    assert sweeping.sweep_networks(engine) == []
    assert sweeping.sweep_networks(engine) == ["pypod_ci"]


def test_an_engine_that_goes_away_is_raised(engine: FakeEngine) -> None:
    engine.inject("remove_network", EngineUnavailableError("remove network", "ci", "refused"))
    with pytest.raises(EngineUnavailableError):
        sweeping.sweep_networks(engine)
