"""ConfigMaps, Secrets and claims on an engine: get, find, apply, delete; and what a pod refers to, in few calls.

`pypod.model.wiring.object_records` says how an object is held. Every step leaves the old or the new object, whoever is killed between
two of them. What is left over then is seen by its labels: the next write of the object takes its older records away, and
`pypod.engine.object_leftovers` takes the rest.
"""

from __future__ import annotations

import contextlib
import enum
import secrets
import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from pypod.engine.api import Engine
from pypod.engine.helper import read_files, remove_volume, uninterrupted, written
from pypod.engine.owner import current_owner
from pypod.errors import (
    ConflictError,
    EngineError,
    ManifestError,
    NotFoundError,
    ObjectError,
    ObjectInUseError,
    ObjectNotFoundError,
)
from pypod.model import naming
from pypod.model.spec.object_references import Objects, Reference, needed
from pypod.model.spec.objects import Object, ObjectKey, PersistentVolumeClaim, Secret, key_of
from pypod.model.validation import objects as validation_objects
from pypod.model.wiring import object_records
from pypod.model.wiring.object_records import VALUES_FILE, VALUES_MODE, Record, claim_volume
from pypod.model.wiring.requests import VolumeRequest

TRIES = 8
"""How often it is looked again where another writer was faster."""

Loaded = dict[ObjectKey, Object | ObjectError]


class Change(enum.Enum):
    """What `ObjectStore.apply` did, in kubectl's words."""

    CREATED = "created"
    CONFIGURED = "configured"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class Applied:
    """An object, as it is on the engine now, and what was done for it. Prints as kubectl does: ``secret/db created``."""

    object: Object
    change: Change

    def __str__(self) -> str:
        return f"{self.object.kind.lower()}/{self.object.name} {self.change.value}"


