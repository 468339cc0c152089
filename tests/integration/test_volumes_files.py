"""Volumes of files on the real engine: ConfigMaps, Secrets, the downward API, projections, and files of the spec itself."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import docker
import pytest

import pypod
from pypod import (
    ConfigMap,
    ConfigMapProjection,
    DownwardAPIProjection,
    KeyToPath,
    Pod,
    PodStartError,
    ResourceFieldRef,
    Resources,
    Secret,
    SecretProjection,
    Volume,
)
from pypod.engine.api import Engine
from pypod.model.life.status import Waiting
from pypod.model.spec.pod import Container, PodSecurityContext, PodSpec
from pypod.model.spec.volumes import downward_files
from tests.images import BUSYBOX
from tests.integration.conftest import PATIENCE, eventually
from tests.integration.life import Witness, shell

pytestmark = pytest.mark.docker

STAY = "while :; do sleep 0.1; done"
TMPFS = 0x01021994


@pytest.fixture
def witness(raw: docker.APIClient, namespace: str) -> Witness:
    return Witness(raw, namespace)


@pytest.fixture
def objects(engine: Engine, namespace: str) -> Iterator[None]:
    """A ConfigMap and a Secret, and nothing of the namespace afterwards."""
    pypod.apply(
        ConfigMap(
            "settings", {"a.conf": "one\n", "b": "two"}, binary_data={"c": b"\xff\x00"}, namespace=namespace
        ),
        Secret("login", string_data={"user": "ada", "password": "hunter2"}, namespace=namespace),
        engine=engine,
    )
    yield
    forget(engine, namespace)


@pytest.fixture
def no_objects(engine: Engine, namespace: str) -> Iterator[None]:
    yield
    forget(engine, namespace)


def forget(engine: Engine, namespace: str) -> None:
    for each in pypod.list_objects(namespace, engine=engine):
        pypod.delete_object(each.kind, each.name, namespace, engine=engine)


@dataclass(frozen=True)
class Seen:
    """A file as a member sees it."""

    mode: str
    owner: str
    content: str


def looks(pod: Pod, container: str, *paths: str) -> list[Seen]:
    """All in one exec: each costs 50 ms."""
    script = 'for path; do stat -L -c "%a %u:%g" "$path" && od -An -tx1 -v "$path" && echo .; done'
    said = pod.exec(["sh", "-ec", script, "sh", *paths], container=container, check=True).stdout
    found = []
    for part in said.split(".\n")[:-1]:
        first, _, rest = part.partition("\n")
        content = bytes.fromhex("".join(rest.split())).decode(errors="replace")
        mode, owner = first.split()
        found.append(Seen(mode, owner, content))
    assert len(found) == len(paths), said
    return found


def look(pod: Pod, path: str, container: str) -> Seen:
    [found] = looks(pod, container, path)
    return found


def volumes() -> tuple[Volume, ...]:
    return (
        Volume.config_map("conf", "settings"),
        Volume.config_map("some", "settings", items=[KeyToPath("b", "deep/er/b", 0o640)], default_mode=0o600),
        Volume.config_map("none", "missing", optional=True),
        Volume.secret("keys", "login", default_mode=0o400),
        Volume.downward_api(
            "me",
            {
                "name": "metadata.name",
                "labels": "metadata.labels",
                "notes": "metadata.annotations",
                "one": "metadata.labels['app']",
                "memory": ResourceFieldRef("limits.memory", "root", "1Mi"),
                "cpu": ResourceFieldRef("requests.cpu", "root", "1m"),
            },
        ),
        Volume.projected(
            "all",
            [
                ConfigMapProjection("settings", items=(KeyToPath("a.conf", "conf/a"),)),
                SecretProjection("login", items=(KeyToPath("user", "who"),)),
                DownwardAPIProjection(downward_files({"uid": "metadata.uid"})),
            ],
            default_mode=0o444,
        ),
        Volume.files("own", {"nginx.conf": "server {}\n", "bin/ary": b"\xff\xfe"}, default_mode=0o640),
    )


def spec_of(namespace: str, *containers: Container, group: int | None = None, **fields: Any) -> PodSpec:
    return PodSpec(
        "files",
        containers,
        volumes(),
        namespace=namespace,
        labels={"app": "shop", "tier": "web"},
        annotations={"note": 'a "quoted" word'},
        termination_grace_period_seconds=0,
        security_context=PodSecurityContext(fs_group=group),
        **fields,
    )


MOUNTS = {name: f"/{name}" for name in ("conf", "some", "none", "keys", "me", "all", "own")}


def members(*, group: int = 1000) -> tuple[Container, Container]:
    limits = Resources(limits={"memory": "64Mi", "cpu": "500m"})
    return (
        shell("root", STAY, mounts=MOUNTS, resources=limits),
        shell("user", STAY, mounts=MOUNTS, user=f"1000:{group}"),
    )


def test_each_source_as_root_and_as_another_user(objects: None, engine: Engine, namespace: str) -> None:
    plain = {"/conf/a.conf": "one\n", "/conf/c": "\ufffd\0", "/me/name": "files"}
    also = {
        "/me/labels": 'app="shop"\ntier="web"',
        "/me/notes": 'note="a \\"quoted\\" word"',
        "/me/one": "shop",
        "/me/memory": "64",
        "/me/cpu": "500",
    }
    for_all = {"/all/conf/a": "one\n", "/all/who": "ada"}
    touch = "for each; do touch /$each/x 2>&1 && echo written; done; ls /none"
    with Pod.from_spec(spec_of(namespace, *members()), engine=engine) as pod:
        for name in ("root", "user"):
            seen = looks(pod, name, *plain, *also, *for_all, "/all/uid")
            expected = [Seen("644", "0:0", text) for text in (*plain.values(), *also.values())]
            expected += [Seen("444", "0:0", text) for text in for_all.values()]
            assert seen[:-1] == expected
            assert len(seen[-1].content) == 36
            said = pod.exec(
                ["sh", "-c", touch, "sh", *MOUNTS], container=name, check=True
            ).stdout.splitlines()
            assert len(said) == len(MOUNTS)
            assert all("Read-only file system" in line for line in said), said
        assert looks(pod, "root", "/keys/password", "/some/deep/er/b", "/own/nginx.conf", "/own/bin/ary") == [
            Seen("400", "0:0", "hunter2"),
            Seen("640", "0:0", "two"),
            Seen("640", "0:0", "server {}\n"),
            Seen("640", "0:0", "\ufffd\ufffd"),
        ]
        assert pod.exec(["cat", "/keys/password"], container="user").exit_code == 1
        listing = pod.exec(["ls", "-A", "/conf"], container="root", check=True).stdout.split()
        home = pod.exec(["readlink", "/conf/..data"], container="root", check=True).stdout.strip()
        assert set(listing) == {"a.conf", "b", "c", "..data", home}
        assert pod.exec(["readlink", "/conf/b"], container="root").stdout == "..data/b\n"


def test_with_a_group_another_user_reads_what_is_the_groups(
    objects: None, engine: Engine, namespace: str
) -> None:
    """Conformance: non-root with defaultMode and fsGroup set."""
    spec = spec_of(namespace, *members(group=4321), group=4321)
    with Pod.from_spec(spec, engine=engine) as pod:
        for name in ("root", "user"):
            assert looks(pod, name, "/keys/password", "/some/deep/er/b", "/own/nginx.conf") == [
                Seen("440", "0:4321", "hunter2"),
                Seen("640", "0:4321", "two"),
                Seen("640", "0:4321", "server {}\n"),
            ]
            found = pod.exec(["stat", "-c", "%a %g", "/keys"], container=name).stdout
            assert found == "2777 4321\n"


def test_values_of_a_secret_are_in_memory_and_nowhere_else(
    objects: None, engine: Engine, raw: docker.APIClient, namespace: str
) -> None:
    with Pod.from_spec(spec_of(namespace, *members()), engine=engine) as pod:
        mounts = pod.exec(["cat", "/proc/mounts"], container="root", check=True).stdout.splitlines()
        kinds = {line.split()[1]: line.split()[2] for line in mounts}
        assert (kinds["/keys"], kinds["/all"]) == ("tmpfs", "tmpfs")
        of_pod = [each for each in raw.volumes()["Volumes"] if f"_{namespace}_files_" in each["Name"]]
        options = {each["Name"].rpartition("_")[2]: each["Options"] for each in of_pod}
        assert options["keys"] == {"type": "tmpfs", "device": "tmpfs", "o": "mode=0777"}
        said = json.dumps(
            [
                raw.inspect_container(each["Id"])
                for each in raw.containers(all=True)
                if namespace in str(each["Names"])
            ]
        )
        said += json.dumps(of_pod) + repr(pod.history) + repr(pod.events) + pod.to_manifest()
        pause = next(
            each["Id"] for each in raw.containers() if f"pypod_{namespace}_files_pause" in str(each["Names"])
        )
        said += raw.logs(pause).decode() + "".join(str(each) for each in raw.diff(pause) or [])
        assert "hunter2" not in said
        assert "login" in said


def test_they_are_there_before_the_first_init_container_and_in_a_new_sandbox(
    objects: None, engine: Engine, namespace: str, witness: Witness
) -> None:
    init = shell("init", "cat /conf/a.conf /keys/password /own/nginx.conf", mounts=MOUNTS)
    with Pod.from_spec(spec_of(namespace, *members(), init_containers=(init,)), engine=engine) as pod:
        assert pod.logs("init") == "one\nhunter2server {}\n"
        witness.kill_pause()
        eventually(lambda: pod.refresh().container("init").restart_count == 1, "a new sandbox")
        eventually(lambda: pod.refresh().ready_count == 2, "its members run")
        assert pod.logs("init") == "one\nhunter2server {}\n"
        assert look(pod, "/keys/password", "root").content == "hunter2"


def test_a_change_is_seen_whole_and_what_is_gone_goes(objects: None, engine: Engine, namespace: str) -> None:
    watch = 'while :; do a=$(cat /conf/a.conf 2>&1); case "$a" in one|two) ;; *) echo "bad: $a";; esac; done'
    spec = spec_of(namespace, *members(), shell("watch", watch, mounts=MOUNTS))
    with Pod.from_spec(spec, engine=engine) as pod:
        changed = ConfigMap("settings", {"a.conf": "two\n", "new": "n"}, namespace=namespace)
        pypod.apply(
            changed, Secret("login", string_data={"password": "*"}, namespace=namespace), engine=engine
        )
        eventually(
            lambda: look(pod, "/conf/a.conf", "user").content == "two\n",
            "the change is seen",
            timeout=2 * PATIENCE,
        )
        eventually(
            lambda: look(pod, "/keys/password", "root").content == "*",
            "the Secret's too",
            timeout=2 * PATIENCE,
        )

        def listing(*options: str) -> list[str]:
            return pod.exec(["ls", *options, "/conf"], container="user", check=True).stdout.split()

        # What is gone goes after the change.
        eventually(lambda: listing() == ["a.conf", "new"], "no name is left of what is gone")
        eventually(lambda: len(listing("-A")) == 4, "nor are the files of before")
        assert pod.logs("watch") == ""


# --- what is missing ---------------------------------------------------------------------------------------------------


def of_missing(namespace: str) -> PodSpec:
    container = shell("app", f"cat /conf/a; echo; {STAY}", mounts={"conf": "/conf"})
    return PodSpec(
        "late",
        (container,),
        (Volume.config_map("conf", "late"),),
        namespace,
        termination_grace_period_seconds=0,
    )


def test_what_is_missing_is_waited_for_and_heals(
    no_objects: None, engine: Engine, namespace: str, witness: Witness
) -> None:
    pod = Pod.from_spec(of_missing(namespace), engine=engine).start(wait=False)
    try:
        eventually(lambda: any(event.reason == "FailedMount" for event in pod.events), "it is told of")
        [event] = [event for event in pod.events if event.reason == "FailedMount"]
        assert event.message == 'MountVolume.SetUp failed for volume "conf" : configmap "late" not found'
        assert pod.refresh().container("app").state == Waiting("ContainerCreating")
        assert witness.created() == set()
        eventually(lambda: any(event.count > 2 for event in pod.events), "it is tried again")
        pypod.apply(ConfigMap("late", {"a": "here"}, namespace=namespace), engine=engine)
        eventually(lambda: pod.refresh().ready_count == 1, "it starts")
        eventually(lambda: pod.logs("app") == "here\n", "it has its file")
    finally:
        pod.stop()


def test_a_start_gives_up_soon_and_says_what_is_missing(
    no_objects: None, engine: Engine, namespace: str, witness: Witness
) -> None:
    began = time.monotonic()
    with pytest.raises(
        PodStartError, match='volume "conf" : configmap "late" not found; nobody has applied'
    ) as caught:
        Pod.from_spec(of_missing(namespace), engine=engine).start()
    assert caught.value.reason == "FailedMount"
    assert 3 < time.monotonic() - began < 3 * PATIENCE  # of 60 s
    assert witness.names() == []


def test_a_manifest_with_files_is_the_same_pod(objects: None, engine: Engine, namespace: str) -> None:
    spec = spec_of(namespace, *members())
    text = Pod.from_spec(spec, engine=engine).to_manifest()
    assert "kind: Pod" in text
    again = Pod.from_manifest(text, engine=engine)
    assert again.to_manifest() == text
    with again:
        assert look(again, "/own/bin/ary", "root").content == "\ufffd\ufffd"


def test_files_of_python_are_a_few_words(engine: Engine, namespace: str) -> None:
    page = Volume.files("page", {"index.html": "<h1>Hello</h1>"})
    app = Container("app", BUSYBOX, command=["cat", "/page/index.html"], mounts={"page": "/page"})
    pod = Pod(
        "few", containers=[app], volumes=[page], namespace=namespace, restart_policy="Never", engine=engine
    )
    with pod:
        pod.wait("Succeeded", timeout=PATIENCE)
        assert pod.logs() == "<h1>Hello</h1>"
    assert replace(page, name="x").source == page.source
