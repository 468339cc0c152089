"""Kubernetes documents in and out: what is written is read back, and what would not be done is refused by name."""

from __future__ import annotations

import copy
import json
import pickle
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pypod.errors import ManifestError
from pypod.model.document import codec
from pypod.model.document.pods import from_document, to_document
from pypod.model.manifest.manifest import dump, load
from pypod.model.rules import expansion
from pypod.model.schema.quantity import format_bytes, format_milli, parse_milli, parse_quantity
from pypod.model.schema.references import Template, escape, expand
from pypod.model.spec.handlers import (
    ExecAction,
    GRPCAction,
    HTTPGetAction,
    Lifecycle,
    Probe,
    Scheme,
    SleepAction,
    TCPSocketAction,
)
from pypod.model.spec.pod import (
    DEFAULT_TERMINATION_MESSAGE_PATH,
    BackoffProfile,
    Container,
    ContainerPort,
    EmptyDir,
    EnvVar,
    HostPath,
    HostPathType,
    Medium,
    MessagePolicy,
    PodSpec,
    PullPolicy,
    RestartPolicy,
    Volume,
    VolumeMount,
)
from pypod.model.spec.resources import MIN_MEMORY, ResourceList, Resources
from pypod.model.validation.validating import problems

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

docker_names = st.from_regex(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,8}", fullmatch=True).filter(
    lambda name: name not in ("host", "none") and not name.startswith("pypod")
)
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
empty_dirs = st.builds(EmptyDir, st.sampled_from([Medium.DISK, Medium.MEMORY]), sizes)
host_paths = st.builds(
    HostPath, paths, st.sampled_from([HostPathType.UNSET, HostPathType.DIRECTORY_OR_CREATE])
)


# Whole, with a fraction, and near the values that mean a default.
seconds = st.sampled_from([1.0, 0.25, 9.5, 10, 0.999, 29.5]) | st.floats(1e-6, 1e6)
commands = st.builds(lambda words: ExecAction(tuple(words)), st.lists(texts, min_size=1, max_size=3))
hosts = st.sampled_from(["", "example.com"])
headers = st.lists(
    st.tuples(st.sampled_from(["Accept", "X-A", "accept"]), st.sampled_from(["", "a", "é: $(A)"])), max_size=2
)


def network_handlers(names: list[str]) -> st.SearchStrategy[Any]:
    ports = st.integers(1, 65535) | (st.sampled_from(names) if names else st.nothing())
    paths = st.sampled_from(["/", "/a?b=c#d", "healthz"])
    http = st.builds(HTTPGetAction, ports, paths, hosts, st.sampled_from(Scheme), headers.map(tuple))
    return http | st.builds(TCPSocketAction, ports, hosts)


def probes(names: list[str], *, is_readiness: bool) -> st.SearchStrategy[Probe | None]:
    grpc = st.builds(GRPCAction, st.integers(1, 65535), st.sampled_from(["", "a.b"]))
    probe = st.builds(
        Probe,
        commands | grpc | network_handlers(names),
        initial_delay_seconds=st.just(0) | seconds,
        timeout_seconds=seconds,
        period_seconds=seconds,
        success_threshold=st.integers(1, 3) if is_readiness else st.just(1),
        failure_threshold=st.integers(1, 4),
        termination_grace_period_seconds=st.none() if is_readiness else st.none() | seconds,
    )
    return st.none() | probe


def hooks(names: list[str]) -> st.SearchStrategy[Any]:
    sleeps = st.builds(SleepAction, st.sampled_from([0, 0.5, 2.0, 2.25]))
    return st.none() | commands | sleeps | network_handlers(names)


@st.composite
def resources(draw: st.DrawFn) -> Resources:
    amounts = st.none() | st.integers(0, 2**40)
    limits = ResourceList(draw(amounts), draw(st.sampled_from([None, 0, MIN_MEMORY, MIN_MEMORY + 1, 2**40])))
    cpu, memory = draw(amounts), draw(amounts)
    return Resources(
        requests=ResourceList(
            cpu if cpu is None or limits.cpu is None else min(cpu, limits.cpu),
            memory if memory is None or limits.memory is None else min(memory, limits.memory),
        ),
        limits=limits,
    )


