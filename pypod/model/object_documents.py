"""ConfigMap, Secret and PersistentVolumeClaim as Kubernetes documents, in and out.

Strict, as with a pod: every field is read, or is the server's and without meaning here, or is refused by name. What stands in a
Secret is in no message, whatever is wrong with it.
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from pypod.errors import ManifestError
from pypod.model import validation_objects
from pypod.model.document_fields import Fields, Reader, line_of
from pypod.model.objects import KINDS, ConfigMap, Object, PersistentVolumeClaim, Secret
from pypod.model.quantity import format_bytes
from pypod.model.wording import did_you_mean, show

API_VERSION = "v1"

SERVERS_OWN = (
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "finalizers",
    "generation",
    "managedFields",
    "ownerReferences",
    "resourceVersion",
    "selfLink",
    "uid",
)
"""Fields of metadata that an API server writes: an exported manifest has them, and they say nothing here."""

# --- out -------------------------------------------------------------------------------------------------------------


def to_document(found: Object) -> dict[str, Any]:
    """The object as a manifest has it. Values of a Secret are base64, which hides nothing."""
    body: dict[str, Any] = {
        "apiVersion": API_VERSION,
        "kind": found.kind,
        "metadata": {
            "name": found.name,
            "namespace": found.namespace,
            **_filled(labels=dict(found.labels), annotations=dict(found.annotations)),
        },
    }
    if isinstance(found, PersistentVolumeClaim):
        return body | {"spec": _claim_spec(found)}
    if isinstance(found, Secret):
        body |= {"type": found.type, **_filled(data=_coded(found.data))}
    else:
        body |= _filled(data=dict(found.data), binaryData=_coded(found.binary_data))
    return body | _filled(immutable=found.immutable)


def _filled(**fields: object) -> dict[str, object]:
    return {key: value for key, value in fields.items() if value}


def _coded(values: Mapping[str, bytes]) -> dict[str, str]:
    return {key: base64.b64encode(value).decode() for key, value in values.items()}


def _claim_spec(found: PersistentVolumeClaim) -> dict[str, Any]:
    limit = found.storage_limit
    resources = {"requests": {"storage": format_bytes(found.storage)}}
    if limit is not None:
        resources["limits"] = {"storage": format_bytes(limit)}
    spec: dict[str, Any] = {"accessModes": list(found.access_modes), "resources": resources}
    if found.storage_class_name is not None:  # empty is another thing than absent
        spec["storageClassName"] = found.storage_class_name
    if found.selector is not None:
        spec["selector"] = dict(found.selector)
    if found.volume_attributes_class_name is not None:
        spec["volumeAttributesClassName"] = found.volume_attributes_class_name
    return spec | _filled(
        volumeMode=found.volume_mode if found.volume_mode != "Filesystem" else "",
        volumeName=found.volume_name,
    )


# --- in --------------------------------------------------------------------------------------------------------------


def from_document(value: object, source: str, lines: Mapping[str, int] | None = None) -> Object:
    """The object that a document describes.

    Args:
        value: the document, as parsed.
        source: where it is from, for the error.
        lines: the line of each field's path, where they are known.

    Raises:
        ManifestError: with everything that is wrong with it.
    """
    reader = Reader(lines or {})
    fields = Fields(reader, "", value)
    found = _read(fields) if fields.usable else None
    if found is not None and not reader.problems:
        # One that could be read; whether it can be accepted is said by the same rules as for one from Python.
        reader.problems += [
            dataclasses.replace(problem, error=ManifestError, line=line_of(reader.lines, problem.path))
            for problem in validation_objects.problems(found)
        ]
    if found is None or reader.problems:
        raise ManifestError(source, reader.problems)
    return found


def _read(fields: Fields) -> Object | None:
    kind, version = fields.string("kind", required=True), fields.string("apiVersion", required=True)
    if kind not in KINDS:
        if kind:
            words = ", ".join(f"'{each}'" for each in KINDS)
            fields.refuse(
                "kind",
                f"{show(kind)} is not supported{did_you_mean(kind, KINDS)}; one of {words} is expected",
            )
        return None
    if version not in (API_VERSION, ""):
        fields.refuse("apiVersion", f"{show(version)} is not supported for a {kind}: 'v1' is expected")
    metadata = _metadata(fields.fields("metadata"))
    found = _READERS[kind](fields, metadata)
    fields.close()
    return found


def _metadata(fields: Fields) -> dict[str, Any]:
    found = {
        "name": fields.string("name", required=not fields.has("generateName")),
        "namespace": fields.string("namespace") or "default",
        "labels": fields.text_mapping("labels"),
        "annotations": _texts(fields, "annotations"),
    }
    if fields.has("generateName"):
        fields.refuse("generateName", "is not supported for an object that others refer to: give it a name")
    for name in SERVERS_OWN:
        fields.raw(name)
    fields.close()
    return found


def _config_map(fields: Fields, metadata: dict[str, Any]) -> ConfigMap:
    return ConfigMap(
        data=fields.text_mapping("data"),
        binary_data=_decoded(fields, "binaryData"),
        immutable=fields.boolean("immutable"),
        **metadata,
    )


def _secret(fields: Fields, metadata: dict[str, Any]) -> Secret:
    return Secret(
        data=_decoded(fields, "data"),
        string_data=_texts(fields, "stringData"),
        type=fields.string("type"),
        immutable=fields.boolean("immutable"),
        **metadata,
    )


def _claim(fields: Fields, metadata: dict[str, Any]) -> PersistentVolumeClaim:
    fields.raw("status")  # the server's
    spec = fields.fields("spec")
    resources = spec.fields("resources")
    requests, limits = resources.fields("requests", keyed=True), resources.fields("limits", keyed=True)
    if not requests.has("storage") and requests.usable:
        requests.refuse("storage", "is required")
    for name in ("dataSource", "dataSourceRef"):
        if spec.has(name):
            spec.refuse(
                name, "is not supported: on one engine a claim begins empty; copy the files in instead"
            )
    # What is missing has been told of by now, or is told of by the validation (an empty list of access modes).
    found = PersistentVolumeClaim(
        storage=requests.quantity("storage") or 0,
        access_modes=spec.strings("accessModes"),
        storage_class_name=spec.string("storageClassName") if spec.has("storageClassName") else None,
        volume_mode=spec.string("volumeMode"),
        volume_name=spec.string("volumeName"),
        selector=_plain(spec, "selector"),
        storage_limit=limits.quantity("storage"),
        volume_attributes_class_name=(
            spec.string("volumeAttributesClassName") if spec.has("volumeAttributesClassName") else None
        ),
        **metadata,
    )
    for each in (requests, limits, resources, spec):
        each.close()
    return found


_READERS: Mapping[str, Callable[[Fields, dict[str, Any]], Object]] = {
    "ConfigMap": _config_map,
    "Secret": _secret,
    "PersistentVolumeClaim": _claim,
}


def _plain(fields: Fields, name: str) -> Mapping[str, object] | None:
    value = fields.raw(name)
    if value is None or isinstance(value, Mapping):
        return value
    fields.refuse(name, f"a mapping of fields is expected, not {show(value)}")
    return None


def _texts(fields: Fields, name: str) -> dict[str, str]:
    """A mapping of strings whose values are in no message: `stringData`; annotations, which may hold a whole Secret."""
    found = {}
    for key, value in _entries(fields, name):
        if isinstance(value, str | None):
            found[key] = value or ""
        else:
            hint = " (in quotes it is one)" if isinstance(value, bool | int | float) else ""
            _refuse(fields, name, key, f"a string is expected, not {_kind(value)}{hint}")
    return found


def _decoded(fields: Fields, name: str) -> dict[str, bytes]:
    """A mapping of base64 texts, decoded as Go does it: line ends in them count for nothing."""
    found = {}
    for key, value in _entries(fields, name):
        if not isinstance(value, str | None):
            _refuse(fields, name, key, f"base64 text is expected, not {_kind(value)}")
            continue
        try:
            found[key] = base64.b64decode((value or "").replace("\n", "").replace("\r", ""), validate=True)
        except (binascii.Error, ValueError):
            hint = "; plain text goes to stringData" if name == "data" else "; plain text goes to data"
            _refuse(fields, name, key, f"is not valid base64{hint}")
    return found


def _entries(fields: Fields, name: str) -> list[tuple[str, object]]:
    value = fields.raw(name)
    if value is None:
        return []
    if not isinstance(value, Mapping):
        fields.refuse(name, f"a mapping is expected, not {_kind(value)}")
        return []
    found = []
    for key, item in value.items():
        if isinstance(key, str):
            found.append((key, item))
        else:
            fields.refuse(name, f"a key that is a string is expected, not {show(key)}")
    return found


def _refuse(fields: Fields, name: str, key: str, message: str) -> None:
    inner = fields.fields(name, keyed=True)
    inner.refuse(key, message)


def _kind(value: object) -> str:
    """What it is, without what it says."""
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "a string"
    return show(value)
