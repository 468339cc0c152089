"""Which process a pod belongs to, and whether it lives."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pypod.engine import owner
from pypod.model.naming import Owner

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="the evidence is in /proc, which only Linux has"
)


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(["sleep", "60"])
    yield process
    process.kill()
    process.wait()


def owner_of(pid: int) -> Owner:
    text = Path(f"/proc/{pid}/stat").read_text()
    return replace(owner.current_owner(), pid=pid, start_time=int(text.rpartition(")")[2].split()[19]))


def test_this_process_is_told_by_four_facts() -> None:
    here = owner.current_owner()
    assert here == owner_of(os.getpid())
    assert here.boot_id == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    assert here.pid_namespace == Path("/proc/self/ns/pid").stat().st_ino
    assert Owner.decode(here.encode()) == here


def test_this_process_lives() -> None:
    assert owner.is_alive(owner.current_owner()) is True


def test_another_process_lives_until_it_ends(child: subprocess.Popen[bytes]) -> None:
    other = owner_of(child.pid)
    assert owner.is_alive(other) is True
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert owner.is_alive(other) is False, "a zombie does not live"
    child.wait()
    assert owner.is_alive(other) is False


def test_a_pid_that_was_used_again_is_another_process(child: subprocess.Popen[bytes]) -> None:
    other = owner_of(child.pid)
    assert owner.is_alive(replace(other, start_time=other.start_time + 1)) is False


@pytest.mark.parametrize("change", [{"boot_id": "another"}, {"pid_namespace": 1}, {"boot_id": ""}])
def test_what_cannot_be_known_is_none(change: dict[str, object]) -> None:
    stranger = replace(owner.current_owner(), **change)  # type: ignore[arg-type]
    assert owner.is_alive(stranger) is None


def test_a_name_with_spaces_and_parentheses_is_read_past(monkeypatch: pytest.MonkeyPatch) -> None:
    stat = "42 (a ) Z (b) S 1 42 42 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 987654 9 9"
    here = owner.current_owner()
    monkeypatch.setattr(Path, "read_text", lambda path: stat)
    assert owner.is_alive(replace(here, pid=42, start_time=987654)) is True


def test_without_proc_nothing_is_comparable(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(path: Path) -> str:
        raise FileNotFoundError(path)

    monkeypatch.setattr(Path, "read_text", missing)
    monkeypatch.setattr(os, "getpid", lambda: 2**22 + 1)  # what is asked of /proc is kept by pid
    here = owner.current_owner()
    assert (here.boot_id, here.start_time) == ("", 0)
    assert owner.is_alive(here) is None
