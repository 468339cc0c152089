"""A member that ends is started again, alone, when the policy says so and not before its time."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

import docker
import pytest

import pypod
from pypod import Container, Phase, Pod
from pypod.model.life.status import Terminated, Waiting
from tests.images import BUSYBOX
from tests.integration.processes import Look, stays, until

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


def _seconds(text: str) -> float:
    return datetime.fromisoformat(re.sub(r"(\.\d{6})\d*Z$", r"\1+00:00", text)).timestamp()


def _instances(look: Look, namespace: str, container: str) -> dict[int, tuple[str, dict[str, Any]]]:
    """Attempt to name and state of the containers that the engine has of one member."""
    found = {}
    for name in look.containers(namespace):
        if f"_{container}_" in name:
            with contextlib.suppress(docker.errors.NotFound):  # removed since the list: an older one is
                found[int(name.rpartition("_")[2])] = (name, look.state(name))
    return found


def test_a_crashed_member_is_restarted_alone(namespace: str, look: Look) -> None:
    crash = _shell("crash", "echo life of $$; until [ -e /go ]; do sleep 0.05; done; exit 3")
    with _pod(namespace, STAY, crash) as pod:
        before = pod.refresh()
        began = look.state(before.container("stay").container_id)["StartedAt"]
        _end(pod, "crash")
        until(lambda: pod.refresh().restart_count == 1 and pod.status.ready_count == 2, 4)

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
        assert _seconds(alive["StartedAt"]) - _seconds(dead["FinishedAt"]) < 1  # the first one is at once
        assert first.rpartition("_")[0] == second.rpartition("_")[0]
        assert look.api.logs(first).startswith(b"life of ")

        _end(pod, "crash")
        until(lambda: pod.refresh().restart_count == 2 and pod.status.ready_count == 2, 6)
        assert sorted(_instances(look, namespace, "crash")) == [1, 2]  # only the last dead one is kept


@pytest.mark.parametrize("shared", [True, False], ids=["shared", "private"])
def test_the_second_restart_waits_and_says_so(namespace: str, look: Look, shared: bool) -> None:
    crash = _shell("crash", "sleep 0.4; exit 5")
    seen: dict[int, dict[str, Any]] = {}
    waits: set[str] = set()

    def watch() -> bool:
        status = pod.refresh().container("crash")
        if isinstance(status.state, Waiting) and status.state.reason == "CrashLoopBackOff":
            if status.restart_count == 1:
                waits.add(status.state.message)
            assert status.last_state is not None
            assert status.last_state.exit_code == 5
            assert pod.status.phase is Phase.RUNNING
            assert pod.status.summary == "CrashLoopBackOff"
        for attempt, (_, state) in _instances(look, namespace, "crash").items():
            if state["Status"] == "exited" or attempt not in seen:
                seen[attempt] = state
        return 2 in seen and seen[2]["Status"] != "created"

    with _pod(namespace, STAY, crash, share_process_namespace=shared) as pod:
        uid = pod.uid
        until(watch, 8)
    ends = [_seconds(seen[attempt]["FinishedAt"]) for attempt in (0, 1)]
    starts = [_seconds(seen[attempt]["StartedAt"]) for attempt in (1, 2)]
    first, second = (start - end for start, end in zip(starts, ends, strict=True))
    assert 0.9 <= second < 4
    assert first < second  # at once: what is left is the time that the engine takes
    assert waits == {f"back-off 1s restarting failed container=crash pod=web_{namespace}({uid})"}


def test_on_failure_restarts_failures_only(namespace: str, look: Look) -> None:
    fine, bad = _shell("fine", "sleep 0.4"), _shell("bad", "sleep 0.4; exit 1")
    with _pod(namespace, STAY, fine, bad, policy="OnFailure") as pod:
        until(lambda: pod.refresh().container("bad").restart_count >= 1, 4)
        stays(lambda: pod.refresh().container("fine").restart_count == 0, 0.5)
        state = pod.status.container("fine").state
        assert isinstance(state, Terminated)
        assert (state.exit_code, state.reason) == (0, "Completed")
        assert len(_instances(look, namespace, "fine")) == 1
        assert pod.status.phase is Phase.RUNNING


@pytest.mark.parametrize(("code", "phase"), [(0, Phase.SUCCEEDED), (3, Phase.FAILED)])
def test_never_ends_in_a_phase(namespace: str, look: Look, code: int, phase: Phase) -> None:
    one, two = _shell("one", "sleep 0.4"), _shell("two", f"sleep 0.5; echo bye; exit {code}")
    with _pod(namespace, one, two, policy="Never") as pod:
        assert pod.wait("Completed", timeout=5).phase is phase
        stays(lambda: pod.refresh().phase is phase, 0.5)
        assert pod.status.restart_count == 0
        assert len(_instances(look, namespace, "two")) == 1
        assert pod.logs("two") == "bye\n"
        with pytest.raises(pypod.PodNotRunningError, match=r"^cannot "):
            pod.wait("Ready", timeout=5)


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
        assert time.monotonic() - begin < 6
        if policy != "Always":
            state = pod.refresh().container("done").state
            assert isinstance(state, Terminated)
            assert state.exit_code == 0
            assert pod.status.phase is (Phase.SUCCEEDED if alone else Phase.RUNNING)


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
        until(check, 8)
        assert pod.exec(["hostname"]).stdout == "web\n"
