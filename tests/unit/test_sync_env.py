"""Pods whose variables come from elsewhere, on a fake engine: what they wait for, how they heal, and that secrets stay secret."""

from __future__ import annotations

import json
import traceback
from dataclasses import replace
from typing import Any

import pytest

from pypod import debugging, starting
from pypod.engine.objects import store_of
from pypod.errors import CommandError, PodStartError
from pypod.model import naming
from pypod.model.life.status import Phase, Terminated, Waiting
from pypod.model.spec.handlers import Lifecycle
from pypod.model.spec.objects import ConfigMap, Secret
from pypod.model.spec.pod import (
    ConfigMapEnvSource,
    Container,
    EnvFrom,
    EnvVar,
    FieldRef,
    FileKeyRef,
    PodSpec,
    SecretEnvSource,
    SecretKeyRef,
    Template,
    Volume,
)
from pypod.model.spec.restart_rules import RestartRule
from pypod.testing import FakeEngine, Program
from tests.unit.rig import (
    KEY,
    SPEC,
    Loop,
    events,
    instances,
    live,
    live_for,
    look,
    pause_of,
    settle,
    starts,
    sync_of,
)

MARKER = "sw0rdf1sh"
PASSWORD = SecretKeyRef("db", "password")
DB = Secret("db", {"password": MARKER.encode()})


@pytest.fixture
def engine() -> FakeEngine:
    fake = FakeEngine()
    fake.add_image("app:1")
    return fake


def of(*containers: Container, **fields: Any) -> PodSpec:
    return replace(SPEC, containers=containers, **fields)


def web(source: Any = PASSWORD, **fields: Any) -> Container:
    return Container("web", "app:1", env={"A": source}, **fields)


def env_of(engine: FakeEngine, container: str) -> dict[str, str]:
    return dict(engine.request(live(engine, container).id).env)


def waits(pod: Loop, container: str = "web") -> tuple[str, str]:
    state = pod.status.container(container).state
    assert isinstance(state, Waiting)
    return state.reason, state.message


def test_every_kind_of_source(engine: FakeEngine) -> None:
    store_of(engine).apply(DB)
    store_of(engine).apply(ConfigMap("settings", {"LEVEL": "3"}))
    env = [
        EnvVar("IP", value_from=FieldRef("status.podIP")),
        EnvVar("HOST", value_from=FieldRef("status.hostIP")),
        EnvVar("NODE", value_from=FieldRef("spec.nodeName")),
        EnvVar("PW", value_from=PASSWORD),
        EnvVar("URL", Template("http://$(IP)/$(M_LEVEL)")),
    ]
    sources = [EnvFrom(ConfigMapEnvSource("settings"), "M_"), EnvFrom(SecretEnvSource("db"), "S_")]
    settle(sync_of(engine, of(Container("web", "app:1", env=env, env_from=sources))))
    ip = look(engine).ip
    assert env_of(engine, "web") == {
        "M_LEVEL": "3",
        "S_password": MARKER,
        "IP": ip,
        "HOST": f"{ip.rpartition('.')[0]}.1",
        "NODE": "fake",
        "PW": MARKER,
        "URL": f"http://{ip}/3",
    }


def test_it_waits_and_heals(engine: FakeEngine) -> None:
    pod = sync_of(engine, of(web(), Container("log", "app:1")))
    settle(pod)
    pod.refresh()
    assert waits(pod) == ("CreateContainerConfigError", 'secret "db" not found')
    assert pod.status.phase is Phase.PENDING
    assert [info.container for info in look(engine).all_members] == ["log"]
    assert [(event.type, event.message) for event in events(pod, "Failed")] == [
        ("Warning", 'Error: secret "db" not found')
    ]
    live_for(engine, pod, 25)
    assert 2 <= events(pod, "Failed")[0].count <= 3
    store_of(engine).apply(DB)
    live_for(engine, pod, 11)
    assert env_of(engine, "web") == {"A": MARKER}
    assert pod.refresh().phase is Phase.RUNNING
    assert not pod.channel.history.failures


def test_whatever_wakes_the_loop_finds_what_has_come(engine: FakeEngine) -> None:
    pod = sync_of(engine, of(web()))
    settle(pod)
    store_of(engine).apply(DB)
    settle(pod)  # at the same moment
    assert env_of(engine, "web") == {"A": MARKER}


def test_one_that_waits_for_long_does_not_fill_the_journal(engine: FakeEngine) -> None:
    pod = sync_of(engine, of(web()))
    live_for(engine, pod, 3600)
    assert events(pod, "Failed")[0].count < 20


def test_an_init_container_holds_up_the_others(engine: FakeEngine) -> None:
    first = replace(web(), name="first", command=("true",))
    pod = sync_of(engine, of(Container("log", "app:1"), init_containers=(first,)))
    settle(pod)
    pod.refresh()
    assert waits(pod, "log")[0] == "PodInitializing"
    assert not look(engine).members
    store_of(engine).apply(DB)
    live_for(engine, pod, 1)
    assert live(engine, "log").is_live


