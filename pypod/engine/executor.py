"""Walks a plan: one engine call an action, what is independent at the same time. It decides nothing."""

from __future__ import annotations

import contextlib
import functools
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, assert_never

from pypod.engine import gate, pause, volumes
from pypod.engine.api import Engine
from pypod.engine.gate import Gate
from pypod.engine.identity import engine_architecture
from pypod.engine.messages import empty_files, text_file
from pypod.engine.pool import WorkerPool, on_thread
from pypod.errors import PypodError
from pypod.model.life.plan import (
    Action,
    AttachChannel,
    CheckHostPath,
    ConnectNetwork,
    CreateContainer,
    CreateNetwork,
    CreateVolume,
    FillVolume,
    KillContainer,
    LoadPauseImage,
    MakeSubPath,
    OwnVolume,
    Plan,
    PullImage,
    PutFiles,
    PutText,
    ReadMessage,
    RemoveContainer,
    RemoveNetwork,
    RemoveVolume,
    RenameContainer,
    RunHook,
    StartContainer,
    Write,
)


@dataclass(frozen=True, slots=True)
class ActionResult:
    """What became of an action: done, failed with `error`, or `skipped` because what it waits for failed.

    Attributes:
        began, ended: by the clock that the `Execution` was given; 0 where it was given none.
    """

    action: Action
    error: PypodError | None = None
    skipped: bool = False
    began: float = 0.0
    ended: float = 0.0


Handlers = Mapping[type[Action], Callable[[Any], None]]


