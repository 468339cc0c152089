"""The files of one volume of a pod, or why there are none: from its spec and what was seen. Pure.

`pypod.model.rules.files` says what the files of each kind of source are, and how they lie in the volume.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from pypod.model.rules import files
from pypod.model.rules.downward import field_value
from pypod.model.rules.files import File, FilesError, Item
from pypod.model.spec.env import FieldRef, ResourceFieldRef
from pypod.model.spec.object_references import Objects
from pypod.model.spec.objects import ConfigMap, Secret
from pypod.model.spec.pod import (
    ConfigMapProjection,
    ConfigMapSource,
    DownwardAPIFile,
    DownwardAPIProjection,
    DownwardAPISource,
    FilesSource,
    KeyToPath,
    PodSpec,
    ProjectedSource,
    Projection,
    SecretProjection,
    SecretSource,
    Volume,
)
from pypod.model.wiring import referring
from pypod.model.wiring.environment import resource_of, surroundings_of
from pypod.model.wiring.state import PodObservation


def files_of(spec: PodSpec, volume: Volume, observed: PodObservation) -> tuple[File, ...]:
    """The files of a volume whose files pypod writes.

    Raises:
        FilesError: there are none, in a kubelet's words: an object or a key is missing, or cannot be read.
    """
    objects = observed.objects
    match volume.source:
        case ConfigMapSource(name=name, items=items, default_mode=mode, optional=optional):
            _refuse_unreadable(objects, ConfigMap.kind, name)
            found = objects.config_map(name)
            return files.of_config_map(found, name, items=_items(items), default_mode=mode, optional=optional)
        case SecretSource(secret_name=name, items=items, default_mode=mode, optional=optional):
            _refuse_unreadable(objects, Secret.kind, name)
            secret = objects.secret(name)
            return files.of_secret(secret, name, items=_items(items), default_mode=mode, optional=optional)
        case DownwardAPISource(items=items, default_mode=mode):
            return files.of_texts(_texts(spec, items, observed), mode)
        case ProjectedSource(sources=sources, default_mode=mode):
            return _projected(spec, sources, mode, observed)
        case FilesSource(files=named, default_mode=mode):
            return files.checked(
                File(each.path, mode if each.mode is None else each.mode, each.data) for each in named
            )
    raise NotImplementedError(f"pypod writes no files of a {type(volume.source).__name__}")


def _refuse_unreadable(objects: Objects, kind: str, name: str) -> None:
    """One that is there and cannot be read is not the same as one that is not there."""
    if why := objects.unreadable.get((kind, name)):
        raise FilesError(why)


def _items(items: Iterable[KeyToPath]) -> list[Item]:
    return [Item(item.key, item.path, item.mode) for item in items]


def _projected(
    spec: PodSpec, sources: Iterable[Projection], mode: int, observed: PodObservation
) -> tuple[File, ...]:
    found: list[tuple[File, ...]] = []
    errors: list[FilesError] = []
    for source in sources:
        try:
            found.append(_projection(spec, source, mode, observed))
        except FilesError as error:
            errors.append(error)
    if errors:
        raise files.all_problems(errors)
    return files.merged(found)


def _projection(spec: PodSpec, source: Projection, mode: int, observed: PodObservation) -> tuple[File, ...]:
    match source:
        case ConfigMapProjection(name=name, items=items, optional=optional):
            whole: ConfigMapSource | SecretSource | DownwardAPISource
            whole = ConfigMapSource(name, items, mode, optional)
        case SecretProjection(name=name, items=items, optional=optional):
            whole = SecretSource(name, items, mode, optional)
        case DownwardAPIProjection(items=files_):
            whole = DownwardAPISource(files_, mode)
    return files_of(spec, Volume("", whole), observed)


# --- of the pod itself -----------------------------------------------------------------------------------------------


def _texts(
    spec: PodSpec, items: Sequence[DownwardAPIFile], observed: PodObservation
) -> list[tuple[str, str, int | None]]:
    return [(item.path, _text(spec, item.source, observed), item.mode) for item in items]


def _text(spec: PodSpec, source: FieldRef | ResourceFieldRef, observed: PodObservation) -> str:
    around = surroundings_of(spec, observed)
    if isinstance(source, FieldRef):
        return field_value(source.field_path, around.facts)
    try:
        container = spec.container(source.container_name)
    except KeyError:
        raise FilesError(f"container {source.container_name} not found") from None
    return resource_of(source, container, around)


# --- their versions --------------------------------------------------------------------------------------------------


def version_of(volume: Volume, observed: PodObservation) -> str:
    """Of the files as they would be written now: another one where an object that they are made of is another one. It tells
    nothing of what is in them, since a Secret's may be among them. Empty: nothing can change in them."""
    references = sorted({(each.kind, each.name) for each in referring.volume_of(volume)})
    return ",".join(observed.objects.versions.get(each, "-") for each in references)


def stamp(now: float, version: str) -> str:
    """Of a version that is written now: ``2026_05_17_10_00_00.123456789``. The digits at the end tell versions apart that are
    written at the same time, or by clocks that differ; a kubelet's are random."""
    text = datetime.fromtimestamp(int(now), tz=UTC).strftime("%Y_%m_%d_%H_%M_%S")
    return f"{text}.{zlib.crc32(f'{now!r} {version}'.encode()) % 10**9:09d}"
