"""Objects on an engine: old or new and never half, whoever dies when; secrets in files alone; nobody's leftovers."""

from __future__ import annotations

import dataclasses
import itertools
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

import pypod
from pypod import ConfigMap, PersistentVolumeClaim, Pod, Secret, Volume
from pypod.background import _has_pods
from pypod.cli import doctor
from pypod.engine import helper, object_leftovers, observe, owner, pause
from pypod.engine.objects import Change, ObjectStore, store_of
from pypod.engine.teardown import Teardown
from pypod.errors import (
    ConflictError,
    EngineError,
    EngineUnavailableError,
    NotFoundError,
    ObjectError,
    ObjectInUseError,
    ObjectNotFoundError,
    SpecError,
)
from pypod.model import naming
from pypod.model.spec.object_references import Reference
from pypod.model.spec.objects import Object, ObjectKey, key_of
from pypod.model.wiring import object_records
from pypod.model.wiring.requests import ContainerRequest, MountRequest, VolumeRequest
from pypod.testing import FakeEngine
from tests.unit import rig
from tests.unit.rig import live_for

HIDDEN = "correct-horse-battery"
OLD: dict[str, Object] = {
    "ConfigMap": ConfigMap("x", {"a": "old"}),
    "Secret": Secret("x", string_data={"a": "old"}),
    "PersistentVolumeClaim": PersistentVolumeClaim("x", "1Gi"),
}
NEW: dict[str, Object] = {
    "ConfigMap": ConfigMap("x", {"a": "new"}),
    "Secret": Secret("x", string_data={"a": "new"}),
    "PersistentVolumeClaim": PersistentVolumeClaim("x", "2Gi"),
}
KINDS = list(OLD)


@pytest.fixture
def engine() -> FakeEngine:
    made = FakeEngine()
    made.add_image("app:1")
    return made


@pytest.fixture
def store(engine: FakeEngine) -> ObjectStore:
    return ObjectStore(engine)


def names(engine: FakeEngine) -> list[str]:
    return sorted([each.name for each in engine.volumes({})] + [each.name for each in engine.containers({})])


def calls(engine: FakeEngine, act: Callable[[], object]) -> list[str]:
    """The verbs that it takes."""
    before = len(engine.calls)
    act()
    return [verb for verb, _ in engine.calls[before:]]


class Killed(BaseException):
    """The process is no more: nothing that it would still do happens."""


class Dying:
    """An engine whose user is killed before, or just after, one of its calls."""

    def __init__(self, engine: FakeEngine, call: int, *, after: bool) -> None:
        self._engine = engine
        self._left = call
        self._after = after
        self.died = False

    def __getattr__(self, name: str) -> Any:
        verb = getattr(self._engine, name)

        def call(*args: Any, **options: Any) -> Any:
            if self.died or (self._left == 0 and not self._after):
                self.died = True
                raise Killed
            answer = verb(*args, **options)
            if self._left == 0:
                self.died = True
                raise Killed
            self._left -= 1
            return answer

        return call


def dying(engine: FakeEngine, act: Callable[[ObjectStore], object], call: int, *, after: bool) -> bool:
    """Whether it was killed on its way."""
    wrapped: Any = Dying(engine, call, after=after)
    try:
        act(ObjectStore(wrapped))
    except Killed:
        return True
    return False


def as_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(object_leftovers, "is_alive", lambda _: False)


def read(engine: FakeEngine, key: ObjectKey) -> Object | None:
    """As another process would."""
    try:
        return ObjectStore(engine).get(key)
    except ObjectNotFoundError:
        return None


