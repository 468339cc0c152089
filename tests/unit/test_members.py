"""The containers of a pod as they stand: spec, snapshot and journal side by side."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pypod.model.life import members, restarts
from pypod.model.life.history import History
from pypod.model.life.journal import Entry, Hooked, Message, Probed, Started
from pypod.model.life.members import Kind, Member
from pypod.model.naming import Role
from pypod.model.spec.handlers import Hook, Lifecycle, Probe
from pypod.model.spec.pod import Container, RestartPolicy
from pypod.model.wiring.state import ContainerInfo, ContainerState
from tests.unit.snapshots import (
    ENDED,
    IMAGE,
    NOW,
    ended,
    made,
    member,
    pause,
    refused,
    seen,
    sidecar,
    told,
    wanted,
)

ALWAYS, ON_FAILURE, NEVER = RestartPolicy.ALWAYS, RestartPolicy.ON_FAILURE, RestartPolicy.NEVER
STARTED_A = Started(1.0, "a", 0, 0)


def one(
    *infos: ContainerInfo,
    container: Container | str = "a",
    policy: RestartPolicy = ALWAYS,
    history: History | None = None,
) -> Member:
    """The only, regular container of a pod."""
    desired = wanted(container, policy=policy)
    return members.members_of(desired.spec, seen(*infos), history or History())[0]


def init(*infos: ContainerInfo, policy: RestartPolicy = ALWAYS, history: History | None = None) -> Member:
    """The init container i of a pod whose container is a."""
    desired = wanted("a", init=["i"], policy=policy)
    return members.members_of(desired.spec, seen(*infos), history or History())[0]


# --- what the spec says ----------------------------------------------------------------------------------------------


def test_every_container_is_there_in_the_order_of_starting() -> None:
    desired = wanted("b", "a", init=["i", sidecar(), "j"])
    found = members.members_of(desired.spec, seen(pause()), History())
    assert [(each.name, each.kind) for each in found] == [
        ("i", Kind.INIT),
        ("s", Kind.SIDECAR),
        ("j", Kind.INIT),
        ("b", Kind.REGULAR),
        ("a", Kind.REGULAR),
    ]


def with_policy(policy: str | None) -> Container:
    return Container("c", IMAGE, restart_policy=policy)


@pytest.mark.parametrize(
    ("sentence", "pod", "own", "as_init", "as_regular"),
    [
        ("an init container runs until it succeeds", ALWAYS, None, ON_FAILURE, ALWAYS),
        ("OnFailure is OnFailure", ON_FAILURE, None, ON_FAILURE, ON_FAILURE),
        ("Never is Never", NEVER, None, NEVER, NEVER),
        ("its own policy comes first", ALWAYS, "Never", NEVER, NEVER),
        ("a sidecar is always restarted, whatever its pod says", NEVER, "Always", ALWAYS, ALWAYS),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_policy_that_holds(
    sentence: str, pod: RestartPolicy, own: str | None, as_init: RestartPolicy, as_regular: RestartPolicy
) -> None:
    container = with_policy(own)
    assert members.policy_of(wanted("a", init=[container], policy=pod).spec, container) is as_init, sentence
    assert members.policy_of(wanted(container, policy=pod).spec, container) is as_regular, sentence


def test_a_container_that_joined_to_debug_is_no_member() -> None:
    desired = wanted("a")
    found = members.members_of(desired.spec, seen(pause(), member("dbg", role=Role.EPHEMERAL)), History())
    assert [each.name for each in found] == ["a"]


# --- what is seen ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sentence", "found", "live", "over", "attempt"),
    [
        ("nothing yet", one(pause()), False, False, -1),
        ("made", one(pause(), made(member())), False, False, 0),
        ("runs", one(pause(), member(attempt=3)), True, False, 3),
        ("paused", one(pause(), replace(member(), state=ContainerState.PAUSED)), True, False, 0),
        ("ended", one(pause(), ended(member(), 0)), False, True, 0),
        ("could not be started", one(pause(), refused(member())), False, True, 0),
        ("the newest counts", one(pause(), member(attempt=1), ended(member(), 0)), True, False, 1),
        ("removed by somebody", one(pause(), history=told(STARTED_A)), False, True, 0),
        ("removed, an older one is left", one(pause(), ended(member(), 1), history=told(Started(1.0, "a", 1, 1))), False, True, 1),
        ("told of, never started", one(pause(), history=told(Message(1.0, "a", 0, ""))), False, False, -1),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_what_it_is_doing(sentence: str, found: Member, live: bool, over: bool, attempt: int) -> None:
    assert (found.is_live, found.has_ended, found.attempt) == (live, over, attempt), sentence


def test_one_that_somebody_removed_has_been_killed() -> None:
    found = one(pause(), history=told(STARTED_A))
    assert (found.is_vanished, found.exit_code, found.succeeded) == (True, 137, False)
    assert not one(pause(), member(), history=told(STARTED_A)).is_vanished


@pytest.mark.parametrize(
    ("sentence", "infos", "current"),
    [
        ("made for the sandbox that there is", (pause(1), member(sandbox=1)), True),
        ("made for the one before", (pause(1), member(sandbox=0)), False),
        ("no sandbox is there", (member(sandbox=0),), True),
        ("its sandbox is dead, and no other is there", (ended(pause(), 137), member()), True),
        ("never made", (pause(),), False),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_whose_sandbox_it_is_in(sentence: str, infos: tuple[ContainerInfo, ...], current: bool) -> None:
    assert one(*infos).current is current, sentence


def test_of_one_that_is_gone_the_journal_tells_the_sandbox() -> None:
    history = told(Started(1.0, "a", 0, 0, sandbox=1))
    assert one(pause(1), history=history).current
    assert not one(pause(2), history=history).current


# --- started and ready -----------------------------------------------------------------------------------------------

STARTUP = Container("a", IMAGE, startup_probe=Probe.exec(["true"]))
READINESS = Container("a", IMAGE, readiness_probe=Probe.exec(["true"]))
HOOKED = Container("a", IMAGE, lifecycle=Lifecycle(post_start=Hook.exec(["true"])))
PAUSED = replace(member(), state=ContainerState.PAUSED)


def probed(probe: str, passed: bool, attempt: int = 0) -> Entry:
    return Probed(1.0, "a", attempt, probe, passed)


def hook(outcome: str) -> Entry:
    return Hooked(1.0, "a", 0, "postStart", outcome)


@pytest.mark.parametrize(
    ("sentence", "container", "infos", "entries", "started", "ready"),
    [
        ("it runs", "a", (pause(), member()), (), True, True),
        ("it does not", "a", (pause(), made(member())), (), False, False),
        ("it has ended", "a", (pause(), ended(member(), 0)), (), False, False),
        ("it is paused", "a", (pause(), PAUSED), (), True, False),
        ("it has outlived its sandbox", "a", (pause(1), member()), (), False, False),
        ("startup: nothing yet", STARTUP, (pause(), member()), (), False, False),
        ("startup: passed", STARTUP, (pause(), member()), (probed("startup", True),), True, True),
        ("startup: failed", STARTUP, (pause(), member()), (probed("startup", False),), False, False),
        ("startup: passed by the instance before", STARTUP, (pause(), member(attempt=1)), (probed("startup", True),), False, False),
        ("readiness: nothing yet", READINESS, (pause(), member()), (), True, False),
        ("readiness: passed", READINESS, (pause(), member()), (probed("readiness", True),), True, True),
        ("readiness: failed again", READINESS, (pause(), member()), (probed("readiness", True), probed("readiness", False)), True, False),
        ("postStart: not begun", HOOKED, (pause(), member()), (), False, False),
        ("postStart: runs", HOOKED, (pause(), member()), (hook("began"),), False, False),
        ("postStart: done", HOOKED, (pause(), member()), (hook("began"), hook("done")), True, True),
        ("postStart: failed", HOOKED, (pause(), member()), (hook("failed"),), False, False),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_started_and_ready(
    sentence: str,
    container: Container | str,
    infos: tuple[ContainerInfo, ...],
    entries: tuple[Entry, ...],
    started: bool,
    ready: bool,
) -> None:
    found = one(*infos, container=container, history=told(*entries))
    assert (found.is_started, found.is_ready) == (started, ready), sentence


# --- init containers -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sentence", "found", "succeeded", "ready"),
    [
        ("it runs", init(pause(), member("i")), False, False),
        ("it ended with 0", init(pause(), ended(member("i"), 0)), True, True),
        ("it failed", init(pause(), ended(member("i"), 1)), False, False),
        ("a process of it lacked memory", init(pause(), ended(member("i"), 0, oom=True)), False, False),
        ("it succeeded in the sandbox before", init(pause(1), ended(member("i"), 0)), True, False),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_init_container_is_ready_when_it_has_succeeded_in_this_sandbox(
    sentence: str, found: Member, succeeded: bool, ready: bool
) -> None:
    assert (found.succeeded, found.is_ready) == (succeeded, ready), sentence


I_AND_A = told(Started(1.0, "i", 0, 0), Started(2.0, "a", 0, 0))


def test_an_init_container_that_was_removed_after_the_next_began_had_succeeded() -> None:
    """`docker container prune` takes it: it is not run again, and a pod with the policy Never does not fail by it."""
    found = init(pause(), member(), history=I_AND_A, policy=NEVER)
    assert found.is_vanished
    assert (found.passed, found.exit_code, found.succeeded, found.is_ready) == (True, 0, True, True)
    assert found.restart(restarts.DEFAULT) is None


def test_one_that_was_removed_before_the_next_began_runs_again() -> None:
    found = init(pause(), history=told(Started(1.0, "i", 0, 0)))
    assert (found.passed, found.exit_code, found.succeeded) == (False, 137, False)
    assert found.restart(restarts.DEFAULT) is not None


def test_in_a_new_sandbox_nothing_has_passed() -> None:
    found = init(pause(1), ended(member(), 0), history=I_AND_A)
    assert (found.passed, found.current, found.is_ready) == (False, False, False)


# --- initialized -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sentence", "infos", "entries", "expected"),
    [
        ("no container was made", (pause(), ended(member("i"), 0)), (), False),
        ("one was made", (pause(), made(member())), (), False),
        ("the engine refused to start it", (pause(), refused(member())), (), False),
        ("one runs", (pause(), member()), (), True),
        ("one ended", (pause(), ended(member(), 1)), (), True),
        ("one was removed by somebody", (pause(),), (STARTED_A,), True),
        ("its start was tried and written down", (pause(), refused(member())), (STARTED_A,), True),
        ("one ran in the sandbox before", (pause(1), ended(member(), 1)), (STARTED_A,), False),
        ("the next instance is only made", (pause(), made(member(attempt=1)), ended(member(), 1)), (), True),
        ("the next is made, the one before was removed", (pause(), made(member(attempt=1))), (STARTED_A,), True),
        ("the next is made for a new sandbox", (pause(1), made(member(attempt=1, sandbox=1)), ended(member(), 1)), (STARTED_A,), False),
        ("only init containers ran", (pause(), ended(member("i"), 0), member("s")), (), False),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_initialized(
    sentence: str, infos: tuple[ContainerInfo, ...], entries: tuple[Entry, ...], expected: bool
) -> None:
    desired = wanted("a", init=["i", sidecar()])
    found = members.members_of(desired.spec, seen(*infos), told(*entries))
    assert members.has_initialized(found) is expected, sentence


# --- restarts --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sentence", "found", "again"),
    [
        ("Always, exit 0", one(pause(), ended(member(), 0)), True),
        ("OnFailure, exit 0", one(pause(), ended(member(), 0), policy=ON_FAILURE), False),
        ("OnFailure, exit 1", one(pause(), ended(member(), 1), policy=ON_FAILURE), True),
        ("OnFailure, exit 0 and out of memory", one(pause(), ended(member(), 0, oom=True), policy=ON_FAILURE), False),
        ("Never, exit 1", one(pause(), ended(member(), 1), policy=NEVER), False),
        ("Never, removed by somebody", one(pause(), policy=NEVER, history=told(STARTED_A)), False),
        ("OnFailure, removed by somebody", one(pause(), policy=ON_FAILURE, history=told(STARTED_A)), True),
        ("an init container with 0", init(pause(), ended(member("i"), 0)), False),
        ("an init container with 1", init(pause(), ended(member("i"), 1)), True),
        ("an init container with 0 and out of memory", init(pause(), ended(member("i"), 0, oom=True)), True),
        ("an init container with 1, Never", init(pause(), ended(member("i"), 1), policy=NEVER), False),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_whether_it_is_restarted(sentence: str, found: Member, again: bool) -> None:
    assert (found.restart(restarts.DEFAULT) is not None) is again, sentence


def test_a_sidecar_is_restarted_on_any_exit_whatever_its_pod_says() -> None:
    desired = wanted("a", init=[sidecar()], policy=NEVER)
    for code in (0, 1):
        found = members.members_of(desired.spec, seen(pause(), ended(member("s"), code)), History())[0]
        assert found.restart(restarts.DEFAULT) is not None


def test_the_back_off_goes_on_from_where_the_journal_says_it_is() -> None:
    found = one(pause(), ended(member(attempt=3), 1), history=told(Started(1.0, "a", 3, 3)))
    assert found.restart(restarts.DEFAULT) == restarts.Restart(due=ENDED + 4, step=4, delay=4)


def test_what_somebody_removed_is_restarted_at_once() -> None:
    found = one(pause(), history=told(Started(1.0, "a", 3, 3))).restart(restarts.DEFAULT)
    assert found is not None
    assert (found.due < NOW, found.step) == (True, 4)
