"""The path of a field: how Kubernetes spells it, and the steps by which its place in a text is found."""

from __future__ import annotations

from typing import Self

from pypod.model.text.places import ROOT, Place, Steps

__all__ = ["ROOT", "Path", "below", "entry", "item", "place_of", "within"]

_LONGEST_NAME = 80
_LONGEST_KEY = 320


class Path(str):
    """A path that knows its steps, which its spelling alone does not tell: a user's own names may have dots and brackets in them.

    Made of the empty one by `below`, `item` and `entry`.

    Attributes:
        steps: None where the path was begun as plain text.
    """

    __slots__ = ("steps",)

    steps: Steps | None

    def __new__(cls, text: str = "", steps: Steps | None = ()) -> Self:
        found = super().__new__(cls, text)
        found.steps = steps
        return found


def below(path: str, name: str) -> Path:
    """The path of a field in a mapping of fields."""
    shown = name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 3] + "..."
    return Path(f"{path}.{shown}" if path else shown, _steps(path, name))


def entry(path: str, key: object) -> Path:
    """The path of an entry in a mapping whose keys are its user's own."""
    return Path(f"{path}[{str(key)[:_LONGEST_KEY]}]", _steps(path, str(key)))


def item(path: str, index: int) -> Path:
    """The path of an item of a list."""
    return Path(f"{path}[{index}]", _steps(path, index))


def _steps(path: str, step: str | int) -> Steps | None:
    steps = path.steps if isinstance(path, Path) else None if path else ()
    return None if steps is None else (*steps, step)


def place_of(root: Place, path: str) -> Place:
    """The place of a field, or of the nearest thing around it that has one, in a document or a part of one."""
    steps = path.steps if isinstance(path, Path) else None
    if steps is None:  # of the rules about specs, which have no document
        return root.find("" if path == ROOT else path)
    return root.at(steps)


def within(path: str, around: str) -> bool:
    """A path is another one, or below it."""
    return path.startswith(around) and path[len(around) :][:1] in ("", ".", "[")
