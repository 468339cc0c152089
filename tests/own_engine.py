"""With ``--own-engines``, each worker of pytest-xdist has a Docker Engine of its own, in a network namespace of its own.

So the tests of two workers cannot see each other's pods, nor those of anybody else on this machine: whatever is left on
an engine was left by the one test that ran there. The worker is in that namespace too, since it dials pods by address.
Its engine is made as a machine's own is, with a default network, rules and overlay2; it starts, and has the test images
out of their cache, in about 3 s.
"""

from __future__ import annotations

import ctypes
import os
import socket
import subprocess
import tempfile
import threading
from pathlib import Path

import pytest

from tests import corpus
from tests.contract.dockerd import Dockerd, cannot_run
from tests.images import build, engine_http, recipes, standins

CLONE_NEWNET = 0x40000000
PREFIX = "pp-of-"
"""Of the engines' folders: short, since they hold sockets. What follows is the worker's process ID."""
SIGNALLED = ("setpriv", "--pdeathsig", "TERM")
"""The daemon ends with its worker, and its containers with it, also where the worker is killed."""
NAME_SERVER = "192.0.2.53"
"""On this network alone; of the addresses that are nobody's (RFC 5737)."""
CHOSEN = ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH")
"""What says which engine is used."""

IS_WORKER = "PYTEST_XDIST_WORKER" in os.environ
"""As it was when this was read: who starts runs of pytest drops it, since they are no part of this one."""

_urls: list[str] = []


def is_alone() -> bool:
    """Whether nobody else uses the engine of this process: it is its own, or CI's with no other worker."""
    return bool(_urls) or ("CI" in os.environ and not IS_WORKER)


def configure(config: pytest.Config) -> None:
    """Give a worker its engine. In the process that starts workers: get what they need and cannot get.

    Raises:
        pytest.UsageError: without root, dockerd or workers.
    """
    if hasattr(config, "workerinput"):
        _start(config)
    elif why := cannot_run():
        raise pytest.UsageError(f"--own-engines: {why}")
    elif not config.getoption("numprocesses", None):
        raise pytest.UsageError("--own-engines is for the workers of pytest-xdist: say how many with -n")
    else:
        _remove_left()
        _fill_cache()


def _fill_cache() -> None:
    """A worker's network has no way out, so images that are built from packages are built before."""
    build.fill_cache(recipes.RECIPES.values())
    if not corpus.MISSING:
        standins.prepare()


def _start(config: pytest.Config) -> None:
    _enter_network()
    _serve_no_names()
    folder = Path(tempfile.gettempdir(), f"{PREFIX}{os.getpid()}")
    folder.mkdir()
    daemon = Dockerd(folder, prefix=SIGNALLED, options=("--dns", NAME_SERVER))
    config.add_cleanup(daemon.remove)
    daemon.start()
    for name in CHOSEN:
        os.environ.pop(name, None)
    os.environ["DOCKER_HOST"] = daemon.url
    engine = engine_http.find()
    assert engine is not None, daemon.url
    build.build_all(engine, list(recipes.RECIPES.values()))
    _urls.append(daemon.url)


def _enter_network() -> None:
    """This thread, and so all threads and processes that tests start. (`os.unshare` came with Python 3.12.)"""
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "cannot make a network namespace")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


def _serve_no_names() -> None:
    """Be a name server that knows no name. The engine asks it for every name that no container has; without an answer to
    that, looking up a name of two words takes a container 10 s."""
    subprocess.run(["ip", "address", "add", NAME_SERVER, "dev", "lo"], check=True)
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind((NAME_SERVER, 53))

    def answer() -> None:
        while True:
            asked, asker = server.recvfrom(4096)
            question = asked[12 : asked.index(0, 12) + 5]
            header = asked[:2] + b"\x81\x83" + b"\x00\x01" + bytes(6)  # a reply: one question, no such name
            server.sendto(header + question, asker)

    threading.Thread(target=answer, name="no-names", daemon=True).start()


def _remove_left() -> None:
    """The folders of workers that were killed: their daemons have ended, and could not take them along."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        if not Path("/proc", folder.name.removeprefix(PREFIX)).exists():
            Dockerd(folder).remove()
