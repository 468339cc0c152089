"""What an engine is: asked for once, since it cannot change."""

from __future__ import annotations

import weakref

from pypod.engine.api import Engine
from pypod.model.wiring.state import EngineInfo

_identities: weakref.WeakKeyDictionary[Engine, EngineInfo] = weakref.WeakKeyDictionary()


def engine_identity(engine: Engine) -> EngineInfo:
    """ID, architecture and memory of an engine: asked for once, since they cannot change and ``info`` is its slowest answer."""
    if engine not in _identities:
        _identities[engine] = engine.info()
    return _identities[engine]


def engine_architecture(engine: Engine) -> str:
    return engine_identity(engine).architecture
