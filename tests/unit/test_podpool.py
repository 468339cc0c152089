"""Pods ahead of time, on a fake engine: real threads, and nothing that takes time unless a test holds it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from pypod import (
    CommandError,
    ConfigMap,
    Container,
    ContainerPort,
    EngineError,
    EngineUnavailableError,
    Pod,
    PodPool,
    PodSpec,
    PodStartError,
    PodTimeoutError,
    PoolError,
    PortConflictError,
    Probe,
    RestartPolicy,
    SpecError,
    TeardownError,
    background,
    lifetime,
    podpool,
    supervisor,
)
from pypod.model import naming
from pypod.model.wiring.state import ContainerInfo
from pypod.testing import FakeEngine, Program
from tests.unit.rig import says

PATIENCE = 10.0
MEMBER = Container("web", "app:1")


class Engine(FakeEngine):
    """Knows who asks, and can keep a start waiting."""

    def __init__(self) -> None:
        super().__init__()
        self.add_image("app:1")
        self.threads: list[int] = []
        self.go_on = threading.Event()
        self.go_on.set()

    def _called(self, verb: str, target: str = "") -> None:
        self.threads.append(threading.get_ident())
        super()._called(verb, target)

    def start_container(self, container: str) -> None:
        assert self.go_on.wait(PATIENCE)
        super().start_container(container)

    def pauses(self) -> list[ContainerInfo]:
        return [each for each in self.containers({naming.UID: ""}) if naming.is_pause(each.labels)]

    def started(self) -> int:
        """How many sandboxes were ever asked for."""
        return len(
            {target for verb, target in self.calls if verb == "create_container" and "_pause_" in target}
        )


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    monkeypatch.setattr(background, "ensure_running", lambda engine: None)
    monkeypatch.setattr(background, "sweep_once", lambda engine: None)
    monkeypatch.setattr(lifetime, "_owned", {})
    monkeypatch.setattr(lifetime, "_left", {})
    monkeypatch.setattr(
        Pod, "__del__", lambda pod: None, raising=False
    )  # it warns of pods that a test has taken and left
    monkeypatch.setattr(supervisor, "_supervisors", {})  # all fake engines have the same address
    made = Engine()
    yield made
    made.go_on.set()


def template(engine: Engine, *containers: Container, name: str = "shop", **more: float) -> Pod:
    # The engine's clock stands still, so nothing is ever up for a while.
    return Pod(name, containers=containers or (MEMBER,), engine=engine, min_ready_seconds=0, **more)  # type: ignore[arg-type]


def pool_of(engine: Engine, *containers: Container, size: int = 2, grace: float | None = None) -> PodPool:
    return PodPool(template(engine, *containers), size, grace=grace)


def until(check: Callable[[], object], what: str = "") -> None:
    deadline = time.monotonic() + PATIENCE
    while not check():
        assert time.monotonic() < deadline, f"not in {PATIENCE:g} s: {what}"
        time.sleep(0.002)


def until_ready(pool: PodPool, count: int) -> None:
    until(lambda: f" {count} ready, 0 starting" in repr(pool), f"{count} ready: {pool!r}")


@pytest.mark.parametrize("forever", [float("inf"), 1e12])
def test_one_can_wait_for_ever(engine: Engine, forever: float) -> None:
    engine.go_on.clear()
    with pool_of(engine, size=1) as pool:
        threading.Timer(0.05, engine.go_on.set).start()
        assert pool.take(timeout=forever).status.conditions["Ready"].status
        pool.close(timeout=forever)


# --- taking and giving back ------------------------------------------------------------------------------------------


def test_each_is_ready_and_handed_out_once(engine: Engine) -> None:
    with pool_of(engine) as pool:
        taken = [pool.take() for _ in range(5)]
        names = [pod.name for pod in taken]
        assert len({pod.uid for pod in taken}) == len(set(names)) == 5
        assert all(name.startswith("shop-") and len(name) == len("shop-x7k2p") for name in names)
        assert all(pod.status.conditions["Ready"].status for pod in taken)
        for pod in taken:
            pool.discard(pod)
    assert engine.containers({}) == []


def test_where_one_is_waiting_neither_take_nor_discard_asks_the_engine(engine: Engine) -> None:
    with pool_of(engine) as pool:
        until_ready(pool, 2)
        pod = pool.take()
        pool.discard(pod)
        assert threading.get_ident() not in engine.threads
        until(lambda: pod.status.reason == "NotFound", "removed in the background")


def test_there_are_so_many_waiting_and_no_more(engine: Engine) -> None:
    with pool_of(engine, size=3) as pool:
        until_ready(pool, 3)
        assert len(engine.pauses()) == 3
        pool.take()
        until_ready(pool, 3)
        assert engine.started() == 4


def test_it_begins_with_the_first_take_where_nobody_entered_it(engine: Engine) -> None:
    pool = pool_of(engine)
    assert engine.calls == []
    assert pool.take(PATIENCE).status.ready_count == 1
    pool.close()


def test_a_pod_for_one_block(engine: Engine) -> None:
    with pool_of(engine) as pool:
        with pytest.raises(RuntimeError, match="the test's own"), pool.pod() as pod:
            raise RuntimeError("the test's own")
        until(lambda: pod.status.reason == "NotFound", "removed whatever the block did")


def test_several_threads_take_at_once(engine: Engine) -> None:
    def use(_: int) -> str:
        with pool.pod() as pod:
            return pod.uid

    with pool_of(engine) as pool, ThreadPoolExecutor(6) as threads:
        uids = list(threads.map(use, range(24)))
    assert len(set(uids)) == 24
    assert engine.containers({}) == []


def test_what_is_given_back_must_have_been_taken_here_and_once(engine: Engine) -> None:
    with pool_of(engine) as pool:
        pod = pool.take()
        pool.discard(pod)
        with pytest.raises(
            PoolError, match=rf"cannot discard pod 'default/{pod.name}': .* discarded already"
        ):
            pool.discard(pod)
        with pytest.raises(PoolError, match="cannot discard pod 'default/shop': it was not taken"):
            pool.discard(template(engine))


def test_a_pod_that_its_taker_stopped_may_be_discarded_all_the_same(engine: Engine) -> None:
    with pool_of(engine) as pool:
        pod = pool.take()
        pod.stop()
        pool.discard(pod)


def test_copies_are_made_as_the_template_says(engine: Engine) -> None:
    config = ConfigMap("settings", data={"a": "1"})
    made = Pod.from_spec(PodSpec("shop", (MEMBER,), labels={"app": "shop"}), objects=[config], engine=engine)
    one = made.another()
    assert one.spec == replace(made.spec, name=one.name, generate_name="shop-")
    assert one.objects == (config,)
    assert one.engine is engine
    assert one.another().name.startswith("shop-")
    assert Pod(containers=[MEMBER], generate_name="db-").another().name.startswith("db-")


def test_no_pod_in_time_says_what_the_next_one_waits_for(engine: Engine) -> None:
    says(engine, "ready", 1)
    unready = replace(MEMBER, readiness_probe=Probe.exec(["ready"]))
    with pool_of(engine, unready) as pool:
        until(lambda: len(engine.pauses()) == 2)
        with pytest.raises(
            PodTimeoutError, match=r"cannot take a pod of 'default/shop' in 0.05 s: .*web is "
        ) as error:
            pool.take(timeout=0.05)
        assert error.value.pod == "default/shop"


# --- how many are started at a time -----------------------------------------------------------------------------------


def test_one_is_made_at_a_time_while_nobody_waits(engine: Engine) -> None:
    engine.go_on.clear()
    with pool_of(engine, size=3) as pool:
        until(lambda: engine.started() == 1)
        time.sleep(2 * podpool.GLANCE)  # the keeper has had its chance
        assert engine.started() == 1
        engine.go_on.set()
        until_ready(pool, 3)


def test_as_many_are_made_as_wait_for_one(engine: Engine) -> None:
    engine.go_on.clear()
    with pool_of(engine, size=3) as pool, ThreadPoolExecutor(3) as threads:
        takes = [threads.submit(pool.take) for _ in range(3)]
        until(lambda: engine.started() == 3)
        engine.go_on.set()
        assert len({take.result(PATIENCE).uid for take in takes}) == 3


def test_what_runs_and_is_not_ready_yet_keeps_nobody_from_being_made(engine: Engine) -> None:
    says(engine, "ready", 1)
    unready = replace(MEMBER, readiness_probe=Probe.exec(["ready"]))
    with pool_of(engine, unready, size=3):
        until(lambda: len(engine.pauses()) == 3)


# --- errors -----------------------------------------------------------------------------------------------------------


def test_the_original_error_is_raised_by_the_next_take(engine: Engine) -> None:
    # Of one alone: the next one is begun while the first one, which has failed, is being removed.
    with pool_of(engine, Container("web", "app:1", command=["no-such-thing"]), size=1) as pool:
        for _ in range(3):
            with pytest.raises(CommandError, match=r"container 'web': .*no-such-thing") as caught:
                pool.take()
        assert caught.value.container == "web"
        assert "in the background, for the pool of pod 'default/shop'" in caught.value.__notes__[0]
        assert engine.started() == 1  # it cannot heal, and is not tried again
    assert engine.containers({}) == []


def test_what_heals_is_found_out_by_who_takes_next(engine: Engine) -> None:
    engine.inject("create_container", EngineError("create container", "x", "no space left on device"))
    with pool_of(engine) as pool:
        with pytest.raises(PodStartError, match="no space left on device"):
            pool.take()
        assert pool.take().status.ready_count == 1


def test_a_background_error_does_not_keep_back_what_is_ready(engine: Engine) -> None:
    with pool_of(engine, size=1) as pool:
        until_ready(pool, 1)
        engine.inject("create_container", EngineError("create container", "x", "no space left on device"))
        pool.take()  # the next one fails
        with pytest.raises(PodStartError):
            pool.take()
        pool.take()


# --- what dies while it waits ---------------------------------------------------------------------------------------------


def members(engine: Engine, pod_uid: str = "") -> list[ContainerInfo]:
    return [each for each in engine.containers({naming.UID: pod_uid}) if each.container]


def test_one_that_dies_while_it_waits_is_replaced(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(podpool, "LOOK", 0.01)
    with pool_of(engine, size=1) as pool:
        until_ready(pool, 1)
        [dead] = members(engine)
        engine.exit(dead.id, 1)
        until(lambda: engine.started() == 2, "another one")
        pod = pool.take()
        assert pod.uid != dead.labels[naming.UID]
        assert pod.status.container("web").restart_count == 0


def test_take_does_not_hand_out_a_dead_one(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(podpool, "LOOK", 1000.0)
    with pool_of(engine, size=2) as pool:
        until_ready(pool, 2)
        dead, lives = sorted(members(engine), key=lambda info: info.created_at)[:2]
        uid = dead.labels[naming.UID]
        [seen] = [each for each in pool._stock._ready if each.pod.uid == uid]
        engine.exit(dead.id, 1)
        until(lambda: not seen.is_as_it_came(), "known to the supervisor")
        assert {pool.take().uid, pool.take().uid} >= {lives.labels[naming.UID]}
        assert uid not in {pod.uid for pod in pool._used}


# --- the end -------------------------------------------------------------------------------------------------------------


def test_closing_gives_up_what_is_being_started(engine: Engine) -> None:
    says(engine, "ready", 1)
    with pool_of(engine, replace(MEMBER, readiness_probe=Probe.exec(["ready"]))):
        until(lambda: len(engine.pauses()) == 2)
        begun = time.monotonic()
    assert time.monotonic() - begun < PATIENCE  # and not the time that a start has
    assert engine.containers({}) == []


def test_who_waits_hears_that_it_was_closed(engine: Engine) -> None:
    engine.go_on.clear()
    pool = pool_of(engine).start()
    with ThreadPoolExecutor(1) as threads:
        take = threads.submit(pool.take)
        until(lambda: pool._waiters == 1)
        closing = threading.Thread(target=pool.close)
        closing.start()
        with pytest.raises(PoolError, match="cannot use the pool of pod 'default/shop': it is closed"):
            take.result(PATIENCE)
        engine.go_on.set()
        closing.join(PATIENCE)
    with pytest.raises(PoolError, match="closed"):
        pool.take()
    with pytest.raises(PoolError, match="closed"):
        pool.start()
    assert engine.containers({}) == []


def test_what_is_in_use_stays_its_takers(engine: Engine) -> None:
    with pool_of(engine) as pool:
        pod = pool.take()
    assert pod.refresh().ready_count == 1
    pool.discard(pod)  # here and now
    assert engine.containers({}) == []


def test_what_could_not_be_removed_is_named_and_tried_again_by_the_next_close(engine: Engine) -> None:
    pool = pool_of(engine, size=1).start()
    pod = pool.take()
    until_ready(pool, 1)
    engine.stop_daemon(kill=True)
    pool.discard(pod)
    with pytest.raises(TeardownError, match="cannot remove all of the pool of pod 'default/shop'") as caught:
        pool.close()
    assert f"pod default/{pod.name}" in {what for what, _ in caught.value.leftovers}
    engine.start_daemon()
    pool.close()
    assert engine.containers({}) == []


def test_what_a_failed_start_leaves_is_named_too(engine: Engine) -> None:
    """It begins to be made, and then the engine does not answer any more."""
    engine.go_on.clear()
    pool = pool_of(engine, size=1).start()
    until(lambda: engine.started() == 1)
    engine.stop_daemon(kill=True)
    engine.go_on.set()
    with pytest.raises(EngineUnavailableError):
        pool.take()
    with pytest.raises(TeardownError, match=r"pod default/shop-\w{5}: .*does not answer"):
        pool.close()
    engine.start_daemon()
    pool.close()
    assert engine.containers({}) == []


def deaf(engine: Engine) -> Container:
    engine.program("deaf", Program(ignores_sigterm=True))
    return Container("web", "app:1", command=["deaf"])


def test_closing_has_a_deadline(engine: Engine) -> None:
    pool = pool_of(engine, deaf(engine), size=1).start()
    pod = pool.take()
    pool.discard(pod)
    with pytest.raises(TeardownError, match=rf"pod default/{pod.name}: not removed in 0.05 s"):
        pool.close(timeout=0.05)
    pool._hurry()
    pool.close()
    assert engine.containers({}) == []


def test_ctrl_c_ends_the_grace(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    pool = pool_of(engine, deaf(engine), size=1).start()
    pool.discard(pool.take())
    until(lambda: pool._removing)
    wait, interrupted = pool._wait_until_empty, threading.Event()

    def interrupt(deadline: float) -> None:
        if not interrupted.is_set():
            interrupted.set()
            raise KeyboardInterrupt
        wait(deadline)

    monkeypatch.setattr(pool, "_wait_until_empty", interrupt)
    begun = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        pool.close()
    assert time.monotonic() - begun < PATIENCE  # of 30 s of grace
    assert engine.containers({}) == []


def test_used_ones_have_the_grace_that_was_asked_for(engine: Engine) -> None:
    with pool_of(engine, deaf(engine), grace=0) as pool:
        pod = pool.take()
        pool.discard(pod)
        until(lambda: pod.status.reason == "NotFound")


def test_an_error_of_the_block_wins_over_what_is_left(engine: Engine) -> None:
    def block() -> None:
        with pool_of(engine, size=1) as pool:
            pool.take()
            until_ready(pool, 1)
            engine.stop_daemon(kill=True)
            raise RuntimeError("the block's")

    with pytest.raises(RuntimeError, match="the block's") as caught:
        block()
    assert "cannot remove all of the pool" in caught.value.__notes__[0]


def test_at_the_end_of_the_process_nothing_more_is_begun(engine: Engine) -> None:
    says(engine, "ready", 1)
    pool = pool_of(engine, replace(MEMBER, readiness_probe=Probe.exec(["ready"]))).start()
    until(lambda: len(engine.pauses()) == 2)
    pool._abandon(PATIENCE)
    assert engine.containers({}) == []
    with pytest.raises(PoolError, match="closed"):
        pool.take()


def test_at_interpreter_shutdown_no_thread_can_be_started(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As since 3.12: what cannot be begun says so, and what only ends does not."""

    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't create new thread at interpreter shutdown")

    pool = pool_of(engine)
    monkeypatch.setattr(threading.Thread, "start", refuse)
    with pytest.raises(RuntimeError, match="interpreter shutdown"):
        pool.take()
    pool._closed = True
    pool._keep()


