"""The life of a pod's containers as the engine tells it: inspect data and events, never pypod's words."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import docker

from pypod import Container, Pod
from tests.contract.harness import seconds
from tests.images import BUSYBOX
from tests.integration.conftest import eventually

PATIENCE = 15.0
SERVE = "while [ ! -e /go ]; do sleep 0.05; done"
"""Runs until somebody makes /go in it."""


def shell(name: str, script: str, **more: Any) -> Container:
    return Container(name, BUSYBOX, command=["sh", "-c", script], **more)


def on_term(script: str) -> str:
    """A program that runs until its stop signal, and then does this. Once it would, /up is there: see `await_up`."""
    return f"trap '{script}' TERM; touch /up; while :; do sleep 0.05; done"


def await_up(pod: Pod, *containers: str) -> None:
    """Each of them has begun: a container runs before its program does, which then knows nothing of a signal."""
    for name in containers:
        eventually(partial(_is_up, pod, name), f"{name} has begun")


def _is_up(pod: Pod, container: str) -> bool:
    return pod.exec(["test", "-e", "/up"], container).exit_code == 0


@dataclass(frozen=True)
class Happened:
    """One event of one container."""

    at: float
    what: str
    name: str
    attributes: dict[str, str]


class Witness:
    """What the engine says of the containers of one namespace, removed ones too."""

    def __init__(self, api: docker.APIClient, namespace: str) -> None:
        self._api = api
        self._namespace = namespace
        self._since = int(time.time()) - 1

    def happened(self, what: str, container: str = "") -> list[Happened]:
        """Every event of a kind so far, oldest first; of one of a pod's containers, or of all of them and the pause."""
        found = []
        # Fractions of a second, which the engine takes: with a whole one in the future it would wait for that.
        options: dict[str, Any] = {"since": self._since, "until": time.time() + 0.001}
        filters = {"type": ["container"], "event": [what]}
        for event in self._api.events(**options, filters=filters, decode=True):
            attributes = event["Actor"]["Attributes"]
            name = attributes["name"]
            if self._namespace in name and (not container or f"_{container}_" in name):
                found.append(Happened(event["timeNano"] / 1e9, event["Action"], name, attributes))
        return found

    def attempts(self, container: str) -> list[int]:
        """The instances that were started, in that order, whatever became of them."""
        return [int(event.name.rpartition("_")[2]) for event in self.happened("start", container)]

    def started(self, container: str) -> list[float]:
        return [event.at for event in self.happened("start", container)]

    def died(self, container: str) -> list[float]:
        return [event.at for event in self.happened("die", container)]

    def created(self) -> set[str]:
        """Names of the pod's containers of which an instance was ever made."""
        return {event.name.split("_")[-2] for event in self.happened("create")} - {"pause"}

    def names(self, container: str = "") -> list[str]:
        """The containers that are there."""
        listed = [name.lstrip("/") for entry in self._api.containers(all=True) for name in entry["Names"]]
        return sorted(
            name for name in listed if self._namespace in name and (not container or f"_{container}_" in name)
        )

    def inspect(self, container: str) -> dict[str, Any]:
        """The newest instance of one of a pod's containers."""
        name = max(self.names(container), key=lambda each: int(each.rpartition("_")[2]))
        found: dict[str, Any] = self._api.inspect_container(name)
        return found

    def state(self, container: str) -> dict[str, Any]:
        state: dict[str, Any] = self.inspect(container)["State"]
        return state

    def ran(self, container: str) -> tuple[float, float]:
        """From when to when its newest instance, which has ended, was running."""
        state = self.state(container)
        assert state["Status"] == "exited", state
        return seconds(state["StartedAt"]), seconds(state["FinishedAt"])

    def kill_pause(self) -> None:
        """As somebody does who knows nothing of pods; the fault is certain afterwards."""
        (pause,) = self.names("pause")
        self._api.kill(pause)
        self._until("die", pause)

    def remove(self, container: str) -> None:
        """``docker rm -f``; the fault is certain afterwards."""
        name = self.inspect(container)["Name"].lstrip("/")
        self._api.remove_container(name, force=True)
        self._until("destroy", name)

    def _until(self, what: str, name: str) -> None:
        """The event may come after the answer to the call that made it (seen on 26.1)."""
        deadline = time.monotonic() + PATIENCE
        while name not in [event.name for event in self.happened(what)]:
            assert time.monotonic() < deadline, f"no {what} of {name}"
            time.sleep(0.02)


def is_ascending(times: Sequence[float]) -> bool:
    return list(times) == sorted(times)
