"""The ways into a pod that is there: ephemeral containers, logs of the dead, copies by name; on a fake engine."""

from __future__ import annotations

from pathlib import Path

import pytest

from pypod import Container, Pod, Volume
from pypod.engine.sync import PodSync
from pypod.engine.teardown import Teardown
from pypod.errors import (
    CommandError,
    ConflictError,
    EngineError,
    EngineUnavailableError,
    ImageError,
    ImagePullError,
    NotFoundError,
    PodNotFoundError,
    PodNotRunningError,
    PodStartError,
    SpecError,
)
from pypod.inside import Inside
from pypod.model import naming
from pypod.model.life.desired import Desired
from pypod.model.life.status import Running
from pypod.model.naming import Owner, PodIdentity, PodKey
from pypod.model.spec.pod import PodSpec, RestartPolicy
from pypod.model.wiring.requests import ContainerRequest
from pypod.testing import FakeEngine, Program

KEY = PodKey("default", "shop", "0123456789abcdef")
IDENTITY = PodIdentity(KEY, Owner("boot", 1, 2, 3), leased=True)


@pytest.fixture
def engine() -> FakeEngine:
    made = FakeEngine()
    made.add_image("app:1")
    return made


def settled(sync: PodSync) -> None:
    for _ in range(40):
        if not sync.run_once():
            return
    raise AssertionError("it does not settle")


def sync_of(
    engine: FakeEngine,
    *containers: Container,
    policy: RestartPolicy = RestartPolicy.ALWAYS,
    sidecar: Container | None = None,
) -> PodSync:
    spec = PodSpec(
        "shop",
        containers or (Container("web", "app:1"), Container("job", "app:1")),
        restart_policy=policy,
        init_containers=(
            Container("migrate", "app:1", command=["true"]),
            *([sidecar] if sidecar is not None else []),
        ),
        volumes=(Volume.empty_dir("data"),),
    )
    return PodSync(engine, Desired(spec, IDENTITY), clock=engine.clock)


@pytest.fixture
def sync(engine: FakeEngine) -> PodSync:
    made = sync_of(engine)
    settled(made)
    return made


@pytest.fixture
def pod(sync: PodSync) -> Pod:
    return Pod.of(sync)


def request_of(engine: FakeEngine, sync: PodSync, name: str) -> object:
    assert sync.observed is not None
    info = sync.observed.newest(name)
    assert info is not None
    return engine.request(info.id)


# --- debug -----------------------------------------------------------------------------------------------------------


def test_an_ephemeral_container_joins_what_members_share(engine: FakeEngine, sync: PodSync, pod: Pod) -> None:
    name = pod.debug(
        "app:1", ["sleep", "100"], env={"A": "1"}, mounts={"data": "/data"}, user="7", working_dir="/tmp"
    )
    assert sync.observed is not None
    assert sync.observed.pause is not None
    (info,) = sync.observed.ephemeral
    request = engine.request(info.id)
    shared = f"container:{sync.observed.pause.id}"
    assert (request.network_mode, request.ipc_mode, request.pid_mode) == (shared, shared, shared)
    assert (request.env, request.user, request.working_dir, request.stdin_open) == (
        {"A": "1"},
        "7",
        "/tmp",
        False,
    )
    assert [mount.target for mount in request.mounts] == ["/data"]
    assert info.labels[naming.ROLE] == naming.Role.EPHEMERAL.value
    assert (name[:9], len(name)) == ("debugger-", 14)


def test_it_counts_for_nothing_and_every_way_in_takes_its_name(
    engine: FakeEngine, sync: PodSync, pod: Pod, tmp_path: Path
) -> None:
    before = pod.refresh()
    assert pod.debug("app:1", ["sh", "-c", "echo hello; sleep 100"], name="probe") == "probe"
    status = pod.refresh()
    assert (status.phase, status.ready_count, status.conditions) == (before.phase, 2, before.conditions)
    assert [each.name for each in status.ephemeral_container_statuses] == ["probe"]
    assert pod.exec(["echo", "in"], "probe").stdout == "in\n"
    assert pod.logs("probe") == "hello\n"
    pod.copy_from("/etc/passwd", tmp_path, "probe")
    assert (tmp_path / "passwd").exists()
    assert not sync.run_once()  # and nobody has anything to do about it
    engine.exit(status.container("probe").container_id, 3)
    assert not sync.run_once()
    assert not isinstance(pod.refresh().container("probe").state, Running)


