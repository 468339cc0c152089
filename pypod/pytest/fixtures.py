"""The plugin's fixtures. Each can be overridden by one of the same name in a conftest, a module or a class."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pypod.pytest.current import run_of
from pypod.pytest.factory import PodFactory, enter_fixture
from pypod.pytest.wishes import MARKER, Source, Wish

if TYPE_CHECKING:
    from pypod.engine.api import Engine
    from pypod.pod import Pod


@pytest.fixture(scope="session")
def pypod_engine(request: pytest.FixtureRequest) -> Engine:
    """The Docker Engine that pods are started on: that of --pypod-engine, else the one that the docker command takes."""
    return run_of(request.config).engine


@pytest.fixture(scope="session")
def pypod_namespace(request: pytest.FixtureRequest) -> str:
    """The namespace of this run's pods, of this worker alone: pods find each other in it by name."""
    return run_of(request.config).namespace


@pytest.fixture
def pod_factory(
    request: pytest.FixtureRequest, pypod_engine: Engine, pypod_namespace: str
) -> Iterator[PodFactory]:
    """Starts pods: pod_factory("web.yaml") is one, ready. They are removed after the test."""
    with PodFactory(request, pypod_engine, pypod_namespace) as factory:
        yield factory


@pytest.fixture(scope="class")
def class_pod_factory(
    request: pytest.FixtureRequest, pypod_engine: Engine, pypod_namespace: str
) -> Iterator[PodFactory]:
    """As pod_factory; its pods are removed after the last test of the class."""
    with PodFactory(request, pypod_engine, pypod_namespace) as factory:
        yield factory


@pytest.fixture(scope="module")
def module_pod_factory(
    request: pytest.FixtureRequest, pypod_engine: Engine, pypod_namespace: str
) -> Iterator[PodFactory]:
    """As pod_factory; its pods are removed after the last test of the module."""
    with PodFactory(request, pypod_engine, pypod_namespace) as factory:
        yield factory


@pytest.fixture(scope="package")
def package_pod_factory(
    request: pytest.FixtureRequest, pypod_engine: Engine, pypod_namespace: str
) -> Iterator[PodFactory]:
    """As pod_factory; its pods are removed after the last test of the package."""
    with PodFactory(request, pypod_engine, pypod_namespace) as factory:
        yield factory


@pytest.fixture(scope="session")
def session_pod_factory(
    request: pytest.FixtureRequest, pypod_engine: Engine, pypod_namespace: str
) -> Iterator[PodFactory]:
    """As pod_factory; its pods are removed at the end of the run."""
    with PodFactory(request, pypod_engine, pypod_namespace) as factory:
        yield factory


@pytest.fixture
def pod(request: pytest.FixtureRequest, pypod_engine: Engine, pypod_namespace: str) -> Iterator[Pod]:
    """The pod of the test's marker @pytest.mark.pod("web.yaml"), ready; it is removed after the test."""
    __tracebackhide__ = True
    wish = _marked(request)
    with contextlib.ExitStack() as stack:
        yield enter_fixture(stack, request, wish, pypod_engine, pypod_namespace)


def _marked(request: pytest.FixtureRequest) -> Wish:
    """What the nearest marker asks for; its path is relative to the test's file."""
    node: pytest.Item = request.node
    marker = node.get_closest_marker("pod")
    if marker is None:
        pytest.fail(
            f'cannot give {node.nodeid} a pod: it has no marker; @pytest.mark.pod("web.yaml") is expected',
            pytrace=False,
        )
    try:
        given = inspect.signature(_asked).bind(Path(node.path).parent, *marker.args, **marker.kwargs)
    except TypeError as error:
        words = f"cannot read the marker 'pod' of {node.nodeid}: {error}; {MARKER} is expected"
    else:
        return _asked(*given.args, **given.kwargs)
    pytest.fail(words, pytrace=False)


def _asked(
    base: Path,
    /,
    source: Source,
    *,
    name: str | None = None,
    timeout: float | None = None,
    grace: float = 0.0,
    pool: int = 0,
) -> Wish:
    """What a marker may say."""
    return Wish(source, base, name=name, timeout=timeout, grace=grace, pool=pool)
