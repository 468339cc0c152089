"""The verbs of `pypod.engine.api.Engine` about networks."""

from __future__ import annotations

from collections.abc import Sequence

from pypod.engine import docker_requests as wire_json
from pypod.engine.docker_asking import Asking, quoted
from pypod.errors import EngineError
from pypod.model.wiring.requests import NetworkRequest
from pypod.model.wiring.state import NetworkInfo

_ON_IT = ("already exists in network", "is already connected to network")
"""An engine's words for a container that is on the network: Docker's (HTTP 403) and Podman's."""


class NetworkVerbs(Asking):
    """A part of `DockerEngine`."""

    def networks(self) -> list[NetworkInfo]:
        found = self._read("list networks", "", "/networks")
        return [wire_json.network_info(entry) for entry in found]

    def create_network(self, request: NetworkRequest) -> str:
        body = {
            "Name": request.name,
            "Driver": "bridge",
            "IPAM": {"Driver": "default", "Config": [{"Subnet": request.subnet}]},
            "Labels": dict(request.labels),
        }
        made = self._make("create network", request.name, "/networks/create", body)
        return str(made["Id"])

    def connect_network(self, network: str, container: str, aliases: Sequence[str] = ()) -> None:
        body = {"Container": container, "EndpointConfig": {"Aliases": list(aliases)} if aliases else {}}
        try:
            self._order("connect to network", network, f"/networks/{quoted(network)}/connect", body=body)
        except EngineError as error:
            if not any(words in error.detail for words in _ON_IT):
                raise

    def remove_network(self, network: str) -> None:
        if self._is_podman():
            # Told the ID, it removes also one that running containers are on (5.4); not so by name, which is unique there.
            network = str(self._read("remove network", network, f"/networks/{quoted(network)}")["Name"])
        self._order("remove network", network, f"/networks/{quoted(network)}", method="DELETE")
