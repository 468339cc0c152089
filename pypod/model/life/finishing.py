"""Whether a pod is at its end: that is final, so it is written down, once, and believed from then on.

It is told to the world a little later, when nothing of the pod runs any more.
"""

from __future__ import annotations

from pypod.model.life import messages
from pypod.model.life.desired import Desired
from pypod.model.life.history import History
from pypod.model.life.journal import Event, PodFinished
from pypod.model.life.members import Kind, Member
from pypod.model.records import record
from pypod.model.spec.pod import RestartPolicy
from pypod.model.wiring.state import ContainerInfo, ContainerState, PodObservation

PATIENCE = 15.0
"""Seconds after the last end of a container, until which whoever looks after the pod has written down that it is over, and read
the last messages; or nobody does, or can. Such a look is 10 s off at most (`pypod.supervisor.RESYNC`)."""
DEADLINE_MESSAGE = "Pod was active on the node longer than the specified deadline"


@record(frozen=True, slots=True)
class Finish:
    """What is to be written of a pod's end.

    Attributes:
        entry: None: it is not at its end.
        cause: for people.
        due: when it will be, by time alone; None: only what happens ends it.
    """

    entry: PodFinished | None = None
    events: tuple[Event, ...] = ()
    cause: str = ""
    due: float | None = None


def finish(
    desired: Desired, members: tuple[Member, ...], observed: PodObservation, history: History, now: float
) -> Finish:
    """The end of a pod, where it has come to it.

    1. An init container failed, and is not tried again: in a new sandbox it would be.
    2. All containers have ended for good; sidecars do not count.
    3. Its sandbox died, and its policy is Never (pkg/kubelet/kuberuntime/util/util.go, PodSandboxChanged).
    4. It is active longer than its deadline. What has ended is not: a supervisor that comes late finds both.
    """
    if history.finished is not None:
        return Finish()
    for member in members if serving(observed) is not None else ():
        if member.kind is Kind.INIT and _failed_for_good(desired, member):
            return Finish(PodFinished(now, "Failed"), (), f"init container {member.name} failed")
    regular = [member for member in members if member.kind is Kind.REGULAR]
    if all(member.has_ended and member.restart(desired.backoff) is None for member in regular):
        phase = "Succeeded" if all(member.exit_code == 0 for member in regular) else "Failed"
        return Finish(PodFinished(now, phase), (), "all containers have ended for good")
    if _lost_for_good(desired, members, observed):
        return Finish(PodFinished(now, "Failed"), (), "its sandbox is not running, restartPolicy Never")
    deadline = _deadline(desired, history)
    if deadline is None or now < deadline:
        return Finish(due=deadline)
    entry = PodFinished(now, "Failed", "DeadlineExceeded", DEADLINE_MESSAGE)
    event = Event(now, "Normal", "DeadlineExceeded", DEADLINE_MESSAGE)
    return Finish(entry, (event,), "activeDeadlineSeconds is over")


@record(frozen=True, slots=True)
class Ending:
    """What is told of a pod's end.

    Attributes:
        entry: how it ends: nothing of it is started any more; None: it does not yet.
        is_over: nothing of it runs any more, and what its containers left as messages is known.
    """

    entry: PodFinished | None
    is_over: bool


def ending(
    desired: Desired, members: tuple[Member, ...], observed: PodObservation, history: History, now: float
) -> Ending:
    """How far a pod has come with its end. A kubelet, too, reports it only when nothing is left running
    (pkg/kubelet/status/status_manager.go: "Delay transitioning a pod to a terminal status unless the pod is actually terminal").

    1. The end that was written down. One that was not counts where nobody can write it any more, since the pause, whose log it
       would be in, has ended; or where nobody has for a while.
    2. It is over when no container runs and the messages have been read; those that nobody reads are not waited for for ever,
       and those of a pod that is deleted not at all.
    """
    rests = not any(info.is_live for info in observed.all_members)
    if observed.deletion_deadline is not None or not rests:
        return Ending(history.finished, rests)
    entry, pause = history.finished, observed.pause
    ends = [info.finished_at for info in observed.all_members if info.finished_at is not None]
    is_late = now > max([*ends, entry.at if entry is not None else 0.0]) + PATIENCE
    if entry is None and (is_late or pause is None or not pause.is_live):
        entry = finish(desired, members, observed, history, now).entry
    return Ending(entry, is_late or not messages.unread(desired.spec, members, observed, history))


def serving(observed: PodObservation) -> ContainerInfo | None:
    """The pause that members have their network from. One that was started after a member that joined it was started again:
    it has a new network, and that member none (seen on 20.10; `docker restart`)."""
    pause = observed.sandbox
    if pause is None or pause.started_at is None:
        return pause
    joined = [info for info in observed.all_members if info.sandbox == pause.attempt]
    is_older = any(info.started_at is not None and info.started_at < pause.started_at for info in joined)
    return None if is_older else pause


def _deadline(desired: Desired, history: History) -> float | None:
    seconds = desired.spec.active_deadline_seconds
    return None if seconds is None or history.began is None else history.began + seconds


def _failed_for_good(desired: Desired, member: Member) -> bool:
    ended = member.current and member.has_ended and not member.succeeded
    return ended and member.restart(desired.backoff) is None


def _lost_for_good(desired: Desired, members: tuple[Member, ...], observed: PodObservation) -> bool:
    """Never means: no second sandbox, once anything has run in the first one."""
    pause = observed.pause
    if desired.spec.restart_policy is not RestartPolicy.NEVER or serving(observed) is not None:
        return False
    # One that is being removed is listed without its times.
    began = pause is None or pause.started_at is not None or pause.state is ContainerState.REMOVING
    return began and any(member.record.was_started or member.info is not None for member in members)
