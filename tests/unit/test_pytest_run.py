"""One process' part of a run, on a fake engine: names, failed starts, what is kept, what the report does where all goes wrong."""

from __future__ import annotations

import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from pypod import background, lifetime, starting, supervisor
from pypod.errors import CommandError, EngineError, ImageError, TeardownError
from pypod.living import Living
from pypod.model import naming
from pypod.model.spec.pod import Container, PodSpec, PullPolicy
from pypod.pod import Pod
from pypod.pytest import report, sources
from pypod.pytest.options import Settings
from pypod.pytest.session import Run
from pypod.pytest.uses import Setups, Use
from pypod.pytest.wishes import Place, Source, Wish
from pypod.testing import FakeEngine

HERE = Path("/suite")
BAD = Container("web", "app:1", command=["no-such-program"])
GONE = Container("web", "none:1", image_pull_policy="Never")


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    monkeypatch.setattr(background, "ensure_running", lambda engine: None)
    monkeypatch.setattr(background, "sweep_once", lambda engine: None)
    monkeypatch.setattr(lifetime, "_owned", {})
    monkeypatch.setattr(lifetime, "_left", {})
    monkeypatch.setattr(supervisor, "_supervisors", {})  # all fake engines have the same address
    monkeypatch.delattr(Living, "__del__")  # it warns of pods that a test has left
    fake = FakeEngine()
    fake.add_image("app:1")
    return fake


class Item:
    """A test, or what it is in."""

    def __init__(self, *fixtures: str, parent: Item | None = None, name: str = "test_it") -> None:
        self.nodeid = f"test_it.py::{name}"
        self.fixturenames = fixtures
        self.parent = parent

    def listchain(self) -> list[Item]:
        return [*(self.parent.listchain() if self.parent is not None else ()), self]


def run_of(**settings: Any) -> Run:
    return Run(Settings(**settings), "0123abcd", "gw1", root=HERE)


def pod_of(*containers: Container, name: str = "web") -> Pod:
    # The engine's clock stands still, so nothing is ever up for a while.
    return Pod(name, containers=containers or (Container("web", "app:1"),), min_ready_seconds=0)


def place_of(run: Run, engine: FakeEngine, node: Item, *names: str) -> Place:
    return Place(engine, run.namespace, Use(cast("pytest.Item", node), frozenset(names)))


def start(run: Run, engine: FakeEngine, source: Source, node: Item, *names: str) -> Pod:
    return run.start(Wish(source, HERE), place_of(run, engine, node, *names))


def failed(run: Run, item: Item) -> dict[str, str]:
    return dict(run.failed(cast("pytest.Item", item)))


def names(engine: FakeEngine) -> list[str]:
    return [each.name for each in engine.containers({naming.UID: ""})]


# names and places


def test_a_pod_has_its_place_in_the_run(engine: FakeEngine) -> None:
    run = run_of(pull="Never")
    pod = start(run, engine, pod_of(), Item())
    assert (pod.namespace, pod.spec.network) == ("pytest-0123abcd-gw1", "pytest-0123abcd")
    assert pod.spec.containers[0].image_pull_policy is PullPolicy.NEVER
    run.close()
    assert names(engine) == []


def test_a_name_is_numbered_while_it_is_in_use(engine: FakeEngine) -> None:
    run = run_of()
    first, second, third = (start(run, engine, pod_of(), Item()) for _ in range(3))
    assert [each.name for each in (first, second, third)] == ["web", "web-2", "web-3"]
    run.stop(second)
    assert start(run, engine, pod_of(), Item()).name == "web-2"
    long = pod_of(name="x" * 63)
    assert [start(run, engine, long, Item()).name for _ in range(2)] == ["x" * 63, "x" * 61 + "-2"]
    run.close()


def test_a_network_of_its_own_is_one_of_the_run() -> None:
    spec = PodSpec("web", (Container("web", "app:1"),), network="back")
    placed = sources.placed(spec, name="web", namespace="ns", network="pytest-1", pull="")
    assert placed.network == "pytest-1-back"


# what cannot be started


def test_a_failed_start_is_told_of_and_removed(engine: FakeEngine) -> None:
    run, test, other = run_of(), Item("web"), Item("other")
    with pytest.raises(ImageError):
        start(run, engine, pod_of(GONE), test, "web")
    assert names(engine) == []
    told = failed(run, test)
    assert list(told) == ["pod web"]
    assert "ErrImageNeverPull" in told["pod web"]
    assert "Log" not in told["pod web"]  # it never ran
    assert failed(run, other) == {}
    run.over(cast("pytest.Item", test))
    assert failed(run, test) == {}


def test_a_failed_start_that_several_tests_needed_is_told_in_full_once(engine: FakeEngine) -> None:
    run, module = run_of(), Item()
    first, second = (Item("web", parent=module, name=name) for name in ("test_a", "test_b"))
    with pytest.raises(ImageError):
        start(run, engine, pod_of(GONE), module, "web")
    for _ in ("its setup", "its teardown"):
        assert "ErrImageNeverPull" in failed(run, first)["pod web"]
    assert failed(run, second) == {"pod web": "as the report of test_it.py::test_a has it"}


def test_a_fixture_that_is_set_up_anew_has_no_failed_start_any_more(engine: FakeEngine) -> None:
    """It has another parameter, or its test is run again: its pod is another one."""
    run, module, setups = run_of(), Item(), Setups()
    test = Item("web", parent=module)
    web, other = (cast("Any", SimpleNamespace(argname=name)) for name in ("web", "other"))
    setups.fixtures.append(web)
    use = setups.use(cast("Any", SimpleNamespace(node=module, fixturename="web")))
    with pytest.raises(ImageError):
        run.start(Wish(pod_of(GONE), HERE), Place(engine, run.namespace, use))
    run.failed_starts.anew(other)
    assert list(failed(run, test)) == ["pod web"]
    run.failed_starts.anew(web)
    assert failed(run, test) == {}


