"""Looks after the pods of this process on one engine: restarts what crashes.

One event stream, one timer, a few workers, however many pods. An event never carries a decision: it wakes a pass, and the
pass looks. Where the stream ends, for whatever reason, everything is looked at again.
"""

from __future__ import annotations

import heapq
import logging
import os
import threading
import time

from pypod.engine.api import Engine
from pypod.engine.pool import WorkerPool
from pypod.engine.sync import PodSync
from pypod.errors import EngineError
from pypod.model import naming

log = logging.getLogger(__name__)

RESYNC = 10.0
"""Seconds after which a pod is looked at even when nothing was heard."""
RETRY = 0.5
"""Seconds until an engine that did not answer is asked again."""


class Supervisor:
    """Of one engine. Threads start with the first pod."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = threading.Condition()
        self._pods: dict[str, PodSync] = {}
        self._busy: set[str] = set()
        self._dirty: set[str] = set()
        self._timers: list[tuple[float, str]] = []
        self._due: dict[str, float] = {}
        self._passes = WorkerPool("pass")
        self._started = False

    def add(self, pod: PodSync) -> None:
        """Look after the pod from now on."""
        uid = pod.desired.identity.key.uid
        with self._lock:
            self._pods[uid] = pod
            start, self._started = not self._started, True
        if start:
            threading.Thread(target=self._listen, name="pypod-events", daemon=True).start()
            threading.Thread(target=self._keep_time, name="pypod-timer", daemon=True).start()
        self.wake(uid)

    def remove(self, uid: str) -> None:
        """Leave the pod alone; waits for a pass that is under way."""
        with self._lock:
            pod = self._pods.pop(uid, None)
            self._due.pop(uid, None)
        if pod is not None:
            pod.release()

    def uids(self) -> list[str]:
        """Of the pods that are looked after."""
        return list(self._pods)

    def __contains__(self, uid: str) -> bool:
        return uid in self._pods

    def wake(self, uid: str) -> None:
        """Look at this pod now, or once more after the look that is under way."""
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
        due = time.time() + RESYNC
        if pod is not None:
            try:
                plan = pod.run_once()
                if plan:
                    self._dirty.add(uid)
                elif plan.due is not None:
                    due = min(due, plan.due)
            except EngineError as error:
                log.debug("%s", error)
                due = time.time() + RETRY
            except Exception:  # one pod's trouble must not end the care for the others
                log.exception("cannot look after pod %s", pod.desired.identity.key.full_name)
        with self._lock:
            self._busy.discard(uid)
            again = uid in self._dirty
            self._dirty.discard(uid)
            self._due[uid] = due  # an older entry of this pod in the heap is passed over
            heapq.heappush(self._timers, (due, uid))
            self._lock.notify_all()
        if again:
            self.wake(uid)

    def _keep_time(self) -> None:
        while True:
            with self._lock:
                now = time.time()
                while self._timers and self._timers[0][0] > now:
                    self._lock.wait(max(0.001, self._timers[0][0] - now))
                    now = time.time()
                if not self._timers:
                    self._lock.wait()
                    continue
                due, uid = heapq.heappop(self._timers)
                is_current = self._due.get(uid) == due
            if is_current:
                self.wake(uid)

    def _listen(self) -> None:
        while True:
            try:
                since = self._engine.info().system_time
                stream = self._engine.events({naming.UID: ""}, since=since)
            except EngineError as error:
                log.debug("%s", error)
                time.sleep(RETRY)
                continue
            self._wake_all()  # what happened before the stream stood
            for event in stream:
                self.wake(event.attributes.get(naming.UID, ""))
            stream.close()
            self._wake_all()
            time.sleep(RETRY)

    def _wake_all(self) -> None:
        for uid in list(self._pods):
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
