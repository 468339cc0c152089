"""A spec as a Kubernetes v1 Pod document (plain dicts, lists and scalars), and back, strictly.

What Kubernetes has no field for stands in annotations ``io.pypod/...``. Reading refuses by name, and all at once, what it
would not do: unknown fields, known ones that are not supported yet, and values of another type than the field's.

``$(NAME)`` in ``command``, ``args`` and an env ``value`` is expanded while reading, as a kubelet does it; the spec holds
what the container gets. Writing doubles the ``$`` of what would be taken for a reference.
"""

from __future__ import annotations

import difflib
import enum
import json
import math
import re
from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import TypeVar

from pypod.errors import ManifestError, Problem
from pypod.model.spec import (
    DEFAULT_GRACE,
    Container,
    ContainerPort,
    EmptyDir,
    HostPath,
    HostPathType,
    Medium,
    PodSpec,
    PullPolicy,
    RestartPolicy,
    Volume,
    VolumeMount,
)

ROOT = "document"
"""The path of a problem that the whole document has."""

PREFIX = "io.pypod/"
OWN_PID = f"{PREFIX}own-pid"
"""Names of the containers that stay out of a shared PID space, comma between them."""
NETWORK = f"{PREFIX}network"
USERS = f"{PREFIX}users"
"""A JSON object, container name to `Container.user`: Kubernetes knows users by number only."""
GRACE = f"{PREFIX}termination-grace-period-seconds"
"""Only for a grace period that is not a whole number of seconds, which Kubernetes' field cannot say."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Fields of the Kubernetes v1 Pod (1.36) that are not supported yet.
_KNOWN_ROOT = frozenset({"status"})
_KNOWN_METADATA = _words(
    "creationTimestamp deletionGracePeriodSeconds deletionTimestamp finalizers generateName generation managedFields"
    " ownerReferences resourceVersion selfLink uid"
)
_KNOWN_SPEC = _words(
    "activeDeadlineSeconds affinity automountServiceAccountToken dnsConfig dnsPolicy enableServiceLinks"
    " ephemeralContainers hostAliases hostIPC hostNetwork hostPID hostUsers hostnameOverride imagePullSecrets"
    " initContainers nodeName nodeSelector os overhead preemptionPolicy priority priorityClassName readinessGates"
    " resourceClaims resources runtimeClassName schedulerName schedulingGates schedulingGroup securityContext"
    " serviceAccount serviceAccountName setHostnameAsFQDN subdomain tolerations topologySpreadConstraints"
    " workloadRef"
)
_KNOWN_CONTAINER = _words(
    "envFrom lifecycle livenessProbe readinessProbe resizePolicy resources restartPolicy restartPolicyRules"
    " securityContext startupProbe stdin stdinOnce terminationMessagePath terminationMessagePolicy tty"
    " volumeDevices"
)
_KNOWN_ENV = frozenset({"valueFrom"})
_KNOWN_MOUNT = frozenset({"mountPropagation", "recursiveReadOnly", "subPath", "subPathExpr"})
_KNOWN_VOLUME = _words(
    "awsElasticBlockStore azureDisk azureFile cephfs cinder configMap csi downwardAPI ephemeral fc flexVolume flocker"
    " gcePersistentDisk gitRepo glusterfs image iscsi nfs persistentVolumeClaim photonPersistentDisk portworxVolume"
    " projected quobyte rbd scaleIO secret storageos vsphereVolume"
)
_SAYS_NOTHING_WHEN_EMPTY = frozenset({"status", "resources", "securityContext", "nodeSelector", "affinity"})

MOST_PROBLEMS = 100
"""That are reported at once."""
_MOST_BYTES = 128 * 1024
"""Of one argument or environment string: what Linux takes (MAX_ARG_STRLEN). Bounds what references can blow up."""

EnumT = TypeVar("EnumT", bound=enum.Enum)


# --- writing ---------------------------------------------------------------------------------------------------------


def to_document(spec: PodSpec) -> dict[str, object]:
    """The spec as a Kubernetes v1 Pod. ``shareProcessNamespace`` is always written: the two defaults differ."""
    metadata: dict[str, object] = {"name": spec.name, "namespace": spec.namespace}
    if spec.labels:
        metadata["labels"] = dict(spec.labels)
    if annotations := _annotations(spec):
        metadata["annotations"] = annotations
    body: dict[str, object] = {"containers": [_container(container) for container in spec.containers]}
    if spec.volumes:
        body["volumes"] = [_volume(volume) for volume in spec.volumes]
    if spec.restart_policy is not RestartPolicy.ALWAYS:
        body["restartPolicy"] = spec.restart_policy.value
    body["shareProcessNamespace"] = spec.share_process_namespace
    if spec.termination_grace_period_seconds != DEFAULT_GRACE:
        body["terminationGracePeriodSeconds"] = math.ceil(spec.termination_grace_period_seconds)
    if spec.hostname:
        body["hostname"] = spec.hostname
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": body}


def _annotations(spec: PodSpec) -> dict[str, str]:
    found = {}
    if own_pid := [container.name for container in spec.containers if container.own_pid]:
        found[OWN_PID] = ",".join(own_pid)
    if spec.network:
        found[NETWORK] = spec.network
    if users := {container.name: container.user for container in spec.containers if container.user}:
        found[USERS] = json.dumps(users, ensure_ascii=False)
    if spec.termination_grace_period_seconds != math.ceil(spec.termination_grace_period_seconds):
        found[GRACE] = repr(float(spec.termination_grace_period_seconds))
    return found


def _container(container: Container) -> dict[str, object]:
    found: dict[str, object] = {"name": container.name, "image": container.image}
    if container.command:
        found["command"] = [_escape(word) for word in container.command]
    if container.args:
        found["args"] = [_escape(word) for word in container.args]
    if container.env:
        found["env"] = [{"name": name, "value": _escape(value)} for name, value in container.env.items()]
    if container.ports:
        found["ports"] = [_port(port) for port in container.ports]
    if container.mounts:
        found["volumeMounts"] = [_mount(mount) for mount in container.mounts]
    if container.working_dir:
        found["workingDir"] = container.working_dir
    if container.image_pull_policy is not None:
        found["imagePullPolicy"] = container.image_pull_policy.value
    return found


def _port(port: ContainerPort) -> dict[str, object]:
    found: dict[str, object] = {"containerPort": port.container_port}
    if port.host_port is not None:
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
        source["sizeLimit"] = str(volume.source.size_limit)
    return {"name": volume.name, "emptyDir": source}


# --- reading ---------------------------------------------------------------------------------------------------------


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


def read_document(document: object, lines: Mapping[str, int]) -> tuple[PodSpec | None, list[Problem]]:
    """As `from_document`, without raising: what could be read, and every problem in it."""
    reader = _Reader(lines)
    return _read(reader, document), reader.problems


def line_of(lines: Mapping[str, int], path: str) -> int:
    """The line of a field, or of the nearest thing around it that has one; 0 where nothing is known."""
    while path not in lines:
        cut = max(path.rfind("."), path.rfind("["))
        if cut < 0:
            return lines.get(ROOT, 0)
        path = path[:cut]
    return lines[path]


class _Reader:
    """What goes wrong on the way."""

    def __init__(self, lines: Mapping[str, int]) -> None:
        self.lines = lines
        self.problems: list[Problem] = []

    @property
    def full(self) -> bool:
        """More problems than anybody reads. Nothing more is looked for, so that hostile input costs little."""
        return len(self.problems) >= MOST_PROBLEMS

    def refuse(self, path: str, message: str) -> None:
        if not self.full:
            self.problems.append(Problem(path, message, ManifestError, line_of(self.lines, path)))


class _Fields:
    """The fields of one mapping. Asking for a field makes it a supported one; `close` refuses the rest by name.

    A field that is null is one that is not there, as in Kubernetes.
    """

    def __init__(self, reader: _Reader, path: str, value: object) -> None:
        self._reader = reader
        self.path = path
        self._asked: set[str] = set()
        self._values: dict[object, object] = {}
        if isinstance(value, Mapping):
            self._values = {name: item for name, item in value.items() if item is not None}
        else:
            reader.refuse(path or ROOT, f"a mapping of fields is expected, not {show(value)}")
        self.usable = isinstance(value, Mapping)

    def at(self, name: str) -> str:
        """The path of a field."""
        name = name if len(name) <= 80 else name[:77] + "..."
        return f"{self.path}.{name}" if self.path else name

    def refuse(self, name: str, message: str) -> None:
        self._reader.refuse(self.at(name), message)

    def has(self, name: str) -> bool:
        self._asked.add(name)
        return name in self._values

    def raw(self, name: str) -> object:
        self._asked.add(name)
        return self._values.get(name)

    def string(self, name: str, default: str = "", *, required: bool = False) -> str:
        value = self.raw(name)
        if value is None:
            if required and self.usable:
                self.refuse(name, "is required")
            return default
        return text(self._reader, self.at(name), value, default)

    def integer(self, name: str) -> int | None:
        value = self.raw(name)
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        if value is not None:
            self.refuse(name, f"a whole number is expected, not {show(value)}")
        return None

    def boolean(self, name: str, *, default: bool = False) -> bool:
        value = self.raw(name)
        if isinstance(value, bool):
            return value
        if value is not None:
            self.refuse(name, f"true or false is expected, not {show(value)}")
        return default

    def choice(self, name: str, kind: type[EnumT]) -> EnumT | None:
        """A word out of an enumeration; None where the field is absent, empty or wrong."""
        value = self.string(name)
        if not value:
            return None
        try:
            return kind(value)
        except ValueError:
            words = ", ".join(f"'{member.value}'" for member in kind if member.value)
            self.refuse(name, f"{show(value)} is not supported; one of {words} is expected")
            return None

    def items(self, name: str) -> list[tuple[str, object]]:
        """The items of a list, each with its path."""
        value = self.raw(name)
        if isinstance(value, list | tuple):
            return [(f"{self.at(name)}[{index}]", item) for index, item in enumerate(value)]
        if value is not None:
            self.refuse(name, f"a list is expected, not {show(value)}")
        return []

    def strings(self, name: str) -> tuple[str, ...]:
        return tuple(text(self._reader, path, item) for path, item in self.items(name))

    def fields(self, name: str) -> _Fields:
        """The fields of a mapping in this one; none where it is absent."""
        value = self.raw(name)
        return _Fields(self._reader, self.at(name), {} if value is None else value)

    def many(self, name: str) -> list[_Fields]:
        """The fields of each mapping of a list."""
        return [_Fields(self._reader, path, item) for path, item in self.items(name)]

    def text_mapping(self, name: str) -> dict[str, str]:
        """A mapping of strings to strings: labels, annotations."""
        value = self.raw(name)
        if value is None:
            return {}
        if not isinstance(value, Mapping):
            self.refuse(name, f"a mapping is expected, not {show(value)}")
            return {}
        found = {}
        for key, item in value.items():
            path = f"{self.at(name)}[{str(key)[:320]}]"
            if not isinstance(key, str):
                self._reader.refuse(path, f"a name that is a string is expected, not {show(key)}")
            else:
                found[key] = "" if item is None else text(self._reader, path, item)
        return found

    def close(self, known: frozenset[str] = frozenset()) -> None:
        """Refuses every field that was not asked for."""
        for name, value in self._values.items():
            if self._reader.full:
                return
            if name in self._asked:
                continue
            if not isinstance(name, str):
                self._reader.refuse(self.at(show(name)), "a field name that is a string is expected")
            elif name not in known:
                self.refuse(name, "unknown field" + did_you_mean(name, self._asked | known))
            elif not _says_nothing(name, value):
                self.refuse(name, "is not supported yet")


def _says_nothing(name: str, value: object) -> bool:
    return value == [] or (name in _SAYS_NOTHING_WHEN_EMPTY and value == {})


def text(reader: _Reader, path: str, value: object, default: str = "") -> str:
    """The value as a string field takes it: strings alone, nothing is turned into one."""
    if isinstance(value, str):
        return value
    hint = " (in quotes it is one)" if isinstance(value, bool | int | float) else ""
    reader.refuse(path, f"a string is expected, not {show(value)}{hint}")
    return default


def show(value: object) -> str:
    """A value in a message: short, and with its kind."""
    if isinstance(value, str):
        return repr(value if len(value) <= 80 else value[:77] + "...")
    if isinstance(value, bool):
        return f"the boolean {'true' if value else 'false'}"
    if isinstance(value, int):
        return f"the number {value}" if value.bit_length() < 256 else "a very large number"
    if isinstance(value, float):
        return f"the number {value}"
    if value is None:
        return "null"
    if isinstance(value, Mapping):
        return "a mapping"
    return "a list" if isinstance(value, list | tuple) else f"a {type(value).__name__}"


def did_you_mean(name: str, candidates: Iterable[str]) -> str:
    """``, did you mean 'x'?``, or nothing where nothing is near."""
    by_lower = {candidate.lower(): candidate for candidate in sorted(candidates)[:100]}
    near = difflib.get_close_matches(name[:80].lower(), by_lower, n=1)
    return f", did you mean '{by_lower[near[0]]}'?" if near else ""


def _read(reader: _Reader, document: object) -> PodSpec | None:
    root = _Fields(reader, "", document)
    if not root.usable or not _is_pod(root):
        return None
    metadata = root.fields("metadata")
    name = metadata.string("name", required=True)
    namespace = metadata.string("namespace") or "default"
    labels = metadata.text_mapping("labels")
    annotations = _Annotations(reader, metadata)
    metadata.close(_KNOWN_METADATA)
    if not root.has("spec"):
        root.refuse("spec", "is required")
    body = root.fields("spec")
    volumes = tuple(_read_volume(fields) for fields in body.many("volumes"))
    if root.has("spec") and body.usable and not body.has("containers"):
        body.refuse("containers", "is required")
    containers = tuple(_read_container(fields, annotations) for fields in body.many("containers"))
    grace = body.integer("terminationGracePeriodSeconds")
    spec = PodSpec(
        name=name,
        containers=containers,
        volumes=volumes,
        namespace=namespace,
        labels=labels,
        restart_policy=body.choice("restartPolicy", RestartPolicy) or RestartPolicy.ALWAYS,
        share_process_namespace=body.boolean("shareProcessNamespace"),
        hostname=body.string("hostname"),
        termination_grace_period_seconds=annotations.grace(DEFAULT_GRACE if grace is None else grace),
        network=annotations.network,
    )
    body.close(_KNOWN_SPEC)
    root.close(_KNOWN_ROOT)
    annotations.close({container.name for container in containers})
    return spec


def _is_pod(root: _Fields) -> bool:
    """Of another kind nothing more is said: its fields are not a Pod's."""
    kind, version = root.string("kind", required=True), root.string("apiVersion", required=True)
    if kind and kind != "Pod":
        root.refuse(
            "kind", f"{show(kind)} is not supported yet; 'Pod' is expected{did_you_mean(kind, ['Pod'])}"
        )
    elif version and version != "v1":
        root.refuse("apiVersion", f"{show(version)} is not supported; a Pod is of 'v1'")
    return kind == "Pod" and version == "v1"


