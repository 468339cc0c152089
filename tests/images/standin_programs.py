"""The programs of the stand-in images, as text: each does what a well-known image's own program does, as far as its pages show it."""

from __future__ import annotations

import hashlib
import zlib

SERVE = '''\
#!/usr/bin/python3
"""Answers HTTP: `serve PORT [TEXT] [-text=TEXT]`; health paths with ok, every other with the text.

After DELAY_STARTUP seconds, if given; then it leaves /tmp/random-generator-ready where it may.
"""
import contextlib
import http.server
import os
import pathlib
import signal
import sys
import time

HEALTH = ("/healthy", "/ready", "/healthz", "/actuator/health")
port, words = int(sys.argv[1]), sys.argv[2:]
text = next((w[len("-text="):] for w in words if w.startswith("-text=")), " ".join(words))


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = ("ok" if self.path in HEALTH else text).encode() + b"\\n"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
time.sleep(float(os.environ.get("DELAY_STARTUP", "0")))
server = http.server.ThreadingHTTPServer(("", port), Handler)
with contextlib.suppress(OSError):
    pathlib.Path("/tmp/random-generator-ready").touch()
print("listening on", port, flush=True)
server.serve_forever()
'''

STRESS = '''\
#!/usr/bin/python3
"""Takes memory and time as polinux/stress (--vm 1 --vm-bytes 150M --vm-hang 1) and vish/stress (-cpus 2 -mem-total 150Mi) do."""
import multiprocessing
import sys
import time

UNITS = {"K": 10, "M": 20, "G": 30}


def size(text):
    text = text.rstrip("iB")
    return int(text[:-1]) << UNITS[text[-1]] if text[-1] in UNITS else int(text)


def take(amount):
    held = bytearray(amount)
    held[::4096] = b"x" * len(held[::4096])
    print("allocated", amount, flush=True)
    while True:
        time.sleep(1)


def spin():
    while True:
        pass


words = sys.argv[1:]
given = {word.lstrip("-"): value for word, value in zip(words[::2], words[1::2])}
amount = given.get("vm-bytes") or given.get("mem-total")
workers = [multiprocessing.Process(target=spin) for _ in range(int(given.get("cpus") or given.get("cpu") or 0))]
if amount:
    copies = int(given.get("vm", 1))
    workers += [multiprocessing.Process(target=take, args=(size(amount),)) for _ in range(copies)]
print("stress:", len(workers), "workers", flush=True)
for worker in workers:
    worker.start()
for worker in workers:
    worker.join()
    if worker.exitcode:
        print("stress: FAIL: a worker was killed", file=sys.stderr, flush=True)
        sys.exit(1)
'''

PAUSE = """\
#!/bin/sh
# Does nothing until it is told to end.
trap 'exit 0' INT TERM
while :; do sleep 1000 & wait $!; done
"""

PRINTENV = """\
#!/bin/sh
# A variable's value a line, of those that are there. Debian's busybox has no printenv.
found=0
[ $# -gt 0 ] || exec env
for name; do
    env | grep -q "^$name=" || found=1
    env | sed -n "s/^$name=//p"
done
exit $found
"""

PROGRAMS = {"serve": SERVE, "stress": STRESS, "pause": PAUSE}

GIT_CONFIG = """\
[safe]
    directory = *
[url "/srv/git/"]
    insteadOf = https://github.com/mdn/
"""
"""A clone of anything there is one of the repository below."""


def repository(page: str) -> dict[str, bytes]:
    """A bare git repository with one commit, of one page: its files by path."""
    files = {
        "HEAD": b"ref: refs/heads/main\n",
        "config": b"[core]\n\trepositoryformatversion = 0\n\tbare = true\n",
    }

    def put(kind: str, data: bytes) -> str:
        whole = f"{kind} {len(data)}\0".encode() + data
        name = hashlib.sha1(whole, usedforsecurity=False).hexdigest()
        files[f"objects/{name[:2]}/{name[2:]}"] = zlib.compress(whole)
        return name

    blob = put("blob", page.encode())
    tree = put("tree", b"100644 index.html\0" + bytes.fromhex(blob))
    who = "pypod <pypod@example.com> 0 +0000"
    commit = put("commit", f"tree {tree}\nauthor {who}\ncommitter {who}\n\nA page\n".encode())
    files["refs/heads/main"] = f"{commit}\n".encode()
    return files
