"""The commands about a pod's life, each in a process of its own, of a pod that none of them made."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import images
from tests.integration.conftest import eventually
from tests.integration.processes import PATIENCE, Child

CLI = [sys.executable, "-m", "pypod"]
POD = """
from pypod import Hook, Lifecycle, Probe, Resources
probe = Probe.exec(["test", "-e", "/tmp/ready"], period_seconds=0.2)
members = [
    member("web", "sh", "-c", "echo web is up; sleep 1000", readiness_probe=probe,
           lifecycle=Lifecycle(post_start=Hook.exec(["touch", "/tmp/hooked"]))),
    member("crash", "sh", "-c", "test -e /run/dead && sleep 1000; echo dying; sleep 0.5; exit 3", mounts={"data": "/data"}),
]
inits = [member("init", "echo", "prepared"), member("side", restart_policy="Always")]
p = pod("life", members, init_containers=inits, volumes=[pypod.Volume.empty_dir("data")])
p.start(wait=False)
ready(p.uid)
try:
    time.sleep(1000)
except KeyboardInterrupt:
    p.stop()
"""


def run(*words: str, stdin: bytes = b"", timeout: float = 60.0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([*CLI, *words], input=stdin, capture_output=True, timeout=timeout, check=False)
    return subprocess.CompletedProcess(
        done.args, done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
    )


@pytest.fixture(scope="module")
def where(module_namespace: str, docker_engine: object) -> Iterator[tuple[str, str, str]]:
    """A pod of another process, in which one member crashes and the other becomes ready when it is told to."""
    with Child(module_namespace, POD) as child:
        child.ready(60)
        here = ("life", "-n", module_namespace)
        eventually(lambda: run("exec", *here, "-c", "web", "--", "true").returncode == 0, "it runs")
        yield here
        child.interrupt()
        assert child.wait(60) == 0


def row(where: tuple[str, ...]) -> list[str]:
    return run("ps", *where[1:]).stdout.splitlines()[1].split()


def test_a_probes_result_is_seen_from_another_process(where: tuple[str, ...]) -> None:
    done = run("wait", *where, "--for=condition=Ready", "--timeout=0.5s")
    assert done.returncode == 124
    assert done.stderr.startswith("pypod: cannot wait longer than 0.5 s for pod")
    assert run("exec", *where, "-c", "web", "--", "touch", "/tmp/ready").returncode == 0
    eventually(lambda: "Result:       Success" in run("describe", *where).stdout, "the probe succeeds")
    assert run("exec", *where, "-c", "web", "--", "test", "-e", "/tmp/hooked").returncode == 0


def test_ps_counts_sidecars_and_tells_of_restarts(where: tuple[str, ...]) -> None:
    eventually(lambda: int(row(where)[3]) > 0, "a restart is counted")
    assert row(where)[1].endswith("/3")
    (item,) = json.loads(run("ps", *where[1:], "-o", "json").stdout)["items"]
    assert [each["name"] for each in item["status"]["initContainerStatuses"]] == ["init", "side"]
    crash = next(each for each in item["status"]["containerStatuses"] if each["name"] == "crash")
    assert crash["lastState"]["terminated"]["exitCode"] == 3


def test_describe_tells_all(where: tuple[str, ...]) -> None:
    eventually(lambda: int(row(where)[3]) > 0, "a restart is counted")
    said = run("describe", *where).stdout
    for line in (
        "Init Containers:",
        "  side:",
        f"    Image:          {images.BUSYBOX}",
        "    Last State:     Terminated",
        "      Reason:       Error",
        "      Exit Code:    3",
        "    Post Start:     exec [touch /tmp/hooked] (done)",
        "      /data from data (rw)",
        "QoS Class:        BestEffort",
    ):
        assert line in said.splitlines(), said
    assert "Image ID:       docker://sha256:" in said


def test_events_are_listed_and_watched_to_the_end(where: tuple[str, ...], module_namespace: str) -> None:
    eventually(lambda: "pod/life/crash" in run("events", *where).stdout, "there is something to tell")
    said = run("events", *where).stdout
    assert said.split()[:6] == ["LAST", "SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE"]
    script = "p = pod('short', [member('one')]).start(); ready(); time.sleep(1000)"
    with Child(module_namespace, script) as other:
        other.ready(60)
        watch = subprocess.Popen(
            [*CLI, "events", "short", "-n", module_namespace, "-w"], stdout=subprocess.PIPE, text=True
        )
        try:
            assert watch.stdout is not None
            assert watch.stdout.readline().startswith("LAST SEEN")
            pidof = ("exec", "short", "-n", module_namespace, "--", "pidof", "sleep")
            eventually(lambda: run(*pidof).returncode == 0, "its program has begun")
            run("exec", "short", "-n", module_namespace, "--", "sh", "-c", "kill -9 $(pidof sleep)")
            assert any("(x2 over" in line for line in watch.stdout)
            assert run("down", "short", "-n", module_namespace, "--grace", "0").returncode == 0
            assert watch.wait(PATIENCE) == 0
        finally:
            watch.kill()
            watch.communicate()


def test_logs_of_the_instance_before_and_since(where: tuple[str, ...]) -> None:
    eventually(lambda: int(row(where)[3]) > 0, "a restart is counted")
    # Of the last instance, which is another one after the next crash, and then may be going.
    eventually(lambda: run("logs", *where, "-c", "crash", "-p").stdout == "dying\n", "its last words")
    refused = run("logs", *where, "-c", "web", "-p")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert 'previous terminated container "web" in pod "life" not found' in refused.stderr
    assert run("logs", *where, "-c", "web", "--since", "1h").stdout == "web is up\n"
    assert run("logs", *where, "-c", "web", "--since", "2100-01-01T00:00:00Z").stdout == ""
    stamp, _, text = run("logs", *where, "-c", "init", "--timestamps").stdout.partition(" ")
    assert (stamp[:2], stamp[-1:], text) == ("20", "Z", "prepared\n")


def test_cp_both_ways_and_as_a_stream(where: tuple[str, ...], tmp_path: Path) -> None:
    pod, *rest = where
    (tmp_path / "file").write_text("content")
    assert run("cp", str(tmp_path / "file"), f"{pod}:/tmp/copied", *rest, "-c", "web").returncode == 0
    assert run("cp", f"{pod}:tmp/copied", str(tmp_path / "back"), *rest, "-c", "web").returncode == 0
    assert (tmp_path / "back").read_text() == "content"
    out = subprocess.run([*CLI, "cp", f"{pod}:/tmp/copied", "-", *rest], capture_output=True, check=True)
    with tarfile.open(fileobj=io.BytesIO(out.stdout)) as tar:
        assert tar.getnames() == ["copied"]
    assert run("cp", "-", f"{pod}:/home", *rest, stdin=out.stdout).returncode == 0
    assert run("exec", *where, "--", "cat", "/home/copied").stdout == "content"
    missing = run("cp", f"{pod}:/none", str(tmp_path), *rest)
    assert missing.returncode == 1
    assert "there is no '/none' in the container" in missing.stderr


def test_debug_joins_and_stays(where: tuple[str, ...]) -> None:
    made = run("debug", *where, "--image", images.TOOLS, "--env", "A=1", "-c", "tools")
    assert (made.returncode, made.stdout) == (0, "tools\n"), made.stderr
    said = run(
        "exec", *where, "-c", "tools", "--", "sh", "-c", "hostname; echo $A; ps ax | grep -c '[s]leep 1000'"
    )
    host, value, processes = said.stdout.split()
    assert (host, value) == ("life", "1")
    assert int(processes) >= 2
    assert "Ephemeral Containers:\n  tools:" in run("describe", *where).stdout
    assert row(where)[1].endswith("/3")
    again = run("debug", *where, "--image", images.TOOLS, "-c", "tools")
    assert again.returncode == 1
    assert again.stderr.startswith("pypod: cannot accept container 'tools' for pod")


def test_a_debug_container_without_a_pod_is_refused(module_namespace: str) -> None:
    done = run("debug", "nobody", "-n", module_namespace, "--image", images.TOOLS)
    assert (done.returncode, done.stderr[:24]) == (1, "pypod: cannot find pod '")
