"""The sandbox dies by somebody else's hand: the pod ends, and lives again on a new one, at its old address.

Each fault is made by hand, on three pods at once: with one PID space, with private ones, and one that must not live again.
"""

from __future__ import annotations

import contextlib
import signal
import time
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import docker
import pytest

import pypod
from pypod import Container, Event, Phase, Pod, Probe, Volume
from pypod.engine import gate
from pypod.engine.api import Engine
from tests.contract.harness import seconds
from tests.images import BUSYBOX
from tests.integration.conftest import STAY, eventually, together
from tests.integration.life import Witness
from tests.integration.processes import PATIENCE, Child, Look, stays

pytestmark = pytest.mark.docker

HEALING = 30.0
"""Seconds in which pods must be whole again: a guard. How long it takes is printed, and measured in benchmarks/."""
TRIES = 2
"""Restarts that the end of one sandbox may cost a member: a busy engine (20.10) tells of the members' ends some time before it tells
of that of the pause which was the cause, and then they are tried in that sandbox first."""


@pytest.fixture
def look(raw: docker.APIClient) -> Look:
    return Look(raw)


@pytest.fixture
def witness(raw: docker.APIClient, namespace: str) -> Witness:
    return Witness(raw, namespace)


def _kill(raw: docker.APIClient, pause: str) -> None:
    raw.kill(pause)


def _stop(raw: docker.APIClient, pause: str) -> None:
    raw.stop(pause)


def _restart(raw: docker.APIClient, pause: str) -> None:
    raw.restart(pause)


def _remove(raw: docker.APIClient, pause: str) -> None:
    raw.remove_container(pause, force=True)


def _disconnect(raw: docker.APIClient, pause: str) -> None:
    for network in raw.inspect_container(pause)["NetworkSettings"]["Networks"].values():
        raw.disconnect_container_from_network(pause, network["NetworkID"], force=True)


def _has_no_network(raw: docker.APIClient, pause: str) -> bool:
    return not raw.inspect_container(pause)["NetworkSettings"]["Networks"]


FAULTS = {
    "killed": _kill,
    "stopped": _stop,
    "restarted": _restart,
    "removed": _remove,
    "disconnected": _disconnect,
}


def _shell(name: str, script: str, **more: Any) -> Container:
    return Container(name, BUSYBOX, command=["sh", "-c", script], mounts={"data": "/data"}, **more)


def _pod(namespace: str, name: str, **more: Any) -> Pod:
    """Its volume tells how often its init container ran, and how often `web` started. On a network of the test's own nobody
    else takes an address that is free for a moment."""
    probe = Probe.http_get("/page", port=8080, period_seconds=1)
    serve = "echo x >> /data/starts; echo hello > /data/page; exec httpd -f -p 8080 -h /data"
    web = _shell("web", serve, readiness_probe=probe)
    return Pod(
        name,
        init_containers=[_shell("init", "echo x >> /data/inits")],
        containers=[web, Container("side", BUSYBOX, command=STAY)],
        volumes=[Volume.empty_dir("data")],
        namespace=namespace,
        **{"termination_grace_period_seconds": 0, "network": namespace, **more},
    )


def _instances(look: Look, pod: Pod, container: str) -> dict[int, dict[str, Any]]:
    """What the engine tells of each instance of a container, by attempt; one that goes or comes meanwhile is left out."""
    found = {}
    for name in look.containers(f"_{pod.uid[:8]}_{container}_"):
        with contextlib.suppress(docker.errors.NotFound):
            found[int(name.rpartition("_")[2])] = look.api.inspect_container(name)
    return found


def _pause(look: Look, namespace: str, name: str) -> str:
    """The one that there is when the one before it has gone."""
    pauses: list[str] = []

    def is_one() -> bool:
        pauses[:] = look.containers(f"_{namespace}_{name}_pause_")
        return len(pauses) == 1

    eventually(is_one, f"{name} has one pause")
    return pauses[0]


def _is_whole(pod: Pod, old: set[str]) -> bool:
    """Ready, and nothing of what there was runs."""
    status = pod.refresh()
    ids = {each.container_id for each in (*status.init_container_statuses, *status.container_statuses)}
    return status.conditions["Ready"].status and not ids & old


