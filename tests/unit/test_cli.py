"""The command line without an engine: parsing, tables, the tour's judges, and that help is cheap."""

from __future__ import annotations

import argparse
import contextlib
import json
import struct
import subprocess
import sys
import tarfile
import time
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import pypod
from pypod import Container, Pod, waiting
from pypod.cli import common, copy, demo, demo_image, doctor, life, main, ps, tables
from pypod.cli import tour_checks as judge
from pypod.cli.parser import build_parser, moment, seconds, split_command
from pypod.cli.tour import Claim, Evidence, Tour
from pypod.cli.tour_checks import Life
from pypod.cli.tour_claims import CLAIMS
from pypod.describing import layout
from pypod.engine.api import Frame
from pypod.errors import PodNotFoundError, PodTimeoutError
from pypod.model.life.members import Kind
from pypod.model.life.status import Condition, ContainerStatus, Phase, PodStatus, Running, Terminated, Waiting
from pypod.model.spec.pod import PodSpec
from pypod.model.wiring.state import EngineInfo
from pypod.testing import FakeEngine

COMMANDS = (
    "up", "down", "wait", "validate", "plan", "diff", "apply", "export", "get", "delete", "ps", "describe", "trace", "events", "logs",
    "exec", "cp", "port-forward", "debug", "sweep", "doctor", "demo", "supervise",
)  # fmt: skip


# --- parsing ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_with_an_example(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([command, "--help"]) == 0
    said = capsys.readouterr().out
    assert "example:\n  pypod " in said


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    said = capsys.readouterr().out
    assert all(f"    {command}" in said for command in COMMANDS)


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["nonsense"],
        ["up"],
        ["ps", "-o", "xml"],
        ["logs", "x", "--tail", "few"],
        ["logs", "x", "--since", "soon"],
        ["logs", "x", "--since", "2026-01-31T12:00:00"],
        ["wait", "x"],
        ["debug", "x"],
        ["describe"],
        ["cp", "x:/y"],
        ["--hos", "unix:///x", "ps"],
        ["ps", "--name", "x"],
        ["ps", "--all"],
        ["logs", "x", "--name", "y"],
        ["debug", "x", "--image", "i", "--tar", "y"],
        ["validate"],
        ["plan", "-f", "x", "--validate=true"],
        ["get", "cm", "-o", "wide"],
        ["export"],
    ],
)
def test_wrong_usage_is_exit_code_2(words: list[str]) -> None:
    assert main(words) == 2


@pytest.mark.parametrize(
    "words",
    [
        ["down"],
        ["down", "x", "-f", "y"],
        ["down", "x", "--claims"],
        ["get", "widgets"],
        ["get", "pods"],
        ["get", "cm", "x", "-A"],
        ["delete", "secret"],
        ["exec", "x"],
        ["demo", "--only", "15"],
        ["logs", "x", "-f", "-p"],
        ["wait", "x", "--for", "condition=Happy"],
        ["wait", "x", "--for", "Ready"],
        ["cp", "a", "b"],
        ["cp", "a:/b", "c:/d"],
        ["cp", ":/b", "c"],
        ["cp", "a:", "c"],
        ["debug", "x", "--image", "i", "--env", "NONE"],
        ["events", "x", "-A"],
    ],
)
def test_usage_that_argparse_cannot_judge_is_exit_code_2(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    assert capsys.readouterr().err.startswith("pypod: ")


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("pypod ")


def test_no_option_is_read_as_another_one_that_begins_like_it() -> None:
    """argparse would take `--name x` for `--namespace x`: the pod of another namespace."""
    parser = build_parser()
    [commands] = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    assert set(commands.choices) == set(COMMANDS)
    for each in (parser, *commands.choices.values()):
        assert not each.allow_abbrev, each.prog


def test_what_follows_two_dashes_is_the_command() -> None:
    assert split_command(["exec", "p", "--", "ls", "--", "-l"]) == (["exec", "p"], ["ls", "--", "-l"])
    assert build_parser().parse_args(["exec", "p", "-c", "web", "-i"]).container == "web"


@pytest.mark.parametrize(
    ("text", "value"),
    [("90", 90), ("0.5", 0.5), ("30s", 30), ("5m", 300), ("1h30m", 5400), ("250ms", 0.25), ("2d", 172800)],
)
def test_times(text: str, value: float) -> None:
    assert seconds(text) == value


@pytest.mark.parametrize("text", ["", "s", "5x", "-5s", "1m30", "5 m", "٣s"])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="is no time"):
        seconds(text)


