"""Reading a Kubernetes v1 Pod document: `pypod.model.document` says how."""

from __future__ import annotations

from collections.abc import Mapping

from pypod.errors import Problem
from pypod.model import known_fields
from pypod.model.annotations import NO_TERMINATION_MESSAGE, Annotations
from pypod.model.document_fields import Fields, Reader
from pypod.model.document_handlers import read_lifecycle, read_probe
from pypod.model.references import expand
from pypod.model.resources import ResourceList, Resources
from pypod.model.spec import (
    DEFAULT_GRACE,
    DEFAULT_TERMINATION_MESSAGE_PATH,
    Container,
    ContainerPort,
    EmptyDir,
    HostPath,
    HostPathType,
    Medium,
    MessagePolicy,
    PodSpec,
    PullPolicy,
    RestartPolicy,
    Volume,
    VolumeMount,
)
from pypod.model.wording import did_you_mean, show


def read_document(document: object, lines: Mapping[str, int]) -> tuple[PodSpec | None, list[Problem]]:
    """As `pypod.model.document.from_document`, without raising: what could be read, and every problem in it."""
    reader = Reader(lines)
    return _read(reader, document), reader.problems


def _read(reader: Reader, document: object) -> PodSpec | None:
    root = Fields(reader, "", document)
    if not root.usable or not _is_pod(root):
        return None
    metadata = root.fields("metadata")
    name = metadata.string("name", required=True)
    namespace = metadata.string("namespace") or "default"
    labels = metadata.text_mapping("labels")
    annotations = Annotations(reader, metadata)
    metadata.close(known_fields.METADATA)
    if not root.has("spec"):
        root.refuse("spec", "is required")
    body = root.fields("spec")
    volumes = tuple(_read_volume(fields) for fields in body.many("volumes"))
    if root.has("spec") and body.usable and not body.has("containers"):
        body.refuse("containers", "is required")
    spec = PodSpec(
        name=name,
        containers=tuple(_read_container(fields, annotations) for fields in body.many("containers")),
        volumes=volumes,
        namespace=namespace,
        labels=labels,
        restart_policy=body.choice("restartPolicy", RestartPolicy) or RestartPolicy.ALWAYS,
        share_process_namespace=body.boolean("shareProcessNamespace"),
        hostname=body.string("hostname"),
        termination_grace_period_seconds=annotations.exact.seconds(
            body, "terminationGracePeriodSeconds", DEFAULT_GRACE
        ),
        network=annotations.network,
        init_containers=tuple(_read_container(fields, annotations) for fields in body.many("initContainers")),
        active_deadline_seconds=annotations.exact.optional_seconds(body, "activeDeadlineSeconds"),
        restart_backoff=annotations.restart_backoff,
    )
    body.close(known_fields.SPEC)
    root.close(known_fields.ROOT)
    annotations.close({container.name for container in spec.all_containers})
    return spec


def _is_pod(root: Fields) -> bool:
    """Of another kind nothing more is said: its fields are not a Pod's."""
    kind, version = root.string("kind", required=True), root.string("apiVersion", required=True)
    if kind and kind != "Pod":
        root.refuse(
            "kind", f"{show(kind)} is not supported yet; 'Pod' is expected{did_you_mean(kind, ['Pod'])}"
        )
    elif version and version != "v1":
        root.refuse("apiVersion", f"{show(version)} is not supported; a Pod is of 'v1'")
    return kind == "Pod" and version == "v1"


def _read_container(fields: Fields, annotations: Annotations) -> Container:
    name = fields.string("name", required=True)
    env, static = _read_env(fields)
    numbers = annotations.exact
    container = Container(
        name,
        fields.string("image", required=True),
        command=_expanded(fields, "command", env),
        args=_expanded(fields, "args", env),
        env=env,
        ports=[_read_port(port, annotations) for port in fields.many("ports")],
        mounts=[_read_mount(mount) for mount in fields.many("volumeMounts")],
        working_dir=fields.string("workingDir"),
        user=annotations.users.get(name, ""),
        image_pull_policy=fields.choice("imagePullPolicy", PullPolicy),
        own_pid=name in annotations.own_pid,
        restart_policy=fields.choice("restartPolicy", RestartPolicy),
        startup_probe=read_probe(fields, "startupProbe", numbers, static),
        liveness_probe=read_probe(fields, "livenessProbe", numbers, static),
        readiness_probe=read_probe(fields, "readinessProbe", numbers, static),
        lifecycle=read_lifecycle(fields.fields("lifecycle"), numbers),
        resources=_read_resources(fields.fields("resources")),
        termination_message_path=_read_message_path(fields, name, annotations),
        termination_message_policy=fields.choice("terminationMessagePolicy", MessagePolicy)
        or MessagePolicy.FILE,
    )
    fields.close(known_fields.CONTAINER)
    return container


