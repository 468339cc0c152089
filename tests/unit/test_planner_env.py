"""What is planned for containers whose variables come from elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from pypod.model.life.history import History
from pypod.model.life.journal import ContainerFailed, Event
from pypod.model.life.plan import CreateContainer, Plan, Write
from pypod.model.spec.object_references import Objects
from pypod.model.spec.objects import Secret
from pypod.model.spec.pod import Container, FieldRef, FileKeyRef, PodSpec, SecretKeyRef, Template, Volume
from tests.unit.pods import NOW, Case, dead, made, member, pause, seen, started, told

PASSWORD = SecretKeyRef("db", "password")
DB = Objects("default", {("Secret", "db"): Secret("db", {"password": b"swordfish"})})
WORDS = 'secret "db" not found'
WAITS = f"container web: CreateContainerConfigError: {WORDS}"


def pod(web: Container, *init: Container) -> Callable[[PodSpec], PodSpec]:
    log = Container("log", "busybox:1")
    return lambda spec: replace(spec, containers=(web, log), init_containers=init)


def needs(source: Any, name: str = "web", **fields: Any) -> Container:
    return Container(name, "nginx:1", env={"A": source}, **fields)


SECRET = pod(needs(PASSWORD))


def failed(ago: float, message: str = WORDS, count: int = 1, name: str = "web") -> History:
    return told(ContainerFailed(NOW - ago, name, "CreateContainerConfigError", message, count, untried=True))


CASES = {
    "a fresh pod: who needs the address waits for the sandbox, the other does not": Case(
        seen(),
        """\
