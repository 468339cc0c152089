"""Pods by hand, with docker-py: the floor, which is as fast as the engine lets anybody be, and what people write."""

from __future__ import annotations

import contextlib
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import docker
from docker.errors import APIError, NotFound

from benchmarks.bench import Bench, Work
from benchmarks.contestants.base import Contestant


class ByHand(Contestant):
    """What both have in common: the engine requests, the same as pypod's in what they share."""

    def __init__(self, bench: Bench) -> None:
        super().__init__(bench)
        self.api: Any = docker.APIClient(base_url=bench.engine.url, version="auto", max_pool_size=64)

    def create_pause(self, work: Work) -> str:
        host = self.api.create_host_config(ipc_mode="shareable", network_mode=self.bench.network_id)
        made = self.api.create_container(self.bench.pause_image, host_config=host, name=f"{work.name}-pause")
        return str(made["Id"])

    def create_member(self, work: Work, pause: str, index: int) -> str:
        joined = f"container:{pause}"
        host = self.api.create_host_config(network_mode=joined, ipc_mode=joined, pid_mode=joined)
        made = self.api.create_container(
            work.image, command=list(work.command), host_config=host, name=f"{work.name}-{index}"
        )
        return str(made["Id"])

    def address(self, pause: str) -> str:
        networks = self.api.inspect_container(pause)["NetworkSettings"]["Networks"]
        return str(next(iter(networks.values()))["IPAddress"])

    def dial(self, address: str, port: int, pause: float) -> None:
        """Until somebody answers."""
        while True:
            with contextlib.suppress(OSError), socket.create_connection((address, port), timeout=1.0):
                return
            time.sleep(pause)

    def remove(self, container: str) -> None:
        with contextlib.suppress(NotFound):
            self.api.remove_container(container, force=True, v=True)


class Floor(ByHand):
    """As few engine calls as there can be, as many at once as there can be: members are created while the pause starts, started
    and removed in parallel; the pause is killed first, and all members die with it."""

    name = "floor"
    POLL = 0.01

    def __init__(self, bench: Bench) -> None:
        super().__init__(bench)
        self.threads = ThreadPoolExecutor(64)

    def up(self, work: Work) -> list[str]:
        pause = self.create_pause(work)
        start = self.threads.submit(self.api.start, pause)
        members = list(
            self.threads.map(lambda index: self.create_member(work, pause, index), range(work.members))
        )
        start.result()
        list(self.threads.map(self.api.start, members))
        if work.port:
            self.dial(self.address(pause), work.port, self.POLL)
        return [pause, *members]

    def down(self, pod: list[str], grace: float) -> None:
        pause, *members = pod
        if grace:
            list(self.threads.map(lambda each: self.api.kill(each, "SIGTERM"), members))
            list(self.threads.map(lambda each: self.api.wait(each, timeout=grace), members))
        self.api.kill(pause)
        list(self.threads.map(self.remove, pod))

    def close(self) -> None:
        self.threads.shutdown()
        self.api.close()


class Naive(ByHand):
    """One call after the other, and a look each second."""

    name = "naive"
    POLL = 1.0

    def up(self, work: Work) -> list[str]:
        pause = self.create_pause(work)
        self.api.start(pause)
        made = [pause]
        for index in range(work.members):
            made.append(self.create_member(work, pause, index))
            self.api.start(made[-1])
        if work.port:
            self.dial(self.address(pause), work.port, self.POLL)
        return made

    def down(self, pod: list[str], grace: float) -> None:
        for each in reversed(pod):
            if grace:
                with contextlib.suppress(APIError):
                    self.api.stop(each, timeout=int(grace))
            self.remove(each)

    def close(self) -> None:
        self.api.close()
