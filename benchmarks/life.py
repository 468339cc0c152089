"""How fast a pod's life is: from a port opening to Ready, from a crash to the restart, from the death of a sandbox to Ready.

python benchmarks/life.py [-n RUNS] [--image IMAGE]

Everything is made once in each run, so that what is compared was measured under the same load. The times are those of the
engine, of the pod's journal and of the programs in the containers: they have one clock only where the engine is local.
Nothing is left behind.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal

import pypod
from pypod import Container, Pod, Probe
from pypod.engine import observe
from pypod.engine.api import Engine
from pypod.model.naming import PodKey
from pypod.model.wiring.requests import ContainerRequest
from pypod.model.wiring.state import PodObservation

SERVER = """\
import http.server, sys, time
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(204)
        self.end_headers()
time.sleep(float(sys.argv[2]))
server = http.server.ThreadingHTTPServer(("", int(sys.argv[1])), Handler, bind_and_activate=False)
server.server_bind()
opened = time.time()
server.server_activate()
print(opened, flush=True)
server.serve_forever()
"""
STAY = ("sleep", "1000000")
PATIENCE = 30.0
POLL = 0.005

OPENING = "port opens -> Ready, {kind}, {reach}"
RESTART, BARE_START = "crash -> restarted, running", "bare docker start of a stopped container"
RECOVERY, COLD_START = "sandbox dies -> Ready", "cold start of the same pod -> Ready"


@dataclass
class Figures:
    """Seconds, by what was measured."""

    values: dict[str, list[float]] = field(default_factory=dict)

    def add(self, what: str, seconds: float) -> None:
        self.values.setdefault(what, []).append(seconds)

    def median(self, what: str) -> float:
        return statistics.median(self.values[what])

    def table(self) -> Iterator[str]:
        width = max(map(len, self.values))
        yield f"{'':{width}}  {'median':>8} {'min':>8} {'max':>8}  (ms)"
        for what, values in self.values.items():
            cells = (self.median(what), min(values), max(values))
            yield f"{what:{width}}  " + " ".join(f"{1000 * cell:8.1f}" for cell in cells)


@dataclass(frozen=True)
class Bench:
    """What all measurements need."""

    engine: Engine
    image: str
    namespace: str
    figures: Figures

    def pod(self, *containers: Container, reach: Literal["auto", "relay"] = "auto") -> Pod:
        return Pod(
            f"bench-{uuid.uuid4().hex[:6]}",
            containers=containers,
            namespace=self.namespace,
            engine=self.engine,
            reach=reach,
            termination_grace_period_seconds=0,
        )

    def server(self, name: str, port: int, delay: float, probe: Probe) -> Container:
        """A server that opens its port after so many seconds, and writes when that was."""
        command = ["python3", "-c", SERVER, str(port), str(delay)]
        return Container(name, self.image, command=command, readiness_probe=probe)

    def observed(self, pod: Pod) -> PodObservation:
        return observe.observe(self.engine, PodKey(pod.namespace, pod.name, pod.uid))


def until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit(f"cannot measure: not in {PATIENCE:g} s: {what}")
        time.sleep(POLL)


def ready_at(pod: Pod, container: str, attempt: int) -> float:
    """When its readiness probe succeeded, by the journal."""

    def is_ready() -> bool:
        return pod.history.record(container, attempt).passed("readiness") is True

    until(is_ready, f"{container}, attempt {attempt}, is ready")
    return pod.history.record(container, attempt).probes["readiness"].at


def measure_opening(bench: Bench, reach: Literal["auto", "relay"], run: int) -> None:
    """The delay is another one in each run, so that no grid of tries can fit it by chance."""
    delay = 0.8 + 0.037 * (run % 10)
    tcp = bench.server("tcp", 8080, delay, Probe.tcp_socket(8080))
    http = bench.server("http", 8081, delay + 0.5, Probe.http_get("/", port=8081))
    with bench.pod(tcp, http, reach=reach) as pod:
        for kind in ("tcp", "http"):
            opened = float(pod.logs(kind).splitlines()[0])
            way = "through the relay" if reach == "relay" else "reach auto"
            bench.figures.add(OPENING.format(kind=kind, reach=way), ready_at(pod, kind, 0) - opened)


def measure_restart(bench: Bench) -> None:
    """Beside the start of a container in the same sandbox that had ended before, which is what cannot be saved."""
    with bench.pod(Container("one", bench.image, command=STAY)) as pod:
        pause = bench.observed(pod).pause
        assert pause is not None
        with bare_container(bench, pause.id) as bare:
            bench.engine.kill_container(bare)
            until(lambda: bench.engine.container(bare).has_ended, "the bare container has ended")
            begun = time.time()
            bench.engine.start_container(bare)
            bench.figures.add(BARE_START, (bench.engine.container(bare).started_at or 0) - begun)
        bench.engine.kill_container(pod.status.container("one").container_id)
        until(lambda: bench.observed(pod).members["one"][0].attempt == 1, "a new instance is made")
        until(lambda: bench.observed(pod).members["one"][0].started_at is not None, "it runs")
        new, old = bench.observed(pod).members["one"][:2]
        bench.figures.add(RESTART, (new.started_at or 0) - (old.finished_at or 0))


@contextlib.contextmanager
def bare_container(bench: Bench, pause: str) -> Iterator[str]:
    """A running container that joined a sandbox as a member does, and that pypod does not know of."""
    shared = f"container:{pause}"
    request = ContainerRequest(
        f"{bench.namespace}-bare-{uuid.uuid4().hex[:6]}",
        bench.image,
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


def measure_recovery(bench: Bench) -> None:
    web = bench.server("web", 8080, 0, Probe.http_get("/", port=8080))
    side = Container("side", bench.image, command=STAY)
    begun = time.time()
    with bench.pod(web, side) as pod:
        bench.figures.add(COLD_START, ready_at(pod, "web", 0) - begun)
        pause = bench.observed(pod).pause
        assert pause is not None
        killed = time.time()
        bench.engine.kill_container(pause.id)
        bench.figures.add(RECOVERY, ready_at(pod, "web", 1) - killed)


def main() -> None:
    parser = argparse.ArgumentParser(description="How fast a pod's life is.", allow_abbrev=False)
    parser.add_argument("-n", type=int, default=15, metavar="RUNS", help="how often (default: 15)")
    parser.add_argument("--image", default="pypod-test/tools:1", help="an image with python3 and sleep")
    arguments = parser.parse_args()
    engine = pypod.connect()
    bench = Bench(engine, arguments.image, f"bench-{os.getpid()}", Figures())
    for run in range(max(1, arguments.n)):
        measure_opening(bench, "auto", run)
        measure_opening(bench, "relay", run)
        measure_restart(bench)
        measure_recovery(bench)
    load = " ".join(f"{each:.1f}" for each in os.getloadavg())
    print(f"{arguments.n} runs, {os.cpu_count()} processors, load {load}")
    print("\n".join(bench.figures.table()))
    opening = max(bench.figures.median(what) for what in bench.figures.values if "port opens" in what)
    print(f"port opens -> Ready, the slowest median: {1000 * opening:.1f} ms (target: 60)")
    restart = bench.figures.median(RESTART) / bench.figures.median(BARE_START)
    print(f"restart : bare start = {restart:.2f}")
    recovery = bench.figures.median(RECOVERY) / bench.figures.median(COLD_START)
    print(f"recovery : cold start = {recovery:.2f} (target: 2 or less)")


if __name__ == "__main__":
    main()
