"""ConfigMaps, Secrets and claims, for their users: apply, get, list, delete. Whoever made them, in which process soever."""

from __future__ import annotations

from typing import Any, TypeVar, overload

from pypod import connecting
from pypod.engine.api import Engine
from pypod.engine.objects import Applied, store_of
from pypod.errors import Problem, SpecError
from pypod.model.spec.objects import KINDS, ConfigMap, Object, ObjectKey, PersistentVolumeClaim, Secret
from pypod.model.validation import objects as validation_objects
from pypod.model.wording import did_you_mean, show

KindOf = TypeVar("KindOf", bound=ConfigMap | Secret | PersistentVolumeClaim)

_SHORT = {"cm": "ConfigMap", "pvc": "PersistentVolumeClaim"}
WORDS = {name.lower(): name for name in KINDS} | {f"{name.lower()}s": name for name in KINDS} | _SHORT
"""What a kind may be called, in small letters."""


def apply(*objects: Object, engine: Engine | None = None) -> list[Applied]:
    """Create objects, or replace those of their names; what is equal already is left alone.

    They belong to their namespace, and stay until they are deleted. Each of them is applied by itself, in order; none is where one
    is not valid.

    Args:
        objects: what is to be there.
        engine: where; the default engine where it is None.

    Returns:
        What was done for each. It prints as kubectl tells it: ``configmap/settings created``.

    Raises:
        SpecError: one is not valid, or cannot be changed in this way (``immutable``).
        EngineError: the engine refused, or could not be reached.
    """
    for each in objects:
        validation_objects.validate(each)
    store = store_of(engine or connecting.connect())
    return [store.apply(each) for each in objects]


@overload
def get_object(
    kind: type[KindOf], name: str, namespace: str = ..., *, engine: Engine | None = ...
) -> KindOf: ...


@overload
def get_object(kind: str, name: str, namespace: str = ..., *, engine: Engine | None = ...) -> Object: ...


def get_object(
    kind: type[object] | str, name: str, namespace: str = "default", *, engine: Engine | None = None
) -> Object:
    """One object.

    Args:
        kind: `ConfigMap`, `Secret` or `PersistentVolumeClaim`, or the name of one as kubectl takes it: ``"configmap"``.
        name, namespace: which.
        engine: where; the default engine where it is None.

    Raises:
        ObjectNotFoundError: there is none.
        ObjectError: it cannot be read.
        EngineError: the engine could not be read.
    """
    return store_of(engine or connecting.connect()).get(ObjectKey(_kind(kind), namespace, name))


@overload
def list_objects(
    namespace: str | None, kind: type[KindOf], *, engine: Engine | None = ...
) -> list[KindOf]: ...


@overload
def list_objects(
    namespace: str | None = ..., kind: str | None = ..., *, engine: Engine | None = ...
) -> list[Object]: ...


def list_objects(
    namespace: str | None = None, kind: type[object] | str | None = None, *, engine: Engine | None = None
) -> list[Any]:
    """The objects of an engine, by kind, namespace and name.

    Args:
        namespace: only those of it; None: all.
        kind: only those, as in `get_object`; None: all.
        engine: where; the default engine where it is None.

    Raises:
        ObjectError: one cannot be read.
        EngineError: the engine could not be read.
    """
    wanted = None if kind is None else _kind(kind)
    return store_of(engine or connecting.connect()).find(namespace, wanted)


def delete_object(
    kind: type[object] | str, name: str, namespace: str = "default", *, engine: Engine | None = None
) -> None:
    """Delete an object; of a claim its files, too.

    Pods keep what they have of a ConfigMap or a Secret. A claim that a pod has mounted is not deleted.

    Args:
        kind, name, namespace, engine: as in `get_object`.

    Raises:
        ObjectNotFoundError: there is none.
        ObjectInUseError: the claim is mounted; it names the pods.
        EngineError: the engine refused, or could not be reached.
    """
    store_of(engine or connecting.connect()).delete(ObjectKey(_kind(kind), namespace, name))


def _kind(kind: object) -> str:
    """Kubernetes' name of it."""
    if isinstance(kind, type) and kind in KINDS.values():
        return str(getattr(kind, "kind", ""))
    if isinstance(kind, str) and kind.lower() in WORDS:
        return WORDS[kind.lower()]
    near = did_you_mean(kind, KINDS) if isinstance(kind, str) else ""
    message = f"{show(kind)} is not supported{near}; one of {', '.join(KINDS)} is expected"
    raise SpecError("the kind of an object", [Problem("kind", message, SpecError)])