@pytest.mark.parametrize(
    ("ends_with", "told"), [(pytest.fail.Exception("Timeout"), True), (KeyboardInterrupt(), False)]
)
def test_a_time_out_of_the_test_is_told_of_and_the_end_of_the_run_is_not(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch, ends_with: BaseException, told: bool
) -> None:
    def end(pod: object, **given: object) -> None:
        raise ends_with

    monkeypatch.setattr(starting, "start", end)
    run, test = run_of(), Item("web")
    with pytest.raises(type(ends_with)):
        start(run, engine, pod_of(), test, "web")
    assert list(failed(run, test)) == ["pod web"] * told


@pytest.mark.parametrize("fails", [True, False])
def test_one_that_may_be_kept_is_there_until_the_test_is_over(engine: FakeEngine, fails: bool) -> None:
    """A test may expect that a pod cannot be started; then nothing of it is kept."""
    run, test = run_of(keep="failed"), Item("web")
    with pytest.raises(CommandError):
        start(run, engine, pod_of(BAD), test, "web")
    assert names(engine) != []
    if fails:
        assert "no-such-program" in failed(run, test)["pod web"]
    run.over(cast("pytest.Item", test))
    assert bool(names(engine)) is fails
    assert [(each.name, each.reason) for each in run.close().kept] == [
        ("web", "a test that used it failed")
    ] * fails


def test_of_one_that_came_no_further_than_to_its_image_nothing_is_kept(engine: FakeEngine) -> None:
    run, test = run_of(keep="all"), Item("web")
    with pytest.raises(ImageError):
        start(run, engine, pod_of(GONE), test, "web")
    assert run.close().kept == []


# what is kept


def test_the_pods_of_a_failed_test_are_kept(engine: FakeEngine) -> None:
    run, module = run_of(keep="failed"), Item()
    first, second = Item("web", parent=module), Item("other", parent=module)
    pods = [start(run, engine, pod_of(name=name), module, name) for name in ("web", "other")]
    assert list(failed(run, first)) == ["pod web"]
    for pod in pods:
        run.stop(pod)
    assert [each.name for each in run.close().kept] == ["web"]
    assert all("_web_" in name for name in names(engine))
    assert failed(run, second) == {}


@pytest.mark.parametrize("is_default", [True, False])
def test_the_commands_name_an_engine_where_it_is_not_the_default(
    engine: FakeEngine, is_default: bool
) -> None:
    run = run_of(keep="all")
    if is_default:
        run.take_for_default(engine)
    start(run, engine, pod_of(), Item())
    [kept] = run.close().kept
    assert kept.engine == ("" if is_default else engine.url)


def test_all_pods_are_kept_but_what_the_test_itself_has_stopped(engine: FakeEngine) -> None:
    run = run_of(keep="all")
    kept, stopped = (start(run, engine, pod_of(name=name), Item()) for name in ("kept", "stopped"))
    stopped.stop(grace=0)
    outcome = run.close()
    assert [each.name for each in outcome.kept] == [kept.name]
    assert outcome.uids == [kept.uid, stopped.uid]
    assert not any(naming.is_leased(each.labels) for each in engine.containers({naming.UID: kept.uid}))


def test_what_cannot_be_removed_is_a_problem_and_keeps_nothing_else(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = run_of()
    for name in ("one", "two"):
        start(run, engine, pod_of(name=name), Item())
    stop = Pod.stop

    def refuse(self: Pod, grace: float | None = None) -> None:
        if self.name == "two":
            raise TeardownError("pod 'two'", [("container x", "busy")])
        stop(self, grace)

    monkeypatch.setattr(Pod, "stop", refuse)
    [problem] = run.close().problems
    assert "container x: busy" in problem
    assert not any("_one_" in name for name in names(engine))


# the report


class Mute:
    """A pod of an engine that does not answer, or answers nonsense."""

    name = "mute"

    def __init__(self, refresh: Any) -> None:
        self.refresh = refresh

    def __repr__(self) -> str:
        return "<Pod ns/mute Running>"


def test_an_engine_that_hangs_does_not_keep_the_suite() -> None:
    ended = threading.Event()
    try:
        told = report.sections([cast("Pod", Mute(ended.wait))], 20, patience=0.05)
    finally:
        ended.set()
    words = "<Pod ns/mute Running>: cannot tell how it is: the engine did not answer in 0.05 s"
    assert told == [("pod mute", words)]


@pytest.mark.parametrize("error", [EngineError("list containers", "", "broken"), ValueError("a bug")])
def test_an_error_of_the_report_is_told_in_it(error: Exception) -> None:
    def refuse() -> None:
        raise error

    [(_, text)] = report.sections([cast("Pod", Mute(refuse))], 20)
    assert text == f"cannot tell how it is: {type(error).__name__}: {error}"


def test_an_error_outside_of_it_is_told_too() -> None:
    from pypod.pytest import current  # noqa: PLC0415

    def refuse(item: object) -> None:
        raise ValueError("a bug")

    item = SimpleNamespace(config=SimpleNamespace(stash={current.RUN: SimpleNamespace(failed=refuse)}))
    assert current.failed(cast("pytest.Item", item)) == [
        ("pods", "cannot tell of the pods of this test: ValueError: a bug")
    ]


def test_no_lines_of_logs_where_none_are_wanted(engine: FakeEngine) -> None:
    run = run_of(logs=0)
    test = Item("web")
    start(run, engine, pod_of(), test, "web")
    told = failed(run, test)["pod web"]
    assert "Restart Count:" in told
    assert "Log" not in told
    run.close()
