"""Lifecycle hooks on the real engine: postStart beside the entrypoint, preStop before the stop signal, and what fails."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import docker
import pytest

from pypod import Container, Hook, Lifecycle, Phase, Pod, Probe
from tests.images import BUSYBOX, TOOLS
from tests.integration.conftest import STAY, eventually
from tests.integration.hearing import SLACK, Heard, Told, coming, events, shell, telling
from tests.integration.processes import stays

pytestmark = pytest.mark.docker

AT_TERM = "trap 'tell term; exit 0' TERM; tell up; while :; do sleep 0.05; done"


@pytest.fixture
def told(tmp_path: Path) -> Told:
    return Told(tmp_path)


@pytest.fixture
def heard(raw: docker.APIClient, namespace: str) -> Iterator[Heard]:
    with Heard(raw, namespace) as found:
        yield found


def _pod(namespace: str, *containers: Container, told: Told, **more: Any) -> Pod:
    given = {"termination_grace_period_seconds": 30, "volumes": [told.volume], **more}
    return Pod("life", containers=containers, namespace=namespace, **given)


# --- postStart -------------------------------------------------------------------------------------------------------


def test_post_start_runs_beside_the_command_and_the_next_container_waits_for_it(
    namespace: str, told: Told, heard: Heard
) -> None:
    """The hook here needs the command to run, and ends when the test says so."""
    wait = (
        "until grep -q up /tell/all && [ -e /tell/go ]; do sleep 0.05; done; echo 'one: hooked' >> /tell/all"
    )
    one = shell("one", "tell up; sleep 1000", lifecycle=Lifecycle(post_start=Hook.exec(["sh", "-c", wait])))
    two = shell("two", "tell up; sleep 1000")
    with coming(_pod(namespace, one, two, told=told, termination_grace_period_seconds=0)) as pod:
        eventually(lambda: told.lines == ["one: up"], "the first container runs")
        stays(lambda: not heard.all("create", "two"), 0.4)
        status = pod.refresh().container("one")
        assert (status.started, status.ready) == (False, False)
        (told.folder / "go").touch()
        eventually(lambda: pod.refresh().ready_count == 2, "both are ready")
        eventually(lambda: len(told.lines) > 2, "the second one tells")  # it runs a moment before it does
        assert told.lines == ["one: up", "one: hooked", "two: up"]
        assert pod.history.record("one", 0).hook("postStart") == "done"


def test_a_post_start_that_fails_gets_its_container_restarted(
    namespace: str, told: Told, heard: Heard
) -> None:
    once = "[ -e /tell/once ] || { touch /tell/once; until grep -q up /tell/all; do sleep 0.05; done; echo sorry >&2; exit 7; }"
    one = shell("one", AT_TERM, lifecycle=Lifecycle(post_start=Hook.exec(["sh", "-c", once])))
    with _pod(namespace, one, Container("two", BUSYBOX, command=STAY), told=told) as pod:
        status = pod.status.container("one")
        assert (status.restart_count, status.ready) == (1, True)
        # It was stopped, not killed; and it runs a moment before it tells.
        eventually(lambda: told.of("one") == ["up", "term", "up"], "it has begun again")
        (failed,) = events(pod, "FailedPostStartHook")
        assert (failed.type, failed.container) == ("Warning", "one")
        assert failed.message.startswith("PostStartHook failed: command ")
        assert failed.message.endswith("exited with 7: sorry")
        assert [event.message for event in events(pod, "Killing")] == [
            "Container one failed its postStart hook"
        ]
        assert heard.one("start", "two").at > heard.all("die", "one")[0].at
        pod.stop(grace=0)


def test_a_hook_of_the_kind_tcp_socket_always_fails(namespace: str, told: Told) -> None:
    """As under Kubernetes, which takes it and cannot run it. A container that fails so again and again ends the start."""
    serve = "touch /tmp/index.html; exec httpd -f -p 8080 -h /tmp"
    one = shell("one", serve, lifecycle=Lifecycle(post_start=Hook.tcp_socket(8080)))
    with coming(_pod(namespace, one, told=told, termination_grace_period_seconds=1)) as pod:
        eventually(lambda: events(pod, "FailedPostStartHook"), "its hook failed")
        assert events(pod, "FailedPostStartHook")[0].message == "PostStartHook failed: invalid handler"
        eventually(lambda: pod.refresh().restart_count >= 1, "it is restarted")
        assert not pod.status.container("one").ready


# --- preStop ---------------------------------------------------------------------------------------------------------

WEB = """\
import http.server, signal, sys, threading
def tell(word):
    with open("/tell/all", "a") as file:
        file.write(f"http: {word}\\n")
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        tell(self.path)
        self.send_error(503)
