"""A pod lives as one unit, its members log and restart on their own; a main container with its sidecar; waiting, stopping."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping
from typing import Any

import docker
import pytest

import pypod
from pypod import Container, Phase, Pod, PodNotRunningError, PodStartError, PodTimeoutError, Volume
from pypod.engine.api import Engine
from pypod.model.life.status import Running
from tests.images import BUSYBOX, NGINX, TOOLS
from tests.integration.conftest import PATIENCE, STAY, HandMade, PodLike, eventually
from tests.integration.life import SERVE

Maker = Callable[[str], HandMade]

TALK = "echo {0} speaks; echo {0} complains >&2; exec sleep {1}"


def states(raw: docker.APIClient, part: str) -> Mapping[str, str]:
    """The containers with this in their name, ID to state, out of an unfiltered list."""
    return {
        found["Id"]: found["State"]
        for found in raw.containers(all=True)
        if any(part in name for name in found["Names"])
    }


class TestClaim01OneUnit:
    @staticmethod
    def check_one_unit(raw: docker.APIClient, part: str, end: Callable[[], None]) -> None:
        """Three containers (two and the pause) are listed and run; then none of them is on the engine."""
        listed = states(raw, part)
        assert list(listed.values()) == ["running"] * 3
        end()
        left = listed.keys() & states(raw, "").keys()
        assert not left, f"{len(left)} are left"

    def test_start_are_listed_and_end_as_one(
        self, engine: Engine, raw: docker.APIClient, namespace: str
    ) -> None:
        members = [Container(name, BUSYBOX, command=STAY) for name in ("a", "b")]
        pod = Pod("unit", containers=members, namespace=namespace, engine=engine)
        with pod:
            assert [found.uid for found in pypod.list(namespace, engine=engine)] == [pod.uid]
            assert all(isinstance(found.state, Running) for found in pod.refresh().container_statuses)
            self.check_one_unit(raw, f"pypod_{namespace}_unit", pod.stop)
        assert pypod.list(namespace, engine=engine) == []

    def test_a_pod_that_cannot_start_whole_does_not_start_at_all(
        self, engine: Engine, raw: docker.APIClient, namespace: str
    ) -> None:
        members = [
            Container("good", BUSYBOX, command=STAY),
            Container("bad", BUSYBOX, command=["no-such-thing"]),
        ]
        with pytest.raises(PodStartError) as caught:
            Pod("halves", containers=members, namespace=namespace, engine=engine).start()
        assert caught.value.container == "bad"
        assert not states(raw, namespace)

    def test_control_containers_that_merely_share_a_network(
        self, by_hand: Maker, raw: docker.APIClient
    ) -> None:
        pod = by_hand("loose")
        first = pod.add("first")
        pod.join("a", shared=["network"])
        pod.join("b", shared=["network"])
        assert pod.is_up()
        with pytest.raises(AssertionError, match="2 are left"):
            self.check_one_unit(raw, pod.name, lambda: raw.remove_container(first, force=True))


def talkers(second: str = TALK.format("second", 1002)) -> list[Container]:
    return [
        Container("first", TOOLS, command=["sh", "-c", TALK.format("first", 1001)]),
        Container("second", TOOLS, command=["sh", "-c", second]),
        Container("third", TOOLS, command=STAY),
    ]


class TestClaim13LogsAndRestarts:
    @staticmethod
    def check_own_streams(pod: PodLike) -> None:
        for name in ("first", "second"):
            expected = [f"{name} complains", f"{name} speaks"]
            eventually(lambda name=name: pod.logs(name).count("\n") >= 2, "both lines")  # type: ignore[misc]
            assert sorted(pod.logs(name).splitlines()) == expected, "other lines"
        assert not pod.logs("third"), "other lines"

    @staticmethod
    def check_restarts_alone(pod: Pod, patience: float = PATIENCE, watched: float = 0.5) -> None:
        """The first member is killed: it is restarted, and the others keep their start times, so many seconds."""
        before = starts(pod)
        eventually(
            lambda: pod.exec(["pgrep", "-f", "^sleep 1001"], "third").exit_code == 0, "its program has begun"
        )
        pod.exec(["pkill", "-9", "-f", "^sleep 1001"], "third", check=True)
        with contextlib.suppress(AssertionError):
            eventually(lambda: is_anew(pod, "first", before["first"]), "a restart", timeout=patience)
        assert is_anew(pod, "first", before["first"]), "not restarted"
        settled = time.monotonic() + watched
        while time.monotonic() < settled:
            after = starts(pod)
            assert {name for name in before if before[name] != after[name]} == {"first"}, "others as well"
            time.sleep(0.03)

    def test_each_member_has_its_own_log(self, engine: Engine, namespace: str) -> None:
        with Pod("talk", containers=talkers(), namespace=namespace, engine=engine) as pod:
            self.check_own_streams(pod)

    def test_control_a_member_that_writes_into_anothers(self, engine: Engine, namespace: str) -> None:
        stray = (
            "until p=$(pgrep -o -f '^sleep 1001'); do sleep 0.02; done; "
            f"echo stray > /proc/$p/fd/1; {TALK.format('second', 1002)}"
        )
        with Pod("stray", containers=talkers(stray), namespace=namespace, engine=engine) as pod:
            eventually(lambda: "complains" in pod.logs("second"), "it has written")
            with pytest.raises(AssertionError, match="other lines"):
                self.check_own_streams(pod)

    def test_a_killed_member_is_restarted_alone(self, engine: Engine, namespace: str) -> None:
        with Pod("kill", containers=talkers(), namespace=namespace, engine=engine) as pod:
            self.check_restarts_alone(pod)
            first, *others = pod.refresh().container_statuses
            assert first.restart_count == 1
            assert first.last_state is not None
            assert first.last_state.exit_code == 137
            assert [other.restart_count for other in others] == [0, 0]

    def test_control_never_restarted(self, engine: Engine, namespace: str) -> None:
        with Pod(
            "never", containers=talkers(), namespace=namespace, engine=engine, restart_policy="Never"
        ) as pod:
            assert all(found.ready for found in pod.status.container_statuses)
            with pytest.raises(AssertionError, match="not restarted"):
                self.check_restarts_alone(pod)

    def test_control_a_member_that_goes_with_it(self, engine: Engine, namespace: str) -> None:
        bound = (
            "until p=$(pgrep -o -f '^sleep 1001'); do sleep 0.02; done; echo bound; "
            "while kill -0 $p 2>/dev/null; do sleep 0.02; done"
        )
        with Pod("bound", containers=talkers(bound), namespace=namespace, engine=engine) as pod:
            eventually(lambda: "bound" in pod.logs("second"), "it is bound")
            with pytest.raises(AssertionError, match="others as well"):
                self.check_restarts_alone(pod, watched=30)


def starts(pod: Pod) -> dict[str, object]:
    """Which instance of each member runs, and since when."""
    return {found.name: (found.container_id, found.state) for found in pod.refresh().container_statuses}


def is_anew(pod: Pod, member: str, before: object) -> bool:
    now = starts(pod)[member]
    return now != before and isinstance(now, tuple) and isinstance(now[1], Running)


class TestClaim14Sidecar:
    @staticmethod
    def pod(namespace: str, engine: Engine, *, shared: bool) -> Pod:
        """nginx, and a collector of its access log: the directory is a volume, or each has its own."""
        collector = "mkdir -p /logs; touch /logs/access.log; exec tail -n +1 -F /logs/access.log"
        own = "rm -f /var/log/nginx/*; exec nginx -g 'daemon off;'"
        members = [
            Container(
                "web", NGINX, command=["sh", "-c", own], mounts={"logs": "/var/log/nginx"} if shared else {}
            ),
            Container(
                "collector",
                BUSYBOX,
                command=["sh", "-c", collector],
                mounts={"logs": "/logs"} if shared else {},
            ),
        ]
        volumes = [Volume.empty_dir("logs")] if shared else []
        return Pod("sidecar", containers=members, volumes=volumes, namespace=namespace, engine=engine)

    @staticmethod
    def request(pod: PodLike, path: str) -> str:
        """Ask the server from the collector; answers the line that the server wrote about it."""
        ask = ["wget", "-qO-", f"http://127.0.0.1/{path}"]
        eventually(lambda: "nginx" in pod.exec(ask, "collector").stdout, "the server answers")
        grep = ["grep", "-m1", path, "/var/log/nginx/access.log"]
        eventually(lambda: pod.exec(grep, "web").exit_code == 0, "the server has written")  # after its answer
        written = pod.exec(grep, "web").stdout
        assert "wget" in written.lower() or path in written
        return written

    def check_collected(self, pod: PodLike, patience: float = PATIENCE) -> None:
        line = self.request(pod, "?claim14")
        with contextlib.suppress(AssertionError):
            eventually(lambda: line in pod.logs("collector"), "it is collected", timeout=patience)
        assert line in pod.logs("collector"), "not collected"

    def test_the_collector_sees_what_the_server_wrote(self, engine: Engine, namespace: str) -> None:
        with self.pod(namespace, engine, shared=True) as pod:
            self.check_collected(pod)
            assert "?claim14" not in pod.logs("web")

    def test_control_no_shared_volume(self, engine: Engine, namespace: str) -> None:
        with (
            self.pod(namespace, engine, shared=False) as pod,
            pytest.raises(AssertionError, match="not collected"),
        ):
            self.check_collected(pod, patience=1)


def exit_codes(raw: docker.APIClient, namespace: str) -> dict[str, int]:
    """How containers of a namespace ended, by the engine's own record: they are gone themselves."""
    filters = {"event": "die", "label": f"io.pypod.namespace={namespace}"}
    now = time.time()
    span: dict[str, Any] = {"since": int(now) - 60, "until": now + 0.1}
    died = raw.events(**span, filters=filters, decode=True)
    ends = [event["Actor"]["Attributes"] for event in died]
    return {end.get("io.pypod.container", "pause"): int(end["exitCode"]) for end in ends}


