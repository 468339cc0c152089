"""The contract of the verbs for the engine itself, images, networks and volumes."""

from __future__ import annotations

import ipaddress

import pytest

from pypod.engine import pause
from pypod.engine.api import Engine
from pypod.errors import ConflictError, EngineError, ImagePullError, NotFoundError, SubnetInUseError
from pypod.model.wiring.requests import MountRequest
from pypod.model.wiring.state import ContainerState
from tests.contract.harness import BUSYBOX, Contract

MISSING = "contract-nobody-has-this"


class TestInfo:
    def test_it_says_what_it_is(self, contract: Contract, engine: Engine) -> None:
        info = engine.info()
        assert info.id
        assert info.version
        assert info.os == "linux"
        assert tuple(int(part) for part in info.api_version.split(".")) >= (1, 41)
        assert info.cpus > 0
        assert info.memory > 0
        assert info.cgroup_version in ("1", "2")
        assert info.id == engine.info().id
        assert contract.architecture in pause.architectures()

    def test_its_time_goes_on(self, contract: Contract, engine: Engine) -> None:
        before = engine.info().system_time
        contract.pass_time(0.05)
        assert 0.04 < engine.info().system_time - before < 30

    def test_it_has_an_address(self, engine: Engine) -> None:
        assert "://" in engine.url

    def test_it_can_be_used_after_close(self, engine: Engine) -> None:
        engine.close()
        assert engine.info().id


class TestImages:
    def test_one_that_is_there(self, engine: Engine) -> None:
        info = engine.image(BUSYBOX)
        assert BUSYBOX in info.references
        assert engine.image(info.id).id == info.id
        assert info.size > 0

    def test_one_that_is_not(self, engine: Engine) -> None:
        with pytest.raises(NotFoundError):
            engine.image(f"{MISSING}:1")

    def test_all(self, engine: Engine) -> None:
        found = {info.id: info for info in engine.images()}
        assert BUSYBOX in found[engine.image(BUSYBOX).id].references
        assert all(info.references for info in found.values())

    def test_the_same_archive_gives_the_same_image(self, contract: Contract, engine: Engine) -> None:
        archive, reference = pause.archive(contract.architecture), contract.pause_image
        engine.load_image(archive)
        first = engine.image(reference)
        engine.load_image(archive)
        assert engine.image(reference) == first
        assert first.labels.items() >= pause.IMAGE_LABELS.items()
        assert first.references == (reference,)
        assert pause.normalise_architecture(first.architecture) == contract.architecture

    @pytest.mark.parametrize("reference", ["localhost:1/none:1", "localhost:1/none"])
    def test_nobody_has_it(self, engine: Engine, reference: str) -> None:
        with pytest.raises(ImagePullError, match="none"):
            engine.pull_image(reference, progress=lambda line: None, register=lambda closable: None)
        with pytest.raises(NotFoundError):
            engine.image(reference)

    def test_a_registry_has_it(self, contract: Contract, engine: Engine, published: str) -> None:
        lines: list[str] = []
        engine.pull_image(published, progress=lines.append)
        try:
            info = engine.image(published)
            assert published in info.references
            assert lines[0].endswith("Pulling from pypod-test/published")
            assert lines[-1] == f"Status: Downloaded newer image for {published}"
            assert len(lines) == len(set(lines))
            contract.run("one", "true", image=published)
            again: list[str] = []
            engine.pull_image(published, progress=again.append)
            assert again[-1] == f"Status: Image is up to date for {published}"
            assert engine.image(published).id == info.id
        finally:
            contract.clean()
            engine.remove_image(published)

    def test_every_layer_tells_its_steps(self, real: Contract, registry: str) -> None:
        """The engine tells the newest step only, and may leave one out that was short (moby distribution/xfer/transfer.go)."""
        wanted, steps = {"Pulling fs layer", "Download complete", "Pull complete"}, set[str]()

        def all_were_told() -> bool:
            lines: list[str] = []
            real.engine.pull_image(registry, progress=lines.append)
            real.engine.remove_image(registry)
            steps.update(line.partition(": ")[2] for line in lines)
            return wanted <= steps

        real.until(all_were_told, f"all of {wanted} are told")

    def test_a_registry_has_not_this_tag(self, real: Contract, registry: str) -> None:
        with pytest.raises(ImagePullError, match="manifest unknown"):
            real.engine.pull_image(f"{registry}-other")


