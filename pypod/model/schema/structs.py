"""Reading, writing and checking of dataclasses, as their fields declare it (`pypod.model.schema.declaring`)."""

from __future__ import annotations

import dataclasses
import enum
import functools
import sys
import types
import typing
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pypod.model.records import record
from pypod.model.schema import kinds
from pypod.model.schema.compounds import ListOf, MapOf, refuse_unknown
from pypod.model.schema.declaring import KEY, SAME, Field, Meta, camel
from pypod.model.schema.kinds import BAD, Kind, Standing
from pypod.model.schema.levels import Level, objection, warning
from pypod.model.schema.paths import ROOT, below
from pypod.model.schema.references import Template
from pypod.model.wording import show

if TYPE_CHECKING:
    from pypod.model.schema.checking import Check
    from pypod.model.schema.reading import Reader
    from pypod.model.schema.writing import Writer


@functools.cache
def fields_of(cls: type) -> tuple[Field, ...]:
    """The fields that a dataclass declares, in its order, then those of which nothing is kept."""
    hints = typing.get_type_hints(cls, localns=_LATE)
    found = [_field(each, hints[each.name]) for each in dataclasses.fields(cls)]
    for name, meta in getattr(cls, "_also", {}).items():
        found.append(Field(name, meta.attribute, meta.kind, meta.absent, meta))
    return tuple(found)


class _Late(dict[str, object]):
    """Names in types of classes that are imported for type checkers alone: `pypod.model.spec.pod` has them all."""

    def __missing__(self, name: str) -> object:
        spec = sys.modules.get("pypod.model.spec.pod")
        if spec is None or not hasattr(spec, name):
            raise KeyError(name)
        return getattr(spec, name)


_LATE = _Late()


def _field(field: dataclasses.Field[Any], hint: object) -> Field:
    meta: Meta = field.metadata.get(KEY, Meta())
    default: object = meta.absent
    if default is SAME:
        default = BAD
        if field.default is not dataclasses.MISSING:
            default = field.default
        elif field.default_factory is not dataclasses.MISSING:
            default = field.default_factory()
    kind = meta.kind or kind_of(hint)
    return Field(meta.name or camel(field.name), field.name, kind, default, meta)


def kind_of(hint: Any) -> Kind:
    """How values of a type are read and written, where its field says no more."""
    arguments = typing.get_args(hint)
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        if Template in arguments:
            return kinds.EXPANDED
        inner = [each for each in arguments if each is not types.NoneType]
        if len(inner) == 1:
            return kind_of(inner[0])
    if typing.get_origin(hint) is tuple:
        return ListOf(kind_of(arguments[0]))
    if typing.get_origin(hint) in (Mapping, dict):
        return MapOf(kind_of(arguments[1]))
    simple = {str: kinds.STRING, bool: kinds.BOOLEAN, int: kinds.INT32}
    if hint in simple:
        return simple[hint]
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return kinds.Choice(hint)
    if dataclasses.is_dataclass(hint):
        return Struct(typing.cast("type", hint))
    raise TypeError(f"cannot tell how a document has {hint!r}: its field must say so")


def path_of(path: str, cls: type, attribute: str) -> str:
    """The path of a class' attribute, as Kubernetes spells it, below the path of the whole."""
    return below(path, _names(cls)[attribute])


@functools.cache
def _names(cls: type) -> dict[str, str]:
    return {field.attribute: field.name for field in fields_of(cls)}


# --- classes ---------------------------------------------------------------------------------------------------------


