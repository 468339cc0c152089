"""Kubernetes manifests as text (YAML or JSON), and what they describe: pods and the objects that pods refer to; and back.

What the text says is `pypod.model.text.documents`'s business, what a document means `pypod.model.document.pods`'s and
`pypod.model.manifest.object_documents`'. Here all documents of a text are read, those in Lists too, and all that is wrong with any of them
is told at once.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from pypod.errors import ManifestError, Problem, spec_error
from pypod.model.document import pods as document
from pypod.model.manifest import object_documents
from pypod.model.schema.compounds import refuse_unknown
from pypod.model.schema.layout import API_VERSION, as_mapping
from pypod.model.schema.paths import ROOT, Path, below, item, place_of, within
from pypod.model.schema.reading import MOST_PROBLEMS, Reader
from pypod.model.schema.type_meta import POD, READ, kind_of
from pypod.model.spec.objects import Object, ObjectKey
from pypod.model.spec.pod import PodSpec
from pypod.model.text import documents as manifest_text
from pypod.model.text.documents import MAX_BYTES, Document
from pypod.model.text.places import Place
from pypod.model.text.strictness import Strictness
from pypod.model.text.writer import to_yaml
from pypod.model.validation import objects as validation_objects
from pypod.model.validation import validating as validation
from pypod.model.wording import show

__all__ = [
    "MAX_BYTES",
    "Described",
    "Loaded",
    "dump",
    "dump_all",
    "key_of",
    "load",
    "load_all",
    "read",
    "to_document",
]

Described = PodSpec | Object
"""What a document can describe."""

LISTS = {"List": "", **{f"{kind}List": kind for kind in READ}}
"""The kinds of lists, and the kind of all their items; empty: any."""


@dataclasses.dataclass(frozen=True)
class Loaded:
    """What a text describes.

    Attributes:
        items: in their order.
        warnings: what is accepted and has no effect, or would not have been under a stricter look; each with its place.
        lines: where each item begins.
    """

    items: tuple[Described, ...]
    warnings: tuple[Problem, ...]
    lines: tuple[int, ...] = ()

    @property
    def pods(self) -> tuple[PodSpec, ...]:
        return tuple(each for each in self.items if isinstance(each, PodSpec))

    @property
    def objects(self) -> tuple[Object, ...]:
        return tuple(each for each in self.items if not isinstance(each, PodSpec))


def load(text: str | bytes, source: str = "manifest") -> PodSpec:
    """The one pod that a manifest describes, which describes nothing else.

    Args:
        text: YAML or JSON; bytes are UTF-8, or UTF-16 with a byte order mark.
        source: what errors call it: the file's name.

    Raises:
        ManifestError: when it cannot be read as a Pod; with every problem, each with its line and column.
        SpecError: or a subclass, when the pod that it describes cannot be one (`pypod.model.validation.validating.validate`).
    """
    found = read(text, source)
    return the_pod(found, source, alone=True)


def the_pod(found: Loaded, source: str, *, alone: bool = False) -> PodSpec:
    """The one pod of what was read.

    Args:
        alone: there may be no objects beside it.

    Raises:
        ManifestError: there is none, or there is more.
    """
    lines = [
        line
        for each, line in zip(found.items, found.lines, strict=True)
        if alone or isinstance(each, PodSpec)
    ]
    if found.pods and len(lines) == 1:
        return found.pods[0]
    if not found.pods:
        problem = Problem(ROOT, "describes no Pod, and one is expected", ManifestError)
    else:
        what = "nothing beside it" if alone and len(found.pods) == 1 else f"not {len(found.pods)}"
        problem = Problem(
            ROOT, f"one Pod is expected, and {what}; pypod.load() takes all", ManifestError, lines[1], 1
        )
    raise ManifestError(source, [problem])


def load_all(
    text: str | bytes, source: str = "manifest", strictness: Strictness = Strictness.STRICT
) -> list[Described]:
    """All that a text describes, in its order: of every document, and of every item of a List.

    Args:
        text, source: as of `load`.
        strictness: about fields and kinds that Kubernetes does not have, and fields that are there twice.

    Raises:
        ManifestError, SpecError: as `load`; with every problem of every document.
    """
    return list(read(text, source, strictness).items)


def read(text: str | bytes, source: str = "manifest", strictness: Strictness = Strictness.STRICT) -> Loaded:
    """As `load_all`, with the warnings."""
    documents = manifest_text.read(text, strictness)
    pile = _Pile(strictness)
    for each in documents:
        pile.take(each)
    if not documents or not (pile.items or pile.problems or pile.passed_over):
        pile.problems.append(Problem(ROOT, "is empty: a Pod is expected", ManifestError))
    if pile.problems:
        _refuse(source, documents, pile.problems[:MOST_PROBLEMS])
    pile.warnings.sort(key=_position)
    items, lines = zip(*pile.items, strict=True) if pile.items else ((), ())
    return Loaded(items, tuple(pile.warnings[:MOST_PROBLEMS]), lines)


def _refuse(source: str, documents: Sequence[Document], problems: list[Problem]) -> None:
    problems.sort(key=_position)
    excerpt = _Excerpts(documents)
    if any(problem.error is ManifestError for problem in problems):
        raise ManifestError(source, problems, excerpt)
    raise spec_error(source, problems, excerpt)


def _position(problem: Problem) -> tuple[int, int]:
    return problem.line, problem.column


def to_document(found: Described) -> dict[str, Any]:
    """As a Kubernetes document: plain mappings, lists and scalars."""
    return document.to_document(found) if isinstance(found, PodSpec) else object_documents.to_document(found)


def dump(found: Described) -> str:
    """As a Kubernetes manifest in YAML, which `load_all` and a cluster read alike. A Secret's values are in it, as base64."""
    return to_yaml(to_document(found))


