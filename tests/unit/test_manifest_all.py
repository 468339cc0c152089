"""All that a text describes: several documents, Lists, objects beside pods, kinds that pypod does not run."""

from __future__ import annotations

import json
import time
import traceback
from typing import Any

import pytest

from pypod.errors import InvalidNameError, ManifestError, SpecError
from pypod.model.manifest import manifest
from pypod.model.manifest.manifest import load_all, read
from pypod.model.schema import other_kinds
from pypod.model.schema.levels import Level
from pypod.model.spec.objects import ConfigMap, PersistentVolumeClaim, Secret
from pypod.model.spec.pod import Container, PodSpec
from pypod.model.text.documents import read as read_text
from pypod.model.text.strictness import Strictness

HIDDEN = "correct-horse-battery"
POD = """\
apiVersion: v1
kind: Pod
metadata:
  name: web
spec:
  shareProcessNamespace: true
  containers:
  - name: c
    image: nginx:1
"""
SETTINGS = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {greeting: hello}
"""
LOGIN = f"""\
apiVersion: v1
kind: Secret
metadata: {{name: login}}
stringData: {{password: {HIDDEN}}}
"""
CLAIM = """\
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: files}
spec:
  accessModes: [ReadWriteOnce]
  resources: {requests: {storage: 1Gi}}
