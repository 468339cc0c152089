"""Manifests as text: scalars as Kubernetes' loader has them, every problem with its line, hostile input bounded."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pypod.errors import InvalidNameError, ManifestError, PortConflictError, SpecError
from pypod.model.manifest import manifest
from pypod.model.manifest.manifest import load
from pypod.model.spec.pod import Container, ContainerPort, Medium, PodSpec, Volume, VolumeMount
from pypod.model.text.scalars import resolve
from pypod.pod import Pod

SHOP = """\
apiVersion: v1
kind: Pod
metadata:
  name: shop
  labels: {app: shop}
spec:
  containers:
  - name: web
    image: nginx
    args: ['22:22', on-time]
    ports:
    - containerPort: 80
      hostPort: 8080
    volumeMounts:
    - {name: html, mountPath: /srv, readOnly: true}
  volumes:
  - name: html
    emptyDir: {medium: Memory, sizeLimit: 1Mi}
"""


def args(yaml: str) -> str:
    """The one argument that this YAML scalar is read as."""
    return load(SHOP.replace("['22:22', on-time]", f"\n    - {yaml}")).containers[0].args[0]


def test_a_whole_manifest() -> None:
    assert load(SHOP) == PodSpec(
        "shop",
        (
            Container(
                "web",
                "nginx",
                args=["22:22", "on-time"],
                ports=[ContainerPort(80, 8080)],
                mounts=[VolumeMount("html", "/srv", read_only=True)],
                termination_message_path="/dev/termination-log",
            ),
        ),
        (Volume.empty_dir("html", medium=Medium.MEMORY.value, size_limit=2**20),),
        labels={"app": "shop"},
        share_process_namespace=False,
    )


def test_problems_have_lines_also_those_of_the_pod_itself() -> None:
    text = (
        SHOP.replace("name: web", "name: Web").replace("readOnly: true", "readOnly: 1").replace("80\n", "0\n")
    )
    with pytest.raises(ManifestError) as caught:
        load(text + "  hostUsers: false\n  hostname: [a]\n", "pod.yaml")
    assert [(problem.line, problem.path) for problem in caught.value.problems] == [
        (8, "spec.containers[0].name"),
        (12, "spec.containers[0].ports[0].containerPort"),
        (15, "spec.containers[0].volumeMounts[0].readOnly"),
        (19, "spec.hostUsers"),
        (20, "spec.hostname"),
    ]
    assert str(caught.value).startswith(
        "cannot accept pod.yaml: \n  - pod.yaml:8:11: spec.containers[0].name: 'Web' is not"
    )


def test_a_pod_that_cannot_be_keeps_its_own_class() -> None:
    with pytest.raises(InvalidNameError, match=r"cannot accept pod\.yaml:4:9: metadata\.name: 'Shop'"):
        load(SHOP.replace("name: shop", "name: Shop"), "pod.yaml")
    with pytest.raises(PortConflictError, match=r":14:22: spec\.containers"):
        load(SHOP.replace("hostPort: 8080", "hostPort: 8080\n    - containerPort: 80"))


LIFE = """\
apiVersion: v1
kind: Pod
metadata:
  name: life
spec:
  activeDeadlineSeconds: 0
  initContainers:
  - name: side
    image: x
    restartPolicy: Always
    startupProbe:
      httpGet:
        port: htpp
    ports:
    - {name: http, containerPort: 80}
  - name: setup
    image: x
    lifecycle:
      postStart:
        exec: {command: [a]}
  containers:
  - name: web
    image: x
    resources:
      requests:
        cpu: 2
        memory: 1x
      limits:
        cpu: 1
        nvidia.com/gpu: 1
    livenessProbe:
      exec: {command: [a]}
      successThreshold: 2
      periodSeconds: 1.5
      grpc: {port: 5}
