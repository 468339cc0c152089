"""The engine's daemon goes, in peace or killed, and comes back: pods are whole again, and nothing was taken for abandoned.

On a dockerd of the tests' own: everybody else's containers would end with the other one.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

import pypod
from pypod import Container, Pod, Probe, background
from pypod.supervisor import supervisor_of
from tests.images import BUSYBOX
from tests.integration.conftest import eventually
from tests.integration.life import Witness
from tests.integration.private_engine import PrivateEngine, private, private_engine
from tests.integration.processes import Child, stays

__all__ = ["private", "private_engine"]
pytestmark = pytest.mark.docker

HEALING = 60.0
"""Seconds from the engine's first answer in which a pod must be whole again: a guard. How long it takes is printed."""
SERVE = "echo hello > /page; httpd -p 8080 -h /; trap exit TERM; while :; do sleep 0.1; done"
CRASHES_ONCE = (
    "[ -e /data/crashed ] || { touch /data/crashed; exit 3; }; trap exit TERM; while :; do sleep 0.1; done"
)


def _pod(namespace: str, name: str, *, shared: bool = True) -> Pod:
    probe = Probe.http_get("/page", port=8080, period_seconds=1, timeout_seconds=10)
    return Pod(
        name,
        init_containers=[_shell("init", "echo x >> /data/inits")],
        containers=[_shell("web", SERVE, readiness_probe=probe), _shell("crash", CRASHES_ONCE)],
        volumes=[pypod.Volume.empty_dir("data")],
        namespace=namespace,
        termination_grace_period_seconds=0,
        share_process_namespace=shared,
    )


def _shell(name: str, script: str, *, readiness_probe: Probe | None = None) -> Container:
    command = ["sh", "-c", script]
    return Container(
        name, BUSYBOX, command=command, mounts={"data": "/data"}, readiness_probe=readiness_probe
    )


def _is_ready(pod: Pod) -> bool:
    conditions = pod.refresh().conditions
    return "Ready" in conditions and conditions["Ready"].status


def _counts(pod: Pod) -> dict[str, int]:
    return {each.name: each.restart_count for each in pod.status.container_statuses}


def _ids(pod: Pod) -> dict[str, str]:
    return {each.name: each.container_id for each in pod.status.container_statuses}


def _settle(pod: Pod) -> None:
    """What crashes once has crashed, and all is well."""
    eventually(lambda: _is_ready(pod) and _counts(pod) == {"web": 0, "crash": 1}, f"{pod.name} is ready")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["stopped", "killed"])
def test_pods_are_whole_again_when_the_engine_is_back(
    private: PrivateEngine, namespace: str, number: signal.Signals
) -> None:
    """One of this process, one of the background program, one of each kind of PID space."""
    with _pod(namespace, "leased") as leased:
        detached = _pod(namespace, "detached", shared=False).start(detach=True)
        pods = (leased, detached)
        for pod in pods:
            _settle(pod)
        before = {pod.name: (pod.uid, pod.ip, _ids(pod)) for pod in pods}
        eventually(lambda: len(private.programs()) == 1, "one background program is at work")
        programs = private.programs()

        private.stop(number)
        with pytest.raises(pypod.EngineUnavailableError):
            leased.refresh()
        witness = Witness(private.raw, namespace)
        private.start()
        began = time.monotonic()
        for pod in pods:
            eventually(lambda: _is_ready(pod), f"{pod.name} is ready again", timeout=HEALING)  # noqa: B023
            print(
                f"{number.name}, {pod.name}: Ready {time.monotonic() - began:.2f} s after the engine's answer"
            )

        assert private.programs() == programs
        for pod in pods:
            uid, ip, ids = before[pod.name]
            assert pypod.get(pod.name, namespace).uid == uid
            assert pod.ip == ip
            assert not set(ids.values()) & set(_ids(pod).values()), "the engine did not end them"
            assert _counts(pod) == {"web": 1, "crash": 2}
            short = uid[:8]
            for name in ("init", "web", "crash"):
                assert len(witness.attempts(f"{short}_{name}")) == 1, f"{pod.name}: {name} was started twice"
            assert pod.exec(["cat", "/data/inits"], "web").stdout == "x\nx\n"
            assert [event.count for event in pod.events if event.reason == "SandboxChanged"] == [1], (
                pod.name,
                pod.events,
            )
        detached.stop()


def test_the_background_program_waits_for_an_engine_that_is_away_for_long(
    private: PrivateEngine, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Longer than it stays where there is nothing to do; that is 1.5 s here."""
    monkeypatch.setenv("PYPOD_BACKGROUND", "0")
    pod = _pod(namespace, "detached").start(detach=True)
    stop = threading.Event()
    program = threading.Thread(
        target=background.run, args=(private.engine,), kwargs={"idle": 1.5, "stop": stop}
    )
    program.start()
    try:
        eventually(lambda: pod.uid in supervisor_of(private.engine), "it has seen the pod")
        _settle(pod)
        private.stop()
        stays(program.is_alive, 3.0)
        private.start()
        eventually(lambda: _is_ready(pod), "it is ready again", timeout=HEALING)
        pod.stop()
        program.join(30)
        assert not program.is_alive(), "nothing is left to do"
    finally:
        stop.set()
        program.join(5)
        pod.stop(grace=0)


OWNER = """
page = "echo hello > /page; httpd -p 8080 -h /; trap exit TERM; while :; do sleep 0.1; done"
with pod("leased", [member("web", "sh", "-c", page)], share_process_namespace={shared}) as p:
    ready(p.uid)
    time.sleep(100)
"""


@pytest.fixture
def live_restore(private: PrivateEngine) -> Iterator[PrivateEngine]:
    """The engine, with the option with which containers outlive it."""
    private.stop()
    private.start("--live-restore")
    yield private
    private.stop()
    private.start()


def test_with_live_restore_a_pod_loses_its_lease_and_goes_with_its_owner_all_the_same(
    live_restore: PrivateEngine, namespace: str
) -> None:
    """It is told of; nothing is removed while the owner lives; the background program does what the lease would have."""
    look = live_restore.look
    with (
        Child(namespace, OWNER.format(shared=True)) as shared,
        Child(f"{namespace}-p", OWNER.format(shared=False)) as apart,
    ):
        for owner in (shared, apart):
            owner.ready()
        eventually(lambda: background.is_running(live_restore.engine), "the background program is at work")
        before = _running(live_restore, namespace)
        assert len(before) == 4
        live_restore.stop()
        live_restore.start("--live-restore")
        assert _running(live_restore, namespace) == before
        stays(lambda: _running(live_restore, namespace) == before, 2.0)
        assert pypod.sweep() == []
        assert pypod.get("leased", namespace).status.ready_count == 1
        said = subprocess.run(
            [sys.executable, "-m", "pypod", "doctor"], capture_output=True, text=True, timeout=60, check=False
        )
        (line,) = (line for line in said.stdout.splitlines() if "live-restore" in line)
        assert line.startswith("!"), said.stdout

        assert live_restore.programs()  # and yet it removed nothing
        live_restore.kill_programs()
        for owner in (shared, apart):
            owner.kill()
        stays(lambda: _running(live_restore, namespace) == before, 1.0)  # no lease ends them
        background.ensure_running(live_restore.engine)
        eventually(lambda: look.left(namespace) == [], "the background program removes them")


def _running(engine: PrivateEngine, namespace: str) -> set[str]:
    """The IDs of what runs."""
    return {
        entry["Id"] for entry in engine.raw.containers() if any(namespace in name for name in entry["Names"])
    }
