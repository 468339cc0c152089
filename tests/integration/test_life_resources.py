"""What a container asks for and may use, as the engine has it; and the end of one that takes more."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import docker
import pytest

from pypod import Container, Phase, Pod, Resources, SpecError
from tests.images import TOOLS
from tests.integration.conftest import eventually
from tests.integration.life import SERVE, Witness, shell

pytestmark = pytest.mark.docker

MI = 1024 * 1024
LIMITS = ("CpuShares", "CpuQuota", "CpuPeriod", "Memory", "MemorySwap", "OomScoreAdj", "NanoCpus")


@pytest.fixture
def witness(raw: docker.APIClient, namespace: str) -> Witness:
    return Witness(raw, namespace)


def _pod(namespace: str, *containers: Container, **more: Any) -> Pod:
    return Pod("web", containers=containers, namespace=namespace, termination_grace_period_seconds=0, **more)


def _limits(witness: Witness, container: str) -> tuple[int, ...]:
    found = witness.inspect(container)["HostConfig"]
    return tuple(found[key] for key in LIMITS)


def test_a_guaranteed_pod(namespace: str, witness: Witness) -> None:
    half = Resources(limits={"cpu": "500m", "memory": "32Mi"})
    full = Resources(requests={"cpu": 0.25, "memory": 16 * MI}, limits={"cpu": "250m", "memory": "16Mi"})
    with _pod(namespace, shell("half", SERVE, resources=half), shell("full", SERVE, resources=full)) as pod:
        assert pod.refresh().qos_class == "Guaranteed"
        # 0, not Kubernetes' -997: an engine that is not root could not start it.
        assert _limits(witness, "half") == (512, 50_000, 100_000, 32 * MI, 32 * MI, 0, 0)
        assert _limits(witness, "full") == (256, 25_000, 100_000, 16 * MI, 16 * MI, 0, 0)


def test_a_burstable_pod_of_a_manifest(
    namespace: str, witness: Witness, raw: docker.APIClient, tmp_path: Path
) -> None:
    claims = Resources(requests={"cpu": "250m", "memory": "512Mi"}, limits={"memory": "1Gi"})
    pod = _pod(namespace, shell("claims", SERVE, resources=claims), shell("plain", SERVE))
    path = tmp_path / "pod.yaml"
    path.write_text(pod.to_manifest())
    node = raw.info()["MemTotal"]
    score = min(999, max(3, 1000 - 1000 * 512 * MI // node))
    with Pod.from_manifest(path) as again:
        assert again.refresh().qos_class == "Burstable"
        assert _limits(witness, "claims") == (256, 0, 0, 1024 * MI, 1024 * MI, score, 0)
        assert _limits(witness, "plain") == (2, 0, 0, 0, 0, 999, 0)


def test_a_best_effort_pod(namespace: str, witness: Witness) -> None:
    with _pod(namespace, shell("plain", SERVE)) as pod:
        assert pod.refresh().qos_class == "BestEffort"
        assert _limits(witness, "plain") == (2, 0, 0, 0, 0, 1000, 0)


def test_a_container_that_takes_more_memory_is_killed_and_restarted(namespace: str, witness: Witness) -> None:
    take = f"python3 -c 'print(len(bytearray({200 * MI})))'"
    greedy = Container(
        "greedy",
        TOOLS,
        command=["sh", "-c", f"{SERVE}; {take}; until [ -e /heard ]; do sleep 0.05; done; exit 137"],
        resources=Resources(limits={"memory": "32Mi"}),
    )
    with _pod(namespace, greedy, shell("other", SERVE)) as pod:
        pod.exec(["touch", "/go"], "greedy")
        # Where the engine hears of the end before it hears of the OOM, it says nothing of that.
        eventually(lambda: witness.happened("oom", "greedy"), "the kernel's OOM killer takes it")
        pod.exec(["touch", "/heard"], "greedy")
        eventually(lambda: pod.refresh().ready_count == 2 and pod.status.restart_count == 1, "restarted")
        status = pod.status.container("greedy")
        assert status.last_state is not None
        assert (status.last_state.reason, status.last_state.exit_code) == ("OOMKilled", 137)
        assert witness.attempts("greedy") == [0, 1]
        assert (pod.status.phase, pod.status.container("other").restart_count) == (Phase.RUNNING, 0)


def test_less_memory_than_an_engine_takes_is_refused_before_anything_is_made(
    namespace: str, witness: Witness
) -> None:
    little = Resources(limits={"memory": "5Mi"})
    with pytest.raises(SpecError, match=r"containers\[0\]\.resources\.limits\[memory\].*6Mi or more"):
        _pod(namespace, shell("little", SERVE, resources=little)).start()
    assert witness.happened("create") == []
    text = f"""\
apiVersion: v1
kind: Pod
metadata: {{name: web, namespace: {namespace}}}
spec:
  containers:
  - name: little
    image: some/image:1
    resources: {{limits: {{memory: 5Mi}}}}
"""
    with pytest.raises(SpecError, match="6Mi or more"):
        Pod.from_manifest(text)
