"""`describe` and `events` of hand-made pods: kubectl's layout, to the blank."""

from __future__ import annotations

import time
from types import MappingProxyType, SimpleNamespace
from typing import Any

import pytest

import pypod
from pypod import Container, ContainerPort, Event, Hook, Lifecycle, Probe, Resources, Volume, VolumeMount
from pypod.cli import events, main
from pypod.describing import layout, pods
from pypod.describing.containers import probe_words
from pypod.errors import PodNotFoundError
from pypod.model.life import history
from pypod.model.life.journal import Entry, Hooked, Probed, Started
from pypod.model.life.members import Kind
from pypod.model.life.status import Condition, ContainerStatus, Phase, PodStatus, Running, Terminated, Waiting
from pypod.model.spec.pod import PodSpec

NOW = 1_000_100.0


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def history_of(*entries: Entry) -> history.History:
    found = history.History()
    for entry in entries:
        found = found.apply(entry)
    return found


SPEC = PodSpec(
    name="shop",
    labels={"app": "shop", "tier": "front"},
    init_containers=(
        Container("migrate", "busybox:1", command=["sh", "-c", "echo\necho done"]),
        Container("proxy", "envoy:1", restart_policy="Always", startup_probe=Probe.tcp_socket(15000)),
    ),
    containers=(
        Container(
            "web",
            "nginx:1",
            args=["-g", "daemon off;"],
            env={"A": "1", "LONGER": "two words"},
            ports=[80, ContainerPort(443, host_port=8443, name="tls")],
            mounts=[VolumeMount("html", "/srv", read_only=True), VolumeMount("cache", "/cache")],
            readiness_probe=Probe.http_get("/healthz", port="tls", scheme="HTTPS", period_seconds=0.5),
            liveness_probe=Probe.exec(["cat", "/ok"]),
            lifecycle=Lifecycle(post_start=Hook.exec(["touch", "/x"]), pre_stop=Hook.sleep(5)),
            resources=Resources(limits={"cpu": "500m", "memory": "64Mi"}, requests={"cpu": 0.25}),
        ),
        Container("job", "busybox:1"),
    ),
    volumes=(
        Volume.empty_dir("html"),
        Volume.empty_dir("cache", medium="Memory", size_limit=1 << 20),
        Volume.host_path("logs", "/var/log", type="DirectoryOrCreate"),
    ),
    active_deadline_seconds=90.0,
)
STATUS = PodStatus(
    Phase.RUNNING,
    "10.214.0.2",
    1_000_000.0,
    MappingProxyType({"Initialized": Condition(True), "Ready": Condition(False, "ContainersNotReady", "unready: [job]")}),
    (
        ContainerStatus("web", Running(1_000_050.0), Terminated(137, "OOMKilled", "", 1_000_010.0, 1_000_040.0), True, 1, "nginx:1", "c" * 12, True),
        ContainerStatus("job", Waiting("CrashLoopBackOff", "back-off 40s", NOW + 12), None, False, 3, "busybox:1", "d" * 12),
    ),
    init_container_statuses=(
        ContainerStatus("migrate", Terminated(0, "Completed", "all\ngood", 1_000_001.0, 1_000_002.0), None, True, 0, "busybox:1", "a" * 12, kind=Kind.INIT),
        ContainerStatus("proxy", Running(1_000_003.0), None, True, 0, "envoy:1", "b" * 12, True, kind=Kind.SIDECAR),
    ),
    ephemeral_container_statuses=(
        ContainerStatus("debugger-x2x4z", Running(1_000_060.0), None, True, 0, "tools:1", "e" * 12),
    ),
    qos_class="Burstable",
)  # fmt: skip
HISTORY = history_of(
    Event(1_000_001.0, "Normal", "Pulled", "Successfully pulled image", "web"),
    Started(1_000_050.0, "web", 1, 1),
    Probed(1_000_090.0, "web", 0, "readiness", passed=True, message="of the instance before"),
    Probed(
        1_000_070.0, "web", 1, "readiness", passed=False, message="HTTP probe failed with\nstatuscode: 503"
    ),
    Started(1_000_003.0, "proxy", 0, 0),
    Probed(1_000_004.0, "proxy", 0, "startup", passed=True, message="<html>"),
    Hooked(1_000_051.0, "web", 1, "postStart", "failed", "exit code 1"),
    Event(1_000_020.0, "Warning", "BackOff", "Back-off restarting failed container", "job"),
    Event(1_000_095.0, "Warning", "BackOff", "Back-off restarting failed container", "job"),
)


