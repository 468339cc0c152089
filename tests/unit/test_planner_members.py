"""What is done next for the containers of a pod: init containers, sidecars, hooks, probes, termination messages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from pypod.model.life import planner
from pypod.model.life.desired import Desired
from pypod.model.life.journal import ContainerFailed, Entry, Message
from pypod.model.life.plan import CreateContainer, PutFiles, ReadMessage, RunHook
from pypod.model.spec.handlers import Hook, Lifecycle, Probe
from pypod.model.spec.pod import Container, PodSpec, RestartPolicy
from pypod.model.wiring.state import VolumeInfo
from tests.unit.pods import (
    ALWAYS,
    BASE,
    HERE,
    IDENTITY,
    NEVER,
    NOW,
    ON_FAILURE,
    Case,
    dead,
    debugger,
    hooked,
    made,
    member,
    pause,
    probed,
    seen,
    short,
    signalled,
    started,
    stopping,
    told,
)

PORT = Probe.tcp_socket(port=80)
HOOK = Hook.exec(["warm-up"])


def pod(*init: Container, policy: RestartPolicy = ALWAYS) -> Callable[[PodSpec], PodSpec]:
    """Init containers, and one container ``web``."""
    web = Container("web", "nginx:1")
    return lambda spec: replace(spec, init_containers=init, containers=(web,), restart_policy=policy)


def init(name: str) -> Container:
    return Container(name, "busybox:1")


def sidecar(
    name: str,
    *,
    startup_probe: Probe | None = None,
    liveness_probe: Probe | None = None,
    lifecycle: Lifecycle | None = None,
) -> Container:
    return Container(
        name,
        "busybox:1",
        restart_policy="Always",
        startup_probe=startup_probe,
        liveness_probe=liveness_probe,
        lifecycle=lifecycle,
    )


def check(cases: dict[str, Case], sentence: str) -> None:
    cases[sentence].check()


TWO = pod(init("one"), init("two"))
TWO_NEVER = pod(init("one"), init("two"), policy=NEVER)

INIT = {
    "a fresh pod: the first init container alone": Case(
        seen(),
        """\
