"""Whether a spec can be a pod: every problem at once, under the field's path as Kubernetes spells it.

The rules are Kubernetes' (apimachinery pkg/util/validation, pkg/apis/core/validation), and what an engine would refuse
later. What a Python caller can put anywhere (a number as a name) is a problem here, not a traceback somewhere else.
"""

from __future__ import annotations

import ipaddress
import math
import posixpath
import re
from collections.abc import Mapping

from pypod.errors import (
    InvalidNameError,
    InvalidPortError,
    PortConflictError,
    Problem,
    SpecError,
    UnknownVolumeError,
    spec_error,
)
from pypod.model.annotations import NETWORK
from pypod.model.document_fields import MOST_PROBLEMS
from pypod.model.requests import MAX_VOLUMES
from pypod.model.spec import (
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
from pypod.model.wording import did_you_mean, show

PROTOCOLS = ("TCP", "UDP", "SCTP")
LARGEST_SIZE = 2**63 - 1

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_QUALIFIED = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
_ENV_NAME = re.compile(r"[ -<>-~]+")
_PORT_NAME = re.compile(r"(?=.*[a-z])[a-z0-9]+(-[a-z0-9]+)*")
_IMAGE = re.compile(
    r"(?:(?:[A-Za-z0-9][A-Za-z0-9.-]*|\[[0-9A-Fa-f:]+\])(?::[0-9]+)?/)?"
    r"[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*)*"
    r"(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@[A-Za-z][A-Za-z0-9+._-]*:[0-9A-Fa-f]{32,})?"
)

LABEL_RULE = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end"
    " with an alphanumeric character (e.g. 'my-name', or '123-abc')"
)
SUBDOMAIN_RULE = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start"
    " and end with an alphanumeric character (e.g. 'example.com')"
)
QUALIFIED_RULE = (
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character"
    " (e.g. 'MyName', or 'my.name')"
)
ENV_RULE = "an environment variable name must consist only of printable ASCII characters other than '='"
PORT_NAME_RULE = (
    "must be no more than 15 lower case alphanumeric characters or '-', with at least one letter, and '-' neither at"
    " an end nor beside another (e.g. 'http')"
)
IMAGE_RULE = (
    "is not an image reference; [registry[:port]/]name[:tag][@digest] is expected, the name in lower case and"
    " without spaces"
)


def validate(spec: PodSpec) -> None:
    """Refuses a spec that cannot be a pod.

    Raises:
        SpecError: with every problem; of the problems' own class where they all share one (`InvalidNameError`,
            `InvalidPortError`, `PortConflictError`, `UnknownVolumeError`).
    """
    if found := problems(spec):
        raise spec_error(f"pod {_quoted(spec.name)}", found)


def problems(spec: PodSpec) -> list[Problem]:
    """What is wrong with a spec, in its order; not more than anybody reads."""
    check = _Check()
    _pod(check, spec)
    volumes = _volumes(check, spec.volumes)
    _containers(check, spec.containers, volumes)
    return check.problems


def _quoted(name: object) -> str:
    return f"'{name[:253]}'" if isinstance(name, str) else repr(name)[:80]


class _Check:
    """The problems so far, and the checks that many fields share.

    Values are ``object`` here: the annotations of a spec are what its maker promised, not what he passed.
    """

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    @property
    def full(self) -> bool:
        return len(self.problems) >= MOST_PROBLEMS

    def add(self, path: str, message: str, error: type[SpecError] = SpecError) -> None:
        if not self.full:
            self.problems.append(Problem(path, message, error))

    def is_a(self, path: str, value: object, kind: type, what: str) -> bool:
        if isinstance(value, kind):
            return True
        self.add(path, f"{what} is expected, not {show(value)}")
        return False

    def text(self, path: str, value: object, error: type[SpecError] = SpecError) -> str | None:
        """The value where it is a string that an engine can be given, else None."""
        if not isinstance(value, str):
            self.add(path, f"a string is expected, not {show(value)}", error)
        elif "\0" in value:
            self.add(path, "may not contain a NUL character", error)
        elif not _is_unicode(value):
            self.add(path, "may not contain half of a surrogate pair", error)
        else:
            return value
        return None

    def name(self, path: str, value: object, *, subdomain: bool = False) -> str | None:
        """The value where it is a DNS label (or subdomain), else None."""
        text = self.text(path, value, InvalidNameError)
        if text is None:
            return None
        pattern, rule, most = (_SUBDOMAIN, SUBDOMAIN_RULE, 253) if subdomain else (_LABEL, LABEL_RULE, 63)
        if not text:
            self.add(path, f"is required: {rule}", InvalidNameError)
        elif len(text) > most:
            message = f"{show(text)} is not valid: must be no more than {most} characters, not {len(text)}"
            self.add(path, message, InvalidNameError)
        elif not pattern.fullmatch(text):
            self.add(path, f"{show(text)} is not valid: {rule}", InvalidNameError)
        else:
            return text
        return None

    def unique(self, path: str, name: str | None, seen: dict[str, str]) -> None:
        if name is None:
            return
        if name in seen:
            self.add(
                path, f"Duplicate value: {show(name)} is the name at {seen[name]} already", InvalidNameError
            )
        seen.setdefault(name, path)


