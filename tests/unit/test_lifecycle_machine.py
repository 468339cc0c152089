"""Whatever happens to a pod, and in whatever order: the planner against a tiny engine that does what it is told.

Nothing here but pure functions and a dictionary of containers, so that thousands of lives take seconds.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import ClassVar

from hypothesis import seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from pypod.model import naming
from pypod.model.life import planner, status, stopping
from pypod.model.life.desired import Desired
from pypod.model.life.finishing import serving
from pypod.model.life.history import History
from pypod.model.life.journal import (
    Address,
    Began,
    ContainerFailed,
    Entry,
    Event,
    Hooked,
    Message,
    PodFinished,
    Probed,
    Pulled,
    Signalled,
    Started,
)
from pypod.model.life.members import Kind, kind_of, members_of
from pypod.model.life.plan import (
    Action,
    AttachChannel,
    CreateContainer,
    CreateVolume,
    KillContainer,
    Plan,
    PullImage,
    PutFiles,
    ReadMessage,
    RemoveContainer,
    RemoveVolume,
    RenameContainer,
    RunHook,
    StartContainer,
    Write,
)
from pypod.model.life.starting_members import waiting_for
from pypod.model.spec.handlers import Hook, Lifecycle, Probe
from pypod.model.spec.pod import Container, PodSpec, RestartPolicy
from pypod.model.wiring.state import ContainerInfo, ContainerState, PodObservation, VolumeInfo
from tests.unit.pods import HERE, IDENTITY, KEY, NETWORK

PORT = Probe.tcp_socket(port=80)
HOOK = Hook.exec(["hook"])
MANY_PASSES = 30
"""More plans in a row, without time going by, are an endless loop."""
MANY_LOOKS = 200
SPEC = PodSpec(
    "shop",
    init_containers=(
        Container("one", "busybox:1"),
        Container(
            "mesh",
            "busybox:1",
            restart_policy="Always",
            startup_probe=replace(PORT, termination_grace_period_seconds=3),
            lifecycle=Lifecycle(pre_stop=HOOK),
        ),
        Container("two", "busybox:1"),
        Container("proxy", "busybox:1", restart_policy="Always", lifecycle=Lifecycle(post_start=HOOK)),
    ),
    containers=(
        Container(
            "web",
            "nginx:1",
            liveness_probe=PORT,
            lifecycle=Lifecycle(HOOK, HOOK),
            termination_message_path="/dev/termination-log",
        ),
        Container("log", "busybox:1"),
    ),
)


class Refusal(Exception):
    """The engine does not do what it is asked."""


@dataclass
class World:
    """An engine with one pod on it, and the journal."""

    spec: PodSpec
    now: float = 1000.0
    history: History = field(default_factory=History)
    containers: dict[str, ContainerInfo] = field(default_factory=dict)
    """By ID."""
    volumes: dict[str, VolumeInfo] = field(default_factory=dict)
    joined: dict[str, str] = field(default_factory=dict)
    """Which pause, by ID, a member was made to join."""
    hooks: set[tuple[str, int, str]] = field(default_factory=set)
    """That run."""
    begun: set[tuple[str, int, str]] = field(default_factory=set)
    done: set[tuple[str, int]] = field(default_factory=set)
    """Init containers that succeeded, sidecars that have started up, by their sandbox."""
    ran: set[tuple[str, int]] = field(default_factory=set)
    """Containers that were started, by their sandbox."""
    gone: set[str] = field(default_factory=set)
    """Images that the engine has not got."""
    pulling: set[str] = field(default_factory=set)
    refusals: int = 0
    """So many actions, of those that can be refused, are refused."""
    is_deleted: bool = False
    deadline: float = math.inf
    """Of its deletion."""

    # what is seen

    def observe(self) -> PodObservation:
        infos = sorted(self.containers.values(), key=lambda info: info.attempt, reverse=True)
        members: dict[str, tuple[ContainerInfo, ...]] = {}
        for info in infos:
            if not naming.is_pause(info.labels):
                members[info.container] = (*members.get(info.container, ()), info)
        return PodObservation(
            key=KEY,
            at=self.now,
            pauses=tuple(info for info in infos if naming.is_pause(info.labels)),
            members=members,
            volumes=tuple(self.volumes.values()),
            network=NETWORK,
            taken_subnets=NETWORK.subnets,
            images={name: None if name in self.gone else image for name, image in HERE.items()},
            pause_image="pypod/pause:1",
            pause_image_present=True,
        )

    @property
    def pauses(self) -> list[ContainerInfo]:
        return [info for info in self.containers.values() if naming.is_pause(info.labels)]

    @property
    def live(self) -> list[ContainerInfo]:
        """Members that run, always in the same order."""
        infos = [info for info in self.containers.values() if not naming.is_pause(info.labels)]
        return sorted((info for info in infos if info.is_live), key=lambda info: info.id)

    def kind(self, name: str) -> Kind:
        return kind_of(self.spec, self.spec.container(name))

    def write(self, *entries: Entry) -> None:
        for entry in entries:
            self.history = self.history.apply(entry)

    # what is done

    def carry_out(self, plan: Plan) -> None:
        """Step by step; what waits for a step that was refused is left out."""
        done: set[int] = set()
        for index, step in enumerate(plan.steps):
            assert all(before < index for before in step.after), "a step waits for a later one"
            if not done.issuperset(step.after):
                continue
            try:
                self.act(step.action)
                done.add(index)
            except Refusal:
                pass

    def act(self, action: Action) -> None:
        match action:
            case CreateVolume():
                name = action.request.name
                self.volumes[name] = VolumeInfo(name, action.request.labels, self.now, f"/volumes/{name}")
            case CreateContainer():
                self.create(action)
            case StartContainer():
                self.start(action)
            case AttachChannel() | PutFiles():
                self.named(action.name)
            case Write():
                self.write(*action.entries)
            case RunHook():
                self.begin_hook(action)
            case ReadMessage():
                assert self.history.record(action.container, action.attempt).message is None, "read twice"
                self.write(Message(self.now, action.container, action.attempt, ""))
            case KillContainer():
                self.kill(action)
            case RenameContainer():
                self.containers[action.id] = replace(self.existing(action.id), name=action.new_name)
            case RemoveContainer():
                self.remove(action.id)
            case RemoveVolume():
                del self.volumes[action.name]
            case _:
                assert isinstance(action, PullImage), f"unexpected: {action}"
                self.begin_pull(action.reference)

    def existing(self, identity: str) -> ContainerInfo:
        if identity not in self.containers:
            raise Refusal
        return self.containers[identity]

    def named(self, name: str) -> ContainerInfo:
        for info in self.containers.values():
            if info.name == name:
                return info
        raise Refusal

    def is_refused(self) -> bool:
        if not self.refusals:
            return False
        self.refusals -= 1
        return True

    def create(self, action: CreateContainer) -> None:
        request = action.request
        assert self.history.finished is None, "made after the end"
        assert not self.is_deleted, "made while it is deleted"
        if any(info.name == request.name for info in self.containers.values()):
            raise Refusal
        if action.container:
            assert request.image not in {HERE[name].id for name in self.gone}, "made without its image"
            pause = self.named(request.network_mode.removeprefix("container:"))
            assert pause.attempt == naming.sandbox_of(request.labels)
            if self.is_refused():
                self.write(ContainerFailed(self.now, action.container, "CreateContainerError", "refused"))
                raise Refusal
            self.joined[request.name] = pause.id
        elif self.is_refused():
            raise Refusal
        self.containers[request.name] = ContainerInfo(
            id=request.name,
            name=request.name,
            labels=request.labels,
            state=ContainerState.CREATED,
            image=request.image,
            created_at=self.now,
        )

    def start(self, action: StartContainer) -> None:
        info = self.named(action.name)
        assert self.history.finished is None, "started after the end"
        assert not self.is_deleted, "started while it is deleted"
        assert not info.is_live, "started twice"
        if not action.container:
            assert not self.live, "a new sandbox beside members of the one before"
            never = self.spec.restart_policy is RestartPolicy.NEVER
            assert not (never and self.ran), "a second sandbox, and the policy is Never"
            if self.is_refused():
                self.containers[info.id] = replace(info, exit_code=128, error="port is taken")
                raise Refusal
            running = replace(info, state=ContainerState.RUNNING, started_at=self.now)
            self.containers[info.id] = replace(running, addresses={NETWORK.id: "10.214.0.2"})
            self.write(Began(self.now), Address(self.now, "10.214.0.2"))
            return
        pause = self.existing(self.joined[info.id])
        if not pause.is_live:
            raise Refusal
        assert pause.attempt == action.sandbox
        self.check_order(action.container, action.sandbox)
        self.write(Started(self.now, action.container, action.attempt, action.backoff_step, action.sandbox))
        self.ran.add((action.container, action.sandbox))
        if self.is_refused():
            self.containers[info.id] = replace(info, exit_code=127, error="no such file")
            raise Refusal
        self.write(Event(self.now, "Normal", "Started", "Container started", action.container))
        self.containers[info.id] = replace(info, state=ContainerState.RUNNING, started_at=self.now)
        if action.container == "proxy":
            return  # it has started up when its hook is done
        if self.kind(action.container) is Kind.SIDECAR and self.startup_probe(action.container) is None:
            self.done.add((action.container, action.sandbox))

    def startup_probe(self, name: str) -> Probe | None:
        return self.spec.container(name).startup_probe

    def check_order(self, name: str, sandbox: int) -> None:
        """Every init container before it is done, in this sandbox; none runs once a container has."""
        if self.kind(name) is Kind.INIT:
            regular = {container.name for container in self.spec.containers}
            assert not any((other, sandbox) in self.ran for other in regular), (
                f"init container {name} runs late"
            )
        for container in self.spec.init_containers:
            if container.name == name:
                break
            assert (container.name, sandbox) in self.done, f"{name} does not wait for {container.name}"

    def begin_hook(self, action: RunHook) -> None:
        key = (action.container, action.attempt, action.hook)
        assert key not in self.begun, f"{key} begins twice"
        self.begun.add(key)
        self.hooks.add(key)
        self.write(Hooked(self.now, *key, "began"))

    def end_hook(self, key: tuple[str, int, str], outcome: str) -> None:
        self.hooks.discard(key)
        self.write(Hooked(self.now, *key, outcome))
        if key[0] == "proxy" and outcome == "done":
            self.done |= {(i.container, i.sandbox) for i in self.live if (i.container, i.attempt) == key[:2]}

    def begin_pull(self, reference: str) -> None:
        assert self.history.finished is None, "pulled after the end"
        assert not self.is_deleted, "pulled while it is deleted"
        assert reference in self.gone, "pulled though it is there"
        assert reference not in self.pulling, "pulled twice at once"
        self.pulling.add(reference)

    def end_pull(self, reference: str, *, comes: bool) -> None:
        if comes:
            self.gone.discard(reference)
            self.write(Pulled(self.now, reference))
        else:
            desired = Desired(self.spec, IDENTITY)
            for name in waiting_for(reference, desired, self.observe(), self.history):
                self.write(ContainerFailed(self.now, name, "ErrImagePull", "no route"))
        self.pulling.discard(reference)

    def kill(self, action: KillContainer) -> None:
        info = self.existing(action.id)
        if action.container and action.signal != "SIGKILL":
            assert self.history.record(action.container, action.attempt).signalled is None, "signalled twice"
            self.check_turn(info)
            self.write(Signalled(self.now, action.container, action.attempt))
        elif info.is_live:
            self.end(info, 137)
        if not info.is_live:
            raise Refusal

    def check_turn(self, info: ContainerInfo) -> None:
        """Of a pod that ends, containers come first, then its sidecars in reverse, unless the grace is over."""
        stop = self.history.record(info.container, info.attempt).stopping
        assert stop is not None, "a signal before it was written down"
        if self.kind(info.container) is not Kind.SIDECAR or not stop.sidecars:
            return
        order = [container.name for container in self.spec.all_containers]
        later = order[order.index(info.container) + 1 :]
        waits_for = [each.name for each in self.live if each.container in later]
        assert not waits_for or self.now >= min(stop.deadline, self.deadline), (
            f"{info.name} is early: {waits_for}"
        )

    def end(self, info: ContainerInfo, code: int, *, oom_killed: bool = False) -> None:
        """It ends; of a pause with a shared PID space, everybody does."""
        self.containers[info.id] = replace(
            info,
            state=ContainerState.EXITED,
            exit_code=code,
            finished_at=self.now,
            oom_killed=oom_killed,
            addresses={},
        )
        if naming.is_pause(info.labels):
            if self.spec.share_process_namespace:
                for each in self.live:
                    if self.joined[each.id] == info.id:
                        self.end(each, 137)
        elif code == 0 and not oom_killed and self.kind(info.container) is Kind.INIT:
            self.done.add((info.container, info.sandbox))

    def remove(self, identity: str) -> None:
        info = self.existing(identity)
        if info.is_live:
            self.end(info, 137)
        del self.containers[identity]

    def reread(self) -> None:
        """Another supervisor begins with what the journal says. Hooks that the one before it ran are not run again."""
        history = History()
        for entry in self.history.entries():
            history = history.apply(entry)
        assert history.records == self.history.records
        assert history.finished == self.history.finished
        assert history.began == self.history.began
        self.history = history
        for key in sorted(self.hooks):
            self.end_hook(key, "done")
        self.pulling.clear()


class LifecycleMachine(RuleBasedStateMachine):
    """The life of one pod."""

    fired: ClassVar[Counter[str]] = Counter()
    """How often each rule did something."""

    @initialize(
        policy=st.sampled_from(RestartPolicy),
        shared=st.booleans(),
        deadline=st.sampled_from([None, None, None, 300.0]),
        comes_up=st.booleans(),
        watched=st.booleans(),
        absent=st.sets(st.sampled_from(sorted(HERE))),
        end=st.sampled_from([(0.0, True), (5.0, True), (30.0, True), (5.0, False), (30.0, False)]),
    )
    def begins(
        self,
        policy: RestartPolicy,
        shared: bool,
        deadline: float | None,
        comes_up: bool,
        watched: bool,
        absent: set[str],
        end: tuple[float, bool],
    ) -> None:
        """``watched``: its supervisor sees all that happens at once, and does what is to be done. ``absent``: images. ``end``: the
        grace of its deletion, and whether hooks end and signals are obeyed in it."""
        spec = replace(
            SPEC, restart_policy=policy, share_process_namespace=shared, active_deadline_seconds=deadline
        )
        self.world = World(spec, gone=absent)
        self.desired = Desired(spec, IDENTITY)
        self.attempts: Counter[str] = Counter()
        self.finished: PodFinished | None = None
        self.is_told = False
        self.is_watched = False
        self.end = end
        if comes_up:
            self.is_left_alone()
        self.is_watched = watched

    def fires(self, name: str) -> None:
        type(self).fired[name] += 1
        if self.is_watched:
            self.settle()

    def plan(self) -> Plan:
        world = self.world
        plan = planner.plan_sync(
            self.desired, world.observe(), world.history, world.now, frozenset(world.pulling)
        )
        assert plan.due is None or plan.due > world.now, "due by now, and not done"
        return plan

    def settle(self) -> Plan:
        """Until there is nothing to do at this moment; the last plan."""
        for _ in range(MANY_PASSES):
            plan = self.plan()
            if not plan:
                self.check_rest()
                return plan
            self.world.carry_out(plan)
        raise AssertionError(f"no rest: {plan}")

    def check_rest(self) -> None:
        """Who runs without a sandbox is being stopped, and not for longer than that takes."""
        world = self.world
        sandbox = serving(world.observe())
        for info in world.live:
            if sandbox is not None and info.sandbox == sandbox.attempt and self.finished is None:
                continue
            record = world.history.record(info.container, info.attempt)
            assert record.stopping is not None, f"{info.name} is left alone"
            end = record.stopping.deadline
            if record.signalled is not None:
                end = max(end, record.signalled + stopping.FLOOR)
            elif record.hook("preStop") != "began":
                assert world.kind(info.container) is Kind.SIDECAR, f"{info.name} gets no signal"
            assert world.now < end, f"{info.name} is stopped for ever"

    # what happens to it

    @rule()
    def is_looked_after(self) -> None:
        self.settle()
        self.fires("is_looked_after")

    @rule()
    def is_looked_after_once(self) -> None:
        plan = self.plan()
        self.world.carry_out(plan)
        if plan:
            self.fires("is_looked_after_once")

    @rule(seconds=st.sampled_from([0.5, 2.0, 10.0, 31.0, 700.0]))
    def grows_older(self, seconds: float) -> None:
        self.world.now += seconds
        self.fires("grows_older")

    @rule(index=st.integers(0, 5), code=st.sampled_from([0, 0, 1, 137]), oom_killed=st.booleans())
    def a_container_ends(self, index: int, code: int, oom_killed: bool) -> None:
        if live := self.world.live:
            self.world.end(live[index % len(live)], code, oom_killed=oom_killed and code == 137)
            self.fires("a_container_ends")

    @rule(index=st.integers(0, 9))
    def a_container_is_removed(self, index: int) -> None:
        members = sorted(i.id for i in self.world.containers.values() if not naming.is_pause(i.labels))
        if members:
            self.world.remove(members[index % len(members)])
            self.fires("a_container_is_removed")

    @rule()
    def its_pause_dies(self) -> None:
        for info in self.world.pauses:
            if info.is_live:
                self.world.end(info, 137)
                self.fires("its_pause_dies")

    @rule()
    def its_pause_is_removed(self) -> None:
        for info in self.world.pauses:
            self.world.remove(info.id)
            self.fires("its_pause_is_removed")

    @rule()
    def its_pause_is_started_again(self) -> None:
        """As by ``docker restart``, which gives it a new network."""
        for info in self.world.pauses:
            if info.started_at is not None and info is max(self.world.pauses, key=lambda each: each.attempt):
                if info.is_live:
                    self.world.end(info, 137)
                self.world.now += 1
                again = replace(info, state=ContainerState.RUNNING, started_at=self.world.now, exit_code=None)
                self.world.containers[info.id] = replace(again, addresses={NETWORK.id: "10.214.0.3"})
                self.fires("its_pause_is_started_again")

    @rule()
    def its_network_is_lost(self) -> None:
        for info in self.world.pauses:
            if info.is_live and info.addresses:
                self.world.containers[info.id] = replace(info, addresses={})
                self.fires("its_network_is_lost")

    @rule(index=st.integers(0, 5), passed=st.booleans())
    def a_probe_says_something(self, index: int, passed: bool) -> None:
        keys = self.probes()
        if keys:
            name, attempt, probe = keys[index % len(keys)]
            self.probe(name, attempt, probe, passed)
            self.fires(f"a_probe_says_something ({'passes' if passed else 'fails'})")

    def probes(self) -> list[tuple[str, int, str]]:
        """That are run now."""
        keys = []
        for info in self.world.live:
            container = self.world.spec.container(info.container)
            record = self.world.history.record(info.container, info.attempt)
            if container.startup_probe is not None and record.passed("startup") is None:
                keys.append((info.container, info.attempt, "startup"))
            elif container.liveness_probe is not None and record.passed("liveness") is not False:
                keys.append((info.container, info.attempt, "liveness"))
        return keys

    def probe(self, name: str, attempt: int, probe: str, passed: bool) -> None:
        self.world.write(Probed(self.world.now, name, attempt, probe, passed))
        if passed and probe == "startup":
            self.world.done |= {
                (i.container, i.sandbox)
                for i in self.world.live
                if (i.container, i.attempt) == (name, attempt)
            }

    @rule(index=st.integers(0, 3), outcome=st.sampled_from(["done", "done", "failed"]))
    def a_hook_ends(self, index: int, outcome: str) -> None:
        if hooks := sorted(self.world.hooks):
            self.world.end_hook(hooks[index % len(hooks)], outcome)
            self.fires("a_hook_ends")

    @rule(image=st.sampled_from(sorted(HERE)))
    def an_image_goes(self, image: str) -> None:
        """And then who runs with it ends, and needs it."""
        self.world.gone.add(image)
        for info in self.world.live:
            if self.world.spec.container(info.container).image == image:
                self.world.end(info, 1)
        self.fires("an_image_goes")

    @rule(index=st.integers(0, 1), comes=st.booleans())
    def a_pull_ends(self, index: int, comes: bool) -> None:
        self.settle()
        if pulls := sorted(self.world.pulling):
            self.world.end_pull(pulls[index % len(pulls)], comes=comes)
            self.fires(f"a_pull_ends ({'comes' if comes else 'fails'})")

    @rule(code=st.sampled_from([0, 143]))
    def a_signal_is_obeyed(self, code: int) -> None:
        if self.obey(code):
            self.fires("a_signal_is_obeyed")

    def obey(self, code: int) -> bool:
        infos = self.world.live
        obeying = [
            i for i in infos if self.world.history.record(i.container, i.attempt).signalled is not None
        ]
        for info in obeying:
            self.world.end(info, code)
        return bool(obeying)

    @rule()
    def something_is_refused(self) -> None:
        self.world.refusals = 1
        self.fires("something_is_refused")

    @rule()
    def another_supervisor_takes_over(self) -> None:
        self.world.reread()
        self.fires("another_supervisor_takes_over")

    @rule()
    def is_left_alone(self) -> None:
        """Everything that it waits for happens: then it is whole, or at its end."""
        world = self.world
        for _ in range(MANY_LOOKS):
            self.settle()
            for key in sorted(world.hooks):
                world.end_hook(key, "done")
            for image in sorted(world.pulling):
                world.end_pull(image, comes=True)
            for name, attempt, probe in self.probes():
                if probe == "startup":
                    self.probe(name, attempt, probe, passed=True)
            for info in world.live:
                if world.kind(info.container) is Kind.INIT:
                    world.end(info, 0)
            self.obey(0)
            plan = self.plan()
            if not plan:
                if plan.due is None or plan.due == self.deadline():
                    break
                world.now = plan.due
        else:
            raise AssertionError(f"it never comes to rest: {plan}")
        self.check_whole()
        self.fires("is_left_alone")

    def deadline(self) -> float | None:
        seconds, began = self.world.spec.active_deadline_seconds, self.world.history.began
        return None if seconds is None or began is None else began + seconds

    def check_whole(self) -> None:
        world = self.world
        if world.history.finished is not None:
            assert not world.live, "something runs after the end"
            phase = status.derive(self.desired, world.observe(), world.history, world.now).phase
            assert phase.value == world.history.finished.phase or not world.containers
            return
        observed = world.observe()
        assert serving(observed) is not None, "no sandbox"
        for member in members_of(world.spec, observed, world.history):
            if member.kind is Kind.REGULAR:
                assert member.is_started or member.restart(self.desired.backoff) is None, member.name
            elif member.kind is Kind.SIDECAR:
                assert member.is_started, member.name

    def teardown(self) -> None:
        """Every life ends with the pod's deletion, within its grace and what is granted past that."""
        if not hasattr(self, "world"):
            return
        world = self.world
        self.is_watched = False
        grace, obeys = self.end
        world.is_deleted = True
        deadline = world.deadline = world.now + grace
        for _ in range(MANY_LOOKS):
            observed = world.observe()
            if observed.is_empty:
                break
            if observed.deletion_deadline is not None:
                assert not self.plan(), "planned for a pod that is to go"
            plan = stopping.plan_teardown(
                world.spec, observed, world.history, deadline=deadline, now=world.now
            )
            world.carry_out(plan)
            assert plan or plan.due is not None, "nothing to do, and nothing to wait for"
            if not plan and not (obeys and self.obey_all()):
                assert plan.due is not None
                assert plan.due > world.now
                world.now = plan.due
        else:
            raise AssertionError("it is never gone")
        assert world.now <= deadline + 2 * stopping.FLOOR
        self.fires(f"is_deleted ({'obeys' if obeys else 'does not obey'})")

    def obey_all(self) -> bool:
        """Hooks end, and who got a signal does; whether anybody did."""
        hooks = sorted(self.world.hooks)
        for key in hooks:
            self.world.end_hook(key, "done")
        return self.obey(0) or bool(hooks)

    # what always holds

    @invariant()
    def no_container_runs_twice(self) -> None:
        names = [info.container for info in self.world.live]
        assert len(names) == len(set(names)), names
        assert sum(info.is_live for info in self.world.pauses) <= 1

    @invariant()
    def attempts_never_decrease(self) -> None:
        if self.world.is_deleted:
            return
        for member in members_of(self.world.spec, self.world.observe(), self.world.history):
            if self.has_been_told(member.name):
                assert member.attempt >= self.attempts[member.name], member.name
                self.attempts[member.name] = member.attempt

    def has_been_told(self, name: str) -> bool:
        """Of an instance that was removed before it was started nothing is known."""
        return self.world.history.last_started(name) is not None

    @invariant()
    def an_end_is_final(self) -> None:
        if self.finished is not None:
            assert self.world.history.finished == self.finished
        self.finished = self.world.history.finished

    @invariant()
    def an_end_is_told_when_nothing_runs_any_more_and_then_for_good(self) -> None:
        world = self.world
        if world.is_deleted or not world.containers:
            return
        phase = status.derive(self.desired, world.observe(), world.history, world.now).phase
        assert not (phase.is_final and world.live), f"{phase}, and {world.live} run"
        if self.finished is None:
            return
        assert phase.value in (self.finished.phase, "Pending", "Running")
        if self.is_told:
            assert phase.is_final, f"it is {phase} again"
        self.is_told = phase.is_final


