"""How volumes are mounted on the real engine: claims, host paths of every type, parts, groups, propagation."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

import pypod
from pypod import ObjectInUseError, PersistentVolumeClaim, Pod, PodStartError, Volume, VolumeMount
from pypod.engine.api import Engine
from pypod.model import naming
from pypod.model.life.status import Waiting
from pypod.model.spec.pod import (
    Container,
    FSGroupChangePolicy,
    MountPropagation,
    PodSecurityContext,
    PodSpec,
)
from tests.integration.conftest import eventually
from tests.integration.life import Witness, shell

pytestmark = pytest.mark.docker

STAY = "while :; do sleep 0.1; done"


@pytest.fixture
def witness(raw: docker.APIClient, namespace: str) -> Witness:
    return Witness(raw, namespace)


@pytest.fixture
def claim(engine: Engine, namespace: str) -> Iterator[str]:
    pypod.apply(PersistentVolumeClaim("files", namespace=namespace), engine=engine)
    yield "files"
    pypod.delete_object("pvc", "files", namespace, engine=engine)


@pytest.fixture
def host(raw: docker.APIClient, tmp_path: Path) -> Path:
    """A directory that is this process' and the engine's host's. Elsewhere these tests cannot say what is on the host."""
    (tmp_path / "seen").write_text("here")
    made = raw.create_container(
        "pypod-test/busybox:1",
        ["cat", "/h/seen"],
        host_config=raw.create_host_config(binds=[f"{tmp_path}:/h:ro"], network_mode="none"),
    )
    try:
        raw.start(made["Id"])
        raw.wait(made["Id"])
        if raw.logs(made["Id"]) != b"here":
            pytest.skip("the engine's host is another machine")
    finally:
        raw.remove_container(made["Id"], force=True)
    return tmp_path


def pod_of(engine: Engine, namespace: str, *containers: Container, volumes: Any, **fields: Any) -> Pod:
    given = {"termination_grace_period_seconds": 0, **fields}
    spec = PodSpec("mounts", containers, tuple(volumes), namespace, **given)
    return Pod.from_spec(spec, engine=engine)


def run(pod: Pod, *words: str, container: str | None = None) -> str:
    return pod.exec(list(words), container=container, check=True).stdout.strip()


# --- claims ------------------------------------------------------------------------------------------------------------


def test_a_claim_outlives_pods_and_is_seen_to_be_in_use(
    engine: Engine, raw: docker.APIClient, namespace: str, claim: str
) -> None:
    data = [Volume.claim("data", claim)]
    with pod_of(
        engine, namespace, shell("app", STAY, mounts={"data": "/data"}, user="1000:1000"), volumes=data
    ) as pod:
        run(pod, "sh", "-c", "echo kept > /data/x")
        with pytest.raises(ObjectInUseError, match=f"it is in use by {namespace}/mounts"):
            pypod.delete_object("pvc", claim, namespace, engine=engine)
    volume = raw.inspect_volume(naming.claim_name(namespace, claim))
    assert naming.UID not in volume["Labels"]
    read = [Volume.claim("data", claim, read_only=True), Volume.claim("again", claim)]
    app = shell("app", STAY, mounts={"data": "/data", "again": "/again"})
    with pod_of(engine, namespace, app, volumes=read) as pod:
        assert run(pod, "cat", "/data/x") == "kept"
        assert pod.exec(["touch", "/data/y"]).exit_code == 1
        run(pod, "touch", "/again/y")
        assert run(pod, "ls", "/data").split() == ["x", "y"]


def test_a_claim_that_is_missing_is_no_empty_one(
    engine: Engine, raw: docker.APIClient, namespace: str
) -> None:
    pod = pod_of(
        engine, namespace, shell("app", STAY, mounts={"data": "/d"}), volumes=[Volume.claim("data", "files")]
    )
    with pytest.raises(PodStartError, match='persistentvolumeclaim "files" not found'):
        pod.start()
    assert [each["Name"] for each in raw.volumes()["Volumes"] if namespace in each["Name"]] == []


