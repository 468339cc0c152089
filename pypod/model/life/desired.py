"""What a pod should be."""

from __future__ import annotations

from dataclasses import dataclass

from pypod.model.life import restarts
from pypod.model.life.restarts import Backoff
from pypod.model.naming import PodIdentity
from pypod.model.spec.pod import PodSpec


@dataclass(frozen=True, slots=True)
class Desired:
    """A spec, and which pod of whom it is."""

    spec: PodSpec
    identity: PodIdentity

    @property
    def backoff(self) -> Backoff:
        """The figures by which its containers are restarted."""
        return restarts.PROFILES[self.spec.restart_backoff]
