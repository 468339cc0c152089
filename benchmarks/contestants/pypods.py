"""pypod itself: the library, as it is by default and without its wait for what ends at once; and the command line."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import ClassVar

import pypod
from benchmarks.bench import Bench, Missing, Work, run
from benchmarks.contestants.base import Contestant


def pod_of(bench: Bench, work: Work, min_ready_seconds: float = 0.1) -> pypod.Pod:
    """The work as a pod that was not started yet."""
    ready = pypod.Probe.tcp_socket(work.port) if work.port else None
    return pypod.Pod(
        work.name,
        containers=[
            pypod.Container(
                f"c{index}", work.image, command=work.command, readiness_probe=None if index else ready
            )
            for index in range(work.members)
        ],
        termination_grace_period_seconds=work.grace,
        engine=bench.engine,
        min_ready_seconds=min_ready_seconds,
    )


class PypodLibrary(Contestant):
    """``Pod.start`` and ``Pod.stop``. With ``min_ready_seconds=0``, so that it returns when all containers run, as the others do."""

    name = "pypod"
    min_ready_seconds: ClassVar[float] = 0.0

    def up(self, work: Work) -> pypod.Pod:
        pod = pod_of(self.bench, work, self.min_ready_seconds)
        pod.start()
        if work.port:
            pod.wait("Ready")
        return pod

    def down(self, pod: pypod.Pod, grace: float) -> None:
        pod.stop(grace=grace)


class PypodAsIs(PypodLibrary):
    """With its default: it returns when the containers have run for 0.1 s, so that it sees those that end at once."""

    name = "pypod, default"
    min_ready_seconds = 0.1


class PypodCli(Contestant):
    """``pypod up -d`` and ``pypod down``: two processes, and the same wait of 0.1 s."""

    name = "pypod CLI"

    def __init__(self, bench: Bench) -> None:
        super().__init__(bench)
        beside = Path(sys.executable).with_name("pypod")
        found = str(beside) if beside.exists() else shutil.which("pypod")
        if found is None:
            raise Missing("no program 'pypod' beside this Python")
        self.program = found

    def up(self, work: Work) -> str:
        # The library's own, so that it is the same pod: a manifest's containers have a file for their termination message by default.
        run([self.program, "up", "-d", "-f", "-"], stdin=pod_of(self.bench, work).to_manifest())
        return work.name

    def down(self, pod: str, grace: float) -> None:
        run([self.program, "down", pod, "--grace", f"{grace:g}s"])
