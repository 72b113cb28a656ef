"""A SQL dump as a source: what mysqldump, mariadb-dump and MySQL Workbench write.

The dump is read, never executed: only its INSERT statements of literal values count, and a file
from outside cannot make the server do anything else. Splitting into statements is in `dump_sql`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from loan_pipeline.bank.convert import BadValuesError, convert, missing_columns
from loan_pipeline.bank.errors import SourceError
from loan_pipeline.contracts.tables import TABLES, TABLES_BY_NAME, Table
from loan_pipeline.sources.dump_sql import Create, DumpSyntaxError, Insert, rows_as_csv, statements

_BATCH_BYTES = 4 * 2**20


@dataclass
class _Run:
    """A stretch of a file in which every INSERT goes into one table."""

    path: Path
    start: int
    end: int


class DumpSource:
    """The eight tables of a dump: one file, or a folder of one file a table.

    Args:
        path: a `.sql` file or a folder of them (Workbench's "dump project folder").

    Raises:
        SourceError: where the dump cannot be read, or lacks a table or a column.
    """

    def __init__(self, path: Path) -> None:
        self.name = f"dump {path}"
        self._columns: dict[str, tuple[str, ...]] = {}
        self._runs: dict[str, list[_Run]] = {}
        for file in sorted(path.glob("*.sql")) if path.is_dir() else [path]:
            self._index(file)
        missing = [table.name for table in TABLES if table.name not in self._runs]
        if missing:
            raise SourceError(
                f"{self.name} has no rows of table {', '.join(missing)}. "
                "Dump all eight tables, with their data."
            )

    def batches(self, table: Table) -> Iterator[pa.RecordBatch]:
        """The table's rows in the order of the dump."""
        texts: list[bytes] = []
        columns: tuple[str, ...] = ()
        read = 0
        for run in self._runs[table.name]:
            for statement in _statements(run.path, run.start, run.end):
                if not isinstance(statement, Insert) or statement.table != table.name:
                    continue
                named = self._named_columns(table, statement)
                if named != columns or sum(map(len, texts)) > _BATCH_BYTES:
                    yield from self._convert(table, columns, texts, read)
                    read += sum(text.count(b"\n") for text in texts)
                    texts, columns = [], named
                try:
                    texts.append(rows_as_csv(statement.values))
                except DumpSyntaxError as error:
                    raise SourceError(f"{self.name}, table {table.name}: {error}.") from None
        yield from self._convert(table, columns, texts, read)

    def _index(self, path: Path) -> None:
        """Note where each table's rows are, so that tables can be read in any order."""
        last = None
        for statement in _statements(path):
            if statement.table not in TABLES_BY_NAME:
                continue
            if isinstance(statement, Create):
                self._columns[statement.table] = statement.columns
            elif statement.table == last:
                self._runs[last][-1].end = statement.end
            else:
                last = statement.table
                run = _Run(path, statement.start, statement.end)
                self._runs.setdefault(last, []).append(run)

    def _named_columns(self, table: Table, statement: Insert) -> tuple[str, ...]:
        columns = statement.columns or self._columns.get(table.name, table.column_names)
        missing = missing_columns(table, set(columns))
        if missing:
            raise SourceError(
                f"{self.name}: table {table.name} lacks column {', '.join(missing)}. "
                "Dump the whole table, and fill again."
            )
        return columns

    def _convert(
        self, table: Table, columns: tuple[str, ...], texts: list[bytes], read: int
    ) -> Iterator[pa.RecordBatch]:
        if not texts:
            return
        try:
            cells = _read(b"".join(texts), columns)
            yield convert(table, cells)
        except BadValuesError as error:
            keys = cells[table.primary_key]
            shown = "; ".join(
                f"row {read + row + 1}, {table.primary_key} {keys[row].as_py()}: "
                f"{'empty' if value is None else repr(value)}"
                for row, value in error.rows
            )
            raise SourceError(
                f"{self.name}, table {table.name}: column {error.column} is not {error.wanted} "
                f"({shown}). Correct the dump and fill again; the bank was left as it was."
            ) from None
        except pa.ArrowInvalid as error:
            raise SourceError(
                f"{self.name}, table {table.name}, cannot be read: {error}."
            ) from None


def _statements(path: Path, start: int = 0, end: int | None = None) -> Iterator[Create | Insert]:
    try:
        with path.open("rb") as stream:
            yield from statements(stream, start, end)
    except OSError as error:
        raise SourceError(f"The dump {path} cannot be read: {error.strerror}.") from None
    except DumpSyntaxError as error:
        raise SourceError(f"The dump {path} cannot be read to its end: {error}.") from None


def _read(text: bytes, columns: tuple[str, ...]) -> dict[str, pa.Array]:
    """Cells as texts; NULL and empty texts are null."""
    table = csv.read_csv(
        pa.BufferReader(text),
        csv.ReadOptions(column_names=list(columns), use_threads=False, block_size=len(text)),
        csv.ParseOptions(quote_char="'", newlines_in_values=True),
        csv.ConvertOptions(
            column_types=dict.fromkeys(columns, pa.string()),
            null_values=["NULL", "null"],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        ),
    ).combine_chunks()
    return {
        name: pc.if_else(pc.equal(values, ""), None, values)
        for name, column in zip(columns, table.columns, strict=True)
        for values in [column.chunk(0)]
    }
