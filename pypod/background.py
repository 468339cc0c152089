"""The one background program of an engine and user: ``pypod supervise``.

It looks after detached pods (restarts what crashes), ends those whose time is over, and removes what dead owners left. It holds no state: it can be killed
and started again at any time. It is elected by a lock on a file, started when a pod is, and leaves when there has been no
pod for a while.
"""

from __future__ import annotations

import contextlib
import logging
import math
import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from pypod.engine import hooks, identity, observe, owner
from pypod.engine.api import Engine
from pypod.engine.locks import state_directory, try_lock, unlock
from pypod.engine.observe import Found
from pypod.engine.pool import on_thread
from pypod.engine.sync import PodSync
from pypod.engine.teardown import Teardown
from pypod.errors import EngineError, EngineUnavailableError, NotFoundError, PypodError
from pypod.expiring import Ends
from pypod.model import naming
from pypod.model.document import codec
from pypod.model.life.desired import Desired
from pypod.model.life.journal import KeptUntil
from pypod.model.naming import PodIdentity
from pypod.model.wiring.state import ContainerState
from pypod.supervisor import supervisor_of
from pypod.sweeping import graceful, sweep, sweep_networks, why_left

log = logging.getLogger(__name__)

TICK = 0.5
"""Seconds between looks: two calls of about a millisecond. The death of an owner makes no event."""
AGAIN = 30.0
"""Seconds until a pod that was just removed, and is still listed, is removed again. An engine that was pressed hard goes on
listing a container that it no longer has (seen on 20.10: "Removal In Progress", and 404 to whoever asks for it)."""
RENEWALS_EVERY = 30.0
"""Seconds between looks for what others wrote into the journals of pods with a time to live: a call of a few milliseconds each."""
NETWORKS_EVERY = 10.0
"""Seconds between looks for networks that nobody is on: two calls of about a millisecond. An engine may let go of a network's last
container only seconds after that was removed, and whoever removed it has ended by then."""
IDLE = 30.0
"""Seconds without any pod after which it leaves."""
UNREACHABLE = 86400.0
"""Seconds without an answer of an engine that had pods, after which it leaves: until then the engine may come back, and these
pods with it."""
ELECTION = 1.0
"""Seconds for which a new program tries to get the lock."""
STARTING = 5.0
"""Seconds that a program may take from its start until it holds the lock."""
SWITCH = "PYPOD_BACKGROUND"
"""Set to 0 in the environment, the program is never started: then the next use of pypod removes what is left."""


def _lock_path(engine_id: str) -> Path:
    safe = "".join(c if c.isalnum() else "-" for c in engine_id)
    return state_directory() / f"supervise-{safe}.lock"


@contextlib.contextmanager
def _elected(engine_id: str) -> Iterator[bool]:
    """Whether this process is the one; the lock goes with the process, however it ends."""
    file = _lock_path(engine_id).open("a")
    try:
        yield try_lock(file)  # on Windows leases alone end pods
    finally:
        unlock(file)


def is_running(engine: Engine) -> bool:
    """Whether the background program of this engine and user runs."""
    with _elected(identity.engine_identity(engine).id) as free:
        return not free


_spawned: dict[Path, tuple[int, float]] = {}
"""The process ID of the program that this process started last, and when, by the lock that it is to get."""


def is_wanted() -> bool:
    """Whether there is to be one: then detached pods are looked after."""
    return os.environ.get(SWITCH) != "0" and sys.platform != "win32"


_sweeping = threading.Lock()
_swept: set[tuple[int, str]] = set()


def sweep_once(engine: Engine) -> None:
    """Remove what dead owners left, at this process' first use of the engine. Never raises: it is not what was asked for."""
    token = (os.getpid(), engine.url)
    with _sweeping:
        if token in _swept:
            return
        _swept.add(token)
    try:
        for swept in sweep(engine, overdue=not is_wanted()):
            log.info("removed %s: %s", swept.pod, swept.reason)
    except PypodError as error:
        log.warning("%s", error)


