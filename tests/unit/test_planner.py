"""What is done next for a pod and its sandbox: one base pod, a sentence, what was seen, and the plan as it prints."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from pypod.model.life import planner
from pypod.model.life.desired import Desired
from pypod.model.life.history import History
from pypod.model.life.journal import Address, ContainerFailed, Pulled
from pypod.model.life.plan import CreateContainer, Plan, StartContainer
from pypod.model.spec.pod import BackoffProfile, Container, PodSpec, PullPolicy, Volume
from pypod.model.wiring.state import ContainerState, NetworkInfo, VolumeInfo
from tests.unit.pods import (
    BASE,
    BOTH_RUN,
    DELETING,
    HERE,
    IDENTITY,
    NETWORK,
    NEVER,
    NOW,
    ON_FAILURE,
    Case,
    dead,
    made,
    member,
    pause,
    policy,
    seen,
    short,
    started,
    told,
)


def only_web(pull: PullPolicy | None = None) -> Callable[[PodSpec], PodSpec]:
    web = Container("web", "nginx:1", image_pull_policy=pull)
    return lambda spec: replace(spec, containers=(web,))


def two(
    first: str, second: str, pull: PullPolicy | None = None, other: PullPolicy | None = None
) -> Callable[[PodSpec], PodSpec]:
    """Two containers of one image."""
    containers = (
        Container(first, "nginx:1", image_pull_policy=pull),
        Container(second, "nginx:1", image_pull_policy=other),
    )
    return lambda spec: replace(spec, containers=containers)


def steps(sandbox: int = 0, **attempts: tuple[int, int]) -> History:
    """By container: the newest attempt, and how far the back-off had come with its start."""
    return told(
        *(started(name, attempt, step=step, sandbox=sandbox) for name, (attempt, step) in attempts.items())
    )


def failed(at: float, reason: str = "ErrImagePull", count: int = 1) -> ContainerFailed:
    return ContainerFailed(at, "web", reason, "no such image", count)


PORT_TAKEN = "Error starting userland proxy: listen tcp4 0.0.0.0:80: bind: address already in use"
IP_TAKEN = "Address already in use"
ELSEWHERE = NetworkInfo("net-2", "pypod", "bridge", ("10.214.16.0/20",), NETWORK.labels)
FIRST_RUN = """\
#1 create container pause_0: no sandbox
#2 attach channel pause_0 (after #1): lease and journal
#3 start container pause_0 (after #2): no sandbox
#4 create container web_0 (after #1): not there yet
#5 start container web_0 (after #4, #3): not there yet
#6 create container log_0 (after #1): not there yet
#7 start container log_0 (after #6, #3): not there yet"""
RESTART_WEB = """\
#1 create container web_1: exited with code 1, restart 1, policy Always
#2 start container web_1 (after #1): exited with code 1, restart 1, policy Always"""
ONE_MEMBER = """\
#1 create container web_0: not there yet
#2 start container web_0 (after #1): not there yet"""
SECOND_SANDBOX = """\
#1 create container pause_1: sandbox pypod_default_shop_pause_0 is not running
#2 attach channel pause_1 (after #1): lease and journal
#3 start container pause_1 (after #2): sandbox pypod_default_shop_pause_0 is not running
#4 remove container pause_0 (after #3): an older sandbox
#5 create container web_0 (after #1): not there yet
#6 start container web_0 (after #5, #3): not there yet""".replace("sandbox pypod_default_shop_", "sandbox ")

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
#1 create volume html: emptyDir begins empty
#2 create volume mem: emptyDir begins empty
#3 create container pause_0 (after #1, #2): no sandbox
#4 attach channel pause_0 (after #3): lease and journal
#5 start container pause_0 (after #4): no sandbox
#6 create container web_0 (after #3): not there yet
#7 start container web_0 (after #6, #5): not there yet""",
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
    "a member is missing: it alone": Case(seen(pause(), member("log")), ONE_MEMBER),
    # images
    "Always, never pulled: pulled though it is there": Case(
        seen(pause()),
        "#1 pull image nginx:1: imagePullPolicy Always",
        waiting="container web: image nginx:1 is being pulled",
        spec=only_web(PullPolicy.ALWAYS),
    ),
    "Always, pulled already: not again": Case(
        seen(pause()),
        ONE_MEMBER,
        spec=only_web(PullPolicy.ALWAYS),
        history=told(Pulled(NOW - 5, "nginx:1")),
    ),
    "IfNotPresent, absent: pulled once for all who use it": Case(
        seen(pause(), images={"nginx:1": None}),
        "#1 pull image nginx:1: not on the engine, imagePullPolicy IfNotPresent",
        waiting="container a: image nginx:1 is being pulled; container b: image nginx:1 is being pulled",
        spec=two("a", "b"),
    ),
    "a fresh pod whose image is absent: pull and sandbox at the same time": Case(
        seen(images={"nginx:1": None}),
        """\
#1 create container pause_0: no sandbox
#2 attach channel pause_0 (after #1): lease and journal
#3 start container pause_0 (after #2): no sandbox
#4 pull image nginx:1: not on the engine, imagePullPolicy IfNotPresent""",
        waiting="container web: image nginx:1 is being pulled",
        spec=only_web(),
    ),
    "an image is absent: who needs it waits, the other one is made": Case(
        seen(pause(), images={**HERE, "nginx:1": None}),
        """\
#1 pull image nginx:1: not on the engine, imagePullPolicy IfNotPresent
#2 create container log_0: not there yet
#3 start container log_0 (after #2): not there yet""",
        waiting="container web: image nginx:1 is being pulled",
    ),
    "an image is being pulled: not again, and the other one is restarted": Case(
        seen(pause(), dead(member("log")), images={**HERE, "nginx:1": None}),
        """\
#1 create container log_1: exited with code 1, restart 1, policy Always
#2 start container log_1 (after #1): exited with code 1, restart 1, policy Always""",
        waiting="container web: image nginx:1 is being pulled",
        pulling=frozenset({"nginx:1"}),
    ),
    "another image is being pulled: that says nothing of this one": Case(
        seen(pause(), member("log"), images={**HERE, "nginx:1": None}),
        "#1 pull image nginx:1: not on the engine, imagePullPolicy IfNotPresent",
        waiting="container web: image nginx:1 is being pulled",
        pulling=frozenset({"redis:1"}),
    ),
    "Always, and Never, of one image that is being pulled: who need not wait does not": Case(
        seen(pause()),
        """\
#1 create container b_0: not there yet
#2 start container b_0 (after #1): not there yet""",
        waiting="container a: image nginx:1 is being pulled",
        spec=two("a", "b", PullPolicy.ALWAYS, PullPolicy.NEVER),
        pulling=frozenset({"nginx:1"}),
    ),
    # What is being pulled was looked up before the journal was read, and that before the engine was looked at.
    "Always, it was being pulled, and has come since": Case(
        seen(pause()),
        ONE_MEMBER,
        spec=only_web(PullPolicy.ALWAYS),
        history=told(Pulled(NOW, "nginx:1")),
        pulling=frozenset({"nginx:1"}),
    ),
    "IfNotPresent, it was being pulled, and is there since": Case(
        seen(pause()), ONE_MEMBER, spec=only_web(), pulling=frozenset({"nginx:1"})
    ),
    "it was being pulled, and could not be had since": Case(
        seen(pause(), images={"nginx:1": None}),
        "nothing to do: container web: ErrImagePull",
        due=NOW + 10,
        waiting="container web: ErrImagePull",
        spec=only_web(),
        history=told(failed(NOW)),
        pulling=frozenset({"nginx:1"}),
    ),
    "it came 4 s ago, and is gone: somebody removes images; again in 6 s": Case(
        seen(pause(), images={"nginx:1": None}),
        "nothing to do: container web: image nginx:1 was pulled, and is not on the engine",
        due=NOW + 6,
        waiting="container web: image nginx:1 was pulled, and is not on the engine",
        spec=only_web(),
        history=told(Pulled(NOW - 4, "nginx:1")),
    ),
    "it came 10 s ago, and is gone: now": Case(
        seen(pause(), images={"nginx:1": None}),
        "#1 pull image nginx:1: not on the engine, imagePullPolicy IfNotPresent",
        waiting="container web: image nginx:1 is being pulled",
        spec=only_web(),
        history=told(Pulled(NOW - 10, "nginx:1")),
    ),
    "the volume of its messages is not there yet: it is pulled beside that": Case(
        seen(images={"nginx:1": None}),
        """\
#1 create volume _messages: for termination messages
#2 create container pause_0 (after #1): no sandbox
#3 attach channel pause_0 (after #2): lease and journal
#4 start container pause_0 (after #3): no sandbox
#5 pull image nginx:1: not on the engine, imagePullPolicy IfNotPresent""",
        waiting="container web: image nginx:1 is being pulled",
        spec=lambda spec: replace(
            spec, containers=(Container("web", "nginx:1", termination_message_path="/end"),)
        ),
    ),
    "its sandbox died while it is being pulled: a new one, and the pull goes on": Case(
        seen(dead(pause(), 137), images={"nginx:1": None}),
        """\
#1 create container pause_1: sandbox pause_0 is not running
#2 attach channel pause_1 (after #1): lease and journal
#3 start container pause_1 (after #2): sandbox pause_0 is not running
#4 remove container pause_0 (after #3): an older sandbox""",
        waiting="container web: image nginx:1 is being pulled",
        spec=only_web(),
        pulling=frozenset({"nginx:1"}),
    ),
    "Never, absent: nothing but to wait": Case(
        seen(pause(), images={"nginx:1": None}),
        "nothing to do: container web: image nginx:1 is not on the engine",
        waiting="container web: image nginx:1 is not on the engine",
        spec=only_web(PullPolicy.NEVER),
    ),
    "Never, there: used": Case(seen(pause()), ONE_MEMBER, spec=only_web(PullPolicy.NEVER)),
    "an image that could not be had 4 s ago: again in 6 s": Case(
        seen(pause(), images={"nginx:1": None}),
        "nothing to do: container web: ErrImagePull",
        due=NOW + 6,
        waiting="container web: ErrImagePull",
        spec=only_web(),
        history=told(failed(NOW - 4)),
    ),
    "an image that could not be had 10 s ago: now": Case(
        seen(pause(), images={"nginx:1": None}),
        "#1 pull image nginx:1: not on the engine, imagePullPolicy IfNotPresent",
        waiting="container web: image nginx:1 is being pulled",
        spec=only_web(),
        history=told(failed(NOW - 10)),
    ),
    "an image that could not be had 4 s ago, and is there since: used": Case(
        seen(pause()), ONE_MEMBER, spec=only_web(), history=told(failed(NOW - 4))
    ),
    "an image of Always that could not be had 4 s ago: not used, though it is there": Case(
        seen(pause()),
        "nothing to do: container web: ErrImagePull",
        due=NOW + 6,
        waiting="container web: ErrImagePull",
        spec=only_web(PullPolicy.ALWAYS),
        history=told(failed(NOW - 4)),
    ),
    "what the engine would not make is tried again after 10 s, however often": Case(
        seen(pause()),
        "nothing to do: container web: CreateContainerError",
        due=NOW + 6,
        waiting="container web: CreateContainerError",
        spec=only_web(),
        history=told(failed(NOW - 4, "CreateContainerError", 9)),
    ),
    "one has ended for good: its image is not pulled though it is gone": Case(
        seen(pause(), dead(member("web"), 0), member("log"), images={"nginx:1": None}),
        "nothing to do",
        spec=policy(NEVER),
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
        history=steps(web=(3, 3)),
    ),
    "the same with Kubernetes' classic figures": Case(
        seen(pause(), dead(member("web", 3), ago=1), dead(member("web", 2), ago=9), member("log")),
        "nothing to do: container web: back-off 40s",
        due=NOW + 39,
        waiting="container web: back-off 40s",
        history=steps(web=(3, 3)),
        spec=lambda spec: replace(spec, restart_backoff=BackoffProfile.CLASSIC),
    ),
    "a member crashed again, back-off over: the older dead instance goes when the next one is made": Case(
        seen(
            pause(),
            dead(member("web", 3), code=2, ago=4),
            dead(member("web", 2)),
            dead(member("web", 1)),
            member("log"),
        ),
        """\
#1 remove container web_1: only the last dead instance is kept
#2 create container web_4: exited with code 2, restart 4, policy Always
#3 start container web_4 (after #2): exited with code 2, restart 4, policy Always
#4 remove container web_2 (after #2): only the last dead instance is kept""",
        history=steps(web=(3, 3)),
    ),
    "a removal that did not come about is made up for while the next one runs": Case(
        seen(pause(), member("web", 3), dead(member("web", 2)), dead(member("web", 1)), member("log")),
        "#1 remove container web_1: only the last dead instance is kept",
        history=steps(web=(3, 3)),
    ),
    "two back-offs: the earlier one is when to look again": Case(
        seen(pause(), dead(member("web", 3)), dead(member("log", 1))),
        "nothing to do: container web: back-off 4s; container log: back-off 1s",
        due=NOW + 1,
        waiting="container web: back-off 4s; container log: back-off 1s",
        history=steps(web=(3, 3), log=(1, 1)),
    ),
    "one is due, the other is not: the due one, and when to look again": Case(
        seen(pause(), dead(member("web")), dead(member("log", 1))),
        RESTART_WEB,
        due=NOW + 1,
        waiting="container log: back-off 1s",
        history=steps(log=(1, 1)),
    ),
    "back-off over after 10 minutes of running": Case(
        seen(pause(started_at=NOW - 700), dead(member("web", 7, started_at=NOW - 601)), member("log")),
        RESTART_WEB.replace("web_1", "web_8").replace("restart 1", "restart 8"),
        history=steps(web=(7, 7)),
    ),
    "OnFailure: 1 is restarted, 0 is not": Case(
        seen(pause(), dead(member("web"), 1), dead(member("log"), 0)),
        RESTART_WEB.replace("Always", "OnFailure"),
        spec=policy(ON_FAILURE),
    ),
    "Always: also 0 is restarted": Case(
        seen(pause(), dead(member("web"), 0), member("log")),
        RESTART_WEB.replace("code 1", "code 0"),
    ),
    "a container's own policy comes before the pod's: Never stays down": Case(
        seen(pause(), dead(member("web"), 1), member("log")),
        "nothing to do",
        spec=lambda spec: replace(
            spec, containers=(replace_policy(spec.containers[0], "Never"), spec.containers[1])
        ),
    ),
    "a container's own policy comes before the pod's: Always comes back": Case(
        seen(pause(), dead(member("web"), 1), dead(member("log"), 1)),
        RESTART_WEB,
        spec=lambda spec: replace(
            spec,
            restart_policy=NEVER,
            containers=(replace_policy(spec.containers[0], "Always"), spec.containers[1]),
        ),
    ),
    "made but not started: started": Case(
        seen(pause(), made(member("web", 2)), dead(member("web", 1)), member("log")),
        "#1 start container web_2: made but not started",
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
    "somebody removed the running instance: another one at once, whatever the back-off": Case(
        seen(pause(), member("log")),
        """\
#1 create container web_5: somebody removed it, restart 5, policy Always
#2 start container web_5 (after #1): somebody removed it, restart 5, policy Always""",
        history=steps(web=(4, 4), log=(0, 0)),
    ),
    "somebody removed the running instance, the one before it is still there": Case(
        seen(pause(), dead(member("web", 3)), member("log")),
        """\
#1 create container web_5: somebody removed it, restart 5, policy Always
#2 start container web_5 (after #1): somebody removed it, restart 5, policy Always""",
        history=steps(web=(4, 4), log=(0, 0)),
    ),
    "somebody removed the running instance, and the policy is Never: it has failed": Case(
        seen(pause(), member("log")),
        "nothing to do",
        history=steps(web=(0, 0), log=(0, 0)),
        spec=policy(NEVER),
    ),
    # the sandbox
    "the pause died: who outlived it is ended in order, and nothing else": Case(
        seen(dead(pause(), 137), member("web"), dead(member("log"), 137)),
        """\
#1 note container web is stopped (SandboxChanged); event Killing: its sandbox changed
#2 send SIGTERM to container web_0 (after #1): its sandbox changed""",
        due=NOW + 30,
        waiting="grace for web",
    ),
    "the lease was lost while its owner lives (the engine ended): like any other end": Case(
        seen(dead(pause(), 97), dead(member("web"), 137), made(member("log"))),
        """\
#1 create container pause_1: sandbox pause_0 is not running
#2 attach channel pause_1 (after #1): lease and journal
#3 start container pause_1 (after #2): sandbox pause_0 is not running
#4 remove container pause_0 (after #3): an older sandbox
#5 create container web_1 (after #1): its sandbox changed
#6 start container web_1 (after #5, #3): its sandbox changed
#7 create container log_1 (after #1): its sandbox changed
#8 start container log_1 (after #7, #3): its sandbox changed""",
    ),
    "the pause died and its members with it: a new sandbox and new members, back-off or not": Case(
        seen(dead(pause(), 137), dead(member("web", 4), 137), dead(member("log"), 137)),
        """\
#1 create container pause_1: sandbox pause_0 is not running
#2 attach channel pause_1 (after #1): lease and journal
#3 start container pause_1 (after #2): sandbox pause_0 is not running
#4 remove container pause_0 (after #3): an older sandbox
#5 create container web_5 (after #1): its sandbox changed
#6 start container web_5 (after #5, #3): its sandbox changed
#7 create container log_1 (after #1): its sandbox changed
#8 start container log_1 (after #7, #3): its sandbox changed""",
        history=steps(web=(4, 4), log=(0, 0)),
    ),
    "the pause was removed, its members have ended: attempt 1, since one of theirs is gone": Case(
        seen(dead(member("web"), 137)),
        """\
#1 create container pause_1: no sandbox
#2 attach channel pause_1 (after #1): lease and journal
#3 start container pause_1 (after #2): no sandbox
#4 create container web_1 (after #1): its sandbox changed
#5 start container web_1 (after #4, #3): its sandbox changed""",
        spec=only_web(),
    ),
    "pause and members were removed: the journal tells which sandbox it was": Case(
        seen(),
        """\
#1 create container pause_3: no sandbox
#2 attach channel pause_3 (after #1): lease and journal
#3 start container pause_3 (after #2): no sandbox
#4 create container web_6 (after #1): its sandbox changed
#5 start container web_6 (after #4, #3): its sandbox changed""",
        spec=only_web(),
        history=steps(sandbox=2, web=(5, 0)),
    ),
    "a member was made for the sandbox that died: made anew, since it names that one's ID": Case(
        seen(dead(pause(), 137), made(member("web"))),
        """\
#1 create container pause_1: sandbox pause_0 is not running
#2 attach channel pause_1 (after #1): lease and journal
#3 start container pause_1 (after #2): sandbox pause_0 is not running
#4 remove container pause_0 (after #3): an older sandbox
#5 create container web_1 (after #1): its sandbox changed
#6 start container web_1 (after #5, #3): its sandbox changed""",
        spec=only_web(),
    ),
    "the sandbox was made and not started: it is started, with the member that was made for it": Case(
        seen(made(pause()), made(member("web"))),
        """\
#1 attach channel pause_0: lease and journal
#2 start container pause_0 (after #1): the sandbox was made but not started
#3 start container web_0 (after #2): made but not started""",
        spec=only_web(),
    ),
    "the engine could not start the sandbox: not again in a hurry": Case(
        seen(made(pause(3, created_at=NOW - 1), exit_code=128, error="port is taken")),
        "nothing to do: the sandbox could not be started: port is taken",
        due=NOW + 7,
        waiting="the sandbox could not be started: port is taken",
    ),
    "the engine could not start the sandbox that followed one that ran: it begins with the shortest wait": Case(
        seen(made(pause(8, created_at=NOW), exit_code=128, error="port is taken"), dead(pause(7))),
        "nothing to do: the sandbox could not be started: port is taken",
        due=NOW + 1,
        waiting="the sandbox could not be started: port is taken",
    ),
    "the engine could not start the sandbox, a while ago: another one, and what never ran goes at once": Case(
        seen(
            made(pause(2), exit_code=128, error="port is taken"),
            made(pause(1), exit_code=128, error="port is taken"),
            dead(pause(0), 137),
        ),
        """\
#1 create container pause_3: sandbox pause_2 is not running
#2 attach channel pause_3 (after #1): lease and journal
#3 start container pause_3 (after #2): sandbox pause_2 is not running
#4 remove container pause_2 (after #3): an older sandbox
#5 remove container pause_1: an older sandbox
#6 remove container pause_0 (after #3): an older sandbox
#7 create container web_0 (after #1): not there yet
#8 start container web_0 (after #7, #3): not there yet""",
        spec=only_web(),
    ),
    "Never: the pause died before any member was made: a sandbox like the first": Case(
        seen(dead(pause(), 137)), SECOND_SANDBOX, spec=lambda spec: policy(NEVER)(only_web()(spec))
    ),
    "OnFailure: the pause died, one had failed: a new sandbox for it alone": Case(
        seen(dead(pause(), 137), dead(member("web"), 137), dead(member("log"), 0)),
        """\
#1 create container pause_1: sandbox pause_0 is not running
#2 attach channel pause_1 (after #1): lease and journal
#3 start container pause_1 (after #2): sandbox pause_0 is not running
#4 remove container pause_0 (after #3): an older sandbox
#5 create container web_1 (after #1): its sandbox changed
#6 start container web_1 (after #5, #3): its sandbox changed""",
        spec=policy(ON_FAILURE),
    ),
    "the pause is just being removed: another one": Case(
        seen(pause(state=ContainerState.REMOVING, started_at=None, addresses={})),
        """\
#1 create container pause_1: sandbox pause_0 is not running
#2 attach channel pause_1 (after #1): lease and journal
#3 start container pause_1 (after #2): sandbox pause_0 is not running
#4 create container web_0 (after #1): not there yet
#5 start container web_0 (after #4, #3): not there yet""",
        spec=only_web(),
    ),
    # its network
    "the sandbox has lost its network: members are ended in order first": Case(
        seen(pause(addresses={}), member("web"), member("log")),
        """\
#1 note container web is stopped (SandboxChanged); event Killing: its sandbox changed
#2 send SIGTERM to container web_0 (after #1): its sandbox changed
#3 note container log is stopped (SandboxChanged); event Killing: its sandbox changed
#4 send SIGTERM to container log_0 (after #3): its sandbox changed""",
        due=NOW + 30,
        waiting="grace for log, web",
    ),
    "the sandbox has lost its network, members have ended: it is killed": Case(
        seen(pause(addresses={}), dead(member("web")), dead(member("log")), network=None, taken_subnets=()),
        "#1 send SIGKILL to container pause_0: it has lost its network",
    ),
    "killed for want of a network that is not there: network first": Case(
        seen(dead(pause(), 137), dead(member("web")), network=None, taken_subnets=()),
        "#1 create network pypod 10.214.0.0/20: the engine has not got the pod network",
        spec=only_web(),
    ),
    "somebody started the pause again: members that ran before have no network": Case(
        seen(pause(started_at=NOW - 1), member("web"), member("log")),
        """\
#1 note container web is stopped (SandboxChanged); event Killing: its sandbox changed
#2 send SIGTERM to container web_0 (after #1): its sandbox changed
#3 note container log is stopped (SandboxChanged); event Killing: its sandbox changed
#4 send SIGTERM to container log_0 (after #3): its sandbox changed""",
        due=NOW + 30,
        waiting="grace for log, web",
    ),
    "somebody started the pause again, and nothing runs any more: it is killed": Case(
        seen(pause(started_at=NOW - 1), dead(member("web"), 137), dead(member("log"), 137)),
        "#1 send SIGKILL to container pause_0: it was started again",
    ),
    "a member of an older sandbox still runs beside a new one: it is ended, and only then made again": Case(
        seen(pause(1), member("web", 3, sandbox=0), member("log", 1, sandbox=1)),
        """\
#1 note container web is stopped (SandboxChanged); event Killing: its sandbox changed
#2 send SIGTERM to container web_3 (after #1): its sandbox changed""",
        due=NOW + 30,
        waiting="container web: its sandbox changed",
        history=steps(web=(3, 2)),
    ),
    "a member of an older sandbox has ended: made again at once": Case(
        seen(pause(1), dead(member("web", 3, sandbox=0)), member("log", 1, sandbox=1)),
        """\
#1 create container web_4: its sandbox changed
#2 start container web_4 (after #1): its sandbox changed""",
        history=steps(web=(3, 3)),
    ),
    "an older sandbox is left: it goes": Case(
        seen(pause(1), dead(pause(0)), member("web", sandbox=1), member("log", sandbox=1)),
        "#1 remove container pause_0: an older sandbox",
    ),
    "an older sandbox is just being removed: nothing": Case(
        seen(
            pause(1),
            pause(0, state=ContainerState.REMOVING),
            member("web", sandbox=1),
            member("log", sandbox=1),
        ),
        "nothing to do",
    ),
    # its address
    "the address it had is somebody else's by now: another one, at once": Case(
        seen(
            made(pause(1, created_at=NOW), exit_code=128, error=IP_TAKEN), dead(pause(0)), dead(member("web"))
        ),
        """\
#1 create container pause_2: sandbox pause_1 is not running
#2 attach channel pause_2 (after #1): lease and journal
#3 start container pause_2 (after #2): sandbox pause_1 is not running
#4 remove container pause_1 (after #3): an older sandbox
#5 remove container pause_0 (after #3): an older sandbox
#6 create container web_1 (after #1): its sandbox changed
#7 start container web_1 (after #6, #3): its sandbox changed""",
        spec=only_web(),
        history=told(Address(NOW, "10.214.0.9")),
    ),
    "a port that is taken reads nearly the same, and is tried again without hurry": Case(
        seen(
            made(pause(1, created_at=NOW), exit_code=128, error=PORT_TAKEN),
            dead(pause(0)),
            dead(member("web")),
        ),
        f"nothing to do: the sandbox could not be started: {PORT_TAKEN}",
        due=NOW + 1,
        waiting=f"the sandbox could not be started: {PORT_TAKEN}",
        spec=only_web(),
        history=told(Address(NOW, "10.214.0.9")),
    ),
    # deletion
    "marked as to go: nothing, even with a member that crashed": Case(
        seen(DELETING, dead(member("web"))),
        "nothing to do: the pod is being deleted",
        waiting="the pod is being deleted",
    ),
}


