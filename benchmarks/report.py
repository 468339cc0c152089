"""What a run found, as text, as JSON, and in docs/performance.md."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator
from pathlib import Path

from benchmarks import plot
from benchmarks.measure import Bar, Goal, Results, Row

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "performance.md"
PLOTS = ROOT / "docs" / "performance"


def text(results: Results) -> str:
    """Tables for a terminal."""
    lines = [f"{key}: {value}" for key, value in results.machine.items()]
    for row in results.rows:
        lines += ["", f"{row.title} ({row.unit})"]
        width = max(map(len, [*row.samples, *row.missing]), default=0)
        if row.samples:
            ratio = f"x {row.reference}" if row.reference else ""
            lines.append(f"  {'':{width}}  {'median':>8} {'quartiles':>17} {ratio:>10}")
        lines += [f"  {_cells(row, who, width)}" for who in row.samples]
        lines += [f"  {who:{width}}  missing: {why}" for who, why in row.missing.items()]
        lines += [f"  {words}" for goal in row.goals if (words := judged(row, goal))]
        lines += [f"  ({note})" for note in row.notes]
    return "\n".join(lines)


def _cells(row: Row, who: str, width: int) -> str:
    low, high = row.spread(who)
    ratio = row.ratio(who, row.reference) if row.reference else None
    shown = f"{ratio:10.2f}" if ratio is not None else ""
    return f"{who:{width}}  {number(row.median(who)):>8} {number(low):>8} {number(high):>8} {shown}".rstrip()


def number(figure: float) -> str:
    """Three digits that count."""
    return (
        f"{figure:.0f}" if abs(figure) >= 100 else f"{figure:.1f}" if abs(figure) >= 10 else f"{figure:.2f}"
    )


def judged(row: Row, goal: Goal) -> str:
    found = row.reached(goal)
    if found is None:
        return f"target: {goal}: not measured"
    figure, reached = found
    return f"target: {goal}: {number(figure)}, {'reached' if reached else 'NOT REACHED'}"


def as_json(results: Results) -> str:
    """All figures, each sample."""
    return json.dumps(dataclasses.asdict(results), indent=1) + "\n"


def from_json(document: str) -> Results:
    """What `as_json` wrote: to draw and to write the page again without measuring."""
    found = json.loads(document)
    rows = []
    for row in found.pop("rows"):
        goals = tuple(Goal(**goal) for goal in row.pop("goals"))
        rows.append(Row(**row, goals=goals))
    lines = found.pop("timelines")
    bars = {who: [Bar(**bar) for bar in each] for who, each in lines.items()}
    curves = {
        name: {who: [(x, y) for x, y in points] for who, points in each.items()}
        for name, each in found.pop("curves").items()
    }
    return Results(rows=rows, timelines=bars, curves=curves, **found)


def update_page(results: Results, page: Path = PAGE, plots: Path = PLOTS) -> list[str]:
    """Write the tables between their markers in the page, and the plots beside it. Targets of rows that were not measured this time
    stay as they are.

    Returns:
        The names of what was written.
    """
    blocks = dict(_blocks(results))
    written = []
    found = page.read_text(encoding="utf-8")
    for name, block in blocks.items():
        place = re.search(rf"(?<=<!-- bench: {re.escape(name)} -->\n).*?(?=<!-- end -->)", found, re.DOTALL)
        if place is None:
            continue
        kept = _other_targets(place[0], results) if name == "targets" else []
        lines = "\n".join([block, *kept])
        found = f"{found[: place.start()]}\n{lines}\n\n{found[place.end() :]}"
        written.append(name)
    page.write_text(found, encoding="utf-8")
    plots.mkdir(exist_ok=True)
    pictures = plot.pictures(results)
    for name, picture in pictures.items():
        (plots / f"{name}.svg").write_text(picture, encoding="utf-8")
    return [*written, *pictures]


def _other_targets(table: str, results: Results) -> list[str]:
    """The lines of a table of targets that are about other rows than these."""
    titles = {row.title for row in results.rows}
    return [
        line
        for line in table.splitlines()[3:]
        if line and line.split(" | ")[0].removeprefix("| ") not in titles
    ]


def _blocks(results: Results) -> Iterator[tuple[str, str]]:
    yield "machine", "\n".join(f"- {key}: {value}" for key, value in results.machine.items())
    yield "targets", "\n".join(_targets(results))
    for row in results.rows:
        yield row.key, "\n".join(_markdown(row))


def _targets(results: Results) -> Iterator[str]:
    yield "| work | target | measured | |"
    yield "|---|---|---|---|"
    for row in results.rows:
        for goal in row.goals:
            found = row.reached(goal)
            unit = "" if goal.against else f" {row.unit}"
            if found is None:
                why = row.missing.get(goal.of) or row.missing.get(goal.against) or "not measured"
                yield f"| {row.title} | {goal}{unit} | | {why} |"
            else:
                figure, reached = found
                yield f"| {row.title} | {goal}{unit} | {number(figure)} | {'reached' if reached else '**missed**'} |"


def _markdown(row: Row) -> Iterator[str]:
    ratio = f" x {row.reference} |" if row.reference else ""
    yield f"| {row.title} | median, {row.unit} | quartiles |{ratio}"
    yield "|---|---|---|" + ("---|" if row.reference else "")
    for who in row.samples:
        low, high = row.spread(who)
        found = row.ratio(who, row.reference) if row.reference else None
        shown = f" {found:.2f} |" if found is not None else " |" if row.reference else ""
        yield f"| {who} | {number(row.median(who))} | {number(low)} to {number(high)} |{shown}"
    for who, why in row.missing.items():
        yield f"| {who} | missing: {why} | |" + (" |" if row.reference else "")
    for note in row.notes:
        yield f"\n{note[:1].upper()}{note[1:]}."
