"""Removing what dead owners left."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass

from pypod import connecting
from pypod.engine import object_leftovers, observe, owner
from pypod.engine.api import Engine
from pypod.engine.observe import Found
from pypod.engine.teardown import Teardown
from pypod.errors import EngineError, EngineUnavailableError, ManifestError, NotFoundError, TeardownError
from pypod.expiring import Ends
from pypod.model import naming
from pypod.model.document import codec
from pypod.model.life import abandoned
from pypod.model.wiring.state import ContainerInfo

log = logging.getLogger(__name__)

UNREADABLE_GRACE = 30.0
"""Seconds: Kubernetes' default."""


@dataclass(frozen=True, slots=True)
class Swept:
    """What was removed, a pod (``namespace/name``) or a network (``network name``), and the evidence that it was abandoned."""

    pod: str
    reason: str


def sweep(engine: Engine | None = None, *, overdue: bool = True) -> list[Swept]:
    """Remove every pod whose owner is gone, and every detached one whose time to live is over.

    The evidence is the engine's: the pause says that its lease was lost; or the owner is dead on this very boot and in this
    very PID namespace; or the pod was never started and is older than ten minutes; or its deletion was begun and not
    finished; or its journal says until when it was to stay. A pod of which none can be shown is left alone. An isolated
    network that no pod is on goes when the process that made it is gone, or ten minutes after it was made.

    What broken-off writes of a ConfigMap or Secret left goes as well, and is not told of. The objects themselves stay, whoever
    made them.

    Args:
        engine: where to look; the default engine where it is None.
        overdue: detached pods whose time is over, too: these get their grace. False: the background program removes them.

    Returns:
        What was removed: pods, by namespace and name, then networks.

    Raises:
        EngineError: the engine could not be read.
        TeardownError: something could not be removed.
    """
    engine = engine or connecting.connect()
    swept = []
    failed: TeardownError | None = None
    ends = Ends(engine)
    for found in observe.find_all(engine):
        reason = why_left(engine, found)
        over = "" if reason or not overdue else ends.why_over(found)
        if reason or over:
            try:
                (graceful(engine, found) if over else Teardown(engine, found.key)).run()
                swept.append(Swept(found.key.full_name, reason or over))
            except TeardownError as error:  # one that does not go must not keep the others
                failed = failed or error
    object_leftovers.sweep(engine)
    swept += [Swept(f"network {name}", "no pod is on it") for name in sweep_networks(engine)]
    if failed is not None:
        raise failed
    return swept


def sweep_networks(engine: Engine) -> list[str]:
    """Remove the isolated networks that nobody is on, and say which: of a pod whose maker was killed when it had made no more
    than that, and those that the engine would not let go of when their last pod left (`pypod.engine.gate`).

    Raises:
        EngineError: the engine could not be read.
    """
    pauses = engine.containers({naming.NETWORK: ""})
    used = {name for info in pauses if (name := naming.network_of(info.labels))}
    removed = []
    for network in abandoned.unused_networks(engine.networks(), used, time.time(), is_alive=owner.is_alive):
        try:
            engine.remove_network(network.id)
            removed.append(network.name)
        except EngineUnavailableError:
            raise
        except EngineError as error:  # somebody is on it after all, or has removed it
            log.debug("%s", error)
    return removed


def why_abandoned(engine: Engine, found: Found) -> str:
    """The evidence that a pod was left behind, or is past its time; empty where there is none."""
    return why_left(engine, found) or Ends(engine).why_over(found)


def graceful(engine: Engine, found: Found) -> Teardown:
    """The way off the engine of a pod that nobody has done wrong: with its hooks and its grace, as its labels describe it. Of one whose
    description cannot be read, a later pypod's, with the usual grace and without hooks."""
    pause = found.pause
    assert pause is not None, "only a pause has a time to live"
    try:
        spec = codec.load_spec(pause.labels.get(naming.SPEC, ""))
    except ManifestError as error:
        log.info("%s", error)
        return Teardown(engine, found.key, grace=UNREADABLE_GRACE)
    return Teardown(engine, found.key, grace=spec.termination_grace_period_seconds, spec=spec)


def why_left(engine: Engine, found: Found) -> str:
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
