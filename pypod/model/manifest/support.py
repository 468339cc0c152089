"""The table of what is supported: every field of v1 Pod and of the objects that pods refer to, how far it is carried out, and why no farther.

Made from the schema alone, so that it cannot say anything else than what the reader does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pypod.model.document.pods import pod_fields
from pypod.model.manifest import object_documents
from pypod.model.schema.compounds import ListOf, MapOf, Shape, Single
from pypod.model.schema.declaring import Field
from pypod.model.schema.kinds import Kind
from pypod.model.schema.layout import STATUS
from pypod.model.schema.levels import Level
from pypod.model.schema.structs import Alternative, OneOf, Struct
from pypod.model.spec.resources import STANDINGS, Amounts

_LIKE = {
    "spec.initContainers": "spec.containers",
    "spec.containers[].readinessProbe": "spec.containers[].livenessProbe",
    "spec.containers[].startupProbe": "spec.containers[].livenessProbe",
    "spec.containers[].lifecycle.preStop": "spec.containers[].lifecycle.postStart",
}
"""What has the fields of something else, which are not told of twice."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table.

    Attributes:
        path: of the field; ``[]`` stands for each item of a list.
        level: how far it is carried out. A field within one that is planned, refused or without effect is no better off.
        reason: why no farther; empty where it is done.
        value: the one value of the field that the row is about; empty: all that have no row of their own.
    """

    path: str
    level: Level
    reason: str = ""
    value: str = ""


def rows() -> list[Row]:
    """Every field, in the order in which it is declared."""
    found = list(_of_fields("metadata", pod_fields("metadata"), Level.DONE))
    found += _of_fields("spec", pod_fields(""), Level.DONE)
    return [*found, Row("status", STATUS.level, STATUS.reason)]


def object_rows(kind: str) -> list[Row]:
    """Every field of a ConfigMap, a Secret or a PersistentVolumeClaim."""
    layout = object_documents.LAYOUTS[kind]
    return [row for place, fields in layout.places.items() for row in _of_fields(place, fields, Level.DONE)]


def _of_fields(path: str, fields: Sequence[Field], around: Level) -> Iterator[Row]:
    for field in fields:
        if field.meta.place == "annotation":
            continue
        if field.meta.inline and isinstance(field.kind, OneOf):
            yield from _of_alternatives(path, field.kind.alternatives, around)
            continue
        inner = f"{path}.{field.name}" if path else field.name
        level = _worse(field.level, around)
        yield Row(inner, level, field.meta.reason)
        for value, (own, reason) in field.meta.values.items():
            yield Row(inner, _worse(own, around), reason, str(getattr(value, "value", value)))
        if inner in _LIKE:
            continue
        if level not in (Level.REFUSED, Level.NO_EFFECT):
            yield from _of_kind(inner, field.kind, level)


def _of_kind(path: str, kind: Kind, around: Level) -> Iterator[Row]:
    match kind:
        case ListOf():
            yield from _of_kind(f"{path}[]", kind.item, around)
        case Struct():
            yield from _of_fields(path, kind.fields, around)
        case OneOf():
            yield from _of_alternatives(path, kind.alternatives, around)
        case Single():
            yield Row(f"{path}[{kind.name}]", around)
        case Shape():
            for name, inner in kind.fields.items():
                yield Row(f"{path}.{name}", around)
                yield from _of_kind(f"{path}.{name}", inner, around)
        case Amounts():
            for name, (level, reason) in STANDINGS.items():
                yield Row(f"{path}[{name}]", _worse(level, around), reason)
        case MapOf() | Kind():
            return


def _of_alternatives(path: str, alternatives: Mapping[str, Alternative], around: Level) -> Iterator[Row]:
    for name, chosen in alternatives.items():
        level = _worse(chosen.level, around)
        yield Row(f"{path}.{name}", level, chosen.reason)
        if chosen.kind is not None:
            yield from _of_kind(f"{path}.{name}", chosen.kind, level)


_RANK = (Level.DONE, Level.PARTLY, Level.NO_EFFECT, Level.PLANNED, Level.REFUSED)


def _worse(level: Level, around: Level) -> Level:
    """Nothing in a field that is not carried out is; what is partly carried out holds things that wholly are."""
    if around is Level.PARTLY:
        return level
    return max(level, around, key=_RANK.index)
