"""Detached pods: they outlive whoever started them, and any process can take them up by name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import docker
import pytest

import pypod
from pypod import Container, Pod
from tests.images import BUSYBOX
from tests.integration.processes import PATIENCE, Child, Look, stays, until

pytestmark = pytest.mark.docker

CHATTY = ["sh", "-c", "echo hello from $0; sleep 1000"]


@pytest.fixture
def look(raw: docker.APIClient) -> Look:
    return Look(raw)


def _members(*, second: str = "two") -> list[Container]:
    return [Container(name, BUSYBOX, command=[*CHATTY, name]) for name in ("one", second)]


def _pod(namespace: str, **more: Any) -> Pod:
    given = {"containers": _members(), "termination_grace_period_seconds": 0, **more}
    return Pod("web", namespace=namespace, **given)


@pytest.fixture
def started(namespace: str) -> Iterator[Pod]:
    """A detached pod of this process."""
    pod = _pod(namespace).start(detach=True)
    yield pod
    pod.stop(grace=0)


def test_it_survives_its_starter_and_is_had_by_name(namespace: str, look: Look) -> None:
    words = "'sh', '-c', 'echo hello from $0; sleep 1000'"
    starter = f"p = pod(containers=[member('one', {words}, 'one'), member('two')]).start(detach=True)\nready(p.uid)\n"
    with Child(namespace, starter) as child:
        (uid,) = child.ready()
        assert child.wait(PATIENCE) == 0
    stays(lambda: len(look.containers(namespace, running=True)) == 3, 0.7)

    pod = pypod.get("web", namespace)
    assert pod.uid == uid
    assert pod.refresh().phase is pypod.Phase.RUNNING
    assert pod.status.ready_count == 2
    assert [member.name for member in pod.spec.containers] == ["one", "two"]
    until(lambda: pod.logs("one") == "hello from one\n", PATIENCE)
    result = pod.exec(["sh", "-c", "hostname; exit 3"], "two")
    assert (result.exit_code, result.stdout) == (3, "web\n")
    assert [found.uid for found in pypod.list(namespace)] == [uid]
    assert {"Started"} <= {event.reason for event in pod.events}

    pod.stop()
    assert look.left(namespace) == []
    with pytest.raises(pypod.PodNotFoundError, match=r"^cannot .*web"):
        pypod.get("web", namespace)


def test_kill_9_of_the_starter_leaves_it_alone(namespace: str, look: Look) -> None:
    with Child(namespace, "pod().start(detach=True)\nready()\ntime.sleep(60)\n") as child:
        child.ready()
        child.kill()
    stays(lambda: len(look.containers(namespace, running=True)) == 3, 1.5)
    assert f"{namespace}/web" not in [swept.pod for swept in pypod.sweep()]
    pypod.get("web", namespace).stop(grace=0)


def test_what_crashes_is_restarted_by_the_background_program(namespace: str, look: Look) -> None:
    starter = "pod().start(detach=True)\nready()\n"
    with Child(namespace, starter) as child:
        child.ready()
        child.wait(PATIENCE)
    pod = pypod.get("web", namespace)
    first = pod.refresh().container("two")
    untouched = pod.status.container("one").container_id
    look.api.kill(first.container_id)
    until(lambda: pod.refresh().container("two").restart_count == 1 and pod.status.ready_count == 2, PATIENCE)
    assert pod.status.container("two").container_id != first.container_id
    assert pod.status.container("one").container_id == untouched
    assert "Killed" not in pod.status.summary
    pod.stop(grace=0)


def test_the_same_again_takes_it_up(started: Pod, namespace: str, look: Look) -> None:
    before = look.containers(namespace)
    assert _pod(namespace).start(detach=True).uid == started.uid
    body = "spec = pypod.get('web', {!r}).spec\nready(Pod.from_spec(spec).start(detach=True).uid)\n"
    with Child(namespace, body.format(namespace)) as child:
        assert child.ready() == [started.uid]
        assert child.wait(PATIENCE) == 0
    assert look.containers(namespace, running=True) == before


def test_another_spec_or_owner_is_refused(started: Pod, namespace: str, look: Look) -> None:
    before = look.containers(namespace)
    other = _pod(namespace, containers=_members(second="three"))
    for pod, detach in ((other, True), (other, False), (_pod(namespace), False)):
        with pytest.raises(pypod.PodExistsError, match=f"^cannot start pod '{namespace}/web'"):
            pod.start(detach=detach)
    assert look.containers(namespace, running=True) == before
    assert started.refresh().ready_count == 2


def test_a_leased_name_is_taken_in_this_process_and_others(namespace: str, look: Look) -> None:
    with _pod(namespace) as pod:
        before = look.containers(namespace)
        with pytest.raises(pypod.PodExistsError, match=r"^cannot start pod .*started already"):
            pod.start()
        other = _pod(namespace, containers=_members(second="three"))
        for detach in (False, True):
            with pytest.raises(pypod.PodExistsError, match=f"^cannot start pod '{namespace}/web'"):
                other.start(detach=detach)
        for detach in (False, True):
            again = (
                f"spec = pypod.get('web', {namespace!r}).spec\nPod.from_spec(spec).start(detach={detach})\n"
            )
            with Child(namespace, again) as child:
                assert child.wait(PATIENCE) == 1
                assert f"PodExistsError: cannot start pod '{namespace}/web'" in child.errors
        assert look.containers(namespace, running=True) == before
        assert pod.refresh().ready_count == 2


@pytest.mark.parametrize("detach", [True, False], ids=["detached", "leased"])
def test_after_stop_the_name_is_free_at_once(namespace: str, look: Look, detach: bool) -> None:
    uids = set()
    for second in ("two", "three"):
        pod = _pod(namespace, containers=_members(second=second))
        uids.add(pod.start(detach=detach).uid)
        pod.stop()
        assert look.left(namespace) == []
    assert len(uids) == 2


def test_a_stop_from_elsewhere_is_seen_by_the_starter(started: Pod, namespace: str, look: Look) -> None:
    with Child(namespace, f"pypod.get('web', {namespace!r}).stop()\n") as child:
        assert child.wait(PATIENCE) == 0
    assert look.left(namespace) == []
    assert started.refresh().reason == "NotFound"
    started.wait("Deleted", timeout=PATIENCE)
    started.stop()
