"""A spec as a Kubernetes v1 Pod document (plain dicts, lists and scalars), and back, strictly.

What Kubernetes has no field for stands in annotations ``io.pypod/...``. Reading refuses by name, and all at once, what it
would not do: unknown fields, known ones that are not supported yet, and values of another type than the field's.

``$(NAME)`` in ``command``, ``args``, an env ``value`` and the command of a probe is expanded while reading, as a kubelet does it; the spec holds
what the container gets. Writing doubles the ``$`` of what would be taken for a reference.
"""

from __future__ import annotations

from collections.abc import Mapping

from pypod.errors import ManifestError
from pypod.model.annotations import to_annotations
from pypod.model.document_handlers import lifecycle_document, probe_document
from pypod.model.document_reader import read_document
from pypod.model.exact import WholeNumbers
from pypod.model.quantity import format_bytes, format_milli
from pypod.model.references import escape
from pypod.model.resources import ResourceList
from pypod.model.spec import (
    DEFAULT_GRACE,
    DEFAULT_TERMINATION_MESSAGE_PATH,
    Container,
    ContainerPort,
    HostPath,
    HostPathType,
    Medium,
    MessagePolicy,
    PodSpec,
    RestartPolicy,
    Volume,
    VolumeMount,
)


def from_document(
    document: Mapping[str, object], source: str = "document", lines: Mapping[str, int] | None = None
) -> PodSpec:
    """The spec that a Kubernetes v1 Pod document describes. `pypod.model.validation` says whether its parts fit.

    Annotations other than pypod's own are refused for now, since they would be lost.

    Args:
        document: as a YAML or JSON reader gives it.
        source: what errors call it: a file's name.
        lines: field path to line, where known.

    Raises:
        ManifestError: with every problem that the document has.
    """
    spec, problems = read_document(document, lines or {})
    if problems or spec is None:
        raise ManifestError(source, problems)
    return spec


def to_document(spec: PodSpec) -> dict[str, object]:
    """The spec as a Kubernetes v1 Pod. ``shareProcessNamespace`` is always written: the two defaults differ."""
    numbers = WholeNumbers()
    body: dict[str, object] = {}
    if spec.init_containers:
        body["initContainers"] = _containers(spec.init_containers, "spec.initContainers", numbers)
    body["containers"] = _containers(spec.containers, "spec.containers", numbers)
    if spec.volumes:
        body["volumes"] = [_volume(volume) for volume in spec.volumes]
    if spec.restart_policy is not RestartPolicy.ALWAYS:
        body["restartPolicy"] = spec.restart_policy.value
    body["shareProcessNamespace"] = spec.share_process_namespace
    if spec.termination_grace_period_seconds != DEFAULT_GRACE:
        name = "terminationGracePeriodSeconds"
        body[name] = numbers.of(f"spec.{name}", spec.termination_grace_period_seconds)
    if spec.active_deadline_seconds is not None:
        name = "activeDeadlineSeconds"
        body[name] = numbers.of(f"spec.{name}", spec.active_deadline_seconds)
    if spec.hostname:
        body["hostname"] = spec.hostname
    metadata: dict[str, object] = {"name": spec.name, "namespace": spec.namespace}
    if spec.labels:
        metadata["labels"] = dict(spec.labels)
    if annotations := to_annotations(spec, numbers.exact):
        metadata["annotations"] = annotations
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": body}


def _containers(containers: tuple[Container, ...], path: str, numbers: WholeNumbers) -> list[object]:
    return [
        {
            **_container(container),
            **_ports(container, f"{path}[{index}]", numbers),
            **_life(container, f"{path}[{index}]", numbers),
        }
        for index, container in enumerate(containers)
    ]


def _container(container: Container) -> dict[str, object]:
    """What it runs, with what."""
    found: dict[str, object] = {"name": container.name, "image": container.image}
    if container.command:
        found["command"] = [escape(word) for word in container.command]
    if container.args:
        found["args"] = [escape(word) for word in container.args]
    if container.env:
        found["env"] = [{"name": name, "value": escape(value)} for name, value in container.env.items()]
    if container.mounts:
        found["volumeMounts"] = [_mount(mount) for mount in container.mounts]
    if container.working_dir:
        found["workingDir"] = container.working_dir
    if container.image_pull_policy is not None:
        found["imagePullPolicy"] = container.image_pull_policy.value
    lists = (("requests", container.resources.requests), ("limits", container.resources.limits))
    if amounts := {name: _amounts(resources) for name, resources in lists if resources}:
        found["resources"] = amounts
    return found


def _amounts(resources: ResourceList) -> dict[str, object]:
    found: dict[str, object] = {}
    if resources.cpu is not None:
        found["cpu"] = format_milli(resources.cpu)
    if resources.memory is not None:
        found["memory"] = format_bytes(resources.memory)
    return found


def _life(container: Container, path: str, numbers: WholeNumbers) -> dict[str, object]:
    """How it is watched, restarted and ended."""
    found: dict[str, object] = {}
    if container.restart_policy is not None:
        found["restartPolicy"] = container.restart_policy.value
    probes = (
        ("startupProbe", container.startup_probe),
        ("livenessProbe", container.liveness_probe),
        ("readinessProbe", container.readiness_probe),
    )
    for name, probe in probes:
        if probe is not None:
            found[name] = probe_document(probe, f"{path}.{name}", numbers)
    if hooks := lifecycle_document(container.lifecycle, f"{path}.lifecycle", numbers):
        found["lifecycle"] = hooks
    if container.termination_message_path not in ("", DEFAULT_TERMINATION_MESSAGE_PATH):
        found["terminationMessagePath"] = container.termination_message_path
    if container.termination_message_policy is not MessagePolicy.FILE:
        found["terminationMessagePolicy"] = container.termination_message_policy.value
    return found


def _ports(container: Container, path: str, numbers: WholeNumbers) -> dict[str, object]:
    ports: list[object] = []
    for index, port in enumerate(container.ports):
        ports.append(_port(port))
        if port.host_port == 0:
            numbers.any_free_port(f"{path}.ports[{index}].hostPort")
    return {"ports": ports} if ports else {}


def _port(port: ContainerPort) -> dict[str, object]:
    found: dict[str, object] = {"containerPort": port.container_port}
    if port.host_port:
        found["hostPort"] = port.host_port
    if port.host_ip:
        found["hostIP"] = port.host_ip
    if port.protocol != "TCP":
        found["protocol"] = port.protocol
    if port.name:
        found["name"] = port.name
    return found


def _mount(mount: VolumeMount) -> dict[str, object]:
    found: dict[str, object] = {"name": mount.name, "mountPath": mount.mount_path}
    if mount.read_only:
        found["readOnly"] = True
    return found


def _volume(volume: Volume) -> dict[str, object]:
    source: dict[str, object] = {}
    if isinstance(volume.source, HostPath):
        source["path"] = volume.source.path
        if volume.source.type is not HostPathType.UNSET:
            source["type"] = volume.source.type.value
        return {"name": volume.name, "hostPath": source}
    if volume.source.medium is not Medium.DISK:
        source["medium"] = volume.source.medium.value
    if volume.source.size_limit is not None:
        source["sizeLimit"] = format_bytes(volume.source.size_limit)
    return {"name": volume.name, "emptyDir": source}
