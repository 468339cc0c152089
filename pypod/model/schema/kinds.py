"""How the value of a field is read out of a document, written into one, and checked in a spec that Python made.

A kind knows nothing of pods. Here are those of single values; `pypod.model.schema.compounds` has lists and mappings,
`pypod.model.schema.declaring` has dataclasses.
"""

from __future__ import annotations

import base64
import enum
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from pypod.model.schema.quantity import format_bytes, format_milli, parse_quantity
from pypod.model.schema.references import Template, written
from pypod.model.wording import did_you_mean, kind_of, show

if TYPE_CHECKING:
    from pypod.model.schema.checking import Check
    from pypod.model.schema.levels import Level
    from pypod.model.schema.reading import Reader
    from pypod.model.schema.writing import Writer


Standing = tuple[str, "Level", str]
"""A field's path, how far it is carried out, and why no farther."""


class _Bad:
    """What a kind answers that could not read a value, and has said so."""

    def __repr__(self) -> str:
        return "BAD"


BAD = _Bad()


class Kind:
    """Of a value.

    Attributes:
        blank: stands for a required value that is missing or wrong, so that the rest can still be read; `BAD`: nothing can.
        expected: what is expected, in words.
        alternatives: the names of the fields of which one stands for it.
        keyed: it is a mapping whose names are its user's own.
    """

    blank: object = BAD
    expected = ""
    keyed = False
    alternatives: Mapping[str, object] = MappingProxyType({})

    def read(self, reader: Reader, path: str, value: object) -> object:
        """The value of a document in a spec; `BAD` where it is none, which the reader was told."""
        raise NotImplementedError

    def missing(self, reader: Reader, path: str, default: object) -> object:
        """The value of a field that is not there."""
        return default

    def is_absent(self, value: object) -> bool:
        """The document's value means the same as none: Kubernetes has no other way to say so."""
        return False

    def write(self, writer: Writer, path: str, value: Any) -> object:
        """The value of a spec in a document."""
        return value

    def check(self, check: Check, path: str, value: object) -> None:
        """Tells where a spec has a value that is not of this kind."""
        raise NotImplementedError

    def standings(self, path: str, value: object) -> Iterator[Standing]:
        """Every field in a value of a spec that says something, and is not wholly carried out."""
        return iter(())

    def _wrong(self, reader: Reader, path: str, value: object) -> object:
        reader.refuse(path, f"{self.expected} is expected, not {reader.show(value)}")
        return BAD


class String(Kind):
    """Strings alone; nothing is turned into one."""

    blank: object = ""
    expected = "a string"

    def read(self, reader: Reader, path: str, value: object) -> object:
        if isinstance(value, str):
            return value
        hint = " (in quotes it is one)" if isinstance(value, bool | int | float) else ""
        reader.refuse(path, f"a string is expected, not {reader.show(value)}{hint}")
        return BAD

    def is_absent(self, value: object) -> bool:
        return value == ""

    def check(self, check: Check, path: str, value: object) -> None:
        if check.text(path, value) is not None and isinstance(value, Template):
            check.add(
                path,
                f"{value!r} refers to variables, which this field does not know: a plain string is expected",
            )


class ExactString(String):
    """One of which the empty string says something else than none."""

    def is_absent(self, value: object) -> bool:
        return False


class DiscreetString(String):
    """One that no message shows."""

    def read(self, reader: Reader, path: str, value: object) -> object:
        if isinstance(value, str):
            return value
        hint = " (in quotes it is one)" if isinstance(value, bool | int | float) else ""
        reader.refuse(path, f"a string is expected, not {kind_of(value)}{hint}")
        return BAD

    def check(self, check: Check, path: str, value: object) -> None:
        if not isinstance(value, str):
            check.add(path, f"a string is expected, not {kind_of(value)}")
        else:
            super().check(check, path, value)