class TestUse:
    @pytest.mark.parametrize("kind", KINDS)
    def test_created_changed_and_left_alone(self, store: ObjectStore, engine: FakeEngine, kind: str) -> None:
        old, new = OLD[kind], NEW[kind]
        assert [str(store.apply(old)), str(store.apply(old))] == [
            f"{kind.lower()}/x created",
            f"{kind.lower()}/x unchanged",
        ]
        assert read(engine, key_of(old)) == old
        assert store.apply(new).change is Change.CONFIGURED
        assert read(engine, key_of(old)) == new == store.get(key_of(old))
        assert store.apply(new).change is Change.UNCHANGED
        store.delete(key_of(new))
        assert read(engine, key_of(old)) is None
        assert names(engine) == []

    @pytest.mark.parametrize("kind", KINDS)
    def test_what_is_not_there(self, store: ObjectStore, kind: str) -> None:
        for verb in (store.get, store.delete):
            with pytest.raises(ObjectNotFoundError, match=f"cannot find {kind} 'shop/x'") as caught:
                verb(ObjectKey(kind, "shop", "x"))
            assert (caught.value.kind, caught.value.namespace, caught.value.name) == (kind, "shop", "x")

    def test_they_are_apart_by_namespace_kind_and_name(self, store: ObjectStore) -> None:
        made: list[Object] = [
            kind(name, namespace=namespace)
            for kind, namespace, name in itertools.product((ConfigMap, Secret), ("a", "b"), ("x", "x.y"))
        ]
        for each in made:
            store.apply(
                dataclasses.replace(each, labels={"which": f"{each.kind}.{each.namespace}.{each.name}"})
            )
        assert [key_of(each) for each in store.find()] == sorted(key_of(each) for each in made)
        assert {each.labels["which"] for each in store.find("a", "Secret")} == {"Secret.a.x", "Secret.a.x.y"}
        store.delete(key_of(made[0]))
        assert len(store.find()) == len(made) - 1

    def test_one_that_is_wrong_changes_nothing(self, store: ObjectStore, engine: FakeEngine) -> None:
        with pytest.raises(SpecError):
            store.apply(ConfigMap("X"))
        store.apply(ConfigMap("x", {"a": "1"}, immutable=True))
        with pytest.raises(SpecError, match="data: Forbidden: field is immutable"):
            store.apply(ConfigMap("x", {"a": "2"}, immutable=True))
        assert store.find() == [ConfigMap("x", {"a": "1"}, immutable=True)]
        assert names(engine) == ["pypod.configmap_default_x_1"]

    @pytest.mark.parametrize("kind", [ConfigMap, Secret, PersistentVolumeClaim])
    def test_the_longest_names(self, store: ObjectStore, engine: FakeEngine, kind: Any) -> None:
        long = [kind("a" * 252 + end, namespace="n" * 63) for end in ("b", "c")]
        for each in long:
            store.apply(each)
        assert store.find() == long
        assert max(map(len, names(engine))) <= naming.LONGEST_NAME

    def test_a_config_map_costs_one_call_to_read(self, store: ObjectStore, engine: FakeEngine) -> None:
        store.apply(OLD["ConfigMap"])
        assert calls(engine, lambda: store.get(key_of(OLD["ConfigMap"]))) == ["volumes"]


