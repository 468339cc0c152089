"""What containers may do, and as whom: asked of the processes themselves, on a real engine."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import docker
import pytest

from pypod import Container, Pod, PodStartError
from pypod.model.spec.pod import (
    Capabilities,
    PodSecurityContext,
    PodSpec,
    ProcMount,
    ProfileType,
    SeccompProfile,
    SecurityContext,
    SupplementalGroupsPolicy,
)
from tests.images import BUSYBOX
from tests.integration.conftest import STAY, eventually

pytestmark = pytest.mark.docker

NOTHING = "0000000000000000"


def member(name: str = "web", **context: Any) -> Container:
    return Container(name, BUSYBOX, command=STAY, security_context=SecurityContext(**context))


def pod_of(namespace: str, *containers: Container, **more: Any) -> Pod:
    spec = PodSpec(
        "web",
        containers,
        namespace=namespace,
        termination_grace_period_seconds=0,
        **{"share_process_namespace": False, **more},
    )
    return Pod.from_spec(spec)


def status(pod: Pod, container: str) -> dict[str, str]:
    """Of a container's first process: of an exec's own it would be the same."""
    text = pod.exec(["cat", "/proc/1/status"], container).stdout
    return dict(line.split(":\t", 1) for line in text.splitlines())


def test_users_and_groups(namespace: str) -> None:
    context = PodSecurityContext(run_as_user=1234, run_as_group=2345, supplemental_groups=(3456, 4567))
    containers = [
        member("pods"),
        member("own", run_as_user=65534),
        member("both", run_as_user=7, run_as_group=8),
        Container("python", BUSYBOX, command=STAY, user="9"),
    ]
    with pod_of(namespace, *containers, security_context=context) as pod:
        found = {each.name: pod.exec(["id"], each.name).stdout.split() for each in containers}
        numbers = {
            name: [word.partition("(")[0].partition("=")[2] for word in words[:2]]
            for name, words in found.items()
        }
        assert numbers == {
            "pods": ["1234", "2345"],
            "own": ["65534", "2345"],
            "both": ["7", "8"],
            "python": ["9", "2345"],
        }
        assert set(status(pod, "pods")["Groups"].split()) - {"2345"} == {"3456", "4567"}
        assert pod.exec(["id", "-u"], "own", user="0").stdout.strip() == "0"


def test_what_the_kernel_says(namespace: str) -> None:
    containers = [
        member("plain"),
        member("bound", allow_privilege_escalation=False, read_only_root_filesystem=True),
        member("bare", capabilities=Capabilities(drop=("ALL",))),
        member("one", capabilities=Capabilities(add=("NET_ADMIN",), drop=("ALL",))),
        member("open", seccomp_profile=SeccompProfile(ProfileType.UNCONFINED)),
        member("proc", proc_mount=ProcMount.UNMASKED),
    ]
    with pod_of(namespace, *containers) as pod:
        kernel = {each.name: status(pod, each.name) for each in containers}
        assert (kernel["plain"]["NoNewPrivs"], kernel["bound"]["NoNewPrivs"]) == ("0", "1")
        assert (kernel["plain"]["Seccomp"], kernel["open"]["Seccomp"]) == ("2", "0")
        assert kernel["bare"]["CapEff"] == NOTHING != kernel["plain"]["CapEff"]
        assert int(kernel["one"]["CapEff"], 16) == 1 << 12
        written = pod.exec(["touch", "/x"], "bound")
        assert (written.exit_code, "Read-only file system" in written.stderr) == (1, True)
        assert pod.exec(["touch", "/dev/shm/x"], "bound").exit_code == 0
        assert pod.exec(["touch", "/x"], "plain").exit_code == 0
        hidden = ["sh", "-c", "mount | grep -c ' on /proc/'"]
        assert pod.exec(hidden, "proc").stdout.strip() == "0"
        assert int(pod.exec(hidden, "plain").stdout) > 3


def test_a_seccomp_profile_of_the_host(
    namespace: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules = [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO"}]
    text = json.dumps({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": rules})
    (tmp_path / "no-mkdir.json").write_text(text)
    monkeypatch.setenv("PYPOD_SECCOMP_PROFILES", str(tmp_path))
    profile = SeccompProfile(ProfileType.LOCALHOST, "no-mkdir.json")
    with pod_of(namespace, member("free"), member("bound", seccomp_profile=profile)) as pod:
        assert pod.exec(["mkdir", "/d"], "free").exit_code == 0
        assert "Operation not permitted" in pod.exec(["mkdir", "/d"], "bound").stderr
        assert pod.exec(["touch", "/f"], "bound").exit_code == 0


def test_root_where_it_must_not_be(namespace: str) -> None:
    with pytest.raises(
        PodStartError, match="CreateContainerConfigError: container has runAsNonRoot and image will run as"
    ) as caught:
        pod_of(namespace, member(run_as_non_root=True)).start()
    assert caught.value.container == "web"
    with pod_of(namespace, member(run_as_non_root=True, run_as_user=5)) as pod:
        assert pod.exec(["id", "-u"]).stdout.strip() == "5"


@pytest.fixture
def image_of(raw: docker.APIClient, namespace: str) -> Iterator[Callable[[str], str]]:
    """Makes images that run as somebody."""
    made: list[str] = []

    def make(user: str) -> str:
        repository, tag = f"pypod-test/{namespace}", f"user-{len(made)}"
        container = raw.create_container(BUSYBOX, ["true"])["Id"]
        raw.commit(container, repository=repository, tag=tag, changes=f"USER {user}")
        raw.remove_container(container)
        made.append(f"{repository}:{tag}")
        return made[-1]

    yield make
    for reference in made:
        raw.remove_image(reference)


def test_the_user_of_the_image(namespace: str, image_of: Callable[[str], str]) -> None:
    number, name = image_of("1000:1000"), image_of("app")
    fine = Container(
        "fine", number, command=STAY, security_context=SecurityContext(run_as_non_root=True, run_as_group=44)
    )
    named = Container("named", name, command=STAY, security_context=SecurityContext(run_as_group=44))
    with pod_of(namespace, fine, named) as pod:
        for container in ("fine", "named"):
            assert pod.exec(["id", "-u"], container).stdout.strip() == "1000"
            assert pod.exec(["id", "-g"], container).stdout.strip() == "44"
    unclear = Container("named", name, command=STAY, security_context=SecurityContext(run_as_non_root=True))
    with pytest.raises(PodStartError, match=r"image has non-numeric user \(app\), cannot verify"):
        pod_of(namespace, unclear).start()


def test_an_ephemeral_container_is_bound_as_the_pod_is(namespace: str) -> None:
    context = PodSecurityContext(run_as_user=77, supplemental_groups=(88,))
    with pod_of(namespace, member(), security_context=context) as pod:
        name = pod.debug(BUSYBOX)
        assert pod.exec(["id"], name).stdout.strip() == "uid=77 gid=0(root) groups=0(root),88"


def test_groups_of_the_image_do_not_count_where_strict_is_asked_for(namespace: str) -> None:
    """An engine adds them to a user without a group: such a container is not made."""
    strict = SupplementalGroupsPolicy.STRICT
    context = PodSecurityContext(
        run_as_user=1000, run_as_group=44, supplemental_groups=(88,), supplemental_groups_policy=strict
    )
    with pod_of(namespace, member(), security_context=context) as pod:
        assert sorted(pod.exec(["id", "-G"]).stdout.split()) == ["44", "88"]
    with pytest.raises(PodStartError, match=r"CreateContainerConfigError: .*runAsGroup is needed"):
        pod_of(namespace, member(), security_context=replace(context, run_as_group=None)).start()


def test_sysctls(namespace: str) -> None:
    context = PodSecurityContext(
        sysctls=(
            ("kernel.shm_rmid_forced", "1"),
            ("net/ipv4/tcp_syncookies", "0"),
            ("net.ipv4.ip_local_port_range", "20000 30000"),
        )
    )
    with pod_of(namespace, member(), member("log"), security_context=context) as pod:
        files = [
            f"/proc/sys/{name}"
            for name in ("kernel/shm_rmid_forced", "net/ipv4/tcp_syncookies", "net/ipv4/ip_local_port_range")
        ]
        for container in ("web", "log"):
            assert pod.exec(["cat", *files], container).stdout.split() == ["1", "0", "20000", "30000"]


def test_what_a_kubelet_forbids_is_not_made(namespace: str, raw: docker.APIClient) -> None:
    context = PodSecurityContext(sysctls=(("net.core.somaxconn", "77"),))
    with pytest.raises(PodStartError, match=r'SysctlForbidden: forbidden sysctl: "net\.core\.somaxconn"'):
        pod_of(namespace, member(), security_context=context).start()
    with pytest.raises(PodStartError, match=r'RuntimeClass "nobodys" not found: the engine has .*runc'):
        pod_of(namespace, member(), runtime_class_name="nobodys").start()
    assert not [each for each in raw.containers(all=True) if namespace in str(each["Names"])]


def test_a_runtime_by_its_name(namespace: str, raw: docker.APIClient) -> None:
    with pod_of(namespace, member(), runtime_class_name="runc"):
        (found,) = raw.containers(filters={"name": f"{namespace}_web_.*web_0"})
        assert raw.inspect_container(found["Id"])["HostConfig"]["Runtime"] == "runc"


def test_privileged_is_asked_for(namespace: str, raw: docker.APIClient) -> None:
    """Where the machine withholds capabilities it cannot be started; that it was asked for is seen all the same."""
    pod = pod_of(namespace, member(privileged=True))
    found: list[dict[str, Any]] = []

    def is_made() -> bool:
        """One that does not start goes again."""
        for each in raw.containers(all=True, filters={"name": f"{namespace}_web_.*web_"}):
            with contextlib.suppress(docker.errors.NotFound):
                found.append(raw.inspect_container(each["Id"]))
        return bool(found)

    try:
        pod.start(wait=False)
        eventually(is_made, "it is made")
        assert found[0]["HostConfig"]["Privileged"]
    finally:
        pod.stop()


def test_a_terminal_and_an_open_input(namespace: str) -> None:
    containers = [
        Container(
            "tty", BUSYBOX, command=["sh", "-c", "tty; echo out; echo err >&2; exec sleep 1000"], tty=True
        ),
        Container("open", BUSYBOX, command=["sh", "-c", "read line; exit 3"], stdin=True, stdin_once=True),
        Container("shut", BUSYBOX, command=["sh", "-c", "read line || echo end; exec sleep 1000"]),
    ]
    with pod_of(namespace, *containers) as pod:
        # Containers that run may not have begun.
        eventually(lambda: "err" in pod.logs("tty"), "it says all")
        assert pod.logs("tty").replace("\r", "").splitlines() == ["/dev/pts/0", "out", "err"]
        eventually(lambda: pod.logs("shut") == "end\n", "its input is at its end")
        assert pod.refresh().container("open").restart_count == 0
        assert pod.exec(["cat", "/proc/1/cmdline"], "open").stdout.startswith("sh")
