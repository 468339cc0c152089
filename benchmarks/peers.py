"""The peers that are no Python packages: what is on PATH, else out of Debian's packages, in a folder of the user's cache.

Nothing is installed: `apt-get` downloads, with lists of its own, and `dpkg-deb` unpacks. A second run finds all in place.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.bench import Missing

MIRROR = "http://deb.debian.org/debian"
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
COMPOSE_SUITE = "trixie"
"""The oldest release with Compose 2; its program needs no library but the C one."""


def compose() -> str:
    """The path of Compose 2's program.

    Raises:
        Missing: there is none, and none can be had.
    """
    for place in (shutil.which("docker-compose"), "/usr/libexec/docker/cli-plugins/docker-compose"):
        if place and Path(place).exists() and _says_two(place):
            return place
    tree = unpacked(COMPOSE_SUITE, ["docker-compose"], needs=False)
    found = [path for path in tree.rglob("docker-compose") if path.is_file() and os.access(path, os.X_OK)]
    if not found or not _says_two(str(found[0])):
        raise Missing("Debian's docker-compose does not run here")
    return str(found[0])


def _says_two(program: str) -> bool:
    said = subprocess.run([program, "version", "--short"], capture_output=True, text=True, check=False)
    return said.returncode == 0 and not said.stdout.lstrip("v").startswith("1.")


def unpacked(suite: str, packages: list[str], *, needs: bool = True) -> Path:
    """A tree of what is in Debian packages.

    Args:
        suite: the release's name.
        packages: which.
        needs: also those that they depend on and that this machine does not have.

    Raises:
        Missing: no apt-get here, or no such package to be had.
    """
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pypod" / "bench-peers"
    tree = base / f"{suite}-{'-'.join(packages)}"
    if (tree / ".complete").exists():
        return tree
    if shutil.which("apt-get") is None or not Path(KEYRING).exists():
        raise Missing("it is not installed, and no Debian package can be had without apt-get")
    shutil.rmtree(tree, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix="pypod-apt-") as folder:
        try:
            _unpack(Path(folder), suite, packages, tree, needs=needs)
        except (OSError, subprocess.SubprocessError) as error:
            words = getattr(error, "stderr", b"") or str(error).encode()
            raise Missing(f"it cannot be downloaded: {words.decode(errors='replace')[-300:]}") from error
    (tree / ".complete").touch()
    return tree


def _unpack(folder: Path, suite: str, packages: list[str], tree: Path, *, needs: bool) -> None:
    archives = folder / "cache" / "archives"
    for each in (folder / "lists" / "partial", archives / "partial", tree):
        each.mkdir(parents=True)
    (folder / "list").write_text(f"deb [signed-by={KEYRING}] {MIRROR} {suite} main\n")
    options = {
        "Dir::State::lists": folder / "lists",
        "Dir::Cache": folder / "cache",
        "Dir::Etc::sourcelist": folder / "list",
        "Dir::Etc::sourceparts": "-",
        "Debug::NoLocking": 1,
        "APT::Sandbox::User": "root",
    }
    apt = ["apt-get", "-q", *(word for key, value in options.items() for word in ("-o", f"{key}={value}"))]
    subprocess.run([*apt, "update"], capture_output=True, check=True, timeout=120)
    wanted = ["-y", "--download-only", "--no-install-recommends", "install"] if needs else ["download"]
    subprocess.run([*apt, *wanted, *packages], capture_output=True, check=True, timeout=300, cwd=archives)
    for package in archives.glob("*.deb"):
        subprocess.run(["dpkg-deb", "-x", package, tree], capture_output=True, check=True)


class Podman:
    """Podman with everything of its own: its images and containers in a folder that goes, its network in a namespace that goes.

    What it is told is what Podman 4.3 needs where limits cannot be raised (in a container) and cgroups are hybrid.

    Raises:
        Missing: it is not there and cannot be had; or this user is not root.
    """

    PACKAGES = ("podman", "netavark", "aardvark-dns", "catatonit")

    def __init__(self) -> None:
        if os.geteuid() != 0:
            raise Missing("its network namespace needs root")
        installed = shutil.which("podman")
        tree = Path("/") if installed else unpacked(_suite(), list(self.PACKAGES))
        self._folder = Path(tempfile.mkdtemp(prefix="pypod-podman-"))
        self._env = self._configure(tree)
        self._holder = subprocess.Popen(
            ["unshare", "--net", "sh", "-c", "ip link set lo up; echo; exec sleep infinity"],
            stdout=subprocess.PIPE,
        )
        assert self._holder.stdout is not None
        self._holder.stdout.readline()
        self._program = installed or str(tree / "usr/bin/podman")

    def _configure(self, tree: Path) -> dict[str, str]:
        home = self._folder / "home/.config/containers"
        home.mkdir(parents=True)
        (home / "policy.json").write_text(json.dumps({"default": [{"type": "insecureAcceptAnything"}]}))
        (self._folder / "storage.conf").write_text(
            f'[storage]\ndriver = "overlay"\ngraphroot = "{self._folder}/data"\nrunroot = "{self._folder}/run"\n'
        )
        (self._folder / "containers.conf").write_text(
            "[containers]\n"
            'default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]\n'
            f'init_path = "{tree}/usr/bin/catatonit"\n'
            'seccomp_profile = ""\n'
            "[engine]\n"
            'runtime = "runc"\n'
            'cgroup_manager = "cgroupfs"\n'
            'events_logger = "file"\n'
            f'conmon_path = ["{tree}/usr/bin/conmon"]\n'
            f'helper_binaries_dir = ["{tree}/usr/lib/podman", "{tree}/usr/bin"]\n'
            "[network]\n"
            'network_backend = "netavark"\n'
            f'network_config_dir = "{self._folder}/networks"\n'
        )
        libraries = [str(path) for path in tree.glob("usr/lib/*-linux-gnu")] if tree != Path("/") else []
        return {
            **os.environ,
            "HOME": str(self._folder / "home"),
            "CONTAINERS_CONF": str(self._folder / "containers.conf"),
            "CONTAINERS_STORAGE_CONF": str(self._folder / "storage.conf"),
            "CONTAINERS_REGISTRIES_CONF": "/dev/null",
            "LD_LIBRARY_PATH": ":".join(libraries),
        }

    def run(self, *words: str, data: bytes | None = None) -> str:
        """What it prints.

        Raises:
            RuntimeError: it failed.
        """
        inside = ["nsenter", f"--net=/proc/{self._holder.pid}/ns/net", "--", self._program]
        done = subprocess.run(
            [*inside, *words],
            env=self._env,
            input=data,
            stdin=subprocess.DEVNULL if data is None else None,
            capture_output=True,
            check=False,
            timeout=120,
        )
        if done.returncode != 0:
            raise RuntimeError(f"podman {words[0]}: {done.stderr.decode(errors='replace')[-300:]}")
        return done.stdout.decode()

    def close(self) -> None:
        """Everything of it goes.

        Raises:
            RuntimeError: a container was left, and nothing else has gone wrong before.
        """
        interrupted = sys.exc_info()[0] is not None
        try:
            left = self.run("ps", "-aq").split()
            self.run("pod", "rm", "-fa", "-t", "0")
            if left:
                raise RuntimeError(f"podman: {len(left)} containers were left")
        except RuntimeError:
            if not interrupted:
                raise
        finally:
            self._holder.terminate()
            self._holder.wait()
            assert self._holder.stdout is not None
            self._holder.stdout.close()
            subprocess.run(["umount", "-q", f"{self._folder}/data/overlay"], check=False)
            shutil.rmtree(self._folder, ignore_errors=True)


def _suite() -> str:
    """The name of this machine's Debian release.

    Raises:
        Missing: it is none.
    """
    try:
        lines = Path("/etc/os-release").read_text().splitlines()
    except OSError:
        lines = []
    release = dict(line.split("=", 1) for line in lines if "=" in line)
    if release.get("ID") != "debian" or "VERSION_CODENAME" not in release:
        raise Missing("it is not installed, and this is not Debian")
    return release["VERSION_CODENAME"].strip('"')