@st.composite
def containers(
    draw: st.DrawFn, name: str, volumes: list[str], numbers: list[int], *, init: bool = False
) -> Container:
    at = draw(st.lists(paths, unique=True, max_size=2)) if volumes else []
    policy = draw(
        st.none() | st.just(RestartPolicy.ALWAYS) if init else st.none() | st.sampled_from(RestartPolicy)
    )
    names = [f"p{n}" for n in numbers]
    watched = not init or policy is not None
    return Container(
        name,
        draw(st.sampled_from(["nginx", "localhost:5000/a/b:c", "a@sha256:" + "0" * 64])),
        command=draw(st.lists(texts, max_size=3)),
        args=draw(st.lists(texts, max_size=3)),
        env=draw(st.dictionaries(st.from_regex(r"[A-Z_]{1,4}", fullmatch=True), texts, max_size=3)),
        ports=[
            ContainerPort(
                n, draw(st.none() | st.just(0) | st.just(n)), draw(st.sampled_from(["TCP", "UDP"])), f"p{n}"
            )
            for n in numbers
        ],
        mounts=[VolumeMount(draw(st.sampled_from(volumes)), path, draw(st.booleans())) for path in at],
        working_dir=draw(st.just("") | paths),
        user=draw(st.sampled_from(["", "1000", "1000:1000", "nobody", "a,b=c"])),
        image_pull_policy=draw(st.none() | st.sampled_from(PullPolicy)),
        own_pid=draw(st.booleans()),
        restart_policy=policy,
        startup_probe=draw(probes(names, is_readiness=False)) if watched else None,
        liveness_probe=draw(probes(names, is_readiness=False)) if watched else None,
        readiness_probe=draw(probes(names, is_readiness=True)) if watched else None,
        lifecycle=Lifecycle(draw(hooks(names)), draw(hooks(names))) if watched else None,
        resources=draw(resources()),
        termination_message_path=draw(st.sampled_from(["", DEFAULT_TERMINATION_MESSAGE_PATH, "/x/y"])),
        termination_message_policy=draw(st.sampled_from(MessagePolicy)),
    )


@st.composite
def specs(draw: st.DrawFn) -> PodSpec:
    volumes = draw(st.lists(labels, unique=True, max_size=3))
    names = draw(st.lists(labels, unique=True, min_size=1, max_size=3))
    inits = draw(st.integers(0, len(names) - 1))
    members = tuple(
        draw(containers(name, volumes, draw(st.just([]) | st.just([8000 + i])), init=i < inits))
        for i, name in enumerate(names)
    )
    return PodSpec(
        name=draw(labels),
        containers=members[inits:],
        volumes=tuple(Volume(name, draw(empty_dirs | host_paths)) for name in volumes),
        namespace=draw(labels),
        labels=draw(st.dictionaries(labels, st.sampled_from(["", "y", "1", "a.b"]), max_size=2)),
        restart_policy=draw(st.sampled_from(RestartPolicy)),
        share_process_namespace=draw(st.booleans()),
        hostname=draw(st.just("") | labels),
        termination_grace_period_seconds=draw(st.sampled_from([30.0, 2.25, 29.5, 5]) | st.floats(2.25, 1e6)),
        network=draw(st.just("") | labels),
        extra_networks=tuple(draw(st.lists(docker_names, max_size=3, unique=True))),
        init_containers=members[:inits],
        active_deadline_seconds=draw(st.none() | seconds),
        restart_backoff=draw(st.sampled_from(BackoffProfile)),
    )


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(specs())
def test_every_valid_spec_comes_back(spec: PodSpec) -> None:
    assert problems(spec) == []
    assert from_document(to_document(spec)) == spec
    assert codec.load_spec(codec.dump_spec(spec)) == spec
    assert load(dump(spec)) == spec
    assert load(json.dumps(to_document(spec), indent="\t")) == spec
    assert codec.dump_spec(codec.load_spec(codec.dump_spec(spec))) == codec.dump_spec(spec)


