"""Numbers that a document's fields cannot say: Kubernetes has whole seconds, and a ``hostPort`` that is 0 is none.

The field holds the number rounded up, which is what a cluster takes; the annotation ``io.pypod/exact``, a JSON object of
field path to number, holds the number itself.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable

from pypod.model.wording import show


class WholeNumbers:
    """Writing: makes numbers whole, and keeps those that were not.

    Attributes:
        exact: field path to number.
    """

    def __init__(self) -> None:
        self.exact: dict[str, float] = {}

    def of(self, path: str, number: float, *, least: int = 0) -> int:
        """The number for the field at that path; ``least`` is 1 where Kubernetes takes 0 for its default."""
        whole = max(least, math.ceil(number))
        if whole != number:
            self.exact[path] = float(number)
        return whole

    def any_free_port(self, path: str) -> None:
        """The field is left out: Kubernetes has no such thing."""
        self.exact[path] = 0


class ExactNumbers:
    """Reading: the numbers of a document, exact where the annotation has them.

    Args:
        given: the annotation's text; None: there is none.
        refuse: takes what is wrong with it.
    """

    def __init__(self, given: str | None = None, refuse: Callable[[str], None] = lambda _: None) -> None:
        self._refuse = refuse
        self._exact = {} if given is None else self._parse(given)
        self._unused = set(self._exact)
        self._contradictions: list[str] = []

    def _parse(self, given: str) -> dict[str, float]:
        try:
            value = json.loads(given)
            if isinstance(value, dict) and not any(isinstance(each, bool) for each in value.values()):
                found = {
                    path: float(number) for path, number in value.items() if isinstance(number, int | float)
                }
                if len(found) == len(value) and all(math.isfinite(number) for number in found.values()):
                    return found
        except (ValueError, RecursionError, OverflowError):
            pass
        self._refuse(f"a JSON object of field path to number is expected, not {show(given)}")
        return {}

    def of(self, path: str, whole: float, *, least: int = 0) -> float:
        """The number of the field at that path, which holds, or stands for, the whole one."""
        self._unused.discard(path)
        exact = self._exact.get(path, whole)
        if path in self._exact and max(least, math.ceil(exact)) != whole:
            self._contradictions.append(f"{exact!r} is not what {path} says, {show(whole)}")
        return exact

    def host_port(self, path: str, number: int | None) -> int | None:
        """0 where any free port is asked for, None where none is."""
        if path not in self._exact:
            return number or None
        if self.of(path, number or 0) != 0:
            self._contradictions.append(f"{show(path)} can be 0 alone, for any free port")
        return 0

    def close(self) -> None:
        """Refuses numbers that fields contradict, or that no field has asked for. Only where all fields could be read."""
        for message in self._contradictions:
            self._refuse(message)
        for path in sorted(self._unused):
            self._refuse(f"there is no number at {show(path)}")