class Base64(Kind):
    """Bytes, in a document as base64, which hides nothing: no message shows one of them.

    Args:
        hint: where plain text goes instead.
    """

    blank: object = b""
    expected = "bytes"

    def __init__(self, hint: str) -> None:
        self._hint = hint

    def read(self, reader: Reader, path: str, value: object) -> object:
        if not isinstance(value, str):
            reader.refuse(path, f"base64 text is expected, not {kind_of(value)}")
            return BAD
        decoded = _decoded(value)
        if decoded is None:
            reader.refuse(path, f"is not valid base64; plain text goes to {self._hint}")
            return BAD
        return decoded

    def write(self, writer: Writer, path: str, value: Any) -> object:
        return base64.b64encode(value).decode()

    def check(self, check: Check, path: str, value: object) -> None:
        if not isinstance(value, bytes):
            check.add(path, f"bytes are expected, not {kind_of(value)}")


def _decoded(text: str) -> bytes | None:
    """As Go does it: line ends count for nothing. The decoder's error must not become the context of another one."""
    try:
        return base64.b64decode(text.replace("\n", "").replace("\r", ""), validate=True)
    except ValueError:
        return None


class Expanded(String):
    """A string in which ``$(NAME)`` refers to a variable, and ``$$`` is ``$``."""

    def read(self, reader: Reader, path: str, value: object) -> object:
        text = super().read(reader, path, value)
        return Template(text) if isinstance(text, str) and not reader.literal else text

    def write(self, writer: Writer, path: str, value: Any) -> object:
        return str(value) if writer.literal else written(value)

    def check(self, check: Check, path: str, value: object) -> None:
        check.text(path, value)


class Word(String):
    """One of these strings."""

    def __init__(self, *words: str) -> None:
        self.words = words

    def read(self, reader: Reader, path: str, value: object) -> object:
        text = super().read(reader, path, value)
        if isinstance(text, str) and text not in self.words:
            reader.refuse(path, not_among(text, self.words))
            return BAD
        return text

    def check(self, check: Check, path: str, value: object) -> None:
        text = check.text(path, value)
        if text is not None and text not in self.words:
            check.add(path, not_among(text, self.words))


def not_among(text: str, words: Sequence[str]) -> str:
    """What is said of a word that is not supported."""
    shown = ", ".join(f"'{word}'" for word in words if word)
    return f"{show(text)} is not supported; one of {shown} is expected{did_you_mean(text, words)}"


class Choice(Kind):
    """A member of an enumeration."""

    def __init__(self, choices: type[enum.Enum]) -> None:
        self.choices = choices
        self.words = tuple(str(member.value) for member in choices)
        self.blank = next(iter(choices))
        self.expected = f"a {choices.__name__}"

    def read(self, reader: Reader, path: str, value: object) -> object:
        text = STRING.read(reader, path, value)
        if not isinstance(text, str):
            return BAD
        if text not in self.words:
            reader.refuse(path, not_among(text, self.words))
            return BAD
        return self.choices(text)

    def is_absent(self, value: object) -> bool:
        return value == ""

    def write(self, writer: Writer, path: str, value: Any) -> object:
        return value.value

    def check(self, check: Check, path: str, value: object) -> None:
        check.is_a(path, value, self.choices, self.expected)


class Boolean(Kind):
    """True or false, and nothing that looks like it."""

    blank: object = False
    expected = "true or false"

    def read(self, reader: Reader, path: str, value: object) -> object:
        return value if isinstance(value, bool) else self._wrong(reader, path, value)

    def check(self, check: Check, path: str, value: object) -> None:
        check.is_a(path, value, bool, self.expected)


class Integer(Kind):
    """A whole number of so many bits, its sign included. Kubernetes refuses others before it looks at what they mean."""

    blank: object = 0
    expected = "a whole number"

    def __init__(self, bits: int = 32, *, zero_is_absent: bool = False) -> None:
        self.most = 2 ** (bits - 1) - 1
        self._zero_is_absent = zero_is_absent

    def read(self, reader: Reader, path: str, value: object) -> object:
        if isinstance(value, bool) or not isinstance(value, int):
            return self._wrong(reader, path, value)
        if not -self.most - 1 <= value <= self.most:
            reader.refuse(path, f"must be between {-self.most - 1} and {self.most}, not {reader.show(value)}")
            return BAD
        return value

    def is_absent(self, value: object) -> bool:
        return self._zero_is_absent and value == 0 and not isinstance(value, bool)

    def check(self, check: Check, path: str, value: object) -> None:
        check.whole(path, value, least=-self.most - 1, most=self.most)


