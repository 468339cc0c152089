"""The values that describe a pod: what they take, and what follows from them."""

from __future__ import annotations

import dataclasses
import re
from typing import Any, cast

import pytest

from pypod.model.spec.handlers import (
    ExecAction,
    Hook,
    HTTPGetAction,
    Lifecycle,
    Probe,
    Scheme,
    SleepAction,
    TCPSocketAction,
)
from pypod.model.spec.pod import (
    Container,
    ContainerPort,
    EmptyDir,
    EnvVar,
    HostPath,
    HostPathType,
    Medium,
    MessagePolicy,
    PodSpec,
    PullPolicy,
    RestartPolicy,
    Volume,
    VolumeMount,
    default_pull_policy,
)
from pypod.model.spec.resources import Resources

DIGEST = "sha256:" + "a" * 64
PULL_POLICIES = [  # Kubernetes: pkg/apis/core/v1/defaults.go, SetDefaults_Container
    ("nginx", "Always"),
    ("registry.local:5000/nginx:1", "IfNotPresent"),
    (f"nginx:latest@{DIGEST}", "Always"),
    (f"nginx:1.25@{DIGEST}", "IfNotPresent"),
    ("registry.local:5000/nginx", "Always"),
    (f"nginx@{DIGEST}", "IfNotPresent"),
    ("nginx:latest", "Always"),
]


def test_every_pull_policy_case_is_here() -> None:
    assert len(PULL_POLICIES) == 7


@pytest.mark.parametrize(("image", "policy"), PULL_POLICIES)
def test_default_pull_policy_is_kubernetes(image: str, policy: str) -> None:
    assert default_pull_policy(image) is PullPolicy(policy)
    assert Container("a", image).pull_policy is PullPolicy(policy)


def test_a_given_pull_policy_holds() -> None:
    assert Container("a", "nginx", image_pull_policy="Never").pull_policy is PullPolicy.NEVER
    with pytest.raises(ValueError, match="Sometimes"):
        Container("a", "nginx", image_pull_policy="Sometimes")


def test_container_takes_short_forms() -> None:
    container = Container(
        "a", "b", command=["x"], ports=[80, ContainerPort(53, protocol="UDP")], mounts={"v": "/v"}
    )
    assert container.command == ("x",)
    assert container.ports == (ContainerPort(80), ContainerPort(53, protocol="UDP"))
    assert container.mounts == (VolumeMount("v", "/v"),)


@pytest.mark.parametrize("field", ["command", "args"])
def test_a_command_line_in_one_string_is_refused(field: str) -> None:
    with pytest.raises(TypeError, match=f"cannot take {field}='sleep 1' of container 'a'"):
        Container("a", "b", **{field: "sleep 1"})  # type: ignore[arg-type]


def test_container_is_frozen_and_does_not_follow_its_makers_dict() -> None:
    env = {"A": "1"}
    container = Container("a", "b", env=env)
    env["A"] = "2"
    assert container.env == (EnvVar("A", "1"),)
    with pytest.raises(dataclasses.FrozenInstanceError):
        container.name = "c"  # type: ignore[misc]


def test_equal_containers_are_equal_and_hash() -> None:
    assert Container("a", "b", env={"A": "1"}) == Container("a", "b", env={"A": "1"})
    assert hash(Container("a", "b", env={"A": "1"})) == hash(Container("a", "b", env={"A": "1"}))
    assert Container("a", "b", env={"A": "1"}) != Container("a", "b", env={"A": "2"})


def test_volumes() -> None:
    assert Volume.empty_dir("a", medium="Memory", size_limit=1) == Volume("a", EmptyDir(Medium.MEMORY, 1))
    assert Volume.host_path("a", "/b", type="DirectoryOrCreate") == Volume(
        "a", HostPath("/b", HostPathType.DIRECTORY_OR_CREATE)
    )
    with pytest.raises(ValueError, match="Tape"):
        Volume.empty_dir("a", medium="Tape")


@pytest.mark.parametrize(
    ("name", "hostname", "effective"),
    [
        ("web", "", "web"),
        ("web", "other", "other"),
        ("a" * 70, "", "a" * 63),
        ("a" * 62 + ".b", "", "a" * 62),
    ],
)
def test_hostname_is_the_name_cut_to_what_a_kernel_takes(name: str, hostname: str, effective: str) -> None:
    assert PodSpec(name, (), hostname=hostname).effective_hostname == effective


def test_container_by_name() -> None:
    spec = PodSpec("p", (Container("a", "b"),))
    assert spec.container("a").image == "b"
    with pytest.raises(KeyError):
        spec.container("z")
    assert spec.full_name == "default/p"


def test_init_containers_start_first_and_sidecars_are_those_that_stay() -> None:
    side = Container("s", "x", restart_policy="Always")
    spec = PodSpec("p", (Container("a", "x"),), init_containers=(Container("i", "x"), side))
    assert [each.name for each in spec.all_containers] == ["i", "s", "a"]
    assert spec.sidecars == (side,)
    assert spec.container("s") is side


def test_words_of_a_container_become_values() -> None:
    container = Container(
        "a", "b", restart_policy="OnFailure", termination_message_policy="FallbackToLogsOnError"
    )
    assert container.restart_policy is RestartPolicy.ON_FAILURE
    assert container.termination_message_policy is MessagePolicy.FALLBACK_TO_LOGS_ON_ERROR
    assert (container.lifecycle, container.resources) == (Lifecycle(), Resources())
    assert (container.termination_message_path, container.startup_probe) == ("", None)


def test_probes_and_hooks_have_short_forms() -> None:
    get = HTTPGetAction("web", "/", "", Scheme.HTTPS, (("A", "1"), ("A", "2")))
    assert Probe.http_get("", port="web", scheme="HTTPS", headers=[("A", "1"), ("A", "2")]) == Probe(get)
    assert Hook.http_get(port=80, headers={"A": "1"}) == HTTPGetAction(80, http_headers=(("A", "1"),))
    assert Hook.exec(["a"]) == ExecAction(("a",))
    assert Hook.tcp_socket(80, host="h") == TCPSocketAction(80, "h")
    assert Hook.sleep(0.5) == SleepAction(0.5)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Probe.exec("sleep 1"), TypeError, "cannot take command='sleep 1' of a probe or hook"),
        (lambda: Hook.exec(cast("Any", 5)), TypeError, "cannot take command=5 of a probe or hook"),
        (lambda: Probe.http_get(port=80, scheme="ftp"), ValueError, "cannot take scheme='ftp': 'HTTP' or 'HTTPS'"),
        (lambda: Probe.http_get(port=80, headers=cast("Any", 5)), TypeError, "cannot take headers=5: a mapping"),
        (lambda: Probe.http_get(port=80, headers=cast("Any", "A: 1")), TypeError, "cannot take headers='A: 1'"),
        (lambda: Probe.http_get(port=80, headers=cast("Any", [("A",)])), TypeError, "cannot take headers="),
    ],
)  # fmt: skip
def test_what_makes_no_probe_or_hook_says_which_argument(
    make: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=re.escape(message)):
        make()
