"""Whether a pod was left behind: the evidence, and what is none."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from pypod.model import naming
from pypod.model.life import abandoned
from pypod.model.naming import Owner, PodKey
from pypod.model.wiring.state import ContainerInfo, ContainerState, VolumeInfo

NOW = 10_000.0
KEY = PodKey("default", "shop", "0123456789abcdef")
OWNER = Owner("boot", 1, 4711, 3)
LEASED = naming.pod_labels(KEY, OWNER, leased=True)
DETACHED = naming.pod_labels(KEY, OWNER, leased=False)
PAUSE = ContainerInfo(
    id="p",
    name=naming.pause_name(KEY, 0),
    labels=naming.pause_labels(LEASED, 0, "{}", ""),
    state=ContainerState.RUNNING,
    image="pause",
    created_at=NOW - 5,
    started_at=NOW - 5,
)
MEMBER = replace(PAUSE, id="m", name="web", labels=naming.member_labels(LEASED, "web", 0, 0))
VOLUME = VolumeInfo("html", naming.volume_labels(LEASED, "html"), NOW - 5)
LOST = replace(PAUSE, state=ContainerState.EXITED, exit_code=97, finished_at=NOW - 1)
LONG_LOST = replace(LOST, finished_at=NOW - 15.1)
KILLED = replace(PAUSE, state=ContainerState.EXITED, exit_code=137)
CREATED = replace(PAUSE, state=ContainerState.CREATED, started_at=None)
OLD_CREATED = replace(CREATED, created_at=NOW - 601)
FREE = replace(PAUSE, labels=naming.pause_labels(DETACHED, 0, "{}", ""))
GONE = "its owner, process 4711, is gone"
NEVER = "it was never started"


def marked(deadline: float) -> ContainerInfo:
    return replace(PAUSE, name=naming.deleting_name(KEY, 0, deadline))


@dataclass(frozen=True)
class Case:
    pause: ContainerInfo | None
    alive: bool | None
    reason: str
    members: tuple[ContainerInfo, ...] = ()
    volumes: tuple[VolumeInfo, ...] = ()


CASES = {
    "leased, and the owner lives": Case(PAUSE, True, ""),
    "leased, and the owner is dead here": Case(PAUSE, False, GONE),
    "leased, and nobody can know of the owner": Case(PAUSE, None, ""),
    "the lease was lost, but the owner lives: the engine's end lost it": Case(LONG_LOST, True, ""),
    "the lease was lost, and the owner is dead": Case(LOST, False, "its lease was lost"),
    "the lease was lost just now, and nobody can know": Case(LOST, None, ""),
    "the lease was lost a while ago, and nobody can know": Case(LONG_LOST, None, "its lease was lost"),
    "the lease was lost at no known time, and nobody can know": Case(
        replace(LOST, finished_at=None, created_at=NOW - 16), None, "its lease was lost"
    ),
    "the pause ended otherwise, and the owner lives": Case(KILLED, True, ""),
    "the pause ended otherwise, and the owner is dead": Case(KILLED, False, GONE),
    "the pause ended otherwise, and nobody can know": Case(KILLED, None, ""),
    "detached: an owner is none": Case(FREE, False, ""),
    "detached: exit 97 says nothing": Case(
        replace(FREE, state=ContainerState.EXITED, exit_code=97), None, ""
    ),
    "detached: a lease lost long ago says nothing": Case(
        replace(FREE, state=ContainerState.EXITED, exit_code=97, finished_at=NOW - 900), False, ""
    ),
    "being deleted, in time": Case(marked(NOW - 10), False, ""),
    "being deleted, for too long": Case(marked(NOW - 11), True, "its deletion was not finished"),
    "never started, 10 minutes ago": Case(OLD_CREATED, None, NEVER),
    "never started, but the owner lives and may be pulling": Case(OLD_CREATED, True, ""),
    "never started, not that long ago": Case(CREATED, None, ""),
    "only a volume, old": Case(None, None, NEVER, volumes=(replace(VOLUME, created_at=NOW - 601),)),
    "only a volume, young": Case(None, None, "", volumes=(VOLUME,)),
    "only a volume, of a dead owner": Case(None, False, GONE, volumes=(VOLUME,)),
    "no pause, but a member that runs": Case(None, None, "", members=(replace(MEMBER, created_at=0.0),)),
    "a sandbox that runs for long": Case(replace(PAUSE, created_at=0.0), None, ""),
}


@pytest.mark.parametrize("sentence", CASES)
def test_judge(sentence: str) -> None:
    case = CASES[sentence]
    pauses = (case.pause,) if case.pause is not None else ()
    asked: list[Owner] = []

    def is_alive(owner: Owner) -> bool | None:
        asked.append(owner)
        return case.alive

    found = abandoned.judge((*pauses, *case.members), case.volumes, case.pause, is_alive=is_alive, now=NOW)
    assert found == case.reason
    assert set(asked) <= {OWNER}


def test_an_owner_label_that_is_not_ours_proves_nothing() -> None:
    strange = replace(PAUSE, labels={**PAUSE.labels, naming.OWNER: "somebody"})
    assert abandoned.judge((strange,), (), strange, is_alive=lambda owner: False, now=NOW) == ""


def test_an_owner_label_that_is_not_ours_leaves_a_lost_lease_to_time() -> None:
    """Whoever lives: the label names nobody who could."""
    for pause, reason in ((LOST, ""), (LONG_LOST, "its lease was lost")):
        strange = replace(pause, labels={**pause.labels, naming.OWNER: "somebody"})
        found = abandoned.judge((strange,), (), strange, is_alive=lambda owner: True, now=NOW)
        assert found == reason
