"""Build the test images out of the host's own Debian or Ubuntu packages and load them into the engine.

    python tests/images/build.py                  what is missing or out of date
    python tests/images/build.py nginx redis      these only
    python tests/images/build.py --force          again from the packages

Standard library only, no root needed. `apt-get` (as the host has it configured: mirrors, proxies, keys) finds and
downloads a package and all that it depends on, against an empty list of installed packages; `dpkg-deb` opens them;
the file system is put together in memory as one tar layer; the engine takes it as `docker load` does. The same
packages give the same image ID. An archive is kept in `${XDG_CACHE_HOME:-~/.cache}/pypod/test-images`, so that the next
engine has the images in a second or two.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import io
import json
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

if __package__ in (None, ""):  # run as a script: make `tests.images` importable
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.images.engine_http import Engine, EngineRefused, EngineUnreachable, find
from tests.images.recipes import RECIPES, Recipe

LABEL = "io.pypod.test-recipe"
KEEP_ARCHIVES = 30 * 24 * 3600.0

# What a program does not need to run.
STRIPPED = (
    "etc/init.d/",
    "etc/systemd/",
    "usr/lib/systemd/",
    "usr/lib/udev/",
    "usr/share/bash-completion/",
    "usr/share/bug/",
    "usr/share/doc/",
    "usr/share/info/",
    "usr/share/lintian/",
    "usr/share/locale/",
    "usr/share/man/",
    "usr/share/zoneinfo/",
)
MERGED = {"bin": "usr/bin", "sbin": "usr/sbin", "lib": "usr/lib", "lib64": "usr/lib64"}
ARCHITECTURES = {
    "x86_64": "amd64",
    "aarch64": "arm64",
    "armv7l": "arm",
    "ppc64le": "ppc64le",
    "s390x": "s390x",
}

INSTALLED = "Package: {}\nStatus: install ok installed\nArchitecture: all\nMulti-Arch: foreign\nVersion: 9999\nMaintainer: none\nDescription: none\n\n"
APP = ("app", 1000)  # the unprivileged user of every image
NSSWITCH = "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\nservices: files\nprotocols: files\n"


class BuildFailed(Exception):
    """An image cannot be built here; the message says why."""


def log(text: str) -> None:
    print(f"test images: {text}", file=sys.stderr, flush=True)


# --- what an image is known by ---------------------------------------------------------------------------------------


def fingerprint(recipe: Recipe) -> str:
    """Names the outcome: the recipe, the code that follows it, the distribution and the architecture."""
    digest = hashlib.sha256()
    for source in ("build.py", "recipes.py"):
        digest.update(Path(__file__).with_name(source).read_bytes())
    try:
        system = platform.freedesktop_os_release()
    except OSError:  # not Linux: an image cannot be built here, but one may be there
        system = {}
    digest.update(
        f"{recipe.name} {system.get('ID')} {system.get('VERSION_ID')} {platform.machine()}".encode()
    )
    return digest.hexdigest()[:32]


def is_current(engine: Engine, recipe: Recipe) -> bool:
    known = engine.image(recipe.reference)
    config = known.get("Config") if known else None
    labels = config.get("Labels") if isinstance(config, dict) else None
    return isinstance(labels, dict) and labels.get(LABEL) == fingerprint(recipe)


# --- packages --------------------------------------------------------------------------------------------------------


def download(packages: Sequence[str], work: Path, never: Iterable[str] = ()) -> list[Path]:
    """The .deb files of these packages and of everything they depend on, as the host's apt has them.

    Args:
        packages: by name.
        work: a folder for them.
        never: packages that apt is told are there, in whatever version is asked for.
    """
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        raise BuildFailed("the test images are made from Debian packages: apt-get and dpkg-deb are needed")
    archives = work / "archives"
    (archives / "partial").mkdir(parents=True)
    (work / "status").write_text("".join(INSTALLED.format(name) for name in sorted(never)))
    options: dict[str, Path | str] = {
        "Dir::State::status": work / "status",
        "Dir::State::extended_states": work / "extended_states",
        "Dir::Cache::archives": archives,
        "Dir::Cache::pkgcache": "",
        "Dir::Cache::srcpkgcache": "",
        "APT::Install-Recommends": "false",
        "APT::Sandbox::User": "root",
        "Acquire::Retries": "3",
    }
    install = ["install", "--download-only", "--yes", *packages]
    first = _apt(install, options)
    if first.returncode != 0:
        # No package lists, or old ones: fetch lists of our own, the host's stay as they are.
        lists = work / "lists"
        (lists / "partial").mkdir(parents=True)
        options |= {"Dir::State::lists": lists}
        for arguments in (["update"], install):
            outcome = _apt(arguments, options)
            if outcome.returncode != 0:
                raise BuildFailed(f"apt-get {' '.join(arguments)} failed:\n{outcome.stdout.strip()}")
    return sorted(archives.glob("*.deb"))


def _apt(arguments: Sequence[str], options: dict[str, Path | str]) -> subprocess.CompletedProcess[str]:
    command = ["apt-get", "-q"]
    for key, value in options.items():
        command += ["-o", f"{key}={value}"]
    return subprocess.run(
        [*command, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        env={**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"},
    )


# --- the file system -------------------------------------------------------------------------------------------------


class RootFs:
    """A file system in memory: the entries of one tar layer by path, each with a fixed time stamp.

    /bin, /sbin and /lib are links into /usr, as in today's Debian, whatever the packages still say.
    """

    def __init__(self) -> None:
        self._entries: dict[str, tuple[tarfile.TarInfo, bytes]] = {}
        for old, new in MERGED.items():
            self.add_directory(new)
            self.add_link(old, new)

    def __contains__(self, path: str) -> bool:
        return self._place(path) in self._entries

    def read(self, path: str) -> bytes:
        return self._entries[self._place(path)][1]

    def _place(self, path: str) -> str:
        parts = PurePosixPath(path.lstrip("/")).parts
        if len(parts) > 1 and parts[0] in MERGED:
            parts = (MERGED[parts[0]], *parts[1:])
        return str(PurePosixPath(*parts))

    def add_package(self, deb: Path, recipe: Recipe) -> None:
        """What is in a package, but for what no image needs and what the recipe leaves out."""
        unpacked = subprocess.run(
            ["dpkg-deb", "--fsys-tarfile", str(deb)], capture_output=True, check=True
        ).stdout
        with tarfile.open(fileobj=io.BytesIO(unpacked)) as archive:
            for member in archive:
                path = str(PurePosixPath(member.name))
                place = self._place(path)
                if path == "." or path in MERGED or not _is_wanted(place, recipe):
                    continue
                source = archive.extractfile(member) if member.isfile() else None
                if member.islnk():
                    member.linkname = self._place(member.linkname)
                self._add(place, member, source.read() if source else b"")

    def add_directory(self, path: str, mode: int = 0o755, owner: int = 0) -> None:
        entry = tarfile.TarInfo()
        entry.type, entry.mode = tarfile.DIRTYPE, mode
        entry.uid = entry.gid = owner
        self._add(path, entry)

    def add_file(self, path: str, content: str | bytes, mode: int = 0o644) -> None:
        data = content.encode() if isinstance(content, str) else content
        entry = tarfile.TarInfo()
        entry.mode, entry.size = mode, len(data)
        self._add(path, entry, data)

    def add_link(self, path: str, target: str) -> None:
        entry = tarfile.TarInfo()
        entry.type, entry.mode, entry.linkname = tarfile.SYMTYPE, 0o777, target
        self._add(path, entry)

    def link_programs(self, folders: str) -> None:
        """Make commands of what is in folders that a pattern names."""
        for place in list(self._entries):
            if PurePosixPath(place).parent.match(folders):
                self.add_link(f"usr/bin/{PurePosixPath(place).name}", f"/{place}")

    def _add(self, path: str, entry: tarfile.TarInfo, data: bytes = b"") -> None:
        place = self._place(path)
        for parent in reversed(PurePosixPath(place).parents[:-1] if "/" in place else []):
            if str(parent) not in self._entries:
                self.add_directory(str(parent))
        entry.name, entry.mtime, entry.pax_headers = place, 0, {}
        self._entries[place] = (entry, data)

    def layer(self) -> bytes:
        """The tar archive. Hard links come last, after what they link to."""
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as archive:
            for _, (entry, data) in sorted(
                self._entries.items(), key=lambda item: (item[1][0].islnk(), item[0])
            ):
                archive.addfile(entry, io.BytesIO(data))
        return out.getvalue()


def _is_wanted(place: str, recipe: Recipe) -> bool:
    if recipe.only:
        return place in recipe.only
    left_out = f"{place}/".startswith(STRIPPED) or any(fnmatchcase(place, each) for each in recipe.skip)
    return not left_out or place in recipe.keep


def assemble(recipe: Recipe, debs: Iterable[Path]) -> bytes:
    """The layer that a recipe describes."""
    root = RootFs()
    for path, mode, owner in (
        ("root", 0o700, 0),
        ("run", 0o755, 0),
        ("tmp", 0o1777, 0),
        ("home/app", 0o755, APP[1]),
    ):
        root.add_directory(path, mode, owner)
    for deb in debs:
        if deb.name.split("_")[0] not in recipe.without:
            root.add_package(deb, recipe)
    if recipe.linked:
        root.link_programs(recipe.linked)
    if recipe.busybox:
        _add_busybox(root)
    users = (("root", 0), *recipe.users, APP, ("nobody", 65534))
    homes = {"root": "/root", "app": "/home/app"}
    root.add_file("etc/passwd", "".join(f"{n}:x:{i}:{i}::{homes.get(n, '/')}:/bin/sh\n" for n, i in users))
    root.add_file("etc/group", "".join(f"{n}:x:{i}:\n" for n, i in users))
    root.add_file("etc/nsswitch.conf", NSSWITCH)
    for path, mode in recipe.directories.items():
        root.add_directory(path, mode)
    for path, content in recipe.files.items():
        root.add_file(path, content)
    for path, content in recipe.programs.items():
        root.add_file(path, content, 0o755)
    for path, target in recipe.links.items():
        root.add_link(path, target)
    return root.layer()


def _add_busybox(root: RootFs) -> None:
    """One link for every applet that no package brings as a program of its own."""
    with tempfile.TemporaryDirectory() as scratch:
        program = Path(scratch) / "busybox"
        program.write_bytes(root.read("usr/bin/busybox"))
        program.chmod(0o755)
        applets = subprocess.run(
            [program, "--list"], capture_output=True, text=True, check=True
        ).stdout.split()
    for applet in applets:
        if f"usr/bin/{applet}" not in root and f"usr/sbin/{applet}" not in root:
            root.add_link(f"usr/bin/{applet}", "busybox")


# --- the image -------------------------------------------------------------------------------------------------------


def image_archive(recipe: Recipe, layer: bytes) -> bytes:
    """The archive that `docker load` takes: a configuration, one layer and a manifest."""
    config: dict[str, object] = {
        "architecture": ARCHITECTURES.get(platform.machine(), platform.machine()),
        "os": "linux",
        "created": "1970-01-01T00:00:00Z",
        "config": {
            "Cmd": list(recipe.command),
            "Entrypoint": list(recipe.entrypoint) or None,
            "Env": [
                "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                *(f"{name}={value}" for name, value in recipe.env.items()),
            ],
            "WorkingDir": recipe.workdir,
            "ExposedPorts": {f"{port}/tcp": {} for port in recipe.ports},
            "Labels": {LABEL: fingerprint(recipe)},
            **({"StopSignal": recipe.stop_signal} if recipe.stop_signal else {}),
        },
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
        "history": [{"created": "1970-01-01T00:00:00Z", "created_by": "pypod tests/images/build.py"}],
    }
    config_json = json.dumps(config, sort_keys=True).encode()
    config_name = f"{hashlib.sha256(config_json).hexdigest()}.json"
    manifest = [{"Config": config_name, "RepoTags": [recipe.reference], "Layers": ["layer.tar"]}]
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name, data in (
            ("manifest.json", json.dumps(manifest).encode()),
            (config_name, config_json),
            ("layer.tar", layer),
        ):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), 0o644
            archive.addfile(entry, io.BytesIO(data))
    return out.getvalue()


def cache_folder() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "pypod" / "test-images"


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """One builder at a time: a second one waits and then finds everything in place."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def make_archive(recipe: Recipe, *, force: bool) -> tuple[bytes, str]:
    """The archive of an image, from the cache or from the packages, and where it came from."""
    kept = cache_folder() / f"{recipe.name}-{fingerprint(recipe)}.tar"
    if kept.exists() and not force:
        kept.touch()
        return kept.read_bytes(), "from the cache"
    with tempfile.TemporaryDirectory(prefix="pypod-image-") as work:
        archive = image_archive(recipe, assemble(recipe, download(recipe.packages, Path(work), recipe.never)))
    partial = kept.with_suffix(".partial")
    partial.write_bytes(archive)
    partial.replace(kept)
    return archive, "from packages"