class _Annotations:
    """What pypod keeps where Kubernetes has no field."""

    def __init__(self, reader: _Reader, metadata: _Fields) -> None:
        self._reader = reader
        self._path = metadata.at("annotations")
        self._values = metadata.text_mapping("annotations")
        own_pid = (name.strip() for name in self._values.get(OWN_PID, "").split(","))
        self.own_pid = dict.fromkeys(name for name in own_pid if name)
        self.network = self._values.get(NETWORK, "")
        self.users = self._users()

    def _refuse(self, name: str, message: str) -> None:
        self._reader.refuse(f"{self._path}[{name[:320]}]", message)

    def _users(self) -> dict[str, str]:
        given = self._values.get(USERS)
        if given is None:
            return {}
        try:
            value = json.loads(given)
        except (ValueError, RecursionError):
            value = None
        if isinstance(value, dict) and all(isinstance(user, str) for user in value.values()):
            return value
        self._refuse(USERS, f"a JSON object of container name to user is expected, not {show(given)}")
        return {}

    def grace(self, default: float) -> float:
        """The grace period in full, where the field next to it holds it rounded up."""
        given = self._values.get(GRACE)
        if given is None:
            return default
        try:
            value = float(given)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            self._refuse(GRACE, f"a number of seconds is expected, not {show(given)}")
            return default
        if math.ceil(value) != default:
            self._refuse(GRACE, f"{show(given)} is not what terminationGracePeriodSeconds says, {default:g}")
        return value

    def close(self, containers: set[str]) -> None:
        """Refuses what means nothing: foreign annotations, and those of pypod about containers that are not there."""
        ours = (OWN_PID, NETWORK, USERS, GRACE)
        for name in self._values:
            if not name.startswith(PREFIX):
                self._refuse(name, f"is not supported yet; only annotations {PREFIX}* are")
            elif name not in ours:
                self._refuse(name, "unknown annotation" + did_you_mean(name, ours))
        for annotation, names in ((OWN_PID, self.own_pid), (USERS, self.users)):
            for name in names:
                if name not in containers and not self._reader.full:
                    self._refuse(
                        annotation, f"there is no container {show(name)}{did_you_mean(name, containers)}"
                    )


