"""What the checks of a spec share: the problems so far, and the rules that hold for many fields.

The rules are Kubernetes' (apimachinery pkg/util/validation).
"""

from __future__ import annotations

import re

from pypod.errors import InvalidNameError, InvalidPortError, Problem, SpecError
from pypod.model.schema.kinds import Kind
from pypod.model.schema.reading import MOST_PROBLEMS
from pypod.model.wording import show

LARGEST_SIZE = 2**63 - 1
LARGEST_NUMBER = 2**31 - 1
"""Of most of Kubernetes' numbers."""

LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")

LABEL_1035 = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
"""Of a Service's name, which becomes part of variables' names."""
KEY = re.compile(r"[-._a-zA-Z0-9]+")
QUALIFIED = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")

LABEL_RULE = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end"
    " with an alphanumeric character (e.g. 'my-name', or '123-abc')"
)
SUBDOMAIN_RULE = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start"
    " and end with an alphanumeric character (e.g. 'example.com')"
)
KEY_RULE = (
    "a key of a ConfigMap or Secret is no more than 253 alphanumeric characters, '-', '_' or '.', and neither '.' nor"
    " begins with '..' (e.g. 'key.name')"
)
QUALIFIED_RULE = (
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character"
    " (e.g. 'MyName', or 'my.name')"
)


class Check:
    """The problems so far, and the checks that many fields share.

    Values are ``object`` here: the annotations of a spec are what its maker promised, not what he passed.
    """

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    @property
    def full(self) -> bool:
        return len(self.problems) >= MOST_PROBLEMS

    def add(self, path: str, message: str, error: type[SpecError] = SpecError) -> None:
        if not self.full:
            self.problems.append(Problem(path, message, error))

    def is_a(self, path: str, value: object, kind: type, what: str) -> bool:
        if isinstance(value, kind):
            return True
        self.add(path, f"{what} is expected, not {show(value)}")
        return False

    def text(self, path: str, value: object, error: type[SpecError] = SpecError) -> str | None:
        """The value where it is a string that an engine can be given, else None."""
        if not isinstance(value, str):
            self.add(path, f"a string is expected, not {show(value)}", error)
        elif "\0" in value:
            self.add(path, "may not contain a NUL character", error)
        elif not _is_unicode(value):
            self.add(path, "may not contain half of a surrogate pair", error)
        else:
            return value
        return None

    def name(self, path: str, value: object, *, subdomain: bool = False) -> str | None:
        """The value where it is a DNS label (or subdomain), else None."""
        text = self.text(path, value, InvalidNameError)
        if text is None:
            return None
        pattern, rule, most = (SUBDOMAIN, SUBDOMAIN_RULE, 253) if subdomain else (LABEL, LABEL_RULE, 63)
        if not text:
            self.add(path, f"is required: {rule}", InvalidNameError)
        elif len(text) > most:
            message = f"{show(text)} is not valid: must be no more than {most} characters, not {len(text)}"
            self.add(path, message, InvalidNameError)
        elif not pattern.fullmatch(text):
            self.add(path, f"{show(text)} is not valid: {rule}", InvalidNameError)
        else:
            return text
        return None

    def fits_name(self, text: str) -> bool:
        """Whether the text is a DNS subdomain."""
        return len(text) <= 253 and SUBDOMAIN.fullmatch(text) is not None

    def key(self, path: str, value: str) -> None:
        """Checks the key of a ConfigMap or Secret."""
        if not value:
            self.add(path, f"is required: {KEY_RULE}")
        elif not is_key(value):
            self.add(path, f"{show(value)} is not valid: {KEY_RULE}")

    def relative(self, path: str, value: str) -> bool:
        """Checks a path in a volume, and says whether it is one."""
        if not value:
            self.add(path, "is required: a relative path")
        elif value.startswith("/"):
            self.add(path, f"{show(value)} must be a relative path")
        elif ".." in value.split("/"):
            self.add(path, f"{show(value)} must not contain '..'")
        else:
            return True
        return False

    def fits(self, path: str, kind: Kind, value: object) -> bool:
        """Checks that a value, with all that it is made of, is of a kind; and says so."""
        before = len(self.problems)
        kind.check(self, path, value)
        return len(self.problems) == before and not self.full

    def seconds(
        self, path: str, value: object, *, above_zero: bool = False, most: int = LARGEST_NUMBER
    ) -> float | None:
        """The value where it is a number of seconds from 0 (or above it) to ``most``, else None."""
        least = "greater than 0" if above_zero else "0 or more"
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.add(path, f"a number of seconds is expected, not {show(value)}")
        elif not (value > 0 if above_zero else value >= 0):  # NaN is neither
            self.add(path, f"must be {least}, not {show(value)}")
        elif value > most:
            self.add(path, f"must be {least} and no more than {most}, not {show(value)}")
        else:
            return value
        return None

    def whole(
        self, path: str, value: object, *, least: int, most: int, what: str = "a whole number"
    ) -> int | None:
        """The value where it is a whole number in these bounds, else None."""
        if isinstance(value, bool) or not isinstance(value, int):
            self.add(path, f"{what} is expected, not {show(value)}")
        elif not least <= value <= most:
            self.add(path, f"must be between {least} and {most}, not {show(value)}")
        else:
            return value
        return None

    def port(self, path: str, value: object, *, least: int = 1) -> int | None:
        """The value where it is the number of a port, else None."""
        if isinstance(value, int) and not isinstance(value, bool) and least <= value <= 65535:
            return value
        message = f"a number between {least} and 65535 is expected, not {show(value)}"
        self.add(path, message, InvalidPortError)
        return None

    def unique(self, path: str, name: str | None, seen: dict[str, str]) -> None:
        if name is None:
            return
        if name in seen:
            self.add(
                path, f"Duplicate value: {show(name)} is the name at {seen[name]} already", InvalidNameError
            )
        seen.setdefault(name, path)


def _is_unicode(text: str) -> bool:
    return not any("\ud800" <= char <= "\udfff" for char in text) if not text.isascii() else True


def is_key(text: str) -> bool:
    """Whether it can be the key of a ConfigMap or Secret (apimachinery pkg/util/validation IsConfigMapKey)."""
    return len(text) <= 253 and text != "." and not text.startswith("..") and KEY.fullmatch(text) is not None


def check_qualified(check: Check, path: str, key: str, what: str) -> None:
    """Checks the key of a label or annotation; ``what``: what it is called in the message."""
    prefix, slash, name = key.rpartition("/")
    if slash and not check.fits_name(prefix):
        rule = f"before '/' no more than 253 characters; {SUBDOMAIN_RULE}"
        check.add(path, f"the {what} {show(key)} is not valid: {rule}")
    elif len(name) > 63 or not QUALIFIED.fullmatch(name):
        rule = f"its name is no more than 63 characters and {QUALIFIED_RULE}"
        check.add(path, f"the {what} {show(key)} is not valid: {rule}")
