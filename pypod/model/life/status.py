"""How a pod is doing, in Kubernetes' words: a pure function of spec, snapshot and history.

`pypod.model.life.container_status`, `pypod.model.life.phase` and `pypod.model.life.conditions` say it of its parts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from pypod.model.life import joining
from pypod.model.life.conditions import Condition, conditions_of
from pypod.model.life.container_status import (
    ContainerStatus,
    Running,
    Terminated,
    View,
    Waiting,
    ephemeral_status,
    status_of,
)
from pypod.model.life.desired import Desired
from pypod.model.life.finishing import Ending, ending
from pypod.model.life.history import History
from pypod.model.life.members import Kind, has_initialized, members_of
from pypod.model.life.phase import Phase, phase_of
from pypod.model.rules import allotment
from pypod.model.wiring import admission
from pypod.model.wiring.state import PodObservation

__all__ = [
    "Condition",
    "ContainerStatus",
    "Phase",
    "PodStatus",
    "Running",
    "Terminated",
    "Waiting",
    "derive",
]


@dataclass(frozen=True, slots=True)
class PodStatus:
    """A pod, as it was last seen.

    Attributes:
        phase: see `Phase`. ``Succeeded`` and ``Failed`` only when nothing of it runs any more.
        pod_ip: empty while it has none.
        extra_ips: its addresses on the networks that it joined beside its own, by the networks' names. Others than pods dial
            them; one that is missing was taken away.
        start_time: when the pod was accepted, Unix seconds; None before anything of it was.
        conditions: ``PodReadyToStartContainers``, ``Initialized``, ``Ready``, ``ContainersReady``, ``PodScheduled``.
        container_statuses: in the order of the spec.
        reason, message: why the pod as a whole is where it is; often empty.
        terminating: it is being deleted.
        init_container_statuses: in the order of the spec, sidecars among them.
        ephemeral_container_statuses: of those that joined the running pod, oldest first.
        qos_class: ``Guaranteed``, ``Burstable`` or ``BestEffort``.
    """

    phase: Phase
    pod_ip: str = ""
    start_time: float | None = None
    conditions: Mapping[str, Condition] = field(default_factory=lambda: MappingProxyType({}))
    container_statuses: tuple[ContainerStatus, ...] = ()
    reason: str = ""
    message: str = ""
    terminating: bool = False
    init_container_statuses: tuple[ContainerStatus, ...] = ()
    ephemeral_container_statuses: tuple[ContainerStatus, ...] = ()
    qos_class: str = ""
    extra_ips: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def summary(self) -> str:
        """One word for a table, as kubectl's STATUS column has it, but that the reason of the pod itself comes first.

        Source: pkg/printers/internalversion/printers.go, printPod.
        """
        if self.terminating and not self.phase.is_final:
            return "Terminating"
        if self.reason:
            return self.reason
        word = self._init_word()
        if word and not self._holds("Initialized"):
            return word
        return self._containers_word(word or self.phase.value)

    def _holds(self, condition: str) -> bool:
        return condition in self.conditions and self.conditions[condition].status

    def _init_word(self) -> str:
        """What the first init container that is not done, or a sidecar that is not started, is at; empty: there is none."""
        total = len(self.init_container_statuses)
        for done, status in enumerate(self.init_container_statuses):
            match status.state:
                case Terminated(exit_code=0, reason="Completed"):
                    continue
                case _ if status.kind is Kind.SIDECAR and status.started:
                    continue
                case Terminated(reason=reason):
                    return f"Init:{reason}"
                case Waiting(reason=reason) if reason != "PodInitializing":
                    return f"Init:{reason}"
            return f"Init:{done}/{total}"
        return ""

    def _containers_word(self, word: str) -> str:
        """The reason of the first container that has one, else the given word."""
        for status in self.container_statuses:
            if isinstance(status.state, Waiting | Terminated):
                word = status.state.reason
                break
        if word == "Completed" and any(
            isinstance(status.state, Running) and status.ready for status in self.container_statuses
        ):
            return "NotReady"
        return word

    @property
    def ready_count(self) -> int:
        """How many of `container_count` are ready: kubectl's READY column."""
        return sum(status.ready for status in self._lasting)

    @property
    def container_count(self) -> int:
        """Containers and sidecars."""
        return len(self._lasting)

    @property
    def restart_count(self) -> int:
        """Of all containers together."""
        return sum(status.restart_count for status in self._all)

    def container(self, name: str) -> ContainerStatus:
        """The status of one container, of whatever kind. Raises `KeyError` when the pod has none of that name."""
        for status in self._all:
            if status.name == name:
                return status
        raise KeyError(name)

    @property
    def _all(self) -> tuple[ContainerStatus, ...]:
        return (*self.init_container_statuses, *self.container_statuses, *self.ephemeral_container_statuses)

    @property
    def _lasting(self) -> tuple[ContainerStatus, ...]:
        sidecars = [status for status in self.init_container_statuses if status.kind is Kind.SIDECAR]
        return (*sidecars, *self.container_statuses)


