"""What a spec asks of its engine that not every engine can do: said before anything is made."""

from __future__ import annotations

from collections.abc import Iterator

from pypod.model.rules.mounts import IMAGE_MOUNTS, RECURSION, Version
from pypod.model.spec.pod import HostPath, ImageSource, PodSpec, RecursiveReadOnly

ENGINES = {IMAGE_MOUNTS: "28", RECURSION: "25"}
"""The Docker Engine that first speaks a version of the API."""


def unmet(spec: PodSpec, api: Version) -> list[str]:
    """What of the spec an engine that speaks this version of the API cannot do, in words."""
    return [
        f"{what} needs Engine API {needed[0]}.{needed[1]} (Docker {ENGINES[needed]}), and this engine speaks {api[0]}.{api[1]}"
        for what, needed in _needs(spec)
        if api < needed
    ]


def _needs(spec: PodSpec) -> Iterator[tuple[str, Version]]:
    bound = set()
    for index, volume in enumerate(spec.volumes):
        if isinstance(volume.source, ImageSource):
            yield f"spec.volumes[{index}].image", IMAGE_MOUNTS
        if isinstance(volume.source, HostPath):
            bound.add(volume.name)
    for kind, containers in (("initContainers", spec.init_containers), ("containers", spec.containers)):
        for index, container in enumerate(containers):
            for number, mount in enumerate(container.mounts):
                if mount.recursive_read_only is RecursiveReadOnly.ENABLED and mount.name in bound:
                    yield f"spec.{kind}[{index}].volumeMounts[{number}].recursiveReadOnly", RECURSION
