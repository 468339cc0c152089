"""What to do next for a pod: pure functions of what it should be, what was seen, what happened, and the time.

`plan_sync` brings a pod to where its spec says, `plan_teardown` brings it away. Both answer only what can be done *now*;
the next pass, on what is seen then, does the rest. Neither remembers anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pypod.model import naming, restarts
from pypod.model.journal import History
from pypod.model.plan import (
    AttachChannel,
    CreateContainer,
    CreateNetwork,
    CreateVolume,
    KillContainer,
    LoadPauseImage,
    Plan,
    PlanBuilder,
    PullImage,
    RemoveContainer,
    RemoveNetwork,
    RemoveVolume,
    RenameContainer,
    StartContainer,
)
from pypod.model.requests import (
    PodIdentity,
    member_request,
    network_request,
    pause_request,
    volume_requests,
)
from pypod.model.restarts import Backoff
from pypod.model.spec import Container, PodSpec, PullPolicy, RestartPolicy
from pypod.model.state import ContainerInfo, PodObservation

LEASE_LOST = 97
"""The exit code with which a pause says that its owner is gone (`pypod.engine.pause.LEASE_LOST_EXIT_CODE`)."""
FAILURE_RETRY = 10.0
"""Seconds until what the engine refused, or a registry did not give, is tried again: a kubelet's first image back-off."""


@dataclass(frozen=True, slots=True)
class Desired:
    """What a pod should be."""

    spec: PodSpec
    identity: PodIdentity
    backoff: Backoff = restarts.DEFAULT


def plan_sync(desired: Desired, observed: PodObservation, history: History, now: float) -> Plan:
    """What can be done now to bring the pod to where its spec says.

    1. A pod that is marked as to go, or whose lease was lost, gets nothing.
    2. A sandbox that died takes its members with it; only then is a new one made.
    3. What the sandbox needs: pause image, volumes, network.
    4. The sandbox.
    5. Each member that is missing, or is due to be restarted, as soon as its image is there.
    """
    if observed.deletion_deadline is not None:
        return Plan(waiting="the pod is being deleted")
    if lease_lost(observed):
        return Plan(waiting="the pod's lease was lost")
    return _Sync(desired, observed, history, now).plan()


def lease_lost(observed: PodObservation) -> bool:
    """The pause said that its owner is gone."""
    pause = observed.pause
    return pause is not None and pause.has_ended and pause.exit_code == LEASE_LOST


