"""Detached pods with a time to live: who removes them, and what puts that off."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from pathlib import Path

import docker
import pytest

import pypod
from pypod import Container, Pod
from tests.images import BUSYBOX
from tests.integration.life import Witness, on_term
from tests.integration.processes import PATIENCE, Child, Look, until

pytestmark = pytest.mark.docker

TTL = 4.0
"""Time enough for an interpreter to end, and for another look."""
LATE = PATIENCE
"""Seconds after its end within which a pod must be gone: a look of the background program, and the removal."""

AS_WRITTEN = "while not p.history.kept_until: p.refresh()\n"
"""A journal tells a moment later what was written to it; till then the end is the earliest one, of when the pod was made."""


@pytest.fixture
def look(raw: docker.APIClient) -> Look:
    return Look(raw)


def pod_of(namespace: str, script: str = "exec sleep 1000") -> Pod:
    app = Container("app", BUSYBOX, command=["sh", "-c", script])
    return Pod("web", namespace=namespace, containers=[app], termination_grace_period_seconds=5)


def test_the_background_program_removes_it_with_its_grace(
    namespace: str, look: Look, raw: docker.APIClient
) -> None:
    witness = Witness(raw, namespace)
    manifest = pod_of(namespace, on_term("exit 7")).to_manifest()
    # What is over before another process has looked: then this machine needs a longer one.
    for ttl in (TTL, 4 * TTL, 16 * TTL):
        body = f"p = Pod.from_manifest({manifest!r}).start(detach=True, ttl={ttl})\n{AS_WRITTEN}ready(p.expires_at)\n"
        with Child(namespace, body) as child:
            end = float(child.ready()[0])
            child.wait(PATIENCE)
        assert end - time.time() < ttl + 0.5
        seen = None
        with contextlib.suppress(pypod.PodNotFoundError):
            seen = pypod.get("web", namespace).expires_at
        if seen is not None:
            break
        assert time.time() > end, "it is there until then"
        until(lambda: not look.left(namespace), LATE)
    assert seen == end, "as every process sees it"
    until(lambda: not look.left(namespace), end - time.time() + LATE)
    assert time.time() > end
    died = witness.happened("die", "app")
    assert [each.attributes["exitCode"] for each in died[-1:]] == ["7"], "it was asked to end"


def test_whoever_takes_it_up_puts_its_end_off(namespace: str, look: Look) -> None:
    # What is over before it is taken up is made anew: then this machine needs a longer one.
    for ttl in (TTL, 4 * TTL, 16 * TTL):
        first = pod_of(namespace).start(detach=True, ttl=ttl)
        again = pod_of(namespace).start(detach=True, ttl=ttl + 2)
        if again.uid == first.uid:
            break
        again.stop(grace=0)
    before, after = first.expires_at, again.expires_at
    assert before is not None
    assert after is not None
    assert (again.uid, after > before + 1.5) == (first.uid, True)
    first.refresh()
    assert first.expires_at == after, "the first handle sees it too"
    until(lambda: not look.left(namespace), after - time.time() + LATE)
    assert time.time() > after, "two seconds after its first end"


def test_a_new_sandbox_keeps_the_end(namespace: str, raw: docker.APIClient) -> None:
    pod = pod_of(namespace).start(detach=True, ttl=600)
    end = pod.expires_at
    uid = pod.uid
    Witness(raw, namespace).kill_pause()
    until(lambda: pod.refresh().ready_count == 1 and pod.status.container("app").restart_count, PATIENCE)
    until(
        lambda: pod.refresh().ready_count == 1 and pod.expires_at == end, PATIENCE, "its new journal tells it"
    )
    assert pod.uid == uid
    pod.stop(grace=0)


def test_pypod_up_with_a_time_to_live(namespace: str, tmp_path: Path) -> None:
    """``up -d --ttl`` gives it one, ``ps`` and ``describe`` tell it, the same again puts it off, without one it stays."""
    manifest = tmp_path / "pod.yaml"
    manifest.write_text(pod_of(namespace).to_manifest())

    def pypod_cli(*words: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "pypod", *words], capture_output=True, text=True, timeout=90, check=True
        )
        return done.stdout

    up = ("up", "-d", "-f", str(manifest))
    pypod_cli(*up, "--ttl", "30m")
    pod = pypod.get("web", namespace)
    head, row = pypod_cli("ps", "-n", namespace).splitlines()
    assert (head.split()[-1], row.split()[-1]) in (("TTL", "29m"), ("TTL", "30m"), ("TTL", "28m"))
    assert "\nEnds: " in pypod_cli("describe", "web", "-n", namespace)
    pypod_cli(*up, "--ttl", "2h")
    pod.refresh()
    assert pod.expires_at == pytest.approx(time.time() + 7200, abs=60)
    pypod_cli(*up)
    pod.refresh()
    assert pod.expires_at is None
    pod.stop(grace=0)