"""
WEB = PodSpec("web", (Container("c", "nginx:1"),))
FOUND: list[manifest.Described] = [
    ConfigMap("settings", {"greeting": "hello"}),
    Secret("login", string_data={"password": HIDDEN}),
    PersistentVolumeClaim("files", "1Gi"),
]


def names(items: Any) -> list[str]:
    return [manifest.key_of(each).name for each in items]


def told(text: str, **options: Any) -> list[str]:
    with pytest.raises(SpecError) as caught:
        load_all(text, "x.yaml", **options)
    return [each.of("x.yaml") for each in caught.value.problems]


def warned(text: str, **options: Any) -> list[str]:
    return [each.of("x.yaml") for each in read(text, "x.yaml", **options).warnings]


def pod(name: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {"containers": [{"name": "c", "image": "a:1"}]},
    }


# --- what is read ----------------------------------------------------------------------------------------------------


def test_every_document_is_read_in_order() -> None:
    found = load_all("---\n".join((SETTINGS, LOGIN, CLAIM, POD)))
    assert found[:3] == FOUND
    assert isinstance(found[3], PodSpec)
    assert found[3].containers[0].image == "nginx:1"


def test_what_was_written_is_read_again() -> None:
    assert load_all(manifest.dump_all([*FOUND, WEB])) == [*FOUND, WEB]


@pytest.mark.parametrize("indent", [None, 2, "\t"])
def test_json_documents_one_after_another(indent: Any) -> None:
    text = "\n".join(json.dumps(manifest.to_document(each), indent=indent) for each in (*FOUND, WEB))
    assert load_all(text) == [*FOUND, WEB]
    assert load_all(text.encode("utf-16")) == [*FOUND, WEB]


def test_the_items_of_lists_in_their_order() -> None:
    inner = {"kind": "List", "apiVersion": "v1", "items": [pod("b"), {"kind": "PodList", "apiVersion": "v1", "items": [pod("c")]}]}  # fmt: skip
    outer = {"kind": "List", "apiVersion": "v1", "metadata": {"resourceVersion": ""}, "items": [pod("a"), inner, pod("d")]}  # fmt: skip
    assert names(load_all(json.dumps(outer) + json.dumps(pod("e")))) == ["a", "b", "c", "d", "e"]


@pytest.mark.parametrize("kind", ["ConfigMap", "Secret"])
def test_in_a_list_of_one_kind_the_items_need_not_say_it(kind: str) -> None:
    value = {"kind": f"{kind}List", "apiVersion": "v1", "items": [{"metadata": {"name": "a"}}, {"metadata": {"name": "b"}, "kind": kind}]}  # fmt: skip
    found = load_all(json.dumps(value))
    assert [type(each).__name__ for each in found] == [kind, kind]


@pytest.mark.parametrize("items", ["[]", "null", "~"])
def test_an_empty_list_is_nothing(items: str) -> None:
    assert load_all(f"kind: List\napiVersion: v1\nitems: {items}") == []


# --- what is wrong ---------------------------------------------------------------------------------------------------


def test_all_problems_of_all_documents_are_told_in_order() -> None:
    text = "---\n".join(
        (
            SETTINGS.replace("hello", "5").replace("settings", "Settings"),
            POD.replace("image: nginx:1", "imgae: nginx:1"),
            CLAIM.replace("ReadWriteOnce", "Often"),
            "kind: Podd\napiVersion: v1\n",
        )
    )
    assert told(text) == [
        (
            "x.yaml:3:18: metadata.name: 'Settings' is not valid: a lowercase RFC 1123 subdomain must consist of lower case"
            " alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com')"
        ),
        "x.yaml:4:18: data[greeting]: a string is expected, not the number 5 (in quotes it is one)",
        "x.yaml:13:5: spec.containers[0].image: is required",
        "x.yaml:14:5: spec.containers[0].imgae: unknown field, did you mean 'image'?",
        (
            "x.yaml:20:17: spec.accessModes[0]: 'Often' is not supported; one of 'ReadWriteOnce', 'ReadOnlyMany',"
            " 'ReadWriteMany', 'ReadWriteOncePod' is expected"
        ),
        (
            "x.yaml:23:7: kind: 'Podd' is not supported, did you mean 'Pod'?; one of 'Pod', 'ConfigMap', 'Secret',"
            " 'PersistentVolumeClaim' is expected"
        ),
    ]


def test_a_document_that_cannot_be_read_hides_no_other() -> None:
    found = told(f"a: [\n---\n{POD.replace('name: web', 'name: Web')}---\nkind: 5\n")
    assert [each.split(": ")[1] for each in found] == ["document", "metadata.name", "apiVersion", "kind"]


def test_the_path_of_an_item() -> None:
    value = {"kind": "List", "apiVersion": "v1", "items": [pod("a"), 5, {**pod("B"), "spec": {"containers": [{"image": 5}]}}]}  # fmt: skip
    found = [each.split(": ", 1)[1] for each in told(json.dumps(value, indent=1))]
    assert [each.split(": ")[0] for each in found] == [
        "items[1]",
        "items[2].metadata.name",
        "items[2].spec.containers[0].name",
        "items[2].spec.containers[0].image",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("kind: List\nitems: []", "x.yaml:1:1: apiVersion: 'v1' is expected, it is missing"),
        ("kind: List\napiVersion: v2\nitems: []", "x.yaml:2:13: apiVersion: 'v1' is expected, not 'v2'"),
        ("kind: List\napiVersion: v1\nitem: []", "x.yaml:3:1: item: unknown field, did you mean 'items'?"),
        ("kind: List\napiVersion: v1\nitems: {}", "x.yaml:3:8: items: a list is expected, not a mapping"),
        ("kind: PodList\napiVersion: v1\nitems: [{kind: Secret, apiVersion: v1}]", "x.yaml:3:16: items[0].kind: 'Secret' is not supported; 'Pod' is expected"),
        ("kind: Pod\nmetadata: {name: a}", "x.yaml:1:1: apiVersion: is required"),
        ("kind: Secret\napiVersion: v2", "x.yaml:2:13: apiVersion: a string is not supported; a Secret is of 'v1'"),
        ("kind: Service\napiVersion: serving.knative.dev/v1", "x.yaml:1:7: kind: 'Service' of 'serving.knative.dev/v1' is not supported; one of"),
        ("", "document: is empty: a Pod is expected"),
    ],
)  # fmt: skip
def test_one_problem(text: str, message: str) -> None:
    (found,) = told(text) if "Secret\n" not in text else told(text)[:1]
    assert found.startswith(message.replace("a string is not", "'v2' is not"))


def test_one_thing_described_twice() -> None:
    assert told("---\n".join((SETTINGS, POD, SETTINGS))) == [
        "x.yaml:18:18: metadata.name: ConfigMap 'default/settings' is described twice, first on line 1"
    ]
    other = SETTINGS.replace("name: settings", "name: settings, namespace: other")
    assert len(load_all("---\n".join((SETTINGS, other)))) == 2


def test_an_error_has_the_class_that_all_problems_have() -> None:
    bad = SETTINGS.replace("settings", "Settings")
    with pytest.raises(InvalidNameError):
        load_all("---\n".join((bad, POD.replace("name: web", "name: Web"))))
    with pytest.raises(ManifestError):
        load_all("---\n".join((bad, POD.replace("name: web", "name: 5"))))


def test_no_more_is_looked_for_when_enough_is_found() -> None:
    text = json.dumps(
        {"kind": "List", "apiVersion": "v1", "items": [{"kind": "Pod", "apiVersion": "v1"}] * 3000}
    )
    started = time.process_time()
    assert len(told(text)) == 100
    assert time.process_time() - started < 5


# --- Secrets ---------------------------------------------------------------------------------------------------------


SECRETS = [
    LOGIN.replace("stringData: {password: ", "stringData: [").replace("}", "]", 2).replace("{name: login]", "{name: login}"),
    LOGIN.replace("stringData", "data"),
    LOGIN.replace("stringData: {password: ", "stringDate: {password: "),
    LOGIN.replace("stringData: {password: ", "data: ").replace("battery}", "battery"),
    LOGIN.replace("stringData: {password: ", "immutable: ").replace("battery}", "battery"),
    LOGIN.replace("stringData: {password: ", "spec: ").replace("battery}", "battery"),
    LOGIN.replace("{name: login}", "{name: login, annotations: {a: [" + HIDDEN + "]}}"),
    LOGIN.replace("{password: ", "{password: !"),
    LOGIN + "type: [\n",
    json.dumps({"kind": "SecretList", "apiVersion": "v1", "items": [{"metadata": {"name": "A"}, "data": {"a": HIDDEN}}]}),
    json.dumps({"kind": "List", "apiVersion": "v1", "items": [{"kind": "List", "apiVersion": "v1", "items": [
        {"kind": "Secret", "apiVersion": "v1", "metadata": {"name": "A"}, "data": {"a": HIDDEN}}]}]}),
    json.dumps(pod("A")) + json.dumps({"kind": "Secret", "apiVersion": "v1", "metadata": {"name": "b"}, "stringData": {"a": HIDDEN}}),
]  # fmt: skip


@pytest.mark.parametrize("text", SECRETS, ids=range(len(SECRETS)))
@pytest.mark.parametrize("before", ["", POD.replace("web", "Web") + "---\n"], ids=["alone", "beside a pod"])
@pytest.mark.parametrize("strictness", Strictness)
def test_what_a_secret_holds_is_in_no_message(text: str, before: str, strictness: Strictness) -> None:
    assert HIDDEN in text
    try:
        said = str(read(before + text, "x.yaml", strictness).warnings)
    except SpecError as error:
        said = "".join(traceback.format_exception(error)) + repr(error.problems)
    assert HIDDEN not in said
    assert HIDDEN[:20] not in said


def test_a_pod_beside_a_secret_shows_its_own_lines() -> None:
    with pytest.raises(SpecError) as caught:
        load_all(f"{LOGIN}---\n{POD.replace('name: web', 'name: Web')}")
    assert "name: Web\n" in str(caught.value)


# --- other kinds -----------------------------------------------------------------------------------------------------


def document(kind: str, version: str) -> str:
    return f"apiVersion: {version}\nkind: {kind}\nmetadata: {{name: a}}\nspec: {{anything: [1]}}\n"


@pytest.mark.parametrize(
    ("kind", "version", "hint"),
    [
        ("Deployment", "apps/v1", "write its pod template, spec.template, as a Pod"),
        ("Deployment", "v1", "write its pod template, spec.template, as a Pod"),
        ("Job", "batch/v1", "restartPolicy Never or OnFailure makes it one that ends"),
        ("CronJob", "batch/v1beta1", "spec.jobTemplate.spec.template"),
        ("Service", "v1", "POD or POD.NAMESPACE"),
        ("Ingress", "networking.k8s.io/v1", "publish a port with hostPort"),
        ("NetworkPolicy", "networking.k8s.io/v1", "io.pypod/network"),
        ("PersistentVolume", "v1", "use a hostPath volume"),
        ("LimitRange", "v1", "their containers' resources"),
    ],
)
def test_what_would_be_missed_is_refused_with_a_hint(kind: str, version: str, hint: str) -> None:
    (found,) = told(document(kind, version))
    assert found.startswith(f"x.yaml:2:7: kind: '{kind}' is refused: ")
    assert hint in found
    for strictness in (Strictness.WARN, Strictness.IGNORE):  # it is never passed over in silence
        text = document(kind, version) + "---\n" + POD
        assert names(read(text, "x.yaml", strictness).items) == ["web"]
        assert warned(text, strictness=strictness) == [f"{found}; it is passed over"]


@pytest.mark.parametrize(
    ("kind", "version"),
    [
        ("Namespace", "v1"),
        ("ServiceAccount", "v1"),
        ("ClusterRoleBinding", "rbac.authorization.k8s.io/v1"),
        ("StorageClass", "storage.k8s.io/v1"),
        ("PriorityClass", "scheduling.k8s.io/v1"),
        ("PodDisruptionBudget", "policy/v1"),
    ],
)
def test_what_would_not_be_missed_is_told_of_and_passed_over(kind: str, version: str) -> None:
    text = POD + "---\n" + document(kind, version)
    for strictness in Strictness:
        assert names(read(text, "x.yaml", strictness).items) == ["web"]
        (found,) = warned(text, strictness=strictness)
        assert found.startswith(f"x.yaml:12:7: kind: '{kind}' has no effect on one engine: ")
    assert load_all(document(kind, version)) == []


def test_an_unknown_kind_is_an_error_a_warning_or_nothing() -> None:
    text = "kind: Widget\napiVersion: example.com/v1\n---\n" + POD
    assert told(text) == [
        (
            "x.yaml:1:7: kind: 'Widget' of 'example.com/v1' is not supported; one of 'Pod', 'ConfigMap', 'Secret',"
            " 'PersistentVolumeClaim' is expected"
        )
    ]
    assert [each.endswith("; it is passed over") for each in warned(text, strictness=Strictness.WARN)] == [
        True
    ]
    assert warned(text, strictness=Strictness.IGNORE) == []
    assert names(read(text, "x.yaml", Strictness.IGNORE).items) == ["web"]


def test_each_kind_has_a_reason() -> None:
    assert len(other_kinds.OTHERS) > 50
    for key, other in other_kinds.OTHERS.items():
        assert other.level in (Level.NO_EFFECT, Level.REFUSED), key
        assert len(other.reason) > 15, key
        assert not other.reason.endswith("."), key


# --- warnings --------------------------------------------------------------------------------------------------------


def test_warnings_of_the_text_and_of_the_schema_come_together() -> None:
    text = (
        POD.replace("spec:\n", "  creationTimestamp: '2026'\nspec:\n  priority: 5\n  priority: 6\n")
        + "  colour: red\n"
    )
    assert warned(text, strictness=Strictness.WARN) == [
        (
            "x.yaml:5:22: metadata.creationTimestamp: has no effect on one engine: the API server sets it, and overwrites"
            " what a manifest says"
        ),
        "x.yaml:8:3: spec.priority: the field is there twice, first on line 7; the last one holds",
        "x.yaml:8:13: spec.priority: has no effect on one engine: nobody waits for a place on the engine",
        "x.yaml:13:3: spec.colour: unknown field",
    ]
    assert [each.split(": ")[0] for each in warned(text, strictness=Strictness.IGNORE)] == [
        "x.yaml:5:22",
        "x.yaml:8:13",
    ]
    assert len(told(text)) == 2


def test_what_a_claim_says_of_its_storage_is_told_of() -> None:
    text = CLAIM + "  storageClassName: fast\n  volumeName: v\n  selector: {matchLabels: {a: b}}\n"
    assert [each.split(": ")[1] for each in warned(text)] == [
        "spec.storageClassName",
        "spec.volumeName",
        "spec.selector",
    ]
    assert warned(CLAIM + "  storageClassName: ''\n") == []


def test_nothing_on_the_way_prints_a_secret() -> None:
    loaded = read(LOGIN)
    assert HIDDEN not in repr(loaded) + str(loaded) + repr(read_text(LOGIN))
