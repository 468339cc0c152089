"""testcontainers-python: one DockerContainer after the other, which is how it is used."""

from __future__ import annotations

import os
from importlib.util import find_spec
from typing import Any

from benchmarks.bench import Bench, Missing, Work
from benchmarks.contestants.base import Contestant


class Testcontainers(Contestant):
    """Without Ryuk, its container that cleans up after it: its image is not there, and it would cost time."""

    name = "testcontainers"
    is_peer = True

    def __init__(self, bench: Bench) -> None:
        super().__init__(bench)
        if find_spec("testcontainers") is None:
            raise Missing("not installed: pip install testcontainers")
        os.environ["TESTCONTAINERS_RYUK_DISABLED"] = "true"
        os.environ.setdefault("DOCKER_HOST", bench.engine.url)

    def up(self, work: Work) -> list[Any]:
        from testcontainers.core.container import DockerContainer  # noqa: PLC0415 (it may be missing)
        from testcontainers.core.wait_strategies import LogMessageWaitStrategy  # noqa: PLC0415

        pause = DockerContainer(self.bench.pause_image).with_name(f"{work.name}-pause")
        pause.with_kwargs(ipc_mode="shareable", network=self.bench.network_id).start()
        joined = f"container:{pause.get_wrapped_container().id}"
        made = [pause]
        for index in range(work.members):
            member = DockerContainer(work.image).with_name(f"{work.name}-{index}")
            member.with_command(list(work.command))
            member.with_kwargs(network_mode=joined, ipc_mode=joined, pid_mode=joined)
            if work.port and not index:  # it prints a line when it opens its port
                member.waiting_for(LogMessageWaitStrategy(r"\d"))
            made.append(member.start())
        return made

    def down(self, pod: list[Any], grace: float) -> None:
        if grace:
            raise Missing("its stop is a SIGKILL, without grace")
        for each in reversed(pod):
            each.stop()
