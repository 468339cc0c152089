"""Until when a detached pod lives: by its label, by its journal, and by who is still at it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from pypod.model import naming
from pypod.model.life import expiry
from pypod.model.life.journal import Entry, HandedOver, KeptUntil
from pypod.model.naming import Owner, PodIdentity, PodKey
from pypod.model.spec.pod import Container, PodSpec
from pypod.model.wiring import requests
from pypod.model.wiring.state import ContainerInfo, ContainerState
from tests.unit.snapshots import told

CREATED = 10_000.0
KEY = PodKey("default", "shop", "0123456789abcdef")
OWNER = Owner("boot", 1, 4711, 3)
BASE = naming.pod_labels(KEY, OWNER, leased=False)


def pause(ttl: float | None = 60.0) -> ContainerInfo:
    return ContainerInfo(
        id="p",
        name=naming.pause_name(KEY, 0),
        labels=naming.pause_labels(BASE, 0, "{}", "", ttl),
        state=ContainerState.RUNNING,
        image="pause",
        created_at=CREATED,
    )


STAYS = pause(None)
LEASED = replace(pause(), labels=naming.pause_labels({**BASE, naming.LEASED: "true"}, 0, "{}", "", ttl=60.0))
GOING = replace(pause(), name=naming.deleting_name(KEY, 0, CREATED))
DONE = HandedOver(CREATED + 5)


@dataclass(frozen=True)
class Case:
    pause: ContainerInfo | None
    entries: tuple[Entry, ...]
    end: float | None


ENDS = {
    "nothing was written: from when it was made": Case(pause(), (), CREATED + 60),
    "it was written": Case(pause(), (KeptUntil(1.0, CREATED + 65),), CREATED + 65),
    "the latest end counts": Case(
        pause(), (KeptUntil(1.0, CREATED + 900), KeptUntil(2.0, CREATED + 100)), CREATED + 900
    ),
    "somebody wants it to stay": Case(
        pause(), (KeptUntil(1.0, 0.0), KeptUntil(2.0, CREATED + 100)), None
    ),
    "it has no time to live, whatever was written": Case(STAYS, (KeptUntil(1.0, CREATED),), None),
    "leased: it ends with its process": Case(LEASED, (), None),
    "being removed": Case(GOING, (), None),
    "without a sandbox": Case(None, (), None),
}  # fmt: skip


@pytest.mark.parametrize("sentence", ENDS)
def test_the_end(sentence: str) -> None:
    case = ENDS[sentence]
    assert expiry.end_of(case.pause, told(*case.entries)) == case.end


@pytest.mark.parametrize(
    ("sentence", "entries", "alive", "at", "is_over"),
    [
        ("its time is over", (DONE,), False, 60.0, True),
        ("not yet", (DONE,), False, 59.9, False),
        ("it was put off", (DONE, KeptUntil(1.0, CREATED + 90)), False, 89.9, False),
        ("it was put off, and that is over too", (DONE, KeptUntil(1.0, CREATED + 90)), False, 90.0, True),
        ("it is still being started", (), True, 1e6, False),
        ("its starter is dead", (), False, 60.0, True),
        ("its starter cannot be looked at, and may be pulling", (), None, 659.0, False),
        ("its starter cannot be looked at, and had its time", (), None, 661.0, True),
        ("handed over by a starter that lives", (DONE,), True, 61.0, True),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_whether_it_is_over(
    sentence: str, entries: tuple[Entry, ...], alive: bool | None, at: float, is_over: bool
) -> None:
    found = expiry.why_over(pause(), told(*entries), is_alive=lambda owner: alive, now=CREATED + at)
    assert found == ("its time to live is over" if is_over else ""), sentence


def test_an_owner_that_is_not_ours_is_as_one_that_cannot_be_looked_at() -> None:
    strange = replace(pause(), labels={**pause().labels, naming.OWNER: "somebody"})
    for at, reason in ((659.0, ""), (661.0, expiry.OVER)):
        found = expiry.why_over(strange, told(), is_alive=lambda owner: False, now=CREATED + at)
        assert found == reason


@pytest.mark.parametrize(
    ("sentence", "entries", "alive", "at", "is_safe"),
    [
        ("it stays", (DONE, KeptUntil(1.0, 0.0)), False, 1e9, True),
        ("there is time", (DONE,), False, 58.9, True),
        ("in its last moment it may be removed", (DONE,), False, 59.1, False),
        ("after its end", (DONE,), False, 60.1, False),
        ("it is still being started, and its time begins when it was", (), True, 1e6, True),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_until_when_it_can_be_put_off(
    sentence: str, entries: tuple[Entry, ...], alive: bool | None, at: float, is_safe: bool
) -> None:
    can = expiry.can_be_put_off(pause(), told(*entries), is_alive=lambda owner: alive, now=CREATED + at)
    assert can is is_safe, sentence


@pytest.mark.parametrize("text", ["", "soon", "nan", "inf", "-1", "0"])
def test_a_label_that_is_no_time_is_none(text: str) -> None:
    assert naming.ttl_of({naming.TTL: text}) is None


def test_each_sandbox_has_the_label_and_its_members_have_not() -> None:
    spec = PodSpec("shop", (Container("web", "app:1"),))
    for ttl in (None, 1800.0, 0.25):
        identity = PodIdentity(KEY, OWNER, leased=False, ttl=ttl)
        request = requests.pause_request(spec, identity, attempt=3, image="pause", network_id="net")
        assert naming.ttl_of(request.labels) == ttl
        assert naming.TTL not in identity.labels
