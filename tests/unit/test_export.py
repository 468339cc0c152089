"""What is written is what was there, in every form, and passes Kubernetes' official schemas: pods and objects."""

from __future__ import annotations

import json
from typing import Any

import kubernetes_validate
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pypod.model.document.pods import read_document
from pypod.model.manifest import manifest
from pypod.model.manifest.object_documents import LAYOUTS
from pypod.model.spec.objects import Object
from pypod.model.spec.pod import PodSpec
from pypod.model.text import documents as manifest_text
from pypod.model.text.writer import to_yaml
from tests.unit.spec_strategies import pods
from tests.unit.test_objects import every
from tests.unit.test_schema import CORE, DEFINITIONS, VERSION, definition

PATIENT = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


def forms(document: object) -> list[str]:
    """A document as text: in YAML, in JSON."""
    return [to_yaml(document), json.dumps(document), json.dumps(document, indent="\t", ensure_ascii=False)]


@PATIENT
@given(pods())
def test_a_pod_as_text_and_back(spec: PodSpec) -> None:
    """The levels aside: what is not carried out yet is written and read like the rest."""
    document = manifest.to_document(spec)
    for text in forms(document):
        (found,) = manifest_text.read(text)
        assert found.problems() == found.problems(warnings=True) == []
        read = read_document(found.value, found.root, admit_planned=True)
        assert read.problems == ()
        assert read.spec == spec


@PATIENT
@given(st.lists(every, max_size=4, unique_by=manifest.key_of))
def test_objects_as_text_and_back(items: list[Object]) -> None:
    documents = [manifest.to_document(each) for each in items]
    listed = {"apiVersion": "v1", "kind": "List", "items": documents}
    for text in (*forms(listed), *map("\n".join, zip(*map(forms, documents), strict=True))):
        assert (
            manifest.load_all(text.replace("\napiVersion: v1\nkind", "\n---\napiVersion: v1\nkind")) == items
        )
    if items:
        assert manifest.load_all(manifest.dump_all(items)) == items


@PATIENT
@given(every)
def test_what_is_written_of_an_object_passes_the_official_schema(found: Object) -> None:
    kubernetes_validate.validate(manifest.to_document(found), VERSION, strict=True)


@pytest.mark.parametrize("kind", LAYOUTS)
def test_every_field_of_an_object_is_declared_and_no_other(kind: str) -> None:
    layout = LAYOUTS[kind]
    for place, fields in layout.places.items():
        schema: dict[str, Any] = DEFINITIONS[f"{CORE}{kind}"]
        for name in place.split(".") if place else ():
            schema = definition(schema["properties"][name])
        inner = {
            other.removeprefix(f"{place}.").partition(".")[0]
            for other in layout.places
            if other.startswith(f"{place}.")
        }
        if not place:
            inner = {"metadata", "apiVersion", "kind"} | {
                other.partition(".")[0] for other in layout.places if other
            }
        ours = {field.name for field in fields} | inner
        assert (
            ours | ({"status"} & schema["properties"].keys() if not place else set())
            == schema["properties"].keys()
        ), place
    official = DEFINITIONS[f"{CORE}{kind}"]["properties"].keys() - {
        "apiVersion",
        "kind",
        "metadata",
        "status",
    }
    assert official <= {field.name for field in layout.places.get("", ())} | {layout.body}
