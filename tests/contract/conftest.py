"""The engines that the contract is tested on, and what keeps the tests of it apart and the engine clean."""

from __future__ import annotations

import contextlib
import os
import pathlib
import shutil
import time
from collections.abc import Iterator

import pytest

from pypod.engine.api import Engine
from pypod.model import naming
from pypod.testing import FakeEngine, Program
from tests import images, own_engine
from tests.contract.harness import BUSYBOX, HUNGRY, PATIENCE, Contract, everything
from tests.contract.outside import DockerOutside
from tests.contract.registry import PASSWORD, PROGRAM, PUBLISHED, USER, serving

KEPT = f"network {naming.network_name('')} "
"""The flat network: pypod leaves it on purpose."""
INIT = pathlib.Path("/run/systemd/system")


@pytest.fixture(scope="session")
def docker_engine() -> Iterator[Engine]:
    """The real engine. Nothing of anybody's may be left over where nobody else uses it."""
    from pypod.engine import docker_engine  # noqa: PLC0415

    images.require([BUSYBOX])
    engine: Engine = docker_engine.connect()
    before = everything(engine)
    yield engine
    deadline = time.monotonic() + PATIENCE
    while left := [what for what in everything(engine) if what not in before and what != KEPT]:
        if not own_engine.is_alone() or time.monotonic() > deadline:
            break
        time.sleep(0.1)
    engine.close()
    assert not (own_engine.is_alone() and left), f"left on the engine: {left}"


@pytest.fixture(params=["fake", pytest.param("docker", marks=pytest.mark.docker)])
def contract(request: pytest.FixtureRequest) -> Iterator[Contract]:
    """One of the engines, with nothing of this test on it, before and after."""
    if request.param == "fake":
        fake = FakeEngine()
        fake.add_image(BUSYBOX, command=("sh",))
        fake.program(HUNGRY[0], Program())
        subject = Contract(fake, fake.clock, fake)
        with _clean(subject):
            yield subject
    else:
        yield request.getfixturevalue("real")


@pytest.fixture
def real(docker_engine: Engine) -> Iterator[Contract]:
    """The real engine, for what the fake has not got."""
    with contextlib.closing(DockerOutside(docker_engine.url)) as outside:
        subject = Contract(docker_engine, None, outside)
        with _clean(subject):
            yield subject


@contextlib.contextmanager
def _clean(subject: Contract) -> Iterator[None]:
    assert subject.leftovers() == []
    try:
        yield
    finally:
        subject.clean()
    # Pressed hard, 20.10 lists a moment longer what it has removed.
    subject.until(lambda: not subject.leftovers(), "nothing is left")


@pytest.fixture
def engine(contract: Contract) -> Engine:
    return contract.engine


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory, docker_engine: Engine) -> Iterator[str]:
    """A registry's reference of an image with a layer that the engine has not got."""
    _need_registry()
    with serving(tmp_path_factory.mktemp("registry")) as address:
        with contextlib.closing(DockerOutside(docker_engine.url)) as outside:
            reference = f"{address}/{PUBLISHED}"
            outside.publish(BUSYBOX, reference)
        yield reference


def _need_registry() -> None:
    if shutil.which(PROGRAM) is None:
        # scripts/test installs it where no service manager would start it on port 5000 for all the network.
        assert not os.environ.get("CI") or INIT.exists(), f"install {PROGRAM}: a pull is tested on it"
        pytest.skip(f"{PROGRAM} (of the Debian package of that name) is not installed")


@pytest.fixture(scope="session")
def private_registry(tmp_path_factory: pytest.TempPathFactory, docker_engine: Engine) -> Iterator[str]:
    """The same in a registry that gives it to `registry.USER` with his password alone."""
    _need_registry()
    with serving(tmp_path_factory.mktemp("private"), private=True) as address:
        with contextlib.closing(DockerOutside(docker_engine.url)) as outside:
            reference = f"{address}/{PUBLISHED}"
            outside.publish(BUSYBOX, reference, {"username": USER, "password": PASSWORD})
        yield reference


@pytest.fixture
def private(contract: Contract, request: pytest.FixtureRequest) -> str:
    """A reference that a private registry has and the engine has not."""
    if isinstance(contract.engine, FakeEngine):
        reference = f"localhost:5000/private/{PUBLISHED}"
        contract.engine.add_registry_image(reference, login=(USER, PASSWORD))
        return reference
    found: str = request.getfixturevalue("private_registry")
    return found


@pytest.fixture
def published(contract: Contract, request: pytest.FixtureRequest) -> str:
    """A reference that a registry has and the engine has not."""
    if isinstance(contract.engine, FakeEngine):
        reference = f"localhost:5000/{PUBLISHED}"
        contract.engine.add_registry_image(reference)
        return reference
    found: str = request.getfixturevalue("registry")
    return found