class TestRead:
    """What a pod refers to."""

    def test_few_calls(self, store: ObjectStore, engine: FakeEngine) -> None:
        for each in OLD.values():
            store.apply(each)
        store.apply(Secret("y", {"b": b"2"}))
        references = [Reference(kind, "x") for kind in KINDS] + [Reference("Secret", "y")]
        other = ObjectStore(engine)
        verbs = calls(engine, lambda: other.read("default", references))
        assert verbs == ["volumes", "create_container", "get_archive", "remove_container"]
        assert calls(engine, lambda: other.read("default", references)) == ["volumes"]
        found = other.read("default", references)
        assert found.missing(references) == []
        assert found.secret("y") == Secret("y", {"b": b"2"})
        assert calls(engine, lambda: other.read("default", [])) == []

    def test_a_change_is_seen(self, store: ObjectStore, engine: FakeEngine) -> None:
        store.apply(OLD["Secret"])
        other = ObjectStore(engine)
        assert other.read("default", [Reference("Secret", "x")]).secret("x") == OLD["Secret"]
        store.apply(NEW["Secret"])
        assert other.read("default", [Reference("Secret", "x")]).secret("x") == NEW["Secret"]
        store.delete(key_of(NEW["Secret"]))
        assert other.read("default", [Reference("Secret", "x")]).missing([Reference("Secret", "x")]) == [
            'secret "x" not found'
        ]
        assert other._secrets == {}, "what is no more is not kept in memory"

    def test_more_secrets_than_a_helper_has_room_for(self, store: ObjectStore, engine: FakeEngine) -> None:
        made = [Secret(f"s{index:02}", {"i": b"%d" % index}) for index in range(pause.VOLUME_SLOTS + 3)]
        for each in made:
            store.apply(each)
        other = ObjectStore(engine)
        verbs = calls(engine, other.find)
        assert verbs.count("create_container") == 2
        assert other.find() == made

    def test_one_that_cannot_be_read_does_not_keep_the_others(
        self, store: ObjectStore, engine: FakeEngine
    ) -> None:
        store.apply(ConfigMap("good"))
        request = object_records.request(ConfigMap("bad"), 1, "t")
        engine.create_volume(dataclasses.replace(request, labels={**request.labels, naming.DOCUMENT: "{"}))
        wanted = [Reference("ConfigMap", "good"), Reference("ConfigMap", "bad")]
        found = store.read("default", wanted)
        assert found.config_map("good") == ConfigMap("good")
        (why,) = found.missing(wanted)
        assert why.startswith("cannot read ConfigMap 'default/bad'")
        with pytest.raises(ObjectError, match="cannot read ConfigMap 'default/bad'"):
            store.find()
        assert store.apply(ConfigMap("bad")).change is Change.CONFIGURED
        assert store.find() == [ConfigMap("bad"), ConfigMap("good")]


