"""Supervision outlives the caller, and holds no state: whoever looks after a pod, nothing happens twice, and any process sees
the same.

Detached pods are on an engine of the tests' own, where no other session's background program does the work.
"""

from __future__ import annotations

import random
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import docker
import pytest

import pypod
from pypod import Container, Event, Pod, Probe
from pypod.engine import checks
from pypod.engine.checks import CheckResult, Target
from pypod.model.life.status import ContainerStatus
from pypod.model.spec.handlers import ProbeHandler
from tests.images import BUSYBOX
from tests.integration.conftest import eventually
from tests.integration.life import Witness
from tests.integration.private_engine import PrivateEngine, private, private_engine
from tests.integration.processes import PATIENCE, Child, Look

__all__ = ["private", "private_engine"]
pytestmark = pytest.mark.docker

CLI = [sys.executable, "-m", "pypod"]
LOOK_EVERY = 0.02

MANIFEST = """\
apiVersion: v1
kind: Pod
metadata: {{name: web, namespace: {namespace}}}
spec:
  terminationGracePeriodSeconds: 0
  initContainers:
  - name: init
    image: {image}
    command: [sh, -c, "echo x >> /data/init"]
    volumeMounts: [{{name: data, mountPath: /data}}]
  - name: side
    image: {image}
    restartPolicy: Always
    command: [sh, -c, "echo x >> /data/side; touch /up; sleep 1000"]
    startupProbe: {{exec: {{command: [test, -e, /up]}}, periodSeconds: 1, timeoutSeconds: 10}}
    volumeMounts: [{{name: data, mountPath: /data}}]
  containers:
  - name: web
    image: {image}
    command: [sh, -c, "echo x >> /data/web; echo hello > /page; exec httpd -f -p 8080 -h /"]
    readinessProbe: {{httpGet: {{path: /page, port: 8080}}, periodSeconds: 1, timeoutSeconds: 10}}
    livenessProbe: {{exec: {{command: ["true"]}}, periodSeconds: 1, timeoutSeconds: 10}}
    lifecycle: {{postStart: {{exec: {{command: [sh, -c, "echo x >> /data/hook"]}}}}}}
    volumeMounts: [{{name: data, mountPath: /data}}]
  - name: crash
    image: {image}
    command: [sh, -c, "echo x >> /data/crash; [ $(wc -l < /data/crash) -gt 1 ] || exit 3; sleep 1000"]
    volumeMounts: [{{name: data, mountPath: /data}}]
  volumes: [{{name: data, emptyDir: {{}}}}]
"""
COUNTED = ("init", "side", "web", "hook", "crash")


def _counts(pod: Pod) -> dict[str, int]:
    """How often each was started, or run, as they tell themselves."""
    said = pod.exec(["wc", "-l", *(f"/data/{name}" for name in COUNTED)], "web", check=True).stdout
    return {
        path.rpartition("/")[2]: int(lines)
        for lines, path in map(str.split, said.splitlines()[: len(COUNTED)])
    }


def _statuses(pod: Pod) -> tuple[ContainerStatus, ...]:
    return (*pod.status.init_container_statuses, *pod.status.container_statuses)


def _restarts(pod: Pod) -> dict[str, int]:
    return {each.name: each.restart_count for each in _statuses(pod)}


def _is_ready(pod: Pod) -> bool:
    conditions = pod.refresh().conditions
    return "Ready" in conditions and conditions["Ready"].status


class Watch:
    """What another process than the supervisor's sees of a pod, looked at every 20 ms.

    Attributes:
        seen: each state that it was in, once, as it came.
        looks: how often it was looked at.
    """

    def __init__(self, pod: Pod) -> None:
        self.seen: list[dict[str, tuple[object, ...]]] = []
        self.looks = 0
        self._pod = pod
        self._over = threading.Event()
        self._error: BaseException | None = None
        self._events: dict[tuple[str, str, str], int] = {}
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join(10)
        if error is None and self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            while not self._over.wait(LOOK_EVERY):
                self._look()
        except BaseException as error:  # told of where the block ends
            self._error = error

    def _look(self) -> None:
        self._pod.refresh()
        self.looks += 1
        now: dict[str, tuple[object, ...]] = {
            each.name: (
                type(each.state).__name__,
                each.started,
                each.ready,
                each.restart_count,
                each.container_id,
            )
            for each in _statuses(self._pod)
        }
        if not self.seen or self.seen[-1] != now:
            self.seen.append(now)
        self._check_events(self._pod.events)

    def _check_events(self, events: tuple[Event, ...]) -> None:
        counts = {(event.reason, event.container, event.message): event.count for event in events}
        for key, before in self._events.items():
            assert counts.get(key, 0) >= before, (
                f"event {key} was counted {before} times, now {counts.get(key)}"
            )
        self._events = counts


