"""`pypod demo` on a real engine: all is proved, and nothing stays."""

from __future__ import annotations

import re
import signal
import subprocess
import sys

import pytest

pytestmark = pytest.mark.docker

IMAGE = "pypod-test/busybox:1"
DEMO = [sys.executable, "-m", "pypod", "demo"]


def left() -> list[str]:
    """The tour's things on the engine."""
    found = []
    for words in (
        ["ps", "-a", "--format", "{{.Names}}"],
        ["volume", "ls", "-q"],
        ["network", "ls", "--format", "{{.Name}}"],
    ):
        listed = subprocess.run(["docker", *words], capture_output=True, text=True, check=True)
        found += [name for name in listed.stdout.split() if "demo-" in name]
    return found


def test_all_claims_are_proved_and_nothing_is_left() -> None:
    # Some 10 s where nothing else runs.
    done = subprocess.run([*DEMO, "--image", IMAGE], capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^14 of 14 proved in \d+\.\d s$", done.stdout, re.MULTILINE)
    assert len(re.findall(r"^✔ +\d+\. ", done.stdout, re.MULTILINE)) == 14
    assert "\x1b" not in done.stdout
    assert left() == []


def test_it_finds_an_image_by_itself_and_proves_what_is_asked_for() -> None:
    done = subprocess.run([*DEMO, "--only", "3,5"], capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.findall(r"^✔ +(\d+)\. ", done.stdout, re.MULTILINE) == ["3", "5"]
    assert "2 of 2 proved" in done.stdout
    assert left() == []


def test_an_interrupt_leaves_nothing() -> None:
    process = subprocess.Popen(
        [*DEMO, "--image", IMAGE], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("✔  2."):
            break
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in said
    assert left() == []


def test_an_image_that_does_not_exist_is_said_clearly() -> None:
    done = subprocess.run(
        [*DEMO, "--image", "localhost:1/none:1"], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert "pypod: cannot pull" in done.stderr.splitlines()[-1]
    assert left() == []
