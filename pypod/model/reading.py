"""What the reader of a document carries along: the problems and warnings so far, and how strict it is."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from contextlib import contextmanager

from pypod.errors import ManifestError, Problem
from pypod.model.exact import ExactNumbers
from pypod.model.levels import Level
from pypod.model.positions import Positions, position_of

MOST_PROBLEMS = 100
"""That are reported at once."""


class Strictness(enum.Enum):
    """What becomes of fields that Kubernetes does not have, or that are there twice (``kubectl --validate``)."""

    STRICT = "strict"
    WARN = "warn"
    IGNORE = "ignore"


class Reader:
    """What goes wrong on the way, and what is to be known on it.

    Args:
        positions: field path to its place in the text, where known.
        strictness: about unknown fields.
        admit_planned: read fields of the level PLANNED as if they were done.

    Attributes:
        problems: what makes the document unusable.
        warnings: what does not.
        exact: the numbers that are more exact than their fields.
        literal: text is taken as it stands; ``$(NAME)`` in it is no reference.
    """

    def __init__(
        self,
        positions: Positions | None = None,
        strictness: Strictness = Strictness.STRICT,
        *,
        admit_planned: bool = False,
    ) -> None:
        self.positions = positions or {}
        self.strictness = strictness
        self.problems: list[Problem] = []
        self.warnings: list[Problem] = []
        self.exact = ExactNumbers()
        self.literal = False
        self._admitted = {Level.PLANNED} if admit_planned else set()

    @property
    def full(self) -> bool:
        """More problems than anybody reads. Nothing more is looked for, so that hostile input costs little."""
        return len(self.problems) >= MOST_PROBLEMS

    def refuses(self, level: Level) -> bool:
        return level in (Level.PLANNED, Level.REFUSED) and level not in self._admitted

    def refuse(self, path: str, message: str) -> None:
        if not self.full:
            self.problems.append(self._problem(path, message))

    def warn(self, path: str, message: str) -> None:
        if len(self.warnings) < MOST_PROBLEMS:
            self.warnings.append(self._problem(path, message))

    def unknown(self, path: str, message: str) -> None:
        """A field that is not one, or that is there twice."""
        match self.strictness:
            case Strictness.STRICT:
                self.refuse(path, message)
            case Strictness.WARN:
                self.warn(path, message)

    def _problem(self, path: str, message: str) -> Problem:
        line, column = position_of(self.positions, path)
        return Problem(path, message, ManifestError, line, column)

    def scratch(self) -> Reader:
        """Another one, for something of which only the value is of interest."""
        return Reader(strictness=self.strictness, admit_planned=True)

    @contextmanager
    def literally(self) -> Iterator[None]:
        """No text has references meanwhile."""
        before, self.literal = self.literal, True
        try:
            yield
        finally:
            self.literal = before
