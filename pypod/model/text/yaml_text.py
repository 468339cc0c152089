"""YAML text into a builder: what PyYAML is asked for, and where it differs from Kubernetes' loader, set right.

PyYAML only finds the events; no Python object is made by it. Its C parser (libyaml, of which Kubernetes' loader is a
translation) is fifteen times as fast as the one in Python and is taken where it is there. What it refuses in a text of an
ordinary size is given to the other one, whose word then holds: it takes escapes that libyaml does not know, and says what is
wrong with the same words everywhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import yaml

from pypod.model.text.builder import Budget, Builder, TextError
from pypod.model.text.places import Position
from pypod.model.text.scalars import STANDARD
from pypod.model.text.strictness import Strictness

C_LOADER: type[Any] | None = getattr(yaml, "CSafeLoader", None)
"""None where PyYAML was built without libyaml."""

_SLOW_CHARACTERS = 1_000_000 if C_LOADER is None else 300_000
SLOW_EVENTS = 75_000 if C_LOADER is None else 30_000
"""For the parser in Python, which takes 20 µs for an event and up to 2 µs for a character. Less where another one has read
the text before it.
"""
MAX_RETRIES = 20
"""Documents of a text that are given to the parser in Python."""
MAX_TAG_DIRECTIVES = 32
"""libyaml compares each ``%TAG`` with all before it."""


@dataclass(frozen=True, slots=True)
class _Mark:
    """A place in the text, counted from 0."""

    index: int = 0
    line: int = 0
    column: int = 0


@dataclass(frozen=True)
class Parsed:
    """One document of a text.

    Attributes:
        start: where it begins.
        end: of its text, as an index.
        error: why it could not be read to its end; None when it was.
    """

    builder: Builder
    start: Position
    end: int
    error: TextError | None = None


_BREAKS = "\r\n\x85\u2028\u2029"
_BLOCK_WORD = re.compile(f"(?:[^\0 \t{_BREAKS}:]++|:(?![\0 \t{_BREAKS}]))*+")
_FLOW_WORD = re.compile(rf"(?:[^\0 \t{_BREAKS}:,\[\]{{}}]++|:(?![\0 \t{_BREAKS},?\[\]{{}}]))*+")


class _SlowLoader(yaml.SafeLoader):
    # The Go loader takes \' in double quotes; so does a page of Kubernetes' own documentation.
    ESCAPE_REPLACEMENTS = {**yaml.SafeLoader.ESCAPE_REPLACEMENTS, "'": "'"}  # type: ignore[misc]  # noqa: RUF012

    def scan_to_next_token(self) -> None:
        """As libyaml: a tab separates what is on one line, though it indents nothing; a BOM may begin any line."""
        while True:
            if self.column == 0 and self.peek() == "\ufeff":
                self.forward()
            while self.peek() == " " or (
                self.peek() == "\t" and (self.flow_level or not self.allow_simple_key)
            ):
                self.forward()
            if self.peek() == "#":
                while self.peek() not in f"\0{_BREAKS}":
                    self.forward()
            if not self.scan_line_break():  # type: ignore[no-untyped-call]
                return
            if not self.flow_level:
                self.allow_simple_key = True

    def scan_plain(self) -> yaml.ScalarToken:
        """A scalar without quotes. As libyaml: ``?`` is part of one in flow style; ``[a:]``, which may be meant in two
        ways, is refused.
        """
        chunks: list[str] = []
        spaces: list[str] | None = []
        start = end = self.get_mark()
        indent = self.indent + 1
        while (
            spaces is not None
            and self.peek() != "#"
            and (self.flow_level or self.column >= indent or not chunks)
        ):
            match = (_FLOW_WORD if self.flow_level else _BLOCK_WORD).match(self.buffer, self.pointer)
            assert match is not None
            if (
                self.flow_level
                and self.buffer[match.end()] == ":"
                and self.buffer[match.end() + 1] in ",?[]{}"
            ):
                self.forward(len(match[0]))
                context, problem = "while scanning a plain scalar", "found unexpected ':'"
                raise yaml.scanner.ScannerError(context, start, problem, self.get_mark())
            if not match[0]:
                break
            self.allow_simple_key = False
            chunks += [*spaces, match[0]]
            self.forward(len(match[0]))
            end = self.get_mark()
            spaces = self.scan_plain_spaces(indent, start) or None
        return yaml.ScalarToken("".join(chunks), True, start, end)

    def scan_plain_spaces(self, indent: int, start_mark: Any) -> list[str] | None:
        """What is between two words of a scalar; None at its end. As libyaml: tabs are white space there, too, though not
        where a line's indentation is expected.
        """
        spaces = self._spaces()
        if self.peek() not in _BREAKS:
            return [spaces] if spaces else []
        first: str = self.scan_line_break()  # type: ignore[no-untyped-call]
        self.allow_simple_key = True
        more = []
        while True:
            if self.prefix(3) in ("---", "...") and self.peek(3) in f"\0 \t{_BREAKS}":
                return None
            spaces = self._spaces()
            if "\t" in spaces and self.column - len(spaces) + spaces.index("\t") < indent:
                problem = "found a tab character that violates indentation"
                raise yaml.scanner.ScannerError(
                    "while scanning a plain scalar", start_mark, problem, self.get_mark()
                )
            if self.peek() not in _BREAKS:
                break
            more.append(self.scan_line_break())  # type: ignore[no-untyped-call]
        return [*([first] if first != "\n" else [] if more else [" "]), *more]

    def _spaces(self) -> str:
        length = 0
        while self.peek(length) in " \t":
            length += 1
        spaces: str = self.prefix(length)
        self.forward(length)
        return spaces


def parse(text: str, start: Position, budget: Budget, validation: Strictness) -> Iterator[Parsed]:
    """The documents of a text without unprintable characters, up to the first that is wrong.

    Args:
        start: the text's first character in the whole file.
        budget: with `SLOW_EVENTS`.
    """
    if len(re.findall(r"^%TAG", text, re.MULTILINE)) > MAX_TAG_DIRECTIVES:
        error = TextError(f"has more than {MAX_TAG_DIRECTIVES} '%TAG' directives", start)
        yield Parsed(Builder(budget, validation), start, len(text), error)
        return
    whole = _Text(text, start, budget, validation)
    if C_LOADER is None:
        yield from _Run(whole, _SlowLoader).documents()
        return
    before = _BEGIN
    for retries_left in reversed(range(MAX_RETRIES + 1)):
        run = _Run(whole, C_LOADER, before)
        refused = None
        for document in run.documents():
            if retries_left and isinstance(document.error, _SyntaxError):
                refused = document
            else:
                yield document
        if refused is None:
            return
        again = _Run(whole, _SlowLoader, run.before)
        budget.left = run.left_before
        document = next(again.documents(), refused)
        yield refused if isinstance(document.error, _TooSlowError) else document
        if document.error is not None:
            return
        before = again.before


_BEGIN = _Mark()
_ENDED = "the document has ended before this; the indentation to go on with it, or '---', is expected"


class _SyntaxError(TextError):
    """The parser's own."""


