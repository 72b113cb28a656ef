"""The tables' DDL in MariaDB, and loading Arrow batches into a table with LOAD DATA."""

import re
import tempfile
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow as pa
import pymysql
from pyarrow import csv
from pymysql.constants import ER

from loan_pipeline.bank.errors import BankError, RepeatedKeysError
from loan_pipeline.bank.mariadb.connection import Connection, error_code
from loan_pipeline.contracts.column_types import column_definition, mariadb_type
from loan_pipeline.contracts.tables import TABLES_BY_NAME, Table

_INSERT_ROWS = 1_000
_BYTES_PER_FILE = 16 * 2**20


def create_table(table: Table, name: str) -> str:
    """DDL of a table called `name`, foreign keys left for `add_references`."""
    columns = ", ".join(column_definition(column, mariadb_type) for column in table.columns)
    return (
        f'CREATE TABLE "{name}" ({columns}, PRIMARY KEY ("{table.primary_key}")) '
        "ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin"
    )


def add_references(table: Table, prefix: str) -> str | None:
    """DDL that adds the foreign keys to a filled table; None where it has none."""
    keys = [
        f'ADD FOREIGN KEY ("{key.column}") REFERENCES "{prefix}{key.table}" ("{parent_key}")'
        for key in table.foreign_keys
        for parent_key in [TABLES_BY_NAME[key.table].primary_key]
    ]
    return f'ALTER TABLE "{prefix}{table.name}" {", ".join(keys)}' if keys else None


def load(
    connection: Connection,
    table: Table,
    name: str,
    batches: Iterator[pa.RecordBatch],
) -> int:
    """Append the batches to the empty table `name`.

    Returns:
        The number of rows.

    Raises:
        RepeatedKeysError: where keys are not unique.
        BankError: where the server stored another value than it was sent.
    """
    if not _local_allowed(connection):
        return _insert(connection, table, name, batches)
    rows = 0
    # One file is loaded while the next one is written, so two of them bound the disk needed.
    with (
        tempfile.TemporaryDirectory(prefix="loan-bank-load-") as folder,
        ThreadPoolExecutor(1, "load-data") as loader,
    ):
        loading: Future[None] | None = None
        for number, part in enumerate(_parts(batches)):
            path = Path(folder) / f"{number}.csv"
            csv.write_csv(part, path, csv.WriteOptions(include_header=False))
            if loading is not None:
                loading.result()
            loading = loader.submit(_load_file, connection, table, name, path, part.num_rows)
            rows += part.num_rows
        if loading is not None:
            loading.result()
    return rows


def _parts(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.Table]:
    """The batches gathered into tables of at least `_BYTES_PER_FILE` of memory."""
    waiting: list[pa.RecordBatch] = []
    for batch in batches:
        waiting.append(batch)
        if sum(each.nbytes for each in waiting) >= _BYTES_PER_FILE:
            yield pa.Table.from_batches(waiting)
            waiting = []
    if waiting:
        yield pa.Table.from_batches(waiting)


def _load_file(connection: Connection, table: Table, name: str, path: Path, rows: int) -> None:
    with connection.cursor() as cursor:
        loaded = cursor.execute(_load_statement(table, name, path))
        cursor.execute("SHOW WARNINGS LIMIT 5")
        warnings = cursor.fetchall()
    path.unlink()
    _require_all_taken(table, rows, loaded, warnings)


def _load_statement(table: Table, name: str, file: Path) -> str:
    """Columns that may be null go through a variable: Arrow writes null as nothing."""
    targets, settings = [], []
    for position, column in enumerate(table.columns):
        if column.nullable:
            targets.append(f"@v{position}")
            # Not NULLIF: to it one blank equals nothing.
            settings.append(f'"{column.name}" = IF(LENGTH(@v{position}) = 0, NULL, @v{position})')
        else:
            targets.append(f'"{column.name}"')
    return (
        f"LOAD DATA LOCAL INFILE '{file}' INTO TABLE \"{name}\" CHARACTER SET utf8mb4 "
        "FIELDS TERMINATED BY ',' OPTIONALLY ENCLOSED BY '\"' ESCAPED BY '' "
        f"({', '.join(targets)}){' SET ' if settings else ''}{', '.join(settings)}"
    )


def _require_all_taken(
    table: Table, sent: int, loaded: int, warnings: tuple[tuple[Any, ...], ...]
) -> None:
    """LOCAL turns errors into warnings: look at them, and count."""
    repeated = [text for _, code, text in warnings if code == ER.DUP_ENTRY]
    keys = [int(found[1]) for text in repeated if (found := re.search(r"entry '(\d+)'", text))]
    if repeated:
        raise RepeatedKeysError(sent - loaded, tuple(keys))
    if warnings or loaded != sent:
        said = "; ".join(str(text) for _, _, text in warnings)
        raise BankError(
            f"The server took {loaded:,} of {sent:,} rows of table {table.name}, and reported: "
            f"{said}."
        )


def _insert(
    connection: Connection,
    table: Table,
    name: str,
    batches: Iterator[pa.RecordBatch],
) -> int:
    """For servers that do not allow LOCAL; slower."""
    sql = f'INSERT INTO "{name}" VALUES ({", ".join(["%s"] * len(table.columns))})'
    count = 0
    with connection.cursor() as cursor:
        for batch in batches:
            for start in range(0, batch.num_rows, _INSERT_ROWS):
                columns = [column.to_pylist() for column in batch.slice(start, _INSERT_ROWS)]
                try:
                    count += cursor.executemany(sql, list(zip(*columns, strict=True))) or 0
                except pymysql.IntegrityError as error:
                    found = re.search(r"entry '(\d+)'", str(error))
                    if error_code(error) != ER.DUP_ENTRY or not found:
                        raise
                    raise RepeatedKeysError(1, (int(found[1]),)) from None
    return count


def _local_allowed(connection: Connection) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT @@local_infile")
        row = cursor.fetchone()
    return bool(row and row[0])
