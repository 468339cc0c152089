"""The life of a live pod: how it is started, handed over and brought away."""

from __future__ import annotations

import math
import os
import uuid
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from pypod import background, connecting, existing, expiring, handing, lifetime, starting, storing
from pypod.access import Access
from pypod.engine.api import Engine
from pypod.engine.owner import current_owner
from pypod.engine.sync import PodSync
from pypod.engine.teardown import Teardown
from pypod.engine.tracing import UNTRACED, Tracer, Untraced
from pypod.errors import PodExistsError, PypodError
from pypod.model.life.desired import Desired
from pypod.model.life.plan import Plan
from pypod.model.naming import PodIdentity, PodKey
from pypod.model.spec.objects import Object
from pypod.supervisor import supervisor_of

OnFailure = Callable[[BaseException], bool]


@dataclass(frozen=True, slots=True)
class _Asked:
    """How a start was asked for: the arguments of `Living.start`."""

    wait: bool
    timeout: float
    detach: bool
    ttl: float | None
    on_failure: OnFailure | None


def check_grace(grace: float | None) -> None:
    """Raise `ValueError` for seconds without an end."""
    if grace is not None and not math.isfinite(grace):
        raise ValueError(f"cannot take grace={grace!r}: a number of seconds is expected")


class Living(Access):
    """All of `pypod.Pod` that starts a pod and ends it; `pypod.pod` has what describes one."""

    _objects: tuple[Object, ...]
    _given_engine: Engine | None
    _min_ready_seconds: float
    _traced: bool
    _leased: bool
    _pid: int

    @property
    def engine(self) -> Engine:
        """Where it runs; the default engine is asked for here, once."""
        if self._given_engine is None:
            self._given_engine = connecting.connect()
        return self._given_engine

    # its life

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pid != os.getpid():  # a forked child leaves the block: the pod is its parent's
            return
        try:
            self.stop()
        except PypodError as left:
            if error is None:
                raise
            error.add_note(str(left))

    def start(
        self,
        *,
        wait: bool = True,
        timeout: float = 60.0,
        detach: bool = False,
        ttl: float | None = None,
        trace: bool = False,
        on_failure: OnFailure | None = None,
    ) -> Self:
        """Start it, and return when every container has been started.

        On any failure, Ctrl-C included, what was made is removed again. Where this very pod is there already, of the same spec and
        owner (any, for a detached one), nothing is made: this is a handle on it, and it is waited for in the same way. That it
        fails then leaves it as it is.

        Args:
            wait: False: return at once; it starts by itself. What goes wrong then is in its status and events.
            timeout: seconds.
            detach: it outlives this process; the background program looks after it. Otherwise it ends with this process.
            ttl: seconds for which a detached one lives from when it was started; None: until it is removed. For one that is there
                already its end is put off to that, where it is not later anyway.
            trace: record what takes how long, for `trace`; so does the constructor's.
            on_failure: is told why it cannot be started, Ctrl-C included, while what was made of it is still there to be looked at;
                not that the name is taken, since nothing is there of it then. Where it answers True, a detached one stays, and the
                background program goes on with it.

        Raises:
            ValueError: a time to live for a pod that is not detached, or one that is no positive number.
            PodStartError: a container cannot be started or keeps crashing.
            PodExistsError: a pod of that name runs, with another spec or another owner.
            PodTimeoutError: it was not started in time.
            SpecError: one of its `objects` cannot be changed in this way.
            EngineUnavailableError: no engine answers.
            EngineError: the engine failed.
        """
        if self._sync is not None:
            raise PodExistsError(f"cannot start pod '{self._full}': it was started already", pod=self._full)
        expiring.check(ttl, detach=detach)
        # One that the background program brings up is not recorded here.
        traced = (trace or self._traced) and (wait or not detach)
        tracer = self._tracer = Tracer(self._full) if traced else UNTRACED
        with tracer.timed("start", detail=False):
            asked = _Asked(wait, timeout, detach, ttl, on_failure)
            same = self._prepare(tracer, asked)
            if same is None:
                same = self._make_or_find(tracer, asked)
            if same is not None:
                self._take(same, asked)
        return self

    def _prepare(self, tracer: Untraced, asked: _Asked) -> PodSync | None:
        """What comes before anything is made; the same pod, where it is there already."""
        with tracer.timed("connect"):
            engine = self.engine
        with tracer.timed("sweep"):
            background.sweep_once(engine)
        if self._objects:
            with tracer.timed("apply objects"):
                storing.apply(*self._objects, engine=engine)
        return self._find(tracer, asked)

    def _find(self, tracer: Untraced, asked: _Asked) -> PodSync | None:
        with tracer.timed("look for the name"):
            same = existing.find_same(self.engine, self._spec, detach=asked.detach)
        if same is not None and asked.detach and not expiring.renew(same, asked.ttl):
            existing.finish(same)  # it came to its end at this moment
            return None
        return same

    def _make_or_find(self, tracer: Untraced, asked: _Asked) -> PodSync | None:
        """Make it; the same pod, where somebody else has made it since the name was looked for. The engine lets one of them have
        the name, and what came of the others' is removed by then. Where that one has gone again meanwhile, it is made after all."""
        for is_last in (False, False, True):
            try:
                self._make(tracer, asked)
            except PodExistsError:
                same = self._find(tracer, asked)
                if same is not None:
                    return same
                if is_last:
                    raise
            else:
                break
        return None

    def _make(self, tracer: Untraced, asked: _Asked) -> None:
        engine = self.engine
        key = PodKey(self._spec.namespace, self._spec.name, str(uuid.uuid4()))
        identity = PodIdentity(key, current_owner(), leased=not asked.detach, ttl=asked.ttl)
        sync = self._sync = PodSync(
            engine, Desired(self._spec, identity), reach=self._reach, making=True, tracer=tracer
        )
        self._leased, self._pid = not asked.detach, os.getpid()
        if self._leased:
            lifetime.own(sync)
        supervisor_of(engine).watch(key.uid, sync)
        if asked.detach:  # should this process be killed on the way, it takes over
            background.ensure_running(engine)
        try:
            if asked.wait:
                starting.start(sync, timeout=asked.timeout, min_ready_seconds=self._min_ready_seconds)
            elif asked.detach:
                starting.begin(sync, timeout=asked.timeout)
            self._hand_over(sync, asked.ttl)
        except BaseException as error:
            stays = False
            try:
                tell = None if isinstance(error, PodExistsError) else asked.on_failure
                stays = tell is not None and tell(error)
            finally:
                if stays and asked.detach:
                    self._hand_over(sync, asked.ttl)
                else:
                    self._undo(error)
            raise

    def _take(self, sync: PodSync, asked: _Asked) -> None:
        """The pod is there already, and somebody else's to bring up."""
        self._sync, self._leased, self._pid = sync, not asked.detach, os.getpid()
        try:
            if asked.detach:
                background.ensure_running(sync.engine)
            if asked.wait:
                starting.look_on(
                    sync, self.refresh, timeout=asked.timeout, min_ready_seconds=self._min_ready_seconds
                )
        except BaseException:
            self._sync, self._leased = None, False
            raise

    def wait_started(self, timeout: float = 60.0) -> Self:
        """Wait for one that was started with ``wait=False``, in the same way and with the same errors as `start` does. That it fails
        leaves it as it is.

        Raises:
            PodStartError: a container cannot be started or keeps crashing.
            PodTimeoutError: it was not started in time.
            EngineError: the engine failed.
        """
        starting.look_on(
            self._started(), self.refresh, timeout=timeout, min_ready_seconds=self._min_ready_seconds
        )
        return self

    def _hand_over(self, sync: PodSync, ttl: float | None) -> None:
        if self._leased:
            supervisor_of(sync.engine).add(sync)
        else:
            handing.hand_over(sync, ttl)
            supervisor_of(sync.engine).remove(self.uid)
            sync.release()
            sync.channel.close()
        background.ensure_running(sync.engine)

    def _undo(self, error: BaseException) -> None:
        """Remove what a failed start made. Its own error wins."""
        try:
            self.stop(grace=0)
        except (PypodError, KeyboardInterrupt) as left:
            if self._sync is not None:
                lifetime.leave(self._sync)
            error.add_note(f"while removing it again: {str(left) or 'interrupted'}")

    def stop(self, grace: float | None = None) -> None:
        """Remove it: stop signals to all members, SIGKILL after the grace, then everything that the pod had.

        A KeyboardInterrupt (a second Ctrl-C) ends the grace at once.

        Args:
            grace: seconds; None: as the spec says.

        Raises:
            ValueError: a grace without an end.
            TeardownError: something is still on the engine.
            EngineUnavailableError: no engine answers.
        """
        check_grace(grace)
        if self._sync is not None:
            with self._tracer.timed("stop", detail=False):
                self._stop(self._sync, grace)

    def _stop(self, sync: PodSync, grace: float | None) -> None:
        care = supervisor_of(sync.engine)
        gone = care.remove(self.uid)
        if gone is not None and gone is not sync:  # the background program's, where it runs in this process
            gone.channel.close()
        sync.release()
        if self._door is not None:
            self._door.close()
            self._door = None
        seconds = self._spec.termination_grace_period_seconds if grace is None else grace
        if lifetime.owned(self.uid) is None:
            existing.read_journal(sync)
        key = sync.desired.identity.key
        teardown = Teardown(
            sync.engine,
            key,
            grace=seconds,
            spec=self._spec,
            channel=sync.channel,
            tracer=self._tracer,
            reach=self._reach,
        )
        if seconds > 0:  # without grace no end is waited for
            care.watch(key.uid, teardown)
        try:
            teardown.run()
        except BaseException:
            if self._leased:  # of a detached one the background program lives, and goes on with it
                lifetime.leave(sync)
            raise
        else:
            lifetime.disown(self.uid)
        finally:
            care.remove(key.uid)
            sync.channel.close()
            self._leased = False
        sync.note_removed()

    def __del__(self) -> None:
        if self._leased and self._pid == os.getpid() and lifetime.owned(self.uid) is self._sync:
            text = f"pod '{self._full}' was started and not stopped; it ends with the process"
            warnings.warn(text, ResourceWarning, 2)

    def plan(self) -> Plan:
        """What would be done for it now, from a fresh look; nothing is touched.

        Raises:
            EngineError: the engine could not be read.
        """
        return self._sync.plan() if self._sync is not None else existing.dry_run(self.engine, self._spec)
