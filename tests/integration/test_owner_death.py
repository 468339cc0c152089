"""kill -9 of a pod's owner: whatever it shared, nothing stays; and sweep takes nothing else."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Callable
from typing import Any

import docker
import pytest

import pypod
from pypod import Container, Pod
from tests.images import BUSYBOX
from tests.integration.life import Witness
from tests.integration.processes import PATIENCE, Child, Look, end_background_programs, stays, until

pytestmark = pytest.mark.docker

SHARED = "with pod():\n    ready()\n    time.sleep(60)\n"
PRIVATE = "with pod(share_process_namespace=False):\n    ready()\n    time.sleep(60)\n"
OFF = {"PYPOD_BACKGROUND": "0"}
LEASE_LOST = 97


@pytest.fixture
def look(raw: docker.APIClient) -> Look:
    return Look(raw)


@pytest.fixture
def no_background(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """No background program, from now on, but those that the test starts itself; call it to end these."""
    monkeypatch.setenv("PYPOD_BACKGROUND", "0")
    end_background_programs()
    return end_background_programs


def _stay(name: str) -> Container:
    return Container(name, BUSYBOX, command=["sleep", "1000"])


def _pod(namespace: str, name: str = "web", **more: Any) -> Pod:
    return Pod(
        name, containers=[_stay("one")], namespace=namespace, termination_grace_period_seconds=0, **more
    )


def test_with_a_shared_pid_space_all_members_die_at_once(
    namespace: str, look: Look, no_background: Callable[[], None]
) -> None:
    """The engine alone does it: there is no background program here."""
    with Child(namespace, SHARED) as child:
        child.ready()
        assert len(look.members(namespace, running=True)) == 2
        child.kill()
        until(lambda: not look.containers(namespace, running=True), PATIENCE)
    assert look.state(look.pause(namespace))["ExitCode"] == LEASE_LOST
    swept = {gone.pod: gone.reason for gone in pypod.sweep()}
    assert swept[f"{namespace}/web"] == "its lease was lost"
    assert look.left(namespace) == []


def test_with_a_shared_pid_space_nothing_is_left_soon(namespace: str, look: Look) -> None:
    with Child(namespace, SHARED) as child:
        child.ready()
        child.kill()
        until(lambda: not look.containers(namespace, running=True), PATIENCE)
        until(lambda: look.left(namespace) == [], PATIENCE)


def test_with_private_pid_spaces_the_background_program_removes_it(namespace: str, look: Look) -> None:
    with Child(namespace, PRIVATE) as child:
        child.ready()
        child.kill()
        until(lambda: look.left(namespace) == [], PATIENCE)


def test_volumes_and_isolated_networks_go_too(namespace: str, look: Look) -> None:
    body = f"""\
volume = pypod.Volume.empty_dir("data")
with pod(containers=[member("one", mounts={{"data": "/data"}})], volumes=[volume], network="{namespace}"):
    ready()
    time.sleep(60)
