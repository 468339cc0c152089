"""What is told of pods that could not be started: in full by the first test that needs one, in a line by the others."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from pypod.pytest.uses import Use

Section = tuple[str, str]


@dataclass(slots=True)
class _Failed:
    """One that could not be started.

    Attributes:
        use: what it was started for.
        section: what was seen of it: a title and a text.
        told: the first test whose report had that; empty: none yet.
    """

    use: Use
    section: Section
    told: str = ""

    def to(self, item: pytest.Item) -> Section:
        """What the report of a test says of it."""
        self.told = self.told or item.nodeid
        title, _ = self.section
        return self.section if self.told == item.nodeid else (title, f"as the report of {self.told} has it")


class FailedStarts:
    """Those of a run."""

    def __init__(self) -> None:
        self._failed: list[_Failed] = []

    def add(self, use: Use, section: Section) -> None:
        self._failed.append(_Failed(use, section))

    def told_of(self, use: Use) -> list[Section]:
        """All that was seen of the start for it."""
        return [each.section for each in self._failed if each.use is use]

    def report(self, item: pytest.Item) -> list[Section]:
        """What the report of a test says of those that it needed."""
        return [each.to(item) for each in self._failed if each.use.is_by(item)]

    def anew(self, fixture: object) -> None:
        """A fixture is set up once more, for another parameter or since its test is run again: what failed before was another
        one's."""
        self._failed = [each for each in self._failed if each.use.fixture is not fixture]

    def over(self, item: pytest.Item) -> None:
        """A test is over, with all that it alone had."""
        self._failed = [each for each in self._failed if each.use.node is not item]
