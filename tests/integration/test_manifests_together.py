"""Manifests of several documents on the real engine: objects beside pods, what changes, in a process and from the shell."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import docker
import pytest

import pypod
from pypod import ConfigMap, PersistentVolumeClaim, Pod, Secret
from pypod.engine.api import Engine
from pypod.model import naming
from tests import images
from tests.integration.conftest import eventually

pytestmark = pytest.mark.docker

HIDDEN = "correct-horse-battery"
OBJECTS = f"""\
apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: ConfigMap
  metadata: {{name: settings, namespace: NAMESPACE}}
  data: {{greeting: hello}}
- apiVersion: v1
  kind: Secret
  metadata: {{name: login, namespace: NAMESPACE}}
  stringData: {{password: {HIDDEN}}}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {{name: files, namespace: NAMESPACE}}
spec:
  accessModes: [ReadWriteOnce]
  resources: {{requests: {{storage: 1Gi}}}}
"""
POD = f"""\
---
apiVersion: v1
kind: Pod
metadata: {{name: NAME, namespace: NAMESPACE}}
spec:
  terminationGracePeriodSeconds: 2
  containers:
  - name: c
    image: {images.BUSYBOX}
    command: [sh, -c, "trap 'exit 0' TERM; echo NAME says one; while true; do sleep 0.1; done"]
