"""The values that describe a pod: what they take, and what follows from them."""

from __future__ import annotations

import dataclasses

import pytest

from pypod.model.spec import (
    Container,
    ContainerPort,
    EmptyDir,
    HostPath,
    HostPathType,
    Medium,
    PodSpec,
    PullPolicy,
    Volume,
    VolumeMount,
    default_pull_policy,
)

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
    assert container.env == {"A": "1"}
    with pytest.raises(TypeError):
        container.env["A"] = "3"  # type: ignore[index]
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
