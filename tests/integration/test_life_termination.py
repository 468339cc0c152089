"""How a pod ends on the real engine: who is told, in which order, for how long; and that it comes back where its sandbox
alone was killed."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

from pypod import Container, Hook, Lifecycle, Phase, Pod
from tests.images import NGINX
from tests.integration.conftest import eventually, together
from tests.integration.hearing import SLACK, Heard, Told, coming, events, shell, telling
from tests.integration.processes import PATIENCE, Child, Look, stays, until

pytestmark = pytest.mark.docker

LOOP = "while :; do sleep 0.05; done"
DEAF = f"trap '' TERM; echo up; {LOOP}"


@pytest.fixture
def look(raw: docker.APIClient) -> Look:
    return Look(raw)


@pytest.fixture
def told(tmp_path: Path) -> Told:
    return Told(tmp_path)


@pytest.fixture
def heard(raw: docker.APIClient, namespace: str) -> Iterator[Heard]:
    with Heard(raw, namespace) as found:
        yield found


def _pod(namespace: str, *containers: Container, name: str = "life", **more: Any) -> Pod:
    return Pod(name, containers=containers, namespace=namespace, **more)


def _await_up(pod: Pod, *containers: str) -> None:
    """They have said so: what runs may not have begun, and knows no trap before."""
    for name in containers:
        eventually(lambda: "up" in pod.logs(name), f"{name} is up")  # noqa: B023


def _timed_stop(pod: Pod, grace: float | None = None) -> float:
    begin = time.monotonic()
    pod.stop(grace)
    return time.monotonic() - begin


# --- the order -------------------------------------------------------------------------------------------------------


def test_all_containers_are_told_at_the_same_time_and_none_comes_back(
    namespace: str, told: Told, heard: Heard
) -> None:
    """Each waits for its end until all have been told: one after the other, they would be killed when their grace is over."""
    names = ("a", "b", "c", "d")
    all_told = "until [ $(grep -c term /tell/all) = 4 ]; do sleep 0.05; done"
    slow = f"trap 'tell term; {all_told}; tell end; exit 0' TERM; tell up; {LOOP}"
    pod = _pod(namespace, *(shell(name, slow) for name in names), volumes=[told.volume]).start()
    eventually(lambda: len(told.lines) == len(names), "all are up")
    pod.stop()
    signalled = [heard.one("kill", name, "15").at for name in names]
    ended = [heard.one("die", name, "0").at for name in names]
    assert max(signalled) < min(ended)
    assert [told.of(name) for name in names] == [["up", "term", "end"]] * 4
    assert len(heard.all("start")) == len(names) + 1  # and the pause


def test_a_container_gets_the_stop_signal_of_its_image(namespace: str, heard: Heard) -> None:
    with _pod(namespace, Container("web", NGINX)) as pod:
        eventually(lambda: "start worker process" in pod.logs("web"), "nginx is up")
    heard.one("kill", "web", str(int(signal.SIGQUIT)))
    heard.one("die", "web", "0")


def test_what_ignores_the_stop_signal_is_killed_when_the_grace_is_over(namespace: str, heard: Heard) -> None:
    """Where the PID space is private it is PID 1, which a signal without a handler does not end."""
    grace: dict[str, Any] = {"termination_grace_period_seconds": 1}
    shared = _pod(namespace, shell("deaf", DEAF), shell("also", DEAF), name="shared", **grace)
    private = Pod(
        "private",
        containers=[shell("first", "echo up; exec sleep 1000")],
        namespace=namespace,
        share_process_namespace=False,
        **grace,
    )
    with together(shared, private):
        _await_up(shared, "deaf", "also")
        _await_up(private, "first")
        begin = time.time()
    assert time.time() - begin < 1 + SLACK
    for name in ("deaf", "also", "first"):
        heard.one("kill", name, "15")
        # The grace begins when the pod is told to end; a signal that is late on a busy machine takes nothing from it.
        took = heard.one("die", name, "137").at - begin
        assert 0.9 <= took < 1 + SLACK, f"{name} was killed after {took} s"


def test_the_grace_that_stop_is_given_counts(namespace: str, heard: Heard) -> None:
    pod = _pod(namespace, shell("deaf", DEAF), termination_grace_period_seconds=300).start()
    _await_up(pod, "deaf")
    begin = time.time()
    assert _timed_stop(pod, grace=0.5) < 0.5 + SLACK
    heard.one("kill", "deaf", "15")
    assert heard.one("die", "deaf", "137").at - begin >= 0.4


# --- sidecars --------------------------------------------------------------------------------------------------------


def _sidecar(name: str, script: str, **more: Any) -> Container:
    return shell(name, script, restart_policy="Always", **more)


def test_sidecars_end_after_the_containers_in_the_reverse_of_their_order(
    namespace: str, told: Told, heard: Heard
) -> None:
    both_told = 'until [ $(grep -c "^\\(main\\|other\\): term" /tell/all) = 2 ]; do sleep 0.05; done'
    at_term = f"trap 'tell term; {both_told}; sleep 0.3; tell end; exit 3' TERM; tell up; {LOOP}"
    pod = _pod(
        namespace,
        *(shell(name, at_term) for name in ("main", "other")),
        init_containers=[_sidecar(name, at_term) for name in ("first", "second")],
        volumes=[told.volume],
    ).start()
    eventually(lambda: len(told.lines) == 4, "all are up")
    assert _timed_stop(pod) < 30
    assert sorted(told.lines[4:6]) == ["main: term", "other: term"]
    assert sorted(told.lines[6:8]) == ["main: end", "other: end"]
    assert told.lines[8:] == ["second: term", "second: end", "first: term", "first: end"]
    assert len(heard.all("start")) == 5  # a sidecar that ends is not restarted any more


def test_where_the_containers_take_the_whole_grace_sidecars_have_two_seconds(
    namespace: str, heard: Heard
) -> None:
    pod = _pod(
        namespace,
        shell("main", DEAF),
        init_containers=[
            _sidecar("first", DEAF),
            _sidecar("second", f"trap 'exit 0' TERM; echo up; {LOOP}"),
        ],
        termination_grace_period_seconds=1,
    ).start()
    _await_up(pod, "main", "first", "second")
    assert _timed_stop(pod) < 1 + SLACK
    heard.one("die", "main", "137")
    heard.one("die", "second", "0")  # it still had its signal, and the time for it
    assert heard.one("die", "first", "137").at - heard.one("kill", "first", "15").at >= 1.8


def test_the_pre_stop_of_a_sidecar_does_not_wait_for_its_turn(namespace: str, told: Told) -> None:
    hooked = 'until grep -q "side: hook" /tell/all; do sleep 0.05; done'
    at_term = f"trap 'tell term; {{}}; tell end; exit 0' TERM; tell up; {LOOP}"
    hook = Lifecycle(pre_stop=Hook.exec(telling("side", "hook")))
    pod = _pod(
        namespace,
        shell("main", at_term.format(hooked)),  # where the hook waited for its end, it would be killed
        init_containers=[_sidecar("side", at_term.format("true"), lifecycle=hook)],
        volumes=[told.volume],
    ).start()
    eventually(lambda: len(told.lines) == 2, "both are up")
    pod.stop()
    assert told.of("side") == ["up", "hook", "term", "end"]
    assert told.lines.index("side: hook") < told.lines.index("main: end") < told.lines.index("side: term")


def test_a_pod_that_is_stopped_while_it_initializes_starts_nothing_more(
    namespace: str, told: Told, heard: Heard
) -> None:
    init = shell("init", "tell up; exec sleep 1000")
    with coming(_pod(namespace, shell("main", LOOP), init_containers=[init], volumes=[told.volume])) as pod:
        eventually(lambda: told.lines == ["init: up"], "the init container runs")
        assert _timed_stop(pod, grace=2) < 2 + SLACK
    assert heard.all("die", "init")
    assert not heard.all("create", "main")


# --- Ctrl-C ----------------------------------------------------------------------------------------------------------

TRAPPED = """\
from pypod import Hook, Lifecycle, Volume
told = {told!r}
script = "trap 'echo term >> /tell/all; exit 0' TERM; echo up >> /tell/all; while :; do sleep 0.05; done"
hook = Lifecycle(pre_stop=Hook.exec(["sh", "-c", "echo hook >> /tell/all; sleep {seconds}"]))
one = member("one", "sh", "-c", script, lifecycle=hook, mounts={{"tell": "/tell"}})
with pod(containers=[one], volumes=[Volume.host_path("tell", told)], termination_grace_period_seconds=60):
    ready()
    time.sleep(60)
