"""Whatever happens to a pod, and whoever looks after it: what always holds of it."""

from __future__ import annotations

import contextlib
from collections import Counter
from dataclasses import replace
from typing import ClassVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from pypod.engine import hooks, observe
from pypod.errors import EngineError, EngineUnavailableError
from pypod.model import naming
from pypod.model.life.status import Phase
from pypod.model.spec.handlers import Hook, Lifecycle, Probe
from pypod.model.spec.pod import Container, PodSpec, RestartPolicy
from pypod.model.wiring.state import ContainerInfo
from pypod.testing import FakeEngine, Program
from tests.unit.rig import KEY, SPEC, says, settle, sync_of

OUTCOMES = ("alive", "ready", "greets", "parts")
REFUSED = ("create_container", "start_container", "kill_container", "remove_container", "exec", "get_archive")


def watched_spec() -> PodSpec:
    """Probes, hooks and a sidecar, whose outcomes are those of the programs ``alive``, ``ready``, ``greets`` and ``parts``."""
    lifecycle = Lifecycle(post_start=Hook.exec(["greets"]), pre_stop=Hook.exec(["parts"]))
    web = Container(
        "web",
        "app:1",
        command=["polite"],
        liveness_probe=Probe.exec(["alive"], period_seconds=1, failure_threshold=2),
        readiness_probe=Probe.exec(["ready"], period_seconds=1),
        lifecycle=lifecycle,
    )
    proxy = Container(
        "proxy", "app:1", restart_policy="Always", startup_probe=Probe.exec(["greets"], period_seconds=1)
    )
    setup = Container("setup", "app:1", command=["sleep", "0.5"])
    log = Container("log", "app:1", termination_message_path="/last-words")
    return replace(SPEC, init_containers=(setup, proxy), containers=(web, log))


