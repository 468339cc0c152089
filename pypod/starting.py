"""Starting a pod: passes on the calling thread until every container has been started, or one cannot be."""

from __future__ import annotations

import time

from pypod.engine.sync import PodSync
from pypod.errors import (
    CommandError,
    ConflictError,
    EngineError,
    ImageError,
    NotFoundError,
    PodExistsError,
    PodStartError,
    PodTimeoutError,
)
from pypod.model.spec import HostPath
from pypod.model.state import ContainerInfo
from pypod.model.status import ContainerStatus, Phase, PodStatus, Running, Terminated, Waiting

POLL = 0.01
"""Seconds between looks while nothing is to be done but to see whether the containers stay up."""
SHORTEST_POLL = 0.001
LONGEST_POLL = 0.05
LOG_TAIL = 20
CANNOT_RUN = (126, 127)
IMAGE_REASONS = ("ErrImagePull", "ErrImageNeverPull", "InvalidImageName")


def start(pod: PodSync, *, timeout: float, min_ready_seconds: float) -> None:
    """Bring the pod up.

    Args:
        pod: what is to start.
        timeout: seconds from now.
        min_ready_seconds: how long a container must have been up to count as started. The engine tells of an exit up to
            60 ms after it told of the start (measured on 20.10), so 0 misses what fails at once.

    Raises:
        PodStartError: a container cannot be started, or keeps crashing; with its exit code and last log lines.
        PodExistsError: another pod took the name meanwhile.
        PodTimeoutError: the time was up.
        EngineError: the engine failed.
    """
    deadline = time.monotonic() + timeout
    while True:
        plan = pod.run_once(check_failure)
        left = seconds_to_go(pod, min_ready_seconds)
        if not plan and left is not None and left <= 0:
            return
        if time.monotonic() > deadline:
            raise _timeout(pod, timeout, plan.waiting)
        if not plan:
            time.sleep(POLL if left is None else min(max(left, SHORTEST_POLL), LONGEST_POLL))


def seconds_to_go(pod: PodSync, min_ready_seconds: float) -> float | None:
    """Until each container has been up for long enough, or has done its work and ended with 0; None where one is not up."""
    seen = pod.observed
    if seen is None or not pod.status.container_statuses:
        return None
    left = 0.0
    for status in pod.status.container_statuses:
        state = status.state
        if isinstance(state, Running):
            # Never more than all of it: the engine's clock may be ahead of this one.
            up = max(0.0, seen.at - state.started_at)
            left = max(left, min_ready_seconds - up)
        elif not _is_done(status):
            return None
    return left


def _is_done(status: ContainerStatus) -> bool:
    """It ended with 0, for good or to be started again: ``true`` as a command is no failure."""
    end = status.state if isinstance(status.state, Terminated) else status.last_state
    return end is not None and end.exit_code == 0


def check_failure(pod: PodSync) -> None:
    """Raise for what cannot heal: an image that cannot be had, a configuration that the engine refuses, a command that cannot
    be run, a container that ended for good with an error, or that keeps crashing.

    Raises:
        PodStartError: with the container's name, exit code and last log lines.
        PodExistsError: the name is taken.
    """
    _check_sandbox(pod)
    for status in pod.status.container_statuses:
        if isinstance(status.state, Waiting):
            _check_waiting(pod, status, status.state)
        elif isinstance(status.state, Terminated):
            _check_terminated(pod, status, status.state)


def _check_sandbox(pod: PodSync) -> None:
    full_name = pod.desired.identity.key.full_name
    error = pod.sandbox_error
    if isinstance(error, ConflictError) and pod.observed is not None and pod.observed.pause is None:
        raise PodExistsError(f"cannot start pod '{full_name}': the name is taken", pod=full_name) from error
    if isinstance(error, EngineError) and not isinstance(error, ConflictError | NotFoundError):
        message = f"cannot start pod '{full_name}': its sandbox cannot be made: {error.detail}"
        raise PodStartError(
            message, pod=full_name, reason="CreatePodSandboxError", plan=pod.last_plan
        ) from error
    if pod.status.reason == "LeaseLost":
        message = f"cannot start pod '{full_name}': its lease was lost while it started"
        raise PodStartError(message, pod=full_name, reason="LeaseLost", plan=pod.last_plan)


def _check_waiting(pod: PodSync, status: ContainerStatus, state: Waiting) -> None:
    if state.reason in IMAGE_REASONS:
        raise _failure(pod, status, ImageError, state.reason, _image_words(pod, status, state))
    if state.reason == "CreateContainerError":
        raise _failure(pod, status, PodStartError, state.reason, state.message + _host_path_hint(pod, status))
    if state.reason == "RunContainerError" and status.last_state is not None:
        raise _cannot_run(pod, status, status.last_state)
    if state.reason == "CrashLoopBackOff" and status.last_state is not None and not _is_done(status):
        end = status.last_state
        words = f"keeps crashing: exited with code {end.exit_code}, restarted {status.restart_count} time(s)"
        raise _failure(pod, status, PodStartError, state.reason, words, end)


