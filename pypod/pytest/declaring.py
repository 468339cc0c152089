"""`pod_fixture`: a pod as a fixture, declared at module level."""

from __future__ import annotations

import contextlib
import inspect
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import FrameType, FunctionType
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import pytest

from pypod.pytest.current import is_on
from pypod.pytest.factory import enter_fixture
from pypod.pytest.wishes import Maker, Source, Wish

if TYPE_CHECKING:
    from pypod.pod import Pod

Scope: TypeAlias = Literal["session", "package", "module", "class", "function"]
OWN = ("self", "request")
"""Arguments of a maker that are no fixtures of the suite's."""


def pod_fixture(
    source: Source | Maker | None = None,
    *,
    scope: Scope | Callable[[str, pytest.Config], Scope] = "function",
    name: str | None = None,
    timeout: float | None = None,
    grace: float = 0.0,
    shared: bool = False,
    pool: int = 0,
    reuse: bool | None = None,
    params: Iterable[object] | None = None,
    ids: Sequence[object | None] | Callable[[Any], object | None] | None = None,
    autouse: bool = False,
) -> Any:
    """A fixture that is a running pod, ready; it is removed at the end of its scope. It is called what it is assigned to.

        web = pod_fixture("web.yaml", scope="module")

        @pod_fixture(scope="session")
        def database(tmp_path_factory) -> Pod:        # arguments are fixtures
            return Pod("database", containers=[...])

    Args:
        source: a manifest's path, relative to the file with the declaration; its text or document; a `Pod` or `PodSpec`; or a
            function that makes one of these, with fixtures as arguments. None: with ``params`` each of them is a source; without
            this is a decorator of such a function.
        scope, params, ids, autouse: as of ``pytest.fixture``. A parameter, also an indirect one of a test, is the source; or the
            function finds it in ``request.param``.
        name: of the pod, where it is not that of the source. One that is in use gets ``-2``, ``-3`` ...
        timeout: seconds that it may take to start; None: as ``--pypod-timeout`` says.
        grace: seconds that its containers have for their end; 0: they are killed, and no preStop hook is run.
        shared: with pytest-xdist, one for all workers; of session scope only.
        pool: that many are ready ahead of time, started in the background.
        reuse: with ``--pypod-reuse``: one of an earlier run will do, and it stays; None: where the scope is ``session``.
    Raises:
        TypeError, ValueError: arguments do not fit together.
    """
    _check(source, params, scope, shared=shared, pool=pool, reuse=reuse)
    frame = sys._getframe(1)
    file = Path(frame.f_code.co_filename)
    wish = Wish("", file.parent, name, timeout, grace, shared, pool, reuse, f"{file}:{frame.f_lineno}")
    mark: Any = pytest.fixture(scope=scope, params=params, ids=ids, autouse=autouse)
    # In a class pytest binds what it finds to an instance, and warns where that is of no use: from class scope on.
    is_static = "__qualname__" in frame.f_locals and scope != "function"

    def declare(given: Source | Maker | None) -> Any:
        function = _function(given, wish, frame, is_static=is_static)
        return mark(staticmethod(function) if is_static else function)

    return declare if source is None and params is None else declare(source)


def _check(
    source: object, params: object, scope: object, *, shared: bool, pool: int, reuse: bool | None
) -> None:
    """Raise `TypeError` or `ValueError` for what makes no sense together."""
    if source is not None and params is not None and not callable(source):
        words = "each parameter is one, where no function makes it"
        raise TypeError(f"cannot take both a source and params: {words}")
    if shared and scope != "session":
        words = "scope='session' is expected"
        raise ValueError(f"cannot share a pod of scope {scope!r} between workers: {words}")
    if shared and pool:
        raise ValueError(f"cannot share a pod of a pool (pool={pool}): each pod of a pool is handed out once")
    if pool < 0:
        raise ValueError(f"cannot keep pool={pool} pods ready: a number, 0 or more, is expected")
    if reuse and (scope == "function" or pool):
        words = "of a pool: each pod of it is new" if pool else "of scope 'function': each test has a new one"
        raise ValueError(f"cannot reuse a pod {words}")


