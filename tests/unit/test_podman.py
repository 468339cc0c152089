"""What is different in what is asked of Podman, and read from it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pypod.engine import docker_requests
from pypod.model.wiring.requests import ContainerRequest

MEMBER = ContainerRequest(name="a", image="busybox", labels={}, network_mode="container:pause")
INFO = {"ID": "made up", "Name": "vm", "DockerRootDir": "/data", "ServerVersion": "5.4.2"}


def uts(request: ContainerRequest, *, podman: bool) -> object:
    config: Any = docker_requests.container_config(request, podman=podman)
    return config["HostConfig"].get("UTSMode")


def test_a_member_has_the_pods_hostname_from_the_pause() -> None:
    assert uts(MEMBER, podman=True) == "container:pause"
    assert uts(MEMBER, podman=False) is None
    assert uts(replace(MEMBER, network_mode="net"), podman=True) is None


def test_it_is_known_by_its_answers() -> None:
    assert docker_requests.is_podman({"Components": [{"Name": "Podman Engine"}, {"Name": "Conmon"}]})
    assert not docker_requests.is_podman({"Components": [{"Name": "Engine"}]})
    assert not docker_requests.is_podman({"ApiVersion": "1.41"})


def test_its_id_is_the_same_each_time() -> None:
    podman = [
        docker_requests.engine_info({**INFO, "ID": each, "BuildahVersion": "1"}, "1.41") for each in "ab"
    ]
    assert {info.id for info in podman} == {"podman-vm-/data"}
    assert {info.product for info in podman} == {"Podman"}
    docker = docker_requests.engine_info(INFO, "1.41")
    assert (docker.id, docker.product) == ("made up", "Docker")
