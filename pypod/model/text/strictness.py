"""How strictly a manifest is looked at."""

from __future__ import annotations

import enum


class Strictness(enum.StrEnum):
    """What becomes of a field that is there twice or that does not exist, and of an unknown kind: Kubernetes' ``--validate``."""

    STRICT = "strict"
    """It is an error."""
    WARN = "warn"
    """It is a warning. Of two fields the last one holds."""
    IGNORE = "ignore"
    """Nothing is said. Of two fields the last one holds."""