class _Sync:
    """One run of `plan_sync`: the steps so far, and what they wait for."""

    def __init__(self, desired: Desired, observed: PodObservation, history: History, now: float) -> None:
        self.spec = desired.spec
        self.desired = desired
        self.observed = observed
        self.history = history
        self.now = now
        self.builder = PlanBuilder()
        self.due: list[float] = []
        self.waiting: list[str] = []

    def plan(self) -> Plan:
        pause = self.observed.pause
        if pause is None or not pause.is_live:
            if self._kill_orphans():
                return self.builder.build()
            if self._is_over(pause):
                return Plan(waiting="the sandbox ended, and no container of the pod is started again")
            self._sandbox(pause)
        else:
            pulls = self._pulls()
            self._members(pause.name, pulls, created=None, started=None)
        return self.builder.build(
            due=min(self.due, default=None), waiting="; ".join(dict.fromkeys(self.waiting))
        )

    def _kill_orphans(self) -> bool:
        """End members whose sandbox is gone: they have lost their network, and must not run beside their successors."""
        orphans = [info for info in self.observed.all_members if info.is_live]
        for info in orphans:
            self.builder.add(KillContainer(info.id, info.name, "SIGKILL", "its sandbox is not running"))
        return bool(orphans)

    def _is_over(self, pause: ContainerInfo | None) -> bool:
        """Source: a kubelet makes no second sandbox for restartPolicy Never (kuberuntime_manager.go computePodActions)."""
        ran = pause is not None and pause.started_at is not None and bool(self.observed.members)
        if ran and self.spec.restart_policy is RestartPolicy.NEVER:
            return True
        newest = [self.observed.newest(container.name) for container in self.spec.containers]
        return ran and all(info is not None and self._has_ended_for_good(info) for info in newest)

    def _has_ended_for_good(self, info: ContainerInfo) -> bool:
        return info.has_ended and decide_restart(self.desired, info, self.history) is None

    def _sandbox(self, old: ContainerInfo | None) -> None:
        if old is not None and self._retry_later(old):
            return
        pulls = self._pulls()
        ready = self._infrastructure()
        network = self.observed.network
        if network is None:
            return
        if old is not None and old.state.value == "created" and not old.failed_to_start:
            created, name, cause = None, old.name, "the sandbox was made but not started"
        else:
            attempt = old.attempt + 1 if old is not None else self._first_attempt()
            cause = f"sandbox {old.name} is not running" if old is not None else "no sandbox"
            request = pause_request(
                self.spec,
                self.desired.identity,
                attempt=attempt,
                image=self.observed.pause_image,
                network_id=network.id,
            )
            created = self.builder.add(CreateContainer(request, "", cause), after=ready)
            name = request.name
        attached = self.builder.add(AttachChannel(name, "lease and journal"), after=[created])
        started = self.builder.add(StartContainer(name, "", cause), after=[attached])
        for info in self.observed.pauses:
            if info.name != name:
                self.builder.add(RemoveContainer(info.id, info.name, "an older sandbox"), after=[started])
        self._members(name, pulls, created=created, started=started, fresh=True)

    def _first_attempt(self) -> int:
        """Past every sandbox that there was: where the last one was removed, its members tell how far it had come."""
        return 1 + max((info.attempt for info in self.observed.all_members), default=-1)

    def _retry_later(self, pause: ContainerInfo) -> bool:
        """A sandbox that the engine could not start (a published port is taken) is made again, not in a hurry."""
        if not pause.failed_to_start:
            return False
        due = pause.created_at + self.desired.backoff.delay(pause.attempt + 1)
        if due <= self.now:
            return False
        self.due.append(due)
        self.waiting.append(f"the sandbox could not be started: {pause.error}")
        return True

    def _infrastructure(self) -> list[int]:
        """Pause image, volumes and network, all at once; the pause waits for them."""
        observed = self.observed
        steps = []
        if not observed.pause_image_present:
            steps.append(
                self.builder.add(
                    LoadPauseImage(observed.pause_image, "the engine has not got the pause image")
                )
            )
        if observed.network is None:
            request = network_request(self.spec.network, observed.taken_subnets)
            if request is None:
                self.waiting.append("no subnet is free for the pod network")
                self.due.append(self.now + FAILURE_RETRY)
            else:
                steps.append(
                    self.builder.add(CreateNetwork(request, "the engine has not got the pod network"))
                )
        present = {volume.name for volume in observed.volumes}
        missing = [v for v in volume_requests(self.spec, self.desired.identity) if v.name not in present]
        return steps + [self.builder.add(CreateVolume(volume, "emptyDir begins empty")) for volume in missing]

    # images

    def _pulls(self) -> Mapping[str, int]:
        """A pull for each image that is wanted and may be asked for; the step by reference."""
        pulls: dict[str, int] = {}
        for container in self.spec.containers:
            cause = self._pull_cause(container)
            if cause and container.image not in pulls:
                pulls[container.image] = self.builder.add(PullImage(container.image, cause))
        return pulls

    def _pull_cause(self, container: Container) -> str:
        if self._failure_holds(container.name):
            return ""
        newest = self.observed.newest(container.name)
        if newest is not None and not self._will_start_again(newest):
            return ""
        if container.pull_policy is PullPolicy.ALWAYS and container.image not in self.history.pulled:
            return "imagePullPolicy Always"
        if (
            container.pull_policy is not PullPolicy.NEVER
            and self.observed.images.get(container.image) is None
        ):
            return f"not on the engine, imagePullPolicy {container.pull_policy.value}"
        return ""

    def _will_start_again(self, newest: ContainerInfo) -> bool:
        """In this pass. A new sandbox waits for no back-off."""
        if not newest.has_ended:
            return False
        decision = decide_restart(self.desired, newest, self.history)
        pause = self.observed.pause
        return decision is not None and (decision.due <= self.now or pause is None or not pause.is_live)

    def _failure_holds(self, container: str) -> bool:
        """What failed a moment ago is not tried again yet; notes when it will be."""
        failure = self.history.failures.get(container)
        if failure is None:
            return False
        due = failure.at + FAILURE_RETRY
        if due <= self.now:
            return False
        self.due.append(due)
        self.waiting.append(f"container {container}: {failure.reason}")
        return True

    # members

    def _members(
        self,
        pause: str,
        pulls: Mapping[str, int],
        *,
        created: int | None,
        started: int | None,
        fresh: bool = False,
    ) -> None:
        for container in self.spec.containers:
            newest = self.observed.newest(container.name)
            if newest is None:
                self._start_new(
                    container, pause, pulls, (created, started), attempt=0, step=0, cause="not there yet"
                )
            elif newest.has_ended:
                self._restart(container, newest, pause, pulls, (created, started), fresh=fresh)
            elif newest.state.value == "created":
                self._start_created(container, newest, pause, (created, started), pulls, fresh=fresh)

    def _start_created(
        self,
        container: Container,
        newest: ContainerInfo,
        pause: str,
        sandbox: tuple[int | None, int | None],
        pulls: Mapping[str, int],
        *,
        fresh: bool,
    ) -> None:
        if fresh:  # it was made for the sandbox that is gone, and names that one's ID
            self._start_new(
                container,
                pause,
                pulls,
                sandbox,
                attempt=newest.attempt + 1,
                step=0,
                cause="its sandbox changed",
            )
            return
        step = self.history.backoff_steps.get(container.name, min(newest.attempt, 1))
        self.builder.add(
            StartContainer(newest.name, container.name, "made but not started", newest.attempt, step)
        )

    def _restart(
        self,
        container: Container,
        newest: ContainerInfo,
        pause: str,
        pulls: Mapping[str, int],
        sandbox: tuple[int | None, int | None],
        *,
        fresh: bool,
    ) -> None:
        decision = decide_restart(self.desired, newest, self.history)
        if decision is None:
            return
        if decision.due > self.now and not fresh:
            self.due.append(decision.due)
            self.waiting.append(f"container {container.name}: back-off {decision.delay:g}s")
            return
        for old in self.observed.members[container.name][1:]:
            self.builder.add(RemoveContainer(old.id, old.name, "only the last dead instance is kept"))
        code = newest.exit_code
        cause = (
            f"exited with code {code}, restart {newest.attempt + 1}, policy {self.spec.restart_policy.value}"
        )
        self._start_new(
            container, pause, pulls, sandbox, attempt=newest.attempt + 1, step=decision.step, cause=cause
        )

    def _start_new(
        self,
        container: Container,
        pause: str,
        pulls: Mapping[str, int],
        sandbox: tuple[int | None, int | None],
        *,
        attempt: int,
        step: int,
        cause: str,
    ) -> None:
        pull = pulls.get(container.image)
        image = self.observed.images.get(container.image)
        if self._failure_holds(container.name):
            return
        if image is None and pull is None:
            self.waiting.append(f"container {container.name}: image {container.image} is not on the engine")
            return
        request = member_request(
            self.spec,
            container,
            self.desired.identity,
            attempt=attempt,
            # By ID once it is here, so that a tag that moves meanwhile changes nothing; a pull decides the ID anew.
            image=image.id if image is not None and pull is None else container.image,
            pause=pause,
        )
        pause_created, pause_started = sandbox
        created = self.builder.add(
            CreateContainer(request, container.name, cause), after=[pause_created, pull]
        )
        self.builder.add(
            StartContainer(request.name, container.name, cause, attempt, step), after=[created, pause_started]
        )


