"""What `describe` says of one container."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pypod.describing import layout
from pypod.describing.variables import describe_variables
from pypod.model.life.history import Record
from pypod.model.life.status import Running, Terminated, Waiting
from pypod.model.spec.handlers import ExecAction, GRPCAction, HTTPGetAction, SleepAction

if TYPE_CHECKING:
    from pypod.model.life.history import History
    from pypod.model.life.status import ContainerStatus
    from pypod.model.rules.downward import PodFacts
    from pypod.model.spec.handlers import HookHandler, Probe, ProbeHandler
    from pypod.model.spec.pod import Container
    from pypod.model.spec.resources import ResourceList

COLUMN = 20
"""Where values begin."""
PROBES = (("Liveness", "liveness"), ("Readiness", "readiness"), ("Startup", "startup"))


@dataclass(frozen=True, slots=True)
class Known:
    """What is known beside spec and status.

    Attributes:
        history: of the pod.
        now: Unix seconds.
        image_id: tells the ID of the image of a container's ID; empty where it is gone.
        facts: what variables are told of the pod.
    """

    history: History
    now: float
    image_id: Callable[[str], str]
    facts: PodFacts


def describe_container(
    name: str, container: Container | None, status: ContainerStatus | None, known: Known
) -> list[str]:
    """Its lines.

    Args:
        name: of it.
        container: as the spec has it; None for an ephemeral one.
        status: None where nothing is known of it.
        known: what else is known.
    """
    shown = [f"  {name}:", *_identity(container, status, known)]
    if container is not None:
        shown += [*_ports(container), *_words("Command", container.command), *_words("Args", container.args)]
    if status is not None:
        shown += status_lines(status, known.now)
    if container is not None:
        shown += _asked(container, _record(name, status, known.history), known.now)
        shown += [*describe_variables(container, known.facts), *_mounts(container)]
    return shown


def _line(key: str, value: str, indent: int = 4) -> str:
    return f"{' ' * indent}{key + ':':<{COLUMN - indent}}{value}".rstrip()


def _identity(container: Container | None, status: ContainerStatus | None, known: Known) -> list[str]:
    image = container.image if container is not None else status.image if status is not None else ""
    identity = status.container_id if status is not None else ""
    image_id = known.image_id(identity) if identity else ""
    return [
        _line("Container ID", f"docker://{identity}" if identity else ""),
        _line("Image", image),
        _line("Image ID", f"docker://{image_id}" if image_id else ""),
    ]


def _ports(container: Container) -> list[str]:
    ports = container.ports
    inside = [
        f"{port.container_port}/{port.protocol}{f' ({port.name})' if port.name else ''}" for port in ports
    ]
    outside = [f"{port.host_port or 0}/{port.protocol}" for port in ports]
    word = "Ports" if len(ports) > 1 else "Port"
    return [
        _line(word, ", ".join(inside) or "<none>"),
        _line(f"Host {word}", ", ".join(outside) or "<none>"),
    ]


def _words(key: str, words: Sequence[str]) -> list[str]:
    """Each on its own line; one of many lines keeps them."""
    lines = [line for word in words for line in (word.splitlines() or [""])]
    return [f"    {key}:", *(f"      {line}" for line in lines)] if words else []


def status_lines(status: ContainerStatus, now: float) -> list[str]:
    """Its state, and the one before; whether it is ready, and how often it was restarted.

    Args:
        status: of it.
        now: Unix seconds.
    """
    shown = _state("State", status.state, now)
    if status.last_state is not None:
        shown += _state("Last State", status.last_state, now)
    return [*shown, _line("Ready", str(status.ready)), _line("Restart Count", str(status.restart_count))]


def _state(key: str, state: Waiting | Running | Terminated, now: float) -> list[str]:
    match state:
        case Running():
            rows = [("Started", layout.clock(state.started_at))]
        case Terminated():
            rows = [("Reason", state.reason), ("Message", " ".join(state.message.split()))]
            rows.append(("Exit Code", str(state.exit_code)))
            times = (("Started", state.started_at), ("Finished", state.finished_at))
            rows += [(word, layout.clock(at)) for word, at in times if at is not None]
        case _:
            rows = [("Reason", state.reason), ("Message", " ".join(state.message.split()))]
            if state.until is not None and state.until > now:
                rows.append(
                    ("Until", f"{layout.clock(state.until)} (in {layout.age(state.until - now + 0.999)})")
                )
    return [_line(key, type(state).__name__), *(_line(word, text, 6) for word, text in rows if text)]


def _record(name: str, status: ContainerStatus | None, history: History) -> Record:
    newest = next(iter(history.records.get(name, ())), Record())
    return history.record(name, status.restart_count) if status is not None else newest


def _asked(container: Container, record: Record, now: float) -> list[str]:
    shown = _amounts("Limits", container.resources.limits)
    shown += _amounts("Requests", container.resources.effective_requests)
    return [*shown, *_checks(container, record, now)]


def check_lines(
    container: Container, status: ContainerStatus | None, history: History, now: float
) -> list[str]:
    """Its probes and hooks, and what each of them said last.

    Args:
        container: as the spec has it.
        status: None where nothing is known of it.
        history: of the pod.
        now: Unix seconds.
    """
    return _checks(container, _record(container.name, status, history), now)


def _checks(container: Container, record: Record, now: float) -> list[str]:
    shown = []
    probes = (container.liveness_probe, container.readiness_probe, container.startup_probe)
    for (key, name), probe in zip(PROBES, probes, strict=True):
        if probe is not None:
            shown += [_line(key, probe_words(probe)), *_probe_result(name, record, now)]
    hooks = (
        ("Post Start", "postStart", container.lifecycle.post_start),
        ("Pre Stop", "preStop", container.lifecycle.pre_stop),
    )
    for key, name, hook in hooks:
        if hook is not None:
            shown.append(_line(key, f"{handler_words(hook)}{_hook_result(name, record)}"))
    return shown


def _amounts(key: str, amounts: ResourceList) -> list[str]:
    rows = []
    if amounts.cpu is not None:
        rows.append(_line("cpu", layout.cores(amounts.cpu), 6))
    if amounts.memory is not None:
        rows.append(_line("memory", layout.size(amounts.memory), 6))
    return [f"    {key}:", *rows] if rows else []


def probe_words(probe: Probe) -> str:
    """As kubectl writes it: ``http-get http://:80/ delay=0s timeout=1s period=10s #success=1 #failure=3``.

    Source: k8s.io/kubectl pkg/describe/describe.go, DescribeProbe.
    """
    return (
        f"{handler_words(probe.handler)} delay={probe.initial_delay_seconds:g}s timeout={probe.timeout_seconds:g}s"
        f" period={probe.period_seconds:g}s #success={probe.success_threshold} #failure={probe.failure_threshold}"
    )


def handler_words(handler: ProbeHandler | HookHandler) -> str:
    """What a probe or hook does."""
    match handler:
        case ExecAction():
            return f"exec [{' '.join(handler.command)}]"
        case HTTPGetAction():
            host = f"[{handler.host}]" if ":" in handler.host else handler.host
            path = handler.path if handler.path.startswith("/") else f"/{handler.path}"
            return f"http-get {handler.scheme.value.lower()}://{host}:{handler.port}{path}"
        case GRPCAction():
            return f"grpc <pod>:{handler.port} {handler.service}".rstrip()
        case SleepAction():
            return f"sleep {handler.seconds:g}s"
        case _:
            return f"tcp-socket {handler.host}:{handler.port}"


def _probe_result(name: str, record: Record, now: float) -> list[str]:
    """What it has said since its threshold was last reached."""
    last = record.probes.get(name)
    if last is None:
        return []
    words = f"{'Success' if last.passed else 'Failure'} for {layout.age(now - last.at)}"
    message = (
        "" if last.passed else " ".join(last.message.split())
    )  # of a success: whatever the server answered
    return [_line("Result", f"{words}: {message}" if message else words, 6)]


def _hook_result(name: str, record: Record) -> str:
    hook = record.hooks.get(name)
    if hook is None:
        return ""
    return f" ({hook.outcome}: {' '.join(hook.message.split())})" if hook.message else f" ({hook.outcome})"


def _mounts(container: Container) -> list[str]:
    if not container.mounts:
        return [_line("Mounts", "<none>")]
    rows = [
        f"      {mount.mount_path} from {mount.name} ({'ro' if mount.read_only else 'rw'})"
        for mount in sorted(container.mounts, key=lambda mount: mount.mount_path)
    ]
    return ["    Mounts:", *rows]