# --- host paths --------------------------------------------------------------------------------------------------------


def test_host_paths_of_every_type(engine: Engine, namespace: str, host: Path) -> None:
    (host / "file").write_text("text")
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as server:
        # The path of a socket is at most 107 bytes.
        before = os.getcwd()
        os.chdir(host)
        server.bind("sock")
        os.chdir(before)
        volumes = [
            Volume.host_path("dir", f"{host}", type="Directory"),
            Volume.host_path("new", f"{host}/new/deep", type="DirectoryOrCreate"),
            Volume.host_path("file", f"{host}/file", type="File"),
            Volume.host_path("made", f"{host}/made", type="FileOrCreate"),
            Volume.host_path("sock", f"{host}/sock", type="Socket"),
            Volume.host_path("null", "/dev/null", type="CharDevice"),
        ]
        mounts = {volume.name: f"/m/{volume.name}" for volume in volumes}
        with pod_of(engine, namespace, shell("app", STAY, mounts=mounts), volumes=volumes) as pod:
            assert run(pod, "cat", "/m/file", "/m/dir/file") == "texttext"
            assert run(pod, "stat", "-c", "%F", "/m/sock", "/m/null", "/m/new").splitlines() == [
                "socket", "character special file", "directory"
            ]  # fmt: skip
            run(pod, "sh", "-c", "echo x > /m/made")
    assert (host / "made").read_text() == "x\n"
    assert [oct((host / name).stat().st_mode & 0o777) for name in ("made", "new", "new/deep")] == [
        "0o644", "0o755", "0o755"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "name", "words"),
    [
        ("Directory", "file", "hostPath type check failed: {} is not a directory"),
        ("Directory", "missing", "hostPath type check failed: {} is not a directory"),
        ("DirectoryOrCreate", "file", "hostPath type check failed: {} is not a directory"),
        ("File", "dir", "hostPath type check failed: {} is not a file"),
        ("FileOrCreate", "dir", "hostPath type check failed: {} is not a file"),
        ("FileOrCreate", "no/where", "open {}: no such file or directory"),
        ("Socket", "file", "hostPath type check failed: {} is not a socket file"),
        ("CharDevice", "file", "hostPath type check failed: {} is not a character device"),
        ("BlockDevice", "file", "hostPath type check failed: {} is not a block device"),
    ],
)
def test_host_paths_of_another_type(
    engine: Engine, namespace: str, host: Path, kind: str, name: str, words: str
) -> None:
    (host / "file").write_text("text")
    (host / "dir").mkdir()
    path = f"{host}/{name}"
    pod = pod_of(
        engine,
        namespace,
        shell("app", STAY, mounts={"v": "/v"}),
        volumes=[Volume.host_path("v", path, type=kind)],
    )
    pod.start(wait=False)
    try:
        message = f'MountVolume.SetUp failed for volume "v" : {words.format(path)}'
        eventually(lambda: message in [event.message for event in pod.events], "it is told of")
        assert pod.refresh().container("app").state == Waiting("ContainerCreating")
    finally:
        pod.stop()
    assert sorted(each.name for each in host.iterdir()) == ["dir", "file", "seen"]


def test_a_host_path_heals_when_it_is_right(engine: Engine, namespace: str, host: Path) -> None:
    volume = Volume.host_path("v", f"{host}/later", type="File")
    pod = pod_of(engine, namespace, shell("app", STAY, mounts={"v": "/v"}), volumes=[volume]).start(
        wait=False
    )
    try:
        eventually(lambda: any(event.reason == "FailedMount" for event in pod.events), "it is told of")
        (host / "later").write_text("now")
        eventually(lambda: pod.refresh().ready_count == 1, "it starts")
        assert run(pod, "cat", "/v") == "now"
    finally:
        pod.stop()


# --- parts -------------------------------------------------------------------------------------------------------------