@pytest.fixture
def web(private: PrivateEngine, namespace: str, tmp_path: Path) -> Iterator[Pod]:
    """A pod that the CLI started and the background program looks after; one of its containers has crashed once."""
    file = tmp_path / "pod.yaml"
    file.write_text(MANIFEST.format(namespace=namespace, image=BUSYBOX))
    done = subprocess.run(
        [*CLI, "up", "-d", "-f", str(file)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    pod = pypod.get("web", namespace)
    assert pod.refresh().container("web").ready
    eventually(lambda: _is_ready(pod) and _restarts(pod)["crash"] == 1, "it has crashed once")
    eventually(lambda: len(private.programs()) == 1, "the background program runs")
    eventually(lambda: _counts(pod)["crash"] == 2, "it has said that it runs again")
    yield pod
    pod.stop(grace=0)


def _supervise() -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [*CLI, "supervise"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def _kill(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait(PATIENCE)


def test_background_programs_come_and_go_and_the_pod_sees_nothing_of_it(
    private: PrivateEngine, web: Pod
) -> None:
    """Killed at any time, started twice at a time: one of the two looks after the pod, the other leaves."""
    before = {**_restarts(web)}, _counts(web)
    with Watch(pypod.get("web", web.namespace)) as watch:
        private.kill_programs()
        for pause in (0.0, 0.2, 0.5, random.uniform(0.2, 1.2), 1.5):
            both = [_supervise(), _supervise()]
            time.sleep(pause)  # at which point of its life it is killed is the point
            for process in both:
                _kill(process)
        both = [_supervise(), _supervise()]
        eventually(lambda: 0 in [process.poll() for process in both], "the second one leaves")
        (stays,) = (process for process in both if process.poll() is None)
        witness = Witness(private.raw, web.namespace)
        eventually(lambda: _probes(witness) > 3, "the one that stays looks after the pod")
    try:
        assert len(watch.seen) == 1, watch.seen
        assert watch.looks > 5  # hundreds on a machine with nothing else to do
        assert (_restarts(web), _counts(web)) == before

        private.raw.kill(web.status.container("web").container_id)
        eventually(lambda: _is_ready(web) and _restarts(web)["web"] == 1, "what crashes then is restarted")
        again = _counts(web)
        assert again == {**before[1], "web": 2, "hook": 2}
    finally:
        _kill(stays)


def _probes(witness: Witness) -> int:
    """How often the liveness probe was run so far."""
    return sum(each.what.startswith("exec_create: true") for each in witness.happened("exec_create", "web"))


def test_a_crash_while_nobody_looks_is_made_up_for(private: PrivateEngine, web: Pod) -> None:
    before, counts = _restarts(web), _counts(web)
    private.kill_programs()
    private.raw.kill(web.status.container("crash").container_id)
    eventually(lambda: not web.refresh().container("crash").ready, "it has ended")
    assert _restarts(web) == before
    program = _supervise()
    try:
        eventually(lambda: _is_ready(web), "it is restarted")
        assert _restarts(web) == {**before, "crash": before["crash"] + 1}
        eventually(lambda: _counts(web) == {**counts, "crash": counts["crash"] + 1}, "it says so")
    finally:
        _kill(program)


def test_a_sandbox_that_dies_while_nobody_looks_is_made_again(private: PrivateEngine, web: Pod) -> None:
    """And the new one's journal tells of what was before it."""
    before, counts, ip = _restarts(web), _counts(web), web.ip
    events = {(event.reason, event.container): event.count for event in web.events}
    private.kill_programs()
    (pause,) = private.look.containers(f"_{web.namespace}_web_pause_")
    private.raw.kill(pause)
    program = _supervise()
    try:
        eventually(lambda: _is_ready(web), "it is whole again")
        assert web.ip == ip
        assert _restarts(web) == {name: count + 1 for name, count in before.items()}
        eventually(lambda: _counts(web) == {name: count + 1 for name, count in counts.items()}, "all say so")
        now = {(event.reason, event.container): event.count for event in web.events}
        assert now["SandboxChanged", ""] == 1
        assert all(now.get(key, 0) >= count for key, count in events.items()), (events, now)
    finally:
        _kill(program)


SLOW = """
wait = "echo x >> /data/slow; until [ -e /data/go ]; do sleep 0.05; done"
inits = [member("first", "sh", "-c", "echo x >> /data/first", mounts={"data": "/data"}),
         member("slow", "sh", "-c", wait, mounts={"data": "/data"})]
p = pod("web", [member("one", mounts={"data": "/data"})], init_containers=inits, volumes=[pypod.Volume.empty_dir("data")])
ready()
p.start(detach=True)
"""


@pytest.mark.parametrize("runs", [True, False], ids=["runs", "does not run yet"])
def test_a_starter_that_is_killed_leaves_the_rest_to_the_background_program(
    private: PrivateEngine, namespace: str, runs: bool
) -> None:
    program = _supervise() if runs else None
    try:
        with Child(namespace, SLOW) as starter:
            starter.ready()
            eventually(
                lambda: private.look.containers("_slow_0", running=True), "the slow init container runs"
            )
            starter.kill()
        pod = pypod.get("web", namespace)
        assert not pod.refresh().conditions["Initialized"].status
        assert not private.look.containers("_one_0")
        pod.exec(["touch", "/data/go"], "slow")
        eventually(lambda: _is_ready(pod), "the background program finishes the start")
        assert pod.exec(["cat", "/data/first", "/data/slow"], "one").stdout == "x\nx\n"
        assert set(_restarts(pod).values()) == {0}
        pod.stop(grace=0)
    finally:
        if program is not None:
            _kill(program)


# --- any process sees the same ---------------------------------------------------------------------------------------

OTHER = """
probe = pypod.Probe.exec(["test", "-e", "/ok"], period_seconds=0.1, failure_threshold=1, timeout_seconds=10)
with pod("web", [member("one", "sh", "-c", "touch /ok; sleep 1000", readiness_probe=probe)]):
    ready()
    time.sleep(100)
"""


def test_a_change_of_readiness_is_seen_by_another_process_at_once(namespace: str) -> None:
    """0.2 s are promised, from when it is known. Most of the times long before the 10 s after which everything is looked at again:
    whoever looks may have to wait for his turn."""
    took = []
    with Child(namespace, OTHER) as owner:
        owner.ready()
        pod = pypod.get("web", namespace)
        for command, expected in (("rm", False), ("touch", True)) * 3:
            pod.exec([command, "/ok"], check=True)
            while _is_ready(pod) is not expected:
                time.sleep(0.005)
            took.append(time.time() - pod.history.record("one", 0).probes["readiness"].at)
        assert {event.reason for event in pod.events} >= {"Unhealthy", "Started"}
        owner.interrupt()
        owner.wait(PATIENCE)
    print(f"seen after {', '.join(f'{seconds * 1000:.0f} ms' for seconds in took)}")
    assert statistics.median(took) < 5.0, took


def test_a_thousand_failures_do_not_fill_the_journal(
    namespace: str, raw: docker.APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are counted; what is written is limited. A new process reads the rest in no time."""
    tries = 0
    real = checks.check

    def count(target: Target, handler: ProbeHandler, timeout: float, *, wait: float = 0.0) -> CheckResult:
        nonlocal tries
        tries += 1
        return real(target, handler, timeout, wait=wait)

    monkeypatch.setattr(checks, "check", count)
    probe = Probe.tcp_socket(81, period_seconds=0.02, failure_threshold=100_000)
    members = [
        Container(
            f"m{number}", BUSYBOX, command=["sleep", "1000"], readiness_probe=probe, liveness_probe=probe
        )
        for number in range(4)
    ]
    pod = Pod("web", containers=members, namespace=namespace, termination_grace_period_seconds=0)
    pod.start(wait=False)
    try:
        eventually(lambda: tries > 500, "hundreds of probes have failed", timeout=60)
        (pause,) = Look(raw).containers(f"_{namespace}_web_pause_")
        early = len(raw.logs(pause))
        eventually(lambda: tries > 1500, "a thousand more have failed", timeout=60)
        late = raw.logs(pause)
        unhealthy = [event for event in pod.events if event.reason == "Unhealthy"]
        assert {event.container for event in unhealthy} == {f"m{number}" for number in range(4)}
        assert len(late) < 100_000, f"{len(late)} bytes in {late.count(b'k')} entries"
        assert len(late) - early < 10_000
        took = []
        for _ in range(3):
            begin = time.monotonic()
            assert pypod.get("web", namespace).status.ready_count == 0
            took.append(time.monotonic() - begin)
        print(f"{tries} tries, {len(late)} bytes of journal, read in {min(took):.3f} s")
        assert min(took) < 5.0, took
    finally:
        pod.stop()
