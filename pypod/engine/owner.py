"""Which process this is, and whether another one is alive: what a pod's owner label is about."""

from __future__ import annotations

import functools
import os
from pathlib import Path

from pypod.model.naming import Owner


def current_owner() -> Owner:
    """This process. Asked again after a fork, since the pid is another one then."""
    return _owner(os.getpid())


@functools.lru_cache(maxsize=4)
def _owner(pid: int) -> Owner:
    return Owner(_boot_id(), _pid_namespace(), pid, _start_time(pid) or 0)


def is_alive(owner: Owner) -> bool | None:
    """Whether the owner lives; None where this process cannot know: another boot, another PID namespace, no /proc."""
    here = current_owner()
    if not owner.boot_id or owner.boot_id != here.boot_id or owner.pid_namespace != here.pid_namespace:
        return None
    return _start_time(owner.pid) == owner.start_time


def _boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def _pid_namespace() -> int:
    try:
        return Path("/proc/self/ns/pid").stat().st_ino
    except OSError:
        return 0


def _start_time(pid: int) -> int | None:
    """Field 22 of the process' stat, clock ticks since boot; None when it does not live (a zombie does not)."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()  # the name before it may hold spaces and parentheses
    return None if fields[0] in ("Z", "X") else int(fields[19])
