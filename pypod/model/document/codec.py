"""A spec as text, for the label that its pause carries: the engine is the only database."""

from __future__ import annotations

import json

from pypod.errors import ManifestError, Problem
from pypod.model import naming
from pypod.model.document import pods as document
from pypod.model.schema.paths import ROOT
from pypod.model.spec.pod import PodSpec

SOURCE = f"label {naming.SPEC}"


def dump_spec(spec: PodSpec) -> str:
    """The spec as compact JSON: equal specs, equal text."""
    return naming.compact_json(document.to_document(spec))


def load_spec(text: str) -> PodSpec:
    """The spec that `dump_spec` wrote.

    Raises:
        ManifestError: when the text is not such a spec, for example a later pypod's.
    """
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as exc:
        problem = Problem(ROOT, f"is not JSON: {exc}", ManifestError)
        raise ManifestError(SOURCE, [problem]) from exc
    return document.from_document(value, SOURCE)
