"""The places in which pods stay between the runs of one project: one run at a time is in each.

A place is a run's ID that does not change from run to run, and with it namespaces and a network that do not. So all that holds of a
run's pods holds with ``--pypod-reuse`` too: they find each other by their names, and those of another run do not see them. A second
run at the same time is in a second place, and its pods stay there.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from pypod.engine.locks import state_directory, try_lock, unlock
from pypod.engine.owner import current_owner

PREFIX = "reuse"


@dataclass(frozen=True, slots=True)
class Slot:
    """A place that this process is in.

    Attributes:
        run_id: of every run in it.
        file: whose lock says that it is taken; None where there are no locks.
    """

    run_id: str
    file: IO[str] | None = None

    def leave(self) -> None:
        """It is free for another run."""
        if self.file is not None:
            unlock(self.file)


def take(root: Path) -> Slot:
    """The first place of a project that no other run is in.

    Args:
        root: pytest's root directory, by which a project is known.

    Raises:
        OSError: there is no place for locks, or its file system has none.
    """
    project = project_id(root)
    if sys.platform == "win32":  # there are no locks: two runs at once share their pods
        return Slot(_run_id(project, 1))
    for number in itertools.count(1):
        run_id = _run_id(project, number)
        file = (state_directory() / f"pytest-{run_id}.lock").open("a")
        try:
            is_ours = try_lock(file)
        except OSError:
            file.close()
            raise
        if is_ours:
            return Slot(run_id, file)
        file.close()
    raise AssertionError("numbers do not end")


def _run_id(project: str, number: int) -> str:
    """No one is the beginning of another one, since that is how a run's things are known."""
    return f"{PREFIX}{'' if number == 1 else number}-{project}"


def project_id(root: Path) -> str:
    """Of a project, for those who can see each other: the same user, boot and process ID namespace. The lock reaches no others, so
    a suite that runs in a new container each time, or on another machine with the same engine, has places of its own."""
    here = current_owner()
    user = os.getuid() if hasattr(os, "getuid") else 0
    known = f"{here.boot_id}\n{here.pid_namespace}\n{user}\n{root.resolve()}"
    return hashlib.sha256(known.encode()).hexdigest()[:8]
