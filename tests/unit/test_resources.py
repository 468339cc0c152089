"""Resources: what may be given, and the figures that a kubelet makes of them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from pypod.model.spec.resources import (
    CPU_PERIOD,
    QOSClass,
    ResourceList,
    Resources,
    cpu_quota,
    cpu_shares,
    oom_score_adj,
    qos_class,
)

VECTORS = Path(__file__).parent.parent / "vectors"


def cases(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((VECTORS / name).read_text("utf-8"))["cases"]
    return found


def test_the_vectors_are_all_here() -> None:
    assert (len(cases("cpu.json")), len(cases("oom_score_adj.json"))) == (14, 6)


@pytest.mark.parametrize("case", cases("cpu.json"), ids=lambda case: f"{case['milliCPU']}m")
def test_cpu_shares_and_quota_are_a_kubelets(case: dict[str, int]) -> None:
    assert cpu_shares(case["milliCPU"]) == case["cpuShares"]
    assert cpu_quota(case["milliCPU"]) == case["cpuQuota"]
    assert CPU_PERIOD == 100_000


@pytest.mark.parametrize("case", cases("oom_score_adj.json"), ids=lambda case: str(case["oomScoreAdj"]))
def test_oom_scores_are_a_kubelets(case: dict[str, Any]) -> None:
    found = oom_score_adj(QOSClass(case["qos"]), case["memoryRequest"], case["nodeMemory"])
    assert found == case["oomScoreAdj"]


def test_guaranteed_is_killed_last_and_an_unknown_node_makes_no_difference() -> None:
    assert oom_score_adj(QOSClass.GUARANTEED, 0, 2**33) == -997
    assert oom_score_adj(QOSClass.BURSTABLE, 2**30, 0) == 999
    assert oom_score_adj(QOSClass.BURSTABLE, 2**34, 2**33) == 3


FULL = {"cpu": "1", "memory": "64Mi"}
QOS = [
    ([], QOSClass.BEST_EFFORT),
    ([Resources()], QOSClass.BEST_EFFORT),
    ([Resources(requests={"cpu": 0})], QOSClass.BEST_EFFORT),
    ([Resources(limits=FULL)], QOSClass.GUARANTEED),
    ([Resources(limits=FULL), Resources(limits=FULL, requests=FULL)], QOSClass.GUARANTEED),
    ([Resources(limits=FULL), Resources()], QOSClass.BURSTABLE),
    ([Resources(limits=FULL, requests={"cpu": "500m"})], QOSClass.BURSTABLE),
    ([Resources(limits={"memory": "64Mi"})], QOSClass.BURSTABLE),
    ([Resources(requests=FULL)], QOSClass.BURSTABLE),
]


@pytest.mark.parametrize(("resources", "expected"), QOS)
def test_qos_class(resources: list[Resources], expected: QOSClass) -> None:
    assert qos_class(resources) is expected


def test_quantities_and_numbers() -> None:
    given = Resources(requests={"cpu": 0.25, "memory": 1000}, limits={"cpu": "1500m", "memory": "1Gi"})
    assert given.requests == ResourceList(250, 1000)
    assert given.limits == ResourceList(1500, 2**30)
    assert given == Resources(requests=given.requests, limits=given.limits)
    assert given
    assert not Resources()
    assert Resources(limits={"cpu": None, "memory": 1}).effective_requests == ResourceList(None, 1)  # type: ignore[dict-item]


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"cpu": "abc"}, ValueError, "cannot take requests['cpu']: 'abc' is no quantity"),
        ({"memory": float("nan")}, ValueError, "cannot take requests['memory']: 'nan' is no quantity"),
        ({"cpu": True}, TypeError, "cannot take requests['cpu']: a quantity or a number is expected, not True"),
        ({"memory": []}, TypeError, "cannot take requests['memory']: a quantity or a number is expected, not []"),
        ({"gpu": 1}, ValueError, "cannot take requests['gpu']: 'cpu' or 'memory' is expected"),
        ("1Gi", TypeError, "cannot take requests='1Gi': a mapping like {'cpu': '250m', 'memory': '64Mi'}"),
        (5, TypeError, "cannot take requests=5"),
    ],
)  # fmt: skip
def test_what_is_no_amount_names_its_field(given: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=re.escape(message)):
        Resources(requests=given)
    with pytest.raises(error, match=re.escape(message.replace("requests", "limits"))):
        Resources(limits=given)
