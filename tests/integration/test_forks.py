"""A forked child has its parent's sockets, and none of its pods: it may use them, and neither ends them nor keeps them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import docker
import pytest

from tests.integration.processes import PATIENCE, Child, Look, script, until

pytestmark = pytest.mark.docker


@pytest.fixture
def look(raw: docker.APIClient) -> Look:
    return Look(raw)


ENDS = {
    "falls out of the block": "pass",
    "sys.exit": "sys.exit(0)",
    "os._exit": "os._exit(0)",
    "stays in the block for a second": "time.sleep(1)",
}

CHILD_ENDS = """\
with pod() as p:
    child = os.fork()
    if child == 0:
        {end}
    else:
        _, status = os.waitpid(child, 0)
        time.sleep(0.3)
        answer = p.exec(["echo", "alive"]).stdout.strip()
        ready(status, answer, p.refresh().phase.value, len(p.status.container_statuses))
if child == 0:
    os._exit(0)  # the part below is the parent's
ready("left")
"""


@pytest.mark.parametrize("end", list(ENDS.values()), ids=list(ENDS))
def test_the_end_of_a_forked_child_leaves_the_pod_alone(namespace: str, look: Look, end: str) -> None:
    with Child(namespace, CHILD_ENDS.format(end=end)) as child:
        assert child.ready() == ["0", "alive", "Running", "2"]
        child.ready()
        assert child.wait(PATIENCE) == 0
    assert look.left(namespace) == []


USES = """\
import multiprocessing
def use(queue):
    result = p.exec(["sh", "-c", "echo from the child; exit 7"], "two")
    queue.put((result.exit_code, result.stdout, p.refresh().phase.value))
if __name__ == "__main__":
    with pod() as p:
        p.exec(["true"])
        context = multiprocessing.get_context("fork")
        queue = context.Queue()
        children = [context.Process(target=use, args=(queue,)) for _ in range(3)]
        for child in children:
            child.start()
        seen = {queue.get(timeout=60) for _ in children}
        for child in children:
            child.join(60)
        assert seen == {(7, "from the child\\n", "Running")}, seen
        assert [child.exitcode for child in children] == [0, 0, 0]
        assert p.exec(["true"]).exit_code == 0
        print("done")
"""


def test_children_of_multiprocessing_can_use_the_pod(namespace: str, look: Look, tmp_path: Path) -> None:
    file = tmp_path / "uses.py"
    file.write_text(script(namespace, USES))
    done = subprocess.run(
        [sys.executable, str(file)], capture_output=True, text=True, timeout=200, check=False
    )
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr
    assert look.left(namespace) == []


OUTLIVES = """\
with pod(share_process_namespace={shared}):
    if os.fork() == 0:
        ready(os.getpid())
        time.sleep(60)
        os._exit(0)
    time.sleep(60)
"""


@pytest.mark.parametrize("shared", [True, False], ids=["shared", "private"])
def test_a_forked_child_does_not_keep_the_lease(namespace: str, look: Look, shared: bool) -> None:
    with Child(namespace, OUTLIVES.format(shared=shared)) as child:
        forked = int(child.ready()[0])
        try:
            child.kill()
            until(lambda: look.left(namespace) == [], PATIENCE)
            os.kill(forked, 0)  # it lives
        finally:
            os.kill(forked, signal.SIGKILL)


OWN_POD = """\
with pod("parents"):
    child = os.fork()
    if child == 0:
        with pod("childs") as own:
            assert own.exec(["true"]).exit_code == 0
            ready(len(pypod.list(own.namespace)))
        os._exit(0)
    _, status = os.waitpid(child, 0)
    ready(status, *[p.name for p in pypod.list("{namespace}")])
"""


def test_a_forked_child_can_have_a_pod_of_its_own(namespace: str, look: Look) -> None:
    with Child(namespace, OWN_POD.format(namespace=namespace)) as child:
        assert child.ready() == ["2"]
        assert child.ready() == ["0", "parents"]
        assert child.wait(PATIENCE) == 0
    assert look.left(namespace) == []