#1 create container pause_0: no sandbox
#2 attach channel pause_0 (after #1): lease and journal
#3 start container pause_0 (after #2): no sandbox
#4 create container one_0 (after #1): not there yet
#5 start container one_0 (after #4, #3): not there yet""",
        waiting="init container one",
        spec=TWO,
    ),
    "it runs: the others wait": Case(
        seen(pause(), member("one")),
        "nothing to do: init container one",
        waiting="init container one",
        spec=TWO,
    ),
    "it has succeeded: the next one": Case(
        seen(pause(), dead(member("one"), 0)),
        """\
#1 create container two_0: not there yet
#2 start container two_0 (after #1): not there yet""",
        waiting="init container two",
        spec=TWO,
    ),
    "all have succeeded: the containers": Case(
        seen(pause(), dead(member("one"), 0), dead(member("two"), 0)),
        """\
#1 create container web_0: not there yet
#2 start container web_0 (after #1): not there yet""",
        spec=TWO,
    ),
    "it failed: tried again, and the next one waits": Case(
        seen(pause(), dead(member("one"), 1)),
        """\
#1 create container one_1: exited with code 1, restart 1, policy OnFailure
#2 start container one_1 (after #1): exited with code 1, restart 1, policy OnFailure""",
        waiting="init container one",
        spec=TWO,
    ),
    "it failed again: not before its back-off is over": Case(
        seen(pause(), dead(member("one", 2), 1)),
        "nothing to do: container one: back-off 2s; init container one",
        due=NOW + 2,
        waiting="container one: back-off 2s; init container one",
        spec=TWO,
        history=told(started("one", 2, step=2)),
    ),
    "it failed, and the policy is Never: so has the pod": Case(
        seen(pause(), dead(member("one"), 1)),
        "#1 note the pod is Failed: init container one failed",
        spec=TWO_NEVER,
    ),
    "it succeeded, but the kernel killed one of its processes: it has failed": Case(
        seen(pause(), dead(member("one", oom_killed=True), 0)),
        """\
#1 create container one_1: exited with code 0, restart 1, policy OnFailure
#2 start container one_1 (after #1): exited with code 0, restart 1, policy OnFailure""",
        waiting="init container one",
        spec=TWO,
    ),
    "the second failed: the first is not run again": Case(
        seen(pause(), dead(member("one"), 0), dead(member("two"), 1)),
        """\
#1 create container two_1: exited with code 1, restart 1, policy OnFailure
#2 start container two_1 (after #1): exited with code 1, restart 1, policy OnFailure""",
        waiting="init container two",
        spec=TWO,
    ),
    "a container runs: those that are done are not run again though somebody removed them": Case(
        seen(pause(), member("web")),
        "nothing to do",
        spec=TWO,
        history=told(started("one"), started("two"), started("web")),
    ),
    "a container crashed: those that are done are not run again though somebody removed them": Case(
        seen(pause(), dead(member("web"), 1)),
        """\
#1 create container web_1: exited with code 1, restart 1, policy Always
#2 start container web_1 (after #1): exited with code 1, restart 1, policy Always""",
        spec=TWO,
        history=told(started("one"), started("two"), started("web")),
    ),
    "a container was removed by hand: those that are done are not run again": Case(
        seen(pause()),
        """\
#1 create container web_1: somebody removed it, restart 1, policy Always
#2 start container web_1 (after #1): somebody removed it, restart 1, policy Always""",
        spec=TWO,
        history=told(started("one"), started("two"), started("web")),
    ),
    "the first is done and was removed, the second runs: the first is not run again": Case(
        seen(pause(), member("two")),
        "nothing to do: init container two",
        waiting="init container two",
        spec=TWO_NEVER,
        history=told(started("one"), started("two")),
    ),
    "the first was removed by hand while it ran: tried again": Case(
        seen(pause()),
        """\
#1 create container one_1: somebody removed it, restart 1, policy OnFailure
#2 start container one_1 (after #1): somebody removed it, restart 1, policy OnFailure""",
        waiting="init container one",
        spec=TWO,
        history=told(started("one")),
    ),
    "the first was removed by hand while it ran, and the policy is Never: the pod has failed": Case(
        seen(pause()),
        "#1 note the pod is Failed: init container one failed",
        spec=TWO_NEVER,
        history=told(started("one")),
    ),
    "the first needs an image: only that is pulled": Case(
        seen(pause(), images={"nginx:1": None, "busybox:1": None}),
        "#1 pull image busybox:1: not on the engine, imagePullPolicy IfNotPresent",
        waiting="container one: image busybox:1 is being pulled; init container one",
        spec=TWO,
    ),
    "a new sandbox: all over again, from the first": Case(
        seen(pause(1), dead(member("one"), 0), dead(member("two"), 0), dead(member("web"), 137)),
        """\
#1 create container one_1: its sandbox changed
#2 start container one_1 (after #1): its sandbox changed""",
        waiting="init container one",
        spec=TWO,
    ),
    "a new sandbox, the first has succeeded in it: the second": Case(
        seen(
            pause(1),
            dead(member("one", 1, sandbox=1), 0),
            dead(member("one"), 0),
            dead(member("two"), 0),
            dead(member("web"), 137),
        ),
        """\
#1 create container two_1: its sandbox changed
#2 start container two_1 (after #1): its sandbox changed""",
        waiting="init container two",
        spec=TWO,
    ),
    "a new sandbox, both have succeeded in it: the container of the old one is made anew": Case(
        seen(
            pause(1),
            dead(member("one", 1, sandbox=1), 0),
            dead(member("two", 1, sandbox=1), 0),
            dead(member("web"), 137),
        ),
        """\
#1 create container web_1: its sandbox changed
#2 start container web_1 (after #1): its sandbox changed""",
        spec=TWO,
    ),
    "OnFailure, a new sandbox, all but one container had succeeded: init containers, and it": Case(
        seen(dead(pause()), dead(member("one"), 0), dead(member("web"), 137)),
        """\
#1 create container pause_1: sandbox pause_0 is not running
#2 attach channel pause_1 (after #1): lease and journal
#3 start container pause_1 (after #2): sandbox pause_0 is not running
#4 remove container pause_0 (after #3): an older sandbox
#5 create container one_1 (after #1): its sandbox changed
#6 start container one_1 (after #5, #3): its sandbox changed""",
        waiting="init container one",
        spec=pod(init("one"), policy=ON_FAILURE),
    ),
    "it was killed with its sandbox: no failure of the pod, though it is never restarted by its own policy": Case(
        seen(dead(pause(), 137), dead(member("one"), 137)),
        """\
#1 create container pause_1: sandbox pause_0 is not running
#2 attach channel pause_1 (after #1): lease and journal
#3 start container pause_1 (after #2): sandbox pause_0 is not running
#4 remove container pause_0 (after #3): an older sandbox
#5 create container one_1 (after #1): its sandbox changed
#6 start container one_1 (after #5, #3): its sandbox changed""",
        waiting="init container one",
        spec=pod(Container("one", "busybox:1", restart_policy="Never")),
    ),
}

