"""Running a command in a container to its end, with its input, its two outputs and a time limit."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence

from pypod.engine.api import STDERR, Engine, ExecStream
from pypod.errors import NotFoundError, PypodError
from pypod.model.results import ExecResult

EXIT_POLL = 0.002
"""Seconds between two looks at the exit code: after the end of the output the engine says "running" for some
milliseconds more (cri-dockerd's exec.go polls for the same reason, every 2 s)."""
EXIT_DEADLINE = 10.0


LOOK = 1.0
"""Seconds of silence after which the container is looked at. When a container ends during an exec, the engine may never end
the exec's stream: in a shared PID space the command outlives its container (seen on 20.10)."""


class OutputTimeoutError(Exception):
    """The command did not end in time. Carries what it had written."""

    def __init__(self, stdout: bytes, stderr: bytes) -> None:
        super().__init__("the command did not end in time")
        self.stdout = stdout
        self.stderr = stderr


class ContainerEndedError(OutputTimeoutError):
    """The container ended while the command ran in it."""


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
        ContainerEndedError: the container ended meanwhile.
        EngineError: it could not be started.
    """
    deadline = None if timeout is None else time.monotonic() + timeout
    stream = engine.exec(
        container, command, stdin=stdin is not None, user=user, working_dir=working_dir, env=env
    )
    try:
        if stdin is not None:
            threading.Thread(target=_feed, args=(stream, stdin), name="pypod-stdin", daemon=True).start()
        stdout, stderr = _drain(stream, deadline, lambda: is_live(engine, container), output_limit)
        return ExecResult(_exit_code(stream, deadline, stdout, stderr), stdout, stderr)
    finally:
        stream.close()


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


def _drain(
    stream: ExecStream, deadline: float | None, is_live: Callable[[], bool], limit: int | None
) -> tuple[bytes, bytes]:
    stdout, stderr = bytearray(), bytearray()
    quiet = False
    while True:
        left = _left(deadline)
        try:
            frame = stream.read(LOOK if left is None else min(LOOK, left))
        except TimeoutError:
            if left is not None and left <= LOOK:
                raise OutputTimeoutError(bytes(stdout), bytes(stderr)) from None
            if quiet:  # nothing came since it was seen dead: nothing will
                if _has_ended(stream):  # by itself, just before its container did
                    return bytes(stdout), bytes(stderr)
                raise ContainerEndedError(bytes(stdout), bytes(stderr)) from None
            quiet = not is_live()
            continue
        if frame is None:
            return bytes(stdout), bytes(stderr)
        kept = stderr if frame.stream == STDERR else stdout
        kept.extend(frame.data if limit is None else frame.data[: limit - len(kept)])


def _has_ended(stream: ExecStream) -> bool:
    """Whether the engine knows an exit code: it forgets its execs with their container."""
    try:
        return stream.exit_code() is not None
    except NotFoundError:
        return False


def _exit_code(stream: ExecStream, deadline: float | None, stdout: bytes, stderr: bytes) -> int:
    end = time.monotonic() + EXIT_DEADLINE if deadline is None else deadline
    while (code := stream.exit_code()) is None:
        if time.monotonic() > end:
            raise OutputTimeoutError(stdout, stderr)
        time.sleep(EXIT_POLL)
    return code


def _left(deadline: float | None) -> float | None:
    return None if deadline is None else max(0.0, deadline - time.monotonic())
