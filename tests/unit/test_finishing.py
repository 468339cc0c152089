"""When a pod is at its end, that this is written down once, and that nothing is started after it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from pypod.model.life.history import History
from pypod.model.life.journal import Began, Event, PodFinished
from pypod.model.life.plan import Write
from pypod.model.spec.pod import Container, PodSpec
from pypod.model.wiring.state import ContainerState
from tests.unit.pods import (
    BOTH_RUN,
    NEVER,
    NOW,
    ON_FAILURE,
    Case,
    dead,
    made,
    member,
    pause,
    policy,
    probed,
    seen,
    signalled,
    started,
    stopping,
    told,
)


def with_init(
    value: Callable[[PodSpec], PodSpec] = lambda spec: spec, **more: str
) -> Callable[[PodSpec], PodSpec]:
    return lambda spec: replace(value(spec), init_containers=(Container("one", "busybox:1", **more),))  # type: ignore[arg-type]


def own(web: str, log: str) -> Callable[[PodSpec], PodSpec]:
    """Each container with a restart policy of its own; the pod's is Always."""
    containers = (
        Container("web", "nginx:1", restart_policy=web),
        Container("log", "busybox:1", restart_policy=log),
    )
    return lambda spec: replace(spec, containers=containers)


def active(seconds: float) -> Callable[[PodSpec], PodSpec]:
    return lambda spec: replace(spec, active_deadline_seconds=seconds)


BEGAN = told(Began(NOW - 100))
SUCCEEDED = told(PodFinished(NOW - 5, "Succeeded"))
FAILED = told(PodFinished(NOW - 5, "Failed"))

