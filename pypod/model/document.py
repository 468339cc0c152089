"""A spec as a Kubernetes v1 Pod document (plain dicts, lists and scalars), and back, strictly.

What a field is, and how it is read and written, is said where its class is: `pypod.model.schema` reads and writes all of them. Here
is what a Pod is beside its fields: a document of two parts, ``metadata`` and ``spec``, and annotations ``io.pypod/...`` for
what Kubernetes has no field for.

Reading refuses by name, and all at once, what it would not do: unknown fields, known ones that are not supported, and values of
another type than the field's. Fields without effect are read, kept and written back, and a warning tells of each.

In ``command``, ``args``, an env ``value`` and the command of a probe, ``$(NAME)`` makes a `Template`; other text stands in the spec as the
container gets it, with ``$$`` undone. Writing doubles the ``$`` of what would be taken for a reference.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pypod.errors import ManifestError, Problem
from pypod.model.annotations import PREFIX, Annotations, to_annotations
from pypod.model.compounds import TEXT_MAP, refuse_unknown
from pypod.model.kinds import BAD, STRING, Anything, Standing
from pypod.model.levels import Level, warning
from pypod.model.positions import ROOT, Positions
from pypod.model.reading import Reader, Strictness
from pypod.model.schema import Field, nothing
from pypod.model.spec import PodSpec
from pypod.model.spec_files import plain, without_files
from pypod.model.structs import fields_of, read_fields, standings, write_fields
from pypod.model.wording import did_you_mean, show
from pypod.model.writing import Writer

STATUS = nothing(Anything(), Level.NO_EFFECT, "it is what a cluster says of a pod, not what is asked for")
"""The one field of a Pod that no part of a spec is read from."""


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


def from_document(document: object, source: str = "document", positions: Positions | None = None) -> PodSpec:
    """The spec that a Kubernetes v1 Pod document describes. `pypod.model.validation` says whether its parts fit.

    Args:
        document: as a YAML or JSON reader gives it.
        source: what errors call it: a file's name.
        positions: field path to place in the text, where known.

    Raises:
        ManifestError: with every problem that the document has.
    """
    found = read_document(document, positions)
    if found.problems or found.spec is None:
        raise ManifestError(source, found.problems)
    return found.spec


def read_document(
    document: object,
    positions: Positions | None = None,
    strictness: Strictness = Strictness.STRICT,
    *,
    admit_planned: bool = False,
) -> Reading:
    """As `from_document`, without raising: what could be read, every problem in it, and every warning.

    Args:
        document, positions: as there.
        strictness: about fields that Kubernetes does not have.
        admit_planned: read what is not carried out yet as if it were, for tests of reading.
    """
    reader = Reader(positions, strictness, admit_planned=admit_planned)
    spec = _read(reader, document)
    return Reading(spec, tuple(reader.problems), tuple(reader.warnings))


@functools.cache
def pod_fields(place: str) -> tuple[Field, ...]:
    """Those of one part of a Pod: ``metadata``, or empty for ``spec``."""
    return tuple(field for field in fields_of(PodSpec) if field.meta.place == place)


def standings_of(spec: PodSpec) -> Iterator[Standing]:
    """Every field of a spec that says something, and is not wholly carried out."""
    for place, path in (("metadata", "metadata"), ("", "spec")):
        yield from standings(path, without_files(spec), pod_fields(place))


def _read(reader: Reader, document: object) -> PodSpec | None:
    if not isinstance(document, Mapping):
        reader.refuse(ROOT, f"a mapping of fields is expected, not {show(document)}")
        return None
    if not _is_pod(reader, document):
        return None
    if document.get("status"):
        reader.warn("status", warning(STATUS.level, STATUS.reason))
    raw = document.get("metadata")
    metadata = _part(reader, "metadata", {} if raw is None else raw)
    annotations = Annotations(reader, "metadata.annotations", _texts(metadata.get("annotations")))
    reader.exact = annotations.exact
    values = read_fields(reader, "metadata", metadata, pod_fields("metadata"))
    values["annotations"] = annotations.foreign
    if document.get("spec") is None:
        reader.refuse("spec", "is required")
        body = None
    else:
        body = _part(reader, "spec", document["spec"])
    if body is not None:
        values |= read_fields(reader, "spec", body, pod_fields(""))
    else:
        values["containers"] = ()
    refuse_unknown(reader, "", document, dict.fromkeys(("apiVersion", "kind", "metadata", "spec", "status")))
    return annotations.complete({name: value for name, value in values.items() if value is not BAD})


def _part(reader: Reader, path: str, value: object) -> Mapping[Any, object]:
    if isinstance(value, Mapping):
        return value
    reader.refuse(path, f"a mapping of fields is expected, not {show(value)}")
    return {}


def _texts(value: object) -> Mapping[str, str]:
    found = TEXT_MAP.read(Reader(), "", value)
    return found if isinstance(found, Mapping) else {}


def _is_pod(reader: Reader, document: Mapping[Any, object]) -> bool:
    """Of another kind nothing more is said: its fields are not a Pod's."""
    words = {}
    for name in ("kind", "apiVersion"):
        raw = document.get(name)
        if raw is None:
            reader.refuse(name, "is required")
        else:
            words[name] = STRING.read(reader, name, raw)
    kind, version = words.get("kind"), words.get("apiVersion")
    if isinstance(kind, str) and kind != "Pod":
        hint = did_you_mean(kind, ["Pod"])
        reader.refuse("kind", f"{show(kind)} is not supported yet; 'Pod' is expected{hint}")
    elif isinstance(version, str) and version != "v1":
        reader.refuse("apiVersion", f"{show(version)} is not supported; a Pod is of 'v1'")
    return kind == "Pod" and version == "v1"


def to_document(spec: PodSpec) -> dict[str, object]:
    """The spec as a Kubernetes v1 Pod, without what is as if it were absent."""
    writer = Writer()
    body = write_fields(writer, "spec", plain(spec), pod_fields(""))
    metadata = write_fields(writer, "metadata", spec, pod_fields("metadata"))
    own = to_annotations(spec, writer.numbers.exact)
    foreign = {name: text for name, text in spec.annotations.items() if not name.startswith(PREFIX)}
    metadata.pop("annotations", None)
    if own or foreign:
        metadata["annotations"] = {**foreign, **own}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": body}
