"""Imports point one way, what is expensive or impure is imported in one place, and nothing grows out of hand."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import pypod

ROOT = Path(pypod.__file__).parent
MODULES = {
    "pypod." + ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(ROOT.rglob("*.py"))
    if path != ROOT / "__init__.py"
}
MAX_FUNCTION = 50
MAX_MODULE = 450

LAYERS = [
    "errors",
    "model",
    "engine",
    # all that is between an engine and a live pod
    "archives background connecting copying debugging existing expiring forwarding handing inside lifetime loading starting stock supervisor storing sweeping waiting",
    "handle",
    "access",
    "living",
    "pod",
    "finding describing podpool",
    "cli pytest",
    "__main__",
]
RANK = {name: rank for rank, names in enumerate(LAYERS) for name in names.split()}

# pypod.model's folders, each above all that it imports. Modules beside the folders are the ground.
MODEL = ["text", "schema", "spec", "rules", "document", "validation", "manifest", "wiring", "life"]

HOMES = {
    "docker": {"pypod.engine.docker_sdk"},
    "yaml": {"pypod.model.text.yaml_text", "pypod.model.text.writer"},
}
FOLDERS = {"rich": "pypod.cli", "tenacity": "pypod.engine", "argparse": "pypod.cli", "pytest": "pypod.pytest"}
IMPURE = {
    "time",
    "threading",
    "socket",
    "random",
    "logging",
    "subprocess",
    "os",
    "docker",
    "secrets",
    "select",
}

LABEL = re.compile(r"""["']io\.pypod\.""")
LABEL_HOMES = {"pypod.model.naming", "pypod.model.document.pods", "pypod.engine.pause"}


@functools.cache
def tree(module: str) -> ast.Module:
    return ast.parse(MODULES[module].read_text())


def imports(node: ast.AST) -> Iterator[str]:
    """What is imported anywhere in it, dotted, but for what only type checkers see."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        if isinstance(child, ast.Import):
            yield from (alias.name for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            assert child.level == 0, "imports are absolute"
            for alias in child.names:
                whole = f"{child.module}.{alias.name}"
                yield whole if whole in MODULES else str(child.module)
        yield from imports(child)


def tops(module: str) -> set[str]:
    return {name.partition(".")[0] for name in imports(tree(module))}


def library() -> list[str]:
    return [name for name in MODULES if name.split(".")[1] != "testing"]


def part(module: str) -> str:
    return module.split(".")[1]


def test_modules_are_found() -> None:
    assert len(MODULES) > 40
    assert {"pypod.model.life.planner", "pypod.engine.pause", "pypod.cli", "pypod.__main__"} <= set(MODULES)


def test_every_module_has_its_layer() -> None:
    assert {part(name) for name in library()} == set(RANK)


@pytest.mark.parametrize("module", library())
def test_imports_point_one_way(module: str) -> None:
    below = [name for name in imports(tree(module)) if name.startswith("pypod.")]
    assert [name for name in below if RANK[part(name)] > RANK[part(module)]] == []


def floor(module: str) -> int:
    """A folder of the model, counted from the ground; 0 for what stands beside the folders."""
    names = module.split(".")
    return MODEL.index(names[2]) + 1 if len(names) > 3 else 0


def model() -> list[str]:
    return [name for name in MODULES if part(name) == "model"]


def test_the_model_has_these_folders() -> None:
    assert {path.parent.name for path in (ROOT / "model").glob("*/__init__.py")} == set(MODEL)


@pytest.mark.parametrize("module", model())
def test_imports_in_the_model_point_down(module: str) -> None:
    below = [name for name in imports(tree(module)) if name.startswith("pypod.model.")]
    assert [name for name in below if floor(name) > floor(module)] == []


def test_nothing_imports_the_whole_package() -> None:
    """`import pypod` in a lower layer would hide where a name comes from. The CLI is a user of the public names."""
    users = [name for name in library() if "pypod" in set(imports(tree(name))) and part(name) != "cli"]
    assert users == []


def test_cli_and_pytest_plugin_stand_beside_each_other() -> None:
    beside = {"cli": "pypod.pytest", "pytest": "pypod.cli"}
    mixed = [
        name
        for name in library()
        if part(name) in beside and any(each.startswith(beside[part(name)]) for each in imports(tree(name)))
    ]
    assert mixed == []


@pytest.mark.parametrize("module", library())
def test_the_library_does_not_import_its_testing_helpers(module: str) -> None:
    assert not any(name.startswith("pypod.testing") for name in imports(tree(module)))


@pytest.mark.parametrize("module", list(MODULES))
def test_what_is_expensive_is_imported_where_it_belongs(module: str) -> None:
    names = tops(module)
    assert [name for name, homes in HOMES.items() if name in names and module not in homes] == []
    assert [
        name for name, home in FOLDERS.items() if name in names and not f"{module}.".startswith(f"{home}.")
    ] == []


@pytest.mark.parametrize("name", [*HOMES, *FOLDERS])
def test_and_there_it_is(name: str) -> None:
    assert any(name in tops(module) for module in MODULES)


@pytest.mark.parametrize("module", model())
def test_the_model_is_pure(module: str) -> None:
    assert tops(module) & IMPURE == set()


def test_label_keys_are_spelled_in_one_place() -> None:
    spelled = {name for name, path in MODULES.items() if LABEL.search(path.read_text())}
    assert spelled <= LABEL_HOMES
    assert "pypod.model.naming" in spelled


def functions(module: str) -> Iterator[tuple[str, int]]:
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            yield f"{module}.{node.name}", node.end_lineno - node.lineno + 1


def test_functions_are_short() -> None:
    long = [f"{name}: {n} lines" for module in MODULES for name, n in functions(module) if n > MAX_FUNCTION]
    assert long == [], f"longer than {MAX_FUNCTION} lines"


def test_modules_are_short() -> None:
    lengths = {name: len(path.read_text().splitlines()) for name, path in MODULES.items()}
    long = [f"{name}: {lines} lines" for name, lines in lengths.items() if lines > MAX_MODULE]
    assert long == [], f"longer than {MAX_MODULE} lines"