class ObjectStore:
    """The objects of an engine.

    It keeps the Secrets that it has read for as long as they are the ones that count, so that a pod that is looked at again and
    again costs one list. All methods may be called from many threads.

    Args:
        engine: where they are.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._secrets: dict[ObjectKey, tuple[str, Object]] = {}

    # reading

    def get(self, key: ObjectKey) -> Object:
        """One object.

        Raises:
            ObjectNotFoundError: there is none.
            ObjectError: it cannot be read.
            EngineError: the engine could not be read.
        """
        found = self._load(object_records.labels_of(key), {key}).get(key)
        # A list that is made while a record is replaced may have neither: one was not yet there, the other no more.
        if found is None:
            found = self._load(object_records.labels_of(key), {key}).get(key)
        if found is None:
            raise _missing(key)
        if isinstance(found, ObjectError):
            raise found
        return found

    def find(self, namespace: str | None = None, kind: str | None = None) -> list[Object]:
        """All of them, by kind, namespace and name.

        Args:
            namespace: only those of it; None: all.
            kind: only those; None: all.

        Raises:
            ObjectError: one of them cannot be read.
            EngineError: the engine could not be read.
        """
        labels = {naming.OBJECT: kind or "", **({naming.NAMESPACE: namespace} if namespace else {})}
        objects = []
        for found in self._load(labels).values():
            if isinstance(found, ObjectError):
                raise found
            objects.append(found)
        return objects

    def created(self, namespace: str | None = None, kind: str | None = None) -> dict[ObjectKey, float]:
        """When each was first made, Unix seconds by the engine's clock; of namespace and kind as in `find`. Changes leave it as it is.

        Raises:
            EngineError: the engine could not be read.
        """
        labels = {naming.OBJECT: kind or "", **({naming.NAMESPACE: namespace} if namespace else {})}
        return {key: records[-1].created for key, records in self._records(labels).items()}

    def read(self, namespace: str, references: Iterable[Reference]) -> Objects:
        """What there is of the objects that a pod refers to: one call, and three more where there are Secrets that were not
        read before.

        Raises:
            EngineError: the engine could not be read.
        """
        wanted = {(each.kind, each.name): each for each in needed(references)}
        if not wanted:
            return Objects(namespace)
        keys = {ObjectKey(kind, namespace, name) for kind, name in wanted}
        labels = {naming.OBJECT: "", naming.NAMESPACE: namespace}
        tokens: dict[ObjectKey, str] = {}
        found = self._load(labels, keys, tokens)
        if len(found) < len(keys):
            found |= self._load(labels, keys - set(found), tokens)
        there = {(key.kind, key.name): value for key, value in found.items()}
        return Objects(
            namespace,
            {name: value for name, value in there.items() if not isinstance(value, ObjectError)},
            {name: str(value) for name, value in there.items() if isinstance(value, ObjectError)},
            {(key.kind, key.name): token for key, token in tokens.items()},
        )

    def _load(
        self,
        labels: Mapping[str, str],
        keys: set[ObjectKey] | None = None,
        tokens: dict[ObjectKey, str] | None = None,
    ) -> Loaded:
        """Objects by key, each as of one moment, or why it cannot be read. ``tokens`` takes those of their records."""
        known_empty: set[str] = set()
        while True:
            records = self._records(labels)
            newest = {key: each[-1] for key, each in records.items() if keys is None or key in keys}
            secret = self._read_secrets([record for record in newest.values() if record.values])
            empty = {values for values, found in secret.items() if found is None}
            for gone in (keys or set()) - set(newest):
                self._secrets.pop(gone, None)
            if empty <= known_empty or len(known_empty) > TRIES * len(newest):
                if tokens is not None:
                    tokens |= {key: record.token for key, record in newest.items()}
                return {key: _decoded(record, secret.get(record.values)) for key, record in newest.items()}
            # Else a Secret was replaced between the two calls and its old values are gone: the next look finds others.
            known_empty |= empty

    def _records(self, labels: Mapping[str, str]) -> dict[ObjectKey, tuple[Record, ...]]:
        return object_records.by_key(self._engine.volumes(labels))

    def _read_secrets(self, records: Sequence[Record]) -> dict[str, Object | ObjectError | None]:
        """By the volume of their values; None where there is nothing in it."""
        found: dict[str, Object | ObjectError | None] = {}
        new = []
        for record in records:
            # A volume's name is never used again, and what is in it never changes.
            values, secret = self._secrets.get(record.key, ("", None))
            if values == record.values:
                found[values] = secret
            else:
                new.append(record)
        if new:
            contents = uninterrupted(lambda: self._read_values([record.values for record in new]))
            found |= {record.values: self._secret(record, contents[record.values]) for record in new}
        return found

    def _secret(self, record: Record, content: bytes | None) -> Object | ObjectError | None:
        if content is None:
            return None
        secret = _parsed(record.key, content)
        if not isinstance(secret, ObjectError):
            self._secrets[record.key] = record.values, secret
        return secret

    def _read_values(self, volumes: Sequence[str]) -> dict[str, bytes | None]:
        labels = {naming.VERSION: naming.SCHEMA_VERSION, naming.CONTENT: Secret.kind}
        files = read_files(self._engine, volumes, labels)
        for volume in volumes:
            if not files[volume]:  # it was gone, and the engine has made an empty one in its place
                remove_volume(self._engine, volume)
        return {volume: files[volume].get(VALUES_FILE) for volume in volumes}

    # writing

    def apply(self, new: Object) -> Applied:
        """Create the object, or replace the one of that name; leave it alone where they are equal.

        Raises:
            SpecError: it cannot be one, or the one that is there cannot be changed in this way.
            EngineError: the engine refused, or could not be reached. The object is the old or the new one.
        """
        validation_objects.validate(new)
        return uninterrupted(lambda: self._apply(new))

    def _apply(self, new: Object) -> Applied:
        key, generation = key_of(new), 0
        for _ in range(TRIES):
            records = self._records(object_records.labels_of(key)).get(key, ())
            old = self._readable(records)
            if old is not None and old != new:
                validation_objects.refuse_changes(old, new)
            if old == new:
                self._make_claim(new)
                self._remove(records[:-1])
                return Applied(new, Change.UNCHANGED)
            # Higher than what was tried before, also where no record of it is seen: an engine that is killed while it makes a
            # volume may keep one without labels.
            generation = max(generation, records[-1].generation if records else 0) + 1
            if self._commit(new, generation, records[-1].created if records else 0.0):
                self._make_claim(new)
                self._remove(records)
                return Applied(new, Change.CONFIGURED if records else Change.CREATED)
        raise ConflictError("apply", str(key), f"others changed it {TRIES} times at the same time")

    def _readable(self, records: Sequence[Record]) -> Object | None:
        """The object that counts; None where there is none, or one that can only be replaced."""
        if not records:
            return None
        newest = records[-1]
        found = _decoded(newest, self._read_secrets([newest] if newest.values else []).get(newest.values))
        return None if isinstance(found, ObjectError) else found

    def _commit(self, new: Object, generation: int, created: float) -> bool:
        """Whether the record of this generation is ours: the one step that makes the new object the one that counts."""
        token = secrets.token_hex(8)
        with self._values(new, token) as values:
            request = object_records.request(new, generation, token, values, created=created)
            made = self._engine.create_volume(request)
            ours = made.labels.get(naming.WRITE) == token
        if values and ours:
            self._secrets[key_of(new)] = values, new
        elif values:
            remove_volume(self._engine, values)
        return ours

    @contextlib.contextmanager
    def _values(self, new: Object, token: str) -> Iterator[str]:
        """The name of a new volume with the Secret in it, held for as long as its record is being made; empty for others."""
        if not isinstance(new, Secret):
            yield ""
            return
        volume = naming.values_name(new.namespace, new.name, token)
        labels = naming.content_labels(new.kind, new.namespace, new.name, current_owner())
        content = object_records.encode(new).encode()
        try:
            self._engine.create_volume(VolumeRequest(volume, labels))
            with written(self._engine, volume, [(VALUES_FILE, VALUES_MODE, content)]):
                yield volume
        except BaseException:
            # The record may have been made though its call failed; then it must not lose its values.
            with contextlib.suppress(EngineError):
                if not self._is_recorded(new, volume):
                    remove_volume(self._engine, volume)
            raise

    def _is_recorded(self, new: Object, values: str) -> bool:
        records = self._records(object_records.labels_of(key_of(new))).get(key_of(new), ())
        return any(record.values == values for record in records)

    def _make_claim(self, new: Object) -> None:
        if isinstance(new, PersistentVolumeClaim):
            labels = naming.content_labels(new.kind, new.namespace, new.name, current_owner())
            self._engine.create_volume(VolumeRequest(claim_volume(new), labels))

    def _remove(self, records: Sequence[Record]) -> None:
        """Take records away, the one that counts last: what is left by who is killed in between is no older object."""
        for record in records:
            with contextlib.suppress(NotFoundError):
                self._engine.remove_volume(record.volume)
            if record.values:
                remove_volume(self._engine, record.values)

    # deleting

    def delete(self, key: ObjectKey) -> None:
        """Take an object away; a claim with its files. Pods that have a ConfigMap or Secret keep what they have of it.

        Raises:
            ObjectNotFoundError: there is none.
            ObjectInUseError: a container has the claim's files mounted.
            EngineError: the engine refused, or could not be reached.
        """
        uninterrupted(lambda: self._delete(key))
        self._secrets.pop(key, None)

    def _delete(self, key: ObjectKey) -> None:
        records = self._records(object_records.labels_of(key)).get(key, ())
        had_files = key.kind == PersistentVolumeClaim.kind and self._delete_files(key)
        if not records and not had_files:
            raise _missing(key)
        self._remove(records)

    def _delete_files(self, key: ObjectKey) -> bool:
        """Whether there were any. They go before the record: so a claim without files may be left, never files without a claim."""
        volume = claim_volume(key)
        for _ in range(TRIES):
            try:
                self._engine.remove_volume(volume)
            except NotFoundError:
                return False
            except ConflictError as error:
                if users := self.users(key):
                    message = f"cannot delete {key}: it is in use by {', '.join(users)}"
                    raise ObjectInUseError(message, **_fields(key), users=users) from error
            else:
                return True
        raise ConflictError("delete", str(key), "it is in use by containers that come and go")

    def users(self, key: ObjectKey) -> list[str]:
        """Whose containers have a claim's files: pods (``namespace/name``), and ``container NAME`` of nobody's pod."""
        found = self._engine.containers({}, volume=claim_volume(key))
        pods = {each.name: naming.key_of(each.labels) for each in found}
        return sorted({pod.full_name if pod else f"container {name}" for name, pod in pods.items()})


_stores: weakref.WeakKeyDictionary[Engine, ObjectStore] = weakref.WeakKeyDictionary()


def store_of(engine: Engine) -> ObjectStore:
    """The store of an engine, one for each in a process."""
    if (found := _stores.get(engine)) is None:
        found = _stores.setdefault(engine, ObjectStore(engine))
    return found


# --- how -------------------------------------------------------------------------------------------------------------


def _decoded(record: Record, secret: Object | ObjectError | None) -> Object | ObjectError:
    if record.key.kind == Secret.kind:
        return secret if secret is not None else _error(record.key, _NO_VALUES.format(record.values))
    return _parsed(record.key, record.document)


_NO_VALUES = "its values are no longer on the engine (volume '{}' was removed); apply it again"


def _parsed(key: ObjectKey, text: str | bytes) -> Object | ObjectError:
    try:
        found = object_records.decode(text, str(key))
    except ManifestError as error:
        return _error(key, f"what is kept of it is not what this pypod writes: {error}")
    return found if key_of(found) == key else _error(key, "what is kept of it is another object")


def _error(key: ObjectKey, why: str) -> ObjectError:
    return ObjectError(f"cannot read {key}: {why}", **_fields(key))


def _missing(key: ObjectKey) -> ObjectNotFoundError:
    return ObjectNotFoundError(f"cannot find {key}", **_fields(key))


def _fields(key: ObjectKey) -> dict[str, str]:
    return {"kind": key.kind, "namespace": key.namespace, "name": key.name}
