"""How what runs is brought to its end, one container or a whole pod, and how a pod is brought away."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest

from pypod.model import naming
from pypod.model.life import stopping
from pypod.model.life.history import History
from pypod.model.life.journal import Event, Stopping
from pypod.model.life.plan import KillContainer, Plan, PlanBuilder, RemoveNetwork, RunHook, Write
from pypod.model.spec.handlers import Hook, Lifecycle
from pypod.model.spec.pod import Container, PodSpec
from pypod.model.wiring.state import PodObservation, VolumeInfo
from tests.unit.pods import (
    BASE,
    DELETING,
    KEY,
    NETWORK,
    NOW,
    dead,
    debugger,
    hooked,
    made,
    member,
    pause,
    seen,
    short,
    signalled,
    told,
)
from tests.unit.pods import stopping as being_stopped

END = NOW + 30
MARK = "rename container pause_0 to pause_0_1030000.deleting"
GOING = "pause_0_1030000.deleting"
ISOLATED = replace(NETWORK, name="pypod_ci", labels=naming.network_labels("ci"))
VOLUMES = (VolumeInfo("pypod_default_shop_01234567_html", {}, 0.0),)
SLOW = Lifecycle(pre_stop=Hook.sleep(5))


def sidecar(name: str, lifecycle: Lifecycle | None = None) -> Container:
    return Container(name, "busybox:1", restart_policy="Always", lifecycle=lifecycle)


HOOKED = replace(BASE, containers=(Container("web", "nginx:1", lifecycle=SLOW), BASE.containers[1]))
SERVED = replace(
    BASE,
    init_containers=(sidecar("first"), sidecar("second", SLOW)),
    containers=(Container("web", "nginx:1"),),
)
ALL = (DELETING, member("first"), member("second"), member("web"))


def deleted(name: str, *, ago: float = 5.0, left: float = 25.0) -> Stopping:
    return Stopping(NOW - ago, name, 0, NOW + left, "Deleted", sidecars=True)


@dataclass(frozen=True)
class Case:
    """A row: what is left of a pod, and how it goes."""

    observed: PodObservation
    plan: str
    due: float | None = None
    waiting: str = ""
    deadline: float = END
    history: History = field(default_factory=History)
    spec: PodSpec | None = BASE
    kill: bool = False

    def run(self) -> Plan:
        return stopping.plan_teardown(
            self.spec, self.observed, self.history, deadline=self.deadline, now=NOW, kill=self.kill
        )


ENDS = {
    "grace begins: the mark, then the stop signals, each image's own": Case(
        seen(pause(), member("web", stop_signal="SIGQUIT"), member("log"), volumes=VOLUMES),
        """\
