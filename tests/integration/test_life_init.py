"""Init containers run one by one before the containers; sidecars start among them, and end last."""

from __future__ import annotations

import itertools
import time
from typing import Any

import docker
import pytest

from pypod import Container, Phase, Pod, PodStartError, Probe, Volume
from pypod.model.life.status import Running, Terminated
from tests.integration.conftest import eventually
from tests.integration.life import SERVE, Witness, await_up, is_ascending, on_term, shell

pytestmark = pytest.mark.docker

SLACK = 25.0
"""Seconds by which a busy machine may be late."""


@pytest.fixture
def witness(raw: docker.APIClient, namespace: str) -> Witness:
    return Witness(raw, namespace)


def _pod(namespace: str, inits: list[Container], *containers: Container, **more: Any) -> Pod:
    given = {"termination_grace_period_seconds": 0, **more}
    return Pod("web", init_containers=inits, containers=containers, namespace=namespace, **given)


def _sidecar(name: str, script: str, **more: Any) -> Container:
    return shell(name, script, restart_policy="Always", **more)


def test_init_containers_run_one_at_a_time_before_any_container(namespace: str, witness: Witness) -> None:
    inits = [shell("first", "sleep 0.2"), shell("second", "sleep 0.2"), shell("third", "sleep 0.1")]
    with _pod(namespace, inits, shell("a", SERVE), shell("b", SERVE)) as pod:
        # The engine may note a start late, but the shim tells the end's very time: a short life may seem to end before it began.
        ran = [witness.ran(each.name) for each in inits]
        assert all(one[1] <= next_one[0] for one, next_one in itertools.pairwise(ran)), ran
        assert is_ascending([ran[-1][1], *witness.started("a")])
        assert is_ascending([ran[-1][1], *witness.started("b")])
        assert [witness.attempts(each.name) for each in inits] == [[0], [0], [0]]
        status = pod.refresh()
        assert status.phase is Phase.RUNNING
        assert status.conditions["Initialized"].status
        assert [(each.ready, each.restart_count) for each in status.init_container_statuses] == [
            (True, 0)
        ] * 3
        assert (status.ready_count, status.container_count) == (2, 2)  # init containers do not count


@pytest.mark.parametrize("policy", ["OnFailure", "Always"])
def test_an_init_container_that_fails_is_retried_and_the_pod_stays_pending(
    namespace: str, witness: Witness, policy: str
) -> None:
    fails_twice = shell("init", "echo . >> /v/lives; [ $(wc -l < /v/lives) -ge 3 ]", mounts={"v": "/v"})
    pod = _pod(
        namespace, [fails_twice], shell("app", SERVE), restart_policy=policy, volumes=[Volume.empty_dir("v")]
    )
    pod.start(wait=False)
    phases: list[Phase] = []

    def runs() -> bool:
        status = pod.refresh()
        for init in status.init_container_statuses:
            phases.append(status.phase)
            assert status.conditions["Initialized"].status == init.ready
        return status.phase is Phase.RUNNING

    try:
        eventually(runs, "the third try succeeds and the container starts")
        assert set(phases[:-1]) == {Phase.PENDING}
        assert witness.attempts("init") == [0, 1, 2]
        assert [event.attributes["exitCode"] for event in witness.happened("die", "init")] == ["1", "1", "0"]
        starts, ends = witness.started("init"), witness.died("init")
        init = pod.status.container("init")
        assert init.restart_count == 2
        # The first retry is at once, the second waits 1 s, by the time of the end, of which the engine's event may be late.
        assert init.last_state is not None
        assert init.last_state.finished_at is not None
        waited = starts[2] - init.last_state.finished_at
        assert waited > 0.9
        # A wait of a second may never be seen; that there was one is told, but where its time was over at the first look.
        told = {each.container for each in pod.events if each.reason == "BackOff"}
        assert told == {"init"} or waited > 1.8
        assert witness.started("app")[0] > ends[2]
    finally:
        pod.stop()


