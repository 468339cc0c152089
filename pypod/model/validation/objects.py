"""Whether a ConfigMap, Secret or claim is one that Kubernetes takes: every problem at once, under the field's path.

The rules are those of pkg/apis/core/validation (ValidateConfigMap, ValidateSecret, ValidatePersistentVolumeClaim). No
message shows a value of a Secret.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from pypod.errors import InvalidNameError, Problem, SpecError, spec_error
from pypod.model.schema.checking import LARGEST_SIZE, Check
from pypod.model.spec import objects
from pypod.model.spec.objects import ConfigMap, Object, PersistentVolumeClaim, Secret
from pypod.model.validation.metadata import check_annotations, check_labels
from pypod.model.wording import did_you_mean, show

MOST_BYTES = 1024 * 1024
"""Of all values of a ConfigMap or a Secret together."""

_KEY = re.compile(r"[-._a-zA-Z0-9]+")
KEY_RULE = (
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name', or 'KEY_NAME', or"
    " 'key-name')"
)
_IMMUTABLE = "Forbidden: field is immutable when `immutable` is set"


def validate(found: object) -> None:
    """Refuses what is no object, or cannot be one.

    Raises:
        SpecError: with every problem; an `InvalidNameError` where only names are wrong.
    """
    if wrong := problems(found):
        raise spec_error(subject(found), wrong)


def subject(found: object) -> str:
    """What an object is called in an error."""
    if not isinstance(found, Object):
        return f"{show(found)} as an object"
    name: object = found.name
    return f"{found.kind} '{name[:253]}'" if isinstance(name, str) else found.kind


def problems(found: object) -> list[Problem]:
    """What is wrong with an object, in the order of its fields; not more than anybody reads."""
    check = Check()
    if not isinstance(found, Object):
        check.add("object", f"one of {', '.join(objects.KINDS)} is expected, not {show(found)}")
        return check.problems
    _metadata(check, found)
    if isinstance(found, ConfigMap):
        _config_map(check, found)
    elif isinstance(found, Secret):
        _secret(check, found)
    else:
        _claim(check, found)
    return check.problems


# --- metadata --------------------------------------------------------------------------------------------------------


def _metadata(check: Check, found: Object) -> None:
    check.name("metadata.name", found.name, subdomain=True)
    check.name("metadata.namespace", found.namespace)
    check_labels(check, "metadata.labels", found.labels)
    check_annotations(check, found.annotations)


# --- data ------------------------------------------------------------------------------------------------------------


def check_key(check: Check, path: str, key: object) -> None:
    """Whether it can be the key of a value (apimachinery pkg/util/validation, IsConfigMapKey)."""
    if not isinstance(key, str):
        check.add(path, f"a key that is a string is expected, not {show(key)}", InvalidNameError)
        return
    if len(key) > 253:
        check.add(path, f"must be no more than 253 characters, not {len(key)}", InvalidNameError)
    if not _KEY.fullmatch(key):
        check.add(path, f"the key {show(key)} is not valid: {KEY_RULE}", InvalidNameError)
    elif key in (".", ".."):
        check.add(path, f"the key must not be '{key}'", InvalidNameError)
    elif key.startswith(".."):
        check.add(path, f"the key {show(key)} must not start with '..'", InvalidNameError)


def _config_map(check: Check, found: ConfigMap) -> None:
    text: object = found.data
    binary: object = found.binary_data
    size = _entries(check, "data", text, str, "a string")
    size += _entries(check, "binaryData", binary, bytes, "bytes")
    if isinstance(text, Mapping) and isinstance(binary, Mapping):
        for key in text:
            if key in binary:
                check.add(_at("data", key), "duplicate of key present in binaryData", InvalidNameError)
    if size > MOST_BYTES:
        check.add(
            "data", f"Too long: data and binaryData may not be more than {MOST_BYTES} bytes, not {size}"
        )
    check.is_a("immutable", found.immutable, bool, "true or false")


def _entries(check: Check, path: str, given: object, kind: type, what: str) -> int:
    """The number of bytes of all values."""
    if not isinstance(given, Mapping):
        check.add(path, f"a mapping is expected, not {show(given)}")
        return 0
    size = 0
    for key, value in given.items():
        where = _at(path, key)
        check_key(check, where, key)
        if not isinstance(value, kind) or not isinstance(value, str | bytes):
            check.add(where, f"{what} is expected, not {show(value)}")
        elif isinstance(value, str) and not _is_unicode(value):
            check.add(where, "may not contain half of a surrogate pair")
        else:
            size += len(value.encode() if isinstance(value, str) else value)
    return size


def _at(path: str, key: object) -> str:
    return f"{path}[{str(key)[:253]}]"


def _is_unicode(text: str) -> bool:
    return text.isascii() or not any("\ud800" <= char <= "\udfff" for char in text)


# --- Secret ----------------------------------------------------------------------------------------------------------

_REQUIRED = {
    objects.DOCKER_CFG: (".dockercfg",),
    objects.DOCKER_CONFIG_JSON: (".dockerconfigjson",),
    objects.SSH_AUTH: ("ssh-privatekey",),
    objects.TLS: ("tls.crt", "tls.key"),
}
_SERVICE_ACCOUNT = "kubernetes.io/service-account.name"


def _secret(check: Check, found: Secret) -> None:
    data: object = found.data
    if not isinstance(data, Mapping):
        check.add("data", "a mapping of bytes is expected")
        data = {}
    size = 0
    for key, value in data.items():
        where = _at("data", key)
        check_key(check, where, key)
        if isinstance(value, bytes):
            size += len(value)
        elif isinstance(value, str) and _is_unicode(value):
            check.add(where, "bytes are expected, not a string: text is given as string_data")
        else:
            check.add(where, "bytes are expected, or text as string_data")
    if size > MOST_BYTES:
        check.add("data", f"Too long: may not be more than {MOST_BYTES} bytes, not {size}")
    if check.text("type", found.type) is not None:
        _type(check, found, data)
    check.is_a("immutable", found.immutable, bool, "true or false")


def _type(check: Check, found: Secret, data: Mapping[object, object]) -> None:
    """The keys that a Secret of one of Kubernetes' own types must have."""
    annotations: object = found.annotations
    account = isinstance(annotations, Mapping) and annotations.get(_SERVICE_ACCOUNT)
    if found.type == objects.SERVICE_ACCOUNT_TOKEN and not account:
        check.add(f"metadata.annotations[{_SERVICE_ACCOUNT}]", f"is required by type {found.type}")
    if found.type == objects.BASIC_AUTH and "username" not in data and "password" not in data:
        check.add("data", f"'username' or 'password' is required by type {found.type}")
    for key in _REQUIRED.get(found.type, ()):
        value = data.get(key)
        if value is None or (found.type == objects.SSH_AUTH and not value):
            near = did_you_mean(key, [name for name in data if isinstance(name, str)])
            check.add(_at("data", key), f"is required by type {found.type}{near}")
        elif found.type in (objects.DOCKER_CFG, objects.DOCKER_CONFIG_JSON) and not _is_json_mapping(value):
            check.add(_at("data", key), f"a JSON object is expected by type {found.type}")


