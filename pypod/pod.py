"""The live pod: what users hold."""

from __future__ import annotations

import os
import secrets
import uuid
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Literal, Self, Unpack

from pypod import background, connecting, existing, expiring, lifetime, loading, starting, storing
from pypod.engine.api import Engine
from pypod.engine.identity import engine_time
from pypod.engine.owner import current_owner
from pypod.engine.sync import PodSync
from pypod.engine.teardown import Teardown
from pypod.engine.tracing import UNTRACED, Tracer, Untraced
from pypod.errors import PodExistsError, Problem, PypodError, SpecError, spec_error
from pypod.handle import Handle
from pypod.model import naming
from pypod.model.life.desired import Desired
from pypod.model.life.journal import HandedOver, KeptUntil
from pypod.model.life.plan import Plan
from pypod.model.naming import PodIdentity, PodKey
from pypod.model.spec.arguments import PodOptions, spec_of
from pypod.model.spec.objects import Object
from pypod.model.spec.pod import BackoffProfile, Container, PodSpec, RestartPolicy, Volume
from pypod.model.text.strictness import Strictness
from pypod.model.validation import validating as validation
from pypod.supervisor import supervisor_of

OnFailure = Callable[[Exception], bool]


class Pod(Handle):
    """A group of containers that are born together, share one network address, port space, hostname, IPC space and, by
    default, PID space, and die together.

    Used with ``with``, it is started on entry and removed on exit, whatever happens in between.

    Args:
        name: unique in its namespace; made up where it is None, of ``generate_name`` where that is given.
        containers: its members; the first is the main one.
        init_containers: run one after the other, each to its end, before the containers; one with
            ``restart_policy="Always"`` is a sidecar, which goes on beside them.
        volumes: what members can mount.
        labels: for finding it again.
        namespace: names are unique, and found by DNS, in one.
        restart_policy: ``Always``, ``OnFailure``, ``Never``.
        share_process_namespace: members see each other's processes, and PID 1 is the pause.
        hostname: of every member; the pod's name where it is empty.
        termination_grace_period_seconds: for preStop hooks, and from the stop signal to SIGKILL.
        active_deadline_seconds: how long it may be active, from its start, image pulls included; None: for ever.
        restart_backoff: how fast containers that keep ending are started again: ``fast`` (1 s, doubling to 60 s) or
            ``classic`` (10 s, doubling to 300 s).
        network: an isolated network of that name; empty: the flat one that all pods share.
        extra_networks: names of Docker networks of others (``shop_default`` of a compose project) that it joins beside its own,
            under its own names. They must be there, and stay when it ends.
        engine: where to run; the default engine (`pypod.connect`) where it is None.
        reach: how `address`, probes and hooks reach a port: ``auto``, ``direct`` or ``relay``.
        min_ready_seconds: how long a container must stay up to count as started.
        trace: record what takes how long, for `trace`.
        more: every other field of a Kubernetes Pod, in snake_case: ``annotations``, ``generate_name``, ``security_context``,
            ``resources``, ``image_pull_secrets``, ``host_aliases``, ``dns_policy``, ``dns_config``, ``subdomain``, ``host_network`` ...;
            `pypod.model.spec.arguments.PodOptions` has them all, with their types.

    Raises:
        TypeError: there is no such argument.
        SpecError: the description is wrong. Every problem is told at once; nothing has been touched.
    """

    _objects: tuple[Object, ...]

    def __init__(
        self,
        name: str | None = None,
        *,
        containers: Iterable[Container],
        init_containers: Iterable[Container] = (),
        volumes: Iterable[Volume] = (),
        labels: Mapping[str, str] | None = None,
        namespace: str = "default",
        restart_policy: str | RestartPolicy = RestartPolicy.ALWAYS,
        share_process_namespace: bool = True,
        hostname: str = "",
        termination_grace_period_seconds: float = 30.0,
        active_deadline_seconds: float | None = None,
        restart_backoff: str | BackoffProfile = BackoffProfile.FAST,
        network: str = "",
        extra_networks: Iterable[str] = (),
        engine: Engine | None = None,
        reach: Literal["auto", "direct", "relay"] = "auto",
        min_ready_seconds: float = 0.1,
        trace: bool = False,
        **more: Unpack[PodOptions],
    ) -> None:
        self._sync: PodSync | None = None  # these first: __del__ runs also after an error below
        self._leased = False
        made_up = "" if more.get("generate_name") else f"pod-{uuid.uuid4().hex[:8]}"
        inside = {"containers": containers, "init_containers": init_containers, "volumes": volumes}
        shared = {
            "share_process_namespace": share_process_namespace,
            "hostname": hostname,
            "network": network,
            "extra_networks": extra_networks,
        }
        spec = spec_of(
            {
                "name": made_up if name is None else name,
                "labels": labels,
                "namespace": namespace,
                "restart_policy": restart_policy,
                "termination_grace_period_seconds": termination_grace_period_seconds,
                "active_deadline_seconds": active_deadline_seconds,
                "restart_backoff": restart_backoff,
                **inside,
                **shared,
                **more,
            }
        )
        self._init(spec, engine, reach, min_ready_seconds, trace=trace)

    def _init(
        self,
        spec: PodSpec,
        engine: Engine | None,
        reach: str = "auto",
        min_ready_seconds: float = 0.1,
        *,
        trace: bool = False,
    ) -> None:
        validation.validate(spec)
        _check_extras(spec)
        if not spec.name:
            spec = replace(spec, name=naming.generated_name(spec.generate_name, secrets.choice))
        if reach not in ("auto", "direct", "relay"):
            raise ValueError(f"cannot take reach={reach!r}: 'auto', 'direct' or 'relay' is expected")
        self._spec = spec
        self._given_engine = engine
        self._reach = reach
        self._min_ready_seconds = min_ready_seconds
        self._traced = trace
        self._tracer = UNTRACED
        self._objects = ()
        self._pid = os.getpid()
        self._door = None

    @classmethod
    def from_spec(
        cls,
        spec: PodSpec,
        *,
        objects: Iterable[Object] = (),
        engine: Engine | None = None,
        trace: bool = False,
    ) -> Pod:
        """A pod of a `PodSpec` that was made elsewhere. Raises as the constructor does.

        Args:
            spec: what it is.
            objects: ConfigMaps, Secrets and claims that are applied before it is started.
            engine: where to run.
            trace: as of the constructor.
        """
        pod = cls.__new__(cls)
        pod._sync, pod._leased = None, False
        pod._init(spec, engine, trace=trace)
        pod._objects = tuple(objects)
        return pod

    def like(
        self, spec: PodSpec, *, objects: Iterable[Object] | None = None, engine: Engine | None = None
    ) -> Pod:
        """Another pod, not started, that is as this one but for its spec: it is reached and started in the same way.

        Args:
            spec: what it is.
            objects: what is applied before it is started; None: what is for this one.
            engine: where to run, where this one was given no engine.

        Raises:
            SpecError: the spec is wrong.
        """
        given = self._objects if objects is None else objects
        pod = Pod.from_spec(spec, objects=given, engine=self._given_engine or engine)
        pod._reach, pod._min_ready_seconds, pod._traced = self._reach, self._min_ready_seconds, self._traced
        return pod

    @classmethod
    def from_manifest(
        cls,
        source: str | bytes | Path,
        *,
        engine: Engine | None = None,
        validate: str = "strict",
        trace: bool = False,
    ) -> Pod:
        """The pod of a Kubernetes manifest.

        There is one Pod in it. ConfigMaps, Secrets and claims may stand beside it, in documents of their own or in a List: they
        are applied whenever the pod is started, as `pypod.apply` does, and stay when it ends. For a manifest of several pods see
        `pypod.load`.

        Args:
            source: a path, or the text itself: bytes, or a str with a line break in it or ``{`` in front.
            engine: where to run.
            validate: about what Kubernetes does not have (unknown fields and kinds, fields that are there twice): ``strict``,
                ``warn`` or ``ignore``.
            trace: as of the constructor.

        Raises:
            ManifestError: it cannot be read; every problem with its line and field.
            SpecError: what it describes cannot be.
            OSError: the file cannot be read.

        Warns:
            ManifestWarning: of what has no effect on one engine.
        """
        found = loading.load_pod(source, Strictness(validate), stacklevel=2)
        return cls.from_spec(found.spec, objects=found.objects, engine=engine, trace=trace)

    def another(self, *, engine: Engine | None = None) -> Pod:
        """One more of the same description, which is not started. Its name is made of ``generate_name``, or else of this one's name:
        ``shop-x7k2p``.

        Args:
            engine: where to run; None: where this one does.
        """
        base = self._spec.generate_name or f"{self._spec.name}-"
        pod = self.like(replace(self._spec, name="", generate_name=base))
        pod._given_engine = engine or pod._given_engine
        return pod

    @property
    def objects(self) -> tuple[Object, ...]:
        """What is applied before it is started: what stood beside it in its manifest."""
        return self._objects

    def to_manifest(self) -> str:
        """The pod as Kubernetes YAML, which `from_manifest` reads back unchanged. Its `objects` are not in it."""
        from pypod.model.manifest import manifest  # noqa: PLC0415 (yaml takes as long to import as all of pypod)

        return manifest.dump(self._spec)

    @classmethod
    def of(cls, sync: PodSync) -> Pod:
        """A handle on a pod that is on its engine already."""
        pod = cls.from_spec(sync.desired.spec, engine=sync.engine)
        pod._sync, pod._tracer = sync, sync.tracer
        return pod

    @property
    def engine(self) -> Engine:
        """Where it runs; the default engine is asked for here, once."""
        if self._given_engine is None:
            self._given_engine = connecting.connect()
        return self._given_engine

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

    def start(
        self,
        *,
        wait: bool = True,
        timeout: float = 60.0,
        detach: bool = False,
        ttl: float | None = None,
        trace: bool = False,
        on_failure: OnFailure | None = None,
    ) -> Self:
        """Start it, and return when every container has been started.

        On any failure, Ctrl-C included, what was made is removed again. Where this very pod is there already, of the same spec and
        owner (any, for a detached one), nothing is made: this is a handle on it, and it is waited for in the same way. That it
        fails then leaves it as it is.

        Args:
            wait: False: return at once; it starts by itself. What goes wrong then is in its status and events.
            timeout: seconds.
            detach: it outlives this process; the background program looks after it. Otherwise it ends with this process.
            ttl: seconds for which a detached one lives from when it was started; None: until it is removed. For one that is there
                already its end is put off to that, where it is not later anyway.
            trace: record what takes how long, for `trace`; so does the constructor's.
            on_failure: is told why it cannot be started, while what was made of it is still there to be looked at. Where it answers
                True, a detached one stays, and the background program goes on with it.

        Raises:
            ValueError: a time to live for a pod that is not detached, or one that is no positive number.
            PodStartError: a container cannot be started or keeps crashing.
            PodExistsError: a pod of that name runs, with another spec or another owner.
            PodTimeoutError: it was not started in time.
            SpecError: one of its `objects` cannot be changed in this way.
            EngineUnavailableError: no engine answers.
            EngineError: the engine failed.
        """
        if self._sync is not None:
            raise PodExistsError(f"cannot start pod '{self._full}': it was started already", pod=self._full)
        expiring.check(ttl, detach=detach)
        # One that the background program brings up is not recorded here.
        traced = (trace or self._traced) and (wait or not detach)
        tracer = self._tracer = Tracer(self._full) if traced else UNTRACED
        with tracer.timed("start", detail=False):
            same = self._prepare(tracer, ttl, detach=detach)
            if same is not None:
                self._take(same, wait=wait, timeout=timeout, detach=detach)
            else:
                self._make(tracer, on_failure, ttl, wait=wait, timeout=timeout, detach=detach)
        return self

    def _prepare(self, tracer: Untraced, ttl: float | None, *, detach: bool) -> PodSync | None:
        """What comes before anything is made; the same pod, where it is there already."""
        with tracer.timed("connect"):
            engine = self.engine
        with tracer.timed("sweep"):
            connecting.sweep_once(engine)
        if self._objects:
            with tracer.timed("apply objects"):
                storing.apply(*self._objects, engine=engine)
        with tracer.timed("look for the name"):
            same = existing.find_same(engine, self._spec, detach=detach)
        if same is not None and detach and not expiring.renew(same, ttl):
            existing.finish(same)  # it came to its end at this moment
            return None
        return same

    def _make(
        self,
        tracer: Untraced,
        on_failure: OnFailure | None,
        ttl: float | None,
        *,
        wait: bool,
        timeout: float,
        detach: bool,
    ) -> None:
        engine = self.engine
        key = PodKey(self._spec.namespace, self._spec.name, str(uuid.uuid4()))
        identity = PodIdentity(key, current_owner(), leased=not detach, ttl=ttl)
        sync = self._sync = PodSync(
            engine, Desired(self._spec, identity), reach=self._reach, making=True, tracer=tracer
        )
        self._leased, self._pid = not detach, os.getpid()
        if self._leased:
            lifetime.own(sync)
        supervisor_of(engine).watch(sync)
        if detach:  # should this process be killed on the way, it takes over
            background.ensure_running(engine)
        try:
            if wait:
                starting.start(sync, timeout=timeout, min_ready_seconds=self._min_ready_seconds)
            elif detach:
                starting.begin(sync, timeout=timeout)
            self._hand_over(sync, ttl)
        except BaseException as error:
            stays = False
            try:
                stays = on_failure is not None and isinstance(error, Exception) and on_failure(error)
            finally:
                if stays and detach:
                    self._hand_over(sync, ttl)
                else:
                    self._undo(error)
            raise

    def _take(self, sync: PodSync, *, wait: bool, timeout: float, detach: bool) -> None:
        """The pod is there already, and somebody else's to bring up."""
        self._sync, self._leased, self._pid = sync, not detach, os.getpid()
        try:
            if detach:
                background.ensure_running(sync.engine)
            if wait:
                starting.look_on(
                    sync, self.refresh, timeout=timeout, min_ready_seconds=self._min_ready_seconds
                )
        except BaseException:
            self._sync, self._leased = None, False
            raise

    def wait_started(self, timeout: float = 60.0) -> Self:
        """Wait for one that was started with ``wait=False``, in the same way and with the same errors as `start` does. That it fails
        leaves it as it is.

        Raises:
            PodStartError: a container cannot be started or keeps crashing.
            PodTimeoutError: it was not started in time.
            EngineError: the engine failed.
        """
        starting.look_on(
            self._started(), self.refresh, timeout=timeout, min_ready_seconds=self._min_ready_seconds
        )
        return self

    def _hand_over(self, sync: PodSync, ttl: float | None) -> None:
        if self._leased:
            supervisor_of(sync.engine).add(sync)
        else:
            supervisor_of(sync.engine).remove(self.uid)
            sync.release()
            if ttl is not None:
                now = engine_time(sync.engine)
                sync.channel.write(KeptUntil(now, now + ttl))
            sync.channel.write(HandedOver(sync.clock.now()))
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
        if self._sync is not None:
            with self._tracer.timed("stop", detail=False):
                self._stop(self._sync, grace)

    def _stop(self, sync: PodSync, grace: float | None) -> None:
        gone = supervisor_of(sync.engine).remove(self.uid)
        if gone is not None and gone is not sync:  # the background program's, where it runs in this process
            gone.channel.close()
        sync.release()
        if self._door is not None:
            self._door.close()
            self._door = None
        seconds = self._spec.termination_grace_period_seconds if grace is None else grace
        if lifetime.owned(self.uid) is None:
            existing.read_journal(sync)
        key = sync.desired.identity.key
        try:
            Teardown(
                sync.engine,
                key,
                grace=seconds,
                spec=self._spec,
                channel=sync.channel,
                tracer=self._tracer,
                reach=self._reach,
            ).run()
        finally:
            sync.channel.close()
            lifetime.disown(self.uid)
            self._leased = False
        sync.note_removed()

    def __del__(self) -> None:
        if self._leased and self._pid == os.getpid() and lifetime.owned(self.uid) is self._sync:
            text = f"pod '{self._full}' was started and not stopped; it ends with the process"
            warnings.warn(text, ResourceWarning, 2)

    def plan(self) -> Plan:
        """What would be done for it now, from a fresh look; nothing is touched.

        Raises:
            EngineError: the engine could not be read.
        """
        return self._sync.plan() if self._sync is not None else existing.dry_run(self.engine, self._spec)


def _check_extras(spec: PodSpec) -> None:
    """What a spec needs beyond pypod itself must be installed before anything is made."""
    fields = validation.needs_grpc(spec)
    if fields and find_spec("grpc") is None:
        words = "a gRPC probe needs the package grpcio: pip install 'pypod[grpc]'"
        raise spec_error(f"pod '{spec.name}'", [Problem(field, words, SpecError) for field in fields])