def replace_policy(container: Container, value: str) -> Container:
    return Container(container.name, container.image, restart_policy=value)


@pytest.mark.parametrize("sentence", CASES)
def test_plan_sync(sentence: str) -> None:
    CASES[sentence].check()


ADDRESSES = {
    "the first sandbox: the engine chooses": (seen(), "", ""),
    "a second one: the address that the first had": (seen(dead(pause())), "10.214.0.9", "10.214.0.9"),
    "it was somebody else's by then": (
        seen(made(pause(1), exit_code=128, error=IP_TAKEN), dead(pause())),
        "10.214.0.9",
        "",
    ),
    "a port was taken: the address is asked for again": (
        seen(made(pause(1), exit_code=128, error=PORT_TAKEN), dead(pause())),
        "10.214.0.9",
        "10.214.0.9",
    ),
    "the network was made again with another subnet": (
        seen(dead(pause()), network=ELSEWHERE),
        "10.214.0.9",
        "",
    ),
}


@pytest.mark.parametrize("sentence", ADDRESSES)
def test_a_sandbox_asks_for_the_address_that_the_pod_had(sentence: str) -> None:
    observed, had, asked = ADDRESSES[sentence]
    history = told(Address(NOW, had)) if had else History()
    plan = planner.plan_sync(Desired(BASE, IDENTITY), observed, history, NOW)
    first = next(step.action for step in plan.steps if isinstance(step.action, CreateContainer))
    assert first.container == ""
    assert first.request.ipv4_address == asked
    assert first.request.network_mode == (observed.network.id if observed.network else "")


