"""What many pods cost that are at rest: their supervisor, and a list of them."""

from __future__ import annotations

import functools
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.bench import Bench, run
from benchmarks.contestants import Contestant
from benchmarks.contestants.pypods import PypodCli
from benchmarks.counting import counting
from benchmarks.herd import PERIOD
from benchmarks.measure import Goal, Results, Row
from benchmarks.rows.many import ROOT
from benchmarks.rows.one_pod import timed

SIZES = (1, 10, 50, 100, 200)
LISTED = 100
"""The goal for `pypod ps` is for so many pods, that of supervision for the last of the sizes."""
SETTLE = 3.0
LISTINGS = 7


class Herd:
    """`benchmarks.herd`, in a process of its own."""

    def __init__(self, bench: Bench, namespace: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.herd", namespace],
            env={**os.environ, "PYTHONPATH": str(ROOT), "DOCKER_HOST": bench.engine.url},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def grow(self, pods: int) -> dict[str, float]:
        """To so many pods; what it needs then."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(pods, file=self._process.stdin, flush=True)
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the herd of {pods} pods has ended: exit code {self._process.wait()}")
        found: dict[str, float] = json.loads(line)
        return found

    def close(self) -> None:
        self._process.communicate(timeout=300)


def fleet(bench: Bench, present: list[Contestant], results: Results) -> None:
    del present
    sizes = (1, 2) if bench.quick else SIZES
    listed, most = (2, 2) if bench.quick else (LISTED, SIZES[-1])
    ps = results.row(Row("ps", f"pypod ps with {listed} pods, in all", goals=(Goal("pypod CLI", 350),)))
    calls = results.row(
        Row("ps calls", f"its engine calls, {listed} pods", unit="calls", goals=(Goal("pypod CLI", 2),))
    )
    rest = results.row(
        Row(
            "supervise",
            f"supervising {most} pods at rest, an HTTP probe of each every {PERIOD} s",
            unit="% of a core",
            goals=(Goal("pypod", 5),),
        )
    )
    namespace = bench.name()
    program = PypodCli(bench).program
    herd = Herd(bench, namespace)
    try:
        for size in sizes:
            results.curve("memory of the supervising process, MB", "pypod", size, herd.grow(size)["resident"])
            time.sleep(0.5 if bench.quick else SETTLE)
            taken, asked = _list(bench, program, namespace)
            results.curve("pypod ps, ms", "pypod CLI", size, statistics.median(taken))
            if size == listed:
                for took, count in zip(taken, asked, strict=True):
                    ps.add("pypod CLI", took)
                    calls.add("pypod CLI", count)
            shares = _at_rest(
                bench, herd, size, 1.0 if bench.quick else 3 * PERIOD if size == most else PERIOD
            )
            for who, share in shares.items():
                results.curve("processor at rest, % of a core", who, size, share)
                if size == most:
                    rest.add(who, share)
    finally:
        herd.close()


def _list(bench: Bench, program: str, namespace: str) -> tuple[list[float], list[int]]:
    """Milliseconds and engine calls of each `pypod ps`."""
    taken, asked = [], []
    with counting(bench.socket) as counter:
        for _ in range(1 if bench.quick else LISTINGS):
            command = [program, "ps", "-n", namespace]
            taken.append(timed(functools.partial(run, command))[1])
            run(command, env={"DOCKER_HOST": counter.url})
            # That an engine answers, and which version of the API it speaks, is asked before the first call.
            asked.append(sum(call.path not in ("/_ping", "/version") for call in counter.take()))
    return taken, asked


def _at_rest(bench: Bench, herd: Herd, size: int, seconds: float) -> dict[str, float]:
    """Per cent of a core, of the process that looks after the pods, and of the background program."""
    background = _background(bench)
    before, seen = herd.grow(size)["cpu"], _cpu(background)
    begun = time.monotonic()
    time.sleep(seconds)
    passed = time.monotonic() - begun
    shares = {"pypod": 100 * (herd.grow(size)["cpu"] - before) / passed}
    if background is not None:
        shares["background program"] = 100 * (_cpu(background) - seen) / passed
    return shares


def _background(bench: Bench) -> int | None:
    """The process ID of this engine's background program; the youngest, where there are several."""
    wanted = ["--host", bench.engine.url, "supervise"]
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().decode().split("\0")
        except (OSError, UnicodeDecodeError):
            continue
        if words[-4:-1] == wanted:
            found.append(int(folder.name))
    return max(found, default=None)


def _cpu(pid: int | None) -> float:
    """Its processor time, seconds."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
