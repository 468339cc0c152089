"""The rules by which a container is restarted.

Source: pkg/apis/core/validation/validation.go, validateContainerRestartPolicy.
"""

from __future__ import annotations

from pypod.model.schema.checking import Check
from pypod.model.schema.structs import Struct
from pypod.model.spec.pod import Container
from pypod.model.spec.restart_rules import MOST_RULES, MOST_VALUES, RestartRule
from pypod.model.wording import show


def check_restart_rules(check: Check, path: str, container: Container) -> None:
    """Checks them; ``path``: of the container."""
    rules: object = container.restart_policy_rules
    where = f"{path}.restartPolicyRules"
    if not isinstance(rules, tuple):
        check.add(where, f"a tuple of RestartRule is expected, not {show(rules)}")
        return
    if not rules:
        return
    if container.restart_policy is None:
        check.add(f"{path}.restartPolicy", "is required where there are restartPolicyRules")
    if len(rules) > MOST_RULES:
        check.add(where, f"may not have more than {MOST_RULES} rules, not {len(rules)}")
    kind = Struct(RestartRule)
    for index, rule in enumerate(rules):
        if not check.fits(f"{where}[{index}]", kind, rule) or not isinstance(rule, RestartRule):
            continue
        values = rule.exit_codes.values
        if not 0 < len(values) <= MOST_VALUES:
            message = f"must have between 1 and {MOST_VALUES} values, not {len(values)}"
            check.add(f"{where}[{index}].exitCodes.values", message)
