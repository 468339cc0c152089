"""One try of a probe, and one run of a hook: the I/O of them, without thresholds, periods and what follows from a failure.

Network probes come from where pypod runs, as a kubelet's come from the node: they dial the pod's IP, never localhost. Where
the pod's network does not route to here, they dial the same IP from inside the pod, by the relay in its pause; a server that
listens on 127.0.0.1 alone fails both ways.
"""

from __future__ import annotations

import contextlib
import enum
import shlex
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pypod.engine import dial, execute, grpc_check
from pypod.engine.api import Engine
from pypod.engine.connection import (
    LINGER,
    RUNTIME_REFUSAL,
    Direct,
    NoConnectionError,
    NotTLSError,
    NotTriedError,
    Relayed,
    Way,
    join,
    left,
)
from pypod.errors import EngineError
from pypod.model.results import ExecResult
from pypod.model.spec.handlers import (
    ExecAction,
    GRPCAction,
    HookHandler,
    HTTPGetAction,
    ProbeHandler,
    Scheme,
    SleepAction,
    TCPSocketAction,
)

MAX_OUTPUT = 10 * 1024
"""Bytes of a command's output that are read (kubernetes pkg/probe/exec)."""
AFTER_REFUSAL = 0.02
AFTER_FAILURE = 0.25
EXEC_EASE = 5
"""An exec may be tried again after that many times its own duration: 18 a second saturate a core (measured)."""
LEAST_EXEC_PAUSE = 0.05
ENDED_WITH_CONTAINER = "the command ended with its container"
STOPPED_SLEEP = "container terminated before sleep hook finished"


