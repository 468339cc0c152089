"""One suite with pods and with pytest-docker's compose services: each reaches the other by name, and nothing collides."""

from __future__ import annotations

import re
import secrets
import socket

from tests import compose, images
from tests.plugin.conftest import Suite

COMPOSE = """\
services:
  cache:
    image: {image}
    pull_policy: never
"""
CONFTEST = """
import pathlib

import pytest


@pytest.fixture(scope="session")
def docker_compose_command():
    return {program!r}


@pytest.fixture(scope="session")
def docker_compose_file():
    return str(pathlib.Path(__file__).with_name("compose.yaml"))


@pytest.fixture(scope="session")
def docker_compose_project_name():
    return {project!r}
"""
SUITE = """
import socket

import pypod.pytest
from pypod import Container, ContainerPort, Pod, Probe


@pypod.pytest.pod_fixture(scope="session")
def front(docker_services, docker_compose_project_name) -> Pod:
    # On its network only once that is there, and gone before it goes: docker_services is asked for.
    server = Container(
        "server",
        REDIS,
        ports=[ContainerPort(6379, host_port=NUMBER, host_ip="127.0.0.1")],
        readiness_probe=Probe.tcp_socket(6379),
    )
    return Pod("front", containers=[server], extra_networks=[f"{docker_compose_project_name}_default"])


def compose(docker_services, *words):
    return docker_services._docker_compose.execute("exec -T cache redis-cli " + " ".join(words)).decode().strip()


def test_the_pod_reaches_a_service_by_name(front, docker_services):
    assert compose(docker_services, "set", "who", "cache") == "OK"
    answer = front.exec(["redis-cli", "-h", "cache", "get", "who"], check=True)
    assert answer.stdout.strip() == "cache"


def test_a_service_reaches_the_pod_by_its_names(front, docker_services):
    assert front.exec(["redis-cli", "set", "who", "front"], check=True).stdout.strip() == "OK"
    for name in ("front", f"front.{front.namespace}"):
        assert compose(docker_services, "-h", name, "get", "who") == "front"


def asked(address):
    with socket.create_connection(address, timeout=30) as found, found.makefile("rb") as answer:
        found.sendall(b"GET who\\r\\n")
        return answer.readline() + answer.readline()


def test_docker_ip_and_address_lead_to_the_same_server(front, docker_ip):
    front.exec(["redis-cli", "set", "who", "both"], check=True)
    assert asked((docker_ip, NUMBER)) == asked(front.address(6379)) == b"$4\\r\\nboth\\r\\n"


def test_two_addresses(front, docker_compose_project_name, docker_services):
    there = front.status.extra_ips[f"{docker_compose_project_name}_default"]
    assert compose(docker_services, "-h", there, "ping") == "PONG"
    assert there != front.ip
"""


def test_one_suite_with_both(suite: Suite) -> None:
    project = f"pypod-test-{secrets.token_hex(4)}"
    with socket.create_server(("127.0.0.1", 0)) as free:
        number = free.getsockname()[1]
    suite.file("compose.yaml", COMPOSE.format(image=images.REDIS))
    suite.file("conftest.py", CONFTEST.format(program=str(compose.program()), project=project))
    suite.file("test_it.py", SUITE.replace("NUMBER", str(number)).replace("REDIS", repr(images.REDIS)))
    try:
        suite.run().assert_outcomes(passed=4)
        assert suite.left(containing=project) == [], "the network went after the pod, and with its project"
    finally:
        suite.compose_down(project)


OWNERS = {
    "pypod/pytest/": "pod_factory",
    "pytest_docker/": "docker_services",
    "pytest_docker_tools/": "docker_client",
}
"""Where a plugin's fixtures are, and one that it has."""


def test_no_fixture_has_the_name_of_one_of_theirs(suite: Suite) -> None:
    """pytest lists every fixture with the file that it is in: one that is there twice is listed twice."""
    listed = suite.pytester.runpytest_subprocess("--fixtures", "-v", "--color=no", timeout=60).stdout.str()
    found = re.findall(r"^([a-z_]\w*)(?: \[\w+ scope\])? -- (\S+):\d+$", listed, re.MULTILINE)
    names = {owner: {name for name, file in found if owner in file} for owner in OWNERS}
    for owner, one in OWNERS.items():
        assert one in names[owner]
    ours, *theirs = names.values()
    assert ours & set().union(*theirs) == set()
