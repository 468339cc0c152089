"""Ready or not, from lists alone: what is marked, what a list is enough for, and that it says what a closer look says."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pypod import finding
from pypod.engine import observe
from pypod.errors import EngineError
from pypod.model import naming
from pypod.model.life import marks, status
from pypod.model.life.desired import Desired
from pypod.model.life.journal import Probed, Started
from pypod.model.spec.handlers import Hook, Lifecycle, Probe
from pypod.model.spec.pod import Container, PodSpec, RestartPolicy
from pypod.model.wiring.state import ContainerInfo, ContainerState
from pypod.testing import FakeEngine
from tests.unit import rig
from tests.unit.snapshots import IDENTITY, NOW, STARTED, deleting, ended, member, pause, seen, told

PROBE = Probe.exec(["check"], period_seconds=1)
PROBED = Container("web", "app:1", readiness_probe=PROBE)
PLAIN = Container("log", "app:1")


@pytest.fixture
def engine() -> FakeEngine:
    fake = FakeEngine()
    fake.add_image("app:1")
    rig.says(fake, "check", 0)
    return fake


def marked(engine: FakeEngine) -> list[tuple[str, int] | None]:
    return [naming.ready_of(volume.labels) for volume in engine.volumes({naming.READY: ""})]


def labels_of_pod(spec: PodSpec) -> Desired:
    return Desired(spec, IDENTITY)


# --- what is marked --------------------------------------------------------------------------------------------------


def test_one_that_becomes_ready_is_marked_until_it_is_not(engine: FakeEngine) -> None:
    pod = rig.sync_of(engine, PodSpec("shop", (PROBED, PLAIN)))
    rig.says(engine, "check", 1)
    rig.live_for(engine, pod, 2)
    assert marked(engine) == []
    rig.says(engine, "check", 0)
    rig.live_for(engine, pod, 3)
    assert marked(engine) == [("web", 0)]
    rig.says(engine, "check", 1)
    rig.live_for(engine, pod, 5)
    assert marked(engine) == []


def test_a_new_instance_is_marked_anew(engine: FakeEngine) -> None:
    pod = rig.sync_of(engine, PodSpec("shop", (PROBED,)))
    rig.live_for(engine, pod, 3)
    engine.exit(rig.live(engine, "web").name, 1)
    rig.live_for(engine, pod, 3)
    assert marked(engine) == [("web", 1)]


def test_a_pod_without_probes_and_hooks_has_no_marks_and_asks_for_none(engine: FakeEngine) -> None:
    pod = rig.sync_of(engine, PodSpec("shop", (PLAIN,)))
    rig.settle(pod)
    before = len(engine.calls)
    rig.settle(pod)
    asked = {verb for verb, _ in engine.calls[before:]}
    assert "volumes" not in asked
    assert "create_volume" not in {verb for verb, _ in engine.calls}


def test_who_takes_a_pod_over_goes_on_with_its_marks(engine: FakeEngine) -> None:
    first = rig.sync_of(engine, PodSpec("shop", (PROBED,)))
    rig.live_for(engine, first, 3)
    second = rig.sync_of(engine, PodSpec("shop", (PROBED,)))
    second.channel.adopt(first.channel.history)
    first.release()
    rig.says(engine, "check", 1)
    rig.live_for(engine, second, 5)
    assert marked(engine) == []


def test_what_the_engine_refuses_is_tried_again(engine: FakeEngine) -> None:
    pod = rig.sync_of(engine, PodSpec("shop", (PROBED,)))
    rig.settle(pod)
    engine.inject("create_volume", EngineError("create volume", "x", "no room"))
    with pytest.raises(EngineError, match="no room"):
        rig.live_for(engine, pod, 3)
    rig.live_for(engine, pod, 1)
    assert marked(engine) == [("web", 0)]


@pytest.mark.parametrize(
    ("container", "needed"),
    [
        (PLAIN, False),
        (PROBED, True),
        (Container("a", "app:1", startup_probe=PROBE), True),
        (Container("a", "app:1", liveness_probe=PROBE), False),
        (Container("a", "app:1", lifecycle=Lifecycle(post_start=Hook.exec(["x"]))), True),
        (Container("a", "app:1", lifecycle=Lifecycle(pre_stop=Hook.exec(["x"]))), False),
    ],
)
def test_which_containers_need_a_mark(container: Container, needed: bool) -> None:
    assert marks.needs_mark(container) is needed


# --- what a list is enough for ---------------------------------------------------------------------------------------


def plain(
    spec: PodSpec, *listed: ContainerInfo, ready: tuple[tuple[str, int], ...] = ()
) -> status.PodStatus | None:
    return marks.plain_status(labels_of_pod(spec), listed, ready, NOW)


def of(*names: str) -> PodSpec:
    return PodSpec("shop", tuple(Container(name, "app:1") for name in names))


def test_a_pod_at_rest_is_told_from_the_list_as_from_a_closer_look() -> None:
    spec = PodSpec("shop", (PROBED, PLAIN), init_containers=(Container("init", "app:1"),))
    listed = (pause(), ended(member("init"), 0), member("web"), member("log"))
    history = told(
        *(Started(STARTED, name, 0, 0) for name in ("init", "web", "log")),
        Probed(NOW, "web", 0, "readiness", True),
    )
    closer = status.derive(labels_of_pod(spec), seen(*listed), history, NOW)
    found = plain(spec, *listed, ready=(("web", 0),))
    assert found is not None
    for name in (
        "phase",
        "pod_ip",
        "summary",
        "ready_count",
        "container_count",
        "restart_count",
        "start_time",
    ):
        assert getattr(found, name) == getattr(closer, name), name
    assert {key: each.status for key, each in found.conditions.items()} == {
        key: each.status for key, each in closer.conditions.items()
    }
    assert (found.summary, found.ready_count) == ("Running", 2)


@pytest.mark.parametrize(
    "listed",
    [
        pytest.param((), id="nothing"),
        pytest.param((member("a"),), id="no sandbox"),
        pytest.param((pause(),), id="a member is missing"),
        pytest.param((pause(), ended(member("a"), 0)), id="one has ended"),
        pytest.param((pause(), replace(member("a"), state=ContainerState.PAUSED)), id="one is frozen"),
        pytest.param((pause(), replace(member("a"), state=ContainerState.CREATED)), id="one was only made"),
        pytest.param((pause(), member("a", 1)), id="restarted"),
        pytest.param((pause(), ended(member("a"), 1), member("a", 1)), id="restarted, both there"),
        pytest.param((pause(1), member("a", sandbox=1)), id="another sandbox"),
        pytest.param((pause(), pause(1), member("a")), id="two sandboxes"),
        pytest.param((ended(pause(), 97), member("a")), id="the sandbox has ended"),
        pytest.param((replace(pause(), addresses={}), member("a")), id="no address"),
        pytest.param((deleting(), member("a")), id="being deleted"),
    ],
)
def test_of_any_other_it_does_not_tell_enough(listed: tuple[ContainerInfo, ...]) -> None:
    assert plain(of("a"), *listed) is None


def test_without_its_mark_a_probed_one_is_looked_at() -> None:
    spec = PodSpec("shop", (PROBED,))
    assert plain(spec, pause(), member("web")) is None
    assert plain(spec, pause(), member("web"), ready=(("web", 1),)) is None
    assert plain(spec, pause(), member("web"), ready=(("web", 0),)) is not None


def test_sidecars_count_and_who_joined_does_not() -> None:
    side = Container("side", "app:1", restart_policy=RestartPolicy.ALWAYS)
    spec = PodSpec("shop", (PLAIN,), init_containers=(side,))
    joined = member("debugger", role=naming.Role.EPHEMERAL)
    found = plain(spec, pause(), member("side"), member("log"), joined)
    assert found is not None
    assert (found.ready_count, found.container_count) == (2, 2)
    assert [each.name for each in found.ephemeral_container_statuses] == ["debugger"]


# --- how many calls --------------------------------------------------------------------------------------------------


def test_a_list_of_many_pods_at_rest_is_two_calls(engine: FakeEngine) -> None:
    pods = []
    for number in range(20):
        identity = replace(
            IDENTITY, key=replace(IDENTITY.key, name=f"shop-{number:02}", uid=f"uid-{number:09}")
        )
        pod = rig.sync_of(engine, PodSpec(f"shop-{number:02}", (PROBED, PLAIN)), identity=identity)
        rig.live_for(engine, pod, 2)
        pods.append(pod)
    before = len(engine.calls)
    listed = finding.list_pods(engine=engine, brief=True)
    assert [verb for verb, _ in engine.calls[before:]] == ["containers", "volumes"]
    assert {(pod.status.summary, pod.status.ready_count) for pod in listed} == {("Running", 2)}
    assert [pod.status.pod_ip for pod in listed] == [pod.refresh().pod_ip for pod in pods]


def test_one_that_is_not_at_rest_is_looked_at_and_no_other(engine: FakeEngine) -> None:
    for name in ("calm", "wild"):
        identity = replace(IDENTITY, key=replace(IDENTITY.key, name=name, uid=f"uid-{name}-0000"))
        pod = rig.sync_of(engine, PodSpec(name, (PLAIN,)), identity=identity)
        rig.settle(pod)
    engine.exit(observe.observe(engine, pod.desired.identity.key).members["log"][0].name, 3)
    before = len(engine.calls)
    calm, wild = finding.list_pods(engine=engine, brief=True)
    assert (calm.status.summary, wild.status.container("log").ready) == ("Running", False)
    looked_at = {target for verb, target in engine.calls[before:] if verb == "container"}
    names = {info.id: info.name for info in engine.containers({naming.UID: ""})}
    assert {names.get(target, target).split("_")[2] for target in looked_at} == {"wild"}


def test_what_the_engine_is_removing_is_no_pod(monkeypatch: pytest.MonkeyPatch, engine: FakeEngine) -> None:
    """20.10 goes on listing some that it has no more; each would cost a look."""
    ghost = replace(deleting(), state=ContainerState.REMOVING)
    monkeypatch.setattr(engine, "containers", lambda *_, **__: [ghost])
    assert finding.list_pods(engine=engine) == []
    monkeypatch.setattr(engine, "containers", lambda *_, **__: [deleting()])
    assert len(observe.find_all(engine)) == 1
