"""What a run has left on its engine, read from everything that is there."""

from __future__ import annotations

import re
import time
from collections.abc import Collection, Mapping

from pypod import connecting
from pypod.engine import observe
from pypod.engine.api import Engine
from pypod.errors import EngineError
from pypod.model import naming
from pypod.model.document import codec
from pypod.model.wiring.state import ContainerInfo
from pypod.pytest import reusing
from pypod.pytest.outcome import Kept, Outcome

VANISHING = 3.0
"""Seconds for what is just going: the engine lists a container for a while that is being removed, and the background program
takes up to 2 s for the pods of a worker that was killed."""
POLL = 0.05


def check(run_id: str, outcome: Outcome, url: str = "") -> list[str]:
    """As `find`, on the engine of the run; where it cannot be read, that is told instead.

    Args:
        run_id: which run.
        outcome: what it started and kept.
        url: the engine; empty: the one that the run used.
    """
    try:
        return find(connecting.connect(url or outcome.engine or None), run_id, outcome)
    except EngineError as error:
        # Of a worker that crashed nobody knows whether it had pods.
        return [f"what is left is not known: {error}"] if outcome.engine else []


def keep_abandoned(run_id: str, outcome: Outcome, url: str = "") -> None:
    """Pods of a run that keeps them outlive a worker that crashed: they are told of as kept. Where the engine cannot be read
    nothing is: `check` says so.

    Args:
        run_id, outcome, url: as of `check`.
    """
    if not outcome.crashed:
        return
    try:
        engine = connecting.connect(url or outcome.engine or None)
        outcome.kept += [
            each for worker in outcome.crashed for each in abandoned(engine, run_id, worker, url)
        ]
    except EngineError:
        return


def abandoned(engine: Engine, run_id: str, worker: str, url: str = "") -> list[Kept]:
    """The pods of a worker that crashed which have not ended with it.

    Raises:
        EngineError: the engine could not be read.
    """
    found = observe.find(engine, {naming.NAMESPACE: f"pytest-{run_id}-{worker}", naming.UID: ""})
    pauses = [each.pause for each in found if each.pause is not None]
    return [
        _kept(pause, f"its worker {worker} crashed", url)
        for pause in pauses
        if not naming.is_leased(pause.labels) and not reusing.stays(pause)
    ]


def _kept(pause: ContainerInfo, reason: str, engine: str) -> Kept:
    spec = codec.load_spec(pause.labels[naming.SPEC])
    names = tuple(each.name for each in spec.containers)
    objects = tuple(f"{key.kind.lower()}/{key.name}" for key in sorted(reusing.objects_of(pause)))
    return Kept(spec.namespace, spec.name, pause.labels[naming.UID], names, objects, engine, reason)


def find(engine: Engine, run_id: str, outcome: Outcome, *, patience: float = VANISHING) -> list[str]:
    """The containers, networks and volumes of the run that nobody wanted to stay.

    Args:
        engine: whose lists are read, unfiltered.
        run_id: which run.
        outcome: what it started and kept.
        patience: seconds for what is just going.

    Returns:
        A line each; empty: nothing is left.

    Raises:
        EngineError: the engine could not be read.
    """
    deadline = time.monotonic() + patience
    while True:
        left = look(engine, run_id, outcome)
        if not left or time.monotonic() > deadline:
            return left
        time.sleep(POLL)


def look(engine: Engine, run_id: str, outcome: Outcome) -> list[str]:
    """As `find`, of this moment."""
    mark = re.compile(rf"pytest-{run_id}(?![0-9a-z])")
    kept = {each.uid for each in outcome.kept}
    objects = {(each.namespace, name) for each in outcome.kept for name in each.objects}
    containers = engine.containers({})
    for each in containers:
        if naming.is_pause(each.labels) and reusing.stays(each):  # also of an earlier run, in the same place
            kept.add(each.labels.get(naming.UID, ""))
            objects |= {(key.namespace, f"{key.kind.lower()}/{key.name}") for key in reusing.objects_of(each)}
    things: list[tuple[str, str, Mapping[str, str]]] = [
        *(("container", each.name, each.labels) for each in containers),
        *(("volume", each.name, each.labels) for each in engine.volumes({})),
    ]
    left = [
        f"{kind} {name}"
        for kind, name, labels in things
        if _is_of(mark, outcome.uids, name, labels)
        and labels.get(naming.UID) not in kept
        and _object(labels) not in objects
    ]
    used = {labels.get(naming.NETWORK) for _, _, labels in things if labels.get(naming.UID) in kept}
    networks = [each for each in engine.networks() if _is_of(mark, (), each.name, each.labels)]
    left += [f"network {each.name}" for each in networks if each.labels.get(naming.NETWORK) not in used]
    return left


def _is_of(mark: re.Pattern[str], uids: Collection[str], name: str, labels: Mapping[str, str]) -> bool:
    """Its name or a label names the run, or it is of one of the run's pods (in a namespace that the suite chose)."""
    return any(mark.search(text) for text in (name, *labels.values())) or labels.get(naming.UID) in uids


def _object(labels: Mapping[str, str]) -> tuple[str, str] | None:
    """The ConfigMap, Secret or claim that a volume is of: namespace and ``kind/name``."""
    kind = labels.get(naming.OBJECT) or labels.get(naming.CONTENT)
    return (
        (labels.get(naming.NAMESPACE, ""), f"{kind.lower()}/{labels.get(naming.OBJECT_NAME)}")
        if kind
        else None
    )