def _read_container(fields: _Fields, annotations: _Annotations) -> Container:
    name = fields.string("name", required=True)
    env = _read_env(fields)
    container = Container(
        name,
        fields.string("image", required=True),
        command=_expanded(fields, "command", env),
        args=_expanded(fields, "args", env),
        env=env,
        ports=[_read_port(port) for port in fields.many("ports")],
        mounts=[_read_mount(mount) for mount in fields.many("volumeMounts")],
        working_dir=fields.string("workingDir"),
        user=annotations.users.get(name, ""),
        image_pull_policy=fields.choice("imagePullPolicy", PullPolicy),
        own_pid=name in annotations.own_pid,
    )
    fields.close(_KNOWN_CONTAINER)
    return container


def _read_env(container: _Fields) -> dict[str, str]:
    """In order: a value refers to those before it. Of two with the same name the last one holds, as in Kubernetes."""
    env: dict[str, str] = {}
    for fields in container.many("env"):
        name = fields.string("name", required=True)
        env[name] = _expand(fields, "value", fields.string("value"), env)
        fields.close(_KNOWN_ENV)
    return env


def _expanded(fields: _Fields, name: str, env: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(_expand(fields, f"{name}[{i}]", word, env) for i, word in enumerate(fields.strings(name)))


def _read_port(fields: _Fields) -> ContainerPort:
    number = fields.integer("containerPort")
    if fields.usable and not fields.has("containerPort"):
        fields.refuse("containerPort", "is required")
    port = ContainerPort(
        container_port=number or 0,
        host_port=fields.integer("hostPort"),
        host_ip=fields.string("hostIP"),
        protocol=fields.string("protocol") or "TCP",
        name=fields.string("name"),
    )
    fields.close()
    return port


def _read_mount(fields: _Fields) -> VolumeMount:
    mount = VolumeMount(
        fields.string("name", required=True),
        fields.string("mountPath", required=True),
        read_only=fields.boolean("readOnly"),
    )
    fields.close(_KNOWN_MOUNT)
    return mount


def _read_volume(fields: _Fields) -> Volume:
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
        source = EmptyDir(empty.choice("medium", Medium) or Medium.DISK, _read_size(empty))
        empty.close()
    fields.close(_KNOWN_VOLUME)
    return Volume(name, source)


def _read_size(fields: _Fields) -> int | None:
    value = fields.raw("sizeLimit")
    if value is None:
        return None
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        try:
            return parse_quantity(str(value))
        except ValueError as exc:
            fields.refuse("sizeLimit", str(exc))
            return None
    fields.refuse("sizeLimit", f"a quantity like '64Mi' is expected, not {show(value)}")
    return None


# --- quantities ------------------------------------------------------------------------------------------------------

_QUANTITY = re.compile(
    r"(?P<sign>[+-]?)(?P<whole>[0-9]*)(?:\.(?P<part>[0-9]*))?"
    r"(?P<suffix>n|u|m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei|[eE][+-]?[0-9]+)?"
)
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}


