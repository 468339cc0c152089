"""Locks by name, between threads and between processes."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import pytest

from pypod.engine import locks
from pypod.engine.locks import NamedLocks
from pypod.pytest import slots

fcntl = pytest.importorskip("fcntl", reason="there are no locks on Windows")
PATIENCE = 20.0

OTHER = """\
import sys
from pathlib import Path
from pypod.engine.locks import NamedLocks
from pypod.pytest import slots
with NamedLocks("some.lock").held("ci", 20, 20) as is_held:
    Path(sys.argv[1]).write_text(f"{is_held}")
    print("in", flush=True)
    sys.stdin.readline()
"""


class Other:
    """Another process, that has the lock or waits for it."""

    def __init__(self, seen: Path, script: str) -> None:
        self.seen = seen
        self.process = subprocess.Popen(
            [sys.executable, "-c", script, str(seen)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def wait_until_in(self) -> None:
        assert pipe(self.process.stdout).readline() == "in\n"

    def leave(self) -> None:
        self.process.communicate("\n", PATIENCE)
        assert self.process.returncode == 0

    def end(self) -> None:
        self.process.kill()
        self.process.communicate()


def pipe(found: IO[str] | None) -> IO[str]:
    assert found is not None
    return found


@pytest.fixture(autouse=True)
def state(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state" / "pypod"


Starter = Callable[..., Other]


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Starter]:
    """Makes other processes, that end with the test."""
    every: list[Other] = []

    def start(script: str = OTHER) -> Other:
        every.append(Other(tmp_path / f"seen-{len(every)}", script))
        return every[-1]

    yield start
    for other in every:
        other.end()


@pytest.fixture
def other(started: Starter) -> Other:
    """Another process that has the lock."""
    found = started()
    found.wait_until_in()
    return found


def can_have(found: NamedLocks, name: str = "ci") -> bool:
    """Whether it can be had at once."""
    with found.held(name, 0, 0) as is_held:
        return is_held


def on_thread(found: NamedLocks) -> bool:
    """The same of another thread, which must not wait for ever."""
    answers: list[bool] = []
    thread = threading.Thread(target=lambda: answers.append(can_have(found)), daemon=True)
    thread.start()
    thread.join(PATIENCE)
    return answers == [True]


def wait_until_next(file: int, name: str) -> None:
    """Until another process is the next to have the lock."""
    end = time.monotonic() + PATIENCE
    turn = locks._own_byte(name) - 1
    while locks._try_byte(file, turn):
        locks._leave(file, turn)
        assert time.monotonic() < end
        time.sleep(0.001)


def test_who_leaves_and_comes_again_comes_after_who_waited(started: Starter) -> None:
    found = NamedLocks("some.lock")
    with found.held("ci", 0, 0) as is_held:
        assert is_held
        other, file = started(), found._file()
        assert file is not None
        wait_until_next(file, "ci")
    pipe(other.process.stdin).write("\n")
    pipe(other.process.stdin).flush()
    with found.held("ci", PATIENCE, PATIENCE) as is_held:
        assert is_held
        assert other.seen.read_text() == "True"


STOPPED = """\
import sys
from pypod.engine import locks
found = locks.NamedLocks("some.lock")
assert locks._try_byte(found._file(), locks._own_byte("ci") - 1)
print("in", flush=True)
sys.stdin.readline()
"""


def test_one_that_is_next_and_was_stopped_holds_nobody_up_for_ever(started: Starter) -> None:
    started(STOPPED).wait_until_in()
    found = NamedLocks("some.lock")
    with found.held("ci", 0, 0) as is_held:
        assert is_held


def test_names_do_not_wait_for_each_other(other: Other) -> None:
    found = NamedLocks("some.lock")
    assert not can_have(found)
    assert can_have(found, "another")
    other.leave()
    assert can_have(found)


def test_it_stays_the_same_file_while_home_is_another_one(
    other: Other, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    found = NamedLocks("some.lock")
    assert not can_have(found)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "of a test"))
    assert not can_have(found)
    assert not (tmp_path / "of a test").exists()


def test_a_file_that_was_removed_is_made_again(other: Other, started: Starter, state: Path) -> None:
    found = NamedLocks("some.lock")
    assert not can_have(found)
    (state / "some.lock").unlink()
    assert can_have(found)
    started().wait_until_in()
    assert not can_have(found)
    (state / "some.lock").unlink()
    state.rmdir()
    assert can_have(found)
    assert (state / "some.lock").exists()


def test_a_descriptor_that_somebody_closed_is_opened_again(tmp_path: Path) -> None:
    """As who becomes a daemon does, with all that there are; and others may have its number by then."""
    found = NamedLocks("some.lock")
    assert can_have(found)
    file = found._file()
    assert file is not None
    os.close(file)
    assert can_have(found)
    file = found._file()
    assert file is not None
    instead = os.open(tmp_path / "instead", os.O_WRONLY | os.O_CREAT)
    os.dup2(instead, file)
    assert can_have(found)
    assert found._file() not in (file, None)
    os.close(instead)
    os.close(file)


FORK = """\
import os
from pypod.engine.locks import NamedLocks
def a_child_can_have(found):
    child = os.fork()
    if child == 0:
        with found.held("ci", 0, 0) as is_held:
            os._exit(int(is_held))
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1
found = NamedLocks("some.lock")
with found.held("ci", 0, 0) as is_held:
    assert is_held
    assert not a_child_can_have(found)
    assert not a_child_can_have(NamedLocks("some.lock"))  # and the first one's end has taken nothing away
