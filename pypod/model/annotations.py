"""The annotations ``io.pypod/...`` of a document: what Kubernetes has no field for, written and read."""

from __future__ import annotations

import json
import math

from pypod.model.document_fields import Fields, Reader
from pypod.model.spec import PodSpec
from pypod.model.wording import did_you_mean, show

PREFIX = "io.pypod/"
OWN_PID = f"{PREFIX}own-pid"
"""Names of the containers that stay out of a shared PID space, comma between them."""
NETWORK = f"{PREFIX}network"
USERS = f"{PREFIX}users"
"""A JSON object, container name to `Container.user`: Kubernetes knows users by number only."""
GRACE = f"{PREFIX}termination-grace-period-seconds"
"""Only for a grace period that is not a whole number of seconds, which Kubernetes' field cannot say."""


def to_annotations(spec: PodSpec) -> dict[str, str]:
    """What the spec has that Kubernetes has no field for."""
    found = {}
    if own_pid := [container.name for container in spec.containers if container.own_pid]:
        found[OWN_PID] = ",".join(own_pid)
    if spec.network:
        found[NETWORK] = spec.network
    if users := {container.name: container.user for container in spec.containers if container.user}:
        found[USERS] = json.dumps(users, ensure_ascii=False)
    if spec.termination_grace_period_seconds != math.ceil(spec.termination_grace_period_seconds):
        found[GRACE] = repr(float(spec.termination_grace_period_seconds))
    return found


class Annotations:
    """What pypod keeps where Kubernetes has no field."""

    def __init__(self, reader: Reader, metadata: Fields) -> None:
        self._reader = reader
        self._path = metadata.at("annotations")
        self._values = metadata.text_mapping("annotations")
        own_pid = (name.strip() for name in self._values.get(OWN_PID, "").split(","))
        self.own_pid = dict.fromkeys(name for name in own_pid if name)
        self.network = self._values.get(NETWORK, "")
        self.users = self._users()

    def _refuse(self, name: str, message: str) -> None:
        self._reader.refuse(f"{self._path}[{name[:320]}]", message)

    def _users(self) -> dict[str, str]:
        given = self._values.get(USERS)
        if given is None:
            return {}
        try:
            value = json.loads(given)
        except (ValueError, RecursionError):
            value = None
        if isinstance(value, dict) and all(isinstance(user, str) for user in value.values()):
            return value
        self._refuse(USERS, f"a JSON object of container name to user is expected, not {show(given)}")
        return {}

    def grace(self, default: float) -> float:
        """The grace period in full, where the field next to it holds it rounded up."""
        given = self._values.get(GRACE)
        if given is None:
            return default
        try:
            value = float(given)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            self._refuse(GRACE, f"a number of seconds is expected, not {show(given)}")
            return default
        if math.ceil(value) != default:
            self._refuse(GRACE, f"{show(given)} is not what terminationGracePeriodSeconds says, {default:g}")
        return value

    def close(self, containers: set[str]) -> None:
        """Refuses what means nothing: foreign annotations, and those of pypod about containers that are not there."""
        ours = (OWN_PID, NETWORK, USERS, GRACE)
        for name in self._values:
            if not name.startswith(PREFIX):
                self._refuse(name, f"is not supported yet; only annotations {PREFIX}* are")
            elif name not in ours:
                self._refuse(name, "unknown annotation" + did_you_mean(name, ours))
        for annotation, names in ((OWN_PID, self.own_pid), (USERS, self.users)):
            for name in names:
                if name not in containers and not self._reader.full:
                    self._refuse(
                        annotation, f"there is no container {show(name)}{did_you_mean(name, containers)}"
                    )
