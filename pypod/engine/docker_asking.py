"""How the verbs of `DockerEngine` ask: what each of its parts is built on."""

from __future__ import annotations

import abc
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from pypod.engine.docker_streams import Reply, Wire
from pypod.engine.docker_transport import Response, Transport


def quoted(name: str) -> str:
    """A name within a path, as docker-py writes it: images have colons and slashes."""
    return quote(name, safe="/:")


class Asking(abc.ABC):
    """A part of `DockerEngine`, which says how."""

    @abc.abstractmethod
    def _answer(
        self,
        verb: str,
        target: str,
        path: str,
        query: Mapping[str, str] | None = None,
        *,
        method: str = "GET",
    ) -> Response:
        """To a question that changes nothing, so it is asked again where the connection broke; be it a refusal."""

    @abc.abstractmethod
    def _read(self, verb: str, target: str, path: str, query: Mapping[str, str] | None = None) -> Any:
        """The JSON that answers such a question."""

    @abc.abstractmethod
    def _order(
        self,
        verb: str,
        target: str,
        path: str,
        query: Mapping[str, str] | None = None,
        *,
        body: object = None,
        method: str = "POST",
    ) -> Response:
        """What is to be done, once. What the answer says beside that it is done differs between engines."""

    @abc.abstractmethod
    def _make(
        self, verb: str, target: str, path: str, body: object, query: Mapping[str, str] | None = None
    ) -> Any:
        """The same of what is to be made; what the engine tells of it."""

    @abc.abstractmethod
    def _is_podman(self) -> bool:
        """Whether Podman answers."""

    @abc.abstractmethod
    def _dial(self, verb: str, target: str = "") -> tuple[Transport, Wire]:
        """A new connection, and how to ask over it."""

    @abc.abstractmethod
    def _open(
        self,
        verb: str,
        target: str,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> Reply:
        """A stream's answer, whose head says that it is one."""

    def _inspect(self, container: str) -> dict[str, Any]:
        """A container, in the engine's words."""
        path = f"/containers/{quoted(container)}/json"
        found: dict[str, Any] = self._read("inspect container", container, path)
        return found