#1 rename container pause_0 to pause_0_1030000.deleting: the deletion mark
#2 note container web is stopped (Deleted); event Killing (after #1): the pod is deleted
#3 send SIGQUIT to container web_0 (after #2, #1): the pod is deleted
#4 note container log is stopped (Deleted); event Killing (after #1): the pod is deleted
#5 send SIGTERM to container log_0 (after #4, #1): the pod is deleted""",
        due=NOW + 30,
        waiting="grace for log, web",
    ),
    "grace goes on: signals are not repeated": Case(
        seen(DELETING, member("web"), member("log")),
        "nothing to do: grace for log, web",
        due=NOW + 25,
        waiting="grace for log, web",
        history=told(deleted("web"), signalled("web"), deleted("log"), signalled("log")),
    ),
    "grace goes on for the one that has not ended": Case(
        seen(DELETING, dead(member("web"), 143), member("log")),
        "nothing to do: grace for log",
        due=NOW + 25,
        waiting="grace for log",
        history=told(deleted("web"), signalled("web"), deleted("log"), signalled("log")),
    ),
    "another process takes over, which cannot read the spec: no second mark, its own signals": Case(
        seen(DELETING, member("web")),
        """\
#1 note container web is stopped (Deleted); event Killing: the pod is deleted
#2 send SIGTERM to container web_0 (after #1): the pod is deleted""",
        due=NOW + 30,
        waiting="grace for web",
        spec=None,
    ),
    "all have ended before the deadline: everything goes at once, the pause without a kill of its own": Case(
        seen(DELETING, dead(member("web"), 143), dead(member("log"), 0), volumes=VOLUMES),
        """\
#1 remove container web_0: the pod is deleted
#2 remove container log_0: the pod is deleted
#3 remove container pause_0_1030000.deleting: the pod is deleted
#4 remove volume html (after #1, #2, #3): the pod is deleted""",
    ),
    "the deadline has passed: everything goes, live members too": Case(
        seen(DELETING, member("web")),
        """\
#1 send SIGKILL to container pause_0_1030000.deleting: the pod is deleted
#2 remove container web_0 (after #1): the pod is deleted
#3 remove container pause_0_1030000.deleting (after #1): the pod is deleted""",
        deadline=NOW,
    ),
    "no grace: mark, pause and what runs with it in one go, what has ended beside them": Case(
        seen(pause(), member("web", 1), dead(member("web", 0)), volumes=VOLUMES),
        """\
#1 rename container pause_0 to pause_0_1000000.deleting: the deletion mark
#2 send SIGKILL to container pause_0 (after #1): the pod is deleted
#3 remove container web_1 (after #1, #2): the pod is deleted
#4 remove container web_0 (after #1): the pod is deleted
#5 remove container pause_0 (after #1, #2): the pod is deleted
#6 remove volume html (after #3, #4, #5): the pod is deleted""",
        deadline=NOW,
    ),
    "an isolated network is not the pod's alone (below)": Case(
        seen(DELETING, network=ISOLATED),
        """\
#1 remove container pause_0_1030000.deleting: the pod is deleted""",
    ),
    "the lease was lost: what is dead is marked and removed, without a kill": Case(
        seen(dead(pause(), 97), dead(member("web"), 137)),
        """\
#1 rename container pause_0 to pause_0_1030000.deleting: the deletion mark
#2 remove container web_0 (after #1): the pod is deleted
#3 remove container pause_0 (after #1): the pod is deleted""",
    ),
    "only volumes are left": Case(
        seen(volumes=VOLUMES, network=None),
        "#1 remove volume html: the pod is deleted",
    ),
    "only members are left, and they live: signals, with nothing to mark": Case(
        seen(member("web")),
        """\
#1 note container web is stopped (Deleted); event Killing: the pod is deleted
#2 send SIGTERM to container web_0 (after #1): the pod is deleted""",
        due=NOW + 30,
        waiting="grace for web",
    ),
    "nothing is left": Case(
        seen(network=None),
        "nothing to do",
    ),
    "members that were only made are not waited for": Case(
        seen(pause(), made(member("web"))),
        """\
#1 rename container pause_0 to pause_0_1030000.deleting: the deletion mark
#2 remove container web_0 (after #1): the pod is deleted
#3 remove container pause_0 (after #1): the pod is deleted""",
    ),
    "an init container runs: it is stopped, and nothing else comes": Case(
        seen(pause(), member("one")),
        """\
#1 rename container pause_0 to pause_0_1030000.deleting: the deletion mark
#2 note container one is stopped (Deleted); event Killing (after #1): the pod is deleted
#3 send SIGTERM to container one_0 (after #2, #1): the pod is deleted""",
        due=NOW + 30,
        waiting="grace for one",
        spec=replace(BASE, init_containers=(Container("one", "busybox:1"),)),
    ),
    "killed at once, whatever the grace": Case(
        seen(DELETING, member("web"), member("log")),
        """\
#1 send SIGKILL to container pause_0_1030000.deleting: the pod is deleted
#2 remove container web_0 (after #1): the pod is deleted
#3 remove container log_0 (after #1): the pod is deleted
#4 remove container pause_0_1030000.deleting (after #1): the pod is deleted""",
        history=told(deleted("web"), signalled("web")),
        kill=True,
    ),
    # hooks
    "preStop comes before the signal; who has none gets it at once": Case(
        seen(pause(), member("web"), member("log")),
        """\
#1 rename container pause_0 to pause_0_1030000.deleting: the deletion mark
#2 note container web is stopped (Deleted); event Killing (after #1): the pod is deleted
#3 begin preStop hook of container web (after #2, #1): the pod is deleted
#4 note container log is stopped (Deleted); event Killing (after #1): the pod is deleted
#5 send SIGTERM to container log_0 (after #4, #1): the pod is deleted""",
        due=NOW + 30,
        waiting="grace for log, web",
        spec=HOOKED,
    ),
    "preStop runs: its container waits": Case(
        seen(DELETING, member("web"), dead(member("log"))),
        "nothing to do: grace for web",
        due=NOW + 25,
        waiting="grace for web",
        spec=HOOKED,
        history=told(deleted("web"), hooked("web", "preStop", "began")),
    ),
    "preStop failed: the signal comes all the same": Case(
        seen(DELETING, member("web"), dead(member("log"))),
        "#1 send SIGTERM to container web_0: the pod is deleted",
        due=NOW + 25,
        waiting="grace for web",
        spec=HOOKED,
        history=told(deleted("web"), hooked("web", "preStop", "failed")),
    ),
    "preStop took the whole grace: the signal, and 2 s": Case(
        seen(DELETING, member("web"), dead(member("log"))),
        "#1 send SIGTERM to container web_0: the pod is deleted",
        due=NOW + 2,
        waiting="grace for web",
        spec=HOOKED,
        deadline=NOW,
        history=told(deleted("web", ago=30, left=0), hooked("web", "preStop", "began")),
    ),
    "preStop took nearly the whole grace: what is left of it, but 2 s at least": Case(
        seen(DELETING, member("web"), dead(member("log"))),
        "#1 send SIGTERM to container web_0: the pod is deleted",
        due=NOW + 2,
        waiting="grace for web",
        spec=HOOKED,
        deadline=NOW + 1,
        history=told(deleted("web", ago=29, left=1), hooked("web", "preStop", "done")),
    ),
    "preStop was quick: the rest of the grace is for the signal": Case(
        seen(DELETING, member("web"), dead(member("log"))),
        "nothing to do: grace for web",
        due=NOW + 25,
        waiting="grace for web",
        spec=HOOKED,
        history=told(deleted("web", ago=5, left=25), hooked("web", "preStop", "done"), signalled("web", 4)),
    ),
    "preStop took the whole grace, and so the 2 s: the pod goes": Case(
        seen(DELETING, member("web"), dead(member("log"))),
        """\
#1 send SIGKILL to container pause_0_1030000.deleting: the pod is deleted
#2 remove container web_0 (after #1): the pod is deleted
#3 remove container log_0: the pod is deleted
#4 remove container pause_0_1030000.deleting (after #1): the pod is deleted""",
        spec=HOOKED,
        deadline=NOW - 2,
        history=told(deleted("web", ago=32, left=-2), hooked("web", "preStop", "began"), signalled("web", 2)),
    ),
    "no grace: no preStop": Case(
        seen(pause(), member("web")),
        """\
#1 rename container pause_0 to pause_0_1000000.deleting: the deletion mark
#2 send SIGKILL to container pause_0 (after #1): the pod is deleted
#3 remove container web_0 (after #1, #2): the pod is deleted
#4 remove container pause_0 (after #1, #2): the pod is deleted""",
        spec=HOOKED,
        deadline=NOW,
    ),
    # sidecars
    "sidecars: their preStop begins at once, their signal comes after the containers": Case(
        seen(*ALL),
        """\
#1 note container first is stopped (Deleted); event Killing: the pod is deleted
#2 note container second is stopped (Deleted); event Killing: the pod is deleted
#3 begin preStop hook of container second (after #2): the pod is deleted
#4 note container web is stopped (Deleted); event Killing: the pod is deleted
#5 send SIGTERM to container web_0 (after #4): the pod is deleted""",
        due=NOW + 30,
        waiting="grace for first, second, web",
        spec=SERVED,
    ),
    "the containers have ended: the last sidecar": Case(
        seen(DELETING, member("first"), member("second"), dead(member("web"), 0)),
        "#1 send SIGTERM to container second_0: the pod is deleted",
        due=NOW + 25,
        waiting="grace for first, second",
        spec=SERVED,
        history=told(
            deleted("first"), deleted("second"), hooked("second", "preStop", "done"), deleted("web")
        ),
    ),
    "the last sidecar has ended: the one before it": Case(
        seen(DELETING, member("first"), dead(member("second"), 0), dead(member("web"), 0)),
        "#1 send SIGTERM to container first_0: the pod is deleted",
        due=NOW + 25,
        waiting="grace for first",
        spec=SERVED,
        history=told(deleted("first"), deleted("second"), deleted("web")),
    ),
    "a sidecar that is not there is not waited for": Case(
        seen(DELETING, member("first"), dead(member("web"), 0)),
        "#1 send SIGTERM to container first_0: the pod is deleted",
        due=NOW + 25,
        waiting="grace for first",
        spec=SERVED,
        history=told(deleted("first"), deleted("web")),
    ),
    "the containers took the whole grace: SIGKILL for them, and each sidecar has 2 s": Case(
        seen(*ALL),
        """\
#1 send SIGTERM to container first_0: the pod is deleted
#2 send SIGTERM to container second_0: the pod is deleted
#3 send SIGKILL to container web_0: the pod is deleted""",
        due=NOW + 2,
        waiting="grace for first, second",
        spec=SERVED,
        deadline=NOW,
        history=told(
            deleted("first", ago=30, left=0),
            deleted("second", ago=30, left=0),
            hooked("second", "preStop", "done"),
            deleted("web", ago=30, left=0),
            signalled("web", 30),
        ),
    ),
    "somebody who debugs the pod is ended with it, and holds up no sidecar": Case(
        seen(DELETING, member("first"), dead(member("web"), 0), debugger("shell")),
        "#1 send SIGTERM to container first_0: the pod is deleted",
        due=NOW + 25,
        waiting="grace for first, shell",
        spec=SERVED,
        history=told(deleted("first"), deleted("web"), deleted("shell"), signalled("shell")),
    ),
    # what was being stopped before
    "a stop that is under way keeps its own end, where that comes first": Case(
        seen(pause(), member("web")),
        "#1 rename container pause_0 to pause_0_1030000.deleting: the deletion mark",
        due=NOW + 3,
        waiting="grace for web",
        history=told(being_stopped("web", "Liveness", left=3), signalled("web")),
    ),
    "a stop that is under way ends with the pod, where that comes first": Case(
        seen(pause(), member("web")),
        "#1 rename container pause_0 to pause_0_1030000.deleting: the deletion mark",
        due=NOW + 30,
        waiting="grace for web",
        history=told(being_stopped("web", "Liveness", left=300), signalled("web")),
    ),
}


