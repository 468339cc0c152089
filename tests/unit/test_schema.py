"""The schema: every field of v1 Pod is declared, every value of a spec comes back, and what is written is Kubernetes'."""

from __future__ import annotations

import copy
import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import kubernetes_validate
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pypod.model.document import codec
from pypod.model.document.pods import pod_fields, read_document, to_document
from pypod.model.schema.compounds import ListOf, MapOf, Shape
from pypod.model.schema.declaring import Field
from pypod.model.schema.kinds import Kind
from pypod.model.schema.structs import OneOf, Struct
from pypod.model.spec.pod import (
    Container,
    EnvVar,
    PodSpec,
    ResourceFieldRef,
    SecurityContext,
    Volume,
    VolumeMount,
)
from pypod.model.text.strictness import Strictness
from pypod.model.validation.validating import problems, warnings
from tests.unit.spec_strategies import pods

VERSION = "1.36"


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(pods())
def test_every_value_of_a_spec_comes_back(spec: PodSpec) -> None:
    document = to_document(spec)
    found = read_document(document, admit_planned=True)
    assert found.problems == ()
    assert found.spec == spec
    assert read_document(json.loads(codec.dump_spec(spec)), admit_planned=True).spec == spec
    assert found.spec is not None
    assert codec.dump_spec(found.spec) == codec.dump_spec(spec)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(pods())
def test_what_is_written_passes_the_official_schema(spec: PodSpec) -> None:
    kubernetes_validate.validate(to_document(spec), VERSION, strict=True)


# --- against the official schema ---------------------------------------------------------------------------------------

FOLDER = Path(kubernetes_validate.__file__).parent / "kubernetes-json-schema" / f"v{VERSION}.0-local-strict"
DEFINITIONS: dict[str, Any] = json.loads((FOLDER / "_definitions.json").read_text("utf-8"))["$defs"]
CORE = "io.k8s.api.core.v1."


def definition(schema: dict[str, Any]) -> dict[str, Any]:
    """What a schema refers to, or itself."""
    return DEFINITIONS[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema


def differences(kind: Kind, schema: dict[str, Any], path: str) -> Iterator[str]:
    """Where the fields that we declare are not those of the official schema."""
    schema = definition(schema)
    match kind:
        case ListOf():
            yield from differences(kind.item, schema["items"], f"{path}[]")
        case MapOf():
            yield from differences(kind.item, schema["additionalProperties"], f"{path}[]")
        case Struct():
            yield from of_fields(kind.fields, schema, path)
        case OneOf():
            inner = {name: each.kind for name, each in kind.alternatives.items()}
            yield from of_names(inner, schema, path)
        case Shape():
            yield from of_names(kind.fields, schema, path)
            yield from (
                f"{path}.{name} is required" for name in set(schema.get("required", ())) - kind.required
            )


def of_fields(fields: Sequence[Field], schema: dict[str, Any], path: str) -> Iterator[str]:
    inner: dict[str, Kind | None] = {}
    for field in fields:
        if field.meta.inline:
            assert isinstance(field.kind, OneOf)
            inner |= {name: each.kind for name, each in field.kind.alternatives.items()}
        elif field.meta.place != "annotation":
            inner[field.name] = field.kind
    yield from of_names(inner, schema, path)
    required = {field.name for field in fields if field.required}
    yield from (f"{path}.{name} is required" for name in set(schema.get("required", ())) - required)


def of_names(inner: Mapping[str, Kind | None], schema: dict[str, Any], path: str) -> Iterator[str]:
    theirs = schema["properties"]
    yield from (f"{path}.{name} is not declared" for name in theirs if name not in inner)
    yield from (f"{path}.{name} is none of theirs" for name in inner if name not in theirs)
    for name, kind in inner.items():
        if kind is not None and name in theirs:
            yield from differences(kind, theirs[name], f"{path}.{name}")


def test_every_field_of_kubernetes_is_declared_and_no_other() -> None:
    spec = of_fields(pod_fields(""), DEFINITIONS[f"{CORE}PodSpec"], "spec")
    meta = DEFINITIONS["io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"]
    assert [*spec, *of_fields(pod_fields("metadata"), meta, "metadata")] == []


# --- whatever is in it -------------------------------------------------------------------------------------------------

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["", "a", "$(A)", "Always"]),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["name", "value", "", "a.b/c"]), inner)
    ),
    max_leaves=4,
)


@st.composite
def damaged(draw: st.DrawFn) -> object:
    """The document of a pod, with something else in one of its places."""
    document: Any = copy.deepcopy(to_document(draw(pods())))
    at = document
    while True:
        keys = list(range(len(at))) if isinstance(at, list) else list(at)
        key = draw(st.sampled_from(keys))
        if isinstance(at[key], list | dict) and at[key] and draw(st.integers(0, 9)):
            at = at[key]
            continue
        if isinstance(at, dict) and draw(st.booleans()):
            at[draw(st.sampled_from(["nmae", "x"])) if draw(st.booleans()) else key] = draw(JSON)
        else:
            at[key] = draw(JSON)
        return document


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(damaged(), st.sampled_from(Strictness), st.booleans())
def test_whatever_a_document_holds_is_read_or_refused(
    document: object, strictness: Strictness, admit_planned: bool
) -> None:
    found = read_document(document, strictness=strictness, admit_planned=admit_planned)
    if found.spec is not None:
        problems(found.spec)
        warnings(found.spec)
        if not found.problems:
            again = read_document(to_document(found.spec), admit_planned=True)
            assert again.spec == found.spec


def test_what_is_no_text_where_names_are_put_together_is_a_problem() -> None:
    """Hypothesis found it, once in some thousand pods."""
    wrong: Any = {"hostname_override": 5, "set_hostname_as_fqdn": True}
    assert any("hostnameOverride" in each.path for each in problems(PodSpec("a", (), **wrong)))


@settings(max_examples=600, deadline=None, suppress_health_check=list(HealthCheck))
@given(pods(), st.data())
def test_whatever_python_puts_into_a_spec_is_a_problem_and_no_traceback(
    spec: PodSpec, data: st.DataObject
) -> None:
    junk = st.sampled_from(
        [5, None, "x", True, b"x", 1.5, float("nan"), [], ["x"], (1,), {"a": 1}, {1: "a"}, object]
    )
    owner = data.draw(st.sampled_from(["pod", "container", "volume", "mount", "security", "env"]))
    thing: Any = {
        "pod": spec,
        "container": Container("c", "i"),
        "volume": Volume.config_map("v", "a", items={"k": "f"}),
        "mount": VolumeMount("v", "/v"),
        "security": SecurityContext(),
        "env": EnvVar("A", value_from=ResourceFieldRef("limits.cpu")),
    }[owner]
    name = data.draw(st.sampled_from([field.name for field in dataclasses.fields(thing)]))
    value = data.draw(junk)
    try:
        broken: Any = dataclasses.replace(thing, **{name: value})
    except (TypeError, ValueError):  # a Container settles what it is given
        return
    field = {"mount": "mounts", "env": "env", "security": "security_context"}.get(owner)
    whole: Any = {} if field is None else {field: broken if owner == "security" else [broken]}
    container = broken if owner == "container" else Container("c", "i", **whole)
    volumes = (broken,) if owner == "volume" else (Volume.empty_dir("v"),)
    problems(broken if owner == "pod" else PodSpec("a", (container,), volumes))