def decide_restart(desired: Desired, ended: ContainerInfo, history: History) -> restarts.Restart | None:
    """The restart of a member that has ended; None: it has ended for good."""
    code = ended.exit_code
    return restarts.decide(
        desired.spec.restart_policy,
        exit_code=code if code is not None else 128,
        started_at=ended.started_at,
        finished_at=ended.finished_at if ended.finished_at is not None else ended.created_at,
        step=history.backoff_steps.get(ended.container, 0),
        backoff=desired.backoff,
    )


def plan_teardown(
    observed: PodObservation, *, deadline: float, signalled: frozenset[str], now: float
) -> Plan:
    """What can be done now to bring the pod away.

    1. The pause is renamed: that is the deletion mark.
    2. While there is grace, members get their stop signal, once each (``signalled`` has the IDs that did).
    3. When all have ended, or grace has: everything goes, volumes and an isolated network after the containers.
    """
    builder = PlanBuilder()
    mark = _mark(builder, observed, deadline)
    live = [info for info in observed.all_members if info.is_live]
    if live and now < deadline:
        for info in live:
            if info.id not in signalled:
                builder.add(
                    KillContainer(info.id, info.name, info.stop_signal, "the pod is deleted"), after=[mark]
                )
        names = ", ".join(sorted(info.container for info in live))
        return builder.build(due=deadline, waiting=f"grace for {names}")
    _remove_all(builder, observed, mark)
    return builder.build()


def _mark(builder: PlanBuilder, observed: PodObservation, deadline: float) -> int | None:
    pause = observed.pause
    if pause is None or naming.deletion_deadline(pause.name) is not None:
        return None
    new_name = naming.deleting_name(observed.key, pause.attempt, deadline)
    return builder.add(RenameContainer(pause.id, pause.name, new_name, "the deletion mark"))


def _remove_all(builder: PlanBuilder, observed: PodObservation, mark: int | None) -> None:
    # With a shared PID space the pause's end is everybody's: measured faster than many kills (135 to 153 ms for four).
    kills = [
        builder.add(KillContainer(info.id, info.name, "SIGKILL", "the pod is deleted"), after=[mark])
        for info in observed.pauses
        if info.is_live
    ]
    removals = [
        builder.add(RemoveContainer(info.id, info.name, "the pod is deleted"), after=[mark, *kills])
        for info in (*observed.all_members, *observed.pauses)
    ]
    for volume in observed.volumes:
        builder.add(RemoveVolume(volume.name, "the pod is deleted"), after=removals)
    network = observed.network
    if network is not None and naming.network_of(network.labels):
        builder.add(RemoveNetwork(network.id, network.name, "its last pod may be gone"), after=removals)
