"""What took how long: recorded, as a picture for a browser, as text, and found out afterwards."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from pypod import starting
from pypod.engine import pause as pause_image
from pypod.engine import tracing
from pypod.engine.executor import ActionResult, Execution
from pypod.engine.teardown import Teardown
from pypod.engine.tracing import UNTRACED, Trace, Tracer
from pypod.errors import PodStartError
from pypod.model.life import chrome_trace, hindsight, spans
from pypod.model.life import plan as actions
from pypod.model.life.journal import Event, Hooked, Probed, Pulled
from pypod.model.life.plan import Plan, Step
from pypod.model.life.spans import Span
from pypod.model.spec.handlers import Hook, Lifecycle, Probe
from pypod.model.spec.pod import Container, PodSpec
from pypod.testing import FakeEngine, Program
from tests.chrome_format import broken_rules
from tests.unit import rig
from tests.unit.snapshots import STARTED, ended, member, pause, seen, told

READY_AFTER = 0.5
PROBED = Container("web", "app:1", readiness_probe=Probe.exec(["check"], period_seconds=1))


@pytest.fixture
def engine() -> FakeEngine:
    fake = FakeEngine()
    fake.add_image("app:1")
    fake.add_registry_image("far:1")
    return fake


def traced(engine: FakeEngine, *containers: Container) -> rig.Loop:
    return rig.sync_of(engine, PodSpec("shop", containers), tracer=Tracer("default/shop", engine.clock))


def start(pod: rig.Loop) -> Trace:
    starting.start(pod, timeout=60, min_ready_seconds=0.1)
    return trace_of(pod)


def trace_of(pod: rig.Loop) -> Trace:
    trace = pod.tracer.trace()
    assert trace is not None
    return trace


def found(trace: Trace, lane: str, name: str) -> Span:
    [span] = [each for each in trace.spans if (each.lane, each.name) == (lane, name)]
    return span


def later(engine: FakeEngine, seconds: float, function: Callable[[], object]) -> None:
    engine.clock.call_at(engine.clock.now() + seconds, function)


# --- recorded --------------------------------------------------------------------------------------------------------


def test_each_step_of_a_start_is_in_it_with_its_cause(engine: FakeEngine) -> None:
    trace = start(traced(engine, Container("web", "app:1"), Container("log", "app:1")))
    steps = [(span.lane, span.name) for span in trace.spans if not span.detail]
    assert sorted(steps) == [
        ("(sandbox)", "attach channel"),
        ("(sandbox)", "create network pypod 10.214.0.0/20"),
        ("(sandbox)", "create pause"),
        ("(sandbox)", f"load image {pause_image.reference('x86_64')}"),
        ("(sandbox)", "start pause"),
        ("log", "create"),
        ("log", "start"),
        ("web", "create"),
        ("web", "start"),
    ]
    assert all(span.cause for span in trace.spans if not span.detail)
    assert {span.name for span in trace.spans if span.lane == spans.CALLER} == {"look", "act", "wait"}
    assert any(span.lane == spans.JOURNAL and span.name.startswith("write") for span in trace.spans)


def test_a_pull_takes_its_time_in_its_own_lane(engine: FakeEngine) -> None:
    trace = start(traced(engine, Container("web", "far:1")))
    assert found(trace, spans.IMAGES, "pull far:1").outcome == ""


def test_a_pull_that_fails_says_why(engine: FakeEngine) -> None:
    pod = traced(engine, Container("web", "nowhere:1"))
    with pytest.raises(PodStartError):
        start(pod)
    assert "cannot pull image 'nowhere:1'" in found(trace_of(pod), spans.IMAGES, "pull nowhere:1").outcome


def test_a_probe_counts_from_the_start_of_its_container_to_its_first_success(engine: FakeEngine) -> None:
    rig.says(engine, "check", 1)
    later(engine, READY_AFTER, lambda: rig.says(engine, "check", 0))
    trace = start(traced(engine, PROBED))
    began = found(trace, "web", "start").ended
    probe = found(trace, "web", "readiness probe")
    assert (probe.began, probe.outcome) == (began, "")
    assert READY_AFTER <= probe.seconds < READY_AFTER + 0.3
    tries = [span for span in trace.spans if span.name == "readiness try"]
    assert probe.cause == f"passed after {len(tries)} tries"
    assert [bool(span.outcome) for span in tries] == [True] * (len(tries) - 1) + [False]
    assert all(span.detail for span in tries)


def test_tries_after_the_first_success_are_not_kept(engine: FakeEngine) -> None:
    pod = traced(engine, PROBED)
    rig.says(engine, "check", 0)
    before = len(start(pod).spans)
    rig.live_for(engine, pod, 30)
    assert len(trace_of(pod).spans) == before


def test_startup_and_readiness_are_told_apart(engine: FakeEngine) -> None:
    for program, after in (("up", 0.5), ("check", 2.0)):
        rig.says(engine, program, 1)
        later(engine, after, functools.partial(rig.says, engine, program, 0))
    both = Container("web", "app:1", startup_probe=Probe.exec(["up"]), readiness_probe=Probe.exec(["check"]))
    trace = start(traced(engine, both))
    startup, readiness = (found(trace, "web", f"{kind} probe") for kind in ("startup", "readiness"))
    assert startup.seconds == pytest.approx(0.5, abs=0.3)
    assert readiness.began == startup.ended
    assert readiness.ended == pytest.approx(startup.began + 2.0, abs=0.5)


def test_a_hook_takes_its_time_and_says_how_it_failed(engine: FakeEngine) -> None:
    engine.program("greet", Program(runs_for=0, exit_code=3))
    greeting = Container("web", "app:1", lifecycle=Lifecycle(post_start=Hook.exec(["greet"])))
    pod = traced(engine, greeting)
    pod.run_once()
    rig.settle(pod)
    hooks = [span for span in trace_of(pod).spans if span.name == "postStart hook"]
    assert "3" in hooks[0].outcome
    assert hooks[0].cause


def test_what_the_engine_refuses_is_in_it(engine: FakeEngine) -> None:
    pod = traced(engine, Container("web", "app:1", command=["nonsense"]))
    with pytest.raises(PodStartError):
        start(pod)
    assert "nonsense" in found(trace_of(pod), "web", "start").outcome


def test_what_is_under_way_is_unfinished(engine: FakeEngine) -> None:
    rig.says(engine, "check", 1)
    pod = traced(engine, PROBED)
    rig.live_for(engine, pod, 5)
    span = found(trace_of(pod), "web", "readiness probe")
    assert (span.outcome, span.ended) == ("unfinished", engine.clock.now())
    assert span.cause.endswith("tries so far")


def test_a_removal_is_in_it_too(engine: FakeEngine) -> None:
    pod = traced(engine, Container("web", "app:1"))
    start(pod)
    Teardown(engine, rig.KEY, spec=pod.desired.spec, clock=engine.clock, pool=None, tracer=pod.tracer).run()
    removed = [span.name for span in trace_of(pod).spans if span.lane == spans.REMOVAL]
    assert len(removed) >= 4
    assert removed[0].startswith("rename container")


def test_a_block_that_fails_says_why_and_the_number_of_spans_has_an_end(engine: FakeEngine) -> None:
    tracer = Tracer("default/shop", engine.clock, most=2)
    with pytest.raises(ValueError, match="no luck"), tracer.timed("try"):
        raise ValueError("no luck")
    for _ in range(3):
        with tracer.timed("again"):
            pass
    trace = tracer.trace()
    assert [span.outcome for span in trace.spans] == ["no luck", ""]
    assert trace.dropped == 2
    assert str(trace).endswith("2 more were not kept")


# --- off -------------------------------------------------------------------------------------------------------------


def test_where_nobody_wants_it_nothing_is_timed(engine: FakeEngine) -> None:
    results: list[ActionResult] = []
    plan = Plan((Step(actions.Write((), "a test")),))
    Execution(
        engine, plan, None, handlers={actions.Write: lambda action: None}, on_result=results.append
    ).run()
    assert (results[0].began, results[0].ended) == (0.0, 0.0)
    pod = rig.sync_of(engine)
    assert pod.tracer is UNTRACED
    assert (UNTRACED.now, UNTRACED.trace()) == (None, None)


def test_and_nothing_is_wrapped() -> None:
    def same(*_arguments: object) -> object:
        raise AssertionError

    wrapped: list[object] = [UNTRACED.hooks(same), UNTRACED.tries(same), UNTRACED.journal(same)]  # type: ignore[arg-type]
    assert wrapped == [same, same, same]


# --- as a picture ----------------------------------------------------------------------------------------------------

LANES = some.sampled_from(["(pypod)", "(sandbox)", "web", "log"])
TIMES = some.floats(1_700_000_000, 1_700_000_100)


@some.composite
def any_span(draw: some.DrawFn) -> Span:
    began, end = sorted([draw(TIMES), draw(TIMES)])
    outcome = draw(some.sampled_from(["", "unfinished", "it failed"]))
    return Span(
        draw(LANES), draw(some.sampled_from(["a", "b"])), began, end, "why", outcome, draw(some.booleans())
    )


@settings(deadline=None)
@given(some.lists(some.lists(any_span(), max_size=25), max_size=3))
def test_whatever_overlaps_the_file_keeps_to_the_format(pods: list[list[Span]]) -> None:
    document = chrome_trace.document([(f"default/{number}", each) for number, each in enumerate(pods)])
    assert broken_rules(json.dumps(document)) == []
    complete = [event for event in document["traceEvents"] if event["ph"] == "X"]  # type: ignore[attr-defined]
    assert len(complete) == sum(map(len, pods))


def test_the_judge_of_the_format_finds_what_is_wrong() -> None:
    trace = Trace("a", (Span("web", "x", 0.0, 2.0), Span("web", "y", 1.0, 3.0)))
    document = trace.to_chrome()
    named, last = document["traceEvents"][:-1], document["traceEvents"][-1]
    assert last["tid"] == 2  # since it overlaps the other one
    kept = [each for each in named if each["tid"] != 2]

    def rules(*events: dict[str, object]) -> str:
        return "\n".join(broken_rules(json.dumps({**document, "traceEvents": [*kept, *events]})))

    assert "lies across" in rules({**last, "tid": 1})
    assert "thread without a name" in rules(last)
    assert "named twice" in rules(kept[0])
    for key, value in (("ph", "Q"), ("ts", -1), ("ts", 1.5), ("dur", None), ("name", ""), ("args", [])):
        assert rules({**last, "tid": 1, key: value}) != ""


def test_containers_are_threads_of_the_pod_and_say_why(engine: FakeEngine, tmp_path: Path) -> None:
    rig.says(engine, "check", 0)
    trace = start(traced(engine, PROBED))
    trace.write(tmp_path / "trace.json")
    text = (tmp_path / "trace.json").read_text()
    assert broken_rules(text) == []
    events = json.loads(text)["traceEvents"]
    assert json.loads(text) == trace.to_chrome()
    [process] = [each["args"]["name"] for each in events if each["name"] == "process_name"]
    threads = {each["tid"]: each["args"]["name"] for each in events if each["name"] == "thread_name"}
    assert process == "pod default/shop"
    [made] = [each for each in events if each["name"] == "create"]
    assert threads[made["tid"]] == "web"
    assert made["args"] == {"cause": found(trace, "web", "create").cause}


def test_several_pods_share_a_file_and_its_time(tmp_path: Path) -> None:
    first = Trace("default/a", (Span("web", "start", 10.0, 11.0),))
    second = Trace("default/b", (Span("web", "start", 12.0, 12.5),))
    tracing.write([first, second], tmp_path / "trace.json")
    text = (tmp_path / "trace.json").read_text()
    assert broken_rules(text) == []
    complete = [each for each in json.loads(text)["traceEvents"] if each["ph"] == "X"]
    assert [(each["pid"], each["ts"], each["dur"]) for each in complete] == [
        (1, 0, 1_000_000),
        (2, 2_000_000, 500_000),
    ]


def test_a_trace_of_nothing_is_a_valid_file_too(tmp_path: Path) -> None:
    tracing.write([], tmp_path / "trace.json")
    assert broken_rules((tmp_path / "trace.json").read_text()) == []
    assert "nothing is known" in str(Trace("default/shop", ()))


# --- as text ---------------------------------------------------------------------------------------------------------


def test_the_timeline() -> None:
    trace = Trace(
        "default/shop",
        (
            Span("(pypod)", "start", 100.0, 101.0),
            Span("(pypod)", "look", 100.0, 100.1, detail=True),
            Span("(journal)", "write 1 line", 100.0, 100.1, detail=True),
            Span("(sandbox)", "start pause", 100.25, 100.5),
            Span("web", "start", 100.5, 100.75, outcome="no such file"),
            Span(
                "web",
                "a name that is far too long to be shown as a whole",
                100.75,
                102.0,
                outcome="unfinished",
            ),
            Span("(pypod)", "look", 100.9, 101.0, detail=True),
            Span("web", "start", 130.0, 130.5),
            Span("(pypod)", "stop", 150.0, 165.5, outcome="TeardownError: of\nmany lines"),
            Span("(removal)", "remove", 150.0, 165.5),
        ),
    )
    assert str(trace) == (
        "pod default/shop, as recorded:\n"
        "  start: 1000.0 ms\n"
        "    (sandbox)  start pause                            +250.0 ms   250.0 ms |        ########                |\n"
        "    web        start                                  +500.0 ms   250.0 ms |                ########        | failed\n"
        "    web        a name that is f... shown as a whole   +750.0 ms  1250.0 ms |                        ########| ...\n"
        "    (pypod) look 2 x, 200.0 ms\n"
        "  meanwhile: 500.0 ms\n"
        "    web  start     +0.0 ms   500.0 ms |################################|\n"
        "  stop (TeardownError: of): 15.50 s\n"
        "    (removal)  remove     +0.0 ms    15.50 s |################################|"
    )


# --- found out afterwards --------------------------------------------------------------------------------------------


def test_without_a_record_the_engine_and_the_journal_tell_what_they_know() -> None:
    history = told(
        Event(STARTED - 60, "Normal", "Pulling", "Pulling image 'far:1'"),
        Event(STARTED - 50, "Normal", "Pulling", "Pulling image 'far:1': half of it"),
        Pulled(STARTED - 40, "far:1"),
        Hooked(STARTED, "a", 0, "postStart", "began"),
        Hooked(STARTED + 1, "a", 0, "postStart", "done"),
        Probed(STARTED + 2, "a", 0, "startup", True),
        Probed(STARTED + 5, "a", 0, "readiness", True),
    )
    known = [
        (span.lane, span.name, round(span.began - STARTED, 3), round(span.seconds, 3))
        for span in hindsight.spans_of(seen(pause(), member("a")), history)
    ]
    assert known == [
        (spans.IMAGES, "pull far:1", -60, 20),
        (spans.SANDBOX, "create, then start pause", -11, 1),
        ("a", "create, then start", -1, 1),
        ("a", "startup probe", 0, 2),
        ("a", "postStart hook", 0, 1),
        ("a", "readiness probe", 2, 3),
    ]


def test_what_never_started_or_is_not_ready_has_no_span() -> None:
    history = told(Probed(STARTED + 5, "a", 0, "readiness", False), Pulled(STARTED, "far:1"))
    known = hindsight.spans_of(seen(pause(), ended(member("a"), 1)), history)
    assert [span.name for span in known] == ["create, then start pause", "create, then start"]
    assert hindsight.spans_of(seen(), told()) == ()
