"""What must not grow with the amount: memory with the length of a log or the size of a file, calls with the number of pods."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import pypod
from benchmarks.counting import counting
from pypod import Container, Pod, Probe
from pypod.engine.api import Engine
from pypod.model import naming
from tests.images import BUSYBOX
from tests.integration.conftest import eventually

MEGABYTES = 12
GROWTH = 8.0
"""MB that a process may need more for all of it than for a line of it. To hold it once would be half as much again."""
PODS = 3
ASKED_OF_EACH_CONNECTION = ("/_ping", "/version")


MEASURED = """
import sys
from pathlib import Path
from pypod.cli import main
code = main(sys.argv[1:])
sys.stdout.flush()
print(next(line.split()[1] for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")), file=sys.stderr)
sys.exit(code)
"""


def peak(*words: str) -> tuple[float, int]:
    """The most memory, in MB, that the command line needed for this, and how much it printed. (What `os.wait4` tells is at least
    what the tests' own process needs.)"""
    process = subprocess.Popen(
        [sys.executable, "-c", MEASURED, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stderr is not None
    output, printed = process.stdout.fileno(), 0
    while piece := os.read(output, 1 << 20):
        printed += len(piece)
    said = process.stderr.read().decode()
    process.stdout.close()
    process.stderr.close()
    assert process.wait() == 0, said
    return int(said.split()[-1]) / 1024, printed


@pytest.fixture(scope="module")
def pod(module_namespace: str, docker_engine: Engine) -> Iterator[Pod]:
    """One that has written a long log, in which there is a large file."""
    line = "x" * 999
    script = f"yes {line} | head -c {MEGABYTES}000000; head -c {MEGABYTES}000000 /dev/zero > /large; touch /done; exec sleep 1000"
    ready = Probe.exec(["test", "-e", "/done"], timeout_seconds=10)
    one = Container("one", BUSYBOX, command=["sh", "-c", script], readiness_probe=ready)
    with Pod(
        "large", containers=[one], namespace=module_namespace, termination_grace_period_seconds=0
    ) as pod:
        eventually(lambda: len(pod.logs()) == MEGABYTES * 1_000_000, "all of it is in the log")
        yield pod


def test_a_log_is_printed_without_being_held(pod: Pod) -> None:
    little, _ = peak("logs", pod.name, "-n", pod.namespace, "--tail", "1")
    much, printed = peak("logs", pod.name, "-n", pod.namespace)
    assert printed == MEGABYTES * 1_000_000
    assert much - little < GROWTH


def test_a_file_is_copied_both_ways_without_being_held(pod: Pod, tmp_path: Path) -> None:
    here = ("-n", pod.namespace)
    (tmp_path / "small").write_bytes(b"small")
    little, _ = peak("cp", str(tmp_path / "small"), f"{pod.name}:/small", *here)
    out, _ = peak("cp", f"{pod.name}:/large", str(tmp_path / "large"), *here)
    assert (tmp_path / "large").stat().st_size == MEGABYTES * 1_000_000
    back, _ = peak("cp", str(tmp_path / "large"), f"{pod.name}:/back", *here)
    assert pod.exec(["stat", "-c", "%s", "/back"]).stdout.strip() == str(MEGABYTES * 1_000_000)
    assert max(out, back) - little < GROWTH


def test_a_list_of_pods_takes_two_calls_and_is_right(
    docker_engine: Engine, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # However slow the machine is: a probe that only takes long must not fail.
    ready = Probe.exec(["test", "-e", "/ready"], period_seconds=0.2, timeout_seconds=20)
    script = ["sh", "-c", "touch /ready; exec sleep 1000"]
    pods = [
        Pod(
            f"many-{number}",
            containers=[Container("one", BUSYBOX, command=script, readiness_probe=ready)],
            namespace=namespace,
            termination_grace_period_seconds=0,
        )
        for number in range(PODS)
    ]

    def marked() -> int:
        return len(docker_engine.volumes({naming.NAMESPACE: namespace, naming.READY: ""}))

    with ThreadPoolExecutor(PODS) as threads:
        try:
            list(threads.map(Pod.start, pods))
            eventually(lambda: marked() == PODS, "each is marked as ready")
            with counting(docker_engine.url.removeprefix("unix://")) as counter:
                monkeypatch.setenv("DOCKER_HOST", counter.url)
                words = [sys.executable, "-m", "pypod", "ps", "-n", namespace]
                shown = subprocess.run(words, capture_output=True, text=True, check=True).stdout
                calls = [call.path for call in counter.take() if call.path not in ASKED_OF_EACH_CONNECTION]
            assert calls == ["/containers/json", "/volumes"], shown
            rows = [line.split()[:4] for line in shown.splitlines()[1:]]
            assert rows == [[pod.name, "1/1", "Running", "0"] for pod in pods]
            pods[0].exec(["rm", "/ready"])
            eventually(lambda: marked() == PODS - 1, "one is not ready any more")
            after = pypod.list(namespace, engine=docker_engine, brief=True)
            assert [pod.status.ready_count for pod in after] == [0] + [1] * (PODS - 1)
        finally:
            list(threads.map(lambda pod: pod.stop(grace=0), pods))
