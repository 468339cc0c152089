"""Variables from everywhere, as the programs in the containers see them; and Secrets, which nobody else sees."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

import pypod
from pypod import (
    ConfigMap,
    ConfigMapEnvSource,
    ConfigMapKeyRef,
    Container,
    EnvFrom,
    EnvVar,
    FieldRef,
    Pod,
    PodStartError,
    ResourceFieldRef,
    Resources,
    Secret,
    SecretEnvSource,
    SecretKeyRef,
    Template,
)
from pypod.model.life import starting_members
from tests.images import BUSYBOX, TOOLS
from tests.integration.conftest import STAY, eventually, sh
from tests.integration.life import Witness, await_up, on_term, shell

MARKER = "sw0rdf1sh-in-the-sea"
PASSWORD = SecretKeyRef("db", "password")


@pytest.fixture
def witness(raw: docker.APIClient, namespace: str) -> Witness:
    return Witness(raw, namespace)


@pytest.fixture
def objects(namespace: str) -> Iterator[None]:
    """A ConfigMap and a Secret, for as long as the test."""
    pypod.apply(
        ConfigMap("settings", {"level": "3", "two.lines": "a\nb\n", "ref": "$(level)"}, namespace=namespace),
        Secret("db", {"password": MARKER.encode(), "user": "ädä".encode()}, namespace=namespace),
    )
    yield
    remove_objects(namespace)


def remove_objects(namespace: str) -> None:
    for each in pypod.list_objects(namespace):
        pypod.delete_object(each.kind, each.name, namespace)


def environ(pod: Pod, container: str) -> dict[str, str]:
    """As the first process of a container has it."""
    eventually(lambda: pod.exec(["test", "-s", "/pid"], container).exit_code == 0, "it has begun")
    text = sh(pod, container, "tr '\\0' '\\001' < /proc/$(cat /pid)/environ")
    return dict(each.split("=", 1) for each in text.split("\x01") if each)


SERVES = ["sh", "-c", "echo $$ > /pid; while :; do sleep 0.05; done"]


def test_every_source_from_inside(objects: None, namespace: str, raw: docker.APIClient) -> None:
    env = [
        EnvVar("level", "mine"),
        EnvVar("NAME", value_from=FieldRef("metadata.name")),
        EnvVar("NAMESPACE", value_from=FieldRef("metadata.namespace")),
        EnvVar("UID_", value_from=FieldRef("metadata.uid")),
        EnvVar("APP", value_from=FieldRef("metadata.labels['app']")),
        EnvVar("NOTE", value_from=FieldRef("metadata.annotations['note']")),
        EnvVar("IP", value_from=FieldRef("status.podIP")),
        EnvVar("IPS", value_from=FieldRef("status.podIPs")),
        EnvVar("HOST", value_from=FieldRef("status.hostIP")),
        EnvVar("NODE", value_from=FieldRef("spec.nodeName")),
        EnvVar("ACCOUNT", value_from=FieldRef("spec.serviceAccountName")),
        EnvVar("MILLI", value_from=ResourceFieldRef("limits.cpu", divisor="1m")),
        EnvVar("MIB", value_from=ResourceFieldRef("requests.memory", divisor="1Mi")),
        EnvVar("CPUS", value_from=ResourceFieldRef("limits.cpu", container_name="other")),
        EnvVar("LINES", value_from=ConfigMapKeyRef("settings", "two.lines")),
        EnvVar("RAW", value_from=ConfigMapKeyRef("settings", "ref")),
        EnvVar("USER_", value_from=SecretKeyRef("db", "user")),
        EnvVar("NONE", value_from=SecretKeyRef("none", "x", optional=True)),
        EnvVar("URL", Template("http://$(IP)/$(C_level)?$(NONE)$$(IP)$(PATH)")),
    ]
    web = Container(
        "web",
        BUSYBOX,
        command=[*SERVES],
        args=["sh", Template("$(URL)"), Template("$(S_password)")],
        env=env,
        env_from=[
            ConfigMapEnvSource("settings"),
            EnvFrom(ConfigMapEnvSource("settings"), "C_"),
            EnvFrom(SecretEnvSource("db"), "S_"),
        ],
        resources=Resources(limits={"cpu": "250m", "memory": "32Mi"}),
    )
    pod = Pod(
        "web",
        containers=[web, shell("other", "sleep 1000")],
        namespace=namespace,
        labels={"app": "shop"},
        annotations={"note": "hello"},
        termination_grace_period_seconds=0,
    )
    with pod:
        found = environ(pod, "web")
        network = raw.inspect_network("pypod")
        host = pod.ip.rpartition(".")[0]
        assert found["IP"] == found["IPS"] == pod.ip
        assert found["HOST"] in sh(pod, "web", "ip route | grep ^default || route -n")
        assert found["HOST"].startswith(host.rpartition(".")[0])
        assert network["Name"] == "pypod"
        url = f"http://{pod.ip}/3?$(NONE)$(IP)$(PATH)"
        expected = {
            "level": "mine", "two.lines": "a\nb\n", "ref": "$(level)",
            "C_level": "3", "C_two.lines": "a\nb\n", "C_ref": "$(level)",
            "S_password": MARKER, "S_user": "ädä", "USER_": "ädä",
            "NAME": "web", "NAMESPACE": namespace, "UID_": pod.uid, "APP": "shop", "NOTE": "hello",
            "NODE": raw.info()["Name"], "ACCOUNT": "default",
            "MILLI": "250", "MIB": "32", "CPUS": str(raw.info()["NCPU"]),
            "LINES": "a\nb\n", "RAW": "$(level)", "URL": url,
        }  # fmt: skip
        assert {name: found.get(name) for name in expected} == expected
        assert not {name for name in found if name.startswith("KUBERNETES") or name == "NONE"}
        words = sh(pod, "web", "tr '\\0' '\\n' < /proc/$(cat /pid)/cmdline").splitlines()
        assert words[-2:] == [url, MARKER]


def tells(pod: Pod, name: str) -> bool:
    return pod.logs(name) == f"{name} {pod.ip}\n"


def test_an_address_is_known_to_init_containers_and_sidecars_too(namespace: str) -> None:
    ip = {"IP": FieldRef("status.podIP")}
    pod = Pod(
        "web",
        init_containers=[
            shell("first", "echo first $IP", env=ip),
            shell("proxy", "echo proxy $IP; sleep 1000", env=ip, restart_policy="Always"),
        ],
        containers=[shell("web", "echo web $IP; sleep 1000", env=ip)],
        namespace=namespace,
        termination_grace_period_seconds=0,
    )
    with pod:
        for name in ("first", "proxy", "web"):
            eventually(functools.partial(tells, pod, name), f"{name} tells its address")


def test_a_variable_of_a_file_that_an_init_container_wrote(namespace: str) -> None:
    """As Kubernetes' own page has it: the container does not mount the volume."""
    manifest = f"""
apiVersion: v1
kind: Pod
metadata: {{name: p, namespace: {namespace}}}
spec:
  terminationGracePeriodSeconds: 0
  initContainers:
  - name: setup-envfile
    image: {BUSYBOX}
    command: [sh, -c, "printf \\"DB_ADDRESS='add ress'\\\\nREST_ENDPOINT='endpoint'\\" > /data/config.env"]
    volumeMounts: [{{name: config, mountPath: /data}}]
  containers:
  - name: web
    image: {BUSYBOX}
    command: [sleep, "1000"]
    env:
    - name: DB
      valueFrom: {{fileKeyRef: {{path: config.env, volumeName: config, key: DB_ADDRESS, optional: false}}}}
  volumes: [{{name: config, emptyDir: {{}}}}]
"""
    with Pod.from_manifest(manifest) as pod:
        assert sh(pod, "web", "echo $DB; test ! -e /data").strip() == "add ress"


