"""Many pods at once: how many a second, with how many workers, and in how much memory."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from benchmarks.bench import Bench, run
from benchmarks.contestants import Contestant
from benchmarks.measure import Goal, Results, Row

WORKERS = (1, 2, 4, 8, 16)
ROOT = Path(__file__).resolve().parents[2]
WHO = ("floor", "pypod")


def crowd(bench: Bench, who: str, pods: int, workers: int) -> dict[str, float]:
    """In a process of its own, whose memory is then that of one contestant; see `benchmarks.crowd`."""
    words = [who, str(pods), str(workers), bench.name(), bench.pause_image, bench.network_id]
    said = run(
        [sys.executable, "-m", "benchmarks.crowd", *words],
        env={"PYTHONPATH": str(ROOT), "DOCKER_HOST": bench.engine.url},
        patience=300,
    )
    found: dict[str, float] = json.loads(said)
    return found


def workers(bench: Bench, present: list[Contestant], results: Results) -> None:
    """A curve: pods of pause + 1 a second, against workers."""
    del present
    pods = 2 if bench.quick else 16
    for count in WORKERS[:2] if bench.quick else WORKERS:
        for who in WHO:
            figures = crowd(bench, who, pods, count)
            results.curve("throughput", who, count, figures["pods"] / figures["up"])


def fifty_pods(bench: Bench, present: list[Contestant], results: Results) -> None:
    """With the number of workers at which each was best in the curve, where it was drawn; else 8."""
    del present
    pods = 4 if bench.quick else 50
    rate = results.row(
        Row(
            "many",
            f"{pods} pods of pause + 1, best concurrency",
            unit="pods/s",
            reference="floor",
            goals=(Goal("pypod", 0.95, "floor", at_least=True),),
        )
    )
    memory = results.row(
        Row("memory", f"peak memory of that process, {pods} pods", unit="MB", goals=(Goal("pypod", 80),))
    )
    processor = results.row(Row("processor", "processor time of that process, a pod", unit="ms"))
    best = {who: _best(results, who) for who in WHO}
    rate.notes.append(", ".join(f"{who}: {count} workers" for who, count in best.items()))
    for index in range(bench.times(3)):
        for who in WHO if index % 2 else WHO[::-1]:
            figures = crowd(bench, who, pods, best[who])
            rate.add(who, figures["pods"] / figures["up"])
            memory.add(who, figures["peak"])
            processor.add(who, 1000 * figures["cpu"] / pods)


def _best(results: Results, who: str) -> int:
    points = results.curves.get("throughput", {}).get(who, [])
    return int(max(points, key=lambda point: point[1])[0]) if points else 8
