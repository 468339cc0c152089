"""What `FakeEngine` and `FakeClock` offer beyond the engine's contract."""

from __future__ import annotations

import io
import tarfile
import threading
from typing import Any

import pytest

from pypod.engine import pause
from pypod.engine.api import STDERR, Frame, FrameStream
from pypod.errors import ConflictError, EngineError, EngineUnavailableError, ImagePullError, NotFoundError
from pypod.model.spec.pod import ContainerPort
from pypod.model.wiring.requests import ContainerRequest, MountRequest, NetworkRequest
from pypod.model.wiring.state import ContainerState
from pypod.testing import FakeClock, FakeEngine, Program

IMAGE = "app:1"
PATIENCE = 10.0


@pytest.fixture
def fake() -> FakeEngine:
    engine = FakeEngine()
    engine.add_image(IMAGE)
    return engine


def create(fake: FakeEngine, name: str, *command: str, **more: Any) -> str:
    settings: dict[str, Any] = {"image": IMAGE, "labels": {}, **more}
    return fake.create_container(ContainerRequest(name=name, command=command, **settings))


def run(fake: FakeEngine, name: str, *command: str, **more: Any) -> str:
    made = create(fake, name, *command, **more)
    fake.start_container(made)
    return made


def everything(stream: FrameStream) -> bytes:
    found = b""
    while (frame := stream.read(0)) is not None:
        found += frame.data
    return found


def shell(fake: FakeEngine, script: str) -> tuple[int | None, bytes]:
    made = run(fake, f"sh-{len(fake.calls)}", "sh", "-c", script)
    return fake.container(made).exit_code, everything(fake.logs(made))


