"""Which exit codes a container is restarted after, whatever its policy says of them.

Source: pkg/api/v1/pod/util.go, FindMatchingContainerRestartRule; pkg/apis/core/validation, validateContainerRestartPolicy.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import field

from pypod.model.records import record
from pypod.model.schema.declaring import k8s
from pypod.model.schema.kinds import BAD
from pypod.model.schema.levels import Level

MOST_RULES, MOST_VALUES = 20, 255


class RestartAction(enum.Enum):
    """What a rule does."""

    RESTART = "Restart"
    """The container is restarted."""
    RESTART_ALL_CONTAINERS = "RestartAllContainers"


class ExitCodeOperator(enum.Enum):
    """How an exit code is compared."""

    IN = "In"
    NOT_IN = "NotIn"


@record(frozen=True, slots=True)
class ExitCodes:
    """The exit codes that a rule is about: these, or all but these."""

    operator: ExitCodeOperator
    values: tuple[int, ...] = ()

    def __contains__(self, code: int) -> bool:
        return (code in self.values) is (self.operator is ExitCodeOperator.IN)


@record(frozen=True, slots=True)
class RestartRule:
    """One rule: of several the first that fits holds; where none does, the container's restart policy. Shortly `on`, `unless`.

    Attributes:
        exit_codes: which it is about.
        action: what is done.
    """

    exit_codes: ExitCodes
    action: RestartAction = field(
        default=RestartAction.RESTART,
        metadata=k8s(
            absent=BAD,
            values={
                RestartAction.RESTART_ALL_CONTAINERS: (
                    Level.REFUSED,
                    "containers begin anew together only with a new sandbox; 'Restart' restarts the one that ended",
                )
            },
        ),
    )

    @classmethod
    def on(cls, *codes: int) -> RestartRule:
        """The container is restarted after these exit codes."""
        return cls(ExitCodes(ExitCodeOperator.IN, codes))

    @classmethod
    def unless(cls, *codes: int) -> RestartRule:
        """The container is restarted after every exit code but these."""
        return cls(ExitCodes(ExitCodeOperator.NOT_IN, codes))


def fits(rules: Sequence[RestartRule], code: int) -> bool:
    """A container that ended with this code is restarted by its rules."""
    return any(code in rule.exit_codes for rule in rules)
