"""Ephemeral containers: one more container joins a running pod, to look around in it.

As Kubernetes has them: never restarted, in no phase and no readiness, removed with the pod only. Sources: pkg/apis/core/v1
EphemeralContainerCommon; kubernetes.io/docs, "Ephemeral Containers".
"""

from __future__ import annotations

import contextlib
import secrets
from dataclasses import replace

from pypod import starting
from pypod.engine import observe, pulls
from pypod.engine.objects import store_of
from pypod.engine.profiles import read_profiles
from pypod.engine.sync import PodSync
from pypod.errors import (
    CommandError,
    ConflictError,
    EngineError,
    EngineUnavailableError,
    ImageError,
    NotFoundError,
    PodNotFoundError,
    PodNotRunningError,
    PodStartError,
    Problem,
    SpecError,
    spec_error,
)
from pypod.model import image_names, naming
from pypod.model.hidden import Hidden, without
from pypod.model.life import journal
from pypod.model.life.refusals import refusal
from pypod.model.life.status import Phase
from pypod.model.life.volume_setup import places_of
from pypod.model.naming import Role
from pypod.model.spec.pod import Container, PullPolicy
from pypod.model.validation import validating as validation
from pypod.model.wiring import credentials
from pypod.model.wiring.environment import CONFIG_ERROR, ConfigError, environment, surroundings_of
from pypod.model.wiring.referring import logins_of, variables_of
from pypod.model.wiring.requests import ContainerRequest, Sandbox, member_request
from pypod.model.wiring.state import ContainerInfo, PodObservation


def made_up_name() -> str:
    """``debugger-xxxxx``, as kubectl names them."""
    return naming.generated_name("debugger-", secrets.choice)


def join(sync: PodSync, container: Container, *, target: str | None, stdin: bool) -> str:
    """Start an ephemeral container; see `pypod.Pod.debug`.

    Args:
        sync: the pod.
        container: what joins.
        target: the member whose PID space it joins; None: the pod's, where it is shared.
        stdin: its standard input stays open, so that a shell waits.

    Returns:
        Its name.
    """
    sync.refresh()
    seen = _running(sync)
    _check(sync, seen, container)
    pid_mode = None if target is None else f"container:{_target(sync, seen, target).id}"
    _fetch(sync, container)
    request = _request(sync, seen, container, _image_user(sync, container))
    request = replace(request, stdin_open=stdin, pid_mode=request.pid_mode if pid_mode is None else pid_mode)
    _start(sync, container, request)
    sync.refresh()
    return container.name


def _running(sync: PodSync) -> PodObservation:
    status, seen = sync.status, sync.observed
    if status.terminating:
        why = "it is being deleted"
    elif status.phase in (Phase.SUCCEEDED, Phase.FAILED, Phase.UNKNOWN):
        why = f"it is {status.summary}"
    elif (finished := sync.channel.history.finished) is not None:
        why = f"it has {finished.phase.lower()}, and is being stopped"
    elif seen is None or seen.sandbox is None:
        why = f"its sandbox does not run: {starting.describe_unready(status)}"
    else:
        return seen
    raise _not_running(sync, f"cannot debug pod '{_full(sync)}': {why}")


def _full(sync: PodSync) -> str:
    return sync.desired.identity.key.full_name


def _not_running(sync: PodSync, text: str, container: str = "") -> PodNotRunningError:
    return PodNotRunningError(text, pod=_full(sync), container=container)


def _check(sync: PodSync, seen: PodObservation, container: Container) -> None:
    """A name that no other container has, of any kind; and whatever is asked of a container of a pod."""
    spec = sync.desired.spec
    parts = [mount.mount_path for mount in container.mounts if mount.sub_path or mount.sub_path_expr]
    if parts:
        raise spec_error(
            f"container '{container.name}' for pod '{_full(sync)}'",
            [
                Problem(
                    "spec.ephemeralContainers[0].volumeMounts",
                    f"the mount at {parts[0]!r} may not have a subPath: an ephemeral container mounts whole volumes",
                    SpecError,
                )
            ],
        )
    others = [Container(info.container, "x") for info in seen.ephemeral]
    trial = replace(spec, containers=(*spec.containers, *others, container))
    path = f"spec.containers[{len(trial.containers) - 1}]"
    found = [
        replace(problem, path=problem.path.replace(path, "spec.ephemeralContainers[0]", 1))
        for problem in validation.problems(trial)
        if problem.path.startswith(path)
    ]
    if found:
        raise spec_error(f"container '{container.name}' for pod '{_full(sync)}'", found)


def _target(sync: PodSync, seen: PodObservation, target: str) -> ContainerInfo:
    names = [each.name for each in sync.desired.spec.all_containers]
    full = _full(sync)
    if target not in names:
        raise PodNotFoundError(
            f"cannot debug container {target!r} of pod '{full}': it has {', '.join(names)}",
            pod=full,
            container=target,
        )
    info = seen.newest(target)
    if info is None or not info.is_live:
        raise _not_running(
            sync, f"cannot debug container '{target}' of pod '{full}': it is not running", target
        )
    return info


