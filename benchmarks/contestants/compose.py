"""Docker Compose: a `pause` service, and members with `network_mode: service:`."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

from benchmarks import peers
from benchmarks.bench import NETWORK, Bench, Work, run
from benchmarks.contestants.base import Contestant

CHECK = "import socket, sys; socket.create_connection(('127.0.0.1', int(sys.argv[1])), 1)"


class Compose(Contestant):
    """On the network that is there, so that it need not make one; its health check asks four times a second."""

    name = "compose"
    is_peer = True

    def __init__(self, bench: Bench) -> None:
        super().__init__(bench)
        self.program = peers.compose()
        self.version = run([self.program, "version", "--short"]).strip()
        self.folder = Path(tempfile.mkdtemp(prefix="pypod-bench-"))

    def project(self, work: Work) -> dict[str, Any]:
        shared = "service:pause"
        member = {
            "image": work.image,
            "command": list(work.command),
            "pull_policy": "never",
            "network_mode": shared,
            "ipc": shared,
            "pid": shared,
        }
        services: dict[str, Any] = {f"c{index}": dict(member) for index in range(work.members)}
        if work.port:
            test = ["CMD", "python3", "-c", CHECK, str(work.port)]
            services["c0"]["healthcheck"] = {"test": test, "interval": "250ms", "retries": 1000}
        services["pause"] = {
            "image": self.bench.pause_image,
            "pull_policy": "never",
            "ipc": "shareable",
            "networks": ["pods"],
        }
        return {"services": services, "networks": {"pods": {"name": NETWORK, "external": True}}}

    def up(self, work: Work) -> tuple[str, str]:
        file = self.folder / f"{work.name}.json"  # JSON is YAML
        file.write_text(json.dumps(self.project(work)))
        pod = (work.name, str(file))
        self._compose(pod, "up", "-d", *(["--wait"] if work.port else []))
        return pod

    def down(self, pod: tuple[str, str], grace: float) -> None:
        self._compose(pod, "down", "-t", str(int(grace)))

    def _compose(self, pod: tuple[str, str], *words: str) -> None:
        name, file = pod
        run([self.program, "-p", name, "-f", file, *words], env={"DOCKER_HOST": self.bench.engine.url})

    def close(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
