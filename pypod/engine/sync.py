"""One pass of a pod's loop: observe, plan, execute, and write down what happened."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pypod.engine import checks, gate, hooks, messages, news, observe, recording
from pypod.engine.api import Engine, EngineEvent
from pypod.engine.channel import Channel
from pypod.engine.checks import CheckResult, Verdict
from pypod.engine.clock import SYSTEM, Clock
from pypod.engine.executor import ActionResult, Execution, Handlers
from pypod.engine.hooks import HookRunner, target_of
from pypod.engine.marking import Marker
from pypod.engine.pool import ACTIONS, FAST_PROBES, PROBES, Pool, Spawn, WorkerPool, on_thread
from pypod.engine.prober import Prober
from pypod.engine.pulls import PullRunner, pull_thread
from pypod.engine.recording import FAILED_SANDBOX, Recorder
from pypod.engine.tracing import UNTRACED, Untraced
from pypod.errors import EngineError, EngineUnavailableError, PypodError
from pypod.model.hidden import without
from pypod.model.life import joining, journal, planner, probes, starting_members, status
from pypod.model.life.desired import Desired
from pypod.model.life.history import History
from pypod.model.life.plan import (
    AttachChannel,
    CreateContainer,
    MakeSubPath,
    Plan,
    PullImage,
    ReadMessage,
    RunHook,
    StartContainer,
    Write,
)
from pypod.model.life.probes import ProbeKey
from pypod.model.life.status import PodStatus, Waiting
from pypod.model.spec.handlers import Probe
from pypod.model.spec.object_references import Objects
from pypod.model.wiring import credentials
from pypod.model.wiring.environment import hidden_words, surroundings_of
from pypod.model.wiring.referring import objects_of_files
from pypod.model.wiring.state import ContainerInfo, PodObservation

log = logging.getLogger(__name__)

MESSAGE_TRIES = 3
"""Times that a message is asked for where the engine, which lists the pod, does not answer that."""
MISSING = 2.0
"""Seconds that members may be without a pause before it counts as lost, not as a pod that is being removed."""


@dataclass(frozen=True, slots=True)
class Look:
    """What a pass goes by. Each was read before the next one (see `pypod.model.life.members`, `PullRunner.running`)."""

    pulling: frozenset[str]
    history: History
    seen: PodObservation


class PodSync:
    """A pod that this process brings to where its spec says. One pass at a time; any thread may ask for one.

    Args:
        clock: by which it waits, and probes.
        actions: whose threads carry plans out; None: the calling thread does.
        probe_pool: where probes are tried; None: in the process' own.
        reach: how probes and hooks come to a port of the pod: ``auto``, ``direct`` or ``relay``.
        making: it is a new pod: while nothing of it is on the engine yet, it is Pending, not gone.
        spawn: gives a hook a thread.
        spawn_pull: gives a pull one.
        tracer: records what takes how long.

    Attributes:
        desired: what it should be.
        channel: its pause's stdin, and with it the history.
        observed, status: as of the last pass; None and unknown before the first.
        last_plan: the last one that had something to do.
        recorder: what the engine answered to the plans.
        pulls: the images that are being pulled for it, beside the passes.
        refusals: how many plans in a row the engine refused something of: another pass at once would ask for the same again.
        changed: is set whenever another pass may find something else: an event, a probe's or a hook's result.
        on_wake: is called then, too.
    """

    def __init__(
        self,
        engine: Engine,
        desired: Desired,
        *,
        clock: Clock = SYSTEM,
        actions: WorkerPool | None = ACTIONS,
        probe_pool: Pool | None = None,
        reach: str = "auto",
        making: bool = False,
        spawn: Spawn = on_thread,
        spawn_pull: Spawn = pull_thread,
        tracer: Untraced = UNTRACED,
    ) -> None:
        self.engine = engine
        self.tracer = tracer
        self.desired = desired
        self.clock = clock
        self.channel = Channel()
        self.observed: PodObservation | None = None
        self.status = PodStatus(status.Phase.PENDING)
        self.last_plan, self.refusals = Plan(), 0
        self.changed = threading.Event()
        self.on_wake: Callable[[], None] = lambda: None
        self._news = news.News(self.wake)
        self._rest: Plan | None = None
        self.recorder = Recorder(desired.spec, self.channel, clock)
        run, spec = tracer.hooks(hooks.call), desired.spec
        self.hooks = HookRunner(
            engine, spec, self.channel, clock, self.wake, reach=reach, spawn=spawn, run=run
        )
        self.pulls = PullRunner(engine, clock, self._pulling, self._pulled, self.wake, spawn=spawn_pull)
        self._reach, self._making, self._is_fresh = reach, making, making
        self._actions = actions
        self._prober = Prober(
            clock,
            probe_pool or PROBES,
            tracer.tries(self._try_probe),
            self._probed,
            self._note,
            fast_pool=probe_pool or FAST_PROBES,
        )
        self._marker = Marker(engine, desired, is_new=making)
        self._pass = threading.Lock()
        self._released = False
        self._execution: Execution | None = None
        self._backoffs: set[tuple[str, int]] = set()
        self._unanswered: Counter[tuple[str, int]] = Counter()
        self._seen_pause = False
        self._pause_missing_since: float | None = None

    def wake(self) -> None:
        """Something may have changed: whoever looks after the pod looks again."""
        self.changed.set()
        self.on_wake()

    def hear(self, event: EngineEvent) -> None:
        """Something happened to a container of it. It is woken, unless a look has seen that already."""
        self._news.hear(event)

    @property
    def rest(self) -> Plan | None:
        """What the last pass found, where that was nothing to do, and nothing has happened since `changed` was cleared: the next pass
        would find the same, until it is due."""
        return None if self.changed.is_set() or self._marker.is_needed else self._rest

    def refresh(self) -> PodStatus:
        """Look, and do nothing.

        Raises:
            EngineError: the engine could not be read.
        """
        self._look()
        return self.status

    def _look(self) -> Look:
        """A caller keeps to what this answers: another thread's look may have been made earlier, and be noted later."""
        pulling = self.pulls.running
        history = self.channel.history
        fresh, self._is_fresh = self._is_fresh, False
        key, spec = self.desired.identity.key, self.desired.spec
        seen = self._news.look(lambda: observe.observe(self.engine, key, spec, clock=self.clock, fresh=fresh))
        self._note_seen(seen, history)
        return Look(pulling, history, seen)

    def _note_seen(self, seen: PodObservation, history: History) -> None:
        self.observed = seen
        is_new = self._making and not self._seen_pause
        self.status = status.derive(self.desired, seen, history, self.clock.now(), is_new=is_new)

    def stands_as(self, listed: Iterable[ContainerInfo]) -> bool:
        """Whether everything of it runs, as it was last seen, and a list of the engine's shows the same: then a look would find
        nothing new. Files of its objects change without a container's doing, so one that has such is always looked at."""
        seen = self.observed
        if seen is None or not seen.is_whole or objects_of_files(self.desired.spec):
            return False
        return news.stands_as(seen, listed)

    def note_removed(self) -> None:
        """Whoever removed it has just seen that nothing of it is left: no need to look again."""
        self._note_seen(PodObservation(self.desired.identity.key, self.clock.now()), self.channel.history)

    def plan(self) -> Plan:
        """What a pass would do, from a fresh look."""
        return self._plan(self._look())

    def _plan(self, look: Look) -> Plan:
        now = self.clock.now()
        if self._is_gone(look.seen, now):
            return Plan(due=now + MISSING, waiting="the pod was removed")
        return planner.plan_sync(self.desired, look.seen, look.history, now, look.pulling)

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

    def run_once(
        self, check: Callable[[PodSync], None] | None = None, *, deadline: float | None = None
    ) -> Plan:
        """One pass. The plan that was carried out; an empty one says when to look again.

        Args:
            check: is called between the look and the deed; what it raises ends the pass. With it, the plan ends at the first
                refusal that cannot heal.
            deadline: Unix seconds at which what is left of the plan is given up.

        Raises:
            EngineUnavailableError: nobody answers.
            EngineError: the engine could not be read. What it refuses of a plan is written down, not raised.
        """
        with self._pass:
            if self._released:
                return Plan(waiting="released")
            self._rest = None
            starting = check is not None
            tracer = self.tracer if starting else UNTRACED
            with tracer.timed("look"):
                look = self._look()
                plan = self._plan(look)
                self._follow(look.seen)
            if check is not None:
                check(self)
            if plan:
                self.last_plan = plan
                with tracer.timed("act"):
                    self._carry_out(plan, starting=starting, deadline=deadline)
            else:
                self.refusals, self._rest = 0, plan
                if not starting:  # who waits for the start need not wait for this
                    self._marker.update(look.seen, look.history)
            return plan

    def _follow(self, seen: PodObservation) -> None:
        """What a look alone is a reason for: the address is noted, probes are begun and ended, pulls that nobody waits for any
        more are given up."""
        self._attach_again(seen)
        history = self.channel.history
        if history.began is None and not seen.is_empty:
            self.channel.write(journal.Began(seen.pause.created_at if seen.pause else seen.at))
        if seen.ip and seen.ip != history.ip:
            self.channel.write(journal.Address(self.clock.now(), seen.ip))
        self._note_backoffs()
        terminating = seen.deletion_deadline is not None
        if not terminating and history.finished is None:
            self._note_networks(seen, history)
        self._prober.update(probes.wanted(self.desired.spec, seen, history, terminating=terminating))
        if terminating or history.finished is not None or (self._seen_pause and seen.is_empty):
            self.pulls.give_up()

    def _note_backoffs(self) -> None:
        """Each restart that must wait is an event, once (pkg/kubelet/kuberuntime/kuberuntime_manager.go doBackOff)."""
        key = self.desired.identity.key
        for each in (*self.status.init_container_statuses, *self.status.container_statuses):
            wait = (each.name, each.restart_count)
            if (
                not isinstance(each.state, Waiting)
                or each.state.reason != "CrashLoopBackOff"
                or wait in self._backoffs
            ):
                continue
            self._backoffs.add(wait)
            words = f"Back-off restarting failed container {each.name} in pod {key.name}_{key.namespace}({key.uid})"
            self.channel.write(journal.Event(self.clock.now(), "Warning", "BackOff", words, each.name))

    def _note_networks(self, seen: PodObservation, history: History) -> None:
        """That its sandbox waits for a network of others is an event."""
        if words := joining.obstacle(self.desired.spec, seen, history):
            self.recorder.repeated(journal.Event(self.clock.now(), "Warning", FAILED_SANDBOX, words))

    def _attach_again(self, seen: PodObservation) -> None:
        """The pause outlived its stdin, as it does an engine with live-restore. A lease that was lost so is lost."""
        pause = seen.sandbox
        if pause is None or self.desired.identity.leased or self.channel.stuck_at != pause.name:
            return
        with contextlib.suppress(EngineError):
            self.channel.attach(pause.name, self.engine.attach_stdin)

    def _carry_out(self, plan: Plan, *, starting: bool, deadline: float | None) -> None:
        execution = Execution(
            self.engine,
            plan,
            self._actions,
            handlers=self._handlers(),
            on_result=lambda result: self._record(result, execution, starting=starting),
            sandboxes=gate.of(self.engine, self.desired.spec.network),
            now=self.tracer.now,
        )
        timer = self.clock.call_at(deadline, execution.cancel) if deadline is not None else None
        self._execution = execution
        if self._released:  # between the look and here
            execution.cancel()
        try:
            results = execution.run()
        finally:
            self._execution = None
            if timer is not None:
                timer.cancel()
        self.refusals = self.refusals + 1 if any(result.error for result in results) else 0
        for result in results:
            if isinstance(result.error, EngineUnavailableError):
                raise result.error

    def _handlers(self) -> Handlers:
        found: Mapping[type[Any], Callable[[Any], None]] = {
            AttachChannel: lambda action: self.channel.attach(
                action.name, self.tracer.journal(self.engine.attach_stdin)
            ),
            Write: lambda action: self.channel.write(*action.entries),
            RunHook: self._begin_hook,
            PullImage: self._begin_pull,
            ReadMessage: self._read_message,
        }
        return found

    def _begin_pull(self, action: PullImage) -> None:
        """With the credentials of the pod's Secrets, of which the plan knows nothing."""
        spec = self.desired.spec
        objects = self.observed.objects if self.observed is not None else Objects(spec.namespace)
        if names := credentials.unusable(spec, objects):
            words = (
                f"Unable to retrieve some image pull secrets ({', '.join(names)}); "
                "attempting to pull the image may not succeed."
            )
            event = journal.Event(self.clock.now(), "Warning", "FailedToRetrieveImagePullSecret", words)
            self.recorder.repeated(event)
        self.pulls.begin(action.reference, credentials.logins(action.reference, spec, objects))

    def _begin_hook(self, action: RunHook) -> None:
        assert self.observed is not None
        self.hooks.begin(action, self.observed)

    def _read_message(self, action: ReadMessage) -> None:
        """One that cannot be read is an empty one: it must not be asked for for ever, and the pod's end waits for it."""
        try:
            text = messages.read_message(self.engine, action)
        except EngineUnavailableError:
            key = (action.container, action.attempt)
            self._unanswered[key] += 1
            if self._unanswered[key] < MESSAGE_TRIES:
                raise
            text = ""
        except PypodError:
            text = ""
        except Exception:  # a bug of ours, or an archive that nobody foresaw
            log.exception("cannot %s", action)
            text = ""
        self.channel.write(journal.Message(self.clock.now(), action.container, action.attempt, text))

    def _record(self, result: ActionResult, execution: Execution, *, starting: bool) -> None:
        result = self._shown(result)
        self.tracer.action(result)
        self.recorder.record(result)
        if (
            isinstance(result.action, CreateContainer)
            and not result.action.container
            and result.error is None
        ):
            self.channel.renew()
        if starting and recording.is_fatal(result):
            execution.cancel()

    def _shown(self, result: ActionResult) -> ActionResult:
        """An engine that cannot run a program says which: where that word comes from a Secret, nobody is to read it."""
        action, error = result.action, result.error
        if not isinstance(action, CreateContainer | StartContainer | MakeSubPath) or not isinstance(
            error, EngineError
        ):
            return result
        if not action.container or self.observed is None:
            return result
        spec = self.desired.spec
        words = hidden_words(spec.container(action.container), surroundings_of(spec, self.observed))
        return replace(result, error=error.saying(without(error.detail, words))) if words else result

    def _pulling(self, reference: str, line: str) -> None:
        self.tracer.pulling(reference, line)
        self.recorder.pulling(reference, line)

    def _pulled(self, reference: str, error: PypodError | None) -> None:
        """It concerns the containers that would have it pulled now. One that runs has its image, whatever it is of."""
        self.tracer.pulled(reference, error)
        seen, history = self.observed, self.channel.history
        users = [] if seen is None else starting_members.waiting_for(reference, self.desired, seen, history)
        self.recorder.pulled(reference, error, users)

    # probes

    def _try_probe(self, key: ProbeKey, probe: Probe, wait: float) -> CheckResult:
        seen = self.observed
        info = seen.newest(key.container) if seen is not None else None
        if seen is None or info is None or info.attempt != key.attempt or not seen.ip:
            return CheckResult(Verdict.ERROR, "the container is gone")
        target = target_of(self.engine, self.desired.spec, seen, key.container, info, self._reach)
        return checks.check(target, probe.handler, probe.timeout_seconds or 1.0, wait=wait)

    def _probed(self, key: ProbeKey, passed: bool, message: str) -> None:
        entry = journal.Probed(
            self.clock.now(), key.container, key.attempt, key.kind.value, passed, message[:1024]
        )
        self.tracer.probed(key, passed)
        self.channel.write(entry)
        self.wake()

    def _note(self, key: ProbeKey, reason: str, message: str) -> None:
        self.wake()  # a network that was lost makes no event of a container
        self.recorder.repeated(
            journal.Event(self.clock.now(), "Warning", reason, message[:1024], key.container)
        )

    @property
    def is_released(self) -> bool:
        """Nothing more is done for it here."""
        return self._released

    def release(self, *, wait: bool = True) -> None:
        """Do nothing for this pod any more; what a pass has not begun yet is left, pulls are given up, and the rest is waited
        for, unless told not to."""
        self._released = True
        self.changed.set()
        self._prober.stop()
        self.pulls.close()
        execution = self._execution
        if execution is not None:
            execution.cancel()
        if wait:
            with self._pass:
                pass
