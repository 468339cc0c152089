"""One run of a suite in one process: its namespace, its network, and the pods that are alive in it."""

from __future__ import annotations

import contextlib
import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pytest

from pypod import connecting, finding, storing
from pypod.engine import gate
from pypod.engine.api import Engine
from pypod.errors import (
    EngineUnavailableError,
    ObjectInUseError,
    ObjectNotFoundError,
    PodNotFoundError,
    PypodError,
)
from pypod.model.spec.objects import Object, ObjectKey
from pypod.pod import Pod
from pypod.pytest import report, reusing, sharing, sources
from pypod.pytest.current import ALONE
from pypod.pytest.failures import FailedStarts
from pypod.pytest.options import Settings
from pypod.pytest.outcome import Kept, Outcome
from pypod.pytest.pooling import Pools
from pypod.pytest.uses import Use
from pypod.pytest.wishes import Place, Wish

ENDS = (KeyboardInterrupt, SystemExit, pytest.exit.Exception)
"""What ends the whole run: nobody waits for a report then."""


@dataclass(slots=True)
class Alive:
    """A pod that was started and is not over yet.

    Attributes:
        pod: itself.
        use: which tests it is for.
        grace: seconds that its end may take.
        has_failed: a test that used it has failed.
        is_broken: it could not be started, and is there to be looked at.
        stays: it is not removed at its end, but left to the next run.
        replaced: why another one was removed for it.
        is_shared: it is the controller's, and does not end here.
    """

    pod: Pod
    use: Use
    grace: float = 0.0
    has_failed: bool = False
    is_broken: bool = False
    stays: bool = False
    replaced: str = ""
    is_shared: bool = False


