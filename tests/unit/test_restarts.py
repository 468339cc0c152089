"""When a container that has ended is started again."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pypod.model import restarts
from pypod.model.restarts import CLASSIC, DEFAULT, Backoff, Restart
from pypod.model.spec import RestartPolicy

ALWAYS, ON_FAILURE, NEVER = RestartPolicy.ALWAYS, RestartPolicy.ON_FAILURE, RestartPolicy.NEVER


@pytest.mark.parametrize(
    ("policy", "exit_code", "expected"),
    [
        (ALWAYS, 0, True),
        (ALWAYS, 1, True),
        (ON_FAILURE, 0, False),
        (ON_FAILURE, 1, True),
        (ON_FAILURE, 137, True),
        (NEVER, 0, False),
        (NEVER, 1, False),
    ],
)
def test_the_policy_decides(policy: RestartPolicy, exit_code: int, expected: bool) -> None:
    assert restarts.should_restart(policy, exit_code) is expected


@pytest.mark.parametrize(
    ("backoff", "delays"),
    [
        (DEFAULT, [0, 1, 2, 4, 8, 16, 32, 60, 60]),
        (CLASSIC, [0, 10, 20, 40, 80, 160, 300, 300]),
        (Backoff(initial=0.5, cap=0.75), [0, 0.5, 0.75, 0.75]),
    ],
)
def test_delays_double_up_to_the_cap(backoff: Backoff, delays: list[float]) -> None:
    assert [backoff.delay(step) for step in range(len(delays))] == delays


def test_a_step_may_be_as_large_as_it_likes() -> None:
    assert DEFAULT.delay(10**9) == 60
    assert DEFAULT.delay(-1) == 0


def decide(step: int, *, ran_for: float | None = 1.0, policy: RestartPolicy = ALWAYS) -> Restart | None:
    started = None if ran_for is None else 1000.0 - ran_for
    return restarts.decide(policy, exit_code=1, started_at=started, finished_at=1000.0, step=step)


@pytest.mark.parametrize(
    ("sentence", "found", "expected"),
    [
        ("the first one is at once", decide(0), Restart(due=1000, step=1, delay=0)),
        ("the next one waits, from the end on", decide(1), Restart(due=1001, step=2, delay=1)),
        ("the fifth one waits longer", decide(4), Restart(due=1008, step=5, delay=8)),
        ("600 s of running are not enough", decide(4, ran_for=600), Restart(due=1008, step=5, delay=8)),
        ("more than 600 s make it a first one", decide(4, ran_for=600.1), Restart(due=1000, step=1, delay=0)),
        ("what never started has not run", decide(4, ran_for=None), Restart(due=1008, step=5, delay=8)),
        ("Never is never", decide(0, policy=NEVER), None),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_decide(sentence: str, found: Restart | None, expected: Restart | None) -> None:
    assert found == expected, sentence


@settings(deadline=None)
@given(step=st.integers(0, 5000), finished=st.floats(1e9, 2e9), ran_for=st.floats(0, 1e6))
def test_a_restart_is_never_due_before_the_end_nor_later_than_the_cap(
    step: int, finished: float, ran_for: float
) -> None:
    found = restarts.decide(
        ALWAYS, exit_code=1, started_at=finished - ran_for, finished_at=finished, step=step
    )
    assert found is not None
    assert finished <= found.due <= finished + DEFAULT.cap
    assert found.step >= 1