class Struct(Kind):
    """A mapping of fields, in a spec one of a dataclass.

    Args:
        cls: the class.
        literal: no text in it has references to variables.
    """

    def __init__(self, cls: type, *, literal: bool = False) -> None:
        self.cls = cls
        self.literal = literal
        self.expected = f"{'an' if cls.__name__[0] in 'AEIOU' else 'a'} {cls.__name__}"

    @functools.cached_property
    def blank(self) -> object:  # type: ignore[override]
        from pypod.model.schema.reading import Reader  # noqa: PLC0415 (that module reads with this one)

        return self.read(Reader().scratch(), "", {})

    @property
    def fields(self) -> tuple[Field, ...]:
        return fields_of(self.cls)

    def read(self, reader: Reader, path: str, value: object) -> object:
        if not isinstance(value, Mapping):
            reader.refuse(path or ROOT, f"a mapping of fields is expected, not {reader.show(value)}")
            return BAD
        if self.literal and not reader.literal:
            with reader.literally():
                return self.read(reader, path, value)
        found = read_fields(reader, path, value, self.fields)
        return BAD if any(each is BAD for each in found.values()) else self.cls(**found)

    def write(self, writer: Writer, path: str, value: Any) -> object:
        if self.literal:
            with writer.literally():
                return write_fields(writer, path, value, self.fields)
        return write_fields(writer, path, value, self.fields)

    def check(self, check: Check, path: str, value: object) -> None:
        if check.is_a(path, value, self.cls, self.expected):
            check_fields(check, path, value, self.fields)

    def standings(self, path: str, value: object) -> Iterator[Standing]:
        if isinstance(value, self.cls):
            yield from standings(path, value, self.fields)


def check_fields(check: Check, path: str, value: object, fields: Sequence[Field]) -> None:
    """Tells which of these fields of an object hold what is not of their kinds."""
    for field, inner, each in parts(path, value, fields):
        field.kind.check(check, inner, each)


def standings(path: str, value: object, fields: Sequence[Field]) -> Iterator[Standing]:
    """Every one of these fields of an object, and of what it is made of, that says something and is not wholly carried out."""
    for field, inner, each in parts(path, value, fields):
        level, reason = field.standing(each)
        if level is not Level.DONE:
            yield inner, level, reason
        if level not in (Level.PLANNED, Level.REFUSED):
            yield from field.kind.standings(inner, each)


def parts(path: str, value: object, fields: Sequence[Field]) -> Iterator[tuple[Field, str, Any]]:
    """Each field of an object that is kept in an attribute, with its path and value, but for those that are as if absent."""
    for field in fields:
        if not field.attribute or field.meta.place == "annotation":
            continue
        each, default = getattr(value, field.attribute), field.default
        # Of the same type: a 0 that stands for False is not what belongs there.
        as_absent = each is default or (type(each) is type(default) and each == default)
        if as_absent and not field.required and not field.meta.always:
            continue
        yield field, path if field.meta.inline else below(path, field.name), each


def read_fields(
    reader: Reader,
    path: str,
    value: Mapping[Any, object],
    fields: Sequence[Field],
    others: Iterable[str] = (),
) -> dict[str, object]:
    """The arguments for a class; `BAD` for those that are required and could not be read at all.

    Args:
        reader: takes the problems.
        path: of the mapping; empty: the document.
        value: the mapping.
        fields: that may be in it.
        others: names of more fields that may, and are read elsewhere.
    """
    found: dict[str, object] = {}
    for field in fields:
        if field.meta.place == "annotation":
            continue
        if field.meta.inline:
            each = field.kind.read(reader, path, {name: value.get(name) for name in field.names()})
        else:
            each = _read_field(reader, below(path, field.name), value.get(field.name), field)
        if field.attribute:
            found[field.attribute] = field.default if each is BAD else each
    refuse_unknown(
        reader,
        path,
        value,
        dict.fromkeys(others) | {name: field for field in fields for name in field.names()},
    )
    return found


def _read_field(reader: Reader, path: str, raw: object, field: Field) -> object:
    if raw is None or (field.kind.is_absent(raw) and not field.required):
        if field.required:
            reader.refuse(path, "is required")
            return field.kind.blank
        return field.kind.missing(reader, path, field.default)
    if reader.refuses(field.level):
        # What is refused as a whole is not looked at in detail, but for whether it says anything.
        scratch = reader.scratch()
        value = field.kind.read(scratch, path, raw)
        if value is BAD or scratch.problems or not field.says_nothing(value):
            reader.refuse(path, objection(field.level, field.meta.reason))
            return field.default
        return value
    value = field.kind.read(reader, path, raw)
    if value is BAD:
        return field.kind.blank if field.required else BAD
    level, reason = field.standing(value)
    if reader.refuses(level):
        reader.refuse(path, f"{reader.show(getattr(value, 'value', value))} {objection(level, reason)}")
    elif said := warning(level, reason):
        reader.warn(path, said)
    return value


