"""The live pod: what users hold."""

from __future__ import annotations

import os
import uuid
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Literal, Self, overload

from pypod import background, connecting, existing, lifetime, starting, waiting
from pypod.engine.api import Engine
from pypod.engine.owner import current_owner
from pypod.engine.sync import PodSync
from pypod.engine.teardown import Teardown
from pypod.errors import PodExistsError, PodNotRunningError, PypodError
from pypod.inside import Inside
from pypod.model import validation
from pypod.model.journal import Event
from pypod.model.naming import PodKey
from pypod.model.plan import Plan
from pypod.model.planner import Desired
from pypod.model.requests import PodIdentity
from pypod.model.results import ExecResult
from pypod.model.spec import Container, PodSpec, RestartPolicy, Volume
from pypod.model.status import Phase, PodStatus
from pypod.supervisor import supervisor_of


class Pod:
    """A group of containers that are born together, share one network address, port space, hostname, IPC space and, by
    default, PID space, and die together.

    Used with ``with``, it is started on entry and removed on exit, whatever happens in between.

    Args:
        name: unique in its namespace; made up where it is None.
        containers: its members; the first is the main one.
        volumes: what members can mount.
        labels: for finding it again.
        namespace: names are unique, and found by DNS, in one.
        restart_policy: ``Always``, ``OnFailure``, ``Never``.
        share_process_namespace: members see each other's processes, and PID 1 is the pause.
        hostname: of every member; the pod's name where it is empty.
        termination_grace_period_seconds: from the stop signal to SIGKILL.
        network: an isolated network of that name; empty: the flat one that all pods share.
        engine: where to run; the default engine (`pypod.connect`) where it is None.
        reach: how `address` reaches a port: ``auto``, ``direct`` or ``relay``.
        min_ready_seconds: how long a container must stay up to count as started.

    Raises:
        SpecError: the description is wrong. Every problem is told at once; nothing has been touched.
    """

    def __init__(
        self,
        name: str | None = None,
        *,
        containers: Iterable[Container],
        volumes: Iterable[Volume] = (),
        labels: Mapping[str, str] | None = None,
        namespace: str = "default",
        restart_policy: str | RestartPolicy = RestartPolicy.ALWAYS,
        share_process_namespace: bool = True,
        hostname: str = "",
        termination_grace_period_seconds: float = 30.0,
        network: str = "",
        engine: Engine | None = None,
        reach: Literal["auto", "direct", "relay"] = "auto",
        min_ready_seconds: float = 0.1,
    ) -> None:
        self._sync: PodSync | None = None  # these first: __del__ runs also after an error below
        self._leased = False
        spec = PodSpec(
            name=name if name is not None else f"pod-{uuid.uuid4().hex[:8]}",
            containers=tuple(containers),
            volumes=tuple(volumes),
            namespace=namespace,
            labels=MappingProxyType(dict(labels or {})),
            restart_policy=RestartPolicy(restart_policy),
            share_process_namespace=share_process_namespace,
            hostname=hostname,
            termination_grace_period_seconds=termination_grace_period_seconds,
            network=network,
        )
        self._init(spec, engine, reach, min_ready_seconds)

    def _init(self, spec: PodSpec, engine: Engine | None, reach: str, min_ready_seconds: float) -> None:
        validation.validate(spec)
        if reach not in ("auto", "direct", "relay"):
            raise ValueError(f"cannot take reach={reach!r}: 'auto', 'direct' or 'relay' is expected")
        self._spec = spec
        self._given_engine = engine
        self._reach = reach
        self._min_ready_seconds = min_ready_seconds
        self._pid = os.getpid()
        self._door: Inside | None = None

    @classmethod
    def from_spec(cls, spec: PodSpec, *, engine: Engine | None = None) -> Pod:
        """A pod of a `PodSpec` that was made elsewhere. Raises as the constructor does."""
        pod = cls.__new__(cls)
        pod._sync, pod._leased = None, False
        pod._init(spec, engine, "auto", 0.1)
        return pod

    @classmethod
    def from_manifest(cls, source: str | Path, *, engine: Engine | None = None) -> Pod:
        """A pod of a Kubernetes manifest.

        Args:
            source: a path, or the text itself (a str with a line break in it).
            engine: where to run.

        Raises:
            ManifestError: it cannot be read; every problem with its line and field.
            OSError: the file cannot be read.
        """
        from pypod.model import manifest  # noqa: PLC0415 (yaml takes as long to import as all of pypod)

        if isinstance(source, str) and "\n" in source:
            return cls.from_spec(manifest.load(source), engine=engine)
        path = Path(source)
        return cls.from_spec(manifest.load(path.read_text(), str(path)), engine=engine)

    def to_manifest(self) -> str:
        """The pod as Kubernetes YAML, which `from_manifest` reads back unchanged."""
        from pypod.model import manifest  # noqa: PLC0415 (as above)

        return manifest.dump(self._spec)

    @classmethod
    def of(cls, sync: PodSync) -> Pod:
        """A handle on a pod that is on its engine already."""
        pod = cls.from_spec(sync.desired.spec, engine=sync.engine)
        pod._sync = sync
        return pod

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

    @property
    def engine(self) -> Engine:
        """Where it runs; the default engine is asked for here, once."""
        if self._given_engine is None:
            self._given_engine = connecting.connect()
        return self._given_engine

    def __repr__(self) -> str:
        return f"<Pod {self._spec.full_name} {self.status.summary}>"

    # its life

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pid != os.getpid():  # a forked child leaves the block: the pod is its parent's
            return
        try:
            self.stop()
        except PypodError as left:
            if error is None:
                raise
            error.add_note(str(left))

    def start(self, *, timeout: float = 60.0, detach: bool = False) -> Self:
        """Start it, and return when every container has been started.

        On any failure, Ctrl-C included, what was made is removed again.

        Args:
            timeout: seconds.
            detach: it outlives this process; the background program looks after it. Otherwise it ends with this process.

        Raises:
            PodStartError: a container cannot be started or keeps crashing.
            PodExistsError: a pod of that name runs, with another spec or another owner.
            PodTimeoutError: it was not started in time.
            EngineUnavailableError: no engine answers.
            EngineError: the engine failed.
        """
        if self._sync is not None:
            raise PodExistsError(f"cannot start pod '{self._full}': it was started already", pod=self._full)
        engine = self.engine
        connecting.sweep_once(engine)
        same = existing.find_same(engine, self._spec, detach=detach)
        if same is not None:
            self._sync, self._leased, self._pid = same, not detach, os.getpid()
            return self
        key = PodKey(self._spec.namespace, self._spec.name, str(uuid.uuid4()))
        identity = PodIdentity(key, current_owner(), leased=not detach)
        sync = self._sync = PodSync(engine, Desired(self._spec, identity))
        self._leased, self._pid = not detach, os.getpid()
        if self._leased:
            lifetime.own(sync)
        try:
            starting.start(sync, timeout=timeout, min_ready_seconds=self._min_ready_seconds)
            self._hand_over(sync)
        except BaseException as error:
            self._undo(error)
            raise
        return self

    def _hand_over(self, sync: PodSync) -> None:
        if self._leased:
            supervisor_of(sync.engine).add(sync)
        else:
            sync.channel.close()
        background.ensure_running(sync.engine)

    def _undo(self, error: BaseException) -> None:
        """Remove what a failed start made. Its own error wins."""
        try:
            self.stop(grace=0)
        except (PypodError, KeyboardInterrupt) as left:
            error.add_note(f"while removing it again: {str(left) or 'interrupted'}")

    def stop(self, grace: float | None = None) -> None:
        """Remove it: stop signals to all members, SIGKILL after the grace, then everything that the pod had.

        A KeyboardInterrupt (a second Ctrl-C) ends the grace at once.

        Args:
            grace: seconds; None: as the spec says.

        Raises:
            TeardownError: something is still on the engine.
            EngineUnavailableError: no engine answers.
        """
        sync = self._sync
        if sync is None:
            return
        supervisor_of(sync.engine).remove(self.uid)
        sync.release()
        if self._door is not None:
            self._door.close()
            self._door = None
        seconds = self._spec.termination_grace_period_seconds if grace is None else grace
        try:
            Teardown(sync.engine, sync.desired.identity.key, grace=seconds).run()
        finally:
            sync.channel.close()
            lifetime.disown(self.uid)
            self._leased = False
        sync.refresh()

    def __del__(self) -> None:
        if self._leased and self._pid == os.getpid() and lifetime.owned(self.uid) is self._sync:
            text = f"pod '{self._full}' was started and not stopped; it ends with the process"
            warnings.warn(text, ResourceWarning, 2)

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

    @property
    def events(self) -> tuple[Event, ...]:
        """What happened to it, oldest first; as of the last `refresh` for a pod of another process."""
        return self._sync.channel.history.events if self._sync is not None else ()

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

    def plan(self) -> Plan:
        """What would be done for it now, from a fresh look; nothing is touched.

        Raises:
            EngineError: the engine could not be read.
        """
        return self._sync.plan() if self._sync is not None else existing.dry_run(self.engine, self._spec)

    def wait(self, condition: str = "Ready", timeout: float = 60.0) -> PodStatus:
        """Wait until it is where you want it.

        Args:
            condition: ``Started``, ``Ready``, ``Running``, ``Succeeded``, ``Failed``, ``Completed`` (one of the two) or
                ``Deleted``.
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

        Raises:
            ExecTimeoutError: it did not end in time. The engine cannot kill it: it may run on until the container ends.
            ExecError: with ``check``: the exit code was not 0.
            PodNotRunningError: the container does not run.
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
    ) -> Iterator[str]: ...

    def logs(
        self,
        container: str | None = None,
        *,
        follow: bool = False,
        tail: int | None = None,
        since: float | None = None,
        timestamps: bool = False,
    ) -> str | Iterator[str]:
        """What a member wrote, both of its outputs.

        Args:
            container: which; the first where it is None.
            follow: lines as they come, until this instance of the container ends.
            tail: only that many last lines.
            since: only what is younger, Unix seconds.
            timestamps: each line begins with its time.

        Raises:
            PodNotRunningError: the container was never made.
        """
        inside = self._inside()
        return inside.logs(
            inside.member(container), follow=follow, tail=tail, since=since, timestamps=timestamps
        )

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
