"""What is done next for a pod: one base pod, a sentence, what was seen, and the plan as it prints."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import pytest

from pypod.model import naming, planner
from pypod.model.journal import ContainerFailed, History
from pypod.model.naming import Owner, PodKey
from pypod.model.plan import CreateContainer, Plan, StartContainer
from pypod.model.planner import Desired
from pypod.model.requests import PodIdentity
from pypod.model.spec import Container, PodSpec, PullPolicy, RestartPolicy, Volume
from pypod.model.state import (
    ContainerInfo,
    ContainerState,
    ImageInfo,
    NetworkInfo,
    PodObservation,
    VolumeInfo,
)

NOW = 1000.0
KEY = PodKey("default", "shop", "0123456789abcdef")
IDENTITY = PodIdentity(KEY, Owner("boot", 1, 2, 3), leased=True)
BASE = PodSpec("shop", (Container("web", "nginx:1"), Container("log", "busybox:1")))
NETWORK = NetworkInfo("net-1", "pypod", "bridge", ("10.214.0.0/20",), naming.network_labels(""))
HERE = {name: ImageInfo(f"sha256:{name}", (name,)) for name in ("nginx:1", "busybox:1")}

FIRST_RUN = """\
#1 create container pypod_default_shop_pause_0: no sandbox
#2 attach channel pypod_default_shop_pause_0 (after #1): lease and journal
#3 start container pypod_default_shop_pause_0 (after #2): no sandbox
#4 create container pypod_default_shop_01234567_web_0 (after #1): not there yet
#5 start container pypod_default_shop_01234567_web_0 (after #4, #3): not there yet
#6 create container pypod_default_shop_01234567_log_0 (after #1): not there yet
#7 start container pypod_default_shop_01234567_log_0 (after #6, #3): not there yet"""


def pause(attempt: int = 0, **more: object) -> ContainerInfo:
    """A sandbox that runs, unless more is said."""
    info = ContainerInfo(
        id=f"pause-{attempt}",
        name=naming.pause_name(KEY, attempt),
        labels=naming.pause_labels(IDENTITY.labels, attempt, "{}", ""),
        state=ContainerState.RUNNING,
        image="pypod/pause:1",
        created_at=NOW - 100,
        started_at=NOW - 100,
        addresses={NETWORK.id: "10.214.0.2"},
    )
    return replace(info, **more)  # type: ignore[arg-type]


def member(name: str, attempt: int = 0, **more: object) -> ContainerInfo:
    """A member that runs, unless more is said."""
    info = ContainerInfo(
        id=f"{name}-{attempt}",
        name=naming.member_name(KEY, name, attempt),
        labels=naming.member_labels(IDENTITY.labels, name, attempt),
        state=ContainerState.RUNNING,
        image="sha256:1",
        created_at=NOW - 100,
        started_at=NOW - 100,
    )
    return replace(info, **more)  # type: ignore[arg-type]


def dead(info: ContainerInfo, code: int = 1, ago: float = 0.0) -> ContainerInfo:
    return replace(info, state=ContainerState.EXITED, exit_code=code, finished_at=NOW - ago, addresses={})


def made(info: ContainerInfo, **more: object) -> ContainerInfo:
    """Created, never started."""
    info = replace(info, state=ContainerState.CREATED, started_at=None, addresses={})
    return replace(info, **more)  # type: ignore[arg-type]


def seen(*infos: ContainerInfo, **more: object) -> PodObservation:
    """What the engine has, newest first, with network, images and pause image there."""
    members: dict[str, tuple[ContainerInfo, ...]] = {}
    for info in infos:
        if not naming.is_pause(info.labels):
            members[info.container] = (*members.get(info.container, ()), info)
    found = PodObservation(
        key=KEY,
        at=NOW,
        pauses=tuple(info for info in infos if naming.is_pause(info.labels)),
        members=members,
        network=NETWORK,
        taken_subnets=NETWORK.subnets,
        images=HERE,
        pause_image="pypod/pause:1",
        pause_image_present=True,
    )
    return replace(found, **more)  # type: ignore[arg-type]


def policy(value: RestartPolicy) -> Callable[[PodSpec], PodSpec]:
    return lambda spec: replace(spec, restart_policy=value)


