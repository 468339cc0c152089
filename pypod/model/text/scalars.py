"""What a YAML scalar is: a string, a number, a boolean or nothing, as Kubernetes' own loader has it.

Source: go.yaml.in/yaml/v2 resolve.go and decode.go, under sigs.k8s.io/yaml. PyYAML has another opinion on most of it:
``22:22`` and dates are strings here, ``y`` is a boolean, ``1e3`` a number.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
import struct

from pypod.model.wording import show

STANDARD = "tag:yaml.org,2002:"
"""What ``!!`` stands for."""

_WORDS: dict[str, object] = {
    **dict.fromkeys(["", "~", "null", "Null", "NULL"]),
    **dict.fromkeys("y Y yes Yes YES true True TRUE on On ON".split(), True),  # noqa: SIM905
    **dict.fromkeys("n N no No NO false False FALSE off Off OFF".split(), False),  # noqa: SIM905
    **dict.fromkeys([".nan", ".NaN", ".NAN"], float("nan")),
    **dict.fromkeys([".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"], float("inf")),
    **dict.fromkeys(["-.inf", "-.Inf", "-.INF"], float("-inf")),
}
_INTEGER = re.compile(
    r"([-+]?)(?:0[xX]0*(?P<hex>[0-9a-fA-F]+)|0[bB]0*(?P<binary>[01]+)|0[oO]?0*(?P<octal>[0-7]+)|(?P<decimal>0|[1-9][0-9]*))"
)
_BASES = {"hex": 16, "binary": 2, "octal": 8, "decimal": 10}
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt ].*)?")
_MOST_DIGITS = 64
"""Of an integer: in base 2, of 64 bits. Python is slow at longer ones, and Kubernetes does not take them for integers."""


class ScalarError(ValueError):
    """The scalar's tag promises another value than it has. The message says so; it holds the tag but not the value."""


def resolve(plain: str) -> object:
    """What a scalar without quotes and tag is: None, a bool, an int, a float, or the text itself."""
    if plain in _WORDS:
        return _WORDS[plain]
    start = plain[0]
    if start not in "+-.0123456789":
        return plain
    if start in "123456789" and len(plain) < 19 and plain.isascii() and plain.isdigit():
        return int(plain)  # nearly all numbers
    if start == ".":  # where Go parses as it stands: underscores are no part of it
        return _float(plain, plain)
    text = plain.replace("_", "")
    match = _INTEGER.fullmatch(text)
    if match is not None and match.lastgroup is not None:
        digits = match[match.lastgroup]
        if len(digits) <= _MOST_DIGITS:
            number = int(match[1] + digits, _BASES[match.lastgroup])
            if -(2**63) <= number < (2**63 if match[1] else 2**64):
                return number
    return _float(text, plain)


def _float(text: str, plain: str) -> object:
    """A number that is too large for a float is a string."""
    if not _FLOAT.fullmatch(text):
        return plain
    number = float(text)
    return plain if math.isinf(number) else number


def tagged(tag: str, text: str) -> object:
    """What a scalar with this tag is, in quotes or not.

    Raises:
        ScalarError: it is not what the tag says, or the tag is none of YAML's own. (Kubernetes takes what has an unknown
            tag for a string, which is hardly what its author meant.)
    """
    name = tag.removeprefix(STANDARD)
    if name == tag or name not in _TAGS:
        raise ScalarError(f"the YAML tag {show(shown_tag(tag))} is not supported here")
    if name == "str":
        return text
    if name == "binary":
        return _binary(text)
    value = resolve(text)
    if (
        name == "float"
        and isinstance(value, int)
        and not isinstance(value, bool)
        and -(2**63) <= value < 2**63
    ):
        return float(value)
    if name == "timestamp":
        if _DATE.fullmatch(text):
            return text
    elif type(value) is _TAGS[name]:
        return value
    raise ScalarError(f"the value is not what its YAML tag '!!{name}' says")


_TAGS: dict[str, type] = {
    "str": str,
    "binary": str,
    "timestamp": str,
    "null": type(None),
    "bool": bool,
    "int": int,
    "float": float,
}


def shown_tag(tag: str) -> str:
    """A tag as it is written."""
    return f"!!{tag.removeprefix(STANDARD)}" if tag.startswith(STANDARD) else tag


def _binary(text: str) -> str:
    """Base64 of text. Kubernetes has nothing but strings, and in place of other bytes it puts U+FFFD silently."""
    try:
        return base64.b64decode(re.sub(r"[\r\n]", "", text), validate=True).decode()
    except (binascii.Error, ValueError):
        message = "the value of '!!binary' is not the base64 of a text in UTF-8"
        raise ScalarError(
            f"{message}; bytes stand in base64 and without the tag, under 'binaryData'"
        ) from None


def key_text(value: object) -> str | None:
    """The name that Kubernetes makes of a mapping's key that is no string; None where it takes none.

    Source: convertToJSONableObject in sigs.k8s.io/yaml.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value
    if isinstance(value, int):
        return str(value) if value < 2**63 else None
    return _float_key(value) if isinstance(value, float) else None


def _float_key(number: float) -> str:
    """As strconv.FormatFloat(number, 'g', -1, 32): the fewest digits that make the same number of 32 bits."""
    if math.isnan(number):
        return ".nan"
    try:
        single: float = struct.unpack("f", _bits(number))[0]
    except OverflowError:
        single = math.copysign(math.inf, number)
    if math.isinf(single):
        return ".inf" if single > 0 else "-.inf"
    mantissa, _, exponent = next(
        text for digits in range(9) if _bits(float(text := f"{single:.{digits}e}")) == _bits(single)
    ).partition("e")
    power = int(exponent)
    if -4 <= power < 6:
        return f"{single:.{max(len(mantissa.lstrip('-').replace('.', '')) - 1 - power, 0)}f}"
    return f"{mantissa}e{power:+03d}"


def _bits(number: float) -> bytes:
    return struct.pack("f", number)