def test_without_a_command_a_shell_finds_an_open_input(engine: FakeEngine, sync: PodSync, pod: Pod) -> None:
    pod.debug("app:1", name="probe")
    request = request_of(engine, sync, "probe")
    assert getattr(request, "stdin_open") is True  # noqa: B009
    assert getattr(request, "entrypoint") == ()  # noqa: B009


def test_a_target_is_whose_processes_it_sees(engine: FakeEngine, sync: PodSync, pod: Pod) -> None:
    pod.debug("app:1", ["sleep", "9"], name="probe", target="job")
    web = pod.refresh().container("job").container_id
    assert getattr(request_of(engine, sync, "probe"), "pid_mode") == f"container:{web}"  # noqa: B009


def test_its_start_is_told_as_events(sync: PodSync, pod: Pod) -> None:
    sync.engine.add_registry_image("tools:2")  # type: ignore[attr-defined]
    pod.debug("tools:2", ["sleep", "9"], name="probe")
    told = [(event.reason, event.message) for event in pod.events if event.container == "probe"]
    assert told == [
        ("Pulled", 'Successfully pulled image "tools:2"'),
        ("Created", "Container created"),
        ("Started", "Container started"),
    ]


def test_nothing_is_written_where_another_process_holds_the_journal(
    engine: FakeEngine, sync: PodSync
) -> None:
    other = Pod.of(PodSync(engine, sync.desired, clock=engine.clock))
    other.debug("app:1", ["sleep", "9"], name="probe")
    other.refresh()
    assert [event for event in other.events if event.container == "probe"] == []
    assert other.history.events  # it was read all the same


@pytest.mark.parametrize("policy", [None, "IfNotPresent", "Always", "Never"])
def test_the_image_is_pulled_by_its_policy(engine: FakeEngine, pod: Pod, policy: str | None) -> None:
    engine.add_registry_image("app:1")
    pod.debug("app:1", ["sleep", "9"], image_pull_policy=policy)
    assert (("pull_image", "app:1") in engine.calls) is (policy == "Always")


@pytest.mark.parametrize(
    ("policy", "reason"), [("Never", "ErrImageNeverPull"), (None, "ErrImagePull"), ("Always", "ErrImagePull")]
)
def test_an_image_that_cannot_be_had(pod: Pod, policy: str | None, reason: str) -> None:
    with pytest.raises(ImageError, match=rf"^cannot debug pod 'default/shop': {reason}: .*none:1") as raised:
        pod.debug("none:1", name="probe", image_pull_policy=policy)
    assert (raised.value.reason, raised.value.container) == (reason, "probe")


@pytest.mark.parametrize(
    ("name", "words"),
    [("web", "'web'"), ("migrate", "'migrate'"), ("probe", "'probe'"), ("Not_a_label", "RFC 1123")],
)
def test_a_name_must_be_new_in_the_pod_and_a_label(pod: Pod, name: str, words: str) -> None:
    pod.debug("app:1", ["sleep", "9"], name="probe")
    pattern = rf"^cannot accept container '{name}' for pod 'default/shop': spec.ephemeralContainers\[0\].name: .*{words}"
    with pytest.raises(SpecError, match=pattern) as raised:
        pod.debug("app:1", name=name)
    assert len(raised.value.problems) == 1


def test_a_volume_that_the_pod_has_not_is_refused(pod: Pod) -> None:
    with pytest.raises(SpecError, match=r"spec.ephemeralContainers\[0\].volumeMounts"):
        pod.debug("app:1", mounts={"none": "/x"})


