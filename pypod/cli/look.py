"""`logs` and `exec`: into a pod."""

from __future__ import annotations

import argparse
import os
import sys
import threading
import time
from typing import TYPE_CHECKING

import pypod
from pypod import Pod
from pypod.cli import common
from pypod.cli.streams import Printer, follow
from pypod.engine import execute as running
from pypod.engine.api import STDERR
from pypod.errors import PodNotRunningError
from pypod.model.life.status import Phase, Running

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
        status = pod.refresh()
        if status.phase in (Phase.SUCCEEDED, Phase.FAILED, Phase.UNKNOWN) or status.terminating:
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
    code = stream(engine, status.container_id, args.command, stdin=args.stdin)
    if code is None:
        raise PodNotRunningError(
            f"cannot finish {args.command} in container '{name}' of pod {pod.namespace}/{pod.name}: "
            "the container ended meanwhile",
            pod=f"{pod.namespace}/{pod.name}",
            container=name,
        )
    return code


def stream(engine: Engine, container: str, command: list[str], *, stdin: bool) -> int | None:
    """Run a command with our streams; its exit code. None: the container ended before it."""
    command_stream = engine.exec(container, command, stdin=stdin)
    try:
        if stdin:
            threading.Thread(target=_pass_stdin, args=(command_stream,), daemon=True).start()
        quiet = False  # nothing came since the container was seen dead: nothing will
        while True:
            try:
                frame = command_stream.read(running.LOOK)
            except TimeoutError:
                if quiet:
                    return command_stream.exit_code()
                quiet = not running.is_live(engine, container)
                continue
            if frame is None:
                return _exit_code(command_stream)
            out = sys.stderr if frame.stream == STDERR else sys.stdout
            out.buffer.write(frame.data)
            out.flush()
    finally:
        command_stream.close()


def _exit_code(command: ExecStream) -> int | None:
    """For some moments after the end of its output the engine says that it runs."""
    end = time.monotonic() + running.EXIT_DEADLINE
    while (code := command.exit_code()) is None and time.monotonic() < end:
        time.sleep(running.EXIT_POLL)
    return code


def _pass_stdin(stream: ExecStream) -> None:
    while data := os.read(sys.stdin.fileno(), CHUNK):
        stream.send(data)
    stream.close_stdin()
