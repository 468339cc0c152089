"""Starting a pod: passes on the calling thread until every container is ready, or one cannot be."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from pypod.engine.identity import engine_identity
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
from pypod.model.life import joining
from pypod.model.life.history import History
from pypod.model.life.members import Kind
from pypod.model.life.status import ContainerStatus, Phase, PodStatus, Running, Terminated, Waiting
from pypod.model.life.volume_setup import failure_words
from pypod.model.rules import engine_needs, expansion
from pypod.model.rules.mounts import api_version
from pypod.model.spec import restart_rules
from pypod.model.spec.pod import HostPath, RestartPolicy
from pypod.model.wiring import admission
from pypod.model.wiring.environment import CONFIG_ERROR, ConfigError, environment, surroundings_of
from pypod.model.wiring.state import ContainerInfo

POLL = 0.02
"""Seconds between the first looks; each later one is a little further off, since events and probes say when to look."""
SHORTEST_POLL = 0.001
LONGEST_POLL = 0.5
POLL_GROWTH = 1.2
LOG_TAIL = 20
COMPLAINTS = ("Unhealthy", "FailedPostStartHook", "FailedPreStopHook")
NOTHING = History()
CANNOT_RUN = (126, 127)
MOUNT_PATIENCE = 3.0
"""Seconds for which volumes are tried before a start gives up on them: with a kubelet's back-off, at the try after 3.5 s."""
IMAGE_REASONS = ("ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName")


def start(pod: PodSync, *, timeout: float, min_ready_seconds: float) -> None:
    """Bring the pod up. Where it cannot be, what is being pulled for it is given up.

    Args:
        pod: what is to start.
        timeout: seconds from now.
        min_ready_seconds: how long a container must have been up to count as started. The engine tells of an exit up to
            60 ms after it told of the start (measured on 20.10), so 0 misses what fails at once. One with a readiness or
            startup probe is up when that says so.

    Raises:
        PodStartError: a container cannot be started, or keeps crashing; with its exit code and last log lines.
        PodExistsError: another pod took the name meanwhile.
        PodTimeoutError: the time was up.
        EngineError: the engine failed.
    """
    _check_engine(pod)
    with _pulls_given_up(pod):
        _bring_up(pod, timeout, min_ready_seconds)


def _check_engine(pod: PodSync) -> None:
    """Raise, before anything is made, for what this engine cannot do."""
    api = api_version(engine_identity(pod.engine).api_version)
    if problems := engine_needs.unmet(pod.desired.spec, api):
        full_name = pod.desired.identity.key.full_name
        message = f"cannot start pod '{full_name}': {'; '.join(problems)}"
        raise PodStartError(message, pod=full_name, reason="EngineTooOld")


@contextlib.contextmanager
def _pulls_given_up(pod: PodSync) -> Iterator[None]:
    """Where the block fails."""
    try:
        yield
    except BaseException:
        pod.pulls.give_up()
        raise


def _bring_up(pod: PodSync, timeout: float, min_ready_seconds: float) -> None:
    clock = pod.clock
    deadline = clock.now() + timeout
    poll = POLL
    while True:
        pod.changed.clear()
        plan = pod.run_once(check_failure, deadline=deadline)
        _check_released(pod)
        left = seconds_to_go(pod, min_ready_seconds)
        if not plan and left is not None and left <= 0:
            return
        now = clock.now()
        if now > deadline:
            raise _timeout(pod, timeout, plan.waiting)
        if plan and pod.refusals < 2:
            poll = POLL
            continue
        due = [deadline - now, poll if left is None else left]
        if plan.due is not None:
            due.append(plan.due - now)
        with pod.tracer.timed("wait", plan.waiting):
            if clock.wait(pod.changed, max(min(due), SHORTEST_POLL)):
                poll = POLL
        poll = min(poll * POLL_GROWTH, LONGEST_POLL)


def look_on(
    pod: PodSync, refresh: Callable[[], PodStatus], *, timeout: float, min_ready_seconds: float
) -> None:
    """Wait until a pod is up that somebody else brings up: another thread of this process, another one, the background program.

    Args:
        pod: where it is looked up; nothing is done for it.
        refresh: looks at it, at what is written of it too.
        timeout, min_ready_seconds: as of `start`.

    Raises:
        PodStartError: as `start`; also where it is removed meanwhile.
        PodTimeoutError: the time was up.
        EngineError: the engine failed.
    """
    clock = pod.clock
    deadline = clock.now() + timeout
    poll = POLL
    while True:
        status = refresh()
        if status.terminating or status.phase is Phase.UNKNOWN:
            raise _pod_failure(pod, "NotFound", "somebody removed it meanwhile")
        check_failure(pod)
        left = seconds_to_go(pod, min_ready_seconds)
        if left is not None and left <= 0:
            return
        now = clock.now()
        if now > deadline:
            raise _timeout(pod, timeout, "")
        clock.sleep(max(SHORTEST_POLL, min(deadline - now, poll if left is None else left)))
        poll = min(poll * POLL_GROWTH, LONGEST_POLL)


