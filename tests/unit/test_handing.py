"""Handing a detached pod over: what its journal does not tell was not handed over."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from pypod import handing
from pypod.engine import observe
from pypod.testing import FakeEngine
from tests.unit.rig import IDENTITY, SPEC, Loop, settle, sync_of


@pytest.fixture
def engine() -> FakeEngine:
    fake = FakeEngine()
    fake.add_image("app:1")
    return fake


@pytest.fixture
def started(engine: FakeEngine) -> Iterator[Loop]:
    """A detached pod whose starter has nothing more to do."""
    pod = sync_of(engine, SPEC, leased=False)
    pod.desired = replace(pod.desired, identity=replace(IDENTITY, leased=False, ttl=60.0))
    settle(pod)
    yield pod
    pod.channel.close()


def pauses(engine: FakeEngine) -> list[str]:
    return [info.name for info in engine.containers({}) if "_pause_" in info.name]


def test_the_journal_tells_it_and_until_when_it_stays(engine: FakeEngine, started: Loop) -> None:
    handing.hand_over(started, 60.0)
    (pause,) = pauses(engine)
    told = observe.read_history(engine, pause)
    assert told.handed_over
    assert told.kept_until == pytest.approx(engine.info().system_time + 60, abs=5)


def test_a_sandbox_that_dies_meanwhile_is_made_again_and_told_all(engine: FakeEngine, started: Loop) -> None:
    """Nobody else would: what was in the pipe to the old one is lost, and the starter lives."""
    (first,) = pauses(engine)
    engine.kill_container(first)
    handing.hand_over(started, 60.0)
    newest = pauses(engine)[-1]
    assert newest != first
    told = observe.read_history(engine, newest)
    assert told.handed_over
    assert told.kept_until is not None


def test_a_journal_that_takes_nothing_holds_nobody_up_for_ever(
    engine: FakeEngine, started: Loop, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(started.channel, "write", lambda *_: None)
    begin = engine.clock.now()
    handing.hand_over(started, None)
    assert handing.PATIENCE <= engine.clock.now() - begin < handing.PATIENCE + 1
    assert "its journal does not take what is written" in caplog.text