def test_a_pod_that_was_not_started_or_has_ended_is_refused(engine: FakeEngine) -> None:
    with pytest.raises(PodNotRunningError, match="was not started"):
        Pod("x", containers=[Container("a", "b")], engine=engine).debug("app:1")
    sync = sync_of(engine, Container("one", "app:1", command=["true"]), policy=RestartPolicy.NEVER)
    settled(sync)
    with pytest.raises(PodNotRunningError, match=r"^cannot debug pod 'default/shop': it is Completed"):
        Pod.of(sync).debug("app:1")


def test_a_pod_that_is_being_stopped_at_its_end_is_refused(engine: FakeEngine) -> None:
    """Nothing of it is started any more, though it still runs."""
    engine.program("stubborn", Program(ignores_sigterm=True))
    mesh = Container("mesh", "app:1", command=["stubborn"], restart_policy="Always")
    sync = sync_of(
        engine, Container("job", "app:1", command=["true"]), policy=RestartPolicy.NEVER, sidecar=mesh
    )
    settled(sync)
    assert sync.channel.history.finished is not None
    with pytest.raises(
        PodNotRunningError, match=r"^cannot debug pod 'default/shop': it has succeeded, and is being stopped"
    ):
        Pod.of(sync).debug("app:1")


def test_a_sandbox_that_does_not_run_is_refused(engine: FakeEngine, sync: PodSync, pod: Pod) -> None:
    assert sync.observed is not None
    assert sync.observed.pause is not None
    engine.kill_container(sync.observed.pause.id)
    with pytest.raises(PodNotRunningError, match="its sandbox does not run: "):
        pod.debug("app:1")


def test_a_pod_that_is_being_deleted_is_refused(engine: FakeEngine, sync: PodSync, pod: Pod) -> None:
    assert sync.observed is not None
    assert sync.observed.pause is not None
    mark = naming.deleting_name(KEY, 0, engine.clock.now() + 30)
    engine.rename_container(sync.observed.pause.id, mark)
    with pytest.raises(PodNotRunningError, match="it is being deleted"):
        pod.debug("app:1")


def test_a_target_must_be_there_and_run(engine: FakeEngine, pod: Pod) -> None:
    with pytest.raises(PodNotFoundError, match="'none' of pod 'default/shop': it has migrate, web, job"):
        pod.debug("app:1", target="none")
    engine.exit(pod.refresh().container("job").container_id, 1)
    with pytest.raises(PodNotRunningError, match="'job' of pod 'default/shop': it is not running"):
        pod.debug("app:1", target="job")


@pytest.mark.parametrize(
    ("verb", "error", "kind", "words"),
    [
        ("create_container", ConflictError("create", "x", "in use"), PodNotRunningError, "name was taken"),
        ("create_container", NotFoundError("create", "x", "gone"), PodNotRunningError, "went meanwhile"),
        ("start_container", ConflictError("start", "x", "not running"), PodNotRunningError, "ended meanwhile"),
        ("start_container", NotFoundError("start", "x", "gone"), PodNotRunningError, "ended meanwhile"),
        ("start_container", EngineError("start", "x", "no cgroup"), PodStartError, "RunContainerError: no cgroup"),
        ("start_container", EngineUnavailableError("start", "x", "away"), EngineUnavailableError, "away"),
        ("pull_image", EngineUnavailableError("pull", "x", "away"), EngineUnavailableError, "away"),
        ("pull_image", ImagePullError("pull", "x", "denied"), ImageError, "denied"),
    ],
)  # fmt: skip
def test_what_goes_wrong_on_the_way_leaves_nothing(
    engine: FakeEngine, pod: Pod, verb: str, error: Exception, kind: type[Exception], words: str
) -> None:
    engine.inject(verb, error)
    with pytest.raises(kind, match=words):
        pod.debug("app:1", name="probe", image_pull_policy="Always" if verb == "pull_image" else None)
    if not isinstance(error, EngineUnavailableError):
        assert pod.refresh().ephemeral_container_statuses == ()


