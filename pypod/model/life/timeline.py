"""Spans as a small timeline of text: a line each, with a bar that shows when it was."""

from __future__ import annotations

from collections.abc import Sequence

from pypod.model.life.spans import CALLER, JOURNAL, UNFINISHED, Span

BAR = 32
LONGEST_NAME = 36
LONGEST_LANE = 20


def text(pod: str, spans: Sequence[Span], source: str) -> str:
    """A block for each thing that was asked for (``start``, ``stop``), with what began in it, and one for what came between.

    Args:
        pod: its full name.
        spans: as recorded. Details and the journal are left out; what the calling thread did is added up.
        source: where they come from, for the head.
    """
    if not spans:
        return f"pod {pod}: nothing is known of how long anything took"
    asked = sorted((span for span in spans if span.lane == CALLER and not span.detail), key=_began)
    blocks = []
    loose = _shown([span for span in spans if _asked_by(span, asked) is None])
    if loose:
        name = "meanwhile" if asked else "its life"
        ends = loose[0].began, max(span.ended for span in loose)
        blocks.append((loose[0].began, _block(name, ends, loose)))
    for each in asked:
        inside = [span for span in spans if _asked_by(span, asked) is each and span is not each]
        title = each.name + (f" ({each.outcome.splitlines()[0]})" if each.outcome else "")
        blocks.append((each.began, _block(title, (each.began, each.ended), inside)))
    return "\n".join([f"pod {pod}, {source}:", *(block for _, block in sorted(blocks))])


def _began(span: Span) -> float:
    return span.began


def _asked_by(span: Span, asked: Sequence[Span]) -> Span | None:
    """The last one that was under way when it began: a start that fails has a stop in it."""
    return next((each for each in reversed(asked) if each.began <= span.began <= each.ended), None)


def _shown(spans: Sequence[Span]) -> list[Span]:
    shown = [span for span in spans if span.lane not in (CALLER, JOURNAL) and not span.detail]
    return sorted(shown, key=_began)


def _block(title: str, ends: tuple[float, float], spans: Sequence[Span]) -> str:
    began, ended = ends
    shown = _shown(spans)
    lane = max((min(len(span.lane), LONGEST_LANE) for span in shown), default=0)
    name = max((min(len(span.name), LONGEST_NAME) for span in shown), default=0)
    lines = [f"  {title}: {_duration(ended - began)}"]
    for span in shown:
        cells = f"{_clipped(span.lane, LONGEST_LANE):{lane}}  {_clipped(span.name, LONGEST_NAME):{name}}"
        times = f"{'+' + _duration(span.began - began):>11} {_duration(span.seconds):>10}"
        lines.append(f"    {cells} {times} |{_bar(span, began, ended)}|{_mark(span)}")
    if own := _own(spans):
        lines.append(f"    {own}")
    return "\n".join(lines)


def _duration(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms" if seconds < 10 else f"{seconds:.2f} s"


def _clipped(words: str, longest: int) -> str:
    """Its begin and its end: those of a container's name on the engine are what tells one from another."""
    if len(words) <= longest:
        return words
    head = (longest - 3) // 2
    return f"{words[:head]}...{words[head + 3 - longest :]}"


def _bar(span: Span, began: float, ended: float) -> str:
    """At least one character; what goes on past the block's end ends with it."""
    scale = BAR / (ended - began) if ended > began else 0.0
    first = min(int((span.began - began) * scale), BAR - 1)
    last = min(max(round((span.ended - began) * scale), first + 1), BAR)
    return f"{' ' * first}{'#' * (last - first)}".ljust(BAR)


def _mark(span: Span) -> str:
    if not span.outcome:
        return ""
    return " ..." if span.outcome == UNFINISHED else " failed"


def _own(spans: Sequence[Span]) -> str:
    """What the calling thread did, added up."""
    sums: dict[str, list[float]] = {}
    for span in spans:
        if span.lane == CALLER:
            sums.setdefault(span.name, []).append(span.seconds)
    parts = [f"{name} {len(took)} x, {_duration(sum(took))}" for name, took in sums.items()]
    return f"{CALLER} {'; '.join(parts)}" if parts else ""
