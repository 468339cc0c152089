"""What a fake engine hands out that goes on: logs, commands, events, and a held standard input."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator, Mapping

from pypod.engine.api import EngineEvent, Frame
from pypod.errors import EngineError, NotFoundError
from pypod.testing.fake_container import FakeContainer, Line
from pypod.testing.process import Core, Process


class _Stream:
    """Something that ends by `close` from any thread, or when all streams of the engine are broken."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._generation = core.generation
        self._closed = False

    @property
    def _over(self) -> bool:
        return self._closed or self._generation != self._core.generation

    def close(self) -> None:
        with self._core.condition:
            self._closed = True
            self._core.condition.notify_all()


class FakeLogStream(_Stream):
    """A container's log, from a place in it on."""

    def __init__(
        self,
        core: Core,
        container: FakeContainer,
        place: int,
        render: Callable[[Line], Frame],
        *,
        follow: bool,
    ) -> None:
        super().__init__(core)
        self._container = container
        self._place = place
        self._render = render
        self._run = container.runs if follow and container.is_running else None
        self._until = None if self._run is not None else len(container.lines)

    def read(self, timeout: float | None = None) -> Frame | None:
        with self._core.condition:
            if not self._core.wait(self._is_ready, timeout):
                raise TimeoutError(f"no output came in {timeout} s")
            if self._over or not self._has_line:
                return None
            self._place += 1
            return self._render(self._container.lines[self._place - 1])

    @property
    def _has_line(self) -> bool:
        return self._place < (len(self._container.lines) if self._until is None else self._until)

    def _is_ready(self) -> bool:
        same_run = self._run == self._container.runs and self._container.is_running
        return self._over or self._has_line or not same_run


class FakeExecStream(_Stream):
    """A command in a container."""

    def __init__(self, core: Core) -> None:
        super().__init__(core)
        self._start = core.starts
        self._frames: list[Frame] = []
        self.process: Process | None = None
        self.failure: int | None = None

    def put(self, frame: Frame) -> None:
        """The command wrote this."""
        self._frames.append(frame)
        self._core.condition.notify_all()

    def read(self, timeout: float | None = None) -> Frame | None:
        with self._core.condition:
            if not self._core.wait(self._is_ready, timeout):
                raise TimeoutError(f"no output came in {timeout} s")
            return self._frames.pop(0) if self._frames and not self._over else None

    def _is_ready(self) -> bool:
        return self._over or bool(self._frames) or self._code() is not None

    def send(self, data: bytes) -> None:
        with self._core.condition:
            if self.process is not None and not self._over:
                self.process.feed(data)

    def close_stdin(self) -> None:
        with self._core.condition:
            if self.process is not None:
                self.process.end_input()

    def close(self) -> None:
        super().close()
        self.close_stdin()

    def exit_code(self) -> int | None:
        with self._core.condition:
            self._core.check("inspect exec in container")
            if self._start != self._core.starts:  # the engine keeps them in memory
                raise NotFoundError("inspect exec in container", "", "No such exec instance", status=404)
            return self._code()

    def _code(self) -> int | None:
        return self.failure if self.process is None else self.process.exit_code


class FakeEventStream(_Stream):
    """What happened, and happens, to containers with some labels."""

    def __init__(self, core: Core, wanted: Mapping[str, str], since: float | None) -> None:
        super().__init__(core)
        self._wanted = dict(wanted)
        self._since = since
        self._place = len(core.events) if since is None else 0

    def __iter__(self) -> Iterator[EngineEvent]:
        while (event := self._next()) is not None:
            yield event

    def _next(self) -> EngineEvent | None:
        with self._core.condition:
            while True:
                self._core.condition.wait_for(lambda: self._over or self._place < len(self._core.events))
                if self._over:
                    return None
                event = self._core.events[self._place]
                self._place += 1
                if self._is_wanted(event):
                    return event

    def _is_wanted(self, event: EngineEvent) -> bool:
        recent = self._since is None or event.time >= self._since
        return recent and matches(event.attributes, self._wanted)


class FakeStdinChannel(_Stream):
    """A container's standard input, held."""

    def __init__(self, core: Core, container: FakeContainer) -> None:
        super().__init__(core)
        self._container = container
        self._run = container.upcoming_run

    def send(self, data: bytes) -> None:
        with self._core.condition:
            if (
                self._over
                or self._container.upcoming_run != self._run
                or not self._container.request.stdin_open
            ):
                raise EngineError("write to container", self._container.name, "broken pipe")
            self._container.feed(data)

    def close(self) -> None:
        with self._core.condition:
            already, self._closed = self._closed, True
            if (
                not already
                and self._container.request.stdin_once
                and self._container.upcoming_run == self._run
            ):
                self._container.end_input()

    def fileno(self) -> int:
        return -1

    def close_in_child(self) -> None:
        """A fork's memory is its own: there is nothing to let go."""


def matches(labels: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    """Whether labels have all that is wanted; an empty value stands for any."""
    return all(key in labels and (not value or labels[key] == value) for key, value in wanted.items())


def stamp(moment: float) -> str:
    """A moment as the engine writes it before a log line."""
    whole = int(moment)
    text = datetime.datetime.fromtimestamp(whole, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{round((moment - whole) * 1e9):09d}Z"
