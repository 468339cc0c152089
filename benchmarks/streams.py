"""A process that follows a log, or copies files, of one pod; it says how long that took and how its memory grew.

python -m benchmarks.streams logs|in|out NAMESPACE NAME [BYTES|SOURCE|TARGET]

It reads a line from its standard input before it begins, so that the start of Python is not in the figures.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pypod


def peak() -> float:
    """MB. Not `resource.getrusage`: its figure is at least that of the process that began this one."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def follow(pod: pypod.Pod, size: str) -> int:
    """Until so many bytes have come, line ends included."""
    left = wanted = int(size)
    for block in pod.log_blocks(follow=True):
        left -= sum(map(len, block)) + len(block)
        if left <= 0:
            break
    return wanted - left


def copy_in(pod: pypod.Pod, source: str) -> int:
    pod.copy_to(source, "/copied")
    return 0


def copy_out(pod: pypod.Pod, target: str) -> int:
    pod.copy_from("/copied", target)
    return 0


WORK: dict[str, Callable[[pypod.Pod, str], int]] = {"logs": follow, "in": copy_in, "out": copy_out}


def main() -> None:
    kind, namespace, name, argument = sys.argv[1:]
    pod = pypod.get(name, namespace)
    print(flush=True)
    sys.stdin.readline()
    before, cpu, begun = peak(), time.process_time(), time.perf_counter()
    done = WORK[kind](pod, argument)
    took, cpu = time.perf_counter() - begun, time.process_time() - cpu
    print(json.dumps({"took": took, "cpu": cpu, "bytes": done, "before": before, "peak": peak()}))


if __name__ == "__main__":
    main()
