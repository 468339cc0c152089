"""Locks of one user on this machine, on files: each goes with the process that holds it, however that ends. Nothing is ever written
in them."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from pypod.engine.clock import SYSTEM, tries

if sys.platform != "win32":
    import fcntl

log = logging.getLogger(__name__)

POLL = 0.001
LONGEST_POLL = 0.02
"""Seconds between tries: the kernel's own waiting knows no limit of time."""


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
    """Whether the lock on an open file is this process' from now on, until the file is closed. On Windows it never is."""
    if sys.platform == "win32":
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


class NamedLocks:
    """A lock for each of any number of names, all on one file: the lock of a name is on one byte of it, far behind its end.

    These are POSIX record locks. A process has each once, whichever of its threads asked, so threads are kept apart by who uses it;
    a forked child has none of its parent's; and a process loses all that it has on a file when it closes any descriptor of it. So
    what is opened here is never closed.

    Args:
        file_name: in the state directory.
    """

    def __init__(self, file_name: str) -> None:
        self._file_name = file_name
        self._files: dict[tuple[int, Path], int] = {}

    @contextlib.contextmanager
    def held(self, name: str, seconds: float) -> Iterator[bool]:
        """Wait until no other process has the lock of a name, and have it in the block.

        Args:
            seconds: to wait at most.

        Returns:
            Whether it is held: not when time was up, nor where there are no locks (Windows, a home that cannot be written).
        """
        byte = int.from_bytes(hashlib.sha256(name.encode()).digest()[:7], "big")
        try:
            file = self._file()
            is_held = any(_try_byte(file, byte) for _ in tries(SYSTEM, seconds, POLL, LONGEST_POLL))
        except OSError as error:
            log.debug("cannot lock %s for %s: %s", self._file_name, name, error)
            yield False
            return
        try:
            yield is_held
        finally:
            if is_held:
                _leave_byte(file, byte)

    def _file(self) -> int:
        """The descriptor: this process' own; of two threads that open it at once one is the first."""
        path = state_directory() / self._file_name
        key = (os.getpid(), path)
        if key not in self._files:
            self._files.setdefault(key, os.open(path, os.O_RDWR | os.O_CREAT, 0o644))
        return self._files[key]


def _try_byte(file: int, byte: int) -> bool:
    if sys.platform == "win32":
        raise OSError("there are no locks")
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, byte)
    except (BlockingIOError, PermissionError):  # POSIX leaves it to the system which one it is
        return False
    return True


def _leave_byte(file: int, byte: int) -> None:
    if sys.platform != "win32":
        fcntl.lockf(file, fcntl.LOCK_UN, 1, byte)
