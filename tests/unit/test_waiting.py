"""Waiting for a pod: what is met, what may be, and what never will be."""

from __future__ import annotations

import pytest

from pypod import waiting
from pypod.errors import PodNotRunningError, PodTimeoutError
from pypod.model.life.history import History
from pypod.model.life.journal import PodFinished
from pypod.model.life.status import PodStatus, derive
from pypod.model.spec.pod import RestartPolicy
from pypod.model.wiring.state import PodObservation
from tests.unit.snapshots import NOW, deleting, ended, member, pause, seen, sidecar, told, wanted

FAILED = told(PodFinished(NOW, "Failed", "DeadlineExceeded"))
SUCCEEDED = told(PodFinished(NOW, "Succeeded"))
NOTHING = History()


def status(observed: PodObservation, history: History = NOTHING) -> PodStatus:
    return derive(wanted("a", init=[sidecar()], policy=RestartPolicy.NEVER), observed, history, NOW)


PODS = {
    "it is being made": status(seen(pause(), member("s"))),
    "it runs": status(seen(pause(), member("s"), member())),
    "it has succeeded, its sidecar still runs": status(seen(pause(), member("s"), ended(member(), 0)), SUCCEEDED),
    "it has succeeded": status(seen(pause(), ended(member("s"), 0), ended(member(), 0)), SUCCEEDED),
    "its deadline has passed, it still runs": status(seen(pause(), member("s"), member()), FAILED),
    "its deadline has passed before it ran": status(seen(pause(), member("s")), FAILED),
    "it has failed": status(seen(pause(), ended(member("s"), 0), ended(member(), 137)), FAILED),
    "it is gone": status(seen()),
}  # fmt: skip

# What becomes of waiting for Started, Ready, Running, Succeeded, Failed, Completed, Deleted:
# it is met, it waits, or it never will be.
TABLE = {
    "it is being made": "wait  wait  wait  wait  wait  wait  wait",
    "it runs": "met   met   met   wait  wait  wait  wait",
    "it has succeeded, its sidecar still runs": "met   never met   wait  never wait  wait",
    "it has succeeded": "met   never never met   never met   wait",
    "its deadline has passed, it still runs": "met   never met   never wait  wait  wait",
    "its deadline has passed before it ran": "never never never never wait  wait  wait",
    "it has failed": "met   never never never met   met   wait",
    "it is gone": "never never never never never never met",
}


@pytest.mark.parametrize("pod", PODS)
def test_what_becomes_of_waiting(pod: str) -> None:
    found = []
    for condition in waiting.CONDITIONS:
        try:
            assert waiting.wait_for("default/shop", lambda: PODS[pod], condition, -1) is PODS[pod]
            found.append("met")
        except PodNotRunningError:
            found.append("never")
        except PodTimeoutError:
            found.append("wait")
    assert found == TABLE[pod].split()


@pytest.mark.parametrize(
    ("pod", "condition", "words"),
    [
        ("it has succeeded", "Ready", "it is Completed: s ended with code 0 (Completed); a ended with"),
        (
            "it has failed",
            "Succeeded",
            "it is DeadlineExceeded: s ended with code 0 (Completed); a ended with",
        ),
        (
            "its deadline has passed, it still runs",
            "Ready",
            "it has failed, and is being stopped: a is running",
        ),
    ],
)
def test_why_it_never_will_be(pod: str, condition: str, words: str) -> None:
    with pytest.raises(PodNotRunningError) as caught:
        waiting.wait_for("default/shop", lambda: PODS[pod], condition, 60)
    assert str(caught.value).startswith(f"cannot wait for pod 'default/shop' to be {condition}: {words}")


def test_the_time_is_up() -> None:
    with pytest.raises(
        PodTimeoutError, match=r"cannot wait longer than -1 s for pod 'default/shop' to be Succeeded"
    ):
        waiting.wait_for("default/shop", lambda: PODS["it runs"], "Succeeded", -1)


def test_there_is_no_such_condition() -> None:
    with pytest.raises(ValueError, match=r"cannot wait for 'Sometime': one of Started, Ready"):
        waiting.wait_for("default/shop", lambda: PODS["it runs"], "Sometime", 1)


@pytest.mark.parametrize("pod", PODS)
def test_a_question_is_asked_until_nothing_can_change(pod: str) -> None:
    """A pod that has ended but for what is being stopped may still be as wanted; one at its end, or gone, never will."""
    asked: list[PodStatus] = []
    with pytest.raises(
        (PodNotRunningError, PodTimeoutError), match=r"cannot wait .* to be as wanted: "
    ) as raised:
        waiting.wait_for("default/shop", lambda: PODS[pod], asked.append, -1)
    assert asked == [PODS[pod]]
    at_its_end = {"it has succeeded", "it has failed", "it is gone"}
    assert (raised.type is PodNotRunningError) is (pod in at_its_end)


def test_a_question_about_a_pod_that_is_being_deleted_is_asked_until_it_is_gone() -> None:
    """Its members end before it is gone."""
    comes = iter([status(seen(deleting(), ended(member("s"), 0), ended(member(), 137))), PODS["it is gone"]])
    found = waiting.wait_for("default/shop", lambda: next(comes), lambda each: each.reason == "NotFound", 60)
    assert found is PODS["it is gone"]


def test_a_question_has_a_true_answer() -> None:
    found = waiting.wait_for("default/shop", lambda: PODS["it runs"], lambda status: status.phase.value, 0)
    assert found is PODS["it runs"]


def test_what_a_question_raises_is_passed_on() -> None:
    with pytest.raises(KeyError):
        waiting.wait_for("default/shop", lambda: PODS["it runs"], lambda status: status.container("b"), 0)