server = http.server.ThreadingHTTPServer(("", 8080), Handler)
def end(signum, frame):
    tell("term")
    threading.Thread(target=server.shutdown).start()
signal.signal(signal.SIGTERM, end)
tell("up")
server.serve_forever()
"""


def _web(hook: Lifecycle) -> Container:
    return Container("http", TOOLS, command=["python3", "-c", WEB], mounts={"tell": "/tell"}, lifecycle=hook)


def test_pre_stop_runs_before_the_stop_signal(namespace: str, told: Told, heard: Heard) -> None:
    """Of each kind. To an HTTP hook any answer is good, also this server's 503."""
    command = shell("command", AT_TERM, lifecycle=Lifecycle(pre_stop=Hook.exec(telling("command", "hook"))))
    http = _web(Lifecycle(pre_stop=Hook.http_get("/bye", port=8080)))
    sleep = shell("sleep", AT_TERM, lifecycle=Lifecycle(pre_stop=Hook.sleep(1.2)))
    # Where the others waited for this one, it would not end.
    others = "until grep -q 'command: term' /tell/all && grep -q 'http: term' /tell/all; do sleep 0.05; done"
    waits = shell("waits", AT_TERM, lifecycle=Lifecycle(pre_stop=Hook.exec(["sh", "-c", others])))
    pod = _pod(namespace, command, http, sleep, waits, told=told)
    with pod:
        eventually(lambda: len(told.lines) == 4, "all are up")
        begin = time.time()
    assert told.of("command") == ["up", "hook", "term"]
    assert told.of("http") == ["up", "/bye", "term"]
    assert told.of("sleep") == told.of("waits") == ["up", "term"]
    assert heard.one("kill", "sleep", "15").at - begin >= 1.2
    for name in ("command", "http", "sleep", "waits"):
        heard.one("die", name, "0")
    assert events(pod, "FailedPreStopHook") == []


@pytest.mark.parametrize("reach", ["direct", "relay"])
def test_an_http_hook_takes_the_way_that_was_asked_for(
    namespace: str, told: Told, heard: Heard, reach: Literal["direct", "relay"]
) -> None:
    http = _web(Lifecycle(pre_stop=Hook.http_get("/bye", port=8080)))
    pod = _pod(namespace, http, told=told, reach=reach)
    with pod:
        eventually(lambda: told.lines == ["http: up"], "it is up")
    assert told.of("http") == ["up", "/bye", "term"]
    assert bool(heard.all("exec_create: /pause relay", "pause")) is (reach == "relay")


def test_pre_stop_counts_against_the_grace(namespace: str, told: Told, heard: Heard) -> None:
    """Where it takes all of it, the stop signal is followed by SIGKILL after two seconds more."""
    hook = Lifecycle(pre_stop=Hook.exec(["sleep", "60"]))
    good = shell("good", AT_TERM, lifecycle=hook)
    deaf = shell("deaf", "trap '' TERM; while :; do sleep 0.05; done", lifecycle=hook)
    pod = _pod(namespace, good, deaf, told=told, termination_grace_period_seconds=1).start()
    eventually(lambda: told.lines == ["good: up"], "it is up")
    begin = time.time()
    pod.stop()
    assert time.time() - begin < 1 + SLACK
    assert told.of("good") == ["up", "term"]
    heard.one("die", "good", "0")
    for name in ("good", "deaf"):
        assert heard.one("kill", name, "15").at - begin >= 0.9
    killed = heard.one("die", "deaf", "137").at - heard.one("kill", "deaf", "15").at
    assert 1.8 <= killed < SLACK


