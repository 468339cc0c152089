"""The command line on a real engine, each command as a process of its own."""

from __future__ import annotations

import json
import os
import re
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.integration.conftest import eventually
from tests.integration.processes import stays

pytestmark = pytest.mark.docker

IMAGE = "pypod-test/busybox:1"
CLI = [sys.executable, "-m", "pypod"]

MANIFEST = """\
apiVersion: v1
kind: Pod
metadata:
  name: {name}
  namespace: {namespace}
  labels:
    app: {name}
spec:
  restartPolicy: {policy}
  terminationGracePeriodSeconds: 1
  containers:
  - name: one
    image: {image}
    command: [sh, -c, '{one}']
  - name: two
    image: {image}
    command: [sh, -c, '{two}']
"""
STAY = "echo {} starts; trap exit TERM; while true; do sleep 0.1; done"


def run(*words: str, text: str | None = None, timeout: float = 60) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*CLI, *words], input=text, capture_output=True, text=True, timeout=timeout, check=False
    )


@dataclass
class Sandbox:
    """A namespace of this test, and the manifests in it."""

    folder: Path
    namespace: str = field(default_factory=lambda: f"cli-{secrets.token_hex(3)}")

    def manifest(
        self,
        *,
        one: str = STAY.format("one"),
        two: str = STAY.format("two"),
        policy: str = "Always",
        image: str = IMAGE,
    ) -> str:
        path = self.folder / f"{secrets.token_hex(3)}.yaml"
        text = MANIFEST.format(
            name="web", namespace=self.namespace, one=one, two=two, policy=policy, image=image
        )
        path.write_text(text)
        return str(path)

    def left(self) -> list[str]:
        """What the engine has of the namespace, by an unfiltered list."""
        listed = subprocess.run(
            ["docker", "ps", "-a", "--format", "{{.Names}}"], capture_output=True, text=True, check=True
        )
        volumes = subprocess.run(["docker", "volume", "ls", "-q"], capture_output=True, text=True, check=True)
        return [name for name in (listed.stdout + volumes.stdout).split() if self.namespace in name]


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    box = Sandbox(tmp_path)
    yield box
    run("down", "web", "-n", box.namespace, "--grace", "0")
    assert box.left() == []


def test_a_detached_pod_from_up_to_down(sandbox: Sandbox) -> None:
    up = run("up", "-d", "-f", sandbox.manifest())
    assert up.returncode == 0, up.stderr
    name, ip = up.stdout.split()
    assert name == "web"

    table = run("ps", "-n", sandbox.namespace).stdout.splitlines()
    assert table[0].split() == ["NAME", "READY", "STATUS", "RESTARTS", "AGE", "IP"]
    row = table[1].split()
    assert row[:4] == ["web", "2/2", "Running", "0"]
    assert row[5] == ip

    everywhere = run("ps", "-A").stdout
    assert re.search(rf"^{sandbox.namespace} +web +2/2", everywhere, re.MULTILINE)
    assert run("ps", "-n", sandbox.namespace, "-o", "name").stdout == "pod/web\n"
    assert run("ps", "-n", sandbox.namespace, "-l", "app=other").stdout == ""
    listed = json.loads(run("ps", "-n", sandbox.namespace, "-l", "app=web", "-o", "json").stdout)
    assert [item["status"]["podIP"] for item in listed["items"]] == [ip]

    assert run("down", "web", "-n", sandbox.namespace).returncode == 0
    assert sandbox.left() == []


def test_logs_and_exec(sandbox: Sandbox) -> None:
    assert run("up", "-d", "-f", sandbox.manifest()).returncode == 0
    where = ("-n", sandbox.namespace)

    def said() -> list[str]:
        return sorted(run("logs", "web", *where).stdout.splitlines())

    eventually(lambda: said() == ["one | one starts", "two | two starts"], "both have begun")
    assert run("logs", "web", *where, "-c", "two").stdout == "two starts\n"
    assert run("logs", "web", *where, "-c", "nope").returncode == 2

    done = run("exec", "web", *where, "-c", "two", "--", "sh", "-c", "echo out; echo err >&2; exit 7")
    assert (done.returncode, done.stdout, done.stderr) == (7, "out\n", "err\n")
    assert run("exec", "web", *where, "-i", "--", "cat", text="through\n").stdout == "through\n"
    assert run("exec", "web", *where, "--", "no-such-program").returncode in (126, 127)
    assert run("exec", "nobody", *where, "--", "true").returncode == 1


