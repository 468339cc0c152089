"""Which events of a pod are a reason to look at it."""

from __future__ import annotations

import pytest

from pypod.engine.api import EngineEvent
from pypod.engine.news import News
from pypod.model import naming
from pypod.model.naming import PodKey
from pypod.model.wiring.state import ContainerInfo, ContainerState, PodObservation

KEY = PodKey("default", "shop", "0123456789abcdef")
NOTHING = PodObservation(KEY, 1.0)


def seen(state: ContainerState) -> PodObservation:
    web = ContainerInfo("web-id", "web", {naming.CONTAINER: "web"}, state, "app:1", 1.0)
    return PodObservation(KEY, 1.0, members={"web": (web,)})


RUNNING, MADE = seen(ContainerState.RUNNING), seen(ContainerState.CREATED)


class Ear:
    """What is told of is counted."""

    def __init__(self, *looks: PodObservation) -> None:
        self.told = 0
        self.news = News(self._tell)
        for look in looks:
            self.look(look)

    def _tell(self) -> None:
        self.told += 1

    def look(self, found: PodObservation, *meanwhile: str) -> None:
        def observe() -> PodObservation:
            for action in meanwhile:
                self.hear(action)
            return found

        self.news.look(observe)

    def hear(self, action: str) -> None:
        self.news.hear(EngineEvent(action, "web-id"))


@pytest.mark.parametrize(
    ("action", "last", "is_news"),
    [
        ("create", MADE, False),
        ("create", RUNNING, False),
        ("start", RUNNING, False),
        ("start", MADE, True),
        ("start", seen(ContainerState.EXITED), True),
        ("create", NOTHING, True),
        ("start", NOTHING, True),
        *(
            (action, RUNNING, True)
            for action in ("die", "oom", "destroy", "rename", "kill", "pause", "unpause")
        ),
    ],
)
def test_a_creation_and_a_start_that_were_seen_are_no_news(
    action: str, last: PodObservation, is_news: bool
) -> None:
    ear = Ear(last)
    ear.hear(action)
    assert ear.told == is_news


def test_before_the_first_look_everything_is_news() -> None:
    ear = Ear()
    ear.hear("create")
    ear.hear("start")
    assert ear.told == 2


def test_what_is_heard_during_a_look_is_judged_by_what_it_finds() -> None:
    ear = Ear(NOTHING)
    ear.look(RUNNING, "create", "start")
    assert ear.told == 0
    ear.look(MADE, "create", "start")
    assert ear.told == 1


def test_a_death_does_not_wait_for_the_end_of_a_look() -> None:
    ear = Ear(RUNNING)
    told = []

    def observe() -> PodObservation:
        ear.hear("die")
        told.append(ear.told)
        return RUNNING

    ear.news.look(observe)
    assert told == [1]


@pytest.mark.parametrize(("last", "is_news"), [(MADE, True), (RUNNING, False)])
def test_of_a_look_that_fails_nothing_is_lost(last: PodObservation, is_news: bool) -> None:
    ear = Ear(last)

    def observe() -> PodObservation:
        ear.hear("start")
        raise ValueError("nobody answers")

    with pytest.raises(ValueError, match="nobody answers"):
        ear.news.look(observe)
    assert ear.told == is_news


def test_one_of_two_looks_at_a_time_judges() -> None:
    ear = Ear(NOTHING)

    def outer() -> PodObservation:
        ear.look(MADE, "start")
        return RUNNING

    ear.news.look(outer)
    assert ear.told == 1
    ear.hear("start")
    assert ear.told == 1
