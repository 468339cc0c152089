"""Probes: which are to be run now, and what the tries of one say together.

Source of the rules: pkg/kubelet/prober (worker.go, prober_manager.go). In addition to a kubelet's, a fast try (between two
periods, until the first success) can only detect success: a fast try that fails changes nothing.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Iterator, Mapping

from pypod.model.life.history import History
from pypod.model.life.members import Member, members_of
from pypod.model.records import record
from pypod.model.rules import expansion
from pypod.model.spec.handlers import Probe
from pypod.model.spec.pod import PodSpec
from pypod.model.wiring.state import PodObservation

DEFAULT_PERIOD = 10.0
"""Seconds; like the two thresholds below it also stands for a 0 in the spec (pkg/apis/core/v1/defaults.go, SetDefaults_Probe)."""
MIN_PERIOD = 0.01
"""Seconds; more often nothing is asked."""
DEFAULT_SUCCESS_THRESHOLD = 1
DEFAULT_FAILURE_THRESHOLD = 3


class Kind(enum.Enum):
    """What a probe is asked for; the values are the journal's words."""

    STARTUP = "startup"
    LIVENESS = "liveness"
    READINESS = "readiness"


@record(frozen=True, slots=True)
class ProbeKey:
    """One probe of one instance of a container."""

    container: str
    attempt: int
    kind: Kind


@record(frozen=True, slots=True)
class Wanted:
    """A probe that is to be run.

    Attributes:
        started_at: of the instance, Unix seconds by the engine's clock: the initial delay counts from there.
        initial: its last known result, from the journal; None: there was none.
    """

    probe: Probe
    started_at: float
    initial: bool | None


@record(frozen=True, slots=True)
class State:
    """What the tries of one probe have come to.

    Attributes:
        result: what holds: passed or not; None: not known yet.
        is_told: the result was reached by tries, or needs none: only another one is a change.
        success: of the last tries that counted.
        run: how many of them in a row.
    """

    result: bool | None
    is_told: bool
    success: bool = False
    run: int = 0


_BEFORE_ANY_TRY = {
    Kind.STARTUP: State(None, is_told=False),
    Kind.LIVENESS: State(True, is_told=True),
    Kind.READINESS: State(False, is_told=False),
}


def begin(kind: Kind, initial: bool | None = None) -> State:
    """Before the first try: with the last known result, else not ready, alive, and not known to have started."""
    return _BEFORE_ANY_TRY[kind] if initial is None else State(initial, is_told=True)


def step(state: State, probe: Probe, success: bool, fast: bool = False) -> tuple[State, bool | None]:
    """The state after one more try, and the new result where a threshold was reached and the result is another, or the
    first, one.

    Args:
        state: before the try.
        probe: whose thresholds hold.
        success: what the try said. One that could not be made at all says nothing, and is no step.
        fast: the try was made between two periods.
    """
    if fast and not success:
        return state, None
    run = state.run + 1 if success is state.success else 1
    if run < (success_threshold(probe) if success else failure_threshold(probe)):
        return State(state.result, state.is_told, success, run), None
    is_change = not state.is_told or success is not state.result
    return State(success, True, success, run), success if is_change else None


def is_final(kind: Kind, result: bool | None) -> bool:
    """No more tries follow a result that was reached: the instance has started, or it is killed."""
    return (kind is Kind.STARTUP and result is not None) or (kind is Kind.LIVENESS and result is False)


def success_threshold(probe: Probe) -> int:
    return probe.success_threshold or DEFAULT_SUCCESS_THRESHOLD


def failure_threshold(probe: Probe) -> int:
    return probe.failure_threshold or DEFAULT_FAILURE_THRESHOLD


def period(probe: Probe) -> float:
    """Seconds between two tries that count."""
    return max(probe.period_seconds or DEFAULT_PERIOD, MIN_PERIOD)


def first_try(wanted: Wanted, now: float) -> float:
    """When the period grid begins: at once, or when the initial delay is over.

    An engine whose clock is ahead of ours (another machine's) does not make the delay longer than it is.
    """
    return max(now, min(wanted.started_at, now) + wanted.probe.initial_delay_seconds)


def next_try(begun: float, period_seconds: float, now: float) -> float:
    """The first point of the grid after now; points that were missed are left out.

    A point that is closer than a thousandth of a period is now itself: Unix seconds are fractions of 2.4e-7.
    """
    return begun + (math.floor((now - begun) / period_seconds + 0.001) + 1) * period_seconds


def wanted(
    spec: PodSpec, observed: PodObservation, history: History, *, terminating: bool
) -> Mapping[ProbeKey, Wanted]:
    """The probes that are to be run now.

    Args:
        spec, observed, history: of the pod.
        terminating: the pod is to go, or to end: readiness alone goes on.
    """
    if history.finished is not None or observed.sandbox is None:
        return {}
    found: dict[ProbeKey, Wanted] = {}
    for member in members_of(spec, observed, history):
        # A member of an earlier sandbox has no network any more: what answers at the pod's address is not that member.
        if member.info is None or not member.is_live or not member.current:
            continue
        started_at = member.info.started_at if member.info.started_at is not None else observed.at
        for kind, probe in _probes_of(member, terminating):
            key = ProbeKey(member.name, member.info.attempt, kind)
            made = expansion.probe(member.container, probe)
            found[key] = Wanted(made, started_at, member.record.passed(kind.value))
    return found


def _probes_of(member: Member, terminating: bool) -> Iterator[tuple[Kind, Probe]]:
    """Of a live instance. A kubelet knows of its start only when its postStart hook is done: no probe runs before."""
    container, record = member.container, member.record
    stays = not terminating and record.stopping is None
    startup, liveness, readiness = (
        container.startup_probe,
        container.liveness_probe,
        container.readiness_probe,
    )
    if startup is not None and stays and member.hooked and record.passed(Kind.STARTUP.value) is None:
        yield Kind.STARTUP, startup
    if not member.is_started:
        return
    if liveness is not None and stays and record.passed(Kind.LIVENESS.value) is not False:
        yield Kind.LIVENESS, liveness
    if readiness is not None:
        yield Kind.READINESS, readiness
