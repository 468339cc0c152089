"""The plugin's options: one table, read from the command line, the environment and the ini file, in this order."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

GROUP = "pypod"
TRUE = ("1", "true", "yes", "on")
FALSE = ("0", "false", "no", "off", "")


@dataclass(frozen=True, slots=True)
class Option:
    """One option.

    Attributes:
        name: as the command line has it behind ``--pypod-``.
        default: its value where nobody says anything.
        help: one sentence.
        choices: what it may be; empty: anything that `read` takes.
        metavar: what stands for its value in the help.
        read: makes its value of a text; raises `ValueError` with what is expected.
        is_flag: it takes no value on the command line.
    """

    name: str
    default: Any
    help: str
    choices: tuple[str, ...] = ()
    metavar: str = ""
    read: Callable[[str], Any] = str
    is_flag: bool = False

    @property
    def flag(self) -> str:
        return f"--pypod-{self.name}"

    @property
    def ini(self) -> str:
        return f"pypod_{self.attribute}"

    @property
    def variable(self) -> str:
        return f"PYPOD_PYTEST_{self.attribute.upper()}"

    @property
    def attribute(self) -> str:
        return self.name.replace("-", "_")

    @property
    def usage(self) -> str:
        """How it is written on the command line."""
        if self.is_flag:
            return self.flag
        return f"{self.flag}={{{','.join(self.choices)}}}" if self.choices else f"{self.flag}={self.metavar}"

    @property
    def default_text(self) -> str:
        """Its default, as the help has it."""
        if isinstance(self.default, bool):
            return str(self.default).lower()
        return f"{self.default:g}" if isinstance(self.default, float) else str(self.default) or "none"

    def value(self, text: str) -> Any:
        """Raises `ValueError`, with what is expected."""
        if self.choices and text not in self.choices:
            raise ValueError(f"{', '.join(self.choices[:-1])} or {self.choices[-1]} is expected")
        return self.read(text)


def _truth(text: str) -> bool:
    if text.lower() in TRUE or text.lower() in FALSE:
        return text.lower() in TRUE
    raise ValueError("true or false is expected")


def _count(text: str) -> int:
    if not text.isdecimal():
        raise ValueError("a whole number, 0 or more, is expected")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise ValueError("seconds, more than 0, are expected")
    return seconds


OPTIONS = (
    Option(
        "keep",
        "no",
        "which pods stay when the run is over: those that a failed test used, or all; how to look into them and to remove them is "
        "told at the end",
        ("no", "failed", "all"),
    ),
    Option(
        "reuse",
        default=False,
        help="let pods of session fixtures stay, and take those of an earlier run that are the same",
        read=_truth,
        is_flag=True,
    ),
    Option(
        "reuse-ttl",
        3600.0,
        "seconds after which a pod that stays for the next run is removed, if none takes it up",
        (),
        "SECONDS",
        _seconds,
    ),
    Option(
        "logs", 20, "last lines of each container's log in the report of a failed test", (), "LINES", _count
    ),
    Option("timeout", 60.0, "seconds that a pod may take to start", (), "SECONDS", _seconds),
    Option(
        "engine",
        "",
        "the engine, as in DOCKER_HOST; without it the one that the docker command takes",
        (),
        "URL",
    ),
    Option(
        "pull",
        "",
        "the pull policy of every container, whatever its pod says",
        ("Always", "IfNotPresent", "Never"),
    ),
    Option(
        "no-engine",
        "fail",
        "what becomes of a test that needs a pod where no engine answers",
        ("fail", "skip"),
    ),
    Option(
        "leaks",
        "warn",
        "what becomes of a run that leaves anything of its own on the engine: nothing, a warning at its end, or its failure",
        ("off", "warn", "fail"),
    ),
)


@dataclass(frozen=True, slots=True)
class Settings:
    """What the options say; see `OPTIONS`."""

    keep: str = "no"
    reuse: bool = False
    logs: int = 20
    timeout: float = 60.0
    engine: str = ""
    pull: str = ""
    no_engine: str = "fail"
    leaks: str = "warn"
    reuse_ttl: float = 3600.0


def register(parser: pytest.Parser) -> None:
    """Let pytest know of them."""
    group = parser.getgroup(GROUP, "pods (pypod)")
    for option in OPTIONS:
        words = f"{option.help} (default: {option.default_text})"
        more: dict[str, Any] = {"help": words, "default": None}
        if option.is_flag:
            more |= {"action": "store_const", "const": "true"}
        elif option.choices:
            more["choices"] = option.choices
        else:
            more["metavar"] = option.metavar
        group.addoption(option.flag, dest=option.ini, **more)
        parser.addini(option.ini, words, default=None)


def read(config: pytest.Config, environ: Mapping[str, str] = os.environ) -> Settings:
    """What they say now.

    Raises:
        pytest.UsageError: a value is none; it names the place and what is expected.
    """
    return Settings(**{option.attribute: _value(option, config, environ) for option in OPTIONS})


def _value(option: Option, config: pytest.Config, environ: Mapping[str, str]) -> Any:
    ini = config.getini(option.ini)
    places = (
        (option.flag, config.getoption(option.ini)),
        (f"the variable {option.variable}", environ.get(option.variable)),
        (f"{option.ini} in the ini file", None if ini is None or ini == "" else str(ini)),
    )
    for place, text in places:
        if text is not None:
            try:
                return option.value(text)
            except ValueError as error:
                raise pytest.UsageError(f"cannot take {text!r} of {place}: {error}") from None
    return option.default
