"""Containers that end: started again or not, as policies say, with what they were kept, and with phases that only go on."""

from __future__ import annotations

import functools
import json
import subprocess
import sys
from typing import Any

import docker
import pytest

import pypod
from pypod import Container, Phase, Pod, Volume
from pypod.model.life.status import ContainerStatus, Running, Terminated, Waiting
from tests.contract.harness import seconds
from tests.integration.conftest import eventually
from tests.integration.life import SERVE, Witness, shell

pytestmark = pytest.mark.docker

TELL = """\
import json, sys, pypod
status = pypod.get(sys.argv[1], sys.argv[2]).refresh()
each = status.container(sys.argv[3])
print(json.dumps([status.summary, each.state.reason, each.state.message, each.state.until, each.restart_count]))
"""


@pytest.fixture
def witness(raw: docker.APIClient, namespace: str) -> Witness:
    return Witness(raw, namespace)


def _pod(namespace: str, *containers: Container, **more: Any) -> Pod:
    given = {"termination_grace_period_seconds": 0, **more}
    return Pod("web", containers=containers, namespace=namespace, **given)


def _end_it(pod: Pod, container: str) -> None:
    pod.exec(["touch", "/go"], container)


def _runs(pod: Pod, container: str, restarts: int) -> bool:
    status = pod.refresh().container(container)
    return status.restart_count == restarts and isinstance(status.state, Running)


def _last_state(status: ContainerStatus) -> Terminated:
    assert status.last_state is not None
    return status.last_state


@pytest.mark.parametrize(
    ("policy", "exit_codes", "end"),
    [
        ("Always", ["1", "0"], Phase.RUNNING),
        ("OnFailure", ["1", "0"], Phase.SUCCEEDED),
        ("Never", ["1"], Phase.FAILED),
    ],
)
def test_a_container_that_fails_then_succeeds_then_runs(
    namespace: str, witness: Witness, policy: str, exit_codes: list[str], end: Phase
) -> None:
    """The conformance test of Kubernetes: "should run with the expected status"."""
    script = (
        "echo . >> /v/lives; sleep 0.2; "
        "case $(wc -l < /v/lives) in 1) exit 1;; 2) exit 0;; *) while :; do sleep 0.1; done;; esac"
    )
    app = shell("app", script, mounts={"v": "/v"})
    lives = {Phase.RUNNING: 3, Phase.SUCCEEDED: 2, Phase.FAILED: 1}[end]
    phases: list[Phase] = []

    def is_at_its_end() -> bool:
        status = pod.refresh()
        if status.container_statuses and status.phase not in phases[-1:]:
            phases.append(status.phase)
        return status.phase is end and status.restart_count == lives - 1 and status.summary == word

    word = {Phase.RUNNING: "Running", Phase.SUCCEEDED: "Completed", Phase.FAILED: "Error"}[end]
    pod = _pod(namespace, app, restart_policy=policy, volumes=[Volume.empty_dir("v")]).start(wait=False)
    try:
        eventually(is_at_its_end, f"the pod is {end.value}")
        in_order = [Phase.PENDING, Phase.RUNNING, end]
        assert phases == sorted(phases, key=in_order.index)
        assert witness.attempts("app") == list(range(lives))
        assert [event.attributes["exitCode"] for event in witness.happened("die", "app")] == exit_codes
        conditions = pod.status.conditions
        ready = {
            Phase.RUNNING: (True, ""),
            Phase.SUCCEEDED: (False, "PodCompleted"),
            Phase.FAILED: (False, "PodFailed"),
        }[end]
        assert (conditions["Ready"].status, conditions["Ready"].reason) == ready
        assert conditions["Initialized"].status
        assert list(conditions) == [
            "PodReadyToStartContainers",
            "Initialized",
            "Ready",
            "ContainersReady",
            "PodScheduled",
        ]
    finally:
        pod.stop()


def test_a_restart_is_a_new_container_with_a_fresh_root(namespace: str, witness: Witness) -> None:
    app = shell("app", f"[ -e /mark ] && echo stale; touch /mark; echo $HOSTNAME up; {SERVE}; exit 3")
    with _pod(namespace, app, shell("other", SERVE)) as pod:
        before = pod.refresh()
        old = witness.inspect("app")
        eventually(lambda: pod.exec(["test", "-e", "/mark"], "app").exit_code == 0, "it has begun")
        pod.exec(["touch", "/made-by-hand"], "app", check=True)
        _end_it(pod, "app")
        eventually(lambda: _runs(pod, "app", 1), "it is started again")
        new = witness.inspect("app")
        assert new["Id"] != old["Id"]
        assert new["Name"].rpartition("_")[::2] == (old["Name"].rpartition("_")[0], "1")
        assert pod.exec(["test", "-e", "/made-by-hand"], "app").exit_code == 1
        eventually(lambda: pod.logs("app") == "web up\n", "its own log, and no mark of the life before")
        assert pod.logs("app", previous=True) == "web up\n"
        last = _last_state(pod.status.container("app"))
        assert (last.exit_code, last.reason) == (3, "Error")
        other = pod.status.container("other")
        assert (other.restart_count, other.container_id) == (0, before.container("other").container_id)
        assert pod.status.pod_ip == before.pod_ip


