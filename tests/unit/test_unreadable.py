"""A pod whose description cannot be read here, a later pypod's for example, is in nobody's way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from pypod import background, finding, supervisor, sweeping
from pypod.engine import observe
from pypod.errors import ManifestError
from pypod.model import naming
from pypod.model.life.journal import HandedOver
from pypod.model.naming import PodKey
from pypod.model.spec.pod import Container, PodSpec
from pypod.testing import FakeEngine
from tests.unit.rig import IDENTITY, settle, sync_of

LATER = '{"apiVersion":"v9"}'
TTL = 60.0


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    """With a pod that can be read, and one that cannot."""
    monkeypatch.setattr(supervisor, "_supervisors", {})  # all fake engines have the same address
    fake = FakeEngine()
    fake.add_image("app:1")
    for name in ("readable", "unreadable"):
        pod = sync_of(fake, PodSpec(name, (Container("web", "app:1"),)), leased=False)
        identity = replace(IDENTITY, key=PodKey("default", name, f"uid-{name}"), leased=False, ttl=TTL)
        pod.desired = replace(pod.desired, identity=identity)
        settle(pod)
        pod.channel.write(HandedOver(fake.clock.now()))
    return fake


@pytest.fixture(autouse=True)
def later(engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Labels cannot be changed, so it is the list that tells another one."""
    listed = engine.containers

    def containers(labels: dict[str, str]) -> list[object]:
        return [
            replace(info, labels={**info.labels, naming.SPEC: LATER})
            if info.labels.get(naming.POD) == "unreadable"
            else info
            for info in listed(labels)
        ]

    monkeypatch.setattr(engine, "containers", containers)


def names(engine: FakeEngine) -> list[str]:
    return sorted(found.key.name for found in observe.find_all(engine))


@pytest.mark.parametrize("brief", [False, True])
def test_the_others_are_listed_and_it_is_named(
    engine: FakeEngine, caplog: pytest.LogCaptureFixture, brief: bool
) -> None:
    assert [pod.name for pod in finding.list_pods(engine=engine, brief=brief)] == ["readable"]
    assert "cannot list pod default/unreadable: cannot accept label io.pypod.spec" in caplog.text


def test_who_asks_for_it_is_told_why(engine: FakeEngine) -> None:
    with pytest.raises(ManifestError, match=r"label io\.pypod\.spec"):
        finding.get("unreadable", engine=engine)


def test_its_end_comes_all_the_same(engine: FakeEngine) -> None:
    engine.clock.advance(TTL + 1)
    assert {swept.pod for swept in sweeping.sweep(engine)} == {"default/readable", "default/unreadable"}
    assert names(engine) == []


def test_the_background_program_tells_of_it_once(
    engine: FakeEngine, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    adopted: list[object] = []
    monkeypatch.setattr(supervisor.Supervisor, "add", lambda _, pod: adopted.append(pod))
    caretaker = background._Caretaker(engine)
    for _ in range(3):
        caretaker.look()
    assert caplog.text.count("cannot look after pod default/unreadable") == 1
    assert adopted, "the other one"


def test_the_background_program_ends_it(engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    def at_once(task: Callable[[], object], name: str) -> None:
        task()

    monkeypatch.setattr(background, "on_thread", at_once)
    engine.clock.advance(TTL + 1)
    background._Caretaker(engine).look()
    assert names(engine) == []
