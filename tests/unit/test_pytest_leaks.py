"""What counts as left by a run, what is kept on purpose, and what the end of a run says."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import cast

import pytest

from pypod import connecting
from pypod.engine import gate
from pypod.engine.sync import PodSync
from pypod.errors import EngineUnavailableError
from pypod.model.life.desired import Desired
from pypod.model.naming import PodIdentity, PodKey
from pypod.pytest import current, leaks
from pypod.pytest.options import Settings
from pypod.pytest.outcome import Kept, Outcome
from pypod.testing import FakeEngine
from tests.unit.rig import IDENTITY, SPEC, settle

RUN = "0123abcd"


def kept_of(pod: PodSync, *, objects: tuple[str, ...] = (), engine: str = "") -> Kept:
    key = pod.desired.identity.key
    return Kept(
        key.namespace, key.name, key.uid, ("app", "log"), objects, engine, "a test that used it failed"
    )


@pytest.fixture
def engine() -> FakeEngine:
    fake = FakeEngine()
    fake.add_image("app:1")
    return fake


def pod_on(
    engine: FakeEngine, namespace: str, name: str = "web", network: str = "", *, leased: bool = True
) -> PodSync:
    spec = replace(SPEC, namespace=namespace, name=name, network=network)
    key = PodKey(namespace, name, f"uid-{namespace}-{name}")
    pod = PodSync(
        engine,
        Desired(spec, PodIdentity(key, IDENTITY.owner, leased=leased)),
        clock=engine.clock,
        actions=None,
    )
    settle(pod)
    return pod


def test_what_is_of_a_run_is_told_by_kind_and_name(engine: FakeEngine) -> None:
    pod_on(engine, f"pytest-{RUN}-gw1", network=f"pytest-{RUN}")
    pod_on(engine, "pytest-ffff0000-main", network="pytest-ffff0000")
    pod_on(engine, f"pytest-{RUN}0-main")
    left = leaks.look(engine, RUN, Outcome())
    assert [each.split()[0] for each in left].count("network") == 1
    assert f"network pypod_pytest-{RUN}" in left
    assert f"container pypod_pytest-{RUN}-gw1_web_pause_0" in left
    assert all(f"pytest-{RUN}_" in each or f"pytest-{RUN}-gw1" in each or each.endswith(RUN) for each in left)


def test_a_pod_in_a_namespace_of_the_suites_own_is_known_by_its_uid(engine: FakeEngine) -> None:
    pod = pod_on(engine, "mine")
    assert leaks.look(engine, RUN, Outcome()) == []
    left = leaks.look(engine, RUN, Outcome(uids=[pod.desired.identity.key.uid]))
    assert "container pypod_mine_web_pause_0" in left


def test_what_is_kept_is_not_left_and_its_network_neither(engine: FakeEngine) -> None:
    namespace, network = f"pytest-{RUN}-main", f"pytest-{RUN}"
    kept = pod_on(engine, namespace, network=network)
    other = pod_on(engine, namespace, "other", network=network)
    outcome = Outcome(kept=[kept_of(kept)])
    left = leaks.look(engine, RUN, outcome)
    assert left
    assert all("_other_" in each for each in left)
    outcome.kept.append(kept_of(other))
    assert leaks.look(engine, RUN, outcome) == []


def test_pods_that_a_crashed_worker_was_to_keep_are_kept(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are detached, so they have not ended with it; nobody else knows of them."""
    monkeypatch.setattr(connecting, "connect", lambda url: engine)
    pod_on(engine, f"pytest-{RUN}-gw1", leased=False)
    pod_on(engine, f"pytest-{RUN}-gw1", "ending")
    pod_on(engine, f"pytest-{RUN}-gw2", leased=False)
    outcome = Outcome(crashed=["gw1"])
    leaks.keep_abandoned(RUN, outcome)
    [kept] = outcome.kept
    assert (kept.namespace, kept.name, kept.reason) == (f"pytest-{RUN}-gw1", "web", "its worker gw1 crashed")
    assert kept.containers == tuple(each.name for each in SPEC.containers)
    left = leaks.look(engine, RUN, outcome)
    assert any("-gw2_web_" in each for each in left)
    assert any("-gw1_ending_" in each for each in left)
    assert not any("-gw1_web_" in each for each in left)