def test_a_restart_takes_what_the_object_has_by_then(engine: FakeEngine) -> None:
    store_of(engine).apply(ConfigMap("settings", {"LEVEL": "3"}))
    pod = sync_of(engine, of(Container("web", "app:1", env_from=[ConfigMapEnvSource("settings")])))
    settle(pod)
    store_of(engine).apply(ConfigMap("settings", {"LEVEL": "4"}))
    settle(pod)
    assert env_of(engine, "web") == {"LEVEL": "3"}
    engine.exit(live(engine, "web").id, 1)
    live_for(engine, pod, 5)
    assert env_of(engine, "web") == {"LEVEL": "4"}


def test_a_new_sandbox_tells_its_own_address(engine: FakeEngine) -> None:
    pod = sync_of(engine, of(web(FieldRef("status.podIP"))))
    settle(pod)
    assert env_of(engine, "web") == {"A": look(engine).ip}
    engine.exit(pause_of(engine).id, 1)
    live_for(engine, pod, 40)
    assert env_of(engine, "web") == {"A": look(engine).ip}
    assert live(engine, "web").sandbox == 1


def test_a_variable_of_a_file_that_an_init_container_wrote(engine: FakeEngine) -> None:
    engine.program("writes", Program(runs_for=1))
    first = Container("first", "app:1", command=["writes"], mounts={"data": "/data"})
    spec = of(
        web(FileKeyRef("data", "a.env", "K")),
        init_containers=(first,),
        volumes=(Volume.empty_dir("cache"), Volume.empty_dir("data")),
    )
    pod = sync_of(engine, spec)
    settle(pod)
    live_for(engine, pod, 2)
    assert waits(pod) == ("CreateContainerConfigError", 'file "a.env" not found in volume "data"')
    engine.write_file(pause_of(engine).id, "/v/1/a.env", "# written\nK='v a l'\n")
    live_for(engine, pod, 11)
    assert env_of(engine, "web") == {"A": "v a l"}
    ephemeral: Any = {"A": FileKeyRef("data", "a.env", "K")}
    debugging.join(pod, Container("tools", "app:1", env=ephemeral), target=None, stdin=False)
    assert env_of(engine, "tools") == {"A": "v a l"}


# --- start ----------------------------------------------------------------------------------------------------------------


def failure(engine: FakeEngine, spec: PodSpec) -> PodStartError:
    pod = sync_of(engine, spec)
    before = engine.clock.now()
    with pytest.raises(PodStartError) as caught:
        starting.start(pod, timeout=60, min_ready_seconds=0.1)
    assert engine.clock.now() - before < 1
    return caught.value


def test_start_says_what_is_missing_and_which_field_asks_for_it(engine: FakeEngine) -> None:
    error = failure(engine, of(Container("log", "app:1"), web()))
    assert (error.pod, error.container, error.reason) == ("default/shop", "web", "CreateContainerConfigError")
    assert str(error).splitlines()[0] == (
        "cannot start pod 'default/shop': container 'web': CreateContainerConfigError:"
        ' secret "db" not found (spec.containers[1].env[0].valueFrom.secretKeyRef)'
    )


def test_start_says_it_of_an_init_container_too(engine: FakeEngine) -> None:
    first = Container("first", "app:1", env_from=[ConfigMapEnvSource("none")])
    error = failure(engine, of(Container("log", "app:1"), init_containers=(first,)))
    assert 'configmap "none" not found (spec.initContainers[0].envFrom[0].configMapRef)' in str(error)


# --- secrets --------------------------------------------------------------------------------------------------------------


def test_a_secret_is_in_the_container_and_nowhere_else(engine: FakeEngine) -> None:
    store_of(engine).apply(DB)
    pod = sync_of(engine, of(web(command=["serve"], args=[Template("--pw=$(A)")])))
    engine.program("serve", Program())
    settle(pod)
    settle(pod)
    assert env_of(engine, "web") == {"A": MARKER}
    labels = [info.labels for info in engine.containers({})] + [each.labels for each in engine.volumes({})]
    log = engine.logs(pause_of(engine).id)
    journal = b"".join(frame.data for frame in iter(log.read, None))
    shown = [
        labels,
        journal,
        pod.status,
        pod.channel.history,
        pod.last_plan,
        str(pod.last_plan),
        pod.observed,
    ]
    assert MARKER not in json.dumps(labels)
    assert not [each for each in shown if MARKER in repr(each)]


