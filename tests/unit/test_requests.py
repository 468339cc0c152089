"""The wiring of a pod: who owns what is shared, and who joins it."""

from __future__ import annotations

import dataclasses
import ipaddress

from pypod.model import codec, naming, requests
from pypod.model.naming import Owner, PodKey
from pypod.model.spec import Container, ContainerPort, PodSpec, Volume, VolumeMount

IDENTITY = requests.PodIdentity(PodKey("default", "shop", "0123456789"), Owner("boot", 1, 2, 3), leased=True)
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


def pause(spec: PodSpec = SPEC, identity: requests.PodIdentity = IDENTITY) -> requests.ContainerRequest:
    return requests.pause_request(spec, identity, attempt=1, image="pause", network_id="net")


def member(index: int, spec: PodSpec = SPEC) -> requests.ContainerRequest:
    container = spec.containers[index]
    return requests.member_request(spec, container, IDENTITY, attempt=0, image="sha256:1", pause="p1")


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
    assert (host.source, host.bind, host.create_source) == ("/srv", True, True)
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
