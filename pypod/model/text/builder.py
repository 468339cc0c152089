"""A document's value and the places of its fields, built from the events of a parser, in one pass and bounded.

What is wrong with a value is noted and reading goes on, so that all of it is told at once. What an alias stands for is
not written out again: it is the same object in the value, so treat values as read-only. Its size is counted, though, as if it
were written out: whoever walks the value walks all of that.
"""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass
from typing import Final

from pypod.model.text.places import Place, Position, Steps
from pypod.model.text.scalars import STANDARD, ScalarError, key_text, resolve, shown_tag, tagged
from pypod.model.text.strictness import Strictness
from pypod.model.wording import show

MAX_DEPTH = 64
"""Of nesting, aliases written out; a Pod's own fields go 15 deep."""
MAX_VALUES = 100_000
"""Scalars, keys, lists and mappings of one text, with every alias written out. A Pod has some 200; the time that it takes
to read so many, or to say no to more, is less than half a second."""
MAX_FINDINGS = 100
"""That are told of one document."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, or odd, in a document's text.

    Attributes:
        steps: the way to the field.
        message: as in `pypod.errors.Problem`.
        position: where it is.
        warning: the document can be read all the same.
    """

    steps: Steps
    message: str
    position: Position
    warning: bool = False


class TextError(Exception):
    """The document cannot be read any further."""

    def __init__(self, message: str, position: Position) -> None:
        super().__init__(message)
        self.message = message
        self.position = position


class _Mark(enum.Enum):
    NO_KEY = enum.auto()
    MERGE = enum.auto()
    """The key is ``<<``."""
    BAD_KEY = enum.auto()


_NO_KEY: Final = _Mark.NO_KEY
_MERGE: Final = _Mark.MERGE
_BAD_KEY: Final = _Mark.BAD_KEY


class _Frame:
    """A list or a mapping that has begun; once it has ended, what an alias of it stands for.

    Attributes:
        value: None for a scalar's frame, which only aliases need.
        size: of it and all that is in it.
        height: levels in it.
        last_line: of what is in it so far.
        key: of a mapping, the one that waits for its value.
        explicit: a mapping's keys that are no `<<`'s, and where they stand first.
    """

    __slots__ = ("done", "explicit", "height", "key", "key_position", "last_line", "place", "size", "value")

    def __init__(self, value: object, place: Place) -> None:
        self.value = value
        self.place = place
        self.size = 1
        self.height = 1
        self.done = False
        self.key: str | _Mark = _NO_KEY
        self.key_position = place.value
        self.last_line = place.value.line
        self.explicit: dict[str, Position] = {}


class Budget:
    """What a text may still cost. One budget goes round for all its documents.

    Attributes:
        left: values that it may still have.
        slow_events: how many the slow parser may still give (`pypod.model.text.yaml_text`).
    """

    def __init__(self, slow_events: int = 0) -> None:
        self.most = self.left = MAX_VALUES
        self.slow_events = slow_events

    def take(self, count: int, position: Position) -> None:
        self.left -= count
        if self.left < 0:
            raise TextError(f"has more than {self.most} values, aliases written out", position)


