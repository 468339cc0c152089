"""A server that is slow to start, may fail, and says goodbye: probes and hooks, with nothing needed in its image.

python examples/05-probes-and-hooks/example.py [IMAGE]
"""

from __future__ import annotations

import sys

from pypod import Container, Hook, Lifecycle, Pod, Probe

IMAGE = sys.argv[1] if len(sys.argv) > 1 else "busybox:1.37"

# It opens its port after a second. The hook below asks for /goodbye, which httpd writes to its log.
SERVE = "mkdir /www && echo hello > /www/index.html && sleep 1 && exec httpd -f -vv -p 8080 -h /www"

server = Container(
    "server",
    IMAGE,
    command=["sh", "-c", SERVE],
    startup_probe=Probe.tcp_socket(8080, period_seconds=0.5, failure_threshold=60),
    readiness_probe=Probe.http_get("/index.html", port=8080, period_seconds=0.2, failure_threshold=1),
    liveness_probe=Probe.exec(
        ["test", "!", "-e", "/www/broken"],
        period_seconds=0.2,
        failure_threshold=1,
        timeout_seconds=10,  # that a busy machine is slow is no failure
    ),
    lifecycle=Lifecycle(pre_stop=Hook.http_get("/goodbye", port=8080)),
)

with Pod("probes-and-hooks", containers=[server], termination_grace_period_seconds=2) as pod:
    answer = pod.exec(["wget", "-qO-", f"http://{pod.ip}:8080/"], check=True)
    print(f"with returned, and the server answers: {answer.stdout.strip()}")

    pod.exec(["touch", "/www/broken"], check=True)
    pod.wait(lambda status: status.restart_count > 0)
    pod.wait("Ready")
    print(f"its liveness probe failed; restarts: {pod.status.restart_count}, and it is ready again")
    print(
        f"its last request before that: {'/goodbye' if 'url:/goodbye' in pod.logs(previous=True) else 'none'}"
    )

    for event in pod.events:
        if event.reason == "Killing":
            print(f"{event.reason}: {event.message}")
