"""The next pod from a pool, where one is waiting."""

from __future__ import annotations

import time
from typing import Any

import pypod
from benchmarks.bench import IMAGE, STAY, Bench
from benchmarks.contestants import Contestant
from benchmarks.measure import Goal, Results, Row
from benchmarks.rows.one_pod import timed

REFILL = 2.0
"""Seconds in which the pool has made the next one, whatever else the machine does."""


def next_from_pool(bench: Bench, present: list[Contestant], results: Results) -> None:
    del present
    row = results.row(
        Row("pool", "next pod from PodPool, one waiting", goals=(Goal("pypod", 5),)),
    )
    kind: Any = getattr(pypod, "PodPool", None)
    if kind is None:
        row.missing["pypod"] = "there is no pypod.PodPool"
        return
    pod = pypod.Pod(
        bench.name(),
        containers=[pypod.Container("one", IMAGE, command=STAY)],
        engine=bench.engine,
        termination_grace_period_seconds=0,
    )
    with kind(pod, size=2) as pool:
        for _ in range(bench.times(8)):
            time.sleep(REFILL)
            taken, took = timed(pool.take)
            row.add("pypod", took)
            pool.discard(taken)
