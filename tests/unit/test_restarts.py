"""When a container that has ended is started again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pypod.model.life import restarts
from pypod.model.life.restarts import CLASSIC, DEFAULT, IMAGE_PULL, PROFILES, Backoff, Restart
from pypod.model.spec.pod import BackoffProfile, RestartPolicy

VECTOR = json.loads((Path(__file__).parents[1] / "vectors" / "crashloop.json").read_text())

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


def test_the_classic_figures_are_kubernetes_own() -> None:
    expected = VECTOR["delays_before_restart_n"]
    assert len(expected) == 9
    assert [CLASSIC.delay(step) for step in range(9)] == expected
    assert (CLASSIC.cap, CLASSIC.reset) == (VECTOR["cap"], VECTOR["reset_after_running_s"])
    assert PROFILES == {BackoffProfile.FAST: DEFAULT, BackoffProfile.CLASSIC: CLASSIC}


def test_restarts_one_after_the_other_start_when_kubernetes_starts_them() -> None:
    """Upstream's test has it: 0s, 0s, 10s, 30s, 70s, 150s, 310s (test/e2e_node/container_restart_test.go)."""
    starts, step, now = [0.0], 0, 0.0
    for _ in range(6):
        found = restarts.decide(
            ALWAYS, exit_code=1, started_at=now, finished_at=now, step=step, backoff=CLASSIC
        )
        assert found is not None
        now, step = found.due, found.step
        starts.append(now)
    assert starts == [0, 0, 10, 30, 70, 150, 310]


def test_an_image_is_asked_for_again_ever_later() -> None:
    assert [IMAGE_PULL.delay(count) for count in range(1, 8)] == [10, 20, 40, 80, 160, 300, 300]


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
