"""What a document is one of: its ``kind`` and ``apiVersion`` (Kubernetes' TypeMeta)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from pypod.model.schema import other_kinds
from pypod.model.schema.kinds import STRING
from pypod.model.schema.layout import API_VERSION
from pypod.model.schema.levels import Level, objection, warning
from pypod.model.schema.paths import below
from pypod.model.schema.reading import Reader
from pypod.model.wording import did_you_mean

POD = "Pod"
CONFIG_MAP = "ConfigMap"
SECRET = "Secret"  # noqa: S105 (a kind)
CLAIM = "PersistentVolumeClaim"
READ = (POD, CONFIG_MAP, SECRET, CLAIM)
"""The kinds that are read."""


def kind_of(reader: Reader, document: Mapping[Any, object], kinds: Collection[str] = READ) -> str:
    """Which of these kinds a document is one of; empty where it is none, which the reader was told.

    Of another kind nothing more is said: its fields are its own.
    """
    words = {}
    for name in ("apiVersion", "kind"):
        raw = document.get(name)
        if raw is None or raw == "":
            reader.refuse(below("", name), "is required")
        else:
            words[name] = STRING.read(reader, below("", name), raw)
    kind, version = words.get("kind"), words.get("apiVersion")
    if not isinstance(kind, str):
        return ""
    if kind not in kinds:
        _other(reader, kind, version if isinstance(version, str) else "", kinds)
        return ""
    if isinstance(version, str) and version != API_VERSION:
        message = f"{reader.show(version)} is not supported; a {kind} is of '{API_VERSION}'"
        reader.refuse(below("", "apiVersion"), message)
    return kind if version == API_VERSION else ""


def _other(reader: Reader, kind: str, version: str, kinds: Collection[str]) -> None:
    path = below("", "kind")
    other = other_kinds.find(kind, version)
    shown = reader.show(kind)
    if other is None:
        words = ", ".join(f"'{each}'" for each in kinds)
        every = {*READ, *other_kinds.NAMES}
        near = did_you_mean(kind, every) if kind not in every else ""
        of = f" of {reader.show(version)}" if other_kinds.group_of(version) else ""
        expected = f"one of {words}" if len(kinds) > 1 else words
        reader.unknown_kind(path, f"{shown}{of} is not supported{near}; {expected} is expected")
    elif other.level is Level.NO_EFFECT:
        reader.warn(path, f"{shown} {warning(other.level, other.reason)}")
    else:
        reader.unknown_kind(path, f"{shown} {objection(other.level, other.reason)}", silent=False)