SIDECARS = {
    "it is not there: alone": Case(
        seen(pause()),
        """\
#1 create container mesh_0: not there yet
#2 start container mesh_0 (after #1): not there yet""",
        waiting="init container mesh",
        spec=pod(sidecar("mesh"), init("one")),
    ),
    "it runs: the next one": Case(
        seen(pause(), member("mesh")),
        """\
#1 create container one_0: not there yet
#2 start container one_0 (after #1): not there yet""",
        waiting="init container one",
        spec=pod(sidecar("mesh"), init("one")),
    ),
    "it runs, its startup probe has said nothing yet: the next one waits": Case(
        seen(pause(), member("mesh")),
        "nothing to do: init container mesh",
        waiting="init container mesh",
        spec=pod(sidecar("mesh", startup_probe=PORT), init("one")),
    ),
    "its startup probe has passed: the next one": Case(
        seen(pause(), member("mesh")),
        """\
#1 create container one_0: not there yet
#2 start container one_0 (after #1): not there yet""",
        waiting="init container one",
        spec=pod(sidecar("mesh", startup_probe=PORT), init("one")),
        history=told(started("mesh"), probed("mesh", "startup", True)),
    ),
    "its startup probe has failed: it is stopped, the next one waits": Case(
        seen(pause(), member("mesh")),
        """\
#1 note container mesh is stopped (Startup); event Killing: its startup probe failed
#2 send SIGTERM to container mesh_0 (after #1): its startup probe failed""",
        due=NOW + 30,
        waiting="container mesh: its startup probe failed; init container mesh",
        spec=pod(sidecar("mesh", startup_probe=PORT), init("one")),
        history=told(started("mesh"), probed("mesh", "startup", False)),
    ),
    "its postStart hook has not begun: it begins, the next one waits": Case(
        seen(pause(), member("mesh")),
        "#1 begin postStart hook of container mesh: it was started",
        waiting="init container mesh",
        spec=pod(sidecar("mesh", lifecycle=Lifecycle(post_start=HOOK)), init("one")),
    ),
    "its postStart hook runs: the next one waits": Case(
        seen(pause(), member("mesh")),
        "nothing to do: init container mesh",
        waiting="init container mesh",
        spec=pod(sidecar("mesh", lifecycle=Lifecycle(post_start=HOOK)), init("one")),
        history=told(started("mesh"), hooked("mesh", "postStart", "began")),
    ),
    "its postStart hook is done: the next one": Case(
        seen(pause(), member("mesh")),
        """\
#1 create container one_0: not there yet
#2 start container one_0 (after #1): not there yet""",
        waiting="init container one",
        spec=pod(sidecar("mesh", lifecycle=Lifecycle(post_start=HOOK)), init("one")),
        history=told(started("mesh"), hooked("mesh", "postStart", "done")),
    ),
    "its liveness probe failed: it is stopped, and the next one is started": Case(
        seen(pause(), member("mesh")),
        """\
#1 note container mesh is stopped (Liveness); event Killing: its liveness probe failed
#2 send SIGTERM to container mesh_0 (after #1): its liveness probe failed
#3 create container one_0: not there yet
#4 start container one_0 (after #3): not there yet""",
        due=NOW + 30,
        waiting="container mesh: its liveness probe failed; init container one",
        spec=pod(sidecar("mesh", liveness_probe=PORT), init("one")),
        history=told(started("mesh"), probed("mesh", "liveness", False)),
    ),
    "it ended with 0, policy Never: it is restarted, and the next one waits": Case(
        seen(pause(), dead(member("mesh"), 0)),
        """\
#1 create container mesh_1: exited with code 0, restart 1, policy Always
#2 start container mesh_1 (after #1): exited with code 0, restart 1, policy Always""",
        waiting="init container mesh",
        spec=pod(sidecar("mesh"), init("one"), policy=NEVER),
    ),
    "it crashed while the next one runs: restarted beside it": Case(
        seen(pause(), dead(member("mesh"), 1), member("one")),
        """\
#1 create container mesh_1: exited with code 1, restart 1, policy Always
#2 start container mesh_1 (after #1): exited with code 1, restart 1, policy Always""",
        waiting="init container one",
        spec=pod(sidecar("mesh"), init("one")),
    ),
    "it crashed after the next one had succeeded: restarted, and no more waited for": Case(
        seen(pause(), dead(member("mesh"), 1), dead(member("one"), 0)),
        """\
#1 create container mesh_1: exited with code 1, restart 1, policy Always
#2 start container mesh_1 (after #1): exited with code 1, restart 1, policy Always
#3 create container web_0: not there yet
#4 start container web_0 (after #3): not there yet""",
        spec=pod(sidecar("mesh"), init("one")),
    ),
    "it has its back-off, the next one had succeeded: no more waited for": Case(
        seen(pause(), dead(member("mesh", 3), 1), dead(member("one"), 0)),
        """\
#1 create container web_0: not there yet
#2 start container web_0 (after #1): not there yet""",
        due=NOW + 4,
        waiting="container mesh: back-off 4s",
        spec=pod(sidecar("mesh"), init("one")),
        history=told(started("mesh", 3, step=3), started("one")),
    ),
    "it crashed while the containers run, policy Never: restarted": Case(
        seen(pause(), dead(member("mesh"), 0), member("web")),
        """\
#1 create container mesh_1: exited with code 0, restart 1, policy Always
#2 start container mesh_1 (after #1): exited with code 0, restart 1, policy Always""",
        spec=pod(sidecar("mesh"), policy=NEVER),
    ),
    "it crashed while the image of an init container is pulled: restarted beside that": Case(
        seen(pause(), dead(member("mesh")), dead(member("zero"), 0), images={**HERE, "nginx:1": None}),
        """\
#1 create container mesh_1: exited with code 1, restart 1, policy Always
#2 start container mesh_1 (after #1): exited with code 1, restart 1, policy Always""",
        waiting="container one: image nginx:1 is being pulled; init container one",
        spec=pod(sidecar("mesh"), init("zero"), Container("one", "nginx:1")),
        pulling=frozenset({"nginx:1"}),
    ),
    "it was removed by hand while the containers run: restarted": Case(
        seen(pause(), member("web")),
        """\
#1 create container mesh_1: somebody removed it, restart 1, policy Always
#2 start container mesh_1 (after #1): somebody removed it, restart 1, policy Always""",
        spec=pod(sidecar("mesh")),
        history=told(started("mesh"), started("web")),
    ),
    "it does not start up again while the containers run: they go on": Case(
        seen(pause(), member("mesh", 1), dead(member("mesh"), 1), dead(member("web"), 1)),
        """\
#1 create container web_1: exited with code 1, restart 1, policy Always
#2 start container web_1 (after #1): exited with code 1, restart 1, policy Always""",
        spec=pod(sidecar("mesh", startup_probe=PORT)),
        history=told(started("mesh", 1), started("web")),
    ),
    "its image cannot be had: the next one waits": Case(
        seen(pause(), images={**HERE, "busybox:1": None}),
        "nothing to do: container mesh: ErrImagePull; init container mesh",
        due=NOW + 9,
        waiting="container mesh: ErrImagePull; init container mesh",
        spec=pod(sidecar("mesh")),
        history=told(ContainerFailed(NOW - 1, "mesh", "ErrImagePull", "no such image")),
    ),
    "a new sandbox: it comes first again": Case(
        seen(dead(pause()), dead(member("mesh"), 137), dead(member("web"), 137)),
        """\
#1 create container pause_1: sandbox pause_0 is not running
#2 attach channel pause_1 (after #1): lease and journal
#3 start container pause_1 (after #2): sandbox pause_0 is not running
#4 remove container pause_0 (after #3): an older sandbox
#5 create container mesh_1 (after #1): its sandbox changed
#6 start container mesh_1 (after #5, #3): its sandbox changed""",
        waiting="init container mesh",
        spec=pod(sidecar("mesh")),
    ),
}


