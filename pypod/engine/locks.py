"""Locks of one user on this machine, on files: each goes with the process that holds it, however that ends. Nothing is ever written
in them."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import logging
import os
import random
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

if sys.platform != "win32":
    import fcntl

log = logging.getLogger(__name__)

POLL = 0.004
"""Seconds between tries of the one who is next, at most: the kernel's own waiting knows no limit of time."""
TURN_POLL = 0.02
"""The same of all others. How long each pause is, is left to chance, or who has just left would be back before the others look."""
_chance = random.SystemRandom()
"""Not the `random` module's own, whose row of numbers tests may have set, and which a forked child would go on with."""


def state_directory() -> Path:
    """Where locks and the background program's log are: ``$XDG_STATE_HOME/pypod``, made when missing.

    Raises:
        OSError: it cannot be made, or this user has no home.
    """
    base = os.environ.get("XDG_STATE_HOME")
    try:
        path = Path(base or Path.home() / ".local" / "state") / "pypod"
    except RuntimeError as error:  # a user ID of a container that no passwd file knows, and no HOME
        raise FileNotFoundError(errno.ENOENT, f"cannot have a state directory: {error}") from None
    path.mkdir(parents=True, exist_ok=True)
    return path


def try_lock(file: IO[str]) -> bool:
    """Whether the lock on an open file is this process' from now on, until `unlock`, or its end. On Windows it never is.

    Raises:
        OSError: the file system has no locks, so nobody can have it.
    """
    if sys.platform == "win32":
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def unlock(file: IO[str]) -> None:
    """Give the lock of `try_lock` back, where it is had, and close the file. To close it would not be enough: a child that was forked
    meanwhile has it open still, and the lock with it."""
    with file:
        if sys.platform != "win32":
            with contextlib.suppress(OSError):  # a file system without locks
                fcntl.flock(file, fcntl.LOCK_UN)


class NamedLocks:
    """A lock for each of any number of names, all on one file: one thread of one of this user's processes has it at a time.

    Each name has two bytes of the file, far behind its end: whoever has the second one has the lock, and whoever has the first is
    next. Without that, who leaves and comes again is back before those who poll have looked: of 8 processes that wanted a lock over
    and over, for 50 ms each, three had it once in 6 s, and one 59 times.

    These are POSIX record locks. A process has each once, whichever of its threads asked, so they are kept apart before that; a
    forked child has none of its parent's; and a process loses all that it has on a file when it closes any descriptor of it. So
    what is opened here is never closed.

    Args:
        file_name: in the state directory.
    """

    def __init__(self, file_name: str) -> None:
        self._file_name = file_name
        self._opened: tuple[int, Path, int] | None = None
        self._threads: dict[tuple[int, str], _Threads] = {}

    @contextlib.contextmanager
    def held(self, name: str, seconds: float, turn: float) -> Iterator[bool]:
        """Wait until no other thread and no other process has the lock of a name, and have it in the block. A thread that has it enters
        at once, as where an interrupt fell between two blocks.

        Args:
            seconds: to wait at most for the one who has it.
            turn: to wait at most until one is next. After that one pushes in: who is next may have been stopped (SIGSTOP).

        Returns:
            Whether it is held, between processes too: not when time was up, nor where there are no locks (Windows, a home that
            cannot be written).
        """
        threads = self._threads.setdefault((os.getpid(), name), _Threads())
        end = time.monotonic() + turn
        is_alone, file = False, None
        try:
            try:
                threads.next.acquire(timeout=turn)
                is_alone = threads.lock.acquire(timeout=seconds)
                file = self._file() if is_alone else None
                is_held = file is not None and _take(file, name, seconds, end - time.monotonic())
            finally:
                with contextlib.suppress(RuntimeError):  # it is not this thread's: time was up
                    threads.next.release()
            yield is_held
        finally:
            try:
                if file is not None:
                    _leave(file, _own_byte(name))
            finally:
                with contextlib.suppress(RuntimeError):
                    threads.lock.release()

    def _file(self) -> int | None:
        """The descriptor, this process' own; None: there can be none.

        It stays that of the first state directory: tests set HOME for a while. Where somebody has removed the file meanwhile, or closed
        what was not his, there is a new one.
        """
        try:
            if self._opened is not None:
                process, path, file = self._opened
                if process == os.getpid() and _is_at(file, path):
                    return file
            if self._opened is None or not path.exists():
                path = state_directory() / self._file_name
            file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            log.debug("cannot open %s: %s", self._file_name, error)
            return None
        self._opened = os.getpid(), path, file
        return file


class _Threads:
    """By which those of one process are kept apart: reentrant ones, since these know whose they are, also where an interrupt fell
    between their getting and the note of it."""

    def __init__(self) -> None:
        self.next, self.lock = threading.RLock(), threading.RLock()


def _is_at(file: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file), path.stat())
    except OSError:
        return False


def _own_byte(name: str) -> int:
    """The one before it is for who is next."""
    return 2 * int.from_bytes(hashlib.sha256(name.encode()).digest()[:7], "big") + 1


def _take(file: int, name: str, seconds: float, turn: float) -> bool:
    """Whether the lock of a name is this process' now."""
    own = _own_byte(name)
    try:
        _wait_for(file, own - 1, turn, TURN_POLL)
        return _wait_for(file, own, seconds, POLL)
    except OSError as error:  # a file system without them
        log.debug("cannot lock %s: %s", name, error)
        return False
    finally:
        _leave(file, own - 1)


def _wait_for(file: int, byte: int, seconds: float, longest_pause: float) -> bool:
    end = time.monotonic() + seconds
    while not _try_byte(file, byte):
        if time.monotonic() > end:
            return False
        time.sleep(_chance.uniform(0.0, longest_pause))
    return True


def _try_byte(file: int, byte: int) -> bool:
    if sys.platform == "win32":
        raise OSError("there are no locks")
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, byte)
    except (BlockingIOError, PermissionError):  # POSIX leaves it to the system which one it is
        return False
    return True


def _leave(file: int, byte: int) -> None:
    """What this process has not is left as well. It must not fail: what was done in between is done."""
    if sys.platform != "win32":
        try:
            fcntl.lockf(file, fcntl.LOCK_UN, 1, byte)
        except OSError as error:
            log.debug("cannot unlock: %s", error)
