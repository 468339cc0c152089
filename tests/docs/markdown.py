"""What the documentation shows: code blocks, links, headings; and how shown output is compared with real output.

A fenced block says after its language what the tests do with it:

- ``python runnable``: run; a ``text output`` block after it is what it prints.
- ``yaml file=NAME``, ``python file=NAME``: written to NAME in the folder of the page's runnable blocks.
- ``console runnable``: each ``$ command`` is run, and the lines after it are looked for in what it prints; with ``fails`` each is to
  end with an error.
- ``console tour``: lines of `pypod demo`.
- ``text example``: what the example beside a README prints.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = (ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md")))
EXAMPLES = tuple(sorted((ROOT / "examples").glob("*/example.py")))

_FENCE = re.compile(r"^```(?P<info>[^\n`]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]\n]*(?:\n[^\]\n]*)?\]\((?P<target>[^)\s]+)\)")
_HEADING = re.compile(r"^#+ (?P<text>.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, the words after that, its text, and the line that it begins at."""

    page: Path
    line: int
    language: str
    words: tuple[str, ...]
    text: str

    @property
    def file(self) -> str:
        """The name that it is written to; empty where it is none."""
        return next((word.removeprefix("file=") for word in self.words if word.startswith("file=")), "")

    @property
    def where(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


@dataclass
class Command:
    """A command of a console block, and the lines that are shown under it."""

    text: str
    shown: list[str] = field(default_factory=list)


def blocks(page: Path) -> list[Block]:
    """All fenced blocks of a page, in order."""
    text = page.read_text()
    found = []
    for match in _FENCE.finditer(text):
        language, *words = match["info"].split() or [""]
        line = text.count("\n", 0, match.start()) + 1
        found.append(Block(page, line, language, tuple(words), match["text"]))
    return found


def prose(page: Path) -> str:
    """A page without its fenced blocks."""
    return _FENCE.sub("", page.read_text())


def links(page: Path) -> list[str]:
    return [match["target"] for match in _LINK.finditer(prose(page))]


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub makes of a page's headings."""
    headings = [match["text"].lower() for match in _HEADING.finditer(prose(page))]
    return {re.sub(r"[^\w\- ]", "", heading).strip().replace(" ", "-") for heading in headings}


def section(page: Path, heading: str) -> str:
    """The text under a heading of the second level; empty where there is none."""
    match = re.search(
        rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", page.read_text(), re.MULTILINE | re.DOTALL
    )
    return match[1] if match else ""


def commands(block: Block) -> list[Command]:
    """The ``$`` lines of a console block, each with what is shown under it."""
    found: list[Command] = []
    for line in block.text.splitlines():
        if line.startswith("$ "):
            found.append(Command(line.removeprefix("$ ")))
        elif line.strip():
            found[-1].shown.append(line)
    return found


def shape(line: str) -> str:
    """A line without what is another at each run: addresses, IDs, times, numbers, widths of columns."""
    line = re.sub(
        r"\[::ffff:([\d.]+)\]", r"\1", line
    )  # how a server names an IPv4 client where there is IPv6
    line = re.sub(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", "<uuid>", line)
    line = re.sub(r"\b\d{1,3}(\.\d{1,3}){3}\b", "<ip>", line)
    line = re.sub(r"\b(demo|reuse\d*)-[0-9a-f]+", r"\1-<id>", line)
    line = re.sub(r"pytest-[0-9a-f]{8}\b", "pytest-<run>", line)
    line = re.sub(r"_[0-9a-f]{8}_", "_<uid>_", line)
    line = re.sub(r"([=_-])\1{2,}", r"\1\1\1", line)  # how wide pytest draws its lines
    line = re.sub(r"\b[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} [\d:]+ [+-]\d{4}", "<time>", line)
    line = re.sub(r"(Docker) \S+( at) \S+", r"\1 <version>\2 <url>", line)
    line = re.sub(r"\b\d\d [A-Z][a-z]{2} \d{4} [\d:.]+", "<time>", line)
    line = re.sub(r"\b\d\d:\d\d:\d\d\b", "<time>", line)
    line = re.sub(r"\b\d+m\d+s\b", "<number>", line)
    line = re.sub(r"\b\d+(\.\d+)?[smhd]\b|\b\d+\.\d+( s)?\b", "<number>", line)
    return re.sub(r"\s+", " ", line).strip()


def missing(shown: list[str], real: str) -> list[str]:
    """The shown lines that are not in the real output, in that order. Other real lines may stand in between."""
    rest = iter([shape(line) for line in real.splitlines()])
    return [line for line in shown if line.strip() and not any(shape(line) == seen for seen in rest)]