def web(
    *,
    post_start: bool = False,
    pre_stop: bool = False,
    startup_probe: Probe | None = None,
    liveness_probe: Probe | None = None,
) -> Callable[[PodSpec], PodSpec]:
    """``web`` with hooks and probes, then ``log``."""
    lifecycle = Lifecycle(HOOK if post_start else None, HOOK if pre_stop else None)
    container = Container(
        "web", "nginx:1", lifecycle=lifecycle, startup_probe=startup_probe, liveness_probe=liveness_probe
    )
    return lambda spec: replace(spec, containers=(container, spec.containers[1]))


FAILED_WEB = ContainerFailed(NOW - 4, "web", "ErrImagePull", "no such image")

HOOKS = {
    "a fresh pod: the next container waits for the hook of the first": Case(
        seen(),
        """\
#1 create container pause_0: no sandbox
#2 attach channel pause_0 (after #1): lease and journal
#3 start container pause_0 (after #2): no sandbox
#4 create container web_0 (after #1): not there yet
#5 start container web_0 (after #4, #3): not there yet""",
        waiting="postStart hook of container web",
        spec=web(post_start=True),
    ),
    "the first is made and not started: the next one waits": Case(
        seen(pause(), made(member("web"))),
        "#1 start container web_0: made but not started",
        waiting="postStart hook of container web",
        spec=web(post_start=True),
    ),
    "it runs: its hook begins": Case(
        seen(pause(), member("web")),
        "#1 begin postStart hook of container web: it was started",
        waiting="postStart hook of container web",
        spec=web(post_start=True),
    ),
    "the hook runs: nothing": Case(
        seen(pause(), member("web")),
        "nothing to do: postStart hook of container web",
        waiting="postStart hook of container web",
        spec=web(post_start=True),
        history=told(started("web"), hooked("web", "postStart", "began")),
    ),
    "the hook is done: the next container": Case(
        seen(pause(), member("web")),
        """\
#1 create container log_0: not there yet
#2 start container log_0 (after #1): not there yet""",
        spec=web(post_start=True),
        history=told(started("web"), hooked("web", "postStart", "done")),
    ),
    "the hook failed: the container is stopped, and holds nobody up": Case(
        seen(pause(), member("web")),
        """\
#1 note container web is stopped (PostStartHookError); event Killing: its postStart hook failed
#2 send SIGTERM to container web_0 (after #1): its postStart hook failed
#3 create container log_0: not there yet
#4 start container log_0 (after #3): not there yet""",
        due=NOW + 30,
        waiting="container web: its postStart hook failed",
        spec=web(post_start=True),
        history=told(started("web"), hooked("web", "postStart", "failed")),
    ),
    "the hook failed and the container has ended: restarted by its policy": Case(
        seen(pause(), dead(member("web"), 137), member("log")),
        """\
#1 create container web_1: exited with code 137, restart 1, policy Always
#2 start container web_1 (after #1): exited with code 137, restart 1, policy Always""",
        spec=web(post_start=True),
        history=told(started("web"), hooked("web", "postStart", "failed")),
    ),
    "the hook failed, the policy is Never: it stays down": Case(
        seen(pause(), dead(member("web"), 137), member("log")),
        "nothing to do",
        spec=lambda spec: replace(web(post_start=True)(spec), restart_policy=NEVER),
        history=told(started("web"), hooked("web", "postStart", "failed")),
    ),
    "the restarted instance has a hook of its own": Case(
        seen(pause(), member("web", 1), dead(member("web"), 1), member("log")),
        "#1 begin postStart hook of container web: it was started",
        spec=web(post_start=True),
        history=told(started("web"), hooked("web", "postStart", "done"), started("web", 1)),
    ),
    "it is restarted, and the next one was never started: that one waits for the hook": Case(
        seen(pause(), dead(member("web"), 1)),
        """\
#1 create container web_1: exited with code 1, restart 1, policy Always
#2 start container web_1 (after #1): exited with code 1, restart 1, policy Always""",
        waiting="postStart hook of container web",
        spec=web(post_start=True),
        history=told(started("web"), hooked("web", "postStart", "done")),
    ),
    "it waits for its back-off, and holds nobody up": Case(
        seen(pause(), dead(member("web", 3), 1)),
        """\
#1 create container log_0: not there yet
#2 start container log_0 (after #1): not there yet""",
        due=NOW + 4,
        waiting="container web: back-off 4s",
        spec=web(post_start=True),
        history=told(started("web", 3, step=3)),
    ),
    "its image could not be had: it holds nobody up": Case(
        seen(pause(), images={**HERE, "nginx:1": None}),
        """\
#1 create container log_0: not there yet
#2 start container log_0 (after #1): not there yet""",
        due=NOW + 6,
        waiting="container web: ErrImagePull",
        spec=web(post_start=True),
        history=told(FAILED_WEB),
    ),
    "its image is being pulled: it holds up who was never started": Case(
        seen(pause(), images={**HERE, "nginx:1": None}),
        "nothing to do: container web: image nginx:1 is being pulled; postStart hook of container web",
        waiting="container web: image nginx:1 is being pulled; postStart hook of container web",
        spec=web(post_start=True),
        pulling=frozenset({"nginx:1"}),
    ),
    "its image is being pulled, a third was never started: the second, which was, is looked after": Case(
        seen(pause(), member("log"), images={**HERE, "nginx:1": None}),
        """\
#1 note container log is stopped (Liveness); event Killing: its liveness probe failed
#2 send SIGTERM to container log_0 (after #1): its liveness probe failed""",
        due=NOW + 30,
        waiting=(
            "container web: image nginx:1 is being pulled; postStart hook of container web; "
            "container log: its liveness probe failed"
        ),
        spec=lambda spec: replace(
            spec,
            containers=(
                *web(post_start=True)(spec).containers[:1],
                Container("log", "busybox:1", liveness_probe=PORT),
                Container("third", "busybox:1"),
            ),
        ),
        history=told(started("log"), probed("log", "liveness", False)),
        pulling=frozenset({"nginx:1"}),
    ),
    "its image must not be asked for: it holds nobody up": Case(
        seen(pause(), images={**HERE, "nginx:1": None}),
        """\
#1 create container log_0: not there yet
#2 start container log_0 (after #1): not there yet""",
        waiting="container web: image nginx:1 is not on the engine",
        spec=lambda spec: replace(
            spec,
            containers=(
                Container("web", "nginx:1", image_pull_policy="Never", lifecycle=Lifecycle(HOOK)),
                spec.containers[1],
            ),
        ),
    ),
    "the hook runs, and the others were started before: they are looked after": Case(
        seen(pause(), member("web", 1), dead(member("log"), 1)),
        """\
#1 create container log_1: exited with code 1, restart 1, policy Always
#2 start container log_1 (after #1): exited with code 1, restart 1, policy Always""",
        spec=web(post_start=True),
        history=told(started("web", 1), hooked("web", "postStart", "began", 1), started("log")),
    ),
    "the last one has a hook: there is nobody to wait": Case(
        seen(pause(), member("log")),
        """\
#1 create container web_0: not there yet
#2 start container web_0 (after #1): not there yet""",
        spec=lambda spec: replace(
            web(post_start=True)(spec), containers=web(post_start=True)(spec).containers[::-1]
        ),
    ),
}

