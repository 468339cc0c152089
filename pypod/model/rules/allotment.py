"""What a container of a pod gets of its machine, as a kubelet shares it out.

Sources: pkg/kubelet/kuberuntime/kuberuntime_container_linux.go calculateLinuxResources, getCPULimit, getMemoryLimit;
pkg/kubelet/qos/policy.go; component-helpers resource/helpers.go.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pypod.model.spec.pod import Container, PodSpec
from pypod.model.spec.resources import (
    QOSClass,
    Resources,
    cpu_quota,
    cpu_shares,
    oom_score_adj,
    qos_class,
)


@dataclass(frozen=True, slots=True)
class Allotment:
    """As an engine takes it.

    Attributes:
        cpu_shares: its weight.
        cpu_quota: microseconds per 100 ms; 0: as much as there is.
        memory: bytes at most; 0: as much as there is.
        oom_score_adj: how early the kernel takes it when memory is short.
    """

    cpu_shares: int
    cpu_quota: int
    memory: int
    oom_score_adj: int


def allotment(spec: PodSpec, container: Container, node_memory: int) -> Allotment:
    """What a container gets: where it has no limit of its own, the one of its pod.

    Args:
        spec: of the pod; the container may be none of it, but have joined it.
        container: which one.
        node_memory: of the engine's host, bytes.
    """
    own, pod = container.resources, spec.resources
    cpu_limit = own.limits.cpu or pod.limits.cpu or 0
    cpu_request = own.effective_requests.cpu
    return Allotment(
        cpu_shares(cpu_limit if cpu_request is None else cpu_request),
        cpu_quota(cpu_limit),
        own.limits.memory or pod.limits.memory or 0,
        _oom_score_adj(spec, container, node_memory),
    )


def pod_qos(spec: PodSpec) -> QOSClass:
    """The QoS class of a pod. Resources of the pod itself decide alone."""
    if spec.resources:
        return qos_class([effective(spec)])
    return qos_class(each.resources for each in spec.all_containers)


def effective(spec: PodSpec) -> Resources:
    """The resources of the pod itself. A request that it does not make is what its containers ask for; where none of them does, it is
    its limit (pkg/apis/core/v1/defaults.go, setDefaultPodRequests)."""
    pod = spec.resources
    found = {}
    for what in ("cpu", "memory"):
        asked = getattr(pod.requests, what)
        if asked is None:
            asked = _aggregated(spec, what) or getattr(pod.limits, what)
        if asked is not None:
            found[what] = asked
    requests = type(pod.requests)(found.get("cpu"), found.get("memory"), pod.requests.others)
    return Resources(requests=requests, limits=pod.limits)


def _aggregated(spec: PodSpec, what: str) -> int:
    """What a pod asks for at its busiest: each init container in its turn beside the sidecars before it, or all that lasts."""
    sidecars, most = 0, 0
    for container in spec.init_containers:
        own = _asked(container, what)
        if container in spec.sidecars:
            sidecars += own
            most = max(most, sidecars)
        else:
            most = max(most, sidecars + own)
    return max(most, sidecars + sum(_asked(each, what) for each in spec.containers))


def aggregated_requests(spec: PodSpec) -> dict[str, int]:
    """What a pod's containers ask for together."""
    return {what: _aggregated(spec, what) for what in ("cpu", "memory")}


def _asked(container: Container, what: str) -> int:
    amount: int | None = getattr(container.resources.effective_requests, what)
    return amount or 0


def _oom_score_adj(spec: PodSpec, container: Container, node_memory: int) -> int:
    """A kubelet's figure, but for Guaranteed: an engine without CAP_SYS_RESOURCE (rootless, or in a container itself)
    cannot go below 0, and runc fails the start. Among pods, 0 is still taken last."""
    return max(0, oom_score_adj(pod_qos(spec), _memory_claim(spec, container), node_memory))


def _memory_claim(spec: PodSpec, container: Container) -> int:
    """What counts for the OOM score: its own request and its share of what only the pod asks for. A sidecar is not killed before
    the containers that it serves."""
    own = _asked(container, "memory")
    if container in spec.sidecars:
        own = max(own, min(_memory_of(spec.containers)))
    rest = 0
    if spec.resources.requests or spec.resources.limits:
        asked = effective(spec).requests.memory or 0
        rest = max(0, asked - _aggregated(spec, "memory")) // len(spec.all_containers)
    return own + rest


def _memory_of(containers: Iterable[Container]) -> list[int]:
    return [_asked(each, "memory") for each in containers]
