"""What a pod is, as its user describes it: frozen values in Kubernetes' words.

A value that can be built is well-formed by itself (`Container("a", "img").ports` is always a tuple of `ContainerPort`);
whether the parts fit together is said by `pypod.model.validation`, all problems at once.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from pypod.model.handlers import Lifecycle, Probe
from pypod.model.resources import Resources

DEFAULT_GRACE = 30.0
"""Seconds between a pod's stop signal and SIGKILL (Kubernetes' ``terminationGracePeriodSeconds``)."""

DEFAULT_TERMINATION_MESSAGE_PATH = "/dev/termination-log"
"""Kubernetes' default, which a manifest has; a `Container` made in Python has none."""


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


class BackoffProfile(enum.Enum):
    """How fast a container that keeps ending is started again; the first restart is always at once."""

    FAST = "fast"
    """1 s, doubling to 60 s."""
    CLASSIC = "classic"
    """10 s, doubling to 300 s, as Kubernetes has always done it."""


class PullPolicy(enum.Enum):
    """When a registry is asked for an image."""

    ALWAYS = "Always"
    IF_NOT_PRESENT = "IfNotPresent"
    NEVER = "Never"


class Medium(enum.Enum):
    """Where an `EmptyDir` keeps its files."""

    DISK = ""
    MEMORY = "Memory"


class HostPathType(enum.Enum):
    """What is checked about a host path before it is mounted."""

    UNSET = ""
    """It must exist on the engine's host, whatever it is."""
    DIRECTORY_OR_CREATE = "DirectoryOrCreate"
    """Where nothing exists, the engine makes an empty directory (root, 0755)."""


@dataclass(frozen=True, slots=True)
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
    host_port: int | None = None
    protocol: str = "TCP"
    name: str = ""
    host_ip: str = ""


@dataclass(frozen=True, slots=True)
class VolumeMount:
    """Where a container sees a volume of its pod."""

    name: str
    mount_path: str
    read_only: bool = False


@dataclass(frozen=True, slots=True)
class EmptyDir:
    """A directory that begins empty, is shared by the members that mount it, and ends with the pod.

    Attributes:
        medium: on the engine's disk, or in memory.
        size_limit: bytes; enforced in memory (writes fail with "no space left"), not on disk.
    """

    medium: Medium = Medium.DISK
    size_limit: int | None = None


@dataclass(frozen=True, slots=True)
class HostPath:
    """A file or directory of the **engine's** host, which is not always the machine or container that pypod runs in."""

    path: str
    type: HostPathType = HostPathType.UNSET


@dataclass(frozen=True, slots=True)
class Volume:
    """A directory that members can share, by name. Use `Volume.empty_dir` and `Volume.host_path`."""

    name: str
    source: EmptyDir | HostPath

    @classmethod
    def empty_dir(cls, name: str, *, medium: str = "", size_limit: int | None = None) -> Volume:
        """An empty directory, writable by any user, alive as long as the pod.

        Args:
            name: how mounts refer to it; a DNS label.
            medium: ``""`` for the engine's disk, ``"Memory"`` for memory.
            size_limit: bytes; enforced in memory only.

        Raises:
            ValueError: when the medium is none of the two.
        """
        return cls(name, EmptyDir(Medium(medium), size_limit))

    @classmethod
    def host_path(cls, name: str, path: str, *, type: str = "") -> Volume:
        """A path of the engine's host (not of the container that pypod may run in).

        Args:
            name: how mounts refer to it; a DNS label.
            path: absolute, as the engine's host sees it.
            type: ``""``: it must exist; ``"DirectoryOrCreate"``: the engine makes a missing directory.

        Raises:
            ValueError: when the type is none of the two.
        """
        return cls(name, HostPath(path, HostPathType(type)))


