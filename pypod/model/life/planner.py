"""What to do next for a pod: a pure function of what it should be, what was seen, what happened, and the time.

`plan_sync` answers only what can be done *now*; the next pass, on what is seen then, does the rest. It remembers nothing.
`pypod.model.life.stopping.plan_teardown` brings a pod away.
Sources: pkg/kubelet/kuberuntime/kuberuntime_manager.go computePodActions and SyncPod.
"""

from __future__ import annotations

import ipaddress
from dataclasses import replace

from pypod.model import naming
from pypod.model.life import joining, messages
from pypod.model.life.desired import Desired
from pypod.model.life.finishing import finish, serving
from pypod.model.life.history import History
from pypod.model.life.members import Member, members_of
from pypod.model.life.plan import (
    AttachChannel,
    CreateContainer,
    CreateNetwork,
    CreateVolume,
    KillContainer,
    LoadPauseImage,
    Plan,
    PlanBuilder,
    RemoveContainer,
    StartContainer,
    Write,
)
from pypod.model.life.preparing import Place
from pypod.model.life.starting_members import FAILURE_RETRY, StartSteps
from pypod.model.life.stopping import StopSteps, stops_of
from pypod.model.life.volume_setup import VolumeSteps, places_of, wait_for_sandbox
from pypod.model.spec.pod import EmptyDir
from pypod.model.spec.volume_sources import VOLUME_SOURCES
from pypod.model.wiring import admission
from pypod.model.wiring.requests import Sandbox, network_request, pause_request, volume_requests
from pypod.model.wiring.state import ContainerInfo, ContainerState, PodObservation

ADDRESS_TAKEN = "Address already in use"
"""An engine's words where somebody else has the address (moby libnetwork ipamapi ErrIPAlreadyAllocated). Where it is a port
that is taken they are nearly the same: "listen tcp4 0.0.0.0:80: bind: address already in use"."""

__all__ = ["FAILURE_RETRY", "Desired", "plan_sync"]


NOTHING: frozenset[str] = frozenset()


def plan_sync(
    desired: Desired,
    observed: PodObservation,
    history: History,
    now: float,
    pulling: frozenset[str] = NOTHING,
) -> Plan:
    """What can be done now to bring the pod to where its spec says.

    1. A pod that is marked as to go gets nothing.
    2. A pod at its end is written down as such, once, and what still runs of it is ended.
    3. A sandbox that died, lost its network or was started again takes its members with it; only then is a new one made.
    4. What the sandbox needs: claims, pause image, volumes, network. Then the sandbox, and when it runs, its other networks, and
       what is in its volumes.
    5. Init containers and sidecars in their order, then the containers: each that is missing, or is due to be restarted; and
       the end of those whose probes or hooks have failed. An image that one of them waits for is pulled beside all that.

    Args:
        history: what its journal told *before* the engine was looked at (see `pypod.model.life.members`).
        now: Unix seconds.
        pulling: the images that this process was pulling before the journal was read.
    """
    if observed.deletion_deadline is not None:
        return Plan(waiting="the pod is being deleted")
    return _Sync(desired, observed, history, now, pulling).plan()