def _ids(pod: Pod) -> set[str]:
    status = pod.refresh()
    return {each.container_id for each in (*status.init_container_statuses, *status.container_statuses)}


def _check_moved(look: Look, pod: Pod) -> None:
    """Members of an older sandbox had ended before their successors began, and these live on the new sandbox. One may have been
    tried in the older one once more (see `TRIES`)."""
    pause = look.api.inspect_container(_pause(look, pod.namespace, pod.name))
    assert pause["State"]["Running"]
    for name in ("web", "side"):
        instances = _instances(look, pod, name)
        *dead, alive = (instances[attempt] for attempt in sorted(instances))
        assert 1 <= len(dead) <= TRIES, f"{name}: {sorted(instances)}"
        for each in dead:
            assert not each["State"]["Running"]
            assert seconds(each["State"]["FinishedAt"]) <= seconds(alive["State"]["StartedAt"])
        for space in ("NetworkMode", "IpcMode"):
            assert alive["HostConfig"][space] == f"container:{pause['Id']}"
    assert pod.exec(["cat", "/data/inits", "/data/starts"], "web").stdout == "x\nx\n" * 2
    (changed,) = _events(pod, "SandboxChanged")
    assert changed.type == "Normal"
    assert pod.status.phase is Phase.RUNNING
    assert all(1 <= status.restart_count <= TRIES for status in pod.status.container_statuses)
    assert _page(pod) == b"hello\n"


def _page(pod: Pod) -> bytes:
    host, port = pod.address(8080)
    with urllib.request.urlopen(f"http://{host}:{port}/page", timeout=5) as answer:
        page: bytes = answer.read()
    return page


def _events(pod: Pod, reason: str) -> list[Event]:
    return [event for event in pod.events if event.reason == reason]


def _is_over(pod: Pod) -> bool:
    return pod.refresh().phase is Phase.FAILED


@pytest.mark.parametrize("fault", FAULTS)
def test_a_pod_without_its_sandbox_gets_a_new_one(
    namespace: str, look: Look, witness: Witness, raw: docker.APIClient, engine: Engine, fault: str
) -> None:
    shared = _pod(namespace, "shared")
    private = _pod(namespace, "private", share_process_namespace=False)
    never = _pod(namespace, "never", restart_policy="Never")
    pods = (shared, private, never)
    with together(*pods):
        ips = {pod.name: pod.ip for pod in pods}
        old = {pod.name: _ids(pod) for pod in pods}
        pauses = {pod.name: raw.inspect_container(_pause(look, namespace, pod.name))["Id"] for pod in pods}
        begin = {}
        for pod in pods:
            begin[pod.name] = time.monotonic()
            # Not while the new sandbox of another one comes: the engine could count the network's endpoints wrong.
            with gate.alone(engine, [namespace]):
                FAULTS[fault](raw, pauses[pod.name])
        for pod in (shared, private):
            eventually(lambda: _is_whole(pod, old[pod.name]), f"{pod.name} is whole", timeout=HEALING)  # noqa: B023
            print(f"{fault}, {pod.name}: Ready again in {time.monotonic() - begin[pod.name]:.2f} s")
        eventually(lambda: _is_over(never), "a pod that is not to be restarted has failed")

        for pod in pods:
            # One without its network, of a pod that is over, is left: its log is the journal.
            lost = fault == "disconnected" and pod is never
            happened = _has_no_network(raw, pauses["never"]) if lost else witness.died(f"{pod.name}_pause")
            assert happened, f"the pause of {pod.name} was not {fault}"
        for pod in (shared, private):
            _check_moved(look, pod)
            # A pause that somebody restarts may take its address again just before the new one does.
            if fault != "restarted":
                assert pod.ip == ips[pod.name]
                assert [event.count for event in _events(pod, "SandboxChanged")] == [1]
        for name in ("init", "web", "side"):
            assert len(_instances(look, never, name)) == 1
            eventually(lambda: not _runs(look, never, name), f"{name} has ended")  # noqa: B023
        stays(lambda: _is_over(never), 0.5)
        assert not look.containers(f"_{namespace}_never_pause_1")
        assert not _events(never, "SandboxChanged")


