"""Walking a plan: what is independent runs at the same time, what depends waits, and nothing is decided."""

from __future__ import annotations

import io
import tarfile
import threading
import time

import pytest

from pypod.engine.executor import ActionResult, Execution
from pypod.engine.pool import Task, WorkerPool
from pypod.errors import ConflictError, EngineError, NotFoundError, PypodError
from pypod.model.life import plan as actions
from pypod.model.life.journal import Began
from pypod.model.life.plan import Plan, PlanBuilder
from pypod.model.spec.handlers import Hook
from pypod.model.wiring.requests import ContainerRequest, NetworkRequest, VolumeRequest
from pypod.testing import FakeEngine

PATIENCE = 5.0
IMAGE = "app:1"


@pytest.fixture
def engine() -> FakeEngine:
    fake = FakeEngine()
    fake.add_image(IMAGE)
    return fake


@pytest.fixture
def pool() -> WorkerPool:
    return WorkerPool("test")


def create(name: str) -> actions.CreateContainer:
    return actions.CreateContainer(ContainerRequest(name=name, image=IMAGE, labels={}), name, "a test")


def start(name: str) -> actions.StartContainer:
    return actions.StartContainer(name, name, "a test")


def one(action: actions.Action) -> Plan:
    builder = PlanBuilder()
    builder.add(action)
    return builder.build()


def test_an_empty_plan_is_done(engine: FakeEngine, pool: WorkerPool) -> None:
    assert Execution(engine, Plan(), pool).run() == []
    assert engine.calls == []


@pytest.mark.parametrize("threads", [True, False])
def test_results_come_in_the_order_of_the_plan(engine: FakeEngine, pool: WorkerPool, threads: bool) -> None:
    builder = PlanBuilder()
    for name in ("a", "b", "c"):
        made = builder.add(create(name))
        builder.add(start(name), after=[made])
    heard: list[ActionResult] = []
    results = Execution(engine, builder.build(), pool if threads else None, on_result=heard.append).run()
    assert [str(result.action) for result in results] == [
        f"{verb} container {name}" for name in ("a", "b", "c") for verb in ("create", "start")
    ]
    assert all(result.error is None and not result.skipped for result in results)
    assert sorted(map(str, heard)) == sorted(map(str, results))
    for name in ("a", "b", "c"):
        assert engine.container(name).is_live


class MeetingEngine(FakeEngine):
    """Starts of containers wait for each other: with less than two at once they never end."""

    def __init__(self) -> None:
        super().__init__()
        self.barrier = threading.Barrier(2, timeout=PATIENCE)

    def start_container(self, container: str) -> None:
        self.barrier.wait()
        super().start_container(container)


def test_what_is_independent_runs_at_the_same_time(pool: WorkerPool) -> None:
    engine = MeetingEngine()
    engine.add_image(IMAGE)
    builder = PlanBuilder()
    for name in ("a", "b"):
        builder.add(start(name), after=[builder.add(create(name))])
    assert all(result.error is None for result in Execution(engine, builder.build(), pool).run())


@pytest.mark.parametrize("threads", [True, False])
def test_what_waits_for_a_failure_is_skipped_and_the_rest_is_done(
    engine: FakeEngine, pool: WorkerPool, threads: bool
) -> None:
    engine.inject("create_container", ConflictError("create container", "a", "taken"), target="a")
    builder = PlanBuilder()
    made = builder.add(create("a"))
    started = builder.add(start("a"), after=[made])
    builder.add(start("c"), after=[started])
    builder.add(create("b"))
    heard: list[str] = []
    execution = Execution(
        engine,
        builder.build(),
        pool if threads else None,
        on_result=lambda result: heard.append(str(result.action)),
    )
    results = execution.run()
    assert isinstance(results[0].error, ConflictError)
    assert [result.skipped for result in results] == [False, True, True, False]
    assert sorted(heard) == ["create container a", "create container b"], "what is skipped is not told"
    assert ("start_container", "a") not in engine.calls


