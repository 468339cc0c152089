"""What variables a container gets, whatever they are taken from; and what is said where that is not there."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import pytest

from pypod.model.hidden import Hidden, without
from pypod.model.rules import env_files
from pypod.model.spec.object_references import Objects
from pypod.model.spec.objects import ConfigMap, Secret
from pypod.model.spec.pod import (
    ConfigMapEnvSource,
    ConfigMapKeyRef,
    Container,
    EnvFrom,
    EnvVar,
    FieldRef,
    FileKeyRef,
    PodSpec,
    ResourceFieldRef,
    SecretEnvSource,
    SecretKeyRef,
    Template,
)
from pypod.model.spec.resources import Resources
from pypod.model.wiring.environment import (
    ConfigError,
    Surroundings,
    environment,
    hidden_words,
    needs_address,
    path_of,
    surroundings_of,
)
from tests.unit import pods

SETTINGS = ConfigMap("settings", {"A": "from-map", "level": "3", "nul": "a\0b", "long": "x" * 70_000})
DB = Secret("db", {"password": b"swordfish", "A": b"from-secret", "binary": b"\xff", "empty": b""})
SAFE = Secret("safe", {"token": b"t0k"})
HERE = Objects(
    "default", {(each.kind, each.name): each for each in (SETTINGS, DB, SAFE, ConfigMap("plain", {"B": "b"}))}
)
SPEC = PodSpec(
    "shop",
    (
        Container("web", "nginx:1"),
        Container("log", "busybox:1", resources=Resources(limits={"cpu": "1500m"})),
    ),
    labels=MappingProxyType({"app": "shop"}),
    annotations=MappingProxyType({"note": "two\nlines"}),
    service_account_name="robot",
)
SEEN = replace(
    pods.seen(pods.pause(gateways={pods.NETWORK.id: "10.214.0.1"})),
    node_name="engine",
    node_cpus=4,
    node_memory=8 * 2**30,
    objects=HERE,
)


def around(spec: PodSpec = SPEC, objects: Objects = HERE) -> Surroundings:
    return surroundings_of(spec, replace(SEEN, objects=objects))


def got(env: Any = None, env_from: Any = (), **fields: Any) -> dict[str, str]:
    return environment(Container("web", "nginx:1", env=env, env_from=env_from, **fields), around())


def refused(env: Any = None, env_from: Any = (), objects: Objects = HERE, **fields: Any) -> tuple[str, str]:
    """What a container waits for, and the field that asks for it."""
    with pytest.raises(ConfigError) as caught:
        environment(Container("web", "nginx:1", env=env, env_from=env_from, **fields), around(SPEC, objects))
    return str(caught.value), caught.value.path


def settings(key: str, *, optional: bool = False) -> ConfigMapKeyRef:
    return ConfigMapKeyRef("settings", key, optional)


FIELDS = [
    ("metadata.name", "shop"),
    ("metadata.namespace", "default"),
    ("metadata.uid", "0123456789abcdef"),
    ("metadata.labels['app']", "shop"),
    ("metadata.labels['none']", ""),
    ("metadata.annotations['note']", "two\nlines"),
    ("spec.nodeName", "engine"),
    ("spec.serviceAccountName", "robot"),
    ("status.podIP", "10.214.0.2"),
    ("status.podIPs", "10.214.0.2"),
    ("status.hostIP", "10.214.0.1"),
    ("status.hostIPs", "10.214.0.1"),
]


@pytest.mark.parametrize(("path", "value"), FIELDS)
def test_fields_of_the_pod(path: str, value: str) -> None:
    assert got({"A": FieldRef(path)}) == {"A": value}


@pytest.mark.parametrize(("path", "value"), FIELDS)
def test_an_address_is_what_only_a_sandbox_has(path: str, value: str) -> None:
    needs = needs_address(Container("web", "nginx:1", env={"A": FieldRef(path)}))
    assert needs == path.startswith("status.")


def test_a_pod_without_a_sandbox_has_no_address() -> None:
    nothing = surroundings_of(SPEC, replace(SEEN, pauses=()))
    both = {"A": FieldRef("status.podIP"), "B": FieldRef("status.hostIPs")}
    assert environment(Container("web", "nginx:1", env=both), nothing) == {"A": "", "B": ""}


RESOURCES: list[tuple[dict[str, Any], ResourceFieldRef, str]] = [
    ({}, ResourceFieldRef("limits.cpu"), "4"),
    ({}, ResourceFieldRef("limits.cpu", divisor="1m"), "4000"),
    ({}, ResourceFieldRef("limits.memory", divisor="1Gi"), "8"),
    ({}, ResourceFieldRef("requests.memory"), "0"),
    ({}, ResourceFieldRef("limits.cpu", "log"), "2"),
    ({}, ResourceFieldRef("requests.cpu", "log", "1m"), "1500"),
    ({"limits": {"memory": "100M"}}, ResourceFieldRef("requests.memory", divisor="1Mi"), "96"),
    ({"limits": {"memory": "64Mi"}, "requests": {"memory": "32Mi"}}, ResourceFieldRef("requests.memory"), "33554432"),
    ({"limits": {"ephemeral-storage": "1Gi"}}, ResourceFieldRef("requests.ephemeral-storage", divisor="1Mi"), "1024"),
    ({"requests": {"hugepages-2Mi": "4Mi"}}, ResourceFieldRef("requests.hugepages-2Mi"), "4194304"),
]  # fmt: skip


@pytest.mark.parametrize(("resources", "source", "value"), RESOURCES, ids=range(len(RESOURCES)))
def test_resources(resources: dict[str, Any], source: ResourceFieldRef, value: str) -> None:
    assert got({"A": source}, resources=Resources(**resources)) == {"A": value}


def test_a_limit_of_the_pod_bounds_each_container() -> None:
    spec = replace(SPEC, resources=Resources(limits={"cpu": 2}))
    container = Container("web", "nginx:1", env={"A": ResourceFieldRef("limits.cpu")})
    assert environment(container, around(spec)) == {"A": "2"}


def test_single_values_of_objects() -> None:
    found = got(
        {"LEVEL": settings("level"), "PW": SecretKeyRef("db", "password"), "E": SecretKeyRef("db", "empty")}
    )
    assert found == {"LEVEL": "3", "PW": "swordfish", "E": ""}


def test_whole_objects_with_and_without_a_prefix() -> None:
    found = got(env_from=[EnvFrom(ConfigMapEnvSource("plain"), "X_"), SecretEnvSource("safe")])
    assert found == {"X_B": "b", "token": "t0k"}


def test_what_wins() -> None:
    """Later sources of envFrom, then env, then the later of two with one name."""
    plain = [EnvFrom(ConfigMapEnvSource("plain"), "A_"), EnvFrom(SecretEnvSource("safe"), "A_")]
    assert got([EnvVar("A_B", "mine")], plain) == {"A_B": "mine", "A_token": "t0k"}
    maps = Objects("default", {("ConfigMap", name): ConfigMap(name, {"K": name}) for name in ("one", "two")})
    both = Container("web", "nginx:1", env_from=[ConfigMapEnvSource("one"), ConfigMapEnvSource("two")])
    assert environment(both, around(SPEC, maps)) == {"K": "two"}
    twice = replace(both, env=(EnvVar("K", "x"), EnvVar("K", Template("$(K)y"))))
    assert environment(twice, around(SPEC, maps)) == {"K": "xy"}


def test_references_see_what_is_there_before() -> None:
    env = [
        EnvVar("EARLY", Template("$(LATE)-$(PATH)-$(X_B)")),
        EnvVar("LATE", value_from=FieldRef("metadata.name")),
        EnvVar("BOTH", Template("$(LATE):$(LEVEL)$$(LATE)")),
        EnvVar("LEVEL", value_from=settings("level")),
        EnvVar("PLAIN", "$(LATE)"),
    ]
    assert got(env, [EnvFrom(ConfigMapEnvSource("plain"), "X_")]) == {
        "X_B": "b",
        "EARLY": "$(LATE)-$(PATH)-b",
        "LATE": "shop",
        "BOTH": "shop:$(LEVEL)$(LATE)",
        "LEVEL": "3",
        "PLAIN": "$(LATE)",
    }


def test_a_value_that_is_taken_from_somewhere_is_not_expanded() -> None:
    tricky = Objects("default", {("ConfigMap", "m"): ConfigMap("m", {"k": "$(A)$$"})})
    container = Container(
        "web", "nginx:1", env=[EnvVar("A", "a"), EnvVar("B", value_from=ConfigMapKeyRef("m", "k"))]
    )
    assert environment(container, around(SPEC, tricky)) == {"A": "a", "B": "$(A)$$"}


MISSING: list[tuple[Any, Any, str, str]] = [
    ({"A": SecretKeyRef("none", "k")}, (), 'secret "none" not found', "env[0].valueFrom.secretKeyRef"),
    ({"A": ConfigMapKeyRef("none", "k")}, (), 'configmap "none" not found', "env[0].valueFrom.configMapKeyRef"),
    ({"A": "x", "B": SecretKeyRef("db", "k")}, (), "couldn't find key k in Secret default/db", "env[1].valueFrom.secretKeyRef"),
    ({"A": settings("k")}, (), "couldn't find key k in ConfigMap default/settings", "env[0].valueFrom.configMapKeyRef"),
    ({}, [ConfigMapEnvSource("plain"), SecretEnvSource("none")], 'secret "none" not found', "envFrom[1].secretRef"),
    ({}, [ConfigMapEnvSource("none")], 'configmap "none" not found', "envFrom[0].configMapRef"),
    ({"A": settings("nul")}, (), "key nul in ConfigMap default/settings cannot be a variable: it has a NUL character in it; mount the ConfigMap as a volume instead", "env[0].valueFrom.configMapKeyRef"),
    ({"A": SecretKeyRef("db", "binary")}, (), "key binary in Secret default/db cannot be a variable: it is not UTF-8; mount the Secret as a volume instead", "env[0].valueFrom.secretKeyRef"),
    ({}, [SecretEnvSource("db")], "key binary in Secret default/db cannot be a variable: it is not UTF-8; mount the Secret as a volume instead", "envFrom[0].secretRef"),
    ({"A": settings("long"), "B": Template("$(A)$(A)")}, (), "the variable B cannot be set: its value is longer than 131072 bytes with its references expanded", "env[1].value"),
]  # fmt: skip


@pytest.mark.parametrize(("env", "env_from", "message", "path"), MISSING, ids=range(len(MISSING)))
def test_what_a_container_waits_for(env: Any, env_from: Any, message: str, path: str) -> None:
    assert refused(env, env_from) == (message, f"spec.containers[0].{path}")


def test_a_command_that_becomes_too_long() -> None:
    found = refused({"A": settings("long")}, args=["x", Template("$(A)$(A)")])
    assert found == (
        "a word of its args is longer than 131072 bytes with its references expanded",
        "spec.containers[0].args",
    )


def test_what_is_optional_is_not_set_at_all() -> None:
    env = [
        EnvVar("A", "kept"),
        EnvVar("A", value_from=settings("none", optional=True)),
        EnvVar("B", value_from=SecretKeyRef("none", "k", optional=True)),
        EnvVar("C", Template("$(B)")),
    ]
    sources = [ConfigMapEnvSource("none", optional=True), SecretEnvSource("none", optional=True)]
    assert got(env, sources) == {"A": "kept", "C": "$(B)"}


def test_optional_does_not_make_an_impossible_value_possible() -> None:
    assert refused({"A": SecretKeyRef("db", "binary", optional=True)})[0].startswith("key binary in Secret")


def test_an_object_that_is_there_and_cannot_be_read_is_waited_for_even_where_it_is_optional() -> None:
    broken = Objects("default", {}, {("Secret", "db"): "its values are gone", ("ConfigMap", "m"): "broken"})
    assert refused({"A": SecretKeyRef("db", "k", optional=True)}, objects=broken)[0] == "its values are gone"
    assert refused(env_from=[ConfigMapEnvSource("m", optional=True)], objects=broken)[0] == "broken"
    assert (
        refused(env_from=[SecretEnvSource("db", optional=True)], objects=broken)[0] == "its values are gone"
    )
    assert refused({"A": ConfigMapKeyRef("m", "k", optional=True)}, objects=broken)[0] == "broken"


def test_where_a_container_stands() -> None:
    init = Container("first", "x")
    spec = replace(SPEC, init_containers=(init,))
    assert path_of(spec, init) == "spec.initContainers[0]"
    assert path_of(spec, SPEC.containers[1]) == "spec.containers[1]"
    assert path_of(spec, Container("debugger", "x")) == "spec.ephemeralContainers[0]"


# --- files ---------------------------------------------------------------------------------------------------------------

FILES: list[tuple[str, dict[str, str]]] = [
    ("DB_ADDRESS='address'\n", {"DB_ADDRESS": "address"}),
    ("\n  # comment='x'\n A = 'a # b' \n\tB='$(A) \\n \"'", {"A": "a # b", "B": '$(A) \\n "'}),
    ("M='line1\nline2'\r\nE=''\nM='second'\n", {"M": "line1\nline2", "E": ""}),
    ("", {}),
]


@pytest.mark.parametrize(("text", "found"), FILES, ids=range(len(FILES)))
def test_files_with_variables(text: str, found: dict[str, str]) -> None:
    assert env_files.parse(text.encode()) == found


NO_FILES = ["A=x", 'A="x"', "A='x''y'", "A='x'$B", "A='x", "A", "='x'", "A='x' # no", "export A='x'"]


@pytest.mark.parametrize("text", NO_FILES)
def test_what_is_no_file_with_variables(text: str) -> None:
    with pytest.raises(
        ValueError, match=r"^line 2 is not NAME='value', with single quotes around the value$"
    ):
        env_files.parse(f"\n{text}\nB='b'\n".encode())


@pytest.mark.parametrize(
    ("data", "why"), [(b"\xff", "it is not UTF-8"), (b" " * 2**20, "it has more than 1048576 bytes")]
)
def test_files_that_are_not_read(data: bytes, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        env_files.parse(data)


@pytest.mark.parametrize("text", ["A='" * 50_000, " " * 500_000, "#" * 500_000, "A ='" + "\n" * 500_000])
def test_hostile_files_cost_little(text: str) -> None:
    with contextlib.suppress(ValueError):
        env_files.parse(text.encode())


def filed(source: FileKeyRef, **files: bytes) -> dict[str, str]:
    there = {("v", path): data for path, data in files.items()}
    return environment(Container("web", "nginx:1", env={"A": source}), replace(around(), files=there))


def test_variables_of_files() -> None:
    assert filed(FileKeyRef("v", "f", "K"), f=b"K='v'") == {"A": "v"}
    assert filed(FileKeyRef("v", "f", "K", optional=True)) == {}
    assert filed(FileKeyRef("v", "f", "K", optional=True), f=b"X='v'") == {}
    for files, words in (
        ({}, 'file "f" not found in volume "v"'),
        ({"f": b"X='v'"}, 'environment variable key "K" not found in file "f"'),
        ({"f": b"K=v"}, """couldn't parse env file "f": line 1 is not NAME='value'"""),
    ):
        with pytest.raises(ConfigError) as caught:
            filed(FileKeyRef("v", "f", "K"), **files)
        assert str(caught.value).startswith(words)
        assert caught.value.path == "spec.containers[0].env[0].valueFrom.fileKeyRef"


