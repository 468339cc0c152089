"""The files of configMap, secret, downwardAPI and projected volumes, and single values for variables."""

from __future__ import annotations

import pytest

from pypod.model.rules import files
from pypod.model.rules.files import Entry, File, FilesError, Item
from pypod.model.rules.object_values import (
    ValueMissingError,
    config_map_value,
    config_map_variables,
    secret_value,
    secret_variables,
)
from pypod.model.schema.checking import Check
from pypod.model.spec.object_references import Objects, Reference, needed
from pypod.model.spec.objects import ConfigMap, PersistentVolumeClaim, Secret

CONFIG = ConfigMap("c", {"b": "ä", "a": "1"}, {"bin": b"\0"})
SECRET = Secret("s", {"token": b"hunter2", "raw": b"\xff"}, namespace="shop")


def paths(found: tuple[File, ...]) -> dict[str, int]:
    return {file.path: file.mode for file in found}


class TestSources:
    def test_all_keys(self) -> None:
        found = files.of_config_map(CONFIG, "c")
        assert found == (File("a", 0o644, b"1"), File("b", 0o644, "ä".encode()), File("bin", 0o644, b"\0"))
        assert paths(files.of_secret(SECRET, "s", default_mode=0o400)) == {"raw": 0o400, "token": 0o400}

    def test_items_alone(self) -> None:
        items = [Item("b", "conf/b.txt", 0o600), Item("bin", "x"), Item("b", "again")]
        found = files.of_config_map(CONFIG, "c", items=items, default_mode=0o440)
        assert paths(found) == {"again": 0o440, "conf/b.txt": 0o600, "x": 0o440}
        assert {file.path: file.data for file in found}["x"] == b"\0"

    def test_a_missing_object(self) -> None:
        with pytest.raises(FilesError, match=r'^configmap "c" not found$'):
            files.of_config_map(None, "c")
        with pytest.raises(FilesError, match=r'^secret "s" not found$'):
            files.of_secret(None, "s", items=[Item("a", "a")])
        assert files.of_config_map(None, "c", optional=True) == ()
        assert files.of_secret(None, "s", items=[Item("a", "a")], optional=True) == ()

    def test_a_missing_key(self) -> None:
        items = [Item("a", "a"), Item("nope", "x")]
        with pytest.raises(FilesError, match=r"^configmap references non-existent config key: nope$"):
            files.of_config_map(CONFIG, "c", items=items)
        with pytest.raises(FilesError, match=r"^references non-existent secret key: a$"):
            files.of_secret(SECRET, "s", items=items)
        assert paths(files.of_config_map(CONFIG, "c", items=items, optional=True)) == {"a": 0o644}

    def test_texts(self) -> None:
        found = files.of_texts([("labels", 'a="b"', None), ("d/name", "x", 0o400)], 0o444)
        assert found == (File("d/name", 0o400, b"x"), File("labels", 0o444, b'a="b"'))

    def test_a_file_does_not_print_what_is_in_it(self) -> None:
        (_, token) = files.of_secret(SECRET, "s")
        assert repr(token) == "File('token', 0o644, <7 bytes>)"
        assert "hunter2" not in repr(files.layout([token], "1"))


class TestTogether:
    def test_the_later_source_counts(self) -> None:
        found = files.merged([files.of_config_map(CONFIG, "c"), files.of_texts([("a", "new", 0o400)])])
        assert found[0] == File("a", 0o400, b"new")
        assert len(found) == 3

    def test_a_file_in_a_file(self) -> None:
        with pytest.raises(FilesError, match=r"^mkdir a: not a directory"):
            files.merged([files.of_config_map(CONFIG, "c"), files.of_texts([("a/b", "", None)])])

    def test_paths_are_made_plain(self) -> None:
        assert paths(files.of_texts([("./a//b", "1", None), ("a/b", "2", None)])) == {"a/b": 0o644}

    def test_several_errors(self) -> None:
        one, two = FilesError('configmap "a" not found'), FilesError('secret "b" not found')
        assert str(files.all_problems([one, one])) == 'configmap "a" not found'
        assert str(files.all_problems([one, two])) == '[configmap "a" not found, secret "b" not found]'

    @pytest.mark.parametrize(
        "path",
        ["", "/a", "..", "../a", "a/../b", "a/..", "..data", "...", "..2024/x", ".", "a/", "a" * 256, "a/" * 2048 + "a", "a\0"],
    )  # fmt: skip
    def test_paths_that_cannot_be(self, path: str) -> None:
        assert files.path_problem(path)
        with pytest.raises(FilesError, match="invalid path"):
            files.of_texts([(path, "", None)])

    @pytest.mark.parametrize("path", ["a", ".a", "a..b", "a/..b", "a/b/c", "a" * 255, ".a/b", "ä"])
    def test_paths_that_can(self, path: str) -> None:
        assert files.path_problem(path) == ""

    def test_items_are_checked(self) -> None:
        check, seen = Check(), {"taken"}
        items = [Item("", "a"), Item("k", "../x"), Item("k", "taken"), Item("k", ""), Item("k", "b", 0o1000)]
        files.check_items(check, "items", items, seen)
        assert [problem.path for problem in check.problems] == [
            "items[0].key",
            "items[1].path",
            "items[2].path",
            "items[3].path",
            "items[4].mode",
        ]
        assert "conflicting duplicate paths" in str(check.problems[2])
        assert seen == {"taken", "a", "b"}


