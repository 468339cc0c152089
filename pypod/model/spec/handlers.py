"""Probes and lifecycle hooks of a container, as their user describes them: frozen values in Kubernetes' words."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field

from pypod.model.records import record
from pypod.model.schema.compounds import Pairs
from pypod.model.schema.declaring import k8s
from pypod.model.schema.kinds import Integer, IntOrString, Seconds
from pypod.model.schema.references import Text
from pypod.model.schema.structs import Alternative, OneOf, Struct

PORT = IntOrString()
FROM_1 = Integer(zero_is_absent=True)
SECONDS_FROM_1 = Seconds(zero_is_absent=True)
SECONDS, LONG_SECONDS = Seconds(), Seconds(64)


class Scheme(enum.Enum):
    """How an HTTP server is spoken to."""

    HTTP = "HTTP"
    HTTPS = "HTTPS"
    """Its certificate is not verified, as with a kubelet."""


@record(frozen=True, slots=True)
class ExecAction:
    """A command in the container; no shell is put in between. Success: it ends with 0.

    Attributes:
        command: the words. In a probe a `Template` refers to the container's variables as they are written; a hook has none.
    """

    command: tuple[Text, ...]


@record(frozen=True, slots=True)
class HTTPGetAction:
    """A GET request. As a probe it succeeds with a status from 200 to 399; as a hook with any answer.

    Attributes:
        port: a number, or the name of a port of the same container.
        host: who is dialled; empty: the pod's IP, so that a server on 127.0.0.1 alone is not reached.
        http_headers: name and value; a name may be there twice.
    """

    port: int | str = field(metadata=k8s(kind=PORT))
    path: str = field(default="/", metadata=k8s(always=True))
    host: str = ""
    scheme: Scheme = Scheme.HTTP
    http_headers: tuple[tuple[str, str], ...] = field(default=(), metadata=k8s(kind=Pairs()))


@record(frozen=True, slots=True)
class TCPSocketAction:
    """A connection to a port, closed at once. As a hook it always fails, as under Kubernetes."""

    port: int | str = field(metadata=k8s(kind=PORT))
    host: str = ""


@record(frozen=True, slots=True)
class GRPCAction:
    """The standard ``grpc.health.v1.Health/Check``; needs the extra ``pypod[grpc]``."""

    port: int
    service: str = ""


@record(frozen=True, slots=True)
class SleepAction:
    """A pause, in seconds: for a ``preStop`` that lets others notice that the container goes."""

    seconds: float = field(metadata=k8s(kind=LONG_SECONDS))


ProbeHandler = ExecAction | HTTPGetAction | TCPSocketAction | GRPCAction
HookHandler = ExecAction | HTTPGetAction | TCPSocketAction | SleepAction

PROBE_HANDLERS = OneOf(
    "handler type",
    {
        "exec": Alternative(Struct(ExecAction)),
        "httpGet": Alternative(Struct(HTTPGetAction)),
        "tcpSocket": Alternative(Struct(TCPSocketAction)),
        "grpc": Alternative(Struct(GRPCAction)),
    },
)
HOOK_HANDLERS = OneOf(
    "handler type",
    {
        # A kubelet passes the commands of hooks on as they are (pkg/kubelet/lifecycle/handlers.go).
        "exec": Alternative(Struct(ExecAction, literal=True)),
        "httpGet": Alternative(Struct(HTTPGetAction)),
        "tcpSocket": Alternative(Struct(TCPSocketAction)),
        "sleep": Alternative(Struct(SleepAction)),
    },
)
Headers = Mapping[str, str] | Iterable[tuple[str, str]]


def _http(
    path: str, port: int | str, host: str, scheme: str | Scheme, headers: Headers | None
) -> HTTPGetAction:
    if isinstance(scheme, str) and scheme not in (each.value for each in Scheme):
        raise ValueError(f"cannot take scheme={scheme!r}: 'HTTP' or 'HTTPS' is expected")
    return HTTPGetAction(port, path or "/", host, Scheme(scheme), _pairs(headers))


def _pairs(headers: Headers | None) -> tuple[tuple[str, str], ...]:
    try:
        pairs = headers.items() if isinstance(headers, Mapping) else headers or ()
        return tuple((name, value) for name, value in pairs)
    except (TypeError, ValueError):
        message = f"cannot take headers={headers!r}: a mapping, or pairs of name and value, is expected"
        raise TypeError(message) from None


def _exec(command: Sequence[str]) -> ExecAction:
    if isinstance(command, str | bytes) or not isinstance(command, Iterable):
        raise TypeError(f"cannot take command={command!r} of a probe or hook: a list of words is expected")
    return ExecAction(tuple(command))


@record(frozen=True, slots=True)
class Probe:
    """A check that is made again and again. Use `Probe.http_get`, `Probe.tcp_socket`, `Probe.exec`, `Probe.grpc`.

    Attributes:
        handler: what is done.
        initial_delay_seconds: after the container's start, before the first try that counts.
        timeout_seconds: a try that takes longer has failed.
        period_seconds: between tries; fractions are accepted here (Kubernetes takes whole seconds).
        success_threshold: that many in a row make a success; 1 for liveness and startup probes.
        failure_threshold: that many in a row make a failure.
        termination_grace_period_seconds: of a container that this probe gets killed; None: the pod's. Not for readiness.
    """

    handler: ProbeHandler = field(metadata=k8s(kind=PROBE_HANDLERS, inline=True))
    initial_delay_seconds: float = field(default=0.0, metadata=k8s(kind=SECONDS))
    timeout_seconds: float = field(default=1.0, metadata=k8s(kind=SECONDS_FROM_1))
    period_seconds: float = field(default=10.0, metadata=k8s(kind=SECONDS_FROM_1))
    success_threshold: int = field(default=1, metadata=k8s(kind=FROM_1))
    failure_threshold: int = field(default=3, metadata=k8s(kind=FROM_1))
    termination_grace_period_seconds: float | None = field(default=None, metadata=k8s(kind=LONG_SECONDS))

    @classmethod
    def http_get(
        cls,
        path: str = "/",
        *,
        port: int | str,
        host: str = "",
        scheme: str | Scheme = Scheme.HTTP,
        headers: Headers | None = None,
        initial_delay_seconds: float = 0.0,
        timeout_seconds: float = 1.0,
        period_seconds: float = 10.0,
        success_threshold: int = 1,
        failure_threshold: int = 3,
        termination_grace_period_seconds: float | None = None,
    ) -> Probe:
        """Succeeds while a GET is answered with a status from 200 to 399.

        Args:
            path, port, host, scheme, headers: see `HTTPGetAction`; ``scheme`` is ``"HTTP"`` or ``"HTTPS"``.
            initial_delay_seconds, timeout_seconds, period_seconds, success_threshold, failure_threshold,
                termination_grace_period_seconds: see `Probe`.

        Raises:
            ValueError: the scheme is none of the two.
        """
        return cls(
            _http(path, port, host, scheme, headers),
            initial_delay_seconds,
            timeout_seconds,
            period_seconds,
            success_threshold,
            failure_threshold,
            termination_grace_period_seconds,
        )

    @classmethod
    def tcp_socket(
        cls,
        port: int | str,
        *,
        host: str = "",
        initial_delay_seconds: float = 0.0,
        timeout_seconds: float = 1.0,
        period_seconds: float = 10.0,
        success_threshold: int = 1,
        failure_threshold: int = 3,
        termination_grace_period_seconds: float | None = None,
    ) -> Probe:
        """Succeeds while a port takes connections; arguments as for `http_get`."""
        return cls(
            TCPSocketAction(port, host),
            initial_delay_seconds,
            timeout_seconds,
            period_seconds,
            success_threshold,
            failure_threshold,
            termination_grace_period_seconds,
        )

    @classmethod
    def exec(
        cls,
        command: Sequence[str],
        *,
        initial_delay_seconds: float = 0.0,
        timeout_seconds: float = 1.0,
        period_seconds: float = 10.0,
        success_threshold: int = 1,
        failure_threshold: int = 3,
        termination_grace_period_seconds: float | None = None,
    ) -> Probe:
        """Succeeds while a command in the container ends with 0; other arguments as for `http_get`."""
        return cls(
            _exec(command),
            initial_delay_seconds,
            timeout_seconds,
            period_seconds,
            success_threshold,
            failure_threshold,
            termination_grace_period_seconds,
        )

    @classmethod
    def grpc(
        cls,
        port: int,
        *,
        service: str = "",
        initial_delay_seconds: float = 0.0,
        timeout_seconds: float = 1.0,
        period_seconds: float = 10.0,
        success_threshold: int = 1,
        failure_threshold: int = 3,
        termination_grace_period_seconds: float | None = None,
    ) -> Probe:
        """Succeeds while the server's health service says SERVING; other arguments as for `http_get`."""
        return cls(
            GRPCAction(port, service),
            initial_delay_seconds,
            timeout_seconds,
            period_seconds,
            success_threshold,
            failure_threshold,
            termination_grace_period_seconds,
        )


