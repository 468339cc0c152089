"""A Kubernetes manifest as text (YAML or JSON), and a spec out of it; and back.

PyYAML finds the nodes; what a scalar means is said here, as Kubernetes' own loader has it (go.yaml.in/yaml/v2 resolve.go):
``22:22`` and dates are strings, ``y`` is a boolean, ``1e3`` is a number. Every field's line is kept for the errors, a key
that is there twice is refused, and hostile input (aliases of aliases, deep nesting) ends in an error in bounded time.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

import yaml

from pypod.errors import ManifestError, Problem, spec_error
from pypod.model import validation
from pypod.model.document import read_document, to_document
from pypod.model.positions import ROOT, Position, Positions, position_of, within
from pypod.model.reading import Strictness
from pypod.model.spec import PodSpec
from pypod.model.wording import show

MAX_CHARACTERS = 1_000_000
"""Of a manifest. Kubernetes' store takes 1.5 MB for the largest object of all; a Pod of that size is a mistake."""
MAX_DEPTH = 64
"""Of nesting; a Pod's own fields go 10 deep."""
MAX_NODES = 100_000
"""Scalars, lists and mappings, with every alias written out."""
_LONGEST_PATH = 500
"""Of a field whose line is remembered."""
_RESOURCES = (".resources.requests", ".resources.limits")


@dataclasses.dataclass(frozen=True)
class Loaded:
    """What a manifest describes.

    Attributes:
        spec: of the pod.
        warnings: what is accepted and has no effect, or would not have been under a stricter look.
    """

    spec: PodSpec
    warnings: tuple[Problem, ...]


def load(text: str, source: str = "manifest") -> PodSpec:
    """The pod that a manifest of one document describes.

    Args:
        text: YAML or JSON.
        source: what errors call it: the file's name.

    Raises:
        ManifestError: when it cannot be read as a Pod; with every problem, each with its line where there is one.
        SpecError: or a subclass, when the pod that it describes cannot be one (`pypod.model.validation.validate`).
    """
    return read(text, source).spec


def read(text: str, source: str = "manifest", strictness: Strictness = Strictness.STRICT) -> Loaded:
    """As `load`, with the warnings. ``strictness``: about fields that Kubernetes does not have."""
    try:
        value, lines = _parse(text)
    except _UnreadableError as exc:
        raise ManifestError(source, [exc.problem]) from None
    positions = {path: Position(line) for path, line in lines.items()}
    reading = read_document(value, positions, strictness)
    found = [*reading.problems, *_misfits(reading.spec, reading.problems, positions)]
    found.sort(key=lambda problem: (problem.line, problem.column))
    if reading.spec is None or reading.problems:
        raise ManifestError(source, found)
    if found:
        raise spec_error(source, found)
    return Loaded(reading.spec, reading.warnings)


def _misfits(spec: PodSpec | None, refused: Sequence[Problem], positions: Positions) -> list[Problem]:
    """What is wrong with the pod that could be read. What could not be read stands in it as empty, which is no second mistake of
    the user."""
    if spec is None:
        return []
    found = []
    for problem in validation.problems(spec):
        if not any(within(problem.path, other.path) for other in refused):
            line, column = position_of(positions, problem.path)
            found.append(dataclasses.replace(problem, line=line, column=column))
    return found


def dump(spec: PodSpec) -> str:
    """The spec as a Kubernetes manifest in YAML, which `load` and a cluster read alike."""
    text: str = yaml.dump(
        to_document(spec),
        Dumper=_Dumper,
        sort_keys=False,
        default_flow_style=False,
        allow_unicode=True,
        width=110,
    )
    return text


class _UnreadableError(Exception):
    """The text is no document that could be looked at further."""

    def __init__(self, message: str, line: int = 0, path: str = ROOT) -> None:
        super().__init__(message)
        self.problem = Problem(path, message, ManifestError, line)


# --- text to nodes ---------------------------------------------------------------------------------------------------

_PLAIN = "tag:pypod,plain"
"""The tag of a scalar without quotes and tag: what it is follows from its text."""
_STANDARD = "tag:yaml.org,2002:"


class _Loader(yaml.SafeLoader):
    """Builds nodes alone; no Python object is made by PyYAML."""

    # The Go loader takes \' in double quotes; so does a page of Kubernetes' own documentation.
    ESCAPE_REPLACEMENTS = {**yaml.SafeLoader.ESCAPE_REPLACEMENTS, "'": "'"}  # type: ignore[misc]  # noqa: RUF012

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = 0

    def resolve(self, kind: Any, value: Any, implicit: Any) -> Any:
        if kind is yaml.ScalarNode:
            return _PLAIN if implicit[0] else f"{_STANDARD}str"
        return super().resolve(kind, value, implicit)  # type: ignore[no-untyped-call]

    def compose_node(self, parent: Any, index: Any) -> Any:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise _UnreadableError(f"is nested deeper than {MAX_DEPTH} levels", self.line + 1)
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node


