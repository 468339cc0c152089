"""What the documentation's programs need: images under the names that it uses; and proof that nothing of them stays."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import docker
import docker.errors
import pytest

from tests import compose, images
from tests.docs import markdown
from tests.integration import conftest as integration

STANDS_FOR = {"nginx": images.NGINX, "redis": images.REDIS, "busybox": images.BUSYBOX}
"""Repository on Docker Hub -> the test image that has the same programs."""

state_home = integration.state_home


@pytest.fixture(scope="session")
def client() -> Iterator[docker.DockerClient]:
    """The engine that pypod takes, asked without pypod."""
    images.require()
    found = docker.from_env()
    yield found
    found.close()


@pytest.fixture(scope="session")
def hub_images(client: docker.DockerClient) -> Iterator[None]:
    """The images that the documentation names, each a tag on a test image where the engine has none; gone afterwards.

    They all have a tag that is not `latest`, so pull policy IfNotPresent holds and no registry is asked.
    """
    made = []
    for reference in sorted(named_images()):
        repository, _, tag = reference.partition(":")
        try:
            client.images.get(reference)
        except docker.errors.ImageNotFound:
            assert client.images.get(STANDS_FOR[repository]).tag(repository, tag)
            made.append(reference)
    yield
    for reference in made:
        client.images.remove(reference)
    left = {tag for image in client.images.list() for tag in image.tags}
    assert left.isdisjoint(made)


def texts() -> list[str]:
    """Every code block and every example."""
    found = [block.text for page in markdown.PAGES for block in markdown.blocks(page)]
    return found + [example.read_text() for example in markdown.EXAMPLES]


def named_images() -> set[str]:
    pattern = re.compile(rf"\b(?:{'|'.join(STANDS_FOR)}):[0-9][\w.-]*")
    return {reference for text in texts() for reference in pattern.findall(text)}


def named_pods() -> set[str]:
    pattern = re.compile(r"\bPod\(\s*\"([a-z0-9-]+)\"|^metadata:\n  name: ([a-z0-9-]+)$", re.MULTILINE)
    return {name for text in texts() for names in pattern.findall(text) for name in names if name}


@pytest.fixture(autouse=True)
def nothing_is_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """The documentation's pods are gone after each test that touches the engine, whatever the test found."""
    yield
    if "docker" in request.keywords:
        assert left_of(request.getfixturevalue("client"), "default", named_pods()) == []


def left_of(client: docker.DockerClient, namespace: str, pods: set[str]) -> list[str]:
    """The containers and volumes of these pods that the engine still has, read without pypod."""
    things = [(str(each["Names"]), each["Labels"]) for each in client.api.containers(all=True)]
    things += [(each["Name"], each["Labels"]) for each in client.api.volumes()["Volumes"] or ()]
    assert pods
    return [
        name
        for name, labels in things
        if labels and labels.get("io.pypod.namespace") == namespace and labels.get("io.pypod.pod") in pods
    ]


@dataclass(frozen=True)
class Shell:
    """Runs programs in a folder of their own, with the `pypod` of this very environment first on the path."""

    folder: Path
    env: dict[str, str]

    def run(self, words: list[str], timeout: float = 120.0) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            words, cwd=self.folder, env=self.env, capture_output=True, text=True, timeout=timeout, check=False
        )


COMPOSE = """\
#!/bin/sh
[ "$1" = compose ] || exit 127
shift
exec "{program}" "$@"
"""


@pytest.fixture(scope="session")
def docker_command(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a `docker` of which there is `docker compose` alone: an engine comes without it."""
    folder = tmp_path_factory.mktemp("bin")
    command = folder / "docker"
    command.write_text(COMPOSE.format(program=compose.program()))
    command.chmod(0o755)
    return folder


@pytest.fixture
def shell(tmp_path: Path, hub_images: None, docker_command: Path) -> Shell:
    """No background program is started: it would outlive the test by half a minute. What runs is no part of this run of pytest."""
    path = os.pathsep.join(
        [str(docker_command), str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]
    )
    theirs = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    return Shell(tmp_path, {**theirs, "PATH": path, "PYPOD_BACKGROUND": "0"})
