"""What a cold pod asks the engine: as few calls as it needs, counted. docs/performance.md explains them one by one."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from pypod import starting
from pypod.engine.pool import InlinePool
from pypod.engine.teardown import Teardown
from pypod.model.life.desired import Desired
from pypod.model.spec.pod import Container, PodSpec
from pypod.testing import FakeEngine
from tests.unit.rig import IDENTITY, KEY, Loop


def started(engine: FakeEngine, name: str, members: int) -> Loop:
    """A new pod, up; everything on this thread."""
    spec = PodSpec(name, tuple(Container(f"c{index}", "app:1") for index in range(members)))
    identity = replace(IDENTITY, key=replace(KEY, name=name, uid=f"{name}-uid"))
    pod = Loop(
        engine,
        Desired(spec, identity),
        clock=engine.clock,
        actions=None,
        probe_pool=InlinePool(),
        making=True,
    )
    starting.start(pod, timeout=10, min_ready_seconds=0)
    return pod


def calls_since(engine: FakeEngine, before: int) -> Counter[str]:
    return Counter(call[0] for call in engine.calls[before:])


@pytest.fixture
def engine() -> FakeEngine:
    """One that had a pod before: pause image and network are there, and what engine it is was asked."""
    fake = FakeEngine()
    fake.add_image("app:1")
    first = started(fake, "first", 1)
    Teardown(fake, first.desired.identity.key, clock=fake.clock, pool=None).run()
    return fake


def test_a_cold_pod_of_three_asks_for_this_and_no_more(engine: FakeEngine) -> None:
    before = len(engine.calls)
    started(engine, "shop", 3)
    assert calls_since(engine, before) == {
        "networks": 1,
        "image": 2,
        "create_container": 4,
        "attach_stdin": 1,
        "start_container": 4,
        "containers": 1,
        "container": 4,
    }


@pytest.mark.parametrize("members", [1, 10, 30])
def test_each_member_more_costs_three_calls(engine: FakeEngine, members: int) -> None:
    """It is created, started, and looked at once."""
    before = len(engine.calls)
    started(engine, "shop", members)
    assert calls_since(engine, before).total() == 8 + 3 * members


def test_a_removal_without_grace_inspects_nothing(engine: FakeEngine) -> None:
    pod = started(engine, "shop", 3)
    before = len(engine.calls)
    Teardown(engine, pod.desired.identity.key, clock=engine.clock, pool=None).run()
    assert calls_since(engine, before) == {
        "containers": 2,
        "volumes": 2,
        "rename_container": 1,
        "kill_container": 1,
        "remove_container": 4,
    }