@pytest.mark.parametrize("grace", [0, 0.25, 0.0, 30])
def test_any_grace_period_comes_back(grace: float) -> None:
    spec = PodSpec("a", (Container("c", "i"),), termination_grace_period_seconds=grace)
    assert codec.load_spec(codec.dump_spec(spec)) == spec


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
        "a",
        (Container("c", "i", own_pid=True), Container("d", "i", own_pid=True, user="u")),
        network="n",
        extra_networks=("shop_default", "bridge"),
        restart_backoff=BackoffProfile.CLASSIC,
    )
    assert to_document(spec)["metadata"] == {
        "name": "a",
        "namespace": "default",
        "annotations": {
            "io.pypod/own-pid": "c,d",
            "io.pypod/network": "n",
            "io.pypod/extra-networks": "shop_default,bridge",
            "io.pypod/users": '{"d": "u"}',
            "io.pypod/no-termination-message": "c,d",
            "io.pypod/restart-backoff": "classic",
        },
    }


# --- reading ---------------------------------------------------------------------------------------------------------


def test_the_least_pod_has_kubernetes_defaults() -> None:
    web = Container("web", "nginx", termination_message_path="/dev/termination-log")
    assert from_document(MINIMAL) == PodSpec("shop", (web,), share_process_namespace=False)


def test_null_is_absent_as_in_kubernetes() -> None:
    document = with_container(
        command=None, env=[{"name": "A", "value": None}, {"name": "B"}], ports=None, resources={}
    )
    document["metadata"].update(creationTimestamp=None, labels=None)
    document["status"] = {}
    assert from_document(document).containers[0].env == (EnvVar("A"), EnvVar("B"))


def test_unknown_and_unsupported_fields_are_told_apart() -> None:
    document = with_container(imagePullpolicy="Never")
    document["spec"].update(ephemeralContainers=[{}], containrs=1)
    document["sepc"] = {}
    assert sorted(refusals(document)) == [
        "sepc: unknown field, did you mean 'spec'?",
        "spec.containers[0].imagePullpolicy: unknown field, did you mean 'imagePullPolicy'?",
        "spec.containrs: unknown field, did you mean 'containers'?",
        "spec.ephemeralContainers: is refused: they join a pod that runs; use 'pypod debug', or pod.debug()",
    ]