class TestGroup:
    @pytest.mark.parametrize(
        ("mode", "directory", "read_only", "wanted"),
        [
            (0o400, False, True, 0o440),
            (0o644, False, True, 0o644),
            (0o600, False, False, 0o660),
            (0o644, False, False, 0o664),
            (0o755, True, True, 0o2755),
            (0o700, True, True, 0o2750),
            (0o777, True, False, 0o2777),
            (0o700, True, False, 0o2770),
        ],
    )
    def test_modes(self, mode: int, directory: bool, read_only: bool, wanted: int) -> None:
        assert files.group_mode(mode, directory=directory, read_only=read_only) == wanted

    def test_files(self) -> None:
        found = files.of_secret(SECRET, "s", default_mode=0o400)
        assert paths(files.with_group(found, fs_group=5)) == {"raw": 0o440, "token": 0o440}
        assert files.with_group(found, fs_group=None) == found


class TestLayout:
    def test_as_a_kubelet_has_it(self) -> None:
        found = files.of_texts([("a", "1", None), ("d/e/f", "2", 0o400), ("d/g", "3", None)])
        assert files.layout(found, "2026") == (
            Entry("..2026", 0o755),
            Entry("..2026/d", 0o755),
            Entry("..2026/d/e", 0o755),
            Entry("..2026/a", 0o644, b"1"),
            Entry("..2026/d/e/f", 0o400, b"2"),
            Entry("..2026/d/g", 0o644, b"3"),
            Entry("..data", 0o777, link="..2026"),
            Entry("a", 0o777, link="..data/a"),
            Entry("d", 0o777, link="..data/d"),
        )

    def test_with_a_group(self) -> None:
        found = files.layout(files.of_texts([("d/a", "1", 0o400)]), "1", fs_group=7)
        assert [entry.mode for entry in found] == [0o2755, 0o2755, 0o440, 0o777, 0o777]

    def test_of_nothing(self) -> None:
        assert files.layout((), "1") == (Entry("..1", 0o755), Entry("..data", 0o777, link="..1"))


class TestVariables:
    def test_of_one_key(self) -> None:
        assert config_map_value(CONFIG, "c", "a", namespace="n") == "1"
        assert secret_value(SECRET, "s", "token", namespace="n") == "hunter2"

    def test_what_is_missing(self) -> None:
        with pytest.raises(ValueMissingError, match=r'^configmap "c" not found$'):
            config_map_value(None, "c", "a", namespace="n")
        with pytest.raises(ValueMissingError, match=r"^couldn't find key x in ConfigMap n/c$"):
            config_map_value(CONFIG, "c", "x", namespace="n")
        with pytest.raises(ValueMissingError, match=r"^couldn't find key bin in ConfigMap n/c$"):
            config_map_value(CONFIG, "c", "bin", namespace="n")
        with pytest.raises(ValueMissingError, match=r"^couldn't find key x in Secret n/s$"):
            secret_value(SECRET, "s", "x", namespace="n")
        with pytest.raises(ValueMissingError, match=r'^secret "s" not found$'):
            secret_variables(None, "s")

    def test_optional(self) -> None:
        assert config_map_value(None, "c", "a", namespace="n", optional=True) is None
        assert secret_value(SECRET, "s", "x", namespace="n", optional=True) is None
        assert config_map_variables(None, "c", optional=True) == {}

    def test_of_all_keys(self) -> None:
        assert config_map_variables(CONFIG, "c", prefix="P_") == {"P_a": "1", "P_b": "ä"}
        assert secret_variables(Secret("s", {"a": b"1"}), "s", prefix="P_") == {"P_a": "1"}

    def test_what_no_variable_can_have(self) -> None:
        with pytest.raises(
            ValueMissingError, match="key raw in Secret shop/s cannot be a variable: it is not UTF-8"
        ):
            secret_variables(SECRET, "s")
        with pytest.raises(ValueMissingError, match="NUL"):
            secret_value(Secret("s", {"a": b"hun\0ter"}), "s", "a", namespace="n")
        with pytest.raises(ValueMissingError, match="NUL"):
            config_map_variables(ConfigMap("c", {"a": "\0"}), "c")
        assert secret_value(Secret("s", {"a": "\ufffd".encode()}), "s", "a", namespace="n") == "\ufffd"


class TestReferences:
    def test_each_once(self) -> None:
        given = [Reference("Secret", "b", True), Reference("ConfigMap", "a", True), Reference("Secret", "b")]
        assert needed(given) == (Reference("ConfigMap", "a", True), Reference("Secret", "b"))

    def test_what_is_missing(self) -> None:
        found = Objects("n", {("ConfigMap", "a"): CONFIG}, {("Secret", "broken"): "cannot read it"})
        wanted = [
            Reference("ConfigMap", "a"),
            Reference("PersistentVolumeClaim", "p"),
            Reference("Secret", "s"),
            Reference("Secret", "broken"),
            Reference("Secret", "o", optional=True),
        ]
        assert found.missing(wanted) == [
            'persistentvolumeclaim "p" not found',
            "cannot read it",
            'secret "s" not found',
        ]
        assert found.config_map("a") == CONFIG
        assert (found.secret("a"), found.claim("a"), found.config_map("b")) == (None, None, None)

    def test_kinds(self) -> None:
        claim = PersistentVolumeClaim("p")
        found = Objects("n", {("PersistentVolumeClaim", "p"): claim, ("Secret", "s"): SECRET})
        assert (found.claim("p"), found.secret("s")) == (claim, SECRET)
