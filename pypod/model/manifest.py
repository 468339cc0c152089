"""A Kubernetes manifest as text (YAML or JSON), and a spec out of it; and back.

What the text says is `pypod.model.manifest_text`'s business, what it means `pypod.model.document_reader`'s.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping

from pypod.errors import ManifestError, Problem, spec_error
from pypod.model import manifest_text, validation
from pypod.model.document import to_document
from pypod.model.document_reader import read_document
from pypod.model.manifest_text import MAX_BYTES, Document
from pypod.model.spec import PodSpec
from pypod.model.text_places import ROOT
from pypod.model.text_writer import to_yaml

__all__ = ["MAX_BYTES", "dump", "load"]


def load(text: str | bytes, source: str = "manifest") -> PodSpec:
    """The pod that a manifest of one document describes.

    Args:
        text: YAML or JSON.
        source: what errors call it: the file's name.

    Raises:
        ManifestError: when it cannot be read as a Pod; with every problem, each with its line and column.
        SpecError: or a subclass, when the pod that it describes cannot be one (`pypod.model.validation.validate`).
    """
    document = _the_document(manifest_text.read(text), source)
    problems = document.problems()
    if document.broken:
        raise ManifestError(source, problems, document.excerpt)
    spec, refused = read_document(document.value, _Lines(document))
    problems += [_placed(problem, document) for problem in refused]
    found = list(problems)
    if spec is not None:
        paths = {problem.path for problem in problems}
        # What could not be read stands in the spec as empty, which is no second mistake of the user.
        found += [
            _placed(problem, document)
            for problem in validation.problems(spec)
            if not any(_within(problem.path, path) for path in paths)
        ]
    found.sort(key=lambda problem: (problem.line, problem.column))
    if spec is None or problems:
        raise ManifestError(source, found, document.excerpt)
    if found:
        raise spec_error(source, found, document.excerpt)
    return spec


def dump(spec: PodSpec) -> str:
    """The spec as a Kubernetes manifest in YAML, which `load` and a cluster read alike."""
    return to_yaml(to_document(spec))


def _the_document(documents: list[Document], source: str) -> Document:
    if not documents:
        raise ManifestError(source, [Problem(ROOT, "is empty: a Pod is expected", ManifestError)])
    if len(documents) > 1 and not documents[0].broken:
        line, column = documents[1].root.value
        message = "has several documents; only one, a Pod, is supported yet"
        raise ManifestError(source, [Problem(ROOT, message, ManifestError, line, column)])
    return documents[0]


def _placed(problem: Problem, document: Document) -> Problem:
    """With the line and the column of its field."""
    place = document.find("" if problem.path == ROOT else problem.path)
    named = place.key if "unknown field" in problem.message else None
    return dataclasses.replace(problem, line=(named or place.best).line, column=(named or place.best).column)


class _Lines(Mapping[str, int]):
    """The line of each field by its path."""

    def __init__(self, document: Document) -> None:
        self._document = document

    def __getitem__(self, path: str) -> int:
        return self._document.find("" if path == ROOT else path).best.line

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


def _within(path: str, around: str) -> bool:
    return path.startswith(around) and path[len(around) :][:1] in ("", ".", "[")
