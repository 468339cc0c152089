"""Which containers of a pod are started, restarted or stopped now, given a sandbox.

Sources: pkg/kubelet/kuberuntime/kuberuntime_manager.go computePodActions, kuberuntime_container.go computeInitContainerActions.
"""

from __future__ import annotations

from pypod.model import image_names
from pypod.model.life import restarts
from pypod.model.life.desired import Desired
from pypod.model.life.history import History
from pypod.model.life.journal import ContainerFailed, Event
from pypod.model.life.members import Kind, Member, has_initialized
from pypod.model.life.plan import (
    CreateContainer,
    PlanBuilder,
    PullImage,
    RemoveContainer,
    RunHook,
    StartContainer,
    Write,
)
from pypod.model.life.preparing import Place, Preparations
from pypod.model.life.refusals import refusal
from pypod.model.life.stopping import Stop, StopSteps
from pypod.model.rules import hosts
from pypod.model.rules.mounts import SubPathError
from pypod.model.spec.pod import Container, PullPolicy
from pypod.model.wiring.environment import (
    CONFIG_ERROR,
    ConfigError,
    environment,
    surroundings_of,
)
from pypod.model.wiring.requests import (
    member_request,
)
from pypod.model.wiring.state import ContainerInfo, ContainerState, PodObservation

FAILURE_RETRY = 10.0
"""Seconds until what the engine refused is tried again."""
IMAGE_REASONS = ("ErrImagePull", "InvalidImageName")
TOLD = restarts.Backoff(initial=FAILURE_RETRY, cap=300.0)
"""Before it is told again that a container still cannot be made: ``delay`` of how often it was told."""


