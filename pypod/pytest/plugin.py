"""What pytest finds as the plugin ``pypod``: options, marker and hooks. It imports nothing that a suite without pods would pay for."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from pypod.pytest import current, options
from pypod.pytest.uses import SETUPS

pytest_plugins = ("pypod.pytest.fixtures",)

MARKER = (
    "pod(source, *, name=None, timeout=None, grace=0): the pod that the test's fixture `pod` is. Its source is a manifest's path, "
    "relative to the test's file, its text or document, a pypod.Pod or a pypod.PodSpec."
)


def pytest_addoption(parser: pytest.Parser) -> None:
    options.register(parser)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", MARKER)
    current.configure(config)


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(
    fixturedef: pytest.FixtureDef[object], request: pytest.FixtureRequest
) -> Generator[None, object, object]:
    """Which fixtures are being set up: a pod that is started meanwhile is theirs."""
    names = request.config.stash[SETUPS].names
    names.append(fixturedef.argname)
    try:
        return (yield)
    finally:
        names.pop()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """In a controller of pytest-xdist, before a worker begins."""
    from pypod.pytest import hub  # noqa: PLC0415 (a run without workers needs none)

    node.workerinput[current.WORKER_INPUT] = node.config.stash[current.RUN_ID]
    node.workerinput[current.HUB_INPUT] = hub.for_worker(node)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fixtures are over, and so are workers: whatever is still there goes."""
    for each in (current.peek(session.config), session.config.stash.get(current.HUB, None)):
        for problem in each.close() if each is not None else ():
            session.config.issue_config_time_warning(pytest.PytestWarning(problem), 2)
