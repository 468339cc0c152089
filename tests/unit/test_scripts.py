"""The two commands, without a machine to install anything on: what they decide, and that they decide it once."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

import pytest

from tests.images import engine_http

ROOT = Path(__file__).resolve().parents[2]

# Replaces everything in scripts/lib/common.bash that would touch the machine; each call is written down.
STUBS = """
set -euo pipefail
. scripts/lib/common.bash
PYTHON=python3
is_root() { [ "${AS_ROOT:-1}" = 1 ]; }
have() { case " ${PRESENT:-apt-get busybox} " in *" $1 "*) ;; *) return 1 ;; esac; }
can_make_venv() { [ "${VENV:-1}" = 1 ]; }
engine_url() { [ -e "$STATE/engine" ] || return "${NO_ENGINE:-1}"; echo unix:///var/run/docker.sock; }
apt_install() { echo "install $*" >>"$STATE/calls"; }
start_engine() { echo start >>"$STATE/calls"; sleep 0.2; touch "$STATE/engine"; }
set_up_machine
"""


def set_up_machine(state: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run the scripts' set-up with the stubs above; `settings` say what the machine is like."""
    environment = {
        "PATH": os.environ["PATH"],
        "STATE": str(state),
        "PYPOD_SETUP_LOCK": str(state / "lock"),
        **settings,
    }
    return subprocess.run(
        ["bash", "-c", STUBS, "scripts/test"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=8,
    )


def calls(state: Path) -> list[str]:
    written = state / "calls"
    return written.read_text().splitlines() if written.exists() else []


def test_an_engine_that_answers_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "engine").touch()
    assert set_up_machine(tmp_path).returncode == 0
    assert calls(tmp_path) == []


def test_a_bare_machine_gets_everything_in_one_installation(tmp_path: Path) -> None:
    outcome = set_up_machine(tmp_path, PRESENT="apt-get apparmor_parser", VENV="0")
    assert outcome.returncode == 0, outcome.stderr
    venv = subprocess.check_output(
        ["python3", "-c", "import sys; print('python%d.%d-venv' % sys.version_info[:2])"], text=True
    ).strip()
    assert calls(tmp_path) == [f"install {venv} docker.io busybox-static", "start"]


def test_an_engine_that_is_installed_is_started_and_not_replaced(tmp_path: Path) -> None:
    assert set_up_machine(tmp_path, PRESENT="apt-get busybox dockerd").returncode == 0
    assert calls(tmp_path) == ["start"]


def test_two_scripts_at_once_start_one_engine(tmp_path: Path) -> None:
    with ThreadPoolExecutor() as pool:
        outcomes = list(
            pool.map(lambda _: set_up_machine(tmp_path, PRESENT="apt-get busybox dockerd"), range(2))
        )
    assert [outcome.returncode for outcome in outcomes] == [0, 0]
    assert calls(tmp_path) == ["start"]


def test_without_root_the_commands_for_root_are_printed_and_nothing_is_done(tmp_path: Path) -> None:
    outcome = set_up_machine(tmp_path, AS_ROOT="0", PRESENT="apt-get busybox apparmor_parser")
    assert outcome.returncode == 1
    assert "    apt-get update && apt-get install -y --no-install-recommends docker.io\n" in outcome.stderr
    assert calls(tmp_path) == []


def test_an_engine_that_refuses_this_user_is_not_replaced(tmp_path: Path) -> None:
    outcome = set_up_machine(tmp_path, NO_ENGINE="2")
    assert outcome.returncode == 1
    assert "It is left alone" in outcome.stderr
    assert calls(tmp_path) == []


@pytest.mark.parametrize(
    "script",
    ["scripts/quickstart", "scripts/test", "scripts/newer-engine", ".ci/run", "scripts/lib/common.bash"],
)
def test_bash_can_parse(script: str) -> None:
    subprocess.run(["bash", "-n", script], cwd=ROOT, check=True)


def test_ci_runs_the_test_command_of_the_readme() -> None:
    assert (ROOT / ".ci/run").read_text().splitlines()[-1] == "exec scripts/test"


# --- finding an engine ------------------------------------------------------------------------------------------------


@pytest.fixture
def no_engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A home with nothing in it, and no engine where the system's would be."""
    for variable in ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "XDG_RUNTIME_DIR"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(engine_http, "DEFAULT_SOCKET", str(tmp_path / "system.sock"))
    return tmp_path


@pytest.fixture
def listening(no_engine: Path) -> Iterator[str]:
    """The path of a socket that answers one ping, as a rootless engine's would."""
    path = no_engine / "docker.sock"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK")

        thread = threading.Thread(target=answer)
        thread.start()
        yield str(path)
        thread.join(timeout=5)


def test_no_engine_is_no_error(no_engine: Path) -> None:
    assert engine_http.find() is None


def test_a_stale_socket_is_no_engine(no_engine: Path) -> None:
    with socket.socket(socket.AF_UNIX) as gone:
        gone.bind(str(no_engine / "system.sock"))
    assert engine_http.find() is None


def test_a_rootless_engine_is_found(listening: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(Path(listening).parent))
    engine = engine_http.find()
    assert engine is not None
    assert engine.url == f"unix://{listening}"


def test_a_named_engine_that_does_not_answer_is_an_error(
    no_engine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{no_engine}/none.sock")
    with pytest.raises(engine_http.EngineUnreachable, match=r"none\.sock"):
        engine_http.find()


@pytest.mark.parametrize(
    ("config", "environment", "expected"),
    [
        ({}, {}, None),
        ({"currentContext": "default"}, {}, None),
        ({"currentContext": "desk"}, {}, "unix:///desk.sock"),
        ({"currentContext": "desk"}, {"DOCKER_HOST": "tcp://build:2375"}, "tcp://build:2375"),
        ({}, {"DOCKER_CONTEXT": "desk"}, "unix:///desk.sock"),
    ],
)
def test_the_named_engine_is_the_docker_clis(
    no_engine: Path,
    monkeypatch: pytest.MonkeyPatch,
    config: Mapping[str, str],
    environment: Mapping[str, str],
    expected: str | None,
) -> None:
    meta = no_engine / ".docker/contexts/meta" / sha256(b"desk").hexdigest() / "meta.json"
    meta.parent.mkdir(parents=True)
    meta.write_text(json.dumps({"Name": "desk", "Endpoints": {"docker": {"Host": "unix:///desk.sock"}}}))
    (no_engine / ".docker/config.json").write_text(json.dumps(config))
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert engine_http.named_url() == expected
