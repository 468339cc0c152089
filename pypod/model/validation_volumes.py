"""The volumes of a spec, and where containers mount them."""

from __future__ import annotations

import dataclasses
import posixpath
from collections.abc import Mapping

from pypod.errors import UnknownVolumeError
from pypod.model.requests import MAX_VOLUMES, keeps_messages
from pypod.model.spec import Container, EmptyDir, HostPath, HostPathType, Medium, PodSpec, Volume, VolumeMount
from pypod.model.validation_check import LARGEST_SIZE, Check
from pypod.model.wording import did_you_mean, show


def check_volumes(check: Check, spec: PodSpec) -> dict[str, str]:
    """Checks them, and answers with the names that mounts may use."""
    seen: dict[str, str] = {}
    volumes: object = spec.volumes
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
    _count(check, spec, count)
    return seen


def _count(check: Check, spec: PodSpec, count: int) -> None:
    """The pause has a mount point for each, and for the messages of the containers."""
    given: tuple[object, ...] = (spec.init_containers, spec.containers)
    containers = tuple(
        container
        for each in given
        if isinstance(each, list | tuple)
        for container in each
        if isinstance(container, Container)
    )
    messages = keeps_messages(dataclasses.replace(spec, init_containers=(), containers=containers))
    most = MAX_VOLUMES - messages
    if count > most:
        why = ", termination messages taking the place of one" if messages else ""
        check.add("spec.volumes", f"{count} emptyDir volumes are too many: a pod can have {most}{why}")


def _source(check: Check, path: str, source: object) -> None:
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


def _size(check: Check, path: str, size: object) -> None:
    if size is not None:
        check.whole(path, size, least=1, most=LARGEST_SIZE, what="a whole number of bytes")


def check_mounts(
    check: Check, container: str, mounts: tuple[object, ...], volumes: Mapping[str, str]
) -> dict[str, str]:
    """Checks where a container has which volumes.

    Args:
        check: takes the problems.
        container: its path.
        mounts: its own.
        volumes: the pod's, by name.

    Returns:
        Where in the container something is mounted, and the field that says so.
    """
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
        check_target(check, f"{path}.mountPath", mount.mount_path, seen)
    return seen


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