def test_a_bug_of_ours_is_a_result_and_never_lost_in_a_thread(engine: FakeEngine, pool: WorkerPool) -> None:
    engine.inject("create_container", ZeroDivisionError("oops"))
    [result] = Execution(engine, one(create("a")), pool).run()
    assert isinstance(result.error, PypodError)
    assert str(result.error) == "cannot create container a: ZeroDivisionError: oops"
    assert isinstance(result.error.__cause__, ZeroDivisionError)


def test_many_actions_end_with_few_threads(engine: FakeEngine) -> None:
    builder = PlanBuilder()
    for number in range(30):
        builder.add(start(f"c{number}"), after=[builder.add(create(f"c{number}"))])
    results = Execution(engine, builder.build(), WorkerPool("test", size=2)).run()
    assert not [result for result in results if result.error or result.skipped]


HANDLED: dict[type[actions.Action], actions.Action] = {
    actions.AttachChannel: actions.AttachChannel("p", "a test"),
    actions.Write: actions.Write((Began(1.0),), "a test"),
    actions.PullImage: actions.PullImage("far:1", "a test"),
    actions.RunHook: actions.RunHook("id", "web", 0, "preStop", Hook.sleep(1), 5.0, "a test"),
    actions.ReadMessage: actions.ReadMessage("web", 0, "p", "/v/0/web_0", "", "a test"),
}


@pytest.mark.parametrize("kind", HANDLED)
def test_what_is_more_than_an_engine_call_is_handed_over(
    engine: FakeEngine, pool: WorkerPool, kind: type[actions.Action]
) -> None:
    plan, handed = one(HANDLED[kind]), list[object]()
    [result] = Execution(engine, plan, pool, handlers={kind: handed.append}).run()
    assert (result.error, handed) == (None, [HANDLED[kind]])
    [result] = Execution(engine, plan, pool).run()
    assert str(result.error) == f"cannot {HANDLED[kind]}: nobody does that here"
    assert engine.calls == []


def test_a_handler_that_fails_is_a_result(engine: FakeEngine, pool: WorkerPool) -> None:
    def refuse(action: object) -> None:
        raise NotFoundError("attach to container", "p", "No such container: p")

    plan = one(HANDLED[actions.AttachChannel])
    [result] = Execution(engine, plan, pool, handlers={actions.AttachChannel: refuse}).run()
    assert isinstance(result.error, NotFoundError)


def test_files_are_put_empty_and_for_anybody(engine: FakeEngine) -> None:
    made = engine.create_container(ContainerRequest(name="p", image=IMAGE, labels={}))
    [result] = Execution(engine, one(actions.PutFiles(made, "/tmp", ("web_0", "log_0"), "")), None).run()
    assert result.error is None
    for name in ("web_0", "log_0"):
        assert engine.read_file(made, f"/tmp/{name}") == b""
    with tarfile.open(fileobj=io.BytesIO(b"".join(engine.get_archive(made, "/tmp/web_0")))) as archive:
        assert [member.mode & 0o777 for member in archive] == [0o666]


def test_every_action_is_one_call(engine: FakeEngine) -> None:
    made = engine.create_container(ContainerRequest(name="a", image=IMAGE, labels={}))
    engine.start_container(made)
    engine.calls.clear()
    for action in (
        actions.CreateNetwork(NetworkRequest("net", "10.1.0.0/20", {}), ""),
        actions.CreateVolume(VolumeRequest("vol", {}), ""),
        actions.KillContainer(made, "a", "SIGKILL", ""),
        actions.RenameContainer(made, "a", "b", ""),
        actions.RemoveContainer(made, "b", ""),
        actions.RemoveVolume("vol", ""),
        actions.RemoveNetwork("net", "net", ""),
    ):
        [result] = Execution(engine, one(action), None).run()
        assert result.error is None
    assert engine.calls == [
        ("create_network", "net"),
        ("create_volume", "vol"),
        ("kill_container", made),
        ("rename_container", made),
        ("remove_container", made),
        ("remove_volume", "vol"),
        ("remove_network", "net"),
    ]


