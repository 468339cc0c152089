"""What the benchmarks make of their figures, without an engine."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from benchmarks import plot, report
from benchmarks.counting import Call
from benchmarks.measure import Bar, Goal, Results, Row
from benchmarks.rows.calls import of_the_start

ROWS = Path(report.__file__).with_name("rows")


@pytest.fixture
def row() -> Row:
    """Its second round was made while the machine was busy."""
    made = Row(
        "cold", "cold pod", reference="floor", goals=(Goal("pypod", 1.05, "floor"), Goal("pypod", 400))
    )
    for floor, pypod in ((300, 309), (900, 918), (310, 322)):
        made.add("floor", floor)
        made.add("pypod", pypod)
    made.missing["podman"] = "not here"
    return made


@pytest.fixture
def results(row: Row) -> Results:
    found = Results(rows=[row], machine={"engine": "Docker"})
    found.timelines["pypod"] = [Bar("main", "start_container x<y", 0.1, 0.3)]
    for workers, rate in ((1, 2.5), (4, 4.8)):
        found.curve("throughput", "pypod", workers, rate)
    return found


def test_a_ratio_is_that_within_a_round(row: Row) -> None:
    assert row.ratio("pypod", "floor") == pytest.approx(1.03)
    found = row.reached(row.goals[0])
    assert found is not None
    assert found == pytest.approx((1.03, True))


def test_a_target_by_itself_is_for_the_median(row: Row) -> None:
    assert row.reached(row.goals[1]) == (322, True)
    assert row.reached(Goal("pypod", 321)) == (322, False)
    assert row.reached(Goal("pypod", 321, at_least=True)) == (322, True)


def test_what_was_not_measured_is_neither_reached_nor_missed(row: Row) -> None:
    assert row.reached(Goal("podman", 1)) is None
    assert row.reached(Goal("pypod", 0.45, "podman")) is None


def test_the_figures_come_back_out_of_json(results: Results) -> None:
    assert report.from_json(report.as_json(results)) == results


def test_the_text_tells_who_is_missing_and_what_was_reached(results: Results) -> None:
    text = report.text(results)
    assert "podman  missing: not here" in text
    assert "target: pypod at most 1.05 x floor: 1.03, reached" in text


def test_the_page_is_written_between_its_markers_and_nowhere_else(results: Results, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- bench: cold -->\nold\n<!-- end -->\nafter\n")
    report.update_page(results, page, tmp_path / "plots")
    lines = page.read_text().splitlines()
    assert (lines[:2], lines[-2:]) == (["before", "<!-- bench: cold -->"], ["<!-- end -->", "after"])
    assert "| pypod | 322 | 316 to 620 | 1.03 |" in lines
    assert "old" not in lines
    assert {path.name for path in (tmp_path / "plots").iterdir()} == {"timeline.svg", "throughput.svg"}


def test_what_was_not_measured_this_time_keeps_its_target(results: Results, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    other = "| another row | pypod at most 5 ms | 0.15 | reached |"
    known = next(row for row in results.rows if row.goals)
    old = f"| {known.title} | {known.goals[0]} | 99.9 | **missed** |"
    head = "| work | target | measured | |\n|---|---|---|---|"
    page.write_text(f"<!-- bench: targets -->\n\n{head}\n{old}\n{other}\n\n<!-- end -->\n")
    written = report.update_page(results, page, tmp_path / "plots")
    assert "targets" in written
    assert "cold" not in written  # the page has no place for it
    text = page.read_text()
    assert text.count(other) == 1
    assert "99.9" not in text


def test_the_real_page_has_a_place_for_every_row_that_it_tells_of() -> None:
    """A marker that is misspelt would keep old figures for ever."""
    text = report.PAGE.read_text()
    places = re.findall(r"^<!-- bench: (.+) -->$", text, re.MULTILINE)
    keys = re.findall(r'\bRow\(\s*"([^"]+)"', "".join(path.read_text() for path in ROWS.glob("*.py")))
    assert {*places} == {*keys, "machine", "targets"}
    assert text.count("<!-- end -->") == len(places)


def test_plots_are_svg(results: Results) -> None:
    pictures = plot.pictures(results)
    for picture in pictures.values():
        assert ET.fromstring(picture).tag.endswith("svg")
    assert "start_container x&lt;y: 100 to 300 ms" in pictures["timeline"]


@pytest.mark.parametrize("most", [0.003, 0.7, 5.0, 48.0, 200.0, 1234.0])
def test_an_axis_reaches_its_greatest_figure(most: float) -> None:
    found = plot.ticks(most)
    assert found[0] == 0
    assert found[-2] < most <= found[-1]
    assert len(found) <= 7


def test_the_look_of_the_supervisor_is_no_part_of_a_start() -> None:
    one, other = "a" * 64, "b" * 64
    paths = [
        f"/containers/{one}/start",
        "/containers/json",
        f"/containers/{one}/json",
        f"/containers/{other}/json",
    ]
    calls = [Call(0.0, "GET", path) for path in [*paths, "/containers/json", f"/containers/{one}/json"]]
    assert [call.path for call in of_the_start(calls, 2)] == paths
