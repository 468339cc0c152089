"""Images that stand for those that well-known manifests ask for, under the names that they ask for.

Never for an engine that somebody else uses: these names are the real images', which an engine may have. They are made of
Debian packages as the test images are, and of the programs in `standin_programs`; all but nginx, redis and busybox share their layers.
"""

from __future__ import annotations

import hashlib
import io
import json
import platform
import tarfile
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.images import build, recipes, standin_programs
from tests.images.recipes import Recipe

PAGE = "<h1>A page from the repository</h1>\n"

GROUPS = "root:x:0:\napp:x:1000:\nnobody:x:65534:\ngroup-in-image:x:50000:app\n"
"""User 1000 is in one of them beside his own."""

BASE = Recipe(
    name="standins",
    packages=(*recipes.TOOLS.packages, "bash", "ca-certificates", "git", "socat"),
    without=recipes.TOOLS.without,
    command=("sh",),
)


@dataclass(frozen=True)
class StandIn:
    """One image of the base.

    Attributes:
        names: what manifests call it.
        config: beside that, as an image's configuration has it.
    """

    names: tuple[str, ...]
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    config: Mapping[str, object] = field(default_factory=dict)


STAND_INS = (
    StandIn(("debian:latest", "fedora:latest"), command=("bash",)),
    StandIn(("bash:5",), ("bash",)),
    StandIn(("python:latest",), command=("python3",)),
    StandIn(("k8s.gcr.io/pause:2.0", "registry.k8s.io/pause:3.8", "kubernetes/pause:latest"), ("pause",)),
    StandIn(("registry.k8s.io/e2e-test-images/agnhost:2.45",), ("pause",)),
    StandIn(("gcr.io/google-samples/node-hello:1.0",), ("serve", "8080"), ("Hello Kubernetes!",)),
    StandIn(("gcr.io/google_samples/gb-frontend:v5",), ("serve", "80"), ("guestbook",)),
    StandIn(
        ("gcr.io/kuar-demo/kuard-amd64:blue", "gcr.io/kuar-demo/kuard-amd64:1"), ("serve", "8080"), ("kuard",)
    ),
    StandIn(("hashicorp/http-echo:0.2.3",), ("serve", "5678")),
    StandIn(("k8s.gcr.io/goproxy:0.1",), ("serve", "8080"), ("goproxy",)),
    StandIn(
        ("k8spatterns/random-generator:1.0", "k8spatterns/random-generator:2.0"), ("serve", "8080"), ("42",)
    ),
    StandIn(("polinux/stress:latest", "vish/stress:latest"), ("stress",)),
    StandIn(("alpine/socat:1.8.0.3",), ("socat",)),
    StandIn(("bitnami/git:latest",), command=("git",)),
    StandIn(("centos/httpd:latest",), ("python3", "-m", "http.server", "80", "--directory", "/var/www/html")),
)

COPIES: Mapping[str, tuple[str, ...]] = {
    recipes.BUSYBOX.name: (
        "busybox:latest",
        "busybox:1.28",
        "alpine:latest",
        "k8s.gcr.io/busybox:latest",
        "k8s.gcr.io/busybox:1.24",
        "registry.k8s.io/busybox:1.27.2",
    ),
    recipes.NGINX.name: ("nginx:latest", "nginx:1.14.2"),
    recipes.REDIS.name: ("redis:latest",),
}
"""The test images that are stand-ins as they are, by recipe."""


def prepare() -> None:
    """Put in the cache what `archives` needs of the outside world."""
    build.fill_cache(recipes.RECIPES[name] for name in COPIES)
    with build.locked(build.cache_folder()):
        _base_layer()


def archives() -> list[bytes]:
    """What `docker load` takes to have all of them; from the cache where that has them."""
    with build.locked(build.cache_folder()):
        copies = [
            _renamed(build.make_archive(recipes.RECIPES[name], force=False)[0], names)
            for name, names in COPIES.items()
        ]
        return [*copies, _archive(_base_layer(), _program_layer())]


