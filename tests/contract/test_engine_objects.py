"""What the objects on an engine rest upon, and the store itself: ConfigMaps, Secrets and claims."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from pypod import ConfigMap, PersistentVolumeClaim, Secret
from pypod.engine import helper, object_leftovers
from pypod.engine.api import Engine
from pypod.engine.objects import Change, ObjectStore
from pypod.errors import EngineError, NotFoundError, ObjectError, ObjectInUseError, ObjectNotFoundError
from pypod.model import naming
from pypod.model.spec.object_references import Reference
from pypod.model.spec.objects import ObjectKey, key_of
from pypod.model.wiring import object_records
from pypod.model.wiring.requests import MountRequest, VolumeRequest
from tests.contract.harness import Contract

MIB = 1024 * 1024


class TestVolumes:
    def test_who_makes_it_is_told(self, contract: Contract, engine: Engine) -> None:
        name = contract.name("one")
        contract.volumes.append(name)
        made = engine.create_volume(VolumeRequest(name, {**contract.labels, "who": "first"}))
        again = engine.create_volume(VolumeRequest(name, {**contract.labels, "who": "second"}))
        assert made.name == again.name == name
        assert made.labels == again.labels == {**contract.labels, "who": "first"}
        assert made.mountpoint

    def test_of_parallel_creators_one_has_made_it(self, contract: Contract, engine: Engine) -> None:
        name = contract.name("one")
        contract.volumes.append(name)

        def create(who: int) -> str:
            request = VolumeRequest(name, {**contract.labels, "who": f"{who}"})
            return engine.create_volume(request).labels["who"]

        with ThreadPoolExecutor(8) as pool:
            assert len(set(pool.map(create, range(8)))) == 1

    def test_a_label_of_a_mebibyte_comes_back(self, contract: Contract, engine: Engine) -> None:
        name, text = contract.name("one"), "ä\n\0" * (MIB // 4)
        contract.volumes.append(name)
        engine.create_volume(VolumeRequest(name, {**contract.labels, "text": text}))
        (found,) = engine.volumes(contract.labels)
        assert found.labels["text"] == text

    def test_a_name_is_a_directorys(self, contract: Contract, engine: Engine) -> None:
        name = contract.name("a" * (naming.LONGEST_NAME - len(contract.name(""))))
        contract.volumes.append(name)
        assert engine.create_volume(VolumeRequest(name, contract.labels)).name == name
        with pytest.raises(EngineError, match="file name too long"):
            engine.create_volume(VolumeRequest(name + "a", contract.labels))
        assert len(engine.volumes(contract.labels)) == 1

    def test_a_mount_makes_one_with_its_labels(self, contract: Contract, engine: Engine) -> None:
        there, missing = contract.volume("there"), contract.name("missing")
        contract.volumes.append(missing)
        labels = {**contract.labels, "made-by": "mount"}
        mounts = (MountRequest(there, "/v/0", labels=labels), MountRequest(missing, "/v/1", labels=labels))
        contract.create_pause(mounts=mounts)
        assert [found.name for found in engine.volumes(labels)] == [missing]
        assert len(engine.volumes(contract.labels)) == 2

    def test_who_has_it(self, contract: Contract, engine: Engine) -> None:
        volume, other = contract.volume(), contract.volume("other")
        made = contract.create("made", mounts=(MountRequest(volume, "/data"),))
        running = contract.run("running", mounts=(MountRequest(volume, "/x"), MountRequest(other, "/y")))
        found = {info.id for info in engine.containers({}, volume=volume)}
        assert found == {made, running}
        assert {info.id for info in engine.containers(contract.labels, volume=other)} == {running}
        assert engine.containers({"other": ""}, volume=volume) == []
        assert engine.containers({}, volume=volume[:-1]) == []
        assert engine.containers({}, volume="/data-of-nobody") == []


class TestFiles:
    def test_there_and_back(self, contract: Contract, engine: Engine) -> None:
        one, two, empty = contract.volume("one"), contract.volume("two"), contract.volume("empty")
        big = bytes(range(256)) * 4096
        with helper.written(engine, one, [("a", 0o600, b"1"), ("d/e", 0o644, big)]):
            pass
        with helper.written(engine, two, [("a", 0o400, b"")]):
            pass
        found = helper.read_files(engine, [one, two, empty], contract.labels)
        assert found == {one: {"a": b"1", "d/e": big}, two: {"a": b""}, empty: {}}

    def test_no_helper_is_left(self, contract: Contract, engine: Engine) -> None:
        volume = contract.volume()
        with helper.written(engine, volume, []):
            (container,) = engine.containers({}, volume=volume)
            assert container.labels[naming.ROLE] == naming.Role.HELPER.value
            assert not container.is_live
        assert engine.containers({}, volume=volume) == []
        with pytest.raises(NotFoundError):
            engine.container(container.id)

    def test_a_member_sees_them(self, contract: Contract, engine: Engine) -> None:
        volume = contract.volume()
        with helper.written(engine, volume, [("a", 0o640, b"text\n")]):
            pass
        made = contract.run("one", "cat", "/data/a", mounts=(MountRequest(volume, "/data", read_only=True),))
        assert contract.ended(made).exit_code == 0
        assert contract.log(made) == b"text\n"


@pytest.fixture
def namespace(contract: Contract, engine: Engine) -> Iterator[str]:
    """Of this test's objects; what is left of them at its end is removed, and told of."""
    name = f"n-{contract.uid}"
    yield name
    left = [found.name for found in engine.volumes({naming.NAMESPACE: name})]
    for volume in left:
        engine.remove_volume(volume)
    assert left == []