"""
    with Child(namespace, body) as child:
        child.ready()
        assert len(look.left(namespace)) == 4
        child.kill()
        until(lambda: look.left(namespace) == [], PATIENCE)


def _orphan(namespace: str, look: Look, end: Callable[[], None], **env: str) -> None:
    """A pod with private PID spaces whose owner and background program are dead: its members live on."""
    with Child(namespace, PRIVATE, **env) as child:
        child.ready()
        end()
        child.kill()
    pause = look.pause(namespace)
    until(lambda: not look.state(pause)["Running"], PATIENCE)
    stays(lambda: len(look.members(namespace, running=True)) == 2, 0.7)


@pytest.mark.parametrize("background", ["0", "1"], ids=["switched off", "killed"])
def test_without_a_background_program_the_next_sweep_removes_it(
    namespace: str, look: Look, no_background: Callable[[], None], background: str
) -> None:
    _orphan(namespace, look, no_background, PYPOD_BACKGROUND=background)
    reasons = {swept.pod: swept.reason for swept in pypod.sweep()}
    assert reasons[f"{namespace}/web"] == "its lease was lost"
    assert look.left(namespace) == []
    assert f"{namespace}/web" not in {swept.pod for swept in pypod.sweep()}


def test_without_a_background_program_the_next_pod_removes_it(
    namespace: str, look: Look, no_background: Callable[[], None]
) -> None:
    _orphan(namespace, look, no_background, **OFF)
    other = f"{namespace}x"
    with Child(
        other, "with pod('other', [member('one')]):\n    ready()\n    time.sleep(60)\n", **OFF
    ) as child:
        child.ready()
        assert [name for name in look.containers(namespace) if f"_{namespace}_" in name] == []
        assert len(look.containers(f"_{other}_", running=True)) == 2
        child.interrupt()
        child.wait(PATIENCE)


def test_without_a_background_program_the_next_background_program_removes_it(
    namespace: str, look: Look, no_background: Callable[[], None]
) -> None:
    _orphan(namespace, look, no_background, **OFF)
    other = f"{namespace}x"
    body = "import pypod.background\npypod.background.ensure_running(pypod.connect())\n"
    with Child(other, body, PYPOD_BACKGROUND="1") as child:
        assert child.wait(PATIENCE) == 0
        until(lambda: look.left(namespace) == [], PATIENCE)
    no_background()


def test_sweep_leaves_alone_what_is_not_abandoned(
    namespace: str, look: Look, raw: docker.APIClient, no_background: Callable[[], None]
) -> None:
    """Pods of this process and of another that lives, a detached one whose starter is dead, containers of others."""
    labels = {"io.pypod.pod": "not-really", "com.example.owner": namespace}
    foreign = f"pypod_{namespace}_foreign_{secrets.token_hex(2)}"
    made = raw.create_container(BUSYBOX, ["sleep", "1000"], name=foreign, labels=labels)
    raw.start(made["Id"])
    other = "with pod('other', [member('one')], share_process_namespace=False):\n    ready()\n    time.sleep(60)\n"
    try:
        with (
            Child(namespace, other, **OFF) as owner,
            Child(namespace, "pod('detached').start(detach=True)\nready()\n", **OFF) as starter,
            _pod(namespace, "mine"),
        ):
            owner.ready()
            starter.ready()
            starter.wait(PATIENCE)
            before = look.containers(namespace, running=True)
            assert len(before) == 2 + 3 + 2 + 1
            assert [swept.pod for swept in pypod.sweep() if namespace in swept.pod] == []
            assert look.containers(namespace, running=True) == before
            pypod.get("detached", namespace).stop(grace=0)
            owner.interrupt()
            owner.wait(PATIENCE)
        assert look.left(namespace) == [foreign]
    finally:
        raw.remove_container(made["Id"], force=True)


def _attach_and_leave(raw: docker.APIClient, container: str) -> None:
    stream: Any = raw.attach_socket(container, params={"stdin": 1, "stream": 1})
    connection: socket.socket = stream._sock
    connection.shutdown(socket.SHUT_RDWR)
    connection.close()
    stream.close()


@pytest.mark.parametrize("body", [SHARED, PRIVATE], ids=["shared", "private"])
def test_a_second_attacher_that_leaves_costs_a_pod_its_sandbox_and_not_its_life(
    namespace: str, look: Look, raw: docker.APIClient, body: str
) -> None:
    """Docker's StdinOnce: documented, not wished for. A lease that was lost while the owner lives makes a new sandbox, and that
    one's lease ends the pod with its owner."""
    witness = Witness(raw, namespace)
    with Child(namespace, body) as owner:
        owner.ready()
        _attach_and_leave(raw, look.pause(namespace))
        pod = pypod.get("web", namespace)

        def has_healed() -> bool:
            changed = [event for event in pod.events if event.reason == "SandboxChanged"]
            # The old sandbox goes when the new one runs, beside the start of the members.
            pauses = [name for name in look.containers(namespace) if "_pause_" in name]
            return pod.refresh().ready_count == 2 and bool(changed) and len(pauses) == 1

        until(has_healed, PATIENCE, "its owner heals it")
        assert [event.attributes["exitCode"] for event in witness.happened("die", "pause")] == [
            str(LEASE_LOST)
        ]
        assert look.pause(namespace).endswith("_pause_1")
        # Where an engine tells of a member's end well before its sandbox's, the member was tried in that one first.
        assert {each.restart_count for each in pod.status.container_statuses} <= {1, 2}
        stays(lambda: pod.refresh().ready_count == 2, 1)  # and nobody takes it for abandoned
        owner.kill()
        until(lambda: look.left(namespace) == [], PATIENCE)