@pytest.mark.parametrize("sentence", ENDS)
def test_plan_teardown(sentence: str) -> None:
    case = ENDS[sentence]
    plan = case.run()
    assert short(plan) == case.plan
    assert plan.due == case.due
    assert plan.waiting == case.waiting
    for index, step in enumerate(plan.steps):
        assert all(before < index for before in step.after)
        assert step.action.cause


def test_an_isolated_network_goes_last_with_whatever_else_has_its_name() -> None:
    raced = replace(ISOLATED, id="net-2")
    flat = replace(NETWORK, labels=naming.network_labels(""))
    others = (
        flat,
        replace(ISOLATED, id="net-3", labels={}),
        replace(ISOLATED, labels=naming.network_labels("x")),
    )
    plan = stopping.plan_network_removal("ci", (ISOLATED, *others, raced))
    assert (
        str(plan)
        == """\
#1 remove network pypod_ci: its last pod may be gone
#2 remove network pypod_ci: its last pod may be gone"""
    )
    assert [step.action.id for step in plan.steps if isinstance(step.action, RemoveNetwork)] == [
        "net-1",
        "net-2",
    ]


@pytest.mark.parametrize("network", ["", "another"])
def test_the_flat_network_stays(network: str) -> None:
    assert not stopping.plan_network_removal(network, (NETWORK, ISOLATED))


