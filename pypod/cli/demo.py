"""`pypod demo`: the tour, told on a terminal."""

from __future__ import annotations

import argparse
import os
import sys
import time
from contextlib import closing
from typing import TYPE_CHECKING

from pypod.cli import common
from pypod.cli.demo_image import chosen
from pypod.cli.tour import Claim, Evidence, Tour, run_claims
from pypod.cli.tour_claims import CLAIMS

if TYPE_CHECKING:
    from rich.console import Console


def demo(args: argparse.Namespace) -> int:
    """Prove the claims; 0 when all that were asked for hold."""
    claims = selected(args.only)
    begin = time.monotonic()
    console = _console()
    engine = common.engine(args)
    with common.terminable(), chosen(engine, args.image, common.say) as image:
        info = engine.info()
        console.print(
            f"pypod's tour: {len(claims)} claims, proved on Docker {info.version} at {engine.url}",
            highlight=False,
        )
        console.print(f"image: {image.reference} ({image.origin})", highlight=False, markup=False)
        tour = Tour(engine, image.reference)
        if not all(claim.alone for claim in claims):
            console.print(
                f"pods: tour-a (web, collector, worker) and tour-b (web, worker; PIDs not shared) in {tour.namespace}",
                highlight=False,
            )
            console.print("'POD/MEMBER $ ...' is: pypod exec POD -c MEMBER -- sh -c '...'", highlight=False)
        proved = 0
        with closing(run_claims(tour, claims)) as told:
            for claim, evidence in told:
                _tell(console, claim, evidence, verbose=args.verbose)
                proved += evidence.ok
    took = time.monotonic() - begin
    style = "bold green" if proved == len(claims) else "bold red"
    console.print(f"\n{proved} of {len(claims)} proved in {took:.1f} s", style=style, highlight=False)
    return 0 if proved == len(claims) else 1


def selected(only: str) -> list[Claim]:
    """The claims of ``3,7``; all for an empty text.

    Raises:
        UsageError: there is no such claim.
    """
    known = {claim.number: claim for claim in CLAIMS}
    if not only:
        return [known[number] for number in sorted(known)]
    words = [word.strip() for word in only.split(",")]
    for word in words:
        if not word.isdecimal() or int(word) not in known:
            raise common.UsageError(
                f"--only takes numbers from 1 to {max(known)}, as 3,7; there is no claim {word!r}"
            )
    return [known[number] for number in sorted({int(word) for word in words})]


def _console() -> Console:
    from rich.console import Console  # noqa: PLC0415 - only who prints in colour pays for it

    plain = not sys.stdout.isatty() or bool(os.environ.get("NO_COLOR"))
    return Console(no_color=plain, color_system=None if plain else "auto", soft_wrap=True)


def _tell(console: Console, claim: Claim, evidence: Evidence, *, verbose: bool) -> None:
    from rich.text import Text  # noqa: PLC0415 - as above

    mark, style = ("✔", "bold green") if evidence.ok else ("✘", "bold red")
    console.print()
    console.print(
        Text.assemble((mark, style), (f" {claim.number:>2}. {claim.title}: ", "bold"), claim.explanation)
    )
    width = sys.maxsize if verbose else common.WIDTH
    for command in together(evidence.commands):
        console.print(Text(f"      {cut(command, width)}", style="cyan"))
    for line in evidence.seen:
        console.print(Text(f"        → {cut(line, width)}"))


def together(commands: tuple[str, ...]) -> list[str]:
    """The commands, a line each; one that was run in several members in a row stands once, with all of them."""
    lines: list[tuple[str, str]] = []
    for command in commands:
        where, script = _parts(command)
        if lines and lines[-1][1] == script and where:
            lines[-1] = (f"{lines[-1][0]}, {where}", script)
        else:
            lines.append((where, script))
    return [f"{where} $ {script}" if where else f"$ {script}" for where, script in lines]


def _parts(command: str) -> tuple[str, str]:
    where, sign, script = " ".join(command.split()).partition(" $ ")
    return (where, script) if sign else ("", where)


def cut(line: str, width: int) -> str:
    """At most so long."""
    return line if len(line) <= width else line[: width - 1] + "…"
