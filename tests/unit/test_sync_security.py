"""What a kubelet looks at before it makes a pod or a container, the network of the engine's host, and credentials: whole pods on a
fake engine."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pypod import starting
from pypod.engine.objects import store_of
from pypod.errors import ImageError, PodStartError
from pypod.model.life.desired import Desired
from pypod.model.life.probes import Kind, ProbeKey
from pypod.model.life.status import Phase, Waiting
from pypod.model.naming import PodKey
from pypod.model.spec.handlers import Probe
from pypod.model.spec.objects import DOCKER_CONFIG_JSON, Secret
from pypod.model.spec.pod import (
    AppArmorProfile,
    Container,
    ContainerPort,
    DNSConfig,
    DNSPolicy,
    EnvVar,
    FieldRef,
    HostAlias,
    PodSecurityContext,
    PodSpec,
    ProfileType,
    SeccompProfile,
    SecurityContext,
)
from pypod.model.wiring.admission import SAFE_SYSCTLS
from pypod.model.wiring.state import EngineInfo
from pypod.testing import FakeEngine
from tests.unit.rig import IDENTITY, Loop, events, instances, live, live_for, look, pause_of, settle, sync_of

WEB = Container("web", "app:1", ports=[80])


class Armed(FakeEngine):
    """Its host has AppArmor, and its engine another runtime."""

    def info(self) -> EngineInfo:
        found = super().info()
        return replace(
            found, runtimes=("runc", "runsc"), security_options=("name=apparmor", "name=seccomp,profile=x")
        )


@pytest.fixture
def engine() -> FakeEngine:
    fake = FakeEngine()
    fake.add_image("app:1")
    return fake


def shop(*containers: Container, **more: Any) -> PodSpec:
    return PodSpec("shop", containers or (WEB,), **more)


# --- what is not made ------------------------------------------------------------------------------------------------

LOCAL = AppArmorProfile(ProfileType.LOCALHOST, "deny")
REFUSED = [
    (
        {"security_context": PodSecurityContext(sysctls=(("net.core.somaxconn", "9"),))},
        "SysctlForbidden",
        'forbidden sysctl: "net.core.somaxconn" not allowlisted',
    ),
    (
        {"runtime_class_name": "runsc"},
        "RuntimeClassNotFound",
        'pod rejected: RuntimeClass "runsc" not found: the engine has the runtimes runc',
    ),
    (
        {"security_context": PodSecurityContext(app_armor_profile=LOCAL)},
        "AppArmor",
        "Cannot enforce AppArmor: AppArmor is not enabled on the host",
    ),
]


@pytest.mark.parametrize(("more", "reason", "message"), REFUSED, ids=[row[1] for row in REFUSED])
def test_a_pod_that_a_kubelet_rejects_is_not_made(
    engine: FakeEngine, more: dict[str, Any], reason: str, message: str
) -> None:
    pod = sync_of(engine, shop(**more))
    with pytest.raises(PodStartError) as caught:
        starting.start(pod, timeout=10, min_ready_seconds=0)
    assert (caught.value.reason, str(caught.value)) == (
        reason,
        f"cannot start pod 'default/shop': {reason}: {message}",
    )
    assert look(engine).is_empty
    assert str(pod.plan()) == f"nothing to do: {reason}: {message}"
    being_made = Loop(engine, pod.desired, clock=engine.clock, actions=None, making=True)
    status = being_made.refresh()
    assert (status.phase, status.reason, status.message) == (Phase.FAILED, reason, message)


def test_what_the_engine_has_is_not_refused() -> None:
    engine = Armed()
    engine.add_image("app:1")
    pod = sync_of(
        engine,
        shop(
            runtime_class_name="runsc",
            security_context=PodSecurityContext(
                app_armor_profile=LOCAL, sysctls=tuple((name, "1") for name in sorted(SAFE_SYSCTLS))
            ),
        ),
    )
    settle(pod)
    assert pod.refresh().phase is Phase.RUNNING
    assert engine.request(pause_of(engine).id).runtime == "runsc"
    assert len(engine.request(pause_of(engine).id).sysctls) == 12


def test_a_pod_that_is_there_is_not_refused(engine: FakeEngine) -> None:
    settle(sync_of(engine, shop()))
    changed = shop(security_context=PodSecurityContext(sysctls=(("vm.x", "1"),)))
    assert sync_of(engine, changed).refresh().phase is Phase.RUNNING


def test_root_waits_for_an_image_that_is_not(engine: FakeEngine) -> None:
    spec = shop(WEB, Container("log", "log:1"), security_context=PodSecurityContext(run_as_non_root=True))
    engine.add_image("log:1", user="33")
    pod = sync_of(engine, spec)
    settle(pod)
    status = pod.refresh()
    words = (
        "container has runAsNonRoot and image will run as root "
        '(pod: "shop_default(0123456789abcdef)", container: web)'
    )
    assert status.container("web").state == Waiting("CreateContainerConfigError", words)
    assert status.phase is Phase.PENDING
    assert live(engine, "log").is_live
    assert not instances(engine, "web")
    assert [event.message for event in events(pod, "Failed")] == [f"Error: {words}"]
    with pytest.raises(PodStartError, match="CreateContainerConfigError: container has runAsNonRoot"):
        starting.check_failure(pod)
    live_for(engine, pod, 30)
    assert not instances(engine, "web")
    engine.add_image("app:1", user="1000:0")
    live_for(engine, pod, 10)
    assert live(engine, "web").is_live
    assert pod.refresh().phase is Phase.RUNNING


def test_the_images_user_goes_with_a_group_that_is_given(engine: FakeEngine) -> None:
    engine.add_image("app:1", user="33")
    pod = sync_of(engine, shop(security_context=PodSecurityContext(run_as_group=44)))
    settle(pod)
    assert engine.request(live(engine, "web").id).user == "33:44"


# --- seccomp profiles of the host ------------------------------------------------------------------------------------


@pytest.fixture
def profiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PYPOD_SECCOMP_PROFILES", str(tmp_path))
    return tmp_path


def confined(path: str) -> PodSpec:
    profile = SeccompProfile(ProfileType.LOCALHOST, path)
    return shop(Container("web", "app:1", security_context=SecurityContext(seccomp_profile=profile)))


def test_a_profile_goes_to_the_engine_as_text(engine: FakeEngine, profiles: Path) -> None:
    (profiles / "profiles").mkdir()
    (profiles / "profiles" / "audit.json").write_text('{\n "defaultAction": "SCMP_ACT_LOG"\n}')
    settle(sync_of(engine, confined("profiles/audit.json")))
    assert engine.request(live(engine, "web").id).confinement.options == (
        'seccomp={"defaultAction": "SCMP_ACT_LOG"}',
    )


@pytest.mark.parametrize("content", [None, "no json", "[" * 100_000, " " * 1_100_000 + "{}"])
def test_one_that_is_not_there_is_waited_for(engine: FakeEngine, profiles: Path, content: str | None) -> None:
    if content is not None:
        (profiles / "a.json").write_text(content)
    pod = sync_of(engine, confined("a.json"))
    settle(pod)
    state = pod.refresh().container("web").state
    words = 'cannot load seccomp profile "a.json": it is not there, or no JSON'
    assert state == Waiting("CreateContainerError", words)
    (profiles / "a.json").write_text("{}")
    live_for(engine, pod, 12)
    assert live(engine, "web").is_live


# --- the network of the engine's host --------------------------------------------------------------------------------

ON_HOST = shop(host_network=True)


def test_its_address_is_the_hosts(engine: FakeEngine) -> None:
    pod = sync_of(engine, ON_HOST)
    settle(pod)
    status = pod.refresh()
    assert (status.phase, status.pod_ip, status.ready_count) == (Phase.RUNNING, "10.214.0.1", 1)
    assert status.conditions["PodReadyToStartContainers"].status
    assert pause_of(engine).host_network
    assert pause_of(engine).addresses == {}
    assert pod.channel.history.ip == "10.214.0.1"
    assert look(engine).ip == "10.214.0.1"
    assert not pod.run_once()


def test_what_it_is_told_of_addresses_is_the_hosts(engine: FakeEngine) -> None:
    """Also where the pod network goes with another pod, and comes again with this one's next container."""
    env = tuple(EnvVar(name, value_from=FieldRef(f"status.{name}")) for name in ("podIP", "podIPs", "hostIP"))
    pod = sync_of(engine, shop(replace(WEB, env=env), host_network=True))
    settle(pod)
    told = {"podIP": "10.214.0.1", "podIPs": "10.214.0.1", "hostIP": "10.214.0.1"}
    assert engine.request(live(engine, "web").id).env == told
    [network] = [each for each in engine.networks() if each.name == "pypod"]
    engine.remove_network(network.id)
    engine.exit(live(engine, "web").id, 1)
    live_for(engine, pod, 5)
    assert engine.request(live(engine, "web").id).env == told


