"""JSON text into a builder: faster than as YAML, and with what YAML does not take (tabs, halves of surrogate pairs,
several objects one after another).
"""

from __future__ import annotations

import json
import re

from pypod.model.text.builder import Builder
from pypod.model.text.places import Position

_SPACE = re.compile(r"[ \t\r\n]*")
_TOKEN = re.compile(
    r"""(?P<mark>[{}\[\],:])
    |"(?P<plain>[^"\\\x00-\x1f]*+)"
    |(?P<escaped>"(?:[^"\\\x00-\x1f]++|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*+")
    |(?P<number>-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?)(?![\w.+-])
    |(?P<word>true|false|null)(?!\w)""",
    re.VERBOSE,
)


class NotJSONError(Exception):
    """The text is no JSON; it may be YAML."""


class JSONReader:
    """Reads one value after another.

    Attributes:
        index, position: where it has come to.
    """

    def __init__(self, text: str, start: Position) -> None:
        self.text = text
        self.index = 0
        self._line = start.line
        self._line_start = 1 - start.column
        self.skip()

    @property
    def position(self) -> Position:
        return Position(self._line, self.index - self._line_start + 1)

    def skip(self) -> None:
        """Past white space."""
        match = _SPACE.match(self.text, self.index)
        assert match is not None
        breaks = match[0].count("\n")
        if breaks:
            self._line += breaks
            self._line_start = self.index + match[0].rindex("\n") + 1
        self.index = match.end()

    def skip_end(self) -> None:
        """Past the mark of YAML for the end of a document, which may follow."""
        if self.text.startswith("...", self.index) and self.position.column == 1:
            self.index += 3
            self.skip()

    def read(self, builder: Builder) -> None:
        """One value, and the white space after it.

        Raises:
            NotJSONError: what stands there is none.
            TextError: it is too large or too deep.
        """
        closers: list[str] = []
        expected = "value"
        while True:
            match = _TOKEN.match(self.text, self.index)
            if match is None:
                raise NotJSONError
            expected = self._token(builder, match, closers, expected)
            self.index = match.end()
            self.skip()
            if not closers:
                return

    def _token(self, builder: Builder, match: re.Match[str], closers: list[str], expected: str) -> str:
        """Takes one token; answers what is expected next: a value, a key, ``:`` or ``,``; with `?` also the end."""
        position = self.position
        if match.lastgroup != "mark":
            if expected.startswith("key") and match.lastgroup in ("plain", "escaped"):
                self._scalar(builder, match, position)
                return ":"
            if not expected.startswith("value"):
                raise NotJSONError
            self._scalar(builder, match, position)
            return ","
        mark = match[0]
        if mark in "{[":
            if not expected.startswith("value"):
                raise NotJSONError
            builder.begin(mapping=mark == "{", tag=None, position=position, anchor=None)
            closers.append("}" if mark == "{" else "]")
            return "key?" if mark == "{" else "value?"
        if mark in "}]":
            if not closers or closers[-1] != mark or expected not in (",", "key?", "value?"):
                raise NotJSONError
            closers.pop()
            builder.end(position.line)
            return ","
        if mark != expected or not closers:
            raise NotJSONError
        if mark == ":":
            return "value"
        return "key" if closers[-1] == "}" else "value"

    def _scalar(self, builder: Builder, match: re.Match[str], position: Position) -> None:
        kind, text = match.lastgroup, match[0]
        if kind == "number":
            builder.number(text, position)
            return
        plain = kind == "word"
        if not plain:
            text = match["plain"] if kind == "plain" else json.loads(text)
        builder.scalar(text, None, position, position.line, plain=plain, anchor=None)