def ensure_running(engine: Engine) -> None:
    """Start it where it does not run. Never raises: without it the next use of pypod cleans up."""
    if not is_wanted():
        return
    try:
        lock = _lock_path(identity.engine_identity(engine).id)
        if not is_running(engine) and not _is_starting(lock):
            _spawned[lock] = (_spawn(engine), time.monotonic())
    except (OSError, EngineError) as error:
        log.warning("cannot start the background program: %s", error)


def _is_starting(lock: Path) -> bool:
    """A program that this process has just started does not hold its lock yet; several pods that are started in a row would
    each start another one."""
    pid, at = _spawned.get(lock, (0, 0.0))
    if not pid:
        return False
    with contextlib.suppress(ChildProcessError):  # of the process that this one was forked from
        return os.waitpid(pid, os.WNOHANG) == (0, 0) and time.monotonic() < at + STARTING
    return False


def _spawn(engine: Engine) -> int:
    import subprocess  # noqa: PLC0415 (few start one)

    with (state_directory() / "supervise.log").open("a") as output:
        program = subprocess.Popen(
            [sys.executable, "-m", "pypod", "--host", engine.url, "supervise"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            cwd="/",
        )
    program.returncode = 0  # it outlives this process: no ResourceWarning that it was not waited for
    return program.pid


def run(engine: Engine, *, idle: float = IDLE, stop: threading.Event | None = None) -> int:
    """Look after an engine until there has been no pod for ``idle`` seconds, or ``stop`` is set.

    Args:
        engine: which.
        idle: seconds; infinite for a program that a service manager keeps.
        stop: ends it.

    Returns:
        0; also where another one is at work already.
    """
    stop = stop or threading.Event()
    engine_id = identity.engine_identity(engine).id
    deadline = time.monotonic() + ELECTION
    while not stop.is_set():
        with _elected(engine_id) as mine:
            if mine:
                _keep_looking(engine, idle, stop)
                deadline = 0.0
        # A pod may have been started between the last look and the release, by somebody who saw this program at work.
        if mine and (stop.is_set() or not _has_pods(engine)):
            return 0
        if not mine and time.monotonic() > deadline:
            log.info("another one looks after %s", engine.url)
            return 0
        if not mine:  # or it was somebody who only looked whether anybody holds the lock
            stop.wait(0.05)
    return 0


def _has_pods(engine: Engine) -> bool:
    try:
        return bool(observe.find_all(engine))
    except EngineUnavailableError:
        return False


def _keep_looking(engine: Engine, idle: float, stop: threading.Event) -> None:
    caretaker = _Caretaker(engine)
    last_seen = time.monotonic()
    patience, trouble = idle, ""
    while not stop.is_set() and time.monotonic() - last_seen <= patience:
        try:
            caretaker.look()
            patience, trouble = idle, ""
            if caretaker.has_pods:
                last_seen = time.monotonic()
        except EngineError as error:
            patience = max(idle, UNREACHABLE) if caretaker.has_pods else idle
            # An outage is told of once, and not twice a second for as long as it lasts.
            what = type(error).__name__ if isinstance(error, EngineUnavailableError) else str(error)
            if what != trouble:
                log.warning("%s", error)
            trouble = what
        stop.wait(TICK)
    with contextlib.suppress(
        EngineError
    ):  # nobody may look for a long time: of an owner that died between two pods
        caretaker.sweep_networks()


class _Caretaker:
    """What one background program remembers: only what it has looked at, or removed, just now, and need not again at once.

    Attributes:
        has_pods: whether there was any pod when the engine was last read.
    """

    def __init__(self, engine: Engine) -> None:
        self.has_pods = False
        self._engine = engine
        self._ends = Ends(engine)
        self._ending: set[str] = set()
        self._removed: dict[str, float] = {}
        self._troubles: dict[str, str] = {}
        self._networks_at = 0.0
        self._renewals_at = 0.0

    def look(self) -> None:
        """One round.

        Raises:
            EngineError: the engine could not be read.
        """
        supervisor = supervisor_of(self._engine)
        every = observe.find_all(self._engine)
        present = {found.key.uid for found in every}
        for uid in supervisor.uids():
            if uid not in present and (gone := supervisor.remove(uid)) is not None:
                gone.channel.close()
        now = time.monotonic()
        self._removed = {uid: at for uid, at in self._removed.items() if uid in present and now < at + AGAIN}
        self._troubles = {uid: words for uid, words in self._troubles.items() if uid in present}
        self._ends.forget_all_but(present)
        left = [found for found in every if found.key.uid not in self._removed]
        self.has_pods = bool(left)
        for found in left:
            try:
                self._care_for(found)
            except EngineUnavailableError:
                raise
            except PypodError as error:  # one pod's trouble must not end the care for the others
                self._tell(found, error)
        if now >= self._renewals_at:
            self._renewals_at = now + RENEWALS_EVERY
            for found in left:
                _note_renewal(self._engine, found)
        if now >= self._networks_at:
            self._networks_at = now + NETWORKS_EVERY
            self.sweep_networks()

    def _tell(self, found: Found, error: PypodError) -> None:
        """Once, and not twice a second: a description that cannot be read stays so."""
        if self._troubles.get(found.key.uid) != str(error):
            self._troubles[found.key.uid] = str(error)
            log.warning("cannot look after pod %s: %s", found.key.full_name, error)

    def sweep_networks(self) -> None:
        """Remove those that nobody is on.

        Raises:
            EngineError: the engine could not be read.
        """
        for name in sweep_networks(self._engine):
            log.info("removing network %s: no pod is on it", name)

    def _care_for(self, found: Found) -> None:
        uid = found.key.uid
        if reason := why_left(self._engine, found):
            log.info("removing pod %s: %s", found.key.full_name, reason)
            self._removed[uid] = time.monotonic()
            Teardown(self._engine, found.key).run()
        elif uid in self._ending:
            return
        elif reason := self._ends.why_over(found):
            log.info("removing pod %s: %s", found.key.full_name, reason)
            self._ending.add(uid)  # it has its grace, for which the other pods do not wait
            on_thread(lambda: self._end(found), "pypod-end")
        elif uid not in supervisor_of(self._engine):
            _adopt(self._engine, found)

    def _end(self, found: Found) -> None:
        try:
            graceful(self._engine, found).run()
        except PypodError as error:
            log.warning("cannot remove pod %s: %s", found.key.full_name, error)
        finally:
            self._ending.discard(found.key.uid)


def _note_renewal(engine: Engine, found: Found) -> None:
    """Other processes write into a pod's journal until when they want it: should it get a new sandbox, that one is told it too."""
    pod = supervisor_of(engine).pod(found.key.uid)
    if pod is None or found.pause is None or not found.pause.is_live:
        return
    if naming.ttl_of(found.pause.labels) is None:
        return
    with contextlib.suppress(NotFoundError):  # it went meanwhile
        told = observe.read_history(engine, found.pause.id).kept_until
        if told is not None and told > (pod.channel.history.kept_until or 0.0):
            pod.channel.write(KeptUntil(time.time(), 0.0 if math.isinf(told) else told))


def _adopt(engine: Engine, found: Found) -> None:
    """Look after a detached pod; one whose sandbox has ended (the engine was restarted) gets a new one."""
    pause = found.pause
    if pause is None or pause.state is ContainerState.CREATED or naming.is_leased(pause.labels):
        return
    if naming.deletion_deadline(pause.name) is not None:
        return
    pod = described(engine, found)
    if pod is None:
        return
    history = observe.read_history(engine, pause.id)
    if not history.handed_over and owner.is_alive(pod.desired.identity.owner):  # its starter is at it
        return
    pod.channel.adopt(history, pause.name)
    if pause.is_live:
        pod.channel.attach(pause.name, engine.attach_stdin)
    hooks.give_up_lost(pod.channel, time.time())
    supervisor_of(engine).add(pod)


def described(engine: Engine, found: Found) -> PodSync | None:
    """A pod as its labels describe it; None where they do not."""
    pause = found.pause
    owner = naming.owner_of(pause.labels) if pause is not None else None
    if pause is None or owner is None or naming.SPEC not in pause.labels:
        return None
    spec = codec.load_spec(pause.labels[naming.SPEC])
    leased, ttl = naming.is_leased(pause.labels), naming.ttl_of(pause.labels)
    identity = PodIdentity(found.key, owner, leased=leased, ttl=ttl)
    return PodSync(engine, Desired(spec, identity))