def write_fields(writer: Writer, path: str, value: object, fields: Sequence[Field]) -> dict[str, object]:
    """The mapping of an object's fields, without those that are as if they were absent."""
    found: dict[str, object] = {}
    for field, inner, each in parts(path, value, fields):
        if each == field.meta.unwritten:
            continue
        written = field.kind.write(writer, inner, each)
        if field.meta.inline:
            found.update(typing.cast("dict[str, object]", written))
        elif written is not None and (
            field.meta.always or field.required or field.default not in (each, written)
        ):
            found[field.name] = written
    return found


# --- one of several --------------------------------------------------------------------------------------------------


@record(frozen=True, slots=True)
class Alternative:
    """One of the fields of which only one may be there.

    Attributes:
        kind: of its value; None: nothing of it is kept, for it is refused.
        level, reason: as of a field.
    """

    kind: Struct | None
    level: Level = Level.DONE
    reason: str = ""


class OneOf(Kind):
    """Fields of which exactly one is there: a probe's handler, a volume's source.

    Args:
        what: what they are, in Kubernetes' words: ``handler type``.
        default: what holds where none of them is there; `BAD`: one is required.
        alternatives: by their names.
    """

    alternatives: Mapping[str, Alternative]

    def __init__(self, what: str, alternatives: Mapping[str, Alternative], *, default: object = BAD) -> None:
        self.what = what
        self.alternatives = alternatives
        self._default = default
        self._by_class = {each.kind.cls: name for name, each in alternatives.items() if each.kind is not None}
        self.expected = f"one of {', '.join(cls.__name__ for cls in self._by_class)}"
        self.names = ", ".join(name for name, each in alternatives.items() if each.level is not Level.REFUSED)

    def read(self, reader: Reader, path: str, value: object) -> object:
        if not isinstance(value, Mapping):
            reader.refuse(path, f"a mapping of fields is expected, not {reader.show(value)}")
            return BAD
        there = [name for name in self.alternatives if value.get(name) is not None]
        refuse_unknown(reader, path, value, self.alternatives)
        if not there:
            if self._default is BAD:
                reader.refuse(path, f"must specify a {self.what}: one of {self.names} is required")
            return self._default
        for name in there[1:]:
            reader.refuse(
                below(path, name), f"may not specify more than 1 {self.what}: {there[0]} is there already"
            )
        return self._read(reader, below(path, there[0]), value[there[0]], self.alternatives[there[0]])

    def _read(self, reader: Reader, path: str, raw: object, chosen: Alternative) -> object:
        if reader.refuses(chosen.level) or chosen.kind is None:
            reader.refuse(path, objection(chosen.level, chosen.reason))
            return self._default
        found = chosen.kind.read(reader, path, raw)
        if said := warning(chosen.level, chosen.reason):
            reader.warn(path, said)
        return found

    def name_of(self, value: object) -> str:
        """The field that a value stands in; empty: in none."""
        return self._by_class.get(type(value), "")

    def write(self, writer: Writer, path: str, value: Any) -> object:
        name = self.name_of(value)
        kind = self.alternatives[name].kind
        assert kind is not None
        return {name: kind.write(writer, below(path, name), value)}

    def check(self, check: Check, path: str, value: object) -> None:
        name = self.name_of(value)
        kind = self.alternatives[name].kind if name else None
        if kind is None:
            check.add(path, f"{self.expected} is expected, not {show(value)}")
        else:
            kind.check(check, below(path, name), value)

    def standings(self, path: str, value: object) -> Iterator[Standing]:
        name = self.name_of(value)
        if not name:
            return
        chosen = self.alternatives[name]
        if chosen.level is not Level.DONE:
            yield below(path, name), chosen.level, chosen.reason
        elif chosen.kind is not None:
            yield from chosen.kind.standings(below(path, name), value)