QUICK = Probe.tcp_socket(port=80, termination_grace_period_seconds=3)
LIVENESS_FAILED = told(started("web"), probed("web", "liveness", False))

KILLS = {
    "liveness failed: the stop signal, with the pod's grace": Case(
        seen(pause(), member("web"), member("log")),
        """\
#1 note container web is stopped (Liveness); event Killing: its liveness probe failed
#2 send SIGTERM to container web_0 (after #1): its liveness probe failed""",
        due=NOW + 30,
        waiting="container web: its liveness probe failed",
        spec=web(liveness_probe=PORT),
        history=LIVENESS_FAILED,
    ),
    "liveness failed: the probe's own grace comes before the pod's": Case(
        seen(pause(), member("web"), member("log")),
        """\
#1 note container web is stopped (Liveness); event Killing: its liveness probe failed
#2 send SIGTERM to container web_0 (after #1): its liveness probe failed""",
        due=NOW + 3,
        waiting="container web: its liveness probe failed",
        spec=web(liveness_probe=QUICK),
        history=LIVENESS_FAILED,
    ),
    "startup failed: the probe's own grace comes before the pod's": Case(
        seen(pause(), member("web"), member("log")),
        """\
#1 note container web is stopped (Startup); event Killing: its startup probe failed
#2 send SIGTERM to container web_0 (after #1): its startup probe failed""",
        due=NOW + 3,
        waiting="container web: its startup probe failed",
        spec=web(startup_probe=QUICK),
        history=told(started("web"), probed("web", "startup", False)),
    ),
    "startup has passed, liveness failed: liveness is what it is stopped for": Case(
        seen(pause(), member("web"), member("log")),
        """\
#1 note container web is stopped (Liveness); event Killing: its liveness probe failed
#2 send SIGTERM to container web_0 (after #1): its liveness probe failed""",
        due=NOW + 30,
        waiting="container web: its liveness probe failed",
        spec=web(startup_probe=PORT, liveness_probe=PORT),
        history=told(started("web"), probed("web", "startup", True), probed("web", "liveness", False)),
    ),
    "liveness failed: preStop comes before the signal": Case(
        seen(pause(), member("web"), member("log")),
        """\
#1 note container web is stopped (Liveness); event Killing: its liveness probe failed
#2 begin preStop hook of container web (after #1): its liveness probe failed""",
        due=NOW + 30,
        waiting="container web: its liveness probe failed",
        spec=web(liveness_probe=PORT, pre_stop=True),
        history=LIVENESS_FAILED,
    ),
    "it is being stopped, preStop runs: nothing": Case(
        seen(pause(), member("web"), member("log")),
        "nothing to do: container web: it is being stopped: Liveness",
        due=NOW + 25,
        waiting="container web: it is being stopped: Liveness",
        spec=web(liveness_probe=PORT, pre_stop=True),
        history=told(
            started("web"),
            probed("web", "liveness", False),
            stopping("web", "Liveness"),
            hooked("web", "preStop", "began"),
        ),
    ),
    "it is being stopped, preStop is done: the signal": Case(
        seen(pause(), member("web"), member("log")),
        "#1 send SIGTERM to container web_0: it is being stopped: Liveness",
        due=NOW + 25,
        waiting="container web: it is being stopped: Liveness",
        spec=web(liveness_probe=PORT, pre_stop=True),
        history=told(started("web"), stopping("web", "Liveness"), hooked("web", "preStop", "done")),
    ),
    "it got its signal: nothing until its grace ends": Case(
        seen(pause(), member("web"), member("log")),
        "nothing to do: container web: it is being stopped: Liveness",
        due=NOW + 25,
        waiting="container web: it is being stopped: Liveness",
        spec=web(liveness_probe=PORT),
        history=told(started("web"), stopping("web", "Liveness"), signalled("web")),
    ),
    "its grace has ended: SIGKILL": Case(
        seen(pause(), member("web"), member("log")),
        "#1 send SIGKILL to container web_0: it is being stopped: Liveness",
        waiting="container web: it is being stopped: Liveness",
        spec=web(liveness_probe=PORT),
        history=told(started("web"), stopping("web", "Liveness", ago=30, left=0), signalled("web", 30)),
    ),
    "the probe passes again meanwhile: it is stopped all the same": Case(
        seen(pause(), member("web"), member("log")),
        "#1 send SIGTERM to container web_0: it is being stopped: Liveness",
        due=NOW + 25,
        waiting="container web: it is being stopped: Liveness",
        spec=web(liveness_probe=PORT),
        history=told(started("web"), stopping("web", "Liveness"), probed("web", "liveness", True)),
    ),
    "it has ended of its liveness probe: restarted by its policy": Case(
        seen(pause(), dead(member("web"), 143), member("log")),
        """\
#1 create container web_1: exited with code 143, restart 1, policy Always
#2 start container web_1 (after #1): exited with code 143, restart 1, policy Always""",
        spec=web(liveness_probe=PORT),
        history=LIVENESS_FAILED,
    ),
    "the next instance has a clean record": Case(
        seen(pause(), member("web", 1), dead(member("web"), 143), member("log")),
        "nothing to do",
        spec=web(liveness_probe=PORT),
        history=told(
            started("web"), probed("web", "liveness", False), stopping("web", "Liveness"), started("web", 1)
        ),
    ),
    "readiness failed: nothing": Case(
        seen(pause(), member("web"), member("log")),
        "nothing to do",
        history=told(started("web"), probed("web", "readiness", False)),
    ),
    "somebody who debugs the pod is left alone": Case(
        seen(pause(), member("web"), member("log"), debugger("shell")),
        "nothing to do",
    ),
}

