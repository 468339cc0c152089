"""From what a suite names to a pod of this run."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from pypod.errors import PypodError
from pypod.model.spec.pod import PodSpec, PullPolicy
from pypod.pod import Pod
from pypod.pytest.wishes import Source


class NoSourceError(PypodError, TypeError):
    """What was given describes no pod."""


LONGEST_NAME = 63
"""Of a pod that is also a DNS label."""


def read(source: Source, base: Path) -> Pod:
    """A pod as it is described; nothing is started.

    Args:
        source: see `pypod.pytest.wishes.Source`.
        base: the directory that a relative path begins at.

    Raises:
        ManifestError, SpecError: the description is wrong.
        OSError: its file cannot be read.
        NoSourceError: it is no description.
    """
    match source:
        case Pod():
            return source
        case PodSpec():
            return Pod.from_spec(source)
        case Mapping():
            return Pod.from_manifest(json.dumps(source).encode())
        case str() if "\n" in source or source.lstrip().startswith("{"):
            return Pod.from_manifest(source)
        case str() | os.PathLike():
            return Pod.from_manifest(base / source)
    raise NoSourceError(
        f"cannot make a pod of {source!r}: a manifest's path, its text or its document, a Pod or a PodSpec is expected"
    )


def placed(spec: PodSpec, *, name: str, namespace: str, network: str, pull: str) -> PodSpec:
    """The same pod in a run.

    Args:
        spec: as it was described.
        name, namespace: what it is called here.
        network: of the run. A pod with a network of its own is on one of this run alone that has that name, too.
        pull: the policy for every container's image; empty: as the spec says.
    """
    changed = replace(
        spec,
        name=name,
        generate_name="",
        namespace=namespace,
        network=f"{network}-{spec.network}" if spec.network else network,
    )
    return changed.with_pull_policy(PullPolicy(pull)) if pull else changed


def numbered(name: str, number: int) -> str:
    """``web-2``: the second pod of a name."""
    end = f"-{number}"
    return name[: LONGEST_NAME - len(end)].rstrip("-.") + end
