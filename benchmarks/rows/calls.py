"""The engine calls of one cold pod: how many, which, and when."""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

from benchmarks.bench import Bench, Work
from benchmarks.contestants import Contestant
from benchmarks.contestants.by_hand import Floor
from benchmarks.contestants.pypods import PypodLibrary
from benchmarks.counting import Call, counting
from benchmarks.measure import Bar, Results, Row
from pypod.engine.api import Engine
from pypod.engine.docker_engine import DockerEngine


def engine_calls(bench: Bench, present: list[Contestant], results: Results) -> None:
    """Counted at the engine's socket, so also those of programs. Of the library: of a process' second pod; the first one also
    asks what engine it is, and looks for what dead owners left."""
    row = results.row(
        Row("calls", "engine calls of a cold pod of pause + 3", unit="calls", reference="floor")
    )
    with counting(bench.socket) as counter:
        for kind in [type(each) for each in present if each.name in ("floor", "pypod")]:
            with _elsewhere(bench, counter.url):
                who = kind(bench)
                for number in range(2):
                    counter.take()
                    pod = who.up(Work(bench.name()))
                    calls = of_the_start(counter.take(), 4)
                    time.sleep(0.3)  # the supervisor's look at what has just been started
                    who.down(pod, 0)
                    if number:
                        row.add(who.name, len(calls))
                        row.notes.append(f"{who.name}: " + ", ".join(str(call) for call in calls))
                who.close()


def of_the_start(calls: list[Call], containers: int) -> list[Call]:
    """Without what comes after it: pypod looks at each container once when all are started, and then its supervisor does, whose first
    calls may be among these."""
    started = max((index for index, call in enumerate(calls) if call.path.endswith("/start")), default=0)
    looks = [index for index in range(started, len(calls)) if str(calls[index]) == "GET /containers/ID/json"]
    return calls[: looks[containers - 1] + 1] if len(looks) >= containers else calls


@contextmanager
def _elsewhere(bench: Bench, url: str) -> Iterator[None]:
    """Contestants that are made inside talk to the engine at this address."""
    engine = bench.engine
    bench.engine = cast("Engine", DockerEngine(url))
    try:
        yield
    finally:
        bench.engine = engine


class Watched:
    """Stands for an object, and notes when each of its methods was called and for how long."""

    def __init__(self, target: object, bars: list[Bar]) -> None:
        self._target = target
        self._bars = bars
        self._begun = time.perf_counter()

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._target, name)
        if not callable(found):
            return found

        @functools.wraps(found)
        def call(*args: Any, **more: Any) -> Any:
            at = time.perf_counter() - self._begun
            try:
                return found(*args, **more)
            finally:
                lane = threading.current_thread().name
                words = " ".join([name, *(str(arg) for arg in args[:1] if isinstance(arg, str))])
                self._bars.append(Bar(lane, words, at, time.perf_counter() - self._begun))

        return call


def timelines(bench: Bench, present: list[Contestant], results: Results) -> None:
    """Of one pod by the floor and one by pypod, each as a list of engine calls from the beginning to the end of its start."""
    del present
    floor = Floor(bench)
    bars: list[Bar] = []
    floor.api = Watched(floor.api, bars)
    work = Work(bench.name())
    pod = floor.up(work)
    results.timelines["floor"] = list(bars)
    floor.down(pod, 0)
    floor.close()
    engine = bench.engine
    PypodLibrary(bench).down(PypodLibrary(bench).up(Work(bench.name())), 0)
    bars = []
    try:
        bench.engine = cast("Engine", Watched(engine, bars))
        library = PypodLibrary(bench)
        own = library.up(Work(bench.name()))
        results.timelines["pypod"] = [bar for bar in bars if bar.end and "events" not in bar.words]
        library.down(own, 0)
    finally:
        bench.engine = engine
