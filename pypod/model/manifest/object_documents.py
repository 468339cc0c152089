"""ConfigMap, Secret and PersistentVolumeClaim as Kubernetes documents, in and out.

What their fields are is said in `pypod.model.spec.objects`, and read and written as a Pod's are. What stands in a Secret is in no message,
whatever is wrong with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pypod.errors import ManifestError
from pypod.model.schema.layout import Layout, as_mapping
from pypod.model.schema.reading import Reader
from pypod.model.schema.type_meta import kind_of
from pypod.model.schema.writing import Writer
from pypod.model.spec.objects import KINDS, ConfigMap, Object, PersistentVolumeClaim, Secret
from pypod.model.validation import objects as validation_objects

LAYOUTS: Mapping[str, Layout] = {
    ConfigMap.kind: Layout(ConfigMap, ConfigMap.kind),
    Secret.kind: Layout(Secret, Secret.kind),
    PersistentVolumeClaim.kind: Layout(PersistentVolumeClaim, PersistentVolumeClaim.kind, "spec"),
}


def from_document(document: object, source: str) -> Object:
    """The object that a document describes.

    Args:
        document: as parsed.
        source: where it is from, for the error.

    Raises:
        ManifestError: with everything that is wrong with it.
    """
    reader = Reader()
    found = None
    fields = as_mapping(reader, document)
    if fields is not None and (kind := kind_of(reader, fields, KINDS)):
        found = read_fields(reader, fields, kind)
    problems = reader.problems
    if found is not None and not problems:
        problems = validation_objects.problems(found)
    if found is None or problems:
        raise ManifestError(source, problems)
    return found


def read_fields(reader: Reader, document: Mapping[Any, object], kind: str) -> Object:
    """The object of a document of that kind, as far as it can be read."""
    reader.discreet = kind == Secret.kind
    values = LAYOUTS[kind].read(reader, document)
    found: Object = KINDS[kind](**values)
    return found


def to_document(found: Object) -> dict[str, Any]:
    """The object as a manifest has it. Values of a Secret are base64, which hides nothing."""
    return LAYOUTS[found.kind].write(Writer(), found)
