"""What cannot be a pod is refused before anything is made: all of it at once, each problem under its field's path."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from pypod.errors import InvalidNameError, InvalidPortError, PortConflictError, SpecError, UnknownVolumeError
from pypod.model.requests import MAX_VOLUMES
from pypod.model.spec import Container, ContainerPort, EmptyDir, PodSpec, Volume, VolumeMount
from pypod.model.validation import problems, validate

# The vectors are Kubernetes' own: apimachinery pkg/util/validation/validation_test.go, v1.36.2.
LABELS_GOOD = ["ab", "a1", "a--1--2--b", "01", "012", "1a", "1-a", "a" * 63]
LABELS_BAD = [
    *("A", "ABC", "aBc", "A1", "-", "a-", "1-", "-1", "_a", "a_b", "a.b", "1.", ".1"),
    *(" ", "a ", " a", "a b", "1 ", " 1", "a" * 64, "", "a\n"),
]
SUBDOMAINS_GOOD = [
    *(
        "a",
        "abc",
        "a1",
        "a--1--2--b",
        "0",
        "01",
        "012",
        "1a",
        "1-a",
        "abc.a",
        "a1.a",
        "a-1.a",
        "a--1--2--b.1",
    ),
    *(
        "0.a",
        "012.a",
        "1a.a",
        "1-a.a",
        "0.1",
        "01.1",
        "012.1",
        "1a.1",
        "1-a.1",
        "1--a--b--2.1",
        "aa.bb.cc.dd.ee",
    ),
]
SUBDOMAINS_BAD = [
    *(
        "",
        "ABC",
        "A1",
        "1-A",
        "a-",
        "-a",
        "1-",
        "-1",
        "_",
        "_a",
        "a_b",
        "1_",
        ".",
        "a.",
        ".a",
        "a..b",
        "1.",
        "1..2",
    ),
    *(" a", "a b", "1 ", " 1", "aB.a", "ab.A", "A.1", "A1.1", "012.A", "1A.a", "1a.A", "AA.BB.CC.DD.EE"),
    *("aa.bB.cc.dd.ee", "a;b", "a:b", "a?b", "a$b", "a" * 254),
]
LABEL_KEYS_GOOD = [
    *("simple", "1-starts-with-num", "1234", "now.with.dots/simple", "now-with.dashes-and.dots/simple"),
    *(
        "1.2.3.4/5678",
        "example.com/Uppercase_Is_OK_123",
        "requests.storage-foo",
        "a" * 63,
        f"{'a' * 253}/{'b' * 63}",
    ),
]
LABEL_KEYS_BAD = [
    *("nospecialchars%^=@", "only/one/slash", "example_com/abc", "example.com/", "/simple", "a" * 64, ""),
    f"{'a' * 254}/abc",
]
LABEL_VALUES_GOOD = ["simple", "now-with-dashes", "1234", ""]
LABEL_VALUES_BAD = ["\\backslashes\\are\\bad", "-starts-with-dash", "ends.with.dot.", "a" * 64]
ENV_GOOD = ["-", ":", "_", ">a", "<a", "a..", "*a", "%a", "?a", "aAz", "~a", "|a", "a9", "0a", "0 a"]
ENV_BAD = ["=", "a=", "1=a", "#%=&&", "Ç ç", "Ñ ñ", "", "a\0"]
PORT_NAMES_BAD = ["longerthan15characters", "-begin", "end-", "whois++", "a--b", "80", "HTTP"]


def test_the_vectors_are_all_here() -> None:
    counts = [len(LABELS_GOOD), len(LABELS_BAD), len(SUBDOMAINS_GOOD), len(SUBDOMAINS_BAD)]
    assert counts == [8, 22, 24, 36]
    assert [len(LABEL_KEYS_GOOD), len(LABEL_KEYS_BAD), len(LABEL_VALUES_BAD)] == [10, 8, 4]
    assert [len(ENV_GOOD), len(ENV_BAD), len(PORT_NAMES_BAD)] == [15, 8, 7]


def pod(*containers: Any, **fields: Any) -> PodSpec:
    return PodSpec(fields.pop("name", "shop"), containers or (Container("web", "nginx"),), **fields)


def one(**fields: Any) -> PodSpec:
    """A pod of one container with these fields."""
    return pod(Container(**{"name": "web", "image": "nginx", **fields}))


def paths(spec: PodSpec) -> list[str]:
    return [problem.path for problem in problems(spec)]


@pytest.mark.parametrize("name", LABELS_GOOD)
def test_dns_labels_are_taken(name: str) -> None:
    volume = Volume.empty_dir(name)
    container = Container(name, "nginx", mounts={name: "/x"})
    validate(pod(container, volumes=(volume,), namespace=name, hostname=name, network=name))


@pytest.mark.parametrize("name", LABELS_BAD)
def test_other_names_are_refused(name: str) -> None:
    spec = pod(Container(name, "nginx"), namespace=name, volumes=(Volume.empty_dir(name),))
    assert paths(spec) == ["metadata.namespace", "spec.volumes[0].name", "spec.containers[0].name"]
    with pytest.raises(InvalidNameError):
        validate(spec)
    for field in ("hostname", "network"):
        assert len(problems(pod(**{field: name}))) == (1 if name else 0)


@pytest.mark.parametrize("name", SUBDOMAINS_GOOD)
def test_pod_names_are_subdomains(name: str) -> None:
    validate(pod(name=name))


@pytest.mark.parametrize("name", SUBDOMAINS_BAD)
def test_other_pod_names_are_refused(name: str) -> None:
    with pytest.raises(InvalidNameError, match=r"cannot accept pod .*metadata\.name: "):
        validate(pod(name=name))


def test_a_refused_name_says_what_would_be_accepted() -> None:
    with pytest.raises(
        InvalidNameError, match="'Web' is not valid: a lowercase RFC 1123 label must consist of"
    ):
        validate(one(name="Web"))


@pytest.mark.parametrize("key", LABEL_KEYS_GOOD)
def test_label_keys(key: str) -> None:
    validate(pod(labels=dict.fromkeys([key], "x")))


@pytest.mark.parametrize("key", LABEL_KEYS_BAD)
def test_bad_label_keys(key: str) -> None:
    with pytest.raises(SpecError, match="label key"):
        validate(pod(labels={key: "x"}))


@pytest.mark.parametrize("value", LABEL_VALUES_GOOD)
def test_label_values(value: str) -> None:
    validate(pod(labels={"a": value}))


@pytest.mark.parametrize("value", LABEL_VALUES_BAD)
def test_bad_label_values(value: str) -> None:
    with pytest.raises(SpecError, match=r"metadata\.labels\[a\]: the value"):
        validate(pod(labels={"a": value}))


@pytest.mark.parametrize("name", ENV_GOOD)
def test_env_names(name: str) -> None:
    validate(one(env={name: ""}))


@pytest.mark.parametrize("name", ENV_BAD)
def test_bad_env_names(name: str) -> None:
    assert paths(one(env={"A": "", name: ""})) == ["spec.containers[0].env[1].name"]


@pytest.mark.parametrize("name", PORT_NAMES_BAD)
def test_bad_port_names(name: str) -> None:
    assert paths(one(ports=[ContainerPort(80, name=name)])) == ["spec.containers[0].ports[0].name"]


@pytest.mark.parametrize("name", ["", "a", "a-1", "1-a", "1-a-2-b-3"])
def test_port_names(name: str) -> None:
    validate(one(ports=[ContainerPort(80, name=name)]))


@pytest.mark.parametrize("port", [0, -1, 65536, True, "80", 80.0, None])
def test_ports_out_of_range(port: Any) -> None:
    with pytest.raises(
        InvalidPortError, match=r"spec\.containers\[0\]\.ports\[0\]\.containerPort: a number between 1 and"
    ):
        validate(one(ports=[ContainerPort(port)]))


def test_host_ports() -> None:
    validate(one(ports=[ContainerPort(80, host_port=0), ContainerPort(81, host_port=0)]))
    with pytest.raises(InvalidPortError, match="hostPort: a number between 0 and 65535"):
        validate(one(ports=[ContainerPort(80, host_port=65536)]))
    assert paths(one(ports=[ContainerPort(80, host_ip="localhost", protocol="tcp")])) == [
        "spec.containers[0].ports[0].protocol",
        "spec.containers[0].ports[0].hostIP",
    ]


def test_two_members_declare_the_same_port() -> None:
    spec = pod(Container("a", "x", ports=[1, 80]), Container("b", "x", ports=[80]))
    with pytest.raises(PortConflictError) as caught:
        validate(spec)
    assert "spec.containers[1].ports[0].containerPort: 80/TCP" in str(caught.value)
    assert "spec.containers[0].ports[1].containerPort already" in str(caught.value)


def test_one_member_declares_a_port_twice() -> None:
    with pytest.raises(PortConflictError):
        validate(one(ports=[80, 80]))
    validate(one(ports=[80, ContainerPort(80, protocol="UDP"), ContainerPort(80, protocol="SCTP")]))


@pytest.mark.parametrize(
    ("first", "second", "conflict"),
    [
        ("", "", True),
        ("127.0.0.1", "", True),
        ("", "::1", True),
        ("0.0.0.0", "127.0.0.1", True),
        ("127.0.0.1", "127.0.0.1", True),
        ("127.0.0.1", "127.0.0.2", False),
    ],
)
def test_host_port_conflicts(first: str, second: str, conflict: bool) -> None:
    ports = [
        ContainerPort(80, host_port=8080, host_ip=first),
        ContainerPort(81, host_port=8080, host_ip=second),
    ]
    assert paths(one(ports=ports)) == (["spec.containers[0].ports[1].hostPort"] if conflict else [])


def test_a_pod_needs_a_container() -> None:
    with pytest.raises(SpecError, match=r"spec\.containers: at least one container is required"):
        validate(PodSpec("a", ()))


def test_container_and_volume_names_are_unique() -> None:
    spec = pod(
        Container("a", "x"), Container("a", "x"), volumes=(Volume.empty_dir("v"), Volume.host_path("v", "/x"))
    )
    with pytest.raises(InvalidNameError, match="Duplicate value: 'a'"):
        validate(spec)
    assert paths(spec) == ["spec.volumes[1].name", "spec.containers[1].name"]


DIGEST = "sha256:" + "0" * 64


@pytest.mark.parametrize(
    "image",
    [
        "nginx",
        "nginx:1",
        "a/b:c",
        "localhost:5000/a/b",
        "REG.example.com/a",
        f"a@{DIGEST}",
        f"a:b@{DIGEST}",
        DIGEST,
        "[::1]:5000/a",
        "a__b",
        "a.b-c",
        "a---b:_x",
    ],
)
def test_images(image: str) -> None:
    validate(one(image=image))


@pytest.mark.parametrize(
    "image",
    [
        "",
        " ",
        "a b",
        "Nginx",
        "a/B",
        "nginx:",
        "a//b",
        "nginx: 1",
        "a@sha256:0",
        "-a",
        "a\n",
        "http://a/b",
        "a" * 9999,
    ],
)
def test_bad_images(image: str) -> None:
    with pytest.raises(SpecError, match=r"spec\.containers\[0\]\.image: ") as caught:
        validate(one(image=image))
    assert type(caught.value) is SpecError


def test_unknown_volume_says_which_there_are() -> None:
    spec = pod(
        Container("a", "x", mounts={"htm": "/a"}), volumes=(Volume.empty_dir("html"), Volume.empty_dir("b"))
    )
    with pytest.raises(
        UnknownVolumeError, match=r"'htm', did you mean 'html'\?; the pod defines 'html', 'b'"
    ):
        validate(spec)
    with pytest.raises(UnknownVolumeError, match="defines no volumes"):
        validate(one(mounts={"a": "/a"}))


@pytest.mark.parametrize("path", ["", "a", "./a", "/a:b", "/", "//", "/.", "/a\0"])
def test_bad_mount_paths(path: str) -> None:
    spec = pod(Container("a", "x", mounts={"v": path}), volumes=(Volume.empty_dir("v"),))
    assert set(paths(spec)) == {"spec.containers[0].volumeMounts[0].mountPath"}


def test_mount_paths_are_unique_in_a_container() -> None:
    mounts = [VolumeMount("v", "/a"), VolumeMount("v", "/b"), VolumeMount("v", "/a/")]
    spec = pod(
        Container("a", "x", mounts=mounts),
        Container("b", "x", mounts=mounts[:1]),
        volumes=(Volume.empty_dir("v"),),
    )
    assert paths(spec) == ["spec.containers[0].volumeMounts[2].mountPath"]


@pytest.mark.parametrize("path", ["", "a", "~/a", "/a/../b", "/..", "/a\0"])
def test_bad_host_paths(path: str) -> None:
    assert paths(pod(volumes=(Volume.host_path("v", path),))) == ["spec.volumes[0].hostPath.path"]


def test_host_path_may_have_dots_in_a_name() -> None:
    validate(pod(volumes=(Volume.host_path("v", "/a..b/..c"),)))


@pytest.mark.parametrize("size", [0, -1, 2**63, True, "1Mi", 1.5])
def test_bad_size_limits(size: Any) -> None:
    assert paths(pod(volumes=(Volume("v", EmptyDir(size_limit=size)),))) == [
        "spec.volumes[0].emptyDir.sizeLimit"
    ]


def test_as_many_volumes_as_the_pause_has_places_for() -> None:
    volumes = tuple(Volume.empty_dir(f"v{i}") for i in range(MAX_VOLUMES))
    validate(pod(volumes=(*volumes, Volume.host_path("h", "/h"))))
    assert paths(pod(volumes=(*volumes, Volume.empty_dir("one-more")))) == ["spec.volumes"]


@pytest.mark.parametrize("grace", [-1, -0.1, float("nan"), float("inf"), "30", True, None])
def test_bad_grace(grace: Any) -> None:
    assert paths(pod(termination_grace_period_seconds=grace)) == ["spec.terminationGracePeriodSeconds"]


@pytest.mark.parametrize("value", [5, None, True, b"x", ["x"], "a\0b", "\ud800"])
@pytest.mark.parametrize("field", ["name", "image", "working_dir", "user"])
def test_what_is_no_text_is_a_problem_and_no_traceback(field: str, value: Any) -> None:
    assert len(problems(one(**{field: value}))) == 1


def test_wrong_types_everywhere_are_problems() -> None:
    spec = one(command=[1], args=[None], env={"A": 1}, own_pid="yes", ports=["80"], mounts={1: 2})
    assert len(paths(spec)) == 7
    for field, value in [
        *(("name", 5), ("namespace", None), ("labels", 5), ("labels", {1: "a"}), ("labels", {"a": 1})),
        *(("restart_policy", "Always"), ("share_process_namespace", 1), ("hostname", 5), ("network", None)),
        *(("volumes", 5), ("volumes", ("v",)), ("containers", 5), ("containers", ("c",))),
        *(("volumes", (Volume("v", "x"),)), ("containers", (Container("a", "b", mounts=["/x"]),))),  # type: ignore[arg-type, list-item]
    ]:
        broken = dataclasses.replace(pod(), **{field: value})  # type: ignore[arg-type]
        assert len(problems(broken)) == 1, field
        with pytest.raises(SpecError):
            validate(broken)


def test_all_problems_come_at_once_and_in_order() -> None:
    spec = pod(Container("Web", "nginx", ports=[0], mounts={"x": "/x"}), name="A")
    with pytest.raises(SpecError) as caught:
        validate(spec)
    assert type(caught.value) is SpecError
    assert [problem.error for problem in caught.value.problems] == [
        *(InvalidNameError, InvalidNameError, InvalidPortError, UnknownVolumeError)
    ]


def test_many_problems_end() -> None:
    containers = tuple(Container("a", "x", mounts={f"v{j}": "/" for j in range(500)}) for _ in range(500))
    assert len(problems(pod(*containers))) == 100