class TestDeath:
    """A process is killed before, or just after, each of its calls."""

    @pytest.mark.parametrize("after", [False, True])
    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize("first", [True, False], ids=["create", "replace"])
    def test_in_an_apply(
        self, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch, kind: str, first: bool, after: bool
    ) -> None:
        old, new, key = None if first else OLD[kind], NEW[kind], key_of(NEW[kind])
        deaths = 0
        for call in itertools.count():
            if old is not None:
                ObjectStore(engine).apply(old)
            if not dying(engine, lambda store: store.apply(new), call, after=after):
                break
            deaths += 1
            assert read(engine, key) in (old, new)
            as_dead(monkeypatch)
            there = read(engine, key)
            object_leftovers.sweep(engine)
            assert read(engine, key) == there
            self.check_nothing_but(engine, there)
            if there is not None:
                ObjectStore(engine).delete(key)
            assert names(engine) == []
        assert deaths >= 2

    def check_nothing_but(self, engine: FakeEngine, there: Object | None) -> None:
        assert engine.containers({}) == []
        # The files of a claim: made by the apply that was not finished, or by the next one.
        made = [each for each in names(engine) if not each.startswith("pypod.claim_")]
        assert len(made) == (0 if there is None else 2 if there.kind == "Secret" else 1)

    @pytest.mark.parametrize("after", [False, True])
    @pytest.mark.parametrize("kind", KINDS)
    def test_in_a_delete(
        self, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch, kind: str, after: bool
    ) -> None:
        as_dead(monkeypatch)
        old, key = OLD[kind], key_of(OLD[kind])
        for call in itertools.count():
            ObjectStore(engine).apply(old)
            if not dying(engine, lambda store: store.delete(key), call, after=after):
                break
            there = read(engine, key)
            assert there in (old, None)
            object_leftovers.sweep(engine)
            if there is not None:
                ObjectStore(engine).delete(key)
            assert names(engine) == []
        assert call >= 2

    def test_no_older_object_comes_back(self, engine: FakeEngine) -> None:
        """Where two records were left, the one that counts is deleted last."""
        for generation, found in enumerate((OLD["ConfigMap"], NEW["ConfigMap"]), 1):
            engine.create_volume(object_records.request(found, generation, f"t{generation}"))
        key = key_of(NEW["ConfigMap"])
        assert dying(engine, lambda store: store.delete(key), 1, after=True)
        assert read(engine, key) == NEW["ConfigMap"]

    def test_the_next_write_takes_older_records_away(self, engine: FakeEngine, store: ObjectStore) -> None:
        for generation, found in enumerate((OLD["ConfigMap"], NEW["ConfigMap"]), 1):
            engine.create_volume(object_records.request(found, generation, f"t{generation}"))
        assert store.apply(NEW["ConfigMap"]).change is Change.UNCHANGED
        assert names(engine) == ["pypod.configmap_default_x_2"]

    def test_in_a_read(self, engine: FakeEngine, store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
        store.apply(OLD["Secret"])
        before = names(engine)
        for call, after in itertools.product(range(4), (False, True)):
            dying(engine, lambda other: other.get(key_of(OLD["Secret"])), call, after=after)
        as_dead(monkeypatch)
        object_leftovers.sweep(engine)
        assert names(engine) == before

    def test_an_engine_that_fails_leaves_nothing(self, engine: FakeEngine, store: ObjectStore) -> None:
        store.apply(OLD["Secret"])
        before = names(engine)
        for verb in ("create_volume", "create_container", "put_archive"):
            engine.inject(verb, EngineError(verb, "", "no space left on device"))
            with pytest.raises(EngineError, match="no space left"):
                store.apply(NEW["Secret"])
            assert names(engine) == before
            assert read(engine, key_of(OLD["Secret"])) == OLD["Secret"]

    def test_a_record_whose_answer_was_lost_keeps_its_values(self, engine: FakeEngine) -> None:
        lost: Any = Losing(engine, "create_volume", "pypod.secret_")
        with pytest.raises(EngineUnavailableError):
            ObjectStore(lost).apply(NEW["Secret"])
        assert read(engine, key_of(NEW["Secret"])) == NEW["Secret"]


class Losing:
    """An engine that does what one call asks for, and whose answer does not come."""

    def __init__(self, engine: FakeEngine, verb: str, target: str) -> None:
        self._engine = engine
        self._verb = verb
        self._target = target

    def __getattr__(self, name: str) -> Any:
        verb = getattr(self._engine, name)
        if name != self._verb:
            return verb

        def call(request: VolumeRequest) -> Any:
            answer = verb(request)
            if request.name.startswith(self._target):
                raise EngineUnavailableError(self._verb, request.name, "the connection broke")
            return answer

        return call


class Meddling:
    """An engine on which somebody else does something just before a call of a verb."""

    def __init__(self, engine: FakeEngine, verb: str, then: Callable[[], object], times: int = 1) -> None:
        self._engine = engine
        self._verb = verb
        self._then = then
        self._times = times

    def __getattr__(self, name: str) -> Any:
        if name == self._verb and self._times > 0:
            self._times -= 1
            self._then()
        return getattr(self._engine, name)


class TestTwoAtOnce:
    @pytest.mark.parametrize("kind", KINDS)
    def test_of_two_writers_one_counts(self, engine: FakeEngine, kind: str) -> None:
        other = ObjectStore(engine)
        ours, theirs = NEW[kind], dataclasses.replace(NEW[kind], labels={"who": "they"})
        verb = "create_container" if kind == "Secret" else "create_volume"
        meddling: Any = Meddling(engine, verb, lambda: other.apply(theirs))
        assert ObjectStore(meddling).apply(ours).change is Change.CONFIGURED
        assert read(engine, key_of(ours)) == ours
        assert len(engine.volumes({naming.OBJECT: ""})) == 1
        assert len(engine.volumes({naming.CONTENT: "Secret"})) == (kind == "Secret")

    def test_one_that_became_immutable_meanwhile(self, engine: FakeEngine) -> None:
        theirs = ConfigMap("x", {"a": "theirs"}, immutable=True)
        meddling: Any = Meddling(engine, "create_volume", lambda: ObjectStore(engine).apply(theirs))
        with pytest.raises(SpecError):
            ObjectStore(meddling).apply(ConfigMap("x", {"a": "ours"}))
        assert read(engine, key_of(theirs)) == theirs

    def test_it_is_given_up_in_the_end(self, engine: FakeEngine) -> None:
        counter = itertools.count()

        def change() -> None:
            ObjectStore(engine).apply(ConfigMap("x", {"a": f"{next(counter)}"}))

        meddling: Any = Meddling(engine, "create_volume", change, times=100)
        with pytest.raises(ConflictError, match="others changed it 8 times"):
            ObjectStore(meddling).apply(ConfigMap("x"))

    def test_a_volume_without_labels_is_passed_over(self, engine: FakeEngine, store: ObjectStore) -> None:
        """An engine that was killed while it made a volume may have one of that name that says nothing."""
        engine.create_volume(VolumeRequest("pypod.configmap_default_x_1", {}))
        assert store.apply(ConfigMap("x")).change is Change.CREATED
        assert store.get(key_of(ConfigMap("x"))) == ConfigMap("x")

    def test_a_reader_of_a_secret_that_is_replaced(self, engine: FakeEngine, store: ObjectStore) -> None:
        store.apply(OLD["Secret"])
        meddling: Any = Meddling(engine, "create_container", lambda: store.apply(NEW["Secret"]))
        assert ObjectStore(meddling).get(key_of(OLD["Secret"])) == NEW["Secret"]
        assert len(names(engine)) == 2, "the volume that the engine made in place of the old one is gone"

    def test_a_list_that_has_neither(self, engine: FakeEngine, store: ObjectStore) -> None:
        """It was made while a record was replaced: the old one was gone, the new one not yet there."""
        store.apply(OLD["ConfigMap"])
        wanted = Reference("ConfigMap", "x")
        blind: Any = Blind(engine)
        assert ObjectStore(blind).get(key_of(OLD["ConfigMap"])) == OLD["ConfigMap"]
        blind = Blind(engine)
        assert ObjectStore(blind).read("default", [wanted]).config_map("x") == OLD["ConfigMap"]

    def test_threads(self, engine: FakeEngine) -> None:
        texts = [f"{index}" * 1000 for index in range(10)]
        stop = threading.Event()
        seen: list[bytes] = []
        ObjectStore(engine).apply(Secret("x", string_data={"a": texts[0]}))

        def look() -> None:
            store = ObjectStore(engine)
            while not stop.is_set():
                found = store.get(ObjectKey("Secret", "default", "x"))
                assert isinstance(found, Secret)
                seen.append(found.data["a"])

        def write(number: int) -> None:
            for text in texts[number::2]:
                ObjectStore(engine).apply(Secret("x", string_data={"a": text}))

        reader = threading.Thread(target=look)
        writers = [threading.Thread(target=write, args=(number,)) for number in range(2)]
        for thread in (reader, *writers):
            thread.start()
        for thread in writers:
            thread.join()
        stop.set()
        reader.join()
        assert seen
        assert {text.decode() for text in seen} <= set(texts)
        assert len(engine.volumes({naming.OBJECT: ""})) == 1


class Blind:
    """An engine whose first list of volumes is empty."""

    def __init__(self, engine: FakeEngine) -> None:
        self._engine = engine
        self._blind = True

    def __getattr__(self, name: str) -> Any:
        if name == "volumes" and self._blind:
            self._blind = False
            return lambda labels: []
        return getattr(self._engine, name)


class TestSecrets:
    def test_their_values_are_in_a_file_alone(self, engine: FakeEngine, store: ObjectStore) -> None:
        made = Secret("x", string_data={"a": HIDDEN}, annotations={"b/c": f"a: {HIDDEN}"})
        applied = store.apply(made)
        assert HIDDEN not in repr(applied) + str(applied)
        for each in engine.volumes({}):
            assert HIDDEN not in repr(each)
        assert HIDDEN not in repr(engine.containers({}))
        assert HIDDEN not in repr(store.read("default", [Reference("Secret", "x")]))
        (values,) = engine.volumes({naming.CONTENT: "Secret"})
        content = helper.read_files(engine, [values.name], {})[values.name]
        assert list(content) == [object_records.VALUES_FILE]

    def test_only_root_can_read_the_file(self, engine: FakeEngine, store: ObjectStore) -> None:
        store.apply(OLD["Secret"])
        (values,) = engine.volumes({naming.CONTENT: "Secret"})
        engine.create_container(
            ContainerRequest("c", "app:1", {}, user="1234", mounts=(MountRequest(values.name, "/v"),))
        )
        entry = engine.get_archive("c", f"/v/{object_records.VALUES_FILE}")
        assert object_records.VALUES_MODE == 0o600
        assert b"0000600" in b"".join(entry)

    def test_values_that_somebody_removed(self, engine: FakeEngine, store: ObjectStore) -> None:
        store.apply(OLD["Secret"])
        (values,) = engine.volumes({naming.CONTENT: "Secret"})
        engine.remove_volume(values.name)
        with pytest.raises(ObjectError, match="its values are no longer on the engine"):
            ObjectStore(engine).get(key_of(OLD["Secret"]))
        assert names(engine) == ["pypod.secret_default_x_1"]
        assert ObjectStore(engine).apply(OLD["Secret"]).change is Change.CONFIGURED
        assert read(engine, key_of(OLD["Secret"])) == OLD["Secret"]

    def test_values_that_are_damaged_are_not_shown(self, engine: FakeEngine, store: ObjectStore) -> None:
        store.apply(Secret("x", string_data={"a": HIDDEN}))
        (values,) = engine.volumes({naming.CONTENT: "Secret"})
        with helper.written(
            engine, values.name, [(object_records.VALUES_FILE, 0o600, b'{"a": "' + HIDDEN.encode())]
        ):
            pass
        with pytest.raises(ObjectError, match="is not JSON") as caught:
            ObjectStore(engine).get(key_of(OLD["Secret"]))
        assert HIDDEN not in str(caught.value)
        ObjectStore(engine).delete(key_of(OLD["Secret"]))
        assert names(engine) == []


class TestClaims:
    def test_the_files_outlive_changes(self, engine: FakeEngine, store: ObjectStore) -> None:
        store.apply(OLD["PersistentVolumeClaim"])
        volume = object_records.claim_volume(key_of(OLD["PersistentVolumeClaim"]))
        with helper.written(engine, volume, [("data", 0o644, b"mine")]):
            pass
        store.apply(NEW["PersistentVolumeClaim"])
        assert helper.read_files(engine, [volume], {}) == {volume: {"data": b"mine"}}

    def test_one_in_use_is_not_deleted(self, engine: FakeEngine, store: ObjectStore) -> None:
        key = key_of(store.apply(OLD["PersistentVolumeClaim"]).object)
        mounts = (MountRequest(object_records.claim_volume(key), "/data"),)
        labels = {naming.NAMESPACE: "shop", naming.POD: "web", naming.UID: "u"}
        engine.create_container(ContainerRequest("one", "app:1", labels, mounts=mounts))
        engine.create_container(ContainerRequest("two", "app:1", labels, mounts=mounts))
        engine.create_container(ContainerRequest("byhand", "app:1", {}, mounts=mounts))
        with pytest.raises(ObjectInUseError, match="in use by container byhand, shop/web") as caught:
            store.delete(key)
        assert caught.value.users == ("container byhand", "shop/web")
        assert store.get(key) == OLD["PersistentVolumeClaim"]
        for name in ("one", "two", "byhand"):
            engine.remove_container(name)
        store.delete(key)
        assert names(engine) == []

    def test_files_without_a_claim_go_with_an_explicit_delete_alone(
        self, engine: FakeEngine, store: ObjectStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        key = key_of(store.apply(OLD["PersistentVolumeClaim"]).object)
        engine.remove_volume("pypod.persistentvolumeclaim_default_x_1")
        as_dead(monkeypatch)
        engine.clock.advance(100_000)
        object_leftovers.sweep(engine)
        assert names(engine) == ["pypod.claim_default_x"]
        store.delete(key)
        assert names(engine) == []


class TestLeftovers:
    def test_the_living_are_left_alone(self, engine: FakeEngine) -> None:
        with helper.helper(engine, []):
            assert object_leftovers.sweep(engine) == []
            assert len(engine.containers({})) == 1
        engine.create_volume(
            VolumeRequest("v", naming.content_labels("Secret", "default", "x", owner.current_owner()))
        )
        assert object_leftovers.sweep(engine) == []

    def test_what_is_old_goes_whoever_made_it(
        self, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(object_leftovers, "is_alive", lambda _: None)
        engine.create_volume(VolumeRequest("v", {naming.CONTENT: "Secret"}))
        assert object_leftovers.sweep(engine) == []
        engine.clock.advance(object_leftovers.LEFT_OVER + 2)
        assert object_leftovers.sweep(engine) == ["volume v"]

    def test_objects_stay(
        self, engine: FakeEngine, store: ObjectStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for each in OLD.values():
            store.apply(each)
        before = names(engine)
        as_dead(monkeypatch)
        engine.clock.advance(100_000)
        assert pypod.sweep(engine) == []
        assert names(engine) == before

    def test_nobody_takes_an_object_for_a_pod(self, engine: FakeEngine, store: ObjectStore) -> None:
        for each in OLD.values():
            store.apply(each)
        with helper.helper(engine, []):
            assert observe.find_all(engine) == []
            assert observe.find_named(engine, "default", "x") == []
            assert pypod.list(engine=engine) == []
            assert not _has_pods(engine)
            assert [found.text for found in doctor.about_pods(engine) if found.what == "leftovers"] == [
                "none"
            ]

    def test_a_pod_goes_and_its_objects_stay(self, engine: FakeEngine, store: ObjectStore) -> None:
        for each in OLD.values():
            store.apply(dataclasses.replace(each, name="shop"))
        before = names(engine)
        spec = dataclasses.replace(rig.SPEC, volumes=(Volume.empty_dir("shop"),))
        live_for(engine, rig.sync_of(engine, spec), 1)
        assert len(names(engine)) == len(before) + 4
        assert [found.key for found in observe.find_all(engine)] == [rig.KEY]
        Teardown(engine, rig.KEY, clock=engine.clock).run()
        assert names(engine) == before

    def test_a_pod_that_is_called_like_an_object(self) -> None:
        """Whatever a pod is called, its volumes are not called as an object's are."""
        key = naming.PodKey("default", "configmap", "x1234567890")
        assert naming.volume_name(key, "1") not in (
            naming.record_name("ConfigMap", "default", "x1234567", 1),
            naming.claim_name("default", "configmap"),
        )
        assert not naming.volume_name(key, "1").startswith("pypod.")


class TestHelper:
    def test_it_is_removed_whatever_happens(self, engine: FakeEngine) -> None:
        def use() -> None:
            with helper.helper(engine, []):
                assert len(engine.containers({})) == 1
                raise Killed

        with pytest.raises(Killed):
            use()
        assert engine.containers({}) == []

    def test_the_pause_image_is_loaded_where_it_is_missing(self, engine: FakeEngine) -> None:
        assert calls(engine, lambda: helper.read_files(engine, ["v"], {})).count("load_image") == 1
        assert "load_image" not in calls(engine, lambda: helper.read_files(engine, ["v"], {}))

    def test_files_in_directories(self, engine: FakeEngine) -> None:
        engine.create_volume(VolumeRequest("v", {}))
        made = [("a/b", 0o600, b"1"), ("c", 0o644, b"")]
        with helper.written(engine, "v", made), pytest.raises(ConflictError):
            engine.remove_volume("v")
        assert helper.read_files(engine, ["v", "w"], {"l": "1"}) == {"v": {"a/b": b"1", "c": b""}, "w": {}}
        assert [each.name for each in engine.volumes({"l": "1"})] == ["w"]

    def test_who_reads_is_waited_for(self, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
        """Several, one after the other, on a machine that is busy."""
        assert sum(helper.PAUSES) > 3
        monkeypatch.setattr(helper, "PAUSES", (0.0,) * len(helper.PAUSES))
        engine.create_volume(VolumeRequest("v", {}))
        engine.inject("remove_volume", ConflictError("remove volume", "v", "in use"), times=7)
        assert helper.remove_volume(engine, "v")
        assert not helper.remove_volume(engine, "v")

    def test_who_stays_keeps_it(self, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(helper, "PAUSES", (0.0, 0.0))
        engine.create_volume(VolumeRequest("v", {}))
        with helper.written(engine, "v", []):
            assert not helper.remove_volume(engine, "v")
        assert names(engine) == ["v"]


class TestInterrupts:
    """Ctrl-C in the middle of a write: it is finished first."""

    def test_the_answer_and_the_error(self) -> None:
        assert helper.uninterrupted(lambda: 5) == 5
        with pytest.raises(NotFoundError):
            helper.uninterrupted(lambda: (_ for _ in ()).throw(NotFoundError("x", "y", "z")))

    def test_nothing_is_left_halfway(self, engine: FakeEngine) -> None:
        main = threading.main_thread().ident
        assert main is not None
        done = []

        def interrupt() -> None:
            for _ in range(3):
                signal.pthread_kill(main, signal.SIGINT)
                time.sleep(0.02)
            done.append(True)

        slow: Any = Meddling(engine, "put_archive", interrupt)
        with pytest.raises(KeyboardInterrupt):
            ObjectStore(slow).apply(NEW["Secret"])
        assert done
        assert engine.containers({}) == []
        assert read(engine, key_of(NEW["Secret"])) == NEW["Secret"]


class TestPublic:
    def test_apply_get_list_delete(self, engine: FakeEngine) -> None:
        applied = pypod.apply(*OLD.values(), engine=engine)
        assert [str(each) for each in applied] == [f"{kind.lower()}/x created" for kind in KINDS]
        found: ConfigMap = pypod.get_object(ConfigMap, "x", engine=engine)
        assert found == OLD["ConfigMap"]
        for word in ("configmap", "ConfigMap", "configmaps", "cm"):
            assert pypod.get_object(word, "x", engine=engine) == found
        assert pypod.list_objects(engine=engine) == sorted(OLD.values(), key=key_of)
        assert pypod.list_objects("default", Secret, engine=engine) == [OLD["Secret"]]
        assert pypod.list_objects("other", engine=engine) == []
        for kind in ("cm", Secret, "pvc"):
            pypod.delete_object(kind, "x", engine=engine)
        assert names(engine) == []

    def test_one_that_is_wrong_keeps_all(self, engine: FakeEngine) -> None:
        with pytest.raises(SpecError):
            pypod.apply(ConfigMap("x"), ConfigMap("X"), engine=engine)
        assert names(engine) == []

    @pytest.mark.parametrize("kind", ["pod", "Secert", 3, Pod, "deployment"])
    def test_other_kinds(self, engine: FakeEngine, kind: Any) -> None:
        with pytest.raises(SpecError, match="one of ConfigMap, Secret, PersistentVolumeClaim is expected"):
            pypod.get_object(kind, "x", engine=engine)

    def test_one_store_for_an_engine(self, engine: FakeEngine) -> None:
        assert store_of(engine) is store_of(engine)
        assert store_of(engine) is not store_of(FakeEngine())
