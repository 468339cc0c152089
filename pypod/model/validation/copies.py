"""What keeps a pod from being there more than once at a time: for who makes several of one description."""

from __future__ import annotations

from pypod.errors import PortConflictError, Problem
from pypod.model.schema.structs import path_of
from pypod.model.spec.pod import Container, PodSpec


def obstacles(spec: PodSpec) -> list[Problem]:
    """The fields of a valid spec that a second pod of it would be refused for by the engine, or would never become ready by."""
    found = []
    for kind in ("init_containers", "containers"):
        containers: tuple[Container, ...] = getattr(spec, kind)
        for index, container in enumerate(containers):
            path = f"{path_of('spec', PodSpec, kind)}[{index}].ports"
            found += _fixed_ports(path, container, of_host=spec.host_network)
    return found


def _fixed_ports(path: str, container: Container, *, of_host: bool) -> list[Problem]:
    problems = []
    for index, port in enumerate(container.ports):
        if port.host_port:
            words = (
                f"{port.host_port} is a port of the engine's host, which one pod at a time can have; "
                "0 (a free one each), or none and `Pod.address`, is expected of a pod that there are several of"
            )
            problems.append(Problem(f"{path}[{index}].hostPort", words, PortConflictError))
        elif of_host:
            words = (
                f"with hostNetwork {port.container_port} is a port of the engine's host, which one pod at a time can have; "
                "a pod that there are several of has a network of its own, or declares no port"
            )
            problems.append(Problem(f"{path}[{index}].containerPort", words, PortConflictError))
    return problems