def test_a_pre_stop_that_fails_is_an_event_and_the_stop_goes_on(
    namespace: str, told: Told, heard: Heard
) -> None:
    """Also where it is not the pod that ends: a container that its liveness probe gives up is told, too."""
    sick = ["test", "!", "-e", "/tmp/sick"]
    alive = Probe.exec(sick, period_seconds=0.1, failure_threshold=1, timeout_seconds=10)
    bad = shell(
        "bad",
        AT_TERM,
        lifecycle=Lifecycle(pre_stop=Hook.exec(["sh", "-c", "echo no >&2; exit 4"])),
        liveness_probe=alive,
    )
    tcp = shell("tcp", AT_TERM, lifecycle=Lifecycle(pre_stop=Hook.tcp_socket(8080)))
    pod = _pod(namespace, bad, tcp, told=told)
    with pod:
        eventually(lambda: len(told.lines) == 2, "both are up")
        # With its container, the engine may forget how the command ended, which then counts as killed.
        assert pod.exec(["touch", "/tmp/sick"], "bad").exit_code in (0, 137)
        eventually(lambda: told.of("bad") == ["up", "term", "up"], "it was restarted")
        words = "PreStopHook failed: command \"sh -c 'echo no >&2; exit 4'\" exited with 4: no"
        assert [event.message for event in events(pod, "FailedPreStopHook")] == [words]
    assert told.of("bad") == ["up", "term", "up", "term"]
    assert told.of("tcp") == ["up", "term"]
    failed = {event.container: (event.count, event.message) for event in events(pod, "FailedPreStopHook")}
    assert failed == {"bad": (2, words), "tcp": (1, "PreStopHook failed: invalid handler")}
    for name in ("bad", "tcp"):
        assert not heard.all("kill", name, "9")


def test_pre_stop_is_not_run_for_what_ends_by_itself(namespace: str, told: Told, heard: Heard) -> None:
    hook = Lifecycle(pre_stop=Hook.exec(telling("brief", "hook")))
    brief = shell("brief", "tell up; until [ -e /tmp/end ]; do sleep 0.05; done; tell end", lifecycle=hook)
    with _pod(namespace, brief, told=told, restart_policy="Never") as pod:
        pod.exec(["touch", "/tmp/end"], "brief")
        assert pod.wait("Completed", timeout=60).phase is Phase.SUCCEEDED
    assert told.of("brief") == ["up", "end"]
    assert not heard.all("kill", "brief")


def test_a_pre_stop_that_ends_its_container_has_not_failed(namespace: str, told: Told, heard: Heard) -> None:
    """As `nginx -s quit` does. The engine does not always say how it ended. (The stop signal that follows must not be sooner.)"""
    quits = Lifecycle(pre_stop=Hook.exec(["touch", "/go"]))
    names = [f"m{number}" for number in range(6)]
    members = [
        shell(
            name, "trap '' TERM; tell up; until [ -e /go ]; do sleep 0.002; done; tell bye", lifecycle=quits
        )
        for name in names
    ]
    pod = _pod(namespace, *members, told=told).start()
    eventually(lambda: len(told.lines) == len(names), "all are up")
    pod.stop()
    assert [told.of(name) for name in names] == [["up", "bye"]] * len(names)
    assert events(pod, "FailedPreStopHook") == []
    assert not heard.all("kill", names[0], "9")


def test_pre_stop_is_not_run_where_there_is_no_grace(namespace: str, told: Told, heard: Heard) -> None:
    one = shell("one", AT_TERM, lifecycle=Lifecycle(pre_stop=Hook.exec(telling("one", "hook"))))
    pod = _pod(namespace, one, told=told).start()
    eventually(lambda: told.lines == ["one: up"], "it is up")
    pod.stop(grace=0)
    assert told.lines == ["one: up"]
    heard.one("die", "one", "137")


def test_a_container_that_is_restarted_runs_its_post_start_again(namespace: str, told: Told) -> None:
    hook = Lifecycle(post_start=Hook.exec(telling("one", "hook")))
    one = shell("one", "until [ -e /tmp/end ]; do sleep 0.05; done", lifecycle=hook)
    # `shell` saw no word to tell in the script: the hook alone tells.
    one = Container(one.name, one.image, command=one.command, lifecycle=hook, mounts={"tell": "/tell"})
    with _pod(namespace, one, told=told) as pod:
        assert told.lines == ["one: hook"]
        pod.exec(["touch", "/tmp/end"], "one")
        eventually(lambda: pod.refresh().container("one").ready and pod.status.restart_count == 1, "again")
        assert told.lines == ["one: hook"] * 2
        pod.stop(grace=0)
