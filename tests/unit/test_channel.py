"""The pause's standard input: what is written, to whom, and when it ends the lease."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from pypod.engine import observe
from pypod.engine.channel import TELL_AGAIN_EVERY, Channel
from pypod.errors import EngineError
from pypod.model.life import history, journal
from pypod.model.life.history import History
from pypod.model.life.journal import (
    Address,
    Began,
    ContainerFailed,
    Entry,
    Event,
    HandedOver,
    Hooked,
    Message,
    Probed,
    Pulled,
    Signalled,
    Started,
    Stopping,
)
from pypod.model.wiring.requests import JOURNAL_MAX_SIZE, ContainerRequest
from pypod.testing import FakeEngine

PAUSE = "pypod/pause:test"
STARTED = Event(1.0, "Normal", "Started", "Container started", "web", 1, 1.0)
AGAIN = replace(STARTED, again=True)
CRASHED = Started(2.0, "web", 1, 1)
FAILED = ContainerFailed(3.0, "log", "ErrImagePull", "no such image")
PULLED = Pulled(4.0, "nginx:1")


@pytest.fixture
def engine() -> FakeEngine:
    fake = FakeEngine()
    fake.add_image(PAUSE)
    return fake


@pytest.fixture
def channel() -> Channel:
    return Channel()


def sandbox(engine: FakeEngine, name: str, *, leased: bool = True, start: bool = True) -> str:
    request = ContainerRequest(
        name=name,
        image=PAUSE,
        labels={},
        command=("--lease",) if leased else (),
        stdin_open=True,
        stdin_once=leased,
    )
    made = engine.create_container(request)
    if start:
        engine.start_container(made)
    return made


class Recorder:
    """A pause's standard input that notes what it gets."""

    def __init__(self, error: EngineError | None = None) -> None:
        self.data = bytearray()
        self.calls: list[str] = []
        self.error = error

    def send(self, data: bytes) -> None:
        if self.error is not None:
            raise self.error
        self.data += data

    def fileno(self) -> int:
        return -1

    def close(self) -> None:
        self.calls.append("close")

    def close_in_child(self) -> None:
        self.calls.append("close_in_child")


def test_what_is_written_is_in_the_history_and_in_the_journal(engine: FakeEngine, channel: Channel) -> None:
    pause = sandbox(engine, "p")
    channel.attach(pause, engine.attach_stdin)
    channel.write(STARTED, CRASHED)
    assert channel.history.events == (STARTED,)
    assert channel.history.record("web", 1).step == 1
    assert observe.read_history(engine, pause) == channel.history


def test_what_was_written_before_there_was_a_pause_is_sent_then(engine: FakeEngine, channel: Channel) -> None:
    channel.write(PULLED)
    pause = sandbox(engine, "p", start=False)
    channel.attach(pause, engine.attach_stdin)
    engine.start_container(pause)
    assert dict(observe.read_history(engine, pause).pulled) == {"nginx:1": 4.0}


def test_a_new_pause_is_told_the_whole_history_once(engine: FakeEngine, channel: Channel) -> None:
    first = sandbox(engine, "p0")
    channel.attach(first, engine.attach_stdin)
    channel.write(STARTED, STARTED, CRASHED, FAILED, PULLED)
    engine.kill_container(first)
    channel.write(FAILED)  # nobody is there to be told
    second = sandbox(engine, "p1")
    channel.attach(second, engine.attach_stdin)
    assert observe.read_history(engine, second) == channel.history
    assert channel.history.events[0].count == 2


def test_a_history_that_another_process_wrote_is_not_written_again(engine: FakeEngine) -> None:
    pause = sandbox(engine, "p", leased=False)
    writer, reader = Channel(), Channel()
    writer.attach(pause, engine.attach_stdin)
    writer.write(STARTED)
    reader.adopt(observe.read_history(engine, pause))
    reader.attach(pause, engine.attach_stdin)
    reader.write(CRASHED)
    found = observe.read_history(engine, pause)
    assert (found.events, found.record("web", 1).step) == ((STARTED,), 1)
    assert reader.history == found


def test_writing_never_fails_and_is_made_up_for(channel: Channel) -> None:
    stuck = Recorder(EngineError("write to container", "p0", "broken pipe"))
    channel.attach("p0", lambda name: stuck)
    channel.write(STARTED)
    after = Recorder()
    channel.attach("p1", lambda name: after)
    assert after.data.count(b"\n") == 1
    assert b'"reason":"Started"' in after.data


