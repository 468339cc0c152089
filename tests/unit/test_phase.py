"""Where a pod is in its life: every case of Kubernetes' own tests of getPhase (pkg/kubelet/kubelet_pods_test.go)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pypod.model.life.container_status import ContainerStatus, Running, State, Terminated, Waiting
from pypod.model.life.phase import Phase, phase_of
from pypod.model.spec.pod import Container, PodSpec, RestartPolicy

CASES = json.loads((Path(__file__).parents[1] / "vectors" / "phase.json").read_text())["cases"]


def container(case: dict[str, str]) -> Container:
    return Container(case["name"], "image", restart_policy=case.get("restartPolicy"))


def end(code: int, reason: str = "") -> Terminated:
    return Terminated(code, reason or ("Error" if code else "Completed"))


def status(case: dict[str, Any]) -> ContainerStatus:
    if "terminated" in case:
        state: State = end(case["terminated"])
    else:
        state = Running(1.0) if "running" in case else Waiting("ContainerCreating")
    last = end(case["last"]) if "last" in case else None
    return ContainerStatus(
        case["name"], state, last, ready=False, restart_count=0, image="", container_id="",
        started=case.get("started", False),
    )  # fmt: skip


def test_the_vectors_are_all_here() -> None:
    assert len(CASES) == 47
    assert {case["phase"] for case in CASES} == {"Pending", "Running", "Succeeded", "Failed"}


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['test']}: {case['name']}")
def test_phase_is_as_kubernetes_has_it(case: dict[str, Any]) -> None:
    wanted = case["spec"]
    spec = PodSpec(
        "shop",
        tuple(container(each) for each in wanted["containers"]),
        init_containers=tuple(container(each) for each in wanted["initContainers"]),
        restart_policy=RestartPolicy(wanted["restartPolicy"]),
    )
    found = phase_of(
        spec,
        [status(each) for each in case["statuses"]],
        is_terminal=case["podIsTerminal"],
        has_initialized=case["podHasInitialized"],
    )
    assert found is Phase(case["phase"])


def test_an_init_container_that_lacked_memory_has_failed_though_it_ended_with_nought() -> None:
    spec = PodSpec(
        "shop",
        (Container("a", "image"),),
        init_containers=(Container("i", "image"),),
        restart_policy=RestartPolicy.NEVER,
    )
    statuses = [status({"name": "i", "terminated": 0}), status({"name": "a", "waiting": True})]
    assert phase_of(spec, statuses, is_terminal=False, has_initialized=False) is Phase.PENDING
    statuses[0] = ContainerStatus("i", end(0, "OOMKilled"), None, False, 0, "", "")
    assert phase_of(spec, statuses, is_terminal=False, has_initialized=False) is Phase.FAILED
