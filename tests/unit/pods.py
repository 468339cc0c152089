"""Pods as an engine and a journal show them, for tests of what is planned: short builders, and one row of a table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from pypod.model import naming
from pypod.model.life import planner
from pypod.model.life.desired import Desired
from pypod.model.life.history import History
from pypod.model.life.journal import Entry, Hooked, Probed, Signalled, Started, Stopping
from pypod.model.life.plan import Plan
from pypod.model.naming import Owner, PodIdentity, PodKey
from pypod.model.spec.pod import Container, PodSpec, RestartPolicy
from pypod.model.wiring.state import (
    ContainerInfo,
    ContainerState,
    ImageInfo,
    NetworkInfo,
    PodObservation,
)

NOW = 1000.0
KEY = PodKey("default", "shop", "0123456789abcdef")
IDENTITY = PodIdentity(KEY, Owner("boot", 1, 2, 3), leased=True)
NETWORK = NetworkInfo("net-1", "pypod", "bridge", ("10.214.0.0/20",), naming.network_labels(""))
HERE = {name: ImageInfo(f"sha256:{name}", (name,)) for name in ("nginx:1", "busybox:1")}
BASE = PodSpec("shop", (Container("web", "nginx:1"), Container("log", "busybox:1")))
ALWAYS, ON_FAILURE, NEVER = RestartPolicy.ALWAYS, RestartPolicy.ON_FAILURE, RestartPolicy.NEVER


# what is seen


def pause(attempt: int = 0, **more: object) -> ContainerInfo:
    """A sandbox that runs, unless more is said."""
    info = ContainerInfo(
        id=f"pause-{attempt}",
        name=naming.pause_name(KEY, attempt),
        labels=naming.pause_labels(IDENTITY.labels, attempt, "{}", ""),
        state=ContainerState.RUNNING,
        image="pypod/pause:1",
        created_at=NOW - 100,
        started_at=NOW - 100,
        addresses={NETWORK.id: "10.214.0.2"},
    )
    return replace(info, **more)  # type: ignore[arg-type]


def member(name: str, attempt: int = 0, sandbox: int = 0, **more: object) -> ContainerInfo:
    """A member that runs, unless more is said. ``sandbox``: the attempt of its pause."""
    info = ContainerInfo(
        id=f"{name}-{attempt}",
        name=naming.member_name(KEY, name, attempt),
        labels=naming.member_labels(IDENTITY.labels, name, attempt, sandbox),
        state=ContainerState.RUNNING,
        image="sha256:1",
        created_at=NOW - 100,
        started_at=NOW - 100,
    )
    return replace(info, **more)  # type: ignore[arg-type]


def debugger(name: str) -> ContainerInfo:
    """An ephemeral container that runs."""
    labels = naming.member_labels(IDENTITY.labels, name, 0, 0, naming.Role.EPHEMERAL)
    return member(name, labels=labels)


def dead(info: ContainerInfo, code: int = 1, ago: float = 0.0) -> ContainerInfo:
    return replace(info, state=ContainerState.EXITED, exit_code=code, finished_at=NOW - ago, addresses={})


def made(info: ContainerInfo, **more: object) -> ContainerInfo:
    """Created, never started."""
    info = replace(info, state=ContainerState.CREATED, started_at=None, addresses={})
    return replace(info, **more)  # type: ignore[arg-type]


def seen(*infos: ContainerInfo, **more: object) -> PodObservation:
    """What the engine has, newest first, with network, images and pause image there."""
    members: dict[str, tuple[ContainerInfo, ...]] = {}
    for info in infos:
        if not naming.is_pause(info.labels):
            members[info.container] = (*members.get(info.container, ()), info)
    found = PodObservation(
        key=KEY,
        at=NOW,
        pauses=tuple(info for info in infos if naming.is_pause(info.labels)),
        members=members,
        network=NETWORK,
        taken_subnets=NETWORK.subnets,
        images=HERE,
        pause_image="pypod/pause:1",
        pause_image_present=True,
    )
    return replace(found, **more)  # type: ignore[arg-type]


DELETING = pause(name=naming.deleting_name(KEY, 0, NOW + 30))
BOTH_RUN = (pause(), member("web"), member("log"))


# what is told


def told(*entries: Entry) -> History:
    history = History()
    for entry in entries:
        history = history.apply(entry)
    return history


def started(name: str, attempt: int = 0, *, step: int = 0, sandbox: int = 0) -> Entry:
    return Started(NOW - 100, name, attempt, step, sandbox)


def hooked(name: str, hook: str, outcome: str, attempt: int = 0) -> Entry:
    return Hooked(NOW - 5, name, attempt, hook, outcome)


def probed(name: str, probe: str, passed: bool, attempt: int = 0) -> Entry:
    return Probed(NOW - 5, name, attempt, probe, passed)


def stopping(name: str, reason: str, *, ago: float = 5.0, left: float = 25.0, attempt: int = 0) -> Entry:
    """It began so many seconds ago, and its grace ends so many from now."""
    return Stopping(NOW - ago, name, attempt, NOW + left, reason)


def signalled(name: str, ago: float = 5.0, attempt: int = 0) -> Entry:
    return Signalled(NOW - ago, name, attempt)


# what is planned


def short(plan: object) -> str:
    """A plan as it prints, with the names of engine things cut to what tells them apart."""
    return str(plan).replace("pypod_default_shop_01234567_", "").replace("pypod_default_shop_", "")


def policy(value: RestartPolicy) -> Callable[[PodSpec], PodSpec]:
    return lambda spec: replace(spec, restart_policy=value)


@dataclass(frozen=True)
class Case:
    """A row: what was seen and told, and what is planned. `spec` changes the base pod."""

    observed: PodObservation
    plan: str
    due: float | None = None
    waiting: str = ""
    spec: Callable[[PodSpec], PodSpec] = field(default=lambda spec: spec)
    history: History = field(default_factory=History)
    pulling: frozenset[str] = frozenset()

    def run(self) -> Plan:
        desired = Desired(self.spec(BASE), IDENTITY)
        return planner.plan_sync(desired, self.observed, self.history, NOW, self.pulling)

    def check(self) -> None:
        """The plan is as the row says, and can be walked from its first step to its last."""
        plan = self.run()
        assert short(plan) == self.plan
        assert plan.due == self.due
        assert plan.waiting == self.waiting
        for index, step in enumerate(plan.steps):
            assert all(before < index for before in step.after)
            assert step.action.cause