@pytest.mark.parametrize("keep", ["failed", "no"])
def test_the_end_of_a_run_looks_for_those_where_pods_are_kept(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch, keep: str
) -> None:
    monkeypatch.setattr(connecting, "connect", lambda url: engine)
    pod_on(engine, f"pytest-{RUN}-gw1", leased=False)
    stash = pytest.Stash()
    stash[current.SETTINGS], stash[current.RUN_ID] = Settings(keep=keep, leaks="off"), RUN
    config = SimpleNamespace(stash=stash)
    current.collect(cast("pytest.Config", config), None, "gw1")
    session = SimpleNamespace(config=config, exitstatus=pytest.ExitCode.OK)
    current.finish(cast("pytest.Session", session))
    assert [each.name for each in stash[current.OUTCOME].kept] == ["web"] * (keep != "no")


def test_an_engine_that_cannot_be_read_is_told_where_one_was_used(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(url: str | None = None) -> FakeEngine:
        raise EngineUnavailableError("connect", str(url), "refused")

    monkeypatch.setattr(connecting, "connect", refuse)
    [told] = leaks.check(RUN, Outcome(engine="tcp://there:2375"))
    assert told.startswith("what is left is not known: cannot connect 'tcp://there:2375'")
    assert leaks.check(RUN, Outcome()) == []


def test_an_outcome_comes_over_in_plain_values_and_adds_up() -> None:
    one = Outcome(
        "unix:///docker.sock", ["u1"], [Kept("ns", "web", "u1", ("app",), (), "", "why")], ["problem"]
    )
    whole = Outcome()
    for _ in range(2):
        whole.add(one.encode())
    assert whole == Outcome(one.engine, ["u1", "u1"], one.kept * 2, ["problem"] * 2)
    assert isinstance(one.encode()["kept"][0], dict)


def test_the_commands_for_a_kept_pod() -> None:
    kept = Kept(
        "ns",
        "web",
        "u1",
        ("app", "log"),
        ("configmap/settings",),
        "tcp://a b:1",
        "a test that used it failed",
    )
    [(title, lines)] = Outcome(kept=[kept]).sections(0.0)
    assert title == "pods that were kept"
    assert lines == [
        "ns/web: a test that used it failed",
        "  pypod --host 'tcp://a b:1' describe web -n ns",
        "  pypod --host 'tcp://a b:1' logs web -n ns -c app",
        "  pypod --host 'tcp://a b:1' logs web -n ns -c log",
        "  pypod --host 'tcp://a b:1' exec web -n ns -c app -- sh",
        "  pypod --host 'tcp://a b:1' down web -n ns --grace 0",
        "  pypod --host 'tcp://a b:1' delete configmap settings -n ns",
    ]


def test_a_held_network_stays_when_its_last_pod_leaves_and_goes_when_it_is_let_go(engine: FakeEngine) -> None:
    from pypod.engine.teardown import Teardown  # noqa: PLC0415

    network = f"pytest-{RUN}"
    held = gate.of(engine, network)
    assert held is not None
    held.is_held = True
    pod = pod_on(engine, f"pytest-{RUN}-main", network=network)
    Teardown(engine, pod.desired.identity.key, pool=None, clock=engine.clock).run()
    assert leaks.look(engine, RUN, Outcome()) == [f"network pypod_{network}"]
    other = pod_on(engine, f"pytest-{RUN}-gw1", network=network)
    gate.let_go(engine, network)
    assert f"network pypod_{network}" in leaks.look(engine, RUN, Outcome())  # another worker's pod is on it
    Teardown(engine, other.desired.identity.key, pool=None, clock=engine.clock).run()
    assert leaks.look(engine, RUN, Outcome()) == []