class StartSteps:
    """One walk over a pod's containers.

    Args:
        pulling: the images that are being pulled.

    Attributes:
        due: when something is due by time alone.
        waiting: why there is nothing (more) to do, for people.
    """

    def __init__(
        self,
        desired: Desired,
        observed: PodObservation,
        history: History,
        now: float,
        builder: PlanBuilder,
        place: Place,
        pulling: frozenset[str],
    ) -> None:
        self._desired = desired
        self._spec = desired.spec
        self._observed = observed
        self._history = history
        self._now = now
        self._builder = builder
        self._place = place
        self._pulling = set(pulling)
        self._preparations = Preparations(self._spec, desired.identity.key, observed, builder, place)
        self.due: list[float] = []
        self.waiting: list[str] = []

    def walk(self, members: tuple[Member, ...]) -> None:
        """Init containers and sidecars in their order, as far as they have come; then the containers, but none for the first time
        before the postStart hook of the one before it has ended. What has outlived its sandbox is ended before all that."""
        for member in members:
            if member.info is not None and member.is_live and not member.current:
                self._stop(member, member.info, "SandboxChanged", "its sandbox changed")
        come = max(
            (index for index, member in enumerate(members) if member.current and member.ran), default=-1
        )
        initialized, hook_runs = has_initialized(members), False
        for index, member in enumerate(members):
            # What another was started after is not waited for again: a sidecar that crashed is restarted beside the others.
            is_past = initialized or index < come
            if member.kind is Kind.INIT and (is_past or (member.current and member.succeeded)):
                continue
            if hook_runs and not (member.current and member.ran):
                continue
            starts = self._keep(member)
            if member.kind is Kind.INIT or (member.kind is Kind.SIDECAR and not is_past):
                if member.kind is Kind.INIT or not member.is_started:
                    self.waiting.append(f"init container {member.name}")
                    return
            elif self._hook_runs(member, starts) and _follows(members, member):
                self.waiting.append(f"postStart hook of container {member.name}")
                hook_runs = True

    def _hook_runs(self, member: Member, starts: bool) -> bool:
        """Its postStart has not returned; where it is only about to start, neither. One that cannot be started now holds
        nobody up, as under a kubelet."""
        if member.container.lifecycle.post_start is None:
            return False
        runs = member.is_live and member.current and member.record.hook("postStart") in ("", "began")
        return starts or runs

    def _keep(self, member: Member) -> bool:
        """What is to be done for one container; whether it is being started."""
        self._remove_older(self._observed.members.get(member.name, ())[2:])
        if member.is_live:
            if member.current:
                self._look_after(member)
            return False
        if not self._place.is_ready:
            return False
        if member.attempt < 0:
            return self._start_new(member, attempt=0, step=0, cause="not there yet")
        if not member.current:
            return self._move(member)
        if member.has_ended:
            return self._restart(member)
        if member.info is not None and member.info.state is ContainerState.CREATED:
            self._start_made(member, member.info)
            return True
        return False

    # what runs

    def _look_after(self, member: Member) -> None:
        """Its postStart hook; its end where hook, startup or liveness probe has failed."""
        info, record, container = member.info, member.record, member.container
        if info is None:
            return
        hook = container.lifecycle.post_start
        if hook is not None and not record.hook("postStart") and record.stopping is None:
            self._builder.add(
                RunHook(info.id, member.name, info.attempt, "postStart", hook, None, "it was started")
            )
        reason, cause = _why_stopped(member)
        if reason:
            self._stop(member, info, reason, cause)

    def _stop(self, member: Member, info: ContainerInfo, reason: str, cause: str) -> None:
        grace = _grace(member.container, reason, self._spec.termination_grace_period_seconds)
        stop = Stop(
            member.name,
            info,
            member.record,
            self._now + grace,
            reason,
            cause,
            member.container.lifecycle,
        )
        steps = StopSteps(self._builder, [stop], self._now)
        self.due += steps.due
        self.waiting.append(f"container {member.name}: {cause}")

    # what does not

    def _move(self, member: Member) -> bool:
        """A container of an older sandbox; the new one waits for no back-off. What has succeeded for good stays so, but for
        init containers."""
        if member.kind is Kind.REGULAR and member.has_ended and member.restart(self._desired.backoff) is None:
            return False
        return self._start_new(
            member, attempt=member.attempt + 1, step=member.record.step, cause="its sandbox changed"
        )

    def _start_made(self, member: Member, info: ContainerInfo) -> None:
        step = member.record.step if member.record.was_started else min(info.attempt, 1)
        self._builder.add(
            StartContainer(
                info.name,
                member.name,
                "made but not started",
                info.attempt,
                step,
                self._place.sandbox.attempt,
            ),
            after=[self._place.started],
        )

    def _restart(self, member: Member) -> bool:
        decision = member.restart(self._desired.backoff)
        if decision is None:
            return False
        if decision.due > self._now:
            self.due.append(decision.due)
            self.waiting.append(f"container {member.name}: back-off {decision.delay:g}s")
            return False
        cause = (
            f"exited with code {member.exit_code}, restart {member.attempt + 1}, policy {member.policy.value}"
        )
        if member.is_vanished:
            cause = f"somebody removed it, restart {member.attempt + 1}, policy {member.policy.value}"
        return self._start_new(member, attempt=member.attempt + 1, step=decision.step, cause=cause)

    def _remove_older(self, instances: tuple[ContainerInfo, ...], *, created: int | None = None) -> None:
        for old in instances:
            action = RemoveContainer(old.id, old.name, "only the last dead instance is kept")
            self._builder.add(action, after=[created])

    def _start_new(self, member: Member, *, attempt: int, step: int, cause: str) -> bool:
        """Whether it is being started, in this pass or in the next one."""
        container, sandbox = member.container, self._place.sandbox
        if (goes_on := self._awaits_image(member)) is not None:
            return goes_on
        image = self._observed.images[container.image]
        assert image is not None
        reason, words = refusal(self._desired, container, sandbox, image.user)
        if reason:
            self._refuse(member.name, reason, words)
            return False
        has_file = container.termination_message_path or hosts.wants_file(self._spec, container)
        if has_file and not sandbox.messages:
            self.waiting.append(f"container {member.name}: the volume of its messages is being made")
            return True
        if lacks := self._preparations.lacks(container):
            self.waiting.append(f"container {member.name}: {lacks}")
            return True
        try:
            request = member_request(
                self._spec,
                container,
                self._desired.identity,
                attempt=attempt,
                image=image.id,  # so that a tag that moves meanwhile changes nothing
                sandbox=sandbox,
                variables=environment(container, surroundings_of(self._spec, self._observed)),
                image_user=image.user,
            )
        except (ConfigError, SubPathError) as error:
            self._refuse(member.name, CONFIG_ERROR, str(error))
            return False
        created = self._builder.add(
            CreateContainer(request, member.name, cause),
            after=self._preparations.before(member, attempt, request),
        )
        start = StartContainer(request.name, member.name, cause, attempt, step, sandbox.attempt)
        self._builder.add(start, after=[created, self._place.started])
        # Not before: until then it is what the status tells of as the instance before.
        self._remove_older(self._observed.members.get(member.name, ())[1:2], created=created)
        return True

    def _refuse(self, container: str, reason: str, words: str) -> None:
        """It is known, without asking the engine, that it cannot be made. It is looked at again in a while, and with whatever else
        is a reason to look; that it still cannot be is told ever less often."""
        told = self._history.failures.get(container)
        is_told = told is not None and (told.reason, told.message) == (reason, words)
        if told is None or not is_told or told.at + TOLD.delay(told.count) <= self._now:
            note = ContainerFailed(self._now, container, reason, words, untried=True)
            event = Event(self._now, "Warning", "Failed", f"Error: {words}", container)
            cause = f"container {container} cannot be made: {words}"
            self._builder.add(Write((note, event), cause), after=[self._place.started])
        self.due.append(self._now + FAILURE_RETRY)
        self.waiting.append(f"container {container}: {reason}: {words}")

    # images

    def _awaits_image(self, member: Member) -> bool | None:
        """Whether it is started when its image has been pulled; False also where it cannot be; None: the image is there."""
        container, name = member.container, member.name
        if no_name := image_names.refusal(container.image):
            self._refuse(name, image_names.INVALID, no_name)
            return False
        wanted = pull_cause(container, self._observed, self._history)
        if self._failure_holds(name, is_pulled=bool(wanted)):
            return False
        if wanted:
            return self._pull(member, wanted)
        if self._observed.images.get(container.image) is None:
            self.waiting.append(f"container {name}: image {container.image} is not on the engine")
            return False
        return None

    def _pull(self, member: Member, cause: str) -> bool:
        """Begin the pull that a container waits for, unless it is under way; whether the container is started when it has
        ended. One pull serves all that want the image."""
        image, name = member.container.image, member.name
        came = self._history.pulled.get(image)
        if came is not None and self._observed.images.get(image) is None and came + FAILURE_RETRY > self._now:
            self.due.append(came + FAILURE_RETRY)
            self.waiting.append(f"container {name}: image {image} was pulled, and is not on the engine")
            return False
        if image not in self._pulling:
            self._pulling.add(image)
            self._builder.add(PullImage(image, cause))
        self.waiting.append(f"container {name}: image {image} is being pulled")
        return True

    def _failure_holds(self, container: str, *, is_pulled: bool) -> bool:
        """What failed a moment ago is not tried again yet; notes when it will be. That an image could not be had holds up only
        who still wants to have it pulled."""
        failure = self._history.failures.get(container)
        if failure is None:
            return False
        if failure.untried:
            return False  # whether that still holds is seen without trying
        is_image = failure.reason in IMAGE_REASONS
        if is_image and not is_pulled:
            return False
        due = failure.at + (restarts.IMAGE_PULL.delay(failure.count) if is_image else FAILURE_RETRY)
        if due <= self._now:
            return False
        self.due.append(due)
        self.waiting.append(f"container {container}: {failure.reason}")
        return True


