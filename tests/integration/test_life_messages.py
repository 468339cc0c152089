"""What containers leave to be read when they have ended, what ends a whole pod, and what keeps it from an image."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import docker
import pytest

from pypod import Container, ImageError, Phase, Pod, PodStartError
from pypod.model.life.status import Running, Terminated, Waiting
from pypod.model.spec.pod import MessagePolicy
from tests.images import BUSYBOX
from tests.integration.conftest import PATIENCE, eventually
from tests.integration.life import SERVE, Witness, is_ascending, on_term, shell
from tests.integration.processes import silent_registry

pytestmark = pytest.mark.docker

FALLBACK = MessagePolicy.FALLBACK_TO_LOGS_ON_ERROR
ABSENT = "pypod-test/there-is-no-such-image:1"
NO_NAME = "cafe" * 16 + ":1"
"""Well-formed, and refused by every engine: it could be the ID of an image."""


@pytest.fixture
def witness(raw: docker.APIClient, namespace: str) -> Witness:
    return Witness(raw, namespace)


def _pod(namespace: str, *containers: Container, **more: Any) -> Pod:
    given = {"termination_grace_period_seconds": 0, **more}
    return Pod("web", containers=containers, namespace=namespace, **given)


# --- termination messages --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """A container, and what it is to leave."""

    name: str
    script: str
    message: str
    code: int = 0
    path: str = "/dev/termination-log"
    policy: MessagePolicy = MessagePolicy.FILE
    user: str = ""


def _numbers(first: int, last: int, word: str = "") -> str:
    return "".join(f"{number:05d}{word}\n" for number in range(first, last + 1))


def _count(last: int, word: str = "") -> str:
    return f"i=1; while [ $i -le {last} ]; do printf '%05d{word}\\n' $i; i=$((i+1)); done"


LONG = "a-long-line-of-a-log-that-has-far-more-than-it-may-have"
CASES = [
    Case("file", "printf well > /dev/termination-log", "well"),
    Case(
        "elsewhere", "printf user-$(id -u) > /tmp/of/mine", "user-1001", path="/tmp/of/mine", user="1001:1001"
    ),
    Case("last-4096-bytes", f"({_count(1000)}) > /dev/termination-log", _numbers(1, 1000)[-4096:]),
    Case("nothing-in-the-file", "echo a log; exit 3", "", 3),
    Case("no-error-no-log", "echo a log", "", policy=FALLBACK),
    Case("file-first", "echo a log; printf mine > /m; exit 3", "mine", 3, "/m", FALLBACK),
    Case("80-lines", f"{_count(100)}; exit 3", _numbers(21, 100), 3, policy=FALLBACK),
    Case("2048-bytes", f"{_count(100, LONG)}; exit 3", _numbers(1, 100, LONG)[-2048:], 3, "", FALLBACK),
]


@pytest.fixture(scope="module")
def ended(raw: docker.APIClient, module_namespace: str) -> Iterator[Pod]:
    """A pod of all the cases, at its end."""
    containers = [
        shell(
            case.name,
            case.script,
            termination_message_path=case.path,
            termination_message_policy=case.policy,
            user=case.user,
        )
        for case in CASES
    ]
    pod = _pod(module_namespace, *containers, restart_policy="Never").start(wait=False)
    try:
        pod.wait("Failed", timeout=60)  # and with the end, the messages are there
        yield pod
    finally:
        pod.stop()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_termination_message(ended: Pod, case: Case) -> None:
    state = ended.status.container(case.name).state
    assert isinstance(state, Terminated)
    assert (state.exit_code, state.message) == (case.code, case.message)


def test_a_message_outlives_its_container_not_its_pod(
    namespace: str, raw: docker.APIClient, witness: Witness
) -> None:
    """As a manifest has it, where the path is Kubernetes' default one."""
    script = f"{SERVE}; echo out of cheese > /dev/termination-log; exit 1"
    text = f"""\
apiVersion: v1
kind: Pod
metadata: {{name: web, namespace: {namespace}}}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - name: app
    image: {BUSYBOX}
    command: [sh, -c, "{script}"]
"""

    def volumes() -> list[str]:
        return [each["Name"] for each in raw.volumes()["Volumes"] or [] if namespace in each["Name"]]

    with Pod.from_manifest(text) as pod:
        assert len(volumes()) == 1
        pod.exec(["touch", "/go"])
        eventually(
            lambda: pod.refresh().restart_count == 1 and pod.status.ready_count == 1, "it is restarted"
        )
        last = pod.status.container("app").last_state
        assert last is not None
        assert (last.exit_code, last.message) == (1, "out of cheese\n")
        assert pod.exec(["cat", "/dev/termination-log"], check=True).stdout == ""
        assert witness.attempts("app") == [0, 1]
    assert volumes() == []


# --- the deadline ----------------------------------------------------------------------------------------------------


def _active_for(seconds: int, namespace: str) -> Pod:
    return _pod(
        namespace,
        shell("app", on_term("sleep 0.3; echo goodbye; exit 0")),
        init_containers=[shell("proxy", on_term("exit 0"), restart_policy="Always")],
        active_deadline_seconds=seconds,
        termination_grace_period_seconds=30,
    )