def test_a_stop_is_written_down_before_anything_is_done() -> None:
    plan = Case(seen(DELETING, member("web"), member("log")), "", spec=HOOKED).run()
    writes = {}
    for index, step in enumerate(plan.steps):
        if isinstance(step.action, Write):
            note, event = step.action.entries
            assert isinstance(note, Stopping)
            assert isinstance(event, Event)
            assert (note.deadline, note.reason, note.sidecars) == (END, "Deleted", True)
            assert (event.reason, event.message) == ("Killing", f"Stopping container {note.container}")
            writes[note.container] = index
        elif isinstance(step.action, RunHook | KillContainer):
            assert writes[step.action.container] in step.after
    assert sorted(writes) == ["log", "web"]


def test_a_hook_may_take_the_grace_that_is_left() -> None:
    history = told(Stopping(NOW - 5, "web", 0, NOW + 8, "Liveness"))
    plan = Case(seen(DELETING, member("web")), "", spec=HOOKED, history=history).run()
    hook = plan.steps[0].action
    assert isinstance(hook, RunHook)
    assert (hook.hook, hook.id, hook.attempt, hook.timeout) == ("preStop", "web-0", 0, 8.0)


WORDS = {
    "Liveness": "Container web failed liveness probe, will be restarted",
    "Startup": "Container web failed startup probe, will be restarted",
    "PostStartHookError": "Container web failed its postStart hook",
    "Deleted": "Stopping container web",
    "SandboxChanged": "Stopping container web",
}