def test_a_command_that_cannot_be_run(pod: Pod) -> None:
    with pytest.raises(CommandError, match="container 'probe': RunContainerError") as raised:
        pod.debug("app:1", ["no-such-program"], name="probe")
    assert raised.value.exit_code == 127
    assert pod.refresh().ephemeral_container_statuses == ()


# --- logs ------------------------------------------------------------------------------------------------------------


def test_the_previous_instance_is_the_one_before_the_restart(
    engine: FakeEngine, sync: PodSync, pod: Pod
) -> None:
    for word in ("first", "second", "third"):
        identity = pod.refresh().container("web").container_id
        engine.write(identity, f"{word}\n")
        if word != "third":
            engine.exit(identity, 1)
            engine.clock.advance(100)
            settled(sync)
    assert pod.logs("web") == "third\n"
    assert pod.logs("web", previous=True) == "second\n"
    assert list(pod.logs("web", previous=True, follow=True)) == ["second"]


def test_while_a_restart_is_waited_for_the_newest_is_the_previous_one(
    engine: FakeEngine, sync: PodSync, pod: Pod
) -> None:
    for word in ("first", "second"):
        identity = pod.refresh().container("web").container_id
        engine.write(identity, f"{word}\n")
        engine.exit(identity, 1)
        settled(sync)
    assert pod.refresh().container("web").restart_count == 1
    assert pod.logs("web", previous=True) == "second\n"
    assert pod.logs("web") == "second\n"


def test_logs_that_are_not_there_are_refused_in_a_kubelets_words(engine: FakeEngine, pod: Pod) -> None:
    with pytest.raises(
        PodNotRunningError,
        match=r"^cannot read the previous logs of container 'web' of pod 'default/shop': "
        'previous terminated container "web" in pod "shop" not found$',
    ):
        pod.logs("web", previous=True)
    with pytest.raises(PodNotFoundError, match="'none' in pod 'default/shop': it has migrate, web, job"):
        pod.logs("none")
    assert pod.logs("migrate") == ""


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            ImagePullError("pull", "late:1", "denied"),
            "image can't be pulled|trying and failing to pull image",
        ),
        (None, "CreateContainerError"),
    ],
)
def test_one_that_was_never_started_says_what_it_waits_for(
    engine: FakeEngine, error: Exception | None, words: str
) -> None:
    if error is None:
        engine.inject(
            "create_container",
            EngineError("create", "x", "bad mount"),
            9,
            target=naming.member_name(KEY, "late", 0),
        )
    sync = sync_of(engine, Container("late", "late:1" if error else "app:1"))
    settled(sync)
    with pytest.raises(
        PodNotRunningError, match=f'container "late" in pod "shop" is waiting to start: ({words})$'
    ):
        Pod.of(sync).logs("late")


# --- copies ----------------------------------------------------------------------------------------------------------


def test_files_go_in_and_come_out_by_the_containers_name(pod: Pod, tmp_path: Path) -> None:
    (tmp_path / "in").write_text("text")
    pod.copy_to(tmp_path / "in", "/tmp/file")
    pod.copy_to(str(tmp_path / "in"), "/tmp/job", "job")
    pod.copy_from("/tmp/file", tmp_path / "out")
    assert (tmp_path / "out").read_text() == "text"
    pod.copy_from("/tmp/job", str(tmp_path), "job")
    assert (tmp_path / "job").read_text() == "text"


def test_a_container_that_has_ended_can_be_copied_from(pod: Pod, tmp_path: Path) -> None:
    pod.copy_from("/etc/passwd", tmp_path, "migrate")
    assert (tmp_path / "passwd").exists()


def test_copies_of_what_is_not_there_are_refused(engine: FakeEngine, pod: Pod, tmp_path: Path) -> None:
    with pytest.raises(PodNotFoundError, match="'none' in pod 'default/shop'"):
        pod.copy_from("/etc/passwd", tmp_path, "none")
    with pytest.raises(PodNotRunningError, match="was not started"):
        Pod("x", containers=[Container("a", "b")], engine=engine).copy_to(tmp_path, "/")
    sync = sync_of(engine, Container("late", "late:1"))
    settled(sync)
    with pytest.raises(
        PodNotRunningError, match="files of container 'late' of pod 'default/shop': it is not there"
    ):
        Pod.of(sync).copy_to(tmp_path, "/tmp", "late")


