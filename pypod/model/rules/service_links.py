"""The variables that a kubelet gives a container for each Service of its namespace.

Source: pkg/kubelet/envvars/envvars.go, FromServices.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ServicePort:
    """A port of a Service: its number, its protocol, and its name, which only a single one may lack."""

    port: int
    protocol: str = "TCP"
    name: str = ""


@dataclass(frozen=True, slots=True)
class ServiceAddress:
    """What the variables tell of a Service.

    Attributes:
        cluster_ip: empty or ``None`` (the word) for one without an address, which gets no variables.
        ports: at least one.
    """

    name: str
    cluster_ip: str
    ports: tuple[ServicePort, ...]


def service_variables(services: Iterable[ServiceAddress]) -> dict[str, str]:
    """All of them, by name, in a kubelet's order. Of two of one name the later counts, as there."""
    return {
        name: value
        for service in services
        if service.cluster_ip not in ("", "None") and service.ports
        for name, value in (*_own(service), *_links(service))
    }


def _own(service: ServiceAddress) -> Iterator[tuple[str, str]]:
    prefix = _variable(service.name)
    yield f"{prefix}_SERVICE_HOST", service.cluster_ip
    yield f"{prefix}_SERVICE_PORT", str(service.ports[0].port)
    for port in service.ports:
        if port.name:
            yield f"{prefix}_SERVICE_PORT_{_variable(port.name)}", str(port.port)


def _links(service: ServiceAddress) -> Iterator[tuple[str, str]]:
    """As Docker's links had them."""
    prefix = _variable(service.name)
    address = f"[{service.cluster_ip}]" if ":" in service.cluster_ip else service.cluster_ip
    for index, port in enumerate(service.ports):
        protocol = port.protocol or "TCP"
        url = f"{protocol.lower()}://{address}:{port.port}"
        if index == 0:
            yield f"{prefix}_PORT", url
        of_port = f"{prefix}_PORT_{port.port}_{protocol.upper()}"
        yield of_port, url
        yield f"{of_port}_PROTO", protocol.lower()
        yield f"{of_port}_PORT", str(port.port)
        yield f"{of_port}_ADDR", service.cluster_ip


def _variable(name: str) -> str:
    return name.upper().replace("-", "_")
