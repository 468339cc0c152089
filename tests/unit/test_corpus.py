"""Manifests by others: each is read whole, or refused with a reason that is listed here."""

from __future__ import annotations

import json
from collections import Counter

import kubernetes_validate
import pytest

from pypod.errors import ManifestError, PypodError
from pypod.model.manifest import manifest
from tests import corpus
from tests.corpus import Part

pytestmark = pytest.mark.skipif(bool(corpus.MISSING), reason=corpus.MISSING)

READ = ("Pod", "ConfigMap", "Secret", "PersistentVolumeClaim", "List")
LEAST = 0.9
"""Of the Pods, that are read whole."""

_NO_DRIVER = "an engine has no driver for it"
_GONE = "Kubernetes itself has removed it"
_VOLUMES = "k8s-examples___archived__volumes__"

REFUSED: dict[tuple[str, str], tuple[str, str]] = {
    (f"{_VOLUMES}fibre_channel__fc.yaml", "Pod"): ("spec.volumes[0].fc", _NO_DRIVER),
    (f"{_VOLUMES}iscsi__iscsi-chap.yaml", "Pod"): ("spec.volumes[0].iscsi", _NO_DRIVER),
    (f"{_VOLUMES}portworx__portworx-volume-pod.yaml", "Pod"): ("spec.volumes[0].portworxVolume", _NO_DRIVER),
    (f"{_VOLUMES}rbd__rbd.yaml", "Pod"): ("spec.volumes[0].rbd", _NO_DRIVER),
    (f"{_VOLUMES}storageos__storageos-pod.yaml", "Pod"): ("spec.volumes[0].storageos", _GONE),
}
"""Every refusal of a kind that is read: the field, and key words of the reason."""

REFUSED_TEMPLATES: dict[str, tuple[str, str]] = {
    f"{_VOLUMES}flocker__flocker-pod-with-rc.yml": ("spec.volumes[0].flocker", _GONE),
    f"{_VOLUMES}vsphere__deployment.yaml": ("spec.volumes[0].vsphereVolume", _NO_DRIVER),
}
"""The same of the Pods that workloads would make."""


def _every(*kinds: str) -> list[Part]:
    return [part for part in corpus.parts() if part.kind in kinds]


def _refusal(text: str) -> str:
    """Why it is refused; empty: it is read whole."""
    try:
        found = manifest.read(text)
    except PypodError as error:
        return str(error)
    assert len(found.items) == 1
    return ""


def test_every_refusal_is_known_by_its_field_and_its_reason() -> None:
    found = {(part.file, part.kind): why for part in _every(*READ) if (why := _refusal(part.text))}
    assert found.keys() == REFUSED.keys(), {key: found.get(key) for key in found.keys() ^ REFUSED.keys()}
    for key, words in REFUSED.items():
        assert all(word in found[key] for word in words), found[key]


def test_nine_in_ten_pods_are_read_whole() -> None:
    pods = _every("Pod")
    whole = [part for part in pods if not _refusal(part.text)]
    assert len(pods) >= 60
    assert len(whole) >= LEAST * len(pods), f"{len(whole)} of {len(pods)}"


def test_the_objects_are_all_read() -> None:
    objects = _every("ConfigMap", "Secret", "PersistentVolumeClaim")
    assert Counter(part.kind for part in objects) >= Counter(
        {"ConfigMap": 2, "Secret": 1, "PersistentVolumeClaim": 1}
    )
    assert [part.file for part in objects if _refusal(part.text)] == []


def test_what_is_read_is_written_and_read_the_same() -> None:
    for part in _every(*READ):
        if (part.file, part.kind) in REFUSED:
            continue
        (found,) = manifest.read(part.text).items
        text = manifest.dump(found)
        assert manifest.read(text).items == (found,), part.file
        kubernetes_validate.validate(manifest.to_document(found), "1.36", strict=True)


def test_every_other_kind_is_refused_as_a_kind() -> None:
    others = [part for part in corpus.parts() if part.kind not in READ]
    assert len(others) >= 20
    for part in others:
        with pytest.raises(ManifestError) as caught:
            manifest.read(part.text)
        assert [problem.path for problem in caught.value.problems] == ["kind"], part.file


def test_the_pods_of_workloads_are_read_too() -> None:
    templates = [(part, made) for part in corpus.parts() if (made := corpus.template_of(part)) is not None]
    assert len(templates) >= 18
    found = {part.file: why for part, made in templates if (why := _refusal(json.dumps(made)))}
    assert found.keys() == REFUSED_TEMPLATES.keys(), found
    for file, words in REFUSED_TEMPLATES.items():
        assert all(word in found[file] for word in words), found[file]
