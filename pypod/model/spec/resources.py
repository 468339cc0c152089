"""What a container asks for and may use: QoS class, CPU shares and quota, and its score for the kernel's OOM killer.

Sources: pkg/kubelet/cm/helpers_linux.go, pkg/apis/core/v1/helper/qos/qos.go, pkg/kubelet/qos/policy.go. Figures are
whole: millicores of CPU, bytes of memory.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from pypod.model.records import record
from pypod.model.schema import quantity, shapes
from pypod.model.schema.declaring import also, k8s, nothing
from pypod.model.schema.kinds import BAD, Kind, Quantity, Standing
from pypod.model.schema.levels import Level, objection, warning
from pypod.model.schema.paths import entry
from pypod.model.wording import did_you_mean

if TYPE_CHECKING:
    from pypod.model.schema.checking import Check
    from pypod.model.schema.reading import Reader
    from pypod.model.schema.writing import Writer


@record(frozen=True, slots=True)
class ResourceList:
    """Millicores and bytes; None where nothing is said.

    Attributes:
        cpu: thousandths of a core.
        memory: bytes.
        others: ``ephemeral-storage`` and ``hugepages-...``, bytes, which are kept and have no effect.
    """

    cpu: int | None = None
    memory: int | None = None
    others: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}), hash=False)

    def __bool__(self) -> bool:
        return self.cpu is not None or self.memory is not None or bool(self.others)

    @property
    def named(self) -> dict[str, object]:
        """Every amount by Kubernetes' name of it."""
        found: dict[str, object] = {"cpu": self.cpu, "memory": self.memory, **self.others}
        return {name: amount for name, amount in found.items() if amount is not None}


class Amounts(Kind):
    """A mapping of resources to quantities, in a spec a `ResourceList`."""

    expected = "a ResourceList"
    keyed = True

    def read(self, reader: Reader, path: str, value: object) -> object:
        if not isinstance(value, Mapping):
            reader.refuse(path, f"a mapping of fields is expected, not {reader.show(value)}")
            return BAD
        found: dict[str, Any] = {}
        for name, each in value.items():
            if each is None or reader.full:
                continue
            inner = entry(path, name)
            level, reason = standing_of(name) if isinstance(name, str) else (None, "")
            if level is None:
                reader.unknown(inner, "unknown field" + did_you_mean(str(name), KNOWN))
            elif reader.refuses(level):
                reader.refuse(inner, objection(level, reason))
            elif (amount := _kind(name).read(reader, inner, each)) is not BAD:
                found[name] = amount
                if amount and (said := warning(level, reason)):
                    reader.warn(inner, said)
        return ResourceList(found.pop("cpu", None), found.pop("memory", None), MappingProxyType(found))

    def write(self, writer: Writer, path: str, value: Any) -> object:
        return {
            name: _kind(name).write(writer, f"{path}[{name}]", amount) for name, amount in value.named.items()
        }

    def check(self, check: Check, path: str, value: object) -> None:
        if check.is_a(path, value, ResourceList, self.expected):
            for name, amount in value.named.items():  # type: ignore[attr-defined]
                _kind(name).check(check, f"{path}[{name}]", amount)

    def standings(self, path: str, value: object) -> Iterator[Standing]:
        if isinstance(value, ResourceList):
            for name, amount in value.named.items():
                level, reason = standing_of(name)
                if amount and level is not None and level is not Level.DONE:
                    yield f"{path}[{name}]", level, reason


def _kind(name: str) -> Quantity:
    return Quantity(1000) if name == "cpu" else Quantity()


KNOWN = ("cpu", "memory", "ephemeral-storage")
STANDINGS: Mapping[str, tuple[Level, str]] = {
    "cpu": (Level.DONE, ""),
    "memory": (Level.DONE, ""),
    "ephemeral-storage": (Level.NO_EFFECT, "nobody measures what a container writes, and nothing is evicted"),
    "hugepages-*": (Level.NO_EFFECT, "an engine has no limit of huge pages"),
    "DOMAIN/NAME": (
        Level.REFUSED,
        "nothing on an engine hands out such a resource; only cpu and memory are shared out",
    ),
}
"""Of every resource."""


def standing_of(name: str) -> tuple[Level, str] | tuple[None, str]:
    """How far a resource is carried out, and why no farther; None: there is none of that name."""
    if "/" in name:
        return STANDINGS["DOMAIN/NAME"]
    if name.startswith("hugepages-"):
        return STANDINGS["hugepages-*"]
    return STANDINGS.get(name, (None, "")) if name in KNOWN else (None, "")


AMOUNTS = Amounts()


