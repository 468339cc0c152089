"""``--pypod-reuse``, in suites that pytest runs again and again on the real engine."""

from __future__ import annotations

import re
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import docker
import pytest

import pypod
from pypod.cli import main
from pypod.pytest import slots
from tests.images import BUSYBOX
from tests.plugin.conftest import PATIENCE, Suite

OPTIONS = ("--pypod-reuse", "--pypod-leaks=fail")
"""A pod that stays is no leak."""

SUITE = """
    import pathlib
    import pypod.pytest

    database = pypod.pytest.pod_fixture("database.yaml", scope="session")
    queue = pypod.pytest.pod_fixture("database.yaml", scope="module", name="queue", reuse=True)
    fresh = pypod.pytest.pod_fixture("database.yaml", scope="session", name="fresh", reuse=False)

    def note(*pods):
        with pathlib.Path("pods").open("a") as file:
            print(*(f"{pod.namespace}/{pod.name}/{pod.uid}" for pod in pods), file=file)

    def test_those_that_stay(database, queue):
        note(database, queue)

    def test_those_that_do_not(fresh, pod_factory):
        own = pod_factory("database.yaml")
        assert own.exec(["ping", "-c", "1", "-W", "5", "database"]).exit_code == 0
        note(fresh, own)
"""


class Reusing:
    """A suite with pods that stay, and what it noted of them: a list of ``namespace/name/uid`` for each test."""

    def __init__(self, suite: Suite) -> None:
        self.suite = suite
        suite.file("pytest.ini", "[pytest]\n")

    def run(self, *arguments: str, passed: int = 2) -> tuple[list[list[str]], str]:
        """The pods of this run, and what it said."""
        notes = self.suite.folder / "pods"
        notes.write_text("")
        result = self.suite.run(*OPTIONS, *arguments)
        result.assert_outcomes(passed=passed)
        return sorted(line.split() for line in notes.read_text().splitlines()), result.stdout.str()

    def remove(self, said: str) -> None:
        """By the commands that the run told."""
        commands = re.findall(r"^  pypod (down|delete) (.*)$", said, re.MULTILINE)
        assert commands
        for command, words in commands:
            assert main([command, *words.split()]) == 0


@pytest.fixture
def reusing(suite: Suite) -> Reusing:
    return Reusing(suite)


def test_the_next_run_finds_them_ready(reusing: Reusing) -> None:
    """Those of session scope, and those that ask for it; each has its own name, and a test's own pod has another one beside it."""
    reusing.suite.manifest("database")
    reusing.suite.file("test_it.py", SUITE)
    first, said = reusing.run()
    names = [[pod.split("/")[1] for pod in pods] for pods in first]
    assert names == [["database", "queue"], ["fresh", "database-2"]]
    assert re.findall(r"^(\S+): until \d\d:\d\d:\d\d, for (?:59m\d\d|60m00)s$", said, re.MULTILINE) == [
        pod.rpartition("/")[0] for pod in reversed(first[0])
    ]
    left = reusing.suite.left(0)
    assert [name for name in left if "fresh" in name or "database-2" in name] == []
    again, _ = reusing.run()
    assert again[0] == first[0]
    assert set(again[1]).isdisjoint(first[1])
    reusing.suite.run("--pypod-leaks=fail", "-k", "do_not").assert_outcomes(passed=1, deselected=1)
    assert set(left) <= set(reusing.suite.left(0)), "a run without the option leaves them alone"
    reusing.suite.manifest("database", "sleep 1001")
    other, said = reusing.run("-k", "that_stay", passed=1)
    assert set(other[0]).isdisjoint(first[0])
    assert said.count("started anew: its description has changed") == 2
    reusing.remove(said)


CONFIGURED = """
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {mode: MODE}
---
apiVersion: v1
kind: Pod
metadata: {name: database}
spec:
  containers:
  - name: app
    image: TAG
    imagePullPolicy: Never
    command: [sh, -c, "cat /conf/mode; exec sleep 1000"]
    volumeMounts: [{name: conf, mountPath: /conf}]
  volumes:
  - name: conf
    configMap: {name: settings}
"""


@pytest.fixture
def tag(client: docker.DockerClient) -> Iterator[str]:
    """A name of the test image, for this test alone."""
    name = f"pypod-test/reuse-{secrets.token_hex(4)}:1"
    client.api.tag(BUSYBOX, name)
    yield name
    client.api.remove_image(name)