def test_moments_are_so_long_ago_or_a_time_with_its_zone() -> None:
    assert moment("1970-01-01T00:01:40Z") == 100
    assert moment("1970-01-01T02:01:40.5+02:00") == 100.5
    before = time.time()
    assert before - 60 <= moment("1m") <= time.time() - 60


@pytest.mark.parametrize(
    ("text", "condition"),
    [
        ("condition=Ready", "Ready"), ("condition=ready", "Ready"), ("condition=Started", "Started"),
        ("phase=Succeeded", "Succeeded"), ("phase=Running", "Running"), ("delete", "Deleted"),
    ],
)  # fmt: skip
def test_goals_of_wait(text: str, condition: str) -> None:
    assert life.goal(text) == condition
    assert condition in waiting.CONDITIONS


def test_waiting_for_the_end_of_a_pod_that_is_not_there_is_done_at_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def get(*_: Any, **__: Any) -> None:
        raise PodNotFoundError("cannot find pod default/x", pod="default/x")

    monkeypatch.setattr(pypod, "connect", lambda *_: None)
    monkeypatch.setattr(pypod, "get", get)
    assert main(["wait", "x", "--for=delete"]) == 0
    assert capsys.readouterr().out == "pod/x condition met\n"
    assert main(["wait", "x", "--for=condition=Ready"]) == 1


def test_wait_passes_on_what_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    monkeypatch.setattr(pypod, "connect", lambda *_: None)
    monkeypatch.setattr(
        pypod, "get", lambda *names, **_: SimpleNamespace(wait=lambda *words: asked.append((names, words)))
    )
    assert main(["wait", "x", "-n", "prod", "--for=phase=Failed", "--timeout=2m"]) == 0
    assert main(["wait", "x", "--for=condition=Ready"]) == 0
    assert asked == [(("x", "prod"), ("Failed", 120.0)), (("x", "default"), ("Ready", 30.0))]


# --- into a pod ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "pod", "path"),
    [
        ("web:/etc", "web", "/etc"), ("web:relative", "web", "relative"), ("web:/a:b", "web", "/a:b"), ("./a:b", "", "./a:b"),
        ("/a:b", "", "/a:b"), ("-", "", "-"), ("plain", "", "plain"), ("..", "", ".."),
    ],
)  # fmt: skip
def test_what_cp_takes_for_a_pod_and_what_for_a_path(word: str, pod: str, path: str) -> None:
    assert copy.split(word) == (pod, path)


class Copied:
    """A pod that notes what is asked of it."""

    namespace, name = "default", "web"
    spec = PodSpec("web", (Container("one", "i:1"), Container("two", "i:1")))
    status = PodStatus(
        Phase.RUNNING,
        container_statuses=(
            ContainerStatus("one", Running(1.0), None, True, 0, "i:1", "id-1"),
            ContainerStatus("two", Waiting("ContainerCreating"), None, False, 0, "i:1", ""),
        ),
    )

    def __init__(self) -> None:
        self.asked: list[tuple[object, ...]] = []
        self.engine = self

    def copy_to(self, *words: object) -> None:
        self.asked.append(("to", *words))

    def copy_from(self, *words: object) -> None:
        self.asked.append(("from", *words))

    def get_archive(self, container: str, path: str) -> list[bytes]:
        if path == "/none":
            raise pypod.NotFoundError("copy from container", container, "no such path")
        return [f"{container}:".encode(), path.encode()]

    def put_archive(self, container: str, path: str, pieces: Any) -> None:
        if path == "/none":
            raise pypod.NotFoundError("copy to container", container, "no such path")
        self.asked.append((container, path, b"".join(pieces)))


@pytest.fixture
def copied(monkeypatch: pytest.MonkeyPatch) -> Copied:
    made = Copied()
    monkeypatch.setattr(pypod, "connect", lambda *_: made)
    monkeypatch.setattr(pypod, "get", lambda *_, **__: made)
    return made


def test_cp_goes_in_and_out(copied: Copied) -> None:
    assert main(["cp", "web:/etc", "./here"]) == 0
    assert main(["cp", "./here/.", "web:there", "-c", "two"]) == 0
    assert copied.asked == [("from", "/etc", "./here", None), ("to", "./here/.", "there", "two")]
    assert main(["cp", "web:/etc", "here", "-c", "three"]) == 2


