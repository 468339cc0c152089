"""Runs with pytest-xdist: each worker has its own pods, and one pod is shared by all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import docker
import pytest

import pypod
from tests.plugin.suites import Suite

VANISHING = 60.0
"""Seconds until nothing is left of what was killed. xdist's workers have 5 of them: so long their execnet waits when the controller
is gone. The rest is the background program's."""
AT_ONCE = 20.0
"""Seconds for the engine's lists to tell of what is gone, on a busy machine."""

SHARED = """
database = pod_fixture(
    pod_of("database", member("one", "sh", "-c", "while true; do echo hello | nc -l -p 8080; done"), member("two")),
    scope="session", shared=True,
)
web = pod_fixture(pod_of("web"))
"""
NEVER_READY = """
database = pod_fixture(
    pod_of("database", member("one", readiness_probe=Probe.exec(["false"]))), scope="session", shared=True,
)

@pytest.fixture(scope="session")
def begins():
    tell(f"begins-{WORKER}")
"""

MakeSuite = Callable[[Mapping[str, str]], Suite]


@pytest.fixture
def make_suite(tmp_path: Path, client: docker.DockerClient, state_home: Path) -> MakeSuite:
    """Writes a suite in a folder of this test."""
    return lambda files: Suite(tmp_path / "suite", files, client.api)


ALL_AT_ONCE = """
from suite import *

@pytest.mark.parametrize("n", range(4))
def test_it(database, web, pypod_namespace, n):
    tell(f"arrived-{WORKER}", uid=database.uid, namespace=pypod_namespace, mine=f"{web.namespace}/{web.name}")
    for each in range(4):
        hold(f"arrived-gw{each}")
    full_name = f"{database.name}.{database.namespace}.pod.cluster.local"
    assert web.exec(["ping", "-c", "1", "-W", "5", full_name]).exit_code == 0
    assert database.exec(["true"]).exit_code == 0
"""


def test_four_workers_share_one_pod_and_have_each_their_own(make_suite: MakeSuite) -> None:
    suite = make_suite({"conftest.py": SHARED, "test_it.py": ALL_AT_ONCE})
    with suite.run("-n", "4") as run:
        arrived = [run.told(f"arrived-gw{n}") for n in range(4)]
        run.passes()
    assert len({each["uid"] for each in arrived}) == 1
    assert [each["mine"] for each in arrived] == [f"{each['namespace']}/web" for each in arrived]
    assert len({each["namespace"] for each in arrived}) == 4
    suite.nothing_is_left(AT_ONCE)


PLAIN = """
from suite import *

def test_first(database, pypod_namespace):
    assert database.namespace == pypod_namespace
    tell("first", uid=database.uid)

def test_second(database):
    tell("second", uid=database.uid)
"""


def test_without_workers_it_is_a_pod_of_the_session(make_suite: MakeSuite) -> None:
    suite = make_suite({"conftest.py": SHARED, "test_it.py": PLAIN})
    with suite.run("-n", "0") as run:
        run.passes()
        assert run.told("first")["uid"] == run.told("second")["uid"]
    suite.nothing_is_left(AT_ONCE)


CRASHES = """
broken = pod_fixture(
    # Without a probe it is ready while it runs, which on a slow machine is seen.
    pod_of(
        "broken",
        member("one", "sh", "-c", "echo the disk is full; exit 3", readiness_probe=Probe.tcp_socket(80)),
        restart_policy="Never",
    ),
    scope="session", shared=True, timeout=30,
)
"""
USE_TWICE = """
from suite import *

@pytest.mark.parametrize("n", range(2))
def test_it(broken, n):
    pass
"""


def test_a_shared_pod_that_cannot_start_fails_every_worker_with_the_reason(make_suite: MakeSuite) -> None:
    suite = make_suite({"conftest.py": CRASHES, "test_it.py": USE_TWICE})
    with suite.run("-n", "2") as run:
        assert run.wait() == 1
        assert "2 errors" in run.output
        for each in (
            "E   pypod.pytest.sharing.SharedStartError: cannot start pod",
            "Log, its last 1 line(s):",
        ):
            assert run.output.count(each) == 2
    suite.nothing_is_left(AT_ONCE)


