"""What a run has to tell at its end: pods that were kept, things that were left. Workers of pytest-xdist hand theirs over."""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterable, Mapping, Sequence
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
        reason: why it stays; of one that stays for the next run, why another one was removed for it.
        until: until when it stays, Unix seconds; 0: until it is removed.
    """

    namespace: str
    name: str
    uid: str
    containers: tuple[str, ...]
    objects: tuple[str, ...]
    engine: str
    reason: str
    until: float = 0.0

    def commands(self) -> list[str]:
        """What to type to look into it, and to remove it: then nothing of it is left, and with the run's last pod its network
        goes, too."""
        where = f"{self.name} -n {self.namespace}"
        first = self.containers[0]
        return [
            f"{self._program} describe {where}",
            *(f"{self._program} logs {where} -c {each}" for each in self.containers),
            f"{self._program} exec {where} -c {first} -- sh",
            self.removal,
            *self.deletions,
        ]

    @property
    def removal(self) -> str:
        """What to type to remove it."""
        return f"{self._program} down {self.name} -n {self.namespace} --grace 0"

    @property
    def deletions(self) -> list[str]:
        """What to type to delete what came with it, once no other pod needs it."""
        words = (each.replace("/", " ", 1) for each in self.objects)
        return [f"{self._program} delete {each} -n {self.namespace}" for each in words]

    @property
    def _program(self) -> str:
        return f"pypod --host {shlex.quote(self.engine)}" if self.engine else "pypod"


@dataclass(slots=True)
class Outcome:
    """Of a run, or of one worker's part of it.

    Attributes:
        engine: whose engine was used; empty: none was.
        uids: of all pods that were started.
        kept: the pods that stay on purpose.
        problems: what could not be removed, and why.
        failed: of the pods that workers share, those that a failed test used.
        crashed: workers that handed nothing over.
    """

    engine: str = ""
    uids: list[str] = field(default_factory=list)
    kept: list[Kept] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    crashed: list[str] = field(default_factory=list)

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

    def sections(self, now: float) -> list[tuple[str, list[str]]]:
        """What the end of the run says of the pods that stay: titles, and lines.

        Args:
            now: Unix seconds.
        """
        kept = [each for each in self.kept if not each.until]
        staying = [each for each in self.kept if each.until]
        found = []
        if kept:
            found.append(("pods that were kept", _kept_lines(kept)))
        if staying:
            found.append(("pods that stay for the next run", _staying_lines(staying, now)))
        return found


def _kept_lines(kept: Iterable[Kept]) -> list[str]:
    lines = []
    for each in kept:
        lines.append(f"{each.namespace}/{each.name}: {each.reason}")
        lines += [f"  {command}" for command in each.commands()]
    return lines


def _staying_lines(staying: Sequence[Kept], now: float) -> list[str]:
    """Each with its end and what removes it before: nobody wants to look into them, as into those that failed."""
    lines = []
    for each in staying:
        left = max(0, round(each.until - now))
        at = time.strftime("%H:%M:%S", time.localtime(each.until))
        anew = f"; started anew: {each.reason}" if each.reason else ""
        lines.append(f"{each.namespace}/{each.name}: until {at}, for {left // 60}m{left % 60:02}s{anew}")
        lines.append(f"  {each.removal}")
    deletions = dict.fromkeys(command for each in staying for command in each.deletions)
    return [*lines, *(["what came with them:"] if deletions else []), *(f"  {each}" for each in deletions)]
