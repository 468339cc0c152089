"""What an interpreter pays before anything is done."""

from __future__ import annotations

import subprocess
import sys

from benchmarks.bench import Bench
from benchmarks.contestants import Contestant
from benchmarks.contestants.pypods import PypodCli
from benchmarks.measure import Goal, Results, Row
from benchmarks.rows.one_pod import timed


def imports(bench: Bench, present: list[Contestant], results: Results) -> None:
    """Above a bare interpreter in the same round."""
    del present
    row = results.row(
        Row(
            "import",
            "above a bare interpreter",
            goals=(Goal("import pypod", 60), Goal("pypod --help", 250)),
        )
    )
    python = sys.executable
    commands = {
        "import pypod": [python, "-c", "import pypod"],
        "from pypod import Pod": [python, "-c", "from pypod import Pod"],
        "import docker": [python, "-c", "import docker"],
        "pypod --help": [PypodCli(bench).program, "--help"],
    }
    for _ in range(bench.times(15)):
        bare = _took([python, "-c", "pass"])
        for name, command in commands.items():
            row.add(name, _took(command) - bare)


def _took(command: list[str]) -> float:
    return timed(lambda: subprocess.run(command, stdout=subprocess.DEVNULL, check=True, cwd="/"))[1]
