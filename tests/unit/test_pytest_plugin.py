"""The plugin where there is no engine: what it costs, what it says of itself, and what becomes of tests that need one."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

EXPENSIVE = (
    "docker",
    "yaml",
    "rich",
    "tenacity",
    "pypod.living",
    "pypod.pod",
    "pypod.engine",
    "pypod.model",
    "pypod.cli",
    "requests",
    "urllib3",
)
LIGHT = {
    "pypod",
    "pypod.errors",
    "pypod.pytest",
    "pypod.pytest.current",
    "pypod.pytest.declaring",
    "pypod.pytest.factory",
    "pypod.pytest.fixtures",
    "pypod.pytest.options",
    "pypod.pytest.plugin",
    "pypod.pytest.tracebacks",
    "pypod.pytest.uses",
    "pypod.pytest.wishes",
}
"""All of pypod that a suite without pods imports."""

DUMP = """
import json, pathlib, sys

def pytest_sessionfinish():
    pathlib.Path("modules.json").write_text(json.dumps(sorted(sys.modules)))
"""


def run(folder: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    """pytest in a process of its own, with no engine at hand."""
    nowhere = {"DOCKER_HOST": f"unix://{folder}/no.sock", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "", **env}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-W", "error", "-p", "no:cacheprovider", *arguments],
        cwd=folder,
        env={**os.environ, **nowhere},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )


def imported(folder: Path, *arguments: str) -> set[str]:
    """By a suite whose only plugin is this one: others import what they like."""
    (folder / "conftest.py").write_text(DUMP)
    done = run(folder, "-p", "pypod.pytest.plugin", *arguments, PYTEST_DISABLE_PLUGIN_AUTOLOAD="1")
    assert done.returncode == 0, done.stdout + done.stderr
    return set(json.loads((folder / "modules.json").read_text()))


def test_a_suite_without_pods_pays_next_to_nothing(tmp_path: Path) -> None:
    """A dozen small modules: 20 ms would be too much, and modules are what can be counted anywhere."""
    (tmp_path / "test_it.py").write_text("def test_it(): pass\n")
    modules = imported(tmp_path)
    assert {name for name in modules if name.partition(".")[0] == "pypod"} == LIGHT
    assert modules.isdisjoint(EXPENSIVE)


def test_a_declaration_costs_nothing_before_a_test_needs_it(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(
        "import pypod.pytest\n"
        "web = pypod.pytest.pod_fixture('web.yaml', scope='session')\n"
        "def test_other(): pass\n"
        "def test_it(web): raise AssertionError\n"
    )
    modules = imported(tmp_path, "-k", "other")
    assert {name for name in modules if name.partition(".")[0] == "pypod"} == LIGHT
    assert modules.isdisjoint(EXPENSIVE)


def test_a_declaration_of_a_pod_in_python_does_not_import_dockers_sdk(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(
        "import pypod.pytest\n"
        "from pypod import Container, Pod\n"
        "web = pypod.pytest.pod_fixture(Pod('web', containers=[Container('app', 'busybox:1')]))\n"
        "def test_other(): pass\n"
    )
    modules = imported(tmp_path)
    assert "pypod.pod" in modules
    assert modules.isdisjoint({"docker", "yaml", "rich"})


def test_without_the_plugin_nothing_of_it_is_there(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(
        "import pypod.pytest\n"
        "web = pypod.pytest.pod_fixture('web.yaml')\n"
        "def test_it(pod_factory): pass\n"
        "def test_declared(web): pass\n"
    )
    done = run(tmp_path, "-p", "no:pypod")
    assert "fixture 'pod_factory' not found" in done.stdout
    assert (
        "cannot start a pod for fixture 'web': the plugin is off; -p pypod.pytest.plugin switches it on"
        in done.stdout
    )
    assert "pypod" not in run(tmp_path, "-p", "no:pypod", "--help").stdout.replace(str(tmp_path), "")


def test_fixtures_and_marker_explain_themselves(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(
        "import pypod.pytest\n"
        "shop = pypod.pytest.pod_fixture('shop.yaml')\n"
        "\n"
        "@pypod.pytest.pod_fixture\n"
        "def made():\n"
        "    'A pod that is made.'\n"
    )
    told = run(tmp_path, "--fixtures", "-p", "no:docker").stdout
    assert "fixtures defined from test_it -" in told
    # Of a function pytest 8 says the line after its first one.
    assert re.search(r"^shop -- test_it.py:[23]\n    The pod of shop.yaml, ready.$", told, re.MULTILINE)
    assert re.search(r"^made -- test_it.py:[456]\n    A pod that is made.$", told, re.MULTILINE)
    for name, words in {
        "pypod_engine [session scope]": "The Docker Engine that pods are started on",
        "pypod_namespace [session scope]": "The namespace of this run's pods",
        "pod_factory": "They are removed after the test",
        "class_pod_factory [class scope]": "after the last test of the class",
        "module_pod_factory [module scope]": "after the last test of the module",
        "package_pod_factory [package scope]": "after the last test of the package",
        "session_pod_factory [session scope]": "at the end of the run",
        "pod": '@pytest.mark.pod("web.yaml")',
    }.items():
        [place] = [index for index, line in enumerate(told.splitlines()) if line.startswith(f"{name} -- ")]
        assert words in " ".join(told.splitlines()[place : place + 4])
    markers = run(tmp_path, "--markers").stdout
    assert "@pytest.mark.pod(source, *, name=None" in markers


SUITE = """
import pypod.pytest
import pytest
from pypod import Container, Pod

