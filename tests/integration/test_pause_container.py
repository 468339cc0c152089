"""The pause image on a real engine: what pypod's pods rest on, tried as they use it.

The engine facts among these (what `StdinOnce` does, whose mode a new volume takes) are tested because the
design stands on them: an engine that behaves otherwise must show here, and not as a pod that never ends.
"""

from __future__ import annotations

import contextlib
import json
import socket
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import docker
import pytest

from pypod.engine import pause
from tests import images

pytestmark = pytest.mark.docker

PATIENCE = 20.0
AT_ONCE = 10.0  # seconds, on a machine with much else to do; half of PATIENCE
STILL = 0.5  # seconds in which something that must not happen would have happened


class PauseEngine:
    """The engine at hand, with the pause image in it; removes every container and volume that it made."""

    def __init__(self, stack: contextlib.ExitStack) -> None:
        self._stack = stack
        self.api: Any = docker.from_env(version="auto").api
        stack.callback(self.api.close)
        self.arch = pause.normalise_architecture(self.api.info()["Architecture"])
        self.image = pause.reference(self.arch)
        self.load()

    def load(self) -> str:
        """Load the image; answers its ID."""
        messages = list(self.api.load_image(pause.archive(self.arch)))
        assert not [message for message in messages if "error" in message]
        return str(self.api.inspect_image(self.image)["Id"])

    def create(
        self,
        *command: str,
        stdin_once: bool = False,
        image: str | None = None,
        user: str | None = None,
        volumes: Sequence[str] = (),
        **host_config: Any,
    ) -> str:
        """Create a container, by default of the pause image and as a pod's pause is created."""
        settings: dict[str, Any] = {
            "cap_drop": ["ALL"],
            "read_only": True,
            "security_opt": ["no-new-privileges"],
            "network_mode": "none",
            "ipc_mode": "shareable",
            "log_config": {"type": "json-file", "config": {}},
            "binds": list(volumes),
            **host_config,
        }
        config = self.api.create_container_config(
            image or self.image,
            list(command),
            user=user,
            labels={"io.pypod.role": "test"},
            stdin_open=image is None,
            host_config=self.api.create_host_config(**settings),
        )
        config["StdinOnce"] = stdin_once  # docker-py sets it by rules of its own
        container = str(self.api.create_container_from_config(config)["Id"])
        self._stack.callback(self.api.remove_container, container, force=True, v=True)
        return container

    def run(self, *command: str, **options: Any) -> str:
        container = self.create(*command, **options)
        self.api.start(container)
        return container

    def volume(self) -> str:
        name = f"pypod-test-{uuid.uuid4().hex[:12]}"
        self.api.create_volume(name)
        # Registered before the containers that use it, so removed after them.
        self._stack.callback(self.api.remove_volume, name)
        return name

    @contextlib.contextmanager
    def attached(self, container: str) -> Iterator[socket.socket]:
        """A connection to the container's stdin, as its owner holds it; at the end it is gone."""
        stream: Any = self.api.attach_socket(container, params={"stdin": 1, "stream": 1})
        connection: socket.socket = stream._sock
        connection.settimeout(PATIENCE)
        try:
            yield connection
        finally:
            connection.shutdown(socket.SHUT_RDWR)
            connection.close()
            stream.close()

    def state(self, container: str) -> dict[str, Any]:
        state: dict[str, Any] = self.api.inspect_container(container)["State"]
        return state

    def exit_code(self, container: str) -> int:
        return int(self.api.wait(container, timeout=PATIENCE)["StatusCode"])

    def assert_stays(self, container: str) -> None:
        time.sleep(STILL)
        assert self.state(container)["Running"]

    def logs(self, container: str) -> bytes:
        found: bytes = self.api.logs(container)
        return found

    def wait_for_logs(self, container: str, size: int) -> bytes:
        eventually(lambda: len(self.logs(container)) >= size, "the log holds what was written")
        return self.logs(container)

    def output(self, *command: str, **options: Any) -> str:
        """Run a container to its end; answers what it wrote."""
        container = self.run(*command, **options)
        assert self.exit_code(container) == 0, self.logs(container).decode()
        return self.logs(container).decode()


