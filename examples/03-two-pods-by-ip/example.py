"""One pod reaches another by its IP address, and the other sees who asked. No port is published, nothing is translated.

python examples/03-two-pods-by-ip/example.py [IMAGE]
"""

from __future__ import annotations

import re
import sys
import time

from pypod import Container, Pod

IMAGE = sys.argv[1] if len(sys.argv) > 1 else "busybox:1.37"

# -vv makes busybox' httpd write the address of each client to its log.
SERVE = "mkdir /www && echo hello from b > /www/index.html && exec httpd -f -vv -p 8080 -h /www"


def source_address(server: Pod) -> str:
    """The address that the server's log has for its last client."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        found = re.findall(r"(\d+\.\d+\.\d+\.\d+)\]?:\d+: *url:", server.logs("web"))
        if found:
            return str(found[-1])
        time.sleep(0.05)
    raise SystemExit("the server logged no client")


with (
    Pod(
        "by-ip-a",
        containers=[Container("client", IMAGE, command=["sleep", "3600"])],
        termination_grace_period_seconds=0,
    ) as a,
    Pod(
        "by-ip-b",
        containers=[Container("web", IMAGE, command=["sh", "-c", SERVE], ports=[8080])],
        termination_grace_period_seconds=0,
    ) as b,
):
    ask = f"until wget -qO- http://{b.ip}:8080/; do sleep 0.1; done"
    answer = a.exec(["sh", "-c", ask], timeout=30, check=True)
    print(f"a is {a.ip}, b is {b.ip}")
    print(f"a asked {b.ip}:8080 and got: {answer.stdout.strip()}")

    seen = source_address(b)
    print(f"b saw the request come from {seen}")
    print("no NAT: that is a's own address" if seen == a.ip else "NAT: that is not a's address")

    by_name = a.exec(["wget", "-qO-", "http://by-ip-b.default:8080/"], check=True)
    print(f"by name, too: {by_name.stdout.strip()}")
