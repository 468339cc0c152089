"""Whether a pod has been left behind by whoever made it: a pure judgement on the engine's evidence."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence

from pypod.model import naming
from pypod.model.naming import Owner
from pypod.model.wiring.state import LEASE_LOST, ContainerInfo, ContainerState, NetworkInfo, VolumeInfo

NEVER_STARTED_AGE = 600.0
"""Seconds after which a pod without a started sandbox is taken for one whose maker died in between; and an isolated network
without a pod, too."""
UNPROVEN_LOSS = 5.0
"""Seconds that a lost lease must be old where its owner cannot be looked at from here. The engine's own end loses the lease,
too; an owner that lives has made a new sandbox by then."""
DELETION_SLACK = 10.0
"""Seconds past its grace after which a deletion counts as not being finished by whoever began it."""

IsAlive = Callable[[Owner], bool | None]


def judge(
    containers: Sequence[ContainerInfo],
    volumes: Sequence[VolumeInfo],
    pause: ContainerInfo | None,
    *,
    is_alive: IsAlive,
    now: float,
) -> str:
    """Why the pod is to be removed, in words; empty: it is not.

    Args:
        containers, volumes: everything that names the pod's uid.
        pause: its newest sandbox, inspected.
        is_alive: whether an owner lives; None where that cannot be known from here.
        now: Unix seconds.
    """
    deadline = naming.deletion_deadline(pause.name) if pause is not None else None
    if deadline is not None:
        return "its deletion was not finished" if now > deadline + DELETION_SLACK else ""
    labels = (containers[0] if containers else volumes[0]).labels
    if naming.is_leased(labels):
        lost = pause is not None and pause.has_ended and pause.exit_code == LEASE_LOST
        owner = naming.owner_of(labels)
        alive = is_alive(owner) if owner is not None else None
        if owner is not None and alive is not None:
            if alive:
                return ""
            return "its lease was lost" if lost else f"its owner, process {owner.pid}, is gone"
        if lost and pause is not None and now > (pause.finished_at or pause.created_at) + UNPROVEN_LOSS:
            return "its lease was lost"
    created = min([*(info.created_at for info in containers), *(volume.created_at for volume in volumes)])
    if _never_started(containers, pause) and now > created + NEVER_STARTED_AGE:
        return "it was never started"
    return ""


def unused_networks(
    networks: Iterable[NetworkInfo], used: Collection[str], now: float, *, is_alive: IsAlive
) -> list[NetworkInfo]:
    """The isolated networks on which there is no pod, nor will be one that is just being made.

    Args:
        networks: of the engine.
        used: the names of those that a pod belongs on, running or not.
        now: Unix seconds.
        is_alive: whether an owner lives; None where that cannot be known from here.
    """

    def is_left(network: NetworkInfo) -> bool:
        owner = naming.owner_of(network.labels)
        is_orphan = owner is not None and is_alive(owner) is False
        return is_orphan or now > network.created_at + NEVER_STARTED_AGE

    return [
        network
        for network in networks
        if (name := naming.network_of(network.labels)) and name not in used and is_left(network)
    ]


def _never_started(containers: Sequence[ContainerInfo], pause: ContainerInfo | None) -> bool:
    if any(info.is_live for info in containers):
        return False
    return pause is None or pause.state is ContainerState.CREATED