@pytest.fixture
def store(engine: Engine) -> ObjectStore:
    return ObjectStore(engine)


class TestStore:
    def test_the_life_of_objects(self, engine: Engine, store: ObjectStore, namespace: str) -> None:
        objects: list[Any] = [
            ConfigMap("c", {"a": "ä"}, {"b": b"\0"}, namespace),
            Secret("s", {"raw": bytes(range(256))}, {"text": "hunter2"}, namespace=namespace),
            PersistentVolumeClaim("p", "1Gi", namespace=namespace),
        ]
        assert [store.apply(each).change for each in objects] == [Change.CREATED] * 3
        assert [ObjectStore(engine).get(key_of(each)) for each in objects] == objects
        assert [ObjectStore(engine).apply(each).change for each in objects] == [Change.UNCHANGED] * 3
        references = [Reference(each.kind, each.name) for each in objects]
        assert ObjectStore(engine).read(namespace, references).missing(references) == []
        for each in objects:
            store.delete(key_of(each))
        assert store.find(namespace) == []
        with pytest.raises(ObjectNotFoundError):
            store.get(key_of(objects[0]))

    def test_a_config_map_of_a_mebibyte(self, engine: Engine, store: ObjectStore, namespace: str) -> None:
        found = ConfigMap("c", {"a": "x" * MIB}, namespace=namespace)
        store.apply(found)
        assert ObjectStore(engine).get(key_of(found)) == found
        store.delete(key_of(found))

    def test_a_secret_of_a_mebibyte(self, engine: Engine, store: ObjectStore, namespace: str) -> None:
        found = Secret("s", {"a": bytes(range(256)) * 4096}, namespace=namespace)
        store.apply(found)
        assert ObjectStore(engine).get(key_of(found)) == found
        store.delete(key_of(found))

    def test_no_value_of_a_secret_is_in_a_label(
        self, engine: Engine, store: ObjectStore, namespace: str
    ) -> None:
        store.apply(Secret("s", string_data={"a": "hunter2"}, namespace=namespace))
        for volume in engine.volumes({naming.NAMESPACE: namespace}):
            assert "hunter2" not in repr(volume)
        store.delete(ObjectKey("Secret", namespace, "s"))

    def test_a_claim_in_use(
        self, contract: Contract, engine: Engine, store: ObjectStore, namespace: str
    ) -> None:
        key = key_of(store.apply(PersistentVolumeClaim("p", namespace=namespace)).object)
        labels = {**contract.labels, naming.NAMESPACE: namespace, naming.POD: "web", naming.UID: contract.uid}
        mount = MountRequest(object_records.claim_volume(key), "/data")
        made = contract.create("one", labels=labels, mounts=(mount,))
        with pytest.raises(ObjectInUseError, match=f"in use by {namespace}/web"):
            store.delete(key)
        assert store.get(key) == PersistentVolumeClaim("p", namespace=namespace)
        engine.remove_container(made)
        store.delete(key)

    def test_values_that_are_gone(self, engine: Engine, store: ObjectStore, namespace: str) -> None:
        key = key_of(store.apply(Secret("s", {"a": b"1"}, namespace=namespace)).object)
        (values,) = engine.volumes({naming.NAMESPACE: namespace, naming.CONTENT: ""})
        engine.remove_volume(values.name)
        with pytest.raises(ObjectError, match="its values are no longer on the engine"):
            ObjectStore(engine).get(key)
        assert values.name not in {found.name for found in engine.volumes({})}
        store.delete(key)

    def test_writers_and_readers_at_once(self, engine: Engine, namespace: str) -> None:
        """A reader sees one of the states that were written, whole; in the end one of the last two is there."""
        states = [f"{number}" * 5000 for number in range(6)]
        makers: list[Callable[[str], Any]] = [
            lambda text: ConfigMap("x", {"a": text, "b": text}, namespace=namespace),
            lambda text: Secret("x", string_data={"a": text, "b": text}, namespace=namespace),
        ]
        for make in makers:
            ObjectStore(engine).apply(make(states[0]))
            stop = threading.Event()
            seen: list[Any] = []

            def look(key: ObjectKey, stop: threading.Event, seen: list[Any]) -> None:
                while not stop.is_set():
                    seen.append(ObjectStore(engine).get(key))

            def write(texts: list[str], make: Callable[[str], Any]) -> None:
                for text in texts:
                    ObjectStore(engine).apply(make(text))

            with ThreadPoolExecutor(3) as pool:
                reader = pool.submit(look, key_of(make("")), stop, seen)
                for writer in [pool.submit(write, states[start::2], make) for start in (0, 1)]:
                    writer.result()
                stop.set()
                reader.result()
            assert seen
            assert all(found in [make(text) for text in states] for found in seen)
            last = ObjectStore(engine).get(key_of(make("")))
            assert last in (make(states[-1]), make(states[-2]))
            ObjectStore(engine).delete(key_of(make("")))
            assert not [each for each in object_leftovers.sweep(engine) if namespace in each]
