"""A Docker Engine of a test's own, which may be stopped and killed: its own data, socket, containerd and network namespace,
so that it leaves the first engine's bridge and rules alone. (Beside that one, ``--bridge none`` deletes its ``docker0``:
moby daemon/daemon_unix.go, removeDefaultBridgeInterface; seen on 20.10.)"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from pypod.engine.docker_engine import DockerEngine
from pypod.errors import EngineUnavailableError

PATIENCE = 90.0


def cannot_run() -> str:
    """Why there can be none here; empty: there can."""
    if shutil.which("dockerd") is None:
        return "there is no dockerd here"
    return "" if os.geteuid() == 0 else "a dockerd of its own needs root"


BARE = ("--bridge", "none", "--iptables=false", "--ip-forward=false", "--storage-driver", "vfs")
"""Quick to start and to stop: no default network, no rules, no file system that stays mounted."""


class Dockerd:
    """Its sockets' paths are short: the folder's must be.

    Args:
        folder: is its own, and goes with it.
        prefix: the words of a command that becomes the daemon, in a network namespace of its own.
        options: of the daemon, at every start.
    """

    def __init__(
        self,
        folder: Path,
        *,
        prefix: Sequence[str] = ("unshare", "--net"),
        options: Sequence[str] = BARE,
    ) -> None:
        self.url = f"unix://{folder}/sock"
        self._folder = folder
        self._prefix = prefix
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *extra: str) -> None:
        """And wait until it answers.

        Args:
            extra: more options of the daemon, this time.
        """
        folder = self._folder
        (folder / "pid").unlink(missing_ok=True)
        options: list[str | Path] = [
            "--data-root",
            folder / "data",
            "--exec-root",
            folder / "exec",
            "--pidfile",
            folder / "pid",
        ]
        options += ["-H", self.url, *self._options]
        with (folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*self._prefix, "dockerd", *options, *extra],
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._wait_for_answer()

    def stop(self, number: int = signal.SIGTERM) -> None:
        """And wait until it is gone."""
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(PATIENCE)
            self._process = None
        self._end_containerd()

    def remove(self) -> None:
        """With all that a killed one leaves."""
        self.stop()
        for process in self._processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        mounts = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
        for mount in reversed(mounts):
            if mount.startswith(f"{self._folder}/"):
                subprocess.run(["umount", "-l", mount], check=True)
        shutil.rmtree(self._folder)

    def _processes(self) -> list[int]:
        """What was started with this folder among its words: containerd, and the shims of containers."""
        found = []
        for entry in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                if str(self._folder) in entry.read_text():
                    found.append(int(entry.parent.name))
        return found

    def _end_containerd(self) -> None:
        """It goes with its dockerd; a new dockerd that finds its pid, be it a zombie's, waits for it in vain."""
        pid_file = self._folder / "exec" / "containerd" / "containerd.pid"
        deadline = time.monotonic() + PATIENCE
        while pid_file.exists() and int(pid_file.read_text()) in self._processes():
            assert time.monotonic() < deadline, "containerd does not end"
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid_file.read_text()), signal.SIGTERM)
            time.sleep(0.1)
        pid_file.unlink(missing_ok=True)

    def _wait_for_answer(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and self._process is not None and self._process.poll() is None:
            engine = DockerEngine(self.url)
            try:
                engine.ping()
            except EngineUnavailableError:
                time.sleep(0.1)
                continue
            finally:
                engine.close()
            return
        raise AssertionError(f"no dockerd of our own: {(self._folder / 'log').read_text()[-2000:]}")
