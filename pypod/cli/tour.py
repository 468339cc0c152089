"""The tour's frame: the pods that the claims share, how a claim runs what it shows, and what it comes to."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pypod import Container, Pod, PypodError, Volume
from pypod.cli.tour_checks import Life, missing_programs
from pypod.model.life.status import Running

if TYPE_CHECKING:
    from pypod.engine.api import Engine

PORT = 8080
MEMORY_LIMIT = 1024 * 1024
EXEC_TIMEOUT = 30.0
BEGIN_TIMEOUT = 15.0
"""Seconds that a container's program has to begin."""
START_TIMEOUT = 60.0

SERVER = """
mkdir -p /www /logs
echo "hello from {pod}" > /www/index.html
echo "hello from {pod}" > /www/greet
echo "an order" > /www/order
echo "web of {pod} starts"
command -v httpd > /dev/null && exec httpd -f -vv -p 8080 -h /www >> /logs/access.log 2>&1
exec sleep 86400
"""
SERVES = f"! command -v httpd > /dev/null || wget -qO /dev/null http://127.0.0.1:{PORT}/"
COLLECTOR = 'echo "collector starts"; touch /logs/access.log; exec tail -f /logs/access.log'
WORKER = 'echo "worker starts"; exec sleep 3600'


@dataclass(frozen=True, slots=True)
class Shell:
    """A script's end: exit code and both outputs, stdout first."""

    code: int
    stdout: str
    stderr: str

    @property
    def said(self) -> str:
        return self.stdout + self.stderr


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a claim was judged by.

    Attributes:
        commands: what was run.
        seen: what came of it, short.
        ok: computed from that.
    """

    commands: tuple[str, ...]
    seen: tuple[str, ...]
    ok: bool


@dataclass
class Tour:
    """One run of the tour: an engine, an image, and the two pods that most claims look at.

    ``tour-a`` shares PIDs and has a web server, a log collector and a worker; ``tour-b`` does not share PIDs.
    """

    engine: Engine
    image: str
    namespace: str = field(default_factory=lambda: f"demo-{secrets.token_hex(2)}")
    pods: dict[str, Pod] = field(default_factory=dict)
    commands: list[str] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)

    # --- the pods

    def container(self, name: str, script: str, **options: object) -> Container:
        """A member that runs a shell script in the tour's image."""
        command = ["sh", "-c", script]
        mounts = options.get("mounts")
        return Container(
            name,
            self.image,
            command=command,
            image_pull_policy="IfNotPresent",
            mounts=mounts if isinstance(mounts, dict) else {},
        )

    def pod(
        self, name: str, *containers: Container, volumes: tuple[Volume, ...] = (), pid: bool = True
    ) -> Pod:
        """A pod of the tour; not started."""
        return Pod(
            name,
            containers=list(containers),
            volumes=list(volumes),
            namespace=self.namespace,
            share_process_namespace=pid,
            termination_grace_period_seconds=0,
            engine=self.engine,
        )

    def start(self) -> None:
        """Start both pods at the same time."""
        shared = {"logs": "/logs", "cache": "/cache"}
        volumes = (
            Volume.empty_dir("logs"),
            Volume.empty_dir("cache", medium="Memory", size_limit=MEMORY_LIMIT),
        )
        self.pods["a"] = self.pod(
            "tour-a",
            self.container("web", SERVER.format(pod="tour-a"), mounts=shared),
            self.container("collector", COLLECTOR, mounts=shared),
            self.container("worker", WORKER, mounts={"cache": "/cache"}),
            volumes=volumes,
        )
        web = self.container("web", SERVER.format(pod="tour-b"))
        self.pods["b"] = self.pod("tour-b", web, self.container("worker", WORKER), pid=False)
        with ThreadPoolExecutor(len(self.pods)) as pool:
            for started in [pool.submit(pod.start, timeout=START_TIMEOUT) for pod in self.pods.values()]:
                started.result()
        for pod in self.pods:
            self.await_begun(f"{pod}/web", SERVES)
            self.await_begun(f"{pod}/worker", "pidof sleep")
        self.await_begun("a/collector", "pidof tail")

    def stop(self) -> None:
        """Remove both pods, at the same time; the first failure is raised once all were tried."""
        pods, self.pods = list(self.pods.values()), {}
        if pods:
            with ThreadPoolExecutor(len(pods)) as pool:
                ends = [pool.submit(pod.stop, grace=0) for pod in pods]
            for end in ends:
                end.result()

    # --- what a claim does

    def sh(self, where: str, script: str) -> Shell:
        """Run a script in a member, ``a/web``, and keep it for the report."""
        pod, _, member = where.partition("/")
        live = self.pods[pod]
        self.commands.append(f"{live.name}/{member} $ {script.strip()}")
        result = live.exec(["sh", "-c", script], container=member, timeout=EXEC_TIMEOUT)
        shell = Shell(result.exit_code, result.stdout, result.stderr)
        for program in missing_programs(shell.said):
            self.saw(f"{where}: the image has no '{program}'")
        return shell

    def await_begun(self, where: str, script: str) -> None:
        """Until a script in a member succeeds: a container runs before its program does. Where it never will (the image has not
        what it takes), the claims tell of that."""
        pod, _, member = where.partition("/")
        end = time.monotonic() + BEGIN_TIMEOUT
        while time.monotonic() < end:
            try:
                done = self.pods[pod].exec(["sh", "-c", script], container=member, timeout=EXEC_TIMEOUT)
            except PypodError:  # it has ended, and is restarted or not
                return
            if done.exit_code in (0, 127):  # 127: there is no such program
                return
            time.sleep(0.05)

    def ran(self, text: str) -> None:
        """Say something that was run which is no command in a member."""
        self.commands.append(text)

    def saw(self, text: str) -> None:
        """Say something that was seen."""
        self.seen.extend(" ".join(line.split()) for line in text.strip().splitlines())

    def lives(self, pod: str) -> dict[str, Life]:
        """Every running container's start and restarts, as the engine has it now."""
        status = self.pods[pod].refresh()
        return {
            each.name: Life(each.state.started_at or 0.0, each.restart_count)
            for each in status.container_statuses
            if isinstance(each.state, Running)
        }

    def wait_restart(self, pod: str, member: str, before: Life, timeout: float = 60.0) -> dict[str, Life]:
        """The lives once the member runs anew; whatever they are when that does not come in time."""
        end = time.monotonic() + timeout
        while True:
            lives = self.lives(pod)
            back = member in lives and lives[member].restarts > before.restarts
            if back or time.monotonic() > end:
                return lives
            time.sleep(0.05)


@dataclass(frozen=True, slots=True)
class Claim:
    """One thing that pypod says about its pods.

    Attributes:
        number: as everywhere in the documents.
        title: the claim.
        explanation: why it matters, in one line.
        check: runs, sees (it tells the tour) and judges.
        alone: it needs none of the shared pods.
    """

    number: int
    title: str
    explanation: str
    check: Callable[[Tour], bool]
    alone: bool = False

    def run(self, tour: Tour) -> Evidence:
        """Prove it. What goes wrong on the way is seen, and disproves it."""
        tour.commands, tour.seen = [], []
        try:
            ok = self.check(tour)
        except PypodError as error:
            tour.saw(str(error))
            ok = False
        return Evidence(tuple(tour.commands), tuple(tour.seen), ok)


def run_claims(tour: Tour, claims: list[Claim]) -> Generator[tuple[Claim, Evidence], None, None]:
    """Prove these, one after the other. No pod is left when the iteration is over or closed."""
    try:
        if not all(claim.alone for claim in claims):
            tour.start()
        for claim in claims:
            yield claim, claim.run(tour)
    finally:
        tour.stop()
