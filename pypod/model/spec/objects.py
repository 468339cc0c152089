"""The objects that pods refer to, in Kubernetes' words: ConfigMap, Secret, PersistentVolumeClaim. Frozen values.

As with a pod's spec, a value can be built wrong, and `pypod.model.validation.objects` says what is wrong with it, all at once.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import InitVar, dataclass, field
from types import MappingProxyType
from typing import Any, ClassVar

from pypod.model.schema import shapes
from pypod.model.schema.compounds import MapOf, Single
from pypod.model.schema.declaring import also, argument, k8s, nothing
from pypod.model.schema.kinds import Anything, Base64, DiscreetString, ExactString, Quantity, Word
from pypod.model.schema.levels import Level
from pypod.model.schema.quantity import parse_quantity
from pypod.model.spec import object_meta

OPAQUE = "Opaque"
"""The type of a Secret that says nothing of what is in it."""
SERVICE_ACCOUNT_TOKEN = "kubernetes.io/service-account-token"  # noqa: S105 (a type's name)
DOCKER_CFG = "kubernetes.io/dockercfg"
DOCKER_CONFIG_JSON = "kubernetes.io/dockerconfigjson"
BASIC_AUTH = "kubernetes.io/basic-auth"
SSH_AUTH = "kubernetes.io/ssh-auth"
TLS = "kubernetes.io/tls"

READ_WRITE_ONCE = "ReadWriteOnce"
READ_WRITE_ONCE_POD = "ReadWriteOncePod"
ACCESS_MODES = (READ_WRITE_ONCE, "ReadOnlyMany", "ReadWriteMany", READ_WRITE_ONCE_POD)
VOLUME_MODES = ("Filesystem", "Block")

GIB = 2**30

_NOTHING: Mapping[str, Any] = MappingProxyType({})


def _nothing() -> Mapping[str, Any]:
    return _NOTHING


def _frozen(value: object) -> object:
    """A copy that cannot be changed; what is no mapping stays, for the validation to name."""
    return MappingProxyType(dict(value)) if isinstance(value, Mapping) else value


def _deeply_frozen(value: object) -> object:
    if isinstance(value, Mapping):
        return MappingProxyType({key: _deeply_frozen(each) for key, each in value.items()})
    return tuple(map(_deeply_frozen, value)) if isinstance(value, list | tuple) else value


@also(**object_meta.OF_OBJECTS)
@dataclass(frozen=True, slots=True)
class ConfigMap:
    """Texts and files that are no secrets, by key.

    Attributes:
        name: a DNS subdomain.
        data: text by key.
        binary_data: bytes by key; no key may be in both.
        namespace: to which it belongs.
        labels, annotations: as in Kubernetes; they have no effect here.
        immutable: its data cannot be changed any more, only deleted with it.
    """

    kind: ClassVar[str] = "ConfigMap"

    name: str = field(metadata=object_meta.NAME)
    data: Mapping[str, str] = field(default_factory=_nothing, hash=False)
    binary_data: Mapping[str, bytes] = field(
        default_factory=_nothing, hash=False, metadata=k8s(kind=MapOf(Base64("data")))
    )
    namespace: str = field(default="default", metadata=object_meta.NAMESPACE)
    labels: Mapping[str, str] = field(
        default_factory=_nothing, hash=False, kw_only=True, metadata=object_meta.LABELS
    )
    annotations: Mapping[str, str] = field(
        default_factory=_nothing, hash=False, kw_only=True, metadata=object_meta.ANNOTATIONS
    )
    immutable: bool = field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        for attribute in ("data", "binary_data", "labels", "annotations"):
            object.__setattr__(self, attribute, _frozen(getattr(self, attribute)))

    @property
    def files(self) -> dict[str, bytes]:
        """Every value as bytes, text as UTF-8."""
        return {**{key: value.encode() for key, value in self.data.items()}, **self.binary_data}


class Values(Mapping[str, bytes]):
    """The values of a Secret, by key. It prints keys and sizes only."""

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, bytes]) -> None:
        self._values = dict(values)

    def __getitem__(self, key: str) -> bytes:
        return self._values[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"<{', '.join(itertools.starmap(_size, self._values.items()))}>"


def _size(key: object, value: object) -> str:
    return f"{key}: {len(value)} bytes" if isinstance(value, bytes) else f"{key}: no bytes"


@also(**object_meta.OF_OBJECTS, stringData=argument("string_data", MapOf(DiscreetString())))
@dataclass(frozen=True, slots=True, repr=False)
class Secret:
    """Bytes that few should see, by key. Neither `repr` nor `str` shows them.

    Attributes:
        name: a DNS subdomain.
        data: bytes by key. (Base64 is how a manifest writes them; here they are as they are.)
        type: ``Opaque``, or one of Kubernetes' own, whose keys are checked: ``kubernetes.io/tls`` and the like.
        namespace, labels, annotations, immutable: as with a `ConfigMap`.

    Args:
        string_data: more values, as text; of two with one key this one counts. They are found in ``data``.
    """

    kind: ClassVar[str] = "Secret"

    name: str = field(metadata=object_meta.NAME)
    data: Mapping[str, bytes] = field(
        default_factory=_nothing, hash=False, metadata=k8s(kind=MapOf(Base64("stringData")))
    )
    string_data: InitVar[Mapping[str, str] | None] = None
    type: str = field(default=OPAQUE, metadata=k8s(always=True))
    namespace: str = field(default="default", metadata=object_meta.NAMESPACE)
    labels: Mapping[str, str] = field(
        default_factory=_nothing, hash=False, kw_only=True, metadata=object_meta.LABELS
    )
    annotations: Mapping[str, str] = field(
        default_factory=_nothing, hash=False, kw_only=True, metadata=object_meta.ANNOTATIONS
    )
    immutable: bool = field(default=False, kw_only=True)

    def __post_init__(self, string_data: Mapping[str, str] | None) -> None:
        object.__setattr__(self, "data", _values(self.data, string_data))
        object.__setattr__(self, "type", self.type or OPAQUE)
        for attribute in ("labels", "annotations"):
            object.__setattr__(self, attribute, _frozen(getattr(self, attribute)))

    def __repr__(self) -> str:
        # Annotations may hold the whole manifest (kubectl's last-applied-configuration).
        return f"Secret({self.name!r}, {self.data!r}, type={self.type!r}, namespace={self.namespace!r})"

    @property
    def files(self) -> dict[str, bytes]:
        """Every value."""
        return dict(self.data)


def _values(data: object, strings: object) -> object:
    """Both in one; what cannot be so stays as it is, for the validation to name."""
    if not isinstance(data, Mapping):
        return data
    if strings is None:
        return Values(data)
    if not isinstance(strings, Mapping):
        return strings
    encoded: Any = {key: _encoded(value) for key, value in strings.items()}
    return Values({**data, **encoded})


def _encoded(value: object) -> object:
    try:
        return value.encode() if isinstance(value, str) else value
    except UnicodeEncodeError:  # half of a surrogate pair
        return value


_ONE_STORAGE = "there is one kind of storage"
_NO_VOLUMES = "there are no PersistentVolumes to choose from: a claim begins empty"
_BEGINS_EMPTY = "on one engine a claim begins empty; copy the files in instead"


@also(
    **object_meta.OF_OBJECTS,
    dataSource=nothing(Anything(), Level.REFUSED, _BEGINS_EMPTY),
    dataSourceRef=nothing(Anything(), Level.REFUSED, _BEGINS_EMPTY),
)
@dataclass(frozen=True, slots=True)
class PersistentVolumeClaim:
    """A directory of the engine that outlives pods: whoever mounts the claim sees the same files.

    What is asked for is recorded and shown, but one engine has one kind of storage: neither size nor access modes are enforced.

    Attributes:
        name: a DNS subdomain.
        storage: bytes; may be given as a quantity like ``"10Gi"``. Recorded only.
        access_modes: ``ReadWriteOnce``, ``ReadOnlyMany``, ``ReadWriteMany`` or ``ReadWriteOncePod``. Recorded only.
        storage_class_name: recorded only; None: the default one.
        volume_mode: ``Filesystem``; ``Block`` is recorded, but cannot be mounted.
        volume_name, selector, storage_limit, volume_attributes_class_name: recorded only.
        namespace, labels, annotations: as with a `ConfigMap`.
    """

    kind: ClassVar[str] = "PersistentVolumeClaim"

    name: str = field(metadata=object_meta.NAME)
    storage: int = field(
        default=GIB,
        metadata=k8s(
            "requests",
            place="spec.resources",
            kind=Single("storage", Quantity(), required=True),
            always=True,
            level=Level.PARTLY,
            reason="it is kept and shown; what is in a volume is not counted",
        ),
    )
    access_modes: tuple[str, ...] = field(
        default=(READ_WRITE_ONCE,),
        metadata=k8s(
            absent=(),
            always=True,
            level=Level.PARTLY,
            reason="they are kept and shown; any container may mount it, for reading and writing",
        ),
    )
    namespace: str = field(default="default", metadata=object_meta.NAMESPACE)
    storage_class_name: str | None = field(
        default=None,
        kw_only=True,
        metadata=k8s(kind=ExactString(), level=Level.NO_EFFECT, reason=_ONE_STORAGE, quiet=("", "standard")),
    )
    volume_mode: str = field(
        default="Filesystem",
        kw_only=True,
        metadata=k8s(
            kind=Word(*VOLUME_MODES), values={"Block": (Level.PARTLY, "it is kept, and cannot be mounted")}
        ),
    )
    volume_name: str = field(
        default="", kw_only=True, metadata=k8s(level=Level.NO_EFFECT, reason=_NO_VOLUMES)
    )
    selector: Mapping[str, object] | None = field(
        default=None,
        hash=False,
        kw_only=True,
        metadata=k8s(kind=shapes.SELECTOR, level=Level.NO_EFFECT, reason=_NO_VOLUMES),
    )
    storage_limit: int | None = field(
        default=None,
        kw_only=True,
        metadata=k8s(
            "limits",
            place="spec.resources",
            kind=Single("storage", Quantity(), required=False),
            level=Level.NO_EFFECT,
            reason="what is in a volume is not counted",
        ),
    )
    volume_attributes_class_name: str | None = field(
        default=None,
        kw_only=True,
        metadata=k8s(kind=ExactString(), level=Level.NO_EFFECT, reason=_ONE_STORAGE, quiet=("",)),
    )
    labels: Mapping[str, str] = field(
        default_factory=_nothing, hash=False, kw_only=True, metadata=object_meta.LABELS
    )
    annotations: Mapping[str, str] = field(
        default_factory=_nothing, hash=False, kw_only=True, metadata=object_meta.ANNOTATIONS
    )

    def __init__(
        self,
        name: str,
        storage: int | str = GIB,
        access_modes: Iterable[str] = (READ_WRITE_ONCE,),
        namespace: str = "default",
        *,
        storage_class_name: str | None = None,
        volume_mode: str = "Filesystem",
        volume_name: str = "",
        selector: Mapping[str, object] | None = None,
        storage_limit: int | str | None = None,
        volume_attributes_class_name: str | None = None,
        labels: Mapping[str, str] = _NOTHING,
        annotations: Mapping[str, str] = _NOTHING,
    ) -> None:
        values = {
            "name": name,
            "storage": _bytes(storage),
            "access_modes": _words(access_modes),
            "namespace": namespace,
            "storage_class_name": storage_class_name,
            "volume_mode": volume_mode or "Filesystem",
            "volume_name": volume_name,
            "selector": _deeply_frozen(selector),
            "storage_limit": _bytes(storage_limit),
            "volume_attributes_class_name": volume_attributes_class_name,
            "labels": _frozen(labels),
            "annotations": _frozen(annotations),
        }
        for attribute, value in values.items():
            object.__setattr__(self, attribute, value)


def _bytes(size: object) -> object:
    """The number of a quantity; what is none stays, for the validation to name."""
    try:
        return parse_quantity(size) if isinstance(size, str) else size
    except ValueError:
        return size


def _words(modes: object) -> object:
    return tuple(modes) if isinstance(modes, Iterable) and not isinstance(modes, str) else modes


Object = ConfigMap | Secret | PersistentVolumeClaim

KINDS: Mapping[str, type[ConfigMap | Secret | PersistentVolumeClaim]] = MappingProxyType(
    {each.kind: each for each in (ConfigMap, Secret, PersistentVolumeClaim)}
)
"""By Kubernetes' name of the kind."""


@dataclass(frozen=True, slots=True, order=True)
class ObjectKey:
    """Which object: its kind, and its name in its namespace."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} '{self.namespace}/{self.name}'"


def key_of(found: Object) -> ObjectKey:
    return ObjectKey(found.kind, found.namespace, found.name)