MESSAGES = VolumeInfo("pypod_default_shop_01234567__messages", {}, 0.0, "/var/lib/messages")


def messages(policy: str = "File", path: str = "/dev/termination-log") -> Callable[[PodSpec], PodSpec]:
    container = Container("web", "nginx:1", termination_message_path=path, termination_message_policy=policy)
    return lambda spec: replace(spec, containers=(container,))


def message(text: str, attempt: int = 0) -> Entry:
    return Message(NOW, "web", attempt, text)


TERMINATION = {
    "the volume is only being made: its directory is known in the next pass": Case(
        seen(),
        """\
#1 create volume _messages: for termination messages
#2 create container pause_0 (after #1): no sandbox
#3 attach channel pause_0 (after #2): lease and journal
#4 start container pause_0 (after #3): no sandbox""",
        waiting="container web: the volume of its messages is being made",
        spec=messages(),
    ),
    "the file is put before the container is made: the engine takes a missing source for a directory": Case(
        seen(pause(), volumes=(MESSAGES,)),
        """\
#1 put web_0 into container pause_0: its termination message
#2 create container web_0 (after #1): not there yet
#3 start container web_0 (after #2): not there yet""",
        spec=messages(),
    ),
    "a new sandbox: the file is put into it while it is not started": Case(
        seen(volumes=(MESSAGES,)),
        """\
#1 create container pause_0: no sandbox
#2 attach channel pause_0 (after #1): lease and journal
#3 start container pause_0 (after #2): no sandbox
#4 put web_0 into container pause_0 (after #1): its termination message
#5 create container web_0 (after #1, #4): not there yet
#6 start container web_0 (after #5, #3): not there yet""",
        spec=messages(),
    ),
    "it has ended: its message is read, beside its restart": Case(
        seen(pause(), dead(member("web"), 1), volumes=(MESSAGES,)),
        """\
#1 read termination message of container web: it exited with code 1
#2 put web_1 into container pause_0: its termination message
#3 create container web_1 (after #2): exited with code 1, restart 1, policy Always
#4 start container web_1 (after #3): exited with code 1, restart 1, policy Always""",
        spec=messages(),
    ),
    "its message was read: not again, though it was empty": Case(
        seen(pause(), dead(member("web", 3), 1), volumes=(MESSAGES,)),
        "nothing to do: container web: back-off 4s",
        due=NOW + 4,
        waiting="container web: back-off 4s",
        spec=messages(),
        history=told(started("web", 3, step=3), message("", 3)),
    ),
    "it could not be started: there is none": Case(
        seen(
            pause(),
            made(member("web", 3, created_at=NOW), exit_code=127, error="no such file"),
            volumes=(MESSAGES,),
        ),
        "nothing to do: container web: back-off 4s",
        due=NOW + 4,
        waiting="container web: back-off 4s",
        spec=messages(),
        history=told(started("web", 3, step=3)),
    ),
    "no path: nothing is read": Case(
        seen(pause(), dead(member("web", 3), 1)),
        "nothing to do: container web: back-off 4s",
        due=NOW + 4,
        waiting="container web: back-off 4s",
        spec=messages(path=""),
        history=told(started("web", 3, step=3)),
    ),
    "no path, FallbackToLogsOnError: its log": Case(
        seen(pause(), dead(member("web", 3), 1)),
        "#1 read termination message of container web: it exited with code 1",
        due=NOW + 4,
        waiting="container web: back-off 4s",
        spec=messages("FallbackToLogsOnError", ""),
        history=told(started("web", 3, step=3)),
    ),
    "no path, FallbackToLogsOnError, and it ended well: nothing is read": Case(
        seen(pause(), dead(member("web", 3), 0)),
        "nothing to do: container web: back-off 4s",
        due=NOW + 4,
        waiting="container web: back-off 4s",
        spec=messages("FallbackToLogsOnError", ""),
        history=told(started("web", 3, step=3)),
    ),
    "its sandbox died with it: read from the dead one, which is kept so long": Case(
        seen(dead(pause(), 137), dead(member("web"), 137), volumes=(MESSAGES,)),
        """\
#1 read termination message of container web: it exited with code 137
#2 create container pause_1: sandbox pause_0 is not running
#3 attach channel pause_1 (after #2): lease and journal
#4 start container pause_1 (after #3): sandbox pause_0 is not running
#5 remove container pause_0 (after #4, #1): an older sandbox
#6 put web_1 into container pause_1 (after #2): its termination message
#7 create container web_1 (after #2, #6): its sandbox changed
#8 start container web_1 (after #7, #4): its sandbox changed""",
        spec=messages(),
    ),
    "the pod is at its end: its messages are read all the same": Case(
        seen(pause(), dead(member("web"), 0), volumes=(MESSAGES,)),
        """\
#1 read termination message of container web: it exited with code 0
#2 note the pod is Succeeded (after #1): all containers have ended for good""",
        spec=lambda spec: replace(messages()(spec), restart_policy=NEVER),
    ),
}


