"""Imports run down the layers, never back up and never in a circle."""

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "loan_pipeline"
CODE = sorted([*PACKAGE.rglob("*.py"), *(ROOT / "webapp").rglob("*.py")])

# From the top down; a package imports only from those after it.
LAYERS = [
    "cli",
    "bank_commands",
    "release_commands",
    "run",
    "definitions",
    "defs",
    "alerts",
    "monitoring",
    "load_loans",
    "release",
    "evaluation",
    "export",
    "training",
    "features",
    "sources",
    "bank",
    "quality",
    "lake",
    "scoring",
    "contracts",
    "terminal",
    "json_text",
    "duckdb_connection",
    "instance",
    "settings",
    "progress",
    "code_revision",
    "errors",
]
TOO_HEAVY_TO_SERVE = {
    "autogluon",
    "dagster",
    "duckdb",
    "ibis",
    "pandas",
    "pyarrow",
    "sklearn",
    "torch",
}
WEB_MAY_USE = {"scoring", "lake", "contracts", "settings", "errors", "progress"}


def _name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


MODULES = {_name(path): path for path in CODE}


def _imports(path: Path) -> Iterator[str]:
    """The modules that a file imports, those for type checkers alone left out."""
    tree = ast.parse(path.read_text())
    for_types = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if node in for_types:
            continue
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for name in node.names:
                inner = f"{node.module}.{name.name}"
                yield inner if inner in MODULES else node.module


def _layers_imported(path: Path) -> set[str]:
    parts = (name.split(".") for name in _imports(path))
    return {part[1] for part in parts if part[0] == "loan_pipeline" and len(part) > 1}


def _layer_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


@pytest.mark.parametrize(
    "path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT))
)
def test_a_package_imports_only_from_packages_below_it(path: Path) -> None:
    layer = _layer_of(path)
    if layer == "__init__":
        return
    above = set(LAYERS[: LAYERS.index(layer)])
    assert not _layers_imported(path) & above


def test_no_two_files_import_in_a_circle() -> None:
    graph = {
        module: {name for name in _imports(path) if name in MODULES and name != module}
        for module, path in MODULES.items()
    }
    try:
        tuple(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(f"these import in a circle: {' -> '.join(error.args[1])}")


@pytest.mark.parametrize(
    "path",
    sorted([*(ROOT / "webapp").rglob("*.py"), *(PACKAGE / "scoring").rglob("*.py")]),
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_what_serves_scores_imports_nothing_heavy(path: Path) -> None:
    assert not {name.split(".")[0] for name in _imports(path)} & TOO_HEAVY_TO_SERVE


@pytest.mark.parametrize(
    "path", sorted((ROOT / "webapp").rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT))
)
def test_the_web_app_uses_the_lake_for_its_store_alone(path: Path) -> None:
    assert _layers_imported(path) <= WEB_MAY_USE
    lake = {name for name in _imports(path) if name.startswith("loan_pipeline.lake")}
    assert lake <= {"loan_pipeline.lake.open", "loan_pipeline.lake.protocol"}
