"""`down`, `wait`: pods end, or come where they are wanted."""

from __future__ import annotations

import argparse
import contextlib

import pypod
from pypod import PypodError
from pypod.cli import common, files
from pypod.cli.files import Item
from pypod.engine.api import Engine
from pypod.errors import ObjectNotFoundError, PodNotFoundError
from pypod.model.spec.objects import PersistentVolumeClaim


def down(args: argparse.Namespace) -> int:
    """Stop and remove the pod that is named, or all that manifests describe."""
    if bool(args.pod) == bool(args.file):
        raise common.UsageError("down takes either a pod's name or -f FILE")
    if args.claims and not args.file:
        raise common.UsageError("down --claims is for the claims of a manifest: it takes -f FILE")
    if not args.file:
        _stop(args, args.pod, args.namespace)
        return 0
    items = files.read(args, warn=False)
    engine = common.engine(args)
    errors: list[PypodError] = []
    for spec in reversed(items.pods):
        try:
            _stop(args, spec.name, spec.namespace)
        except PypodError as error:  # the others go all the same
            errors.append(error)
    for item in reversed(items.every):
        try:
            _delete(item, engine, claims=args.claims)
        except PypodError as error:
            errors.append(error)
    common.raise_if_any(errors)
    return 0


def _delete(item: Item, engine: Engine, *, claims: bool) -> None:
    """An object. One that is not there is gone already; the files of a claim go only where that is asked for."""
    found = item.found
    if isinstance(found, pypod.PodSpec):
        return
    if isinstance(found, PersistentVolumeClaim) and not claims:
        common.say(f"{item.name} is kept; --claims deletes it, with its files")
        return
    with contextlib.suppress(ObjectNotFoundError):
        pypod.delete_object(found.kind, found.name, found.namespace, engine=engine)
        print(f"{item.name} deleted", flush=True)


def _stop(args: argparse.Namespace, name: str, namespace: str) -> None:
    pypod.get(name, namespace, engine=common.engine(args)).stop(grace=args.grace)
    print(f"{name} removed", flush=True)


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
