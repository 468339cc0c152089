"""What a failed test tells of its pods, and pods that are kept."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from tests.plugin.conftest import PATIENCE, Suite

BROKEN = """
    import time

    import pypod.pytest
    import pytest
    from pypod import Container, Pod, PodStartError, Probe

    web = pypod.pytest.pod_fixture("web.yaml", scope="module")
    unused = pypod.pytest.pod_fixture("web.yaml", name="unused", scope="module")
    broken = pypod.pytest.pod_fixture(
        Pod(
            "broken",
            containers=[
                Container(
                    "app",
                    IMAGE,
                    command=["sh", "-c", "echo no config; exit 3"],
                    readiness_probe=Probe.tcp_socket(80),
                )
            ],
        )
    )

    @pytest.fixture
    def app(web):
        return web

    def test_good(unused):
        pass

    def test_call(app):
        app.exec(["touch", "/end"])
        deadline = time.monotonic() + 60
        while not (app.refresh().restart_count and app.status.conditions["Ready"].status and app.logs()):
            assert time.monotonic() < deadline  # one that runs may not have begun
        assert app.name == "other"

    def test_setup(broken):
        pass

    def test_dynamic(request, pod_factory):
        request.getfixturevalue("web")
        with pytest.raises(PodStartError) as failure:
            pod_factory(Pod("gone", containers=[Container("app", "pypod-test/none:1", image_pull_policy="Never")]))
        assert failure.value.reason == "ErrImageNeverPull"
        raise AssertionError
"""


def section(output: str, test: str, name: str) -> str:
    """What the report of a test has about a pod."""
    part = re.search(rf"^_+ .*{test} _+$(.*?)(?=^_+ |^=+ )", output, re.MULTILINE | re.DOTALL)
    assert part, output
    found = re.search(rf"^-+ pod {name} -+$(.*?)(?=^-+ |\Z)", part[1], re.MULTILINE | re.DOTALL)
    return found[1] if found else ""


def test_a_failed_test_tells_of_its_pods(suite: Suite) -> None:
    suite.manifest("web", "echo hello; until test -e /end; do sleep 0.05; done; exit 3")
    suite.file("test_it.py", BROKEN)
    result = suite.run("--pypod-logs=5")
    result.assert_outcomes(passed=1, failed=2, errors=1)
    output = result.stdout.str()

    web = section(output, "test_call", "web")
    assert re.search(r"^Status: +Running$", web, re.MULTILINE)
    assert re.search(
        r"^    Last State: +Terminated\n      Reason: +Error\n      Exit Code: +3$", web, re.MULTILINE
    )
    assert re.search(r"^    Restart Count: +1$", web, re.MULTILINE)
    assert (
        "    Log, its last 1 line(s):\n      hello\n    Log of the instance before, its last 1 line(s):\n      hello"
        in web
    )
    assert re.search(r"^  Normal +Started .* container/app", web, re.MULTILINE)

    broken = section(output, "test_setup", "broken")
    assert re.search(r"^      Reason: +CrashLoopBackOff$", broken, re.MULTILINE)
    assert "      no config" in broken
    assert "Plan:\n  #1 " in broken
    # The reason stands in the error too, and pypod's own lines do not.
    assert "PodStartError: cannot start pod" in output
    assert "starting.py" not in output

    assert "ErrImageNeverPull" in section(output, "test_dynamic", "gone")
    assert "hello" in section(output, "test_dynamic", "web")
    assert "pod unused" not in output
    assert "left on the engine" not in output


def test_pods_of_failed_tests_are_kept_and_the_commands_that_are_told_work(suite: Suite) -> None:
    suite.manifest("web", "echo hello; until test -e /end; do sleep 0.05; done; exit 3")
    suite.file("test_it.py", BROKEN)
    result = suite.run("--pypod-keep=failed", "-k", "good or setup or call")
    kept = suite.left(0)
    assert any("_web_" in name for name in kept)
    assert any("_broken_" in name for name in kept)
    assert not any("_unused_" in name for name in kept)

    commands = re.findall(r"^  (pypod .*)$", result.stdout.str(), re.MULTILINE)
    assert [command.split()[1] for command in commands] == ["describe", "logs", "exec", "down"] * 2
    assert "left on the engine" not in result.stdout.str()
    told = [command.removesuffix("-- sh") + "-- true" * command.endswith("-- sh") for command in commands]
    tried = [each for each in told if " web " in each or " down " in each]
    assert len(tried) == 5
    script = " && ".join(f"{sys.executable} -m {command}" for command in tried)
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 0, done.stderr
    assert "Restart Count:" in done.stdout
    assert suite.left() == []


def test_what_a_run_leaves_is_told_and_fails_it(suite: Suite) -> None:
    suite.file(
        "test_it.py",
        """
        from pypod import Container, Pod

        def test_leaks(pypod_namespace):
            pod = Pod("lost", namespace=pypod_namespace, containers=[Container("app", IMAGE, command=["sleep", "1000"])])
            pod.start(detach=True)
        """,
    )
    result = suite.run("--pypod-leaks=fail")
    try:
        assert result.ret == pytest.ExitCode.TESTS_FAILED
        result.assert_outcomes(passed=1)
        assert re.search(
            r"^container pypod_pytest-\w+-main_lost_\w+_app_0$", result.stdout.str(), re.MULTILINE
        )
    finally:
        [run] = suite.runs
        words = [sys.executable, "-m", "pypod", "down", "lost", "-n", f"pytest-{run}-main", "--grace", "0"]
        subprocess.run(words, capture_output=True, timeout=PATIENCE, check=True)
