"""Text with a value of a Secret in it: it is a string like any other, but for what people are shown of it."""

from __future__ import annotations

from collections.abc import Iterable

SHOWN = "<hidden>"


class Hidden(str):
    """Such a text. ``repr`` does not show it, so neither does that of a plan, a request or a list that has it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return SHOWN


def like(text: str, *parts: str) -> str:
    """What was made of these; hidden where one of them is."""
    return Hidden(text) if any(isinstance(part, Hidden) for part in parts) else text


def shown(text: str) -> str:
    """What people are shown of it."""
    return SHOWN if isinstance(text, Hidden) else text


def without(text: str, values: Iterable[str]) -> str:
    """The text without these values, the longest ones first."""
    for value in sorted(filter(None, values), key=len, reverse=True):
        text = text.replace(value, SHOWN)
    return text
