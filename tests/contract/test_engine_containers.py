"""The contract of the verbs that make, start, end and remove containers."""

from __future__ import annotations

from typing import ClassVar

import pytest

from pypod.engine.api import Engine
from pypod.errors import ConflictError, EngineError, NotFoundError
from pypod.model.wiring.requests import MountRequest
from pypod.model.wiring.state import ContainerState
from tests.contract.harness import Contract, output
from tests.contract.outside import DockerOutside

MISSING = "contract-nobody-has-this"


class TestCreate:
    def test_a_container_is_created_and_not_started(self, contract: Contract, engine: Engine) -> None:
        made = contract.create("one")
        info = engine.container(made)
        assert (info.id, info.name, info.state) == (made, contract.name("one"), ContainerState.CREATED)
        assert info.labels.items() >= contract.labels.items()
        assert info.image == contract.request("one").image
        assert (info.started_at, info.finished_at, info.exit_code, info.error) == (None, None, None, "")
        assert not info.oom_killed
        assert not info.has_ended
        assert info.stop_signal == "SIGTERM"
        assert abs(info.created_at - engine.info().system_time) < 60

    def test_name_and_id_both_name_it(self, contract: Contract, engine: Engine) -> None:
        made = contract.create("one")
        assert engine.container(contract.name("one")) == engine.container(made)

    def test_a_taken_name_is_refused(self, contract: Contract) -> None:
        contract.create("one")
        with pytest.raises(ConflictError, match=contract.name("one")):
            contract.create("one")

    def test_a_missing_image_is_not_found(self, contract: Contract) -> None:
        with pytest.raises(NotFoundError):
            contract.create("one", image=f"{MISSING}:1")
        assert contract.listed() == {}

    def test_a_missing_network_is_not_found(self, contract: Contract) -> None:
        with pytest.raises(NotFoundError):
            contract.create("one", network_mode=MISSING)
        assert contract.listed() == {}

    def test_what_is_not_there_is_not_found(self, engine: Engine) -> None:
        with pytest.raises(NotFoundError):
            engine.container(MISSING)


class TestList:
    def test_labels_select(self, contract: Contract, engine: Engine) -> None:
        one = contract.create("one", labels={**contract.labels, "kind": "a"})
        two = contract.create("two", labels={**contract.labels, "kind": "b"})
        assert contract.listed().keys() == {one, two}
        assert contract.listed(kind="a").keys() == {one}
        assert contract.listed(kind="").keys() == {one, two}
        assert contract.listed(other="").keys() == set()
        assert {one, two} <= {info.id for info in engine.containers({})}

    def test_a_list_knows_less_than_an_inspection(self, contract: Contract) -> None:
        made = contract.run("one", "sh", "-c", "exit 3")
        contract.ended(made)
        info = contract.listed()[made]
        assert (info.name, info.state) == (contract.name("one"), ContainerState.EXITED)
        assert info.image == contract.request("one").image
        assert info.labels.items() >= contract.labels.items()
        assert (info.started_at, info.finished_at, info.exit_code, info.error) == (None, None, None, "")
        assert info.stop_signal == "SIGTERM"

    def test_a_stop_signal_of_its_own(self, contract: Contract, engine: Engine) -> None:
        made = contract.create("one", stop_signal="SIGUSR1")
        assert engine.container(made).stop_signal == "SIGUSR1"

    def test_created_and_running_ones_are_listed(self, contract: Contract) -> None:
        created, running = contract.create("one"), contract.run("two")
        listed = contract.listed()
        assert listed[created].state is ContainerState.CREATED
        assert listed[running].state is ContainerState.RUNNING