class Builder:
    """Takes one document's events: `scalar`, `alias`, `begin`, `end`.

    Attributes:
        value, root: what was built, once the outermost value has ended. `root` is None before.
        findings: in the order of the text.
    """

    def __init__(self, budget: Budget, validation: Strictness = Strictness.STRICT) -> None:
        self.value: object = None
        self.root: Place | None = None
        self.plain_nothing = False
        self.findings: list[Finding] = []
        self._budget = budget
        self._validation = validation
        self._stack: list[_Frame] = []
        self._anchors: dict[str, _Frame] = {}

    # --- events ------------------------------------------------------------------------------------------------------

    def scalar(
        self,
        text: str,
        tag: str | None,
        position: Position,
        last_line: int,
        *,
        plain: bool,
        anchor: str | None,
    ) -> None:
        """A scalar; `plain` is one without quotes, which may be something else than a string."""
        self._budget.take(1, position)
        value: object = text
        merge = plain and text == "<<" if tag is None else tag == f"{STANDARD}merge" and text == "<<"
        frame = self._stack[-1] if self._stack else None
        if frame is not None:
            frame.last_line = last_line
        as_key = frame is not None and isinstance(frame.value, dict) and frame.key is _NO_KEY
        if as_key and merge and frame is not None:
            frame.key, frame.key_position = _MERGE, position
            return
        if tag is None:
            value = resolve(text) if plain else text
        elif not merge:
            value = self._tagged(tag, text, position)
        if isinstance(value, str) and not value.isascii():
            value = self._whole_characters(value, position)
        place = Place(position)
        place.last_line = last_line
        if anchor is not None:
            kept = _Frame(value, place)
            kept.height, kept.done = 0, True
            self._anchors[anchor] = kept
        if as_key and frame is not None:
            self._key(frame, value, text, position)
            return
        if isinstance(value, float) and not math.isfinite(value):
            self._refuse(f"{show(value)} cannot be in a Kubernetes object: JSON has no such number", position)
        if frame is None:
            self.plain_nothing = plain and tag is None and value is None
        self._add(value, place, 1)

    def number(self, text: str, position: Position) -> None:
        """A number of JSON, where what is too large for one cannot be a string instead."""
        if isinstance(resolve(text), str):
            self._refuse("the number is too large", position)
            text = "0"
        self.scalar(text, None, position, position.line, plain=True, anchor=None)

    def alias(self, name: str, position: Position) -> None:
        """What was called ``&name`` before, once more."""
        anchored = self._anchors.get(name)
        if anchored is None:
            raise TextError(f"nothing before it is called '&{name}'", position)
        if not anchored.done:
            raise TextError(f"the alias '*{name}' is in what it stands for", position)
        self._budget.take(anchored.size, position)
        self._check_depth(anchored.height, position)
        frame = self._stack[-1] if self._stack else None
        if frame is not None:
            frame.last_line = position.line
        if frame is not None and isinstance(frame.value, dict) and frame.key is _NO_KEY:
            self._key(frame, anchored.value, None, position)
            return
        if frame is not None and frame.key is _MERGE and isinstance(anchored.value, list):
            # As Kubernetes: a list of what is merged stands there as it is.
            self._refuse("'<<' takes a mapping, or a list of them", position)
            frame.key = _NO_KEY
            return
        if frame is not None:
            frame.height = max(frame.height, anchored.height + 1)
        self._add(anchored.value, anchored.place.copy(), anchored.size)

    def begin(self, *, mapping: bool, tag: str | None, position: Position, anchor: str | None) -> None:
        """A mapping or a list begins."""
        self._budget.take(1, position)
        if tag is not None and tag != STANDARD + ("map" if mapping else "seq"):
            self._refuse(f"the YAML tag {show(shown_tag(tag))} is not supported here", position)
        place = Place(position)
        frame: _Frame
        if mapping:
            place.inner = {}
            frame = _Frame({}, place)
        else:
            place.inner = []
            frame = _Frame([], place)
        self._stack.append(frame)
        self._check_depth(0, position)
        if anchor is not None:
            self._anchors[anchor] = frame

    def end(self, last_line: int = 0) -> None:
        """The mapping or list that began last ends: in flow style with a bracket on that line, in block style with what is
        last in it.
        """
        frame = self._stack.pop()
        frame.done = True
        frame.place.last_line = last_line or frame.last_line
        around = self._stack[-1] if self._stack else None
        if around is not None:
            around.last_line = frame.place.last_line
            around.height = max(around.height, frame.height + 1)
            if isinstance(around.value, dict) and around.key is _NO_KEY:
                self._key(around, frame.value, None, frame.place.value)
                return
        # An anchor keeps the frame; its place gets no key of where it first stood.
        self._add(frame.value, frame.place, frame.size)

    # --- what they make ----------------------------------------------------------------------------------------------

    def _add(self, value: object, place: Place, size: int) -> None:
        """A value takes its place in what is around it."""
        if not self._stack:
            self.value, self.root = value, place
            return
        frame = self._stack[-1]
        frame.size += size
        if isinstance(frame.value, list):
            frame.value.append(value)
            assert isinstance(frame.place.inner, list)
            frame.place.inner.append(place)
            return
        assert isinstance(frame.value, dict)
        assert isinstance(frame.place.inner, dict)
        key, frame.key = frame.key, _NO_KEY
        if key is _MERGE:
            self._merge(frame, value, place)
        elif isinstance(key, str):
            place.key = frame.key_position
            frame.value[key] = value
            frame.place.inner[key] = place

    def _key(self, frame: _Frame, value: object, text: str | None, position: Position) -> None:
        """A key, which is made a string as Kubernetes makes it one."""
        frame.size += 1
        frame.key_position = position
        name = key_text(value)
        if name is None:
            frame.key = _BAD_KEY
            hint = " (in quotes it is one)" if text is not None else ""
            self._refuse(f"a field's name is a string, not {show(value)}{hint}", position)
            return
        frame.key = name
        first = frame.explicit.setdefault(name, position)
        if first is not position:
            self._duplicate(first, position)
        elif not isinstance(value, str) and text is not None and name != text:
            message = (
                f"the name {show(text)} is {show(name)}, as Kubernetes reads it; in quotes it is {show(text)}"
            )
            self._warn(message, position)

    def _duplicate(self, first: Position, position: Position) -> None:
        message = f"the field is there twice, first on line {first.line}"
        if self._validation is Strictness.STRICT:
            self._refuse(message, position)
        else:
            self._warn(f"{message}; the last one holds", position)

    def _merge(self, frame: _Frame, value: object, place: Place) -> None:
        """What ``<<`` brings in. As in Kubernetes it is as if written at its place: what comes later holds."""
        position = frame.key_position
        if isinstance(value, dict):
            sources = [(value, place)]
        elif isinstance(value, list) and all(isinstance(item, dict) for item in value):
            assert isinstance(place.inner, list)
            sources = list(zip(value, place.inner, strict=True))
        else:
            self._refuse("'<<' takes a mapping, or a list of them", position)
            return
        assert isinstance(frame.value, dict)
        assert isinstance(frame.place.inner, dict)
        for fields, where in reversed(sources):  # of a list the earlier one holds
            assert isinstance(where.inner, dict)
            for name, item in fields.items():
                first = frame.explicit.get(name)
                if first is not None and frame.value.get(name) is not item:
                    message = f"is replaced by '<<' on line {position.line}, as in Kubernetes; not where '<<' comes first"
                    self._warn(message, first, name)
                frame.value[name] = item
                frame.place.inner[name] = where.inner[name]

    def _tagged(self, tag: str, text: str, position: Position) -> object:
        try:
            return tagged(tag, text)
        except ScalarError as exc:
            self._refuse(str(exc), position)
            return None

    def _whole_characters(self, text: str, position: Position) -> str:
        r"""JSON writes characters past U+FFFF as two escapes, ``\ud83d\ude00``, which PyYAML takes for two characters."""
        try:
            return text.encode("utf-16", "surrogatepass").decode("utf-16")
        except UnicodeDecodeError:
            self._refuse("a string has half of a surrogate pair in it", position)
            return ""

    def _check_depth(self, more: int, position: Position) -> None:
        if len(self._stack) + more > MAX_DEPTH:
            written_out = ", aliases written out" if more else ""
            raise TextError(f"is nested deeper than {MAX_DEPTH} levels{written_out}", position)

    # --- what is said ------------------------------------------------------------------------------------------------

    def steps(self) -> Steps:
        """The way to where the parser is."""
        steps: list[str | int] = []
        for frame in self._stack:
            if isinstance(frame.value, list):
                steps.append(len(frame.value))
            elif isinstance(frame.key, str):
                steps.append(frame.key)
            elif frame.key is _MERGE:
                steps.append("<<")
        return tuple(steps)

    def _refuse(self, message: str, position: Position) -> None:
        self._note(message, position, self.steps(), warning=False)

    def _warn(self, message: str, position: Position, *more: str) -> None:
        if self._validation is not Strictness.IGNORE:
            self._note(message, position, (*self.steps(), *more), warning=True)

    def _note(self, message: str, position: Position, steps: Steps, *, warning: bool) -> None:
        if len(self.findings) < MAX_FINDINGS:
            self.findings.append(Finding(steps, message, position, warning))
