"""The live pod: what users hold."""

from __future__ import annotations

import os
import secrets
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, Unpack

from pypod import loading
from pypod.engine.api import Engine
from pypod.engine.sync import PodSync
from pypod.engine.tracing import UNTRACED
from pypod.errors import Problem, SpecError, spec_error
from pypod.living import Living
from pypod.model import naming
from pypod.model.spec.arguments import PodOptions, spec_of
from pypod.model.spec.objects import Object
from pypod.model.spec.pod import BackoffProfile, Container, PodSpec, RestartPolicy, Volume
from pypod.model.text.strictness import Strictness
from pypod.model.validation import validating as validation


class Pod(Living):
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
        self._hold(spec, engine, reach, min_ready_seconds, trace=trace)

    def _hold(
        self,
        spec: PodSpec,
        engine: Engine | None,
        reach: str = "auto",
        min_ready_seconds: float = 0.1,
        *,
        trace: bool = False,
    ) -> None:
        """The rest of the constructor, of a spec that was checked."""
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
        pod = cls.__new__(cls)
        pod._sync, pod._leased = None, False
        pod._hold(
            sync.desired.spec, sync.engine
        )  # checked when it was started: a list of many is not to pay for it again
        pod._sync, pod._tracer = sync, sync.tracer
        return pod


def _check_extras(spec: PodSpec) -> None:
    """What a spec needs beyond pypod itself must be installed before anything is made."""
    fields = validation.needs_grpc(spec)
    if fields and find_spec("grpc") is None:
        words = "a gRPC probe needs the package grpcio: pip install 'pypod[grpc]'"
        raise spec_error(f"pod '{spec.name}'", [Problem(field, words, SpecError) for field in fields])
