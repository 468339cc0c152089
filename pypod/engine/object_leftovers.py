"""What is left of reads and writes of objects whose process was killed in between: seen by its labels, and taken away."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Mapping

from pypod.engine.api import Engine
from pypod.engine.helper import remove_volume
from pypod.engine.owner import is_alive
from pypod.errors import ConflictError, NotFoundError
from pypod.model import naming
from pypod.model.spec.objects import Secret
from pypod.model.wiring import object_records

LEFT_OVER = 600.0
"""Seconds. No read or write of an object takes that long: each call has a time-out of a minute."""


def sweep(engine: Engine) -> list[str]:
    """Take it away; never an object that counts, and never the files of a claim.

    A record that does not count is left over. A helper, and the values of a Secret that no record names, are where whoever made
    them is gone, or has had `LEFT_OVER` seconds for it.

    Returns:
        What was removed, in words.

    Raises:
        EngineError: the engine could not be read.
    """
    # By the engine's clock, which is not asked where owners tell enough.
    now = functools.cache(lambda: engine.info().system_time)
    removed = []
    for container in engine.containers({naming.ROLE: naming.Role.HELPER.value}):
        if _is_left(container.labels, container.created_at, now):
            with contextlib.suppress(NotFoundError, ConflictError):
                engine.remove_container(container.name)
                removed.append(f"container {container.name}")
    # In this order: values whose record is made in between have one by then.
    values = engine.volumes({naming.CONTENT: Secret.kind})
    records = object_records.by_key(engine.volumes({naming.OBJECT: ""}))
    old = [record for each in records.values() for record in each[:-1]]
    named = {each[-1].values for each in records.values()}
    left = [record.volume for record in old] + [record.values for record in old if record.values]
    left += [
        volume.name
        for volume in values
        if volume.name not in {*named, *left} and _is_left(volume.labels, volume.created_at, now)
    ]
    return removed + [f"volume {volume}" for volume in left if remove_volume(engine, volume)]


def _is_left(labels: Mapping[str, str], created_at: float, now: Callable[[], float]) -> bool:
    owner = naming.owner_of(labels)
    return (owner is not None and is_alive(owner) is False) or now() > created_at + LEFT_OVER