# --- what is not there --------------------------------------------------------------------------------------------------


def test_start_tells_what_is_missing_and_leaves_nothing(namespace: str, witness: Witness) -> None:
    web = Container("web", BUSYBOX, command=STAY, env=[EnvVar("A", "x"), EnvVar("PW", value_from=PASSWORD)])
    with pytest.raises(PodStartError) as caught:
        Pod("web", containers=[web, shell("log", "sleep 1000")], namespace=namespace).start(timeout=20)
    error = caught.value
    assert (error.reason, error.container) == ("CreateContainerConfigError", "web")
    assert 'secret "db" not found (spec.containers[0].env[1].valueFrom.secretKeyRef)' in str(error)
    assert "web" not in witness.created()


def test_an_init_container_of_which_something_is_missing(namespace: str, witness: Witness) -> None:
    first = shell("first", "true", env_from=[ConfigMapEnvSource("none")])
    pod = Pod("web", init_containers=[first], containers=[shell("log", "sleep 1")], namespace=namespace)
    with pytest.raises(
        PodStartError, match=r'configmap "none" not found \(spec\.initContainers\[0\]\.envFrom\[0\]'
    ):
        pod.start(timeout=20)
    assert witness.created() == set()


def test_it_starts_when_the_object_comes(
    namespace: str, witness: Witness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(starting_members, "FAILURE_RETRY", 2.0)
    web = Container("web", BUSYBOX, command=STAY, env={"PW": PASSWORD})
    pod = Pod(
        "web",
        containers=[web, shell("log", "sleep 1000")],
        namespace=namespace,
        termination_grace_period_seconds=0,
    )
    pod.start(wait=False)
    try:
        eventually(
            lambda: "CreateContainerConfigError" in str(pod.refresh().container("web").state), "it waits"
        )
        assert pod.status.phase.value == "Pending"
        assert "web" not in witness.created()
        said = [event.message for event in pod.events if event.reason == "Failed"]
        assert said == ['Error: secret "db" not found']
        pypod.apply(Secret("db", {"password": MARKER.encode()}, namespace=namespace))
        eventually(lambda: pod.refresh().phase.value == "Running", "it heals")
        assert sh(pod, "web", "echo $PW").strip() == MARKER
        assert pod.status.container("web").restart_count == 0
    finally:
        pod.stop()
        remove_objects(namespace)


def test_a_change_is_seen_by_the_next_instance(
    objects: None, namespace: str, witness: Witness, raw: docker.APIClient
) -> None:
    web = shell(
        "web",
        "trap 'exit 1' TERM; while :; do sleep 0.05; done",
        env={"L": ConfigMapKeyRef("settings", "level")},
    )
    with Pod("p", containers=[web], namespace=namespace, termination_grace_period_seconds=0) as pod:
        pypod.apply(ConfigMap("settings", {"level": "4"}, namespace=namespace))
        assert sh(pod, "web", "echo $L").strip() == "3"
        raw.kill(witness.inspect("web")["Id"])
        eventually(lambda: pod.refresh().container("web").restart_count >= 1, "it is restarted")
        eventually(lambda: pod.refresh().container("web").ready, "it runs again")
        assert sh(pod, "web", "echo $L").strip() == "4"


# --- secrets ------------------------------------------------------------------------------------------------------------

LEAKY = """
import sys, logging
logging.basicConfig(level=logging.DEBUG)
import pypod
from pypod import Container, EnvFrom, Pod, SecretEnvSource, SecretKeyRef, Template
namespace, image, *command = sys.argv[1:]
env = {"PW": SecretKeyRef("db", "password"), "URL": Template("pg://$(PW)@db")}
pod = Pod("leaky", containers=[Container("web", image, command=[Template(word) for word in command], env=env,
          env_from=[EnvFrom(SecretEnvSource("db"), "S_")])], namespace=namespace, min_ready_seconds=10)
print(repr(pod.spec), pod.to_manifest())
pod.start(timeout=60)
"""


def described(namespace: str, name: str) -> str:
    """All that the command line tells of a pod."""
    shown = []
    for words in (
        ["describe", name],
        ["ps", "-o", "json"],
        ["ps", "-o", "wide"],
        ["events", name],
        ["logs", name],
    ):
        done = subprocess.run(
            [sys.executable, "-m", "pypod", *words, "-n", namespace],
            capture_output=True,
            text=True,
            check=False,
        )
        shown.append(done.stdout + done.stderr)
    return "\n".join(shown)


def told_by(raw: docker.APIClient) -> str:
    """What the engine tells everybody of each container, volume and network: names, labels and whatever else a list has, but for
    a container's command line, which is its own configuration, as its variables are."""
    containers = [{**each, "Command": ""} for each in raw.containers(all=True)]
    return json.dumps([containers, raw.volumes()["Volumes"] or [], raw.networks()], ensure_ascii=False)


def test_secrets_are_nowhere_but_in_the_container(
    objects: None, namespace: str, raw: docker.APIClient, witness: Witness, state_home: Path
) -> None:
    env: dict[str, Any] = {"PW": PASSWORD, "URL": Template("pg://$(PW)@db")}
    web = Container("web", BUSYBOX, command=["sh", "-c", "sleep 1000", Template("--pw=$(PW)")], env=env)
    pod = Pod("web", containers=[web], namespace=namespace, termination_grace_period_seconds=0)
    assert MARKER not in f"{pod.plan()} {pod.plan()!r}"
    pod.start(detach=True)
    try:
        assert sh(pod, "web", "echo $URL").strip() == f"pg://{MARKER}@db"
        # Control: it stands where it must, so that a search would find it.
        assert MARKER in json.dumps(witness.inspect("web")["Config"]["Env"])
        text = described(namespace, "web")
        assert "<set to the key 'password' in secret 'db'>" in text
        pause = raw.inspect_container(witness.names("pause")[0])
        journal = raw.logs(pause["Id"]).decode()
        log = "".join(path.read_text(errors="replace") for path in state_home.rglob("*") if path.is_file())
        assert "started" in journal
        for shown in (
            text,
            told_by(raw),
            json.dumps(pause),
            journal,
            log,
            repr(pod.refresh()),
        ):
            assert MARKER not in shown
    finally:
        pod.stop()


@pytest.mark.parametrize(
    "command",
    [["/bin/$(PW)"], ["sh", "-c", "exit 3", "$(PW)"], ["$(S_password)", "x"]],
    ids=lambda words: words[0],
)
def test_no_error_shows_a_secret(
    command: list[str], objects: None, namespace: str, raw: docker.APIClient
) -> None:
    """Of a program that is not there the engine tells the name; with everything logged."""
    words = [sys.executable, "-c", LEAKY, namespace, BUSYBOX, *command]
    done = subprocess.run(
        words, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONFAULTHANDLER": "1"}
    )
    shown = done.stdout + done.stderr
    assert done.returncode == 1
    assert "PodStartError" in shown or "CommandError" in shown
    assert ("<hidden>" in shown) is (command[0] != "sh")  # control: the engine did tell the name
    assert MARKER not in shown


# --- how it ends, and comes again ---------------------------------------------------------------------------------------


def test_the_stop_signal_is_the_containers(namespace: str, witness: Witness, tmp_path: Path) -> None:
    web = shell(
        "web",
        "trap 'exit 7' USR1; trap 'exit 8' TERM; touch /up; while :; do sleep 0.05; done",
        lifecycle=pypod.Lifecycle(stop_signal="SIGUSR1"),
    )
    pod = Pod("p", containers=[web], namespace=namespace, os="linux", termination_grace_period_seconds=60)
    path = tmp_path / "pod.yaml"
    path.write_text(pod.to_manifest())
    with Pod.from_manifest(path) as again:
        assert witness.inspect("web")["Config"]["StopSignal"] == "SIGUSR1"
        await_up(again, "web")
        again.stop()
    assert [event.attributes["exitCode"] for event in witness.happened("die", "web")] == ["7"]
    assert [event.attributes["signal"] for event in witness.happened("kill", "web")] == ["10"]


def test_restart_rules(namespace: str, witness: Witness) -> None:
    """42, 42, 7: two restarts, and then its end for good, beside one that goes on."""
    script = (
        "n=$(cat /data/n 2>/dev/null || echo 0); echo $((n+1)) > /data/n; [ $n -lt 2 ] && exit 42; exit 7"
    )
    job = shell(
        "job",
        script,
        restart_policy="Never",
        restart_policy_rules=[pypod.RestartRule.on(42)],
        mounts={"data": "/data"},
    )
    pod = Pod(
        "web",
        containers=[job, shell("log", on_term("exit 0"))],
        volumes=[pypod.Volume.empty_dir("data")],
        namespace=namespace,
        termination_grace_period_seconds=1,
    )
    pod.start(wait=False)
    try:
        eventually(
            lambda: "exit_code=7" in repr(pod.refresh().container("job").state), "it has ended for good"
        )
        assert witness.attempts("job") == [0, 1, 2]
        assert pod.status.phase.value == "Running"
    finally:
        pod.stop()


def test_resources_of_the_pod(namespace: str, witness: Witness) -> None:
    whole = Resources(limits={"cpu": "500m", "memory": "64Mi"})
    own = Resources(limits={"memory": "16Mi"})
    pod = Pod(
        "web",
        containers=[shell("own", "sleep 1000", resources=own), shell("plain", "sleep 1000")],
        namespace=namespace,
        resources=whole,
        termination_grace_period_seconds=0,
    )
    with pod:
        assert pod.refresh().qos_class == "Burstable"
        found = {name: witness.inspect(name)["HostConfig"] for name in ("own", "plain")}
        mi = 1024 * 1024
        assert [(each["CpuQuota"], each["CpuShares"], each["Memory"]) for each in found.values()] == [
            (50_000, 512, 16 * mi),
            (50_000, 512, 64 * mi),
        ]


def test_an_ephemeral_container_has_the_same_sources(objects: None, namespace: str) -> None:
    with Pod(
        "web",
        containers=[shell("web", "sleep 1000")],
        namespace=namespace,
        termination_grace_period_seconds=0,
    ) as pod:
        env: dict[str, Any] = {"PW": PASSWORD, "IP": FieldRef("status.podIP")}
        name = pod.debug(TOOLS, ["sleep", "1000"], env=env)
        assert pod.exec(["sh", "-c", "echo $PW $IP"], name).stdout.strip() == f"{MARKER} {pod.ip}"