def parse_quantity(quantity: str) -> int:
    """A Kubernetes quantity as a whole number, rounded away from zero.

    Source: apimachinery pkg/api/resource/quantity.go, ParseQuantity and Value.

    Raises:
        ValueError: when it is none.
    """
    match = _QUANTITY.fullmatch(quantity) if len(quantity) <= 100 else None
    if match is None or not (match["whole"] or match["part"]):
        raise ValueError(
            f"{show(quantity)} is no quantity; digits with a suffix like '64Mi', '1.5G' or '1e6' are"
        )
    suffix, part = match["suffix"] or "", match["part"] or ""
    digits = int((match["whole"] or "") + part)
    if suffix in _BINARY:
        scale = Fraction(2 ** _BINARY[suffix])
    else:
        # No number of 100 digits comes back into range past these bounds, and 10**exponent stays small.
        exponent = _DECIMAL[suffix] if suffix in _DECIMAL else int(suffix[1:])
        power = max(-200, min(200, exponent))
        scale = Fraction(10**power) if power >= 0 else Fraction(1, 10**-power)
    size = math.ceil(digits * scale * Fraction(1, 10 ** len(part)))
    return -size if match["sign"] == "-" else size


# --- references ------------------------------------------------------------------------------------------------------

_REFERENCE = re.compile(r"\$(?:\$|\(([^)]*)\))")


def _escape(value: str) -> str:
    """So that expanding gives the value again."""
    return re.sub(r"\$(?=[$(])", "$$", value)


def _expand(fields: _Fields, name: str, value: str, env: Mapping[str, str]) -> str:
    """``$(NAME)`` is the variable, or stays where there is none of that name; ``$$`` is ``$``.

    Source: third_party/forked/golang/expansion/expand.go.
    """
    # A "$(" past the last ")" refers to nothing; looking there for its end each time would take quadratic time.
    last = value.rfind(")") + 1
    parts, size, at = [], 0, 0
    for match in _REFERENCE.finditer(value, 0, last):
        variable = match[1]
        found = "$" if variable is None else env.get(variable, match[0])
        parts += [value[at : match.start()], found]
        size += len(found)
        at = match.end()
        if size > _MOST_BYTES:
            fields.refuse(name, f"is longer than {_MOST_BYTES} bytes with its references expanded")
            return ""
    parts += [value[at:last], value[last:].replace("$$", "$")]
    return "".join(parts)