def fill_cache(recipes: Iterable[Recipe]) -> None:
    """Have the archives of these, for an engine to come."""
    with locked(cache_folder()):
        for recipe in recipes:
            make_archive(recipe, force=False)


def forget_old_archives() -> None:
    for archive in cache_folder().glob("*.tar"):
        if time.time() - archive.stat().st_mtime > KEEP_ARCHIVES:
            archive.unlink()


def put(engine: Engine, recipe: Recipe, archive: bytes) -> None:
    """Load an image, and remove the one that bore its name before."""
    before = engine.image(recipe.reference)
    engine.load(archive)
    after = engine.image(recipe.reference)
    if before and after and before["Id"] != after["Id"]:
        try:
            engine.remove_image(str(before["Id"]))
        except EngineRefused as refused:  # a container still runs it
            log(f"the former {recipe.reference} stays: {refused}")


def build(engine: Engine, recipe: Recipe, *, force: bool) -> None:
    began = time.monotonic()
    archive, origin = make_archive(recipe, force=force)
    put(engine, recipe, archive)
    log(f"{recipe.reference} {origin}, {len(archive) / 1e6:.0f} MB, {time.monotonic() - began:.1f} s")


def build_all(engine: Engine, recipes: Sequence[Recipe], *, force: bool = False) -> None:
    with locked(cache_folder()):
        wanted = [recipe for recipe in recipes if force or not is_current(engine, recipe)]
        if not wanted:
            log(f"up to date: {', '.join(recipe.reference for recipe in recipes)}")
            return
        with ThreadPoolExecutor(max_workers=2) as pool:
            for outcome in [pool.submit(build, engine, recipe, force=force) for recipe in wanted]:
                outcome.result()
        forget_old_archives()


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description="Build the test images from Debian packages and load them.", allow_abbrev=False
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(RECIPES)} (default: all)")
    parser.add_argument("--force", action="store_true", help="build again from the packages")
    options = parser.parse_args(arguments)
    if unknown := [name for name in options.names if name not in RECIPES]:
        parser.error(f"no such image: {', '.join(unknown)}; there are {', '.join(RECIPES)}")
    began = time.monotonic()
    try:
        engine = find()
        if engine is None:
            raise EngineUnreachable(
                "no Docker Engine answers; start one, or run scripts/test, which installs one"
            )
        build_all(engine, [RECIPES[name] for name in options.names or RECIPES], force=options.force)
    except (BuildFailed, EngineUnreachable, EngineRefused) as error:
        log(str(error))
        return 1
    log(f"ready in {time.monotonic() - began:.1f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