class Run:
    """One process' part of a run.

    Args:
        settings: what the options say.
        run_id: of the whole run, in every process of it.
        worker: this process' name: ``main``, or pytest-xdist's ``gw0`` ...
        root: what a path is relative to that no file named.
        hub: what a worker was told of the pods that all workers share.

    Attributes:
        namespace: where its pods are: of this process alone.
        network: the isolated network that all pods of the run are on.
        outcome: what is told at its end.
    """

    def __init__(
        self,
        settings: Settings,
        run_id: str,
        worker: str,
        *,
        root: Path,
        hub: Mapping[str, str] | None = None,
    ) -> None:
        self.settings = settings
        self.id = run_id
        self.worker = worker
        self.root = root
        self.namespace = f"pytest-{run_id}-{worker}"
        self.network = f"pytest-{run_id}"
        self._engine: Engine | None = None
        self._no_engine = ""
        self.outcome = Outcome()
        self._hub = hub
        self._alive: dict[str, Alive] = {}
        self._starting: list[Pod] = []
        self.failed_starts = FailedStarts()
        self._pools = Pools(self)
        self._held: dict[str, Engine] = {}
        self._stuck: dict[ObjectKey, Engine] = {}
        self._names: set[tuple[str, str]] = set()
        self._brought: Counter[ObjectKey] = Counter()
        self._lock = threading.Lock()
        self._renewing = reusing.Renewing(settings.reuse_ttl)
        self._staying: dict[str, set[str]] = {}

    # where

    @property
    def engine(self) -> Engine:
        """The engine; asked for once. Where none answers the test fails or is skipped, as ``--pypod-no-engine`` says."""
        if self._engine is None and not self._no_engine:
            try:
                self._engine = connecting.connect(self.settings.engine or None)
            except EngineUnavailableError as error:
                self._no_engine = str(error)
        if self._engine is not None:
            return self._engine
        if self.settings.no_engine == "skip":
            pytest.skip(self._no_engine)
        pytest.fail(f"{self._no_engine} (--pypod-no-engine=skip skips such tests)", pytrace=False)

    def take_for_default(self, engine: Engine) -> None:
        """It is the one that pypod takes where nobody names another one; of a process that never asked for that itself."""
        self._engine = self._engine or engine

    def _is_default(self, engine: Engine) -> bool:
        return engine is self._engine and not self.settings.engine

    # pods

    def serve(self, wish: Wish, place: Place) -> contextlib.AbstractContextManager[Pod]:
        """A pod for the time of the block, in the way that was wished for."""
        if wish.shared and self.worker != ALONE:
            return self._shared(wish, place)
        if wish.pool and not self.keeps:  # a pool's pods end with this process
            return self._pools.serve(wish, place)
        return self._own(wish, place)

    @contextlib.contextmanager
    def _own(self, wish: Wish, place: Place) -> Iterator[Pod]:
        """One that is started here and now, and is nobody else's."""
        pod = self.start(wish, place)
        try:
            yield pod
        finally:
            self.stop(pod)

    @contextlib.contextmanager
    def _shared(self, wish: Wish, place: Place) -> Iterator[Pod]:
        """One for all workers, which the controller has, or starts. It stays."""
        described = sources.read(wish.source, wish.base)
        try:
            engine, timeout = place.engine, self.timeout(wish)
            default = self._is_default(engine)
            pod = sharing.borrow(wish, described, engine, timeout, self._hub, is_default=default)
        except sharing.SharedStartError as error:
            for section in error.report:
                self.failed_starts.add(place.use, section)
            raise
        self._add(Alive(pod, place.use, is_shared=True))
        try:
            yield pod
        finally:
            self.stop(pod)

    def start(self, wish: Wish, place: Place) -> Pod:
        """Start a pod of its own, and wait until it is ready.

        Raises:
            PypodError: as `pypod.Pod.start`; nothing of it is left then.
            OSError, TypeError: as `pypod.pytest.sources.read`.
        """
        pod = self.prepare(wish, place)
        alive = Alive(pod, place.use, wish.grace, stays=reusing.is_wished(wish, place, self.settings))
        with self._lock:
            self._starting.append(pod)
        try:
            self._start(alive, self.timeout(wish))
        except BaseException:
            if not alive.is_broken:
                self.forget(pod)
            raise
        finally:
            with self._lock:
                self._starting.remove(pod)
        self._add(alive)
        return pod

    def _start(self, alive: Alive, timeout: float) -> None:
        def note(error: BaseException) -> bool:
            return self._note_failed_start(alive, error)

        pod = alive.pod
        if not alive.stays:
            pod.start(timeout=timeout, detach=self.keeps, on_failure=note)
            return
        ttl, grace = self.settings.reuse_ttl, alive.grace
        alive.replaced = reusing.start(pod, ttl=ttl, timeout=timeout, grace=grace, on_failure=note)
        self._renewing.add(pod)

    def timeout(self, wish: Wish) -> float:
        """Seconds that a pod may take to start."""
        return self.settings.timeout if wish.timeout is None else wish.timeout

    def abort(self) -> None:
        """End the starts that are under way on other threads; these fail."""
        with self._lock:
            starting = list(self._starting)
        for pod in starting:
            with contextlib.suppress(PypodError):
                pod.stop(grace=0)

    @property
    def keeps(self) -> bool:
        """Pods may be kept. So they must be detached from their start: whose end a lease is can be given to nobody else."""
        return self.settings.keep != "no"

    def _add(self, alive: Alive) -> None:
        with self._lock:
            self._alive[alive.pod.uid] = alive
            self.outcome.engine = alive.pod.engine.url
            self.outcome.uids.append(alive.pod.uid)

    def add(self, pod: Pod, use: Use) -> None:
        """A pod that is looked after elsewhere: the reports of these tests tell of it, until it is dropped."""
        self._add(Alive(pod, use))

    def drop(self, pod: Pod) -> None:
        """Who looks after it ends it now."""
        with self._lock:
            self._alive.pop(pod.uid, None)

    def note_refused(self, use: Use, pod: Pod, error: Exception) -> None:
        """One that was started elsewhere, and could not be: all that is told of it is the error."""
        plan = getattr(error, "plan", None)
        words = f"{error}\nPlan:\n{plan}" if plan else str(error)
        self.failed_starts.add(use, (f"pod {pod.name}", words))

    def _note_failed_start(self, alive: Alive, error: BaseException) -> bool:
        """What is told of it is read now, before it is removed; whether it may be kept. Never raises."""
        if isinstance(error, ENDS):
            return False
        plan = getattr(error, "plan", None)
        told = report.sections([alive.pod], self.settings.logs, plan=str(plan) if plan else "")
        for section in told:
            self.failed_starts.add(alive.use, section)
        alive.is_broken = self.keeps
        if alive.is_broken:
            self._add(alive)
        return alive.is_broken

    def _hold_network(self, engine: Engine, network: str) -> None:
        """It stays between two pods of the run."""
        held = gate.of(engine, network)
        if held is not None:
            held.is_held = True
            self._held[network] = engine

    def prepare(self, wish: Wish, place: Place) -> Pod:
        """The pod that is wished for, with its place in this run; not started. Its name is taken until it is forgotten."""
        described = self.described(wish, place)
        self._hold_network(described.engine, described.spec.network)
        with self._lock:
            self._brought.update(_key(each) for each in described.objects)
        name, spec = described.name, described.spec
        stays = reusing.is_wished(wish, place, self.settings)
        taken = self._names_of_staying(place)
        if stays:
            spec = reusing.pinned(described.engine, spec, described.objects)
        spec = replace(spec, name=self._free_name(name, place.namespace, () if stays else taken))
        return described.like(spec)

    def described(self, wish: Wish, place: Place) -> Pod:
        """The same, with the name that it has in its description, which may be in use."""
        source = sources.read(wish.source, wish.base)
        spec = sources.placed(
            source.spec,
            name=wish.name or source.spec.generate_name.rstrip("-.") or source.name,
            namespace=place.namespace,
            network=self.network,
            pull=self.settings.pull,
        )
        objects = [replace(each, namespace=place.namespace) for each in source.objects]
        return source.like(spec, objects=objects, engine=place.engine)

    def _names_of_staying(self, place: Place) -> set[str]:
        """Names of a namespace that pods of earlier runs have, whether this run takes them up or not. With the first look at the
        run's own namespace what pods have left there that are gone by now is removed."""
        if not self.settings.reuse:
            return set()
        if place.namespace not in self._staying:
            is_own = place.namespace == self.namespace
            self._staying[place.namespace] = reusing.staying(place.engine, place.namespace, tidy=is_own)
        return self._staying[place.namespace]

    def _free_name(self, wanted: str, namespace: str, taken: Collection[str] = ()) -> str:
        with self._lock:
            name, number = wanted, 1
            while (namespace, name) in self._names or name in taken:
                number += 1
                name = sources.numbered(wanted, number)
            self._names.add((namespace, name))
            return name

    def stop(self, pod: Pod) -> None:
        """Remove a pod that was started here; one that is gone already is no error. A shared one is the controller's to remove.

        Raises:
            TeardownError: something of it is still on the engine.
        """
        with self._lock:
            alive = self._alive.pop(pod.uid, None)
        if alive is not None and alive.is_shared:
            self.outcome.failed += [pod.uid] if alive.has_failed else []
        elif alive is not None and not (self._let_stay(alive) or self._keep(alive)):
            self._remove(alive)

    def _remove(self, alive: Alive) -> None:
        try:
            alive.pod.stop(grace=alive.grace)
        finally:
            self.forget(alive.pod)

    def _let_stay(self, alive: Alive) -> bool:
        """Leave it to the next run, where it is still there. Its name is free again for a fixture that takes it up once more."""
        pod = alive.pod
        if not alive.stays or alive.is_broken:
            return False
        end = self._renewing.remove(pod)
        if end is None:
            return False
        self._keep_as(pod, alive.replaced, end)
        with self._lock:
            self._names.discard((pod.namespace, pod.name))
        self._staying.setdefault(pod.namespace, set()).add(pod.name)
        return True

    def _keep(self, alive: Alive) -> bool:
        """Let it stay, where that is wanted and it is still there. Its name is not free again."""
        if not self.keeps or (self.settings.keep == "failed" and not alive.has_failed):
            return False
        pod = alive.pod
        if not self._is_there(pod):
            return False
        if alive.stays:  # it could not be started, and has a time to live
            pod.renew(None)
        self._keep_as(pod, "a test that used it failed" if alive.has_failed else "--pypod-keep=all")
        return True

    def _keep_as(self, pod: Pod, reason: str, until: float = 0.0) -> None:
        names = tuple(each.name for each in pod.spec.containers)
        objects = tuple(f"{each.kind.lower()}/{each.name}" for each in pod.objects)
        engine = "" if self._is_default(pod.engine) else pod.engine.url
        kept = Kept(pod.namespace, pod.name, pod.uid, names, objects, engine, reason, until)
        self.outcome.kept = [*(each for each in self.outcome.kept if each.uid != pod.uid), kept]

    def _is_there(self, pod: Pod) -> bool:
        """Of one that the test has stopped, or that came no further than to its image, there is nothing to keep."""
        try:
            return finding.get(pod.name, pod.namespace, engine=pod.engine).uid == pod.uid
        except PodNotFoundError:
            return False

    def forget(self, pod: Pod) -> None:
        """Its name is free again; ConfigMaps, Secrets and claims that came with it, and with no pod that is left, go."""
        keys = [_key(each) for each in pod.objects]
        with self._lock:
            self._names.discard((pod.namespace, pod.name))
            self._brought.subtract(keys)
            last = [key for key in keys if self._brought[key] <= 0]
        for key in last:
            self._delete(key, pod.engine)

    def _delete(self, key: ObjectKey, engine: Engine) -> None:
        """A claim that is still mounted is tried again at the end."""
        try:
            storing.delete_object(key.kind, key.name, key.namespace, engine=engine)
        except ObjectNotFoundError:
            pass
        except ObjectInUseError:
            self._stuck[key] = engine

    # tests

    def failed(self, item: pytest.Item) -> list[report.Section]:
        """A test has failed: what its report tells of the pods that it used, and of those that could not be started for it."""
        used = [alive for alive in list(self._alive.values()) if alive.use.is_by(item)]
        for alive in used:
            alive.has_failed = True
        whole = [alive.pod for alive in used if not alive.is_broken]
        return [*self.failed_starts.report(item), *report.sections(whole, self.settings.logs)]

    def over(self, item: pytest.Item) -> None:
        """A test is over, with all that it alone had: pods that could not be started for it go, or are kept."""
        self.failed_starts.over(item)
        for alive in list(self._alive.values()):
            if alive.is_broken and alive.use.node is item:
                self.trying(partial(self.stop, alive.pod))
        self._pools.over(item)

    # the end

    def mark_failed(self, uids: Collection[str]) -> None:
        """Tests of other processes that used these pods have failed."""
        for alive in list(self._alive.values()):
            alive.has_failed = alive.has_failed or alive.pod.uid in uids

    def close(self) -> Outcome:
        """Remove what is still there, the newest first, and what all pods had in common."""
        for alive in reversed(list(self._alive.values())):
            self.trying(partial(self.stop, alive.pod))
        self._pools.close()
        self._renewing.close()
        for key, engine in self._stuck.items():
            self.trying(partial(storing.delete_object, key.kind, key.name, key.namespace, engine=engine))
        for network, engine in self._held.items():
            self.trying(partial(gate.let_go, engine, network))
        return self.outcome

    def trying(self, step: Callable[[], object]) -> None:
        """One that fails must not keep the others from their end."""
        try:
            step()
        except PypodError as error:
            self.outcome.problems.append(str(error))


def _key(each: Object) -> ObjectKey:
    return ObjectKey(each.kind, each.namespace, each.name)
