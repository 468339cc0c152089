"""What happened to a pod, a line each: written, read back, and read by those who do not know all of it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pypod.model.life import history, journal
from pypod.model.life.history import KEPT_RECORDS, MAX_EVENTS, History, Record
from pypod.model.life.journal import (
    Address,
    Began,
    ContainerFailed,
    Entry,
    Event,
    HandedOver,
    Hooked,
    KeptUntil,
    Message,
    PodFinished,
    Probed,
    Pulled,
    Signalled,
    Started,
    Stopping,
    VolumeFailed,
    VolumeReady,
)
from tests.unit.snapshots import told

ENTRIES: list[Entry] = [
    Event(2.0, "Warning", "Failed", "two\nlines, „quoted“ \x00", "web", 3, 1.0),
    Began(1.0),
    HandedOver(1.2),
    KeptUntil(1.3, 3600.5),
    Address(1.5, "10.214.0.2"),
    Started(3.5, "web", 4, 2, 1),
    ContainerFailed(4.0, "web", "ErrImagePull", "no such image"),
    Pulled(5.0, "registry:5000/nginx@sha256:0"),
    Probed(6.0, "web", 4, "readiness", passed=True, message="ok"),
    Hooked(7.0, "web", 4, "postStart", "failed", "exit code 1"),
    Stopping(8.0, "web", 4, 38.0, "Liveness", sidecars=True),
    Signalled(9.0, "web", 4),
    Message(10.0, "web", 4, "out of cheese"),
    VolumeReady(10.5, "conf", 1, 9.25, "abc,-"),
    VolumeFailed(10.7, "conf", 'configmap "conf" not found', 2, 9.0),
    PodFinished(11.0, "Failed", "DeadlineExceeded", "too long"),
]


def test_every_kind_of_entry_is_tried_here() -> None:
    assert {type(entry) for entry in ENTRIES} == set(get_args(Entry))


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: type(entry).__name__)
def test_an_entry_is_one_line_and_comes_back(entry: Entry) -> None:
    line = journal.encode(entry)
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    assert journal.decode(line) == entry
    assert journal.decode(line.decode()) == entry


@pytest.mark.parametrize(
    ("entry", "line"),
    [
        (
            Started(3.5, "web", 4, 2, 1),
            '{"k":"started","at":3.5,"container":"web","attempt":4,"step":2,"sandbox":1,"again":false}',
        ),
        (
            Event(1.0, "Normal", "Started", "m"),
            '{"k":"event","at":1.0,"type":"Normal","reason":"Started","message":"m","container":"","count":1,"first_at":0.0,"again":false}',
        ),
        (
            Probed(6.0, "web", 0, "startup", passed=False),
            '{"k":"probed","at":6.0,"container":"web","attempt":0,"probe":"startup","passed":false,"message":""}',
        ),
        (PodFinished(1.0, "Succeeded"), '{"k":"finished","at":1.0,"phase":"Succeeded","reason":"","message":""}'),
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_the_format_that_other_versions_read(entry: Entry, line: str) -> None:
    assert journal.encode(entry).decode() == f"{line}\n"


def test_a_field_that_is_not_known_here_is_passed_over() -> None:
    line = '{"k":"pulled","at":1.0,"image":"nginx","digest":"sha256:0"}'
    assert journal.decode(line) == Pulled(1.0, "nginx")


def test_a_whole_number_is_a_time_too() -> None:
    assert journal.decode('{"k":"pulled","at":1,"image":"nginx"}') == Pulled(1.0, "nginx")


FOREIGN: list[str | bytes] = [
    "",
    "a line of a program",
    "[]",
    "1",
    "null",
    '"k"',
    "{}",
    '{"k":"sung","at":1.0}',
    '{"k":"pulled"}',
    '{"k":[]}',
    '{"k":"started","at":1.0,"container":"web"}',
    '{"k":"event","at":1.0',
    b"\xff\xfe",
    "[" * 100_000,
    # A value of another type would break whoever reads the history: a dictionary's key, `step + 1`, `at + 10`.
    '{"k":"started","at":1.0,"container":[],"attempt":1,"step":1}',
    '{"k":"started","at":1.0,"container":"web","attempt":1,"step":"x"}',
    '{"k":"started","at":1.0,"container":"web","attempt":1.5,"step":1}',
    '{"k":"started","at":1.0,"container":"web","attempt":true,"step":1}',
    '{"k":"failed","at":"then","container":"web","reason":"r","message":"m"}',
    '{"k":"pulled","at":true,"image":"nginx"}',
    '{"k":"pulled","at":NaN,"image":"nginx"}',
    '{"k":"pulled","at":1e999,"image":"nginx"}',
    f'{{"k":"pulled","at":1{"0" * 400},"image":"nginx"}}',
    '{"k":"pulled","at":1.0,"image":{}}',
    '{"k":"probed","at":1.0,"container":"web","attempt":0,"probe":"startup","passed":1}',
    '{"k":"event","at":1.0,"type":"Normal","reason":"r","message":"m","count":"x"}',
]


@pytest.mark.parametrize("line", FOREIGN, ids=lambda line: repr(line[:40]))
def test_a_line_that_is_not_ours_is_none(line: str | bytes) -> None:
    assert journal.decode(line) is None


@settings(max_examples=40, deadline=None)
@given(st.lists(st.binary() | st.text() | st.recursive(st.none() | st.integers(), st.lists).map(json.dumps)))
def test_reading_never_fails(lines: list[str | bytes]) -> None:
    assert history.read(lines) == History()


# --- a history -------------------------------------------------------------------------------------------------------

TIMES = st.floats(1.0, 2e9)
NAMES = st.sampled_from(["web", "log"])
ATTEMPTS = st.integers(0, 4)
WORDS = st.sampled_from(["", "one", "two\nlines"])
ANY_ENTRY = st.one_of(
    st.builds(
        Event,
        TIMES,
        st.sampled_from(["Normal", "Warning"]),
        st.sampled_from(["Created", "Started", "BackOff"]),
        WORDS,
        NAMES,
    ),
    st.builds(Began, TIMES),
    st.builds(HandedOver, TIMES),
    st.builds(KeptUntil, TIMES, TIMES | st.just(0.0)),
    st.builds(Address, TIMES, st.sampled_from(["10.214.0.2", "10.214.0.3"])),
    st.builds(Started, TIMES, NAMES, ATTEMPTS, st.integers(0, 9), st.integers(0, 3)),
    st.builds(
        ContainerFailed, TIMES, NAMES, st.sampled_from(["ErrImagePull", "CreateContainerError"]), WORDS
    ),
    st.builds(Pulled, TIMES, st.sampled_from(["nginx", "redis"])),
    st.builds(
        Probed,
        TIMES,
        NAMES,
        ATTEMPTS,
        st.sampled_from(["startup", "liveness", "readiness"]),
        st.booleans(),
        WORDS,
    ),
    st.builds(
        Hooked,
        TIMES,
        NAMES,
        ATTEMPTS,
        st.sampled_from(["postStart", "preStop"]),
        st.sampled_from(["began", "done", "failed"]),
        WORDS,
    ),
    st.builds(Stopping, TIMES, NAMES, ATTEMPTS, TIMES, st.just("Liveness"), st.booleans()),
    st.builds(Signalled, TIMES, NAMES, ATTEMPTS),
    st.builds(Message, TIMES, NAMES, ATTEMPTS, WORDS),
    st.builds(PodFinished, TIMES, st.sampled_from(["Succeeded", "Failed"]), WORDS, WORDS),
)


@settings(deadline=None)
@given(st.lists(ANY_ENTRY, max_size=40), st.lists(st.sampled_from(FOREIGN[:-9]), max_size=5))
def test_what_is_written_is_read_whatever_stands_between(
    entries: list[Entry], foreign: list[str | bytes]
) -> None:
    lines: list[str | bytes] = []
    for index, entry in enumerate(entries):
        lines += [*foreign[index : index + 1], journal.encode(entry)]
    assert history.read(lines) == told(*entries)


@settings(deadline=None)
@given(st.lists(ANY_ENTRY, max_size=40))
def test_a_new_journal_that_begins_with_a_history_tells_the_same(entries: list[Entry]) -> None:
    before = told(*entries)
    assert history.read(journal.encode(entry) for entry in before.entries()) == before


def once(entries: list[Entry]) -> list[Entry]:
    """A pod begins once, and ends once."""
    found: list[Entry] = []
    for entry in entries:
        if not (isinstance(entry, Began | PodFinished) and any(type(old) is type(entry) for old in found)):
            found.append(entry)
    return found


@settings(deadline=None)
@given(st.lists(ANY_ENTRY, max_size=40), st.lists(ANY_ENTRY, max_size=10), st.data())
def test_who_knows_only_the_end_of_a_journal_knows_all_when_it_was_told_again(
    before: list[Entry], after: list[Entry], data: st.DataObject
) -> None:
    entries = once([*before, *after])
    before, after = entries[: len(before)], entries[len(before) :]
    kept = before[data.draw(st.integers(0, len(before))) :]
    assert told(*kept, *told(*before).entries(), *after) == told(*entries)


@settings(deadline=None)
@given(st.lists(ANY_ENTRY, max_size=40), st.integers(0, 60))
def test_what_is_told_again_changes_nothing_also_where_only_a_part_of_it_was_read(
    entries: list[Entry], count: int
) -> None:
    """A reader may come while it is being written."""
    all_of_it = told(*entries)
    found = told(*entries, *all_of_it.entries()[:count])
    assert replace(found, events=()) == replace(all_of_it, events=())
    assert sorted(found.events, key=repr) == sorted(all_of_it.events, key=repr)


def test_events_that_are_told_again_are_not_counted_again() -> None:
    backing_off = [Event(at, "Warning", "BackOff", "restarting", "web") for at in (1.0, 9.0)]
    failures = [ContainerFailed(at, "web", "ErrImagePull", "no") for at in (2.0, 3.0)]
    found = told(*backing_off, *failures)
    for _ in range(3):
        found = told(*found.entries(), *found.entries())
    [event] = found.events
    assert (event.count, event.first_at, event.at, event.again) == (2, 1.0, 9.0, False)
    assert (found.failures["web"].count, found.failures["web"].again) == (2, False)
    found = found.apply(Event(10.0, "Warning", "BackOff", "restarting", "web"))
    assert found.events[0].count == 3


def test_a_failure_after_a_start_outlives_a_new_journal() -> None:
    """The image of the next instance cannot be had: the snapshot must not let the start take that away."""
    before = told(Started(1.0, "web", 0, 0), ContainerFailed(2.0, "web", "ErrImagePull", "no"))
    assert list(told(*before.entries()).failures) == ["web"]


@settings(deadline=None)
@given(st.lists(ANY_ENTRY, max_size=40))
def test_a_history_stays_small_and_its_end_is_final(entries: list[Entry]) -> None:
    found = told(*entries)
    assert all(len(records) <= KEPT_RECORDS for records in found.records.values())
    ends = [entry for entry in entries if isinstance(entry, PodFinished)]
    assert found.finished == (ends[0] if ends else None)


def test_a_phase_that_is_no_end_ends_nothing() -> None:
    assert told(PodFinished(1.0, "Paused")).finished is None


def test_a_pod_begins_once() -> None:
    assert told(Began(5.0), Began(9.0)).began == 5.0


def test_a_record_tells_all_of_one_instance() -> None:
    found = told(*ENTRIES).record("web", 4)
    assert (found.sandbox, found.step, found.was_started, found.signalled) == (1, 2, True, 9.0)
    assert (found.passed("readiness"), found.passed("liveness")) == (True, None)
    assert (found.hook("postStart"), found.hook("preStop")) == ("failed", "")
    assert found.stopping is not None
    assert (found.stopping.deadline, found.message) == (38.0, "out of cheese")


def test_of_an_instance_that_nothing_is_told_of_the_record_is_empty() -> None:
    assert told(*ENTRIES).record("web", 5) == Record(5)
    assert not Record(5).was_started


def test_the_records_of_the_two_newest_instances_are_kept() -> None:
    entries = [Started(float(attempt), "web", attempt, 0) for attempt in range(4)]
    assert [record.attempt for record in told(*entries).records["web"]] == [3, 2]


def test_the_newest_instance_that_was_started_is_found_past_one_that_was_not() -> None:
    found = told(Started(1.0, "web", 0, 0), Message(2.0, "web", 1, "")).last_started("web")
    assert found is not None
    assert found.attempt == 0
    assert History().last_started("web") is None


# --- failures --------------------------------------------------------------------------------------------------------


def failure(at: float, reason: str = "ErrImagePull") -> ContainerFailed:
    return ContainerFailed(at, "web", reason, "no")


@pytest.mark.parametrize(
    ("sentence", "entries", "count"),
    [
        ("the first", [failure(1.0)], 1),
        ("in a row they are counted", [failure(1.0), failure(11.0), failure(31.0)], 3),
        ("another reason is another failure", [failure(1.0), failure(2.0, "CreateContainerError")], 1),
        ("a start in between", [failure(1.0), Started(2.0, "web", 0, 0), failure(3.0)], 1),
        ("an instance made in between", [failure(1.0), Event(2.0, "Normal", "Created", "m", "web"), failure(3.0)], 1),
        ("another container's", [failure(1.0), Started(2.0, "log", 0, 0), failure(3.0)], 2),
        ("600 s apart", [failure(1.0), failure(601.0)], 2),
        ("more than 600 s apart: forgotten", [failure(1.0), failure(601.5)], 1),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_how_often_it_failed(sentence: str, entries: list[Entry], count: int) -> None:
    assert told(*entries).failures["web"].count == count, sentence


def test_a_container_that_was_started_has_nothing_in_its_way() -> None:
    assert not told(failure(1.0), Started(2.0, "web", 0, 0)).failures


# --- events ----------------------------------------------------------------------------------------------------------


def test_equal_events_are_counted_together_and_come_last() -> None:
    found = told(
        Event(1.0, "Warning", "BackOff", "restarting", "web"),
        Event(2.0, "Normal", "Started", "up", "web"),
        Event(9.0, "Warning", "BackOff", "restarting", "web"),
    )
    assert [(event.reason, event.count, event.first_at, event.at) for event in found.events] == [
        ("Started", 1, 2.0, 2.0),
        ("BackOff", 2, 1.0, 9.0),
    ]


def test_equal_events_of_two_containers_stay_two() -> None:
    found = told(Event(1.0, "Normal", "Started", "up", "a"), Event(1.0, "Normal", "Started", "up", "b"))
    assert [event.container for event in found.events] == ["a", "b"]


def test_only_the_newest_events_are_kept() -> None:
    events = [
        Event(float(number), "Normal", "Started", f"number {number}") for number in range(MAX_EVENTS + 5)
    ]
    found = told(*events)
    assert len(found.events) == MAX_EVENTS
    assert found.events[0].message == "number 5"


def test_a_history_is_a_value() -> None:
    empty = History()
    for entry in ENTRIES:
        empty.apply(entry)
    assert empty == History()
    assert not empty.records
