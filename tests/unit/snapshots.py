"""Snapshots of a pod called shop, as the engine would show it: for tests of what is made of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pypod.model import naming
from pypod.model.life.desired import Desired
from pypod.model.life.history import History
from pypod.model.life.journal import Entry
from pypod.model.naming import Owner, PodIdentity, PodKey
from pypod.model.spec.pod import Container, PodSpec, RestartPolicy
from pypod.model.wiring.state import ContainerInfo, ContainerState, ImageInfo, NetworkInfo, PodObservation

NOW = 1000.0
KEY = PodKey("default", "shop", "0123456789abcdef")
IDENTITY = PodIdentity(KEY, Owner("boot", 1, 2, 3), leased=True)
IMAGE = "nginx:1"
STARTED = NOW - 89
ENDED = NOW - 1


def pause(attempt: int = 0, *, name: str = "") -> ContainerInfo:
    """A sandbox that runs, with an address."""
    return ContainerInfo(
        id=f"pause-{attempt}",
        name=name or naming.pause_name(KEY, attempt),
        labels=naming.pause_labels(IDENTITY.labels, attempt, "{}", ""),
        state=ContainerState.RUNNING,
        image="pause",
        created_at=NOW - 100,
        started_at=NOW - 99,
        addresses={"net": "10.214.0.2"},
    )


def deleting() -> ContainerInfo:
    """The pause of a pod that is marked as to go."""
    return pause(name=naming.deleting_name(KEY, 0, NOW + 30))


def member(
    name: str = "a", attempt: int = 0, *, sandbox: int = 0, role: naming.Role = naming.Role.MEMBER
) -> ContainerInfo:
    """An instance that runs."""
    return ContainerInfo(
        id=f"{name}-{attempt}",
        name=naming.member_name(KEY, name, attempt),
        labels=naming.member_labels(IDENTITY.labels, name, attempt, sandbox, role),
        state=ContainerState.RUNNING,
        image="sha256:1",
        created_at=NOW - 90,
        started_at=STARTED,
    )


def ended(
    info: ContainerInfo, code: int, *, oom: bool = False, at: float = ENDED, error: str = ""
) -> ContainerInfo:
    """It ran and ended, a second ago."""
    return replace(
        info,
        state=ContainerState.EXITED,
        exit_code=code,
        finished_at=at,
        oom_killed=oom,
        error=error,
        addresses={},
    )


def made(info: ContainerInfo) -> ContainerInfo:
    """It was created and not started."""
    return replace(info, state=ContainerState.CREATED, started_at=None, addresses={})


def refused(info: ContainerInfo, code: int = 127, error: str = "no such file") -> ContainerInfo:
    """The engine could not start it."""
    return replace(made(info), exit_code=code, error=error)


def seen(*infos: ContainerInfo, absent: Sequence[str] = ()) -> PodObservation:
    """The whole pod; instances newest first, as given."""
    members: dict[str, tuple[ContainerInfo, ...]] = {}
    for info in infos:
        if not naming.is_pause(info.labels):
            members[info.container] = (*members.get(info.container, ()), info)
    present: dict[str, ImageInfo | None] = {IMAGE: ImageInfo("sha256:1", (IMAGE,))}
    return PodObservation(
        key=KEY,
        at=NOW,
        pauses=tuple(info for info in infos if naming.is_pause(info.labels)),
        members=members,
        network=NetworkInfo("net", "pypod", "bridge", ()),
        images=present | dict.fromkeys(absent),
    )


def told(*entries: Entry) -> History:
    """What a journal of these tells."""
    history = History()
    for entry in entries:
        history = history.apply(entry)
    return history


def sidecar(name: str = "s") -> Container:
    return Container(name, IMAGE, restart_policy="Always")


def wanted(
    *containers: Container | str,
    init: Sequence[Container | str] = (),
    policy: RestartPolicy = RestartPolicy.ALWAYS,
) -> Desired:
    """A pod of these containers; a name stands for one without anything special, none at all for one called a."""
    spec = PodSpec(
        "shop",
        tuple(_container(each) for each in containers or ("a",)),
        init_containers=tuple(_container(each) for each in init),
        restart_policy=policy,
    )
    return Desired(spec, IDENTITY)


def _container(container: Container | str) -> Container:
    return Container(container, IMAGE) if isinstance(container, str) else container
