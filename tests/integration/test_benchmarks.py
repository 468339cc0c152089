"""The benchmarks run, one round of what is quick; no time is judged. And what a cold pod asks a real engine is counted."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]

COLD_POD_OF_THREE = {
    "GET /containers/json": 2,  # who has the name; how it is when all is started
    "GET /volumes": 1,  # what a dead owner left under the name
    "GET /networks": 1,
    "GET /images": 2,
    "GET /networks/ID": 1,
    "POST /containers/create": 4,
    "POST /containers/attach": 1,
    "POST /containers/start": 4,
    "GET /containers/ID/json": 4,
}
"""docs/performance.md explains them."""


def kind(call: str) -> str:
    """Of a call, without names and IDs."""
    method, path = call.split()
    parts = path.strip("/").split("/")
    if parts[0] == "images":
        return f"{method} /images"
    if method == "POST" and parts[-1] in ("attach", "start"):
        return f"{method} /containers/{parts[-1]}"
    return f"{method} {path}"


def test_they_run_and_leave_nothing_and_a_cold_pod_asks_as_much_as_the_docs_say(tmp_path: Path) -> None:
    rows = _rows(tmp_path, "cold", "calls")
    for key in ("cold", "teardown"):
        assert {*rows[key]["samples"]} == {"floor", "naive", "pypod", "pypod, default", "pypod CLI"}
        assert {*rows[key]["missing"]} == {"podman", "compose", "testcontainers"}
    # On a busy machine its supervisor's first look may be among them; not each time.
    for _ in range(3):
        told = next(note for note in rows["calls"]["notes"] if note.startswith("pypod: "))
        calls = Counter(kind(call) for call in told.removeprefix("pypod: ").split(", "))
        if calls == COLD_POD_OF_THREE:
            break
        rows = _rows(tmp_path, "calls")
    assert calls == COLD_POD_OF_THREE


def _rows(folder: Path, *parts: str) -> dict[str, Any]:
    """What these parts of the benchmarks measured, by key."""
    figures = folder / "figures.json"
    words = [*parts, "--quick", "--no-peers", "--shared", "--json", str(figures)]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return {row["key"]: row for row in json.loads(figures.read_text())["rows"]}
