"""Single values of ConfigMaps and Secrets, for the variables of a container, in a kubelet's words where there are none.

Source: pkg/kubelet/kubelet_pods.go, makeEnvironmentVariables.
"""

from __future__ import annotations

from pypod.model.spec.object_references import not_found
from pypod.model.spec.objects import ConfigMap, Secret


class ValueMissingError(ValueError):
    """A container has to wait with ``CreateContainerConfigError``; the text is the reason's message. It shows no value."""


def config_map_value(
    found: ConfigMap | None, name: str, key: str, *, namespace: str, optional: bool = False
) -> str | None:
    """The value for a ``configMapKeyRef``; None: the variable is not set at all.

    Raises:
        ValueMissingError: no object or no such key, and it is not optional.
    """
    if found is not None and key in found.data:
        return _variable(found.data[key], ConfigMap.kind, name, key, namespace)
    _missing(found, ConfigMap.kind, name, key, namespace, optional=optional)
    return None


def secret_value(
    found: Secret | None, name: str, key: str, *, namespace: str, optional: bool = False
) -> str | None:
    """The value for a ``secretKeyRef``; None: the variable is not set at all.

    Raises:
        ValueMissingError: no object or no such key, and it is not optional; or bytes that no variable can have.
    """
    if found is not None and key in found.data:
        return _text(found.data[key], name, key, namespace)
    _missing(found, Secret.kind, name, key, namespace, optional=optional)
    return None


def config_map_variables(
    found: ConfigMap | None, name: str, *, prefix: str = "", optional: bool = False
) -> dict[str, str]:
    """The variables of an ``envFrom`` with a ``configMapRef``: of its text, not of ``binaryData``.

    Raises:
        ValueMissingError: there is no such object, and it is not optional.
    """
    if found is None:
        _missing(found, ConfigMap.kind, name, "", "", optional=optional)
        return {}
    return {
        prefix + key: _variable(value, ConfigMap.kind, name, key, found.namespace)
        for key, value in found.data.items()
    }


def secret_variables(
    found: Secret | None, name: str, *, prefix: str = "", optional: bool = False
) -> dict[str, str]:
    """The variables of an ``envFrom`` with a ``secretRef``.

    Raises:
        ValueMissingError: there is no such object, and it is not optional; or bytes that no variable can have.
    """
    if found is None:
        _missing(found, Secret.kind, name, "", "", optional=optional)
        return {}
    return {prefix + key: _text(value, name, key, found.namespace) for key, value in found.data.items()}


def _missing(
    found: ConfigMap | Secret | None, kind: str, name: str, key: str, namespace: str, *, optional: bool
) -> None:
    if optional:
        return
    if found is None:
        raise ValueMissingError(not_found(kind, name))
    raise ValueMissingError(f"couldn't find key {key} in {kind} {namespace}/{name}")


def _text(value: bytes, name: str, key: str, namespace: str) -> str:
    text = value.decode(errors="replace")
    if text.encode() != value:
        raise _impossible(Secret.kind, name, key, namespace, "it is not UTF-8")
    return _variable(text, Secret.kind, name, key, namespace)


def _variable(text: str, kind: str, name: str, key: str, namespace: str) -> str:
    if "\0" in text:
        raise _impossible(kind, name, key, namespace, "it has a NUL character in it")
    return text


def _impossible(kind: str, name: str, key: str, namespace: str, why: str) -> ValueMissingError:
    where = f"key {key} in {kind} {namespace}/{name}"
    return ValueMissingError(f"{where} cannot be a variable: {why}; mount the {kind} as a volume instead")
