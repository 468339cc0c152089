"""One member of a pod, as its user describes it."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field
from typing import Any

from pypod.model.records import record
from pypod.model.schema import shapes
from pypod.model.schema.declaring import also, k8s, nothing
from pypod.model.schema.kinds import HostPort
from pypod.model.schema.levels import Level
from pypod.model.schema.references import Text
from pypod.model.spec.env import (
    ConfigMapEnvSource,
    Env,
    EnvFrom,
    EnvVar,
    SecretEnvSource,
    env_from_of,
    env_of,
)
from pypod.model.spec.handlers import Lifecycle, Probe
from pypod.model.spec.resources import Resources
from pypod.model.spec.restart_rules import RestartRule
from pypod.model.spec.security import SecurityContext
from pypod.model.spec.volumes import VolumeMount

DEFAULT_TERMINATION_MESSAGE_PATH = "/dev/termination-log"
"""Kubernetes' default, which a manifest has; a `Container` made in Python has none."""

_ANNOTATION = k8s(place="annotation")


class RestartPolicy(enum.Enum):
    """When a container that has ended is started again."""

    ALWAYS = "Always"
    ON_FAILURE = "OnFailure"
    NEVER = "Never"


class MessagePolicy(enum.Enum):
    """Where the message of a container that has ended comes from."""

    FILE = "File"
    FALLBACK_TO_LOGS_ON_ERROR = "FallbackToLogsOnError"
    """Where the file is empty and the container failed: the last 80 lines, 2048 bytes at most, of its log."""


class PullPolicy(enum.Enum):
    """When a registry is asked for an image."""

    ALWAYS = "Always"
    IF_NOT_PRESENT = "IfNotPresent"
    NEVER = "Never"


@record(frozen=True, slots=True)
class ContainerPort:
    """A port that a container listens on. Listening needs no declaration: declaring it makes collisions an error early.

    Attributes:
        container_port: 1 to 65535.
        host_port: where the engine's host publishes it; None: it does not.
        host_ip: the host's address to publish on; empty: all.
        protocol: ``TCP``, ``UDP`` or ``SCTP``.
        name: for people and probes.
    """

    container_port: int
    host_port: int | None = field(default=None, metadata=k8s(kind=HostPort()))
    protocol: str = "TCP"
    name: str = ""
    host_ip: str = ""


@also(
    volumeDevices=nothing(
        shapes.VOLUME_DEVICES,
        Level.REFUSED,
        "an engine's volumes are directories; a device of its host is there for a privileged container with a hostPath",
    ),
)
@record(frozen=True, slots=True, init=False)
class Container:
    """One member of a pod.

    Args:
        name: a DNS label, unique in the pod.
        image: a reference as ``docker pull`` takes it.
        command: replaces the image's entrypoint (Kubernetes' ``command``). With a command and no args the image's own
            arguments are not used. A `Template` among the words refers to variables.
        args: replaces the image's arguments.
        env: environment variables, on top of the image's: name to value, to `Template` or to a source; or `EnvVar` each.
        env_from: variables of whole ConfigMaps and Secrets, below ``env``: `EnvFrom`, or its source alone.
        ports: numbers, or `ContainerPort`.
        mounts: volume name to path, or a sequence of `VolumeMount`.
        working_dir: where the command starts; empty: as the image says.
        user: ``uid[:gid]`` or a name of the image; empty: as the image says.
        image_pull_policy: ``Always``, ``IfNotPresent``, ``Never``; None: ``Always`` for the tag ``latest`` or none, else
            ``IfNotPresent``, as in Kubernetes.
        own_pid: keeps this member out of a shared PID space, for images whose init insists on being PID 1 (s6, systemd).
        restart_policy: None: as the pod says. ``Always`` on one of the pod's ``init_containers`` makes it a sidecar: it is
            started in its turn, goes on beside the containers, and ends after them.
        restart_policy_rules: exit codes after which it is restarted, whatever ``restart_policy`` says, which must be given.
        startup_probe: until it succeeds, the other two are not run.
        liveness_probe: when it fails, the container is killed and restarted by its policy.
        readiness_probe: says whether the container is ready; never restarts it.
        lifecycle: hooks after the start and before the stop.
        resources: what it asks for, and may use at most.
        termination_message_path: a file in the container whose last 4096 bytes are its message when it has ended; empty: none
            (a manifest's default is ``/dev/termination-log``, which costs a small volume).
        termination_message_policy: ``File`` or ``FallbackToLogsOnError``.
        security_context: what it may do, and as whom.
        stdin, stdin_once, tty: whether its standard input is open, until when, and whether it is a terminal.
        resize_policy: as a manifest has it.
    """

    name: str
    image: str
    command: tuple[Text, ...] = ()
    args: tuple[Text, ...] = ()
    env: tuple[EnvVar, ...] = ()
    ports: tuple[ContainerPort, ...] = ()
    mounts: tuple[VolumeMount, ...] = field(default=(), metadata=k8s("volumeMounts"))
    working_dir: str = ""
    user: str = field(default="", metadata=_ANNOTATION)
    image_pull_policy: PullPolicy | None = None
    own_pid: bool = field(default=False, metadata=_ANNOTATION)
    restart_policy: RestartPolicy | None = None
    startup_probe: Probe | None = None
    liveness_probe: Probe | None = None
    readiness_probe: Probe | None = None
    lifecycle: Lifecycle = field(default=Lifecycle())
    resources: Resources = field(default=Resources())
    termination_message_path: str = field(
        default="", metadata=k8s(absent=DEFAULT_TERMINATION_MESSAGE_PATH, unwritten="")
    )
    termination_message_policy: MessagePolicy = MessagePolicy.FILE
    env_from: tuple[EnvFrom, ...] = ()
    security_context: SecurityContext = field(default=SecurityContext())
    stdin: bool = False
    stdin_once: bool = False
    tty: bool = False
    resize_policy: tuple[Mapping[str, object], ...] = field(
        default=(),
        hash=False,
        metadata=k8s(
            kind=shapes.RESIZE_POLICY,
            level=Level.NO_EFFECT,
            reason="resources are not changed while a container runs",
        ),
    )
    restart_policy_rules: tuple[RestartRule, ...] = ()

    def __init__(
        self,
        name: str,
        image: str,
        *,
        command: Sequence[str] = (),
        args: Sequence[str] = (),
        env: Env | None = None,
        ports: Iterable[int | ContainerPort] = (),
        mounts: Mapping[str, str] | Iterable[VolumeMount] = (),
        working_dir: str = "",
        user: str = "",
        image_pull_policy: str | PullPolicy | None = None,
        own_pid: bool = False,
        restart_policy: str | RestartPolicy | None = None,
        startup_probe: Probe | None = None,
        liveness_probe: Probe | None = None,
        readiness_probe: Probe | None = None,
        lifecycle: Lifecycle | None = None,
        resources: Resources | None = None,
        termination_message_path: str = "",
        termination_message_policy: str | MessagePolicy = MessagePolicy.FILE,
        env_from: Iterable[EnvFrom | ConfigMapEnvSource | SecretEnvSource] = (),
        security_context: SecurityContext | None = None,
        stdin: bool = False,
        stdin_once: bool = False,
        tty: bool = False,
        resize_policy: Iterable[Mapping[str, object]] = (),
        restart_policy_rules: Iterable[RestartRule] = (),
    ) -> None:
        given = dict(locals())  # every parameter is an attribute; what is short becomes whole below
        del given["self"]
        for attribute, value in given.items():
            settle = _SETTLED.get(attribute)
            whole = value if settle is None else settle(name, value)
            object.__setattr__(self, attribute, whole)

    @property
    def pull_policy(self) -> PullPolicy:
        """The policy that holds, Kubernetes' default included."""
        return self.image_pull_policy or default_pull_policy(self.image)


