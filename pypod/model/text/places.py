"""Where each field of a document stands in its text.

A `Place` is a node of a tree of the same shape as the document's value. It is looked up by steps, the keys and indices
that lead to a field: ``("spec", "containers", 0, "image")``. Nothing here needs to know which names are a schema's and
which are a user's own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

Steps = tuple[str | int, ...]
"""The way to a field: a mapping's keys and a list's indices, from the document's root."""

ROOT = "document"
"""How the path of a whole document is spelled."""


class Position(NamedTuple):
    """Of a character in a text, both counted from 1; the column in characters."""

    line: int
    column: int


class Place:
    """Of one value: where it begins, and where what is in it does.

    Attributes:
        value: where the value begins. What an alias (``*name``) stands for is where it was written out.
        key: where its key begins, for a field of a mapping; None else.
        last_line: of the value.
        inner: the places of a mapping's fields by key, or of a list's items; None for a scalar.
    """

    __slots__ = ("inner", "key", "last_line", "value")

    def __init__(self, value: Position, key: Position | None = None) -> None:
        self.value = value
        self.key = key
        self.last_line = value.line
        self.inner: dict[str, Place] | list[Place] | None = None

    def copy(self) -> Place:
        """The same, with a key of its own (none yet)."""
        copy = Place(self.value)
        copy.last_line = self.last_line
        copy.inner = self.inner
        return copy

    @property
    def best(self) -> Position:
        """Where an error points to: the value where it begins on its key's line, else the key."""
        return self.key if self.key is not None and self.key.line != self.value.line else self.value

    def child(self, step: str | int) -> Place | None:
        """The place of a field or an item; None where there is none."""
        inner = self.inner
        if isinstance(inner, dict):
            return inner.get(step) if isinstance(step, str) else None
        if isinstance(inner, list) and isinstance(step, int) and 0 <= step < len(inner):
            return inner[step]
        return None

    def at(self, steps: Iterable[str | int]) -> Place:
        """The place that the steps lead to, or the last one on the way where they lead nowhere: a missing field is
        missing in what is around it.
        """
        place = self
        for step in steps:
            child = place.child(step)
            if child is None:
                break
            place = child
        return place

    def steps_of(self, path: str) -> Steps:
        """The steps of a path as Kubernetes spells it, ``spec.containers[0].image`` or ``metadata.labels[a.b/c]``, as
        far as there is something. Both ``.name`` and ``[name]`` are a field's.
        """
        place, steps, rest = self, [], f".{path}"
        while rest:
            step, rest = place._next(rest)
            if step is None:
                break
            child = place.child(step)
            if child is None:
                break
            steps.append(step)
            place = child
        return tuple(steps)

    def find(self, path: str) -> Place:
        """The place that the path leads to, or the last one on the way."""
        return self.at(self.steps_of(path))

    def _next(self, rest: str) -> tuple[str | int | None, str]:
        if isinstance(self.inner, list):
            match = re.match(r"\.?\[(\d{1,9})\]", rest)
            return (int(match[1]), rest[match.end() :]) if match else (None, "")
        rest = rest.removeprefix(".") if rest.startswith(".[") else rest
        inner = self.inner or {}
        bracket = rest.startswith("[")
        match = re.match(r"\[([^\]]*)\]" if bracket else r"\.([^.\[]*)", rest)
        if match is not None and match[1] in inner:
            return match[1], rest[match.end() :]
        # A name that has dots or brackets in it.
        opened, closed = rest[:1], "]" if bracket else ""
        found = ""
        for name in inner:
            spelled = f"{opened}{name}{closed}"
            after = rest[len(spelled) : len(spelled) + 1]
            if (
                len(spelled) > len(found)
                and rest.startswith(spelled)
                and (bracket or after in ("", ".", "["))
            ):
                found = spelled
        return (found[1 : len(found) - len(closed)], rest[len(found) :]) if found else (None, "")


_PLAIN_NAME = re.compile(r"[A-Za-z_$][A-Za-z0-9_$-]*", re.ASCII)
_OF_USERS = frozenset(
    "labels annotations matchLabels nodeSelector requests limits data stringData binaryData".split()  # noqa: SIM905
)
_LONGEST_NAME = 80


def spell(steps: Steps) -> str:
    """The path in Kubernetes' spelling, for text whose schema is not known (yet): in brackets stand the keys of the
    mappings that every kind has for its users' own names, and keys that cannot be a field's name.
    """
    path = ""
    previous: str | int = ""
    for step in steps:
        if isinstance(step, int):
            path += f"[{step}]"
        else:
            name = step if len(step) <= _LONGEST_NAME else step[: _LONGEST_NAME - 3] + "..."
            name = name if name.isprintable() else name.encode("unicode_escape").decode()
            plain = previous not in _OF_USERS and _PLAIN_NAME.fullmatch(step)
            path += (f".{name}" if path else name) if plain else f"[{name}]"
        previous = step
    return path or ROOT