def test_closing_ends_the_lease_and_nothing_else(engine: FakeEngine, channel: Channel) -> None:
    leased, detached = sandbox(engine, "leased"), sandbox(engine, "detached", leased=False)
    other = Channel()
    channel.attach(leased, engine.attach_stdin)
    other.attach(detached, engine.attach_stdin)
    attached = [channel.is_attached]
    channel.close()
    other.close()
    assert [*attached, channel.is_attached] == [True, False]
    assert engine.container(leased).exit_code == 97
    assert engine.container(detached).is_live


def test_closing_again_or_with_nothing_attached_does_nothing(channel: Channel) -> None:
    stdin = Recorder()
    channel.close()
    channel.attach("p0", lambda name: stdin)
    channel.close()
    channel.close()
    assert stdin.calls == ["close"]


def test_attaching_to_a_new_pause_lets_go_of_the_old_one(channel: Channel) -> None:
    old, new = Recorder(), Recorder()
    channel.attach("p0", lambda name: old)
    channel.attach("p1", lambda name: new)
    assert (old.calls, new.calls) == (["close"], [])


def test_attaching_to_the_same_pause_again_does_not_end_its_lease(
    engine: FakeEngine, channel: Channel
) -> None:
    """As after a start that got no answer: the next pass attaches and starts the same sandbox once more."""
    pause = sandbox(engine, "p", start=False)
    channel.attach(pause, engine.attach_stdin)
    channel.attach(pause, engine.attach_stdin)
    engine.start_container(pause)
    assert engine.container(pause).is_live


def test_a_forked_child_drops_its_copy_without_ending_the_parents(channel: Channel) -> None:
    stdin = Recorder()
    channel.attach("p0", lambda name: stdin)
    channel.close_in_child()
    assert stdin.calls == ["close_in_child"]
    assert not channel.is_attached
    channel.write(STARTED)
    assert stdin.data == b""


def test_a_pause_that_was_just_made_is_attached_also_under_an_old_name(channel: Channel) -> None:
    """Its predecessor was removed, and nothing was written since that would have told."""
    old, new = Recorder(), Recorder()
    channel.attach("p1", lambda name: old)
    channel.write(STARTED)
    channel.renew()
    channel.attach("p1", lambda name: new)
    assert old.calls == ["close"]
    assert new.data == journal.encode(AGAIN)


@pytest.mark.parametrize("lost", [0, 1, 30, 10_000])
def test_a_pause_whose_stdin_broke_is_told_everything_again(channel: Channel, lost: int) -> None:
    """It lives on, as with an engine that keeps containers over its own restart; what was sent last may have come in part."""
    broken, again = Recorder(), Recorder()
    channel.attach("p", lambda name: broken)
    channel.write(STARTED, STARTED)
    assert channel.stuck_at == ""
    sent = bytes(broken.data)
    broken.error = EngineError("write to container", "p", "broken pipe")
    channel.write(CRASHED)
    assert channel.stuck_at == "p"
    channel.attach("p", lambda name: again)
    assert channel.stuck_at == ""
    channel.write(PULLED)
    log = sent[: max(0, len(sent) - lost)] + again.data
    assert history.read(log.split(b"\n")) == channel.history


@pytest.mark.parametrize(("told", "expected"), [("", b""), ("p0", b""), ("p1", journal.encode(AGAIN))])
def test_a_pause_is_told_what_was_adopted_unless_it_told_it(
    channel: Channel, told: str, expected: bytes
) -> None:
    channel.adopt(History().apply(STARTED), told)
    stdin = Recorder()
    channel.attach("p0", lambda name: stdin)
    assert stdin.data == expected


def test_a_new_pause_is_told_everything_that_the_history_has(engine: FakeEngine, channel: Channel) -> None:
    first = sandbox(engine, "p0")
    channel.attach(first, engine.attach_stdin)
    channel.write(
        Began(1.0),
        Address(2.0, "10.214.0.2"),
        CRASHED,
        Probed(3.0, "web", 1, "readiness", True, "ok"),
        Hooked(4.0, "web", 1, "postStart", "done"),
        Stopping(5.0, "web", 1, 35.0, "Liveness"),
        Signalled(6.0, "web", 1),
        Message(7.0, "web", 1, "words"),
        FAILED,
        PULLED,
    )
    engine.kill_container(first)
    second = sandbox(engine, "p1")
    channel.attach(second, engine.attach_stdin)
    found = observe.read_history(engine, second)
    assert found == channel.history
    record = found.record("web", 1)
    assert (record.step, record.passed("readiness"), record.hook("postStart")) == (1, True, "done")
    assert (record.signalled, record.message, found.began, found.ip) == (6.0, "words", 1.0, "10.214.0.2")


