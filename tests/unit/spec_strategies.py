"""Every value that a spec can have, as far as its schema goes: strategies that are built from the schema itself."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

from hypothesis import strategies as st

from pypod.model.document.annotations import PREFIX
from pypod.model.schema.compounds import ListOf, MapOf, Named, Pairs, Shape, Single
from pypod.model.schema.declaring import Field
from pypod.model.schema.kinds import (
    Base64,
    Boolean,
    Choice,
    DiscreetString,
    ExactString,
    Expanded,
    HostPort,
    Integer,
    IntOrString,
    Kind,
    Mode,
    Quantity,
    QuantityText,
    Seconds,
    String,
    Word,
)
from pypod.model.schema.levels import Level
from pypod.model.schema.references import Template
from pypod.model.schema.structs import OneOf, Struct, fields_of
from pypod.model.schema.writing import Writer
from pypod.model.spec.pod import Container, PodSpec
from pypod.model.spec.resources import Amounts, ResourceList

characters = st.characters(exclude_characters="\0", exclude_categories=["Cs"])
texts = st.sampled_from(["a", "x-1", "$(A)", "$$(A)", "$$", "", "yes", "é\n"]) | st.text(
    characters, max_size=6
)
templates = st.sampled_from(["$(A)", "a$$b$(C)", "$(A$$)", "$$$(A)"]).map(Template)
names = st.from_regex(r"[a-z]{1,5}", fullmatch=True)


SIMPLE: dict[type[Kind], st.SearchStrategy[Any]] = {
    String: texts,
    ExactString: texts,
    DiscreetString: texts,
    Base64: st.binary(max_size=6),
    Boolean: st.booleans(),
    Seconds: st.sampled_from([0, 1, 30.0, 0.25, 9.5, 10]) | st.floats(0, 1e6),
    HostPort: st.integers(0, 65535),
    Mode: st.integers(0, 0o777),
    IntOrString: st.integers(1, 65535) | texts,
    QuantityText: st.sampled_from(["0", "1", "250m", "64Mi", "1e3"]),
    Quantity: st.integers(0, 2**63 - 1),
    Amounts: st.builds(
        ResourceList,
        st.none() | st.integers(0, 2**62),
        st.none() | st.integers(0, 2**62),
        st.dictionaries(st.sampled_from(["ephemeral-storage", "hugepages-2Mi"]), st.integers(0, 2**40)),
    ),
}


def of_kind(kind: Kind, *, literal: bool = False) -> st.SearchStrategy[Any]:
    """Values of a spec that are of this kind."""
    if type(kind) in SIMPLE:
        return SIMPLE[type(kind)]
    match kind:
        case Word():
            return st.sampled_from([word for word in kind.words if word])
        case Expanded():
            return texts if literal else texts | templates
        case Choice():
            return st.sampled_from(kind.choices)
        case Integer():
            return st.integers(-kind.most - 1, kind.most)
    return _compound(kind, literal)


def _compound(kind: Kind, literal: bool) -> st.SearchStrategy[Any]:
    match kind:
        case ListOf():
            return st.lists(of_kind(kind.item, literal=literal), max_size=2).map(tuple)
        case MapOf():
            return st.dictionaries(names, of_kind(kind.item), max_size=2)
        case Pairs():
            return st.lists(st.tuples(texts, texts), max_size=2).map(tuple)
        case Named():
            return of_kind(kind.name)
        case Single():
            return of_kind(kind.item)
        case Shape():
            required = {name: of_kind(kind.fields[name]) for name in kind.required}
            others = {name: of_kind(each) for name, each in kind.fields.items() if name not in kind.required}
            return st.fixed_dictionaries(required, optional=others)
        case OneOf():
            chosen = [each.kind for each in kind.alternatives.values() if each.kind is not None]
            return st.one_of([of_kind(each, literal=literal) for each in chosen])
        case Struct():
            return of_class(kind.cls, literal or kind.literal)
    raise AssertionError(f"no strategy for {kind!r}")


@functools.cache
def of_class(cls: type, literal: bool = False) -> st.SearchStrategy[Any]:
    """Instances of a class of a spec."""
    fields = [field for field in fields_of(cls) if field.attribute]
    has_default = {
        each.name
        for each in dataclasses.fields(cls)
        if each.default is not dataclasses.MISSING or each.default_factory is not dataclasses.MISSING
    }
    required = {
        each.attribute: _of_field(each, literal)
        for each in fields
        if each.required or each.attribute not in has_default
    }
    # Most of what can be left out is, so that examples stay small; over all of them every field comes.
    optional = {each.attribute: _of_field(each, literal) for each in fields if each.attribute not in required}
    return _some(required, optional).map(lambda values: cls(**values))


@st.composite
def _some(draw: st.DrawFn, required: dict[str, Any], optional: dict[str, Any]) -> dict[str, Any]:
    chosen = draw(st.lists(st.sampled_from(sorted(optional)), max_size=4, unique=True)) if optional else []
    wanted = required | {name: optional[name] for name in chosen}
    return {name: draw(strategy) for name, strategy in wanted.items()}


def _of_field(field: Field, literal: bool) -> st.SearchStrategy[Any]:
    if field.level is Level.REFUSED:
        return st.just(field.default)

    if field.attribute == "extra_networks":  # an annotation: the names of networks, with commas in between
        return st.lists(names, max_size=2, unique=True).map(tuple)

    def keeps(value: object) -> bool:
        """It can be said in a document, and is not refused."""
        if field.standing(value)[0] is Level.REFUSED:
            return False
        written = field.kind.write(Writer(), "", value) if isinstance(value, str | int) else value
        return field.required or not field.kind.is_absent(written) or value == field.default

    return of_kind(field.kind, literal=literal).filter(keeps)


@st.composite
def pods(draw: st.DrawFn) -> PodSpec:
    """Whole pods. Containers have names, each its own, since annotations call them by these."""
    spec: PodSpec = draw(of_class(PodSpec).filter(lambda spec: bool(spec.name or spec.generate_name)))
    containers: tuple[Container, ...] = (*spec.init_containers, *spec.containers)
    named = tuple(dataclasses.replace(each, name=f"c{index}") for index, each in enumerate(containers))
    foreign = {name: text for name, text in spec.annotations.items() if not name.startswith(PREFIX)}
    cut = len(spec.init_containers)
    return dataclasses.replace(spec, init_containers=named[:cut], containers=named[cut:], annotations=foreign)