class TestNetworks:
    def test_it_is_made_and_removed(self, contract: Contract, engine: Engine) -> None:
        made, subnet = contract.network()
        (info,) = [found for found in engine.networks() if found.id == made]
        assert (info.name, info.driver, info.subnets) == (contract.name("net"), "bridge", (subnet,))
        assert info.labels == contract.labels
        assert abs(info.created_at - engine.info().system_time) < 30
        engine.remove_network(made)
        assert made not in {found.id for found in engine.networks()}
        with pytest.raises(NotFoundError):
            engine.remove_network(made)

    def test_all_of_the_engines_are_listed(self, engine: Engine) -> None:
        assert {"bridge", "host", "none"} <= {found.name for found in engine.networks()}

    def test_the_subnet_is_the_lock(self, contract: Contract, engine: Engine) -> None:
        _, subnet = contract.network()
        wider = str(ipaddress.ip_network(subnet).supernet(new_prefix=20))
        for taken in (subnet, wider):
            with pytest.raises(SubnetInUseError):
                contract.network_on(taken, "other")
        assert contract.name("other") not in {found.name for found in engine.networks()}

    def test_a_name_may_be_there_twice_and_ids_tell_them_apart_or_it_is_refused(
        self, contract: Contract, engine: Engine
    ) -> None:
        one, _ = contract.network()
        if contract.has_unique_network_names:
            with pytest.raises(ConflictError, match="already exists") as refused:
                contract.network(first=1)
            assert not isinstance(refused.value, SubnetInUseError)
            assert [found.id for found in engine.networks() if found.name == contract.name("net")] == [one]
            return
        two, _ = contract.network(first=1)
        assert {one, two} <= {found.id for found in engine.networks()}
        # Not while both are there: 20.10 then finds the name ambiguous, also of a container that was given the ID.
        engine.remove_network(one)
        made = contract.run_pause(network_mode=two)
        assert engine.container(made).addresses.keys() == {two}

    def test_addresses(self, contract: Contract, engine: Engine) -> None:
        network, subnet = contract.network()
        made = contract.create_pause(network_mode=network)
        member = contract.member("one", made)
        assert engine.container(made).addresses == {}
        engine.start_container(made)
        engine.start_container(member)
        expected = {network: str(ipaddress.ip_network(subnet)[2])}
        assert engine.container(made).addresses == contract.listed()[made].addresses == expected
        assert engine.container(member).addresses == contract.listed()[member].addresses == {}
        assert engine.container(made).gateways == {network: str(ipaddress.ip_network(subnet)[1])}
        assert engine.container(member).gateways == {}
        other = contract.run("two", network_mode=network)
        assert engine.container(other).addresses == {network: str(ipaddress.ip_network(subnet)[3])}
        engine.kill_container(made)
        contract.ended(made)
        assert engine.container(made).addresses == contract.listed()[made].addresses == {}
        assert engine.container(made).gateways == {}

    def test_an_address_can_be_asked_for(self, contract: Contract, engine: Engine) -> None:
        network, subnet = contract.network()
        wanted = str(ipaddress.ip_network(subnet)[77])
        one = contract.run_pause("one", network_mode=network, ipv4_address=wanted)
        assert engine.container(one).addresses == contract.listed()[one].addresses == {network: wanted}
        other = contract.run("other", network_mode=network)
        assert engine.container(other).addresses == {network: str(ipaddress.ip_network(subnet)[2])}

    def test_an_address_that_somebody_has_is_refused_until_it_is_free(
        self, contract: Contract, engine: Engine
    ) -> None:
        network, _ = contract.network()
        one = contract.run("one", network_mode=network)
        wanted = engine.container(one).addresses[network]
        two = contract.create_pause("two", network_mode=network, ipv4_address=wanted)
        with pytest.raises(EngineError, match="Address already in use"):
            engine.start_container(two)
        info = engine.container(two)
        assert (info.state, info.exit_code, info.addresses) == (ContainerState.CREATED, 128, {})
        assert "Address already in use" in info.error
        engine.kill_container(one)
        contract.ended(one)
        engine.start_container(two)
        assert engine.container(two).addresses == {network: wanted}

    def test_an_address_of_another_subnet_is_refused(self, contract: Contract, engine: Engine) -> None:
        """At the start; since 25.0 when it is made."""
        network, _ = contract.network()
        with pytest.raises(EngineError, match=r"192\.0\.2\.7"):
            engine.start_container(contract.create("one", network_mode=network, ipv4_address="192.0.2.7"))

    def test_one_that_is_taken_off_its_network_runs_on_without_an_address(
        self, contract: Contract, engine: Engine
    ) -> None:
        network, _ = contract.network()
        made = contract.run_pause(network_mode=network)
        contract.outside.disconnect_network(made)
        for _ in range(2):
            info = engine.container(made)
            assert (info.state, info.addresses) == (ContainerState.RUNNING, {})
            engine.kill_container(made)
            contract.ended(made)
            engine.start_container(made)
        engine.remove_network(network)

    @pytest.mark.parametrize("runs", [True, False], ids=["running", "created"])
    def test_it_joins_another_one(self, contract: Contract, engine: Engine, runs: bool) -> None:
        network, subnet = contract.network()
        more, other = contract.network("more", first=128)
        made = (contract.run_pause if runs else contract.create_pause)(network_mode=network)
        for _ in range(2):  # the second time it is on it
            engine.connect_network(more, made, ("one", "two"))
        engine.start_container(made)
        engine.connect_network(more, made)
        seconds = {key: str(ipaddress.ip_network(net)[2]) for key, net in ((network, subnet), (more, other))}
        assert engine.container(made).addresses == contract.listed()[made].addresses == seconds
        firsts = {key: str(ipaddress.ip_network(net)[1]) for key, net in ((network, subnet), (more, other))}
        assert engine.container(made).gateways == firsts
        with pytest.raises(ConflictError):
            engine.remove_network(more)
        contract.outside.disconnect_network(made, more)
        assert engine.container(made).addresses == {network: seconds[network]}
        engine.remove_network(more)
        engine.remove_container(made)
        assert network in {found.id for found in engine.networks()}

    def test_it_is_on_both_until_its_end(self, contract: Contract, engine: Engine) -> None:
        network, _ = contract.network()
        more, _ = contract.network("more", first=128)
        made = contract.run_pause(network_mode=network)
        engine.connect_network(more, made)
        engine.kill_container(made)
        contract.ended(made)
        assert engine.container(made).addresses == {}
        other = contract.run("two", network_mode=more)
        assert len(engine.container(other).addresses) == 1
        engine.remove_container(made)

    def test_a_network_or_a_container_that_is_not_there_is_not_joined(
        self, contract: Contract, engine: Engine
    ) -> None:
        network, _ = contract.network()
        made = contract.run_pause(network_mode=network)
        with pytest.raises(NotFoundError):
            engine.connect_network("contract-none", made)
        with pytest.raises(NotFoundError):
            engine.connect_network(network, "contract-none")

    def test_an_address_is_free_again_at_the_end(self, contract: Contract, engine: Engine) -> None:
        network, _ = contract.network()
        one = contract.run_pause("one", network_mode=network)
        addresses = engine.container(one).addresses
        engine.remove_container(one)
        two = contract.run_pause("two", network_mode=network)
        assert engine.container(two).addresses == addresses

    def test_one_in_use_stays(self, contract: Contract, engine: Engine) -> None:
        network, _ = contract.network()
        made = contract.run_pause(network_mode=network)
        with pytest.raises(ConflictError):
            engine.remove_network(network)
        engine.remove_container(made)
        engine.remove_network(network)

    def test_what_is_not_there_is_not_found(self, engine: Engine) -> None:
        with pytest.raises(NotFoundError):
            engine.remove_network(MISSING)


