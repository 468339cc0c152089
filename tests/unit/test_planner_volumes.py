"""What is planned for the volumes of a pod: files, host paths, claims, groups, parts. As the plan prints."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from pypod.model.life.journal import VolumeFailed, VolumeReady
from pypod.model.life.plan import FillVolume, Plan
from pypod.model.spec.object_references import Objects
from pypod.model.spec.objects import ConfigMap, Object, PersistentVolumeClaim, Secret
from pypod.model.spec.pod import (
    ConfigMapProjection,
    Container,
    PodSecurityContext,
    SecretProjection,
    Volume,
    VolumeMount,
)
from pypod.model.wiring.state import VolumeInfo
from tests.unit.pods import NOW, Case, member, pause, seen, told

CONFIG = Volume.config_map("conf", "settings")
SECRET = Volume.secret("keys", "login")
READY = VolumeReady(NOW - 90, "conf", 0, NOW - 100, "-")
WORDS = 'volume conf: configmap "settings" not found'


def with_volumes(*volumes: Volume, group: int | None = None, **web: Any) -> Any:
    """Of the base pod the container web alone, with these volumes."""
    container = Container("web", "nginx:1", **web)
    security = PodSecurityContext(fs_group=group)
    return lambda spec: replace(spec, containers=(container,), volumes=volumes, security_context=security)


def there(*found: Object, **versions: str) -> Objects:
    named: Mapping[tuple[str, str], Object] = {(each.kind, each.name): each for each in found}
    return Objects("default", named, versions={key: versions.get(key[1], "w1") for key in named})


def failed(ago: float, count: int = 1) -> VolumeFailed:
    return VolumeFailed(NOW - ago, "conf", 'configmap "settings" not found', count, NOW - 100)


def engine_volume(name: str) -> VolumeInfo:
    return VolumeInfo(f"pypod_default_shop_01234567_{name}", {}, 0.0, f"/volumes/{name}/_data")


SETTINGS = ConfigMap("settings", {"a": "1", "b": "2"})
LOGIN = Secret("login", string_data={"password": "hunter2"})
MEMBER = """\
#2 create container web_0 (after #1): not there yet
#3 start container web_0 (after #2): not there yet"""

