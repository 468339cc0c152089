"""The containers of a spec."""

from __future__ import annotations

import re
from collections.abc import Mapping

from pypod.model.rules import env_files, expansion
from pypod.model.schema.checking import Check
from pypod.model.spec.handlers import Probe
from pypod.model.spec.pod import Container, FileKeyRef, MessagePolicy, PodSpec, PullPolicy, RestartPolicy
from pypod.model.spec.security import SecurityContext
from pypod.model.validation.env import check_env, check_env_from
from pypod.model.validation.handlers import (
    check_handlers,
    check_stop_signal,
    forbid_handlers,
    probes_of,
)
from pypod.model.validation.ports import Ports
from pypod.model.validation.resources import check_resources
from pypod.model.validation.restarts import check_restart_rules
from pypod.model.validation.security import check_security
from pypod.model.validation.volumes import check_mounts, check_target, containers_of
from pypod.model.wording import show


def check_containers(check: Check, spec: PodSpec, volumes: Mapping[str, str], grace: float | None) -> None:
    """Checks init containers and containers.

    Args:
        check: takes the problems.
        spec: whose they are.
        volumes: those that mounts may use, by name.
        grace: of the pod, seconds; None where it is wrong.
    """
    names: dict[str, str] = {}
    shared = Ports(check)
    kinds: tuple[tuple[str, object], ...] = (
        ("spec.initContainers", spec.init_containers),
        ("spec.containers", spec.containers),
    )
    for kind, containers in kinds:
        if not isinstance(containers, list | tuple):
            check.add(kind, f"a tuple of Container is expected, not {show(containers)}")
            continue
        if kind == "spec.containers" and not containers:
            check.add(kind, "at least one container is required")
        for index, container in enumerate(containers):
            path = f"{kind}[{index}]"
            if not isinstance(container, Container):
                check.add(path, f"a Container is expected, not {show(container)}")
                continue
            check.unique(f"{path}.name", check.name(f"{path}.name", container.name), names)
            _container(check, path, container)
            _environment(check, path, container, spec, volumes)
            check_security(check, f"{path}.securityContext", container.security_context)
            ends_first = (
                kind == "spec.initContainers" and container.restart_policy is not RestartPolicy.ALWAYS
            )
            # Those that end before the next one starts share their ports with nobody.
            (Ports(check) if ends_first else shared).declare(path, container)
            mounted = check_mounts(check, path, container, volumes)
            _termination_message(check, path, container, mounted)
            if ends_first:
                _init_container(check, path, container)
            else:
                check_handlers(check, path, container, grace)
            check_stop_signal(check, path, container, spec)


def _container(check: Check, path: str, container: Container) -> None:
    image = check.text(f"{path}.image", container.image)
    if image == "":
        check.add(f"{path}.image", "is required: an image reference, as 'docker pull' takes it")
    elif image is not None and image != image.strip():
        check.add(f"{path}.image", f"{show(image)} must not begin or end with white space")
    for what, words in (("command", container.command), ("args", container.args)):
        for index, word in enumerate(words):
            check.text(f"{path}.{what}[{index}]", word)
    directory = check.text(f"{path}.workingDir", container.working_dir)
    if directory and not directory.startswith("/"):
        check.add(f"{path}.workingDir", f"{show(directory)} must be an absolute path")
    _user(check, path, container)
    if container.image_pull_policy is not None:
        check.is_a(f"{path}.imagePullPolicy", container.image_pull_policy, PullPolicy, "a PullPolicy")
    check.is_a(f"{path}.ownPid", container.own_pid, bool, "True or False")
    if container.restart_policy is not None:
        check.is_a(f"{path}.restartPolicy", container.restart_policy, RestartPolicy, "a RestartPolicy")
    check_restart_rules(check, path, container)
    check_resources(check, f"{path}.resources", container.resources)


def _user(check: Check, path: str, container: Container) -> None:
    """What Python calls the user is the container's own ``runAsUser`` and ``runAsGroup``; the pod's give way to it."""
    user = check.text(f"{path}.user", container.user)
    if not user:
        return
    if re.search(r"\s", user):
        check.add(f"{path}.user", f"{show(user)} is not valid: uid[:gid] or a name is expected")
    context: object = container.security_context
    if not isinstance(context, SecurityContext):
        return
    if context.run_as_user is not None:
        check.add(f"{path}.user", "may not be given beside securityContext.runAsUser, which says the same")
    elif ":" in user and context.run_as_group is not None:
        check.add(
            f"{path}.user", "may not have a group beside securityContext.runAsGroup, which says the same"
        )


def _environment(
    check: Check, path: str, container: Container, spec: PodSpec, volumes: Mapping[str, str]
) -> None:
    before = len(check.problems)
    names = [each.name for each in containers_of(spec)]
    check_env(check, path, container.env, names, volumes)
    check_env_from(check, path, container.env_from)
    if len(check.problems) == before:
        _env_files(check, path, container, spec)
        _references(check, path, container)


def _env_files(check: Check, path: str, container: Container, spec: PodSpec) -> None:
    for index, variable in enumerate(container.env):
        source = variable.value_from
        if isinstance(source, FileKeyRef) and not env_files.is_readable(spec, source.volume_name):
            where = f"{path}.env[{index}].valueFrom.fileKeyRef.volumeName"
            check.add(
                where, f"{show(source.volume_name)} is no emptyDir: only files in one of these are read"
            )


def _references(check: Check, path: str, container: Container) -> None:
    """What references blow up to has a bound, which a kernel sets."""
    try:
        variables = expansion.environment(container)
    except ValueError as exc:
        check.add(f"{path}.env", f"a value {exc}")
        return
    for what, words in (("command", container.command), ("args", container.args)):
        for index, word in enumerate(words):
            try:
                expansion.words([word], variables)
            except ValueError as exc:
                check.add(f"{path}.{what}[{index}]", str(exc))
    for name, probe in probes_of(container):
        if isinstance(probe, Probe):
            try:
                expansion.probe(container, probe)
            except ValueError as exc:
                check.add(f"{path}.{name}.exec.command", str(exc))


def _init_container(check: Check, path: str, container: Container) -> None:
    """What holds for those that are no sidecars."""
    forbid_handlers(check, path, container)


def _termination_message(check: Check, path: str, container: Container, mounted: dict[str, str]) -> None:
    if container.termination_message_path != "":
        check_target(check, f"{path}.terminationMessagePath", container.termination_message_path, mounted)
    policy = container.termination_message_policy
    check.is_a(f"{path}.terminationMessagePolicy", policy, MessagePolicy, "a MessagePolicy")
