"""What members of a pod tell the test of their life, and what the engine tells of it while it happens."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import docker

from pypod import Container, Event, Pod, Volume
from tests.images import BUSYBOX

SLACK = 25.0
"""Seconds past its grace in which a pod must be gone: 2 are promised, the rest is for a loaded machine. A grace that is not
to count is longer."""

TELL = "tell() {{ echo {0}: $1 >> /tell/all; }}; "
"""A shell function that appends a line to the file that all members and the test see."""


def shell(name: str, script: str, **more: Any) -> Container:
    """A busybox container that runs a script. In it `tell WORD` writes a line ``<name>: WORD`` for `Told`."""
    if "tell " in script:
        script = TELL.format(name) + script
        more["mounts"] = {"tell": "/tell"}
        more["user"] = f"{os.getuid()}:{os.getgid()}"  # or the test's own directory could not be removed
    return Container(name, BUSYBOX, command=["sh", "-c", script], **more)


def telling(name: str, word: str) -> list[str]:
    """A command, for a hook of a container from `shell`, that writes such a line."""
    return ["sh", "-c", TELL.format(name) + f"tell {word}"]


class Told:
    """The lines that the members of a pod told, in their order. They are still there when the pod is gone.

    Attributes:
        volume: of the pod, on a directory of the test.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.volume = Volume.host_path("tell", str(folder))

    @property
    def lines(self) -> list[str]:
        file = self.folder / "all"
        return file.read_text().splitlines() if file.exists() else []

    def of(self, container: str) -> list[str]:
        """What one container told."""
        return [line.partition(": ")[2] for line in self.lines if line.startswith(f"{container}: ")]


@contextlib.contextmanager
def coming(pod: Pod) -> Iterator[Pod]:
    """A pod that is started and not waited for."""
    pod.start(wait=False)
    try:
        yield pod
    finally:
        pod.stop()


def events(pod: Pod, reason: str, container: str = "") -> list[Event]:
    """What the pod's journal has of one reason."""
    return [event for event in pod.events if event.reason == reason and container in ("", event.container)]


@dataclass(frozen=True)
class Happening:
    """One of the engine's events.

    Attributes:
        at: Unix seconds.
        container: the whole name.
        action: ``start``, ``kill``, ``die``, ``exec_create: COMMAND`` ...
        detail: signal of a kill, exit code of an end.
    """

    at: float
    container: str
    action: str
    detail: str


class Heard:
    """All that the engine does with the containers of a namespace, told by its own events as it happens: it keeps the last
    256 only, of everybody's."""

    def __init__(self, raw: docker.APIClient, namespace: str) -> None:
        self._raw = raw
        self._namespace = namespace
        self._happenings: dict[tuple[int, str, str], Happening] = {}
        # From a second ago: the engine answers before it listens.
        self._since = int(time.time()) - 1
        self._stream = raw.events(since=self._since, filters={"type": "container"}, decode=True)
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stream.close()
        self._thread.join(5)

    def _listen(self) -> None:
        for event in self._stream:
            self._take(event)

    def _take(self, event: dict[str, Any]) -> None:
        attributes = event["Actor"]["Attributes"]
        name = attributes.get("name", "")
        if self._namespace in name:
            detail = attributes.get("signal", attributes.get("exitCode", ""))
            happening = Happening(event["timeNano"] / 1e9, name, event["Action"], detail)
            self._happenings[event["timeNano"], name, event["Action"]] = happening

    def _catch_up(self) -> None:
        """What has happened by now is known, also where the thread that listens has not had its turn."""
        options: dict[str, Any] = {"since": self._since, "until": time.time() + 0.001}
        for event in self._raw.events(**options, filters={"type": "container"}, decode=True):
            self._take(event)

    def all(self, action: str, container: str = "", detail: str = "") -> list[Happening]:
        """What was done with a container so far, oldest first.

        Args:
            action: how the event's begins.
            container: in the pod; empty: any.
            detail: the signal or exit code; empty: any.
        """
        self._catch_up()
        part = f"_{container}_" if container else ""
        return [
            each
            for each in sorted(self._happenings.values(), key=lambda happening: happening.at)
            if each.action.startswith(action) and part in each.container and detail in ("", each.detail)
        ]

    def one(self, action: str, container: str, detail: str = "") -> Happening:
        """The only one of these, which must be there in a moment."""
        deadline = time.monotonic() + SLACK
        while not (found := self.all(action, container, detail)) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert len(found) == 1, (
            f"{action} {detail} of {container}: {found or list(self._happenings.values())}"
        )
        return found[0]
