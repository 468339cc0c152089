"""What is written of an action: entries, events in Kubernetes' words, and what ends a start."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pypod.engine import recording
from pypod.engine.channel import Channel
from pypod.engine.executor import ActionResult
from pypod.engine.recording import ALIKE_AT_ONCE, REPEATED_AT_ONCE, REPEATED_EVERY, Recorder
from pypod.errors import (
    ConflictError,
    EngineError,
    EngineUnavailableError,
    ImagePullError,
    NotFoundError,
    PypodError,
)
from pypod.model import naming
from pypod.model.life import plan
from pypod.model.life.history import History
from pypod.model.life.journal import ContainerFailed, Event
from pypod.model.wiring.requests import ContainerRequest
from pypod.testing import FakeClock
from tests.unit.rig import SPEC

NOW = 100.0
REFUSED = EngineError("create container", "web", "bad mount", status=400)
CONFLICT = ConflictError("create container", "web", "taken", status=409)
NO_IMAGE = NotFoundError("create container", "web", "No such image: app:1", status=404)
NO_PAUSE = NotFoundError("create container", "web", "No such container: 4711", status=404)
AWAY = EngineUnavailableError("create container", "web", "connection refused")
NO_PULL = ImagePullError("pull image", "app:1", "no route to registry")
BAD_NAME = ImagePullError("pull image", "App", "invalid reference format")
NOT_FOUND = EngineError(
    "start container", "web", 'exec: "x": executable file not found in $PATH: unknown', status=400
)
PORT = EngineError("start container", "pause", "port is already allocated", status=500)


def create(container: str, attempt: int = 0) -> plan.CreateContainer:
    request = ContainerRequest(name="n", image="app:1", labels={naming.ATTEMPT: str(attempt)})
    return plan.CreateContainer(request, container, "")


def start(container: str) -> plan.StartContainer:
    return plan.StartContainer("n", container, "", attempt=3, backoff_step=2, sandbox=1)


def kill(signal: str, container: str = "web") -> plan.KillContainer:
    return plan.KillContainer("id", "n", signal, "", container, 3)


class Rig:
    def __init__(self) -> None:
        self.channel, self.clock = Channel(), FakeClock(NOW)
        self.recorder = Recorder(SPEC, self.channel, self.clock)

    @property
    def history(self) -> History:
        return self.channel.history

    def record(self, action: plan.Action, error: PypodError | None = None) -> list[str]:
        """The reasons of the events that are written."""
        self.recorder.record(ActionResult(action, error))
        return [f"{event.type} {event.reason}" for event in self.history.events]


@pytest.fixture
def rig() -> Rig:
    return Rig()


@pytest.mark.parametrize(
    ("action", "error", "expected"),
    [
        (plan.PullImage("app:1", ""), None, []),
        (create(""), None, []),
        (create("", attempt=1), None, []),
        (create("", attempt=1), REFUSED, []),
        (start(""), None, ["Normal SandboxChanged", "Normal Started"]),
        (replace(start(""), attempt=0), None, ["Normal Started"]),
        (start(""), PORT, []),
        (create("web"), None, ["Normal Created"]),
        (create("web"), REFUSED, ["Warning Failed"]),
        (create("web"), CONFLICT, []),
        (create("web"), NO_IMAGE, ["Warning Failed"]),
        (create("web"), NO_PAUSE, []),
        (create("web"), AWAY, []),
        (start("web"), None, ["Normal Started"]),
        (start("web"), NOT_FOUND, ["Warning Failed"]),
        (start("web"), CONFLICT, []),
        (start("web"), NO_PAUSE, []),
        (start("web"), AWAY, []),
        (kill("SIGTERM"), None, []),
        (plan.RemoveContainer("id", "n", ""), REFUSED, []),
    ],
)
def test_which_events_are_written(
    rig: Rig, action: plan.Action, error: PypodError | None, expected: list[str]
) -> None:
    assert rig.record(action, error) == expected
    assert rig.recorder.last_error is error


@pytest.mark.parametrize(
    ("action", "error", "reason"),
    [
        (create("web"), REFUSED, "CreateContainerError"),
        (create("web"), NO_IMAGE, "ErrImagePull"),
        (
            create("web"),
            EngineError("create container", "web", "invalid reference format"),
            "InvalidImageName",
        ),
        (create("web"), CONFLICT, ""),
        (create("web"), NO_PAUSE, ""),
        (create("web"), AWAY, ""),
    ],
)
def test_what_stands_in_a_containers_way(
    rig: Rig, action: plan.Action, error: PypodError, reason: str
) -> None:
    rig.record(action, error)
    failure = rig.history.failures.get("web")
    assert failure == (ContainerFailed(NOW, "web", reason, str(error)) if reason else None)


@pytest.mark.parametrize(
    ("error", "reason"), [(NO_PULL, "ErrImagePull"), (BAD_NAME, "InvalidImageName"), (AWAY, "")]
)
def test_a_pull_that_failed_stands_in_the_way_of_those_who_wait_for_it(
    rig: Rig, error: PypodError, reason: str
) -> None:
    rig.recorder.pulled("app:1", error, ["web", "log"])
    expected = {name: ContainerFailed(NOW, name, reason, str(error)) for name in ("web", "log")}
    assert dict(rig.history.failures) == (expected if reason else {})
    assert [(event.type, event.reason, event.message) for event in rig.history.events] == (
        [("Warning", "Failed", str(error))] if reason else []
    )
    assert rig.recorder.last_error is error
    rig.recorder.pulled("another:1", NO_PULL, [])
    assert {failure.count for failure in rig.history.failures.values()} <= {1}


def test_an_image_that_came_is_noted(rig: Rig) -> None:
    rig.recorder.pulled("app:1", None, ["web"])
    assert dict(rig.history.pulled) == {"app:1": NOW}
    assert rig.history.events[0].message == "Successfully pulled image 'app:1'"
    assert dict(rig.history.failures) == {}


def test_how_a_pull_comes_on_is_told_a_line_a_second(rig: Rig) -> None:
    rig.recorder.pulling("app:1", "")
    for quarter in range(6):
        rig.recorder.pulling("app:1", f"layer {quarter}")
        rig.clock.advance(0.25)
    rig.recorder.pulling("other:1", "")
    assert [event.message for event in rig.history.events] == [
        "Pulling image 'app:1'",
        "Pulling image 'app:1': layer 4",
        "Pulling image 'other:1'",
    ]


@pytest.mark.parametrize(
    ("error", "noted"), [(None, True), (NOT_FOUND, True), (AWAY, True), (CONFLICT, False)]
)
def test_a_start_is_noted_where_it_may_have_happened(rig: Rig, error: PypodError | None, noted: bool) -> None:
    rig.record(start("web"), error)
    record = rig.history.record("web", 3)
    assert (record.sandbox, record.step) == ((1, 2) if noted else (-1, 0))


def test_the_error_of_a_sandbox_is_kept_until_it_can_be_made(rig: Rig) -> None:
    for action in (create(""), start("")):
        rig.record(action, PORT)
        assert rig.recorder.sandbox_error is PORT
        rig.record(action, AWAY)
        assert rig.recorder.sandbox_error is PORT, "it says nothing of the sandbox"
        rig.record(action)
        assert rig.recorder.sandbox_error is None


@pytest.mark.parametrize(
    ("action", "error", "noted"),
    [
        (kill("SIGTERM"), None, NOW),
        (kill("SIGQUIT"), None, NOW),
        (kill("SIGKILL"), None, None),
        (kill("SIGTERM"), REFUSED, None),
        (kill("SIGTERM"), AWAY, None),
    ],
)
def test_a_stop_signal_is_noted_once_it_was_sent(
    rig: Rig, action: plan.KillContainer, error: PypodError | None, noted: float | None
) -> None:
    rig.record(action, error)
    assert rig.history.record("web", 3).signalled == noted


def test_a_signal_to_no_container_of_the_spec_is_not_noted(rig: Rig) -> None:
    rig.record(kill("SIGTERM", container=""))
    assert rig.history == History()


# what comes again and again


def unhealthy(at: float, message: str = "Liveness probe failed: no") -> Event:
    return Event(at, "Warning", "Unhealthy", message, "web")


def test_the_same_event_is_written_a_few_times_then_counted(rig: Rig) -> None:
    for second in range(int(REPEATED_EVERY)):
        rig.recorder.repeated(unhealthy(NOW + second))
    [event] = rig.history.events
    assert event.count == REPEATED_AT_ONCE
    last = NOW + REPEATED_AT_ONCE - 1 + REPEATED_EVERY
    rig.recorder.repeated(unhealthy(last))
    [event] = rig.history.events
    assert (event.count, event.at, event.first_at) == (int(REPEATED_EVERY) + 1, last, NOW)


def test_an_hour_of_one_event_a_second_is_few_lines() -> None:
    lines: list[int] = []

    class Counting(Channel):
        def write(self, *entries: object) -> None:
            lines.append(len(entries))

    recorder = Recorder(SPEC, Counting(), FakeClock(NOW))
    for second in range(3_600):
        recorder.repeated(unhealthy(NOW + second))
    assert len(lines) <= REPEATED_AT_ONCE + 3_600 / REPEATED_EVERY
    lines.clear()
    for second in range(3_600):
        recorder.repeated(unhealthy(NOW + second, f"Liveness probe failed: at {second}"))
    assert len(lines) <= ALIKE_AT_ONCE + 3_600 / REPEATED_EVERY + 1


def test_other_containers_and_reasons_have_a_count_of_their_own(rig: Rig) -> None:
    for second in range(10):
        rig.recorder.repeated(unhealthy(NOW + second))
    rig.recorder.repeated(Event(NOW + 10, "Warning", "ProbeWarning", "redirect", "web"))
    rig.recorder.repeated(Event(NOW + 10, "Warning", "Unhealthy", "Liveness probe failed: no", "log"))
    assert [event.count for event in rig.history.events] == [3, 1, 1]


# what ends a start


@pytest.mark.parametrize(
    ("action", "error", "fatal"),
    [
        (create("web"), None, False),
        (create("web"), REFUSED, True),
        (create("web"), CONFLICT, False),
        (create("web"), NO_PAUSE, False),
        (start("web"), NOT_FOUND, True),
        (start("web"), EngineError("start container", "web", "no space left"), False),
        (start("web"), CONFLICT, False),
        (create(""), REFUSED, True),
        (start(""), PORT, True),
        (start(""), CONFLICT, False),
        (plan.RemoveVolume("v", ""), REFUSED, False),
    ],
)
def test_what_is_fatal_to_a_start(action: plan.Action, error: PypodError | None, fatal: bool) -> None:
    assert recording.is_fatal(ActionResult(action, error)) is fatal
