"""The time to live of a detached pod: until when it stays, and whether that is over. All times are the engine's clock's.

The figure stands on the pause; the end is in the journal, since each process that takes the pod up again puts it off. The journal
costs a call, the label none: `earliest_end` says until when nobody need look.
"""

from __future__ import annotations

import math

from pypod.model import naming
from pypod.model.life.abandoned import NEVER_STARTED_AGE, IsAlive
from pypod.model.life.history import History
from pypod.model.wiring.state import ContainerInfo

OVER = "its time to live is over"
MARGIN = 1.0
"""Seconds before its end at which a pod is not taken up again any more: two clocks that were both compared with the engine's may
differ by a call's duration, and who removes the pod must not do so while somebody takes it up."""


def earliest_end(pause: ContainerInfo | None) -> float | None:
    """The end that a pod has if nobody ever put it off; None: it has none, or is being deleted already.

    Args:
        pause: its newest sandbox, as listed.
    """
    if pause is None or naming.is_leased(pause.labels) or naming.deletion_deadline(pause.name) is not None:
        return None
    ttl = naming.ttl_of(pause.labels)
    return None if ttl is None else pause.created_at + ttl


def end_of(pause: ContainerInfo | None, history: History) -> float | None:
    """When a pod's time is over; None: it stays until it is removed.

    It is in the journal once the pod was started; before, it counts from when its sandbox was made.
    """
    earliest = earliest_end(pause)
    if earliest is None or history.kept_until is None:
        return earliest
    return None if math.isinf(history.kept_until) else history.kept_until


def why_over(pause: ContainerInfo | None, history: History, *, is_alive: IsAlive, now: float) -> str:
    """Why the pod is to be removed, in words; empty: it is not.

    One that is still being started is not, however long a pull takes: its starter lives, or cannot be looked at from here and
    has had ten minutes more.

    Args:
        pause: its newest sandbox, as listed.
        history: what its journal tells.
        is_alive: whether an owner lives; None where that cannot be known from here.
        now: Unix seconds by the engine's clock.
    """
    end = end_of(pause, history)
    if pause is None or end is None or now < end:
        return ""
    if not history.handed_over:
        owner = naming.owner_of(pause.labels)
        alive = is_alive(owner) if owner is not None else None
        if alive or (alive is None and now < end + NEVER_STARTED_AGE):
            return ""
    return OVER


def can_be_put_off(pause: ContainerInfo | None, history: History, *, is_alive: IsAlive, now: float) -> bool:
    """Whether a pod is safe from whoever removes it for its end, if a later one stands in its journal now.

    Who removes it reads the journal when the end has come. So what was there to read before cannot be overlooked. One that is still
    being started has no end yet.

    Args:
        pause, history, is_alive: as for `why_over`, before the later end is written.
        now: before that is written, and when it was seen there.
    """
    return not why_over(pause, history, is_alive=is_alive, now=now + MARGIN)
