"""What the plugin's tests share: suites that are written, run by pytest itself, and judged by what they say and leave."""

from __future__ import annotations

import json
import os
import subprocess
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from tests import compose, images
from tests.integration import conftest as integration

HERE = Path(__file__).parent
PATIENCE = 120.0
"""Seconds that a whole suite may take."""
POLL = 0.03
VANISHING = integration.VANISHING
"""Seconds that the background program has for its part of the cleaning."""

state_home = integration.state_home


@pytest.fixture(scope="session", autouse=True)
def no_run_in_a_run() -> Iterator[None]:
    """A pytest that a test starts is no worker of this run, also where this process is one: nothing in its environment says so."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("PYTEST_XDIST_")]:
            patch.delenv(name)
        yield


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder needs an engine (the hook is handed the tests of all folders)."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.docker)


@pytest.fixture(scope="session")
def client() -> Iterator[docker.DockerClient]:
    """The engine that pypod takes, asked without pypod."""
    images.require()
    found = docker.from_env()
    yield found
    found.close()


RECORDER = """
import pathlib
from pypod.pytest import current

def pytest_sessionstart(session):
    with pathlib.Path(__file__).with_name("runs").open("a") as file:
        print(session.config.stash[current.RUN_ID], file=file)
"""


class Suite:
    """A suite in a folder of its own, and what its runs leave on the engine.

    Attributes:
        pytester: in whose folder it is.
        client: the engine, asked without pypod.
    """

    def __init__(self, pytester: pytest.Pytester, client: docker.DockerClient) -> None:
        self.pytester = pytester
        self.client = client
        self.file("recorder.py", RECORDER)

    @property
    def folder(self) -> Path:
        return self.pytester.path

    def file(self, name: str, text: str) -> Path:
        """Write a file. IMAGE in it is the test image."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text).replace("IMAGE", repr(images.BUSYBOX)))
        return path

    def manifest(self, name: str, command: str = "sleep 1000", file: str = "") -> Path:
        """Write NAME.yaml: a pod with one container, ``app``, that runs this in a shell."""
        container = {"name": "app", "image": images.BUSYBOX, "command": ["sh", "-c", command]}
        document = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name},
            "spec": {"containers": [container]},
        }
        return self.file(file or f"{name}.yaml", json.dumps(document))

    def run(self, *arguments: str, timeout: float = PATIENCE) -> pytest.RunResult:
        """Run pytest in a process of its own; a warning that nobody expects is an error."""
        return self.pytester.runpytest_subprocess(*self.arguments(*arguments), timeout=timeout)

    def arguments(self, *more: str) -> tuple[str, ...]:
        """What each run is given: it notes its ID where `runs` finds it."""
        return ("-W", "error", "-p", "no:cacheprovider", "-p", "recorder", *more)

    @property
    def runs(self) -> set[str]:
        """The IDs of the runs so far. Whatever they make has its run's in its name."""
        return set((self.folder / "runs").read_text().split())

    def left(self, timeout: float = VANISHING, *, containing: str = "") -> list[str]:
        """What the engine has of these runs, or of what has this in its name, in an unfiltered list; what is just going is given
        some seconds."""
        runs = {containing} if containing else self.runs
        assert runs
        deadline = time.monotonic() + timeout
        while True:
            is_late = (
                time.monotonic() > deadline
            )  # before the look: who has to wait for his turn looks once more
            left = [name for name in names_on(self.client) if any(run in name for run in runs)]
            if not left or is_late:
                return left
            time.sleep(POLL)

    def compose_down(self, project: str) -> None:
        """Remove what is left of a compose project, where its suite did not come to that."""
        subprocess.run(
            [compose.program(), "-p", project, "down", "--volumes", "--timeout", "0"],
            cwd=self.folder,
            capture_output=True,
            timeout=PATIENCE,
            check=True,
        )


def names_on(client: docker.DockerClient) -> list[str]:
    """The names of all containers, networks and volumes, read without pypod."""
    containers = [each["Names"][0].lstrip("/") for each in client.api.containers(all=True) if each["Names"]]
    networks = [str(each["Name"]) for each in client.api.networks()]
    volumes = [str(each["Name"]) for each in client.api.volumes()["Volumes"] or ()]
    return [*containers, *networks, *volumes]


@pytest.fixture
def suite(pytester: pytest.Pytester, client: docker.DockerClient, state_home: Path) -> Iterator[Suite]:
    """An empty suite; after the test nothing of its runs is on the engine."""
    made = Suite(pytester, client)
    yield made
    assert not (made.folder / "runs").exists() or made.left() == []
