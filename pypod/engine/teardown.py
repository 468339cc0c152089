"""Bringing a pod away: observe, plan, execute, on the calling thread, until nothing is left or time is up.

It works from any process and at interpreter exit; two at once help each other.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable

from pypod.engine import gate, observe
from pypod.engine.api import Engine, EngineEvent
from pypod.engine.channel import Channel
from pypod.engine.clock import SYSTEM, Clock
from pypod.engine.executor import ActionResult, Execution, Handlers
from pypod.engine.hooks import HookRunner, call
from pypod.engine.pool import ACTIONS, Spawn, WorkerPool, on_thread
from pypod.engine.tracing import UNTRACED, Untraced
from pypod.errors import ConflictError, EngineUnavailableError, NotFoundError, PypodError, TeardownError
from pypod.model import naming
from pypod.model.life import journal, stopping
from pypod.model.life.plan import KillContainer, Plan, RemoveContainer, RunHook, Write
from pypod.model.naming import PodKey
from pypod.model.spec.pod import PodSpec
from pypod.model.wiring.state import ContainerInfo, ContainerState, NetworkInfo, PodObservation

POLL = 0.02
"""Seconds between lists while members have their grace and nobody tells of their end: a list is one call of about a millisecond."""
SHORTEST_POLL = 0.001
LONGEST_POLL = 0.1
POLL_GROWTH = 1.05
"""It reaches the longest after 1.7 s: the end of a member that ends soon is seen within 20 to 50 ms."""
TOLD_GROWTH = 2.0
"""Where events come, lists are only for those that are missed."""
AFTER_EVENT = 0.005
"""Seconds until the next list where one does not show what an event told of: the engine tells of an end some milliseconds before it
lists it (20.10)."""
SLACK = 30.0
"""Seconds for the engine to carry a removal out, past the grace."""


class Teardown:
    """One pod's way off the engine.

    Args:
        engine: where it is.
        key: which pod.
        grace: seconds between the stop signal and SIGKILL; 0: at once, without hooks.
        spec: what it is, for its hooks and the order of its sidecars; None: it has neither.
        channel: its journal, where this process has it; else what happens now is kept here alone.
        pool: None: everything on the calling thread.
        clock: by which the grace counts.
        on_result: hears of each action.
        tracer: records what takes how long.
        reach: how hooks come to a port of the pod.
        spawn: gives a hook a thread.
    """

    def __init__(
        self,
        engine: Engine,
        key: PodKey,
        *,
        grace: float = 0.0,
        spec: PodSpec | None = None,
        channel: Channel | None = None,
        pool: WorkerPool | None = ACTIONS,
        clock: Clock = SYSTEM,
        on_result: Callable[[ActionResult], None] | None = None,
        tracer: Untraced = UNTRACED,
        reach: str = "auto",
        spawn: Spawn = on_thread,
    ) -> None:
        self._engine = engine
        self._key = key
        self._spec = spec
        self._channel = channel or Channel()
        self._pool = pool
        self._clock = clock
        self._on_result = on_result
        self._tracer = tracer
        self._changed = threading.Event()
        self._is_asked = False
        """There is something new to plan: a hook has ended, or the grace."""
        self._is_told = False
        """Events come."""
        self._hooks = HookRunner(
            engine,
            spec,
            self._channel,
            clock,
            self._ask,
            reach=reach,
            spawn=spawn,
            run=tracer.hooks(call),
        )
        self._deadline = clock.now() + grace
        # Its own, whatever the mark says: another process may have begun, and died, long ago.
        self._give_up = self._deadline + SLACK
        self._kill = False
        self._began_it = False
        self._seen: PodObservation | None = None
        self._network = spec.network if spec is not None else ""
        self._is_in_use = False
        """Of what the last plan could not remove, the engine said nothing but that."""
        self._errors: dict[str, str] = {}

    def kill_now(self) -> None:
        """End the grace: a second Ctrl-C."""
        self._kill = True
        self._ask()

    def _ask(self) -> None:
        self._is_asked = True
        self._changed.set()

    def wake(self) -> None:
        """Events may have been missed: it is looked whether anything of the pod has changed."""
        self._changed.set()

    def hear(self, event: EngineEvent) -> None:
        """Something happened to a container of the pod. That it was sent a signal changes nothing yet."""
        self._is_told = True
        if event.action != "kill":
            self._changed.set()

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
        # Without grace nothing is decided by what an inspection tells; the looks after it are closer, at what is left.
        brief = self._seen is None and (self._kill or self._clock.now() >= self._deadline)
        while not (seen := self._look(brief=brief)).is_empty:
            self._seen, brief = seen, False
            if seen.pause is not None:
                self._network = naming.network_of(seen.pause.labels) or ""
            now = self._clock.now()
            if now > self._give_up:
                raise TeardownError(f"pod '{self._key.full_name}'", self._leftovers(seen))
            plan = self._plan(seen, now)
            failed = self._execute_alone(plan) if plan else False
            if failed:
                pause = min(pause * 2, 1.0)
                self._clock.sleep(pause)
            elif plan:
                pause = POLL
            else:
                brief = self._wait_for_change(seen, plan.due or now + 1)
        self._remove_network()

    def _wait_for_change(self, seen: PodObservation, due: float) -> bool:
        """Until something of the pod is no more as it was seen, or something is due. A list is one call, where a look is one for each
        container as well, so it can be asked for often; the look comes after it.

        Returns:
            Whether no member runs any more: then everything goes, and no inspection decides anything.
        """
        were = _standings((*seen.pauses, *seen.all_members))
        pause = POLL
        while (left := due - self._clock.now()) > 0:
            if self._clock.wait(self._changed, min(pause, max(SHORTEST_POLL, left))):
                if self._is_asked:
                    return False
                pause = AFTER_EVENT / TOLD_GROWTH
            self._changed.clear()  # before the list, which shows what is heard of by then
            listed = self._engine.containers({naming.UID: self._key.uid})
            if _standings(listed) != were:
                return not any(info.is_live for info in listed if not naming.is_pause(info.labels))
            pause = min(pause * (TOLD_GROWTH if self._is_told else POLL_GROWTH), LONGEST_POLL)
        return False

    def _look(self, *, brief: bool) -> PodObservation:
        self._is_asked = False
        self._changed.clear()  # what happens from here on may not be in what is seen
        return observe.observe(self._engine, self._key, clock=self._clock, brief=brief)

    def _remove_network(self) -> None:
        """Where it is isolated and this was its last pod. Only now, when nothing of this one is left: whatever became of each
        removal, and whoever did it, of pods that leave at the same time the last one comes here when all others are gone."""
        held = gate.of(self._engine, self._network)
        if held is not None and held.is_held:
            return
        pause, lingers_until = POLL, self._clock.now() + gate.LINGERING
        while plan := stopping.plan_network_removal(self._network, self._networks()):
            if not self._execute(plan):
                return
            now = self._clock.now()
            if self._is_in_use and (now > lingers_until or self._has_other_pods()):
                return
            if now > self._give_up:
                raise TeardownError(
                    f"pod '{self._key.full_name}'", self._reasons([str(step.action) for step in plan.steps])
                )
            self._clock.sleep(pause)
            pause = min(pause * 2, 1.0)

    def _networks(self) -> list[NetworkInfo]:
        return self._engine.networks() if self._network else []

    def _has_other_pods(self) -> bool:
        """Whether another pod belongs on its network; that one removes it, when it leaves."""
        listed = self._engine.containers({naming.NETWORK: self._network})
        return any(observe.inspect(self._engine, info) is not None for info in listed)

    def _plan(self, seen: PodObservation, now: float) -> Plan:
        marked = seen.deletion_deadline
        self._began_it = self._began_it or marked is None
        deadline = self._deadline if marked is None else min(self._deadline, marked)
        return stopping.plan_teardown(
            # Who sets the mark runs the hooks; who comes later only sees to it that the pod goes.
            self._spec if self._began_it else None,
            seen,
            self._channel.history,
            deadline=deadline,
            now=now,
            kill=self._kill,
        )

    def _execute_alone(self, plan: Plan) -> bool:
        """Where its sandbox leaves an isolated network, or one of others, at a time when no other one does."""
        leaves = any(isinstance(step.action, RemoveContainer) for step in plan.steps)
        with gate.alone(self._engine, self._left()) if leaves else contextlib.nullcontext():
            return self._execute(plan)

    def _left(self) -> list[str]:
        """The networks that its sandbox leaves, as the gates know them."""
        seen = self._seen
        if seen is None or seen.pause is None:
            return [self._network]
        own = seen.network.id if seen.network is not None else ""
        return [self._network, *(network for network in seen.pause.addresses if network != own)]

    def _execute(self, plan: Plan) -> bool:
        """Whether an action failed: then the engine is not asked again in a hurry."""
        failed = False
        self._is_in_use = True
        execution = Execution(
            self._engine,
            plan,
            self._pool,
            handlers=self._handlers(),
            on_result=self._heard,
            now=self._tracer.now,
        )
        for result in execution.run():
            action = result.action
            if isinstance(action, KillContainer) and action.container and not result.skipped:
                self._note_signal(action, result.error)
            if isinstance(result.error, EngineUnavailableError):
                raise result.error
            if result.error is not None and not isinstance(result.error, NotFoundError):
                self._errors[str(action)] = str(result.error)
                # A kill's conflict is that it has ended.
                ended = isinstance(action, KillContainer) and isinstance(result.error, ConflictError)
                failed = failed or not ended
                self._is_in_use = self._is_in_use and isinstance(result.error, ConflictError)
        return failed

    def _heard(self, result: ActionResult) -> None:
        self._tracer.action(result)
        if self._on_result is not None:
            self._on_result(result)

    def _note_signal(self, action: KillContainer, error: PypodError | None) -> None:
        if action.signal != "SIGKILL" and error is None:
            self._channel.write(journal.Signalled(self._clock.now(), action.container, action.attempt))

    def _handlers(self) -> Handlers:
        return {Write: lambda action: self._channel.write(*action.entries), RunHook: self._begin_hook}

    def _begin_hook(self, action: RunHook) -> None:
        assert self._seen is not None
        self._hooks.begin(action, self._seen)

    def _leftovers(self, seen: PodObservation) -> list[tuple[str, str]]:
        containers = [f"container {info.name}" for info in (*seen.all_members, *seen.pauses)]
        things = containers + [f"volume {volume.name}" for volume in seen.volumes]
        return self._reasons([f"remove {thing}" for thing in things])

    def _reasons(self, removals: list[str]) -> list[tuple[str, str]]:
        """What is left, and why."""
        return [
            (each.removeprefix("remove "), self._errors.get(each, "it is still there")) for each in removals
        ]


def _standings(infos: Iterable[ContainerInfo]) -> set[tuple[str, str, ContainerState]]:
    """What a list tells of containers that can change."""
    return {(info.id, info.name, info.state) for info in infos}