RULES = {
    "is_looked_after",
    "is_looked_after_once",
    "grows_older",
    "a_container_ends",
    "a_container_is_removed",
    "its_pause_dies",
    "its_pause_is_removed",
    "its_pause_is_started_again",
    "its_network_is_lost",
    "a_probe_says_something (passes)",
    "a_probe_says_something (fails)",
    "a_hook_ends",
    "an_image_goes",
    "a_pull_ends (comes)",
    "a_pull_ends (fails)",
    "a_signal_is_obeyed",
    "something_is_refused",
    "another_supervisor_takes_over",
    "is_left_alone",
    "is_deleted (obeys)",
    "is_deleted (does not obey)",
}


BATCHES = range(3, 12)
"""Lives are drawn in batches with these seeds: three always, more until every rule was of use. Which lives a seed means changes
with whatever the planner does, and a single one once had no hook that ended."""


def test_any_life_of_a_pod_keeps_the_rules() -> None:
    LifecycleMachine.fired.clear()
    for batch in BATCHES:
        run_state_machine_as_test(
            seed(batch)(type("LifecycleMachine", (LifecycleMachine,), {})),
            settings=settings(max_examples=40, stateful_step_count=40, deadline=None, database=None),
        )
        if batch - BATCHES[0] >= 2 and set(LifecycleMachine.fired) == RULES:
            return
    assert set(LifecycleMachine.fired) == RULES, LifecycleMachine.fired
