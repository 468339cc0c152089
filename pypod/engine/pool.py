"""A few daemon threads that do engine calls.

Not `concurrent.futures`: its threads are gone before `atexit` functions run (3.9 and newer join them in
``threading._register_atexit``), and pods are removed there. Four threads, since the engine is as fast with four as with
sixteen (measured: 4.8 and 4.7 pods a second on two cores); they are made when there is work.
"""

from __future__ import annotations

import collections
import os
import threading
from collections.abc import Callable
from typing import Protocol

SIZE = 4

Task = Callable[[], None]
Spawn = Callable[[Task], None]
"""Gives a task a thread."""


def on_thread(task: Task, name: str = "pypod-hook") -> None:
    """Run it on a thread of its own, or here where no thread can be started any more (3.12: at interpreter shutdown)."""
    try:
        threading.Thread(target=task, name=name, daemon=True).start()
    except RuntimeError:
        task()


class Pool(Protocol):
    def submit(self, task: Task) -> None:
        """Have a task run."""


class InlinePool:
    """Runs each task at once, on the caller's thread: for tests, and where no threads are wanted."""

    def submit(self, task: Task) -> None:
        task()


class WorkerPool:
    """Runs tasks, `size` at a time. A task must not raise, and must not wait for another task of the same pool."""

    def __init__(self, name: str, size: int = SIZE) -> None:
        self._name = name
        self._size = size
        self._reset()

    def _reset(self) -> None:
        self._pid = os.getpid()
        self._ready = threading.Condition()
        self._tasks: collections.deque[Task] = collections.deque()
        self._threads = 0
        self._idle = 0

    def submit(self, task: Task) -> None:
        """Have the task run by one of the threads, or here where no thread can be started any more."""
        if self._pid != os.getpid():  # a forked child has none of its parent's threads
            self._reset()
        with self._ready:
            self._tasks.append(task)
            if self._idle >= len(self._tasks) or self._threads >= self._size:
                self._ready.notify()
                return
            self._threads += 1
        try:
            self._start_worker()
        except RuntimeError:
            # The interpreter is on its way out (3.12: can't start new thread at interpreter shutdown).
            with self._ready:
                self._threads -= 1
            self._drain()
        except (
            BaseException
        ):  # Ctrl-C in the middle of it: whether it runs is not known, and one too many does no harm
            self._start_worker()
            raise

    def _start_worker(self) -> None:
        threading.Thread(target=self._work, name=f"pypod-{self._name}", daemon=True).start()

    def _work(self) -> None:
        while True:
            with self._ready:
                self._idle += 1
                while not self._tasks:
                    self._ready.wait()
                self._idle -= 1
                task = self._tasks.popleft()
            task()

    def _drain(self) -> None:
        while True:
            with self._ready:
                if not self._tasks:
                    return
                task = self._tasks.popleft()
            task()


ACTIONS = WorkerPool("action")
"""For the actions of plans, of all pods and engines of this process."""

PROBES = WorkerPool("probe", 64)
"""For the tries of probes that count, of all pods of this process. A try at a server that does not answer holds a thread for
its timeout (1 s by default); beside 100 of those at the same moment another is 1 s late (measured; with 16 threads 6 s)."""
FAST_PROBES = WorkerPool("fast-probe", 32)
"""For the tries between two periods, which may wait for seconds inside a pod: they delay each other, and none that counts."""
