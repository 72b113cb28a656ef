"""Pouring Arrow batches into a MariaDB table with LOAD DATA, and the tables' DDL.

A thread writes CSV into a named pipe while the server reads it, so nothing is stored in between.
"""

import fcntl
import os
import re
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from contextvars import copy_context
from pathlib import Path
from typing import Any

import pyarrow as pa
import pymysql
from pyarrow import csv
from pymysql.constants import ER

from loan_pipeline.bank.arrow import arrow_schema
from loan_pipeline.bank.errors import BankError
from loan_pipeline.bank.mariadb.connection import Connection, error_code
from loan_pipeline.bank.prefetch import prefetched
from loan_pipeline.contracts.tables import TABLES_BY_NAME, Column, Table

_INSERT_ROWS = 1_000
_PIPE_BYTES = 2**20  # what Linux allows to everybody
_SET_PIPE_SIZE = getattr(fcntl, "F_SETPIPE_SZ", None)


class RepeatedKeysError(ValueError):
    """Rows were left out because their key was there already.

    Attributes:
        surplus: how many rows.
        keys: some of their keys.
    """

    def __init__(self, surplus: int, keys: tuple[int, ...]) -> None:
        super().__init__(f"{surplus} rows repeat a key")
        self.surplus = surplus
        self.keys = keys


def create_table(table: Table, name: str) -> str:
    """DDL of a table called `name`, foreign keys left for `add_references`."""
    columns = ", ".join(_definition(column) for column in table.columns)
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
    """Append the batches to the empty table `name`, and answer the number of rows.

    Raises:
        RepeatedKeysError: where keys are not unique.
        BankError: where the server took a value for another one.
    """
    if not _local_allowed(connection):
        return _insert(connection, table, name, batches)
    with tempfile.TemporaryDirectory(prefix="loan-") as folder:
        pipe = Path(folder) / "rows.csv"
        os.mkfifo(pipe, 0o600)
        writer = _PipeWriter(pipe, table, batches)
        with connection.cursor() as cursor:
            try:
                loaded = cursor.execute(_load_statement(table, name, pipe))
            finally:
                writer.join()
            if writer.error is not None:
                raise writer.error
            cursor.execute("SHOW WARNINGS LIMIT 5")
            warnings = cursor.fetchall()
    _require_all_taken(table, writer.rows, loaded, warnings)
    return writer.rows


class _PipeWriter:
    """Writes batches as CSV into a pipe, in a thread of its own."""

    def __init__(self, pipe: Path, table: Table, batches: Iterator[pa.RecordBatch]) -> None:
        self.rows = 0
        self.error: BaseException | None = None
        self._pipe = pipe
        self._schema = arrow_schema(table)
        self._batches = batches
        run: Callable[..., None] = copy_context().run  # progress is shown where we are
        self._thread = threading.Thread(target=run, args=(self._write,), daemon=True)
        self._thread.start()

    def _write(self) -> None:
        try:
            with (
                self._pipe.open("wb", buffering=0) as stream,
                csv.CSVWriter(
                    stream, self._schema, write_options=csv.WriteOptions(include_header=False)
                ) as writer,
                closing(prefetched(self._batches)) as batches,
            ):
                if _SET_PIPE_SIZE is not None:
                    fcntl.fcntl(stream, _SET_PIPE_SIZE, _PIPE_BYTES)
                for batch in batches:
                    writer.write_batch(batch)
                    self.rows += batch.num_rows
        except BrokenPipeError:
            pass  # the server stopped reading, and says why
        except BaseException as error:  # noqa: BLE001 - raised again by the thread that loads
            self.error = error

    def join(self) -> None:
        """Wait for the thread, which may still wait for somebody to read."""
        with open(os.open(self._pipe, os.O_RDONLY | os.O_NONBLOCK), "rb"):  # noqa: PTH123
            pass
        self._thread.join()


def _load_statement(table: Table, name: str, pipe: Path) -> str:
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
        f"LOAD DATA LOCAL INFILE '{pipe}' INTO TABLE \"{name}\" CHARACTER SET utf8mb4 "
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
            f"The server took {loaded:,} of {sent:,} rows of table {table.name}, and said: {said}."
        )


def _insert(
    connection: Connection,
    table: Table,
    name: str,
    batches: Iterator[pa.RecordBatch],
) -> int:
    """The slower way, for servers that do not allow LOCAL."""
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


def _definition(column: Column) -> str:
    kind = {
        "integer": "INT",
        "decimal": f"DECIMAL({column.precision},{column.scale})",
        "date": "DATE",
        "text": f"VARCHAR({column.length})",
    }[column.kind]
    return f'"{column.name}" {kind}{"" if column.nullable else " NOT NULL"}'
