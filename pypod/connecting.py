"""Which engine is meant. What talks to one is imported here, when one is first asked for, and not before."""

from __future__ import annotations

from pypod.engine.api import Engine


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