#1 create container pause_0: no sandbox
#2 attach channel pause_0 (after #1): lease and journal
#3 start container pause_0 (after #2): no sandbox
#4 create container log_0 (after #1): not there yet
#5 start container log_0 (after #4, #3): not there yet""",
        waiting="container web: the pod has no address yet",
        spec=pod(needs(FieldRef("status.podIP"))),
    ),
    "the sandbox runs: now it is made": Case(
        seen(pause(), member("log")),
        """\
#1 create container web_0: not there yet
#2 start container web_0 (after #1): not there yet""",
        spec=pod(needs(FieldRef("status.hostIP"))),
    ),
    "who needs a file waits for the sandbox too": Case(
        seen(),
        """\
#1 create volume v: emptyDir begins empty
#2 create container pause_0 (after #1): no sandbox
#3 attach channel pause_0 (after #2): lease and journal
#4 start container pause_0 (after #3): no sandbox
#5 create container log_0 (after #2): not there yet
#6 start container log_0 (after #5, #4): not there yet""",
        waiting="container web: the pod's volumes cannot be read yet",
        spec=lambda spec: replace(
            pod(needs(FileKeyRef("v", "f", "K")))(spec), volumes=(Volume.empty_dir("v"),)
        ),
    ),
    "what else is told of the pod is known before": Case(
        seen(),
        """\
#1 create container pause_0: no sandbox
#2 attach channel pause_0 (after #1): lease and journal
#3 start container pause_0 (after #2): no sandbox
#4 create container web_0 (after #1): not there yet
#5 start container web_0 (after #4, #3): not there yet
#6 create container log_0 (after #1): not there yet
#7 start container log_0 (after #6, #3): not there yet""",
        spec=pod(needs(FieldRef("metadata.uid"))),
    ),
    "a Secret that is there": Case(
        seen(pause(), member("log"), objects=DB),
        """\
#1 create container web_0: not there yet
#2 start container web_0 (after #1): not there yet""",
        spec=SECRET,
    ),
    "a Secret that is not: it is told, the others start": Case(
        seen(pause()),
        f"""\
#1 note container web waits (CreateContainerConfigError); event Failed: container web cannot be made: {WORDS}
#2 create container log_0: not there yet
#3 start container log_0 (after #2): not there yet""",
        due=NOW + 10,
        waiting=WAITS,
        spec=SECRET,
    ),
    "it was told": Case(
        seen(pause(), member("log")),
        f"nothing to do: {WAITS}",
        due=NOW + 10,
        waiting=WAITS,
        spec=SECRET,
        history=failed(5),
    ),
    "it was told long ago: it is told again": Case(
        seen(pause(), member("log")),
        f"#1 note container web waits (CreateContainerConfigError); event Failed: container web cannot be made: {WORDS}",
        due=NOW + 10,
        waiting=WAITS,
        spec=SECRET,
        history=failed(10),
    ),
    "and ever less often": Case(
        seen(pause(), member("log")),
        f"nothing to do: {WAITS}",
        due=NOW + 10,
        waiting=WAITS,
        spec=SECRET,
        history=failed(299, count=9),
    ),
    "something else is missing now": Case(
        seen(pause(), member("log"), objects=Objects("default", {("Secret", "db"): Secret("db", {})})),
        "#1 note container web waits (CreateContainerConfigError); event Failed: container web cannot be made:"
        " couldn't find key password in Secret default/db",
        due=NOW + 10,
        waiting="container web: CreateContainerConfigError: couldn't find key password in Secret default/db",
        spec=SECRET,
        history=failed(1),
    ),
    "it has come: nothing is waited for": Case(
        seen(pause(), member("log"), objects=DB),
        """\
#1 create container web_0: not there yet
#2 start container web_0 (after #1): not there yet""",
        spec=SECRET,
        history=failed(1),
    ),
    "another failure holds it up as ever": Case(
        seen(pause(), member("log"), objects=DB),
        "nothing to do: container web: CreateContainerError",
        due=NOW + 9,
        waiting="container web: CreateContainerError",
        spec=SECRET,
        history=told(ContainerFailed(NOW - 1, "web", "CreateContainerError", "no")),
    ),
    "an init container: nothing after it starts": Case(
        seen(pause()),
        f"#1 note container first waits (CreateContainerConfigError); event Failed: container first cannot be made: {WORDS}",
        due=NOW + 10,
        waiting=f"container first: CreateContainerConfigError: {WORDS}; init container first",
        spec=pod(Container("web", "nginx:1"), needs(PASSWORD, "first")),
    ),
    "its image comes first": Case(
        seen(pause(), member("log"), images={"nginx:1": None, "busybox:1": None}),
        "#1 pull image nginx:1: not on the engine, imagePullPolicy IfNotPresent",
        waiting="container web: image nginx:1 is being pulled",
        spec=SECRET,
    ),
    "one that ended, and whose Secret went": Case(
        seen(pause(), dead(member("web"), ago=5), member("log")),
        f"#1 note container web waits (CreateContainerConfigError); event Failed: container web cannot be made: {WORDS}",
        due=NOW + 10,
        waiting=WAITS,
        spec=SECRET,
        history=told(started("web")),
    ),
    "one that runs keeps what it has": Case(
        seen(pause(), member("web"), member("log")), "nothing to do", spec=SECRET
    ),
    "one that was made with it is started": Case(
        seen(pause(), made(member("web")), member("log")),
        "#1 start container web_0: made but not started",
        spec=SECRET,
    ),
}


@pytest.mark.parametrize("sentence", CASES)
def test_what_is_planned(sentence: str) -> None:
    CASES[sentence].check()


def plan_with(web: Container, **more: Any) -> Plan:
    return Case(seen(pause(), member("log"), **more), "", spec=pod(web)).run()


def test_what_is_told_of_a_missing_object() -> None:
    (step,) = plan_with(needs(PASSWORD)).steps
    assert isinstance(step.action, Write)
    assert step.action.entries == (
        ContainerFailed(NOW, "web", "CreateContainerConfigError", WORDS, untried=True),
        Event(NOW, "Warning", "Failed", f"Error: {WORDS}", "web"),
    )


def test_a_plan_has_the_values_and_does_not_show_them() -> None:
    web = needs(PASSWORD, command=["serve", Template("--pw=$(A)")], args=[Template("$(A)")])
    plan = plan_with(web, objects=DB)
    action = plan.steps[0].action
    assert isinstance(action, CreateContainer)
    assert action.request.env == {"A": "swordfish"}
    assert action.request.entrypoint == ("serve", "--pw=swordfish")
    assert action.request.command == ("swordfish",)
    assert "swordfish" not in f"{plan} {plan!r} {action.request!r} {action.request.labels}"
    assert "'serve'" in repr(plan)


def test_an_address_is_the_sandboxes() -> None:
    plan = plan_with(needs(FieldRef("status.podIP")))
    action = plan.steps[0].action
    assert isinstance(action, CreateContainer)
    assert action.request.env == {"A": "10.214.0.2"}
