"""What the writer of a document carries along."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pypod.model.schema.exact import WholeNumbers


class Writer:
    """What is to be known on the way.

    Attributes:
        numbers: takes those that a document's fields cannot say.
        literal: text is written as it is; ``$(NAME)`` in it is no reference.
    """

    def __init__(self) -> None:
        self.numbers = WholeNumbers()
        self.literal = False

    @contextmanager
    def literally(self) -> Iterator[None]:
        """No text has references meanwhile."""
        before, self.literal = self.literal, True
        try:
            yield
        finally:
            self.literal = before