def _parse(text: str) -> tuple[object, dict[str, int]]:
    """The one document's value, and the line of each of its fields by path."""
    if len(text) > MAX_CHARACTERS:
        raise _UnreadableError(f"is {len(text)} characters long; {MAX_CHARACTERS} are read at most")
    try:
        node = _the_document(_nodes(_without_json_tabs(text)))
    except yaml.MarkedYAMLError as exc:
        raise _UnreadableError(*_marked(exc)) from None
    except yaml.reader.ReaderError as exc:
        line = text.count("\n", 0, exc.position) + 1
        raise _UnreadableError(
            f"the character U+{_code(exc.character):04X} is not allowed in YAML", line
        ) from None
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError) as exc:
        # PyYAML lets chr(), int() and decode() fail as they do, on escapes, versions and tags that are out of range.
        raise _UnreadableError(f"is not YAML: {exc}") from None
    builder = _Builder()
    builder.lines[ROOT] = _line(node)
    return builder.build(node, ""), builder.lines


def _nodes(text: str) -> Iterator[yaml.Node]:
    loader = _Loader(text)
    try:
        while loader.check_node():
            node = loader.get_node()
            if node is not None:
                yield node
    finally:
        loader.dispose()


def _the_document(nodes: Iterator[yaml.Node]) -> yaml.Node:
    """The one that is there; documents of nothing do not count, as with kubectl."""
    found = None
    for node in nodes:
        if isinstance(node, yaml.ScalarNode) and node.tag == _PLAIN and resolve(node.value) is None:
            continue
        if found is not None:
            message = "has several documents; only one, a Pod, is supported yet"
            raise _UnreadableError(message, node.start_mark.line + 1)
        found = node
    if found is None:
        raise _UnreadableError("is empty: a Pod is expected")
    return found


def _without_json_tabs(text: str) -> str:
    """JSON may be indented with tabs, which PyYAML refuses. Inside its strings there are none, so that any may go."""
    if "\t" not in text or not text.lstrip().startswith("{"):
        return text
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return text
    return text.replace("\t", " ")


def _code(character: str | int) -> int:
    return character if isinstance(character, int) else ord(character)


def _marked(exc: yaml.MarkedYAMLError) -> tuple[str, int]:
    mark = exc.problem_mark or exc.context_mark
    words = ", ".join(part for part in (exc.context, exc.problem) if part)
    return f"is not YAML: {words}", mark.line + 1 if mark else 0


# --- nodes to values -------------------------------------------------------------------------------------------------


class _Builder:
    """Plain values, with aliases written out as far as the budget goes."""

    def __init__(self) -> None:
        self.lines: dict[str, int] = {}
        self._nodes = 0
        self._depth = 0

    def build(self, node: yaml.Node, path: str | None) -> object:
        """The node's value.

        Args:
            path: of the field, for its line; None where it is too long to be one of a Pod.
        """
        self._nodes += 1
        self._depth += 1
        line = _line(node)
        if self._nodes > MAX_NODES:
            raise _UnreadableError(f"has more than {MAX_NODES} values, aliases written out", line)
        if self._depth > MAX_DEPTH:
            raise _UnreadableError(f"is nested deeper than {MAX_DEPTH} levels, aliases written out", line)
        value: object
        if isinstance(node, yaml.MappingNode):
            value = self._mapping(node, path)
        elif isinstance(node, yaml.SequenceNode):
            _expect_tag(node, "seq")
            value = [self._item(item, path, index) for index, item in enumerate(node.value)]
        else:
            value = _scalar(node)
        self._depth -= 1
        return value

    def _item(self, node: yaml.Node, path: str | None, index: int) -> object:
        inner = None if path is None else f"{path}[{index}]"
        self._remember(inner, _line(node))
        return self.build(node, inner)

    def _mapping(self, node: yaml.MappingNode, path: str | None) -> dict[str, object]:
        _expect_tag(node, "map")
        if path is not None:
            self.lines.setdefault(path or ROOT, _line(node))
        found: dict[str, object] = {}
        first: dict[str, int] = {}
        merged: list[tuple[yaml.Node, yaml.Node]] = []
        for key_node, value_node in node.value:
            if _is_merge(key_node):
                merged += self._merged(value_node)
                continue
            key = _key(key_node)
            if key in first:
                message = f"the field is there twice, first on line {first[key]}"
                raise _UnreadableError(message, _line(key_node), _join(path, key) or show(key))
            first[key] = _line(key_node)
            found[key] = self._field(key, key_node, value_node, path)
        for key_node, value_node in merged:
            key = _key(key_node)
            if key not in found:
                found[key] = self._field(key, key_node, value_node, path)
        return found

    def _field(self, key: str, key_node: yaml.Node, value_node: yaml.Node, path: str | None) -> object:
        inner = _join(path, key)
        self._remember(inner, _line(key_node))
        return self.build(value_node, inner)

    def _merged(self, node: yaml.Node) -> list[tuple[yaml.Node, yaml.Node]]:
        """The fields that ``<<`` brings in, those that win first."""
        sources = node.value if isinstance(node, yaml.SequenceNode) else [node]
        found: list[tuple[yaml.Node, yaml.Node]] = []
        for source in sources:
            if not isinstance(source, yaml.MappingNode):
                raise _UnreadableError("'<<' takes a mapping, or a list of them", _line(node))
            self._nodes += 1 + len(source.value)
            if self._nodes > MAX_NODES:
                raise _UnreadableError(f"has more than {MAX_NODES} values, aliases written out", _line(node))
            if any(_is_merge(key) for key, _ in source.value):
                raise _UnreadableError(
                    "'<<' in a mapping that is itself merged is not supported", _line(source)
                )
            found += source.value
        return found

    def _remember(self, path: str | None, line: int) -> None:
        if path is not None:
            self.lines.setdefault(path, line)


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _join(path: str | None, key: str) -> str | None:
    """The path of a field, spelled as `document` and `validation` do."""
    if path is None or len(path) + len(key) > _LONGEST_PATH:
        return None
    if path in ("metadata.labels", "metadata.annotations") or path.endswith(_RESOURCES):
        return f"{path}[{key}]"
    return f"{path}.{key}" if path else key