class TestStart:
    def test_it_runs(self, contract: Contract, engine: Engine) -> None:
        info = engine.container(contract.run("one"))
        assert info.state is ContainerState.RUNNING
        assert info.is_live
        assert info.started_at is not None
        assert abs(info.started_at - engine.info().system_time) < 60
        assert (info.exit_code, info.finished_at) == (None, None)

    def test_one_that_runs_is_left_running(self, contract: Contract, engine: Engine) -> None:
        made = contract.run("one")
        before = engine.container(made)
        engine.start_container(made)
        assert engine.container(made) == before

    def test_it_ends_with_its_exit_code(self, contract: Contract) -> None:
        info = contract.ended(contract.run("one", "sh", "-c", "exit 3"))
        assert info.exit_code == 3
        assert info.started_at is not None
        assert info.finished_at is not None
        # The engine takes the end's time from the shim and notes the start's later: a short life may seem negative.
        assert info.finished_at >= info.started_at - 1
        assert info.has_ended
        assert not info.failed_to_start

    def test_it_ends_when_its_time_is_over(self, contract: Contract) -> None:
        made = contract.run("one", "sh", "-c", "sleep 0.3; exit 5")
        # On a busy machine a real one may be over before it is looked at.
        assert contract.state(made) is ContainerState.RUNNING or contract.clock is None
        assert contract.ended(made).exit_code == 5

    def test_an_ended_one_starts_again(self, contract: Contract, engine: Engine) -> None:
        script = "echo run; test -e /again && sleep 1000; touch /again; exit 4"
        made = contract.run("one", "sh", "-c", script)
        assert contract.ended(made).exit_code == 4
        engine.start_container(made)
        info = engine.container(made)
        assert (info.state, info.exit_code) == (ContainerState.RUNNING, None)
        contract.until(lambda: contract.log(made) == b"run\nrun\n", "it runs again")

    def test_the_entrypoint_replaces_the_images_command(self, contract: Contract) -> None:
        request = {"entrypoint": ("sh", "-c", "echo entry")}
        made = contract.engine.create_container(contract.request("one", "ignored", **request))
        contract.containers.append(made)
        contract.engine.start_container(made)
        contract.ended(made)
        assert contract.log(made) == b"entry\n"

    def test_a_missing_command_is_127(self, contract: Contract, engine: Engine) -> None:
        made = contract.create("one", "nosuch")
        with pytest.raises(EngineError) as caught:
            engine.start_container(made)
        assert not isinstance(caught.value, NotFoundError | ConflictError)
        assert "nosuch" in caught.value.detail
        info = engine.container(made)
        assert (info.state, info.exit_code) == (ContainerState.CREATED, 127)
        assert "executable file not found in $PATH" in info.error
        assert info.failed_to_start
        assert info.started_at is None

    def test_a_missing_path_is_127(self, contract: Contract, engine: Engine) -> None:
        made = contract.create("one", "/no/such")
        with pytest.raises(EngineError):
            engine.start_container(made)
        assert engine.container(made).exit_code == 127
        assert "no such file or directory" in engine.container(made).error

    def test_a_file_that_is_no_program_is_126(self, contract: Contract, engine: Engine) -> None:
        made = contract.create("one", "/etc/passwd")
        with pytest.raises(EngineError):
            engine.start_container(made)
        info = engine.container(made)
        assert (info.state, info.exit_code) == (ContainerState.CREATED, 126)
        assert "permission denied" in info.error

    def test_what_is_not_there_is_not_found(self, engine: Engine) -> None:
        with pytest.raises(NotFoundError):
            engine.start_container(MISSING)


class TestHostNetwork:
    def test_it_is_told_also_before_the_start(self, contract: Contract, engine: Engine) -> None:
        on_host = contract.create("host", network_mode="host", uts_mode="host")
        apart = contract.create("apart")
        for _ in range(2):
            listed = {info.id: info.host_network for info in engine.containers(contract.labels)}
            assert listed == {on_host: True, apart: False}
            assert (engine.container(on_host).host_network, engine.container(apart).host_network) == (
                True,
                False,
            )
            assert engine.container(on_host).addresses == {}
            engine.start_container(on_host)

    def test_others_join_it(self, contract: Contract, engine: Engine) -> None:
        pause = contract.create_pause(network_mode="host", uts_mode="host")
        engine.start_container(pause)
        member = contract.run("one", network_mode=f"container:{pause}", uts_mode="host", ipc_mode="host")
        assert engine.container(member).is_live
        assert not engine.container(member).host_network