def _fetch(sync: PodSync, container: Container) -> None:
    """Pull its image where its policy says so; without one: where the engine has not got it."""
    policy = container.image_pull_policy or PullPolicy.IF_NOT_PRESENT
    if no_name := image_names.refusal(container.image):
        raise ImageError(
            f"cannot debug pod '{_full(sync)}': {image_names.INVALID}: {no_name}",
            pod=_full(sync),
            container=container.name,
            reason=image_names.INVALID,
        )
    try:
        if policy is PullPolicy.ALWAYS:
            _pull(sync, container)
            return
        try:
            sync.engine.image(container.image)
        except NotFoundError:
            if policy is PullPolicy.NEVER:
                raise
            _pull(sync, container)
    except EngineUnavailableError:
        raise
    except EngineError as error:
        reason = "ErrImageNeverPull" if policy is PullPolicy.NEVER else "ErrImagePull"
        raise ImageError(
            f"cannot debug pod '{_full(sync)}': {reason}: {error}",
            pod=_full(sync),
            container=container.name,
            reason=reason,
        ) from error


def _pull(sync: PodSync, container: Container) -> None:
    spec = sync.desired.spec
    objects = store_of(sync.engine).read(spec.namespace, tuple(logins_of(spec)))
    pulls.pull(sync.engine, container.image, credentials.logins(container.image, spec, objects))
    _note(sync, "Pulled", f'Successfully pulled image "{container.image}"', container.name)


def _image_user(sync: PodSync, container: Container) -> str:
    try:
        return sync.engine.image(container.image).user
    except NotFoundError:  # it went meanwhile, which the engine says when it is asked for the container
        return ""


def _request(sync: PodSync, seen: PodObservation, container: Container, image_user: str) -> ContainerRequest:
    """By the image's reference, not its ID as a member's: what it is of stands nowhere else."""
    pause, identity = seen.pause, sync.desired.identity
    assert pause is not None
    spec = replace(sync.desired.spec, containers=(*sync.desired.spec.containers, container))
    sandbox = Sandbox(
        pause.id,
        pause.attempt,
        node_memory=seen.node_memory,
        profiles=read_profiles(spec),
        places=places_of(seen),
    )
    reason, words = refusal(sync.desired, container, sandbox, image_user)
    if reason:
        raise PodStartError(
            f"cannot debug pod '{_full(sync)}': container '{container.name}': {reason}: {words}",
            pod=_full(sync),
            container=container.name,
            reason=reason,
        )
    request = member_request(
        sync.desired.spec,
        container,
        identity,
        attempt=0,
        image=container.image,
        sandbox=sandbox,
        variables=_variables(sync, seen, container),
        image_user=image_user,
    )
    labels = naming.member_labels(identity.labels, container.name, 0, pause.attempt, role=Role.EPHEMERAL)
    return replace(request, labels=labels)


def _variables(sync: PodSync, seen: PodObservation, container: Container) -> dict[str, str]:
    """Of objects as they are now."""
    spec = sync.desired.spec
    objects = store_of(sync.engine).read(spec.namespace, variables_of(container))
    files = observe.read_env_files(sync.engine, seen, spec, [container])
    try:
        return environment(container, surroundings_of(spec, replace(seen, objects=objects, env_files=files)))
    except ConfigError as error:
        raise PodStartError(
            f"cannot debug pod '{_full(sync)}': container '{container.name}': {CONFIG_ERROR}: {error} ({error.path})",
            pod=_full(sync),
            container=container.name,
            reason=CONFIG_ERROR,
        ) from None


def _start(sync: PodSync, container: Container, request: ContainerRequest) -> None:
    engine, full = sync.engine, _full(sync)
    what = f"cannot debug pod '{full}': container '{container.name}'"
    try:
        identity = engine.create_container(request)
    except ConflictError as error:
        raise _not_running(sync, f"{what}: its name was taken meanwhile", container.name) from error
    except NotFoundError as error:
        raise _not_running(
            sync, f"{what}: the pod's sandbox or the image went meanwhile", container.name
        ) from error
    _note(sync, "Created", "Container created", container.name)
    try:
        engine.start_container(identity)
    except EngineUnavailableError:
        raise
    except EngineError as error:
        hidden = [word for word in (*request.entrypoint, *request.command) if isinstance(word, Hidden)]
        shown = error.saying(without(error.detail, hidden)) if hidden else error
        failure = _failure(sync, container, identity, what, shown)
        _remove(sync, identity)
        raise failure from (None if hidden else error)
    _note(sync, "Started", "Container started", container.name)


def _failure(
    sync: PodSync, container: Container, identity: str, what: str, error: EngineError
) -> PodStartError | PodNotRunningError:
    if isinstance(error, ConflictError | NotFoundError):
        return _not_running(sync, f"{what}: the pod's sandbox ended meanwhile", container.name)
    try:
        code = sync.engine.container(identity).exit_code
    except EngineError:
        code = None
    kind = CommandError if code in starting.CANNOT_RUN else PodStartError
    return kind(
        f"{what}: RunContainerError: {error.detail}",
        pod=_full(sync),
        container=container.name,
        reason="RunContainerError",
        exit_code=code,
    )


def _remove(sync: PodSync, identity: str) -> None:
    """One that never ran would keep its name."""
    with contextlib.suppress(EngineError):  # then it goes with the pod
        sync.engine.remove_container(identity)


def _note(sync: PodSync, reason: str, message: str, container: str) -> None:
    """An event, where this process is the one that writes them: a second writer would take the pause's stdin, and the lease."""
    if sync.channel.is_attached:
        sync.channel.write(journal.Event(sync.clock.now(), "Normal", reason, message, container))
