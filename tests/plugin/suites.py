"""Suites of users that run in a process of their own, as `pytest` does on a command line: they can be interrupted and killed.

What a suite's tests have to say is told in files (`tell`), since a worker's output goes nowhere; what they wait for is a file
too (`hold`), so that a test of ours can do something in the middle of theirs.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import docker

from tests import own_engine
from tests.images import BUSYBOX
from tests.integration.conftest import DEFAULT_NETWORK, everything

POLL = 0.02
PATIENCE = 120.0
"""Seconds that anything of a suite may take."""

HELPERS = f"""\
import contextlib, json, os, pathlib, socket, time
import pytest
from pypod import Container, Pod, Probe
from pypod.pytest import pod_fixture

SAID = pathlib.Path(os.environ["SUITE_SAID"])
IMAGE = {BUSYBOX!r}
WORKER = os.environ.get("PYTEST_XDIST_WORKER", "main")

def member(name, *command, **more):
    return Container(name, IMAGE, command=command or ["sleep", "1000"], **more)

def pod_of(name, *members, **more):
    given = {{"termination_grace_period_seconds": 0, **more}}
    return Pod(name, containers=members or [member("one"), member("two")], **given)

def tell(name, **words):
    draft = SAID / f"{{name}}.draft-{{os.getpid()}}"
    draft.write_text(json.dumps({{"pid": os.getpid(), "worker": WORKER, **words}}))
    draft.rename(SAID / name)

def hold(name, seconds=100):
    end = time.monotonic() + seconds
    while not (SAID / name).exists():
        assert time.monotonic() < end, f"nobody said {{name}}"
        time.sleep(0.02)
"""
CONFTEST = """\
from suite import *
from pypod.pytest.current import RUN_ID

@pytest.hookimpl(trylast=True)
def pytest_configure(config):
    (SAID / "runs" / config.stash[RUN_ID]).parent.mkdir(exist_ok=True)
    (SAID / "runs" / config.stash[RUN_ID]).touch()
"""


class Suite:
    """A folder with a suite, in which `from suite import *` has what its files need.

    Args:
        folder: is made.
        files: their texts by name.
        raw: the engine, asked without pypod: for what is left on it.
    """

    def __init__(self, folder: Path, files: Mapping[str, str], raw: docker.APIClient) -> None:
        self._raw = raw
        self._before = set(everything(raw))
        self.folder = folder
        self.said = folder / "said"
        self.said.mkdir(parents=True)
        ini = "[pytest]\npythonpath = .\naddopts = -p no:cacheprovider\n"
        texts = {"suite.py": HELPERS, "pytest.ini": ini, **files}
        texts["conftest.py"] = CONFTEST + texts.get("conftest.py", "")
        for name, text in texts.items():
            (folder / name).write_text(text)

    def run(self, *words: str, prefix: Sequence[str] = (), **env: str) -> Running:
        """Begin it.

        Args:
            words: of the command line.
            prefix: the words of a command that becomes it.
            env: beside this process' environment. None of a run that this process is part of goes in.
        """
        theirs = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
        command = [*prefix, sys.executable, "-m", "pytest", "-v", "-s", *words]
        return Running(self, command, {**theirs, "SUITE_SAID": str(self.said), **env})

    @property
    def runs(self) -> list[str]:
        """The IDs of its runs, which are in the names of all that they make."""
        return [path.name for path in (self.said / "runs").iterdir()]

    def told(self, name: str) -> dict[str, Any]:
        """What one of its tests told under that name."""
        words: dict[str, Any] = json.loads((self.said / name).read_text())
        return words

    def nothing_is_left(self, timeout: float) -> None:
        """Within so many seconds no container, network or volume is there that was not there before."""
        assert self.runs
        deadline = time.monotonic() + timeout
        is_late = False
        while left := self._left():
            assert not is_late, f"left on the engine after {timeout:g} s: {left}"
            time.sleep(POLL)
            is_late = (
                time.monotonic() > deadline
            )  # before the look: who has to wait for his turn looks once more

    def something_runs(self) -> None:
        """A container of one of its runs is on the engine; it is waited for."""
        deadline = time.monotonic() + PATIENCE
        while not self._left():
            assert time.monotonic() < deadline, "it makes nothing"
            time.sleep(POLL)

    def _left(self) -> list[str]:
        """In CI nobody else uses the engine, so anything counts; elsewhere what has a run's ID in its name."""
        alone = own_engine.is_alone()
        return [
            f"{kind} {name}"
            for (kind, identity), name in everything(self._raw).items()
            if (kind, identity) not in self._before
            and kind != "image"
            and not (kind == "network" and name == DEFAULT_NETWORK)
            and (alone or any(run in name for run in self.runs))
        ]

    def go_on(self, name: str) -> None:
        """What a test of the suite `hold`s for."""
        (self.said / name).touch()


class Running:
    """A run of a suite, in a process group of its own. Whatever is left of the group at the end of the block is killed."""

    def __init__(self, suite: Suite, command: Sequence[str], env: Mapping[str, str]) -> None:
        self._suite = suite
        self._log = suite.folder / f"log-{time.monotonic_ns()}"
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                command,
                cwd=suite.folder,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill_group()
        self.process.wait(PATIENCE)
        if error is not None:
            error.add_note(f"the suite wrote:\n{self.output}")

    @property
    def output(self) -> str:
        return self._log.read_text(errors="replace")

    def told(self, name: str, timeout: float = PATIENCE) -> dict[str, Any]:
        """What a test of the suite told under that name; it is waited for."""
        path = self._suite.said / name
        deadline = time.monotonic() + timeout
        while not path.exists():
            assert self.process.poll() is None or path.exists(), f"it ended without telling {name!r}"
            assert time.monotonic() < deadline, f"in {timeout:g} s nobody told {name!r}"
            time.sleep(POLL)
        return self._suite.told(name)

    def interrupt(self) -> None:
        """As Ctrl-C at a terminal does: every process of the group hears it."""
        os.killpg(self.process.pid, signal.SIGINT)

    def kill(self) -> None:
        """kill -9 of the process that was started, and of it alone."""
        self.process.kill()
        self.process.wait(PATIENCE)

    @staticmethod
    def kill_worker(pid: int) -> None:
        """kill -9 of a worker that told its process ID."""
        os.kill(pid, signal.SIGKILL)

    def kill_group(self) -> None:
        """kill -9 of all: pytest, its workers, their children."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)

    def wait(self, timeout: float = PATIENCE) -> int:
        """Its exit code; it must end in time."""
        return self.process.wait(timeout)

    def passes(self, timeout: float = PATIENCE) -> None:
        """It ends in time, and all of its tests passed."""
        assert self.wait(timeout) == 0, "the suite failed"