NEW_REFUSALS: list[tuple[str, Any, str]] = [
    ("livenessProbe", {}, "livenessProbe: must specify a handler type: one of exec, httpGet, tcpSocket, grpc is"),
    ("livenessProbe", {"exec": None, "periodSeconds": 5}, "livenessProbe: must specify a handler type"),
    ("livenessProbe", "x", "livenessProbe: a mapping of fields is expected, not 'x'"),
    ("livenessProbe", {"exec": {"command": ["a"]}, "grpc": {"port": 1}}, "livenessProbe.grpc: may not specify more than 1 handler type: exec is there already"),
    ("livenessProbe", {"exec": {"command": "a"}}, "livenessProbe.exec.command: a list is expected"),
    ("livenessProbe", {"sleep": {"seconds": 1}, "grpc": {"port": 1}}, "livenessProbe.sleep: unknown field"),
    ("livenessProbe", {"grpc": {"port": 1}, "periodSeconds": 0.5}, "livenessProbe.periodSeconds: a whole number is expected, not the number 0.5"),
    ("livenessProbe", {"grpc": {"port": "http"}}, "livenessProbe.grpc.port: a whole number is expected, not 'http'"),
    ("startupProbe", {"grpc": {}}, "startupProbe.grpc.port: is required"),
    ("readinessProbe", {"httpGet": {}}, "readinessProbe.httpGet.port: is required"),
    ("readinessProbe", {"httpGet": {"port": True}}, "readinessProbe.httpGet.port: a number or the name of a port is expected, not the boolean true"),
    ("readinessProbe", {"httpGet": {"port": 1, "scheme": "http"}}, "readinessProbe.httpGet.scheme: 'http' is not supported; one of 'HTTP', 'HTTPS' is expected"),
    ("readinessProbe", {"httpGet": {"port": 1, "httpHeaders": [{"value": "a"}]}}, "readinessProbe.httpGet.httpHeaders[0].name: is required"),
    ("readinessProbe", {"httpGet": {"port": 1, "httpHeaders": [{"name": "a", "value": 1}]}}, "readinessProbe.httpGet.httpHeaders[0].value: a string is expected, not the number 1"),
    ("readinessProbe", {"httpGet": {"port": 1, "paht": "/"}}, "readinessProbe.httpGet.paht: unknown field, did you mean 'path'?"),
    ("lifecycle", {"preStop": {}}, "lifecycle.preStop: must specify a handler type: one of exec, httpGet, tcpSocket, sleep is"),
    ("lifecycle", {"preStop": {"sleep": {}}}, "lifecycle.preStop.sleep.seconds: is required"),
    ("lifecycle", {"preStop": {"sleep": {"seconds": "1"}}}, "lifecycle.preStop.sleep.seconds: a whole number is expected, not '1'"),
    ("lifecycle", {"postStart": {"grpc": {"port": 1}, "exec": {"command": ["a"]}}}, "lifecycle.postStart.grpc: unknown field"),
    ("lifecycle", {"preStart": {}}, "lifecycle.preStart: unknown field"),
    ("resources", {"limits": {"nvidia.com/gpu": 1}}, "resources.limits[nvidia.com/gpu]: is refused: nothing on an engine hands out such a resource"),
    ("resources", {"requests": {"memroy": "1Gi"}}, "resources.requests[memroy]: unknown field, did you mean 'memory'?"),
    ("resources", {"requests": {"cpu": "abc"}}, "resources.requests[cpu]: 'abc' is no quantity"),
    ("resources", {"requests": {"cpu": True}}, "resources.requests[cpu]: a quantity like '64Mi' is expected, not the boolean true"),
    ("resources", {"claims": [{"name": "a"}]}, "resources.claims: is refused: there is nobody"),
    ("restartPolicy", "always", "restartPolicy: 'always' is not supported; one of 'Always', 'OnFailure', 'Never' is expected"),
    ("terminationMessagePolicy", "Logs", "terminationMessagePolicy: 'Logs' is not supported; one of 'File', 'FallbackToLogsOnError'"),
    ("terminationMessagePath", 5, "terminationMessagePath: a string is expected"),
]  # fmt: skip
ANNOTATION_REFUSALS = [
    *((("exact"), text, "a JSON object of field path to number is expected, not") for text in (
        "", "5", "[]", "{", '{"a": "1"}', '{"a": true}', '{"a": NaN}', '{"a": 1e999}', "[" * 100_000)),
    ("exact", '{"spec.periodSeconds": 0.5}', "there is no number at 'spec.periodSeconds'"),
    ("exact", '{"spec.terminationGracePeriodSeconds": 5.5}', "5.5 is not what spec.terminationGracePeriodSeconds says, the number 30.0"),
    ("restart-backoff", "slow", "'slow' is not supported; one of 'fast', 'classic' is expected"),
    ("no-termination-message", "wep", "there is no container 'wep', did you mean 'web'?"),
    ("termination-grace-period-seconds", "0.5", "unknown annotation"),
]  # fmt: skip


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
        (with_container(env=[{"name": "A", "valueFrom": {}}]), "spec.containers[0].env[0].valueFrom: must specify a source: one of fieldRef,"),
        (with_pod(shareProcessNamespace="true"), "spec.shareProcessNamespace: true or false is expected, not 'true'"),
        (with_pod(restartPolicy="never"), "spec.restartPolicy: 'never' is not supported; one of 'Always', 'OnFailure', 'Never'"),
        (with_pod(volumes=[{"name": "a", "csi": {}}]), "spec.volumes[0].csi: is refused: an engine has no driver for it"),
        (with_pod(volumes=[{"name": "a", "hostPath": {"path": "/a", "type": "Sock"}}]), "spec.volumes[0].hostPath.type: 'Sock' is not supported"),
        (with_pod(volumes=[{"name": "a", "hostPath": {}}]), "spec.volumes[0].hostPath.path: is required"),
        (with_pod(volumes=[{"name": "a", "hostPath": {"path": "/"}, "emptyDir": {}}]), "spec.volumes[0].hostPath: may not specify more than 1 volume type: emptyDir is there already"),
        (with_pod(volumes=[{"name": "a", "emptyDir": {"sizeLimit": "1 Mi"}}]), "spec.volumes[0].emptyDir.sizeLimit: '1 Mi' is no quantity"),
        (with_pod(containers=None), "spec.containers: is required"),
        ({**MINIMAL, "kind": "Job"}, "kind: 'Job' is refused: pypod runs Pods, and nothing that makes them; write its pod template, spec.template, as a Pod"),
        ({**MINIMAL, "apiVersion": "v2"}, "apiVersion: 'v2' is not supported"),
        ({**MINIMAL, "spec": None}, "spec: is required"),
        ({**MINIMAL, "metadata": {"name": "a", "labels": {"b": 1}}}, "metadata.labels[b]: a string is expected, not the number 1"),
        ({**MINIMAL, "metadata": {}}, "metadata.name: is required"),
        ({**MINIMAL, "metadata": {"name": "a", "annotations": {"x.y/z": 1}}}, "metadata.annotations[x.y/z]: a string is expected, not a number (in quotes it is one)"),
        ({**MINIMAL, "metadata": {"name": "a", "annotations": {"io.pypod/own-pi": "web"}}}, "metadata.annotations[io.pypod/own-pi]: unknown annotation, did you mean"),
        ({**MINIMAL, "metadata": {"name": "a", "annotations": {"io.pypod/own-pid": "wep"}}}, "metadata.annotations[io.pypod/own-pid]: there is no container 'wep', did you mean 'web'?"),
        ({**MINIMAL, "metadata": {"name": "a", "annotations": {"io.pypod/users": "[]"}}}, "metadata.annotations[io.pypod/users]: a JSON object"),
        *[(with_container(**{field: value}), f"spec.containers[0].{message}") for field, value, message in NEW_REFUSALS],
        *[({**MINIMAL, "metadata": {"name": "a", "annotations": {f"io.pypod/{name}": text}}}, f"metadata.annotations[io.pypod/{name}]: {message}") for name, text, message in ANNOTATION_REFUSALS],
        ([], "document: a mapping of fields is expected, not a list"),
        (None, "document: a mapping of fields is expected, not null"),
    ],
)  # fmt: skip
def test_refused_by_name(document: Any, message: str) -> None:
    (found,) = refusals(document)
    assert found.startswith(message)


