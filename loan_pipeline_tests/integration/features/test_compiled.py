"""SQL compiled ahead of time computes what the expressions say today, or does not compute."""

import ast
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import ibis
import pyarrow as pa
import pytest
from ibis.backends.duckdb import Backend

from loan_pipeline.contracts.column_types import ibis_type
from loan_pipeline.contracts.tables import TABLES
from loan_pipeline.features import compiled
from loan_pipeline.features.builder import FEATURE_TABLES
from loan_pipeline.features.engine import feature_batches, snapshot_tables
from loan_pipeline.lake.open import open_store
from loan_pipeline.sources.sample import SampleSource
from loan_pipeline.sources.sample.snapshot import write_parquet

AS_OF = date(1996, 7, 1)
names = pytest.mark.parametrize("name", FEATURE_TABLES)


@pytest.fixture
def empty_bank() -> Iterator[Backend]:
    connection = ibis.duckdb.connect()
    for table in TABLES:
        schema = ibis.schema({column.name: ibis_type(column) for column in table.columns})
        connection.create_table(table.name, schema=schema)
    yield connection
    connection.disconnect()


@pytest.mark.fast
@names
def test_the_sql_is_up_to_date(name: str) -> None:
    kept = (compiled.SQL / f"{name}.sql").read_text(encoding="utf-8")
    assert kept == compiled.file_of(name), "run: make generate"


@pytest.mark.fast
@names
def test_neither_old_nor_edited_sql_is_run(
    name: str, empty_bank: Backend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compiled, "SQL", tmp_path)
    file = tmp_path / f"{name}.sql"

    sound = compiled._with_fingerprint("SELECT 1 AS kept\n")
    file.write_text(sound)
    assert compiled.compute(empty_bank.con, name, AS_OF).schema.names == ["kept"]

    file.write_text(sound.replace("SELECT 1", "SELECT 2"))
    _computes_the_features(name, empty_bank)

    changed = tmp_path / "history.py"
    changed.write_text("DAYS_PER_MONTH = 31")
    file.write_text(sound)
    with monkeypatch.context() as edited:
        edited.setattr(compiled, "MADE_FROM", (*compiled.MADE_FROM[:-1], changed))
        _computes_the_features(name, empty_bank)

    file.unlink()
    _computes_the_features(name, empty_bank)


def _computes_the_features(name: str, empty_bank: Backend) -> None:
    columns = FEATURE_TABLES[name]({t.name: empty_bank.table(t.name) for t in TABLES}, AS_OF)
    assert compiled.compute(empty_bank.con, name, AS_OF).schema.names == list(columns.columns)


@pytest.mark.fast
def test_all_that_the_expressions_import_changes_the_fingerprint() -> None:
    builder = compiled.SQL.parent / "builder.py"
    found, waiting = set[Path](), [builder]
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting += _imported(path)
    assert len(found) > 8
    assert found <= set(compiled.MADE_FROM)


def _imported(path: Path) -> Iterator[Path]:
    """The project's own files that a file imports from."""
    root = compiled.SQL.parents[2]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("loan_pipeline"):
            module = root.joinpath(*str(node.module).split("."))
            yield module / "__init__.py" if module.is_dir() else module.with_suffix(".py")


@names
def test_it_computes_what_the_expressions_compute(name: str, tmp_path: Path) -> None:
    manifest = write_parquet(SampleSource(0.05, 6), tmp_path)
    store = open_store(tmp_path.as_uri())
    key = "loan_id" if name == "loan_features" else "account_id"
    for as_of in (manifest.as_of, AS_OF):
        known = manifest.model_copy(update={"as_of": as_of})
        with snapshot_tables(store, known) as tables:
            expected: pa.Table = FEATURE_TABLES[name](tables, as_of).to_pyarrow()
        with feature_batches(store, known, name) as batches:
            computed = batches.read_all()
        assert computed.num_rows > 0
        assert computed.sort_by(key).equals(expected.sort_by(key))