"""


@pytest.fixture
def text(namespace: str) -> str:
    return (OBJECTS + POD.replace("NAME ", "web ").replace("NAME,", "web,")).replace("NAMESPACE", namespace)


def two(text: str) -> str:
    """With a second pod."""
    pod = text[text.rindex("---\n") :]
    return text + pod.replace("name: web", "name: other").replace("web says", "other says")


def clean(engine: Engine, namespace: str) -> None:
    for each in pypod.list_objects(namespace, engine=engine):
        pypod.delete_object(each.kind, each.name, namespace, engine=engine)


def run(folder: Path, *words: str, text: str = "") -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "pypod", *words],
        input=text,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert HIDDEN not in done.stdout + done.stderr
    return done


def says(folder: Path, namespace: str, text: str) -> None:
    """The log of the pod is this text. A container that runs may not have begun to write."""

    def log() -> str:
        return run(folder, "logs", "web", "-n", namespace).stdout

    eventually(log, "it says something")
    assert log() == text


def test_a_pod_with_its_objects(engine: Engine, namespace: str, text: str, tmp_path: Path) -> None:
    path = tmp_path / "all.yaml"
    path.write_text(text)
    with Pod.from_manifest(path, engine=engine) as pod:
        assert pod.status.summary == "Running"
        kinds = [type(each) for each in pypod.list_objects(namespace, engine=engine)]
        assert kinds == [ConfigMap, PersistentVolumeClaim, Secret]
        secret = pypod.get_object(Secret, "login", namespace, engine=engine)
        assert secret.data == {"password": HIDDEN.encode()}
    assert len(pypod.list_objects(namespace, engine=engine)) == 3  # they outlive it
    with Pod.from_manifest(path.read_bytes().replace(b"hello", b"goodbye"), engine=engine):
        settings = pypod.get_object(ConfigMap, "settings", namespace, engine=engine)
        assert settings.data == {"greeting": "goodbye"}
    clean(engine, namespace)


def test_nothing_that_a_secret_holds_is_where_the_engine_shows_it(
    engine: Engine, raw: docker.APIClient, namespace: str, text: str
) -> None:
    with Pod.from_manifest(text, engine=engine) as pod:
        labels = [each["Labels"] for each in raw.volumes()["Volumes"]]
        labels += [each["Labels"] for each in raw.containers(all=True)]
        ours = [each for each in labels if (each or {}).get(naming.NAMESPACE) == namespace]
        assert len(ours) >= 6
        assert HIDDEN not in str(ours) + str(pod.plan()) + str(pod.events)
    clean(engine, namespace)


def test_up_again_and_changed_and_down(namespace: str, text: str, tmp_path: Path) -> None:
    first = run(tmp_path, "up", "-d", "-f", "-", text=text)
    assert first.returncode == 0, first.stderr
    assert first.stdout.startswith("web ")
    assert first.stderr.count(" created") == 3

    assert run(tmp_path, "diff", "-f", "-", text=text).returncode == 0
    again = run(tmp_path, "up", "-d", "-f", "-", text=text)
    assert (again.returncode, again.stdout) == (0, first.stdout)
    assert again.stderr.count(" unchanged") == 4

    changed = text.replace("says one", "says two").replace("hello", "goodbye").replace(HIDDEN, f"{HIDDEN}-2")
    differs = run(tmp_path, "diff", "-f", "-", text=changed)
    assert differs.returncode == 1
    assert "+  greeting: goodbye" in differs.stdout
    assert "+  password: '*** (after)'" in differs.stdout
    assert "says two" in differs.stdout
    plan = run(tmp_path, "plan", "-f", "-", text=changed).stdout
    assert "secret/login would be configured\n" in plan
    assert "it would be stopped, and started anew\n" in plan
    says(tmp_path, namespace, "web says one\n")  # nothing was touched

    up = run(tmp_path, "up", "-d", "-f", "-", text=changed)
    assert up.returncode == 0, up.stderr
    assert "configmap/settings configured\n" in up.stderr
    assert up.stderr.endswith("pod/web differs: stopping it, to start it anew ...\n")
    says(tmp_path, namespace, "web says two\n")

    exported = run(tmp_path, "export", "web", "-n", namespace)
    assert run(tmp_path, "diff", "-f", "-", text=exported.stdout).returncode == 0
    down = run(tmp_path, "down", "-f", "-", "--claims", text=changed)
    assert (down.returncode, len(down.stdout.splitlines())) == (0, 4)


def test_several_pods_that_stay(namespace: str, text: str, tmp_path: Path) -> None:
    (tmp_path / "dir").mkdir()
    (tmp_path / "dir" / "all.yaml").write_text(two(text))
    up = run(tmp_path, "up", "-d", "-f", "dir")
    assert up.returncode == 0, up.stderr
    assert [line.split()[0] for line in up.stdout.splitlines()] == ["web", "other"]
    table = run(tmp_path, "ps", "-n", namespace).stdout
    assert table.count(" 1/1     Running ") == 2
    assert run(tmp_path, "apply", "-f", "dir").stdout.count(" unchanged\n") == 5
    assert run(tmp_path, "down", "-f", "dir", "--claims").returncode == 0


def test_several_pods_in_the_foreground(engine: Engine, namespace: str, text: str, tmp_path: Path) -> None:
    (tmp_path / "all.yaml").write_text(two(text))
    words = [sys.executable, "-m", "pypod", "up", "-f", "all.yaml"]
    output = tmp_path / "out"
    with (
        output.open("w") as out,
        subprocess.Popen(words, cwd=tmp_path, stdout=out, stderr=subprocess.PIPE, text=True) as process,
    ):
        try:
            said = ("web/c   | web says one", "other/c | other says one")
            eventually(lambda: all(each in output.read_text() for each in said), "the logs of both")
            assert len(pypod.list(namespace, engine=engine)) == 2
            os.kill(process.pid, signal.SIGINT)
            _, errors = process.communicate(timeout=90)
        finally:
            process.kill()
    assert process.returncode == 130, errors
    assert f"removing pods {namespace}/web, {namespace}/other; another Ctrl-C kills them" in errors
    assert pypod.list(namespace, engine=engine) == []
    clean(engine, namespace)


def test_one_that_fails_takes_the_others_with_it(
    engine: Engine, namespace: str, text: str, tmp_path: Path
) -> None:
    bad = two(text).replace("echo other says one; while true; do sleep 0.1; done", "exit 3")
    # Without a probe one that has just begun is ready, and whoever looks just then would not see it end.
    bad = f"{bad.rstrip()}\n    readinessProbe: {{exec: {{command: ['false']}}}}\n"
    for words in (["up"], ["up", "-d"]):
        done = run(tmp_path, *words, "-f", "-", text=bad)
        assert done.returncode == 1
        assert f"cannot start pod '{namespace}/other': container 'c': CrashLoopBackOff" in done.stderr
        assert pypod.list(namespace, engine=engine) == []
    clean(engine, namespace)
