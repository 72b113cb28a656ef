"""One reader for every snapshot: lazy Ibis tables in the contract's types, from folder or S3.

RDS writes dates as strings, CHAR as bytes and whatever decimals the bank has; the casts are here,
and fail on what they cannot cast. What rows must look like beyond their types stands in `quality`.
"""

# ruff: noqa: S608 - every name and every text in the SQL is quoted

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import duckdb
import ibis
import ibis.expr.operations as operations
import pyarrow as pa
from ibis.backends.duckdb import Backend

from loan_pipeline.contracts.column_types import duckdb_type, ibis_type
from loan_pipeline.contracts.snapshot import SnapshotManifest
from loan_pipeline.contracts.tables import TABLES, Column, Table
from loan_pipeline.lake.arrow_files import arrow_dataset, arrow_path
from loan_pipeline.lake.folder_store import FolderStore
from loan_pipeline.lake.protocol import Store, StoreError
from loan_pipeline.lake.snapshot import SnapshotError, folder_of


def open_snapshot(
    store: Store, manifest: SnapshotManifest, connection: Backend
) -> dict[str, ibis.Table]:
    """The snapshot's eight tables by name, read when a query needs them, column by column.

    Only columns whose stored type is not the contract's are read at once, to find values that do
    not cast; a direct export has none.

    Args:
        store: where the snapshot is.
        manifest: which snapshot it is.
        connection: an Ibis DuckDB backend; the tables live as long as it does.

    Raises:
        SnapshotError: a file is missing or has another size than the manifest says, a column is
            missing, or a value does not cast; the message names table, column and value.
    """
    _verify_sizes(store, manifest)
    tables = {}
    for table in TABLES:
        files = [
            f"{folder_of(manifest.snapshot_id)}/{f.key}" for f in manifest.tables[table.name].files
        ]
        view = f"{manifest.snapshot_id}.{table.name}"
        with _translated(store, manifest.snapshot_id, table):
            source = _source(store, table, files, f"{view}.files", connection.con)
            _create_view(table, source, view, manifest.snapshot_id, connection.con)
        tables[table.name] = _bound(table, view, connection)
    return tables


def _bound(table: Table, view: str, connection: Backend) -> ibis.Table:
    """The view as `connection.table` gives it, which would ask DuckDB what the contract says."""
    schema = ibis.schema({column.name: ibis_type(column) for column in table.columns})
    return operations.DatabaseTable(view, schema=schema, source=connection).to_expr()


@contextmanager
def _translated(store: Store, snapshot_id: str, table: Table) -> Iterator[None]:
    try:
        yield
    except (duckdb.Error, pa.ArrowInvalid) as error:
        raise SnapshotError(
            f"snapshot {snapshot_id}, table {table.name}: the files do not read as Parquet "
            f"({error}); export a new snapshot"
        ) from error
    except OSError as error:
        raise StoreError(f"{store.url}, table {table.name}: reading failed: {error}") from error


def _verify_sizes(store: Store, manifest: SnapshotManifest) -> None:
    folder = folder_of(manifest.snapshot_id)
    sizes = store.sizes(folder)
    for table in TABLES:
        if table.name not in manifest.tables:
            raise SnapshotError(
                f"snapshot {manifest.snapshot_id} has no table {table.name}: export a new one"
            )
        for file in manifest.tables[table.name].files:
            found = sizes.get(f"{folder}/{file.key}")
            if found != file.bytes:
                state = "is missing" if found is None else f"has {found:,} bytes"
                raise SnapshotError(
                    f"snapshot {manifest.snapshot_id} is damaged: {store.url}/{folder}/{file.key} "
                    f"{state} instead of {file.bytes:,} bytes; export a new snapshot"
                )


def _source(
    store: Store,
    table: Table,
    files: list[str],
    name: str,
    connection: duckdb.DuckDBPyConnection,
) -> str:
    """What DuckDB selects the files' rows from.

    A folder is read by DuckDB itself. On S3 pyarrow reads for it, only the columns that a query
    needs: DuckDB's own S3 reader is an extension that it would have to download first.
    """
    if not files:
        columns = (f"NULL::{duckdb_type(c)} AS {quoted(c.name)}" for c in table.columns)
        return f"(SELECT {', '.join(columns)} WHERE false)"
    paths = [arrow_path(store, file) for file in files]
    # DuckDB would take these characters in a path for wildcards.
    if isinstance(store, FolderStore) and not set("*?[") & set("".join(paths)):
        return f"read_parquet([{', '.join(_text(path) for path in paths)}])"
    connection.register(name, arrow_dataset(store, files))
    return quoted(name)


@dataclass(frozen=True)
class _Cast:
    """How one column becomes the contract's: an expression, and when its value is wrong."""

    column: Column
    value: str
    wrong: str | None  # None where the stored type is the contract's already


def _create_view(
    table: Table,
    source: str,
    view: str,
    snapshot_id: str,
    connection: duckdb.DuckDBPyConnection,
) -> None:
    described = connection.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()
    stored = {str(row[0]): str(row[1]) for row in described}
    casts = []
    for column in table.columns:
        if column.name not in stored:
            raise SnapshotError(
                f"snapshot {snapshot_id}, table {table.name}: column {column.name} is missing "
                f"(there are {', '.join(stored)})"
            )
        casts.append(_cast(column, stored[column.name]))
    _verify_values(table, source, [cast for cast in casts if cast.wrong], snapshot_id, connection)
    columns = ", ".join(f"{cast.value} AS {quoted(cast.column.name)}" for cast in casts)
    connection.execute(
        f"CREATE OR REPLACE TEMP VIEW {quoted(view)} AS SELECT {columns} FROM {source}"
    )


def _cast(column: Column, stored: str) -> _Cast:
    name, wanted = quoted(column.name), duckdb_type(column)
    if stored == wanted:
        return _Cast(column, name, None)
    if stored == "BLOB":  # RDS's CHAR
        name, stored = f"TRY(decode({name}))", "VARCHAR"
        if wanted == "VARCHAR":
            return _Cast(column, name, f"{name} IS NULL")
    value = f"TRY_CAST({name} AS {wanted})"
    # A cast alone rounds, and ignores what follows a date, so the result is compared as well.
    if stored != "VARCHAR":
        same = f"{value} = {name}" if wanted != "VARCHAR" else "true"
    elif wanted == "DATE":
        same = f"CAST({value} AS VARCHAR) = {name}"
    else:
        same = f"CAST({value} AS DOUBLE) = TRY_CAST({name} AS DOUBLE)"
    return _Cast(column, value, f"({value} IS NULL OR NOT ({same}))")


def _verify_values(
    table: Table,
    source: str,
    casts: list[_Cast],
    snapshot_id: str,
    connection: duckdb.DuckDBPyConnection,
) -> None:
    """Find the first value of each column that the cast would lose or change."""
    if not casts:
        return
    firsts = []
    for cast in casts:
        name = quoted(cast.column.name)
        firsts.append(f"any_value({name}) FILTER ({name} IS NOT NULL AND {cast.wrong})")
    found: tuple[Any, ...] | None = connection.execute(
        f"SELECT {', '.join(firsts)} FROM {source}"
    ).fetchone()
    for cast, value in zip(casts, found or (), strict=True):
        if value is not None:
            raise SnapshotError(
                f"snapshot {snapshot_id}, table {table.name}, column {cast.column.name}: "
                f"the value {value!r} is no {duckdb_type(cast.column)}; correct it in the bank, "
                "then export again"
            )


def quoted(identifier: str) -> str:
    """An identifier as SQL takes it."""
    return '"' + identifier.replace('"', '""') + '"'


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