class _TooSlowError(TextError):
    """The parser in Python would take too long for the text."""

    def __init__(self, message: str, position: Position) -> None:
        super().__init__(f"{message}, the most without libyaml, which PyYAML lacks here", position)


class _Text(NamedTuple):
    """What is read, and within which bounds."""

    text: str
    start: Position
    budget: Budget
    validation: Strictness


class _Run:
    """One go through a text with one loader.

    Attributes:
        before: where the last document that was read whole ended.
        left_before: of the budget, there.
    """

    def __init__(self, whole: _Text, loader: type[Any], base: _Mark = _BEGIN) -> None:
        self.before = self._base = base
        self.left_before = whole.budget.left
        self._whole = whole
        self._text = whole.text[base.index :]
        self._loader = loader
        self._slow = loader is _SlowLoader
        self._builder: Builder | None = None
        self._began = self._place(base.line, base.column)

    def documents(self) -> Iterator[Parsed]:
        try:
            if self._slow and len(self._text) > _SLOW_CHARACTERS:
                raise _TooSlowError(f"is longer than {_SLOW_CHARACTERS} characters", self._began)
            yield from self._read()
        except TextError as exc:
            yield Parsed(self._builder or self._new_builder(), self._began, len(self._whole.text), exc)

    def _new_builder(self) -> Builder:
        return Builder(self._whole.budget, self._whole.validation)

    def _read(self) -> Iterator[Parsed]:
        loader = self._made()
        first = not self._base.index
        try:
            while (event := self._next(loader)) is not None:
                kind = type(event)
                if kind is yaml.DocumentStartEvent:
                    if not event.explicit and not first:
                        # libyaml takes what follows for a document, and Kubernetes leaves it unread.
                        where = self._position(event.start_mark)
                        raise _SyntaxError(f"is not YAML: {_ENDED}", where)
                    first = False
                    self._builder = self._new_builder()
                    self._began = self._position(event.start_mark)
                elif kind is yaml.DocumentEndEvent:
                    assert self._builder is not None
                    end = event.end_mark
                    line, column = end.line, end.column + (self._base.column if end.line == 0 else 0)
                    self.before = _Mark(self._base.index + end.index, self._base.line + line, column)
                    self.left_before = self._whole.budget.left
                    yield Parsed(self._builder, self._began, self.before.index)
                    self._builder, self._began = None, self._position(end)
                elif self._builder is not None:
                    self._pass_on(self._builder, kind, event)
        finally:
            loader.dispose()

    def _made(self) -> Any:
        try:
            return self._loader(self._text)
        except (yaml.YAMLError, ValueError) as exc:
            raise _SyntaxError(f"is not YAML: {exc}", self._began) from None

    def _next(self, loader: Any) -> Any:
        """The next event; None after the last."""
        if self._slow:
            self._whole.budget.slow_events -= 1
            if self._whole.budget.slow_events < 0:
                raise _TooSlowError(f"has more than {SLOW_EVENTS} values", self._began)
        try:
            event = loader.get_event()
        except yaml.MarkedYAMLError as exc:
            mark = exc.problem_mark or exc.context_mark
            where = self._position(mark) if mark else self._began
            words = ", ".join(part for part in (exc.context, exc.problem) if part)
            if "expected '<document start>'" in words:
                words = _ENDED
            raise _SyntaxError(f"is not YAML: {words}", where) from None
        except (yaml.YAMLError, ValueError, OverflowError, RecursionError) as exc:
            # PyYAML lets chr(), int() and decode() fail as they do, on escapes, versions and tags that are out of range.
            raise _SyntaxError(f"is not YAML: {exc}", self._began) from None
        return None if type(event) is yaml.StreamEndEvent else event

    def _pass_on(self, builder: Builder, kind: type[Any], event: Any) -> None:
        position = self._position(event.start_mark)
        if kind is yaml.ScalarEvent:
            last_line = position.line + event.end_mark.line - event.start_mark.line
            if last_line > position.line and event.end_mark.column == 0:
                last_line -= 1  # of a block, which ends where the next line begins
            tag = f"{STANDARD}str" if event.tag == "!" else event.tag
            builder.scalar(
                event.value, tag, position, last_line, plain=event.implicit[0], anchor=event.anchor
            )
        elif kind is yaml.MappingStartEvent or kind is yaml.SequenceStartEvent:
            builder.begin(
                mapping=kind is yaml.MappingStartEvent,
                tag=None if event.tag == "!" else event.tag,
                position=position,
                anchor=event.anchor,
            )
        elif kind is yaml.AliasEvent:
            builder.alias(event.anchor, position)
        else:
            flow = event.end_mark.index > event.start_mark.index  # it has a bracket of its own
            builder.end(self._position(event.start_mark).line if flow else 0)

    def _position(self, mark: Any) -> Position:
        """A mark of the loader in the whole file."""
        return self._place(self._base.line + mark.line, mark.column + (0 if mark.line else self._base.column))

    def _place(self, line: int, column: int) -> Position:
        """A place in the text, counted from 0, in the whole file."""
        return Position(self._whole.start.line + line, column + (1 if line else self._whole.start.column))
