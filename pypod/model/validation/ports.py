"""The ports of a spec's containers: a pod has one port space, and its engine's host another one."""

from __future__ import annotations

import ipaddress
import re

from pypod.errors import InvalidNameError, PortConflictError
from pypod.model.schema.checking import Check
from pypod.model.spec.pod import Container, ContainerPort
from pypod.model.wording import show

PROTOCOLS = ("TCP", "UDP", "SCTP")
_PORT_NAME = re.compile(r"(?=.*[a-z])[a-z0-9]+(-[a-z0-9]+)*")
PORT_NAME_RULE = (
    "must be no more than 15 lower case alphanumeric characters or '-', with at least one letter, and '-' neither at"
    " an end nor beside another (e.g. 'http')"
)


class Ports:
    """Those that are declared so far."""

    def __init__(self, check: Check) -> None:
        self._check = check
        self._declared: dict[tuple[int, str], str] = {}
        self._published: dict[tuple[int, str], dict[str, str]] = {}

    def declare(self, container: str, declared: Container) -> None:
        """Checks the ports of a container, ``container`` being its path."""
        names: dict[str, str] = {}
        for index, port in enumerate(declared.ports):
            path = f"{container}.ports[{index}]"
            protocol = self._protocol(f"{path}.protocol", port)
            number = self._check.port(f"{path}.containerPort", port.container_port)
            host_ip = self._host_ip(f"{path}.hostIP", port.host_ip)
            self._name(f"{path}.name", port.name, names)
            if number is not None and protocol is not None:
                self._once(f"{path}.containerPort", number, protocol)
            if port.host_port is None:
                continue
            published = self._check.port(f"{path}.hostPort", port.host_port, least=0)
            if published and protocol is not None and host_ip is not None:
                self._publish(f"{path}.hostPort", published, protocol, host_ip)

    def _protocol(self, path: str, port: ContainerPort) -> str | None:
        if port.protocol in PROTOCOLS:
            return port.protocol
        self._check.add(
            path, f"{show(port.protocol)} is not supported; one of 'TCP', 'UDP', 'SCTP' is expected"
        )
        return None

    def _host_ip(self, path: str, value: object) -> str | None:
        """The address; empty for all of them."""
        text = self._check.text(path, value)
        if not text:
            return text
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            self._check.add(
                path, f"{show(text)} is not valid: an IP address of the engine's host is expected"
            )
            return None
        return "" if address.is_unspecified else str(address)

    def _name(self, path: str, value: object, seen: dict[str, str]) -> None:
        name = self._check.text(path, value, InvalidNameError)
        if not name:
            return
        if len(name) > 15 or not _PORT_NAME.fullmatch(name):
            self._check.add(path, f"{show(name)} is not valid: {PORT_NAME_RULE}", InvalidNameError)
        else:
            self._check.unique(path, name, seen)

    def _once(self, path: str, number: int, protocol: str) -> None:
        other = self._declared.setdefault((number, protocol), path)
        if other != path:
            message = f"{number}/{protocol} is declared at {other} already; a pod has one port space"
            self._check.add(path, message, PortConflictError)

    def _publish(self, path: str, number: int, protocol: str, host_ip: str) -> None:
        others = self._published.setdefault((number, protocol), {})
        other = (
            others.get(host_ip) or others.get("") or (next(iter(others.values()), "") if not host_ip else "")
        )
        if other:
            message = f"{number}/{protocol} of the engine's host is asked for at {other} already"
            self._check.add(path, message, PortConflictError)
        others.setdefault(host_ip, path)
