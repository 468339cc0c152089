"""How running containers are brought to their end: preStop, the stop signal, and SIGKILL when the grace is over.

It is the same for one container whose liveness probe failed, for a pod that is at its end, and for one that is deleted.
Sources: pkg/kubelet/kuberuntime/kuberuntime_container.go killContainer, kuberuntime_termination_order.go.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from pypod.model import naming
from pypod.model.life.history import History, Record
from pypod.model.life.journal import Event, Stopping
from pypod.model.life.members import Kind, members_of
from pypod.model.life.plan import (
    KillContainer,
    Plan,
    PlanBuilder,
    RemoveContainer,
    RemoveNetwork,
    RemoveVolume,
    RenameContainer,
    RunHook,
    Write,
)
from pypod.model.spec.handlers import Lifecycle
from pypod.model.spec.pod import PodSpec
from pypod.model.wiring.state import ContainerInfo, NetworkInfo, PodObservation

FLOOR = 2.0
"""Seconds that a container has between its stop signal and SIGKILL even where preStop, or the containers that a sidecar waits
for, took the whole grace (a kubelet's minimumGracePeriodInSeconds)."""


@dataclass(frozen=True, slots=True)
class Stop:
    """One running instance that is to end.

    Attributes:
        name: the container's.
        deadline: when its grace ends, Unix seconds; not after `now`: it is killed at once, without preStop.
        reason: see `Stopping.reason`.
        cause: for people.
        turn: it gets its signal when none of a lower turn runs any more.
    """

    name: str
    info: ContainerInfo
    record: Record
    deadline: float
    reason: str
    cause: str
    lifecycle: Lifecycle = field(default_factory=Lifecycle)
    turn: int = 0


def stops_of(
    spec: PodSpec | None,
    observed: PodObservation,
    history: History,
    *,
    deadline: float,
    reason: str,
    cause: str,
) -> list[Stop]:
    """All that runs of a pod: the containers first, then its sidecars in the reverse of their order.

    Args:
        spec: None: it cannot be read, and there are no hooks and no order.
    """
    members = {member.name: member for member in members_of(spec, observed, history)} if spec else {}
    sidecars = [member.name for member in members.values() if member.kind is Kind.SIDECAR]
    turns = {name: len(sidecars) - index for index, name in enumerate(sidecars)}
    found = []
    for info in observed.all_members:
        if not info.is_live:
            continue
        name = info.container
        lifecycle = members[name].container.lifecycle if name in members else Lifecycle()
        record = history.record(name, info.attempt)
        found.append(Stop(name, info, record, deadline, reason, cause, lifecycle, turns.get(name, 0)))
    return found


class StopSteps:
    """What can be done now for some stops.

    Attributes:
        due: when something is due by time alone.
        waiting: the containers that still have their grace.
    """

    def __init__(
        self, builder: PlanBuilder, stops: Sequence[Stop], now: float, after: int | None = None
    ) -> None:
        self._builder = builder
        self._now = now
        self._after = after
        # Ephemeral containers hold up no sidecar (kuberuntime_termination_order.go knows only those of the spec).
        self._turn = min((stop.turn for stop in stops if not stop.info.is_ephemeral), default=0)
        self._in_order = len(stops) > 1
        self.due: list[float] = []
        self.waiting: list[str] = []
        for stop in stops:
            self._step(stop)

    def _step(self, stop: Stop) -> None:
        begun = stop.record.stopping
        deadline = stop.deadline if begun is None else min(stop.deadline, begun.deadline)
        if deadline <= (begun.at if begun is not None else self._now):
            self._kill(stop, "SIGKILL", self._note(stop, deadline))
            return
        note = self._note(stop, deadline)
        if self._holds(stop, deadline, note):
            self._wait(stop, deadline)
            return
        signalled = stop.record.signalled
        if signalled is None:
            self._kill(stop, stop.info.stop_signal, note)
        # Without hook and turn the signal came at once: the grace is what was asked for, to the millisecond.
        floor = FLOOR if stop.lifecycle.pre_stop is not None or stop.turn else 0.0
        end = max(deadline, (self._now if signalled is None else signalled) + floor)
        if self._now < end:
            self._wait(stop, end)
        else:
            self._kill(stop, "SIGKILL", note)

    def _holds(self, stop: Stop, deadline: float, note: int | None) -> bool:
        """Its stop signal is not due: preStop runs, or it serves others that still run."""
        if stop.record.signalled is not None or self._now >= deadline:
            return False
        hook = stop.lifecycle.pre_stop
        outcome = stop.record.hook("preStop")
        if hook is not None and not outcome:
            self._builder.add(
                RunHook(
                    stop.info.id,
                    stop.name,
                    stop.info.attempt,
                    "preStop",
                    hook,
                    deadline - self._now,
                    stop.cause,
                ),
                after=[note, self._after],
            )
            return True
        return outcome == "began" or stop.turn > self._turn

    def _note(self, stop: Stop, deadline: float) -> int | None:
        """Written before it is done, so that another supervisor goes on from there."""
        if stop.record.stopping is not None:
            return None
        attempt = stop.info.attempt
        note = Stopping(self._now, stop.name, attempt, deadline, stop.reason, sidecars=self._in_order)
        event = Event(self._now, "Normal", "Killing", _words(stop), stop.name)
        return self._builder.add(Write((note, event), stop.cause), after=[self._after])

    def _kill(self, stop: Stop, signal: str, note: int | None) -> None:
        self._builder.add(
            KillContainer(stop.info.id, stop.info.name, signal, stop.cause, stop.name, stop.info.attempt),
            after=[note, self._after],
        )

    def _wait(self, stop: Stop, until: float) -> None:
        self.due.append(until)
        self.waiting.append(stop.name)


_PROBES = {"Liveness": "liveness", "Startup": "startup"}


def _words(stop: Stop) -> str:
    if stop.reason in _PROBES:
        return f"Container {stop.name} failed {_PROBES[stop.reason]} probe, will be restarted"
    if stop.reason == "PostStartHookError":
        return f"Container {stop.name} failed its postStart hook"
    return f"Stopping container {stop.name}"


def plan_teardown(
    spec: PodSpec | None,
    observed: PodObservation,
    history: History,
    *,
    deadline: float,
    now: float,
    kill: bool = False,
) -> Plan:
    """What can be done now to bring the pod away.

    1. The pause is renamed: that is the deletion mark.
    2. While there is grace: preStop hooks and stop signals, sidecars last.
    3. When all have ended, or grace has: everything goes, volumes after the containers. An isolated network is not the
       pod's alone, and goes last (`plan_network_removal`).

    Args:
        spec: of the pod; None: it cannot be read.
        deadline: when the grace ends.
        kill: end it now, whatever the grace.
    """
    builder = PlanBuilder()
    mark = _mark(builder, observed, deadline)
    if now < deadline + 2 * FLOOR and not kill:
        stops = stops_of(
            spec, observed, history, deadline=deadline, reason="Deleted", cause="the pod is deleted"
        )
        steps = StopSteps(builder, stops, now, after=mark)
        if steps.waiting:
            names = ", ".join(sorted(steps.waiting))
            return builder.build(due=min(steps.due), waiting=f"grace for {names}")
        builder = PlanBuilder()
        mark = _mark(builder, observed, deadline)
    _remove_all(builder, observed, mark)
    return builder.build()


def _mark(builder: PlanBuilder, observed: PodObservation, deadline: float) -> int | None:
    pause = observed.pause
    if pause is None or naming.deletion_deadline(pause.name) is not None:
        return None
    new_name = naming.deleting_name(observed.key, pause.attempt, deadline)
    return builder.add(RenameContainer(pause.id, pause.name, new_name, "the deletion mark"))


def _remove_all(builder: PlanBuilder, observed: PodObservation, mark: int | None) -> None:
    # With a shared PID space the pause's end is everybody's: measured faster than many kills (135 to 153 ms for four). Of a
    # container that has ended, or is the last to run, the removal is all.
    runs = any(info.is_live for info in observed.all_members)
    kills = [
        builder.add(KillContainer(info.id, info.name, "SIGKILL", "the pod is deleted"), after=[mark])
        for info in observed.pauses
        if info.is_live and runs
    ]
    removals = [
        builder.add(
            RemoveContainer(info.id, info.name, "the pod is deleted"),
            after=[mark, *(kills if info.is_live else ())],
        )
        for info in (*observed.all_members, *observed.pauses)
    ]
    for volume in observed.volumes:
        builder.add(RemoveVolume(volume.name, "the pod is deleted"), after=removals)


def plan_network_removal(network: str, networks: Iterable[NetworkInfo]) -> Plan:
    """The end of the isolated network of that name, when nothing of one of its pods is left: the engine refuses it while
    another pod is on it, so of pods that leave at the same time the last one removes it. There may be two of the name, which
    raced into being.

    Args:
        network: empty: the flat one, which stays.
        networks: of the engine.
    """
    builder = PlanBuilder()
    for each in networks if network else ():
        if naming.network_of(each.labels) == network:
            builder.add(RemoveNetwork(each.id, each.name, "its last pod may be gone"))
    return builder.build()
