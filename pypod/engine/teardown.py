"""Bringing a pod away: observe, plan, execute, on the calling thread, until nothing is left or time is up.

It works from any process and at interpreter exit; two at once help each other.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from pypod.engine import observe
from pypod.engine.api import Engine
from pypod.engine.executor import ActionResult, Execution
from pypod.engine.pool import ACTIONS, WorkerPool
from pypod.errors import EngineUnavailableError, NotFoundError, TeardownError
from pypod.model import planner
from pypod.model.naming import PodKey
from pypod.model.plan import KillContainer, Plan
from pypod.model.state import PodObservation

POLL = 0.02
"""Seconds between looks while members have their grace: a list is one call of about a millisecond."""
SLACK = 30.0
"""Seconds for the engine to carry a removal out, past the grace."""


class Teardown:
    """One pod's way off the engine.

    Args:
        engine: where it is.
        key: which pod.
        grace: seconds between the stop signal and SIGKILL; 0: at once.
        pool: None: everything on the calling thread.
        on_result: hears of each action.
    """

    def __init__(
        self,
        engine: Engine,
        key: PodKey,
        *,
        grace: float = 0.0,
        pool: WorkerPool | None = ACTIONS,
        on_result: Callable[[ActionResult], None] | None = None,
    ) -> None:
        self._engine = engine
        self._key = key
        self._pool = pool
        self._on_result = on_result
        self._deadline = time.time() + grace
        # Its own, whatever the mark says: another process may have begun, and died, long ago.
        self._give_up = self._deadline + SLACK
        self._signalled: frozenset[str] = frozenset()
        self._errors: dict[str, str] = {}

    def kill_now(self) -> None:
        """End the grace: a second Ctrl-C."""
        self._deadline = min(self._deadline, time.time())

    def run(self) -> None:
        """Remove the pod. A KeyboardInterrupt ends the grace, the removal is finished, and then it is raised.

        Raises:
            TeardownError: something could not be removed, with the reason.
            EngineUnavailableError: the engine went away.
        """
        interrupt: KeyboardInterrupt | None = None
        while True:
            try:
                self._finish()
                break
            except KeyboardInterrupt as error:
                interrupt = error
                self.kill_now()
        if interrupt is not None:
            raise interrupt

    def _finish(self) -> None:
        pause = POLL
        while not (seen := observe.observe(self._engine, self._key)).is_empty:
            deadline = (
                self._deadline
                if seen.deletion_deadline is None
                else min(self._deadline, seen.deletion_deadline)
            )
            now = time.time()
            if now > self._give_up:
                raise TeardownError(f"pod '{self._key.full_name}'", self._leftovers(seen))
            plan = planner.plan_teardown(seen, deadline=deadline, signalled=self._signalled, now=now)
            failed = self._execute(plan) if plan else False
            pause = min(pause * 2, 1.0) if failed else POLL
            if not plan or failed:
                time.sleep(pause)

    def _execute(self, plan: Plan) -> bool:
        """Whether an action failed: then the engine is not asked again in a hurry."""
        failed = False
        for result in Execution(self._engine, plan, self._pool, on_result=self._on_result).run():
            action = result.action
            if isinstance(action, KillContainer) and not result.skipped:
                self._signalled |= {action.id}
            if isinstance(result.error, EngineUnavailableError):
                raise result.error
            if result.error is not None and not isinstance(result.error, NotFoundError):
                self._errors[str(action)] = str(result.error)
                failed = failed or not isinstance(action, KillContainer)
        return failed

    def _leftovers(self, seen: PodObservation) -> list[tuple[str, str]]:
        containers = [f"container {info.name}" for info in (*seen.all_members, *seen.pauses)]
        things = containers + [f"volume {volume.name}" for volume in seen.volumes]
        return [(thing, self._errors.get(f"remove {thing}", "it is still there")) for thing in things]
