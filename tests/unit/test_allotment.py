"""What containers get of their machine, where the whole pod has resources too."""

from __future__ import annotations

from typing import Any

import pytest

from pypod.model.rules.allotment import Allotment, aggregated_requests, allotment, pod_qos
from pypod.model.spec.pod import Container, PodSpec
from pypod.model.spec.resources import QOSClass, Resources

NODE = 8 * 2**30
GIB = 2**30


def container(name: str = "web", *, limits: Any = None, requests: Any = None, **more: Any) -> Container:
    return Container(name, "x", resources=Resources(limits=limits, requests=requests), **more)


def pod(*containers: Container, limits: Any = None, requests: Any = None, init: Any = ()) -> PodSpec:
    return PodSpec(
        "shop", containers, resources=Resources(limits=limits, requests=requests), init_containers=tuple(init)
    )


def test_its_own_limits_come_first() -> None:
    web = container(limits={"cpu": "500m", "memory": "64Mi"}, requests={"cpu": "250m"})
    spec = pod(web, limits={"cpu": 2, "memory": "1Gi"})
    found = allotment(spec, web, NODE)
    assert (found.cpu_shares, found.cpu_quota, found.memory) == (256, 50_000, 64 * 2**20)


def test_without_its_own_it_has_those_of_the_pod() -> None:
    web = container()
    found = allotment(pod(web, limits={"cpu": 2, "memory": "1Gi"}), web, NODE)
    assert (found.cpu_shares, found.cpu_quota, found.memory) == (2048, 200_000, GIB)
    asks = container(requests={"cpu": 0})
    assert allotment(pod(asks, limits={"cpu": 2}), asks, NODE).cpu_shares == 2


def test_nothing_at_all() -> None:
    web = container()
    assert allotment(pod(web), web, NODE) == Allotment(2, 0, 0, 1000)


QOS: list[tuple[PodSpec, QOSClass]] = [
    (pod(container()), QOSClass.BEST_EFFORT),
    (pod(container(), limits={"cpu": 1, "memory": "1Gi"}), QOSClass.GUARANTEED),
    (pod(container(), limits={"memory": "1Gi"}), QOSClass.BURSTABLE),
    (pod(container(limits={"cpu": 1, "memory": "1Gi"}), requests={"cpu": 2}), QOSClass.BURSTABLE),
    (pod(container(limits={"cpu": 1, "memory": "1Gi", "ephemeral-storage": "1Gi"})), QOSClass.GUARANTEED),
    (pod(container(requests={"cpu": 1}), limits={"cpu": 2, "memory": "1Gi"}), QOSClass.BURSTABLE),
]


@pytest.mark.parametrize(("spec", "qos"), QOS, ids=range(len(QOS)))
def test_qos_classes(spec: PodSpec, qos: QOSClass) -> None:
    assert pod_qos(spec) is qos


def test_what_only_the_pod_asks_for_is_shared_out_for_the_oom_killer() -> None:
    """2 GiB of 8 for one that asks for 1 and its share of the other 2, of which each of the two has one."""
    web, log = container(requests={"memory": "1Gi"}), container("log")
    spec = pod(web, log, requests={"memory": "3Gi"})
    assert allotment(spec, web, NODE).oom_score_adj == 750
    assert allotment(spec, log, NODE).oom_score_adj == 875


def test_a_sidecar_is_not_taken_before_those_that_it_serves() -> None:
    web = container(requests={"memory": "2Gi"})
    proxy = container("proxy", requests={"memory": "16Mi"}, restart_policy="Always")
    spec = pod(web, init=[proxy])
    assert allotment(spec, proxy, NODE).oom_score_adj == allotment(spec, web, NODE).oom_score_adj == 750


def test_guaranteed_pods_stay_at_0() -> None:
    web = container(limits={"cpu": 1, "memory": "1Gi"})
    assert allotment(pod(web), web, NODE).oom_score_adj == 0


def test_what_a_pod_asks_for_at_its_busiest() -> None:
    """While an init container runs, beside the sidecars before it; or when all that lasts runs."""
    asks = {"cpu": 1}
    first = container("first", requests={"cpu": 5})
    proxy = container("proxy", requests=asks, restart_policy="Always")
    second = container("second", requests={"cpu": 3})
    spec = pod(container(requests=asks), container("log", requests=asks), init=[first, proxy, second])
    assert aggregated_requests(spec) == {"cpu": 5000, "memory": 0}
    spec = pod(container(requests={"cpu": 6}), init=[first, proxy, second])
    assert aggregated_requests(spec)["cpu"] == 7000
    spec = pod(container(requests=asks), init=[proxy, container("third", requests={"cpu": 8})])
    assert aggregated_requests(spec)["cpu"] == 9000
