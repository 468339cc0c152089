"""References to variables, ``$(NAME)``, as a kubelet expands them in commands and environments.

A spec holds two kinds of text: a plain ``str`` is what the container gets, letter for letter; a `Template` refers to variables,
which are known only when the container is made. A document has one spelling for both, where ``$$`` stands for ``$``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Self

_MOST_BYTES = 128 * 1024
"""Of one argument or environment string: what Linux takes (MAX_ARG_STRLEN). Bounds what references can blow up."""
_REFERENCE = re.compile(r"\$(?:\$|\(([^)]*)\))")


class Template(str):
    """Text that refers to variables of its container: ``Template("http://$(POD_IP):80")``; ``$$`` stands for ``$``.

    Text that refers to nothing is no template: ``Template("a$$b")`` is the ``str`` ``"a$b"``. So a template and a plain string
    are never equal, though both are strings.
    """

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        if not _refers(text):
            return expand(text, {})  # type: ignore[return-value]
        return super().__new__(cls, text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Template) and str.__eq__(self, other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash((Template, str.__hash__(self)))

    def __repr__(self) -> str:
        return f"Template({str.__repr__(self)})"


Text = str | Template
"""Of a field in which references are expanded."""


def written(value: str) -> str:
    """As a document has it: plain text is escaped, a template stands as it is."""
    return str.__str__(value) if isinstance(value, Template) else escape(value)


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


def names_in(value: str) -> list[str]:
    """The variables that it refers to, each as often as it does."""
    last = value.rfind(")") + 1
    return [match[1] for match in _REFERENCE.finditer(value, 0, last) if match[1]]


def _refers(value: str) -> bool:
    return bool(names_in(value))
