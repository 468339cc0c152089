"""`up` and `apply`: what is described comes to be, objects first, then pods."""

from __future__ import annotations

import argparse
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

import pypod
from pypod import Pod, background, existing
from pypod.cli import common, comparing, files, trace
from pypod.cli.files import Item, Items
from pypod.cli.streams import Printer, follow
from pypod.engine.api import Engine
from pypod.engine.tracing import Trace
from pypod.errors import PodNotFoundError
from pypod.expiring import LONGEST_TTL
from pypod.model.life.status import Phase

LOOK_EVERY = 0.3
DRAIN = 2.0


@dataclass(frozen=True, slots=True)
class Begun:
    """A pod that is to be there, and what was done for it.

    Attributes:
        change: ``created``, ``replaced`` or ``unchanged``.
    """

    pod: Pod
    change: str

    @property
    def is_ours(self) -> bool:
        """This command made it."""
        return self.change != "unchanged"


def up(args: argparse.Namespace) -> int:
    """Start the pods; in the foreground stay until they have ended or are told to."""
    if args.ttl is not None and not args.detach:
        raise common.UsageError("--ttl takes -d: a pod in the foreground ends with this command")
    if args.ttl is not None and not 0 < args.ttl <= LONGEST_TTL:
        raise common.UsageError("--ttl takes a time above 0, and a hundred years at most")
    items = files.read(args)
    if args.trace is not None:  # where it cannot be written, this says so before anything is made
        trace.write([], args.trace)
    engine = common.engine(args)
    described = _pods(items, engine, trace=args.trace is not None)
    for line in _apply_objects(items, engine):
        common.say(line)
    if not described:
        return 0
    begun: list[Begun] = []
    try:
        return _up(described, begun, engine, args)
    finally:
        if args.trace is not None:  # anew, with all that came after the start
            trace.write(_traces(described, begun), args.trace)


def _up(
    described: Sequence[tuple[Item, Pod]], begun: list[Begun], engine: Engine, args: argparse.Namespace
) -> int:
    with common.terminable():
        try:
            try:
                _start(described, begun, engine, args)
            finally:
                if args.trace is not None:
                    _tell_traces(_traces(described, begun), args.trace)
            if args.detach:
                return 0
            common.say(f"following {_their(begun)} logs; Ctrl-C {_after(begun)}")
            code = _stay([each.pod for each in begun])
        except KeyboardInterrupt:
            if ours := _ours(begun):
                common.say(
                    f"\nremoving {_called(ours)}; another Ctrl-C kills {'it' if len(ours) == 1 else 'them'} ..."
                )
            _remove(ours)
            raise
        except BaseException:
            _remove(_ours(begun))
            raise
        _remove(_ours(begun))
        return code


def apply(args: argparse.Namespace) -> int:
    """Apply objects and begin pods that stay, waiting for nothing."""
    items = files.read(args)
    engine = common.engine(args)
    described = _pods(items, engine)
    for line in _apply_objects(items, engine):
        print(line, flush=True)
    for item, pod in described:
        begun = _begin(item, pod, engine, detach=True, wait=False, timeout=args.timeout)
        print(f"{item.name} {begun.change}", flush=True)
    return 0


def _traces(described: Sequence[tuple[Item, Pod]], begun: Sequence[Begun]) -> list[Trace]:
    """Of the pods that were begun, and of those that could not be started."""
    failed = [pod for item, pod in described[len(begun) :] if pod.uid]
    return [pod.trace() for pod in [*(each.pod for each in begun), *failed]]


def _tell_traces(traces: Sequence[Trace], path: str) -> None:
    trace.write(traces, path)
    for each in traces:
        common.say(str(each))
    common.say(f"written to {path}: {trace.VIEWERS}")


def _pods(items: Items, engine: Engine, *, trace: bool = False) -> list[tuple[Item, Pod]]:
    """Each is checked for what it needs here before anything is touched."""
    return [
        (item, Pod.from_spec(item.found, engine=engine, trace=trace))
        for item in items.every
        if isinstance(item.found, pypod.PodSpec)
    ]


def _apply_objects(items: Items, engine: Engine) -> list[str]:
    return [str(done) for done in pypod.apply(*items.objects, engine=engine)] if items.objects else []


