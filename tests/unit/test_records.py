"""The classes of a spec are dataclasses like any other, made cheaply."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from typing import Any, cast

import pytest

from pypod.model.records import record


@record(frozen=True, slots=True)
class Record:
    """One."""

    name: str
    size: int = 1
    tags: tuple[str, ...] = dataclasses.field(default_factory=tuple)
    notes: dict[str, str] = dataclasses.field(default_factory=dict, hash=False)


@dataclasses.dataclass(frozen=True, slots=True)
class Twin:
    """As dataclasses makes it."""

    name: str
    size: int = 1
    tags: tuple[str, ...] = dataclasses.field(default_factory=tuple)
    notes: dict[str, str] = dataclasses.field(default_factory=dict, hash=False)


MAKE: Any = Record


def test_it_is_as_dataclasses_makes_it() -> None:
    found, twin = Record("a", tags=("x",)), Twin("a", tags=("x",))
    assert dataclasses.is_dataclass(Record)
    assert repr(found) == repr(twin).replace("Twin", "Record")
    assert dataclasses.asdict(found) == dataclasses.asdict(twin)
    assert [each.name for each in dataclasses.fields(Record)] == [
        each.name for each in dataclasses.fields(Twin)
    ]
    assert Record.__match_args__ == Twin.__match_args__
    assert hash(found) == hash(twin)
    assert not hasattr(found, "__dict__")


def test_equality_is_of_the_values_and_the_class() -> None:
    assert Record("a") == Record(name="a", size=1)
    assert Record("a") != Record("b")
    assert Record("a", notes={"b": "c"}) != Record("a")
    assert cast("Any", Record("a")) != Twin("a")


def test_copies() -> None:
    found = Record("a", 2, ("x",), {"k": "v"})
    assert dataclasses.replace(found, size=3) == Record("a", 3, ("x",), {"k": "v"})
    assert copy.deepcopy(found) == pickle.loads(pickle.dumps(found)) == copy.copy(found) == found


@pytest.mark.parametrize(
    ("args", "given", "message"),
    [
        ((), {}, "missing a required argument: 'name'"),
        (("a", 1, (), {}, 5), {}, "takes 4 arguments, but 5 were given"),
        (("a",), {"nmae": 1}, "unexpected keyword argument 'nmae'"),
        (("a",), {"name": "b"}, "multiple values for argument 'name'"),
    ],
)
def test_wrong_arguments(args: Any, given: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        MAKE(*args, **given)


def test_it_is_frozen() -> None:
    found: Any = Record("a")
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.name = "b"
    with pytest.raises(dataclasses.FrozenInstanceError):
        del found.name
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.other = 1
