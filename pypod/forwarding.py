"""Forwarding a port of this machine to a port of a pod, as `kubectl port-forward` does."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Self

from pypod.engine.dial import Relay
from pypod.engine.sync import PodSync
from pypod.errors import PortForwardError, PypodError
from pypod.model.spec.pod import PodSpec

LOOPBACK = "127.0.0.1"


class PortForward:
    """Made by `pypod.Pod.port_forward`: open until it is closed, its ``with`` block ends, or its pod is stopped here.

    Attributes:
        host, port: where this machine listens.
        remote_port: the pod's.
    """

    def __init__(self, relay: Relay, remote_port: int) -> None:
        self.host, self.port = relay.address
        self.remote_port = remote_port
        self._relay = relay

    @property
    def address(self) -> tuple[str, int]:
        """``(host, port)``, as `socket.create_connection` takes it."""
        return self.host, self.port

    def __repr__(self) -> str:
        return f"<PortForward {self.host}:{self.port} -> {self.remote_port}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Listen no more, and end what is connected. A second time it does nothing."""
        self._relay.close()


def forward(
    sync: PodSync,
    sandbox: Callable[[], str],
    port: int | str,
    local_port: int,
    address: str,
    on_error: Callable[[str], object] | None,
) -> PortForward:
    """See `pypod.Pod.port_forward`.

    Args:
        sync: the pod.
        sandbox: tells the ID of its pause, and raises `PypodError` while it has none.
    """
    spec = sync.desired.spec
    number = _number(spec, port)
    if not 0 <= local_port <= 65535:
        raise _error(spec, port, f"cannot listen on port {local_port}: a number from 0 to 65535 is expected")
    sandbox()  # a pod without a sandbox is an error now, and not only when somebody dials
    try:
        relay = Relay(sync.engine, sandbox, LOOPBACK, number, listen=(address, local_port), on_error=on_error)
    except OSError as error:
        raise _error(spec, port, f"cannot listen on {address}:{local_port}: {_why(error)}") from error
    return PortForward(relay, number)


def _number(spec: PodSpec, port: int | str) -> int:
    named = {each.name: each.container_port for one in spec.all_containers for each in one.ports if each.name}
    number = named.get(port) if isinstance(port, str) else port
    if number is None or not 1 <= number <= 65535:
        known = f" (it has {', '.join(named)})" if named else ""
        raise _error(
            spec, port, f"a number from 1 to 65535 or the name of a port of the pod{known} is expected"
        )
    return number


def _error(spec: PodSpec, port: int | str, why: str) -> PypodError:
    return PortForwardError(
        f"cannot forward to port {port!r} of pod '{spec.full_name}': {why}", pod=spec.full_name
    )


def _why(error: OSError) -> str:
    words = error.strerror or str(error)
    return words.partition(" (while attempting")[0]  # the address again, from `socket.create_server`
