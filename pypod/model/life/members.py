"""The containers of a pod as they stand: what the spec says, what was seen, and what the journal tells, side by side.

Planner and status both begin here, so that they cannot disagree about what a container is doing.

The journal must have been read *before* the engine was looked at: what was started in between is then seen and not told of,
which does no harm. The other way round it would be told of and not seen: as if somebody had removed it.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace

from pypod.model.life import restarts
from pypod.model.life.history import History, Record
from pypod.model.spec.pod import Container, PodSpec, RestartPolicy
from pypod.model.spec.restart_rules import RestartRule
from pypod.model.wiring.state import ContainerInfo, ContainerState, PodObservation

VANISHED_EXIT_CODE = 137
"""Of an instance that was started and is no more on the engine (pkg/kubelet/kubelet_pods.go, ContainerStatusUnknown)."""


class Kind(enum.Enum):
    """What a container is for."""

    INIT = "init"
    SIDECAR = "sidecar"
    """An init container with restartPolicy Always."""
    REGULAR = "regular"
    EPHEMERAL = "ephemeral"
    """It joined the running pod, to debug it; no spec has it."""


@dataclass(frozen=True, slots=True)
class Member:
    """One container of a pod.

    Attributes:
        info: its newest instance on the engine; None: there is none.
        record: what the journal tells of the newest instance, on the engine or not.
        current: that instance belongs to the sandbox that there is; always true where no sandbox is.
        policy: when it is restarted.
        ran: an instance of it, not always the newest, was started in this sandbox.
        passed: an init container that others were started after, in this sandbox: whatever became of its instance, it had
            succeeded.
    """

    container: Container
    kind: Kind
    info: ContainerInfo | None
    record: Record
    current: bool
    policy: RestartPolicy
    ran: bool = False
    passed: bool = False

    @property
    def name(self) -> str:
        return self.container.name

    @property
    def attempt(self) -> int:
        """Of the newest instance that ever was, on the engine or not; -1: there never was one."""
        return max(self.record.attempt, self.info.attempt if self.info is not None else -1)

    @property
    def is_vanished(self) -> bool:
        """Its newest instance was started, and somebody removed it."""
        newest = self.info.attempt if self.info is not None else -1
        return self.record.was_started and self.record.attempt > newest

    @property
    def is_live(self) -> bool:
        return self.info is not None and self.info.is_live and not self.is_vanished

    @property
    def has_ended(self) -> bool:
        """Its newest instance ran and ended, could not be started, or was removed."""
        return self.is_vanished or (self.info is not None and self.info.has_ended)

    @property
    def exit_code(self) -> int:
        """Of an instance that has ended."""
        if self.is_vanished or self.info is None:
            return 0 if self.passed else VANISHED_EXIT_CODE
        return self.info.exit_code if self.info.exit_code is not None else 128

    @property
    def succeeded(self) -> bool:
        """It ended with 0. An init container of which a process was killed for want of memory has failed also then
        (pkg/kubelet/kuberuntime/kuberuntime_container.go isInitContainerFailed)."""
        return self.has_ended and self.exit_code == 0 and not self._lacked_memory

    @property
    def _lacked_memory(self) -> bool:
        if self.kind is not Kind.INIT or self.is_vanished or self.info is None:
            return False
        return self.info.oom_killed

    @property
    def hooked(self) -> bool:
        """Its postStart hook, where it has one, is done."""
        return self.container.lifecycle.post_start is None or self.record.hook("postStart") == "done"

    @property
    def is_started(self) -> bool:
        """Kubernetes' ``started``: it runs, its postStart hook is done, and its startup probe has succeeded. One that has
        outlived its sandbox does not count."""
        probed = self.container.startup_probe is None or self.record.passed("startup") is True
        return self.is_live and self.current and self.hooked and probed

    @property
    def is_ready(self) -> bool:
        """Kubernetes' ``ready``; of an init container: it succeeded."""
        if self.kind is Kind.INIT:
            return self.current and self.succeeded
        runs = self.info is not None and self.info.state is ContainerState.RUNNING
        probed = self.container.readiness_probe is None or self.record.passed("readiness") is True
        return self.is_started and runs and probed

    def restart(self, backoff: restarts.Backoff) -> restarts.Restart | None:
        """The restart of its newest instance, which has ended; None: it has ended for good."""
        info = None if self.is_vanished else self.info
        finished = 0.0 if info is None else info.finished_at or info.created_at
        return restarts.decide(
            self.policy,
            exit_code=1 if self._lacked_memory else self.exit_code,
            started_at=info.started_at if info is not None else None,
            finished_at=finished,
            step=self.record.step,
            backoff=backoff,
            rules=self.rules,
        )

    @property
    def rules(self) -> tuple[RestartRule, ...]:
        """What it is restarted after, beside its policy. One that a probe got killed has not ended by itself
        (pkg/kubelet/kuberuntime/kuberuntime_manager.go computePodActions)."""
        stopping = self.record.stopping
        is_killed = stopping is not None and stopping.reason in ("Liveness", "Startup")
        return () if is_killed else self.container.restart_policy_rules


def members_of(spec: PodSpec, observed: PodObservation, history: History) -> tuple[Member, ...]:
    """Every container of a pod: init containers in their order, then the others."""
    found = [_member(spec, container, observed, history) for container in spec.all_containers]
    last = max((index for index, member in enumerate(found) if _ran_here(member)), default=-1)
    return tuple(
        replace(member, passed=member.kind is Kind.INIT and index < last)
        for index, member in enumerate(found)
    )


def _member(spec: PodSpec, container: Container, observed: PodObservation, history: History) -> Member:
    info = observed.newest(container.name)
    last = history.last_started(container.name)
    attempt = info.attempt if info is not None else -1
    if last is not None and last.attempt > attempt:
        record, made_in = last, last.sandbox
    else:
        record, made_in = history.record(container.name, attempt), info.sandbox if info is not None else -1
    pause = observed.pause
    started_in = [old.sandbox for old in history.records.get(container.name, ()) if old.was_started]
    started_in += [i.sandbox for i in observed.members.get(container.name, ()) if i.started_at is not None]
    return Member(
        container,
        kind_of(spec, container),
        info,
        record,
        current=pause is None or made_in == pause.attempt,
        policy=policy_of(spec, container),
        ran=any(pause is None or sandbox == pause.attempt for sandbox in started_in),
    )


def kind_of(spec: PodSpec, container: Container) -> Kind:
    """What one of a spec's containers is for."""
    if not any(container is init for init in spec.init_containers):
        return Kind.REGULAR
    return Kind.SIDECAR if container.restart_policy is RestartPolicy.ALWAYS else Kind.INIT


def policy_of(spec: PodSpec, container: Container) -> RestartPolicy:
    """When one of a spec's containers is restarted: its own policy comes before the pod's. Of an init container, Always
    means: until it succeeds (pkg/kubelet/kuberuntime/kuberuntime_container.go)."""
    policy = container.restart_policy or spec.restart_policy
    if policy is RestartPolicy.ALWAYS and kind_of(spec, container) is Kind.INIT:
        return RestartPolicy.ON_FAILURE
    return policy


def has_initialized(members: tuple[Member, ...]) -> bool:
    """A regular container has been started in this sandbox: init containers are done with, whatever became of them."""
    return any(member.kind is Kind.REGULAR and _ran_here(member) for member in members)


def _ran_here(member: Member) -> bool:
    return member.current and member.ran
