"""What the pause program promises, asked of this machine's own binary as a plain process. Needs no engine."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pathlib
import platform
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import IO

import pytest

from pypod.engine import pause

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="the pause program is a Linux binary"
)

PATIENCE = 20.0  # seconds after which something hangs; nothing here takes more than one
AT_ONCE = 10.0  # seconds, on a machine with much else to do; half of what something would be waited for
STILL = 0.2  # seconds in which something that must not happen would have happened

Handler = Callable[[socket.socket], object]
Start = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """The binary as an executable file, whatever the checkout or the wheel did to its mode."""
    path = tmp_path_factory.mktemp("pause") / "pause"
    path.write_bytes(pause.binary(pause.normalise_architecture(platform.machine())))
    path.chmod(0o755)
    return path


@pytest.fixture
def start(program: pathlib.Path) -> Iterator[Start]:
    """Starts the program with pipes for its streams; at the end none is left running."""
    with contextlib.ExitStack() as stack:

        def run(*arguments: str, **options: int) -> subprocess.Popen[bytes]:
            streams = {
                "stdin": subprocess.PIPE,
                "stdout": subprocess.PIPE,
                "stderr": subprocess.PIPE,
                **options,
            }
            process: subprocess.Popen[bytes] = subprocess.Popen(  # type: ignore[call-overload]
                [str(program), *arguments], bufsize=0, **streams
            )
            stack.enter_context(process)
            stack.callback(process.kill)
            return process

        yield run


@contextlib.contextmanager
def serving(handler: Handler, host: str = "127.0.0.1") -> Iterator[str]:
    """Hands the first connection to a port of this machine to the handler; yields the port."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as listener:
        listener.bind((host, 0))
        listener.listen()
        listener.settimeout(PATIENCE)

        def serve() -> None:
            connection, _ = listener.accept()
            connection.settimeout(PATIENCE)
            with connection:
                handler(connection)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield str(listener.getsockname()[1])
        finally:
            thread.join(PATIENCE)
            assert not thread.is_alive()


