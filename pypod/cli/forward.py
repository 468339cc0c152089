"""`port-forward`: ports of this machine that lead to ports of a pod."""

from __future__ import annotations

import argparse
import contextlib
import time

import pypod
from pypod.cli import common
from pypod.cli.streams import is_over
from pypod.forwarding import PortForward

LOOK_EVERY = 0.5


def forward(args: argparse.Namespace) -> int:
    """Until Ctrl-C, or the pod's end."""
    wanted = [pair(word) for word in args.port]
    pod = pypod.get(args.pod, args.namespace, engine=common.engine(args))
    with common.terminable(), contextlib.ExitStack() as open_until_then:
        for local, remote in wanted:
            made = pod.port_forward(remote, local, address=args.address, on_error=common.say)
            _tell(open_until_then.enter_context(made))
        while not is_over(pod.refresh()):
            time.sleep(LOOK_EVERY)
    common.say(f"pypod: lost connection to pod {pod.namespace}/{pod.name}: it has ended")
    return common.EXIT_FAILURE


def _tell(made: PortForward) -> None:
    host = f"[{made.host}]" if ":" in made.host else made.host
    print(f"Forwarding from {host}:{made.port} -> {made.remote_port}", flush=True)


def pair(word: str) -> tuple[int, int | str]:
    """``LOCAL:REMOTE``, ``:REMOTE`` (a free port here) or ``PORT`` (the same on both sides); the remote one may be a name, and
    then a free one is taken here unless one is said."""
    local, colon, remote = word.partition(":")
    if not colon:
        local, remote = (local, local) if local.isdecimal() else ("", local)
    if not remote or not (local.isdecimal() or not local):
        raise common.UsageError(f"port-forward takes PORT, LOCAL:REMOTE or :REMOTE; {word!r} is none")
    return int(local or 0), int(remote) if remote.isdecimal() else remote
