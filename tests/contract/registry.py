"""A registry on this machine, so that a pull can succeed: Debian's docker-registry, on a free port, without TLS (which an
engine takes from 127.0.0.0/8)."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

PROGRAM = "docker-registry"
PUBLISHED = "pypod-test/published:1"
PATIENCE = 20.0


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Its address; what is pushed lies in the folder."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    config = {
        "version": 0.1,
        "log": {"level": "error", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(folder / "data")}},
        "http": {"addr": address, "secret": "none"},
    }
    (folder / "config.yml").write_text(json.dumps(config))  # JSON is YAML
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([PROGRAM, "serve", folder / "config.yml"], stdout=log, stderr=log)
    try:
        _wait(address, process, folder)
        yield address
    finally:
        process.terminate()
        process.wait(PATIENCE)


def _wait(address: str, process: subprocess.Popen[bytes], folder: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"http://{address}/v2/", timeout=1):
            return
        time.sleep(0.05)
    raise AssertionError(f"{PROGRAM} does not answer: {(folder / 'log').read_text()}")
