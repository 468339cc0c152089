"""A few threads that do engine calls, made when there is work."""

from __future__ import annotations

import os
import threading

import pytest

from pypod.engine.pool import WorkerPool, on_thread

PATIENCE = 20.0


def test_tasks_run_on_other_threads() -> None:
    pool, ran = WorkerPool("test"), threading.Event()
    names: list[str] = []

    def task() -> None:
        names.append(threading.current_thread().name)
        ran.set()

    pool.submit(task)
    assert ran.wait(PATIENCE)
    assert names == ["pypod-test"]


def test_all_run_and_never_more_at_once_than_its_size() -> None:
    pool, done = WorkerPool("test", size=3), threading.Semaphore(0)
    together = threading.Barrier(3)
    lock = threading.Lock()
    running, most = 0, 0

    def task() -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        together.wait(PATIENCE)  # three at a time, or this breaks
        with lock:
            running -= 1
        done.release()

    for _ in range(9):
        pool.submit(task)
    for _ in range(9):
        assert done.acquire(timeout=PATIENCE)
    assert most == 3


def test_ctrl_c_while_a_thread_is_started_leaves_the_task_with_one(monkeypatch: pytest.MonkeyPatch) -> None:
    pool, ran = WorkerPool("test", size=1), threading.Event()
    real, tries = threading.Thread.start, list[int]()

    def interrupted(thread: threading.Thread) -> None:
        tries.append(1)
        if len(tries) == 1:
            raise KeyboardInterrupt
        real(thread)

    monkeypatch.setattr(threading.Thread, "start", interrupted)
    with pytest.raises(KeyboardInterrupt):
        pool.submit(ran.set)
    assert ran.wait(PATIENCE)


def test_a_thread_is_used_again() -> None:
    pool, ids = WorkerPool("test"), set[int]()
    for _ in range(5):
        ran = threading.Event()

        def task(ran: threading.Event = ran) -> None:
            ids.add(threading.get_ident())
            ran.set()

        pool.submit(task)
        assert ran.wait(PATIENCE)
    assert len(ids) < 5


def test_threads_are_daemons() -> None:
    pool, found = WorkerPool("test"), threading.Event()

    def task() -> None:
        if threading.current_thread().daemon:
            found.set()

    pool.submit(task)
    assert found.wait(PATIENCE)


def test_where_no_thread_can_be_started_the_caller_does_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """As at interpreter exit since 3.12."""

    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't create new thread at interpreter shutdown")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    pool, ids = WorkerPool("test"), list[int]()
    pool.submit(lambda: ids.append(threading.get_ident()))
    pool.submit(lambda: ids.append(threading.get_ident()))
    assert ids == [threading.get_ident()] * 2


def test_a_forked_child_makes_threads_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    pool, ran = WorkerPool("test", size=1), threading.Event()
    busy = threading.Event()

    def task() -> None:
        busy.wait(PATIENCE)

    pool.submit(task)
    monkeypatch.setattr(os, "getpid", lambda: 4711)  # in the child, whose only thread is the one that forked
    pool.submit(ran.set)
    assert ran.wait(PATIENCE)
    busy.set()


# threads of their own


def test_each_has_a_thread_of_its_own() -> None:
    told: list[str] = []
    both, ended = threading.Barrier(2, timeout=PATIENCE), threading.Semaphore(0)

    def meet() -> None:
        both.wait()
        told.append(threading.current_thread().name)
        ended.release()

    for _ in range(2):
        on_thread(meet)
    for _ in range(2):
        assert ended.acquire(timeout=PATIENCE)
    assert told == ["pypod-hook", "pypod-hook"]


def test_where_no_thread_can_be_started_it_runs_here(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread at interpreter shutdown")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    ran: list[int] = []
    on_thread(lambda: ran.append(threading.get_ident()))
    assert ran == [threading.get_ident()]
