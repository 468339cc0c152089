"""Records what takes how long in a pod's life, where somebody wants to know; where nobody does, nothing is wrapped or timed."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from pypod.engine.api import StdinChannel
from pypod.engine.checks import CheckResult, Target, Verdict
from pypod.engine.clock import SYSTEM, Clock
from pypod.engine.executor import ActionResult
from pypod.engine.hooks import RunsHook
from pypod.engine.prober import Run
from pypod.errors import PypodError
from pypod.model.life import chrome_trace, timeline
from pypod.model.life.plan import PullImage, RunHook, StartContainer
from pypod.model.life.probes import Kind, ProbeKey
from pypod.model.life.spans import CALLER, IMAGES, JOURNAL, UNFINISHED, Span, place_of
from pypod.model.spec.handlers import Probe

MAX_SPANS = 20_000
"""That are kept: of a pod that lives for weeks and crashes every minute, the first ones are the interesting ones."""
_SOURCES = {"recorded": "as recorded", "journal": "by the engine's times and its journal"}

Attach = Callable[[str], StdinChannel]


@dataclass(frozen=True, slots=True)
class Trace:
    """What took how long in a pod's life. ``str()`` of it is a small timeline.

    Attributes:
        pod: the pod's full name.
        spans: in the order in which they began.
        source: ``recorded``: measured as it happened, with the cause of each step; ``journal``: found out afterwards, from
            the times that the engine and the pod's journal know.
        dropped: how many spans were not kept, since there were too many.
    """

    pod: str
    spans: tuple[Span, ...]
    source: Literal["recorded", "journal"] = "recorded"
    dropped: int = 0

    def to_chrome(self) -> dict[str, Any]:
        """As Chrome trace JSON: what ``json.dump`` takes, and chrome://tracing and https://ui.perfetto.dev show."""
        return chrome_trace.document([(self.pod, self.spans)])

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write Chrome trace JSON to a file. Raises `OSError`."""
        write([self], path)

    def __str__(self) -> str:
        words = timeline.text(self.pod, self.spans, _SOURCES[self.source])
        return f"{words}\n  {self.dropped} more were not kept" if self.dropped else words


def write(traces: Sequence[Trace], path: str | os.PathLike[str]) -> None:
    """Write the traces of several pods to one file of Chrome trace JSON, each as a process of it. Raises `OSError`."""
    document = chrome_trace.document([(trace.pod, trace.spans) for trace in traces])
    Path(path).write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


class Untraced:
    """What a pod has that nobody wants a trace of: each method of a `Tracer`, doing nothing, and handing back what it is given.

    Attributes:
        now: by which actions are timed; None: they are not.
    """

    now: Callable[[], float] | None = None

    def timed(
        self, name: str, cause: str = "", *, lane: str = CALLER, detail: bool = True
    ) -> AbstractContextManager[object]:
        """The block is a span. What it raises is the span's outcome."""
        return contextlib.nullcontext()

    def action(self, result: ActionResult) -> None:
        """An action has ended; its error is fit to be shown."""

    def pulling(self, reference: str, line: str) -> None:
        """A pull begins (an empty line), or goes on."""

    def pulled(self, reference: str, error: PypodError | None) -> None:
        """A pull has ended."""

    def probed(self, key: ProbeKey, passed: bool) -> None:
        """A probe's result has changed."""

    def hooks(self, run: RunsHook) -> RunsHook:
        """What runs a hook, so that it is timed."""
        return run

    def tries(self, run: Run) -> Run:
        """What tries a probe, so that tries are timed, up to the first one that passes."""
        return run

    def journal(self, attach: Attach) -> Attach:
        """What attaches to a pause's stdin, so that what is written to the journal is timed."""
        return attach

    def trace(self) -> Trace | None:
        """What is known so far; None: nothing is recorded."""
        return None


UNTRACED = Untraced()


