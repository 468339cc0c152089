"""The decorator of the classes of a spec, and of what is made of it: frozen dataclasses with slots, whose methods are shared instead of
made for each.

`dataclasses.dataclass(frozen=True, slots=True)` compiles six methods for every class, 0.6 ms of each. There are 110 of these, and every
process that uses a pod, every call of the command line among them, would pay 65 ms for what it mostly does not use. What is made
here is a dataclass like any other for `dataclasses.fields`, `dataclasses.replace`, ``match`` and type checkers.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, NoReturn

__all__ = ["record"]

if TYPE_CHECKING:
    from dataclasses import dataclass as record
else:

    def record(*, frozen: bool, slots: bool, init: bool = True) -> Any:
        """As `dataclasses.dataclass`, with these arguments alone; the first two are there for type checkers, and must be true."""
        assert frozen
        assert slots

        def make(cls: type) -> type:
            made = dataclasses.dataclass(init=False, repr=False, eq=False, slots=True)(cls)
            for name, method in _SHARED.items():
                if name != "__init__" or init:
                    setattr(made, name, method)
            return made

        return make


def _init(self: Any, *args: object, **given: object) -> None:
    fields = self.__dataclass_fields__
    name = type(self).__name__
    if len(args) > len(fields):
        raise TypeError(f"{name}() takes {len(fields)} arguments, but {len(args)} were given")
    values = dict(zip(fields, args, strict=False))
    for attribute, argument in given.items():
        if attribute not in fields:
            raise TypeError(f"{name}() got an unexpected keyword argument {attribute!r}")
        if attribute in values:
            raise TypeError(f"{name}() got multiple values for argument {attribute!r}")
        values[attribute] = argument
    for attribute, field in fields.items():
        if attribute in values:
            settled = values[attribute]
        elif field.default is not dataclasses.MISSING:
            settled = field.default
        elif field.default_factory is not dataclasses.MISSING:
            settled = field.default_factory()
        else:
            raise TypeError(f"{name}() missing a required argument: {attribute!r}")
        object.__setattr__(self, attribute, settled)


def _eq(self: Any, other: Any) -> Any:
    if other.__class__ is not self.__class__:
        return NotImplemented
    return self is other or all(
        getattr(self, field.name) == getattr(other, field.name)
        for field in self.__dataclass_fields__.values()
        if field.compare
    )


def _hash(self: Any) -> int:
    return hash(
        tuple(
            getattr(self, field.name)
            for field in self.__dataclass_fields__.values()
            if (field.compare if field.hash is None else field.hash)
        )
    )


def _repr(self: Any) -> str:
    fields = self.__dataclass_fields__.items()
    shown = (f"{name}={getattr(self, name)!r}" for name, field in fields if field.repr)
    return f"{type(self).__qualname__}({', '.join(shown)})"


def _setattr(self: Any, name: str, value: object) -> NoReturn:
    raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")


def _delattr(self: Any, name: str) -> NoReturn:
    raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")


def _getstate(self: Any) -> list[object]:
    return [getattr(self, name) for name in self.__dataclass_fields__]


def _setstate(self: Any, state: list[object]) -> None:
    for name, settled in zip(self.__dataclass_fields__, state, strict=True):
        object.__setattr__(self, name, settled)


_SHARED: dict[str, Any] = {
    "__init__": _init,
    "__eq__": _eq,
    "__hash__": _hash,
    "__repr__": _repr,
    "__setattr__": _setattr,
    "__delattr__": _delattr,
    "__getstate__": _getstate,
    "__setstate__": _setstate,
}