def test_a_new_sandbox_asks_for_no_address(engine: FakeEngine) -> None:
    pod = sync_of(engine, ON_HOST)
    settle(pod)
    engine.exit(pause_of(engine).id, 1)
    settle(pod)
    assert pause_of(engine).attempt == 1
    assert engine.request(pause_of(engine).id).ipv4_address == ""
    assert live(engine, "web").sandbox == 1
    assert pod.refresh().pod_ip == "10.214.0.1"


def test_the_pod_network_may_come_and_go_beside_it(engine: FakeEngine) -> None:
    """It is not attached to it: the end of others takes an isolated network away under it."""
    pod = sync_of(engine, replace(ON_HOST, network="own"))
    settle(pod)
    address = pod.refresh().pod_ip
    (network,) = [each for each in engine.networks() if each.name == "pypod_own"]
    assert address == network.gateway
    engine.remove_network(network.id)
    assert pod.refresh().phase is Phase.RUNNING
    settle(pod)
    assert pod.refresh().pod_ip == address
    assert pause_of(engine).attempt == 0
    assert live(engine, "web").attempt == 0


def test_a_probe_goes_to_that_address(engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str]] = []

    def check(target: Any, *_: object, **__: object) -> Any:
        asked.append((target.ip, target.network))
        raise AssertionError

    monkeypatch.setattr("pypod.engine.checks.check", check)
    pod = sync_of(engine, ON_HOST)
    settle(pod)
    with pytest.raises(AssertionError):
        pod._try_probe(ProbeKey("web", 0, Kind.READINESS), Probe.tcp_socket(80), 0.0)
    network = next(each for each in engine.networks() if each.name == "pypod")
    assert asked == [("10.214.0.1", network.id)]


