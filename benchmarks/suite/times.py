"""A pytest plugin that writes how long each test waited for its fixtures, a JSON line each, to the file of SUITE_TIMES."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    line = json.dumps({"when": report.when, "seconds": report.duration, "outcome": report.outcome})
    with Path(os.environ["SUITE_TIMES"]).open("a") as file:
        file.write(f"{line}\n")
