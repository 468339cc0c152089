"""A job with an init container and a sidecar: the pod succeeds when its one real container has, and the sidecar ends with it.

python examples/04-init-and-sidecar/example.py [IMAGE]
"""

from __future__ import annotations

import sys

from pypod import Container, Pod, Probe, Volume

IMAGE = sys.argv[1] if len(sys.argv) > 1 else "busybox:1.37"

PREPARE = "echo 3 orders > /data/index.html"
SERVE = "trap 'exit 0' TERM; httpd -f -p 8080 -h /data & wait"
REPORT = "wget -qO- http://127.0.0.1:8080/"

with Pod(
    "init-and-sidecar",
    init_containers=[
        Container("prepare", IMAGE, command=["sh", "-c", PREPARE], mounts={"data": "/data"}),
        Container(
            "server",
            IMAGE,
            command=["sh", "-c", SERVE],
            mounts={"data": "/data"},
            restart_policy="Always",  # that makes it a sidecar
            startup_probe=Probe.tcp_socket(8080),  # the container below is not started before it answers
        ),
    ],
    containers=[Container("report", IMAGE, command=["sh", "-c", REPORT])],
    volumes=[Volume.empty_dir("data")],
    restart_policy="Never",
    termination_grace_period_seconds=5,
) as pod:
    status = pod.wait("Completed")
    print(f"the pod has {status.phase.value.lower()}")
    print(f"report wrote: {pod.logs('report').strip()}")

    starts = {event.container: event.at for event in pod.events if event.reason == "Started"}
    order = sorted((name for name in starts if name), key=lambda name: starts[name])
    print(f"started in this order: {', '.join(order)}")
