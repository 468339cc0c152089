"""Which objects a pod refers to, and what becomes of it where one is missing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from pypod.model.spec.objects import ConfigMap, Object, ObjectKey, PersistentVolumeClaim, Secret


@dataclass(frozen=True, slots=True, order=True)
class Reference:
    """An object that a pod refers to, in its own namespace.

    Attributes:
        kind: ``ConfigMap``, ``Secret`` or ``PersistentVolumeClaim``.
        name: of the object.
        optional: the pod does without it where it is not there.
    """

    kind: str
    name: str
    optional: bool = False


def needed(references: Iterable[Reference]) -> tuple[Reference, ...]:
    """Each object once, by kind and name; optional where every reference to it is."""
    found: dict[tuple[str, str], bool] = {}
    for each in references:
        found[each.kind, each.name] = each.optional and found.get((each.kind, each.name), True)
    return tuple(Reference(kind, name, optional) for (kind, name), optional in sorted(found.items()))


@dataclass(frozen=True, slots=True)
class Objects:
    """What was found of the objects that a pod refers to: a snapshot.

    Attributes:
        namespace: of all of them.
        found: by kind and name.
        unreadable: why one that is there cannot be read, by kind and name.
        versions: what tells one state of an object from another, by kind and name.
    """

    namespace: str = "default"
    found: Mapping[tuple[str, str], Object] = field(
        default_factory=lambda: MappingProxyType({}), hash=False, repr=False
    )
    unreadable: Mapping[tuple[str, str], str] = field(
        default_factory=lambda: MappingProxyType({}), hash=False
    )
    versions: Mapping[tuple[str, str], str] = field(default_factory=lambda: MappingProxyType({}), hash=False)

    def config_map(self, name: str) -> ConfigMap | None:
        found = self.found.get((ConfigMap.kind, name))
        return found if isinstance(found, ConfigMap) else None

    def secret(self, name: str) -> Secret | None:
        found = self.found.get((Secret.kind, name))
        return found if isinstance(found, Secret) else None

    def claim(self, name: str) -> PersistentVolumeClaim | None:
        found = self.found.get((PersistentVolumeClaim.kind, name))
        return found if isinstance(found, PersistentVolumeClaim) else None

    def missing(self, references: Iterable[Reference]) -> list[str]:
        """Why a pod with these references has to wait, in a kubelet's words; empty: it has not."""
        return [
            self.unreadable.get((each.kind, each.name)) or not_found(each.kind, each.name)
            for each in needed(references)
            if not each.optional and (each.kind, each.name) not in self.found
        ]


def not_found(kind: str, name: str) -> str:
    """A kubelet's words (k8s.io/apimachinery pkg/api/errors, NewNotFound)."""
    return f'{kind.lower()} "{name}" not found'


def key(reference: Reference, namespace: str) -> ObjectKey:
    """Which object it is."""
    return ObjectKey(reference.kind, namespace, reference.name)