@also(
    claims=nothing(shapes.CLAIMS, Level.REFUSED, "there is nobody who would allocate devices for it"),
)
@record(frozen=True, slots=True, init=False)
class Resources:
    """What a container asks for, and what it may use at most.

    Args:
        requests: ``{"cpu": "250m", "memory": "64Mi"}``: Kubernetes' quantities, or numbers (cores, bytes). What is not said is
            as in ``limits``.
        limits: the same; a container that takes more memory is killed (OOMKilled), one that takes more CPU is slowed down.

    Raises:
        TypeError: something is of another type.
        ValueError: an amount is no quantity, or of something else than ``cpu`` and ``memory``.
    """

    requests: ResourceList = field(default=ResourceList(), metadata=k8s(kind=AMOUNTS))
    limits: ResourceList = field(default=ResourceList(), metadata=k8s(kind=AMOUNTS))

    def __init__(
        self,
        *,
        requests: Mapping[str, str | int | float] | ResourceList | None = None,
        limits: Mapping[str, str | int | float] | ResourceList | None = None,
    ) -> None:
        object.__setattr__(self, "requests", _list_of(requests, "requests"))
        object.__setattr__(self, "limits", _list_of(limits, "limits"))

    @property
    def effective_requests(self) -> ResourceList:
        """Requests, with limits where a request is missing (pkg/apis/core/v1/defaults.go)."""
        cpu = self.requests.cpu if self.requests.cpu is not None else self.limits.cpu
        memory = self.requests.memory if self.requests.memory is not None else self.limits.memory
        return ResourceList(cpu, memory, MappingProxyType({**self.limits.others, **self.requests.others}))

    def __bool__(self) -> bool:
        return bool(self.requests) or bool(self.limits)


def _list_of(given: Mapping[str, str | int | float] | ResourceList | None, what: str) -> ResourceList:
    if given is None:
        return ResourceList()
    if isinstance(given, ResourceList):
        return given
    if not isinstance(given, Mapping):
        raise TypeError(
            f"cannot take {what}={given!r}: a mapping like {{'cpu': '250m', 'memory': '64Mi'}} is expected"
        )
    others = {}
    for name in given:
        if name in ("cpu", "memory"):
            continue
        level, reason = standing_of(name)
        if level is not Level.NO_EFFECT:
            why = reason or "'cpu' or 'memory' is expected"
            raise ValueError(f"cannot take {what}[{name!r}]: {why}")
        amount = _amount(given, name, quantity.parse_quantity, what)
        if amount is not None:
            others[name] = amount
    return ResourceList(
        _amount(given, "cpu", quantity.parse_milli, what),
        _amount(given, "memory", quantity.parse_quantity, what),
        MappingProxyType(others),
    )


def _amount(
    given: Mapping[str, str | int | float], name: str, parse: Callable[[str], int], what: str
) -> int | None:
    value: object = given.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise TypeError(f"cannot take {what}[{name!r}]: a quantity or a number is expected, not {value!r}")
    try:
        return parse(value if isinstance(value, str) else repr(value))
    except ValueError as exc:
        raise ValueError(f"cannot take {what}[{name!r}]: {exc}") from None


class QOSClass(enum.Enum):
    """How a pod's claims to its machine are ranked."""

    GUARANTEED = "Guaranteed"
    BURSTABLE = "Burstable"
    BEST_EFFORT = "BestEffort"


def qos_class(every: Iterable[Resources]) -> QOSClass:
    """Of a pod with containers (init containers included) of these resources."""
    claims = [(resources.effective_requests, resources.limits) for resources in every]
    amounts = [amount for lists in claims for each in lists for amount in (each.cpu, each.memory)]
    if not any(amounts):
        return QOSClass.BEST_EFFORT
    if all(
        limits.cpu and limits.memory and (requests.cpu, requests.memory) == (limits.cpu, limits.memory)
        for requests, limits in claims
    ):
        return QOSClass.GUARANTEED
    return QOSClass.BURSTABLE


CPU_PERIOD = 100_000
"""Microseconds."""
MIN_MEMORY = 6 * 1024 * 1024
"""Bytes: the engine refuses a smaller limit."""


def cpu_shares(milli: int) -> int:
    """The weight of a CPU request of so many millicores; no request is the least there is."""
    return max(2, min(262144, milli * 1024 // 1000))


def cpu_quota(milli: int) -> int:
    """Microseconds per `CPU_PERIOD` for a CPU limit of so many millicores; 0: no limit."""
    return max(1000, milli * CPU_PERIOD // 1000) if milli else 0


def oom_score_adj(qos: QOSClass, memory_request: int, node_memory: int) -> int:
    """How early the kernel's OOM killer takes a container: 1000 first, -997 last.

    Args:
        qos: of the pod.
        memory_request: of the container, bytes.
        node_memory: of the engine's host, bytes.
    """
    if qos is QOSClass.GUARANTEED:
        return -997
    if qos is QOSClass.BEST_EFFORT:
        return 1000
    score = 1000 - 1000 * memory_request // node_memory if node_memory else 999
    return max(3, min(999, score))