def only_web(pull: PullPolicy | None = None) -> Callable[[PodSpec], PodSpec]:
    web = Container("web", "nginx:1", image_pull_policy=pull)
    return lambda spec: replace(spec, containers=(web,))


def steps(**by_container: int) -> History:
    return History(backoff_steps=MappingProxyType(by_container))


def failed(at: float) -> History:
    return History(failures={"web": ContainerFailed(at, "web", "ErrImagePull", "no such image")})


@dataclass(frozen=True)
class Case:
    """A row: what was seen, and what is planned. `spec` changes the base pod."""

    observed: PodObservation
    plan: str
    due: float | None = None
    waiting: str = ""
    spec: Callable[[PodSpec], PodSpec] = field(default=lambda spec: spec)
    history: History = field(default_factory=History)


BOTH_RUN = (pause(), member("web"), member("log"))
DELETING = pause(name=naming.deleting_name(KEY, 0, NOW + 30))
RESTART_WEB = """\
#1 create container pypod_default_shop_01234567_web_1: exited with code 1, restart 1, policy Always
#2 start container pypod_default_shop_01234567_web_1 (after #1): exited with code 1, restart 1, policy Always"""
ONE_MEMBER = """\
#1 create container pypod_default_shop_01234567_web_0: not there yet
#2 start container pypod_default_shop_01234567_web_0 (after #1): not there yet"""

