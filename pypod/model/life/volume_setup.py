"""What is to be done for a pod's volumes before its members are made: files are written, host paths checked, groups given.

All of it is done once for each sandbox, through its pause, and told to the journal. What cannot be done is a kubelet's ``FailedMount``:
the members wait, and it is tried again with a growing delay. What is missing is looked for in every pass.

Sources: pkg/kubelet/volumemanager; pkg/util/goroutinemap/exponentialbackoff (0.5 s, doubling to 2 min 2 s).
"""

from __future__ import annotations

from collections.abc import Iterator

from pypod.model.life.desired import Desired
from pypod.model.life.history import History
from pypod.model.life.journal import Event, VolumeFailed
from pypod.model.life.plan import CheckHostPath, FillVolume, OwnVolume, PlanBuilder, SetUp, Write
from pypod.model.life.restarts import Backoff
from pypod.model.rules import files
from pypod.model.rules.files import FilesError
from pypod.model.rules.mounts import Places, api_version, engine_name, slot_of, writes_files
from pypod.model.rules.remote_volumes import RemoteSource, remote_of
from pypod.model.spec.object_references import not_found
from pypod.model.spec.objects import PersistentVolumeClaim
from pypod.model.spec.pod import ClaimSource, EmptyDir, HostPath, HostPathType, Medium, PodSpec, Volume
from pypod.model.spec.security import FSGroupChangePolicy
from pypod.model.wiring import volume_files
from pypod.model.wiring.state import ContainerInfo, PodObservation

RETRY = Backoff(initial=0.5, cap=122.0)


def failure_words(volume: str, message: str) -> str:
    """A kubelet's words."""
    return f'MountVolume.SetUp failed for volume "{volume}" : {message}'


def places_of(observed: PodObservation) -> Places:
    """Where the engine has the pod's volumes; of one that is only being made it is known in the next pass."""
    volumes = (*observed.volumes, *observed.claims)
    directories = {volume.name: volume.mountpoint for volume in volumes if volume.mountpoint}
    return Places(directories, api_version(observed.api_version))


def needs_set_up(spec: PodSpec, volume: Volume) -> bool:
    """Whether anything is to be done for it, once its sandbox runs."""
    source = volume.source
    if isinstance(source, HostPath):
        return source.type is not HostPathType.UNSET
    return writes_files(volume) or _is_owned(spec, volume)


def wait_for_sandbox(spec: PodSpec) -> bool:
    """Whether members can be made only when their sandbox runs, and what is in its volumes is known."""
    parts = {
        mount.name
        for container in spec.all_containers
        for mount in container.mounts
        if mount.sub_path or mount.sub_path_expr
    }
    return any(volume.name in parts or needs_set_up(spec, volume) for volume in spec.volumes)


def _is_owned(spec: PodSpec, volume: Volume) -> bool:
    """Whether its files are given to the pod's group. One in memory is made so (`pypod.model.rules.mounts`)."""
    if spec.security_context.fs_group is None:
        return False
    source = volume.source
    if isinstance(source, EmptyDir):
        return source.medium is Medium.DISK
    return isinstance(source, ClaimSource) and not source.read_only


