"""A folder of manifests by others, which is no part of this project: tests that need it are skipped where it is not.

It is at ``$PYPOD_CORPUS``, else beside the checkout.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pypod.model.text import documents as manifest_text

ROOT = Path(__file__).resolve().parents[1]
FOLDER = Path(os.environ.get("PYPOD_CORPUS") or ROOT.parent / "shared" / "corpus")
MISSING = "" if FOLDER.is_dir() else f"there is no corpus at {FOLDER}; PYPOD_CORPUS says where it is"

_MARKER = re.compile(r"^---.*$", re.MULTILINE)


@dataclass(frozen=True)
class Part:
    """One document of a file.

    Attributes:
        text: of it alone.
        value: what it says.
    """

    file: str
    text: str
    value: Mapping[str, Any]

    @property
    def kind(self) -> str:
        return str(self.value["kind"])


def parts_of(file: str) -> Iterator[Part]:
    """The documents of a file that hold anything."""
    for text in _MARKER.split((FOLDER / file).read_text()):
        for document in manifest_text.read(text):
            assert not document.broken, f"{file}: {document.findings}"
            if isinstance(document.value, dict):
                yield Part(file, text, document.value)


def parts() -> Iterator[Part]:
    """The documents of all files."""
    for path in sorted(FOLDER.iterdir()):
        if path.suffix in (".yaml", ".yml", ".json"):
            yield from parts_of(path.name)


def template_of(part: Part) -> dict[str, Any] | None:
    """The Pod that a workload would make, as a document; None: it makes none."""
    spec: Any = part.value.get("spec") or {}
    template = spec.get("jobTemplate", {}).get("spec", spec).get("template")
    if template is None:
        return None
    meta = {"name": part.value["metadata"]["name"], **(template.get("metadata") or {})}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": template["spec"]}


def pod_text(file: str) -> str:
    """The one Pod of a file, else the Pod of its one workload."""
    found = list(parts_of(file))
    pods = [part.text for part in found if part.kind == "Pod"]
    if pods:
        (text,) = pods
        return text
    (template,) = filter(None, map(template_of, found))
    return json.dumps(template)
