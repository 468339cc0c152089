"""A pod on networks of others, beside its own: what is planned, what is told, and what becomes of it when they come and go."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from pypod import starting
from pypod.engine import docker_requests, gate, observe
from pypod.engine.api import Engine
from pypod.engine.teardown import Teardown
from pypod.errors import EngineError, PodStartError
from pypod.model.document.codec import dump_spec
from pypod.model.life.plan import ConnectNetwork
from pypod.model.manifest import manifest
from pypod.model.spec.pod import Container, PodSpec
from pypod.model.wiring.requests import NetworkRequest, pause_request
from pypod.model.wiring.state import NetworkInfo, PodObservation
from pypod.testing import FakeEngine
from tests.unit import rig
from tests.unit.pods import BOTH_RUN, NETWORK, NOW, Case, dead, made, member, pause, seen, started, told
from tests.unit.rig import KEY, Loop, events, live_for, pause_of, settle, sync_of

SHOP = NetworkInfo("net-s", "shop_default", "bridge", ("172.18.0.0/16",))
LAB = NetworkInfo("net-l", "lab", "bridge", ("172.19.0.0/16",))
BRIDGE = NetworkInfo("net-b", "bridge", "bridge", ("172.17.0.0/16",))
NO_SHOP = "the engine has no network 'shop_default'; those that a pod can join are 'bridge', 'lab'"


def on(*names: str) -> Callable[[PodSpec], PodSpec]:
    return lambda spec: replace(spec, extra_networks=names)


def there(observed: PodObservation, *networks: NetworkInfo) -> PodObservation:
    return replace(observed, others_networks=networks)


JOINED = pause(addresses={NETWORK.id: "10.214.0.2", SHOP.id: "172.18.0.2"})
ONCE = told(started("web"))
CASES = {
    "joined one after the other, when the sandbox runs and before a member does": Case(
        there(seen(), LAB, SHOP),
        """\
