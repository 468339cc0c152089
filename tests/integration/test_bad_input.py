"""What is asked for wrongly is refused clearly: an error class of its own, at once, and nothing is left behind."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import docker
import pytest

import pypod
from pypod import Container, Pod, Probe, Volume
from tests.images import BUSYBOX
from tests.integration.processes import Look

pytestmark = pytest.mark.docker

TRIES = 3
AT_ONCE = 20.0
"""Seconds: a guard against waiting for what cannot come, not a claim of speed; a noisy machine must not fail it."""


@pytest.fixture
def look(raw: docker.APIClient) -> Look:
    return Look(raw)


def _start(namespace: str, *, volumes: tuple[Volume, ...] = (), name: str = "web", **member: Any) -> None:
    given = {"command": ["sleep", "1000"], "image": BUSYBOX, **member}
    good = Container("good", BUSYBOX, command=["sleep", "1000"])
    bad = Container(given.pop("name_of_bad", "bad"), given.pop("image"), **given)
    Pod(name, containers=[good, bad], namespace=namespace, volumes=volumes).start()


@dataclass(frozen=True)
class Bad:
    """A mistake: how it is made, the error's very class, and the words that its message must have."""

    title: str
    make: Callable[[str], object]
    error: type[pypod.PypodError]
    words: tuple[str, ...]
    pulls: bool = False


MOUNT = {"data": "/data"}
NOWHERE = "/nonexistent/of/pypod/tests"
TABLE = [
    Bad(
        "an image that no registry has",
        lambda ns: _start(ns, image="localhost:1/none:1"),
        pypod.ImageError,
        ("{ns}/web", "'bad'", "localhost:1/none:1"),
        pulls=True,
    ),
    Bad(
        "an image that is not here and must not be pulled",
        lambda ns: _start(ns, image="pypod-test/none:1", image_pull_policy="Never"),
        pypod.ImageError,
        ("{ns}/web", "'bad'", "pypod-test/none:1", "Never"),
    ),
    Bad(
        "a reference that is none",
        lambda ns: _start(ns, image="UPPER CASE"),
        # Kubernetes' API takes it, and so does a manifest's reader; its kubelet calls it InvalidImageName.
        pypod.ImageError,
        (
            "{ns}/web",
            "'bad'",
            "InvalidImageName",
            "UPPER CASE",
            "[registry[:port]/]name[:tag][@digest] is expected",
        ),
    ),
    Bad(
        "a command that does not exist",
        lambda ns: _start(ns, command=["no-such-program", "-x"]),
        pypod.CommandError,
        ("{ns}/web", "'bad'", "no-such-program", "127"),
    ),
    Bad(
        "a command that cannot be executed",
        lambda ns: _start(ns, command=["/etc"]),
        pypod.CommandError,
        ("{ns}/web", "'bad'", "/etc"),
    ),
    Bad(
        "a pod's name that is no DNS label",
        lambda ns: _start(ns, name="Not_a_label"),
        pypod.InvalidNameError,
        ("Not_a_label", "metadata.name"),
    ),
    Bad(
        "a container's name that is no DNS label",
        lambda ns: _start(ns, name_of_bad="under_score"),
        pypod.InvalidNameError,
        ("pod 'web'", "under_score", "spec.containers[1].name"),
    ),
    Bad(
        "a volume that is mounted but not defined",
        lambda ns: _start(ns, mounts=MOUNT),
        pypod.UnknownVolumeError,
        ("pod 'web'", "data", "spec.containers[1].volumeMounts[0]"),
    ),
    Bad(
        "a port out of range",
        lambda ns: _start(ns, ports=[65536]),
        pypod.InvalidPortError,
        ("pod 'web'", "65536", "spec.containers[1].ports[0].containerPort"),
    ),
    Bad(
        "a daemon that is not there",
        lambda _: pypod.connect("unix:///nonexistent.sock"),
        pypod.EngineUnavailableError,
        ("/nonexistent.sock",),
    ),
    Bad(
        "a host path that does not exist",
        lambda ns: _start(ns, volumes=(Volume.host_path("data", NOWHERE),), mounts=MOUNT),
        pypod.PodStartError,
        ("{ns}/web", "'bad'", NOWHERE),
    ),
]


@pytest.mark.parametrize("bad", TABLE, ids=[bad.title for bad in TABLE])
def test_a_mistake_has_an_error_of_its_own_at_once(namespace: str, look: Look, bad: Bad) -> None:
    taken = []
    for _ in range(TRIES):
        begin = time.monotonic()
        with pytest.raises(pypod.PypodError) as caught:
            bad.make(namespace)
        taken.append(time.monotonic() - begin)
        assert look.left(namespace) == []
        _check(caught.value, bad, namespace)
    if not bad.pulls:
        assert statistics.median(taken) < AT_ONCE, taken


def _check(error: pypod.PypodError, bad: Bad, namespace: str) -> None:
    message = str(error)
    assert type(error) is bad.error, message
    assert message.startswith("cannot ")
    for word in bad.words:
        assert word.format(ns=namespace) in message
    if isinstance(error, pypod.PodStartError):
        assert error.pod == f"{namespace}/web"
        assert error.container == "bad"


def test_a_name_that_runs_already(namespace: str, look: Look) -> None:
    good = Container("good", BUSYBOX, command=["sleep", "1000"])
    with Pod("web", containers=[good], namespace=namespace, termination_grace_period_seconds=0) as pod:
        before = look.containers(namespace)
        taken = []
        for _ in range(TRIES):
            begin = time.monotonic()
            with pytest.raises(pypod.PodExistsError, match=f"^cannot .*{namespace}/web") as caught:
                _start(namespace)
            taken.append(time.monotonic() - begin)
            assert caught.value.pod == f"{namespace}/web"
            assert look.containers(namespace, running=True) == before
        assert statistics.median(taken) < AT_ONCE, taken
        assert pod.exec(["true"]).exit_code == 0


def test_all_mistakes_of_a_description_are_told_at_once(namespace: str) -> None:
    with pytest.raises(pypod.SpecError) as caught:
        _start(namespace, ports=[0], mounts=MOUNT)
    assert {problem.path for problem in caught.value.problems} >= {
        "spec.containers[1].ports[0].containerPort",
        "spec.containers[1].volumeMounts[0].name",
    }


def test_an_unreachable_engine_is_not_asked_for_long_by_a_pod(
    namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent.sock")
    begin = time.monotonic()
    with pytest.raises(pypod.EngineUnavailableError, match=r"^cannot .*nonexistent\.sock"):
        _start(namespace)
    assert time.monotonic() - begin < AT_ONCE


def test_the_log_of_what_crashes_is_in_the_error(namespace: str, look: Look) -> None:
    words = "echo listening; echo 'no such database: shop' >&2; exit 4"
    # Without a probe it is ready while it runs, which on a slow machine is seen.
    never = Probe.tcp_socket(81)
    with pytest.raises(pypod.PodStartError) as caught:
        _start(namespace, command=["sh", "-c", words], readiness_probe=never)
    assert (caught.value.container, caught.value.exit_code) == ("bad", 4)
    assert "no such database: shop" in caught.value.log_tail
    assert "bad| no such database: shop" in str(caught.value)
    assert look.left(namespace) == []