def _is_unicode(text: str) -> bool:
    return not any("\ud800" <= char <= "\udfff" for char in text) if not text.isascii() else True


# --- the pod ---------------------------------------------------------------------------------------------------------


def _pod(check: _Check, spec: PodSpec) -> None:
    check.name("metadata.name", spec.name, subdomain=True)
    check.name("metadata.namespace", spec.namespace)
    _labels(check, spec.labels)
    if spec.network != "":
        check.name(f"metadata.annotations[{NETWORK}]", spec.network)
    if spec.hostname != "":
        check.name("spec.hostname", spec.hostname)
    check.is_a("spec.restartPolicy", spec.restart_policy, RestartPolicy, "a RestartPolicy")
    check.is_a("spec.shareProcessNamespace", spec.share_process_namespace, bool, "true or false")
    _grace(check, spec.termination_grace_period_seconds)


def _labels(check: _Check, labels: object) -> None:
    if not isinstance(labels, Mapping):
        check.add("metadata.labels", f"a mapping is expected, not {show(labels)}")
        return
    for key, value in labels.items():
        path = f"metadata.labels[{str(key)[:320]}]"
        if (name := check.text(path, key)) is not None:
            _label_key(check, path, name)
        text = check.text(path, value)
        if text and (len(text) > 63 or not _QUALIFIED.fullmatch(text)):
            rule = f"a label's value may be empty, else it is no more than 63 characters and {QUALIFIED_RULE}"
            check.add(path, f"the value {show(text)} is not valid: {rule}")


def _label_key(check: _Check, path: str, key: str) -> None:
    prefix, slash, name = key.rpartition("/")
    if slash and (len(prefix) > 253 or not _SUBDOMAIN.fullmatch(prefix)):
        rule = f"before '/' no more than 253 characters; {SUBDOMAIN_RULE}"
        check.add(path, f"the label key {show(key)} is not valid: {rule}")
    elif len(name) > 63 or not _QUALIFIED.fullmatch(name):
        rule = f"its name is no more than 63 characters and {QUALIFIED_RULE}"
        check.add(path, f"the label key {show(key)} is not valid: {rule}")


def _grace(check: _Check, seconds: object) -> None:
    path = "spec.terminationGracePeriodSeconds"
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        check.add(path, f"a number of seconds is expected, not {show(seconds)}")
    elif not (math.isfinite(seconds) and 0 <= seconds <= LARGEST_SIZE):
        check.add(path, f"must be 0 or more, not {seconds:g}")


# --- volumes ---------------------------------------------------------------------------------------------------------


def _volumes(check: _Check, volumes: object) -> dict[str, str]:
    """Checks them, and answers with the names that mounts may use."""
    seen: dict[str, str] = {}
    if not isinstance(volumes, list | tuple):
        check.add("spec.volumes", f"a tuple of Volume is expected, not {show(volumes)}")
        return seen
    count = 0
    for index, volume in enumerate(volumes):
        path = f"spec.volumes[{index}]"
        if not isinstance(volume, Volume):
            check.add(path, f"a Volume is expected, not {show(volume)}")
            continue
        name = check.name(f"{path}.name", volume.name)
        check.unique(f"{path}.name", name, seen)
        if name is None and isinstance(volume.name, str):
            seen.setdefault(volume.name, f"{path}.name")
        count += isinstance(volume.source, EmptyDir)
        _source(check, path, volume.source)
    if count > MAX_VOLUMES:
        check.add("spec.volumes", f"{count} emptyDir volumes are too many: a pod can have {MAX_VOLUMES}")
    return seen


