"""What runs in a fake container: a few words of a shell, the pause program, and programs that a test registers."""

from __future__ import annotations

import re
import shlex
import signal
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field

from pypod.engine.api import STDERR, STDOUT, Frame
from pypod.engine.pause import ENTRYPOINT, LEASE_LOST_EXIT_CODE
from pypod.testing import pause_files
from pypod.testing.files import Files

NOT_FOUND = 127
NOT_EXECUTABLE = 126
KILLED = 128 + signal.SIGKILL
TERMINATING = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM)
HARMLESS = (signal.SIGCHLD, signal.SIGCONT, signal.SIGURG, signal.SIGWINCH, signal.SIGSTOP, signal.SIGTSTP)
FOLDERS = ("/bin/", "/usr/bin/")


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


def find(
    argv: Sequence[str], registered: Mapping[str, Program], files: Files, *, pause: bool = False
) -> Launch:
    """The program that these words start, and what it sees of files. Raises `CannotRun`."""
    word, rest = argv[0], list(argv[1:])
    if word in registered:
        return _registered(registered[word])
    if pause and word == ENTRYPOINT:
        handled = {signal.SIGTERM: 0, signal.SIGINT: 0}
        if rest and rest[0] in pause_files.ROLES:
            return Launch(lambda: _of_files(pause_files.ROLES[rest[0]], rest[1:], files))
        return Launch(lambda: _pause(rest), {int(number): code for number, code in handled.items()})
    name = _plain(word)
    if name in registered:
        return _registered(registered[name])
    if name == "sh":
        return Launch(lambda: _shell(rest, registered, files))
    if name in _WORDS:
        return Launch(lambda: _WORDS[name](rest, files))
    if "/" in word and files.entry(word) is not None:
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


def _of_files(role: Callable[[Sequence[str], Files], str], words: Sequence[str], files: Files) -> Steps:
    """A role of the pause program that is done with files."""
    yield from ()
    if problem := role(words, files):
        yield Frame(STDERR, problem.encode() + b"\n")
        return 1
    return 0


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


def _true(words: Sequence[str], files: Files) -> Steps:
    yield from ()
    return 0


def _false(words: Sequence[str], files: Files) -> Steps:
    yield from ()
    return 1


def _sleep(words: Sequence[str], files: Files) -> Steps:
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


def _echo(words: Sequence[str], files: Files) -> Steps:
    newline = b"\n"
    if words and words[0] == "-n":
        words, newline = words[1:], b""
    yield Frame(STDOUT, " ".join(words).encode() + newline)
    return 0


def _cat(words: Sequence[str], files: Files) -> Steps:
    for word in words:
        try:
            yield Frame(STDOUT, files.read(word))
        except OSError as error:
            yield Frame(STDERR, f"cat: can't open '{word}': {error.strerror}\n".encode())
            return 1
    while not words and (data := (yield Read())):
        yield Frame(STDOUT, data)
    return 0


def _touch(words: Sequence[str], files: Files) -> Steps:
    for word in words:
        try:
            files.write(word, b"", append=True)
        except OSError as error:
            yield Frame(STDERR, f"touch: {word}: {error.strerror}\n".encode())
            return 1
    return 0


def _rm(words: Sequence[str], files: Files) -> Steps:
    """Files only; ``-f`` is the only option."""
    forced = "-f" in words
    for word in (word for word in words if word != "-f"):
        try:
            files.remove(word)
        except OSError as error:
            if forced and isinstance(error, FileNotFoundError):
                continue
            yield Frame(STDERR, f"rm: can't remove '{word}': {error.strerror}\n".encode())
            return 1
    return 0


def _test(words: Sequence[str], files: Files) -> Steps:
    """``test -e PATH``, ``-f`` and ``-d``; ``[ -e PATH ]`` is the same."""
    yield from ()
    option, path = [*words, "", ""][:2]
    entry = files.stat(path) if path else None
    kinds = {"-e": entry is not None, "-d": entry is not None and entry.is_directory}
    kinds["-f"] = entry is not None and not entry.is_directory
    return 2 if option not in kinds else 0 if kinds[option] else 1


def _exit(words: Sequence[str], files: Files) -> Steps:
    yield Exit(int(words[0]) if words else 0)
    return 0


