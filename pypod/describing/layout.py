"""Columns, ages and amounts as kubectl writes them."""

from __future__ import annotations

import datetime
from collections.abc import Sequence

GAP = 3


def table(
    head: Sequence[str], rows: Sequence[Sequence[str]], *, least: Sequence[int] = (), gap: int = GAP
) -> str:
    """Left-aligned columns, each as wide as its widest cell and a gap, and at least so wide as is said. Without a head: rows
    only."""
    lines = [list(line) for line in (head, *rows) if line]
    if not lines:
        return ""
    widths = [max(len(line[column]) for line in lines) + gap for column in range(len(lines[0]))]
    widths = [max(pair) for pair in zip(widths, least or widths, strict=True)]
    padded = ("".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines)
    return "\n".join(line.rstrip() for line in padded)


def ago(at: float, count: int, first_at: float, now: float) -> str:
    """When an event was seen: ``5s``, or ``5s (x3 over 2m)``."""
    last = age(now - at)
    return f"{last} (x{count} over {age(now - first_at)})" if count > 1 else last


def size(count: int) -> str:
    """Bytes as Kubernetes writes them: 64Mi, 1Gi, 1500."""
    for unit, power in (("Ei", 60), ("Pi", 50), ("Ti", 40), ("Gi", 30), ("Mi", 20), ("Ki", 10)):
        if count and count % (1 << power) == 0:
            return f"{count >> power}{unit}"
    return str(count)


def cores(milli: int) -> str:
    """Millicores as Kubernetes writes them: 2, 250m."""
    return f"{milli}m" if milli % 1000 else str(milli // 1000)


def clock(seconds: float) -> str:
    """A time as kubectl describes it: ``Mon, 23 Nov 2026 20:15:00 +0000``, where this machine is."""
    return (
        datetime.datetime.fromtimestamp(seconds, datetime.UTC)
        .astimezone()
        .strftime("%a, %d %b %Y %H:%M:%S %z")
    )


def age(seconds: float) -> str:
    """As kubectl writes it: 8s, 90s, 5m30s, 12m, 3h20m, 9h, 2d3h, 12d.

    Source: k8s.io/apimachinery/pkg/util/duration, HumanDuration.
    """
    whole = max(0, int(seconds))
    minutes, hours, days = whole // 60, whole // 3600, whole // 86400
    if whole < 120:
        return f"{whole}s"
    if minutes < 10:
        return _two(minutes, "m", whole % 60, "s")
    if minutes < 180:
        return f"{minutes}m"
    if hours < 8:
        return _two(hours, "h", minutes % 60, "m")
    if hours < 48:
        return f"{hours}h"
    return _two(days, "d", hours % 24, "h") if days < 8 else f"{days}d"


def _two(big: int, unit: str, small: int, small_unit: str) -> str:
    return f"{big}{unit}{small}{small_unit}" if small else f"{big}{unit}"
