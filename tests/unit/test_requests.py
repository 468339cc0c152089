"""The wiring of a pod: who owns what is shared, and who joins it."""

from __future__ import annotations

import dataclasses
import ipaddress
from typing import Any

from pypod.model import naming
from pypod.model.document import codec
from pypod.model.naming import Owner, PodKey
from pypod.model.spec.pod import Container, ContainerPort, PodSpec, Volume, VolumeMount
from pypod.model.spec.resources import Resources
from pypod.model.wiring import requests

IDENTITY = naming.PodIdentity(PodKey("default", "shop", "0123456789"), Owner("boot", 1, 2, 3), leased=True)
SPEC = PodSpec(
    "shop",
    (
        Container(
            "web", "nginx", command=["x"], args=["y"], env={"A": "1"}, mounts=[VolumeMount("m", "/m", True)]
        ),
        Container(
            "log", "busybox", ports=[ContainerPort(80, host_port=0)], mounts={"host": "/h", "disk": "/d"}
        ),
        Container("s6", "s6", own_pid=True),
    ),
    (
        Volume.empty_dir("disk"),
        Volume.host_path("host", "/srv", type="DirectoryOrCreate"),
        Volume.empty_dir("m", medium="Memory", size_limit=9),
    ),
)


GIB = 2**30


def pause(spec: PodSpec = SPEC, identity: naming.PodIdentity = IDENTITY) -> requests.ContainerRequest:
    return requests.pause_request(spec, identity, attempt=1, image="pause", network_id="net")


def member(index: int, spec: PodSpec = SPEC) -> requests.ContainerRequest:
    container = spec.containers[index]
    sandbox = requests.Sandbox("p1", attempt=3, messages="/host/messages", node_memory=8 * GIB)
    return requests.member_request(spec, container, IDENTITY, attempt=2, image="sha256:1", sandbox=sandbox)


def test_pause_owns_what_is_shared() -> None:
    request = pause()
    assert (request.network_mode, request.ipc_mode, request.hostname) == ("net", "shareable", "shop")
    assert request.ports == (ContainerPort(80, host_port=0),)
    assert request.dns_options == ("ndots:1",)
    assert (request.read_only, request.drop_capabilities, request.no_new_privileges) == (True, True, True)


def test_pause_carries_the_spec() -> None:
    assert codec.load_spec(pause().labels[naming.SPEC]) == SPEC


def test_pause_holds_the_lease_only_of_a_leased_pod() -> None:
    detached = pause(identity=dataclasses.replace(IDENTITY, leased=False))
    assert (pause().command, pause().stdin_once, pause().stdin_open) == (("--lease",), True, True)
    assert (detached.command, detached.stdin_once, detached.stdin_open) == ((), False, True)


def test_pause_mounts_every_empty_dir_and_no_host_path() -> None:
    mounts = pause().mounts
    assert [mount.target for mount in mounts] == ["/v/0", "/v/1"]
    assert [mount.copy_image for mount in mounts] == [True, False]
    assert not any(mount.bind for mount in mounts)


def test_member_joins_its_pause() -> None:
    request = member(0)
    assert (request.network_mode, request.ipc_mode, request.pid_mode) == ("container:p1",) * 3
    assert (request.hostname, request.ports, request.network_aliases) == ("", (), ())
    assert (request.entrypoint, request.command, request.env) == (("x",), ("y",), {"A": "1"})
    assert request.image == "sha256:1"


def test_pid_space_is_private_where_it_was_asked_for() -> None:
    assert member(2).pid_mode == ""
    assert member(2).ipc_mode == "container:p1"
    assert member(0, dataclasses.replace(SPEC, share_process_namespace=False)).pid_mode == ""


def test_member_mounts_in_its_own_order() -> None:
    (memory,) = member(0).mounts
    assert (memory.target, memory.read_only, memory.bind) == ("/m", True, False)
    host, disk = member(1).mounts
    assert (host.source, host.bind, host.create_source) == ("/srv", True, False)
    assert disk.source == naming.volume_name(IDENTITY.key, "disk")


def test_volume_requests_are_of_empty_dirs() -> None:
    disk, memory = requests.volume_requests(SPEC, IDENTITY)
    assert (disk.memory, disk.size_limit, memory.memory, memory.size_limit) == (False, None, True, 9)
    assert memory.labels[naming.VOLUME] == "m"


def test_network_takes_its_first_free_subnet() -> None:
    first = requests.network_request("", ())
    assert first is not None
    second = requests.network_request("", (first.subnet, "fd00::/64"))
    assert second is not None
    assert not ipaddress.ip_network(first.subnet).overlaps(ipaddress.ip_network(second.subnet))
    assert requests.network_request("", ()) == first
    assert requests.network_request("", ("10.0.0.0/8",)) is None