class TestVolumes:
    def test_it_is_made_and_removed(self, contract: Contract, engine: Engine) -> None:
        name = contract.volume()
        (info,) = engine.volumes(contract.labels)
        assert (info.name, info.labels) == (name, contract.labels)
        assert name in info.mountpoint
        assert info.mountpoint.startswith("/")
        assert abs(info.created_at - engine.info().system_time) < 60
        engine.remove_volume(name)
        assert engine.volumes(contract.labels) == []
        with pytest.raises(NotFoundError):
            engine.remove_volume(name)

    def test_labels_select(self, contract: Contract, engine: Engine) -> None:
        name = contract.volume()
        (key,) = contract.labels
        assert name in {found.name for found in engine.volumes({key: ""})}
        assert name in {found.name for found in engine.volumes({})}
        assert engine.volumes({**contract.labels, "other": ""}) == []

    def test_one_that_is_there_is_left_as_it_is(self, contract: Contract, engine: Engine) -> None:
        contract.volume()
        before = engine.volumes(contract.labels)
        contract.volume()
        assert engine.volumes(contract.labels) == before

    def test_in_memory_with_a_size(self, contract: Contract, engine: Engine) -> None:
        name = contract.volume(memory=True, size_limit=1 << 20)
        made = contract.run("one", mounts=(MountRequest(name, "/data"),))
        engine.remove_container(made)
        engine.remove_volume(name)

    def test_one_in_use_stays(self, contract: Contract, engine: Engine) -> None:
        name = contract.volume()
        made = contract.create("one", mounts=(MountRequest(name, "/data"),))
        with pytest.raises(ConflictError):
            engine.remove_volume(name)
        engine.remove_container(made)
        engine.remove_volume(name)
