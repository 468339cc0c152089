"""Kubernetes' JSON of a pod."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pypod.model.life.status import Running, Terminated, Waiting

if TYPE_CHECKING:
    from pypod import Pod
    from pypod.model.life.status import ContainerStatus, PodStatus
    from pypod.model.spec.pod import Container


def timestamp(seconds: float | None) -> str | None:
    """RFC 3339, in UTC, whole seconds: Kubernetes' form."""
    if seconds is None:
        return None
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def pod_list(pods: Sequence[Pod]) -> dict[str, Any]:
    """Shaped as a Kubernetes PodList."""
    return {"apiVersion": "v1", "kind": "PodList", "metadata": {}, "items": [pod_json(pod) for pod in pods]}


def pod_json(pod: Pod) -> dict[str, Any]:
    """Shaped as a Kubernetes Pod; without what is empty."""
    spec = pod.spec
    containers = [_spec_json(container) for container in spec.containers]
    init_containers = [_spec_json(container) for container in spec.init_containers]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": _full(name=pod.name, namespace=pod.namespace, uid=pod.uid, labels=dict(spec.labels))
        | _full(
            creationTimestamp=timestamp(pod.status.start_time), expirationTimestamp=timestamp(pod.expires_at)
        ),
        "spec": _full(initContainers=init_containers)
        | {
            "containers": containers,
            "restartPolicy": spec.restart_policy.value,
            "shareProcessNamespace": spec.share_process_namespace,
        },
        "status": status_json(pod.status),
    }


def _spec_json(container: Container) -> dict[str, Any]:
    policy = container.restart_policy
    return _full(
        name=container.name,
        image=container.image,
        command=list(container.command),
        args=list(container.args),
        restartPolicy=policy.value if policy is not None else "",
        ports=[
            _full(containerPort=p.container_port, hostPort=p.host_port, protocol=p.protocol, name=p.name)
            for p in container.ports
        ],
        volumeMounts=[
            _full(name=m.name, mountPath=m.mount_path, readOnly=m.read_only) for m in container.mounts
        ],
    )


def status_json(status: PodStatus) -> dict[str, Any]:
    """Shaped as a Kubernetes PodStatus."""
    conditions = [
        {"type": kind, "status": "True" if condition.status else "False"}
        | _full(reason=condition.reason, message=condition.message)
        for kind, condition in status.conditions.items()
    ]
    containers = [_container_json(each) for each in status.container_statuses]
    return {"phase": status.phase.value, "conditions": conditions, "containerStatuses": containers} | _full(
        initContainerStatuses=[_container_json(each) for each in status.init_container_statuses],
        ephemeralContainerStatuses=[_container_json(each) for each in status.ephemeral_container_statuses],
        qosClass=status.qos_class,
        podIP=status.pod_ip,
        podIPs=[{"ip": status.pod_ip}] if status.pod_ip else [],
        startTime=timestamp(status.start_time),
        reason=status.reason,
        message=status.message,
    )


def _container_json(status: ContainerStatus) -> dict[str, Any]:
    return {
        "name": status.name,
        "image": status.image,
        "ready": status.ready,
        "started": status.started,
        "restartCount": status.restart_count,
        "state": _state_json(status.state),
    } | _full(
        lastState=_state_json(status.last_state) if status.last_state else {},
        containerID=f"docker://{status.container_id}" if status.container_id else "",
    )


def _state_json(state: Waiting | Running | Terminated) -> dict[str, Any]:
    match state:
        case Running():
            return {"running": {"startedAt": timestamp(state.started_at)}}
        case Terminated():
            body = {"exitCode": state.exit_code, "reason": state.reason}
            times = _full(startedAt=timestamp(state.started_at), finishedAt=timestamp(state.finished_at))
            return {"terminated": body | _full(message=state.message) | times}
    return {"waiting": _full(reason=state.reason, message=state.message)}


def _full(**fields: Any) -> dict[str, Any]:
    """Those that say something."""
    return {key: value for key, value in fields.items() if value not in (None, "", [], {}, False)}