def seconds_to_go(pod: PodSync, min_ready_seconds: float) -> float | None:
    """Until each container is ready and has been up for long enough, or has done its work and ended with 0; None where one
    is not that far. Of a pod that has succeeded nothing more is waited for: its sidecars are being stopped."""
    seen, finished = pod.observed, pod.channel.history.finished
    if seen is None or not pod.status.container_statuses:
        return None
    if finished is not None and finished.phase == Phase.SUCCEEDED.value:
        return 0.0
    left = 0.0
    sidecars = [each for each in pod.status.init_container_statuses if each.kind is Kind.SIDECAR]
    for status in (*sidecars, *pod.status.container_statuses):
        state = status.state
        if isinstance(state, Running):
            if not status.ready:
                return None
            if not _is_probed(pod, status.name):
                # Never more than all of it: the engine's clock may be ahead of this one.
                up = max(0.0, seen.at - state.started_at)
                left = max(left, min_ready_seconds - up)
        elif not _is_done(status):
            return None
    return left


def _is_probed(pod: PodSync, name: str) -> bool:
    container = pod.desired.spec.container(name)
    return container.readiness_probe is not None or container.startup_probe is not None


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
    _check_networks(pod)
    _check_sandbox(pod)
    _check_volumes(pod)
    finished, seen = pod.channel.history.finished, pod.observed
    refused = admission.refusal(pod.desired.spec, seen) if seen is not None else None
    if refused is not None:
        raise _pod_failure(pod, refused.reason, refused.message)
    has_failed = False
    if finished is not None and finished.phase == Phase.FAILED.value:
        has_failed = True
        if finished.reason:
            raise _pod_failure(pod, finished.reason, finished.message)
    pause = seen.pause if seen is not None else None
    if pause is not None and pause.started_at is not None and pause.has_ended:
        if not has_failed:
            return  # what its members failed of is its end, and a new one is made
        raise _pod_failure(pod, "SandboxChanged", "its sandbox has ended, and its restart policy is Never")
    for status in (*pod.status.init_container_statuses, *pod.status.container_statuses):
        if isinstance(status.state, Waiting):
            _check_waiting(pod, status, status.state)
        elif isinstance(status.state, Terminated):
            _check_terminated(pod, status, status.state, has_failed=has_failed)
    if has_failed:
        raise _pod_failure(pod, "Failed", describe_unready(pod.status, pod.channel.history))


def _pod_failure(pod: PodSync, reason: str, words: str) -> PodStartError:
    full_name = pod.desired.identity.key.full_name
    message = f"cannot start pod '{full_name}': {reason}: {words}"
    return PodStartError(message, pod=full_name, reason=reason, plan=pod.last_plan)


def _check_released(pod: PodSync) -> None:
    """Another thread stopped it meanwhile: it would be waited for in vain."""
    if pod.is_released:
        raise _pod_failure(pod, "Stopped", "it was stopped meanwhile")


def _check_networks(pod: PodSync) -> None:
    if pod.observed is None:
        return
    if words := joining.obstacle(pod.desired.spec, pod.observed, pod.channel.history):
        raise _pod_failure(pod, "NetworkNotFound", f"{words} (extra_networks)")


def _check_sandbox(pod: PodSync) -> None:
    full_name = pod.desired.identity.key.full_name
    error = pod.recorder.sandbox_error
    if isinstance(error, ConflictError) and pod.observed is not None and pod.observed.pause is None:
        raise PodExistsError(f"cannot start pod '{full_name}': the name is taken", pod=full_name) from error
    if isinstance(error, EngineError) and not isinstance(error, ConflictError | NotFoundError):
        message = f"cannot start pod '{full_name}': its sandbox cannot be made: {error.detail}"
        raise PodStartError(
            message, pod=full_name, reason="CreatePodSandboxError", plan=pod.last_plan
        ) from error


def _check_volumes(pod: PodSync) -> None:
    """What is missing can still be applied, and is seen at once when it is; so it is given a few seconds, and no more."""
    key = pod.desired.identity.key
    for failure in pod.channel.history.volume_failures.values():
        if failure.at - failure.first_at < MOUNT_PATIENCE:
            continue
        words = failure_words(failure.volume, failure.message)
        if failure.message.endswith("not found"):
            words += f"; nobody has applied it in namespace '{key.namespace}' (pypod.apply)"
        raise _pod_failure(pod, "FailedMount", words)


def _check_waiting(pod: PodSync, status: ContainerStatus, state: Waiting) -> None:
    if state.reason in IMAGE_REASONS:
        raise _failure(pod, status, ImageError, state.reason, _image_words(pod, status, state))
    if state.reason == CONFIG_ERROR:
        raise _failure(pod, status, PodStartError, state.reason, state.message + _field(pod, status, state))
    if state.reason == "CreateContainerError":
        raise _failure(pod, status, PodStartError, state.reason, state.message + _host_path_hint(pod, status))
    if state.reason == "RunContainerError" and status.last_state is not None:
        raise _cannot_run(pod, status, status.last_state)
    crashes = state.reason == "CrashLoopBackOff" and status.last_state is not None and not _is_done(status)
    end = status.last_state
    if crashes and end is not None and not _others_come(pod, status.name, end.finished_at or 0.0):
        words = f"keeps crashing: exited with code {end.exit_code}, restarted {status.restart_count} time(s)"
        words += _complaint(pod.channel.history, status.name)
        raise _failure(pod, status, PodStartError, state.reason, words, end)


