"""The variables that a container gets, whatever they are taken from: ConfigMaps, Secrets, its pod, its resources.

Source: pkg/kubelet/kubelet_pods.go, makeEnvironmentVariables. A value of a Secret, and all that it goes into, is `Hidden`.

There are no Services, and no API server that a pod could talk to: so there are no service links either, not those called
``KUBERNETES_...`` which a kubelet gives every container.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from pypod.model.hidden import Hidden
from pypod.model.rules import env_files, expansion, object_values
from pypod.model.rules.downward import NEEDS_ADDRESS, Amounts, PodFacts, field_value, resource_value
from pypod.model.rules.mounts import SubPathError, sub_path_of
from pypod.model.rules.object_values import ValueMissingError
from pypod.model.spec.containers import Container
from pypod.model.spec.env import (
    ENV_SOURCES,
    ConfigMapEnvSource,
    ConfigMapKeyRef,
    EnvFrom,
    EnvVar,
    EnvVarSource,
    FieldRef,
    FileKeyRef,
    ResourceFieldRef,
    SecretEnvSource,
    SecretKeyRef,
)
from pypod.model.spec.object_references import Objects
from pypod.model.spec.objects import ConfigMap, Secret
from pypod.model.spec.pod import PodSpec
from pypod.model.spec.resources import ResourceList
from pypod.model.wiring.state import PodObservation

CONFIG_ERROR = "CreateContainerConfigError"
"""The reason of a container that waits since what it is to be made of is not there, or cannot be what it is to be."""


class ConfigError(ValueError):
    """A container cannot be made as things stand. The text is a kubelet's; it shows no value of a Secret.

    Attributes:
        path: of the field that it is about.
    """

    def __init__(self, message: str, path: str) -> None:
        super().__init__(message)
        self.path = path


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What variables can be taken from.

    Attributes:
        spec: of the pod.
        facts: what there is to tell of it.
        objects: the ConfigMaps and Secrets that its containers refer to.
        allocatable: what a container without a limit can have.
        files: what is in the files that variables come from, by volume and path.
    """

    spec: PodSpec
    facts: PodFacts
    objects: Objects = field(default_factory=Objects)
    allocatable: Amounts = field(default_factory=dict, hash=False)
    files: Mapping[tuple[str, str], bytes] = field(default_factory=dict, hash=False, repr=False)


def surroundings_of(spec: PodSpec, observed: PodObservation) -> Surroundings:
    """Of a pod as it was seen."""
    # A limit of the whole pod bounds each of its containers (pkg/kubelet/kubelet_resources.go).
    node = {"cpu": observed.node_cpus * 1000, "memory": observed.node_memory}
    return Surroundings(
        spec,
        facts_of(spec, observed),
        observed.objects,
        node | _amounts(spec.resources.limits),
        observed.env_files,
    )


def facts_of(spec: PodSpec, observed: PodObservation) -> PodFacts:
    """What there is to tell of a pod as it was seen. Its host is the engine's, at the address that the pod's network has it at."""
    return PodFacts(
        name=observed.key.name,
        namespace=observed.key.namespace,
        uid=observed.key.uid,
        labels=spec.labels,
        annotations=spec.annotations,
        node_name=observed.node_name,
        service_account_name=spec.service_account_name or spec.service_account or "default",
        pod_ips=(observed.ip,) if observed.ip else (),
        host_ips=(observed.host_ip,) if observed.host_ip else (),
    )


def needs_address(container: Container) -> bool:
    """It is told an address, so its sandbox must have one before it is made."""
    sources = [variable.value_from for variable in container.env]
    return any(isinstance(each, FieldRef) and each.field_path in NEEDS_ADDRESS for each in sources)


def takes_secrets(container: Container) -> bool:
    """Any of its variables may have a value of a Secret."""
    named = any(isinstance(variable.value_from, SecretKeyRef) for variable in container.env)
    return named or any(isinstance(each.source, SecretEnvSource) for each in container.env_from)


def environment(container: Container, around: Surroundings, path: str = "") -> dict[str, str]:
    """The variables that a container gets, beside those of its image.

    A later source of ``envFrom`` wins over an earlier one, ``env`` over both, and a later variable over an earlier one of the
    same name. A value refers to what is there before it.

    Args:
        container: whose they are.
        around: what they are taken from.
        path: of the container, for errors; empty: that in the spec.

    Raises:
        ConfigError: an object, or a key in it, is not there; a value is none that a variable can have; or what refers to
            it becomes too long.
    """
    path = path or path_of(around.spec, container)
    found: dict[str, str] = {}
    for index, source in enumerate(container.env_from):
        kind = "configMapRef" if isinstance(source.source, ConfigMapEnvSource) else "secretRef"
        try:
            found |= _of_object(source, around)
        except ValueMissingError as error:
            raise ConfigError(str(error), f"{path}.envFrom[{index}].{kind}") from None
    for index, variable in enumerate(container.env):
        try:
            value = _value(variable, found, container, around)
        except ValueError as error:
            raise ConfigError(_words(variable, error), _path(path, index, variable)) from None
        if value is not None:
            found[variable.name] = value
    _check_words(container, found, path)
    return found


