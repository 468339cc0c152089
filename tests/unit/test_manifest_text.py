"""The text of manifests: documents, the places of their fields, everything that is wrong at once, nothing secret shown."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pypod.errors import ManifestError, Problem
from pypod.model.text import yaml_text as text_yaml
from pypod.model.text.documents import Document, Position, read
from pypod.model.text.places import Place, Steps, spell
from pypod.model.text.strictness import Strictness
from pypod.model.text.writer import to_yaml


def one(text: str | bytes, validation: Strictness = Strictness.STRICT) -> Document:
    documents = read(text, validation)
    assert len(documents) == 1
    return documents[0]


def value(text: str | bytes) -> object:
    """Of a text with one document and no problem."""
    document = one(text)
    assert document.problems() == []
    return document.value


def told(text: str | bytes, **options: Strictness) -> list[str]:
    """What is wrong, of all documents."""
    return [str(problem) for document in read(text, **options) for problem in document.problems()]


# --- what the text says ----------------------------------------------------------------------------------------------

TRAPS = json.loads((Path(__file__).parents[1] / "vectors" / "yaml_traps.json").read_text())["cases"]
ANSWERS: dict[str, tuple[str, object]] = {
    "string": ("{}", None),
    'string "="': ("{}", "="),
    "float 1000": ("{}", 1000.0),
    "int 511": ("{}", 511),
    "float 8 (ParseInt fails, yamlStyleFloat matches)": ("{}", 8.0),
    "accepted: a 'b'": (r'"a \'b\'"', "a 'b'"),
}


@pytest.mark.parametrize(
    "case", [case for case in TRAPS if case["yaml"] != "duplicate keys"], ids=lambda case: case["yaml"]
)
def test_what_pyyaml_and_kubernetes_read_differently(case: dict[str, str]) -> None:
    written, expected = ANSWERS[case["go"]]
    found = value(f"a: {written.format(case['yaml'])}")
    expected = case["yaml"] if expected is None else expected
    assert (type(found["a"]), found) == (type(expected), {"a": expected})  # type: ignore[index]


def test_duplicate_keys_are_the_last_trap() -> None:
    assert len(TRAPS) == 8
    assert told("a: 1\na: 2") == ["line 2:1: a: the field is there twice, first on line 1"]


READ: list[tuple[str | bytes, object]] = [
    # --- scalars
    ("a: !!float 3", {"a": 3.0}), ("a: !!int '3'", {"a": 3}), ("a: !!str 5", {"a": "5"}), ("a: ! 5", {"a": "5"}),
    ("a: !!bool yes", {"a": True}), ("a: !!null ~", {"a": None}), ("a: !!binary aGnDqQ==", {"a": "hié"}),
    ("a: !!binary |\n  aGk\n  =\n", {"a": "hi"}), ("a: !!timestamp 2001-01-01", {"a": "2001-01-01"}),
    ("a: !!map {b: c}", {"a": {"b": "c"}}), ("a: !!seq [b]", {"a": ["b"]}), ("a: 0o17", {"a": 15}),
    ("a: 017", {"a": 15}), ("a: 1_000", {"a": 1000}), ("a: _1", {"a": "_1"}), ("a: 0x_1F", {"a": 31}),
    ("a: 1e400", {"a": "1e400"}), ("a: .5_0", {"a": ".5_0"}), ("a: 0x1FFFFFFFFFFFFFFFF", {"a": "0x1FFFFFFFFFFFFFFFF"}),
    ("a: -9223372036854775808", {"a": -(2**63)}), ("a: -9223372036854775809", {"a": -(2.0**63)}),
    ("a: 12:30:45", {"a": "12:30:45"}), ("a: 2001-12-14t21:59:43.10-05:00", {"a": "2001-12-14t21:59:43.10-05:00"}),
    ("a: ~\nb:\nc: null\nd: nUll", {"a": None, "b": None, "c": None, "d": "nUll"}), ("a: '~'", {"a": "~"}),
    ("a: +.inf_", {"a": "+.inf_"}), ("a: \u0661", {"a": "\u0661"}), ("a: 1\u0662", {"a": "1\u0662"}), ("a: ''", {"a": ""}),
    # --- block scalars, folding, escapes, ends of lines
    ("a: |\n  x\n   y\n\n", {"a": "x\n y\n"}), ("a: >-\n  x\n  y\n", {"a": "x y"}), ("a: |+\n  x\n\n", {"a": "x\n\n"}),
    ("a: |2-\n    x\n", {"a": "  x"}), ("a: x\n  y", {"a": "x y"}), ('a: "x\\\n  y\\n\\x41\\u00e9\\/"', {"a": "xy\nAé/"}),
    ("a: b\r\nc: |\r\n  d\r\n  e\r\n", {"a": "b", "c": "d\ne\n"}), ("a: 'it''s'", {"a": "it's"}),
    (r'a: "\ud83d\ude00"', {"a": "😀"}), (r'''a: "\'" ''', {"a": "'"}), ("a: b#c", {"a": "b#c"}), ("a: b #c", {"a": "b"}),
    # --- tabs, directives, marks, byte order marks
    ("a:\tb\t\nc: [\t1,\n\t2]", {"a": "b", "c": [1, 2]}), ("a: b\tc", {"a": "b\tc"}), ("a: b\n  \tc", {"a": "b c"}),
    ("%YAML 1.1\n---\na: 1", {"a": 1}), ("%YAML 1.2\n---\na: 1", {"a": 1}), ("--- {a: 1}\n...\n", {"a": 1}),
    ("%TAG !y! tag:yaml.org,2002:\n---\na: !y!str 1", {"a": "1"}), ("--- # of it\na: 1\n--- # none\n", {"a": 1}),
    ("\ufeffa: 1", {"a": 1}), (b"\xef\xbb\xbfa: 1", {"a": 1}), ("a: é".encode("utf-16"), {"a": "é"}),
    ("\ufeffa: é".encode("utf-16-be"), {"a": "é"}), ("a: é".encode(), {"a": "é"}),
    # --- flow style, as KYAML has it; JSON
    ("---\n{\n  a: [{\n    # why\n    b: \"c\",\n  }],\n}\n", {"a": [{"b": "c"}]}), ("{a:1}", {"a:1": None}),
    ('{"a":1,"b":[true,null,-1.5E3]}', {"a": 1, "b": [True, None, -1500.0]}), ("{a: http://x/?b=c}", {"a": "http://x/?b=c"}), ("[a:b, -c, d#e]", ["a:b", "-c", "d#e"]), ("a: {b?: c}", {"a": {"b?": "c"}}),
    ('\t{\n\t"a\\/":\t"\\ud83d\\ude00\\n"\n}\n', {"a/": "😀\n"}), ('{"a": {}, "b": []}', {"a": {}, "b": []}),
    ('{"<<": {"a": 1}}', {"<<": {"a": 1}}), ('{"a": "yes", "b": "1"}', {"a": "yes", "b": "1"}),
    # --- keys
    ("8080: a", {"8080": "a"}), ("0x10: a", {"16": "a"}), ("yes: a", {"true": "a"}), ("1.10: a", {"1.1": "a"}),
    ("1e6: a", {"1e+06": "a"}), ("123456.0: a", {"123456": "a"}), ("1e-5: a", {"1e-05": "a"}), (".1: a", {"0.1": "a"}),
    (".inf: a", {".inf": "a"}), (".nan: a", {".nan": "a"}), ("16777217.0: a", {"1.6777216e+07": "a"}), ("-0.0: a", {"-0": "a"}),
    ("1e300: a", {".inf": "a"}), ("2001-01-01: a", {"2001-01-01": "a"}), ("? a\n: b", {"a": "b"}), ("'': a", {"": "a"}),
    ("a b: c", {"a b": "c"}), ("=: a", {"=": "a"}), ("&k a: *k", {"a": "a"}), ("x: &k a\n*k : b", {"x": "a", "a": "b"}),
    # --- anchors and merges
    ("a: &x [1]\nb: *x", {"a": [1], "b": [1]}), ("a: &x 1\nb: &x 2\nc: *x", {"a": 1, "b": 2, "c": 2}),
    ("a: &x {k: &x 1}\nb: *x", {"a": {"k": 1}, "b": 1}), ("<<: {a: 1, b: 2}\na: 3", {"a": 3, "b": 2}),
    ("a: 3\n<<: {a: 1}", {"a": 1}), ("<<: [{a: 1}, {a: 2, b: 3}]", {"a": 1, "b": 3}),
    ("x: &x {<<: {a: 1}, b: 2}\nz: {<<: *x}", {"x": {"a": 1, "b": 2}, "z": {"a": 1, "b": 2}}), ("'<<': 1", {"<<": 1}),
    ("!!merge <<: {a: 1}", {"a": 1}), ("<<: {a: {b: 1}}\na: {c: 2}", {"a": {"c": 2}}), ("a: <<", {"a": "<<"}),
    # --- other roots
    ("[a]", ["a"]), ("a", "a"), ("5", 5), ("- a\n-\n- - b", ["a", None, ["b"]]), ("'null'", "null"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), READ, ids=[f"{number}" for number, _ in enumerate(READ)])
@pytest.mark.parametrize("libyaml", [True, False])
def test_values(monkeypatch: pytest.MonkeyPatch, text: str | bytes, expected: object, libyaml: bool) -> None:
    if not libyaml:
        monkeypatch.setattr(text_yaml, "C_LOADER", None)
    found = value(text)
    assert repr(found) == repr(expected)


def test_no_case_was_lost() -> None:
    assert len(READ) == 100


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(VALUES.filter(lambda value: value is not None))
def test_what_is_written_is_read_again(written: object) -> None:
    assert repr(value(to_yaml(written))) == repr(written)
    # In a mapping, since a list is read as YAML, where a key has no more than 1024 characters.
    assert repr(value(json.dumps({"a": written}))) == repr({"a": written})


def test_json_has_characters_that_yaml_has_not() -> None:
    assert value('{"a": "\x7f\x9b\ufffe"}') == {"a": "\x7f\x9b\ufffe"}
    assert told('{"a": "b"}\n---\na: \x7f') == [
        "line 3:4: document: the character U+007F is not allowed in YAML"
    ]
    (found,) = read('{"a": "\x9b31m", "a": 1}')
    (problem,) = found.problems()
    assert found.excerpt(problem) == '{"a": "\ufffd31m", "a": 1}\n              ^'


# --- several documents -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []), ("\n# nothing\n", []), ("---\n---\n# a\n--- \n", []), ("null", []), ("--- ~\n", []),
        ("a: 1\n---\nb: 2\n", [{"a": 1}, {"b": 2}]), ("---\na: 1\n---\n---\nb: 2\n---\n", [{"a": 1}, {"b": 2}]),
        ("a: 1\n...\n---\nb: 2", [{"a": 1}, {"b": 2}]), ("--- {a: 1}\n--- {b: 2}\n", [{"a": 1}, {"b": 2}]),
        ('{"a": 1}{"b": 2} {"c": 3}\n', [{"a": 1}, {"b": 2}, {"c": 3}]),
        ('{"a": 1}\n---\n{"b": 2}\n---\nc: 3', [{"a": 1}, {"b": 2}, {"c": 3}]), ('{"a": 1}\n# c\n---\nb: 2', [{"a": 1}, {"b": 2}]),
        ("{a: 1}\n---\n{b: 2}", [{"a": 1}, {"b": 2}]), ('{"a": 1}\n...\n', [{"a": 1}]), ("a: |\n  ---\n  b\n", [{"a": "---\nb\n"}]),
        ("--- |\n a\n---\n- b\n", ["a\n", ["b"]]), ("a: ---", [{"a": "---"}]), ("a: 1\r\n---\r\nb: 2\r\n", [{"a": 1}, {"b": 2}]),
    ],
)  # fmt: skip
def test_documents(text: str, expected: list[object]) -> None:
    documents = read(text)
    assert [document.value for document in documents] == expected
    assert told(text) == []


def test_a_broken_document_hides_no_other() -> None:
    text = "a: [\n---\nb: 1\nb: 2\n---\nc: *x\n---\n\t- d\n--- \ne: 5\n"
    assert [(document.value, document.broken) for document in read(text)] == [
        (None, True), ({"b": 2}, False), (None, True), (None, True), ({"e": 5}, False),
    ]  # fmt: skip
    assert told(text) == [
        "line 2:1: document: is not YAML: while parsing a flow node, expected the node content, but found '<document start>'",
        "line 4:1: b: the field is there twice, first on line 3",
        "line 6:4: document: nothing before it is called '&x'",
        "line 8:1: document: is not YAML: while scanning for the next token, found character '\\t' that cannot start any token",
    ]  # fmt: skip


def test_lines_go_on_after_json_and_after_what_only_the_slow_parser_takes() -> None:
    text = '{"a": 1}  {"b": 1,\n "b": 2}\n---\nx: "\\\'"\n---\nc: 1\nc: 2\n--- {d: 1, d: 2}\n'
    assert [document.value for document in read(text)] == [{"a": 1}, {"b": 2}, {"x": "'"}, {"c": 2}, {"d": 2}]
    assert [(problem.line, problem.column) for document in read(text) for problem in document.problems()] == [
        (2, 2), (7, 1), (8, 12),
    ]  # fmt: skip


# --- what is wrong ---------------------------------------------------------------------------------------------------

ENDED = "the document has ended before this; the indentation to go on with it, or '---', is expected"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: b: c", "line 1:5: document: is not YAML: mapping values are not allowed here"),
        ("a: {b: 1\nc: 2", "line 2:2: document: is not YAML: while parsing a flow mapping, expected ',' or '}', but got ':'"),
        (" a: 1\nb: 2", f"line 2:1: document: is not YAML: {ENDED}"),
        ("[a]\nb: 2", f"line 2:1: document: is not YAML: {ENDED}"),
        ("a: 1\n...\nb: 2", f"line 3:1: document: is not YAML: {ENDED}"),
        ('{"a": 1}\nb: 2', "line 2:1: document: is not JSON: after an object another one, or '---', is expected"),
        ('{"a": 1} b', "line 1:10: document: is not JSON: after an object another one, or '---', is expected"),
        ('{"a": 01x, "b": 1e400}', None),
        ('{"a": 1e400}', "line 1:7: a: the number is too large"),
        ('{"a": .nan}', "line 1:7: a: the number nan cannot be in a Kubernetes object: JSON has no such number"),
        ("a:\n- -.inf", "line 2:3: a[0]: the number -inf cannot be in a Kubernetes object: JSON has no such number"),
        ("[a:, b]", "line 1:3: document: is not YAML: while scanning a plain scalar, found unexpected ':'"),
        ("a: b\n\tc", "line 2:2: document: is not YAML: while scanning a plain scalar, found a tab character that violates indentation"),
        ("a: *b", "line 1:4: document: nothing before it is called '&b'"),
        ("a: &b [*b]", "line 1:8: document: the alias '*b' is in what it stands for"),
        ("a: !!int x", "line 1:4: a: the value is not what its YAML tag '!!int' says"),
        ("a: !!float yes", "line 1:4: a: the value is not what its YAML tag '!!float' says"),
        ("a: !!null x", "line 1:4: a: the value is not what its YAML tag '!!null' says"),
        ("a: !!timestamp x", "line 1:4: a: the value is not what its YAML tag '!!timestamp' says"),
        ("a: !!int [1]", "line 1:4: a: the YAML tag '!!int' is not supported here"),
        ("a: !!set {b}", "line 1:4: a: the YAML tag '!!set' is not supported here"),
        ("a: !Ref b", "line 1:4: a: the YAML tag '!Ref' is not supported here"),
        ("a: !!python/object/apply:os.system [x]", "line 1:4: a: the YAML tag '!!python/object/apply:os.system' is not supported here"),
        ("a: !!binary //8=", "line 1:4: a: the value of '!!binary' is not the base64 of a text in UTF-8; bytes stand in base64 and without the tag, under 'binaryData'"),
        ("a:\n  ~: 1", "line 2:3: a: a field's name is a string, not null (in quotes it is one)"),
        ("? [a]\n: b", "line 1:3: document: a field's name is a string, not a list"),
        ("? {a: b}\n: c", "line 1:3: document: a field's name is a string, not a mapping"),
        ("a: &x {}\n*x : b", "line 2:1: document: a field's name is a string, not a mapping"),
        ("18446744073709551615: a", "line 1:1: document: a field's name is a string, not the number 18446744073709551615 (in quotes it is one)"),
        ("a:\n  <<: 5", "line 2:3: a: '<<' takes a mapping, or a list of them"),
        ("a: &x [{}]\n<<: *x", "line 2:5: [<<]: '<<' takes a mapping, or a list of them"),
        ("<<: [{}, 5]", "line 1:1: document: '<<' takes a mapping, or a list of them"),
        (r'a: "\ud800"', "line 1:4: a: a string has half of a surrogate pair in it"),
        (r'{"a": "\ud800"}', "line 1:7: a: a string has half of a surrogate pair in it"),
        ("a:\n  é\x00", "line 2:4: document: the character U+0000 is not allowed in YAML"),
        ("a: \ud800", "line 1:4: document: the character U+D800 is not allowed in YAML"),
        (b"a: 1\n\xc3\xa9: \xff", "line 2:4: document: the byte 0xff is not UTF-8"),
        (b"\xef\xbb\xbfa\xc3", "line 1:2: document: the byte 0xc3 is not UTF-8"),
        (b"\xff\xfea\x00b", "line 1:1: document: begins as UTF-16 and is not"),
        ("labels:\n  a.b/c: 1\n  a.b/c: 2", "line 3:3: labels[a.b/c]: the field is there twice, first on line 2"),
        ("1: a\n'1': b", "line 2:1: 1: the field is there twice, first on line 1"),
        ("a: {b: [c: 1, {d: 1, d: 2}]}", "line 1:22: a.b[1].d: the field is there twice, first on line 1"),
        ("%TAG !a! x\n" * 33 + "--- a", "line 1:1: document: has more than 32 '%TAG' directives"),
        ("--- a\n" * 5001, "line 5001:5: document: has more than 5000 documents"),
        ("x" * 3_000_001, "line 1:1: document: is longer than 3000000 characters"),
        (b"x" * 12_000_001, "line 1:1: document: is longer than 12000000 bytes"),
        ("a: \n" + "- " * 65 + "a", "line 2:127: document: is nested deeper than 64 levels"),
        ("a: &a " + "[" * 40 + "]" * 40 + "\nb: " + "[" * 30 + "*a" + "]" * 30, "line 2:34: document: is nested deeper than 64 levels, aliases written out"),
    ],
)  # fmt: skip
def test_problems(text: str | bytes, problem: str | None) -> None:
    assert told(text) == ([problem.replace(" 1: the field", " [1]: the field")] if problem else [])


def test_every_duplicate_is_told_and_the_last_one_holds() -> None:
    text = "a: 1\nb:\n  c: 1\n  c: 2\n  c: 3\na:\n- {d: 1, d: 2}\na: 4\n"
    assert one(text).value == {"a": 4, "b": {"c": 3}}
    twice = "the field is there twice, first on line"
    found = [f"line 4:3: b.c: {twice} 3", f"line 5:3: b.c: {twice} 3", f"line 6:1: a: {twice} 1", f"line 7:10: a[0].d: {twice} 7", f"line 8:1: a: {twice} 1"]  # fmt: skip
    assert told(text) == found
    assert told(text, validation=Strictness.WARN) == []
    warned = one(text, Strictness.WARN)
    assert [str(problem) for problem in warned.problems(warnings=True)] == [
        f"{line}; the last one holds" for line in found
    ]
    silent = one(text, Strictness.IGNORE)
    assert (silent.findings, silent.value) == ((), {"a": 4, "b": {"c": 3}})


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        ("on: a", "line 1:1: true: the name 'on' is 'true', as Kubernetes reads it; in quotes it is 'on'"),
        (
            "1.10: a",
            "line 1:1: [1.1]: the name '1.10' is '1.1', as Kubernetes reads it; in quotes it is '1.10'",
        ),
        (
            "a: 1\n<<: {a: 2}",
            "line 1:1: a: is replaced by '<<' on line 2, as in Kubernetes; not where '<<' comes first",
        ),
        ("8080: a\n<<: {b: 2}", None),
    ],
)
def test_what_is_odd_is_a_warning(text: str, warning: str | None) -> None:
    document = one(text)
    assert document.problems() == []
    assert [str(problem) for problem in document.problems(warnings=True)] == ([warning] if warning else [])
    assert one(text, Strictness.IGNORE).findings == ()


def test_more_problems_than_anybody_reads_are_not_kept() -> None:
    assert len(told("a: 1\n" * 500)) == 100


# --- where it stands -------------------------------------------------------------------------------------------------

PLACES = """\
metadata:
  labels: {app: x, a.b/c: "y", "d[0]": z}
