"""The embedded bank: one DuckDB file, replaced as a whole."""

import fcntl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from loan_pipeline.bank.arrow import arrow_schema
from loan_pipeline.bank.errors import BankError
from loan_pipeline.bank.filling import pour, refuse_unless_managed, require_contract
from loan_pipeline.bank.source import Source
from loan_pipeline.contracts.tables import TABLES, Column, Table

_BATCH_ROWS = 100_000
_FILLED_FROM = "_filled_from"


class EmbeddedBank:
    """The bank in one file; several processes may read it while one fills it anew.

    Args:
        path: the DuckDB file; its folder is made when the bank is filled.
        managed: False where the file is somebody else's and never written.
    """

    def __init__(self, path: Path, *, managed: bool = True) -> None:
        self.name = f"embedded bank {path}"
        self._path = path
        self._managed = managed

    def exists(self) -> bool:
        """Whether the file is there; it is only ever there complete."""
        return self._path.exists()

    def fill(self, source: Source) -> dict[str, int]:
        """Fill a new file beside the old one, validate it, and put it in the old one's place."""
        refuse_unless_managed(self._managed, self.name)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._only_filler():
            new = self._path.with_name(self._path.name + ".filling")
            _remove(new)
            try:
                counts = _fill_file(new, source)
                new.replace(self._path)
            except (duckdb.IOException, duckdb.OutOfMemoryException, OSError) as error:
                raise BankError(
                    f"The {self.name} could not be written, and was left as it was: {error}. "
                    "Make room or mend the folder's rights, then fill again."
                ) from error
            finally:
                _remove(new)
        return counts

    def filled_from(self) -> str | None:
        """Name of the source that filled the file."""
        if not self.exists():
            return None
        with self.reading() as reader:
            if not reader.rows(
                f"SELECT 1 FROM information_schema.tables WHERE table_name = '{_FILLED_FROM}'"
            ):
                return None
            [(source,)] = reader.rows(f"SELECT source FROM {_FILLED_FROM}")
        return str(source)

    def row_counts(self) -> dict[str, int]:
        """The number of rows by table."""
        with self.reading() as reader:
            return {table.name: reader.row_count(table) for table in TABLES}

    @contextmanager
    def reading(self) -> Iterator["EmbeddedReader"]:
        """Read the file as it is now; a fill meanwhile puts another file in its place."""
        if not self.exists():
            raise BankError(
                f"There is no {self.name}. Fill one: loan-pipeline run --source sample, "
                "or --source with a folder of PKDD'99 files."
            )
        try:
            connection = duckdb.connect(self._path, read_only=True)
        except duckdb.Error as error:
            raise BankError(
                f"The {self.name} cannot be opened: {error}. If it is damaged, delete it and "
                "fill it again."
            ) from error
        with connection:
            connection.execute("BEGIN TRANSACTION")
            yield EmbeddedReader(connection)

    @contextmanager
    def _only_filler(self) -> Iterator[None]:
        """Hold the lock of whoever fills; the system drops it with the process."""
        with self._path.with_name(self._path.name + ".lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise BankError(
                    f"The {self.name} is being filled by another process. "
                    "Wait until that is done, then fill again."
                ) from None
            yield


class EmbeddedReader:
    """A read of the embedded bank; see `database.BankReader`."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection

    def batches(self, table: Table) -> pa.RecordBatchReader:
        """The table's rows in the order of their key, streamed."""
        columns = ", ".join(f'"{name}"' for name in table.column_names)
        # A cursor of its own lets two tables be read at once.
        result = self._connection.cursor().execute(
            f'SELECT {columns} FROM "{table.name}" ORDER BY "{table.primary_key}"'
        )
        reader = result.to_arrow_reader(_BATCH_ROWS)
        if reader.schema != arrow_schema(table):
            raise BankError(
                f"Table {table.name} of the embedded bank has other types than the contract: "
                f"{reader.schema}. Fill the bank again."
            )
        return reader

    def row_count(self, table: Table) -> int:
        """How many rows the table has."""
        [(count,)] = self.rows(f'SELECT COUNT(*) FROM "{table.name}"')
        return int(count)

    def rows(self, sql: str) -> Sequence[tuple[Any, ...]]:
        """The answer to a query that gives few rows."""
        return self._connection.execute(sql).fetchall()

    def exact(self, expression: str) -> str:
        """DuckDB compares letter by letter as it is."""
        return expression

    def columns(self, table: Table) -> Mapping[str, str]:
        """DuckDB's type of each column."""
        return dict(
            self._connection.execute(
                "SELECT column_name, data_type FROM information_schema.columns "
                "WHERE table_name = ?",
                [table.name],
            ).fetchall()
        )


def _fill_file(path: Path, source: Source) -> dict[str, int]:
    with duckdb.connect(path) as connection:

        def into(table: Table, batches: Iterator[pa.RecordBatch]) -> int:
            # Keys are validated below with one query; an index would cost more than it gives.
            columns = ", ".join(_definition(column) for column in table.columns)
            connection.execute(f'CREATE TABLE "{table.name}" ({columns})')
            count = 0
            for batch in batches:
                connection.register("batch", pa.Table.from_batches([batch]))
                connection.execute(f'INSERT INTO "{table.name}" SELECT * FROM batch')
                count += batch.num_rows
            return count

        counts = pour(source, into)
        require_contract(EmbeddedReader(connection), source)
        connection.execute(f"CREATE TABLE {_FILLED_FROM} (source VARCHAR, filled_at TIMESTAMP)")
        connection.execute(
            f"INSERT INTO {_FILLED_FROM} VALUES (?, now()::TIMESTAMP)",
            [source.name],
        )
    return counts


def _definition(column: Column) -> str:
    kind = {
        "integer": "BIGINT",
        "decimal": f"DECIMAL({column.precision}, {column.scale})",
        "date": "DATE",
        "text": "VARCHAR",
    }[column.kind]
    return f'"{column.name}" {kind}{"" if column.nullable else " NOT NULL"}'


def _remove(path: Path) -> None:
    for leftover in (path, path.with_name(path.name + ".wal")):
        leftover.unlink(missing_ok=True)