CASES = {
    "files: nothing is made before the sandbox runs, but the volume": Case(
        seen(objects=there(SETTINGS)),
        """\
#1 create volume conf: for configMap
#2 create container pause_0 (after #1): no sandbox
#3 attach channel pause_0 (after #2): lease and journal
#4 start container pause_0 (after #3): no sandbox""",
        waiting="its volumes are set up when its sandbox runs",
        spec=with_volumes(CONFIG),
    ),
    "then they are written, before any member is made": Case(
        seen(pause(), objects=there(SETTINGS)),
        f"#1 write 2 files into volume conf: its files are not there yet\n{MEMBER}",
        spec=with_volumes(CONFIG),
    ),
    "once in a sandbox": Case(
        seen(pause(), objects=there(SETTINGS)),
        """\
#1 create container web_0: not there yet
#2 start container web_0 (after #1): not there yet""",
        spec=with_volumes(CONFIG),
        history=told(replace(READY, version="w1")),
    ),
    "again in another sandbox": Case(
        seen(pause(1), objects=there(SETTINGS)),
        f"#1 write 2 files into volume conf: its files are not there yet\n{MEMBER}",
        spec=with_volumes(CONFIG),
        history=told(replace(READY, version="w1")),
    ),
    "and in one that was started again, which has lost what was in memory": Case(
        seen(pause(started_at=NOW - 50), objects=there(SETTINGS)),
        f"#1 write 2 files into volume conf: its files are not there yet\n{MEMBER}",
        spec=with_volumes(CONFIG),
        history=told(replace(READY, version="w1")),
    ),
    "nothing is made of an object that is missing; an event says so": Case(
        seen(pause()),
        '#1 note volume conf cannot be set up: configmap "settings" not found; event FailedMount: '
        "its volumes come before its containers",
        due=NOW + 0.5,
        waiting=WORDS,
        spec=with_volumes(CONFIG),
    ),
    "not said again at once": Case(
        seen(pause()),
        f"nothing to do: {WORDS}",
        due=NOW - 0.3 + 0.5,
        waiting=WORDS,
        spec=with_volumes(CONFIG),
        history=told(failed(0.3)),
    ),
    "but with a delay that doubles": Case(
        seen(pause()),
        f"nothing to do: {WORDS}",
        due=NOW - 0.3 + 4,
        waiting=WORDS,
        spec=with_volumes(CONFIG),
        history=told(failed(0.3, count=4)),
    ),
    "up to two minutes and two seconds": Case(
        seen(pause()),
        f"nothing to do: {WORDS}",
        due=NOW - 0.3 + 122,
        waiting=WORDS,
        spec=with_volumes(CONFIG),
        history=told(failed(0.3, count=40)),
    ),
    "what the engine refused a moment ago is not asked again": Case(
        seen(pause(), objects=there(SETTINGS)),
        "nothing to do: volume conf: no space left",
        due=NOW - 0.2 + 0.5,
        waiting="volume conf: no space left",
        spec=with_volumes(CONFIG),
        history=told(VolumeFailed(NOW - 0.2, "conf", "no space left")),
    ),
    "an optional one that is missing is an empty directory": Case(
        seen(pause()),
        f"#1 write 0 files into volume conf: its files are not there yet\n{MEMBER}",
        spec=with_volumes(Volume.config_map("conf", "settings", optional=True)),
    ),
    "what runs is not looked at again": Case(
        seen(pause(), member("web"), is_whole=True),
        "nothing to do",
        spec=with_volumes(SECRET),
    ),
    "a change is written where everything runs": Case(
        seen(pause(), member("web"), is_whole=True, objects=there(SETTINGS, settings="w2")),
        "#1 write 2 files into volume conf: what it is made of has changed",
        spec=with_volumes(CONFIG),
        history=told(replace(READY, version="w1")),
    ),
    "an object that is gone leaves its files": Case(
        seen(pause(), member("web"), is_whole=True),
        "nothing to do",
        spec=with_volumes(CONFIG),
        history=told(replace(READY, version="w1")),
    ),
    # claims
    "a claim that is missing: not even a sandbox, which would make an empty one": Case(
        seen(),
        '#1 note volume data cannot be set up: persistentvolumeclaim "files" not found; event FailedMount: '
        "its volumes come before its containers",
        due=NOW + 0.5,
        waiting='volume data: persistentvolumeclaim "files" not found',
        spec=with_volumes(Volume.claim("data", "files")),
    ),
    "a claim for a device cannot be mounted": Case(
        seen(objects=there(PersistentVolumeClaim("files", volume_mode="Block"))),
        '#1 note volume data cannot be set up: volume "data" has volumeMode Block, but is specified in '
        "volumeMounts; event FailedMount: its volumes come before its containers",
        due=NOW + 0.5,
        waiting='volume data: volume "data" has volumeMode Block, but is specified in volumeMounts',
        spec=with_volumes(Volume.claim("data", "files")),
    ),
    "a claim's volume is nobody's to make": Case(
        seen(objects=there(PersistentVolumeClaim("files"))),
        """\
#1 create container pause_0: no sandbox
#2 attach channel pause_0 (after #1): lease and journal
#3 start container pause_0 (after #2): no sandbox
#4 create container web_0 (after #1): not there yet
#5 start container web_0 (after #4, #3): not there yet""",
        spec=with_volumes(Volume.claim("data", "files")),
    ),
    # host paths, groups, parts
    "a host path of a type is checked, once": Case(
        seen(pause()),
        f"#1 check host path /srv: its type is Directory\n{MEMBER}",
        spec=with_volumes(Volume.host_path("srv", "/srv", type="Directory")),
    ),
    "fsGroup: directories that anybody may have filled": Case(
        seen(pause(), objects=there(PersistentVolumeClaim("files"))),
        """\
#1 give volume disk to group 7: fsGroup of the pod
#2 give volume data to group 7: fsGroup of the pod
#3 create container web_0 (after #1, #2): not there yet
#4 start container web_0 (after #3): not there yet""",
        spec=with_volumes(
            Volume.empty_dir("disk"),
            Volume.empty_dir("mem", medium="Memory"),
            Volume.claim("data", "files"),
            Volume.claim("read", "files", read_only=True),
            Volume.host_path("host", "/srv"),
            group=7,
        ),
    ),
    "a part of a volume is there before its container is made": Case(
        seen(pause(), volumes=(engine_volume("disk"),)),
        """\
#1 have a/b in volume disk: subPath of a mount
#2 have x in volume disk (after #1): subPath of a mount
#3 create container web_0 (after #1, #2): not there yet
#4 start container web_0 (after #3): not there yet""",
        spec=with_volumes(
            Volume.empty_dir("disk"),
            mounts=[
                VolumeMount("disk", "/a", sub_path="a/b/"),
                VolumeMount("disk", "/x", sub_path_expr="$(WHO)"),
                VolumeMount("disk", "/all"),
            ],
            env={"WHO": "x"},
        ),
    ),
    "a part that refers to nothing": Case(
        seen(pause()),
        "#1 note container web waits (CreateContainerConfigError); event Failed:"
        " container web cannot be made: missing value for A, B",
        due=NOW + 10,
        waiting="container web: CreateContainerConfigError: missing value for A, B",
        spec=with_volumes(
            Volume.empty_dir("disk"), mounts=[VolumeMount("disk", "/x", sub_path_expr="$(B)/$(A)")]
        ),
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_what_is_planned(case: Case) -> None:
    case.check()


def plan_of(*volumes: Volume, **more: Any) -> Plan:
    return Case(seen(pause(), **more), "", spec=with_volumes(*volumes)).run()


def test_no_plan_shows_a_value_of_a_secret() -> None:
    both = Volume.projected("both", [SecretProjection("login"), ConfigMapProjection("settings")])
    plan = plan_of(SECRET, both, objects=there(LOGIN, SETTINGS))
    filled = [step.action for step in plan.steps if isinstance(step.action, FillVolume)]
    assert any(entry.data == b"hunter2" for action in filled for entry in action.files)
    assert "hunter2" not in repr(plan) + str(plan)


def test_files_lie_behind_one_link_and_belong_to_the_group() -> None:
    spec = with_volumes(CONFIG, group=7)
    plan = Case(seen(pause(), objects=there(SETTINGS)), "", spec=spec).run()
    [action] = [step.action for step in plan.steps if isinstance(step.action, FillVolume)]
    links = {entry.path: entry.link for entry in action.files if entry.link}
    assert links["..data"].startswith("..1970_01_01_00_16_40.")
    assert links == {"..data": links["..data"], "a": "..data/a", "b": "..data/b"}
    assert (action.group, action.directory, action.replaced) == (7, "/v/0", False)
    assert action.set_up.version == "w1"


def test_several_missing_sources_are_told_together() -> None:
    both = Volume.projected("both", [SecretProjection("login"), ConfigMapProjection("settings")])
    assert plan_of(both).waiting == 'volume both: [secret "login" not found, configmap "settings" not found]'


def test_an_object_that_cannot_be_read_is_not_one_that_is_missing() -> None:
    objects = Objects("default", unreadable={("ConfigMap", "settings"): "it is a later pypod's"})
    assert plan_of(CONFIG, objects=objects).waiting == "volume conf: it is a later pypod's"


def test_the_words_of_a_part_that_refers_to_nothing() -> None:
    mount = VolumeMount("disk", "/x", sub_path_expr="$(B)/$(A)")
    plan = Case(seen(pause()), "", spec=with_volumes(Volume.empty_dir("disk"), mounts=[mount])).run()
    [step] = plan.steps
    assert "missing value for A, B" in repr(step.action)


def test_the_files_of_a_spec() -> None:
    plan = plan_of(Volume.files("conf", {"x/y": "text", "z": b"\xff"}))
    [action] = [step.action for step in plan.steps if isinstance(step.action, FillVolume)]
    assert sorted(entry.data for entry in action.files if entry.data is not None) == [b"text", b"\xff"]
