"""The time to live of detached pods, on the engine: whose is over, and putting it off."""

from __future__ import annotations

import contextlib
import math

from pypod.engine import channel, observe, owner
from pypod.engine.api import Engine
from pypod.engine.clock import tries
from pypod.engine.identity import engine_time
from pypod.engine.observe import Found
from pypod.engine.sync import PodSync
from pypod.errors import EngineUnavailableError, NotFoundError, PodNotRunningError, PypodError
from pypod.model import naming
from pypod.model.life import expiry
from pypod.model.life.history import History
from pypod.model.life.journal import KeptUntil
from pypod.model.wiring.state import ContainerInfo

AGAIN = 5.0
"""Seconds until one that is past its end, and still being started, is looked at again."""
PATIENCE = 10.0
"""Seconds in which a journal must take what is written: a sandbox that has ended is made anew within them."""
READABLE = 1.0
"""Seconds until what a pause was sent is in its log: a few milliseconds, where it reads at all."""
LONGEST_TTL = 100 * 365.25 * 86400
"""Seconds: a hundred years. Further off there is no date that could be told (``datetime`` ends with the year 9999)."""
POLL = 0.002
LONGEST_POLL = 0.1


def check(ttl: float | None, *, detach: bool) -> None:
    """Raise `ValueError` for a time to live that is none, or of a pod that cannot have one."""
    if ttl is None:
        return
    if not detach:
        words = "a pod that is not detached ends with its process; detach=True is expected beside it"
        raise ValueError(f"cannot take ttl={ttl!r}: {words}")
    if not (math.isfinite(ttl) and ttl > 0):
        raise ValueError(f"cannot take ttl={ttl!r}: a number of seconds above 0 is expected")
    if ttl > LONGEST_TTL:
        words = f"{LONGEST_TTL:.0f} seconds, a hundred years, at most are expected; without a ttl it stays"
        raise ValueError(f"cannot take ttl={ttl!r}: {words}")


class Ends:
    """Which pods of an engine are past their end. What it has read it remembers, so that pods that others put off cost no call
    more until their new end.

    Args:
        engine: where they are.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._known: dict[str, float] = {}

    def why_over(self, found: Found) -> str:
        """Why a pod is to be removed, in words; empty: it is not.

        Raises:
            EngineError: the engine could not be read.
        """
        earliest, pause = expiry.earliest_end(found.pause), found.pause
        if earliest is None or pause is None:
            return ""
        known = max(earliest, self._known.get(found.key.uid, 0.0))
        if engine_time(self._engine) < known:
            return ""
        # First the time, then the journal: what is written before the end is seen (`pypod.model.life.expiry.can_be_put_off`).
        now = engine_time(self._engine, fresh=True)
        try:
            history = observe.read_history(self._engine, pause.id)
        except NotFoundError:  # it went meanwhile
            return ""
        reason = expiry.why_over(pause, history, is_alive=owner.is_alive, now=now)
        if not reason:
            end = expiry.end_of(pause, history)
            self._known[found.key.uid] = max(now + AGAIN, end) if end is not None else math.inf
        return reason

    def forget_all_but(self, uids: set[str]) -> None:
        """The pods of the others are gone."""
        self._known = {uid: end for uid, end in self._known.items() if uid in uids}


def renew(pod: PodSync, ttl: float | None) -> bool:
    """Put the end of a detached pod off. One that stays anyway stays, and one that has longer keeps that.

    Args:
        pod: any process' handle on it; its history is brought up to date.
        ttl: seconds from now; None: until it is removed.

    Returns:
        Whether it will be there for that time; False: it is over, or being removed.

    Raises:
        PodNotRunningError: its journal takes nothing.
        EngineError: the engine failed.
    """
    engine, key = pod.engine, pod.desired.identity.key
    for _ in tries(pod.clock, PATIENCE, POLL, LONGEST_POLL):
        pause = observe.newest_pause(engine, key.uid)
        if pause is None or naming.deletion_deadline(pause.name) is not None:
            return False
        with contextlib.suppress(NotFoundError):  # the sandbox changed meanwhile
            history = observe.read_history(engine, pause.id)
            pod.channel.adopt(history)
            if expiry.end_of(pause, history) is None:
                return True
            if not _can_be_put_off(pod, pause, history):
                return False  # and nothing is written: it would stay after all, and nobody knew
            if pause.is_live and (told := _tell(pod, pause, ttl)) is not None:
                pod.channel.adopt(told)
                return _can_be_put_off(pod, pause, history)
    message = f"cannot put off the end of pod '{key.full_name}': its sandbox does not run"
    raise PodNotRunningError(message, pod=key.full_name)


def _can_be_put_off(pod: PodSync, pause: ContainerInfo, history: History) -> bool:
    now = engine_time(pod.engine)
    return expiry.can_be_put_off(pause, history, is_alive=owner.is_alive, now=now)


def _tell(pod: PodSync, pause: ContainerInfo, ttl: float | None) -> History | None:
    """Write the new end, and read it back; None: the pause has not taken it.

    Whoever looks after the pod holds the same standard input, and its own history: so no more than this one line is written.
    """
    now = engine_time(pod.engine)
    entry = KeptUntil(now, 0.0 if ttl is None else now + ttl)
    try:
        stdin = pod.engine.attach_stdin(pause.id)
    except EngineUnavailableError:
        raise
    except PypodError:
        return None
    try:
        channel.tell(stdin, entry)
        for _ in tries(pod.clock, READABLE, POLL, LONGEST_POLL):
            history = observe.read_history(pod.engine, pause.id)
            if history.kept_until is not None and history.kept_until >= (entry.until or math.inf):
                return history
    except EngineUnavailableError:
        raise
    except PypodError:
        return None
    finally:
        stdin.close()
    return None