def test_a_pod_that_is_active_for_too_long_fails_gracefully(namespace: str, raw: docker.APIClient) -> None:
    for seconds in (5, 20, 60):  # on a busy machine the time may be up before it has started
        own = f"{namespace}-{seconds}"
        witness, pod = Witness(raw, own), _active_for(seconds, own)
        with contextlib.suppress(PodStartError):
            pod.start()
            break
    with contextlib.ExitStack() as stack:
        stack.callback(pod.stop)
        eventually(lambda: witness.died("proxy"), "its time is up, everything ends", timeout=seconds + 30)
        status = pod.refresh()
        message = "Pod was active on the node longer than the specified deadline"
        assert (status.phase, status.reason, status.message) == (Phase.FAILED, "DeadlineExceeded", message)
        assert pod.history.began is not None
        signal, *more = witness.happened("kill", "app")
        assert (signal.attributes["signal"], more) == ("15", [])
        assert signal.at >= pod.history.began + seconds
        assert is_ascending([signal.at, witness.died("app")[0], witness.died("proxy")[0]])
        assert pod.logs("app") == "goodbye\n"
        assert [(each.reason, each.message) for each in pod.events if each.reason == "DeadlineExceeded"] == [
            ("DeadlineExceeded", message)
        ]
        eventually(lambda: not pod.plan(), "nothing more is to be done")
        assert pod.refresh().phase is Phase.FAILED  # final, although its policy is Always
        assert [witness.attempts(name) for name in ("app", "proxy")] == [[0], [0]]


# --- images ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("image", "policy", "reason"),
    [
        (ABSENT, "Never", "ErrImageNeverPull"),
        (NO_NAME, None, "InvalidImageName"),
        ("<your-private-image>", None, "InvalidImageName"),
        ("../containers/json", None, "InvalidImageName"),
    ],
)
def test_an_image_that_can_never_be_had_fails_the_start(
    namespace: str, witness: Witness, image: str, policy: str | None, reason: str
) -> None:
    bad = Container("bad", image, image_pull_policy=policy)
    with pytest.raises(ImageError, match=rf"^cannot start pod .*'bad': {reason}: .*{image}") as caught:
        _pod(namespace, bad, shell("app", SERVE)).start()
    assert (caught.value.container, caught.value.reason) == ("bad", reason)
    assert "bad" not in witness.created()
    assert witness.names() == []


@contextlib.contextmanager
def _dying_registry() -> Iterator[tuple[str, socket.socket]]:
    """A registry on this machine, which holds its callers until it is closed."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(60)
        yield f"127.0.0.1:{server.getsockname()[1]}", server


def test_images_that_cannot_be_had_hold_up_nothing_else(namespace: str, witness: Witness) -> None:
    def is_backed_off() -> bool:
        state = pod.refresh().container("absent").state
        assert isinstance(state, Waiting)
        return state.reason == "ImagePullBackOff"

    with _dying_registry() as (address, server):
        image = f"{address}/no/such:1"
        containers = [
            Container("absent", image),
            Container("never", ABSENT, image_pull_policy="Never"),
            Container("invalid", NO_NAME),
            shell("app", SERVE),
        ]
        pod = _pod(namespace, *containers).start(wait=False)
        try:
            caller, _ = server.accept()
            eventually(lambda: witness.attempts("app") == [0], "what has its image runs meanwhile")
            eventually(lambda: isinstance(pod.refresh().container("app").state, Running), "it does")
            pod.exec(["touch", "/go"], "app")
            eventually(lambda: witness.attempts("app") == [0, 1], "it is restarted while the pull goes on")
            begun = time.time()
            server.close()
            caller.close()
            eventually(is_backed_off, "it waits for another try")
            state = pod.status.container("absent").state
            assert isinstance(state, Waiting)
            assert state.until is not None
            assert begun + 10 <= state.until <= time.time() + 10
            assert state.message.startswith(f'Back-off pulling image "{image}": ErrImagePull: ')
            reasons = {each.name: getattr(each.state, "reason", "") for each in pod.status.container_statuses}
            assert reasons["never"] == "ErrImageNeverPull"
            assert reasons["invalid"] == "InvalidImageName"
            assert pod.status.phase is Phase.PENDING  # although one runs
            assert isinstance(pod.status.container("app").state, Running)
            assert pod.exec(["echo", "here"], "app").stdout == "here\n"
            assert [each.restart_count for each in pod.status.container_statuses] == [0, 0, 0, 1]
        finally:
            pod.stop()


def test_a_stop_does_not_wait_for_a_pull(namespace: str, witness: Witness) -> None:
    with silent_registry() as (address, called):
        pod = _pod(namespace, Container("slow", f"{address}/no/such:1"), shell("app", SERVE)).start(
            wait=False
        )
        called()
        begun = time.monotonic()
        pod.stop()
        assert time.monotonic() - begun < PATIENCE  # the engine itself gives up after some 20 s
    assert witness.names() == []