def dump_all(found: Iterable[Described]) -> str:
    """As one manifest of several documents."""
    return "---\n".join(map(dump, found))


def key_of(found: Described) -> ObjectKey:
    """Which one it is."""
    return ObjectKey(POD if isinstance(found, PodSpec) else found.kind, found.namespace, found.name)


# --- documents, and the items of lists -------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, repr=False)
class _Part:
    """One document, or an item of a List. It may be a Secret: it does not print.

    Attributes:
        path: of it in the document.
        kind: what all items of its list are; empty: it says itself what it is.
    """

    value: object
    place: Place
    path: Path
    kind: str = ""


class _Pile:
    """What came of the documents so far."""

    def __init__(self, strictness: Strictness) -> None:
        self.items: list[tuple[Described, int]] = []
        self.problems: list[Problem] = []
        self.warnings: list[Problem] = []
        self.passed_over = False
        self._strictness = strictness
        self._lines: dict[ObjectKey, int] = {}

    def take(self, found: Document) -> None:
        """Reads one document."""
        self.problems += found.problems()
        self.warnings += found.problems(warnings=True)
        if found.broken:
            return
        parts = [_Part(found.value, found.root, Path())]
        while parts and len(self.problems) < MOST_PROBLEMS:
            part = parts.pop()
            inner = self._read(part)
            parts += reversed(inner)

    def _read(self, part: _Part) -> list[_Part]:
        """Reads a part; of a list, answers with its items."""
        reader = Reader(part.place, self._strictness)
        found: Described | None = None
        items: list[_Part] = []
        fields = as_mapping(reader, part.value)
        kind = fields.get("kind") if fields is not None else None
        if fields is not None and isinstance(kind, str) and kind in LISTS and not part.kind:
            items = list(_items(reader, fields, part, LISTS[kind]))
        elif fields is not None:
            found = _item(reader, fields, part.kind)
        problems = [*reader.problems, *_misfits(found, reader.problems, part.place)]
        if isinstance(found, PodSpec) and not problems:
            for doubt in validation.image_doubts(found):
                reader.warn(doubt.path, doubt.message)
        if found is not None and not problems:
            problems = self._add(found, part.place)
        elif found is None and not problems:
            self.passed_over = True
        self.problems += [_within(part.path, problem) for problem in problems]
        self.warnings += [_within(part.path, warning) for warning in reader.warnings]
        return items

    def _add(self, found: Described, place: Place) -> list[Problem]:
        key = key_of(found)
        first = self._lines.setdefault(key, len(self.items))
        self.items.append((found, place.value.line))
        if first == len(self.items) - 1 or not key.name:  # without a name it gets one of its own
            return []
        path = below(below("", "metadata"), "name")
        message = f"{key} is described twice, first on line {self.items[first][1]}"
        return [Problem(path, message, ManifestError, *place_of(place, path).best)]


