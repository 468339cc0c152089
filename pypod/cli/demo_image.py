"""The tour's image: one that the engine has, else a pull of busybox, else the host's own static busybox."""

from __future__ import annotations

import hashlib
import io
import json
import secrets
import shutil
import struct
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pypod import Container, EngineError, NotFoundError, Pod, PypodError
from pypod.engine.pause import normalise_architecture

if TYPE_CHECKING:
    from pypod.engine.api import Engine

PROGRAMS = (
    "sh", "cat", "dd", "grep", "hostname", "httpd", "ip", "kill", "logger", "logread", "pidof", "ps", "sleep",
    "syslogd", "tail", "timeout", "wget",
)  # fmt: skip
"""What the tour's claims run in the image."""
REPOSITORIES = ("busybox", "alpine")
PULLS = ("busybox:stable", "busybox:latest")
MOST_TRIED = 4
HOST_BUSYBOX = ("/bin/busybox", "/usr/bin/busybox")
_PT_INTERP = 3
_MACHINES = {3: "386", 21: "ppc64le", 22: "s390x", 40: "arm/v7", 62: "amd64", 183: "arm64", 243: "riscv64"}

Say = Callable[[str], None]


class NoImageError(PypodError):
    """No image was found that the tour can run in."""


@dataclass(frozen=True, slots=True)
class Choice:
    """An image, and where it is from.

    Attributes:
        made: this run put it on the engine, and should take it away.
    """

    reference: str
    origin: str
    made: bool = False


def likely(references: list[str]) -> list[str]:
    """Those that look like a busybox or an alpine, the likelier first."""

    def rank(reference: str) -> int:
        last = reference.partition("@")[0].rpartition("/")[2].partition(":")[0]
        whole = reference.lower()
        for place, word in enumerate(REPOSITORIES):
            if last == word:
                return place
            if word in whole:
                return place + len(REPOSITORIES)
        return -1

    ranked = [(rank(reference), reference) for reference in references if "@" not in reference]
    return [reference for place, reference in sorted(ranked) if place >= 0]


def lacking(engine: Engine, image: str) -> list[str]:
    """The programs that the tour needs and the image has not got.

    Raises:
        PypodError: no shell runs in it.
    """
    script = f"for p in {' '.join(PROGRAMS)}; do command -v $p >/dev/null 2>&1 || echo $p; done"
    member = Container("try", image, command=["sh", "-c", "sleep 60"], image_pull_policy="Never")
    trial = Pod(
        f"try-{secrets.token_hex(2)}",
        namespace="demo-image",
        containers=[member],
        termination_grace_period_seconds=0,  # busybox's sh ignores the stop signal of some images
        engine=engine,
    )
    with trial as pod:
        return pod.exec(["sh", "-c", script], timeout=10, check=True).stdout.split()


@contextmanager
def chosen(engine: Engine, wanted: str, say: Say) -> Iterator[Choice]:
    """The tour's image, as long as it is needed; one that was made for it is removed at the end.

    Raises:
        NoImageError: there is none; the message says what was tried.
    """
    choice = _given(engine, wanted, say) if wanted else _find(engine, say)
    try:
        yield choice
    finally:
        if choice.made:
            _remove(engine, choice.reference, say)


def _given(engine: Engine, image: str, say: Say) -> Choice:
    try:
        engine.image(image)
    except NotFoundError:
        say(f"pulling {image} ...")
        engine.pull_image(image)
    absent = lacking(engine, image)
    if absent:
        say(f"{image} has no {', '.join(absent)}: claims that need them will fail")
    return Choice(image, "as asked for")


def _find(engine: Engine, say: Say) -> Choice:
    tried: list[str] = []
    present = likely([reference for info in engine.images() for reference in info.references])
    for image in present[:MOST_TRIED]:
        if _fits(engine, image, tried):
            return Choice(image, "the engine has it")
    for image in PULLS:
        if image in present:
            continue
        say(f"pulling {image} ...")
        try:
            engine.pull_image(image)
        except EngineError as error:
            tried.append(str(error))
            break
        if _fits(engine, image, tried):
            return Choice(image, "pulled")
    built = _build(engine, tried)
    if built is not None:
        fits = False
        try:
            fits = _fits(engine, built.reference, tried)
        finally:
            if not fits:
                _remove(engine, built.reference, say)
        if fits:
            return built
    rows = "".join(f"\n  - {line}" for line in tried)
    raise NoImageError(f"cannot find an image for the tour (--image IMAGE names one):{rows}")