def _start(
    described: Sequence[tuple[Item, Pod]], begun: list[Begun], engine: Engine, args: argparse.Namespace
) -> None:
    """Begins them in their order. Several are begun before any is waited for: one may need another. Detached ones are then brought up
    by the background program; without that, one after the other here.
    """
    alone = len(described) == 1 or (args.detach and not background.is_wanted())
    wait = args.wait and alone
    for item, pod in described:
        if not args.detach:
            names = ", ".join(each.name for each in pod.spec.containers)
            common.say(f"starting pod {pod.spec.full_name} ({names}) ...")
        begun.append(
            _begin(item, pod, engine, detach=args.detach, wait=wait, timeout=args.timeout, ttl=args.ttl)
        )
    deadline = time.monotonic() + args.timeout
    for each in begun:
        if args.wait and not wait:
            each.pod.wait_started(max(0.0, deadline - time.monotonic()))
        # Of one that was not waited for there may be no address yet.
        ip = each.pod.ip if args.wait else each.pod.status.pod_ip
        print(f"{each.pod.name} {ip}".rstrip(), flush=True)


def _begin(
    item: Item,
    pod: Pod,
    engine: Engine,
    *,
    detach: bool,
    wait: bool,
    timeout: float,
    ttl: float | None = None,
) -> Begun:
    """One that runs is left alone where it is the same, and else stopped and started anew. One that is another process' own
    is not touched: that it is there is an error.
    """
    there = existing.look_up(engine, pod.spec)
    change = "created"
    if there is not None and not there.leased:
        running = Pod.of(there.pod)
        if there.same:
            common.say(f"{item.name} unchanged")
            running.refresh()
            if detach:
                running.renew(ttl)
            if wait:
                running.wait_started(timeout)
            return Begun(running, "unchanged")
        common.say(comparing.difference(running.spec, pod.spec, item.file))
        common.say(f"{item.name} differs: stopping it, to start it anew ...")
        running.stop()
        change = "replaced"
    pod.start(wait=wait, timeout=timeout, detach=detach, ttl=ttl)
    return Begun(pod, change)


# --- in the foreground -----------------------------------------------------------------------------------------------


def _ours(begun: Sequence[Begun]) -> list[Pod]:
    return [each.pod for each in begun if each.is_ours]


def _called(pods: Sequence[Pod]) -> str:
    names = ", ".join(pod.spec.full_name for pod in pods)
    return f"pod {names}" if len(pods) == 1 else f"pods {names}"


def _their(begun: Sequence[Begun]) -> str:
    return "its" if len(begun) == 1 else "their"


def _after(begun: Sequence[Begun]) -> str:
    """What Ctrl-C will do."""
    ours = _ours(begun)
    if not ours:
        return "leaves the pod as it is" if len(begun) == 1 else "leaves the pods as they are"
    if len(begun) == 1:
        return "removes the pod"
    return "removes the pods" if len(ours) == len(begun) else f"removes {_called(ours)}"


def _remove(pods: Sequence[Pod]) -> None:
    """With their grace periods; a second Ctrl-C ends those, a third this process (the pods then go by their leases)."""
    left = list(pods)
    try:
        while left:
            left[-1].stop()
            left.pop()
    except KeyboardInterrupt:
        common.next_interrupt_kills()
        for pod in reversed(left):
            pod.stop(grace=0)
        raise


def _stay(pods: Sequence[Pod]) -> int:
    """Print the containers' logs until the pods have ended: 0 when all succeeded."""
    prefix = {pod.uid: f"{pod.name}/" if len(pods) > 1 else "" for pod in pods}
    every = [(pod, each.name) for pod in pods for each in pod.spec.all_containers]
    printer = Printer([f"{prefix[pod.uid]}{name}" for pod, name in every])
    over = {pod.uid: threading.Event() for pod in pods}
    threads = [
        threading.Thread(
            target=follow, args=(pod, name, printer, over[pod.uid], prefix[pod.uid]), daemon=True
        )
        for pod, name in every
    ]
    for thread in threads:
        thread.start()
    phases: dict[str, Phase] = {}
    try:
        while len(phases) < len(pods):
            for pod in pods:
                if pod.uid not in phases and (phase := _end_of(pod)):
                    phases[pod.uid] = phase
                    over[pod.uid].set()
            if len(phases) < len(pods):
                time.sleep(LOOK_EVERY)
    finally:
        for each in over.values():
            each.set()
    end = time.monotonic() + DRAIN
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    for pod in pods:
        common.say(f"pod {pod.spec.full_name} has ended: {phases[pod.uid].value}")
    return 0 if set(phases.values()) == {Phase.SUCCEEDED} else 1


def _end_of(pod: Pod) -> Phase | None:
    """How it has ended; None: it has not."""
    status = pod.refresh()
    if status.terminating or status.reason == "NotFound":
        full = pod.spec.full_name
        raise PodNotFoundError(f"cannot follow pod {full}: somebody else removed it", pod=full)
    return status.phase if status.phase in (Phase.SUCCEEDED, Phase.FAILED) else None