class Seconds(Integer):
    """Whole seconds in a document, where the annotation ``io.pypod/exact`` may have them with a fraction."""

    def read(self, reader: Reader, path: str, value: object) -> object:
        whole = super().read(reader, path, value)
        return reader.exact.of(path, whole, least=self._least) if isinstance(whole, int) else whole

    @property
    def _least(self) -> int:
        return int(self._zero_is_absent)

    def missing(self, reader: Reader, path: str, default: object) -> object:
        if isinstance(default, int | float):
            return reader.exact.of(path, default, least=self._least)
        return default

    def write(self, writer: Writer, path: str, value: Any) -> object:
        return writer.numbers.of(path, value, least=self._least)

    def check(self, check: Check, path: str, value: object) -> None:
        check.seconds(path, value, most=self.most)


class HostPort(Integer):
    """0 is none in a document; in a spec it is any free one, which is written as an annotation."""

    def read(self, reader: Reader, path: str, value: object) -> object:
        number = super().read(reader, path, value)
        return reader.exact.host_port(path, number) if isinstance(number, int) else number

    def missing(self, reader: Reader, path: str, default: object) -> object:
        return reader.exact.host_port(path, None)

    def write(self, writer: Writer, path: str, value: Any) -> object:
        if value == 0:
            writer.numbers.any_free_port(path)
            return None
        return value


class IntOrString(Kind):
    """The number of a port, or its name."""

    blank: object = 0
    expected = "a number or the name of a port"

    def read(self, reader: Reader, path: str, value: object) -> object:
        if isinstance(value, int | str) and not isinstance(value, bool):
            return value
        return self._wrong(reader, path, value)

    def check(self, check: Check, path: str, value: object) -> None:
        if isinstance(value, bool) or not isinstance(value, int | str):
            check.add(path, f"{self.expected} is expected, not {show(value)}")


class Quantity(Kind):
    """A number with or without a suffix, times ``per``, rounded up."""

    expected = "a quantity like '64Mi'"

    def __init__(self, per: int = 1) -> None:
        self._per = per

    def read(self, reader: Reader, path: str, value: object) -> object:
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            return self._wrong(reader, path, value)
        try:
            return parse_quantity(str(value), self._per)
        except ValueError as exc:
            reader.refuse(path, str(exc))
            return BAD

    def write(self, writer: Writer, path: str, value: Any) -> object:
        return format_milli(value) if self._per == 1000 else format_bytes(value)

    def check(self, check: Check, path: str, value: object) -> None:
        what = "a whole number of " + ("millicores" if self._per == 1000 else "bytes")
        check.whole(path, value, least=-(2**63), most=2**63 - 1, what=what)


class QuantityText(Quantity):
    """A quantity that is kept as it is written."""

    def read(self, reader: Reader, path: str, value: object) -> object:
        return BAD if super().read(reader, path, value) is BAD else str(value)

    def write(self, writer: Writer, path: str, value: Any) -> object:
        return value

    def check(self, check: Check, path: str, value: object) -> None:
        text = check.text(path, value)
        if text is None:
            return
        try:
            parse_quantity(text)
        except ValueError as exc:
            check.add(path, str(exc))


class Mode(Integer):
    """The permissions of a file: YAML has them in octal, 0644, and JSON, which has no octal numbers, as 420."""

    expected = "a file mode between 0 and 0777 (in JSON 0 and 511)"

    def read(self, reader: Reader, path: str, value: object) -> object:
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 0o777:
            return self._wrong(reader, path, value)
        return value

    def check(self, check: Check, path: str, value: object) -> None:
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 0o777:
            check.add(path, f"{self.expected} is expected, not {show(value)}")


class Anything(Kind):
    """What is not looked at."""

    expected = "anything"

    def read(self, reader: Reader, path: str, value: object) -> object:
        return value

    def check(self, check: Check, path: str, value: object) -> None:
        """Nothing is wrong with it."""


STRING = String()
EXPANDED = Expanded()
BOOLEAN = Boolean()
INT32 = Integer(32)
INT64 = Integer(64)
