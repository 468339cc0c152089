"""Which containers are ready, where a list of the engine's shows it: as empty volumes that say so.

The engine's list of containers tells what runs. Whether that is ready, where a probe or a hook says so, is in the journal, which is
read with a call for each pod: too much for a list of a hundred. Labels cannot change, and a container's name is the lock on its
attempt; so whoever looks after a pod has an empty volume made when such a container becomes ready, and removed when it is no more.
Two calls, containers and volumes, then tell of all pods.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from pypod.model import naming
from pypod.model.life import status
from pypod.model.life.desired import Desired
from pypod.model.life.history import History
from pypod.model.life.journal import Entry, Hooked, Probed, Started
from pypod.model.life.members import Kind, kind_of, members_of
from pypod.model.life.status import PodStatus
from pypod.model.spec.pod import Container
from pypod.model.wiring.state import ContainerInfo, ContainerState, PodObservation

Instance = tuple[str, int]
"""A container's name, and the attempt."""


def needs_mark(container: Container) -> bool:
    """That it runs does not say yet that it is ready."""
    probes = (container.startup_probe, container.readiness_probe, container.lifecycle.post_start)
    return any(each is not None for each in probes)


def ready(desired: Desired, observed: PodObservation, history: History) -> set[Instance]:
    """The instances that are ready, of containers that need a mark.

    Args:
        observed, history: as of `pypod.model.life.members.members_of`.
    """
    if observed.sandbox is None:
        return set()
    return {
        (each.name, each.attempt)
        for each in members_of(desired.spec, observed, history)
        if each.kind is not Kind.INIT and needs_mark(each.container) and each.is_ready
    }


def plain_status(
    desired: Desired, listed: Sequence[ContainerInfo], marked: Iterable[Instance], now: float
) -> PodStatus | None:
    """The status of a pod at rest: its first sandbox, and the first instance of everything in it, run and are ready. Of any other
    the list does not tell enough: None.

    Args:
        listed: its containers, as the engine lists them.
        marked: those that a volume says are ready.
        now: Unix seconds.

    Returns:
        As `status.derive` would have it, but for the times: whole seconds, and of a container that of its creation.
    """
    spec = desired.spec
    pauses = [info for info in listed if naming.is_pause(info.labels)]
    if len(pauses) != 1 or not _is_first(pauses[0]) or len(pauses[0].addresses) != 1:
        return None
    if naming.deletion_deadline(pauses[0].name) is not None:
        return None
    found = {info.container: info for info in listed if info is not pauses[0]}
    if len(found) != len(listed) - 1 or not all(container.name in found for container in spec.all_containers):
        return None
    is_marked, history = set(marked), History(began=pauses[0].created_at)
    members: dict[str, ContainerInfo] = {}
    for container in spec.all_containers:
        info = found[container.name]
        is_init = kind_of(spec, container) is Kind.INIT
        if not _is_first(info, ContainerState.EXITED if is_init else ContainerState.RUNNING):
            return None
        if not is_init and needs_mark(container) and (container.name, 0) not in is_marked:
            return None
        members[container.name] = _as_inspected(info)
        history = _with_success(history, container, info.created_at)
    members |= {name: _as_inspected(info) for name, info in found.items() if info.is_ephemeral}
    seen = PodObservation(
        key=desired.identity.key, at=now, pauses=(_as_inspected(pauses[0]),), members=_tuples(members)
    )
    return status.derive(desired, seen, history, now)


def _is_first(info: ContainerInfo, state: ContainerState = ContainerState.RUNNING) -> bool:
    return info.attempt == 0 and info.sandbox <= 0 and info.state is state


def _as_inspected(info: ContainerInfo) -> ContainerInfo:
    """What a list does not tell: one whose followers run has ended well, and none runs but was started."""
    if info.is_live:
        return replace(info, started_at=info.created_at)
    return replace(info, started_at=info.created_at, finished_at=info.created_at, exit_code=0)


def _with_success(history: History, container: Container, at: float) -> History:
    name = container.name
    entries: list[Entry] = [
        Started(at, name, 0, 0),
        Probed(at, name, 0, "startup", True),
        Probed(at, name, 0, "readiness", True),
        Hooked(at, name, 0, "postStart", "done"),
    ]
    for entry in entries:
        history = history.apply(entry)
    return history


def _tuples(members: Mapping[str, ContainerInfo]) -> dict[str, tuple[ContainerInfo, ...]]:
    return {name: (info,) for name, info in members.items()}