CASES = {
    "a fresh pod: sandbox first, members made at once and started after it": Case(seen(), FIRST_RUN),
    "an engine that has nothing: pause image, network; the rest in the next pass": Case(
        seen(network=None, taken_subnets=(), pause_image_present=False),
        """\
#1 load image pypod/pause:1: the engine has not got the pause image
#2 create network pypod 10.214.0.0/20: the engine has not got the pod network""",
    ),
    "no default network: the first subnet that nothing overlaps": Case(
        seen(network=None, taken_subnets=("10.214.0.0/19", "172.17.0.0/16")),
        "#1 create network pypod 10.214.32.0/20: the engine has not got the pod network",
    ),
    "no subnet is free": Case(
        seen(network=None, taken_subnets=("10.0.0.0/8",)),
        "nothing to do: no subnet is free for the pod network",
        due=NOW + 10,
        waiting="no subnet is free for the pod network",
    ),
    "an isolated network that is not there": Case(
        seen(network=None, taken_subnets=()),
        "#1 create network pypod_ci 10.222.112.0/20: the engine has not got the pod network",
        spec=lambda spec: replace(spec, network="ci"),
    ),
    "volumes: each that is missing, before the sandbox": Case(
        seen(volumes=(VolumeInfo("pypod_default_shop_01234567_there", {}, 0.0),)),
        """\
#1 create volume pypod_default_shop_01234567_html: emptyDir begins empty
#2 create volume pypod_default_shop_01234567_mem: emptyDir begins empty
#3 create container pypod_default_shop_pause_0 (after #1, #2): no sandbox
#4 attach channel pypod_default_shop_pause_0 (after #3): lease and journal
#5 start container pypod_default_shop_pause_0 (after #4): no sandbox
#6 create container pypod_default_shop_01234567_web_0 (after #3): not there yet
#7 start container pypod_default_shop_01234567_web_0 (after #6, #5): not there yet""",
        spec=lambda spec: replace(
            only_web()(spec),
            volumes=(
                Volume.empty_dir("html"),
                Volume.empty_dir("there"),
                Volume.host_path("etc", "/etc"),
                Volume.empty_dir("mem", medium="Memory"),
            ),
        ),
    ),
    "everything runs: nothing": Case(seen(*BOTH_RUN), "nothing to do"),
    "a member is missing: it alone": Case(
        seen(pause(), member("log")),
        ONE_MEMBER,
    ),
    # images
    "Always, never pulled: pulled though it is there": Case(
        seen(pause()),
        """\
#1 pull image nginx:1: imagePullPolicy Always
#2 create container pypod_default_shop_01234567_web_0 (after #1): not there yet
#3 start container pypod_default_shop_01234567_web_0 (after #2): not there yet""",
        spec=only_web(PullPolicy.ALWAYS),
    ),
    "Always, pulled already: not again": Case(
        seen(pause()),
        ONE_MEMBER,
        spec=only_web(PullPolicy.ALWAYS),
        history=History(pulled={"nginx:1": NOW - 5}),
    ),
    "IfNotPresent, absent: pulled once for all who use it, beside the sandbox": Case(
        seen(pause(), images={"nginx:1": None}),
        """\
#1 pull image nginx:1: not on the engine, imagePullPolicy IfNotPresent
#2 create container pypod_default_shop_01234567_a_0 (after #1): not there yet
#3 start container pypod_default_shop_01234567_a_0 (after #2): not there yet
#4 create container pypod_default_shop_01234567_b_0 (after #1): not there yet
#5 start container pypod_default_shop_01234567_b_0 (after #4): not there yet""",
        spec=lambda spec: replace(spec, containers=(Container("a", "nginx:1"), Container("b", "nginx:1"))),
    ),
    "a fresh pod whose image is absent: pull and sandbox at the same time": Case(
        seen(images={"nginx:1": None}),
        """\
#1 pull image nginx:1: not on the engine, imagePullPolicy IfNotPresent
#2 create container pypod_default_shop_pause_0: no sandbox
#3 attach channel pypod_default_shop_pause_0 (after #2): lease and journal
#4 start container pypod_default_shop_pause_0 (after #3): no sandbox
#5 create container pypod_default_shop_01234567_web_0 (after #2, #1): not there yet
#6 start container pypod_default_shop_01234567_web_0 (after #5, #4): not there yet""",
        spec=only_web(),
    ),
    "Never, absent: nothing but to wait": Case(
        seen(pause(), images={"nginx:1": None}),
        "nothing to do: container web: image nginx:1 is not on the engine",
        waiting="container web: image nginx:1 is not on the engine",
        spec=only_web(PullPolicy.NEVER),
    ),
    "Never, there: used": Case(
        seen(pause()),
        ONE_MEMBER,
        spec=only_web(PullPolicy.NEVER),
    ),
    "an image that could not be had 4 s ago: again in 6 s": Case(
        seen(pause(), images={"nginx:1": None}),
        "nothing to do: container web: ErrImagePull",
        due=NOW + 6,
        waiting="container web: ErrImagePull",
        spec=only_web(),
        history=failed(NOW - 4),
    ),
    "an image that could not be had 10 s ago: now": Case(
        seen(pause(), images={"nginx:1": None}),
        """\
#1 pull image nginx:1: not on the engine, imagePullPolicy IfNotPresent
#2 create container pypod_default_shop_01234567_web_0 (after #1): not there yet
#3 start container pypod_default_shop_01234567_web_0 (after #2): not there yet""",
        spec=only_web(),
        history=failed(NOW - 10),
    ),
    "one has ended for good: its image is not pulled though it is gone": Case(
        seen(pause(), dead(member("web"), 0), images={"nginx:1": None}),
        "nothing to do",
        spec=lambda spec: policy(RestartPolicy.NEVER)(only_web()(spec)),
    ),
    "a container whose image went while it runs: nothing": Case(
        seen(*BOTH_RUN, images={"nginx:1": None, "busybox:1": None}), "nothing to do"
    ),
    # restarts
    "a member crashed, first restart: at once, and the other is left alone": Case(
        seen(pause(), dead(member("web")), member("log")), RESTART_WEB
    ),
    "a member crashed again, back-off not over": Case(
        seen(pause(), dead(member("web", 3), ago=1), dead(member("web", 2), ago=9), member("log")),
        "nothing to do: container web: back-off 4s",
        due=NOW + 3,
        waiting="container web: back-off 4s",
        history=steps(web=3),
    ),
    "a member crashed again, back-off over: all dead instances but the last are removed": Case(
        seen(
            pause(),
            dead(member("web", 3), code=2, ago=4),
            dead(member("web", 2)),
            dead(member("web", 1)),
            member("log"),
        ),
        """\
#1 remove container pypod_default_shop_01234567_web_2: only the last dead instance is kept
#2 remove container pypod_default_shop_01234567_web_1: only the last dead instance is kept
#3 create container pypod_default_shop_01234567_web_4: exited with code 2, restart 4, policy Always
#4 start container pypod_default_shop_01234567_web_4 (after #3): exited with code 2, restart 4, policy Always""",
        history=steps(web=3),
    ),
    "two back-offs: the earlier one is when to look again": Case(
        seen(pause(), dead(member("web", 3)), dead(member("log", 1))),
        "nothing to do: container web: back-off 4s; container log: back-off 1s",
        due=NOW + 1,
        waiting="container web: back-off 4s; container log: back-off 1s",
        history=steps(web=3, log=1),
    ),
    "one is due, the other is not: the due one, and when to look again": Case(
        seen(pause(), dead(member("web")), dead(member("log", 1))),
        RESTART_WEB,
        due=NOW + 1,
        waiting="container log: back-off 1s",
        history=steps(log=1),
    ),
    "back-off over after 10 minutes of running": Case(
        seen(pause(), dead(member("web", 7, started_at=NOW - 601)), member("log")),
        RESTART_WEB.replace("web_1", "web_8").replace("restart 1", "restart 8"),
        history=steps(web=7),
    ),
    "Never: what has ended stays so": Case(
        seen(pause(), dead(member("web"), 1), dead(member("log"), 0)),
        "nothing to do",
        spec=policy(RestartPolicy.NEVER),
    ),
    "OnFailure: 1 is restarted, 0 is not": Case(
        seen(pause(), dead(member("web"), 1), dead(member("log"), 0)),
        RESTART_WEB.replace("Always", "OnFailure"),
        spec=policy(RestartPolicy.ON_FAILURE),
    ),
    "Always: also 0 is restarted": Case(
        seen(pause(), dead(member("web"), 0), member("log")),
        RESTART_WEB.replace("code 1", "code 0"),
    ),
    "made but not started: started": Case(
        seen(pause(), made(member("web", 2)), dead(member("web", 1)), member("log")),
        "#1 start container pypod_default_shop_01234567_web_2: made but not started",
    ),
    "the engine could not start it: restarted as one that ended": Case(
        seen(
            pause(), made(member("web", created_at=NOW), exit_code=127, error="no such file"), member("log")
        ),
        RESTART_WEB.replace("code 1", "code 127"),
    ),
    "the engine is just removing an instance: wait for it to be gone": Case(
        seen(pause(), member("web", state=ContainerState.REMOVING), member("log")), "nothing to do"
    ),
    # the sandbox
    "the pause died: who outlived it is killed, and nothing else": Case(
        seen(dead(pause(), 137), member("web"), dead(member("log"), 137)),
        "#1 send SIGKILL to container pypod_default_shop_01234567_web_0: its sandbox is not running",
    ),
    "the pause died and its members with it: a new sandbox and new members, back-off or not": Case(
        seen(dead(pause(), 137), dead(member("web", 4), 137), dead(member("log"), 137)),
        """\
#1 create container pypod_default_shop_pause_1: sandbox pypod_default_shop_pause_0 is not running
#2 attach channel pypod_default_shop_pause_1 (after #1): lease and journal
#3 start container pypod_default_shop_pause_1 (after #2): sandbox pypod_default_shop_pause_0 is not running
#4 remove container pypod_default_shop_pause_0 (after #3): an older sandbox
#5 create container pypod_default_shop_01234567_web_5 (after #1): exited with code 137, restart 5, policy Always
#6 start container pypod_default_shop_01234567_web_5 (after #5, #3): exited with code 137, restart 5, policy Always
#7 create container pypod_default_shop_01234567_log_1 (after #1): exited with code 137, restart 1, policy Always
#8 start container pypod_default_shop_01234567_log_1 (after #7, #3): exited with code 137, restart 1, policy Always""",
        history=steps(web=4),
    ),
    "the pause was removed, its members have ended: attempt 1, since the first is not known": Case(
        seen(dead(member("web"), 137)),
        """\
#1 create container pypod_default_shop_pause_1: no sandbox
#2 attach channel pypod_default_shop_pause_1 (after #1): lease and journal
#3 start container pypod_default_shop_pause_1 (after #2): no sandbox
#4 create container pypod_default_shop_01234567_web_1 (after #1): exited with code 137, restart 1, policy Always
#5 start container pypod_default_shop_01234567_web_1 (after #4, #3): exited with code 137, restart 1, policy Always""",
        spec=only_web(),
    ),
    "a member was made for the sandbox that died: made anew, since it names that one's ID": Case(
        seen(dead(pause(), 137), made(member("web"))),
        """\
#1 create container pypod_default_shop_pause_1: sandbox pypod_default_shop_pause_0 is not running
#2 attach channel pypod_default_shop_pause_1 (after #1): lease and journal
#3 start container pypod_default_shop_pause_1 (after #2): sandbox pypod_default_shop_pause_0 is not running
#4 remove container pypod_default_shop_pause_0 (after #3): an older sandbox
#5 create container pypod_default_shop_01234567_web_1 (after #1): its sandbox changed
#6 start container pypod_default_shop_01234567_web_1 (after #5, #3): its sandbox changed""",
        spec=only_web(),
    ),
    "the sandbox was made and not started: it is started": Case(
        seen(made(pause()), made(member("web"))),
        """\
#1 attach channel pypod_default_shop_pause_0: lease and journal
#2 start container pypod_default_shop_pause_0 (after #1): the sandbox was made but not started
#3 create container pypod_default_shop_01234567_web_1: its sandbox changed
#4 start container pypod_default_shop_01234567_web_1 (after #3, #2): its sandbox changed""",
        spec=only_web(),
    ),
    "the engine could not start the sandbox: not again in a hurry": Case(
        seen(made(pause(3, created_at=NOW - 1), exit_code=128, error="port is taken")),
        "nothing to do: the sandbox could not be started: port is taken",
        due=NOW + 7,
        waiting="the sandbox could not be started: port is taken",
    ),
    "the engine could not start the sandbox, a while ago: another one": Case(
        seen(made(pause(), exit_code=128, error="port is taken"), pause(0, id="older", name="older")),
        """\
#1 create container pypod_default_shop_pause_1: sandbox pypod_default_shop_pause_0 is not running
#2 attach channel pypod_default_shop_pause_1 (after #1): lease and journal
#3 start container pypod_default_shop_pause_1 (after #2): sandbox pypod_default_shop_pause_0 is not running
#4 remove container pypod_default_shop_pause_0 (after #3): an older sandbox
#5 remove container older (after #3): an older sandbox
#6 create container pypod_default_shop_01234567_web_0 (after #1): not there yet
#7 start container pypod_default_shop_01234567_web_0 (after #6, #3): not there yet""",
        spec=only_web(),
    ),
    "Never: the pause died, and there is no second sandbox": Case(
        seen(dead(pause(), 137), dead(member("web"), 137), dead(member("log"), 0)),
        "nothing to do: the sandbox ended, and no container of the pod is started again",
        waiting="the sandbox ended, and no container of the pod is started again",
        spec=policy(RestartPolicy.NEVER),
    ),
    # Source: kuberuntime_manager.go computePodActions: no sandbox where no container would be started in it.
    "OnFailure: the pause died after all had succeeded, and there is no second sandbox": Case(
        seen(dead(pause(), 137), dead(member("web"), 0), dead(member("log"), 0)),
        "nothing to do: the sandbox ended, and no container of the pod is started again",
        waiting="the sandbox ended, and no container of the pod is started again",
        spec=policy(RestartPolicy.ON_FAILURE),
    ),
    "OnFailure: the pause died, one had failed: a new sandbox for it alone": Case(
        seen(dead(pause(), 137), dead(member("web"), 137), dead(member("log"), 0)),
        """\
#1 create container pypod_default_shop_pause_1: sandbox pypod_default_shop_pause_0 is not running
#2 attach channel pypod_default_shop_pause_1 (after #1): lease and journal
#3 start container pypod_default_shop_pause_1 (after #2): sandbox pypod_default_shop_pause_0 is not running
#4 remove container pypod_default_shop_pause_0 (after #3): an older sandbox
#5 create container pypod_default_shop_01234567_web_1 (after #1): exited with code 137, restart 1, policy OnFailure
#6 start container pypod_default_shop_01234567_web_1 (after #5, #3): exited with code 137, restart 1, policy OnFailure""",
        spec=policy(RestartPolicy.ON_FAILURE),
    ),
    "Never: the pause died before any member was made: a sandbox like the first": Case(
        seen(dead(pause(), 137)),
        """\
#1 create container pypod_default_shop_pause_1: sandbox pypod_default_shop_pause_0 is not running
#2 attach channel pypod_default_shop_pause_1 (after #1): lease and journal
#3 start container pypod_default_shop_pause_1 (after #2): sandbox pypod_default_shop_pause_0 is not running
#4 remove container pypod_default_shop_pause_0 (after #3): an older sandbox
#5 create container pypod_default_shop_01234567_web_0 (after #1): not there yet
#6 start container pypod_default_shop_01234567_web_0 (after #5, #3): not there yet""",
        spec=lambda spec: policy(RestartPolicy.NEVER)(only_web()(spec)),
    ),
    # the end
    "marked as to go: nothing, even with a member that crashed": Case(
        seen(DELETING, dead(member("web"))),
        "nothing to do: the pod is being deleted",
        waiting="the pod is being deleted",
    ),
    "the lease was lost: nothing, though members outlived it": Case(
        seen(dead(pause(), 97), member("web")),
        "nothing to do: the pod's lease was lost",
        waiting="the pod's lease was lost",
    ),
}


