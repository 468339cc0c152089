"""How a pod's start grows with what is in it: containers, and volumes. (With the number of pods: `benchmarks.rows.fleet`.)"""

from __future__ import annotations

import time

from benchmarks.bench import IMAGE, STAY, Bench
from benchmarks.contestants import Contestant
from benchmarks.measure import Results
from pypod import Container, Pod, Volume

CONTAINERS = (1, 2, 5, 10, 20, 30)
VOLUMES = (0, 1, 5, 10, 20, 30)


def growth(bench: Bench, present: list[Contestant], results: Results) -> None:
    """Curves: milliseconds to start and to remove a pod, against its containers and against its volumes."""
    del present
    for count in CONTAINERS[:2] if bench.quick else CONTAINERS:
        members = [Container(f"c{number}", IMAGE, command=STAY) for number in range(count)]
        _measure(bench, results, "containers of a pod", count, members, [])
    for count in VOLUMES[:2] if bench.quick else VOLUMES:
        volumes = [Volume.empty_dir(f"v{number}") for number in range(count)]
        mounts = {volume.name: f"/{volume.name}" for volume in volumes}
        _measure(
            bench,
            results,
            "volumes of a pod",
            count,
            [Container("c", IMAGE, command=STAY, mounts=mounts)],
            volumes,
        )


def _measure(
    bench: Bench, results: Results, what: str, count: int, members: list[Container], volumes: list[Volume]
) -> None:
    pod = Pod(
        bench.name(),
        containers=members,
        volumes=volumes,
        engine=bench.engine,
        min_ready_seconds=0,
        termination_grace_period_seconds=0,
    )
    begun = time.perf_counter()
    pod.start(timeout=120)
    started = time.perf_counter()
    pod.stop(grace=0)
    results.curve(f"start against {what}, ms", "pypod", count, 1000 * (started - begun))
    results.curve(f"removal against {what}, ms", "pypod", count, 1000 * (time.perf_counter() - started))
