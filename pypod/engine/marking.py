"""Keeps the volumes that say which containers of one pod are ready (`pypod.model.life.marks`)."""

from __future__ import annotations

import contextlib

from pypod.engine.api import Engine
from pypod.errors import NotFoundError
from pypod.model import naming
from pypod.model.life import marks
from pypod.model.life.desired import Desired
from pypod.model.life.history import History
from pypod.model.life.marks import Instance
from pypod.model.wiring.requests import VolumeRequest
from pypod.model.wiring.state import PodObservation


class Marker:
    """Of one pod, for whoever looks after it: nobody else marks, so what is marked is read once and then known.

    Args:
        engine: where it is.
        desired: the pod.
        is_new: nothing of it can be marked yet.

    Attributes:
        is_needed: whether it has any container that a list does not tell the readiness of.
    """

    def __init__(self, engine: Engine, desired: Desired, *, is_new: bool) -> None:
        self._engine = engine
        self._desired = desired
        self.is_needed = any(marks.needs_mark(each) for each in desired.spec.all_containers)
        self._marked: set[Instance] | None = set() if is_new else None

    def update(self, seen: PodObservation, history: History) -> None:
        """Mark what is ready, and nothing else. Of a pod that is being deleted everything is removed anyway.

        Args:
            seen, history: as of `pypod.model.life.marks.ready`.

        Raises:
            EngineError: the engine did not do it; the next time it is tried again.
        """
        if not self.is_needed or seen.deletion_deadline is not None:
            return
        if self._marked is None:
            self._marked = self._read()
        key, base = self._desired.identity.key, self._desired.identity.labels
        ready = marks.ready(self._desired, seen, history)
        for instance in sorted(ready - self._marked):
            request = VolumeRequest(naming.ready_name(key, *instance), naming.ready_labels(base, *instance))
            self._engine.create_volume(request)
            self._marked.add(instance)
        for instance in sorted(self._marked - ready):
            with contextlib.suppress(NotFoundError):
                self._engine.remove_volume(naming.ready_name(key, *instance))
            self._marked.remove(instance)

    def _read(self) -> set[Instance]:
        labels = {naming.UID: self._desired.identity.key.uid, naming.READY: ""}
        found = (naming.ready_of(volume.labels) for volume in self._engine.volumes(labels))
        return {instance for instance in found if instance is not None}
