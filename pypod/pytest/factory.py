"""Starting pods from a test or a fixture, as many as it likes."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import pytest

from pypod.errors import PypodError
from pypod.pytest.current import run_of
from pypod.pytest.uses import SETUPS
from pypod.pytest.wishes import Place, Source, Wish

if TYPE_CHECKING:
    from pypod.engine.api import Engine
    from pypod.pod import Pod


class PodFactory:
    """Starts pods that end with the factory's scope: what the fixtures ``pod_factory`` and ``session_pod_factory`` ... are.

    Args:
        request: of the fixture that it is.
        engine: where pods are started.
        namespace: and in which namespace.
    """

    def __init__(self, request: pytest.FixtureRequest, engine: Engine, namespace: str) -> None:
        self._request = request
        self._engine = engine
        self._namespace = namespace
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def __call__(
        self,
        source: Source,
        *,
        name: str | None = None,
        timeout: float | None = None,
        grace: float = 0.0,
        pool: int = 0,
        reuse: bool | None = None,
    ) -> Pod:
        """Start a pod, and wait until it is ready.

        Args:
            source: a manifest's path (relative to the file that calls), its text or its document; a `pypod.Pod`, which is not
                started itself but another one like it; a `pypod.PodSpec`.
            name, timeout, grace, pool, reuse: see `pypod.pytest.pod_fixture`.

        Raises:
            PodStartError: a container cannot be started, its image cannot be had, or it keeps crashing: at once, with the reason.
            PodTimeoutError: it was not ready in time.
            ManifestError, SpecError: its description is wrong.
            EngineError: the engine failed.
        """
        __tracebackhide__ = True
        base = Path(sys._getframe(1).f_code.co_filename).parent
        wish = Wish(source, base, name=name, timeout=timeout, grace=grace, pool=pool, reuse=reuse)
        return enter(self._stack, self._request, wish, self._engine, self._namespace)


def enter(
    stack: contextlib.ExitStack,
    request: pytest.FixtureRequest,
    wish: Wish,
    engine: Engine,
    namespace: str,
) -> Pod:
    """A pod for as long as the stack lasts. What pypod raises comes without pypod's own lines, but for ``--full-trace``; so does a
    manifest that cannot be read, and a time-out of pytest-timeout, which is raised wherever a start is at that moment."""
    __tracebackhide__ = True
    use = request.config.stash[SETUPS].use(request)
    try:
        return stack.enter_context(run_of(request.config).serve(wish, Place(engine, namespace, use)))
    except (PypodError, OSError, pytest.fail.Exception) as error:
        if request.config.getoption("fulltrace", default=False):
            raise
        raise error.with_traceback(None)  # noqa: B904 (it is the same error, with the cause that it has)


def enter_fixture(
    stack: contextlib.ExitStack,
    request: pytest.FixtureRequest,
    wish: Wish,
    engine: Engine,
    namespace: str,
    *,
    declared: str = "",
) -> Pod:
    """As `enter`, of a fixture that is a pod itself: no line of the suite's is on the way, so the error says where it is declared."""
    __tracebackhide__ = True
    try:
        return enter(stack, request, wish, engine, namespace)
    except (PypodError, OSError) as error:
        note = f"fixture {request.fixturename!r}, declared at {declared}"
        if declared and note not in getattr(error, "__notes__", ()):  # a pool may raise the same one again
            error.add_note(note)
        if not request.config.getoption("fulltrace", default=False):
            request.config.stash[SETUPS].refused = error
        raise
