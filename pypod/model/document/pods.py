"""A spec as a Kubernetes v1 Pod document (plain dicts, lists and scalars), and back, strictly.

What a field is, and how it is read and written, is said where its class is: `pypod.model.schema.declaring` reads and writes all of them. Here
is what a Pod is beside its fields: a document of two parts, ``metadata`` and ``spec``, and annotations ``io.pypod/...`` for
what Kubernetes has no field for.

Reading refuses by name, and all at once, what it would not do: unknown fields, known ones that are not supported, and values of
another type than the field's. Fields without effect are read, kept and written back, and a warning tells of each.

In ``command``, ``args``, an env ``value`` and the command of a probe, ``$(NAME)`` makes a `Template`; other text stands in the spec as the
container gets it, with ``$$`` undone. Writing doubles the ``$`` of what would be taken for a reference.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pypod.errors import ManifestError, Problem
from pypod.model.document.annotations import PREFIX, Annotations, to_annotations
from pypod.model.schema import type_meta
from pypod.model.schema.compounds import TEXT_MAP
from pypod.model.schema.declaring import Field
from pypod.model.schema.kinds import Standing
from pypod.model.schema.layout import Layout, as_mapping
from pypod.model.schema.paths import below
from pypod.model.schema.reading import Reader
from pypod.model.schema.structs import standings
from pypod.model.schema.writing import Writer
from pypod.model.spec.files import plain, without_files
from pypod.model.spec.pod import PodSpec
from pypod.model.text.places import Place
from pypod.model.text.strictness import Strictness

LAYOUT = Layout(PodSpec, type_meta.POD, "spec", required=True)
NAMED_BY = ("name", "generateName")
"""One of them must be there; one that could not be read is no second mistake."""


@dataclass(frozen=True)
class Reading:
    """What came of a document.

    Attributes:
        spec: as far as it could be read; None: it is no Pod at all.
        problems: what makes it unusable.
        warnings: what does not.
    """

    spec: PodSpec | None
    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...]


def from_document(document: object, source: str = "document", place: Place | None = None) -> PodSpec:
    """The spec that a Kubernetes v1 Pod document describes. `pypod.model.validation.validating` says whether its parts fit.

    Args:
        document: as a YAML or JSON reader gives it.
        source: what errors call it: a file's name.
        place: of it in its text, where there is one.

    Raises:
        ManifestError: with every problem that the document has.
    """
    found = read_document(document, place)
    if found.problems or found.spec is None:
        raise ManifestError(source, found.problems)
    return found.spec


def read_document(
    document: object,
    place: Place | None = None,
    strictness: Strictness = Strictness.STRICT,
    *,
    admit_planned: bool = False,
) -> Reading:
    """As `from_document`, without raising: what could be read, every problem in it, and every warning.

    Args:
        document, place: as there.
        strictness: about fields that Kubernetes does not have.
        admit_planned: read what is not carried out yet as if it were, for tests of reading.
    """
    reader = Reader(place, strictness, admit_planned=admit_planned)
    spec = _read(reader, document)
    return Reading(spec, tuple(reader.problems), tuple(reader.warnings))


def pod_fields(place: str) -> tuple[Field, ...]:
    """Those of one part of a Pod: ``metadata``, or empty for ``spec``."""
    return LAYOUT.places[place or "spec"]


def standings_of(spec: PodSpec) -> Iterator[Standing]:
    """Every field of a spec that says something, and is not wholly carried out."""
    for place, path in (("metadata", "metadata"), ("", "spec")):
        yield from standings(path, without_files(spec), pod_fields(place))


def _read(reader: Reader, document: object) -> PodSpec | None:
    fields = as_mapping(reader, document)
    if fields is None or not type_meta.kind_of(reader, fields, (type_meta.POD,)):
        return None
    return read_fields(reader, fields)


def read_fields(reader: Reader, document: Mapping[Any, object]) -> PodSpec:
    """The spec of a document that is a Pod's, as far as it can be read."""
    path = below(below("", "metadata"), "annotations")
    metadata = document.get("metadata")
    annotations = Annotations(
        reader, path, _texts(metadata.get("annotations") if isinstance(metadata, Mapping) else None)
    )
    reader.exact = annotations.exact
    values = LAYOUT.read(reader, document)
    values["annotations"] = annotations.foreign
    given = metadata if isinstance(metadata, Mapping) else {}
    if not (values["name"] or values["generate_name"] or any(given.get(each) for each in NAMED_BY)):
        reader.refuse(below(below("", "metadata"), "name"), "is required")
    return annotations.complete(values)


def _texts(value: object) -> Mapping[str, str]:
    found = TEXT_MAP.read(Reader(), "", value)
    return found if isinstance(found, Mapping) else {}


def to_document(spec: PodSpec) -> dict[str, Any]:
    """The spec as a Kubernetes v1 Pod, without what is as if it were absent."""
    writer = Writer()
    document = LAYOUT.write(writer, plain(spec))
    own = to_annotations(spec, writer.numbers.exact)
    foreign = {name: text for name, text in spec.annotations.items() if not name.startswith(PREFIX)}
    document["metadata"].pop("annotations", None)
    if own or foreign:
        document["metadata"]["annotations"] = {**foreign, **own}
    return document
