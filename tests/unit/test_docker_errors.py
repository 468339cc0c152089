"""What an engine's refusals are to pypod, in the words of each version that was seen to use them; and which calls are made again."""

from __future__ import annotations

import pytest

from pypod.engine.docker_errors import asking_again, refusal
from pypod.errors import ConflictError, EngineError, NotFoundError, SubnetInUseError

OWN, PAUSE = "a4" * 32, "29" * 32


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (409, f"cannot join network of a non running container: {PAUSE}"),  # 20.10
        (500, f"Container {PAUSE} is not running"),  # 20.10, of process IDs
        (500, f"failed to join PID namespace: container {PAUSE} is not running"),  # 26.1
        (404, f"No such container: {PAUSE}"),  # 20.10
        (500, f"joining network namespace of container: No such container: {PAUSE}"),  # 28
    ],
)
def test_a_start_for_want_of_the_sandbox(status: int, words: str) -> None:
    assert type(refusal("start container", OWN, status, words)) is ConflictError


@pytest.mark.parametrize(
    ("status", "words", "expected"),
    [
        (404, f"No such container: {OWN}", NotFoundError),
        (500, f"failed to create task for container: container {PAUSE} has stopped", EngineError),
    ],
)
def test_a_start_that_fails_for_itself(status: int, words: str, expected: type[EngineError]) -> None:
    assert type(refusal("start container", OWN, status, words)) is expected


@pytest.mark.parametrize(
    ("status", "words", "expected"),
    [
        (403, "Pool overlaps with other one on this address space", SubnetInUseError),  # also 26.1
        (409, "network with name pypod already exists", ConflictError),  # 25.0 and newer
        (
            500,
            "subnet 10.214.0.0/20 is already used on the host or by another config",
            SubnetInUseError,
        ),  # Podman
    ],
)
def test_a_network_that_somebody_else_made(status: int, words: str, expected: type[EngineError]) -> None:
    assert type(refusal("create network", "pypod", status, words)) is expected


@pytest.mark.parametrize(
    ("verb", "words"),
    [
        (
            "create container",
            f'creating container storage: the container name "a" is already in use by {PAUSE}',
        ),
        (
            "remove container",
            f"container {PAUSE} has dependent containers which must be removed before it: {OWN}",
        ),
        (
            "execute in container",
            "can only create exec sessions on running containers: container state improper",
        ),
        ("remove network", '"pypod_a" has associated containers with it: network is being used'),
    ],
)
def test_what_podman_calls_an_internal_error_and_is_a_conflict(verb: str, words: str) -> None:
    assert type(refusal(verb, "a", 500, words)) is ConflictError


class Asked:
    """A call that fails with each of these, then answers."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.sleeps: list[float] = []

    def __call__(self) -> str:
        if self.failures:
            raise self.failures.pop(0)
        return "answer"

    def ask(self) -> str:
        return asking_again(self, self.sleeps.append)


def test_an_answer_at_the_first_try_is_all() -> None:
    asked = Asked()
    assert asked.ask() == "answer"
    assert asked.sleeps == []


def test_a_broken_connection_is_tried_again_ever_later() -> None:
    asked = Asked(ConnectionResetError(), BrokenPipeError())
    assert asked.ask() == "answer"
    assert asked.sleeps == pytest.approx([0.05, 0.1])


def test_after_three_tries_its_error_is_the_answer() -> None:
    asked = Asked(*(ConnectionResetError(str(number)) for number in range(4)))
    with pytest.raises(ConnectionResetError, match="2"):
        asked.ask()
    assert len(asked.failures) == 1


@pytest.mark.parametrize("error", [ValueError("no"), TimeoutError("late")])
def test_any_other_error_is_not_tried_again(error: Exception) -> None:
    asked = Asked(error)
    with pytest.raises(type(error)):
        asked.ask()
    assert asked.sleeps == []


def test_another_error_at_the_second_try_is_raised_as_it_is() -> None:
    asked = Asked(ConnectionResetError(), ValueError("no"))
    with pytest.raises(ValueError, match="no"):
        asked.ask()
