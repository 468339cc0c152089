"""What a fixture, a marker or a factory asks for."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from pypod.pytest.uses import Use

if TYPE_CHECKING:
    from pypod.engine.api import Engine
    from pypod.model.spec.pod import PodSpec
    from pypod.pod import Pod

Source: TypeAlias = "str | os.PathLike[str] | Mapping[str, Any] | Pod | PodSpec"
"""What a pod is made of: a manifest's path (relative to the file that names it), its text (a str with a line break in it or ``{``
in front) or the document of one; a `Pod`; a `PodSpec`."""
Maker: TypeAlias = Callable[..., Source]
"""Makes one. Its arguments are fixtures."""
MARKER = "pod(source, *, name=None, timeout=None, grace=0, pool=0)"
"""What a test's marker takes."""


@dataclass(frozen=True, slots=True)
class Wish:
    """A pod that somebody wants.

    Attributes:
        source: what it is.
        base: the directory that a relative path begins at.
        name: its name; None: as the source has it.
        timeout: seconds that it may take to start; None: as ``--pypod-timeout`` says.
        grace: seconds between the stop signal and SIGKILL, at its end; 0: it is killed, and no hook is run.
        shared: one for all workers of pytest-xdist.
        pool: how many are kept ready ahead of time.
        reuse: whether one of an earlier run will do, and whether it stays; None: as ``--pypod-reuse`` says.
        declared: for ``shared``: which declaration it is of, the same text in every worker: ``/suite/conftest.py:12 database``.
    """

    source: Source
    base: Path
    name: str | None = None
    timeout: float | None = None
    grace: float = 0.0
    shared: bool = False
    pool: int = 0
    reuse: bool | None = None
    declared: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a pod is wanted, and for whom.

    Attributes:
        engine: on which engine.
        namespace: in which namespace.
        use: which tests it is for.
    """

    engine: Engine
    namespace: str
    use: Use
