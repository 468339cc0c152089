"""Pods ahead of time: the next ones of one description are started in the background, so that nobody waits for one.

One thread keeps a pool: it begins starts and removals, each on a thread of its own, since both mostly wait for the engine. It
asks the engine nothing: how a pod in stock is doing is what this process' supervisor knows of it anyway.
"""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import threading
import time
import weakref
from collections.abc import Iterator
from functools import partial
from types import TracebackType
from typing import NamedTuple, Self

from pypod import lifetime, starting
from pypod.engine.api import Engine
from pypod.engine.pool import Task, on_thread
from pypod.errors import (
    PodTimeoutError,
    PoolError,
    PypodError,
    TeardownError,
    spec_error,
)
from pypod.living import check_grace
from pypod.model.life.status import Phase
from pypod.model.spec.pod import PodSpec
from pypod.model.validation import copies
from pypod.pod import Pod
from pypod.stock import Health, Stock, may_heal

log = logging.getLogger(__name__)

MADE_AT_ONCE = 4
"""Pods whose containers are being made at the same time, at most, and only while as many wait for one; otherwise it is one. On two busy
cores a second one at a time is little gain (1.3 to 1.6 pods a second, and 1.6 to 2.0), and a test beside it takes 1.35 times as long as
alone, where beside one it takes 1.22 times (measured). One whose containers run does not count, however long it takes to become ready."""
REMOVED_AT_ONCE = 16
"""Removals under way, at most. They mostly wait for programs to end."""
LOOK = 1.0
"""Seconds between looks whether what is in stock is as it came: a look is in memory."""
GLANCE = 0.03
"""The same while one is being made, and another is to follow as soon as its containers run."""
SLACK = 35.0
"""Seconds that removals have beyond the grace; a removal gives up by itself after 30."""
EXIT = 5.0
"""Seconds that starts have to be given up, at the end of the process; then their pods go with its leases."""


class _Ready(NamedTuple):
    """One in stock, and how it was when it came."""

    pod: Pod
    came: Health

    def is_as_it_came(self) -> bool:
        return Health.at(self.pod.status) == self.came


