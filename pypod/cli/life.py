"""`up`, `down`, `plan`: pods begin and end."""

from __future__ import annotations

import argparse
import sys
import threading
import time
from pathlib import Path

import pypod
from pypod import Pod, PypodError
from pypod.cli import common
from pypod.cli.streams import Printer, follow
from pypod.errors import PodNotFoundError
from pypod.model.status import Phase

LOOK_EVERY = 0.3
DRAIN = 2.0


def up(args: argparse.Namespace) -> int:
    """Start the pod; in the foreground stay until it has ended or is told to."""
    pod = _from_file(args)
    full = f"{pod.namespace}/{pod.name}"
    if args.detach:
        pod.start(wait=args.wait, timeout=args.timeout, detach=True)
        _started(pod, wait=args.wait)
        return 0
    with common.terminable():
        common.say(f"starting pod {full} ({', '.join(c.name for c in pod.spec.containers)}) ...")
        try:
            pod.start(wait=args.wait, timeout=args.timeout)
            _started(pod, wait=args.wait)
            common.say("following its logs; Ctrl-C removes the pod")
            return _stay(pod)
        except KeyboardInterrupt:
            common.say(f"\nremoving pod {full}; another Ctrl-C kills it ...")
            raise
        finally:
            _remove(pod)


def _remove(pod: Pod) -> None:
    """With its grace period; a second Ctrl-C ends that, a third this process (the pod then goes by its lease)."""
    try:
        pod.stop()
    except KeyboardInterrupt:
        common.next_interrupt_kills()
        pod.stop(grace=0)
        raise


def _from_file(args: argparse.Namespace) -> Pod:
    try:
        text = sys.stdin.read() if args.file == "-" else ""
        source = f"{text}\n" if args.file == "-" else Path(args.file)
        return Pod.from_manifest(source, engine=common.engine(args))
    except (OSError, UnicodeDecodeError) as error:
        if isinstance(error, PypodError):
            raise
        raise PypodError(f"cannot read '{args.file}': {getattr(error, 'strerror', None) or error}") from None


def _started(pod: Pod, *, wait: bool) -> None:
    """Its name and address; of one that was not waited for there may be none yet."""
    print(f"{pod.name} {pod.ip if wait else pod.status.pod_ip}".rstrip(), flush=True)


def _stay(pod: Pod) -> int:
    """Print the containers' logs until the pod has ended: 0 when it succeeded."""
    names = [container.name for container in pod.spec.all_containers]
    printer, over = Printer(names), threading.Event()
    threads = [
        threading.Thread(target=follow, args=(pod, name, printer, over), daemon=True) for name in names
    ]
    for thread in threads:
        thread.start()
    phase = pod.status.phase
    try:
        while phase not in (Phase.SUCCEEDED, Phase.FAILED):
            time.sleep(LOOK_EVERY)
            status = pod.refresh()
            if status.terminating or status.reason == "NotFound":
                raise PodNotFoundError(
                    f"cannot follow pod {pod.namespace}/{pod.name}: somebody else removed it",
                    pod=f"{pod.namespace}/{pod.name}",
                )
            phase = status.phase
    finally:
        over.set()
    end = time.monotonic() + DRAIN
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    common.say(f"pod {pod.namespace}/{pod.name} has ended: {phase.value}")
    return 0 if phase is Phase.SUCCEEDED else 1


def down(args: argparse.Namespace) -> int:
    """Stop and remove the pod that is named, or described by a manifest."""
    if bool(args.pod) == bool(args.file):
        raise common.UsageError("down takes either a pod's name or -f FILE")
    if args.file:
        described = _from_file(args)
        name, namespace = described.name, described.namespace
    else:
        name, namespace = args.pod, args.namespace
    pod = pypod.get(name, namespace, engine=common.engine(args))
    pod.stop(grace=args.grace)
    print(f"{name} removed")
    return 0


CONDITIONS = ("Ready", "Started")
PHASES = ("Running", "Succeeded", "Failed")


def wait(args: argparse.Namespace) -> int:
    """Wait until the pod is where it is wanted."""
    wanted = goal(args.goal)
    try:
        pod = pypod.get(args.pod, args.namespace, engine=common.engine(args))
    except PodNotFoundError:
        if wanted != "Deleted":
            raise
    else:
        pod.wait(wanted, args.timeout)
    print(f"pod/{args.pod} condition met")
    return 0


def goal(text: str) -> str:
    """What `pypod.Pod.wait` calls it. Upper and lower case are the same, as with kubectl.

    Raises:
        UsageError: it is none.
    """
    kind, _, value = text.partition("=")
    known = {"condition": CONDITIONS, "phase": PHASES}.get(kind.lower(), ())
    if text.lower() == "delete":
        return "Deleted"
    for word in known:
        if value.lower() == word.lower():
            return word
    raise common.UsageError(
        f"--for takes condition={'|'.join(CONDITIONS)}, phase={'|'.join(PHASES)} or delete; {text!r} is none"
    )


def plan(args: argparse.Namespace) -> int:
    """Print what would be done for the pod now."""
    made = _from_file(args).plan()
    print(made)
    if made and made.waiting:
        print(f"then: {made.waiting}")
    return 0
