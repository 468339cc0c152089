"""Into a pod and out of it: exec, logs, address, and what a container is told to be."""

from __future__ import annotations

import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from pypod import (
    Container,
    ExecError,
    ExecTimeoutError,
    Phase,
    Pod,
    PodNotFoundError,
    PodNotRunningError,
    Volume,
)
from pypod.engine.api import Engine
from tests.images import BUSYBOX, NGINX, REDIS, TOOLS
from tests.integration.conftest import PATIENCE, STAY, eventually, sh

MEGABYTE = bytes(range(256)) * 4096


@pytest.fixture(scope="module")
def pod(engine: Engine, module_namespace: str) -> Iterator[Pod]:
    """Two members that only sleep: for commands."""
    members = [Container("main", TOOLS, command=STAY), Container("side", BUSYBOX, command=STAY)]
    with Pod("use", containers=members, namespace=module_namespace, engine=engine) as made:
        yield made


class TestExec:
    def test_exit_code_and_both_outputs_apart(self, pod: Pod) -> None:
        result = pod.exec(["sh", "-c", "echo out; echo err >&2; exit 42"])
        assert (result.exit_code, result.stdout, result.stderr) == (42, "out\n", "err\n")

    def test_in_the_member_that_is_named(self, pod: Pod) -> None:
        assert pod.exec(["ls", "/usr/bin/python3"]).exit_code == 0
        assert pod.exec(["ls", "/usr/bin/python3"], "side").exit_code == 1
        with pytest.raises(PodNotFoundError, match=r"'nobody'.*main, side"):
            pod.exec(["true"], "nobody")

    def test_no_shell_in_between(self, pod: Pod) -> None:
        assert pod.exec(["printf", "%s|", "a b", "$HOME", "*"]).stdout == "a b|$HOME|*|"
        with pytest.raises(TypeError, match="list of words"):
            pod.exec("echo hello")

    def test_check(self, pod: Pod) -> None:
        assert pod.exec(["true"], check=True).exit_code == 0
        with pytest.raises(ExecError, match="because") as caught:
            pod.exec(["sh", "-c", "echo because >&2; exit 3"], check=True)
        assert caught.value.result.exit_code == 3

    @pytest.mark.parametrize("member", ["main", "side"])
    def test_a_command_that_does_not_exist(self, pod: Pod, member: str) -> None:
        assert pod.exec(["no-such-command"], member).exit_code in (126, 127)

    def test_stdin_of_a_megabyte_comes_back_whole(self, pod: Pod) -> None:
        result = pod.exec(["cat"], stdin=MEGABYTE, timeout=60)
        assert result.exit_code == 0
        assert result.stdout_bytes == MEGABYTE

    def test_stdin_ends(self, pod: Pod) -> None:
        assert pod.exec(["wc", "-c"], stdin="four", timeout=60).stdout.strip() == "4"
        assert pod.exec(["wc", "-c"], stdin="", timeout=60).stdout.strip() == "0"
        assert pod.exec(["wc", "-c"], timeout=60).stdout.strip() == "0"

    def test_stdin_that_is_not_read(self, pod: Pod) -> None:
        assert pod.exec(["true"], stdin=MEGABYTE, timeout=60).exit_code == 0

    def test_much_output(self, pod: Pod) -> None:
        script = "head -c 3000000 /dev/zero; head -c 2000000 /dev/zero >&2"
        result = pod.exec(["sh", "-c", script], timeout=60)
        assert (len(result.stdout_bytes), len(result.stderr_bytes)) == (3_000_000, 2_000_000)

    def test_a_timeout_returns_on_time_with_what_was_written(self, pod: Pod) -> None:
        for seconds in (2, 8, 30):  # on a busy machine the time may be up before a word
            before = time.monotonic()
            with pytest.raises(ExecTimeoutError) as caught:
                pod.exec(["sh", "-c", "echo partly; echo bad >&2; exec sleep 100"], timeout=seconds)
            assert seconds <= time.monotonic() - before < seconds + PATIENCE
            if caught.value.stdout and caught.value.stderr:
                break
        assert (caught.value.stdout, caught.value.stderr) == (b"partly\n", b"bad\n")
        assert isinstance(caught.value, TimeoutError)

    def test_two_hundred_lose_nothing(self, pod: Pod) -> None:
        def echo(number: int) -> tuple[int, str, str]:
            result = pod.exec(["echo", f"number {number}"], "side", timeout=30)
            return result.exit_code, result.stdout, result.stderr

        with ThreadPoolExecutor(8) as pool:
            said = list(pool.map(echo, range(200)))
        assert said == [(0, f"number {number}\n", "") for number in range(200)]

    def test_user_directory_and_environment(self, pod: Pod) -> None:
        script = "id -u; pwd; echo $WORD"
        result = pod.exec(["sh", "-c", script], user="1234", working_dir="/tmp", env={"WORD": "a b"})
        assert result.stdout == "1234\n/tmp\na b\n"

    def test_output_that_is_no_text(self, pod: Pod) -> None:
        result = pod.exec(["printf", r"\377\376"])
        assert result.stdout_bytes == b"\xff\xfe"
        assert result.stdout == "\ufffd\ufffd"

    def test_in_a_member_that_has_ended(self, engine: Engine, namespace: str) -> None:
        members = [
            Container("main", BUSYBOX, command=STAY),
            Container("done", BUSYBOX, command=["sh", "-c", "echo last words"]),
        ]
        with Pod(
            "ended", containers=members, namespace=namespace, engine=engine, restart_policy="Never"
        ) as made:
            eventually(lambda: not made.refresh().container_statuses[1].ready, "it has ended")
            with pytest.raises(PodNotRunningError, match=r"(?s)'done'.*last words"):
                made.exec(["true"], "done")
            assert made.exec(["true"], "main").exit_code == 0

    def test_that_closes_its_outputs_and_goes_on(self, pod: Pod) -> None:
        assert pod.exec(["sh", "-c", "exec >&- 2>&-; sleep 0.5; exit 6"]).exit_code == 6

    def test_after_which_its_container_ends(self, engine: Engine, namespace: str) -> None:
        """The engine may tell how such a command ended, or forget it with its container: then it counts as killed."""
        wait = ["sh", "-c", "until [ -e /go ]; do sleep 0.002; done"]
        members = [Container(f"m{number}", BUSYBOX, command=wait) for number in range(6)]
        with Pod(
            "ends",
            containers=members,
            namespace=namespace,
            engine=engine,
            restart_policy="Never",
            termination_grace_period_seconds=0,
        ) as made:
            for member in members:
                assert made.exec(["touch", "/go"], member.name, timeout=PATIENCE).exit_code in (0, 137)
            assert made.wait("Completed", timeout=PATIENCE).phase is Phase.SUCCEEDED


