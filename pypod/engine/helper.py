"""The files of volumes, read and written without a program: through a container of the pause image that is never started.

It is made, used and removed in a few tens of milliseconds. One whose maker died in between is known by its labels
(`naming.helper_labels`) and taken away by `pypod.engine.object_leftovers`.
"""

from __future__ import annotations

import contextlib
import io
import secrets
import tarfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Generic, TypeVar

from pypod.engine import pause
from pypod.engine.api import Engine
from pypod.engine.identity import engine_architecture
from pypod.engine.owner import current_owner
from pypod.errors import ConflictError, EngineError, NotFoundError
from pypod.model import naming
from pypod.model.wiring.requests import ContainerRequest, MountRequest

T = TypeVar("T")

ROOT = "/v"
"""In the pause image, the directory of all `pause.slot_path`."""
PAUSES = (0.02, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6)
"""Seconds between tries to remove a volume that somebody has."""


def uninterrupted(task: Callable[[], T]) -> T:
    """What the task answers, or what it raises. A KeyboardInterrupt waits until it is done, and is raised then: the task runs
    on a thread of its own, so that nothing that it made is forgotten halfway."""
    job = _Job(task)
    try:
        try:
            threading.Thread(target=job.run, name="pypod-objects", daemon=True).start()
        except RuntimeError:  # 3.12: no new thread at interpreter shutdown
            job.run()
        job.done.wait()
    except BaseException:  # whatever a signal's handler raises
        job.finish()
        raise
    if job.error is not None:
        raise job.error
    return job.answers[0]


class _Job(Generic[T]):
    """A task on its thread."""

    def __init__(self, task: Callable[[], T]) -> None:
        self._task = task
        self.begun, self.done = threading.Event(), threading.Event()
        self.answers: list[T] = []
        self.error: BaseException | None = None

    def run(self) -> None:
        self.begun.set()
        try:
            self.answers.append(self._task())
        except BaseException as error:
            self.error = error
        finally:
            self.done.set()

    def finish(self) -> None:
        """Wait for the end, through every further interrupt, unless it never began."""
        while True:
            with contextlib.suppress(KeyboardInterrupt):
                if self.begun.wait(1.0):
                    self.done.wait()
                return


@contextlib.contextmanager
def helper(
    engine: Engine, mounts: Sequence[MountRequest], *, command: Sequence[str] = (), network: str = "none"
) -> Iterator[str]:
    """The name of a container that has these volumes, and is gone afterwards, whatever happened.

    Args:
        engine: where it is made.
        mounts: its volumes.
        command: what it would run, as root, where it is started; it may do with files what root may.
        network: its network mode.
    """
    name = naming.helper_name(secrets.token_hex(8))
    request = ContainerRequest(
        name=name,
        image=pause.reference(engine_architecture(engine)),
        labels=naming.helper_labels(current_owner()),
        command=tuple(command),
        user="0:0" if command else "",
        network_mode=network,
        mounts=tuple(mounts),
        read_only=True,
        drop_capabilities=not command,
        no_new_privileges=True,
    )
    try:
        try:
            engine.create_container(request)
        except NotFoundError:  # the image, at this engine's first use of it
            engine.load_image(pause.archive(engine_architecture(engine)))
            engine.create_container(request)
        yield name
    finally:
        with contextlib.suppress(NotFoundError):
            engine.remove_container(name)


def read_files(
    engine: Engine, volumes: Sequence[str], labels: Mapping[str, str]
) -> dict[str, dict[str, bytes]]:
    """The regular files of volumes, by volume and path in it; three calls for 64 volumes.

    A volume that is not there is made by that, as the engine has it, and reads as empty: it gets ``labels``, and is the
    caller's to remove.

    Raises:
        EngineError: they could not be read.
    """
    found: dict[str, dict[str, bytes]] = {}
    for start in range(0, len(volumes), pause.VOLUME_SLOTS):
        batch = volumes[start : start + pause.VOLUME_SLOTS]
        mounts = [
            MountRequest(volume, pause.slot_path(index), read_only=True, labels=labels)
            for index, volume in enumerate(batch)
        ]
        with helper(engine, mounts) as container:
            slots = _by_slot(engine, container)
        found |= {volume: slots.get(str(index), {}) for index, volume in enumerate(batch)}
    return found


def _by_slot(engine: Engine, container: str) -> dict[str, dict[str, bytes]]:
    pieces = engine.get_archive(container, ROOT)
    found: dict[str, dict[str, bytes]] = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(b"".join(pieces))) as archive:
            for member in archive:
                content = archive.extractfile(member) if member.isreg() else None
                _, _, inside = member.name.partition("/")  # v/SLOT/PATH
                slot, _, path = inside.partition("/")
                if content is not None and path:
                    found.setdefault(slot, {})[path] = content.read()
    except tarfile.TarError as error:
        raise EngineError("read files of volumes", container, str(error)) from error
    finally:
        pieces.close()
    return found


@contextlib.contextmanager
def written(engine: Engine, volume: str, files: Iterable[tuple[str, int, bytes]]) -> Iterator[None]:
    """Put files, each a path, a mode and its content, into a volume that is there. Until the end of the block a container has
    it, so that nobody can remove it.

    Raises:
        EngineError: they could not be written.
    """
    with helper(engine, [MountRequest(volume, pause.slot_path(0))]) as container:
        engine.put_archive(container, pause.slot_path(0), [_packed(files)])
        yield


def _packed(files: Iterable[tuple[str, int, bytes]]) -> bytes:
    buffer = io.BytesIO()
    tar: Any
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for path, mode, content in files:
            member = tarfile.TarInfo(path)
            member.mode, member.size = mode, len(content)
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def remove_volume(engine: Engine, volume: str) -> bool:
    """Whether it was removed. Who reads its files just now has it for some tens of milliseconds, which is waited for: for several
    processes that read one after the other on a busy machine, too (0.9 s were seen). Where somebody has it for longer it stays."""
    for pause_before_next in (*PAUSES, 0.0):
        try:
            engine.remove_volume(volume)
        except NotFoundError:
            return False
        except ConflictError:
            time.sleep(pause_before_next)
        else:
            return True
    return False
