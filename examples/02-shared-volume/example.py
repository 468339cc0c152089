"""A main container and a sidecar share a volume: one writes a log file, the other reads it.

python examples/02-shared-volume/example.py [IMAGE]
"""

from __future__ import annotations

import sys

from pypod import Container, Pod, Volume

IMAGE = sys.argv[1] if len(sys.argv) > 1 else "busybox:1.37"

WRITE = "n=0; while true; do n=$((n+1)); echo order $n >> /var/log/app/orders.log; sleep 0.2; done"
COLLECT = "exec tail -n +1 -F /logs/orders.log 2>/dev/null"

with Pod(
    "shared-volume",
    containers=[
        Container("app", IMAGE, command=["sh", "-c", WRITE], mounts={"logs": "/var/log/app"}),
        Container("collector", IMAGE, command=["sh", "-c", COLLECT], mounts={"logs": "/logs"}),
    ],
    volumes=[Volume.empty_dir("logs", medium="Memory", size_limit=1024 * 1024)],
    termination_grace_period_seconds=1,
) as pod:
    for count, line in enumerate(pod.logs("collector", follow=True), 1):
        print(f"collector | {line.strip()}")
        if count == 3:
            break

    where = pod.exec(["grep", " /logs ", "/proc/mounts"], "collector", check=True)
    print(f"the volume is in memory: {where.stdout.split()[2]}")