#1 create container pause_0: no sandbox
#2 attach channel pause_0 (after #1): lease and journal
#3 start container pause_0 (after #2): no sandbox
#4 connect container pause_0 to network shop_default (after #3): the pod is to be on it too
#5 connect container pause_0 to network lab (after #4): the pod is to be on it too
#6 create container web_0 (after #1): not there yet
#7 start container web_0 (after #6, #5): not there yet
#8 create container log_0 (after #1): not there yet
#9 start container log_0 (after #8, #5): not there yet""",
        spec=on("shop_default", "lab"),
    ),
    "one is not there: nothing is made": Case(
        there(seen(), BRIDGE, LAB),
        f"nothing to do: {NO_SHOP}",
        due=NOW + 10,
        waiting=NO_SHOP,
        spec=on("lab", "shop_default"),
    ),
    "two have its name: nothing is made": Case(
        there(seen(), SHOP, replace(SHOP, id="net-t")),
        "nothing to do: the engine has 2 networks 'shop_default', and nothing tells which of them is meant",
        due=NOW + 10,
        waiting="the engine has 2 networks 'shop_default', and nothing tells which of them is meant",
        spec=on("shop_default"),
    ),
    "the sandbox runs, and is on one of them: the other one, then members": Case(
        there(seen(JOINED), LAB, SHOP),
        """\
#1 connect container pause_0 to network lab: the pod is to be on it too
#2 create container web_0: not there yet
#3 start container web_0 (after #2, #1): not there yet
#4 create container log_0: not there yet
#5 start container log_0 (after #4, #1): not there yet""",
        spec=on("shop_default", "lab"),
    ),
    "the sandbox runs, and the network has gone before it was joined: members wait": Case(
        there(seen(pause()), BRIDGE, LAB),
        f"nothing to do: {NO_SHOP}",
        due=NOW + 10,
        waiting=NO_SHOP,
        spec=on("shop_default"),
    ),
    "taken off while it lives: left so": Case(
        there(seen(*BOTH_RUN), SHOP), "nothing to do", spec=on("shop_default"), history=ONCE
    ),
    "taken off while it lives, and a member ends: it is started again where it is": Case(
        there(seen(pause(), dead(member("web")), member("log")), LAB),
        """\
#1 create container web_1: exited with code 1, restart 1, policy Always
#2 start container web_1 (after #1): exited with code 1, restart 1, policy Always""",
        spec=on("shop_default"),
        history=ONCE,
    ),
    "a member was made and not started: it is not joined twice": Case(
        there(seen(JOINED, made(member("web")), member("log", started_at=None)), SHOP),
        "#1 start container web_0: made but not started",
        spec=on("shop_default"),
    ),
    "its own network is lost, the other one is not: a new sandbox": Case(
        there(seen(pause(addresses={SHOP.id: "172.18.0.2"}), dead(member("web")), dead(member("log"))), SHOP),
        "#1 send SIGKILL to container pause_0: it has lost its network",
        spec=on("shop_default"),
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_what_is_planned(case: Case) -> None:
    case.check()


def test_a_new_sandbox_joins_again() -> None:
    observed = there(seen(dead(pause(), 137), dead(member("web")), dead(member("log"))), SHOP)
    plan = Case(observed, "", spec=on("shop_default"), history=ONCE).run()
    [join] = [step.action for step in plan.steps if isinstance(step.action, ConnectNetwork)]
    assert (join.id, join.name) == (SHOP.id, "pypod_default_shop_pause_1")


def test_its_names_are_names_there_but_on_dockers_default_network() -> None:
    plan = Case(there(seen(), SHOP, BRIDGE), "", spec=on("shop_default", "bridge")).run()
    shop, bridge = (step.action for step in plan.steps if isinstance(step.action, ConnectNetwork))
    assert shop.aliases == ("shop", "shop.default.pod.cluster.local", "shop.default")
    assert bridge.aliases == ()


def test_its_own_network_is_asked_to_have_the_default_route() -> None:
    def endpoint(spec: PodSpec) -> object:
        request = pause_request(spec, rig.IDENTITY, attempt=0, image="p", network_id="n")
        config = docker_requests.container_config(request)["NetworkingConfig"]
        assert isinstance(config, dict)
        return config["EndpointsConfig"]["n"].get("GwPriority")

    assert endpoint(rig.SPEC) is None
    assert endpoint(replace(rig.SPEC, extra_networks=("a",))) == 1


# --- on an engine ----------------------------------------------------------------------------------------------------

SPEC = PodSpec(
    "shop", (Container("web", "app:1"), Container("log", "app:1")), extra_networks=("shop_default",)
)


@pytest.fixture
def engine() -> FakeEngine:
    fake = FakeEngine()
    fake.add_image("app:1")
    return fake


def add(engine: FakeEngine, name: str = "shop_default", subnet: str = "172.18.0.0/16") -> str:
    return engine.create_network(NetworkRequest(name, subnet, {}))


def up(engine: FakeEngine, spec: PodSpec = SPEC) -> Loop:
    pod = sync_of(engine, spec)
    starting.start(pod, timeout=60, min_ready_seconds=0.1)
    return pod


def addresses(pod: Loop) -> tuple[str, dict[str, str]]:
    status = pod.refresh()
    return status.pod_ip, dict(status.extra_ips)


BOTH = ("10.214.0.2", {"shop_default": "172.18.0.2"})


def test_it_has_its_own_address_and_the_others(engine: FakeEngine) -> None:
    add(engine)
    pod = up(engine)
    assert addresses(pod) == BOTH
    assert observe.observe(engine, KEY, clock=engine.clock).ip == BOTH[0], "also where its spec is not known"


def test_before_anything_is_made_it_fails_where_one_is_not_there(engine: FakeEngine) -> None:
    with pytest.raises(PodStartError) as caught:
        up(engine, replace(SPEC, extra_networks=("shop", "shop_default")))
    assert str(caught.value) == (
        "cannot start pod 'default/shop': NetworkNotFound: the engine has no networks 'shop', 'shop_default'; "
        "those that a pod can join are 'bridge' (extra_networks)"
    )
    assert caught.value.reason == "NetworkNotFound"
    assert not {verb for verb, _ in engine.calls if verb.startswith(("create", "load"))}


def test_an_engine_that_refuses_to_join_it_ends_the_start(engine: FakeEngine) -> None:
    add(engine)
    engine.inject(
        "connect_network", EngineError("connect to network", "shop_default", "it is not attachable")
    )
    with pytest.raises(PodStartError, match="its sandbox cannot be made: it is not attachable") as caught:
        up(engine)
    assert caught.value.reason == "CreatePodSandboxError"


def test_a_network_that_goes_between_the_look_and_the_joining(engine: FakeEngine) -> None:
    network = add(engine)
    pod = sync_of(engine, SPEC)
    pod.between = lambda: engine.remove_network(network)
    with pytest.raises(PodStartError, match="has no network 'shop_default'"):
        starting.start(pod, timeout=60, min_ready_seconds=0.1)
    assert not look_members(engine), "no member was started without it"


def look_members(engine: FakeEngine) -> list[str]:
    return [verb for verb, target in engine.calls if verb == "start_container" and "pause" not in target]


def test_a_new_sandbox_waits_for_a_network_that_has_gone_and_joins_it_when_it_is_back(
    engine: FakeEngine,
) -> None:
    network = add(engine)
    pod = up(engine)
    engine.disconnect_network(pause_of(engine).id, network)
    engine.remove_network(network)
    live_for(engine, pod, 15)
    assert addresses(pod) == (BOTH[0], {}), "it lives on without it"
    assert pod.status.ready_count == 2
    engine.kill_container(pause_of(engine).id)
    live_for(engine, pod, 60)
    assert pod.refresh().ready_count == 0
    assert pod.status.message.startswith("the engine has no network 'shop_default'")
    [*told_once] = events(pod, "FailedCreatePodSandBox")
    assert 0 < len(told_once) < 7, "not at every look"
    add(engine)
    live_for(engine, pod, 15)
    assert addresses(pod) == BOTH
    assert pod.status.ready_count == 2


def test_its_end_leaves_the_network(engine: FakeEngine) -> None:
    network = add(engine)
    pod = up(engine)
    pod.release()
    Teardown(engine, KEY, clock=engine.clock, pool=None).run()
    assert network in {each.id for each in engine.networks()}
    engine.remove_network(network)


def test_it_leaves_a_network_alone_in_the_gate(engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    network = add(engine)
    passed: list[str] = []
    of = gate.of

    def told(engine: Engine, network: str) -> gate.Gate | None:
        passed.append(network)
        return of(engine, network)

    monkeypatch.setattr(gate, "of", told)
    pod = up(engine)
    assert passed.count(network) == 1
    pod.release()
    Teardown(engine, KEY, clock=engine.clock, pool=None).run()
    assert passed.count(network) > 1


def test_a_pod_without_others_asks_for_no_networks_while_it_runs(engine: FakeEngine) -> None:
    pod = up(engine, replace(SPEC, extra_networks=()))
    settle(pod)
    engine.calls.clear()
    pod.refresh()
    assert ("networks", "") not in engine.calls


# --- written down ----------------------------------------------------------------------------------------------------


def test_a_manifest_says_it_and_a_label() -> None:
    spec = replace(SPEC, extra_networks=("shop_default", "lab"))
    text = manifest.dump(spec)
    assert "io.pypod/extra-networks: shop_default,lab" in text
    assert dump_spec(spec) != dump_spec(replace(spec, extra_networks=("lab", "shop_default"))), (
        "their order counts"
    )
