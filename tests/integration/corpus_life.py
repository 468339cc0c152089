"""Checks of manifests about the life of containers, several in a pod, and what they share, each as its page says."""

from __future__ import annotations

import time
from dataclasses import replace

from pypod import EnvVar, ImageError, PodSpec, PodStatus
from pypod.model.life.members import Kind
from pypod.model.life.status import Phase, Running, Terminated
from tests.contract.harness import seconds
from tests.images import standins
from tests.integration.conftest import eventually
from tests.integration.corpus_engine import Run, case, helper

PODS = "k8s-website-2021__pods__"
NEW = "k8s-website-2026__"


def _runs(status: PodStatus, *names: str) -> bool:
    return all(isinstance(status.container(name).state, Running) for name in names)


@case("k8s-website-2021__admin__sched__pod2.yaml")
def scheduler(run: Run) -> None:
    assert run.pod.refresh().phase is Phase.RUNNING


@case(f"{PODS}pod-nginx-specific-node.yaml")
def specific_node(run: Run) -> None:
    """There is one node: it runs there, and that is said."""
    assert run.pod.refresh().phase is Phase.RUNNING
    assert any("spec.nodeName: has no effect" in each for each in run.warnings)


@case("k8s-website-2021__application__job__redis__redis-pod.yaml")
def redis(run: Run) -> None:
    assert run.sh("redis-cli ping; printenv MASTER") == "PONG\ntrue\n"


@case("k8s-website-2021__application__shell-demo.yaml")
def shell_demo(run: Run) -> None:
    run.sh("echo 'Hello shell demo' > /usr/share/nginx/html/index.html")
    assert run.get(80) == "Hello shell demo\n"
    pause = run.private.raw.inspect_container(run.inspect()["HostConfig"]["NetworkMode"].partition(":")[2])
    assert pause["HostConfig"]["NetworkMode"] == "host"


@case("k8s-website-2021__debug__counter-pod.yaml")
def counter(run: Run) -> None:
    run.until_logs("\n2: ")
    assert [line[:3] for line in run.pod.logs().splitlines()[:3]] == ["0: ", "1: ", "2: "]


@case("k8s-website-2021__debug__termination.yaml", slow=True)
def termination(run: Run) -> None:
    run.until(lambda status: status.container("termination-demo-container").last_state, "it has ended once")
    end = run.status().last_state
    assert end is not None
    assert (end.message, end.exit_code, end.reason) == ("Sleep expired\n", 0, "Completed")


@case(f"{PODS}init-containers.yaml", helpers=(helper("info.cern.ch", "nginx:1.14.2"),))
def init_containers(run: Run) -> None:
    """nginx serves what the init container fetched."""
    assert isinstance(run.status("install").state, Terminated)
    page = run.helpers[0].exec(["cat", "/usr/share/nginx/html/index.html"]).stdout
    assert page
    assert run.get(80) == page


@case(f"{PODS}lifecycle-events.yaml")
def lifecycle(run: Run) -> None:
    run.until(lambda status: status.container("lifecycle-demo-container").started, "postStart has returned")
    assert run.sh("cat /usr/share/message") == "Hello from the postStart handler\n"
    began = time.monotonic()
    run.pod.stop()
    assert time.monotonic() - began < 15  # its preStop hook ended it, long before its grace of 30 s


@case(f"{PODS}private-reg-pod.yaml")
def no_image_name(run: Run) -> None:
    """A placeholder that its reader left as it is."""
    assert isinstance(run.error, ImageError)
    assert run.error.reason == "InvalidImageName"
    assert "<your-private-image>" in str(run.error)
    names = [name for each in run.private.raw.containers(all=True) for name in each["Names"]]
    assert not [name for name in names if run.pod.spec.namespace + "_" in name]


@case(f"{PODS}probe__exec-liveness.yaml", slow=True)
def exec_liveness(run: Run) -> None:
    run.until(lambda status: status.container("liveness").restart_count, "it is restarted", timeout=120)
    said = [each.message for each in run.pod.events if each.reason == "Unhealthy"]
    assert any("can't open '/tmp/healthy'" in each for each in said), said


@case(f"{PODS}probe__pod-with-tcp-socket-healthcheck.yaml", slow=True)
def tcp_liveness(run: Run) -> None:
    """After 30 s something connects to the server, and does not find it wanting."""
    asked = 0

    def others(_: PodStatus) -> bool:
        nonlocal asked
        asked += 1
        stats = dict(line.split(":", 1) for line in run.sh("redis-cli info stats").split() if ":" in line)
        return int(stats["total_connections_received"]) > asked

    run.until(others, "its liveness probe connects", timeout=60)
    assert run.pod.refresh().restart_count == 0
    assert not [each for each in run.pod.events if each.reason == "Unhealthy"]