class TestClock:
    def test_it_moves_only_when_told(self) -> None:
        clock = FakeClock()
        assert clock.now() == 1_700_000_000.0
        clock.advance(1.5)
        clock.sleep(0.5)
        assert clock.now() == 1_700_000_002.0

    def test_what_is_due_happens_in_order_at_its_time(self) -> None:
        clock, seen = FakeClock(0.0), list[tuple[str, float]]()
        for when, name in ((2.0, "b"), (1.0, "a"), (2.0, "c"), (9.0, "later")):
            clock.call_at(when, lambda name=name: seen.append((name, clock.now())))  # type: ignore[misc]
        clock.advance(5)
        assert seen == [("a", 1.0), ("b", 2.0), ("c", 2.0)]
        assert clock.now() == 5.0

    def test_cancel(self) -> None:
        clock, seen = FakeClock(0.0), list[int]()
        clock.call_at(1, lambda: seen.append(1)).cancel()
        clock.advance(2)
        assert seen == []

    def test_what_is_due_may_ask_for_more(self) -> None:
        clock, seen = FakeClock(0.0), list[float]()

        def tick() -> None:
            seen.append(clock.now())
            clock.call_at(clock.now() + 1, tick)

        clock.call_at(1, tick)
        clock.advance(3)
        assert seen == [1.0, 2.0, 3.0]

    def test_many_threads(self) -> None:
        clock, seen = FakeClock(0.0), list[int]()
        for number in range(200):
            clock.call_at(number / 100, lambda number=number: seen.append(number))  # type: ignore[misc]
        threads = [threading.Thread(target=clock.advance, args=(2,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
        assert sorted(seen) == list(range(200))


class TestVocabulary:
    @pytest.mark.parametrize(
        ("script", "code", "text"),
        [
            ("true", 0, b""),
            ("false", 1, b""),
            ("echo a b; echo c", 0, b"a b\nc\n"),
            ("echo -n a", 0, b"a"),
            ("false && echo no; echo yes", 0, b"yes\n"),
            ("false || echo yes", 0, b"yes\n"),
            ("true && exit 4; echo no", 4, b""),
            ("echo 'a; b' >&2", 0, b"a; b\n"),
            ("echo x 1>&2", 0, b"x\n"),
            ("exec echo a", 0, b"a\n"),
            ("nosuch; exit", 0, b"sh: nosuch: not found\n"),
            ("nosuch", 127, b"sh: nosuch: not found\n"),
            ("echo one\necho two", 0, b"one\ntwo\n"),
            ("sleep 0; echo a", 0, b"a\n"),
            ("cat /etc/none", 1, b"cat: can't open '/etc/none': No such file or directory\n"),
            ("/bin/echo a", 0, b"a\n"),
            ("echo a >/tmp/x; echo b >> /tmp/x; cat /tmp/x", 0, b"a\nb\n"),
            ("echo 2 >/tmp/x; cat /tmp/x /etc/group", 0, b"2\nroot:x:0:\n"),
            ("echo a >/tmp/x; echo b >/tmp/x; cat /tmp/x", 0, b"b\n"),
            ("nosuch 2>/tmp/x; cat /tmp/x", 0, b"sh: nosuch: not found\n"),
            ("nosuch >/tmp/x 2>&1; cat /tmp/x", 0, b"sh: nosuch: not found\n"),
            ("nosuch 2>/dev/null || echo b >/dev/null", 0, b""),
            ("echo '1>/tmp/x'", 0, b"1>/tmp/x\n"),
            ("echo a >/no/such; echo on", 0, b"sh: can't create /no/such: No such file or directory\non\n"),
            ("echo a >/etc", 1, b"sh: can't create /etc: Is a directory\n"),
            (">/tmp/x; test -f /tmp/x && [ -d /tmp ] && test -e /etc/none", 1, b""),
            (
                "touch /tmp/x; rm /tmp/x; rm -f /tmp/x; rm /tmp/x",
                1,
                b"rm: can't remove '/tmp/x': No such file or directory\n",
            ),
            ("cat /tmp", 1, b"cat: can't open '/tmp': Is a directory\n"),
        ],
    )
    def test_shell(self, fake: FakeEngine, script: str, code: int, text: bytes) -> None:
        assert shell(fake, script) == (code, text)

    def test_an_image_sleeps_by_default(self, fake: FakeEngine) -> None:
        made = run(fake, "one")
        fake.clock.advance(1e6)
        assert fake.container(made).state is ContainerState.RUNNING

    def test_an_image_says_what_it_runs(self, fake: FakeEngine) -> None:
        fake.add_image("other:1", entrypoint=("echo", "hello"), command=("world",), stop_signal="SIGQUIT")
        made = run(fake, "one", image="other:1")
        assert everything(fake.logs(made)) == b"hello world\n"
        assert fake.container(made).stop_signal == "SIGQUIT"

    def test_sleeping_ends_when_the_clock_gets_there(self, fake: FakeEngine) -> None:
        made = run(fake, "one", "sleep", "10")
        fake.clock.advance(9.9)
        assert fake.container(made).state is ContainerState.RUNNING
        fake.clock.advance(100)
        info = fake.container(made)
        assert (info.exit_code, info.finished_at) == (0, 1_700_000_010.0)

    def test_exits_happen_in_order(self, fake: FakeEngine) -> None:
        run(fake, "late", "sleep", "2")
        run(fake, "early", "sleep", "1")
        events = fake.events({}, since=fake.clock.now() + 1)
        fake.clock.advance(5)
        iterator = iter(events)
        ends = [next(iterator), next(iterator)]
        assert [(event.action, event.attributes["name"]) for event in ends] == [
            ("die", "early"),
            ("die", "late"),
        ]
        assert [event.time for event in ends] == [1_700_000_001.0, 1_700_000_002.0]

    def test_a_sleeper_that_was_killed_does_not_end_again(self, fake: FakeEngine) -> None:
        made = run(fake, "one", "sleep", "10")
        fake.kill_container(made)
        fake.start_container(made)
        fake.clock.advance(9)
        assert fake.container(made).state is ContainerState.RUNNING

    def test_the_relay_is_not_there(self, fake: FakeEngine) -> None:
        reference = pause.reference("amd64")
        fake.add_image(reference)
        made = run(fake, "one", image=reference, stdin_open=True)
        stream = fake.exec(made, ["/pause", "relay", "127.0.0.1", "80"])
        assert stream.exit_code() == 1


class TestPrograms:
    def test_output_time_and_exit_code(self, fake: FakeEngine) -> None:
        fake.program("serve", Program(runs_for=5, exit_code=3, output=("up", b"x", Frame(STDERR, b"err\n"))))
        made = run(fake, "one", "serve", "--port", "80")
        assert fake.container(made).state is ContainerState.RUNNING
        fake.clock.advance(5)
        assert fake.container(made).exit_code == 3
        assert everything(fake.logs(made)) == b"up\nerr\nx"

    def test_signals(self, fake: FakeEngine) -> None:
        fake.program("serve", Program())
        fake.program("mule", Program(ignores_sigterm=True))
        serve, mule = run(fake, "one", "serve"), run(fake, "two", "mule")
        for made in (serve, mule):
            fake.kill_container(made, "SIGTERM")
        assert fake.container(serve).exit_code == 143
        assert fake.container(mule).state is ContainerState.RUNNING
        fake.kill_container(mule, "9")
        assert fake.container(mule).exit_code == 137

    def test_an_exec_runs_them_too_and_they_can_change(self, fake: FakeEngine) -> None:
        made = run(fake, "one")
        fake.program("check", Program(runs_for=0, exit_code=1))
        assert fake.exec(made, ["check"]).exit_code() == 1
        fake.program("check", Program(runs_for=0))
        assert fake.exec(made, ["sh", "-c", "check && echo fine"]).exit_code() == 0
        fake.program("check", Program(runs_for=2))
        slow = fake.exec(made, ["check"])
        assert slow.exit_code() is None
        fake.clock.advance(2)
        assert slow.exit_code() == 0

    def test_a_built_in_word_can_be_replaced(self, fake: FakeEngine) -> None:
        fake.program("true", Program(runs_for=0, exit_code=9))
        assert shell(fake, "true") == (9, b"")


class TestHelpers:
    def test_injected_errors_come_once_and_before_anything_is_done(self, fake: FakeEngine) -> None:
        fake.inject("create_container", EngineUnavailableError("ask", "", "gone"), times=2)
        for _ in range(2):
            with pytest.raises(EngineUnavailableError):
                create(fake, "one")
        create(fake, "one")

    def test_errors_for_one_target(self, fake: FakeEngine) -> None:
        fake.inject("create_container", EngineError("create", "two", "no"), target="two")
        create(fake, "one")
        with pytest.raises(EngineError):
            create(fake, "two")

    def test_calls(self, fake: FakeEngine) -> None:
        made = run(fake, "one")
        fake.containers({})
        assert fake.calls == [("create_container", "one"), ("start_container", made), ("containers", "")]
        assert fake.request("one").name == "one"

    def test_exit(self, fake: FakeEngine) -> None:
        made = run(fake, "one")
        fake.exit(made, 6)
        assert fake.container(made).exit_code == 6
        with pytest.raises(ConflictError):
            fake.exit(made)

    def test_oom(self, fake: FakeEngine) -> None:
        made = run(fake, "one", labels={"of": "it"})
        stream = iter(fake.events({"of": "it"}, since=0))
        fake.oom(made)
        info = fake.container(made)
        assert (info.exit_code, info.oom_killed) == (137, True)
        assert [next(stream).action for _ in range(4)] == ["create", "start", "oom", "die"]

    def test_write(self, fake: FakeEngine) -> None:
        made = run(fake, "one")
        stream = fake.logs(made, follow=True)
        fake.write(made, "half")
        with pytest.raises(TimeoutError):
            stream.read(0)
        fake.write(made, " a line\n")
        assert stream.read(0) == Frame(1, b"half a line\n")

    def test_broken_streams_end(self, fake: FakeEngine) -> None:
        made = run(fake, "one")
        logs, events = fake.logs(made, follow=True), fake.events({})
        fake.break_streams()
        assert logs.read(0) is None
        assert list(events) == []
        assert fake.container(made).state is ContainerState.RUNNING

    def test_pull(self, fake: FakeEngine) -> None:
        fake.add_registry_image("redis")
        lines: list[str] = []
        fake.pull_image("docker.io/library/redis", lines.append)
        assert fake.image("redis:latest").references == ("redis:latest",)
        assert lines
        fake.remove_image("redis")
        with pytest.raises(NotFoundError):
            fake.image("redis")

    def test_a_slow_pull_is_given_up(self, fake: FakeEngine) -> None:
        fake.add_registry_image("slow", takes=10)
        with pytest.raises(ImagePullError, match="given up"):
            fake.pull_image("slow", register=lambda closable: closable.close())

    def test_a_slow_pull_comes_in_time(self, fake: FakeEngine) -> None:
        fake.add_registry_image("slow", takes=10)
        started = threading.Event()
        thread = threading.Thread(
            target=fake.pull_image, args=("slow", None, lambda closable: started.set()), daemon=True
        )
        thread.start()
        assert started.wait(PATIENCE)
        while thread.is_alive():
            fake.clock.advance(1)
            thread.join(0.01)
        assert fake.image("slow").references == ("slow:latest",)

    def test_a_reader_times_out_by_the_clock(self, fake: FakeEngine) -> None:
        stream = fake.exec(run(fake, "one"), ["sleep", "infinity"])
        caught: list[bool] = []

        def read() -> None:
            try:
                stream.read(3600)
            except TimeoutError:
                caught.append(True)

        thread = threading.Thread(target=read, daemon=True)
        thread.start()
        while thread.is_alive():
            fake.clock.advance(1000)
            thread.join(0.01)
        assert caught == [True]


class TestFiles:
    def test_a_test_writes_and_reads_them(self, fake: FakeEngine) -> None:
        made = run(fake, "one", "sh", "-c", "echo there >/tmp/x; sleep 1; cat /tmp/y")
        assert fake.read_file(made, "/tmp/x") == b"there\n"
        fake.write_file("one", "/tmp/y", "here\n")
        fake.clock.advance(1)
        assert everything(fake.logs(made)) == b"here\n"
        with pytest.raises(FileNotFoundError):
            fake.read_file(made, "/tmp/none")

    def test_a_check_that_looks_at_a_file(self, fake: FakeEngine) -> None:
        made = run(fake, "one")
        assert fake.exec(made, ["cat", "/tmp/healthy"]).exit_code() == 1
        fake.write_file(made, "/tmp/healthy", "")
        assert fake.exec(made, ["cat", "/tmp/healthy"]).exit_code() == 0
        assert fake.exec(made, ["test", "-f", "/tmp/healthy"]).exit_code() == 0

    def test_another_user(self, fake: FakeEngine) -> None:
        made = run(fake, "one", user="1000")
        stream = fake.exec(made, ["sh", "-c", "echo a >/etc/x"])
        assert b"Permission denied" in everything(stream)
        assert fake.exec(made, ["sh", "-c", "echo a >/etc/x"], user="root").exit_code() == 0
        assert fake.exec(made, ["sh", "-c", "echo a >/tmp/x && echo b >/tmp/x"]).exit_code() == 0
        assert fake.exec(made, ["sh", "-c", "echo c >/tmp/x"], user="1001").exit_code() == 1

    def test_a_read_only_root(self, fake: FakeEngine) -> None:
        made = run(fake, "one", read_only=True, mounts=(MountRequest("data", "/data"),))
        with pytest.raises(OSError, match="Read-only file system"):
            fake.write_file(made, "/tmp/x", "")
        fake.write_file(made, "/data/x", "a")
        fake.remove_container(made)
        fake.remove_volume("data")
        assert (
            fake.exec(
                run(fake, "two", mounts=(MountRequest("data", "/data"),)), ["cat", "/data/x"]
            ).exit_code()
            == 1
        )

    def test_links_in_a_circle(self, fake: FakeEngine) -> None:
        made = run(fake, "one")
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as tar:
            for name, target in (("a", "b"), ("b", "a"), ("c", "c/d")):
                link = tarfile.TarInfo(name)
                link.type, link.linkname = tarfile.SYMTYPE, target
                tar.addfile(link)
        fake.put_archive(made, "/tmp", [buffer.getvalue()])
        for name in "abc":
            with pytest.raises(OSError, match="symbolic links"):
                fake.read_file(made, f"/tmp/{name}")
            with pytest.raises(NotFoundError):
                fake.get_archive(made, f"/tmp/{name}/e")


class TestFaults:
    def test_a_stopped_daemon_answers_nobody(self, fake: FakeEngine) -> None:
        made = run(fake, "one")
        logs, events = fake.logs(made, follow=True), fake.events({})
        command = fake.exec(made, ["sleep", "infinity"])
        fake.stop_daemon()
        assert logs.read(0) is None
        assert list(events) == []
        assert command.read(0) is None
        for call in (fake.info, lambda: fake.container(made), lambda: create(fake, "two"), command.exit_code):
            with pytest.raises(EngineUnavailableError):
                call()
        fake.start_daemon()
        assert fake.container(made).exit_code == 137
        with pytest.raises(NotFoundError):
            command.exit_code()

    def test_a_restart_ends_all_as_a_real_one_does(self, fake: FakeEngine) -> None:
        reference = pause.reference("amd64")
        fake.add_image(reference)
        fake.program("serve", Program())
        sandbox = create(fake, "pause", "--lease", image=reference, stdin_open=True, stdin_once=True)
        channel = fake.attach_stdin(sandbox)
        fake.start_container(sandbox)
        member = run(fake, "member", pid_mode=f"container:{sandbox}")
        serve, mule = run(fake, "serve", "serve"), run(fake, "mule")
        fake.pause(mule)
        fake.restart_daemon()
        ends = [fake.container(each).exit_code for each in (sandbox, member, serve, mule)]
        assert ends == [0, 137, 143, 137]
        with pytest.raises(EngineError):
            channel.send(b"x")
        channel.close()
        fake.start_container(sandbox)
        assert fake.container(sandbox).state is ContainerState.RUNNING

    def test_after_a_kill_of_the_daemon_they_end_with_its_start(self, fake: FakeEngine) -> None:
        made = run(fake, "one", "sleep", "100")
        ended = run(fake, "two", "sleep", "5")
        fake.stop_daemon(kill=True)
        fake.clock.advance(10)
        fake.start_daemon()
        assert [fake.container(each).exit_code for each in (made, ended)] == [137, 0]
        assert fake.container(made).finished_at == fake.clock.now()

    def test_a_pull_ends_with_the_daemon(self, fake: FakeEngine) -> None:
        fake.add_registry_image("slow", takes=10)
        with pytest.raises(ImagePullError, match="broke off"):
            fake.pull_image("slow", register=lambda closable: fake.stop_daemon())

    def test_old_events_are_forgotten(self, fake: FakeEngine) -> None:
        run(fake, "one")
        fake.restart_daemon()
        events = fake.events({}, since=0)
        run(fake, "two")
        assert next(iter(events)).attributes["name"] == "two"

    def test_a_paused_one_stands_still(self, fake: FakeEngine) -> None:
        made = run(fake, "one", "sh", "-c", "sleep 1; cat", stdin_open=True)
        fake.pause(made)
        fake.clock.advance(5)
        fake.attach_stdin(made).send(b"text\n")
        assert everything(fake.logs(made)) == b""
        fake.unpause(made)
        assert everything(fake.logs(made)) == b"text\n"
        with pytest.raises(EngineError, match="not paused"):
            fake.unpause(made)

    def test_only_its_stop_signal_wakes_one_whose_image_names_one(self, fake: FakeEngine) -> None:
        fake.add_image("quits:1", stop_signal="SIGQUIT")
        fake.program("serve", Program())
        made = run(fake, "one", "serve", image="quits:1")
        fake.pause(made)
        fake.kill_container(made, "SIGTERM")
        assert fake.container(made).state is ContainerState.PAUSED
        fake.kill_container(made, "SIGQUIT")
        assert fake.container(made).exit_code == 143

    def test_a_container_is_taken_off_its_network(self, fake: FakeEngine) -> None:
        network = fake.create_network(NetworkRequest("net", "10.0.0.0/24", {}))
        made = run(fake, "one", network_mode=network)
        fake.disconnect_network(made)
        assert fake.container(made).addresses == {}
        assert fake.container(run(fake, "two", network_mode=network)).addresses == {network: "10.0.0.2"}


class TestRefusals:
    def test_a_published_port_is_given_once(self, fake: FakeEngine) -> None:
        ports = (ContainerPort(80, host_port=8080),)
        run(fake, "one", ports=ports)
        two = create(fake, "two", ports=ports)
        with pytest.raises(EngineError, match="allocated"):
            fake.start_container(two)
        assert fake.container(two).failed_to_start

    def test_one_that_shares_a_network_has_no_hostname_or_port_of_its_own(self, fake: FakeEngine) -> None:
        other = run(fake, "other")
        for more in ({"hostname": "own"}, {"ports": (ContainerPort(80),)}):
            with pytest.raises(EngineError, match="conflicting options"):
                create(fake, "one", network_mode=f"container:{other}", **more)

    def test_a_broken_archive(self, fake: FakeEngine) -> None:
        with pytest.raises(EngineError):
            fake.load_image(b"nothing")

    def test_one_of_many_parallel_creators_has_the_name(self, fake: FakeEngine) -> None:
        outcomes: list[str] = []

        def try_it() -> None:
            try:
                outcomes.append(create(fake, "one"))
            except ConflictError:
                outcomes.append("conflict")

        threads = [threading.Thread(target=try_it) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
        assert outcomes.count("conflict") == 7

    def test_an_address_on_a_network_of_dockers_own(self, fake: FakeEngine) -> None:
        made = create(fake, "one", ipv4_address="172.17.0.9")
        with pytest.raises(EngineError, match="user defined networks only"):
            fake.start_container(made)

    @pytest.mark.parametrize("address", ["10.0.0.0", "10.0.0.1", "10.0.0.255"])
    def test_an_address_of_the_networks_own(self, fake: FakeEngine, address: str) -> None:
        network = fake.create_network(NetworkRequest("net", "10.0.0.0/24", {}))
        made = create(fake, "one", network_mode=network, ipv4_address=address)
        with pytest.raises(EngineError, match="Address already in use"):
            fake.start_container(made)

    def test_nested_pid_spaces_end_with_the_first(self, fake: FakeEngine) -> None:
        first = run(fake, "first")
        middle = run(fake, "middle", pid_mode=f"container:{first}")
        last = run(fake, "last", pid_mode="container:middle")
        fake.exit(middle)
        assert fake.container(last).state is ContainerState.RUNNING
        fake.exit(first, 1)
        assert fake.container(last).exit_code == 137