# a log whose beginning the engine has forgotten


def logged(data: bytes | bytearray) -> list[bytes]:
    """The lines as Docker's json-file driver writes them."""
    return [
        json.dumps(
            {
                "log": line.decode() + "\n",
                "stream": "stdout",
                "time": "2026-01-31T12:00:00.123456789Z",
            },
            separators=(",", ":"),
        ).encode()
        for line in data.split(b"\n")[:-1]
    ]


def the_last(lines: list[bytes], size: int) -> History:
    """What they tell who can read only so many bytes of them; a line that is cut is lost."""
    kept: list[bytes] = []
    for line in reversed(lines):
        size -= len(line) + 1
        if size < 0:
            break
        kept.append(line)
    return history.read(json.loads(line)["log"] for line in reversed(kept))


FILE = 16 * 1024 * 1024
BEGINNING = (
    Began(1.0),
    Address(1.0, "10.214.0.2"),
    STARTED,
    STARTED,
    Started(2.0, "log", 0, 0),
    Hooked(2.5, "log", 0, "postStart", "done"),
    FAILED,
    ContainerFailed(3.5, "log", "ErrImagePull", "no such image"),
    PULLED,
)


def test_who_reads_only_the_last_file_of_a_log_knows_everything(channel: Channel) -> None:
    """Right after the engine has begun a new file, one is all there is."""
    assert JOURNAL_MAX_SIZE == "16m"
    stdin = Recorder()
    channel.attach("p", lambda name: stdin)
    channel.write(*BEGINNING)
    words = 'a "quoted" word' * 68  # a probe's message is 1024 characters at most
    while len(stdin.data) < 2 * FILE:
        for passed in (True, False):
            channel.write(
                Probed(9.0, "web", 1, "readiness", passed, words),
                Event(9.0, "Warning", "Unhealthy", words[:200], "web"),
            )
    lines = logged(stdin.data)
    assert history.read(json.loads(line)["log"] for line in lines) == channel.history
    assert channel.history.events[0].count == 2
    assert the_last(lines, FILE) == channel.history


@pytest.mark.parametrize("each", [HandedOver(1.0), Signalled(1.0, "web", 0), Probed(1.0, "w", 0, "", True)])
def test_also_where_every_line_is_short(each: Entry) -> None:
    """What the engine adds to a line weighs most then. All sizes are a hundredth."""
    channel, stdin = Channel(TELL_AGAIN_EVERY // 100), Recorder()
    channel.attach("p", lambda name: stdin)
    channel.write(*BEGINNING)
    while len(stdin.data) < FILE // 100:
        channel.write(each)
    lines = logged(stdin.data)
    for cut in range(0, len(lines) // 2, 397):  # whenever somebody reads
        end = history.read(json.loads(line)["log"] for line in lines[: len(lines) - cut])
        assert the_last(lines[: len(lines) - cut], FILE // 100) == end


def test_who_takes_a_journal_over_tells_everything_again_with_what_it_writes_first(
    engine: FakeEngine, channel: Channel
) -> None:
    """It does not know how long ago that was done."""
    pause = sandbox(engine, "p", leased=False)
    writer = Channel()
    writer.attach(pause, engine.attach_stdin)
    writer.write(*BEGINNING)
    channel.adopt(observe.read_history(engine, pause), pause)
    stdin = Recorder()
    channel.attach(pause, lambda name: stdin)
    assert stdin.data == b""
    channel.write(CRASHED)
    assert history.read(bytes(stdin.data).split(b"\n")) == channel.history
    before = len(stdin.data)
    channel.write(PULLED)
    assert stdin.data[before:] == journal.encode(PULLED)


def test_a_snapshot_that_cannot_be_written_is_made_up_for(channel: Channel) -> None:
    class Fragile(Recorder):
        def send(self, data: bytes) -> None:
            super().send(data)
            self.error = EngineError("write to container", "p", "broken pipe")

    channel.adopt(History().apply(STARTED), "p")
    first, second = Fragile(), Recorder()
    channel.attach("p", lambda name: first)
    channel.write(PULLED)
    assert (bytes(first.data), channel.stuck_at) == (journal.encode(PULLED), "p")
    channel.attach("p", lambda name: second)
    channel.write(CRASHED)
    assert history.read((journal.encode(STARTED) + first.data + second.data).split(b"\n")) == channel.history
