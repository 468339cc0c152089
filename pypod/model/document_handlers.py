"""Probes and lifecycle hooks in a document, written and read. A 0 where Kubernetes has a default means the default."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from pypod.model import known_fields
from pypod.model.document_fields import Fields
from pypod.model.exact import ExactNumbers, WholeNumbers
from pypod.model.handlers import (
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
from pypod.model.references import escape, expand

HandlerT = TypeVar("HandlerT")

TIMEOUT, PERIOD, SUCCESSES, FAILURES = 1, 10, 1, 3
"""Kubernetes' defaults (pkg/apis/core/v1/defaults.go, SetDefaults_Probe)."""


# --- writing ---------------------------------------------------------------------------------------------------------


def probe_document(probe: Probe, path: str, numbers: WholeNumbers) -> dict[str, object]:
    """The probe as Kubernetes writes it, without what is default."""
    found = _handler(probe.handler, path, numbers, escape)
    least_one = (
        ("timeoutSeconds", probe.timeout_seconds, TIMEOUT),
        ("periodSeconds", probe.period_seconds, PERIOD),
    )
    if probe.initial_delay_seconds:
        name = "initialDelaySeconds"
        found[name] = numbers.of(f"{path}.{name}", probe.initial_delay_seconds)
    for name, seconds, default in least_one:
        whole = numbers.of(f"{path}.{name}", seconds, least=1)
        if whole != default:
            found[name] = whole
    if probe.success_threshold != SUCCESSES:
        found["successThreshold"] = probe.success_threshold
    if probe.failure_threshold != FAILURES:
        found["failureThreshold"] = probe.failure_threshold
    if probe.termination_grace_period_seconds is not None:
        name = "terminationGracePeriodSeconds"
        found[name] = numbers.of(f"{path}.{name}", probe.termination_grace_period_seconds)
    return found


def lifecycle_document(lifecycle: Lifecycle, path: str, numbers: WholeNumbers) -> dict[str, object]:
    """The hooks that there are."""
    hooks = (("postStart", lifecycle.post_start), ("preStop", lifecycle.pre_stop))
    return {name: _handler(hook, f"{path}.{name}", numbers, str) for name, hook in hooks if hook is not None}


def _handler(
    handler: ProbeHandler | HookHandler, path: str, numbers: WholeNumbers, word: Callable[[str], str]
) -> dict[str, object]:
    match handler:
        case ExecAction():
            return {"exec": {"command": [word(each) for each in handler.command]}}
        case HTTPGetAction():
            return {"httpGet": _http(handler)}
        case TCPSocketAction():
            return {"tcpSocket": _at(handler.port, handler.host)}
        case GRPCAction():
            service: dict[str, object] = {"service": handler.service} if handler.service else {}
            return {"grpc": {"port": handler.port, **service}}
        case SleepAction():
            return {"sleep": {"seconds": numbers.of(f"{path}.sleep.seconds", handler.seconds)}}


def _http(action: HTTPGetAction) -> dict[str, object]:
    found = {"path": action.path, **_at(action.port, action.host)}
    if action.scheme is not Scheme.HTTP:
        found["scheme"] = action.scheme.value
    if action.http_headers:
        found["httpHeaders"] = [{"name": name, "value": value} for name, value in action.http_headers]
    return found


def _at(port: int | str, host: str) -> dict[str, object]:
    return {"port": port, "host": host} if host else {"port": port}


# --- reading ---------------------------------------------------------------------------------------------------------


