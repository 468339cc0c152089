"""How far a field of Kubernetes is carried out, and what is said of one that is not."""

from __future__ import annotations

import enum


class Level(enum.Enum):
    """How far a field is carried out."""

    DONE = "done"
    """As Kubernetes does it."""
    PARTLY = "partly"
    """The reason says what is not."""
    NO_EFFECT = "no effect"
    """It is read, kept and written back; a warning says that, and why, it changes nothing."""
    REFUSED = "refused"
    """An error says why, and what to use instead."""
    PLANNED = "planned"
    """Refused for now: declared and read, but nothing carries it out yet. Who writes that changes the level of the field, and
    no other line."""


def objection(level: Level, reason: str) -> str:
    """What is said against a field at this level that says something; empty: nothing."""
    match level:
        case Level.PLANNED:
            return "is not supported yet"
        case Level.REFUSED:
            return f"is refused: {reason}"
    return ""


def warning(level: Level, reason: str) -> str:
    """What is said, without stopping anybody, of such a field; empty: nothing."""
    return f"has no effect on one engine: {reason}" if level is Level.NO_EFFECT else ""