spec:
  containers:
  - name: web
    args: [a,
      b]
    text: |
      one
      two
  -
    *x
"""


@pytest.mark.parametrize(
    ("path", "steps", "key", "start", "best"),
    [
        ("metadata", ("metadata",), (1, 1), (2, 3), (1, 1)),
        ("metadata.labels[a.b/c]", ("metadata", "labels", "a.b/c"), (2, 20), (2, 27), (2, 27)),
        ("metadata.labels.a.b/c", ("metadata", "labels", "a.b/c"), (2, 20), (2, 27), (2, 27)),
        ("metadata.labels[d[0]]", ("metadata", "labels", "d[0]"), (2, 32), (2, 40), (2, 40)),
        ("metadata.labels[app]", ("metadata", "labels", "app"), (2, 12), (2, 17), (2, 17)),
        ("spec.containers[0]", ("spec", "containers", 0), None, (5, 5), (5, 5)),
        ("spec.containers[0].args[1]", ("spec", "containers", 0, "args", 1), None, (7, 7), (7, 7)),
        ("spec.containers[0].text", ("spec", "containers", 0, "text"), (8, 5), (8, 11), (8, 11)),
        ("spec.containers[0].image", ("spec", "containers", 0), None, (5, 5), (5, 5)),
        ("spec.containers[7].image", ("spec", "containers"), (4, 3), (5, 3), (4, 3)),
        ("spec.containers[x]", ("spec", "containers"), (4, 3), (5, 3), (4, 3)),
        ("nothing.at.all", (), None, (1, 1), (1, 1)),
        ("", (), None, (1, 1), (1, 1)),
    ],
)  # fmt: skip
def test_places(path: str, steps: Steps, key: Position | None, start: Position, best: Position) -> None:
    document = one(PLACES.replace("*x", "y"))
    assert document.root.steps_of(path) == steps
    place = document.place(steps)
    assert (place.key, place.value, place.best) == (key, start, best)
    assert document.find(path) is place


def test_what_is_merged_or_an_alias_is_where_it_was_written() -> None:
    document = one("a: &a\n  b: [1]\nc:\n  <<: *a\nd: *a\ne:\n- *a\n")
    assert document.find("c.b") is document.find("a.b") is document.find("d.b") is document.find("e[0].b")
    assert document.find("a.b[0]").value == (2, 7)
    assert (document.find("a").key, document.find("d").key, document.find("d").best) == (
        (1, 1),
        (5, 1),
        (5, 1),
    )
    assert document.find("e[0]").key is None
    assert document.value["c"]["b"] is document.value["a"]["b"]  # type: ignore[index]


def test_columns_are_counted_in_characters() -> None:
    assert one("é: {😀: 1, b: x}").find("b").value == (1, 1)
    assert one("é: {😀: 1, b: x}").find("é.b").value == (1, 14)
    assert one('{"é": {"\\ud83d\\ude00": 1,\n\t"b": "x"}}').find("é.b").value == (2, 7)


@pytest.mark.parametrize(
    ("steps", "path"),
    [
        (("spec", "containers", 0, "image"), "spec.containers[0].image"),
        (("metadata", "labels", "app"), "metadata.labels[app]"),
        (("spec", "a.b/c", "d"), "spec[a.b/c].d"),
        (("limits", "cpu"), "limits[cpu]"),
        (("a\nb\x1b",), r"[a\nb\x1b]"),
        (("k" * 100,), "k" * 77 + "..."),
        ((), "document"),
    ],
)
def test_spelling(steps: Steps, path: str) -> None:
    assert spell(steps) == path


def test_every_field_can_be_found_by_its_spelling() -> None:
    document = one(PLACES.replace("*x", "{x: [{z: 1}]}"))

    def walk(place: Place, steps: Steps) -> int:
        assert document.find(spell(steps) if steps else "") is place
        inner = place.inner
        children = inner.items() if isinstance(inner, dict) else enumerate(inner or ())
        return 1 + sum(walk(child, (*steps, step)) for step, child in children)

    assert walk(document.root, ()) == 18


# --- what is shown ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "where", "shown"),
    [
        ("a:\n    b: c\n", (2, 8), "b: c\n   ^"),
        ("a:\n\tb: c\r\nd: e", (2, 2), "b: c\n^"),
        ("é漢: c\n", (1, 5), "é漢: c\n     ^"),
        ("a: " + "x" * 300, (1, 201), "..." + "x" * 100 + "...\n" + " " * 53 + "^"),
        ("a: b", (1, 99), "a: b\n    ^"),
        ("a: b", (9, 1), ""), ("a: b", (0, 0), ""), ("a: b", (1, 0), ""),
    ],
)  # fmt: skip
def test_excerpts(text: str, where: tuple[int, int], shown: str) -> None:
    document = read(text)[0]
    assert document.excerpt(Problem("a", "no", ManifestError, *where)) == shown


PASSWORD = "hunter2"


@pytest.mark.parametrize(
    "text",
    [
        "kind: Secret\ndata:\n  a: !hunter2 x\n",
        "kind: Secret\ndata:\n  a: *hunter2\n",
        "kind: Secret\nmetadata: {annotations: {a: {hunter2: 1, hunter2: 2}}}\n".replace("hunter2: 1, hunter2: 2", "x: hunter2, x: y"),
        "kind: Secret\nstringData:\n  a: 'hunter2\n",
        "kind: Secret\nstringData:\n  a: hunter2: hunter2\n",
        "kind: Secret\nstringData:\n  a: !hunter2!hunter2 x\n",
        "kind: List\nitems:\n- kind: Secret\n  data: {a: hunter2, a: hunter2}\n",
        "kind: ConfigMap\ndata: {a: hunter2, a: b}\n",
        "kind: ConfigMap\nmetadata: {x: y}\ndata:\n  a: |\n    hunter2\n  a: hunter2\n  b: hunter2\n",
        "kind: ConfigMap\nbinaryData: {a: hunter2, a: b}\n",
        '{"kind": "Secret", "data": {"a": "hunter2", "a": 1e400}}',
        '{"kind": "Secret", "stringData": {"a": "hunter2" "b"}}',
        "kind: Secret\nstringData:\n  a: \"hunter2\\z\"\n",
        "apiVersion: v1\nkind: secrets\nstringData: {a: hunter2, a: b}\n",
        "data: hunter2\n  x\n y: z",
    ],
)  # fmt: skip
def test_secrets_are_not_shown(text: str) -> None:
    for document in read(text):
        problems = document.problems()
        error = str(ManifestError("x.yaml", problems, document.excerpt))
        assert problems
        assert PASSWORD not in error
        assert all(PASSWORD not in finding.message for finding in document.findings)


def test_an_error_shows_the_first_lines() -> None:
    document = one("a: 1\nb: {a: 1, a: 2}\na: 2\na: 3\na: 4\nb: 1")
    assert str(ManifestError("x.yaml", document.problems(), document.excerpt)) == (
        "cannot accept x.yaml: \n"
        "  - x.yaml:2:11: b.a: the field is there twice, first on line 2\n"
        "      b: {a: 1, a: 2}\n"
        "                ^\n"
        "  - x.yaml:3:1: a: the field is there twice, first on line 1\n"
        "      a: 2\n"
        "      ^\n"
        "  - x.yaml:4:1: a: the field is there twice, first on line 1\n"
        "      a: 3\n"
        "      ^\n"
        "  - x.yaml:5:1: a: the field is there twice, first on line 1\n"
        "  - x.yaml:6:1: b: the field is there twice, first on line 2"
    )
    assert str(ManifestError("x.yaml", one("a: *b").problems())) == (
        "cannot accept x.yaml:1:4: document: nothing before it is called '&b'"
    )