def _others_come(pod: PodSync, name: str, crashed_at: float) -> bool:
    """Another container is still becoming ready, or became it after the crash: one that dies until its database answers is
    normal, and is given a try with the database there; the time decides."""
    every = (*pod.status.init_container_statuses, *pod.status.container_statuses)
    return any(
        isinstance(each.state, Running)
        and not (each.ready and _ready_since(pod, each.name, each.state) < crashed_at)
        for each in every
        if each.name != name and each.kind is not Kind.INIT
    )


def _ready_since(pod: PodSync, name: str, state: Running) -> float:
    record = pod.channel.history.last_started(name)
    probed = record.probes.values() if record is not None else ()
    return max([state.started_at, *(result.at for result in probed if result.passed)])


def _field(pod: PodSync, status: ContainerStatus, state: Waiting) -> str:
    """Which field of the spec asks for what is not there."""
    if pod.observed is None:
        return ""
    spec = pod.desired.spec
    try:
        environment(spec.container(status.name), surroundings_of(spec, pod.observed))
    except ConfigError as error:
        return f" ({error.path})" if str(error) == state.message else ""
    return ""


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


def _check_terminated(pod: PodSync, status: ContainerStatus, state: Terminated, *, has_failed: bool) -> None:
    if state.reason == "ContainerCannotRun" or state.exit_code in CANNOT_RUN:
        raise _cannot_run(pod, status, state)
    if (has_failed or _ends_for_good(pod, status, state.exit_code)) and state.exit_code != 0:
        policy = pod.desired.spec.restart_policy.value
        words = f"exited with code {state.exit_code} ({state.reason}, restartPolicy {policy})"
        raise _failure(pod, status, PodStartError, state.reason, words, state)


def _ends_for_good(pod: PodSync, status: ContainerStatus, code: int) -> bool:
    container = pod.desired.spec.container(status.name)
    policy = container.restart_policy or pod.desired.spec.restart_policy
    return policy is RestartPolicy.NEVER and not restart_rules.fits(container.restart_policy_rules, code)


def _cannot_run(pod: PodSync, status: ContainerStatus, end: Terminated) -> PodStartError:
    kind = CommandError if end.exit_code in CANNOT_RUN else PodStartError
    words = end.message or f"exited with code {end.exit_code}"
    if end.exit_code in CANNOT_RUN:
        container = pod.desired.spec.container(status.name)
        command = expansion.words(container.command, expansion.environment(container))
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
    words = describe_unready(pod.status, pod.channel.history)
    words = f"{waiting}; {words}" if waiting else words
    error = pod.recorder.last_error
    refused = f"; the engine last refused: {error}" if error is not None else ""
    plan = f"\nthe last plan:\n{pod.last_plan}" if pod.last_plan else ""
    return PodTimeoutError(
        f"cannot start pod '{full_name}' in {timeout:g} s: {words}{refused}{plan}", pod=full_name
    )


def _complaint(history: History, name: str) -> str:
    """What was last said against a container: by its probes, by its hooks."""
    said = [e for e in history.events if e.container == name and e.reason in COMPLAINTS]
    return f" ({said[-1].message})" if said else ""


def describe_unready(status: PodStatus, history: History = NOTHING) -> str:
    """Which containers are where, and what probes and hooks last said against them, for an error."""
    parts = []
    unfinished = [each for each in status.init_container_statuses if not each.ready]
    for container in (*unfinished, *status.container_statuses):
        state = container.state
        match state:
            case Running():
                unready = "" if container.ready else f", not ready{_complaint(history, container.name)}"
                parts.append(f"{container.name} is running{unready}")
            case Waiting():
                parts.append(f"{container.name} is waiting: {state.reason} {state.message}".rstrip())
            case Terminated():
                parts.append(f"{container.name} ended with code {state.exit_code} ({state.reason})")
    return "; ".join(parts) or "nothing of it is on the engine"


def begin(pod: PodSync, *, timeout: float) -> None:
    """Make the sandbox, and whatever can be made with it; who looks after the pod from then on does the rest.

    Raises:
        PodExistsError, PodStartError, PodTimeoutError, EngineError: as `start`, for what has gone wrong by then.
    """
    deadline = pod.clock.now() + timeout
    _check_engine(pod)
    with _pulls_given_up(pod):
        while pod.observed is None or pod.observed.sandbox is None:
            plan = pod.run_once(check_failure, deadline=deadline)
            _check_released(pod)
            if pod.clock.now() > deadline:
                raise _timeout(pod, timeout, plan.waiting)
            if not plan:
                pod.clock.sleep(POLL)
