"""The networks of others that a pod joins beside its own: whether it can, and what is done for it.

A pause is connected when it runs, and before any member is started. Connected before its start it would be on all its networks at
once, in no order: on 20.10 ``eth0``, and the first line of the hosts file, were then now this network's and now that one's.
"""

from __future__ import annotations

from pypod.model.life.history import History
from pypod.model.life.plan import ConnectNetwork, PlanBuilder
from pypod.model.naming import PodKey
from pypod.model.rules import hosts
from pypod.model.spec.pod import PodSpec
from pypod.model.wiring.state import NetworkInfo, PodObservation

BRIDGE = "bridge"
"""Docker's default network, on which there are no names."""


def obstacle(spec: PodSpec, observed: PodObservation, history: History) -> str:
    """Why the pod, which has its networks still to join, cannot join one of them, for people; empty: nothing is in its way."""
    if not _is_due(spec, observed, history):
        return ""
    found = [(name, _named(name, observed)) for name in spec.extra_networks]
    missing = [f"'{name}'" for name, networks in found if not networks]
    if missing:
        there = ", ".join(sorted({f"'{each.name}'" for each in observed.others_networks}))
        words = "network" if len(missing) == 1 else "networks"
        return (
            f"the engine has no {words} {', '.join(missing)}; those that a pod can join are {there or 'none'}"
        )
    for name, networks in found:
        if len(networks) > 1:
            return (
                f"the engine has {len(networks)} networks '{name}', and nothing tells which of them is meant"
            )
    return ""


def connect(
    builder: PlanBuilder,
    spec: PodSpec,
    observed: PodObservation,
    history: History,
    *,
    pause: str,
    started: int | None,
) -> int | None:
    """The steps that join the networks which the pod is not on yet, one after the other, so that their order is the spec's.

    Args:
        pause: its name.
        started: the step that starts it; None: it runs.

    Returns:
        The last step; where there is none, ``started``.
    """
    if not _is_due(spec, observed, history):
        return started
    sandbox = observed.sandbox if started is None else None
    last = started
    for name in spec.extra_networks:
        for network in _named(name, observed):
            if sandbox is None or network.id not in sandbox.addresses:
                names = _names(spec, observed.key, network)
                join = ConnectNetwork(network.id, network.name, pause, names, "the pod is to be on it too")
                last = builder.add(join, after=[last])
    return last


def _is_due(spec: PodSpec, observed: PodObservation, history: History) -> bool:
    """No member was started in the sandbox that there is. Later the pod is left on the networks that it is on: who takes it off one
    while it lives, to see what it does then, is not to be put right."""
    pause = observed.pause
    if not spec.extra_networks or pause is None or not pause.is_live:
        return bool(spec.extra_networks)
    records = (record for pair in history.records.values() for record in pair)
    told = any(record.was_started and record.sandbox == pause.attempt for record in records)
    joined = (info for info in observed.all_members if info.sandbox == pause.attempt)
    return not told and not any(info.started_at is not None for info in joined)


def _named(name: str, observed: PodObservation) -> list[NetworkInfo]:
    return [network for network in observed.others_networks if network.name == name]


def _names(spec: PodSpec, key: PodKey, network: NetworkInfo) -> tuple[str, ...]:
    """Beside its hostname, which the engine makes a name on every network but its default one."""
    return () if network.name == BRIDGE else (spec.name, *hosts.aliases(spec, key))
