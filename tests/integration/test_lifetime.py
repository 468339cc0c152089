"""A pod ends with its owner, whichever way the owner ends by itself: Ctrl-C, SIGTERM, an error, the end of the program."""

from __future__ import annotations

import signal

import docker
import pytest

from pypod import Container, Pod
from tests.images import BUSYBOX
from tests.integration.processes import PATIENCE, Child, Look, silent_registry, stays, until

pytestmark = pytest.mark.docker

BODY = "with pod() as p:\n    ready()\n    time.sleep(60)\n"


@pytest.fixture
def look(raw: docker.APIClient) -> Look:
    return Look(raw)


def test_ctrl_c_in_the_body_leaves_nothing(namespace: str, look: Look) -> None:
    with Child(namespace, BODY) as child:
        child.ready()
        assert len(look.containers(namespace, running=True)) == 3
        child.interrupt()
        assert child.wait(PATIENCE) == -signal.SIGINT
        assert "KeyboardInterrupt" in child.errors
    assert look.left(namespace) == []


@pytest.mark.parametrize("seen", [1, 9])
def test_ctrl_c_during_the_start_leaves_nothing(namespace: str, look: Look, seen: int) -> None:
    many = "with pod(containers=[member(f'm{n}') for n in range(16)]):\n    time.sleep(60)\n"
    with Child(namespace, many) as child:
        until(lambda: len(look.containers(namespace)) >= seen, PATIENCE)
        child.interrupt()
        assert child.wait(PATIENCE) == -signal.SIGINT
        assert "KeyboardInterrupt" in child.errors
    assert look.left(namespace) == []


def test_ctrl_c_during_a_pull_leaves_nothing(namespace: str, look: Look) -> None:
    with silent_registry() as (registry, called):
        body = f"with pod(containers=[member('one', image='{registry}/x:1')]):\n    ready()\n"
        with Child(namespace, body) as child:
            called()
            child.interrupt()
            assert child.wait(PATIENCE) == -signal.SIGINT
    assert look.left(namespace) == []
    assert look.left(registry) == []


STUBBORN = """\
with pod(containers=[member("one", "sh", "-c", "trap '' TERM; while true; do sleep 0.1; done")],
         termination_grace_period_seconds=60):
    ready()
    time.sleep(60)
"""


def test_a_second_ctrl_c_ends_a_long_grace_at_once(namespace: str, look: Look) -> None:
    with Child(namespace, STUBBORN) as child:
        child.ready()
        child.interrupt()
        until(lambda: any(name.endswith(".deleting") for name in look.containers(namespace)), PATIENCE)
        stays(lambda: child.process.poll() is None, 0.5)
        child.interrupt()
        assert child.wait(PATIENCE) == -signal.SIGINT
    assert look.left(namespace) == []


def test_sigterm_to_the_owner_ends_its_pod(namespace: str, look: Look) -> None:
    with Child(namespace, BODY) as child:
        child.ready()
        child.process.terminate()
        assert child.wait(PATIENCE) == -signal.SIGTERM
        until(lambda: look.left(namespace) == [], PATIENCE)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        pytest.param("p = pod().start()\nready()\n", 0, id="the end of the program"),
        pytest.param("with pod():\n    ready()\n    sys.exit(3)\n", 3, id="sys.exit in a block"),
        pytest.param("p = pod().start()\nready()\nraise ValueError('mine')\n", 1, id="an uncaught error"),
        pytest.param(
            "ps = [pod(f'p{n}', [member('one')], share_process_namespace=False).start() for n in range(3)]\nready()\n",
            0,
            id="three pods with private PID spaces",
        ),
    ],
)
def test_what_is_not_stopped_ends_with_the_interpreter(
    namespace: str, look: Look, body: str, code: int
) -> None:
    with Child(namespace, body) as child:
        child.ready()
        assert child.wait(PATIENCE) == code
        assert look.left(namespace) == []
        for unwanted in ("Exception ignored", "cannot schedule", "can't start new thread"):
            assert unwanted not in child.errors


def _quick(namespace: str) -> Pod:
    member = Container("one", BUSYBOX, command=["sleep", "1000"])
    return Pod("web", containers=[member], namespace=namespace, termination_grace_period_seconds=0)


def test_an_error_in_the_body_is_the_one_that_is_raised(namespace: str, look: Look) -> None:
    def fails() -> None:
        with _quick(namespace):
            assert len(look.containers(namespace, running=True)) == 2
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails()
    assert look.left(namespace) == []


def test_a_pod_that_was_stopped_in_its_block_stays_stopped(namespace: str, look: Look) -> None:
    with _quick(namespace) as pod:
        pod.stop()
        assert look.left(namespace) == []
        assert pod.status.reason == "NotFound"
    assert look.left(namespace) == []