@case(f"{PODS}probe__tcp-liveness-readiness.yaml", slow=True)
def goproxy(run: Run) -> None:
    assert run.status().ready
    record = run.pod.history.last_started("goproxy")
    assert record is not None
    assert record.passed("readiness") is True
    assert (
        record.probes["readiness"].at >= seconds(run.inspect()["State"]["StartedAt"]) + 4.9
    )  # its initial delay


@case(f"{PODS}two-container-pod.yaml")
def two_containers(run: Run) -> None:
    run.until(
        lambda status: isinstance(status.container("debian-container").state, Terminated), "one has ended"
    )
    end = run.status("debian-container").state
    assert isinstance(end, Terminated)
    assert (end.exit_code, end.reason) == (0, "Completed")
    assert run.get(80, "nginx-container") == "Hello from the debian container\n"


@case(
    f"{NEW}pods__multi-container__ambassador.yaml",
    helpers=(
        helper(
            "external-db.example.com",
            "alpine/socat:1.8.0.3",
            args=["TCP-LISTEN:5432,fork,reuseaddr", "SYSTEM:echo the database"],
        ),
    ),
)
def ambassador(run: Run) -> None:
    assert run.sh("printenv DATABASE_URL") == "localhost:5432\n"
    assert run.status("ambassador-sidecar").kind is Kind.SIDECAR
    ask = "host=${DATABASE_URL%:*}; port=${DATABASE_URL#*:}; sleep 2 | nc $host $port || true"
    eventually(lambda: run.sh(ask) == "the database\n", "the database answers")


@case(f"{NEW}pods__multi-container__startup-coordination.yaml")
def startup_coordination(run: Run) -> None:
    """The program finds the file: the sidecar's startup probe waited for it."""
    run.until_logs("greeting", "main-app")
    assert run.pod.logs("main-app") == "greeting=hello\n"
    assert run.status("config-sidecar").started


@case("k8spatterns__structural__Sidecar__web-app.yml")
def web_app(run: Run) -> None:
    """One container serves what the other one cloned."""
    run.sh("for i in $(seq 300); do [ -e /var/www/html/index.html ] && exit; sleep 0.1; done; exit 1", "app")
    eventually(lambda: run.get(80, "app") == standins.PAGE, "the whole of it is served")


@case("k8s-website-2021__application__deployment.yaml")
def deployment(run: Run) -> None:
    assert "nginx" in run.get(80).lower()
    assert dict(run.pod.spec.labels) == {"app": "nginx"}


@case("k8s-website-2021__application__guestbook__frontend-deployment.yaml")
def frontend(run: Run) -> None:
    assert run.sh("printenv GET_HOSTS_FROM") == "dns\n"
    assert run.get(80) == "guestbook\n"
    assert run.pod.refresh().qos_class == "Burstable"


@case("k8s-website-2021__application__job__cronjob.yaml")
def cron_job(run: Run) -> None:
    run.until(lambda status: status.phase is Phase.SUCCEEDED, "it has succeeded")
    assert run.pod.logs().splitlines()[-1] == "Hello from the Kubernetes cluster"


@case(f"{NEW}application__job__job-sidecar.yaml")
def job_sidecar(run: Run) -> None:
    """The sidecar is ended when the work is done."""
    run.until(lambda status: status.phase is Phase.SUCCEEDED, "it has succeeded", timeout=60)
    assert "logging" in run.pod.logs("logshipper")


@case(f"{NEW}application__job__job-sidecar-legacy.yaml")
def job_sidecar_legacy(run: Run) -> None:
    """An ordinary container beside the work goes on, and the pod never completes."""
    run.until(lambda status: isinstance(status.container("myjob").state, Terminated), "the work is done")
    run.until_logs("logging", "logshipper")
    status = run.pod.refresh()
    assert status.phase is Phase.RUNNING
    assert _runs(status, "logshipper")


def _first(spec: PodSpec) -> PodSpec:
    """What the Job controller gives the Pod of its index 1."""
    (container,) = spec.containers
    return replace(
        spec, containers=(replace(container, env=(EnvVar("JOB_COMPLETION_INDEX", "1"), *container.env)),)
    )


@case(f"{NEW}controllers__job-backoff-limit-per-index-example.yaml", change=_first)
def odd_index(run: Run) -> None:
    run.until(lambda status: status.phase is Phase.SUCCEEDED, "it has succeeded")
    assert run.pod.logs() == "Hello world\n"


@case(f"{NEW}controllers__job-pod-failure-policy-example.yaml")
def failing(run: Run) -> None:
    run.until(lambda status: status.phase is Phase.FAILED, "it has failed")
    end = run.status("main").state
    assert isinstance(end, Terminated)
    assert (end.exit_code, end.reason) == (42, "Error")
    assert run.pod.logs() == "Hello world!\n"
