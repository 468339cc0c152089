"""Looks after the pods of this process on one engine: restarts what crashes, probes, and mends sandboxes.

One event stream, one clock, a few workers, however many pods. An event never carries a decision: it wakes a pass, and the
pass looks. Where the stream ends, for whatever reason, everything is looked at again.
"""

from __future__ import annotations

import logging
import os
import threading
from typing import Protocol

from pypod.engine.api import Engine, EngineEvent
from pypod.engine.clock import SYSTEM, Clock, Timer
from pypod.engine.pool import Pool, WorkerPool
from pypod.engine.sync import PodSync
from pypod.errors import EngineError
from pypod.model import naming
from pypod.model.life.plan import Plan
from pypod.model.wiring.state import ContainerInfo

log = logging.getLogger(__name__)

RESYNC = 10.0
"""Seconds after which the engine is asked for all pods at once, in one list, even when nothing was heard; those that do not stand
as they were last seen are looked at, and those of which not everything runs."""
CLOSER = 300.0
"""Seconds after which a pod is looked at that has been at rest all the time."""
RETRY = 0.5
"""Seconds until an engine that did not answer is asked again."""


class Listener(Protocol):
    """Who is told of one pod."""

    def hear(self, event: EngineEvent) -> None:
        """Something happened to a container of the pod."""

    def wake(self) -> None:
        """Something may have happened: events may have been missed."""


