"""The volumes of a pod on a fake engine: files that are there before the first container, host paths, parts, groups, claims."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from pypod import starting
from pypod.engine.objects import ObjectStore
from pypod.engine.teardown import Teardown
from pypod.errors import EngineError, PodStartError, PodTimeoutError
from pypod.model import naming
from pypod.model.life.status import Phase, Waiting
from pypod.model.spec.objects import ConfigMap, ObjectKey, PersistentVolumeClaim, Secret
from pypod.model.spec.pod import (
    Container,
    FSGroupChangePolicy,
    PodSecurityContext,
    PodSpec,
    SecretKeyRef,
    Template,
    Volume,
    VolumeMount,
)
from pypod.testing import FakeEngine, Program
from tests.unit.rig import KEY, Loop, events, instances, live, live_for, look, pause_of, settle, sync_of

OLD, NEW = "1.41", "1.45"
SETTINGS = ConfigMap("settings", {"a": "one", "b": "two"})
LOGIN = Secret("login", string_data={"password": "hunter2"})
CONFIG = Volume.config_map("conf", "settings")


@pytest.fixture(params=[OLD, NEW])
def engine(request: pytest.FixtureRequest) -> FakeEngine:
    """One that mounts parts of volumes itself, and one that does not."""
    return fake(request.param)


def fake(api: str = NEW) -> FakeEngine:
    made = FakeEngine(api_version=api)
    made.add_image("app:1")
    return made


def spec_of(*volumes: Volume, mounts: Any = None, **fields: Any) -> PodSpec:
    given = mounts if mounts is not None else {volume.name: f"/{volume.name}" for volume in volumes}
    return PodSpec("shop", (Container("web", "app:1", mounts=given),), volumes, **fields)


def up(engine: FakeEngine, spec: PodSpec) -> Loop:
    pod = sync_of(engine, spec)
    settle(pod)
    assert pod.refresh().phase is Phase.RUNNING, pod.status
    return pod


def text(engine: FakeEngine, path: str) -> str:
    return engine.read_file(live(engine, "web").id, path).decode()


def names(engine: FakeEngine, volume: str) -> set[str]:
    """The names at the root of a volume of the pod."""
    found = engine._runtime.files(engine._runtime.get(pause_of(engine).id, "test"))
    slot = {mount.source: mount.target for mount in engine.request(pause_of(engine).id).mounts}
    target = slot[naming.volume_name(KEY, volume)]
    return {path.rpartition("/")[2] for path in found.children(target)}


# --- files -----------------------------------------------------------------------------------------------------------


def test_files_are_there_and_read_only(engine: FakeEngine) -> None:
    store = ObjectStore(engine)
    store.apply(SETTINGS)
    store.apply(LOGIN)
    own = Volume.files("own", {"etc/app.ini": "x=1\n"}, default_mode=0o600)
    me = Volume.downward_api("me", {"labels": "metadata.labels"})
    up(engine, spec_of(CONFIG, Volume.secret("keys", "login"), own, me, labels={"app": "shop"}))
    assert text(engine, "/conf/a") == "one"
    assert text(engine, "/keys/password") == "hunter2"
    assert text(engine, "/own/etc/app.ini") == "x=1\n"
    assert text(engine, "/me/labels") == 'app="shop"'
    with pytest.raises(OSError, match="Read-only"):
        engine.write_file(live(engine, "web").id, "/conf/a", "mine")


def test_the_first_init_container_has_them() -> None:
    engine = fake()
    ObjectStore(engine).apply(SETTINGS)
    init = Container("init", "app:1", command=["cat", "/conf/a"], mounts={"conf": "/conf"})
    spec = replace(spec_of(CONFIG), init_containers=(init,))
    up(engine, spec)
    [ended] = instances(engine, "init")
    stream = engine.logs(ended.id)
    frame = stream.read(1)
    assert frame is not None
    assert frame.data == b"one"


def test_values_of_a_secret_are_nowhere_else() -> None:
    engine = fake()
    ObjectStore(engine).apply(LOGIN)
    pod = up(engine, spec_of(Volume.secret("keys", "login")))
    said = repr([engine.request(info.id) for info in (pause_of(engine), live(engine, "web"))])
    said += repr(engine.volumes({})) + repr(pod.last_plan) + str(pod.last_plan) + repr(pod.channel.history)
    assert "hunter2" not in said
    requests = engine._runtime.volumes.requests
    assert requests[naming.volume_name(KEY, "keys")].memory
    stream = engine.logs(pause_of(engine).id)
    journal = b""
    while (frame := stream.read(0.01)) is not None and (journal := journal + frame.data).count(b"\n") < 8:
        pass
    assert b"hunter2" not in journal
    assert b"volume-ready" in journal


def test_a_new_sandbox_has_them_again() -> None:
    engine = fake()
    ObjectStore(engine).apply(SETTINGS)
    pod = up(engine, spec_of(CONFIG))
    engine.kill_container(pause_of(engine).id)
    live_for(engine, pod, 3)
    assert pause_of(engine).attempt == 1
    assert text(engine, "/conf/a") == "one"


def test_another_supervisor_does_not_write_them_again() -> None:
    engine = fake()
    ObjectStore(engine).apply(SETTINGS)
    first = up(engine, spec_of(CONFIG))
    second = sync_of(engine, spec_of(CONFIG))
    second.channel.adopt(first.channel.history, pause_of(engine).name)
    engine.calls.clear()
    assert not settle(second)
    assert "put_archive" not in [verb for verb, _ in engine.calls]


def test_a_change_comes_at_once_and_what_is_gone_goes() -> None:
    engine = fake()
    store = ObjectStore(engine)
    store.apply(SETTINGS)
    pod = up(engine, spec_of(CONFIG))
    before = names(engine, "conf")
    store.apply(ConfigMap("settings", {"a": "other", "c": "three"}))
    settle(pod)
    assert (text(engine, "/conf/a"), text(engine, "/conf/c")) == ("other", "three")
    after = names(engine, "conf")
    assert {name for name in after if not name.startswith("..")} == {"a", "c"}
    assert len(after) == len(before) == 4
    store.delete(ObjectKey("ConfigMap", "default", "settings"))
    settle(pod)
    assert text(engine, "/conf/a") == "other"
    store.apply(ConfigMap("settings", {"a": "again"}))
    settle(pod)
    assert text(engine, "/conf/a") == "again"


# --- what is missing ---------------------------------------------------------------------------------------------------


def test_what_is_missing_is_waited_for_and_told_of() -> None:
    engine = fake()
    init = Container("init", "app:1", command=["true"])
    for spec, reason in (
        (spec_of(CONFIG), "ContainerCreating"),
        (replace(spec_of(CONFIG), init_containers=(init,)), "PodInitializing"),
    ):
        pod = sync_of(engine, spec)
        settle(pod)
        assert pod.refresh().phase is Phase.PENDING
        assert pod.status.container("web").state == Waiting(reason)
        [event] = events(pod, "FailedMount")
        assert (event.type, event.message) == (
            "Warning",
            'MountVolume.SetUp failed for volume "conf" : configmap "settings" not found',
        )
        Teardown(engine, KEY, pool=None, clock=engine.clock).run()


def test_it_is_told_again_with_a_delay_that_doubles() -> None:
    engine = fake()
    pod = sync_of(engine, spec_of(CONFIG))
    live_for(engine, pod, 8.0)  # 0, 0.5, 1.5, 3.5, 7.5
    [event] = events(pod, "FailedMount")
    assert event.count == 5


def test_it_heals_when_the_object_comes() -> None:
    engine = fake()
    pod = sync_of(engine, spec_of(CONFIG))
    live_for(engine, pod, 100)
    ObjectStore(engine).apply(SETTINGS)
    live_for(engine, pod, 0.5)
    assert pod.refresh().phase is Phase.RUNNING
    assert pod.channel.history.volume_failures == {}


def test_a_key_that_is_missing() -> None:
    engine = fake()
    ObjectStore(engine).apply(SETTINGS)
    pod = sync_of(engine, spec_of(Volume.config_map("conf", "settings", items={"nope": "x"})))
    assert settle(pod).waiting == "volume conf: configmap references non-existent config key: nope"
    optional = Volume.config_map("conf", "settings", items={"nope": "x", "a": "y"}, optional=True)
    Teardown(engine, KEY, pool=None, clock=engine.clock).run()
    up(engine, spec_of(optional))
    assert text(engine, "/conf/y") == "one"


def test_a_start_gives_up_on_it_after_a_few_seconds_and_says_what_is_missing() -> None:
    engine = fake()
    pod = sync_of(engine, spec_of(CONFIG))
    with pytest.raises(PodStartError) as caught:
        starting.start(pod, timeout=60, min_ready_seconds=0)
    assert caught.value.reason == "FailedMount"
    assert str(caught.value).startswith(
        "cannot start pod 'default/shop': FailedMount: MountVolume.SetUp failed for volume \"conf\" : "
        "configmap \"settings\" not found; nobody has applied it in namespace 'default'"
    )
    assert engine.clock.now() == pytest.approx(pod.channel.history.began + 3.5, abs=0.6)  # type: ignore[operator]


def test_a_start_that_has_less_time_says_it_too() -> None:
    engine = fake()
    pod = sync_of(engine, spec_of(CONFIG))
    with pytest.raises(PodTimeoutError, match='volume conf: configmap "settings" not found'):
        starting.start(pod, timeout=1, min_ready_seconds=0)


def test_an_engine_that_cannot_take_files() -> None:
    engine = fake()
    ObjectStore(engine).apply(SETTINGS)
    pod = sync_of(engine, spec_of(CONFIG))
    engine.inject("put_archive", EngineError("copy to container", "x", "no space left on device"), times=2)
    live_for(engine, pod, 2)
    assert pod.refresh().phase is Phase.RUNNING
    [event] = events(pod, "FailedMount")
    assert event.count == 2
    assert event.message.endswith('"conf" : no space left on device')


# --- claims ------------------------------------------------------------------------------------------------------------


def test_a_claim_outlives_its_pods_and_the_next_one_finds_its_files() -> None:
    engine = fake()
    store = ObjectStore(engine)
    store.apply(PersistentVolumeClaim("files"))
    spec = spec_of(Volume.claim("data", "files"))
    up(engine, spec)
    engine.write_file(live(engine, "web").id, "/data/x", "kept")
    assert store.users(ObjectKey("PersistentVolumeClaim", "default", "files")) == ["default/shop"]
    Teardown(engine, KEY, spec=spec, pool=None, clock=engine.clock).run()
    assert look(engine).is_empty
    up(engine, spec)
    assert text(engine, "/data/x") == "kept"


def test_a_claim_that_is_missing_makes_no_volume() -> None:
    engine = fake()
    pod = sync_of(engine, spec_of(Volume.claim("data", "files")))
    pod._making = True
    live_for(engine, pod, 5)
    assert engine.volumes({}) == []
    assert engine.containers({}) == []
    assert pod.refresh().phase is Phase.PENDING
    [event] = events(pod, "FailedMount")
    assert event.message.endswith('persistentvolumeclaim "files" not found')
    ObjectStore(engine).apply(PersistentVolumeClaim("files"))
    live_for(engine, pod, 1)
    assert pod.refresh().phase is Phase.RUNNING


# --- host paths --------------------------------------------------------------------------------------------------------


HOST_PATHS = [
    ("Directory", {}, ""),
    ("DirectoryOrCreate", {"missing": True}, ""),
    ("File", {"data": b"x"}, ""),
    ("FileOrCreate", {"missing": True}, ""),
    ("Socket", {"special": "socket"}, ""),
    ("CharDevice", {"special": "character device"}, ""),
    ("BlockDevice", {"special": "block device"}, ""),
    ("Directory", {"missing": True}, "hostPath type check failed: /srv/it is not a directory"),
    ("Directory", {"data": b""}, "hostPath type check failed: /srv/it is not a directory"),
    ("DirectoryOrCreate", {"data": b""}, "hostPath type check failed: /srv/it is not a directory"),
    ("File", {}, "hostPath type check failed: /srv/it is not a file"),
    ("FileOrCreate", {}, "hostPath type check failed: /srv/it is not a file"),
    ("Socket", {"data": b""}, "hostPath type check failed: /srv/it is not a socket file"),
    (
        "CharDevice",
        {"special": "block device"},
        "hostPath type check failed: /srv/it is not a character device",
    ),
    ("BlockDevice", {}, "hostPath type check failed: /srv/it is not a block device"),
]


@pytest.mark.parametrize(("kind", "there", "words"), HOST_PATHS, ids=range(len(HOST_PATHS)))
def test_host_paths(kind: str, there: dict[str, Any], words: str) -> None:
    engine = fake()
    if there.get("missing"):
        engine.no_host_path("/srv/it")
    elif there:
        engine.host_file("/srv/it", there.get("data"), special=there.get("special", ""))
    pod = sync_of(engine, spec_of(Volume.host_path("it", "/srv/it", type=kind)))
    settle(pod)
    assert [event.message.partition(" : ")[2] for event in events(pod, "FailedMount")] == [words] * bool(
        words
    )
    assert bool(instances(engine, "web")) is not bool(words)
    assert [info for info in engine.containers({}) if "helper" in info.name] == []
    entry = engine.host_entry("/srv/it")
    if kind.endswith("OrCreate") and not words:
        assert entry is not None
        assert (entry.kind, entry.mode) == (("file", 0o644) if kind[0] == "F" else ("directory", 0o755))


def test_a_file_is_made_only_in_a_directory_that_is_there() -> None:
    engine = fake()
    engine.no_host_path("/srv/it")
    engine.no_host_path("/srv")
    pod = sync_of(engine, spec_of(Volume.host_path("it", "/srv/it", type="FileOrCreate")))
    assert settle(pod).waiting == "volume it: open /srv/it: no such file or directory"


# --- parts -------------------------------------------------------------------------------------------------------------

DISK = Volume.empty_dir("disk")


def refused(pod: Loop, name: str = "web") -> str:
    state = pod.refresh().container(name).state
    assert isinstance(state, Waiting)
    assert state.reason == "CreateContainerConfigError"
    return state.message


def test_a_part_of_a_volume(engine: FakeEngine) -> None:
    mounts = [
        VolumeMount("disk", "/all"),
        VolumeMount("disk", "/part", sub_path="a/b"),
        VolumeMount("disk", "/named", sub_path_expr="of/$(WHO)"),
    ]
    spec = spec_of(DISK, mounts=mounts)
    spec = replace(spec, containers=(Container("web", "app:1", mounts=mounts, env={"WHO": "me"}),))
    up(engine, spec)
    web = live(engine, "web").id
    engine.write_file(web, "/part/x", "1")
    engine.write_file(web, "/named/x", "2")
    assert (text(engine, "/all/a/b/x"), text(engine, "/all/of/me/x")) == ("1", "2")
    made = engine.volume_entry(naming.volume_name(KEY, "disk"), "a/b")
    assert made is not None
    assert made.mode == 0o777


def test_a_file_of_a_config_map_is_a_part_that_no_change_reaches(engine: FakeEngine) -> None:
    store = ObjectStore(engine)
    store.apply(SETTINGS)
    pod = up(engine, spec_of(CONFIG, mounts=[VolumeMount("conf", "/etc/a.conf", sub_path="a")]))
    assert text(engine, "/etc/a.conf") == "one"
    with pytest.raises(OSError, match="Read-only"):
        engine.write_file(live(engine, "web").id, "/etc/a.conf", "mine")
    settle(pod)


@pytest.mark.parametrize(
    ("link", "why"),
    [
        ("/etc", "it leads out of the volume"),
        ("../../../etc", "it leads out of the volume"),
        ("loop", "too many levels of symbolic links"),
    ],
)
def test_no_link_leads_out_of_a_volume(engine: FakeEngine, link: str, why: str) -> None:
    """A member that ran before may have made it."""
    pod = sync_of(engine, spec_of(DISK, mounts=[VolumeMount("disk", "/part", sub_path="loop/x")]))
    pod.run_once()
    engine.host_file(f"/var/lib/docker/volumes/{naming.volume_name(KEY, 'disk')}/_data/loop", link=link)
    settle(pod)
    assert instances(engine, "web") == []
    assert refused(pod) == (
        f'failed to prepare subPath for volumeMount "disk" of container "web": loop/x: {why}'
    )


def test_a_link_within_a_volume_is_followed(engine: FakeEngine) -> None:
    pod = sync_of(engine, spec_of(DISK, mounts=[VolumeMount("disk", "/part", sub_path="link/y")]))
    pod.run_once()
    engine.host_file(f"/var/lib/docker/volumes/{naming.volume_name(KEY, 'disk')}/_data/link", link="./a/../b")
    engine.host_file(f"/var/lib/docker/volumes/{naming.volume_name(KEY, 'disk')}/_data/a", None)
    settle(pod)
    assert pod.refresh().phase is Phase.RUNNING
    assert engine.volume_entry(naming.volume_name(KEY, "disk"), "b/y") is not None


def test_a_file_is_no_directory_on_the_way(engine: FakeEngine) -> None:
    ObjectStore(engine).apply(SETTINGS)
    pod = sync_of(engine, spec_of(CONFIG, mounts=[VolumeMount("conf", "/x", sub_path="a/b")]))
    settle(pod)
    assert re.search(r": a/b: \.\.2023\w+\.\d+/a is not a directory$", refused(pod))


def test_a_variable_that_is_missing_holds_up_its_container_alone() -> None:
    engine = fake()
    mounts = [VolumeMount("disk", "/x", sub_path_expr="$(POD)")]
    spec = spec_of(DISK, mounts=mounts)
    spec = replace(spec, containers=(*spec.containers, Container("log", "app:1")))
    pod = sync_of(engine, spec)
    settle(pod)
    assert refused(pod) == "missing value for POD"
    assert live(engine, "log").is_live
    assert [event.message for event in events(pod, "Failed")] == ["Error: missing value for POD"]
    with pytest.raises(PodStartError, match="CreateContainerConfigError: missing value for POD"):
        starting.start(pod, timeout=10, min_ready_seconds=0)


def test_a_part_of_a_volume_that_is_being_made_is_waited_for(engine: FakeEngine) -> None:
    """Nothing else holds this container up: it leaves no termination message."""
    mounts = [VolumeMount("disk", "/x", sub_path="a")]
    web = Container("web", "app:1", mounts=mounts, termination_message_path="")
    pod = up(engine, replace(spec_of(DISK), containers=(web,)))
    assert events(pod, "Failed") == []


def test_a_part_that_a_secret_names_is_told_to_nobody(engine: FakeEngine) -> None:
    store = ObjectStore(engine)
    store.apply(LOGIN)
    store.apply(SETTINGS)
    mounts = [
        VolumeMount("disk", "/x", sub_path_expr="$(PW)"),
        VolumeMount("conf", "/y", sub_path_expr="a/$(PW)"),
    ]
    one, two = (
        Container(name, "app:1", mounts=[mount], env={"PW": SecretKeyRef("login", "password")})
        for name, mount in zip(("web", "log"), mounts, strict=True)
    )
    pod = sync_of(engine, replace(spec_of(DISK, CONFIG), containers=(one, two)))
    plans = [pod.run_once(), pod.run_once(), pod.run_once()]
    settle(pod)
    assert live(engine, "web").is_live
    assert engine.volume_entry(naming.volume_name(KEY, "disk"), "hunter2") is not None
    assert refused(pod, "log").endswith(": <hidden>: it cannot be had")
    told = [
        *plans,
        *map(str, plans),
        pod.channel.history,
        pod.status,
        pod.observed,
        engine.request(live(engine, "web").id),
    ]
    assert not [each for each in told if "hunter2" in repr(each)]


def test_what_is_seen_of_all_that_run_hides_secrets_of_variables_too() -> None:
    """Of the objects, only those that files are made of are read then."""
    engine = fake()
    store = ObjectStore(engine)
    store.apply(LOGIN)
    store.apply(SETTINGS)
    env = {"PW": SecretKeyRef("login", "password")}
    web = Container("web", "app:1", command=[Template("$(PW)")], env=env, mounts={"conf": "/conf"})
    pod = sync_of(engine, replace(spec_of(CONFIG), containers=(web,)))
    settle(pod)
    engine.program("hunter2", Program())
    live_for(engine, pod, 5)
    pod.refresh()
    assert pod.observed is not None
    assert pod.observed.is_whole
    assert "<hidden>" in str(pod.observed)
    assert "hunter2" not in str(pod.observed)


def test_a_part_of_a_host_path(engine: FakeEngine) -> None:
    engine.no_host_path("/srv/data/x")
    up(engine, spec_of(Volume.host_path("srv", "/srv"), mounts=[VolumeMount("srv", "/x", sub_path="data/x")]))
    assert engine.host_entry("/srv/data/x") is not None
    [mount] = engine.request(live(engine, "web").id).mounts
    assert (mount.source, mount.bind) == ("/srv/data/x", True)


# --- groups ------------------------------------------------------------------------------------------------------------


def entry_of(engine: FakeEngine, volume: str, path: str = "") -> tuple[int, int]:
    entry = engine.volume_entry(volume, path)
    assert entry is not None
    return entry.gid, entry.mode


@pytest.mark.parametrize("policy", list(FSGroupChangePolicy))
def test_the_files_of_volumes_are_given_to_the_group(policy: FSGroupChangePolicy) -> None:
    engine = fake()
    store = ObjectStore(engine)
    store.apply(PersistentVolumeClaim("files"))
    store.apply(LOGIN)
    volumes = (
        DISK,
        Volume.empty_dir("mem", medium="Memory"),
        Volume.claim("data", "files"),
        Volume.secret("keys", "login", default_mode=0o400),
    )
    first = spec_of(*volumes)
    up(engine, first)
    engine.write_file(live(engine, "web").id, "/data/x", "old")
    Teardown(engine, KEY, spec=first, pool=None, clock=engine.clock).run()
    claim = naming.claim_name("default", "files")
    assert entry_of(engine, claim, "x") == (0, 0o644)
    group = PodSecurityContext(fs_group=7, fs_group_change_policy=policy)
    second = spec_of(*volumes, security_context=group)
    up(engine, second)
    assert entry_of(engine, claim, "x") == (7, 0o664)
    for volume in ("disk", "mem", "keys"):
        assert entry_of(engine, naming.volume_name(KEY, volume)) == (7, 0o2777)
    assert entry_of(engine, claim) == (7, 0o2777)
    home = next(name for name in names(engine, "keys") if name[:2] == ".." and name != "..data")
    assert entry_of(engine, naming.volume_name(KEY, "keys"), f"{home}/password") == (7, 0o440)
    # What is made later with another group stays so where the root is right.
    engine.write_file(live(engine, "web").id, "/data/y", "new")
    Teardown(engine, KEY, spec=second, pool=None, clock=engine.clock).run()
    up(engine, second)
    is_lazy = policy is FSGroupChangePolicy.ON_ROOT_MISMATCH
    assert entry_of(engine, claim, "y") == ((0, 0o644) if is_lazy else (7, 0o664))


def test_a_group_that_cannot_be_given() -> None:
    engine = fake()
    spec = spec_of(DISK, security_context=PodSecurityContext(fs_group=7))
    pod = sync_of(engine, spec)
    pod.run_once()
    engine.inject("logs", EngineError("read logs", "x", "boom"))
    settle(pod)
    assert settle(pod).waiting == "volume disk: boom"
    live_for(engine, pod, 1)
    assert pod.refresh().phase is Phase.RUNNING