def test_with_never_a_failed_init_container_fails_the_start(namespace: str, witness: Witness) -> None:
    inits = [shell("fine", "true"), shell("bad", "echo no such table >&2; exit 7"), shell("later", "true")]
    with pytest.raises(PodStartError, match=r"^cannot start pod .*container 'bad'") as caught:
        _pod(namespace, inits, shell("app", SERVE), restart_policy="Never").start()
    assert (caught.value.container, caught.value.exit_code) == ("bad", 7)
    assert caught.value.log_tail == ("no such table",)
    assert witness.created() == {"fine", "bad"}
    assert witness.attempts("bad") == [0]
    assert witness.names() == []


def test_a_completed_init_container_runs_again_only_in_a_new_sandbox(
    namespace: str, witness: Witness
) -> None:
    with _pod(namespace, [shell("init", "sleep 0.1")], shell("app", f"{SERVE}; exit 1")) as pod:

        def app_runs_again(count: int) -> None:
            eventually(lambda: pod.refresh().container("app").restart_count == count, f"restart {count}")
            eventually(lambda: pod.refresh().ready_count == 1, "it runs")

        pod.exec(["touch", "/go"], "app")
        app_runs_again(1)
        assert witness.attempts("init") == [0]

        witness.remove("init")
        pod.exec(["touch", "/go"], "app")  # its next restart is proof that the pod was looked at since
        app_runs_again(2)
        assert witness.attempts("init") == [0]
        init = pod.status.container("init")
        assert isinstance(init.state, Terminated)
        assert (init.state.exit_code, init.state.reason, init.ready) == (0, "Completed", True)

        witness.kill_pause()
        # It may be tried in the dead sandbox first, where the engine tells late of that one's end.
        eventually(lambda: len(witness.attempts("init")) == 2 and pod.refresh().ready_count == 1, "a new one")
        first, second = witness.attempts("init")
        assert first < second
        assert is_ascending([witness.ran("init")[1], witness.started("app")[-1]])


def test_a_pod_that_is_stopped_during_its_init_starts_nothing_more(namespace: str, witness: Witness) -> None:
    pod = _pod(
        namespace,
        [shell("init", on_term("exit 0"))],
        shell("app", SERVE),
        termination_grace_period_seconds=10,
    ).start(wait=False)
    eventually(lambda: witness.attempts("init") == [0], "the init container runs")
    eventually(lambda: isinstance(pod.refresh().container("init").state, Running), "which is known")
    await_up(pod, "init")
    pod.stop()
    assert [event.attributes["exitCode"] for event in witness.happened("die", "init")] == ["0"]
    assert witness.created() == {"init"}
    assert witness.names() == []


# --- sidecars --------------------------------------------------------------------------------------------------------


def test_what_follows_a_sidecar_waits_for_its_startup_probe(namespace: str, witness: Witness) -> None:
    probe = Probe.exec(["test", "-e", "/up"], period_seconds=0.2, failure_threshold=1000, timeout_seconds=10)
    inits = [_sidecar("proxy", SERVE, startup_probe=probe), shell("init", "sleep 0.1")]
    pod = _pod(namespace, inits, shell("app", SERVE)).start(wait=False)
    try:
        eventually(lambda: any(event.reason == "Unhealthy" for event in pod.events), "a probe has failed")
        status = pod.refresh()
        assert isinstance(status.container("proxy").state, Running)
        assert not status.container("proxy").started
        assert status.phase is Phase.PENDING
        assert witness.created() == {"proxy"}

        pod.exec(["touch", "/up"], "proxy")
        eventually(lambda: pod.refresh().conditions["Ready"].status, "the pod is ready")
        assert witness.state("proxy")["Running"]
        assert witness.attempts("proxy") == [0]
        began, ended = witness.ran("init")
        assert is_ascending([*witness.started("proxy"), began])
        assert is_ascending([ended, *witness.started("app")])
        assert pod.status.ready_count == 2  # a sidecar counts
    finally:
        pod.stop()


