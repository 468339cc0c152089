"""References to variables, ``$(NAME)``, as a kubelet expands them in commands and environments."""

from __future__ import annotations

import re
from collections.abc import Mapping

_MOST_BYTES = 128 * 1024
"""Of one argument or environment string: what Linux takes (MAX_ARG_STRLEN). Bounds what references can blow up."""
_REFERENCE = re.compile(r"\$(?:\$|\(([^)]*)\))")


def escape(value: str) -> str:
    """So that expanding gives the value again."""
    return re.sub(r"\$(?=[$(])", "$$", value)


def expand(value: str, env: Mapping[str, str]) -> str:
    """``$(NAME)`` is the variable, or stays where there is none of that name; ``$$`` is ``$``.

    Source: third_party/forked/golang/expansion/expand.go.

    Raises:
        ValueError: it becomes too long.
    """
    # A "$(" past the last ")" refers to nothing; looking there for its end each time would take quadratic time.
    last = value.rfind(")") + 1
    parts, size, at = [], 0, 0
    for match in _REFERENCE.finditer(value, 0, last):
        variable = match[1]
        found = "$" if variable is None else env.get(variable, match[0])
        parts += [value[at : match.start()], found]
        size += len(found)
        at = match.end()
        if size > _MOST_BYTES:
            raise ValueError(f"is longer than {_MOST_BYTES} bytes with its references expanded")
    parts += [value[at:last], value[last:].replace("$$", "$")]
    return "".join(parts)
