"""Checks of manifests about variables, ConfigMaps, Secrets and the downward API, each as its page says."""

from __future__ import annotations

from dataclasses import replace

from pypod import ConfigMap, PodSpec, Secret
from pypod.model.life.status import Phase
from tests.integration.corpus_engine import Run, case

INJECT = "k8s-website-2021__pods__inject__"
PODS = "k8s-website-2021__pods__"
NEW = "k8s-website-2026__"

SPECIAL = (ConfigMap("special-config", {"SPECIAL_LEVEL": "very", "SPECIAL_TYPE": "charm"}),)
TEST_SECRET = (Secret("test-secret", string_data={"username": "my-app", "password": "39528$vdg7Jb"}),)


def _succeeded(run: Run) -> None:
    run.until(lambda status: status.phase is Phase.SUCCEEDED, "it has succeeded")


@case(f"{INJECT}envars.yaml")
def envars(run: Run) -> None:
    lines = run.sh("printenv DEMO_GREETING DEMO_FAREWELL").splitlines()
    assert lines == ["Hello from the environment", "Such a sweet sorrow"]
    assert run.get(8080) == "Hello Kubernetes!\n"


@case(f"{INJECT}dependent-envars.yaml")
def dependent(run: Run) -> None:
    run.until_logs("ESCAPED_REFERENCE")
    assert run.pod.logs().split()[:3] == [  # again every 30 s
        "UNCHANGED_REFERENCE=$(PROTOCOL)://172.17.0.1:80",
        "SERVICE_ADDRESS=https://172.17.0.1:80",
        "ESCAPED_REFERENCE=$(PROTOCOL)://172.17.0.1:80",
    ]


@case(f"{INJECT}dapi-envars-container.yaml")
def resource_fields(run: Run) -> None:
    run.until_logs("67108864")
    assert run.pod.logs().split()[:4] == ["1", "1", "33554432", "67108864"]


@case(f"{INJECT}dapi-envars-pod.yaml")
def pod_fields(run: Run) -> None:
    node = run.private.raw.info()["Name"]
    namespace = run.pod.spec.namespace
    run.until_logs(run.pod.ip)
    assert run.pod.logs().split()[:5] == [node, "dapi-envars-fieldref", namespace, run.pod.ip, "default"]


@case(f"{INJECT}dapi-volume.yaml")
def downward_volume(run: Run) -> None:
    assert run.sh("cat /etc/podinfo/labels").splitlines() == [
        'cluster="test-cluster1"',
        'rack="rack-22"',
        'zone="us-est-coast"',
    ]
    annotations = run.sh("cat /etc/podinfo/annotations").splitlines()
    assert {'build="two"', 'builder="john-doe"'} <= set(annotations)
    assert run.sh("readlink /etc/podinfo/labels") == "..data/labels\n"
    run.until_logs('rack="rack-22"')


@case(f"{INJECT}dapi-volume-resources.yaml")
def downward_resources(run: Run) -> None:
    found = {name: run.sh(f"cat /etc/podinfo/{name}") for name in run.sh("ls /etc/podinfo").split()}
    assert found == {"cpu_limit": "250", "cpu_request": "125", "mem_limit": "64", "mem_request": "32"}


@case(f"{INJECT}pod-secret-envFrom.yaml", objects=TEST_SECRET)
def secret_env_from(run: Run) -> None:
    assert run.sh("printenv username password").splitlines() == ["my-app", "39528$vdg7Jb"]
    pause = run.inspect()["HostConfig"]["NetworkMode"].partition(":")[2]
    assert "39528" not in str(run.private.raw.inspect_container(pause))


@case(f"{INJECT}secret-envars-pod.yaml", objects=TEST_SECRET)
def secret_env(run: Run) -> None:
    assert run.sh("printenv SECRET_USERNAME SECRET_PASSWORD").splitlines() == ["my-app", "39528$vdg7Jb"]


@case(f"{INJECT}secret-pod.yaml", objects=TEST_SECRET)
def secret_volume(run: Run) -> None:
    assert run.sh("ls /etc/secret-volume").split() == ["password", "username"]
    assert run.sh("cat /etc/secret-volume/username; echo; cat /etc/secret-volume/password") == (
        "my-app\n39528$vdg7Jb"
    )
    assert run.sh("stat -f -c %T /etc/secret-volume") == "tmpfs\n"  # in memory
    assert "Read-only" in run.sh("touch /etc/secret-volume/x 2>&1 || true")