class Hook:
    """Makes the handlers of a `Lifecycle`."""

    @staticmethod
    def exec(command: Sequence[str]) -> ExecAction:
        """A command in the container, which must end with 0."""
        return _exec(command)

    @staticmethod
    def http_get(
        path: str = "/",
        *,
        port: int | str,
        host: str = "",
        scheme: str | Scheme = Scheme.HTTP,
        headers: Headers | None = None,
    ) -> HTTPGetAction:
        """A GET request; whatever is answered is a success. Raises `ValueError` for another scheme than the two."""
        return _http(path, port, host, scheme, headers)

    @staticmethod
    def tcp_socket(port: int | str, *, host: str = "") -> TCPSocketAction:
        """Accepted and always failing, as under Kubernetes, which keeps it for old manifests."""
        return TCPSocketAction(port, host)

    @staticmethod
    def sleep(seconds: float) -> SleepAction:
        """Wait for so many seconds, or until the grace period ends."""
        return SleepAction(seconds)


@record(frozen=True, slots=True)
class Lifecycle:
    """What is done when a container has started, and before it is stopped.

    Attributes:
        post_start: beside the container's own command, right after its start; the next container waits for it. Where it
            fails, the container is stopped and restarted by its policy.
        pre_stop: before the stop signal, within the grace period; not where the container ended by itself. Where it fails,
            the stop goes on.
        stop_signal: ``SIGUSR1``: sent instead of the image's own, or SIGTERM; empty: as the image says. The pod's ``os`` must be
            given with it.
    """

    post_start: HookHandler | None = field(default=None, metadata=k8s(kind=HOOK_HANDLERS))
    pre_stop: HookHandler | None = field(default=None, metadata=k8s(kind=HOOK_HANDLERS))
    stop_signal: str = ""
