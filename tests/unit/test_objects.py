"""ConfigMap, Secret and PersistentVolumeClaim: what they hold, what is refused, and their documents."""

from __future__ import annotations

import base64
import copy
import dataclasses
import json
import traceback
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pypod.errors import InvalidNameError, ManifestError, SpecError
from pypod.model.manifest import object_documents
from pypod.model.schema.reading import Reader
from pypod.model.spec import objects
from pypod.model.spec.objects import ConfigMap, Object, ObjectKey, PersistentVolumeClaim, Secret
from pypod.model.validation import objects as validation_objects
from pypod.model.wiring import object_records

NAMES = json.loads((Path(__file__).parents[1] / "vectors" / "names.json").read_text())
HIDDEN = "correct-horse-battery"
CODED = base64.b64encode(HIDDEN.encode()).decode()
MIB = 1024 * 1024


def problems(found: object) -> list[str]:
    return [str(problem) for problem in validation_objects.problems(found)]


def read(value: object) -> Object:
    return object_documents.from_document(value, "x.yaml")


def refused(value: object) -> str:
    with pytest.raises(ManifestError) as caught:
        read(value)
    return str(caught.value)


def document(kind: str, **fields: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": "x"}, **fields}


class TestValues:
    def test_they_are_frozen(self) -> None:
        data = {"a": "1"}
        found = ConfigMap("x", data)
        data["a"] = "2"
        assert found.data == {"a": "1"}
        with pytest.raises(TypeError):
            found.data["a"] = "3"  # type: ignore[index]
        with pytest.raises(dataclasses.FrozenInstanceError):
            found.name = "y"  # type: ignore[misc]

    def test_equal_ones_are_equal(self) -> None:
        assert ConfigMap("x", {"a": "1"}) == ConfigMap("x", {"a": "1"})
        assert ConfigMap("x", {"a": "1"}) != ConfigMap("x", {"a": "2"})
        assert Secret("x", {"a": b"1"}) == Secret("x", string_data={"a": "1"})
        assert hash(Secret("x", {"a": b"1"})) == hash(Secret("x", {"a": b"1"}))
        assert PersistentVolumeClaim("x", "1Gi") == PersistentVolumeClaim("x", 2**30)

    def test_string_data_counts_over_data(self) -> None:
        assert dict(Secret("x", {"a": b"1", "b": b"2"}, {"b": "ä"}).data) == {"a": b"1", "b": "ä".encode()}

    def test_one_with_another_name(self) -> None:
        for found in (
            ConfigMap("x", {"a": "1"}),
            Secret("x", {"a": b"1"}),
            PersistentVolumeClaim("x", "3Gi"),
        ):
            other = dataclasses.replace(found, name="y")
            assert dataclasses.replace(other, name="x") == found

    def test_no_print_of_a_secret_shows_a_value(self) -> None:
        found = Secret(
            "x",
            {"a": HIDDEN.encode()},
            annotations={"kubectl.kubernetes.io/last-applied-configuration": CODED},
        )
        for shown in (repr(found), str(found), f"{found}", repr(found.data), str([found]), str({"k": found})):
            assert HIDDEN not in shown
            assert CODED not in shown
        assert "a: 21 bytes" in repr(found)
        assert copy.copy(found) == found

    def test_files(self) -> None:
        assert ConfigMap("x", {"a": "ä"}, {"b": b"\0"}).files == {"a": "ä".encode(), "b": b"\0"}
        assert Secret("x", {"a": b"\0"}).files == {"a": b"\0"}


class TestNames:
    @pytest.mark.parametrize("key", NAMES["configmapkey"]["good"])
    def test_good_keys(self, key: str) -> None:
        assert problems(ConfigMap("x", {key: ""})) == []
        assert problems(ConfigMap("x", binary_data={key: b""})) == []
        assert problems(Secret("x", {key: b""})) == []

    @pytest.mark.parametrize("key", [*NAMES["configmapkey"]["bad"], "", "..", "a/b", "ä", "a" * 254, "a\n"])
    def test_bad_keys(self, key: str) -> None:
        for found in (
            ConfigMap("x", {key: ""}),
            ConfigMap("x", binary_data={key: b""}),
            Secret("x", {key: b""}),
        ):
            with pytest.raises(InvalidNameError):
                validation_objects.validate(found)

    def test_the_vectors_are_all_here(self) -> None:
        assert (len(NAMES["configmapkey"]["good"]), len(NAMES["configmapkey"]["bad"])) == (4, 3)
        assert (len(NAMES["dns1123subdomain"]["good"]), len(NAMES["dns1123subdomain"]["bad"])) == (24, 36)

    @pytest.mark.parametrize("name", NAMES["dns1123subdomain"]["good"])
    def test_good_names(self, name: str) -> None:
        assert problems(ConfigMap(name)) == []

    @pytest.mark.parametrize("name", NAMES["dns1123subdomain"]["bad"])
    def test_bad_names(self, name: str) -> None:
        for found in (ConfigMap(name), Secret(name), PersistentVolumeClaim(name)):
            with pytest.raises(InvalidNameError):
                validation_objects.validate(found)

    @pytest.mark.parametrize("namespace", NAMES["dns1123label"]["bad"])
    def test_bad_namespaces(self, namespace: str) -> None:
        assert problems(ConfigMap("x", namespace=namespace)) != []

    @pytest.mark.parametrize("key", NAMES["labelkey"]["good"])
    def test_good_label_keys(self, key: str) -> None:
        assert problems(ConfigMap("x", labels={key: "v"}, annotations={key: "any thing"})) == []

    @pytest.mark.parametrize("key", NAMES["labelkey"]["bad"])
    def test_bad_label_keys(self, key: str) -> None:
        assert len(problems(ConfigMap("x", labels={key: "v"}, annotations={key: "v"}))) == 2

    @pytest.mark.parametrize("value", NAMES["labelvalue"]["bad"])
    def test_bad_label_values(self, value: str) -> None:
        assert len(problems(ConfigMap("x", labels={"k": value}))) == 1


class TestSizes:
    def test_a_mebibyte_is_the_most(self) -> None:
        assert problems(ConfigMap("x", {"a": "x" * (MIB - 1)}, {"b": b"x"})) == []
        assert len(problems(ConfigMap("x", {"a": "x" * MIB}, {"b": b"x"}))) == 1
        assert len(problems(ConfigMap("x", {"a": "ä" * (MIB // 2 + 1)}))) == 1
        assert problems(Secret("x", {"a": b"x" * MIB})) == []
        assert "data: Too long" in problems(Secret("x", {"a": b"x" * MIB, "b": b"x"}))[0]

    def test_annotations(self) -> None:
        assert (
            "may not be more than 262144 bytes"
            in problems(ConfigMap("x", annotations={"a": "x" * 256 * 1024}))[0]
        )


class TestRules:
    def test_a_key_in_both(self) -> None:
        found = problems(ConfigMap("x", {"a": ""}, {"a": b""}))
        assert found == ["data[a]: duplicate of key present in binaryData"]

    def test_every_problem_at_once(self) -> None:
        wrong: Any = {"a b": 1}
        fields: Any = {"labels": 3, "annotations": {"a": 4}, "immutable": "x"}
        found = ConfigMap("X", wrong, {"c": "d"}, "N", **fields)  # type: ignore[dict-item]
        paths = [problem.path for problem in validation_objects.problems(found)]
        assert paths == [
            "metadata.name",
            "metadata.namespace",
            "metadata.labels",
            "metadata.annotations[a]",
            "data[a b]",
            "data[a b]",
            "binaryData[c]",
            "immutable",
        ]

    @pytest.mark.parametrize("found", [None, 3, "ConfigMap", ConfigMap])
    def test_what_is_no_object(self, found: object) -> None:
        assert "one of ConfigMap, Secret, PersistentVolumeClaim is expected" in problems(found)[0]

    @pytest.mark.parametrize("wrong", [None, 3, [1], "text", {"a": 3}, {"a": "\ud800"}, {3: "x"}])
    def test_what_is_no_data(self, wrong: Any) -> None:
        assert problems(ConfigMap("x", wrong)) != []
        assert problems(Secret("x", wrong)) != []
        assert wrong is None or problems(Secret("x", string_data=wrong)) != []
        assert problems(ConfigMap("x", binary_data=wrong)) != []

    def test_text_as_data_of_a_secret_says_where_it_belongs(self) -> None:
        found: Any = Secret("x", {"a": HIDDEN})  # type: ignore[dict-item]
        (shown,) = problems(found)
        assert "string_data" in shown
        assert HIDDEN not in shown

    @pytest.mark.parametrize(
        ("type", "good", "bad"),
        [
            (objects.TLS, {"tls.crt": b"", "tls.key": b""}, {"tls.crt": b""}),
            (objects.BASIC_AUTH, {"password": b""}, {"user": b""}),
            (objects.SSH_AUTH, {"ssh-privatekey": b"x"}, {"ssh-privatekey": b""}),
            (
                objects.DOCKER_CONFIG_JSON,
                {".dockerconfigjson": b'{"auths":{}}'},
                {".dockerconfigjson": b"[]"},
            ),
            (objects.DOCKER_CONFIG_JSON, {".dockerconfigjson": b"{}"}, {".dockerconfigjson": b"{hunter2"}),
            (objects.DOCKER_CFG, {".dockercfg": b"{}"}, {".dockerconfigjson": b"{}"}),
            ("example.com/own", {}, {"a b": b""}),
            ("", {"a": b""}, {"": b""}),
        ],
    )
    def test_types_of_secrets(self, type: str, good: dict[str, bytes], bad: dict[str, bytes]) -> None:  # noqa: A002
        assert problems(Secret("x", good, type=type)) == []
        (shown,) = problems(Secret("x", bad, type=type))
        assert "hunter2" not in shown

    def test_a_service_account_token_names_its_account(self) -> None:
        name = "kubernetes.io/service-account.name"
        assert problems(Secret("x", type=objects.SERVICE_ACCOUNT_TOKEN, annotations={name: "a"})) == []
        assert name in problems(Secret("x", type=objects.SERVICE_ACCOUNT_TOKEN))[0]

    @pytest.mark.parametrize(
        ("fields", "path"),
        [
            ({"storage": 0}, "spec.resources.requests[storage]"),
            ({"storage": "lots"}, "spec.resources.requests[storage]"),
            ({"access_modes": ()}, "spec.accessModes"),
            ({"access_modes": "ReadWriteOnce"}, "spec.accessModes"),
            ({"access_modes": ["RWO"]}, "spec.accessModes[0]"),
            ({"access_modes": ["ReadWriteOncePod", "ReadWriteMany"]}, "spec.accessModes"),
            ({"volume_mode": "File"}, "spec.volumeMode"),
            ({"storage_class_name": "A"}, "spec.storageClassName"),
            ({"volume_name": "A"}, "spec.volumeName"),
            ({"selector": 3}, "spec.selector"),
        ],
    )
    def test_claims(self, fields: dict[str, Any], path: str) -> None:
        assert [p.path for p in validation_objects.problems(PersistentVolumeClaim("x", **fields))] == [path]


class TestChanges:
    def changed(self, old: Object, new: Object) -> list[str]:
        return [problem.path for problem in validation_objects.changes_refused(old, new)]

    def test_an_immutable_one_keeps_its_data(self) -> None:
        old = ConfigMap("x", {"a": "1"}, {"b": b""}, immutable=True)
        assert self.changed(old, dataclasses.replace(old, labels={"l": "1"})) == []
        assert self.changed(old, dataclasses.replace(old, data={"a": "2"})) == ["data"]
        assert self.changed(old, dataclasses.replace(old, binary_data={})) == ["binaryData"]
        assert self.changed(old, dataclasses.replace(old, immutable=False)) == ["immutable"]
        with pytest.raises(SpecError, match="field is immutable when `immutable` is set"):
            validation_objects.refuse_changes(old, ConfigMap("x"))

    def test_one_that_is_not_does_not(self) -> None:
        assert self.changed(ConfigMap("x", {"a": "1"}), ConfigMap("x", immutable=True)) == []

    def test_the_type_of_a_secret_stays(self) -> None:
        assert self.changed(Secret("x"), Secret("x", type="other")) == ["type"]
        assert self.changed(Secret("x", immutable=True), Secret("x", {"a": b""}, immutable=True)) == ["data"]

    def test_a_claim_may_grow(self) -> None:
        old = PersistentVolumeClaim("x", "2Gi")
        assert self.changed(old, PersistentVolumeClaim("x", "3Gi", labels={"a": "b"})) == []
        assert self.changed(old, PersistentVolumeClaim("x", "1Gi")) == ["spec.resources.requests[storage]"]
        assert self.changed(old, PersistentVolumeClaim("x", "2Gi", ["ReadWriteMany"])) == ["spec"]


# --- documents -------------------------------------------------------------------------------------------------------

keys = st.from_regex(r"[a-zA-Z0-9][-._a-zA-Z0-9]{0,20}", fullmatch=True)
names = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,10}[a-z0-9])?(\.[a-z0-9]{1,5})?", fullmatch=True)
labels = st.dictionaries(keys.filter(lambda key: key[-1].isalnum()), st.just("v"), max_size=2)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=50)
metadata = st.fixed_dictionaries(
    {
        "name": names,
        "namespace": st.sampled_from(["default", "other"]),
        "labels": labels,
        "annotations": st.dictionaries(
            st.just("a.b/c"), texts.filter(lambda text: "\0" not in text), max_size=1
        ),
    }
)
every = st.one_of(
    st.builds(
        lambda meta, data, immutable: ConfigMap(
            data={key: value for key, value in data.items() if isinstance(value, str)},
            binary_data={key: value for key, value in data.items() if isinstance(value, bytes)},
            immutable=immutable,
            **meta,
        ),
        metadata,
        st.dictionaries(keys, st.one_of(texts, st.binary(max_size=50)), max_size=4),
        st.booleans(),
    ),
    st.builds(
        lambda meta, data, immutable: Secret(data=data, immutable=immutable, **meta),
        metadata,
        st.dictionaries(keys, st.binary(max_size=50), max_size=4),
        st.booleans(),
    ),
    st.builds(
        lambda meta, **spec: PersistentVolumeClaim(**meta, **spec),
        metadata,
        storage=st.integers(1, 2**63 - 1),
        access_modes=st.lists(st.sampled_from(objects.ACCESS_MODES[:3]), min_size=1, max_size=3),
        storage_class_name=st.sampled_from([None, "", "fast"]),
        volume_mode=st.sampled_from(objects.VOLUME_MODES),
        volume_name=st.sampled_from(["", "pv-1"]),
        selector=st.sampled_from([None, {}, {"matchLabels": {"a": "b"}}]),
        storage_limit=st.one_of(st.none(), st.integers(1, 2**63 - 1)),
        volume_attributes_class_name=st.sampled_from([None, "gold"]),
    ),
)


class TestDocuments:
    @given(every)
    def test_each_comes_back(self, found: Object) -> None:
        assert validation_objects.problems(found) == []
        assert read(json.loads(json.dumps(object_documents.to_document(found)))) == found
        assert object_records.decode(object_records.encode(found), "") == found

    def test_a_config_map(self) -> None:
        found = read(
            document("ConfigMap", data={"a": "1", "n": None}, binaryData={"b": "AA=="}, immutable=True)
        )
        assert found == ConfigMap("x", {"a": "1", "n": ""}, {"b": b"\0"}, immutable=True)

    def test_a_secret(self) -> None:
        found = read(document("Secret", data={"a": CODED[:9] + "\n" + CODED[9:]}, stringData={"b": "2"}))
        assert found == Secret("x", {"a": HIDDEN.encode(), "b": b"2"})

    def test_a_claim(self) -> None:
        spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
        assert read(document("PersistentVolumeClaim", spec=spec, status={"phase": "Bound"})) == (
            PersistentVolumeClaim("x", "1Gi")
        )

    def test_what_an_api_server_wrote_says_nothing(self) -> None:
        servers: dict[str, Any] = dict.fromkeys(
            ("creationTimestamp", "deletionTimestamp"), "2026-01-01T00:00:00Z"
        )
        servers |= dict.fromkeys(("resourceVersion", "selfLink", "uid"), "x")
        servers |= {
            "generation": 1,
            "deletionGracePeriodSeconds": 0,
            "managedFields": [{"a": "b"}],
            "finalizers": ["x"],
        }
        owner = {"apiVersion": "v1", "kind": "Pod", "name": "a", "uid": "b"}
        metadata = {"name": "x", "ownerReferences": [owner], **servers}
        assert read({**document("ConfigMap"), "metadata": metadata}) == ConfigMap("x")
        reader = Reader()
        object_documents.read_fields(reader, {**document("ConfigMap"), "metadata": metadata}, "ConfigMap")
        assert sorted(each.path.removeprefix("metadata.") for each in reader.warnings) == sorted(
            {*metadata} - {"name"}
        )

    @pytest.mark.parametrize("value", [5, True, 1.5, [HIDDEN], {"a": HIDDEN}, HIDDEN + "%"])
    def test_no_error_of_a_secret_shows_a_value(self, value: object) -> None:
        for fields in ({"data": {"a": value}}, {"stringData": {"a": value}}):
            if value == HIDDEN + "%" and "stringData" in fields:
                continue
            shown = refused(document("Secret", **fields))
            assert "[a]: " in shown
            assert HIDDEN not in shown

    def test_nor_does_what_led_to_it(self) -> None:
        """Not the decoder's error either, which has the whole text in it."""
        for text in (f'{{"data": "{HIDDEN}', json.dumps(document("Secret", data={"a": HIDDEN + "%"}))):
            with pytest.raises(ManifestError) as caught:
                object_records.decode(text, "x")
            assert (caught.value.__context__, caught.value.__cause__) == (None, None)
            assert HIDDEN not in "".join(traceback.format_exception(caught.value))

    @pytest.mark.parametrize(
        ("value", "words"),
        [
            ([], "a mapping of fields is expected"),
            ({}, "kind: is required"),
            ({"kind": "Configmap", "apiVersion": "v1"}, "did you mean 'ConfigMap'?"),
            ({**document("ConfigMap"), "apiVersion": "v2"}, "apiVersion: 'v2' is not supported"),
            (document("ConfigMap", dat={}), "dat: unknown field, did you mean 'data'?"),
            (document("ConfigMap", data={"a": 1}), "data[a]: a string is expected, not the number 1"),
            (document("ConfigMap", data=[]), "data: a mapping is expected"),
            (document("ConfigMap", binaryData={"a": "x"}), "binaryData[a]: is not valid base64"),
            (document("ConfigMap", data={"a b": "x"}), "data[a b]: the key 'a b' is not valid"),
            (document("ConfigMap", immutable="yes"), "immutable: true or false is expected"),
            (
                {**document("ConfigMap"), "metadata": {"generateName": "x-"}},
                "metadata.generateName: is refused",
            ),
            ({**document("ConfigMap"), "metadata": {}}, "metadata.name: is required"),
            (document("Secret", type=objects.TLS), "data[tls.crt]: is required"),
            (document("PersistentVolumeClaim"), "spec.resources.requests[storage]: is required"),
            (
                document("PersistentVolumeClaim", spec={"dataSource": {"name": "a"}}),
                "spec.dataSource: is refused",
            ),
        ],
    )
    def test_what_is_refused(self, value: object, words: str) -> None:
        assert words in refused(value)


def test_keys_print() -> None:
    assert str(objects.key_of(Secret("db", namespace="shop"))) == "Secret 'shop/db'"
    assert objects.key_of(ConfigMap("a")) == ObjectKey("ConfigMap", "default", "a")
