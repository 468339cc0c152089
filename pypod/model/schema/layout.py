"""How the fields of one class are spread over a document: the class of a Pod has those of ``metadata`` and of ``spec``."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from pypod.model.schema.declaring import Field, nothing
from pypod.model.schema.kinds import BAD, Anything
from pypod.model.schema.levels import Level, warning
from pypod.model.schema.paths import Path, below
from pypod.model.schema.reading import Reader
from pypod.model.schema.structs import fields_of, read_fields, write_fields
from pypod.model.schema.writing import Writer

API_VERSION = "v1"
STATUS = nothing(Anything(), Level.NO_EFFECT, "it is what a cluster says of an object, not what is asked for")
"""The one field of a document that no part of a class is read from."""


class Layout:
    """Of one class. A field says with `k8s` at which place it stands: ``metadata``, ``spec.resources``.

    Args:
        cls: the class.
        kind: of the documents.
        body: the place of the fields that do not say one; empty: the document itself.
        required: it must be there.
    """

    def __init__(self, cls: type, kind: str, body: str = "", *, required: bool = False) -> None:
        self.cls = cls
        self.kind = kind
        self.body = body
        self._required = body if required else ""

    @functools.cached_property
    def places(self) -> Mapping[str, tuple[Field, ...]]:
        """The fields of each place, those of ``metadata`` first."""
        found: dict[str, list[Field]] = {"metadata": [], self.body: []}
        for field in fields_of(self.cls):
            if field.meta.place != "annotation":
                found.setdefault(field.meta.place or self.body, []).append(field)
        return {place: tuple(fields) for place, fields in found.items()}

    def read(self, reader: Reader, document: Mapping[Any, object]) -> dict[str, Any]:
        """The arguments for the class, without those that could not be read at all. Unknown fields are told of."""
        if document.get("status"):
            reader.warn(below("", "status"), warning(STATUS.level, STATUS.reason))
        values: dict[str, Any] = {}
        self._read(reader, Path(), "", document, values)
        return {name: value for name, value in values.items() if value is not BAD}

    def _read(
        self, reader: Reader, path: Path, place: str, value: Mapping[Any, object], values: dict[str, Any]
    ) -> None:
        fields = self.places.get(place, ())
        inner = self._inner(place)
        for name, at in inner.items():
            there = below(path, name)
            raw = value.get(name)
            if raw is None and at == self._required:
                reader.refuse(there, "is required")
                self._read(reader.scratch(), there, at, {}, values)
            elif raw is not None and not isinstance(raw, Mapping):
                reader.refuse(there, f"a mapping of fields is expected, not {reader.show(raw)}")
                self._read(reader.scratch(), there, at, {}, values)
            else:
                self._read(reader, there, at, raw or {}, values)
        others = [*inner, *(("apiVersion", "kind", "status") if not place else ())]
        values |= read_fields(reader, path, value, fields, others)

    def _inner(self, place: str) -> dict[str, str]:
        """The places right below one, by their names."""
        before = f"{place}." if place else ""
        every = [each for each in self.places if each.startswith(before) and each != place]
        names = dict.fromkeys(each[len(before) :].partition(".")[0] for each in every)
        return {name: f"{before}{name}" for name in names if name}

    def write(self, writer: Writer, value: object) -> dict[str, Any]:
        """The document, without what is as if it were absent."""
        document: dict[str, Any] = {"apiVersion": API_VERSION, "kind": self.kind}
        for place, fields in self.places.items():
            names = place.split(".") if place else []
            written = write_fields(writer, place, value, fields)
            around = document
            for name in names if written else ():
                around = around.setdefault(name, {})
            around.update(written)
        return document


def as_mapping(reader: Reader, document: object) -> Mapping[Any, object] | None:
    """The document's fields; None where it has none, which the reader was told."""
    if isinstance(document, Mapping):
        return document
    reader.refuse(Path(), f"a mapping of fields is expected, not {reader.show(document)}")
    return None
