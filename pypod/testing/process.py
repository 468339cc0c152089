"""A process of a fake container, and what all of a fake engine share: the lock, the clock, what happened."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Mapping

from pypod.engine.api import EngineEvent, Frame
from pypod.errors import EngineUnavailableError
from pypod.testing.clock import FakeClock, Timer
from pypod.testing.programs import Exit, Launch, Read, Sleep


class Core:
    """One lock for everything, and the condition that is notified of every change."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.condition = threading.Condition(threading.RLock())
        self.events: list[EngineEvent] = []
        self.generation = 0
        """Counts how often all streams were broken."""
        self.is_down = False
        self.starts = 0
        """Counts how often the daemon was started again."""

    def break_streams(self) -> None:
        """Let every open stream end."""
        self.generation += 1
        self.condition.notify_all()

    def check(self, verb: str, target: str = "") -> None:
        """Raises `EngineUnavailableError` while the daemon is down."""
        if self.is_down:
            detail = "the engine at fake:// does not answer: [Errno 111] Connection refused"
            raise EngineUnavailableError(verb, target, detail)

    def emit(self, action: str, container: str, attributes: Mapping[str, str]) -> None:
        """Note an event; whoever reads events sees it."""
        self.events.append(EngineEvent(action, container, dict(attributes), self.clock.now()))
        self.condition.notify_all()

    def wake(self) -> None:
        """Let every reader look again."""
        with self.condition:
            self.condition.notify_all()

    def wait(self, ready: Callable[[], bool], timeout: float | None) -> bool:
        """Wait, with the lock held, until something is so. False: not in time, by this clock or by the real one."""
        if timeout is None:
            self.condition.wait_for(ready)
            return True
        real, fake = time.monotonic() + timeout, self.clock.now() + timeout
        timer = self.clock.call_at(fake, self.wake)
        try:
            while not ready():
                left = real - time.monotonic()
                if left <= 0 or self.clock.now() >= fake:
                    return False
                self.condition.wait(left)
            return True
        finally:
            timer.cancel()


class Process:
    """A program that runs. Everything here is called with the lock held; only the clock's call takes it itself."""

    def __init__(
        self,
        core: Core,
        launch: Launch,
        *,
        output: Callable[[Frame], object],
        ended: Callable[[int], object],
        has_stdin: bool,
    ) -> None:
        self.exit_code: int | None = None
        self._core = core
        self._launch = launch
        self._steps = launch.start()
        self._output = output
        self._ended = ended
        self._input: list[bytes] = []
        self._input_open = has_stdin
        self._reads = False
        self._timer: Timer | None = None
        self._frozen = False
        self._missed: list[Callable[[], object]] = []

    def run(self) -> None:
        """Begin."""
        self._go_on(None)

    def feed(self, data: bytes) -> None:
        """Give it something to read. After the end of its input it is dropped."""
        if self._input_open and data:
            self._input.append(data)
            self._serve_reader()

    def end_input(self) -> None:
        """Its standard input ends after what it was given."""
        self._input_open = False
        self._serve_reader()

    def signal(self, number: int, *, first: bool) -> None:
        """Deliver a signal. `first`: it is PID 1 of a PID space."""
        if self._frozen and number != signal.SIGKILL:
            self._missed.append(lambda: self.signal(number, first=first))
            return
        outcome = self._launch.outcome(number, first=first)
        if outcome is not None:
            self.end(outcome)

    def freeze(self) -> None:
        """Let it do nothing but end."""
        self._frozen = True

    def thaw(self) -> None:
        """Let it go on, with what came meanwhile."""
        self._frozen = False
        missed, self._missed = self._missed, []
        for happen in missed:
            happen()
        self._serve_reader()

    def end(self, code: int) -> None:
        """It is no more. A second end does nothing."""
        if self.exit_code is not None:
            return
        self.exit_code = code
        if self._timer is not None:
            self._timer.cancel()
        self._ended(code)
        self._core.condition.notify_all()

    def _serve_reader(self) -> None:
        if self._reads and not self._frozen and (self._input or not self._input_open):
            self._reads = False
            self._go_on(self._take())

    def _take(self) -> bytes:
        return self._input.pop(0) if self._input else b""

    def _resume(self) -> None:
        with self._core.condition:
            if self._frozen:
                self._missed.append(self._resume)
            else:
                self._go_on(b"")

    def _go_on(self, value: bytes | None) -> None:
        while self.exit_code is None:
            try:
                wish = next(self._steps) if value is None else self._steps.send(value)
            except StopIteration as end:
                self.end(int(end.value))
                return
            value = b""
            if isinstance(wish, Frame):
                if wish.data:
                    self._output(wish)
            elif isinstance(wish, Exit):
                self.end(wish.code)
            elif isinstance(wish, Read):
                if not self._input and self._input_open:
                    self._reads = True
                    return
                value = self._take()
            elif self._sleeps(wish):
                return

    def _sleeps(self, wish: Sleep) -> bool:
        if wish.seconds is None:
            return True
        if wish.seconds > 0:
            self._timer = self._core.clock.call_at(self._core.clock.now() + wish.seconds, self._resume)
            return True
        return False