def pod(**changes: Any) -> Any:
    values: dict[str, Any] = {
        "name": "shop", "namespace": "default", "uid": "u-1", "spec": SPEC, "status": STATUS, "history": HISTORY,
        "expires_at": None,
    }  # fmt: skip
    made = SimpleNamespace(**(values | changes))
    made.events = made.history.events
    return made


EXPECTED = """\
Name:             shop
Namespace:        default
UID:              u-1
Node:             vm (unix:///docker.sock)
Start Time:       Mon, 12 Jan 1970 13:46:40 +0000
Labels:           app=shop
                  tier=front
Status:           Running
IP:               10.214.0.2
Hostname:         shop
Init Containers:
  migrate:
    Container ID:   docker://aaaaaaaaaaaa
    Image:          busybox:1
    Image ID:       docker://sha256:aaaa
    Port:           <none>
    Host Port:      <none>
    Command:
      sh
      -c
      echo
      echo done
    State:          Terminated
      Reason:       Completed
      Message:      all good
      Exit Code:    0
      Started:      Mon, 12 Jan 1970 13:46:41 +0000
      Finished:     Mon, 12 Jan 1970 13:46:42 +0000
    Ready:          True
    Restart Count:  0
    Environment:    <none>
    Mounts:         <none>
  proxy:
    Container ID:   docker://bbbbbbbbbbbb
    Image:          envoy:1
    Image ID:       docker://sha256:bbbb
    Port:           <none>
    Host Port:      <none>
    State:          Running
      Started:      Mon, 12 Jan 1970 13:46:43 +0000
    Ready:          True
    Restart Count:  0
    Startup:        tcp-socket :15000 delay=0s timeout=1s period=10s #success=1 #failure=3
      Result:       Success for 96s
    Environment:    <none>
    Mounts:         <none>
Containers:
  web:
    Container ID:   docker://cccccccccccc
    Image:          nginx:1
    Image ID:       docker://sha256:cccc
    Ports:          80/TCP, 443/TCP (tls)
    Host Ports:     0/TCP, 8443/TCP
    Args:
      -g
      daemon off;
    State:          Running
      Started:      Mon, 12 Jan 1970 13:47:30 +0000
    Last State:     Terminated
      Reason:       OOMKilled
      Exit Code:    137
      Started:      Mon, 12 Jan 1970 13:46:50 +0000
      Finished:     Mon, 12 Jan 1970 13:47:20 +0000
    Ready:          True
    Restart Count:  1
    Limits:
      cpu:          500m
      memory:       64Mi
    Requests:
      cpu:          250m
      memory:       64Mi
    Liveness:       exec [cat /ok] delay=0s timeout=1s period=10s #success=1 #failure=3
    Readiness:      http-get https://:tls/healthz delay=0s timeout=1s period=0.5s #success=1 #failure=3
      Result:       Failure for 30s: HTTP probe failed with statuscode: 503
    Post Start:     exec [touch /x] (failed: exit code 1)
    Pre Stop:       sleep 5s
    Environment:
      A:       1
      LONGER:  two words
    Mounts:
      /cache from cache (rw)
      /srv from html (ro)
  job:
    Container ID:   docker://dddddddddddd
    Image:          busybox:1
    Image ID:
    Port:           <none>
    Host Port:      <none>
    State:          Waiting
      Reason:       CrashLoopBackOff
      Message:      back-off 40s
      Until:        Mon, 12 Jan 1970 13:48:32 +0000 (in 12s)
    Ready:          False
    Restart Count:  3
    Environment:    <none>
    Mounts:         <none>
Ephemeral Containers:
  debugger-x2x4z:
    Container ID:   docker://eeeeeeeeeeee
    Image:          tools:1
    Image ID:       docker://sha256:eeee
    State:          Running
      Started:      Mon, 12 Jan 1970 13:47:40 +0000
    Ready:          True
    Restart Count:  0
Conditions:
  Type          Status   Reason               Message
  Initialized   True
  Ready         False    ContainersNotReady   unready: [job]
Volumes:
  html:
    Type:          EmptyDir (a temporary directory that shares a pod's lifetime)
    Medium:
    SizeLimit:     <unset>
  cache:
    Type:          EmptyDir (a temporary directory that shares a pod's lifetime)
    Medium:        Memory
    SizeLimit:     1Mi
  logs:
    Type:          HostPath (a path of the engine's host)
    Path:          /var/log
    HostPathType:  DirectoryOrCreate
QoS Class:        Burstable
Restart Policy:   Always
Grace Period:     30s
Active Deadline:  90s
Events:
  Type     Reason   Age               Object         Message
  ----     ------   ---               ------         -------
  Normal   Pulled   99s               container/web  Successfully pulled image
  Warning  BackOff  5s (x2 over 80s)  container/job  Back-off restarting failed container
"""