# --- secrets ------------------------------------------------------------------------------------------------------------


def test_what_a_secret_goes_into_is_hidden_from_people() -> None:
    env = [
        EnvVar("PW", value_from=SecretKeyRef("db", "password")),
        EnvVar("URL", Template("postgres://ada:$(PW)@db")),
        EnvVar("COPY", Template("$(URL)")),
        EnvVar("HOST", "db"),
    ]
    found = got(env, [EnvFrom(SecretEnvSource("safe"))])
    assert found["COPY"] == "postgres://ada:swordfish@db"
    assert {name for name, value in found.items() if isinstance(value, Hidden)} == {
        "token",
        "PW",
        "URL",
        "COPY",
    }
    shown = repr(found)
    assert "swordfish" not in shown
    assert "t0k" not in shown
    assert "'HOST': 'db'" in shown


def test_the_words_that_a_secret_goes_into() -> None:
    env: dict[str, Any] = {"PW": SecretKeyRef("db", "password"), "HOST": "db"}
    container = Container(
        "web", "x", command=["run", Template("--pw=$(PW)")], args=[Template("$(HOST)")], env=env
    )
    assert hidden_words(container, around()) == ("--pw=swordfish",)
    assert hidden_words(replace(container, env=(EnvVar("HOST", "db"),)), around()) == ()
    assert hidden_words(container, around(SPEC, Objects())) == ()


def test_hiding() -> None:
    assert without("a --pw=x --pw=xy b", ["--pw=x", "--pw=xy", ""]) == "a <hidden> <hidden> b"
