"""One pod, side by side: until it runs, until it is ready, until it is gone."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from benchmarks.bench import SERVER, SERVER_IMAGE, Bench, Missing, Work
from benchmarks.contestants import Contestant
from benchmarks.measure import Goal, Results, Row

Round = Callable[[Contestant, int], None]

EXIT_TAKES = 0.5
WELL_BEHAVED = ("sh", "-c", f'trap "sleep {EXIT_TAKES}; exit 0" TERM; while :; do sleep 1000 & wait; done')
"""A member that takes half a second from its stop signal to its end."""


def interleaved(present: Sequence[Contestant], rounds: int, one: Round, rows: Sequence[Row]) -> None:
    """Each contestant once in each round; who begins changes from round to round, so that no one always runs after the same
    other. One that cannot do this work is left out, with the reason."""
    taking_part = list(present)
    for index in range(rounds):
        shift = index % max(1, len(taking_part))
        for each in [*taking_part[shift:], *taking_part[:shift]]:
            try:
                one(each, index)
            except Missing as why:
                taking_part.remove(each)
                for row in rows:
                    row.missing[each.name] = str(why)


def timed(action: Callable[[], Any]) -> tuple[Any, float]:
    """What it answers with, and milliseconds."""
    begun = time.perf_counter()
    answer = action()
    return answer, 1000 * (time.perf_counter() - begun)


def cold_and_teardown(bench: Bench, present: list[Contestant], results: Results) -> None:
    cold = results.row(
        Row(
            "cold",
            "cold pod: pause + 3, until all run",
            reference="floor",
            goals=(Goal("pypod", 1.05, "floor"), Goal("pypod", 0.45, "compose")),
        )
    )
    teardown = results.row(
        Row(
            "teardown",
            "teardown of the same, grace 0",
            reference="floor",
            goals=(Goal("pypod", 1.10, "floor"),),
        )
    )

    def one(who: Contestant, index: int) -> None:
        del index
        work = Work(bench.name())
        pod, took = timed(lambda: who.up(work))
        up = who.count(work)
        gone = timed(lambda: who.down(pod, 0))[1]
        if up != work.members + 1:
            raise RuntimeError(f"{who.name}: {up} containers of pod {work.name} run, not {work.members + 1}")
        if left := who.count(work):
            raise RuntimeError(f"{who.name}: {left} containers of pod {work.name} still run")
        cold.add(who.name, took)
        teardown.add(who.name, gone)

    interleaved(present, bench.times(12), one, [cold, teardown])


def readiness(bench: Bench, present: list[Contestant], results: Results) -> None:
    """The server writes the time when it opens its port; both clocks are this machine's."""
    row = results.row(
        Row(
            "probe",
            "TCP readiness: from the port's opening to the caller's knowing",
            reference="floor",
            goals=(Goal("pypod", 60),),
        )
    )
    row.notes.append(
        "floor dials each 10 ms, naive each second; compose: a health check each 250 ms; testcontainers: a look at the log each "
        "second, its default; the CLI's figure has the end of its process in it"
    )

    def one(who: Contestant, index: int) -> None:
        # Another delay in each round, so that no grid of looks fits it by chance.
        delay = 1.0 + 0.137 * (index % 7)
        command = ("python3", "-c", SERVER, "8080", f"{delay:.3f}")
        work = Work(bench.name(), members=1, command=command, image=SERVER_IMAGE, port=8080)
        pod = who.up(work)
        knew = time.time()
        logs = (bench.api.logs(each["Id"]).decode() for each in bench.running(work.name))
        opened = max(float(text.split()[0]) for text in logs if text[:1].isdigit())
        who.down(pod, 0)
        row.add(who.name, 1000 * (knew - opened))

    interleaved(present, bench.times(6), one, [row])


def graceful(bench: Bench, present: list[Contestant], results: Results) -> None:
    slowest = f"{1000 * EXIT_TAKES:g} ms"
    row = results.row(
        Row(
            "graceful",
            f"teardown of 3 members that end {slowest} after SIGTERM, grace 30 s",
            reference="floor",
            goals=(Goal("pypod", 1.3 * 1000 * EXIT_TAKES),),
        )
    )

    def one(who: Contestant, index: int) -> None:
        del index
        work = Work(bench.name(), command=WELL_BEHAVED, grace=30.0)
        pod = who.up(work)
        time.sleep(0.1)  # each shell has set its trap
        try:
            row.add(who.name, timed(lambda: who.down(pod, work.grace))[1])
        except Missing:
            who.down(pod, 0)
            raise

    interleaved(present, bench.times(6), one, [row])