def sync(case: Case) -> Plan:
    return planner.plan_sync(Desired(case.spec(BASE), IDENTITY), case.observed, case.history, NOW)


@pytest.mark.parametrize("sentence", CASES)
def test_plan_sync(sentence: str) -> None:
    case = CASES[sentence]
    plan = sync(case)
    assert str(plan) == case.plan
    assert plan.due == case.due
    assert plan.waiting == case.waiting


@pytest.mark.parametrize("sentence", CASES)
def test_steps_wait_only_for_earlier_ones(sentence: str) -> None:
    plan = sync(CASES[sentence])
    for index, step in enumerate(plan.steps):
        assert all(before < index for before in step.after)


def test_planning_is_repeatable_and_changes_nothing() -> None:
    observed = seen(dead(pause(), 137), dead(member("web"), 137), dead(member("log"), 137))
    before = repr(observed)
    desired = Desired(BASE, IDENTITY)
    assert planner.plan_sync(desired, observed, History(), NOW) == planner.plan_sync(
        desired, observed, History(), NOW
    )
    assert repr(observed) == before


def test_an_image_is_used_by_id_once_it_is_here_and_by_name_after_a_pull() -> None:
    here = sync(Case(seen(pause()), "", spec=only_web()))
    pulled = sync(Case(seen(pause()), "", spec=only_web(PullPolicy.ALWAYS)))
    images = [
        step.action.request.image
        for plan in (here, pulled)
        for step in plan.steps
        if isinstance(step.action, CreateContainer)
    ]
    assert images == ["sha256:nginx:1", "nginx:1"]