PROBE = {"httpGet": {"port": "http"}}


def test_zero_and_nothing_are_kubernetes_defaults() -> None:
    zeros = dict.fromkeys(
        ["initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"], 0
    )
    default = Probe(HTTPGetAction("http", "/", "", Scheme.HTTP, ()), 0, 1, 10, 1, 3, None)
    for probe in (PROBE, {**PROBE, **zeros}, {"httpGet": {"port": "http", "path": "", "scheme": ""}}):
        assert container(readinessProbe=probe).readiness_probe == default


def test_probes_and_hooks_are_read_in_full() -> None:
    get = {
        "port": 8080,
        "path": "/x",
        "host": "h",
        "scheme": "HTTPS",
        "httpHeaders": [{"name": "A", "value": "b"}],
    }
    found = container(
        startupProbe={"grpc": {"port": 1, "service": "s"}, "failureThreshold": 30, "periodSeconds": 2},
        livenessProbe={"tcpSocket": {"port": "web", "host": "h"}, "terminationGracePeriodSeconds": 5},
        readinessProbe={"httpGet": get, "initialDelaySeconds": 1, "timeoutSeconds": 2, "successThreshold": 3},
        lifecycle={"postStart": {"exec": {"command": ["a", "b"]}}, "preStop": {"sleep": {"seconds": 3}}},
    )
    assert found.startup_probe == Probe.grpc(1, service="s", failure_threshold=30, period_seconds=2)
    assert found.liveness_probe == Probe.tcp_socket("web", host="h", termination_grace_period_seconds=5)
    assert found.readiness_probe == Probe.http_get(
        "/x", port=8080, host="h", scheme="HTTPS", headers={"A": "b"},
        initial_delay_seconds=1, timeout_seconds=2, success_threshold=3,
    )  # fmt: skip
    assert found.lifecycle == Lifecycle(ExecAction(("a", "b")), SleepAction(3))