def _is_merge(node: yaml.Node) -> bool:
    return (
        isinstance(node, yaml.ScalarNode) and node.tag in (_PLAIN, f"{_STANDARD}merge") and node.value == "<<"
    )


def _key(node: yaml.Node) -> str:
    value = _scalar(node) if isinstance(node, yaml.ScalarNode) else node.value
    if isinstance(value, str):
        return value
    hint = " (in quotes it is one)" if isinstance(node, yaml.ScalarNode) else ""
    raise _UnreadableError(f"a field's name is a string, not {show(value)}{hint}", _line(node))


def _expect_tag(node: yaml.Node, name: str) -> None:
    if node.tag not in (_STANDARD + name, "!"):
        raise _unsupported(node)


def _unsupported(node: yaml.Node) -> _UnreadableError:
    tag = str(node.tag)
    shown = f"!!{tag.removeprefix(_STANDARD)}" if tag.startswith(_STANDARD) else tag
    return _UnreadableError(f"the YAML tag {show(shown)} is not supported here", _line(node))


def _scalar(node: yaml.Node) -> object:
    kinds: dict[str, type | tuple[type, ...]] = {
        "null": type(None),
        "bool": bool,
        "int": int,
        "float": (float, int),
    }
    tag = str(node.tag)
    if tag == _PLAIN:
        value = resolve(node.value)
    elif tag == f"{_STANDARD}str":
        value = node.value
    else:
        kind = kinds.get(tag.removeprefix(_STANDARD))
        value = resolve(node.value)
        if kind is None or not isinstance(value, kind):
            raise _unsupported(node)
    return _whole_characters(value, node) if isinstance(value, str) else value


def _whole_characters(text: str, node: yaml.Node) -> str:
    r"""JSON writes characters past U+FFFF as two escapes, ``\ud83d\ude00``, which PyYAML takes for two characters."""
    if text.isascii():
        return text
    try:
        return text.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError:
        raise _UnreadableError("a string has half of a surrogate pair in it", _line(node)) from None


_WORDS: dict[str, object] = {
    **dict.fromkeys(["", "~", "null", "Null", "NULL"]),
    **dict.fromkeys("y Y yes Yes YES true True TRUE on On ON".split(), True),  # noqa: SIM905
    **dict.fromkeys("n N no No NO false False FALSE off Off OFF".split(), False),  # noqa: SIM905
    **dict.fromkeys([".nan", ".NaN", ".NAN"], float("nan")),
    **dict.fromkeys([".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"], float("inf")),
    **dict.fromkeys(["-.inf", "-.Inf", "-.INF"], float("-inf")),
}
_INTEGER = re.compile(r"([-+]?)(?:0[xX]([0-9a-fA-F]+)|0[bB]([01]+)|0[oO]?([0-7]+)|(0|[1-9][0-9]*))")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")


def resolve(plain: str) -> object:
    """What a scalar without quotes is: None, a bool, an int, a float, or the text itself.

    Source: go.yaml.in/yaml/v2 resolve.go, and decode.go for time stamps, which stay strings.
    """
    if plain in _WORDS:
        return _WORDS[plain]
    if len(plain) > 400 or plain[0] not in "+-.0123456789":
        return plain
    text = plain.replace("_", "")
    if match := _INTEGER.fullmatch(text):
        bases = ((match[2], 16), (match[3], 2), (match[4], 8), (match[5], 10))
        size = next(int(digits, base) for digits, base in bases if digits is not None)
        number = -size if match[1] == "-" else size
        if -(2**63) <= number < 2**64:
            return number
    return float(text) if _FLOAT.fullmatch(text) else plain


# --- values to text --------------------------------------------------------------------------------------------------


class _Dumper(yaml.SafeDumper):
    """Quotes every string that Kubernetes' loader would take for something else."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


_OTHER_BREAKS = re.compile("[\r\x85\u2028\u2029\ufeff]")
"""PyYAML takes them for ends of lines, or drops them, unless they are escaped in double quotes."""


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    if not isinstance(resolve(text), str):
        style = "'"
    if _OTHER_BREAKS.search(text):
        style = '"'
    return dumper.represent_scalar(f"{_STANDARD}str", text, style)


_Dumper.add_representer(str, _represent_text)