class Execution:
    """One plan under way.

    Args:
        engine: where it is carried out.
        plan: what to do.
        pool: whose threads do it; None: the calling thread does, one action after the other (at interpreter exit).
        handlers: do the actions that are more than an engine call: what holds a channel, writes a journal, begins a hook or
            a pull. Where one is missing, its action is an error.
        on_result: hears of each action as it ends.
        sandboxes: through which sandboxes start.
        now: by which actions are timed; None: they are not.
    """

    def __init__(
        self,
        engine: Engine,
        plan: Plan,
        pool: WorkerPool | None,
        *,
        handlers: Handlers | None = None,
        on_result: Callable[[ActionResult], None] | None = None,
        sandboxes: Gate | None = None,
        now: Callable[[], float] | None = None,
    ) -> None:
        self._engine = engine
        self._now = now
        self._plan = plan
        self._pool = pool
        self._handlers: Handlers = handlers or {}
        self._on_result = on_result
        self._sandboxes = sandboxes
        self._changed = threading.Condition()
        self._results: dict[int, ActionResult] = {}
        self._begun: set[int] = set()
        self._cancelled = False

    def run(self) -> list[ActionResult]:
        """Do it all and return the results in the plan's order. Ctrl-C cancels what has not begun, waits for what has, and
        goes on up: an engine call that was sent will have its effect, and whoever cleans up must see it."""
        if self._pool is None:
            for index in range(len(self._plan.steps)):
                if index not in self._begun:  # else it was cancelled
                    self._begun.add(index)
                    self._perform(index)
        else:
            try:
                # By a worker: Ctrl-C comes to the main thread alone, where it could fall between what was submitted and the wait for it.
                self._pool.submit(self._submit_ready)
                self._wait()
            except BaseException:
                self.cancel()
                self._wait()
                raise
        return [self._results[index] for index in range(len(self._plan.steps))]

    def cancel(self) -> None:
        """Begin nothing more."""
        with self._changed:
            self._cancelled = True
            for index, step in enumerate(self._plan.steps):
                if index not in self._begun:
                    self._begun.add(index)
                    self._results[index] = ActionResult(step.action, skipped=True)
            self._changed.notify_all()

    @property
    def is_cancelled(self) -> bool:
        return self._cancelled

    def _wait(self) -> None:
        with self._changed:
            while len(self._results) < len(self._plan.steps):
                self._changed.wait()

    def _submit_ready(self) -> None:
        with self._changed:
            ready = [index for index in range(len(self._plan.steps)) if self._is_ready(index)]
            self._begun.update(ready)
        for index in ready:
            task = functools.partial(self._task, index)
            if self._pool is not None and self._is_gated(self._plan.steps[index].action):
                on_thread(task, "pypod-sandbox")  # who waits there must not keep a worker
            elif self._pool is not None:
                self._pool.submit(task)

    def _is_gated(self, action: Action) -> bool:
        if isinstance(action, ConnectNetwork):
            return True
        return self._sandboxes is not None and isinstance(action, StartContainer) and not action.container

    def _is_ready(self, index: int) -> bool:
        after = self._plan.steps[index].after
        return index not in self._begun and all(before in self._results for before in after)

    def _start(self, action: StartContainer) -> None:
        own = self._sandboxes if self._is_gated(action) else None
        with own.alone() if own is not None else contextlib.nullcontext():
            self._engine.start_container(action.name)

    def _connect(self, action: ConnectNetwork) -> None:
        with gate.alone(self._engine, [action.id]):
            self._engine.connect_network(action.id, action.name, action.aliases)

    def _task(self, index: int) -> None:
        self._perform(index)
        self._submit_ready()

    def _perform(self, index: int) -> None:
        step = self._plan.steps[index]
        result = ActionResult(step.action, skipped=True)
        if all(self._succeeded(before) for before in step.after):
            now = self._now
            if now is None:
                result = ActionResult(step.action, self._try(step.action))
            else:
                began = now()
                error = self._try(step.action)
                result = ActionResult(step.action, error, began=began, ended=now())
        if self._on_result is not None and not result.skipped:
            self._on_result(result)
        with self._changed:
            self._results[index] = result
            self._changed.notify_all()

    def _try(self, action: Action) -> PypodError | None:
        """Do it; why it could not be done."""
        try:
            self._call(action)
        except PypodError as error:
            return error
        except (
            BaseException
        ) as error:  # a bug of ours: reported like an engine's refusal, never lost in a thread
            failure = PypodError(f"cannot {action}: {type(error).__name__}: {error}")
            failure.__cause__ = error
            return failure
        return None

    def _succeeded(self, index: int) -> bool:
        result = self._results[index]
        return result.error is None and not result.skipped

    def _call(self, action: Action) -> None:  # noqa: C901, PLR0912 (flat: one engine call an action)
        engine = self._engine
        match action:
            case LoadPauseImage():
                engine.load_image(pause.archive(engine_architecture(engine)))
            case CreateNetwork():
                engine.create_network(action.request)
            case CreateVolume():
                engine.create_volume(action.request)
            case CreateContainer():
                engine.create_container(action.request)
            case AttachChannel() | Write() | RunHook() | PullImage() | ReadMessage():
                if type(action) not in self._handlers:
                    raise PypodError(f"cannot {action}: nobody does that here")
                self._handlers[type(action)](action)
            case PutFiles():
                engine.put_archive(action.name, action.directory, [empty_files(action.files)])
            case PutText():
                engine.put_archive(action.name, action.directory, [text_file(action.file, action.text)])
            case FillVolume():
                volumes.fill(engine, action)
            case CheckHostPath():
                volumes.check_host_path(engine, action)
            case OwnVolume():
                volumes.own_volume(engine, action)
            case MakeSubPath():
                volumes.make_sub_path(engine, action)
            case StartContainer():
                self._start(action)
            case ConnectNetwork():
                self._connect(action)
            case KillContainer():
                engine.kill_container(action.id, action.signal)
            case RenameContainer():
                engine.rename_container(action.id, action.new_name)
            case RemoveContainer():
                engine.remove_container(action.id)
            case RemoveVolume():
                engine.remove_volume(action.name)
            case RemoveNetwork():
                engine.remove_network(action.id)
            case _:
                assert_never(action)
