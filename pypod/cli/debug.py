"""`debug`: an ephemeral container joins a running pod."""

from __future__ import annotations

import argparse

import pypod
from pypod.cli import common


def debug(args: argparse.Namespace) -> int:
    """Start it; print its name, and how to get into it."""
    env = environment(args.env)
    pod = pypod.get(args.pod, args.namespace, engine=common.engine(args))
    name = pod.debug(args.image, args.command, name=args.container, target=args.target, env=env)
    print(name)
    where = f"-n {pod.namespace} " if pod.namespace != "default" else ""
    common.say(f"it runs until the pod is removed; into it: pypod exec {where}{pod.name} -c {name} -i -- sh")
    return 0


def environment(words: list[str]) -> dict[str, str]:
    """``K=V`` each. Raises `UsageError` for anything else."""
    env = {}
    for word in words:
        name, equal, value = word.partition("=")
        if not (name and equal):
            raise common.UsageError(f"--env takes K=V; {word!r} is none")
        env[name] = value
    return env
