"""Hostile manifests end in an error, in bounded time and memory; and both of PyYAML's parsers read the same."""

from __future__ import annotations

import os
import random
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from pypod.errors import ManifestError, SpecError
from pypod.model.manifest import manifest
from pypod.model.text import builder as text_builder
from pypod.model.text import yaml_text as text_yaml
from pypod.model.text.documents import Document, read
from pypod.model.text.places import Place

SAMPLES = (
    """\
# A shop.
apiVersion: v1
kind: Pod
metadata:
  name: shop
  labels: {app: shop, "example.com/tier": 'front'}
  annotations:
    note: >-
      folded
      text
spec:
  terminationGracePeriodSeconds: 5
  containers:
  - name: web
    image: "nginx:1.27"
    args: ['22:22', on-time, "tab\\t\\x41\\u00e9"]
    env:
    - {name: A, value: "1"}
    - &b
      name: B
      value: $(A)
    ports:
    - containerPort: 80
      hostPort: 8080
    volumeMounts:
    - {name: html, mountPath: /srv, readOnly: true}
    resources: {requests: {cpu: 0.5, memory: 64Mi}}
  volumes:
  - name: html
    emptyDir: {medium: Memory, sizeLimit: 1Mi}
""",
    """\
---
{
  apiVersion: "v1",
  kind: "Pod",
  metadata: {name: "k", },
  spec: {
    containers: [{
      # KYAML
      name: "a",
      image: "b",
      command: ["sh", "-c", "echo \\"é😀\\""],
    }],
  },
}
---
apiVersion: v1
kind: ConfigMap
data:
  script: |
    #!/bin/sh
    exit 0
  other: |+2
      x

  8080: "a"
...
""",
    """\
{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "j", "labels": {"a": "\\ud83d\\ude00"}},
\t"spec": {"containers": [{"name": "a", "image": "b", "args": ["-1.5e3", "\\n\\/"], "tty": false}], "volumes": []}}
{"kind": "Secret", "data": {"a": "aGk=", "b": null}}
""",
    """\
x: &x {a: 1, b: [~, !!str 5, 0x1F, 1_0, .5, 2001-01-01, 12:30]}
y: {<<: *x, a: 2}
z: [*x, {<<: [*x, {c: d}]}]
? k
: - - a
  - ! b
""",
)
MUCH = (
    *"{}[]&*!|>'\"%@`:-#?,\t\n\r ~=<\\0\x00\x85\u2028\ufeffé😀",
    *("---\n", "...\n", "\n  ", "- ", ": ", "<<: ", "&a ", "*a", "!!int ", "!x ", "'", '"', "|\n", ">-\n", "\\'", "\\ud83d"),
    *("1e3", "0x", "%YAML 1.2\n", "{" * 70, "[" * 70, "- " * 70, "k" * 1100),
)  # fmt: skip
SEED = 20
BUDGET = 2.0
"""Seconds for one fuzz; there are three, and every prefix."""


def try_to_read(text: str | bytes) -> list[Document]:
    """Every failure is told as one: neither layer lets anything else through."""
    try:
        documents = read(text)
        for document in documents:
            for problem in document.problems():
                document.excerpt(problem)
    except Exception:
        print(f"seed {SEED}, reading {text!r}")
        raise
    try:
        manifest.load(text)
    except SpecError:
        pass
    except Exception:
        print(f"seed {SEED}, loading {text!r}")
        raise
    return documents


def mutated(text: str, random: random.Random) -> str | bytes:
    """With a few changes of its characters, bytes or lines."""
    for _ in range(random.randint(1, 4)):
        at = random.randrange(len(text) + 1)
        kind = random.randrange(6)
        if kind == 0:
            text = text[:at] + random.choice(MUCH) + text[at + random.choice((0, 1, 1, 5)) :]
        elif kind == 1:
            text = text[:at] + text[at + random.randint(1, 20) :]
        elif kind == 2:
            text = text[:at] + text[at : at + 60] * random.randint(2, 4) + text[at + 60 :]
        else:
            lines = text.splitlines(keepends=True) or [""]
            one, other = random.randrange(len(lines)), random.randrange(len(lines))
            if kind == 3:
                lines[one], lines[other] = lines[other], lines[one]
            elif kind == 4:
                lines[one] = random.choice(("  ", " ", "\t", "- ")) + lines[one]
            else:
                lines[one] = lines[one].strip(" ") if random.random() < 0.5 else lines[one].rstrip("\n")
            text = "".join(lines)
    if random.random() < 0.2:
        data = bytearray(text.encode("utf-8", "surrogatepass"))
        for _ in range(random.randint(1, 3)):
            data[random.randrange(len(data) or 1) : random.randrange(len(data) or 1)] = bytes(
                [random.randrange(256)]
            )
        return bytes(data)
    return text


