"""pypod itself: the library, as it is by default and without its wait for what ends at once; and the command line."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any, ClassVar

import pypod
from benchmarks.bench import Bench, Missing, Work, run
from benchmarks.contestants.base import Contestant


class PypodLibrary(Contestant):
    """``Pod.start`` and ``Pod.stop``. With ``min_ready_seconds=0``, so that it returns when all containers run, as the others do."""

    name = "pypod"
    min_ready_seconds: ClassVar[float] = 0.0

    def up(self, work: Work) -> pypod.Pod:
        pod = pypod.Pod(
            work.name,
            containers=[
                pypod.Container(
                    f"c{index}",
                    work.image,
                    command=work.command,
                    readiness_probe=pypod.Probe.tcp_socket(work.port) if work.port and not index else None,
                )
                for index in range(work.members)
            ],
            termination_grace_period_seconds=work.grace,
            engine=self.bench.engine,
            min_ready_seconds=self.min_ready_seconds,
        )
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

    def manifest(self, work: Work) -> dict[str, Any]:
        containers: list[dict[str, Any]] = [
            {
                "name": f"c{index}",
                "image": work.image,
                "imagePullPolicy": "IfNotPresent",
                "command": list(work.command),
                # As a Container of the library has it: without a volume for its termination message.
                "terminationMessagePath": "",
            }
            for index in range(work.members)
        ]
        if work.port:
            containers[0]["readinessProbe"] = {"tcpSocket": {"port": work.port}, "periodSeconds": 10}
        spec = {
            "shareProcessNamespace": True,
            "terminationGracePeriodSeconds": int(work.grace),
            "containers": containers,
        }
        return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": work.name}, "spec": spec}

    def up(self, work: Work) -> str:
        text = json.dumps(self.manifest(work))
        run([self.program, "up", "-d", "-f", "-"], stdin=text)
        return work.name

    def down(self, pod: str, grace: float) -> None:
        run([self.program, "down", pod, "--grace", f"{grace:g}s"])