def _is_json_mapping(value: object) -> bool:
    try:
        return isinstance(value, bytes) and isinstance(json.loads(value), dict)
    except (ValueError, RecursionError):
        return False


# --- PersistentVolumeClaim -------------------------------------------------------------------------------------------


def _claim(check: Check, found: PersistentVolumeClaim) -> None:
    _access_modes(check, found.access_modes)
    _storage(check, "spec.resources.requests[storage]", found.storage)
    if found.storage_limit is not None:
        _storage(check, "spec.resources.limits[storage]", found.storage_limit)
    if found.storage_class_name:
        check.name("spec.storageClassName", found.storage_class_name, subdomain=True)
    if found.volume_mode not in objects.VOLUME_MODES:
        check.add("spec.volumeMode", _supported(found.volume_mode, objects.VOLUME_MODES))
    if found.volume_name != "":
        check.name("spec.volumeName", found.volume_name, subdomain=True)
    selector: object = found.selector
    if selector is not None and not isinstance(selector, Mapping):
        check.add("spec.selector", f"a mapping is expected, not {show(selector)}")
    if found.volume_attributes_class_name:
        check.name("spec.volumeAttributesClassName", found.volume_attributes_class_name, subdomain=True)


def _access_modes(check: Check, modes: object) -> None:
    path = "spec.accessModes"
    if not isinstance(modes, tuple):
        check.add(path, f"a list is expected, not {show(modes)}")
        return
    if not modes:
        check.add(path, "is required: at least 1 access mode")
    for index, mode in enumerate(modes):
        if mode not in objects.ACCESS_MODES:
            check.add(f"{path}[{index}]", _supported(mode, objects.ACCESS_MODES))
    if objects.READ_WRITE_ONCE_POD in modes and len(modes) > 1:
        check.add(path, f"Forbidden: may not use {objects.READ_WRITE_ONCE_POD} with other access modes")


def _supported(value: object, words: tuple[str, ...]) -> str:
    near = did_you_mean(value, words) if isinstance(value, str) else ""
    return (
        f"{show(value)} is not supported{near}; one of {', '.join(show(word) for word in words)} is expected"
    )


def _storage(check: Check, path: str, size: object) -> None:
    check.whole(path, size, least=1, most=LARGEST_SIZE, what="a quantity like '10Gi'")


# --- changes ---------------------------------------------------------------------------------------------------------


def changes_refused(old: Object, new: Object) -> list[Problem]:
    """What Kubernetes does not let be changed in an object that is there.

    Source: ValidateConfigMapUpdate, ValidateSecretUpdate, ValidatePersistentVolumeClaimUpdate.
    """
    check = Check()
    if isinstance(old, PersistentVolumeClaim) and isinstance(new, PersistentVolumeClaim):
        _claim_changes(check, old, new)
        return check.problems
    if isinstance(old, Secret) and isinstance(new, Secret) and old.type != new.type:
        check.add("type", f"{show(new.type)} is not valid: field is immutable; it is {show(old.type)}")
    if (
        not isinstance(old, ConfigMap | Secret)
        or not isinstance(new, ConfigMap | Secret)
        or not old.immutable
    ):
        return check.problems
    if not new.immutable:
        check.add("immutable", _IMMUTABLE)
    if old.data != new.data:
        check.add("data", _IMMUTABLE)
    if isinstance(old, ConfigMap) and isinstance(new, ConfigMap) and old.binary_data != new.binary_data:
        check.add("binaryData", _IMMUTABLE)
    return check.problems


def _claim_changes(check: Check, old: PersistentVolumeClaim, new: PersistentVolumeClaim) -> None:
    fixed = ("access_modes", "selector", "storage_class_name", "volume_mode", "volume_name", "storage_limit")
    if any(getattr(old, name) != getattr(new, name) for name in fixed):
        rule = "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims"
        check.add("spec", f"Forbidden: {rule}")
    if new.storage < old.storage:
        check.add("spec.resources.requests[storage]", "Forbidden: field can not be less than status.capacity")


def refuse_changes(old: Object, new: Object) -> None:
    """Raises `SpecError` where `changes_refused` finds any."""
    if wrong := changes_refused(old, new):
        raise SpecError(f"the change of {objects.key_of(new)}", wrong)