def test_init_containers_are_read_like_others() -> None:
    document = with_pod(
        initContainers=[
            {
                "name": "a",
                "image": "i",
                "restartPolicy": "Always",
                "startupProbe": {"exec": {"command": ["x"]}},
            },
            {"name": "b", "image": "i"},
        ],
        activeDeadlineSeconds=60,
    )
    spec = from_document(document)
    assert [each.name for each in spec.all_containers] == ["a", "b", "web"]
    assert spec.sidecars == spec.init_containers[:1]
    assert spec.init_containers[0].startup_probe == Probe.exec(["x"])
    assert spec.active_deadline_seconds == 60


def test_resources_are_quantities() -> None:
    found = container(
        resources={"requests": {"cpu": 0.5, "memory": "64Mi"}, "limits": {"cpu": "1500m", "memory": 1e9}}
    )
    assert found.resources == Resources(
        requests=ResourceList(500, 64 * 2**20), limits=ResourceList(1500, 10**9)
    )
    assert container(resources={}).resources == container(resources=None).resources == Resources()
    zero = container(resources={"requests": {"cpu": 0}, "limits": {"cpu": 1}}).resources
    assert zero.effective_requests.cpu == 0


def test_references_in_a_probe_are_to_values_as_they_are_written() -> None:
    env = [{"name": "A", "value": "1"}, {"name": "B", "value": "$(A)"}, {"name": "D", "value": "$$(A)"}]
    command = ["$(A)", "$(B)", "$$(A)", "$(C)", "$(D)"]
    found = container(env=env, livenessProbe={"exec": {"command": command}}, args=command)
    assert found.liveness_probe is not None
    assert expansion.probe(found, found.liveness_probe) == Probe.exec(["1", "$(A)", "$(A)", "$(C)", "$$(A)"])
    assert expansion.words(found.args, expansion.environment(found)) == ("1", "1", "$(A)", "$(C)", "$(A)")


def test_hooks_have_no_references() -> None:
    command = ["sh", "-c", "kill $$; echo $(A)"]
    hook = {"preStop": {"exec": {"command": command}}}
    assert container(env=[{"name": "A", "value": "1"}], lifecycle=hook).lifecycle.pre_stop == ExecAction(
        tuple(command)
    )


def test_fractions_are_rounded_up_for_a_cluster_and_exact_for_us() -> None:
    probe = Probe.exec(["a"], initial_delay_seconds=0.5, timeout_seconds=0.2, period_seconds=9.5)
    spec = PodSpec(
        "a",
        (Container("c", "i", readiness_probe=probe, lifecycle=Lifecycle(pre_stop=SleepAction(0.1))),),
        termination_grace_period_seconds=0.5,
        active_deadline_seconds=1.5,
    )
    document: Any = to_document(spec)
    at = "spec.containers[0]"
    assert document["spec"]["containers"][0]["readinessProbe"] == {
        "exec": {"command": ["a"]},
        "initialDelaySeconds": 1,
    }
    assert document["spec"]["containers"][0]["lifecycle"] == {"preStop": {"sleep": {"seconds": 1}}}
    assert document["spec"]["terminationGracePeriodSeconds"] == 1
    assert document["spec"]["activeDeadlineSeconds"] == 2
    assert json.loads(document["metadata"]["annotations"]["io.pypod/exact"]) == {
        f"{at}.readinessProbe.initialDelaySeconds": 0.5,
        f"{at}.readinessProbe.timeoutSeconds": 0.2,
        f"{at}.readinessProbe.periodSeconds": 9.5,
        f"{at}.lifecycle.preStop.sleep.seconds": 0.1,
        "spec.terminationGracePeriodSeconds": 0.5,
        "spec.activeDeadlineSeconds": 1.5,
    }
    assert from_document(document) == spec
    document["spec"]["activeDeadlineSeconds"] = 60
    assert refusals(document) == [
        "metadata.annotations[io.pypod/exact]: 1.5 is not what spec.activeDeadlineSeconds says, the number 60"
    ]


