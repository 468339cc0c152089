"""Handing a detached pod that was started over to the background program."""

from __future__ import annotations

import logging

from pypod.engine import execute, observe
from pypod.engine.clock import tries
from pypod.engine.identity import engine_time
from pypod.engine.sync import PodSync
from pypod.errors import NotFoundError
from pypod.model.life.journal import Entry, HandedOver, KeptUntil
from pypod.model.wiring.state import ContainerInfo

log = logging.getLogger(__name__)

PATIENCE = 10.0
"""Seconds in which a journal must tell what was written to it."""
POLL, LONGEST_POLL = 0.002, 0.1


def hand_over(pod: PodSync, ttl: float | None) -> None:
    """Write that its starter is done, and return when its journal tells so: from then on whoever reads it looks after the pod.

    What was written and not read is gone when the sandbox is killed (the engine has it in a pipe), and the pod would be nobody's
    for as long as its starter lives. So a sandbox that dies meanwhile is made again, and told all.

    Args:
        pod: its actions are done; none is begun by anybody else.
        ttl: seconds for which it stays from now on; None: until it is removed.

    Raises:
        EngineError: the engine failed.
    """
    entries: list[Entry] = []
    if ttl is not None:
        now = engine_time(pod.engine)
        entries.append(KeptUntil(now, now + ttl))
    pod.channel.write(*entries, HandedOver(pod.clock.now()))
    if _pause(pod) is None:  # its start failed before it had one: there is nothing to look after
        return
    for _ in tries(pod.clock, PATIENCE, POLL, LONGEST_POLL):
        pause = _pause(pod)
        if pause is not None and _is_told(pod, pause):
            return
        if pause is None or not execute.is_live(pod.engine, pause.id):
            pod.run_once()
    log.warning("pod %s: its journal does not take what is written", pod.desired.identity.key.full_name)


def _pause(pod: PodSync) -> ContainerInfo | None:
    return pod.observed.pause if pod.observed is not None else None


def _is_told(pod: PodSync, pause: ContainerInfo) -> bool:
    try:
        return observe.read_history(pod.engine, pause.id).handed_over
    except NotFoundError:
        return False
