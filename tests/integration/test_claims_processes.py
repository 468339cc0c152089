"""IPC and PID space: shared where they should be, and not where they should not. Each claim with a negative control."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import pytest

from pypod import Container, Pod
from pypod.engine.api import Engine
from tests.images import TOOLS
from tests.integration.conftest import HandMade, PodLike, eventually, sh, together

Maker = Callable[[str], HandMade]

FIRST = ("sleep", "1001")
SECOND = ("sleep", "1002")

MAKE_POSIX = """
import _posixshmem, os, sys
found = _posixshmem.shm_open("/claim", os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
os.write(found, sys.argv[1].encode())
"""
READ_POSIX = """
import _posixshmem, os
try:
    print(os.read(_posixshmem.shm_open("/claim", os.O_RDWR, 0o600), 100).decode())
except FileNotFoundError:
    print("none")
"""
ORPHAN = """
orphan=$( (sleep 1000 >/dev/null & echo $!) )
grep PPid /proc/$orphan/status | tr -d '\\t'
kill $orphan
for i in $(seq 600); do grep -q 'State:.[^Z]' /proc/$orphan/status 2>/dev/null || break; sleep 0.05; done
for i in $(seq 20); do [ -e /proc/$orphan ] || break; sleep 0.05; done
if [ -e /proc/$orphan ]; then grep State /proc/$orphan/status; else echo gone; fi
"""


def member_pair() -> tuple[Container, Container]:
    return Container("a", TOOLS, command=FIRST), Container("b", TOOLS, command=SECOND)


def await_begun(pod: PodLike, **commands: Sequence[str]) -> None:
    """A container runs before its program does."""
    for member, command in commands.items():
        words = " ".join(command)
        eventually(lambda: words in sh(pod, member, "ps -eo args"), f"{member} has begun")  # noqa: B023


@pytest.fixture(scope="module")
def pods(engine: Engine, module_namespace: str) -> Iterator[tuple[Pod, Pod]]:
    """Two pods of two members; the PID space is shared in the first, and not in the second."""
    shared = Pod("shared", containers=member_pair(), namespace=module_namespace, engine=engine)
    private = Pod(
        "private",
        containers=member_pair(),
        namespace=module_namespace,
        engine=engine,
        share_process_namespace=False,
        termination_grace_period_seconds=0,
    )
    with together(shared, private):
        for pod in (shared, private):
            await_begun(pod, a=FIRST, b=SECOND)
        yield shared, private


@pytest.fixture
def sleeping(by_hand: Maker) -> HandMade:
    """A pod by hand with one PID and IPC space, in which PID 1 is a mere `sleep`."""
    pod = by_hand("sleeping")
    pod.add("pause", ["sleep", "1000"], ipc_mode="shareable")
    pod.join("a", FIRST)
    pod.join("b", SECOND)
    assert pod.is_up()
    await_begun(pod, a=FIRST, b=SECOND)
    return pod


class TestClaim06OneIpcSpace:
    @staticmethod
    def check_system_v(pod: PodLike, other: PodLike) -> None:
        """A queue and a semaphore set made in one member are seen in another, and not in another pod."""
        for make, show in (("ipcmk -Q", "ipcs -q"), ("ipcmk -S 1", "ipcs -s")):
            before = sh(pod, "a", show)
            sh(pod, "a", make)
            keys = {
                word for word in sh(pod, "a", show).split() if word.startswith("0x") and word not in before
            }
            assert len(keys) == 1
            assert keys <= set(sh(pod, "b", show).split()), "b does not see it"
            assert not keys & set(sh(other, "a", show).split()), "another pod sees it"

    @staticmethod
    def check_posix(pod: PodLike, other: PodLike) -> None:
        """The same of a POSIX shared memory object."""
        assert pod.exec(["python3", "-c", MAKE_POSIX, pod.name], "a").exit_code == 0
        assert pod.exec(["python3", "-c", READ_POSIX], "b").stdout == f"{pod.name}\n", "b does not see it"
        assert other.exec(["python3", "-c", READ_POSIX], "a").stdout == "none\n", "another pod sees it"

    def test_system_v(self, pods: tuple[Pod, Pod]) -> None:
        self.check_system_v(*pods)

    def test_system_v_also_where_pids_are_not_shared(self, pods: tuple[Pod, Pod]) -> None:
        self.check_system_v(*reversed(pods))

    def test_posix(self, pods: tuple[Pod, Pod]) -> None:
        self.check_posix(*pods)

    @pytest.mark.parametrize("check", [check_system_v, check_posix])
    def test_control_private_ipc(
        self, by_hand: Maker, pods: tuple[Pod, Pod], check: Callable[[PodLike, PodLike], None]
    ) -> None:
        pod = by_hand("private-ipc")
        pod.add("a", FIRST, ipc_mode="private")
        pod.add("b", SECOND, ipc_mode="private")
        assert pod.is_up()
        with pytest.raises(AssertionError, match="b does not see it"):
            check(pod, pods[1])

    @pytest.mark.parametrize("check", [check_system_v, check_posix])
    def test_control_two_pods_in_one_ipc_space(
        self, sleeping: HandMade, by_hand: Maker, check: Callable[[PodLike, PodLike], None]
    ) -> None:
        other = by_hand("other")
        other.add("a", ipc_mode=f"container:{sleeping.ids['pause']}")
        assert other.is_up()
        with pytest.raises(AssertionError, match="another pod sees it"):
            check(sleeping, other)


class TestClaim07PidsShared:
    @staticmethod
    def check_see_each_other(pod: PodLike) -> None:
        for member in ("a", "b"):
            seen = sh(pod, member, "ps -eo args")
            assert " ".join(FIRST) in seen
            assert " ".join(SECOND) in seen

    @staticmethod
    def check_pause_is_first(pod: PodLike) -> None:
        for member in ("a", "b"):
            assert sh(pod, member, "cat /proc/1/comm") == "pause\n"

    @staticmethod
    def check_orphan_is_reaped(pod: PodLike) -> None:
        """Its parent is PID 1 while it lives; afterwards it is gone, and no zombie."""
        assert sh(pod, "a", ORPHAN).split("\n") == ["PPid:1", "gone", ""]

    def test_members_see_each_others_processes(self, pods: tuple[Pod, Pod]) -> None:
        self.check_see_each_other(pods[0])

    def test_pid_1_is_the_pause(self, pods: tuple[Pod, Pod]) -> None:
        self.check_pause_is_first(pods[0])

    def test_an_orphan_is_reaped(self, pods: tuple[Pod, Pod]) -> None:
        self.check_orphan_is_reaped(pods[0])

    def test_control_pids_not_shared(self, pods: tuple[Pod, Pod]) -> None:
        with pytest.raises(AssertionError, match="sleep 1002"):
            self.check_see_each_other(pods[1])
        with pytest.raises(AssertionError, match="sleep"):
            self.check_pause_is_first(pods[1])

    def test_control_sleep_as_pid_1(self, sleeping: HandMade) -> None:
        self.check_see_each_other(sleeping)
        with pytest.raises(AssertionError, match="sleep"):
            self.check_pause_is_first(sleeping)
        with pytest.raises(AssertionError, match="zombie"):
            self.check_orphan_is_reaped(sleeping)


class TestClaim08PidsNotShared:
    @staticmethod
    def check_own_only(pod: PodLike) -> None:
        """`ps` lists the member's own command as PID 1, and `ps` itself."""
        for member, own in (("a", FIRST), ("b", SECOND)):
            rows = [row.split(None, 1) for row in sh(pod, member, "exec ps -eo pid=,args=").splitlines()]
            assert rows[0] == ["1", " ".join(own)]
            assert [row[1] for row in rows[1:]] == ["ps -eo pid=,args="]

    def test_ps_lists_own_processes_only(self, pods: tuple[Pod, Pod]) -> None:
        self.check_own_only(pods[1])

    def test_one_member_kept_out(self, engine: Engine, namespace: str) -> None:
        alone = Container("alone", TOOLS, command=["sleep", "1003"], own_pid=True)
        with Pod(
            "mixed",
            containers=[*member_pair(), alone],
            namespace=namespace,
            engine=engine,
            termination_grace_period_seconds=0,
        ) as pod:
            await_begun(pod, a=FIRST, b=SECOND, alone=("sleep", "1003"))
            TestClaim07PidsShared.check_see_each_other(pod)
            assert "1003" not in sh(pod, "a", "exec ps -eo args=")
            rows = [row.split(None, 1) for row in sh(pod, "alone", "exec ps -eo pid=,args=").splitlines()]
            assert rows[0] == ["1", "sleep 1003"]
            assert len(rows) == 2

    def test_control_pids_shared(self, pods: tuple[Pod, Pod]) -> None:
        with pytest.raises(AssertionError, match="pause"):
            self.check_own_only(pods[0])
