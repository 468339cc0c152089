"""Finding pods on an engine, whoever started them."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from pypod import background, connecting, lifetime
from pypod.engine import observe
from pypod.engine.api import Engine
from pypod.engine.observe import Found
from pypod.errors import PodNotFoundError, PypodError
from pypod.model import naming
from pypod.model.life import expiry
from pypod.model.wiring.state import ContainerState
from pypod.pod import Pod

log = logging.getLogger(__name__)

LOOKS_AT_ONCE = 8


def get(name: str, namespace: str = "default", *, engine: Engine | None = None) -> Pod:
    """The pod of that name.

    Args:
        name, namespace: which.
        engine: where; the default engine where it is None.

    Raises:
        PodNotFoundError: there is none.
        EngineError: the engine could not be read.
    """
    engine = engine or connecting.connect()
    every = observe.find_named(engine, namespace, name)
    # One that is being deleted comes last: its name may have been given to another already.
    for found in sorted(every, key=_is_deleting):
        pod = _handle(engine, found)
        if pod is not None:
            pod.refresh()
            return pod
    full_name = f"{namespace}/{name}"
    raise PodNotFoundError(f"cannot find pod '{full_name}' on {engine.url}", pod=full_name)


def list_pods(
    namespace: str | None = None,
    selector: Mapping[str, str] | None = None,
    *,
    engine: Engine | None = None,
    brief: bool = False,
) -> list[Pod]:
    """The pods of an engine, by namespace and name, each with its status as of now. One whose description cannot be read here, for
    example a later pypod's, is left out, with a warning in the log.

    Args:
        namespace: only those of it; None: all.
        selector: only those that carry all these labels.
        engine: where; the default engine where it is None.
        brief: of pods at rest, whose first instances all run and are ready, take what the engine's lists tell: two calls for
            all of them, where a look costs each several. Then times are whole seconds, that of a container's start is that
            of its creation, and there are no events. Every other pod is looked at all the same.

    Raises:
        EngineError: the engine could not be read.
    """
    engine = engine or connecting.connect()
    wanted = dict(selector or {})
    pods, pending = [], []
    for found in observe.find_all(engine):
        if (namespace is not None and found.key.namespace != namespace) or _is_going(found):
            continue
        try:
            pod = _handle(engine, found)
        except PypodError as error:  # a later pypod's, or it needs a package that is not here: the others are listed all the same
            log.warning("cannot list pod %s: %s", found.key.full_name, error)
            continue
        if pod is not None and wanted.items() <= dict(pod.spec.labels).items():
            pods.append(pod)
            if not (brief and _is_plain(pod, found)):
                pending.append(pod)
    if pending:
        with ThreadPoolExecutor(min(len(pending), LOOKS_AT_ONCE), "pypod-look") as pool:
            list(pool.map(Pod.refresh, pending))
    there = [pod for pod in pods if pod.status.reason != "NotFound"]
    return sorted(there, key=lambda pod: (pod.namespace, pod.name))


def _is_going(found: Found) -> bool:
    """The engine is removing the last of it, or believes so: 20.10 was seen to list such a container for days, which it has no more."""
    return not found.volumes and all(info.state is ContainerState.REMOVING for info in found.containers)


def _is_plain(pod: Pod, found: Found) -> bool:
    """Whether its status is known from what was listed; it is noted. Until when one with a time to live stays, its journal knows."""
    if expiry.earliest_end(found.pause) is not None:
        return False
    marked = [mark for volume in found.volumes if (mark := naming.ready_of(volume.labels)) is not None]
    return pod._note_listed(found.containers, marked)


def _is_deleting(found: Found) -> bool:
    return found.pause is None or naming.deletion_deadline(found.pause.name) is not None


def _handle(engine: Engine, found: Found) -> Pod | None:
    """A handle on a pod that was found; None where its labels do not describe one."""
    sync = lifetime.owned(found.key.uid) or background.described(engine, found)
    return Pod.of(sync) if sync is not None else None
