"""What much data costs: a long log followed, a large directory copied, beside Docker's own command."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.bench import IMAGE, Bench, until
from benchmarks.contestants import Contestant
from benchmarks.measure import Goal, Results, Row
from benchmarks.rows.many import ROOT
from pypod import Container, Pod

LOG, FILES = 1_000_000_000, 64
"""Bytes of log; files of the directory."""
DIRECTORY = 1 << 30
LINE = 100
QUICK = 4_000_000
MOST_GROWTH = 16.0
"""MB by which a process may grow while it does this, whatever the amount."""
NO_MORE = (Goal("pypod", MOST_GROWTH),)
DOCKER = "docker CLI"
"""Its figures have its own start in them, some 30 ms."""


def logs(bench: Bench, present: list[Contestant], results: Results) -> None:
    del present
    size = QUICK if bench.quick else LOG
    speed = results.row(
        Row(
            "logs",
            f"following {size / 1e6:g} MB of log",
            unit="MB/s",
            reference=DOCKER,
            goals=(Goal("pypod", 1.0, DOCKER, at_least=True),),
        )
    )
    memory = results.row(Row("logs memory", "memory that following it took", "MB", goals=NO_MORE))
    write = f"yes {'x' * (LINE - 1)} | head -c {size}; touch /written; exec sleep 1000000"
    with _pod(bench, write) as pod:
        until(
            lambda: pod.exec(["test", "-e", "/written"]).exit_code == 0, "the log is written", patience=1200
        )
        container = pod.status.container("one").container_id
        for _ in range(bench.times(3)):
            speed.add(DOCKER, size / 1e6 / _followed(["docker", "logs", "-f", container], size))
            figures = _measured(bench, "logs", pod, str(size))
            speed.add("pypod", size / 1e6 / figures["took"])
            memory.add("pypod", figures["peak"] - figures["before"])


def copies(bench: Bench, present: list[Contestant], results: Results) -> None:
    del present
    size = QUICK if bench.quick else DIRECTORY
    title = f"copying a directory of {size / 1e6:.0f} MB in {FILES} files"
    goals = (Goal("pypod", 1.0, DOCKER, at_least=True),)
    rows = {
        "in": results.row(Row("copy in", f"{title} into a container", "MB/s", DOCKER, goals)),
        "out": results.row(Row("copy out", f"{title} out of it", "MB/s", DOCKER, goals)),
    }
    memory = results.row(Row("copy memory", "memory that copying it took", "MB", goals=NO_MORE))
    with _pod(bench, "exec sleep 1000000") as pod, tempfile.TemporaryDirectory() as here:
        source = Path(here, "source")
        source.mkdir()
        for number in range(FILES):
            (source / f"file-{number}").write_bytes(os.urandom(size // FILES))
        container = pod.status.container("one").container_id
        for index in range(bench.times(3)):
            target = Path(here, "target")
            steps = [_by_docker, _by_pypod] if index % 2 else [_by_pypod, _by_docker]
            for step in steps:
                who = "pypod" if step is _by_pypod else DOCKER
                for way, argument in (("in", str(source)), ("out", str(target))):
                    took, grown = step(bench, pod, container, way, argument)
                    rows[way].add(who, size / 1e6 / took)
                    if grown is not None:
                        memory.add("pypod", grown)
                pod.exec(["rm", "-rf", "/copied"], check=True)
                shutil.rmtree(target)


def _by_docker(bench: Bench, pod: Pod, container: str, way: str, argument: str) -> tuple[float, None]:
    del bench, pod
    ends = [argument, f"{container}:/copied"] if way == "in" else [f"{container}:/copied", argument]
    return _timed(["docker", "cp", "-q", *ends]), None


def _by_pypod(bench: Bench, pod: Pod, container: str, way: str, argument: str) -> tuple[float, float]:
    del container
    figures = _measured(bench, way, pod, argument)
    return figures["took"], figures["peak"] - figures["before"]


def _measured(bench: Bench, kind: str, pod: Pod, argument: str) -> dict[str, float]:
    """In a process of its own, whose memory is then that of this alone; see `benchmarks.streams`."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.streams", kind, pod.namespace, pod.name, argument],
        env={**os.environ, "PYTHONPATH": str(ROOT), "DOCKER_HOST": bench.engine.url},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    process.stdout.readline()
    said, _ = process.communicate("go\n", timeout=1200)
    found: dict[str, float] = json.loads(said)
    return found


def _followed(command: list[str], size: int) -> float:
    """Seconds until it has printed so much; it would go on."""
    begun = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        descriptor = process.stdout.fileno()
        while size > 0 and (data := os.read(descriptor, 1 << 20)):
            size -= len(data)
        took = time.perf_counter() - begun
        process.kill()
    return took


def _timed(command: list[str]) -> float:
    begun = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=1200)
    return time.perf_counter() - begun


@contextmanager
def _pod(bench: Bench, script: str) -> Iterator[Pod]:
    one = Container("one", IMAGE, command=["sh", "-c", script])
    with Pod(bench.name(), containers=[one], engine=bench.engine, termination_grace_period_seconds=0) as pod:
        yield pod
