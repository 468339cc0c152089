"""What pytest finds as the plugin ``pypod``: options, marker and hooks. It imports nothing that a suite without pods would pay for."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from pypod.pytest import current, options
from pypod.pytest.uses import SETUPS
from pypod.pytest.wishes import MARKER

pytest_plugins = ("pypod.pytest.fixtures", "pypod.pytest.tracebacks")

MARKER_HELP = (
    f"{MARKER}: the pod that the test's fixture `pod` is. Its source is a manifest's path, relative to the test's file, its text or "
    "document, a pypod.Pod or a pypod.PodSpec."
)


def pytest_addoption(parser: pytest.Parser) -> None:
    options.register(parser)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", MARKER_HELP)
    current.configure(config)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_fixture_setup(
    fixturedef: pytest.FixtureDef[object], request: pytest.FixtureRequest
) -> Generator[None, object, object]:
    """Which fixtures are being set up: a pod that is started meanwhile is theirs. What one of pypod's fails with comes without the
    lines of other plugins, which are in between."""
    __tracebackhide__ = True
    setups = request.config.stash[SETUPS]
    current.anew(request.config, fixturedef)
    setups.fixtures.append(fixturedef)
    try:
        return (yield)
    except Exception as error:
        if error is not setups.refused:
            raise
        setups.refused = None
        raise error.with_traceback(None)  # noqa: B904 (it is the same error, with the cause that it has)
    finally:
        setups.fixtures.pop()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failed test tells of its pods while they are still there."""
    report = yield
    if report.failed:
        _tell(report, current.failed(item))
    run = current.peek(item.config)
    if run is not None and call.when == "teardown":
        run.over(item)
    return report


def _tell(report: pytest.TestReport, sections: list[tuple[str, str]]) -> None:
    """In the failure itself, where it has room: so it is in JUnit's XML and in editors, and --show-capture does not drop it."""
    add = getattr(report.longrepr, "addsection", None)
    if add is None:
        report.sections += sections
        return
    for title, text in sections:
        add(title, text, "-")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fixtures are over: whatever is still there goes."""
    current.finish(session)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Of pytest-xdist: all workers are of one run, and ask its controller for the pods that they share."""
    from pypod.pytest import hub  # noqa: PLC0415 (a run without workers has none)

    node.workerinput[current.WORKER_INPUT] = node.config.stash[current.RUN_ID]
    node.workerinput[current.HUB_INPUT] = hub.for_worker(node)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    """Of pytest-xdist: a worker has ended; one that crashed has handed nothing over."""
    current.collect(node.config, getattr(node, "workeroutput", None), str(node.gateway.id))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    current.summary(config, terminalreporter)
