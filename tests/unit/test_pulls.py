"""Pulls beside the plan: one an image, whoever wants it; given up, they say nothing of it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from pypod.engine.api import Closable
from pypod.engine.pulls import RETRY, PullRunner
from pypod.errors import EngineUnavailableError, ImagePullError, PypodError
from pypod.model.wiring.credentials import Login
from pypod.testing import FakeEngine

PATIENCE = 20.0
AWAY = EngineUnavailableError("pull image", "far:1", "connection refused")
NO_PULL = ImagePullError("pull image", "far:1", "no route to registry")


@dataclass
class Rig:
    """A runner whose pulls run when they are told to, and all that is heard of it."""

    engine: FakeEngine
    tasks: list[Callable[[], None]] = field(default_factory=list)
    heard: list[object] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.pulls = PullRunner(
            self.engine,
            self.engine.clock,
            lambda image, line: self.heard.append((image, line)),
            lambda image, error: self.heard.append((image, error, self.pulls.running)),
            lambda: self.heard.append(self.pulls.running),
            spawn=self.tasks.append,
        )

    def run(self) -> None:
        tasks, self.tasks[:] = list(self.tasks), []
        for task in tasks:
            task()


@pytest.fixture
def rig() -> Rig:
    engine = FakeEngine()
    engine.add_registry_image("far:1")
    engine.add_registry_image("far:2")
    return Rig(engine)


NOTHING: frozenset[str] = frozenset()
FAR = frozenset({"far:1"})


def test_it_is_told_of_before_it_counts_as_ended_and_wakes_after_that(rig: Rig) -> None:
    """Else whoever looks in between would know of neither, and pull again."""
    rig.pulls.begin("far:1")
    assert (rig.pulls.running, rig.heard) == (FAR, [])
    rig.run()
    begun, line, *_ = rig.heard
    assert begun == ("far:1", "")
    assert line == ("far:1", "1: Pulling from far")
    assert rig.heard[-2:] == [("far:1", None, FAR), NOTHING]
    assert rig.engine.image("far:1").references == ("far:1",)


def test_one_that_fails_is_told_of_with_the_reason(rig: Rig) -> None:
    rig.engine.inject("pull_image", NO_PULL)
    rig.pulls.begin("far:1")
    rig.run()
    assert rig.heard[-2:] == [("far:1", NO_PULL, FAR), NOTHING]


def test_an_image_is_pulled_once_at_a_time(rig: Rig) -> None:
    for image in ("far:1", "far:2", "far:1"):
        rig.pulls.begin(image)
    assert rig.pulls.running == {"far:1", "far:2"}
    assert len(rig.tasks) == 2
    rig.run()
    rig.pulls.begin("far:1")
    assert len(rig.tasks) == 1


def test_an_engine_that_does_not_answer_is_not_asked_again_in_a_hurry(rig: Rig) -> None:
    rig.engine.inject("pull_image", AWAY)
    rig.pulls.begin("far:1")
    rig.run()
    assert rig.heard[-1] == ("far:1", AWAY, FAR)
    rig.engine.clock.advance(RETRY - 0.01)
    assert rig.pulls.running == FAR
    rig.engine.clock.advance(0.02)
    assert rig.pulls.running == NOTHING
    assert rig.heard[-1:] == [NOTHING]


def test_a_bug_of_ours_does_not_leave_it_being_pulled_for_ever(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    rig.engine.inject("pull_image", ZeroDivisionError("oops"))
    rig.pulls.begin("far:1")
    rig.run()
    told = rig.heard[-2]
    assert isinstance(told, tuple)
    assert isinstance(told[1], PypodError)
    assert str(told[1]) == "cannot pull image 'far:1': ZeroDivisionError: oops"
    assert rig.heard[-1] == NOTHING
    assert "cannot pull image far:1" in caplog.text


# given up


class Slow(FakeEngine):
    """Says when a pull can be given up."""

    def __init__(self) -> None:
        super().__init__()
        self.add_registry_image("far:1", takes=3600)
        self.begun = threading.Event()

    def pull_image(
        self,
        reference: str,
        progress: object = None,
        register: object = None,
        *,
        login: Login | None = None,
    ) -> None:
        def note(pull: Closable) -> None:
            assert callable(register)
            register(pull)
            self.begun.set()

        super().pull_image(reference, None, note, login=login)


@pytest.mark.parametrize("end", [PullRunner.give_up, PullRunner.close])
def test_one_that_is_given_up_ends_and_is_not_told_of(end: Callable[[PullRunner], None]) -> None:
    engine, woken, heard = Slow(), threading.Event(), list[object]()
    pulls = PullRunner(engine, engine.clock, lambda *_: None, lambda *words: heard.append(words), woken.set)
    pulls.begin("far:1")
    assert engine.begun.wait(PATIENCE)
    end(pulls)
    assert pulls.running == NOTHING
    assert woken.wait(PATIENCE), "it goes on"
    assert heard == []


def test_one_that_is_given_up_before_it_has_begun_is_not_asked_for(rig: Rig) -> None:
    rig.pulls.begin("far:1")
    rig.pulls.give_up()
    rig.run()
    assert rig.heard == []
    assert rig.engine.calls == []


def test_one_that_is_given_up_before_it_can_be_ends_as_soon_as_it_can() -> None:
    engine, heard = FakeEngine(), list[object]()
    engine.add_registry_image("slow:1", takes=3600)
    pulls = PullRunner(
        engine,
        engine.clock,
        lambda image, line: pulls.give_up(),
        lambda *words: heard.append(words),
        lambda: heard.append("woken"),
        spawn=lambda task: task(),
    )
    pulls.begin("slow:1")
    assert heard == ["woken"]


def test_what_was_given_up_does_not_end_the_one_after_it(rig: Rig) -> None:
    rig.pulls.begin("far:1")
    rig.pulls.give_up()
    rig.pulls.begin("far:1")
    first, second = rig.tasks
    first()
    assert rig.heard == []
    assert rig.pulls.running == FAR
    second()
    assert rig.pulls.running == NOTHING
    assert [words for words in rig.heard if words == ("far:1", None, FAR)]


def test_once_closed_it_begins_none(rig: Rig) -> None:
    rig.pulls.close()
    rig.pulls.begin("far:1")
    assert (rig.pulls.running, rig.tasks) == (NOTHING, [])