def test_a_network_that_was_removed_or_made_again(
    namespace: str, look: Look, raw: docker.APIClient, unique: Callable[[str], str]
) -> None:
    """Where there is none, the pod makes it; where somebody has made one like it, the pod takes that."""
    names = {"removed": unique("a"), "again": unique("b")}
    pods = {kind: _pod(namespace, kind, network=network) for kind, network in names.items()}
    with together(*pods.values()):
        ips = {kind: pod.ip for kind, pod in pods.items()}
        old = {kind: _ids(pod) for kind, pod in pods.items()}
        made = {kind: _take_network_away(raw, _pause(look, namespace, kind)) for kind in pods}
        again = raw.create_network(
            made["again"]["Name"], ipam=made["again"]["IPAM"], labels=made["again"]["Labels"]
        )
        for kind, pod in pods.items():
            eventually(lambda: _is_whole(pod, old[kind]), f"{kind} is whole", timeout=HEALING)  # noqa: B023
            _check_moved(look, pod)
            assert pod.ip == ips[kind]
            on = raw.inspect_container(_pause(look, namespace, kind))["NetworkSettings"]["Networks"]
            (network,) = on.values()
            assert network["NetworkID"] != made[kind]["Id"]
            assert (network["NetworkID"] == again["Id"]) is (kind == "again")


def _take_network_away(raw: docker.APIClient, pause: str) -> dict[str, Any]:
    """From under a pause that runs; answers what it was."""
    ((name, network),) = raw.inspect_container(pause)["NetworkSettings"]["Networks"].items()
    found: dict[str, Any] = raw.inspect_network(network["NetworkID"])
    raw.disconnect_container_from_network(pause, found["Id"], force=True)
    raw.remove_network(found["Id"])
    assert not raw.networks(names=[name])
    return found


OWNER = """
serve = "echo hello > /page; exec httpd -f -p 8080 -h /"
probe = pypod.Probe.tcp_socket(8080)
with pod(containers=[member("web", "sh", "-c", serve, readiness_probe=probe)]) as p:
    ready(p.ip)
    time.sleep(60)
"""


def test_an_address_that_somebody_took_is_let_go(
    namespace: str, look: Look, raw: docker.APIClient, unique: Callable[[str], str]
) -> None:
    """The owner sleeps while the address is taken, or it would be faster."""
    with Child(namespace, OWNER) as owner:
        (ip,) = owner.ready()
        pause = _pause(look, namespace, "web")
        ((network, _),) = raw.inspect_container(pause)["NetworkSettings"]["Networks"].items()
        endpoint = raw.create_endpoint_config(ipv4_address=ip)
        thief = raw.create_container(
            BUSYBOX,
            list(STAY),
            name=unique("thief"),
            networking_config={"EndpointsConfig": {network: endpoint}},
            host_config=raw.create_host_config(network_mode=network),
        )["Id"]
        try:
            owner.process.send_signal(signal.SIGSTOP)
            raw.kill(pause)
            raw.start(thief)
            found = raw.inspect_container(thief)["NetworkSettings"]["Networks"][network]["IPAddress"]
            assert found == ip
            owner.process.send_signal(signal.SIGCONT)
            pod = pypod.get("web", namespace)
            eventually(lambda: pod.refresh().ready_count == 1, "it is whole", timeout=HEALING)
            assert pod.ip not in ("", ip)
            eventually(lambda: pod.refresh().pod_ip == pod.history.ip, "its journal tells the new one")
            assert _events(pod, "SandboxChanged")
            assert _page(pod) == b"hello\n"
        finally:
            owner.process.send_signal(signal.SIGCONT)
            raw.remove_container(thief, force=True)
        owner.interrupt()
        owner.wait(PATIENCE)