class PodMachine(RuleBasedStateMachine):
    """A pod in anybody's hands.

    One supervisor at a time knows all that happened: from itself, or from the journal that it took over. Two at once know of
    each other only what the engine shows; so nobody removes a container then, or fails a probe.
    """

    fired: ClassVar[Counter[str]] = Counter()

    @initialize(
        policy=st.sampled_from(RestartPolicy),
        shared=st.booleans(),
        leased=st.booleans(),
        watched=st.booleans(),
        racing=st.booleans(),
    )
    def start(self, policy: RestartPolicy, shared: bool, leased: bool, watched: bool, racing: bool) -> None:
        self.engine = FakeEngine()
        self.engine.add_image("app:1")
        self.engine.program("polite", Program())
        for program in OUTCOMES:
            says(self.engine, program, 0)
        self.two = racing and not watched
        self.spec = replace(
            watched_spec() if watched else SPEC, restart_policy=policy, share_process_namespace=shared
        )
        self.leased = leased
        self.pods = [sync_of(self.engine, self.spec, leased=leased) for _ in range(1 + self.two)]
        self.counts = dict.fromkeys([container.name for container in self.spec.all_containers], 0)
        self.final: dict[int, Phase] = {}
        if not racing:
            settle(self.pods[0])

    def _running(self, role: str) -> list[ContainerInfo]:
        labels = {naming.UID: KEY.uid, naming.ROLE: role}
        return [info for info in self.engine.containers(labels) if info.is_live]

    # what happens to it

    @rule(index=st.integers(0, 5), code=st.sampled_from([0, 0, 1, 137]))
    def ends(self, index: int, code: int) -> None:
        members = self._running("member")
        if members:
            self.fired["ends"] += 1
            self.engine.exit(members[index % len(members)].id, code)

    @precondition(lambda self: not self.two)
    @rule(index=st.integers(0, 5))
    def loses_a_member(self, index: int) -> None:
        """``docker rm -f``."""
        members = self._running("member")
        if members:
            self.fired["loses a member"] += 1
            with contextlib.suppress(EngineError):
                self.engine.remove_container(members[index % len(members)].id)

    @rule(fault=st.sampled_from(["ends", "restarts", "is cut off"]))
    def loses_its_pause(self, fault: str) -> None:
        for info in self._running("pause"):
            self.fired[f"pause {fault}"] += 1
            if fault == "is cut off":
                self.engine.disconnect_network(info.id)
                continue
            self.engine.exit(info.id, 137)
            if fault == "restarts":
                self.engine.clock.advance(0.001)
                with contextlib.suppress(EngineError):
                    self.engine.start_container(info.id)

    @rule(kill=st.booleans())
    def loses_its_engine(self, kill: bool) -> None:
        self.fired["loses its engine"] += 1
        self.engine.stop_daemon(kill=kill)
        with pytest.raises(EngineUnavailableError):
            self.pods[0].run_once()
        self.engine.start_daemon()

    @rule(seconds=st.sampled_from([0.5, 1.0, 10.0, 61.0, 700.0]))
    def grows_older(self, seconds: float) -> None:
        self.engine.clock.advance(seconds)

    @rule(verb=st.sampled_from(REFUSED))
    def is_refused_something(self, verb: str) -> None:
        self.engine.inject(verb, EngineError(verb, "x", "server error", status=500))

    @rule(program=st.sampled_from(OUTCOMES), code=st.sampled_from([0, 1]))
    def feels_otherwise(self, program: str, code: int) -> None:
        says(self.engine, program, code)

    # who looks after it

    @rule(who=st.integers(0, 1))
    def is_looked_after(self, who: int) -> None:
        self.pods[who % len(self.pods)].run_once()

    @precondition(lambda self: self.two)
    @rule(who=st.integers(0, 1))
    def is_looked_after_by_both(self, who: int) -> None:
        self.fired["both"] += 1
        self.pods[who].between = self.pods[1 - who].run_once
        self.pods[who].run_once()

    @precondition(lambda self: not self.two and not self.leased)
    @rule()
    def gets_another_supervisor(self) -> None:
        """The one before it was killed: what it knew is what the journal tells."""
        pauses = self._running("pause")
        if not pauses:
            return
        self.fired["another supervisor"] += 1
        old, new = self.pods[0], sync_of(self.engine, self.spec, leased=False)
        old.release()
        told = observe.read_history(self.engine, pauses[0].id)
        new.channel.adopt(told, pauses[0].name)
        new.channel.attach(pauses[0].name, self.engine.attach_stdin)
        hooks.give_up_lost(new.channel, self.engine.clock.now())
        self.pods = [new]
        if told.finished is None and (end := self.final.pop(0, None)) is not None:
            # The old one wrote that to a pause that was none any more, and so to nobody: the new one finds out the same.
            self.fired["an end that was not written"] += 1
            new.run_once()
            assert new.refresh().phase is end

    @rule(who=st.integers(0, 1))
    def settles(self, who: int) -> None:
        pod = self.pods[who % len(self.pods)]
        for _ in range(20):
            due = settle(pod).due
            if self._running("pause") or not self._running("member"):
                self.fired["settles"] += 1
                return
            assert due is not None, "members without a sandbox, and nobody is to do anything about it"
            self.engine.clock.advance(max(due - self.engine.clock.now(), 0.001))
        raise AssertionError("members without a sandbox")

    # what holds

    @invariant()
    def no_container_runs_twice(self) -> None:
        if not hasattr(self, "pods"):
            return
        names = [info.container for info in self._running("member")]
        assert len(names) == len(set(names)), names
        assert len(self._running("pause")) <= 1

    @invariant()
    def restart_counts_never_decrease(self) -> None:
        if not hasattr(self, "pods"):
            return
        status = self.pods[0].refresh()
        for each in (*status.init_container_statuses, *status.container_statuses):
            assert each.restart_count >= self.counts[each.name]
            self.counts[each.name] = each.restart_count

    @invariant()
    def a_final_phase_stays(self) -> None:
        """To each who looks: of two that look after it, one may not know yet what the other has written down."""
        if not hasattr(self, "pods"):
            return
        for who, pod in enumerate(self.pods):
            phase = pod.refresh().phase
            assert self.final.get(who) in (None, phase), f"{self.final[who]} became {phase}"
            if phase.is_final:
                self.final[who] = phase

    @invariant()
    def nothing_runs_of_a_pod_at_its_end(self) -> None:
        if not hasattr(self, "pods"):
            return
        for pod in self.pods:
            assert not (pod.refresh().phase.is_final and self._running("member"))


TestPodMachine = PodMachine.TestCase
TestPodMachine.settings = settings(max_examples=80, stateful_step_count=20, deadline=None)
