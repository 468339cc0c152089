"""Locks of one user, on files: each goes with the process that holds it, however that ends. Nothing is ever written in them."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import IO

if sys.platform != "win32":
    import fcntl


def state_directory() -> Path:
    """Where locks and the background program's log are: ``$XDG_STATE_HOME/pypod``, made when missing."""
    base = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    path = Path(base) / "pypod"
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
