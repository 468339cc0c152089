"""What went wrong with a call: the engine's refusals, and connections that broke or were never made."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeVar

from pypod.errors import ConflictError, EngineError, NotFoundError, SubnetInUseError

T = TypeVar("T")

_TRIES = 3
_FIRST_WAIT = 0.05
"""Seconds until a call is made again."""
_BROKEN = (ConnectionResetError, BrokenPipeError)
_OVERLAPS = ("pool overlaps with other one", "is already used on the host or by another config")
_CONFLICTS = (
    "has active endpoints",
    "network is being used",  # Podman from here on: each with status 500
    "is already in use by",
    "can only create exec sessions on running containers",
    "has dependent containers which must be removed before it",
)
_NOT_RUNNING = re.compile(r"\bcontainer \S+ is not running$")
_NO_SUCH = re.compile(r"\bno such container: (\S+)$")


_PASSWORD = re.compile(r"\b(password|secret)=[^,\s]*?(?=,|:?\s|:?$)")


def without_passwords(words: str) -> str:
    """An engine that cannot mount a volume may quote all of the mount's options (20.10)."""
    return _PASSWORD.sub(r"\1=********", words)


def refusal(verb: str, target: str, status: int, words: str) -> EngineError:
    """The error for an HTTP status and the engine's words, where the status alone does not tell."""
    text = without_passwords(words.strip())
    lower = text.lower()
    if any(word in lower for word in _OVERLAPS):
        return SubnetInUseError(verb, target, text, status=status)
    if any(word in lower for word in _CONFLICTS) or (
        verb == "start container" and _owner_is_missing(lower, target)
    ):
        return ConflictError(verb, target, text, status=status)
    classes: dict[int, type[EngineError]] = {404: NotFoundError, 409: ConflictError}
    return classes.get(status, EngineError)(verb, target, text, status=status)


def _owner_is_missing(words: str, target: str) -> bool:
    """A start failed for the container whose namespaces it joins: 404, 409 or 500, by namespace and version.

    Of a process space that is "Container X is not running" in 20.10, and in 26.1 "failed to join PID namespace: container X is
    not running".
    """
    if "cannot join" in words or "can't join" in words or _NOT_RUNNING.search(words):
        return True
    missing = _NO_SUCH.search(words)
    return missing is not None and missing.group(1) != target.lower()


def asking_again(ask: Callable[[], T], sleep: Callable[[float], None]) -> T:
    """What the engine answers; it is asked again where the connection broke.

    Nearly every call is answered at the first try, and is to pay neither for tenacity's bookkeeping, a third of what a short request
    takes, nor for loading it.
    """
    try:
        return ask()
    except _BROKEN:
        sleep(_FIRST_WAIT)
    import tenacity  # noqa: PLC0415 (see above)

    again = tenacity.Retrying(
        stop=tenacity.stop_after_attempt(_TRIES - 1),
        wait=tenacity.wait_exponential(multiplier=2 * _FIRST_WAIT),
        retry=tenacity.retry_if_exception_type(_BROKEN),
        sleep=sleep,
        reraise=True,
    )
    return again(ask)
