"""The kinds of values that are made of others: lists, mappings, and mappings of known fields that are kept as they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from pypod.model.schema.kinds import BAD, STRING, Kind, Standing
from pypod.model.schema.paths import below, entry, item
from pypod.model.wording import did_you_mean, show

if TYPE_CHECKING:
    from pypod.model.schema.checking import Check
    from pypod.model.schema.reading import Reader
    from pypod.model.schema.writing import Writer


class ListOf(Kind):
    """A list, in a spec a tuple."""

    blank: object = ()
    expected = "a list"

    def __init__(self, item: Kind) -> None:
        self.item = item

    def read(self, reader: Reader, path: str, value: object) -> object:
        if not isinstance(value, list | tuple):
            return self._wrong(reader, path, value)
        found = []
        for index, each in enumerate(value):
            read = self.item.read(reader, item(path, index), each)
            # One that is wrong keeps its place, so that the paths of those after it are right.
            found.append(self.item.blank if read is BAD else read)
        return tuple(each for each in found if each is not BAD)

    def write(self, writer: Writer, path: str, value: Any) -> object:
        return [self.item.write(writer, f"{path}[{index}]", each) for index, each in enumerate(value)]

    def check(self, check: Check, path: str, value: object) -> None:
        if not isinstance(value, list | tuple):
            what = f"a tuple of {self.item.expected.removeprefix('a ').removeprefix('an ')}s"
            check.add(path, f"{what} is expected, not {show(value)}")
            return
        for index, each in enumerate(value):
            if not check.full:
                self.item.check(check, f"{path}[{index}]", each)

    def standings(self, path: str, value: object) -> Iterator[Standing]:
        if isinstance(value, list | tuple):
            for index, each in enumerate(value):
                yield from self.item.standings(f"{path}[{index}]", each)


class MapOf(Kind):
    """A mapping of names that are its user's own, which Kubernetes spells ``path[name]``; null is the kind's blank."""

    expected = "a mapping"
    keyed = True

    def __init__(self, item: Kind) -> None:
        self.item = item
        self.blank = MappingProxyType({})

    def read(self, reader: Reader, path: str, value: object) -> object:
        if not isinstance(value, Mapping):
            return self._wrong(reader, path, value)
        found = {}
        for key, each in value.items():
            inner = entry(path, key)
            if not isinstance(key, str):
                reader.refuse(inner, f"a name that is a string is expected, not {show(key)}")
                continue
            read = self.item.blank if each is None else self.item.read(reader, inner, each)
            if read is not BAD:
                found[key] = read
        return MappingProxyType(found)

    def write(self, writer: Writer, path: str, value: Any) -> object:
        return {key: self.item.write(writer, f"{path}[{key}]", each) for key, each in value.items()}

    def check(self, check: Check, path: str, value: object) -> None:
        if not isinstance(value, Mapping):
            check.add(path, f"a mapping is expected, not {show(value)}")
            return
        for key, each in value.items():
            inner = f"{path}[{str(key)[:320]}]"
            if not check.full and check.text(inner, key) is not None:
                self.item.check(check, inner, each)


class Single(Kind):
    """A mapping of which one entry is known, in a spec that entry.

    Args:
        name: of the entry.
        item: its kind.
        required: it must be there.
    """

    keyed = True

    def __init__(self, name: str, item: Kind, *, required: bool) -> None:
        self.name = name
        self.item = item
        self.required = required
        self.expected = item.expected

    def read(self, reader: Reader, path: str, value: object) -> object:
        if not isinstance(value, Mapping):
            return self._wrong(reader, path, value)
        for key, each in value.items():
            if key != self.name and each is not None and not reader.full:
                reader.unknown(entry(path, key), "unknown field" + did_you_mean(str(key), (self.name,)))
        each = value.get(self.name)
        return (
            self.missing(reader, path, None)
            if each is None
            else self.item.read(reader, entry(path, self.name), each)
        )

    def missing(self, reader: Reader, path: str, default: object) -> object:
        if self.required:
            reader.refuse(entry(path, self.name), "is required")
            return BAD
        return default

    def write(self, writer: Writer, path: str, value: Any) -> object:
        return {self.name: self.item.write(writer, entry(path, self.name), value)}

    def check(self, check: Check, path: str, value: object) -> None:
        self.item.check(check, entry(path, self.name), value)


class Pairs(Kind):
    """A list of mappings with ``name`` and ``value``, in a spec a tuple of pairs."""

    blank: object = ()
    expected = "a tuple of pairs of name and value"

    def __init__(self, *, value_required: bool = True) -> None:
        shape = Shape(
            {"name": STRING, "value": STRING}, required=("name", "value") if value_required else ("name",)
        )
        self._list = ListOf(shape)

    def read(self, reader: Reader, path: str, value: object) -> object:
        found = self._list.read(reader, path, value)
        if not isinstance(found, tuple):
            return BAD
        return tuple((each.get("name", ""), each.get("value", "")) for each in found)

    def write(self, writer: Writer, path: str, value: Any) -> object:
        return [{"name": name, "value": text} for name, text in value]

    def check(self, check: Check, path: str, value: object) -> None:
        if not isinstance(value, tuple):
            check.add(path, f"{self.expected} is expected, not {show(value)}")
            return
        for index, pair in enumerate(value):
            if not isinstance(pair, tuple) or len(pair) != 2:
                check.add(f"{path}[{index}]", f"a pair of name and value is expected, not {show(pair)}")
                continue
            check.text(f"{path}[{index}].name", pair[0])
            check.text(f"{path}[{index}].value", pair[1])


class Shape(Kind):
    """A mapping of known fields that a spec keeps as it is, in mappings and tuples, since nothing is done with it."""

    blank: object = BAD
    expected = "a mapping of fields"

    def __init__(self, fields: Mapping[str, Kind], required: Sequence[str] = ()) -> None:
        self.fields = fields
        self.required = frozenset(required)

    def read(self, reader: Reader, path: str, value: object) -> object:
        if not isinstance(value, Mapping):
            return self._wrong(reader, path, value)
        found = {}
        for name, kind in self.fields.items():
            each = value.get(name)
            if each is not None:
                read = kind.read(reader, below(path, name), each)
                if read is not BAD:
                    found[name] = read
            elif name in self.required:
                reader.refuse(below(path, name), "is required")
        refuse_unknown(reader, path, value, self.fields)
        return MappingProxyType(found)

    def write(self, writer: Writer, path: str, value: Any) -> object:
        return {name: self.fields[name].write(writer, f"{path}.{name}", each) for name, each in value.items()}

    def check(self, check: Check, path: str, value: object) -> None:
        if not isinstance(value, Mapping):
            check.add(path, f"{self.expected} is expected, not {show(value)}")
            return
        for name in self.required - value.keys():
            check.add(f"{path}.{name}", "is required")
        for name, each in value.items():
            if name in self.fields:
                self.fields[name].check(check, f"{path}.{name}", each)
            else:
                check.add(f"{path}.{str(name)[:80]}", "unknown field" + did_you_mean(str(name), self.fields))


def refuse_unknown(
    reader: Reader, path: str, value: Mapping[Any, object], known: Mapping[str, object]
) -> None:
    """Tells of the fields that Kubernetes does not have. One that is null is one that is not there."""
    for name, each in value.items():
        if reader.full:
            return
        if not isinstance(name, str):
            if each is not None:
                reader.refuse(below(path, show(name)), "a field name that is a string is expected")
        elif name not in known and each is not None:
            reader.unknown(below(path, name), "unknown field" + did_you_mean(name, known))


class Named(Kind):
    """A mapping with a ``name`` and nothing else, in a spec that name."""

    expected = "a name"

    def __init__(self, name: Kind) -> None:
        self.name = name
        self._shape = Shape({"name": name}, required=("name",))

    def read(self, reader: Reader, path: str, value: object) -> object:
        found = self._shape.read(reader, path, value)
        return found.get("name", BAD) if isinstance(found, Mapping) else BAD

    def write(self, writer: Writer, path: str, value: Any) -> object:
        return {"name": value}

    def check(self, check: Check, path: str, value: object) -> None:
        self.name.check(check, f"{path}.name", value)


STRINGS = ListOf(STRING)
TEXT_MAP = MapOf(STRING)
