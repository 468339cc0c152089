"""What must be there before a member is made: its message file, the pod's hosts file, the parts of volumes that it mounts.

Source: pkg/kubelet/kuberuntime/kuberuntime_container.go, generateContainerConfig and makeMounts.
"""

from __future__ import annotations

from dataclasses import dataclass

from pypod.model.life.members import Member
from pypod.model.life.plan import MakeSubPath, PlanBuilder, PutFiles, PutText
from pypod.model.naming import PodKey
from pypod.model.rules import env_files, hosts
from pypod.model.rules.mounts import awaits_directory, slot_of, sub_path_of
from pypod.model.spec.pod import Container, HostPath, ImageSource, PodSpec
from pypod.model.wiring.environment import needs_address
from pypod.model.wiring.requests import ContainerRequest, Sandbox, message_file, messages_directory
from pypod.model.wiring.state import PodObservation


@dataclass(frozen=True, slots=True)
class Place:
    """The sandbox that members join, and the steps that make it, and that start it and join its networks; None: that is done.

    Attributes:
        volumes: the steps that set its volumes up.
        is_ready: members may be made after these; else one of its volumes cannot be had.
    """

    sandbox: Sandbox
    created: int | None
    started: int | None
    volumes: tuple[int, ...] = ()
    is_ready: bool = True


class Preparations:
    """Of the members of one pod that are made in one pass.

    Args:
        key: of the pod.
    """

    def __init__(
        self, spec: PodSpec, key: PodKey, observed: PodObservation, builder: PlanBuilder, place: Place
    ) -> None:
        self._spec = spec
        self._key = key
        self._observed = observed
        self._builder = builder
        self._place = place
        self._hosts: int | None = None

    def before(self, member: Member, attempt: int, request: ContainerRequest) -> list[int | None]:
        """The steps after which a member can be made.

        Raises:
            SubPathError: a part of a volume is none.
        """
        ready = [self._place.created, *self._place.volumes]
        return [
            *ready,
            self._message_file(member, attempt),
            self._hosts_file() if hosts.wants_file(self._spec, member.container) else None,
            *self._sub_paths(member.container, request, ready),
        ]

    def lacks(self, container: Container) -> str:
        """What it must be told that only a sandbox which runs can tell; empty: nothing."""
        runs = self._place.started is None
        is_told = needs_address(container) or hosts.wants_file(self._spec, container)
        if is_told and not (runs and self._observed.ip):
            return "the pod has no address yet"
        if not runs and any(env_files.files_of(container)):
            return "the pod's volumes cannot be read yet"
        place = self._place
        if place.created is not None and awaits_directory(
            self._spec, container, self._key, place.sandbox.places
        ):
            return "the pod's volumes are being made"
        return ""

    def _hosts_file(self) -> int:
        """Written anew whenever a container is made, as by a kubelet; once for all that are made together."""
        if self._hosts is None:
            sandbox = self._place.sandbox
            text, directory = hosts.file(self._spec, self._observed.ip), messages_directory(self._spec)
            name = hosts.file_name(sandbox.attempt)
            self._hosts = self._builder.add(PutText(sandbox.pause, directory, name, text, "its hosts file"))
        return self._hosts

    def _sub_paths(
        self, container: Container, request: ContainerRequest, ready: list[int | None]
    ) -> list[int]:
        """The parts of volumes that it mounts must be there, and in them."""
        group = self._spec.security_context.fs_group or 0
        volumes = {volume.name: volume.source for volume in self._spec.volumes}
        steps: list[int] = []
        for mount in container.mounts:
            part, source = sub_path_of(mount, request.env), volumes[mount.name]
            if not part or isinstance(source, ImageSource):
                continue
            host_path = source.path if isinstance(source, HostPath) else ""
            directory = "" if host_path else slot_of(self._spec, mount.name)
            pause = self._place.sandbox.pause
            owner = 0 if host_path else group
            action = MakeSubPath(
                container.name, mount.name, part, pause, directory, host_path, owner, "subPath of a mount"
            )
            steps.append(self._builder.add(action, after=[*ready, *steps]))
        return steps

    def _message_file(self, member: Member, attempt: int) -> int | None:
        """It must be there before the member is made: the engine takes a missing source for a directory."""
        if not member.container.termination_message_path:
            return None
        files = (message_file(member.name, attempt),)
        action = PutFiles(
            self._place.sandbox.pause, messages_directory(self._spec), files, "its termination message"
        )
        return self._builder.add(action, after=[self._place.created])
