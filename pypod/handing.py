"""Handing a detached pod that was started over to the background program."""

from __future__ import annotations

import logging

from pypod.engine import observe
from pypod.engine.identity import engine_time
from pypod.engine.sync import PodSync
from pypod.errors import NotFoundError
from pypod.model.life.journal import Entry, HandedOver, KeptUntil

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
    if (
        pod.observed is None or pod.observed.pause is None
    ):  # its start failed before it had one: there is nothing to look after
        return
    deadline, wait = pod.clock.now() + PATIENCE, POLL
    while not _is_told(pod):
        if pod.clock.now() > deadline:
            log.warning(
                "pod %s: its journal does not take what is written", pod.desired.identity.key.full_name
            )
            return
        pod.clock.sleep(wait)
        wait = min(2 * wait, LONGEST_POLL)
        pod.run_once()


def _is_told(pod: PodSync) -> bool:
    pause = pod.observed.pause if pod.observed is not None else None
    if pause is None:
        return False
    try:
        return observe.read_history(pod.engine, pause.id).handed_over
    except NotFoundError:
        return False