def _items(reader: Reader, fields: Mapping[Any, object], part: _Part, kind: str) -> Iterator[_Part]:
    """Those of a list. Its metadata is the API server's."""
    version = fields.get("apiVersion")
    if version != API_VERSION:
        what = f"not {show(version)}" if version is not None else "it is missing"
        reader.refuse(below("", "apiVersion"), f"'{API_VERSION}' is expected, {what}")
    items = fields.get("items")
    refuse_unknown(reader, Path(), fields, dict.fromkeys(("apiVersion", "kind", "metadata", "items")))
    if items is not None and not isinstance(items, list):
        reader.refuse(below("", "items"), f"a list is expected, not {show(items)}")
        return
    place = part.place.child("items")
    for index, each in enumerate(items or ()):
        path = item(below(part.path, "items"), index)
        yield _Part(each, (place and place.child(index)) or part.place, path, kind)


def _item(reader: Reader, fields: Mapping[Any, object], kind: str) -> Described | None:
    """A Pod or an object; None where it is neither, or passed over."""
    if kind:
        # In a list of one kind the items need not say it: so the API server writes them.
        said = {name: each for name, each in fields.items() if each is not None}
        fields = {"apiVersion": API_VERSION, "kind": kind, **said}
    found = kind_of(reader, fields, (kind,) if kind else READ)
    if not found:
        return None
    if found == POD:
        return document.read_fields(reader, fields)
    return object_documents.read_fields(reader, fields, found)


def _misfits(found: Described | None, refused: Sequence[Problem], place: Place) -> Iterator[Problem]:
    """What is wrong with what could be read. What could not be read stands in it as empty, which is no second mistake of the user."""
    if found is None:
        return
    rules = validation if isinstance(found, PodSpec) else validation_objects
    for problem in rules.problems(found):
        if not any(within(problem.path, other.path) for other in refused):
            line, column = place_of(place, problem.path).best
            yield dataclasses.replace(problem, line=line, column=column)


def _within(around: Path, problem: Problem) -> Problem:
    """The problem of an item, as one of its document."""
    if not around:
        return problem
    path = str(around) if problem.path == ROOT else f"{around}.{problem.path}"
    return dataclasses.replace(problem, path=path)


# --- what may be shown -----------------------------------------------------------------------------------------------


class _Excerpts:
    """Shows the line of a problem, unless a document forbids it that has a part of the line."""

    def __init__(self, documents: Sequence[Document]) -> None:
        self._documents = documents

    def __call__(self, problem: Problem) -> str:
        shown = ""
        for index, each in enumerate(self._documents):
            if self._first(index) <= problem.line <= self._last(index):
                shown = each.excerpt(problem)
                if not shown:
                    return ""
        return shown

    def _first(self, index: int) -> int:
        each = self._documents[index]
        if each.broken:
            return self._documents[index - 1].root.last_line if index else 1
        return each.root.value.line

    def _last(self, index: int) -> int:
        each = self._documents[index]
        if each.broken:
            after = self._documents[index + 1 : index + 2]
            return after[0].root.value.line if after else 2**31
        return each.root.last_line