@pytest.mark.parametrize("shared", [True, False], ids=["shared", "private"])
def test_the_second_restart_is_backed_off_visibly(namespace: str, witness: Witness, shared: bool) -> None:
    """By the profile with which there is time to look: 10 s."""
    app = shell("app", f"{SERVE}; exit 3")
    given = {"restart_backoff": "classic", "share_process_namespace": shared}
    with _pod(namespace, app, shell("other", SERVE), **given) as pod:
        _end_it(pod, "app")
        eventually(lambda: _runs(pod, "app", 1), "the first restart comes")
        assert witness.started("app")[1] - witness.died("app")[0] < 9, "it does not wait"
        _end_it(pod, "app")
        eventually(lambda: isinstance(pod.refresh().container("app").state, Waiting), "the second one waits")
        status = pod.status
        state = status.container("app").state
        assert isinstance(state, Waiting)
        text = f"back-off 10s restarting failed container=app pod=web_{namespace}({pod.uid})"
        assert (state.reason, state.message) == ("CrashLoopBackOff", text)
        assert (status.phase, status.summary) == (Phase.RUNNING, "CrashLoopBackOff")
        assert _last_state(status.container("app")).exit_code == 3
        finished = seconds(witness.state("app")["FinishedAt"])
        assert state.until is not None
        assert state.until == pytest.approx(finished + 10, abs=0.01)
        _looks_the_same_from_another_process(pod, state)
        assert [_code(event.attributes) for event in witness.happened("die", "app")] == [3, 3]


def test_the_second_restart_does_not_come_before_its_time(namespace: str, witness: Witness) -> None:
    """By the profile that is the default: 1 s. What the engine has of it, since one may look too late."""
    with _pod(namespace, shell("app", f"{SERVE}; exit 3")) as pod:
        for number in (1, 2):
            _end_it(pod, "app")
            eventually(lambda number=number: _runs(pod, "app", number), f"restart {number}")  # type: ignore[misc]
        # By the time of the end, as the shim tells it: the engine's event may be late.
        ended = _last_state(pod.status.container("app")).finished_at
        assert ended is not None
        assert witness.started("app")[2] - ended >= 0.9


def _code(attributes: dict[str, str]) -> int:
    return int(attributes["exitCode"])


def _looks_the_same_from_another_process(pod: Pod, state: Waiting) -> None:
    words = [sys.executable, "-c", TELL, pod.name, pod.namespace, "app"]
    told = subprocess.run(words, capture_output=True, text=True, timeout=15, check=True)
    assert json.loads(told.stdout) == ["CrashLoopBackOff", state.reason, state.message, state.until, 1]


def test_a_container_may_have_a_policy_of_its_own(namespace: str, witness: Witness) -> None:
    failing = shell("failing", f"{SERVE}; exit 1", restart_policy="OnFailure")
    content = shell("content", SERVE, restart_policy="OnFailure")
    final = shell("final", f"{SERVE}; exit 1")
    always = shell("always", SERVE, restart_policy="Always")
    with _pod(namespace, failing, content, final, always, restart_policy="Never") as pod:
        for name in ("content", "final", "failing", "always"):
            _end_it(pod, name)
            eventually(functools.partial(witness.died, name), f"{name} has ended")
        eventually(lambda: _runs(pod, "failing", 1) and _runs(pod, "always", 1), "two are started again")
        assert [witness.attempts(name) for name in ("content", "final")] == [[0], [0]]
        ends = [pod.status.container(name).state for name in ("content", "final")]
        assert [each.exit_code for each in ends if isinstance(each, Terminated)] == [0, 1]
        assert pod.status.phase is Phase.RUNNING


@pytest.mark.parametrize("policy", ["Always", "OnFailure"])
def test_a_member_that_somebody_removes_is_restarted(namespace: str, witness: Witness, policy: str) -> None:
    with _pod(namespace, shell("app", SERVE), shell("other", SERVE), restart_policy=policy) as pod:
        witness.remove("app")
        eventually(lambda: _runs(pod, "app", 1), "it is started again")
        last = _last_state(pod.status.container("app"))
        assert (last.exit_code, last.reason) == (137, "ContainerStatusUnknown")
        assert last.message.endswith("The container used to be Running")
        assert witness.attempts("app") == [0, 1]
        assert witness.attempts("other") == [0]
        assert pod.status.phase is Phase.RUNNING


def test_with_never_a_removed_member_is_a_failed_one(namespace: str, witness: Witness) -> None:
    with _pod(namespace, shell("app", SERVE), shell("other", SERVE), restart_policy="Never") as pod:
        witness.remove("app")
        eventually(
            lambda: isinstance(pod.refresh().container("app").state, Terminated), "it is known to be gone"
        )
        state = pod.status.container("app").state
        assert isinstance(state, Terminated)
        assert (state.exit_code, state.reason) == (137, "ContainerStatusUnknown")
        assert pod.status.phase is Phase.RUNNING  # the other one still runs
        _end_it(pod, "other")
        assert pod.wait("Completed", timeout=60).phase is Phase.FAILED
        assert witness.attempts("app") == [0]
        with pytest.raises(pypod.PodNotRunningError, match=r"^cannot "):
            pod.wait("Ready", timeout=5)


def test_a_pod_at_its_end_stays_there(namespace: str, witness: Witness) -> None:
    """Also when what it was made of is taken away: the journal has it."""
    with _pod(namespace, shell("app", SERVE), restart_policy="OnFailure") as pod:
        _end_it(pod, "app")
        assert pod.wait("Completed", timeout=60).phase is Phase.SUCCEEDED
        eventually(lambda: pod.history.finished is not None, "that is written down")
        witness.remove("app")
        assert pod.refresh().phase is Phase.SUCCEEDED
        assert not pod.plan()
        assert witness.attempts("app") == [0]
