"""Programs in containers that have the engine's socket, as most CI runs tests, and pypod with what it needs."""

from __future__ import annotations

import importlib.metadata
import importlib.util
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import docker

from pypod.engine.api import Engine
from tests.integration.processes import until

LIBRARIES = (
    "docker",
    "requests",
    "urllib3",
    "idna",
    "certifi",
    "charset_normalizer",
    "yaml",
    "tenacity",
    "rich",
)
SOCKET = "/var/run/docker.sock"
SITE = "/site"
"""Where the libraries are in there."""


def binds(engine: Engine, *more: str, distributions: Iterable[str] = ()) -> list[str]:
    """The engine's socket, and pypod with what it needs, read-only: the package alone, and its libraries.

    Args:
        engine: whose socket it is.
        more: modules and packages beside these.
        distributions: those whose metadata is there too, for their entry points.
    """
    address = urlsplit(engine.url)
    assert address.scheme == "unix", f"these tests mount the engine's socket, and it is at {engine.url}"
    places = [_place(name) for name in ("pypod", *LIBRARIES, *more)]
    # The attribute is importlib.metadata's own; its public names do not say where the metadata is.
    places += [Path(getattr(importlib.metadata.distribution(name), "_path")) for name in distributions]  # noqa: B009
    return [f"{address.path}:{SOCKET}", *(f"{place}:{SITE}/{place.name}:ro" for place in places)]


def _place(name: str) -> Path:
    """The folder of a package, or the file of a module."""
    found = importlib.util.find_spec(name)
    assert found is not None
    assert found.origin is not None
    origin = Path(found.origin)
    return origin.parent if found.submodule_search_locations else origin


class Inside:
    """A program in a container: what it said with `ready`, how it ended."""

    def __init__(self, raw: docker.APIClient, container: str) -> None:
        self._raw: Any = raw
        self.id = container

    @property
    def output(self) -> str:
        return str(self._raw.logs(self.id).decode())

    def ready(self, number: int = 0, timeout: float = 40) -> list[str]:
        """The words of its n-th `ready`."""

        def lines() -> list[str]:
            return [line for line in self.output.splitlines() if line.startswith("ready ")]

        def has_come() -> bool:
            running = self._raw.inspect_container(self.id)["State"]["Running"]
            came = len(lines()) > number
            assert running or came, f"it has ended:\n{self.output}"
            return came

        until(has_come, timeout, f"`ready` number {number}")
        return lines()[number].split()[1:]

    def kill(self) -> None:
        self._raw.kill(self.id)
        self._raw.wait(self.id, timeout=30)

    def wait(self, timeout: float = 40) -> int:
        return int(self._raw.wait(self.id, timeout=timeout)["StatusCode"])
