"""The command line: `pypod COMMAND`. The only prints and exit codes of pypod.

Exit codes: 0 done; 1 it cannot be done; 2 wrong usage; 124 time-out; 130 Ctrl-C; 143 SIGTERM; of `exec`, the command's.
"""

from __future__ import annotations

import contextlib
import errno
import importlib
import os
import sys
from collections.abc import Callable, Sequence

from pypod.cli import common
from pypod.cli.parser import build_parser, split_command

__all__ = ["main"]

_DISK_IS_FULL = (errno.ENOSPC, errno.EDQUOT)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; answer with the exit code.

    Args:
        argv: the words after ``pypod``; None: this process' own.
    """
    words, command = split_command(list(sys.argv[1:] if argv is None else argv))
    parser = build_parser()
    try:
        args = parser.parse_args(words)
        args.command = command or getattr(args, "command", [])
        if not hasattr(args, "handler"):
            parser.print_help()
            return common.EXIT_USAGE
        code = _handler(args.handler)(args)
        if sys.stdout is not None:  # `>&-`
            sys.stdout.flush()
    except BrokenPipeError:
        return _reader_gone()
    except SystemExit as ended:  # argparse
        return ended.code if isinstance(ended.code, int) else common.EXIT_USAGE
    except common.UsageError as error:
        common.say(f"pypod: {error}")
        return common.EXIT_USAGE
    except common.Terminated:
        return common.EXIT_TERMINATED
    except KeyboardInterrupt:
        return common.EXIT_INTERRUPTED
    except Exception as error:
        return _failed(error)
    return code


def _handler(where: str) -> Callable[..., int]:
    module, _, function = where.partition(":")
    found: Callable[..., int] = getattr(importlib.import_module(f"pypod.cli.{module}"), function)
    return found


def _failed(error: Exception) -> int:
    """Say what pypod cannot do; anything else is a fault of pypod's own and keeps its traceback."""
    from pypod.errors import PypodError  # noqa: PLC0415 - `pypod --help` does not pay for it

    if isinstance(error, OSError) and error.errno in _DISK_IS_FULL and error.filename is None:
        _reader_gone()  # nor at the end of the process
        common.say(f"pypod: cannot write the output: {error.strerror}")
        return common.EXIT_FAILURE
    if not isinstance(error, PypodError):
        raise error
    common.say(f"pypod: {error}")
    return common.EXIT_TIMEOUT if isinstance(error, TimeoutError) else common.EXIT_FAILURE


def _reader_gone() -> int:
    """Whoever read our output has left, as `head` does. Nothing is wrong, and nobody is there to be told."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0
