"""Where in a text a field stands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

ROOT = "document"
"""The path of a problem that the whole document has."""


class Position(NamedTuple):
    """Line and column, counted from 1; 0 where it is not known."""

    line: int = 0
    column: int = 0


NOWHERE = Position()
Positions = Mapping[str, Position]
"""Field path to its place."""


def position_of(positions: Positions, path: str) -> Position:
    """Of a field, or of the nearest thing around it that has one. ``path[key]`` is found under ``path.key`` too."""
    while path not in positions:
        cut = max(path.rfind("."), path.rfind("["))
        if path.endswith("]") and (opened := path.find("[")) >= 0:
            # The key of a mapping may hold dots itself.
            cut = max(opened, path[:-1].rfind("["))
            dotted = f"{path[:cut]}.{path[cut + 1 : -1]}"
            if dotted in positions:
                return positions[dotted]
        if cut < 0:
            return positions.get(ROOT, NOWHERE)
        path = path[:cut]
    return positions[path]


def within(path: str, around: str) -> bool:
    """A path is another one, or below it."""
    return path.startswith(around) and path[len(around) :][:1] in ("", ".", "[")
