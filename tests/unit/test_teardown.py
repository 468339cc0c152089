"""Bringing a pod away, from any process, in the time that it has."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace

import pytest

from pypod.engine import observe
from pypod.engine.executor import ActionResult
from pypod.engine.sync import PodSync
from pypod.engine.teardown import SLACK, Teardown
from pypod.errors import EngineError, EngineUnavailableError, TeardownError
from pypod.model import naming
from pypod.model.naming import Owner, PodKey
from pypod.model.planner import Desired
from pypod.model.requests import PodIdentity
from pypod.model.spec import Container, PodSpec, Volume
from pypod.testing import FakeClock, FakeEngine, Program

KEY = PodKey("default", "shop", "0123456789abcdef")
IDENTITY = PodIdentity(KEY, Owner("boot", 1, 2, 3), leased=True)
SPEC = PodSpec(
    "shop", (Container("web", "app:1"), Container("log", "app:1")), volumes=(Volume.empty_dir("html"),)
)
STUBBORN = replace(SPEC, containers=(Container("web", "app:1", command=["stubborn"]),))


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    fake = FakeEngine(FakeClock(1_700_000_000.75))  # no whole second
    fake.add_image("app:1")
    fake.program("stubborn", Program(ignores_sigterm=True))
    fake.program("polite", Program())
    told = SimpleNamespace(time=fake.clock.now, sleep=fake.clock.sleep)
    for module in ("sync", "observe", "teardown"):
        monkeypatch.setattr(f"pypod.engine.{module}.time", told)
    return fake


def up(engine: FakeEngine, spec: PodSpec = SPEC) -> PodSync:
    pod = PodSync(engine, Desired(spec, IDENTITY))
    while pod.run_once():
        pass
    return pod


def names(engine: FakeEngine) -> list[str]:
    """All that the engine has, but for images and Docker's own networks."""
    return sorted(
        [info.name for info in engine.containers({})]
        + [volume.name for volume in engine.volumes({})]
        + [network.name for network in engine.networks() if network.name not in ("bridge", "host", "none")]
    )


def took(engine: FakeEngine, end: Callable[[], object]) -> float:
    before = engine.clock.now()
    end()
    return engine.clock.now() - before


def signals(heard: list[ActionResult]) -> list[str]:
    return [str(result.action) for result in heard if str(result.action).startswith("send")]


def test_without_grace_it_goes_at_once_and_the_default_network_stays(engine: FakeEngine) -> None:
    up(engine)
    assert took(engine, Teardown(engine, KEY).run) == 0
    assert names(engine) == ["pypod"]


def test_what_is_gone_is_fine(engine: FakeEngine) -> None:
    Teardown(engine, KEY).run()
    assert names(engine) == []


def test_members_that_end_are_not_waited_for_longer(engine: FakeEngine) -> None:
    up(engine, replace(SPEC, containers=(Container("web", "app:1", command=["polite"]),)))
    assert took(engine, Teardown(engine, KEY, grace=30).run) < 1
    assert names(engine) == ["pypod"]


@pytest.mark.parametrize("grace", [30.0, 1.0, 0.5])
def test_members_have_their_grace_and_one_signal(engine: FakeEngine, grace: float) -> None:
    up(engine, STUBBORN)
    heard: list[ActionResult] = []
    teardown = Teardown(engine, KEY, grace=grace, on_result=heard.append)
    assert took(engine, teardown.run) == pytest.approx(grace, abs=0.1)
    assert len([line for line in signals(heard) if line.startswith("send SIGTERM")]) == 1
    assert names(engine) == ["pypod"]


def test_a_signal_is_the_images_own(engine: FakeEngine) -> None:
    engine.add_image("quit:1", stop_signal="SIGQUIT")
    up(engine, replace(SPEC, containers=(Container("web", "quit:1", command=["polite"]),)))
    heard: list[ActionResult] = []
    Teardown(engine, KEY, grace=30, on_result=heard.append).run()
    assert signals(heard)[0] == "send SIGQUIT to container pypod_default_shop_01234567_web_0"


def test_the_mark_comes_first_and_stops_the_care_for_the_pod(engine: FakeEngine) -> None:
    pod = up(engine, STUBBORN)
    heard: list[str] = []

    def note(result: ActionResult) -> None:
        heard.append(str(result.action))
        if len(heard) == 1:
            assert str(pod.run_once()) == "nothing to do: the pod is being deleted"
            assert pod.status.terminating

    Teardown(engine, KEY, grace=2, on_result=note).run()
    assert heard[0].startswith("rename container pypod_default_shop_pause_0 to ")


def test_another_process_keeps_to_the_deadline_that_was_set(engine: FakeEngine) -> None:
    up(engine, STUBBORN)
    pause = observe.observe(engine, KEY).pause
    assert pause is not None
    engine.rename_container(pause.id, naming.deleting_name(KEY, 0, engine.clock.now() + 5))
    assert took(engine, Teardown(engine, KEY, grace=30).run) <= 5.5
    assert names(engine) == ["pypod"]


