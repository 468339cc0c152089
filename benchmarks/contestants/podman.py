"""Podman: `podman kube play`."""

from __future__ import annotations

import json
import subprocess

from benchmarks import peers
from benchmarks.bench import IMAGE, Bench, Missing, Work
from benchmarks.contestants.base import Contestant


class Podman(Contestant):
    """With storage, configuration and network namespace of its own: this machine's are left alone. Its pause image is its own, too,
    and its network is made before the first round."""

    name = "podman"
    is_peer = True

    def __init__(self, bench: Bench) -> None:
        super().__init__(bench)
        self.podman = peers.Podman()
        try:
            saved = subprocess.run(
                ["docker", "-H", bench.engine.url, "save", IMAGE], capture_output=True, check=True
            )
            self.podman.run("load", data=saved.stdout)
            self.version = self.podman.run("version", "--format", "{{.Client.Version}}").strip()
            first = Work(bench.name(), members=1)
            self.down(self.up(first), 0)
        except (OSError, subprocess.CalledProcessError, RuntimeError) as error:
            self.podman.close()
            raise Missing(f"it cannot run here: {str(error)[-300:]}") from error

    def up(self, work: Work) -> str:
        if work.port:
            raise Missing("kube play knows no readiness")
        members = [
            {
                "name": f"c{index}",
                "image": f"localhost/{work.image}",
                "imagePullPolicy": "Never",
                "command": list(work.command),
            }
            for index in range(work.members)
        ]
        spec = {
            "shareProcessNamespace": True,
            "terminationGracePeriodSeconds": int(work.grace),
            "containers": members,
        }
        document = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": work.name}, "spec": spec}
        self.podman.run("kube", "play", "-", data=json.dumps(document).encode())
        return work.name

    def down(self, pod: str, grace: float) -> None:
        if grace:
            self.podman.run("pod", "stop", "-t", str(int(grace)), pod)
        self.podman.run("pod", "rm", "-f", "-t", str(int(grace)), pod)

    def count(self, work: Work) -> int:
        names = self.podman.run("ps", "--filter", f"pod={work.name}", "--format", "{{.ID}}")
        return len(names.split())

    def close(self) -> None:
        self.podman.close()