def test_host_port_0_is_none_in_a_manifest_and_any_free_one_from_python() -> None:
    assert container(ports=[{"containerPort": 80, "hostPort": 0}]).ports == (ContainerPort(80),)
    spec = PodSpec("a", (Container("c", "i", ports=[ContainerPort(80, host_port=0)]),))
    document: Any = to_document(spec)
    assert document["spec"]["containers"][0]["ports"] == [{"containerPort": 80}]
    assert from_document(document) == spec
    document["metadata"]["annotations"]["io.pypod/exact"] = '{"spec.containers[0].ports[0].hostPort": 8080.5}'
    document["spec"]["containers"][0]["ports"] = [{"containerPort": 80, "hostPort": 8081}]
    assert "can be 0 alone" in refusals(document)[0]


def test_no_termination_message_and_a_path_contradict() -> None:
    document = with_container(terminationMessagePath="/x")
    document["metadata"]["annotations"] = {"io.pypod/no-termination-message": "web"}
    (found,) = refusals(document)
    assert found.endswith("container 'web' has one: its terminationMessagePath is '/x'")
    document["spec"]["containers"][0]["terminationMessagePath"] = None
    assert from_document(document).containers[0].termination_message_path == ""


def test_huge_numbers_are_no_traceback() -> None:
    for number, shown in ((10**400, "a very large number"), (2**63, "the number 9223372036854775808")):
        (found,) = refusals(with_pod(terminationGracePeriodSeconds=number))
        assert found == (
            "spec.terminationGracePeriodSeconds: must be between -9223372036854775808 and 9223372036854775807,"
            f" not {shown}"
        )


def test_what_could_not_be_read_leaves_no_number_over() -> None:
    document = with_container(livenessProbe=5)
    document["metadata"]["annotations"] = {
        "io.pypod/exact": '{"spec.containers[0].livenessProbe.periodSeconds": 0.5}'
    }
    assert len(refusals(document)) == 1


def test_volumes_as_kubernetes_reads_them() -> None:
    volumes = [{"name": "a"}, {"name": "b", "emptyDir": {"medium": "Memory", "sizeLimit": "64Mi"}}]
    assert from_document(with_pod(volumes=volumes)).volumes == (
        Volume("a", EmptyDir()),
        Volume("b", EmptyDir(Medium.MEMORY, 64 * 2**20)),
    )


VECTORS = Path(__file__).parent.parent / "vectors"
EXPANSION = json.loads((VECTORS / "expansion.json").read_text("utf-8"))
# Beside Kubernetes' own, third_party/forked/golang/expansion/expand_test.go.
REFERENCES = [
    ("$$(VAR_A", "$(VAR_A"),
    ("$", "$"),
    ("$$", "$"),
    ("$($(VAR_A)", "$($(VAR_A)"),
    ("$()", "$()"),
    ("a)$$(", "a)$("),
]


def test_every_expansion_of_kubernetes_own_test_is_here() -> None:
    assert len(EXPANSION["cases"]) == 24


