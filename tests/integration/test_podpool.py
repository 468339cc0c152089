"""Pods ahead of time on the real engine: what is handed out, what dies while it waits, and that nothing is left of a pool."""

from __future__ import annotations

import signal
import time

import docker
import pytest

from pypod import Container, ImageError, PodPool, PodSpec, PullPolicy
from tests.images import BUSYBOX
from tests.integration.conftest import eventually
from tests.integration.processes import PATIENCE, Child, Look, until

pytestmark = pytest.mark.docker

QUICK = 0.005
"""Seconds of a take where one is waiting: the promise. Of processor time, since any thread may have to wait for its turn."""
POOL = "template = pypod.PodSpec('web', (member('one'),), namespace={namespace!r})\n"


@pytest.fixture
def look(raw: docker.APIClient) -> Look:
    return Look(raw)


def spec(namespace: str, image: str = BUSYBOX) -> PodSpec:
    container = Container("one", image, command=["sleep", "1000"], image_pull_policy=PullPolicy.NEVER)
    return PodSpec("web", (container,), namespace=namespace, termination_grace_period_seconds=0)


def waiting(pool: PodPool) -> bool:
    return " 1 ready, 0 starting" in repr(pool)


def test_each_is_another_pod_that_is_there_at_once_and_gone_afterwards(namespace: str, look: Look) -> None:
    took, uids = [], set()
    with PodPool(spec(namespace), 1) as pool:
        for _ in range(3):
            eventually(lambda: waiting(pool), "one waits")
            begun = time.thread_time()
            with pool.pod() as pod:
                took.append(time.thread_time() - begun)
                uids.add(pod.uid)
                assert pod.exec(["hostname"]).stdout.strip() == pod.name
    assert len(uids) == 3
    assert min(took) <= QUICK, took
    assert look.left(namespace) == []


def test_one_that_is_killed_while_it_waits_is_replaced(
    namespace: str, look: Look, raw: docker.APIClient
) -> None:
    with PodPool(spec(namespace), 1) as pool:
        eventually(lambda: waiting(pool), "one waits")
        [dead] = look.members(namespace)
        raw.kill(dead)
        until(lambda: dead not in look.members(namespace), PATIENCE, "it is removed")
        with pool.pod() as pod:
            assert f"_{pod.name}_" not in dead
            assert pod.refresh().container("one").restart_count == 0


def test_the_error_of_a_background_start_is_raised_as_it_was(namespace: str) -> None:
    with PodPool(spec(namespace, "no-such-image:1"), 1) as pool:
        for _ in range(2):
            with pytest.raises(ImageError, match="ErrImageNeverPull"):
                pool.take()


ENDS = {
    "killed": (signal.SIGKILL, -signal.SIGKILL),
    "interrupted": (signal.SIGINT, -signal.SIGINT),
}


@pytest.mark.parametrize("name", ENDS)
def test_nothing_is_left_where_the_process_ends_in_the_middle(namespace: str, look: Look, name: str) -> None:
    """One is in use, one waits or is being started."""
    body = (
        POOL
        + "with pypod.PodPool(template, 2) as pool:\n    pool.take()\n    ready()\n    pool.take()\n    pool.take()\n    time.sleep(60)\n"
    )
    number, code = ENDS[name]
    with Child(namespace, body.format(namespace=namespace)) as child:
        child.ready()
        child.process.send_signal(number)
        assert child.wait(PATIENCE) == code
        until(lambda: not look.containers(namespace, running=True), PATIENCE)
        until(lambda: look.left(namespace) == [], PATIENCE)


def test_nothing_is_left_of_a_pool_that_nobody_closed(namespace: str, look: Look) -> None:
    """The process ends while one is in use, and one is being started."""
    body = POOL + "pool = pypod.PodPool(template, 2).start()\npod = pool.take()\nready()\n"
    with Child(namespace, body.format(namespace=namespace)) as child:
        child.ready()
        assert child.wait(PATIENCE) == 0
    assert look.left(namespace) == []


def test_a_forked_child_leaves_the_pool_alone(namespace: str, look: Look) -> None:
    body = POOL + (
        "with pypod.PodPool(template, 1) as pool, pool.pod() as mine:\n"
        "    child = os.fork()\n"
        "    if child:\n"
        "        _, status = os.waitpid(child, 0)\n"
        "        ready(status, mine.exec(['echo', 'alive']).stdout.strip(), pool.take().status.phase.value)\n"
        "    else:\n"
        "        try:\n"
        "            pool.take()\n"
        "        except pypod.PoolError:\n"
        "            pass\n"
        "        else:\n"
        "            os._exit(1)\n"
        "if child == 0:\n"
        "    sys.exit(0)\n"
    )
    with Child(namespace, body.format(namespace=namespace)) as child:
        assert child.ready() == ["0", "alive", "Running"]
        assert child.wait(PATIENCE) == 0
    assert look.left(namespace) == []
