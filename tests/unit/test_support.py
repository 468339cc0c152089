"""The table of what is supported, made from the schema."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from pypod.model.manifest.support import Row, object_rows, rows
from pypod.model.schema.levels import Level

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "support-table"

ROWS = {(row.path, row.value): row for row in rows()}


def test_every_row_is_there_once_and_says_why() -> None:
    assert len(ROWS) == len(rows()) > 250
    silent = [
        row.path
        for row in rows()
        if row.level in (Level.NO_EFFECT, Level.REFUSED, Level.PARTLY) and not row.reason
    ]
    assert silent == []


def test_some_rows() -> None:
    for row in (
        Row("metadata.name", Level.DONE),
        Row("spec.containers[].env[].value", Level.DONE),
        Row("spec.containers[].livenessProbe.grpc.port", Level.DONE),
        Row("spec.volumes[].emptyDir.sizeLimit", Level.PARTLY, "enforced in memory, not on disk"),
        Row("spec.tolerations", Level.NO_EFFECT, "there is one node, and nothing to choose from"),
    ):
        assert ROWS[row.path, row.value] == row
    assert ROWS["spec.volumes[].csi", ""].level is Level.REFUSED
    assert ROWS["spec.volumes[].emptyDir.medium", "HugePages"].level is Level.REFUSED
    assert ROWS["spec.containers[].resources.limits[DOMAIN/NAME]", ""].level is Level.REFUSED
    assert "spec.initContainers[].image" not in {path for path, _ in ROWS}
    assert ROWS["spec.initContainers", ""].level is Level.DONE


def test_what_is_within_a_field_is_no_better_off() -> None:
    for row in rows():
        for around in rows():
            if row.path.startswith(f"{around.path}.") and around.level is Level.PLANNED and not around.value:
                assert row.level in (Level.PLANNED, Level.REFUSED), row


def test_the_page_is_not_stale() -> None:
    """Run `scripts/support-table` where it is."""
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--check"], capture_output=True, text=True, check=False, timeout=30
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_rows_of_objects() -> None:
    found = {row.path: row for row in object_rows("PersistentVolumeClaim")}
    assert found["spec.accessModes"].level is Level.PARTLY
    assert found["spec.resources.requests[storage]"].level is Level.PARTLY
    assert found["metadata.generateName"].level is Level.REFUSED
    assert {"data", "stringData", "type", "immutable"} < {row.path for row in object_rows("Secret")}
