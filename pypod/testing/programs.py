"""What runs in a fake container: a few words of a shell, the pause program, and programs that a test registers."""

from __future__ import annotations

import shlex
import signal
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field

from pypod.engine.api import STDERR, STDOUT, Frame
from pypod.engine.pause import ENTRYPOINT, LEASE_LOST_EXIT_CODE

NOT_FOUND = 127
NOT_EXECUTABLE = 126
KILLED = 128 + signal.SIGKILL
TERMINATING = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM)
HARMLESS = (signal.SIGCHLD, signal.SIGCONT, signal.SIGURG, signal.SIGWINCH, signal.SIGSTOP, signal.SIGTSTP)
FOLDERS = ("/bin/", "/usr/bin/")
FILES = ("/", "/etc", "/etc/group", "/etc/hosts", "/etc/passwd", "/tmp", "/dev/null")  # noqa: S108


@dataclass(frozen=True, slots=True)
class Program:
    """A program that a test makes up.

    Attributes:
        runs_for: seconds until it ends by itself; None: until a signal ends it.
        exit_code: then.
        output: what it writes when it starts: text is a line of standard output, bytes and frames are taken as they are.
        ignores_sigterm: no signal but SIGKILL ends it. Otherwise the usual ones do, with 128 + their number, also as PID 1.
    """

    runs_for: float | None = None
    exit_code: int = 0
    output: tuple[str | bytes | Frame, ...] = ()
    ignores_sigterm: bool = False


@dataclass(frozen=True, slots=True)
class Sleep:
    """Go on so many seconds later; None: never."""

    seconds: float | None


@dataclass(frozen=True, slots=True)
class Read:
    """Go on with what arrives on standard input; empty: its end."""


@dataclass(frozen=True, slots=True)
class Exit:
    """End the whole program."""

    code: int


Steps = Generator[Sleep | Read | Exit | Frame, bytes, int]
"""A program as it runs: gives what it wants next, gets what it read, returns its exit code."""


@dataclass(frozen=True, slots=True)
class Launch:
    """A program that can be started, and what signals do to it."""

    start: Callable[[], Steps]
    handled: Mapping[int, int] = field(default_factory=dict)
    ignored: tuple[int, ...] = HARMLESS

    def outcome(self, number: int, *, first: bool) -> int | None:
        """The exit code that a signal ends it with; None: it goes on. The kernel keeps from the first process of a PID
        space every signal that it has no handler for.
        """
        if number == signal.SIGKILL:
            return KILLED
        if number in self.handled:
            return self.handled[number]
        return None if first or number in self.ignored else 128 + number


class CannotRun(Exception):
    """There is no such program: the engine's words, and the exit code that it gives."""

    def __init__(self, text: str, exit_code: int) -> None:
        self.exit_code = exit_code
        super().__init__(text)


def find(argv: Sequence[str], registered: Mapping[str, Program], *, pause: bool = False) -> Launch:
    """The program that these words start. Raises `CannotRun`."""
    word, rest = argv[0], list(argv[1:])
    if word in registered:
        return _registered(registered[word])
    if pause and word == ENTRYPOINT:
        handled = {signal.SIGTERM: 0, signal.SIGINT: 0}
        return Launch(lambda: _pause(rest), {int(number): code for number, code in handled.items()})
    name = _plain(word)
    if name in registered:
        return _registered(registered[name])
    if name == "sh":
        return Launch(lambda: _shell(rest, registered))
    if name in _WORDS:
        return Launch(lambda: _WORDS[name](rest))
    if word in FILES:
        raise CannotRun(f'exec: "{word}": permission denied', NOT_EXECUTABLE)
    why = (
        "stat " + word + ": no such file or directory"
        if "/" in word
        else "executable file not found in $PATH"
    )
    raise CannotRun(f'exec: "{word}": {why}', NOT_FOUND)


def _plain(word: str) -> str:
    for folder in FOLDERS:
        if word.startswith(folder):
            return word[len(folder) :]
    return word


def _registered(program: Program) -> Launch:
    def start() -> Steps:
        for piece in program.output:
            if isinstance(piece, str):
                yield Frame(STDOUT, piece.encode() + b"\n")
            else:
                yield Frame(STDOUT, piece) if isinstance(piece, bytes) else piece
        yield Sleep(program.runs_for)
        return program.exit_code

    if program.ignores_sigterm:
        return Launch(start, ignored=(*HARMLESS, *TERMINATING))
    return Launch(start, {int(number): 128 + number for number in TERMINATING})