@pytest.mark.parametrize(("policy", "code"), [("Never", 0), ("OnFailure", 5)])
def test_sidecars_are_restarted_on_any_exit_and_end_after_the_containers(
    namespace: str, witness: Witness, raw: docker.APIClient, policy: str, code: int
) -> None:
    inits = [
        _sidecar("early", on_term(f"sleep 0.1; exit {code}")),
        shell("init", "true"),
        _sidecar("late", on_term("sleep 0.1; exit 9")),
    ]
    pod = _pod(
        namespace, inits, shell("app", SERVE), restart_policy=policy, termination_grace_period_seconds=10
    )
    with pod:
        app = pod.refresh().container("app").container_id
        await_up(pod, "early", "late")
        raw.kill(pod.status.container("early").container_id, "SIGTERM")
        eventually(lambda: len(witness.died("early")) == 1, "the sidecar has ended")
        eventually(
            lambda: pod.refresh().container("early").started and pod.status.restart_count == 1, "again"
        )
        last = pod.status.container("early").last_state
        assert last is not None
        assert last.exit_code == code
        assert witness.attempts("early") == [0, 1]
        assert [witness.attempts(name) for name in ("init", "late", "app")] == [[0], [0], [0]]
        assert pod.status.container("app").container_id == app

        await_up(pod, "early")
        pod.exec(["touch", "/go"], "app")
        assert pod.wait("Completed", timeout=60).phase is Phase.SUCCEEDED
        eventually(lambda: witness.state("early")["Status"] == "exited", "the first sidecar ends")
        app_end, late_end = witness.ran("app")[1], witness.ran("late")[1]
        assert is_ascending([app_end, late_end, witness.ran("early")[1]])
        assert (witness.state("late")["ExitCode"], witness.state("early")["ExitCode"]) == (9, code)
        assert pod.refresh().phase is Phase.SUCCEEDED
        assert not pod.plan()
        assert witness.attempts("early") == [0, 1]


def test_a_stop_ends_sidecars_in_reverse_after_the_containers(namespace: str, witness: Witness) -> None:
    inits = [_sidecar("one", on_term("sleep 0.2; exit 0")), _sidecar("two", on_term("sleep 0.2; exit 0"))]
    containers = [shell("slow", on_term("sleep 0.4; exit 0")), shell("quick", on_term("exit 0"))]
    with _pod(namespace, inits, *containers, termination_grace_period_seconds=30) as pod:
        await_up(pod, "one", "two", "slow", "quick")
    last = max(*witness.died("quick"), *witness.died("slow"))
    assert is_ascending([last, *witness.died("two"), *witness.died("one")])
    died = witness.happened("die")
    assert [event.attributes["exitCode"] for event in died if "_pause_" not in event.name] == ["0"] * 4
    signals = {event.name.split("_")[-2]: event for event in witness.happened("kill")}
    assert signals["two"].at > last
    assert signals["one"].at > witness.died("two")[0]


def test_a_stop_takes_no_longer_than_the_grace_and_two_seconds(namespace: str, witness: Witness) -> None:
    deaf = on_term(":")
    with _pod(
        namespace,
        [_sidecar("one", deaf), _sidecar("two", deaf)],
        shell("app", deaf),
        termination_grace_period_seconds=1,
    ) as pod:
        await_up(pod, "one", "two", "app")
        begun = time.time()
        pod.stop()
    ends = {name: witness.died(name)[0] - begun for name in ("app", "two", "one")}
    assert ends["app"] > 0.9  # they had their grace
    assert max(ends.values()) < 1 + 2 + SLACK
    signals = [event.attributes["signal"] for event in witness.happened("kill", "app")]
    assert signals[0] == "15"