def _function(
    given: Source | Maker | None, wish: Wish, frame: FrameType, *, is_static: bool
) -> Callable[..., Iterator[Pod]]:
    """What pytest calls for the fixture: its arguments are those of the maker."""
    maker = given if callable(given) else None
    if maker is not None:
        _check_maker(maker)
    wanted = _arguments(maker) if maker is not None else []
    if is_static and "self" in wanted:
        raise TypeError(
            "cannot make a pod with 'self' in another scope than 'function': request.cls is the class"
        )

    def pod(*owner: object, request: pytest.FixtureRequest, **fixtures: object) -> Iterator[Pod]:
        __tracebackhide__ = True
        if not is_on(request.config):
            words = f"cannot start a pod for fixture {request.fixturename!r}: the plugin is off; -p pypod.pytest.plugin switches it on"
            pytest.fail(words, pytrace=False)
        engine, namespace = (request.getfixturevalue(each) for each in ("pypod_engine", "pypod_namespace"))
        source: Any = getattr(request, "param", given)
        if maker is not None:
            known = {**fixtures, "request": request, "self": owner[0] if owner else None}
            source = maker(**{each: known[each] for each in wanted})
        with contextlib.ExitStack() as stack:
            this = replace(wish, source=source, declared=f"{wish.declared} {_instance(request)}")
            yield enter_fixture(stack, request, this, engine, namespace, declared=wish.declared)

    pod.__signature__ = inspect.Signature(_parameters(wanted))  # type: ignore[attr-defined]
    _show(pod, given, frame)
    return pod


def _show(function: Any, given: Source | Maker | None, frame: FrameType) -> None:
    """What ``--fixtures`` and pytest's own errors say of it: where the suite declares it, and what it is."""
    function.__doc__ = (given.__doc__ if inspect.isfunction(given) else None) or _words(given)
    function.__module__ = frame.f_globals.get("__name__", function.__module__)
    place: Any = given
    if not inspect.isfunction(given):
        code = _nothing.__code__.replace(co_filename=frame.f_code.co_filename, co_firstlineno=frame.f_lineno)
        place = FunctionType(code, frame.f_globals)
    function.__wrapped__ = place  # pytest looks there for file and line; it calls what is around it


def _nothing() -> None:
    """Stands where a declaration has no function of its own."""


def _check_maker(maker: Maker) -> None:
    """Raise `TypeError` for a function that returns no description."""
    kinds = (
        (inspect.isgeneratorfunction, "is a generator"),
        (inspect.iscoroutinefunction, "is async"),
        (inspect.isasyncgenfunction, "is an async generator"),
    )
    for is_it, words in kinds:
        if is_it(maker):
            name = getattr(maker, "__name__", repr(maker))
            raise TypeError(
                f"cannot make pods with {name!r}: it {words}, and a function that returns what describes the pod is expected; what is "
                "to happen once it runs, or when it has ended, belongs in a fixture that takes this one"
            )


def _instance(request: pytest.FixtureRequest) -> str:
    """The fixture, and which of its parameters it is for: ``database``, ``database[1]``."""
    index = getattr(request, "param_index", 0)
    return f"{request.fixturename}[{index}]" if hasattr(request, "param") else str(request.fixturename)


def _arguments(maker: Maker) -> list[str]:
    """The names of those that it must be given."""
    return [each.name for each in inspect.signature(maker).parameters.values() if each.default is each.empty]


def _parameters(wanted: Sequence[str]) -> list[inspect.Parameter]:
    """For pytest: fixtures by keyword, and before them whatever a class passes as ``self``."""
    names = ["request", *(each for each in wanted if each not in OWN)]
    return [
        inspect.Parameter("owner", inspect.Parameter.VAR_POSITIONAL),
        *(inspect.Parameter(each, inspect.Parameter.KEYWORD_ONLY) for each in names),
    ]


def _words(given: object) -> str:
    if isinstance(given, str) and "\n" not in given:
        return f"The pod of {given}, ready."
    name = getattr(given, "name", "")
    return f"The pod {name}, ready." if isinstance(name, str) and name else "A pod, ready."
