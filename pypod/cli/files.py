"""What ``-f`` names: files, directories and standard input, as kubectl takes them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pypod import PodSpec, PullPolicy, PypodError, loading
from pypod.cli import common
from pypod.model.manifest import manifest
from pypod.model.manifest.manifest import Described, Loaded
from pypod.model.spec.objects import Object, ObjectKey
from pypod.model.text.strictness import Strictness

STDIN = "-"
STDIN_NAME = "<stdin>"


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that was described.

    Attributes:
        file: where.
    """

    found: Described
    file: str

    @property
    def name(self) -> str:
        """As kubectl calls it: ``pod/web``."""
        key = manifest.key_of(self.found)
        return f"{key.kind.lower()}/{key.name}"


@dataclass(frozen=True, slots=True)
class Items:
    """All that was described, in its order."""

    every: tuple[Item, ...]

    @property
    def pods(self) -> list[PodSpec]:
        return [each.found for each in self.every if isinstance(each.found, PodSpec)]

    @property
    def objects(self) -> list[Object]:
        return [each.found for each in self.every if not isinstance(each.found, PodSpec)]


def read(args: argparse.Namespace, *, warn: bool = True) -> Items:
    """All that ``-f`` names. Warnings are printed, each once, unless nobody wants them; so are the errors of all files where
    there are several.

    Raises:
        PypodError: something cannot be read, or describes nothing that can be.
    """
    strictness = Strictness(args.validate)
    items: list[Item] = []
    errors: list[PypodError] = []
    warned: dict[str, None] = {}
    for path in _paths(args.file):
        name = STDIN_NAME if path == STDIN else path
        try:
            loaded = _load(path, strictness)
        except PypodError as error:
            errors.append(error)
            continue
        warned |= dict.fromkeys(each.of(name) for each in loaded.warnings)
        items += [Item(each, name) for each in loaded.items]
    errors += _twice(items)
    for text in warned if warn else ():
        common.say(f"pypod: warning: {text}")
    if not errors and not items:
        errors.append(
            PypodError(f"cannot find anything to do in {', '.join(args.file)}: no Pod and no object")
        )
    common.raise_if_any(errors)
    return Items(tuple(_with_pull(each, getattr(args, "pull", None)) for each in items))


def _with_pull(item: Item, policy: str | None) -> Item:
    """As if its manifest had said so."""
    if policy is None or not isinstance(item.found, PodSpec):
        return item
    return Item(item.found.with_pull_policy(PullPolicy(policy)), item.file)


def _paths(given: Sequence[str]) -> Iterator[str]:
    """Files, those in directories among them, each once."""
    seen: set[str] = set()
    for name in given:
        for path in _files(name):
            if path not in seen:
                seen.add(path)
                yield path


def _files(name: str) -> list[str]:
    if name == STDIN or not Path(name).is_dir():
        return [name]
    try:
        found = [str(path) for path in loading.files_of(Path(name))]
    except OSError as error:
        raise _unreadable(name, error) from None
    if not found:
        raise PypodError(f"cannot read '{name}': no *.yaml, *.yml or *.json is in it")
    return found


def _load(path: str, strictness: Strictness) -> Loaded:
    if path == STDIN:
        text = sys.stdin.buffer.read(manifest.MAX_BYTES + 1)  # of what is longer, reading says so
        return manifest.read(text, STDIN_NAME, strictness)
    try:
        return loading.read(Path(path), strictness)[0]
    except (OSError, ValueError) as error:  # ValueError: a path with a NUL in it
        if isinstance(error, PypodError):
            raise
        raise _unreadable(path, error) from None


def _unreadable(name: str, error: Exception) -> PypodError:
    hint = "; save it first, only files are read" if name.startswith(("http://", "https://")) else ""
    return PypodError(f"cannot read '{name}': {getattr(error, 'strerror', None) or error}{hint}")


def _twice(items: Sequence[Item]) -> Iterator[PypodError]:
    """What two files describe. Of one file, reading says so."""
    first: dict[ObjectKey, Item] = {}
    for item in items:
        key = manifest.key_of(item.found)
        other = first.setdefault(key, item)
        if key.name and other.file != item.file:
            yield PypodError(f"cannot accept {item.file}: {key} is described in {other.file} too")
