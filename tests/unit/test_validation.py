"""What cannot be a pod is refused before anything is made: all of it at once, each problem under its field's path."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from pypod.errors import InvalidNameError, InvalidPortError, PortConflictError, SpecError, UnknownVolumeError
from pypod.model.spec.handlers import (
    ExecAction,
    GRPCAction,
    Hook,
    HTTPGetAction,
    Lifecycle,
    Probe,
    SleepAction,
    TCPSocketAction,
)
from pypod.model.spec.pod import Container, ContainerPort, EmptyDir, PodSpec, Volume, VolumeMount
from pypod.model.spec.resources import MIN_MEMORY, ResourceList, Resources
from pypod.model.validation.validating import needs_grpc, problems, validate
from pypod.model.wiring.requests import MAX_VOLUMES

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
        " a",
        "a\n",
        "a ",
        0,
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
    talks = Container("a", "x", termination_message_path="/dev/termination-log")
    validate(pod(Container("b", "x"), volumes=volumes[1:], init_containers=(talks,)))
    with pytest.raises(
        SpecError,
        match="64 volumes are too many: a pod can have 63, host paths and images not counted, termination messages",
    ):
        validate(pod(talks, volumes=volumes))


@pytest.mark.parametrize("grace", [-1, -0.1, float("nan"), float("inf"), "30", True, None, 10**400])
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


# --- init containers -------------------------------------------------------------------------------------------------


def init(*containers: Any, **fields: Any) -> PodSpec:
    """A pod of one container, ``web``, and these before it."""
    return pod(Container("web", "nginx", **fields), init_containers=containers)


def test_init_containers_are_checked_like_others() -> None:
    broken = Container("Init", "", mounts={"x": "/x"}, resources="1")  # type: ignore[arg-type]
    assert paths(init(broken, "c")) == [
        "spec.initContainers[0].name",
        "spec.initContainers[0].image",
        "spec.initContainers[0].resources",
        "spec.initContainers[0].volumeMounts[0].name",
        "spec.initContainers[1]",
    ]
    assert paths(pod(init_containers=5)) == ["spec.initContainers"]


def test_names_are_unique_over_init_containers_too() -> None:
    with pytest.raises(
        InvalidNameError,
        match=r"spec\.containers\[0\]\.name: Duplicate value: 'web' is the name at spec\.initContainers\[0\]\.name",
    ):
        validate(init(Container("web", "x")))


def test_only_sidecars_have_probes_and_hooks() -> None:
    fields: dict[str, Any] = {
        "startup_probe": Probe.exec(["a"]),
        "liveness_probe": Probe.exec(["a"]),
        "readiness_probe": Probe.exec(["a"]),
        "lifecycle": Lifecycle(Hook.exec(["a"])),
    }
    validate(init(Container("a", "x", restart_policy="Always", **fields)))
    found = problems(init(Container("a", "x", **fields)))
    assert [problem.path.rpartition(".")[2] for problem in found] == [
        *("startupProbe", "livenessProbe", "readinessProbe", "lifecycle")
    ]
    assert {problem.message for problem in found} == {
        "may not be set for init containers without restartPolicy=Always"
    }


@pytest.mark.parametrize("policy", ["OnFailure", "Never"])
def test_restart_policies_of_containers(policy: str) -> None:
    validate(one(restart_policy=policy))
    validate(init(Container("a", "x", restart_policy=policy)))


def test_ports_are_shared_with_sidecars_and_not_with_what_has_ended() -> None:
    ports = [ContainerPort(80, host_port=8080)]
    validate(init(Container("a", "x", ports=ports), Container("b", "x", ports=ports), ports=ports))
    assert paths(init(Container("a", "x", ports=ports, restart_policy="Always"), ports=ports)) == [
        "spec.containers[0].ports[0].containerPort",
        "spec.containers[0].ports[0].hostPort",
    ]
    with pytest.raises(PortConflictError):
        validate(init(Container("a", "x", ports=[80, 80])))


# --- probes ----------------------------------------------------------------------------------------------------------

PROBE = "spec.containers[0].livenessProbe"


def test_probes_that_are_right() -> None:
    ports = [ContainerPort(80, name="http")]
    for probe in (
        Probe.http_get("/x?y#z", port="http", host="h", scheme="HTTPS", headers={"X-A": "b: é"}),
        Probe.tcp_socket(65535, initial_delay_seconds=0, timeout_seconds=0.01, period_seconds=0.1),
        Probe.exec(["a", ""], failure_threshold=1),
        Probe.grpc(1, service="s", termination_grace_period_seconds=0.5),
    ):
        validate(one(ports=ports, liveness_probe=probe, startup_probe=probe))
    validate(one(ports=ports, readiness_probe=Probe.http_get(port="http", success_threshold=3)))


@pytest.mark.parametrize("field", ["timeout_seconds", "period_seconds", "termination_grace_period_seconds"])
@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf"), "1", True, 2**63])
def test_seconds_of_a_probe_are_above_0(field: str, value: Any) -> None:
    (found,) = problems(one(liveness_probe=Probe.exec(["a"], **{field: value})))
    word = "".join(part.capitalize() for part in field.split("_"))
    assert found.path == f"{PROBE}.{word[0].lower()}{word[1:]}"
    assert "must be greater than 0" in found.message or "a number of seconds is expected" in found.message


@pytest.mark.parametrize("value", [-0.1, float("nan"), 2**31, None, False])
def test_initial_delay(value: Any) -> None:
    probe = Probe.exec(["a"], initial_delay_seconds=value)
    assert paths(one(liveness_probe=probe)) == [f"{PROBE}.initialDelaySeconds"]


@pytest.mark.parametrize("value", [0, -1, 1.5, "1", True, None, 2**31])
def test_thresholds_are_whole_and_at_least_1(value: Any) -> None:
    probe = Probe.exec(["a"], success_threshold=value, failure_threshold=value)
    at = "spec.containers[0].readinessProbe"
    assert paths(one(readiness_probe=probe)) == [f"{at}.successThreshold", f"{at}.failureThreshold"]


@pytest.mark.parametrize("field", ["liveness_probe", "startup_probe"])
def test_only_readiness_asks_for_more_than_one_success(field: str) -> None:
    with pytest.raises(SpecError, match=r"Probe\.successThreshold: must be 1, not the number 2"):
        validate(one(**{field: Probe.exec(["a"], success_threshold=2)}))


def test_readiness_kills_nothing() -> None:
    probe = Probe.exec(["a"], termination_grace_period_seconds=5)
    with pytest.raises(
        SpecError, match=r"readinessProbe\.terminationGracePeriodSeconds: must not be set for readiness"
    ):
        validate(one(readiness_probe=probe))


@pytest.mark.parametrize("port", [0, 65536, -1, True, None, 80.0])
def test_bad_ports_of_handlers(port: Any) -> None:
    for handler, path in (
        (HTTPGetAction(port), "httpGet"),
        (TCPSocketAction(port), "tcpSocket"),
        (GRPCAction(port), "grpc"),
    ):
        with pytest.raises(
            InvalidPortError, match=rf"livenessProbe\.{path}\.port: a number between 1 and 65535"
        ):
            validate(one(liveness_probe=Probe(handler)))
    with pytest.raises(InvalidPortError, match=r"postStart\.httpGet\.port"):
        validate(one(lifecycle=Lifecycle(Hook.http_get(port=port))))


def test_a_port_is_named_in_the_same_container() -> None:
    web = Container("web", "x", ports=[ContainerPort(80, name="http"), ContainerPort(81, name="admin"), 82])
    other = Container("b", "x", readiness_probe=Probe.tcp_socket("http"))
    with pytest.raises(InvalidPortError, match="the container has no port 'http'; it names no ports"):
        validate(pod(web, other))
    probe = Probe.http_get(port="htp")
    ports = [ContainerPort(80, name="http"), ContainerPort(81, name="admin")]
    with pytest.raises(
        InvalidPortError, match="no port 'htp', did you mean 'http'\\?; its named ports are 'http', 'admin'"
    ):
        validate(one(ports=ports, liveness_probe=probe))
    with pytest.raises(InvalidPortError, match=r"no port '80' \(without quotes it is a number\)"):
        validate(one(ports=ports, liveness_probe=Probe.tcp_socket("80")))
    with pytest.raises(
        InvalidPortError, match=r"grpc\.port: a number between 1 and 65535 is expected, not 'http'"
    ):
        validate(one(ports=ports, liveness_probe=Probe(GRPCAction("http"))))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("handler", "path"),
    [
        (ExecAction(()), "exec.command"),
        (ExecAction("ls"), "exec.command"),  # type: ignore[arg-type]
        (ExecAction(("a", 5)), "exec.command[1]"),  # type: ignore[arg-type]
        (ExecAction(("a\0",)), "exec.command[0]"),
        (HTTPGetAction(80, ""), "httpGet.path"),
        (HTTPGetAction(80, "/ HTTP/1.1\r\nX: y"), "httpGet.path"),
        (HTTPGetAction(80, host="a\n"), "httpGet.host"),
        (HTTPGetAction(80, scheme="HTTP"), "httpGet.scheme"),  # type: ignore[arg-type]
        (HTTPGetAction(80, http_headers=(("X A", "b"),)), "httpGet.httpHeaders[0].name"),
        (HTTPGetAction(80, http_headers=(("", "b"),)), "httpGet.httpHeaders[0].name"),
        (HTTPGetAction(80, http_headers=(("A", "b"), ("A\n", "b"))), "httpGet.httpHeaders[1].name"),
        (HTTPGetAction(80, http_headers=(("A", "b\r\nC: d"),)), "httpGet.httpHeaders[0].value"),
        (HTTPGetAction(80, http_headers=(("A", 1),)), "httpGet.httpHeaders[0].value"),  # type: ignore[arg-type]
        (HTTPGetAction(80, http_headers=("A",)), "httpGet.httpHeaders[0]"),  # type: ignore[arg-type]
        (HTTPGetAction(80, http_headers={"A": "b"}), "httpGet.httpHeaders"),  # type: ignore[arg-type]
        (TCPSocketAction(80, None), "tcpSocket.host"),  # type: ignore[arg-type]
        (GRPCAction(80, 5), "grpc.service"),  # type: ignore[arg-type]
    ],
)
def test_bad_handlers(handler: Any, path: str) -> None:
    assert paths(one(liveness_probe=Probe(handler))) == [f"{PROBE}.{path}"]
    if not isinstance(handler, GRPCAction):
        hook = one(lifecycle=Lifecycle(pre_stop=handler))
        assert paths(hook) == [f"spec.containers[0].lifecycle.preStop.{path}"]


def test_what_is_no_probe_or_hook() -> None:
    for field, value, path in (
        ("liveness_probe", "ls", "livenessProbe"),
        ("startup_probe", ExecAction(("a",)), "startupProbe"),
        ("readiness_probe", Probe("ls"), "readinessProbe"),  # type: ignore[arg-type]
        ("readiness_probe", Probe(SleepAction(1)), "readinessProbe"),  # type: ignore[arg-type]
        ("lifecycle", Hook.exec(["a"]), "lifecycle"),
        ("lifecycle", Lifecycle(Probe.exec(["a"])), "lifecycle.postStart"),  # type: ignore[arg-type]
        ("lifecycle", Lifecycle(pre_stop=GRPCAction(5)), "lifecycle.preStop"),  # type: ignore[arg-type]
    ):
        assert paths(one(**{field: value})) == [f"spec.containers[0].{path}"]


@pytest.mark.parametrize(("grace", "seconds", "good"), [(30, 30, True), (30, 0, True), (0.5, 0.5, True), (2, 2.1, False), (30, -1, False), (30, "1", False), (30, True, False)])  # fmt: skip
def test_sleep_ends_within_the_grace_period(grace: float, seconds: Any, good: bool) -> None:
    spec = pod(
        Container("a", "x", lifecycle=Lifecycle(Hook.sleep(seconds), Hook.sleep(seconds))),
        termination_grace_period_seconds=grace,
    )
    at = "spec.containers[0].lifecycle"
    assert paths(spec) == ([] if good else [f"{at}.postStart.sleep.seconds", f"{at}.preStop.sleep.seconds"])


def test_grpc_probes_are_found() -> None:
    grpc = Probe.grpc(5)
    side = Container("a", "x", restart_policy="Always", startup_probe=grpc)
    spec = init(Container("i", "x"), side, liveness_probe=Probe.exec(["a"]), readiness_probe=grpc)
    assert needs_grpc(spec) == [
        "spec.initContainers[1].startupProbe.grpc",
        "spec.containers[0].readinessProbe.grpc",
    ]
    assert needs_grpc(pod()) == []


# --- resources, messages, the pod's own ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("requests", "limits", "expected"),
    [
        ({"cpu": "1", "memory": "6Mi"}, {"cpu": "1", "memory": MIN_MEMORY}, {}),
        ({"cpu": "2"}, {"memory": "64Mi"}, {}),
        ({}, {"memory": 0, "cpu": 0}, {}),
        ({"cpu": "600m"}, {"cpu": "500m"}, {"requests": "'600m' must be less than or equal to cpu limit of 500m"}),
        ({"memory": "1Gi"}, {"memory": "64Mi"}, {"requests": "'1Gi' must be less than or equal to memory limit of 64Mi"}),
        ({"cpu": "-1"}, {}, {"requests[cpu]": "must be between 0 and"}),
        ({}, {"memory": "-1"}, {"limits[memory]": "must be between 0 and"}),
        ({}, {"memory": MIN_MEMORY - 1}, {"limits[memory]": "'6291455' is too little: an engine takes 6Mi or more"}),
        ({"memory": "9e18"}, {"memory": "16E"}, {"limits[memory]": "must be between 0 and"}),
        (ResourceList("abc"), {}, {"requests[cpu]": "a whole number of millicores is expected, not 'abc'"}),  # type: ignore[arg-type]
        ({}, ResourceList(True, 1.5), {"limits[cpu]": "a whole number", "limits[memory]": "a whole number of bytes"}),  # type: ignore[arg-type]
    ],
)  # fmt: skip
def test_resources(requests: Any, limits: Any, expected: dict[str, str]) -> None:
    found = problems(one(resources=Resources(requests=requests, limits=limits)))
    assert [problem.path for problem in found] == [
        f"spec.containers[0].resources.{name}" for name in expected
    ]
    for problem, message in zip(found, expected.values(), strict=True):
        assert problem.message.startswith(message)


@pytest.mark.parametrize("path", ["a", "/", "/a:b", "/a\0", 5, None, "/data", "/data/"])
def test_bad_termination_message_paths(path: Any) -> None:
    web = Container("web", "x", mounts={"v": "/data"}, termination_message_path=path)
    spec = pod(web, volumes=(Volume.empty_dir("v"),))
    assert set(paths(spec)) == {"spec.containers[0].terminationMessagePath"}


def test_termination_message_paths() -> None:
    for path in ("", "/dev/termination-log", "/data/message"):
        web = Container("web", "x", mounts={"v": "/data"}, termination_message_path=path)
        validate(pod(web, volumes=(Volume.empty_dir("v"),)))


@pytest.mark.parametrize("deadline", [0, -1, float("nan"), float("inf"), 2**31, "5", True])
def test_bad_deadlines(deadline: Any) -> None:
    assert paths(pod(active_deadline_seconds=deadline)) == ["spec.activeDeadlineSeconds"]


@pytest.mark.parametrize("deadline", [None, 1, 0.5, 2**31 - 1])
def test_deadlines(deadline: float | None) -> None:
    validate(pod(active_deadline_seconds=deadline))


def test_backoff_is_one_of_two() -> None:
    assert paths(pod(restart_backoff="fast")) == ["metadata.annotations[io.pypod/restart-backoff]"]
