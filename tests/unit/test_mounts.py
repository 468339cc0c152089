"""Which volumes of the engine a pod has, what its pause and members mount, and how the engine is asked for it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pypod.engine import docker_requests as wire
from pypod.model.naming import Owner, PodIdentity, PodKey
from pypod.model.rules import engine_needs, mounts
from pypod.model.rules.mounts import MountRequest, Places, SubPathError, VolumeRequest
from pypod.model.spec.pod import (
    Container,
    MountPropagation,
    PodSecurityContext,
    PodSpec,
    RecursiveReadOnly,
    Volume,
    VolumeMount,
)
from pypod.model.spec.resources import Resources

KEY = PodKey("default", "shop", "0123456789")
OWNER = Owner("boot", 1, 2, 3)
IDENTITY = PodIdentity(KEY, OWNER, leased=True)
NAME = "pypod_default_shop_01234567_"
ALL = (
    Volume.empty_dir("disk"),
    Volume.host_path("host", "/srv"),
    Volume.empty_dir("mem", medium="Memory"),
    Volume.config_map("conf", "c"),
    Volume.secret("keys", "s"),
    Volume.downward_api("me", {"name": "metadata.name"}),
    Volume.projected("all", []),
    Volume.files("own", {"a": "b"}),
    Volume.claim("data", "files"),
    Volume.claim("read", "files", read_only=True),
    Volume.nfs("far", "server", "/exports"),
    Volume.image("img", "nginx:1"),
)
GIB = 2**30


def spec_of(*containers: Container, **fields: Any) -> PodSpec:
    given = {"volumes": ALL, **fields}
    return PodSpec("shop", containers or (Container("web", "nginx:1"),), **given)


def mount_of(
    mount: VolumeMount, *, api: tuple[int, int] = (1, 41), env: dict[str, str] | None = None
) -> MountRequest:
    spec = spec_of(Container("web", "nginx:1", mounts=[mount]))
    held = [mounts.engine_name(KEY, volume) for volume in mounts.held(spec)]
    places = Places({name: f"/volumes/{name}/_data" for name in held}, api)
    [found] = mounts.member_mounts(spec, spec.containers[0], KEY, env or {}, places)
    return found


# --- volumes of the engine -------------------------------------------------------------------------------------------


def test_what_is_a_volume_of_the_engine_and_whose() -> None:
    requests = {
        request.name.removeprefix(NAME): request for request in mounts.volume_requests(spec_of(), IDENTITY)
    }
    assert list(requests) == ["disk", "mem", "conf", "keys", "me", "all", "own", "far"]
    assert [name for name, request in requests.items() if request.memory] == [
        "mem", "conf", "keys", "me", "all", "own"
    ]  # fmt: skip
    assert requests["far"].nfs == "server:/exports"


def test_the_pause_has_them_all_and_claims_under_their_own_names() -> None:
    found = mounts.pause_mounts(spec_of(), KEY, OWNER)
    assert [mount.source.removeprefix(NAME) for mount in found] == [
        "disk", "mem", "conf", "keys", "me", "all", "own",
        "pypod.claim_default_files", "pypod.claim_default_files", "far",
    ]  # fmt: skip
    assert [mount.target for mount in found] == [f"/v/{index}" for index in range(10)]
    assert [mount.source.removeprefix(NAME) for mount in found if mount.copy_image] == [
        "disk", "pypod.claim_default_files", "pypod.claim_default_files"
    ]  # fmt: skip
    assert mounts.slot_of(spec_of(), "read") == "/v/8"
    claim = found[7].labels
    assert claim["io.pypod.content"] == "PersistentVolumeClaim"
    assert "io.pypod.uid" not in claim


@pytest.mark.parametrize(
    ("limit", "limits", "node", "size"),
    [
        (None, (None, None), 0, None),
        (None, (None, None), GIB, GIB),
        (5, (None, None), GIB, 5),
        (2 * GIB, (None, None), GIB, GIB),
        (None, (100 * GIB, None), GIB, GIB),
        (None, (2**28, 2**27), GIB, 2**28 + 2**27),
        (2**20, (2**28, 2**27), GIB, 2**20),
    ],
)
def test_how_large_a_directory_in_memory_is(
    limit: int | None, limits: tuple[int | None, ...], node: int, size: int | None
) -> None:
    containers = [
        Container(f"c{index}", "x", resources=Resources(limits={"memory": each} if each else None))
        for index, each in enumerate(limits)
    ]
    assert mounts.memory_size(spec_of(*containers), limit, node) == size


def test_init_containers_count_where_one_of_them_is_larger() -> None:
    def limited(name: str, memory: int, **more: Any) -> Container:
        return Container(name, "x", resources=Resources(limits={"memory": memory}), **more)

    init = (limited("side", 10, restart_policy="Always"), limited("big", 100))
    spec = spec_of(limited("a", 50), init_containers=init)
    assert mounts.memory_size(spec, None, GIB) == 110


def test_a_volume_in_memory_belongs_to_the_group() -> None:
    spec = spec_of(security_context=PodSecurityContext(fs_group=7))
    requests = {
        request.name.removeprefix(NAME): request for request in mounts.volume_requests(spec, IDENTITY)
    }
    assert [name for name, request in requests.items() if request.group == 7] == [
        "mem", "conf", "keys", "me", "all", "own"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("request_", "options"),
    [
        (VolumeRequest("v", {}), {}),
        (VolumeRequest("v", {}, memory=True), {"type": "tmpfs", "device": "tmpfs", "o": "mode=0777"}),
        (
            VolumeRequest("v", {}, memory=True, size_limit=9, group=7),
            {"type": "tmpfs", "device": "tmpfs", "o": "mode=2777,gid=7,size=9"},
        ),
        (
            VolumeRequest("v", {}, nfs="nfs.example:/a:/b"),
            {"type": "nfs", "device": ":/a:/b", "o": "addr=nfs.example,nfsvers=4,rw"},
        ),
    ],
)
def test_how_the_engine_is_asked_for_a_volume(request_: VolumeRequest, options: dict[str, str]) -> None:
    assert wire.volume_options(request_) == options


# --- what members mount ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["conf", "keys", "me", "all", "own", "read", "img"])
def test_what_a_member_cannot_write(name: str) -> None:
    assert mount_of(VolumeMount(name, "/m")).read_only


@pytest.mark.parametrize("name", ["disk", "mem", "host", "data", "far"])
def test_what_it_can_unless_its_mount_says_so(name: str) -> None:
    assert not mount_of(VolumeMount(name, "/m")).read_only
    assert mount_of(VolumeMount(name, "/m", read_only=True)).read_only


def test_a_part_of_a_volume_is_a_bind_on_an_old_engine_and_an_option_on_a_new_one() -> None:
    part = VolumeMount("disk", "/m", sub_path="a//b/./", read_only=True)
    assert mount_of(part) == MountRequest(f"/volumes/{NAME}disk/_data/a/b", "/m", bind=True, read_only=True)
    assert mount_of(part, api=(1, 45)) == MountRequest(f"{NAME}disk", "/m", read_only=True, sub_path="a/b")
    claim = VolumeMount("data", "/m", sub_path="db")
    assert mount_of(claim).source == "/volumes/pypod.claim_default_files/_data/db"
    assert mount_of(VolumeMount("host", "/m", sub_path="x")).source == "/srv/x"
    assert mount_of(VolumeMount("host", "/m", sub_path=".")).source == "/srv"
    image = mount_of(VolumeMount("img", "/m", sub_path="usr/share"), api=(1, 48))
    assert (image.source, image.image, image.sub_path) == ("nginx:1", True, "usr/share")


@pytest.mark.parametrize(
    ("expression", "env", "part"),
    [
        ("$(POD)/logs", {"POD": "web-0"}, "web-0/logs"),
        ("plain", {}, "plain"),
        ("$$(POD)", {"POD": "x"}, "$(POD)"),
        ("a/$(B)", {"B": "c/d"}, "a/c/d"),
    ],
)
def test_a_part_that_variables_name(expression: str, env: dict[str, str], part: str) -> None:
    found = mount_of(VolumeMount("disk", "/m", sub_path_expr=expression), env=env, api=(1, 45))
    assert found.sub_path == part


@pytest.mark.parametrize(
    ("expression", "env", "words"),
    [
        ("$(A)/$(B)/$(A)", {}, "missing value for A, B"),
        ("x$(A)", {"A": ""}, "missing value for A"),
        ("$(A)", {"A": "/etc"}, "error SubPath `/etc` must not be an absolute path"),
        ("$(A)", {"A": "a/../../b"}, "unable to provision SubPath `a/../../b`: must not contain '..'"),
    ],
)
def test_a_part_that_cannot_be(expression: str, env: dict[str, str], words: str) -> None:
    with pytest.raises(SubPathError) as caught:
        mount_of(VolumeMount("disk", "/m", sub_path_expr=expression), env=env)
    assert str(caught.value) == words


def test_how_mounts_below_a_bind_are_seen() -> None:
    to = VolumeMount("host", "/m", mount_propagation=MountPropagation.HOST_TO_CONTAINER)
    both = replace(to, mount_propagation=MountPropagation.BIDIRECTIONAL)
    assert [mount_of(each).propagation for each in (to, both)] == ["rslave", "rshared"]
    assert wire._mount(mount_of(to)) == {
        "Type": "bind", "Source": "/srv", "Target": "/m", "ReadOnly": False, "BindOptions": {"Propagation": "rslave"},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("recursion", "api", "options"),
    [
        (RecursiveReadOnly.DISABLED, (1, 41), None),
        (RecursiveReadOnly.DISABLED, (1, 44), {"ReadOnlyNonRecursive": True}),
        (RecursiveReadOnly.IF_POSSIBLE, (1, 44), None),
        (RecursiveReadOnly.ENABLED, (1, 44), {"ReadOnlyForceRecursive": True}),
    ],
)
def test_what_is_read_only_below_a_read_only_bind(
    recursion: RecursiveReadOnly, api: tuple[int, int], options: object
) -> None:
    mount = VolumeMount("host", "/m", read_only=True, recursive_read_only=recursion)
    assert wire._mount(mount_of(mount, api=api)).get("BindOptions") == options


def test_how_the_engine_is_asked_for_parts_and_images() -> None:
    part = mount_of(VolumeMount("disk", "/m", sub_path="a"), api=(1, 45))
    assert wire._mount(part)["VolumeOptions"] == {"NoCopy": True, "Subpath": "a"}
    image = mount_of(VolumeMount("img", "/m", sub_path="a"), api=(1, 48))
    assert wire._mount(image) == {
        "Type": "image", "Source": "nginx:1", "Target": "/m", "ReadOnly": True, "ImageOptions": {"Subpath": "a"},
    }  # fmt: skip


# --- what an engine cannot do -----------------------------------------------------------------------------------------


def test_an_engine_that_is_too_old_is_told_of_with_what_it_would_need() -> None:
    enabled = VolumeMount("host", "/m", read_only=True, recursive_read_only=RecursiveReadOnly.ENABLED)
    spec = spec_of(Container("web", "x", mounts=[enabled, replace(enabled, name="disk", mount_path="/n")]))
    assert engine_needs.unmet(spec, (1, 41)) == [
        "spec.volumes[11].image needs Engine API 1.48 (Docker 28), and this engine speaks 1.41",
        "spec.containers[0].volumeMounts[0].recursiveReadOnly needs Engine API 1.44 (Docker 25), and this engine speaks 1.41",
    ]
    assert engine_needs.unmet(spec, (1, 48)) == []


@pytest.mark.parametrize(
    ("text", "version"), [("1.41", (1, 41)), ("1.100", (1, 100)), ("", (1, 41)), ("x", (1, 41))]
)
def test_versions(text: str, version: tuple[int, int]) -> None:
    assert mounts.api_version(text) == version
