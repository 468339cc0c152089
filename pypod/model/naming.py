"""Names and labels: how a thing on the engine says which pod it belongs to.

This is the only place where a label key is spelled and where an engine name is put together. Identity is read from
labels, never parsed back out of a name. ``_`` joins the parts of a name, since no Kubernetes name contains it.
"""

from __future__ import annotations

import enum
import hashlib
import json
import math
from collections.abc import Callable, Mapping

from pypod.model.records import record

NAMESPACE = "io.pypod.namespace"
POD = "io.pypod.pod"
UID = "io.pypod.uid"
ROLE = "io.pypod.role"
CONTAINER = "io.pypod.container"
ATTEMPT = "io.pypod.attempt"
OWNER = "io.pypod.owner"
LEASED = "io.pypod.leased"
TTL = "io.pypod.ttl"
"""On the pause of a detached pod: for how many seconds it is to live after it was started."""
SPEC = "io.pypod.spec"
SPEC_HASH = "io.pypod.spec-hash"
SANDBOX = "io.pypod.sandbox"
"""The attempt of the pause that a member was made for."""
NETWORK = "io.pypod.network"
VOLUME = "io.pypod.volume"
READY = "io.pypod.ready"
"""On the volume that says that an instance of a container is ready: its attempt."""
VERSION = "io.pypod.version"
OBJECT = "io.pypod.object"
"""On the record of an object: its kind. No container and no volume of a pod has this label, and no object has a `UID`."""
OBJECT_NAME = "io.pypod.object-name"
GENERATION = "io.pypod.generation"
"""Of a record: of several of one object the highest counts."""
CREATED = "io.pypod.created"
"""Of a record that replaced another: when its object was first made, Unix seconds by the engine's clock."""
WRITE = "io.pypod.write"
"""Of a record: who has made it, one of several that wanted to at once."""
DOCUMENT = "io.pypod.document"
"""Of a record: the object, but for a Secret."""
VALUES = "io.pypod.values"
"""Of a Secret's record: the volume with the Secret in it."""
CONTENT = "io.pypod.content"
"""On a volume with files of an object: the object's kind."""

SCHEMA_VERSION = "1"
"""Of these labels. A later pypod that finds another one knows that it did not write them."""

DELETING_SUFFIX = ".deleting"
DEFAULT_NETWORK = "pypod"
NOT_JOINED = ("host", "none")
"""Docker's networks that nobody is on beside another one."""
DNS_ROOT = "cluster.local"
CLUSTER_DOMAIN = f"pod.{DNS_ROOT}"


class Role(enum.Enum):
    """What a container is to its pod."""

    PAUSE = "pause"
    MEMBER = "member"
    EPHEMERAL = "ephemeral"
    """Joined a running pod, to debug it."""
    HELPER = "helper"
    """Of no pod: it is never started, and has volumes whose files somebody reads or writes."""


@record(frozen=True, slots=True)
class PodKey:
    """Which pod: its names for people, and the uid that no other pod ever had."""

    namespace: str
    name: str
    uid: str

    @property
    def full_name(self) -> str:
        return f"{self.namespace}/{self.name}"


@record(frozen=True, slots=True)
class Owner:
    """The process that a pod belongs to, so that another one on the same kernel can tell whether it is alive.

    A host name and a pid prove nothing (in a container the test process is often pid 1): only the same boot *and* the
    same PID namespace make pid and start time comparable. Empty boot ID: not comparable anywhere (no ``/proc``).

    Attributes:
        boot_id: of the kernel, ``/proc/sys/kernel/random/boot_id``.
        pid_namespace: inode of ``/proc/self/ns/pid``.
        pid: as that namespace counts.
        start_time: field 22 of ``/proc/<pid>/stat``, clock ticks since boot: tells a reused pid.
    """

    boot_id: str
    pid_namespace: int
    pid: int
    start_time: int

    def encode(self) -> str:
        return f"{self.boot_id}/{self.pid_namespace}/{self.pid}/{self.start_time}"

    @classmethod
    def decode(cls, text: str) -> Owner | None:
        """The owner that a label names; None where the label is not one of ours."""
        parts = text.split("/")
        if len(parts) != 4 or not all(part.isdigit() for part in parts[1:]):
            return None
        return cls(parts[0], int(parts[1]), int(parts[2]), int(parts[3]))


GENERATED_LETTERS = "bcdfghjklmnpqrstvwxz2456789"
"""Of made-up names: no vowels, and nothing that looks like another (apimachinery pkg/util/rand)."""
GENERATED_LENGTH = 5
_LONGEST_BASE = 63 - GENERATED_LENGTH


@record(frozen=True, slots=True)
class PodIdentity:
    """Which pod of whom: all that labels and names need, beside the spec.

    Attributes:
        ttl: seconds for which a detached pod is to live after its start; None: until it is removed.
    """

    key: PodKey
    owner: Owner
    leased: bool
    ttl: float | None = None

    @property
    def labels(self) -> dict[str, str]:
        return pod_labels(self.key, self.owner, leased=self.leased)


