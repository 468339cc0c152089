"""Runs that are broken off: what they had goes all the same."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from tests.integration.conftest import eventually
from tests.plugin.conftest import PATIENCE, Suite, names_on

SUITE = """
    import time
    from pathlib import Path

    import pypod.pytest
    import pytest
    from pypod import Container, Pod, Probe

    web = pypod.pytest.pod_fixture("web.yaml", scope="module")
    slow = pypod.pytest.pod_fixture(
        Pod("slow", containers=[Container("app", IMAGE, command=["sleep", "1000"], readiness_probe=Probe.tcp_socket(80))])
    )

    def test_waits(web):
        Path("ready").touch()
        time.sleep(100)

    def test_starts(web, slow):
        raise AssertionError

    def test_between(pypod_namespace, pod_factory):
        pod = pod_factory("web.yaml")
        pod.stop(grace=0)
        Path("ready").touch()
        time.sleep(100)
"""


def broken_off(suite: Suite, test: str, number: signal.Signals, mark: str = "") -> tuple[int, str]:
    """Run one test, and send the signal when it is at its work; answers with exit code and output.

    Args:
        suite: with `SUITE` in it.
        test: which.
        number: the signal.
        mark: what is to be on the engine by then; empty: the test says when.
    """
    program = subprocess.Popen(
        [sys.executable, "-m", "pytest", *suite.arguments("-k", test)],
        cwd=suite.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        if mark:
            eventually(lambda: any(mark in name for name in _of(suite)), mark, timeout=PATIENCE)
        else:
            eventually((suite.folder / "ready").exists, "the test runs", timeout=PATIENCE)
        assert _of(suite) != [], "there is something to leave"
        program.send_signal(number)
        output, _ = program.communicate(timeout=PATIENCE)
        return program.returncode, output
    finally:
        program.kill()
        program.wait()


def _of(suite: Suite) -> list[str]:
    if not (suite.folder / "runs").exists():
        return []
    return [name for name in names_on(suite.client) if any(run in name for run in suite.runs)]


@pytest.fixture
def broken(suite: Suite) -> Suite:
    suite.manifest("web")
    suite.file("test_it.py", SUITE)
    return suite


def test_ctrl_c_in_a_test(broken: Suite) -> None:
    code, output = broken_off(broken, "waits", signal.SIGINT)
    assert code == pytest.ExitCode.INTERRUPTED
    assert "left on the engine" not in output
    assert broken.left() == []


def test_ctrl_c_while_a_pod_starts(broken: Suite) -> None:
    code, output = broken_off(broken, "starts", signal.SIGINT, mark="_slow_")
    assert code == pytest.ExitCode.INTERRUPTED
    assert "left on the engine" not in output
    assert broken.left() == []


@pytest.mark.parametrize("test", ["waits", "between"])
def test_kill_leaves_nothing_either(broken: Suite, test: str) -> None:
    """The manifest's pod shares no process IDs, so that its lease ends the pause alone: the background program does the rest. Between
    two pods there is only the run's network: it goes with the first one who looks."""
    code, _ = broken_off(broken, test, signal.SIGKILL)
    assert code == -signal.SIGKILL
    if test == "between":
        subprocess.run(
            [sys.executable, "-m", "pypod", "sweep"], capture_output=True, timeout=PATIENCE, check=True
        )
    assert broken.left() == []
