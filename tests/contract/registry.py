"""A registry on this machine, so that a pull can succeed: Debian's docker-registry, on a free port, without TLS (which an
engine takes from 127.0.0.0/8)."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

PROGRAM = "docker-registry"
PUBLISHED = "pypod-test/published:1"
PATIENCE = 20.0
USER, PASSWORD = "me", "hush-hush"
_KNOWN = "me:$2b$05$abcdefghijklmnopqrstuu4uoW5CdSDmY8cLkib7pLDRBlvRVo8Pe\n"
"""Of an htpasswd file: the hash is bcrypt's."""


@contextlib.contextmanager
def serving(folder: Path, *, private: bool = False) -> Iterator[str]:
    """Its address; what is pushed lies in the folder. A private one asks for `USER` and `PASSWORD`."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    config: dict[str, object] = {
        "version": 0.1,
        "log": {"level": "error", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(folder / "data")}},
        "http": {"addr": address, "secret": "none"},
    }
    if private:
        (folder / "htpasswd").write_text(_KNOWN)
        config["auth"] = {"htpasswd": {"realm": "test", "path": str(folder / "htpasswd")}}
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
        try:
            with urllib.request.urlopen(f"http://{address}/v2/", timeout=1):
                return
        except urllib.error.HTTPError as answer:
            answer.close()
            if answer.code == 401:
                return
        except OSError:
            pass
        time.sleep(0.05)
    raise AssertionError(f"{PROGRAM} does not answer: {(folder / 'log').read_text()}")