class PodPool:
    """Has the next pods of one description Ready before they are asked for; hands each out once; removes used ones in the background.

    Used with ``with``, it begins on entry and is closed on exit. Any number of threads may use it at once. Its pods end with this
    process, like all that are not detached. A forked child has no part in it.

    Args:
        pod: a description: a `Pod`, which is not started by this, or a `PodSpec`. What is taken has names that are made of its
            name, ``shop-x7k2p``.
        size: how many are to be Ready and waiting.
        engine: where they run; None: where the `Pod` would, else the default engine.
        start_timeout: seconds that each may take to become Ready.
        grace: seconds that used ones have to end; None: as the description says. Those that nobody took are killed at once.

    Raises:
        SpecError: there cannot be several such pods at a time: it has a fixed port of the engine's host. The field is named.
        ValueError: a size below 1, or a grace without an end.
    """

    def __init__(
        self,
        pod: Pod | PodSpec,
        size: int = 2,
        *,
        engine: Engine | None = None,
        start_timeout: float = 60.0,
        grace: float | None = None,
    ) -> None:
        if size < 1:
            raise ValueError(f"cannot keep a pool of {size} pods: 1 or more are expected")
        check_grace(grace)
        self._template = Pod.from_spec(pod) if isinstance(pod, PodSpec) else pod
        self._template.another()  # a name that is too long to be added to is refused here
        if problems := copies.obstacles(self._template.spec):
            raise spec_error(f"pool of pod '{self._template.name}'", problems)
        self._engine = engine
        self._start_timeout = start_timeout
        self._grace = grace
        self._pid = os.getpid()
        self._changed = threading.Condition()
        self._stock: Stock[_Ready] = Stock(size, may_heal)
        self._waiters = 0
        self._starting: list[Pod] = []
        self._used: weakref.WeakSet[Pod] = weakref.WeakSet()
        """Handed out, and not given back."""
        self._doomed: list[tuple[Pod, float | None]] = []
        """To be removed, with their grace."""
        self._removing: list[Pod] = []
        self._left: dict[Pod, BaseException] = {}
        """What could not be removed, and why."""
        self._keeper = False
        self._closed = False

    def __repr__(self) -> str:
        counts = f"{len(self._stock)} ready, {len(self._starting)} starting, {len(self._used)} taken"
        return f"<PodPool {self._full} {'closed' if self._closed else counts}>"

    @property
    def _full(self) -> str:
        return self._template.spec.full_name

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.close()
        except TeardownError as left:
            if error is None:
                raise
            error.add_note(str(left))

    def start(self) -> Self:
        """Begin to fill it, in the background; `take` does so too.

        Raises:
            PoolError: it is closed, or another process'.
        """
        self._check_process()
        with self._changed:
            self._check_open()
            self._keep()
        return self

    # taking, and giving back

    def take(self, timeout: float = 60.0) -> Pod:
        """A pod that is Ready and that nobody had before; another one is begun in its place.

        Where one waits in stock, this asks the engine nothing. Who takes it ends it: by `discard`, or as any pod.

        Args:
            timeout: seconds, where none is ready.

        Raises:
            PodError, EngineError, SpecError: why the last one could not be started, as `Pod.start` has it, at once. A further try is
                made where it may heal, and only when somebody takes: see the page about pools.
            PodTimeoutError: none became ready in time.
            PoolError: it is closed, or another process'.
        """
        self._check_process()
        deadline = time.monotonic() + timeout
        with self._changed:
            self._waiters += 1
            try:
                while True:
                    self._check_open()
                    self._sort_out()
                    try:
                        found = self._stock.take()
                    finally:
                        self._keep()
                    if found is not None:
                        self._used.add(found.pod)
                        return found.pod
                    left = deadline - time.monotonic()
                    if left <= 0:
                        raise self._timeout(timeout)
                    self._changed.wait(min(left, threading.TIMEOUT_MAX))
            finally:
                self._waiters -= 1

    def discard(self, pod: Pod) -> None:
        """Have a pod that was taken removed, in the background. Where it cannot be, `close` says so.

        Raises:
            PoolError: it was not taken from here, or was given back already.
            TeardownError, EngineError: the pool is closed, so it was removed here and now, and something is left.
        """
        if self._pid != os.getpid():  # a forked child: the pod is its parent's
            return
        with self._changed:
            if pod not in self._used:
                raise PoolError(
                    f"cannot discard pod '{pod.spec.full_name}': it was not taken from this pool of '{self._full}', "
                    "or was discarded already"
                )
            self._used.discard(pod)
            is_closed = self._closed
            if not is_closed:
                self._doomed.append((pod, self._grace))
                self._keep()
        if is_closed:
            pod.stop(self._grace)

    @contextlib.contextmanager
    def pod(self, timeout: float = 60.0) -> Iterator[Pod]:
        """For one block: `take`, and then `discard`."""
        taken = self.take(timeout)
        try:
            yield taken
        finally:
            self.discard(taken)

    def close(self, timeout: float | None = None) -> None:
        """Remove what is waiting, give up what is being started, and wait until all that was discarded is removed. Pods that are still in
        use stay their takers'.

        A KeyboardInterrupt ends the grace of what is being removed, and is raised when that is done. Closing it again waits again,
        and tries again to remove what was left.

        Args:
            timeout: seconds; None: the grace and half a minute.

        Raises:
            TeardownError: something is still on the engine, or still being removed when the time was up.
        """
        if self._pid != os.getpid():
            return
        spec_grace = self._template.spec.termination_grace_period_seconds
        if timeout is None:
            timeout = (spec_grace if self._grace is None else self._grace) + SLACK
        deadline = time.monotonic() + timeout
        interrupt: KeyboardInterrupt | None = None
        self._shut()
        while True:
            try:
                self._wait_until_empty(deadline)
                break
            except KeyboardInterrupt as error:
                interrupt = error
                self._hurry()
        with self._changed:
            pending = [pod for pod, _ in self._doomed] + self._removing + self._starting
            leftovers = [(f"pod {pod.spec.full_name}", str(error)) for pod, error in self._left.items()]
        leftovers += [(f"pod {pod.spec.full_name}", f"not removed in {timeout:g} s") for pod in pending]
        if leftovers:
            left = TeardownError(f"the pool of pod '{self._full}'", leftovers)
            if interrupt is None:
                raise left
            interrupt.add_note(str(left))
        if interrupt is not None:
            raise interrupt

    def _shut(self) -> None:
        with self._changed:
            self._closed = True
            self._doomed += [(each.pod, 0.0) for each in self._stock.empty()]
            self._doomed += [(pod, self._grace) for pod in self._left]
            self._left.clear()
            if self._doomed:
                self._keep()
            self._changed.notify_all()

    def _wait_until_empty(self, deadline: float) -> None:
        while True:
            with self._changed:
                self._give_up_starts()
                left = deadline - time.monotonic()
                if left <= 0 or not (self._doomed or self._removing or self._starting):
                    return
                # A start can be given up only when it has got to the engine: so it is tried again.
                self._changed.wait(min(left, GLANCE if self._starting else threading.TIMEOUT_MAX))

    def _give_up_starts(self) -> None:
        """It ends with an error, and undoes what it did."""
        for pod in self._starting:
            sync = lifetime.owned(pod.uid)
            if sync is not None:
                sync.release(wait=False)

    def _hurry(self) -> None:
        """No more grace: a second removal of the same pod, without any, ends the first one's."""
        with self._changed:
            self._grace = 0.0
            self._doomed = [(pod, 0.0) for pod, _ in self._doomed]
            under_way = list(self._removing)
        for pod in under_way:
            on_thread(partial(_kill, pod), "pypod-pool")

    def _abandon(self, timeout: float) -> None:
        """The process is at its end: begin nothing more, and let what was begun be given up."""
        if self._pid != os.getpid():
            return
        deadline = time.monotonic() + timeout
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            while self._starting and (left := deadline - time.monotonic()) > 0:
                self._give_up_starts()
                self._changed.wait(min(left, GLANCE))

    def _check_process(self) -> None:
        if self._pid != os.getpid():  # its lock may have been held at the fork, and its threads are not here
            raise PoolError(
                f"cannot use the pool of pod '{self._full}': it is the parent process', make one here"
            )

    def _check_open(self) -> None:
        if self._closed:
            raise PoolError(f"cannot use the pool of pod '{self._full}': it is closed")

    def _timeout(self, timeout: float) -> PodTimeoutError:
        words = "none is being started"
        if self._starting:
            pod = self._starting[0]
            words = f"pod '{pod.name}' is being started: {starting.describe_unready(pod.status, pod.history)}"
        message = f"cannot take a pod of '{self._full}' in {timeout:g} s: none is ready; {words}"
        return PodTimeoutError(message, pod=self._full)

    # keeping: all below is called with the lock held, but for what has a thread of its own

    def _keep(self) -> None:
        """Let the keeper see to it."""
        if not self._keeper:
            try:
                threading.Thread(target=self._keep_on, name="pypod-pool", daemon=True).start()
            except RuntimeError:  # 3.12: at interpreter shutdown, where `pypod.lifetime` removes what is left
                if not self._closed:
                    raise
                return
            self._keeper = True
            _pools.add(self)
        self._changed.notify_all()

    def _keep_on(self) -> None:
        """The keeper's life: until the pool is closed and all that is to go is on its way. It gives threads without holding the lock,
        which who takes is waiting for."""
        while True:
            with self._changed:
                tasks = self._due()
                if self._closed and not self._doomed and not tasks:
                    self._keeper = False
                    return
                if not tasks:
                    self._changed.wait(self._pause())
            for task in tasks:
                on_thread(task, "pypod-pool")

    def _due(self) -> list[Task]:
        """What is to be begun now; it counts as begun."""
        self._sort_out()
        tasks: list[Task] = []
        while self._doomed and len(self._removing) < REMOVED_AT_ONCE:
            pod, grace = self._doomed.pop(0)
            self._removing.append(pod)
            tasks.append(partial(self._remove, pod, grace))
        while not self._closed and self._stock.wanted() and self._may_make_one_more():
            self._stock.begin()
            pod = self._template.another(engine=self._engine)
            self._starting.append(pod)
            tasks.append(partial(self._start, pod))
        return tasks

    def _pause(self) -> float | None:
        """Until the next look, where nobody says anything before."""
        if self._starting and self._stock.wanted():
            return GLANCE
        return LOOK if self._stock else None

    def _may_make_one_more(self) -> bool:
        made = sum(pod.status.phase is Phase.PENDING for pod in self._starting)
        return made < max(1, min(self._waiters, MADE_AT_ONCE))

    def _sort_out(self) -> None:
        for lost in self._stock.sort_out(_Ready.is_as_it_came):
            log.info("pod %s did not keep while it waited: %s", lost.pod.name, lost.pod.status.summary)
            self._doomed.append((lost.pod, 0.0))

    def _start(self, pod: Pod) -> None:
        """On a thread of its own."""
        error: BaseException | None = None
        try:
            pod.start(timeout=self._start_timeout)
        except BaseException as caught:  # whatever it is: it is raised to who takes
            caught.add_note(f"while PodPool started it in the background, for the pool of pod '{self._full}'")
            error = caught
        with self._changed:
            self._starting.remove(pod)
            if error is not None:
                self._stock.fail(error)
                self._doomed.append(
                    (pod, 0.0)
                )  # it has undone what it did; where it could not, `close` tells
                self._keep()
                log.info("%s", error)
            elif self._closed:
                self._doomed.append((pod, 0.0))
                self._keep()
            else:
                self._stock.put(_Ready(pod, Health.at(pod.status)))
            self._changed.notify_all()

    def _remove(self, pod: Pod, grace: float | None) -> None:
        """On a thread of its own."""
        error: BaseException | None = None
        try:
            pod.stop(grace)
        except BaseException as caught:  # nobody above would hear of it; `close` tells
            log.warning("%s", caught)
            error = caught
        with self._changed:
            self._removing.remove(pod)
            if error is not None:
                self._left[pod] = error
            self._changed.notify_all()


def _kill(pod: Pod) -> None:
    """Who removes it already tells what is left."""
    with contextlib.suppress(PypodError):
        pod.stop(0.0)


_pools: weakref.WeakSet[PodPool] = weakref.WeakSet()


@atexit.register  # after `pypod.lifetime` has, so that this comes first
def _abandon_all() -> None:
    for pool in list(_pools):
        pool._abandon(EXIT)