@pytest.mark.parametrize("sentence", INIT)
def test_init_containers(sentence: str) -> None:
    check(INIT, sentence)


@pytest.mark.parametrize("sentence", SIDECARS)
def test_sidecars(sentence: str) -> None:
    check(SIDECARS, sentence)


@pytest.mark.parametrize("sentence", HOOKS)
def test_post_start(sentence: str) -> None:
    check(HOOKS, sentence)


@pytest.mark.parametrize("sentence", KILLS)
def test_probes_that_failed(sentence: str) -> None:
    check(KILLS, sentence)


@pytest.mark.parametrize("sentence", TERMINATION)
def test_termination_messages(sentence: str) -> None:
    check(TERMINATION, sentence)


def test_a_post_start_hook_has_all_the_time_it_takes_and_a_pre_stop_hook_the_grace() -> None:
    begun = Case(seen(pause(), member("web"), member("log")), "", spec=web(post_start=True)).run()
    stopped = Case(
        seen(pause(), member("web"), member("log")),
        "",
        spec=web(pre_stop=True),
        history=told(started("web"), stopping("web", "Liveness", ago=5, left=7)),
    ).run()
    hooks = [
        step.action for plan in (begun, stopped) for step in plan.steps if isinstance(step.action, RunHook)
    ]
    assert [(hook.hook, hook.id, hook.timeout) for hook in hooks] == [
        ("postStart", "web-0", None),
        ("preStop", "web-0", 7.0),
    ]