# --- what a pod needs ------------------------------------------------------------------------------------------------


def test_a_grpc_probe_needs_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    from pypod import Probe  # noqa: PLC0415 (beside its use)

    def make() -> Pod:
        return Pod("x", containers=[Container("a", "b:1", readiness_probe=Probe.grpc(9000))])

    monkeypatch.setattr("pypod.pod.find_spec", lambda _name: None)
    with pytest.raises(
        SpecError, match=r"spec.containers\[0\].readinessProbe.grpc: .*pip install 'pypod\[grpc\]'"
    ):
        make()
    monkeypatch.setattr("pypod.pod.find_spec", lambda _name: object())
    assert make().name == "x"


def test_what_the_constructor_takes_is_what_the_spec_has() -> None:
    made = Pod(
        "x",
        containers=[Container("a", "b:1")],
        init_containers=iter([Container("i", "b:1", restart_policy="Always")]),
        active_deadline_seconds=5,
        restart_backoff="classic",
    )
    assert [container.name for container in made.spec.init_containers] == ["i"]
    assert made.spec.active_deadline_seconds == 5
    assert made.spec.restart_backoff.value == "classic"
    with pytest.raises(ValueError, match="slow"):
        Pod("x", containers=[], restart_backoff="slow")


# --- its address -----------------------------------------------------------------------------------------------------


@pytest.fixture
def direct(engine: FakeEngine, sync: PodSync) -> Inside:
    """The pod, as somebody else sees it who dials it directly."""
    seen = sync_of(engine)
    seen.refresh()
    return Inside(seen, seen.refresh, "direct")


def calls_of(engine: FakeEngine, before: int) -> list[str]:
    return [verb for verb, _ in engine.calls[before:]]


def test_the_address_of_a_pod_that_stands_as_it_was_seen_is_one_call(
    engine: FakeEngine, sync: PodSync, direct: Inside
) -> None:
    before = len(engine.calls)
    assert direct.address(80) == (sync.status.pod_ip, 80)
    assert calls_of(engine, before) == ["container"]


def test_the_address_of_one_that_was_not_looked_at_is_looked_for(engine: FakeEngine, sync: PodSync) -> None:
    stranger = sync_of(engine)
    assert Inside(stranger, stranger.refresh, "direct").address(80) == (sync.status.pod_ip, 80)


def test_a_sandbox_that_was_made_again_has_its_own_address(
    engine: FakeEngine, sync: PodSync, direct: Inside
) -> None:
    """By another process: nobody tells this one."""
    assert sync.observed is not None
    assert sync.observed.sandbox is not None
    old, ip = sync.observed.sandbox, sync.observed.ip
    other = sync_of(engine)
    engine.exit(old.id, 137)
    taken = ContainerRequest("taker", "app:1", {}, network_mode=next(iter(old.addresses)), ipv4_address=ip)
    engine.start_container(engine.create_container(taken))
    settled(other)
    assert other.status.pod_ip not in ("", ip)
    assert direct.address(80) == (other.status.pod_ip, 80)


def test_a_sandbox_that_has_lost_its_network_has_no_address(
    engine: FakeEngine, sync: PodSync, direct: Inside
) -> None:
    assert sync.observed is not None
    assert sync.observed.sandbox is not None
    engine.disconnect_network(sync.observed.sandbox.id)
    with pytest.raises(PodNotRunningError, match="it has no address now"):
        direct.address(80)


def test_one_that_is_gone_has_no_address(engine: FakeEngine, direct: Inside) -> None:
    Teardown(engine, KEY, clock=engine.clock, pool=None).run()
    with pytest.raises(PodNotRunningError, match="it has no address now"):
        direct.address(80)