@dataclass(frozen=True, slots=True, init=False)
class Container:
    """One member of a pod.

    Args:
        name: a DNS label, unique in the pod.
        image: a reference as ``docker pull`` takes it.
        command: replaces the image's entrypoint (Kubernetes' ``command``). With a command and no args the image's own
            arguments are not used.
        args: replaces the image's arguments.
        env: environment variables, on top of the image's.
        ports: numbers, or `ContainerPort`.
        mounts: volume name to path, or a sequence of `VolumeMount`.
        working_dir: where the command starts; empty: as the image says.
        user: ``uid[:gid]`` or a name of the image; empty: as the image says.
        image_pull_policy: ``Always``, ``IfNotPresent``, ``Never``; None: ``Always`` for the tag ``latest`` or none, else
            ``IfNotPresent``, as in Kubernetes.
        own_pid: keeps this member out of a shared PID space, for images whose init insists on being PID 1 (s6, systemd).
        restart_policy: None: as the pod says. ``Always`` on one of the pod's ``init_containers`` makes it a sidecar: it is
            started in its turn, goes on beside the containers, and ends after them.
        startup_probe: until it succeeds, the other two are not run.
        liveness_probe: when it fails, the container is killed and restarted by its policy.
        readiness_probe: says whether the container is ready; never restarts it.
        lifecycle: hooks after the start and before the stop.
        resources: what it asks for, and may use at most.
        termination_message_path: a file in the container whose last 4096 bytes are its message when it has ended; empty: none
            (a manifest's default is ``/dev/termination-log``, which costs a small volume).
        termination_message_policy: ``File`` or ``FallbackToLogsOnError``.
    """

    name: str
    image: str
    command: tuple[str, ...]
    args: tuple[str, ...]
    env: Mapping[str, str] = field(hash=False)
    ports: tuple[ContainerPort, ...]
    mounts: tuple[VolumeMount, ...]
    working_dir: str
    user: str
    image_pull_policy: PullPolicy | None
    own_pid: bool
    restart_policy: RestartPolicy | None
    startup_probe: Probe | None
    liveness_probe: Probe | None
    readiness_probe: Probe | None
    lifecycle: Lifecycle
    resources: Resources
    termination_message_path: str
    termination_message_policy: MessagePolicy

    def __init__(
        self,
        name: str,
        image: str,
        *,
        command: Sequence[str] = (),
        args: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
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
    ) -> None:
        values: dict[str, object] = {
            "name": name,
            "image": image,
            "command": _words(name, "command", command),
            "args": _words(name, "args", args),
            "env": MappingProxyType(dict(env or {})),
            "ports": tuple(
                each if isinstance(each, ContainerPort) else ContainerPort(each) for each in ports
            ),
            "mounts": _mounts(mounts),
            "working_dir": working_dir,
            "user": user,
            "image_pull_policy": None if image_pull_policy is None else PullPolicy(image_pull_policy),
            "own_pid": own_pid,
            "restart_policy": None if restart_policy is None else RestartPolicy(restart_policy),
            "startup_probe": startup_probe,
            "liveness_probe": liveness_probe,
            "readiness_probe": readiness_probe,
            "lifecycle": lifecycle or Lifecycle(),
            "resources": resources or Resources(),
            "termination_message_path": termination_message_path,
            "termination_message_policy": MessagePolicy(termination_message_policy),
        }
        for key, value in values.items():
            object.__setattr__(self, key, value)

    @property
    def pull_policy(self) -> PullPolicy:
        """The policy that holds, Kubernetes' default included."""
        return self.image_pull_policy or default_pull_policy(self.image)


def _words(container: str, what: str, words: Sequence[str]) -> tuple[str, ...]:
    if isinstance(words, str):
        raise TypeError(
            f"cannot take {what}={words!r} of container {container!r}: a list of words is expected"
        )
    return tuple(words)


def _mounts(mounts: Mapping[str, str] | Iterable[VolumeMount]) -> tuple[VolumeMount, ...]:
    if isinstance(mounts, Mapping):
        return tuple(VolumeMount(name, path) for name, path in mounts.items())
    return tuple(mounts)


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


@dataclass(frozen=True, slots=True)
class PodSpec:
    """A whole pod, as asked for. Its name is settled: `Pod` makes one where the user gave none.

    Attributes:
        init_containers: run one after the other, each to its end, before the containers; those with the restart policy
            ``Always`` are sidecars, which go on beside them.
        network: the pypod network that the pod lives on; empty: the engine's flat default network.
        active_deadline_seconds: how long the pod may be active, from its start, image pulls included; None: for ever.
        restart_backoff: how fast containers that keep ending are started again.
    """

    name: str
    containers: tuple[Container, ...]
    volumes: tuple[Volume, ...] = ()
    namespace: str = "default"
    labels: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}), hash=False)
    restart_policy: RestartPolicy = RestartPolicy.ALWAYS
    share_process_namespace: bool = True
    hostname: str = ""
    termination_grace_period_seconds: float = DEFAULT_GRACE
    network: str = ""
    init_containers: tuple[Container, ...] = ()
    active_deadline_seconds: float | None = None
    restart_backoff: BackoffProfile = BackoffProfile.FAST

    @property
    def all_containers(self) -> tuple[Container, ...]:
        """In the order in which they start: init containers, sidecars among them, then the containers."""
        return (*self.init_containers, *self.containers)

    @property
    def sidecars(self) -> tuple[Container, ...]:
        """The init containers that go on beside the containers."""
        return tuple(each for each in self.init_containers if each.restart_policy is RestartPolicy.ALWAYS)

    @property
    def full_name(self) -> str:
        """``namespace/name``."""
        return f"{self.namespace}/{self.name}"

    @property
    def effective_hostname(self) -> str:
        """The hostname of every member: as given, else the pod's name, cut to the 63 characters that a kernel's label has.

        Source: pkg/kubelet/util/util.go, GetNodenameForKernel and truncatePodHostnameIfNeeded.
        """
        return (self.hostname or self.name)[:63].rstrip("-.")

    def container(self, name: str) -> Container:
        """The container of that name.

        Raises:
            KeyError: when there is none.
        """
        for container in self.all_containers:
            if container.name == name:
                return container
        raise KeyError(name)