def test_parts_of_volumes(engine: Engine, namespace: str, claim: str) -> None:
    volumes = [
        Volume.empty_dir("disk"),
        Volume.empty_dir("mem", medium="Memory"),
        Volume.claim("data", claim),
        Volume.files("conf", {"app.ini": "x=1", "deep/er": "y"}),
    ]
    mounts = [
        *(VolumeMount(name, f"/all/{name}") for name in ("disk", "mem", "data")),
        VolumeMount("disk", "/part/disk", sub_path="a/b"),
        VolumeMount("mem", "/part/mem", sub_path="a", read_only=True),
        VolumeMount("data", "/part/data", sub_path_expr="of/$(WHO)"),
        VolumeMount("conf", "/etc/app.ini", sub_path="app.ini"),
        VolumeMount("conf", "/part/deep", sub_path="deep"),
    ]
    root = shell("root", STAY, mounts=mounts, env={"WHO": "root"})
    user = shell("user", STAY, mounts=mounts, env={"WHO": "user"}, user="1000:1000")
    with pod_of(engine, namespace, root, user, volumes=volumes) as pod:
        for name in ("root", "user"):
            run(
                pod,
                "sh",
                "-c",
                f"echo {name} > /part/disk/{name}; echo {name} > /part/data/x",
                container=name,
            )
            assert run(pod, "cat", "/etc/app.ini", "/part/deep/er", container=name) == "x=1y"
            assert pod.exec(["touch", "/part/mem/x"], container=name).exit_code == 1
            assert pod.exec(["sh", "-c", "echo > /etc/app.ini"], container=name).exit_code != 0
        assert run(pod, "cat", "/all/disk/a/b/user", "/all/data/of/root/x", container="user") == "user\nroot"
        assert (
            run(pod, "stat", "-c", "%a %u", "/all/disk/a", "/all/mem/a", container="user") == "777 0\n777 0"
        )


def test_a_part_is_there_again_in_a_new_sandbox(engine: Engine, namespace: str, witness: Witness) -> None:
    mounts = [VolumeMount("mem", "/part", sub_path="a/b"), VolumeMount("mem", "/all")]
    volumes = [Volume.empty_dir("mem", medium="Memory")]
    with pod_of(engine, namespace, shell("app", STAY, mounts=mounts), volumes=volumes) as pod:
        witness.kill_pause()
        eventually(lambda: pod.refresh().container("app").restart_count == 1, "a new sandbox")
        eventually(lambda: pod.refresh().ready_count == 1, "its member runs")
        run(pod, "touch", "/part/x")
        assert run(pod, "ls", "/all/a/b") == "x"


@pytest.mark.parametrize("link", ["/etc", "../../../../../../../etc", "..", "out"])
def test_no_link_leads_a_part_out_of_its_volume(engine: Engine, namespace: str, link: str) -> None:
    """The first member makes the link, and the second one would have the host's files."""
    volumes = [Volume.empty_dir("disk")]
    init = shell("init", f"ln -s {link} /disk/out", mounts={"disk": "/disk"})
    app = shell("app", STAY, mounts=[VolumeMount("disk", "/part", sub_path="out")])
    pod = pod_of(engine, namespace, app, volumes=volumes, init_containers=(init,))
    with pytest.raises(
        PodStartError, match='CreateContainerConfigError: failed to prepare subPath for volumeMount "disk"'
    ):
        pod.start()


def test_a_link_within_the_volume_is_followed(engine: Engine, namespace: str) -> None:
    volumes = [Volume.empty_dir("disk")]
    init = shell(
        "init",
        "mkdir -p /disk/a/b; echo in > /disk/a/b/x; ln -s ./a/../a/b /disk/link",
        mounts={"disk": "/disk"},
    )
    app = shell("app", STAY, mounts=[VolumeMount("disk", "/part", sub_path="link")])
    with pod_of(engine, namespace, app, volumes=volumes, init_containers=(init,)) as pod:
        assert run(pod, "cat", "/part/x") == "in"


