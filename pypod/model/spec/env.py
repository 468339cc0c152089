"""The environment of a container, as its user describes it: values, and where values come from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field

from pypod.model.records import record
from pypod.model.schema.declaring import k8s
from pypod.model.schema.kinds import QuantityText
from pypod.model.schema.references import Text
from pypod.model.schema.structs import Alternative, OneOf, Struct


@record(frozen=True, slots=True)
class FieldRef:
    """A field of the pod: ``metadata.name``, ``status.podIP``, ``metadata.labels['app']`` ..."""

    field_path: str
    api_version: str = "v1"


@record(frozen=True, slots=True)
class ResourceFieldRef:
    """A request or limit of a container, divided and rounded up: ``limits.memory`` in ``1Mi``.

    Attributes:
        resource: ``requests`` or ``limits``, a dot, and the resource's name.
        container_name: empty: of this container; in a volume it must be given.
        divisor: a quantity.
    """

    resource: str
    container_name: str = ""
    divisor: str = field(default="1", metadata=k8s(kind=QuantityText()))


@record(frozen=True, slots=True)
class ConfigMapKeyRef:
    """One key of a ConfigMap of the pod's namespace. ``optional``: where it is missing there is no variable."""

    name: str
    key: str
    optional: bool = False


@record(frozen=True, slots=True)
class SecretKeyRef:
    """One key of a Secret of the pod's namespace. ``optional``: where it is missing there is no variable."""

    name: str
    key: str
    optional: bool = False


@record(frozen=True, slots=True)
class FileKeyRef:
    """One variable of a file in an `EmptyDir`, which an init container wrote: lines ``NAME='value'``, with these quotes."""

    volume_name: str
    path: str
    key: str
    optional: bool = False


EnvVarSource = FieldRef | ResourceFieldRef | ConfigMapKeyRef | SecretKeyRef | FileKeyRef

ENV_SOURCES = OneOf(
    "source",
    {
        "fieldRef": Alternative(Struct(FieldRef)),
        "resourceFieldRef": Alternative(Struct(ResourceFieldRef)),
        "configMapKeyRef": Alternative(Struct(ConfigMapKeyRef)),
        "secretKeyRef": Alternative(Struct(SecretKeyRef)),
        "fileKeyRef": Alternative(Struct(FileKeyRef)),
    },
)


@record(frozen=True, slots=True)
class EnvVar:
    """A variable. Of two with one name the last holds.

    Attributes:
        value: as the container gets it; a `Template` refers to variables before this one.
        value_from: where the value comes from, instead of ``value``.
    """

    name: str
    value: Text = ""
    value_from: EnvVarSource | None = field(default=None, metadata=k8s(kind=ENV_SOURCES))


@record(frozen=True, slots=True)
class ConfigMapEnvSource:
    """Every key of a ConfigMap's ``data``. ``optional``: it may be missing."""

    name: str
    optional: bool = False


@record(frozen=True, slots=True)
class SecretEnvSource:
    """Every key of a Secret. ``optional``: it may be missing."""

    name: str
    optional: bool = False


@record(frozen=True, slots=True)
class EnvFrom:
    """Variables of a whole ConfigMap or Secret, below those of ``env``; a later source wins.

    Attributes:
        prefix: put before each key.
    """

    source: ConfigMapEnvSource | SecretEnvSource = field(
        metadata=k8s(
            kind=OneOf(
                "source",
                {
                    "configMapRef": Alternative(Struct(ConfigMapEnvSource)),
                    "secretRef": Alternative(Struct(SecretEnvSource)),
                },
            ),
            inline=True,
        )
    )
    prefix: str = ""


Env = Mapping[str, str | EnvVarSource] | Iterable[EnvVar]
"""What `Container` takes."""


def env_of(given: Env | None) -> tuple[EnvVar, ...]:
    """The variables, of a mapping or as they are."""
    if isinstance(given, Mapping):
        return tuple(
            EnvVar(name, value_from=value) if isinstance(value, EnvVarSource) else EnvVar(name, value)
            for name, value in given.items()
        )
    return tuple(given or ())


def env_from_of(given: Iterable[EnvFrom | ConfigMapEnvSource | SecretEnvSource]) -> tuple[EnvFrom, ...]:
    """The sources; one without a prefix may stand for itself."""
    return tuple(
        EnvFrom(each) if isinstance(each, ConfigMapEnvSource | SecretEnvSource) else each for each in given
    )
