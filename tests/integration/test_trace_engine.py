"""Where the start-up time of a real pod goes: what is recorded fits what the engine says, and the file is a valid one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pypod
from pypod import Container, Pod, Probe, Trace
from pypod.engine.api import Engine
from tests.chrome_format import broken_rules
from tests.images import BUSYBOX
from tests.integration.hearing import Told, shell

DELAY = 0.2
READY = Probe.exec(["test", "-e", "/tmp/ready"], period_seconds=0.2)
MANIFEST = """
apiVersion: v1
kind: Pod
metadata: {{name: {name}, namespace: {namespace}}}
spec:
  restartPolicy: Never
  terminationGracePeriodSeconds: 0
  containers:
  - {{name: web, image: {image}, imagePullPolicy: Never, command: [sleep, "0.3"]}}
"""


def command(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pypod", *words], capture_output=True, text=True, timeout=60, check=False
    )


def spans(trace: Trace, lane: str) -> dict[str, tuple[float, float]]:
    return {span.name: (span.began, span.ended) for span in trace.spans if span.lane == lane}


def test_what_is_recorded_is_what_the_engine_did(engine: Engine, namespace: str, tmp_path: Path) -> None:
    told = Told(tmp_path)
    ready = Probe.exec(["grep", "ready", "/tell/all"], period_seconds=0.2)
    web = shell("web", f"sleep {DELAY}; tell ready; exec sleep 1000", readiness_probe=ready)
    log = Container("log", BUSYBOX, command=["sleep", "1000"])
    with Pod(
        "traced",
        containers=[web, log],
        volumes=[told.volume],
        namespace=namespace,
        termination_grace_period_seconds=0,
        trace=True,
        engine=engine,
    ) as pod:
        recorded = pod.trace()
        hindsight = pypod.get("traced", namespace, engine=engine).trace()
        status = pod.status.container("web")
    assert (recorded.source, hindsight.source) == ("recorded", "recorded")  # it is this process' own
    sandbox, mine = spans(recorded, "(sandbox)"), spans(recorded, "web")
    assert (
        sandbox["create pause"][1]
        <= sandbox["start pause"][0]
        < sandbox["start pause"][1]
        <= mine["start"][0]
    )
    assert mine["start"][0] <= getattr(status.state, "started_at", 0.0) <= mine["start"][1]
    probe = mine["readiness probe"]
    assert probe[0] == mine["start"][1]
    # A file's times are those of the kernel's last tick.
    assert probe[1] >= (tmp_path / "all").stat().st_mtime, "it lasts until the container is ready"
    whole = spans(recorded, "(pypod)")["start"]
    assert all(whole[0] <= span.began <= span.ended <= whole[1] for span in recorded.spans)
    after = pod.trace()
    assert "stop" in spans(after, "(pypod)")
    assert len(spans(after, "(removal)")) >= 4
    assert broken_rules(json.dumps(after.to_chrome())) == []


def test_another_process_tells_what_the_engine_and_the_journal_know(
    engine: Engine, namespace: str, tmp_path: Path
) -> None:
    web = Container(
        "web", BUSYBOX, command=["sh", "-c", "touch /tmp/ready; exec sleep 1000"], readiness_probe=READY
    )
    with Pod(
        "told", containers=[web], namespace=namespace, termination_grace_period_seconds=0, engine=engine
    ) as pod:
        mine = pod.trace()
        done = command("trace", "told", "-n", namespace, "-o", str(tmp_path / "trace.json"))
    assert mine.source == "journal"
    assert list(spans(mine, "web")) == ["create, then start", "readiness probe"]
    assert done.stdout == f"{mine}\n"
    text = (tmp_path / "trace.json").read_text()
    assert broken_rules(text) == []
    assert json.loads(text) == mine.to_chrome()


def test_up_writes_the_file_and_shows_the_timeline(
    docker_engine: Engine, namespace: str, tmp_path: Path
) -> None:
    manifest, target = tmp_path / "pod.yaml", tmp_path / "trace.json"
    manifest.write_text(MANIFEST.format(name="up", namespace=namespace, image=BUSYBOX))
    refused = command("up", "-f", str(manifest), "--trace", str(tmp_path / "nowhere" / "trace.json"))
    assert (refused.returncode, "cannot write the trace to" in refused.stderr) == (2, True)
    done = command("up", "-f", str(manifest), "--trace", str(target))
    assert done.returncode == 0, done.stderr
    assert f"pod {namespace}/up, as recorded:" in done.stderr
    assert "create pause" in done.stderr
    text = target.read_text()
    assert broken_rules(text) == []
    names = {event["name"] for event in json.loads(text)["traceEvents"]}
    assert {"start", "stop", "start pause", "create"} <= names