ONE_FAILS = """
from suite import *

def test_first(database):
    tell("first", namespace=database.namespace)
    assert False

def test_second(database):
    pass
"""


def test_a_shared_pod_that_a_failed_test_used_is_in_its_report_and_kept(make_suite: MakeSuite) -> None:
    suite = make_suite({"conftest.py": SHARED, "test_it.py": ONE_FAILS})
    with suite.run("-n", "2", "--pypod-keep=failed", "--pypod-leaks=fail") as run:
        assert run.wait() == 1
        namespace = run.told("first")["namespace"]
        assert "pods that were kept" in run.output
        assert run.output.count(f"{namespace}/database: a test that used it failed") == 1
        assert "left on the engine" not in run.output
        assert run.output.count("---- pod database ----") == 1
        assert "--host" not in run.output  # it is the engine that the command takes by itself
    pypod.get("database", namespace).stop(grace=0)
    suite.nothing_is_left(AT_ONCE)


# --- whatever is killed ----------------------------------------------------------------------------------------------

IN_THE_MIDDLE = """
from suite import *

@pytest.mark.parametrize("n", range(2))
def test_it(database, web, n):
    tell(f"arrived-{WORKER}", uid=database.uid)
    hold("go on")
"""


def test_a_worker_that_is_killed_is_replaced_and_gets_the_same_pod(make_suite: MakeSuite) -> None:
    suite = make_suite({"conftest.py": SHARED, "test_it.py": FIRST_WORKERS_WAIT})
    with suite.run("-n", "2", "--max-worker-restart", "1") as run:
        first, second = run.told("arrived-gw0"), run.told("arrived-gw1")
        run.kill_worker(first["pid"])
        third = run.told("arrived-gw2")
        suite.go_on("go on")
        assert run.wait() == 1
        assert "worker 'gw0' crashed" in run.output
    assert first["uid"] == second["uid"] == third["uid"]
    suite.nothing_is_left(VANISHING)


FIRST_WORKERS_WAIT = """
from suite import *

@pytest.mark.parametrize("n", range(8))
def test_it(database, n):
    tell(f"arrived-{WORKER}", uid=database.uid)
    if WORKER in ("gw0", "gw1"):
        hold("go on")
"""


ALONE, WORKERS = ["-p", "no:xdist"], ["-n", "2"]


@pytest.mark.parametrize(
    ("words", "how"),
    [(ALONE, "kill"), (WORKERS, "kill"), (WORKERS, "kill_group"), (WORKERS, "interrupt")],
    ids=["pytest", "controller", "group", "Ctrl-C"],
)
def test_nothing_is_left_whatever_is_killed_in_the_middle(
    make_suite: MakeSuite, words: list[str], how: str
) -> None:
    """After kill -9 of the controller its workers go on for a while; they end when they see that it is gone."""
    suite = make_suite({"conftest.py": SHARED, "test_it.py": IN_THE_MIDDLE})
    with suite.run(*words) as run:
        for worker in ("gw0", "gw1") if words == WORKERS else ("main",):
            run.told(f"arrived-{worker}")
        getattr(run, how)()
        run.wait()
        suite.nothing_is_left(VANISHING)


WAITS = """
from suite import *

@pytest.mark.parametrize("n", range(2))
def test_it(begins, database, n):
    tell("never")
"""


@pytest.mark.parametrize("words", [ALONE, WORKERS], ids=["pytest", "controller"])
def test_ctrl_c_while_a_shared_pod_starts(make_suite: MakeSuite, words: list[str]) -> None:
    suite = make_suite({"conftest.py": NEVER_READY, "test_it.py": WAITS})
    with suite.run(*words) as run:
        for worker in ("gw0", "gw1") if words == WORKERS else ("main",):
            run.told(f"begins-{worker}")
        suite.something_runs()
        run.interrupt()
        assert run.wait() == pytest.ExitCode.INTERRUPTED
        suite.nothing_is_left(AT_ONCE)
    assert not (suite.said / "never").exists()
