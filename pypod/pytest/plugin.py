"""What pytest finds as the plugin ``pypod``: options, marker and hooks. It imports nothing that a suite without pods would pay for."""

from __future__ import annotations

from collections.abc import Generator

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


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fixtures are over: whatever is still there goes."""
    run = current.peek(session.config)
    if run is not None:
        for problem in run.close():
            session.config.issue_config_time_warning(pytest.PytestWarning(problem), 2)
