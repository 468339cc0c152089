"""Which pod belongs to which tests: by the fixtures that it was started for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest


@dataclass(frozen=True)
class Use:
    """What a pod was started for.

    Attributes:
        node: the function, class, module, package or session that it lives as long as.
        names: the fixtures that were being set up then, and the one that started it.
        fixture: the innermost of them, as pytest has it; None: a test started it.
    """

    node: pytest.Item | pytest.Collector
    names: frozenset[str]
    fixture: object = None

    def is_by(self, item: pytest.Item) -> bool:
        """Whether this test uses the pod: it lives in the node, and asked for one of the fixtures, directly or through others."""
        return self.node in item.listchain() and not self.names.isdisjoint(fixture_names(item))


def fixture_names(item: pytest.Item) -> set[str]:
    """All fixtures of a test: those it names, those these need, and those that were asked for while it ran."""
    names = set(getattr(item, "fixturenames", ()))
    request: Any = getattr(item, "_request", None)  # only it knows of `request.getfixturevalue`
    if request is not None:
        names.update(getattr(request, "fixturenames", ()))
    return names


@dataclass
class Setups:
    """The fixtures that are being set up now, outermost first. (pytest tells a fixture nothing of who asked for it.)"""

    fixtures: list[pytest.FixtureDef[object]] = field(default_factory=list)
    refused: Exception | None = None
    """What a fixture of pypod's failed with, until that has come to pytest."""

    def use(self, request: pytest.FixtureRequest) -> Use:
        """What a pod is for that is started now, through the fixture of this request."""
        if self.fixtures:
            return Use(request.node, frozenset(each.argname for each in self.fixtures), self.fixtures[-1])
        return Use(request.node, frozenset([request.fixturename] if request.fixturename else []))


SETUPS = pytest.StashKey[Setups]()
