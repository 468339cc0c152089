"""A command whose container goes while it runs: what it answers, where the engine's stream never ends."""

from __future__ import annotations

import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import cast

import pytest

import pypod
from pypod import Container, PodNotRunningError
from pypod.engine import execute
from pypod.engine.api import Engine, Frame
from pypod.errors import NotFoundError
from pypod.testing import FakeEngine

FORGOTTEN = NotFoundError("inspect exec", "x", "No such exec instance")
Code = int | NotFoundError | None


class Command:
    """The stream of a command, and the engine that runs it.

    Args:
        frames: what it writes; None is the end of its output. After them it is silent.
        codes: what the engine says of its end, one look after another; the last one again and again.
        live: whether its container is, one look after another; the last one again and again.
    """

    def __init__(self, *frames: Frame | None, codes: list[Code], live: list[bool]) -> None:
        self.frames = list(frames)
        self.codes = codes
        self.live = live
        self.begun = self.closed = False

    def read(self, timeout: float | None = None) -> Frame | None:
        if not self.frames:
            raise TimeoutError
        return self.frames.pop(0)

    def exit_code(self) -> int | None:
        code = self.codes.pop(0) if len(self.codes) > 1 else self.codes[0]
        if isinstance(code, NotFoundError):
            raise code
        return code

    def close(self) -> None:
        self.closed = True

    def exec(self, *_: object, **__: object) -> Command:
        self.begun = True
        return self

    def container(self, container: str) -> SimpleNamespace:
        return SimpleNamespace(is_live=self.live.pop(0) if len(self.live) > 1 else self.live[0])


def run(command: Command, timeout: float | None = None) -> int:
    try:
        return execute.run(cast("Engine", command), "web", ["true"], timeout=timeout).exit_code
    finally:
        assert command.closed


def test_a_command_that_had_ended_before_its_container_answers() -> None:
    assert run(Command(codes=[3], live=[False])) == 3


@pytest.mark.parametrize("frames", [(), (None,)], ids=["its stream does not end", "its stream ends"])
@pytest.mark.parametrize("code", [None, FORGOTTEN], ids=["running", "forgotten"])
def test_one_whose_end_nobody_knows(code: Code, frames: tuple[Frame | None, ...]) -> None:
    command = Command(Frame(1, b"some"), *frames, codes=[code], live=[False])
    with pytest.raises(execute.ContainerEndedError) as raised:
        run(command)
    assert raised.value.stdout == b"some"


def test_one_that_closed_its_outputs_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long it runs on: there is no time limit that nobody asked for."""
    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)
    codes: list[Code] = [*[None] * 40, 5]
    assert run(Command(None, codes=codes, live=[True])) == 5
    assert sum(waits) > 20
    assert max(waits) == execute.LONGEST_LOOK


def test_or_until_the_time_is_up() -> None:
    command = Command(Frame(2, b"half"), None, codes=[None], live=[True])
    with pytest.raises(execute.OutputTimeoutError) as raised:
        run(command, timeout=0.05)
    assert not isinstance(raised.value, execute.ContainerEndedError)
    assert raised.value.stderr == b"half"


# --- what a pod's user gets --------------------------------------------------------------------------------------------


@pytest.fixture
def pod(monkeypatch: pytest.MonkeyPatch) -> Iterator[pypod.Pod]:
    engine = FakeEngine()
    engine.add_image("app:1")
    made = pypod.Pod("web", containers=[Container("app", "app:1")], engine=engine)
    made.start()
    ended = Command(Frame(1, b"some"), codes=[FORGOTTEN], live=[False])
    monkeypatch.setattr(engine, "exec", ended.exec)
    monkeypatch.setattr(execute, "is_live", lambda _engine, _id: not ended.begun)
    yield made
    made.stop(grace=0)


def test_a_pod_answers_as_for_a_command_that_was_killed(pod: pypod.Pod) -> None:
    result = pod.exec(["quit"])
    assert (result.exit_code, result.stdout) == (137, "some")


def test_whoever_needs_its_success_is_told(pod: pypod.Pod) -> None:
    with pytest.raises(
        PodNotRunningError, match=r"tell how \['quit'\] in container 'app' of pod 'default/web' ended: the"
    ):
        pod.exec(["quit"], check=True)