class Supervisor:
    """Of one engine.

    Args:
        engine: whose pods they are.
        clock: by which they are looked at again.
        passes: whose threads look.
    """

    def __init__(self, engine: Engine, *, clock: Clock = SYSTEM, passes: Pool | None = None) -> None:
        self._engine = engine
        self._clock = clock
        self._lock = threading.Lock()
        self._pods: dict[str, PodSync] = {}
        self._watched: dict[str, Listener] = {}
        self._busy: set[str] = set()
        self._dirty: set[str] = set()
        self._timers: dict[str, Timer] = {}
        self._passes: Pool = passes or WorkerPool("pass")
        self._started = False
        self._resyncing = False

    def watch(self, uid: str, who: Listener) -> None:
        """Tell who brings a pod up, or away, what is heard of it, until it is added or removed."""
        with self._lock:
            self._watched[uid] = who
        self._listen_once()

    def add(self, pod: PodSync) -> None:
        """Look after the pod from now on. One that was just found at rest is not looked at again before it is due."""
        uid = pod.desired.identity.key.uid
        with self._lock:
            self._watched.pop(uid, None)
            self._pods[uid] = pod
        # Not before: an event that comes in between would wake what is watched, which wakes what is watched ...
        pod.on_wake = lambda: self.wake(uid)
        self._listen_once()
        self._resync_later()
        rest = pod.rest
        if rest is None:
            self.wake(uid)
        else:
            self._look_again(uid, self._due(rest))

    def remove(self, uid: str) -> PodSync | None:
        """Leave the pod alone; waits for a pass that is under way. Answers with what was looked after."""
        with self._lock:
            self._watched.pop(uid, None)
            pod = self._pods.pop(uid, None)
            timer = self._timers.pop(uid, None)
        if timer is not None:
            timer.cancel()
        if pod is not None:
            pod.release()
        return pod

    def pod(self, uid: str) -> PodSync | None:
        """The pod, where it is looked after."""
        return self._pods.get(uid)

    def uids(self) -> list[str]:
        """Of the pods that are looked after."""
        return list(self._pods)

    def __contains__(self, uid: str) -> bool:
        return uid in self._pods

    def wake(self, uid: str) -> None:
        """Look at this pod now, or once more after the look that is under way."""
        watched = self._watched.get(uid)
        if watched is not None:
            watched.wake()
        with self._lock:
            if uid not in self._pods:
                return
            if uid in self._busy:
                self._dirty.add(uid)
                return
            self._busy.add(uid)
        self._passes.submit(lambda: self._pass(uid))

    def _pass(self, uid: str) -> None:
        pod = self._pods.get(uid)
        due = self._due(Plan())
        again = False
        if pod is not None:
            try:
                plan = pod.run_once()
                again = bool(plan) and pod.refusals < 2
                if pod.refusals > 1:
                    due = self._clock.now() + min(RETRY * pod.refusals, RESYNC)
                elif not plan:
                    due = self._due(plan)
            except EngineError as error:
                log.debug("%s", error)
                due = self._clock.now() + RETRY
            except Exception:  # one pod's trouble must not end the care for the others
                log.exception("cannot look after pod %s", pod.desired.identity.key.full_name)
        with self._lock:
            self._busy.discard(uid)
            again = again or uid in self._dirty
            self._dirty.discard(uid)
        self._look_again(uid, due)
        if again:
            self.wake(uid)

    def _due(self, plan: Plan) -> float:
        """When a pod is looked at again that has nothing else to do now."""
        closer = self._clock.now() + CLOSER
        return closer if plan.due is None else min(closer, plan.due)

    def _look_again(self, uid: str, due: float) -> None:
        """At that time, and at no other that was set before."""
        with self._lock:
            old = self._timers.pop(uid, None)
            if uid in self._pods:
                self._timers[uid] = self._clock.call_at(due, lambda: self.wake(uid))
        if old is not None:
            old.cancel()

    def _resync_later(self) -> None:
        """As long as there are pods."""
        with self._lock:
            if self._resyncing or not self._pods:
                return
            self._resyncing = True
        self._clock.call_at(
            self._clock.now() + RESYNC, lambda: self._passes.submit(self._resync)
        )  # the clock's thread must not block

    def _resync(self) -> None:
        """One list, of whatever number of pods: a look of its own costs each pod several calls."""
        try:
            listed: dict[str, list[ContainerInfo]] = {}
            for info in self._engine.containers({naming.UID: ""}):
                listed.setdefault(info.labels[naming.UID], []).append(info)
            for uid, pod in list(self._pods.items()):
                if not pod.stands_as(listed.get(uid, ())):
                    self.wake(uid)
        except EngineError as error:  # the passes find that out as well
            log.debug("%s", error)
            self._wake_all()
        except Exception:  # looks go on, and so does the pool's thread
            log.exception("cannot compare the pods with a list of the engine's")
            self._wake_all()
        finally:
            with self._lock:
                self._resyncing = False
            self._resync_later()

    def _listen_once(self) -> None:
        with self._lock:
            start, self._started = not self._started, True
        if start:
            threading.Thread(target=self._listen, name="pypod-events", daemon=True).start()

    def _listen(self) -> None:
        while True:
            try:
                since = self._engine.info().system_time
                stream = self._engine.events({naming.UID: ""}, since=since)
            except EngineError as error:
                log.debug("%s", error)
                self._clock.sleep(RETRY)
                continue
            self._wake_all()  # what happened before the stream stood
            for event in stream:
                self._hear(event)
            stream.close()
            self._wake_all()
            self._clock.sleep(RETRY)

    def _hear(self, event: EngineEvent) -> None:
        uid = event.attributes.get(naming.UID, "")
        who: Listener | None = self._pods.get(uid) or self._watched.get(uid)
        if who is not None:
            who.hear(event)

    def _wake_all(self) -> None:
        for uid in [*self._pods, *self._watched]:
            self.wake(uid)


_supervisors: dict[tuple[int, str], Supervisor] = {}
_supervisors_lock = threading.Lock()


def supervisor_of(engine: Engine) -> Supervisor:
    """The one of this engine and process; a forked child begins with none of its parent's."""
    with _supervisors_lock:
        key = (os.getpid(), engine.url)
        if key not in _supervisors:
            _supervisors[key] = Supervisor(engine)
        return _supervisors[key]


def _after_fork_in_child() -> None:
    global _supervisors_lock  # noqa: PLW0603 (it may have been held at the fork)
    _supervisors_lock = threading.Lock()
    _supervisors.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
