"""Plots as SVG, by hand: three of them, small, and the same in every browser."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from xml.sax.saxutils import escape

from benchmarks.measure import Bar, Results

WIDTH, HEIGHT = 720, 300
LEFT, RIGHT, TOP, BOTTOM = 60, 130, 34, 40
COLOURS = ("#0b63a5", "#d1650a", "#2c8c3c", "#8a4fb0")
STYLE = "font-family='system-ui, sans-serif' font-size='12'"
LANE, BAR = 17, 13
Points = Sequence[tuple[float, float]]


def pictures(results: Results) -> dict[str, str]:
    """By file name, without its end."""
    found = {}
    if results.timelines:
        found["timeline"] = timeline(results.timelines)
    for name, lines in results.curves.items():
        title = "pods of pause + 1, started a second" if name == "throughput" else name
        axis = "workers" if name == "throughput" else "pods"
        found[re.sub(r"[^a-z]+", "-", name.lower()).strip("-")] = curves(title, axis, lines)
    return found


def _svg(height: float, parts: Iterable[str]) -> str:
    size = f"viewBox='0 0 {WIDTH} {height:g}' width='{WIDTH}' height='{height:g}'"
    ground = f"<rect width='{WIDTH}' height='{height:g}' fill='white'/>"
    return "\n".join([f"<svg xmlns='http://www.w3.org/2000/svg' {size} {STYLE}>", ground, *parts, "</svg>\n"])


def _words(x: float, y: float, words: str, more: str = "") -> str:
    return f"<text x='{x:.1f}' y='{y:.1f}' {more}>{escape(words)}</text>"


def _line(x1: float, y1: float, x2: float, y2: float, colour: str = "#ddd") -> str:
    return f"<line x1='{x1:.1f}' y1='{y1:.1f}' x2='{x2:.1f}' y2='{y2:.1f}' stroke='{colour}'/>"


def ticks(most: float, about: int = 5) -> list[float]:
    """Round figures from 0 to the first that is not below the most."""
    step = next(
        base * 10**power
        for power in range(-3, 9)
        for base in (1, 2, 5)
        if base * 10**power * about >= most > 0 or power == 8
    )
    found = [0.0]
    while found[-1] < most:
        found.append(round(found[-1] + step, 6))
    return found


def curves(title: str, axis: str, lines: Mapping[str, Points]) -> str:
    """Lines through points, from 0 on both axes."""
    across = ticks(max(x for points in lines.values() for x, _ in points), 8)
    up = ticks(max(y for points in lines.values() for _, y in points))
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM

    def place(x: float, y: float) -> tuple[float, float]:
        return LEFT + (right - LEFT) * x / across[-1], bottom - (bottom - TOP) * y / up[-1]

    parts = [_words(LEFT, 20, title, "font-weight='bold'")]
    parts.append(_words((LEFT + right) / 2, HEIGHT - 6, axis, "text-anchor='middle'"))
    for y in up:
        height = place(0, y)[1]
        parts.append(_line(LEFT, height, right, height))
        parts.append(_words(LEFT - 6, height + 4, f"{y:g}", "text-anchor='end'"))
    parts += [_words(place(x, 0)[0], bottom + 16, f"{x:g}", "text-anchor='middle'") for x in across]
    for index, (name, points) in enumerate(lines.items()):
        colour = COLOURS[index % len(COLOURS)]
        placed = [place(x, y) for x, y in sorted(points)]
        way = " ".join(f"{x:.1f},{y:.1f}" for x, y in placed)
        parts.append(f"<polyline points='{way}' fill='none' stroke='{colour}' stroke-width='2'/>")
        parts += [f"<circle cx='{x:.1f}' cy='{y:.1f}' r='3' fill='{colour}'/>" for x, y in placed]
        parts.append(_words(right + 10, TOP + 10 + 18 * index, name, f"fill='{colour}'"))
    return _svg(HEIGHT, parts)


def timeline(who: Mapping[str, Sequence[Bar]]) -> str:
    """Each engine call is a bar, one below the other; all on one scale of milliseconds."""
    marks = ticks(max(1000 * bar.end for bars in who.values() for bar in bars), 6)
    right = WIDTH - 20

    def place(seconds: float) -> float:
        return 150 + (right - 150) * 1000 * seconds / marks[-1]

    parts = []
    y = 0.0
    for index, (name, bars) in enumerate(who.items()):
        y += 20
        parts.append(_words(8, y, f"{name}: {len(bars)} engine calls", "font-weight='bold'"))
        top = y + 8
        for bar in sorted(bars, key=lambda bar: bar.begin):
            y += LANE
            width = max(1.5, place(bar.end) - place(bar.begin))
            verb = bar.words.split()[0].replace("_", " ")
            parts.append(_words(8, y, verb, "fill='#444' font-size='11'"))
            parts.append(
                f"<rect x='{place(bar.begin):.1f}' y='{y - BAR + 3:.1f}' width='{width:.1f}' height='{BAR}' "
                f"fill='{COLOURS[index % len(COLOURS)]}'><title>{escape(bar.words)}: {1000 * bar.begin:.0f} to "
                f"{1000 * bar.end:.0f} ms</title></rect>"
            )
        y += 12
        parts[:0] = [_line(place(mark / 1000), top, place(mark / 1000), y) for mark in marks]
        y += 12
        parts += [_words(place(mark / 1000), y, f"{mark:g} ms", "text-anchor='middle'") for mark in marks]
        y += 6
    return _svg(y + 6, parts)