# --- ports of the host -----------------------------------------------------------------------------------------------


def publishing(address: str, protocol: str = "TCP") -> PodSpec:
    port = ContainerPort(80, host_port=8080, host_ip=address, protocol=protocol)
    return shop(Container("web", "app:1", ports=[port]))


@pytest.mark.parametrize(
    ("other", "is_free"),
    [
        (publishing("127.0.0.1"), False),
        (publishing(""), False),
        (publishing("0.0.0.0"), False),
        (publishing("127.0.0.2"), True),
        (publishing("127.0.0.1", "UDP"), True),
    ],
)
def test_a_port_is_taken_on_its_address_for_its_protocol(
    engine: FakeEngine, other: PodSpec, is_free: bool
) -> None:
    settle(sync_of(engine, publishing("127.0.0.1")))
    identity = replace(IDENTITY, key=PodKey("default", "other", "f" * 16))
    second = Loop(engine, Desired(replace(other, name="other"), identity), clock=engine.clock, actions=None)
    if is_free:
        starting.start(second, timeout=10, min_ready_seconds=0)
        return
    with pytest.raises(
        PodStartError, match=r"sandbox cannot be made: .*:8080 failed: port is already"
    ) as caught:
        starting.start(second, timeout=10, min_ready_seconds=0)
    assert caught.value.reason == "CreatePodSandboxError"


# --- hosts files -----------------------------------------------------------------------------------------------------