def test_cp_streams(
    copied: Copied, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert main(["cp", "web:etc", "-"]) == 0
    assert capfdbinary.readouterr().out == b"id-1:/etc"
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=BytesIO(b"tar")))
    assert main(["cp", "-", "web:/tmp"]) == 0
    assert copied.asked == [("id-1", "/tmp", b"tar")]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["web:/none", "-"], "pypod: cannot copy '/none' to standard output of pod 'default/web': no such path\n"),
        (["-", "web:/none"], "pypod: cannot unpack standard input into '/none' of pod 'default/web': no such path\n"),
        (["web:/x", "-", "-c", "two"], "pypod: cannot copy files of container 'two' of pod 'default/web': it is not there\n"),
    ],
)  # fmt: skip
def test_streams_of_what_is_not_there(
    copied: Copied, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    assert main(["cp", *words]) == 1
    assert capsys.readouterr().err == said


@pytest.mark.parametrize("named", ["-c", "--container", "--name"])
def test_debug_starts_one_and_says_its_name(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], named: str
) -> None:
    asked: list[object] = []

    def join(*words: object, **options: object) -> str:
        asked.append((words, options))
        return "debugger-1"

    made = SimpleNamespace(debug=join, name="web", namespace="prod")
    monkeypatch.setattr(pypod, "connect", lambda *_: None)
    monkeypatch.setattr(pypod, "get", lambda *_, **__: made)
    words = [
        "debug",
        "web",
        "--image",
        "i",
        "--target",
        "app",
        named,
        "n",
        "--env",
        "A=b=c",
        "--",
        "sh",
        "-c",
        "x",
    ]
    assert main(words) == 0
    assert asked == [(("i", ["sh", "-c", "x"]), {"name": "n", "target": "app", "env": {"A": "b=c"}})]
    said = capsys.readouterr()
    assert said.out == "debugger-1\n"
    assert "pypod exec -n prod web -c debugger-1 -i -- sh" in said.err


class Logged(Copied):
    """A pod of which ``two`` has no logs."""

    def log_blocks(self, container: str, **options: object) -> list[list[str]]:
        self.asked.append((container, options))
        if container == "two" or options["tail"] == 7:
            raise pypod.PodNotRunningError(f"cannot read the logs of {container}", pod="default/web")
        return [["a"], ["b"]]


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> Logged:
    made = Logged()
    monkeypatch.setattr(pypod, "connect", lambda *_: made)
    monkeypatch.setattr(pypod, "get", lambda *_, **__: made)
    return made


def test_logs_of_all_pass_over_those_that_have_none(
    logged: Logged, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["logs", "web", "-p", "--timestamps", "--since", "1970-01-01T00:00:09Z"]) == 0
    assert capsys.readouterr() == ("one | a\none | b\n", "")
    options = {"since": 9.0, "tail": None, "timestamps": True, "previous": True}
    assert logged.asked == [("one", options), ("two", options)]


def test_logs_of_none_are_an_error(logged: Logged, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["logs", "web", "-c", "two"]) == 1
    assert main(["logs", "web", "--tail", "7"]) == 1
    assert capsys.readouterr() == (
        "",
        "pypod: cannot read the logs of two\npypod: cannot read the logs of one\n",
    )
    assert main(["logs", "web", "-c", "three"]) == 2