def test_a_forked_child_has_no_part_in_it(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    pool = pool_of(engine, size=1).start()
    pod = pool.take()
    until_ready(pool, 1)
    with monkeypatch.context() as patch:
        patch.setattr(pool, "_pid", 0)
        for use in (pool.take, pool.start):
            with pytest.raises(PoolError, match="it is the parent process', make one here"):
                use()
        pool.discard(pod)
        pool.close()
        pool._abandon(0)
        assert len(engine.pauses()) == 2
    pool.discard(pod)
    pool.close()


# --- what there cannot be several of ------------------------------------------------------------------------------------


def ported(host_port: int | None = None, name: str = "web") -> Container:
    return Container(name, "app:1", ports=[ContainerPort(80), ContainerPort(81, host_port=host_port)])


def test_a_fixed_port_of_the_host_is_refused_by_its_field(engine: Engine) -> None:
    with pytest.raises(PortConflictError) as caught:
        PodPool(PodSpec("shop", (MEMBER, ported(8080, "api"))))
    [problem] = caught.value.problems
    assert problem.path == "spec.containers[1].ports[1].hostPort"
    assert "cannot accept pool of pod 'shop'" in str(caught.value)
    assert "8080 is a port of the engine's host" in str(caught.value)


def test_of_an_init_container_too() -> None:
    sidecar = replace(ported(8080, "proxy"), restart_policy=RestartPolicy.ALWAYS)
    with pytest.raises(PortConflictError, match=r"spec\.initContainers\[0\]\.ports\[1\]\.hostPort"):
        PodPool(PodSpec("shop", (MEMBER,), init_containers=(sidecar,)))


def test_ports_on_the_hosts_network_are_fixed_ones() -> None:
    with pytest.raises(PortConflictError, match=r"ports\[0\]\.containerPort: with hostNetwork 80 is"):
        PodPool(PodSpec("shop", (ported(),), host_network=True))
    PodPool(PodSpec("shop", (MEMBER,), host_network=True))


def test_a_free_port_of_the_host_is_another_one_each() -> None:
    PodPool(PodSpec("shop", (ported(0),)))


def test_a_pool_of_none_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot keep a pool of 0 pods: 1 or more"):
        PodPool(PodSpec("shop", (MEMBER,)), 0)


@pytest.mark.parametrize("grace", [float("inf"), float("nan")])
def test_a_grace_ends(engine: Engine, grace: float) -> None:
    """Before anything is done: the engine's mark of a deletion has a date."""
    words = r"^cannot take grace=.*: a number of seconds is expected$"
    with pytest.raises(ValueError, match=words):
        PodPool(PodSpec("shop", (MEMBER,)), grace=grace)
    with template(engine) as pod:
        with pytest.raises(ValueError, match=words):
            pod.stop(grace)
        assert pod.refresh().ready_count == 1


def test_what_is_wrong_in_the_description_is_told_at_once() -> None:
    with pytest.raises(SpecError):
        PodPool(PodSpec("Shop!", (MEMBER,)))


def test_no_engine_at_all_is_told_by_take(engine: Engine) -> None:
    engine.stop_daemon()
    with pool_of(engine) as pool, pytest.raises(EngineUnavailableError):
        pool.take()
