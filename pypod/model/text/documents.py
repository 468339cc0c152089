"""A manifest's text, YAML or JSON: its documents, each with its value, the place of every field and what is wrong with it.

Nothing here knows what a Pod is. What the text means is what Kubernetes' loader makes of it (`pypod.model.text.scalars`);
all problems are told at once; hostile text ends in an error in bounded time (`pypod.model.text.builder` has the limits).
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from pypod.errors import ManifestError, Problem
from pypod.model.text import yaml_text as text_yaml
from pypod.model.text.builder import Budget, Builder, Finding, TextError
from pypod.model.text.json_text import JSONReader, NotJSONError
from pypod.model.text.places import ROOT, Place, Position, Steps, spell
from pypod.model.text.strictness import Strictness

__all__ = ["ROOT", "Document", "Finding", "Place", "Position", "Steps", "read", "spell"]

MAX_CHARACTERS = 3_000_000
"""Of a manifest. Kubernetes' store takes 1.5 MB for the largest object of all."""
MAX_BYTES = 4 * MAX_CHARACTERS
MAX_DOCUMENTS = 5_000
MAX_BROKEN = 10
"""Documents that cannot be read, after which no more are looked at."""

_WIDEST_EXCERPT = 100
_START = Position(1, 1)
_BREAK = re.compile("\\r\\n|[\\n\\r\\x85\\u2028\\u2029]")
"""What ends a line, in YAML."""


@dataclass(frozen=True)
class Document:
    """One document of a text.

    Attributes:
        value: what it says: None, bool, int, float, str, list, dict. Read-only: what an alias stands for is there once. It may be
            a Secret: it is not printed with the document.
        root: the place of the value, and of every field in it.
        findings: what is wrong or odd in the text itself, in its order; what is no `warning` is an error.
        broken: it could not be read to its end; the value is None, and the last finding says why.
        secret: it may hold what must not be shown: a Secret, or text that may be one.
    """

    value: object = field(repr=False)
    root: Place
    findings: tuple[Finding, ...]
    broken: bool
    secret: bool
    _lines: _Lines = field(repr=False)

    def place(self, steps: Steps) -> Place:
        """Where a field is, or the nearest thing around it. `.best` is where an error of its value points to, `.key`
        where one of its name does.
        """
        return self.root.at(steps)

    def find(self, path: str) -> Place:
        """The same by the path, as Kubernetes spells it."""
        return self.root.find(path)

    def problems(self, *, warnings: bool = False) -> list[Problem]:
        """The findings that are errors, or those that are not."""
        return [
            Problem(spell(found.steps), found.message, ManifestError, *found.position)
            for found in self.findings
            if found.warning is warnings
        ]

    def excerpt(self, problem: Problem) -> str:
        """The line of the problem with a caret below its column; empty where it may not be shown: nothing of a Secret,
        and nothing under ``data``, ``stringData`` and ``binaryData``.
        """
        if not problem.line or not problem.column or self.secret or self._hides(problem.line):
            return ""
        return self._lines.excerpt(problem.line, problem.column)

    def _hides(self, line: int) -> bool:
        """It is one of those of ``data`` and its like."""
        roots = [self.root]
        for root in roots:  # it grows: lists may be in lists
            items = root.child("items")
            if items is not None and isinstance(items.inner, list):
                roots += items.inner
        return any(
            place.key.line <= line <= place.last_line
            for root in roots
            for name in ("data", "stringData", "binaryData")
            if (place := root.child(name)) is not None and place.key is not None
        )


class _Lines:
    """The text by lines, split when one is asked for."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._split: list[str] | None = None

    def excerpt(self, line: int, column: int) -> str:
        if self._split is None:
            self._split = _BREAK.split(self._text)
        if line > len(self._split):
            return ""
        words = _UNPRINTABLE.sub("\ufffd", self._split[line - 1].replace("\t", " ").rstrip())
        at = min(column - 1, len(words))
        start = max(0, at - _WIDEST_EXCERPT // 2) or min(at, len(words) - len(words.lstrip()))
        shown = words[start : start + _WIDEST_EXCERPT]
        before = "..." if words[:start].strip() else ""
        after = "..." if len(words) > start + _WIDEST_EXCERPT else ""
        caret = " " * (len(before) + sum(map(_width, shown[: at - start])))
        return f"{before}{shown}{after}\n{caret}^"


def _width(character: str) -> int:
    """Of a character in a terminal."""
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def read(text: str | bytes, validation: Strictness = Strictness.STRICT) -> list[Document]:
    """The documents of a text, those of nothing left out, as kubectl reads them: YAML, or JSON objects one after another.

    A document that is broken is there too, and those after it if they begin with ``---``. So the text is in order when no
    document has problems. No document at all is no problem here.

    Args:
        text: as bytes, UTF-8 or UTF-16 with a byte order mark.
        validation: what becomes of fields that are there twice.
    """
    try:
        words = _decoded(text)
        if len(words) > MAX_CHARACTERS:
            raise TextError(f"is longer than {MAX_CHARACTERS} characters", _START)
    except TextError as exc:
        lines = _Lines("")
        return [_broken(exc, Builder(Budget()), lines, secret=True)]
    documents = []
    for document in _documents(words, validation):
        if document is not None:
            documents.append(document)
        if len(documents) > MAX_DOCUMENTS:
            error = TextError(f"has more than {MAX_DOCUMENTS} documents", documents.pop().root.value)
            documents.append(_broken(error, Builder(Budget()), _Lines(""), secret=True))
            break
    return documents


def _decoded(text: str | bytes) -> str:
    if isinstance(text, str):
        return text.removeprefix("\ufeff")
    if len(text) > MAX_BYTES:
        raise TextError(f"is longer than {MAX_BYTES} bytes", _START)
    try:
        if text.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return text.decode("utf-16")
        return text.removeprefix(codecs.BOM_UTF8).decode()
    except UnicodeDecodeError as exc:
        if exc.encoding != "utf-8":
            raise TextError("begins as UTF-16 and is not", _START) from None
        before = exc.object[: exc.start].decode()
        where = Position(before.count("\n") + 1, len(before) - before.rfind("\n"))
        raise TextError(f"the byte 0x{exc.object[exc.start]:02x} is not UTF-8", where) from None


_UNPRINTABLE = re.compile("[^\x09\x0a\x0d\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def _check_characters(text: str, begin: int) -> None:
    """Those from there on, which are YAML's. JSON has others; its reader looks at them itself."""
    if match := _UNPRINTABLE.search(text, begin):
        at = match.start()
        where = Position(text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at))
        raise TextError(f"the character U+{ord(match[0]):04X} is not allowed in YAML", where)


