"""How fast a pod is mended: a port that opens, a member that crashes, a sandbox that dies.

What is compared in a round is made in that round, so that it was measured under the same load. The times are those of the engine, of the
pod's journal and of the programs in the containers: they have one clock only where the engine is local.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import Literal

import pypod
from benchmarks.bench import IMAGE, SERVER, SERVER_IMAGE, STAY, Bench, until
from benchmarks.contestants import Contestant
from benchmarks.measure import Goal, Results, Row
from pypod import Container, Pod, Probe
from pypod.engine import observe
from pypod.model.naming import PodKey
from pypod.model.wiring.requests import ContainerRequest
from pypod.model.wiring.state import ContainerInfo, PodObservation

BARE_START, COLD_START = "bare docker start", "cold start"


def life(bench: Bench, present: list[Contestant], results: Results) -> None:
    del present
    opening = results.row(
        Row(
            "opening",
            "port opens, until the pod's journal says ready",
            goals=tuple(
                Goal(f"{kind}, {reach}", 60) for kind in ("tcp", "http") for reach in ("auto", "relay")
            ),
        )
    )
    restart = results.row(
        Row("restart", "a member crashes, until the next instance runs", reference=BARE_START)
    )
    restart.notes.append(f"{BARE_START}: of a container that had ended, in the same sandbox")
    recovery = results.row(
        Row(
            "recovery",
            "the sandbox is killed, until the pod is ready again",
            reference=COLD_START,
            goals=(Goal("pypod", 2, COLD_START),),
        )
    )
    for index in range(bench.times(5)):
        _measure_opening(bench, "auto", index, opening)
        _measure_opening(bench, "relay", index, opening)
        _measure_restart(bench, restart)
        _measure_recovery(bench, recovery)


def _pod(bench: Bench, *containers: Container, reach: Literal["auto", "relay"] = "auto") -> Pod:
    return Pod(
        bench.name(),
        containers=containers,
        engine=bench.engine,
        reach=reach,
        termination_grace_period_seconds=0,
    )


def _server(name: str, port: int, delay: float, probe: Probe) -> Container:
    command = ["python3", "-c", SERVER, str(port), str(delay)]
    return Container(name, SERVER_IMAGE, command=command, readiness_probe=probe)


def _observed(bench: Bench, pod: Pod) -> PodObservation:
    return observe.observe(bench.engine, PodKey(pod.namespace, pod.name, pod.uid))


def _pause(bench: Bench, pod: Pod) -> ContainerInfo:
    pause = _observed(bench, pod).pause
    assert pause is not None
    return pause


def _ready_at(pod: Pod, container: str, attempt: int) -> float:
    """When its readiness probe succeeded, by the journal."""

    def is_ready() -> bool:
        return pod.history.record(container, attempt).passed("readiness") is True

    until(is_ready, f"{container}, attempt {attempt}, is ready")
    return pod.history.record(container, attempt).probes["readiness"].at


def _measure_opening(bench: Bench, reach: Literal["auto", "relay"], index: int, row: Row) -> None:
    """The delay is another one in each run, so that no grid of tries can fit it by chance."""
    delay = 0.8 + 0.037 * (index % 10)
    tcp = _server("tcp", 8080, delay, Probe.tcp_socket(8080))
    http = _server("http", 8081, delay + 0.5, Probe.http_get("/", port=8081))
    with _pod(bench, tcp, http, reach=reach) as pod:
        for kind in ("tcp", "http"):
            opened = float(pod.logs(kind).splitlines()[0])
            row.add(f"{kind}, {reach}", 1000 * (_ready_at(pod, kind, 0) - opened))


def _measure_restart(bench: Bench, row: Row) -> None:
    """Beside the start of a container in the same sandbox that had ended before, which is what cannot be saved."""
    engine = bench.engine
    with _pod(bench, Container("one", IMAGE, command=STAY)) as pod:
        with _bare_container(bench, _pause(bench, pod).id) as bare:
            engine.kill_container(bare)
            until(lambda: engine.container(bare).has_ended, "the bare container has ended")
            begun = time.time()
            engine.start_container(bare)
            row.add(BARE_START, 1000 * ((engine.container(bare).started_at or 0) - begun))
        engine.kill_container(pod.status.container("one").container_id)
        until(lambda: _observed(bench, pod).members["one"][0].attempt == 1, "a new instance is made")
        until(lambda: _observed(bench, pod).members["one"][0].started_at is not None, "it runs")
        new, old = _observed(bench, pod).members["one"][:2]
        row.add("pypod", 1000 * ((new.started_at or 0) - (old.finished_at or 0)))


@contextlib.contextmanager
def _bare_container(bench: Bench, pause: str) -> Iterator[str]:
    """A running container that joined a sandbox as a member does, and that pypod does not know of."""
    shared = f"container:{pause}"
    request = ContainerRequest(
        f"{bench.name()}-bare",
        IMAGE,
        {},
        entrypoint=STAY,
        network_mode=shared,
        ipc_mode=shared,
        pid_mode=shared,
    )
    container = bench.engine.create_container(request)
    try:
        bench.engine.start_container(container)
        yield container
    finally:
        bench.engine.remove_container(container)


def _measure_recovery(bench: Bench, row: Row) -> None:
    web = _server("web", 8080, 0, Probe.http_get("/", port=8080))
    side = pypod.Container("side", IMAGE, command=STAY)
    begun = time.time()
    with _pod(bench, web, side) as pod:
        row.add(COLD_START, 1000 * (_ready_at(pod, "web", 0) - begun))
        pause = _pause(bench, pod)
        killed = time.time()
        bench.engine.kill_container(pause.id)
        row.add("pypod", 1000 * (_ready_at(pod, "web", 1) - killed))
