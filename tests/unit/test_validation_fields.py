"""The rules of the fields of Kubernetes, one by one. What nothing carries out yet is checked all the same."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from pypod.errors import Problem
from pypod.model.schema.checking import LABEL_1035, Check, check_qualified, is_key
from pypod.model.schema.references import Template
from pypod.model.spec.handlers import Hook, Lifecycle, Probe
from pypod.model.spec.network import DNSConfig, DNSPolicy, HostAlias
from pypod.model.spec.pod import (
    AppArmorProfile,
    Capabilities,
    ConfigMapEnvSource,
    ConfigMapKeyRef,
    ConfigMapProjection,
    Container,
    ContainerPort,
    DownwardAPIFile,
    DownwardAPIProjection,
    EmptyDir,
    EnvFrom,
    EnvVar,
    ExitCodeOperator,
    ExitCodes,
    FieldRef,
    FileKeyRef,
    ImageSource,
    KeyToPath,
    Medium,
    MountPropagation,
    NFSSource,
    PodSecurityContext,
    PodSpec,
    ProfileType,
    RecursiveReadOnly,
    ResourceFieldRef,
    RestartAction,
    RestartRule,
    SeccompProfile,
    SecretEnvSource,
    SecretKeyRef,
    SecurityContext,
    Volume,
    VolumeMount,
)
from pypod.model.spec.resources import Resources
from pypod.model.validation.env import ENV_FIELDS
from pypod.model.validation.validating import problems, warnings

NAMES: dict[str, Any] = json.loads(
    (Path(__file__).parent.parent / "vectors" / "names.json").read_text("utf-8")
)
VOLUMES = (Volume.empty_dir("v"),)


def pod(container: Container | None = None, **fields: Any) -> PodSpec:
    return PodSpec("shop", (container or Container("web", "nginx"),), **fields)


def one(**fields: Any) -> PodSpec:
    """A pod of one container with these fields, and a volume."""
    return pod(Container("web", "nginx", **fields), volumes=VOLUMES)


def faults(spec: PodSpec) -> list[Problem]:
    """What is wrong with a spec, beside that something is not there yet."""
    return [problem for problem in problems(spec) if problem.message != "is not supported yet"]


def fault(spec: PodSpec) -> str:
    (problem,) = faults(spec)
    return f"{problem.path}: {problem.message}"


# --- Kubernetes' own vectors --------------------------------------------------------------------------------------------


def _is_qualified(text: str) -> bool:
    check = Check()
    check_qualified(check, "x", text, "label key")
    return check.problems == []


ACCEPTS: dict[str, Callable[[str], bool]] = {
    "dns1123label": lambda text: not faults(pod(namespace=text)),
    "dns1123subdomain": lambda text: not faults(dataclasses.replace(pod(), name=text)),
    "dns1035label": lambda text: len(text) <= 63 and LABEL_1035.fullmatch(text) is not None,
    "configmapkey": is_key,
    "envvarname_relaxed": lambda text: not faults(one(env={text: ""})),
    "portname": lambda text: not faults(one(ports=[ContainerPort(80, name=text)])) and text != "",
    "labelkey": _is_qualified,
    "labelvalue": lambda text: not faults(pod(labels={"a": text})),
}
CASES = [
    (kind, text, verdict == "good")
    for kind, lists in NAMES.items()
    if kind != "source"
    for verdict, texts in lists.items()
    for text in texts
]


def test_the_vectors_are_all_here() -> None:
    assert len(CASES) == 178
    assert {kind for kind, _, _ in CASES} == set(ACCEPTS)


@pytest.mark.parametrize(("kind", "text", "good"), CASES)
def test_names_are_kubernetes(kind: str, text: str, good: bool) -> None:
    assert ACCEPTS[kind](text) is good


# --- env ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [*ENV_FIELDS, "metadata.labels['app']", "metadata.annotations['A.b/C']"])
def test_fields_of_the_pod(path: str) -> None:
    assert faults(one(env={"A": FieldRef(path)})) == []


WEB = "spec.containers[0]"
BAD_ENV = [
    (FieldRef("status.podIp"), "env[0].valueFrom.fieldRef.fieldPath: 'status.podIp' is not supported; one of"),
    (FieldRef("metadata.labels"), "env[0].valueFrom.fieldRef.fieldPath: 'metadata.labels' is not supported"),
    (FieldRef("metadata.labels['a b']"), "env[0].valueFrom.fieldRef.fieldPath: the key 'a b' is not valid"),
    (FieldRef("metadata.name", "v2"), "env[0].valueFrom.fieldRef.apiVersion: 'v2' is not supported; 'v1'"),
    (ResourceFieldRef("limits.cpus"), "env[0].valueFrom.resourceFieldRef.resource: 'limits.cpus' is not supported; one of 'limits.cpu', 'limits.memory', 'limits.ephemeral-storage', 'requests.cpu', 'requests.memory', 'requests.ephemeral-storage' is expected, did you mean 'limits.cpu'?"),
    (ResourceFieldRef("limits.cpu", divisor="2"), "env[0].valueFrom.resourceFieldRef.divisor: '2' is not supported; one of '0', '1m', '1'"),
    (ResourceFieldRef("limits.cpu", "wep"), "env[0].valueFrom.resourceFieldRef.containerName: Not found: 'wep', did you mean 'web'?"),
    (ConfigMapKeyRef("", "k"), "env[0].valueFrom.configMapKeyRef.name: is required"),
    (ConfigMapKeyRef("a", "..k"), "env[0].valueFrom.configMapKeyRef.key: '..k' is not valid: a key of a ConfigMap or Secret"),
    (SecretKeyRef("A", "k"), "env[0].valueFrom.secretKeyRef.name: 'A' is not valid"),
    (SecretKeyRef("a", ""), "env[0].valueFrom.secretKeyRef.key: is required"),
    (FileKeyRef("w", "env", "A"), "env[0].valueFrom.fileKeyRef.volumeName: Not found: 'w'"),
    (FileKeyRef("v", "../env", "A"), "env[0].valueFrom.fileKeyRef.path: '../env' must not contain '..'"),
    (ConfigMapKeyRef("a", 5), "env[0].valueFrom.configMapKeyRef.key: a string is expected, not the number 5"),  # type: ignore[arg-type]
]  # fmt: skip


@pytest.mark.parametrize(("source", "message"), BAD_ENV, ids=range(len(BAD_ENV)))
def test_bad_sources_of_variables(source: Any, message: str) -> None:
    assert fault(one(env={"A": source})).startswith(f"{WEB}.{message}")


def test_a_variable_has_one_source() -> None:
    spec = one(env=[EnvVar("A", "1", FieldRef("metadata.name"))])
    assert fault(spec) == f"{WEB}.env[0].valueFrom: may not be specified when `value` is not empty"
    assert fault(one(env=[EnvVar("A", value_from="x")])).startswith(  # type: ignore[arg-type]
        f"{WEB}.env[0].valueFrom: one of FieldRef, "
    )


def test_whole_maps() -> None:
    good = [EnvFrom(ConfigMapEnvSource("a"), "P_"), EnvFrom(SecretEnvSource("a.b", optional=True))]
    assert faults(one(env_from=good)) == []
    assert fault(one(env_from=[EnvFrom(ConfigMapEnvSource("A"))])).startswith(
        f"{WEB}.envFrom[0].configMapRef.name"
    )
    assert fault(one(env_from=[EnvFrom(SecretEnvSource("a"), "a=")])).startswith(
        f"{WEB}.envFrom[0].prefix: 'a='"
    )


@pytest.mark.parametrize(
    "spec",
    [
        one(working_dir=Template("/$(A)")),
        one(lifecycle=Lifecycle(pre_stop=Hook.exec(["echo", Template("$(A)")]))),
        one(readiness_probe=Probe.http_get(Template("/$(A)"), port=80)),
    ],
)
def test_references_are_only_where_they_are_expanded(spec: PodSpec) -> None:
    assert any("variables" in problem.message for problem in faults(spec))


# --- mounts and volumes ----------------------------------------------------------------------------------------------------


BOTH = MountPropagation.BIDIRECTIONAL
BAD_MOUNTS = [
    (VolumeMount("v", "/v", sub_path="/a"), "subPath: '/a' must be a relative path"),
    (VolumeMount("v", "/v", sub_path="a/../b"), "subPath: 'a/../b' must not contain '..'"),
    (VolumeMount("v", "/v", sub_path="a", sub_path_expr="$(A)"), "subPathExpr: subPathExpr and subPath are mutually exclusive"),
    (VolumeMount("v", "/v", mount_propagation=BOTH), "mountPropagation: Bidirectional mount propagation is available only to"),
    (VolumeMount("v", "/v", recursive_read_only=RecursiveReadOnly.ENABLED), "recursiveReadOnly: may only be specified when readOnly"),
    (VolumeMount("v", "/v", mount_propagation="None"), "mountPropagation: a MountPropagation is expected, not 'None'"),  # type: ignore[arg-type]
]  # fmt: skip


@pytest.mark.parametrize(("mount", "message"), BAD_MOUNTS, ids=range(len(BAD_MOUNTS)))
def test_bad_mounts(mount: VolumeMount, message: str) -> None:
    assert fault(one(mounts=[mount])).startswith(f"{WEB}.volumeMounts[0].{message}")


def test_a_privileged_container_may_mount_both_ways() -> None:
    mount = VolumeMount("v", "/v", mount_propagation=BOTH)
    spec = one(mounts=[mount], security_context=SecurityContext(privileged=True))
    assert faults(dataclasses.replace(spec, volumes=(Volume.host_path("v", "/v"),))) == []
    assert fault(spec) == (
        f"{WEB}.volumeMounts[0].mountPropagation: is for hostPath volumes only: an engine propagates no mounts of other volumes"
    )


NAME = FieldRef("metadata.name")
BAD_VOLUMES = [
    (Volume.config_map("v", ""), "configMap.name: is required"),
    (Volume.config_map("v", "a", items={"..k": "k"}), "configMap.items[0].key: '..k' is not valid"),
    (Volume.config_map("v", "a", items={"k": "/k"}), "configMap.items[0].path: '/k' must be a relative path"),
    (Volume.config_map("v", "a", items={"k": "..k"}), "configMap.items[0].path: '..k' must not start with '..'"),
    (Volume.config_map("v", "a", items=[KeyToPath("a", "x"), KeyToPath("b", "x")]), "configMap.items[1].path: conflicting duplicate"),
    (Volume.config_map("v", "a", default_mode=0o1000), "configMap.defaultMode: a file mode between 0 and 0777 (in JSON 0 and 511) is expected"),
    (Volume.secret("v", "a", items=[KeyToPath("a", "x", -1)]), "secret.items[0].mode: a file mode"),
    (Volume.secret("v", "A"), "secret.secretName: 'A' is not valid"),
    (Volume.claim("v", ""), "persistentVolumeClaim.claimName: is required"),
    (Volume.downward_api("v", [DownwardAPIFile("f", FieldRef("status.podIP"))]), "downwardAPI.items[0].fieldRef.fieldPath: 'status.podIP'"),
    (Volume.downward_api("v", [DownwardAPIFile("f", ResourceFieldRef("limits.cpu"))]), "downwardAPI.items[0].resourceFieldRef.containerName: is required"),
    (Volume.projected("v", [ConfigMapProjection("a", (KeyToPath("k", "f"),)), DownwardAPIProjection((DownwardAPIFile("f", NAME),))]), "projected.sources[1].downwardAPI.items[0].path: conflicting duplicate paths: 'f' is the path at"),
    (Volume.projected("v", ["x"]), "projected.sources[0]: one of ConfigMapProjection, "),  # type: ignore[list-item]
    (Volume("v", ImageSource()), "image.reference: is required"),
    (Volume("v", NFSSource("", "/a")), "nfs.server: is required"),
    (Volume.azure_file("v", "", secret_name="s"), "azureFile.shareName: is required"),
    (Volume.azure_file("v", "a,b", secret_name="s"), "azureFile.shareName: 'a,b' cannot stand in a mount's options"),
    (Volume.azure_file("v", "a", secret_name="S"), "azureFile.secretName: 'S'"),
    (Volume.ceph_fs("v", [], secret_ref="s"), "cephfs.monitors: is required"),
    (Volume.ceph_fs("v", ["a,b"], secret_ref="s"), "cephfs.monitors[0]: 'a,b' cannot stand"),
    (Volume.ceph_fs("v", ["a"], secret_ref="s", path="a"), "cephfs.path: 'a' must be an absolute path"),
    (Volume.ceph_fs("v", ["a"], secret_ref="s", user="a,b"), "cephfs.user: 'a,b' cannot stand"),
    (Volume.ceph_fs("v", ["a"], secret_ref=""), "cephfs.secretRef: is required"),
    (Volume("v", NFSSource("a", "a")), "nfs.path: 'a' must be an absolute path"),
    (Volume("v", EmptyDir(Medium.HUGE_PAGES)), "emptyDir.medium: is refused: an engine cannot hand out huge pages"),
]  # fmt: skip


@pytest.mark.parametrize(("volume", "message"), BAD_VOLUMES, ids=range(len(BAD_VOLUMES)))
def test_bad_volumes(volume: Volume, message: str) -> None:
    assert fault(pod(volumes=(volume,))).startswith(f"spec.volumes[0].{message}")


# --- security -----------------------------------------------------------------------------------------------------------


LOCAL = ProfileType.LOCALHOST
BAD_SECURITY = [
    (SecurityContext(run_as_user=-1), "runAsUser: must be between 0 and 2147483647, not the number -1"),
    (SecurityContext(run_as_group=2**31), "runAsGroup: must be between 0 and"),
    (SecurityContext(run_as_user="0"), "runAsUser: a whole number is expected, not '0'"),  # type: ignore[arg-type]
    (SecurityContext(privileged=True, allow_privilege_escalation=False), "allowPrivilegeEscalation: cannot set"),
    (SecurityContext(allow_privilege_escalation=False, capabilities=Capabilities(add=("SYS_ADMIN",))), "allowPrivilegeEscalation: cannot set"),
    (SecurityContext(capabilities=Capabilities(drop=("all",))), "capabilities.drop[0]: 'all' is not valid"),
    (SecurityContext(seccomp_profile=SeccompProfile(LOCAL)), "seccompProfile.localhostProfile: is required"),
    (SecurityContext(seccomp_profile=SeccompProfile(LOCAL, "../x")), "seccompProfile.localhostProfile: '../x' must not contain"),
    (SecurityContext(seccomp_profile=SeccompProfile(ProfileType.UNCONFINED, "x")), "seccompProfile.localhostProfile: can only be set"),
    (SecurityContext(app_armor_profile=AppArmorProfile(LOCAL, " x")), "appArmorProfile.localhostProfile: ' x' must not be padded"),
]  # fmt: skip


@pytest.mark.parametrize(("context", "message"), BAD_SECURITY, ids=range(len(BAD_SECURITY)))
def test_bad_security_contexts(context: SecurityContext, message: str) -> None:
    assert fault(one(security_context=context)).startswith(f"{WEB}.securityContext.{message}")


BAD_POD_SECURITY = [
    ({"fs_group": -1}, {}, "fsGroup: must be between 0 and"),
    ({"supplemental_groups": (0, -1)}, {}, "supplementalGroups[1]: must be between 0 and"),
    ({"sysctls": (("net.ipv4.tcp_syncookies", "1"), ("net/ipv4/tcp_syncookies", "1"))}, {}, "sysctls[1].name: Duplicate value"),
    ({"sysctls": (("A b", "1"),)}, {}, "sysctls[0].name: 'A b' is not valid"),
    ({"sysctls": (("net.ipv4.tcp_syncookies", "1"),)}, {"host_network": True}, "sysctls[0].name: 'net.ipv4.tcp_syncookies' may not be set with hostNetwork"),
    ({"sysctls": (("kernel.shm_rmid_forced", "1"),)}, {"host_ipc": True}, "sysctls[0].name: 'kernel.shm_rmid_forced' may not be set with hostIPC"),
]  # fmt: skip


@pytest.mark.parametrize(("context", "more", "message"), BAD_POD_SECURITY, ids=range(len(BAD_POD_SECURITY)))
def test_bad_pod_security_contexts(context: dict[str, Any], more: dict[str, Any], message: str) -> None:
    spec = pod(security_context=PodSecurityContext(**context), **more)
    assert fault(spec).startswith(f"spec.securityContext.{message}")


# --- names and addresses -------------------------------------------------------------------------------------------------


BAD_NETWORKS: list[tuple[dict[str, Any], str]] = [
    ({"dns_policy": DNSPolicy.NONE}, "spec.dnsConfig.nameservers: must provide at least one DNS nameserver when"),
    ({"dns_config": DNSConfig(("1.1.1.1",) * 4)}, "spec.dnsConfig.nameservers: must not have more than 3 nameservers, not 4"),
    ({"dns_config": DNSConfig(("a.b",))}, "spec.dnsConfig.nameservers[0]: 'a.b' is not valid: must be a valid IP address"),
    ({"dns_config": DNSConfig(searches=("a",) * 33)}, "spec.dnsConfig.searches: must not have more than 32"),
    ({"dns_config": DNSConfig(searches=("a" * 63,) * 2 + ("A b",))}, "spec.dnsConfig.searches[2]: 'A b' is not valid"),
    ({"dns_config": DNSConfig(options=(("", "1"),))}, "spec.dnsConfig.options[0].name: must not be empty"),
    ({"host_aliases": (HostAlias("1.2.3", ("a",)),)}, "spec.hostAliases[0].ip: '1.2.3' is not valid"),
    ({"host_aliases": (HostAlias("::1", ("a_b",)),)}, "spec.hostAliases[0].hostnames[0]: 'a_b' is not valid"),
    ({"subdomain": "a.b"}, "spec.subdomain: 'a.b' is not valid"),
    ({"hostname_override": "a" * 65}, "spec.hostnameOverride: "),
    ({"hostname_override": "a", "host_network": True}, "spec.hostnameOverride: may not be specified when `hostNetwork`"),
    ({"host_pid": True}, "spec.shareProcessNamespace: ShareProcessNamespace and HostPID cannot both be enabled"),
    ({"image_pull_secrets": ("A",)}, "spec.imagePullSecrets[0].name: 'A' is not valid"),
    ({"annotations": {"a b": ""}}, "metadata.annotations[a b]: the annotation key 'a b' is not valid"),
    ({"annotations": {"io.pypod/network": "a"}}, "metadata.annotations[io.pypod/network]: is made by pypod itself"),
    ({"extra_networks": ("a b",)}, "metadata.annotations[io.pypod/extra-networks]: 'a b' is no name of a Docker network"),
    ({"extra_networks": ("-a",)}, "metadata.annotations[io.pypod/extra-networks]: '-a' is no name of a Docker network"),
    ({"extra_networks": ("host",)}, "metadata.annotations[io.pypod/extra-networks]: 'host' cannot be joined"),
    ({"extra_networks": ("pypod",)}, "metadata.annotations[io.pypod/extra-networks]: 'pypod' is one of pypod's own networks"),
    ({"extra_networks": ("pypod_a",)}, "metadata.annotations[io.pypod/extra-networks]: 'pypod_a' is one of pypod's own"),
    ({"extra_networks": ("a", "b", "a")}, "metadata.annotations[io.pypod/extra-networks]: 'a' is there twice"),
    ({"extra_networks": ("a",), "host_network": True}, "metadata.annotations[io.pypod/extra-networks]: may not be specified"),
    ({"extra_networks": (5,)}, "metadata.annotations[io.pypod/extra-networks][0]: a string is expected, not the number 5"),
    ({"annotations": {"a": "x" * 2**18}}, "metadata.annotations: may not be more than 262144 bytes in all, not 262145"),
    ({"node_selector": {"a": "b c"}}, "spec.nodeSelector[a]: the value 'b c' is not valid"),
    ({"host_users": False}, "spec.hostUsers: is refused: an engine has user namespaces for all its containers or for none"),
    ({"tolerations": ({"key": 5},)}, "spec.tolerations[0].key: a string is expected, not the number 5"),
    ({"tolerations": ({"kee": "a"},)}, "spec.tolerations[0].kee: unknown field, did you mean 'key'?"),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "message"), BAD_NETWORKS, ids=range(len(BAD_NETWORKS)))
def test_bad_pods(fields: dict[str, Any], message: str) -> None:
    assert fault(pod(**fields)).startswith(message)


def test_a_hostname_that_is_no_text_is_a_problem_beside_others() -> None:
    found = faults(pod(hostname_override=cast("str", 5), set_hostname_as_fqdn=True))
    assert {each.path for each in found} == {"spec.hostnameOverride"}
    assert len(found) == 2


def test_searches_may_be_absolute_and_have_underscores() -> None:
    assert faults(pod(dns_config=DNSConfig(searches=("a.b.", "_tcp.a", ".")))) == []


def test_networks_of_others() -> None:
    assert faults(pod(extra_networks=("shop_default", "bridge", "a.b-c", "pypodlike"))) == []


def test_host_network_has_the_hosts_ports() -> None:
    good, bad = ContainerPort(80, host_port=80), ContainerPort(81, host_port=82)
    spec = dataclasses.replace(one(ports=[good, bad]), host_network=True)
    assert fault(spec).startswith(f"{WEB}.ports[1].hostPort: must match `containerPort`")


def test_stop_signals() -> None:
    def ended_by(signal: str, **fields: Any) -> PodSpec:
        return pod(Container("web", "nginx", lifecycle=Lifecycle(stop_signal=signal)), **fields)

    assert faults(ended_by("SIGRTMIN+3", os="linux")) == []
    message = "lifecycle.stopSignal: 'SIGTEM' is no signal; a name like 'SIGTERM' is expected, did you mean 'SIGTERM'?"
    assert fault(ended_by("SIGTEM", os="linux")) == f"{WEB}.{message}"
    message = "lifecycle.stopSignal: may not be set where `spec.os.name` is empty; 'linux' is expected there"
    assert fault(ended_by("SIGUSR1")) == f"{WEB}.{message}"


# --- restart rules ------------------------------------------------------------------------------------------------------

ONE = RestartRule.on(1)
RULES: list[tuple[Any, str]] = [
    ([ExitCodes(ExitCodeOperator.IN, (1,))], "[0]: a RestartRule is expected, not "),
    ([RestartRule.on()], "[0].exitCodes.values: must have between 1 and 255 values, not 0"),
    ([ONE, RestartRule.unless(*range(256))], "[1].exitCodes.values: must have between 1 and 255 values, not 256"),
    ([RestartRule(ExitCodes("In", (1,)))], "[0].exitCodes.operator: a ExitCodeOperator is expected, not 'In'"),  # type: ignore[arg-type]
    ([ONE] * 21, ": may not have more than 20 rules, not 21"),
    ([RestartRule(ONE.exit_codes, RestartAction.RESTART_ALL_CONTAINERS)], "[0].action: is refused: containers begin anew together only"),
]  # fmt: skip


@pytest.mark.parametrize(("rules", "message"), RULES, ids=range(len(RULES)))
def test_restart_rules(rules: Any, message: str) -> None:
    assert faults(one(restart_policy="Never", restart_policy_rules=[ONE] * 20)) == []
    found = fault(one(restart_policy="Never", restart_policy_rules=rules))
    assert found.startswith(f"{WEB}.restartPolicyRules{message}")


def test_restart_rules_go_with_a_policy() -> None:
    found = fault(one(restart_policy_rules=[ONE]))
    assert found == f"{WEB}.restartPolicy: is required where there are restartPolicyRules"


# --- names --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("base", ["shop-", "shop", "a.b-", "a", "7-"])
def test_the_beginning_of_a_name(base: str) -> None:
    assert faults(pod(generate_name=base)) == []
    assert faults(dataclasses.replace(pod(generate_name=base), name="")) == []


@pytest.mark.parametrize("base", ["Shop-", "-", "a..b", "a b"])
def test_no_beginning_of_a_name(base: str) -> None:
    assert fault(dataclasses.replace(pod(generate_name=base), name="")).startswith("metadata.generateName: '")


def test_a_pod_without_any_name() -> None:
    assert fault(dataclasses.replace(pod(), name="")).startswith("metadata.name: is required")


# --- resources of the whole pod ---------------------------------------------------------------------------------------------


def test_resources_of_the_pod() -> None:
    small, large = Resources(limits={"memory": "64Mi"}), Resources(requests={"cpu": "2", "memory": "1Gi"})
    assert faults(pod(resources=Resources(limits={"cpu": 1, "hugepages-2Mi": "4Mi"}))) == []
    assert fault(pod(resources=Resources(limits={"ephemeral-storage": "1Gi"}))) == (
        "spec.resources.limits[ephemeral-storage]: 'ephemeral-storage' is not supported for a pod; cpu, memory and hugepages-SIZE are"
    )
    assert fault(pod(resources=Resources(requests={"cpu": 2}, limits={"cpu": 1}))) == (
        "spec.resources.requests: '2' must be less than or equal to cpu limit of 1"
    )
    web = Container("web", "nginx", resources=large)
    assert faults(pod(web, resources=Resources(requests={"cpu": 2}))) == []
    assert fault(pod(web, resources=Resources(requests={"cpu": "1900m"}))) == (
        "spec.resources.requests[cpu]: '1900m' must be greater than or equal to aggregate container requests of 2"
    )
    web = Container("web", "nginx", resources=small)
    found = [str(each) for each in faults(pod(web, resources=Resources(limits={"memory": "32Mi"})))]
    assert (
        "spec.containers[0].resources.limits[memory]: '64Mi' must be less than or equal to pod limits of 32Mi"
        in found
    )


# --- levels -------------------------------------------------------------------------------------------------------------


def test_what_cannot_be_done_is_refused_from_python_too() -> None:
    found = [str(each) for each in problems(pod(Container("web", "nginx"), host_users=False))]
    assert [each.partition(": ")[0] for each in found] == ["spec.hostUsers"]
    assert all(": is refused: an engine " in each for each in found)


def test_files_with_variables_are_in_empty_directories() -> None:
    assert faults(one(env={"A": FileKeyRef("v", "a", "A")})) == []
    volumes = (Volume.host_path("v", "/srv"),)
    spec = pod(Container("web", "nginx", env={"A": FileKeyRef("v", "a", "A")}), volumes=volumes)
    assert fault(spec) == (
        f"{WEB}.env[0].valueFrom.fileKeyRef.volumeName: 'v' is no emptyDir: only files in one of these are read"
    )


def test_images_that_cannot_be_had_are_warned_of_and_not_refused() -> None:
    """Kubernetes' API takes any text."""
    containers = (Container("web", "nginx:1"), Container("app", "App:1"))
    spec = PodSpec("shop", containers, init_containers=(Container("a", "{{ x }}"),))
    assert problems(spec) == []
    assert [each.path for each in warnings(spec)] == [
        "spec.initContainers[0].image",
        "spec.containers[1].image",
    ]
    assert "'App:1' is no name that an image can have" in str(warnings(spec)[1])


def test_what_has_no_effect_is_told_of() -> None:
    spec = pod(tolerations=({"operator": "Exists"},), scheduler_name="default-scheduler", priority=0)
    assert problems(spec) == []
    assert [str(each) for each in warnings(spec)] == [
        "spec.tolerations: has no effect on one engine: there is one node, and nothing to choose from"
    ]
