"""Manifests by others on an engine of the tests' own: each started once, with what its page tells to make first, and looked at."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

import pypod
from pypod import (
    ConfigMap,
    Container,
    ContainerStatus,
    PersistentVolumeClaim,
    Pod,
    PodSpec,
    PodStatus,
    Probe,
    PullPolicy,
    PypodError,
    Secret,
)
from pypod.model.manifest import manifest
from tests import corpus
from tests.images import standins
from tests.integration import private_engine
from tests.integration.conftest import eventually, sh
from tests.integration.private_engine import PrivateEngine

AT_A_TIME = 6
"""Pods that are being started: more only wait for each other on two cores."""
START = 90.0

Objects = tuple[ConfigMap | Secret | PersistentVolumeClaim, ...]
Change = Callable[[PodSpec], PodSpec]


@dataclass
class Run:
    """One manifest's pod.

    Attributes:
        error: why it could not be started.
        helpers: pods that were there before it.
    """

    private: PrivateEngine
    pod: Pod
    warnings: tuple[str, ...]
    error: BaseException | None = None
    helpers: list[Pod] = field(default_factory=list)

    def sh(self, script: str, container: str | None = None) -> str:
        """What a script in a member wrote; in the first one where none is named."""
        return sh(self.pod, container or self.pod.spec.containers[0].name, script)

    def get(self, port: int, container: str | None = None) -> str:
        """What a member of the pod is answered on its own localhost."""
        url = f"http://localhost:{port}/"
        fetch = f"import urllib.request as r; print(r.urlopen('{url}', timeout=5).read().decode(), end='')"
        script = ["sh", "-c", f'wget -qO- {url} 2>/dev/null || python3 -c "{fetch}"']
        name = container or self.pod.spec.containers[0].name
        eventually(lambda: self.pod.exec(script, name).exit_code == 0, f"{url} is served")
        return self.sh(script[-1], container)

    def status(self, container: str | None = None) -> ContainerStatus:
        return self.pod.refresh().container(container or self.pod.spec.containers[0].name)

    def until(self, check: Callable[[PodStatus], object], what: str, timeout: float = 30.0) -> None:
        eventually(lambda: check(self.pod.refresh()), what, timeout=timeout)

    def until_logs(self, text: str, container: str | None = None) -> None:
        eventually(lambda: text in self.pod.logs(container), f"{text!r} in the log", timeout=30.0)

    def inspect(self, container: str | None = None) -> dict[str, Any]:
        """What the engine says of the newest instance of a member."""
        found: dict[str, Any] = self.private.raw.inspect_container(self.status(container).container_id)
        return found


Check = Callable[[Run], None]


@dataclass(frozen=True)
class Case:
    """How a manifest is run.

    Attributes:
        check: of what its page or book says.
        objects: that its reader makes first.
        helpers: pods that are there while it runs, in its namespace.
        prepare: done first, with the engine and the namespace.
        change: to its spec, where a page leaves something to its reader.
        slow: it is started before the others, since it takes its time.
    """

    file: str
    check: Check
    objects: Objects = ()
    helpers: tuple[PodSpec, ...] = ()
    prepare: Callable[[PrivateEngine, str], None] | None = None
    change: Change = field(default=lambda spec: spec)
    slow: bool = False


CASES: dict[str, Case] = {}


def case(file: str, **more: Any) -> Callable[[Check], Check]:
    """Makes a function the check of a manifest."""

    def add(check: Check) -> Check:
        assert file not in CASES
        CASES[file] = Case(file, check, **more)
        return check

    return add


def helper(name: str, image: str, **more: Any) -> PodSpec:
    """A pod of one container that another one needs."""
    return PodSpec(name, (Container("main", image, **more),), termination_grace_period_seconds=0)


@dataclass
class World:
    """An engine with everything that the cases need, and all of their pods, by file.

    Attributes:
        unreadable: those that could not be read.
    """

    private: PrivateEngine
    runs: dict[str, Run] = field(default_factory=dict)
    unreadable: dict[str, PypodError] = field(default_factory=dict)

    def start(self, cases: Mapping[str, Case]) -> None:
        order = sorted(cases.values(), key=lambda each: not each.slow)
        with ThreadPoolExecutor(AT_A_TIME) as pool:
            list(pool.map(self._start, order))

    def stop(self) -> None:
        pods = [pod for run in self.runs.values() for pod in (run.pod, *run.helpers)]
        with ThreadPoolExecutor(AT_A_TIME) as pool:
            list(pool.map(lambda pod: pod.stop(grace=0), pods))
        engine = self.private.engine
        for found in pypod.list_objects(engine=engine):
            pypod.delete_object(type(found), found.name, found.namespace, engine=engine)

    def _start(self, each: Case) -> None:
        try:
            (spec,), said = read(each.file)
        except PypodError as error:
            self.unreadable[each.file] = error
            return
        namespace = spec.namespace if spec.namespace != "default" else f"c{sorted(CASES).index(each.file)}"
        spec = each.change(replace(here(spec), namespace=namespace))
        pod = Pod.from_spec(spec, engine=self.private.engine)
        run = self.runs[each.file] = Run(self.private, pod, said)
        try:
            self._before(each, run)
            pod.start(timeout=START)
        except Exception as error:  # what became of it is its check's to judge
            run.error = error

    def _before(self, each: Case, run: Run) -> None:
        namespace, engine = run.pod.spec.namespace, self.private.engine
        if each.objects:
            pypod.apply(*(replace(found, namespace=namespace) for found in each.objects), engine=engine)
        if each.prepare is not None:
            each.prepare(self.private, namespace)
        for spec in each.helpers:
            pod = Pod.from_spec(replace(here(spec), namespace=namespace), engine=engine)
            run.helpers.append(pod)
            pod.start(timeout=START)


def read(file: str) -> tuple[tuple[PodSpec, ...], tuple[str, ...]]:
    """The Pod of a file, and what reading it warns of."""
    found = manifest.read(corpus.pod_text(file), file)
    return found.pods, tuple(each.of(file) for each in found.warnings)


def here(spec: PodSpec) -> PodSpec:
    """No registry is asked: the engine has the images. And no probe fails because the machine is busy."""

    def patient(probe: Probe | None) -> Probe | None:
        return None if probe is None else replace(probe, timeout_seconds=10)

    def local(container: Container) -> Container:
        return replace(
            container,
            image_pull_policy=PullPolicy.IF_NOT_PRESENT,
            startup_probe=patient(container.startup_probe),
            liveness_probe=patient(container.liveness_probe),
            readiness_probe=patient(container.readiness_probe),
        )

    return replace(
        spec,
        containers=tuple(map(local, spec.containers)),
        init_containers=tuple(map(local, spec.init_containers)),
    )


@contextlib.contextmanager
def world(state: Mapping[str, str]) -> Iterator[World]:
    """The engine, and all pods on it; at the end nothing is left.

    Args:
        state: variables of this process meanwhile.
    """
    with private_engine.empty("--storage-driver", "overlay2") as private:
        load: Any = private.raw.load_image
        for archive in standins.archives():
            load(archive)
        found = World(private)
        before = dict(os.environ)
        os.environ.update(private.env | dict(state))
        try:
            found.start(CASES)
            yield found
        finally:
            found.stop()
            left = private.raw.containers(all=True)
            os.environ.clear()
            os.environ.update(before)
        assert left == [], left