def test_a_restart_carries_its_attempt_and_its_place_in_the_back_off() -> None:
    crashed = seen(pause(), dead(member("web", 4), ago=100), member("log"))
    plan = planner.plan_sync(Desired(BASE, IDENTITY), crashed, steps(web=2), NOW)
    start = plan.steps[-1].action
    assert isinstance(start, StartContainer)
    assert (start.attempt, start.backoff_step) == (5, 3)


def test_members_name_the_sandbox_that_is_there() -> None:
    plan = planner.plan_sync(Desired(BASE, IDENTITY), seen(pause(2), member("log")), History(), NOW)
    create = plan.steps[0].action
    assert isinstance(create, CreateContainer)
    assert create.request.network_mode == "container:pypod_default_shop_pause_2"


# --- teardown --------------------------------------------------------------------------------------------------------

END = NOW + 30
MARK = "rename container pypod_default_shop_pause_0 to pypod_default_shop_01234567_pause_0_1030000.deleting"
ISOLATED = replace(NETWORK, name="pypod_ci", labels=naming.network_labels("ci"))
VOLUMES = (VolumeInfo("pypod_default_shop_01234567_html", {}, 0.0),)


@dataclass(frozen=True)
class End:
    """A row: what is left of a pod, and how it goes."""

    observed: PodObservation
    plan: str
    deadline: float = END
    signalled: frozenset[str] = frozenset()
    due: float | None = None