def _pause(words: Sequence[str]) -> Steps:
    """The pause program: standard input is the journal, and the lease where it is told to hold one."""
    if words and list(words) != ["--lease"]:
        yield Frame(STDERR, b"pause: a fake engine has no network to relay into\n")
        return 1
    while data := (yield Read()):
        yield Frame(STDOUT, data)
    if words:
        return LEASE_LOST_EXIT_CODE
    yield Sleep(None)
    return 0


# --- words ----------------------------------------------------------------------------------------------------------


def _true(words: Sequence[str]) -> Steps:
    yield from ()
    return 0


def _false(words: Sequence[str]) -> Steps:
    yield from ()
    return 1


def _sleep(words: Sequence[str]) -> Steps:
    total: float | None = 0.0
    for word in words:
        if word in ("inf", "infinity"):
            total = None
            continue
        try:
            total = None if total is None else total + float(word)
        except ValueError:
            yield Frame(STDERR, f"sleep: invalid number '{word}'\n".encode())
            return 1
    yield Sleep(total)
    return 0


def _echo(words: Sequence[str]) -> Steps:
    newline = b"\n"
    if words and words[0] == "-n":
        words, newline = words[1:], b""
    yield Frame(STDOUT, " ".join(words).encode() + newline)
    return 0


def _cat(words: Sequence[str]) -> Steps:
    if words and words[0] != "-":
        yield Frame(STDERR, f"cat: can't open '{words[0]}': No such file or directory\n".encode())
        return 1
    while data := (yield Read()):
        yield Frame(STDOUT, data)
    return 0


def _exit(words: Sequence[str]) -> Steps:
    yield Exit(int(words[0]) if words else 0)
    return 0


_WORDS: Mapping[str, Callable[[Sequence[str]], Steps]] = {
    "true": _true,
    "false": _false,
    "sleep": _sleep,
    "echo": _echo,
    "cat": _cat,
}
_SHELL_WORDS = {**_WORDS, ":": _true, "exit": _exit}


def _shell(words: Sequence[str], registered: Mapping[str, Program]) -> Steps:
    """``sh -c SCRIPT`` of simple commands, joined by ``;``, ``&&`` and ``||``; ``>&2`` is the only redirection."""
    if not words:  # a shell without a terminal reads commands; none of ours are sent
        while (yield Read()):
            pass
        return 0
    if words[0] != "-c" or len(words) < 2:
        yield Frame(STDERR, f"sh: 0: cannot open {words[0]}\n".encode())
        return 2
    status = 0
    for joint, command in _commands(words[1]):
        if (joint == "&&" and status != 0) or (joint == "||" and status == 0):
            continue
        status = yield from _simple(command, registered)
    return status


def _commands(script: str) -> list[tuple[str, list[str]]]:
    lexer = shlex.shlex(script.replace("\n", ";"), posix=True, punctuation_chars=";&|>")
    lexer.whitespace_split = True
    found: list[tuple[str, list[str]]] = []
    joint, command = ";", list[str]()
    for token in [*lexer, ";"]:
        if token.strip(";") and token not in ("&&", "||"):
            command.append(token)
            continue
        if command:
            found.append((joint, command))
            command = []
        joint = token if token in ("&&", "||") else ";"
    return found


def _simple(command: list[str], registered: Mapping[str, Program]) -> Steps:
    stream = STDOUT
    if command[-2:] == [">&", "2"]:
        stream, command = STDERR, command[:-2]
        command = command[:-1] if command[-1:] == ["1"] else command
    if command[:1] == ["exec"]:
        command = command[1:]
    if not command:
        return 0
    steps = _steps(command, registered)
    wanted: Sleep | Read | Exit | Frame = Sleep(0)
    try:
        wanted = next(steps)
        while True:
            if isinstance(wanted, Frame) and wanted.stream == STDOUT:
                wanted = Frame(stream, wanted.data)
            wanted = steps.send((yield wanted))
    except StopIteration as end:
        return int(end.value)


def _steps(command: Sequence[str], registered: Mapping[str, Program]) -> Steps:
    word, rest = command[0], command[1:]
    if word not in registered and word in _SHELL_WORDS:
        return _SHELL_WORDS[word](rest)
    try:
        return find(command, registered).start()
    except CannotRun as missing:
        return _missing(word, missing.exit_code)


def _missing(word: str, exit_code: int) -> Steps:
    yield Frame(
        STDERR, f"sh: {word}: {'not found' if exit_code == NOT_FOUND else 'Permission denied'}\n".encode()
    )
    return exit_code