class Tracer(Untraced):
    """Records for one pod. May be used from any thread.

    Args:
        pod: its full name.
        clock: by which it measures.
        most: spans that are kept.
    """

    def __init__(self, pod: str, clock: Clock = SYSTEM, most: int = MAX_SPANS) -> None:
        self.now = clock.now
        self._clock = clock
        self._pod = pod
        self._most = most
        self._lock = threading.Lock()
        self._spans: list[Span] = []
        self._open: dict[object, Span] = {}
        self._keys = itertools.count()
        self._dropped = 0
        # Of each container: from when on the first success of its next probe is waited for.
        self._since: dict[str, float] = {}
        self._tries: dict[ProbeKey, int] = {}
        self._passed: set[ProbeKey] = set()

    @contextlib.contextmanager
    def timed(self, name: str, cause: str = "", *, lane: str = CALLER, detail: bool = True) -> Iterator[None]:
        key = next(self._keys)
        self._begin(key, Span(lane, name, self._clock.now(), 0.0, cause, detail=detail))
        outcome = ""
        try:
            yield
        except BaseException as error:
            outcome = str(error) or type(error).__name__
            raise
        finally:
            self._end(key, outcome)

    def action(self, result: ActionResult) -> None:
        action = result.action
        if isinstance(action, PullImage | RunHook):  # it only begins one, which is told of by itself
            return
        lane, name = place_of(action)
        outcome = str(result.error) if result.error is not None else ""
        self._add(Span(lane, name, result.began, result.ended, action.cause, outcome, detail=lane == JOURNAL))
        if isinstance(action, StartContainer) and action.container and result.error is None:
            with self._lock:
                self._since[action.container] = result.ended

    def pulling(self, reference: str, line: str) -> None:
        if not line:
            self._begin((IMAGES, reference), Span(IMAGES, f"pull {reference}", self._clock.now(), 0.0))

    def pulled(self, reference: str, error: PypodError | None) -> None:
        self._end((IMAGES, reference), str(error) if error is not None else "")

    def hooks(self, run: RunsHook) -> RunsHook:
        def timed(target: Target, action: RunHook) -> CheckResult:
            began = self._clock.now()
            result = run(target, action)
            outcome = "" if result.verdict is Verdict.SUCCESS else result.message or "it failed"
            self._add(
                Span(
                    action.container,
                    f"{action.hook} hook",
                    began,
                    self._clock.now(),
                    action.cause,
                    outcome,
                )
            )
            return result

        return timed

    def tries(self, run: Run) -> Run:
        def timed(key: ProbeKey, probe: Probe, wait: float) -> CheckResult:
            if key.kind is Kind.LIVENESS or key in self._passed:
                return run(key, probe, wait)
            with self._lock:
                self._tries[key] = self._tries.get(key, 0) + 1
            began = self._clock.now()
            result = run(key, probe, wait)
            outcome = "" if result.verdict is Verdict.SUCCESS else result.message or "it failed"
            name = f"{key.kind.value} try"
            self._add(Span(key.container, name, began, self._clock.now(), outcome=outcome, detail=True))
            return result

        return timed

    def probed(self, key: ProbeKey, passed: bool) -> None:
        if not passed or key.kind is Kind.LIVENESS or key in self._passed:
            return
        now = self._clock.now()
        with self._lock:
            self._passed.add(key)
            since = self._since.get(key.container, now)
            self._since[key.container] = now
        self._add(self._probing(key, since, now))

    def _probing(self, key: ProbeKey, began: float, ended: float, outcome: str = "") -> Span:
        tries = self._tries.get(key, 0)
        cause = f"passed after {tries} {'try' if tries == 1 else 'tries'}"
        if outcome:
            cause = f"{tries} {'try' if tries == 1 else 'tries'} so far"
        return Span(key.container, f"{key.kind.value} probe", began, ended, cause, outcome)

    def journal(self, attach: Attach) -> Attach:
        return lambda name: _TimedStdin(attach(name), self)

    def trace(self) -> Trace:
        now = self._clock.now()
        with self._lock:
            spans = list(self._spans)
            spans += [replace(span, ended=now, outcome=UNFINISHED) for span in self._open.values()]
            since = {key: self._since.get(key.container, now) for key in self._tries.keys() - self._passed}
        spans += [self._probing(key, began, now, UNFINISHED) for key, began in since.items()]
        spans.sort(key=lambda span: (span.began, -span.ended))
        return Trace(self._pod, tuple(spans), "recorded", self._dropped)

    def _begin(self, key: object, span: Span) -> None:
        with self._lock:
            self._open[key] = span

    def _end(self, key: object, outcome: str) -> None:
        with self._lock:
            span = self._open.pop(key, None)
        if span is not None:
            self._add(replace(span, ended=self._clock.now(), outcome=outcome))

    def _add(self, span: Span) -> None:
        """One that a clock was set back in took no time."""
        with self._lock:
            if len(self._spans) >= self._most:
                self._dropped += 1
                return
            self._spans.append(replace(span, ended=max(span.began, span.ended)))


class _TimedStdin:
    """`StdinChannel`, with each write a span."""

    def __init__(self, stdin: StdinChannel, tracer: Tracer) -> None:
        self._stdin = stdin
        self._tracer = tracer
        self.fileno = stdin.fileno
        self.close = stdin.close
        self.close_in_child = stdin.close_in_child

    def send(self, data: bytes) -> None:
        lines = data.count(b"\n")
        name = f"write {lines} line{'' if lines == 1 else 's'}"
        with self._tracer.timed(name, lane=JOURNAL):
            self._stdin.send(data)
