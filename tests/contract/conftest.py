"""The engines that the contract is tested on, and what keeps the tests of it apart and the engine clean."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from pypod.engine.api import Engine
from pypod.testing import FakeEngine
from tests import images
from tests.contract.harness import BUSYBOX, Contract, everything


@pytest.fixture(scope="session")
def docker_engine() -> Iterator[Engine]:
    """The real engine. Nothing of anybody's may be left over where nobody else uses it (in CI)."""
    from pypod.engine import docker_sdk  # noqa: PLC0415

    images.require([BUSYBOX])
    engine: Engine = docker_sdk.connect()
    before = everything(engine)
    yield engine
    left = [what for what in everything(engine) if what not in before]
    engine.close()
    assert not (os.environ.get("CI") and left), f"left on the engine: {left}"


@pytest.fixture(params=["fake", pytest.param("docker", marks=pytest.mark.docker)])
def contract(request: pytest.FixtureRequest) -> Iterator[Contract]:
    """One of the engines, with nothing of this test on it, before and after."""
    if request.param == "fake":
        fake = FakeEngine()
        fake.add_image(BUSYBOX, command=("sh",))
        subject = Contract(fake, fake.clock)
    else:
        subject = Contract(request.getfixturevalue("docker_engine"), None)
    assert subject.leftovers() == []
    try:
        yield subject
    finally:
        subject.clean()
    assert subject.leftovers() == []


@pytest.fixture
def engine(contract: Contract) -> Engine:
    return contract.engine
