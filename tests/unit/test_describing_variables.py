"""What `describe` says of variables: kubectl's words, and of Secrets no more than where they are."""

from __future__ import annotations

from typing import Any

import pytest

from pypod.describing.variables import describe_variables
from pypod.model.rules.downward import PodFacts
from pypod.model.spec.pod import (
    ConfigMapEnvSource,
    ConfigMapKeyRef,
    Container,
    EnvFrom,
    FieldRef,
    FileKeyRef,
    ResourceFieldRef,
    SecretEnvSource,
    SecretKeyRef,
    Template,
)
from pypod.model.spec.resources import Resources

FACTS = PodFacts("shop", "default", "u-1", {"app": "shop"}, {"note": "a\nb"}, "node", pod_ips=("10.0.0.2",))
RESOURCES = Resources(limits={"cpu": "1500m", "ephemeral-storage": "1Gi"}, requests={"memory": "64Mi"})

VALUES: list[tuple[Any, str]] = [
    ("plain $(X)", "plain $$(X)"),
    ("two\nlines", "two lines"),
    (Template("http://$(IP)"), "http://$(IP)"),
    (FieldRef("status.podIP"), "10.0.0.2 (v1:status.podIP)"),
    (FieldRef("status.hostIP"), "(v1:status.hostIP)"),
    (FieldRef("metadata.annotations['note']"), "a b (v1:metadata.annotations['note'])"),
    (ResourceFieldRef("limits.cpu"), "2 (limits.cpu)"),
    (ResourceFieldRef("limits.memory"), "node allocatable (limits.memory)"),
    (ResourceFieldRef("requests.memory", divisor="1Mi"), "64 (requests.memory)"),
    (ResourceFieldRef("limits.ephemeral-storage", divisor="1Mi"), "1024 (limits.ephemeral-storage)"),
    (ResourceFieldRef("limits.cpu", "other"), "(limits.cpu)"),
    (SecretKeyRef("db", "password"), "<set to the key 'password' in secret 'db'>  Optional: false"),
    (ConfigMapKeyRef("m", "k", optional=True), "<set to the key 'k' of config map 'm'>  Optional: true"),
    (FileKeyRef("v", "a/b", "K"), "<set to the variable 'K' of file 'a/b' of volume 'v'>  Optional: false"),
]


@pytest.mark.parametrize(("value", "words"), VALUES, ids=range(len(VALUES)))
def test_values(value: Any, words: str) -> None:
    container = Container("web", "x", env={"A": value}, resources=RESOURCES)
    assert describe_variables(container, FACTS) == ["    Environment:", f"      A:  {words}"]


def test_names_stand_in_a_column() -> None:
    sources: list[Any] = [
        EnvFrom(ConfigMapEnvSource("settings"), "APP_"),
        SecretEnvSource("db", optional=True),
    ]
    container = Container("web", "x", env={"A": "1", "LONG": "2"}, env_from=sources)
    assert describe_variables(container, FACTS) == [
        "    Environment Variables from:",
        "      settings  ConfigMap with prefix 'APP_'  Optional: false",
        "      db        Secret  Optional: true",
        "    Environment:",
        "      A:     1",
        "      LONG:  2",
    ]


def test_nothing() -> None:
    assert describe_variables(Container("web", "x"), FACTS) == ["    Environment:    <none>"]
