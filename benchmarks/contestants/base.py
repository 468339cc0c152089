"""What a contestant is."""

from __future__ import annotations

from typing import Any, ClassVar

from benchmarks.bench import Bench, Work


class Contestant:
    """Makes pods and removes them. What it needs beforehand is done in its constructor, which is not timed.

    Raises:
        Missing: it cannot take part.
    """

    name: ClassVar[str]
    is_peer: ClassVar[bool] = False
    """It is set up first: downloaded, or installed."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench

    def up(self, work: Work) -> Any:
        """Make the pod, and return when all its containers run; where the work has a port, when it knows that it is open.

        Returns:
            What `down` takes.
        """
        raise NotImplementedError

    def down(self, pod: Any, grace: float) -> None:
        """Remove all of it: stop signals, and SIGKILL after so many seconds; 0: SIGKILL at once."""
        raise NotImplementedError

    def count(self, work: Work) -> int:
        """How many containers of the pod run."""
        return len(self.bench.running(work.name))

    def close(self) -> None:
        """Remove what it needed beforehand."""