class TestWaitAndStop:
    @staticmethod
    def pod(namespace: str, engine: Engine, script: str, **options: str) -> Pod:
        member = Container("main", BUSYBOX, command=["sh", "-c", script])
        return Pod("life", containers=[member], namespace=namespace, engine=engine, **options)  # type: ignore[arg-type]

    def test_wait_for_each_condition(self, engine: Engine, namespace: str) -> None:
        with self.pod(namespace, engine, SERVE, restart_policy="Never") as pod:
            for condition in ("Started", "Ready", "Running"):
                assert pod.wait(condition, PATIENCE).phase is Phase.RUNNING
            pod.exec(["touch", "/go"])
            assert pod.wait("Succeeded", PATIENCE).phase is Phase.SUCCEEDED
            assert pod.wait("Completed", PATIENCE).phase is Phase.SUCCEEDED
            with pytest.raises(PodNotRunningError):
                pod.wait("Ready", PATIENCE)
        assert pod.wait("Deleted", PATIENCE).reason == "NotFound"

    def test_wait_for_a_failure(self, engine: Engine, namespace: str) -> None:
        with self.pod(namespace, engine, f"{SERVE}; exit 7", restart_policy="Never") as pod:
            pod.exec(["touch", "/go"])
            status = pod.wait("Failed", PATIENCE)
            state = status.container_statuses[0].state
            assert getattr(state, "exit_code", None) == 7

    def test_wait_gives_up_in_time(self, engine: Engine, namespace: str) -> None:
        with self.pod(namespace, engine, "exec sleep 1000") as pod:
            before = time.monotonic()
            with pytest.raises(PodTimeoutError):
                pod.wait("Succeeded", 0.3)
            assert 0.3 <= time.monotonic() - before < PATIENCE
            with pytest.raises(ValueError, match="Sometime"):
                pod.wait("Sometime", 1)

    def test_a_command_that_ends_well_is_no_failure(self, engine: Engine, namespace: str) -> None:
        with self.pod(namespace, engine, "true", restart_policy="Never") as pod:
            assert pod.wait("Succeeded", PATIENCE).phase is Phase.SUCCEEDED

    def test_stop_kills_after_the_grace_what_ignores_the_signal(
        self, engine: Engine, raw: docker.APIClient, namespace: str
    ) -> None:
        script = "trap '' TERM; echo ready; while true; do sleep 0.1; done"
        with self.pod(namespace, engine, script) as pod:
            eventually(lambda: "ready" in pod.logs(), "it is ready")
            # The deletion mark holds whole seconds: the grace is as long wherever in a second it begins.
            eventually(lambda: 0.6 < time.time() % 1 < 0.8, "late in a second")
            before = time.monotonic()
            pod.stop(grace=1)
            assert 0.95 <= time.monotonic() - before < PATIENCE  # of 30 s without this grace
        assert exit_codes(raw, namespace)["main"] == 137

    @pytest.mark.parametrize("share", [True, False])
    def test_stop_lets_a_member_end_by_itself(
        self, engine: Engine, raw: docker.APIClient, namespace: str, share: bool
    ) -> None:
        script = "trap 'echo bye; exit 3' TERM; echo ready; while true; do sleep 0.05; done"
        member = Container("main", BUSYBOX, command=["sh", "-c", script])
        with Pod(
            "polite", containers=[member], namespace=namespace, engine=engine, share_process_namespace=share
        ) as pod:
            stream = pod.logs(follow=True)
            assert next(stream).strip() == "ready"
            before = time.monotonic()
            pod.stop(grace=60)
            assert time.monotonic() - before < 40  # of 60 s
            assert [line.strip() for line in stream] == ["bye"]
        assert exit_codes(raw, namespace)["main"] == 3

    def test_stopping_twice_is_as_once(self, engine: Engine, namespace: str) -> None:
        with self.pod(namespace, engine, "exec sleep 1000") as pod:
            pod.stop()
            pod.stop()
