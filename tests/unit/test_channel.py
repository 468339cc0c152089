"""The pause's standard input: what is written, to whom, and when it ends the lease."""

from __future__ import annotations

import pytest

from pypod.engine import observe
from pypod.engine.channel import Channel
from pypod.errors import EngineError
from pypod.model import journal
from pypod.model.history import History
from pypod.model.journal import (
    Address,
    Began,
    ContainerFailed,
    Event,
    Hooked,
    Message,
    Probed,
    Pulled,
    Signalled,
    Started,
    Stopping,
)
from pypod.model.requests import ContainerRequest
from pypod.testing import FakeEngine

PAUSE = "pypod/pause:test"
STARTED = Event(1.0, "Normal", "Started", "Container started", "web", 1, 1.0)
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
        self.data = b""
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
    assert new.data == journal.encode(STARTED)


def test_a_pause_whose_stdin_broke_is_told_only_what_it_did_not_get(channel: Channel) -> None:
    """It lives on, as with an engine that keeps containers over its own restart."""
    broken, again = Recorder(), Recorder()
    channel.attach("p", lambda name: broken)
    channel.write(STARTED)
    assert channel.stuck_at == ""
    broken.error = EngineError("write to container", "p", "broken pipe")
    channel.write(CRASHED)
    assert channel.stuck_at == "p"
    channel.attach("p", lambda name: again)
    assert (channel.stuck_at, again.data) == ("", journal.encode(CRASHED))


@pytest.mark.parametrize(("told", "expected"), [("", b""), ("p0", b""), ("p1", journal.encode(STARTED))])
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
