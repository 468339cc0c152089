"""`doctor`: is this engine fit for pods, and what will be different on it."""

from __future__ import annotations

import argparse
import enum
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pypod import background
from pypod.cli import common
from pypod.engine import dial, observe, pause
from pypod.engine.api import Engine
from pypod.errors import EngineUnavailableError
from pypod.model import naming
from pypod.sweeping import why_abandoned

if TYPE_CHECKING:
    from pypod.model.wiring.state import EngineInfo

OLDEST_API = (1, 41)
PODMAN = "not Docker: detached pods and termination messages do not work (docs/engine-facts.md, Podman)"


class Mark(enum.Enum):
    """What a finding means."""

    GOOD = "✔"
    NOTE = "·"
    WARNING = "!"
    BAD = "✘"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report. `Mark.BAD`: pods cannot be had here."""

    mark: Mark
    what: str
    text: str


def doctor(args: argparse.Namespace) -> int:
    """Report; 1 when something that pods need is missing."""
    try:
        engine = common.engine(args)
        info = engine.info()
    except EngineUnavailableError as error:
        _print(Finding(Mark.BAD, "engine", str(error)))
        return common.EXIT_FAILURE
    bad = 0
    for finding in (*about_engine(engine.url, info), *about_pods(engine)):
        _print(finding)
        bad += finding.mark is Mark.BAD
    print(f"\n{bad} problem{'s' if bad > 1 else ''}: pods cannot run here" if bad else "\npods can run here")
    return common.EXIT_FAILURE if bad else 0


def _print(finding: Finding) -> None:
    print(f"{finding.mark.value} {finding.what + ':':<19} {finding.text}")


def about_engine(url: str, info: EngineInfo) -> Iterator[Finding]:
    """What the engine says of itself."""
    yield Finding(Mark.GOOD, "engine", f"{info.product} {info.version} '{info.name}' at {url}")
    if info.product != "Docker":
        yield Finding(Mark.WARNING, "product", PODMAN)
    enough = _version(info.api_version) >= OLDEST_API
    wanted = "" if enough else f"; {'.'.join(map(str, OLDEST_API))} or newer is needed (Docker 20.10)"
    yield Finding(Mark.GOOD if enough else Mark.BAD, "API", info.api_version + wanted)
    linux = info.os == "linux"
    size = f"{info.cpus} CPUs, {info.memory / 2**30:.1f} GiB, kernel {info.kernel}"
    other = "" if linux else "; pods need Linux containers"
    yield Finding(Mark.GOOD if linux else Mark.BAD, "system", f"{info.os}/{info.architecture}, {size}{other}")
    yield _pause_binary(info.architecture)
    yield Finding(Mark.NOTE, "cgroup", f"version {info.cgroup_version}")
    yield _live_restore(live=info.live_restore)
    yield Finding(Mark.NOTE, "security", ", ".join(info.security_options) or "no options")


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".") if part.isdecimal())


def _pause_binary(architecture: str) -> Finding:
    try:
        return Finding(
            Mark.GOOD, "pause image", f"{pause.reference(architecture)}, built in for {architecture}"
        )
    except LookupError:
        known = ", ".join(pause.architectures())
        return Finding(Mark.BAD, "pause image", f"none for {architecture}; there are {known}")


def _live_restore(*, live: bool) -> Finding:
    if live:
        text = "on: a daemon that restarts drops leases but not pods; the background program removes them"
        return Finding(Mark.WARNING, "live-restore", text)
    return Finding(Mark.GOOD, "live-restore", "off: a pod ends with the process that owns it (leases hold)")


def about_pods(engine: Engine) -> Iterator[Finding]:
    """What pypod has on it."""
    yield _reach(engine)
    yield _background(engine)
    found = observe.find_all(engine)
    left = [(each.key.full_name, reason) for each in found if (reason := why_abandoned(engine, each))]
    yield Finding(Mark.NOTE, "pods", f"{len(found) - len(left)} on the engine")
    if left:
        rows = "".join(f"\n{'':<22}{name}: {reason}" for name, reason in left)
        yield Finding(Mark.WARNING, "leftovers", f"{len(left)}; 'pypod sweep' removes them{rows}")
    else:
        yield Finding(Mark.GOOD, "leftovers", "none")


def _reach(engine: Engine) -> Finding:
    ours = [network for network in engine.networks() if network.labels.get(naming.NETWORK) == ""]
    if not ours:
        return Finding(Mark.NOTE, "reach", "not known yet: the first pod makes the network")
    network = ours[0]
    where = f"network '{network.name}' {', '.join(network.subnets)}"
    if dial.routes_directly(engine, network.id):
        return Finding(Mark.GOOD, "reach", f"direct: {where} is dialled from here by pod IP")
    return Finding(
        Mark.NOTE, "reach", f"relay: {where} does not route from here; address() goes through the pause"
    )


def _background(engine: Engine) -> Finding:
    try:
        is_running = background.is_running(engine)
    except OSError as error:
        return Finding(
            Mark.WARNING, "background program", f"cannot run, there is no place for its lock: {error}"
        )
    text = "running" if is_running else "not running; it is started with the first pod that needs it"
    return Finding(Mark.NOTE, "background program", text)
