"""Running a command in a container to its end, with its input, its two outputs and a time limit."""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Callable, Mapping, Sequence

from pypod.engine.api import STDERR, STDOUT, Engine, ExecStream, Frame
from pypod.errors import NotFoundError, PypodError
from pypod.model.results import ExecResult

EXIT_POLL = 0.002
"""Seconds until the exit code is asked for again, doubled each time: after the end of the output the engine says "running"
for some milliseconds more (cri-dockerd's exec.go polls for the same reason, every 2 s). A command that closed its outputs
and goes on is waited for."""

FIRST_LOOK, LONGEST_LOOK = 0.25, 1.0
"""Seconds of silence after which the container is looked at; doubled each time. When a container ends during an exec, the
engine may forget the exec with it: its stream then never ends, and nobody knows its exit code (moby#27626; on 20.10 so end
7 of 100 commands after which their container ends within 50 ms, on a loaded machine)."""
LAST_WORDS = 0.5
"""Seconds in which what a command had written still comes, once its container was seen dead."""

KILLED = 137
"""The exit code of what a container's end killed, as the kernel tells it (128 + SIGKILL)."""


class OutputTimeoutError(Exception):
    """The command did not end in time. Carries what it had written."""

    def __init__(self, stdout: bytes, stderr: bytes) -> None:
        super().__init__("the command did not end in time")
        self.stdout = stdout
        self.stderr = stderr


class ContainerEndedError(OutputTimeoutError):
    """The container ended while the command ran in it: whether the command came to its end is not known."""


def run(
    engine: Engine,
    container: str,
    command: Sequence[str],
    *,
    stdin: bytes | None = None,
    timeout: float | None = None,
    user: str = "",
    working_dir: str = "",
    env: Mapping[str, str] | None = None,
    output_limit: int | None = None,
) -> ExecResult:
    """Run a command and wait for its end.

    Args:
        engine, container: where.
        command: no shell is put in between.
        stdin: what it reads, then end of file; None: nothing is attached.
        timeout: seconds from now; None: as long as it takes.
        user, working_dir, env: as for the container where not given.
        output_limit: bytes of each output that are kept; what comes after them is read and dropped. None: all.

    Raises:
        OutputTimeoutError: the time is up. The command may still run: an engine cannot kill an exec.
        ContainerEndedError: the container ended meanwhile, and the engine does not know the command's exit code.
        EngineError: it could not be started.
    """
    deadline = None if timeout is None else time.monotonic() + timeout
    stream = engine.exec(
        container, command, stdin=stdin is not None, user=user, working_dir=working_dir, env=env
    )
    written: dict[int, bytearray] = {STDOUT: bytearray(), STDERR: bytearray()}

    def keep(frame: Frame) -> None:
        kept = written[frame.stream]
        kept.extend(frame.data if output_limit is None else frame.data[: output_limit - len(kept)])

    try:
        if stdin is not None:
            threading.Thread(target=_feed, args=(stream, stdin), name="pypod-stdin", daemon=True).start()
        code = attend(engine, container, stream, keep, deadline)
        return ExecResult(code, bytes(written[STDOUT]), bytes(written[STDERR]))
    except OutputTimeoutError as error:
        error.stdout, error.stderr = bytes(written[STDOUT]), bytes(written[STDERR])
        raise
    finally:
        stream.close()


def attend(
    engine: Engine,
    container: str,
    stream: ExecStream,
    take: Callable[[Frame], object],
    deadline: float | None = None,
) -> int:
    """Wait for the end of a command that runs.

    Args:
        engine, container: where.
        stream: the command's. It stays open.
        take: gets each frame as it comes.
        deadline: by `time.monotonic`; None: as long as it takes.

    Returns:
        The exit code.

    Raises:
        OutputTimeoutError: the time is up.
        ContainerEndedError: the container ended, and the engine does not know the command's exit code.
    """
    live = functools.partial(is_live, engine, container)
    wait, dead = FIRST_LOOK, False
    while True:
        left = _left(deadline)
        try:
            frame = stream.read(wait if left is None else min(wait, left))
        except TimeoutError:
            if left is not None and left <= wait:
                raise OutputTimeoutError(b"", b"") from None
            if dead:
                return _last_code(stream)
            dead = not live()
            wait = LAST_WORDS if dead else min(2 * wait, LONGEST_LOOK)
            continue
        if frame is None:
            return _exit_code(stream, live, deadline)
        take(frame)


def is_live(engine: Engine, container: str) -> bool:
    """Whether a process of this container exists."""
    try:
        return engine.container(container).is_live
    except NotFoundError:
        return False


def _feed(stream: ExecStream, stdin: bytes) -> None:
    """On a thread of its own: a command may write much before it reads all."""
    try:
        stream.send(stdin)
        stream.close_stdin()
    except PypodError:
        pass  # the command ended without reading it all


def _exit_code(stream: ExecStream, live: Callable[[], bool], deadline: float | None) -> int:
    """Of a command whose output has ended."""
    wait, dead = EXIT_POLL, False
    while (code := _code(stream)) is None:
        if dead:
            raise ContainerEndedError(b"", b"")
        left = _left(deadline)
        if left == 0:
            raise OutputTimeoutError(b"", b"")
        time.sleep(wait if left is None else min(wait, left))
        wait = min(2 * wait, LONGEST_LOOK)
        dead = wait > FIRST_LOOK and not live()
    return code


def _last_code(stream: ExecStream) -> int:
    """Of a command whose container has ended, perhaps just after it."""
    if (code := _code(stream)) is None:
        raise ContainerEndedError(b"", b"")
    return code


def _code(stream: ExecStream) -> int | None:
    """None: it runs. Raises `ContainerEndedError` where the engine has forgotten it."""
    try:
        return stream.exit_code()
    except NotFoundError:
        raise ContainerEndedError(b"", b"") from None


def _left(deadline: float | None) -> float | None:
    return None if deadline is None else max(0.0, deadline - time.monotonic())
