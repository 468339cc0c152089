"""Kubernetes' quantities: digits with a suffix."""

from __future__ import annotations

import math
import re
from fractions import Fraction

from pypod.model.wording import show

_QUANTITY = re.compile(
    r"(?P<sign>[+-]?)(?P<whole>[0-9]*)(?:\.(?P<part>[0-9]*))?"
    r"(?P<suffix>n|u|m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei|[eE][+-]?[0-9]+)?"
)
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}


def parse_milli(quantity: str) -> int:
    """A Kubernetes quantity in thousandths, rounded away from zero: millicores, for CPU. Raises as `parse_quantity`."""
    return parse_quantity(quantity, 1000)


def parse_quantity(quantity: str, per: int = 1) -> int:
    """A Kubernetes quantity as a whole number, rounded away from zero.

    Source: apimachinery pkg/api/resource/quantity.go, ParseQuantity and Value.

    Args:
        quantity: the text.
        per: how many of the number that is answered make one.

    Raises:
        ValueError: when it is none.
    """
    match = _QUANTITY.fullmatch(quantity) if len(quantity) <= 100 else None
    if match is None or not (match["whole"] or match["part"]):
        raise ValueError(
            f"{show(quantity)} is no quantity; digits with a suffix like '64Mi', '1.5G' or '1e6' are"
        )
    suffix, part = match["suffix"] or "", match["part"] or ""
    digits = int((match["whole"] or "") + part)
    if suffix in _BINARY:
        scale = Fraction(2 ** _BINARY[suffix])
    else:
        # No number of 100 digits comes back into range past these bounds, and 10**exponent stays small.
        exponent = _DECIMAL[suffix] if suffix in _DECIMAL else int(suffix[1:])
        power = max(-200, min(200, exponent))
        scale = Fraction(10**power) if power >= 0 else Fraction(1, 10**-power)
    size = math.ceil(digits * per * scale * Fraction(1, 10 ** len(part)))
    return -size if match["sign"] == "-" else size


def format_milli(milli: int) -> str:
    """Thousandths as the shortest quantity: ``500m``, ``2``."""
    return f"{milli}m" if milli % 1000 else str(milli // 1000)


def format_bytes(size: int) -> str:
    """Bytes as a quantity, with the largest binary suffix that leaves it exact: ``64Mi``, ``1000``."""
    for suffix, power in reversed(_BINARY.items()):
        if size and size % 2**power == 0:
            return f"{size >> power}{suffix}"
    return str(size)