CASES = {
    "Never, all ended with 0": Case(
        seen(pause(), dead(member("web"), 0), dead(member("log"), 0)),
        "#1 note the pod is Succeeded: all containers have ended for good",
        spec=policy(NEVER),
    ),
    "Never, one ended with 1": Case(
        seen(pause(), dead(member("web"), 1), dead(member("log"), 0)),
        "#1 note the pod is Failed: all containers have ended for good",
        spec=policy(NEVER),
    ),
    "Never, one ended with 1, the other runs: not yet": Case(
        seen(pause(), dead(member("web"), 1), member("log")),
        "nothing to do",
        spec=policy(NEVER),
    ),
    "Never, one ended with 1, the other was never made: not yet": Case(
        seen(pause(), dead(member("web"), 1)),
        """\
#1 create container log_0: not there yet
#2 start container log_0 (after #1): not there yet""",
        spec=policy(NEVER),
    ),
    "Never, one could not be started": Case(
        seen(pause(), made(member("web"), exit_code=127, error="no such file"), dead(member("log"), 0)),
        "#1 note the pod is Failed: all containers have ended for good",
        spec=policy(NEVER),
    ),
    "Never, one was removed by hand": Case(
        seen(pause(), dead(member("log"), 0)),
        "#1 note the pod is Failed: all containers have ended for good",
        spec=policy(NEVER),
        history=told(started("web"), started("log")),
    ),
    "OnFailure, all ended with 0": Case(
        seen(pause(), dead(member("web"), 0), dead(member("log"), 0)),
        "#1 note the pod is Succeeded: all containers have ended for good",
        spec=policy(ON_FAILURE),
    ),
    # Source: kuberuntime_manager.go computePodActions: no sandbox where no container would be started in it.
    "OnFailure, all ended with 0, then the sandbox died: there is no second one": Case(
        seen(dead(pause(), 137), dead(member("web"), 0), dead(member("log"), 0)),
        "#1 note the pod is Succeeded: all containers have ended for good",
        spec=policy(ON_FAILURE),
    ),
    "Always: never by itself": Case(
        seen(pause(), dead(member("web", 3), 0), dead(member("log", 3), 0)),
        "nothing to do: container web: back-off 4s; container log: back-off 4s",
        due=NOW + 4,
        waiting="container web: back-off 4s; container log: back-off 4s",
        history=told(started("web", 3, step=3), started("log", 3, step=3)),
    ),
    "the containers' own policies decide: all of them have ended for good": Case(
        seen(pause(), dead(member("web"), 1), dead(member("log"), 0)),
        "#1 note the pod is Failed: all containers have ended for good",
        spec=own("Never", "OnFailure"),
    ),
    "the containers' own policies decide: one is restarted": Case(
        seen(pause(), dead(member("web"), 1), dead(member("log", 3), 1)),
        "nothing to do: container log: back-off 4s",
        due=NOW + 4,
        waiting="container log: back-off 4s",
        spec=own("Never", "OnFailure"),
        history=told(started("log", 3, step=3)),
    ),
    "sidecars do not count": Case(
        seen(pause(), member("one"), dead(member("web"), 0), dead(member("log"), 0)),
        "#1 note the pod is Succeeded: all containers have ended for good",
        spec=with_init(policy(NEVER), restart_policy="Always"),
    ),
    # init containers
    "Never, an init container failed": Case(
        seen(pause(), dead(member("one"), 2)),
        "#1 note the pod is Failed: init container one failed",
        spec=with_init(policy(NEVER)),
    ),
    "an init container failed, of which the policy is Never": Case(
        seen(pause(), dead(member("one"), 2)),
        "#1 note the pod is Failed: init container one failed",
        spec=with_init(restart_policy="Never"),
    ),
    # the sandbox
    "Never: the sandbox died, and members with it": Case(
        seen(dead(pause(), 137), dead(member("web"), 137), dead(member("log"), 0)),
        "#1 note the pod is Failed: all containers have ended for good",
        spec=policy(NEVER),
    ),
    "Never: the sandbox died after all had succeeded": Case(
        seen(dead(pause(), 137), dead(member("web"), 0), dead(member("log"), 0)),
        "#1 note the pod is Succeeded: all containers have ended for good",
        spec=policy(NEVER),
    ),
    "Never: the sandbox died, members outlived it": Case(
        seen(dead(pause(), 137), member("web"), member("log")),
        "#1 note the pod is Failed: its sandbox is not running, restartPolicy Never",
        spec=policy(NEVER),
    ),
    "Never: the sandbox died, one member was only made": Case(
        seen(dead(pause(), 137), made(member("web"))),
        "#1 note the pod is Failed: its sandbox is not running, restartPolicy Never",
        spec=policy(NEVER),
    ),
    "Never: the sandbox was removed": Case(
        seen(member("web"), member("log")),
        "#1 note the pod is Failed: its sandbox is not running, restartPolicy Never",
        spec=policy(NEVER),
    ),
    "Never: the sandbox is just being removed": Case(
        seen(
            pause(state=ContainerState.REMOVING, started_at=None, addresses={}), member("web"), member("log")
        ),
        "#1 note the pod is Failed: its sandbox is not running, restartPolicy Never",
        spec=policy(NEVER),
    ),
    "Never: the sandbox lost its network": Case(
        seen(pause(addresses={}), member("web"), member("log")),
        "#1 note the pod is Failed: its sandbox is not running, restartPolicy Never",
        spec=policy(NEVER),
    ),
    "Never: the sandbox was started again": Case(
        seen(pause(started_at=NOW - 1), member("web"), dead(member("log"), 0)),
        "#1 note the pod is Failed: its sandbox is not running, restartPolicy Never",
        spec=policy(NEVER),
    ),
    "Never: the sandbox was never started": Case(
        seen(made(pause()), made(member("web")), made(member("log"))),
        """\
#1 attach channel pause_0: lease and journal
#2 start container pause_0 (after #1): the sandbox was made but not started
#3 start container web_0 (after #2): made but not started
#4 start container log_0 (after #2): made but not started""",
        spec=policy(NEVER),
    ),
    # the deadline
    "a deadline: it is when to look again": Case(
        seen(*BOTH_RUN),
        "nothing to do",
        due=NOW + 20,
        spec=active(120),
        history=BEGAN,
    ),
    "a deadline, and a back-off that is over before": Case(
        seen(pause(), dead(member("web", 3)), member("log")),
        "nothing to do: container web: back-off 4s",
        due=NOW + 4,
        waiting="container web: back-off 4s",
        spec=active(120),
        history=told(Began(NOW - 100), started("web", 3, step=3)),
    ),
    "a deadline that has passed": Case(
        seen(*BOTH_RUN),
        "#1 note the pod is Failed (DeadlineExceeded); event DeadlineExceeded: activeDeadlineSeconds is over",
        spec=active(100),
        history=BEGAN,
    ),
    "a deadline that has passed while an image is missing and nothing runs": Case(
        seen(pause(), images={"nginx:1": None}),
        "#1 note the pod is Failed (DeadlineExceeded); event DeadlineExceeded: activeDeadlineSeconds is over",
        spec=active(100),
        history=BEGAN,
    ),
    "a deadline that has passed while nobody looked, and all had succeeded": Case(
        seen(pause(), dead(member("web"), 0), dead(member("log"), 0)),
        "#1 note the pod is Succeeded: all containers have ended for good",
        spec=lambda spec: policy(NEVER)(active(99)(spec)),
        history=BEGAN,
    ),
    "a deadline, and nobody has written when the pod began: nothing is due": Case(
        seen(*BOTH_RUN),
        "nothing to do",
        spec=active(100),
    ),
    # after the end
    "finished: what is missing is not made": Case(
        seen(pause()),
        "nothing to do: the pod has succeeded",
        waiting="the pod has succeeded",
        history=SUCCEEDED,
    ),
    "finished: what crashes is not restarted": Case(
        seen(pause(), dead(member("web"), 1), dead(member("log"), 1)),
        "nothing to do: the pod has failed",
        waiting="the pod has failed",
        history=FAILED,
    ),
    "finished: there is no new sandbox": Case(
        seen(dead(pause(), 137), dead(member("web"), 137)),
        "nothing to do: the pod has failed",
        waiting="the pod has failed",
        history=FAILED,
    ),
    "finished: what lives is ended, in its order": Case(
        seen(pause(), member("one"), member("web"), member("log")),
        """\
#1 note container one is stopped (PodFinished); event Killing: the pod is at its end
#2 note container web is stopped (PodFinished); event Killing: the pod is at its end
#3 send SIGTERM to container web_0 (after #2): the pod is at its end
#4 note container log is stopped (PodFinished); event Killing: the pod is at its end
#5 send SIGTERM to container log_0 (after #4): the pod is at its end""",
        due=NOW + 30,
        waiting="grace for log, one, web; the pod has failed",
        spec=with_init(restart_policy="Always"),
        history=FAILED,
    ),
    "finished: it is being ended": Case(
        seen(pause(), member("web"), dead(member("log"))),
        "nothing to do: grace for web; the pod has failed",
        due=NOW + 25,
        waiting="grace for web; the pod has failed",
        history=told(PodFinished(NOW - 5, "Failed"), stopping("web", "PodFinished"), signalled("web")),
    ),
    "finished: a probe that fails changes nothing": Case(
        seen(pause(), dead(member("web")), dead(member("log"))),
        "nothing to do: the pod has failed",
        waiting="the pod has failed",
        history=told(PodFinished(NOW - 5, "Failed"), started("web"), probed("web", "liveness", False)),
    ),
    "finished: its deadline is nothing to wait for": Case(
        seen(pause(), dead(member("web"), 0), dead(member("log"), 0)),
        "nothing to do: the pod has succeeded",
        waiting="the pod has succeeded",
        spec=active(120),
        history=told(Began(NOW - 100), PodFinished(NOW - 5, "Succeeded")),
    ),
}


@pytest.mark.parametrize("sentence", CASES)
def test_the_end_of_a_pod(sentence: str) -> None:
    CASES[sentence].check()


def written(case: Case) -> list[object]:
    return [
        entry for step in case.run().steps if isinstance(step.action, Write) for entry in step.action.entries
    ]


def test_an_end_by_deadline_says_so_as_kubernetes_does() -> None:
    message = "Pod was active on the node longer than the specified deadline"
    assert written(CASES["a deadline that has passed"]) == [
        PodFinished(NOW, "Failed", "DeadlineExceeded", message),
        Event(NOW, "Normal", "DeadlineExceeded", message),
    ]


def test_another_end_needs_no_reason() -> None:
    assert written(CASES["Never, one ended with 1"]) == [PodFinished(NOW, "Failed")]


@pytest.mark.parametrize(
    "sentence", [name for name, case in CASES.items() if case.plan.startswith("#1 note the pod")]
)
def test_once_written_the_end_is_not_written_again(sentence: str) -> None:
    case = CASES[sentence]
    history: History = case.history
    for entry in written(case):
        assert isinstance(entry, PodFinished | Event)
        history = history.apply(entry)
    assert not any(isinstance(entry, PodFinished) for entry in written(replace(case, history=history)))
