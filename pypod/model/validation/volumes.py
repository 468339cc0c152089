"""The volumes of a spec, and where containers mount them."""

from __future__ import annotations

import dataclasses
import posixpath
from collections.abc import Collection, Mapping

from pypod.errors import UnknownVolumeError
from pypod.model.rules.mounts import MAX_VOLUMES, is_held, keeps_messages
from pypod.model.schema.checking import LARGEST_SIZE, Check
from pypod.model.spec.pod import (
    Container,
    EmptyDir,
    FilesSource,
    HostPath,
    HostPathType,
    Medium,
    MountPropagation,
    NamedFile,
    PodSpec,
    RecursiveReadOnly,
    Volume,
    VolumeMount,
)
from pypod.model.spec.volume_sources import VOLUME_SOURCES
from pypod.model.validation.sources import check_files, check_source
from pypod.model.wording import did_you_mean, show

MOST_IN_FILES = 256 * 1024
"""Bytes, of the files that stand in a spec: what the annotations of a pod may have (`validation.MOST_ANNOTATIONS`)."""


def check_volumes(check: Check, spec: PodSpec) -> dict[str, str]:
    """Checks them, and answers with the names that mounts may use."""
    seen: dict[str, str] = {}
    volumes: object = spec.volumes
    if not isinstance(volumes, list | tuple):
        check.add("spec.volumes", f"a tuple of Volume is expected, not {show(volumes)}")
        return seen
    names = [container.name for container in containers_of(spec)]
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
        count += is_held(volume.source)
        _source(check, path, volume.source, names)
    _count(check, spec, count)
    _size_of_files(check, spec)
    return seen


def _size_of_files(check: Check, spec: PodSpec) -> None:
    """Those that stand in the spec are annotations."""
    given: tuple[object, ...] = spec.volumes
    sources = [volume.source for volume in given if isinstance(volume, Volume)]
    named: list[object] = [
        each for source in sources if isinstance(source, FilesSource) for each in source.files
    ]
    files = [each for each in named if isinstance(each, NamedFile)]
    if (size := sum(_length(file.data) for file in files)) > MOST_IN_FILES:
        message = (
            f"the files of Volume.files may not be more than {MOST_IN_FILES} bytes in all, not {size}: they are part of the "
            "spec; a ConfigMap holds 1 MiB, and pod.copy_to() copies anything"
        )
        check.add("spec.volumes", message)


def _count(check: Check, spec: PodSpec, count: int) -> None:
    """The pause has a mount point for each, and for the messages of the containers."""
    containers = containers_of(spec)
    messages = keeps_messages(dataclasses.replace(spec, init_containers=(), containers=containers))
    most = MAX_VOLUMES - messages
    if count > most:
        why = ", termination messages taking the place of one" if messages else ""
        message = (
            f"{count} volumes are too many: a pod can have {most}, host paths and images not counted{why}"
        )
        check.add("spec.volumes", message)


def containers_of(spec: PodSpec) -> tuple[Container, ...]:
    """Those of a spec that are some."""
    given: tuple[object, ...] = (spec.init_containers, spec.containers)
    return tuple(
        container
        for each in given
        if isinstance(each, list | tuple)
        for container in each
        if isinstance(container, Container)
    )


def _source(check: Check, path: str, source: object, names: Collection[str]) -> None:
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
    elif isinstance(source, FilesSource):
        check_files(check, f"{path}.files", source)
    else:
        name = VOLUME_SOURCES.name_of(source)
        if check.fits(path, VOLUME_SOURCES, source):
            check_source(check, f"{path}.{name}", source, names)


def _size(check: Check, path: str, size: object) -> None:
    if size is not None:
        check.whole(path, size, least=1, most=LARGEST_SIZE, what="a whole number of bytes")


def check_mounts(check: Check, path: str, container: Container, volumes: Mapping[str, str]) -> dict[str, str]:
    """Checks where a container has which volumes.

    Args:
        check: takes the problems.
        path: of the container.
        container: whose mounts they are.
        volumes: the pod's, by name.

    Returns:
        Where in the container something is mounted, and the field that says so.
    """
    seen: dict[str, str] = {}
    privileged = getattr(container.security_context, "privileged", None) is True
    mounts: tuple[object, ...] = container.mounts
    for index, mount in enumerate(mounts):
        where = f"{path}.volumeMounts[{index}]"
        if not isinstance(mount, VolumeMount):
            check.add(where, f"a VolumeMount is expected, not {show(mount)}")
            continue
        name = check.text(f"{where}.name", mount.name)
        if name is not None and name not in volumes and not check.full:
            check.add(f"{where}.name", _unknown_volume(name, volumes), UnknownVolumeError)
        check.is_a(f"{where}.readOnly", mount.read_only, bool, "true or false")
        check_target(check, f"{where}.mountPath", mount.mount_path, seen)
        _how(check, where, mount, privileged=privileged)
    return seen


def _length(data: object) -> int:
    return len(data) if isinstance(data, bytes) else 0


def check_propagation(check: Check, spec: PodSpec) -> None:
    """An engine propagates mounts of its host alone. Asked of a spec with nothing else wrong in it."""
    names = {volume.name for volume in spec.volumes if not isinstance(volume.source, HostPath)}
    for kind, containers in (("initContainers", spec.init_containers), ("containers", spec.containers)):
        for index, container in enumerate(containers):
            for number, mount in enumerate(container.mounts):
                if mount.name in names and mount.mount_propagation is not MountPropagation.NONE:
                    check.add(
                        f"spec.{kind}[{index}].volumeMounts[{number}].mountPropagation",
                        "is for hostPath volumes only: an engine propagates no mounts of other volumes",
                    )


def _how(check: Check, path: str, mount: VolumeMount, *, privileged: bool) -> None:
    """Which part of the volume, and how it is mounted (ValidateVolumeMounts, validateMountPropagation)."""
    part = check.text(f"{path}.subPath", mount.sub_path)
    if part:
        check.relative(f"{path}.subPath", part)
    expression = check.text(f"{path}.subPathExpr", mount.sub_path_expr)
    if expression:
        if part:
            check.add(f"{path}.subPathExpr", "subPathExpr and subPath are mutually exclusive")
        check.relative(f"{path}.subPathExpr", expression)
    propagation = mount.mount_propagation
    if propagation is MountPropagation.BIDIRECTIONAL and not privileged:
        message = "Bidirectional mount propagation is available only to privileged containers"
        check.add(f"{path}.mountPropagation", message)
    if mount.recursive_read_only in (RecursiveReadOnly.IF_POSSIBLE, RecursiveReadOnly.ENABLED):
        if mount.read_only is not True:
            check.add(f"{path}.recursiveReadOnly", "may only be specified when readOnly is true")
        if propagation is not MountPropagation.NONE:
            check.add(f"{path}.recursiveReadOnly", "may only be specified when mountPropagation is None")


def _unknown_volume(name: str, volumes: Mapping[str, str]) -> str:
    if not volumes:
        return f"Not found: {show(name)}; the pod defines no volumes"
    shown = ", ".join(show(volume) for volume in list(volumes)[:10]) + (", ..." if len(volumes) > 10 else "")
    return f"Not found: {show(name)}{did_you_mean(name, volumes)}; the pod defines {shown}"


def check_target(check: Check, path: str, value: object, seen: dict[str, str]) -> None:
    """Checks a path in a container where something is put, and adds it to those that are ``seen``."""
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
