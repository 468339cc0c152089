"""One pass of a pod's loop: observe, plan, execute, and write down what happened."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

from pypod.engine import observe
from pypod.engine.api import Engine
from pypod.engine.channel import Channel
from pypod.engine.executor import ActionResult, Execution
from pypod.engine.pool import ACTIONS
from pypod.errors import ConflictError, EngineUnavailableError, NotFoundError, PypodError
from pypod.model import journal, planner, status
from pypod.model.journal import Entry
from pypod.model.plan import CreateContainer, Plan, PullImage, StartContainer
from pypod.model.planner import Desired
from pypod.model.state import PodObservation
from pypod.model.status import PodStatus

MISSING = 2.0
"""Seconds that members may be without a pause before it counts as lost, not as a pod that is being removed."""


class PodSync:
    """A pod that this process brings to where its spec says. One pass at a time; any thread may ask for one.

    Attributes:
        desired: what it should be.
        channel: its pause's stdin, and with it the history.
        observed, status: as of the last pass; None and unknown before the first.
        last_plan: the last one that had something to do.
        last_error: what the engine last refused of a plan.
        sandbox_error: why the sandbox could not be made or started, the last time; None once it could.
    """

    def __init__(self, engine: Engine, desired: Desired) -> None:
        self.engine = engine
        self.desired = desired
        self.channel = Channel()
        self.observed: PodObservation | None = None
        self.status = PodStatus(status.Phase.PENDING)
        self.last_plan = Plan()
        self.sandbox_error: PypodError | None = None
        self.last_error: PypodError | None = None
        self._pass = threading.Lock()
        self._released = False
        self._seen_pause = False
        self._pause_missing_since: float | None = None

    def refresh(self) -> PodStatus:
        """Look, and do nothing.

        Raises:
            EngineError: the engine could not be read.
        """
        seen = observe.observe(self.engine, self.desired.identity.key, self.desired.spec)
        self.observed = seen
        self.status = status.derive(self.desired, seen, self.channel.history, time.time())
        return self.status

    def plan(self) -> Plan:
        """What a pass would do, from a fresh look."""
        self.refresh()
        assert self.observed is not None
        now = time.time()
        if self._is_gone(self.observed, now):
            return Plan(due=now + MISSING, waiting="the pod was removed")
        return planner.plan_sync(self.desired, self.observed, self.channel.history, now)

    def _is_gone(self, seen: PodObservation, now: float) -> bool:
        """Somebody removed a pod that was there. Members without a pause may be a removal that is under way, whose deletion
        mark went with the pause: only when they stay is it the sandbox alone that was removed."""
        if seen.pause is not None:
            self._seen_pause = True
            self._pause_missing_since = None
            return False
        if not self._seen_pause:
            return False
        self._pause_missing_since = self._pause_missing_since or now
        return not seen.members or now < self._pause_missing_since + MISSING

    def run_once(self, check: Callable[[PodSync], None] | None = None) -> Plan:
        """One pass. The plan that was carried out; an empty one says when to look again.

        Args:
            check: is called between the look and the deed; what it raises ends the pass.

        Raises:
            EngineUnavailableError: nobody answers.
            EngineError: the engine could not be read. What it refuses of a plan is written down, not raised.
        """
        with self._pass:
            if self._released:
                return Plan(waiting="released")
            plan = self.plan()
            if check is not None:
                check(self)
            if plan:
                self.last_plan = plan
                execution = Execution(
                    self.engine, plan, ACTIONS, on_channel=self.channel.attach, on_result=self._record
                )
                self._raise_unavailable(execution.run())
            return plan

    @staticmethod
    def _raise_unavailable(results: Sequence[ActionResult]) -> None:
        for result in results:
            if isinstance(result.error, EngineUnavailableError):
                raise result.error

    def release(self) -> None:
        """Do nothing for this pod any more; waits for a pass that is under way."""
        self._released = True
        with self._pass:
            pass

    def _record(self, result: ActionResult) -> None:
        now = time.time()
        self.last_error = result.error or self.last_error
        self.channel.write(*self._entries(result, now))

    def _entries(self, result: ActionResult, now: float) -> list[Entry]:
        match result.action:
            case PullImage():
                return self._pull_entries(result.action, result.error, now)
            case CreateContainer(container=""):
                self.sandbox_error = result.error
                return []
            case CreateContainer() as action:
                return self._create_entries(action, result.error, now)
            case StartContainer(container=""):
                self.sandbox_error = result.error
                return [] if result.error else [journal.Event(now, "Normal", "Started", "Sandbox started")]
            case StartContainer() as action:
                return self._start_entries(action, result.error, now)
        return []

    def _pull_entries(self, action: PullImage, error: PypodError | None, now: float) -> list[Entry]:
        if error is None:
            message = f"Successfully pulled image {action.reference!r}"
            return [journal.Pulled(now, action.reference), journal.Event(now, "Normal", "Pulled", message)]
        users = [c.name for c in self.desired.spec.containers if c.image == action.reference]
        failures: list[Entry] = [
            journal.ContainerFailed(now, name, "ErrImagePull", str(error)) for name in users
        ]
        return [*failures, journal.Event(now, "Warning", "Failed", str(error))]

    def _create_entries(self, action: CreateContainer, error: PypodError | None, now: float) -> list[Entry]:
        name = action.container
        if error is None:
            return [journal.Event(now, "Normal", "Created", "Container created", name)]
        if isinstance(error, ConflictError):  # another supervisor has made this attempt: look again
            return []
        reason = "ErrImagePull" if isinstance(error, NotFoundError) else "CreateContainerError"
        return [
            journal.ContainerFailed(now, name, reason, str(error)),
            journal.Event(now, "Warning", "Failed", str(error), name),
        ]

    def _start_entries(self, action: StartContainer, error: PypodError | None, now: float) -> list[Entry]:
        if isinstance(error, ConflictError | NotFoundError):  # the sandbox went meanwhile: look again
            return []
        entries: list[Entry] = []
        if action.attempt > 0:
            entries.append(journal.Restarted(now, action.container, action.attempt, action.backoff_step))
        if error is None:
            entries.append(journal.Event(now, "Normal", "Started", "Container started", action.container))
        else:
            entries.append(journal.Event(now, "Warning", "Failed", str(error), action.container))
        return entries
