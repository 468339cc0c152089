"""Removing what dead owners left."""

from __future__ import annotations

import time
from dataclasses import dataclass

from pypod.engine import object_leftovers, observe, owner
from pypod.engine.api import Engine
from pypod.engine.observe import Found
from pypod.engine.teardown import Teardown
from pypod.errors import NotFoundError, TeardownError
from pypod.model import abandoned
from pypod.model.state import ContainerInfo


@dataclass(frozen=True, slots=True)
class Swept:
    """A pod that was removed (``namespace/name``), and the evidence that it was abandoned."""

    pod: str
    reason: str


def sweep(engine: Engine | None = None) -> list[Swept]:
    """Remove every pod whose owner is gone.

    The evidence is the engine's: the pause says that its lease was lost; or the owner is dead on this very boot and in this
    very PID namespace; or the pod was never started and is older than ten minutes; or its deletion was begun and not
    finished. A pod of which none can be shown is left alone.

    What broken-off writes of a ConfigMap or Secret left goes as well, and is not told of. The objects themselves stay, whoever
    made them.

    Args:
        engine: where to look; the default engine where it is None.

    Returns:
        What was removed, by namespace and name.

    Raises:
        EngineError: the engine could not be read.
        TeardownError: something could not be removed.
    """
    if engine is None:
        from pypod import connecting  # noqa: PLC0415 (it imports this module)

        engine = connecting.connect()
    swept = []
    failed: TeardownError | None = None
    for found in observe.find_all(engine):
        reason = why_abandoned(engine, found)
        if reason:
            try:
                Teardown(engine, found.key).run()
                swept.append(Swept(found.key.full_name, reason))
            except TeardownError as error:  # one that does not go must not keep the others
                failed = failed or error
    object_leftovers.sweep(engine)
    if failed is not None:
        raise failed
    return swept


def why_abandoned(engine: Engine, found: Found) -> str:
    """The evidence that a pod was left behind; empty where there is none."""
    return abandoned.judge(
        found.containers,
        found.volumes,
        _inspected_pause(engine, found),
        is_alive=owner.is_alive,
        now=time.time(),
    )


def _inspected_pause(engine: Engine, found: Found) -> ContainerInfo | None:
    """The exit code is only in an inspection; a running pause needs none."""
    pause = found.pause
    if pause is None or pause.is_live:
        return pause
    try:
        return engine.container(pause.id)
    except NotFoundError:
        return pause
