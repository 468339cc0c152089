"""How the tour judges: from what was seen to yes or no. Pure, so that a test can hand it what a sabotaged pod shows."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

NOT_FOUND = re.compile(r"([\w./-]+): (?:applet )?not found")


@dataclass(frozen=True, slots=True)
class Life:
    """A container's run: when its present process started, and how often it was restarted."""

    started_at: float
    restarts: int


def lives_as_one(listed: Mapping[str, str], left: Collection[str], members: int) -> bool:
    """All of a pod was running, its pause included, and none of that is left.

    Args:
        listed: the pod's containers, name to state, while it ran.
        left: every container name on the engine afterwards.
        members: how many containers the pod has, without its pause.
    """
    all_running = len(listed) == members + 1 and all(state == "running" for state in listed.values())
    return all_running and not set(listed) & set(left)


def same_interface(views: Sequence[str], ip: str) -> bool:
    """Several members report one and the same interface, in one network namespace, with the pod's address."""
    if len(views) < 2 or not ip or any(view != views[0] for view in views):
        return False
    return bool(re.search(rf"\binet {re.escape(ip)}/", views[0])) and "net:[" in views[0]


def answers(said: str, expected: str) -> bool:
    """Exactly this came back."""
    return bool(expected) and said.strip() == expected


def address_in_use(exit_code: int, said: str) -> bool:
    """A second bind failed, and for that reason."""
    return exit_code != 0 and "address already in use" in said.lower()


def one_hostname(names: Sequence[str], expected: str) -> bool:
    return len(names) > 1 and {name.strip() for name in names} == {expected}


def semaphores(sysvipc: str) -> frozenset[tuple[str, str]]:
    """(key, id) of every System V semaphore set in a ``/proc/sysvipc/sem``."""
    rows = [line.split() for line in sysvipc.splitlines()]
    return frozenset((row[0], row[1]) for row in rows if len(row) >= 10 and row[0].lstrip("-").isdigit())


def ipc_shared(maker: str, other: str, stranger: str, word: str) -> bool:
    """What one member made is in the other's view and not in another pod's: semaphores, and the word that went
    through System V shared memory and a POSIX object (twice in the text)."""
    made = semaphores(maker)
    seen = made and made <= semaphores(other) and other.count(word) >= 2
    return bool(seen) and word not in stranger and not made & semaphores(stranger)


def sees_processes(ps: str, commands: Collection[str]) -> bool:
    """A process list shows all of these commands."""
    return all(any(command in line for line in ps.splitlines()) for command in commands)


def pause_is_first(comm: str) -> bool:
    """PID 1 is the pause."""
    return comm.strip() == "pause"


def orphan_reaped(said: str) -> bool:
    """An orphan's parent was PID 1 while it lived; afterwards it was gone, and no zombie."""
    return (
        bool(re.search(r"^PPid:\s+1$", said, re.MULTILINE))
        and said.split()[-1:] == ["gone"]
        and "zombie" not in said
    )


def sees_only_own(ps: str, own: str, foreign: Collection[str]) -> bool:
    """A process list shows this command as PID 1 and none of the others, no pause either."""
    rows = [line.split(None, 1) for line in ps.splitlines()]
    first = [row[1] for row in rows if len(row) == 2 and row[0] == "1"]
    strangers = any(command in line for line in ps.splitlines() for command in (*foreign, "/pause"))
    return len(first) == 1 and own in first[0] and not strangers


def separate_files(writer: str, other_code: int, other: str, word: str) -> bool:
    """The file is where it was written, and another member has no such file."""
    return (
        writer.strip() == word and other_code != 0 and "no such file" in other.lower() and word not in other
    )


def size_enforced(exit_code: int, said: str) -> bool:
    """A write beyond the limit failed, and for that reason."""
    return exit_code != 0 and "no space left" in said.lower()


def request_lines(log: str, word: str) -> list[str]:
    """The peers, as the server's log has them, that asked for a URL with this word."""
    pattern = rf"^\[(?:::ffff:)?([0-9a-fA-F.:]+)\]:\d+: ?url:\S*{re.escape(word)}\s*$"
    return re.findall(pattern, log, re.MULTILINE)


def source_is(log: str, word: str, ip: str) -> bool:
    """The request with this word came from this address and no other."""
    peers = request_lines(log, word)
    return bool(peers) and bool(ip) and set(peers) == {ip}


def restarted_alone(before: Mapping[str, Life], after: Mapping[str, Life], victim: str) -> bool:
    """The victim runs anew; every other container kept its start time and its count."""
    if victim not in before or before.keys() != after.keys() or len(before) < 2:
        return False
    again = after[victim].restarts > before[victim].restarts
    later = after[victim].started_at > before[victim].started_at
    return again and later and all(after[name] == life for name, life in before.items() if name != victim)


def own_streams(logs: Mapping[str, str], words: Mapping[str, str]) -> bool:
    """Each container's log has that container's word and none of the others'."""
    for name, word in words.items():
        text = logs.get(name, "")
        if word not in text or any(other in text for of, other in words.items() if of != name):
            return False
    return len(words) > 1


def collected(log: str, written: str, word: str) -> bool:
    """The collector's output has the very line that the server wrote about the request with this word."""
    lines = [line.strip() for line in written.splitlines() if word in line]
    return bool(lines) and all(line in log for line in lines)


def missing_programs(said: str) -> list[str]:
    """The programs that a shell did not find."""
    return sorted({name for name in NOT_FOUND.findall(said) if name != "sh"})