def generated_name(base: str, choose: Callable[[str], str]) -> str:
    """A name that begins so (apiserver pkg/storage/names, GenerateName).

    Args:
        base: cut where it is too long.
        choose: picks a letter.
    """
    return base[:_LONGEST_BASE] + "".join(choose(GENERATED_LETTERS) for _ in range(GENERATED_LENGTH))


def short(uid: str) -> str:
    """The part of a uid that names carry."""
    return uid[:8]


def pause_name(key: PodKey, attempt: int) -> str:
    """A sandbox's container name. It holds no uid: the engine's rule that names are unique is the lock on a pod's name."""
    return f"pypod_{key.namespace}_{key.name}_pause_{attempt}"


def member_name(key: PodKey, container: str, attempt: int) -> str:
    """A member's container name. A conflict on it means that another supervisor has made this attempt already."""
    return f"pypod_{key.namespace}_{key.name}_{short(key.uid)}_{container}_{attempt}"


def deleting_name(key: PodKey, attempt: int, deadline: float) -> str:
    """What a pause is renamed to when its pod is to go: the deletion mark, with the time at which grace ends (Unix, milliseconds)."""
    return f"pypod_{key.namespace}_{key.name}_{short(key.uid)}_pause_{attempt}_{math.ceil(deadline * 1000)}{DELETING_SUFFIX}"


def deletion_deadline(name: str) -> float | None:
    """The end of grace that a deletion mark carries; None for a name that is no deletion mark."""
    if not name.endswith(DELETING_SUFFIX):
        return None
    digits = name.removesuffix(DELETING_SUFFIX).rpartition("_")[2]
    return int(digits) / 1000 if digits.isdigit() else 0.0


MESSAGES = "_messages"
"""The volume of a pod's termination messages; no volume of a user has such a name."""


def volume_name(key: PodKey, volume: str) -> str:
    return f"pypod_{key.namespace}_{key.name}_{short(key.uid)}_{volume}"


def ready_name(key: PodKey, container: str, attempt: int) -> str:
    """The volume that says that this instance is ready; none of a user has such a name."""
    return volume_name(key, f"_ready_{container}_{attempt}")


def ready_labels(base: Mapping[str, str], container: str, attempt: int) -> dict[str, str]:
    return {**base, CONTAINER: container, READY: str(attempt)}


def ready_of(labels: Mapping[str, str]) -> tuple[str, int] | None:
    """Which container, and which attempt of it, a volume says is ready; None: it says nothing of that."""
    text = labels.get(READY, "")
    return (container_of(labels), int(text)) if text.isdecimal() else None


def network_name(network: str) -> str:
    """The engine's name of a pypod network; the empty name is the flat default one."""
    return f"{DEFAULT_NETWORK}_{network}" if network else DEFAULT_NETWORK


def is_own_network(name: str) -> bool:
    """Whether a network of that name, on an engine, is one that pypod makes and removes."""
    return name == DEFAULT_NETWORK or name.startswith(f"{DEFAULT_NETWORK}_")


def dns_aliases(key: PodKey) -> tuple[str, ...]:
    """The names under which a pod is found on its network, beside its hostname."""
    return (f"{key.name}.{key.namespace}.{CLUSTER_DOMAIN}", f"{key.name}.{key.namespace}")


def subdomain(name: str, namespace: str) -> str:
    """The domain that a pod's subdomain is."""
    return f"{name}.{namespace}.svc.{DNS_ROOT}"


def dns_search(namespace: str) -> tuple[str, ...]:
    """With the last one a pod of the same namespace is found as ``HOSTNAME.SUBDOMAIN``, as in Kubernetes."""
    return (f"{namespace}.{CLUSTER_DOMAIN}", CLUSTER_DOMAIN, f"{namespace}.svc.{DNS_ROOT}")


def pod_labels(key: PodKey, owner: Owner, *, leased: bool) -> dict[str, str]:
    """What every container and volume of a pod carries."""
    return {
        VERSION: SCHEMA_VERSION,
        NAMESPACE: key.namespace,
        POD: key.name,
        UID: key.uid,
        OWNER: owner.encode(),
        LEASED: "true" if leased else "false",
    }


def pause_labels(
    base: Mapping[str, str], attempt: int, spec_json: str, network: str, ttl: float | None = None
) -> dict[str, str]:
    return {
        **base,
        **({} if ttl is None else {TTL: repr(float(ttl))}),
        ROLE: Role.PAUSE.value,
        ATTEMPT: str(attempt),
        NETWORK: network,
        SPEC: spec_json,
        SPEC_HASH: spec_hash(spec_json),
    }


def member_labels(
    base: Mapping[str, str], container: str, attempt: int, sandbox: int, role: Role = Role.MEMBER
) -> dict[str, str]:
    return {
        **base,
        ROLE: role.value,
        CONTAINER: container,
        ATTEMPT: str(attempt),
        SANDBOX: str(sandbox),
    }


