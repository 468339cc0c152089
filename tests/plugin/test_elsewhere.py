"""Runs that are not on the engine's machine: in a container with the engine's socket, as CI services have it, and with an engine
that is reached over TCP."""

from __future__ import annotations

import os
from pathlib import Path

import docker
import pytest

import pypod
from tests.contract.dockerd import cannot_run
from tests.images import BUSYBOX, TOOLS
from tests.integration import private_engine
from tests.integration.containers import SITE, Inside, binds
from tests.plugin.forwarding import forwarded
from tests.plugin.suites import PATIENCE, Suite

AT_ONCE = 20.0
PORT = 2375
PLUGINS = ("pytest", "_pytest", "py", "pluggy", "iniconfig", "packaging", "pygments", "xdist", "execnet")

SHARED = """
database = pod_fixture(
    pod_of("database", member("one", "sh", "-c", "while true; do echo hello | nc -l -p 8080; done")),
    scope="session", shared=True,
)
web = pod_fixture(pod_of("web"))
"""
TEST = """
from suite import *

@pytest.mark.parametrize("n", range(2))
def test_it(database, web, n):
    host, port = database.address(8080)
    deadline = time.monotonic() + 60
    said = ""
    while not said:  # it serves one at a time, and the other worker asks, too
        assert time.monotonic() < deadline
        with contextlib.suppress(OSError), socket.create_connection((host, port), timeout=5) as connection:
            said = connection.makefile().readline()
    assert said == "hello\\n"
    assert web.exec(["ping", "-c", "1", "-W", "5", f"database.{database.namespace}"]).exit_code == 0
    tell(f"used-{WORKER}", uid=database.uid, host=host)
    hold(f"used-gw{1 - int(WORKER[-1])}")
"""
FILES = {"conftest.py": SHARED, "test_it.py": TEST}


def test_in_a_container_with_the_engines_socket(
    tmp_path: Path, client: docker.DockerClient, state_home: Path
) -> None:
    suite = Suite(tmp_path / "suite", FILES, client.api)
    libraries = binds(pypod.connect(), *PLUGINS, distributions=("pypod", "pytest", "pluggy", "pytest-xdist"))
    made = client.containers.create(
        TOOLS,
        ["python3", "-m", "pytest", "-v", "-n", "2", "/suite"],
        environment={"PYTHONPATH": SITE, "PYTHONDONTWRITEBYTECODE": "1", "SUITE_SAID": "/suite/said"},
        volumes=[*libraries, f"{suite.folder}:/suite"],
        working_dir="/suite",
        network_mode="bridge",
    )
    try:
        made.start()
        program = Inside(client.api, str(made.id))
        assert program.wait(PATIENCE) == 0, program.output
    finally:
        made.remove(force=True, v=True)
    suite.nothing_is_left(AT_ONCE)
    first, second = suite.told("used-gw0"), suite.told("used-gw1")
    assert first["uid"] == second["uid"]
    assert first["host"] == "127.0.0.1"  # from there a pod's address does not route: the relay was taken


def test_on_an_engine_over_tcp(tmp_path: Path, client: docker.DockerClient, state_home: Path) -> None:
    if why := cannot_run():
        assert not os.environ.get("CI"), why
        pytest.skip(why)
    with private_engine.empty("-H", f"tcp://127.0.0.1:{PORT}", "--tls=false") as elsewhere:
        elsewhere.load(client.api, BUSYBOX)
        suite = Suite(tmp_path / "suite", FILES, elsewhere.raw)
        with forwarded(elsewhere.holder, PORT) as port:
            url = f"tcp://127.0.0.1:{port}"
            with suite.run("-n", "2", DOCKER_HOST=url, XDG_STATE_HOME=str(elsewhere.state)) as run:
                run.passes()
            suite.nothing_is_left(AT_ONCE)
    first, second = suite.told("used-gw0"), suite.told("used-gw1")
    assert first["uid"] == second["uid"]
    assert first["host"] == "127.0.0.1"
