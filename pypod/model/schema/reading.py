"""What the reader of a document carries along: the problems and warnings so far, and how strict it is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pypod.errors import ManifestError, Problem
from pypod.model.schema.exact import ExactNumbers
from pypod.model.schema.levels import Level
from pypod.model.schema.paths import ROOT, place_of
from pypod.model.text.places import Place
from pypod.model.text.strictness import Strictness
from pypod.model.wording import kind_of, show

MOST_PROBLEMS = 100
"""That are reported at once."""


class Reader:
    """What goes wrong on the way, and what is to be known on it.

    Args:
        place: of the document in its text; None where it was none.
        strictness: about unknown fields.
        admit_planned: read fields of the level PLANNED as if they were done.

    Attributes:
        problems: what makes the document unusable.
        warnings: what does not.
        exact: the numbers that are more exact than their fields.
        literal: text is taken as it stands; ``$(NAME)`` in it is no reference.
        discreet: no message shows a value: what is read may be a secret.
    """

    def __init__(
        self,
        place: Place | None = None,
        strictness: Strictness = Strictness.STRICT,
        *,
        admit_planned: bool = False,
    ) -> None:
        self.place = place
        self.strictness = strictness
        self.problems: list[Problem] = []
        self.warnings: list[Problem] = []
        self.exact = ExactNumbers()
        self.literal = False
        self.discreet = False
        self._admitted = {Level.PLANNED} if admit_planned else set()

    @property
    def full(self) -> bool:
        """More problems than anybody reads. Nothing more is looked for, so that hostile input costs little."""
        return len(self.problems) >= MOST_PROBLEMS

    def refuses(self, level: Level) -> bool:
        return level in (Level.PLANNED, Level.REFUSED) and level not in self._admitted

    def show(self, value: object) -> str:
        """A value in a message."""
        return kind_of(value) if self.discreet else show(value)

    def refuse(self, path: str, message: str) -> None:
        if not self.full:
            self.problems.append(self._problem(path, message))

    def warn(self, path: str, message: str) -> None:
        if len(self.warnings) < MOST_PROBLEMS:
            self.warnings.append(self._problem(path, message))

    def unknown(self, path: str, message: str) -> None:
        """A field that is not one. It is its name that is wrong, so that is where the message points to."""
        match self.strictness:
            case Strictness.STRICT if not self.full:
                self.problems.append(self._problem(path, message, of_name=True))
            case Strictness.WARN if len(self.warnings) < MOST_PROBLEMS:
                self.warnings.append(self._problem(path, message, of_name=True))

    def unknown_kind(self, path: str, message: str, *, silent: bool = True) -> None:
        """A document that is none of what is carried out, and can be passed over.

        Args:
            path, message: as elsewhere.
            silent: nothing is said where nothing is to be said of unknown fields.
        """
        if self.strictness is Strictness.STRICT:
            self.refuse(path, message)
        elif self.strictness is Strictness.WARN or not silent:
            self.warn(path, f"{message}; it is passed over")

    def _problem(self, path: str, message: str, *, of_name: bool = False) -> Problem:
        if self.place is None:
            return Problem(str(path) or ROOT, message, ManifestError)
        place = place_of(self.place, path)
        line, column = (of_name and place.key) or place.best
        return Problem(str(path) or ROOT, message, ManifestError, line, column)

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
