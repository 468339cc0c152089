"""Pods past their time, and putting that off, on a fake engine: what is read, what is written, and what races with it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from pypod import Container, Pod, background, expiring, handing, sweeping
from pypod.describing import layout
from pypod.engine import identity, observe
from pypod.engine.observe import Found
from pypod.engine.owner import current_owner
from pypod.errors import ConflictError, EngineUnavailableError, PodNotRunningError
from pypod.model.life import expiry
from pypod.model.life.journal import HandedOver, KeptUntil
from pypod.supervisor import supervisor_of
from pypod.testing import FakeClock, FakeEngine
from tests.unit.rig import IDENTITY, KEY, SPEC, Loop, pause_of, settle, sync_of

TTL = 60.0


@pytest.fixture
def engine() -> FakeEngine:
    """Its clock is two hours behind this machine's: no end is by this machine's time."""
    fake = FakeEngine(FakeClock(time.time() - 7200))
    fake.add_image("app:1")
    return fake


@pytest.fixture(autouse=True)
def told_time(engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine's time goes as its fake clock is turned, and not as this test takes."""

    def fake_time(asked: FakeEngine, *, fresh: bool = False) -> float:
        return asked.info().system_time

    for module in (expiring, handing):
        monkeypatch.setattr(module, "engine_time", fake_time)


@pytest.fixture
def there(engine: FakeEngine) -> Iterator[Loop]:
    """A detached pod with a time to live that was handed over."""
    theirs = detached(engine)
    yield theirs
    theirs.channel.close()


def detached(engine: FakeEngine, ttl: float | None = TTL) -> Loop:
    theirs = sync_of(engine, replace(SPEC, termination_grace_period_seconds=0), leased=False)
    theirs.desired = replace(theirs.desired, identity=replace(IDENTITY, leased=False, ttl=ttl))
    settle(theirs)
    now = engine.clock.now()
    if ttl is not None:
        theirs.channel.write(KeptUntil(now, now + ttl))
    theirs.channel.write(HandedOver(now))
    return theirs


def found(engine: FakeEngine) -> Found:
    [only] = observe.find_all(engine)
    return only


def count_reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    read, real = [], observe.read_history

    def counted(engine: FakeEngine, pause: str) -> object:
        read.append(pause)
        return real(engine, pause)

    monkeypatch.setattr(observe, "read_history", counted)
    return read