def _read_message_path(fields: Fields, container: str, annotations: Annotations) -> str:
    path = fields.string("terminationMessagePath")
    if container not in annotations.no_message:
        return path or DEFAULT_TERMINATION_MESSAGE_PATH
    if path:
        message = f"container {show(container)} has one: its terminationMessagePath is {show(path)}"
        annotations.refuse(NO_TERMINATION_MESSAGE, message)
    return ""


def _read_resources(fields: Fields) -> Resources:
    resources = Resources(requests=_read_amounts(fields, "requests"), limits=_read_amounts(fields, "limits"))
    fields.close(known_fields.RESOURCES)
    return resources


def _read_amounts(resources: Fields, name: str) -> ResourceList:
    fields = resources.fields(name, keyed=True)
    found = ResourceList(fields.quantity("cpu", per=1000), fields.quantity("memory"))
    others = (each for each in fields.names if "/" in each or each.startswith("hugepages-"))
    fields.close(known_fields.RESOURCE_NAMES.union(others))
    return found


def _read_env(container: Fields) -> tuple[dict[str, str], dict[str, str]]:
    """The variables, and their values as they are written.

    In order: a value refers to those before it. Of two with the same name the last one holds, as in Kubernetes.
    """
    env: dict[str, str] = {}
    static: dict[str, str] = {}
    for fields in container.many("env"):
        name = fields.string("name", required=True)
        static[name] = fields.string("value")
        env[name] = _expand(fields, "value", static[name], env)
        fields.close(known_fields.ENV)
    return env, static


def _expanded(fields: Fields, name: str, env: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(_expand(fields, f"{name}[{i}]", word, env) for i, word in enumerate(fields.strings(name)))


def _expand(fields: Fields, name: str, value: str, env: Mapping[str, str]) -> str:
    try:
        return expand(value, env)
    except ValueError as exc:
        fields.refuse(name, str(exc))
        return ""


def _read_port(fields: Fields, annotations: Annotations) -> ContainerPort:
    port = ContainerPort(
        container_port=fields.integer("containerPort", required=True) or 0,
        host_port=annotations.exact.host_port(fields, "hostPort"),
        host_ip=fields.string("hostIP"),
        protocol=fields.string("protocol") or "TCP",
        name=fields.string("name"),
    )
    fields.close()
    return port


def _read_mount(fields: Fields) -> VolumeMount:
    mount = VolumeMount(
        fields.string("name", required=True),
        fields.string("mountPath", required=True),
        read_only=fields.boolean("readOnly"),
    )
    fields.close(known_fields.MOUNT)
    return mount


def _read_volume(fields: Fields) -> Volume:
    """A volume without a source is an emptyDir, as in Kubernetes."""
    name = fields.string("name", required=True)
    source: EmptyDir | HostPath = EmptyDir()
    if fields.has("emptyDir") and fields.has("hostPath"):
        fields.refuse("hostPath", "may not be there beside emptyDir: a volume has one source")
    if fields.has("hostPath"):
        path = fields.fields("hostPath")
        kind = path.choice("type", HostPathType) or HostPathType.UNSET
        source = HostPath(path.string("path", required=True), kind)
        path.close()
    if fields.has("emptyDir"):
        empty = fields.fields("emptyDir")
        source = EmptyDir(empty.choice("medium", Medium) or Medium.DISK, empty.quantity("sizeLimit"))
        empty.close()
    fields.close(known_fields.VOLUME)
    return Volume(name, source)
