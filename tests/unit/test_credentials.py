"""Which credentials go with an image: of the Secrets that a pod names, by registry and path."""

from __future__ import annotations

import base64
import json

import pytest

from pypod.model.spec.object_references import Objects
from pypod.model.spec.objects import DOCKER_CFG, DOCKER_CONFIG_JSON, Secret
from pypod.model.spec.pod import Container, PodSpec
from pypod.model.wiring.credentials import Login, logins, unusable
from pypod.model.wiring.referring import references_of


def config(auths: object, name: str = "s", *, old: bool = False) -> Secret:
    if old:
        return Secret(name, {".dockercfg": json.dumps(auths).encode()}, type=DOCKER_CFG)
    return Secret(name, {".dockerconfigjson": json.dumps({"auths": auths}).encode()}, type=DOCKER_CONFIG_JSON)


def entry(user: str, password: str = "p") -> dict[str, str]:
    return {"username": user, "password": password}


def found(image: str, *secrets: Secret, names: tuple[str, ...] = ()) -> list[str]:
    """The users that are tried, in that order."""
    spec = PodSpec("a", (Container("a", image),), image_pull_secrets=names or tuple(s.name for s in secrets))
    objects = Objects(found={("Secret", secret.name): secret for secret in secrets})
    return [login.username for login in logins(image, spec, objects)]


MATCHES = [
    ("https://index.docker.io/v1/", "nginx"),
    ("index.docker.io", "library/nginx:1"),
    ("https://index.docker.io/v2/", "docker.io/library/nginx"),
    ("docker.io", "me/app"),
    ("registry.example", "registry.example/app:1"),
    ("http://registry.example/v1/", "registry.example/a/b@sha256:" + "0" * 64),
    ("registry.example:5000", "registry.example:5000/app"),
    ("localhost", "localhost/app"),
    ("registry.example/team", "registry.example/team/app"),
    ("*.example", "registry.example/app"),
    ("*.*.example:5000/team", "eu.registry.example:5000/team/app"),
]
MISMATCHES = [
    ("index.docker.io", "registry.example/nginx"),
    ("registry.example", "other.example/app"),
    ("registry.example", "registry.example:5000/app"),
    ("registry.example:5000", "registry.example/app"),
    ("registry.example/team", "registry.example/other/app"),
    ("*.example", "eu.registry.example/app"),
    ("*", "registry.example/app"),
    ("[", "registry.example/app"),
    ("http://[", "registry.example/app"),
]


@pytest.mark.parametrize(("location", "image"), MATCHES)
def test_a_registry_matches(location: str, image: str) -> None:
    assert found(image, config({location: entry("u")})) == ["u"]
    assert found(image, config({location: entry("u")}, old=True)) == ["u"]


@pytest.mark.parametrize(("location", "image"), MISMATCHES)
def test_another_one_does_not(location: str, image: str) -> None:
    assert found(image, config({location: entry("u")})) == []


def test_every_match_is_tried_the_longest_path_first() -> None:
    one = config({"r.example": entry("all"), "r.example/team": entry("team"), "x.example": entry("x")}, "one")
    two = config({"r.example": entry("second")}, "two")
    assert found("r.example/team/app", one, two) == ["team", "all", "second"]
    assert found("r.example/app", two, one) == ["second", "all"]


def test_the_short_form_counts_before_the_long_one() -> None:
    def of(auth: str) -> list[Login]:
        spec = PodSpec("a", (Container("a", "r.example/a"),), image_pull_secrets=("s",))
        secret = config({"r.example": {**entry("old"), "auth": auth}})
        return list(logins("r.example/a", spec, Objects(found={("Secret", "s"): secret})))

    coded = base64.b64encode(b"user:pass:word").decode()
    assert of(coded) == [Login("user", "pass:word", "r.example")]
    assert of(base64.b64encode(b"nobody").decode()) == []
    assert of("%%%") == []


@pytest.mark.parametrize(
    "auths", [{}, [], "x", {"r.example": "x"}, {"r.example": {"username": 1}}, {"": entry("u")}]
)
def test_what_is_no_configuration_has_no_credentials(auths: object) -> None:
    assert found("r.example/a", config(auths)) == []


def test_what_is_missing_or_of_another_type_is_told_of() -> None:
    good = config({"r.example": entry("u")}, "good")
    opaque = Secret("opaque", {".dockerconfigjson": b"{}"})
    broken = Secret("broken", {".dockerconfigjson": b"{"}, type=DOCKER_CONFIG_JSON)
    spec = PodSpec(
        "a", (Container("a", "r.example/a"),), image_pull_secrets=("gone", "good", "opaque", "broken")
    )
    objects = Objects(found={("Secret", each.name): each for each in (good, opaque, broken)})
    assert unusable(spec, objects) == ["gone", "opaque", "broken"]
    assert [login.username for login in logins("r.example/a", spec, objects)] == ["u"]


def test_the_secrets_are_read_and_never_waited_for() -> None:
    spec = PodSpec("a", (Container("a", "x"),), image_pull_secrets=("one", "two"))
    references = references_of(spec)
    assert [(each.kind, each.name, each.optional) for each in references] == [
        ("Secret", "one", True),
        ("Secret", "two", True),
    ]
    assert Objects().missing(references) == []


def test_a_login_does_not_print_its_password() -> None:
    assert "hush" not in repr(Login("me", "hush", "r.example"))