def read_probe(
    container: Fields, name: str, numbers: ExactNumbers, static: Mapping[str, str]
) -> Probe | None:
    """A container's probe; None where there is none, or none that can be read.

    Args:
        container: its fields.
        name: of the probe's field.
        numbers: those with fractions.
        static: the values of the container's env as they are written, which references in a command stand for
            (pkg/kubelet/container/helpers.go, ExpandContainerCommandOnlyStatic).
    """
    if not container.has(name):
        return None
    fields = container.fields(name)
    kinds: dict[str, Callable[[Fields], ProbeHandler]] = {
        "exec": lambda each: ExecAction(_expanded(each, static)),
        "httpGet": _read_http,
        "tcpSocket": _read_tcp,
        "grpc": _read_grpc,
    }
    handler = _read_handler(fields, kinds)
    probe = Probe(
        handler or ExecAction(()),
        initial_delay_seconds=numbers.seconds(fields, "initialDelaySeconds", 0),
        timeout_seconds=numbers.seconds(fields, "timeoutSeconds", TIMEOUT, zero_is_default=True),
        period_seconds=numbers.seconds(fields, "periodSeconds", PERIOD, zero_is_default=True),
        success_threshold=fields.integer("successThreshold") or SUCCESSES,
        failure_threshold=fields.integer("failureThreshold") or FAILURES,
        termination_grace_period_seconds=numbers.optional_seconds(fields, "terminationGracePeriodSeconds"),
    )
    fields.close()
    return probe if handler is not None else None


def read_lifecycle(fields: Fields, numbers: ExactNumbers) -> Lifecycle:
    """The hooks of a container. Their commands hold no references: a kubelet passes them on as they are
    (pkg/kubelet/lifecycle/handlers.go)."""
    lifecycle = Lifecycle(_read_hook(fields, "postStart", numbers), _read_hook(fields, "preStop", numbers))
    fields.close(known_fields.LIFECYCLE)
    return lifecycle


def _read_hook(lifecycle: Fields, name: str, numbers: ExactNumbers) -> HookHandler | None:
    if not lifecycle.has(name):
        return None
    fields = lifecycle.fields(name)
    kinds: dict[str, Callable[[Fields], HookHandler]] = {
        "exec": lambda each: ExecAction(each.strings("command")),
        "httpGet": _read_http,
        "tcpSocket": _read_tcp,
        "sleep": lambda each: _read_sleep(each, numbers),
    }
    hook = _read_handler(fields, kinds)
    fields.close()
    return hook


def _read_handler(fields: Fields, kinds: Mapping[str, Callable[[Fields], HandlerT]]) -> HandlerT | None:
    """The one handler that is there."""
    found = [name for name in kinds if fields.has(name)]
    if not found:
        if fields.usable:
            fields.refuse_itself(f"must specify a handler type: one of {', '.join(kinds)} is required")
        return None
    for name in found[1:]:
        fields.refuse(name, f"may not specify more than 1 handler type: {found[0]} is there already")
    inner = fields.fields(found[0])
    handler = kinds[found[0]](inner)
    inner.close()
    return handler


def _expanded(fields: Fields, static: Mapping[str, str]) -> tuple[str, ...]:
    words = []
    for index, word in enumerate(fields.strings("command")):
        try:
            words.append(expand(word, static))
        except ValueError as exc:
            fields.refuse(f"command[{index}]", str(exc))
            words.append("")
    return tuple(words)


def _read_http(fields: Fields) -> HTTPGetAction:
    headers = []
    for header in fields.many("httpHeaders"):
        headers.append((header.string("name", required=True), header.string("value")))
        header.close()
    return HTTPGetAction(
        fields.port("port"),
        fields.string("path") or "/",
        fields.string("host"),
        fields.choice("scheme", Scheme) or Scheme.HTTP,
        tuple(headers),
    )


def _read_tcp(fields: Fields) -> TCPSocketAction:
    return TCPSocketAction(fields.port("port"), fields.string("host"))


def _read_grpc(fields: Fields) -> GRPCAction:
    return GRPCAction(fields.integer("port", required=True) or 0, fields.string("service"))


def _read_sleep(fields: Fields, numbers: ExactNumbers) -> SleepAction:
    if fields.usable and not fields.has("seconds"):
        fields.refuse("seconds", "is required")
    return SleepAction(numbers.seconds(fields, "seconds", 0))
