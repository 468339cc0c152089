"""Manifests for their users: `pypod.load`, `Pod.from_manifest`, and what is applied before a pod starts."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

import pypod
from pypod import ConfigMap, ManifestError, ManifestWarning, Pod, PodSpec, Secret, SpecError, background
from pypod.model.spec.objects import PersistentVolumeClaim
from pypod.testing import FakeEngine
from tests.unit.test_manifest_all import CLAIM, HIDDEN, LOGIN, POD, SETTINGS

ALL = "---\n".join((POD, SETTINGS, LOGIN, CLAIM))


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    monkeypatch.setattr(background, "ensure_running", lambda engine: None)
    made = FakeEngine()
    made.add_image("nginx:1")
    return made


@pytest.mark.parametrize("text", [POD, POD.encode(), POD.encode("utf-16"), '{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web"}, "spec": {"containers": [{"name": "c", "image": "nginx:1"}]}}'])  # fmt: skip
def test_text_and_bytes(text: str | bytes) -> None:
    assert Pod.from_manifest(text).name == "web"
    (found,) = pypod.load(text)
    assert isinstance(found, PodSpec)


def test_files_and_directories(tmp_path: Path) -> None:
    for name, text in (
        ("b.yml", SETTINGS),
        ("a.yaml", POD),
        ("c.json", "{}"),
        ("d.txt", "x"),
        ("e.yaml.bak", "x"),
    ):
        (tmp_path / name).write_text(text)
    (tmp_path / "f.yaml").mkdir()
    with pytest.raises(ManifestError, match=r"c\.json:1:1: apiVersion: is required"):
        pypod.load(tmp_path)
    (tmp_path / "c.json").unlink()
    assert [type(each) for each in pypod.load(str(tmp_path))] == [PodSpec, ConfigMap]
    assert Pod.from_manifest(str(tmp_path / "a.yaml")).name == "web"
    with pytest.raises(FileNotFoundError):
        Pod.from_manifest(tmp_path / "none.yaml")


def test_all_of_a_manifest_in_its_order() -> None:
    assert [type(each) for each in pypod.load(ALL)] == [PodSpec, ConfigMap, Secret, PersistentVolumeClaim]


def test_how_strict() -> None:
    text = POD.replace("spec:", "spec:\n  colour: red")
    with pytest.raises(ManifestError, match="unknown field"):
        Pod.from_manifest(text)
    with pytest.warns(ManifestWarning, match=r"^manifest:6:3: spec\.colour: unknown field$"):
        Pod.from_manifest(text, validate="warn")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Pod.from_manifest(text, validate="ignore")
    with pytest.raises(ValueError, match="'loosely' is not a valid"):
        pypod.load(text, validate="loosely")


@pytest.mark.parametrize("read", [Pod.from_manifest, pypod.load])
def test_a_warning_is_of_who_asked(read: Callable[[str], object]) -> None:
    with pytest.warns(ManifestWarning) as caught:
        read(POD.replace("spec:", "spec:\n  priority: 5"))
    assert [Path(each.filename).name for each in caught] == [Path(__file__).name]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (SETTINGS, "describes no Pod, and one is expected"),
        (f"{POD}---\n{SETTINGS}---\n{POD.replace('name: web', 'name: other')}", ":16:1: document: one Pod is expected, and not 2; pypod.load\\(\\) takes all"),
    ],
)  # fmt: skip
def test_from_manifest_takes_one_pod(text: str, message: str) -> None:
    with pytest.raises(ManifestError, match=message):
        Pod.from_manifest(text)


def test_objects_are_applied_before_the_pod_starts_and_stay(engine: FakeEngine) -> None:
    pod = Pod.from_manifest(ALL, engine=engine)
    assert [each.name for each in pod.objects] == ["settings", "login", "files"]
    assert pypod.list_objects(engine=engine) == []  # nothing is touched before
    with pod:
        assert pypod.get_object(Secret, "login", engine=engine).data == {"password": HIDDEN.encode()}
        calls = [verb for verb, _ in engine.calls]
        assert calls.index("create_volume") < calls.index("create_container")
    assert len(pypod.list_objects(engine=engine)) == 3
    assert HIDDEN not in pod.to_manifest()
    with Pod.from_manifest(ALL.replace("hello", "goodbye"), engine=engine):
        assert pypod.get_object(ConfigMap, "settings", engine=engine).data == {"greeting": "goodbye"}


def test_an_object_that_cannot_be_changed_lets_no_pod_start(engine: FakeEngine) -> None:
    pypod.apply(ConfigMap("settings", {"greeting": "hello"}, immutable=True), engine=engine)
    pod = Pod.from_manifest(ALL.replace("hello", "goodbye"), engine=engine)
    with pytest.raises(SpecError, match="field is immutable"):
        pod.start()
    assert engine.containers({}) == []
    assert pypod.list_objects(engine=engine) == [ConfigMap("settings", {"greeting": "hello"}, immutable=True)]


def test_a_pod_that_was_not_waited_for_can_be(engine: FakeEngine) -> None:
    pod = Pod.from_manifest(POD, engine=engine).start(wait=False)
    try:
        assert pod.wait_started(timeout=5).status.summary == "Running"
    finally:
        pod.stop(grace=0)