def corpus() -> list[Path]:
    """Real manifests, where there is a folder of them."""
    folder = Path(os.environ.get("PYPOD_CORPUS") or Path(__file__).parents[2].parent / "shared" / "corpus")
    return (
        sorted(path for path in folder.glob("*") if path.suffix in (".yaml", ".yml", ".json"))
        if folder.is_dir()
        else []
    )


def test_every_prefix_of_a_manifest_is_read_or_refused() -> None:
    for sample in SAMPLES:
        for end in range(len(sample)):
            try_to_read(sample[:end])


@pytest.mark.parametrize("seed", range(SEED, SEED + 2))
def test_mutations_of_a_manifest_are_read_or_refused(seed: int) -> None:
    for text in within(BUDGET, random.Random(seed), SAMPLES):
        try_to_read(text)


def test_the_corpus_is_read_and_its_mutations_and_prefixes_are_read_or_refused() -> None:
    texts = [path.read_text() for path in corpus()]
    if not texts:
        pytest.skip("no corpus of manifests here: set PYPOD_CORPUS")
    for path, text in zip(corpus(), texts, strict=True):
        assert [str(problem) for document in try_to_read(text) for problem in document.problems()] == [], path
    rng = random.Random(SEED)
    for changed in within(BUDGET, rng, texts):
        try_to_read(changed)
        whole = rng.choice(texts)
        try_to_read(whole[: rng.randrange(len(whole))])


def within(
    seconds: float, random: random.Random, texts: tuple[str, ...] | list[str]
) -> Iterator[str | bytes]:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        yield mutated(random.choice(texts), random)


# --- both parsers ----------------------------------------------------------------------------------------------------


def outline(place: Place) -> object:
    """All positions of a tree."""
    inner = place.inner
    children = list(inner.items()) if isinstance(inner, dict) else list(enumerate(inner or ()))
    return (place.key, place.value, place.last_line, [(step, outline(child)) for step, child in children])


def summary(documents: list[Document]) -> object:
    return [
        (repr(document.value), document.broken, document.findings, document.broken or outline(document.root))
        for document in documents
    ]


@pytest.mark.skipif(text_yaml.C_LOADER is None, reason="PyYAML is without libyaml here")
def test_the_parser_in_c_and_the_one_in_python_read_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    texts: list[str] = [*SAMPLES, *(path.read_text() for path in corpus())]
    texts += [
        sample[:end] for sample in SAMPLES for end in range(0, len(sample), 7) if sample[end - 1] != " "
    ]
    rng = random.Random(SEED)
    changed = (mutated(rng.choice(SAMPLES), rng) for _ in range(800))
    # Of these two only the one in C knows comments right after |, and where a byte order mark may stand.
    texts += [
        str(text) for text in changed if isinstance(text, str) and "\ufeff" not in text and "|#" not in text
    ]
    fast = [summary(read(text)) for text in texts]
    monkeypatch.setattr(text_yaml, "C_LOADER", None)
    monkeypatch.setattr(text_yaml, "SLOW_EVENTS", 100_000)
    differing = [text for text, found in zip(texts, fast, strict=True) if summary(read(text)) != found]
    assert differing == []


def test_without_libyaml_less_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_yaml, "C_LOADER", None)
    monkeypatch.setattr(text_yaml, "SLOW_EVENTS", 100)
    monkeypatch.setattr(text_yaml, "_SLOW_CHARACTERS", 1000)
    for text, what in (
        ("- a\n" * 100, "has more than 100 values"),
        ("x" * 1001, "is longer than 1000 characters"),
    ):
        (document,) = read(text)
        assert document.findings[-1].message == f"{what}, the most without libyaml, which PyYAML lacks here"
    assert read("- a\n" * 20)[0].value == ["a"] * 20


# --- time and memory -------------------------------------------------------------------------------------------------

MOST = 3_000_000