def reads(spec: Callable[[PodSpec], PodSpec], code: int) -> list[ReadMessage]:
    observed = seen(pause(), dead(member("web", 2), code), volumes=(MESSAGES,))
    plan = Case(observed, "", spec=spec).run()
    return [step.action for step in plan.steps if isinstance(step.action, ReadMessage)]


def test_a_message_is_read_from_its_file_and_on_an_error_from_the_log() -> None:
    file = "/v/0/web_2"
    assert [(each.pause, each.path, each.id) for each in reads(messages(), 1)] == [("pause-0", file, "")]
    fallback = messages("FallbackToLogsOnError")
    assert [(each.pause, each.path, each.id) for each in reads(fallback, 1)] == [("pause-0", file, "web-2")]
    assert [(each.pause, each.path, each.id) for each in reads(fallback, 0)] == [("pause-0", file, "")]


def test_a_message_file_is_where_its_container_mounts_it() -> None:
    observed = seen(pause(), dead(member("web", 2), 1), volumes=(MESSAGES,))
    plan = Case(observed, "", spec=messages(), history=told(message("", 2))).run()
    put, create = plan.steps[0].action, plan.steps[1].action
    assert isinstance(put, PutFiles)
    assert isinstance(create, CreateContainer)
    assert (put.name, put.directory, put.files) == ("pypod_default_shop_pause_0", "/v/0", ("web_3",))
    mount = create.request.mounts[-1]
    assert (mount.source, mount.target, mount.bind) == (
        "/var/lib/messages/web_3",
        "/dev/termination-log",
        True,
    )


def test_an_older_sandbox_is_kept_until_the_messages_in_it_are_read() -> None:
    observed = seen(dead(pause(), 137), dead(member("web"), 137), volumes=(MESSAGES,))
    plan = planner.plan_sync(Desired(messages()(BASE), IDENTITY), observed, told(), NOW)
    lines = short(plan).splitlines()
    read = next(line.split()[0] for line in lines if "read termination message" in line)
    removal = next(line for line in lines if "remove container pause_0" in line)
    assert f", {read})" in removal or f"(after {read})" in removal