def test_a_sandbox_that_dies_during_the_init_containers_begins_them_again(
    namespace: str, look: Look, raw: docker.APIClient
) -> None:
    first = _shell("first", "echo x >> /data/first")
    second = _shell("second", "echo x >> /data/second; until [ -e /data/go ]; do sleep 0.05; done")
    web = _shell("web", "sleep 1000")
    pod = Pod(
        "web",
        init_containers=[first, second],
        containers=[web],
        volumes=[Volume.empty_dir("data")],
        namespace=namespace,
        termination_grace_period_seconds=0,
    )
    pod.start(wait=False)
    try:
        eventually(lambda: _runs(look, pod, "second"), "the second init container runs")
        eventually(lambda: pod.exec(["cat", "/data/second"], "second").stdout == "x\n", "and has begun")
        raw.kill(_pause(look, namespace, "web"))
        eventually(
            lambda: max(_instances(look, pod, "second"), default=0) > 0 and _runs(look, pod, "second"),
            "it runs again",
        )
        eventually(lambda: pod.exec(["cat", "/data/second"], "second").stdout == "x\nx\n", "and has begun")
        assert not _instances(look, pod, "web")
        assert not pod.refresh().conditions["Initialized"].status
        pod.exec(["touch", "/data/go"], "second")
        pod.wait("Ready", timeout=HEALING)
        assert pod.exec(["cat", "/data/first", "/data/second"], "web").stdout == "x\n" * 4
        done, killed = (each.restart_count for each in pod.status.init_container_statuses)
        assert done == 1
        assert 1 <= killed <= TRIES
        assert pod.status.container("web").restart_count == 0
    finally:
        pod.stop()


def _runs(look: Look, pod: Pod, container: str) -> bool:
    return any(each["State"]["Running"] for each in _instances(look, pod, container).values())


@pytest.mark.parametrize("delay", [0.0, 0.03])
def test_a_sandbox_that_dies_while_its_members_start_is_no_failure_of_the_start(
    namespace: str, witness: Witness, raw: docker.APIClient, delay: float
) -> None:
    """What the engine then says of a member ("namespace path: no such file or directory") is not about its command."""
    pods = [_stays(namespace, f"p{number}", shared=number % 2 == 0) for number in range(4)]
    with ThreadPoolExecutor(len(pods)) as threads:
        killing = [
            threads.submit(_kill_first, raw, f"pypod_{namespace}_{pod.name}_pause_0", delay) for pod in pods
        ]
        with together(*pods):
            for kill in killing:
                kill.result()
            for pod in pods:
                assert witness.died(f"{pod.name}_pause"), "its pause did not die"
                eventually(lambda: pod.refresh().ready_count == 3, f"{pod.name} is ready", timeout=HEALING)  # noqa: B023


def _stays(namespace: str, name: str, *, shared: bool) -> Pod:
    return Pod(
        name,
        containers=[Container(each, BUSYBOX, command=STAY) for each in ("one", "two", "three")],
        namespace=namespace,
        termination_grace_period_seconds=0,
        share_process_namespace=shared,
    )


def _kill_first(raw: docker.APIClient, pause: str, delay: float) -> None:
    """Kill a pause that is about to be made a moment after it runs."""

    def runs() -> bool:
        try:
            return bool(raw.inspect_container(pause)["State"]["Running"])
        except docker.errors.NotFound:
            return False

    deadline = time.monotonic() + HEALING
    while not runs():
        assert time.monotonic() < deadline, f"{pause} does not run"
        time.sleep(0.002)
    time.sleep(delay)
    raw.kill(pause)


def test_it_heals_again_and_again(namespace: str, look: Look, raw: docker.APIClient) -> None:
    """Each new sandbox is told everything: counts go up, and nothing of the first ones is left but the last dead instances."""
    with _pod(namespace, "web") as pod:
        ip = pod.ip
        for number in (1, 2, 3):
            old = _ids(pod)
            raw.kill(_pause(look, namespace, "web"))
            eventually(lambda: _is_whole(pod, old), f"whole, time {number}", timeout=HEALING)  # noqa: B023
            assert pod.ip == ip
            (changed,) = _events(pod, "SandboxChanged")
            assert changed.count == number
            counts = [each.restart_count for each in pod.status.container_statuses]
            assert all(number <= count <= TRIES * number for count in counts), counts
        for name in ("web", "side"):
            eventually(partial(_has_its_last_two, look, pod, name), f"the last two {name} are left")
        assert _pause(look, namespace, "web").endswith("_3")
        assert pod.exec(["cat", "/data/inits"], "web").stdout == "x\n" * 4


def _has_its_last_two(look: Look, pod: Pod, name: str) -> bool:
    last = pod.status.container(name).restart_count
    return sorted(_instances(look, pod, name)) == [last - 1, last]