class TestLogs:
    COUNT = "for i in 1 2 3 4 5; do echo line $i; done; echo bad >&2; echo $((6)) > /dev/null; {}"

    def logging_pod(self, engine: Engine, namespace: str, then: str) -> Pod:
        members = [
            Container("main", BUSYBOX, command=["sh", "-c", self.COUNT.format(then)]),
            Container("quiet", BUSYBOX, command=STAY),
        ]
        return Pod("logs", containers=members, namespace=namespace, engine=engine, restart_policy="Never")

    def test_whole_tail_and_times(self, engine: Engine, namespace: str) -> None:
        with self.logging_pod(engine, namespace, "exec sleep 1000") as made:
            eventually(lambda: made.logs().count("\n") == 6, "all lines")
            assert sorted(made.logs().splitlines()) == ["bad", *(f"line {i}" for i in range(1, 6))]
            assert made.logs("main") == made.logs()
            assert made.logs("quiet") == ""
            assert made.logs(tail=2).splitlines() == made.logs().splitlines()[-2:]
            assert made.logs(tail=0) == ""
            stamped = made.logs(timestamps=True, tail=1)
            assert stamped[:2] == "20"
            assert stamped.split(" ", 1)[1] == made.logs(tail=1)

    def test_since(self, engine: Engine, namespace: str) -> None:
        then = "until [ -e /go ]; do sleep 0.02; done; echo later; exec sleep 1000"
        with self.logging_pod(engine, namespace, then) as made:
            eventually(lambda: made.logs().count("\n") == 6, "all lines")
            moment = time.time()  # a local engine: one clock
            sh(made, "main", "touch /go")
            eventually(lambda: "later" in made.logs(), "the later line")
            assert made.logs(since=moment) == "later\n"
            assert made.logs(since=time.time() + 60) == ""

    def test_follow_ends_with_the_container(self, engine: Engine, namespace: str) -> None:
        then = "until [ -e /go ]; do sleep 0.02; done; echo last"
        with self.logging_pod(engine, namespace, then) as made:
            lines = made.logs(follow=True)
            first = [next(lines) for _ in range(6)]
            assert "line 1" in [line.rstrip("\n") for line in first]
            made.exec(["touch", "/go"], "main")
            assert [line.rstrip("\n") for line in lines] == ["last"]


PAGE = "<p>the page</p>\n" * 2000