@case(f"{PODS}pod-configmap-env-var-valueFrom.yaml", objects=SPECIAL)
def config_map_in_command(run: Run) -> None:
    _succeeded(run)
    assert run.pod.logs() == "very charm\n"


@case(f"{PODS}pod-configmap-envFrom.yaml", objects=SPECIAL)
def config_map_env_from(run: Run) -> None:
    _succeeded(run)
    assert {"SPECIAL_LEVEL=very", "SPECIAL_TYPE=charm"} <= set(run.pod.logs().splitlines())


@case(f"{PODS}pod-configmap-volume.yaml", objects=SPECIAL)
def config_map_volume(run: Run) -> None:
    _succeeded(run)
    assert run.pod.logs() == "SPECIAL_LEVEL\nSPECIAL_TYPE\n"


@case(
    f"{PODS}pod-multiple-configmap-env-variable.yaml",
    objects=(
        ConfigMap("special-config", {"special.how": "very"}),
        ConfigMap("env-config", {"log_level": "INFO"}),
    ),
)
def several_config_maps(run: Run) -> None:
    _succeeded(run)
    assert {"SPECIAL_LEVEL_KEY=very", "LOG_LEVEL=INFO"} <= set(run.pod.logs().splitlines())


GAME = ConfigMap(
    "game-demo",
    {
        "player_initial_lives": "3",
        "ui_properties_file_name": "user-interface.properties",
        "game.properties": "enemy.types=aliens,monsters\nplayer.maximum-lives=5\n",
        "user-interface.properties": "color.good=purple\n",
    },
)


@case(f"{NEW}configmap__configure-pod.yaml", objects=(GAME,))
def game(run: Run) -> None:
    lives, name = run.sh("printenv PLAYER_INITIAL_LIVES UI_PROPERTIES_FILE_NAME").splitlines()
    assert (lives, name) == ("3", "user-interface.properties")
    assert run.sh("ls /config").split() == ["game.properties", "user-interface.properties"]
    assert run.sh(f"cat /config/{name}") == "color.good=purple\n"


@case(
    f"{NEW}pods__inject__envFrom.yaml",
    objects=(ConfigMap("envfrom-configmap", {"GREETING": "hi", "NAME": "you"}),),
)
def env_from(run: Run) -> None:
    assert run.sh("printenv GREETING NAME") == "hi\nyou\n"


@case(f"{NEW}pods__inject__envars-file-container.yaml")
def env_file(run: Run) -> None:
    _succeeded(run)
    lines = run.pod.logs("use-envfile").splitlines()
    assert "DB_ADDRESS=address" in lines
    assert not [line for line in lines if line.startswith("REST_ENDPOINT")]


@case(
    "k8spatterns__configuration__ConfigurationResource__pod.yml",
    objects=(
        ConfigMap(
            "random-generator-config",
            {
                "PATTERN": "Configuration Resource",
                "EXTRA": "x",
                "application.properties": "log.file=/tmp/log\n",
            },
        ),
    ),
)
def configuration_resource(run: Run) -> None:
    """Environment and file from one ConfigMap, the first with a prefix."""
    assert run.sh("printenv PATTERN CONFIG_PATTERN CONFIG_EXTRA").splitlines() == [
        "Configuration Resource",
        "Configuration Resource",
        "x",
    ]
    path = run.sh("printenv SPRING_CONFIG_LOCATION").strip()
    assert run.sh(f"cat {path}") == "log.file=/tmp/log\n"
    assert run.sh(f"stat -L -c %a {path}") == "400\n"


@case(
    f"{NEW}pods__storage__projected-secrets-nondefault-permission-mode.yaml",
    objects=(
        Secret("mysecret", string_data={"username": "admin"}),
        Secret("mysecret2", string_data={"password": "1f2d1e2e67df"}),
    ),
)
def projected(run: Run) -> None:
    assert run.sh("cat /projected-volume/my-group/my-username /projected-volume/my-group/my-password") == (
        "admin1f2d1e2e67df"
    )
    modes = run.sh("cd /projected-volume/my-group && stat -L -c %a my-username my-password").split()
    assert modes == ["644", "777"]


def _third(spec: PodSpec) -> PodSpec:
    """What the Job controller gives the Pod of its index."""
    return replace(spec, annotations={"batch.kubernetes.io/job-completion-index": "32"}, name="indexed-job-3")


@case("k8s-website-2021__application__job__indexed-job-vol.yaml", change=_third)
def indexed(run: Run) -> None:
    """Its program turns its index round."""
    _succeeded(run)
    assert run.pod.logs().strip() == "23"
