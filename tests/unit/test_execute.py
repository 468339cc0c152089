"""A command whose container goes while it runs: what it answers, where the engine's stream never ends."""

from __future__ import annotations

from typing import cast

import pytest

from pypod.engine import execute
from pypod.engine.api import Engine
from pypod.errors import NotFoundError


class Silent:
    """The stream of a command that says nothing; its engine says `code`, or that it does not know it any more."""

    def __init__(self, code: int | NotFoundError | None) -> None:
        self.code = code
        self.closed = False

    def read(self, timeout: float | None = None) -> None:
        raise TimeoutError

    def exit_code(self) -> int | None:
        if isinstance(self.code, NotFoundError):
            raise self.code
        return self.code

    def close(self) -> None:
        self.closed = True


class Gone:
    """An engine whose container is removed while the command runs in it."""

    def __init__(self, stream: Silent) -> None:
        self.stream = stream

    def exec(self, *_: object, **__: object) -> Silent:
        return self.stream

    def container(self, container: str) -> None:
        raise NotFoundError("inspect container", container, "No such container")


def run(code: int | NotFoundError | None) -> int:
    stream = Silent(code)
    try:
        return execute.run(cast("Engine", Gone(stream)), "web", ["true"]).exit_code
    finally:
        assert stream.closed


def test_a_command_that_had_ended_before_its_container_answers() -> None:
    assert run(3) == 3


@pytest.mark.parametrize("code", [None, NotFoundError("inspect exec", "x", "No such exec instance")])
def test_one_that_had_not_ended_with_its_container(code: NotFoundError | None) -> None:
    with pytest.raises(execute.ContainerEndedError):
        run(code)