def test_a_reader_that_leaves_is_no_error(sandbox: Sandbox) -> None:
    assert run("up", "-d", "-f", sandbox.manifest(one="seq 50000; sleep 1000")).returncode == 0
    last = ("logs", "web", "-n", sandbox.namespace, "-c", "one", "--tail", "1")
    eventually(lambda: run(*last).stdout == "50000\n", "all is in the log")
    command = f"{' '.join(CLI)} logs web -n {sandbox.namespace} -c one | head -n 1"
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "1\n", "")


def _started(sandbox: Sandbox, *words: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [*CLI, "up", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    seen = [process.stdout.readline() for _ in range(3)]
    assert seen[0].startswith("web 10."), process.communicate()
    assert sorted(seen[1:]) == ["one | one starts\n", "two | two starts\n"]
    return process


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_up_in_the_foreground_removes_its_pod_when_told_to_end(
    sandbox: Sandbox, number: int, code: int
) -> None:
    process = _started(sandbox, "-f", sandbox.manifest())
    os.kill(process.pid, number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == code
    assert "Traceback" not in said
    assert sandbox.left() == []


def test_a_second_interrupt_kills_at_once(sandbox: Sandbox) -> None:
    stubborn = 'trap "" TERM; echo {} starts; while true; do sleep 0.1; done'
    path = Path(sandbox.manifest(one=stubborn.format("one"), two=stubborn.format("two")))
    path.write_text(path.read_text().replace("PeriodSeconds: 1", "PeriodSeconds: 120"))
    process = _started(sandbox, "-f", str(path))
    os.kill(process.pid, signal.SIGINT)
    eventually(lambda: any(name.endswith(".deleting") for name in sandbox.left()), "the first one is heard")
    stays(lambda: process.poll() is None, 0.5)
    os.kill(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=60)  # of 120 s of grace
    assert process.returncode == 130
    assert "Traceback" not in said
    assert sandbox.left() == []


@pytest.mark.parametrize(("code", "expected"), [(0, 0), (3, 1)])
def test_up_ends_with_its_pod(sandbox: Sandbox, code: int, expected: int) -> None:
    wait = "trap exit TERM; until [ -e /go ]; do sleep 0.05; done"
    path = sandbox.manifest(
        one=f"echo one starts; {wait}; echo did it",
        two=f"echo two starts; {wait}; exit {code}",
        policy="Never",
    )
    process = _started(sandbox, "-f", path)
    for name in ("one", "two"):
        run("exec", "web", "-n", sandbox.namespace, "-c", name, "--", "touch", "/go")
    said, errors = process.communicate(timeout=60)
    assert process.returncode == expected, errors
    assert "one | did it" in said
    assert sandbox.left() == []


def test_up_reads_standard_input_and_says_what_is_wrong(sandbox: Sandbox) -> None:
    done = run("up", "-f", "-", text="kind: Deployment\n")
    assert done.returncode == 1
    assert done.stderr.startswith("pypod: cannot ")
    wrong = Path(sandbox.manifest()).read_text().replace("image:", "imagine:")
    assert "imagine" in run("up", "-f", "-", text=wrong).stderr
    missing = run("up", "-f", str(sandbox.folder / "none.yaml"))
    assert (missing.returncode, missing.stderr[:13]) == (1, "pypod: cannot")


def test_plan_prints_and_touches_nothing(sandbox: Sandbox) -> None:
    done = run("plan", "-f", sandbox.manifest())
    assert done.returncode == 0, done.stderr
    assert "one" in done.stdout
    assert "two" in done.stdout
    assert sandbox.left() == []


def test_down_of_nothing_is_an_error(sandbox: Sandbox) -> None:
    done = run("down", "web", "-n", sandbox.namespace)
    assert done.returncode == 1
    assert done.stderr.startswith("pypod: cannot ")


def test_doctor_finds_this_engine_fit() -> None:
    done = run("doctor")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "pods can run here" in done.stdout


def test_doctor_without_an_engine_is_quick_and_clear() -> None:
    begin = time.monotonic()
    done = run("-H", "unix:///nonexistent/docker.sock", "doctor")
    assert done.returncode == 1
    assert done.stdout.startswith("✘ engine:")
    assert time.monotonic() - begin < 20  # an interpreter starts slowly on a busy machine


def test_sweep_on_a_clean_engine() -> None:
    assert run("sweep").returncode == 0