@pytest.mark.parametrize("reason", WORDS)
def test_the_event_of_a_stop_says_why(reason: str) -> None:
    info = member("web")
    builder = PlanBuilder()
    stop = stopping.Stop("web", info, told().record("web", 0), END, reason, "because")
    steps = stopping.StopSteps(builder, [stop], NOW)
    action = builder.steps[0].action
    assert isinstance(action, Write)
    event = action.entries[1]
    assert isinstance(event, Event)
    assert (event.message, event.container, event.type) == (WORDS[reason], "web", "Normal")
    assert (steps.due, steps.waiting) == ([END], ["web"])


def test_only_a_stop_signal_is_to_be_written_down() -> None:
    kills = [
        step.action
        for step in ENDS["no grace: mark, pause and what runs with it in one go, what has ended beside them"]
        .run()
        .steps
    ]
    assert [each.container for each in kills if isinstance(each, KillContainer)] == [""]
    plan = ENDS[
        "another process takes over, which cannot read the spec: no second mark, its own signals"
    ].run()
    signals = [step.action for step in plan.steps if isinstance(step.action, KillContainer)]
    assert [(each.container, each.attempt, each.signal) for each in signals] == [("web", 0, "SIGTERM")]


def test_a_pod_of_another_name_is_marked_with_its_own() -> None:
    plan = Case(seen(pause(3), member("web", sandbox=3)), "").run()
    assert str(plan).splitlines()[0] == (
        "#1 rename container pypod_default_shop_pause_3 to "
        f"{naming.deleting_name(KEY, 3, END)}: the deletion mark"
    )
