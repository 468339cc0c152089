"""Manifests by others run on a real engine, under the images' names that they ask for, and behave as their pages and books say."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator

import pytest

from tests import corpus
from tests.contract.dockerd import cannot_run
from tests.integration import corpus_configuration, corpus_engine, corpus_life, corpus_limits
from tests.integration.corpus_engine import CASES, World

pytestmark = [
    pytest.mark.skipif(bool(corpus.MISSING), reason=corpus.MISSING),
    pytest.mark.timeout(400),
]

ASKED = (corpus_configuration, corpus_life, corpus_limits)
"""Their cases are in `CASES`."""
LEAST = 40

NO_DIRECTORIES = {
    "defaultAction": "SCMP_ACT_ALLOW",
    "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO"}],
}
"""In the place of the page's own profile, which one must see to hold."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """All pods, on an engine of their own."""
    if why := cannot_run():
        assert not os.environ.get("CI"), why
        pytest.skip(why)
    profiles = tmp_path_factory.mktemp("seccomp")
    (profiles / "profiles").mkdir()
    (profiles / "profiles" / "fine-grained.json").write_text(json.dumps(NO_DIRECTORIES))
    with corpus_engine.world({"PYPOD_SECCOMP_PROFILES": str(profiles)}) as found:
        yield found


def test_enough_of_them_run() -> None:
    pods = [file for file in CASES if any(part.kind == "Pod" for part in corpus.parts_of(file))]
    assert len(pods) >= LEAST, len(pods)
    assert {module.__name__ for module in ASKED} == {each.check.__module__ for each in CASES.values()}


def _order(file: str) -> tuple[bool, str]:
    """Those that take their time are looked at last."""
    return CASES[file].slow, file


FILES = sorted(CASES, key=_order)


@pytest.mark.parametrize("file", FILES)
def test_it_behaves_as_its_page_says(world: World, file: str) -> None:
    if file in world.unreadable:
        raise world.unreadable[file]
    run = world.runs[file]
    if run.error is not None and CASES[file].check is not corpus_life.no_image_name:
        raise run.error
    CASES[file].check(run)
