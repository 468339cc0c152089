"""What `Pod` takes: every field that a spec has, by the name that it has there."""

from __future__ import annotations

import dataclasses
import inspect
import re
import typing
from pathlib import Path
from typing import Any

import pytest

import pypod
from pypod import Container, DNSPolicy, Pod, PodSecurityContext, SpecError
from pypod.model.spec import pod as spec_module
from pypod.model.spec.arguments import PodOptions, spec_of
from pypod.model.spec.pod import PodSpec

WEB = Container("web", "nginx")
BESIDE = {"trace", "self", "engine", "reach", "min_ready_seconds", "more"}
"""What is no field of the spec."""


def test_every_field_of_a_spec_is_an_argument() -> None:
    named = set(inspect.signature(Pod.__init__).parameters) - BESIDE
    options = set(typing.get_type_hints(PodOptions))
    assert named | options == {each.name for each in dataclasses.fields(PodSpec)}
    assert named & options == set()


def test_every_value_that_a_spec_takes_is_public() -> None:
    classes = {name for name in spec_module.__all__ if isinstance(getattr(spec_module, name), type)}
    assert classes <= set(pypod.__all__)
    assert all(getattr(pypod, name) is getattr(spec_module, name) for name in classes)


def test_short_forms_become_what_a_spec_has() -> None:
    given = spec_of(
        {
            "name": "shop",
            "containers": [WEB],
            "annotations": {"a": "b"},
            "dns_policy": "Default",
            "image_pull_secrets": ["regcred"],
            "tolerations": [{"operator": "Exists"}],
            "security_context": None,
        }
    )
    assert given == PodSpec("shop", (WEB,), annotations={"a": "b"}, dns_policy=DNSPolicy.DEFAULT,
                            image_pull_secrets=("regcred",), tolerations=({"operator": "Exists"},))  # fmt: skip
    assert given.security_context == PodSecurityContext()
    with pytest.raises(TypeError, match="item assignment"):
        given.annotations["a"] = "c"  # type: ignore[index]


def test_a_pod_has_them() -> None:
    pod = Pod(
        "shop", containers=[WEB], annotations={"note": "x"}, tolerations=[{"operator": "Exists"}], os="linux"
    )
    assert pod.spec.annotations == {"note": "x"}
    assert pod.spec.os == "linux"
    assert "note: x" in pod.to_manifest()


MISTAKES: list[tuple[dict[str, Any], str]] = [
    ({"annotation": {}}, r"Pod\(\) got an unexpected keyword argument 'annotation', did you mean 'annotations'\?"),
    ({"image_pull_secrets": "regcred"}, "cannot take image_pull_secrets='regcred': several values are expected, in a list"),
    ({"dns_policy": "Never"}, "'Never' is not a valid DNSPolicy"),
]  # fmt: skip


@pytest.mark.parametrize(("given", "message"), MISTAKES, ids=range(len(MISTAKES)))
def test_mistakes(given: dict[str, Any], message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        Pod("shop", containers=[WEB], **given)


def test_a_name_is_made_of_its_beginning() -> None:
    names = {Pod(generate_name="shop-", containers=[WEB]).name for _ in range(5)}
    assert len(names) == 5
    assert all(re.fullmatch("shop-[bcdfghjklmnpqrstvwxz2456789]{5}", name) for name in names)
    pod = Pod(generate_name="x" * 80, containers=[WEB])
    assert len(pod.name) == 63
    assert pod.spec.generate_name == "x" * 80


def test_a_name_that_is_given_stays() -> None:
    assert Pod("shop", generate_name="x-", containers=[WEB]).name == "shop"


def test_a_beginning_that_no_name_can_have() -> None:
    with pytest.raises(SpecError, match=r"metadata\.generateName: 'Shop-' is not valid"):
        Pod(generate_name="Shop-", containers=[WEB])


def test_a_manifest_may_have_only_the_beginning_of_a_name(tmp_path: Path) -> None:
    text = "apiVersion: v1\nkind: Pod\nmetadata: {generateName: shop-}\nspec:\n  containers: [{name: web, image: nginx}]\n"
    pod = Pod.from_manifest(text)
    assert re.fullmatch("shop-[a-z0-9]{5}", pod.name)
    again = Pod.from_manifest(pod.to_manifest())
    assert again.name == pod.name
    assert again.spec == pod.spec
    with pytest.raises(pypod.ManifestError, match=r"metadata\.name: is required"):
        Pod.from_manifest(text.replace("generateName: shop-", ""))
