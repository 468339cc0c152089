"""A handle on a pod that is on an engine: what it is, and how it is doing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pypod import existing, expiring, lifetime, waiting
from pypod.engine.sync import PodSync
from pypod.engine.tracing import Trace, Untraced
from pypod.errors import PodNotRunningError
from pypod.model.life import expiry, hindsight, marks
from pypod.model.life.history import History
from pypod.model.life.journal import Event
from pypod.model.life.marks import Instance
from pypod.model.life.status import Phase, PodStatus
from pypod.model.spec.pod import PodSpec
from pypod.model.wiring.state import ContainerInfo
from pypod.waiting import Wanted


class Handle:
    """What `pypod.Pod` tells of a pod, and waits for."""

    _sync: PodSync | None
    _spec: PodSpec
    _tracer: Untraced

    # what it is

    @property
    def spec(self) -> PodSpec:
        return self._spec

    @property
    def name(self) -> str:
        return self._spec.name

    @property
    def namespace(self) -> str:
        return self._spec.namespace

    @property
    def uid(self) -> str:
        """What no other pod ever had; empty before it is started."""
        return self._sync.desired.identity.key.uid if self._sync is not None else ""

    def __repr__(self) -> str:
        return f"<Pod {self._spec.full_name} {self.status.summary}>"

    # how it is doing

    @property
    def _full(self) -> str:
        return self._spec.full_name

    @property
    def status(self) -> PodStatus:
        """As it was last seen; `refresh` asks the engine."""
        return self._sync.status if self._sync is not None else PodStatus(Phase.PENDING)

    def refresh(self) -> PodStatus:
        """Look, and return the status.

        Raises:
            EngineError: the engine could not be read.
        """
        sync = self._started()
        if lifetime.owned(self.uid) is None:
            existing.read_journal(sync)
        return sync.refresh()

    def _note_listed(self, listed: Sequence[ContainerInfo], marked: Iterable[Instance]) -> bool:
        """Take the status from what the engine's lists tell, where that is enough; whether it is. One that this process looks after
        has a status already."""
        sync = self._started()
        if lifetime.owned(self.uid) is not None:
            return sync.observed is not None
        status = marks.plain_status(sync.desired, listed, marked, sync.clock.now())
        if status is not None:
            sync.status = status
        return status is not None

    @property
    def events(self) -> tuple[Event, ...]:
        """What happened to it, oldest first; as of the last `refresh` for a pod of another process."""
        return self.history.events

    @property
    def history(self) -> History:
        """All that its journal tells, the events too: probe results and hooks of each container; as of the last `refresh`
        for a pod of another process."""
        return self._sync.channel.history if self._sync is not None else History()

    def trace(self) -> Trace:
        """What took how long, so far.

        Of a pod that this process started with ``trace=True`` it is what was recorded, with the cause of each step; also when
        the start has failed, and after `stop`, which is recorded too. Of any other it is found out from the engine's times and the
        pod's journal: when containers were made, started and ready, and no more. Look at its ``source``.

        Raises:
            PodNotRunningError: it was not started.
            EngineError: the engine could not be read.
        """
        recorded = self._tracer.trace()
        if recorded is not None:
            return recorded
        self.refresh()
        sync = self._started()
        assert sync.observed is not None
        spans = hindsight.spans_of(sync.observed, self.history)
        return Trace(self._full, spans, "journal")

    @property
    def expires_at(self) -> float | None:
        """When the time of a detached pod is over, Unix seconds by the engine's clock; None: it stays until it is removed, or ends
        with its process. As of the last `refresh`."""
        seen = self._sync.observed if self._sync is not None else None
        return expiry.end_of(seen.pause, self.history) if seen is not None else None

    def renew(self, ttl: float | None) -> float | None:
        """Put the end of a detached pod off. One that stays anyway stays, and one that has longer keeps that.

        Args:
            ttl: seconds for which it lives from now on; None: until it is removed.

        Returns:
            `expires_at`, as it is now.

        Raises:
            ValueError: ``ttl`` is no positive number.
            PodNotRunningError: it is not detached, is not there any more, or its time is over, within a second too.
            EngineError: the engine failed.
        """
        expiring.check(ttl, detach=True)
        sync = self._started()
        if sync.desired.identity.leased or not expiring.renew(sync, ttl):
            words = "it ends with its process" if sync.desired.identity.leased else "its time is over"
            raise PodNotRunningError(f"cannot put off the end of pod '{self._full}': {words}", pod=self._full)
        return self.expires_at

    @property
    def ip(self) -> str:
        """What other pods dial. Raises `PodNotRunningError` while it has none."""
        if not self.status.pod_ip:
            self.refresh()
        if not self.status.pod_ip:
            raise PodNotRunningError(
                f"cannot tell the address of pod '{self._full}': it has none", pod=self._full
            )
        return self.status.pod_ip

    def wait(self, condition: Wanted = "Ready", timeout: float = 60.0) -> PodStatus:
        """Wait until it is where you want it.

        Args:
            condition: ``Started``, ``Ready``, ``Running``, ``Succeeded``, ``Failed``, ``Completed`` (one of the two) or
                ``Deleted``; or a function that is given a status and says whether it is as wanted, such as
                ``lambda status: status.restart_count > 0``. What it raises is passed on.
            timeout: seconds.

        Returns:
            The status then.

        Raises:
            PodTimeoutError: the time was up.
            PodNotRunningError: it cannot come there any more.
            ValueError: there is no such condition.
        """
        return waiting.wait_for(self._full, self.refresh, condition, timeout)

    def _started(self) -> PodSync:
        if self._sync is None:
            raise PodNotRunningError(f"cannot use pod '{self._full}': it was not started", pod=self._full)
        return self._sync
