"""Starting the background program: once, however many pods are started in a row."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pypod import background
from pypod.testing import FakeEngine

Spawned = list["subprocess.Popen[bytes]"]


@pytest.fixture
def spawned(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Spawned]:
    """Stands for the programs that are started: each runs until its standard input is closed, and takes no lock."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.delenv(background.SWITCH, raising=False)
    programs: Spawned = []

    def spawn(_engine: object) -> int:
        command = [sys.executable, "-c", "import sys; sys.stdin.read()"]
        programs.append(subprocess.Popen(command, stdin=subprocess.PIPE))
        return programs[-1].pid

    monkeypatch.setattr(background, "_spawn", spawn)
    yield programs
    for program in programs:
        program.communicate()


def test_one_that_is_being_started_is_not_started_again(spawned: Spawned) -> None:
    engine = FakeEngine()
    for _ in range(3):
        background.ensure_running(engine)
    assert len(spawned) == 1


def test_one_that_ended_at_once_is_started_again(spawned: Spawned) -> None:
    engine = FakeEngine()
    background.ensure_running(engine)
    spawned[0].communicate()
    background.ensure_running(engine)
    assert len(spawned) == 2


def test_one_that_does_not_get_its_lock_in_time_is_started_again(
    spawned: Spawned, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(background, "STARTING", 0.0)
    engine = FakeEngine()
    background.ensure_running(engine)
    background.ensure_running(engine)
    assert len(spawned) == 2


def test_each_engine_has_its_own(spawned: Spawned, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    engine = FakeEngine()
    background.ensure_running(engine)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "other"))
    background.ensure_running(engine)
    assert len(spawned) == 2


def test_the_switch_turns_it_off(spawned: Spawned, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(background.SWITCH, "0")
    background.ensure_running(FakeEngine())
    assert spawned == []
