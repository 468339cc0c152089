"""One sandbox at a time comes to a network that may be removed, an isolated one or one of others, or leaves it; and who wants an
isolated one to stay between two pods, says so.

The engine counts a network's endpoints, and removes none while the count is not 0. On 20.10 (and later ones: moby issue 42119,
open) three that come or go at the same moment can make it count wrong: then the network, empty, "has active endpoints" until the
daemon is restarted. Measured with plain Docker calls from 12 threads: 4 of 18 networks could not be removed; 0 of 12 with this.
Kept apart are the sandboxes of one user's processes on one machine: workers of pytest share the network of their run. Those of
other users and machines are not, nor those that end all at once since their owner was killed.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
import weakref
from collections.abc import Iterable, Iterator

from pypod.engine.api import Engine
from pypod.engine.locks import NamedLocks
from pypod.errors import ConflictError, NotFoundError
from pypod.model import naming

PATIENCE = 10.0
"""Seconds of one other after which one goes on beside it: an engine that hangs in one call must not hold up everybody."""
TURN = 30.0
"""Seconds in a row of many, each of whom takes a part of a second. (Four processes with four pods each, on two busy cores: up to 14 s.)"""

LINGERING = 2.0
"""Seconds for which an isolated network may be in use though no pod is on it: the engine has not let go of the last one yet.
After that somebody else has a container on it, and it stays."""
POLL = 0.02


class Gate:
    """Of one network.

    Attributes:
        is_held: it stays when its last pod leaves: this process will have another one on it. Making a network and removing it
            again costs a pod 0.1 and 0.2 s (20.10, two busy cores).
    """

    def __init__(self, network: str) -> None:
        self._network = network
        self.is_held = False

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Wait until no other thread, and no other process of this user, is in such a block."""
        with _locks.held(self._network, PATIENCE, TURN):
            yield


_locks = NamedLocks("networks.lock")
"""By the names of networks alone: that those of two engines wait for each other costs less than to ask an engine which one it is."""
_gates: weakref.WeakKeyDictionary[Engine, dict[str, Gate]] = weakref.WeakKeyDictionary()
_gates_lock = threading.Lock()


def of(engine: Engine, network: str) -> Gate | None:
    """The gate of an isolated network, by its name, or of another's, by its ID; None for the flat one, which is never removed."""
    if not network:
        return None
    with _gates_lock:
        return _gates.setdefault(engine, {}).setdefault(network, Gate(network))


@contextlib.contextmanager
def alone(engine: Engine, networks: Iterable[str]) -> Iterator[None]:
    """Wait until no other thread, and no other process of this user, is in such a block of any of these networks."""
    with contextlib.ExitStack() as entered:
        for network in sorted(set(networks)):  # in one order, so that nobody waits in a circle
            if (found := of(engine, network)) is not None:
                entered.enter_context(found.alone())
        yield


def let_go(engine: Engine, network: str) -> None:
    """Hold an isolated network no more, and remove it, unless another process' pods are on it: their last one does that.

    Raises:
        EngineError: the engine could not be read, or refused for another reason than that somebody is on it.
    """
    held = of(engine, network)
    if held is not None:
        held.is_held = False
    deadline = time.monotonic() + LINGERING
    while _is_in_use(engine, network):
        if time.monotonic() > deadline or engine.containers({naming.NETWORK: network}):
            return
        time.sleep(POLL)


def _is_in_use(engine: Engine, network: str) -> bool:
    """Remove what can be removed, and tell whether something could not."""
    refused = False
    for found in engine.networks():
        if network and naming.network_of(found.labels) == network:
            with contextlib.suppress(NotFoundError):
                try:
                    engine.remove_network(found.id)
                except ConflictError:
                    refused = True
    return refused


def _after_fork_in_child() -> None:
    global _gates_lock  # noqa: PLW0603 (it may have been held at the fork, as any gate may have been)
    _gates_lock = threading.Lock()
    _gates.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
