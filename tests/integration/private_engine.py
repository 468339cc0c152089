"""A Docker Engine of the tests' own, in a network namespace of its own: it may be stopped and killed, and nobody else's
background program looks after its pods.

Its pods' addresses are none of this machine's: what dials them goes through the relay. One serves all tests of a session,
since it takes seconds to start; each leaves it running, and empty.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

from pypod.engine.api import Engine
from pypod.engine.docker_engine import DockerEngine
from tests.contract.dockerd import Dockerd, cannot_run
from tests.images import BUSYBOX
from tests.integration.conftest import background_programs, eventually, leaving_nothing
from tests.integration.processes import Look


class PrivateEngine:
    """A dockerd and what is needed to use it.

    Attributes:
        url: of its socket.
        engine: as pypod has it.
        raw: Docker's own client.
        look: what is on it.
        state: the state directory of its background programs. Not the session's: two daemons of one machine have the same
            ID on 20.10 (it is in /etc/docker/key.json), and the lock bears it.
        env: for processes that use it.
        holder: the ID of a process that is in its network namespace.
    """

    def __init__(self, folder: Path, holder: int, *options: str) -> None:
        self._daemon = Dockerd(folder, prefix=["nsenter", f"--net=/proc/{holder}/ns/net"])
        self._is_up = False
        self.holder = holder
        self.url = self._daemon.url
        self.engine: Engine = DockerEngine(self.url)
        self.state = folder / "state"
        self.state.mkdir()
        self.env = {"DOCKER_HOST": self.url, "XDG_STATE_HOME": str(self.state)}
        self.start(*options)
        self.raw = docker.APIClient(base_url=self.url, version="auto")
        self.look = Look(self.raw)

    def load(self, source: docker.APIClient, image: str) -> None:
        """Copy an image from another engine."""
        untyped: Any = self.raw
        untyped.load_image(b"".join(source.get_image(image)))

    def stop(self, number: int = signal.SIGTERM) -> None:
        """End the daemon, and wait until it is gone."""
        self._daemon.stop(number)
        self._is_up = False

    def start(self, *options: str) -> None:
        """Start it again, with more options this time, and wait until it answers."""
        self._daemon.start(*options)
        self._is_up = True

    def be_up(self) -> None:
        """After a test that failed half way."""
        if not self._is_up:
            self.start()

    def programs(self) -> list[int]:
        """The process IDs of its background programs."""
        return background_programs(self.state)

    def kill_programs(self) -> None:
        """As kill -9 does, until there is none: one that is just being started has no name yet."""

        def none_left() -> bool:
            found = self.programs()
            for pid in found:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            return not found

        eventually(none_left, "no background program is left")

    def remove(self) -> None:
        self.kill_programs()
        self.raw.close()
        self.engine.close()
        self._daemon.remove()


@contextlib.contextmanager
def running(source: docker.APIClient, *images: str) -> Iterator[PrivateEngine]:
    """One with these images of another engine; at the end nothing of it is left."""
    with empty() as private:
        for image in images:
            private.load(source, image)
        yield private


@contextlib.contextmanager
def empty(*options: str) -> Iterator[PrivateEngine]:
    """One without images; at the end nothing of it is left: no process, mount, interface or file.

    Args:
        options: of the daemon, for its first start.
    """
    # The namespace lives as long as this process, so that a daemon that comes back finds its bridges again.
    with subprocess.Popen(["unshare", "--net", "sleep", "infinity"]) as holder:
        try:
            folder = Path(tempfile.mkdtemp(prefix="pp-"))  # short: it holds sockets
            eventually(lambda: _net(holder.pid) != _net(os.getpid()), "a network namespace of its own")
            # Its loopback too: of a pod on the host's network, that is localhost.
            enter = ["nsenter", f"--net=/proc/{holder.pid}/ns/net"]
            subprocess.run([*enter, "ip", "link", "set", "lo", "up"], check=True)
            private = PrivateEngine(folder, holder.pid, *options)
            try:
                yield private
            finally:
                private.remove()
        finally:
            holder.kill()


def _net(pid: int) -> str:
    return os.readlink(f"/proc/{pid}/ns/net")


@pytest.fixture(scope="session")
def private_engine(raw: docker.APIClient) -> Iterator[PrivateEngine]:
    """It runs. A test that stops it starts it again."""
    if why := cannot_run():
        assert not os.environ.get("CI"), why
        pytest.skip(why)
    with running(raw, BUSYBOX) as private:
        yield private


@pytest.fixture
def private(
    private_engine: PrivateEngine, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[PrivateEngine]:
    """It runs, and what this process and its children start uses it by default; it is empty afterwards."""
    for name, value in private_engine.env.items():
        monkeypatch.setenv(name, value)
    try:
        with leaving_nothing(private_engine.raw, namespace):
            yield private_engine
            private_engine.be_up()
    finally:
        private_engine.kill_programs()
