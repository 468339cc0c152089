"""What a pod is told of itself: the values of ``fieldRef`` and ``resourceFieldRef``, from plain facts.

A problem is an answer here, in words: who asks puts it under the field's path (a spec that is checked) or into the reason of a
container that waits.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from pypod.model.schema.checking import SUBDOMAIN
from pypod.model.schema.quantity import parse_milli, parse_quantity
from pypod.model.wording import did_you_mean, show

_NOTHING: Mapping[str, str] = MappingProxyType({})

ANYWHERE = ("metadata.name", "metadata.namespace", "metadata.uid")
IN_ENV = (
    *ANYWHERE,
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
)
"""What a variable can have; and single labels and annotations."""
IN_VOLUME = (*ANYWHERE, "metadata.labels", "metadata.annotations")
"""What a file can have; and single labels and annotations."""
NEEDS_ADDRESS = ("status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs")

_SUBSCRIPT = re.compile(r"(metadata\.(?:labels|annotations))\['(.*)'\]", re.DOTALL)
_QUALIFIED = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")


@dataclass(frozen=True, slots=True)
class PodFacts:
    """What there is to tell of a pod.

    Attributes:
        pod_ips, host_ips: the first one is *the* address; empty where there is none (yet).
    """

    name: str = ""
    namespace: str = ""
    uid: str = ""
    labels: Mapping[str, str] = field(default_factory=lambda: _NOTHING, hash=False)
    annotations: Mapping[str, str] = field(default_factory=lambda: _NOTHING, hash=False)
    node_name: str = ""
    service_account_name: str = "default"
    pod_ips: tuple[str, ...] = ()
    host_ips: tuple[str, ...] = ()


def field_problem(path: str, *, volume: bool = False) -> str:
    """Why a ``fieldPath`` cannot be had in a variable, or in a file of a volume; empty: it can."""
    subscripted = _SUBSCRIPT.fullmatch(path)
    if subscripted:
        # As there, in lower case: an annotation's key may have been written in capitals long ago.
        key = subscripted[2].lower() if subscripted[1] == "metadata.annotations" else subscripted[2]
        return "" if _is_key(key) else f"{show(path)} is not valid: {show(subscripted[2])} is no key"
    supported = IN_VOLUME if volume else IN_ENV
    if path in supported:
        return ""
    words = ", ".join(
        show(each) for each in (*supported, "metadata.labels['KEY']", "metadata.annotations['KEY']")
    )
    return f"{show(path)} is not supported{did_you_mean(path, supported)}; one of {words} is expected"


def _is_key(key: str) -> bool:
    prefix, slash, name = key.rpartition("/")
    right_prefix = not slash or (len(prefix) <= 253 and SUBDOMAIN.fullmatch(prefix) is not None)
    return right_prefix and len(name) <= 63 and _QUALIFIED.fullmatch(name) is not None


def field_value(path: str, pod: PodFacts) -> str:
    """The value of a ``fieldPath``; empty where the pod has no such label, annotation or address.

    Source: pkg/fieldpath/fieldpath.go; pkg/kubelet/kubelet_pods.go, podFieldSelectorRuntimeValue.

    Raises:
        KeyError: there is no such field (`field_problem` says so before).
    """
    if subscripted := _SUBSCRIPT.fullmatch(path):
        of = pod.labels if subscripted[1] == "metadata.labels" else pod.annotations
        return of.get(subscripted[2], "")
    values = {
        "metadata.name": pod.name,
        "metadata.namespace": pod.namespace,
        "metadata.uid": pod.uid,
        "spec.nodeName": pod.node_name,
        "spec.serviceAccountName": pod.service_account_name,
        "status.hostIP": next(iter(pod.host_ips), ""),
        "status.hostIPs": ",".join(pod.host_ips),
        "status.podIP": next(iter(pod.pod_ips), ""),
        "status.podIPs": ",".join(pod.pod_ips),
    }
    if path == "metadata.labels":
        return format_map(pod.labels)
    return format_map(pod.annotations) if path == "metadata.annotations" else values[path]


def format_map(entries: Mapping[str, str]) -> str:
    """Sorted lines ``key="value"``, the last one without its end (pkg/fieldpath, FormatMap)."""
    return "\n".join(f"{key}={quote(entries[key])}" for key in sorted(entries))


_ESCAPES = {
    "\a": r"\a", "\b": r"\b", "\f": r"\f", "\n": r"\n", "\r": r"\r", "\t": r"\t", "\v": r"\v", "\\": "\\\\", '"': r"\"",
}  # fmt: skip


def quote(text: str) -> str:
    """As Go's ``%q`` does it."""
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(char: str) -> str:
    if char in _ESCAPES:
        return _ESCAPES[char]
    if char.isprintable():  # letters, marks, numbers, punctuation, symbols and the space, as in Go
        return char
    code = ord(char)
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


# --- resources -------------------------------------------------------------------------------------------------------

Amounts = Mapping[str, int]
"""By resource: ``cpu`` in millicores, ``memory``, ``ephemeral-storage`` and ``hugepages-2Mi`` in bytes."""

_RESOURCE = re.compile(r"(limits|requests)\.(cpu|memory|ephemeral-storage|hugepages-.+)")
_PLAIN = re.compile(r"[0-9]+[mkMGTPE]?")
_CPU_DIVISORS = ("1m", "1")
_SIZE_DIVISORS = ("1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei")


def resource_problem(resource: str, divisor: str = "0") -> str:
    """Why a ``resource`` with this ``divisor`` cannot be had; empty: it can (ValidateResourceFieldSelector)."""
    match = _RESOURCE.fullmatch(resource)
    if match is None:
        words = "limits.cpu, limits.memory, limits.ephemeral-storage, limits.hugepages-SIZE, and the same of requests"
        return f"{show(resource)} is not supported; one of {words} is expected"
    try:
        amount = parse_milli(divisor or "0")
    except ValueError as error:
        return str(error)
    allowed = _CPU_DIVISORS if match[2] == "cpu" else _SIZE_DIVISORS
    # There, what is compared is the quantity as it is written back: 1000 is 1k, and 1024 is not 1Ki.
    decimal = {parse_milli(each) for each in allowed if not each.endswith("i")}
    if divisor in allowed or amount == 0 or (_PLAIN.fullmatch(divisor) and amount in decimal):
        return ""
    return f"the divisor {show(divisor)} is not supported; one of {', '.join(allowed)} is expected"


def _divisor(divisor: str, resource: str) -> int:
    """In thousandths for cpu. None at all is 1."""
    parse = parse_milli if resource == "cpu" else parse_quantity
    return parse(divisor or "0") or parse("1")


def resource_value(
    resource: str, *, limits: Amounts, requests: Amounts, allocatable: Amounts, divisor: str = "0"
) -> str:
    """The value of a ``resource``, divided and rounded up.

    A limit that is not set is what the node can give; a request that is not set is 0 (or, where the spec's defaults have been
    applied, what the limit is: that is the caller's to have done).

    Source: pkg/api/v1/resource/helpers.go, ExtractContainerResourceValue, MergeContainerResourceLimits.

    Raises:
        ValueError: there is no such resource, or the divisor is none (`resource_problem` says so before).
    """
    if problem := resource_problem(resource, divisor):
        raise ValueError(problem)
    side, _, name = resource.partition(".")
    amount = limits.get(name) or allocatable.get(name, 0) if side == "limits" else requests.get(name, 0)
    return str(-(-amount // _divisor(divisor, name)))
