"""Owners of pods as processes of their own, background programs, and what all of them leave on the engine."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pypod
from tests.images import BUSYBOX

POLL = 0.02
PATIENCE = 40.0
"""Seconds that anything may take at most: the background program tries again what it could not remove after 30."""

PRELUDE = """\
import json, os, signal, sys, time
import pypod
from pypod import Container, Pod
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored, where a shell's background job runs the tests
def member(name, *command, image={image!r}, **more):
    return Container(name, image, command=command or ["sleep", "1000"], **more)
def pod(name="web", containers=None, **more):
    given = {{"namespace": {namespace!r}, "termination_grace_period_seconds": 0, **more}}
    return Pod(name, containers=containers or [member("one"), member("two")], **given)
def ready(*words):
    os.write(1, " ".join(["ready", *map(str, words)]).encode() + b"\\n")
"""


def script(namespace: str, body: str) -> str:
    """A program that finds `pod`, `member` and `ready` defined, with pods of this namespace."""
    return PRELUDE.format(image=BUSYBOX, namespace=namespace) + body


class Child:
    """A Python process that uses pypod. It is killed at the end of the block, if it is still there."""

    def __init__(self, namespace: str, body: str, **env: str) -> None:
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115
        self._seen = b""
        self.process = subprocess.Popen(
            [sys.executable, "-c", script(namespace, body)],
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env={**os.environ, **env},
            bufsize=0,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.kill()
        self.process.wait(PATIENCE)
        assert self.process.stdout is not None
        self.process.stdout.close()
        if error is not None:
            error.add_note(f"the child wrote:\n{self.errors}")
        self._errors.close()

    @property
    def errors(self) -> str:
        self._errors.seek(0)
        return self._errors.read().decode(errors="replace")

    def ready(self, timeout: float = PATIENCE) -> list[str]:
        """The words of the next line that the child said with `ready`."""
        deadline = time.monotonic() + timeout
        assert self.process.stdout is not None
        while b"\n" not in self._seen:
            left = deadline - time.monotonic()
            assert left > 0, f"the child said nothing in {timeout} s:\n{self.errors}"
            if select.select([self.process.stdout], [], [], left)[0]:
                data = os.read(self.process.stdout.fileno(), 65536)
                assert data, f"the child has ended:\n{self.errors}"
                self._seen += data
        line, _, self._seen = self._seen.partition(b"\n")
        word, *words = line.decode().split()
        assert word == "ready", line
        return words

    def interrupt(self) -> None:
        self.process.send_signal(signal.SIGINT)

    def kill(self) -> None:
        """As kill -9 does, and wait until it is dead."""
        self.process.kill()
        self.process.wait(PATIENCE)

    def wait(self, timeout: float) -> int:
        """Its exit code; it must end in time."""
        return self.process.wait(timeout)


def until(condition: Callable[[], object], timeout: float, what: str = "") -> float:
    """Wait until it is true; answers how long that took."""
    begin = time.monotonic()
    while not condition():
        took = time.monotonic() - begin
        assert took < timeout, f"not in {timeout} s: {what or condition}"
        time.sleep(POLL)
    return time.monotonic() - begin


def stays(condition: Callable[[], object], seconds: float) -> None:
    """It is true now and all that time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        assert condition()
        time.sleep(POLL)


class Look:
    """What the engine has, by docker-py's unfiltered lists: nothing here relies on pypod's labels or names."""

    def __init__(self, api: Any) -> None:
        self.api = api

    def containers(self, part: str, *, running: bool = False) -> list[str]:
        """Names of containers in which a text appears."""
        listed = self.api.containers(all=True)
        names = [
            (name.lstrip("/"), entry["State"]) for entry in listed for name in entry["Names"] or ["(none)"]
        ]
        return sorted(name for name, state in names if part in name and (not running or state == "running"))

    def left(self, part: str) -> list[str]:
        """Everything of that text: containers, volumes, networks, images."""
        volumes = [entry["Name"] for entry in self.api.volumes()["Volumes"] or []]
        networks = [entry["Name"] for entry in self.api.networks()]
        images = [tag for entry in self.api.images() for tag in entry["RepoTags"] or []]
        return self.containers(part) + [name for name in (*volumes, *networks, *images) if part in name]

    def members(self, part: str, *, running: bool = False) -> list[str]:
        return [name for name in self.containers(part, running=running) if "_pause_" not in name]

    def pause(self, part: str) -> str:
        """The name of the one pause of that namespace."""
        (name,) = (name for name in self.containers(part) if "_pause_" in name)
        return name

    def state(self, container: str) -> dict[str, Any]:
        state: dict[str, Any] = self.api.inspect_container(container)["State"]
        return state


def background_programs(url: str) -> dict[int, str]:
    """The background programs of an engine that run, of whatever user: pid to state directory."""
    found = {}
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (entry / "cmdline").read_bytes().split(b"\0")
            if b"supervise" in words and url.encode() in words and any(b"pypod" in word for word in words):
                environment = (entry / "environ").read_bytes().decode(errors="replace").split("\0")
                home = next((pair for pair in environment if pair.startswith("XDG_STATE_HOME=")), "")
                found[int(entry.name)] = home.partition("=")[2]
    return found


def end_background_programs() -> None:
    """Kill this test session's background program; fail where somebody else's would do its work.

    It holds no state, so this harms nothing: the next pod starts one again.
    """

    url = pypod.connect().url

    def none_left() -> bool:
        """Killed at every look: one that was being started at the first look had no name yet."""
        programs = background_programs(url)
        for pid, home in programs.items():
            if home and home == os.environ["XDG_STATE_HOME"]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        return not programs

    words = (
        "another background program than the tests' looks after the engine: this cannot be shown beside it"
    )
    until(none_left, PATIENCE, words)


@contextlib.contextmanager
def silent_registry() -> Iterator[tuple[str, Callable[[], None]]]:
    """A registry that takes connections and never answers: its address, and how to wait for a caller."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(PATIENCE)
        callers: list[socket.socket] = []

        def called() -> None:
            callers.append(server.accept()[0])

        try:
            yield f"127.0.0.1:{server.getsockname()[1]}", called
        finally:
            for caller in callers:
                caller.close()
