"""What differs between a manifest and the engine, as a unified diff of canonical YAML."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from pypod.model.manifest import manifest
from pypod.model.manifest.manifest import Described
from pypod.model.spec.objects import Secret
from pypod.model.text.writer import to_yaml

HIDDEN = "***"


def difference(old: Described | None, new: Described, file: str) -> str:
    """The lines of the difference; empty where there is none. Nothing that a Secret holds is in it.

    Args:
        old: what is on the engine; None: nothing.
        new: what the manifest describes.
        file: what the manifest is called.
    """
    before = manifest.to_document(old) if old is not None else None
    after = manifest.to_document(new)
    if before == after:
        return ""
    if isinstance(new, Secret):
        before, after = _hidden(before, after)
    key = manifest.key_of(new)
    lines = difflib.unified_diff(
        _lines(before),
        _lines(after),
        f"engine: {key.kind.lower()}/{key.name} of {key.namespace}",
        file,
        lineterm="",
    )
    return "\n".join(lines)


def _lines(document: Any) -> list[str]:
    """Canonical: fields stand in the order of the schema, a user's own names in the alphabet's."""
    if document is None:
        return []
    metadata = {
        name: _sorted(value, name in ("labels", "annotations"))
        for name, value in document["metadata"].items()
    }
    fields = {name: _sorted(value, name in ("data", "binaryData")) for name, value in document.items()}
    return to_yaml(fields | {"metadata": metadata}).splitlines()


def _sorted(value: Any, wanted: bool) -> Any:
    return dict(sorted(value.items())) if wanted else value


def _hidden(before: Any, after: Any) -> tuple[Any, Any]:
    """Both without a Secret's values, and without its annotations', which may hold its whole manifest. As with kubectl,
    that one differs is seen.
    """
    old, new = dict(before or {}), dict(after)
    old["data"], new["data"] = _pair(old.get("data"), new.get("data"))
    old_meta, new_meta = dict(old.get("metadata", {})), dict(new["metadata"])
    old_meta["annotations"], new_meta["annotations"] = _pair(
        old_meta.get("annotations"), new_meta.get("annotations")
    )
    old["metadata"], new["metadata"] = _filled(old_meta), _filled(new_meta)
    return (_filled(old) if before is not None else None), _filled(new)


def _pair(
    old: Mapping[str, str] | None, new: Mapping[str, str] | None
) -> tuple[dict[str, str], dict[str, str]]:
    old, new = old or {}, new or {}
    changed = {key for key in old.keys() & new.keys() if old[key] != new[key]}
    return (
        {key: f"{HIDDEN} (before)" if key in changed else HIDDEN for key in old},
        {key: f"{HIDDEN} (after)" if key in changed else HIDDEN for key in new},
    )


def _filled(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value != {}}
