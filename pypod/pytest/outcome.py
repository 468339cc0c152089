"""What a run has to tell at its end: pods that were kept, things that were left. Workers of pytest-xdist hand theirs over."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Kept:
    """A pod that stays after the run.

    Attributes:
        namespace, name, uid: which.
        containers: its members' names.
        objects: what came with it, and stays with it: ``configmap/settings`` ...
        engine: where, as ``pypod --host`` takes it; empty: the default engine.
        reason: why it stays.
    """

    namespace: str
    name: str
    uid: str
    containers: tuple[str, ...]
    objects: tuple[str, ...]
    engine: str
    reason: str

    def commands(self) -> list[str]:
        """What to type to look into it, and to remove it: then nothing of it is left, and with the run's last pod its network
        goes, too."""
        program = f"pypod --host {shlex.quote(self.engine)}" if self.engine else "pypod"
        where = f"{self.name} -n {self.namespace}"
        first = self.containers[0]
        return [
            f"{program} describe {where}",
            *(f"{program} logs {where} -c {each}" for each in self.containers),
            f"{program} exec {where} -c {first} -- sh",
            f"{program} down {where} --grace 0",
            *(f"{program} delete {' '.join(each.split('/'))} -n {self.namespace}" for each in self.objects),
        ]


@dataclass(slots=True)
class Outcome:
    """Of a run, or of one worker's part of it.

    Attributes:
        engine: whose engine was used; empty: none was.
        uids: of all pods that were started.
        kept: the pods that stay on purpose.
        problems: what could not be removed, and why.
        failed: of the pods that workers share, those that a failed test used.
    """

    engine: str = ""
    uids: list[str] = field(default_factory=list)
    kept: list[Kept] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    def encode(self) -> dict[str, Any]:
        """In the plain values that pytest-xdist carries."""
        kept = [asdict(each) for each in self.kept]
        return {
            "engine": self.engine,
            "uids": self.uids,
            "kept": kept,
            "problems": self.problems,
            "failed": self.failed,
        }

    def add(self, encoded: Mapping[str, Any]) -> None:
        """What a worker handed over."""
        self.engine = self.engine or encoded["engine"]
        self.uids += encoded["uids"]
        self.problems += encoded["problems"]
        self.failed += encoded["failed"]
        self.kept += [Kept(**each) for each in encoded["kept"]]

    def kept_lines(self) -> list[str]:
        """What the end of the run says of the pods that stay."""
        lines = []
        for each in self.kept:
            lines.append(f"{each.namespace}/{each.name}: {each.reason}")
            lines += [f"  {command}" for command in each.commands()]
        return lines
