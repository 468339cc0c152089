"""The run of this process: made when the first pod is asked for, so that a suite without pods does not pay for them."""

from __future__ import annotations

import os
import secrets
import time
from typing import TYPE_CHECKING, Any

import pytest

from pypod.pytest.options import Settings, read
from pypod.pytest.uses import SETUPS, Setups

if TYPE_CHECKING:
    from pypod.pytest.hub import Hub
    from pypod.pytest.outcome import Outcome
    from pypod.pytest.session import Run

SETTINGS = pytest.StashKey[Settings]()
RUN_ID = pytest.StashKey[str]()
RUN: pytest.StashKey[Run] = pytest.StashKey()
OUTCOME: pytest.StashKey[Outcome] = pytest.StashKey()
HUB: pytest.StashKey[Hub] = pytest.StashKey()
"""Of a controller of pytest-xdist, for the pods that its workers share."""

WORKER_INPUT = "pypod_run"
"""Under which the controller of pytest-xdist tells its workers the run's ID."""
HUB_INPUT = "pypod_hub"
"""Under which it tells them where its hub is, or why they can have none: `pypod.pytest.wire`."""
WORKER_OUTPUT = "pypod_outcome"
"""Under which a worker hands over how its part ended."""
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
    config.stash[RUN_ID] = str(given) if given else _new_id(config)


def _new_id(config: pytest.Config) -> str:
    """No other run's; with ``--pypod-reuse`` the one that the last run had."""
    if not config.stash[SETTINGS].reuse:
        return secrets.token_hex(4)
    from pypod.pytest import slots  # noqa: PLC0415 (only who reuses pods pays for it)

    try:
        slot = slots.take(config.rootpath)
    except OSError as error:
        words = f"cannot reuse pods: there is no place for the lock of this project: {error}"
        raise pytest.UsageError(words) from None
    config.add_cleanup(slot.leave)
    return slot.run_id


def worker_input(config: pytest.Config) -> dict[str, Any]:
    """What pytest-xdist's controller told this worker; empty in a process that is none."""
    found: dict[str, Any] = getattr(config, "workerinput", {})
    return found


def worker_id(config: pytest.Config) -> str:
    """``gw0`` ...; ``main`` where there is only one process."""
    return str(worker_input(config).get("workerid", ALONE))


def is_on(config: pytest.Config) -> bool:
    """Whether pytest has loaded the plugin."""
    return SETUPS in config.stash


def run_of(config: pytest.Config) -> Run:
    """The run of this process; made here where there is none yet."""
    found = peek(config)
    if found is None:
        from pypod.pytest.session import Run  # noqa: PLC0415 (imports all of pypod: only suites with pods pay for it)

        found = config.stash[RUN] = Run(
            config.stash[SETTINGS],
            config.stash[RUN_ID],
            worker_id(config),
            root=config.rootpath,
            hub=worker_input(config).get(HUB_INPUT),
        )
    return found


def peek(config: pytest.Config) -> Run | None:
    """The run, where a pod was asked for."""
    return config.stash.get(RUN, None)


def finish(session: pytest.Session) -> None:
    """The tests are over, and their fixtures: remove what is still there, and judge what is left.

    A worker of pytest-xdist hands its part over to the controller, which judges the whole.
    """
    config = session.config
    run = peek(config)
    if run is not None:
        outcome = run.close()
        if worker_input(config):
            config.workeroutput[WORKER_OUTPUT] = outcome.encode()  # type: ignore[attr-defined]
        else:
            _outcome(config).add(outcome.encode())
    hub = config.stash.get(HUB, None)
    if hub is not None:
        known = config.stash.get(OUTCOME, None)
        shared = hub.close(known.failed if known is not None else ())
        if shared is not None:
            _outcome(config).add(shared)
    if OUTCOME in config.stash and not worker_input(config):
        _judge(session, config.stash[OUTCOME])


def anew(config: pytest.Config, fixture: object) -> None:
    """A fixture is set up: what failed when it was before is not to be told any more."""
    run = peek(config)
    if run is not None:
        run.failed_starts.anew(fixture)


def failed(item: pytest.Item) -> list[tuple[str, str]]:
    """What the report of a failed test tells of its pods, a title and a text each. Never raises."""
    run = peek(item.config)
    try:
        return run.failed(item) if run is not None else []
    except Exception as error:  # the test's own failure is what the report is about
        return [("pods", f"cannot tell of the pods of this test: {type(error).__name__}: {error}")]


def collect(config: pytest.Config, output: dict[str, Any] | None, worker: str) -> None:
    """What a worker has handed over; None: it crashed, and nobody knows what it had."""
    if output is None:
        _outcome(config).crashed.append(worker)
    elif WORKER_OUTPUT in output:
        _outcome(config).add(output[WORKER_OUTPUT])


def _outcome(config: pytest.Config) -> Outcome:
    from pypod.pytest.outcome import Outcome  # noqa: PLC0415 (as above)

    return config.stash.setdefault(OUTCOME, Outcome())


def _judge(session: pytest.Session, outcome: Outcome) -> None:
    from pypod.pytest import leaks  # noqa: PLC0415 (as above)

    settings = session.config.stash[SETTINGS]
    if settings.keep != "no":
        leaks.keep_abandoned(session.config.stash[RUN_ID], outcome, settings.engine)
    if settings.leaks == "off":
        return
    left = leaks.check(session.config.stash[RUN_ID], outcome, settings.engine)
    outcome.problems += left
    if settings.leaks == "fail" and outcome.problems and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def summary(config: pytest.Config, write: pytest.TerminalReporter) -> None:
    """What the end of the run says: which pods stay, and what was left."""
    outcome = config.stash.get(OUTCOME, None)
    if outcome is None:
        return
    for title, lines in outcome.sections(time.time()):
        write.section(title)
        for line in lines:
            write.line(line)
    if outcome.problems and config.stash[SETTINGS].leaks != "off":
        write.section("left on the engine", yellow=True)
        for line in outcome.problems:
            write.line(line)