def test_a_hosts_file_is_there_before_the_container(engine: FakeEngine) -> None:
    aliases = (HostAlias("10.1.2.3", ("db", "db.example")),)
    spec = shop(WEB, Container("log", "app:1"), host_aliases=aliases, subdomain="s")
    pod = sync_of(engine, spec)
    settle(pod)
    file = engine.read_file(live(engine, "web").id, "/etc/hosts").decode()
    assert file.splitlines()[-4:] == [
        "10.214.0.2\tshop.s.default.svc.cluster.local\tshop",
        "",
        "# Entries added by HostAliases.",
        "10.1.2.3\tdb\tdb.example",
    ]
    assert engine.read_file(live(engine, "log").id, "/etc/hosts").decode() == file
    engine.exit(live(engine, "web").id, 1)
    settle(pod)
    assert engine.read_file(live(engine, "web").id, "/etc/hosts").decode() == file
    engine.exit(pause_of(engine).id, 1)
    settle(pod)
    assert live(engine, "web").sandbox == 1
    assert engine.read_file(live(engine, "web").id, "/etc/hosts").decode() == file


# --- events ----------------------------------------------------------------------------------------------------------


def test_what_is_left_out_of_dns_is_an_event(engine: FakeEngine) -> None:
    many = DNSConfig(searches=tuple(f"d{number}" for number in range(32)))
    pod = sync_of(engine, shop(dns_config=many))
    settle(pod)
    (event,) = events(pod, "DNSConfigForming")
    assert event.type == "Warning"
    assert event.message.startswith("Search Line limits were exceeded")
    on_host = sync_of(FakeEngine(), shop(host_network=True, dns_policy=DNSPolicy.CLUSTER_FIRST_WITH_HOST_NET))
    assert isinstance(on_host.engine, FakeEngine)
    on_host.engine.add_image("app:1")
    settle(on_host)
    assert len(events(on_host, "MissingClusterDNS")) == 1


# --- credentials -----------------------------------------------------------------------------------------------------

IMAGE = "r.example/team/app:1"


def secret(name: str, **users: str) -> Secret:
    """With a password for each user, for a path of one registry."""
    auths = {
        f"r.example/{'team/' * index}": {"username": user, "password": password}
        for index, (user, password) in enumerate(users.items())
    }
    data = {".dockerconfigjson": json.dumps({"auths": auths}).encode()}
    return Secret(name, data, type=DOCKER_CONFIG_JSON)


def pulling(engine: FakeEngine, *names: str) -> Loop:
    engine.add_registry_image(IMAGE, login=("me", "hush"))
    return sync_of(engine, shop(Container("web", IMAGE), image_pull_secrets=names))


def test_each_credential_that_matches_is_tried(engine: FakeEngine, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    store = store_of(engine)
    store.apply(secret("other", you="wrong"))
    store.apply(secret("mine", someone="else", me="hush"))
    pod = pulling(engine, "other", "mine")
    settle(pod)
    assert live(engine, "web").is_live
    assert not events(pod, "FailedToRetrieveImagePullSecret")
    said = f"{pod.last_plan} {pod.channel.history} {caplog.text} {pause_of(engine)} {engine.calls}"
    assert "hush" not in said


def test_none_that_is_right_is_the_registrys_word(engine: FakeEngine) -> None:
    store_of(engine).apply(secret("mine", me="wrong"))
    pod = pulling(engine, "mine", "gone")
    with pytest.raises(ImageError, match="no basic auth credentials") as caught:
        starting.start(pod, timeout=10, min_ready_seconds=0)
    assert "wrong" not in str(caught.value)
    (event,) = events(pod, "FailedToRetrieveImagePullSecret")
    assert event.message == (
        "Unable to retrieve some image pull secrets (gone); attempting to pull the image may not succeed."
    )
    assert event.type == "Warning"


def test_a_missing_secret_stops_no_public_image(engine: FakeEngine) -> None:
    engine.add_registry_image("public:1")
    pod = sync_of(engine, shop(Container("web", "public:1"), image_pull_secrets=("gone",)))
    settle(pod)
    assert live(engine, "web").is_live
