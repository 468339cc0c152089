"""What a command in a container came to."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ExecResult:
    """The end of a command that was run in a container.

    Attributes:
        exit_code: the command's own; 126 and 127 are also the engine's for a command that cannot be run, 137 also stands for
            one whose container ended before its exit code was known.
        stdout, stderr: what it wrote, decoded as UTF-8 with replacement characters.
        stdout_bytes, stderr_bytes: the same, untouched.
    """

    exit_code: int
    stdout_bytes: bytes
    stderr_bytes: bytes

    @property
    def stdout(self) -> str:
        return self.stdout_bytes.decode(errors="replace")

    @property
    def stderr(self) -> str:
        return self.stderr_bytes.decode(errors="replace")
