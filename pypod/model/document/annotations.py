"""The annotations ``io.pypod/...`` of a document: what Kubernetes has no field for, written and read."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from pypod.model.schema.exact import ExactNumbers
from pypod.model.schema.paths import entry
from pypod.model.schema.reading import Reader
from pypod.model.spec.files import FILE, SpecFiles, annotations_of, is_file
from pypod.model.spec.pod import DEFAULT_TERMINATION_MESSAGE_PATH, BackoffProfile, Container, PodSpec
from pypod.model.wording import did_you_mean, show

PREFIX = "io.pypod/"
OWN_PID = f"{PREFIX}own-pid"
"""Names of the containers that stay out of a shared PID space, comma between them."""
NETWORK = f"{PREFIX}network"
EXTRA_NETWORKS = f"{PREFIX}extra-networks"
"""Names of Docker networks that the pod joins beside its own, comma between them."""
USERS = f"{PREFIX}users"
"""A JSON object, container name to `Container.user`: Kubernetes knows users by number only."""
EXACT = f"{PREFIX}exact"
"""See `pypod.model.schema.exact`."""
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
        EXTRA_NETWORKS: ",".join(spec.extra_networks),
        USERS: json.dumps(users, ensure_ascii=False) if users else "",
        NO_TERMINATION_MESSAGE: ",".join(
            container.name for container in containers if not container.termination_message_path
        ),
        RESTART_BACKOFF: "" if spec.restart_backoff is BackoffProfile.FAST else spec.restart_backoff.value,
        EXACT: json.dumps(exact) if exact else "",
    }
    return {name: value for name, value in found.items() if value} | annotations_of(spec)


class Annotations:
    """What pypod keeps where Kubernetes has no field.

    Args:
        reader: takes the problems.
        path: of the annotations.
        values: all of them.

    Attributes:
        foreign: those of others.
        exact: the numbers of the document's fields.
    """

    def __init__(self, reader: Reader, path: str, values: Mapping[str, str]) -> None:
        self._reader = reader
        self._path = path
        self._values = {name: text for name, text in values.items() if name.startswith(PREFIX)}
        self.foreign = MappingProxyType(
            {name: text for name, text in values.items() if name not in self._values}
        )
        self._files = SpecFiles(self._values)
        self._own_pid = self._names(OWN_PID)
        self._no_message = self._names(NO_TERMINATION_MESSAGE)
        self._users = self._read_users()
        self._restart_backoff = self._read_backoff()
        self.exact = ExactNumbers(self._values.get(EXACT), lambda message: self._refuse(EXACT, message))

    def _refuse(self, name: str, message: str) -> None:
        """A problem of one annotation."""
        self._reader.refuse(entry(self._path, name), message)

    def _names(self, annotation: str) -> dict[str, None]:
        """A dict for its order."""
        return dict.fromkeys(self._list(annotation))

    def _list(self, annotation: str) -> tuple[str, ...]:
        """One that is there twice too: whether it may be is not said here."""
        names = (name.strip() for name in self._values.get(annotation, "").split(","))
        return tuple(name for name in names if name)

    def _read_users(self) -> dict[str, str]:
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

    def _read_backoff(self) -> BackoffProfile:
        given = self._values.get(RESTART_BACKOFF)
        if given is None:
            return BackoffProfile.FAST
        try:
            return BackoffProfile(given)
        except ValueError:
            words = ", ".join(f"'{profile.value}'" for profile in BackoffProfile)
            self._refuse(RESTART_BACKOFF, f"{show(given)} is not supported; one of {words} is expected")
            return BackoffProfile.FAST

    def complete(self, values: Mapping[str, Any]) -> PodSpec:
        """The spec of the values that its fields have, with what the annotations say; and what is wrong with those."""
        spec = PodSpec(
            **values,
            network=self._values.get(NETWORK, ""),
            extra_networks=self._list(EXTRA_NETWORKS),
            restart_backoff=self._restart_backoff,
        )
        found = replace(
            spec,
            init_containers=tuple(self._completed(each) for each in spec.init_containers),
            containers=tuple(self._completed(each) for each in spec.containers),
            volumes=self._files.restored(spec.volumes),
        )
        self._close({container.name for container in found.all_containers})
        return found

    def _completed(self, container: Container) -> Container:
        name, path = container.name, container.termination_message_path
        if name in self._no_message:
            if path != DEFAULT_TERMINATION_MESSAGE_PATH:
                message = f"container {show(name)} has one: its terminationMessagePath is {show(path)}"
                self._refuse(NO_TERMINATION_MESSAGE, message)
            path = ""
        return replace(
            container,
            own_pid=name in self._own_pid,
            user=self._users.get(name, ""),
            termination_message_path=path,
        )

    def _close(self, containers: set[str]) -> None:
        """Refuses what means nothing: annotations of pypod that it does not know, and those about what is not there."""
        ours = (OWN_PID, NETWORK, EXTRA_NETWORKS, USERS, EXACT, NO_TERMINATION_MESSAGE, RESTART_BACKOFF)
        for number in self._files.unused:
            self._refuse(f"{FILE}{number}", "no volume has it")
        for name, problem in self._files.problems.items():
            self._refuse(name, problem)
        for name in self._values:
            if name not in ours and not is_file(name):
                self._refuse(name, "unknown annotation" + did_you_mean(name, ours))
        about: tuple[tuple[str, Iterable[str]], ...] = (
            (OWN_PID, self._own_pid),
            (USERS, self._users),
            (NO_TERMINATION_MESSAGE, self._no_message),
        )
        for annotation, names in about:
            for name in names:
                if name not in containers and not self._reader.full:
                    message = f"there is no container {show(name)}{did_you_mean(name, containers)}"
                    self._refuse(annotation, message)
        if not self._reader.problems:
            # That a field which could not be read does not fit its exact number is no second mistake.
            self.exact.close()
