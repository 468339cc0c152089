"""What the tries of a probe say together, and which probes are to be run."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pypod.model import naming
from pypod.model.life import probes
from pypod.model.life.history import History
from pypod.model.life.journal import Entry, Hooked, PodFinished, Probed, Started, Stopping
from pypod.model.life.probes import Kind, ProbeKey, State, Wanted
from pypod.model.naming import Owner, PodKey
from pypod.model.spec.handlers import Hook, Lifecycle, Probe
from pypod.model.spec.pod import Container, PodSpec
from pypod.model.wiring.state import ContainerInfo, ContainerState, PodObservation

NOW = 1000.0
KEY = PodKey("default", "shop", "0123456789abcdef")
LABELS = naming.pod_labels(KEY, Owner("boot", 1, 2, 3), leased=True)
STARTUP, LIVENESS, READINESS = Kind.STARTUP, Kind.LIVENESS, Kind.READINESS


def probe(success: int = 1, failure: int = 3, *, delay: float = 0.0, period: float = 10.0) -> Probe:
    return Probe.tcp_socket(
        80,
        initial_delay_seconds=delay,
        period_seconds=period,
        success_threshold=success,
        failure_threshold=failure,
    )


def told(kind: Kind, tries: str, asked: Probe, initial: bool | None = None) -> str:
    """What each try of a line changes: ``S`` and ``F`` succeed and fail, ``s`` and ``f`` do so between two periods; the answer has
    ``+`` for passed, ``-`` for not passed, ``.`` for no change."""
    state, said = probes.begin(kind, initial), ""
    for letter in tries:
        state, changed = probes.step(state, asked, letter in "Ss", letter in "sf")
        said += {True: "+", False: "-", None: "."}[changed]
    return said


@pytest.mark.parametrize(
    ("kind", "tries", "said"),
    [
        (READINESS, "S", "+"),
        (READINESS, "SSS", "+.."),
        (READINESS, "FFFF", "..-."),  # it was not ready before either; but now it is known
        (READINESS, "SFFFF", "+..-."),
        (READINESS, "SFFSFFS", "+......"),  # two in a row are not three
        (READINESS, "SFFFS", "+..-+"),
        (READINESS, "FFSFF", "..+.."),
        (LIVENESS, "SSS", "..."),  # alive is what it was taken for
        (LIVENESS, "FFF", "..-"),
        (LIVENESS, "FFSFFF", ".....-"),
        (STARTUP, "S", "+"),
        (STARTUP, "FFS", "..+"),
        (STARTUP, "FFF", "..-"),
    ],
)
def test_thresholds(kind: Kind, tries: str, said: str) -> None:
    assert told(kind, tries, probe()) == said


@pytest.mark.parametrize(
    ("tries", "said"),
    [
        ("ffffffff", "........"),  # they count for nothing
        ("ffs", "..+"),
        ("FfFfF", "....-"),  # failures are counted on the grid alone, and what is between does not part them
        ("FFfs", "...+"),
        ("FFsF", "..+."),
    ],
)
def test_a_fast_try_can_only_detect_success(tries: str, said: str) -> None:
    assert told(READINESS, tries, probe()) == said


@pytest.mark.parametrize(
    ("tries", "said"),
    [
        ("SS", ".+"),
        ("sS", ".+"),  # a fast success counts
        ("SFS", "..."),
        ("SfS", "..+"),
        ("FFsFF", "....."),  # it ends a run of failures
    ],
)
def test_more_than_one_success_may_be_asked_for(tries: str, said: str) -> None:
    assert told(READINESS, tries, probe(success=2)) == said


@pytest.mark.parametrize(
    ("kind", "initial", "tries", "said"),
    [
        (READINESS, True, "SS", ".."),
        (READINESS, True, "FFF", "..-"),
        (READINESS, False, "FFFF", "...."),
        (READINESS, False, "FS", ".+"),
        (LIVENESS, True, "SFFF", "...-"),
        (STARTUP, None, "S", "+"),
    ],
)
def test_what_was_known_before_is_no_change(kind: Kind, initial: bool | None, tries: str, said: str) -> None:
    assert told(kind, tries, probe(), initial) == said


def test_before_the_first_try() -> None:
    assert {kind.value: probes.begin(kind).result for kind in Kind} == {
        "startup": None,
        "liveness": True,
        "readiness": False,
    }


def test_zero_means_the_default() -> None:
    asked = probe(0, 0, period=0)
    assert (told(READINESS, "S", asked), told(READINESS, "FFF", asked)) == ("+", "..-")
    assert probes.period(asked) == 10
    assert [probes.period(probe(period=seconds)) for seconds in (0.25, 1e-9)] == [0.25, 0.01]


tries_and_speeds = st.lists(st.tuples(st.booleans(), st.booleans()), max_size=40)


@given(
    st.sampled_from(Kind),
    st.sampled_from([None, True, False]),
    tries_and_speeds,
    st.integers(1, 4),
    st.integers(1, 4),
)
def test_as_one_would_count_by_hand(
    kind: Kind, initial: bool | None, tries: list[tuple[bool, bool]], success: int, failure: int
) -> None:
    """Look back over all tries that count: the last ones of a kind, as many as its threshold asks for, decide."""
    state, asked = probes.begin(kind, initial), probe(success, failure)
    counted = list[bool]()
    expected = {STARTUP: None, LIVENESS: True, READINESS: False}[kind] if initial is None else initial
    last_told = initial if initial is not None else (True if kind is LIVENESS else None)
    for passed, fast in tries:
        state, changed = probes.step(state, asked, passed, fast)
        if passed or not fast:
            counted.append(passed)
        needed = success if passed else failure
        reached = counted[-needed:] == [passed] * needed and (passed or not fast)
        if reached:
            expected = passed
        assert state.result is expected
        assert changed is (passed if reached and last_told is not passed else None)
        last_told = changed if changed is not None else last_told


@pytest.mark.parametrize(
    ("kind", "final"),
    [(STARTUP, [True, False]), (LIVENESS, [False]), (READINESS, list[bool]())],
)
def test_after_which_result_no_try_follows(kind: Kind, final: list[bool]) -> None:
    assert [result for result in (None, True, False) if probes.is_final(kind, result)] == final


@pytest.mark.parametrize(
    ("started_at", "delay", "first"),
    [
        (NOW, 0, NOW),
        (NOW, 5, NOW + 5),
        (NOW - 3, 5, NOW + 2),
        (NOW - 60, 5, NOW),
        (NOW + 3600, 5, NOW + 5),  # by an engine whose clock is ahead
    ],
)
def test_the_first_try(started_at: float, delay: float, first: float) -> None:
    assert probes.first_try(Wanted(probe(delay=delay), started_at, None), NOW) == first


@given(st.floats(1.6e9, 2e9), st.floats(0.01, 3600), st.floats(-1e5, 1e6))
def test_the_next_try_is_on_the_grid_and_within_a_period(begun: float, period: float, since: float) -> None:
    now = begun + since
    point = probes.next_try(begun, period, now)
    assert now < point <= now + 1.001 * period + 1e-5
    points = (point - begun) / period
    assert abs(points - round(points)) * period < 1e-5


def test_the_next_try_after_one_on_time_is_a_period_later() -> None:
    begun = point = 1_700_000_000.1
    for number in range(1, 1000):
        point = probes.next_try(begun, 0.1, point)
        assert point == pytest.approx(begun + number * 0.1, abs=1e-5)


# what is wanted

ALL = Container(
    "web",
    "nginx",
    startup_probe=probe(),
    liveness_probe=probe(),
    readiness_probe=probe(delay=7),
)
HOOKED = Container(
    "web",
    "nginx",
    startup_probe=probe(),
    liveness_probe=probe(),
    lifecycle=Lifecycle(post_start=Hook.exec(["true"])),
)
NO_STARTUP = Container("web", "nginx", liveness_probe=probe(), readiness_probe=probe())
BEGUN = Started(NOW, "web", 0, 0, 0)


def probed(kind: Kind, passed: bool, attempt: int = 0) -> Probed:
    return Probed(NOW, "web", attempt, kind.value, passed)


def pause(attempt: int = 0, **more: object) -> ContainerInfo:
    info = ContainerInfo(
        id="pause",
        name=naming.pause_name(KEY, attempt),
        labels=naming.pause_labels(LABELS, attempt, "{}", ""),
        state=ContainerState.RUNNING,
        image="pause",
        created_at=NOW - 100,
        addresses={"net": "10.214.0.2"},
    )
    return replace(info, **more)  # type: ignore[arg-type]


def web(attempt: int = 0, sandbox: int = 0, **more: object) -> ContainerInfo:
    info = ContainerInfo(
        id=f"web-{attempt}",
        name=naming.member_name(KEY, "web", attempt),
        labels=naming.member_labels(LABELS, "web", attempt, sandbox),
        state=ContainerState.RUNNING,
        image="nginx",
        created_at=NOW - 90,
        started_at=NOW - 89,
    )
    return replace(info, **more)  # type: ignore[arg-type]


def asked_for(
    container: Container,
    *entries: Entry,
    seen: ContainerInfo | None = None,
    sandbox: ContainerInfo | None = None,
    terminating: bool = False,
) -> dict[ProbeKey, Wanted]:
    history = History()
    for entry in (BEGUN, *entries):
        history = history.apply(entry)
    members = {"web": (seen or web(),)}
    observed = PodObservation(KEY, NOW, pauses=(sandbox or pause(),), members=members)
    spec = PodSpec("shop", (container, Container("bare", "busybox")))
    return dict(probes.wanted(spec, observed, history, terminating=terminating))


def kinds(container: Container, *entries: Entry, **more: object) -> str:
    found = asked_for(container, *entries, **more)  # type: ignore[arg-type]
    assert {key.container for key in found} <= {"web"}
    return " ".join(sorted(key.kind.value for key in found))


PASSED = probed(STARTUP, True)
KILLED = Stopping(NOW, "web", 0, NOW + 30, "Liveness")


@pytest.mark.parametrize(
    ("sentence", "container", "entries", "expected"),
    [
        ("no startup probe: both others at once", NO_STARTUP, [], "liveness readiness"),
        ("the others wait for the startup probe", ALL, [], "startup"),
        ("it is never run again once it passed", ALL, [PASSED], "liveness readiness"),
        ("it failed: nothing until there is a new instance", ALL, [probed(STARTUP, False)], ""),
        ("of an earlier instance it says nothing", ALL, [probed(STARTUP, True, attempt=-1)], "startup"),
        ("liveness goes on once it passed", ALL, [PASSED, probed(LIVENESS, True)], "liveness readiness"),
        ("liveness failed: it is on hold", ALL, [PASSED, probed(LIVENESS, False)], "readiness"),
        (
            "readiness goes on, whatever it says",
            ALL,
            [PASSED, probed(READINESS, False)],
            "liveness readiness",
        ),
        ("being stopped: readiness alone", ALL, [PASSED, KILLED], "readiness"),
        ("being stopped before it had started: nothing", ALL, [KILLED], ""),
        ("the hook is not done", HOOKED, [Hooked(NOW, "web", 0, "postStart", "began")], ""),
        ("the hook is done", HOOKED, [Hooked(NOW, "web", 0, "postStart", "done")], "startup"),
        ("the pod is at its end", ALL, [PASSED, PodFinished(NOW, "Failed")], ""),
        ("no probes at all", Container("web", "nginx"), [], ""),
    ],
)
def test_wanted(sentence: str, container: Container, entries: list[Entry], expected: str) -> None:
    assert kinds(container, *entries) == expected, sentence


@pytest.mark.parametrize(
    ("entries", "expected"),
    [([], ""), ([PASSED], "readiness"), ([PASSED, probed(LIVENESS, False)], "readiness")],
)
def test_of_a_pod_that_terminates_readiness_alone(entries: list[Entry], expected: str) -> None:
    assert kinds(ALL, *entries, terminating=True) == expected


@pytest.mark.parametrize(
    ("sentence", "seen", "sandbox"),
    [
        ("not started yet", web(state=ContainerState.CREATED, started_at=None), pause()),
        ("ended", web(state=ContainerState.EXITED, exit_code=1, finished_at=NOW), pause()),
        ("the sandbox is dead", web(), pause(state=ContainerState.EXITED)),
        ("the sandbox has no address", web(), pause(addresses={})),
        ("it lives in an earlier sandbox", web(sandbox=0), pause(1)),
    ],
)
def test_nothing_to_probe(sentence: str, seen: ContainerInfo, sandbox: ContainerInfo) -> None:
    found = [kinds(container, seen=seen, sandbox=sandbox) for container in (NO_STARTUP, ALL)]
    assert found == ["", ""], sentence


def test_what_is_handed_over() -> None:
    found = asked_for(ALL, PASSED, probed(READINESS, True))
    assert ALL.liveness_probe is not None
    assert ALL.readiness_probe is not None
    assert found == {
        ProbeKey("web", 0, LIVENESS): Wanted(ALL.liveness_probe, NOW - 89, None),
        ProbeKey("web", 0, READINESS): Wanted(ALL.readiness_probe, NOW - 89, True),
    }


def test_a_new_instance_is_another_probe_and_begins_anew() -> None:
    found = asked_for(
        NO_STARTUP, probed(READINESS, True), Started(NOW, "web", 1, 0, 0), seen=web(1, started_at=None)
    )
    assert {(key.attempt, wanted.initial, wanted.started_at) for key, wanted in found.items()} == {
        (1, None, NOW)
    }


def test_counting_begins_at_nothing() -> None:
    assert probes.begin(READINESS) == State(False, is_told=False, success=False, run=0)
