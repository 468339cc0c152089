"""What the tests of the loop share: a pod on a fake engine, looked after on the test's own thread, in told time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from pypod.engine import observe
from pypod.engine.pool import InlinePool, Spawn
from pypod.engine.sync import Look, PodSync
from pypod.engine.tracing import UNTRACED, Untraced
from pypod.errors import EngineUnavailableError
from pypod.model import naming
from pypod.model.life.desired import Desired
from pypod.model.life.journal import Event
from pypod.model.life.plan import Plan
from pypod.model.naming import Owner, PodIdentity, PodKey
from pypod.model.spec.pod import Container, PodSpec
from pypod.model.wiring.state import ContainerInfo, PodObservation
from pypod.testing import FakeEngine, Program

KEY = PodKey("default", "shop", "0123456789abcdef")
IDENTITY = PodIdentity(KEY, Owner("boot", 1, 2, 3), leased=True)
SPEC = PodSpec("shop", (Container("web", "app:1"), Container("log", "app:1")))
UNAVAILABLE = EngineUnavailableError("start container", "x", "connection refused")


class Loop(PodSync):
    """A pod to which something else happens between a look and what is made of it."""

    between: Callable[[], object] | None = None
    noted: PodObservation | None = None
    """What another thread's look notes then."""

    def _plan(self, look: Look) -> Plan:
        if self.noted is not None:
            self.observed = self.noted
        plan = super()._plan(look)
        between, self.between = self.between, None
        if between is not None:
            between()
        return plan


def sync_of(
    engine: FakeEngine,
    spec: PodSpec = SPEC,
    *,
    leased: bool = True,
    identity: PodIdentity = IDENTITY,
    hook_takes: float = 0.0,
    pull_takes: float = 0.0,
    tracer: Untraced = UNTRACED,
) -> Loop:
    """A pod all of which happens on the thread that asks. A hook, and a pull, waits for so many seconds before it does
    anything."""

    def after(seconds: float) -> Spawn:
        def spawn(task: Callable[[], None]) -> None:
            if seconds:
                engine.clock.call_at(engine.clock.now() + seconds, task)
            else:
                task()

        return spawn

    return Loop(
        engine,
        Desired(spec, replace(identity, leased=leased)),
        clock=engine.clock,
        actions=None,
        probe_pool=InlinePool(),
        spawn=after(hook_takes),
        spawn_pull=after(pull_takes),
        tracer=tracer,
    )


def settle(pod: PodSync, passes: int = 40) -> Plan:
    """Pass until there is nothing to do; the last plan."""
    for _ in range(passes):
        plan = pod.run_once()
        if not plan:
            return plan
    raise AssertionError(f"it does not settle; the last plan:\n{plan}")


def live_for(engine: FakeEngine, pod: PodSync, seconds: float) -> None:
    """Let time go by, with a look whenever one is due or something happens, and every half second."""
    end = engine.clock.now() + seconds
    while (now := engine.clock.now()) < end:
        due = settle(pod).due
        engine.clock.advance(min(end, now + 0.5, max(due or end, now + 0.001)) - now)
    settle(pod)


def look(engine: FakeEngine) -> PodObservation:
    return observe.observe(engine, KEY, clock=engine.clock)


def instances(engine: FakeEngine, container: str) -> list[ContainerInfo]:
    """Newest first."""
    return list(look(engine).members.get(container, ()))


def live(engine: FakeEngine, container: str) -> ContainerInfo:
    """The one instance of it that runs."""
    [info] = [info for info in instances(engine, container) if info.is_live]
    return info


def pause_of(engine: FakeEngine) -> ContainerInfo:
    found = look(engine).pause
    assert found is not None
    return found


def starts(engine: FakeEngine, container: str) -> int:
    """How often an instance of a container was started."""
    begun = naming.member_name(KEY, container, 0)[:-1]
    return sum(verb == "start_container" and target.startswith(begun) for verb, target in engine.calls)


def events(pod: PodSync, reason: str = "") -> list[Event]:
    """Of one reason, or all."""
    return [event for event in pod.channel.history.events if reason in ("", event.reason)]


def reasons(pod: PodSync) -> list[str]:
    return [f"{event.reason} {event.container}".strip() for event in events(pod)]


def step(pod: PodSync, container: str) -> int:
    """How far a container's back-off has come."""
    record = pod.channel.history.last_started(container)
    assert record is not None
    return record.step


def says(engine: FakeEngine, program: str, code: int) -> None:
    """From now on, a probe or a hook that runs this program ends with this code."""
    engine.program(program, Program(runs_for=0, exit_code=code))
