"""A handle on a pod that is on an engine: what it is, how it does, and the ways into it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal, overload

from pypod import debugging, existing, expiring, lifetime, waiting
from pypod.engine import output
from pypod.engine.sync import PodSync
from pypod.engine.tracing import Trace, Untraced
from pypod.errors import PodNotRunningError
from pypod.inside import Inside
from pypod.model.life import expiry, hindsight, marks
from pypod.model.life.history import History
from pypod.model.life.journal import Event
from pypod.model.life.marks import Instance
from pypod.model.life.status import Phase, PodStatus
from pypod.model.results import ExecResult
from pypod.model.spec.env import Env
from pypod.model.spec.pod import Container, PodSpec, PullPolicy, VolumeMount
from pypod.model.wiring.state import ContainerInfo
from pypod.waiting import Wanted


class Handle:
    """All of `pypod.Pod` that neither makes a pod nor ends one."""

    _sync: PodSync | None
    _spec: PodSpec
    _reach: str
    _door: Inside | None
    _tracer: Untraced

    # what it is

    @property
    def spec(self) -> PodSpec:
        return self._spec

    @property
    def name(self) -> str:
        return self._spec.name

    @property
    def namespace(self) -> str:
        return self._spec.namespace

    @property
    def uid(self) -> str:
        """What no other pod ever had; empty before it is started."""
        return self._sync.desired.identity.key.uid if self._sync is not None else ""

    def __repr__(self) -> str:
        return f"<Pod {self._spec.full_name} {self.status.summary}>"

    # how it is doing

    @property
    def _full(self) -> str:
        return self._spec.full_name

    @property
    def status(self) -> PodStatus:
        """As it was last seen; `refresh` asks the engine."""
        return self._sync.status if self._sync is not None else PodStatus(Phase.PENDING)

    def refresh(self) -> PodStatus:
        """Look, and return the status.

        Raises:
            EngineError: the engine could not be read.
        """
        sync = self._started()
        if lifetime.owned(self.uid) is None:
            existing.read_journal(sync)
        return sync.refresh()

    def _note_listed(self, listed: Sequence[ContainerInfo], marked: Iterable[Instance]) -> bool:
        """Take the status from what the engine's lists tell, where that is enough; whether it is. One that this process looks after
        has a status already."""
        sync = self._started()
        if lifetime.owned(self.uid) is not None:
            return sync.observed is not None
        status = marks.plain_status(sync.desired, listed, marked, sync.clock.now())
        if status is not None:
            sync.status = status
        return status is not None

    @property
    def events(self) -> tuple[Event, ...]:
        """What happened to it, oldest first; as of the last `refresh` for a pod of another process."""
        return self.history.events

    @property
    def history(self) -> History:
        """All that its journal tells, the events too: probe results and hooks of each container; as of the last `refresh`
        for a pod of another process."""
        return self._sync.channel.history if self._sync is not None else History()

    def trace(self) -> Trace:
        """What took how long, so far.

        Of a pod that this process started with ``trace=True`` it is what was recorded, with the cause of each step; also when
        the start has failed, and after `stop`, which is recorded too. Of any other it is found out from the engine's times and the
        pod's journal: when containers were made, started and ready, and no more. Look at its ``source``.

        Raises:
            PodNotRunningError: it was not started.
            EngineError: the engine could not be read.
        """
        recorded = self._tracer.trace()
        if recorded is not None:
            return recorded
        self.refresh()
        sync = self._started()
        assert sync.observed is not None
        spans = hindsight.spans_of(sync.observed, self.history)
        return Trace(self._full, spans, "journal")

    @property
    def expires_at(self) -> float | None:
        """When the time of a detached pod is over, Unix seconds by the engine's clock; None: it stays until it is removed, or ends
        with its process. As of the last `refresh`."""
        seen = self._sync.observed if self._sync is not None else None
        return expiry.end_of(seen.pause, self.history) if seen is not None else None

    def renew(self, ttl: float | None) -> float | None:
        """Put the end of a detached pod off. One that stays anyway stays, and one that has longer keeps that.

        Args:
            ttl: seconds for which it lives from now on; None: until it is removed.

        Returns:
            `expires_at`, as it is now.

        Raises:
            ValueError: ``ttl`` is no positive number.
            PodNotRunningError: it is not detached, is not there any more, or its time is over, within a second too.
            EngineError: the engine failed.
        """
        expiring.check(ttl, detach=True)
        sync = self._started()
        if sync.desired.identity.leased or not expiring.renew(sync, ttl):
            words = "it ends with its process" if sync.desired.identity.leased else "its time is over"
            raise PodNotRunningError(f"cannot put off the end of pod '{self._full}': {words}", pod=self._full)
        return self.expires_at

    @property
    def ip(self) -> str:
        """What other pods dial. Raises `PodNotRunningError` while it has none."""
        if not self.status.pod_ip:
            self.refresh()
        if not self.status.pod_ip:
            raise PodNotRunningError(
                f"cannot tell the address of pod '{self._full}': it has none", pod=self._full
            )
        return self.status.pod_ip

    def wait(self, condition: Wanted = "Ready", timeout: float = 60.0) -> PodStatus:
        """Wait until it is where you want it.

        Args:
            condition: ``Started``, ``Ready``, ``Running``, ``Succeeded``, ``Failed``, ``Completed`` (one of the two) or
                ``Deleted``; or a function that is given a status and says whether it is as wanted, such as
                ``lambda status: status.restart_count > 0``. What it raises is passed on.
            timeout: seconds.

        Returns:
            The status then.

        Raises:
            PodTimeoutError: the time was up.
            PodNotRunningError: it cannot come there any more.
            ValueError: there is no such condition.
        """
        return waiting.wait_for(self._full, self.refresh, condition, timeout)

    def _inside(self) -> Inside:
        if self._door is None:
            self._door = Inside(self._started(), self.refresh, self._reach)
        return self._door

    def _started(self) -> PodSync:
        if self._sync is None:
            raise PodNotRunningError(f"cannot use pod '{self._full}': it was not started", pod=self._full)
        return self._sync

    # into it

    def exec(
        self,
        command: Sequence[str],
        container: str | None = None,
        *,
        stdin: str | bytes | None = None,
        timeout: float | None = None,
        check: bool = False,
        user: str = "",
        working_dir: str = "",
        env: Mapping[str, str] | None = None,
    ) -> ExecResult:
        """Run a command in a member and wait for its end.

        Args:
            command: a list of words; no shell is put in between.
            container: which; the first where it is None.
            stdin, timeout: what the command reads; seconds.
            check: an exit code that is not 0 is an error.
            user, working_dir, env: as the container has them where not given.

        Returns:
            What it wrote, and its exit code: 137 where the container ended before that was known. (A command that ends its
            own container races with that end: the engine may report it, or forget it together with the container.)

        Raises:
            ExecTimeoutError: it did not end in time. The engine cannot kill it: it may run on until the container ends.
            ExecError: with ``check``: the exit code was not 0.
            PodNotRunningError: the container does not run; with ``check`` also where it ended before the exit code was known.
        """
        if isinstance(command, str):
            raise TypeError(f"cannot run {command!r}: a list of words is expected, as ['sh', '-c', ...]")
        inside = self._inside()
        return inside.run(
            command,
            inside.member(container),
            stdin=stdin.encode() if isinstance(stdin, str) else stdin,
            timeout=timeout,
            check=check,
            user=user,
            working_dir=working_dir,
            env=env,
        )

    @overload
    def logs(
        self,
        container: str | None = None,
        *,
        follow: Literal[False] = False,
        tail: int | None = None,
        since: float | None = None,
        timestamps: bool = False,
        previous: bool = False,
    ) -> str: ...

    @overload
    def logs(
        self,
        container: str | None = None,
        *,
        follow: Literal[True],
        tail: int | None = None,
        since: float | None = None,
        timestamps: bool = False,
        previous: bool = False,
    ) -> Iterator[str]: ...

    def logs(
        self,
        container: str | None = None,
        *,
        follow: bool = False,
        tail: int | None = None,
        since: float | None = None,
        timestamps: bool = False,
        previous: bool = False,
    ) -> str | Iterator[str]:
        """What a member wrote, both of its outputs.

        Args:
            container: which; the first where it is None.
            follow: lines as they come, until this instance of the container ends.
            tail: only that many last lines.
            since: only what is younger, Unix seconds.
            timestamps: each line begins with its time.
            previous: of its last dead instance: the one before a restart.

        Raises:
            PodNotRunningError: the container was never started; with ``previous``: no instance of it has ended.
            PodNotFoundError: the pod has no such container.
        """
        inside = self._inside()
        return inside.logs(
            inside.member(container),
            follow=follow,
            tail=tail,
            since=since,
            timestamps=timestamps,
            previous=previous,
        )

    def log_blocks(
        self,
        container: str | None = None,
        *,
        follow: bool = False,
        tail: int | None = None,
        since: float | None = None,
        timestamps: bool = False,
        previous: bool = False,
    ) -> Iterator[list[str]]:
        """What a member wrote, whole lines as they come, as many at once as there are: for logs that need not fit into memory,
        and for whoever does something for each line that is cheaper for many.

        Args:
            container, follow, tail, since, timestamps, previous: as of `logs`. Without ``follow`` it ends with what is there now.

        Raises:
            PodNotRunningError, PodNotFoundError: as `logs`, at once.
        """
        inside = self._inside()
        stream = inside.log_stream(
            inside.member(container),
            follow=follow,
            tail=tail,
            since=since,
            timestamps=timestamps,
            previous=previous,
        )
        return output.blocks(stream)

    def copy_to(self, source: str | os.PathLike[str], destination: str, container: str | None = None) -> None:
        """Copy a file or directory of this machine into a container, running or not, as ``docker cp`` does.

        Modes and links are kept; everything is root's.

        Args:
            source: here. ``dir/.`` is what is in the directory.
            destination: a path in the container, from its root. Where a directory is, the copy goes into it under the source's
                name; where nothing is, that is the copy's name, and the directory above it must be there. A trailing
                slash means: a directory, which must be there for a file.
            container: which; the first where it is None.

        Raises:
            CopyError: there is no such source, no such place for it, or it cannot be read or written.
            PodNotRunningError: the container was never made.
            PodNotFoundError: the pod has no such container.
        """
        inside = self._inside()
        inside.copying(inside.member(container)).copy_in(os.fspath(source), destination)

    def copy_from(
        self, source: str, destination: str | os.PathLike[str], container: str | None = None
    ) -> None:
        """Copy a file or directory of a container, running or not, to this machine, as ``docker cp`` does.

        Modes and links are kept, but for setuid and setgid; everything is the caller's. Nothing is written outside of the
        destination, whatever links the container made.

        Args:
            source: a path in the container, from its root. ``dir/.`` is what is in the directory.
            destination: here; see `copy_to`.
            container: which; the first where it is None.

        Raises:
            CopyError, PodNotRunningError, PodNotFoundError: as for `copy_to`.
        """
        inside = self._inside()
        inside.copying(inside.member(container)).copy_out(source, os.fspath(destination))

    def debug(
        self,
        image: str,
        command: Sequence[str] = (),
        *,
        name: str | None = None,
        target: str | None = None,
        env: Env | None = None,
        mounts: Mapping[str, str] | Iterable[VolumeMount] = (),
        working_dir: str = "",
        user: str = "",
        image_pull_policy: str | PullPolicy | None = None,
    ) -> str:
        """Let one more container join the running pod: an ephemeral one, to look around with tools that its images have not.

        It shares what members share, is never restarted, counts for neither phase nor readiness, and ends with the pod.

        Args:
            image: of what.
            command: instead of the image's own; without it the standard input stays open, so that a shell stays.
            name: unique in the pod; made up where it is None.
            target: the member whose processes it sees; None: as the pod shares them.
            env, mounts, working_dir, user: as of a `Container`.
            image_pull_policy: as of a `Container`; None: it is pulled where the engine has not got it.

        Returns:
            Its name, which `exec`, `logs` and the copies take as ``container``.

        Raises:
            PodNotRunningError: the pod, or the target, does not run.
            PodNotFoundError: the pod has no such target.
            SpecError: the name is taken, or something else is wrong.
            ImageError: the image cannot be had.
            PodStartError: it cannot be started.
        """
        container = Container(
            name or debugging.made_up_name(),
            image,
            command=command,
            env=env,
            mounts=mounts,
            working_dir=working_dir,
            user=user,
            image_pull_policy=image_pull_policy,
        )
        self.refresh()  # also of a pod of another process: what happened to it
        return debugging.join(self._started(), container, target=target, stdin=not command)

    def address(self, port: int) -> tuple[str, int]:
        """A host and port that this process can dial to reach a port of the pod.

        The pod's own address where it routes from here; else one of this machine's loopback, from which a relay leads
        through the pause.

        Args:
            port: of the pod.

        Raises:
            PodNotRunningError: it has no address now.
        """
        return self._inside().address(port)
