"""The arrows between the rooms never run back up."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.fast

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "loan_pipeline"

# From the top down; a room imports only from those after it.
ORDER = [
    "cli",
    "run",
    "measure",
    "definitions",
    "defs",
    "model",
    "features",
    "bank",
    "lake",
    "scoring",
    "contracts",
    "terminal",
    "instance",
    "settings",
    "progress",
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


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{name.name}" for name in node.names)


def _rooms_imported(path: Path) -> set[str]:
    parts = (name.split(".") for name in _imports(path))
    return {part[1] for part in parts if part[0] == "loan_pipeline" and len(part) > 1}


def _room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


@pytest.mark.parametrize(
    "path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT))
)
def test_a_room_imports_only_from_rooms_below_it(path: Path) -> None:
    room = _room_of(path)
    if room == "__init__":
        return
    above = set(ORDER[: ORDER.index(room)])
    assert not _rooms_imported(path) & above


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
    assert _rooms_imported(path) <= WEB_MAY_USE
    lake = {name for name in _imports(path) if name.startswith("loan_pipeline.lake")}
    assert all(name.startswith("loan_pipeline.lake.store") for name in lake)
