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
from pypod.engine.api import STDERR
from pypod.errors import PodNotRunningError
from pypod.model.status import Phase, Running

if TYPE_CHECKING:
    from pypod.engine.api import Engine, ExecStream

LOOK_EVERY = 0.5
CHUNK = 65536


def logs(args: argparse.Namespace) -> int:
    """Print what one container wrote, or all of them."""
    pod = pypod.get(args.pod, args.namespace, engine=common.engine(args))
    names = [args.container] if args.container else [container.name for container in pod.spec.containers]
    known(pod, names[0])
    printer = Printer(names, prefix=len(names) > 1)
    options = {"tail": args.tail, "timestamps": args.timestamps}
    since = None if args.since is None else time.time() - args.since
    if args.follow:
        return _follow(pod, names, printer, since, args)
    for name in names:
        for line in str(pod.logs(name, since=since, **options)).splitlines():
            printer.line(name, line)
    return 0


def _follow(
    pod: Pod, names: list[str], printer: Printer, since: float | None, args: argparse.Namespace
) -> int:
    over = threading.Event()
    options = {"tail": args.tail, "since": since, "timestamps": args.timestamps}
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


def known(pod: Pod, container: str) -> None:
    """Raise a usage error when the pod has no such container."""
    names = [each.name for each in pod.spec.containers]
    if container not in names:
        raise common.UsageError(
            f"pod {pod.namespace}/{pod.name} has no container '{container}'; it has {', '.join(names)}"
        )


def execute(args: argparse.Namespace) -> int:
    """Run a command in a container, its streams on ours; its exit code is ours."""
    if not args.command:
        raise common.UsageError("exec takes the command after --, as in: pypod exec POD -- ls /")
    engine = common.engine(args)
    pod = pypod.get(args.pod, args.namespace, engine=engine)
    name = args.container or pod.spec.containers[0].name
    known(pod, name)
    status = pod.refresh().container(name)
    if not isinstance(status.state, Running):
        raise PodNotRunningError(
            f"cannot run a command in container '{name}' of pod {pod.namespace}/{pod.name}: it is not running "
            f"({status.state.reason})",
            pod=f"{pod.namespace}/{pod.name}",
            container=name,
        )
    return _stream(engine, status.container_id, args.command, stdin=args.stdin)


def _stream(engine: Engine, container: str, command: list[str], *, stdin: bool) -> int:
    stream = engine.exec(container, command, stdin=stdin)
    try:
        if stdin:
            threading.Thread(target=_pass_stdin, args=(stream,), daemon=True).start()
        while (frame := stream.read()) is not None:
            out = sys.stderr if frame.stream == STDERR else sys.stdout
            out.buffer.write(frame.data)
            out.flush()
        while (code := stream.exit_code()) is None:
            time.sleep(0.01)
        return code
    finally:
        stream.close()


def _pass_stdin(stream: ExecStream) -> None:
    while data := os.read(sys.stdin.fileno(), CHUNK):
        stream.send(data)
    stream.close_stdin()
