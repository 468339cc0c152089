"""The fields of a document, each asked for with its type; what is wrong with them is collected, not raised."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import TypeVar

from pypod.errors import ManifestError, Problem
from pypod.model.quantity import parse_quantity
from pypod.model.wording import did_you_mean, show

EMPTY_SAYS_NOTHING = frozenset({"status", "resources", "securityContext", "nodeSelector", "affinity"})

ROOT = "document"
"""The path of a problem that the whole document has."""

MOST_PROBLEMS = 100
"""That are reported at once."""

EnumT = TypeVar("EnumT", bound=enum.Enum)


def line_of(lines: Mapping[str, int], path: str) -> int:
    """The line of a field, or of the nearest thing around it that has one; 0 where nothing is known."""
    while path not in lines:
        cut = max(path.rfind("."), path.rfind("["))
        if cut < 0:
            return lines.get(ROOT, 0)
        path = path[:cut]
    return lines[path]


class Reader:
    """What goes wrong on the way."""

    def __init__(self, lines: Mapping[str, int]) -> None:
        self.lines = lines
        self.problems: list[Problem] = []

    @property
    def full(self) -> bool:
        """More problems than anybody reads. Nothing more is looked for, so that hostile input costs little."""
        return len(self.problems) >= MOST_PROBLEMS

    def refuse(self, path: str, message: str) -> None:
        if not self.full:
            self.problems.append(Problem(path, message, ManifestError, line_of(self.lines, path)))


class Fields:
    """The fields of one mapping. Asking for a field makes it a supported one; `close` refuses the rest by name.

    A field that is null is one that is not there, as in Kubernetes.

    Args:
        reader: takes the problems.
        path: of the mapping.
        value: the mapping.
        keyed: its fields' names are its user's own, which Kubernetes spells ``path[name]``.
    """

    def __init__(self, reader: Reader, path: str, value: object, *, keyed: bool = False) -> None:
        self._reader = reader
        self._keyed = keyed
        self.path = path
        self._asked: set[str] = set()
        self._values: dict[object, object] = {}
        if isinstance(value, Mapping):
            self._values = {name: item for name, item in value.items() if item is not None}
        else:
            reader.refuse(path or ROOT, f"a mapping of fields is expected, not {show(value)}")
        self.usable = isinstance(value, Mapping)

    def at(self, name: str) -> str:
        """The path of a field."""
        name = name if len(name) <= 80 else name[:77] + "..."
        if self._keyed:
            return f"{self.path}[{name}]"
        return f"{self.path}.{name}" if self.path else name

    def refuse(self, name: str, message: str) -> None:
        self._reader.refuse(self.at(name), message)

    def refuse_itself(self, message: str) -> None:
        """A problem of the mapping as a whole."""
        self._reader.refuse(self.path or ROOT, message)

    @property
    def names(self) -> list[str]:
        return [name for name in self._values if isinstance(name, str)]

    def has(self, name: str) -> bool:
        self._asked.add(name)
        return name in self._values

    def raw(self, name: str) -> object:
        self._asked.add(name)
        return self._values.get(name)

    def string(self, name: str, default: str = "", *, required: bool = False) -> str:
        value = self.raw(name)
        if value is None:
            if required and self.usable:
                self.refuse(name, "is required")
            return default
        return text(self._reader, self.at(name), value, default)

    def integer(self, name: str, *, required: bool = False) -> int | None:
        value = self.raw(name)
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        if value is not None:
            self.refuse(name, f"a whole number is expected, not {show(value)}")
        elif required and self.usable:
            self.refuse(name, "is required")
        return None

    def port(self, name: str) -> int | str:
        """A number, or the name of a port; required. 0 where there is none."""
        value = self.raw(name)
        if isinstance(value, int | str) and not isinstance(value, bool):
            return value
        if value is not None:
            self.refuse(name, f"a number or the name of a port is expected, not {show(value)}")
        elif self.usable:
            self.refuse(name, "is required")
        return 0

    def quantity(self, name: str, per: int = 1) -> int | None:
        """A number with or without a suffix, times ``per``, rounded up."""
        value = self.raw(name)
        if value is None:
            return None
        if isinstance(value, str | int | float) and not isinstance(value, bool):
            try:
                return parse_quantity(str(value), per)
            except ValueError as exc:
                self.refuse(name, str(exc))
                return None
        self.refuse(name, f"a quantity like '64Mi' is expected, not {show(value)}")
        return None

    def boolean(self, name: str, *, default: bool = False) -> bool:
        value = self.raw(name)
        if isinstance(value, bool):
            return value
        if value is not None:
            self.refuse(name, f"true or false is expected, not {show(value)}")
        return default

    def choice(self, name: str, kind: type[EnumT]) -> EnumT | None:
        """A word out of an enumeration; None where the field is absent, empty or wrong."""
        value = self.string(name)
        if not value:
            return None
        try:
            return kind(value)
        except ValueError:
            words = ", ".join(f"'{member.value}'" for member in kind if member.value)
            self.refuse(name, f"{show(value)} is not supported; one of {words} is expected")
            return None

    def items(self, name: str) -> list[tuple[str, object]]:
        """The items of a list, each with its path."""
        value = self.raw(name)
        if isinstance(value, list | tuple):
            return [(f"{self.at(name)}[{index}]", item) for index, item in enumerate(value)]
        if value is not None:
            self.refuse(name, f"a list is expected, not {show(value)}")
        return []

    def strings(self, name: str) -> tuple[str, ...]:
        return tuple(text(self._reader, path, item) for path, item in self.items(name))

    def fields(self, name: str, *, keyed: bool = False) -> Fields:
        """The fields of a mapping in this one; none where it is absent."""
        value = self.raw(name)
        return Fields(self._reader, self.at(name), {} if value is None else value, keyed=keyed)

    def many(self, name: str) -> list[Fields]:
        """The fields of each mapping of a list."""
        return [Fields(self._reader, path, item) for path, item in self.items(name)]

    def text_mapping(self, name: str) -> dict[str, str]:
        """A mapping of strings to strings: labels, annotations."""
        value = self.raw(name)
        if value is None:
            return {}
        if not isinstance(value, Mapping):
            self.refuse(name, f"a mapping is expected, not {show(value)}")
            return {}
        found = {}
        for key, item in value.items():
            path = f"{self.at(name)}[{str(key)[:320]}]"
            if not isinstance(key, str):
                self._reader.refuse(path, f"a name that is a string is expected, not {show(key)}")
            else:
                found[key] = "" if item is None else text(self._reader, path, item)
        return found

    def close(self, known: frozenset[str] = frozenset()) -> None:
        """Refuses every field that was not asked for."""
        for name, value in self._values.items():
            if self._reader.full:
                return
            if name in self._asked:
                continue
            if not isinstance(name, str):
                self._reader.refuse(self.at(show(name)), "a field name that is a string is expected")
            elif name not in known:
                self.refuse(name, "unknown field" + did_you_mean(name, self._asked | known))
            elif not _says_nothing(name, value):
                self.refuse(name, "is not supported yet")


def _says_nothing(name: str, value: object) -> bool:
    return value == [] or (name in EMPTY_SAYS_NOTHING and value == {})


def text(reader: Reader, path: str, value: object, default: str = "") -> str:
    """The value as a string field takes it: strings alone, nothing is turned into one."""
    if isinstance(value, str):
        return value
    hint = " (in quotes it is one)" if isinstance(value, bool | int | float) else ""
    reader.refuse(path, f"a string is expected, not {show(value)}{hint}")
    return default
