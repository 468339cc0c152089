"""The probes and lifecycle hooks of a container.

Source: pkg/apis/core/validation/validation.go, validateProbe, validateLivenessProbe, validateHandler, validateInitContainers.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from pypod.errors import InvalidPortError
from pypod.model.schema.checking import LARGEST_NUMBER, LARGEST_SIZE, Check
from pypod.model.schema.references import Template
from pypod.model.spec.handlers import (
    ExecAction,
    GRPCAction,
    HookHandler,
    HTTPGetAction,
    Lifecycle,
    Probe,
    ProbeHandler,
    Scheme,
    SleepAction,
    TCPSocketAction,
)
from pypod.model.spec.pod import Container, PodSpec
from pypod.model.wording import did_you_mean, show

ONLY_SIDECARS = "may not be set for init containers without restartPolicy=Always"
HEADER_RULE = "a valid HTTP header must consist of alphanumeric characters or '-' (e.g. 'X-Header-Name')"
SIGNALS = (
    frozenset(
        [
            "SIGABRT",
            "SIGALRM",
            "SIGBUS",
            "SIGCHLD",
            "SIGCLD",
            "SIGCONT",
            "SIGFPE",
            "SIGHUP",
            "SIGILL",
            "SIGINT",
            "SIGIO",
            "SIGIOT",
            "SIGKILL",
            "SIGPIPE",
            "SIGPOLL",
            "SIGPROF",
            "SIGPWR",
            "SIGQUIT",
            "SIGSEGV",
            "SIGSTKFLT",
            "SIGSTOP",
            "SIGSYS",
            "SIGTERM",
            "SIGTRAP",
            "SIGTSTP",
            "SIGTTIN",
            "SIGTTOU",
            "SIGURG",
            "SIGUSR1",
            "SIGUSR2",
            "SIGVTALRM",
            "SIGWINCH",
            "SIGXCPU",
            "SIGXFSZ",
            "SIGRTMIN",
            "SIGRTMAX",
        ]
    )
    | {f"SIGRTMIN+{number}" for number in range(1, 16)}
    | {f"SIGRTMAX-{number}" for number in range(1, 15)}
)
"""Source: pkg/apis/core/types.go, Signal."""
_HEADER = re.compile(r"[-A-Za-z0-9]+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def probes_of(container: Container) -> tuple[tuple[str, object], ...]:
    """Each probe of a container, or None, with its field."""
    return (
        ("startupProbe", container.startup_probe),
        ("livenessProbe", container.liveness_probe),
        ("readinessProbe", container.readiness_probe),
    )


def forbid_handlers(check: Check, path: str, container: Container) -> None:
    """A container that is to end by itself is neither probed nor told that it ends."""
    for name, probe in probes_of(container):
        if probe is not None:
            check.add(f"{path}.{name}", ONLY_SIDECARS)
    if container.lifecycle != Lifecycle():
        check.add(f"{path}.lifecycle", ONLY_SIDECARS)


def check_stop_signal(check: Check, path: str, container: Container, spec: PodSpec) -> None:
    """Which signals there are depends on the system, so that must be said (validateStopSignal)."""
    lifecycle: object = container.lifecycle
    if isinstance(lifecycle, Lifecycle) and lifecycle.stop_signal and not spec.os:
        check.add(
            f"{path}.lifecycle.stopSignal",
            "may not be set where `spec.os.name` is empty; 'linux' is expected there",
        )


def check_handlers(check: Check, path: str, container: Container, grace: float | None) -> None:
    """Checks probes and hooks.

    Args:
        check: takes the problems.
        path: of the container.
        container: whose they are.
        grace: of the pod, seconds; None where it is wrong.
    """
    names: list[object] = [port.name for port in container.ports]
    ports = [name for name in names if isinstance(name, str) and name]
    for name, probe in probes_of(container):
        if isinstance(probe, Probe):
            _probe(check, f"{path}.{name}", probe, ports)
        elif probe is not None:
            check.add(f"{path}.{name}", f"a Probe is expected, not {show(probe)}")
    _lifecycle(check, f"{path}.lifecycle", container.lifecycle, ports, grace)


def _probe(check: Check, path: str, probe: Probe, ports: Collection[str]) -> None:
    handler: object = probe.handler
    if isinstance(handler, ProbeHandler):
        _handler(check, path, handler, ports)
    else:
        kinds = "exec, httpGet, tcpSocket, grpc"
        check.add(path, f"must specify a handler type: one of {kinds} is expected, not {show(handler)}")
    check.seconds(f"{path}.initialDelaySeconds", probe.initial_delay_seconds)
    check.seconds(f"{path}.timeoutSeconds", probe.timeout_seconds, above_zero=True)
    check.seconds(f"{path}.periodSeconds", probe.period_seconds, above_zero=True)
    is_readiness = path.endswith(".readinessProbe")
    _threshold(
        check, f"{path}.successThreshold", probe.success_threshold, LARGEST_NUMBER if is_readiness else 1
    )
    _threshold(check, f"{path}.failureThreshold", probe.failure_threshold, LARGEST_NUMBER)
    if probe.termination_grace_period_seconds is None:
        return
    field = f"{path}.terminationGracePeriodSeconds"
    if is_readiness:
        check.add(field, "must not be set for readinessProbes")
    else:
        check.seconds(field, probe.termination_grace_period_seconds, above_zero=True, most=LARGEST_SIZE)


def _threshold(check: Check, path: str, value: object, most: int) -> None:
    if most == 1 and isinstance(value, int) and not isinstance(value, bool) and value > 1:
        check.add(path, f"must be 1, not {show(value)}: only a readinessProbe may ask for more")
    else:
        check.whole(path, value, least=1, most=most)


def _lifecycle(
    check: Check, path: str, lifecycle: object, ports: Collection[str], grace: float | None
) -> None:
    if not isinstance(lifecycle, Lifecycle):
        check.add(path, f"a Lifecycle is expected, not {show(lifecycle)}")
        return
    signal = check.text(f"{path}.stopSignal", lifecycle.stop_signal)
    if signal and signal not in SIGNALS:
        hint = did_you_mean(signal, SIGNALS)
        check.add(
            f"{path}.stopSignal", f"{show(signal)} is no signal; a name like 'SIGTERM' is expected{hint}"
        )
    hooks: tuple[tuple[str, object], ...] = (
        ("postStart", lifecycle.post_start),
        ("preStop", lifecycle.pre_stop),
    )
    for name, hook in hooks:
        where = f"{path}.{name}"
        if isinstance(hook, SleepAction):
            _sleep(check, f"{where}.sleep.seconds", hook.seconds, grace)
        elif isinstance(hook, HookHandler):
            _handler(check, where, hook, ports)
            if isinstance(hook, ExecAction) and any(isinstance(word, Template) for word in hook.command):
                message = (
                    "the command of a hook knows no variables: plain strings are expected; 'sh -c' knows them"
                )
                check.add(f"{where}.exec.command", message)
        elif hook is not None:
            kinds = "exec, httpGet, tcpSocket, sleep"
            check.add(where, f"must specify a handler type: one of {kinds} is expected, not {show(hook)}")


def _sleep(check: Check, path: str, value: object, grace: float | None) -> None:
    seconds = check.seconds(path, value, most=LARGEST_SIZE)
    if seconds is not None and grace is not None and seconds > grace:
        check.add(
            path, f"must not be more than terminationGracePeriodSeconds ({grace:g}), not {show(seconds)}"
        )


def _handler(check: Check, path: str, handler: ProbeHandler | HookHandler, ports: Collection[str]) -> None:
    match handler:
        case ExecAction():
            _command(check, f"{path}.exec.command", handler.command)
        case HTTPGetAction():
            _http(check, f"{path}.httpGet", handler, ports)
        case TCPSocketAction():
            _port(check, f"{path}.tcpSocket.port", handler.port, ports)
            _line(check, f"{path}.tcpSocket.host", handler.host)
        case GRPCAction():
            check.port(f"{path}.grpc.port", handler.port)
            check.text(f"{path}.grpc.service", handler.service)


def _command(check: Check, path: str, command: object) -> None:
    if not isinstance(command, tuple):
        check.add(path, f"a tuple of words is expected, not {show(command)}")
        return
    if not command:
        check.add(path, "is required: a program of the image, and its arguments")
    for index, word in enumerate(command):
        check.text(f"{path}[{index}]", word)


def _http(check: Check, path: str, action: HTTPGetAction, ports: Collection[str]) -> None:
    if _line(check, f"{path}.path", action.path) == "":
        check.add(f"{path}.path", "is required: '/' for the root")
    _port(check, f"{path}.port", action.port, ports)
    _line(check, f"{path}.host", action.host)
    check.is_a(f"{path}.scheme", action.scheme, Scheme, "a Scheme")
    headers: object = action.http_headers
    if not isinstance(headers, tuple):
        check.add(
            f"{path}.httpHeaders", f"a tuple of pairs of name and value is expected, not {show(headers)}"
        )
        return
    for index, header in enumerate(headers):
        where = f"{path}.httpHeaders[{index}]"
        if not isinstance(header, tuple) or len(header) != 2:
            check.add(where, f"a pair of name and value is expected, not {show(header)}")
            continue
        name = check.text(f"{where}.name", header[0])
        if name is not None and not _HEADER.fullmatch(name):
            check.add(f"{where}.name", f"{show(name)} is not valid: {HEADER_RULE}" if name else "is required")
        _line(check, f"{where}.value", header[1])


def _line(check: Check, path: str, value: object) -> str | None:
    """Text that goes into a request: with a line break in it, it would be another request."""
    text = check.text(path, value)
    if text is not None and _CONTROL.search(text):
        check.add(path, f"{show(text)} may not contain control characters")
        return None
    return text


def _port(check: Check, path: str, port: object, ports: Collection[str]) -> None:
    if not isinstance(port, str):
        if isinstance(port, int) and not isinstance(port, bool):
            check.port(path, port)
        else:
            message = f"a number between 1 and 65535, or the name of a port, is expected, not {show(port)}"
            check.add(path, message, InvalidPortError)
    elif port not in ports and not check.full:
        known = ", ".join(show(name) for name in list(ports)[:10]) + (", ..." if len(ports) > 10 else "")
        there = f"its named ports are {known}" if ports else "it names no ports"
        hint = " (without quotes it is a number)" if port.isdecimal() else did_you_mean(port, ports)
        check.add(path, f"the container has no port {show(port)}{hint}; {there}", InvalidPortError)