def test_a_part_of_a_host_path(engine: Engine, namespace: str, host: Path) -> None:
    app = shell("app", STAY, mounts=[VolumeMount("v", "/v", sub_path="new/part")])
    with pod_of(engine, namespace, app, volumes=[Volume.host_path("v", str(host))]) as pod:
        run(pod, "touch", "/v/x")
    assert (host / "new" / "part" / "x").exists()


# --- groups, sizes, propagation ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", list(FSGroupChangePolicy))
def test_volumes_are_given_to_the_group(
    engine: Engine, namespace: str, claim: str, policy: FSGroupChangePolicy
) -> None:
    volumes = [
        Volume.empty_dir("disk"),
        Volume.empty_dir("mem", medium="Memory"),
        Volume.claim("data", claim),
    ]
    mounts = {volume.name: f"/{volume.name}" for volume in volumes}
    make = "mkdir -p /data/d; echo x > /data/d/f; chmod 600 /data/d/f; ln -s /etc /data/d/l"
    with pod_of(engine, namespace, shell("app", f"{make}; {STAY}", mounts=mounts), volumes=volumes) as pod:
        eventually(lambda: pod.exec(["test", "-L", "/data/d/l"]).exit_code == 0, "files of another group")
    security = PodSecurityContext(fs_group=4321, fs_group_change_policy=policy)
    for turn in range(2):
        user = shell("app", STAY, mounts=mounts, user="1000:4321")
        with pod_of(engine, namespace, user, volumes=volumes, security_context=security) as pod:
            for name in mounts:
                assert run(pod, "stat", "-c", "%a %g", f"/{name}") == "2777 4321"
                run(pod, "touch", f"/{name}/new{turn}")
            assert run(pod, "stat", "-c", "%a %g", "/data/d", "/data/d/f").splitlines() == [
                "2775 4321",
                "660 4321",
            ]
            assert run(pod, "cat", "/data/d/f") == "x"
            assert run(pod, "stat", "-c", "%g", "/etc") == "0"


def test_a_directory_in_memory_is_no_larger_than_it_may_be(engine: Engine, namespace: str) -> None:
    volumes = [
        Volume.empty_dir("small", medium="Memory", size_limit=1024 * 1024),
        Volume.empty_dir("any", medium="Memory"),
    ]
    app = shell("app", STAY, mounts={"small": "/small", "any": "/any"})
    with pod_of(engine, namespace, app, volumes=volumes) as pod:
        full = pod.exec(["dd", "if=/dev/zero", "of=/small/x", "bs=64k", "count=32"])
        assert (full.exit_code, "No space left on device" in full.stderr) == (1, True)
        size = int(run(pod, "stat", "-f", "-c", "%b", "/any")) * int(
            run(pod, "stat", "-f", "-c", "%S", "/any")
        )
        assert abs(size - engine.info().memory) < 1024 * 1024


def test_propagation_is_what_the_engine_is_asked_for(
    engine: Engine, namespace: str, raw: docker.APIClient, witness: Witness
) -> None:
    """Whether a host's mount is shared is the host's: so this looks at what the engine was asked for, and whether it starts."""
    mount = VolumeMount("v", "/v", mount_propagation=MountPropagation.HOST_TO_CONTAINER)
    pod = pod_of(
        engine, namespace, shell("app", STAY, mounts=[mount]), volumes=[Volume.host_path("v", "/proc")]
    )
    try:
        pod.start(wait=False)
        found: list[dict[str, Any]] = []

        def is_made() -> bool:
            """One that does not start goes again."""
            with contextlib.suppress(docker.errors.NotFound, ValueError):
                found.extend(witness.inspect("app") for _ in witness.names("app"))
            return bool(found)

        eventually(is_made, "it is made")
        [asked] = found[0]["HostConfig"]["Mounts"]
        assert asked["BindOptions"] == {"Propagation": "rslave"}
    finally:
        pod.stop()