def eventually(check: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not check():
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(0.02)


@pytest.fixture
def engine() -> Iterator[PauseEngine]:
    with contextlib.ExitStack() as stack:
        yield PauseEngine(stack)


@pytest.fixture(scope="module")
def busybox() -> str:
    """An image for what needs a shell."""
    images.require([images.BUSYBOX])
    return images.BUSYBOX


class TestImage:
    def test_loading_it_again_gives_the_same_image_and_nothing_dangling(self, engine: PauseEngine) -> None:
        dangling = {image["Id"] for image in engine.api.images(filters={"dangling": True})}

        first, second = engine.load(), engine.load()

        assert first == second
        assert {image["Id"] for image in engine.api.images(filters={"dangling": True})} <= dangling

    def test_is_known_for_what_it_is(self, engine: PauseEngine) -> None:
        found = engine.api.inspect_image(engine.image)

        assert engine.image in found["RepoTags"]
        assert (found["Os"], found["Architecture"]) == ("linux", engine.arch.split("/")[0])
        assert found["Config"]["Entrypoint"] == [pause.ENTRYPOINT]
        assert found["Config"]["User"] == pause.USER
        assert found["Config"]["Labels"] == pause.IMAGE_LABELS

    def test_the_tag_is_the_start_of_the_id(self, engine: PauseEngine) -> None:
        if ["driver-type", "io.containerd.snapshotter.v1"] in (engine.api.info().get("DriverStatus") or []):
            pytest.skip("with the containerd image store the ID is another digest")

        assert engine.load().removeprefix("sha256:").startswith(engine.image.partition(":")[2])


class TestPause:
    @pytest.mark.parametrize("network", ["none", "bridge"])
    def test_leaves_at_once_when_stopped(self, engine: PauseEngine, network: str) -> None:
        container = engine.run(network_mode=network)

        before = time.monotonic()
        engine.api.kill(container, "SIGTERM")

        assert engine.exit_code(container) == 0
        assert time.monotonic() - before < AT_ONCE

    def test_takes_less_than_a_megabyte(self, engine: PauseEngine) -> None:
        container = engine.run()

        def used() -> int:
            stats: Any = engine.api.stats(container, stream=False, one_shot=True)
            return int(stats["memory_stats"]["usage"])

        assert used() > 0
        eventually(lambda: used() < 1024 * 1024, "less than a megabyte")

    def test_the_journal_is_in_the_log_byte_for_byte(self, engine: PauseEngine) -> None:
        long_line = json.dumps({"spec": "x" * 100_000})
        journal = f'{{"a":1}}\nWörter, 語, \U0001f433 \x01\x02\x1b[31m\x7f\n\n{long_line}\nlast\n'.encode()
        container = engine.create()
        with engine.attached(container) as channel:
            engine.api.start(container)
            channel.sendall(journal)
            assert engine.wait_for_logs(container, len(journal)) == journal

    def test_a_short_line_is_in_the_log_soon(self, engine: PauseEngine) -> None:
        container = engine.run()
        with engine.attached(container) as channel:
            channel.sendall(b"ready\n")
            # While the channel is open, and nothing follows that would push it out of a buffer.
            assert engine.wait_for_logs(container, 6) == b"ready\n"

    def test_orphans_of_the_pod_leave_no_zombie(self, engine: PauseEngine, busybox: str) -> None:
        """Neither one that dies as an orphan, nor one that was a zombie already when its parent died."""
        script = """
            orphan=$( (sleep 1000 >/dev/null & echo $!) )
            until grep 'PPid:.1$' /proc/$orphan/status; do sleep 0.02; done
            kill $orphan
            (sleep 0.1 & exec sleep 0.3)
            tries=0
            while [ -e /proc/$orphan ] || grep -qs '^State:.Z' /proc/[0-9]*/status; do
                tries=$((tries + 1))
                [ $tries -lt 200 ] || { echo they stay; break; }
                sleep 0.05
            done
            echo end
        """
        container = engine.run()
        member = {"pid_mode": f"container:{container}", "ipc_mode": f"container:{container}"}

        written = engine.output("/bin/sh", "-c", script, image=busybox, user="1000:1000", **member)

        assert written.split() == ["PPid:", "1", "end"]


class TestLease:
    """StdinOnce true: the engine closes the pause's stdin as soon as one who attached to it has left."""

    def test_ends_with_its_holder(self, engine: PauseEngine) -> None:
        container = engine.create("--lease", stdin_once=True)
        with engine.attached(container) as channel:
            engine.api.start(container)
            channel.sendall(b"held\n")
            engine.wait_for_logs(container, 5)
            engine.assert_stays(container)

        before = time.monotonic()
        assert engine.exit_code(container) == pause.LEASE_LOST_EXIT_CODE
        assert time.monotonic() - before < AT_ONCE
        assert engine.logs(container) == b"held\n"

    def test_ends_at_a_half_close(self, engine: PauseEngine) -> None:
        container = engine.create("--lease", stdin_once=True)
        with engine.attached(container) as channel:
            engine.api.start(container)
            channel.shutdown(socket.SHUT_WR)

            assert engine.exit_code(container) == pause.LEASE_LOST_EXIT_CODE

    def test_taken_before_the_start_and_lost_before_the_start_is_lost(self, engine: PauseEngine) -> None:
        container = engine.create("--lease", stdin_once=True)
        with engine.attached(container):
            pass
        engine.api.start(container)

        assert engine.exit_code(container) == pause.LEASE_LOST_EXIT_CODE

    def test_not_yet_taken_is_not_lost(self, engine: PauseEngine) -> None:
        container = engine.run("--lease", stdin_once=True)
        engine.assert_stays(container)

        with engine.attached(container):
            pass

        assert engine.exit_code(container) == pause.LEASE_LOST_EXIT_CODE

    def test_ends_with_a_second_holder_too(self, engine: PauseEngine) -> None:
        container = engine.create("--lease", stdin_once=True)
        with engine.attached(container):
            engine.api.start(container)
            with engine.attached(container):
                pass

            assert engine.exit_code(container) == pause.LEASE_LOST_EXIT_CODE

    def test_does_not_end_without_stdin_once(self, engine: PauseEngine) -> None:
        """Why a leased pause must be created with StdinOnce: otherwise the engine keeps its stdin open."""
        container = engine.create("--lease", stdin_once=False)
        with engine.attached(container):
            engine.api.start(container)

        engine.assert_stays(container)


class TestDetached:
    """StdinOnce false: the engine keeps the pause's stdin open, and anybody may come and go."""

    def test_one_writer_after_another_keeps_the_journal(self, engine: PauseEngine) -> None:
        container = engine.create()
        with engine.attached(container) as channel:
            engine.api.start(container)
            channel.sendall(b"first\n")
            engine.wait_for_logs(container, 6)
        engine.assert_stays(container)

        with engine.attached(container) as channel:
            channel.sendall(b"second\n")
            engine.wait_for_logs(container, 13)

        assert engine.logs(container) == b"first\nsecond\n"
        engine.assert_stays(container)

    def test_two_writers_at_once_keep_the_journal(self, engine: PauseEngine) -> None:
        container = engine.run()
        with engine.attached(container) as one, engine.attached(container) as other:
            one.sendall(b"one\n")
            engine.wait_for_logs(container, 4)
            other.sendall(b"other\n")
            engine.wait_for_logs(container, 10)

        assert engine.logs(container) == b"one\nother\n"

    def test_goes_on_with_a_stdin_that_was_never_open(self, engine: PauseEngine) -> None:
        container = engine.run(image=engine.image)

        engine.assert_stays(container)


class TestVolumes:
    def test_a_new_volume_takes_the_slots_mode_and_serves_any_user(
        self, engine: PauseEngine, busybox: str
    ) -> None:
        volume = engine.volume()
        engine.run(volumes=[f"{volume}:{pause.slot_path(0)}"])

        written = engine.output(
            *("/bin/sh", "-c", "stat -c %a /data && touch /data/mine && stat -c %u /data/mine"),
            image=busybox,
            user="1000:1000",
            volumes=[f"{volume}:/data"],
        )

        assert written.split() == ["777", "1000"]

    def test_the_pause_needs_only_be_created_for_it(self, engine: PauseEngine, busybox: str) -> None:
        volume = engine.volume()
        engine.create(volumes=[f"{volume}:{pause.slot_path(pause.VOLUME_SLOTS - 1)}"])

        mode = engine.output("/bin/stat", "-c", "%a", "/data", image=busybox, volumes=[f"{volume}:/data"])

        assert mode.strip() == "777"

    def test_a_volume_mounted_with_no_copy_keeps_its_own_mode(
        self, engine: PauseEngine, busybox: str
    ) -> None:
        """Why a slot is mounted without no_copy."""
        volume = engine.volume()
        engine.create(volumes=[f"{volume}:{pause.slot_path(0)}:nocopy"])

        mode = engine.output(
            "/bin/stat", "-c", "%a", "/data", image=busybox, volumes=[f"{volume}:/data:nocopy"]
        )

        assert mode.strip() == "755"


class TestRelay:
    def test_says_through_exec_that_a_port_refuses(self, engine: PauseEngine) -> None:
        container = engine.run()
        exec_id = engine.api.exec_create(
            container, [pause.ENTRYPOINT, "relay", "127.0.0.1", "80"], stdin=True
        )["Id"]

        written = engine.api.exec_start(exec_id, demux=True)

        assert written == (None, b"cannot connect to 127.0.0.1:80: connection refused\n")
        assert engine.api.exec_inspect(exec_id)["ExitCode"] == 1
        assert engine.state(container)["Running"]

    @pytest.mark.parametrize("port", ["40000", "40001"])
    def test_does_not_take_itself_for_the_server(self, engine: PauseEngine, port: str) -> None:
        """With few ephemeral ports TCP soon connects a socket that tries again and again to itself."""
        few = {"net.ipv4.ip_local_port_range": "40000 40001"}
        container = engine.run(sysctls=few)
        command = [pause.ENTRYPOINT, "relay", "--wait", "500", "127.0.0.1", port]
        exec_id = engine.api.exec_create(container, command)["Id"]

        written = engine.api.exec_start(exec_id, demux=True)

        assert written == (None, b"cannot connect to 127.0.0.1:%b: connection refused\n" % port.encode())

    def test_waits_inside_the_pod_and_ends_with_the_server(self, engine: PauseEngine, busybox: str) -> None:
        """The client sees the answer and then the end of the stream, though it never closed its own side."""
        container = engine.run()
        command = [pause.ENTRYPOINT, "relay", "--wait", "20000", "127.0.0.1", "8080"]
        exec_id = engine.api.exec_create(container, command, stdin=True)["Id"]
        stream: Any = engine.api.exec_start(exec_id, socket=True)
        connection: socket.socket = stream._sock
        connection.settimeout(PATIENCE)
        with contextlib.closing(stream), contextlib.closing(connection):
            server = "echo answer | /bin/busybox nc -l -p 8080 -w 10"
            engine.run("/bin/sh", "-c", server, image=busybox, network_mode=f"container:{container}")
            connection.sendall(b"question\n")
            received = bytearray()
            while chunk := connection.recv(65536):
                received += chunk

        assert bytes(received[8:]) == b"answer\n"
        assert received[0] == 1  # a frame of stdout
