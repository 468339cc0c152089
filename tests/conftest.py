"""For all tests. The checkout comes last on the path: `pypod` is the installed package, `tests.images` is found here."""

from __future__ import annotations

import pathlib
import signal
import sys

import pytest

pytest_plugins = ("pytester",)  # of the tests of pypod's own plugin

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1]))

# Ignored where a shell's background job runs the tests, and so in their children, which are to be interrupted.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--own-engines",
        action="store_true",
        help="each worker of pytest-xdist starts a Docker Engine and a network of its own (as root)",
    )


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--own-engines"):
        from tests import own_engine  # noqa: PLC0415

        own_engine.configure(config)
