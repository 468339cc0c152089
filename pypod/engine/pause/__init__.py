"""The embedded pause image: what the first container of every pod runs, with no registry needed to get it.

The image is one static binary of about 15 KB (`pause.c` says what it does), built for each architecture by
`scripts/build-pause` and checked in under `bin/`. This module wraps it into an archive that `docker load`
takes.

Two properties matter to whoever loads it. The archive is deterministic, so that loading it again gives the
image that is there already: the same ID, and nothing dangling (`docker import` gives a new ID each time). And
its tag is its content, so that an engine that has `reference(arch)` has exactly this image, and nothing need
be loaded.

This module never talks to an engine, and importing it reads nothing.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import io
import json
import tarfile

__all__ = [
    "ENTRYPOINT",
    "IMAGE_LABELS",
    "LEASE_LOST_EXIT_CODE",
    "REPOSITORY",
    "USER",
    "VOLUME_SLOTS",
    "architectures",
    "archive",
    "binary",
    "normalise_architecture",
    "reference",
    "slot_path",
]

ENTRYPOINT = "/pause"
"""The program's path in the image, and the first word of an exec of its relay."""

LEASE_LOST_EXIT_CODE = 97
"""What `pause --lease` exits with when its stdin ends. `EXIT_LEASE_LOST` in pause.c is the same number."""

VOLUME_SLOTS = 64
"""How many volumes a pod can have: the image holds one mount point for each."""

REPOSITORY = "pypod/pause"
"""The image's name, without the tag."""

USER = "65535:65535"
"""Who the program runs as: nobody's user, as in Kubernetes' own pause image."""

IMAGE_LABELS = {"io.pypod.role": "pause-image"}
"""The image's labels. The engine copies them to each container of it that does not set the key itself."""

_MODE_PROGRAM = 0o755
_MODE_SLOT = 0o777


@dataclasses.dataclass(frozen=True)
class _Platform:
    """One architecture: Go's words for it, and the other words that engines and kernels have for the same."""

    architecture: str
    variant: str | None = None
    aliases: tuple[str, ...] = ()


# A 32-bit engine on a 64-bit kernel reports the kernel's architecture; static binaries of that run as well.
_PLATFORMS = {
    "386": _Platform("386", aliases=("i386", "i486", "i586", "i686", "x86")),
    "amd64": _Platform("amd64", aliases=("x86_64", "x86-64")),
    "arm/v7": _Platform("arm", "v7", aliases=("arm", "armhf", "armv7", "armv7l", "armv8l", "arm/v8")),
    "arm64": _Platform("arm64", "v8", aliases=("aarch64", "arm64/v8", "armv8")),
    "ppc64le": _Platform("ppc64le"),
    "riscv64": _Platform("riscv64"),
    "s390x": _Platform("s390x"),
}


def slot_path(index: int) -> str:
    """Where in the pause container the pod's volume of this index is mounted.

    Each slot is a directory of mode 0777 in the image. A new, empty volume that is mounted over a directory
    takes that directory's mode (unless mounted with no_copy), so pod volumes become writable for any user
    with no further call.

    Raises:
        ValueError: A pod has no slot of that index.
    """
    if not 0 <= index < VOLUME_SLOTS:
        raise ValueError(
            f"cannot mount volume number {index}: a pod has slots for volumes 0 to {VOLUME_SLOTS - 1}"
        )
    return f"/v/{index}"


def architectures() -> tuple[str, ...]:
    """The architectures there is a binary for, in Go's (and so Docker's) words: `amd64`, `arm/v7`, ..."""
    return tuple(sorted(_PLATFORMS))