class TestJoin:
    def test_a_name_is_turned_into_the_id_at_create(self, contract: Contract, engine: Engine) -> None:
        pause = contract.run_pause()
        member = contract.member("one", contract.name("pause"))
        engine.rename_container(pause, contract.name("renamed"))
        engine.start_container(member)
        assert contract.state(member) is ContainerState.RUNNING

    def test_it_can_be_asked_for_before_the_other_runs(self, contract: Contract, engine: Engine) -> None:
        pause = contract.create_pause()
        member = contract.member("one", pause)
        with pytest.raises(ConflictError):
            engine.start_container(member)
        info = engine.container(member)
        assert info.state is ContainerState.CREATED
        assert info.failed_to_start
        engine.start_container(pause)
        engine.start_container(member)
        info = engine.container(member)
        assert (info.state, info.error, info.exit_code) == (ContainerState.RUNNING, "", None)

    @pytest.mark.parametrize("mode", ["network_mode", "ipc_mode", "pid_mode"])
    def test_each_space_needs_the_other_to_run(self, contract: Contract, engine: Engine, mode: str) -> None:
        pause = contract.create_pause()
        member = contract.create("one", **{mode: f"container:{pause}"})
        with pytest.raises(ConflictError):
            engine.start_container(member)

    def test_one_that_was_removed_since(self, contract: Contract, engine: Engine) -> None:
        pause = contract.create_pause()
        member = contract.member("one", pause)
        engine.remove_container(pause)
        with pytest.raises(ConflictError):
            engine.start_container(member)

    def test_one_that_never_was(self, contract: Contract, engine: Engine) -> None:
        member = contract.create("one", network_mode=f"container:{MISSING}")
        with pytest.raises(ConflictError):
            engine.start_container(member)

    def test_a_private_ipc_space_cannot_be_joined(self, contract: Contract, engine: Engine) -> None:
        other = contract.run("other")
        member = contract.create("one", ipc_mode=f"container:{other}")
        with pytest.raises(EngineError):
            engine.start_container(member)

    def test_members_in_its_pid_space_end_with_the_pause(self, contract: Contract, engine: Engine) -> None:
        pause = contract.run_pause()
        member = contract.member("one", pause)
        engine.start_container(member)
        engine.kill_container(pause)
        assert contract.ended(member).exit_code == 137

    def test_a_member_with_its_own_pid_space_lives_on(self, contract: Contract, engine: Engine) -> None:
        pause = contract.run_pause()
        member = contract.member("one", pause, pid=False)
        engine.start_container(member)
        engine.kill_container(pause)
        contract.ended(pause)
        contract.pass_time(0.3)
        assert contract.state(member) is ContainerState.RUNNING

    def test_members_end_alone(self, contract: Contract, engine: Engine) -> None:
        pause = contract.run_pause()
        one, two = contract.member("one", pause), contract.member("two", pause)
        engine.start_container(one)
        engine.start_container(two)
        engine.kill_container(one)
        contract.ended(one)
        assert contract.state(two) is ContainerState.RUNNING
        assert contract.state(pause) is ContainerState.RUNNING


class TestKill:
    def test_kill_is_the_default(self, contract: Contract, engine: Engine) -> None:
        made = contract.run("one")
        engine.kill_container(made)
        info = contract.ended(made)
        assert (info.exit_code, info.oom_killed) == (137, False)

    def test_sigterm_ends_the_pause_with_0(self, contract: Contract, engine: Engine) -> None:
        """When it has begun: before, it is the engine's own program, which a signal ends with another code or not at all."""
        pause = contract.run_pause()
        contract.closing(engine.attach_stdin(pause)).send(b"up\n")
        contract.until(lambda: contract.log(pause) == b"up\n", "it has begun")
        engine.kill_container(pause, "SIGTERM")
        assert contract.ended(pause).exit_code == 0

    def test_sigterm_ends_a_program_in_a_shared_pid_space(self, contract: Contract, engine: Engine) -> None:
        member = contract.member("one", contract.run_pause())
        engine.start_container(member)
        engine.kill_container(member, "SIGTERM")
        assert contract.ended(member).exit_code == 143

    def test_a_program_without_a_handler_ignores_it_as_pid_1(
        self, contract: Contract, engine: Engine
    ) -> None:
        made = contract.run("one", "sh", "-c", "echo up; sleep 1000")
        contract.until(lambda: contract.log(made) == b"up\n", "it has begun")
        engine.kill_container(made, "SIGTERM")
        contract.pass_time(0.3)
        assert contract.state(made) is ContainerState.RUNNING

    def test_an_unknown_signal_is_refused(self, contract: Contract, engine: Engine) -> None:
        made = contract.run("one")
        with pytest.raises(EngineError):
            engine.kill_container(made, "SIGNONE")
        assert contract.state(made) is ContainerState.RUNNING

    def test_one_that_does_not_run_is_a_conflict(self, contract: Contract, engine: Engine) -> None:
        created, ended = contract.create("one"), contract.run("two", "true")
        contract.ended(ended)
        for made in (created, ended):
            with pytest.raises(ConflictError):
                engine.kill_container(made)

    def test_what_is_not_there_is_not_found(self, engine: Engine) -> None:
        with pytest.raises(NotFoundError):
            engine.kill_container(MISSING)


