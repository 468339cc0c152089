"""The frozen dataclasses of a spec **are** the schema of a document: what is said of their fields here drives the reader, the
writer (`pypod.model.schema.structs`), the paths of validation, and the table of what is supported.

A field needs no word where its type says it all: ``read_only: bool = False`` is the optional boolean ``readOnly``. Where it does
not, its metadata does, which `k8s` makes. What has no attribute in a spec, since nothing is to be kept of it, is declared
beside the class with `also`.

The types are looked at when a class is first read, written or checked, not when it is imported.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from pypod.model.records import record
from pypod.model.schema.kinds import BAD, Kind
from pypod.model.schema.levels import Level

KEY = "pypod"
"""Of the metadata of a dataclass' field."""
SAME: Any = object()
"""As the field itself says."""
_ACRONYMS = {"ip": "IP", "ipc": "IPC", "pid": "PID", "fqdn": "FQDN", "api": "API"}

ClassT = TypeVar("ClassT", bound=type)


@record(frozen=True, slots=True)
class Meta:
    """What a field's metadata says; see `k8s`."""

    name: str = ""
    kind: Kind | None = None
    absent: object = SAME
    unwritten: object = SAME
    always: bool = False
    level: Level = Level.DONE
    reason: str = ""
    quiet: tuple[object, ...] = ()
    values: Mapping[object, tuple[Level, str]] = dataclasses.field(default_factory=dict)
    place: str = ""
    inline: bool = False
    attribute: str = ""


def k8s(
    name: str = "",
    *,
    kind: Kind | None = None,
    absent: object = SAME,
    unwritten: object = SAME,
    always: bool = False,
    level: Level = Level.DONE,
    reason: str = "",
    quiet: Sequence[object] = (),
    values: Mapping[object, tuple[Level, str]] | None = None,
    place: str = "",
    inline: bool = False,
) -> dict[str, Meta]:
    """The metadata of a dataclass' field.

    Args:
        name: how Kubernetes spells it; default: the attribute's name in camelCase.
        kind: how it is read and written; default: as its type says.
        absent: what it means in a document that the field is not there; default: the attribute's default.
        unwritten: a value that is never written, since an annotation says it.
        always: it is written also where it is as if it were absent.
        level: how far it is carried out.
        reason: why, where not all of it is.
        quiet: values that say nothing, beside the one of an absent field: no warning, no refusal.
        values: single values of it that are carried out less far than the rest, and why.
        place: which part of the document it stands in, for a class that is made of several.
        inline: the fields of its value stand among those of its class.
    """
    found = Meta(
        name, kind, absent, unwritten, always, level, reason, tuple(quiet), values or {}, place, inline
    )
    return {KEY: found}


@record(frozen=True, slots=True)
class Field:
    """One field of Kubernetes, as a class declares it.

    Attributes:
        name: Kubernetes' name of it.
        attribute: of the class; empty: nothing of the field is kept.
        default: what it means that it is absent; `BAD`: it is required.

    The others are those of `k8s`.
    """

    name: str
    attribute: str
    kind: Kind
    default: object
    meta: Meta

    @property
    def required(self) -> bool:
        return self.default is BAD

    @property
    def level(self) -> Level:
        return self.meta.level

    def names(self) -> Mapping[str, object]:
        """What it is called in a document: one name, or those of the alternatives that stand in its place."""
        return self.kind.alternatives if self.meta.inline else {self.name: self}

    def standing(self, value: object) -> tuple[Level, str]:
        """How far the field is carried out with this value, and why no farther."""
        if self.says_nothing(value):
            return Level.DONE, ""
        if (
            self.meta.values
        ):  # else nothing is to be found, and a container's hash is that of all that is in it
            with contextlib.suppress(TypeError):  # what cannot be hashed is no key
                return self.meta.values.get(value, (self.meta.level, self.meta.reason))
        return self.meta.level, self.meta.reason

    def says_nothing(self, value: object) -> bool:
        """The value leaves everything as it is without it."""
        if value is None or value == self.default or value in self.meta.quiet:
            return True
        return (
            isinstance(value, Sequence | Mapping)
            and not value
            and not isinstance(self.default, Sequence | Mapping)
        )


def also(**fields: Kind | Meta) -> Callable[[ClassT], ClassT]:
    """Declares fields of Kubernetes of which nothing is kept, by Kubernetes' names: ``also(selfLink=nothing(STRING, ...))``."""

    def declare(cls: ClassT) -> ClassT:
        cls._also = {name: meta for name, meta in fields.items() if isinstance(meta, Meta)}  # type: ignore[attr-defined]
        return cls

    return declare


def nothing(kind: Kind, level: Level, reason: str = "", *, absent: object = None, place: str = "") -> Meta:
    """A field for `also`: of this kind, and carried out no farther than that."""
    return Meta(kind=kind, level=level, reason=reason, absent=absent, place=place)


def argument(attribute: str, kind: Kind) -> Meta:
    """A field for `also`: it is read into this argument of the class, which has nothing to be written of it."""
    return Meta(kind=kind, absent=None, attribute=attribute)


def camel(attribute: str) -> str:
    """Kubernetes' spelling of an attribute's name."""
    first, *rest = attribute.split("_")
    return first + "".join(_ACRONYMS.get(word) or word.capitalize() for word in rest)