def _documents(text: str, validation: Strictness) -> Iterator[Document | None]:
    """Those of a text; None for one of nothing."""
    lines, budget = _Lines(text), Budget(slow_events=text_yaml.SLOW_EVENTS)
    reader = JSONReader(text, _START)
    begin, start = 0, _START
    while text.startswith("{", reader.index):
        left = budget.left
        builder = Builder(budget, validation)
        try:
            reader.read(builder)
        except NotJSONError:
            budget.left = left
            break
        except TextError as exc:
            yield _broken(exc, builder, lines, secret=_may_be_secret(text[begin:]))
            return
        yield _whole(builder, lines)
        reader.skip_end()
        begin, start = reader.index, reader.position
    rest = text[begin:]
    if begin and rest and not re.match(r"[{#]|---", rest):
        error = TextError("is not JSON: after an object another one, or '---', is expected", start)
        yield _broken(error, Builder(budget, validation), lines, secret=_may_be_secret(text))
        return
    try:
        _check_characters(text, begin)
    except TextError as exc:
        yield _broken(exc, Builder(Budget()), _Lines(""), secret=True)
        return
    yield from _yaml_documents(rest, start, lines, budget, validation)


def _yaml_documents(
    text: str, start: Position, lines: _Lines, budget: Budget, validation: Strictness
) -> Iterator[Document | None]:
    for _ in range(MAX_BROKEN):
        begin, broken = 0, None
        for parsed in text_yaml.parse(text, start, budget, validation):
            if parsed.error is None:
                yield _whole(parsed.builder, lines)
            else:
                broken = parsed
                secret = _may_be_secret(text[begin : parsed.end])
                yield _broken(parsed.error, parsed.builder, lines, secret=secret)
            begin = parsed.end
        if broken is None or broken.error is None or budget.left < 0:
            return
        rest = _next_document(text, start, max(broken.error.position.line, broken.start.line + 1))
        if rest is None:
            return
        text, start = rest


_MAX_RESUMED = 300_000
_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
_BEGIN = re.compile(r"---(?=[ \t\r\n]|\Z)")


def _next_document(text: str, start: Position, line: int) -> tuple[str, Position] | None:
    """What begins with ``---`` on that line or a later one: Kubernetes splits a text there before it reads any of it."""
    if len(text) > _MAX_RESUMED:
        return None
    for number, match in enumerate(_BREAK.finditer(text), start.line + 1):
        if number >= line and _BEGIN.match(text, match.end()):
            return text[match.end() :], Position(number, 1)
    return None


def _whole(builder: Builder, lines: _Lines) -> Document | None:
    if builder.plain_nothing and not builder.findings:
        return None
    assert builder.root is not None
    secret = _is_secret(builder.value)
    return Document(builder.value, builder.root, _findings(builder, secret=secret), False, secret, lines)


def _broken(exc: TextError, builder: Builder, lines: _Lines, *, secret: bool) -> Document:
    last = Finding((), exc.message, exc.position)
    findings = _findings(builder, secret=secret)
    return Document(
        None, Place(exc.position), (*findings, _masked(last) if secret else last), True, secret, lines
    )


def _findings(builder: Builder, *, secret: bool) -> tuple[Finding, ...]:
    return tuple(_masked(found) if secret else found for found in builder.findings)


def _masked(found: Finding) -> Finding:
    """Without the tags and aliases that it names: they may be a value whose quotes were forgotten."""
    return replace(found, message=re.sub(r"'[!*&][^']*'", "'...'", found.message))


def _is_secret(value: object) -> bool:
    """It is a Secret, or has one in it."""
    found = [value]
    for each in found:  # it grows: lists may be in lists
        if not isinstance(each, dict):
            continue
        if each.get("kind") in ("Secret", "SecretList") or "stringData" in each:
            return True
        items = each.get("items")
        found += items if isinstance(items, list) else []
    return False


def _may_be_secret(text: str) -> bool:
    return re.search(r"Secret|\b(data|stringData|binaryData)\b", text) is not None
