"""Figures, and what is made of them: medians, spread, ratios within a round."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Goal:
    """What one contestant's figure should be at most: so many times another's median, or so much by itself.

    Attributes:
        of: whose figure.
        limit: a ratio where `against` is given, else a figure.
        against: whose median is 1.
        at_least: it is the least, not the most.
    """

    of: str
    limit: float
    against: str = ""
    at_least: bool = False

    def __str__(self) -> str:
        bound = "at least" if self.at_least else "at most"
        return f"{self.of} {bound} {self.limit:g}" + (f" x {self.against}" if self.against else "")


@dataclass
class Row:
    """One kind of work, and how long each contestant took for it, round by round.

    Attributes:
        key: its name in JSON and on the command line.
        title: for people.
        unit: of what is shown; samples are in it.
        reference: whose figures the ratios are to.
        missing: contestants that did not take part, and why.
        notes: what else is to be said.
    """

    key: str
    title: str
    unit: str = "ms"
    reference: str = ""
    goals: tuple[Goal, ...] = ()
    samples: dict[str, list[float]] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def add(self, contestant: str, figure: float) -> None:
        self.samples.setdefault(contestant, []).append(figure)

    def median(self, contestant: str) -> float:
        return statistics.median(self.samples[contestant])

    def spread(self, contestant: str) -> tuple[float, float]:
        """The lower and the upper quartile."""
        return quartiles(self.samples[contestant])

    def ratio(self, contestant: str, against: str) -> float | None:
        """The median of the ratios of one round each: what else the machine was doing was then the same for both. None where
        one of them has no figures, or not one for each round of the other."""
        own, other = self.samples.get(contestant, []), self.samples.get(against, [])
        if not own or len(own) != len(other) or not all(other):
            return None
        return statistics.median(a / b for a, b in zip(own, other, strict=True))

    def reached(self, goal: Goal) -> tuple[float, bool] | None:
        """The figure that the goal is about, and whether it is reached; None where it was not measured."""
        if goal.of not in self.samples:
            return None
        figure = self.ratio(goal.of, goal.against) if goal.against else self.median(goal.of)
        if figure is None:
            return None
        return figure, figure >= goal.limit if goal.at_least else figure <= goal.limit


def quartiles(values: Sequence[float]) -> tuple[float, float]:
    """The lower and the upper one; of fewer than two values these."""
    if len(values) < 2:
        return values[0], values[0]
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, high


@dataclass
class Bar:
    """One engine call on a timeline: seconds from the beginning."""

    lane: str
    words: str
    begin: float
    end: float


@dataclass
class Results:
    """All that a run found.

    Attributes:
        timelines: who started one pod, and its engine calls.
        curves: by plot, then by line: points of x and y.
        machine: what it ran on.
        failed: words of the command line that could not be measured, and why.
    """

    rows: list[Row] = field(default_factory=list)
    timelines: dict[str, list[Bar]] = field(default_factory=dict)
    curves: dict[str, dict[str, list[tuple[float, float]]]] = field(default_factory=dict)
    machine: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    def row(self, row: Row) -> Row:
        self.rows.append(row)
        return row

    def curve(self, plot: str, line: str, x: float, y: float) -> None:
        self.curves.setdefault(plot, {}).setdefault(line, []).append((x, y))