@pytest.mark.parametrize(
    ("count", "delay"), [(1, 10), (2, 20), (3, 40), (4, 80), (5, 160), (6, 300), (99, 300)]
)
@pytest.mark.parametrize("reason", ["ErrImagePull", "InvalidImageName"])
def test_an_image_is_asked_for_less_and_less_often(reason: str, count: int, delay: float) -> None:
    observed = seen(pause(), member("log"), images={"nginx:1": None})

    def plan_after(seconds: float) -> Plan:
        history = told(failed(NOW - seconds, reason, count))
        return planner.plan_sync(Desired(BASE, IDENTITY), observed, history, NOW)

    early = plan_after(delay - 1)
    assert not early
    assert early.due == NOW + 1
    assert short(plan_after(delay)).startswith("#1 pull image nginx:1")


def test_planning_is_repeatable_and_changes_nothing() -> None:
    observed = seen(dead(pause(), 137), dead(member("web"), 137), dead(member("log"), 137))
    before = repr(observed)
    desired = Desired(BASE, IDENTITY)
    first = planner.plan_sync(desired, observed, History(), NOW)
    assert first == planner.plan_sync(desired, observed, History(), NOW)
    assert repr(observed) == before


def test_a_plan_names_things_as_the_engine_knows_them() -> None:
    plan = planner.plan_sync(Desired(BASE, IDENTITY), seen(pause(), member("log")), History(), NOW)
    assert str(plan) == (
        "#1 create container pypod_default_shop_01234567_web_0: not there yet\n"
        "#2 start container pypod_default_shop_01234567_web_0 (after #1): not there yet"
    )


