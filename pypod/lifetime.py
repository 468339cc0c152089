"""The pods that belong to this process: they end with it.

At interpreter exit all leases are closed first, which ends every pod with a shared PID space at once; then the remains are
removed on the calling thread, since thread pools refuse work by then. A forked child owns none of its parent's pods.

What could not be removed when that was tried (the engine did not answer) is tried again when its name is wanted, and at the exit:
its owner lives, so nobody else takes it for abandoned, and looks after it no more, so it would be waited for in vain.
"""

from __future__ import annotations

import atexit
import logging
import os
import threading

from pypod.engine.sync import PodSync
from pypod.engine.teardown import Teardown
from pypod.errors import PypodError

log = logging.getLogger(__name__)

_lock = threading.Lock()
_owned: dict[str, PodSync] = {}
_left: dict[str, PodSync] = {}
_pid = os.getpid()


def own(pod: PodSync) -> None:
    """This pod ends with this process."""
    with _lock:
        _owned[pod.desired.identity.key.uid] = pod


def disown(uid: str) -> None:
    """It is gone, or somebody else's."""
    with _lock:
        _owned.pop(uid, None)
        _left.pop(uid, None)


def leave(pod: PodSync) -> None:
    """It was to be removed, and could not be."""
    with _lock:
        _owned.pop(pod.desired.identity.key.uid, None)
        _left[pod.desired.identity.key.uid] = pod


def is_left(uid: str) -> bool:
    """Whether this process had to leave remains of it."""
    return uid in _left


def owned(uid: str) -> PodSync | None:
    """The pod, if this process looks after it."""
    return _owned.get(uid)


@atexit.register
def _end_all() -> None:
    if _pid != os.getpid():
        return
    with _lock:
        pods = [*_owned.values(), *_left.values()]
        _owned.clear()
        _left.clear()
    for (
        pod
    ) in pods:  # or its supervisor would take the end of the lease for a sandbox that died, and make another
        pod.release(wait=False)
    for pod in pods:
        if not pod.desired.spec.network:  # from an isolated one they go one by one (`pypod.engine.gate`)
            pod.channel.close()
    for pod in pods:
        try:
            Teardown(pod.engine, pod.desired.identity.key, spec=pod.desired.spec, pool=None).run()
        except PypodError as error:
            log.warning("%s", error)


def _after_fork_in_child() -> None:
    global _lock, _pid  # noqa: PLW0603 (a lock that another thread held at the fork stays locked in the child)
    _lock = threading.Lock()
    _owned.clear()
    _left.clear()
    _pid = os.getpid()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