@functools.cache
def normalise_architecture(engine_arch: str) -> str:
    """Turn an engine's word for its architecture into one of `architectures()`.

    Takes what `docker info` says (`x86_64`, `aarch64`, `armv7l`), what `docker version` says (`amd64`,
    `arm64`), and a platform (`linux/arm/v7`).

    Raises:
        LookupError: There is no pause binary for it.
    """
    word = engine_arch.strip().lower().removeprefix("linux/")
    for name, platform in _PLATFORMS.items():
        if word == name or word in platform.aliases:
            return name
    raise LookupError(
        f"cannot make a pause image for architecture {engine_arch!r}: pypod has binaries for "
        f"{', '.join(architectures())}; name an image of your own with pause_image="
    )


@functools.cache
def binary(arch: str) -> bytes:
    """The program itself, an ELF executable.

    Raises:
        LookupError: There is no pause binary for that architecture.
    """
    import importlib.resources  # noqa: PLC0415 (with zipfile and more, for what is asked once for an engine)

    name = normalise_architecture(arch).replace("/", "-")
    return (importlib.resources.files(__name__) / "bin" / f"pause-{name}").read_bytes()


@functools.cache
def reference(arch: str) -> str:
    """The image's name and tag for one architecture, such as `pypod/pause:0123456789ab`.

    The tag is the start of the SHA-256 over the image's configuration. That holds the digest of the only
    layer, so it stands for everything in the image; the name and the tag themselves are in neither. (On an
    engine with the classic image store it is also the start of the image ID.)

    Raises:
        LookupError: There is no pause binary for that architecture.
    """
    return f"{REPOSITORY}:{hashlib.sha256(_config(arch)).hexdigest()[:12]}"


@functools.cache
def archive(arch: str) -> bytes:
    """The whole image as an archive for `docker load`, which makes it known as `reference(arch)`.

    The same bytes every time, on every machine.

    Raises:
        LookupError: There is no pause binary for that architecture.
    """
    config = _config(arch)
    config_name = f"{hashlib.sha256(config).hexdigest()}.json"
    manifest = [{"Config": config_name, "RepoTags": [reference(arch)], "Layers": ["layer.tar"]}]
    return _tar(
        _file("manifest.json", _json(manifest)),
        _file(config_name, config),
        _file("layer.tar", _layer(arch)),
    )


def _config(arch: str) -> bytes:
    """The image configuration: how it runs, on what, and of which layer it is made."""
    platform = _PLATFORMS[normalise_architecture(arch)]
    config: dict[str, object] = {
        "architecture": platform.architecture,
        "os": "linux",
        "created": "1970-01-01T00:00:00Z",
        "config": {"Entrypoint": [ENTRYPOINT], "User": USER, "WorkingDir": "/", "Labels": IMAGE_LABELS},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(_layer(arch)).hexdigest()}"]},
    }
    if platform.variant is not None:
        config["variant"] = platform.variant
    return _json(config)


@functools.cache
def _layer(arch: str) -> bytes:
    """The file system: the program, and a mount point for each volume.

    The modes are set here, since a wheel or a checkout need not keep those of the files.
    """
    slots = [_folder(slot_path(index), _MODE_SLOT) for index in range(VOLUME_SLOTS)]
    return _tar(_file(ENTRYPOINT, binary(arch), _MODE_PROGRAM), _folder("/v", 0o755), *slots)


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def _file(path: str, content: bytes, mode: int = 0o644) -> tuple[tarfile.TarInfo, bytes]:
    entry = tarfile.TarInfo(path.lstrip("/"))
    entry.mode = mode
    entry.size = len(content)
    return entry, content


def _folder(path: str, mode: int) -> tuple[tarfile.TarInfo, bytes]:
    entry = tarfile.TarInfo(path.lstrip("/"))
    entry.type = tarfile.DIRTYPE
    entry.mode = mode
    return entry, b""


def _tar(*entries: tuple[tarfile.TarInfo, bytes]) -> bytes:
    """A tar of these entries and nothing of this machine: TarInfo's defaults are root, no names, time 0."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for entry, content in entries:
            tar.addfile(entry, io.BytesIO(content))
    return stream.getvalue()
