"""What containers, and the pod as a whole, ask for and may use.

Source: pkg/apis/core/validation/validation.go, ValidateContainerResourceRequirements, validatePodResourceRequirements.
"""

from __future__ import annotations

from collections.abc import Sequence

from pypod.model.rules import allotment
from pypod.model.schema.checking import LARGEST_SIZE, Check
from pypod.model.schema.quantity import format_bytes, format_milli
from pypod.model.schema.structs import Struct
from pypod.model.spec.pod import Container, PodSpec
from pypod.model.spec.resources import MIN_MEMORY, ResourceList, Resources
from pypod.model.wording import show

TEXTS = (("cpu", format_milli), ("memory", format_bytes))


def check_resources(check: Check, path: str, resources: object) -> None:
    """Checks the resources of a container, or of the whole pod (ValidateContainerResourceRequirements)."""
    if not isinstance(resources, Resources):
        check.add(path, f"a Resources is expected, not {show(resources)}")
        return
    limits = _amounts(check, f"{path}.limits", resources.limits)
    requests = _amounts(check, f"{path}.requests", resources.requests)
    for what, text in TEXTS:
        request, limit = requests.get(what), limits.get(what)
        if request is not None and limit is not None and request > limit:
            message = f"'{text(request)}' must be less than or equal to {what} limit of {text(limit)}"
            check.add(f"{path}.requests", message)
    memory = limits.get("memory", 0)
    if 0 < memory < MIN_MEMORY:
        message = f"'{format_bytes(memory)}' is too little: an engine takes {format_bytes(MIN_MEMORY)} or more, or 0 for no"
        check.add(f"{path}.limits[memory]", f"{message} limit")


def _amounts(check: Check, path: str, amounts: object) -> dict[str, int]:
    """Those that are there and right."""
    if not isinstance(amounts, ResourceList):
        check.add(path, f"a ResourceList is expected, not {show(amounts)}")
        return {}
    found = {}
    given = (
        ("cpu", amounts.cpu, "a whole number of millicores"),
        ("memory", amounts.memory, "a whole number of bytes"),
    )
    for name, value, what in given:
        if value is None:
            continue
        amount = check.whole(f"{path}[{name}]", value, least=0, most=LARGEST_SIZE, what=what)
        if amount is not None:
            found[name] = amount
    return found


def check_pod_resources(check: Check, spec: PodSpec) -> None:
    """Checks the resources of the pod itself, and what its containers ask for against them."""
    path, resources = "spec.resources", spec.resources
    before = len(check.problems)
    check_resources(check, path, resources)
    if not resources or len(check.problems) > before:
        return
    for side, amounts in (("requests", resources.requests), ("limits", resources.limits)):
        for name in amounts.others:
            if not name.startswith("hugepages-"):
                message = f"{show(name)} is not supported for a pod; cpu, memory and hugepages-SIZE are"
                check.add(f"{path}.{side}[{name}]", message)
    groups: Sequence[tuple[str, tuple[Container, ...]]] = (
        ("spec.initContainers", spec.init_containers),
        ("spec.containers", spec.containers),
    )
    if not all(_are_containers(group) for _, group in groups):
        return  # which is told of elsewhere
    if all(check.fits(where, _KIND, each.resources) for where, group in groups for each in group):
        _against_containers(check, path, spec, groups)


_KIND = Struct(Resources)


def _are_containers(group: object) -> bool:
    return isinstance(group, list | tuple) and all(isinstance(each, Container) for each in group)


def _against_containers(
    check: Check, path: str, spec: PodSpec, groups: Sequence[tuple[str, tuple[Container, ...]]]
) -> None:
    aggregated = allotment.aggregated_requests(spec)
    for what, text in TEXTS:
        asked = getattr(allotment.effective(spec).requests, what)
        if asked is not None and asked < aggregated[what]:
            message = f"'{text(asked)}' must be greater than or equal to aggregate container requests of"
            check.add(f"{path}.requests[{what}]", f"{message} {text(aggregated[what])}")
        most = getattr(spec.resources.limits, what)
        for where, group in groups:
            for index, container in enumerate(group):
                limit = getattr(container.resources.limits, what)
                if most is not None and limit is not None and limit > most:
                    message = f"'{text(limit)}' must be less than or equal to pod limits of {text(most)}"
                    check.add(f"{where}[{index}].resources.limits[{what}]", message)
