"""The seccomp profiles of a pod's containers: files of the machine that pypod runs on, since an engine takes their text."""

from __future__ import annotations

import json
import os
from pathlib import Path

from pypod.model.rules.confinement import seccomp_file
from pypod.model.spec.pod import PodSpec

ROOT = "/var/lib/kubelet/seccomp"
"""Where a kubelet looks for them; the environment's ``PYPOD_SECCOMP_PROFILES`` says another directory."""
LARGEST = 1024 * 1024


def directory() -> Path:
    """Which one it is."""
    return Path(os.environ.get("PYPOD_SECCOMP_PROFILES") or ROOT)


def read_profiles(spec: PodSpec) -> dict[str, str]:
    """The texts of those that a spec names and that are there, by their paths in the directory."""
    wanted = {seccomp_file(spec, container) for container in spec.all_containers} - {""}
    found = {path: _read(directory() / path) for path in sorted(wanted)}
    return {path: text for path, text in found.items() if text is not None}


def _read(path: Path) -> str | None:
    """What an engine can be given; None: it is not there, or no JSON."""
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
        return json.dumps(json.loads(data)) if len(data) <= LARGEST else None
    except (OSError, ValueError, RecursionError):
        return None