def image_id(container: str) -> str:
    return "" if container.startswith("d") else f"sha256:{container[:4]}"


def test_the_whole_of_a_pod() -> None:
    lines = pods.lines_of(pod(), "vm (unix:///docker.sock)", NOW, image_id)
    assert "\n".join(lines).splitlines() == EXPECTED.splitlines()


def test_a_pod_of_which_nothing_is_there_yet() -> None:
    bare = pod(
        spec=PodSpec(
            name="shop", containers=(Container("web", "nginx:1"),), network="lab", extra_networks=("a", "bb")
        ),
        status=PodStatus(Phase.PENDING, reason="Why", message="because", extra_ips={"bb": "10.1.0.2"}),
        history=history.History(),
    )
    lines = pods.lines_of(bare, "vm", NOW, image_id)
    assert "Start Time:       <unknown>" in lines
    assert "Labels:           <none>" in lines
    assert "Reason:           Why" in lines
    assert "Message:          because" in lines
    assert "IP:               <none>" in lines
    assert "Network:          lab" in lines
    assert "Extra Networks:   a <none>\n                  bb 10.1.0.2" in lines
    assert "    Container ID:" in lines
    assert "Volumes:          <none>" in lines
    assert lines[-1] == "Events:           <none>"
    assert not any(line.startswith(("Init", "Conditions", "Ephemeral", "Ends")) for line in lines)


def test_when_a_pod_with_a_time_to_live_ends() -> None:
    lines = pods.lines_of(pod(expires_at=NOW + 1740), "vm", NOW, image_id)
    assert "Ends:             Mon, 12 Jan 1970 14:17:20 +0000 (in 29m)" in lines


@pytest.mark.parametrize(
    ("probe", "words"),
    [
        (Probe.http_get("/", port=80), "http-get http://:80/ delay=0s timeout=1s period=10s #success=1 #failure=3"),
        (Probe.http_get("x", port=80, host="::1"), "http-get http://[::1]:80/x delay"),
        (Probe.tcp_socket("db", host="h", initial_delay_seconds=3), "tcp-socket h:db delay=3s timeout=1s"),
        (Probe.grpc(9000, service="s", timeout_seconds=0.2), "grpc <pod>:9000 s delay=0s timeout=0.2s"),
        (Probe.grpc(9000), "grpc <pod>:9000 delay"),
        (Probe.exec(["a", "b"], success_threshold=1, failure_threshold=5), "exec [a b] delay=0s timeout=1s period=10s #success=1 #failure=5"),
    ],
)  # fmt: skip
def test_probes_are_kubectls_lines(probe: Probe, words: str) -> None:
    assert probe_words(probe).startswith(words)


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0"), (1 << 20, "1Mi"), (1536, "1536"), (3 << 30, "3Gi"), (2048, "2Ki")]
)
def test_sizes(count: int, text: str) -> None:
    assert layout.size(count) == text


@pytest.mark.parametrize(("milli", "text"), [(250, "250m"), (2000, "2"), (1500, "1500m"), (0, "0")])
def test_cores(milli: int, text: str) -> None:
    assert layout.cores(milli) == text


