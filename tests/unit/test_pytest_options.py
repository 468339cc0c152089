"""The plugin's options: one table, three places, and what is wrong is told at the start."""

from __future__ import annotations

import subprocess
import sys

import pytest

from pypod.pytest import options
from pypod.pytest.options import OPTIONS, Settings

CONFTEST = """
from pypod.pytest import current

def pytest_report_header(config):
    return f"settings: {config.stash[current.SETTINGS]}"
"""


def settings(pytester: pytest.Pytester, *arguments: str) -> str:
    """What a run says that they are."""
    pytester.makeconftest(CONFTEST)
    result = pytester.runpytest_inprocess("--collect-only", *arguments)
    assert result.ret == pytest.ExitCode.NO_TESTS_COLLECTED, result.stderr.str()
    return next(line for line in result.outlines if line.startswith("settings: "))


def test_each_option_has_its_setting() -> None:
    assert {each.attribute: each.default for each in OPTIONS} == {
        name: getattr(Settings(), name) for name in Settings.__slots__
    }


def test_the_command_line_comes_before_the_environment_and_that_before_the_ini_file(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytester.makeini("[pytest]\npypod_logs = 1\npypod_timeout = 1.5\npypod_keep = all\n")
    assert "keep='all', reuse=False, logs=1, timeout=1.5" in settings(pytester)
    monkeypatch.setenv("PYPOD_PYTEST_LOGS", "2")
    monkeypatch.setenv("PYPOD_PYTEST_TIMEOUT", "2")
    monkeypatch.setenv("PYPOD_PYTEST_REUSE", "yes")
    assert "keep='all', reuse=True, logs=2, timeout=2.0" in settings(pytester)
    assert "keep='no', reuse=True, logs=3, timeout=2.0" in settings(
        pytester, "--pypod-logs=3", "--pypod-keep=no"
    )


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("keep", "some", "no, failed or all is expected"),
        ("reuse", "perhaps", "true or false is expected"),
        ("logs", "-1", "a whole number, 0 or more, is expected"),
        ("logs", "many", "a whole number, 0 or more, is expected"),
        ("timeout", "0", "seconds, more than 0, are expected"),
        ("timeout", "inf", "seconds, more than 0, are expected"),
        ("timeout", "1m", "seconds, more than 0, are expected"),
        ("pull", "always", "Always, IfNotPresent or Never is expected"),
        ("no_engine", "pass", "fail or skip is expected"),
        ("leaks", "yes", "off, warn or fail is expected"),
    ],
)
def test_a_value_that_is_none_is_told(name: str, value: str, expected: str) -> None:
    [option] = [each for each in OPTIONS if each.attribute == name]
    with pytest.raises(ValueError, match=f"^{expected}$"):
        option.value(value)


@pytest.mark.parametrize(
    ("ini", "environ", "where"),
    [
        ("[pytest]\npypod_logs = many\n", {}, "pypod_logs in the ini file"),
        ("", {"PYPOD_PYTEST_LOGS": "many"}, "the variable PYPOD_PYTEST_LOGS"),
    ],
)
def test_and_so_is_its_place(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, ini: str, environ: dict[str, str], where: str
) -> None:
    pytester.makeini(ini)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    result = pytester.runpytest_inprocess("--collect-only")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    words = f"cannot take 'many' of {where}: a whole number, 0 or more, is expected"
    assert f"ERROR: {words}" in result.stderr.str()


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.name)
def test_the_help_tells_of_each_option(option: options.Option, help_text: str) -> None:
    assert option.flag in help_text
    assert f"{option.ini} (string):" in help_text


@pytest.fixture(scope="module")
def help_text(tmp_path_factory: pytest.TempPathFactory) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--help"],
        cwd=tmp_path_factory.mktemp("empty"),
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    return done.stdout
