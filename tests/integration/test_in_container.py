"""pypod inside a container that has the engine's socket: how most CI runs tests."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import docker
import pytest

import pypod
from pypod.engine.api import Engine
from tests.images import TOOLS
from tests.integration.containers import SITE, Inside, binds
from tests.integration.processes import PATIENCE, Look, end_background_programs, script, stays, until

pytestmark = pytest.mark.docker

SERVER = "member('one', 'sh', '-c', 'while true; do echo hello | nc -l -p 8080; done')"


@pytest.fixture
def look(raw: docker.APIClient) -> Look:
    return Look(raw)


Run = Callable[..., Inside]


@pytest.fixture
def inside(raw: docker.APIClient, engine: Engine, namespace: str) -> Iterator[Run]:
    """Runs a program in a container of its own, as process 1; they are removed after the test."""
    made: list[str] = []

    def run(body: str, *, network: str = "bridge", background: str = "1") -> Inside:
        container = raw.create_container(
            TOOLS,
            ["python3", "-c", script(namespace, body)],
            name=f"{namespace}-inside-{len(made)}",
            environment={
                "PYTHONPATH": SITE,
                "PYTHONDONTWRITEBYTECODE": "1",
                "PYPOD_BACKGROUND": background,
            },
            host_config=raw.create_host_config(binds=binds(engine), network_mode=network),
        )["Id"]
        made.append(container)
        raw.start(container)
        return Inside(raw, container)

    yield run
    for container in made:
        raw.remove_container(container, force=True, v=True)


def _pods(look: Look, namespace: str) -> list[str]:
    return look.containers(f"pypod_{namespace}_")


USE = f"""\
import socket
with pod(containers=[{SERVER}, member("two")]) as p:
    host, port = p.address(8080)
    said, end = "", time.monotonic() + 30
    while not said and time.monotonic() < end:  # nc may not listen yet
        try:
            with socket.create_connection((host, port), timeout=10) as connection:
                said = connection.makefile().readline().strip()
        except OSError:
            time.sleep(0.05)
    result = p.exec(["sh", "-c", "cat; exit 5"], "two", stdin="through")
    ready(json.dumps([host, port, p.ip, said, result.exit_code, result.stdout, p.logs("two")]).replace(" ", ""))
ready("left")
"""


@pytest.mark.parametrize("network", ["bridge", "pypod"])
def test_start_address_exec_and_exit(namespace: str, look: Look, inside: Run, network: str) -> None:
    """On Docker's default bridge a pod's address does not route, so the relay is taken; on the pods' network it does."""
    if not look.api.networks(names=[f"^{network}$"]):
        member = pypod.Container("one", TOOLS, command=["sleep", "1000"])
        with pypod.Pod("first", containers=[member], namespace=namespace, termination_grace_period_seconds=0):
            pass  # its network stays
    program = inside(USE, network=network)
    host, port, ip, said, code, echoed, logs = json.loads(program.ready()[0])
    assert (said, code, echoed, logs) == ("hello", 5, "through", "")
    if network == "bridge":
        assert host == "127.0.0.1"
    else:
        assert (host, port) == (ip, 8080)
    assert program.ready(1) == ["left"]
    assert program.wait() == 0, program.output
    assert _pods(look, namespace) == []


def test_an_error_in_there_leaves_nothing(namespace: str, look: Look, inside: Run) -> None:
    program = inside("with pod():\n    ready('up')\n    raise ValueError('mine')\n")
    assert program.wait() == 1
    assert "ValueError: mine" in program.output
    assert _pods(look, namespace) == []


HOLD = "with pod(share_process_namespace={shared}) as p:\n    ready(p.uid)\n    time.sleep(60)\n"


@pytest.mark.parametrize("shared", [True, False], ids=["shared", "private"])
def test_kill_9_in_there_ends_the_pod_and_sweep_out_here_removes_it(
    namespace: str, look: Look, inside: Run, shared: bool
) -> None:
    end_background_programs()  # of this side; the one in the container ends with it
    program = inside(HOLD.format(shared=shared))
    program.ready()
    assert len(_pods(look, namespace)) == 3
    assert f"{namespace}/web" not in [
        swept.pod for swept in pypod.sweep()
    ]  # it lives, whatever pid 1 is here
    program.kill()
    pause = look.pause(namespace)
    until(lambda: not look.state(pause)["Running"], PATIENCE)
    if shared:
        until(lambda: not look.containers(f"pypod_{namespace}_", running=True), PATIENCE)
    else:
        stays(lambda: len(look.containers(f"pypod_{namespace}_", running=True)) == 2, 0.5)
    # Its owner cannot be looked at from here: the lease must have been lost for a while.
    reasons: dict[str, str] = {}

    def swept() -> bool:
        reasons.update({gone.pod: gone.reason for gone in pypod.sweep()})
        return f"{namespace}/web" in reasons

    until(swept, 60)
    assert reasons[f"{namespace}/web"] == "its lease was lost"
    assert _pods(look, namespace) == []


SWEEP = "ready(json.dumps([swept.pod for swept in pypod.sweep()]))\n"
SWEEP_UNTIL_GONE = """\
end = time.monotonic() + 30  # a lease must have been lost for a while where its owner cannot be looked at
mine = pod().namespace + "/web"
while not (gone := mine in [swept.pod for swept in pypod.sweep()]) and time.monotonic() < end:
    time.sleep(0.2)
ready(gone)
"""


def test_pid_1_of_another_container_proves_nothing(namespace: str, look: Look, inside: Run) -> None:
    """Every owner here is a process 1, and none of them is the process 1 of who looks."""
    holder = inside(HOLD.format(shared=False), background="0")
    uid = holder.ready()
    starter = inside("pod('detached').start(detach=True)\nready('up')\n", background="0")
    starter.ready()
    assert starter.wait() == 0
    before = _pods(look, namespace)
    assert len(before) == 6

    sweeper = inside(SWEEP, background="0")
    assert f"{namespace}/" not in " ".join(sweeper.ready())
    assert sweeper.wait() == 0
    assert not [swept for swept in pypod.sweep() if namespace in swept.pod]

    assert look.containers(f"pypod_{namespace}_", running=True) == before
    assert pypod.get("web", namespace).uid == uid[0]

    pypod.get("detached", namespace).stop(grace=0)
    holder.kill()
    last = inside(SWEEP_UNTIL_GONE, background="0")
    assert last.ready() == ["True"]
    assert last.wait() == 0
    assert _pods(look, namespace) == []


def test_a_host_path_is_the_engines_hosts(namespace: str, look: Look, inside: Run) -> None:
    body = """\
os.makedirs("/only/in/here")
volume = pypod.Volume.host_path("data", "/only/in/here")
try:
    pod(containers=[member("one", mounts={"data": "/data"})], volumes=[volume]).start()
except pypod.PodStartError as error:
    ready(json.dumps(str(error)))
"""
    program = inside(body)
    words = " ".join(program.ready())
    assert "cannot start pod" in words
    assert "/only/in/here" in words
    assert "host" in words
    assert program.wait() == 0
    assert _pods(look, namespace) == []