def test_describe_asks_the_engine_for_images_and_survives_their_absence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Engine:
        url = "fake://"

        def info(self) -> Any:
            return SimpleNamespace(name="vm")

        def container(self, container: str) -> Any:
            if container.startswith("d"):
                raise pypod.NotFoundError("inspect container", container, "no such container")
            return SimpleNamespace(image="sha256:1" if container.startswith("a") else "some:tag")

        def image(self, reference: str) -> Any:
            return SimpleNamespace(id=f"sha256:{reference}")

    monkeypatch.setattr(pypod, "connect", lambda *_: Engine())
    monkeypatch.setattr(pypod, "get", lambda *_, **__: pod())
    assert main(["describe", "shop"]) == 0
    said = capsys.readouterr().out
    assert "Node:             vm (fake://)\n" in said
    assert said.count("Image ID:       docker://sha256:1\n") == 1
    assert said.count("Image ID:       docker://sha256:some:tag\n") == 3
    assert said.count("Image ID:\n") == 1


# --- events ----------------------------------------------------------------------------------------------------------


def test_events_are_listed_as_kubectl_does() -> None:
    other = pod(
        name="db",
        uid="u-2",
        namespace="prod",
        history=history_of(Event(1_000_050.0, "Normal", "Started", "Sandbox\nstarted")),
    )
    found = events.seen_in([other, pod()])
    assert events.listing(found, NOW, namespaces=False).splitlines() == [
        "LAST SEEN          TYPE      REASON    OBJECT         MESSAGE",
        "99s                Normal    Pulled    pod/shop/web   Successfully pulled image",
        "50s                Normal    Started   pod/db         Sandbox started",
        "5s (x2 over 80s)   Warning   BackOff   pod/shop/job   Back-off restarting failed container",
    ]
    assert events.listing(found, NOW, namespaces=True).splitlines()[2].startswith("prod        50s  ")


def test_rows_that_come_later_stand_under_the_same_head() -> None:
    head = events.listing([], NOW, namespaces=False, least=events.LEAST)
    (seen, *_) = events.seen_in([pod()])
    row = events.listing([seen], NOW, namespaces=False, least=events.LEAST, head=False)
    assert [head.index(word) for word in ("TYPE", "REASON", "OBJECT", "MESSAGE")] == [
        row.index(word) for word in ("Normal", "Pulled", "pod/", "Successfully")
    ]


def test_watching_prints_what_is_new_or_recounted_until_the_pod_is_gone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    first = Event(1.0, "Normal", "Pulled", "an image", "web")
    again = Event(2.0, "Warning", "BackOff", "again", "web")
    looks = [
        history_of(first),
        history_of(first, again),
        history_of(first, again),
        history_of(first, again, again),
    ]

    def get(*_: Any, **__: Any) -> Any:
        if not looks:
            raise PodNotFoundError("cannot find pod", pod="default/shop")
        return pod(history=looks.pop(0))

    monkeypatch.setattr(pypod, "connect", lambda *_: None)
    monkeypatch.setattr(pypod, "get", get)
    monkeypatch.setattr(events, "LOOK_EVERY", 0.0)
    assert main(["events", "shop", "-w"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[:1]] == ["LAST"]
    assert [word for line in lines[1:] for word in ("Pulled", "BackOff") if word in line] == [
        "Pulled",
        "BackOff",
        "BackOff",
    ]
    assert "(x2 over" in lines[-1]


def test_no_events_is_said_on_stderr(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(pypod, "connect", lambda *_: None)
    monkeypatch.setattr(pypod, "list", lambda *_, **__: [])
    assert main(["events"]) == 0
    assert capsys.readouterr() == ("", "No events found in namespace default.\n")
    assert main(["events", "-A"]) == 0
    assert capsys.readouterr() == ("", "No events found.\n")
    assert main(["events", "shop", "-A"]) == 2


def test_the_namespace_that_is_asked_for_is_the_one_that_is_looked_into(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(pypod, "connect", lambda *_: None)

    def listed(namespace: str | None, **_: object) -> list[Any]:
        asked.append(namespace)
        return []

    monkeypatch.setattr(pypod, "list", listed)
    for words in (["events", "-n", "prod"], ["events", "-A"]):
        assert main(words) == 0
    assert asked == ["prod", None]
