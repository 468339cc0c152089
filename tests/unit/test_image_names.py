"""Names that images can have, and what becomes of a container with another."""

from __future__ import annotations

import pytest

from pypod.model import image_names
from pypod.model.spec.pod import Container, PodSpec
from pypod.model.validation.validating import validate

GOOD = (
    "a",
    "nginx:1.27",
    "registry.local:5000/team/app:1",
    "[::1]:5000/a",
    "a@sha256:" + "0" * 64,
    "sha256:" + "0" * 64,
    "a__b/c-d.e:_x",
)
BAD = (
    "",
    "<your-private-image>",
    "a b",
    "Nginx",
    "a/B",
    "nginx:",
    "a//b",
    "nginx: 1",
    "a@sha256:0",
    "-a",
    "http://a/b",
    "../containers/x",
    "a?b=c",
    "a#b",
    "a" * 9999,
)


@pytest.mark.parametrize("name", GOOD)
def test_what_an_image_can_be_called(name: str) -> None:
    assert image_names.is_image_name(name)
    assert image_names.refusal(name) == ""


@pytest.mark.parametrize("name", BAD)
def test_what_it_cannot(name: str) -> None:
    assert not image_names.is_image_name(name)
    words = image_names.refusal(name)
    assert words.startswith(f'Failed to apply default image tag "{name}": ')
    assert "invalid reference format" in words


@pytest.mark.parametrize("name", BAD[1:])
def test_a_spec_may_have_any(name: str) -> None:
    """Kubernetes' API takes them: whoever runs the pod says what is wrong."""
    validate(PodSpec("p", containers=(Container("c", name),)))