@pytest.mark.parametrize(
    ("text", "expected"),
    [*((case["input"], case["expected"]) for case in EXPANSION["cases"]), *REFERENCES],
)
def test_references_are_expanded(text: str, expected: str) -> None:
    before = [{"name": name, "value": escape(value)} for name, value in EXPANSION["context"].items()]
    found = container(env=[*before, {"name": "T", "value": text}], args=[text], command=["$(T)"])
    variables = expansion.environment(found)
    assert expansion.words(found.args, variables) == (expected,)
    assert variables["T"] == expected
    assert expansion.words(found.command, variables) == (expected,)


@pytest.mark.parametrize("text", ["", "a", "$$", "$(", "$$(A)", "a$$b", "$()", "$A", "$(A"])
def test_text_that_refers_to_nothing_is_plain(text: str) -> None:
    (found,) = container(args=[text]).args
    assert type(found) is str
    assert found == expand(text, {})
    assert type(Template(text)) is str


def test_a_template_is_no_plain_text() -> None:
    template = Template("http://$(HOST)")
    assert container(args=["http://$(HOST)"]).args == (template,)
    assert template != "http://$(HOST)"
    assert "http://$(HOST)" != template  # noqa: SIM300 (both ways round)
    assert {template, "http://$(HOST)"} == {"http://$(HOST)", template}
    assert len({template, "http://$(HOST)"}) == 2
    assert repr(template) == "Template('http://$(HOST)')"
    assert copy.deepcopy(template) == pickle.loads(pickle.dumps(template)) == template
    spec = PodSpec("a", (Container("c", "i", args=[template, "$(HOST)"], env={"A": template}),))
    document: Any = to_document(spec)
    assert document["spec"]["containers"][0]["args"] == ["http://$(HOST)", "$$(HOST)"]
    assert type(document["spec"]["containers"][0]["args"][0]) is str
    assert from_document(document) == spec


def test_a_variable_refers_to_those_before_it() -> None:
    env = [{"name": "B", "value": "$(A)"}, {"name": "A", "value": "1"}, {"name": "A", "value": "$(A)2"}]
    assert expansion.environment(container(env=env)) == {"B": "$(A)", "A": "12"}


def test_references_cannot_blow_up() -> None:
    env = [{"name": "V0", "value": "x" * 1000}]
    env += [{"name": f"V{i}", "value": f"$(V{i - 1})" * 100} for i in range(1, 9)]
    (found,) = problems(from_document(with_container(env=env)))
    assert found.path == "spec.containers[0].env"
    assert "longer than" in found.message
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


def test_every_quantity_of_kubernetes_own_test() -> None:
    vectors = json.loads((VECTORS / "quantity.json").read_text("utf-8"))
    cases, bad = vectors["cases"], vectors["invalid"]
    assert (len(cases), len(bad)) == (56, 6)
    for case in cases:
        assert parse_quantity(case["input"]) == case["value_int_roundup"], case
        assert parse_milli(case["input"]) == case["milli_roundup"], case
    for text in bad:
        with pytest.raises(ValueError, match="is no quantity"):
            parse_quantity(text)


@given(st.integers(0, 2**63))
def test_written_quantities_come_back(number: int) -> None:
    assert parse_milli(format_milli(number)) == number
    assert parse_quantity(format_bytes(number)) == number


def test_quantities_are_written_short() -> None:
    assert [format_milli(each) for each in (0, 1, 500, 1000, 1500)] == ["0", "1m", "500m", "1", "1500m"]
    assert [format_bytes(each) for each in (0, 1, 1000, 1024, 3 * 2**29)] == [
        "0",
        "1",
        "1000",
        "1Ki",
        "1536Mi",
    ]


def test_a_quantity_that_is_too_large_costs_nothing() -> None:
    assert parse_quantity("1e999999999") > 2**63


@pytest.mark.parametrize(
    "text", ["", "{", "[" * 100_000, "5", '{"apiVersion":"v1","kind":"Pod"}', '{"kind":1}']
)
def test_codec_refuses_what_is_no_spec(text: str) -> None:
    with pytest.raises(ManifestError, match=r"cannot accept label io\.pypod\.spec"):
        codec.load_spec(text)