def test_an_image_is_used_by_its_id() -> None:
    """A tag that moves meanwhile changes nothing."""
    plan = Case(seen(pause()), "", spec=only_web()).run()
    [made] = [step.action for step in plan.steps if isinstance(step.action, CreateContainer)]
    assert made.request.image == "sha256:nginx:1"


def test_a_restart_carries_its_attempt_its_sandbox_and_its_place_in_the_back_off() -> None:
    crashed = seen(pause(7), dead(member("web", 4, sandbox=7), ago=100), member("log", sandbox=7))
    plan = planner.plan_sync(Desired(BASE, IDENTITY), crashed, steps(sandbox=7, web=(4, 2)), NOW)
    start = plan.steps[-1].action
    assert isinstance(start, StartContainer)
    assert (start.attempt, start.backoff_step, start.sandbox) == (5, 3, 7)


def test_a_new_sandbox_keeps_the_place_in_the_back_off() -> None:
    observed = seen(dead(pause(), 137), dead(member("web", 4), 137))
    plan = planner.plan_sync(Desired(only_web()(BASE), IDENTITY), observed, steps(web=(4, 3)), NOW)
    start = plan.steps[-1].action
    assert isinstance(start, StartContainer)
    assert (start.attempt, start.backoff_step, start.sandbox) == (5, 3, 1)


def test_members_name_the_sandbox_that_is_there() -> None:
    observed = seen(pause(2), member("log", sandbox=2))
    plan = planner.plan_sync(Desired(BASE, IDENTITY), observed, History(), NOW)
    create = plan.steps[0].action
    assert isinstance(create, CreateContainer)
    assert create.request.network_mode == "container:pypod_default_shop_pause_2"
    assert create.request.labels["io.pypod.sandbox"] == "2"


def test_a_plan_is_true_when_there_is_something_to_do() -> None:
    assert planner.plan_sync(Desired(BASE, IDENTITY), seen(), History(), NOW)
    assert not planner.plan_sync(Desired(BASE, IDENTITY), seen(*BOTH_RUN), History(), NOW)
