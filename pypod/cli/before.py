"""`validate`, `plan`, `diff`: what is wrong, what would be done, what differs. Nothing is touched."""

from __future__ import annotations

import argparse

from pypod import Pod, PypodError, existing
from pypod.cli import common, comparing, files
from pypod.cli.files import Item
from pypod.engine.api import Engine
from pypod.engine.objects import store_of
from pypod.errors import ObjectError, ObjectNotFoundError
from pypod.model.manifest import manifest
from pypod.model.manifest.manifest import Described
from pypod.model.spec.pod import PodSpec
from pypod.model.validation import objects as validation_objects

EXIT_DIFFERENT = 1
EXIT_CANNOT_COMPARE = 2


def validate(args: argparse.Namespace) -> int:
    """Tell all that is wrong with manifests; no engine is asked."""
    for item in files.read(args).every:
        print(f"{item.name} is valid ({item.file})")
    return 0


def plan(args: argparse.Namespace) -> int:
    """Print what `up` would do now."""
    items = files.read(args)
    engine = common.engine(args)
    pods = [
        (item, item.found, Pod.from_spec(item.found, engine=engine))
        for item in items.every
        if isinstance(item.found, PodSpec)
    ]
    for item in items.every:
        if not isinstance(item.found, PodSpec):
            print(f"{item.name} would be {_change(item, engine)}")
    for item, spec, pod in pods:
        if len(items.every) > 1:
            print(f"{item.name}:")
        _plan(spec, pod, engine)
    return 0


def _plan(spec: PodSpec, pod: Pod, engine: Engine) -> None:
    there = existing.look_up(engine, spec)
    if there is not None and not there.same:
        if there.leased:
            print(
                f"refused: a pod of that name is another process' own (uid {there.pod.desired.identity.key.uid})"
            )
            return
        print("it differs from what runs ('pypod diff' shows how): it would be stopped, and started anew")
        made = existing.dry_run(engine, spec, anew=True)
    else:
        made = pod.plan()
    print(made)
    if made and made.waiting:
        print(f"then: {made.waiting}")


def _change(item: Item, engine: Engine) -> str:
    assert not isinstance(item.found, PodSpec)
    old = _on(engine, item.found)
    if old is None:
        return "created"
    if old == item.found:
        return "unchanged"
    if not isinstance(old, PodSpec):
        validation_objects.refuse_changes(old, item.found)
    return "configured"


def diff(args: argparse.Namespace) -> int:
    """Print what differs from what the engine has: 0 nothing does, 1 something, 2 it cannot be told."""
    try:
        items = files.read(args)
        engine = common.engine(args)
        found = [comparing.difference(_on(engine, item.found), item.found, item.file) for item in items.every]
    except PypodError as error:
        common.say(f"pypod: {error}")
        return EXIT_CANNOT_COMPARE
    for text in filter(None, found):
        print(text)
    return EXIT_DIFFERENT if any(found) else 0


def _on(engine: Engine, found: Described) -> Described | None:
    """What the engine has under its name; an object that is there and cannot be read counts as none."""
    if isinstance(found, PodSpec):
        there = existing.look_up(engine, found)
        return there.pod.desired.spec if there is not None else None
    try:
        return store_of(engine).get(manifest.key_of(found))
    except ObjectNotFoundError:
        return None
    except ObjectError as error:
        common.say(f"pypod: warning: {error}")
        return None
