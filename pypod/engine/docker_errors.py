"""What went wrong with a call: the engine's refusals, and connections that broke or were never made."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeVar

from pypod.errors import ConflictError, EngineError, NotFoundError, SubnetInUseError

T = TypeVar("T")

_TRIES = 3
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


def retried(ask: Callable[[], T], sleep: Callable[[float], None]) -> T:
    """The answer to a question that changes nothing: it is asked again where the connection broke."""
    try:
        return ask()
    except (ConnectionResetError, BrokenPipeError) as error:
        import tenacity  # noqa: PLC0415 (it takes longer to load than a call does, and a call seldom breaks)

        broken = [error]

        def ask_again() -> T:
            if broken:
                raise broken.pop()  # the first try
            return ask()

        return tenacity.Retrying(
            stop=tenacity.stop_after_attempt(_TRIES),
            wait=tenacity.wait_exponential(multiplier=0.05),
            retry=tenacity.retry_if_exception_type((ConnectionResetError, BrokenPipeError)),
            sleep=sleep,
            reraise=True,
        )(ask_again)
