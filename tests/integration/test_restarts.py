"""A member that ends is started again, alone, when the policy says so and not before its time."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import Any

import docker
import pytest

import pypod
from pypod import Container, Phase, Pod
from pypod.model.life.status import Terminated
from tests.images import BUSYBOX
from tests.integration.life import SERVE
from tests.integration.processes import PATIENCE, Look, stays, until

pytestmark = pytest.mark.docker


@pytest.fixture
def look(raw: docker.APIClient) -> Look:
    return Look(raw)


def _shell(name: str, script: str) -> Container:
    return Container(name, BUSYBOX, command=["sh", "-c", script])


def _end(pod: Pod, container: str) -> None:
    pod.exec(["touch", "/go"], container)


STAY = Container("stay", BUSYBOX, command=["sleep", "1000"])


def _pod(namespace: str, *containers: Container, policy: str = "Always", **more: Any) -> Pod:
    return Pod(
        "web",
        containers=containers,
        namespace=namespace,
        restart_policy=policy,
        termination_grace_period_seconds=0,
        **more,
    )


def _instances(look: Look, namespace: str, container: str) -> dict[int, tuple[str, dict[str, Any]]]:
    """Attempt to name and state of the containers that the engine has of one member."""
    found = {}
    for name in look.containers(namespace):
        if f"_{container}_" in name:
            with contextlib.suppress(docker.errors.NotFound):  # removed since the list: an older one is
                found[int(name.rpartition("_")[2])] = (name, look.state(name))
    return found


def test_a_crashed_member_is_restarted_alone(namespace: str, look: Look) -> None:
    crash = _shell("crash", f"echo life of $$; {SERVE}; exit 3")
    with _pod(namespace, STAY, crash) as pod:
        before = pod.refresh()
        began = look.state(before.container("stay").container_id)["StartedAt"]
        _end(pod, "crash")
        until(lambda: pod.refresh().restart_count == 1 and pod.status.ready_count == 2, PATIENCE)

        after = pod.status
        assert after.container("crash").container_id != before.container("crash").container_id
        assert after.container("stay").container_id == before.container("stay").container_id
        assert look.state(after.container("stay").container_id)["StartedAt"] == began
        last = after.container("crash").last_state
        assert last is not None
        assert (last.exit_code, last.reason) == (3, "Error")
        assert pod.ip == before.pod_ip

        (first, dead), (second, alive) = (_instances(look, namespace, "crash")[n] for n in (0, 1))
        assert (dead["Status"], alive["Status"]) == ("exited", "running")
        assert first.rpartition("_")[0] == second.rpartition("_")[0]
        assert look.api.logs(first).startswith(b"life of ")

        _end(pod, "crash")
        until(lambda: pod.refresh().restart_count == 2 and pod.status.ready_count == 2, PATIENCE)
        assert sorted(_instances(look, namespace, "crash")) == [1, 2]  # only the last dead one is kept


def test_on_failure_restarts_failures_only(namespace: str, look: Look) -> None:
    fine, bad = _shell("fine", SERVE), _shell("bad", f"{SERVE}; exit 1")
    with _pod(namespace, STAY, fine, bad, policy="OnFailure") as pod:
        _end(pod, "fine")
        _end(pod, "bad")
        until(lambda: pod.refresh().container("bad").restart_count >= 1, PATIENCE)
        until(lambda: isinstance(pod.refresh().container("fine").state, Terminated), PATIENCE)
        stays(lambda: pod.refresh().container("fine").restart_count == 0, 0.5)
        state = pod.status.container("fine").state
        assert isinstance(state, Terminated)
        assert (state.exit_code, state.reason) == (0, "Completed")
        assert len(_instances(look, namespace, "fine")) == 1
        assert pod.status.phase is Phase.RUNNING


@pytest.mark.parametrize(("code", "phase"), [(0, Phase.SUCCEEDED), (3, Phase.FAILED)])
def test_never_ends_in_a_phase(namespace: str, look: Look, code: int, phase: Phase) -> None:
    one, two = _shell("one", SERVE), _shell("two", f"{SERVE}; echo bye; exit {code}")
    with _pod(namespace, one, two, policy="Never") as pod:
        _end(pod, "one")
        _end(pod, "two")
        assert pod.wait("Completed", PATIENCE).phase is phase
        stays(lambda: pod.refresh().phase is phase, 0.5)
        assert pod.status.restart_count == 0
        assert len(_instances(look, namespace, "two")) == 1
        assert pod.logs("two") == "bye\n"
        with pytest.raises(pypod.PodNotRunningError, match=r"^cannot "):
            pod.wait("Ready", PATIENCE)


def test_never_with_an_early_failure_is_an_error_of_the_start(namespace: str, look: Look) -> None:
    bad = _shell("bad", "echo what went wrong >&2; exit 9")
    with pytest.raises(pypod.PodStartError, match=r"^cannot start pod .*container 'bad'") as caught:
        # Without a probe it is ready while it runs, which on a slow machine is seen.
        _pod(namespace, STAY, bad, policy="Never", min_ready_seconds=10).start()
    assert (caught.value.container, caught.value.exit_code) == ("bad", 9)
    assert caught.value.log_tail == ("what went wrong",)
    assert "bad| what went wrong" in str(caught.value)
    assert look.left(namespace) == []


@pytest.mark.parametrize(
    ("policy", "alone"), [("Always", True), ("Always", False), ("OnFailure", False), ("Never", True)]
)
def test_true_is_no_failure(namespace: str, policy: str, alone: bool) -> None:
    done = Container("done", BUSYBOX, command=["true"])
    others: list[Container] = [] if alone else [STAY]
    begin = time.monotonic()
    with _pod(namespace, done, *others, policy=policy) as pod:
        assert time.monotonic() - begin < PATIENCE  # of 60 s
        if policy != "Always":
            # Without a probe it is ready while it runs, which on a slow machine is seen.
            until(lambda: isinstance(pod.refresh().container("done").state, Terminated), PATIENCE)
            state = pod.status.container("done").state
            assert isinstance(state, Terminated)
            assert state.exit_code == 0
            phase = Phase.SUCCEEDED if alone else Phase.RUNNING
            until(lambda: pod.refresh().phase is phase, PATIENCE)


def test_a_pause_that_dies_takes_the_whole_pod_into_a_new_sandbox(namespace: str, look: Look) -> None:
    """As a kubelet does it: every member is started again, on a sandbox of the next attempt."""
    with _pod(namespace, STAY, _shell("two", "sleep 1000")) as pod:
        assert pod.refresh().ready_count == 2
        old = {status.container_id for status in pod.status.container_statuses}
        look.api.kill(look.pause(namespace))
        check: Callable[[], bool] = lambda: (  # noqa: E731
            pod.refresh().ready_count == 2
            and not old & {status.container_id for status in pod.status.container_statuses}
        )
        until(check, PATIENCE)
        assert pod.exec(["hostname"]).stdout == "web\n"