def derive(
    desired: Desired, observed: PodObservation, history: History, now: float, *, is_new: bool = False
) -> PodStatus:
    """The status of a pod.

    Args:
        history: what its journal told *before* the engine was looked at (see `pypod.model.life.members`).
        now: Unix seconds.
        is_new: it is about to be made: where nothing of it is there, it is Pending, not gone.
    """
    if observed.is_empty and not is_new:
        return PodStatus(Phase.UNKNOWN, reason="NotFound", message="nothing of the pod is on the engine")
    view = View(desired, observed, history, now)
    members = members_of(desired.spec, observed, history)
    statuses = tuple(status_of(member, view) for member in members)
    initialized = has_initialized(members)
    end = ending(desired, members, observed, history, now)
    phase = _phase(view, statuses, end, initialized)
    reason, message = _reason(view, end)
    if refused := admission.refusal(desired.spec, observed):
        phase, reason, message = Phase.FAILED, refused.reason, refused.message
    return PodStatus(
        phase=phase,
        pod_ip=observed.ip,
        start_time=_start_time(view),
        # That it cannot become ready any more is true from the moment when its end is decided (generate.go is called with it).
        conditions=conditions_of(
            phase if end.entry is None else Phase(end.entry.phase),
            statuses,
            has_sandbox=observed.sandbox is not None,
            has_initialized=initialized,
        ),
        container_statuses=tuple(status for status in statuses if status.kind is Kind.REGULAR),
        reason=reason,
        message=message or _sandbox_words(view),
        terminating=observed.deletion_deadline is not None,
        init_container_statuses=tuple(status for status in statuses if status.kind is not Kind.REGULAR),
        ephemeral_container_statuses=tuple(ephemeral_status(info, view) for info in observed.ephemeral),
        qos_class=allotment.pod_qos(desired.spec).value,
        extra_ips=MappingProxyType(dict(observed.extra_ips)),
    )


def _sandbox_words(view: View) -> str:
    """Why it has no sandbox that members can join; empty: it has, or nothing is known against it."""
    pause = view.observed.pause
    if pause is not None and pause.failed_to_start:
        return pause.error
    return joining.obstacle(view.desired.spec, view.observed, view.history)


def _phase(view: View, statuses: tuple[ContainerStatus, ...], end: Ending, initialized: bool) -> Phase:
    """What was written down as the pod's end is final, and is told when it is over; until then it is where it was before."""
    if end.entry is not None and end.is_over:
        return Phase(end.entry.phase)
    is_terminal = view.observed.deletion_deadline is not None and end.is_over
    phase = phase_of(view.desired.spec, statuses, is_terminal=is_terminal, has_initialized=initialized)
    if is_terminal or not phase.is_final:
        return phase
    return Phase.RUNNING if initialized else Phase.PENDING


def _reason(view: View, end: Ending) -> tuple[str, str]:
    """Reason and message of the pod as a whole."""
    if end.entry is not None and end.is_over:
        return end.entry.reason, end.entry.message
    if end.entry is None and view.observed.lease_lost:
        return "LeaseLost", "the pod's owner is gone"
    return "", ""


def _start_time(view: View) -> float | None:
    """Journals of pods that an older pypod made do not tell it: then the sandbox' creation stands for it."""
    if view.history.began is not None:
        return view.history.began
    pause = view.observed.pause
    return pause.created_at if pause is not None else None