def _fits(engine: Engine, image: str, tried: list[str]) -> bool:
    try:
        absent = lacking(engine, image)
    except PypodError as error:
        tried.append(f"{image}: {str(error).partition(chr(10))[0]}")
        return False
    if absent:
        tried.append(f"{image} has no {', '.join(absent)}")
    return not absent


# --- from the host's busybox -----------------------------------------------------------------------------------------


def static_machine(program: bytes) -> str | None:
    """The architecture that a static ELF program is for; None for anything else, a dynamic one too."""
    if len(program) < 64 or program[:4] != b"\x7fELF":
        return None
    wide, order = program[4] == 2, "<" if program[5] == 1 else ">"
    try:
        (machine,) = struct.unpack_from(order + "H", program, 18)
        (table,) = struct.unpack_from(order + ("Q" if wide else "I"), program, 32 if wide else 28)
        size, count = struct.unpack_from(order + "HH", program, 54 if wide else 42)
        kinds = {struct.unpack_from(order + "I", program, table + row * size)[0] for row in range(count)}
    except struct.error:
        return None
    return None if _PT_INTERP in kinds else _MACHINES.get(machine)


def archive(program: bytes, applets: list[str], architecture: str, reference: str) -> bytes:
    """A ``docker save`` archive of one layer: busybox and a link for each of its programs."""
    layer = _layer(program, applets)
    diff = hashlib.sha256(layer).hexdigest()
    arch, _, variant = architecture.partition("/")
    config = json.dumps(
        {
            "architecture": arch,
            **({"variant": variant} if variant else {}),
            "os": "linux",
            "created": "1970-01-01T00:00:00Z",
            "config": {"Cmd": ["sh"], "Env": ["PATH=/bin"]},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{diff}"]},
            "history": [{"created": "1970-01-01T00:00:00Z", "created_by": "pypod demo"}],
        },
        sort_keys=True,
    ).encode()
    name = hashlib.sha256(config).hexdigest() + ".json"
    manifest = [{"Config": name, "RepoTags": [reference], "Layers": [f"{diff}/layer.tar"]}]
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for path, content in (
            (name, config),
            (f"{diff}/layer.tar", layer),
            ("manifest.json", json.dumps(manifest).encode()),
        ):
            _add(tar, path, content=content, mode=0o644)
    return buffer.getvalue()


def _layer(program: bytes, applets: list[str]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for folder, mode in (
            ("bin", 0o755),
            ("etc", 0o755),
            ("root", 0o700),
            ("tmp", 0o1777),
            ("var/run", 0o755),
        ):
            _add(tar, folder, mode=mode)
        _add(tar, "etc/passwd", content=b"root:x:0:0:root:/root:/bin/sh\n", mode=0o644)
        _add(tar, "bin/busybox", content=program, mode=0o755)
        for applet in sorted(set(applets) - {"busybox"}):
            _add(tar, f"bin/{applet}", link="busybox")
    return buffer.getvalue()


def _add(
    tar: tarfile.TarFile, path: str, *, content: bytes | None = None, mode: int = 0o777, link: str = ""
) -> None:
    member = tarfile.TarInfo(path)
    member.mode = mode
    if link:
        member.type, member.linkname = tarfile.SYMTYPE, link
    elif content is None:
        member.type = tarfile.DIRTYPE
    else:
        member.size = len(content)
    tar.addfile(member, io.BytesIO(content) if content is not None else None)


def _build(engine: Engine, tried: list[str]) -> Choice | None:
    wanted = normalise_architecture(engine.info().architecture)
    path = next(
        (path for path in (*HOST_BUSYBOX, shutil.which("busybox")) if path and Path(path).exists()), None
    )
    if path is None:
        tried.append(
            "this machine has no busybox to build an image from (Debian: apt-get install busybox-static)"
        )
        return None
    program = Path(path).read_bytes()
    machine = static_machine(program)
    if machine != wanted:
        why = f"is for {machine}, the engine is {wanted}" if machine else "is not a static program"
        tried.append(f"{path} of this machine {why}")
        return None
    listed = subprocess.run([path, "--list"], capture_output=True, text=True, check=False)
    reference = f"pypod/demo-busybox:{hashlib.sha256(program).hexdigest()[:12]}"
    engine.load_image(archive(program, listed.stdout.split(), wanted, reference))
    return Choice(reference, f"built from {path}", made=True)


def _remove(engine: Engine, reference: str, say: Say) -> None:
    engine.remove_image(reference)
