"""The process that makes many pods, and says how long it took and what it needed.

python -m benchmarks.crowd WHO PODS WORKERS NAME PAUSE_IMAGE NETWORK_ID
"""

from __future__ import annotations

import json
import resource
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any, cast

import pypod
from benchmarks.bench import Bench, Work
from benchmarks.contestants.base import Contestant
from benchmarks.contestants.by_hand import Floor
from benchmarks.contestants.pypods import PypodLibrary


def contestant(who: str, pause_image: str, network_id: str) -> Contestant:
    """One that is ready to make pods."""
    found = SimpleNamespace(engine=pypod.connect(), pause_image=pause_image, network_id=network_id)
    bench = cast("Bench", found)
    return Floor(bench) if who == Floor.name else PypodLibrary(bench)


def main() -> None:
    who, pods, workers, name, pause_image, network_id = sys.argv[1:]
    one = contestant(who, pause_image, network_id)
    works = [Work(f"{name}-{index}", members=1) for index in range(int(pods))]
    made: list[Any] = []
    with ThreadPoolExecutor(int(workers)) as threads:
        try:
            begun, cpu = time.perf_counter(), time.process_time()
            made.extend(threads.map(one.up, works))
            up, cpu = time.perf_counter() - begun, time.process_time() - cpu
        finally:
            list(threads.map(lambda pod: one.down(pod, 0), made))
    one.close()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"pods": len(works), "up": up, "cpu": cpu, "peak": peak}))


if __name__ == "__main__":
    main()
