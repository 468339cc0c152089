"""Ephemeral containers: one more container joins a running pod, counts for nothing, and goes with it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import docker
import pytest

import pypod
from pypod import Container, Phase, Pod
from pypod.model.life.status import Running, Terminated
from tests.images import BUSYBOX, TOOLS
from tests.integration.conftest import STAY, eventually, sh
from tests.integration.processes import PATIENCE, Child, Look, stays

pytestmark = pytest.mark.docker

CLI = [sys.executable, "-m", "pypod"]
SERVE = [
    "sh",
    "-c",
    "echo hello > /page; httpd -p 127.0.0.1:8080 -h /; trap exit TERM; while :; do sleep 0.1; done",
]
FETCH = 'import urllib.request as r; print(r.urlopen("http://127.0.0.1:8080/page").read().decode(), end="")'


def _pod(namespace: str, *, shared: bool) -> Pod:
    return Pod(
        "web",
        containers=[Container("web", BUSYBOX, command=SERVE), Container("side", BUSYBOX, command=STAY)],
        namespace=namespace,
        termination_grace_period_seconds=0,
        share_process_namespace=shared,
    )


@pytest.fixture
def look(raw: docker.APIClient) -> Look:
    return Look(raw)


@pytest.fixture(scope="module", params=[True, False], ids=["shared", "private"])
def pod(request: pytest.FixtureRequest, module_namespace: str) -> Iterator[Pod]:
    """One of each kind for all tests that only join it: each takes names of its own."""
    with _pod(module_namespace, shared=request.param) as running:
        page = ["wget", "-qO-", "http://127.0.0.1:8080/page"]
        eventually(lambda: running.exec(page, "side").exit_code == 0, "it serves")
        yield running


def _processes(pod: Pod, container: str) -> list[str]:
    return sh(pod, container, "for f in /proc/[0-9]*/cmdline; do tr '\\0' ' ' < $f; echo; done").splitlines()


def test_it_joins_what_members_share(pod: Pod, look: Look) -> None:
    """Network with its loopback interface, IPC, hostname; the PID space where the pod has one."""
    name = pod.debug(TOOLS, ["sleep", "1234"], name="tools")
    assert name == "tools"
    assert sh(pod, "tools", f"python3 -c '{FETCH}'; hostname") == "hello\nweb\n"
    spaces = "for space in net ipc; do readlink /proc/self/ns/$space; done"
    assert sh(pod, "tools", spaces) == sh(pod, "web", spaces)
    sees = any(line.startswith("sh -c echo hello") for line in _processes(pod, "tools"))
    assert sees is pod.spec.share_process_namespace
    (made,) = look.containers(f"_{pod.namespace}_web_{pod.uid[:8]}_tools_")
    assert look.api.inspect_container(made)["HostConfig"]["RestartPolicy"]["Name"] in ("", "no")


def test_with_a_target_it_sees_that_members_processes(pod: Pod) -> None:
    pod.debug(BUSYBOX, ["sleep", "1234"], name="beside", target="web")
    lines = _processes(pod, "beside")
    assert any(line.startswith("sh -c echo hello") for line in lines)
    sides = [line for line in lines if line == "sleep 1000 "]
    assert bool(sides) is pod.spec.share_process_namespace
    assert sh(pod, "beside", "readlink /proc/self/ns/pid") == sh(pod, "web", "readlink /proc/self/ns/pid")


def test_it_is_exec_ed_into_and_its_logs_are_read(pod: Pod) -> None:
    name = pod.debug(BUSYBOX, ["sh", "-c", "echo here I am; sleep 1000"])
    assert name.startswith("debugger-")
    assert pod.exec(["sh", "-c", "echo in; exit 4"], name).exit_code == 4
    eventually(lambda: pod.logs(name) == "here I am\n", "its log")
    assert name in [each.name for each in pod.refresh().ephemeral_container_statuses]
    assert {event.reason for event in pod.events if event.container == name} == {"Created", "Started"}


def test_without_a_command_a_shell_waits(namespace: str) -> None:
    with _pod(namespace, shared=True) as pod:
        name = pod.debug(BUSYBOX, env={"WHO": "me"}, user="12", working_dir="/tmp")
        stays(lambda: isinstance(_status(pod, name).state, Running), 0.5)
        assert pod.exec(["sh", "-c", "echo $WHO; id -u; pwd"], name).stdout == "me\n12\n/tmp\n"


def _status(pod: Pod, name: str) -> pypod.ContainerStatus:
    (found,) = (each for each in pod.refresh().ephemeral_container_statuses if each.name == name)
    return found


def test_it_is_never_restarted_and_counts_for_nothing(pod: Pod, look: Look) -> None:
    pod.debug(BUSYBOX, ["sh", "-c", "sleep 0.3; exit 3"], name="ends")
    assert (pod.refresh().phase, pod.status.ready_count, pod.status.container_count) == (Phase.RUNNING, 2, 2)
    eventually(lambda: isinstance(_status(pod, "ends").state, Terminated), "it ends")

    def is_as_before() -> bool:
        state = _status(pod, "ends").state
        return (
            isinstance(state, Terminated)
            and state.exit_code == 3
            and _status(pod, "ends").restart_count == 0
            and (pod.status.phase, pod.status.ready_count) == (Phase.RUNNING, 2)
            and pod.status.conditions["Ready"].status
            and pod.status.summary == "Running"
        )

    stays(is_as_before, 1.5)
    assert len(look.containers(f"_{pod.uid[:8]}_ends_")) == 1


def test_a_finished_pod_is_finished_though_it_runs(namespace: str) -> None:
    """And it ends with it, as with a kubelet."""
    wait = ["sh", "-c", "until [ -e /go ]; do sleep 0.05; done; sleep 0.3"]
    members = [Container("one", BUSYBOX, command=wait)]
    with Pod(
        "job",
        containers=members,
        namespace=namespace,
        restart_policy="Never",
        termination_grace_period_seconds=0,
    ) as pod:
        pod.debug(BUSYBOX, ["sleep", "1000"], name="tools")
        pod.exec(["touch", "/go"], "one")
        assert pod.wait("Completed", timeout=60).phase is Phase.SUCCEEDED
        eventually(lambda: isinstance(_status(pod, "tools").state, Terminated), "it is ended")
        with pytest.raises(pypod.PodNotRunningError, match=r"^cannot debug pod '.*/job': it is "):
            pod.debug(BUSYBOX)


@pytest.mark.parametrize("shared", [True, False], ids=["shared", "private"])
def test_it_goes_with_its_sandbox_and_is_not_made_again(
    namespace: str, look: Look, raw: docker.APIClient, shared: bool
) -> None:
    with _pod(namespace, shared=shared) as pod:
        pod.debug(BUSYBOX, ["sleep", "1000"], name="tools")
        old = pod.refresh().container("web").container_id
        raw.kill(look.pause(pod.namespace))
        eventually(
            lambda: pod.refresh().ready_count == 2 and pod.status.container("web").container_id != old,
            "it heals",
        )
        assert not [name for name in look.containers(namespace, running=True) if "_tools_" in name]
        again = pod.debug(BUSYBOX, ["sleep", "1000"], name="again")
        assert pod.exec(["hostname"], again).stdout == "web\n"


def test_from_another_process(namespace: str, look: Look) -> None:
    """By Python and by the command line; the owner of the pod looks on."""
    body = "with pod() as p:\n    ready()\n    time.sleep(100)\n"
    with Child(namespace, body) as owner:
        owner.ready()
        pod = pypod.get("web", namespace)
        assert pod.debug(BUSYBOX, ["sleep", "1000"], name="mine", target="two") == "mine"
        assert pod.exec(["hostname"], "mine").stdout == "web\n"
        done = _run(
            "debug",
            "web",
            "-n",
            namespace,
            "--image",
            BUSYBOX,
            "-c",
            "cli",
            "--",
            "sh",
            "-c",
            "echo hi; sleep 1000",
        )
        assert done.returncode == 0, done.stderr
        assert "cli" in done.stdout
        assert _run("exec", "web", "-n", namespace, "-c", "cli", "--", "hostname").stdout == "web\n"
        logs = ("logs", "web", "-n", namespace, "-c", "cli")
        eventually(lambda: _run(*logs).stdout == "hi\n", "its log")
        assert "cli:" in _run("describe", "web", "-n", namespace).stdout
        row = _run("ps", "-n", namespace).stdout.splitlines()[1].split()
        assert row[:4] == ["web", "2/2", "Running", "0"]
        owner.interrupt()
        owner.wait(PATIENCE)
    assert look.left(namespace) == []


def _run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*CLI, *words], capture_output=True, text=True, timeout=60, check=False)


def test_what_cannot_be_is_refused_and_leaves_nothing(namespace: str, look: Look) -> None:
    unstarted = _pod(namespace, shared=True)
    with pytest.raises(pypod.PodNotRunningError, match=r"^cannot use pod '.*/web': it was not started"):
        unstarted.debug(BUSYBOX)
    with unstarted as pod:
        pod.debug(BUSYBOX, ["sleep", "1000"], name="tools")
        before = look.containers(namespace)
        for name in ("web", "tools"):
            with pytest.raises(pypod.SpecError, match=f"'{name}'"):
                pod.debug(BUSYBOX, name=name)
        with pytest.raises(pypod.PodNotFoundError, match=r"cannot debug container 'none' .*it has web, side"):
            pod.debug(BUSYBOX, target="none")
        with pytest.raises(pypod.ImageError, match="ErrImageNeverPull"):
            pod.debug("pypod-test/none:1", image_pull_policy="Never")
        with pytest.raises(pypod.CommandError, match=r"cannot debug pod .*nonsense"):
            pod.debug(BUSYBOX, ["nonsense"])
        with pytest.raises(pypod.SpecError):
            pod.debug(BUSYBOX, mounts={"none": "/none"})
        assert look.containers(namespace) == before
    with pytest.raises(pypod.PodNotRunningError):
        unstarted.debug(BUSYBOX)
    done = _run("debug", "web", "-n", namespace, "--image", BUSYBOX)
    assert done.returncode == 1
    assert done.stderr.startswith(f"pypod: cannot find pod '{namespace}/web'")
