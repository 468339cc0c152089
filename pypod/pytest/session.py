"""One run of a suite in one process: its namespace, its network, and the pods that are alive in it."""

from __future__ import annotations

import contextlib
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from pypod import connecting, storing
from pypod.engine.api import Engine
from pypod.errors import EngineUnavailableError, ObjectError, PypodError
from pypod.model.spec.objects import Object
from pypod.pod import Pod
from pypod.pytest import sources
from pypod.pytest.options import Settings
from pypod.pytest.uses import Use
from pypod.pytest.wishes import Place, Wish


@dataclass(slots=True)
class Alive:
    """A pod that was started and is not over yet.

    Attributes:
        pod: itself.
        use: which tests it is for.
        grace: seconds that its end may take.
        has_failed: a test that used it has failed.
    """

    pod: Pod
    use: Use
    grace: float = 0.0
    has_failed: bool = False


class Run:
    """One process' part of a run.

    Args:
        settings: what the options say.
        run_id: of the whole run, in every process of it.
        worker: this process' name: ``main``, or pytest-xdist's ``gw0`` ...
        root: what a path is relative to that no file named.

    Attributes:
        namespace: where its pods are: of this process alone.
        network: the isolated network that all pods of the run are on.
    """

    def __init__(self, settings: Settings, run_id: str, worker: str, *, root: Path) -> None:
        self.settings = settings
        self.id = run_id
        self.worker = worker
        self.root = root
        self.namespace = f"pytest-{run_id}-{worker}"
        self.network = f"pytest-{run_id}"
        self._engine: Engine | None = None
        self._no_engine = ""
        self._alive: dict[str, Alive] = {}
        self._names: set[tuple[str, str]] = set()
        self._brought: Counter[tuple[str, str, str]] = Counter()
        self._lock = threading.Lock()

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

    # pods

    def serve(self, wish: Wish, place: Place) -> contextlib.AbstractContextManager[Pod]:
        """A pod for the time of the block, in the way that was wished for."""
        return self._own(wish, place)

    @contextlib.contextmanager
    def _own(self, wish: Wish, place: Place) -> Iterator[Pod]:
        """One that is started here and now, and is nobody else's."""
        pod = self.start(wish, place)
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
        timeout = self.settings.timeout if wish.timeout is None else wish.timeout
        try:
            pod.start(timeout=timeout)
        except BaseException:
            self._forget(pod)
            raise
        with self._lock:
            self._alive[pod.uid] = Alive(pod, place.use, wish.grace)
        return pod

    def prepare(self, wish: Wish, place: Place) -> Pod:
        """The pod that is wished for, with its place in this run; not started. Its name is taken until it is forgotten."""
        described = sources.read(wish.source, wish.base)
        name = self._free_name(wish.name or described.name, place.namespace)
        spec = sources.placed(
            described.spec,
            name=name,
            namespace=place.namespace,
            network=self.network,
            pull=self.settings.pull,
        )
        objects = [replace(each, namespace=place.namespace) for each in described.objects]
        with self._lock:
            self._brought.update(_key(each) for each in objects)
        return described.like(spec, objects=objects, engine=place.engine)

    def _free_name(self, wanted: str, namespace: str) -> str:
        with self._lock:
            name, number = wanted, 1
            while (namespace, name) in self._names:
                number += 1
                name = sources.numbered(wanted, number)
            self._names.add((namespace, name))
            return name

    def stop(self, pod: Pod) -> None:
        """Remove a pod that was started here; one that is gone already is no error.

        Raises:
            TeardownError: something of it is still on the engine.
        """
        with self._lock:
            alive = self._alive.pop(pod.uid, None)
        if alive is None:
            return
        try:
            pod.stop(grace=alive.grace)
        finally:
            self._forget(pod)

    def _forget(self, pod: Pod) -> None:
        """Its name is free again; ConfigMaps, Secrets and claims that came with it, and with no pod that is left, go."""
        with self._lock:
            self._names.discard((pod.namespace, pod.name))
            keys = [_key(each) for each in pod.objects]
            self._brought.subtract(keys)
            last = [key for key in keys if self._brought[key] <= 0]
        for kind, namespace, name in last:
            with contextlib.suppress(ObjectError):
                storing.delete_object(kind, name, namespace, engine=pod.engine)

    def close(self) -> list[str]:
        """Remove what is still there, the newest first.

        Returns:
            What went wrong.
        """
        problems = []
        for alive in reversed(list(self._alive.values())):
            try:
                self.stop(alive.pod)
            except PypodError as error:
                problems.append(str(error))
        return problems


def _key(each: Object) -> tuple[str, str, str]:
    return each.kind, each.namespace, each.name