def test_until_its_end_its_journal_is_not_read(
    engine: FakeEngine, there: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = count_reads(monkeypatch)
    ends = expiring.Ends(engine)
    engine.clock.advance(TTL - 2)
    assert (ends.why_over(found(engine)), read) == ("", [])
    engine.clock.advance(4)
    assert ends.why_over(found(engine)) == expiry.OVER
    assert len(read) == 1


def test_one_that_was_put_off_costs_nothing_until_its_new_end(
    engine: FakeEngine, there: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    there.channel.write(KeptUntil(0.0, engine.clock.now() + 100))
    engine.clock.advance(TTL + 1)
    read = count_reads(monkeypatch)
    ends = expiring.Ends(engine)
    assert [ends.why_over(found(engine)) for _ in range(3)] == [""] * 3
    assert len(read) == 1
    engine.clock.advance(40)
    assert ends.why_over(found(engine)) == expiry.OVER


def test_what_is_gone_is_forgotten(engine: FakeEngine, there: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    there.channel.write(KeptUntil(0.0, engine.clock.now() + 1000))
    engine.clock.advance(TTL + 1)
    ends = expiring.Ends(engine)
    ends.why_over(found(engine))
    ends.forget_all_but(set())
    read = count_reads(monkeypatch)
    ends.why_over(found(engine))
    assert len(read) == 1


def test_one_that_is_still_being_started_is_let_alone(engine: FakeEngine) -> None:
    theirs = sync_of(engine, leased=False)
    identity_here = replace(IDENTITY, leased=False, ttl=TTL, owner=current_owner())
    theirs.desired = replace(theirs.desired, identity=identity_here)
    settle(theirs)
    engine.clock.advance(TTL * 100)
    assert expiring.Ends(engine).why_over(found(engine)) == ""


def test_a_sweep_removes_what_is_over_and_says_why(engine: FakeEngine, there: Loop) -> None:
    engine.clock.advance(TTL - 1)
    assert sweeping.sweep(engine) == []
    engine.clock.advance(2)
    assert sweeping.sweep(engine, overdue=False) == []
    assert sweeping.sweep(engine) == [sweeping.Swept("default/shop", "its time to live is over")]
    assert observe.find_all(engine) == []


# --- putting it off --------------------------------------------------------------------------------------------------


def test_it_is_put_off_from_now_on(engine: FakeEngine, there: Loop) -> None:
    engine.clock.advance(40)
    mine = sync_of(engine, leased=False)
    assert expiring.renew(mine, TTL)
    assert mine.channel.history.kept_until == pytest.approx(engine.clock.now() + TTL, abs=0.1)
    assert mine.channel.history.handed_over, "all that the journal tells is known"
    engine.clock.advance(50)
    assert expiring.Ends(engine).why_over(found(engine)) == ""
    engine.clock.advance(20)
    assert expiring.Ends(engine).why_over(found(engine)) == expiry.OVER


def test_who_wants_it_longer_has_it(engine: FakeEngine, there: Loop) -> None:
    before = there.channel.history.kept_until
    assert expiring.renew(sync_of(engine, leased=False), 1.0)
    history = observe.read_history(engine, pause_of(engine).id)
    assert history.kept_until == before


def test_it_can_be_made_to_stay_and_then_does(engine: FakeEngine, there: Loop) -> None:
    assert expiring.renew(sync_of(engine, leased=False), None)
    engine.clock.advance(TTL * 1000)
    assert expiring.Ends(engine).why_over(found(engine)) == ""
    written = len(journal_lines(engine))
    assert expiring.renew(sync_of(engine, leased=False), TTL)
    assert len(journal_lines(engine)) == written


def test_one_without_a_time_to_live_stays(engine: FakeEngine) -> None:
    theirs = detached(engine, None)
    written = len(journal_lines(engine))
    assert expiring.renew(sync_of(engine, leased=False), TTL)
    assert len(journal_lines(engine)) == written
    theirs.channel.close()


def journal_lines(engine: FakeEngine) -> list[bytes]:
    stream, data = engine.logs(pause_of(engine).id), b""
    while (frame := stream.read()) is not None:
        data += frame.data
    return data.split(b"\n")


@pytest.mark.parametrize("after", [TTL - 0.5, TTL + 1])
def test_at_its_end_it_is_not_taken_up_any_more(engine: FakeEngine, there: Loop, after: float) -> None:
    engine.clock.advance(after)
    written = len(journal_lines(engine))
    assert not expiring.renew(sync_of(engine, leased=False), TTL)
    assert len(journal_lines(engine)) == written, "or it would stay, and whoever asked was told that it goes"


def test_one_that_is_still_being_started_is_not_over_however_long_that_takes(engine: FakeEngine) -> None:
    """Another process that starts it too must not remove it from under the first."""
    theirs = sync_of(engine, leased=False)
    theirs.desired = replace(
        theirs.desired, identity=replace(IDENTITY, leased=False, ttl=TTL, owner=current_owner())
    )
    settle(theirs)
    engine.clock.advance(TTL * 100)
    assert expiring.renew(sync_of(engine, leased=False), TTL)


def test_one_that_is_being_removed_is_not_taken_up(engine: FakeEngine, there: Loop) -> None:
    pause = pause_of(engine)
    engine.rename_container(pause.id, f"{pause.name}_1.deleting")
    assert not expiring.renew(sync_of(engine, leased=False), TTL)


def test_one_that_is_not_there_is_not_taken_up(engine: FakeEngine) -> None:
    assert not expiring.renew(sync_of(engine, leased=False), TTL)


def test_a_sandbox_that_is_made_anew_is_waited_for(engine: FakeEngine, there: Loop) -> None:
    engine.kill_container(pause_of(engine).id)
    engine.clock.call_at(engine.clock.now() + 2, lambda: settle(there))
    assert expiring.renew(sync_of(engine, leased=False), TTL)


def test_one_that_nobody_mends_is_told_of(engine: FakeEngine, there: Loop) -> None:
    engine.kill_container(pause_of(engine).id)
    with pytest.raises(
        PodNotRunningError,
        match=r"^cannot put off the end of pod 'default/shop': its sandbox does not run$",
    ):
        expiring.renew(sync_of(engine, leased=False), TTL)


def test_an_engine_that_refuses_is_asked_again_and_one_that_is_gone_is_not(
    engine: FakeEngine, there: Loop
) -> None:
    engine.inject("attach_stdin", ConflictError("attach", "x", "busy", status=409))
    assert expiring.renew(sync_of(engine, leased=False), TTL)
    engine.inject("attach_stdin", EngineUnavailableError("attach", "x", "refused"))
    with pytest.raises(EngineUnavailableError):
        expiring.renew(sync_of(engine, leased=False), TTL)


# --- whoever starts it ------------------------------------------------------------------------------------------------


@pytest.fixture
def started(engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Pod]:
    monkeypatch.setattr(background, "ensure_running", lambda engine: None)
    monkeypatch.setattr(background, "sweep_once", lambda engine: None)
    spec = replace(SPEC, termination_grace_period_seconds=0)

    def start(**more: object) -> Pod:
        return Pod.from_spec(spec, engine=engine).start(detach=True, **more)  # type: ignore[arg-type]

    return start


@pytest.mark.parametrize("ttl", [0, -1.0, float("nan"), float("inf")])
def test_a_time_is_a_positive_number(started: Callable[..., Pod], ttl: float) -> None:
    with pytest.raises(ValueError, match=r"^cannot take ttl=.*: a number of seconds above 0 is expected$"):
        started(ttl=ttl)


def test_a_time_has_an_end_that_can_be_told(started: Callable[..., Pod]) -> None:
    longest = started(ttl=expiring.LONGEST_TTL)
    assert longest.expires_at is not None
    assert " 2" in layout.clock(longest.expires_at)
    with pytest.raises(
        ValueError, match=r"^cannot take ttl=1e\+18: 3155760000 seconds, a hundred years, at most"
    ):
        longest.renew(1e18)


def test_only_a_detached_pod_has_one(engine: FakeEngine) -> None:
    with pytest.raises(ValueError, match=r"^cannot take ttl=5: .* detach=True is expected beside it$"):
        Pod("shop", containers=[Container("web", "app:1")], engine=engine).start(ttl=5)


def test_taking_it_up_puts_it_off(engine: FakeEngine, there: Loop, started: Callable[..., Pod]) -> None:
    engine.clock.advance(50)
    mine = started(ttl=TTL)
    assert mine.uid == KEY.uid
    assert mine.expires_at == pytest.approx(engine.clock.now() + TTL, abs=1)
    engine.clock.advance(50)
    assert mine.renew(30.0) == mine.expires_at, "not less than it has"


# --- the background program -------------------------------------------------------------------------------------------


def test_the_background_program_ends_it_beside_its_other_work(
    engine: FakeEngine, there: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    spawned: list[Callable[[], object]] = []
    monkeypatch.setattr(background, "on_thread", lambda task, name: spawned.append(task))
    monkeypatch.setattr(background, "_adopt", lambda engine, found: None)
    caretaker = background._Caretaker(engine)
    caretaker.look()
    assert spawned == []
    engine.clock.advance(TTL + 1)
    caretaker.look()
    caretaker.look()
    assert len(spawned) == 1, "once, however long it takes"
    spawned[0]()
    assert observe.find_all(engine) == []


def test_the_background_program_learns_of_a_later_end(
    engine: FakeEngine, there: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Should the pod get a new sandbox, that one's journal begins with what the program knows."""
    supervisor = supervisor_of(engine)
    monkeypatch.setattr(supervisor, "pod", lambda uid: there)
    monkeypatch.setattr(supervisor, "uids", list)
    monkeypatch.setattr(background, "_adopt", lambda engine, found: None)
    mine = sync_of(engine, leased=False)
    engine.clock.advance(30)
    assert expiring.renew(mine, TTL)
    assert there.channel.history.kept_until != mine.channel.history.kept_until
    background._Caretaker(engine).look()
    assert there.channel.history.kept_until == mine.channel.history.kept_until


# --- the engine's time ------------------------------------------------------------------------------------------------


def test_the_time_is_the_engines(engine: FakeEngine) -> None:
    assert identity.engine_time(engine) == pytest.approx(engine.clock.now(), abs=1)
    assert identity.engine_time(engine) < time.time() - 7000


def test_it_is_asked_for_once_a_minute_or_when_it_must_be_right(engine: FakeEngine) -> None:
    first = identity.engine_time(engine)
    engine.clock.advance(500)
    assert identity.engine_time(engine) == pytest.approx(first, abs=1)
    assert identity.engine_time(engine, fresh=True) == pytest.approx(first + 500, abs=1)
    assert identity.engine_time(engine) == pytest.approx(first + 500, abs=1)