class TestPaused:
    def test_it_waits(self, contract: Contract, engine: Engine) -> None:
        made = contract.create("one", "cat", stdin_open=True, stdin_once=True)
        channel = contract.closing(engine.attach_stdin(made))
        engine.start_container(made)
        contract.outside.pause(made)
        channel.send(b"on\n")
        contract.pass_time(0.3)
        assert contract.state(made) is ContainerState.PAUSED
        assert contract.log(made) == b""
        contract.outside.unpause(made)
        contract.until(lambda: contract.log(made) == b"on\n", "it goes on")
        channel.close()
        assert contract.ended(made).exit_code == 0

    @pytest.mark.parametrize(("signal", "code"), [("SIGTERM", 143), ("SIGKILL", 137)])
    def test_a_signal_wakes_it(self, contract: Contract, engine: Engine, signal: str, code: int) -> None:
        member = contract.member("one", contract.run_pause())
        engine.start_container(member)
        contract.outside.pause(member)
        engine.kill_container(member, signal)
        assert contract.ended(member).exit_code == code

    def test_it_cannot_be_started_but_joined_and_removed(self, contract: Contract, engine: Engine) -> None:
        pause = contract.run_pause()
        contract.outside.pause(pause)
        with pytest.raises(ConflictError, match="unpause"):
            engine.start_container(pause)
        member = contract.member("one", pause)
        engine.start_container(member)
        assert contract.state(member) is ContainerState.RUNNING
        engine.remove_container(pause)
        contract.ended(member)


class TestLimits:
    LIMITS: ClassVar = {"memory": 32 << 20, "cpu_quota": 50_000, "cpu_shares": 128, "oom_score_adj": 900}

    def test_the_engine_has_them(self, real: Contract) -> None:
        assert isinstance(real.outside, DockerOutside)
        made = real.run("one", **self.LIMITS)
        found = real.outside.inspect(made)["HostConfig"]
        wanted = {"Memory": 32 << 20, "MemorySwap": 32 << 20, "CpuQuota": 50_000, "CpuPeriod": 100_000}
        wanted |= {"CpuShares": 128, "OomScoreAdj": 900}
        assert {key: found[key] for key in wanted} == wanted
        score = real.engine.exec(made, ["cat", "/proc/1/oom_score_adj"])
        assert output(real.closing(score)) == b"900\n"

    def test_without_them_there_are_none(self, real: Contract) -> None:
        assert isinstance(real.outside, DockerOutside)
        found = real.outside.inspect(real.create("one"))["HostConfig"]
        limits = ("Memory", "MemorySwap", "CpuQuota", "CpuPeriod", "CpuShares", "OomScoreAdj")
        assert [found[key] for key in limits] == [0] * len(limits)

    def test_what_is_too_little_is_refused(self, contract: Contract) -> None:
        for less in ({"memory": (6 << 20) - 1}, {"cpu_quota": 999}):
            with pytest.raises(EngineError) as caught:
                contract.create("one", **less)
            assert caught.value.status == 400
        contract.create("one", memory=6 << 20, cpu_quota=1000)


class TestRename:
    def test_a_running_one_is_renamed(self, contract: Contract, engine: Engine) -> None:
        made = contract.run("one")
        engine.rename_container(made, contract.name("two"))
        assert engine.container(made).name == contract.name("two")
        assert contract.listed()[made].name == contract.name("two")
        with pytest.raises(NotFoundError):
            engine.container(contract.name("one"))
        contract.create("one")

    def test_a_taken_name_is_refused(self, contract: Contract, engine: Engine) -> None:
        one, _ = contract.create("one"), contract.create("two")
        with pytest.raises(ConflictError):
            engine.rename_container(one, contract.name("two"))
        assert engine.container(one).name == contract.name("one")

    def test_what_is_not_there_is_not_found(self, contract: Contract, engine: Engine) -> None:
        with pytest.raises(NotFoundError):
            engine.rename_container(MISSING, contract.name("two"))


class TestRemove:
    def test_a_running_one_is_killed(self, contract: Contract, engine: Engine) -> None:
        made = contract.run("one")
        engine.remove_container(made)
        assert contract.listed() == {}
        with pytest.raises(NotFoundError):
            engine.container(made)

    def test_twice(self, contract: Contract, engine: Engine) -> None:
        made = contract.create("one")
        engine.remove_container(made)
        with pytest.raises(NotFoundError):
            engine.remove_container(made)

    def test_a_named_volume_stays(self, contract: Contract, engine: Engine) -> None:
        volume = contract.volume()
        made = contract.create("one", mounts=(MountRequest(volume, "/data"),))
        engine.remove_container(made)
        assert [found.name for found in engine.volumes(contract.labels)] == [volume]

    def test_removing_the_pause_ends_the_members_of_its_pid_space(
        self, contract: Contract, engine: Engine
    ) -> None:
        pause = contract.run_pause()
        member = contract.member("one", pause)
        engine.start_container(member)
        engine.remove_container(pause)
        assert contract.ended(member).exit_code == 137