class Verdict(enum.Enum):
    """What a try came to."""

    SUCCESS = "success"
    FAILURE = "failure"
    ERROR = "error"
    """It could not be tried: that is no result."""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The end of a try.

    Attributes:
        verdict: of a hook only success and failure.
        message: why, in a kubelet's words; a successful command's output.
        warning: a success that its user should hear of.
        retry_soon: seconds after which a fast first try may follow this one.
    """

    verdict: Verdict
    message: str = ""
    warning: str = ""
    retry_soon: float = AFTER_FAILURE


@dataclass(frozen=True, slots=True)
class Target:
    """The container that is asked, and what is known of its pod.

    Attributes:
        engine: where it is.
        pause, container: IDs.
        ip: the pod's.
        network: the ID of the network that the IP is of.
        ports: the container's named ports.
        reach: ``direct``: dial from here; ``relay``: through the pause; ``auto``: from here where that is known to route.
    """

    engine: Engine
    pause: str
    ip: str
    network: str
    container: str
    ports: Mapping[str, int] = field(default_factory=dict)
    reach: str = "auto"


def grpc_available() -> bool:
    """Whether gRPC probes can be made here."""
    return grpc_check.available()


def check(target: Target, handler: ProbeHandler, timeout: float, *, wait: float = 0.0) -> CheckResult:
    """Try a probe once. Raises nothing for what a pod, an engine or a handler does.

    Args:
        target: of which container.
        handler: what is tried.
        timeout: seconds that it may take; longer is a failure.
        wait: seconds that a try through the relay may first wait for the port to open. Ignored where it dials from here.
    """
    try:
        if isinstance(handler, ExecAction):
            return _probe_exec(target, handler, timeout)
        if isinstance(handler, HTTPGetAction):
            return _probe_http(target, handler, timeout, wait)
        if isinstance(handler, TCPSocketAction):
            return _probe_tcp(target, handler, timeout, wait)
        return _probe_grpc(target, handler, timeout, wait)
    except execute.ContainerEndedError:
        return _failure(ENDED_WITH_CONTAINER)
    except (NotTriedError, EngineError) as error:
        return CheckResult(Verdict.ERROR, str(error))


def run_hook(
    target: Target,
    handler: HookHandler,
    timeout: float | None,
    *,
    may_end: bool = False,
    cancelled: threading.Event | None = None,
) -> CheckResult:
    """Run a hook once. Raises nothing for what a pod, an engine or a handler does.

    Args:
        target: of which container.
        handler: what is done.
        timeout: seconds that it may take; None: as long as it takes, or as the container lives.
        may_end: a command whose container ends meanwhile did what it is for, as `nginx -s quit` before a stop does: the engine
            may not know its exit code.
        cancelled: ends a sleep. Commands and requests are ended by their time-out, or with the container.

    Returns:
        Success or failure.
    """
    try:
        if isinstance(handler, ExecAction):
            return _hook_exec(target, handler, timeout)
        if isinstance(handler, HTTPGetAction):
            return _hook_http(target, handler, timeout)
        if isinstance(handler, SleepAction):
            return _sleep(handler.seconds, timeout, cancelled or threading.Event())
        return _failure("invalid handler")
    except execute.ContainerEndedError:
        return CheckResult(Verdict.SUCCESS) if may_end else _failure(ENDED_WITH_CONTAINER)
    except (NotTriedError, EngineError) as error:
        return _failure(str(error))


def _failure(message: str, retry_soon: float = AFTER_FAILURE) -> CheckResult:
    return CheckResult(Verdict.FAILURE, message, retry_soon=retry_soon)


# --- commands --------------------------------------------------------------------------------------------------------


def _probe_exec(target: Target, action: ExecAction, timeout: float) -> CheckResult:
    begun = time.monotonic()
    failure, output = _execute(target, action.command, timeout)
    retry_soon = max(LEAST_EXEC_PAUSE, EXEC_EASE * (time.monotonic() - begun))
    if failure:
        return _failure(output or failure, retry_soon)
    return CheckResult(Verdict.SUCCESS, output, retry_soon=retry_soon)


def _hook_exec(target: Target, action: ExecAction, timeout: float | None) -> CheckResult:
    failure, output = _execute(target, action.command, timeout)
    if failure:
        return _failure(f"{failure}: {output}" if output else failure)
    return CheckResult(Verdict.SUCCESS, output)


def _execute(target: Target, command: Sequence[str], timeout: float | None) -> tuple[str, str]:
    """Why a command failed (empty: it did not), and what it wrote. Raises `NotTriedError` where it did not start, and
    `ContainerEndedError` where nobody knows how it ended."""
    quoted = f'command "{shlex.join(command)}"'
    try:
        result = execute.run(
            target.engine, target.container, command, timeout=timeout, output_limit=MAX_OUTPUT
        )
    except execute.ContainerEndedError:
        raise
    except execute.OutputTimeoutError:
        return f"{quoted} timed out", ""
    output = _output(result)
    if result.exit_code in (126, 127) and output.startswith(RUNTIME_REFUSAL.decode()):
        raise NotTriedError(f"cannot run {quoted}: {output}")
    return (f"{quoted} exited with {result.exit_code}" if result.exit_code else ""), output


def _output(result: ExecResult) -> str:
    both = (result.stdout_bytes + result.stderr_bytes)[:MAX_OUTPUT]
    return both.decode(errors="replace").strip()


# --- ports -----------------------------------------------------------------------------------------------------------


def _port(target: Target, port: int | str) -> int:
    """The number of a port. Raises `NotTriedError` where there is none of that name."""
    number = target.ports.get(port, port) if isinstance(port, str) else port
    with contextlib.suppress(ValueError):
        if 1 <= int(number) <= 65535:
            return int(number)
    known = ", ".join(sorted(target.ports)) or "none"
    raise NotTriedError(
        f"cannot find port {port!r}: a number from 1 to 65535 or the name of a port of this container is expected"
        f" (it has {known})"
    )


def _way(target: Target, host: str, wait: float = 0.0) -> tuple[Way, str]:
    """How to get there, and the address to dial. Raises `NotTriedError`, `EngineError`."""
    if host and host != target.ip:  # not the pod: where this is, is known from here only
        return Direct(), host
    if not target.ip:
        raise NotTriedError("cannot dial the pod: it has no IP address")
    if target.reach == "direct" or (target.reach == "auto" and dial.reaches(target.engine, target.network)):
        return Direct(), target.ip
    return Relayed(target.engine, target.pause, wait), target.ip


def _deadline(way: Way, timeout: float | None) -> float | None:
    return None if timeout is None else time.monotonic() + timeout + way.patience


def _no_connection(way: Way, error: Exception | None) -> float:
    """Seconds after which the next fast try may follow a failure."""
    if isinstance(error, NoConnectionError):
        if way.patience:
            return 0.0  # it waited in there
        if error.refused and isinstance(way, Direct):
            return AFTER_REFUSAL
    return AFTER_FAILURE


def _probe_tcp(target: Target, action: TCPSocketAction, timeout: float, wait: float) -> CheckResult:
    port = _port(target, action.port)
    way, host = _way(target, action.host, wait)
    try:
        way.knock(host, port, _deadline(way, timeout))
    except NoConnectionError as error:
        return _failure(str(error), _no_connection(way, error))
    return CheckResult(Verdict.SUCCESS)


def _probe_http(target: Target, action: HTTPGetAction, timeout: float, wait: float) -> CheckResult:
    from pypod.engine import http_check  # noqa: PLC0415 (http.client is large, and most pods have no need of it)

    port = _port(target, action.port)
    way, host = _way(target, action.host, wait)
    request = http_check.Request(action, host, port, "probe")
    try:
        answer = http_check.get(way, request, _deadline(way, timeout), with_body=True)
    except http_check.RequestError as error:
        return _failure(str(error), _no_connection(way, error.cause))
    if not 200 <= answer.status < 400:
        return _failure(f"HTTP probe failed with statuscode: {answer.status}")
    if answer.status >= 300:
        warning = f"Probe terminated redirects, Response body: {answer.body}"
        return CheckResult(Verdict.SUCCESS, answer.body, warning)
    return CheckResult(Verdict.SUCCESS, answer.body)


def _probe_grpc(target: Target, action: GRPCAction, timeout: float, wait: float) -> CheckResult:
    if not grpc_available():
        return CheckResult(Verdict.ERROR, f"cannot make a gRPC probe: {grpc_check.HOW_TO_GET}")
    port = _port(target, action.port)
    way, host = _way(target, "", wait)
    deadline = _deadline(way, timeout)
    try:
        # grpcio does not say whether a port was closed, and making a channel for each fast try would be dear.
        way.knock(host, port, deadline)
        seconds = left(deadline) or timeout
    except (NoConnectionError, TimeoutError) as error:
        message = f'error: failed to connect service at "{join(host, port)}": {error}'
        return _failure(message, _no_connection(way, error))
    if isinstance(way, Direct):
        failure = grpc_check.health(join(host, port), action.service, seconds)
    else:
        relay = dial.Relay(target.engine, target.pause, host, port, limit=seconds + LINGER)
        with contextlib.closing(relay):
            failure = grpc_check.health(join(*relay.address), action.service, seconds)
    return _failure(failure) if failure else CheckResult(Verdict.SUCCESS)


# --- hooks -----------------------------------------------------------------------------------------------------------


def _hook_http(target: Target, action: HTTPGetAction, timeout: float | None) -> CheckResult:
    """Any answer is a success. An HTTPS hook of a server without TLS is asked once more without (kubelet, lifecycle)."""
    from pypod.engine import http_check  # noqa: PLC0415 (as above)

    port = _port(target, action.port)
    way, host = _way(target, action.host)
    request = http_check.Request(action, host, port, "lifecycle")
    deadline = _deadline(way, timeout)
    try:
        try:
            http_check.get(way, request, deadline, with_body=False)
        except http_check.RequestError as error:
            if not isinstance(error.cause, NotTLSError):
                raise
            http_check.get(way, request, deadline, scheme=Scheme.HTTP, with_body=False)
    except http_check.RequestError as error:
        return _failure(str(error))
    return CheckResult(Verdict.SUCCESS)


def _sleep(seconds: float, timeout: float | None, cancelled: threading.Event) -> CheckResult:
    enough = timeout is None or seconds <= timeout
    stopped = cancelled.wait(seconds if timeout is None else min(seconds, timeout))
    return CheckResult(Verdict.SUCCESS) if enough and not stopped else _failure(STOPPED_SLEEP)