"""


def test_ctrl_c_ends_a_pod_gracefully(namespace: str, look: Look, tmp_path: Path) -> None:
    with Child(namespace, TRAPPED.format(told=str(tmp_path), seconds=0.2)) as child:
        child.ready()
        all_told = tmp_path / "all"
        eventually(all_told.exists, "it is up")
        child.interrupt()
        assert child.wait(PATIENCE) == -signal.SIGINT
        assert all_told.read_text().split() == ["up", "hook", "term"]
    assert look.left(namespace) == []


def test_a_second_ctrl_c_does_not_wait_for_a_pre_stop(namespace: str, look: Look, tmp_path: Path) -> None:
    with Child(namespace, TRAPPED.format(told=str(tmp_path), seconds=60)) as child:
        child.ready()
        all_told = tmp_path / "all"
        eventually(all_told.exists, "it is up")
        child.interrupt()
        eventually(lambda: all_told.read_text().split() == ["up", "hook"], "the hook runs")
        stays(lambda: child.process.poll() is None, 0.3)
        child.interrupt()
        assert child.wait(PATIENCE) == -signal.SIGINT
        assert all_told.read_text().split() == ["up", "hook"]
    assert look.left(namespace) == []


# --- paused ----------------------------------------------------------------------------------------------------------


def test_a_paused_container_ends_with_its_pod(namespace: str, raw: docker.APIClient, look: Look) -> None:
    pod = _pod(namespace, shell("one", DEAF), shell("two", LOOP), termination_grace_period_seconds=1).start()
    for name in ("one", "two"):
        raw.pause(pod.refresh().container(name).container_id)
    assert _timed_stop(pod) < 1 + SLACK
    assert look.left(namespace) == []


# --- the sandbox is killed -------------------------------------------------------------------------------------------


def _two_lives(told: Told) -> tuple[Container, list[Container]]:
    """A container that tells of its beginning and its end, and an init container that tells that it ran."""
    main = shell("main", f"trap 'tell term; exit 0' TERM; tell up; {LOOP}")
    return main, [shell("init", "tell ran")]


def test_a_sandbox_that_is_killed_is_made_again_and_its_members_end_well(
    namespace: str, told: Told, heard: Heard, look: Look
) -> None:
    """With private PID spaces they outlive the pause: they get their stop signal, and their grace."""
    main, inits = _two_lives(told)
    given: dict[str, Any] = {"volumes": [told.volume], "share_process_namespace": False}
    with _pod(namespace, main, init_containers=inits, **given) as pod:
        eventually(lambda: told.lines == ["init: ran", "main: up"], "it is up")
        before, pause = pod.refresh(), look.pause(namespace)
        look.api.kill(pause)
        eventually(lambda: len(told.lines) == 5, "it is up again")
        assert told.lines == ["init: ran", "main: up", "main: term", "init: ran", "main: up"]
        after = pod.wait("Ready", timeout=60)
        assert after.pod_ip == before.pod_ip
        assert look.pause(namespace) != pause
        assert heard.one("kill", "main", "15").at > heard.one("die", "pause").at
        heard.one("die", "main", "0")
        assert after.container("main").restart_count == 1
        assert [event.message for event in events(pod, "SandboxChanged")] == [
            "Pod sandbox changed, it will be killed and re-created."
        ]
        assert pod.exec(["hostname"], "main").stdout == "life\n"
    assert told.of("main")[-1] == "term"


def test_with_restart_policy_never_the_end_of_its_sandbox_is_the_end_of_a_pod(
    namespace: str, told: Told, look: Look
) -> None:
    main, inits = _two_lives(told)
    given: dict[str, Any] = {"volumes": [told.volume], "share_process_namespace": False}
    with _pod(namespace, main, init_containers=inits, restart_policy="Never", **given) as pod:
        eventually(lambda: told.lines == ["init: ran", "main: up"], "it is up")
        look.api.kill(look.pause(namespace))
        assert pod.wait("Completed", timeout=60).phase is Phase.FAILED
        until(lambda: told.lines[2:] == ["main: term"], PATIENCE, "its container ended well")
        until(lambda: not look.members(namespace, running=True), PATIENCE, "which it tells before it ends")
        stays(lambda: pod.refresh().phase is Phase.FAILED and not look.members(namespace, running=True), 0.5)
        assert told.lines == ["init: ran", "main: up", "main: term"]
        assert len(look.containers(namespace)) == 3
