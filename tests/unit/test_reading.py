"""The reader: what is refused, told of or passed over; where it stands; and what is kept."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import Any

import pytest

from pypod.errors import Problem
from pypod.model.document import codec
from pypod.model.document.pods import Reading, from_document, read_document, to_document
from pypod.model.schema.declaring import k8s
from pypod.model.schema.levels import Level, objection
from pypod.model.schema.paths import Path
from pypod.model.schema.reading import Reader
from pypod.model.schema.structs import Struct
from pypod.model.spec.pod import (
    Container,
    DNSPolicy,
    PodSecurityContext,
    PodSpec,
    ResourceFieldRef,
    SupplementalGroupsPolicy,
    Volume,
)
from pypod.model.text.documents import read as read_text
from pypod.model.text.strictness import Strictness

MINIMAL: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "shop"},
    "spec": {"containers": [{"name": "web", "image": "nginx"}]},
}


def document(metadata: Any = None, container: Any = None, **spec: Any) -> dict[str, Any]:
    found = copy.deepcopy(MINIMAL)
    found["metadata"] |= metadata or {}
    found["spec"]["containers"][0] |= container or {}
    found["spec"] |= spec
    return found


def said(problems: tuple[Problem, ...]) -> list[str]:
    return [str(problem) for problem in problems]


def read(value: Any, **options: Any) -> Reading:
    return read_document(value, **options)


# --- how strict ---------------------------------------------------------------------------------------------------------


UNKNOWN = document(container={"imagePullpolicy": "Never"}, tolerations=[{"kee": "a"}], containrs=[])
TOLD = [
    "spec.containers[0].imagePullpolicy: unknown field, did you mean 'imagePullPolicy'?",
    "spec.containrs: unknown field, did you mean 'containers'?",
    "spec.tolerations[0].kee: unknown field, did you mean 'key'?",
]


def test_unknown_fields_are_errors_warnings_or_nothing() -> None:
    assert sorted(said(read(UNKNOWN).problems)) == TOLD
    warned = read(UNKNOWN, strictness=Strictness.WARN)
    assert warned.problems == ()
    assert [each for each in sorted(said(warned.warnings)) if "no effect" not in each] == TOLD
    ignored = read(UNKNOWN, strictness=Strictness.IGNORE)
    assert (ignored.problems, said(ignored.warnings)[1:]) == ((), [])
    assert ignored.spec is not None
    assert ignored.spec.containers == from_document(MINIMAL).containers


@pytest.mark.parametrize("strictness", Strictness)
def test_wrong_values_are_errors_however_strict(strictness: Strictness) -> None:
    found = read(document(hostname=5), strictness=strictness)
    assert said(found.problems) == [
        "spec.hostname: a string is expected, not the number 5 (in quotes it is one)"
    ]


# --- values -------------------------------------------------------------------------------------------------------------


TYPES: list[tuple[dict[str, Any], str]] = [
    (document(priority=2**31), "spec.priority: must be between -2147483648 and 2147483647, not the number 2147483648"),
    (document(priority=1.0), "spec.priority: a whole number is expected, not the number 1.0"),
    (document(activeDeadlineSeconds=2**63), "spec.activeDeadlineSeconds: must be between -9223372036854775808 and"),
    (document(nodeSelector={"disk": True}), "spec.nodeSelector[disk]: a string is expected, not the boolean true (in quotes it is one)"),
    (document({"annotations": {"a": 1}}), "metadata.annotations[a]: a string is expected, not a number (in quotes it is one)"),
    (document(overhead={"cpu": "x"}), "spec.overhead[cpu]: 'x' is no quantity"),
    (document(tolerations=[{"operator": "exists"}]), "spec.tolerations[0].operator: 'exists' is not supported; one of 'Exists', 'Equal', 'Lt', 'Gt' is expected, did you mean 'Exists'?"),
    (document(affinity={"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {}}}), "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms: is required"),
    (document(topologySpreadConstraints=[5]), "spec.topologySpreadConstraints[0]: a mapping of fields is expected, not the number 5"),
    (document(os={"name": "windows"}), "spec.os: 'windows' is refused: the containers are Linux ones"),
    (document(hostUsers=False), "spec.hostUsers: is refused: an engine has user namespaces for all"),
    (document(volumes=[{"name": "v", "csi": {"driver": "x"}}]), "spec.volumes[0].csi: is refused: an engine has no driver for it; mount it on the engine's host and use hostPath"),
    (document(container={"volumeDevices": [{"name": "a", "devicePath": "/dev/x"}]}), "spec.containers[0].volumeDevices: is refused: an engine's volumes are directories"),
]  # fmt: skip


@pytest.mark.parametrize(("value", "message"), TYPES, ids=range(len(TYPES)))
def test_refused(value: Any, message: str) -> None:
    (found,) = said(read(value).problems)
    assert found.startswith(message) if "\n" not in message else found == message


@pytest.mark.parametrize("mode", ["0644", -1, 0o1000, True, 6.44])
def test_file_modes_are_numbers(mode: Any) -> None:
    volume = {"name": "v", "configMap": {"name": "a", "defaultMode": mode}}
    (found,) = said(read(document(volumes=[volume]), admit_planned=True).problems)
    assert found.startswith(
        "spec.volumes[0].configMap.defaultMode: a file mode between 0 and 0777 (in JSON 0 and 511)"
    )


def test_an_octal_mode_is_its_decimal_number() -> None:
    volume = {"name": "v", "secret": {"secretName": "a", "defaultMode": 0o400}}
    found = read(document(volumes=[volume]), admit_planned=True)
    assert found.spec is not None
    assert found.spec.volumes == (Volume.secret("v", "a", default_mode=256),)
    assert to_document(found.spec)["spec"]["volumes"] == [volume]


@pytest.mark.parametrize(("divisor", "kept"), [(1, "1"), ("1Mi", "1Mi"), (None, "1")])
def test_divisors_are_kept_as_they_are_written(divisor: Any, kept: str) -> None:
    source = {"resourceFieldRef": {"resource": "limits.memory", "divisor": divisor}}
    found = read(document(container={"env": [{"name": "A", "valueFrom": source}]}), admit_planned=True)
    assert found.spec is not None
    assert found.spec.containers[0].env[0].value_from == ResourceFieldRef("limits.memory", divisor=kept)


# --- levels -------------------------------------------------------------------------------------------------------------


AS_ABSENT: dict[str, Any] = {
    "hostNetwork": False,
    "dnsPolicy": "ClusterFirst",
    "imagePullSecrets": [],
    "securityContext": {},
    "affinity": {},
    "schedulerName": "default-scheduler",
    "serviceAccountName": "default",
    "enableServiceLinks": True,
    "hostUsers": True,
    "os": {"name": "linux"},
    "priority": 0,
    "ephemeralContainers": [],
    "dnsConfig": {"options": []},
}


def test_what_says_nothing_is_neither_refused_nor_told_of() -> None:
    quiet = {"stdin": False, "envFrom": [], "securityContext": {"privileged": False}, "lifecycle": {}}
    found = read(document({"creationTimestamp": None, "managedFields": []}, quiet, **AS_ABSENT))
    assert (found.problems, found.warnings) == ((), ())


@dataclass(frozen=True)
class Half:
    """No field of a Pod is at this level any more; the next new one will be."""

    here: str = ""
    later: PodSecurityContext = field(default=PodSecurityContext(), metadata=k8s(level=Level.PLANNED))


def test_what_is_not_there_yet_is_refused_as_a_whole() -> None:
    value = {"here": "a", "later": {"fsGroup": "x", "unknown": 5}}
    reader, half = Reader(), Struct(Half)
    half.read(reader, Path(), value)
    assert said(tuple(reader.problems)) == ["later: is not supported yet"]
    assert not list(half.standings("", Half("a")))
    asked = Half(
        "a", PodSecurityContext(fs_group=0, supplemental_groups_policy=SupplementalGroupsPolicy.STRICT)
    )
    [(path, level, reason)] = half.standings("", asked)
    assert (path, objection(level, reason)) == ("later", "is not supported yet")


NO_EFFECT: dict[str, Any] = {
    "affinity": {
        "podAntiAffinity": {
            "preferredDuringSchedulingIgnoredDuringExecution": [
                {
                    "weight": 1,
                    "podAffinityTerm": {
                        "topologyKey": "zone",
                        "labelSelector": {"matchLabels": {"app": "a"}},
                    },
                }
            ]
        }
    },
    "tolerations": [{"key": "a", "operator": "Exists", "tolerationSeconds": 5}],
    "topologySpreadConstraints": [
        {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway"}
    ],
    "nodeSelector": {"disk": "ssd"},
    "nodeName": "n1",
    "priority": 7,
    "priorityClassName": "high",
    "preemptionPolicy": "Never",
    "serviceAccountName": "builder",
    "schedulerName": "mine",
    "overhead": {"cpu": "250m"},
    "readinessGates": [{"conditionType": "a/b"}],
    "enableServiceLinks": False,
}


def test_what_has_no_effect_is_told_of_kept_and_written_back() -> None:
    given = document(**NO_EFFECT)
    found = read(given)
    assert found.problems == ()
    assert {problem.path for problem in found.warnings} == {f"spec.{name}" for name in NO_EFFECT}
    assert "spec.tolerations: has no effect on one engine: there is one node" in "\n".join(
        said(found.warnings)
    )
    assert found.spec is not None
    written: Any = to_document(found.spec)
    assert {name: written["spec"][name] for name in NO_EFFECT} == NO_EFFECT
    assert codec.load_spec(codec.dump_spec(found.spec)) == found.spec


def test_what_a_server_says_is_told_of_and_left_out() -> None:
    given = document({"uid": "1", "resourceVersion": "5", "annotations": {"a.b/c": "d"}})
    given["status"] = {"phase": "Running"}
    found = read(given)
    assert found.problems == ()
    assert [problem.path for problem in found.warnings] == [
        "status",
        "metadata.uid",
        "metadata.resourceVersion",
    ]
    assert found.spec is not None
    assert found.spec.annotations == {"a.b/c": "d"}
    assert to_document(found.spec)["metadata"] == {
        "name": "shop",
        "namespace": "default",
        "annotations": {"a.b/c": "d"},
    }


# --- where --------------------------------------------------------------------------------------------------------------


PLACED = """\
apiVersion: v1
kind: Pod
metadata:
  name: shop
  labels: {a: x, a.b/c: 1}
