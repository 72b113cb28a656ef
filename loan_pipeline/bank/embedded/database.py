"""The embedded bank: one DuckDB file, replaced as a whole."""

import fcntl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import duckdb
import pyarrow as pa

from loan_pipeline.bank.arrow import arrow_schema
from loan_pipeline.bank.embedded.reader import EmbeddedReader
from loan_pipeline.bank.errors import BankError
from loan_pipeline.bank.fill import Fill, refuse_unless_managed
from loan_pipeline.bank.protocol import Source
from loan_pipeline.contracts.column_types import column_definition, duckdb_type
from loan_pipeline.contracts.tables import TABLES, Table
from loan_pipeline.duckdb_connection import duckdb_connection

_FILLED_FROM = "_filled_from"


class EmbeddedBank:
    """The bank in one file; several processes may read it while one fills it anew.

    Args:
        path: the DuckDB file; its folder is made when the bank is filled.
        managed: False where the file is the system of record and never written.
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
            except (duckdb.Error, OSError) as error:
                raise BankError(
                    f"The {self.name} could not be written, and was left as it was: {error}. "
                    "Free space or correct the folder's rights, then fill again."
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
    def reading(self) -> Iterator[EmbeddedReader]:
        """Read the file as it is now; a fill meanwhile puts another file in its place."""
        if not self.exists():
            raise BankError(
                f"There is no {self.name}. Fill one: loan-pipeline run --source sample, "
                "or --source with a folder of PKDD'99 files."
            )
        with ExitStack() as stack:
            try:
                connection = stack.enter_context(duckdb_connection(self._path, read_only=True))
            except duckdb.Error as error:
                raise BankError(
                    f"The {self.name} cannot be opened: {error}. If it is damaged, delete it and "
                    "fill it again."
                ) from error
            connection.execute("BEGIN TRANSACTION")
            yield EmbeddedReader(connection)

    @contextmanager
    def _only_filler(self) -> Iterator[None]:
        """Hold the lock of the process that fills; the system drops it with the process."""
        with self._path.with_name(self._path.name + ".lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise BankError(
                    f"The {self.name} is being filled by another process. "
                    "Wait until that is done, then fill again."
                ) from None
            yield


def _fill_file(path: Path, source: Source) -> dict[str, int]:
    with duckdb_connection(path) as connection:

        def into(table: Table, batches: Iterator[pa.RecordBatch]) -> int:
            # Keys are validated below with one query; an index would cost more than it gives.
            columns = ", ".join(column_definition(column, duckdb_type) for column in table.columns)
            connection.execute(f'CREATE TABLE "{table.name}" ({columns})')
            failures: list[Exception] = []
            stream = pa.RecordBatchReader.from_batches(
                arrow_schema(table), _noting_failures(batches, failures)
            )
            # One statement for all: DuckDB stores rows while the next ones are made and checked.
            connection.register("stream", stream)
            try:
                connection.execute(f'INSERT INTO "{table.name}" SELECT * FROM stream')
                [(count,)] = connection.fetchall()
            except duckdb.Error:
                if failures:
                    raise failures[0] from None
                raise
            return int(count)

        fill = Fill(source)
        counts = fill.load(into)
        fill.validate(EmbeddedReader(connection))
        connection.execute(f"CREATE TABLE {_FILLED_FROM} (source VARCHAR, filled_at TIMESTAMP)")
        connection.execute(
            f"INSERT INTO {_FILLED_FROM} VALUES (?, now()::TIMESTAMP)",
            [source.name],
        )
    return counts


def _noting_failures(
    batches: Iterator[pa.RecordBatch], failures: list[Exception]
) -> Iterator[pa.RecordBatch]:
    """The batches; what ends them, of which DuckDB keeps the words only, goes to `failures`."""
    try:
        yield from batches
    except Exception as error:
        failures.append(error)
        raise


def _remove(path: Path) -> None:
    for leftover in (path, path.with_name(path.name + ".wal")):
        leftover.unlink(missing_ok=True)
