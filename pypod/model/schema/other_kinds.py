"""Kubernetes' kinds that pypod does not carry out: what it says of each, and what to do instead.

What would not be missed on one engine is passed over with a warning (`Level.NO_EFFECT`). What would be is refused, with the way
that leads there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple

from pypod.model.schema.levels import Level

CORE = ""


class OtherKind(NamedTuple):
    """What is said of a kind. `reason` follows ``is refused:`` or ``has no effect on one engine:``."""

    level: Level
    reason: str


_TEMPLATE = (
    "pypod runs Pods, and nothing that makes them; write its pod template{where} as a Pod (apiVersion: v1, kind: Pod, and the"
    " template's metadata with a name)"
)
_NOBODY_ASKS = "there is no API server that it would be about"


def _workload(where: str = ", spec.template,", more: str = "") -> OtherKind:
    return OtherKind(Level.REFUSED, _TEMPLATE.format(where=where) + more)


def _refused(reason: str) -> OtherKind:
    return OtherKind(Level.REFUSED, reason)


def _no_effect(reason: str) -> OtherKind:
    return OtherKind(Level.NO_EFFECT, reason)


def _of(group: str, **kinds: OtherKind) -> Iterator[tuple[tuple[str, str], OtherKind]]:
    for kind, said in kinds.items():
        yield (group, kind), said


_SERVICE = _refused(
    "a pod is reached by its own name, POD or POD.NAMESPACE, at the ports that its containers listen on: give the pod the"
    " Service's name; a containerPort with hostPort is reached from outside"
)
_ROUTES = _refused(
    "nothing routes by host name and path: publish a port with hostPort, or run a proxy in a Pod"
)
_POLICY = _refused(
    "an engine cannot filter between pods of one network; the annotation io.pypod/network puts a pod on a network of its own"
)
_ACCESS = _no_effect(_NOBODY_ASKS)
_CLUSTER = _refused("it is a thing of a cluster, which an engine has not")
_SCALES = _refused("a Pod is one: start as many as are wanted, by name")
_STORAGE = _no_effect("there is one kind of storage")
_WORKLOAD = _workload()

OTHERS: Mapping[tuple[str, str], OtherKind] = MappingProxyType(
    dict(
        (
            *_of(
                CORE,
                ReplicationController=_WORKLOAD,
                PodTemplate=_workload(", template,"),
                Service=_SERVICE,
                Endpoints=_refused("names lead to pods, and to nothing else: use hostAliases for an address"),
                Namespace=_no_effect("a namespace is there when something is in it"),
                ServiceAccount=_ACCESS,
                ResourceQuota=_no_effect("nothing is counted over a namespace"),
                LimitRange=_refused(
                    "it would change the resources of Pods: write them into their containers' resources"
                ),
                PersistentVolume=_refused(
                    "a PersistentVolumeClaim is a new directory of the engine, and binds to nothing: for files that are there already"
                    " use a hostPath volume in the Pod"
                ),
                Event=_refused("pypod writes the events itself; see 'pypod events'"),
                Node=_CLUSTER,
                Binding=_CLUSTER,
                ComponentStatus=_CLUSTER,
            ),
            *_of(
                "apps",
                Deployment=_WORKLOAD,
                ReplicaSet=_WORKLOAD,
                StatefulSet=_WORKLOAD,
                DaemonSet=_WORKLOAD,
                ControllerRevision=_CLUSTER,
            ),
            *_of(
                "extensions",
                Deployment=_WORKLOAD,
                ReplicaSet=_WORKLOAD,
                DaemonSet=_WORKLOAD,
                Ingress=_ROUTES,
                NetworkPolicy=_POLICY,
                PodSecurityPolicy=_no_effect("no policy is asked when a pod starts"),
            ),
            *_of(
                "batch",
                Job=_workload(more="; its restartPolicy Never or OnFailure makes it one that ends"),
                CronJob=_workload(", spec.jobTemplate.spec.template,", "; what starts it is yours to say"),
            ),
            *_of("autoscaling", HorizontalPodAutoscaler=_SCALES, Scale=_SCALES),
            *_of("autoscaling.k8s.io", VerticalPodAutoscaler=_SCALES),
            *_of("policy", PodDisruptionBudget=_no_effect("nobody evicts pods"), Eviction=_CLUSTER),
            *_of("policy", PodSecurityPolicy=_no_effect("no policy is asked when a pod starts")),
            *_of("networking.k8s.io", Ingress=_ROUTES, NetworkPolicy=_POLICY),
            *_of("networking.k8s.io", IngressClass=_no_effect("there are no Ingresses")),
            *_of("gateway.networking.k8s.io", Gateway=_ROUTES, HTTPRoute=_ROUTES, GatewayClass=_ROUTES),
            *_of("discovery.k8s.io", EndpointSlice=_CLUSTER),
            *_of(
                "rbac.authorization.k8s.io",
                Role=_ACCESS,
                RoleBinding=_ACCESS,
                ClusterRole=_ACCESS,
                ClusterRoleBinding=_ACCESS,
            ),
            *_of(
                "storage.k8s.io",
                StorageClass=_STORAGE,
                CSIDriver=_STORAGE,
                CSINode=_CLUSTER,
                VolumeAttachment=_CLUSTER,
                VolumeAttributesClass=_STORAGE,
            ),
            *_of("scheduling.k8s.io", PriorityClass=_no_effect("nobody waits for a place on the engine")),
            *_of(
                "node.k8s.io",
                RuntimeClass=_refused(
                    "a pod's runtimeClassName is the name of a runtime that the engine was set up with"
                ),
            ),
            *_of("apiextensions.k8s.io", CustomResourceDefinition=_no_effect(_NOBODY_ASKS)),
            *_of("apiregistration.k8s.io", APIService=_no_effect(_NOBODY_ASKS)),
            *_of(
                "admissionregistration.k8s.io",
                ValidatingWebhookConfiguration=_no_effect(_NOBODY_ASKS),
                ValidatingAdmissionPolicy=_no_effect(_NOBODY_ASKS),
                ValidatingAdmissionPolicyBinding=_no_effect(_NOBODY_ASKS),
                MutatingWebhookConfiguration=_refused(
                    "no webhook changes Pods: write them as they are to be"
                ),
            ),
            *_of(
                "resource.k8s.io",
                ResourceClaim=_refused("there is nobody who would allocate devices for it"),
                ResourceClaimTemplate=_refused("there is nobody who would allocate devices for it"),
                DeviceClass=_no_effect("there is nobody who would allocate devices for it"),
            ),
        )
    )
)
"""By API group and kind. What is not here, no version of Kubernetes has, or nobody writes into manifests."""

NAMES = frozenset(kind for _, kind in OTHERS)


def find(kind: str, api_version: str) -> OtherKind | None:
    """What is said of a kind; None: it is none of Kubernetes'. A group that was forgotten hides no kind."""
    group = group_of(api_version)
    found = OTHERS.get((group, kind))
    if found is None and group == CORE:
        found = next((other for (_, name), other in OTHERS.items() if name == kind), None)
    return found


def group_of(api_version: str) -> str:
    """``apps`` of ``apps/v1``; empty for ``v1``."""
    group, slash, _ = api_version.rpartition("/")
    return group if slash else CORE
