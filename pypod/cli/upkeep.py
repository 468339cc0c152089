"""`sweep` and `supervise`: the engine stays clean."""

from __future__ import annotations

import argparse
import logging
import sys

import pypod
from pypod import background
from pypod.cli import common


def sweep(args: argparse.Namespace) -> int:
    """Remove what dead owners left; say what it was and why."""
    swept = pypod.sweep(engine=common.engine(args))
    for each in swept:
        print(f"{each.pod} removed: {each.reason}")
    if not swept:
        common.say("nothing to remove")
    return 0


def supervise(args: argparse.Namespace) -> int:
    """Be the background program until ended."""

    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(name)s: %(message)s")
    with common.terminable():
        return background.run(common.engine(args))