ENDS = {
    "grace begins: the mark, then the stop signals, each image's own": End(
        seen(pause(), member("web", stop_signal="SIGQUIT"), member("log"), volumes=VOLUMES),
        f"""\
#1 {MARK}: the deletion mark
#2 send SIGQUIT to container pypod_default_shop_01234567_web_0 (after #1): the pod is deleted
#3 send SIGTERM to container pypod_default_shop_01234567_log_0 (after #1): the pod is deleted""",
        due=END,
    ),
    "grace goes on: signals are not repeated": End(
        seen(DELETING, member("web"), member("log")),
        "nothing to do: grace for log, web",
        signalled=frozenset({"web-0", "log-0"}),
        due=END,
    ),
    "grace goes on for the one that has not ended": End(
        seen(DELETING, dead(member("web"), 143), member("log")),
        "nothing to do: grace for log",
        signalled=frozenset({"web-0", "log-0"}),
        due=END,
    ),
    "another process takes over: no second mark, its own signals": End(
        seen(DELETING, member("web")),
        "#1 send SIGTERM to container pypod_default_shop_01234567_web_0: the pod is deleted",
        due=END,
    ),
    "all have ended before the deadline: everything goes, the pause first": End(
        seen(DELETING, dead(member("web"), 143), dead(member("log"), 0), volumes=VOLUMES),
        f"""\
#1 send SIGKILL to container {DELETING.name}: the pod is deleted
#2 remove container pypod_default_shop_01234567_web_0 (after #1): the pod is deleted
#3 remove container pypod_default_shop_01234567_log_0 (after #1): the pod is deleted
#4 remove container {DELETING.name} (after #1): the pod is deleted
#5 remove volume pypod_default_shop_01234567_html (after #2, #3, #4): the pod is deleted""",
    ),
    "the deadline has passed: everything goes, live members too": End(
        seen(DELETING, member("web")),
        f"""\
#1 send SIGKILL to container {DELETING.name}: the pod is deleted
#2 remove container pypod_default_shop_01234567_web_0 (after #1): the pod is deleted
#3 remove container {DELETING.name} (after #1): the pod is deleted""",
        deadline=NOW,
    ),
    "no grace: mark, pause and all the rest in one go": End(
        seen(pause(), member("web", 1), dead(member("web", 0)), volumes=VOLUMES),
        """\
#1 rename container pypod_default_shop_pause_0 to pypod_default_shop_01234567_pause_0_1000000.deleting: the deletion mark
#2 send SIGKILL to container pypod_default_shop_pause_0 (after #1): the pod is deleted
#3 remove container pypod_default_shop_01234567_web_1 (after #1, #2): the pod is deleted
#4 remove container pypod_default_shop_01234567_web_0 (after #1, #2): the pod is deleted
#5 remove container pypod_default_shop_pause_0 (after #1, #2): the pod is deleted
#6 remove volume pypod_default_shop_01234567_html (after #3, #4, #5): the pod is deleted""",
        deadline=NOW,
    ),
    "an isolated network goes with the pod; the default one stays (above)": End(
        seen(DELETING, network=ISOLATED),
        f"""\
#1 send SIGKILL to container {DELETING.name}: the pod is deleted
#2 remove container {DELETING.name} (after #1): the pod is deleted
#3 remove network pypod_ci (after #2): its last pod may be gone""",
    ),
    "the lease was lost: what is dead is marked and removed, without a kill": End(
        seen(dead(pause(), 97), dead(member("web"), 137)),
        f"""\
#1 {MARK}: the deletion mark
#2 remove container pypod_default_shop_01234567_web_0 (after #1): the pod is deleted
#3 remove container pypod_default_shop_pause_0 (after #1): the pod is deleted""",
    ),
    "only volumes are left": End(
        seen(volumes=VOLUMES, network=None),
        "#1 remove volume pypod_default_shop_01234567_html: the pod is deleted",
    ),
    "only members are left, and they live: signals, with nothing to mark": End(
        seen(member("web")),
        "#1 send SIGTERM to container pypod_default_shop_01234567_web_0: the pod is deleted",
        due=END,
    ),
    "nothing is left": End(seen(network=None), "nothing to do"),
}


@pytest.mark.parametrize("sentence", ENDS)
def test_plan_teardown(sentence: str) -> None:
    end = ENDS[sentence]
    plan = planner.plan_teardown(end.observed, deadline=end.deadline, signalled=end.signalled, now=NOW)
    assert str(plan) == end.plan
    assert plan.due == end.due


def test_a_plan_is_true_when_there_is_something_to_do() -> None:
    assert planner.plan_sync(Desired(BASE, IDENTITY), seen(), History(), NOW)
    assert not planner.plan_sync(Desired(BASE, IDENTITY), seen(*BOTH_RUN), History(), NOW)


def test_every_action_says_its_cause() -> None:
    plan = sync(CASES["a fresh pod: sandbox first, members made at once and started after it"])
    assert all(step.action.cause for step in plan.steps)
