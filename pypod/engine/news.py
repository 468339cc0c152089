"""Whether anything may have happened to a pod that no look has seen: by the engine's events, and by its lists."""

from __future__ import annotations

import collections
import contextlib
from collections.abc import Callable, Iterable

from pypod.engine.api import EngineEvent
from pypod.model.wiring.state import ContainerInfo, PodObservation

ECHOES = ("create", "start")
"""What pypod itself does to containers all the time, and hears of when it has long seen what came of it."""


class News:
    """Of one pod: which events are a reason to look.

    All are, but for the creation of a container that was seen, and the start of one that was seen running: a look would find
    what the last one did. A container that was started again meanwhile has died before, and that is heard first.

    While a look is under way such events wait for what it finds. There is no lock in here, so that a fork finds none that is held.

    Args:
        tell: is called when something is news.
    """

    def __init__(self, tell: Callable[[], None]) -> None:
        self._tell = tell
        self._seen: PodObservation | None = None
        self._looks: set[object] = set()
        self._held: collections.deque[EngineEvent] = collections.deque()

    def look(self, look: Callable[[], PodObservation]) -> PodObservation:
        """Look, and keep in mind what was seen."""
        token = object()
        self._looks.add(token)
        try:
            seen = self._seen = look()
            return seen
        finally:
            self._looks.discard(token)
            self._judge()

    def hear(self, event: EngineEvent) -> None:
        """Something happened to a container of the pod."""
        if event.action not in ECHOES:
            self._tell()
            return
        self._held.append(event)
        if not self._looks:  # else the look's end judges it, since it is among the held ones by now
            self._judge()

    def _judge(self) -> None:
        with contextlib.suppress(IndexError):
            while True:
                if not self._is_known(self._held.popleft()):
                    self._tell()

    def _is_known(self, event: EngineEvent) -> bool:
        if self._seen is None:
            return False
        return any(
            info.id == event.container and (info.is_live or event.action == "create")
            for info in (*self._seen.pauses, *self._seen.all_members)
        )


def stands_as(seen: PodObservation, listed: Iterable[ContainerInfo]) -> bool:
    """Whether a list shows a pod as it was seen, as far as a list tells."""
    return _traits(listed) == _traits((*seen.pauses, *seen.all_members))


def _traits(containers: Iterable[ContainerInfo]) -> set[tuple[object, ...]]:
    """What a list and an inspection tell alike, of what changes."""
    return {(info.id, info.name, info.state, *sorted(info.addresses.items())) for info in containers}