def _words(what: str) -> Callable[[str, Sequence[str]], tuple[str, ...]]:
    def settle(container: str, words: Sequence[str]) -> tuple[str, ...]:
        if isinstance(words, str):
            raise TypeError(
                f"cannot take {what}={words!r} of container {container!r}: a list of words is expected"
            )
        return tuple(words)

    return settle


def _mounts(_: str, mounts: Mapping[str, str] | Iterable[VolumeMount]) -> tuple[VolumeMount, ...]:
    if isinstance(mounts, Mapping):
        return tuple(VolumeMount(name, path) for name, path in mounts.items())
    return tuple(mounts)


def _ports(_: str, ports: Iterable[int | ContainerPort]) -> tuple[ContainerPort, ...]:
    return tuple(each if isinstance(each, ContainerPort) else ContainerPort(each) for each in ports)


def _tuple(_: str, values: Iterable[object]) -> tuple[object, ...]:
    return tuple(values)


def _choice(choices: type[enum.Enum]) -> Callable[[str, object], enum.Enum | None]:
    return lambda _, value: None if value is None else choices(value)


_SETTLED: Mapping[str, Callable[[str, Any], object]] = {
    "command": _words("command"),
    "args": _words("args"),
    "env": lambda _, value: env_of(value),
    "ports": _ports,
    "mounts": _mounts,
    "image_pull_policy": _choice(PullPolicy),
    "restart_policy": _choice(RestartPolicy),
    "lifecycle": lambda _, value: value or Lifecycle(),
    "resources": lambda _, value: value or Resources(),
    "termination_message_policy": _choice(MessagePolicy),
    "env_from": lambda _, value: env_from_of(value),
    "security_context": lambda _, value: value or SecurityContext(),
    "resize_policy": _tuple,
    "restart_policy_rules": _tuple,
}


def default_pull_policy(image: str) -> PullPolicy:
    """Kubernetes' default: ``Always`` for the tag ``latest``, and for neither tag nor digest; else ``IfNotPresent``.

    Source: pkg/apis/core/v1/defaults.go, SetDefaults_Container; a registry's port is no tag.
    """
    reference, _, digest = image.partition("@")
    _, _, last = reference.rpartition("/")
    tag = last.partition(":")[2]
    if tag == "latest" or (not tag and not digest):
        return PullPolicy.ALWAYS
    return PullPolicy.IF_NOT_PRESENT