def test_the_pause_image_is_loaded_for_the_engines_architecture(engine: FakeEngine) -> None:
    Execution(engine, one(actions.LoadPauseImage("pypod/pause:x", "")), None).run()
    assert engine.image(f"{engine.images()[-1].references[0]}").architecture == "amd64"
    assert any(name.startswith("pypod/pause:") for image in engine.images() for name in image.references)


class SlowEngine(FakeEngine):
    """Creating the container `slow` begins, and ends when it is allowed to."""

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.go_on = threading.Event(), threading.Event()

    def create_container(self, request: ContainerRequest) -> str:
        if request.name == "slow":
            self.begun.set()
            assert self.go_on.wait(PATIENCE)
        return super().create_container(request)


def in_background(execution: Execution) -> tuple[threading.Thread, list[ActionResult]]:
    results: list[ActionResult] = []
    thread = threading.Thread(target=lambda: results.extend(execution.run()), daemon=True)
    thread.start()
    return thread, results


def test_cancelling_begins_nothing_more_and_waits_for_what_has_begun(pool: WorkerPool) -> None:
    engine = SlowEngine()
    engine.add_image(IMAGE)
    builder = PlanBuilder()
    builder.add(start("slow"), after=[builder.add(create("slow"))])
    execution = Execution(engine, builder.build(), pool)
    thread, results = in_background(execution)
    assert engine.begun.wait(PATIENCE)
    execution.cancel()
    assert thread.is_alive()
    engine.go_on.set()
    thread.join(PATIENCE)
    assert [(result.error, result.skipped) for result in results] == [(None, False), (None, True)]
    assert ("start_container", "slow") not in engine.calls


def test_cancelling_from_a_result_ends_it_also_without_threads(engine: FakeEngine) -> None:
    builder = PlanBuilder()
    for name in ("a", "b"):
        builder.add(create(name))
    execution = Execution(engine, builder.build(), None, on_result=lambda result: execution.cancel())
    assert [(result.error, result.skipped) for result in execution.run()] == [(None, False), (None, True)]
    assert execution.is_cancelled
    assert ("create_container", "b") not in engine.calls


def test_ctrl_c_cancels_waits_and_goes_on_up(pool: WorkerPool, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = SlowEngine()
    engine.add_image(IMAGE)
    builder = PlanBuilder()
    builder.add(start("slow"), after=[builder.add(create("slow"))])
    execution = Execution(engine, builder.build(), pool)
    wait, waits = execution._wait, list[float]()

    def interrupted() -> None:
        waits.append(time.monotonic())
        if len(waits) == 1:
            assert engine.begun.wait(PATIENCE)
            raise KeyboardInterrupt
        engine.go_on.set()
        wait()

    monkeypatch.setattr(execution, "_wait", interrupted)
    with pytest.raises(KeyboardInterrupt):
        execution.run()
    assert engine.container("slow").name == "slow"
    assert ("start_container", "slow") not in engine.calls


def test_ctrl_c_while_work_is_given_out_waits_for_what_was(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else what the engine is just making would be there after all was removed."""
    engine = SlowEngine()
    engine.add_image(IMAGE)
    pool = WorkerPool("test")
    submit = pool.submit

    def interrupted(task: Task) -> None:
        submit(task)
        if threading.current_thread() is threading.main_thread():
            assert engine.begun.wait(PATIENCE)
            threading.Timer(0.05, engine.go_on.set).start()
            raise KeyboardInterrupt

    monkeypatch.setattr(pool, "submit", interrupted)
    builder = PlanBuilder()
    builder.add(start("slow"), after=[builder.add(create("slow"))])
    with pytest.raises(KeyboardInterrupt):
        Execution(engine, builder.build(), pool).run()
    assert engine.container("slow").name == "slow"
    assert ("start_container", "slow") not in engine.calls


def test_errors_are_those_of_the_engine(engine: FakeEngine) -> None:
    [missing] = Execution(engine, one(start("nobody")), None).run()
    assert isinstance(missing.error, NotFoundError)
    engine.inject("create_volume", EngineError("create volume", "v", "disk full", status=500))
    [refused] = Execution(engine, one(actions.CreateVolume(VolumeRequest("v", {}), "")), None).run()
    assert str(refused.error) == "cannot create volume 'v': disk full"