def test_another_process_finishes_what_was_begun_and_left(engine: FakeEngine) -> None:
    """An hour ago, say: the mark's deadline is long past."""
    up(engine, STUBBORN)
    pause = observe.observe(engine, KEY).pause
    assert pause is not None
    engine.rename_container(pause.id, naming.deleting_name(KEY, 0, engine.clock.now()))
    engine.clock.advance(3600)
    Teardown(engine, KEY).run()
    assert names(engine) == ["pypod"]


def test_two_at_once_help_each_other(engine: FakeEngine) -> None:
    up(engine)
    second = Teardown(engine, KEY)
    heard: list[ActionResult] = []

    def note(result: ActionResult) -> None:
        heard.append(result)
        if len(heard) == 2:
            second.run()

    Teardown(engine, KEY, pool=None, on_result=note).run()
    assert names(engine) == ["pypod"]


def test_an_isolated_network_goes_with_its_last_pod(engine: FakeEngine) -> None:
    up(engine, replace(SPEC, network="ci"))
    assert "pypod_ci" in names(engine)
    Teardown(engine, KEY).run()
    assert names(engine) == []


def test_an_isolated_network_goes_with_a_pod_whose_sandbox_is_dead(engine: FakeEngine) -> None:
    """What a lost lease leaves, and a sweep removes: a dead container has no address any more."""
    pod = up(engine, replace(SPEC, network="ci"))
    pod.channel.close()
    Teardown(engine, KEY).run()
    assert names(engine) == []


def test_an_isolated_network_stays_while_another_pod_is_on_it(engine: FakeEngine) -> None:
    spec = replace(SPEC, network="ci")
    up(engine, spec)
    other = PodIdentity(PodKey("default", "other", "fedcba9876543210"), IDENTITY.owner, leased=True)
    pod = PodSync(engine, Desired(replace(spec, name="other"), other))
    while pod.run_once():
        pass
    Teardown(engine, KEY).run()
    assert "pypod_ci" in names(engine)
    assert pod.refresh().ready_count == 2


def test_volumes_that_a_dead_maker_left(engine: FakeEngine) -> None:
    up(engine)
    for info in engine.containers({}):
        engine.remove_container(info.id)
    Teardown(engine, KEY).run()
    assert names(engine) == ["pypod"]


def test_what_cannot_be_removed_is_told_with_the_reason(engine: FakeEngine) -> None:
    up(engine)
    web = naming.member_name(KEY, "web", 0)
    identity = engine.container(web).id
    busy = EngineError("remove container", web, "device or resource busy", status=500)
    engine.inject("remove_container", busy, times=10_000, target=identity)
    with pytest.raises(TeardownError) as caught:
        Teardown(engine, KEY).run()
    assert dict(caught.value.leftovers)[f"container {web}"] == str(busy)
    assert "default/shop" in str(caught.value)


def test_a_failure_is_tried_again_not_in_a_hurry(engine: FakeEngine) -> None:
    up(engine)
    busy = EngineError("remove volume", "html", "volume is in use")
    engine.inject("remove_volume", busy, times=5)
    assert 0.1 < took(engine, Teardown(engine, KEY).run) < SLACK
    assert names(engine) == ["pypod"]


def test_an_engine_that_goes_away_is_raised(engine: FakeEngine) -> None:
    up(engine)
    engine.inject("remove_volume", EngineUnavailableError("remove volume", "html", "connection refused"))
    with pytest.raises(EngineUnavailableError):
        Teardown(engine, KEY).run()
    Teardown(engine, KEY).run()
    assert names(engine) == ["pypod"]


def test_kill_now_ends_the_grace(engine: FakeEngine) -> None:
    up(engine, STUBBORN)
    teardown = Teardown(engine, KEY, grace=3600, on_result=lambda result: teardown.kill_now())
    assert took(engine, teardown.run) < 1
    assert names(engine) == ["pypod"]


def test_ctrl_c_ends_the_grace_finishes_and_is_raised_then(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    up(engine, STUBBORN)
    begun = engine.clock.now()

    def pressed(seconds: float) -> None:
        if engine.clock.now() > begun + 1:
            raise KeyboardInterrupt
        engine.clock.sleep(seconds)

    monkeypatch.setattr("pypod.engine.teardown.time", SimpleNamespace(time=engine.clock.now, sleep=pressed))
    with pytest.raises(KeyboardInterrupt):
        Teardown(engine, KEY, grace=3600).run()
    assert names(engine) == ["pypod"]
    assert engine.clock.now() < begun + 2


def test_other_pods_are_left_alone(engine: FakeEngine) -> None:
    up(engine)
    Teardown(engine, replace(KEY, uid="another")).run()
    assert len(engine.containers({})) == 3
