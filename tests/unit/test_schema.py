"""The schema: every field of v1 Pod is declared, every value of a spec comes back, and what is written is Kubernetes'."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import kubernetes_validate
from hypothesis import HealthCheck, given, settings

from pypod.model import codec
from pypod.model.compounds import ListOf, MapOf, Shape
from pypod.model.document import pod_fields, read_document, to_document
from pypod.model.kinds import Kind
from pypod.model.schema import Field
from pypod.model.spec import PodSpec
from pypod.model.structs import OneOf, Struct
from tests.unit.spec_strategies import pods

VERSION = "1.36"


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
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
