"""The run of this process: made when the first pod is asked for, so that a suite without pods does not pay for them."""

from __future__ import annotations

import os
import secrets
from typing import TYPE_CHECKING, Any

import pytest

from pypod.pytest.options import Settings, read
from pypod.pytest.uses import SETUPS, Setups

if TYPE_CHECKING:
    from pypod.pytest.session import Run

SETTINGS = pytest.StashKey[Settings]()
RUN_ID = pytest.StashKey[str]()
RUN: pytest.StashKey[Run] = pytest.StashKey()

WORKER_INPUT = "pypod_run"
"""Under which the controller of pytest-xdist tells its workers the run's ID."""
ALONE = "main"
"""Stands for the worker's name where there is only one process."""


def configure(config: pytest.Config) -> None:
    """Read the options, and give the run its ID.

    Raises:
        pytest.UsageError: an option has no such value.
    """
    config.stash[SETTINGS] = read(config, os.environ)
    config.stash[SETUPS] = Setups()
    given = worker_input(config).get(WORKER_INPUT)
    config.stash[RUN_ID] = str(given) if given else secrets.token_hex(4)


def worker_input(config: pytest.Config) -> dict[str, Any]:
    """What pytest-xdist's controller told this worker; empty in a process that is none."""
    found: dict[str, Any] = getattr(config, "workerinput", {})
    return found


def worker_id(config: pytest.Config) -> str:
    """``gw0`` ...; ``main`` where there is only one process."""
    return str(worker_input(config).get("workerid", ALONE))


def run_of(config: pytest.Config) -> Run:
    """The run of this process; made here where there is none yet."""
    found = peek(config)
    if found is None:
        from pypod.pytest.session import Run  # noqa: PLC0415 (imports all of pypod: only suites with pods pay for it)

        found = config.stash[RUN] = Run(
            config.stash[SETTINGS], config.stash[RUN_ID], worker_id(config), root=config.rootpath
        )
    return found


def peek(config: pytest.Config) -> Run | None:
    """The run, where a pod was asked for."""
    return config.stash.get(RUN, None)