@pytest.fixture(scope="module", params=["direct", "relay"])
def web(request: pytest.FixtureRequest, engine: Engine, module_namespace: str) -> Iterator[Pod]:
    members = [
        Container("web", NGINX, ports=[80], mounts={"html": "/usr/share/nginx/html"}),
        Container("writer", BUSYBOX, command=STAY, mounts={"html": "/html"}),
    ]
    with Pod(
        f"page-{request.param}",
        containers=members,
        volumes=[Volume.empty_dir("html")],
        namespace=module_namespace,
        engine=engine,
        reach=request.param,
    ) as made:
        made.exec(["sh", "-c", "cat > /html/index.html"], "writer", stdin=PAGE, check=True)
        eventually(
            lambda: made.exec(["wget", "-qO-", "http://127.0.0.1/"], "writer").exit_code == 0, "serves"
        )
        yield made


class TestAddress:
    @staticmethod
    def fetch(made: Pod) -> str:
        host, port = made.address(80)
        with urllib.request.urlopen(f"http://{host}:{port}/", timeout=60) as answer:
            text: str = answer.read().decode()
            return text

    def test_the_page(self, web: Pod) -> None:
        assert self.fetch(web) == PAGE
        assert (web.address(80)[0] == web.ip) is web.name.endswith("direct")

    def test_twenty_at_once(self, web: Pod) -> None:
        with ThreadPoolExecutor(20) as pool:
            pages = list(pool.map(self.fetch, [web] * 20))
        assert pages == [PAGE] * 20

    def test_nobody_listens(self, web: Pod) -> None:
        host, port = web.address(81)
        with pytest.raises(OSError, match=r"refused|reset|closed"):  # noqa: SIM117
            with urllib.request.urlopen(f"http://{host}:{port}/", timeout=10):
                pass


def answered(host: str, port: int) -> bytes:
    """What a server says; nothing where none listens yet."""
    try:
        with urllib.request.urlopen(f"http://{host}:{port}/", timeout=10) as answer:
            text: bytes = answer.read()
            return text
    except OSError:
        return b""


class TestShop:
    """The pod of the first page of the documentation."""

    def test_a_web_server_and_a_cache(self, engine: Engine, namespace: str) -> None:
        members = [
            Container("web", NGINX, ports=[80], mounts={"html": "/usr/share/nginx/html"}),
            Container("cache", REDIS),
        ]
        volumes = [Volume.empty_dir("html")]
        with Pod("shop", containers=members, volumes=volumes, namespace=namespace, engine=engine) as made:
            sh(made, "web", "echo hello > /usr/share/nginx/html/index.html")
            ping = ["redis-cli", "-p", "6379", "ping"]
            eventually(lambda: made.exec(ping, "cache").stdout == "PONG\n", "redis answers")
            assert made.exec(["redis-cli", "set", "word", "kept"], "cache").stdout == "OK\n"
            assert made.exec(["redis-cli", "get", "word"], "cache").stdout == "kept\n"
            host, port = made.address(80)
            eventually(lambda: answered(host, port) == b"hello\n", "the server answers")
            eventually(lambda: "GET / HTTP" in made.logs("web"), "the access log")
            assert made.status.phase.value == "Running"
            assert made.refresh().conditions["Ready"].status


class TestContainerOptions:
    def test_what_a_container_is_told_to_be(self, engine: Engine, namespace: str) -> None:
        script = 'echo "$WORD|$EMPTY|${PATH:+path}"; pwd; id -u; id -g'
        members = [
            Container("command", BUSYBOX, command=["echo", "a b"], args=["$HOME", "c"]),
            Container("args", BUSYBOX, args=["echo", "only args"]),
            Container(
                "all",
                BUSYBOX,
                command=["sh", "-c", script],
                env={"WORD": "a=b c\n'd'", "EMPTY": ""},
                working_dir="/tmp",
                user="1000:2000",
            ),
        ]
        with Pod(
            "options", containers=members, namespace=namespace, engine=engine, restart_policy="Never"
        ) as made:
            made.wait("Completed", 60)
            assert made.logs("command") == "a b $HOME c\n"
            assert made.logs("args") == "only args\n"
            assert made.logs("all") == "a=b c\n'd'||path\n/tmp\n1000\n2000\n"

    def test_the_images_own_where_nothing_is_said(self, engine: Engine, namespace: str) -> None:
        with Pod("plain", containers=[Container("cache", REDIS)], namespace=namespace, engine=engine) as made:
            assert sh(made, "cache", "pwd").strip() == "/data"
            eventually(lambda: "redis-server" in sh(made, "cache", "ps -o args"), "it has begun")