"""


def test_problems_of_probes_and_resources_have_lines() -> None:
    with pytest.raises(ManifestError) as caught:
        load(LIFE)
    assert [(problem.line, problem.path) for problem in caught.value.problems] == [
        (6, "spec.activeDeadlineSeconds"),
        (13, "spec.initContainers[0].startupProbe.httpGet.port"),
        (18, "spec.initContainers[1].lifecycle"),
        (25, "spec.containers[0].resources.requests"),
        (27, "spec.containers[0].resources.requests[memory]"),
        (30, "spec.containers[0].resources.limits[nvidia.com/gpu]"),
        (33, "spec.containers[0].livenessProbe.successThreshold"),
        (34, "spec.containers[0].livenessProbe.periodSeconds"),
        (35, "spec.containers[0].livenessProbe.grpc"),
    ]


def test_what_could_not_be_read_is_no_second_problem() -> None:
    with pytest.raises(ManifestError) as caught:
        load("apiVersion: v1\nkind: Pod\nmetadata: {name: 5}\nspec:\n  containers: x\n")
    assert [str(problem) for problem in caught.value.problems] == [
        "line 3:18: metadata.name: a string is expected, not the number 5 (in quotes it is one)",
        "line 5:15: spec.containers: a list is expected, not 'x'",
    ]


# What go.yaml.in/yaml/v2 makes of plain scalars; PyYAML has another opinion on most.
SCALARS: list[tuple[str, object]] = [
    *(("22:22", "22:22"), ("190:20:30", "190:20:30"), ("2021-01-01T10:00:00Z", "2021-01-01T10:00:00Z")),
    *(("2021-01-01", "2021-01-01"), ("1e3", 1000.0), ("0777", 511), ("0o777", 511), ("08", 8.0), ("=", "=")),
    *(
        ("y", True),
        ("N", False),
        ("yes", True),
        ("Off", False),
        ("TRUE", True),
        ("tRUE", "tRUE"),
        ("yEs", "yEs"),
    ),
    *(
        ("~", None),
        ("null", None),
        ("", None),
        ("nil", "nil"),
        ("0x1F", 31),
        ("0b11", 3),
        ("-0b11", -3),
        ("1_000", 1000),
    ),
    *(
        ("+1", 1),
        ("-1.5", -1.5),
        (".5", 0.5),
        ("1.", 1.0),
        (".", "."),
        ("-", "-"),
        ("1.2.3", "1.2.3"),
        ("1e", "1e"),
    ),
    *((".inf", float("inf")), ("18446744073709551615", 2**64 - 1), ("18446744073709551616", 2.0**64)),
]


@pytest.mark.parametrize(("plain", "value"), SCALARS)
def test_plain_scalars_are_what_kubernetes_takes_them_for(plain: str, value: object) -> None:
    found = resolve(plain)
    assert (type(found), found) == (type(value), value)


def test_every_scalar_trap_is_here() -> None:
    assert len(SCALARS) == 35


@pytest.mark.parametrize(
    ("yaml", "value"),
    [
        *(
            ("22:22", "22:22"),
            ("2021-01-01", "2021-01-01"),
            ("=", "="),
            ("'yes'", "yes"),
            ("!!str 5", "5"),
        ),
        *(
            (r'"a \'b\'"', "a 'b'"),
            (r'"\ud83d\ude00"', "😀"),
            ("|\n      a\n      b", "a\nb\n"),
            ('"\\x41"', "A"),
        ),
    ],
)
def test_strings(yaml: str, value: str) -> None:
    assert args(yaml) == value


@pytest.mark.parametrize("yaml", ["yes", "n", "1e3", "08", "5", "~", "[a]", "{a: b}", "!!bool 'true'"])
def test_what_is_no_string_is_refused_with_its_line(yaml: str) -> None:
    with pytest.raises(
        ManifestError, match=r"manifest:11:7: spec\.containers\[0\]\.args\[0\]: a string is expected"
    ):
        args(yaml)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "cannot accept manifest: document: is empty"),
        ("# nothing\n---\n---\n", "document: is empty"),
        (SHOP + "---\n" + SHOP, "manifest:23:9: metadata.name: Pod 'default/shop' is described twice, first on line 1"),
        (SHOP + "---\n" + SHOP.replace("name: shop", "name: other"), "manifest:20:1: document: one Pod is expected, and not 2"),
        (SHOP + "---\nkind: ConfigMap\napiVersion: v1\nmetadata: {name: a}\n", "manifest:20:1: document: one Pod is expected, and nothing beside it"),
        ("a: b: c", "manifest:1:5: document: is not YAML: mapping values are not allowed here"),
        ("a:\n  - b\n c", "manifest:3:2: document: is not YAML"),
        (SHOP.replace("    image: nginx\n", "    image: nginx\n    image: x\n"), r"manifest:10:5: spec.containers\[0\].image: the field is there twice, first on line 9"),
        ("a: \x01", r"manifest:1:4: document: the character U\+0001"),
        ('a: "\\UFFFFFFFF"', "is not YAML"),
        ("%YAML " + "9" * 5000 + ".1\n", "is not YAML"),
        ("a: *b", "manifest:1:4: document: nothing before it is called '&b'"),
        ("[a]", "manifest:1:1: document: a mapping of fields is expected"),
        ("kind: List\napiVersion: v1\nitems: []", "document: describes no Pod, and one is expected"),
        ('{"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "a"}, "spec": {"containers": [{"name": "a", "image": "b"}]},\n"kind": "Pod"}', "manifest:2:1: kind: the field is there twice"),
        ("x" * 3_000_001, "is longer than 3000000 characters"),
        (b"a: \xff", "manifest:1:4: document: the byte 0xff is not UTF-8"),
    ],
)  # fmt: skip
def test_unreadable_text_is_one_clear_error(text: str | bytes, message: str) -> None:
    with pytest.raises(ManifestError, match=message) as caught:
        load(text)
    assert len(caught.value.problems) == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3\n", "manifest:3:1: a: the field is there twice, first on line 1"),
        ('a: "\\ud800"', "a: a string has half of a surrogate pair in it"),
        (
            "a: !!python/object/apply:os.system [x]",
            "the YAML tag '!!python/object/apply:os.system' is not supported",
        ),
        ("a: !!int x", "the value is not what its YAML tag '!!int' says"),
        ("a: !mine x", "the YAML tag '!mine' is not supported"),
        ("~: 2", "a field's name is a string, not null"),
        ("? [a]\n: 2", "a field's name is a string, not a list"),
        ("<<: 5", "'<<' takes a mapping"),
    ],
)
def test_what_is_wrong_in_the_text_is_told_beside_what_is_wrong_in_the_pod(text: str, message: str) -> None:
    with pytest.raises(ManifestError, match=message) as caught:
        load(text)
    assert {"kind", "apiVersion"} < {problem.path for problem in caught.value.problems}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"a: 1\nb: \xff", "pod.yaml:2:4: document: the byte 0xff is not UTF-8"),
        (b"a" * 12_000_002, "pod.yaml:1:1: document: is longer than 12000000 bytes"),
        ("a: [".encode("utf-16"), "pod.yaml:1:5: document: is not YAML"),
    ],
    ids=["bytes", "long", "UTF-16"],
)
def test_a_file_that_is_no_text(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "pod.yaml"
    path.write_bytes(data)
    with pytest.raises(ManifestError, match=message):
        Pod.from_manifest(path)


def test_an_unknown_field_is_where_its_name_is() -> None:
    with pytest.raises(ManifestError) as caught:
        load(SHOP.replace("image: nginx", "imgae: 5\n    image: nginx"))
    assert str(caught.value) == (
        "cannot accept manifest:9:5: spec.containers[0].imgae: unknown field, did you mean 'image'?\n"
        "      imgae: 5\n"
        "      ^"
    )


def test_anchors_and_merges() -> None:
    text = SHOP.replace("labels: {app: shop}", "labels: &l {app: shop, a: b}")
    text = text.replace("metadata:", "metadata: &m").replace(
        "app: shop, a", "<<: [{app: old, c: d}], app: shop, a"
    )
    assert load(text).labels == {"app": "shop", "a": "b", "c": "d"}


@settings(max_examples=150, deadline=None)
@given(
    st.integers(0, len(SHOP)),
    st.integers(0, 20),
    st.text(max_size=5) | st.sampled_from(list("{}[]&*!|>'\"%@`:-#?,\t\n")),
)
def test_a_mutated_manifest_is_read_or_refused(at: int, cut: int, put: str) -> None:
    for text in (SHOP[:at] + put + SHOP[at + cut :], SHOP[:at] + put):
        with contextlib.suppress(SpecError):
            load(text)


def test_dump_quotes_what_kubernetes_would_misread() -> None:
    words = ["y", "n", "1e3", "08", "0o7", "22:22", "=", "~", "a\nb\n", "$(x)", "é😀", "", "- a", "#"]
    text = manifest.dump(PodSpec("a", (Container("a", "b", args=words),)))
    assert load(text).containers[0].args == tuple(words)
    assert "- 'y'\n" in text
    assert "- $$(x)\n" in text
    assert "- |\n      a\n      b\n" in text