def test_another_image_or_configuration_makes_another_pod(
    reusing: Reusing, client: docker.DockerClient, tag: str
) -> None:
    def configured(mode: str) -> None:
        reusing.suite.file("database.yaml", CONFIGURED.replace("MODE", mode).replace("TAG", tag))

    reusing.suite.file("test_it.py", SUITE)
    only = ("-k", "that_stay")
    configured("fast")
    first, _ = reusing.run(*only, passed=1)
    again, _ = reusing.run(*only, passed=1)
    assert again == first
    made = client.api.create_container(tag, command=["true"])["Id"]
    client.api.commit(made, repository=tag.removesuffix(":1"), tag="1")
    client.api.remove_container(made)
    built, said = reusing.run(*only, passed=1)
    assert set(built[0]).isdisjoint(first[0])
    assert said.count(f"started anew: container 'app' was made of what '{tag}' was then") == 2
    configured("slow")
    slow, said = reusing.run(*only, passed=1)
    assert set(slow[0]).isdisjoint(built[0])
    reusing.remove(said)
    assert reusing.suite.left() == [], "with what came with them"


WAITING = """
    import pathlib
    import time
    import pypod.pytest

    database = pypod.pytest.pod_fixture("database.yaml", scope="session")

    def test_it(database):
        deadline = time.monotonic() + 100
        pathlib.Path(f"in-{database.namespace}-{database.name}").touch()
        while not pathlib.Path("go").exists():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert database.refresh().ready_count == 1
"""


def begun(suite: Suite, *more: str) -> subprocess.Popen[str]:
    arguments = [sys.executable, "-m", "pytest", *suite.arguments(*OPTIONS, *more)]
    return subprocess.Popen(arguments, cwd=suite.folder, stdout=subprocess.PIPE, text=True)


def until(condition: Callable[[], object], timeout: float = PATIENCE) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.03)


def test_two_runs_at_once_have_each_their_own(reusing: Reusing) -> None:
    """The second one has a place of its own, in which its pods stay as well; a run that is killed leaves its place at once."""
    suite = reusing.suite
    suite.manifest("database")
    suite.file("test_it.py", WAITING)
    project = slots.project_id(suite.folder)
    with begun(suite) as first:
        until((suite.folder / f"in-pytest-reuse-{project}-main-database").exists)
        with begun(suite) as second:
            until((suite.folder / f"in-pytest-reuse2-{project}-main-database").exists)
            first.kill()
            first.wait(PATIENCE)
            (suite.folder / "go").touch()
            said, _ = second.communicate(timeout=PATIENCE)
            assert second.returncode == 0, said
    before = pypod.get("database", f"pytest-reuse-{project}-main")
    _, again = reusing.run(passed=1)
    assert pypod.get("database", before.namespace).uid == before.uid
    reusing.remove(said)
    reusing.remove(again)


def test_in_use_it_stays_and_after_that_its_time_goes_by(reusing: Reusing) -> None:
    suite = reusing.suite
    suite.manifest("database", "trap 'exit 0' TERM; while :; do sleep 0.05; done")
    suite.file("test_it.py", WAITING)
    for ttl in (4, 16):  # on a busy machine the time may be over before the run has its turn to put that off
        code, said = _in_use_for_longer_than(suite, ttl)
        if code == 0:
            break
    assert code == 0, said
    told = re.search(r"^\S+/database: until \d\d:\d\d:\d\d, for 0m(\d\d)s$", said, re.MULTILINE)
    assert told, said
    assert int(told[1]) <= ttl
    assert suite.left() == []


def _in_use_for_longer_than(suite: Suite, ttl: int) -> tuple[int, str]:
    """How a run ended that had a pod in use for longer than that would have lived, and what it said."""
    begins = suite.folder / f"in-pytest-reuse-{slots.project_id(suite.folder)}-main-database"
    go = suite.folder / "go"
    for each in (begins, go):
        each.unlink(missing_ok=True)
    with begun(suite, f"--pypod-reuse-ttl={ttl}") as run:
        until(begins.exists)
        first = time.time() + ttl
        until(lambda: time.time() > first + 0.3)
        go.touch()
        said, _ = run.communicate(timeout=PATIENCE)
        return run.returncode, said


def test_each_worker_has_its_own(reusing: Reusing) -> None:
    """They are told at the end of the run by the controller, and the workers of the next run find them."""
    reusing.suite.manifest("database")
    reusing.suite.file("test_it.py", SUITE)
    workers = ("-k", "that_stay", "-n2", "--dist=each")
    first, said = reusing.run(*workers, passed=2)
    namespaces = sorted(pods[0].split("/")[0].rpartition("-")[2] for pods in first)
    assert namespaces == ["gw0", "gw1"]
    again, said = reusing.run(*workers, passed=2)
    assert again == first
    assert said.count("  pypod down ") == 4
    reusing.remove(said)
