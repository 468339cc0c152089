"""The verbs of `pypod.engine.api.Engine` about networks."""

from __future__ import annotations

import abc
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, TypeVar

from pypod.engine import docker_requests as wire_json
from pypod.errors import EngineError
from pypod.model.wiring.requests import NetworkRequest
from pypod.model.wiring.state import NetworkInfo

T = TypeVar("T")

_ON_IT = ("already exists in network", "is already connected to network")
"""An engine's words for a container that is on the network: Docker's (HTTP 403) and Podman's."""


class NetworkVerbs(abc.ABC):
    """A part of `DockerEngine`, which says how calls are made."""

    @abc.abstractmethod
    def _call(self, verb: str, target: str = "") -> AbstractContextManager[Any]:
        """docker-py's client, with what it raises translated."""

    @abc.abstractmethod
    def _read(self, verb: str, target: str, ask: Callable[[Any], T]) -> T:
        """A call that changes nothing, so it may be made again where the connection broke."""

    @abc.abstractmethod
    def _is_podman(self) -> bool:
        """Whether Podman answers."""

    def networks(self) -> list[NetworkInfo]:
        found: list[dict[str, Any]] = self._read("list networks", "", lambda api: api.networks())
        return [wire_json.network_info(entry) for entry in found]

    def create_network(self, request: NetworkRequest) -> str:
        ipam = {"Driver": "default", "Config": [{"Subnet": request.subnet}]}
        with self._call("create network", request.name) as api:
            made = api.create_network(request.name, driver="bridge", ipam=ipam, labels=dict(request.labels))
        return str(made["Id"])

    def connect_network(self, network: str, container: str, aliases: Sequence[str] = ()) -> None:
        try:
            with self._call("connect to network", network) as api:
                api.connect_container_to_network(container, network, aliases=list(aliases))
        except EngineError as error:
            if not any(words in error.detail for words in _ON_IT):
                raise

    def remove_network(self, network: str) -> None:
        if self._is_podman():
            # Told the ID, it removes also one that running containers are on (5.4); not so by name, which is unique there.
            found = self._read("remove network", network, lambda api: api.inspect_network(network))
            network = str(found["Name"])
        with self._call("remove network", network) as api:
            api.remove_network(network)
