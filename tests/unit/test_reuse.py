"""Which pods of an earlier time are used again: the decision, what it is asked about on a fake engine, and what follows."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pypod import (
    ConfigMap,
    Pod,
    Secret,
    Volume,
    apply,
    background,
    existing,
    finding,
    list_objects,
)
from pypod.engine.owner import current_owner
from pypod.errors import EngineUnavailableError
from pypod.model import naming
from pypod.model.life import reuse, status
from pypod.model.life.desired import Desired
from pypod.model.life.history import History
from pypod.model.life.journal import HandedOver, KeptUntil
from pypod.model.spec.pod import Container, PodSpec, SecretKeyRef
from pypod.model.wiring.state import ContainerInfo, ImageInfo, PodObservation
from pypod.pytest import current, leaks, outcome, reusing, slots
from pypod.pytest.options import Settings
from pypod.pytest.outcome import Kept, Outcome
from pypod.pytest.uses import Use
from pypod.pytest.wishes import Place, Wish
from pypod.testing import FakeEngine
from tests.unit import snapshots
from tests.unit.rig import live_for, pause_of, settle, sync_of

# --- the decision -----------------------------------------------------------------------------------------------------

SPEC = PodSpec(
    "shop",
    (Container("a", "app:1"), Container("b", "db:1")),
    init_containers=(Container("init", "tools:1"),),
)
IMAGES: dict[str, ImageInfo | None] = {
    name: ImageInfo(f"sha256:{name}", (name,)) for name in ("app:1", "db:1", "tools:1")
}


def made_of(name: str, image: str, **more: Any) -> ContainerInfo:
    return replace(snapshots.member(name, **more), image_id=f"sha256:{image}")


def observed(pause: ContainerInfo, **members: ContainerInfo) -> PodObservation:
    every = {
        "a": made_of("a", "app:1"),
        "b": made_of("b", "db:1"),
        "init": snapshots.ended(made_of("init", "tools:1"), 0),
        **members,
    }
    return PodObservation(
        snapshots.KEY, snapshots.NOW, (pause,), {name: (info,) for name, info in every.items()}
    )


@dataclass(frozen=True)
class Case:
    seen: PodObservation
    reason: str
    images: dict[str, ImageInfo | None]


PAUSE = snapshots.pause()
CASES = {
    "as it was started": Case(observed(PAUSE), "", IMAGES),
    "an init container whose remains are gone": Case(
        replace(observed(PAUSE), members={k: v for k, v in observed(PAUSE).members.items() if k != "init"}),
        "",
        IMAGES,
    ),
    "no sandbox": Case(PodObservation(snapshots.KEY, snapshots.NOW), "it is being removed", IMAGES),
    "marked as to go": Case(observed(snapshots.deleting()), "it is being removed", IMAGES),
    "another sandbox": Case(
        observed(snapshots.pause(1)), "its sandbox ended, and it has another one", IMAGES
    ),
    "a container that came again": Case(
        observed(PAUSE, b=made_of("b", "db:1", attempt=1)), "container 'b' was restarted", IMAGES
    ),
    "a container that ended": Case(
        observed(PAUSE, b=snapshots.ended(made_of("b", "db:1"), 1)), "it is not Ready", IMAGES
    ),
    "a name that means another image": Case(
        observed(PAUSE),
        "container 'b' was made of what 'db:1' was then",
        {**IMAGES, "db:1": ImageInfo("sha256:new", ("db:1",))},
    ),
    "of an init container, too": Case(
        observed(PAUSE),
        "container 'init' was made of what 'tools:1' was then",
        {**IMAGES, "tools:1": ImageInfo("sha256:new", ("tools:1",))},
    ),
    "a name that means nothing any more": Case(
        observed(PAUSE), "the engine has no image 'app:1' any more", {**IMAGES, "app:1": None}
    ),
}  # fmt: skip


@pytest.mark.parametrize("sentence", CASES)
def test_whether_it_is_what_a_start_would_make_now(sentence: str) -> None:
    case = CASES[sentence]
    desired = Desired(SPEC, snapshots.IDENTITY)
    how = status.derive(desired, case.seen, History(began=1.0), snapshots.NOW)
    assert reuse.why_replaced(SPEC, case.seen, how, case.images) == case.reason


def test_all_of_its_images_count_once() -> None:
    spec = replace(SPEC, containers=(*SPEC.containers, Container("c", "app:1")))
    assert reuse.images_of(spec) == ("app:1", "db:1", "tools:1")


# --- on an engine -----------------------------------------------------------------------------------------------------

TTL = 600.0
WEB = PodSpec("web", (Container("app", "app:1"),), termination_grace_period_seconds=0)


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    fake = FakeEngine()
    fake.add_image("app:1")
    monkeypatch.setattr(background, "ensure_running", lambda engine: None)
    monkeypatch.setattr(background, "sweep_once", lambda engine: None)
    return fake


def up(engine: FakeEngine, spec: PodSpec = WEB) -> str:
    """A pod that stays of an earlier run; its uid."""
    theirs = sync_of(engine, reusing.pinned(engine, spec, ()), leased=False)
    key = replace(theirs.desired.identity.key, namespace=spec.namespace, name=spec.name)
    theirs.desired = replace(
        theirs.desired, identity=replace(theirs.desired.identity, key=key, leased=False, ttl=TTL)
    )
    settle(theirs)
    live_for(engine, theirs, 1)
    now = engine.clock.now()
    theirs.channel.write(KeptUntil(now, now + TTL), HandedOver(now))
    return key.uid


def replaced(engine: FakeEngine, spec: PodSpec = WEB) -> str:
    """Why the next run would replace what is there."""
    there = existing.look_up(engine, reusing.pinned(engine, spec, ()))
    assert there is not None
    return existing.why_replaced(there)


def test_the_same_is_used_again(engine: FakeEngine) -> None:
    up(engine)
    assert replaced(engine) == ""


def test_another_description_is_not(engine: FakeEngine) -> None:
    up(engine)
    changed = replace(WEB, containers=(Container("app", "app:1", env={"A": "1"}),))
    assert replaced(engine, changed) == "its description has changed"


def test_another_image_under_its_name_is_not(engine: FakeEngine) -> None:
    up(engine)
    engine.add_image("app:1", command=["another"])
    assert replaced(engine) == "container 'app' was made of what 'app:1' was then"


def test_an_image_that_has_another_name_too_is_the_same(engine: FakeEngine) -> None:
    up(engine)
    engine.add_image("other:1")
    assert replaced(engine) == ""


def test_a_container_that_crashed_is_not(engine: FakeEngine) -> None:
    up(engine)
    [member] = [info for info in engine.containers({}) if naming.container_of(info.labels) == "app"]
    engine.kill_container(member.id)
    assert replaced(engine) == "it is not Ready"


WITH_OBJECTS = replace(
    WEB,
    containers=(Container("app", "app:1", mounts={"conf": "/conf"}, env={"P": SecretKeyRef("pw", "p")}),),
    volumes=(Volume.config_map("conf", "settings"),),
)


@pytest.mark.parametrize(
    ("changed", "is_another"),
    [
        (ConfigMap("settings", {"a": "1"}), False),
        (ConfigMap("settings", {"a": "2"}), True),
        (Secret("pw", string_data={"p": "secret"}), False),
        (Secret("pw", string_data={"p": "changed"}), True),
        (ConfigMap("of-another-pod", {"a": "2"}), False),
    ],
    ids=lambda value: value.name if not isinstance(value, bool) else str(value),
)
def test_what_its_objects_hold_counts(
    engine: FakeEngine, changed: ConfigMap | Secret, is_another: bool
) -> None:
    given = (ConfigMap("settings", {"a": "1"}), Secret("pw", string_data={"p": "secret"}))
    first = reusing.pinned(engine, WITH_OBJECTS, given)
    assert reusing.MADE_OF in first.annotations
    apply(changed, engine=engine)
    assert (reusing.pinned(engine, WITH_OBJECTS, ()) != first) is is_another


def test_a_pod_without_objects_is_as_it_was_described(engine: FakeEngine) -> None:
    assert reusing.pinned(engine, WEB, ()) == WEB


def test_one_that_is_not_the_same_is_removed_and_another_one_started(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    up(engine)
    started: list[dict[str, Any]] = []
    monkeypatch.setattr(Pod, "start", lambda self, **given: started.append(given))
    again = Pod.from_spec(WEB, engine=engine)
    assert reusing.start(again, ttl=TTL, timeout=5, grace=0) == ""
    assert len(engine.containers({})) == 2
    changed = replace(WEB, containers=(Container("app", "app:1", env={"A": "1"}),))
    other = Pod.from_spec(changed, engine=engine)
    assert reusing.start(other, ttl=TTL, timeout=5, grace=0) == "its description has changed"
    assert engine.containers({}) == []
    assert started == [{"timeout": 5, "detach": True, "ttl": TTL, "on_failure": None}] * 2


def test_what_pods_have_left_that_are_gone_is_deleted_and_nothing_else(engine: FakeEngine) -> None:
    given = (ConfigMap("settings", {"a": "1"}), Secret("pw", string_data={"p": "secret"}))
    apply(*given, ConfigMap("left", {}), ConfigMap("elsewhere", {}, namespace="other"), engine=engine)
    up(engine, WITH_OBJECTS)
    assert reusing.staying(engine, "default", tidy=False) == {"web"}
    assert len(list_objects(engine=engine)) == 4
    assert reusing.staying(engine, "default", tidy=True) == {"web"}
    left = [(each.namespace, each.name) for each in list_objects(engine=engine)]
    assert sorted(left) == [("default", "pw"), ("default", "settings"), ("other", "elsewhere")]


def test_a_pod_that_is_being_removed_has_no_name(engine: FakeEngine) -> None:
    up(engine)
    pause = pause_of(engine)
    engine.rename_container(pause.id, f"{pause.name}_1.deleting")
    assert reusing.staying(engine, "default", tidy=False) == set()


# --- whose pods stay --------------------------------------------------------------------------------------------------


def node(kind: type) -> Any:
    return object.__new__(kind)


@pytest.mark.parametrize(
    ("kind", "wished", "pool", "option", "stays"),
    [
        (pytest.Session, None, 0, True, True),
        (pytest.Session, None, 0, False, False),
        (pytest.Session, True, 0, False, False),
        (pytest.Session, False, 0, True, False),
        (pytest.Session, None, 2, True, False),
        (pytest.Module, None, 0, True, False),
        (pytest.Module, True, 0, True, True),
        (pytest.Class, True, 0, True, True),
        (pytest.Function, None, 0, True, False),
        (pytest.Function, True, 0, True, False),
    ],
)
def test_which_pods_stay(kind: type, wished: bool | None, pool: int, option: bool, stays: bool) -> None:
    wish = Wish("web.yaml", Path(), pool=pool, reuse=wished)
    place = Place(FakeEngine(), "default", Use(node(kind), frozenset()))
    assert reusing.is_wished(wish, place, Settings(reuse=option)) is stays


# --- while it is in use -----------------------------------------------------------------------------------------------


class Used:
    """Stands for a handle on a pod."""

    uid, name, namespace, engine = "u1", "web", "default", None

    def __init__(self, reason: str = "") -> None:
        self.reason = reason
        self.renewed: list[float] = []
        self.again = threading.Event()

    def refresh(self) -> Used:
        return self

    def renew(self, ttl: float) -> float:
        self.renewed.append(ttl)
        if len(self.renewed) == 1:
            raise EngineUnavailableError("look", "x", "refused")
        self.again.set()
        return 1.0


def test_its_end_is_put_off_again_and_again_whatever_the_engine_says(monkeypatch: pytest.MonkeyPatch) -> None:
    pod: Any = Used()
    monkeypatch.setattr(reusing, "SHORTEST", 0.001)
    monkeypatch.setattr(finding, "get", lambda *_, **__: pod)
    renewing = reusing.Renewing(0.004)
    renewing.add(pod)
    assert pod.again.wait(5)
    renewing.close()
    assert renewing._thread is not None
    renewing._thread.join(5)
    assert not renewing._thread.is_alive()


def test_after_its_use_it_stays_for_its_whole_time_and_one_that_is_gone_does_not() -> None:
    renewing = reusing.Renewing(60.0)
    pod: Any = Used()
    pod.renewed.append(0.0)
    assert renewing.remove(pod) == 1.0
    assert pod.renewed == [0.0, 60.0]
    gone: Any = Used("NotFound")
    assert renewing.remove(gone) is None


# --- the places of a project ------------------------------------------------------------------------------------------


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path


def test_each_run_has_the_first_place_that_is_free(state: Path) -> None:
    first, second = slots.take(state), slots.take(state)
    project = slots.project_id(state)
    assert (first.run_id, second.run_id) == (f"reuse-{project}", f"reuse2-{project}")
    first.leave()
    again = slots.take(state)
    assert again.run_id == first.run_id
    again.leave()
    second.leave()


def test_no_place_begins_as_another_one(state: Path) -> None:
    taken = [slots.take(state) for _ in range(12)]
    names = [slot.run_id for slot in taken]
    assert [(a, b) for a in names for b in names if a != b and b.startswith(a)] == []
    assert all(len(f"pytest-{name}-gw99") <= 63 for name in names)
    for slot in taken:
        slot.leave()


def test_a_project_is_its_folder_for_those_who_see_each_other(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = slots.project_id(state)
    assert slots.project_id(state / "sub" / "..") == here
    assert slots.project_id(state / "sub") != here
    owner = current_owner()
    monkeypatch.setattr(slots, "current_owner", lambda: replace(owner, pid=owner.pid + 1, start_time=9))
    assert slots.project_id(state) == here
    monkeypatch.setattr(slots, "current_owner", lambda: replace(owner, pid_namespace=owner.pid_namespace + 1))
    assert slots.project_id(state) != here


# --- what is told -----------------------------------------------------------------------------------------------------


def test_the_end_of_a_run_tells_until_when_and_how_to_remove_them() -> None:
    told = Outcome()
    stays = ("pytest-reuse-1-main", "db", "u1", ("app",), ("configmap/settings",), "")
    told.add(Outcome(kept=[Kept(*stays, "its description has changed", until=time.time())]).encode())
    told.kept.append(Kept("other", "web", "u2", ("app",), (), "tcp://engine:2375", "a test failed"))
    [(kept, first), (staying, second)] = told.sections(told.kept[0].until - 3599.4)
    assert kept == "pods that were kept"
    assert first[0] == "other/web: a test failed"
    assert staying == "pods that stay for the next run"
    until = time.strftime("%H:%M:%S", time.localtime(told.kept[0].until))
    assert second == [
        f"pytest-reuse-1-main/db: until {until}, for 59m59s; started anew: its description has changed",
        "  pypod down db -n pytest-reuse-1-main --grace 0",
        "what came with them:",
        "  pypod delete configmap settings -n pytest-reuse-1-main",
    ]
    assert outcome.Outcome().sections(0.0) == []


def test_pods_that_stay_are_no_leak_whichever_run_they_are_of(engine: FakeEngine) -> None:
    run = "reuse-12345678"
    namespace = f"pytest-{run}-main"
    given = (
        ConfigMap("settings", {"a": "1"}, namespace=namespace),
        Secret("pw", string_data={"p": "secret"}, namespace=namespace),
    )
    apply(*given, engine=engine)
    up(engine, replace(WITH_OBJECTS, namespace=namespace, network=f"pytest-{run}"))
    assert leaks.look(engine, run, Outcome()) == []
    apply(ConfigMap("left", {}, namespace=namespace), engine=engine)
    assert leaks.look(engine, run, Outcome()) == [f"volume pypod.configmap_{namespace}_left_1"]


def test_a_pod_without_an_end_is_a_leak(engine: FakeEngine) -> None:
    run = "reuse-12345678"
    spec = replace(WEB, namespace=f"pytest-{run}-main")
    theirs = sync_of(engine, spec, leased=False)
    key = replace(theirs.desired.identity.key, namespace=spec.namespace)
    theirs.desired = replace(theirs.desired, identity=replace(theirs.desired.identity, key=key))
    settle(theirs)
    assert len(leaks.look(engine, run, Outcome())) == 2
    theirs.channel.close()


def test_without_a_place_for_the_lock_the_run_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(root: Path) -> slots.Slot:
        raise PermissionError(13, "Permission denied", "/state/pypod")

    monkeypatch.setattr(slots, "take", refuse)
    config: Any = SimpleNamespace(stash=pytest.Stash(), rootpath=Path())
    config.stash[current.SETTINGS] = Settings(reuse=True)
    words = r"^cannot reuse pods: there is no place for the lock of this project: .*'/state/pypod'$"
    with pytest.raises(pytest.UsageError, match=words):
        current._new_id(config)