class VolumeSteps:
    """One walk over a pod's volumes.

    Attributes:
        due: when something is due by time alone.
        waiting: why members wait, for people.
        steps: that members wait for.
    """

    def __init__(
        self, desired: Desired, observed: PodObservation, history: History, now: float, builder: PlanBuilder
    ) -> None:
        self._spec = desired.spec
        self._key = desired.identity.key
        self._observed = observed
        self._history = history
        self._now = now
        self._builder = builder
        self.due: list[float] = []
        self.waiting: list[str] = []
        self.steps: list[int] = []

    @property
    def may_start(self) -> bool:
        """Members may be made, after `steps`."""
        return not self.waiting

    def claims(self) -> None:
        """What must be there before the sandbox, which mounts it: an engine makes an empty volume for one that is missing."""
        objects = self._observed.objects
        for volume in self._spec.volumes:
            if isinstance(volume.source, RemoteSource):
                self._remote(volume.name, volume.source)
            if not isinstance(volume.source, ClaimSource):
                continue
            claim = volume.source.claim_name
            found = objects.claim(claim)
            problem = objects.unreadable.get((PersistentVolumeClaim.kind, claim), "")
            if found is None:
                self._fail(volume.name, problem or not_found(PersistentVolumeClaim.kind, claim))
            elif found.volume_mode == "Block":
                words = f'volume "{volume.name}" has volumeMode Block, but is specified in volumeMounts'
                self._fail(volume.name, words)

    def _remote(self, volume: str, source: RemoteSource) -> None:
        """It is made with what its Secret says."""
        try:
            remote_of(source, self._observed.objects)
        except FilesError as error:
            self._fail(volume, str(error))

    def walk(self, pause: ContainerInfo) -> None:
        """Each volume that is not set up in this sandbox."""
        for volume in self._spec.volumes:
            if not needs_set_up(self._spec, volume):
                continue
            set_up = SetUp(volume.name, pause.attempt, pause.started_at or 0.0, self._version(volume))
            if self._is_ready(set_up, volume):
                continue
            try:
                for action in self._actions(volume, set_up, pause):
                    if self._may_try(volume.name):
                        self.steps.append(self._builder.add(action))
            except FilesError as error:
                self._fail(volume.name, str(error))

    def update(self, pause: ContainerInfo) -> None:
        """The files of volumes whose objects have changed. One that is gone since leaves its files where they are."""
        for volume in self._spec.volumes:
            ready = self._history.volumes.get(volume.name)
            if ready is None or not writes_files(volume):
                continue
            set_up = SetUp(volume.name, pause.attempt, pause.started_at or 0.0, self._version(volume))
            if not self._is_ready(set_up, volume) or ready.version == set_up.version:
                continue
            try:
                action = self._fill(volume, set_up, pause, "what it is made of has changed", replaced=True)
            except FilesError:
                continue
            if self._may_try(volume.name, is_update=True):
                self._builder.add(action)

    def _version(self, volume: Volume) -> str:
        return volume_files.version_of(volume, self._observed) if writes_files(volume) else ""

    def _is_ready(self, set_up: SetUp, volume: Volume) -> bool:
        found = self._history.volumes.get(volume.name)
        return found is not None and (found.sandbox, found.since) == (set_up.sandbox, set_up.since)

    def _actions(
        self, volume: Volume, set_up: SetUp, pause: ContainerInfo
    ) -> Iterator[FillVolume | CheckHostPath | OwnVolume]:
        if writes_files(volume):
            yield self._fill(volume, set_up, pause, "its files are not there yet")
        elif isinstance(volume.source, HostPath):
            cause = f"its type is {volume.source.type.value}"
            yield CheckHostPath(set_up, volume.source.path, volume.source.type, cause)
        elif (group := self._spec.security_context.fs_group) is not None:
            policy = self._spec.security_context.fs_group_change_policy
            lazy = policy is FSGroupChangePolicy.ON_ROOT_MISMATCH
            yield OwnVolume(
                set_up, engine_name(self._key, volume), pause.name, group, lazy, "fsGroup of the pod"
            )

    def _fill(
        self, volume: Volume, set_up: SetUp, pause: ContainerInfo, cause: str, *, replaced: bool = False
    ) -> FillVolume:
        group = self._spec.security_context.fs_group
        found = volume_files.files_of(self._spec, volume, self._observed)
        entries = files.layout(found, volume_files.stamp(self._now, set_up.version), fs_group=group)
        directory = slot_of(self._spec, volume.name)
        return FillVolume(set_up, pause.name, directory, entries, group or 0, cause, replaced)

    # what cannot be done

    def _may_try(self, volume: str, *, is_update: bool = False) -> bool:
        """What the engine refused a moment ago is not asked for again yet."""
        failure = self._history.volume_failures.get(volume)
        if failure is None or failure.missing:
            return True
        if (due := failure.at + RETRY.delay(failure.count)) <= self._now:
            return True
        self.due.append(due)
        if not is_update:
            self.waiting.append(f"volume {volume}: {failure.message}")
        return False

    def _fail(self, volume: str, message: str) -> None:
        """Say so, unless it was said a moment ago, and look again."""
        self.waiting.append(f"volume {volume}: {message}")
        failure = self._history.volume_failures.get(volume)
        count = 0
        if failure is not None:
            count = failure.count
            due = failure.at + RETRY.delay(count)
            if failure.message == message and due > self._now:
                self.due.append(due)
                return
        entry = VolumeFailed(self._now, volume, message, missing=True)
        event = Event(self._now, "Warning", "FailedMount", failure_words(volume, message))
        self._builder.add(Write((entry, event), "its volumes come before its containers"))
        self.due.append(self._now + RETRY.delay(count + 1))
