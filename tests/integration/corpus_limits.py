"""Checks of manifests about resources, security and storage, each as its page or book says."""

from __future__ import annotations

from dataclasses import replace

from pypod import PersistentVolumeClaim, Pod, Volume
from pypod.model.life.status import Phase
from tests.integration.corpus_engine import Run, case, helper, here
from tests.integration.private_engine import PrivateEngine

PODS = "k8s-website-2021__pods__"
NEW = "k8s-website-2026__pods__"
MI = 1 << 20


@case(f"{PODS}qos__qos-pod.yaml")
def guaranteed(run: Run) -> None:
    assert run.pod.refresh().qos_class == "Guaranteed"


@case(f"{PODS}qos__qos-pod-2.yaml")
def burstable(run: Run) -> None:
    assert run.pod.refresh().qos_class == "Burstable"
    assert run.inspect()["HostConfig"]["Memory"] == 200 * MI


@case(f"{PODS}qos__qos-pod-3.yaml")
def best_effort(run: Run) -> None:
    assert run.pod.refresh().qos_class == "BestEffort"


@case(f"{PODS}resource__memory-request-limit.yaml")
def memory(run: Run) -> None:
    run.until_logs("allocated")
    stats = run.private.raw.stats(run.status().container_id, stream=False)["memory_stats"]
    assert 150 * MI <= stats["usage"] <= stats["limit"] == 200 * MI
    assert run.status().restart_count == 0


@case(f"{NEW}resource__pod-level-resources.yaml")
def pod_level(run: Run) -> None:
    """One container has limits of its own, the other one the pod's."""
    found = [run.inspect(f"pod-resources-demo-ctr-{number}")["HostConfig"] for number in (1, 2)]
    assert [each["Memory"] for each in found] == [100 * MI, 200 * MI]
    assert [each["CpuQuota"] for each in found] == [50_000, 100_000]
    assert run.pod.refresh().qos_class == "Burstable"


@case(f"{NEW}resource__pod-resize.yaml")
def resize(run: Run) -> None:
    """As it is before it is resized."""
    host = run.inspect()["HostConfig"]
    assert (host["CpuQuota"], host["Memory"]) == (70_000, 200 * MI)
    assert run.pod.refresh().qos_class == "Guaranteed"
    assert any("resizePolicy: has no effect" in each for each in run.warnings)


@case(f"{PODS}security__security-context.yaml")
def security_context(run: Run) -> None:
    assert run.sh("id -u; id -g") == "1000\n3000\n"
    assert {"2000", "3000"} <= set(run.sh("id -G").split())
    assert run.sh("stat -c %g /data/demo") == "2000\n"
    assert run.sh("cd /data/demo && echo hello > testfile && stat -c %u:%g testfile") == "1000:2000\n"


@case(f"{PODS}security__security-context-2.yaml")
def own_user(run: Run) -> None:
    assert run.sh("id -u; cat /proc/1/status | grep NoNewPrivs").split() == ["2000", "NoNewPrivs:", "1"]


@case(f"{PODS}security__security-context-4.yaml")
def capabilities(run: Run) -> None:
    (line,) = [each for each in run.sh("cat /proc/1/status").splitlines() if each.startswith("CapPrm")]
    assert line.split()[1] == "00000000aa0435fb"  # as on the page: bits 12 and 25 beside the usual ones


@case(f"{NEW}security__security-context-6.yaml")
def strict_groups(run: Run) -> None:
    """The image's /etc/group has its user in another one, which does not count."""
    assert "group-in-image:x:50000:app" in run.sh("cat /etc/group")
    assert run.sh("id -u") == "1000\n"
    assert sorted(run.sh("id -G").split()) == ["3000", "4000"]


@case(f"{PODS}security__seccomp__ga__fine-pod.yaml")
def seccomp(run: Run) -> None:
    assert run.get(5678) == "just made some syscalls!\n"
    assert "Operation not permitted" in run.sh("mkdir /tmp/x 2>&1 || true")  # the profile forbids it
    assert run.sh("grep -E '^(Seccomp|NoNewPrivs):' /proc/1/status").split() == [
        "NoNewPrivs:",
        "1",
        "Seccomp:",
        "2",
    ]


@case("kuar__19-1-kuard-pod-securitycontext.yaml")
def kuard(run: Run) -> None:
    assert run.sh("id -u; id -g") == "1000\n3000\n"
    assert "Read-only file system" in run.sh("touch /x 2>&1 || true")
    assert run.get(8080) == "kuard\n"


def _claim(name: str) -> tuple[PersistentVolumeClaim]:
    return (PersistentVolumeClaim(name, storage=3 << 30),)


@case(f"{PODS}storage__pv-pod.yaml", objects=_claim("task-pv-claim"))
def claim(run: Run) -> None:
    run.sh("echo 'Hello from Kubernetes storage' > /usr/share/nginx/html/index.html")
    assert run.get(80) == "Hello from Kubernetes storage\n"
    assert run.pod.refresh().phase is Phase.RUNNING


FILL = """\
mkdir /claim/html
echo 'from the claim' > /claim/html/index.html
printf 'user www-data;\\nevents {}\\nhttp { server { listen 80; root /usr/share/nginx/html; } }\\n' > /claim/nginx.conf
touch /claim/done
"""


def _fill(private: PrivateEngine, namespace: str) -> None:
    """The page's claim has a site and its configuration."""
    spec = helper("fill", "busybox:1.28", command=["sleep", "600"], mounts={"claim": "/claim"})
    spec = replace(here(spec), namespace=namespace, volumes=(Volume.claim("claim", "test-nfs-claim"),))
    with Pod.from_spec(spec, engine=private.engine) as pod:
        assert pod.exec(["sh", "-ec", FILL]).exit_code == 0


@case(f"{NEW}storage__pv-duplicate.yaml", objects=_claim("test-nfs-claim"), prepare=_fill)
def parts_of_a_claim(run: Run) -> None:
    """A directory and a file of one claim, at two places."""
    assert run.get(80) == "from the claim\n"
    assert "/etc/nginx/nginx.conf" in run.sh("cat /proc/mounts")
