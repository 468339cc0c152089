"""Runs lifecycle hooks, each on a thread of its own, since a plan must not wait for one; their outcome goes to the journal."""

from __future__ import annotations

import logging
from collections.abc import Callable

from pypod.engine import checks
from pypod.engine.api import Engine
from pypod.engine.channel import Channel
from pypod.engine.checks import CheckResult, Target, Verdict
from pypod.engine.clock import Clock
from pypod.engine.pool import Spawn, on_thread
from pypod.model.life.journal import Entry, Event, Hooked
from pypod.model.life.plan import RunHook
from pypod.model.spec.pod import PodSpec
from pypod.model.wiring.state import ContainerInfo, PodObservation

log = logging.getLogger(__name__)

FAILED_EVENT = {"postStart": "FailedPostStartHook", "preStop": "FailedPreStopHook"}
FAILED_WORDS = {"postStart": "PostStartHook failed", "preStop": "PreStopHook failed"}
LOST = "the supervisor that ran it is gone"

RunsHook = Callable[[Target, RunHook], CheckResult]


def call(target: Target, action: RunHook) -> CheckResult:
    return checks.run_hook(target, action.handler, action.timeout, may_end=action.hook == "preStop")


def target_of(
    engine: Engine,
    spec: PodSpec | None,
    observed: PodObservation,
    container: str,
    info: ContainerInfo | str,
    reach: str = "auto",
) -> Target:
    """Where the checks of one container go."""
    named: dict[str, int] = {}
    for each in spec.all_containers if spec is not None else ():
        if each.name == container:
            named = {port.name: port.container_port for port in each.ports if port.name}
    pause = observed.pause
    return Target(
        engine=engine,
        pause=pause.id if pause is not None else "",
        ip=observed.ip,
        network=observed.network.id if observed.network is not None else "",
        container=info if isinstance(info, str) else info.id,
        ports=named,
        reach=reach,
    )


class HookRunner:
    """Of one pod.

    Args:
        engine: where it runs.
        spec: None: it cannot be read.
        channel: its journal.
        clock: for the times that are written.
        wake: is called when a hook has ended.
        spawn, run: how a task gets a thread, and what a hook is; for tests.
    """

    def __init__(
        self,
        engine: Engine,
        spec: PodSpec | None,
        channel: Channel,
        clock: Clock,
        wake: Callable[[], None],
        *,
        reach: str = "auto",
        spawn: Spawn = on_thread,
        run: RunsHook = call,
    ) -> None:
        self._engine = engine
        self._spec = spec
        self._channel = channel
        self._clock = clock
        self._wake = wake
        self._reach = reach
        self._spawn = spawn
        self._run = run

    def begin(self, action: RunHook, observed: PodObservation) -> None:
        """Write that it began, then let it run."""
        self._channel.write(Hooked(self._clock.now(), action.container, action.attempt, action.hook, "began"))
        target = target_of(self._engine, self._spec, observed, action.container, action.id, self._reach)
        self._spawn(lambda: self._finish(action, self._call(target, action)))

    def _call(self, target: Target, action: RunHook) -> CheckResult:
        try:
            return self._run(target, action)
        except Exception as error:  # a bug of ours must not leave a hook begun for ever
            log.exception("cannot run the %s hook of container %s", action.hook, action.container)
            return CheckResult(Verdict.FAILURE, f"{type(error).__name__}: {error}")

    def _finish(self, action: RunHook, result: CheckResult) -> None:
        now = self._clock.now()
        failed = result.verdict is not Verdict.SUCCESS
        outcome = "failed" if failed else "done"
        entries: list[Entry] = [
            Hooked(now, action.container, action.attempt, action.hook, outcome, result.message)
        ]
        if failed:
            words = f"{FAILED_WORDS[action.hook]}: {result.message}"
            entries.insert(0, Event(now, "Warning", FAILED_EVENT[action.hook], words, action.container))
        self._channel.write(*entries)
        self._wake()


def give_up_lost(channel: Channel, now: float) -> None:
    """Hooks that began under a supervisor that is gone count as done: they are not run again, as with a kubelet."""
    lost = [
        Hooked(now, name, record.attempt, hook.hook, "done", LOST)
        for name, records in channel.history.records.items()
        for record in records
        for hook in record.hooks.values()
        if hook.outcome == "began"
    ]
    channel.write(*lost)
