"""README and docs say what is: links lead somewhere, scripts exist, every command is described."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs import markdown

ROOT = markdown.ROOT
CLI_PAGE = markdown.ROOT / "docs" / "cli.md"
README = markdown.ROOT / "README.md"
LINKING = (*markdown.PAGES, *sorted((ROOT / "examples").glob("*/README.md")))
BASH = [block for page in LINKING for block in markdown.blocks(page) if block.language == "bash"]


def help_of(*words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "pypod", *words, "--help"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def real_commands() -> set[str]:
    """Those that `pypod --help` lists."""
    found = re.findall(r"^    ([a-z][a-z-]*)\b", help_of(), re.MULTILINE)
    assert len(found) >= 10
    return set(found)


def test_every_command_is_described_and_every_described_command_exists() -> None:
    described = re.findall(r"^## pypod ([a-z-]+)$", CLI_PAGE.read_text(), re.MULTILINE)
    assert sorted(described) == sorted(real_commands())


def test_every_option_of_a_command_is_described_and_every_described_option_exists() -> None:
    for command in sorted(real_commands()):
        real = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", help_of(command))) - {"--help"}
        described = set(
            re.findall(r"`[^`\n]*?(--[a-z][a-z-]*)[^`\n]*`", markdown.section(CLI_PAGE, f"pypod {command}"))
        )
        assert described == real, command


def test_exit_codes_that_are_described_are_the_real_ones() -> None:
    from pypod.cli import common  # noqa: PLC0415

    described = {int(code) for code in re.findall(r"^\| (\d+) \|", CLI_PAGE.read_text(), re.MULTILINE)}
    real = {value for name, value in vars(common).items() if name.startswith("EXIT_")}
    assert described == {0, *real}


@pytest.mark.parametrize("page", LINKING, ids=lambda page: str(page.relative_to(markdown.ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in markdown.links(page):
        if target.startswith(("https://", "http://")):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), target
        assert not anchor or anchor in markdown.anchors(file), target


def test_the_readme_links_the_documentation_and_every_example() -> None:
    targets = markdown.links(README)
    assert "docs/index.md" in targets
    assert markdown.EXAMPLES
    for example in markdown.EXAMPLES:
        assert f"examples/{example.parent.name}/README.md" in targets


def test_the_index_links_every_page() -> None:
    index = markdown.ROOT / "docs" / "index.md"
    linked = {target for target in markdown.links(index) if "/" not in target}
    assert linked == {page.name for page in index.parent.glob("*.md")} - {"index.md"}


def test_the_readme_names_the_two_commands() -> None:
    first = next(block for block in BASH if block.page == README)
    assert first.text.split() == ["scripts/quickstart", "scripts/test"]


@pytest.mark.parametrize("block", BASH, ids=lambda block: block.where)
def test_programs_that_bash_blocks_name_exist(block: markdown.Block) -> None:
    paths = re.findall(r"(?<![\w./-])(?:scripts|examples|tests)/[\w./-]+", block.text)
    assert paths or block.page.name == "contributing.md"
    for path in paths:
        assert (markdown.ROOT / path).exists(), path
        if path.startswith("scripts/"):
            assert (markdown.ROOT / path).stat().st_mode & 0o111, path


def test_the_change_log_has_this_version() -> None:
    from pypod import __version__  # noqa: PLC0415

    versions = re.findall(r"^## (\d+\.\d+\.\d+)", (markdown.ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert versions[0] == __version__


@pytest.mark.parametrize("page", LINKING, ids=lambda page: str(page.relative_to(markdown.ROOT)))
def test_files_of_the_package_that_the_text_names_exist(page: Path) -> None:
    for path in re.findall(r"(?<!io\.)\bpypod/[\w/.-]*\w/?", markdown.prose(page)):
        assert (markdown.ROOT / path).exists() or path == "pypod/pause", path


def test_runnable_python_blocks_are_checked_with_their_output() -> None:
    """A Python block that is not run is one that rots: there is none. What is a file is run by a command of its page that names it."""
    found = [block for page in LINKING for block in markdown.blocks(page) if block.language == "python"]
    assert found
    assert [block.where for block in found if "runnable" not in block.words and not is_run(block)] == []


def is_run(block: markdown.Block) -> bool:
    """Whether a runnable command of the page names the file that the block is written to, or the folder that it is in."""
    consoles = [
        each
        for each in markdown.blocks(block.page)
        if "runnable" in each.words and each.language == "console"
    ]
    commands = [command.text for console in consoles for command in markdown.commands(console)]
    folder = block.file.rpartition("/")[0]
    names = {block.file, folder} - {""}
    return any(name in command.split() for command in commands for name in names) or (
        block.file != "" and not folder and any(is_whole_suite(command) for command in commands)
    )


def is_whole_suite(command: str) -> bool:
    """Whether it runs pytest on all that the folder of the page has."""
    first, *others = command.split()
    return first == "pytest" and all(word.startswith("-") or word.isdigit() for word in others)


def test_the_plugins_options_are_described_as_they_are() -> None:
    from pypod.pytest.options import OPTIONS  # noqa: PLC0415

    table = markdown.section(ROOT / "docs" / "pytest.md", "Options")
    rows = [
        [cell.strip() for cell in line.split(" | ")] for line in table.splitlines() if line.startswith("| `")
    ]
    described = [
        (cells[0].strip("| `"), cells[1], cells[2], cells[3], cells[4].strip(" |")) for cells in rows
    ]
    assert described == [
        (each.usage, f"`{each.variable}`", f"`{each.ini}`", each.default_text, each.help) for each in OPTIONS
    ]
