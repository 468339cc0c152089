"""The contract of what goes on: a held standard input, logs, commands, events."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator

import pytest

from pypod.engine.api import STDERR, STDOUT, Engine, EngineEvent, EventStream
from pypod.engine.pause import LEASE_LOST_EXIT_CODE
from pypod.errors import ConflictError, EngineError, NotFoundError
from pypod.model.wiring.state import ContainerState
from tests.contract.harness import HUNGRY, PATIENCE, Contract, output, read_until, seconds

MISSING = "contract-nobody-has-this"


class TestStdin:
    def test_the_lease_is_lost_when_the_channel_closes(self, contract: Contract, engine: Engine) -> None:
        pause = contract.create_pause(lease=True)
        channel = contract.closing(engine.attach_stdin(pause))
        engine.start_container(pause)
        member = contract.member("one", pause)
        engine.start_container(member)
        contract.pass_time(0.3)
        assert contract.state(pause) is ContainerState.RUNNING
        channel.close()
        assert contract.ended(pause).exit_code == LEASE_LOST_EXIT_CODE
        assert contract.ended(member).exit_code == 137
        channel.close()

    def test_the_journal_is_in_the_log(self, contract: Contract, engine: Engine) -> None:
        pause = contract.create_pause(lease=True)
        channel = contract.closing(engine.attach_stdin(pause))
        engine.start_container(pause)
        channel.send(b'{"seq":1}\n')
        contract.until(lambda: contract.log(pause) == b'{"seq":1}\n', "the first line is in the log")
        channel.send(b'{"seq":2}\n{"seq":3}\n')
        contract.until(lambda: contract.log(pause, tail=1) == b'{"seq":3}\n', "the last line is in the log")
        assert contract.log(pause) == b'{"seq":1}\n{"seq":2}\n{"seq":3}\n'

    def test_a_detached_journal_is_written_by_many_in_turn(self, contract: Contract, engine: Engine) -> None:
        pause = contract.run_pause()
        for number in range(3):
            channel = engine.attach_stdin(pause)
            channel.send(b"line %d\n" % number)
            channel.close()
            expected = b"line %d\n" % number
            contract.until(lambda line=expected: contract.log(pause, tail=1) == line, "the line is there")  # type: ignore[misc]
        assert contract.log(pause) == b"line 0\nline 1\nline 2\n"
        assert contract.state(pause) is ContainerState.RUNNING

    def test_a_fork_lets_go_without_ending_it(self, contract: Contract, engine: Engine) -> None:
        pause = contract.create_pause(lease=True)
        channel = contract.closing(engine.attach_stdin(pause))
        engine.start_container(pause)
        assert isinstance(channel.fileno(), int)

    def test_a_container_that_ended_blocks_nobody(self, contract: Contract, engine: Engine) -> None:
        pause = contract.create_pause(lease=True)
        channel = contract.closing(engine.attach_stdin(pause))
        engine.start_container(pause)
        engine.kill_container(pause)
        contract.ended(pause)

        with pytest.raises(EngineError):
            channel.send(b"x" * 8_000_000)  # the engine holds some of what nobody will read: less than this

    def test_what_is_not_there_is_not_found(self, engine: Engine) -> None:
        with pytest.raises(NotFoundError):
            engine.attach_stdin(MISSING)


class TestLogs:
    def test_both_streams(self, contract: Contract, engine: Engine) -> None:
        made = contract.run("one", "sh", "-c", "echo out; echo err >&2; exit 0")
        contract.ended(made)
        assert output(contract.closing(engine.logs(made)), STDOUT) == b"out\n"
        assert output(contract.closing(engine.logs(made)), STDERR) == b"err\n"

    def test_tail(self, contract: Contract) -> None:
        made = contract.run("one", "sh", "-c", "echo 1; echo 2; echo 3")
        contract.ended(made)
        assert contract.log(made, tail=2) == b"2\n3\n"
        assert contract.log(made, tail=0) == b""
        assert contract.log(made, tail=9) == b"1\n2\n3\n"

    def test_since(self, contract: Contract) -> None:
        made = contract.run("one", "sh", "-c", "echo early; sleep 1; echo late")
        contract.ended(made)
        stamped = contract.log(made, timestamps=True).decode().splitlines()
        early, late = (seconds(line.partition(" ")[0]) for line in stamped)
        assert contract.log(made, since=(early + late) / 2) == b"late\n"

    def test_time_stamps(self, contract: Contract) -> None:
        made = contract.run("one", "echo", "text")
        contract.ended(made)
        assert re.fullmatch(
            rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z text\n", contract.log(made, timestamps=True)
        )

    def test_one_that_never_ran_has_none(self, contract: Contract) -> None:
        made = contract.create("one")
        assert contract.log(made) == b""

    def test_without_follow_they_end_at_once(self, contract: Contract) -> None:
        made = contract.run("one", "sh", "-c", "echo out; sleep 1000")
        contract.until(lambda: contract.log(made) == b"out\n", "the line is in the log")

    def test_follow_ends_with_the_container(self, contract: Contract, engine: Engine) -> None:
        pause = contract.run_pause()
        channel = contract.closing(engine.attach_stdin(pause))
        stream = contract.closing(engine.logs(pause, follow=True))
        channel.send(b"one\n")
        assert read_until(stream, b"one\n") == b"one\n"
        with pytest.raises(TimeoutError):
            stream.read(0.1)
        channel.send(b"two\n")
        assert read_until(stream, b"two\n") == b"two\n"
        engine.kill_container(pause)
        assert stream.read(PATIENCE) is None

    def test_closing_wakes_the_reader(self, contract: Contract, engine: Engine) -> None:
        stream = engine.logs(contract.run("one"), follow=True)
        found: list[object] = []
        reader = threading.Thread(target=lambda: found.append(stream.read()), daemon=True)
        reader.start()
        contract.pass_time(0.1)
        assert reader.is_alive()
        stream.close()
        reader.join(PATIENCE)
        assert found == [None]
        stream.close()

    def test_what_is_not_there_is_not_found(self, engine: Engine) -> None:
        with pytest.raises(NotFoundError):
            engine.logs(MISSING)


class TestExec:
    def test_output_and_exit_code(self, contract: Contract, engine: Engine) -> None:
        made = contract.run("one")
        stream = contract.closing(engine.exec(made, ["sh", "-c", "echo out; echo err >&2; exit 3"]))
        frames = []
        while (frame := stream.read(PATIENCE)) is not None:
            frames.append((frame.stream, frame.data))
        assert sorted(frames) == [(STDOUT, b"out\n"), (STDERR, b"err\n")]
        contract.until(lambda: stream.exit_code() is not None, "the exit code is known")
        assert stream.exit_code() == 3
        assert stream.read(1) is None

    def test_many_lose_nothing(self, contract: Contract, engine: Engine) -> None:
        made = contract.run("one")
        for number in range(20):
            stream = contract.closing(engine.exec(made, ["echo", str(number)]))
            assert output(stream) == b"%d\n" % number

    def test_stdin(self, contract: Contract, engine: Engine) -> None:
        stream = contract.closing(engine.exec(contract.run("one"), ["cat"], stdin=True))
        stream.send(b"some\n")
        assert read_until(stream, b"some\n") == b"some\n"
        assert stream.exit_code() is None
        stream.send(b"more\n")
        stream.close_stdin()
        assert output(stream) == b"more\n"
        contract.until(lambda: stream.exit_code() == 0, "cat ends with its input")

    def test_what_is_sent_after_the_end_is_dropped(self, contract: Contract, engine: Engine) -> None:
        stream = contract.closing(engine.exec(contract.run("one"), ["true"], stdin=True))
        assert output(stream) == b""
        contract.until(lambda: stream.exit_code() == 0, "true ends")
        stream.send(b"late\n")
        stream.close_stdin()
        stream.send(b"later\n")

    def test_without_stdin_there_is_nothing_to_read(self, contract: Contract, engine: Engine) -> None:
        stream = contract.closing(engine.exec(contract.run("one"), ["cat"]))
        assert output(stream) == b""

    def test_time_out(self, contract: Contract, engine: Engine) -> None:
        stream = contract.closing(engine.exec(contract.run("one"), ["sleep", "1000"]))
        before = time.monotonic()
        with pytest.raises(TimeoutError):
            stream.read(0.2)
        assert time.monotonic() - before < 10
        assert stream.exit_code() is None

    def test_closing_wakes_the_reader(self, contract: Contract, engine: Engine) -> None:
        stream = engine.exec(contract.run("one"), ["sleep", "1000"])
        found: list[object] = []
        reader = threading.Thread(target=lambda: found.append(stream.read()), daemon=True)
        reader.start()
        contract.pass_time(0.1)
        stream.close()
        reader.join(PATIENCE)
        assert found == [None]

    def test_it_ends_with_the_container(self, contract: Contract, engine: Engine) -> None:
        made = contract.run("one")
        stream = contract.closing(engine.exec(made, ["sh", "-c", "echo up; sleep 1000"]))
        assert read_until(stream, b"up\n") == b"up\n"  # an exec that is not under way yet fails otherwise
        engine.kill_container(made)
        assert stream.read(PATIENCE) is None
        contract.until(lambda: stream.exit_code() is not None, "the command has ended")
        assert stream.exit_code() == 137

    def test_a_missing_command(self, contract: Contract, engine: Engine) -> None:
        stream = contract.closing(engine.exec(contract.run("one"), ["nosuch"]))
        assert b"nosuch" in output(stream)
        contract.until(lambda: stream.exit_code() is not None, "the exit code is known")
        assert stream.exit_code() in (126, 127)

    def test_one_that_does_not_run_is_a_conflict(self, contract: Contract, engine: Engine) -> None:
        with pytest.raises(ConflictError):
            engine.exec(contract.create("one"), ["true"])

    def test_a_paused_one_is_a_conflict(self, contract: Contract, engine: Engine) -> None:
        made = contract.run("one")
        contract.outside.pause(made)
        with pytest.raises(ConflictError, match="is paused"):
            engine.exec(made, ["true"])

    def test_what_is_not_there_is_not_found(self, engine: Engine) -> None:
        with pytest.raises(NotFoundError):
            engine.exec(MISSING, ["true"])


def events_until(stream: EventStream, action: str) -> Iterator[EngineEvent]:
    for event in stream:
        yield event
        if event.action == action:
            return


class TestEvents:
    def test_a_life(self, contract: Contract, engine: Engine) -> None:
        stream = contract.closing(engine.events(contract.labels, since=engine.info().system_time))
        made = contract.run("one")
        engine.rename_container(made, contract.name("two"))
        engine.kill_container(made)
        contract.ended(made)
        engine.remove_container(made)
        found = list(events_until(stream, "destroy"))
        assert [event.action for event in found if event.action != "kill"] == [
            "create",
            "start",
            "rename",
            "die",
            "destroy",
        ]
        assert "kill" in {event.action for event in found}
        assert {event.container for event in found} == {made}
        assert all(event.attributes.items() >= contract.labels.items() for event in found)
        assert abs(found[0].time - engine.info().system_time) < 60
        assert [event.time for event in found] == sorted(event.time for event in found)

    def test_what_others_do(self, contract: Contract, engine: Engine) -> None:
        stream = contract.closing(engine.events(contract.labels, since=engine.info().system_time))
        made = contract.run("one")
        contract.outside.pause(made)
        assert contract.state(made) is contract.listed()[made].state is ContainerState.PAUSED
        assert engine.container(made).is_live
        contract.outside.unpause(made)
        assert contract.state(made) is ContainerState.RUNNING
        engine.kill_container(made)
        contract.ended(made)
        engine.remove_container(made)
        found = [event.action for event in events_until(stream, "destroy")]
        assert [action for action in found if action != "kill"] == [
            "create",
            "start",
            "pause",
            "unpause",
            "die",
            "destroy",
        ]

    def test_want_of_memory(self, contract: Contract, engine: Engine) -> None:
        stream = contract.closing(engine.events(contract.labels, since=engine.info().system_time))
        made = contract.run("one", *HUNGRY, memory=16 << 20)
        contract.outside.oom(made)
        info = contract.ended(made)
        assert (info.exit_code, info.oom_killed) == (137, True)
        first, second, *told, last = [event.action for event in events_until(stream, "die")]
        assert (first, second, set(told), last) == ("create", "start", {"oom"}, "die")

    def test_since_brings_what_was(self, contract: Contract, engine: Engine) -> None:
        begin = engine.info().system_time
        made = contract.run("one", "true")
        contract.ended(made)
        stream = contract.closing(engine.events(contract.labels, since=begin))
        assert [event.action for event in events_until(stream, "die")] == ["create", "start", "die"]

    def test_labels_select(self, contract: Contract, engine: Engine) -> None:
        wanted = {**contract.labels, "kind": "a"}
        begin = engine.info().system_time
        contract.create("other")
        made = contract.create("one", labels=wanted)
        engine.remove_container(made)
        stream = contract.closing(engine.events({**contract.labels, "kind": ""}, since=begin))
        assert {event.container for event in events_until(stream, "destroy")} == {made}

    def test_closing_ends_the_iteration(self, contract: Contract, engine: Engine) -> None:
        stream = engine.events(contract.labels)
        found: list[list[EngineEvent]] = []
        reader = threading.Thread(target=lambda: found.append(list(stream)), daemon=True)
        reader.start()
        contract.pass_time(0.1)
        assert reader.is_alive()
        stream.close()
        reader.join(PATIENCE)
        assert found == [[]]
        stream.close()
