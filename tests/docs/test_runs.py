"""What README and docs show is run on the real engine, and what they show of its output is what it prints."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import docker
import pytest

from tests import images
from tests.docs import markdown
from tests.docs.conftest import Shell, left_of
from tests.docs.markdown import Block

pytestmark = [pytest.mark.docker, pytest.mark.usefixtures("client")]

TOUR = 300.0
COMMAND = 300.0
"""Seconds for one command: a whole suite, with another tool's waits, on a busy machine."""


def programs() -> list[tuple[Block, Block]]:
    """Each runnable Python block, and the block of its output."""
    found = []
    for page in markdown.PAGES:
        blocks = markdown.blocks(page)
        for block, after in zip(blocks, blocks[1:] + blocks[:1], strict=True):
            if block.language == "python" and "runnable" in block.words:
                found.append((block, after))
    assert found
    return found


def sessions() -> list[Path]:
    """The pages with runnable console blocks."""
    found = [page for page in markdown.PAGES if console_blocks(page)]
    assert found
    return found


def console_blocks(page: Path) -> list[Block]:
    return [
        block for block in markdown.blocks(page) if block.language == "console" and "runnable" in block.words
    ]


@pytest.mark.parametrize("pair", programs(), ids=lambda pair: pair[0].where)
def test_a_python_block_prints_what_is_shown(pair: tuple[Block, Block], shell: Shell) -> None:
    program, output = pair
    assert (output.language, *output.words) == ("text", "output"), f"{program.where} has no output block"
    path = shell.folder / "program.py"
    path.write_text(program.text)
    done = shell.run([sys.executable, "-W", "error", str(path)])
    assert (done.returncode, done.stderr) == (0, "")
    shown = [markdown.shape(line) for line in output.text.strip().splitlines()]
    assert [markdown.shape(line) for line in done.stdout.strip().splitlines()] == shown


@pytest.mark.parametrize("page", sessions(), ids=lambda page: page.name)
def test_console_blocks_show_what_is_printed(page: Path, shell: Shell) -> None:
    """All of a page, in order, in one folder: one block may use what another one made."""
    for block in markdown.blocks(page):
        if block.file:
            file = shell.folder / block.file
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(block.text)
    try:
        for block in console_blocks(page):
            for command in markdown.commands(block):
                done = shell.run(["bash", "-c", command.text], timeout=COMMAND)
                failed = done.returncode != 0
                assert failed is ("fails" in block.words), f"{command.text}: {done.stdout}{done.stderr}"
                assert command.shown or ">" in command.text, (
                    f"{block.where} shows no output of {command.text}"
                )
                assert markdown.missing(command.shown, done.stdout) == [], done.stdout
    finally:
        # Nothing to do where all went well.
        shell.run(["pypod", "down", "shop", "--grace", "0"])
        for block in console_blocks(page):
            for command in markdown.commands(block):
                if "pypod down" in command.text:
                    shell.run(["bash", "-c", command.text])


def test_the_tour_in_the_readme_is_the_tour(shell: Shell, client: docker.DockerClient) -> None:
    page = markdown.ROOT / "README.md"
    shown = [block for block in markdown.blocks(page) if block.words == ("tour",)]
    assert len(shown) == 1
    done = shell.run(["pypod", "demo", "--image", images.BUSYBOX], timeout=TOUR)
    assert done.returncode == 0, done.stdout + done.stderr
    assert markdown.missing(markdown.commands(shown[0])[0].shown, done.stdout) == [], done.stdout
    namespace = re.search(r"demo-[0-9a-f]+", done.stdout)
    assert namespace
    assert left_of(client, namespace[0], {"tour-a", "tour-b", "tour-unit"}) == []


def test_what_is_left_would_be_seen(client: docker.DockerClient) -> None:
    volume = client.volumes.create(labels={"io.pypod.namespace": "docs-control", "io.pypod.pod": "left"})
    try:
        assert left_of(client, "docs-control", {"left"}) == [volume.name]
        assert left_of(client, "docs-control", {"other"}) == []
    finally:
        volume.remove()
    assert left_of(client, "docs-control", {"left"}) == []


def test_there_are_examples() -> None:
    assert [example.parent.name for example in markdown.EXAMPLES] == [
        "01-two-containers",
        "02-shared-volume",
        "03-two-pods-by-ip",
        "04-init-and-sidecar",
        "05-probes-and-hooks",
    ]


@pytest.mark.parametrize("example", markdown.EXAMPLES, ids=lambda path: path.parent.name)
def test_an_example_prints_what_its_readme_shows(example: Path, shell: Shell) -> None:
    shown = [
        block for block in markdown.blocks(example.with_name("README.md")) if block.words == ("example",)
    ]
    assert len(shown) == 1
    done = shell.run([sys.executable, "-W", "error", str(example)])
    assert (done.returncode, done.stderr) == (0, "")
    lines = [markdown.shape(line) for line in shown[0].text.strip().splitlines()]
    assert [markdown.shape(line) for line in done.stdout.strip().splitlines()] == lines


def test_the_second_pod_sees_the_address_of_the_first(shell: Shell) -> None:
    example = next(path for path in markdown.EXAMPLES if path.parent.name == "03-two-pods-by-ip")
    done = shell.run([sys.executable, str(example), images.BUSYBOX])
    assert done.returncode == 0, done.stderr
    addresses = re.search(r"^a is (\S+), b is (\S+)$", done.stdout, re.MULTILINE)
    seen = re.search(r"^b saw the request come from (\S+)$", done.stdout, re.MULTILINE)
    assert addresses
    assert seen
    assert seen[1] == addresses[1] != addresses[2]


@pytest.mark.parametrize("workers", [[], ["-n", "2"]], ids=["alone", "two workers"])
def test_the_suite_of_the_service_passes(
    workers: list[str], shell: Shell, client: docker.DockerClient
) -> None:
    """As its page says; the images of the servers are the tests' own ones. Nothing of it is left, read from unfiltered lists."""
    folder = markdown.ROOT / "examples" / "06-service-suite"
    used = {"WEB": images.PYTHON, "DATABASE": images.POSTGRES, "CACHE": images.REDIS}
    shell.env.update({f"SHOP_{name}_IMAGE": image for name, image in used.items()})
    # Two workers make six databases at once, of which each is seconds of processor time.
    shell.env["PYPOD_PYTEST_TIMEOUT"] = "200"
    shown = [block for block in markdown.blocks(folder / "README.md") if block.words == ("suite",)]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--pypod-leaks=fail", *workers]
    done = shell.run([*command, str(folder)], timeout=COMMAND)
    assert done.returncode == 0, done.stdout + done.stderr
    assert shown[0].text.strip() in done.stdout
    names = [str(each["Names"]) for each in client.api.containers(all=True)]
    names += [str(volume.name) for volume in client.volumes.list()]
    names += [str(network.name) for network in client.networks.list()]
    assert [name for name in names if "pytest-" in name] == []
