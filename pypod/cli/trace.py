"""What took how long: `trace`, and `up --trace`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import pypod
from pypod.cli import common
from pypod.engine import tracing

VIEWERS = "open it in chrome://tracing or https://ui.perfetto.dev"


def trace(args: argparse.Namespace) -> int:
    """Tell how long the steps of a pod's start took, by the engine's times and its journal."""
    found = pypod.get(args.pod, args.namespace, engine=common.engine(args)).trace()
    print(found, flush=True)  # what is said below goes to stderr, and comes after it
    if args.output:
        write([found], args.output)
        common.say(f"written to {args.output}: {VIEWERS}")
    return 0


def write(traces: Sequence[tracing.Trace], path: str) -> None:
    """Write them to a file.

    Raises:
        UsageError: it cannot be written.
    """
    try:
        tracing.write(traces, path)
    except OSError as error:
        raise common.UsageError(
            f"cannot write the trace to {path!r}: {error.strerror or error}; a path of a file is expected"
        ) from error
