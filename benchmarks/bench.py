"""What all rows and contestants share: the engine, names of their own, and the list of what is on it."""

from __future__ import annotations

import contextlib
import itertools
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import docker
from docker.errors import NotFound

import pypod
from pypod.engine import pause
from pypod.engine.api import Engine
from pypod.engine.identity import engine_architecture

IMAGE = "pypod-test/busybox:1"
"""What members run: 2 MB, there already, so that nobody pulls."""
SERVER_IMAGE = "pypod-test/tools:1"
STAY = ("sleep", "1000000")
PATIENCE = 60.0
NETWORK = "pypod"
"""The network that pypod makes once for all pods of an engine; everybody's pods are on it, so that nobody pays for one."""

SERVER = """\
import http.server, sys, time
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(204)
        self.end_headers()
time.sleep(float(sys.argv[2]))
server = http.server.ThreadingHTTPServer(("", int(sys.argv[1])), Handler, bind_and_activate=False)
server.server_bind()
opened = time.time()
server.server_activate()
print(opened, flush=True)
server.serve_forever()
"""
"""Opens its port after so many seconds, and writes when that was."""


class Missing(Exception):
    """A contestant cannot take part, or not in this row: why."""


@dataclass(frozen=True)
class Work:
    """The pod that each contestant makes: a pause, and members that join its network, IPC and process space.

    Attributes:
        name: unique; the names of all its containers have it in them.
        members: how many.
        command, image: of each member.
        port: the first member opens it late; the pod is up when it is open. 0: none.
        grace: seconds that its members may take to end.
    """

    name: str
    members: int = 3
    command: tuple[str, ...] = STAY
    image: str = IMAGE
    port: int = 0
    grace: float = 0.0


@dataclass
class Bench:
    """One run.

    Attributes:
        rounds: how often, in proportion: a row may take fewer.
        quick: as little as shows that all works.
    """

    rounds: int = 10
    quick: bool = False
    token: str = field(default_factory=lambda: f"bench{os.getpid()}")
    _counter: Any = field(default_factory=lambda: itertools.count(1))

    def __post_init__(self) -> None:
        self.engine: Engine = pypod.connect()
        self.api: Any = docker.APIClient(base_url=self.engine.url, version="auto", max_pool_size=64)
        self.pause_image = pause.reference(engine_architecture(self.engine))
        member = pypod.Container("first", IMAGE, command=STAY)
        with pypod.Pod(self.name(), containers=[member], engine=self.engine) as pod:
            # Now the pause image, the network and the background program are there.
            self.network_id = next(
                iter(self.api.inspect_container(self._pause_of(pod))["NetworkSettings"]["Networks"].values())
            )["NetworkID"]

    def _pause_of(self, pod: pypod.Pod) -> str:
        found = self.api.containers(filters={"label": [f"io.pypod.uid={pod.uid}", "io.pypod.role=pause"]})
        return str(found[0]["Id"])

    @property
    def socket(self) -> str:
        """The path of the engine's socket."""
        return self.engine.url.removeprefix("unix://")

    def name(self) -> str:
        """A pod's, which nothing else on the engine has."""
        return f"{self.token}-{next(self._counter)}"

    def times(self, wanted: int) -> int:
        """How many rounds a row that takes so many of ten makes in this run."""
        return 1 if self.quick else max(2, round(wanted * self.rounds / 10))

    def say(self, words: str) -> None:
        print(words, file=sys.stderr, flush=True)

    def running(self, name: str) -> list[dict[str, Any]]:
        """The containers of that pod that run, as the engine lists them."""
        found: list[dict[str, Any]] = self.api.containers(filters={"name": [name]})
        return found

    def remove_rest(self) -> list[str]:
        """Remove the containers that have this run's name in theirs; there are some only where it was cut off. Their names."""
        found = [each for each in self.api.containers(all=True) if self.token in "".join(each["Names"])]
        for each in found:
            with contextlib.suppress(NotFound):  # its lease ended meanwhile
                self.api.remove_container(each["Id"], force=True, v=True)
        return [f"container {each['Names'][0]}" for each in found]

    def things(self) -> dict[str, str]:
        """Everything on the engine, by ID, unfiltered: containers, networks, volumes, images. But for containers without a name:
        20.10 goes on listing some that it has removed."""
        containers = [each for each in self.api.containers(all=True) if each["Names"]]
        found = {each["Id"]: f"container {each['Names'][0]}" for each in containers}
        found |= {each["Id"]: f"network {each['Name']}" for each in self.api.networks()}
        found |= {each["Name"]: f"volume {each['Name']}" for each in self.api.volumes()["Volumes"] or []}
        return found | {each["Id"]: f"image {(each['RepoTags'] or ['?'])[0]}" for each in self.api.images()}


def until(
    condition: Callable[[], bool], what: str, *, patience: float = PATIENCE, poll: float = 0.005
) -> None:
    """Wait for it.

    Raises:
        TimeoutError: it did not come in time.
    """
    deadline = time.monotonic() + patience
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"cannot measure: not in {patience:g} s: {what}")
        time.sleep(poll)


def run(
    command: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    stdin: str | None = None,
    patience: float = 120.0,
) -> str:
    """What the program prints.

    Raises:
        RuntimeError: it failed; with what it said.
    """
    done = subprocess.run(
        command,
        env={**os.environ, **(env or {})},
        input=stdin,
        stdin=subprocess.DEVNULL if stdin is None else None,
        capture_output=True,
        text=True,
        timeout=patience,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(
            f"cannot run {' '.join(command)}: exit code {done.returncode}: {done.stderr[-600:]}"
        )
    return done.stdout
