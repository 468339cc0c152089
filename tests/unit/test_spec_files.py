"""Files that stand in a spec: they come back from documents, labels and YAML, and mean the same in a cluster."""

from __future__ import annotations

import dataclasses
from typing import Any

import kubernetes_validate
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pypod.errors import ManifestError
from pypod.model.document import codec
from pypod.model.document.pods import from_document, to_document
from pypod.model.manifest import manifest
from pypod.model.spec.pod import Container, FilesSource, NamedFile, PodSpec, Volume
from pypod.model.validation.validating import problems, validate

PATHS = st.lists(
    st.from_regex(r"[a-z]{1,4}(/[a-z]{1,4})?", fullmatch=True), max_size=4, unique=True, min_size=1
)
DATA = (
    st.binary(max_size=12)
    | st.text(max_size=8).map(lambda text: text.encode(errors="replace"))
    | st.sampled_from(
        [b"", b"a\r\nb", b"\x00", b"\n \n", b"'$(A)'", b"\xff\xfe", "é\u2028\u0085".encode(), b" # x: y"]
    )
)
MODES = st.none() | st.integers(0, 0o777)


@st.composite
def named(draw: st.DrawFn) -> FilesSource:
    files = [NamedFile(path, draw(DATA), draw(MODES)) for path in draw(PATHS)]
    return FilesSource(tuple(files), draw(st.integers(0, 0o777)))


def spec_of(*sources: FilesSource) -> PodSpec:
    volumes = (Volume.empty_dir("first"), *(Volume(f"v{index}", each) for index, each in enumerate(sources)))
    return PodSpec("shop", (Container("web", "nginx:1"),), volumes)


@settings(deadline=None, max_examples=60)
@given(st.lists(named(), max_size=3))
def test_files_come_back(sources: list[FilesSource]) -> None:
    spec = spec_of(*sources)
    assert from_document(to_document(spec)) == spec
    assert codec.load_spec(codec.dump_spec(spec)) == spec
    assert manifest.load(manifest.dump(spec)) == spec
    kubernetes_validate.validate(to_document(spec), "1.36", strict=True)


def test_a_cluster_makes_the_same_files_of_it() -> None:
    document: Any = to_document(
        spec_of(FilesSource((NamedFile("nginx.conf", b"server {}\n", 0o600),), 0o640))
    )
    assert document["metadata"]["annotations"]["io.pypod/file-1-0"] == "server {}\n"
    assert document["spec"]["volumes"][1] == {
        "name": "v0",
        "downwardAPI": {
            "defaultMode": 0o640,
            "items": [
                {
                    "path": "nginx.conf",
                    "fieldRef": {"fieldPath": "metadata.annotations['io.pypod/file-1-0']"},
                    "mode": 0o600,
                }
            ],
        },
    }


def test_text_is_bytes() -> None:
    files = Volume.files("v", {"a": "é", "b": b"\x01"}, default_mode=0o600).source
    assert files == FilesSource((NamedFile("a", "é".encode()), NamedFile("b", b"\x01")), 0o600)


@pytest.mark.parametrize(
    ("annotations", "words"),
    [
        ({"io.pypod/file-0-0": "x"}, "metadata.annotations[io.pypod/file-0-0]: no volume has it"),
        (
            {"io.pypod/file-1-0": "x", "io.pypod/binary-files": "1-0"},
            "metadata.annotations[io.pypod/file-1-0]: is not base64",
        ),
    ],
)
def test_annotations_that_fit_nothing(annotations: dict[str, str], words: str) -> None:
    document: Any = to_document(spec_of(FilesSource((NamedFile("a", b"x"),))))
    document["metadata"]["annotations"] |= annotations
    with pytest.raises(ManifestError, match="annotations") as caught:
        from_document(document)
    assert words in str(caught.value)


def test_a_volume_of_other_fields_stays_one() -> None:
    volume = Volume.downward_api(
        "v", {"a": "metadata.annotations['io.pypod/file-0-0']", "b": "metadata.name"}
    )
    spec = dataclasses.replace(spec_of(), volumes=(volume,))
    assert from_document(to_document(spec)).volumes == (volume,)


BAD = [
    (Volume.files("v", {}), "spec.volumes[0].files"),
    (Volume.files("v", {"../a": "x"}), "spec.volumes[0].files[0].path"),
    (Volume.files("v", {"/a": "x"}), "spec.volumes[0].files[0].path"),
    (Volume.files("v", {"..a": "x"}), "spec.volumes[0].files[0].path"),
    (Volume.files("v", [NamedFile("a", b""), NamedFile("a", b"")]), "spec.volumes[0].files[1].path"),
    (Volume.files("v", {"a": 5}), "spec.volumes[0].files[0].data"),  # type: ignore[dict-item]
    (Volume.files("v", {5: "x"}), "spec.volumes[0].files[0].path"),  # type: ignore[dict-item]
    (Volume.files("v", ["x"]), "spec.volumes[0].files[0]"),  # type: ignore[list-item]
    (Volume.files("v", {"a": "x"}, default_mode=0o1777), "spec.volumes[0].files.defaultMode"),
    (Volume.files("v", [NamedFile("a", b"", -1)]), "spec.volumes[0].files[0].mode"),
]


@pytest.mark.parametrize(("volume", "path"), BAD, ids=range(len(BAD)))
def test_files_that_cannot_be(volume: Volume, path: str) -> None:
    found = problems(dataclasses.replace(spec_of(), volumes=(volume,)))
    assert [problem.path for problem in found] == [path]


def test_there_is_a_limit_and_a_way_beyond_it() -> None:
    half = Volume.files("a", {"x": b"x" * 128 * 1024})
    validate(dataclasses.replace(spec_of(), volumes=(half, dataclasses.replace(half, name="b"))))
    [problem] = problems(
        dataclasses.replace(
            spec_of(), volumes=(half, dataclasses.replace(half, name="b"), Volume.files("c", {"x": "x"}))
        )
    )
    assert problem.path == "spec.volumes"
    assert "not more than" in problem.message.replace("may not be", "not")
    assert "ConfigMap" in problem.message
