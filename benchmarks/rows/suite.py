"""A suite whose tests have a stack of their own each: with testcontainers-python, with pypod, and with pods ahead of time."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks.bench import Bench, until
from benchmarks.contestants import Contestant
from benchmarks.measure import Goal, Results, Row

ROOT = Path(__file__).resolve().parents[2]
TESTS = 6
WORK = 5.0
"""Seconds that each test takes: more than a stack needs to start, which is what a pool is for."""
AFTER_KILL = 12.0
"""Seconds until what is left counts as left: Ryuk's own are 10."""


@dataclass(frozen=True)
class Variant:
    """One way to run the suite."""

    name: str
    file: str
    pool: int = 0


PYPOD = Variant("pypod", "with_pypod.py")
POOL = Variant("pypod, pool=2", "with_pypod.py", pool=2)
PEER = Variant("testcontainers", "with_testcontainers.py")


@contextmanager
def running(
    bench: Bench, variant: Variant, tests: int, work: float
) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """The suite, begun; and the file that its times are written to."""
    with tempfile.TemporaryDirectory() as folder:
        times = Path(folder) / "times"
        times.touch()
        env = {
            **os.environ,
            "DOCKER_HOST": bench.engine.url,
            "PYTHONPATH": str(ROOT),
            "PYTHONDONTWRITEBYTECODE": "1",
            "SUITE_TIMES": str(times),
            "SUITE_TESTS": str(tests),
            "SUITE_WORK": str(work),
            "SUITE_POOL": str(variant.pool),
            "TESTCONTAINERS_RYUK_DISABLED": "true",
        }
        words = [
            "-q",
            "-c",
            os.devnull,
            "--rootdir",
            folder,
            "-p",
            "benchmarks.suite.times",
            "-p",
            "no:cacheprovider",
        ]
        program = subprocess.Popen(
            [sys.executable, "-m", "pytest", *words, str(ROOT / "benchmarks" / "suite" / variant.file)],
            env=env,
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            yield program, times
        finally:
            program.kill()
            program.wait()
            if program.stdout is not None:
                program.stdout.close()


def told(times: Path, when: str) -> list[float]:
    """How long that part of each test took, so far, in milliseconds."""
    lines = [json.loads(line) for line in times.read_text().splitlines()]
    return [line["seconds"] * 1000 for line in lines if line["when"] == when]


def suite(bench: Bench, present: list[Contestant], results: Results) -> None:
    """The wait of each test, the time of all, and what a killed run leaves."""
    tests, work = (2, 0.2) if bench.quick else (TESTS, WORK)
    wait = results.row(
        Row(
            "suite-wait",
            "a stack of web, PostgreSQL and Redis for each test: what the test waits for it",
            reference="testcontainers",
            goals=(Goal("pypod", 1, "testcontainers"), Goal("pypod, pool=2", 10)),
        )
    )
    total = results.row(
        Row(
            "suite-total",
            f"the whole suite, {tests} tests of {work:g} s",
            unit="s",
            reference="testcontainers",
            goals=(Goal("pypod", 1, "testcontainers"), Goal("pypod, pool=2", 1, "testcontainers")),
        )
    )
    left = results.row(
        Row(
            "suite-left",
            f"containers, networks and volumes that are left {AFTER_KILL:g} s after kill -9 of the suite",
            unit="things",
            goals=(Goal("pypod", 0), Goal("pypod, pool=2", 0)),
        )
    )
    left.notes.append(
        "testcontainers without Ryuk, whose image is not there: with it, what is left goes after 10 s"
    )
    variants = [PYPOD, POOL]
    if find_spec("testcontainers") is not None and any(each.name == PEER.name for each in present):
        variants.insert(0, PEER)
    else:
        for row in (wait, total, left):
            row.missing[PEER.name] = "not installed: pip install 'testcontainers[postgres,redis]'"
    for variant in variants:
        bench.say(f"the suite with {variant.name}")
        began = time.perf_counter()
        with running(bench, variant, tests, work) as (program, times):
            said, _ = program.communicate(timeout=300)
            if program.returncode:
                raise RuntimeError(f"cannot measure the suite with {variant.name}: {said}")
            total.add(variant.name, time.perf_counter() - began)
            for figure in told(times, "setup"):
                wait.add(variant.name, figure)
        left.add(variant.name, _left_by_a_killed_one(bench, variant, work))


def _left_by_a_killed_one(bench: Bench, variant: Variant, work: float) -> float:
    """Killed in the middle of its second test. What it leaves is removed."""
    before = bench.things()
    with running(bench, variant, 4, max(work, 1.0)) as (program, times):
        until(lambda: len(told(times, "setup")) == 2, f"the second test with {variant.name}", patience=120)
        program.send_signal(signal.SIGKILL)
        program.wait()
    deadline = time.monotonic() + (1.0 if bench.quick else AFTER_KILL)
    while (found := _new(bench, before)) and time.monotonic() < deadline:
        time.sleep(0.1)
    for key, words in found.items():
        _remove(bench.api, key, words.partition(" ")[0])
    return float(len(found))


def _new(bench: Bench, before: dict[str, str]) -> dict[str, str]:
    """Containers first: a network is removed when nothing is on it."""
    found = {key: words for key, words in bench.things().items() if key not in before}
    return {key: words for key, words in found.items() if not words.startswith("image ")}


def _remove(api: Any, key: str, kind: str) -> None:
    if kind == "container":
        api.remove_container(key, force=True, v=True)
    elif kind == "network":
        api.remove_network(key)
    else:
        api.remove_volume(key, force=True)
