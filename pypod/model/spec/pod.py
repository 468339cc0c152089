"""What a pod is, as its user describes it: frozen values in Kubernetes' words. This is the place to import them from.

A value that can be built is well-formed by itself (`Container("a", "img").ports` is always a tuple of `ContainerPort`);
whether the parts fit together is said by `pypod.model.validation.validating`, all problems at once. The classes are also the schema of
documents: `pypod.model.schema.declaring` says how.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import field, replace
from types import MappingProxyType

from pypod.model.records import record
from pypod.model.schema import shapes
from pypod.model.schema.compounds import ListOf, MapOf, Named
from pypod.model.schema.declaring import also, k8s, nothing
from pypod.model.schema.kinds import STRING, Anything, Seconds, Word
from pypod.model.schema.levels import Level
from pypod.model.schema.references import Template
from pypod.model.spec import object_meta
from pypod.model.spec.containers import (
    DEFAULT_TERMINATION_MESSAGE_PATH,
    Container,
    ContainerPort,
    MessagePolicy,
    PullPolicy,
    RestartPolicy,
    default_pull_policy,
)
from pypod.model.spec.env import (
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
from pypod.model.spec.network import DNSConfig, DNSPolicy, HostAlias
from pypod.model.spec.resources import Resources
from pypod.model.spec.restart_rules import ExitCodeOperator, ExitCodes, RestartAction, RestartRule
from pypod.model.spec.security import (
    AppArmorProfile,
    Capabilities,
    FSGroupChangePolicy,
    PodSecurityContext,
    ProcMount,
    ProfileType,
    SeccompProfile,
    SecurityContext,
    SELinuxOptions,
    SupplementalGroupsPolicy,
)
from pypod.model.spec.volume_sources import (
    AzureFileSource,
    CephFSSource,
    ClaimSource,
    ConfigMapProjection,
    ConfigMapSource,
    DownwardAPIFile,
    DownwardAPIProjection,
    DownwardAPISource,
    EmptyDir,
    FilesSource,
    HostPath,
    HostPathType,
    ImageSource,
    KeyToPath,
    Medium,
    NamedFile,
    NFSSource,
    ProjectedSource,
    Projection,
    SecretProjection,
    SecretSource,
    VolumeSource,
)
from pypod.model.spec.volumes import MountPropagation, RecursiveReadOnly, Volume, VolumeMount

__all__ = [
    "DEFAULT_GRACE",
    "DEFAULT_TERMINATION_MESSAGE_PATH",
    "AppArmorProfile",
    "AzureFileSource",
    "BackoffProfile",
    "Capabilities",
    "CephFSSource",
    "ClaimSource",
    "ConfigMapEnvSource",
    "ConfigMapKeyRef",
    "ConfigMapProjection",
    "ConfigMapSource",
    "Container",
    "ContainerPort",
    "DNSConfig",
    "DNSPolicy",
    "DownwardAPIFile",
    "DownwardAPIProjection",
    "DownwardAPISource",
    "EmptyDir",
    "EnvFrom",
    "EnvVar",
    "EnvVarSource",
    "ExitCodeOperator",
    "ExitCodes",
    "FSGroupChangePolicy",
    "FieldRef",
    "FileKeyRef",
    "FilesSource",
    "HostAlias",
    "HostPath",
    "HostPathType",
    "ImageSource",
    "KeyToPath",
    "Medium",
    "MessagePolicy",
    "MountPropagation",
    "NFSSource",
    "NamedFile",
    "PodSecurityContext",
    "PodSpec",
    "ProcMount",
    "ProfileType",
    "ProjectedSource",
    "Projection",
    "PullPolicy",
    "RecursiveReadOnly",
    "ResourceFieldRef",
    "RestartAction",
    "RestartPolicy",
    "RestartRule",
    "SELinuxOptions",
    "SeccompProfile",
    "SecretEnvSource",
    "SecretKeyRef",
    "SecretProjection",
    "SecretSource",
    "SecurityContext",
    "SupplementalGroupsPolicy",
    "Template",
    "Volume",
    "VolumeMount",
    "VolumeSource",
    "default_pull_policy",
]

DEFAULT_GRACE = 30.0
"""Seconds between a pod's stop signal and SIGKILL (Kubernetes' ``terminationGracePeriodSeconds``)."""

_EMPTY: Mapping[str, str] = MappingProxyType({})
_ONE_NODE = "there is one node, and nothing to choose from"
_NO_QUEUE = "nobody waits for a place on the engine"
_NO_ACCOUNTS = "there is no API server that a pod could talk to"


class BackoffProfile(enum.Enum):
    """How fast a container that keeps ending is started again; the first restart is always at once."""

    FAST = "fast"
    """1 s, doubling to 60 s."""
    CLASSIC = "classic"
    """10 s, doubling to 300 s, as Kubernetes has always done it."""


def _no_effect(reason: str, **more: object) -> dict[str, object]:
    return dict(k8s(level=Level.NO_EFFECT, reason=reason, **more))  # type: ignore[arg-type]


@also(
    **object_meta.SERVERS,
    ephemeralContainers=nothing(
        ListOf(Anything()),
        Level.REFUSED,
        "they join a pod that runs; use 'pypod debug', or pod.debug()",
    ),
    resourceClaims=nothing(
        shapes.RESOURCE_CLAIMS, Level.REFUSED, "there is nobody who would allocate devices for it"
    ),
)
@record(frozen=True, slots=True)
class PodSpec:
    """A whole pod, as asked for. One without a name has a ``generate_name``, of which `Pod` makes one.

    Attributes:
        init_containers: run one after the other, each to its end, before the containers; those with the restart policy
            ``Always`` are sidecars, which go on beside them.
        network: the pypod network that the pod lives on; empty: the engine's flat default network.
        extra_networks: names of networks of others (of a compose project, of ``docker network create``) that the pod joins beside
            its own. They must be there; pypod neither makes nor removes them.
        active_deadline_seconds: how long the pod may be active, from its start, image pulls included; None: for ever.
        restart_backoff: how fast containers that keep ending are started again.
        annotations: for tools and people; those of pypod itself, ``io.pypod/...``, are made from the other attributes.
        generate_name: the beginning of a name that is made up, where ``name`` is empty.
        image_pull_secrets: names of Secrets with the credentials of registries.

    The others are Kubernetes'.
    """

    name: str = field(metadata=k8s(place=object_meta.PLACE, absent=""))
    containers: tuple[Container, ...]
    volumes: tuple[Volume, ...] = ()
    namespace: str = field(default="default", metadata=object_meta.NAMESPACE)
    labels: Mapping[str, str] = field(default_factory=lambda: _EMPTY, hash=False, metadata=object_meta.LABELS)
    restart_policy: RestartPolicy = RestartPolicy.ALWAYS
    # Always written, since the two defaults differ.
    share_process_namespace: bool = field(default=True, metadata=k8s(absent=False, always=True))
    hostname: str = ""
    termination_grace_period_seconds: float = field(default=DEFAULT_GRACE, metadata=k8s(kind=Seconds(64)))
    network: str = field(default="", metadata=k8s(place="annotation"))
    extra_networks: tuple[str, ...] = field(default=(), metadata=k8s(place="annotation"))
    init_containers: tuple[Container, ...] = ()
    active_deadline_seconds: float | None = field(default=None, metadata=k8s(kind=Seconds(64)))
    restart_backoff: BackoffProfile = field(default=BackoffProfile.FAST, metadata=k8s(place="annotation"))
    annotations: Mapping[str, str] = field(
        default_factory=lambda: _EMPTY, hash=False, metadata=object_meta.ANNOTATIONS
    )
    generate_name: str = field(default="", metadata=k8s(place=object_meta.PLACE))
    finalizers: tuple[str, ...] = field(default=(), metadata=object_meta.FINALIZERS)
    owner_references: tuple[Mapping[str, object], ...] = field(
        default=(), hash=False, metadata=object_meta.OWNER_REFERENCES
    )
    security_context: PodSecurityContext = field(default=PodSecurityContext())
    resources: Resources = field(
        default=Resources(),
        metadata=k8s(
            level=Level.PARTLY,
            reason="each container is held to the pod's limits, but not all of them together: an engine has no cgroup of a pod",
        ),
    )
    image_pull_secrets: tuple[str, ...] = field(default=(), metadata=k8s(kind=ListOf(Named(STRING))))
    host_network: bool = False
    host_pid: bool = False
    host_ipc: bool = False
    host_users: bool = field(
        default=True,
        metadata=k8s(
            level=Level.REFUSED,
            reason="an engine has user namespaces for all its containers or for none (dockerd --userns-remap)",
        ),
    )
    host_aliases: tuple[HostAlias, ...] = field(
        default=(),
        metadata=k8s(
            level=Level.PARTLY,
            reason="ephemeral containers, and all with hostNetwork, have the engine's own hosts file, with the same names",
        ),
    )
    dns_policy: DNSPolicy = field(
        default=DNSPolicy.CLUSTER_FIRST,
        metadata=k8s(
            level=Level.PARTLY,
            reason="resolv.conf names the engine's resolver, 127.0.0.11, under each of them; whom that asks is as the policy says",
            values={
                DNSPolicy.CLUSTER_FIRST_WITH_HOST_NET: (
                    Level.PARTLY,
                    "on the network of the engine's host its resolver cannot be asked: there it is Default, and an event says so",
                )
            },
        ),
    )
    dns_config: DNSConfig = field(
        default=DNSConfig(),
        metadata=k8s(
            level=Level.PARTLY,
            reason="nameservers are asked by the engine's resolver, in place of those of its host; it answers for pods itself",
        ),
    )
    subdomain: str = field(
        default="",
        metadata=k8s(
            level=Level.PARTLY,
            reason="the name is there without a headless Service, and before the pod is ready",
        ),
    )
    hostname_override: str = ""
    set_hostname_as_fqdn: bool = False
    enable_service_links: bool = field(
        default=True,
        metadata=_no_effect("there are no Services whose variables a container would get"),
    )
    runtime_class_name: str = field(
        default="",
        metadata=k8s(
            level=Level.PARTLY,
            reason="it is the name of a runtime of the engine; there are no RuntimeClass objects",
        ),
    )
    service_account_name: str = field(default="", metadata=_no_effect(_NO_ACCOUNTS, quiet=("default",)))
    service_account: str = field(default="", metadata=_no_effect(_NO_ACCOUNTS, quiet=("default",)))
    automount_service_account_token: bool | None = field(
        default=None, metadata=_no_effect(_NO_ACCOUNTS, quiet=(False,))
    )
    node_name: str = field(default="", metadata=_no_effect(_ONE_NODE))
    node_selector: Mapping[str, str] = field(
        default_factory=lambda: _EMPTY, hash=False, metadata=_no_effect(_ONE_NODE)
    )
    affinity: Mapping[str, object] | None = field(
        default=None, hash=False, metadata=_no_effect(_ONE_NODE, kind=shapes.AFFINITY)
    )
    tolerations: tuple[Mapping[str, object], ...] = field(
        default=(), hash=False, metadata=_no_effect(_ONE_NODE, kind=shapes.TOLERATIONS)
    )
    topology_spread_constraints: tuple[Mapping[str, object], ...] = field(
        default=(), hash=False, metadata=_no_effect(_ONE_NODE, kind=shapes.SPREAD)
    )
    scheduler_name: str = field(default="", metadata=_no_effect(_ONE_NODE, quiet=("default-scheduler",)))
    scheduling_gates: tuple[Mapping[str, object], ...] = field(
        default=(),
        hash=False,
        metadata=_no_effect("nobody would lift them: the pod starts at once", kind=shapes.SCHEDULING_GATES),
    )
    scheduling_group: Mapping[str, object] | None = field(
        default=None, hash=False, metadata=_no_effect(_ONE_NODE, kind=shapes.SCHEDULING_GROUP)
    )
    priority: int | None = field(default=None, metadata=_no_effect(_NO_QUEUE, quiet=(0,)))
    priority_class_name: str = field(default="", metadata=_no_effect(_NO_QUEUE))
    preemption_policy: str = field(
        default="", metadata=_no_effect(_NO_QUEUE, kind=Word("PreemptLowerPriority", "Never"))
    )
    overhead: Mapping[str, str] = field(
        default_factory=lambda: _EMPTY,
        hash=False,
        metadata=_no_effect("nothing is reserved on the engine", kind=MapOf(shapes.OVERHEAD_AMOUNT)),
    )
    readiness_gates: tuple[Mapping[str, object], ...] = field(
        default=(),
        hash=False,
        metadata=_no_effect(
            "nobody would set their conditions: they do not count", kind=shapes.READINESS_GATES
        ),
    )
    os: str = field(
        default="",
        metadata=k8s(
            kind=Named(Word("linux", "windows")),
            values={"windows": (Level.REFUSED, "the containers are Linux ones")},
        ),
    )

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
        """The hostname of every member, without a domain: as given, else the pod's name, cut to the 63 characters that a label
        has.

        Source: pkg/kubelet/util/util.go, GetNodenameForKernel and truncatePodHostnameIfNeeded.
        """
        return self.hostname_override or (self.hostname or self.name)[:63].rstrip("-.")

    def with_pull_policy(self, policy: PullPolicy) -> PodSpec:
        """The same with this pull policy for each container."""
        return replace(
            self,
            containers=tuple(replace(each, image_pull_policy=policy) for each in self.containers),
            init_containers=tuple(replace(each, image_pull_policy=policy) for each in self.init_containers),
        )

    def container(self, name: str) -> Container:
        """The container of that name.

        Raises:
            KeyError: when there is none.
        """
        for container in self.all_containers:
            if container.name == name:
                return container
        raise KeyError(name)
