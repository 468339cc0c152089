"""`logs` and `exec`: into a pod."""

from __future__ import annotations

import argparse
import os
import sys
import threading
from typing import TYPE_CHECKING

import pypod
from pypod import Pod
from pypod.cli import common
from pypod.cli.streams import Printer, follow, is_over
from pypod.engine import execute as running
from pypod.engine.api import STDERR, Frame
from pypod.errors import PodNotRunningError
from pypod.model.life.status import Running

if TYPE_CHECKING:
    from pypod.engine.api import Engine, ExecStream

LOOK_EVERY = 0.5
CHUNK = 65536


def logs(args: argparse.Namespace) -> int:
    """Print what one container wrote, or all of them."""
    if args.previous and args.follow:
        raise common.UsageError("logs takes either -f or -p: who has ended writes no more")
    pod = pypod.get(args.pod, args.namespace, engine=common.engine(args))
    if args.container:
        common.known(pod, args.container)
    names = [args.container] if args.container else common.names_of(pod)
    printer = Printer(names, prefix=len(names) > 1)
    if args.follow:
        return _follow(pod, names, printer, args)
    _print_logs(pod, names, printer, args)
    return 0


def _print_logs(pod: Pod, names: list[str], printer: Printer, args: argparse.Namespace) -> None:
    """Of all: those that have logs, unless none has."""
    missing: list[PodNotRunningError] = []
    for name in names:
        try:
            found = pod.log_blocks(
                name, since=args.since, tail=args.tail, timestamps=args.timestamps, previous=args.previous
            )
        except PodNotRunningError as error:
            missing.append(error)
            continue
        for block in found:
            printer.lines(name, block)
    if len(missing) == len(names):
        raise missing[0]


def _follow(pod: Pod, names: list[str], printer: Printer, args: argparse.Namespace) -> int:
    over = threading.Event()
    options = {"tail": args.tail, "since": args.since, "timestamps": args.timestamps}
    threads = [
        threading.Thread(target=follow, args=(pod, name, printer, over), kwargs=options, daemon=True)
        for name in names
    ]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        if is_over(pod.refresh()):
            over.set()
        for thread in threads:
            thread.join(LOOK_EVERY / len(threads))
    return 0


def execute(args: argparse.Namespace) -> int:
    """Run a command in a container, its streams on ours; its exit code is ours."""
    if not args.command:
        raise common.UsageError("exec takes the command after --, as in: pypod exec POD -- ls /")
    engine = common.engine(args)
    pod = pypod.get(args.pod, args.namespace, engine=engine)
    name = args.container or pod.spec.containers[0].name
    common.known(pod, name)
    status = pod.status.container(name)
    if not isinstance(status.state, Running):
        raise PodNotRunningError(
            f"cannot run a command in container '{name}' of pod {pod.namespace}/{pod.name}: it is not running "
            f"({status.state.reason})",
            pod=f"{pod.namespace}/{pod.name}",
            container=name,
        )
    try:
        return stream(engine, status.container_id, args.command, stdin=args.stdin)
    except running.ContainerEndedError:
        common.say(f"container '{name}' of pod {pod.namespace}/{pod.name} ended before {args.command} did")
        return running.KILLED


def stream(engine: Engine, container: str, command: list[str], *, stdin: bool) -> int:
    """Run a command with our streams; its exit code. Raises `ContainerEndedError` where the container ended before it."""
    command_stream = engine.exec(container, command, stdin=stdin)
    try:
        if stdin:
            threading.Thread(target=_pass_stdin, args=(command_stream,), daemon=True).start()
        return running.attend(engine, container, command_stream, _pass_on)
    finally:
        command_stream.close()


def _pass_on(frame: Frame) -> None:
    out = sys.stderr if frame.stream == STDERR else sys.stdout
    out.buffer.write(frame.data)
    out.flush()


def _pass_stdin(stream: ExecStream) -> None:
    while data := os.read(sys.stdin.fileno(), CHUNK):
        stream.send(data)
    stream.close_stdin()