assert a_child_can_have(found)
"""


def run(script: str, *words: str) -> None:
    """In a process without threads, which may be forked."""
    done = subprocess.run(
        [sys.executable, "-c", script, *words], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_forked_child_has_none_of_its_parents() -> None:
    run(FORK)


@pytest.mark.parametrize("where", ["_take", "_leave"])
def test_an_interrupt_leaves_nothing_locked(
    where: str, monkeypatch: pytest.MonkeyPatch, started: Starter
) -> None:
    found, real = NamedLocks("some.lock"), getattr(locks, where)

    def interrupted(*words: object) -> object:
        real(*words)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(locks, where, interrupted)
        with pytest.raises(KeyboardInterrupt), found.held("ci", 0, 0):
            pass
    other = started()
    other.wait_until_in()
    assert other.seen.read_text() == "True"
    other.leave()
    assert on_thread(found)


def test_who_was_interrupted_enters_again() -> None:
    """The block that an interrupt fell upon lives as long as its traceback."""
    found = NamedLocks("some.lock")
    left = found.held("ci", 0, 0)
    left.__enter__()
    assert can_have(found)
    left.__exit__(None, None, None)
    assert on_thread(found)


def test_a_lock_that_cannot_be_given_back_undoes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    real = fcntl.lockf

    def lost(file: int, command: int, *rest: int) -> None:
        if command == fcntl.LOCK_UN:
            raise OSError(5, "the server is gone")
        real(file, command, *rest)

    monkeypatch.setattr(fcntl, "lockf", lost)
    done = []
    with NamedLocks("some.lock").held("ci", 0, 0) as is_held:
        done.append(is_held)
    assert done == [True]


def test_a_file_system_without_locks_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(fcntl, "lockf", refused)
    assert not can_have(NamedLocks("some.lock"))


FORK_OF_A_FILE = """\
import os, sys
from pypod.engine.locks import try_lock, unlock
first, second = open(sys.argv[1], "a"), open(sys.argv[1], "a")
assert try_lock(first)
ready, told = os.pipe()
child = os.fork()
if child == 0:
    os.close(told)
    os.read(ready, 1)
    os._exit(0)
assert not try_lock(second)
unlock(first)
assert first.closed
assert try_lock(second)
unlock(second)
os.close(told)
os.waitpid(child, 0)
"""


def test_a_lock_of_a_file_is_not_kept_by_a_child(tmp_path: Path) -> None:
    """It has the file open as long as it lives."""
    run(FORK_OF_A_FILE, str(tmp_path / "of a file"))


def test_on_a_file_system_without_locks_nobody_has_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Who takes it for somebody else's would look for another one without an end."""

    def refused(*_: object) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refused)
    with pytest.raises(OSError, match="No locks available"):
        slots.take(tmp_path)