def test_named_networks_begin_elsewhere() -> None:
    a, b = requests.network_request("a", ()), requests.network_request("b", ())
    assert a is not None
    assert b is not None
    assert a.subnet != b.subnet
    assert ipaddress.IPv4Network(a.subnet).subnet_of(requests.NETWORK_SUBNETS)


# --- resources -------------------------------------------------------------------------------------------------------


def pod(*containers: Container, init: tuple[Container, ...] = ()) -> PodSpec:
    return PodSpec("shop", containers, init_containers=init)


def with_memory(name: str, memory: str | None = None, **fields: Any) -> Container:
    return Container(
        name, "x", resources=Resources(requests={"memory": memory} if memory else None), **fields
    )


def test_without_resources_a_member_has_a_kubelets_least() -> None:
    request = member(0)
    assert (request.cpu_shares, request.cpu_quota, request.memory) == (2, 0, 0)
    assert request.oom_score_adj == 1000


def test_resources_are_the_engines_figures() -> None:
    limited = Resources(requests={"cpu": "250m", "memory": "1Gi"}, limits={"cpu": 1.5, "memory": "2Gi"})
    request = member(0, pod(Container("a", "x", resources=limited)))
    assert (request.cpu_shares, request.cpu_quota, request.memory) == (256, 150_000, 2 * GIB)
    assert request.oom_score_adj == 875


def test_a_request_that_is_missing_is_the_limit() -> None:
    limited = Resources(limits={"cpu": "500m", "memory": "1Gi"})
    request = member(0, pod(Container("a", "x", resources=limited)))
    assert request.cpu_shares == 512
    # Guaranteed: a kubelet's -997, cut to what every engine can set.
    assert request.oom_score_adj == 0


def test_a_sidecar_is_not_killed_before_those_it_serves() -> None:
    sidecar = with_memory("side", restart_policy="Always")
    plain = with_memory("init")
    spec = pod(with_memory("a", "2Gi"), with_memory("b", "1Gi"), init=(sidecar, plain))
    scores = [
        requests.member_request(
            spec, each, IDENTITY, attempt=0, image="i", sandbox=requests.Sandbox("p", node_memory=8 * GIB)
        ).oom_score_adj
        for each in spec.all_containers
    ]
    assert scores == [875, 999, 750, 875]


# --- termination messages --------------------------------------------------------------------------------------------

TALKING = dataclasses.replace(
    SPEC, init_containers=(Container("init", "x", termination_message_path="/dev/termination-log"),)
)


def test_messages_have_a_volume_where_there_are_any() -> None:
    assert not requests.keeps_messages(SPEC)
    assert len(requests.volume_requests(SPEC, IDENTITY)) == len(pause().mounts) == 2
    *_, volume = requests.volume_requests(TALKING, IDENTITY)
    *_, mount = pause(TALKING).mounts
    assert volume.name == mount.source == naming.volume_name(IDENTITY.key, naming.MESSAGES)
    assert (volume.memory, volume.labels[naming.VOLUME]) == (False, naming.MESSAGES)
    assert mount.target == requests.messages_directory(TALKING) == "/v/2"


def test_a_member_has_its_own_message_file() -> None:
    spec = pod(Container("a", "x", termination_message_path="/dev/termination-log"), Container("b", "x"))
    (mount,) = member(0, spec).mounts
    assert mount == requests.MountRequest("/host/messages/a_2", "/dev/termination-log", bind=True)
    assert member(1, spec).mounts == ()


# --- init containers -------------------------------------------------------------------------------------------------


def test_ports_are_those_of_sidecars_and_containers() -> None:
    init = Container("init", "x", ports=[ContainerPort(80, host_port=80)])
    sidecar = Container("side", "x", ports=[ContainerPort(81, host_port=81)], restart_policy="Always")
    spec = pod(Container("a", "x", ports=[ContainerPort(80, host_port=80)]), init=(init, sidecar))
    assert [port.host_port for port in pause(spec).ports] == [81, 80]


def test_a_pause_asks_for_the_address_that_it_is_told() -> None:
    assert pause().ipv4_address == ""
    again = requests.pause_request(SPEC, IDENTITY, attempt=2, image="p", network_id="net", ip="10.214.0.5")
    assert again.ipv4_address == "10.214.0.5"


def test_members_say_which_sandbox_they_were_made_for() -> None:
    labels = member(0).labels
    assert (naming.attempt_of(labels), naming.sandbox_of(labels)) == (2, 3)