def _check_words(container: Container, variables: Mapping[str, str], path: str) -> None:
    for what, given in (("command", container.command), ("args", container.args)):
        try:
            expansion.words(given, variables)
        except ValueError as error:
            raise ConfigError(f"a word of its {what} {error}", f"{path}.{what}") from None


def hidden_words(container: Container, around: Surroundings) -> tuple[str, ...]:
    """The words of its command and arguments, and the parts of volumes, that a value of a Secret is in: what an engine says of a
    program that it cannot run, or a path that it cannot mount, may show them."""
    if not takes_secrets(container):
        return ()
    try:
        variables = environment(container, around)
    except ConfigError:
        return ()
    words = [*expansion.words((*container.command, *container.args), variables)]
    for mount in container.mounts:
        with contextlib.suppress(SubPathError):
            words.append(sub_path_of(mount, variables))
    return tuple(word for word in words if isinstance(word, Hidden))


def path_of(spec: PodSpec, container: Container) -> str:
    """Where a container stands in its spec; one that does not has joined the running pod."""
    for kind, containers in (("initContainers", spec.init_containers), ("containers", spec.containers)):
        for index, each in enumerate(containers):
            if each.name == container.name:
                return f"spec.{kind}[{index}]"
    return "spec.ephemeralContainers[0]"


def _path(path: str, index: int, variable: EnvVar) -> str:
    where = f"{path}.env[{index}]"
    source = variable.value_from
    return f"{where}.value" if source is None else f"{where}.valueFrom.{ENV_SOURCES.name_of(source)}"


def _words(variable: EnvVar, error: ValueError) -> str:
    if isinstance(error, ValueMissingError):
        return str(error)
    return f"the variable {variable.name} cannot be set: its value {error}"


def _of_object(each: EnvFrom, around: Surroundings) -> dict[str, str]:
    name, optional, objects = each.source.name, each.source.optional, around.objects
    if isinstance(each.source, ConfigMapEnvSource):
        _readable(objects, ConfigMap.kind, name)
        return object_values.config_map_variables(
            objects.config_map(name), name, prefix=each.prefix, optional=optional
        )
    _readable(objects, Secret.kind, name)
    found = object_values.secret_variables(objects.secret(name), name, prefix=each.prefix, optional=optional)
    return {key: Hidden(value) for key, value in found.items()}


def _value(
    variable: EnvVar, before: Mapping[str, str], container: Container, around: Surroundings
) -> str | None:
    """None: the variable is not set."""
    if variable.value_from is None:
        return expansion.resolved(variable.value, before)
    return _from(variable.value_from, container, around)


def _from(source: EnvVarSource, container: Container, around: Surroundings) -> str | None:
    objects, namespace = around.objects, around.facts.namespace
    match source:
        case FieldRef():
            return field_value(source.field_path, around.facts)
        case ResourceFieldRef():
            return resource_of(source, container, around)
        case ConfigMapKeyRef(name=name, key=key, optional=optional):
            _readable(objects, ConfigMap.kind, name)
            return object_values.config_map_value(
                objects.config_map(name), name, key, namespace=namespace, optional=optional
            )
        case SecretKeyRef(name=name, key=key, optional=optional):
            _readable(objects, Secret.kind, name)
            found = object_values.secret_value(
                objects.secret(name), name, key, namespace=namespace, optional=optional
            )
            return None if found is None else Hidden(found)
        case FileKeyRef():
            return _of_file(source, around)


def _of_file(source: FileKeyRef, around: Surroundings) -> str | None:
    """Not hidden: a volume is no place for secrets, as Kubernetes' own documentation has it."""
    data = around.files.get((source.volume_name, source.path))
    if data is None:
        if source.optional:
            return None
        raise ValueMissingError(f'file "{source.path}" not found in volume "{source.volume_name}"')
    try:
        found = env_files.parse(data)
    except ValueError as error:
        raise ValueMissingError(f'couldn\'t parse env file "{source.path}": {error}') from None
    if source.key not in found and not source.optional:
        raise ValueMissingError(f'environment variable key "{source.key}" not found in file "{source.path}"')
    return found.get(source.key)


def _readable(objects: Objects, kind: str, name: str) -> None:
    if why := objects.unreadable.get((kind, name)):
        raise ValueMissingError(why)


def resource_of(source: ResourceFieldRef, container: Container, around: Surroundings) -> str:
    """What a container, or the other one that the reference names, asks for or may have."""
    of = container
    if source.container_name and source.container_name != container.name:
        of = around.spec.container(source.container_name)
    return resource_value(
        source.resource,
        limits=_amounts(of.resources.limits),
        requests=_amounts(of.resources.effective_requests),
        allocatable=around.allocatable,
        divisor=source.divisor,
    )


def _amounts(given: ResourceList) -> dict[str, int]:
    found = {"cpu": given.cpu, "memory": given.memory, **given.others}
    return {name: amount for name, amount in found.items() if amount is not None}