def _base_layer() -> bytes:
    # Not the recipe's own text: the order in a set is another one in each process.
    words = f"{build.fingerprint(BASE)} {BASE.packages} {sorted(BASE.without)}"
    recipe = hashlib.sha256(words.encode()).hexdigest()[:32]
    kept = build.cache_folder() / f"{BASE.name}-{recipe}.tar"
    if kept.exists():
        kept.touch()
        return kept.read_bytes()
    with tempfile.TemporaryDirectory(prefix="pypod-image-") as work:
        layer = build.assemble(BASE, build.download(BASE.packages, Path(work)))
    partial = kept.with_suffix(".partial")
    partial.write_bytes(layer)
    partial.replace(kept)
    return layer


def _program_layer() -> bytes:
    files = {f"usr/local/bin/{name}": text.encode() for name, text in standin_programs.PROGRAMS.items()}
    repository = standin_programs.repository(PAGE)
    files |= {f"srv/git/beginner-html-site-scripted/{name}": data for name, data in repository.items()}
    files["etc/gitconfig"] = standin_programs.GIT_CONFIG.encode()
    files["etc/group"] = GROUPS.encode()
    return _layer(files, "var/www/html", "var/lib/data", "srv/git/beginner-html-site-scripted/refs/tags")


def _layer(files: Mapping[str, bytes], *more: str) -> bytes:
    """One with these files, those below a bin being programs, and more directories."""
    directories = {*more, *(str(parent) for name in files for parent in Path(name).parents[:-1])}
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name in sorted(directories):
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(entry)
        for name, data in sorted(files.items()):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), 0o755 if "bin/" in name else 0o644
            archive.addfile(entry, io.BytesIO(data))
    return out.getvalue()


def _archive(*layers: bytes) -> bytes:
    """All of them in one: a configuration each, and the same layers."""
    members = {f"layer-{index}.tar": layer for index, layer in enumerate(layers)}
    names, manifest = list(members), []
    for each in STAND_INS:
        config = json.dumps(_config(each, layers), sort_keys=True).encode()
        name = f"{hashlib.sha256(config).hexdigest()}.json"
        members[name] = config
        manifest.append({"Config": name, "RepoTags": list(each.names), "Layers": names})
    return _tar({"manifest.json": json.dumps(manifest).encode(), **members})


def _config(image: StandIn, layers: tuple[bytes, ...]) -> dict[str, object]:
    path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    return {
        "architecture": build.ARCHITECTURES.get(platform.machine(), platform.machine()),
        "os": "linux",
        "created": "1970-01-01T00:00:00Z",
        "config": {
            "Env": [f"PATH={path}"],
            "Entrypoint": list(image.entrypoint) or None,
            "Cmd": list(image.command) or None,
            # The images' names are in it, so that two of them with the same programs are two images.
            "Labels": {"io.pypod.stands-for": " ".join(image.names)},
            **image.config,
        },
        "rootfs": {
            "type": "layers",
            "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}" for layer in layers],
        },
        "history": [{"created": "1970-01-01T00:00:00Z", "created_by": "pypod tests/images"} for _ in layers],
    }


def _renamed(archive: bytes, names: tuple[str, ...]) -> bytes:
    """An archive of one image, under other names and with one more program."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as old:
        found = {member.name: old.extractfile(member) for member in old if member.isfile()}
        members = {name: file.read() for name, file in found.items() if file is not None}
    (image,) = json.loads(members["manifest.json"])
    config = json.loads(members.pop(image["Config"]))
    members["printenv.tar"] = layer = _layer({"usr/bin/printenv": standin_programs.PRINTENV.encode()})
    config["rootfs"]["diff_ids"].append(f"sha256:{hashlib.sha256(layer).hexdigest()}")
    config["history"] *= 2
    text = json.dumps(config, sort_keys=True).encode()
    name = f"{hashlib.sha256(text).hexdigest()}.json"
    manifest = {"Config": name, "RepoTags": list(names), "Layers": [*image["Layers"], "printenv.tar"]}
    return _tar({**members, name: text, "manifest.json": json.dumps([manifest]).encode()})


def _tar(members: Mapping[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name, data in members.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), 0o644
            archive.addfile(entry, io.BytesIO(data))
    return out.getvalue()