class _Sync:
    """One run of `plan_sync`: the steps so far, and what they wait for."""

    def __init__(
        self,
        desired: Desired,
        observed: PodObservation,
        history: History,
        now: float,
        pulling: frozenset[str],
    ) -> None:
        self.spec = desired.spec
        self.desired = desired
        self.observed = observed
        self.history = history
        self.now = now
        self.pulling = pulling
        self.members = members_of(desired.spec, observed, history)
        self.builder = PlanBuilder()
        self.reads: list[int] = []
        self.due: list[float] = []
        self.waiting: list[str] = []

    def plan(self) -> Plan:
        for read in messages.unread(self.spec, self.members, self.observed, self.history):
            self.reads.append(self.builder.add(read))
        finished = finish(self.desired, self.members, self.observed, self.history, self.now)
        if finished.due is not None:
            self.due.append(finished.due)
        if self.history.finished is not None:
            self._end("PodFinished", "the pod is at its end")
            self.waiting.append(f"the pod has {self.history.finished.phase.lower()}")
        elif finished.entry is not None:
            # What is final is complete: the messages come before it.
            self.builder.add(Write((finished.entry, *finished.events), finished.cause), after=self.reads)
        elif (sandbox := serving(self.observed)) is not None:
            self._members(sandbox)
        elif not self._end("SandboxChanged", "its sandbox changed"):
            self._sandbox(self.observed.pause)
        return self.builder.build(
            due=min(self.due, default=None), waiting="; ".join(dict.fromkeys(self.waiting))
        )

    def _end(self, reason: str, cause: str) -> bool:
        """End what runs; whether anything does. Members without their sandbox have lost their network, and must not run
        beside their successors."""
        deadline = self.now + self.spec.termination_grace_period_seconds
        stops = stops_of(
            self.spec, self.observed, self.history, deadline=deadline, reason=reason, cause=cause
        )
        steps = StopSteps(self.builder, stops, self.now)
        self.due += steps.due
        if steps.waiting:
            self.waiting.append(f"grace for {', '.join(sorted(steps.waiting))}")
        return bool(stops)

    # members

    def _place(self, pause: str, attempt: int, *, created: int | None, started: int | None) -> Place:
        """Where a volume of messages is only being made, its directory is known in the next pass."""
        name = naming.volume_name(self.observed.key, naming.MESSAGES)
        places = places_of(self.observed)
        sandbox = Sandbox(
            pause,
            attempt,
            messages=places.directories.get(name, ""),
            node_memory=self.observed.node_memory,
            profiles=self.observed.profiles,
            places=places,
        )
        return Place(sandbox, created, started)

    def _members(self, pause: ContainerInfo) -> None:
        self._remove_older(pause.name, started=None)
        if pause.host_network and self.observed.network is None:
            self._network()  # its address is that of the host on it; another pod's end may have taken it away
        place = self._place(pause.name, pause.attempt, created=None, started=None)
        volumes = self._volumes()
        if not self.observed.is_whole:
            volumes.walk(pause)
        volumes.update(pause)
        self._take(volumes)
        obstacle = self._obstacle()
        joined = None if obstacle else self._join(pause.name, None)
        is_ready = volumes.may_start and not obstacle
        self._start(
            replace(place, started=joined, volumes=tuple(volumes.steps), is_ready=is_ready), self.members
        )

    def _obstacle(self) -> bool:
        """Whether a network of others that the sandbox has to join is not to be had."""
        words = joining.obstacle(self.spec, self.observed, self.history)
        if words:
            self.waiting.append(words)
            self.due.append(self.now + FAILURE_RETRY)
        return bool(words)

    def _join(self, pause: str, started: int | None) -> int | None:
        return joining.connect(
            self.builder, self.spec, self.observed, self.history, pause=pause, started=started
        )

    def _volumes(self) -> VolumeSteps:
        return VolumeSteps(self.desired, self.observed, self.history, self.now, self.builder)

    def _take(self, volumes: VolumeSteps) -> None:
        self.due += volumes.due
        self.waiting += volumes.waiting

    def _remove_older(self, name: str, started: int | None) -> None:
        """All sandboxes but the one of this name. One that ran is kept until the new one runs, since its log is the journal,
        and until the messages are read that it holds."""
        for old in self.observed.pauses:
            if old.name == name or old.state is ContainerState.REMOVING:
                continue
            ran = not old.failed_to_start or old is self.observed.pause
            after = [started, *self.reads] if ran else []
            self.builder.add(RemoveContainer(old.id, old.name, "an older sandbox"), after=after)

    def _start(self, place: Place, members: tuple[Member, ...]) -> None:
        steps = StartSteps(
            self.desired, self.observed, self.history, self.now, self.builder, place, self.pulling
        )
        steps.walk(members)
        self.due += steps.due
        self.waiting += steps.waiting

    # the sandbox

    def _sandbox(self, old: ContainerInfo | None) -> None:
        if old is not None and old.is_live:
            cause = "it has lost its network" if self.observed.sandbox is None else "it was started again"
            self.builder.add(KillContainer(old.id, old.name, "SIGKILL", cause))
            return
        if refused := admission.refusal(self.spec, self.observed):
            self.waiting.append(f"{refused.reason}: {refused.message}")
            return
        if (old is not None and self._retry_later(old)) or self._obstacle():
            return
        claims = self._volumes()
        claims.claims()
        if not claims.may_start:
            self._take(claims)
            return
        ready = self._infrastructure()
        network = self.observed.network
        if network is None:
            return
        if old is not None and old.state.value == "created" and not old.failed_to_start:
            created, name, attempt = None, old.name, old.attempt
            cause = "the sandbox was made but not started"
        else:
            attempt = old.attempt + 1 if old is not None else self._first_attempt()
            cause = f"sandbox {old.name} is not running" if old is not None else "no sandbox"
            request = pause_request(
                self.spec,
                self.desired.identity,
                attempt=attempt,
                image=self.observed.pause_image,
                network_id=network.id,
                ip=self._wanted_ip(old),
            )
            created = self.builder.add(CreateContainer(request, "", cause), after=ready)
            name = request.name
        attached = self.builder.add(AttachChannel(name, "lease and journal"), after=[created])
        started = self.builder.add(StartContainer(name, "", cause, attempt), after=[attached])
        self._remove_older(name, started)
        joined = self._join(name, started)
        if wait_for_sandbox(self.spec):
            self.waiting.append("its volumes are set up when its sandbox runs")
            return
        place = self._place(name, attempt, created=created, started=joined)
        self._start(place, tuple(_moved(member, attempt) for member in self.members))

    def _first_attempt(self) -> int:
        """Past every sandbox that there was: where the last one was removed, its members tell how far it had come."""
        seen = [info.sandbox for info in self.observed.all_members]
        told = [record.sandbox for records in self.history.records.values() for record in records]
        return 1 + max([*seen, *told], default=-1)

    def _wanted_ip(self, old: ContainerInfo | None) -> str:
        """The address that the pod had, unless somebody else has it by now."""
        if old is not None and old.failed_to_start and ADDRESS_TAKEN in old.error:
            return ""
        network = self.observed.network
        return self.history.ip if network is not None and _is_within(self.history.ip, network.subnets) else ""

    def _retry_later(self, pause: ContainerInfo) -> bool:
        """A sandbox that the engine could not start (a published port is taken) is made again, not in a hurry."""
        if not pause.failed_to_start or ADDRESS_TAKEN in pause.error:
            return False
        ran = next((old.attempt for old in self.observed.pauses if not old.failed_to_start), -1)
        due = pause.created_at + self.desired.backoff.delay(pause.attempt - ran)
        if due <= self.now:
            return False
        self.due.append(due)
        self.waiting.append(f"the sandbox could not be started: {pause.error}")
        return True

    def _network(self) -> list[int]:
        owner = self.desired.identity.owner
        request = network_request(self.spec.network, self.observed.taken_subnets, owner)
        if request is not None:
            return [self.builder.add(CreateNetwork(request, "the engine has not got the pod network"))]
        self.waiting.append("no subnet is free for the pod network")
        self.due.append(self.now + FAILURE_RETRY)
        return []

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
            steps += self._network()
        present = {volume.name for volume in observed.volumes}
        wanted = volume_requests(self.spec, self.desired.identity, observed.node_memory, observed.objects)
        steps += [
            self.builder.add(CreateVolume(volume, self._volume_cause(volume.name)))
            for volume in wanted
            if volume.name not in present
        ]
        return steps

    def _volume_cause(self, name: str) -> str:
        key = self.observed.key
        if name == naming.volume_name(key, naming.MESSAGES):
            return "for termination messages"
        [source] = [v.source for v in self.spec.volumes if naming.volume_name(key, v.name) == name]
        if isinstance(source, EmptyDir):
            return "emptyDir begins empty"
        return f"for {VOLUME_SOURCES.name_of(source) or 'its files'}"


def _moved(member: Member, attempt: int) -> Member:
    """The member as it stands to a sandbox that is being made."""
    if member.is_vanished or member.info is None:
        return replace(member, current=member.record.sandbox in (attempt, -1))
    return replace(member, current=member.info.sandbox == attempt)


def _is_within(ip: str, subnets: tuple[str, ...]) -> bool:
    if not ip:
        return False
    return any(ipaddress.ip_address(ip) in ipaddress.ip_network(subnet, strict=False) for subnet in subnets)