spec:
  containers:
  - name: web
    imagePullpolicy: Never
    image: 5
    resources:
      limits: {memory: 1Mi, cpus: 1}
    command:
    - - x
  hostname:
    - a
  nodeSelector: {"a[b].c": true}
  volumes:
  - name: v
    emptyDir: {medium: Ram}
"""


def test_problems_know_their_place() -> None:
    """Of a field that is unknown it is the name's, of a wrong value the value's, of one that is missing what it is missing in."""
    (text,) = read_text(PLACED)
    given = text.value
    found = [(each.path, each.line, each.column) for each in read(given, place=text.root).problems]
    assert sorted(found, key=lambda each: each[1:]) == [
        ("metadata.labels[a.b/c]", 5, 25),
        ("spec.containers[0].imagePullpolicy", 9, 5),
        ("spec.containers[0].image", 10, 12),
        ("spec.containers[0].resources.limits[cpus]", 12, 29),
        ("spec.containers[0].command[0]", 14, 7),
        ("spec.hostname", 15, 3),
        ("spec.nodeSelector[a[b].c]", 17, 28),
        ("spec.volumes[0].emptyDir.medium", 20, 24),
    ]
    assert {each.line for each in read(given).problems} == {0}


def test_what_is_missing_is_missing_in_what_is_around_it() -> None:
    (text,) = read_text(PLACED.replace("name: web", "command: []"))
    assert ("spec.containers[0].name", 8, 5) in [
        (each.path, each.line, each.column) for each in read(text.value, place=text.root).problems
    ]


# --- the label ----------------------------------------------------------------------------------------------------------


def test_the_text_of_a_spec_does_not_change_with_its_making() -> None:
    """A pod that runs is known by the hash of this text."""
    spec = PodSpec("a", (Container("c", "i", env={"A": "1"}),), dns_policy=DNSPolicy.CLUSTER_FIRST)
    assert codec.dump_spec(spec) == (
        '{"apiVersion":"v1","kind":"Pod","metadata":{"annotations":{"io.pypod/no-termination-message":"c"},'
        '"name":"a","namespace":"default"},"spec":{"containers":[{"env":[{"name":"A","value":"1"}],"image":"i",'
        '"name":"c"}],"shareProcessNamespace":true}}'
    )
