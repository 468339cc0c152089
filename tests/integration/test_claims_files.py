"""File systems are separate; volumes share directories. Each claim with a negative control."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pypod import Container, Pod, Volume, VolumeMount
from pypod.engine.api import Engine
from tests.images import BUSYBOX, TOOLS
from tests.integration.conftest import STAY, HandMade, PodLike, eventually, sh, together

Maker = Callable[[str], HandMade]
Restart = Callable[[PodLike, str], None]

LIMIT = 1024 * 1024
VOLUMES = ("disk", "memory", "small")
MOUNTS = {name: f"/{name}" for name in VOLUMES}


def kill_and_await(pod: PodLike, member: str) -> None:
    """Kill a member's process, and wait for the supervisor's restart of it."""
    assert isinstance(pod, Pod)
    before = {found.name: found.restart_count for found in pod.refresh().container_statuses}
    pod.exec(["pkill", "-9", "-f", "sleep 1001"], "b", check=True)
    eventually(lambda: restarted(pod, member, before[member]), f"{member} is restarted")


def restarted(pod: Pod, member: str, count: int) -> bool:
    found = next(found for found in pod.refresh().container_statuses if found.name == member)
    return found.restart_count > count and found.ready


def restart_by_hand(pod: PodLike, member: str) -> None:
    assert isinstance(pod, HandMade)
    pod.restart(member)


@pytest.fixture(scope="module")
def pods(engine: Engine, module_namespace: str) -> Iterator[tuple[Pod, Pod]]:
    """One with volumes; one with directories of the same names, and no volumes."""
    mounted = [
        Container("a", TOOLS, command=["sleep", "1001"], mounts=MOUNTS),
        Container("b", TOOLS, command=["sleep", "1002"], mounts=MOUNTS),
    ]
    volumes = [
        Volume.empty_dir("disk"),
        Volume.empty_dir("memory", medium="Memory"),
        Volume.empty_dir("small", medium="Memory", size_limit=LIMIT),
    ]
    script = f"mkdir {' '.join(MOUNTS.values())}; exec sleep 1000"
    bare = [Container(name, TOOLS, command=["sh", "-c", script]) for name in ("a", "b")]
    with_volumes = Pod(
        "mounted", containers=mounted, volumes=volumes, namespace=module_namespace, engine=engine
    )
    without = Pod("bare", containers=bare, namespace=module_namespace, engine=engine)
    with together(with_volumes, without):
        for member in ("a", "b"):
            eventually(lambda member=member: "small" in sh(without, member, "ls /"), "the directories")  # type: ignore[misc]
        yield with_volumes, without


class TestClaim09SeparateFileSystems:
    @staticmethod
    def check_separate(pod: PodLike, directory: str = "") -> None:
        """A file written in one member exists there, and not in the other; both ways."""
        for writer, other in (("a", "b"), ("b", "a")):
            path = f"{directory}/only-in-{writer}"
            sh(pod, writer, f"echo {writer} > {path}")
            assert sh(pod, writer, f"cat {path}") == f"{writer}\n"
            assert pod.exec(["cat", path], other).exit_code != 0, f"{other} has it as well"

    def test_a_file_is_where_it_was_written(self, pods: tuple[Pod, Pod]) -> None:
        self.check_separate(pods[0])

    def test_control_a_shared_directory(self, pods: tuple[Pod, Pod]) -> None:
        with pytest.raises(AssertionError, match="b has it as well"):
            self.check_separate(pods[0], "/disk")


class TestClaim10Volumes:
    @staticmethod
    def check_shared(pod: PodLike, volume: str) -> None:
        """What one member writes the other reads; both ways."""
        for writer, reader in (("a", "b"), ("b", "a")):
            sh(pod, writer, f"echo {writer} > /{volume}/from-{writer}")
            read = pod.exec(["cat", f"/{volume}/from-{writer}"], reader).stdout
            assert read == f"{writer}\n", f"{reader} does not see it"

    @staticmethod
    def check_size_is_enforced(pod: PodLike, volume: str) -> None:
        """Half of the limit can be written, and twice the limit cannot."""
        fill = f"head -c {{}} /dev/zero > /{volume}/fill"
        try:
            sh(pod, "a", fill.format(LIMIT // 2))
            result = pod.exec(["sh", "-c", fill.format(LIMIT * 2)], "a")
            assert result.exit_code != 0, "more than the limit was written"
            assert "No space left on device" in result.stderr
        finally:
            sh(pod, "a", f"rm -f /{volume}/fill")

    @staticmethod
    def check_keeps_data(pod: PodLike, restart: Restart) -> None:
        """What a member wrote in memory is there after its restart."""
        sh(pod, "a", "echo kept > /memory/kept")
        restart(pod, "a")
        assert pod.exec(["cat", "/memory/kept"], "a").stdout == "kept\n", "lost"

    @staticmethod
    def check_in_memory(pod: PodLike, volume: str) -> None:
        for member in ("a", "b"):
            assert sh(pod, member, f"stat -f -c %T /{volume}") == "tmpfs\n"

    @pytest.mark.parametrize("volume", VOLUMES)
    def test_shares_a_directory(self, pods: tuple[Pod, Pod], volume: str) -> None:
        self.check_shared(pods[0], volume)

    @pytest.mark.parametrize("volume", VOLUMES)
    def test_control_no_volume(self, pods: tuple[Pod, Pod], volume: str) -> None:
        with pytest.raises(AssertionError, match="b does not see it"):
            self.check_shared(pods[1], volume)

    def test_memory_is_memory(self, pods: tuple[Pod, Pod]) -> None:
        self.check_in_memory(pods[0], "memory")
        self.check_in_memory(pods[0], "small")

    def test_control_disk_is_no_memory(self, pods: tuple[Pod, Pod]) -> None:
        with pytest.raises(AssertionError, match="tmpfs"):
            self.check_in_memory(pods[0], "disk")

    def test_memory_enforces_its_size(self, pods: tuple[Pod, Pod]) -> None:
        self.check_size_is_enforced(pods[0], "small")

    @pytest.mark.parametrize("volume", ["disk", "memory"])
    def test_control_no_limit(self, pods: tuple[Pod, Pod], volume: str) -> None:
        with pytest.raises(AssertionError, match="more than the limit"):
            self.check_size_is_enforced(pods[0], volume)

    def test_memory_keeps_its_data_when_a_member_restarts(self, engine: Engine, namespace: str) -> None:
        members = [
            Container("a", TOOLS, command=["sleep", "1001"], mounts={"memory": "/memory"}),
            Container("b", TOOLS, command=STAY),
        ]
        volume = Volume.empty_dir("memory", medium="Memory")
        with Pod("keeps", containers=members, volumes=[volume], namespace=namespace, engine=engine) as pod:
            self.check_in_memory_of_a(pod)
            self.check_keeps_data(pod, kill_and_await)

    @staticmethod
    def check_in_memory_of_a(pod: PodLike) -> None:
        assert sh(pod, "a", "stat -f -c %T /memory") == "tmpfs\n"

    def test_control_a_pause_that_does_not_hold_the_volume(self, by_hand: Maker) -> None:
        pod = by_hand("loses")
        volume = pod.volume("memory", type="tmpfs", device="tmpfs")
        pod.add("pause", ipc_mode="shareable")
        pod.join("a", binds=[f"{volume}:/memory"])
        self.check_in_memory_of_a(pod)
        assert pod.is_up()
        with pytest.raises(AssertionError, match="lost"):
            self.check_keeps_data(pod, restart_by_hand)


class TestMoreOfVolumes:
    @pytest.mark.parametrize("medium", ["", "Memory"])
    def test_an_empty_dir_is_writable_by_any_user(self, engine: Engine, namespace: str, medium: str) -> None:
        member = Container("a", BUSYBOX, command=STAY, user="1000:1000", mounts={"data": "/data"})
        other = Container("b", BUSYBOX, command=STAY, user="2000", mounts={"data": "/data"})
        volume = Volume.empty_dir("data", medium=medium)
        with Pod(
            "anyone", containers=[member, other], volumes=[volume], namespace=namespace, engine=engine
        ) as pod:
            assert sh(pod, "a", "ls -A /data; echo mine > /data/mine; stat -c %u /data/mine") == "1000\n"
            assert (
                sh(pod, "b", "cat /data/mine; echo mine > /data/yours; stat -c %u /data/yours")
                == "mine\n2000\n"
            )

    def test_an_empty_dir_begins_empty_and_ends_with_the_pod(self, engine: Engine, namespace: str) -> None:
        for _ in range(2):
            member = Container("a", BUSYBOX, command=STAY, mounts={"data": "/data"})
            volume = Volume.empty_dir("data")
            with Pod(
                "again", containers=[member], volumes=[volume], namespace=namespace, engine=engine
            ) as pod:
                assert sh(pod, "a", "ls -A /data; touch /data/old") == ""

    def test_read_only(self, engine: Engine, namespace: str) -> None:
        writer = Container("a", BUSYBOX, command=STAY, mounts={"data": "/data"})
        reader = Container("b", BUSYBOX, command=STAY, mounts=[VolumeMount("data", "/data", read_only=True)])
        volume = Volume.empty_dir("data")
        with Pod(
            "ro", containers=[writer, reader], volumes=[volume], namespace=namespace, engine=engine
        ) as pod:
            sh(pod, "a", "echo word > /data/word")
            assert sh(pod, "b", "cat /data/word") == "word\n"
            refused = pod.exec(["touch", "/data/mine"], "b")
            assert refused.exit_code != 0
            assert "Read-only file system" in refused.stderr

    def test_a_host_path_is_the_engines_hosts(self, engine: Engine, namespace: str, tmp_path: Path) -> None:
        (tmp_path / "from-host").write_text("host\n")
        made = tmp_path / "made"
        volumes = [
            Volume.host_path("there", str(tmp_path)),
            Volume.host_path("made", str(made), type="DirectoryOrCreate"),
        ]
        member = Container("a", BUSYBOX, command=STAY, mounts={"there": "/there", "made": "/made"})
        with Pod("host", containers=[member], volumes=volumes, namespace=namespace, engine=engine) as pod:
            assert sh(pod, "a", "cat /there/from-host; echo pod > /made/from-pod") == "host\n"
            assert (made / "from-pod").read_text() == "pod\n"
        assert (made / "from-pod").read_text() == "pod\n"

    def test_a_host_path_that_is_not_there_is_an_error(
        self, engine: Engine, namespace: str, tmp_path: Path
    ) -> None:
        missing = tmp_path / "missing"
        member = Container("a", BUSYBOX, command=STAY, mounts={"there": "/there"})
        pod = Pod(
            "missing",
            containers=[member],
            volumes=[Volume.host_path("there", str(missing))],
            namespace=namespace,
            engine=engine,
        )
        before = time.monotonic()
        with pytest.raises(Exception, match=str(missing)):
            pod.start(timeout=60)
        assert time.monotonic() - before < 30
        assert not missing.exists()
