"""How the engine holds an object: what its volumes are called, what stands on them, and which of several counts.

An object is a **record**: a volume whose labels say it all. Labels never change, so a change is another record, of the next
generation, and the highest one counts. Making a volume is atomic on the engine, and its name is unique: so a reader sees the
old or the new object, and of two writers one has made a generation.

What must not stand in a label is in a volume of its own, that the record names: the values of a Secret, written before the record is
made, and the files of a claim, which every generation of it shares.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from pypod.errors import ManifestError, Problem
from pypod.model import naming
from pypod.model.manifest import object_documents
from pypod.model.schema.paths import ROOT
from pypod.model.spec.objects import Object, ObjectKey, PersistentVolumeClaim, Secret, key_of
from pypod.model.wiring.requests import VolumeRequest
from pypod.model.wiring.state import VolumeInfo

VALUES_FILE = "secret.json"
"""The one file of a Secret's volume."""
VALUES_MODE = 0o600


@dataclass(frozen=True, slots=True)
class Record:
    """One generation of an object.

    Attributes:
        volume: its name.
        document: the object, as JSON; empty for a Secret.
        values: the volume with the Secret; empty for the others.
        token: of the write that made it, which no other has.
        created: when the object was first made, Unix seconds by the engine's clock; 0: not known.
    """

    volume: str
    key: ObjectKey
    generation: int
    document: str = ""
    values: str = ""
    token: str = ""
    created: float = 0.0


def record_of(volume: VolumeInfo) -> Record | None:
    """The record that a volume is; None where it is none."""
    labels = volume.labels
    kind, namespace, name = (
        labels.get(label, "") for label in (naming.OBJECT, naming.NAMESPACE, naming.OBJECT_NAME)
    )
    generation = naming.generation_of(labels)
    if not (kind and namespace and name and generation):
        return None
    document, values = labels.get(naming.DOCUMENT, ""), labels.get(naming.VALUES, "")
    token = labels.get(naming.WRITE, "")
    created = _seconds(labels.get(naming.CREATED, "")) or volume.created_at
    return Record(volume.name, ObjectKey(kind, namespace, name), generation, document, values, token, created)


def _seconds(text: str) -> float:
    """What `request` wrote; 0 where it is no number."""
    return float(text) if text.isdecimal() else 0.0


def by_key(volumes: Iterable[VolumeInfo]) -> dict[ObjectKey, tuple[Record, ...]]:
    """The records of each object, the one that counts last; objects by kind, namespace and name."""
    found: dict[ObjectKey, list[Record]] = {}
    for volume in volumes:
        if (record := record_of(volume)) is not None:
            found.setdefault(record.key, []).append(record)
    return {key: tuple(sorted(found[key], key=lambda record: record.generation)) for key in sorted(found)}


def labels_of(key: ObjectKey) -> dict[str, str]:
    """What every record of an object carries, and no other one's does."""
    return {naming.OBJECT: key.kind, naming.NAMESPACE: key.namespace, naming.OBJECT_NAME: key.name}


def request(
    found: Object, generation: int, token: str, values: str = "", *, created: float = 0.0
) -> VolumeRequest:
    """The record of an object. What is in a Secret stands in the volume ``values``, and not here. ``created``: of the one that it
    replaces; 0 where there is none: a volume knows itself when it was made."""
    key = key_of(found)
    labels = naming.record_labels(key.kind, key.namespace, key.name, generation, token)
    if created:
        labels[naming.CREATED] = str(int(created))
    if isinstance(found, Secret):
        labels[naming.VALUES] = values
    else:
        labels[naming.DOCUMENT] = encode(found)
    return VolumeRequest(naming.record_name(key.kind, key.namespace, key.name, generation), labels)


def claim_volume(claim: PersistentVolumeClaim | ObjectKey) -> str:
    """The name of the volume with the files of a claim."""
    return naming.claim_name(claim.namespace, claim.name)


def encode(found: Object) -> str:
    """As it is kept: equal objects, equal text."""
    return naming.compact_json(object_documents.to_document(found))


def decode(text: str | bytes, source: str) -> Object:
    """The object that `encode` wrote.

    Raises:
        ManifestError: when the text is not such a one: a later pypod's, or damaged. It shows nothing of the text.
    """
    value = _parsed(text)
    if value is None:
        raise ManifestError(source, [Problem(ROOT, "is not JSON", ManifestError)])
    return object_documents.from_document(value, source)


def _parsed(text: str | bytes) -> object:
    """None where it is no JSON. The decoder's error holds the text: it must not become the context of another one."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