def volume_labels(base: Mapping[str, str], volume: str) -> dict[str, str]:
    return {**base, VOLUME: volume}


def network_labels(network: str, owner: Owner | None = None) -> dict[str, str]:
    """What a network carries; an isolated one also who made it: when that process is gone, and no pod is on it, it is nobody's."""
    made_by = {OWNER: owner.encode()} if network and owner is not None else {}
    return {VERSION: SCHEMA_VERSION, NETWORK: network, **made_by}


def key_of(labels: Mapping[str, str]) -> PodKey | None:
    """The pod that labels name; None where they name none."""
    if labels.get(UID) and labels.get(POD) and labels.get(NAMESPACE):
        return PodKey(labels[NAMESPACE], labels[POD], labels[UID])
    return None


def owner_of(labels: Mapping[str, str]) -> Owner | None:
    return Owner.decode(labels.get(OWNER, ""))


def network_of(labels: Mapping[str, str]) -> str | None:
    """The pypod network that a pause belongs on, or that an engine's network is; None for neither."""
    return labels.get(NETWORK)


def is_leased(labels: Mapping[str, str]) -> bool:
    return labels.get(LEASED) == "true"


def ttl_of(labels: Mapping[str, str]) -> float | None:
    """Seconds; None where a pause has no time to live, or one that is none of ours."""
    try:
        ttl = float(labels.get(TTL, ""))
    except ValueError:
        return None
    return ttl if math.isfinite(ttl) and ttl > 0 else None


def is_pause(labels: Mapping[str, str]) -> bool:
    return labels.get(ROLE) == Role.PAUSE.value


def attempt_of(labels: Mapping[str, str]) -> int:
    text = labels.get(ATTEMPT, "")
    return int(text) if text.isdigit() else 0


def sandbox_of(labels: Mapping[str, str]) -> int:
    text = labels.get(SANDBOX, "")
    return int(text) if text.isdigit() else 0


def is_ephemeral(labels: Mapping[str, str]) -> bool:
    return labels.get(ROLE) == Role.EPHEMERAL.value


def container_of(labels: Mapping[str, str]) -> str:
    return labels.get(CONTAINER, "")


def spec_hash(spec_json: str) -> str:
    """Of the spec as its label has it: equal text, equal pod."""
    return hashlib.sha256(spec_json.encode()).hexdigest()[:16]


def compact_json(value: object) -> str:
    """One spelling per value, for labels and hashes."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


# --- objects ---------------------------------------------------------------------------------------------------------

# Nothing of a pod begins with "pypod.", so no namespace or pod can be called such that its volumes are taken for these.

LONGEST_NAME = 255
"""Of a volume, which is a directory of that name."""


def record_name(kind: str, namespace: str, name: str, generation: int) -> str:
    """A record's volume. Who makes the volume of this name first has written this generation."""
    return _fitting(f"pypod.{kind.lower()}_{namespace}_", name, f"_{generation}")


def values_name(namespace: str, name: str, token: str) -> str:
    """The volume with the values of a Secret; each write has a new one."""
    return _fitting(f"pypod.values_{namespace}_", name, f"_{token}")


def claim_name(namespace: str, name: str) -> str:
    """The volume with the files of a claim."""
    return _fitting(f"pypod.claim_{namespace}_", name, "")


def helper_name(token: str) -> str:
    return f"pypod.helper_{token}"


def _fitting(start: str, name: str, end: str) -> str:
    """All three where that is short enough, else with a hash for the end of the name."""
    most = LONGEST_NAME - len(start) - len(end)
    if len(name) > most:
        name = f"{name[: most - 17]}_{hashlib.sha256(name.encode()).hexdigest()[:16]}"
    return start + name + end


def record_labels(kind: str, namespace: str, name: str, generation: int, token: str) -> dict[str, str]:
    """What every record of an object carries; beside it its `DOCUMENT` or its `VALUES`."""
    return {
        VERSION: SCHEMA_VERSION,
        NAMESPACE: namespace,
        OBJECT: kind,
        OBJECT_NAME: name,
        GENERATION: str(generation),
        WRITE: token,
    }


def content_labels(kind: str, namespace: str, name: str, owner: Owner) -> dict[str, str]:
    """What a volume with files of an object carries; its owner is who wrote it."""
    return {
        VERSION: SCHEMA_VERSION,
        NAMESPACE: namespace,
        CONTENT: kind,
        OBJECT_NAME: name,
        OWNER: owner.encode(),
    }


def helper_labels(owner: Owner) -> dict[str, str]:
    return {VERSION: SCHEMA_VERSION, ROLE: Role.HELPER.value, OWNER: owner.encode()}


def generation_of(labels: Mapping[str, str]) -> int:
    text = labels.get(GENERATION, "")
    return int(text) if text.isdigit() else 0