def _source(check: _Check, path: str, source: object) -> None:
    if isinstance(source, EmptyDir):
        check.is_a(f"{path}.emptyDir.medium", source.medium, Medium, "a Medium")
        _size(check, f"{path}.emptyDir.sizeLimit", source.size_limit)
    elif isinstance(source, HostPath):
        check.is_a(f"{path}.hostPath.type", source.type, HostPathType, "a HostPathType")
        host_path = check.text(f"{path}.hostPath.path", source.path)
        if host_path is None:
            return
        if not host_path.startswith("/"):
            check.add(
                f"{path}.hostPath.path", f"{show(host_path)} must be an absolute path of the engine's host"
            )
        elif ".." in host_path.split("/"):
            check.add(f"{path}.hostPath.path", f"{show(host_path)} must not contain '..'")
    else:
        check.add(path, f"an EmptyDir or a HostPath is expected, not {show(source)}")


def _size(check: _Check, path: str, size: object) -> None:
    if size is None:
        return
    if isinstance(size, bool) or not isinstance(size, int):
        check.add(path, f"a whole number of bytes is expected, not {show(size)}")
    elif not 0 < size <= LARGEST_SIZE:
        check.add(path, f"must be between 1 and {LARGEST_SIZE} bytes, not {show(size)}")


# --- containers ------------------------------------------------------------------------------------------------------


def _containers(check: _Check, containers: object, volumes: Mapping[str, str]) -> None:
    if not isinstance(containers, list | tuple):
        check.add("spec.containers", f"a tuple of Container is expected, not {show(containers)}")
        return
    if not containers:
        check.add("spec.containers", "at least one container is required")
    names: dict[str, str] = {}
    ports = _Ports(check)
    for index, container in enumerate(containers):
        path = f"spec.containers[{index}]"
        if not isinstance(container, Container):
            check.add(path, f"a Container is expected, not {show(container)}")
            continue
        check.unique(f"{path}.name", check.name(f"{path}.name", container.name), names)
        _container(check, path, container)
        ports.declare(path, container)
        _mounts(check, path, container.mounts, volumes)


def _container(check: _Check, path: str, container: Container) -> None:
    image = check.text(f"{path}.image", container.image)
    if image == "":
        check.add(f"{path}.image", "is required: an image reference, as 'docker pull' takes it")
    elif image is not None and (len(image) > 1024 or not _IMAGE.fullmatch(image)):
        check.add(f"{path}.image", f"{show(image)} {IMAGE_RULE}")
    for what, words in (("command", container.command), ("args", container.args)):
        for index, word in enumerate(words):
            check.text(f"{path}.{what}[{index}]", word)
    _env(check, f"{path}.env", container.env)
    directory = check.text(f"{path}.workingDir", container.working_dir)
    if directory and not directory.startswith("/"):
        check.add(f"{path}.workingDir", f"{show(directory)} must be an absolute path")
    user = check.text(f"{path}.user", container.user)
    if user and re.search(r"\s", user):
        check.add(f"{path}.user", f"{show(user)} is not valid: uid[:gid] or a name is expected")
    if container.image_pull_policy is not None:
        check.is_a(f"{path}.imagePullPolicy", container.image_pull_policy, PullPolicy, "a PullPolicy")
    check.is_a(f"{path}.ownPid", container.own_pid, bool, "True or False")


def _env(check: _Check, path: str, env: Mapping[str, str]) -> None:
    for index, (name, value) in enumerate(env.items()):
        text = check.text(f"{path}[{index}].name", name)
        if text == "":
            check.add(f"{path}[{index}].name", f"is required: {ENV_RULE}")
        elif text is not None and not _ENV_NAME.fullmatch(text):
            check.add(f"{path}[{index}].name", f"{show(text)} is not valid: {ENV_RULE}")
        check.text(f"{path}[{index}].value", value)


def _mounts(check: _Check, container: str, mounts: tuple[object, ...], volumes: Mapping[str, str]) -> None:
    seen: dict[str, str] = {}
    for index, mount in enumerate(mounts):
        path = f"{container}.volumeMounts[{index}]"
        if not isinstance(mount, VolumeMount):
            check.add(path, f"a VolumeMount is expected, not {show(mount)}")
            continue
        name = check.text(f"{path}.name", mount.name)
        if name is not None and name not in volumes and not check.full:
            check.add(f"{path}.name", _unknown_volume(name, volumes), UnknownVolumeError)
        check.is_a(f"{path}.readOnly", mount.read_only, bool, "true or false")
        _mount_path(check, f"{path}.mountPath", mount.mount_path, seen)


