"""What an engine is: asked for once, since it cannot change. And what time it is there."""

from __future__ import annotations

import time
import weakref

from pypod.engine.api import Engine
from pypod.model.wiring.state import EngineInfo

_identities: weakref.WeakKeyDictionary[Engine, EngineInfo] = weakref.WeakKeyDictionary()


def engine_identity(engine: Engine) -> EngineInfo:
    """ID, architecture and memory of an engine: asked for once, since they cannot change and ``info`` is its slowest answer."""
    if engine not in _identities:
        _identities[engine] = engine.info()
    return _identities[engine]


TIME_HOLDS = 60.0
"""Seconds after which an engine is asked again what time it is. This machine's monotonic clock stands still while the machine
sleeps, and clocks are set."""
_times: weakref.WeakKeyDictionary[Engine, tuple[float, float]] = weakref.WeakKeyDictionary()


def engine_time(engine: Engine, *, fresh: bool = False) -> float:
    """Unix seconds by the engine's clock: what several processes, on whatever machines, go by alike.

    Args:
        engine: whose.
        fresh: ask it now; else what it said within the last minute is counted on.

    Raises:
        EngineError: the engine could not be read.
    """
    asked_at, ahead = _times.get(engine, (-TIME_HOLDS, 0.0))
    begun = time.monotonic()
    if fresh or begun >= asked_at + TIME_HOLDS:
        # When it looked at its clock is not known: somewhere between question and answer, so half of that is the error.
        told, answered = engine.info().system_time or time.time(), time.monotonic()
        asked_at, ahead = _times[engine] = begun, told - (begun + answered) / 2
    return time.monotonic() + ahead


def engine_architecture(engine: Engine) -> str:
    return engine_identity(engine).architecture