web = pypod.pytest.pod_fixture(Pod("web", containers=[Container("app", "busybox:1")]))

def test_fixture(web): raise AssertionError
def test_factory(pod_factory): raise AssertionError
def test_none(): pass
"""


def test_without_an_engine_a_test_fails_and_says_why(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(SUITE)
    done = run(tmp_path)
    assert "1 passed, 2 errors" in done.stdout
    assert "no.sock" in done.stdout
    assert "(--pypod-no-engine=skip skips such tests)" in done.stdout
    assert "left on the engine" not in done.stdout


def test_or_is_skipped_where_that_is_wanted(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(SUITE)
    done = run(tmp_path, "-rs", PYPOD_PYTEST_NO_ENGINE="skip")
    assert "1 passed, 2 skipped" in done.stdout
    assert "no.sock" in done.stdout
    assert run(tmp_path, f"--pypod-engine=unix://{tmp_path}/other.sock").stdout.count("other.sock") >= 2


def test_mistakes_in_a_suite_are_told(tmp_path: Path) -> None:
    """They need no engine: `pypod_engine` is another one here, which is never asked."""
    (tmp_path / "test_it.py").write_text(
        """
import pypod.pytest
import pytest

wrong = pypod.pytest.pod_fixture("missing.yaml")
number = pypod.pytest.pod_fixture(lambda: 17)

@pytest.fixture(scope="session")
def pypod_engine():
    return None

def test_marker(pod): pass

@pytest.mark.pod("web.yaml", tiemout=3)
def test_argument(pod): pass

@pytest.mark.pod()
def test_no_source(pod): pass

def test_file(wrong): pass
def test_type(number): pass
"""
    )
    done = run(tmp_path)
    assert "5 errors" in done.stdout
    for words in (
        'cannot give test_it.py::test_marker a pod: it has no marker; @pytest.mark.pod("web.yaml") is expected',
        "cannot read the marker 'pod' of test_it.py::test_argument: got an unexpected keyword argument 'tiemout'; pod(source, ",
        "cannot read the marker 'pod' of test_it.py::test_no_source: missing a required argument: 'source'; pod(source, ",
        f"No such file or directory: '{tmp_path}/missing.yaml'",
        "cannot make a pod of 17: a manifest's path, its text or its document, a Pod or a PodSpec is expected",
        f"fixture 'wrong', declared at {tmp_path}/test_it.py:5",
        f"fixture 'number', declared at {tmp_path}/test_it.py:6",
    ):
        assert words in done.stdout
    assert "During handling" not in done.stdout
    assert "in enter_context" not in done.stdout


@pytest.mark.parametrize(
    ("declaration", "words"),
    [
        ("pod_fixture('a.yaml', shared=True)", "cannot share a pod of scope 'function' between workers"),
        ("pod_fixture('a.yaml', pool=-1)", "cannot keep pool=-1 pods ready"),
        ("pod_fixture('a.yaml', params=['b.yaml'])", "cannot take both a source and params"),
        (
            "pod_fixture(generator)",
            "cannot make pods with 'generator': it is a generator, and a function that returns",
        ),
        (
            "pod_fixture(scope='module')(coroutine)",
            "cannot make pods with 'coroutine': it is async, and a function",
        ),
    ],
)
def test_declarations_that_make_no_sense_are_refused_at_once(declaration: str, words: str) -> None:
    from pypod.pytest import pod_fixture  # noqa: PLC0415

    def generator() -> Iterator[str]:
        yield "a.yaml"

    async def coroutine() -> str:
        return "a.yaml"

    known = {"pod_fixture": pod_fixture, "generator": generator, "coroutine": coroutine}
    with pytest.raises((ValueError, TypeError), match=words):
        eval(declaration, known)