def test_exec_does_not_wait_for_a_command_whose_container_ended(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """In a shared PID space a command outlives its container, and the engine never ends its stream (seen on 20.10)."""
    frames: list[Frame | TimeoutError] = [
        Frame(1, b"some\n"),
        TimeoutError(),
        TimeoutError(),
        Frame(2, b"more\n"),
        TimeoutError(),
    ]

    class Stream:
        closed = False

        def read(self, timeout: float | None = None) -> Frame | None:
            assert timeout is not None
            frame = frames.pop(0)
            if isinstance(frame, Frame):
                return frame
            raise frame

        def exit_code(self) -> int | None:
            return None

        def close(self) -> None:
            self.closed = True

    alive = [True, False]
    made = Stream()
    engine = SimpleNamespace(
        exec=lambda *_, **__: made, container=lambda _id: SimpleNamespace(is_live=alive.pop(0))
    )
    pod = SimpleNamespace(namespace="default", name="web", spec=Copied.spec, status=Copied.status)
    monkeypatch.setattr(pypod, "connect", lambda *_: engine)
    monkeypatch.setattr(pypod, "get", lambda *_, **__: pod)
    assert main(["exec", "web", "--", "sleep", "9"]) == 137
    said = capfd.readouterr()
    assert said.out == "some\n"
    assert said.err == "more\ncontainer 'one' of pod default/web ended before ['sleep', '9'] did\n"
    assert made.closed


def test_help_is_cheap_and_imports_nothing_heavy() -> None:
    """Modules are counted, since milliseconds differ between machines."""
    script = (
        "import sys, pypod.cli\ncode = pypod.cli.main(['--help'])\n"
        "ours = {name for name in sys.modules if name.partition('.')[0] == 'pypod'}\n"
        "heavy = {'docker', 'yaml', 'rich', 'tenacity', 'requests', 'urllib3', 'http.client', 'logging'} & set(sys.modules)\n"
        "heavy |= ours - {'pypod', 'pypod.cli', 'pypod.cli.common', 'pypod.cli.parser'}\n"
        "sys.exit(f'imported: {heavy}' if heavy else code)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


# --- errors ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (PodNotFoundError("cannot find pod default/x", pod="default/x"), 1),
        (PodTimeoutError("cannot start pod default/x in 1 s", pod="default/x"), 124),
        (KeyboardInterrupt(), 130),
        (common.Terminated(), 143),
        (BrokenPipeError(), 0),
    ],
)
def test_exit_codes(
    error: BaseException, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(**_options: object) -> None:
        raise error

    monkeypatch.setattr(pypod, "connect", lambda *_: None)
    monkeypatch.setattr(pypod, "sweep", fail)
    assert main(["sweep"]) == code
    said = capsys.readouterr().err
    assert "Traceback" not in said
    assert not isinstance(error, pypod.PypodError) or said.startswith("pypod: cannot ")


@pytest.mark.parametrize(("output", "code"), [("/dev/full", 1), (None, 0)], ids=["full", "closed"])
def test_an_output_that_takes_nothing_is_no_fault_of_ours(
    output: str | None, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(pypod, "connect", lambda *_: None)
    monkeypatch.setattr(pypod, "list", lambda *_, **__: [])
    with contextlib.ExitStack() as stack:
        taker = stack.enter_context(Path(output).open("w")) if output else None
        monkeypatch.setattr(sys, "stdout", taker)
        assert main(["ps", "-o", "json"]) == code
        monkeypatch.undo()
    said = capsys.readouterr().err
    assert said == ("pypod: cannot write the output: No space left on device\n" if output else "")


# --- tables ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (-3, "0s"), (8, "8s"), (119, "119s"), (120, "2m"), (330, "5m30s"), (599, "9m59s"), (725, "12m"),
        (3 * 3600, "3h"), (12000, "3h20m"), (9 * 3600 + 60, "9h"), (51 * 3600, "2d3h"), (12 * 86400 + 9, "12d"),
    ],
)  # fmt: skip
def test_ages_are_kubectls(value: float, text: str) -> None:
    assert layout.age(value) == text


def _pod(name: str = "shop", **changes: Any) -> Any:
    spec = PodSpec(
        name=name, containers=(Container("web", "nginx:1", ports=[80]), Container("job", "busybox:1"))
    )
    statuses = (
        ContainerStatus(
            "web", Running(1000.0), Terminated(1, "Error", "", 990.0, 999.0), True, 2, "nginx:1", "f" * 64
        ),
        ContainerStatus("job", Waiting("CrashLoopBackOff", "back-off 2s"), None, False, 1, "busybox:1", ""),
    )
    status = PodStatus(
        Phase.RUNNING, "10.214.0.2", 1000.0, {"Ready": Condition(False, "ContainersNotReady")}, statuses
    )
    return SimpleNamespace(
        name=name,
        namespace="default",
        uid="u-1",
        spec=spec,
        status=changes.get("status", status),
        expires_at=changes.get("expires_at"),
    )


def test_the_table_is_kubectls() -> None:
    head, rows = ps.columns(
        [_pod(), _pod("a-longer-name", status=PodStatus(Phase.PENDING))], 1090.0, namespaces=False, wide=False
    )
    assert layout.table(head, rows).splitlines() == [
        "NAME            READY   STATUS             RESTARTS      AGE         IP",
        "shop            1/2     CrashLoopBackOff   3 (91s ago)   90s         10.214.0.2",
        "a-longer-name   0/2     Pending            0             <unknown>   <none>",
    ]


