"""Which termination messages are to be read: those of instances that have ended, where they may have left one.

Source: pkg/kubelet/kuberuntime/kuberuntime_container.go getTerminationMessage.
"""

from __future__ import annotations

from collections.abc import Iterable

from pypod.model.life.history import History
from pypod.model.life.members import Member
from pypod.model.life.plan import ReadMessage
from pypod.model.spec.pod import MessagePolicy, PodSpec
from pypod.model.wiring.requests import message_file, messages_directory
from pypod.model.wiring.state import ContainerInfo, PodObservation


def unread(
    spec: PodSpec, members: Iterable[Member], observed: PodObservation, history: History
) -> list[ReadMessage]:
    """What is to be read, and has not been."""
    found = []
    for member in members:
        info = member.info
        if info is None or not info.has_ended or info.started_at is None or member.is_vanished:
            continue
        if history.record(member.name, info.attempt).message is None:
            action = _read(spec, member, info, observed)
            found += [action] if action is not None else []
    return found


def _read(spec: PodSpec, member: Member, info: ContainerInfo, observed: PodObservation) -> ReadMessage | None:
    """None: it has left none, or nobody can come to it any more."""
    policy = member.container.termination_message_policy
    from_log = policy is MessagePolicy.FALLBACK_TO_LOGS_ON_ERROR and info.exit_code != 0
    pause = observed.pause
    path = ""
    if member.container.termination_message_path and pause is not None and pause.started_at is not None:
        path = f"{messages_directory(spec)}/{message_file(member.name, info.attempt)}"
    if not (path or from_log):
        return None
    return ReadMessage(
        member.name,
        info.attempt,
        pause.id if pause is not None and path else "",
        path,
        info.id if from_log else "",
        f"it exited with code {info.exit_code}",
    )