def _host_path_hint(pod: PodSync, status: ContainerStatus) -> str:
    spec = pod.desired.spec
    paths = {
        volume.name: volume.source.path for volume in spec.volumes if isinstance(volume.source, HostPath)
    }
    mounted = [paths[mount.name] for mount in spec.container(status.name).mounts if mount.name in paths]
    if not mounted:
        return ""
    return f"; a host_path ({', '.join(mounted)}) is a path of the engine's host, not of where pypod runs"


def _image_words(pod: PodSync, status: ContainerStatus, state: Waiting) -> str:
    words = state.message
    here = pod.observed.images.get(status.image) if pod.observed is not None else None
    if here is not None:
        words += (
            f"; the engine has image {status.image!r}: image_pull_policy='IfNotPresent' would use it "
            "(Kubernetes' default is Always for the tag 'latest' and for no tag)"
        )
    return words


def _check_terminated(pod: PodSync, status: ContainerStatus, state: Terminated) -> None:
    if state.reason == "ContainerCannotRun" or state.exit_code in CANNOT_RUN:
        raise _cannot_run(pod, status, state)
    is_final = pod.status.phase is Phase.FAILED or pod.desired.spec.restart_policy.value == "Never"
    if is_final and state.exit_code != 0:
        policy = pod.desired.spec.restart_policy.value
        words = f"exited with code {state.exit_code} ({state.reason}, restartPolicy {policy})"
        raise _failure(pod, status, PodStartError, state.reason, words, state)


def _cannot_run(pod: PodSync, status: ContainerStatus, end: Terminated) -> PodStartError:
    kind = CommandError if end.exit_code in CANNOT_RUN else PodStartError
    words = end.message or f"exited with code {end.exit_code}"
    if end.exit_code in CANNOT_RUN:
        command = pod.desired.spec.container(status.name).command
        shown = f"command {list(command)} " if command else "its image's command "
        words = f"{shown}cannot be run (exit code {end.exit_code}){': ' + end.message if end.message else ''}"
    return _failure(pod, status, kind, "RunContainerError", words, end)


def _failure(
    pod: PodSync,
    status: ContainerStatus,
    kind: type[PodStartError],
    reason: str,
    words: str,
    end: Terminated | None = None,
) -> PodStartError:
    full_name = pod.desired.identity.key.full_name
    return kind(
        f"cannot start pod '{full_name}': container '{status.name}': {reason}: {words}",
        pod=full_name,
        container=status.name,
        reason=reason,
        exit_code=end.exit_code if end is not None else None,
        log_tail=container_log_tail(pod, status.name),
        plan=pod.last_plan,
    )


def container_log_tail(pod: PodSync, container: str) -> list[str]:
    """The last lines of the newest instance that wrote any; never raises, since it is for errors."""
    instances: tuple[ContainerInfo, ...] = ()
    if pod.observed is not None:
        instances = pod.observed.members.get(container, ())
    for info in instances:
        lines = _tail(pod, info.id)
        if lines:
            return lines
    return []


def _tail(pod: PodSync, container_id: str) -> list[str]:
    data = bytearray()
    try:
        stream = pod.engine.logs(container_id, tail=LOG_TAIL)
        try:
            while (frame := stream.read(timeout=5.0)) is not None:
                data += frame.data
        finally:
            stream.close()
    except (EngineError, TimeoutError):
        pass
    return bytes(data).decode(errors="replace").splitlines()[-LOG_TAIL:]


def _timeout(pod: PodSync, timeout: float, waiting: str) -> PodTimeoutError:
    full_name = pod.desired.identity.key.full_name
    words = waiting or describe_unready(pod.status)
    refused = f"; the engine last refused: {pod.last_error}" if pod.last_error is not None else ""
    return PodTimeoutError(
        f"cannot start pod '{full_name}' in {timeout:g} s: {words}{refused}\nthe last plan:\n{pod.last_plan}",
        pod=full_name,
    )


def describe_unready(status: PodStatus) -> str:
    """Which containers are where, for an error."""
    parts = []
    for container in status.container_statuses:
        state = container.state
        match state:
            case Running():
                parts.append(f"{container.name} is running")
            case Waiting():
                parts.append(f"{container.name} is waiting: {state.reason} {state.message}".rstrip())
            case Terminated():
                parts.append(f"{container.name} ended with code {state.exit_code} ({state.reason})")
    return "; ".join(parts) or "nothing of it is on the engine"