@pytest.fixture
def closed_port() -> Iterator[tuple[socket.socket, str]]:
    """A port that refuses: bound, so that nobody else gets it, and not listening."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield holder, str(holder.getsockname()[1])


def read_all(connection: socket.socket) -> bytes:
    received = bytearray()
    while chunk := connection.recv(65536):
        received += chunk
    return bytes(received)


def echo(connection: socket.socket) -> None:
    while chunk := connection.recv(65536):
        connection.sendall(chunk)


def stream(process: subprocess.Popen[bytes], name: str) -> IO[bytes]:
    found: IO[bytes] | None = getattr(process, name)
    assert found is not None
    return found


def read_exactly(source: IO[bytes], size: int) -> bytes:
    received = bytearray()
    while len(received) < size and (chunk := source.read(size - len(received))):
        received += chunk
    return bytes(received)


def write_fully(target: IO[bytes], data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[target.write(view) :]


def assert_stays(process: subprocess.Popen[bytes]) -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(STILL)


class TestPause:
    @pytest.mark.parametrize("arguments", [[], ["--lease"]])
    @pytest.mark.parametrize("signal_number", [signal.SIGTERM, signal.SIGINT])
    def test_leaves_at_once_when_told(self, start: Start, arguments: list[str], signal_number: int) -> None:
        process = start(*arguments)
        write_fully(stream(process, "stdin"), b"up\n")
        assert read_exactly(stream(process, "stdout"), 3) == b"up\n"

        process.send_signal(signal_number)

        assert process.wait(AT_ONCE) == 0

    def test_leaves_when_told_even_while_its_log_is_blocked(self, start: Start) -> None:
        process = start()
        write_fully(stream(process, "stdin"), b"up\n")
        assert read_exactly(stream(process, "stdout"), 3) == b"up\n"
        fcntl.fcntl(stream(process, "stdin"), fcntl.F_SETFL, os.O_NONBLOCK)
        deadline = time.monotonic() + PATIENCE
        blocked_since = None
        while blocked_since is None or time.monotonic() - blocked_since < STILL:
            assert time.monotonic() < deadline
            if stream(process, "stdin").write(b"x" * 65536) is not None:
                blocked_since = None
            elif blocked_since is None:
                blocked_since = time.monotonic()

        process.send_signal(signal.SIGTERM)

        assert process.wait(AT_ONCE) == 0

    @pytest.mark.parametrize("size", [1, 4097, 100_000, 5_000_000])
    def test_copies_stdin_to_stdout_and_says_nothing_itself(self, start: Start, size: int) -> None:
        data = os.urandom(size)
        process = start("--lease")

        stdout, stderr = process.communicate(data, PATIENCE)

        assert stdout == data
        assert stderr == b""
        assert process.returncode == pause.LEASE_LOST_EXIT_CODE

    def test_copies_all_to_a_stdout_that_takes_little_at_a_time(self, start: Start) -> None:
        reader, writer = os.pipe()
        fcntl.fcntl(writer, fcntl.F_SETFL, os.O_NONBLOCK)
        data = os.urandom(1_000_000)
        process = start("--lease", stdout=writer)
        os.close(writer)
        feeder = threading.Thread(target=lambda: process.communicate(data, PATIENCE))
        feeder.start()

        received = bytearray()
        while chunk := os.read(reader, 1000):
            received += chunk
        os.close(reader)
        feeder.join(PATIENCE)

        assert bytes(received) == data

    def test_waits_on_a_stdin_that_is_not_blocking(self, start: Start) -> None:
        reader, writer = os.pipe()
        fcntl.fcntl(reader, fcntl.F_SETFL, os.O_NONBLOCK)
        process = start("--lease", stdin=reader)
        os.close(reader)

        assert_stays(process)
        os.write(writer, b"late\n")
        assert read_exactly(stream(process, "stdout"), 5) == b"late\n"
        os.close(writer)

        assert process.wait(PATIENCE) == pause.LEASE_LOST_EXIT_CODE

    def test_goes_on_when_its_stdout_is_gone(self, start: Start) -> None:
        process = start("--lease")
        stream(process, "stdout").close()

        write_fully(stream(process, "stdin"), b"x" * 300_000)
        assert_stays(process)
        stream(process, "stdin").close()

        assert process.wait(PATIENCE) == pause.LEASE_LOST_EXIT_CODE

    def test_without_a_lease_goes_on_after_the_end_of_stdin(self, start: Start) -> None:
        process = start()
        write_fully(stream(process, "stdin"), b"last words\n")
        stream(process, "stdin").close()

        assert read_exactly(stream(process, "stdout"), 11) == b"last words\n"
        assert_stays(process)

    def test_without_a_lease_needs_no_stdin(self, start: Start) -> None:
        assert_stays(start(stdin=subprocess.DEVNULL))

    def test_without_a_lease_needs_no_streams_at_all(self, program: pathlib.Path) -> None:
        with subprocess.Popen(["/bin/sh", "-c", 'exec "$0" <&- >&- 2>&-', str(program)]) as process:
            try:
                assert_stays(process)
            finally:
                process.terminate()

        assert process.returncode == 0

    def test_a_lease_that_never_was_is_lost(self, start: Start) -> None:
        assert start("--lease", stdin=subprocess.DEVNULL).wait(PATIENCE) == pause.LEASE_LOST_EXIT_CODE


class TestUsage:
    @pytest.mark.parametrize(
        "arguments",
        [
            "what",
            "--lease more",
            "--leased",
            "relay",
            "relay 127.0.0.1",
            "relay 127.0.0.1 80 81",
            "relay localhost 80",
            "relay 127.0.0.1 0",
            "relay 127.0.0.1 65536",
            "relay 127.0.0.1 99999999999999999999",
            "relay 127.0.0.1 80x",
            "relay --wait 127.0.0.1 80",
            "relay --wait -1 127.0.0.1 80",
            "relay --wait 1 2 127.0.0.1 80",
            "relay 127.0.0.1 80 --wait 1",
            "relay --check",
            "relay --check 127.0.0.1",
            "relay --limit 127.0.0.1 80",
            "relay --limit x 127.0.0.1 80",
            "relay --soon 127.0.0.1 80",
        ],
    )
    def test_what_it_does_not_know_is_a_usage_error(self, start: Start, arguments: str) -> None:
        process = start(*arguments.split())

        stdout, stderr = process.communicate(b"", PATIENCE)

        assert process.returncode == 2
        assert stdout == b""
        assert stderr.startswith(b"usage: pause ")
        assert stderr.count(b"\n") == 1


class TestRelay:
    @pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
    def test_joins_stdin_and_stdout_to_a_port(self, start: Start, host: str) -> None:
        if host == "::1" and not pathlib.Path("/proc/net/if_inet6").exists():
            pytest.skip("this machine has no IPv6")
        with serving(echo, host) as port:
            process = start("relay", host, port)
            for line in (b"one\n", b"two\n"):
                write_fully(stream(process, "stdin"), line)
                assert read_exactly(stream(process, "stdout"), len(line)) == line
            stdout, stderr = process.communicate(b"three\n", PATIENCE)

        assert (stdout, stderr, process.returncode) == (b"three\n", b"", 0)

    def test_passes_on_the_end_of_stdin_and_still_reads_the_answer(self, start: Start) -> None:
        with serving(lambda connection: connection.sendall(b"got %d" % len(read_all(connection)))) as port:
            process = start("relay", "127.0.0.1", port)
            stdout, stderr = process.communicate(b"x" * 100_000, PATIENCE)

        assert (stdout, stderr, process.returncode) == (b"got 100000", b"", 0)

    def test_leaves_at_the_end_of_the_socket_though_stdin_is_open(self, start: Start) -> None:
        with serving(lambda connection: connection.sendall(b"bye")) as port:
            process = start("relay", "127.0.0.1", port)

            assert process.wait(PATIENCE) == 0
            assert stream(process, "stdout").read() == b"bye"

    def test_flushes_to_a_slow_reader_before_it_leaves(self, start: Start) -> None:
        data = os.urandom(3_000_000)
        with serving(lambda connection: connection.sendall(data)) as port:
            process = start("relay", "127.0.0.1", port)
            assert_stays(process)
            received = read_exactly(stream(process, "stdout"), len(data) + 1)

        assert received == data
        assert process.wait(PATIENCE) == 0

    def test_carries_megabytes_both_ways_while_the_server_only_writes(self, start: Start) -> None:
        """The socket is full of what the server does not read yet; the answer must get through."""
        question, answer, heard = os.urandom(8_000_000), os.urandom(8_000_000), bytearray()

        def write_then_read(connection: socket.socket) -> None:
            connection.sendall(answer)
            heard.extend(read_all(connection))

        with serving(write_then_read) as port:
            process = start("relay", "127.0.0.1", port)
            stdout, stderr = process.communicate(question, PATIENCE)

        assert stdout == answer
        assert bytes(heard) == question
        assert (stderr, process.returncode) == (b"", 0)

    def test_carries_megabytes_both_ways_while_the_client_only_writes(self, start: Start) -> None:
        """Stdout is full of what nobody reads yet; the question must get through."""
        question, answer = os.urandom(8_000_000), os.urandom(8_000_000)
        heard: list[bytes] = []

        def read_and_write(connection: socket.socket) -> None:
            writer = threading.Thread(target=connection.sendall, args=(answer,))
            writer.start()
            heard.append(read_all(connection))
            writer.join(PATIENCE)

        with serving(read_and_write) as port:
            process = start("relay", "127.0.0.1", port)
            write_fully(stream(process, "stdin"), question)
            stream(process, "stdin").close()
            received = read_exactly(stream(process, "stdout"), len(answer) + 1)

        assert received == answer
        assert heard == [question]
        assert process.wait(PATIENCE) == 0

    def test_a_refused_connection_is_said_in_one_line(
        self, start: Start, closed_port: tuple[socket.socket, str]
    ) -> None:
        _, port = closed_port
        process = start("relay", "127.0.0.1", port)

        stdout, stderr = process.communicate(b"", PATIENCE)

        assert (stdout, process.returncode) == (b"", 1)
        assert stderr.decode() == f"cannot connect to 127.0.0.1:{port}: connection refused\n"

    def test_an_ipv6_address_is_said_in_brackets(self, start: Start) -> None:
        process = start("relay", "::1", "1")

        _, stderr = process.communicate(b"", PATIENCE)

        assert process.returncode == 1
        assert stderr.decode().startswith("cannot connect to [::1]:1: ")

    def test_waits_until_a_server_appears(self, start: Start, closed_port: tuple[socket.socket, str]) -> None:
        holder, port = closed_port
        process = start("relay", "--wait", "20000", "127.0.0.1", port)
        assert_stays(process)

        holder.listen()
        holder.settimeout(AT_ONCE)
        connection, _ = holder.accept()
        with connection:
            connection.sendall(b"here")

        assert process.wait(PATIENCE) == 0
        assert stream(process, "stdout").read() == b"here"
        assert stream(process, "stderr").read() == b""

    @pytest.mark.parametrize("wait", [0, 300])
    def test_waits_no_longer_than_told(
        self, start: Start, closed_port: tuple[socket.socket, str], wait: int
    ) -> None:
        _, port = closed_port
        before = time.monotonic()
        process = start("relay", "--wait", str(wait), "127.0.0.1", port)

        _, stderr = process.communicate(b"", PATIENCE)

        assert wait / 1000 <= time.monotonic() - before < wait / 1000 + AT_ONCE
        assert process.returncode == 1
        assert stderr.decode() == f"cannot connect to 127.0.0.1:{port}: connection refused\n"

    def test_a_check_ends_when_a_silent_server_takes_the_connection(
        self, start: Start, closed_port: tuple[socket.socket, str]
    ) -> None:
        holder, port = closed_port
        holder.listen()
        process = start("relay", "--check", "--wait", "20000", "--limit", "20000", "127.0.0.1", port)
        assert process.wait(PATIENCE) == 0
        assert stream(process, "stderr").read() == b""

    def test_a_check_of_a_port_where_nobody_listens_fails(
        self, start: Start, closed_port: tuple[socket.socket, str]
    ) -> None:
        _, port = closed_port
        process = start("relay", "--check", "127.0.0.1", port)
        assert process.wait(PATIENCE) == 1
        text = stream(process, "stderr").read().decode()
        assert text == f"cannot connect to 127.0.0.1:{port}: connection refused\n"

    def test_the_limit_ends_a_relay_to_a_server_that_hangs(
        self, start: Start, closed_port: tuple[socket.socket, str]
    ) -> None:
        holder, port = closed_port
        holder.listen()
        before = time.monotonic()
        process = start("relay", "--limit", "300", "127.0.0.1", port)
        assert process.wait(PATIENCE) == -signal.SIGALRM
        assert 0.25 < time.monotonic() - before < AT_ONCE

    def test_the_limit_ends_a_wait_as_well(
        self, start: Start, closed_port: tuple[socket.socket, str]
    ) -> None:
        _, port = closed_port
        process = start("relay", "--wait", "20000", "--limit", "300", "127.0.0.1", port)
        assert process.wait(PATIENCE) == -signal.SIGALRM

    def test_a_server_that_is_ready_is_not_waited_for(self, start: Start) -> None:
        with serving(echo) as port:
            before = time.monotonic()
            process = start("relay", "--wait", "20000", "127.0.0.1", port)
            stdout, _ = process.communicate(b"now", PATIENCE)

        assert stdout == b"now"
        assert time.monotonic() - before < AT_ONCE

    def test_leaves_when_nobody_reads_its_stdout(self, start: Start) -> None:
        with serving(read_all) as port:
            process = start("relay", "127.0.0.1", port)
            write_fully(stream(process, "stdin"), b"hello")
            stream(process, "stdout").close()

            assert process.wait(PATIENCE) == 1

    def test_a_connection_that_is_reset_is_a_failure(self, start: Start) -> None:
        def reset(connection: socket.socket) -> None:
            connection.sendall(b"part")
            connection.recv(100)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

        with serving(reset) as port:
            process = start("relay", "127.0.0.1", port)
            assert read_exactly(stream(process, "stdout"), 4) == b"part"
            _, stderr = process.communicate(b"x", PATIENCE)

        assert process.returncode == 1
        assert stderr.decode() == f"lost the connection to 127.0.0.1:{port}: connection reset by peer\n"

    def test_uses_no_processor_while_nothing_moves(self, start: Start) -> None:
        """Stdin at its end and hung up, stdout full: nothing of that may make it spin."""
        done = threading.Event()

        def fill_and_hold(connection: socket.socket) -> None:
            connection.settimeout(STILL)
            with contextlib.suppress(TimeoutError):
                connection.sendall(b"x" * 50_000_000)
            done.wait(PATIENCE)

        with serving(fill_and_hold) as port:
            process = start("relay", "127.0.0.1", port)
            stream(process, "stdin").close()
            time.sleep(2 * STILL)
            before = processor_seconds(process.pid)
            time.sleep(2 * STILL)
            used = processor_seconds(process.pid) - before
            stream(process, "stdout").close()
            done.set()

        assert used < STILL / 2


def processor_seconds(pid: int) -> float:
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
