"""What pypod raises in a test ends, in the report, at the test's own line: what lies below it is pypod's."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import pytest

from pypod.errors import PypodError

PYPOD = Path(__file__).parent.parent
CONTEXTLIB = Path(contextlib.__file__)
"""Through which a ``with`` of pypod's comes to pypod."""
PYTEST = ("_pytest", "pluggy")


@pytest.hookimpl
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> None:
    """No wrapper: those run before pytest's own part for unittest.TestCase has said what was raised."""
    raised = call.excinfo
    if raised is None or item.config.getoption("fulltrace", default=False):
        return
    if isinstance(raised.value, PypodError):
        shorten(raised)


def shorten(raised: pytest.ExceptionInfo[BaseException]) -> None:
    """Leave out pypod's lines at its end, where the suite's come before them. (Where pytest's do, pypod's are hidden, and pytest
    shows its own where none but these are left.)"""
    entries = list(_entries(raised.tb))
    while entries and _is_own(Path(entries[-1].tb_frame.f_code.co_filename)):
        entries.pop()
    if entries and str(entries[-1].tb_frame.f_globals.get("__name__")).partition(".")[0] not in PYTEST:
        entries[-1].tb_next = None  # pytest goes by this chain, whatever its own list has
        raised.traceback = raised.traceback[: len(entries)]


def _entries(first: TracebackType | None) -> Iterator[TracebackType]:
    while first is not None:
        yield first
        first = first.tb_next


def _is_own(path: Path) -> bool:
    return path.is_relative_to(PYPOD) or path == CONTEXTLIB
