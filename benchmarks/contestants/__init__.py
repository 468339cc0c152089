"""Who takes part. Each does the same work with the same image, in its own way."""

from __future__ import annotations

from benchmarks.bench import Bench, Missing
from benchmarks.contestants.base import Contestant
from benchmarks.contestants.by_hand import Floor, Naive
from benchmarks.contestants.compose import Compose
from benchmarks.contestants.podman import Podman
from benchmarks.contestants.pypods import PypodAsIs, PypodCli, PypodLibrary
from benchmarks.contestants.testcontainers import Testcontainers

EVERY: tuple[type[Contestant], ...] = (
    Floor,
    Naive,
    Podman,
    Compose,
    Testcontainers,
    PypodLibrary,
    PypodAsIs,
    PypodCli,
)

__all__ = ["Contestant", "contestants"]


def contestants(bench: Bench, *, peers: bool = True) -> tuple[list[Contestant], dict[str, str]]:
    """Those that can take part, and why the others cannot.

    Args:
        peers: also those that are to be set up first.
    """
    present: list[Contestant] = []
    missing: dict[str, str] = {}
    for kind in EVERY:
        if kind.is_peer and not peers:
            missing[kind.name] = "left out (--no-peers)"
            continue
        try:
            present.append(kind(bench))
        except Missing as why:
            missing[kind.name] = str(why)
            bench.say(f"missing: {kind.name}: {why}")
    return present, missing
