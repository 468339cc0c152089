"""The annotations ``io.pypod/...`` of a document: what Kubernetes has no field for, written and read."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from pypod.model.document_fields import Fields, Reader
from pypod.model.exact import ExactNumbers
from pypod.model.spec import BackoffProfile, PodSpec
from pypod.model.wording import did_you_mean, show

PREFIX = "io.pypod/"
OWN_PID = f"{PREFIX}own-pid"
"""Names of the containers that stay out of a shared PID space, comma between them."""
NETWORK = f"{PREFIX}network"
USERS = f"{PREFIX}users"
"""A JSON object, container name to `Container.user`: Kubernetes knows users by number only."""
EXACT = f"{PREFIX}exact"
"""See `pypod.model.exact`."""
NO_TERMINATION_MESSAGE = f"{PREFIX}no-termination-message"
"""Names of the containers without a message file, comma between them: in Kubernetes each has one."""
RESTART_BACKOFF = f"{PREFIX}restart-backoff"
"""A `BackoffProfile`."""


def to_annotations(spec: PodSpec, exact: Mapping[str, float]) -> dict[str, str]:
    """What the spec has that Kubernetes has no field for.

    Args:
        spec: the pod.
        exact: field path to number, where the fields hold them rounded.
    """
    containers = spec.all_containers
    users = {container.name: container.user for container in containers if container.user}
    found = {
        OWN_PID: ",".join(container.name for container in containers if container.own_pid),
        NETWORK: spec.network,
        USERS: json.dumps(users, ensure_ascii=False) if users else "",
        NO_TERMINATION_MESSAGE: ",".join(
            container.name for container in containers if not container.termination_message_path
        ),
        RESTART_BACKOFF: "" if spec.restart_backoff is BackoffProfile.FAST else spec.restart_backoff.value,
        EXACT: json.dumps(exact) if exact else "",
    }
    return {name: value for name, value in found.items() if value}


class Annotations:
    """What pypod keeps where Kubernetes has no field.

    Attributes:
        own_pid, no_message: names of containers; a dict for its order.
        users: container name to user.
        exact: the numbers of the document's fields.
    """

    def __init__(self, reader: Reader, metadata: Fields) -> None:
        self._reader = reader
        self._path = metadata.at("annotations")
        self._values = metadata.text_mapping("annotations")
        self.own_pid = self._names(OWN_PID)
        self.no_message = self._names(NO_TERMINATION_MESSAGE)
        self.network = self._values.get(NETWORK, "")
        self.users = self._users()
        self.restart_backoff = self._restart_backoff()
        self.exact = ExactNumbers(reader, f"{self._path}[{EXACT}]", self._values.get(EXACT))

    def refuse(self, name: str, message: str) -> None:
        """A problem of one annotation."""
        self._reader.refuse(f"{self._path}[{name[:320]}]", message)

    def _names(self, annotation: str) -> dict[str, None]:
        names = (name.strip() for name in self._values.get(annotation, "").split(","))
        return dict.fromkeys(name for name in names if name)

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
        self.refuse(USERS, f"a JSON object of container name to user is expected, not {show(given)}")
        return {}

    def _restart_backoff(self) -> BackoffProfile:
        given = self._values.get(RESTART_BACKOFF)
        if given is None:
            return BackoffProfile.FAST
        try:
            return BackoffProfile(given)
        except ValueError:
            words = ", ".join(f"'{profile.value}'" for profile in BackoffProfile)
            self.refuse(RESTART_BACKOFF, f"{show(given)} is not supported; one of {words} is expected")
            return BackoffProfile.FAST

    def close(self, containers: set[str]) -> None:
        """Refuses what means nothing: foreign annotations, and those of pypod about what is not there."""
        ours = (OWN_PID, NETWORK, USERS, EXACT, NO_TERMINATION_MESSAGE, RESTART_BACKOFF)
        for name in self._values:
            if not name.startswith(PREFIX):
                self.refuse(name, f"is not supported yet; only annotations {PREFIX}* are")
            elif name not in ours:
                self.refuse(name, "unknown annotation" + did_you_mean(name, ours))
        about: tuple[tuple[str, Iterable[str]], ...] = (
            (OWN_PID, self.own_pid),
            (USERS, self.users),
            (NO_TERMINATION_MESSAGE, self.no_message),
        )
        for annotation, names in about:
            for name in names:
                if name not in containers and not self._reader.full:
                    message = f"there is no container {show(name)}{did_you_mean(name, containers)}"
                    self.refuse(annotation, message)
        if not self._reader.problems:
            # That a field which could not be read does not fit its exact number is no second mistake.
            self.exact.close()
