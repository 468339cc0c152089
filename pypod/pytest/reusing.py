"""``--pypod-reuse``: pods that stay when a run is over, for the next one.

They are detached and have a time to live, which each run that takes them up puts off. A run takes up what is there under the name that it
would give the pod, where that is just what a start would make now; else it is replaced. `pypod.pytest.slots` says why no other run does
so at the same time.
"""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Callable, Iterable
from dataclasses import replace

import pytest

from pypod import existing, finding, storing
from pypod.engine import observe
from pypod.engine.api import Engine
from pypod.engine.objects import store_of
from pypod.engine.observe import Found
from pypod.errors import PodNotRunningError, PypodError
from pypod.model import naming
from pypod.model.document import codec
from pypod.model.life import expiry
from pypod.model.naming import compact_json
from pypod.model.spec.objects import Object, ObjectKey
from pypod.model.spec.pod import PodSpec
from pypod.model.wiring.referring import references_of
from pypod.model.wiring.state import ContainerInfo
from pypod.pod import Pod
from pypod.pytest.options import Settings
from pypod.pytest.wishes import Place, Wish

log = logging.getLogger(__name__)

MADE_OF = "pypod.pytest/made-of"
"""The annotation with a hash of the versions of the ConfigMaps, Secrets and claims that a pod is started with. A version is a random
word of whoever wrote the object, so it tells nothing of what is in a Secret."""
SHARE = 0.25
"""Of the time to live, after which that of a pod in use is put off again."""
SHORTEST = 0.5


def is_wished(wish: Wish, place: Place, settings: Settings) -> bool:
    """Whether a pod is to stay for the next run: with the option alone those that live as long as the session; others, of more than a
    single test, where they ask for it themselves."""
    if not settings.reuse or wish.reuse is False or wish.pool or isinstance(place.use.node, pytest.Item):
        return False
    return wish.reuse is True or isinstance(place.use.node, pytest.Session)


def pinned(engine: Engine, spec: PodSpec, objects: Iterable[Object]) -> PodSpec:
    """The spec, with the state of its ConfigMaps, Secrets and claims: where one has changed it is another spec. What comes with the
    pod is applied before.

    Raises:
        SpecError: an object cannot be changed in this way.
        EngineError: the engine failed.
    """
    storing.apply(*objects, engine=engine)
    references = references_of(spec)
    if not references:
        return spec
    versions = store_of(engine).read(spec.namespace, references).versions
    told = compact_json(sorted([*key, version] for key, version in versions.items()))
    annotations = {**spec.annotations, MADE_OF: hashlib.sha256(told.encode()).hexdigest()[:16]}
    return replace(spec, annotations=annotations)


def start(
    pod: Pod,
    *,
    ttl: float,
    timeout: float,
    grace: float,
    on_failure: Callable[[BaseException], bool] | None = None,
) -> str:
    """Take a pod up that is there, or start it, after whatever is there instead of it was removed.

    Args:
        pod: not started; its spec is `pinned`.
        ttl: seconds for which it stays, if nobody takes it up again.
        timeout, on_failure: as of `pypod.Pod.start`.
        grace: seconds for the end of one that is replaced.

    Returns:
        Why one was replaced; empty: none was.

    Raises:
        PypodError: as `pypod.Pod.start`.
    """
    there = existing.look_up(pod.engine, pod.spec)
    reason = ""
    if there is not None and not there.leased:
        reason = existing.why_replaced(there)
        if reason:
            Pod.of(there.pod).stop(grace=grace)
    pod.start(timeout=timeout, detach=True, ttl=ttl, on_failure=on_failure)
    return reason


def stays(pause: ContainerInfo | None) -> bool:
    """Whether a pod is one of those: it goes by itself, so that it is there is no leak."""
    return expiry.earliest_end(pause) is not None


def staying(engine: Engine, namespace: str, *, tidy: bool) -> set[str]:
    """The names that pods of earlier runs have in a namespace: those that stay, and those that were kept (``--pypod-keep``).

    Args:
        engine, namespace: of a run that has started nothing there yet.
        tidy: delete the ConfigMaps, Secrets and claims there of pods that are gone: nobody but the next run in their place knows
            whose they were.

    Raises:
        PypodError: the engine failed, or an object cannot be read or deleted.
    """
    there = _pods_in(engine, namespace)
    if tidy:
        used = {key for found in there if found.pause for key in objects_of(found.pause)}
        for each in storing.list_objects(namespace, engine=engine):
            if ObjectKey(each.kind, each.namespace, each.name) not in used:
                storing.delete_object(each.kind, each.name, namespace, engine=engine)
    return {found.key.name for found in there}


def _pods_in(engine: Engine, namespace: str) -> list[Found]:
    """Those that are not being removed, nor end with a process."""
    every = observe.find(engine, {naming.NAMESPACE: namespace, naming.UID: ""})
    return [
        found
        for found in every
        if (pause := found.pause) is not None
        and not naming.is_leased(pause.labels)
        and naming.deletion_deadline(pause.name) is None
    ]


def objects_of(pause: ContainerInfo) -> set[ObjectKey]:
    """The ConfigMaps, Secrets and claims that a pod refers to: they stay with it."""
    spec = codec.load_spec(pause.labels[naming.SPEC])
    return {ObjectKey(each.kind, spec.namespace, each.name) for each in references_of(spec)}


class Renewing:
    """Puts the end of pods off for as long as they are in use: a run, or a stop at a breakpoint, may last longer than they would.

    Args:
        ttl: seconds.
    """

    def __init__(self, ttl: float) -> None:
        self._ttl = ttl
        self._lock = threading.Lock()
        self._used: dict[str, Pod] = {}
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def add(self, pod: Pod) -> None:
        """It is in use from now on."""
        with self._lock:
            self._used[pod.uid] = pod
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="pypod-renew", daemon=True)
                self._thread.start()

    def remove(self, pod: Pod) -> float | None:
        """It is in use no more: its time to live begins now.

        Returns:
            When that is over, Unix seconds by the engine's clock; None: it is not there any more, or nobody mends it.

        Raises:
            EngineError: the engine failed.
        """
        with self._lock:
            self._used.pop(pod.uid, None)
        try:
            return None if pod.refresh().reason == "NotFound" else pod.renew(self._ttl)
        except PodNotRunningError:
            return None

    def close(self) -> None:
        """Nothing is in use any more."""
        self._over.set()

    def _run(self) -> None:
        handles: dict[str, Pod] = {}  # of its own: a test uses the others at the same time
        while not self._over.wait(max(self._ttl * SHARE, SHORTEST)):
            with self._lock:
                used = dict(self._used)
            for uid, pod in used.items():
                try:
                    if uid not in handles:
                        handles[uid] = finding.get(pod.name, pod.namespace, engine=pod.engine)
                    handles[uid].renew(self._ttl)
                except PypodError as error:
                    log.debug("%s", error)
