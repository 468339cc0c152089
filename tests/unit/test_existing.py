"""Starting a pod that is there already: it is waited for as one that is made, and nothing is done for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from pypod import Container, Pod, Probe, background, existing, lifetime
from pypod.engine.sync import PodSync
from pypod.engine.teardown import Teardown
from pypod.errors import (
    ConflictError,
    EngineUnavailableError,
    ImageError,
    PodExistsError,
    PodStartError,
    PodTimeoutError,
)
from pypod.model import naming
from pypod.model.spec.pod import PodSpec, RestartPolicy
from pypod.testing import FakeEngine
from tests.unit.rig import KEY, UNAVAILABLE, Loop, live_for, look, pause_of, says, settle, starts, sync_of

READY = Container("web", "app:1", readiness_probe=Probe.exec(["ready"], period_seconds=1))


@pytest.fixture
def engine() -> FakeEngine:
    fake = FakeEngine()
    fake.add_image("app:1")
    says(fake, "ready", 0)
    return fake


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """How often the background program was seen to."""
    seen: list[object] = []
    monkeypatch.setattr(background, "ensure_running", seen.append)
    monkeypatch.setattr(background, "sweep_once", lambda engine: None)
    return seen


@pytest.fixture
def there(engine: FakeEngine, program: list[object], monkeypatch: pytest.MonkeyPatch) -> There:
    return There(engine, monkeypatch)


class There:
    """A pod that somebody else looks after, whenever the clock has gone on by so much."""

    def __init__(self, engine: FakeEngine, patch: pytest.MonkeyPatch) -> None:
        self.engine, self._patch = engine, patch
        self.cared_for = True

    def comes(self, spec: PodSpec, *, leased: bool, every: float = 0.05) -> Loop:
        theirs = sync_of(self.engine, spec, leased=leased)
        if leased:  # of this very process, which has it
            mine: PodSync = theirs
            self._patch.setattr(lifetime, "owned", lambda uid: theirs)
        else:
            mine = sync_of(self.engine, spec, leased=False)
        self._patch.setattr(existing, "find_same", lambda *_, **__: mine)
        settle(theirs)

        def care() -> None:
            if self.cared_for:
                settle(theirs)
                self.engine.clock.call_at(self.engine.clock.now() + every, care)

        care()
        return theirs


KEPT: list[Pod] = []


@pytest.fixture(autouse=True)
def kept() -> Iterator[None]:
    """A handle that is thrown away while this process owns its pod is a warning: not before that is over."""
    yield
    KEPT.clear()


def pod_of(engine: FakeEngine, *containers: Container, min_ready_seconds: float = 0.1) -> Pod:
    KEPT.append(Pod("shop", containers=containers, engine=engine, min_ready_seconds=min_ready_seconds))
    return KEPT[-1]


LEASED = pytest.mark.parametrize("leased", [True, False], ids=["leased", "detached"])


@LEASED
def test_one_that_is_up_is_there_at_once(engine: FakeEngine, there: There, leased: bool) -> None:
    pod = pod_of(engine, READY)
    theirs = there.comes(pod.spec, leased=leased)
    live_for(engine, theirs, 5)
    begun = engine.clock.now()
    assert pod.start(detach=not leased) is pod
    assert engine.clock.now() == begun
    assert pod.uid == KEY.uid
    assert pod.status.ready_count == 1


@LEASED
def test_one_that_is_coming_up_is_waited_for(engine: FakeEngine, there: There, leased: bool) -> None:
    says(engine, "ready", 1)
    begun = engine.clock.now()
    engine.clock.call_at(begun + 7, lambda: says(engine, "ready", 0))
    pod = pod_of(engine, READY)
    there.comes(pod.spec, leased=leased)
    pod.start(detach=not leased)
    assert engine.clock.now() - begun == pytest.approx(7.5, abs=0.6)
    assert pod.status.container("web").ready
    assert starts(engine, "web") == 1


def test_a_container_must_have_been_up_for_as_long_as_in_any_start(engine: FakeEngine, there: There) -> None:
    pod = pod_of(engine, Container("web", "app:1"), min_ready_seconds=3)
    there.comes(pod.spec, leased=True)
    begun = engine.clock.now()
    pod.start()
    assert engine.clock.now() - begun == pytest.approx(3, abs=0.2)


@LEASED
def test_the_time_is_the_callers(engine: FakeEngine, there: There, leased: bool) -> None:
    says(engine, "ready", 1)
    pod = pod_of(engine, READY)
    theirs = there.comes(pod.spec, leased=leased)
    begun = engine.clock.now()
    with pytest.raises(
        PodTimeoutError,
        match=r"^cannot start pod 'default/shop' in 4 s: web is running, not ready \(Readiness",
    ):
        pod.start(timeout=4, detach=not leased)
    assert engine.clock.now() - begun == pytest.approx(4, abs=0.3)
    assert theirs.refresh().ready_count == 0
    assert pause_of(engine).is_live, "it is left as it is"
    assert (pod.uid, pod.status.phase.value) == ("", "Pending"), "it is no handle on it"
    says(engine, "ready", 0)
    pod.start(timeout=4, detach=not leased)
    assert pod.uid == KEY.uid


FAILURES: dict[str, tuple[Container, type[PodStartError], str]] = {
    "an image that cannot be had": (Container("web", "far:1"), ImageError, "ErrImagePull"),
    "it keeps crashing": (Container("web", "app:1", command=["false"]), PodStartError, "CrashLoopBackOff"),
}


@LEASED
@pytest.mark.parametrize("what", FAILURES)
def test_what_cannot_heal_is_told_as_in_any_start(
    engine: FakeEngine, there: There, leased: bool, what: str
) -> None:
    container, kind, reason = FAILURES[what]
    pod = pod_of(engine, container)
    there.comes(pod.spec, leased=leased)
    with pytest.raises(kind) as caught:
        pod.start(detach=not leased)
    assert type(caught.value) is kind
    assert (caught.value.reason, caught.value.container) == (reason, "web")
    assert pause_of(engine).is_live


def remove_all(engine: FakeEngine) -> None:
    for info in engine.containers({naming.UID: KEY.uid}):
        engine.remove_container(info.id)


GOES: dict[str, Callable[[FakeEngine], object]] = {
    "marked as to go": lambda engine: engine.rename_container(
        pause_of(engine).id, naming.deleting_name(KEY, 0, engine.clock.now() + 30)
    ),
    "removed": remove_all,
}


@pytest.mark.parametrize("how", GOES)
def test_one_that_is_removed_meanwhile_is_not_waited_for(engine: FakeEngine, there: There, how: str) -> None:
    """As by its starter, to whom the same happens."""
    says(engine, "ready", 1)
    pod = pod_of(engine, READY)
    there.comes(pod.spec, leased=False)
    there.cared_for = False
    begun = engine.clock.now()
    engine.clock.call_at(begun + 3, lambda: GOES[how](engine))
    with pytest.raises(
        PodStartError, match=r"^cannot start pod 'default/shop': NotFound: somebody removed it"
    ):
        pod.start(detach=True)
    assert engine.clock.now() - begun < 4


def test_without_waiting_it_is_a_handle_at_once(engine: FakeEngine, there: There) -> None:
    says(engine, "ready", 1)
    pod = pod_of(engine, READY)
    there.comes(pod.spec, leased=False)
    begun = engine.clock.now()
    pod.start(wait=False, detach=True)
    assert (engine.clock.now(), pod.uid) == (begun, KEY.uid)


@LEASED
def test_a_detached_one_has_somebody_to_look_after_it(
    engine: FakeEngine, there: There, program: list[object], leased: bool
) -> None:
    """Its background program may have been killed since."""
    pod = pod_of(engine, READY)
    live_for(engine, there.comes(pod.spec, leased=leased), 1)
    pod.start(detach=not leased)
    assert program == ([] if leased else [engine])


def test_nothing_is_done_for_it(engine: FakeEngine, there: There) -> None:
    """Whoever looks after it does it: two would make and restart the same things."""
    pod = pod_of(engine, READY)
    there.comes(pod.spec, leased=False).release()
    engine.exit(look(engine).members["web"][0].id, 1)
    engine.calls.clear()
    with pytest.raises(PodTimeoutError):
        pod.start(timeout=2, detach=True)
    assert {verb for verb, _ in engine.calls} <= {
        "containers", "container", "networks", "volumes", "image", "logs", "info",
    }  # fmt: skip


def test_an_engine_that_goes_away_is_told(engine: FakeEngine, there: There) -> None:
    pod = pod_of(engine, READY)
    there.comes(pod.spec, leased=False)
    there.cared_for = False
    engine.inject("containers", UNAVAILABLE)
    with pytest.raises(EngineUnavailableError):
        pod.start(detach=True)


def test_a_journal_that_is_just_going_is_no_error(engine: FakeEngine, there: There) -> None:
    """The sandbox was made again, and the old one, which was listed as the newest, is being removed (seen on 20.10)."""
    pod = pod_of(engine, READY)
    theirs = there.comes(pod.spec, leased=False)
    live_for(engine, theirs, 1)
    detail = "can not get logs from container which is dead or marked for removal"
    engine.inject("logs", ConflictError("read logs of container", "pause", detail, status=409))
    pod.start(detach=True)
    assert pod.status.ready_count == 1


def test_a_job_that_was_done_was_started(engine: FakeEngine, there: There) -> None:
    pod = pod_of(engine, Container("job", "app:1", command=["true"]))
    spec = replace(pod.spec, restart_policy=RestartPolicy.NEVER)
    there.comes(spec, leased=False)
    pod.start(detach=True)
    assert pod.status.phase.value == "Succeeded"


def test_a_handle_starts_once(engine: FakeEngine, there: There) -> None:
    pod = pod_of(engine, READY)
    live_for(engine, there.comes(pod.spec, leased=False), 1)
    pod.start(detach=True)
    with pytest.raises(PodExistsError, match="it was started already"):
        pod.start(detach=True)


# --- made by somebody else since the name was looked for -------------------------------------------------------------


def looked_too_early(patch: pytest.MonkeyPatch) -> None:
    """The first look finds nothing, the later ones what is there."""
    look_again, looks = existing.find_same, iter([None])

    def find(*args: object, **more: object) -> PodSync | None:
        try:
            return next(looks)
        except StopIteration:
            return look_again(*args, **more)  # type: ignore[arg-type]

    patch.setattr(existing, "find_same", find)


@LEASED
def test_one_that_was_made_meanwhile_is_taken_up(
    engine: FakeEngine, there: There, monkeypatch: pytest.MonkeyPatch, leased: bool
) -> None:
    """Of several that start the same pod at once, one has the name, and all have the pod."""
    pod = pod_of(engine, READY)
    live_for(engine, there.comes(pod.spec, leased=leased), 5)
    before = {each.id for each in engine.containers({})}
    looked_too_early(monkeypatch)
    told: list[BaseException] = []

    def tell(error: BaseException) -> bool:
        told.append(error)
        return False

    pod.start(detach=not leased, on_failure=tell)
    assert (pod.uid, pod.status.ready_count, told) == (KEY.uid, 1, [])
    assert {each.id for each in engine.containers({})} == before


def test_another_that_was_made_meanwhile_is_in_the_way(
    engine: FakeEngine, program: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    settle(sync_of(engine, pod_of(engine, READY).spec, leased=False))
    looked_too_early(monkeypatch)
    with pytest.raises(PodExistsError, match="with another spec or another owner"):
        pod_of(engine, Container("web", "app:1")).start(detach=True)
    assert {each.labels[naming.UID] for each in engine.containers({})} == {KEY.uid}


def test_one_that_was_made_and_went_meanwhile_is_made_again(
    engine: FakeEngine, there: There, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of several that start the same pod at once and remove it, one may be done when another looks whose the name is."""
    pod = pod_of(engine, READY)
    there.comes(pod.spec, leased=False)
    there.cared_for = False
    looks: list[str] = []

    def find(*_: object, **__: object) -> None:
        looks.append("nobody's")
        if len(looks) == 2:
            Teardown(engine, KEY, clock=engine.clock).run()

    monkeypatch.setattr(existing, "find_same", find)
    pod.start(detach=True)
    assert len(looks) == 2
    assert {each.labels[naming.UID] for each in engine.containers({})} == {pod.uid}
    assert pod.uid != KEY.uid


def test_one_that_was_made_and_is_not_found_is_told_of(
    engine: FakeEngine, there: There, monkeypatch: pytest.MonkeyPatch
) -> None:
    pod = pod_of(engine, READY)
    there.comes(pod.spec, leased=False)
    monkeypatch.setattr(existing, "find_same", lambda *_, **__: None)
    with pytest.raises(PodExistsError, match="the name is taken"):
        pod.start(detach=True)
