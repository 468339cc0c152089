"""What happened to a pod, a line each: written, read back, and read by those who do not know all of it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pypod.model import journal
from pypod.model.journal import MAX_EVENTS, ContainerFailed, Entry, Event, History, Pulled, Restarted

ENTRIES: list[Entry] = [
    Event(2.0, "Warning", "Failed", "two\nlines, „quoted“ \x00", "web", 3, 1.0),
    Restarted(3.5, "web", 4, 2),
    ContainerFailed(4.0, "web", "ErrImagePull", "no such image"),
    Pulled(5.0, "registry:5000/nginx@sha256:0"),
]


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: type(entry).__name__)
def test_an_entry_is_one_line_and_comes_back(entry: Entry) -> None:
    line = journal.encode(entry)
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    assert journal.decode(line) == entry
    assert journal.decode(line.decode()) == entry


def test_the_format_that_other_versions_read() -> None:
    assert journal.encode(Restarted(3.5, "web", 4, 2)) == (
        b'{"k":"restarted","at":3.5,"container":"web","attempt":4,"step":2}\n'
    )
    assert journal.encode(Event(1.0, "Normal", "Started", "m")) == (
        b'{"k":"event","at":1.0,"type":"Normal","reason":"Started","message":"m","container":"","count":1,"first_at":0.0}\n'
    )


def test_a_field_that_is_not_known_here_is_passed_over() -> None:
    line = '{"k":"pulled","at":1.0,"image":"nginx","digest":"sha256:0"}'
    assert journal.decode(line) == Pulled(1.0, "nginx")


@pytest.mark.parametrize(
    "line",
    [
        "",
        "a line of a program",
        "[]",
        "1",
        "null",
        '"k"',
        "{}",
        '{"k":"probed","at":1.0}',
        '{"k":"pulled"}',
        '{"k":[]}',
        '{"k":"restarted","at":1.0,"container":"web"}',
        '{"k":"event","at":1.0',
        b"\xff\xfe",
        "[" * 100_000,
    ],
    ids=lambda line: repr(line[:20]),
)
def test_a_line_that_is_not_ours_is_none(line: str | bytes) -> None:
    assert journal.decode(line) is None


STRANGE = [
    '{"k":"restarted","at":1.0,"container":[],"attempt":1,"step":1}',
    '{"k":"restarted","at":1.0,"container":"web","attempt":1,"step":"x"}',
    '{"k":"failed","at":"then","container":"web","reason":"r","message":"m"}',
    '{"k":"pulled","at":1.0,"image":{}}',
    '{"k":"event","at":1.0,"type":"Normal","reason":"r","message":"m","count":"x"}',
]


def test_a_line_with_a_value_of_another_type_is_not_ours() -> None:
    """It would break whoever reads the history: a dictionary's key, `step + 1`, `at + 10`."""
    assert [line for line in STRANGE if journal.decode(line) is not None] == []


@settings(max_examples=40, deadline=None)
@given(st.lists(st.binary() | st.text() | st.recursive(st.none() | st.integers(), st.lists).map(json.dumps)))
def test_reading_never_fails(lines: list[str | bytes]) -> None:
    assert journal.read(lines) == History()


@settings(deadline=None)
@given(st.lists(st.sampled_from(ENTRIES)))
def test_what_is_written_is_read(entries: list[Entry]) -> None:
    history = History()
    for entry in entries:
        history = history.apply(entry)
    assert journal.read([journal.encode(entry) for entry in entries]) == history


def test_a_history_knows_what_counts() -> None:
    entries: list[Entry] = [
        Restarted(1.0, "web", 1, 1),
        Restarted(2.0, "web", 2, 2),
        Restarted(3.0, "log", 1, 1),
        ContainerFailed(4.0, "log", "ErrImagePull", "no"),
        ContainerFailed(4.0, "web", "ErrImagePull", "no"),
        Pulled(5.0, "nginx"),
        Restarted(6.0, "web", 3, 3),
    ]
    history = journal.read(journal.encode(entry) for entry in entries)
    assert dict(history.backoff_steps) == {"web": 3, "log": 1}
    assert list(history.failures) == ["log"], "a container that was started has nothing in its way"
    assert dict(history.pulled) == {"nginx": 5.0}


def test_equal_events_are_counted_together_and_come_last() -> None:
    again = Event(9.0, "Warning", "BackOff", "restarting", "web")
    history = History()
    for event in (
        Event(1.0, "Warning", "BackOff", "restarting", "web"),
        Event(2.0, "Normal", "Started", "up", "web"),
        again,
    ):
        history = history.apply(event)
    assert [(event.reason, event.count, event.first_at, event.at) for event in history.events] == [
        ("Started", 1, 2.0, 2.0),
        ("BackOff", 2, 1.0, 9.0),
    ]


def test_equal_events_of_two_containers_stay_two() -> None:
    history = History().apply(Event(1.0, "Normal", "Started", "up", "a"))
    history = history.apply(Event(1.0, "Normal", "Started", "up", "b"))
    assert [event.container for event in history.events] == ["a", "b"]


def test_only_the_newest_events_are_kept() -> None:
    history = History()
    for number in range(MAX_EVENTS + 5):
        history = history.apply(Event(float(number), "Normal", "Started", f"number {number}"))
    assert len(history.events) == MAX_EVENTS
    assert history.events[0].message == "number 5"


def test_a_history_is_a_value() -> None:
    history = History()
    history.apply(Restarted(1.0, "web", 1, 1))
    assert history == History()
    assert not history.backoff_steps
