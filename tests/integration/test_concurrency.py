"""Many at once: threads and processes that start pods, with names of their own or all with one."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import docker
import pytest

import pypod
from pypod import Container, Pod
from tests.images import BUSYBOX
from tests.integration.processes import PATIENCE, Child, Look

pytestmark = pytest.mark.docker

PODS, THREADS = 16, 8


@pytest.fixture
def look(raw: docker.APIClient) -> Look:
    return Look(raw)


def _pod(namespace: str, name: str, **more: Any) -> Pod:
    member = Container("one", BUSYBOX, command=["sleep", "1000"], env={"WHO": more.pop("who", "")})
    return Pod(name, containers=[member], namespace=namespace, termination_grace_period_seconds=0, **more)


def test_sixteen_pods_from_eight_threads(namespace: str, look: Look) -> None:
    pods = [_pod(namespace, f"p{n}") for n in range(PODS)]
    try:
        with ThreadPoolExecutor(THREADS) as threads:
            list(threads.map(Pod.start, pods))
            assert len(look.containers(namespace, running=True)) == 2 * PODS
            ips = set(threads.map(lambda pod: pod.ip, pods))
            assert len(ips) == PODS
            said = threads.map(lambda pod: pod.exec(["hostname"]).stdout.strip(), pods)
            assert sorted(said) == sorted(pod.name for pod in pods)
            assert len(pypod.list(namespace)) == PODS
            list(threads.map(Pod.stop, pods))
    finally:
        for pod in pods:
            pod.stop()
    assert look.left(namespace) == []


def _race(count: int, start: Callable[[int], Pod]) -> tuple[list[Pod], list[BaseException]]:
    """The same thing at the same moment in many threads: what they got, and what they raised."""
    barrier = threading.Barrier(count)
    won: list[Pod] = []
    lost: list[BaseException] = []

    def run(number: int) -> None:
        try:
            barrier.wait(60)
            won.append(start(number))
        except BaseException as error:  # the test looks at it
            lost.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(90)
    assert not any(thread.is_alive() for thread in threads)
    return won, lost


@pytest.mark.parametrize("detach", [False, True], ids=["leased", "detached"])
def test_one_of_many_starts_of_a_name_wins(namespace: str, look: Look, detach: bool) -> None:
    won, lost = _race(THREADS, lambda number: _pod(namespace, "same", who=str(number)).start(detach=detach))
    try:
        assert Counter(type(error) for error in lost) == {pypod.PodExistsError: THREADS - 1}, lost
        assert len(won) == 1
        assert all(str(error).startswith(f"cannot start pod '{namespace}/same'") for error in lost)
        assert len(look.left(namespace)) == len(look.containers(namespace, running=True)) == 2
        who = won[0].spec.containers[0].env[0].value
        assert won[0].exec(["sh", "-c", "echo $WHO"]).stdout == f"{who}\n"
    finally:
        for pod in won:
            pod.stop()
    assert look.left(namespace) == []


NETWORK = """\
from threading import Thread
connection = pypod.connect()
pods = [pod(f"p{{os.getpid()}}-{{n}}", [member("one")], network={network!r}) for n in range(2)]
ready()
while time.time() < {at}:
    time.sleep(0.001)
threads = [Thread(target=p.start) for p in pods]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
ready(*[p.ip for p in pods])
time.sleep(200)
"""


def test_four_processes_make_one_network_which_goes_with_its_last_pod(namespace: str, look: Look) -> None:
    body = NETWORK.format(network=namespace, at=time.time() + 2)
    with ExitStack() as stack:
        children = [stack.enter_context(Child(namespace, body)) for _ in range(4)]
        for child in children:
            child.ready()
        ips = [ip for child in children for ip in child.ready(90)]
        assert len(set(ips)) == 8
        networks = [network for network in look.api.networks() if namespace in network["Name"]]
        assert len(networks) == 1
        assert len(look.api.inspect_network(networks[0]["Id"])["Containers"]) == 8
        last = children.pop()
        for child in children:
            child.interrupt()
        for child in children:
            child.wait(90)
        assert [network["Name"] for network in look.api.networks() if namespace in network["Name"]]
        assert len(look.containers(namespace, running=True)) == 4
        last.interrupt()
        last.wait(PATIENCE)
        assert look.left(namespace) == []


def test_pods_come_and_go_on_an_isolated_network_at_the_same_time(namespace: str, look: Look) -> None:
    """The network's last pod leaves while the next one comes: never an error, never a network that is left."""

    def lives(number: int) -> list[str]:
        ips = []
        for life in range(2):
            with _pod(namespace, f"p{number}-{life}", network=namespace) as pod:
                ips.append(pod.ip)
        return ips

    with ThreadPoolExecutor(4) as threads:
        assert all(ip for ips in threads.map(lives, range(4)) for ip in ips)
    assert look.left(namespace) == []


def test_one_pod_is_used_from_many_threads(namespace: str) -> None:
    with _pod(namespace, "web") as pod, ThreadPoolExecutor(THREADS) as threads:
        said = threads.map(lambda n: pod.exec(["sh", "-c", f"echo {n}; exit {n}"]), range(20))
        assert [(result.exit_code, result.stdout) for result in said] == [(n, f"{n}\n") for n in range(20)]
        list(threads.map(lambda _: pod.refresh(), range(20)))
        list(threads.map(lambda _: pod.stop(), range(THREADS)))