def pull_cause(container: Container, observed: PodObservation, history: History) -> str:
    """Why a container's image is to be pulled before it is started; empty: it is not."""
    policy = container.pull_policy
    if policy is PullPolicy.ALWAYS and container.image not in history.pulled:
        return "imagePullPolicy Always"
    if policy is not PullPolicy.NEVER and observed.images.get(container.image) is None:
        return f"not on the engine, imagePullPolicy {policy.value}"
    return ""


def waiting_for(image: str, desired: Desired, observed: PodObservation, history: History) -> list[str]:
    """The containers that do not run, and want an image to be pulled before they do."""
    running = {info.container for info in observed.all_members if info.is_live}
    return [
        container.name
        for container in desired.spec.all_containers
        if container.image == image
        and container.name not in running
        and pull_cause(container, observed, history)
    ]


def _why_stopped(member: Member) -> tuple[str, str]:
    """Reason and cause for which a running container is ended; empty: it is not."""
    record = member.record
    if record.stopping is not None:
        return record.stopping.reason, f"it is being stopped: {record.stopping.reason}"
    if record.hook("postStart") == "failed":
        return "PostStartHookError", "its postStart hook failed"
    for probe, reason in (("startup", "Startup"), ("liveness", "Liveness")):
        if record.passed(probe) is False:
            return reason, f"its {probe} probe failed"
    return "", ""


def _grace(container: Container, reason: str, default: float) -> float:
    probe = {"Startup": container.startup_probe, "Liveness": container.liveness_probe}.get(reason)
    if probe is None or probe.termination_grace_period_seconds is None:
        return default
    return probe.termination_grace_period_seconds


def _follows(members: tuple[Member, ...], member: Member) -> bool:
    """A container after this one was never started in this sandbox."""
    later = members[members.index(member) + 1 :]
    return any(not (each.current and each.ran) for each in later)
