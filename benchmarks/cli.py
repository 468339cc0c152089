"""The command line of the benchmarks."""

from __future__ import annotations

import argparse
import contextlib
import os
import platform
import time
import traceback
from collections.abc import Sequence
from pathlib import Path

from benchmarks import report
from benchmarks.bench import Bench
from benchmarks.contestants import Contestant, contestants
from benchmarks.measure import Results
from benchmarks.rows import CHEAP, ROWS, WITH_PEERS


def arguments(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="How fast pypod is, beside what people use instead of it. Everything is made on the local engine and "
        "removed again.",
        allow_abbrev=False,
    )
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"which (all): {', '.join(ROWS)}")
    parser.add_argument(
        "--rounds", type=int, default=10, help="more or fewer of them, 10 being all of the time (10)"
    )
    parser.add_argument("--quick", action="store_true", help="one round of little: shows that all works")
    parser.add_argument("--no-peers", action="store_true", help="without what is to be downloaded first")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    parser.add_argument("--page", action="store_true", help="write tables and plots into docs/")
    parser.add_argument(
        "--from-json", type=Path, metavar="FILE", help="measure nothing: report these figures"
    )
    parser.add_argument(
        "--shared", action="store_true", help="others use the engine too: what they leave on it is no mistake"
    )
    found = parser.parse_args(words)
    for row in found.rows:
        if row not in ROWS:
            parser.error(f"there is no row {row!r}; there are {', '.join(ROWS)}")
    return found


def main(words: Sequence[str] | None = None) -> int:
    """0: measured, and nothing is left on the engine; 1: something is, or one of the rows could not be measured."""
    given = arguments(words)
    left: list[str] = []
    if given.from_json:
        results = report.from_json(given.from_json.read_text())
    else:
        results, left = measured(given)
    print(report.text(results))
    if given.json:
        given.json.write_text(report.as_json(results))
    if given.page:
        print("\nwritten to docs/: " + ", ".join(report.update_page(results)))
    if left:
        print("\nleft on the engine:\n" + "\n".join(left))
    for word, why in results.failed.items():
        print(f"\ncannot measure {word}: {why}")
    return 1 if left or results.failed else 0


def measured(given: argparse.Namespace) -> tuple[Results, list[str]]:
    """The figures, and what is left on the engine. Ctrl-C ends the run early: what was measured by then is reported."""
    begun = time.monotonic()
    bench = Bench(rounds=given.rounds, quick=given.quick)
    before = bench.things()
    names = given.rows or (CHEAP if given.quick else tuple(ROWS))
    results = Results()
    try:
        _measure(bench, names, results, peers=not given.no_peers)
    except KeyboardInterrupt:
        bench.say("interrupted: the rest is left out")
        results.rows = [row for row in results.rows if row.samples or row.missing]
    results.machine = machine(bench) | results.machine
    results.machine["rounds"] = (
        "one of little (--quick): no figures to go by" if given.quick else str(given.rounds)
    )
    results.machine["time"] = f"{time.strftime('%Y-%m-%d')}, {time.monotonic() - begun:.0f} s in all"
    left = leftovers(bench, before, shared=given.shared)
    bench.remove_rest()
    return results, left


def _measure(bench: Bench, names: Sequence[str], results: Results, *, peers: bool) -> None:
    begun = time.monotonic()
    with contextlib.ExitStack() as ends:
        present: list[Contestant] = []
        missing: dict[str, str] = {}
        if WITH_PEERS & {*names}:
            present, missing = contestants(bench, peers=peers)
        versions = [f"{each.name} {version}" for each in present if (version := getattr(each, "version", ""))]
        results.machine["peers"] = ", ".join(versions) or "none"
        for each in present:
            ends.callback(each.close)
        for measure in dict.fromkeys(ROWS[name] for name in names):
            word = next(name for name in names if ROWS[name] is measure)
            bench.say(f"{time.monotonic() - begun:5.0f} s  {word} ...")
            known = len(results.rows)
            try:
                measure(bench, present, results)
            except Exception as error:  # the other rows have figures: they are reported, and the run fails
                bench.say(traceback.format_exc())
                results.failed[word] = f"{type(error).__name__}: {error}"
            if word in WITH_PEERS - {"calls"}:
                for row in results.rows[known:]:
                    row.missing = missing | row.missing


def machine(bench: Bench) -> dict[str, str]:
    """What it ran on."""
    info = bench.engine.info()
    return {
        "engine": f"{info.product} {info.version}, {info.cpus} processors, kernel {info.kernel}, cgroup {info.cgroup_version}",
        "python": platform.python_version(),
        "load at the end": " ".join(f"{each:.1f}" for each in os.getloadavg()),
    }


def leftovers(bench: Bench, before: dict[str, str], *, shared: bool) -> list[str]:
    """What is on the engine now and was not before, by unfiltered lists; of an engine that others use too, what has this run's
    name in it."""
    new = [thing for key, thing in bench.things().items() if key not in before]
    return [thing for thing in new if not shared or bench.token in thing]
