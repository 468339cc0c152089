"""How values and names stand in messages."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping


def show(value: object) -> str:
    """A value in a message: short, and with its kind."""
    if isinstance(value, str):
        return repr(value if len(value) <= 80 else value[:77] + "...")
    if isinstance(value, bool):
        return f"the boolean {'true' if value else 'false'}"
    if isinstance(value, int):
        return f"the number {value}" if value.bit_length() < 256 else "a very large number"
    if isinstance(value, float):
        return f"the number {value}"
    if value is None:
        return "null"
    if isinstance(value, Mapping):
        return "a mapping"
    return "a list" if isinstance(value, list | tuple) else f"a {type(value).__name__}"


def kind_of(value: object) -> str:
    """A value in a message that must not show it: what it is, without what it says."""
    if isinstance(value, str):
        return "a string"
    if isinstance(value, bool):
        return "a boolean"
    return "a number" if isinstance(value, int | float) else show(value)


def did_you_mean(name: str, candidates: Iterable[str]) -> str:
    """``, did you mean 'x'?``, or nothing where nothing is near."""
    by_lower = {candidate.lower(): candidate for candidate in sorted(candidates)[:100]}
    near = difflib.get_close_matches(name[:80].lower(), by_lower, n=1)
    return f", did you mean '{by_lower[near[0]]}'?" if near else ""