_WORDS: Mapping[str, Callable[[Sequence[str], Files], Steps]] = {
    "true": _true,
    "false": _false,
    "sleep": _sleep,
    "echo": _echo,
    "cat": _cat,
    "touch": _touch,
    "rm": _rm,
    "test": _test,
    "[": _test,
}
_SHELL_WORDS = {**_WORDS, ":": _true, "exit": _exit}


def _shell(words: Sequence[str], registered: Mapping[str, Program], files: Files) -> Steps:
    """``sh -c SCRIPT`` of simple commands, joined by ``;``, ``&&`` and ``||``, each with redirections of its output."""
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
        status = yield from _simple(command, registered, files)
    return status


_OUT, _ERR = "\x01", "\x02"
"""What `_commands` makes of the 1 and 2 in ``1>`` and ``2>``: without the space before it, ``echo 2 >x`` would be the same."""
_UNMARKED = str.maketrans({_OUT: "1", _ERR: "2"})


def _commands(script: str) -> list[tuple[str, list[str]]]:
    marked = re.sub(r"(?<!\S)([12])(?=>)", lambda found: _OUT if found[1] == "1" else _ERR, script)
    lexer = shlex.shlex(marked.replace("\n", ";"), posix=True, punctuation_chars=";&|>")
    lexer.whitespace_split = True
    lexer.commenters = ""
    found: list[tuple[str, list[str]]] = []
    joint, command = ";", list[str]()
    for token in [*lexer, ";"]:
        if token.strip(";") and token not in ("&&", "||"):
            command.append(token if token in (_OUT, _ERR) else token.translate(_UNMARKED))
            continue
        if command:
            found.append((joint, command))
            command = []
        joint = token if token in ("&&", "||") else ";"
    return found


@dataclass(slots=True)
class _Output:
    """Where the two streams of a command go: a stream, or a file."""

    files: Files
    goes: dict[int, int | str] = field(default_factory=lambda: {STDOUT: STDOUT, STDERR: STDERR})

    def redirect(self, stream: int, operator: str, target: str) -> None:
        """Raises `OSError` where the file cannot be written."""
        if operator == ">&":
            self.goes[stream] = self.goes[int(target)]
            return
        self.files.write(target, b"", append=operator == ">>")
        self.goes[stream] = target

    def pass_on(self, frame: Frame) -> Frame:
        """What is left to be written to a stream."""
        goes = self.goes[frame.stream]
        if isinstance(goes, int):
            return Frame(goes, frame.data)
        self.files.write(goes, frame.data, append=True)
        return Frame(frame.stream, b"")


def _simple(command: list[str], registered: Mapping[str, Program], files: Files) -> Steps:
    output, words = _Output(files), list[str]()
    rest = iter(command)
    stream = STDOUT
    for word in rest:
        if word in (_OUT, _ERR):
            stream = STDOUT if word == _OUT else STDERR
        elif word in (">", ">>", ">&"):
            target = next(rest, "")
            try:
                output.redirect(stream, word, target)
            except OSError as error:
                yield Frame(STDERR, f"sh: can't create {target}: {error.strerror}\n".encode())
                return 1
            stream = STDOUT
        else:
            words.append(word)
    if words[:1] == ["exec"]:
        words = words[1:]
    if not words:
        return 0
    steps = _steps(words, registered, files)
    try:
        wanted = next(steps)
        while True:
            wanted = steps.send((yield output.pass_on(wanted) if isinstance(wanted, Frame) else wanted))
    except StopIteration as end:
        return int(end.value)


def _steps(command: Sequence[str], registered: Mapping[str, Program], files: Files) -> Steps:
    word, rest = command[0], command[1:]
    if word not in registered and word in _SHELL_WORDS:
        return _SHELL_WORDS[word](rest, files)
    try:
        return find(command, registered, files).start()
    except CannotRun as missing:
        return _missing(word, missing.exit_code)


def _missing(word: str, exit_code: int) -> Steps:
    yield Frame(
        STDERR, f"sh: {word}: {'not found' if exit_code == NOT_FOUND else 'Permission denied'}\n".encode()
    )
    return exit_code
