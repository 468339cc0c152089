"""Manifests for their users: from text, bytes or files, with what they warn of."""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pypod.errors import ManifestWarning
from pypod.model.text.strictness import Strictness

if TYPE_CHECKING:
    from pypod.model.manifest.manifest import Described, Loaded
    from pypod.model.spec.objects import Object
    from pypod.model.spec.pod import PodSpec

SUFFIXES = (".json", ".yaml", ".yml")
"""Of the files of a directory that are manifests, as with kubectl."""
TEXT = "manifest"
"""What errors call a text that is in no file."""


def load(source: str | bytes | Path, *, validate: str | Strictness = Strictness.STRICT) -> list[Described]:
    """All that a manifest describes, in its order: a `PodSpec` for each pod, and `ConfigMap`, `Secret`,
    `PersistentVolumeClaim`. Nothing is started or applied: `Pod.from_spec` and `apply` do that.

    Args:
        source: a path, of a file or of a directory with ``*.yaml``, ``*.yml`` and ``*.json``; or the text itself: bytes, or a str
            with a line break in it or ``{`` in front.
        validate: about what Kubernetes does not have (unknown fields and kinds, fields that are there twice): ``strict``, ``warn``
            or ``ignore``.

    Raises:
        ManifestError: it cannot be read; every problem with its line and field.
        SpecError: what it describes cannot be.
        OSError: the file cannot be read.

    Warns:
        ManifestWarning: of what has no effect on one engine, and of what is wrong where ``validate`` says ``warn``.
    """
    found: list[Described] = []
    for each in _sources(source):
        loaded, name = read(each, Strictness(validate))
        warn_of(loaded, name, stacklevel=2)
        found += loaded.items
    return found


def _sources(source: str | bytes | Path) -> list[str | bytes | Path]:
    if _is_text(source):
        return [source]
    path = Path(os.fsdecode(source))
    return [*files_of(path)] if path.is_dir() else [path]


def read(source: str | bytes | Path, strictness: Strictness = Strictness.STRICT) -> tuple[Loaded, str]:
    """What one file or text describes, and what errors call it; see `load`."""
    from pypod.model.manifest import manifest  # noqa: PLC0415 (yaml takes as long to import as all of pypod)

    if _is_text(source):
        assert isinstance(source, str | bytes)
        return manifest.read(source, TEXT, strictness), TEXT
    path = Path(os.fsdecode(source))
    with path.open("rb") as file:
        text = file.read(manifest.MAX_BYTES + 1)  # of what is longer, reading says so
    return manifest.read(text, str(path), strictness), str(path)


def _is_text(source: str | bytes | Path) -> bool:
    return isinstance(source, bytes) or (
        isinstance(source, str) and ("\n" in source or source.lstrip().startswith("{"))
    )


def files_of(directory: Path) -> list[Path]:
    """The manifests in a directory, not in those below it; by name.

    Raises:
        OSError: it cannot be read.
    """
    return sorted(path for path in directory.iterdir() if path.suffix in SUFFIXES and path.is_file())


def warn_of(loaded: Loaded, source: str, stacklevel: int) -> None:
    """Hand on what a manifest warns of, as if by whoever called so many calls above."""
    for each in loaded.warnings:
        warnings.warn(each.of(source), ManifestWarning, stacklevel + 1)


@dataclass(frozen=True, slots=True)
class PodWithObjects:
    """One pod, and the objects that stand beside it in its manifest."""

    spec: PodSpec
    objects: tuple[Object, ...] = field(default=())


def load_pod(source: str | bytes | Path, strictness: Strictness, stacklevel: int) -> PodWithObjects:
    """The one pod of a manifest; raises and warns as `load`."""
    from pypod.model.manifest import manifest  # noqa: PLC0415 (as above)

    loaded, name = read(source, strictness)
    spec = manifest.the_pod(loaded, name)
    warn_of(loaded, name, stacklevel + 1)
    return PodWithObjects(spec, loaded.objects)