def test_a_program_that_a_secret_names_is_in_no_error(engine: FakeEngine) -> None:
    """An engine's error says which program it could not run."""
    store_of(engine).apply(DB)
    spec = of(web(command=[Template("/bin/$(A)")]))
    pod = sync_of(engine, spec)
    with pytest.raises(CommandError) as caught:
        starting.start(pod, timeout=60, min_ready_seconds=0.1)
    shown = "".join(traceback.format_exception(caught.value))
    assert "<hidden>" in shown
    for each in (
        shown,
        str(pod.status),
        str(pod.channel.history),
        str(pod.observed),
        str(pod.recorder.last_error),
    ):
        assert MARKER not in each
    assert 'exec: "<hidden>"' in str(pod.observed)


def test_nor_where_all_run_now(engine: FakeEngine) -> None:
    store_of(engine).apply(DB)
    pod = sync_of(engine, of(web(command=[Template("$(A)")])))
    settle(pod)
    engine.program(MARKER, Program())
    live_for(engine, pod, 5)
    pod.refresh()
    assert live(engine, "web").is_live
    last = pod.status.container("web").last_state
    assert last is not None
    assert "<hidden>" in last.message
    assert MARKER not in str(pod.observed)


# --- ephemeral containers ---------------------------------------------------------------------------------------------


def test_an_ephemeral_container_gets_its_variables(engine: FakeEngine) -> None:
    store_of(engine).apply(DB)
    pod = sync_of(engine, of(Container("log", "app:1")))
    settle(pod)
    env: Any = {"A": PASSWORD, "IP": FieldRef("status.podIP")}
    debugging.join(pod, Container("tools", "app:1", env=env), target=None, stdin=False)
    assert env_of(engine, "tools") == {"A": MARKER, "IP": look(engine).ip}


def test_an_ephemeral_container_of_which_something_is_missing(engine: FakeEngine) -> None:
    pod = sync_of(engine, of(Container("log", "app:1")))
    settle(pod)
    with pytest.raises(PodStartError) as caught:
        debugging.join(pod, Container("tools", "app:1", env={"A": PASSWORD}), target=None, stdin=False)
    assert caught.value.reason == "CreateContainerConfigError"
    assert str(caught.value) == (
        "cannot debug pod 'default/shop': container 'tools': CreateContainerConfigError:"
        ' secret "db" not found (spec.ephemeralContainers[0].env[0].valueFrom.secretKeyRef)'
    )
    assert not look(engine).ephemeral


# --- stop signals and restart rules ---------------------------------------------------------------------------------------


def test_a_container_is_ended_by_its_own_signal(engine: FakeEngine) -> None:
    spec = of(Container("web", "app:1", lifecycle=Lifecycle(stop_signal="SIGUSR1")), os="linux")
    settle(sync_of(engine, spec))
    assert live(engine, "web").stop_signal == "SIGUSR1"
    assert engine.request(live(engine, "web").id).stop_signal == "SIGUSR1"


def ends_with(code: int, *rules: RestartRule, policy: str = "Never") -> Container:
    return Container("job", "app:1", command=["ends"], restart_policy=policy, restart_policy_rules=rules)


RULES = [
    ((RestartRule.on(42),), 42, True),
    ((RestartRule.on(42),), 1, False),
    ((RestartRule.unless(42),), 42, False),
    ((RestartRule.unless(42),), 1, True),
    ((RestartRule.on(1), RestartRule.on(42)), 42, True),
    ((), 42, False),
]


@pytest.mark.parametrize(("rules", "code", "again"), RULES, ids=range(len(RULES)))
def test_a_rule_comes_before_the_policy(
    engine: FakeEngine, rules: tuple[RestartRule, ...], code: int, again: bool
) -> None:
    engine.program("ends", Program(runs_for=0.5, exit_code=code))
    pod = sync_of(engine, of(ends_with(code, *rules), Container("log", "app:1")))
    live_for(engine, pod, 4)
    assert (starts(engine, "job") > 1) is again
    pod.refresh()
    assert isinstance(pod.status.container("job").state, Terminated) is not again
    assert pod.status.phase is Phase.RUNNING


def test_a_pod_all_of_which_ends_by_a_rule_is_not_over(engine: FakeEngine) -> None:
    engine.program("ends", Program(runs_for=0.5, exit_code=42))
    pod = sync_of(engine, of(ends_with(42, RestartRule.on(42))))
    live_for(engine, pod, 2.7)
    assert pod.refresh().phase is Phase.RUNNING
    engine.program("ends", Program(runs_for=0.5, exit_code=1))
    live_for(engine, pod, 10)
    assert pod.refresh().phase is Phase.FAILED


def test_an_init_container_of_its_own_policy(engine: FakeEngine) -> None:
    engine.program("ends", Program(runs_for=0.5, exit_code=1))
    never = replace(ends_with(1), name="first")
    pod = sync_of(engine, of(Container("log", "app:1"), init_containers=(never,)))
    live_for(engine, pod, 5)
    pod.refresh()
    assert pod.status.phase is Phase.FAILED
    assert starts(engine, "first") == 1
    assert naming.member_name(KEY, "first", 0) in [info.name for info in instances(engine, "first")]