def full(head: str, unit: str, tail: str = "", most: int = MOST) -> str:
    return head + unit * ((most - len(head) - len(tail)) // len(unit)) + tail


BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 12)
)
HOSTILE: dict[str, str | bytes] = {
    "lists": full("", "[\n"), "brackets": full("", "["), "mappings": full("", "{a: "), "dashes": full("", "- "),
    "questions": full("", "? "), "JSON lists": full('{"a":', "["), "bomb": BOMB, "itself": "&a {b: *a}",
    "doubling": "a0: &a0 x\n" + "".join(f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]\n" for i in range(1, 60)),
    "merge bomb": "a: &a {" + ", ".join(f"k{i}: 1" for i in range(9000)) + "}\nb:\n" + "- <<: *a\n" * 500,
    "merged lists": "a: &a {" + ", ".join(f"k{i}: 1" for i in range(300)) + "}\nb: {<<: [" + "*a, " * 900 + "]}",
    "wide alias": "a: &a [" + "x, " * 400 + "]\nb: [" + "*a, " * 2000 + "]",
    "many values": full("[a, ", "1,", "1]"), "many values of JSON": full('{"a":[', "1,", "1]}"), "many items": full("", "- a\n"),
    "many keys": "".join(f"k{i}: v\n" for i in range(200_000)), "the same key": full("", "a: 1\n"), "number keys": full("", "1.5: 1\n"),
    "many documents": full("", "--- a\n"), "broken documents": full("", "---\n{\n", most=300_000), "many of JSON": full("", "{}"),
    "digits": full("a: ", "9"), "zeros": full("a: ", "0"), "hex": full("a: 0x", "f"), "float": full("a: 1.", "9"),
    "exponent": full("a: 1e", "9"), "underscores": full("a: 1", "_"), "long word": full("a: ", "x"), "words": full("a: ", "x y "),
    "lines": full("a: ", "x\n  "), "quoted": full('a: "', "x ", '"'), "escapes": full('a: "', "\\n", '"'), "open": full("a: '", "x"),
    "block": full("a: |\n", "  x\n"), "comments": full("", "#\n"), "empty lines": full("", "\n"), "tabs": full("", "\t"),
    "spaces": full("", " "), "colons": full("a: ", ":a"), "bangs": full("a: ", "!"), "anchor": full("a: &", "a"),
    "anchors": full("", "- &a x\n"), "tags": "".join(f"%TAG !a{i}! x\n" for i in range(150_000)) + "--- a", "percents": full("", "%A\n"),
    "small escapes": full('a: "', "\\'", '"', most=300_000), "small escapes of many": full("", "--- \"\\'\"\n", most=300_000),
    "escapes of many": full("- \"\\'\"\n", "- a\n", most=300_000), "small words": full("a: ", "x y ", "\nb: [", most=300_000),
    "binary": bytes(range(256)) * 12_000, "not UTF-8": full("", "é").encode()[:-1], "zero bytes": "\x00" * MOST, "emoji": full("a: ", "😀"),
    "surrogates": full('{"a": "', "\\ud83d\\ude00", '"}'), "JSON string": full('{"a": "', "\\n", ""), "base64": full("a: !!binary ", "QUJD"),
    "long key": '{"' + "k" * 400_000 + '": [' + "1, " * 20_000 + "]}", "unknown": "{" + ", ".join(f'"containrs{i}": 1' for i in range(5000)) + "}",
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_ends_in_bounded_time(name: str) -> None:
    text = HOSTILE[name]
    started = time.process_time()
    documents = read(text)
    problems = [(document, problem) for document in documents for problem in document.problems()]
    shown = [f"{problem}{document.excerpt(problem)}" for document, problem in problems[:200]]
    assert time.process_time() - started < 5
    assert all(len(text) < 1000 for text in shown)


@pytest.mark.parametrize("name", ["many keys", "the same key", "unknown", "long key", "merge bomb", "digits"])
def test_hostile_text_as_a_pod_is_refused_in_bounded_time(name: str) -> None:
    started = time.process_time()
    with pytest.raises(ManifestError) as caught:
        manifest.load(HOSTILE[name])
    assert time.process_time() - started < 5
    assert len(str(caught.value)) < 100_000


def test_hostile_text_takes_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_builder, "MAX_VALUES", 10_000)
    tracemalloc.start()
    try:
        read(full('{"a":[', "{},", "{}]}", most=300_000))
        read(full("", "- a\n", most=300_000))
        read(BOMB)
        assert tracemalloc.get_traced_memory()[1] < 30_000_000
    finally:
        tracemalloc.stop()