def test_a_time_to_live_adds_a_column_with_what_is_left_of_it() -> None:
    pods = [_pod(expires_at=1090.0 + 1740), _pod("stays")]
    head, rows = ps.columns(pods, 1090.0, namespaces=False, wide=False)
    assert [line[-1] for line in (head, *rows)] == ["TTL", "29m", "<none>"]
    metadata = tables.pod_list(pods)["items"][0]["metadata"]
    assert metadata["expirationTimestamp"] == "1970-01-01T00:47:10Z"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--ttl", "5m"], "--ttl takes -d: a pod in the foreground ends with this command"),
        (["-d", "--ttl", "0s"], "--ttl takes a time above 0, and a hundred years at most"),
        (["-d", "--ttl", "99999999d"], "--ttl takes a time above 0, and a hundred years at most"),
    ],
)
def test_a_time_to_live_is_of_a_detached_pod(
    words: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["up", "-f", "nowhere.yaml", *words]) == 2
    assert says in capsys.readouterr().err


def test_a_trace_without_a_name_is_refused_before_anything_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As of a variable that is not set: ``--trace "$TRACE"``."""
    manifest = tmp_path / "pod.yaml"
    manifest.write_text(Pod("shop", containers=[Container("web", "app:1")]).to_manifest())
    monkeypatch.setattr(common, "engine", lambda _: pytest.fail("an engine is asked"))
    assert main(["up", "-f", str(manifest), "--trace", ""]) == 2
    assert "cannot write the trace to ''" in capsys.readouterr().err


def test_wide_and_all_namespaces_add_columns() -> None:
    head, rows = ps.columns([_pod()], 1090.0, namespaces=True, wide=True)
    assert head[0] == "NAMESPACE"
    assert head[-3:] == ["CONTAINERS", "IMAGES", "UID"]
    assert rows[0][0] == "default"
    assert rows[0][-3:] == ["web,job", "nginx:1,busybox:1", "u-1"]


def test_json_is_shaped_like_a_pod_list() -> None:
    listed = json.loads(json.dumps(tables.pod_list([_pod()])))
    assert (listed["apiVersion"], listed["kind"]) == ("v1", "PodList")
    item = listed["items"][0]
    assert item["metadata"]["name"] == "shop"
    assert item["spec"]["containers"][0]["ports"] == [{"containerPort": 80, "protocol": "TCP"}]
    status = item["status"]
    assert (status["phase"], status["podIP"], status["startTime"]) == (
        "Running",
        "10.214.0.2",
        "1970-01-01T00:16:40Z",
    )
    assert status["conditions"] == [{"type": "Ready", "status": "False", "reason": "ContainersNotReady"}]
    web, job = status["containerStatuses"]
    assert web["state"] == {"running": {"startedAt": "1970-01-01T00:16:40Z"}}
    ended = {
        "exitCode": 1,
        "reason": "Error",
        "startedAt": "1970-01-01T00:16:30Z",
        "finishedAt": "1970-01-01T00:16:39Z",
    }
    assert web["lastState"] == {"terminated": ended}
    assert job["state"]["waiting"]["reason"] == "CrashLoopBackOff"


def test_sidecars_count_as_containers_and_init_containers_do_not() -> None:
    sidecar = Container("proxy", "envoy:1", restart_policy="Always")
    spec = PodSpec(
        "shop", (Container("web", "nginx:1"),), init_containers=(Container("init", "busybox:1"), sidecar)
    )
    status = PodStatus(
        Phase.RUNNING,
        init_container_statuses=(
            ContainerStatus(
                "init", Terminated(0, "Completed"), None, True, 0, "busybox:1", "a", kind=Kind.INIT
            ),
            ContainerStatus("proxy", Running(1.0), None, True, 0, "envoy:1", "b", True, kind=Kind.SIDECAR),
        ),
        container_statuses=(
            ContainerStatus("web", Waiting("PodInitializing"), None, False, 0, "nginx:1", ""),
        ),
        qos_class="BestEffort",
    )
    pod = _pod(status=status)
    pod.spec = spec
    _, rows = ps.columns([pod], 2.0, namespaces=False, wide=True)
    assert rows[0][1] == "1/2"
    assert rows[0][6] == "init,proxy,web"
    item = tables.pod_json(pod)
    assert [each["name"] for each in item["status"]["initContainerStatuses"]] == ["init", "proxy"]
    assert [each.get("restartPolicy") for each in item["spec"]["initContainers"]] == [None, "Always"]
    assert item["status"]["qosClass"] == "BestEffort"


def test_selectors() -> None:
    assert ps.selector("app=web,tier==front") == {"app": "web", "tier": "front"}
    assert ps.selector("") is None
    with pytest.raises(common.UsageError):
        ps.selector("app!=web")


# --- doctor ----------------------------------------------------------------------------------------------------------


def _info(**changes: Any) -> EngineInfo:
    values: dict[str, Any] = {
        "id": "x", "name": "vm", "version": "20.10.24", "api_version": "1.41", "os": "linux", "architecture": "x86_64",
        "kernel": "6.1", "cpus": 2, "memory": 2**31, "cgroup_version": "2", "live_restore": False, "system_time": 0.0,
    }  # fmt: skip
    return EngineInfo(**(values | changes))


def test_doctor_finds_nothing_wrong_with_a_good_engine() -> None:
    marks = {finding.what: finding.mark for finding in doctor.about_engine("unix:///x", _info())}
    assert doctor.Mark.BAD not in marks.values()


@pytest.mark.parametrize(
    ("changes", "what", "mark"),
    [
        ({"api_version": "1.40"}, "API", doctor.Mark.BAD),
        ({"os": "windows"}, "system", doctor.Mark.BAD),
        ({"architecture": "vax"}, "pause image", doctor.Mark.BAD),
        ({"live_restore": True}, "live-restore", doctor.Mark.WARNING),
        ({"product": "Podman"}, "product", doctor.Mark.WARNING),
    ],
)
def test_doctor_says_what_is_wrong(changes: dict[str, Any], what: str, mark: doctor.Mark) -> None:
    marks = {finding.what: finding.mark for finding in doctor.about_engine("unix:///x", _info(**changes))}
    assert marks[what] is mark


def test_doctor_says_where_there_is_no_place_for_a_lock(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    found = doctor._background(FakeEngine())
    assert found.mark is doctor.Mark.WARNING
    assert "there is no place for its lock: [Errno" in found.text


# --- the tour --------------------------------------------------------------------------------------------------------


def test_there_are_fourteen_claims() -> None:
    assert [claim.number for claim in demo.selected("")] == list(range(1, 15))
    assert [claim.number for claim in demo.selected("7, 3,7")] == [3, 7]
    assert len(CLAIMS) == 14


def test_an_error_disproves_a_claim() -> None:
    def fail(_tour: Tour) -> bool:
        raise PodNotFoundError("cannot find pod", pod="x")

    tour = Tour(engine=None, image="busybox")  # type: ignore[arg-type]
    assert Claim(1, "t", "e", fail).run(tour) == Evidence((), ("cannot find pod",), ok=False)


@pytest.mark.parametrize(
    ("codes", "asked"),
    [([0], 1), ([1, 1, 0], 3), ([127], 1), ([None], 1), ([1] * 400, 300)],
    ids=["begun", "begins", "no such program", "ended", "never"],
)
def test_a_claim_waits_until_a_program_has_begun(
    monkeypatch: pytest.MonkeyPatch, codes: list[int | None], asked: int
) -> None:
    answers, now = iter(codes), [0.0]

    def execute(_command: list[str], *, container: str, timeout: float) -> SimpleNamespace:
        assert (container, timeout > 0) == ("worker", True)
        if (code := next(answers)) is None:
            raise PodNotFoundError("cannot find container", pod="x")
        return SimpleNamespace(exit_code=code)

    def sleep(seconds: float) -> None:
        now[0] += seconds

    monkeypatch.setattr("pypod.cli.tour.time", SimpleNamespace(monotonic=lambda: now[0], sleep=sleep))
    tour = Tour(engine=None, image="busybox")  # type: ignore[arg-type]
    tour.pods["a"] = SimpleNamespace(exec=execute)  # type: ignore[assignment]
    tour.await_begun("a/worker", "pidof sleep")
    left = len(list(answers))
    assert len(codes) - left == pytest.approx(asked, rel=0.01)
    assert tour.commands == []  # it proves nothing


IFACE = "7: eth0 inet 10.214.0.2/20 brd 10.214.15.255 scope global eth0\n02:42:0a\nnet:[4026532]\n"
SEM = "       key      semid perms      nsems   uid   gid  cuid  cgid      otime      ctime\n"
MINE = SEM + "1095648583          0   777          2     0     0     0     0 1795471767 1795471766\n"
LOG = "[::ffff:10.214.0.3]:47870: url:/greet\n[::ffff:10.214.0.3]:47870: response:200\n"
PS_ALL = "PID   COMMAND\n    1 /pause\n    7 httpd -f -p 8080\n   12 sleep 3600\n"
PS_OWN = "PID   COMMAND\n    1 sleep 3600\n    9 ps -o pid,args\n"
BEFORE = {"web": Life(10.0, 0), "worker": Life(10.5, 0)}
AFTER = {"web": Life(10.0, 0), "worker": Life(20.0, 1)}
RUNNING = {"pause": "running", "one": "running", "two": "running"}
WORDS = {"a": "alpha", "b": "beta"}
HOST_IFACE = IFACE.replace("10.214.0.2", "172.17.0.9")
IN_USE = "httpd: bind: Address already in use"
NO_FILE = "cat: can't open '/f': No such file or directory"

PROOFS: dict[str, bool] = {
    "1": judge.lives_as_one(RUNNING, ["other"], 2),
    "2": judge.same_interface([IFACE, IFACE], "10.214.0.2"),
    "3": judge.answers("hello\n", "hello"),
    "4": judge.address_in_use(1, IN_USE),
    "5": judge.one_hostname(["shop\n", "shop\n"], "shop"),
    "6": judge.ipc_shared(MINE, MINE + "w-1\nroot: w-1\n", SEM + "cat: can't open", "w-1"),
    "7 list": judge.sees_processes(PS_ALL, ("httpd -f", "sleep 3600")),
    "7 pause": judge.pause_is_first("pause\n"),
    "7 orphan": judge.orphan_reaped("PPid:\t1\ngone\n"),
    "8": judge.sees_only_own(PS_OWN, "sleep 3600", ["httpd"]),
    "9": judge.separate_files("mine\n", 1, NO_FILE, "mine"),
    "10": judge.size_enforced(1, "dd: error writing '/c/big': No space left on device"),
    "12": judge.source_is(LOG, "greet", "10.214.0.3"),
    "13": judge.restarted_alone(BEFORE, AFTER, "worker"),
    "13 logs": judge.own_streams({"a": "alpha\n", "b": "beta\n"}, WORDS),
    "14": judge.collected("x\n[::1]:5: url:/order\n", "[::1]:5: url:/order\n", "order"),
}

SABOTAGED: dict[str, bool] = {
    "1 a member is left": judge.lives_as_one(RUNNING, ["two"], 2),
    "1 a member did not run": judge.lives_as_one({**RUNNING, "two": "exited"}, [], 2),
    "1 not listed": judge.lives_as_one({"pause": "running"}, [], 2),
    "2 separate networks": judge.same_interface([IFACE, HOST_IFACE], "10.214.0.2"),
    "2 another namespace": judge.same_interface([IFACE, IFACE.replace("4026532", "4026533")], "10.214.0.2"),
    "2 not the pod's address": judge.same_interface([HOST_IFACE, HOST_IFACE], "10.214.0.2"),
    "2 only one looked": judge.same_interface([IFACE], "10.214.0.2"),
    "2 nothing seen": judge.same_interface(["", ""], "10.214.0.2"),
    "3 refused": judge.answers("wget: can't connect to remote host: Connection refused", "hello"),
    "3 somebody else": judge.answers("hello from b", "hello"),
    "4 second bind worked": judge.address_in_use(0, ""),
    "4 stopped by time-out": judge.address_in_use(143, ""),
    "4 not there": judge.address_in_use(127, "sh: httpd: not found"),
    "5 own hostnames": judge.one_hostname(["shop", "3f2a"], "shop"),
    "5 same but wrong": judge.one_hostname(["vm", "vm"], "shop"),
    "6 private IPC": judge.ipc_shared(MINE, SEM, SEM, "w-1"),
    "6 host IPC": judge.ipc_shared(MINE, MINE + "w-1 w-1", MINE + "w-1 w-1", "w-1"),
    "6 semaphores but no memory": judge.ipc_shared(MINE, MINE, SEM, "w-1"),
    "6 one kind of memory only": judge.ipc_shared(MINE, MINE + "w-1", SEM, "w-1"),
    "6 nothing made": judge.ipc_shared(SEM, SEM + "w-1 w-1", SEM, "w-1"),
    "7 private PIDs": judge.sees_processes(PS_OWN, ("httpd -f", "sleep 3600")),
    "7 sleep as PID 1": judge.pause_is_first("sleep\n"),
    "7 zombie": judge.orphan_reaped("PPid:\t1\nState:\tZ (zombie)\n"),
    "7 another parent": judge.orphan_reaped("PPid:\t12\ngone\n"),
    "7 never there": judge.orphan_reaped("gone\n"),
    "8 shared PIDs": judge.sees_only_own(PS_ALL, "sleep 3600", ["httpd"]),
    "8 nothing seen": judge.sees_only_own("", "sleep 3600", ["httpd"]),
    "9 same file system": judge.separate_files("mine\n", 0, "mine\n", "mine"),
    "9 not written": judge.separate_files("", 1, NO_FILE, "mine"),
    "9 no cat": judge.separate_files("mine\n", 127, "sh: cat: not found", "mine"),
    "10 no limit": judge.size_enforced(0, "2097152 bytes copied"),
    "10 other failure": judge.size_enforced(1, "dd: can't open '/c/big': Permission denied"),
    "12 NAT": judge.source_is(LOG.replace("0.3", "0.1"), "greet", "10.214.0.3"),
    "12 no request": judge.source_is("", "greet", "10.214.0.3"),
    "12 a longer address": judge.source_is(LOG.replace("0.3]", "0.33]"), "greet", "10.214.0.3"),
    "13 not restarted": judge.restarted_alone(BEFORE, BEFORE, "worker"),
    "13 all restarted": judge.restarted_alone(BEFORE, {**AFTER, "web": Life(20.0, 1)}, "worker"),
    "13 another is gone": judge.restarted_alone(BEFORE, {"worker": AFTER["worker"]}, "worker"),
    "13 one log for all": judge.own_streams({"a": "alpha\nbeta", "b": "alpha\nbeta"}, WORDS),
    "13 empty log": judge.own_streams({"a": "alpha", "b": ""}, WORDS),
    "14 no volume": judge.collected("collector starts\n", "[::1]:5: url:/order\n", "order"),
    "14 nothing written": judge.collected("collector starts\n", "", "order"),
}  # fmt: skip


@pytest.mark.parametrize("name", PROOFS)
def test_a_judge_accepts_what_a_pod_shows(name: str) -> None:
    assert PROOFS[name] is True


@pytest.mark.parametrize("name", SABOTAGED)
def test_a_judge_rejects_what_a_sabotaged_pod_shows(name: str) -> None:
    assert SABOTAGED[name] is False


def test_missing_programs_are_named() -> None:
    assert judge.missing_programs("sh: httpd: not found\nok\nsh: wget: not found") == ["httpd", "wget"]


# --- its image -------------------------------------------------------------------------------------------------------


def test_images_that_look_like_busybox_come_first() -> None:
    known = ["nginx:1", "alpine:3", "x/mybusybox:2", "busybox@sha256:0", "reg:5000/busybox:9"]
    assert demo_image.likely(known) == ["reg:5000/busybox:9", "alpine:3", "x/mybusybox:2"]


def _elf(kind: int) -> bytes:
    header = b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HHIQQQIHHH", 2, 62, 1, 0, 64, 0, 0, 64, 56, 1)
    return header + bytes(6) + struct.pack("<I", kind) + bytes(60)


def test_only_a_static_program_will_do() -> None:
    assert demo_image.static_machine(_elf(1)) == "amd64"
    assert demo_image.static_machine(_elf(3)) is None  # PT_INTERP: dynamic
    assert demo_image.static_machine(b"#!/bin/sh\n") is None
    assert demo_image.static_machine(_elf(1)[:66]) is None


def test_the_built_archive_is_deterministic_and_whole() -> None:
    archives = [
        demo_image.archive(b"program", ["sh", "ls", "busybox"], "amd64", "pypod/demo-busybox:1") for _ in "ab"
    ]
    assert archives[0] == archives[1]
    with tarfile.open(fileobj=BytesIO(archives[0])) as outer:
        manifest = json.loads(_read(outer, "manifest.json"))[0]
        config = json.loads(_read(outer, manifest["Config"]))
        layer = _read(outer, manifest["Layers"][0])
    assert manifest["RepoTags"] == ["pypod/demo-busybox:1"]
    assert config["architecture"] == "amd64"
    with tarfile.open(fileobj=BytesIO(layer)) as inner:
        assert inner.getmember("bin/sh").linkname == "busybox"
        assert _read(inner, "bin/busybox") == b"program"


def _read(tar: tarfile.TarFile, name: str) -> bytes:
    file = tar.extractfile(name)
    assert file is not None
    return file.read()
