"""A process that looks after many pods, each with an HTTP probe every ten seconds.

python -m benchmarks.herd NAMESPACE

Each line that it reads is a number of pods, which it grows to; it answers with a line of JSON: its memory and processor time. At the
end of its input it removes them all.
"""

from __future__ import annotations

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pypod
from benchmarks.bench import IMAGE

PORT = 8080
PERIOD = 10
WORKERS = 8
SERVE = "mkdir -p /www; echo ok > /www/index.html; exec httpd -f -p 8080 -h /www"


def pod_of(namespace: str, index: int) -> pypod.Pod:
    probe = pypod.Probe.http_get("/", port=PORT, period_seconds=PERIOD)
    web = pypod.Container("web", IMAGE, command=["sh", "-c", SERVE], readiness_probe=probe)
    name = f"{namespace}-{index}"
    return pypod.Pod(name, containers=[web], namespace=namespace, termination_grace_period_seconds=0)


def resident() -> float:
    """MB of this process' memory now."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


def main() -> None:
    namespace = sys.argv[1]
    pods: list[pypod.Pod] = []
    with ThreadPoolExecutor(WORKERS) as threads:
        try:
            for line in sys.stdin:
                wanted = [pod_of(namespace, index) for index in range(len(pods), int(line))]
                pods.extend(threads.map(lambda pod: pod.start(timeout=300), wanted))
                answer = {"pods": len(pods), "resident": resident(), "cpu": time.process_time()}
                print(json.dumps(answer), flush=True)
        finally:
            list(threads.map(lambda pod: pod.stop(grace=0), pods))


if __name__ == "__main__":
    main()
