"""What a person reads of a failed test: one suite on a fake engine, run once, with another plugin around its fixtures."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.unit.test_pytest_plugin import run

CONFTEST = """
import pytest
from pypod import background, connecting
from pypod.testing import FakeEngine

background.ensure_running = background.sweep_once = lambda engine: None

@pytest.fixture(scope="session")
def pypod_engine():
    engine = FakeEngine()
    engine.add_image("app:1")
    return engine

@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef, request):
    return (yield)  # a line of another plugin, as pytest-asyncio has one
"""
SUITE = """
import unittest
import pypod.pytest
import pytest
from pypod import Container, Pod, PodSpec

def pod_of(name, image="app:1"):
    return Pod(name, containers=[Container("app", image, image_pull_policy="Never")], min_ready_seconds=0)

web = pypod.pytest.pod_fixture(pod_of("web"), scope="module")
bad = pypod.pytest.pod_fixture(pod_of("bad", "none:1"), scope="session")
either = pypod.pytest.pod_fixture(params=[pod_of("one", "none:1"), pod_of("two")], scope="session")

@pypod.pytest.pod_fixture
def misnamed():
    return pod_of("No_Label")

@pytest.mark.parametrize("web", [pod_of("other")], indirect=True)
def test_a_parameter_takes_the_place_of_the_source(web):
    assert web.name == "other"

def test_bad(bad): pass
def test_bad_again(bad): pass
def test_misnamed(misnamed): pass
def test_either(either): raise AssertionError

def test_exec(web):
    web.exec(["no-such-program"], check=True)

class TestCase(unittest.TestCase):
    @pytest.fixture(autouse=True)
    def take(self, web):
        self.web = web

    def test_exec(self):
        self.web.exec(["no-such-program"], check=True)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("suite")
    (made / "conftest.py").write_text(CONFTEST)
    (made / "test_it.py").write_text(SUITE)
    return made


@pytest.fixture(scope="module")
def output(folder: Path) -> str:
    return run(folder, "--pypod-leaks=off", "--junitxml=report.xml", "--show-capture=no").stdout


def part(output: str, title: str) -> str:
    """The report of one test."""
    found = re.search(rf"^_+ {re.escape(title)} _+$(.*?)(?=^__+ |^==+ )", output, re.MULTILINE | re.DOTALL)
    assert found, output
    return found[1]


def test_an_error_of_a_fixture_is_the_reason_and_where_it_is_declared(folder: Path, output: str) -> None:
    """Without the lines of pypod, and of other plugins that are on the way."""
    told = part(output, "ERROR at setup of test_bad").strip()
    assert told.startswith("E   pypod.errors.ImageError: cannot start pod ")
    line = (
        SUITE.splitlines().index('bad = pypod.pytest.pod_fixture(pod_of("bad", "none:1"), scope="session")')
        + 1
    )
    assert f"fixture 'bad', declared at {folder}/test_it.py:{line}" in told
    assert "another plugin" not in output
    assert len(re.findall("^-+ pod bad -+$", told, re.MULTILINE)) == 1


def test_the_next_test_that_needs_it_does_not_tell_all_of_it_again(output: str) -> None:
    told = part(output, "ERROR at setup of test_bad_again")
    assert "ErrImageNeverPull" in told
    assert "as the report of test_it.py::test_bad has it" in told
    assert "Restart Count" not in told


def test_what_failed_for_one_parameter_is_not_told_of_the_next(output: str) -> None:
    assert "pod one" in part(output, "ERROR at setup of test_either[either0]")
    told = part(output, "test_either[either1]")
    assert "pod two" in told
    assert "pod one" not in told


@pytest.mark.parametrize(
    ("title", "line"),
    [
        ("test_exec", "web.exec("),
        ("TestCase.test_exec", "self.web.exec("),
        ("ERROR at setup of test_misnamed", "return Pod(name,"),
    ],
)
def test_what_pypod_raises_in_the_suite_ends_at_the_suites_own_line(
    output: str, title: str, line: str
) -> None:
    told = part(output, title)
    assert re.search(rf"^> +{re.escape(line)}.*\n( +\^+\n)?E +pypod\.errors\.", told, re.MULTILINE)
    assert "pypod/inside.py" not in told
    assert "pypod/pod.py" not in told


def test_junits_xml_has_the_report_too(folder: Path, output: str) -> None:
    """And so has the terminal, with --show-capture=no."""
    assert "Restart Count:" in part(output, "test_exec")
    failures = ElementTree.parse(folder / "report.xml").iter("failure")
    assert ["Restart Count:" in (each.text or "") for each in failures] == [True] * 3


def test_a_parameter_takes_the_place_of_a_source(output: str) -> None:
    assert "4 failed" not in output
    assert "3 failed, 1 passed, 4 errors" in output