def _unknown_volume(name: str, volumes: Mapping[str, str]) -> str:
    if not volumes:
        return f"Not found: {show(name)}; the pod defines no volumes"
    shown = ", ".join(show(volume) for volume in list(volumes)[:10]) + (", ..." if len(volumes) > 10 else "")
    return f"Not found: {show(name)}{did_you_mean(name, volumes)}; the pod defines {shown}"


def _mount_path(check: _Check, path: str, value: object, seen: dict[str, str]) -> None:
    text = check.text(path, value)
    if text is None:
        return
    if not text.startswith("/"):
        check.add(path, f"{show(text)} must be an absolute path in the container" if text else "is required")
        return
    if ":" in text:
        check.add(path, f"{show(text)} must not contain ':'")
    target = posixpath.normpath(text).replace("//", "/")
    if target == "/":
        check.add(path, f"{show(text)} is the container's whole file system: a directory in it is expected")
    if target in seen:
        check.add(path, f"Duplicate value: {show(text)} is the path at {seen[target]} already")
    seen.setdefault(target, path)


class _Ports:
    """A pod has one port space, and its engine's host another one."""

    def __init__(self, check: _Check) -> None:
        self._check = check
        self._declared: dict[tuple[int, str], str] = {}
        self._published: dict[tuple[int, str], dict[str, str]] = {}

    def declare(self, container: str, declared: Container) -> None:
        names: dict[str, str] = {}
        for index, port in enumerate(declared.ports):
            path = f"{container}.ports[{index}]"
            protocol = self._protocol(f"{path}.protocol", port)
            number = self._number(f"{path}.containerPort", port.container_port, least=1)
            host_ip = self._host_ip(f"{path}.hostIP", port.host_ip)
            self._name(f"{path}.name", port.name, names)
            if number is not None and protocol is not None:
                self._once(f"{path}.containerPort", number, protocol)
            if port.host_port is None:
                continue
            published = self._number(f"{path}.hostPort", port.host_port, least=0)
            if published and protocol is not None and host_ip is not None:
                self._publish(f"{path}.hostPort", published, protocol, host_ip)

    def _protocol(self, path: str, port: ContainerPort) -> str | None:
        if port.protocol in PROTOCOLS:
            return port.protocol
        self._check.add(
            path, f"{show(port.protocol)} is not supported; one of 'TCP', 'UDP', 'SCTP' is expected"
        )
        return None

    def _number(self, path: str, value: object, *, least: int) -> int | None:
        if isinstance(value, int) and not isinstance(value, bool) and least <= value <= 65535:
            return value
        message = f"a number between {least} and 65535 is expected, not {show(value)}"
        self._check.add(path, message, InvalidPortError)
        return None

    def _host_ip(self, path: str, value: object) -> str | None:
        """The address; empty for all of them."""
        text = self._check.text(path, value)
        if not text:
            return text
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            self._check.add(
                path, f"{show(text)} is not valid: an IP address of the engine's host is expected"
            )
            return None
        return "" if address.is_unspecified else str(address)

    def _name(self, path: str, value: object, seen: dict[str, str]) -> None:
        name = self._check.text(path, value, InvalidNameError)
        if not name:
            return
        if len(name) > 15 or not _PORT_NAME.fullmatch(name):
            self._check.add(path, f"{show(name)} is not valid: {PORT_NAME_RULE}", InvalidNameError)
        else:
            self._check.unique(path, name, seen)

    def _once(self, path: str, number: int, protocol: str) -> None:
        other = self._declared.setdefault((number, protocol), path)
        if other != path:
            message = f"{number}/{protocol} is declared at {other} already; a pod has one port space"
            self._check.add(path, message, PortConflictError)

    def _publish(self, path: str, number: int, protocol: str, host_ip: str) -> None:
        others = self._published.setdefault((number, protocol), {})
        other = (
            others.get(host_ip) or others.get("") or (next(iter(others.values()), "") if not host_ip else "")
        )
        if other:
            message = f"{number}/{protocol} of the engine's host is asked for at {other} already"
            self._check.add(path, message, PortConflictError)
        others.setdefault(host_ip, path)
