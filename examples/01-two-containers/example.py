"""Two containers of one pod talk over localhost.

python examples/01-two-containers/example.py [IMAGE]
"""

from __future__ import annotations

import sys

from pypod import Container, Pod

IMAGE = sys.argv[1] if len(sys.argv) > 1 else "busybox:1.37"

SERVE = "mkdir /www && echo hello from the server > /www/index.html && exec httpd -f -p 8080 -h /www"
ASK = "until wget -qO- http://127.0.0.1:8080/; do sleep 0.1; done"

with Pod(
    "two-containers",
    containers=[
        Container("server", IMAGE, command=["sh", "-c", SERVE], ports=[8080]),
        Container("client", IMAGE, command=["sleep", "3600"]),
    ],
    termination_grace_period_seconds=1,
) as pod:
    answer = pod.exec(["sh", "-c", ASK], "client", timeout=30, check=True)
    print(f"the client asked 127.0.0.1:8080 and got: {answer.stdout.strip()}")

    hostnames = {name: pod.exec(["hostname"], name).stdout.strip() for name in ("server", "client")}
    print(f"hostnames: {hostnames}")

    files = pod.exec(["ls", "/www"], "client")
    print(f"the server's files, seen from the client: {files.stderr.strip()}")
