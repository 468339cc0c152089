"""Kubernetes documents in and out: what is written is read back, and what would not be done is refused by name."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pypod.errors import ManifestError
from pypod.model import codec
from pypod.model.document import from_document, to_document
from pypod.model.manifest import dump, load
from pypod.model.quantity import parse_quantity
from pypod.model.spec import (
    Container,
    ContainerPort,
    EmptyDir,
    HostPath,
    HostPathType,
    Medium,
    PodSpec,
    PullPolicy,
    RestartPolicy,
    Volume,
    VolumeMount,
)
from pypod.model.validation import problems

MINIMAL: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "shop"},
    "spec": {"containers": [{"name": "web", "image": "nginx"}]},
}


def with_pod(**fields: Any) -> dict[str, Any]:
    document = copy.deepcopy(MINIMAL)
    document["spec"].update(fields)
    return document


def with_container(**fields: Any) -> dict[str, Any]:
    document = copy.deepcopy(MINIMAL)
    document["spec"]["containers"][0].update(fields)
    return document


def container(**fields: Any) -> Container:
    return from_document(with_container(**fields)).containers[0]


def refusals(document: Any) -> list[str]:
    with pytest.raises(ManifestError) as caught:
        from_document(document)
    assert all(problem.error is ManifestError for problem in caught.value.problems)
    return [str(problem) for problem in caught.value.problems]


# --- round trip ------------------------------------------------------------------------------------------------------

labels = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,8}[a-z0-9])?", fullmatch=True)
characters = st.characters(exclude_characters="\0", exclude_categories=["Cs"])
texts = st.text(characters, max_size=12) | st.sampled_from(
    [
        "$(A)",
        "$$",
        "$$(A)",
        "$",
        "$(",
        "$()",
        "yes",
        "y",
        "1e3",
        "0x1",
        "22:22",
        "=",
        "~",
        "",
        "08",
        "\n a\n\n",
        "2001-01-01",
        "a\x85\n",
        "\u2028",
        "\ufeffa",
        "\r\n",
        "\x7f\t",
    ]
)
paths = st.from_regex(r"/[a-z]{1,8}", fullmatch=True)
sizes = st.none() | st.integers(1, 2**63 - 1)
empty_dirs = st.builds(EmptyDir, st.sampled_from(Medium), sizes)
host_paths = st.builds(HostPath, paths, st.sampled_from(HostPathType))


@st.composite
def containers(draw: st.DrawFn, name: str, volumes: list[str], numbers: list[int]) -> Container:
    at = draw(st.lists(paths, unique=True, max_size=2)) if volumes else []
    return Container(
        name,
        draw(st.sampled_from(["nginx", "localhost:5000/a/b:c", "a@sha256:" + "0" * 64])),
        command=draw(st.lists(texts, max_size=3)),
        args=draw(st.lists(texts, max_size=3)),
        env=draw(st.dictionaries(st.from_regex(r"[A-Z_]{1,4}", fullmatch=True), texts, max_size=3)),
        ports=[
            ContainerPort(
                n,
                draw(st.none() | st.just(0) | st.just(n)),
                draw(st.sampled_from(["TCP", "UDP"])),
                f"p{n}"[:15],
            )
            for n in numbers
        ],
        mounts=[VolumeMount(draw(st.sampled_from(volumes)), path, draw(st.booleans())) for path in at],
        working_dir=draw(st.just("") | paths),
        user=draw(st.sampled_from(["", "1000", "1000:1000", "nobody", "a,b=c"])),
        image_pull_policy=draw(st.none() | st.sampled_from(PullPolicy)),
        own_pid=draw(st.booleans()),
    )


@st.composite
def specs(draw: st.DrawFn) -> PodSpec:
    volumes = draw(st.lists(labels, unique=True, max_size=3))
    names = draw(st.lists(labels, unique=True, min_size=1, max_size=3))
    return PodSpec(
        name=draw(labels),
        containers=tuple(
            draw(containers(name, volumes, draw(st.just([]) | st.just([8000 + i]))))
            for i, name in enumerate(names)
        ),
        volumes=tuple(Volume(name, draw(empty_dirs | host_paths)) for name in volumes),
        namespace=draw(labels),
        labels=draw(st.dictionaries(labels, st.sampled_from(["", "y", "1", "a.b"]), max_size=2)),
        restart_policy=draw(st.sampled_from(RestartPolicy)),
        share_process_namespace=draw(st.booleans()),
        hostname=draw(st.just("") | labels),
        termination_grace_period_seconds=draw(
            st.sampled_from([30.0, 0.0, 0.25, 29.5, 5]) | st.floats(0, 1e6)
        ),
        network=draw(st.just("") | labels),
    )


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(specs())
def test_every_valid_spec_comes_back(spec: PodSpec) -> None:
    assert problems(spec) == []
    assert from_document(to_document(spec)) == spec
    assert codec.load_spec(codec.dump_spec(spec)) == spec
    assert load(dump(spec)) == spec
    assert load(json.dumps(to_document(spec), indent="\t")) == spec


def test_equal_specs_have_equal_text() -> None:
    a = PodSpec("a", (Container("c", "i"),), labels={"x": "1", "y": "2"})
    b = PodSpec("a", (Container("c", "i"),), labels={"y": "2", "x": "1"})
    assert codec.dump_spec(a) == codec.dump_spec(b)


def test_process_sharing_is_always_written_and_defaults_to_kubernetes() -> None:
    for shared in (True, False):
        body = to_document(PodSpec("a", (Container("c", "i"),), share_process_namespace=shared))["spec"]
        assert body == {"containers": [{"name": "c", "image": "i"}], "shareProcessNamespace": shared}
    assert from_document(MINIMAL).share_process_namespace is False


def test_what_kubernetes_lacks_is_in_annotations() -> None:
    spec = PodSpec(
        "a", (Container("c", "i", own_pid=True), Container("d", "i", own_pid=True, user="u")), network="n"
    )
    assert to_document(spec)["metadata"] == {
        "name": "a",
        "namespace": "default",
        "annotations": {"io.pypod/own-pid": "c,d", "io.pypod/network": "n", "io.pypod/users": '{"d": "u"}'},
    }


# --- reading ---------------------------------------------------------------------------------------------------------


def test_the_least_pod_has_kubernetes_defaults() -> None:
    expected = PodSpec("shop", (Container("web", "nginx"),), share_process_namespace=False)
    assert from_document(MINIMAL) == expected


def test_null_is_absent_as_in_kubernetes() -> None:
    document = with_container(
        command=None, env=[{"name": "A", "value": None}, {"name": "B"}], ports=None, resources={}
    )
    document["metadata"].update(creationTimestamp=None, labels=None)
    document["status"] = {}
    assert from_document(document).containers[0].env == {"A": "", "B": ""}


def test_unknown_and_unsupported_fields_are_told_apart() -> None:
    document = with_container(livenessProbe={"exec": {}}, imagePullpolicy="Never")
    document["spec"].update(initContainers=[{}], containrs=1)
    document["metadata"]["generateName"] = "x"
    document["sepc"] = {}
    assert sorted(refusals(document)) == [
        "metadata.generateName: is not supported yet",
        "sepc: unknown field, did you mean 'spec'?",
        "spec.containers[0].imagePullpolicy: unknown field, did you mean 'imagePullPolicy'?",
        "spec.containers[0].livenessProbe: is not supported yet",
        "spec.containrs: unknown field, did you mean 'containers'?",
        "spec.initContainers: is not supported yet",
    ]


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (with_container(image=True), "spec.containers[0].image: a string is expected, not the boolean true"),
        (with_container(env=[{"name": "A", "value": 5}]), "spec.containers[0].env[0].value: a string is expected, not the number 5"),
        (with_container(args=["a", 1.5]), "spec.containers[0].args[1]: a string is expected, not the number 1.5"),
        (with_container(args="a"), "spec.containers[0].args: a list is expected, not 'a'"),
        (with_container(args=[None]), "spec.containers[0].args[0]: a string is expected, not null"),
        (with_container(ports=[{"containerPort": "80"}]), "spec.containers[0].ports[0].containerPort: a whole number is expected, not '80'"),
        (with_container(ports=[{"containerPort": True}]), "spec.containers[0].ports[0].containerPort: a whole number is expected"),
        (with_container(ports=[{}]), "spec.containers[0].ports[0].containerPort: is required"),
        (with_container(ports=[80]), "spec.containers[0].ports[0]: a mapping of fields is expected, not the number 80"),
        (with_container(env=[{"name": "A", "valueFrom": {}}]), "spec.containers[0].env[0].valueFrom: is not supported yet"),
        (with_container(volumeMounts=[{"name": "a", "mountPath": "/a", "subPath": "b"}]), "spec.containers[0].volumeMounts[0].subPath: is not"),
        (with_pod(shareProcessNamespace="true"), "spec.shareProcessNamespace: true or false is expected, not 'true'"),
        (with_pod(restartPolicy="never"), "spec.restartPolicy: 'never' is not supported; one of 'Always', 'OnFailure', 'Never'"),
        (with_pod(volumes=[{"name": "a", "configMap": {}}]), "spec.volumes[0].configMap: is not supported yet"),
        (with_pod(volumes=[{"name": "a", "hostPath": {"path": "/a", "type": "Socket"}}]), "spec.volumes[0].hostPath.type: 'Socket' is not supported"),
        (with_pod(volumes=[{"name": "a", "hostPath": {}}]), "spec.volumes[0].hostPath.path: is required"),
        (with_pod(volumes=[{"name": "a", "hostPath": {"path": "/"}, "emptyDir": {}}]), "spec.volumes[0].hostPath: may not be there beside emptyDir"),
        (with_pod(volumes=[{"name": "a", "emptyDir": {"sizeLimit": "1 Mi"}}]), "spec.volumes[0].emptyDir.sizeLimit: '1 Mi' is no quantity"),
        (with_pod(containers=None), "spec.containers: is required"),
        ({**MINIMAL, "kind": "Job"}, "kind: 'Job' is not supported yet; 'Pod' is expected"),
        ({**MINIMAL, "apiVersion": "v2"}, "apiVersion: 'v2' is not supported"),
        ({**MINIMAL, "spec": None}, "spec: is required"),
        ({**MINIMAL, "metadata": {"name": "a", "labels": {"b": 1}}}, "metadata.labels[b]: a string is expected, not the number 1"),
        ({**MINIMAL, "metadata": {}}, "metadata.name: is required"),
        ({**MINIMAL, "metadata": {"name": "a", "annotations": {"x.y/z": "1"}}}, "metadata.annotations[x.y/z]: is not supported yet"),
        ({**MINIMAL, "metadata": {"name": "a", "annotations": {"io.pypod/own-pi": "web"}}}, "metadata.annotations[io.pypod/own-pi]: unknown annotation, did you mean"),
        ({**MINIMAL, "metadata": {"name": "a", "annotations": {"io.pypod/own-pid": "wep"}}}, "metadata.annotations[io.pypod/own-pid]: there is no container 'wep', did you mean 'web'?"),
        ({**MINIMAL, "metadata": {"name": "a", "annotations": {"io.pypod/users": "[]"}}}, "metadata.annotations[io.pypod/users]: a JSON object"),
        ([], "document: a mapping of fields is expected, not a list"),
        (None, "document: a mapping of fields is expected, not null"),
    ],
)  # fmt: skip
def test_refused_by_name(document: Any, message: str) -> None:
    (found,) = refusals(document)
    assert found.startswith(message)


def test_volumes_as_kubernetes_reads_them() -> None:
    volumes = [{"name": "a"}, {"name": "b", "emptyDir": {"medium": "Memory", "sizeLimit": "64Mi"}}]
    assert from_document(with_pod(volumes=volumes)).volumes == (
        Volume("a", EmptyDir()),
        Volume("b", EmptyDir(Medium.MEMORY, 64 * 2**20)),
    )


# Kubernetes: third_party/forked/golang/expansion/expand_test.go
REFERENCES = [
    *(("$(A)", "1"), ("$(A)-$(A)", "1-1"), ("$$(A)_$(A)", "$(A)_1"), ("$$$(A)", "$1"), ("$$$$(A)", "$$(A)")),
    *(
        ("$(REF)", "$(A)"),
        ("f$(EMPTY)b", "fb"),
        ("$?_boo_$!", "$?_boo_$!"),
        ("$(DNE)", "$(DNE)"),
        ("$A", "$A"),
    ),
    *(
        ("$(A", "$(A"),
        ("$$(A", "$(A"),
        ("$", "$"),
        ("$$", "$"),
        ("$($(A)", "$($(A)"),
        ("$()", "$()"),
        ("a)$$(", "a)$("),
    ),
]


@pytest.mark.parametrize(("text", "expected"), REFERENCES)
def test_references_are_expanded(text: str, expected: str) -> None:
    env = [
        {"name": "A", "value": "1"},
        {"name": "REF", "value": "$$(A)"},
        {"name": "EMPTY"},
        {"name": "T", "value": text},
    ]
    found = container(env=env, args=[text], command=["$(T)"])
    assert (found.args, found.env["T"], found.command) == ((expected,), expected, (expected,))


def test_a_variable_refers_to_those_before_it() -> None:
    env = [{"name": "B", "value": "$(A)"}, {"name": "A", "value": "1"}, {"name": "A", "value": "$(A)2"}]
    assert container(env=env).env == {"B": "$(A)", "A": "12"}


def test_references_cannot_blow_up() -> None:
    env = [{"name": "V0", "value": "x" * 1000}]
    env += [{"name": f"V{i}", "value": f"$(V{i - 1})" * 100} for i in range(1, 9)]
    assert "longer than" in refusals(with_container(env=env))[0]
    assert container(args=["$(" * 200_000]).args == ("$(" * 200_000,)


# Kubernetes: apimachinery pkg/api/resource/quantity_test.go
QUANTITIES = {
    "0": 0,
    "0n": 0,
    "0Mi": 0,
    "8Ki": 8192,
    "7Mi": 7340032,
    "4Pi": 4503599627370496,
    "3Ei": 3458764513820540928,
    "50k": 50000,
    "6G": 6 * 10**9,
    "1E": 10**18,
    "1E-3": 1,
    "1e3": 1000,
    "1E12": 10**12,
    "100.035k": 100035,
    "0.0005k": 1,
    "0.5e-1": 1,
    "1.40e9": 1400000000,
    "9.01": 10,
    "8.1k": 8100,
    "3.001n": 1,
    "0.0000000001": 1,
    "1.": 1,
    ".5Mi": 524288,
    "+1k": 1000,
    "-1k": -1000,
    "1500m": 2,
    "1e-999999999": 1,
}
NO_QUANTITIES = [
    "",
    "1.1.M",
    "1+1.0M",
    "0.1mi",
    "0.1am",
    "aoeu",
    ".",
    "-",
    "1 Mi",
    "1K",
    "1kb",
    "Mi",
    "٣",
    "9" * 101,
    "1e",
    "inf",
]


def test_quantities() -> None:
    assert len(QUANTITIES) == 27
    assert {text: parse_quantity(text) for text in QUANTITIES} == QUANTITIES


@pytest.mark.parametrize("text", NO_QUANTITIES)
def test_no_quantities(text: str) -> None:
    with pytest.raises(ValueError, match="is no quantity"):
        parse_quantity(text)


def test_a_quantity_that_is_too_large_costs_nothing() -> None:
    assert parse_quantity("1e999999999") > 2**63


@pytest.mark.parametrize(
    "text", ["", "{", "[" * 100_000, "5", '{"apiVersion":"v1","kind":"Pod"}', '{"kind":1}']
)
def test_codec_refuses_what_is_no_spec(text: str) -> None:
    with pytest.raises(ManifestError, match=r"cannot accept label io\.pypod\.spec"):
        codec.load_spec(text)
