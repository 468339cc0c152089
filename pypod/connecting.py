"""Which engine is meant. What talks to one is imported here, when one is first asked for, and not before."""

from __future__ import annotations

import logging
import os
import threading

from pypod.engine.api import Engine
from pypod.errors import PypodError
from pypod.sweeping import sweep

log = logging.getLogger(__name__)

_lock = threading.Lock()
_swept: set[tuple[int, str]] = set()


def connect(url: str | None = None) -> Engine:
    """An engine, one shared object each and process.

    Args:
        url: ``unix:///var/run/docker.sock``, ``tcp://host:2375``, ``ssh://user@host``; None: as the docker CLI finds it:
            ``DOCKER_HOST``, the current docker context, the default socket.

    Raises:
        EngineUnavailableError: nobody answers there.
    """
    from pypod.engine import docker_engine  # noqa: PLC0415 (what this function is for)

    return docker_engine.connect(url)


def sweep_once(engine: Engine) -> None:
    """Remove what dead owners left, at this process' first use of the engine. Never raises: it is not what was asked for."""
    token = (os.getpid(), engine.url)
    with _lock:
        if token in _swept:
            return
        _swept.add(token)
    try:
        from pypod import background  # noqa: PLC0415 (whoever only connects does not pay for it)

        for swept in sweep(engine, overdue=not background.is_wanted()):
            log.info("removed %s: %s", swept.pod, swept.reason)
    except PypodError as error:
        log.warning("%s", error)
